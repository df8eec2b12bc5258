"""Measure how much of the vectors each projection keeps on a map, and what it costs.

These commands made the tables in `docs/notebook/maps.md`::

    python -m benchmarks.maps english.safetensors --words 500 5000 --seed 1 2 3 --json maps.json
    python -m benchmarks.maps english.safetensors --words 20000 100000 --json maps.json
    python -m benchmarks.maps korean.safetensors --words 500 5000 --json maps.json

Every map is made in a process of its own. "first" is the time of the first map, with imports and compilation, "next" is
the time of a second one, and "memory" is what the process used at its peak beyond the vectors.

- "kept" is the share of the 10 nearest neighbours by cosine that are among the 10 nearest on the map.
- "trustworthiness" is lowered by words that are among the 10 nearest on the map only: the more, the further their
  vectors are (J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods", 2001).
- "distances" is the rank correlation between 1 - cosine and the distance on the map, over random pairs of words.

The first two are means over at most 2,000 random words. Runs that the JSON file already contains are skipped.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.harness import machine
from benchmarks.morphemes import sha256
from benchmarks.sweep import write
from fastw2v import WordVectors
from fastw2v.evaluate.statistics import correlation, ranks
from fastw2v.plot import Method, plane

NEAREST = 10
"""Number of neighbours that are compared."""
SAMPLE, PAIRS = 2000, 200_000
"""Number of words whose neighbours are compared, and of pairs of words whose distances are compared."""
METHODS: tuple[Method, ...] = get_args(Method)[1:]
PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "openTSNE", "pacmap", "umap-learn")
"""Packages whose versions are recorded."""
LARGEST: dict[Method, int] = {"tsne": 20_000}
"""Largest number of words of a method. More words take it more than ten minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    found: dict[str, Any] = json.loads(given.json.read_text()) if given.json.exists() else _header()
    digest = sha256(given.vectors)
    done = {(run["sha256"], run["words"], run["seed"], run["method"]) for run in found["runs"]}
    for n in given.words:
        for seed in given.seed:
            for method in given.method:
                if (digest, n, seed, method) in done or n > LARGEST.get(method, n) or (method == "pca" and seed > 1):
                    continue
                run = {
                    "vectors": given.vectors.name,
                    "sha256": digest,
                    **in_new_process(given.vectors, n, method, seed),
                }
                found["runs"].append(run)
                write(found, given.json)
                print(run, flush=True)
    return 0


def in_new_process(path: Path, n: int, method: Method, seed: int) -> dict[str, Any]:
    """Return the times, the memory and the scores of one map."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (path, n, method, seed))


def measured(path: Path, n: int, method: Method, seed: int) -> dict[str, Any]:
    """Draw a map twice in this process, and return the times, the memory and the scores."""
    vectors = np.asarray(WordVectors.load(path).vectors)[:n].copy()
    if len(vectors) < n:
        raise ValueError(f"{path} has {len(vectors):,} words, but --words is {n:,}")
    before, idle = _peak(), machine.usage()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        points = plane(vectors, method, seed)
        seconds.append(round(time.perf_counter() - start, 3))
    peak, others = _peak(), machine.others_share(idle, machine.usage())
    return {
        "words": n,
        "method": method,
        "seed": seed,
        "first": seconds[0],
        "next": seconds[1],
        "memory": round((peak - before) / 2**20, 1),
        "others": others,
        **scores(vectors, points),
    }


def scores(vectors: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Return how much of the neighbourhoods and of the distances a map keeps.

    Parameters
    ----------
    vectors : float array, shape (n, D)
    points : float array, shape (n, 2)
    """
    n, random = len(vectors), np.random.default_rng(0)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    kept, intruded = 0, 0.0
    rows = np.sort(random.choice(n, min(n, SAMPLE), replace=False))
    for row in rows:
        far = 1 - unit @ unit[row]
        on_map = ((points - points[row]) ** 2).sum(axis=1)
        far[row] = on_map[row] = np.inf
        near, near_on_map = (np.argpartition(one, NEAREST)[:NEAREST] for one in (far, on_map))
        kept += len(np.intersect1d(near, near_on_map))
        rank = (far < far[near_on_map, None]).sum(axis=1) + 1
        intruded += np.maximum(rank - NEAREST, 0).sum()
    worst = NEAREST * (2 * n - 3 * NEAREST - 1) / 2  # of one word
    a, b = random.integers(n, size=(2, PAIRS))
    a, b = a[a != b], b[a != b]
    cosines = np.einsum("ij,ij->i", unit[a], unit[b])
    distances = np.linalg.norm(points[a] - points[b], axis=1)
    return {
        "kept": round(kept / (NEAREST * len(rows)), 4),
        "trustworthiness": round(float(1 - intruded / (worst * len(rows))), 4),
        "distances": round(correlation(ranks(1 - cosines), ranks(distances)), 4),
    }


def _peak() -> int:
    """Return the largest amount of memory that this process has used, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _header() -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"machine": machine.describe(), "versions": versions, "runs": []}


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maps", description=__doc__.split("\n\n")[0])
    parser.add_argument("vectors", type=Path, metavar="FILE", help="word vectors, most frequent words first")
    parser.add_argument("--words", type=int, nargs="+", required=True, metavar="N", help="numbers of words to draw")
    parser.add_argument("--method", nargs="+", default=list(METHODS), choices=list(METHODS), help="default: all")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds (default: 1)")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write the results to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
