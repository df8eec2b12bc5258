"""Producers of errors in the section "Vectors from the web"."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastw2v import WordVectors
from tests.errors.common import Producer, vectors

URL = "https://example.org/v.bin"


def load(monkeypatch: pytest.MonkeyPatch, content: bytes, sha256: str | None = None, **headers: str) -> None:
    """Load vectors from a server that sends some content and some headers."""

    class Downloader:
        def __init__(self, hooks: dict[str, Any], **_: Any) -> None:
            self.check = hooks["response"]

        def __call__(self, url: str, output_file: str, _: Any) -> None:
            redirect = "Location" in headers
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            self.check(SimpleNamespace(url=url, is_redirect=redirect, headers=named, close=lambda: None))
            Path(output_file).write_bytes(content)

    monkeypatch.setattr("fastw2v.utils.download.cache_folder", lambda: Path("cache").absolute())
    monkeypatch.setattr("pooch.HTTPDownloader", Downloader)
    WordVectors.load(URL, sha256=sha256)


def with_checksum_of_a_path() -> None:
    vectors().save("v.bin")
    WordVectors.load("v.bin", sha256="0" * 64)


PRODUCERS: dict[str, list[Producer]] = {
    "…: vectors are downloaded from https:// and http:// URLs only; copy the file to this machine, and pass its path": [
        lambda: WordVectors.load("s3://bucket/v.bin"),
    ],
    "… is not a valid URL; it must be like https://example.org/vectors.bin": [
        lambda: WordVectors.load("https:///v.bin"),
    ],
    "sha256 is …; it must be a checksum of 64 hexadecimal digits": [
        lambda: WordVectors.load(URL, sha256="abc"),
        lambda: WordVectors.load(f"{URL}#sha256=abc"),
    ],
    "sha256 is …, but the URL ends in another checksum; omit one of them": [
        lambda: WordVectors.load(f"{URL}#sha256={'0' * 64}", sha256="1" * 64),
    ],
    "…: sha256 is given, but only downloaded files are verified; omit it, or pass a URL": [
        with_checksum_of_a_path,
    ],
    "downloading … failed: …": [
        lambda: WordVectors.load("http://127.0.0.1:9/v.bin"),
    ],
    "downloading … failed: the connection ended after … of … bytes; try again": [
        lambda monkeypatch: load(monkeypatch, b"2 2\n", Content_Length="300"),
    ],
    "downloading … failed: it is an HTML page, not a file; copy the address of the download link on the page": [
        lambda monkeypatch: load(monkeypatch, b"<!DOCTYPE html>"),
    ],
    "downloading … failed: the file has the SHA-256 checksum …, but … was expected, so it was not kept; take the URL and the checksum from the same source": [
        lambda monkeypatch: load(monkeypatch, b"2 2\n", "0" * 64),
    ],
    "downloading … failed: it redirects to …, which is not encrypted; if you trust that server, pass its URL": [
        lambda monkeypatch: load(monkeypatch, b"", Location="http://example.org/v.bin"),
    ],
    "…: this is the name of a pickle of gensim; if you trust its source, read it with format='gensim'": [
        lambda: WordVectors.load("https://example.org/v.kv"),
    ],
    "…. The downloaded file is …": [
        lambda monkeypatch: load(monkeypatch, b'{"error": 7}'),
    ],
}
