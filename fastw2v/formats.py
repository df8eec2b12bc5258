"""Files of word vectors, read and written.

Three formats, told apart by the file name's suffix: the word2vec tools' binary (``.bin``) and text (``.txt``,
``.vec``), and safetensors, which alone keeps everything. ``docs/formats.md`` describes them byte by byte.

Files come from anywhere, so a reader believes nothing: sizes are held against the size of the file before
memory is taken, and every row is checked to end where it should.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import pickletools
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.vectors import WordVectors

__all__ = ["FormatError", "load_params", "load_textbook_pickle", "read", "save_params", "write"]

SUFFIXES = {".bin": "bin", ".txt": "txt", ".vec": "txt", ".safetensors": "safetensors"}
SAFETENSORS_VERSION = 1

# Neither tool writes control characters into words, and a row read at the wrong place is full of them.
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_TEXT = re.compile(rb"(?:[!-~\x80-\xff]+ )+")
_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n")


class FormatError(ValueError):
    """A vector file that cannot be read or written, with the place and the remedy."""


def read(path: str | PathLike[str], format: str | None = None, errors: str = "strict") -> WordVectors:
    """Read word vectors from a file.

    Parameters
    ----------
    path : str or path
    format : {"bin", "txt", "safetensors"}, optional
        By default the suffix decides: ``.bin``, ``.txt`` or ``.vec``, ``.safetensors``.
    errors : {"strict", "surrogateescape", "replace", "ignore"}
        What to do with words that are not UTF-8 in ``.bin`` and ``.txt``, as in `bytes.decode`. Old tools cut
        words in the middle of a character; "surrogateescape" keeps their bytes.

    Returns
    -------
    WordVectors
        On the host. float32 from ``.bin`` and ``.txt``, the type it was saved with from ``.safetensors``.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the file is cut short, damaged, of another format, or names a
        word twice.
    OSError
        If the file cannot be opened.
    """
    path = Path(path)
    kind = _format(path, format)
    if kind == "safetensors":
        return _read_safetensors(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise FormatError(f"{path}: the file is empty")
        words, vectors = (_read_bin if kind == "bin" else _read_txt)(file, path, size)
    return _word_vectors(path, _decoded(words, path, errors), vectors)


def write(vectors: WordVectors, path: str | PathLike[str], format: str | None = None) -> None:
    """Write word vectors to a file, which appears under its name only when it is complete.

    Parameters
    ----------
    vectors : WordVectors
        ``.bin`` and ``.txt`` hold words and float32 vectors only; ``.safetensors`` holds everything as it is.
    path : str or path
    format : {"bin", "txt", "safetensors"}, optional
        By default the suffix decides: ``.bin``, ``.txt`` or ``.vec``, ``.safetensors``.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the format cannot hold a word or a value.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    kind = _format(path, format)
    if kind == "safetensors":
        _write_safetensors(vectors, path)
        return
    words = _encoded(vectors.index_to_key, path, kind)
    matrix = _cast(to_host(vectors.vectors), np.dtype("<f4"), path)
    with _replacing(path) as temporary, temporary.open("wb") as file:
        file.write(b"%d %d\n" % matrix.shape)
        if kind == "bin":
            for word, row in zip(words, matrix, strict=True):
                file.write(word + b" ")
                file.write(row.data)
        else:
            for word, row in zip(words, matrix, strict=True):
                # str of a NumPy float32 is the shortest text that reads back to the same float32.
                file.write(word + b" " + " ".join(map(str, row)).encode() + b"\n")


def save_params(
    path: str | PathLike[str], word_vecs: Any, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str]
) -> None:
    """Save the textbook's parameters: word vectors as float16, and both dictionaries.

    The file is ``.safetensors`` whatever its name, and `read` reads it too.

    Parameters
    ----------
    path : str or path
    word_vecs : float array, shape (V, D)
    word_to_id, id_to_word : dict
        Inverse to each other, with ids 0 to V − 1.

    Raises
    ------
    ValueError
        If the dictionaries do not fit each other or the vectors.
    FormatError
        If a value is beyond float16's ±65,504.
    """
    words = _words_by_id(word_to_id, id_to_word, word_vecs.shape[0])
    half = _cast(to_host(word_vecs), np.dtype(np.float16), Path(path))
    _write_safetensors(WordVectors(words, half), Path(path))


