"""Estimates of the memory and time of a training run, before it starts."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import check_device, free_device_memory
from fastw2v.config import (
    CHUNK_TOKENS,
    EPOCHS,
    MAX_SIZE,
    NEGATIVE,
    SHUFFLE_BLOCK_TOKENS,
    TrainingConfig,
    check_choice,
    check_flags,
    check_integer,
    default_pool,
    output_rows,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.distributed.connection import IN_PROCESS, Replication
from fastw2v.distributed.costs import Exchange, Place, copy_bandwidth, exchange
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.distributed.training import MAX_SHARDS
from fastw2v.engines import cpu, eager
from fastw2v.sampling.chunks import window_reach
from fastw2v.utils.checks import check_callable, check_type
from fastw2v.utils.quote import counted
from fastw2v.utils.system import available_processors, format_bytes, free_memory

__all__ = [
    "Estimate",
    "MemoryItem",
    "NodeEstimate",
    "ReplicaEstimate",
    "corpus_head",
    "estimate_memory",
    "words_per_second",
]

BYTES_PER_WORD = 180
"""Bytes used by a Python string of typical length and by its entries in a list and a dictionary."""
INDEX_BYTES_PER_WORD = 84
"""Bytes used by an entry of the list of words of `WordVectors`, and by one of the dictionary that checks the words."""
SAMPLING_BYTES_PER_WORD = 124
"""Bytes for each word while the tables of subsampling and of the noise distribution are computed on the host."""
DEVICE_BYTES_PER_WORD = 36
"""Bytes for each word of these tables on a GPU."""
CHECKPOINT_BYTES_PER_WORD = 170
"""Bytes for each word while a checkpoint is written: its bytes in the file, and a dictionary that checks the words."""
VALIDATION_BYTES_PER_WORD = 470
"""Bytes for each word with a held-out text: two more vocabularies, and a second set of sampling tables."""
TREE_BYTES_PER_WORD = 8
"""Bytes for each word of the Huffman tree, in addition to its path."""
TREE_BYTES_PER_STEP = 5
"""Bytes for each step of a path from the root of the Huffman tree to a word: an inner node and a code."""
STEP_COPY_BYTES = 8
"""Bytes for each step while the fused engine on a CPU combines nodes and codes in one array."""
TREE_BUILDING_BYTES_PER_WORD = 83
"""Bytes for each word that are freed when the Huffman tree has been built."""
BYTES_PER_EPOCH = 64
"""Bytes for each epoch: its summed loss, its number of predictions and its mean loss, in arrays and a list."""
CHECKPOINT_BYTES_PER_EPOCH = 320
"""Bytes for each epoch while these numbers are converted to JSON for a checkpoint."""
GPU_CORPUS_BYTES = 8 * (SHUFFLE_BLOCK_TOKENS + CHUNK_TOKENS)
"""Bytes of two shuffle blocks. The GPU engine keeps no more than this of the corpus on the device."""
HOST_BYTES_PER_ITEM = 80
"""Bytes on the host for each chunk of each epoch that is trained on a GPU."""
DEVICE_BYTES_PER_ITEM = 36
"""Bytes on the GPU for each chunk of each epoch."""
BYTES_PER_NGRAM = 4
"""Bytes for each row of each word of the vocabulary, with subwords."""
BYTES_PER_ROW = 16
"""Bytes on the host for each row of W_in, with subwords."""
FIT_INDEX_BYTES_PER_NGRAM = 24
"""Bytes for each row of each word while the words of each n-gram are found, to fit n-grams to vectors of words."""
FIT_BYTES_PER_NGRAM = 12
"""Bytes for each row of each word while the rows of n-grams are fitted."""
FIT_BYTES = 24_000_000
"""Bytes of the blocks of rows that are fitted."""
PROCESS_BYTES = 120_000_000
"""Bytes of a process of Ray that has imported the engines."""
TRAINER_BYTES_PER_WORD = 20
"""Bytes for each word that a process keeps for each part of the corpus that it has trained: sampling tables."""
TRAINER_BYTES_PER_STEP = 4
"""Bytes for each step of the paths of the Huffman tree that a process keeps for each part."""
COPIES_OF_CHANGES = {True: 12, False: 6}
"""Number of copies that take as long as taking, storing and combining changes: with Ray, and in this process."""
COPIES_OF_UPDATES = {True: 6, False: 3}
"""Number of copies that take as long as storing the combined changes and adding them to the tables of a process."""
PREPARATION_SECONDS = {"ns": 4e-7, "hs": 1.8e-6, "hs+ns": 2e-6}
"""Seconds for each word in which a process prepares the tables of a part, by the loss."""
ROUND_SECONDS = {True: 0.005, False: 0.0002}
"""Seconds that each round takes, whatever its size: with Ray, and in this process."""
TASK_SECONDS = {True: 0.004, False: 0.00015}
"""Seconds that this program takes for each task of a round: with Ray, and in this process."""
ASSUMED_BANDWIDTH = 10e9 / 8
"""Bytes per second between two nodes if it was not measured."""
WORTHWHILE = 1.1
"""How many times as fast as one machine replicas must be to be worthwhile."""
MEASURE_SECONDS = 2.0
"""Approximate maximum duration of the trial run that measures the speed, in seconds."""
WARMUP_TOKENS = 10_000
"""Number of tokens of the first trial run, which also compiles the kernel."""
MAX_REMEDIES = 4
"""Maximum number of alternatives in a message."""


@dataclass(frozen=True)
class MemoryItem:
    """The memory needed for one purpose, such as W_in.

    Attributes
    ----------
    name : str
    bytes : int
    place : {"host", "device"}
    held : bool
        True if the memory is already allocated, as it is for the corpus.
    phase : {"always", "before", "training", "after"}
        When the memory is needed: always, only before the model is trained, only while it is trained, or only
        afterwards.
    """

    name: str
    bytes: int
    place: str
    held: bool
    phase: str = "always"


@dataclass(frozen=True)
class Estimate:
    """The estimated memory and time of a training run.

    Attributes
    ----------
    tokens, sentences, vocabulary, epochs : int
        Numbers of tokens, of sentences, of words in the vocabulary, and of epochs.
    vector_size : int
    device, engine : str
    items : list of MemoryItem
    free : dict of str to int
        Bytes that are currently free on the "host" and, if training uses a GPU, on the "device".
    words_per_second : float or None
        Measured training speed, or None if it was not measured.
    replicas : ReplicaEstimate or None
        The estimate for training with replicas, if it was asked for. All other attributes are those of one machine.
    run : object
        What the items were computed from. `problem` uses it to find settings that fit.
    """

    tokens: int
    sentences: int
    vocabulary: int
    epochs: int
    vector_size: int
    device: str
    engine: str
    items: list[MemoryItem]
    free: dict[str, int]
    run: _Run = field(repr=False)
    words_per_second: float | None = None
    replicas: ReplicaEstimate | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated training time in seconds, excluding reading the corpus, or None if the speed was not measured.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(epochs=3).estimate([["a", "b"]] * 10, measure=False)
        >>> estimate.tokens
        20
        >>> replace(estimate, words_per_second=5.0).seconds
        12.0
        """
        return None if self.words_per_second is None else self.tokens * self.epochs / self.words_per_second

    def needed(self, place: str) -> int:
        """Return the number of bytes that training will allocate at the same time on "host" or "device".

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(vector_size=16, model="skipgram").estimate([["a", "b"]] * 10, measure=False)
        >>> estimate.needed("host") == sum(item.bytes for item in estimate.items if not item.held)
        True
        """
        return _needed(self.items, place)

    def problem(self, fixed: bool = False) -> str | None:
        """Return a message that states the memory needed and settings that would fit, or None if the run fits.

        Parameters
        ----------
        fixed : bool
            Whether the size of the matrices cannot be changed, because the run continues an earlier one.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(vector_size=10_000, workers=1).estimate([["a", "b"]] * 10, measure=False)
        >>> replace(estimate, free={"host": 1_000_000}).problem()
        'training needs ... of memory on the host, but only 1.0 MB are free. It would fit with vector_size=...'
        """
        for place, free in self.free.items():
            needed = self.needed(place)
            if needed > free:
                remedies = list(_remedies(self.run, place, free, fixed or self.run.allocated))[:MAX_REMEDIES] or [
                    "more memory"
                ]
                return (
                    f"training needs {format_bytes(needed)} of memory on the {place}, but only {format_bytes(free)} "
                    f"are free. It would fit with {', or with '.join(remedies)}"
                )
        return None

    def check(self, fixed: bool = False) -> None:
        """Raise an error if the run does not fit.

        Parameters
        ----------
        fixed : bool
            See `problem`.

        Raises
        ------
        MemoryError
            With the message of `problem`.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(vector_size=16).estimate([["a", "b"]] * 10, measure=False).check()
        """
        if problem := self.problem(fixed):
            raise MemoryError(problem)


