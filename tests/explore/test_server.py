"""The local server of the page: what it answers, and to whom."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors
from fastw2v.explore import ExploreServer, server
from fastw2v.explore.map_process import MapProcess

WORDS = ["king", "queen", "man", "woman", "고양이", "חתול", "<b>&", "a/b?c=d#e", "new york"]


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    rows = np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32)
    return WordVectors(WORDS, rows, counts=np.arange(len(WORDS), 0, -1))


@pytest.fixture(scope="module")
def served(vectors: WordVectors) -> Iterator[ExploreServer]:
    with ExploreServer(vectors, method="pca") as running:
        yield running


def ask(served: ExploreServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Send a request to a path that is relative to the page, or to the server if it begins with a slash."""
    address = urlsplit(served.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    target = path if path.startswith("/") else address.path + path
    connection.putrequest(method, target, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def answered(served: ExploreServer, path: str) -> Any:
    status, body, headers = ask(served, path)
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    return json.loads(body)


def test_the_page_and_its_data(served: ExploreServer, vectors: WordVectors):
    status, body, headers = ask(served, "")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'{"served":true}' in body
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"  # the address contains the token
    (model,) = answered(served, "models")["models"]
    assert (model["words"], model["counts"]) == (WORDS, vectors.counts.tolist())
    assert (model["n_words"], model["dimensions"], model["method"], model["pending"]) == (9, 8, "PCA", None)
    points = np.frombuffer(base64.b64decode(model["points"]), "<f4").reshape(-1, 2)
    assert np.abs(points).max() == 1
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    _, _, axes = np.linalg.svd(centred)
    expected = np.abs(centred @ axes[:2].T)
    np.testing.assert_allclose(np.abs(points), expected / expected.max(), atol=1e-5)
    assert "values" not in model


@pytest.mark.parametrize("word", WORDS)
def test_neighbours_are_those_of_a_full_search(served: ExploreServer, vectors: WordVectors, word: str):
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    cosines = unit @ unit[WORDS.index(word)]
    order = [i for i in np.argsort(-cosines) if WORDS[i] != word][:3]
    found = answered(served, f"query?positive={quote(word, safe='')}&n=3")["words"]
    assert [other for other, _ in found] == [WORDS[i] for i in order]
    np.testing.assert_allclose([cosine for _, cosine in found], cosines[order], atol=1e-4)


def test_an_analogy(served: ExploreServer, vectors: WordVectors):
    found = answered(served, "query?positive=king&positive=woman&negative=man&n=2")["words"]
    unit = dict(zip(WORDS, vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True), strict=True))
    target = unit["king"] + unit["woman"] - unit["man"]
    others = [word for word in WORDS if word not in ("king", "man", "woman")]
    assert [word for word, _ in found] == sorted(others, key=lambda word: -float(unit[word] @ target))[:2]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("query?positive=qeen", "'qeen' is not in the vocabulary of 9 words. Similar spellings: 'queen'"),
        ("query", "positive"),
        ("query?positive=king&n=0", "n is '0'; it must be an integer from 1 to 1000"),
        ("query?positive=king&n=1001", "n is '1001'"),
        ("query?positive=king&n=" + "9" * 5000, "n is '999"),
        ("query?positive=king&model=1", "model is '1'; it must be an integer from 0 to 0"),
        ("query?positive=king&model=-1", "model is '-1'"),
        ("points?model=x", "model is 'x'"),
        ("query?" + "&".join(["positive=king"] * 101), "the query has 101 words; the maximum is 100"),
        ("query?" + "&".join(["x=1"] * 300), "fields"),
        ("query?positive=" + "x" * 10_000, "is not in the vocabulary"),
    ],
)
def test_a_wrong_request_is_one_line(served: ExploreServer, path: str, message: str):
    status, body, _ = ask(served, path)
    assert status == 400
    error = json.loads(body)["error"]
    assert message in error
    assert "\n" not in error
    assert len(error) < 400


def test_unknown_addresses_and_files(served: ExploreServer):
    for path in ("nothing", "models/", "../", "..%2f..%2fetc/passwd", "page/app.js", "index.html", "%00"):
        assert ask(served, path)[0] == 404, path


def test_only_addresses_with_the_token_are_answered(served: ExploreServer):
    token = urlsplit(served.url).path.strip("/")
    assert len(token) == 32
    for path in ("/", "/models", f"/{token}", f"/{token[:-1]}/", f"/{token}x/models", f"/x/{token}/"):
        assert ask(served, path)[0] == 403, path
    assert ask(served, "/?token=" + token)[0] == 403
    assert ask(served, f"/{token}/models")[0] == 200
    assert ask(served, "/%C3%A9/models")[0] == 403
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(f"GET /é/ HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\n\r\n".encode())
        assert connection.recv(100).split()[1] == b"403"