def load_params(path: str | PathLike[str]) -> dict[str, Any]:
    """Load what `save_params` saved.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        ``word_vecs`` (float16 array, shape (V, D)), ``word_to_id`` and ``id_to_word``.

    Raises
    ------
    FormatError
        If the file is something else. The textbook's own pickle is read by `load_textbook_pickle`.
    """
    with Path(path).open("rb") as file:
        if file.read(1) == b"\x80":
            raise FormatError(f"{path}: this looks like a pickle; load_textbook_pickle reads the textbook's own")
    vectors = _read_safetensors(Path(path))
    return {
        "word_vecs": vectors.vectors,
        "word_to_id": vectors.key_to_index,
        "id_to_word": dict(enumerate(vectors.index_to_key)),
    }


def load_textbook_pickle(path: str | PathLike[str]) -> dict[str, Any]:
    """Load the textbook's own ``cbow_params.pkl`` without running anything that it holds.

    A pickle is a program. This reader knows the few instructions that describe dictionaries, strings, integers
    and arrays of floats, builds those itself, and refuses the file at anything else.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        ``word_vecs`` (float array, shape (V, D), float16 in the textbook), ``word_to_id`` and ``id_to_word``.

    Raises
    ------
    FormatError
        If the file is not such a pickle.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        params = _unpickled(data)
        if type(params) is not dict or params.keys() != {"word_vecs", "word_to_id", "id_to_word"}:
            raise ValueError("it is not a dictionary of word_vecs, word_to_id and id_to_word")
        array, word_to_id, id_to_word = params["word_vecs"], params["word_to_id"], params["id_to_word"]
        if type(array) is not _PickledArray or array.value is None or array.value.ndim != 2:
            raise ValueError("word_vecs is not an array with one row for each word")
        if type(word_to_id) is not dict or type(id_to_word) is not dict:
            raise ValueError("word_to_id or id_to_word is not a dictionary")
        _words_by_id(word_to_id, id_to_word, array.value.shape[0])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise FormatError(f"{path}: refused, as it is not a pickle of the textbook's parameters: {error}") from error
    return {"word_vecs": array.value, "word_to_id": word_to_id, "id_to_word": id_to_word}


def _format(path: Path, format: str | None) -> str:
    supported = ", ".join(SUFFIXES)
    if format is None:
        if path.suffix.lower() not in SUFFIXES:
            raise FormatError(
                f"{path}: the suffix {path.suffix!r} names no known format. Supported are {supported}; "
                "for another name say format='bin', 'txt' or 'safetensors'"
            )
        return SUFFIXES[path.suffix.lower()]
    if format not in SUFFIXES.values():
        raise FormatError(f"format is {format!r}; supported are 'bin', 'txt' and 'safetensors'")
    return format


def _word_vectors(path: Path, words: list[str], vectors: np.ndarray, **rest: Any) -> WordVectors:
    try:
        return WordVectors(words, vectors, **rest)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path}: {error}") from error


# Reading


def _header(line: bytes, path: Path, size: int, least_word: int, least_value: int) -> tuple[int, int, int]:
    """Return the V and D of a header line, and its length, having checked that so much can follow it."""
    found = _HEADER.match(line)
    if not found:
        hint = "is the format right?"
        if line.startswith(b"\xba\x16\x4f\x2f"):
            hint = "this is a fastText model; its vectors are in the .vec file beside it"
        elif line.startswith(b"\x80"):
            hint = "this looks like a pickle; export the vectors with the library that wrote it"
        elif re.match(rb"\S+( [-+0-9.e]+)+\s*$", line):
            hint = "if this is GloVe's format, which has none, put a line with these two numbers in front"
        raise FormatError(
            f"{path}: the first line is {line[:40]!r}, not the number of words and the number of dimensions: {hint}"
        )
    n_words, n_dims = int(found[1]), int(found[2])
    if n_words < 1 or n_dims < 1:
        raise FormatError(f"{path}: the header says {n_words} words of {n_dims} dimensions; there must be at least 1")
    least, rest = n_words * (least_word + least_value * n_dims), size - found.end()
    if least > rest:
        raise FormatError(
            f"{path}: the header says {n_words} words of {n_dims} dimensions, which take at least {least:,} bytes, "
            f"but {rest:,} follow it: the file is cut short or its header is wrong; fetch or write it again"
        )
    return n_words, n_dims, found.end()


def _read_bin(file: Any, path: Path, size: int) -> tuple[list[bytes], np.ndarray]:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        n_words, n_dims, at = _header(data[:128], path, size, least_word=2, least_value=4)
        vectors = np.empty((n_words, n_dims), dtype="<f4")
        target = vectors.reshape(-1).view(np.uint8).data
        row_bytes = 4 * n_dims
        newline = False
        words: list[bytes] = []
        values = b""
        for row in range(n_words):
            start = data.find(b" ", at) + 1
            end = start + row_bytes
            if start == 0 or end > size:
                raise FormatError(
                    f"{path}: row {row + 1} of {n_words} starts at byte {at:,} and does not end within "
                    f"the file's {size:,} bytes: it is cut short or damaged; fetch or write it again"
                )
            word = data[at : start - 1]
            # Only a row read at the wrong place can start with such bytes. Where rows end with newlines, the check
            # of those is surer, and words may be in any encoding; nothing can have shifted the first row.
            if not word or _CONTROL.search(word) or (row and not newline and _is_garbled(word)):
                raise FormatError(
                    f"{path}: row {row + 1} of {n_words}, at byte {at:,}, starts with {word[:30]!r}, which is no "
                    "word: the file is damaged, or was written with a word that holds a space; write it again"
                )
            if row and not newline and _hides_a_space(values, word):
                raise FormatError(
                    f"{path}: row {row} of {n_words}, {words[-1][:30]!r}, goes on in text where its values should be, "
                    f"{values[:12]!r}: the file was written with a word that holds a space; write it again"
                )
            words.append(word)
            values = data[start:end]
            target[row * row_bytes : (row + 1) * row_bytes] = values
            at = end
            # The C tools end rows with a newline, gensim does not; within one file it is always or never.
            ends = data[at : at + 1] == b"\n"
            newline = newline or (ends and row == 0)
            at += newline
            if newline and not ends and at <= size:
                raise FormatError(
                    f"{path}: row {row + 1} of {n_words} does not end at byte {at - 1:,}, where its newline should be: "
                    "the file is damaged, or was written with a word that holds a space; write it again"
                )
        _check_rest(data[at : at + 64], path, n_words)
    return words, vectors.astype(np.float32, copy=False)


def _read_txt(file: Any, path: Path, size: int) -> tuple[list[bytes], np.ndarray]:
    line = file.readline(4096)
    n_words, n_dims, _ = _header(line, path, size, least_word=2, least_value=2)
    vectors = np.empty((n_words, n_dims), dtype=np.float32)
    words = []
    for row in range(n_words):
        line = file.readline()
        if not line.endswith(b"\n"):
            raise FormatError(
                f"{path}: the file ends in or before line {row + 2} of {n_words + 1}, without a newline: it is cut "
                "short; fetch or write it again, or if it is whole, end its last line"
            )
        word, *values = line.rstrip(b" \t\r\n").rsplit(b" ", n_dims)
        try:
            # One value more than there should be would otherwise pass for a part of the word, and 1_0 for 10.
            spare = b" " in word and _is_number(word.rpartition(b" ")[2])
            if len(values) != n_dims or not word or spare or line.find(b"_", len(word)) >= 0:
                raise ValueError("malformed")
            with np.errstate(over="raise"):
                vectors[row] = values
        except (ValueError, FloatingPointError):
            raise FormatError(
                f"{path}: line {row + 2} is {line[:40]!r}..., not a word and {n_dims} numbers of float32: "
                "the file is damaged or the header's number of dimensions is wrong"
            ) from None
        words.append(word)
    _check_rest(file.read(64), path, n_words)
    return words, vectors


def _is_garbled(word: bytes) -> bool:
    """Return whether bytes are not UTF-8, other than by being cut in the middle of the last character."""
    try:
        word.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def _hides_a_space(values: bytes, following: bytes) -> bool:
    """Return whether the values start in the middle of a word, being sane only when read from behind a space.

    A reader that takes the words of "new york" for a word and values is back in step one row later, the last
    bytes of the values having become the start of the `following` word. Where values start with text by
    chance, reading them from elsewhere makes them no saner.
    """
    text = _TEXT.match(values, 0, 256)
    if not text or (spread := _exponent_spread(values)) < 40:
        return False
    starts = [i + 1 for i in range(text.end()) if values[i : i + 1] == b" " and i + 1 < len(following)]
    return any(_exponent_spread(values[start:] + following[:start]) < spread for start in starts)


def _exponent_spread(values: bytes) -> int:
    """Return how many powers of two lie between the smallest and the largest value, zeros aside."""
    exponents = (np.frombuffer(values, dtype="<u4") << 1) >> 24
    exponents = exponents[exponents > 0]
    return int(np.ptp(exponents)) if len(exponents) else 0


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_rest(rest: bytes, path: Path, n_words: int) -> None:
    if rest.strip() or len(rest) == 64:
        raise FormatError(
            f"{path}: the header says {n_words} words, but more follows the last of them, {rest[:30]!r}: "
            "the header is wrong or the file is damaged"
        )


def _decoded(words: list[bytes], path: Path, errors: str) -> list[str]:
    try:
        return [word.decode("utf-8", errors) for word in words]
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: the word of row {words.index(error.object) + 1}, {error.object[:30]!r}, is not UTF-8: "
            f"{error.reason}. Read the file with errors='surrogateescape' to keep such words as they are, or 'replace'"
        ) from error


_TENSORS = {
    "vectors": (("F16", "F32", "F64"), 2),
    "context_vectors": (("F16", "F32", "F64"), 2),
    "words": (("U8",), 1),
    "word_offsets": (("I64",), 1),
    "counts": (("I64",), 1),
}


def _read_safetensors(path: Path) -> WordVectors:
    from safetensors import SafetensorError, safe_open

    path.open("rb").close()  # for the plain errors: no such file, no permission, a folder
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_tensors(file, metadata, path)
            tensors = {name: file.get_tensor(name) for name in file.keys() if name in _TENSORS}  # noqa: SIM118
    except SafetensorError as error:
        raise FormatError(
            f"{path}: not a whole safetensors file ({error}). It is cut short, damaged or of another format"
        ) from error
    words, offsets = tensors.pop("words").tobytes(), tensors.pop("word_offsets")
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(words) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError(f"{path}: word_offsets do not run from 0 to the length of words: the file is damaged")
    bounds = offsets.tolist()
    spelled = [words[start:end] for start, end in itertools.pairwise(bounds)]
    try:
        settings = json.loads(metadata.get("settings", "null"))
    except ValueError as error:
        raise FormatError(f"{path}: the settings in its metadata are not JSON: {error}") from error
    return _word_vectors(path, _decoded(spelled, path, "surrogateescape"), settings=settings, **tensors)


def _check_tensors(file: Any, metadata: Mapping[str, str], path: Path) -> None:
    names = sorted(file.keys())
    if metadata.get("format") != "fastw2v":
        raise FormatError(
            f"{path}: a safetensors file, but not one of word vectors written by fastw2v; it holds {names[:8]}"
        )
    if metadata.get("version") != str(SAFETENSORS_VERSION):
        raise FormatError(
            f"{path}: written in version {metadata.get('version')} of fastw2v's format, and this fastw2v reads "
            f"version {SAFETENSORS_VERSION}: upgrade fastw2v"
        )
    if missing := {"vectors", "words", "word_offsets"}.difference(names):
        raise FormatError(f"{path}: the file has no {' and no '.join(sorted(missing))}: it is damaged")
    for name in _TENSORS.keys() & set(names):
        dtypes, ndim = _TENSORS[name]
        tensor = file.get_slice(name)
        if tensor.get_dtype() not in dtypes or len(tensor.get_shape()) != ndim:
            raise FormatError(
                f"{path}: {name} is of type {tensor.get_dtype()} and shape {tensor.get_shape()}; it must be "
                f"{' or '.join(dtypes)} of {ndim} dimensions"
            )


# Writing


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give the name of an empty file in the same folder, to be written; it takes `path`'s place on success."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    temporary = target.with_name(f".fastw2v-{secrets.token_hex(8)}.tmp")
    temporary.open("xb").close()
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)  # safetensors makes the file anew, readable by its owner only
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _encoded(words: Sequence[str], path: Path, kind: str) -> list[bytes]:
    """Return the words in UTF-8, having checked that the format can hold each."""
    encoded = []
    for word in words:
        try:
            encoded.append(word.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise FormatError(f"{path}: the word {word!r} is not valid Unicode: {error.reason}") from error
        if kind != "safetensors" and (not word or _CONTROL.search(encoded[-1])):
            what = "the empty word" if not word else f"the word {word!r}, with its space or control character,"
            raise FormatError(
                f"{path}: {what} cannot be written to a .{kind} file, as no reader could tell where it ends. "
                "Save as .safetensors, which holds any word, or rename it"
            )
    return encoded


def _cast(matrix: np.ndarray, dtype: np.dtype, path: Path) -> np.ndarray:
    """Return the matrix in C order and `dtype`, having checked that no value grows to infinity."""
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(matrix, dtype=dtype)
    if dtype.itemsize < matrix.dtype.itemsize:
        overflown = np.isinf(cast) & np.isfinite(matrix)
        if overflown.any():
            row, column = np.argwhere(overflown)[0]
            raise FormatError(
                f"{path}: the value {matrix[row, column]} in row {row} is beyond {dtype.name}, which is what this "
                f"file holds. Save the vectors as .safetensors, which keeps {matrix.dtype}, or scale them"
            )
    return cast


def _write_safetensors(vectors: WordVectors, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    words = _encoded(vectors.index_to_key, path, "safetensors")
    tensors = {
        "vectors": np.ascontiguousarray(to_host(vectors.vectors)),
        "words": np.frombuffer(b"".join(words), dtype=np.uint8),
        "word_offsets": np.cumsum([0, *map(len, words)], dtype=np.int64),
    }
    if vectors.counts is not None:
        tensors["counts"] = vectors.counts
    if vectors.context_vectors is not None:
        tensors["context_vectors"] = np.ascontiguousarray(to_host(vectors.context_vectors))
    metadata = {"format": "fastw2v", "version": str(SAFETENSORS_VERSION)}
    if vectors.settings is not None:
        try:
            metadata["settings"] = json.dumps(vectors.settings)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{path}: the settings cannot be written as JSON: {error}") from error
    with _replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            raise OSError(f"{path}: could not be written: {error}") from error


def _words_by_id(word_to_id: Mapping[Any, Any], id_to_word: Mapping[Any, Any], n_rows: int) -> list[str]:
    """Return the words in the order of their ids, having checked that the dictionaries say the same."""
    if not len(word_to_id) == len(id_to_word) == n_rows:
        raise ValueError(
            f"word_to_id has {len(word_to_id)} words, id_to_word {len(id_to_word)} and word_vecs {n_rows} rows; "
            "there must be as many of each"
        )
    words = []
    for i in range(n_rows):
        word = id_to_word.get(i)
        if not isinstance(word, str) or word_to_id.get(word) != i:
            raise ValueError(f"word_to_id and id_to_word disagree on id {i}; they must map each other's words and ids")
        words.append(word)
    return words


# The textbook's pickle

_ATOMS = {
    *("BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _PickledName:
    """A name that a pickle refers to, in place of what it stands for."""

    def __init__(self, name: str) -> None:
        self.name = name.replace("numpy._core.", "numpy.core.")  # its place since NumPy 2
        if self.name not in (
            "numpy ndarray",
            "numpy dtype",
            "numpy.core.multiarray _reconstruct",
            "numpy.core.numeric _frombuffer",
        ):
            raise ValueError(f"it refers to {name.replace(' ', '.')}")


class _PickledDtype:
    """The type of an array's elements: floats only, as anything else could hold references."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("f2", "f4", "f8"):
            raise ValueError(f"it holds an array of {code!r}, where float16, float32 and float64 are allowed")
        self.dtype = np.dtype(code)

    def set_state(self, _version: Any, byteorder: Any, *_: Any) -> None:
        if byteorder not in ("<", ">"):
            raise ValueError(f"an array's byte order is {byteorder!r}")
        self.dtype = self.dtype.newbyteorder(byteorder)


