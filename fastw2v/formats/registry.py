"""The supported formats: inference from names and contents, and functions that read and write files in any format."""

from __future__ import annotations

import logging
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Literal

from fastw2v.config import check_integer
from fastw2v.corpus.subwords import Subwords
from fastw2v.formats.content import describe_content, has_text_rows, recognise_content
from fastw2v.formats.duplicates import check_distinct, keep_first
from fastw2v.formats.fasttext import read_fasttext, write_fasttext
from fastw2v.formats.fileio import FormatError, decode_words, open_for_reading
from fastw2v.formats.floret import write_floret
from fastw2v.formats.gensim import read_gensim
from fastw2v.formats.header import match_header
from fastw2v.formats.npz import read_npz, write_npz
from fastw2v.formats.projector import read_projector, write_projector
from fastw2v.formats.record import VectorRecord, check_record, with_floats, with_vectors
from fastw2v.formats.safetensors import read_safetensors, write_safetensors
from fastw2v.formats.static_embedding import is_static_embedding, read_static_embedding, write_static_embedding
from fastw2v.formats.word2vec_bin import read_word2vec_bin, write_word2vec_bin
from fastw2v.formats.word2vec_text import read_word2vec_text, write_word2vec_text
from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.download import cached_path, is_url, local_copy, name_of_url
from fastw2v.utils.encodings import check_encoding
from fastw2v.utils.output_file import COMPRESSIONS, check_compression, refuse_archive, without_compression
from fastw2v.utils.quote import quote

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Duplicates",
    "check_no_pickle",
    "check_writable",
    "format_of",
    "read",
    "write",
    "written_format",
]

log = logging.getLogger("fastw2v")

Duplicates = Literal["error", "first"]
"""What to do if a file contains a word more than once: raise an error, or keep the first row of the word."""
SUFFIXES = {
    ".safetensors": "safetensors",
    ".bin": "bin",
    ".txt": "txt",
    ".vec": "txt",
    ".glove": "glove",
    ".npz": "npz",
    ".tsv": "projector",
    ".floret": "floret",
}
_READ_ONLY = {".kv": "gensim"}
FORMATS = (
    *("safetensors", "bin", "txt", "glove", "npz", "projector", "static-embedding", "fasttext", "floret"),
    "gensim",
)
_INT8_FORMATS = ("safetensors", "npz")
"""Formats that store matrices of int8."""
_COMPRESSIBLE = ("bin", "txt", "glove", "fasttext", "floret")
_READ_AS_STREAM = ("bin", "txt", "glove", "fasttext")
_NAMES = {
    "bin": "word2vec's binary format",
    "txt": "word2vec's text format",
    "glove": "GloVe's text format",
    "fasttext": "fastText's binary format",
}
_DECODING_ERRORS = ("strict", "surrogateescape", "replace", "ignore")
# The parameters of load_word2vec_format for each format.
_PARAMETERS = {"bin": "binary=True", "txt": "binary=False", "glove": "no_header=True"}


def format_of(path: str | PathLike[str], format: str | None = None) -> str:
    """Return the format of a file: `format` if it is given, otherwise the format inferred from the path.

    Parameters
    ----------
    path : str or path
        A trailing ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` is ignored when the format is inferred.
    format : str, optional
        One of `FORMATS`.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the name is that of a compressed file, but the format cannot be
        compressed.

    Examples
    --------
    >>> from fastw2v.formats import format_of
    >>> format_of("vectors.vec.gz"), format_of("vectors.safetensors")
    ('txt', 'safetensors')
    >>> format_of("word2vec.model", format="gensim")
    'gensim'
    """
    path = check_path("path", path)
    if format is None:
        format = _format_by_name(path)
        if format is None:
            raise FormatError(
                f"{path}: unknown suffix {quote(without_compression(path).suffix)}. Supported suffixes are "
                f"{', '.join(SUFFIXES)}, .kv (only for reading), and {', '.join(COMPRESSIONS)} after .bin, .txt, .vec, "
                f".glove or .floret. For any other suffix, use format='NAME', where NAME is "
                f"{', '.join(FORMATS[:-1])} or, for reading, {FORMATS[-1]}"
            )
    if format not in FORMATS:
        raise FormatError(f"format is {quote(format)}; it must be one of {', '.join(FORMATS)}")
    if _is_compressed_name(path) and format not in _COMPRESSIBLE:
        raise FormatError(f"{path}: {format} files cannot be compressed; remove the {path.suffix} from the name")
    return format


