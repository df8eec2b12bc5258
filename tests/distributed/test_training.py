"""Training with replicas: parts of the corpus, rounds, and the estimator."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.checkpoint import Checkpoints
from fastw2v.config import CHUNK_TOKENS, TrainingConfig, output_rows
from fastw2v.distributed import replica, training
from fastw2v.distributed.cluster import InProcess, TaskLostError
from fastw2v.distributed.connection import Replication, check_replication
from fastw2v.distributed.parts import divide, put_parts
from fastw2v.distributed.replica import Update
from fastw2v.distributed.training import Replicas, ReplicaState, default_rounds
from fastw2v.engines import cpu
from fastw2v.engines.base import Pauses, Tables, TrainingState
from fastw2v.engines.selection import find_engine
from fastw2v.run import Run
from fastw2v.sampling import rng
from tests.distributed.test_combine import Changes as RowChanges
from tests.distributed.test_combine import brute_force
from tests.engines.cases import copies, random_tables, zipf_corpus

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
V, D = 200, 8
SETTINGS: dict[str, Any] = {"vector_size": D, "epochs": 2, "workers": 1, "min_count": 1, "sample": 0.01}
IN_PROCESS: dict[str, Any] = {"replicas": 3, "rounds": 8, "ray": "in-process"}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return zipf_corpus(V, 6 * CHUNK_TOKENS, longest=30)


class Stop(Exception):  # noqa: N818
    pass


class StopAfter(Pauses):
    def __init__(self, words: int) -> None:
        self.words = words

    def due(self, words: int) -> bool:
        return words >= self.words

    def next_words(self, words: int) -> int:
        return self.words

    def run(self, state: TrainingState) -> None:
        raise Stop


@settings(deadline=None)
@given(st.lists(st.integers(0, 3 * CHUNK_TOKENS // 2), max_size=30), st.integers(1, 9))
def test_parts_have_every_token_once(lengths: list[int], parts: int):
    offsets = np.cumsum([0, *lengths])
    divided = divide(offsets, parts)
    assert len(divided) == parts
    pieces = sorted(itertools.chain(*divided))
    assert [start for start, _ in pieces] == [0, *(stop for _, stop in pieces[:-1])][: len(pieces)]
    assert sum(stop - start for start, stop in pieces) == offsets[-1]
    for start, _ in pieces:  # only long sentences are cut
        sentence = np.searchsorted(offsets, start, side="right") - 1
        assert offsets[sentence] == start or lengths[sentence] > CHUNK_TOKENS


def test_parts_are_of_equal_size_and_come_from_the_whole_corpus():
    offsets = np.arange(0, 100_001, 10)
    divided = divide(offsets, 4)
    sizes = [sum(stop - start for start, stop in part) for part in divided]
    assert max(sizes) - min(sizes) <= 10 * len(divided[0])
    assert all(part[0][0] < 10_000 and part[-1][1] > 90_000 for part in divided)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 5))
def test_parts_have_the_sentences_of_the_corpus(lengths: list[int], parts: int):
    offsets = np.cumsum([0, *lengths])
    ids = np.arange(offsets[-1], dtype=np.int32)
    cluster = InProcess(1)
    stored = put_parts(cluster, Corpus(ids, offsets, Corpus.from_ids([0, 1]).vocabulary), parts)
    found = []
    for one in stored:
        [part] = cluster.get([one.reference])
        assert len(part.ids) == part.offsets[-1] == one.n_tokens > 0
        assert one.n_sentences == len(part.offsets) - 1
        found += [part.ids[a:b].tolist() for a, b in itertools.pairwise(part.offsets)]
    cluster.close()
    expected = [ids[a:b].tolist() for a, b in itertools.pairwise(offsets) if b > a]
    assert sorted(found) == expected


def test_default_rounds():
    assert [default_rounds(n, 5) for n in (1, 2, 4, 100)] == [5, 30, 180, 260]
    assert default_rounds(100, 7) % 7 == 0
    assert default_rounds(2, 1000) == 1000


def by_hand(corpus: Corpus, tables: Tables, config: TrainingConfig, engine: str, parts: int, rounds: int) -> None:
    """Train the replicas one after another with an engine, and combine their changes by the formula."""
    cluster = InProcess(1)
    stored = [cluster.get([part.reference])[0] for part in put_parts(cluster, corpus, parts)]
    cluster.close()
    states = [TrainingState.at_start(config.epochs) for _ in stored]
    for number in range(rounds):
        changes: list[list[RowChanges]] = [[], []]
        for index, (part, state) in enumerate(zip(stored, states, strict=True)):
            own = copies(tables)
            seed = rng.stream_key(config.seed, rng.REPLICA, index) if index else config.seed
            with contextlib.suppress(Stop):
                find_engine(engine, "cpu").train(
                    own,
                    Corpus(part.ids, part.offsets, corpus.vocabulary),
                    replace(config, seed=seed),
                    workers=1,
                    state=state,
                    pauses=StopAfter(-(-len(part.ids) * config.epochs * (number + 1) // rounds)),
                )
            for t in range(2):
                changes[t].append(RowChanges(np.arange(len(own[t])), own[t] - tables[t]))
        for t in range(2):
            for row, change in brute_force(changes[t]).items():
                tables[t][row] += change


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("model", "loss"), [("cbow", "ns"), ("skipgram", "hs+ns")])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_the_rounds_are_those_made_by_hand(
    corpus: Corpus, engine: str, model: Any, loss: Any, dtype: type, tolerance: float
):
    config = TrainingConfig(model=model, loss=loss, vector_size=D, epochs=2, sample=0.01, alpha=0.02)
    start = random_tables(V, D, dtype, scale=0.1)
    start = Tables(start.W_in, np.resize(start.W_out, (output_rows(loss, V), D)))
    expected = copies(start)
    by_hand(corpus, expected, config, engine, parts=3, rounds=4)
    found = copies(start)
    cluster = InProcess(2)
    state = ReplicaState(3, 4, engine, "cpu", 1, "in-process")
    losses = Replicas(cluster, put_parts(cluster, corpus, 3), state).train(found, corpus, config)
    cluster.close()
    for t in range(2):
        np.testing.assert_allclose(found[t], expected[t], rtol=tolerance, atol=tolerance)
        assert np.abs(expected[t] - start[t]).max() > 0.02
    assert losses[1] < losses[0]
    assert (state.finished, sum(state.words)) == (4, 2 * len(corpus))


@needs_numba
def test_one_replica_is_training_without_replicas(corpus: Corpus):
    alone = Word2Vec(**SETTINGS).fit(corpus)
    replica = Word2Vec(**SETTINGS).fit(corpus, replicas=1, rounds=6, ray="in-process")
    np.testing.assert_allclose(replica.W_in, alone.W_in, atol=1e-3)
    np.testing.assert_allclose(replica.epoch_losses, alone.epoch_losses, rtol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_result_depends_on_replicas_and_rounds_alone(corpus: Corpus, engine: str, monkeypatch: pytest.MonkeyPatch):
    def fit(**changes: Any) -> bytes:
        return Word2Vec(**SETTINGS, engine=engine).fit(corpus, **IN_PROCESS | changes).W_in.tobytes()

    found = fit()
    assert fit() == found
    assert fit(replicas=2) != found
    assert fit(rounds=4) != found
    with monkeypatch.context() as patch:
        patch.setattr(training, "ROUNDS_AHEAD", 1)
        patch.setattr(training, "BASE_EVERY", 0.0)  # stores the tables after each round
        assert fit() == found
    monkeypatch.setattr(training, "MAX_SHARDS", 1)
    assert fit() == found


def test_a_model_trained_with_replicas(corpus: Corpus):
    seen = []

    def watch(event: str, model: Word2Vec) -> None:
        seen.append((event, model.trained_epochs))

    model = Word2Vec(**SETTINGS, callbacks=[watch])
    reports: list[int] = []
    model.fit(corpus, **IN_PROCESS, progress=lambda words, loss, alpha: reports.append(words))
    assert seen == [
        ("train_begin", 0),
        *zip(["epoch_begin", "epoch_end"] * 2, [0, 1, 1, 2], strict=True),
        ("train_end", 2),
    ]
    assert (model.trained_words, model.trained_epochs, len(model.epoch_losses)) == (2 * len(corpus), 2, 2)
    assert model.epoch_losses[1] < model.epoch_losses[0]
    assert reports == sorted(reports)
    assert reports[-1] == 2 * len(corpus)
    assert 2 < len(reports) <= IN_PROCESS["rounds"]
    assert model.report_ == "3 replicas with 1 thread each in this process"
    again = model.train(corpus, epochs=1, **IN_PROCESS)
    assert (again.trained_epochs, len(again.epoch_losses)) == (3, 3)


def test_fewer_sentences_than_replicas():
    sentences = [["a", "b", "c"], ["a", "c", "b"]]
    model = Word2Vec(vector_size=4, min_count=1, sample=0).fit(sentences, replicas=8, ray="in-process")
    assert model.trained_words == 6 * 5


@pytest.mark.parametrize("settings", [{"model": "skipgram", "loss": "hs"}, {"subwords": (3, 4), "bucket": 500}])
def test_other_models_train_with_replicas(settings: dict[str, Any]):
    sentences = [[f"word{i * j % 7}" for i in range(9)] for j in range(60)]
    model = Word2Vec(**SETTINGS | {"sample": 0}, **settings).fit(sentences, **IN_PROCESS)
    assert model.epoch_losses[-1] < model.epoch_losses[0]


def test_frozen_words_keep_their_bytes(corpus: Corpus):
    first = Word2Vec(**SETTINGS).fit(corpus)
    frozen = first.wv.index_to_key[:50]
    second = Word2Vec(**SETTINGS).fit(corpus, init=first.wv, freeze=frozen, **IN_PROCESS)
    assert second.W_in[:50].tobytes() == first.W_in[:50].tobytes()
    assert (second.W_in[50:] != first.W_in[50:]).any(axis=1).any()


def test_a_callback_that_replaces_the_vectors(corpus: Corpus):
    """Tables that a callback has changed reach the replicas, which have kept those of the last round."""

    def zeros(event: str, model: Word2Vec) -> None:
        if event == "epoch_end" and model.trained_epochs == 1:
            model.wv.vectors = np.zeros_like(model.wv.vectors)

    model = Word2Vec(**SETTINGS, output_weight=0, alpha=1e-6, min_alpha=1e-7, callbacks=[zeros]).fit(
        corpus, **IN_PROCESS
    )
    assert np.abs(model.wv.vectors).max() < 1e-3  # random vectors have elements of up to 1 / 16


def test_validation_and_early_stopping(corpus: Corpus):
    model = Word2Vec(**SETTINGS | {"epochs": 20}).fit(corpus, **IN_PROCESS | {"rounds": 40}, validation=0.2, patience=1)
    assert 1 < len(model.validation_history) < 20
    assert model.trained_epochs < 20
    assert model.wv.settings["validation_loss"] == min(loss for _, loss in model.validation_history)


class EachRound(Checkpoints):
    """A checkpoint after each round."""

    def due(self) -> bool:
        return True


class Interrupt:
    """A progress function that interrupts the training after some reports."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def __call__(self, words: int, loss: float, alpha: float) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reports", [1, 4, 7])
