"""Loaders for the data sets, and a suite of evaluation sets for each language."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from fastw2v.datasets.download import find_file
from fastw2v.utils.checks import check_path
from fastw2v.utils.encodings import read_text
from fastw2v.utils.quote import quote

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
"""The file of each set of word pairs, keyed by the names that `load_word_pairs` accepts."""
SUITES = {
    "english": ("questions-words.txt", tuple(name for name in WORD_PAIRS if name != "wordsim353-korean")),
    "korean": ("word_analogy_korean.txt", ("wordsim353-korean",)),
}
"""The analogy file and the sets of word pairs of each suite, keyed by the names that `load_suite` accepts."""


@dataclass(frozen=True)
class Suite:
    """The files of a suite of evaluation sets.

    Attributes
    ----------
    name : str
    analogies : Path
        The file of analogy questions.
    pairs : dict of str to Path
        The file of each set of word pairs, keyed by the name of the set.
    """

    name: str
    analogies: Path
    pairs: dict[str, Path]


def load_ptb(split: str = "train") -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    r"""Return the Penn Treebank in Mikolov's version: news text with 10,000 distinct words.

    "Deep Learning from Scratch 2" uses this corpus; see `fastw2v.compat.textbook`.

    Parameters
    ----------
    split : {"train", "valid", "test"}
        The part of the corpus. "val" is an alias of "valid", as in the textbook.

    Returns
    -------
    corpus : int32 array, shape (T,)
        The word ids. "train" has 929,589 words, including the word ``<eos>`` at the end of each line.
    word_to_id : dict of str to int
        Ids in order of first appearance in "train", regardless of `split`.
    id_to_word : dict of int to str

    Raises
    ------
    ValueError
        If `split` is unknown, a file is empty, or a word does not occur in "train".
    OSError
        If a file is not found and cannot be downloaded.

    Examples
    --------
    >>> import os
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> from fastw2v.datasets import load_ptb
    >>> _ = Path("ptb.train.txt").write_text("the cat sat\nthe dog sat\n", encoding="utf-8")
    >>> with patch.dict(os.environ, FASTW2V_DATA="."):  # use the file above instead of downloading one
    ...     corpus, word_to_id, id_to_word = load_ptb()
    >>> corpus.tolist()
    [0, 1, 2, 3, 0, 4, 2, 3]
    >>> [id_to_word[i] for i in range(5)]
    ['the', 'cat', 'sat', '<eos>', 'dog']
    """
    split = "valid" if split == "val" else split
    if split not in ("train", "valid", "test"):
        raise ValueError(f"split is {quote(split)}; it must be 'train', 'valid' or 'test'")
    train = _ptb_words("train")
    id_to_word = dict(enumerate(dict.fromkeys(train)))
    word_to_id = {word: i for i, word in id_to_word.items()}
    words = train if split == "train" else _ptb_words(split)
    if strange := set(words) - word_to_id.keys():
        raise ValueError(
            f"ptb.{split}.txt contains words that are not in ptb.train.txt, such as {quote(min(strange))}; "
            "fetch both again"
        )
    corpus = np.fromiter(map(word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
    return corpus, word_to_id, id_to_word


def load_text8() -> Path:
    """Return the path of text8, the first 100 MB of a cleaned English Wikipedia dump from 2006.

    The text has 17 million words in a single line. Read it with `fastw2v.Corpus.from_text`.

    Raises
    ------
    OSError
        If the file is not found and cannot be downloaded (31 MB).

    Examples
    --------
    >>> import os
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> from fastw2v import Corpus
    >>> from fastw2v.datasets import load_text8
    >>> _ = Path("text8").write_text(" anarchism originated as a term of abuse", encoding="utf-8")
    >>> with patch.dict(os.environ, FASTW2V_DATA="."):  # use the file above instead of downloading one
    ...     corpus = Corpus.from_text(load_text8(), min_count=1)
    >>> len(corpus), len(corpus.vocabulary)
    (7, 7)
    """
    return find_file("text8")


def load_questions_words() -> Path:
    r"""Return the path of the file of Mikolov's 19,544 analogy questions.

    Read the questions with `fastw2v.evaluate.read_analogies`, and score vectors with `fastw2v.evaluate.analogies`.

    Raises
    ------
    OSError
        If the file is not found and cannot be downloaded.

    Examples
    --------
    >>> import os
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> from fastw2v.datasets import load_questions_words
    >>> from fastw2v.evaluate import read_analogies
    >>> _ = Path("questions-words.txt").write_text(": family\nboy girl king queen\n", encoding="utf-8")
    >>> with patch.dict(os.environ, FASTW2V_DATA="."):  # use the file above instead of downloading one
    ...     read_analogies(load_questions_words())
    {'family': [('boy', 'girl', 'king', 'queen')]}
    """
    return find_file("questions-words.txt")


def load_word_pairs(name: str = "wordsim353") -> Path:
    r"""Return the path of the file of a set of word pairs with human similarity ratings.

    Read the pairs with `fastw2v.evaluate.read_pairs`, and score vectors with `fastw2v.evaluate.word_pairs`.

    Parameters
    ----------
    name : str
        "mc30", "men", "mturk287", "rg65", "simlex999", "wordsim353", "wordsim353-relatedness",
        "wordsim353-similarity" or "wordsim353-korean". Please cite the authors of the set that you use.

    Raises
    ------
    ValueError
        If there is no set with this name.
    OSError
        If the file is not found and cannot be downloaded.

    Examples
    --------
    >>> import os
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> from fastw2v.datasets import load_word_pairs
    >>> from fastw2v.evaluate import read_pairs
    >>> _ = Path("EN-RG-65.txt").write_text("gem jewel 3.94\n", encoding="utf-8")
    >>> with patch.dict(os.environ, FASTW2V_DATA="."):  # use the file above instead of downloading one
    ...     read_pairs(load_word_pairs("rg65"))
    [('gem', 'jewel', 3.94)]
    """
    if not isinstance(name, str) or name not in WORD_PAIRS:
        raise ValueError(
            f"there is no set of word pairs with the name {quote(name)}; the sets are {', '.join(WORD_PAIRS)}"
        )
    return find_file(WORD_PAIRS[name])


def load_suite(name: str = "english", folder: str | PathLike[str] | None = None) -> Suite:
    """Return the paths of all evaluation sets of a language.

    Score vectors on a suite with `fastw2v.evaluate.evaluate_suite`.

    Parameters
    ----------
    name : {"english", "korean"}
        The English suite consists of Mikolov's analogies and the eight English sets of `load_word_pairs`. The Korean
        suite consists of the 10,000 analogies and 353 word pairs of Park et al. (2018). Please cite the authors of the
        sets that you use.
    folder : path, optional
        Folder in which to search for the files. By default, the folder in the environment variable ``FASTW2V_DATA``.

    Returns
    -------
    Suite

    Raises
    ------
    ValueError
        If there is no suite with this name.
    OSError
        If `folder` is not a folder, or a file is not found and cannot be downloaded.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.datasets import load_suite
    >>> for name in ("word_analogy_korean.txt", "WS353_korean.csv"):
    ...     _ = Path(name).write_text("", encoding="utf-8")
    >>> suite = load_suite("korean", folder=".")
    >>> suite.analogies.name, list(suite.pairs)
    ('word_analogy_korean.txt', ['wordsim353-korean'])
    """
    if folder is not None:
        check_path("folder", folder)
    if not isinstance(name, str) or name not in SUITES:
        raise ValueError(f"there is no suite with the name {quote(name)}; the suites are {', '.join(SUITES)}")
    analogies, sets = SUITES[name]
    try:
        return Suite(name, find_file(analogies, folder), {one: find_file(WORD_PAIRS[one], folder) for one in sets})
    except NotADirectoryError:
        raise
    except OSError as error:
        files = [analogies, *(WORD_PAIRS[one] for one in sets)]
        others = ", ".join(file for file in files if file not in str(error))
        raise OSError(f"{error}. The suite {name!r} also needs {others}") from error


def _ptb_words(split: str) -> list[str]:
    path = find_file(f"ptb.{split}.txt")
    text = read_text(path)
    if not text:
        raise ValueError(f"{path} is empty")
    words: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        words += line.split()
        words.append("<eos>")
    return words
