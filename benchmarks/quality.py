"""What trained vectors are worth, measured alike for every system from its word vectors alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Options
from benchmarks.texts import text_of
from fastw2v import WordVectors, evaluate

RESTRICT = 30_000
"""Most frequent words that ask and answer analogies."""
FEWEST_PAIRS = 100
"""A set of word pairs counts if more of them are covered: the correlation of fewer is mostly chance."""
REACH = 5
"""Neighbours on each side that stand for a place of the held-out text."""
COMMON = 100
"""Most frequent words, which stand everywhere and are not asked for."""
PLACES = 20_000
CHANCE = {"analogy %": 0.5, "pairs": 0.03}
"""What is not above these has not learnt."""


class NothingLearntError(ValueError):
    """Vectors that are not finite, or no better than chance: their speed is not worth telling."""


def of_file(path: Path, options: Options) -> dict[str, float]:
    """Return the quality of the vectors in a binary file of word2vec's: see `of_vectors`."""
    return of_vectors(WordVectors.load_word2vec_format(path, binary=True), options)


def of_vectors(vectors: WordVectors, options: Options) -> dict[str, float]:
    """Return the quality of vectors.

    With evaluation sets: "analogy %", the share of questions-words answered rightly within the first 30,000 words;
    "pairs", the mean rank correlation of the sets of word pairs; and that of each set. Without: "neighbours %", see
    `neighbours`.

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
    """Return how often, in percent, text that was not trained on tells a word from another by its neighbours.

    At each of some thousands of places, the mean direction of the five words on either side is compared with the word
    that stands there and with one that stands at another place. Which of them is nearer is right half of the time by
    chance. The most frequent words are left out of the question.

    Returns
    -------
    percent, chance : float
        The second is what chance reaches once in thirty thousand trials.
    """
    rows = np.asarray(vectors.vectors, np.float32)
    unit = np.vstack([rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12), np.zeros_like(rows[:1])])
    number = {word: i for i, word in enumerate(vectors.index_to_key)}
    ends = [-1] * REACH  # the last row is zero: no word
    ids = np.array([i for line in held_out for i in (*ends, *(number.get(w, -1) for w in line.split()), *ends)])
    random = np.random.default_rng(0)
    places = random.permutation(np.flatnonzero(ids >= COMMON))[:PLACES]
    if len(places) < 100:
        raise NothingLearntError(f"{len(places)} places in the held-out text: too few to measure by")
    reach = np.r_[-REACH:0, 1 : REACH + 1]
    right = 0.0
    others = random.permutation(places)
    for part in np.array_split(np.arange(len(places)), max(1, len(places) // 1000)):
        near = unit[ids[places[part, None] + reach]].sum(axis=1)
        own = (near * unit[ids[places[part]]]).sum(axis=1)
        other = (near * unit[ids[others[part]]]).sum(axis=1)
        right += float((own > other).sum() + 0.5 * (own == other).sum())
    return 100 * right / len(places), 50 + 4 * 50 / math.sqrt(len(places))


@cache
def _evaluation_sets(folder: Path) -> tuple[dict[str, Any], dict[str, list[tuple[str, str, float]]]]:
    """Return the questions and the word pairs in a folder."""
    questions = next(iter(sorted(folder.rglob("questions-words.txt"))), None)
    pairs = {path.stem: evaluate.read_pairs(path) for path in sorted(folder.rglob("EN-*.txt"))}
    if questions is None and not pairs:
        raise ValueError(f"{folder} holds neither questions-words.txt nor word pairs (EN-*.txt), to tell quality")
    return evaluate.read_analogies(questions) if questions else {}, pairs
