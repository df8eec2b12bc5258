"""All compiled code: Numba for the CPU, CUDA C++ for the GPU. Importing this package imports neither Numba nor CuPy."""

from __future__ import annotations

import importlib
import importlib.util

from fastw2v.utils.quote import shorten

__all__ = ["numba_is_installed", "numba_unavailable_reason"]


def numba_is_installed() -> bool:
    """Return whether Numba is installed, without importing it.

    Examples
    --------
    >>> from fastw2v.kernels import numba_is_installed
    >>> numba_is_installed()
    True
    """
    return importlib.util.find_spec("numba") is not None


def numba_unavailable_reason() -> str | None:
    """Return why the CPU kernels cannot be compiled, or None if they can. This imports Numba.

    Examples
    --------
    >>> from fastw2v.kernels import numba_unavailable_reason
    >>> print(numba_unavailable_reason())
    None
    """
    if not numba_is_installed():
        return "Numba is not installed: pip install numba"
    try:
        numba = importlib.import_module("numba")
    except Exception as error:  # the layers must work even if Numba does not support the installed NumPy
        problem = shorten(" ".join(str(error).split()).rstrip("."), 200)
        return f"Numba is installed but cannot be imported: {type(error).__name__}: {problem}"
    if getattr(getattr(numba, "config", None), "DISABLE_JIT", False):
        return "Numba does not compile, because NUMBA_DISABLE_JIT is set; unset it"
    return None
