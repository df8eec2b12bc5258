"""The native format, safetensors. It stores everything without loss and opens immediately.

A file is mapped into memory. Rows are loaded from disk when they are used, and all words are decoded when the first
word is needed.
"""

from __future__ import annotations

import itertools
import json
import mmap
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import TrainingConfig, Units
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.formats.fileio import FormatError, encode_words
from fastw2v.formats.record import INT8_MATRICES, MATRICES, VectorRecord
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.checks import check_stored_matrix
from fastw2v.utils.quote import quote, shorten
from fastw2v.utils.scaled_rows import ScaledRows

__all__ = [
    "matrices_from_arrays",
    "matrices_to_arrays",
    "read_safetensors",
    "settings_from_json",
    "settings_to_json",
    "subwords_from_file",
    "words_from_arrays",
    "words_to_arrays",
    "write_safetensors",
    "write_tensors",
]

VERSION, UNITS_VERSION = 1, 2
"""Versions of the format. Files whose n-grams have other units than characters have the second, so that older versions
of fastw2v, which would take the n-grams of characters, refuse them. All others have the first."""
BLOCK_BYTES = 1 << 20
"""Approximate number of bytes that are written at a time."""

_TENSORS = {
    **dict.fromkeys(MATRICES, (("F16", "F32", "F64"), 2)),
    **dict.fromkeys(INT8_MATRICES, (("F16", "F32", "F64", "I8"), 2)),
    **{f"{name}_scales": (("F32",), 1) for name in INT8_MATRICES},
    "words": (("U8",), 1),
    "word_offsets": (("I64",), 1),
    "counts": (("I64",), 1),
    "buckets": (("I32",), 1),
}
_NGRAMS = ("min_n", "max_n", "bucket", "hash_count", "units")
"""Names of the settings of n-grams in the metadata.

`hash_count` is missing unless the n-grams are floret's, and `units` is missing if they are characters.
"""
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "U8": "u1", "I32": "<i4", "I64": "<i8"}
_DTYPE_ORDER = ("I64", "F64", "F32", "I32", "F16", "I8", "U8")
_DTYPE_NAMES = {dtype.lstrip("<"): name for name, dtype in _DTYPES.items()}


def read_safetensors(path: Path) -> VectorRecord:
    """Read a file written by `write_safetensors`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    VectorRecord
        Record whose arrays are read-only and mapped into memory.

    Raises
    ------
    FormatError
        If the file is damaged, was not written by fastw2v, or has a newer version of the format.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.safetensors import read_safetensors, write_safetensors
    >>> path = Path("vectors.safetensors")
    >>> write_safetensors(VectorRecord([7, 42], np.eye(2), settings={"window": 5}), path)
    >>> record = read_safetensors(path)
    >>> record.index_to_key, record.settings, record.vectors.flags.writeable
    ([7, 42], {'window': 5}, False)
    """
    from safetensors import SafetensorError, safe_open

    path.open("rb").close()  # raises the usual OSError if the file is missing or unreadable
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_tensors(file, metadata, path)
    except SafetensorError as error:
        raise FormatError(
            f"{path}: not a complete safetensors file: {_damage(path)}. The file is truncated, damaged or in a "
            "different format; fetch or write it again"
        ) from error
    tensors: dict[str, Any] = _mapped(path)
    words, offsets = tensors.pop("words"), tensors.pop("word_offsets")
    read_words: Any = partial(words_from_arrays, words, offsets, metadata.get("keys", "strings"), path)
    _check_offsets(words, offsets, len(tensors["vectors"]), path)
    settings = settings_from_json(metadata.get("settings", "null"), path)
    buckets, subwords = tensors.pop("buckets", None), None
    if any(name in metadata for name in _NGRAMS):
        read_words = cache(read_words)  # called for the words and for their n-grams
        values, W_in = [metadata.get(name) for name in _NGRAMS], tensors.get("input_vectors")
        subwords = subwords_from_file(values, buckets, W_in, read_words, len(tensors["vectors"]), path)
    return VectorRecord(read_words, settings=settings, subwords=subwords, **matrices_from_arrays(tensors, path))