def test_a_run_that_is_resumed_ends_with_the_same_bytes(corpus: Corpus, tmp_path: Path, engine: str, reports: int):
    expected = Word2Vec(**SETTINGS, engine=engine).fit(corpus, **IN_PROCESS)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS, engine=engine).fit(
            corpus, **IN_PROCESS, progress=Interrupt(reports), checkpoint=EachRound(tmp_path / "run")
        )
    resumed = Word2Vec.resume(tmp_path / "run", corpus, ray="in-process")
    assert resumed.W_in.tobytes() == expected.W_in.tobytes()
    assert resumed.epoch_losses == expected.epoch_losses
    assert resumed.trained_words == expected.trained_words


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_round_is_interrupted(corpus: Corpus, tmp_path: Path, engine: str):
    """A signal does not wait for the end of the round, and the run continues from the last one."""
    corpus.save(tmp_path / "corpus.w2v")
    command = [sys.executable, "-m", "fastw2v", "train", "corpus.w2v", "--output", "vectors.safetensors"]
    command += ["--vector-size", "8", "--epochs", "100000", "--rounds", "2", "--replicas", "2", "--workers", "1"]
    command += ["--ray", "in-process", "--engine", engine, "--checkpoint", "run", "--max-time", "4s"]
    done = subprocess.run(command, cwd=tmp_path, timeout=100, capture_output=True, text=True)  # a round takes minutes
    assert done.returncode == 124, done.stderr
    assert "continue with: fastw2v resume run" in done.stderr
    assert Run.from_json(
        (WordVectors.load(Checkpoints.open(tmp_path / "run").latest()).settings or {})["checkpoint"]
    ).replicas == ReplicaState(2, 2, engine, "cpu", 1, "in-process", 0, [0, 0])


