"""Measurements: interleaved repetitions after a warm-up, of computations whose results are checked first."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastw2v.backend import to_host

T = TypeVar("T")

WITH_QUALITY = ("training", "pipeline")
"""Sections whose rows must state the quality of the trained vectors beside the speed."""


@dataclass(frozen=True)
class Row:
    """Repeated measurements of one thing; the result is the median of `values`."""

    section: str
    what: str
    """The system or operation: "fastw2v CBOW, fused"."""
    settings: dict[str, int | float | str]
    """{"dim": 100, "window": 5, "workers": 2}, for example."""
    unit: str
    """Of `values`: "words/s", "s", "MB". A unit that ends in /s is better when larger, any other when smaller."""
    values: list[float]
    """One for each repetition."""
    quality: dict[str, float] = field(default_factory=dict)
    baseline: str = ""
    """`what` of the row with the same settings and unit whose repetitions were interleaved with this row's."""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values or not all(_is_number(value) and value > 0 for value in self.values):
            raise ValueError(f"{self.what}: values have to be positive and finite, at least one, not {self.values}")
        if not all(map(_is_number, self.quality.values())):
            raise ValueError(f"{self.what}: quality has to be finite, not {self.quality}")
        if self.section in WITH_QUALITY and not self.quality:
            raise ValueError(f"{self.what}: a row of section {self.section} needs its quality beside it")

    @property
    def median(self) -> float:
        """The result that is shown."""
        return statistics.median(self.values)

    @property
    def larger_is_better(self) -> bool:
        """Whether it is a speed."""
        return self.unit.endswith("/s")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


@dataclass(frozen=True)
class Skipped:
    """What was not measured because a requirement is missing."""

    section: str
    what: str
    reason: str


@dataclass(frozen=True)
class Wrong:
    """What gave a wrong or non-finite result, and therefore has no speed."""

    section: str
    what: str
    reason: str


Result = Row | Skipped | Wrong


@dataclass(frozen=True)
class Options:
    """Options of a section. Each section module has ``run(options: Options) -> Iterator[Result]``."""

    folder: Path
    """An existing folder for temporary files, which is removed at the end."""
    quick: bool = False
    """Smaller sizes: all sections together take about five minutes on two cores."""
    tiny: bool = False
    """For the tests: everything once, on sizes too small for meaningful speeds. Implies `quick`."""
    corpus: Path | None = None
    """A text file, plain or compressed; the demo corpus or a generated one when absent."""
    data: Path | None = None
    """A folder with questions-words.txt and word pairs, at any depth."""
    repeats: int = 3
    """Most repetitions; very slow systems are run less often, as their row's note says."""
    workers: int = 1
    """Most threads on a CPU."""
    devices: tuple[str, ...] = ("cpu",)
    """ "cpu", and "cuda" if there is a CUDA device."""
    word2vec: Path | None = None
    """The word2vec.c program."""


def interleave(runs: dict[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Interleave the repetitions, a b c a b c, so that other load on the machine affects all runs alike."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            results[name].append(run())
    return results


def seconds(f: Callable[[], Any], *, device: str = "cpu", least: float = 0.05) -> float:
    """Return the mean time of a call, after a warm-up call, over as many calls as take `least` seconds.

    On a CPU, a call that takes more than half a second needs no warm-up: the first call is the measurement.
    """
    if device == "cpu":
        return _seconds_on_cpu(f, least)
    return _seconds_on_gpu(f, least)


def _seconds_on_cpu(f: Callable[[], Any], least: float) -> float:
    start = time.perf_counter()
    f()
    if (passed := time.perf_counter() - start) > max(0.5, least):
        return passed
    calls, passed, start = 0, 0.0, time.perf_counter()
    while not calls or passed < least:
        f()
        calls += 1
        passed = time.perf_counter() - start
    return passed / calls


def _seconds_on_gpu(f: Callable[[], Any], least: float) -> float:
    import cupy

    def of(calls: int) -> float:
        began, ended = cupy.cuda.Event(), cupy.cuda.Event()
        began.record()
        for _ in range(calls):
            f()
        ended.record()
        ended.synchronize()
        return float(cupy.cuda.get_elapsed_time(began, ended)) / 1000

    f()
    one = of(1)
    calls = max(1, math.ceil(least / max(one, 1e-6)))
    return of(calls) / calls


class Way(NamedTuple):
    """One of several ways to compute the same thing."""

    compute: Callable[[], Any]
    device: str = "cpu"
    work: float = 1.0
    """Amount of work in one computation, if the unit is a speed."""


def race(
    section: str,
    ways: dict[str, Way],
    problem: Callable[[Any], str | None],
    settings: dict[str, int | float | str],
    *,
    baseline: str,
    repeats: int,
    unit: str = "s",
    least: float = 0.05,
    note: str = "",
) -> Iterator[Row | Wrong]:
    """Check the result of each way, then time the correct ones with interleaved repetitions.

    Parameters
    ----------
    ways : dict of str to Way
    problem : function
        Returns what is wrong with a result, or None.
    baseline : str
        Name of one of the ways, or "".
    """
    right: dict[str, Callable[[], float]] = {}
    for what, way in ways.items():
        if wrong := problem(way.compute()):
            yield Wrong(section, what, wrong)
        else:
            right[what] = partial(seconds, way.compute, device=way.device, least=least)
    found = interleave(right, repeats)
    for what in sorted(found, key=lambda what: what != baseline):  # the baseline first
        values = [ways[what].work / passed if unit.endswith("/s") else passed for passed in found[what]]
        yield Row(section, what, settings, unit, values, baseline=baseline if what != baseline else "", note=note)


def differs(expected: np.ndarray, found: Any, tolerance: float = 1e-5) -> str | None:
    """Return by how much a result differs, relative to the largest expected value, or None if it does not."""
    found = to_host(found)
    if not np.isfinite(found).all():
        return "the result has numbers that are not finite"
    error = np.abs(found - expected).max() / np.abs(expected).max()
    return None if error <= tolerance else f"the result is off by {error:.1g} of the largest number"


def ratios(row: Row, baseline: Row) -> list[float]:
    """Return how many times as fast as `baseline` a row is, for each repetition; for memory, how many times as much."""
    pairs = list(zip(row.values, baseline.values, strict=False))
    return [b / a if row.unit == "s" else a / b for a, b in pairs]