class _PickledArray:
    """An array that a pickle describes."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def set_state(self, _version: Any, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        self.set_data(data, dtype, shape, "F" if fortran is True else "C")

    def set_data(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        if type(data) not in (bytes, bytearray) or type(dtype) is not _PickledDtype or order not in ("C", "F"):
            raise ValueError("an array is not described by its bytes")
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("an array has no proper shape")
        flat = np.frombuffer(data, dtype=dtype.dtype)
        self.value = flat.reshape(shape, order=order).astype(dtype.dtype.newbyteorder("="))


def _unpickled(data: bytes) -> Any:
    """Run the few pickle instructions that build dictionaries, strings, integers and arrays of floats."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop(n: int) -> list[Any]:
        if not 0 <= n <= len(stack):
            raise ValueError("it takes more than it has put")
        taken = stack[len(stack) - n :]
        del stack[len(stack) - n :]
        return taken

    argument: Any
    for opcode, argument, position in pickletools.genops(data):
        name = opcode.name
        if name in _ATOMS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in ("SETITEM", "SETITEMS"):
            items = pop(2 if name == "SETITEM" else len(stack) - marks.pop())
            _set_items(stack[-1], items, limit=len(data))
        elif name in _TUPLES:
            stack.append(tuple(pop(_TUPLES[name])))
        elif name == "TUPLE":
            stack.append(tuple(pop(len(stack) - marks.pop())))
        elif name == "GLOBAL":
            stack.append(_PickledName(argument))
        elif name == "STACK_GLOBAL":
            module, attribute = pop(2)
            stack.append(_PickledName(f"{module} {attribute}"))
        elif name == "REDUCE":
            function, arguments = pop(2)
            stack.append(_called(function, arguments))
        elif name == "BUILD":
            (state,) = pop(1)
            stack[-1].set_state(*state)
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"it holds the instruction {name}, at byte {position}")
    raise ValueError("it is cut short")


def _set_items(target: Any, items: list[Any], limit: int) -> None:
    if type(target) is not dict or len(items) % 2:
        raise ValueError("it puts items into something other than a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Of other keys, and of giant integers, one can make so many with equal hashes that this never ends.
        if type(key) is not str and not (type(key) is int and 0 <= key < limit):
            raise ValueError("a key of a dictionary is neither a word nor an id")
        target[key] = value


def _called(function: Any, arguments: Any) -> _PickledDtype | _PickledArray:
    if type(function) is not _PickledName or type(arguments) is not tuple:
        raise ValueError("it calls something that is not a function")
    if function.name == "numpy dtype":
        return _PickledDtype(*arguments)
    array = _PickledArray()
    if function.name == "numpy.core.numeric _frombuffer":
        array.set_data(*arguments)
    elif function.name != "numpy.core.multiarray _reconstruct":
        raise ValueError("it calls something that is not a function")
    return array
