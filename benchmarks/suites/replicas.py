"""Training with replicas: quality, speed and exchanged bytes by the numbers of replicas and rounds, and Ray's overhead.

All replicas run on this machine, so the speeds show what the exchange of changes costs, and not the speed of a cluster.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

from benchmarks.harness.measure import Options, Result, Row, Skipped, Wrong, interleave
from benchmarks.harness.printing import digits
from benchmarks.harness.report import EXCHANGED
from benchmarks.suites.pipeline import MODELS
from benchmarks.systems import quality
from benchmarks.systems.texts import corpus_of, text_of
from fastw2v.config import Model, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.cluster import InProcess
from fastw2v.distributed.connection import IN_PROCESS, LOCAL, Connection, Replication, connected
from fastw2v.distributed.ray_cluster import unavailable_reason
from fastw2v.engines.base import Tables
from fastw2v.engines.selection import find_engine, select_engine
from fastw2v.estimate import corpus_head
from fastw2v.nn.initializers import uniform_weights
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec

SECTION = "replicas"
ENGINE: Literal["fused"] = "fused"
DEVICE = "cpu"
EPOCHS = 5
REPLICAS = (2, 4, 8, 64)
FEW_ROUNDS = 30
"""Number of rounds that is compared with the default."""
ALONE = "without replicas"
"""The baseline of the numbers of replicas and rounds."""
THREADS = 2
"""Number of threads, and of replicas with one thread each, in the comparison that shows the overhead of Ray."""


class Trained(NamedTuple):
    """The result of a training run."""

    seconds: float
    vectors: WordVectors
    changes: float = 0.0
    """Bytes of the changes that all replicas send, for each trained word."""
    updates: float = 0.0
    """Bytes of the combined changes that all replicas receive, for each trained word."""


class Outcome(NamedTuple):
    """What is reported of a training run."""

    seconds: float
    quality: dict[str, float]
    changes: float
    updates: float


Run = Callable[[Corpus, TrainingConfig], Trained]


def run(options: Options) -> Iterator[Result]:
    """Yield the results by the numbers of replicas and rounds, then those of Ray."""
    try:
        select_engine(ENGINE, DEVICE)
    except RuntimeError as error:
        yield Skipped(SECTION, "fastw2v, fused", str(error))
        return
    for model in MODELS:
        yield from by_replicas(options, model)
    if reason := unavailable_reason():
        yield Skipped(SECTION, "Ray", reason)
    elif options.workers < THREADS:
        yield Skipped(SECTION, "Ray", f"the comparison needs {THREADS} threads, but the limit is {options.workers}")
    else:
        for model in list(MODELS)[: 1 if options.quick else None]:
            yield from overhead(options, model)


def by_replicas(options: Options, model: Model) -> Iterator[Result]:
    """Yield the results of replicas in this process, beside those of training without replicas."""
    runs: dict[str, Run] = {ALONE: partial(train_alone, options.workers)}
    for replication in replications(options):
        runs[_name(replication, options)] = partial(train_in_process, options.workers, replication)
    yield from _rows(options, model, runs, options.workers, baseline=ALONE)


def overhead(options: Options, model: Model) -> Iterator[Result]:
    """Yield the results of replicas in processes of Ray and in this process, beside those of as many threads."""
    replication = Replication(THREADS, None, LOCAL)
    threads, replicas = f"{THREADS} threads", _name(replication, options)
    runs: dict[str, Run] = {
        threads: partial(train_alone, THREADS),
        f"{replicas}, in this process": partial(train_in_process, THREADS, replication._replace(ray=IN_PROCESS)),
        f"{replicas}, Ray": partial(train_on_ray, replication),
    }
    yield from _rows(options, model, runs, THREADS, baseline=threads)


def replications(options: Options) -> list[Replication]:
    """Return the numbers of replicas and rounds to compare. Rounds of None are the default."""
    if options.tiny:
        return [Replication(2, None, IN_PROCESS)]
    if options.quick:
        return [Replication(replicas, None, IN_PROCESS) for replicas in (2, 8)]
    default = [Replication(replicas, None, IN_PROCESS) for replicas in REPLICAS]
    few = [one._replace(rounds=FEW_ROUNDS) for one in default if one.rounds_of(EPOCHS) > FEW_ROUNDS]
    return sorted([*default, *few], key=lambda one: one.replicas)


def _name(replication: Replication, options: Options) -> str:
    return f"{replication.replicas} replicas, {replication.rounds_of(epochs_of(options))} rounds"


def epochs_of(options: Options) -> int:
    """Return the number of epochs."""
    return 3 if options.tiny else EPOCHS


def train_alone(workers: int, corpus: Corpus, config: TrainingConfig) -> Trained:
    """Train with several threads and without replicas."""
    tables = _tables(corpus, config)
    began = time.perf_counter()
    find_engine(ENGINE, DEVICE).train(tables, corpus, config, workers=workers)
    return Trained(time.perf_counter() - began, _vectors(corpus, config, tables))


def train_in_process(processors: int, replication: Replication, corpus: Corpus, config: TrainingConfig) -> Trained:
    """Train replicas with one thread each, as many at once as there are processors."""
    cluster = InProcess(min(replication.replicas, processors))
    try:
        return train_replicas(Connection(cluster, replication, workers=1), corpus, config)
    finally:
        cluster.close()


def train_on_ray(replication: Replication, corpus: Corpus, config: TrainingConfig) -> Trained:
    """Start Ray and train replicas with one thread each. The start of Ray and of its processes does not count."""
    with connected(replication, 1, ENGINE, DEVICE) as connection:
        return train_replicas(connection, corpus, config)


def train_replicas(connection: Connection, corpus: Corpus, config: TrainingConfig) -> Trained:
    """Distribute the corpus to replicas and train them."""
    tables = _tables(corpus, config)
    state = connection.state(config.epochs, ENGINE, DEVICE)
    began = time.perf_counter()
    connection.place(corpus, state).train(tables, corpus, config)
    seconds, words = time.perf_counter() - began, len(corpus) * config.epochs
    received = len(state.words) * state.update_bytes  # each replica receives all updates
    return Trained(seconds, _vectors(corpus, config, tables), state.change_bytes / words, received / words)


def _tables(corpus: Corpus, config: TrainingConfig) -> Tables:
    """Return the weights at the start."""
    tables: Tables = find_engine(ENGINE, DEVICE).allocate((len(corpus.vocabulary), config.vector_size), DEVICE)
    uniform_weights(tables.W_in, config.seed)
    tables.W_out[...] = 0  # makes the operating system allocate the memory before the measurement
    return tables


def _vectors(corpus: Corpus, config: TrainingConfig, tables: Tables) -> WordVectors:
    vectors = tables.W_in + config.output_weight * tables.W_out
    return WordVectors(corpus.vocabulary.words, vectors, corpus.vocabulary.counts)


def _rows(options: Options, model: Model, runs: Mapping[str, Run], workers: int, *, baseline: str) -> Iterator[Result]:
    """Yield the speed of each run, and the bytes that its replicas exchange, with the quality of its vectors."""
    corpus = corpus_of(options)
    estimator = Word2Vec(model=model, vector_size=32 if options.tiny else 100, epochs=epochs_of(options), seed=1)
    config = estimator.config(corpus)
    for train in list(runs.values())[:2]:  # compile the kernels, with and without replicas
        train(corpus_head(corpus, 10_000), config)
    settings: dict[str, int | float | str] = {
        "model": MODELS[model], "dim": config.vector_size, "window": config.window, "negative": config.negative,
        "epochs": config.epochs, "corpus": text_of(options).name, "words": len(corpus), "workers": workers,
        "vocabulary": len(corpus.vocabulary),
    }  # fmt: skip
    once: dict[str, Callable[[], Outcome | str]] = {
        name: partial(_outcome, options, train, config, itertools.count(1)) for name, train in runs.items()
    }
    for name, outcomes in interleave(once, options.repeats).items():
        if reason := next((outcome for outcome in outcomes if isinstance(outcome, str)), None):
            yield Wrong(SECTION, f"{name}, {MODELS[model]}", reason)
            continue
        done = [outcome for outcome in outcomes if not isinstance(outcome, str)]
        scores = {key: statistics.fmean(one.quality[key] for one in done) for key in done[0].quality}
        speeds = [len(corpus) * config.epochs / one.seconds for one in done]
        yield Row(SECTION, name, settings, "words/s", speeds, scores, baseline if name != baseline else "")
        if all(one.changes for one in done):
            exchanged = [one.changes + one.updates for one in done]
            changes, updates = (statistics.fmean(getattr(one, part) for one in done) for part in ("changes", "updates"))
            note = f"{digits(changes)} sent, {digits(updates)} received"
            yield Row(SECTION, name, settings, EXCHANGED, exchanged, scores, note=note)


def _outcome(options: Options, train: Run, config: TrainingConfig, seeds: Iterator[int]) -> Outcome | str:
    """Train once. Return the result, or the reason why there is none."""
    try:
        trained = train(corpus_of(options), replace(config, seed=next(seeds)))
        return Outcome(trained.seconds, quality.of_vectors(trained.vectors, options), trained.changes, trained.updates)
    except (FloatingPointError, MemoryError, OSError, RuntimeError, ValueError) as error:
        return str(error)
