"""The data sets by name: a loader for each, and the suites of evaluation sets of a language."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from fastw2v.datasets.download import find_file

__all__ = [
    "SUITES",
    "WORD_PAIRS",
    "Suite",
    "load_ptb",
    "load_questions_words",
    "load_suite",
    "load_text8",
    "load_word_pairs",
]

WORD_PAIRS = {
    "mc30": "EN-MC-30.txt",
    "men": "EN-MEN-TR-3k.txt",
    "mturk287": "EN-MTurk-287.txt",
    "rg65": "EN-RG-65.txt",
    "simlex999": "EN-SIMLEX-999.txt",
    "wordsim353": "EN-WS-353-ALL.txt",
    "wordsim353-relatedness": "EN-WS-353-REL.txt",
    "wordsim353-similarity": "EN-WS-353-SIM.txt",
    "wordsim353-korean": "WS353_korean.csv",
}
"""Files of word pairs, by the names that `load_word_pairs` takes."""
SUITES = {
    "english": ("questions-words.txt", tuple(name for name in WORD_PAIRS if name != "wordsim353-korean")),
    "korean": ("word_analogy_korean.txt", ("wordsim353-korean",)),
}
"""File of analogies and sets of word pairs of each suite, by the names that `load_suite` takes."""


@dataclass(frozen=True)
class Suite:
    """The files of a suite of evaluation sets.

    Attributes
    ----------
    name : str
    analogies : Path
    pairs : dict of str to Path
        The files of word pairs, by the names of the sets.
    """

    name: str
    analogies: Path
    pairs: dict[str, Path]


def load_ptb(split: str = "train") -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    """Return the Penn Treebank as Mikolov prepared it: news text with 10,000 distinct words, the textbook's corpus.

    Parameters
    ----------
    split : {"train", "valid", "test"}
        "val" is an alias of "valid", as in the textbook.

    Returns
    -------
    corpus : int32 array, shape (T,)
        929,589 ids for "train". ``<eos>`` ends each line.
    word_to_id : dict of str to int
        In the order of first appearance in "train", whichever the split.
    id_to_word : dict of int to str

    Raises
    ------
    ValueError
        If `split` is none of these, or the content of a file is wrong.
    OSError
        If the file is not there and cannot be downloaded.
    """
    split = "valid" if split == "val" else split
    if split not in ("train", "valid", "test"):
        raise ValueError(f"split is {split!r}; it must be 'train', 'valid' or 'test'")
    train = _ptb_words("train")
    id_to_word = dict(enumerate(dict.fromkeys(train)))
    word_to_id = {word: i for i, word in id_to_word.items()}
    words = train if split == "train" else _ptb_words(split)
    if strange := set(words) - word_to_id.keys():
        raise ValueError(f"ptb.{split}.txt has words that ptb.train.txt lacks, such as {min(strange)!r}")
    corpus = np.fromiter(map(word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
    return corpus, word_to_id, id_to_word


def load_text8() -> Path:
    """Return the path of text8: the first 100 MB of cleaned English Wikipedia of 2006, 17 million words in one line.

    Give it to ``Corpus.from_text``.

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded (31 MB).
    """
    return find_file("text8")


def load_questions_words() -> Path:
    """Return the path of Mikolov's 19,544 analogy questions, for `fastw2v.evaluate`.

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded.
    """
    return find_file("questions-words.txt")


def load_word_pairs(name: str = "wordsim353") -> Path:
    """Return the path of a set of word pairs with human judgements of similarity, for `fastw2v.evaluate`.

    Parameters
    ----------
    name : str
        One of "mc30", "men", "mturk287", "rg65", "simlex999", "wordsim353", "wordsim353-relatedness",
        "wordsim353-similarity" and "wordsim353-korean". Cite the authors of the set that you use.

    Raises
    ------
    ValueError
        If the name is none of these.
    OSError
        If the file is not there and cannot be downloaded.
    """
    if name not in WORD_PAIRS:
        raise ValueError(f"there are no word pairs {name!r}; the sets are {', '.join(WORD_PAIRS)}")
    return find_file(WORD_PAIRS[name])


def load_suite(name: str = "english", folder: str | PathLike[str] | None = None) -> Suite:
    """Return the paths of all evaluation sets of a language, for `fastw2v.evaluate.evaluate_suite`.

    Parameters
    ----------
    name : {"english", "korean"}
        English: Mikolov's analogies and the eight English sets of `load_word_pairs`. Korean: the 10,000 analogies and
        the 353 pairs of Park et al. (2018). Cite the authors of the sets that you use.
    folder : path, optional
        Folder in which to search for the files, instead of the one that ``FASTW2V_DATA`` names.

    Raises
    ------
    ValueError
        If there is no such suite.
    OSError
        If a file is not there and cannot be downloaded; the message names all files of the suite.
    """
    if name not in SUITES:
        raise ValueError(f"there is no suite {name!r}; the suites are {', '.join(SUITES)}")
    analogies, sets = SUITES[name]
    try:
        return Suite(name, find_file(analogies, folder), {one: find_file(WORD_PAIRS[one], folder) for one in sets})
    except NotADirectoryError:
        raise
    except OSError as error:
        files = ", ".join([analogies, *(WORD_PAIRS[one] for one in sets)])
        raise OSError(f"{error}. The suite {name!r} takes {files}") from error


def _ptb_words(split: str) -> list[str]:
    path = find_file(f"ptb.{split}.txt")
    words: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            words += line.split()
            words.append("<eos>")
    if not words:
        raise ValueError(f"{path} is empty")
    return words
