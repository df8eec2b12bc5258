"""Files of the TensorBoard Embedding Projector: one file of tab-separated vectors and one file of words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, decode_words, encode_words, open_for_reading
from fastw2v.formats.header import check_first_word, text_start
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.word2vec_text import format_rows, parse_rows
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.quote import quote

__all__ = ["metadata_path", "read_projector", "write_projector"]

# The Projector splits at tabs and newlines only, so words may contain spaces.
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def metadata_path(path: Path) -> Path:
    """Return the path of the file that contains the words: ``NAME.metadata.tsv`` for ``NAME.tsv``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.projector import metadata_path
    >>> metadata_path(Path("vectors.tsv")).name
    'vectors.metadata.tsv'
    """
    return path.with_suffix(f".metadata{path.suffix}")


def read_projector(path: Path, errors: str, encoding: str = "utf-8") -> VectorRecord:
    r"""Read vectors from one file, and their words and counts from a second file.

    Parameters
    ----------
    path : Path
        File of vectors. The words are in the file named by `metadata_path`.
    errors : str
        How to handle words that are not in this encoding, as in `bytes.decode`.
    encoding : str
        Encoding of the words.

    Returns
    -------
    VectorRecord
        Its counts are None unless the file of words has a column ``count``.

    Raises
    ------
    FormatError
        If a file is truncated or damaged.
    OSError
        If a file cannot be opened, or there is no file of words.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.projector import read_projector
    >>> _ = Path("vectors.tsv").write_bytes(b"0.5\t1\n0\t-2\n")
    >>> _ = Path("vectors.metadata.tsv").write_bytes(b"sun\nnew york\n")
    >>> record = read_projector(Path("vectors.tsv"), errors="strict")
    >>> dict(zip(record.words, record.vectors.tolist()))
    {'sun': [0.5, 1.0], 'new york': [0.0, -2.0]}
    """
    if not metadata_path(path).exists():
        raise FileNotFoundError(
            f"{path}: there is no file {metadata_path(path).name} in the same folder. A .tsv file contains only the "
            "vectors; their words are read from this second file"
        )
    text, words_text = (_read_text(part) for part in (path, metadata_path(path)))
    lines = words_text.split(b"\n")
    if not text or not lines[:-1] or text[-1:] != b"\n" or lines.pop():
        raise FormatError(
            f"{path} or {metadata_path(path)} is truncated: the file is empty, or its last line has no newline. "
            "Write it again"
        )
    counts: Any = None
    if b"\t" in lines[0]:  # if there are several columns, the first line contains their names
        names, *lines = lines
        columns = [line.rstrip(b"\r").split(b"\t") for line in lines]
        if any(len(column) != names.count(b"\t") + 1 for column in columns):
            raise FormatError(
                f"{metadata_path(path)}: the lines differ in their number of columns; the file is damaged"
            )
        lines = [column[0] for column in columns]
        where = names.rstrip(b"\r").split(b"\t")
        if b"count" in where:
            counts = _counts([column[where.index(b"count")] for column in columns], metadata_path(path))
    n_dims = text[: text.index(b"\n")].count(b"\t") + 1
    try:
        # Convert to a text file whose words are all "x".
        rows = b"".join(
            b"x " + line + b"\n" for line in text[:-1].replace(b" ", b"_").replace(b"\t", b" ").split(b"\n")
        )
        _, vectors = parse_rows(rows, n_dims)
    except IndexError as error:
        raise FormatError(
            f"{path}: line {error.args[0] + 1} does not contain {n_dims} tab-separated numbers; the file is damaged"
        ) from None
    words = decode_words(b"\n".join(line.rstrip(b"\r") for line in lines), metadata_path(path), errors, encoding)
    return VectorRecord(words, vectors, counts)


def write_projector(record: VectorRecord, path: Path) -> None:
    r"""Write vectors to one file, and their words and counts to a second file.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        File of vectors. The words are written to the file named by `metadata_path`.

    Raises
    ------
    FormatError
        If a word contains a tab, a newline or another control character, or a value is too large for float32.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.projector import write_projector
    >>> write_projector(VectorRecord(["new york"], np.array([[0.5, -1]]), counts=[7]), Path("cities.tsv"))
    >>> Path("cities.tsv").read_text().split(), Path("cities.metadata.tsv").read_text().splitlines()
    (['0.5', '-1.0'], ['word\tcount', 'new york\t7'])
    """
    words = encode_words(record.index_to_key, path, _CONTROL, "a control character")
    if record.counts is None:
        check_first_word(words[0] + b"\n", path)
    matrix = cast(to_host(record.vectors), np.dtype("<f4"), path)
    with atomic_write(path) as numbers:  # both files are complete before the first one is renamed
        with numbers.open("wb") as file:
            file.writelines(row[1:].replace(b" ", b"\t") + b"\n" for row in format_rows(matrix))
        with atomic_write(metadata_path(path)) as metadata, metadata.open("wb") as file:
            if record.counts is None:
                file.writelines(word + b"\n" for word in words)
            else:
                file.write(b"word\tcount\n")
                pairs = zip(words, np.asarray(record.counts).tolist(), strict=True)
                file.writelines(word + b"\t%d\n" % count for word, count in pairs)


def _read_text(path: Path) -> bytes:
    """Return the text of a file, without a byte order mark."""
    with open_for_reading(path) as (file, _):
        text = file.read()
    return text[text_start(text[:4]) :]


def _counts(column: list[bytes], path: Path) -> np.ndarray:
    try:
        return np.array([int(count) for count in column])
    except ValueError as error:
        odd = next(count for count in column if not count.strip().isdigit())
        raise FormatError(f"{path}: the count {quote(odd)} is not an integer; the file is damaged") from error
