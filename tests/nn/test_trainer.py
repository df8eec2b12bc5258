"""Trainer: learning, bookkeeping, determinism, and errors that suggest a remedy."""

from __future__ import annotations

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.compat.textbook import create_contexts_target, preprocess
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, AdaGrad, Adam
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.nn.trainer import Trainer, clip_gradients, merge_shared

TEXT = "You say goodbye and I say hello . " * 20


def textbook(xp, Model=CBOW, seed=1, text=TEXT):
    corpus, word_to_id, _ = preprocess(text)
    contexts, target = create_contexts_target(corpus, window_size=2)
    model = Model(len(word_to_id), 6, 2, xp.asarray(corpus), seed=seed)
    return model, xp.asarray(contexts), xp.asarray(target)


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_the_loss_falls(xp, Model):
    model, contexts, target = textbook(xp, Model, text=TEXT[: len(TEXT) // 4])
    trainer = Trainer(model, Adam(0.05)).fit(contexts, target, max_epoch=6, batch_size=5, eval_interval=1000)
    losses = [loss for _, loss in trainer.loss_history]
    assert len(losses) == 6
    assert losses[-1] < 0.75 * losses[0]


def test_backends_agree(xp):
    results = []
    for namespace in (np, xp):
        model, contexts, target = textbook(namespace)
        Trainer(model, Adam(0.01)).fit(contexts, target, max_epoch=2, batch_size=50)
        results.append(to_host(model.word_vecs))
    np.testing.assert_allclose(results[0], results[1], atol=1e-4)


def test_same_seed_same_bytes():
    runs = []
    for seed in (1, 1, 2):
        model, contexts, target = textbook(np)
        Trainer(model, Adam(), seed=seed).fit(contexts, target, max_epoch=2, batch_size=7)
        runs.append(model.word_vecs.tobytes())
    assert runs[0] == runs[1] != runs[2]


class Recorder:
    """A model that learns nothing and records its inputs."""

    def __init__(self, loss=1.0):
        self.params, self.grads, self.seen, self.loss = [np.zeros((1, 1))], [np.ones((1, 1))], [], loss

    def forward(self, contexts, target):
        assert np.array_equal(contexts[:, 0], target * 10)  # contexts and targets stay together
        self.seen.append(target.tolist())
        return np.float64(self.loss)

    def backward(self):
        pass


def test_every_example_once_an_epoch_in_a_new_order():
    target = np.arange(10)
    model = Recorder()
    trainer = Trainer(model, SGD()).fit(target[:, None] * 10, target, max_epoch=2, batch_size=4, eval_interval=2)
    assert [len(batch) for batch in model.seen] == [4, 4, 2, 4, 4, 2]
    first, second = sum(model.seen[:3], []), sum(model.seen[3:], [])  # noqa: RUF017
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert trainer.loss_history == [(0.8, 1.0), (1.0, 1.0), (1.8, 1.0), (2.0, 1.0)]
    trainer.fit(target[:, None] * 10, target, max_epoch=1, batch_size=10)
    assert trainer.loss_history[-1] == (3.0, 1.0)


def test_the_loss_is_the_mean_per_target():
    class Rising(Recorder):
        def forward(self, contexts, target):
            super().forward(contexts, target)
            return np.float64(len(self.seen))

    target = np.arange(5)
    trainer = Trainer(Rising(), SGD()).fit(target[:, None] * 10, target, 1, batch_size=2, eval_interval=100)
    assert trainer.loss_history == [(1.0, (2 * 1 + 2 * 2 + 1 * 3) / 5)]


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_stops_with_the_remedy(loss):
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 1.*lower learning rate \(now 0.5\)"):
        Trainer(Recorder(loss), SGD(0.5)).fit(np.array([[10]]), np.array([1]), 1, 1)


def test_weights_that_diverge_in_the_last_batch_stop_with_the_remedy():
    ids = np.arange(6)
    model = SkipGram(6, 4, 1, ids)  # W_in and W_out are small, so the loss before the only step is finite
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(FloatingPointError, match=r"the trained weights contain .*lower learning rate \(now 1e\+39\)"),
    ):
        Trainer(model, SGD(1e39)).fit(ids[:, None], ids[::-1], max_epoch=1, batch_size=6)


@pytest.mark.parametrize("arguments", [{"max_epoch": 0}, {"batch_size": 0}, {"eval_interval": 0}])
def test_sizes_below_one(arguments):
    with pytest.raises(ValueError, match=r"is 0; it must be at least 1"):
        Trainer(Recorder(), SGD()).fit(np.array([[10]]), np.array([1]), **arguments)


@pytest.mark.parametrize(("contexts", "target"), [((2, 1), (3,)), ((0, 1), (0,))])
def test_examples_that_do_not_match(contexts, target):
    with pytest.raises(ValueError, match="must be equal and at least 1"):
        Trainer(Recorder(), SGD()).fit(np.zeros(contexts, int), np.zeros(target, int))


def test_a_shared_weight_is_updated_once_with_the_sum():
    W = np.zeros((2, 2))
    grads = [RowSparseGradient(np.array([0]), np.ones((1, 2))), RowSparseGradient(np.array([0, 1]), np.ones((2, 2)))]
    params, sums = merge_shared([W, W], grads)
    assert len(params) == 1
    assert params[0] is W
    assert sums[0].dense(W).tolist() == [[2, 2], [1, 1]]
    other = np.zeros((2, 2))
    assert len(merge_shared([W, other], grads)[0]) == 2  # equal arrays are not the same object


def test_clip_gradients(xp):
    grads = [
        RowSparseGradient(xp.asarray([1, 1]), xp.asarray([[3.0, 0.0], [0.0, 0.0]])),
        RowSparseGradient(xp.asarray([0]), xp.asarray([[0.0, 4.0]])),
    ]
    clipped = clip_gradients(grads, 1.0)
    np.testing.assert_allclose([to_host(g.rows)[0].tolist() for g in clipped], [[0.6, 0], [0, 0.8]], rtol=1e-5)
    same = clip_gradients(grads, 10.0)
    assert to_host(same[1].rows).tolist() == [[0, 4]]


class Linear:
    """A model of two weights in the manner of a textbook: loss = Σ (a + b) x, with gradients x for both."""

    def __init__(self, n=1):
        self.params = [np.zeros((1, n)), np.zeros((1, n))]
        self.grads = [np.zeros_like(W) for W in self.params]

    def forward(self, contexts, target):
        self.x = contexts
        return float(((self.params[0] + self.params[1]) * contexts).mean())

    def backward(self):
        for grad in self.grads:
            grad[...] = self.x.mean(axis=0)


def fit(model, **arguments):
    x = np.arange(1.0, 5.0)[:, None]
    return Trainer(model, SGD(1.0)).fit(x, np.arange(4), **{"max_epoch": 1, "batch_size": 2, **arguments})


def test_a_model_of_dense_layers():
    model = Linear()
    fit(model, max_epoch=2)
    assert [W.tolist() for W in model.params] == [[[-10.0]], [[-10.0]]]


CONTRACTS = {
    "no gradient": (
        lambda m: m.grads.__setitem__(1, None),
        TypeError,
        r"model.grads\[1\].*shape \(1, 1\), is None after",
    ),
    "a list": (
        lambda m: m.grads.__setitem__(0, [[1.0]]),
        TypeError,
        r"model.grads\[0\].*is of type list.*np.zeros_like",
    ),
    "too few": (lambda m: m.grads.pop(), ValueError, "2 weights, but model.grads contains 1 gradients"),
    "too many": (lambda m: m.grads.append(m.grads[0]), ValueError, "2 weights, but model.grads contains 3 gradients"),
    "a shape": (
        lambda m: m.grads.__setitem__(1, np.zeros((1, 3))),
        ValueError,
        r"model.grads\[1\] has shape \(1, 3\), but its weight model.params\[1\] has shape \(1, 1\)",
    ),
    "a sparse shape": (
        lambda m: m.grads.__setitem__(0, RowSparseGradient(np.array([0]), np.zeros((1, 3)))),
        ValueError,
        r"model.grads\[0\] has shape \(1, 3\)",
    ),
    "an integer weight": (
        lambda m: m.params.__setitem__(0, np.zeros((1, 1), np.int64)),
        TypeError,
        r"model.params\[0\] is an array of int64; a weight must be an array of floats",
    ),
    "a list as a weight": (lambda m: m.params.__setitem__(0, [0.0]), TypeError, r"model.params\[0\] is of type list"),
    "no lists": (lambda m: setattr(m, "grads", None), TypeError, "model.grads is None"),
}


@pytest.mark.parametrize(("breach", "error", "message"), CONTRACTS.values(), ids=CONTRACTS)
def test_a_model_that_breaks_the_contract(breach, error, message):
    model = Linear()
    model.backward = lambda: None
    breach(model)
    with pytest.raises(error, match=message):
        fit(model)


@pytest.mark.parametrize(("loss", "message"), [(None, "returned NoneType"), (np.ones(2), r"array of shape \(2,\)")])
def test_a_loss_that_is_not_a_number(loss, message):
    model = Linear()
    model.forward = lambda contexts, target: loss
    with pytest.raises(TypeError, match=message + ".*must return the mean loss"):
        fit(model)


@pytest.mark.parametrize("loss", [1, 1.0, np.float32(1), np.ones(()), np.ones((), np.float32)])
def test_losses_of_any_type(loss):
    model = Linear()
    model.forward = lambda contexts, target: setattr(model, "x", contexts) or loss
    assert fit(model).loss_history[-1] == (1.0, 1.0)


def test_a_layer_that_replaces_its_gradient_is_noticed():
    class Replacing(Linear):
        def __init__(self):
            super().__init__()
            self.layer_grads = [self.grads[1]]

        def backward(self):
            self.grads[0][...] = self.x.mean(axis=0)
            self.layer_grads[0] = self.x.mean(axis=0)  # the model's list still contains the old array

    model = Replacing()
    with pytest.warns(UserWarning, match=r"model.grads\[1\] stayed zero.*self.grads\[0\]\[...\] = dW") as warned:
        trainer = fit(model)
    trainer.fit(np.ones((4, 1)), np.arange(4), max_epoch=1)  # warns once
    assert len(warned) == 1
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 2.0}, TypeError, "batch_size is 2.0 of type float; it must be a whole number"),
        ({"max_epoch": None}, TypeError, "max_epoch is None"),
        ({"eval_interval": 2.5}, TypeError, "eval_interval is 2.5"),
        ({"max_grad": "1"}, TypeError, "max_grad is '1' of type str; it must be a number"),
        ({"max_grad": 0}, ValueError, "max_grad is 0, which would.*it must be positive, or None"),
        ({"max_grad": -1.0}, ValueError, "max_grad is -1.0"),
    ],
)
def test_arguments_of_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fit(Linear(), **arguments)


