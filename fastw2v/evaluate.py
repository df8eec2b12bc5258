"""How good vectors are: analogies answered, and similarities that rank as people rank them.

Both go by words that the vectors know; the rest is left out and counted, so read a score beside its coverage.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.datasets import load_suite
from fastw2v.search import nearest_rows, without
from fastw2v.vectors import WordVectors

__all__ = [
    "AnalogyResult",
    "PairsResult",
    "SectionResult",
    "StabilityResult",
    "SuiteResult",
    "analogies",
    "evaluate_suite",
    "gensim_analogies",
    "gensim_word_pairs",
    "neighbour_stability",
    "read_analogies",
    "read_pairs",
    "word_pairs",
]

Question = tuple[str, str, str, str]
Method = Literal["3cosadd", "3cosmul"]

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


@dataclass(frozen=True)
class PairsResult:
    """Agreement with human judgments of similarity.

    Attributes
    ----------
    spearman, pearson : float
        Rank and linear correlation over the covered pairs; NaN when they are fewer than two or all alike.
    interval : (float, float)
        Bounds for `spearman`, by bootstrap: 95 in 100 drawings of as many of the covered pairs, with replacement,
        lie between. NaN when there is no `spearman`.
    covered, total : int
        Pairs whose two words are known, and all.
    """

    spearman: float
    pearson: float
    interval: tuple[float, float]
    covered: int
    total: int

    @property
    def coverage(self) -> float:
        """Covered pairs as a share of all, NaN when there is none."""
        return self.covered / self.total if self.total else math.nan


@dataclass(frozen=True)
class SuiteResult:
    """Scores on all evaluation sets of a language.

    Attributes
    ----------
    name : str
        Of the suite.
    analogies : AnalogyResult
    pairs : dict of str to PairsResult
        By the names of the sets.
    """

    name: str
    analogies: AnalogyResult
    pairs: dict[str, PairsResult]


@dataclass(frozen=True)
class StabilityResult:
    """How far several models agree on who is near whom.

    Attributes
    ----------
    overlap : float
        The mean of `overlaps`.
    words : list of str or of int
        The words compared: n of them.
    overlaps : float array, shape (n,)
        For each word, the share of its nearest words that two models have in common, on average over all pairs
        of models.
    """

    overlap: float
    words: list[Any]
    overlaps: np.ndarray


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
    answers = _answers(vectors, questions, restrict_vocab, lower, method)
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


def gensim_analogies(
    vectors: WordVectors,
    path: str | PathLike[str],
    restrict_vocab: int,
    case_insensitive: bool,
    dummy4unknown: bool,
    similarity_function: str,
) -> tuple[float, list[dict[str, Any]]]:
    """Answer the analogies of a file, and report as gensim does: see `WordVectors.evaluate_word_analogies`."""
    methods: dict[str, Method] = {"most_similar": "3cosadd", "most_similar_cosmul": "3cosmul"}
    if similarity_function not in methods:
        raise ValueError(f"similarity_function is {similarity_function!r}; it must be one of {list(methods)}")
    questions = read_analogies(path)
    answers = _answers(vectors, questions, restrict_vocab, case_insensitive, methods[similarity_function])
    sections: list[dict[str, Any]] = []
    for name, asked in questions.items():
        spelled = [tuple(word.upper() if case_insensitive else word for word in question) for question in asked]
        wrong = (False, None) if dummy4unknown else (False,)
        answered = list(zip(spelled, answers[name], strict=True))
        sections.append(
            {
                "section": name,
                "correct": [question for question, answer in answered if answer],
                "incorrect": [question for question, answer in answered if answer in wrong],
            }
        )
    total: dict[str, Any] = {
        side: list(itertools.chain.from_iterable(section[side] for section in sections))
        for side in ("correct", "incorrect")
    }
    sections.append({"section": "Total accuracy", **total})
    counted = len(total["correct"]) + len(total["incorrect"])
    return (len(total["correct"]) / counted if counted else 0.0), sections


def read_pairs(path: str | PathLike[str], delimiter: str | None = None) -> list[tuple[str, str, float]]:
    """Read pairs of words with human judgments of their similarity.

    Parameters
    ----------
    path : str or path
        UTF-8: lines ``word1 word2 score``; lines that start with ``#`` are comments. A ``.csv`` file may name its
        columns in the first line.
    delimiter : str, optional
        What stands between them; by default tabs or spaces, in a ``.csv`` file commas.

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
    is_csv = Path(path).suffix.lower() == ".csv"
    delimiter = "," if is_csv and delimiter is None else delimiter
    for number, line in _lines(path):
        if line.startswith("#") or (is_csv and number == 1 and _names_columns(line, delimiter)):
            continue
        try:
            first, second, score = line.split(delimiter)
            pairs.append((first.strip(), second.strip(), _finite(score)))
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
    cosines = _pair_cosines(vectors, pairs, len(vectors), lower)
    judged = np.array([score for *_, score in pairs], dtype=np.float64)
    known = ~np.isnan(cosines)
    cosines, judged = cosines[known], judged[known]
    if not len(judged):
        return PairsResult(math.nan, math.nan, (math.nan, math.nan), 0, len(pairs))
    spearman = _correlation(_ranks(cosines), _ranks(judged))
    interval = (math.nan, math.nan) if math.isnan(spearman) else _bootstrap_interval(cosines, judged)
    return PairsResult(spearman, _correlation(cosines, judged), interval, len(judged), len(pairs))


