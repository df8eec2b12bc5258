"""A stand-in for the Hugging Face Hub that keeps repositories in memory, with what huggingface_hub needs to use it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from tests.web_server import serving

WRITE_TOKEN, READ_TOKEN = "hf_write", "hf_read"
_NUMBERS = itertools.count()
"""Numbers of the commits of all repositories."""
LFS_SUFFIXES = (".safetensors", ".bin", ".npy")


class Commit(NamedTuple):
    sha: str
    message: str
    files: dict[str, bytes]


class Repository:
    """The commits of a repository, oldest first, and its tags."""

    def __init__(self, private: bool = False) -> None:
        self.private = private
        self.gated = False
        self.commits: list[Commit] = []
        self.tags: dict[str, str] = {}
        self.commit("initial commit", {".gitattributes": b"*.bin filter=lfs\n"})

    def commit(self, message: str, files: dict[str, bytes]) -> Commit:
        sha = hashlib.sha1(f"{next(_NUMBERS)}".encode()).hexdigest()
        self.commits.append(Commit(sha, message, files))
        return self.commits[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1].files

    def find(self, revision: str) -> Commit | None:
        if revision == "main":
            return self.commits[-1]
        return next((one for one in self.commits if one.sha == self.tags.get(revision, revision)), None)


class Hub:
    """The repositories by name, and what goes wrong."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytes] = {}
        self.failures: dict[str, int | None] = {}
        """The status of each request whose path contains a text. None cuts the connection."""
        self.requests: list[str] = []

    def add(self, name: str, files: dict[str, bytes], private: bool = False) -> Repository:
        repository = self.repositories[name] = Repository(private)
        repository.commit("add files", repository.files | files)
        return repository


