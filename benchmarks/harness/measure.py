"""Measurements. A result is checked before it is timed, in interleaved repetitions after a warm-up."""

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

WITH_QUALITY = ("training", "pipeline", "replicas")
"""Sections whose rows must state the quality of the trained vectors."""


@dataclass(frozen=True)
class Row:
    """Repeated measurements of a system or an operation. The result is the median of `values`."""

    section: str
    what: str
    """The system or operation, such as "fastw2v, fused"."""
    settings: dict[str, int | float | str]
    """Settings, such as {"dim": 100, "window": 5, "workers": 2}."""
    unit: str
    """Unit of `values`, such as "words/s", "s" or "MB". Larger is better only for units that end in "/s"."""
    values: list[float]
    """One value for each repetition."""
    quality: dict[str, float] = field(default_factory=dict)
    baseline: str = ""
    """`what` of the baseline, which has the same settings and unit and was measured in interleaved repetitions."""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values or not all(_is_number(value) and value > 0 for value in self.values):
            raise ValueError(f"{self.what}: values is {self.values}; it must contain positive and finite numbers")
        if not all(map(_is_number, self.quality.values())):
            raise ValueError(f"{self.what}: quality is {self.quality}; all its numbers must be finite")
        if self.section in WITH_QUALITY and not self.quality:
            raise ValueError(f"{self.what}: quality is empty; rows of section {self.section} must state the quality")

    @property
    def median(self) -> float:
        """Median of the values, which is the result that is shown."""
        return statistics.median(self.values)

    @property
    def larger_is_better(self) -> bool:
        """Whether larger values are better, as for speeds."""
        return self.unit.endswith("/s")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


@dataclass(frozen=True)
class Skipped:
    """A measurement that was skipped because a requirement is missing."""

    section: str
    what: str
    reason: str


@dataclass(frozen=True)
class Wrong:
    """A measurement that is left out because its result is wrong or not finite."""

    section: str
    what: str
    reason: str


Result = Row | Skipped | Wrong


@dataclass(frozen=True)
class Options:
    """Options of a section. Each section module has ``run(options: Options) -> Iterator[Result]``."""

    folder: Path
    """Existing folder for temporary files. It is removed at the end."""
    quick: bool = False
    """Whether to use smaller sizes. All sections together then take about seven minutes on two cores."""
    tiny: bool = False
    """Whether to run everything once, for tests, with sizes too small for meaningful speeds. Implies `quick`."""
    corpus: Path | None = None
    """Text file, plain or compressed. If None, the demo corpus is used."""
    data: Path | None = None
    """Folder that contains questions-words.txt and word pairs (EN-*.txt), at any depth."""
    repeats: int = 3
    """Maximum number of repetitions. Slow systems run less often, as stated in the notes of their rows."""
    workers: int = 1
    """Maximum number of threads on a CPU."""
    devices: tuple[str, ...] = ("cpu",)
    """Devices to measure: "cpu", and "cuda" if there is a CUDA device."""
    word2vec: Path | None = None
    """Path of the program word2vec.c."""


def interleave(runs: dict[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Repeat functions in the order a b c, a b c, so that other load on the machine affects all of them alike."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            results[name].append(run())
    return results


def seconds(f: Callable[[], Any], *, device: str = "cpu", least: float = 0.05) -> float:
    """Return the mean time of a call in seconds, over enough calls to take at least `least` seconds, after a warm-up.

    If the first call on a CPU takes more than half a second, this call is the measurement, and there is no warm-up.
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
    """One of several ways to compute a result."""

    compute: Callable[[], Any]
    device: str = "cpu"
    work: float = 1.0
    """Amount of work in one computation, for units that are speeds."""


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
    """Check the result of each way, then time the correct ways with interleaved repetitions.

    Parameters
    ----------
    ways : dict of str to Way
    problem : function
        Function that returns what is wrong with a result, or None.
    baseline : str
        Key of the baseline in `ways`, or "" if there is no baseline.
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
    """Return a message if a result is off by more than `tolerance` times the largest expected value, otherwise None."""
    found = to_host(found)
    if not np.isfinite(found).all():
        return "the result has infinite or NaN values"
    error = np.abs(found - expected).max() / np.abs(expected).max()
    return None if error <= tolerance else f"the result is off by {error:.1g} times the largest value"


def ratios(row: Row, baseline: Row) -> list[float]:
    """Return the speed of a row relative to its baseline in each repetition. For memory, return the ratio of sizes."""
    pairs = list(zip(row.values, baseline.values, strict=False))
    return [b / a if row.unit == "s" else a / b for a, b in pairs]