def evaluate_suite(
    vectors: WordVectors,
    name: str = "english",
    folder: str | PathLike[str] | None = None,
    restrict_vocab: int = 30_000,
) -> SuiteResult:
    """Score vectors on all public evaluation sets of a language, downloaded once.

    Parameters
    ----------
    vectors : WordVectors
        The most frequent words first.
    name, folder
        The suite, and where its files are, if not to be downloaded: see `fastw2v.datasets.load_suite`.
    restrict_vocab : int
        Of the analogies: see `analogies`.

    Returns
    -------
    SuiteResult

    Raises
    ------
    ValueError
        If there is no such suite, a file is malformed, or `restrict_vocab` is below 1.
    OSError
        If a file is not there and cannot be downloaded.
    """
    suite = load_suite(name, folder)
    return SuiteResult(
        suite.name,
        analogies(vectors, read_analogies(suite.analogies), restrict_vocab),
        {one: word_pairs(vectors, read_pairs(path)) for one, path in suite.pairs.items()},
    )


def gensim_word_pairs(
    vectors: WordVectors,
    path: str | PathLike[str],
    delimiter: str,
    restrict_vocab: int,
    case_insensitive: bool,
    dummy4unknown: bool,
) -> tuple[Any, Any, float]:
    """Correlate with the judgments of a file, and report as gensim does: see `WordVectors.evaluate_word_pairs`."""
    from scipy import stats

    pairs = read_pairs(path, delimiter)
    cosines = _pair_cosines(vectors, pairs, restrict_vocab, case_insensitive)
    judged = np.array([score for *_, score in pairs])
    unknown = np.isnan(cosines)
    if dummy4unknown:
        cosines = np.where(unknown, 0.0, cosines)
    else:
        cosines, judged = cosines[~unknown], judged[~unknown]
    if len(judged) < 2:
        raise ValueError(f"{path}: the vocabulary covers {len(judged)} of {len(pairs)} pairs; a correlation needs two")
    return stats.pearsonr(judged, cosines), stats.spearmanr(judged, cosines), 100 * float(np.mean(unknown))


def neighbour_stability(models: Sequence[WordVectors], topn: int = 10, restrict_vocab: int = 10_000) -> StabilityResult:
    """Compare models of the same words, such as trainings with several seeds, by the neighbours they give.

    What differs between seeds is chance, whatever it seems to say about a word.

    Parameters
    ----------
    models : sequence of at least two WordVectors
        Only words that all know are looked at.
    topn : int
        How many nearest words to compare.
    restrict_vocab : int
        Compare those of the first so many words, in the order of the first model. All words are neighbours.

    Returns
    -------
    StabilityResult

    Raises
    ------
    ValueError
        If there are fewer than two models, `topn` or `restrict_vocab` is below 1, or the models have not more
        than `topn` words in common.
    """
    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models to compare; there must be at least two")
    if topn < 1 or restrict_vocab < 1:
        raise ValueError(f"topn is {topn} and restrict_vocab {restrict_vocab}; both must be at least 1")
    words = [word for word in models[0] if all(word in model for model in models[1:])]
    if len(words) <= topn:
        raise ValueError(f"the models have {len(words)} words in common; to compare {topn} neighbours takes more")
    compared = min(restrict_vocab, len(words))
    own = np.stack([np.arange(compared)] * 2, axis=1)
    neighbours = []
    for model in models:
        unit = model.vectors_for_all(words).unit_vectors
        neighbours.append(to_host(nearest_rows(unit, unit[:compared, :], topn, own)[0]))
    shared = [
        (some[:, :, None] == others[:, None, :]).sum(axis=(1, 2)) / topn
        for some, others in itertools.combinations(neighbours, 2)
    ]
    overlaps = np.mean(shared, axis=0)
    return StabilityResult(float(overlaps.mean()), words[:compared], overlaps)


