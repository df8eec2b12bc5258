"""Vectors of a repository on the Hub: which of its files contains them, and a local copy of this file."""

from __future__ import annotations

import glob
import json
import logging
import os
from collections.abc import Collection
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from fastw2v.formats import SUFFIXES, FormatError, format_of
from fastw2v.formats.registry import check_no_pickle
from fastw2v.hub.access import HubError, check_name, hub_errors, hub_package
from fastw2v.utils.checks import check_type
from fastw2v.utils.output_file import without_compression
from fastw2v.utils.quote import quote

__all__ = ["STATIC_FILES", "STATIC_FOLDER", "VECTORS_FILE", "find_pretrained"]

log = logging.getLogger("fastw2v")

VECTORS_FILE = "vectors.safetensors"
"""Name of the file with all data of the vectors in repositories that fastw2v writes."""
STATIC_FOLDER = "0_StaticEmbedding"
"""Folder of the StaticEmbedding. Old versions of sentence-transformers find it only in a folder of its own."""
STATIC_FILES = (
    *("modules.json", "config_sentence_transformers.json"),
    *(f"{STATIC_FOLDER}/model.safetensors", f"{STATIC_FOLDER}/tokenizer.json"),
)
"""Paths of the files of a StaticEmbedding in repositories that fastw2v writes."""
_OTHER_FILES = {
    *("model.safetensors", "pytorch_model.bin", "training_args.bin", "optimizer.bin", "scheduler.bin"),
    *("requirements.txt", "vocab.txt", "merges.txt", "license.txt", "readme.txt", "notice.txt"),
}
"""Files, in lower case, that are common on the Hub and contain no word vectors."""
_SUFFIXES = set(SUFFIXES) - {".tsv", ".floret"}
"""Suffixes of files that contain words and vectors without a second file."""


def find_pretrained(
    name: str | PathLike[str],
    revision: str | None = None,
    filename: str | None = None,
    format: str | None = None,
) -> Path:
    """Return the path of the vectors of a repository, which are downloaded to the cache of huggingface_hub.

    These are, in this order: ``vectors.safetensors``, a StaticEmbedding, or the only file whose suffix is that of a
    vector file.

    Parameters
    ----------
    name : str or path
        A repository, such as "user/wiki-vectors", or the path of a local folder with the same files.
    revision : str, optional
        Branch, tag or commit. By default, it is the newest commit of the default branch.
    filename : str, optional
        The file to use.
    format : str, optional
        The format of the file. The arrays next to a pickle are downloaded only for "gensim".

    Returns
    -------
    Path
        The path of a file, or of a folder with a StaticEmbedding.

    Raises
    ------
    HubError
        If the repository or the revision does not exist, the repository is private, or the Hub cannot be reached and
        the cache does not contain the files.
    FormatError
        If it is not clear which file contains the vectors, or the file is a pickle and `format` is not "gensim".
    ImportError
        If huggingface_hub is not installed.
    ValueError
        If the name is not that of a repository.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.hub import find_pretrained
    >>> Path("wiki-vectors").mkdir()
    >>> Path("wiki-vectors", "vectors.vec").touch()
    >>> find_pretrained("wiki-vectors").as_posix()
    'wiki-vectors/vectors.vec'
    """
    if format is not None:
        format_of("vectors", format)  # raises an error if the format is unknown
    if revision is not None:
        check_type("revision", revision, str, "the name of a branch or a tag, or a commit")
        if not revision.strip():
            raise ValueError("revision is empty; give a branch, a tag or a commit, or omit it")
    if filename is not None:
        check_type("filename", filename, str, "the name of a file in the repository")
        check_no_pickle(PurePosixPath(filename), f"{name}: {filename}", format)
    if (folder := _local_folder(name)) is not None:
        if revision is not None:
            raise ValueError(f"{quote(name)} is a folder, which has no revisions; omit the revision")
        return folder / _chosen(str(name), _files_in(folder), folder, filename)
    name = check_name(name)
    hub = hub_package()
    try:
        with hub_errors(name, revision):
            files = [file.rfilename for file in hub.HfApi().model_info(name, revision=revision).siblings or ()]
    except HubError as error:
        folder = _cached_folder(name, revision, error)
        return folder / _chosen(name, _files_in(folder), folder, filename)

    def fetched(*patterns: str) -> Path:
        with hub_errors(name, revision):
            return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns)))

    described = "modules.json" in files and VECTORS_FILE not in files and filename is None
    chosen = _chosen(name, files, fetched("modules.json") if described else None, filename)
    wanted = [str(PurePosixPath(chosen) / file) for file in ("model.safetensors", "tokenizer.json")]
    wanted = wanted if wanted[1] in files else [chosen]
    patterns = list(map(glob.escape, wanted))
    if format == "gensim":
        patterns.append(f"{glob.escape(chosen)}.*.npy")
    folder = fetched(*patterns)
    if not all((folder / file).is_file() for file in wanted):
        raise HubError(f"{name} was changed while it was read; try again")
    return folder / chosen