def test_examples_that_are_not_arrays():
    with pytest.raises(TypeError, match=r"contexts is \[\[1\.0\]\] of type list; pass an array"):
        Trainer(Linear(), SGD()).fit([[1.0]], np.arange(1))
    with pytest.raises(TypeError, match="target is 3"):
        Trainer(Linear(), SGD()).fit(np.ones((1, 1)), 3)


class Tied(Linear):
    """A model whose two weights are an array and its transpose."""

    def __init__(self):
        W = np.ones((1, 1))
        self.params, self.grads = [W, W.T], [np.zeros((1, 1)), np.zeros((1, 1))]


@pytest.mark.parametrize("restore", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
@pytest.mark.parametrize("optimizer", [AdaGrad(), Adam()])
def test_tied_weights_that_a_copy_has_separated(restore, optimizer):
    x, target = np.ones((2, 1)), np.arange(2)
    trainer = restore(Trainer(Tied(), copy.deepcopy(optimizer)).fit(x, target, max_epoch=1))
    with (
        pytest.warns(UserWarning, match=r"params\[1\] equals the transpose of model.params\[0\]"),
        pytest.raises(ValueError, match=r"shapes \[\(1, 1\)\], but.*now have shapes \[\(1, 1\), \(1, 1\)\]; create a"),
    ):
        trainer.fit(x, target, max_epoch=1)


@pytest.mark.parametrize("optimizer", [AdaGrad(), Adam()])
def test_an_optimizer_of_another_model(optimizer):
    optimizer = copy.deepcopy(optimizer)
    optimizer.update([np.zeros((3, 2))], [np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"shapes \[\(3, 2\)\].*\[\(4, 2\)\]; create a new optimizer"):
        optimizer.update([np.zeros((4, 2))], [np.ones((4, 2))])


def test_a_gradient_that_is_zero_at_first_is_no_problem():
    # If W_out is zero, the first gradient of W_in is zero.
    model, contexts, target = textbook(np)
    model.params[1][...] = 0
    Trainer(model, SGD(0.1)).fit(contexts, target, max_epoch=1)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, max_row_norm=1.0), AdaGrad(), Adam()])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_a_step_allocates_no_array_of_the_size_of_a_table(Model, optimizer):
    V, D = 60_000, 50
    corpus = np.arange(V)
    contexts, target = create_contexts_target(corpus[:200], window_size=2)
    model = Model(V, D, 2, corpus)
    trainer = Trainer(model, optimizer).fit(contexts, target, max_epoch=1, max_grad=1.0)
    tracemalloc.start()  # after the first batches, in which the optimiser creates its state
    try:
        trainer.fit(contexts, target, max_epoch=1, max_grad=1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < model.word_vecs.nbytes / 3


def test_transposes_and_views_share_a_weight():
    W, grad = np.zeros((2, 3)), np.arange(6.0).reshape(2, 3)
    params, sums = merge_shared([W, W.T, W[:], W[:1]], [grad, 10 * grad.T, 100 * grad, grad[:1]])
    assert len(params) == 2
    assert params[0] is W
    assert sums[0].tolist() == (111 * grad).tolist()
    params, sums = merge_shared([W.T, W], [grad.T, RowSparseGradient(np.array([1]), np.ones((1, 3)), (2, 3))])
    assert len(params) == 1
    assert sums[0].T.tolist() == [[0, 1, 2], [4, 5, 6]]
    equal, other = np.zeros((2, 2)), np.zeros((2, 2))
    assert len(merge_shared([equal, other], [equal, equal])[0]) == 2  # equal values, different weights


def test_a_gradient_listed_twice_counts_once():
    W, grad = np.zeros((2, 3)), np.ones((2, 3))
    assert merge_shared([W, W], [grad, grad])[1][0].tolist() == grad.tolist()
    sparse = RowSparseGradient(np.array([1]), np.ones((1, 3)), (2, 3))
    assert merge_shared([W, W, W], [sparse, grad, sparse])[1][0].tolist() == [[1, 1, 1], [2, 2, 2]]
    assert grad.tolist() == np.ones((2, 3)).tolist()


def test_entries_only_at_the_ends_of_epochs():
    assert len(fit(Linear(), max_epoch=3, batch_size=1, eval_interval=None).loss_history) == 3
