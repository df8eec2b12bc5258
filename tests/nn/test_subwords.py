"""Subwords in the layers: compared with plain loops and finite differences in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastw2v.backend import get_namespace, to_host
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.nn import subwords as module
from fastw2v.nn.layers import Embedding
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, Adam
from fastw2v.nn.subwords import SubwordEmbedding, mean_rows
from fastw2v.nn.trainer import Trainer
from tests.cuda_emulator import rows as row_kernels
from tests.cuda_emulator.fake_cupy import Array as EmulatedArray
from tests.engines.test_gpu import folder as folder  # a fixture
from tests.engines.test_gpu import needs_compiler
from tests.nn.test_layers import close, numerical_gradient

V, R, D = 9, 23, 4
IDS = [[0], [V - 1], [0, V - 1, 0, 3, 3, 3], [[1, 1], [2, 1]], [2, -1, 5, -3, 2], [[-1, -1]], [], [0] * 30]


def table(V: int = V, R: int = R, longest: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of words: own rows, and others that words share. Word 3 has a row three times."""
    random = np.random.default_rng(3)
    of_words = [np.append(w, random.integers(0, R, random.integers(0, longest))) for w in range(V)]
    if V > 3:
        of_words[3] = np.array([3, V, V, 4, V])
    return np.append(0, np.cumsum([len(rows) for rows in of_words])), np.concatenate(of_words).astype(np.int32)


def loop_means(W, starts, rows, ids):
    """Return the mean of the rows of each word, and zeros at padding, with a plain loop."""
    out = np.zeros((*ids.shape, W.shape[1]))
    for i in np.ndindex(ids.shape):
        if ids[i] >= 0:
            some = rows[starts[ids[i]] : starts[ids[i] + 1]]
            out[i] = sum(W[r] for r in some) / len(some)
    return out


@pytest.mark.parametrize("ids", IDS, ids=str)
def test_forward_and_backward(xp, ids):
    rng = np.random.default_rng(0)
    W, (starts, rows), ids = rng.normal(size=(R, D)), table(), np.array(ids, np.int64)
    weight = rng.normal(size=(*ids.shape, D))
    layer = SubwordEmbedding(xp.asarray(W), starts, rows)
    close(layer.forward(xp.asarray(ids)), loop_means(W, starts, rows, ids))
    layer.backward(xp.asarray(weight))
    expected = numerical_gradient(lambda W: float((loop_means(W, starts, rows, ids) * weight).sum()), W)
    close(layer.grads[0].dense(), expected)
    assert layer.grads[0].shape == (R, D)


@pytest.mark.parametrize("ids", IDS, ids=str)
def test_the_gradient_of_fasttext_is_not_divided(xp, ids):
    rng = np.random.default_rng(0)
    (starts, rows), ids = table(), np.array(ids, np.int64)
    weight = rng.normal(size=(*ids.shape, D))
    layer = SubwordEmbedding(xp.asarray(rng.normal(size=(R, D))), starts, rows, exponent=0)
    layer.forward(xp.asarray(ids))
    layer.backward(xp.asarray(weight))
    expected = np.zeros((R, D))
    for i in np.ndindex(ids.shape):
        for r in rows[starts[ids[i]] : starts[ids[i] + 1]] if ids[i] >= 0 else []:
            expected[r] += weight[i]
    close(layer.grads[0].dense(), expected)


def test_one_word(xp):
    W = np.random.default_rng(0).normal(size=(5, D))
    layer = SubwordEmbedding(xp.asarray(W), np.array([0, 4]), np.array([0, 4, 2, 2]))
    close(layer.means, [(W[0] + W[4] + 2 * W[2]) / 4])
    close(layer.forward(xp.asarray([0, 0, -1])), [layer_mean := (W[0] + W[4] + 2 * W[2]) / 4, layer_mean, 0 * W[0]])
    layer.backward(xp.ones((3, D)))
    close(layer.grads[0].dense()[:, 0], [2 / 4, 0, 4 / 4, 0, 2 / 4])


def test_a_word_with_its_own_row_alone_is_an_embedding(xp):
    rng = np.random.default_rng(0)
    W, ids, weight = rng.normal(size=(V, D)), np.array([4, 0, -1, 4]), rng.normal(size=(4, D))
    layers = Embedding(xp.asarray(W)), SubwordEmbedding(xp.asarray(W), np.arange(V + 1), np.arange(V))
    for layer in layers:
        layer.forward(xp.asarray(ids))
        layer.backward(xp.asarray(weight))
    close(layers[1].forward(xp.asarray(ids)), to_host(layers[0].forward(xp.asarray(ids))))
    close(layers[1].grads[0].dense(), to_host(layers[0].grads[0].dense()))


