"""How good vectors are: analogies answered, and similarities that rank as people rank them.

Both go by words that the vectors know; the rest is left out and counted, so read a score beside its coverage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, set_rows, to_host
from fastw2v.vectors import WordVectors

__all__ = ["AnalogyResult", "PairsResult", "SectionResult", "analogies", "read_analogies", "read_pairs", "word_pairs"]

Question = tuple[str, str, str, str]

# Scores held at a time: 64 MB in single precision.
_BLOCK = 2**24


@dataclass(frozen=True)
class SectionResult:
    """Analogies of one section.

    Attributes
    ----------
    name : str
    correct, covered, total : int
        Questions answered correctly, questions whose four words are known, and all.
    """

    name: str
    correct: int
    covered: int
    total: int

    @property
    def accuracy(self) -> float:
        """Correct answers as a share of the covered questions, NaN when none is covered."""
        return self.correct / self.covered if self.covered else math.nan

    @property
    def coverage(self) -> float:
        """Covered questions as a share of all, NaN when there is none."""
        return self.covered / self.total if self.total else math.nan


@dataclass(frozen=True)
class AnalogyResult:
    """Analogies, by section and in all.

    Attributes
    ----------
    sections : tuple of SectionResult
        In the order of the questions.
    overall : SectionResult
        Their sum, so that long sections weigh more.
    """

    sections: tuple[SectionResult, ...]
    overall: SectionResult


@dataclass(frozen=True)
class PairsResult:
    """Agreement with human judgments of similarity.

    Attributes
    ----------
    spearman, pearson : float
        Rank and linear correlation over the covered pairs; NaN when they are fewer than two or all alike.
    covered, total : int
        Pairs whose two words are known, and all.
    """

    spearman: float
    pearson: float
    covered: int
    total: int

    @property
    def coverage(self) -> float:
        """Covered pairs as a share of all, NaN when there is none."""
        return self.covered / self.total if self.total else math.nan


def read_analogies(path: str | PathLike[str]) -> dict[str, list[Question]]:
    """Read analogy questions in the form of ``questions-words.txt``.

    Parameters
    ----------
    path : str or path
        UTF-8: lines of four words, under lines ``: section``.

    Returns
    -------
    dict of str to list of (str, str, str, str)
        The questions of each section. Those before the first section, if any, are in the section "".

    Raises
    ------
    ValueError
        If a line has not four words or there is no question at all, with the line's number.
    OSError
        If the file cannot be opened.
    """
    sections: dict[str, list[Question]] = {}
    section = ""
    for number, line in _lines(path):
        if line.startswith(": "):
            section = line[2:].strip()
            sections.setdefault(section, [])
            continue
        words = line.split()
        if len(words) != 4:
            raise ValueError(f"{path}, line {number}: {line[:60]!r} is neither four words nor ': section'")
        sections.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
    if not any(sections.values()):
        raise ValueError(f"{path}: the file has no questions; they are lines of four words, under lines ': section'")
    return sections


def analogies(
    vectors: WordVectors,
    questions: Mapping[str, Sequence[Question]],
    restrict_vocab: int = 30_000,
    lower: bool = True,
) -> AnalogyResult:
    """Answer analogies "a is to b as c is to d" by the word nearest to b − a + c at unit lengths (3CosAdd).

    Parameters
    ----------
    vectors : WordVectors
        The most frequent words first.
    questions : dict of str to list of (str, str, str, str)
        From `read_analogies`.
    restrict_vocab : int
        Only the first so many words ask and answer; questions with any other word are not covered.
    lower : bool
        Compare words without regard to case. Where several words differ by case only, the first of them asks,
        and each of them is a right answer.

    Returns
    -------
    AnalogyResult

    Raises
    ------
    ValueError
        If `restrict_vocab` is below 1.

    Notes
    -----
    The words of the question, in any case if `lower`, are never an answer. Scores equal those of gensim's
    ``evaluate_word_analogies(..., restrict_vocab, case_insensitive=lower)``.
    """
    if restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}; it must be at least 1")
    restrict_vocab = min(restrict_vocab, len(vectors))
    unit = vectors.unit_vectors[:restrict_vocab, :]
    spellings = [_spelling(word, lower) for word in vectors.index_to_key[:restrict_vocab]]
    first_rows = _first_rows(spellings)
    spelling_ids = np.array([first_rows[spelling] for spelling in spellings])

    sections = []
    for name, asked in questions.items():
        known = [
            [first_rows[word] for word in words]
            for words in (tuple(_spelling(word, lower) for word in question) for question in asked)
            if all(word in first_rows for word in words)
        ]
        correct = _count_correct(unit, spelling_ids, np.array(known, dtype=np.int64).reshape(-1, 4))
        sections.append(SectionResult(name, correct, len(known), len(asked)))
    overall = SectionResult(
        "overall",
        sum(section.correct for section in sections),
        sum(section.covered for section in sections),
        sum(section.total for section in sections),
    )
    return AnalogyResult(tuple(sections), overall)


def read_pairs(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Read pairs of words with human judgments of their similarity.

    Parameters
    ----------
    path : str or path
        UTF-8: lines ``word1 word2 score``, separated by tabs or spaces; lines that start with ``#`` are comments.

    Returns
    -------
    list of (str, str, float)

    Raises
    ------
    ValueError
        If a line is not two words and a number or there is no pair at all, with the line's number.
    OSError
        If the file cannot be opened.
    """
    pairs = []
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        try:
            first, second, score = line.split()
            pairs.append((first, second, _finite(score)))
        except ValueError:
            raise ValueError(f"{path}, line {number}: {line[:60]!r} is not two words and a number") from None
    if not pairs:
        raise ValueError(f"{path}: the file has no pairs; they are lines of two words and a number")
    return pairs


