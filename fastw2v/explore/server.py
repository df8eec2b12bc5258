"""A server on this machine that answers the requests of the page, and no others.

Every address begins with a random token. A request without it is refused, and so is a request that names another host
or comes from the page of another site. The server is reachable only from this machine, and it serves only the page and
the data in memory, never files.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, get_args
from urllib.parse import parse_qs

import numpy as np

from fastw2v.config import check_choice, check_integer
from fastw2v.explore.comparison import moved_words
from fastw2v.explore.content import MAP_WORDS, Model, encode_points
from fastw2v.explore.map_process import MapProcess
from fastw2v.explore.page import model_names, page_html
from fastw2v.plot import METHOD_NAMES, Method, select_method
from fastw2v.utils.checks import check_type
from fastw2v.utils.quote import counted, quote
from fastw2v.vectors.keys import as_keys
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["ExploreServer"]

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LAST_PORT = 65535
ANSWERS = 20
"""Number of words in an answer by default."""
MOST_ANSWERS = 1000
MOST_TERMS = 100
"""Maximum number of words that a query adds or subtracts."""
POLL_SECONDS = 0.1
"""Time after which a server without requests checks whether it was closed."""
IDLE_SECONDS = 60
"""Time after which a connection without requests is closed."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer. The page may run its own scripts and contact this server, and nothing else."""


