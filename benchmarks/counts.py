"""Counts that do not depend on the machine: ``python -m benchmarks.counts``. `tests/test_counts.py` bounds each.

What a table of speeds shows only on a quiet machine shows here on any: rows that cross between the tables and the
processor, calls of the array library (launches, on a GPU), arrays allocated, kernels compiled.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

from benchmarks.texts import zipf_corpus
from fastw2v import engine, gradient, optim
from fastw2v.kernels import cpu, naive
from fastw2v.kernels.schedule import STRETCH

Model = Literal["cbow", "skipgram"]
MODELS: tuple[Model, ...] = ("cbow", "skipgram")
V, D = 500, 16


@dataclass(frozen=True)
class RowTraffic:
    """Rows of both tables that the schedule reads and adds to, for each trained target."""

    read: float
    added: float

    def bytes_per_target(self, vector_size: int) -> float:
        """Return the bytes that move if no cache helps, in float32."""
        return 4 * vector_size * (self.read + self.added)


@dataclass(frozen=True)
class LayerCalls:
    """What the layers engine asks of the array library for one batch, as on a GPU."""

    calls: int
    """That compute or copy: a launch each, at least."""
    waits: int
    """Times that the host reads from the device in a whole epoch."""


@dataclass(frozen=True)
class FusedAllocations:
    """What the fused engine allocates."""

    arrays_per_stretch: int
    """By the compiled kernel."""
    python_growth: int
    """Bytes by which Python's peak memory grows when the corpus is twice as long."""


class Table(np.ndarray):
    """A table that counts the rows read from it and added to it."""

    counts: dict[str, int]

    def __array_finalize__(self, whole: Any) -> None:
        self.counts = getattr(whole, "counts", {"read": 0, "added": 0})

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is not np.take or args[0] is not self:
            raise TypeError(f"{function.__name__} of a whole table is not part of the schedule")
        self.counts["read"] += np.size(args[1])
        return np.take(np.asarray(self), *args[1:], **kwargs)

    def __getitem__(self, ids: Any) -> Any:
        self.counts["read"] += len(ids)
        return np.asarray(self)[ids]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc is not np.add or method != "at":
            raise TypeError(f"{ufunc.__name__}.{method} of a whole table is not part of the schedule")
        target, ids, values = inputs
        self.counts["added"] += np.size(values) // D
        return np.add.at(np.asarray(target), ids, values)


def row_traffic(model: Model, words: int = 6000) -> RowTraffic:
    """Count the rows that the twin of the fused kernels touches, at the defaults."""
    ids, offsets, counts = zipf_corpus(words, V)
    W_in, W_out = np.full((V, D), 0.01).view(Table), np.zeros((V, D)).view(Table)
    targets = 0

    def counted(first: np.ndarray, *rest: Any) -> Any:
        nonlocal targets
        word, sentence = kept(first, *rest)
        targets += len(word)
        return word, sentence

    kept = naive._kept
    with patch.object(naive, "_kept", counted):
        naive.train(W_in, W_out, ids, offsets, counts, model=model, epochs=1)
    total = {name: (W_in.counts[name] + W_out.counts[name]) / targets for name in ("read", "added")}
    return RowTraffic(**total)


@dataclass
class Tally:
    """What `Namespace` and its arrays have been asked for."""

    calls: int = 0
    waits: int = 0
    names: dict[str, int] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Count one call."""
        self.calls += 1
        self.names[name] = self.names.get(name, 0) + 1


VIEWS = ("reshape", "matrix_transpose", "permute_dims", "broadcast_to", "expand_dims", "squeeze")
"""Functions that give another view of the same numbers."""


class Namespace:
    """The standard's array functions, counted."""

    def __init__(self, tally: Tally) -> None:
        import array_api_strict

        self.tally = tally
        self.strict = array_api_strict

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.strict, name)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if name not in VIEWS:
                self.tally.add(name)
            return self.wrapped(found(*map(_strict, args), **{key: _strict(value) for key, value in kwargs.items()}))

        return call

    def wrapped(self, value: Any) -> Any:
        """Return a result with arrays in their counting shell."""
        if hasattr(value, "_fields"):  # several arrays, by name
            return type(value)(*map(self.wrapped, value))
        return Array(self, value) if hasattr(value, "__array_namespace__") else value


class Array:
    """An array of `Namespace`: whatever is computed with it is counted."""

    def __init__(self, xp: Namespace, values: Any) -> None:
        self.xp = xp
        self.values = values

    def __array_namespace__(self, api_version: str | None = None) -> Namespace:
        return self.xp

    def __getattr__(self, name: str) -> Any:  # shape, dtype, ndim, device, T, mT
        if name.startswith("__"):
            raise AttributeError(name)
        return self.xp.wrapped(getattr(self.values, name))

    def __getitem__(self, key: Any) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, Array) for part in parts):
            self.xp.tally.add("getitem")
        return Array(self.xp, self.values[tuple(map(_strict, parts))])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.xp.tally.waits += 1
        return np.array(self.values._array, dtype)

    def _read(self, kind: type) -> Any:
        self.xp.tally.waits += 1
        return kind(self.values)

    def __bool__(self) -> bool:
        return bool(self._read(bool))

    def __int__(self) -> int:
        return int(self._read(int))

    def __float__(self) -> float:
        return float(self._read(float))

    def __index__(self) -> int:
        return int(self._read(int))


