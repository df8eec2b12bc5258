"""Suites: all public evaluation sets of a language at once."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from fastw2v.datasets.catalog import load_suite
from fastw2v.evaluate.analogies import AnalogyResult, analogies
from fastw2v.evaluate.readers import read_analogies, read_pairs
from fastw2v.evaluate.word_pairs import PairsResult, word_pairs
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["SuiteResult", "evaluate_suite"]


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
