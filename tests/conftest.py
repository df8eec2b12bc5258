"""Fixtures that every test file shares."""

from __future__ import annotations

from typing import Any

import pytest

from fastw2v import backend


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