class ExploreServer:
    """A local server for a page on which one can search words, see their neighbours and explore a map.

    The server accepts connections once it is created. It answers them after `start`, or while `serve_forever` runs.

    Parameters
    ----------
    vectors : WordVectors
    other : WordVectors, optional
        Second model, which the page compares with the first.
    top : int
        Number of words on the map of each model. All words can be searched.
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        Projection to use; see `fastw2v.plot.plane`. The page first shows the principal components. Another projection
        is computed in the background and shown when it is ready.
    port : int
        Port to use on 127.0.0.1. If it is 0, the system chooses a free one.
    names : sequence of str, optional
        Names of the models to show, one for each model. By default, "vectors", or "first" and "second".

    Attributes
    ----------
    url : str
        Address of the page. It contains the token, so whoever knows the address can use the server.

    Raises
    ------
    OSError
        If the port is in use.
    ValueError
        If `port` or `method` is not supported, or the number of names is wrong.
    ImportError
        If the package that `method` needs is not installed.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.explore import ExploreServer
    >>> wv = WordVectors(["cat", "dog", "car", "bus"], np.random.default_rng(0).normal(size=(4, 10)))
    >>> with ExploreServer(wv, method="pca") as server:
    ...     page = urlopen(server.url).read()
    >>> page[:15]
    b'<!DOCTYPE html>'
    """

    def __init__(
        self,
        vectors: WordVectors,
        other: WordVectors | None = None,
        *,
        top: int = MAP_WORDS,
        method: Method = "auto",
        port: int = 0,
        names: Sequence[str] | None = None,
    ) -> None:
        check_type("vectors", vectors, WordVectors, "WordVectors, such as model.wv")
        if other is not None:
            check_type("other", other, WordVectors, "WordVectors, such as model.wv")
        check_integer("top", top, minimum=1)
        check_choice("method", method, get_args(Method))
        check_integer("port", port, minimum=0)
        if port > LAST_PORT:
            raise ValueError(f"port is {port}; it must be at most {LAST_PORT}")
        names = model_names(names, 1 if other is None else 2)
        pair = [vectors] if other is None else [vectors, other]
        methods = [select_method(method, min(top, len(one))) for one in pair]
        self._server = _listen(port)
        try:
            self._content = _Content([Model(*each, top=top) for each in zip(pair, names, strict=True)], methods)
        except BaseException:
            self._server.server_close()
            raise
        self._server.content = self._content
        self._thread: threading.Thread | None = None
        self._serving, self._closed = threading.Lock(), threading.Event()

    @property
    def url(self) -> str:
        """The address of the page.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore import ExploreServer
        >>> with ExploreServer(WordVectors(["cat", "dog"], np.eye(2))) as server:
        ...     server.url
        'http://127.0.0.1:.../.../'
        """
        return f"http://{HOST}:{self._server.server_port}/{self._server.token}/"

    def start(self) -> Self:
        """Serve in a background thread until `close`, and return this object.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore import ExploreServer
        >>> server = ExploreServer(WordVectors(["cat", "dog"], np.eye(2))).start()
        >>> server.close()
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self.serve_forever, daemon=True, name="fastw2v-explore")
            self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Serve until `close` is called from another thread, or until an interrupt such as Ctrl-C.

        Examples
        --------
        >>> from threading import Timer
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore import ExploreServer
        >>> server = ExploreServer(WordVectors(["cat", "dog"], np.eye(2)))
        >>> Timer(0.5, server.close).start()
        >>> server.serve_forever()
        """
        with self._serving:
            if not self._closed.is_set():
                self._content.improve_maps()
            while not self._closed.is_set():
                self._server.handle_request()  # returns after at most POLL_SECONDS

    def close(self) -> None:
        """Stop serving, and release the port.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore import ExploreServer
        >>> ExploreServer(WordVectors(["cat", "dog"], np.eye(2))).close()
        """
        self._closed.set()
        with self._serving:
            self._content.stop()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Content:
    """The data of the models and their maps, as answers to the requests of the page."""

    def __init__(self, models: list[Model], methods: list[Method]) -> None:
        self._models, self._methods = models, methods
        self._waiting: list[int] = []  # models whose maps are to be computed
        self._process: MapProcess | None = None
        self._lock, self._stopped = threading.Lock(), False
        self._page = page_html({"served": True}).encode()
        self._described = [model.described(model.places("pca"), "pca", rows=False) for model in models]
        # A map is replaced as a whole, because other threads read it.
        self._maps = [{name: one[name] for name in ("method", "points", "pending")} for one in self._described]
        self._moved = None if len(models) == 1 else moved_words(models[0].vectors, models[1].vectors)

    def improve_maps(self) -> None:
        """Start to compute the maps by other methods than PCA, one after the other."""
        for number, (model, method) in enumerate(zip(self._models, self._methods, strict=True)):
            if method != "pca" and len(model.words) >= 3:
                self._maps[number] = self._maps[number] | {"pending": METHOD_NAMES[method]}
                self._waiting.append(number)
        self._place_next()

    def _place_next(self) -> None:
        with self._lock:
            if self._stopped or not self._waiting:
                return
            number = self._waiting.pop(0)
            unit, name = self._models[number].unit, self._maps[number]["pending"]
            log.info("placing %s by %s in the background", counted(len(unit), "word"), name)

            def replace(result: np.ndarray | str) -> None:
                if isinstance(result, str):
                    self._maps[number] = self._maps[number] | {"pending": None}
                    log.warning("the map by %s failed, and the principal components are shown: %s", name, result)
                else:
                    self._maps[number] = {"method": name, "points": encode_points(result), "pending": None}
                    log.info("the map by %s is ready", name)
                self._place_next()

            try:
                self._process = MapProcess(unit, self._methods[number], replace)
                return
            except OSError as error:  # such as a full disk
                reason = f"{type(error).__name__}: {error}"
        replace(reason)

    def stop(self) -> None:
        """Stop the process that computes a map."""
        with self._lock:
            self._stopped = True
        if self._process is not None:
            self._process.stop()

    def answer(self, path: str, fields: dict[str, list[str]]) -> bytes | dict[str, Any] | None:
        """Return the page, or the data that a request asks for, or None if there is no such address.

        Raises
        ------
        ValueError, KeyError
            If the request is wrong. The message is for the reader of the page.
        """
        if path == "":
            return self._page
        if path == "models":
            models = [described | place for described, place in zip(self._described, self._maps, strict=True)]
            return {"models": models, "moved": self._moved}
        if path == "points":
            return self._maps[_number(fields, "model", 0, 0, len(self._models) - 1)]
        if path == "query":
            model = self._models[_number(fields, "model", 0, 0, len(self._models) - 1)]
            terms = [fields.get(name, []) for name in ("positive", "negative")]
            if (n_terms := sum(map(len, terms))) > MOST_TERMS:
                raise ValueError(f"the query has {n_terms} words; the maximum is {MOST_TERMS}")
            positive, negative = (as_keys(model.vectors.index_to_key, words, "the vectors") for words in terms)
            n = _number(fields, "n", ANSWERS, 1, MOST_ANSWERS)
            found = model.vectors.most_similar(positive, negative, topn=n)
            return {"words": [[str(word), round(float(cosine), 4)] for word, cosine in found]}
        return None


