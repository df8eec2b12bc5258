"""Folders that contain a StaticEmbedding, a sentence-transformers model that averages word vectors.

The folder contains the vectors in ``model.safetensors``, the words in ``tokenizer.json`` and two small files that
describe the model. The model splits sentences at white space and uses a vector of zeros for unknown words.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, encode_words
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.safetensors import write_tensors
from fastw2v.utils.atomic_write import atomic_folder
from fastw2v.utils.quote import quote

__all__ = ["is_static_embedding", "read_static_embedding", "write_static_embedding"]

_UNKNOWN = "[UNK]"
# The tokenizer splits a text at all Unicode white space.
_SPACES = re.compile(
    rb"[\x00-\x20\x7f]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)


def is_static_embedding(path: Path) -> bool:
    """Return whether a path is a folder that contains a StaticEmbedding.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.static_embedding import is_static_embedding, write_static_embedding
    >>> write_static_embedding(VectorRecord(["sun"], np.ones((1, 2))), Path("static"))
    >>> is_static_embedding(Path("static")), is_static_embedding(Path("."))
    (True, False)
    """
    return path.is_dir() and (path / "tokenizer.json").is_file()


def read_static_embedding(path: Path) -> VectorRecord:
    """Read the words and vectors of a StaticEmbedding, in the order of the word ids.

    Parameters
    ----------
    path : Path

    Returns
    -------
    VectorRecord

    Raises
    ------
    FormatError
        If the folder is incomplete, or its words do not match its vectors.
    OSError
        If a file cannot be opened.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.static_embedding import read_static_embedding, write_static_embedding
    >>> write_static_embedding(VectorRecord(["sun", "moon"], np.eye(2)), Path("celestial"))
    >>> record = read_static_embedding(Path("celestial"))
    >>> record.words, record.vectors.dtype.name
    (['sun', 'moon'], 'float32')
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tokenizer = json.loads((path / "tokenizer.json").read_bytes())
        vocabulary = tokenizer["model"]["vocab"]
        pairs = (
            vocabulary.items()
            if isinstance(vocabulary, dict)
            else [(entry[0], i) for i, entry in enumerate(vocabulary)]
        )
        by_id = dict(sorted(((int(i), str(word)) for word, i in pairs)))
        tensors = load_file(path / "model.safetensors")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise FormatError(
            f"{path}: not a complete StaticEmbedding folder: tokenizer.json or model.safetensors is truncated, damaged "
            "or of another model"
        ) from error
    names = [name for name in ("embedding.weight", "embeddings") if name in tensors]
    if not names:
        raise FormatError(
            f"{path}: model.safetensors has no embedding.weight; its tensors are {quote(sorted(tensors))}"
        )
    matrix = tensors[names[0]]
    if list(by_id) != list(range(len(matrix))):
        raise FormatError(
            f"{path}: tokenizer.json does not have one word for each of the {len(matrix)} vectors; fetch the "
            "folder again"
        )
    words = list(by_id.values())
    if len(words) > 1 and words[-1] == _UNKNOWN and not matrix[-1].any():
        words, matrix = words[:-1], matrix[:-1]
    return VectorRecord(words, matrix)


def write_static_embedding(record: VectorRecord, path: Path) -> None:
    """Write words and vectors as a StaticEmbedding to a new folder.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        Folder to create. It must not exist yet.

    Raises
    ------
    FileExistsError
        If `path` exists.
    FormatError
        If a word contains white space or is not UTF-8, or a value is too large for float32.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.static_embedding import write_static_embedding
    >>> write_static_embedding(VectorRecord(["sun", "moon"], np.eye(2)), Path("model"))
    >>> sorted(file.name for file in Path("model").iterdir())
    ['config_sentence_transformers.json', 'model.safetensors', 'modules.json', 'tokenizer.json']
    """
    kind = "sentence_transformers.models.StaticEmbedding"
    with atomic_folder(path) as folder:
        matrix, tokenizer = _model(record, path)
        with (folder / "model.safetensors").open("wb") as file:
            write_tensors(file, {"embedding.weight": matrix}, {})
        for name, content in (
            ("tokenizer.json", tokenizer),
            ("modules.json", [{"idx": 0, "name": "0", "path": ".", "type": kind}]),
            ("config_sentence_transformers.json", {"similarity_fn_name": "cosine"}),
        ):
            (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _model(record: VectorRecord, path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the matrix, with a row of zeros for unknown words, and the content of ``tokenizer.json``."""
    words = [word.decode("utf-8", "surrogateescape") for word in encode_words(record.index_to_key, path, unfit=_SPACES)]
    if any("\udc80" <= char <= "\udcff" for word in words for char in word):
        raise FormatError(f"{path}: some words are not UTF-8, so JSON cannot store them. Save as .safetensors instead")
    if _UNKNOWN in words:
        raise FormatError(f"{path}: this format reserves the word {_UNKNOWN!r} for unknown words; rename the word")
    matrix = cast(to_host(record.vectors), np.dtype("<f4"), path)
    matrix = np.concatenate([matrix, np.zeros((1, matrix.shape[1]), np.float32)])
    vocabulary = {word: row for row, word in enumerate([*words, _UNKNOWN])}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": _UNKNOWN},
    }
    return matrix, tokenizer