def check_writable(path: str | PathLike[str], format: str | None = None, dtype: str | None = None) -> str:
    """Check that a name and a format can be written, and return the format. This function does not open the file.

    Parameters
    ----------
    path : str or path
    format : str, optional
        One of `FORMATS`. By default, the suffix determines the format.
    dtype : str, optional
        The type in which the vectors are to be stored. By default, any type is accepted.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the format can only be read or cannot be compressed as the name says, the
        suffix is that of an archive or of another compression, or the format does not store vectors of type `dtype`.
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.

    Examples
    --------
    >>> from fastw2v.formats.registry import check_writable
    >>> check_writable("vectors.txt.xz")
    'txt'
    >>> check_writable("vectors.zip", format="txt")
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.zip: .zip files are not written; ...
    """
    path = check_path("path", path)
    try:
        refuse_archive(path)
    except ValueError as error:
        raise FormatError(str(error)) from error
    format = format_of(path, format)
    if format == "gensim":
        raise FormatError(f"{path}: gensim's own format can only be read; write .bin or .txt, which gensim can read")
    check_compression(path)
    if dtype not in (None, "float32") and format not in _INT8_FORMATS:
        raise FormatError(
            f"{path}: {format} files store float32; for {quote(dtype)}, write .{' or .'.join(_INT8_FORMATS)}, or omit "
            "the dtype"
        )
    return format


def read(
    path: str | PathLike[str],
    format: str | None = None,
    errors: str = "strict",
    limit: int | None = None,
    *,
    encoding: str = "utf-8",
    duplicates: Duplicates = "error",
    sha256: str | None = None,
) -> VectorRecord:
    r"""Read a word-vector file as plain data. To query the vectors, use `WordVectors.load` instead.

    Parameters
    ----------
    path : str or path
        A file that is compressed with gzip, bzip2, xz or zstd is decompressed, whatever its name. A file at a URL that
        begins with ``https://`` or ``http://`` is downloaded once.
    format : str, optional
        One of `FORMATS`. By default, the format is recognised from the contents, or from the suffix if the contents are
        ambiguous. A folder is read as a StaticEmbedding. Pickles of gensim are read only if this parameter is "gensim"
        or, for a file that is not downloaded, the suffix is ``.kv``. If the contents are clearly in another format than
        `format`, they are read in that format, and a warning is logged.
    errors : {"strict", "surrogateescape", "replace", "ignore"}
        How to handle words that are not in `encoding`, as in `bytes.decode`. Some old tools truncate words in the
        middle of a character. "surrogateescape" preserves the bytes of these words.
    limit : int, optional
        Read only the first `limit` rows. The rest of a ``.bin``, ``.txt``, ``.vec`` or ``.glove`` file is not read.
    encoding : str
        Encoding of the words in ``.bin``, ``.txt``, ``.vec``, ``.glove`` and ``.tsv`` files. It must be a superset of
        ASCII.
    duplicates : {"error", "first"}
        What to do if a word occurs more than once: raise an error, or keep the first row of each word and log a
        warning. With "first", the result can have fewer rows than `limit`.
    sha256 : str, optional
        The SHA-256 checksum of the file at a URL. Without it, a warning is logged that contains the checksum.

    Returns
    -------
    VectorRecord
        Record with NumPy arrays. Vectors are float32, except in ``.safetensors``, ``.npz`` and gensim files, whose
        vectors keep their dtype. The vectors of a ``.safetensors`` file are mapped into memory: they are read-only and
        are loaded from disk when they are used. The words of a ``.safetensors`` file are decoded when they are first
        needed. The record of a fastText model with n-grams has `input_vectors`, which are mapped as well, and
        `subwords`, and its `vectors` are None. If its words are not decoded as UTF-8 without loss, it has `vectors`
        instead.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the file is truncated, damaged or not a vector file, or it contains a word
        twice and `duplicates` is "error". The words of a ``.safetensors`` file are checked when they are first needed.
    OSError
        If the file cannot be opened. It is a `fastw2v.utils.download.DownloadError` if the file cannot be downloaded,
        or does not have the checksum `sha256`.
    RuntimeError
        If the file is compressed with zstd, and no module that can decompress it is installed.
    ValueError
        If `limit` is below 1, `errors`, `encoding` or `duplicates` is not supported, the URL or the checksum is
        malformed, or a checksum is given for a file that is not downloaded.

    Notes
    -----
    `WordVectors` checks that the shapes of the arrays match.

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
    if is_url(path):
        return _read_url(path, sha256, format, errors, limit, encoding=encoding, duplicates=duplicates)
    path = check_path("path", path)
    if sha256 is not None:
        raise ValueError(f"{path}: sha256 is given, but only downloaded files are verified; omit it, or pass a URL")
    if limit is not None:
        check_integer("limit", limit, minimum=1)
    if duplicates not in ("error", "first"):
        raise ValueError(f"duplicates is {quote(duplicates)}; it must be 'error' or 'first'")
    if errors not in _DECODING_ERRORS:
        raise ValueError(f"errors is {quote(errors)}; it must be one of {', '.join(map(repr, _DECODING_ERRORS))}")
    encoding = _check_encoding(encoding)
    if format is not None and format not in FORMATS:
        format_of(path, format)  # raises the error
    record = _read(path, format, errors, encoding, limit)
    if limit is not None:
        try:
            record = record.first(limit)
        except (ValueError, IndexError) as error:
            raise FormatError(f"{path}: {error}") from error
    return check_distinct(record, path, errors) if duplicates == "error" else keep_first(record, path)


def write(record: VectorRecord, path: str | PathLike[str], format: str | None = None) -> None:
    """Write a record to a file. An incomplete file never appears under the final name.

    Parameters
    ----------
    record : VectorRecord
        ``.safetensors`` and ``.npz`` files store all data without loss. The other formats store words as text and
        vectors as float32. Of these, ``.tsv`` files also store counts, and fastText's models also store counts, n-grams
        and W_out.
    path : str or path
        If the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``, the file is compressed.
    format : str, optional
        One of `FORMATS` other than "gensim". By default, the suffix determines the format. Vectors with subwords of
        fastText are written as a fastText model if the suffix is ``.bin``.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the record is inconsistent, or the format cannot store a word or a value.
    OSError
        If the file cannot be written. The error names `path` and the reason.
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.

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
    check_type("record", record, VectorRecord, "a VectorRecord")
    path = check_path("path", path)
    kind = check_writable(path, format)
    kind = written_format(record.subwords, kind, format)
    try:
        check_record(record)
        if kind not in ("fasttext", "floret"):
            record = with_vectors(record)
        if kind not in _INT8_FORMATS:
            record = with_floats(record)
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
    elif kind == "fasttext":
        write_fasttext(record, path)
    elif kind == "floret":
        write_floret(record, path)
    else:
        write_word2vec_text(record, path, header=kind == "txt")


