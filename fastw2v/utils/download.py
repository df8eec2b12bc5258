"""Downloads over HTTP: a file is downloaded once, is verified, and appears in the cache only when it is complete."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import unquote, urljoin, urlsplit

from fastw2v.utils.atomic_write import ABANDONED
from fastw2v.utils.progress import Progress
from fastw2v.utils.quote import quote, shorten

__all__ = [
    "DownloadError",
    "cache_folder",
    "cached_path",
    "download",
    "is_url",
    "local_copy",
    "name_of_url",
    "reason_of",
]

log = logging.getLogger("fastw2v")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SHA256 = re.compile("[0-9a-fA-F]{64}")
_CHUNK_BYTES = 1 << 20
_PROGRESS_DELAY = 1.0
"""Number of seconds after which the progress of a download is shown."""
_LONGEST_URL = 200
"""Number of characters of a URL that are shown in a message."""
_LONGEST_REASON = 400
"""Number of characters of the reason of a failure that are shown in a message."""
_LONGEST_NAME = 100
"""Number of characters of the longest name of a file in the cache."""
_LONGEST_NAME_BYTES = 200
"""Number of bytes of the longest name of a file in the cache. File systems allow 255 bytes or fewer."""
_DOWNLOADING = threading.local()
"""Its attribute `active` is true in threads that download a file at present."""


class DownloadError(OSError):
    """Error while downloading a file. Nothing of the download is kept."""


def is_url(source: Any) -> TypeGuard[str]:
    """Return whether a source is the URL of a file, rather than a path.

    Examples
    --------
    >>> from fastw2v.utils.download import is_url
    >>> is_url("https://example.org/vectors.bin"), is_url("s3://bucket/vectors.bin"), is_url("vectors.bin")
    (True, True, False)
    """
    return isinstance(source, str) and _URL.match(source) is not None


def name_of_url(url: str) -> str:
    """Return a URL for messages, without the user, the password and the query, which may contain secrets.

    Examples
    --------
    >>> from fastw2v.utils.download import name_of_url
    >>> name_of_url("https://user:secret@example.org/vectors.bin?signature=1234")
    'https://example.org/vectors.bin'
    """
    address = url.partition("#")[0].partition("?")[0]
    return shorten(re.sub(r"(?<=://)[^/@]*@", "", address), _LONGEST_URL)


def cache_folder() -> Path:
    """Return the folder of downloaded files, which may not exist yet.

    Examples
    --------
    >>> from fastw2v.utils.download import cache_folder
    >>> cache_folder().name
    'fastw2v'
    """
    import pooch  # type: ignore[import-untyped]

    return Path(pooch.os_cache("fastw2v"))


def cached_path(url: str) -> Path:
    """Return the path at which `local_copy` keeps the file of a URL.

    The name is the last part of the path in the URL, so its suffix tells the format. The folder depends on the whole
    URL, without the fragment.

    Examples
    --------
    >>> from fastw2v.utils.download import cached_path
    >>> cached_path("https://example.org/a/vectors.txt.gz?download=true").name
    'vectors.txt.gz'
    """
    url = _checked(url)
    name = re.sub(r"[^\w.-]", "_", unquote(urlsplit(url).path).rsplit("/", 1)[-1])[-_LONGEST_NAME:]
    name = name.encode()[-_LONGEST_NAME_BYTES:].decode(errors="ignore").lstrip(".") or "vectors"
    return cache_folder() / "urls" / hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16] / name


def local_copy(url: str, sha256: str | None = None) -> Path:
    """Return the path of a local copy of a file on the web. The file is downloaded if there is no valid copy.

    Parameters
    ----------
    url : str
        URL that begins with ``https://`` or ``http://``. It may end in ``#sha256=`` and the checksum of the file.
    sha256 : str, optional
        The SHA-256 checksum of the file, 64 hexadecimal digits. A copy in the cache is verified, too. Without a
        checksum, a warning is logged that contains the checksum of the copy.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the URL or the checksum is malformed, or the protocol is not supported.
    DownloadError
        If the file cannot be downloaded, or has another checksum.

    Examples
    --------
    >>> from fastw2v.utils.download import local_copy
    >>> local_copy("ftp://example.org/vectors.bin")
    Traceback (most recent call last):
        ...
    ValueError: ftp://example.org/vectors.bin: vectors are downloaded from https:// and http:// URLs only; ...
    """
    url, name, sha256 = _parsed(url, sha256)
    path = cached_path(url)
    before = path.is_file()
    _remove_abandoned(path)
    path = download(url, sha256, path, name)
    if sha256 is None:
        earlier = f"The file is the copy of an earlier download, {path}. Delete it to download the file again. "
        log.warning(
            "%s was not verified, because no checksum was given. %sTo verify it, add #sha256=%s to the URL",
            name,
            earlier if before else "",
            _sha256_of(path),
        )
    return path


def download(
    url: str, sha256: str | None, path: Path, name: str | None = None, processor: Callable[..., Any] | None = None
) -> Any:
    """Download a file to a path, unless the path has the file already.

    Parameters
    ----------
    url : str
    sha256 : str or None
        The checksum of the file. If the existing file has another checksum, it is replaced. If None, any file is
        accepted.
    path : Path
        Where to store the file. Missing folders are created.
    name : str, optional
        Name of the file in messages. By default, it is that of the URL.
    processor : callable, optional
        Processor of pooch, such as `pooch.Unzip`.

    Returns
    -------
    Path
        `path`, or what the processor returns.

    Raises
    ------
    DownloadError
        If the file cannot be downloaded in full, has another checksum, or is an HTML page.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.download import download
    >>> _ = Path("vectors.txt").write_text("sun 0.5", encoding="utf-8")
    >>> download("https://example.org/vectors.txt", None, Path("vectors.txt")).name  # there is a copy
    'vectors.txt'
    """
    import pooch

    name = name or name_of_url(url)
    outer = sys.exception()
    pooch.get_logger().addFilter(_is_shown)  # which adds it once
    _DOWNLOADING.active = True
    try:
        found = pooch.retrieve(
            url,
            known_hash=None if sha256 is None else f"sha256:{sha256.lower()}",
            fname=path.name,
            path=path.parent,
            processor=processor,
            downloader=_Downloader(sha256),
        )
    except (OSError, ValueError) as error:
        raise DownloadError(f"downloading {name} failed: {reason_of(error, outer)}") from error
    finally:
        _DOWNLOADING.active = False
    return Path(found) if processor is None else found


def reason_of(error: BaseException, outer: BaseException | None = None) -> str:
    """Return the message of the first error in a chain, because later errors only repeat the message at length.

    Parameters
    ----------
    error : BaseException
        The last error.
    outer : BaseException, optional
        The error that the caller was handling already, at which the chain ends.

    Examples
    --------
    >>> from fastw2v.utils.download import reason_of
    >>> reason_of(OSError("the network is unreachable"))
    'the network is unreachable'
    """
    seen = {id(error)}
    while (before := error.__context__) is not None and before is not outer and id(before) not in seen:
        error = before
        seen.add(id(error))
    text = re.sub(r" for url: \S+$", "", str(error))  # which may contain secrets
    text = re.sub(r"[\0-\x1f\x7f-\x9f]", lambda found: ascii(found[0])[1:-1], " ".join(text.split()))
    return shorten(text, _LONGEST_REASON) or type(error).__name__


def _is_shown(record: logging.LogRecord) -> bool:
    """Filter of pooch's logger. Messages about our downloads contain secrets in URLs, and name functions of pooch."""
    return record.levelno >= logging.WARNING or not getattr(_DOWNLOADING, "active", False)


