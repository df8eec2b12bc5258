"""NumPy's archive, without pickles: the same arrays as in safetensors."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.safetensors import settings_from_json, settings_to_json, words_from_arrays, words_to_arrays
from fastw2v.utils.atomic_write import atomic_write

__all__ = ["read_npz", "write_npz"]

_ARRAYS = {"vectors", "words", "word_offsets", "counts", "context_vectors", "settings", "integer_words"}
# Deflate packs a thousandfold at best: a file that claims more is lying about its sizes.
_MOST_PACKED = 1100


def read_npz(path: Path) -> VectorRecord:
    """Read what `write_npz` wrote."""
    path.open("rb").close()  # for the plain errors: no such file, no permission, a folder
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if missing := {"vectors", "words", "word_offsets"}.difference(members):
                raise FormatError(f"{path}: the archive has no {' and no '.join(sorted(missing))}: not one of ours")
            arrays = {name: _array(archive, info) for name, info in members.items() if name in _ARRAYS}
    except FormatError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path}: not a whole NumPy archive ({error}): it is cut short or damaged") from error
    words, offsets = arrays.pop("words"), arrays.pop("word_offsets")
    keys = "integers" if arrays.pop("integer_words", np.False_).any() else "strings"
    settings = arrays.pop("settings", np.frombuffer(b"null", np.uint8)).tobytes().decode("utf-8", "replace")
    if words.dtype != np.uint8 or words.ndim != 1 or offsets.dtype != np.int64 or offsets.ndim != 1:
        raise FormatError(f"{path}: words and word_offsets are not of bytes and of 64-bit integers: not one of ours")
    if not len(offsets) or offsets[0] or offsets[-1] != len(words) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError(f"{path}: word_offsets do not run from 0 to the length of words: the file is damaged")
    spelled = words_from_arrays(words, offsets, keys, path)
    return VectorRecord(spelled, settings=settings_from_json(settings, path), **arrays)


def write_npz(record: VectorRecord, path: Path) -> None:
    """Write everything that a record holds, as it is."""
    arrays: dict[str, Any] = words_to_arrays(record, path)
    arrays["vectors"] = to_host(record.vectors)
    if record.counts is not None:
        arrays["counts"] = np.asarray(record.counts, dtype=np.int64)
    if record.context_vectors is not None:
        arrays["context_vectors"] = to_host(record.context_vectors)
    if not isinstance(record.index_to_key[0], str):
        arrays["integer_words"] = np.True_
    if record.settings is not None:
        arrays["settings"] = np.frombuffer(settings_to_json(record.settings, path).encode(), np.uint8)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read an array, having held the size that its header claims against what the archive can hold."""
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or size > info.file_size or info.file_size > _MOST_PACKED * (info.compress_size + 100):
            raise ValueError(f"{info.filename} claims to be {shape} of {dtype}")
        data = file.read(size)
        if len(data) < size or file.read(1):
            raise ValueError(f"{info.filename} has not the size that it claims")
    flat: np.ndarray = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="), copy=False)
