"""Analogy questions, "a is to b as c is to d", answered with 3CosAdd or 3CosMul and scored by section."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.config import check_choice, check_flags, check_integer
from fastw2v.evaluate.readers import Question
from fastw2v.utils.checks import check_type
from fastw2v.utils.scaled_rows import select_rows, storage
from fastw2v.vectors.neighbors import without
from fastw2v.vectors.normalize import take_rows, unit_rows
from fastw2v.vectors.products import all_products
from fastw2v.vectors.word_vectors import WordVectors

__all__ = [
    "AnalogyResult",
    "Method",
    "SectionResult",
    "analogies",
    "answer_questions",
    "folding",
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
        Number of questions whose four words are all in the vocabulary.
    total : int
        Number of questions.
    unseen : int
        Number of further questions that were answered. In these, subwords give a, b or c, which is outside the
        vocabulary, a vector.
    """

    name: str
    correct: int
    covered: int
    total: int
    unseen: int = 0

    @property
    def accuracy(self) -> float:
        """Share of answered questions whose answer is correct, or NaN if no question was answered.

        Examples
        --------
        >>> from fastw2v.evaluate import SectionResult
        >>> SectionResult("capitals", correct=3, covered=4, total=5).accuracy
        0.75
        """
        answered = self.covered + self.unseen
        return self.correct / answered if answered else math.nan

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
        Words in order of decreasing frequency. If they have subwords and `strict` is false, questions in which a, b or
        c is outside the vocabulary are answered as well. The answer d must be in the vocabulary.
    questions : dict of str to list of (str, str, str, str)
        Questions of each section, for example from `read_analogies`.
    restrict_vocab : int
        Use only the first `restrict_vocab` words. Questions that contain any other word of the vocabulary are ignored.
    lower : bool
        If true, ignore case. If several words differ only in case, questions use the vector of the first one, and any
        of them is accepted as an answer. A word outside the vocabulary is converted to lower case. If the units of
        n-grams are syllables or jamo, the difference between NFC and NFD is ignored, whatever `lower` is.
    method : {"3cosadd", "3cosmul"}
        How to choose the answer. "3cosadd" returns the word nearest to b − a + c, where each vector is first scaled to
        unit length. "3cosmul" multiplies and divides similarities; see `WordVectors.most_similar_cosmul`.

    Returns
    -------
    AnalogyResult
        If no question is answered, the accuracy is NaN, and a warning is logged.

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
    SectionResult(name='overall', correct=1, covered=1, total=2, unseen=0)
    """
    check_flags(lower=lower)
    _check_questions(vectors, questions, restrict_vocab, method)
    with_unseen = vectors.has_subwords and not vectors.strict
    rows, others = _question_rows(vectors, questions, restrict_vocab, lower, with_unseen)
    answers = _answers(vectors, rows, others, restrict_vocab, lower, method)
    n_candidates = min(restrict_vocab, len(vectors))
    sections = []
    for name, of_section, correct in zip(questions, rows, answers, strict=True):
        answered = np.all(of_section >= 0, axis=1)
        covered = int(np.sum(answered & np.all(of_section < n_candidates, axis=1)))
        unseen = int(answered.sum()) - covered
        sections.append(SectionResult(name, int(correct.sum()), covered, len(of_section), unseen))
    overall = SectionResult(
        "overall",
        sum(section.correct for section in sections),
        sum(section.covered for section in sections),
        sum(section.total for section in sections),
        sum(section.unseen for section in sections),
    )
    if math.isnan(overall.accuracy):
        log.warning(
            "analogies: none of the %d questions has four known words among the first %d; the accuracy is NaN",
            overall.total,
            restrict_vocab,
        )
    return AnalogyResult(tuple(sections), overall)


def folding(vectors: WordVectors, lower: bool) -> Callable[[Any], str]:
    """Return the function that converts words to the spelling in which they are compared.

    It returns a word as a string, in lower case if `lower` is true, and in the Unicode form NFC if the n-grams of a
    word do not depend on its form.

    Parameters
    ----------
    vectors : WordVectors
    lower : bool

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate.analogies import folding
    >>> fold = folding(WordVectors(["Paris", "London"], np.eye(2)), lower=True)
    >>> fold("Paris"), fold(7)
    ('paris', '7')
    """
    case: Callable[[Any], str] = (lambda word: str(word).lower()) if lower else str
    if vectors.subwords is None:
        return case
    ngrams = vectors.subwords.ngrams
    return lambda word: ngrams.form_of(case(word))


def rows_by_spelling(vectors: WordVectors, restrict_vocab: int, lower: bool) -> tuple[dict[str, int], list[str]]:
    """Return the first row of each spelling, and the spelling of each row, as `folding` returns it.

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
    spellings = list(map(folding(vectors, lower), vectors.index_to_key[:restrict_vocab]))
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
    _check_questions(vectors, questions, restrict_vocab, method)
    rows, _ = _question_rows(vectors, questions, restrict_vocab, lower, with_unseen=False)
    answers: dict[str, list[bool | None]] = {}
    found = _answers(vectors, rows, [], restrict_vocab, lower, method)
    for name, of_section, correct in zip(questions, rows, found, strict=True):
        right = iter(correct.tolist())
        answers[name] = [next(right) if known else None for known in np.all(of_section >= 0, axis=1).tolist()]
    return answers


