"""fastText's models: words with counts, n-grams, both matrices and the arguments of training.

The vector of a word is the mean of its own row and the rows of its character n-grams. A hash function maps n-grams to
buckets, each of which has a row. Models without n-grams have the rows of words alone.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fastw2v.backend import to_host
from fastw2v.corpus.subwords import NGrams
from fastw2v.formats.fileio import FormatError, cast, check_units, encode_words
from fastw2v.formats.record import VectorRecord
from fastw2v.utils.output_file import open_for_writing

__all__ = ["FastTextModel", "is_fasttext", "read_fasttext", "write_fasttext"]

MAGIC, VERSION = 793712314, 12
LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
"""fastText's numbers of losses."""
MODELS = {1: "cbow", 2: "skipgram", 3: "supervised"}
"""fastText's numbers of models."""
ARGUMENTS = (
    *("dim", "ws", "epoch", "minCount", "neg", "wordNgrams", "loss", "model", "bucket", "minn", "maxn"),
    "lrUpdateRate",
    "t",
)
"""Names of the arguments in a file, in this order."""
DEFAULTS = {
    **{"ws": 5, "epoch": 5, "minCount": 5, "neg": 5, "wordNgrams": 1, "loss": "ns", "model": "skipgram"},
    **{"lrUpdateRate": 100, "t": 1e-4},
}
"""fastText's defaults, which are written if the settings of the vectors do not contain a value."""
NAMES = {"ws": "window", "epoch": "epochs", "minCount": "min_count", "neg": "negative", "t": "sample"}
"""fastw2v's names of arguments."""
BLOCK_BYTES = 1 << 20
"""Approximate number of bytes of a matrix that are written at a time."""

_MAGIC = struct.pack("<i", MAGIC)
# Magic number, version, 12 integer settings and the setting t; then the numbers of entries, words, labels, tokens and
# pruned n-grams in the dictionary.
_HEAD = struct.Struct("<14id iii q q")
_ENTRY_BYTES = 10  # of a word, in addition to its letters
_QUANTISED = "quantised and pruned models are not supported; use the .bin or .vec file of the model"


class FastTextModel(NamedTuple):
    """The contents of a fastText model, without the words that were not read."""

    words: list[bytes]
    """The N words."""
    counts: np.ndarray
    """int64 array, shape (N,)."""
    W_in: np.ndarray
    """float32 array, shape (N + bucket, D), or (N, D) without n-grams: the rows of the words, then of the buckets."""
    ngrams: NGrams | None
    """Which n-grams a word has."""
    context_vectors: np.ndarray | None
    """float32 array, shape (N, D): W_out, if it was trained by negative sampling."""
    node_vectors: np.ndarray | None
    """float32 array, shape (N, D): the vectors of inner nodes, if W_out was trained by hierarchical softmax."""
    arguments: dict[str, Any]
    """The arguments of training, with fastText's names."""


def is_fasttext(file: BinaryIO) -> bool:
    """Return whether a file is a fastText model. The file is rewound to its beginning.

    Examples
    --------
    >>> import io
    >>> from fastw2v.formats.fasttext import is_fasttext
    >>> model = io.BytesIO((793712314).to_bytes(4, "little"))
    >>> is_fasttext(model), is_fasttext(io.BytesIO(b"2 300"))
    (True, False)
    """
    magic = file.read(4)
    file.seek(0)
    return magic == _MAGIC