def test_other_hosts_and_origins_are_refused(served: ExploreServer):
    port = urlsplit(served.url).port
    for host in (
        "example.org",
        f"example.org:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port}.example.org",
        f"127.0.0.1:{port + 1}",
        "",
    ):
        assert ask(served, "models", Host=host)[0] == 403, host
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert ask(served, "models", Host=host)[0] == 200, host
    for origin in ("http://example.org", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1", "file://"):
        assert ask(served, "models", Origin=origin)[0] == 403, origin
    assert ask(served, "models", Origin=f"http://127.0.0.1:{port}")[0] == 200


def test_two_hosts_or_none_are_refused(served: ExploreServer):
    address = urlsplit(served.url)
    own = f"Host: 127.0.0.1:{address.port}\r\n"
    for headers in ("", own + "Host: example.org\r\n", own + own):
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            connection.sendall(f"GET {address.path}models HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
            assert connection.recv(100).split()[1] == b"403"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(served: ExploreServer, method: str):
    assert ask(served, "models", method)[0] == 405
    assert ask(served, "/", method)[0] == 403


def test_requests_that_cannot_be_read_are_refused(served: ExploreServer):
    address = urlsplit(served.url)
    host = f"Host: 127.0.0.1:{address.port}\r\nConnection: close\r\n\r\n"
    for line, status in (
        ("TRACE / HTTP/1.1", b"403"),
        (f"BREW {address.path} HTTP/1.1", b"501"),
        ("GET http://[/ HTTP/1.1", b"403"),
        (f"GET http://example.org{address.path}points HTTP/1.1", b"403"),
        (f"GET /{'x' * 70_000} HTTP/1.1", b"414"),
    ):
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            connection.sendall(f"{line}\r\n{host}".encode())
            answer = connection.makefile("rb").read()
        assert answer.split()[1] == status, line
        assert b"Content-Security-Policy" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_it_listens_on_this_machine_only(served: ExploreServer):
    assert served._server.socket.getsockname()[0] == "127.0.0.1"


def test_tokens_differ(vectors: WordVectors):
    tokens = set()
    for _ in range(3):
        with ExploreServer(vectors, method="pca") as one:
            tokens.add(urlsplit(one.url).path)
    assert len(tokens) == 3


def test_the_port_is_released(vectors: WordVectors):
    with ExploreServer(vectors, method="pca") as one:
        port = urlsplit(one.url).port
        with pytest.raises(OSError, match=f"port {port} is in use; choose another port, or 0 for any free port"):
            ExploreServer(vectors, method="pca", port=port)
        assert ask(one, "")[0] == 200
    with ExploreServer(vectors, method="pca", port=port) as other:
        assert urlsplit(other.url).port == port


def test_a_silent_connection_delays_nobody(served: ExploreServer, vectors: WordVectors):
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port)):
        assert ask(served, "models")[0] == 200


def test_close_while_a_connection_is_open(vectors: WordVectors):
    running = ExploreServer(vectors, method="pca").start()
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port)):
        closing = threading.Thread(target=running.close, daemon=True)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
    running.close()  # again
    running.serve_forever()  # returns at once


