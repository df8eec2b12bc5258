"""The cells of a notebook on the book's chapters 2 to 4, in which a reader writes models, layers and a trainer.

The classes below are those of such a reader. Their gradients are dense arrays, so they also serve as an independent
implementation: a model must learn the same from the library's layers as from these.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastw2v.compat.textbook import (
    CBOW,
    SGD,
    AdaGrad,
    Adam,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    SigmoidWithLoss,
    SkipGram,
    Trainer,
    UnigramSampler,
    analogy,
    convert_one_hot,
    cos_similarity,
    create_co_matrix,
    create_contexts_target,
    load_textbook_pickle,
    most_similar,
    ppmi,
    preprocess,
)

PAIRS = [("cat", "dog"), ("car", "truck"), ("red", "blue"), ("king", "queen"), ("tea", "coffee"), ("oak", "elm")]
"""Words that occur in the same contexts."""
WINDOW, H = 1, 12


def text() -> str:
    """Return sentences such as "left2 blue right2", in which the words of a pair are interchangeable."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, len(PAIRS), 700)
    return " ".join(f"left{g} {PAIRS[g][rng.integers(0, 2)]} right{g}" for g in groups)


corpus, word_to_id, id_to_word = preprocess(text())
V = len(word_to_id)
contexts, target = create_contexts_target(corpus, WINDOW)


def neighbours_found(word_vecs) -> int:
    """Return the number of pairs of which each word is the nearest neighbour of the other."""
    unit = word_vecs / np.linalg.norm(word_vecs, axis=1, keepdims=True)
    nearest = np.argmax(unit @ unit.T - 2 * np.eye(V), axis=1)
    ids = [(word_to_id[a], word_to_id[b]) for a, b in PAIRS]
    return sum(nearest[a] == b and nearest[b] == a for a, b in ids)


# The reader's layers


class MatMul:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        return dout @ self.params[0].T


class SoftmaxWithLoss:
    def __init__(self):
        self.params, self.grads = [], []

    def forward(self, score, label):
        self.label = label
        e = np.exp(score - score.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return -np.log((self.p * label).sum(axis=1) + 1e-7).mean()

    def backward(self, dout=1):
        return (self.p - self.label) * dout / len(self.label)


class OwnEmbedding:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, idx):
        self.idx = idx
        return self.params[0][idx]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)


class OwnNegativeSamplingLoss:
    """One embedding for the target and for each negative. The samples are those of the library's layer."""

    def __init__(self, W, corpus, power=0.75, sample_size=5):
        self.sampler = UnigramSampler(corpus, power, sample_size)
        self.embeds = [OwnEmbedding(W) for _ in range(1 + sample_size)]
        self.params, self.grads = [], []
        for layer in self.embeds:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, h, target):
        words = np.column_stack([target, self.sampler.get_negative_sample(target)])
        self.h, self.rows, loss = h, [], 0
        self.dscore = []
        for k, layer in enumerate(self.embeds):
            rows = layer.forward(words[:, k])
            y = 1 / (1 + np.exp(-(rows * h).sum(axis=1)))
            loss -= np.log(y if k == 0 else 1 - y).mean()
            self.rows.append(rows)
            self.dscore.append((y - (k == 0))[:, None] / len(h))
        return loss

    def backward(self, dout=1):
        dh = 0
        for layer, rows, dscore in zip(self.embeds, self.rows, self.dscore, strict=True):
            layer.backward(dout * dscore * self.h)
            dh += dout * dscore * rows
        return dh