def _check_questions(vectors: Any, questions: Any, restrict_vocab: Any, method: Any) -> None:
    check_type("vectors", vectors, WordVectors, "WordVectors")
    check_type("questions", questions, Mapping, "a dictionary of the questions of each section")
    check_integer("restrict_vocab", restrict_vocab, minimum=1)
    check_choice("method", method, get_args(Method))


def _question_rows(
    vectors: WordVectors,
    questions: Mapping[str, Sequence[Question]],
    restrict_vocab: int,
    lower: bool,
    with_unseen: bool,
) -> tuple[list[np.ndarray], list[str]]:
    """Return the rows of the four words of each question, and the words outside the vocabulary that have a vector.

    Returns
    -------
    rows : list of int arrays, shape (N, 4)
        An array for each section. −1 is an unknown word. With R searched rows, row R + i is word i of `unseen`.
    unseen : list of str
        Empty unless `with_unseen` is true. The fourth word of a question is never among them.
    """
    first_rows, spellings = rows_by_spelling(vectors, restrict_vocab, lower)
    everything = rows_by_spelling(vectors, len(vectors), lower)[0] if with_unseen else {}
    unseen: dict[str, int] = {}
    fold = folding(vectors, lower)

    def row(word: str, may_be_unseen: bool) -> int:
        spelled = fold(word)
        if not may_be_unseen or spelled in everything or spelled not in vectors:
            return first_rows.get(spelled, -1)
        return unseen.setdefault(spelled, len(spellings) + len(unseen))

    rows = [
        np.array(
            [[row(word, with_unseen and place < 3) for place, word in enumerate(question)] for question in asked],
            dtype=np.int64,
        ).reshape(-1, 4)
        for asked in questions.values()
    ]
    return rows, list(unseen)


def _answers(
    vectors: WordVectors, rows: list[np.ndarray], unseen: list[str], restrict_vocab: int, lower: bool, method: Method
) -> list[np.ndarray]:
    """Return whether the answers are correct: a bool array for each section, without questions with unknown words."""
    first_rows, spellings = rows_by_spelling(vectors, restrict_vocab, lower)
    spelling_ids = np.array([first_rows[spelling] for spelling in spellings])
    unit = select_rows(vectors.stored_unit, slice(len(spellings)))
    others = unit_rows(vectors[unseen]) if unseen else None

    def answered(section: np.ndarray) -> np.ndarray:
        return _correct(unit, others, spelling_ids, section[np.all(section >= 0, axis=1)], method)

    if is_numpy(storage(unit)):
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(answered, rows))
    return list(map(answered, rows))  # no threads, because each thread has its own current GPU


def _correct(unit: Any, others: Any, spelling_ids: np.ndarray, questions: np.ndarray, method: Method) -> np.ndarray:
    """Return whether each question is answered correctly: bool array, shape (N,).

    The questions of a section contain few distinct words, so the cosines of these words and all candidates are computed
    once. The scores of a question are then combined from three rows of these cosines.

    Parameters
    ----------
    unit : float array or ScaledRows, shape (R, D)
        Unit vectors of the candidate answers.
    others : float array, shape (U, D), or None
        Unit vectors of words outside the vocabulary.
    spelling_ids : int array, shape (R,)
        For each row, the first row with the same spelling.
    questions : int array, shape (N, 4)
        Rows of a, b, c and d. Row R + i stands for row i of `others`.
    method : {"3cosadd", "3cosmul"}
    """
    words, places = np.unique(questions[:, :3], return_inverse=True)
    n_rows, half = unit.shape[0], len(questions) // 2
    if half and len(words) * n_rows > _COSINES:
        parts = (questions[:half], questions[half:])
        return np.concatenate([_correct(unit, others, spelling_ids, part, method) for part in parts])
    terms = take_rows(unit, words[words < n_rows])
    xp, device = get_namespace(terms), get_device(terms)
    if others is not None:  # the words are sorted, so those outside the vocabulary come last
        terms = xp.concat([terms, take_rows(others, words[words >= n_rows] - n_rows)], axis=0)
    cosines = all_products(unit, terms)
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
        pairs = np.stack([own, left_out.reshape(-1)], axis=1)
        scores = without(scores, pairs[pairs[:, 1] < scores.shape[1]])  # words outside the vocabulary are no answers
        best = xp.argmax(scores, axis=1)
        exhausted = to_host(xp.take_along_axis(scores, best[:, None], axis=1))[:, 0] == -np.inf
        best = to_host(best)
        answers, asked = spelling_ids[best], questions[pending]
        again = (answers[:, None] == asked[:, :3]).any(axis=1) & ~exhausted
        correct[pending] = (answers == asked[:, 3]) & ~again & ~exhausted
        pending, left_out = pending[again], best[again, None]
        scores = xp.take(scores, xp.asarray(np.flatnonzero(again), device=get_device(scores)), axis=0)
    return correct
