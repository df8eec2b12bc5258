"""Downloads over HTTP from a server on this machine: the cache, checksums, and servers that send something else."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import logging
import os
import threading
import time
from pathlib import Path

import pooch
import pytest

from fastw2v.utils import download as module
from fastw2v.utils.download import DownloadError, cached_path, download, local_copy, name_of_url
from tests.web_server import Server, serving

VECTORS = b"2 2\nsun 0.5 1.0\nmoon 0.25 -1.0\n"
SHA256 = hashlib.sha256(VECTORS).hexdigest()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_downloaded_once(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS)
    path = local_copy(url, SHA256)
    assert path.read_bytes() == VECTORS
    assert path == cached_path(url)
    assert path.is_relative_to(download_cache)
    web.pages.clear()
    assert local_copy(url, SHA256.upper()) == local_copy(f"{url}#sha256={SHA256}") == path
    assert local_copy(f"{url}#SHA256={SHA256}") == path
    assert web.requests == ["/v.txt"]


def test_the_warning_contains_the_checksum(web: Server, caplog: pytest.LogCaptureFixture):
    url = web.serve("/v.txt?signature=secret", VECTORS)
    path = local_copy(url)
    (message,) = caplog.messages
    assert f"/v.txt was not verified, because no checksum was given. To verify it, add #sha256={SHA256} " in message
    assert "secret" not in message
    caplog.clear()
    assert local_copy(url) == path
    (message,) = caplog.messages
    assert f"The file is the copy of an earlier download, {path}. Delete it" in message
    assert f"#sha256={SHA256}" in message
    caplog.clear()
    local_copy(f"{url}#sha256={SHA256}")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_another_checksum_than_expected(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS)
    with pytest.raises(DownloadError, match=rf"failed: the file has the SHA-256 checksum {SHA256}, but 0{{64}} was"):
        local_copy(url, "0" * 64)
    assert not files(download_cache)


def test_a_copy_in_the_cache_is_verified(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS)
    path = local_copy(url, SHA256)
    path.write_bytes(b"changed")
    assert local_copy(url, SHA256).read_bytes() == VECTORS  # it was downloaded again
    path.write_bytes(b"changed")
    web.serve("/v.txt", b"changed, too")
    with pytest.raises(DownloadError, match="the file has the SHA-256 checksum"):
        local_copy(url, SHA256)
    assert files(download_cache) == [path]
    assert path.read_bytes() == b"changed"


def test_files_of_different_urls_do_not_replace_each_other(web: Server):
    urls = [web.serve(path, path.encode()) for path in ("/a/v.txt", "/b/v.txt", "/v.txt?file=1", "/v.txt?file=2")]
    paths = [local_copy(url) for url in urls]
    assert [path.read_bytes() for path in paths] == [b"/a/v.txt", b"/b/v.txt", b"/v.txt?file=1", b"/v.txt?file=2"]
    assert {path.name for path in paths} == {"v.txt"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v.txt.gz?download=true#sha256=0", "v.txt.gz"),
        ("/a%20b.bin", "a_b.bin"),
        ("/../../etc/passwd", "passwd"),
        ("/%2e%2e%2f%2e%2e%2fv.bin", "v.bin"),
        ("/..%5c..%5cv.bin", "_.._v.bin"),
        ("/folder/", "vectors"),
        ("", "vectors"),
        ("/..", "vectors"),
        (f"/{'x' * 1000}.bin", "x" * 96 + ".bin"),
        ("/벡터.txt", "벡터.txt"),
        (f"/{'벡' * 100}.vec", "벡" * 65 + ".vec"),
    ],
)
def test_names_of_copies(download_cache: Path, path: str, name: str):
    copy = cached_path(f"https://example.org{path}")
    assert copy.name == name
    assert copy.parent.parent == download_cache / "urls"


def test_statuses_are_named(web: Server, download_cache: Path):
    with pytest.raises(DownloadError, match=r"downloading http://127\.0\.0\.1:\d+/v\.txt failed: 404 Client Error"):
        local_copy(web.address + "/v.txt", SHA256)
    web.pages["/v.txt"] = lambda request: request.send_error(500)
    with pytest.raises(DownloadError, match="failed: 500 Server Error"):
        local_copy(web.address + "/v.txt")
    assert not files(download_cache)


def test_an_address_that_does_not_answer(download_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"^downloading http://127\.0\.0\.1:9/v\.txt failed: .*refused$"):
        local_copy("http://127.0.0.1:9/v.txt")  # the discard port, on which nothing listens
    assert not files(download_cache)


def test_a_connection_that_is_cut(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS, Content_Length=str(len(VECTORS) + 1))
    with pytest.raises(DownloadError, match=r"failed: the connection ended (before|after) .*; try again$"):
        local_copy(url)

    def cut(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"4\r\n2 2\n\r\n")

    web.pages["/chunks.txt"] = cut
    with pytest.raises(DownloadError, match=r"failed: the connection ended before the end of the file; try again$"):
        local_copy(web.address + "/chunks.txt")
    assert not files(download_cache)


def test_temporary_files_of_killed_downloads_are_removed(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS)
    folder = cached_path(url).parent
    folder.mkdir(parents=True)
    for name, age in (("tmp1", 7200), ("tmp2", 60)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    path = local_copy(url, SHA256)
    os.utime(path, (0, 0))
    local_copy(url, SHA256)
    assert sorted(files(download_cache)) == sorted([folder / "tmp2", path])  # another process may write the second


@pytest.mark.parametrize("status", [203, 204, 206, 300])
def test_other_statuses_than_200_are_no_files(web: Server, download_cache: Path, status: int):
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0" if status == 204 else str(len(VECTORS)))
        request.end_headers()
        request.wfile.write(b"" if status == 204 else VECTORS)

    web.pages["/v.txt"] = answer
    with pytest.raises(DownloadError, match=rf"failed: the server answers {status} instead of 200, so this is not the"):
        local_copy(web.address + "/v.txt")
    assert not files(download_cache)


def test_a_wrong_size_is_named(web: Server, download_cache: Path):
    url = web.serve("/v.txt", VECTORS, Content_Length="abc")
    with pytest.raises(DownloadError, match="failed: the server gives 'abc' as the size of the file, which is not a"):
        local_copy(url)
    assert not files(download_cache)


def test_a_server_of_another_protocol(web: Server, download_cache: Path):
    class Other(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"\0\x1b[31m hello\r\n")

    with serving(Other) as address, pytest.raises(DownloadError) as caught:
        local_copy(address + "/v.txt")
    assert str(caught.value).isprintable()
    assert not files(download_cache)


def test_the_error_that_the_caller_handles_is_not_the_reason(web: Server):
    try:
        Path("missing.txt").read_bytes()
    except FileNotFoundError:
        with pytest.raises(DownloadError, match="failed: 404 Client Error"):
            local_copy(web.address + "/v.txt")


def test_the_logger_of_pooch_is_left_as_it_was(web: Server, caplog: pytest.LogCaptureFixture):
    logger = pooch.get_logger()  # it does not belong to the root of all loggers
    logger.addHandler(caplog.handler)
    level, started, finish = logger.level, threading.Event(), threading.Event()

    def slow(request: http.server.BaseHTTPRequestHandler) -> None:
        started.set()
        finish.wait(10)
        request.send_error(404)

    web.pages["/slow.txt"] = slow

    def fail() -> None:
        with pytest.raises(DownloadError):
            local_copy(web.address + "/slow.txt")

    thread = threading.Thread(target=fail)
    thread.start()
    started.wait(10)
    local_copy(web.serve("/v.txt?key=secret", VECTORS))
    finish.set()
    thread.join()
    assert logger.level == level
    logger.info("a message of another program")
    logger.removeHandler(caplog.handler)
    assert "a message of another program" in caplog.text
    assert "secret" not in caplog.text


def test_ctrl_c_leaves_nothing(web: Server, download_cache: Path, monkeypatch: pytest.MonkeyPatch):
    url = web.serve("/v.txt", VECTORS)

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module._ProgressBar, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        local_copy(url)
    assert not files(download_cache)


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html>",
        b"\n <html lang=en>",
        b"<HTML>",
        b"\xef\xbb\xbf<!doctype html>",
        b"<!-- a page -->\n<html>",
        b"<?xml version='1.0'?>\n<html>",
    ],
)
def test_pages_are_no_files(web: Server, download_cache: Path, page: bytes):
    url = web.serve("/v.bin", page, Content_Type="text/html")
    with pytest.raises(DownloadError, match=r"/v\.bin failed: it is an HTML page, not a file; copy the address"):
        local_copy(url)
    assert not files(download_cache)


def test_redirects(web: Server, download_cache: Path):
    target = web.serve("/target.bin", VECTORS)

    def redirect(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    web.pages["/v.txt"] = redirect
    path = local_copy(web.address + "/v.txt", SHA256)
    assert (path.name, path.read_bytes()) == ("v.txt", VECTORS)


def test_a_redirect_from_https_to_http_is_refused():
    class Response:
        url = "https://example.org/v.txt"
        is_redirect = True

        def __init__(self, location: str) -> None:
            self.headers = {"Location": location}

    downloader = module._Downloader(None)
    downloader._check_response(Response("https://other.org/v.txt"))
    downloader._check_response(Response("/other/v.txt"))
    with pytest.raises(ValueError, match=r"redirects to http://other\.org/v\.txt, which is not encrypted"):
        downloader._check_response(Response("http://other.org/v.txt?key=secret"))
    with pytest.raises(ValueError, match=r"redirects to HTTP://other\.org/v\.txt, which is not encrypted"):
        downloader._check_response(Response("HTTP://other.org/v.txt?key=secret"))
    downloader._check_response(Response("HTTPS://other.org/v.txt"))


@pytest.mark.parametrize("target", ["file:///etc/passwd?sig=secret", "FTP://example.org/v.txt?sig=secret"])
def test_a_redirect_to_another_protocol_is_refused(web: Server, download_cache: Path, target: str):
    def redirect(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    web.pages["/v.txt"] = redirect
    with pytest.raises(DownloadError, match=r"it redirects to .*, but only https:// and http://") as caught:
        local_copy(web.address + "/v.txt")
    assert "secret" not in str(caught.value)
    assert not files(download_cache)


def test_contents_that_the_server_compresses(web: Server):
    packed = gzip.compress(VECTORS, mtime=0)
    url = web.serve("/v.txt", packed, Content_Encoding="gzip")
    assert local_copy(url, SHA256).read_bytes() == VECTORS
    url = web.serve("/v.txt.gz", packed)  # a compressed file stays as it is
    assert local_copy(url).read_bytes() == packed


def test_the_server_is_asked_not_to_compress(web: Server):
    asked = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.headers["Accept-Encoding"])
        request.send_error(404)

    web.pages["/v.txt"] = answer
    with pytest.raises(DownloadError):
        local_copy(web.address + "/v.txt")
    assert asked == ["identity"]


@pytest.mark.parametrize(
    ("url", "sha256", "message"),
    [
        ("ftp://example.org/v.bin", None, "downloaded from https:// and http:// URLs only"),
        ("s3://bucket/v.bin", None, "downloaded from https:// and http:// URLs only"),
        ("file:///etc/passwd", None, "downloaded from https:// and http:// URLs only"),
        ("https://", None, "https:// is not a valid URL"),
        ("https:///v.bin", None, "is not a valid URL"),
        ("https://[::1/v.bin", None, "is not a valid URL"),
        ("https://example.org:x/v.bin", None, "is not a valid URL"),
        ("https://example..org/v.bin", None, "is not a valid URL"),
        (f"https://{'x' * 64}.org/v.bin", None, "is not a valid URL"),
        ("https://example.org/v.bin#md5=" + "0" * 32, None, "v.bin: the URL ends in '#md5=0.*', but only #sha256= and"),
        ("https://example.org/v.bin#foo", None, "v.bin: the URL ends in '#foo', but only #sha256= and a checksum may"),
        ("https://example.org/v.bin#SHA256=xyz", None, "sha256 is 'xyz'; it must be"),
        ("https://example.org/a b.bin", None, "is not a valid URL"),
        ("https://example.org/v.bin", "abc", "sha256 is 'abc'; it must be a checksum of 64 hexadecimal digits"),
        ("https://example.org/v.bin", 7, "sha256 is 7; it must be"),
        ("https://example.org/v.bin", "sha256:" + "0" * 64, "it must be a checksum of 64"),
        ("https://example.org/v.bin#sha256=xyz", None, "sha256 is 'xyz'; it must be"),
        ("https://example.org/v.bin#sha256=" + "0" * 64, "1" * 64, "the URL ends in another checksum"),
    ],
)
def test_wrong_urls_and_checksums(download_cache: Path, url: str, sha256: str | None, message: str):
    with pytest.raises(ValueError, match=message):
        local_copy(url, sha256)
    assert not download_cache.exists()


def test_secrets_are_not_shown(web: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]):
    assert name_of_url("https://user:pass@example.org/v.bin?key=1#sha256=0") == "https://example.org/v.bin"
    url = web.address.replace("//", "//user:secret@") + "/v.txt?key=secret"
    with pytest.raises(DownloadError) as caught:
        local_copy(url)
    assert "secret" not in str(caught.value)
    web.serve("/v.txt?key=secret", VECTORS)
    local_copy(url)
    assert "secret" not in caplog.text + capfd.readouterr().err


def test_the_progress_of_a_long_download(
    web: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(module, "_PROGRESS_DELAY", 0.05)
    content = bytes(3_000_000)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        for start in range(0, len(content), 1_000_000):
            request.wfile.write(content[start : start + 1_000_000])
            time.sleep(0.1)

    web.pages["/v.bin"] = answer
    with caplog.at_level(logging.INFO, "fastw2v"):
        path = download(web.address + "/v.bin", None, cached_path(web.address + "/v.bin"))
    assert path.stat().st_size == len(content)
    assert any(message.startswith("downloading: 100%, 3,000,000 bytes in") for message in caplog.messages)