def test_an_open_connection_is_not_answered_after_close(vectors: WordVectors):
    running = ExploreServer(vectors, method="pca").start()
    address = urlsplit(running.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("GET", address.path + "points")
    assert connection.getresponse().read()
    running.close()
    with pytest.raises((http.client.HTTPException, OSError)):  # noqa: PT012
        connection.request("GET", address.path + "points")
        connection.getresponse()
    connection.close()


def test_words_off_the_map_are_found(vectors: WordVectors):
    with ExploreServer(vectors, top=2, method="pca") as small:
        (model,) = answered(small, "models")["models"]
        assert (model["words"], model["n_words"]) == (WORDS[:2], 9)
        found = answered(small, "query?positive=woman&n=100")["words"]
        assert {word for word, _ in found} == set(WORDS) - {"woman"}


def test_integers_are_words_of_a_graph():
    graph = WordVectors([7, -3, 12], np.eye(3))
    with ExploreServer(graph, method="pca") as running:
        assert answered(running, "models")["models"][0]["words"] == ["7", "-3", "12"]
        assert {word for word, _ in answered(running, "query?positive=-3")["words"]} == {"7", "12"}
        assert "'x' is not an integer" in json.loads(ask(running, "query?positive=x")[1])["error"]
        assert "9" * 30 in json.loads(ask(running, "query?positive=" + "9" * 30)[1])["error"]
        assert "is not an integer" in json.loads(ask(running, "query?positive=" + "9" * 5000)[1])["error"]


def test_words_with_ngrams_alone():
    sentences = [["the", "cat", "sat"], ["the", "dog", "ran"]] * 20
    wv = Word2Vec(vector_size=8, subwords=(3, 4), bucket=100, min_count=1).fit(sentences).wv
    with ExploreServer(wv, method="pca") as running:
        found = answered(running, "query?positive=cats&n=2")["words"]
    assert [word for word, _ in found] == [word for word, _ in wv.most_similar("cats", topn=2)]


def test_two_models(vectors: WordVectors):
    other = WordVectors(WORDS[:6], np.random.default_rng(1).normal(size=(6, 4)))
    with ExploreServer(vectors, other, method="pca", names=["old.bin", "new.bin"]) as running:
        data = answered(running, "models")
        assert [model["name"] for model in data["models"]] == ["old.bin", "new.bin"]
        assert data["moved"]["compared"] == 6
        assert len(answered(running, "query?model=1&positive=king")["words"]) == 5
        assert ask(running, "query?model=1&positive=a%2Fb")[0] == 400


def test_the_map_is_replaced_when_another_is_ready(vectors: WordVectors, monkeypatch: pytest.MonkeyPatch):
    """The projection itself is exchanged, so that no optional package is needed."""
    may_end = threading.Event()
    running: list[int] = []

    class Process:
        def __init__(self, matrix: np.ndarray, method: str, on_end: Any) -> None:
            running.append(len(matrix))
            self.thread = threading.Thread(target=self.run, args=(on_end,))
            self.thread.start()

        def run(self, on_end: Any) -> None:
            may_end.wait(20)
            on_end(np.arange(18.0).reshape(9, 2))

        def stop(self) -> None:
            self.thread.join()

    monkeypatch.setattr(server, "MapProcess", Process)
    monkeypatch.setattr(server, "select_method", lambda method, n: "umap")
    with ExploreServer(vectors, vectors) as served:
        before = [answered(served, f"points?model={number}") for number in (0, 1)]
        assert [(each["method"], each["pending"]) for each in before] == [("PCA", "UMAP")] * 2
        assert running == [9]  # one after the other
        may_end.set()
        for number in (0, 1):
            while (after := answered(served, f"points?model={number}"))["pending"]:
                time.sleep(0.05)
            assert after["method"] == "UMAP"
            points = np.frombuffer(base64.b64decode(after["points"]), "<f4")
            np.testing.assert_allclose(points, np.arange(18) / 17, rtol=1e-6)
        assert running == [9, 9]
        assert [model["method"] for model in answered(served, "models")["models"]] == ["UMAP"] * 2


def test_a_map_that_fails_leaves_the_first_one(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    matrix = np.full((4, 3), np.nan)
    monkeypatch.setattr(server, "MapProcess", lambda unit, method, on_end: MapProcess(matrix, "pca", on_end))
    monkeypatch.setattr(server, "select_method", lambda method, n: "umap")
    with ExploreServer(vectors) as served:
        while (after := answered(served, "points"))["pending"]:
            time.sleep(0.05)
    assert after["method"] == "PCA"
    (message,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert message.startswith(
        "the map by UMAP failed, and the principal components are shown: ValueError: some vectors"
    )


def test_a_map_that_cannot_start_leaves_the_first_one(vectors: WordVectors, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server, "MapProcess", full)
    monkeypatch.setattr(server, "select_method", lambda method, n: "umap")
    with ExploreServer(vectors, vectors) as served:
        for number in (0, 1):
            while (after := answered(served, f"points?model={number}"))["pending"]:
                time.sleep(0.05)
            assert after["method"] == "PCA"


def test_a_process_returns_its_map():
    ended = threading.Event()
    results: list[Any] = []
    MapProcess(np.eye(4), "pca", lambda result: (results.append(result), ended.set()))
    assert ended.wait(60)
    assert results[0].shape == (4, 2)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_ends_with_its_parent(tmp_path: Path):
    code = (
        "import numpy as np, os, signal; from fastw2v.explore import map_process;"
        "map_process.CODE = map_process.CODE.replace('place_rows(*', 'import time; time.sleep(60); place_rows(*');"
        "process = map_process.MapProcess(np.eye(4), 'pca', print); print(process._process.pid, flush=True);"
        "import time; time.sleep(3); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 30
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.stdout.strip().isdecimal()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_fails_gives_its_last_line():
    ended = threading.Event()
    results: list[Any] = []
    process = MapProcess(np.full((4, 3), np.nan), "pca", lambda result: (results.append(result), ended.set()))
    assert ended.wait(60)
    process.stop()
    assert results[0].startswith("ValueError: some vectors contain NaN")


def test_a_map_that_is_stopped_ends_its_process():
    results: list[Any] = []
    process = MapProcess(np.random.default_rng(0).normal(size=(2000, 50)), "pca", results.append)
    process.stop()
    assert process._process.poll() is not None
    time.sleep(0.2)
    assert results == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": -1}, "port is -1; it must be at least 0"),
        ({"port": 65536}, "port is 65536; it must be at most 65535"),
        ({"top": 0}, "top is 0; it must be at least 1"),
        ({"method": "map"}, "method is 'map'"),
        ({"names": ["a", "b"]}, "names has length 2; give 1 name, one for each model"),
    ],
)
def test_wrong_arguments(vectors: WordVectors, arguments: Any, message: str):
    with pytest.raises(ValueError, match=message):
        ExploreServer(vectors, **arguments)