def word_pairs(vectors: WordVectors, pairs: Iterable[tuple[str, str, float]], lower: bool = True) -> PairsResult:
    """Correlate cosines with human judgments of similarity.

    Parameters
    ----------
    vectors : WordVectors
        The most frequent words first.
    pairs : iterable of (str, str, float)
        From `read_pairs`.
    lower : bool
        Compare words without regard to case; where several words differ by case only, the first of them counts.

    Returns
    -------
    PairsResult
    """
    pairs = list(pairs)
    rows = _first_rows([_spelling(word, lower) for word in vectors.index_to_key])
    spelled = [(_spelling(a, lower), _spelling(b, lower), score) for a, b, score in pairs]
    known = [(rows[a], rows[b], score) for a, b, score in spelled if a in rows and b in rows]
    if not known:
        return PairsResult(math.nan, math.nan, 0, len(pairs))

    unit = vectors.unit_vectors
    xp = get_namespace(unit)
    ids_a, ids_b = (
        xp.asarray([pair[side] for pair in known], dtype=xp.int64, device=get_device(unit)) for side in (0, 1)
    )
    cosines = to_host(xp.sum(xp.take(unit, ids_a, axis=0) * xp.take(unit, ids_b, axis=0), axis=1)).astype(np.float64)
    judged = np.array([score for *_, score in known], dtype=np.float64)
    spearman = _correlation(_ranks(cosines), _ranks(judged))
    return PairsResult(spearman, _correlation(cosines, judged), len(known), len(pairs))


def _lines(path: str | PathLike[str]) -> Iterable[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: the file is not UTF-8 text: {error.reason} at byte {error.start:,}") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _spelling(word: str, lower: bool) -> str:
    return word.lower() if lower else word


def _first_rows(spellings: Sequence[str]) -> dict[str, int]:
    """Return the first row of each spelling."""
    return {spellings[row]: row for row in range(len(spellings) - 1, -1, -1)}


def _count_correct(unit: Any, spelling_ids: np.ndarray, questions: np.ndarray) -> int:
    """Count the questions that are answered correctly.

    Parameters
    ----------
    unit : float array, shape (R, D)
        The words that may answer.
    spelling_ids : int array, shape (R,)
        The first row that is spelled as each row is.
    questions : int array, shape (N, 4)
        Rows of a, b, c and d.
    """
    xp = get_namespace(unit)
    n_rows, device = unit.shape[0], get_device(unit)
    correct = 0
    block = max(1, _BLOCK // n_rows)
    for start in range(0, len(questions), block):
        asked = questions[start : start + block]
        a, b, c = (xp.take(unit, xp.asarray(asked[:, i], device=device), axis=0) for i in range(3))
        scores = xp.reshape((b - a + c) @ unit.T, (-1,))
        left_out = asked[:, :3]
        pending = np.arange(len(asked))
        # The question's own rows are struck out at once. Now and then the best of the others is a variant of
        # them in another case: then it is struck out too, and the next best looked for.
        while len(pending):
            places = np.unique(pending[:, None] * n_rows + left_out)
            worst = xp.full(places.shape, -xp.inf, dtype=scores.dtype, device=device)
            set_rows(scores, xp.asarray(places, device=device), worst)
            table = xp.reshape(scores, (len(asked), n_rows))
            if len(pending) < len(asked):
                table = xp.take(table, xp.asarray(pending, device=device), axis=0)
            best = to_host(xp.argmax(table, axis=1))
            exhausted = to_host(xp.max(table, axis=1)) == -np.inf
            answers = spelling_ids[best]
            again = (answers[:, None] == asked[pending, :3]).any(axis=1) & ~exhausted
            correct += int(np.sum((answers == asked[pending, 3]) & ~again & ~exhausted))
            pending, left_out = pending[again], best[again, None]
    return correct


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value from 1, equal values sharing the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Pearson's correlation, NaN where one side does not vary."""
    if x.min() == x.max() or y.min() == y.max():
        return math.nan
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy) / math.sqrt(float(dx @ dx) * float(dy @ dy))