def _operator(name: str) -> Any:
    def call(self: Array, *others: Any) -> Any:
        self.xp.tally.add(name)
        return self.xp.wrapped(getattr(self.values, name)(*map(_strict, others)))

    return call


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift",
              "matmul"):  # fmt: skip
    for _side in ("", "r"):
        setattr(Array, f"__{_side}{_name}__", _operator(f"__{_side}{_name}__"))
for _name in ("neg", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Array, f"__{_name}__", _operator(f"__{_name}__"))


def _strict(value: Any) -> Any:
    """Return a value without its counting shell."""
    if isinstance(value, Array):
        return value.values
    if isinstance(value, list | tuple):
        return type(value)(_strict(part) for part in value)
    return value


def layer_calls(model: Model) -> LayerCalls:
    """Count what `train_layers` asks of the array library: the difference of a longer and a shorter corpus."""
    found = [_calls_of_layers(model, batches) for batches in (2, 4)]
    (calls, waits), (more_calls, more_waits) = found
    if waits != more_waits:
        raise AssertionError(f"the host reads {waits} times for 2 batches and {more_waits} times for 4")
    return LayerCalls((more_calls - calls) // 2, waits)


def _calls_of_layers(model: Model, batches: int) -> tuple[int, int]:
    ids, offsets, counts = zipf_corpus(batches * engine.GPU_GROUPS * engine.POOL_TOKENS, V)
    tally = Tally()
    xp = Namespace(tally)

    def scatter_add(target: Array, ids: Array, rows: Array) -> None:
        tally.add("scatter_add")
        np.add.at(target.values._array, ids.values._array, rows.values._array)

    def set_rows(target: Array, ids: Array, rows: Array) -> None:
        tally.add("set_rows")
        target.values._array[ids.values._array] = rows.values._array

    W_in, W_out = (xp.asarray(np.full((V, D), start, np.float32)) for start in (0.01, 0.0))
    tally.calls = 0
    with contextlib.ExitStack() as stack:
        for module in (optim, gradient):
            given = {"scatter_add": scatter_add, "set_rows": set_rows}
            for name, value in given.items():
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, value))
        stack.enter_context(patch.object(engine, "INTERVAL", float("inf")))
        engine.train_layers(W_in, W_out, ids, offsets, counts, model=model, epochs=1)
    return tally.calls, tally.waits


def fused_allocations(model: Model) -> FusedAllocations:
    """Count what the compiled engine allocates, by the difference of a longer and a shorter corpus."""
    (few, short), (many, long) = (_allocations(model, stretches) for stretches in (8, 16))
    return FusedAllocations((many - few) // 8, long - short)


def _allocations(model: Model, stretches: int) -> tuple[int, int]:
    """Return the arrays allocated by compiled code, and the bytes at most allocated by Python."""
    from numba.core.runtime import _nrt_python, rtsys

    ids, offsets, counts = zipf_corpus(stretches * STRETCH, V)
    offsets = np.append(np.arange(0, len(ids), STRETCH), len(ids))
    arrays: Any = (*_tables(), ids, offsets, counts)
    cpu.train(*arrays, model=model, epochs=1)  # compiles
    counting = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats().alloc
    cpu.train(*arrays, model=model, epochs=1)
    made = rtsys.get_allocation_stats().alloc - before
    if not counting:
        _nrt_python.memsys_disable_stats()
    tracemalloc.start()
    cpu.train(*arrays, model=model, epochs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return made, peak


def specialisations() -> dict[str, int]:
    """Return how many versions of each kernel trainings of float32 tables with several settings compile."""
    from fastw2v.kernels import stretch

    ids, offsets, counts = zipf_corpus(2000, V)
    changes: list[dict[str, Any]] = [
        {},
        {"window": 2, "negative": 7, "shrink_windows": False},
        {"cbow_grad": "sum", "workers": 2},
    ]
    for settings in changes:
        for model in MODELS:
            for kinds in ((np.int32, np.int64), (np.int64, np.int32)):
                arrays: Any = (ids.astype(kinds[0]), offsets.astype(kinds[1]), counts.astype(kinds[1]))
                cpu.train(*_tables(), *arrays, model=model, epochs=1, **settings)
    kernels = {"cbow_ns": stretch.cbow_ns, "skipgram_ns": stretch.skipgram_ns}
    return {name: sum("float32" in str(s[0]) for s in kernel.signatures) for name, kernel in kernels.items()}


def _tables() -> tuple[np.ndarray, np.ndarray]:
    W_in, W_out = cpu.aligned_zeros((V, D)), cpu.aligned_zeros((V, D))
    W_in[...] = 0.01
    return W_in, W_out


def main() -> None:
    for model in MODELS:
        print(f"{model}: {row_traffic(model)}, {layer_calls(model)}, {fused_allocations(model)}")
    print(f"versions of the kernels: {specialisations()}")


if __name__ == "__main__":
    main()
