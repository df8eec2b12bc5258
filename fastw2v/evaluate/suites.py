"""Evaluation suites: all public evaluation sets of a language."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from fastw2v.config import check_integer
from fastw2v.datasets.catalog import load_suite
from fastw2v.evaluate.analogies import AnalogyResult, analogies
from fastw2v.evaluate.readers import read_analogies, read_pairs
from fastw2v.evaluate.word_pairs import PairsResult, word_pairs
from fastw2v.utils.checks import check_path, check_type
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["SuiteResult", "evaluate_suite"]


@dataclass(frozen=True)
class SuiteResult:
    """Scores on all evaluation sets of a language.

    Attributes
    ----------
    name : str
        Name of the suite.
    analogies : AnalogyResult
    pairs : dict of str to PairsResult
        The score on each set of word pairs, by the name of the set.
    """

    name: str
    analogies: AnalogyResult
    pairs: dict[str, PairsResult]


def evaluate_suite(
    vectors: WordVectors,
    name: str = "english",
    folder: str | PathLike[str] | None = None,
    restrict_vocab: int = 30_000,
) -> SuiteResult:
    r"""Score word vectors on all public evaluation sets of a language.

    Missing files are downloaded once and cached.

    Parameters
    ----------
    vectors : WordVectors
        Words in order of decreasing frequency.
    name : {"english", "korean"}
        Name of the suite; see `fastw2v.datasets.load_suite`.
    folder : str or path, optional
        Folder in which to search for the files of the suite. By default, the folder in the environment variable
        ``FASTW2V_DATA``.
    restrict_vocab : int
        Use only the first `restrict_vocab` words for analogies.

    Returns
    -------
    SuiteResult

    Raises
    ------
    ValueError
        If no suite is called `name`, a file is malformed, or `restrict_vocab` is below 1.
    OSError
        If a file does not exist and cannot be downloaded.

    See Also
    --------
    analogies : Score word vectors on analogies.
    word_pairs : Score word vectors on word pairs.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate import evaluate_suite
    >>> _ = Path("word_analogy_korean.txt").write_text(": 가족\n남자 왕 여자 여왕\n", encoding="utf-8")
    >>> _ = Path("WS353_korean.csv").write_text("왕,여왕,8.6\n왕,남자,5.2\n왕,여자,1.1\n", encoding="utf-8")
    >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4]])
    >>> wv = WordVectors(["남자", "여자", "왕", "여왕"], matrix)
    >>> result = evaluate_suite(wv, "korean", folder=".")
    >>> result.analogies.overall.accuracy
    1.0
    >>> round(result.pairs["wordsim353-korean"].spearman, 2)
    1.0
    """
    check_type("vectors", vectors, WordVectors, "WordVectors")
    if folder is not None:
        check_path("folder", folder)
    check_integer("restrict_vocab", restrict_vocab, minimum=1)
    suite = load_suite(name, folder)
    return SuiteResult(
        suite.name,
        analogies(vectors, read_analogies(suite.analogies), restrict_vocab),
        {one: word_pairs(vectors, read_pairs(path)) for one, path in suite.pairs.items()},
    )