def write_safetensors(record: VectorRecord, path: Path) -> None:
    """Write all data of a record to a safetensors file without loss.

    Parameters
    ----------
    record : VectorRecord
    path : Path

    Raises
    ------
    FormatError
        If a word is not valid Unicode, or the settings cannot be represented in JSON.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from safetensors.numpy import load_file
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.safetensors import write_safetensors
    >>> write_safetensors(VectorRecord(["sun", "moon"], np.ones((2, 3), np.float32)), Path("new.safetensors"))
    >>> {name: tensor.shape for name, tensor in sorted(load_file("new.safetensors").items())}
    {'vectors': (2, 3), 'word_offsets': (3,), 'words': (7,)}
    """
    tensors = words_to_arrays(record, path)
    if record.counts is not None:
        tensors["counts"] = np.ascontiguousarray(record.counts, dtype=np.int64)
    tensors |= matrices_to_arrays(record)
    metadata = {"format": "fastw2v", "version": str(VERSION)}
    if not isinstance(record.index_to_key[0], str):
        metadata["keys"] = "integers"
    if record.settings is not None:
        metadata["settings"] = settings_to_json(record.settings, path)
    if record.subwords is not None:
        ngrams = record.subwords.ngrams
        metadata |= {name: str(value) for name, value in zip(_NGRAMS, ngrams, strict=True) if value is not None}
        if ngrams.units == TrainingConfig.units:
            del metadata["units"]
        else:
            metadata["version"] = str(UNITS_VERSION)
        if ngrams.hash_count is None:
            tensors["buckets"] = np.asarray(record.subwords.buckets, np.int32)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        write_tensors(file, tensors, metadata)


