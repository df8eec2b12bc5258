"""All compiled code, and nothing else: Numba for the CPU, CUDA C++ for the GPU. Importing the package loads neither."""

from __future__ import annotations

import importlib
import importlib.util

__all__ = ["numba_is_installed", "numba_unavailable_reason"]


def numba_is_installed() -> bool:
    """Return whether Numba is installed, without importing it."""
    return importlib.util.find_spec("numba") is not None


def numba_unavailable_reason() -> str | None:
    """Return why kernels for the CPU cannot be compiled, or None when they can; the answer costs an import of Numba."""
    if not numba_is_installed():
        return "Numba is not installed: pip install numba"
    try:
        importlib.import_module("numba")
    except Exception as error:  # a Numba that does not fit the installed NumPy or LLVM must not stop the layers
        return f"Numba is installed but cannot be imported: {type(error).__name__}: {error}"
    return None
