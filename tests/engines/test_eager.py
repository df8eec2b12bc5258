"""The layers engine: training does not wait for the device, and is deterministic on request."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import tracemalloc
import warnings

import numpy as np
import pytest

import fastw2v
from fastw2v import backend
from fastw2v.compat.textbook import create_contexts_target
from fastw2v.config import TrainingConfig, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import eager, reference
from fastw2v.engines.base import Tables
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, AdaGrad, Adam
from fastw2v.nn.subwords import mean_rows
from fastw2v.nn.trainer import Trainer
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.word2vec import Word2Vec
from tests.cuda_emulator import rows
from tests.cuda_emulator.fake_cupy import Array as EmulatedArray
from tests.engines.cases import copies, corpus_of, train
from tests.engines.test_gpu import folder as folder  # a fixture
from tests.engines.test_gpu import needs_compiler, share_of_topic_neighbors, topics
from tests.engines.test_subwords import corpus_of_words, subwords_of, tables_for

READS = ("__bool__", "__complex__", "__float__", "__index__", "__int__", "__array__", "__dlpack__")


class Device:
    """A simulated GPU: arrays of array-api-strict, with the few functions that CuPy has beyond the standard.

    Operations that copy data to the host, or whose result has a size that depends on the data, raise an error, except
    in `backend.to_host` and `backend.boolean_mask`, whose calls are counted.
    """

    def __init__(self, monkeypatch):
        self.xp = pytest.importorskip("array_api_strict")
        self.place = self.xp.Device("device1")
        self.to_host, self.masked = 0, 0
        self.rng = np.random.default_rng(0)
        self.here = False
        Array = type(self.xp.zeros(1))
        for name in READS:
            if hasattr(Array, name):
                monkeypatch.setattr(Array, name, self._refusing(name, getattr(Array, name)))
        replaced = {"to_host": self._to_host, "boolean_mask": self._boolean_mask, "scatter_add": self._scatter_add,
                    "set_rows": self._set_rows}  # fmt: skip
        names = ["fastw2v", *(module.name for module in pkgutil.walk_packages(fastw2v.__path__, "fastw2v."))]
        names = [name for name in names if not name.startswith(("fastw2v.kernels.", "fastw2v.__main__"))]
        for module in map(importlib.import_module, names):
            for name, function in replaced.items():
                if getattr(module, name, None) is getattr(backend, name) and module is not backend:
                    monkeypatch.setattr(module, name, function)
        self.flags = self.xp.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False)

    def array(self, values):
        with self._reading():
            return self.xp.asarray(np.array(values), device=self.place)

    @contextlib.contextmanager
    def _reading(self):
        before, self.here = self.here, True
        yield
        self.here = before

    def _refusing(self, name, original):
        def read(array, *args, **kwargs):
            assert self.here, f"{name}: the host waits for the device"
            return original(array, *args, **kwargs)

        return read

    def _to_host(self, array):
        if isinstance(array, np.ndarray | np.generic):
            return np.asarray(array)
        self.to_host += 1
        return np.array(array._array)

    def _boolean_mask(self, values, mask):
        self.masked += 1
        return self.array(values._array[mask._array])

    def _scatter_add(self, target, ids, rows, weights=None):
        rows = backend.WeightedRows(ids, rows, weights).products()
        order = self.rng.permutation(np.flatnonzero(ids._array >= 0))  # like atomic operations
        np.add.at(target._array, ids._array[order], rows._array[order])

    def _set_rows(self, target, ids, rows):
        present = ids._array >= 0
        target._array[ids._array[present]] = rows._array[present]


def corpus(n=4000, V=60):
    ids = np.minimum(np.random.default_rng(0).zipf(1.3, n) - 1, V - 1)
    return corpus_of(ids, np.append(np.arange(0, n, 20), n), V)


def start(V=60, D=8):
    return Tables((np.random.default_rng(1).random((V, D)) - 0.5).astype(np.float32) / D, np.zeros((V, D), np.float32))


@pytest.mark.parametrize("frozen", [None, np.arange(60) % 3 == 0], ids=["all learn", "frozen"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_batches_do_not_wait_for_the_device(model, frozen, monkeypatch):
    for name in ("GROUPS", "GPU_GROUPS"):
        monkeypatch.setattr(eager, name, 2)  # 32 batches per epoch
    monkeypatch.setattr("fastw2v.engines.base.REPORT_INTERVAL", 3600)
    host = start()
    expected = train(eager, host, corpus(), model=model, epochs=2, frozen=frozen)
    far = Device(monkeypatch)
    with far.flags:
        there = Tables(*map(far.array, start()))
        losses = train(eager, there, corpus(), model=model, epochs=2, frozen=frozen)
    # An epoch is one chunk. The host reads its offsets, the sizes of its batches and, at the end, its loss. After the
    # last epoch, it reads whether the weights are finite.
    assert (far.to_host, far.masked) == (2 * 3 + 1, 2)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for ours, theirs in zip(there, host, strict=True):
        np.testing.assert_allclose(ours._array, theirs, atol=1e-4)


@pytest.mark.parametrize("Optimizer", [SGD, AdaGrad, Adam])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
@pytest.mark.parametrize("max_grad", [None, 0.5])
def test_the_trainer_reads_the_loss_it_reports_and_at_the_end_whether_weights_are_finite(
    Model, Optimizer, max_grad, monkeypatch
):
    ids = corpus(300).ids
    contexts, target = create_contexts_target(ids, window_size=2)
    model = Model(60, 6, 2, ids)
    expected = Trainer(model, Optimizer(0.01)).fit(contexts, target, 2, 30, max_grad, eval_interval=4)
    far = Device(monkeypatch)
    with far.flags:
        with far._reading():
            model = Model(60, 6, 2, far.array(ids))
        contexts, target = far.array(contexts), far.array(target)
        far.to_host = 0
        trainer = Trainer(model, Optimizer(0.01)).fit(contexts, target, 2, 30, max_grad, eval_interval=4)
    assert len(trainer.loss_history) == 2 * 3
    assert far.to_host == 2 * 3 + 1
    assert far.masked == 0
    ours, theirs = ([loss for _, loss in one.loss_history] for one in (trainer, expected))
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_deterministic_repeats_the_bytes(model, monkeypatch):
    far = Device(monkeypatch)

    def run(deterministic):
        with far.flags:
            W_in, W_out = there = Tables(*map(far.array, start()))
            losses = train(eager, there, corpus(), model=model, epochs=1, deterministic=deterministic)
        return W_in._array.tobytes() + W_out._array.tobytes() + losses.tobytes()

    assert run(False) != run(False)  # otherwise the test would prove nothing
    assert run(True) == run(True)


@pytest.mark.parametrize("Optimizer", [SGD, AdaGrad, Adam])
def test_a_deterministic_trainer_repeats_the_bytes(Optimizer, monkeypatch):
    ids = corpus(500).ids
    contexts, target = create_contexts_target(ids, window_size=2)
    far = Device(monkeypatch)

    def run(deterministic):
        with far.flags:
            with far._reading():
                model = CBOW(60, 6, 2, far.array(ids))
            trainer = Trainer(model, Optimizer(0.05), deterministic=deterministic)
            trainer.fit(far.array(contexts), far.array(target), 1, 100, max_grad=1.0)
        return model.params[0]._array.tobytes() + model.params[1]._array.tobytes()

    assert run(False) != run(False)
    assert run(True) == run(True)


def test_deterministic_on_a_processor_changes_nothing():
    runs = []
    for deterministic in (False, True):
        W_in, W_out = here = start()
        train(eager, here, corpus(), epochs=1, deterministic=deterministic)
        runs.append(W_in.tobytes() + W_out.tobytes())
    assert runs[0] == runs[1]


@needs_compiler
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_kernels_of_a_gpu_train_as_numpy_does(model, loss, frozen, folder, monkeypatch):
    for name in ("GROUPS", "GPU_GROUPS"):
        monkeypatch.setattr(eager, name, 8)  # so that both train in the same batches
    mask = np.arange(60) % 3 == 0 if frozen else None
    settings = {"model": model, "loss": loss, "epochs": 1, "frozen": mask, "alpha": 0.2, "negative": 5}
    host = Tables(start()[0], np.zeros((output_rows(loss, 60), 8), np.float32))
    losses = train(eager, host, corpus(), **settings)
    there = Tables(*(W.view(EmulatedArray) for W in (start()[0], np.zeros((output_rows(loss, 60), 8), np.float32))))
    with rows.installed(rows.builder(folder, vector=True), order=2) as xp:
        found = train(eager, there, corpus(), **settings)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for ours, theirs in zip(there, host, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-4)
        assert np.abs(theirs).max() > 0.05
    assert {"weighted_sums", "row_dots", "subtract_rows"} <= xp.calls.keys() or model == "skipgram"


@needs_compiler
@pytest.mark.parametrize("Optimizer", [SGD, AdaGrad, Adam])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
@pytest.mark.parametrize("deterministic", [False, True])
def test_kernels_of_a_gpu_run_the_trainer_as_numpy_does(Model, Optimizer, deterministic, folder):
    ids = corpus(300).ids
    contexts, target = create_contexts_target(ids, window_size=2)
    contexts[::7, 1:] = -1  # padding
    host = Model(60, 6, 2, ids)
    Trainer(host, Optimizer(0.05)).fit(contexts, target, 1, 50)
    with rows.installed(rows.builder(folder, vector=True), order=1) as xp:
        there = Model(60, 6, 2, ids.view(EmulatedArray))
        trainer = Trainer(there, Optimizer(0.05), deterministic=deterministic)
        trainer.fit(contexts.view(EmulatedArray), target.view(EmulatedArray), 1, 50)
    assert {"row_dots", "weighted_sums", "add_rows" if Optimizer is SGD else "set_rows"} <= xp.calls.keys()
    for ours, theirs in zip(there.params, host.params, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize(
    ("loss", "D", "window", "negative"),
    [("ns", 128, 5, 5), ("ns", 300, 3, 20), ("hs", 128, 5, 5), ("hs+ns", 128, 3, 5)],
)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_memory_of_a_batch_on_a_gpu(model, loss, D, window, negative, folder, monkeypatch):
    V, tokens = 800, 512  # two batches
    monkeypatch.setattr(eager, "GPU_GROUPS", 4)
    for module in ("engines.eager", "sampling.batches"):
        monkeypatch.setattr(f"fastw2v.{module}.BUILT_CONTEXTS", 1)
    monkeypatch.setattr(rows.Kernel, "__call__", lambda *_: None)  # the kernels allocate nothing
    monkeypatch.setattr("fastw2v.engines.eager.require_finite_loss", lambda *_: None)
    monkeypatch.setattr("fastw2v.engines.eager.require_finite_weights", lambda *_: None)
    words = corpus(tokens, V)
    settings = {"model": model, "loss": loss, "epochs": 1, "sample": 0, "window": window, "negative": negative}
    longest = int(np.diff(HuffmanTree.from_counts(words.vocabulary.counts).starts).max()) if "hs" in loss else 0
    shapes = ((V, D), (output_rows(loss, V), D))
    with rows.installed(rows.builder(folder, vector=True)):
        there = Tables(*(np.zeros(shape, np.float32).view(EmulatedArray) for shape in shapes))
        train(eager, there, words, **settings)  # compile first
        tracemalloc.start()
        train(eager, there, words, **settings)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    config = TrainingConfig(vector_size=D, **settings)
    estimated = eager.batch_bytes(config, tokens, window, longest, on_gpu=True, words=V)
    other = 3 * tokens * 8 + 60 * V + 30 * V * ("hs" in loss)  # the corpus, and the tables of the sampler and the tree
    assert 0.8 * peak < estimated + other < 1.6 * peak, (estimated, other, peak)


@pytest.mark.gpu
class TestOnAGpu:
    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_batches_do_not_wait_for_the_device(self, model, cupy, monkeypatch):
        import cupyx

        def allowing(function):
            def call(*args):
                with cupyx.allow_synchronize(True):
                    return function(*args)

            return call

        # At the end, training reads whether the weights are finite.
        for module in ("engines.eager", "sampling.batches", "sampling.chunks", "utils.loss"):
            monkeypatch.setattr(f"fastw2v.{module}.to_host", allowing(backend.to_host))
        monkeypatch.setattr("fastw2v.sampling.batches.boolean_mask", allowing(backend.boolean_mask))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # allow_synchronize is deprecated, because it does not detect everything
            train(eager, Tables(*map(cupy.asarray, start())), corpus(), model=model, epochs=1)  # compile first
            with cupyx.allow_synchronize(False):
                train(eager, Tables(*map(cupy.asarray, start())), corpus(), model=model, epochs=1)

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_deterministic_repeats_the_bytes(self, model, cupy):
        words = corpus(200_000, 500)
        runs = set()
        for _ in range(3):
            W_in, W_out = there = Tables(*map(cupy.asarray, start(500, 32)))
            train(eager, there, words, model=model, epochs=1, deterministic=True)
            runs.add(W_in.get().tobytes() + W_out.get().tobytes())
        assert len(runs) == 1

    def test_a_second_device(self, cupy):
        if cupy.cuda.runtime.getDeviceCount() < 2:
            pytest.skip("there is one device")
        model = Word2Vec(vector_size=8, engine="layers", device="cuda:1").fit([list("abcdefgh")] * 50)
        assert model.wv.vectors.device.id == 1

    def test_a_device_that_is_not_there(self, cupy):
        count = cupy.cuda.runtime.getDeviceCount()
        with pytest.raises(RuntimeError, match=rf"'cuda:{count}' cannot be used: there "):
            Word2Vec(device=f"cuda:{count}").fit([list("abcdefgh")] * 50)


def test_batches_grow_with_the_corpus_on_a_gpu():
    config = TrainingConfig(epochs=5)
    sizes = [eager._batch_shape(config, tokens, 5, True) for tokens in (10**5, 10**7, 10**9)]
    assert sizes == [(64, 256), (64, 5 * 10**7 // 500 // 64), (64, 2048)]
    in_order = TrainingConfig(epochs=5, deterministic=True)
    assert eager._batch_shape(in_order, 10**9, 5, True) == (64, 256)
    assert eager._batch_shape(config, 10**9, 5, False) == (64, eager.GROUPS)
    usual, ordered = (eager.batch_bytes(each, 10**5, 5, on_gpu=True, words=10**5) for each in (config, in_order))
    assert ordered > 2 * usual


def with_subwords(V=60, D=8, loss="ns"):
    """Return a corpus, its subwords, and tables of small weights."""
    words = corpus_of_words(V, 4000, 20)
    subwords = subwords_of(words)
    tables = tables_for(subwords, D, np.float32, loss)
    tables.W_in[...] /= D
    tables.W_out[...] = 0
    return words, subwords, tables


@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_with_subwords_steps_are_those_of_the_reference(model, loss):
    """With a vanishing rate, all steps are taken at the initial weights, whatever the schedule."""
    words = corpus_of_words(40, 700, 20)
    subwords = subwords_of(words)
    start = tables_for(subwords, 8, np.float64, loss)
    settings = {
        "model": model,
        "loss": loss,
        "epochs": 1,
        "sample": 0.01,
        "alpha": 1e-7,
        "min_alpha": 1e-7,
        "window": 3,
    }
    settings |= {"pool_tokens": eager.BATCH_POOL_TOKENS, "pool_size": eager.MIN_BATCH_POOL_SIZE, "output_weight": 0.0}
    settings["tile"] = 1  # a target of a larger tile may have the pool of the tile's first target
    results = []
    for engine in (eager, reference):
        tables = copies(start)
        train(engine, tables, words, subwords=subwords, **settings)
        results.append([(W - S) / 1e-7 for W, S in zip(tables, start, strict=True)])
    for ours, theirs in zip(*results, strict=True):
        assert np.abs(theirs).max() > 1
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("loss", ["ns", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_rows_of_frozen_words_keep_their_bytes(model, loss):
    words, subwords, tables = with_subwords(loss=loss)
    frozen = np.arange(60) % 7 == 0
    rows_of_words = [subwords.rows_of_word(word) for word in np.flatnonzero(frozen)]
    for of_word in rows_of_words:
        tables.W_in[of_word, ::3] = -0.0
    tables.W_out[:60][frozen] = -0.0
    before = copies(tables)
    train(eager, tables, words, model=model, loss=loss, epochs=1, frozen=frozen, subwords=subwords, output_weight=0.0)
    of_frozen = np.isin(np.arange(len(tables.W_in)), np.concatenate(rows_of_words))
    assert tables.W_in[of_frozen].tobytes() == before.W_in[of_frozen].tobytes()
    assert tables.W_out[:60][frozen].tobytes() == before.W_out[:60][frozen].tobytes()
    trained = ~of_frozen & np.isin(np.arange(len(of_frozen)), subwords.rows[np.isin(subwords.rows, words.ids)])
    assert (tables.W_in != before.W_in)[trained].any(axis=1).all()


@pytest.mark.parametrize("frozen", [None, np.arange(60) % 7 == 0], ids=["all learn", "frozen"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_with_subwords_batches_do_not_wait_for_the_device(model, frozen, monkeypatch):
    for name in ("GROUPS", "GPU_GROUPS"):
        monkeypatch.setattr(eager, name, 2)
    monkeypatch.setattr("fastw2v.engines.base.REPORT_INTERVAL", 3600)
    words, subwords, host = with_subwords()
    given = copies(host)
    settings = {"model": model, "epochs": 1, "frozen": frozen, "subwords": subwords, "output_weight": 0.0}
    expected = train(eager, host, words, **settings)
    far = Device(monkeypatch)
    with far.flags:
        there = Tables(*map(far.array, given))
        losses = train(eager, there, words, **settings)
    assert (far.to_host, far.masked) == (3 + 1, 1)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for ours, theirs in zip(there, host, strict=True):
        np.testing.assert_allclose(ours._array, theirs, atol=1e-4)


def test_deterministic_repeats_the_bytes_with_subwords(monkeypatch):
    words, subwords, given = with_subwords()
    far = Device(monkeypatch)

    def run(deterministic):
        with far.flags:
            W_in, W_out = there = Tables(*map(far.array, given))
            settings = {"epochs": 1, "deterministic": deterministic, "subwords": subwords, "output_weight": 0.0}
            train(eager, there, words, **settings)
        return W_in._array.tobytes() + W_out._array.tobytes()

    assert run(False) != run(False)
    assert run(True) == run(True)


@needs_compiler
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_kernels_of_a_gpu_train_subwords_as_numpy_does(model, loss, frozen, folder, monkeypatch):
    for name in ("GROUPS", "GPU_GROUPS"):
        monkeypatch.setattr(eager, name, 8)  # so that both train in the same batches
    words, subwords, host = with_subwords(loss=loss)
    there = Tables(*(W.copy().view(EmulatedArray) for W in host))
    settings = {"model": model, "loss": loss, "epochs": 1, "alpha": 0.1, "negative": 5, "output_weight": 0.0}
    settings |= {"subwords": subwords, "frozen": np.arange(60) % 7 == 0 if frozen else None}
    losses = train(eager, host, words, **settings)
    with rows.installed(rows.builder(folder, vector=True), order=2):
        found = train(eager, there, words, **settings)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for ours, theirs in zip(there, host, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-4)
        assert np.abs(theirs).max() > 0.05


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_subwords_learn_neighbors(model):
    corpus = topics(600)
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(40)]
    subwords = subwords_of(Corpus(corpus.ids, corpus.offsets, Vocabulary(names, corpus.vocabulary.counts)))
    W_in = ((rng.random((subwords.n_rows, 8)) - 0.5) / 8).astype(np.float32)
    tables = Tables(W_in, np.zeros((40, 8), np.float32))
    settings = {"model": model, "epochs": 5, "sample": 0, "window": 2, "output_weight": 0.0}
    losses = train(eager, tables, corpus, subwords=subwords, alpha=0.1, **settings)
    assert losses[-1] < losses[0]
    assert share_of_topic_neighbors(mean_rows(W_in, subwords.starts, subwords.rows, np.arange(40))) > 0.95


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_memory_of_a_batch_with_subwords(model, on_gpu, folder, monkeypatch):
    V, D, tokens = 800, 64, 512 if on_gpu else 4096
    monkeypatch.setattr(eager, "GPU_GROUPS", 4)
    for module in ("engines.eager", "sampling.batches"):
        monkeypatch.setattr(f"fastw2v.{module}.BUILT_CONTEXTS", 1)
    monkeypatch.setattr(rows.Kernel, "__call__", lambda *_: None)  # the kernels allocate nothing
    monkeypatch.setattr("fastw2v.engines.eager.require_finite_loss", lambda *_: None)
    monkeypatch.setattr("fastw2v.engines.eager.require_finite_weights", lambda *_: None)
    random = np.random.default_rng(0)
    ids = random.integers(0, V, tokens)
    names = ["".join(random.choice(list("abcdefghijklmnop"), 12)) for _ in range(V)]
    vocabulary = Vocabulary(names, np.bincount(ids, minlength=V))
    words = Corpus(ids, np.append(np.arange(0, tokens, 20), tokens), vocabulary)
    subwords = subwords_of(words)
    sizes = np.diff(subwords.starts)
    settings = {"model": model, "epochs": 1, "sample": 0, "output_weight": 0.0}
    tables = Tables(*(np.zeros((n, D), np.float32) for n in (subwords.n_rows, V)))
    with rows.installed(rows.builder(folder, vector=True)):
        there = Tables(*(W.view(EmulatedArray) for W in tables)) if on_gpu else tables
        train(eager, there, words, subwords=subwords, **settings)  # compile first
        tracemalloc.start()
        train(eager, there, words, subwords=subwords, **settings)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    config = TrainingConfig(vector_size=D, **settings)
    sizes_of_words = float(sizes.mean()), int(sizes.max()), subwords.n_rows
    estimated = eager.batch_bytes(config, tokens, 5, 0, on_gpu, V, *sizes_of_words)
    other = 3 * tokens * 8 + 60 * V + 4 * len(subwords.rows) * on_gpu
    assert 0.8 * peak < estimated + other < 1.6 * peak, (estimated, other, peak)
    assert estimated > 1.5 * eager.batch_bytes(config, tokens, 5, 0, on_gpu, V)


def test_batches_are_smaller_with_long_words_on_a_gpu():
    config = TrainingConfig()
    usual = eager._batch_shape(config, 10**7, 5, True, 10**6, 60)
    assert usual == eager._batch_shape(config, 10**7, 5, True)
    pool_tokens, groups = eager._batch_shape(config, 10**7, 5, True, 10**6, 4000)
    assert pool_tokens * groups * 2 * 5 * 4000 <= eager.MAX_SUBWORDS
    assert eager._batch_shape(config, 10**7, 5, False, 10**6, 4000) == eager._batch_shape(config, 10**7, 5, False)
