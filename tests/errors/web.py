"""Producers of errors in the section "Vectors from the web and the Hub"."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from fastw2v import WordVectors
from tests.errors.common import Producer, fastw2v, vectors, write
from tests.hub.hub_server import READ_TOKEN, WRITE_TOKEN, Hub, connected_hub, new_session

URL = "https://example.org/v.bin"


def load(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None, sha256: str | None = None, status: int = 200, **headers: str
) -> None:
    """Load vectors from a server that sends some content, or breaks off, and some headers."""

    class Downloader:
        def __init__(self, hooks: dict[str, Any], **_: Any) -> None:
            self.check = hooks["response"]

        def __call__(self, url: str, output_file: str, _: Any) -> None:
            redirect = "Location" in headers
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            response = SimpleNamespace(
                url=url, is_redirect=redirect, status_code=status, headers=named, close=lambda: None
            )
            self.check(response)
            if content is None:
                raise requests.exceptions.ChunkedEncodingError
            Path(output_file).write_bytes(content)

    monkeypatch.setattr("fastw2v.utils.download.cache_folder", lambda: Path("cache").absolute())
    monkeypatch.setattr("pooch.HTTPDownloader", Downloader)
    WordVectors.load(URL, sha256=sha256)


def with_checksum_of_a_path() -> None:
    vectors().save("v.bin")
    WordVectors.load("v.bin", sha256="0" * 64)


def with_hub(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Hub], object], token: str | None = WRITE_TOKEN, **failures: int
) -> None:
    """Call a function with a stand-in for the Hub, which has a repository of vectors."""
    pytest.importorskip("huggingface_hub")
    with connected_hub(Path("hf").absolute(), monkeypatch) as hub:
        if token is None:
            monkeypatch.delenv("HF_TOKEN")
        else:
            monkeypatch.setenv("HF_TOKEN", token)
        hub.failures |= failures
        hub.add("user/vectors", {"v.txt": b"1 1\ncat 1\n"})
        call(hub)


def read(name: str = "user/vectors", **options: Any) -> WordVectors:
    return WordVectors.from_pretrained(name, **options)


def push(name: str = "user/vectors", **options: Any) -> None:
    vectors().push_to_hub(name, **{"license": "mit"} | options)


def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    read()


def gated(hub: Hub) -> None:
    hub.repositories["user/vectors"].gated = True
    read()


def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: "nothing")
    read()


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(hub: Hub) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        new_session()
        read()

    with_hub(monkeypatch, call)


def from_folder(names: list[str], **options: Any) -> None:
    """Read from a folder that contains files with some names."""
    Path("folder").mkdir()
    for name in names:
        Path("folder", name).touch()
    read("folder", **options)


def other_model(hub: Hub) -> None:
    hub.add("user/model", {"modules.json": b"[]"})
    push("user/model")


def other_licence(hub: Hub) -> None:
    hub.add("user/vectors", {"README.md": b"---\nlicense: cc-by-4.0\n---\n# My vectors\n"})
    push()


def score(spearman: str, covered: int) -> str:
    """Write a file with the score of two word pairs."""
    pairs = f'{{"name": "x", "spearman": {spearman}, "covered": {covered}, "total": 2}}'
    return write("scores.json", f'{{"suite": null, "analogies": [], "pairs": [{pairs}]}}')


def command(*options: str) -> None:
    vectors().save("v.bin")
    fastw2v("push", "user/vectors", "v.bin", *options)


PRODUCERS: dict[str, list[Producer]] = {
    "…: vectors are downloaded from https:// and http:// URLs only; copy the file to this machine, and pass its path": [
        lambda: WordVectors.load("s3://bucket/v.bin"),
    ],
    "… is not a valid URL; it must be like https://example.org/vectors.bin": [
        lambda: WordVectors.load("https:///v.bin"),
    ],
    "…: the URL ends in …, but only #sha256= and a checksum may follow": [
        lambda: WordVectors.load(f"{URL}#md5=0"),
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
    "downloading … failed: the connection ended before the end of the file; try again": [
        lambda monkeypatch: load(monkeypatch, None),
    ],
    "downloading … failed: the server answers … instead of 200, so this is not the whole file": [
        lambda monkeypatch: load(monkeypatch, b"2 2\n", status=206),
    ],
    "downloading … failed: the server gives … as the size of the file, which is not a number": [
        lambda monkeypatch: load(monkeypatch, b"2 2\n", Content_Length="abc"),
    ],
    "downloading … failed: it redirects to …, but only https:// and http:// URLs are supported": [
        lambda monkeypatch: load(monkeypatch, b"", Location="file:///etc/passwd"),
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
    "the package huggingface_hub, which reads from and writes to the Hugging Face Hub, is not installed; run pip install 'fastw2v[hub]'": [
        without_package,
    ],
    "… is not the name of a repository; a name is a user or an organization, a slash, and a name of letters, digits, '-', '_' and '.', such as 'user/wiki-vectors'": [
        lambda: read("vectors"),
    ],
    "the Hub has no repository …, or it is private; check the name, or log in with `hf auth login`, or set HF_TOKEN": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: read("user/other")),
    ],
    "… is gated; accept its conditions on its page on the Hub, and log in with `hf auth login`, or set HF_TOKEN": [
        lambda monkeypatch: with_hub(monkeypatch, gated),
    ],
    "… has no revision …; pass a branch, a tag or a commit": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: read(revision="other")),
    ],
    "revision is empty; give a branch, a tag or a commit, or omit it": [
        lambda: read(revision=""),
    ],
    "… was changed while it was read; try again": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: changed(monkeypatch)),
    ],
    "…: the token contains characters that no token has; log in with `hf auth login`, or set HF_TOKEN to a valid token": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(), "hf_é"),
    ],
    "… is not in the cache, and the Hub is out of reach or HF_HUB_OFFLINE is set; go online": [
        offline,
    ],
    "…: the Hub does not accept the token; log in with `hf auth login`, or set HF_TOKEN to a valid token": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(), "hf_wrong"),
    ],
    "…: the token has no permission for this; log in with `hf auth login`, or set HF_TOKEN to a token with write access": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(), READ_TOKEN),
    ],
    "there is no token for the Hugging Face Hub; log in with `hf auth login`, or set the environment variable HF_TOKEN to a token with write access": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(), None),
    ],
    "…: the Hub answers …": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(), **{"/api/repos/create": 500}),
    ],
    "… is a folder, which has no revisions; omit the revision": [
        lambda: from_folder([], revision="main"),
    ],
    "… has no file …; its files are …": [
        lambda: from_folder(["a.bin"], filename="b.bin"),
    ],
    "… has several files of vectors: …; pass filename=…": [
        lambda: from_folder(["a.bin", "b.bin"]),
    ],
    "… has no file that surely contains word vectors; its files are …. …": [
        lambda: from_folder([]),
        lambda: from_folder(["word2vec.model"]),
    ],
    "… exists already and is public; make it private in its settings on the Hub, or omit private": [
        lambda monkeypatch: with_hub(monkeypatch, lambda _: push(private=True)),
    ],
    "… contains another model, with the files …; choose another name": [
        lambda monkeypatch: with_hub(monkeypatch, other_model),
    ],
    "… has the licence … in its model card, but license is …; edit the card on the Hub, or pass …": [
        lambda monkeypatch: with_hub(monkeypatch, other_licence),
    ],
    "license is …; it must be an identifier of the Hub in lower case, such as apache-2.0, mit, cc-by-4.0 or cc-by-sa-4.0, or other. See https://huggingface.co/docs/hub/repositories-licenses": [
        lambda: push(license="apache2"),
    ],
    "language is …; it must be a code of ISO 639, such as en or ko": [
        lambda: push(language="english"),
    ],
    "… does not contain scores; write it with fastw2v evaluate FILE --json > scores.json": [
        lambda: push(scores=write("scores.json", "{}")),
        lambda: push(scores=write("scores.json", '{"suite": null, "analogies": [], "pairs": []}')),
        lambda: push(scores=score("1.5", covered=1)),
        lambda: push(scores=score("0.5", covered=3)),
    ],
    "commit_message is empty; give a text, or omit it": [
        lambda: push(commit_message=""),
    ],
    "… is empty; give a text, or omit it": [
        lambda: command("--output", "new", "--license", "mit", "--corpus", ""),
        lambda: push(corpus=" "),
    ],
    "corpus is …, which is not valid Unicode: …": [
        lambda: push(corpus="\udc80"),
    ],
    "… has no effect with --output; omit one of them": [
        lambda: command("--output", "new", "--license", "mit", "--private"),
    ],
    "a repository needs a licence; add --license ID, such as --license cc-by-sa-4.0. The vectors may be subject to the licence of the corpus": [
        lambda monkeypatch: (monkeypatch.setattr("sys.stdin", io.StringIO()), command("--output", "new")),
    ],
    "… already exists; choose the name of a new folder": [
        lambda: command("--output", ".", "--license", "mit"),
    ],
}
