"""The textbook's parameters: word vectors in half precision and both dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.files import FormatError, cast
from fastw2v.formats.pickles import PickledArray, unpickled
from fastw2v.formats.tensors import read_safetensors, write_safetensors
from fastw2v.vectors import WordVectors

__all__ = ["load_params", "load_textbook_pickle", "save_params"]


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
    half = cast(to_host(word_vecs), np.dtype(np.float16), Path(path))
    write_safetensors(WordVectors(words, half), Path(path))


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
    vectors = read_safetensors(Path(path))
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
        params = unpickled(data)
        if type(params) is not dict or params.keys() != {"word_vecs", "word_to_id", "id_to_word"}:
            raise ValueError("it is not a dictionary of word_vecs, word_to_id and id_to_word")
        array, word_to_id, id_to_word = params["word_vecs"], params["word_to_id"], params["id_to_word"]
        if type(array) is not PickledArray or array.value is None or array.value.ndim != 2:
            raise ValueError("word_vecs is not an array with one row for each word")
        if array.value.dtype.kind != "f":
            raise ValueError(f"word_vecs is an array of {array.value.dtype}, not of floats")
        if type(word_to_id) is not dict or type(id_to_word) is not dict:
            raise ValueError("word_to_id or id_to_word is not a dictionary")
        _words_by_id(word_to_id, id_to_word, array.value.shape[0])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise FormatError(f"{path}: refused, as it is not a pickle of the textbook's parameters: {error}") from error
    return {"word_vecs": array.value, "word_to_id": word_to_id, "id_to_word": id_to_word}


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