class ComposedNegativeSamplingLoss:
    """The same, composed of the library's layers."""

    def __init__(self, W, corpus, power=0.75, sample_size=5):
        self.sampler = UnigramSampler(corpus, power, sample_size)
        self.loss_layers = [SigmoidWithLoss() for _ in range(1 + sample_size)]
        self.embed_dot_layers = [EmbeddingDot(W) for _ in range(1 + sample_size)]
        self.params, self.grads = [], []
        for layer in self.embed_dot_layers:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, h, target):
        words = np.column_stack([target, self.sampler.get_negative_sample(target)])
        loss = 0
        for k, (dot, loss_layer) in enumerate(zip(self.embed_dot_layers, self.loss_layers, strict=True)):
            label = np.full(len(target), int(k == 0), dtype=np.int32)
            loss += loss_layer.forward(dot.forward(h, words[:, k]), label)
        return loss

    def backward(self, dout=1):
        dh = 0
        for dot, loss_layer in zip(self.embed_dot_layers, self.loss_layers, strict=True):
            dh += dot.backward(loss_layer.backward(dout))
        return dh


class AddAtEmbedding(Embedding):
    """The library's layer with a backward pass of the reader's own."""

    def forward(self, idx):
        self.idx = idx
        return super().forward(idx)

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)


class LoopEmbedding(AddAtEmbedding):
    """The same with a loop."""

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        for i, word_id in enumerate(self.idx):
            dW[word_id] += dout[i]


# The reader's models


class Model:
    """Weights from a seed, and the lists of all layers."""

    def weights(self, dtype, vocab_size=V):
        rng = np.random.default_rng(7)
        return ((0.1 * rng.normal(size=(vocab_size, H))).astype(dtype) for _ in range(2))

    def collect(self, layers):
        self.params, self.grads = [], []
        for layer in layers:
            self.params += layer.params
            self.grads += layer.grads


class OwnCBOW(Model):
    """CBOW with one embedding for each context, which share their weight unless `share` is False."""

    def __init__(self, Embed=Embedding, Loss=NegativeSamplingLoss, share=True, dtype="f"):
        W_in, W_out = self.weights(dtype)
        self.in_layers = [Embed(W_in if share else W_in.copy()) for _ in range(2 * WINDOW)]
        self.ns_loss = Loss(W_out, corpus, power=0.75, sample_size=5)
        self.collect([*self.in_layers, self.ns_loss])
        self.word_vecs = self.in_layers[0].params[0]

    def forward(self, contexts, target):
        h = 0
        for i, layer in enumerate(self.in_layers):
            h += layer.forward(contexts[:, i])
        h *= 1 / len(self.in_layers)
        return self.ns_loss.forward(h, target)

    def backward(self, dout=1):
        dout = self.ns_loss.backward(dout)
        dout *= 1 / len(self.in_layers)
        for layer in self.in_layers:
            layer.backward(dout)


class PropertyCBOW(OwnCBOW):
    """The same with `grads` as a property."""

    @property
    def grads(self):
        return [grad for layer in [*self.in_layers, self.ns_loss] for grad in layer.grads]

    @grads.setter
    def grads(self, value):
        pass


class OwnSkipGram(Model):
    """Skip-gram with one loss layer for each context, which share W_out."""

    def __init__(self, Embed=Embedding, Loss=NegativeSamplingLoss, dtype="f"):
        W_in, W_out = self.weights(dtype)
        self.in_layer = Embed(W_in)
        self.loss_layers = [Loss(W_out, corpus, power=0.75, sample_size=5) for _ in range(2 * WINDOW)]
        self.collect([self.in_layer, *self.loss_layers])
        self.word_vecs = W_in

    def forward(self, contexts, target):
        h = self.in_layer.forward(target)
        loss = 0
        for i, layer in enumerate(self.loss_layers):
            loss += layer.forward(h, contexts[:, i])
        return loss

    def backward(self, dout=1):
        dh = 0
        for layer in self.loss_layers:
            dh += layer.backward(dout)
        self.in_layer.backward(dh)


