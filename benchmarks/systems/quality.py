"""Quality of trained vectors, measured from the word vectors alone and in the same way for every system."""

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
"""Analogies use only this number of the most frequent words."""
FEWEST_PAIRS = 100
"""A set of word pairs counts only if more than this many pairs are covered, because smaller sets are too noisy."""
REACH = 5
"""Number of neighbours on each side of a position in the held-out text."""
COMMON = 100
"""Number of the most frequent words that are not tested, because they occur next to all words."""
POSITIONS = 20_000
"""Maximum number of positions to test in the held-out text."""
CHANCE = {"analogy %": 0.5, "pairs": 0.03}
"""Scores by chance. Vectors that score no better have learnt nothing."""


class NothingLearntError(ValueError):
    """Error for vectors that are not finite or score no better than chance. Their speed is not reported."""


def of_file(path: Path, options: Options, format: str = "bin") -> dict[str, float]:
    """Return the quality of the vectors in a file; see `of_vectors`."""
    return of_vectors(WordVectors.load(path, format=format), options)


def of_vectors(vectors: WordVectors, options: Options) -> dict[str, float]:
    """Return the quality measures of vectors.

    With evaluation sets, the measures are:

    - "analogy %": the percentage of questions-words answered correctly among the 30,000 most frequent words,
    - "pairs": the mean rank correlation over the sets of word pairs,
    - the rank correlation of each set of word pairs, by its name.

    Without evaluation sets, the only measure is "neighbours %", which `neighbours` computes.

    Raises
    ------
    NothingLearntError
        If the vectors are not finite, or score no better than chance.
    """
    rows = np.asarray(vectors.vectors)
    if not np.isfinite(rows).all():
        raise NothingLearntError(f"{np.count_nonzero(~np.isfinite(rows).all(axis=1))} vectors are not finite")
    if options.data is None:
        found, chance = neighbours(vectors, text_of(options).held_out)
        if found <= chance:
            raise NothingLearntError(f"the neighbours score is {found:.1f} %, but chance may reach {chance:.1f} %")
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
    """Return how often the neighbours of a word in held-out text are closer to that word than to a random word.

    At each of several thousand positions, the mean direction of the five words on either side is compared with the word
    at this position and with the word at another position. Vectors that have learnt nothing prefer the correct word
    half of the time. The most frequent words are not tested.

    Returns
    -------
    percent : float
        Percentage of positions at which the neighbours are closer to the word at the position.
    chance : float
        Percentage that is exceeded by chance once in 30,000 trials.
    """
    rows = np.asarray(vectors.vectors, np.float32)
    unit = np.vstack([rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12), np.zeros_like(rows[:1])])
    row = {word: i for i, word in enumerate(vectors.index_to_key)}
    ends = [-1] * REACH  # the last row, all zeros, represents unknown words and ends of lines
    ids = np.array([i for line in held_out for i in (*ends, *(row.get(w, -1) for w in line.split()), *ends)])
    random = np.random.default_rng(0)
    positions = random.permutation(np.flatnonzero(ids >= COMMON))[:POSITIONS]
    if len(positions) < 100:
        raise NothingLearntError(f"the held-out text has only {len(positions)} positions to test; 100 are needed")
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
    """Return the analogy questions and the sets of word pairs in a folder."""
    questions = next(iter(sorted(folder.rglob("questions-words.txt"))), None)
    pairs = {path.stem: evaluate.read_pairs(path) for path in sorted(folder.rglob("EN-*.txt"))}
    if questions is None and not pairs:
        raise ValueError(f"{folder} contains neither questions-words.txt nor word pairs (EN-*.txt)")
    return evaluate.read_analogies(questions) if questions else {}, pairs