def written_format(subwords: Subwords | None, kind: str, given: str | None) -> str:
    """Return the format in which vectors are written: `kind`, except that ``.bin`` depends on the vectors.

    Parameters
    ----------
    subwords : Subwords or None
        The subwords of the vectors.
    kind : str
        The format that `check_writable` returned.
    given : str or None
        The format that the caller named, or None if the suffix determines it.

    Examples
    --------
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.formats.registry import written_format
    >>> subwords = Subwords(["am"], NGrams(min_n=3, max_n=6, bucket=1000))
    >>> [written_format(one, "bin", given) for one, given in ((None, None), (subwords, None), (subwords, "bin"))]
    ['bin', 'fasttext', 'bin']
    """
    fasttext = subwords is not None and subwords.ngrams.hash_count is None
    return "fasttext" if kind == "bin" and given is None and fasttext else kind


def check_no_pickle(path: PurePath, name: str, format: str | None) -> None:
    """Raise FormatError if a file from the network has the name of a pickle, and the caller does not name the format.

    Parameters
    ----------
    path : path
    name : str
        Name of the file in the message.
    format : str or None
        The format that the caller named.

    Examples
    --------
    >>> from pathlib import PurePath
    >>> from fastw2v.formats.registry import check_no_pickle
    >>> check_no_pickle(PurePath("vectors.kv"), "https://example.org/vectors.kv", "gensim")
    >>> check_no_pickle(PurePath("vectors.kv"), "https://example.org/vectors.kv", None)
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: https://example.org/vectors.kv: this is the name of a pickle of gensim; ...
    """
    if format is None and without_compression(Path(path)).suffix.lower() in _READ_ONLY:
        raise FormatError(
            f"{name}: this is the name of a pickle of gensim; if you trust its source, read it with format='gensim'"
        )


def _read_url(url: str, sha256: str | None, format: str | None, *options: Any, **named: Any) -> VectorRecord:
    name = name_of_url(url)
    path = cached_path(url)
    check_no_pickle(path, name, format)
    if format is not None and format not in FORMATS:
        format_of(path, format)  # raises the error
    path = local_copy(url, sha256)
    try:
        return read(path, format, *options, **named)
    except FormatError as error:
        raise FormatError(f"{str(error).replace(str(path), name)}. The downloaded file is {path}") from error


def _check_encoding(encoding: str) -> str:
    """Return the name of an encoding, or raise ValueError if its words cannot be found by ASCII spaces and newlines."""
    name = check_encoding(encoding)
    ascii_bytes = bytes(range(128))
    if ascii_bytes.decode(name, "replace") != ascii_bytes.decode("ascii"):
        raise ValueError(
            f"encoding is {quote(encoding)}; only encodings that extend ASCII are supported here. Convert the file "
            f"first, for example with iconv -f {name} -t UTF-8"
        )
    return "utf-8" if name == "utf-8-sig" else name