def _lines(path: str | PathLike[str]) -> Iterable[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: the file is not UTF-8 text: {error.reason} at byte {error.start:,}") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _names_columns(line: str, delimiter: str | None) -> bool:
    """Return whether a line of three is no pair, because its last part is no number."""
    parts = line.split(delimiter)
    try:
        float(parts[-1])
    except ValueError:
        return len(parts) == 3
    return False


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _spelling(word: Any, lower: bool) -> str:
    return str(word).lower() if lower else str(word)


def _first_rows(vectors: WordVectors, restrict_vocab: int, lower: bool) -> tuple[dict[str, int], list[str]]:
    """Return the first row of each spelling among the first so many words, and the spellings."""
    spellings = [_spelling(word, lower) for word in vectors.index_to_key[:restrict_vocab]]
    return {spellings[row]: row for row in range(len(spellings) - 1, -1, -1)}, spellings


def _answers(
    vectors: WordVectors,
    questions: Mapping[str, Sequence[Question]],
    restrict_vocab: int,
    lower: bool,
    method: Method,
) -> dict[str, list[bool | None]]:
    """Return for each section whether its questions are answered correctly, None where a word is unknown."""
    if restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}; it must be at least 1")
    if method not in ("3cosadd", "3cosmul"):
        raise ValueError(f"method is {method!r}; it must be '3cosadd' or '3cosmul'")
    first_rows, spellings = _first_rows(vectors, restrict_vocab, lower)
    spelling_ids = np.array([first_rows[spelling] for spelling in spellings])
    unit = vectors.unit_vectors[: len(spellings), :]
    rows = [
        np.array(
            [[first_rows.get(_spelling(word, lower), -1) for word in question] for question in asked], dtype=np.int64
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


def _pair_cosines(
    vectors: WordVectors, pairs: Sequence[tuple[str, str, float]], restrict_vocab: int, lower: bool
) -> np.ndarray:
    """Return the cosine of each pair of words, NaN where one of them is unknown: float64 array, shape (N,)."""
    rows, _ = _first_rows(vectors, restrict_vocab, lower)
    sides = np.array([[rows.get(_spelling(word, lower), -1) for word in pair[:2]] for pair in pairs], dtype=np.int64)
    sides = sides.reshape(-1, 2)
    known = np.all(sides >= 0, axis=1)
    unit = vectors.unit_vectors
    xp = get_namespace(unit)
    a, b = (xp.take(unit, xp.asarray(sides[known, i], device=get_device(unit)), axis=0) for i in range(2))
    cosines = np.full(len(pairs), math.nan)
    cosines[known] = to_host(xp.sum(a * b, axis=1))
    return cosines


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


def _bootstrap_interval(x: np.ndarray, y: np.ndarray, drawings: int = 1000) -> tuple[float, float]:
    """Return the bounds between which the rank correlation lies in 95 of 100 drawings with replacement."""
    n, random = len(x), np.random.default_rng(0)
    found = []
    block = max(1, 2**20 // n)
    for start in range(0, drawings, block):
        size = min(block, drawings - start)
        drawn = random.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=size * n).reshape(size, n).astype(np.float64)
        found.append(_weighted_correlation(_weighted_ranks(x, times), _weighted_ranks(y, times), times))
    correlations = np.concatenate(found)
    correlations = correlations[~np.isnan(correlations)]  # a drawing of nothing but equal values
    low, high = np.quantile(correlations, (0.025, 0.975)) if len(correlations) else (math.nan, math.nan)
    return float(low), float(high)


def _weighted_ranks(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the ranks of values, shape (N,), in drawings that hold them so many times, shape (B, N)."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(places, kind="stable")
    held = np.add.reduceat(times[:, order], np.cumsum(sizes) - sizes, axis=1)
    ranks = np.cumsum(held, axis=1) - (held - 1) / 2
    return ranks[:, places]


def _weighted_correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the last axis, NaN where one side does not vary."""
    total = weights.sum(axis=1, keepdims=True)
    dx, dy = (side - (weights * side).sum(axis=1, keepdims=True) / total for side in (x, y))
    xx, yy, xy = ((weights * product).sum(axis=1) for product in (dx * dx, dy * dy, dx * dy))
    varies = (xx > 0) & (yy > 0)
    return np.where(varies, xy / np.sqrt(np.where(varies, xx * yy, 1.0)), math.nan)
