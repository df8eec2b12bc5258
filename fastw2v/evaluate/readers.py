"""Readers of evaluation sets: analogy questions and word pairs with human judgements of similarity."""

from __future__ import annotations

import math
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.encodings import read_text
from fastw2v.utils.output_file import without_compression

__all__ = ["Question", "read_analogies", "read_pairs"]

Question = tuple[str, str, str, str]
"""An analogy "a is to b as c is to d"."""


def read_analogies(path: str | PathLike[str]) -> dict[str, list[Question]]:
    r"""Read analogy questions in the format of ``questions-words.txt``.

    Parameters
    ----------
    path : str or path
        UTF-8 text, which can be compressed with gzip, bzip2, xz or zstd. A line of the form ``: section`` starts a
        section. Every other line is a question of four words.

    Returns
    -------
    dict of str to list of (str, str, str, str)
        The questions of each section. Questions before the first section line belong to the section "".

    Raises
    ------
    ValueError
        If the file has no questions, or a question does not have four words. The message gives the number of the
        invalid line.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.evaluate import read_analogies
    >>> text = ": capitals\nAthens Greece Paris France\nAthens Greece Rome Italy\n"
    >>> _ = Path("questions.txt").write_text(text, encoding="utf-8")
    >>> read_analogies("questions.txt")
    {'capitals': [('Athens', 'Greece', 'Paris', 'France'), ('Athens', 'Greece', 'Rome', 'Italy')]}
    """
    check_path("path", path)
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
        raise ValueError(f"{path}: the file has no questions, that is, lines of four words under a line ': section'")
    return sections


def read_pairs(path: str | PathLike[str], delimiter: str | None = None) -> list[tuple[str, str, float]]:
    r"""Read word pairs with human judgements of similarity.

    Parameters
    ----------
    path : str or path
        UTF-8 text, which can be compressed, with lines of the form ``word1 word2 score``. Lines that start with ``#``
        are comments. The first line of a ``.csv`` file can be a header.
    delimiter : str, optional
        Separator of the fields. By default, a comma in ``.csv`` files, and tabs or spaces in other files.

    Returns
    -------
    list of (str, str, float)

    Raises
    ------
    ValueError
        If the file has no pairs, or a line does not have two words and a finite number. The message gives the number of
        the invalid line.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.evaluate import read_pairs
    >>> text = "# Word 1, Word 2, Human (mean)\ntiger cat 7.35\ncomputer keyboard 7.62\n"
    >>> _ = Path("pairs.txt").write_text(text, encoding="utf-8")
    >>> read_pairs("pairs.txt")
    [('tiger', 'cat', 7.35), ('computer', 'keyboard', 7.62)]
    """
    check_path("path", path)
    check_type("delimiter", delimiter, (str, type(None)), "a string")
    pairs = []
    is_csv = without_compression(Path(path)).suffix.lower() == ".csv"
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
        raise ValueError(f"{path}: the file has no pairs, that is, lines of two words and a number")
    return pairs


def _lines(path: str | PathLike[str]) -> Iterable[tuple[int, str]]:
    """Return the numbers and the text of all lines that are not blank."""
    return [(number, line) for number, line in enumerate(read_text(path).split("\n"), start=1) if line.strip()]


def _names_columns(line: str, delimiter: str | None) -> bool:
    """Return whether a line is a header, that is, whether it has three fields and the last field is not a number."""
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