@dataclass(frozen=True)
class NodeEstimate:
    """The estimated memory of a machine on which replicas run.

    Attributes
    ----------
    name : str
    replicas : int
        Number of replicas that run there at the same time.
    processes : int
        Number of processes that may have tables of their own. With ``ray="in-process"``, they are threads.
    program, process, values : int
        Bytes of this program, which are 0 on other machines, of each of the processes, and of values that the cluster
        keeps, such as the corpus and changes of tables.
    free : int
        Bytes that are free.
    store : int or None
        Bytes of the object store of Ray for values, or None if they are a part of `free`. Ray writes values to the disk
        if they do not fit.
    """

    name: str
    replicas: int
    processes: int
    program: int
    process: int
    values: int
    free: int
    store: int | None

    @property
    def needed(self) -> int:
        """Number of bytes that are needed at the same time, apart from those in `store`.

        Examples
        --------
        >>> from fastw2v.estimate import NodeEstimate
        >>> NodeEstimate("10.0.0.5", 2, 2, program=10, process=100, values=50, free=1000, store=1000).needed
        210
        """
        return self.program + self.processes * self.process + (self.values if self.store is None else 0)

    @property
    def purposes(self) -> str:
        """What the bytes are needed for.

        Examples
        --------
        >>> from fastw2v.estimate import NodeEstimate
        >>> NodeEstimate("10.0.0.5", 2, 2, program=10, process=100, values=50, free=1000, store=None).purposes
        '10 bytes for this program, 2 × 100 bytes for replicas, 50 bytes for the corpus and changes'
        """
        parts = [f"{format_bytes(self.program)} for this program"] if self.program else []
        if self.processes:
            parts.append(f"{self.processes} × {format_bytes(self.process)} for replicas")
        if self.store is None:
            parts.append(f"{format_bytes(self.values)} for the corpus and changes")
        return ", ".join(parts)


