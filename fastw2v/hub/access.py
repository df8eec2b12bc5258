"""Access to the Hub: the package huggingface_hub, names of repositories, and errors on one line.

The token, the cache, the address of the Hub and the offline mode are settings of huggingface_hub: ``HF_TOKEN``,
``HF_HOME``, ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from fastw2v.utils.download import reason_of
from fastw2v.utils.quote import quote, shorten

__all__ = ["HubError", "check_name", "hub_errors", "hub_package"]

_PART = r"(?!.*(?:--|\.\.))(?![.-])[\w.-]+(?<![.-])(?<!\.git)"
_LONGEST_NAME = 96
"""Number of characters of the longest name of a repository."""
_LONGEST_REASON = 200
"""Number of characters of a message of huggingface_hub that are shown."""


class HubError(OSError):
    """Error while reading from or writing to the Hugging Face Hub."""


def hub_package() -> Any:
    """Return the package huggingface_hub.

    Raises
    ------
    ImportError
        If the package is not installed.

    Examples
    --------
    >>> from fastw2v.hub.access import hub_package
    >>> hub_package().__name__
    'huggingface_hub'
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "the package huggingface_hub, which reads from and writes to the Hugging Face Hub, is not installed; run "
            "pip install 'fastw2v[hub]'"
        ) from error
    return huggingface_hub


def check_name(name: Any) -> str:
    """Return the name of a repository, or raise ValueError if it is not one.

    Examples
    --------
    >>> from fastw2v.hub.access import check_name
    >>> check_name("user/wiki-vectors")
    'user/wiki-vectors'
    >>> check_name("https://huggingface.co/user/wiki-vectors")
    Traceback (most recent call last):
        ...
    ValueError: 'https://huggingface.co/user/wiki-vectors' is not the name of a repository; ...
    """
    valid = isinstance(name, str) and len(name) <= _LONGEST_NAME
    if not valid or re.fullmatch("/".join([_PART] * 2), name, re.ASCII) is None:
        raise ValueError(
            f"{quote(name)} is not the name of a repository; a name is a user or an organization, a slash, and a name "
            "of letters, digits, '-', '_' and '.', such as 'user/wiki-vectors'"
        )
    return name


@contextlib.contextmanager
def hub_errors(name: str, revision: str | None = None) -> Iterator[None]:
    """Context manager that raises every error of huggingface_hub as a `HubError` with a message of one line.

    Parameters
    ----------
    name : str
        Name of the repository.
    revision : str, optional

    Examples
    --------
    >>> from fastw2v.hub.access import hub_errors
    >>> with hub_errors("user/wiki-vectors"):
    ...     raise RuntimeError("the disk is full")
    Traceback (most recent call last):
        ...
    fastw2v.hub.access.HubError: user/wiki-vectors: the disk is full
    """
    outer = sys.exception()
    try:
        yield
    except Exception as error:  # its errors, and those of its HTTP library, have no common class
        raise HubError(_reason(error, outer, name, revision)) from error


def _reason(error: Exception, outer: BaseException | None, name: str, revision: str | None) -> str:
    """Return a message of one line: what failed, and what to do. The caller was handling the error `outer` before."""
    from huggingface_hub import errors, get_token

    answered = _answered(error)
    status = None if answered is None else answered.response.status_code
    login = "log in with `hf auth login`, or set HF_TOKEN"
    if isinstance(error, errors.GatedRepoError):
        return f"{name} is gated; accept its conditions on its page on the Hub, and {login}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub has no repository {name}, or it is private; check the name, or {login}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{name} has no revision {quote(revision)}; pass a branch, a tag or a commit"
    if status == 401:
        return f"{name}: the Hub does not accept the token; {login} to a valid token"
    if status == 403:
        return f"{name}: the token has no permission for this; {login} to a token with write access"
    if not (get_token() or "").isascii():
        return f"{name}: the token contains characters that no token has; {login} to a valid token"
    if status is None and isinstance(error, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)):
        return f"{name} is not in the cache, and the Hub is out of reach or HF_HUB_OFFLINE is set; go online"
    if answered is error or (answered is not None and not isinstance(error, ValueError)):
        message = getattr(answered, "server_message", None)
        reason = f"the Hub answers {status}" + (f": {message}" if message else "")
    elif isinstance(error, ValueError):
        reason = str(error)
    else:
        reason = reason_of(error, outer)
    return f"{name}: {shorten(' '.join(reason.split()), _LONGEST_REASON)}"


def _answered(error: BaseException | None) -> Any:
    """Return the first error of a chain that has an answer of the Hub, or None."""
    while error is not None and getattr(getattr(error, "response", None), "status_code", None) is None:
        error = error.__cause__
    return error
