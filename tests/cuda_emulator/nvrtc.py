"""NVIDIA's runtime compiler (NVRTC), which CuPy uses, called without CuPy and without a GPU."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pytest


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiler from the package nvidia-cuda-nvrtc or the system, or None; it needs no driver."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(folder).rglob("libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    name = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(name) if name else None


needs_nvrtc = pytest.mark.skipif(library() is None, reason="NVIDIA's compiler is not installed (make compile-cuda)")


def compile_source(source: Path, architecture: str, macros: Sequence[str], *more: str) -> tuple[str, str]:
    """Compile a source as CuPy does, for an architecture such as "sm_90"; return the compiler's log and the PTX."""
    nvrtc, program = library(), ctypes.c_void_p()
    name = source.name.encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.read_bytes(), name, 0, None, None) == 0
    options = ["-std=c++17", f"-arch={architecture}", "-ftz=true", "--device-as-default-execution-space"]
    options += [*macros, *more]
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = nvrtc.nvrtcCompileProgram(program, len(options), given)

    def text(of: str) -> str:
        size = ctypes.c_size_t()
        getattr(nvrtc, f"nvrtcGet{of}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{of}")(program, buffer)
        return buffer.value.decode()

    log = text("ProgramLog")
    assert status == 0, log
    assert "warning" not in log, log
    ptx = text("PTX")
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return log, ptx
