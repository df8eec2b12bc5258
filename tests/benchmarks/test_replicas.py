"""The replicas section: it trains what `Word2Vec.fit` trains, and its tables are generated from its results."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import report
from benchmarks.harness.measure import Options, Row, Skipped, Wrong
from benchmarks.harness.results import Results
from benchmarks.suites import replicas
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed import ray_cluster
from fastw2v.distributed.cluster import InProcess
from fastw2v.distributed.connection import IN_PROCESS, LOCAL, Connection, Replication
from fastw2v.engines import cpu
from fastw2v.word2vec import Word2Vec
from tests.benchmarks.test_benchmarks import MACHINE, SETTINGS, tiny
from tests.engines.cases import zipf_corpus

pytestmark = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
no_ray = ray_cluster.unavailable_reason()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return zipf_corpus(200, 30_000, longest=40)


def small(model: str = "cbow") -> Word2Vec:
    return Word2Vec(model=model, vector_size=8, epochs=2, seed=3, workers=1, engine="fused", device="cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_what_is_measured_is_what_the_estimator_trains(corpus: Corpus, model: str):
    config = small(model).config(corpus)
    alone = replicas.train_alone(1, corpus, config)
    assert np.array_equal(alone.vectors.vectors, small(model).fit(corpus).wv.vectors)
    found = replicas.train_in_process(2, Replication(3, 6, IN_PROCESS), corpus, config)
    expected = small(model).fit(corpus, replicas=3, rounds=6, ray="in-process").wv
    assert np.array_equal(found.vectors.vectors, expected.vectors)
    assert found.vectors.index_to_key == expected.index_to_key
    assert found.changes > 0
    assert 3 * found.changes > found.updates > found.changes  # each of three replicas receives the rows of all


@pytest.mark.skipif(no_ray is not None, reason=str(no_ray))
def test_replicas_on_ray_are_those_of_this_process(corpus: Corpus):
    config, replication = small().config(corpus), Replication(2, 6, LOCAL)
    found = replicas.train_on_ray(replication, corpus, config)
    expected = replicas.train_in_process(2, replication._replace(ray=IN_PROCESS), corpus, config)
    assert found.vectors.vectors.tobytes() == expected.vectors.vectors.tobytes()
    assert found[2:] == expected[2:]


def test_bytes_of_a_single_round_are_counted(corpus: Corpus):
    """The bytes are those of the indices and values of the rows that change."""
    config = small().config(corpus)
    found = replicas.train_in_process(1, Replication(1, 1, IN_PROCESS), corpus, config)
    rows = 2 * len(set(corpus.ids.tolist()))  # in a single round, the rows of all words in both tables change
    assert found.changes == found.updates == pytest.approx(rows * (8 + 4 * 8) / (2 * len(corpus)))


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the section run as if Ray could not be imported."""
    monkeypatch.setattr(replicas, "unavailable_reason", lambda: "the package ray cannot be imported")


def test_the_section_without_ray(tmp_path: Path, without_ray: None):
    found = list(replicas.run(tiny(tmp_path)))
    assert found[-1] == Skipped("replicas", "Ray", "the package ray cannot be imported")
    rows = [result for result in found if isinstance(result, Row)]
    expected = [
        ("without replicas", "words/s"), ("2 replicas, 30 rounds", "words/s"), ("2 replicas, 30 rounds", "bytes/word"),
    ]  # fmt: skip
    assert [(row.what, row.unit) for row in rows] == 2 * expected
    assert [row.settings["model"] for row in rows] == ["CBOW"] * 3 + ["skip-gram"] * 3
    assert all(row.quality["neighbours %"] > 60 for row in rows)
    assert [row.baseline for row in rows] == 2 * ["", "without replicas", ""]


@contextlib.contextmanager
def connected(replication: Replication, workers: int, engine: str, device: str):
    """A substitute for Ray."""
    assert replication == (2, None, "local")
    cluster = InProcess(2)
    yield Connection(cluster, replication, workers)
    cluster.close()


def test_the_section_with_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replicas, "unavailable_reason", lambda: None)
    monkeypatch.setattr(replicas, "connected", connected)
    rows = [result for result in replicas.overhead(tiny(tmp_path), "cbow") if isinstance(result, Row)]
    speeds = {row.what: row for row in rows if row.unit == "words/s"}
    here, on_ray = "2 replicas, 30 rounds, in this process", "2 replicas, 30 rounds, Ray"
    assert list(speeds) == ["2 threads", here, on_ray]
    assert speeds[here].quality == speeds[on_ray].quality
    assert speeds[here].baseline == speeds[on_ray].baseline == "2 threads"
    found = list(replicas.run(replace(tiny(tmp_path), workers=1)))
    assert found[-1] == Skipped("replicas", "Ray", "the comparison needs 2 threads, but the limit is 1")