def _is_compressed_name(path: Path) -> bool:
    return path.suffix.lower() in COMPRESSIONS


def _format_by_name(path: Path) -> str | None:
    format = (SUFFIXES | _READ_ONLY).get(without_compression(path).suffix.lower())
    return "static-embedding" if format is None and is_static_embedding(path) else format


def _read(path: Path, format: str | None, errors: str, encoding: str, limit: int | None) -> VectorRecord:
    if format == "static-embedding" and path.is_file():
        raise FormatError(f"{path}: a StaticEmbedding is a folder, but this is a file; omit the format")
    if format == "static-embedding" or is_static_embedding(path):
        return read_static_embedding(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but not a StaticEmbedding; pass the path of a file")
    with open_for_reading(path) as (file, size):
        if size == 0:
            raise FormatError(f"{path}: the file is empty")
        kind = _format_to_read(file, path, size, format)
        if kind == "floret":
            raise FormatError(
                f"{path}: a floret table contains no words, so it can only be written; read it in floret or spaCy"
            )
        if kind in _READ_AS_STREAM:
            return _read_word2vec(file, path, size, kind, errors, encoding, limit)
        if kind in ("safetensors", "npz") and size != path.stat().st_size:
            raise FormatError(
                f"{path}: {kind} files are not read in compressed form or from a pipe; decompress the file first, or "
                "write the output of the pipe to a file"
            )
    if kind == "safetensors":
        return read_safetensors(path)
    if kind == "npz":
        return read_npz(path)
    return read_gensim(path) if kind == "gensim" else read_projector(path, errors, encoding)


def _format_to_read(file: BinaryIO, path: Path, size: int, format: str | None) -> str:
    """Return the format of a file by its contents or, if these are ambiguous, `format` or the format of its name."""
    found = recognise_content(file, size)
    expected = format or _format_by_name(path)
    if found is None:
        description = describe_content(file)
        file.seek(0)
        if description is not None and expected not in ("gensim", "projector", "floret"):
            raise FormatError(f"{path}: this is {description}")
        if expected == "bin" and has_text_rows(file):
            return "txt"  # damaged, so that the reader of text says where
        return format or format_of(path)  # raises an error if the suffix is unknown, or the format is not compressed
    if expected == "txt" and found == "glove":  # the reader of text files finds out whether there is a header
        return "txt"
    if expected == "bin" and found == "fasttext":  # a name that fastText uses as well
        return "fasttext"
    if expected == "glove" and found == "txt" and _has_one_dimension(file):
        return "glove"  # the first line can be a header or a row
    if format is not None and format != found:
        log.warning(
            "%s: the file is in %s, not in %s, and is read as such; use format=%r%s",
            path,
            _NAMES.get(found, f"the format {found}"),
            _NAMES.get(format, f"the format {format}"),
            found,
            f" (load_word2vec_format: {_PARAMETERS[found]})" if found in _PARAMETERS else "",
        )
    return found


def _has_one_dimension(file: BinaryIO) -> bool:
    header = match_header(file.readline(2**10))
    file.seek(0)
    return header is not None and header[1] == 1


def _read_word2vec(
    file: BinaryIO, path: Path, size: int, kind: str, errors: str, encoding: str, limit: int | None
) -> VectorRecord:
    if kind == "fasttext":
        return _read_fasttext(file, path, size, errors, encoding, limit)
    if kind == "bin":
        words, vectors = read_word2vec_bin(file, path, size, limit)
    else:
        words, vectors = read_word2vec_text(file, path, size, limit, header=None if kind == "txt" else False)
    return VectorRecord(decode_words(words, path, errors, encoding), vectors)


def _read_fasttext(
    file: BinaryIO, path: Path, size: int, errors: str, encoding: str, limit: int | None
) -> VectorRecord:
    model = read_fasttext(file, path, size, limit)
    words = decode_words(b"\n".join(model.words), path, errors, encoding)
    subwords = None
    if model.ngrams is not None:
        # The n-grams are those of the bytes in the file, whatever the encoding.
        subwords = Subwords.with_buckets(model.words, len(model.words), model.ngrams)
    record = VectorRecord(
        words,
        model.W_in if subwords is None else None,
        model.counts,
        model.context_vectors,
        {"fasttext": model.arguments},
        None if subwords is None else model.W_in,
        model.node_vectors,
        subwords,
    )
    if encoding == "utf-8" and errors in ("strict", "surrogateescape"):
        return record
    return replace(with_vectors(record), input_vectors=None, subwords=None)
