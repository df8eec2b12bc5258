"""What replicas need and exchange: the estimate against runs, their memory and counts by hand."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec
from fastw2v.config import TrainingConfig
from fastw2v.distributed import costs, training
from fastw2v.distributed.connection import Replication
from fastw2v.distributed.costs import Exchange, Place, changed_rows, exchange, places
from fastw2v.distributed.ray_cluster import Node, RayCluster
from fastw2v.engines import cpu
from fastw2v.engines.selection import select_engine
from fastw2v.estimate import PREPARATION_SECONDS, ROUND_SECONDS, TASK_SECONDS, estimate_memory, estimate_replicas
from fastw2v.sampling.huffman import HuffmanTree

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
V, T = 20_000, 400_000


def zipf(tokens: int = T, words: int = V) -> Corpus:
    """Return a corpus of random words, each of which occurs."""
    share = 1 / np.arange(1, words + 1)
    ids = np.random.default_rng(0).choice(words, tokens, p=share / share.sum())
    ids[:words] = np.arange(words)
    return Corpus.from_ids(np.random.default_rng(1).permutation(ids), np.arange(0, tokens + 1, 20))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return zipf()


class Counted:
    """What the tasks of a run have returned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[list[int]] = []
        self.bytes_of_changes = self.bytes_of_updates = 0
        self._train, self._combine = training.train_round, training.combine_changes
        monkeypatch.setattr(training, "train_round", self.train_round)
        monkeypatch.setattr(training, "combine_changes", self.combine_changes)

    def train_round(self, *arguments: Any) -> Any:
        result = self._train(*arguments)
        self.trained.append([sum(len(update[table].rows) for update in result[1:]) for table in (0, 1)])
        self.bytes_of_changes += sum(array.nbytes for update in result[1:] for table in update for array in table)
        return result

    def combine_changes(self, *arguments: Any) -> Any:
        update, sizes = self._combine(*arguments)
        self.bytes_of_updates += sizes.update
        return update, sizes


@needs_numba
@pytest.mark.parametrize(
    ("replicas", "rounds", "given", "tolerance"),
    [
        (2, 10, {}, 0.05),
        (4, 30, {}, 0.15),  # in many rounds, some replicas have no chunk
        (2, 10, {"loss": "hs"}, 0.05),
        (2, 10, {"loss": "hs+ns", "model": "skipgram"}, 0.05),
        (2, 6, {"subwords": (3, 4), "bucket": 3000}, 0.05),
    ],
)
def test_the_exchange_is_that_of_a_run(
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    replicas: int,
    rounds: int,
    given: dict[str, Any],
    tolerance: float,
):
    if "subwords" in given:
        words = [f"w{i}" for i in range(V)]
        corpus = Corpus(corpus.ids, corpus.offsets, type(corpus.vocabulary)(words, corpus.vocabulary.counts))
    model = Word2Vec(**{"vector_size": 16, "epochs": 1, "workers": 1} | given)
    where: dict[str, Any] = {"replicas": replicas, "rounds": rounds, "ray": "in-process"}
    counted = Counted(monkeypatch)
    model.fit(corpus, **where)
    estimate = model.estimate(corpus, measure=False, **where).replicas
    assert estimate is not None
    np.testing.assert_allclose(estimate.rows, np.mean(counted.trained, axis=0), rtol=tolerance)
    exchanged = counted.bytes_of_changes + counted.bytes_of_updates
    np.testing.assert_allclose(estimate.bytes_per_word * T, exchanged, rtol=tolerance)


