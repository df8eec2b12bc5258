"""Calling the command line as the shell does, and checking its errors."""

from __future__ import annotations

from typing import NamedTuple


class Run(NamedTuple):
    status: int
    out: str
    err: str


def failed(result: Run, *parts: str) -> None:
    """Check for one clean line of error."""
    assert result.status == 2
    assert result.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err.splitlines()[-1]