class _Downloader:
    """Downloader of pooch that shows the progress, and checks what the server sends."""

    def __init__(self, sha256: str | None) -> None:
        self.sha256 = sha256
        self._expected: int | None = None
        self._responses: list[Any] = []

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        from pooch import HTTPDownloader
        from requests.exceptions import ChunkedEncodingError

        options = {
            "hooks": {"response": self._check_response},
            # The size of a compressed answer is not known.
            "headers": {"Accept-Encoding": "identity"},
        }
        with Progress("downloading", None, unit="bytes", delay=_PROGRESS_DELAY) as progress:
            bar = _ProgressBar(progress)
            fetch = HTTPDownloader(progressbar=bar, chunk_size=_CHUNK_BYTES, **options)
            try:
                fetch(url, output_file, pooch)
                is_cut = False
            except ChunkedEncodingError:
                is_cut = True
            finally:
                for response in self._responses:
                    response.close()
        if is_cut:  # an error that is raised above would have the message of the first error
            raise OSError("the connection ended before the end of the file; try again")
        path = Path(output_file)
        if self._expected is not None and path.stat().st_size != self._expected:
            raise OSError(f"the connection ended after {path.stat().st_size:,} of {self._expected:,} bytes; try again")
        with path.open("rb") as file:
            start = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        markup = start.startswith((b"<!--", b"<?xml"))
        if start.startswith((b"<!doctype html", b"<html")) or (markup and b"<html" in start):
            raise ValueError("it is an HTML page, not a file; copy the address of the download link on the page")
        if self.sha256 is not None and (found := _sha256_of(path)) != self.sha256.lower():
            raise ValueError(
                f"the file has the SHA-256 checksum {found}, but {self.sha256.lower()} was expected, so it was not "
                "kept; take the URL and the checksum from the same source"
            )

    def _check_response(self, response: Any, *args: Any, **kwargs: Any) -> None:
        """Check a response before its body is read. It is called for redirects, too."""
        self._responses.append(response)
        if response.is_redirect:
            _check_redirect(response.url, response.headers.get("Location", ""))
            return
        if response.status_code < 400 and response.status_code != 200:  # requests raises errors for the others
            raise ValueError(f"the server answers {response.status_code} instead of 200, so this is not the whole file")
        size = response.headers.get("Content-Length")
        if size is not None and re.fullmatch("[0-9]{1,18}", size) is None:
            raise ValueError(f"the server gives {quote(size)} as the size of the file, which is not a number")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        self._expected = None if size is None or encoded else int(size)


