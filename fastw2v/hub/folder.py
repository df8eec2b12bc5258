"""The files of a repository with vectors, written to a new folder on this machine."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from fastw2v.formats import FormatError, VectorRecord, read, write
from fastw2v.formats.record import with_floats, with_vectors
from fastw2v.formats.static_embedding import read_static_embedding, write_static_embedding
from fastw2v.hub.access import check_name
from fastw2v.hub.card import check_card, model_card
from fastw2v.hub.pretrained import STATIC_FOLDER, VECTORS_FILE
from fastw2v.utils.atomic_write import atomic_folder, atomic_write
from fastw2v.utils.checks import check_path, check_type

__all__ = ["CARD_FILE", "write_folder"]

log = logging.getLogger("fastw2v")

CARD_FILE = "README.md"
"""Name of the model card on the Hub."""


def write_folder(
    record: VectorRecord,
    path: str | PathLike[str],
    name: str,
    *,
    license: str,
    language: str | Sequence[str] | None = None,
    corpus: str | None = None,
    scores: str | PathLike[str] | None = None,
) -> None:
    """Write the files of a repository: vectors, StaticEmbedding and model card. Nothing is uploaded.

    Parameters
    ----------
    record : VectorRecord
    path : str or path
        The folder to create. It must not exist yet.
    name : str
        Name of the repository, such as "user/wiki-vectors".
    license, language, corpus, scores
        See `model_card`.

    Raises
    ------
    FileExistsError
        If `path` exists.
    FormatError
        If the record is inconsistent, or a word is not valid Unicode.
    OSError
        If a file cannot be written.
    ValueError
        If the name, the licence or a language is not valid, or `scores` is not a file of scores.

    Notes
    -----
    A StaticEmbedding cannot store integers, words that contain white space or are not UTF-8, and values that are too
    large for float32. If there are such words or values, its files are left out, and a warning is logged.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.hub import write_folder
    >>> write_folder(VectorRecord(["sun", "moon"], np.eye(2)), "celestial", "user/celestial", license="mit")
    >>> sorted(file.name for file in Path("celestial").iterdir())[:3]
    ['0_StaticEmbedding', 'README.md', 'config_sentence_transformers.json']
    """
    check_type("record", record, VectorRecord, "a VectorRecord")
    check_name(name)
    path = check_path("path", path)
    check_card(license, language, corpus, scores)
    with atomic_folder(path) as folder:
        write(record, folder / VECTORS_FILE)
        read(folder / VECTORS_FILE)  # raises an error if the file is damaged
        without_static = _write_static(record, folder)
        card = model_card(
            record,
            name,
            license=license,
            language=language,
            corpus=corpus,
            scores=scores,
            without_static=without_static,
        )
        with atomic_write(folder / CARD_FILE) as temporary:
            temporary.write_text(card, encoding="utf-8", newline="\n")
    if without_static is not None:
        log.warning("%s: the files for sentence-transformers were left out, because %s", name, without_static)


def _write_static(record: VectorRecord, folder: Path) -> str | None:
    """Write the files of a StaticEmbedding, or return why there are none."""
    if isinstance(record.index_to_key[0], int):
        return "the words are integers"
    static = folder / STATIC_FOLDER
    try:
        write_static_embedding(with_floats(with_vectors(record)), static)
    except FormatError as error:
        # The advice comes last. A word in the message may contain the same punctuation.
        return re.sub(r"(?s)(.*)[.;] .*", r"\1", str(error).removeprefix(f"{static}: "))
    read_static_embedding(static)
    (static / "config_sentence_transformers.json").rename(folder / "config_sentence_transformers.json")
    (module,) = json.loads((static / "modules.json").read_bytes())
    (static / "modules.json").unlink()
    with atomic_write(folder / "modules.json") as temporary:
        temporary.write_text(json.dumps([module | {"path": STATIC_FOLDER}]), encoding="utf-8")
    return None
