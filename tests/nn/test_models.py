"""Models: gradients compared with finite differences, and the behaviour of the textbook's models."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import Adam

V, D = 9, 4
CORPUS = np.random.default_rng(0).integers(0, V, 60)
CONTEXTS = np.array([[1, 2, 4, 5], [0, 0, 8, 7], [3, 3, 3, 3]])
TARGET = np.array([3, 8, 0])


def in_double(model, xp):
    """Give a model large enough float64 weights that differences are not lost in rounding."""
    rng = np.random.default_rng(2)
    return type(model).from_weights(*(xp.asarray(rng.normal(size=(V, D))) for _ in range(2)), negative=3)


def check_gradients(model, xp, forward):
    forward()
    model.backward()
    for W, grad in zip(model.params, [g.dense(W) for g, W in zip(model.grads, model.params, strict=True)], strict=True):
        for i, j in [(0, 0), (3, 1), (8, 3), (5, 2)]:
            at = float(W[i, j])
            W[i, j] = at + 1e-5
            above = float(forward())
            W[i, j] = at - 1e-5
            below = float(forward())
            W[i, j] = at
            assert float(grad[i, j]) == pytest.approx((above - below) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_gradients_with_pools(xp, Model):
    model = in_double(Model(V, D, 2, xp.asarray(CORPUS)), xp)
    contexts = xp.asarray(np.array([[[1, -1, 4, 5], [-1, -1, -1, -1], [3, 3, -1, -1]]]))
    target, pool = xp.asarray([[3, 8, 0]]), xp.asarray([[1, 3, 0, 7, 7]])
    check_gradients(model, xp, lambda: model.forward(contexts, target, pool))


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_gradients_with_the_sampler(xp, Model):
    model = Model(V, D, 2, xp.asarray(CORPUS), sample_size=3)
    sampler = model.loss_layer.sampler
    model = in_double(model, xp)
    model.loss_layer.sampler = sampler
    contexts, target = xp.asarray(CONTEXTS), xp.asarray(TARGET)

    def forward():
        sampler._drawn = 0  # the same negatives each time
        return model.forward(contexts, target)

    check_gradients(model, xp, forward)


def padded_loss(model, contexts, target, negatives):
    """Return the mean loss per target with separate negatives, computed with plain loops. −1 is padding."""
    W_in, W_out = (to_host(W) for W in model.params)
    pairs, targets = [], 0
    for b in range(len(target)):
        present = [c for c in contexts[b] if c >= 0]
        if target[b] < 0 or not present:
            continue
        targets += 1
        if isinstance(model, CBOW):
            pairs.append((W_in[present].mean(axis=0), target[b], negatives[b]))
        else:
            pairs += [
                (W_in[target[b]], c, negatives[b * len(contexts[b]) + i]) for i, c in enumerate(contexts[b]) if c >= 0
            ]
    total = sum(
        np.log1p(np.exp(-h @ W_out[word])) + sum(np.log1p(np.exp(h @ W_out[n])) for n in chosen)
        for h, word, chosen in pairs
    )
    return total / max(1, targets)


PADDED = np.array([[1, -1, 4, 5], [-1, -1, -1, -1], [3, 3, -1, -1], [6, 7, 8, 1], [0, 2, 2, 2]])
PADDED_TARGET = np.array([3, 8, 6, -1, 5])


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_padding_never_counts(xp, Model):
    model = Model(V, D, 2, xp.asarray(CORPUS), sample_size=3)
    sampler = model.loss_layer.sampler
    model = in_double(model, xp)
    model.loss_layer.sampler = sampler
    contexts, target = xp.asarray(PADDED), xp.asarray(PADDED_TARGET)
    words = PADDED_TARGET if Model is CBOW else np.where(PADDED_TARGET[:, None] < 0, -1, PADDED).reshape(-1)
    if Model is CBOW:
        words = np.where((PADDED < 0).all(axis=1), -1, words)
    negatives = to_host(sampler.get_negative_sample(xp.asarray(np.maximum(words, 0))))

    def forward():
        sampler._drawn = 0  # the same negatives each time
        return model.forward(contexts, target)

    assert float(forward()) == pytest.approx(padded_loss(model, PADDED, PADDED_TARGET, negatives), rel=1e-12)
    check_gradients(model, xp, forward)


@pytest.mark.parametrize("pool", [None, [[1, 2]]])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_adam_does_not_move_word_0_because_of_padding(xp, Model, pool):
    # With momentum, Adam moves each row of a gradient, even if the row is zero.
    model, optimizer = Model(V, D, 2, xp.asarray(CORPUS), sample_size=2), Adam(0.1)

    def step(contexts, target):
        contexts, target = xp.asarray(contexts), xp.asarray(target)
        if pool is None:
            model.loss_layer.sampler.get_negative_sample = lambda target: xp.asarray([[1, 2]] * target.shape[0])
            model.forward(contexts, target)
        else:
            model.forward(contexts[None, ...], target[None, ...], xp.asarray(pool))
        model.backward()
        optimizer.update(model.params, model.grads)
        return [to_host(W).copy() for W in model.params]

    before = step([[0, 0, 3, 3], [3, 3, 3, 3]], [3, 0])
    after = step([[4, -1, -1, 3], [-1, -1, -1, -1]], [3, -1])
    for W, W_new in zip(before, after, strict=True):
        assert np.array_equal(W[0], W_new[0])
        assert not np.array_equal(W[3], W_new[3])


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_a_batch_of_padding_costs_nothing_and_trains_nothing(xp, Model):
    model = Model(V, D, 2, xp.asarray(CORPUS))
    padding = xp.full((3, 4), -1, dtype=xp.int64)
    assert float(model.forward(padding, xp.asarray([1, 2, -1]))) == 0
    model.backward()
    for grad in model.grads:
        assert not to_host(grad.dense()).any()


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_gradients_are_collected_once(xp, Model):
    model = Model(V, D, 2, xp.asarray(CORPUS))
    collected = [*model.grads]
    assert [tuple(grad.shape) for grad in collected] == [(V, D), (V, D)]
    assert not any(to_host(grad.dense()).any() for grad in collected)
    model.forward(xp.asarray(CONTEXTS), xp.asarray(TARGET))
    model.backward()
    for before, now in zip(collected, model.grads, strict=True):
        assert before is now
        assert to_host(before.dense()).any()


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_a_new_model_knows_nothing(Model):
    # All scores are near 0, so every positive and every negative costs log 2.
    model = Model(V, D, 2, CORPUS)
    pairs = 1 if Model is CBOW else 4
    assert float(model.forward(CONTEXTS, TARGET)) == pytest.approx(6 * pairs * np.log(2), rel=1e-3)


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_the_same_seed_is_the_same_model_on_every_backend(xp, Model):
    model = Model(V, D, 2, xp.asarray(CORPUS), seed=5)
    host = Model(V, D, 2, CORPUS, seed=5)
    np.testing.assert_allclose(to_host(model.word_vecs), host.word_vecs, rtol=1e-5)
    loss = model.forward(xp.asarray(CONTEXTS), xp.asarray(TARGET))
    assert float(loss) == pytest.approx(float(host.forward(CONTEXTS, TARGET)), rel=1e-6)
    assert not np.allclose(host.word_vecs, Model(V, D, 2, CORPUS, seed=6).word_vecs)
    assert not np.allclose(host.params[0], host.params[1])


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((0, D, 2, CORPUS), ValueError, "vocab_size is 0"),
    ((V, 0, 2, CORPUS), ValueError, "hidden_size is 0"),
    ((V, D, 0, CORPUS), ValueError, "window_size is 0"),
    ((V, D, 2, CORPUS / 2), TypeError, "integer word ids"),
    ((V - 1, D, 2, CORPUS), ValueError, r"must lie in 0..7"),
    ((V, D, 2, CORPUS - 1), ValueError, "ids from -1"),
    ((V, D, 2, CORPUS[:0]), ValueError, "at least two different words"),
    ((V, D, 2, np.zeros(9, np.int64)), ValueError, "at least two different words"),
])  # fmt: skip
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        CBOW(*arguments)
