"""Fixtures that every test file shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastw2v import backend
from tests.web_server import Server, running_server


def _namespace(name: str) -> Any:
    if name == "cupy":
        if problem := backend.cuda_problem():
            pytest.skip(problem)
        return backend.array_module("cuda")
    if name == "array_api_strict":
        return pytest.importorskip("array_api_strict")
    return backend.array_module("cpu")


@pytest.fixture(params=["numpy", "array_api_strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> Any:
    """Return each array namespace in turn: NumPy, the strict reference library, and CuPy where there is a GPU."""
    return _namespace(request.param)


@pytest.fixture
def cupy() -> Any:
    """Return CuPy where there is a GPU; skip the test elsewhere."""
    if problem := backend.cuda_problem():
        pytest.skip(problem)
    import cupy

    return cupy


@pytest.fixture(autouse=True)
def automatic_device_is_the_cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``device="auto"`` choose the CPU unless a test is marked gpu, because training on a GPU is not repeatable."""
    if request.node.get_closest_marker("gpu") is None and backend.cuda_problem() is None:
        monkeypatch.setattr("fastw2v.engines.selection.cuda_problem", lambda: "only tests marked gpu use it")


@pytest.fixture
def download_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which files from URLs are kept, which does not exist yet."""
    monkeypatch.setattr("fastw2v.utils.download.cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def web(download_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Start a web server without pages, and return it. Downloads are kept in an empty folder."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_server() as server:
        yield server
