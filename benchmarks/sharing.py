"""What it costs two threads to share the rows of the tables: ``python -m benchmarks.sharing corpus.w2v --model cbow``.

In each round, two threads train for a fraction of a second with private copies of frequent rows, without them, and with
separate tables, one after the other. A virtual machine may move its processors between caches at any time, so the
rounds in which shared rows are slow are reported separately.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from fastw2v import Corpus
from fastw2v.config import BUCKET, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, Loss, Model, TrainingConfig
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.engines import cpu
from fastw2v.engines.base import Tables, TrainingReport
from fastw2v.sampling.chunks import Chunk, iter_chunks

__all__ = ["main", "measure", "medians"]

VARIANTS = ("one thread", "in place", "private copies", "separate tables")
SLOW = 0.8
"""Speed of two threads that train shared rows in place, relative to separate tables, below which a round is slow."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path, help="an encoded corpus (fastw2v encode)")
    parser.add_argument("--model", choices=get_args(Model), default="cbow")
    parser.add_argument("--loss", choices=get_args(Loss), default="ns")
    parser.add_argument("--subwords", action="store_true", help="train n-grams of 3 to 6 characters as well")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.3, help="time of a variant in a round")
    parser.add_argument("--json", type=Path, help="file for the speeds of all rounds")
    given = parser.parse_args(arguments)
    corpus = Corpus.load(given.corpus)
    subwords = Subwords(corpus.vocabulary.words, NGrams(3, 6, BUCKET)) if given.subwords else None
    config = TrainingConfig(model=given.model, loss=given.loss, epochs=1)
    rounds = measure(corpus, config, subwords, given.rounds, given.seconds)
    if given.json is not None:
        given.json.write_text(json.dumps({"variants": VARIANTS, "words_per_second": rounds}) + "\n")
    print(f"{'M words/s':10}{'rounds':>8}" + "".join(f"{name:>18}" for name in VARIANTS))
    for kind, (count, speeds) in medians(rounds).items():
        print(f"{kind:10}{count:8}" + "".join(f"{speed / 1e6:18.2f}" for speed in speeds))


def measure(
    corpus: Corpus, config: TrainingConfig, subwords: Subwords | None, rounds: int, seconds: float
) -> list[list[float]]:
    """Return the words per second of each variant in each round."""
    tables = []
    for seed in range(2):
        V, D = len(corpus.vocabulary), config.vector_size
        pair = cpu.allocate((V, D), "cpu", config.loss, None if subwords is None else subwords.n_rows)
        pair.W_in[...] = np.random.default_rng(seed).uniform(-0.5 / D, 0.5 / D, pair.W_in.shape)
        tables.append(pair)

    def training(pair: Tables, workers: int, concurrency: int) -> cpu.ChunkTraining:
        return cpu.ChunkTraining(pair, corpus, config, workers=workers, concurrency=concurrency, subwords=subwords)

    variants = {
        "one thread": [training(tables[0], 1, 1)],
        "in place": [training(tables[0], 2, 1)],
        "private copies": [training(tables[0], 2, 2)],
        "separate tables": [training(pair, 1, 1) for pair in tables],
    }
    return [[_speed(variants[name], corpus, config, seconds) for name in VARIANTS] for _ in range(rounds)]


def medians(rounds: list[list[float]]) -> dict[str, tuple[int, list[float]]]:
    """Return the number of slow and of fast rounds, with the median speed of each variant."""
    kinds: dict[str, list[list[float]]] = {"slow": [], "fast": []}
    for speeds in rounds:
        slow = speeds[VARIANTS.index("in place")] < SLOW * speeds[VARIANTS.index("separate tables")]
        kinds["slow" if slow else "fast"].append(speeds)
    return {
        kind: (len(found), [statistics.median(speeds) for speeds in zip(*found, strict=True)])
        for kind, found in kinds.items()
        if found
    }


def _speed(trainings: list[cpu.ChunkTraining], corpus: Corpus, config: TrainingConfig, seconds: float) -> float:
    """Return the words per second of threads, each of which runs one of the trainings."""
    reports = [TrainingReport(config, len(corpus), None) for _ in trainings]
    start = time.perf_counter()
    threads = [
        threading.Thread(target=one.run, args=(_chunks_until(start + seconds, corpus, seed), report))
        for seed, (one, report) in enumerate(zip(trainings, reports, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(report.state.words for report in reports) / (time.perf_counter() - start)


def _chunks_until(end: float, corpus: Corpus, seed: int) -> Iterator[Chunk]:
    """Yield chunks of an epoch until a time of `time.perf_counter`."""
    for chunk in iter_chunks(corpus.offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, seed, 1):
        if time.perf_counter() >= end:
            break
        yield chunk


if __name__ == "__main__":
    main()