@pytest.mark.parametrize("fails_at", [8, 14, 17])
def test_a_model_whose_cluster_fails(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, fails_at: int):
    """The tables and the counters are those of a round that was finished."""
    after: dict[int, bytes] = {}

    def keep(event: str, model: Word2Vec) -> None:
        after[model.trained_words] = model.W_in.tobytes()

    keep.events = ["train_begin", "step"]
    Word2Vec(**SETTINGS, callbacks=[keep]).fit(corpus, **IN_PROCESS)
    get, calls = InProcess.get, itertools.count()

    def failing(self: InProcess, references: Any) -> list[Any]:
        if next(calls) >= fails_at:
            raise OSError("the cluster is gone")
        return get(self, references)

    monkeypatch.setattr(InProcess, "get", failing)
    monkeypatch.setattr(training, "BASE_EVERY", 2.0)
    model = Word2Vec(**SETTINGS)
    with pytest.raises(OSError, match="the cluster is gone"):
        model.fit(corpus, **IN_PROCESS)
    assert model.W_in.tobytes() == after[model.trained_words]


class LossyCluster(InProcess):
    """Loses some tasks and values of references, as a cluster does whose machines fail."""

    def __init__(self, threads: int, period: int = 13) -> None:
        super().__init__(threads)
        self.period = period
        self.tasks, self.reads = itertools.count(), itertools.count()
        self.losses = 0

    def submit(self, task: Any, *arguments: Any, retry: bool = True, **options: Any) -> list[Any]:
        lost = not retry and next(self.tasks) % self.period == self.period - 1
        return super().submit(self._lose if lost else task, *arguments, **options)

    def _get_in_task(self, references: Any) -> list[Any]:
        if references and next(self.reads) % self.period == self.period - 1:
            self._lose()
        return super()._get_in_task(references)

    def _lose(self, *arguments: Any) -> None:
        self.losses += 1
        raise TaskLostError("the node has died")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("base_every", [0.0, 1.0, 4.0])