def test_the_gradient_has_only_rows_of_the_words(xp):
    starts, rows = table()
    layer = SubwordEmbedding(xp.ones((R, D)), starts, rows)
    layer.forward(xp.asarray([2, -1, 5, 2]))
    layer.backward(xp.zeros((4, D)))
    ids = to_host(layer.grads[0].ids)
    of_words = np.concatenate([rows[starts[w] : starts[w + 1]] for w in (2, 5)])
    np.testing.assert_array_equal(np.sort(ids[ids >= 0]), np.sort(of_words))


@pytest.mark.parametrize("block", [1, 20, 1 << 22])
def test_means_of_words_and_of_missing_rows(xp, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    monkeypatch.setattr(module, "BLOCK_VALUES", block)
    W = np.random.default_rng(0).normal(size=(R, D))
    starts = np.array([0, 2, 2, 5, 6])  # word 1 has no rows
    rows = np.array([0, 22, 7, -1, 7, -1])  # −1 is a row of zeros
    words = np.array([3, 0, 2, -1, 1, 2, 0])
    mean0, mean2 = (W[0] + W[22]) / 2, 2 * W[7] / 3
    expected = [0 * mean0, mean0, mean2, 0 * mean0, 0 * mean0, mean2, mean0]
    close(mean_rows(*map(xp.asarray, (W, starts, rows, words))), expected)
    close(mean_rows(*map(xp.asarray, (W, starts, rows, words)), longest=5), expected)
    assert mean_rows(*map(xp.asarray, (W, starts, rows, words[:0]))).shape == (0, D)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_words_with_many_rows(dtype, monkeypatch):
    """The rows of a word are added in order, in whichever block of words and of rows they are."""
    rng = np.random.default_rng(3)
    sizes = np.array([1, 700, 3, 0, 40, 12, 300, 8, 1, 2])
    starts = np.append(0, np.cumsum(sizes))
    rows = rng.integers(-1, 50, sizes.sum())
    W = rng.normal(size=(50, 7)).astype(dtype)
    words = np.array([6, -1, *range(len(sizes)), 1])
    expected = np.zeros((len(words), 7), np.float64)
    for i, word in enumerate(words):
        total = np.zeros(7, np.result_type(dtype, np.float32))
        for row in rows[starts[word] : starts[word + 1]] if word >= 0 else []:
            total = total + (W[row] if row >= 0 else 0)
        expected[i] = (total / total.dtype.type(max(sizes[word], 1))).astype(dtype) if word >= 0 else 0
    for values, many, entries in [(1 << 17, 256, 4096), (14, 4, 3), (7, 1000, 1), (21, 1, 100)]:
        monkeypatch.setattr(module, "BLOCK_VALUES", values)
        monkeypatch.setattr(module, "MANY_ROWS", many)
        monkeypatch.setattr(module, "BLOCK_ENTRIES", entries)
        means = mean_rows(W, starts, rows, words)
        assert means.dtype == dtype
        np.testing.assert_array_equal(means, expected)


def test_lists_numbers_and_unsigned_ids():
    starts, rows = table()
    W = np.random.default_rng(0).normal(size=(R, D))
    layer = SubwordEmbedding(W, starts, rows)
    close(layer.forward([2, 5]), loop_means(W, starts, rows, np.array([2, 5])))
    close(layer.forward(5), loop_means(W, starts, rows, np.array(5)))
    close(layer.forward(np.array([8, 1], np.uint64)), loop_means(W, starts, rows, np.array([8, 1])))
    layer.backward(np.ones((2, D)))
    with pytest.raises(TypeError, match="ids is an array of float64"):
        layer.forward(np.array([0.0]))
    with pytest.raises(ValueError, match=r"shape \(7,\); the table of a layer"):
        SubwordEmbedding(np.zeros(7), starts, rows)
    with pytest.raises(ValueError, match=r"numbers from 0 to 22; with this W they must lie in 0\.\.21"):
        SubwordEmbedding(W[:22], starts, rows)


def test_the_incoming_gradient_is_copied():
    layer = SubwordEmbedding(np.ones((R, D)), *table())
    layer.forward(np.array([1, 2]))
    dout = np.ones((2, D))
    layer.backward(dout)
    before = layer.grads[0].dense()
    dout[:] = 7
    close(layer.grads[0].dense(), before)


CONTEXTS = np.array([[1, -1, 4, 5], [-1, -1, -1, -1], [3, 3, -1, -1], [8, 8, 0, 2]])
TARGET = np.array([3, 8, 0, 4])
COUNTS = np.arange(V, 0, -1)


@pytest.mark.parametrize("loss", ["pool", "hs"])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_gradients_of_models(xp, Model, loss):
    rng = np.random.default_rng(0)
    layer = SubwordEmbedding(xp.asarray(rng.normal(size=(R, D))), *table())
    W_out = xp.asarray(rng.normal(size=(V, D)))
    model = Model.from_weights(layer, W_out, negative=3, counts=COUNTS if loss == "hs" else None)
    given = [xp.asarray(CONTEXTS), xp.asarray(TARGET)]
    if loss == "pool":
        given = [array[None, ...] for array in given] + [xp.asarray([[1, 3, 0, 7, 7]])]
    model.forward(*given)
    model.backward()
    for W, grad in zip(model.params, model.grads, strict=True):
        dense = grad.dense()
        for i, j in itertools.product((0, 3, 4, 8, V), (0, 3)):
            if i < W.shape[0]:
                at = float(W[i, j])
                W[i, j] = at + 1e-5
                above = float(model.forward(*given))
                W[i, j] = at - 1e-5
                below = float(model.forward(*given))
                W[i, j] = at
                assert float(dense[i, j]) == pytest.approx((above - below) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_models_with_the_sampler(xp, Model):
    starts, rows = table()
    corpus = xp.asarray(np.arange(60) % V)
    model = Model(V, D, 2, corpus, subwords=(starts, rows))
    assert model.params[0].shape == (int(rows.max()) + 1, D)
    assert model.params[1].shape == (V, D)
    close(model.word_vecs, loop_means(to_host(model.params[0]), starts, rows, np.arange(V)))
    assert float(model.forward(xp.asarray(CONTEXTS), xp.asarray(TARGET))) > 0
    model.backward()
    SGD(0.1).update(model.params, model.grads)


def test_a_trained_model_has_vectors_of_its_words():
    starts, rows = table()
    corpus = np.tile(np.arange(V), 40)
    contexts, target = np.stack([corpus[:-2], corpus[2:]], axis=1), corpus[1:-1]
    model = CBOW(V, 8, 1, corpus, subwords=(starts, rows))
    trainer = Trainer(model, Adam(0.05)).fit(contexts, target, max_epoch=10, show=False)
    assert trainer.loss_history[-1][1] < 0.6 * trainer.loss_history[0][1]
    assert model.word_vecs.shape == (V, 8)


@pytest.mark.parametrize(
    ("starts", "rows", "message"),
    [
        ([0, 1, 2], [0, 1], "has the rows of 2 words, but vocab_size is 3"),
        ([0, 1, 1, 3], [0, 1, 2], r"starts has shape \(4,\); .* rise from 0 to .*, 3, because each word has a row"),
        ([0, 1, 2, 4], [0, 1, 2], "rise from 0 to"),
        ([1, 1, 2, 3], [0, 1, 2], "rise from 0 to"),
        ([0, 1, 2, 3], [0, -1, 2], r"from -1 to 2; .* in 0\.\.2"),
    ],
)
def test_subwords_that_do_not_fit(starts, rows, message):
    with pytest.raises(ValueError, match=message):
        CBOW(3, D, 2, np.array([0, 1, 2, 1]), subwords=(np.array(starts), np.array(rows)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint32, np.uint64, np.int32])
def test_integer_types_of_rows(dtype):
    W = np.random.default_rng(0).normal(size=(4, D))
    starts, rows, ids = np.array([0, 2, 5]), np.array([0, 2, 1, 2, 3]), np.array([1, 0, 1])
    expected, layer = (
        SubwordEmbedding(W, *arrays) for arrays in ((starts, rows), (starts.astype(dtype), rows.astype(dtype)))
    )
    assert layer.forward(ids).tolist() == expected.forward(ids).tolist()
    for one in (layer, expected):
        one.backward(np.ones((3, D)))
    assert layer.grads[0].dense().tolist() == expected.grads[0].dense().tolist()
    with pytest.raises(ValueError, match="rise from 0 to"):
        SubwordEmbedding(W, np.array([0, 3, 2, 5], dtype), rows)


def test_models_take_the_arrays_of_subwords():
    subwords = Subwords(["sing", "ring"], NGrams(3, 6, 1000))
    corpus = np.array([0, 1, 0, 1])
    with pytest.raises(
        TypeError, match=r"subwords is .*; pass two arrays, such as \(subwords\.starts, subwords\.rows\)"
    ):
        CBOW(2, D, 2, corpus, subwords=subwords)
    model = CBOW(2, D, 2, corpus, subwords=(subwords.starts, subwords.rows))
    assert model.params[0].shape == (subwords.n_rows, D)


@needs_compiler
@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("ids", [*IDS, np.arange(40).reshape(5, 8) % 11 - 2], ids=str)
def test_the_kernels_of_a_gpu(ids, in_order, folder):
    rng = np.random.default_rng(0)
    W, (starts, rows), ids = rng.normal(size=(R, D)), table(), np.array(ids, np.int64)
    weight = rng.normal(size=(*ids.shape, D))
    expected = SubwordEmbedding(W, starts, rows)
    with row_kernels.installed(row_kernels.builder(folder, vector=False), order=2):
        layer = SubwordEmbedding(W.view(EmulatedArray), starts, rows, in_order=in_order)
        assert get_namespace(layer.params[0]) is not np
        close(np.asarray(layer.forward(ids.view(EmulatedArray))), expected.forward(ids))
        layer.backward(weight.view(EmulatedArray))
        expected.backward(weight)
        close(np.asarray(layer.grads[0].dense()), expected.grads[0].dense())
