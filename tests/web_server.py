"""A web server on this machine, for tests of downloads."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator


class Server:
    """A web server on this machine. `pages` maps a path to a function that answers a request."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.requests: list[str] = []

    def serve(self, path: str, content: bytes, **headers: str) -> str:
        """Serve the content at a path, and return its URL."""

        def answer(request: http.server.BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            for name, value in ({"Content_Length": str(len(content))} | headers).items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            request.wfile.write(content)

        self.pages[path] = answer
        return self.address + path


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Context manager of a server without pages, which answers 404."""
    web: Server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append(self.path)
            page = web.pages.get(self.path)
            if page is None:
                self.send_error(404)
            else:
                page(self)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as address:
        web = Server(address)
        yield web


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Context manager that serves in a thread, and yields the address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()