def _check_redirect(url: str, target: str) -> None:
    """Raise ValueError unless a URL may redirect to another."""
    before, after = _scheme(url), _scheme(urljoin(url, target))
    if after not in ("http", "https"):
        raise ValueError(f"it redirects to {name_of_url(target)}, but only https:// and http:// URLs are supported")
    if before == "https" and after == "http":
        raise ValueError(
            f"it redirects to {name_of_url(target)}, which is not encrypted; if you trust that server, pass its URL"
        )


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


class _ProgressBar:
    """The progress bar that pooch updates, which shows the progress with `Progress`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    @property
    def total(self) -> int | None:
        return self._progress.total

    @total.setter
    def total(self, total: int) -> None:
        self._progress.total = total or None

    def update(self, amount: int) -> None:
        self._done += amount
        self._progress.update(min(self._done, self.total or self._done))

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Do nothing: the context manager of the progress ends the display."""


def _checked(url: str) -> str:
    """Return a URL without its fragment, or raise ValueError if it is not a URL from which files are downloaded."""
    address = url.partition("#")[0]
    name = name_of_url(address)
    if not address.lower().startswith(("https://", "http://")):
        raise ValueError(
            f"{name}: vectors are downloaded from https:// and http:// URLs only; copy the file to this machine, and "
            "pass its path"
        )
    try:
        parts = urlsplit(address)
        labels = (parts.hostname or "").removesuffix(".").split(".")
        valid = all(0 < len(label) < 64 for label in labels) and (parts.port or 1) > 0
        valid = valid and not re.search(r"[\s\0-\x1f]", address)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"{name} is not a valid URL; it must be like https://example.org/vectors.bin")
    return address


def _parsed(url: str, sha256: str | None) -> tuple[str, str, str | None]:
    """Return a URL without its fragment, its name in messages, and the checksum in the fragment or the argument."""
    address = _checked(url)
    name, fragment = name_of_url(address), url.partition("#")[2]
    found = re.fullmatch("sha256=(.*)", fragment, re.IGNORECASE | re.DOTALL)
    if fragment and found is None:
        raise ValueError(
            f"{name}: the URL ends in {quote(f'#{fragment}')}, but only #sha256= and a checksum may follow"
        )
    given = None if found is None else found[1]
    for one in (sha256, given):
        if one is not None and not (isinstance(one, str) and _SHA256.fullmatch(one)):
            raise ValueError(f"sha256 is {quote(one)}; it must be a checksum of 64 hexadecimal digits")
    if sha256 is not None and given is not None and sha256.lower() != given.lower():
        raise ValueError(f"sha256 is {quote(sha256)}, but the URL ends in another checksum; omit one of them")
    return address, name, sha256 or given


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files that killed downloads have left beside a copy, which is alone in its folder."""
    for file in path.parent.glob("*"):
        with contextlib.suppress(OSError):  # another process may remove the file at the same time
            if file != path and time.time() - file.stat().st_mtime > ABANDONED:
                file.unlink()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
