"""The supported formats: inference from file names, and functions that read and write files in any format."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from fastw2v.formats.fasttext import is_fasttext, read_fasttext
from fastw2v.formats.fileio import FormatError, decode_words, is_gzipped, open_for_reading
from fastw2v.formats.gensim import read_gensim
from fastw2v.formats.npz import read_npz, write_npz
from fastw2v.formats.projector import read_projector, write_projector
from fastw2v.formats.record import VectorRecord, check_record
from fastw2v.formats.safetensors import is_safetensors, read_safetensors, write_safetensors
from fastw2v.formats.static_embedding import is_static_embedding, read_static_embedding, write_static_embedding
from fastw2v.formats.word2vec_bin import read_word2vec_bin, write_word2vec_bin
from fastw2v.formats.word2vec_text import read_word2vec_text, write_word2vec_text

__all__ = ["FORMATS", "SUFFIXES", "format_of", "read", "write"]

SUFFIXES = {
    ".safetensors": "safetensors",
    ".bin": "bin",
    ".txt": "txt",
    ".vec": "txt",
    ".glove": "glove",
    ".npz": "npz",
    ".tsv": "projector",
}
_READ_ONLY = {".kv": "gensim"}
FORMATS = ("safetensors", "bin", "txt", "glove", "npz", "projector", "static-embedding", "gensim")
_GZIPPABLE = ("bin", "txt", "glove")


def format_of(path: str | PathLike[str], format: str | None = None) -> str:
    """Return the format of a file: `format` if it is given, otherwise the format inferred from the path.

    Parameters
    ----------
    path : str or path
        A trailing ``.gz`` is ignored when the format is inferred.
    format : str, optional
        One of `FORMATS`.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the name ends in ``.gz`` but the format cannot be compressed.

    Examples
    --------
    >>> from fastw2v.formats import format_of
    >>> format_of("vectors.vec.gz"), format_of("vectors.safetensors")
    ('txt', 'safetensors')
    >>> format_of("word2vec.model", format="gensim")
    'gensim'
    """
    path = Path(path)
    bare = path.with_suffix("") if is_gzipped(path) else path
    if format is None:
        format = (SUFFIXES | _READ_ONLY).get(bare.suffix.lower())
        if format is None and is_static_embedding(path):
            return "static-embedding"
        if format is None:
            raise FormatError(
                f"{path}: unknown suffix {bare.suffix!r}. Supported suffixes are {', '.join(SUFFIXES)}, .kv (only for "
                "reading), and .gz after .bin, .txt, .vec or .glove. For any other suffix, specify the format: "
                f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            )
    if format not in FORMATS:
        raise FormatError(f"format is {format!r}; it must be one of {', '.join(FORMATS)}")
    if is_gzipped(path) and format not in _GZIPPABLE:
        raise FormatError(f"{path}: {format} files cannot be compressed with gzip; remove the .gz from the name")
    return format


def read(
    path: str | PathLike[str], format: str | None = None, errors: str = "strict", limit: int | None = None
) -> VectorRecord:
    r"""Read a word-vector file as plain data. To query the vectors, use `WordVectors.load` instead.

    Parameters
    ----------
    path : str or path
        A gzipped file is decompressed, whatever its name.
    format : str, optional
        One of `FORMATS`. By default, the suffix determines the format, and a folder is read as a StaticEmbedding. A
        file whose suffix is ``.kv`` or unknown is recognised as safetensors by its first bytes. A ``.bin`` file can
        also be a fastText model, and a ``.txt`` or ``.vec`` file can also be a GloVe file, which has no header line.
    errors : {"strict", "surrogateescape", "replace", "ignore"}
        How to handle words that are not UTF-8, as in `bytes.decode`. Some old tools truncate words in the middle of a
        character. "surrogateescape" preserves the bytes of these words.
    limit : int, optional
        Return only the first `limit` words. The rest of a ``.bin``, ``.txt``, ``.vec`` or ``.glove`` file is not read.

    Returns
    -------
    VectorRecord
        Record with NumPy arrays. Vectors are float32, except in ``.safetensors``, ``.npz`` and gensim files, whose
        vectors keep their dtype. The vectors of a ``.safetensors`` file are mapped into memory: they are read-only and
        are loaded from disk when they are used. The words of a ``.safetensors`` file are decoded when they are first
        needed.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the file is truncated, damaged or in a different format.
    OSError
        If the file cannot be opened.
    ValueError
        If `limit` is below 1.

    Notes
    -----
    `WordVectors` checks that words are distinct and that the shapes of the arrays match.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats import read
    >>> _ = Path("glove.txt").write_text("sun 0.5 1.0\nmoon 0.25 -1.0\n")
    >>> record = read("glove.txt")
    >>> record.index_to_key, record.vectors.tolist()
    (['sun', 'moon'], [[0.5, 1.0], [0.25, -1.0]])
    >>> read("glove.txt", limit=1).index_to_key
    ['sun']
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; it must be at least 1")
    kind = _kind_to_read(path, format)
    if kind in _GZIPPABLE:
        return _read_gzippable(path, kind, errors, limit)
    if kind == "safetensors":
        record = read_safetensors(path)
    elif kind == "npz":
        record = read_npz(path)
    elif kind == "gensim":
        record = read_gensim(path)
    elif kind == "projector":
        record = read_projector(path, errors)
    else:
        record = read_static_embedding(path)
    if limit is None:
        return record
    try:
        return record.first(limit)
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path}: {error}") from error