class SimpleCBOW(Model):
    """CBOW of chapter 3, with one-hot vectors and a softmax over the vocabulary."""

    def __init__(self, vocab_size):
        W_in, W_out = self.weights("f", vocab_size)
        self.in_layer0, self.in_layer1 = MatMul(W_in), MatMul(W_in)
        self.out_layer = MatMul(np.ascontiguousarray(W_out.T))
        self.loss_layer = SoftmaxWithLoss()
        self.collect([self.in_layer0, self.in_layer1, self.out_layer])
        self.word_vecs = W_in

    def forward(self, contexts, target):
        h = 0.5 * (self.in_layer0.forward(contexts[:, 0]) + self.in_layer1.forward(contexts[:, 1]))
        return self.loss_layer.forward(self.out_layer.forward(h), target)

    def backward(self, dout=1):
        dh = 0.5 * self.out_layer.backward(self.loss_layer.backward(dout))
        self.in_layer0.backward(dh)
        self.in_layer1.backward(dh)


class TiedCBOW(Model):
    """CBOW with a softmax whose weight is the transpose of the embedding's table."""

    def __init__(self, Embed=Embedding, transposed_first=False):
        W, _ = self.weights("d")
        self.embed, self.out_layer, self.loss_layer = Embed(W), MatMul(W.T), SoftmaxWithLoss()
        self.collect([self.out_layer, self.embed] if transposed_first else [self.embed, self.out_layer])
        self.word_vecs = W

    def forward(self, contexts, target):
        h = self.embed.forward(contexts).mean(axis=1)
        return self.loss_layer.forward(self.out_layer.forward(h), convert_one_hot(target, V))

    def backward(self, dout=1):
        dh = self.out_layer.backward(self.loss_layer.backward(dout))
        self.embed.backward(np.repeat(dh[:, None, :] / 2, 2, axis=1))


# The reader's trainer and optimisers


class OwnSGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for i in range(len(params)):
            params[i] -= self.lr * grads[i]


class OwnMomentum(OwnSGD):
    v = None

    def update(self, params, grads):
        if self.v is None:
            self.v = [np.zeros_like(param) for param in params]
        for i in range(len(params)):
            self.v[i] = 0.9 * self.v[i] - self.lr * grads[i]
            params[i] += self.v[i]


class OwnAdaGrad(OwnSGD):
    h = None

    def update(self, params, grads):
        if self.h is None:
            self.h = [np.zeros_like(param) for param in params]
        for i in range(len(params)):
            self.h[i] += grads[i] * grads[i]
            params[i] -= self.lr * grads[i] / (np.sqrt(self.h[i]) + 1e-7)


class OwnAdam(OwnSGD):
    m = None

    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = ([np.zeros_like(param) for param in params] for _ in range(2))
            self.t = 0
        self.t += 1
        lr_t = self.lr * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        for i in range(len(params)):
            self.m[i] += (1 - 0.9) * (grads[i] - self.m[i])
            self.v[i] += (1 - 0.999) * (grads[i] ** 2 - self.v[i])
            params[i] -= lr_t * self.m[i] / (np.sqrt(self.v[i]) + 1e-7)


def clip_grads(grads, max_norm):
    total = np.sqrt(sum(np.sum(grad**2) for grad in grads))
    rate = max_norm / (total + 1e-6)
    if rate < 1:
        for grad in grads:
            grad *= rate


def remove_duplicate(params, grads):
    """Merge shared weights as in the book: the sum is written to the first gradient in place."""
    params, grads = params[:], grads[:]
    i = 0
    while i < len(params):
        j = i + 1
        while j < len(params):
            same = params[i] is params[j]
            tied = np.array_equal(params[i].T, params[j])
            if same or tied:
                grads[i] += grads[j] if same else grads[j].T
                del params[j], grads[j]
            else:
                j += 1
        i += 1
    return params, grads


class OwnTrainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer, self.loss_list = model, optimizer, []

    def fit(self, x, t, max_epoch=10, batch_size=32, max_grad=None):
        rng = np.random.default_rng(3)
        for _ in range(max_epoch):
            order, losses = rng.permutation(len(x)), []
            for first in range(0, len(x), batch_size):
                chosen = order[first : first + batch_size]
                losses.append(self.model.forward(x[chosen], t[chosen]))
                self.model.backward()
                params, grads = remove_duplicate(self.model.params, self.model.grads)
                if max_grad is not None:
                    clip_grads(grads, max_grad)
                self.optimizer.update(params, grads)
            self.loss_list.append(float(np.mean(losses)))


# The cells


@pytest.mark.parametrize(
    ("make", "optimizer", "epochs"),
    [
        (OwnCBOW, Adam(0.01), 10),
        (PropertyCBOW, Adam(0.01), 10),
        (OwnCBOW, SGD(2.0), 15),
        (OwnCBOW, AdaGrad(0.2), 10),
        (OwnCBOW, OwnAdam(0.01), 10),
        (lambda: OwnCBOW(share=False), Adam(0.01), 12),
        (lambda: OwnCBOW(Embed=OwnEmbedding), Adam(0.01), 10),
        (lambda: OwnCBOW(Loss=OwnNegativeSamplingLoss), Adam(0.01), 10),
        (lambda: OwnCBOW(OwnEmbedding, OwnNegativeSamplingLoss), Adam(0.01), 10),
        (lambda: OwnCBOW(AddAtEmbedding, ComposedNegativeSamplingLoss), Adam(0.01), 10),
        (OwnSkipGram, Adam(0.01), 8),
        (lambda: CBOW(V, H, WINDOW, corpus), Adam(0.02), 15),
        (lambda: SkipGram(V, H, WINDOW, corpus), OwnAdam(0.02), 10),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "update") else getattr(value, "__name__", str(value)),
)
def test_a_model_learns_with_the_library_s_trainer(make, optimizer, epochs):
    model = make()
    trainer = Trainer(model, optimizer)
    trainer.fit(contexts, target, max_epoch=epochs, batch_size=50, eval_interval=None)
    assert len(trainer.loss_list) == epochs
    assert trainer.loss_list[-1] < 0.65 * trainer.loss_list[0]
    assert neighbours_found(model.word_vecs) == len(PAIRS)


LIBRARY, DENSE = (Embedding, NegativeSamplingLoss), (OwnEmbedding, OwnNegativeSamplingLoss)