def _number(fields: dict[str, list[str]], name: str, default: int, least: int, most: int) -> int:
    """Return an integer field of a request."""
    text = fields.get(name, [str(default)])[-1]
    if re.fullmatch("[0-9]{1,9}", text) is None or not least <= int(text) <= most:
        raise ValueError(f"{name} is {quote(text)}; it must be an integer from {least} to {most}")
    return int(text)


class _Server(ThreadingHTTPServer):
    """The listening socket, and the token that requests must contain."""

    daemon_threads = True  # an open connection must not keep the program from ending
    allow_reuse_address = os.name == "posix"  # on Windows, another program could then listen on the same port
    timeout = POLL_SECONDS
    content: _Content

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self._connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind the socket without looking up the name of the machine, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self.allow_reuse_address))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection in a thread of its own, and note that it is open."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the listening socket and all connections, which would otherwise still be answered."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it has just been closed
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connections that the browser has closed. Other errors are logged."""
        log.debug("a connection failed", exc_info=True)


def _listen(port: int) -> _Server:
    try:
        return _Server(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} is in use; choose another port, or 0 for any free port") from None
        raise OSError(
            f"port {port} cannot be used: {error.strerror}; choose another port, or 0 for any free port"
        ) from None


class _Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1  # one packet for the headers and the body: with two, the system can hold the second back for 40 ms
    server_version, sys_version = "fastw2v", ""

    def do_GET(self) -> None:
        path = self._allowed_path(self.path)
        if path is None:
            self._send(HTTPStatus.FORBIDDEN, {"error": "forbidden: open the address that fastw2v printed"})
            return
        try:
            fields = parse_qs(self.path.partition("?")[2], keep_blank_values=True, max_num_fields=MOST_TERMS + 10)
            answer = self.server.content.answer(path, fields)
        except (ValueError, KeyError, TypeError) as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, {"error": "this address does not exist"})
        else:
            self._send(HTTPStatus.OK, answer)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot be read, or has an unknown method, in the way of all other answers."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        forbidden = code == HTTPStatus.NOT_IMPLEMENTED and self._allowed_path(self.path) is None
        self._send(
            HTTPStatus.FORBIDDEN if forbidden else HTTPStatus(code), {"error": message or HTTPStatus(code).phrase}
        )

    def _refuse(self) -> None:
        allowed = self._allowed_path(self.path) is not None
        self.close_connection = True  # the body of the request is not read
        self._send(
            HTTPStatus.METHOD_NOT_ALLOWED if allowed else HTTPStatus.FORBIDDEN, {"error": "only GET is supported"}
        )

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815  # names of http.server

    def _allowed_path(self, path: str) -> str | None:
        """Return what follows the token in the path, or None if the request is not allowed."""
        path = path.partition("?")[0]
        hosts = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.server.server_port == 80:
            hosts |= {HOST, "localhost"}  # browsers omit the default port
        origins = {f"http://{host}" for host in hosts}
        if len(named := self.headers.get_all("Host", [])) != 1 or named[0].lower() not in hosts:
            return None  # the name of another host was made to point to this machine
        if not set(self.headers.get_all("Origin", [])) <= origins:
            return None
        start, token, *rest = [*path.split("/", 2), "", ""][:3]
        if start:
            return None  # the address of another host
        if not secrets.compare_digest(token.encode(), self.server.token.encode()) or path.count("/") < 2:
            return None
        return rest[0]

    def _send(self, status: HTTPStatus, content: bytes | dict[str, Any]) -> None:
        kind = "text/html" if isinstance(content, bytes) else "application/json"
        body = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: addresses contain the token."""
