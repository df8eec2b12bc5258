"""Fixtures of the tests of the Hub, which never contact the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import run  # noqa: F401  # the fixture that calls the command line
from tests.hub.hub_server import Hub, connected_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Start a Hub without repositories, to which huggingface_hub then connects with a token and an empty cache."""
    pytest.importorskip("huggingface_hub")
    with connected_hub(tmp_path, monkeypatch) as server:
        yield server
