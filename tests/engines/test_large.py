"""The fused CPU engine beyond 2**31: numbers in a table, tokens in a corpus; many epochs and many threads."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from fastw2v import Corpus
from fastw2v.config import CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, TrainingConfig
from fastw2v.corpus import w2v_file
from fastw2v.engines import cpu, reference
from fastw2v.engines.base import Tables, TrainingState
from fastw2v.utils.system import free_memory
from tests.engines.cases import corpus_of, random_tables

pytestmark = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))


@pytest.mark.slow
@pytest.mark.skipif(free_memory() < 8e9, reason="needs 8 GB of free memory")
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_tables_of_more_than_2_to_the_31_numbers(model: str):
    """The words are the first and the last rows. The other rows are never written, so they take no memory."""
    V, D = 2200, 1 << 20
    assert V * D > 2**31
    used = np.array([0, 1, V - 2, V - 1])
    corpus = corpus_of(used[np.random.default_rng(0).integers(0, 4, 40)], [0, 25, 40], V)
    config = TrainingConfig(
        model=model, vector_size=D, window=2, negative=3, sample=0, epochs=1, pool_size=4, pool_tokens=16
    )  # fmt: skip
    start = random_tables(4, D, np.float32)
    results = []
    for engine in (cpu, reference):
        tables = cpu.allocate((V, D))
        for W, rows in zip(tables, start, strict=True):
            W[used] = rows
        engine.train(tables, corpus, config, workers=1)
        assert not any(W[2:-2].any() for W in tables)
        results.append([W[used] for W in tables])
    for ours, theirs, before in zip(*results, start, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
        assert (ours != before).any(axis=1).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_tokens_after_the_first_2_to_the_31(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str):
    """In a sparse file of 9 GB, the last shuffle block has other words than all those before it."""
    T, V = 2**31 + 2 * SHUFFLE_BLOCK_TOKENS, 10
    last = np.random.default_rng(0).integers(1, V, SHUFFLE_BLOCK_TOKENS, dtype=np.int32)
    counts = np.append(T - len(last), np.bincount(last, minlength=V)[1:])
    words = "".join(f"word{i}\n" for i in range(V)).encode()
    offsets = np.append(np.arange(0, T, 1 << 16), T)
    header = w2v_file.HEADER.pack(w2v_file.MAGIC, 1, 0, T, len(offsets) - 1, V, len(words), 0, 0, 0, 0)
    path = tmp_path / "corpus.w2v"
    with path.open("wb") as file:
        try:
            file.write(header + struct.pack("<I", zlib.crc32(header)))
            file.seek(w2v_file.START + 4 * (T - len(last)))
            file.write(last.astype("<i4").tobytes() + offsets.astype("<i8").tobytes() + counts.astype("<i8").tobytes())
            file.write(words)
        except OSError as error:
            pytest.skip(f"no sparse file of 9 GB: {error}")
    monkeypatch.setattr(w2v_file, "_checksum", lambda mapped, start, length, look: 0)
    corpus = Corpus.load(path)
    assert len(corpus) == T
    assert corpus.vocabulary.counts.sum() == T
    tables = random_tables(V, 16, np.float32)
    before = Tables(*(W.copy() for W in tables))
    state = TrainingState.at_start(1)
    state.words = T - 20 * CHUNK_TOKENS
    config = TrainingConfig(model=model, vector_size=16, sample=0, epochs=1, alpha=0.01)
    cpu.train(tables, corpus, config, workers=2, state=state)
    assert state.words == T
    assert state.predictions[0] > 0
    np.testing.assert_array_equal(tables.W_in[0], before.W_in[0])  # word 0 is not there, so it is only a negative
    assert (tables.W_in[1:] != before.W_in[1:]).any(axis=1).all()


def test_keys_of_epochs_are_computed_when_they_are_needed(monkeypatch: pytest.MonkeyPatch):
    """A run of a hundred million epochs begins at once. It is stopped in its fifth epoch."""

    class Stop:
        def due(self, words: int) -> bool:
            return words >= 5 * 40

        def run(self, state: TrainingState) -> None:
            raise KeyboardInterrupt

    computed: list[int] = []
    keys = cpu._keys

    def counted(seed: int, epoch: int) -> np.ndarray:
        computed.append(epoch)
        return keys(seed, epoch)

    monkeypatch.setattr(cpu, "_keys", counted)
    corpus = corpus_of(np.arange(40) % 8, [0, 40], 8)
    tables = random_tables(8, 16, np.float32)
    state = TrainingState(0, np.zeros(10**8), np.zeros(10**8, np.int8))  # never written, so without memory
    config = TrainingConfig(vector_size=16, epochs=10**8, sample=0)
    monkeypatch.setattr(cpu.TrainingReport, "totals", lambda self, words: (words, 0.0, 0))  # would read all epochs
    with pytest.raises(KeyboardInterrupt):
        cpu.train(tables, corpus, config, workers=1, state=state, pauses=Stop())
    assert 0 < len(computed) < 20
    assert set(computed) <= set(range(6))


def test_there_are_not_more_threads_than_chunks(monkeypatch: pytest.MonkeyPatch):
    started: list[str] = []
    start = threading.Thread.start

    def count(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", count)
    corpus = corpus_of(np.arange(100) % 8, [0, 100], 8)
    cpu.train(random_tables(8, 16, np.float32), corpus, TrainingConfig(vector_size=16, epochs=3), workers=100_000)
    assert len([name for name in started if re.fullmatch(r"fastw2v-\d+", name)]) <= 3


def test_a_system_without_threads_is_reported(monkeypatch: pytest.MonkeyPatch):
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "fastw2v-2":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    corpus = corpus_of(np.arange(100) % 8, [0, 100], 8)
    with pytest.raises(RuntimeError, match="the system started only 2 of 5 threads; lower workers"):
        cpu.train(random_tables(8, 16, np.float32), corpus, TrainingConfig(vector_size=16, epochs=9), workers=5)
