"""Reader of fastText models. It returns the word vectors that ``fasttext print-word-vectors`` prints.

The vector of a word is the mean of its own row and the rows of its character n-grams. A hash function maps n-grams to
rows. Vectors of out-of-vocabulary words are not computed. To get them, load the model in fastText.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fastw2v.formats.fileio import FormatError

__all__ = ["is_fasttext", "read_fasttext"]

_MAGIC = struct.pack("<i", 793712314)
# Magic number, version, 12 integer settings and the setting t; then the numbers of entries, words, labels, tokens and
# pruned n-grams in the dictionary.
_HEAD = struct.Struct("<14id iii q q")


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


def read_fasttext(file: BinaryIO, path: Path, size: int, limit: int | None) -> tuple[bytes, np.ndarray, np.ndarray]:
    r"""Read the words, vectors and counts of a fastText model.

    Parameters
    ----------
    file : binary file
        Open file, which is mapped into memory.
    path : Path
        Used in error messages.
    size : int
        Size of the file in bytes.
    limit : int or None
        Read only the first `limit` words. If None, read all words.

    Returns
    -------
    words : bytes
        The N words, separated by newlines.
    vectors : float32 array, shape (N, D)
    counts : int64 array, shape (N,)

    Raises
    ------
    FormatError
        If the file is damaged, is quantised or has an unsupported version.

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
    ...     words, vectors, counts = read_fasttext(file, path, size, limit=None)
    >>> words, vectors.tolist(), counts.tolist()
    (b'sun', [[0.5, 0.25]], [3])
    """
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _, version, n_dims, *settings = _HEAD.unpack_from(data)
        bucket, shortest, longest = settings[7:10]
        n_entries, n_words, n_labels, _, n_pruned = settings[-5:]
        if version not in (11, 12) or n_dims < 1 or n_words < 1 or n_labels < 0 or n_entries != n_words + n_labels:
            raise ValueError(
                f"version {version} with {n_words} words of {n_dims} dimensions is not supported; convert it to .vec"
            )
        if n_pruned > 0:
            raise ValueError("quantised models are not supported; use the .bin or .vec file of the model")
        words, counts, at = _entries(data, n_entries, n_words)
        if data[at] != 0:
            raise ValueError("quantised models are not supported; use the .bin or .vec file of the model")
        n_rows, width = struct.unpack_from("<qq", data, at + 1)
        at += 17
        longest = longest if version == 12 else 0 if settings[6] == 3 else longest
        end = at + 4 * n_rows * n_dims
        if width != n_dims or n_rows < n_words or end > size:
            raise ValueError(
                f"its matrix of shape ({n_rows}, {width}) does not match the header or the file size; fetch it again"
            )
        n_outputs, width = struct.unpack_from("<qq", data, end + 1)
        if data[end] != 0 or width != n_dims or n_outputs < 0 or end + 17 + 4 * n_outputs * n_dims != size:
            raise ValueError("its second matrix does not end at the end of the file; the file is truncated or damaged")
        if longest > 0 and (shortest < 1 or bucket < 1 or n_rows != n_words + bucket):
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
    matrix: np.ndarray = np.ndarray((n_rows, n_dims), "<f4", data, offset=at)
    kept = n_words if limit is None else min(limit, n_words)
    vectors = matrix[:kept].astype(np.float32)
    if longest > 0:
        block = 2**14
        for start in range(0, kept, block):
            _add_ngrams(
                vectors[start : start + block],
                words[start : min(start + block, kept)],
                matrix[n_words:],
                shortest,
                longest,
            )
    return b"\n".join(words[:kept]), vectors, counts[:kept]


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
        at = end + 10
    if len(words) != n_words or min(counts) < 0:
        raise ValueError(
            f"its dictionary has {len(words)} words instead of {n_words}, or a negative count; fetch it again"
        )
    return words, np.array(counts, dtype=np.int64), at


def _add_ngrams(vectors: np.ndarray, words: list[bytes], ngrams: np.ndarray, shortest: int, longest: int) -> None:
    """Replace each row with the mean of the word's own row and the rows of its n-grams, in place.

    fastText hashes every substring of ``<word>`` with `shortest` to `longest` characters (FNV-1a with signed bytes).
    The loop extends all substrings, one for each starting character, by one byte at a time.
    """
    text = np.frombuffer(b"".join(b"<" + word + b">" for word in words), dtype=np.uint8)
    lengths = np.array([len(word) + 2 for word in words])
    owners = np.repeat(np.arange(len(words)), lengths)
    ends = np.cumsum(lengths)
    starts_character = (text & 0xC0) != 0x80
    whole = np.array([word == b"</s>" for word in words])  # the end-of-line token has no n-grams
    places = np.flatnonzero(starts_character & ~whole[owners])
    first = (ends - lengths)[owners[places]]
    stops, cursors, begins = ends[owners[places]], places.copy(), places
    hashes = np.full(len(places), 2166136261, dtype=np.uint32)
    characters = np.zeros(len(places), dtype=np.int64)
    found_owners, found_rows = [], []
    while len(cursors):
        octets = text[cursors].astype(np.int8).astype(np.uint32)
        hashes = (hashes ^ octets) * np.uint32(16777619)
        characters += starts_character[cursors]
        cursors = cursors + 1
        at_end = cursors == stops
        complete = at_end | starts_character[np.minimum(cursors, len(text) - 1)]
        # A single angle bracket is not an n-gram.
        bracket = (characters == 1) & ((begins == first) | at_end)
        emit = complete & (characters >= shortest) & (characters <= longest) & ~bracket
        found_owners.append(owners[begins[emit]])
        found_rows.append(hashes[emit] % np.uint32(len(ngrams)))
        going = ~at_end & ~(complete & (characters >= longest))
        cursors, stops, begins, first, hashes, characters = (
            kept[going] for kept in (cursors, stops, begins, first, hashes, characters)
        )
    of, rows = np.concatenate(found_owners), np.concatenate(found_rows).astype(np.int64)
    order = np.argsort(of, kind="stable")
    of, rows = of[order], rows[order]
    counts = np.bincount(of, minlength=len(words))
    starts = np.cumsum(counts) - counts
    some = np.flatnonzero(counts)
    if len(some):
        block = max(1, 2**22 // ngrams.shape[1] // max(1, int(counts.max())))
        for at in range(0, len(some), block):
            part = some[at : at + block]
            low, high = starts[part[0]], starts[part[-1]] + counts[part[-1]]
            vectors[part] += np.add.reduceat(ngrams[rows[low:high]], starts[part] - low, axis=0)
    vectors /= (counts + 1)[:, None].astype(np.float32)
