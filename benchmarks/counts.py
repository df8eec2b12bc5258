"""Counts that do not depend on the machine: ``python -m benchmarks.counts``.

Unlike speeds, the counts are the same on a busy machine. They comprise the rows of the tables that are read and
written, the calls of the array library (kernel launches on a GPU), the allocated arrays, and the compiled versions of
the kernels. `tests/benchmarks/test_counts.py` has a bound for each count.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args
from unittest.mock import patch

import numpy as np

from benchmarks.systems.texts import zipf_corpus
from fastw2v import backend
from fastw2v.config import CHUNK_TOKENS, Model, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.engines import base, cpu, eager, reference
from fastw2v.engines.base import Tables
from fastw2v.nn import layers, models, optim

MODELS: tuple[Model, ...] = get_args(Model)
V, D = 500, 16


@dataclass(frozen=True)
class RowTraffic:
    """Number of rows of both tables read and added to, per trained target."""

    read: float
    added: float

    def bytes_per_target(self, vector_size: int) -> float:
        """Return the bytes moved per target in float32 if nothing is cached."""
        return 4 * vector_size * (self.read + self.added)


@dataclass(frozen=True)
class LayerCalls:
    """Calls that the layers engine makes to the array library, with the batch size used on a GPU."""

    calls: int
    """Calls per batch that compute or copy. Each call is at least one kernel launch."""
    waits: int
    """Number of times per epoch that the host reads data from the device."""


@dataclass(frozen=True)
class FusedAllocations:
    """Allocations of the fused engine."""

    arrays_per_chunk: int
    """Arrays that the compiled kernel allocates for a chunk, including those of its arguments."""
    python_growth: int
    """Increase of Python's peak memory in bytes when the corpus is twice as long."""


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
    """Count the rows accessed by the reference implementation of the fused kernels, with default settings."""
    W_in, W_out = np.full((V, D), 0.01).view(Table), np.zeros((V, D)).view(Table)
    name = f"{model}_ns"
    train_tile, target = getattr(reference, name), 2 if model == "cbow" else 4  # position of the targets argument
    targets = 0

    def counted(*arguments: Any) -> Any:
        nonlocal targets
        targets += len(arguments[target])
        return train_tile(*arguments)

    with patch.object(reference, name, counted):
        reference.train(Tables(W_in, W_out), zipf_corpus(words, V), _config(model))
    total = {name: (W_in.counts[name] + W_out.counts[name]) / targets for name in ("read", "added")}
    return RowTraffic(**total)


@dataclass
class Tally:
    """Counts of the calls of a `Namespace` and its arrays."""

    calls: int = 0
    waits: int = 0
    names: dict[str, int] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Count a call."""
        self.calls += 1
        self.names[name] = self.names.get(name, 0) + 1


VIEWS = ("reshape", "matrix_transpose", "permute_dims", "broadcast_to", "expand_dims", "squeeze")
"""Functions that return a view of the same data, which are not counted."""
QUERIES = ("isdtype", "result_type", "can_cast")
"""Functions about data types, which launch no kernel and are not counted."""


class Namespace:
    """An array API namespace that counts the calls of its functions."""

    def __init__(self, tally: Tally) -> None:
        import array_api_strict

        self.tally = tally
        self.strict = array_api_strict

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.strict, name)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if name not in VIEWS + QUERIES:
                self.tally.add(name)
            return self.wrapped(found(*map(_strict, args), **{key: _strict(value) for key, value in kwargs.items()}))

        return call

    def wrapped(self, value: Any) -> Any:
        """Return a result with its arrays wrapped in `Array`."""
        if hasattr(value, "_fields"):  # a named tuple of arrays
            return type(value)(*map(self.wrapped, value))
        return Array(self, value) if hasattr(value, "__array_namespace__") else value


class Array:
    """An array of a `Namespace`, which counts the operations on it."""

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
    """Return a value with its arrays unwrapped."""
    if isinstance(value, Array):
        return value.values
    if isinstance(value, list | tuple):
        return type(value)(_strict(part) for part in value)
    return value


def layer_calls(model: Model) -> LayerCalls:
    """Count the calls of the array library per batch, as the difference between a longer and a shorter corpus."""
    found = [_calls_of_layers(model, batches) for batches in (2, 4)]
    (calls, waits), (more_calls, more_waits) = found
    if waits != more_waits:
        raise AssertionError(f"the host reads device data {waits} times for 2 batches, but {more_waits} times for 4")
    return LayerCalls((more_calls - calls) // 2, waits)


def _calls_of_layers(model: Model, batches: int) -> tuple[int, int]:
    corpus = zipf_corpus(batches * eager.GPU_GROUPS * eager.BATCH_POOL_TOKENS, V)
    tally = Tally()
    xp = Namespace(tally)

    def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts as one call."""

        def call(*args: Any) -> Any:
            tally.add(function.__name__)
            calls, names = tally.calls, dict(tally.names)
            result = function(*args)
            tally.calls, tally.names = calls, names
            return result

        return call

    def subtract_row_sums(W: Array, parts: Sequence[backend.WeightedRows], rate: float, max_norm: float) -> None:
        for _ in range(3 * len(parts) + 1):  # mark, number and add the rows of each part, then subtract
            tally.add("subtract_row_sums")

    W_in, W_out = (xp.asarray(np.full((V, D), start, np.float32)) for start in (0.01, 0.0))
    tally.calls = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(optim, "has_row_kernels", lambda W: True))
        stack.enter_context(patch.object(optim, "subtract_row_sums", subtract_row_sums))
        functions = (backend.take_rows, backend.weighted_sums, backend.row_dots, backend.cross_entropy,
                     backend.context_weights, backend.pool_weights)  # fmt: skip
        for function in functions:
            for module in (layers, models, optim):
                if hasattr(module, function.__name__):
                    stack.enter_context(patch.object(module, function.__name__, kernel(function)))
        stack.enter_context(patch.object(base, "REPORT_INTERVAL", float("inf")))
        eager.train(Tables(W_in, W_out), corpus, _config(model))
    return tally.calls, tally.waits