def write_tensors(file: BinaryIO, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays in the safetensors format. Equal arrays give equal bytes.

    The writer of the package safetensors stores metadata in a random order, and does not say when the disk is full.

    Parameters
    ----------
    file : binary file
    tensors : dict of str to array
        Arrays of dtype float16, float32, float64, int8, uint8, int32 or int64.
    metadata : dict of str to str

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from safetensors.numpy import load
    >>> from fastw2v.formats.safetensors import write_tensors
    >>> file = io.BytesIO()
    >>> write_tensors(file, {"vectors": np.ones((2, 3), np.float32)}, {"format": "example"})
    >>> load(file.getvalue())["vectors"].shape
    (2, 3)
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    dtypes = {name: _DTYPE_NAMES[array.dtype.str.lstrip("<>|")] for name, array in tensors.items()}
    # The order of the package safetensors. Larger elements come first, so every array is aligned.
    names = sorted(tensors, key=lambda name: (_DTYPE_ORDER.index(dtypes[name]), name))
    end = 0
    for name in names:
        array = tensors[name]
        offsets = [end, end + array.nbytes]
        header[name] = {"dtype": dtypes[name], "shape": list(array.shape), "data_offsets": offsets}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        array = tensors[name]
        rows = max(1, BLOCK_BYTES // max(1, array[:1].nbytes))
        for start in range(0, len(array), rows):  # in blocks, because rows that are padded or strided are copied
            block = np.ascontiguousarray(array[start : start + rows], dtype=_DTYPES[dtypes[name]])
            file.write(block.reshape(-1).view(np.uint8).data)


def matrices_to_arrays(record: VectorRecord) -> dict[str, np.ndarray]:
    """Return the matrices of a record as arrays. A matrix of int8 becomes two arrays, its values and its scales.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.safetensors import matrices_to_arrays
    >>> from fastw2v.utils.scaled_rows import ScaledRows
    >>> vectors = ScaledRows(np.array([[2]], np.int8), np.array([0.5], np.float32))
    >>> {name: array.tolist() for name, array in matrices_to_arrays(VectorRecord(["am"], vectors)).items()}
    {'vectors': [[2]], 'vectors_scales': [0.5]}
    """
    arrays: dict[str, np.ndarray] = {}
    for name in MATRICES:
        matrix = getattr(record, name)
        if isinstance(matrix, ScaledRows):
            arrays |= {name: to_host(matrix.values), f"{name}_scales": to_host(matrix.scales)}
        elif matrix is not None:
            arrays[name] = to_host(matrix)
    return arrays


def matrices_from_arrays(arrays: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the arrays in a file with the matrices of int8 as `ScaledRows`.

    Raises
    ------
    FormatError
        If a matrix of int8 has no scales, or the scales do not belong to it.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats.safetensors import matrices_from_arrays
    >>> arrays = {"vectors": np.array([[2]], np.int8), "vectors_scales": np.array([0.5], np.float32)}
    >>> matrices_from_arrays(arrays, Path("vectors.npz"))
    {'vectors': ScaledRows(shape (1, 1), int8)}
    """
    arrays = dict(arrays)
    for name in INT8_MATRICES:
        scales, matrix = arrays.pop(f"{name}_scales", None), arrays.get(name)
        is_int8 = matrix is not None and matrix.dtype == np.int8
        if (scales is not None) != is_int8:
            raise FormatError(
                f"{path}: {name} has type {None if matrix is None else matrix.dtype}, but the file has "
                f"{'no' if scales is None else 'an array'} {name}_scales, which belongs to int8. The file is damaged; "
                "write it again"
            )
        if is_int8:
            arrays[name] = ScaledRows(matrix, scales)
            try:
                check_stored_matrix(name, arrays[name])
            except (TypeError, ValueError) as error:
                raise FormatError(f"{path}: {error}. The file is damaged; write it again") from error
    return arrays


def words_to_arrays(record: VectorRecord, path: Path) -> dict[str, np.ndarray]:
    """Return the words as two arrays: their concatenated bytes and the offsets of their boundaries.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        Used in error messages.

    Returns
    -------
    dict of str to array
        ``words`` (uint8) and ``word_offsets`` (int64). Word i, in UTF-8, is
        ``words[word_offsets[i]:word_offsets[i + 1]]``.

    Raises
    ------
    FormatError
        If a word is not valid Unicode.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.safetensors import words_to_arrays
    >>> arrays = words_to_arrays(VectorRecord(["sun", "moon"], np.eye(2)), Path("vectors.npz"))
    >>> arrays["words"].tobytes(), arrays["word_offsets"].tolist()
    (b'sunmoon', [0, 3, 7])
    """
    words = encode_words(record.index_to_key, path, unfit=None)
    return {
        "words": np.frombuffer(b"".join(words), dtype=np.uint8),
        "word_offsets": np.cumsum([0, *map(len, words)], dtype=np.int64),
    }


def words_from_arrays(words: np.ndarray, offsets: np.ndarray, keys: str, path: Path) -> list[Any]:
    """Return the words in the arrays that `words_to_arrays` returned.

    Parameters
    ----------
    words : uint8 array
    offsets : int array, shape (V + 1,)
    keys : {"strings", "integers"}
        Type of the words. Integers are stored as decimal digits.
    path : Path
        Used in error messages.

    Returns
    -------
    list of str or of int

    Raises
    ------
    FormatError
        If a word does not have the given type.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats.safetensors import words_from_arrays
    >>> words = np.frombuffer(b"742", np.uint8)
    >>> words_from_arrays(words, np.array([0, 1, 3]), keys="integers", path=Path("vectors.npz"))
    [7, 42]
    """
    data, bounds = words.tobytes(), offsets.tolist()
    try:
        # In ASCII, each character is one byte. Slicing the decoded text is much faster than decoding each word.
        text: Any = data.decode("ascii") if data.isascii() else None
        if text is not None:
            spelled = [text[start:end] for start, end in itertools.pairwise(bounds)]
        else:
            spelled = [data[start:end].decode("utf-8", "surrogateescape") for start, end in itertools.pairwise(bounds)]
        found = list(map(int, spelled)) if keys == "integers" else spelled
    except ValueError as error:
        raise FormatError(f"{path}: the words are not all {keys}; the file is damaged") from error
    return found


def subwords_from_file(
    values: Sequence[Any],
    buckets: np.ndarray | None,
    input_vectors: np.ndarray | None,
    words: Sequence[str] | Callable[[], Sequence[str]],
    n_words: int,
    path: Path,
) -> Subwords:
    """Return the subwords in a file; raise `FormatError` if their settings are invalid.

    Parameters
    ----------
    values : sequence of str or of int
        `min_n`, `max_n`, `bucket`, `hash_count` and `units`. `hash_count` is None for the n-grams of fastText, and
        `units` is None for characters.
    buckets : int32 array, or None
        The bucket of each row. It is missing in floret.
    input_vectors : float array, shape (R, D), or None
        The matrix in the file.
    words : sequence of str, or callable that returns a sequence
    n_words : int
    path : Path
        Used in error messages.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats.safetensors import subwords_from_file
    >>> values, path = ["3", "6", "1000", None, None], Path("vectors.safetensors")
    >>> subwords_from_file(values, np.array([7, 4], np.int32), np.ones((3, 2)), ["a"], 1, path).ngrams
    NGrams(min_n=3, max_n=6, bucket=1000, hash_count=None, units='characters')
    """
    try:
        *numbers, units = values
        ngrams = NGrams(*(None if value is None else int(value) for value in numbers))  # type: ignore[arg-type]
        ngrams = ngrams if units is None else ngrams._replace(units=units)
        valid = 1 <= ngrams.min_n <= ngrams.max_n < 2**31 and 1 <= ngrams.bucket < 2**31
        valid = valid and ngrams.units in get_args(Units)
        if ngrams.hash_count is None:
            n_rows = -1 if buckets is None else n_words + len(buckets)
        else:
            n_rows = ngrams.bucket
            valid = valid and 1 <= ngrams.hash_count <= 4
        valid = valid and input_vectors is not None and len(input_vectors) == n_rows
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise FormatError(
            f"{path}: the settings of n-grams, {_named(values)}, are invalid, or do not match the buckets and "
            "input_vectors. The file is damaged; write it again"
        )
    return Subwords.with_buckets(words, n_words, ngrams, buckets if ngrams.hash_count is None else None)


def _named(values: Sequence[Any]) -> str:
    """Return the settings of n-grams in a file with their names."""
    given = [f"{name}={quote(value)}" for name, value in zip(_NGRAMS, values, strict=True) if value is not None]
    return " ".join(given) or "which are missing"


def settings_to_json(settings: Any, path: Path) -> str:
    """Return the settings as JSON text; raise `FormatError` if JSON cannot represent them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.safetensors import settings_to_json
    >>> settings_to_json({"model": "cbow", "window": 5}, Path("vectors.npz"))
    '{"model": "cbow", "window": 5}'
    """
    try:
        return json.dumps(settings)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: the settings cannot be represented in JSON: {error}") from error


def settings_from_json(text: str, path: Path) -> Any:
    """Return the settings in a JSON text; raise `FormatError` if the text is not valid JSON.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.safetensors import settings_from_json
    >>> settings_from_json('{"model": "cbow", "window": 5}', Path("vectors.npz"))
    {'model': 'cbow', 'window': 5}
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: the settings are not valid JSON; the file is damaged") from error


def _check_offsets(words: np.ndarray, offsets: np.ndarray, n_words: int, path: Path) -> None:
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(words) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError(f"{path}: word_offsets does not run from 0 to the length of words; the file is damaged")
    if len(offsets) != n_words + 1:
        raise FormatError(
            f"{path}: vectors has {n_words} rows, but there are {len(offsets) - 1} words; the file is damaged"
        )


def _damage(path: Path) -> str:
    """Return what is wrong with a file that the package safetensors cannot open."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            return f"its header extends beyond the end of the file at {size:,} bytes"
        try:
            json.loads(file.read(length))
        except (ValueError, RecursionError):
            return f"its header, bytes 8 to {8 + length:,}, is not valid JSON"
    return f"its tensors do not match their description, or do not end at the end of the file at {size:,} bytes"


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """Map a valid file into memory and return its tensors as views of the mapping."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return {
        name: np.ndarray(
            tuple(tensor["shape"]), _DTYPES[tensor["dtype"]], data, offset=8 + length + tensor["data_offsets"][0]
        )
        for name, tensor in header.items()
        if name in _TENSORS
    }


def _check_tensors(file: Any, metadata: Mapping[str, str], path: Path) -> None:
    names = sorted(file.keys())
    if metadata.get("format") != "fastw2v":
        raise FormatError(
            f"{path}: this safetensors file does not contain fastw2v word vectors; its tensors are {quote(names)}"
        )
    version = metadata.get("version", "")
    if re.fullmatch("[1-9][0-9]*", version) is None:
        raise FormatError(f"{path}: the file has no valid version of the fastw2v format, so it is damaged")
    if version not in (str(VERSION), str(UNITS_VERSION)):
        raise FormatError(
            f"{path}: the file has version {shorten(version, 20)} of the fastw2v format, but the "
            f"installed fastw2v reads versions up to {UNITS_VERSION}; upgrade fastw2v"
        )
    if missing := {"vectors", "words", "word_offsets"}.difference(names):
        raise FormatError(f"{path}: the file has no {' and no '.join(sorted(missing))}, so it is damaged")
    for name in _TENSORS.keys() & set(names):
        dtypes, ndim = _TENSORS[name]
        tensor = file.get_slice(name)
        if tensor.get_dtype() not in dtypes or len(tensor.get_shape()) != ndim:
            raise FormatError(
                f"{path}: {name} has type {tensor.get_dtype()} and shape {tensor.get_shape()}; it must have type "
                f"{' or '.join(dtypes)} and {ndim} {'dimension' if ndim == 1 else 'dimensions'}"
            )