@dataclass(frozen=True)
class ReplicaEstimate:
    """The estimated memory and time of a training run with replicas.

    Attributes
    ----------
    replicas, rounds, workers : int
        Numbers of replicas, of rounds, and of threads of each replica.
    nodes : list of NodeEstimate
    rows : (int, int)
        Number of rows of W_in and of W_out that a replica changes in a round.
    bytes_per_word : float
        Bytes that are exchanged for each word of the corpus in each epoch.
    problem : str or None
        Why the run does not fit in memory, and settings that would fit.
    bandwidth : float or None
        Bytes per second between two machines. On one machine, bytes per second of a copy. This and the following
        attributes are None if no speed was measured.
    bandwidth_source : {"given", "measured", "assumed", "memory"} or None
    words_per_second : float or None
        Estimated speed of all replicas together, without the exchange of changes.
    training_seconds, combining_seconds : float or None
        Estimated time of training at this speed, and of preparing the parts and of exchanging changes in all rounds.
    one_machine_seconds : float or None
        Estimated time of training on this machine without replicas.
    """

    replicas: int
    rounds: int
    workers: int
    nodes: list[NodeEstimate]
    rows: tuple[int, int]
    bytes_per_word: float
    problem: str | None = None
    bandwidth: float | None = None
    bandwidth_source: str | None = None
    words_per_second: float | None = None
    training_seconds: float | None = None
    combining_seconds: float | None = None
    one_machine_seconds: float | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated time in seconds, excluding reading the corpus and starting Ray, or None without a speed.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=16, workers=1)
        >>> estimate = model.estimate([["a", "b"]] * 20, replicas=2, ray="in-process", measure=False).replicas
        >>> print(estimate.seconds)
        None
        """
        if self.training_seconds is None or self.combining_seconds is None:
            return None
        return self.training_seconds + self.combining_seconds

    @property
    def advice(self) -> str | None:
        """Whether replicas are quicker than one machine, or None without a speed.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=16, workers=1)
        >>> estimate = model.estimate([["a", "b"]] * 20, replicas=2, ray="in-process", measure=False).replicas
        >>> replace(estimate, combining_seconds=10, training_seconds=50, one_machine_seconds=90).advice
        '2 replicas are 1.5 times as fast as one machine'
        >>> replace(estimate, combining_seconds=30, training_seconds=70, one_machine_seconds=90).advice
        'one machine is quicker; train without replicas'
        """
        if self.seconds is None or self.one_machine_seconds is None:
            return None
        replicas = counted(self.replicas, "replica")
        gain = self.one_machine_seconds / max(self.seconds, 1e-9)
        if gain < 1:
            return "one machine is quicker; train without replicas"
        if gain < WORTHWHILE:
            return "one machine takes about as long; train without replicas"
        return f"{replicas} {'is' if self.replicas == 1 else 'are'} {gain:.1f} times as fast as one machine"

    def check(self) -> None:
        """Raise an error if the run does not fit.

        Raises
        ------
        MemoryError
            With the message in `problem`.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=16, workers=1)
        >>> model.estimate([["a", "b"]] * 20, replicas=2, ray="in-process", measure=False).replicas.check()
        """
        if self.problem is not None:
            raise MemoryError(self.problem)


class _Run(NamedTuple):
    """What the memory of a run depends on."""

    config: TrainingConfig
    device: str
    engine: str
    tokens: int
    sentences: int
    vocabulary: int
    longest: int
    """Largest distance between two words of a sentence."""
    path: float
    """Mean number of steps from the root of the Huffman tree to a word."""
    longest_path: int
    in_file: bool
    """Whether the corpus is memory-mapped."""
    workers: int
    checkpoints: bool
    validation: bool
    allocated: bool
    """Whether the weights are already in memory."""
    fitting: bool
    """Whether the rows of n-grams are fitted to vectors of words."""
    own_rows: bool
    """Whether each word has a row of W_in."""
    buckets_per_word: float
    """Number of rows of W_in that belong to n-grams, divided by the number of words."""
    rows_per_word: float
    """Mean number of rows of W_in of a word, with subwords."""
    longest_word: int
    """Largest number of rows of W_in of a word, with subwords."""

    @property
    def input_rows(self) -> int:
        """The number of rows of W_in."""
        if not self.own_rows:  # floret's table does not depend on the vocabulary
            return self.config.bucket
        return self.vocabulary + min(self.config.bucket, round(self.buckets_per_word * self.vocabulary))

    def changed(self, **settings: int) -> _Run:
        """Return the run with other settings, and the pool sizes that follow from them."""
        run, config = self, self.config
        vocabulary, workers = settings.pop("vocabulary", run.vocabulary), settings.pop("workers", run.workers)
        run = run._replace(vocabulary=vocabulary, workers=workers)
        if {"negative", "vector_size"} & settings.keys():

            def pool(of: TrainingConfig) -> tuple[int, int]:
                subwords = of.subwords is not None
                return default_pool(of.model, of.negative, of.vector_size, of.output_weight, of.quality, subwords)

            if (config.pool_tokens, config.pool_size) == pool(config):
                settings |= {"pool_tokens": None, "pool_size": None}  # type: ignore[dict-item]
        return run._replace(config=replace(config, **settings))  # type: ignore[arg-type]


def estimate_memory(
    corpus: Corpus,
    config: TrainingConfig,
    *,
    device: str,
    engine: str,
    workers: int = 1,
    checkpoints: bool = False,
    validation: bool = False,
    allocated: bool = False,
    fitting: bool = False,
    subwords: Subwords | None = None,
) -> Estimate:
    """Estimate the memory that training on a corpus needs.

    Parameters
    ----------
    corpus : Corpus
    config : TrainingConfig
        The settings. The memory depends on `loss`, `vector_size`, `output_weight`, `epochs`, and for the buffers of the
        engine on `model`, `window` and `negative`.
    device : {"cpu", "cuda", "cuda:N"}
    engine : {"fused", "layers"}
    workers : int
        Number of threads of the fused engine on a CPU.
    checkpoints : bool
        Whether checkpoints are written, for which the matrices are copied.
    validation : bool
        Whether the best matrices of the run are kept as copies.
    allocated : bool
        Whether the matrices are already in memory, because training continues.
    fitting : bool
        Whether training with subwords starts from vectors of words alone, to which the rows of n-grams are fitted.
    subwords : Subwords, optional
        The rows of W_in of each word. By default, each word has one row.

    Returns
    -------
    Estimate
        Its attributes `words_per_second` and `seconds` are None.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.estimate import estimate_memory
    >>> corpus = Corpus.from_ids(np.array([0, 1, 2, 1]))
    >>> estimate = estimate_memory(corpus, TrainingConfig(vector_size=100), device="cpu", engine="fused")
    >>> {item.name: item.bytes for item in estimate.items if item.name in ("W_in", "W_out")}  # padded to 112 floats
    {'W_in': 1344, 'W_out': 1344}
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_type("config", config, TrainingConfig, "a TrainingConfig")
    check_device(device)
    check_choice("engine", engine, ("fused", "layers"))
    check_integer("workers", workers, minimum=1)
    if subwords is not None:
        check_type("subwords", subwords, Subwords, "Subwords, or None")
    check_flags(checkpoints=checkpoints, validation=validation, allocated=allocated, fitting=fitting)
    path, longest_path = _path_lengths(corpus.vocabulary.counts)
    run = _Run(
        config,
        device,
        engine,
        tokens=len(corpus),
        sentences=corpus.n_sentences,
        vocabulary=len(corpus.vocabulary),
        longest=window_reach(MAX_SIZE, corpus.offsets),
        path=path,
        longest_path=longest_path,
        in_file=_lies_in_a_file(corpus.ids),
        workers=workers,
        checkpoints=checkpoints,
        validation=validation,
        allocated=allocated,
        fitting=fitting,
        own_rows=subwords is None or subwords.n_own_rows > 0,
        buckets_per_word=0.0 if subwords is None else len(subwords.buckets) / subwords.n_words,
        rows_per_word=0.0 if subwords is None else len(subwords.rows) / subwords.n_words,
        longest_word=0 if subwords is None else int(np.diff(subwords.starts).max()),
    )
    free = {"host": free_memory(_threads(run))}
    if device != "cpu":
        free["device"] = free_device_memory(device)
    T, S, V = run.tokens, run.sentences, run.vocabulary
    return Estimate(T, S, V, config.epochs, config.vector_size, device, engine, list(_items(run)), free, run)


