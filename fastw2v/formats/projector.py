"""The TensorBoard Embedding Projector: numbers in one file of tab-separated values, words in another beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, decode_words, encode_words
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.word2vec_text import format_rows, parse_rows
from fastw2v.utils.atomic_write import atomic_write

__all__ = ["metadata_path", "read_projector", "write_projector"]

# The Projector splits at tabs and newlines; a word may hold spaces.
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def metadata_path(path: Path) -> Path:
    """Return where the words are: for ``NAME.tsv`` in ``NAME.metadata.tsv``."""
    return path.with_suffix(f".metadata{path.suffix}")


def read_projector(path: Path, errors: str) -> VectorRecord:
    """Read numbers from one file and words from the other."""
    text = path.read_bytes()
    lines = metadata_path(path).read_bytes().split(b"\n")
    if not text or not lines[:-1] or text[-1:] != b"\n" or lines.pop():
        raise FormatError(f"{path} or {metadata_path(path)}: empty, or its last line has no newline: it is cut short")
    counts: Any = None
    if b"\t" in lines[0]:  # with several columns, their names stand above them
        names, *lines = lines
        columns = [line.rstrip(b"\r").split(b"\t") for line in lines]
        if any(len(column) != names.count(b"\t") + 1 for column in columns):
            raise FormatError(f"{metadata_path(path)}: the lines have not as many columns as the first: it is damaged")
        lines = [column[0] for column in columns]
        where = names.rstrip(b"\r").split(b"\t")
        if b"count" in where:
            counts = _counts([column[where.index(b"count")] for column in columns], metadata_path(path))
    n_dims = text[: text.index(b"\n")].count(b"\t") + 1
    try:
        # The same as a text file whose words are all "x".
        rows = b"".join(
            b"x " + line + b"\n" for line in text[:-1].replace(b" ", b"_").replace(b"\t", b" ").split(b"\n")
        )
        _, vectors = parse_rows(rows, n_dims)
    except IndexError as error:
        raise FormatError(f"{path}: line {error.args[0] + 1} is not {n_dims} numbers with tabs between them") from None
    words = decode_words(b"\n".join(line.rstrip(b"\r") for line in lines), path, errors)
    return VectorRecord(words, vectors, counts)


def write_projector(record: VectorRecord, path: Path) -> None:
    """Write both files, the words with their counts where there are any."""
    words = encode_words(record.index_to_key, path, unfit=_CONTROL)
    matrix = cast(to_host(record.vectors), np.dtype("<f4"), path)
    with atomic_write(path) as numbers, atomic_write(metadata_path(path)) as metadata:
        with numbers.open("wb") as file:
            file.writelines(row[1:].replace(b" ", b"\t") + b"\n" for row in format_rows(matrix))
        with metadata.open("wb") as file:
            if record.counts is None:
                file.writelines(word + b"\n" for word in words)
            else:
                file.write(b"word\tcount\n")
                pairs = zip(words, np.asarray(record.counts).tolist(), strict=True)
                file.writelines(word + b"\t%d\n" % count for word, count in pairs)


def _counts(column: list[bytes], path: Path) -> np.ndarray:
    try:
        return np.array([int(count) for count in column])
    except ValueError as error:
        raise FormatError(f"{path}: a count is not a number: {error}") from error