def read_fasttext(file: BinaryIO, path: Path, size: int, limit: int | None) -> FastTextModel:
    r"""Read a fastText model.

    Parameters
    ----------
    file : binary file
        Open file, which is mapped into memory.
    path : Path
        Used in error messages.
    size : int
        Size of the file in bytes.
    limit : int or None
        Read only the first `limit` words, and the rows of all n-grams. If None, read all words.

    Returns
    -------
    FastTextModel
        The matrices of a model with n-grams are mapped into memory: they are read-only and are loaded from disk when
        they are used.

    Raises
    ------
    FormatError
        If the file is damaged, is quantised or pruned, or has an unsupported version.

    Notes
    -----
    fastText's Huffman tree is that of word2vec.c. Its label of a decision is the code, which is 1 minus the label here,
    so the vectors of inner nodes have the opposite sign.

    Examples
    --------
    >>> import struct
    >>> from pathlib import Path
    >>> from fastw2v.formats.fasttext import read_fasttext
    >>> header = struct.pack("<14id3i2q", 793712314, 12, 2, *[0] * 11, 0.0, 1, 1, 0, 3, -1)  # one word, no n-grams
    >>> entry, matrix = b"sun\0" + struct.pack("<qb", 3, 0), struct.pack("<?2q2f", False, 1, 2, 0.5, 0.25)
    >>> path = Path("model.bin")
    >>> size = path.write_bytes(header + entry + matrix + matrix)
    >>> with path.open("rb") as file:
    ...     model = read_fasttext(file, path, size, limit=None)
    >>> model.words, model.W_in.tolist(), model.counts.tolist()
    ([b'sun'], [[0.5, 0.25]], [3])
    """
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        magic, version, *values = _HEAD.unpack_from(data)
        if magic != MAGIC:
            raise ValueError(
                "it does not begin like one. Models of before 2017 are not supported; use their .vec files"
            )
        arguments: dict[str, Any] = dict(zip(ARGUMENTS, values, strict=False))
        n_dims, bucket = arguments["dim"], arguments["bucket"]
        n_entries, n_words, n_labels, _, n_pruned = values[-5:]
        if version not in (11, VERSION) or n_dims < 1 or n_words < 1 or n_labels < 0 or n_entries != n_words + n_labels:
            raise ValueError(
                f"version {version} with {n_words} words of {n_dims} dimensions is not supported; convert it to .vec"
            )
        supervised = arguments["model"] == 3
        shortest, longest = max(arguments["minn"], 1), arguments["maxn"]
        if version == 11 and supervised:  # such models do not use the n-grams that they declare
            longest = 0
        if n_pruned >= 0:
            raise ValueError(_QUANTISED)
        if _HEAD.size + _ENTRY_BYTES * n_entries + 34 + 4 * n_words * n_dims > size:
            raise struct.error  # the file is too small for its words
        words, counts, at = _entries(data, n_entries, n_words)
        if data[at] != 0:
            raise ValueError(_QUANTISED)
        n_rows, width = struct.unpack_from("<qq", data, at + 1)
        at += 17
        end = at + 4 * n_rows * n_dims
        if width != n_dims or n_rows < n_words or end > size:
            raise ValueError(
                f"its matrix of shape ({n_rows}, {width}) does not match the header or the file size; fetch it again"
            )
        n_outputs, width = struct.unpack_from("<qq", data, end + 1)
        if data[end] != 0 or width != n_dims or n_outputs < 0 or end + 17 + 4 * n_outputs * n_dims != size:
            raise ValueError("its second matrix does not end at the end of the file; the file is truncated or damaged")
        with_ngrams = longest >= shortest
        if with_ngrams and (bucket < 1 or n_rows != n_words + bucket):
            raise ValueError(
                f"its matrix has {n_rows} rows, but there are {n_words} words and {bucket} buckets for n-grams of "
                f"{shortest} to {longest} characters; fetch it again"
            )
    except (struct.error, IndexError) as error:
        raise FormatError(
            f"{path}: cannot read this fastText model: it ends after {size:,} bytes, before the end of its dictionary "
            "or of its matrices. The file is truncated or damaged; fetch or write it again"
        ) from error
    except ValueError as error:
        raise FormatError(f"{path}: cannot read this fastText model: {error}") from error
    kept = n_words if limit is None else min(limit, n_words)
    context = nodes = None
    loss = LOSSES.get(arguments["loss"], arguments["loss"])
    if not supervised and n_outputs == n_words and loss in ("ns", "hs"):
        W_out = _matrix(data, n_words, n_dims, end + 17)[:kept]
        if loss == "ns":
            context = W_out
        elif kept == n_words:  # the tree contains all words
            nodes = -W_out
    if not with_ngrams:
        W_in = np.array(_matrix(data, n_words, n_dims, at)[:kept])
    elif kept == n_words:
        W_in = _matrix(data, n_rows, n_dims, at)
    else:
        W_in = _first_words(file, kept, n_words, n_rows, n_dims, at)
    arguments |= {"loss": loss, "model": MODELS.get(arguments["model"], arguments["model"])}
    ngrams = NGrams(shortest, longest, bucket) if with_ngrams else None
    return FastTextModel(words[:kept], counts[:kept], W_in, ngrams, context, nodes, arguments)


