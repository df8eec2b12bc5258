"""The task of a replica: it returns all changes of its tables, and these are the same wherever and whenever it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.config import CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, TrainingConfig, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.distributed import replica
from fastw2v.distributed.combine import Changes, add_changes
from fastw2v.distributed.parts import Part
from fastw2v.distributed.replica import Round, Setup, Trained, Update, combine_changes, round_end, train_round
from fastw2v.engines import cpu
from fastw2v.engines.base import Pauses, Tables, TrainingState
from fastw2v.engines.selection import find_engine
from fastw2v.sampling.chunks import iter_chunks
from tests.engines.cases import zipf_corpus

V, D, ROUNDS = 300, 8, 4
needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made = zipf_corpus(V, 3 * CHUNK_TOKENS, longest=30)
    words = [f"word{i}" for i in range(V)]
    return Corpus(made.ids, made.offsets, type(made.vocabulary)(words, made.vocabulary.counts))


@pytest.fixture(autouse=True)
def no_state():
    """Start and end each test without the tables of another one."""
    replica._states.state = None
    yield
    replica._states.state = None


def make_setup(corpus: Corpus, engine: str = "fused", **settings: Any) -> Setup:
    frozen, subwords = settings.pop("frozen", None), settings.pop("subwords", None)
    config = TrainingConfig(vector_size=D, epochs=2, **{"sample": 0.01, "alpha": 0.1} | settings)
    return Setup("run", config, corpus.vocabulary.counts, subwords, frozen, engine, "cpu", 1, ROUNDS, shards=2)


def tables_for(setup: Setup) -> Tables:
    random = np.random.default_rng(1)
    rows = V if setup.subwords is None else setup.subwords.n_rows
    shapes = (rows, D), (output_rows(setup.config.loss, V), D)
    return Tables(*(random.normal(scale=0.3, size=shape).astype(np.float32) for shape in shapes))


def values(references: Any) -> list[Any]:
    """Return the values of references, which are the values themselves in these tests."""
    return list(references)


def run_round(setup: Setup, corpus: Corpus, base: Tables, number: int = 0, words: int = 0) -> tuple[Any, ...]:
    zeros = TrainingState.at_start(setup.config.epochs)
    before = Trained(words, zeros.losses, zeros.predictions)
    part = Part(corpus.ids, corpus.offsets)
    return train_round(values, setup, 0, part, before, Round(number, number, 0, [base]))


class Stop(Exception):  # noqa: N818
    pass


class StopAfter(Pauses):
    """Pauses that stop an engine when it has trained a number of words."""

    def __init__(self, words: int) -> None:
        self.words = words

    def due(self, words: int) -> bool:
        return words >= self.words

    def next_words(self, words: int) -> int:
        return self.words

    def run(self, state: TrainingState) -> None:
        raise Stop


CASES: dict[str, dict[str, Any]] = {
    "CBOW": {},
    "skip-gram": {"model": "skipgram"},
    "CBOW, hs": {"loss": "hs"},
    "skip-gram, hs+ns": {"model": "skipgram", "loss": "hs+ns"},
    "small pools": {"pool_tokens": 8, "pool_size": 4},
    "subwords": {"subwords": True},
    "skip-gram, subwords, hs": {"model": "skipgram", "loss": "hs", "subwords": True},
    "frozen": {"frozen": True},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_the_changes_are_those_of_the_engine(corpus: Corpus, engine: str, case: str):
    settings = dict(CASES[case])
    if settings.pop("subwords", False):
        settings["subwords"] = Subwords(corpus.vocabulary.words, NGrams(3, 4, 1000))
    if settings.pop("frozen", False):
        settings["frozen"] = np.arange(V) % 3 == 0
    setup = make_setup(corpus, engine, **settings)
    base, expected = tables_for(setup), tables_for(setup)
    trained, *changes = run_round(setup, corpus, base)
    assert len(changes) == setup.shards
    end = round_end(len(corpus), 2, 0, ROUNDS)
    state = TrainingState.at_start(2)
    with pytest.raises(Stop):
        find_engine(engine, "cpu").train(
            expected,
            corpus,
            setup.config,
            workers=1,
            state=state,
            pauses=StopAfter(end),
            frozen=setup.frozen,
            subwords=setup.subwords,
        )
    assert trained.words == state.words >= end
    assert (trained.losses.tolist(), trained.predictions.tolist()) == (
        state.losses.tolist(),
        state.predictions.tolist(),
    )
    started = replica._states.state.tables
    for t in range(2):
        assert started[t].tobytes() == base[t].tobytes()  # ready for another part
        found = base[t].copy()
        for shard, update in enumerate(changes):
            assert (update[t].rows % setup.shards == shard).all()
            assert (np.diff(update[t].rows) > 0).all()
            add_changes(found, update[t])
        np.testing.assert_allclose(found, expected[t], rtol=1e-5, atol=1e-6)
        changed = (expected[t] != base[t]).any(axis=1)
        assert changed.any()
        assert set(np.flatnonzero(changed)) <= {int(row) for update in changes for row in update[t].rows}


@needs_numba
@pytest.mark.parametrize("case", ["CBOW", "skip-gram, hs+ns"])
def test_the_rounds_train_each_chunk_once_in_order(corpus: Corpus, case: str):
    setup = make_setup(corpus, **CASES[case])
    run_round(setup, corpus, tables_for(setup))
    trainer = replica._states.state.trainer(0, Part(corpus.ids, corpus.offsets))
    found, words = [], 0
    for number in range(ROUNDS):
        chunks = list(trainer._chunks(words, round_end(len(corpus), 2, number, ROUNDS), values))
        found += chunks
        words = chunks[-1].done + chunks[-1].stop - chunks[-1].start
    seed = setup.config.seed
    assert found == list(iter_chunks(corpus.offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, seed, 2))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_task_that_is_run_again_returns_the_same_bytes(corpus: Corpus, engine: str):
    """It does so after later rounds, in a process without tables, and from an earlier base with updates."""
    setup = make_setup(corpus, engine)
    base = tables_for(setup)
    first, *changes = run_round(setup, corpus, base)
    part = Part(corpus.ids, corpus.offsets)
    second = train_round(values, setup, 0, part, first, Round(1, 0, 0, [base]), *changes)
    third = train_round(values, setup, 0, part, second[0], Round(2, 0, 0, [base, *changes]), *second[1:])

    def bytes_of(result: tuple[Any, ...]) -> list[bytes]:
        return [array.tobytes() for update in result[1:] for changes in update for array in changes]

    again = train_round(values, setup, 0, part, first, Round(1, 0, 0, [base]), *changes)
    assert bytes_of(again) == bytes_of(second)
    replica._states.state = None
    again = train_round(values, setup, 0, part, second[0], Round(2, 0, 0, [base, *changes]), *second[1:])
    assert bytes_of(again) == bytes_of(third)
    later = Tables(*(W.copy() for W in base))
    for update in (*changes, *second[1:]):
        for W, of_table in zip(later, update, strict=True):
            add_changes(W, of_table)
    replica._states.state = None
    again = train_round(values, setup, 0, part, second[0], Round(2, 2, 0, [later]))
    assert bytes_of(again) == bytes_of(third)


@needs_numba
def test_tables_that_were_changed_between_rounds_are_read_again(corpus: Corpus):
    setup = make_setup(corpus)
    base = tables_for(setup)
    first, *_ = run_round(setup, corpus, base)
    other = Tables(base.W_in * 2, base.W_out)
    part = Part(corpus.ids, corpus.offsets)
    found = train_round(values, setup, 0, part, first, Round(1, 1, 1, [other]))
    replica._states.state = None
    expected = train_round(values, setup, 0, part, first, Round(1, 1, 1, [other]))
    assert found[1].W_in.values.tobytes() == expected[1].W_in.values.tobytes()


@needs_numba
def test_a_failed_task_leaves_no_wrong_tables(corpus: Corpus):
    setup = make_setup(corpus)
    base = tables_for(setup)
    expected = run_round(setup, corpus, base)
    nan = Tables(np.full_like(base.W_in, np.nan), base.W_out)
    replica._states.state = None
    with pytest.raises(FloatingPointError, match="training has diverged"):
        run_round(setup, corpus, nan)
    found = run_round(setup, corpus, base)
    assert found[1].W_in.values.tobytes() == expected[1].W_in.values.tobytes()


def test_a_part_that_is_ahead_of_a_round_trains_nothing(corpus: Corpus):
    setup = make_setup(corpus, "layers")
    trained, *changes = run_round(setup, corpus, tables_for(setup), words=2 * len(corpus))
    assert trained.words == 2 * len(corpus)
    assert not trained.predictions.any()
    assert [len(of_table.rows) for update in changes for of_table in update] == [0] * 4


@pytest.mark.parametrize(("tokens", "epochs", "rounds"), [(100, 5, 130), (7, 3, 2), (1000, 4, 8), (1, 1, 1)])
def test_the_ends_of_rounds(tokens: int, epochs: int, rounds: int):
    ends = [round_end(tokens, epochs, i, rounds) for i in range(rounds)]
    assert ends == sorted(ends)
    assert ends[-1] == tokens * epochs
    assert round_end(tokens, epochs, -1, rounds) == 0
    if rounds % epochs == 0:
        assert {tokens * (epoch + 1) for epoch in range(epochs)} <= set(ends)


def test_sizes_are_those_of_indices_and_values():
    def changes(*rows: int) -> Changes:
        return Changes(np.array(rows), np.ones((len(rows), D), np.float32))

    first, second = Update(changes(0, 2), changes(4)), Update(changes(2), changes(4, 6, 8))
    update, sizes = combine_changes(values, first, second)
    assert [of_table.rows.tolist() for of_table in update] == [[0, 2], [4, 6, 8]]
    assert sizes == (7 * (8 + 4 * D), 5 * (8 + 4 * D))


def test_updates_are_tuples_of_both_tables():
    assert Update._fields == Tables._fields