def test_rows_that_follow_from_the_counts(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    """Words are independent in this corpus, so counts give the same numbers as a sample."""
    config = TrainingConfig()
    sampled = changed_rows(corpus, config, 50_000)
    monkeypatch.setattr(costs, "MAX_SAMPLED_TOKENS", 10_000)
    np.testing.assert_allclose(changed_rows(corpus, config, 50_000), sampled, rtol=0.05)


def test_all_rows_change_in_a_long_round(corpus: Corpus):
    points = len(np.unique(HuffmanTree.from_counts(corpus.vocabulary.counts).points))
    assert changed_rows(corpus, TrainingConfig(), T) == (V, V)
    assert changed_rows(corpus, TrainingConfig(loss="hs+ns"), T) == (V, V + points)


def test_recurring_words_change_fewer_rows():
    """A text of topics has fewer distinct words than its counts suggest."""
    ids = np.repeat(np.arange(1000), 100)
    counts = Corpus.from_ids(np.random.default_rng(0).permutation(ids))
    assert changed_rows(Corpus.from_ids(ids), TrainingConfig(loss="hs"), 8192)[0] < 100
    assert changed_rows(counts, TrainingConfig(loss="hs"), 8192)[0] > 990


@needs_numba
@pytest.mark.parametrize(("replicas", "rounds"), [(2, 10), (8, 10)])
@pytest.mark.parametrize("given", [{}, {"loss": "hs"}], ids=["ns", "hs"])
def test_the_memory_is_the_measured_peak(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, replicas: int, rounds: int, given: dict[str, Any]
):
    monkeypatch.setattr("fastw2v.distributed.connection.available_processors", lambda: 2)
    monkeypatch.setattr(costs, "available_processors", lambda: 2)
    model = Word2Vec(**{"epochs": 1, "workers": 1, "output_weight": 0.0, "seed": 1} | given)
    where: dict[str, Any] = {"replicas": replicas, "rounds": rounds, "ray": "in-process"}
    model.fit(zipf(20_000, 100), **where)  # compiles
    estimate = model.estimate(corpus, measure=False, **where).replicas
    assert estimate is not None
    [node] = estimate.nodes
    tracemalloc.start()
    try:
        model.fit(corpus, **where)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (node.replicas, node.processes) == (2, 2)
    assert 0.9 * peak < node.needed < 1.5 * peak


@pytest.mark.parametrize("engine", ["layers", pytest.param("fused", marks=needs_numba)])
def test_a_training_that_cannot_fit_does_not_begin(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, engine: str
):
    monkeypatch.setattr("fastw2v.distributed.connection.available_processors", lambda: 4)
    monkeypatch.setattr(costs, "available_processors", lambda: 4)
    where: dict[str, Any] = {"replicas": 4, "rounds": 4, "ray": "in-process"}
    given: dict[str, Any] = {"epochs": 1, "workers": 1, "engine": engine}
    model = Word2Vec(**given)
    needed = model.estimate(corpus, measure=False, **where).replicas.nodes[0].needed  # type: ignore[union-attr]
    monkeypatch.setattr(costs, "free_memory", lambda *threads: int(0.7 * needed))
    trained: list[Any] = []
    monkeypatch.setattr(Word2Vec, "_train", lambda *args: trained.append(args))
    with pytest.raises(MemoryError, match=r"with 4 replicas needs .* on this machine \(.* 4 × .*\), but only") as error:
        model.fit(corpus, **where)
    assert not trained
    with pytest.raises(MemoryError, match=r"with no checkpoints|vector_size=\d+"):
        model.fit(corpus, checkpoint=tmp_path / "run", **where)
    assert not (tmp_path / "run").exists()
    # The settings in the message fit, and larger ones do not.
    message = str(error.value)

    def problem(size: int = 100, words: int = V, workers: int = 1) -> str | None:
        ids = corpus.ids % words
        smaller = Corpus.from_ids(ids, corpus.offsets)
        model = Word2Vec(**given | {"vector_size": size, "workers": workers})
        return model.estimate(smaller, measure=False, **where).replicas.problem  # type: ignore[union-attr]

    size = int(message.split("vector_size=")[1].split(",")[0])
    assert problem(size) is None
    assert problem(size + 16) is not None
    if engine == "layers":  # the buffers of the fused engine do not matter
        workers = int(message.split("workers=")[1].split(",")[0])
        assert problem(workers=workers) is None
    words = int(message.split("max_vocab=")[1].split(",")[0])
    assert problem(words=words) is None
    assert problem(words=V) is not None


@pytest.mark.parametrize("engine", ["layers", pytest.param("fused", marks=needs_numba)])
def test_a_run_that_continues_must_fit(corpus: Corpus, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, engine: str):
    corpus = zipf(20_000, 500)
    where: dict[str, Any] = {"replicas": 2, "rounds": 4, "ray": "in-process"}

    def interrupt(event: str, model: Word2Vec) -> None:
        if event == "epoch_end":
            raise KeyboardInterrupt

    model = Word2Vec(vector_size=16, epochs=2, workers=1, engine=engine, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        model.fit(corpus, checkpoint=tmp_path / "run", **where)
    before = model.W_in.copy()
    trained: list[Any] = []
    monkeypatch.setattr("fastw2v.word2vec.Training", lambda *args, **_: trained.append(args))
    monkeypatch.setattr(costs, "free_memory", lambda *threads: 1000)
    with pytest.raises(MemoryError, match=r"with 2 replicas needs .* It would fit with more memory"):
        Word2Vec.resume(tmp_path / "run", corpus, ray="in-process")
    with pytest.raises(MemoryError, match=r"with 2 replicas needs .* It would fit with more memory"):
        model.train(corpus, epochs=1, **where)
    assert not trained
    np.testing.assert_array_equal(model.W_in, before)


class Nodes(RayCluster):
    """A cluster without Ray."""

    def __init__(self, *nodes: Node) -> None:
        self._given = list(nodes)

    def nodes(self) -> list[Node]:
        return self._given

    def own_node(self) -> str:
        return self._given[0].identity


GB = 10**9


def test_the_nodes_of_a_cluster():
    cluster = Nodes(
        Node("head", "0", 4, 0, 10 * GB, 3 * GB),
        Node("large", "1", 16, 2, 60 * GB, 20 * GB),
        Node("tiny", "2", 1, 0, GB, GB),
    )

    def found(replicas: int, workers: int, gpus: int = 0) -> list[int]:
        return [place.replicas for place in places(Replication(replicas, None, "auto"), workers, gpus, cluster)]

    assert found(3, workers=4) == [1, 2, 0]
    assert found(100, workers=4) == [1, 4, 0]
    assert found(100, workers=1) == [4, 16, 1]
    assert found(4, workers=2, gpus=1) == [0, 2, 0]
    head, large, tiny = places(Replication(3, None, "auto"), 4, 0, cluster)
    assert (head.here, large.here, tiny.here) == (True, False, False)
    assert (head.free, head.store) == (10 * GB, 3 * GB)
    assert (large.processes, tiny.processes) == (3, 0)  # any of its processors may train the three replicas


def single(corpus: Corpus, **given: Any) -> Any:
    config = TrainingConfig(**{"epochs": 2, "output_weight": 0.0} | given)
    return replace(estimate_memory(corpus, config, device="cpu", engine="fused"), words_per_second=4000.0)


def test_the_time_of_nodes(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    """The same sums, by hand."""
    monkeypatch.setattr("fastw2v.estimate.copy_bandwidth", lambda: float("inf"))
    replication = Replication(6, 10, "10.0.0.5:6379")
    nodes = [Place(f"node {i}", 4, 1, 2, 10 * GB, GB, i == 0) for i in range(3)]
    estimate = estimate_replicas(
        corpus, single(corpus), replication, nodes, workers=4, bandwidth=(1e6, "given"), speeds=(1000.0, 1500.0)
    )
    # Three of six replicas run at the same time, and each trains a sixth of the words.
    assert estimate.training_seconds == pytest.approx(2 * (2 * T / 6) / 1000)
    assert estimate.words_per_second == pytest.approx(3000)
    traffic = exchange(corpus, single(corpus).run.config, replication)
    changes, update = sum(traffic.changed) * 408, sum(traffic.updated) * 408
    sent = 10 * (2 * changes + update) * 2 / 3 + 2 * V * 400 + 4 * T + 8 * corpus.n_sentences
    constant = 10 * (ROUND_SECONDS[True] + 12 * TASK_SECONDS[True]) + 6 * V * PREPARATION_SECONDS["ns"]
    assert estimate.combining_seconds == pytest.approx(sent / 1e6 + constant)
    assert estimate.bytes_per_word == pytest.approx(10 * (6 * changes + 3 * update) / (2 * T))
    assert estimate.one_machine_seconds == 2 * T / 4000
    faster = estimate_replicas(
        corpus, single(corpus), replication, nodes, workers=4, bandwidth=(1e9, "given"), speeds=(1000.0, 1500.0)
    )
    assert faster.combining_seconds is not None
    assert faster.combining_seconds < sent / 1e6 / 100 + constant


def test_tables_larger_than_a_node_are_refused(corpus: Corpus):
    replication = Replication(2, 10, "10.0.0.5:6379")
    nodes = [Place("head", 4, 1, 2, 10 * GB, GB, True), Place("10.0.0.6", 4, 1, 2, 100_000_000, GB, False)]
    estimate = estimate_replicas(corpus, single(corpus, vector_size=2000), replication, nodes, workers=4)
    assert estimate.problem is not None
    assert "of memory on 10.0.0.6 (2 × " in estimate.problem
    assert "but only 100 MB are free. It would fit with " in estimate.problem
    with pytest.raises(MemoryError, match=r"10\.0\.0\.6"):
        estimate.check()
    tables = 2 * 4 * V * 2000
    head, other = estimate.nodes
    assert other.process > tables
    assert head.program > 2 * tables  # and a copy, until it is stored on the cluster
    assert head.values > 4 * T + tables


@pytest.mark.parametrize(
    ("training_seconds", "combining", "one", "advice"),
    [
        (10.0, 5.0, 60.0, "2 replicas are 4.0 times as fast as one machine"),
        (10.0, 5.0, 14.0, "one machine is quicker; train without replicas"),
        (10.0, 5.0, 16.0, "one machine takes about as long; train without replicas"),
    ],
)
def test_the_advice(corpus: Corpus, training_seconds: float, combining: float, one: float, advice: str):
    estimate = Word2Vec(engine="layers").estimate(corpus, measure=False, replicas=2, ray="in-process").replicas
    assert estimate is not None
    assert estimate.advice is None
    timed = replace(estimate, training_seconds=training_seconds, combining_seconds=combining, one_machine_seconds=one)
    assert timed.advice == advice
    assert timed.seconds == 15


def test_where_replicas_are_planned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(costs, "available_processors", lambda: 4)
    corpus, model = zipf(2000, 100), Word2Vec(engine="layers", vector_size=8)

    def plan(**where: Any) -> Any:
        return model.estimate(corpus, measure=False, replicas=8, **where).replicas

    here = plan(ray="in-process")
    assert [(node.name, node.replicas, node.processes) for node in here.nodes] == [("this machine", 4, 4)]
    local = plan()
    assert [(node.replicas, node.processes) for node in local.nodes] == [(4, 4)]
    assert local.nodes[0].process > here.nodes[0].process + 100_000_000  # processes of their own
    apart = plan(bandwidth="1Gbit")
    assert [node.replicas for node in apart.nodes] == [1] * 8
    assert [node.program > 0 for node in apart.nodes] == [True] + [False] * 7


def test_the_estimate_of_a_connection():
    model, corpus = Word2Vec(engine="layers", vector_size=8, workers=1), zipf(2000, 100)
    with model.connect(replicas=2, ray="in-process") as connection:
        estimate = model.estimate(corpus, measure=False, ray=connection).replicas
    other = model.estimate(corpus, measure=False, replicas=2, ray="in-process").replicas
    assert estimate is not None
    assert other is not None
    assert [node.needed for node in estimate.nodes] == [node.needed for node in other.nodes]


def test_gpus_of_other_machines_are_planned_without_a_speed(monkeypatch: pytest.MonkeyPatch):
    """This machine has no GPU, so the speed of a replica is unknown. The tables are not in the memory of the hosts."""

    def no_gpu(engine: str, device: str, *rest: Any) -> Any:
        if device == "cuda":
            raise RuntimeError("device 'cuda' cannot be used")
        return select_engine(engine, device, *rest)

    monkeypatch.setattr("fastw2v.word2vec.select_engine", no_gpu)
    model, corpus = Word2Vec(device="cuda", engine="layers"), zipf(40_000, 2000)
    estimate = model.estimate(corpus, replicas=2, bandwidth="1Gbit")
    assert estimate.words_per_second is not None
    assert estimate.device == "cpu"
    on_gpus = estimate.replicas
    on_hosts = Word2Vec(engine="layers").estimate(corpus, replicas=2, bandwidth="1Gbit", measure=False).replicas
    assert on_gpus is not None
    assert on_hosts is not None
    assert on_gpus.seconds is None
    assert on_gpus.nodes[1].process < on_hosts.nodes[1].process - 2 * 4 * 2000 * 100


def test_without_memory_no_speed_is_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastw2v.estimate.free_memory", lambda threads: 1000)
    estimate = Word2Vec(engine="layers").estimate(zipf(2000, 100), replicas=2, ray="in-process")
    assert estimate.problem() is not None
    assert estimate.words_per_second is None
    assert estimate.replicas is not None
    assert estimate.replicas.seconds is None


def test_fewer_rows_limit_the_exchange():
    traffic = Exchange(2, 10, (50, 70), (80, 90))
    assert traffic.limited(60, 60) == Exchange(2, 10, (50, 60), (60, 60))


def test_a_plan_with_a_measured_speed(corpus: Corpus):
    estimate = Word2Vec(engine="layers", vector_size=16, epochs=1, workers=1).estimate(
        zipf(20_000, 100), replicas=2, rounds=2, ray="in-process"
    )
    found = estimate.replicas
    assert found is not None
    assert found.bandwidth_source == "memory"
    assert found.seconds is not None
    assert found.words_per_second == pytest.approx(20_000 / found.training_seconds)  # type: ignore[operator]
    assert found.one_machine_seconds == estimate.seconds
    assert found.advice is not None


def test_the_memory_of_an_address(monkeypatch: pytest.MonkeyPatch):
    """The node of this program needs memory for its own tables, and others only for their processes."""
    cluster = Nodes(Node("head", "0", 4, 0, 10 * GB, GB), Node("other", "1", 4, 0, 10 * GB, GB))
    corpus, replication = zipf(40_000, 1000), Replication(2, 10, "auto")
    monkeypatch.setattr(costs, "free_memory", lambda *threads: GB)
    head, other = estimate_replicas(
        corpus, single(corpus), replication, places(replication, 4, 0, cluster), workers=4
    ).nodes
    assert (head.free, other.free) == (GB, 10 * GB)  # what is free in this process is less than the node has
    assert head.needed == head.program + head.process
    assert other.needed == other.process


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves files open
def test_the_plan_for_a_cluster():
    """Two nodes on this machine, and a third one that is too small."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "memory": 4 * GB})
    nodes.add_node(num_cpus=1, memory=4 * GB)
    corpus, model = zipf(20_000, 100), Word2Vec(engine="layers", vector_size=16, epochs=1, workers=1)
    try:
        estimate = model.estimate(corpus, replicas=2, ray=nodes.address).replicas
        assert estimate is not None
        assert [(node.replicas, node.program > 0) for node in estimate.nodes] in (
            [(1, True), (1, False)],
            [(1, False), (1, True)],
        )
        assert all(node.store is not None and node.store > node.values for node in estimate.nodes)
        assert estimate.bandwidth_source == "measured"
        assert 1e6 < estimate.bandwidth < 1e12  # type: ignore[operator]
        assert estimate.advice is not None
        nodes.add_node(num_cpus=1, memory=1_000_000)
        nodes.wait_for_nodes()
        with pytest.raises(MemoryError, match=r"training with 3 replicas needs .* but only 1\.0 MB are free"):
            model.fit(corpus, replicas=3, rounds=2, ray=nodes.address)
    finally:
        ray.shutdown()
        nodes.shutdown()