@pytest.mark.parametrize(
    "layers",
    [
        (Embedding, ComposedNegativeSamplingLoss),
        (AddAtEmbedding, NegativeSamplingLoss),
        (LoopEmbedding, OwnNegativeSamplingLoss),
        (OwnEmbedding, NegativeSamplingLoss),
    ],
    ids=lambda layers: "-".join(layer.__name__ for layer in layers),
)
@pytest.mark.parametrize("make", [Trainer, OwnTrainer])
def test_layers_in_any_combination_give_the_result_of_dense_layers(make, layers):
    runs = []
    for each in (layers, DENSE):
        model = OwnCBOW(*each, dtype="d")
        make(model, OwnAdam(0.01)).fit(contexts[:300], target[:300], max_epoch=2, batch_size=50, max_grad=0.3)
        runs.append((model.params[0], model.params[-1]))
    for got, want in zip(*runs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("max_grad", [None, 0.3])
@pytest.mark.parametrize("Optimizer", [OwnSGD, OwnMomentum, OwnAdaGrad, OwnAdam])
@pytest.mark.parametrize("Model", [OwnCBOW, OwnSkipGram])
def test_a_reader_s_trainer_and_optimiser_get_the_dense_gradients(Model, Optimizer, max_grad):
    runs = []
    for layers in (LIBRARY, DENSE):
        model = Model(*layers, dtype="d")
        trainer = OwnTrainer(model, Optimizer(0.05))
        trainer.fit(contexts[:700], target[:700], max_epoch=2, batch_size=50, max_grad=max_grad)
        runs.append((model.params[0], model.params[-1], trainer.loss_list))
    for got, want in zip(*runs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    assert runs[0][2][-1] < runs[0][2][0]


@pytest.mark.parametrize("max_grad", [None, 0.3])
@pytest.mark.parametrize("Optimizer", [SGD, AdaGrad, OwnSGD, OwnMomentum, OwnAdam])
@pytest.mark.parametrize("Model", [OwnCBOW, PropertyCBOW, OwnSkipGram])
def test_the_library_s_trainer_gives_the_result_of_dense_layers(Model, Optimizer, max_grad):
    # The library's Adam is missing here, because it treats row-sparse gradients differently on purpose.
    runs = []
    for layers in (LIBRARY, DENSE):
        model = Model(*layers, dtype="d")
        trainer = Trainer(model, Optimizer(0.05))
        trainer.fit(contexts[:700], target[:700], max_epoch=2, batch_size=50, max_grad=max_grad)
        runs.append((model.params[0], model.params[-1], trainer.loss_list))
    for got, want in zip(*runs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_embeddings_that_share_no_weight_are_trained_separately():
    model = OwnCBOW(share=False)
    first, second = (layer.params[0] for layer in model.in_layers)
    Trainer(model, Adam()).fit(contexts, target, max_epoch=1, batch_size=50)
    assert np.abs(first - second).max() > 1e-3


def test_the_library_s_adam_equals_dense_adam_if_every_row_is_in_the_batch():
    runs = []
    for optimizer in (Adam(0.01), OwnAdam(0.01)):
        model = OwnCBOW(dtype="d")
        Trainer(model, optimizer).fit(contexts[:700], target[:700], max_epoch=5, batch_size=700)
        runs.append(model.params[0])
    np.testing.assert_allclose(*runs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("optimizer", "own"), [(Adam(0.01), OwnAdam(0.01)), (AdaGrad(0.1), OwnAdaGrad(0.1))])
def test_the_library_s_optimisers_treat_dense_gradients_as_the_book_does(optimizer, own):
    runs = []
    for each in (optimizer, own):
        model = OwnCBOW(*DENSE, dtype="d")
        Trainer(model, each).fit(contexts[:300], target[:300], max_epoch=2, batch_size=20, max_grad=0.3)
        runs.append((model.params[0], model.params[-1]))
    for got, want in zip(*runs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_simple_cbow_of_chapter_3():
    corpus, word_to_id, _ = preprocess("You say goodbye and I say hello.")
    vocab_size = len(word_to_id)
    contexts, target = create_contexts_target(corpus, window_size=1)
    contexts, target = convert_one_hot(contexts, vocab_size), convert_one_hot(target, vocab_size)
    runs = []
    for make in (Trainer, OwnTrainer):
        model = SimpleCBOW(vocab_size)
        trainer = make(model, OwnAdam(0.01))
        trainer.fit(contexts, target, max_epoch=150, batch_size=6)
        assert trainer.loss_list[0] == pytest.approx(np.log(vocab_size), rel=0.02)
        assert trainer.loss_list[-1] < 0.5
        runs.append(model.word_vecs)
    np.testing.assert_allclose(*runs, atol=1e-4)


def test_simple_cbow_finds_the_pairs():
    model = SimpleCBOW(V)
    trainer = Trainer(model, Adam(0.01))
    trainer.fit(convert_one_hot(contexts, V), convert_one_hot(target, V), 10, 50, eval_interval=None)
    assert trainer.loss_list[-1] < 0.65 * trainer.loss_list[0]
    assert neighbours_found(model.word_vecs) == len(PAIRS)


@pytest.mark.parametrize("transposed_first", [False, True])
@pytest.mark.parametrize("Embed", [Embedding, OwnEmbedding])
def test_tied_weights(Embed, transposed_first):
    x, t = contexts[:300], target[:300]
    tied = TiedCBOW(Embed, transposed_first)
    Trainer(tied, Adam(0.01)).fit(x, t, max_epoch=20, batch_size=300)
    own = TiedCBOW(OwnEmbedding)
    OwnTrainer(own, OwnAdam(0.01)).fit(x, t, max_epoch=20, batch_size=300)
    np.testing.assert_allclose(tied.word_vecs, own.word_vecs, rtol=1e-6, atol=1e-9)
    assert np.abs(own.word_vecs - TiedCBOW().word_vecs).max() > 0.1


def test_a_sparse_and_a_dense_layer_can_share_a_weight():
    class Mixed(OwnCBOW):
        def __init__(self, Second):
            super().__init__(dtype="d")
            self.in_layers[1] = Second(self.in_layers[0].params[0])
            self.collect([*self.in_layers, self.ns_loss])

    runs = []
    for Second in (Embedding, OwnEmbedding):
        model = Mixed(Second)
        Trainer(model, SGD(0.5)).fit(contexts[:300], target[:300], max_epoch=2, batch_size=50, max_grad=0.5)
        runs.append(model.word_vecs)
    np.testing.assert_allclose(*runs, rtol=1e-9, atol=1e-12)


# Saving


@pytest.mark.parametrize("duplicate", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
@pytest.mark.parametrize("make", [OwnCBOW, OwnSkipGram, lambda: CBOW(V, H, WINDOW, corpus)])
def test_a_copy_of_a_model_continues_the_training(make, duplicate):
    model = make()
    Trainer(model, SGD(0.5)).fit(contexts[:300], target[:300], max_epoch=1, batch_size=50)
    other = duplicate(model)
    before = model.word_vecs.copy()
    for each in (model, other):
        Trainer(each, SGD(0.5), seed=2).fit(contexts[:300], target[:300], max_epoch=1, batch_size=50)
    assert np.array_equal(model.word_vecs, other.word_vecs)
    assert not np.array_equal(model.word_vecs, before)
    assert not np.shares_memory(model.word_vecs, other.word_vecs)
    np.testing.assert_array_equal(other.params[0], other.word_vecs)


def test_a_trainer_can_be_pickled():
    trainer = Trainer(OwnCBOW(), Adam())
    trainer.fit(contexts[:300], target[:300], max_epoch=1)
    other = pickle.loads(pickle.dumps(trainer))
    for each in (trainer, other):
        each.fit(contexts[:300], target[:300], max_epoch=1)
    assert other.loss_list == trainer.loss_list
    assert np.array_equal(other.model.word_vecs, trainer.model.word_vecs)


def test_the_trainer_takes_the_names_of_the_book():
    trainer = Trainer(model=OwnCBOW(), optimizer=SGD(lr=0.5))
    trainer.fit(x=contexts[:300], t=target[:300], max_epoch=1, batch_size=100, max_grad=None, eval_interval=1)
    assert len(trainer.loss_list) == 3


def test_a_copy_of_tied_weights_is_no_longer_tied():
    other = copy.deepcopy(TiedCBOW())  # NumPy copies a transposed view as an array of its own
    with pytest.warns(UserWarning, match=r"model.params\[1\] equals the transpose of model.params\[0\]") as warned:
        Trainer(other, SGD(0.5)).fit(contexts[:300], target[:300], max_epoch=1)
    assert warned[0].filename == __file__


def test_a_layer_and_its_lists_can_be_pickled():
    layer = Embedding(np.ones((3, 2)))
    layer.forward(np.array([0, 2, 2]))
    layer.backward(np.ones((3, 2)))
    params, grads, loaded = pickle.loads(pickle.dumps((layer.params, layer.grads, layer)))
    assert loaded.params[0] is params[0]
    assert loaded.grads[0] is grads[0]
    assert np.asarray(grads[0]).tolist() == [[1, 1], [0, 0], [2, 2]]


def test_saved_parameters_answer_the_queries_of_the_chapter(tmp_path, capsys):
    model = OwnCBOW()
    Trainer(model, Adam(0.01)).fit(contexts, target, max_epoch=10, batch_size=50)
    params = {
        "word_vecs": model.word_vecs.astype(np.float16),
        "word_to_id": word_to_id,
        "id_to_word": id_to_word,
    }
    with (tmp_path / "cbow_params.pkl").open("wb") as file:
        pickle.dump(params, file, -1)
    with (tmp_path / "cbow_params.pkl").open("rb") as file:
        loaded = pickle.load(file)
    assert np.array_equal(load_textbook_pickle(tmp_path / "cbow_params.pkl")["word_vecs"], loaded["word_vecs"])
    word_vecs = loaded["word_vecs"]
    for a, b in PAIRS:
        assert most_similar(a, word_to_id, id_to_word, word_vecs, top=3)[0][0] == b
        vectors = [word_vecs[word_to_id[word]].astype("f") for word in (a, b)]
        assert cos_similarity(*vectors) > 0.9
    # The words of a pair are almost equal, so cat − dog + king is almost king.
    assert analogy("dog", "cat", "king", word_to_id, id_to_word, word_vecs)[0][0] == "queen"
    printed = capsys.readouterr().out
    assert "[query] cat\n dog: 0.9" in printed
    assert "[analogy] dog:cat = king:?\n queen: " in printed


def test_the_loss_of_an_own_model_is_plotted(tmp_path):
    pytest.importorskip("matplotlib.pyplot").switch_backend("agg")
    trainer = Trainer(OwnCBOW(), Adam())
    trainer.fit(contexts, target, max_epoch=1, batch_size=50)
    trainer.plot(tmp_path / "loss.svg", ylim=(0, 5))
    assert "OwnCBOW with Adam" in (tmp_path / "loss.svg").read_text(encoding="utf-8")  # the title, as a comment


# Chapters 2 and 3


@pytest.mark.parametrize("window_size", [1, 2, 5, 50])
def test_co_occurrences_and_ppmi(window_size):
    ids = np.random.default_rng(1).integers(0, 6, 40)
    ids[ids == 4] = 5  # word 4 does not occur
    counts = np.zeros((7, 7), int)
    for i in range(len(ids)):
        for j in range(len(ids)):
            if 0 < abs(i - j) <= window_size:
                counts[ids[i], ids[j]] += 1
    C = create_co_matrix(ids, 7, window_size)
    assert C.dtype == np.int32
    assert np.array_equal(C, counts)
    W = ppmi(C, verbose=True)
    assert W.dtype == np.float32
    p = counts / counts.sum()
    for i, j in np.ndindex(7, 7):
        expected = p[i].sum() * p[j].sum()
        want = max(0, np.log2(p[i, j] / expected)) if p[i, j] else 0
        assert W[i, j] == pytest.approx(want, abs=1e-5)


def test_ppmi_and_svd_find_the_pairs():
    C = create_co_matrix(corpus, V, window_size=1)
    U, _, _ = np.linalg.svd(ppmi(C))
    assert neighbours_found(U[:, :10]) == len(PAIRS)
    assert most_similar("tea", word_to_id, id_to_word, U[:, :10], top=1)[0][0] == "coffee"


def test_one_hot():
    ids = np.array([[2, 0], [1, 1]])
    one_hot = convert_one_hot(ids, 3)
    assert one_hot.dtype == np.int32
    assert one_hot.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]]
    assert convert_one_hot(ids[:0], 3).shape == (0, 2, 3)
    for bad in (ids - 1, ids + 1):
        with pytest.raises(ValueError, match=r"must lie in 0..2"):
            convert_one_hot(bad, 3)
    with pytest.raises(ValueError, match=r"must lie in 0..2"):
        create_co_matrix(ids[0] + 1, 3)
    with pytest.raises(ValueError, match="window_size is 0"):
        create_co_matrix(ids[0], 3, 0)
