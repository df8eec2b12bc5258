"""Producers of errors in the section "The explore page"."""

from __future__ import annotations

import socket
from unittest import mock

from fastw2v.explore import ExploreServer, write_page
from fastw2v.explore.server import ANSWERS, _number
from tests.errors.common import Producer, fastw2v, vectors


def used_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ExploreServer(vectors(), port=other.getsockname()[1], method="pca")


def refused_port() -> None:
    with mock.patch("socketserver.TCPServer.__init__", side_effect=PermissionError(13, "Permission denied")):
        ExploreServer(vectors(), port=80, method="pca")


def query(**fields: list[str]) -> None:
    server = ExploreServer(vectors(), method="pca")
    server.close()
    server._content.answer("query", fields)


PRODUCERS: dict[str, list[Producer]] = {
    "port … is in use; choose another port, or 0 for any free port": [used_port],
    "port … cannot be used: …; choose another port, or 0 for any free port": [refused_port],
    "port is …; it must be at most …": [
        lambda: ExploreServer(vectors(), port=70_000),
    ],
    "…: the suffix … is not supported for pages; use .html": [
        lambda: write_page(vectors(), "a.png"),
        lambda: (vectors().save("a.bin"), fastw2v("explore", "a.bin", "--output", "a.png")),
    ],
    "words is empty; give at least one word, or omit it to show the most frequent words": [
        lambda: write_page(vectors(), "a.html", words=[]),
    ],
    "names has length …; give …, one for each model": [
        lambda: write_page(vectors(), "a.html", names=["a", "b"]),
    ],
    "… would have no effect with --output; omit one of them": [
        lambda: (vectors().save("a.bin"), fastw2v("explore", "a.bin", "--output", "a.html", "--no-browser")),
    ],
    "… is …; it must be an integer from … to …": [
        lambda: _number({"n": ["x"]}, "n", ANSWERS, 1, 1000),
    ],
    "the query has … words; the maximum is …": [
        lambda: query(positive=["the"] * 101),
    ],
}
