"""A fake CuPy for the layers: NumPy's functions, and the kernels of ``backend.cu`` in the emulator."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.machinery
import pkgutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import fastw2v
from fastw2v import backend
from tests.cuda_emulator.fake_cupy import Array, Device

THREADS = 64
"""Threads in a block of the emulator."""
BLOCKS = 2
"""Maximum number of blocks in a launch of the emulator, so that each processes several parts of the data."""
PROLOGUE = "static Index grid_dimension;\n#define gridDim grid_dimension\n"
EPILOGUE = Path(__file__).with_name("row_kernels.cu")


class Arguments(ctypes.Structure):
    """The same as in ``row_kernels.cu``."""

    _fields_ = (("name", ctypes.c_char * 32), ("blocks", ctypes.c_longlong), ("values", ctypes.c_longlong * 10))


class Namespace:
    """NumPy's functions for arrays of the fake device, whose results are arrays of this device.

    Attributes
    ----------
    calls : dict of str to int
        Number of calls of each function and operator that launches a kernel, and of each kernel of ``backend.cu``.
    """

    FREE = ("reshape", "matrix_transpose", "broadcast_to", "isdtype", "result_type", "empty", "empty_like")
    """Functions that launch no kernel."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    def __getattr__(self, name: str) -> Any:
        found = getattr(backend._numpy_namespace(), name)
        if not callable(found) or isinstance(found, type):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            if name not in self.FREE:
                self.count(name)
            if kwargs.get("device") is not None:
                kwargs["device"] = "cpu"
            plain = [_map(lambda x: x.view(np.ndarray), value) for value in args]
            return _map(lambda x: np.asarray(x).view(Array), found(*plain, **kwargs))

        return call


def _map(function: Any, value: Any) -> Any:
    """Apply a function to all arrays in a value."""
    if isinstance(value, np.ndarray | np.generic):
        return function(np.asarray(value))
    if isinstance(value, list | tuple):
        parts = [_map(function, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


class Kernel:
    """A kernel of ``backend.cu``."""

    def __init__(self, library: ctypes.CDLL, name: str, xp: Namespace, order: int) -> None:
        self.library, self.name, self.xp, self.order = library, name, xp, order

    def __call__(self, grid: tuple[int], block: tuple[int], args: tuple[Any, ...]) -> None:
        assert block == (self.library.threads(),)
        assert self.library.arguments_size() == ctypes.sizeof(Arguments)
        self.xp.count(self.name)
        arguments = Arguments(self.name.encode(), min(grid[0], BLOCKS))
        for i, value in enumerate(args):
            if isinstance(value, Array):
                assert value.flags.c_contiguous
                arguments.values[i] = value.ctypes.data
            else:
                assert type(value) in (int, float), type(value)
                arguments.values[i] = int(
                    np.array(value, np.float64 if isinstance(value, float) else None).view(np.int64)
                )
        blocks, shared = ctypes.c_int(arguments.blocks), ctypes.c_long(0)
        assert self.library.launch(0, blocks, shared, self.order, 0, ctypes.byref(arguments)) == 0


def builder(folder: Path, vector: bool) -> Any:
    """Return a function that compiles a source with macros for the emulator and returns the library.

    With `vector`, an atomic operation adds four columns of float32.
    """

    from tests.engines.test_gpu import build, write_source

    def compiled(code: str, macros: list[str]) -> ctypes.CDLL:
        how = ["-O1", "-fPIC", "-shared", f"-DVECTOR_ATOMICS={int(vector and '-DDOUBLE' not in macros)}"]
        return ctypes.CDLL(str(build(folder, write_source(folder, code), macros, *how)))

    return compiled


@contextlib.contextmanager
def installed(build: Any, order: int = 0) -> Iterator[Namespace]:
    """Let fastw2v treat arrays of the class `Array` as CuPy's.

    Parameters
    ----------
    build : callable
        The result of `builder`.
    order : int
        Of the emulator's fibers: 0 forward, 1 backward, 2 shuffled.
    """
    xp = Namespace()

    class RawModule:
        def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
            macros = [option for option in options if option.startswith("-D")]
            self.library = build(PROLOGUE + code + EPILOGUE.read_text(encoding="utf-8"), macros)

        def get_function(self, name: str) -> Kernel:
            return Kernel(self.library, name, xp, order)

    cupy = types.ModuleType("cupy")
    cupy.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    runtime = types.SimpleNamespace(getDevice=lambda: 0)
    vars(cupy).update(
        ndarray=Array, RawModule=RawModule, cuda=types.SimpleNamespace(runtime=runtime, Device=Device),
        ascontiguousarray=lambda x, dtype=None: np.ascontiguousarray(x.view(np.ndarray), dtype).view(Array),
        empty=lambda shape, dtype: _unset(shape, dtype), empty_like=lambda x: _unset(x.shape, x.dtype),
        full=xp.full, zeros=xp.zeros, broadcast_to=xp.broadcast_to, where=xp.where,
        add=types.SimpleNamespace(at=lambda x, *args: np.add.at(x.view(np.ndarray), *map(np.asarray, args))),
    )  # fmt: skip
    replaced = {
        "is_numpy": lambda x: isinstance(x, np.ndarray) and not isinstance(x, Array),
        "is_cupy": lambda x: isinstance(x, Array),
        "get_namespace": _or_original(backend.get_namespace, xp),
        "get_device": _or_original(backend.get_device, "device 0"),
        "BLOCK_THREADS": THREADS,
    }
    original = {name: getattr(backend, name) for name in replaced}
    names = ["fastw2v", *(module.name for module in pkgutil.walk_packages(fastw2v.__path__, "fastw2v."))]
    names = [name for name in names if not name.startswith(("fastw2v.kernels.", "fastw2v.__main__"))]
    caches = (backend._row_kernel, backend._row_module)
    with contextlib.ExitStack() as stack:
        # `patch.dict` would also remove all modules that are imported meanwhile. NumPy's cannot be imported again.
        stack.callback(_replaced_module("cupy", cupy))
        for module in map(importlib.import_module, names):
            for name, value in replaced.items():
                if getattr(module, name, None) is original[name]:
                    stack.enter_context(patch.object(module, name, value))
        for cached in caches:
            cached.cache_clear()
        yield xp
    for cached in caches:
        cached.cache_clear()


def _replaced_module(name: str, module: types.ModuleType) -> Callable[[], None]:
    """Replace a module. Return a function that restores the previous state."""
    previous = sys.modules.get(name)
    sys.modules[name] = module

    def restore() -> None:
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous

    return restore


def _or_original(function: Any, result: Any) -> Any:
    """Return a function that returns `result` for arrays of the fake device, and calls `function` for others."""
    return lambda *arrays: result if any(isinstance(array, Array) for array in arrays) else function(*arrays)


def _unset(shape: Any, dtype: Any) -> Array:
    """Return an array of NaN, or of large numbers, because new memory of a device is not initialised."""
    return np.full(shape, 0x7F7F7F7F if np.dtype(dtype).kind == "i" else np.nan, dtype).view(Array)
