"""NumPy ``.npz`` archives with the same arrays as safetensors files. Pickles are neither written nor read."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from fastw2v.config import TrainingConfig
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import INT8_MATRICES, MATRICES, VectorRecord
from fastw2v.formats.safetensors import (
    matrices_from_arrays,
    matrices_to_arrays,
    settings_from_json,
    settings_to_json,
    subwords_from_file,
    words_from_arrays,
    words_to_arrays,
)
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.quote import quote

__all__ = ["read_npz", "write_npz"]

_ARRAYS = {
    *MATRICES,
    *(f"{name}_scales" for name in INT8_MATRICES),
    *("words", "word_offsets", "counts", "settings", "integer_words", "ngrams", "units", "buckets"),
}
# Deflate compresses by a factor of about 1000 at best. A larger factor means that the sizes in the archive are wrong.
_MOST_PACKED = 1100


def read_npz(path: Path) -> VectorRecord:
    """Read a file written by `write_npz`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    VectorRecord

    Raises
    ------
    FormatError
        If the file is damaged or was not written by fastw2v.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.npz import read_npz, write_npz
    >>> write_npz(VectorRecord(["new york"], np.ones((1, 2)), counts=np.array([7])), Path("vectors.npz"))
    >>> record = read_npz(Path("vectors.npz"))
    >>> record, record.index_to_key, record.counts.tolist()
    (VectorRecord(vectors of shape (1, 2), float64), ['new york'], [7])
    """
    path.open("rb").close()  # raises the usual OSError if the file is missing or unreadable
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if missing := {"vectors", "words", "word_offsets"}.difference(members):
                missing_names = " and no ".join(sorted(missing))
                raise FormatError(f"{path}: the archive has no {missing_names}, so fastw2v did not write it")
            arrays: dict[str, Any] = {
                name: _array(archive, info, path) for name, info in members.items() if name in _ARRAYS
            }
    except FormatError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(
            f"{path}: not a complete NumPy archive; the file is truncated or damaged. Fetch or write it again"
        ) from error
    words, offsets = arrays.pop("words"), arrays.pop("word_offsets")
    keys = "integers" if arrays.pop("integer_words", np.False_).any() else "strings"
    settings = arrays.pop("settings", np.frombuffer(b"null", np.uint8)).tobytes().decode("utf-8", "replace")
    if words.dtype != np.uint8 or words.ndim != 1 or offsets.dtype != np.int64 or offsets.ndim != 1:
        raise FormatError(
            f"{path}: words is not an array of bytes, or word_offsets is not an array of int64, so fastw2v did not "
            "write it"
        )
    if not len(offsets) or offsets[0] or offsets[-1] != len(words) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError(f"{path}: word_offsets does not run from 0 to the length of words; the file is damaged")
    spelled = words_from_arrays(words, offsets, keys, path)
    given, buckets, subwords = arrays.pop("ngrams", None), arrays.pop("buckets", None), None
    units = arrays.pop("units", None)
    if given is not None:
        values = given.ravel().tolist() if given.dtype == (np.int64 if units is None else np.int32) else []
        values = [None if value < 0 else value for value in values[:4]] + [None] * (4 - len(values[:4]))
        values.append(None if units is None else units.tobytes().decode("utf-8", "replace"))
        if buckets is not None and (buckets.dtype != np.int32 or buckets.ndim != 1):
            raise FormatError(f"{path}: buckets is not an array of int32, so fastw2v did not write it")
        subwords = subwords_from_file(values, buckets, arrays.get("input_vectors"), spelled, len(spelled), path)
    settings = settings_from_json(settings, path)
    return VectorRecord(spelled, settings=settings, subwords=subwords, **matrices_from_arrays(arrays, path))


def write_npz(record: VectorRecord, path: Path) -> None:
    """Write all data of a record to an ``.npz`` file without loss.

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
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.npz import write_npz
    >>> write_npz(VectorRecord(["sun", "moon"], np.ones((2, 3), np.float16)), Path("half.npz"))
    >>> with np.load("half.npz") as archive:
    ...     {name: archive[name].shape for name in sorted(archive)}
    {'vectors': (2, 3), 'word_offsets': (3,), 'words': (7,)}
    """
    arrays: dict[str, Any] = words_to_arrays(record, path)
    arrays |= matrices_to_arrays(record)
    if record.counts is not None:
        arrays["counts"] = np.asarray(record.counts, dtype=np.int64)
    if not isinstance(record.index_to_key[0], str):
        arrays["integer_words"] = np.True_
    if record.subwords is not None:
        ngrams = record.subwords.ngrams
        *numbers, units = ngrams
        arrays["ngrams"] = np.array([-1 if value is None else value for value in numbers], np.int64)
        if units != TrainingConfig.units:
            # Older versions of fastw2v, which would take the n-grams of characters, refuse another dtype.
            arrays["ngrams"] = arrays["ngrams"].astype(np.int32)
            arrays["units"] = np.frombuffer(units.encode(), np.uint8)
        if ngrams.hash_count is None:
            arrays["buckets"] = np.asarray(record.subwords.buckets, np.int32)
    if record.settings is not None:
        arrays["settings"] = np.frombuffer(settings_to_json(record.settings, path).encode(), np.uint8)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Read an array after checking that the size in its header fits the archive."""
    try:
        with archive.open(info) as file:
            version = npy.read_magic(file)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read_header(file)
            size = math.prod(shape) * dtype.itemsize
            if dtype.hasobject or size > info.file_size or info.file_size > _MOST_PACKED * (info.compress_size + 100):
                raise ValueError(f"shape {shape}, type {dtype}")
            data = file.read(size)
            if len(data) < size or file.read(1):
                raise ValueError("the size does not match")
        flat: np.ndarray = np.frombuffer(data, dtype)
        return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="), copy=False)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(
            f"{path}: the array {quote(info.filename)} of the archive is damaged or is no array of numbers. Fetch or "
            "write the file again"
        ) from error