def fused_allocations(model: Model) -> FusedAllocations:
    """Count the allocations of the fused engine, as the difference between a longer and a shorter corpus."""
    (few, short), (many, long) = (_allocations(model, chunks) for chunks in (8, 16))
    return FusedAllocations((many - few) // 8, long - short)


def _allocations(model: Model, chunks: int) -> tuple[int, int]:
    """Return the number of arrays allocated by compiled code, and Python's peak memory in bytes."""
    from numba.core.runtime import _nrt_python, rtsys

    words = chunks * CHUNK_TOKENS
    corpus = replace(zipf_corpus(words, V), offsets=np.append(np.arange(0, words, CHUNK_TOKENS), words))
    tables, config = _tables(), _config(model)
    cpu.train(tables, corpus, config)  # compile first
    counting = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats().alloc
    cpu.train(tables, corpus, config)
    made = rtsys.get_allocation_stats().alloc - before
    if not counting:
        _nrt_python.memsys_disable_stats()
    peaks = []
    for _ in range(3):  # whatever else the process allocates only adds to a peak
        tracemalloc.start()
        cpu.train(tables, corpus, config)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return made, min(peaks)


def specialisations() -> dict[str, int]:
    """Return the number of compiled versions of each kernel after training float32 tables with several settings."""
    from fastw2v.kernels import word2vec_numba

    corpus = zipf_corpus(2000, V)
    changes: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"window": 2, "negative": 7, "shrink_windows": False}, 1),
        ({"cbow_grad": "sum"}, 2),
    ]
    for settings, workers in changes:
        for model in MODELS:
            for ids_type, offsets_type in ((np.int32, np.int64), (np.int64, np.int32)):
                same = Corpus(corpus.ids.astype(ids_type), corpus.offsets.astype(offsets_type), corpus.vocabulary)
                cpu.train(_tables(), same, _config(model, **settings), workers=workers)
    kernels = {"cbow_ns": word2vec_numba.cbow_ns, "skipgram_ns": word2vec_numba.skipgram_ns}
    return {name: sum("float32" in str(s[0]) for s in kernel.signatures) for name, kernel in kernels.items()}


def _config(model: Model, **settings: Any) -> TrainingConfig:
    return TrainingConfig(model=model, vector_size=D, epochs=1, **settings)


def _tables() -> Tables:
    tables = cpu.allocate((V, D))
    tables.W_in[...] = 0.01
    return tables


def main() -> None:
    for model in MODELS:
        print(f"{model}: {row_traffic(model)}, {layer_calls(model)}, {fused_allocations(model)}")
    print(f"compiled versions of the kernels: {specialisations()}")


if __name__ == "__main__":
    main()
