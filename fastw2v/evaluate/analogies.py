"""Analogy questions, "a is to b as c is to d", answered with 3CosAdd or 3CosMul and scored by section."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.config import check_choice, check_flags, check_integer
from fastw2v.evaluate.readers import Question
from fastw2v.utils.checks import check_type
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

log = logging.getLogger(__name__)

Method = Literal["3cosadd", "3cosmul"]
"""Methods for answering a question; see `analogies`."""
# Number of sections answered at a time. Memory bandwidth is the bottleneck, and two cores read faster than one.
_THREADS = 2
# Maximum number of cosines in memory for a section: 128 MB in single precision.
_COSINES = 2**25
# Number of scores computed at a time: 4 MB, so that they stay in the cache until the best answers are found.
_SCORES = 2**20


@dataclass(frozen=True)
class SectionResult:
    """Score of one section of analogy questions.

    Attributes
    ----------
    name : str
    correct : int
        Number of questions answered correctly.
    covered : int
        Number of questions whose four words are all known.
    total : int
        Number of questions.
    """

    name: str
    correct: int
    covered: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of covered questions answered correctly, or NaN if no question is covered.

        Examples
        --------
        >>> from fastw2v.evaluate import SectionResult
        >>> SectionResult("capitals", correct=3, covered=4, total=5).accuracy
        0.75
        """
        return self.correct / self.covered if self.covered else math.nan

    @property
    def coverage(self) -> float:
        """Share of questions that are covered, or NaN if there are no questions.

        Examples
        --------
        >>> from fastw2v.evaluate import SectionResult
        >>> SectionResult("capitals", correct=3, covered=4, total=5).coverage
        0.8
        """
        return self.covered / self.total if self.total else math.nan


@dataclass(frozen=True)
class AnalogyResult:
    """Scores of each section of analogy questions, and of all sections together.

    Attributes
    ----------
    sections : tuple of SectionResult
        One score for each section, in the given order.
    overall : SectionResult
        Counts summed over all sections, so long sections have more weight than short sections.
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
    """Score word vectors on analogy questions "a is to b as c is to d".

    Parameters
    ----------
    vectors : WordVectors
        Words in order of decreasing frequency.
    questions : dict of str to list of (str, str, str, str)
        Questions of each section, for example from `read_analogies`.
    restrict_vocab : int
        Use only the first `restrict_vocab` words. Questions that contain any other word are not covered.
    lower : bool
        If true, ignore case. If several words differ only in case, questions use the vector of the first one, and any
        of them is accepted as an answer.
    method : {"3cosadd", "3cosmul"}
        How to choose the answer. "3cosadd" returns the word nearest to b − a + c, where each vector is first scaled to
        unit length. "3cosmul" multiplies and divides similarities; see `WordVectors.most_similar_cosmul`.

    Returns
    -------
    AnalogyResult
        If no question is covered, the accuracy is NaN, and a warning is logged.

    Raises
    ------
    TypeError
        If `restrict_vocab` is not an integer.
    ValueError
        If `restrict_vocab` is below 1, or `method` is not supported.

    Notes
    -----
    The words a, b and c of a question are never answers. If `lower` is true, words that differ from them only in case
    are excluded as well. Scores equal those of gensim's
    ``evaluate_word_analogies(..., restrict_vocab, case_insensitive=lower)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate import analogies
    >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4]])
    >>> wv = WordVectors(["man", "woman", "king", "queen"], matrix)
    >>> questions = {"family": [("man", "king", "woman", "queen"), ("man", "king", "girl", "princess")]}
    >>> analogies(wv, questions).overall
    SectionResult(name='overall', correct=1, covered=1, total=2)
    """
    check_flags(lower=lower)
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
    if not overall.covered:
        log.warning(
            "analogies: none of the %d questions has four known words among the first %d; the accuracy is NaN",
            overall.total,
            restrict_vocab,
        )
    return AnalogyResult(tuple(sections), overall)


def fold_case(word: Any, lower: bool) -> str:
    """Return a word as a string, in lower case if `lower` is true, for comparison with the words of an evaluation set.

    Examples
    --------
    >>> from fastw2v.evaluate.analogies import fold_case
    >>> fold_case("Paris", lower=True), fold_case(7, lower=True)
    ('paris', '7')
    """
    return str(word).lower() if lower else str(word)


def rows_by_spelling(vectors: WordVectors, restrict_vocab: int, lower: bool) -> tuple[dict[str, int], list[str]]:
    """Return the first row of each spelling, and the spelling of each row.

    Parameters
    ----------
    vectors : WordVectors
    restrict_vocab : int
        Use only the first `restrict_vocab` words.
    lower : bool
        If true, words that differ only in case have the same spelling.

    Returns
    -------
    first_rows : dict of str to int
        The first row of each spelling.
    spellings : list of str
        The spelling of each row.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate.analogies import rows_by_spelling
    >>> wv = WordVectors(["us", "US", "them"], np.eye(3))
    >>> first_rows, spellings = rows_by_spelling(wv, restrict_vocab=3, lower=True)
    >>> first_rows["us"], first_rows["them"], spellings
    (0, 2, ['us', 'us', 'them'])
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
    """Answer analogy questions and return whether each answer is correct.

    Parameters
    ----------
    vectors, questions, restrict_vocab, lower, method
        See `analogies`.

    Returns
    -------
    dict of str to list of (bool or None)
        A list for each section, with one entry for each question: whether the answer is correct, or None if a word of
        the question is unknown.

    Raises
    ------
    ValueError
        If `restrict_vocab` is below 1, or `method` is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate.analogies import answer_questions
    >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4]])
    >>> wv = WordVectors(["man", "woman", "king", "queen"], matrix)
    >>> questions = {"family": [("man", "king", "woman", "queen"), ("man", "king", "girl", "princess")]}
    >>> answer_questions(wv, questions, restrict_vocab=4, lower=True, method="3cosadd")
    {'family': [True, None]}
    """
    check_type("vectors", vectors, WordVectors, "WordVectors")
    check_type("questions", questions, Mapping, "a dictionary of the questions of each section")
    check_integer("restrict_vocab", restrict_vocab, minimum=1)
    check_choice("method", method, get_args(Method))
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
    else:  # no threads, because each thread has its own current GPU
        correct = list(map(answered, range(len(rows))))
    answers: dict[str, list[bool | None]] = {}
    for name, known, right in zip(questions, covered, correct, strict=True):
        found = iter(right.tolist())
        answers[name] = [next(found) if one else None for one in known.tolist()]
    return answers


def _correct(unit: Any, spelling_ids: np.ndarray, questions: np.ndarray, method: Method) -> np.ndarray:
    """Return whether each question is answered correctly: bool array, shape (N,).

    The questions of a section contain few distinct words, so the cosines of these words and all candidates are computed
    once. The scores of a question are then combined from three rows of these cosines.

    Parameters
    ----------
    unit : float array, shape (R, D)
        Unit vectors of the candidate answers.
    spelling_ids : int array, shape (R,)
        For each row, the first row with the same spelling.
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
    """Return, for each question, whether the best answer is d when the words a, b and c are excluded."""
    xp = get_namespace(scores)
    correct = np.zeros(len(questions), dtype=bool)
    pending, left_out = np.arange(len(questions)), questions[:, :3]
    # First exclude the rows of the question. If the best remaining answer differs from one of these words only in case,
    # exclude its row too, and try the next best answer.
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