def test_rounds_that_are_lost_start_again(
    corpus: Corpus, engine: str, base_every: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """With the same bytes, reports and events as a run that loses nothing."""
    monkeypatch.setattr(training, "BASE_EVERY", base_every)
    monkeypatch.setattr(training, "REPEAT_SECONDS", 0.0)
    clusters: list[LossyCluster] = []

    def lossy(threads: int) -> LossyCluster:
        clusters.append(LossyCluster(threads))
        return clusters[-1]

    def fit() -> tuple[Any, ...]:
        seen: list[Any] = []

        def halve(event: str, model: Word2Vec) -> None:
            seen.append((event, model.trained_words))
            if event == "epoch_end":
                model.wv.vectors = model.wv.vectors / 2

        model = Word2Vec(**SETTINGS | {"epochs": 4}, engine=engine, callbacks=[halve])
        model.fit(corpus, **IN_PROCESS | {"rounds": 24}, progress=lambda *report: seen.append(report))
        return model.W_in.tobytes(), model.W_out.tobytes(), model.epoch_losses, model.trained_words, seen

    expected = fit()
    monkeypatch.setattr("fastw2v.distributed.connection.InProcess", lossy)
    assert fit() == expected
    assert clusters[0].losses > 3
    assert "starts again: the node has died" in caplog.text


def test_no_process_goes_on_from_the_tables_of_a_lost_attempt(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    """With several threads, attempts differ. A process may have trained the round after the lost one meanwhile."""
    lost = 2
    generations: dict[int, list[int]] = {}

    def train(get: Any, setup: Any, index: int, part: Any, before: Any, round: Any, *last: Any) -> Any:
        if index == 0:
            generations.setdefault(round.number, []).append(round.generation)
        return replica.train_round(get, setup, index, part, before, round, *last)

    class Once(InProcess):
        updates = 0

        def get(self, references: Any) -> Any:
            values = super().get(references)
            self.updates += isinstance(values[0], Update)
            if self.updates == 1 + lost and isinstance(values[0], Update):
                raise TaskLostError("the node has died")
            return values

    monkeypatch.setattr(training, "REPEAT_SECONDS", 0.0)
    monkeypatch.setattr(training, "train_round", train)
    cluster = Once(2)
    state = ReplicaState(2, 8, "layers", "cpu", 1, "in-process")
    tables = random_tables(V, D, np.float32, scale=0.1)
    Replicas(cluster, put_parts(cluster, corpus, 2), state).train(tables, corpus, TrainingConfig(vector_size=D))
    cluster.close()
    first, again = generations[lost]
    assert first != again  # a process of another generation starts from the stored tables
    assert {one for number in range(lost) for one in generations[number]} == {first}
    assert {generations[number][-1] for number in range(lost, 8)} == {again}


@pytest.mark.parametrize("base_every", [0.0, 100.0])
def test_an_interrupt_while_updates_are_added(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, base_every: float):
    """No update is added twice or left out before a later one, and the counters are those of the tables."""
    monkeypatch.setattr(training, "MAX_SHARDS", 1)
    monkeypatch.setattr(training, "BASE_EVERY", base_every)  # updates are added after each round, or at the end
    add, finish = training.add_changes, training._Run._finish_round

    def fit(rounds: int) -> tuple[Tables, ReplicaState]:
        tables, cluster = random_tables(V, D, np.float32, scale=0.1), InProcess(2)
        state = ReplicaState(2, 8, "layers", "cpu", 1, "in-process")

        def finish_some(self: Any) -> None:
            finish(self)
            if self._state.finished == rounds:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(training._Run, "_finish_round", finish_some)
            config = TrainingConfig(vector_size=D, epochs=2, sample=0.01)
            Replicas(cluster, put_parts(cluster, corpus, 2), state).train(tables, corpus, config)
        cluster.close()
        return tables, state

    calls = itertools.count()

    def add_interrupted(W: Any, changes: Any) -> None:
        add(W, changes)
        if next(calls) == 3:  # both tables have the update of the second round
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "add_changes", add_interrupted)
        found, state = fit(5)
    assert 2 <= state.finished < 5
    expected, reached = fit(state.finished)
    assert (state.finished, state.words) == (reached.finished, reached.words)
    for t in range(2):
        np.testing.assert_array_equal(found[t], expected[t])


def test_a_round_that_is_always_lost_ends(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training, "REPEAT_SECONDS", 0.0)
    cluster = LossyCluster(1, period=1)
    tables = random_tables(V, D, np.float32, scale=0.1)
    before = copies(tables)
    state = ReplicaState(3, 4, "layers", "cpu", 1, "in-process")
    with pytest.raises(TaskLostError, match="the node has died"):
        Replicas(cluster, put_parts(cluster, corpus, 3), state).train(tables, corpus, TrainingConfig(vector_size=D))
    cluster.close()
    of_a_round = 3  # the other tasks need the results of these
    assert cluster.losses == of_a_round * (1 + training.MAX_REPEATS)
    assert state.finished == 0
    np.testing.assert_array_equal(tables.W_in, before.W_in)


@needs_numba
def test_a_run_that_diverges(corpus: Corpus):
    words = corpus.vocabulary.words
    huge = WordVectors(words, np.full((V, D), 1e38, np.float32))
    with pytest.raises(FloatingPointError, match=r"training has diverged\. Train again with a lower alpha"):
        Word2Vec(**SETTINGS).fit(corpus, init=huge, **IN_PROCESS)


def test_ray_of_a_run_without_replicas(corpus: Corpus, tmp_path: Path):
    Word2Vec(**SETTINGS).fit(corpus, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="ray is 'local', but the run has no replicas; omit it"):
        Word2Vec.resume(tmp_path / "run", corpus, ray="local")


@needs_numba
def test_a_checkpoint_describes_the_replicas(corpus: Corpus, tmp_path: Path):
    model = Word2Vec(**SETTINGS).fit(corpus, **IN_PROCESS, checkpoint=tmp_path / "run")
    settings = WordVectors.load(Checkpoints.open(tmp_path / "run").latest()).settings
    expected = {"replicas": 3, "rounds": 8, "engine": "fused", "device": "cpu", "workers": 1, "finished": 8}
    assert expected.items() <= settings["checkpoint"]["replicas"].items()
    assert Word2Vec.resume(tmp_path / "run").W_in.tobytes() == model.W_in.tobytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((None, None, None), None),
        ((2, None, None), Replication(2, None, "local")),
        ((np.int64(2), 7, "in-process"), Replication(2, 7, "in-process")),
    ],
)
def test_parameters(arguments: Any, expected: Any):
    assert check_replication(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, None, None), ValueError, "replicas is 0; it must be at least 1"),
        ((2.5, None, None), TypeError, "replicas is 2.5"),
        ((2, 0, None), ValueError, "rounds is 0; it must be at least 1"),
        ((2, None, 5), TypeError, "ray is 5"),
        ((2, None, " "), ValueError, "ray is ' '; it must be 'in-process', 'local', 'auto' or the address"),
        ((None, 3, None), ValueError, "rounds is 3, but it has no effect without replicas"),
        ((None, None, "local"), ValueError, "ray is 'local', but it has no effect without replicas"),
    ],
)
def test_wrong_parameters(arguments: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        check_replication(*arguments)
