"""Upload of a folder with vectors to a repository on the Hub, in one commit."""

from __future__ import annotations

import logging
import sys
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

from fastw2v.config import check_flags
from fastw2v.formats import VectorRecord
from fastw2v.hub.access import HubError, check_name, hub_errors, hub_package
from fastw2v.hub.card import check_card, license_of, merge_cards
from fastw2v.hub.folder import CARD_FILE, write_folder
from fastw2v.hub.pretrained import STATIC_FILES, VECTORS_FILE
from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.quote import quote

__all__ = ["check_token", "push_folder", "push_record"]

log = logging.getLogger("fastw2v")

_MODEL_FILES = {*STATIC_FILES, "config.json", "model.safetensors", "pytorch_model.bin"}
"""Files of models in repositories that fastw2v did not write."""


def check_token() -> None:
    """Raise HubError if there is no token for the Hub, and ImportError if huggingface_hub is not installed.

    Examples
    --------
    >>> import os
    >>> from fastw2v.hub.upload import check_token
    >>> os.environ["HF_TOKEN"] = "hf_example"
    >>> check_token()
    """
    if not hub_package().get_token():
        raise HubError(
            "there is no token for the Hugging Face Hub; log in with `hf auth login`, or set the environment variable "
            "HF_TOKEN to a token with write access"
        )


def push_folder(
    path: str | PathLike[str], name: str, *, private: bool | None = None, commit_message: str | None = None
) -> tuple[str, bool]:
    """Upload the folder that `write_folder` wrote, in one commit. The repository is created if necessary.

    Parameters
    ----------
    path : str or path
    name : str
        Name of the repository, such as "user/wiki-vectors".
    private : bool, optional
        Whether a new repository is private. By default, it is public, unless the organization has another default.
    commit_message : str, optional

    Returns
    -------
    url : str
        The address of the commit.
    described : bool
        Whether the model card of the repository describes the vectors. If not, the repository has a card that was
        written by hand and has no marks, and this card was kept.

    Raises
    ------
    HubError
        If there is no token, the token has no write access, the repository contains another model, has a card with
        another licence or is public but `private` is true, somebody else changes the repository at the same time, or
        the Hub cannot be reached.
    ImportError
        If huggingface_hub is not installed.
    ValueError
        If the name is not that of a repository.
    """
    check_name(name)
    path = check_path("path", path)
    _check_options(private, commit_message)
    check_token()
    hub = hub_package()
    api = hub.HfApi()
    with hub_errors(name):
        api.create_repo(name, private=private, exist_ok=True)
        info = api.model_info(name)
    there = [file.rfilename for file in info.siblings or ()]
    if private and not info.private:
        raise HubError(
            f"{name} exists already and is public; make it private in its settings on the Hub, or omit private"
        )
    if VECTORS_FILE not in there and (others := sorted(_MODEL_FILES.intersection(there))):
        raise HubError(f"{name} contains another model, with the files {quote(others)}; choose another name")
    card, described = _merged(name, _card(hub, name, there), (path / CARD_FILE).read_bytes())
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    additions: dict[str, Any] = {file.relative_to(path).as_posix(): file for file in files}
    if described:
        additions[CARD_FILE] = card
    else:
        del additions[CARD_FILE]
    operations = [hub.CommitOperationAdd(file, content) for file, content in additions.items()]
    # A StaticEmbedding of earlier vectors must not stay beside the new vectors.
    operations += [hub.CommitOperationDelete(file) for file in STATIC_FILES if file in there and file not in additions]
    # fastw2v is imported by whoever calls this, but no module of the package may import it.
    message = commit_message or f"Upload word vectors with fastw2v {sys.modules['fastw2v'].__version__}"
    with hub_errors(name):
        commit = api.create_commit(name, operations, commit_message=message, parent_commit=info.sha)
    return str(commit.commit_url), described


def _check_options(private: Any, commit_message: Any) -> None:
    if private is not None:
        check_flags(private=private)
    if commit_message is not None:
        check_type("commit_message", commit_message, str, "a text")
        if not commit_message.strip():
            raise ValueError("commit_message is empty; give a text, or omit it")


def _card(hub: Any, name: str, there: list[str]) -> bytes | None:
    """Return the model card of a repository, or None if it has none."""
    if CARD_FILE not in there:
        return None
    with hub_errors(name):
        return Path(hub.hf_hub_download(name, CARD_FILE)).read_bytes()


def _merged(name: str, existing: bytes | None, card: bytes) -> tuple[bytes, bool]:
    """Return the card to upload, and whether it describes the vectors. See `merge_cards`."""
    try:
        before = None if existing is None else existing.decode()
    except UnicodeDecodeError:  # it was not written by fastw2v, and cannot be changed without damage
        return existing or b"", False
    new = card.decode()
    merged, described = merge_cards(before, new)
    kept, given = license_of(merged), license_of(new)
    if kept not in (None, given):
        raise HubError(
            f"{name} has the licence {kept} in its model card, but license is {quote(given)}; edit the card on the "
            f"Hub, or pass {quote(kept)}"
        )
    return merged.encode(), described


def push_record(
    record: VectorRecord,
    name: str,
    *,
    private: bool | None = None,
    commit_message: str | None = None,
    **card: Any,
) -> str:
    """Write the files of a repository to a temporary folder, and upload them. See `WordVectors.push_to_hub`.

    Parameters
    ----------
    record : VectorRecord
    name, private, commit_message
        See `push_folder`.
    **card
        The parameters of `write_folder` for the model card.

    Returns
    -------
    str
        The address of the commit.
    """
    check_name(name)
    check_card(card["license"], card["language"], card["corpus"], card["scores"])
    _check_options(private, commit_message)
    check_token()  # before the files are written, which can take minutes
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "repository")
        write_folder(record, folder, name, **card)
        url, described = push_folder(folder, name, private=private, commit_message=commit_message)
    if not described:
        log.warning(
            "%s has a model card that fastw2v has not written, so it was kept. It may not describe these vectors", name
        )
    return url
