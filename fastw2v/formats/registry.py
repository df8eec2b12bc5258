"""The formats: which one a file name means, and reading and writing each."""

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
    """Return the format of a file: the one that is given, or that which the suffix names.

    Parameters
    ----------
    path : str or path
        A trailing ``.gz`` is ignored when the format is inferred.
    format : str, optional
        One of `FORMATS`.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the format does not go with ``.gz``.
    """
    path = Path(path)
    bare = path.with_suffix("") if is_gzipped(path) else path
    if format is None:
        format = (SUFFIXES | _READ_ONLY).get(bare.suffix.lower())
        if format is None and is_static_embedding(path):
            return "static-embedding"
        if format is None:
            raise FormatError(
                f"{path}: the suffix {bare.suffix!r} names no known format. Supported are {', '.join(SUFFIXES)}, .gz "
                "behind .bin, .txt, .vec and .glove, and for reading .kv; for another name say format= one of "
                f"{', '.join(FORMATS)}"
            )
    if format not in FORMATS:
        raise FormatError(f"format is {format!r}; supported are {', '.join(FORMATS)}")
    if is_gzipped(path) and format not in _GZIPPABLE:
        raise FormatError(f"{path}: {format} files are not packed with gzip here; leave out the .gz")
    return format


def read(
    path: str | PathLike[str], format: str | None = None, errors: str = "strict", limit: int | None = None
) -> VectorRecord:
    """Read a file of word vectors as plain data; `WordVectors.load` makes word vectors of it.

    Parameters
    ----------
    path : str or path
        A file compressed with gzip is decompressed, whatever its name.
    format : str, optional
        One of `FORMATS`; by default the suffix decides, a folder is a StaticEmbedding, and a file of safetensors is
        known by its first bytes where its suffix is ``.kv`` or names no format. A ``.bin`` may be a
        fastText model as well, and a ``.txt`` or ``.vec`` a file of GloVe's, without a first line of numbers.
    errors : {"strict", "surrogateescape", "replace", "ignore"}
        What to do with words that are not UTF-8, as in `bytes.decode`. Old tools cut words in the middle of a
        character; "surrogateescape" keeps their bytes.
    limit : int, optional
        Keep the first so many words only. Of ``.bin``, ``.txt`` and their like the rest is not even read.

    Returns
    -------
    VectorRecord
        On the host. float32 from most formats; from ``.safetensors``, ``.npz`` and gensim's the type that was
        saved. The vectors of a ``.safetensors`` file are mapped: read from the disk when used, and not writable.
        Its words are decoded when they are first needed.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the file is cut short, damaged or of another format. That words
        are distinct, and arrays fit each other, is checked by `WordVectors`.
    OSError
        If the file cannot be opened.
    ValueError
        If `limit` is below 1.
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
    """Write words and vectors to a file, which appears under its name only when it is complete.

    Parameters
    ----------
    record : VectorRecord
        What to write; `WordVectors.save` makes it. ``.safetensors`` and ``.npz`` hold everything as it is, the
        others words and float32 vectors only. Integer words become their digits, save in these two.
    path : str or path
        ``.gz`` behind the suffix compresses the file.
    format : str, optional
        One of `FORMATS` other than "gensim"; by default the suffix decides.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the record is inconsistent, or the format cannot hold a word or a value.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    kind = format_of(path, format)
    if kind == "gensim":
        raise FormatError(f"{path}: gensim's own format is read only, being a pickle; gensim reads .bin and .txt")
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
        return "safetensors"  # as `WordVectors.save` writes under a name of the user's own
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