def shown_path(name: str | PathLike[str], path: Path) -> str:
    """Return the name in messages of a path that `find_pretrained` returned: the repository, and the file in it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.hub.pretrained import shown_path
    >>> shown_path("user/cats", Path("hub/models--user--cats/snapshots/0123456/vectors.bin"))
    'user/cats: vectors.bin'
    >>> shown_path("vectors", Path("vectors"))
    'vectors'
    """
    if _local_folder(name) is not None or "snapshots" not in path.parts:
        return str(path)
    start = path.parts.index("snapshots", path.parts.index(f"models--{str(name).replace('/', '--')}"))
    return ": ".join([str(name), *filter(None, ["/".join(path.parts[start + 2 :])])])


def _local_folder(name: Any) -> Path | None:
    if not isinstance(name, (str, PathLike)) or not os.fspath(name):
        return None
    try:
        return Path(name) if Path(name).is_dir() else None
    except (OSError, ValueError):  # not a path, such as a name that is too long
        return None


def _files_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _cached_folder(name: str, revision: str | None, error: HubError) -> Path:
    """Return the folder of a repository in the cache, for use without a connection; otherwise raise the error."""
    status = getattr(getattr(error.__cause__, "response", None), "status_code", 500)
    if status < 500:  # the Hub has answered
        raise error
    hub = hub_package()
    try:
        # Without patterns, huggingface_hub would require the files that were never asked for.
        folder = Path(hub.snapshot_download(name, revision=revision, allow_patterns=[], local_files_only=True))
    except Exception:  # as in hub_errors
        raise error from error.__cause__
    if not isinstance(error.__cause__, hub.errors.OfflineModeIsEnabled):
        log.warning("%s. The files in the cache are used, %s", str(error).rstrip("."), folder)
    return folder


def _chosen(name: str, all_files: Collection[str], folder: Path | None, filename: str | None) -> str:
    """Return the path of the file with the vectors, or of the folder of a StaticEmbedding, in a repository.

    Parameters
    ----------
    name : str
        Name of the repository in messages.
    all_files : collection of str
        The files of the repository.
    folder : Path or None
        The folder that contains the local copy of ``modules.json``.
    filename : str or None
        The file that the caller wants.
    """
    files = [file for file in all_files if not PurePosixPath(file).is_absolute() and ".." not in Path(file).parts]
    if filename is not None:
        if filename in files:
            return filename
        raise FormatError(f"{name} has no file {quote(filename)}; its files are {_listed(files)}")
    if VECTORS_FILE in files:
        return VECTORS_FILE
    if folder is not None and (static := _static_folder(folder / "modules.json", files)) is not None:
        return static
    found = [file for file in files if "/" not in file and file.lower() not in _OTHER_FILES and _is_vector_file(file)]
    if len(found) == 1:
        return found[0]
    if found:
        raise FormatError(f"{name} has several files of vectors: {_listed(found)}; pass filename={quote(found[0])}")
    pickles = any(file.endswith((".kv", ".model")) for file in files)
    advice = (
        "To read a pickle of gensim whose author you trust, pass its name as filename, and format='gensim'"
        if pickles
        else "If one of them contains word vectors, pass its name as filename"
    )
    raise FormatError(f"{name} has no file that surely contains word vectors; its files are {_listed(files)}. {advice}")


def _static_folder(modules: Path, files: Collection[str]) -> str | None:
    """Return the folder of a StaticEmbedding that ``modules.json`` describes, or None if it describes another model."""
    try:
        first: Any = json.loads(modules.read_bytes())[0]
        path, kind = first["path"], first["type"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(path, str) or not isinstance(kind, str) or kind.rpartition(".")[2] != "StaticEmbedding":
        return None
    folder = PurePosixPath(path)
    complete = {str(folder / file) for file in ("tokenizer.json", "model.safetensors")} <= set(files)
    return str(folder) if complete else None


def _is_vector_file(file: str) -> bool:
    return without_compression(Path(file)).suffix.lower() in _SUFFIXES


def _listed(files: Collection[str]) -> str:
    return quote(sorted(files), 200) if files else "none"