def test_replicas_that_fail_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object) -> None:
        raise RuntimeError("a worker went away")

    monkeypatch.setattr(replicas, "train_on_ray", fail)
    found = list(replicas.overhead(tiny(tmp_path), "cbow"))
    assert found[-1] == Wrong("replicas", "2 replicas, 30 rounds, Ray, CBOW", "a worker went away")
    assert len([result for result in found if isinstance(result, Row)]) == 3


def test_the_section_without_the_fused_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object) -> None:
        raise RuntimeError("Numba is not installed")

    monkeypatch.setattr(replicas, "select_engine", fail)
    assert list(replicas.run(tiny(tmp_path))) == [Skipped("replicas", "fastw2v, fused", "Numba is not installed")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [(2, 30), (4, 180), (4, 30), (8, 260), (8, 30), (64, 260), (64, 30)]),
        ({"quick": True}, [(2, 30), (8, 260)]),
    ],
)
def test_numbers_of_replicas_and_rounds(change: dict[str, bool], expected: list[tuple[int, int]], tmp_path: Path):
    options = Options(folder=tmp_path, **change)  # type: ignore[arg-type]
    given = [(one.replicas, one.rounds_of(replicas.epochs_of(options))) for one in replicas.replications(options)]
    assert given == expected


# The tables.


def example() -> Results:
    """Return results that look like those of the section, with made-up numbers."""
    found = Results(MACHINE, {"sections": ["replicas"], "others": {"before": 0.0}})

    def add(what: str, speeds: list[float], analogies: float, baseline: str = "", sizes: str = "") -> None:
        quality = {"analogy %": analogies, "pairs": 0.53, "EN-MEN-TR-3k": 0.6}
        found.add(Row("replicas", what, SETTINGS, "words/s", speeds, quality, baseline))
        if sizes:
            found.add(Row("replicas", what, SETTINGS, "bytes/word", [30.0, 30.2], quality, note=sizes))

    add("without replicas", [10e6, 12e6], 37.8)
    add("8 replicas, 30 rounds", [8e6, 6e6], 35.7, "without replicas", "6 out, 24 in")
    add("2 threads", [10e6], 37.7)
    add("2 replicas, 65 rounds, Ray", [8e6], 37.1, "2 threads", "10 sent, 20 received")
    return found


def test_the_tables():
    lines = report.replica_tables(example()).splitlines()
    assert lines[0].startswith("CBOW, dim 100, window 5, negative 5, epochs 5, corpus wiki8")
    assert [line for line in lines if line.startswith("| ") and "---" not in line] == [
        "| CBOW | analogy % | pairs | speed | time (without replicas = 1) | bytes/word |",
        "| without replicas | 37.8 | 0.530 | 11 (10..12) M words/s | 1 |  |",
        "| 8 replicas, 30 rounds | 35.7 | 0.530 | 7 (6..8) M words/s | 1.62 (1.25..2.00) | 30.1 (6 out, 24 in) |",
        "| CBOW | analogy % | pairs | speed | time (2 threads = 1) | bytes/word |",
        "| 2 threads | 37.7 | 0.530 | 10 M words/s | 1 |  |",
        "| 2 replicas, 65 rounds, Ray | 37.1 | 0.530 | 8 M words/s | 1.25 | 30.1 (10 sent, 20 received) |",
    ]
    assert report.replica_tables(Results(MACHINE, {})) == ""


def test_the_tables_of_the_latest_run_are_in_the_guide_and_in_the_report():
    other = Results(MACHINE, {"others": {}})
    empty = f"before\n{report.BEGIN_REPLICAS}\n{report.END_REPLICAS}\nafter\n"
    older = replace(example(), rows=example().rows[:1])
    text = report.with_replicas(empty, {"2026-01": older, "2026-02": example(), "2026-03": other})
    assert report.replica_tables(example()) in text
    assert "A chip, 2 cores; 2026-01-02, commit 0123456789ab." in " ".join(text.split())
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert report.replica_tables(example()) in report.page("box", example(), [])
