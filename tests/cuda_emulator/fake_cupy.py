"""A fake CuPy with what the GPU engine uses of it: arrays in host memory, and kernels that the emulator runs."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

ATTRIBUTES = {
    "MaxSharedMemoryPerBlockOptin": 232_448,
    "MaxSharedMemoryPerMultiprocessor": 233_472,
    "MaxRegistersPerMultiprocessor": 65_536,
    "MaxThreadsPerMultiProcessor": 2_048,
    "MultiProcessorCount": 3,
}


class Array(np.ndarray):
    """An array of the only device, number 0. Like CuPy's, it does not mix with NumPy's arrays."""

    @property
    def device(self) -> Any:
        return Device()

    @property
    def data(self) -> Any:
        address = self.ctypes.data
        return types.SimpleNamespace(ptr=address, memset=lambda value, size: ctypes.memset(address, value, size))

    def __setitem__(self, place: Any, values: Any) -> None:
        assert np.ndim(values) == 0 or isinstance(values, Array), "non-scalar numpy.ndarray cannot be used for fill"
        super().__setitem__(place, values)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        assert all(np.ndim(x) == 0 or isinstance(x, Array) for x in inputs), "Unsupported type <class 'numpy.ndarray'>"
        if out := kwargs.get("out"):
            kwargs["out"] = tuple(x if x is None else x.view(np.ndarray) for x in out)
        result = getattr(ufunc, method)(*(x.view(np.ndarray) if isinstance(x, Array) else x for x in inputs), **kwargs)
        return np.asarray(result).view(Array)

    def get(self) -> np.ndarray:
        return np.array(self)

    def set(self, values: np.ndarray, stream: Any = None) -> None:
        assert not isinstance(values, Array)
        assert (values.shape, values.dtype) == (self.shape, self.dtype)
        np.copyto(self, values)


def zeros(shape: Any, dtype: Any = np.float64) -> Array:
    array = Array(shape, dtype)
    array[...] = 0
    return array


def asarray(values: np.ndarray) -> Array:
    return np.array(values).view(Array)


class Device:
    attributes = ATTRIBUTES
    compute_capability = "90"
    id = 0

    def __init__(self, index: int | None = None) -> None:
        assert index in (None, 0)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...

    def synchronize(self) -> None: ...


class Event:
    """A point in the work of the device, which the fake does at once."""

    def record(self) -> None: ...

    def synchronize(self) -> None: ...


class Function:
    """A kernel.

    Attributes
    ----------
    order : int
        Of the emulator's fibers: 0 forward, 1 backward, 2 shuffled. An attribute of the class.
    launches : int
        Of all kernels so far. An attribute of the class.
    """

    num_regs = 100
    local_size_bytes = 0
    order = 0
    launches = 0

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.library, self.name, self.max_dynamic_shared_size_bytes = library, name, 48 << 10
        self.preferred_shared_memory_carveout = -1
        self.kernel = types.SimpleNamespace(ptr=self)

    def __call__(self, grid: tuple[int], block: tuple[int], args: tuple[Any, ...], *, shared_mem: int) -> None:
        (arguments,) = args
        # CuPy passes a NumPy array of one element by value, whatever its type.
        assert not isinstance(arguments, Array)
        assert arguments.size == 1
        assert arguments.itemsize == self.library.arguments_size()
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        assert block == (self.library.threads(),)
        Function.launches += 1
        how = [self.name.startswith("skipgram"), *grid, ctypes.c_long(shared_mem), Function.order, 0]
        status = self.library.launch(*how, ctypes.c_void_p(arguments.ctypes.data))
        assert status != 1, "the threads wait for each other"
        assert status != 2, "a block wrote beyond its shared memory"


def occupancy(function: Function, threads: int, shared_bytes: int) -> int:
    """Return the number of blocks that fit on a multiprocessor of an H100."""
    assert shared_bytes <= function.max_dynamic_shared_size_bytes
    return min(
        ATTRIBUTES["MaxSharedMemoryPerMultiprocessor"] // (shared_bytes + 1024),
        ATTRIBUTES["MaxRegistersPerMultiprocessor"] // (-(-function.num_regs // 8) * 8 * threads),
        ATTRIBUTES["MaxThreadsPerMultiProcessor"] // threads,
    )


@contextlib.contextmanager
def installed(build: Callable[[str, tuple[str, ...]], ctypes.CDLL], free: int = 1 << 34) -> Iterator[None]:
    """Let ``import cupy`` find the fake, with `free` bytes on the device; `build` compiles a source with options."""

    class RawModule:
        def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
            assert "#include" not in code.replace("no #include", "")
            self.library = build(code, options)

        def get_function(self, name: str) -> Function:
            return Function(self.library, name)

    cupy = types.ModuleType("cupy")
    cupy.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    pool = types.SimpleNamespace(free_bytes=lambda: 0)
    runtime = types.SimpleNamespace(
        memGetInfo=lambda: (free, free), getDeviceCount=lambda: 1, driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13000,
        getDeviceProperties=lambda index: {"name": b"emulator", "multiProcessorCount": 3, "totalGlobalMem": free},
    )  # fmt: skip
    stream = types.SimpleNamespace(synchronize=lambda: None)
    cuda = types.SimpleNamespace(
        Device=Device, runtime=runtime, Stream=lambda non_blocking: stream, get_current_stream=lambda: stream,
        driver=types.SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=occupancy),
        nvrtc=types.SimpleNamespace(getVersion=lambda: (13, 0)), Event=Event,
        get_elapsed_time=lambda began, ended: 1.0,
    )  # fmt: skip
    vars(cupy).update(
        ndarray=Array, zeros=zeros, empty=zeros, asarray=asarray, asnumpy=np.array, RawModule=RawModule, cuda=cuda,
        get_default_memory_pool=lambda: pool, copyto=np.copyto, __version__="0",
    )  # fmt: skip
    cupyx = types.ModuleType("cupyx")
    vars(cupyx).update(empty_pinned=np.zeros)
    before = {name: sys.modules.get(name) for name in ("cupy", "cupyx")}
    sys.modules |= {"cupy": cupy, "cupyx": cupyx}
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
