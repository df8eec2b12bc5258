"""Analogies: questions "a is to b as c is to d", answered by 3CosAdd or 3CosMul, section by section."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.evaluate.readers import Question
from fastw2v.vectors.neighbors import without
from fastw2v.vectors.word_vectors import WordVectors

__all__ = [
    "AnalogyResult",
    "Method",
    "SectionResult",
    "analogies",
    "answer_questions",
    "fold_case",
    "rows_by_spelling",
]

Method = Literal["3cosadd", "3cosmul"]
"""How a question is answered: see `analogies`."""
# Sections answered at a time: they read more than they compute, and two cores read faster than one.
_THREADS = 2
# Cosines of the words of a section's questions held at a time: 128 MB in single precision.
_COSINES = 2**25
# Scores of questions at a time: 4 MB, so that they stay in the cache until the best is found.
_SCORES = 2**20


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


def analogies(
    vectors: WordVectors,
    questions: Mapping[str, Sequence[Question]],
    restrict_vocab: int = 30_000,
    lower: bool = True,
    method: Method = "3cosadd",
) -> AnalogyResult:
    """Answer analogies "a is to b as c is to d".

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
    method : {"3cosadd", "3cosmul"}
        The answer is the word nearest to b − a + c at unit lengths, or that with the highest product of its
        similarities to b and c divided by that to a: see `WordVectors.most_similar_cosmul`.

    Returns
    -------
    AnalogyResult

    Raises
    ------
    ValueError
        If `restrict_vocab` is below 1 or `method` is another.

    Notes
    -----
    The words of the question, in any case if `lower`, are never an answer. Scores equal those of gensim's
    ``evaluate_word_analogies(..., restrict_vocab, case_insensitive=lower)``.
    """
    answers = answer_questions(vectors, questions, restrict_vocab, lower, method)
    sections = [
        SectionResult(name, answer.count(True), len(answer) - answer.count(None), len(answer))
        for name, answer in answers.items()
    ]
    overall = SectionResult(
        "overall",
        sum(section.correct for section in sections),
        sum(section.covered for section in sections),
        sum(section.total for section in sections),
    )
    return AnalogyResult(tuple(sections), overall)


def fold_case(word: Any, lower: bool) -> str:
    """Return a word as text, in lower case if `lower`: equal results are the same word in an evaluation set."""
    return str(word).lower() if lower else str(word)


def rows_by_spelling(vectors: WordVectors, restrict_vocab: int, lower: bool) -> tuple[dict[str, int], list[str]]:
    """Return the first row of each spelling among the first so many words, and the spelling of each of these words.

    Parameters
    ----------
    vectors : WordVectors
    restrict_vocab : int
        How many words to take.
    lower : bool
        Fold words that differ by case only into one spelling: see `fold_case`.
    """
    spellings = [fold_case(word, lower) for word in vectors.index_to_key[:restrict_vocab]]
    return {spellings[row]: row for row in range(len(spellings) - 1, -1, -1)}, spellings


def answer_questions(
    vectors: WordVectors,
    questions: Mapping[str, Sequence[Question]],
    restrict_vocab: int,
    lower: bool,
    method: Method,
) -> dict[str, list[bool | None]]:
    """Return for each section whether its questions are answered correctly.

    Parameters
    ----------
    vectors, questions, restrict_vocab, lower, method
        As in `analogies`.

    Returns
    -------
    dict of str to list of (bool or None)
        One entry for each question of a section; None where one of its words is unknown.

    Raises
    ------
    ValueError
        If `restrict_vocab` is below 1 or `method` is another.
    """
    if restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}; it must be at least 1")
    if method not in ("3cosadd", "3cosmul"):
        raise ValueError(f"method is {method!r}; it must be '3cosadd' or '3cosmul'")
    first_rows, spellings = rows_by_spelling(vectors, restrict_vocab, lower)
    spelling_ids = np.array([first_rows[spelling] for spelling in spellings])
    unit = vectors.unit_vectors[: len(spellings), :]
    rows = [
        np.array(
            [[first_rows.get(fold_case(word, lower), -1) for word in question] for question in asked], dtype=np.int64
        ).reshape(-1, 4)
        for asked in questions.values()
    ]
    covered = [np.all(section >= 0, axis=1) for section in rows]

    def answered(section: int) -> np.ndarray:
        return _correct(unit, spelling_ids, rows[section][covered[section]], method)

    if is_numpy(unit):
        with ThreadPoolExecutor(_THREADS) as pool:
            correct = list(pool.map(answered, range(len(rows))))
    else:  # a GPU is chosen for each thread anew
        correct = list(map(answered, range(len(rows))))
    answers: dict[str, list[bool | None]] = {}
    for name, known, right in zip(questions, covered, correct, strict=True):
        found = iter(right.tolist())
        answers[name] = [next(found) if one else None for one in known.tolist()]
    return answers


def _correct(unit: Any, spelling_ids: np.ndarray, questions: np.ndarray, method: Method) -> np.ndarray:
    """Return whether each question is answered correctly: bool array, shape (N,).

    The questions of a section share a few words. So the cosines of these words with all others are computed
    once, and a question's scores are put together from three rows of them.

    Parameters
    ----------
    unit : float array, shape (R, D)
        The words that may answer.
    spelling_ids : int array, shape (R,)
        The first row that is spelled as each row is.
    questions : int array, shape (N, 4)
        Rows of a, b, c and d.
    method : {"3cosadd", "3cosmul"}
    """
    words, places = np.unique(questions[:, :3], return_inverse=True)
    n_rows, half = unit.shape[0], len(questions) // 2
    if half and len(words) * n_rows > _COSINES:
        parts = (questions[:half], questions[half:])
        return np.concatenate([_correct(unit, spelling_ids, part, method) for part in parts])
    xp, device = get_namespace(unit), get_device(unit)
    cosines = xp.take(unit, xp.asarray(words, device=device), axis=0) @ unit.T
    if method == "3cosmul":
        cosines = (1 + cosines) / 2
    columns = xp.asarray(np.ascontiguousarray(places.reshape(-1, 3).T), device=device)
    correct = np.zeros(len(questions), dtype=bool)
    block = max(1, _SCORES // n_rows)
    for start in range(0, len(questions), block):
        stop = min(start + block, len(questions))
        a, scores, c = (xp.take(cosines, columns[i, start:stop], axis=0) for i in range(3))
        if method == "3cosadd":
            scores -= a
            scores += c
        else:
            scores *= c
            scores /= a + 1e-6
        correct[start:stop] = _best_are_right(scores, spelling_ids, questions[start:stop])
    return correct


def _best_are_right(scores: Any, spelling_ids: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Return whether the best answer, other than a word of the question, is the expected one."""
    xp = get_namespace(scores)
    correct = np.zeros(len(questions), dtype=bool)
    pending, left_out = np.arange(len(questions)), questions[:, :3]
    # The question's own rows are struck out at once. Now and then the best of the others is a variant of
    # them in another case: then it is struck out too, and the next best looked for.
    while len(pending):
        own = np.repeat(np.arange(len(pending)), left_out.shape[1])
        scores = without(scores, np.stack([own, left_out.reshape(-1)], axis=1))
        best = xp.argmax(scores, axis=1)
        exhausted = to_host(xp.take_along_axis(scores, best[:, None], axis=1))[:, 0] == -np.inf
        best = to_host(best)
        answers, asked = spelling_ids[best], questions[pending]
        again = (answers[:, None] == asked[:, :3]).any(axis=1) & ~exhausted
        correct[pending] = (answers == asked[:, 3]) & ~again & ~exhausted
        pending, left_out = pending[again], best[again, None]
        scores = xp.take(scores, xp.asarray(np.flatnonzero(again), device=get_device(scores)), axis=0)
    return correct