def estimate_replicas(
    corpus: Corpus | DistributedCorpus,
    single: Estimate,
    replication: Replication,
    places: Sequence[Place],
    *,
    workers: int,
    device: str = "cpu",
    engine: str = "fused",
    subwords: Subwords | None = None,
    bandwidth: tuple[float, str] | None = None,
    fixed: bool = False,
    speeds: tuple[float, float] | None = None,
) -> ReplicaEstimate:
    """Estimate the memory and time of training with replicas.

    Parameters
    ----------
    corpus : Corpus or DistributedCorpus
    single : Estimate
        The estimate of the same run on one machine.
    replication : Replication
        Number of replicas and of rounds, and where they run.
    places : sequence of Place
        The machines.
    workers : int
        Number of threads of a replica.
    device : {"cpu", "cuda"}
        The device of a replica.
    engine : {"fused", "layers"}
        The engine of a replica.
    subwords : Subwords, optional
        As for `estimate_memory`.
    bandwidth : (float, str), optional
        Bytes per second between two machines, and where this number is from. By default, 10 Gbit/s are assumed, or the
        speed of a copy is measured if there is one machine.
    fixed : bool
        Whether the size of the matrices cannot be changed, because the run continues an earlier one.
    speeds : (float, float), optional
        Words per second of one replica that has a machine for itself, and of a machine without replicas.

    Returns
    -------
    ReplicaEstimate

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import Place
    >>> from fastw2v.estimate import estimate_memory, estimate_replicas
    >>> corpus = Corpus.from_ids(np.arange(1000), np.arange(0, 1001, 10))
    >>> single = estimate_memory(corpus, TrainingConfig(epochs=2, vector_size=16), device="cpu", engine="fused")
    >>> places = [Place(f"node {i}", 4, 1, 2, 10**9, 10**9, i == 0) for i in range(2)]
    >>> network = (1.25e9, "given")
    >>> found = estimate_replicas(corpus, single, Replication(2, 4, "10.0.0.5:6379"), places, workers=4,
    ...                           bandwidth=network, speeds=(1000.0, 1000.0))
    >>> found.rows, found.training_seconds
    ((250, 280), 1.0)
    """
    run = single.run._replace(
        tokens=len(corpus), sentences=corpus.n_sentences, workers=workers, device=device, engine=engine
    )
    if isinstance(corpus, DistributedCorpus):
        run = run._replace(longest=run.config.window)
    traffic = exchange(corpus, run.config, replication, subwords)
    with_ray = replication.ray != IN_PROCESS
    cluster = _ClusterRun(run, single.run._replace(device="cpu"), traffic, with_ray, len(places))
    nodes = [cluster.node(place) for place in places]
    D, N, rounds = run.config.vector_size, traffic.replicas, traffic.rounds
    used = [place for place in places if place.replicas]
    machines, running = max(1, len(used)), max(1, sum(place.replicas for place in used))
    words, changes, update = max(run.tokens * run.config.epochs, 1), traffic.changes(D), traffic.update(D)
    found = ReplicaEstimate(
        replicas=N,
        rounds=rounds,
        workers=workers,
        nodes=nodes,
        rows=traffic.changed,
        bytes_per_word=rounds * (N * changes + machines * update) / words,
        problem=cluster.problem(places, fixed or run.allocated),
    )
    if speeds is None:
        return found
    alone, machine = speeds
    together = max((place.replicas for place in used), default=1)
    turns = -(-N // running)
    shared = machine * workers / available_processors()  # the threads of a machine that all run are slower
    speed = (min(alone, shared) if together > 1 and device == "cpu" else alone) * N / turns
    copying = copy_bandwidth()
    preparing = N * run.vocabulary * PREPARATION_SECONDS[run.config.loss]  # any process may train any part
    if bandwidth is None:
        bandwidth = (copying, "memory") if machines == 1 else (ASSUMED_BANDWIDTH, "assumed")
    copied = COPIES_OF_CHANGES[with_ray] * N * changes / machines + COPIES_OF_UPDATES[with_ray] * update * together
    sent = (turns * together * changes + update) * (machines - 1) / machines
    once = 0.0  # the tables and the corpus
    if machines > 1:
        once = (cluster.table_bytes(run) + 4 * run.tokens + 8 * run.sentences) / bandwidth[0]
    fixed_seconds = ROUND_SECONDS[with_ray] + TASK_SECONDS[with_ray] * (N + min(N, MAX_SHARDS))
    return replace(
        found,
        bandwidth=bandwidth[0],
        bandwidth_source=bandwidth[1],
        words_per_second=speed,
        training_seconds=words / speed,
        combining_seconds=once + preparing + rounds * (copied / copying + sent / bandwidth[0] + fixed_seconds),
        one_machine_seconds=single.seconds,
    )


class _ClusterRun(NamedTuple):
    """What the memory of a run with replicas depends on."""

    run: _Run
    """That of a machine that trains the whole corpus as the replicas do."""
    program: _Run
    """That of this program."""
    traffic: Exchange
    with_ray: bool
    machines: int

    def table_bytes(self, run: _Run) -> int:
        """Return the size in bytes of both tables without padding."""
        return 4 * (run.input_rows + output_rows(run.config.loss, run.vocabulary)) * run.config.vector_size

    def changed(self, **settings: int) -> _ClusterRun:
        """Return the run with other settings."""
        return self._replace(run=self.run.changed(**settings), program=self.program.changed(**settings))

    def limited(self) -> Exchange:
        """Return what is exchanged, with at most all rows of the tables."""
        return self.traffic.limited(self.run.input_rows, output_rows(self.run.config.loss, self.run.vocabulary))

    def process_bytes(self) -> int:
        """Return what a process allocates on the host to run replicas."""
        N = self.traffic.replicas
        part = self.run._replace(
            tokens=-(-self.run.tokens // N),
            sentences=-(-self.run.sentences // N),
            checkpoints=False,
            validation=False,
            allocated=False,
        )
        V, on_host, total = part.vocabulary, part.device == "cpu", 0
        for item in _items(part):
            if item.place != "host" or item.held:
                continue
            if item.name in ("W_in", "W_out"):
                total += item.bytes if part.engine == "fused" and on_host else 2 * item.bytes  # with copies
            elif item.phase == "training":
                total += item.bytes
        if part.engine == "fused" and on_host:  # a process trains one replica after another, and keeps their tables
            steps = 0 if part.config.loss == "ns" else int(V * part.path)
            total += (N - 1) * (TRAINER_BYTES_PER_WORD * V + TRAINER_BYTES_PER_STEP * steps)
        if self.with_ray:
            total += PROCESS_BYTES + self.limited().changes(part.config.vector_size)
        return total

    def program_bytes(self) -> int:
        """Return what this program allocates, apart from values of the cluster."""
        kept = [item for item in _items(self.program) if item.phase != "training"]
        copies = self.table_bytes(self.program)  # until they are stored on the cluster
        return _needed(kept, "host") + copies

    def values_bytes(self, place: Place) -> int:
        """Return the size of the values that a machine keeps for the cluster."""
        corpus = 4 * self.run.tokens + 8 * self.run.sentences
        tables = self.table_bytes(self.run)
        changes, updates = self.limited().kept(self.run.config.vector_size, tables)
        if place.here:
            # It stores the corpus, the tables and all updates. New tables are stored before the old ones are dropped.
            return corpus + 2 * tables + changes // self.machines + updates
        return corpus // self.machines + tables + (changes + updates) // self.machines

    def node(self, place: Place) -> NodeEstimate:
        """Return the estimate for a machine."""
        return NodeEstimate(
            place.name,
            place.replicas,
            place.processes,
            self.program_bytes() if place.here else 0,
            self.process_bytes() if place.processes else 0,
            self.values_bytes(place) if place.here or place.processes else 0,
            place.free,
            place.store,
        )

    def problem(self, places: Sequence[Place], fixed: bool) -> str | None:
        """Return why the run does not fit, and settings that would fit, or None."""
        nodes = [self.node(place) for place in places]
        short = [i for i, node in enumerate(nodes) if node.needed > node.free]
        if not short:
            return None
        worst = max(short, key=lambda i: nodes[i].needed - nodes[i].free)
        place, node = places[worst], nodes[worst]
        remedies = list(self._remedies(place, fixed))[:MAX_REMEDIES] or ["more memory"]
        return (
            f"training with {counted(self.traffic.replicas, 'replica')} needs {format_bytes(node.needed)} of memory on "
            f"{place.name} ({node.purposes}), but only {format_bytes(node.free)} are free. It would fit with "
            f"{', or with '.join(remedies)}"
        )

    def _remedies(self, place: Place, fixed: bool) -> Iterator[str]:
        """Yield settings with which the run fits on a machine."""

        def fits(cluster: _ClusterRun, place: Place = place) -> bool:
            return cluster.node(place).needed <= place.free

        if not fixed:
            if size := _largest(lambda n: fits(self.changed(vector_size=n)), self.run.config.vector_size, 16):
                yield f"vector_size={size}"
            if words := _largest(lambda n: fits(self.changed(vocabulary=n)), self.run.vocabulary):
                yield f"a vocabulary of {counted(words, 'word')} (max_vocab={words}, or a larger min_count)"
        for running in range(place.replicas - 1, 0, -1):
            fewer = place._replace(replicas=running, processes=running)
            threads = place.processors // running
            if fits(self._replace(run=self.run._replace(workers=threads)), fewer):
                yield f"workers={threads}, so that {counted(running, 'replica')} {_run_verb(running)} at a time"
                break
        if self.program.checkpoints and fits(self._replace(program=self.program._replace(checkpoints=False))):
            yield "no checkpoints"
        if self.program.validation and fits(self._replace(program=self.program._replace(validation=False))):
            yield "no validation"


def _run_verb(replicas: int) -> str:
    return "runs" if replicas == 1 else "run"


def corpus_head(corpus: Corpus, tokens: int) -> Corpus:
    """Return a corpus of the first tokens of `corpus`, with the full vocabulary.

    Parameters
    ----------
    corpus : Corpus
    tokens : int
        Number of tokens to return. If the corpus is shorter, all of it is returned.

    Returns
    -------
    Corpus
        The last sentence may be cut short.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.estimate import corpus_head
    >>> head = corpus_head(Corpus.from_ids(np.array([0, 1, 2, 3, 4]), offsets=[0, 2, 5]), 3)
    >>> head.ids.tolist(), head.offsets.tolist(), len(head.vocabulary)
    ([0, 1, 2], [0, 2, 3], 5)
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_integer("tokens", tokens, minimum=1)
    end = int(np.searchsorted(corpus.offsets, tokens, side="right"))
    offsets = corpus.offsets[:end]
    if len(offsets) < 2 or offsets[-1] < min(tokens, len(corpus)):
        offsets = np.append(offsets, min(tokens, len(corpus)))
    return Corpus(corpus.ids[: offsets[-1]], offsets, corpus.vocabulary)


def words_per_second(train: Callable[[int], None], n_tokens: int) -> float:
    """Measure the training speed in increasingly long trial runs, each of which takes at most about two seconds.

    Parameters
    ----------
    train : callable
        Function that trains on the given number of tokens.
    n_tokens : int
        Number of tokens in the corpus.

    Returns
    -------
    float
        Tokens per second in the longest trial run.

    Examples
    --------
    >>> import time
    >>> from fastw2v.estimate import words_per_second
    >>> speed = words_per_second(lambda tokens: time.sleep(tokens / 200_000), n_tokens=5_000)
    >>> 0 < speed < 300_000
    True
    """
    check_callable("train", train, "a function of a number of tokens")
    check_integer("n_tokens", n_tokens, minimum=1)
    train(WARMUP_TOKENS)  # the first call compiles the kernel
    tokens = min(WARMUP_TOKENS, n_tokens)
    while True:
        before = time.perf_counter()
        train(tokens)
        seconds = time.perf_counter() - before
        if seconds > MEASURE_SECONDS / 4 or tokens == n_tokens:
            return tokens / seconds
        tokens = min(4 * tokens, n_tokens)


def _path_lengths(counts: np.ndarray) -> tuple[float, int]:
    """Return approximately the mean and the largest number of steps from the root of the Huffman tree to a word.

    The path to a word that is drawn with probability p has about log2(1 / p) steps.
    """
    steps = np.log2(max(int(counts.sum()), 1) / np.maximum(counts, 1))
    return float(steps.mean()) + 0.5, math.ceil(steps.max()) + 2


def _lies_in_a_file(array: Any) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview) and isinstance(array.base.obj, mmap.mmap)


def _items(run: _Run) -> Iterator[MemoryItem]:
    """Yield what a run allocates."""
    config, T, S, V = run.config, run.tokens, run.sentences, run.vocabulary
    D, epochs, reach = config.vector_size, config.epochs, min(config.window, run.longest)
    fused, host = run.engine == "fused", run.device == "cpu"
    place = "host" if host else "device"
    width = -(-D // 16) * 16 if fused else D
    yield MemoryItem("words", V * BYTES_PER_WORD, "host", True)
    yield MemoryItem("ids, in a file" if run.in_file else "ids", 0 if run.in_file else 4 * T, "host", True)
    yield MemoryItem("sentence offsets", 0 if run.in_file else 8 * (S + 1), "host", True)
    input_rows, rows = run.input_rows, output_rows(config.loss, V)
    yield MemoryItem("W_in", 4 * input_rows * width, place, run.allocated)
    yield MemoryItem("W_out", 4 * rows * width, place, run.allocated)
    if config.subwords is not None:
        entries = int(BYTES_PER_NGRAM * V * run.rows_per_word)
        yield MemoryItem("n-grams of the words", entries + BYTES_PER_ROW * input_rows + 8 * V, "host", True)
        if run.fitting:
            n = int(V * run.rows_per_word)
            fit = max(FIT_INDEX_BYTES_PER_NGRAM * n, FIT_BYTES_PER_NGRAM * n + 2 * 4 * V * D) + FIT_BYTES
            copy = 0 if host else 4 * input_rows * D
            yield MemoryItem("fit of the n-grams", fit + copy, "host", False, "before")
        if not host:
            losses = 2 if config.loss == "hs+ns" else 1  # each has learning rates, or a layer of its own
            needed = losses * (8 * input_rows if fused else entries) + entries + 8 * V
            yield MemoryItem("n-grams of the words", needed, place, False, "training")
        elif fused and _threads(run) > 1:  # private rows come first in the numbers of the engine
            numbers = (2 if config.loss == "hs+ns" else 1) * entries + 4 * input_rows
            yield MemoryItem("row numbers of the workers", numbers, place, False, "training")
    yield MemoryItem("index of the words", INDEX_BYTES_PER_WORD * V, "host", run.allocated)
    yield MemoryItem("sampling tables", SAMPLING_BYTES_PER_WORD * V, "host", False, "training")
    paths = int(TREE_BYTES_PER_STEP * V * run.path)
    tree = 0
    if config.loss != "ns":  # after the tree has been built, the engines copy the paths
        copies = int((STEP_COPY_BYTES if fused else TREE_BYTES_PER_STEP) * V * run.path)
        tree = TREE_BYTES_PER_WORD * V + paths + max(TREE_BUILDING_BYTES_PER_WORD * V, copies)
        yield MemoryItem("Huffman tree", tree, "host", False, "training")
    if config.output_weight or config.subwords is not None:
        yield MemoryItem("vectors", 4 * V * D, place, False, "always" if run.checkpoints else "after")
    if fused and host:
        measuring = [replace(config, pool_tokens=config.tile)] if run.validation else []  # as `held_out_loss` does
        threads, chunk = _threads(run), min(T, CHUNK_TOKENS)
        tables = (input_rows, rows), config.subwords is not None
        buffers = max(
            cpu.buffer_bytes(one, chunk, reach, run.longest_path, threads, *tables) for one in (config, *measuring)
        )
        yield MemoryItem("buffers of the workers", threads * buffers, "host", False, "training")
    elif not fused:
        of_words = (run.rows_per_word, run.longest_word, input_rows)
        batch = eager.batch_bytes(config, T, reach, run.longest_path, not host, V, *of_words)
        yield MemoryItem("batches", batch, place, False, "training")
    yield MemoryItem("losses of the epochs", BYTES_PER_EPOCH * epochs, "host", False)
    if run.checkpoints:
        state = CHECKPOINT_BYTES_PER_WORD * V + CHECKPOINT_BYTES_PER_EPOCH * epochs
        yield MemoryItem("copies for checkpoints", 4 * (input_rows + rows) * D + state, "host", False)
    if run.validation:
        copies = 2 if run.checkpoints else 1  # the best weights are copied again while they are written
        phase = "always" if run.checkpoints else "training"  # they are freed before the vectors are combined
        needed = copies * 4 * (input_rows + rows) * D + VALIDATION_BYTES_PER_WORD * V + tree  # a second tree
        yield MemoryItem("copies for validation", needed, "host", False, phase)
    if not host:
        yield MemoryItem("sampling tables", DEVICE_BYTES_PER_WORD * V, place, False, "training")
        if tree:
            yield MemoryItem("Huffman tree", TREE_BYTES_PER_WORD * V + paths, place, False, "training")
        if fused:
            items = cpu.max_chunks(T) * epochs
            yield MemoryItem("ids, at most two shuffle blocks", min(4 * T, GPU_CORPUS_BYTES), place, False, "training")
            yield MemoryItem("chunks of all epochs", DEVICE_BYTES_PER_ITEM * items, place, False, "training")
            yield MemoryItem("chunks of all epochs", HOST_BYTES_PER_ITEM * items, "host", False, "training")
        else:
            yield MemoryItem("ids", 4 * T, place, False, "training")
            yield MemoryItem("sentence offsets", 8 * (S + 1), place, False, "training")
        yield MemoryItem("vectors copied to the host", 4 * (input_rows + rows) * D, "host", False)


def _needed(items: Iterable[MemoryItem], place: str) -> int:
    """Return the number of bytes that are allocated at the same time."""
    phases = dict.fromkeys(("always", "before", "training", "after"), 0)
    for item in items:
        if item.place == place and not item.held:
            phases[item.phase] += item.bytes
    return phases["always"] + max(phases["before"], phases["training"], phases["after"])


def _threads(run: _Run) -> int:
    """Return the number of threads of the fused engine on a CPU that have a chunk to train."""
    return min(run.workers, cpu.max_chunks(run.tokens) * run.config.epochs)


def _largest(fits: Callable[[int], bool], now: int, step: int = 1) -> int | None:
    """Return the largest multiple of `step` below `now` that fits, or None."""
    low, high = 0, -(-now // step)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle * step):
            low = middle
        else:
            high = middle
    return low * step or None


def _remedies(run: _Run, place: str, free: int, fixed: bool) -> Iterator[str]:
    """Yield settings with which a run fits in memory, each with the largest value that fits."""

    def needed(run: _Run) -> int:
        return _needed(_items(run), place)

    def largest(name: str, now: int, step: int = 1) -> int | None:
        return _largest(lambda value: needed(run.changed(**{name: value})) <= free, now, step)

    config, quality = run.config, run.config.quality
    found = False
    if not fixed:
        if size := largest("vector_size", config.vector_size, 16):
            found = True
            yield f"vector_size={size}"
        if config.subwords is not None and (bucket := largest("bucket", min(config.bucket, run.input_rows), 1000)):
            found = True
            yield f"bucket={bucket}"
        if words := largest("vocabulary", run.vocabulary):
            found = True
            yield f"a vocabulary of {counted(words, 'word')} (max_vocab={words}, or a larger min_count)"
    if config.loss == "hs+ns" and not fixed and needed(run._replace(config=replace(config, loss="ns"))) <= free:
        found = True
        yield "loss='ns'"
    settings = {"window": config.window, "negative": config.negative, "epochs": config.epochs, "workers": run.workers}
    if config.loss == "hs":
        del settings["negative"]
    for name, now in settings.items():
        if value := largest(name, now):
            found = True
            yield f"{name}={value}"
    if run.checkpoints and needed(run._replace(checkpoints=False)) <= free:
        found = True
        yield "no checkpoints"
    if run.validation and needed(run._replace(validation=False)) <= free:
        found = True
        yield "no validation"
    if place == "device":
        found = True
        yield "device='cpu'"
    if not found:  # several settings are too large
        usual = {
            "window": TrainingConfig.window,
            "negative": NEGATIVE[quality],
            "epochs": EPOCHS[quality],
            "vector_size": TrainingConfig.vector_size,
            "workers": 1,
        }
        settings |= {} if fixed else {"vector_size": config.vector_size}
        lower = {name: usual[name] for name, now in settings.items() if usual[name] < now}
        chosen: dict[str, int] = {}
        while lower and needed(run.changed(**chosen)) > free:
            best = min(lower, key=lambda name: needed(run.changed(**chosen, **{name: lower[name]})))
            chosen[best] = lower.pop(best)
        if needed(run.changed(**chosen)) <= free:
            yield " and ".join(f"{name}={value}" for name, value in chosen.items())