def write_fasttext(record: VectorRecord, path: Path) -> None:
    r"""Write a fastText model.

    Parameters
    ----------
    record : VectorRecord
        Without subwords, the model has no n-grams, and its rows are the vectors. `context_vectors`, or else
        `node_vectors`, become the output matrix, which is zeros if there are neither. Arguments of training that
        `settings` do not contain have fastText's defaults. The vectors of a classifier, whose
        labels are unknown, are written as a skip-gram model with negative sampling.
    path : Path
        The file is compressed if the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``.

    Raises
    ------
    FormatError
        If a word is empty or contains the character NUL or a line feed, a value is too large for float32, or the
        n-grams are those of floret, or of other units than characters.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord, read
    >>> from fastw2v.formats.fasttext import write_fasttext
    >>> write_fasttext(VectorRecord(["sun", "moon"], np.ones((2, 3)), counts=np.array([5, 4])), Path("sky.bin"))
    >>> Path("sky.bin").stat().st_size, read("sky.bin").counts.tolist()
    (201, [5, 4])
    """
    subwords = record.subwords
    if subwords is not None:
        check_units(subwords.ngrams.units, path)
    if subwords is not None and subwords.ngrams.hash_count is not None:
        raise FormatError(
            f"{path}: the n-grams of these vectors are hashed as in floret, which models of fastText cannot store; "
            "write .floret or .safetensors"
        )
    words = encode_words(record.index_to_key, path, re.compile(rb"[\0\n]"), "the character NUL or a line feed")
    V = len(words)
    counts = np.arange(V, 0, -1) if record.counts is None else np.asarray(record.counts, np.int64)
    W_in = to_host(record.vectors if subwords is None else record.input_vectors)
    D = W_in.shape[1]
    W_out, loss = record.context_vectors, None if record.context_vectors is None else "ns"
    sign = 1
    if W_out is None and record.node_vectors is not None:
        W_out, loss, sign = record.node_vectors, "hs", -1
    ngrams = NGrams(0, 0, 0) if subwords is None else subwords.ngrams
    values = _arguments(record.settings) | ({} if loss is None else {"loss": loss})
    values |= {"dim": D, "bucket": ngrams.bucket, "minn": ngrams.min_n, "maxn": ngrams.max_n}
    values["loss"] = 1 if values["loss"] == "hs" else 2
    values["model"] = 1 if values["model"] == "cbow" else 2  # the labels of a classifier are not in the record
    head = _HEAD.pack(MAGIC, VERSION, *(values[name] for name in ARGUMENTS), V, V, 0, int(counts.sum()), -1)
    with open_for_writing(path) as file:
        file.write(head)
        for word, count in zip(words, counts.tolist(), strict=True):
            file.write(word + b"\0" + struct.pack("<qb", count, 0))
        file.write(struct.pack("<?qq", False, V + ngrams.bucket, D))
        for block in _blocks(W_in[:V], path):
            file.write(block)
        if subwords is not None:
            for start, stop in _ranges(ngrams.bucket, D):
                rows = subwords.rows_of_buckets(np.arange(start, stop))
                of_buckets = np.zeros((stop - start, D), "<f4")
                present = rows >= 0
                of_buckets[present] = cast(W_in[rows[present]], np.dtype("<f4"), path)
                file.write(of_buckets.data)
        file.write(struct.pack("<?qq", False, V, D))
        for block in _blocks(np.zeros((V, D), np.float32) if W_out is None else to_host(W_out), path, sign):
            file.write(block)


def _arguments(settings: Any) -> dict[str, Any]:
    """Return the arguments of training that a file contains, with fastText's names."""
    settings = settings if isinstance(settings, dict) else {}
    given = settings.get("fasttext")
    if not isinstance(given, dict):
        given = {name: settings.get(NAMES.get(name, name)) for name in DEFAULTS}
    arguments: dict[str, Any] = dict(DEFAULTS)
    for name, default in DEFAULTS.items():
        value = given.get(name)
        if isinstance(default, str) and isinstance(value, str):
            arguments[name] = value
        elif not isinstance(default, str) and isinstance(value, (int, float)) and 0 <= value < 2**31:
            arguments[name] = float(value) if isinstance(default, float) else int(value)
    return arguments


def _blocks(matrix: np.ndarray, path: Path, sign: int = 1) -> Iterator[memoryview]:
    """Yield a matrix as float32 in blocks, because rows that are converted are copied."""
    for start, stop in _ranges(*matrix.shape):
        block = cast(matrix[start:stop], np.dtype("<f4"), path)
        yield (block if sign > 0 else -block).data


def _ranges(n_rows: int, n_dims: int) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK_BYTES // (4 * n_dims))
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)


def _matrix(data: mmap.mmap, n_rows: int, n_dims: int, at: int) -> np.ndarray:
    """Return a matrix of a mapped file. It is not aligned, because the lengths of the words before it vary."""
    return np.ndarray((n_rows, n_dims), "<f4", data, offset=at)


def _first_words(file: BinaryIO, kept: int, n_words: int, n_rows: int, n_dims: int, at: int) -> np.ndarray:
    """Return the rows of the first words, followed by the rows of n-grams, which are not copied.

    The rows of the first words overwrite those of the last words in a private mapping, which does not change the file.
    """
    begin = at + 4 * n_dims * (n_words - kept)
    page = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    length = at + 4 * n_dims * n_rows - page
    data = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY, offset=page)
    matrix: np.ndarray = np.ndarray((n_rows - n_words + kept, n_dims), "<f4", data, offset=begin - page)
    file.seek(at)
    matrix[:kept] = np.frombuffer(file.read(4 * n_dims * kept), "<f4").reshape(kept, n_dims)
    matrix.flags.writeable = False
    return matrix


def _entries(data: mmap.mmap, n_entries: int, n_words: int) -> tuple[list[bytes], np.ndarray, int]:
    """Return the words, their counts and the offset of the matrix."""
    at, words, counts = _HEAD.size, [], []
    for _ in range(n_entries):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError("it is truncated within its dictionary; fetch or write it again")
        count, kind = struct.unpack_from("<qb", data, end + 1)
        if kind == 0:
            words.append(data[at:end])
            counts.append(count)
        elif kind != 1:
            break  # damaged
        at = end + 10
    if len(words) != n_words or min(counts) < 0:
        raise ValueError(
            f"its dictionary has {len(words)} words instead of {n_words}, or a negative count; fetch it again"
        )
    return words, np.array(counts, dtype=np.int64), at
