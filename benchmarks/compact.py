"""Compare vectors stored as float32, float16 and int8: size, opening time, queries and quality.

This program makes the table of `docs/notebook/queries.md`::

    python -m benchmarks.compact vectors.safetensors --analogies questions-words.txt --pairs word-sim/EN-*.txt

Each file is converted to each type in a temporary folder. Times are medians, and the types take turns. The neighbours
are those of words that are drawn from the 30,000 most frequent, compared with the neighbours in float32.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.sweep import quality
from benchmarks.systems.quality import RESTRICT
from fastw2v import evaluate
from fastw2v.vectors.word_vectors import WordVectors

DTYPES = ("float32", "float16", "int8")
TOPN = 10
HEADER = """\
| vectors | type | MB | open, ms | query, ms | top {top}: shared, % | top {top}: same words, % | analogies, % | pairs |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


class Neighbours(NamedTuple):
    """How well the nearest neighbours agree with those in float32."""

    shared: float
    """Mean share of the neighbours that are among those in float32."""
    same: float
    """Share of the words with the same set of neighbours."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    questions = evaluate.read_analogies(given.analogies) if given.analogies else {}
    pairs = {path.stem: evaluate.read_pairs(path) for path in given.pairs}
    print(HEADER.format(top=TOPN))
    for path in given.vectors:
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(path, Path(folder), questions, pairs, given.words, given.repeats):
                print(f"| {' | '.join(row)} |", flush=True)
    return 0


def rows(
    path: Path, folder: Path, questions: dict[str, Any], pairs: dict[str, Any], n_words: int, repeats: int
) -> list[list[str]]:
    """Return the cells of the table for one file, a list for each type."""
    vectors = WordVectors.load(path)
    plain = WordVectors(vectors.index_to_key, vectors.vectors, vectors.counts)
    files = {dtype: folder / f"{dtype}.safetensors" for dtype in DTYPES}
    for dtype, file in files.items():
        plain.astype(dtype).save(file)
    del vectors, plain
    opened = {dtype: timed(partial(WordVectors.load, file), repeats) for dtype, file in files.items()}
    loaded = {dtype: WordVectors.load(file) for dtype, file in files.items()}
    words = drawn(loaded[DTYPES[0]], n_words)
    times: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    for word in words[:1] + words[: 10 * repeats]:  # the first query computes the lengths
        for dtype, wv in loaded.items():
            times[dtype].append(timed(partial(wv.most_similar, word, topn=TOPN), 1))
    found = []
    for dtype, wv in loaded.items():
        same = agreement(loaded[DTYPES[0]], wv, words)
        scores = quality(wv, questions, pairs)
        found.append(
            [
                path.stem,
                dtype,
                f"{files[dtype].stat().st_size / 1e6:.3g}",
                f"{1e3 * opened[dtype]:.1f}",
                f"{1e3 * statistics.median(times[dtype][1:]):.2f}",
                f"{100 * same.shared:.1f}",
                f"{100 * same.same:.1f}",
                f"{scores['analogies']:.2f}" if "analogies" in scores else "",
                f"{scores['pairs']:.4f}" if "pairs" in scores else "",
            ]
        )
    return found


def drawn(vectors: WordVectors, n_words: int) -> list[Any]:
    """Return words that are drawn from the most frequent."""
    known = min(len(vectors), RESTRICT)
    rows = np.random.default_rng(0).choice(known, size=min(n_words, known), replace=False)
    return [vectors.index_to_key[row] for row in rows.tolist()]


def agreement(exact: WordVectors, vectors: WordVectors, words: Sequence[Any]) -> Neighbours:
    """Return how well the nearest neighbours of words agree with the exact ones."""
    shared = []
    for one, other in zip(exact.nearest(words, TOPN), vectors.nearest(words, TOPN), strict=True):
        expected = {word for word, _ in one}
        shared.append(len(expected & {word for word, _ in other}) / len(expected))
    return Neighbours(float(np.mean(shared)), float(np.mean(np.array(shared) == 1)))


def timed(call: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compact", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("vectors", nargs="+", type=Path, help="files of word vectors")
    parser.add_argument("--analogies", type=Path, help="file with analogy questions")
    parser.add_argument("--pairs", nargs="+", type=Path, default=[], help="files with word pairs")
    parser.add_argument("--words", type=int, default=5000, help="number of words whose neighbours are compared")
    parser.add_argument(
        "--repeats",
        type=int,
        default=10,
        help="number of times each file is opened; ten times as many words are queried",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