def write(record: VectorRecord, path: str | PathLike[str], format: str | None = None) -> None:
    """Write a record to a file. An incomplete file never appears under the final name.

    Parameters
    ----------
    record : VectorRecord
        ``.safetensors`` and ``.npz`` files store all data without loss. The other formats store words as text and
        vectors as float32. Of these, only ``.tsv`` files also store counts.
    path : str or path
        If the name ends in ``.gz``, the file is compressed.
    format : str, optional
        One of `FORMATS` other than "gensim". By default, the suffix determines the format.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the record is inconsistent, or the format cannot store a word or a value.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord, write
    >>> write(VectorRecord(["sun", "moon"], np.array([[0.5, 1], [0.25, -1]])), "vectors.txt")
    >>> print(Path("vectors.txt").read_text())
    2 2
    sun 0.5 1.0
    moon 0.25 -1.0
    """
    path = Path(path)
    kind = format_of(path, format)
    if kind == "gensim":
        raise FormatError(f"{path}: gensim's own format can only be read; write .bin or .txt, which gensim can read")
    try:
        check_record(record)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error
    if kind == "safetensors":
        write_safetensors(record, path)
    elif kind == "npz":
        write_npz(record, path)
    elif kind == "bin":
        write_word2vec_bin(record, path)
    elif kind == "projector":
        write_projector(record, path)
    elif kind == "static-embedding":
        write_static_embedding(record, path)
    else:
        write_word2vec_text(record, path, header=kind == "txt")


def _kind_to_read(path: Path, format: str | None) -> str:
    if format is None and path.suffix.lower() not in SUFFIXES and is_safetensors(path):
        return "safetensors"  # `WordVectors.save` writes safetensors under names with unknown suffixes
    return format_of(path, format)


def _read_gzippable(path: Path, kind: str, errors: str, limit: int | None) -> VectorRecord:
    with open_for_reading(path) as (file, size):
        if size == 0:
            raise FormatError(f"{path}: the file is empty")
        if kind == "bin" and is_fasttext(file):
            words, vectors, counts = read_fasttext(file, path, size, limit)
            return VectorRecord(decode_words(words, path, errors), vectors, counts)
        if kind == "bin":
            words, vectors = read_word2vec_bin(file, path, size, limit)
        else:
            words, vectors = read_word2vec_text(file, path, size, limit, header=None if kind == "txt" else False)
    return VectorRecord(decode_words(words, path, errors), vectors)
