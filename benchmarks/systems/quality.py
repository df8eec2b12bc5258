"""The quality of trained vectors, measured from the word vectors alone, in the same way for every system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.measure import Options
from benchmarks.systems.texts import text_of
from fastw2v import evaluate
from fastw2v.vectors.word_vectors import WordVectors

RESTRICT = 30_000
"""Analogies are restricted to this many most frequent words."""
FEWEST_PAIRS = 100
"""A set of word pairs counts if more of its pairs are covered: the correlation of fewer is mostly chance."""
REACH = 5
"""Neighbours on each side of a position in the held-out text."""
COMMON = 100
"""This many most frequent words are not asked for: they occur next to everything."""
POSITIONS = 20_000
"""Positions in the held-out text that are asked for, at most."""
CHANCE = {"analogy %": 0.5, "pairs": 0.03}
"""Vectors that score no better than this have not learnt anything."""


class NothingLearntError(ValueError):
    """Vectors that are not finite, or no better than chance: their speed is not reported."""


def of_file(path: Path, options: Options) -> dict[str, float]:
    """Return the quality of the vectors in a file in word2vec's binary format: see `of_vectors`."""
    return of_vectors(WordVectors.load(path, format="bin"), options)


def of_vectors(vectors: WordVectors, options: Options) -> dict[str, float]:
    """Return the quality of vectors.

    With evaluation sets: "analogy %", the share of questions-words answered correctly among the 30,000 most frequent
    words; "pairs", the mean rank correlation over the sets of word pairs; and the correlation of each set. Without
    them: "neighbours %", see `neighbours`.

    Raises
    ------
    NothingLearntError
        If the vectors are not finite, or no better than chance.
    """
    rows = np.asarray(vectors.vectors)
    if not np.isfinite(rows).all():
        raise NothingLearntError(f"{np.count_nonzero(~np.isfinite(rows).all(axis=1))} vectors are not finite")
    if options.data is None:
        found, chance = neighbours(vectors, text_of(options).held_out)
        if found <= chance:
            raise NothingLearntError(f"neighbours {found:.1f} %, where chance may reach {chance:.1f} %")
        return {"neighbours %": round(found, 2)}
    questions, sets = _evaluation_sets(options.data)
    quality: dict[str, float] = {}
    if questions:
        overall = evaluate.analogies(vectors, questions, RESTRICT).overall
        if overall.covered:
            quality["analogy %"] = round(100 * overall.correct / overall.covered, 2)
    rhos = {}
    for name, pairs in sets.items():
        result = evaluate.word_pairs(vectors, pairs)
        if result.covered > FEWEST_PAIRS and math.isfinite(result.spearman):
            rhos[name] = round(result.spearman, 4)
    if rhos:
        quality["pairs"] = round(float(np.mean(list(rhos.values()))), 4)
    if not any(quality.get(name, -1) > least for name, least in CHANCE.items()):
        raise NothingLearntError(f"no better than chance: {quality or 'no evaluation set fits the vocabulary'}")
    return quality | rhos


def neighbours(vectors: WordVectors, held_out: Sequence[str]) -> tuple[float, float]:
    """Return how often, in percent, the neighbours of a word in held-out text are closer to it than to another word.

    At each of some thousands of positions, the mean direction of the five words on either side is compared with the
    word at this position and with a word from another position. Chance is right half of the time. The most frequent
    words are not asked for.

    Returns
    -------
    percent, chance : float
        Chance exceeds the second once in thirty thousand trials.
    """
    rows = np.asarray(vectors.vectors, np.float32)
    unit = np.vstack([rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12), np.zeros_like(rows[:1])])
    row = {word: i for i, word in enumerate(vectors.index_to_key)}
    ends = [-1] * REACH  # the last row is zero: no word
    ids = np.array([i for line in held_out for i in (*ends, *(row.get(w, -1) for w in line.split()), *ends)])
    random = np.random.default_rng(0)
    positions = random.permutation(np.flatnonzero(ids >= COMMON))[:POSITIONS]
    if len(positions) < 100:
        raise NothingLearntError(f"{len(positions)} positions in the held-out text: too few to measure by")
    reach = np.r_[-REACH:0, 1 : REACH + 1]
    right = 0.0
    others = random.permutation(positions)
    for part in np.array_split(np.arange(len(positions)), max(1, len(positions) // 1000)):
        near = unit[ids[positions[part, None] + reach]].sum(axis=1)
        own = (near * unit[ids[positions[part]]]).sum(axis=1)
        other = (near * unit[ids[others[part]]]).sum(axis=1)
        right += float((own > other).sum() + 0.5 * (own == other).sum())
    return 100 * right / len(positions), 50 + 4 * 50 / math.sqrt(len(positions))


@cache
def _evaluation_sets(folder: Path) -> tuple[dict[str, Any], dict[str, list[tuple[str, str, float]]]]:
    """Return the questions and the word pairs in a folder."""
    questions = next(iter(sorted(folder.rglob("questions-words.txt"))), None)
    pairs = {path.stem: evaluate.read_pairs(path) for path in sorted(folder.rglob("EN-*.txt"))}
    if questions is None and not pairs:
        raise ValueError(f"{folder} holds neither questions-words.txt nor word pairs (EN-*.txt)")
    return evaluate.read_analogies(questions) if questions else {}, pairs
