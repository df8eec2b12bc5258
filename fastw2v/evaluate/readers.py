"""Readers of evaluation sets: analogy questions, and word pairs with human judgments of similarity."""

from __future__ import annotations

import math
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

__all__ = ["Question", "read_analogies", "read_pairs"]

Question = tuple[str, str, str, str]
"""An analogy "a is to b as c is to d"."""


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