@contextlib.contextmanager
def running_hub() -> Iterator[Hub]:
    """Context manager of a Hub without repositories."""
    hub: Hub

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            body = self.body()
            if not self.fails():
                hub.uploads[self.path.rsplit("/", 1)[1]] = body
                self.answer(b"")

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if self.fails():
                return
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                self.info(found[1], found[2] or "main")
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
                self.tree(found[1], found[2])
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self.file(found[1], found[2], found[3])
            else:
                self.problem(404, "")

        def do_POST(self) -> None:
            body, path = self.body(), unquote(urlsplit(self.path).path)
            if self.fails():
                return
            if path == "/api/validate-yaml":
                wrong = "pipeline_tag: unheard-of" in json.loads(body)["content"]
                errors = [{"message": '"pipeline_tag" must be one of the list'}] if wrong else []
                self.json({"errors": errors, "warnings": []}, 400 if errors else 200)
            elif self.may_write():
                if path == "/api/repos/create":
                    self.create(json.loads(body))
                elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
                    self.preupload(json.loads(body))
                elif found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
                    self.batch(json.loads(body))
                elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
                    self.commit(found[1], [json.loads(line) for line in body.splitlines()])
                else:
                    self.problem(404, "")

        # Answers

        def info(self, name: str, revision: str) -> None:
            if commit := self.revision(name, revision):
                files = [{"rfilename": file} for file in commit.files]
                private = hub.repositories[name].private
                self.json(
                    {"_id": "1", "id": name, "sha": commit.sha, "private": private, "siblings": files, "tags": []}
                )

        def tree(self, name: str, revision: str) -> None:
            if commit := self.revision(name, revision):
                self.json([tree_entry(file, content) for file, content in commit.files.items()])

        def file(self, name: str, revision: str, file: str) -> None:
            commit = self.revision(name, revision)
            if commit is None:
                return
            if file not in commit.files:
                self.problem(404, "EntryNotFound")
                return
            content = commit.files[file]
            self.answer(content, ETag=f'"{etag(file, content)}"', X_Repo_Commit=commit.sha)

        def create(self, request: dict[str, Any]) -> None:
            name = f"{request['organization']}/{request['name']}"
            exists = name in hub.repositories
            if not exists:
                hub.repositories[name] = Repository(
                    request.get("visibility") == "private" or bool(request.get("private"))
                )
            self.json({"url": f"{hub.address}/{name}", "name": name, "id": "1"}, 409 if exists else 200)

        def preupload(self, request: dict[str, Any]) -> None:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LFS_SUFFIXES) else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for file in request["files"]
            ]
            self.json({"files": files})

        def batch(self, request: dict[str, Any]) -> None:
            objects = [
                one | {"actions": {"upload": {"href": f"{hub.address}/upload/{one['oid']}", "header": {}}}}
                for one in request["objects"]
            ]
            self.json({"transfer": "basic", "objects": objects})

        def commit(self, name: str, lines: list[dict[str, Any]]) -> None:
            repository = hub.repositories[name]
            header = lines[0]["value"]
            if header.get("parentCommit") not in (None, repository.commits[-1].sha):
                self.problem(412, "", "A commit has happened since. Please refresh and try again.")
                return
            files = dict(repository.files)
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.uploads[value["oid"]]
                    assert hashlib.sha256(files[value["path"]]).hexdigest() == value["oid"]
                else:
                    del files[value["path"]]
            sha = repository.commit(header["summary"], files).sha
            self.json({"commitUrl": f"{hub.address}/{name}/commit/{sha}", "commitOid": sha, "success": True})

        # Checks

        def token(self) -> str:
            return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

        def may_write(self) -> bool:
            if self.token() == READ_TOKEN:
                self.problem(403, "", "you must use a write token")
            elif self.token() != WRITE_TOKEN:
                self.problem(401, "", "Invalid username or password.")
            return self.token() == WRITE_TOKEN

        def revision(self, name: str, revision: str) -> Commit | None:
            repository = hub.repositories.get(name)
            if repository is None or (repository.private and self.token() not in (WRITE_TOKEN, READ_TOKEN)):
                self.problem(404 if self.token() else 401, "RepoNotFound")
                return None
            if repository.gated:
                self.problem(403, "GatedRepo")
                return None
            commit = repository.find(revision)
            if commit is None:
                self.problem(404, "RevisionNotFound")
            return commit

        def fails(self) -> bool:
            hub.requests.append(f"{self.command} {self.path}")
            for text, status in hub.failures.items():
                if text in f"{self.command} {self.path}":
                    if status is None:
                        self.close_connection = True
                    else:
                        self.problem(status, "", "something is wrong")
                    return True
            return False

        # HTTP

        def body(self) -> bytes:
            if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def json(self, content: Any, status: int = 200) -> None:
            self.answer(json.dumps(content).encode(), status, Content_Type="application/json")

        def problem(self, status: int, code: str, message: str = "") -> None:
            headers = {"X_Error_Code": code} if code else {}
            self.answer(b"{}", status, X_Error_Message=message or code, **headers)

        def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content_Length": str(len(content))} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    with serving(Handler) as address:
        hub = Hub(address)
        yield hub


@contextlib.contextmanager
def connected_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Context manager of a Hub to which huggingface_hub connects, with a token and an empty cache in a folder."""
    from huggingface_hub import constants, file_download, utils

    utils.disable_progress_bars()
    with running_hub() as server:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        # The variables of the environment were read when the package was imported.
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": server.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(folder / "hf-cache"),
            "HF_TOKEN_PATH": str(folder / "no-token"),
            "HF_STORED_TOKENS_PATH": str(folder / "no-tokens"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)  # before 1.0
        new_session()
        yield server
        new_session()


def new_session() -> None:
    """Let huggingface_hub open new connections, with the present settings."""
    from huggingface_hub import utils

    for name in ("close_session", "reset_sessions"):  # the second before version 1.0
        if hasattr(utils, name):
            getattr(utils, name)()


def etag(file: str, content: bytes) -> str:
    """Return the SHA-256 of a large file, and the SHA-1 of the blob of any other, as the Hub does."""
    if file.endswith(LFS_SUFFIXES):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tree_entry(file: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": file, "size": len(content), "oid": etag("", content)}
    if file.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": etag(file, content), "size": len(content), "pointerSize": 130}
    return entry
