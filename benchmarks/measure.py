"""What one measurement is, and how it is taken: in turns, after warm-up, and refused when its result is wrong."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

WITH_QUALITY = ("training", "pipeline")
"""Sections whose speeds mean nothing without the quality of what was trained."""


@dataclass(frozen=True)
class Row:
    """One thing measured several times; the figure is the median of `values`."""

    section: str
    what: str
    """The system or operation: "fastw2v CBOW, fused"."""
    settings: dict[str, int | float | str]
    """With what: {"dim": 100, "window": 5, "workers": 2}."""
    unit: str
    """Of `values`: "words/s", "s", "MB". A unit that ends in /s is better when larger, any other when smaller."""
    values: list[float]
    """One for each repetition."""
    quality: dict[str, float] = field(default_factory=dict)
    baseline: str = ""
    """`what` of the row of the same settings and unit that was measured in turns with this one."""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values or not all(_is_number(value) and value > 0 for value in self.values):
            raise ValueError(f"{self.what}: values have to be positive and finite, at least one, not {self.values}")
        if not all(map(_is_number, self.quality.values())):
            raise ValueError(f"{self.what}: quality has to be finite, not {self.quality}")
        if self.section in WITH_QUALITY and not self.quality:
            raise ValueError(f"{self.what}: a figure of section {self.section} needs its quality beside it")

    @property
    def median(self) -> float:
        """The figure that is shown."""
        return statistics.median(self.values)

    @property
    def larger_is_better(self) -> bool:
        """Whether it is a speed."""
        return self.unit.endswith("/s")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


@dataclass(frozen=True)
class Skipped:
    """What was not measured, because something it needs is not there."""

    section: str
    what: str
    reason: str


@dataclass(frozen=True)
class Wrong:
    """What was run, and gave a wrong or non-finite result: it has no speed."""

    section: str
    what: str
    reason: str


Result = Row | Skipped | Wrong


@dataclass(frozen=True)
class Options:
    """What a section may use. Each section module has ``run(options: Options) -> Iterator[Result]``."""

    folder: Path
    """For scratch files; it is there, and it is removed at the end."""
    quick: bool = False
    """All sections together in five minutes on two cores."""
    tiny: bool = False
    """As the tests run it: everything once, on sizes whose speeds mean nothing. Implies `quick`."""
    corpus: Path | None = None
    """A text file, plain or compressed; without it the demo corpus, or a generated one."""
    data: Path | None = None
    """A folder that holds questions-words.txt and word pairs, at any depth."""
    repeats: int = 3
    """At most; what is very slow is run less often, and its row's note says so."""
    workers: int = 1
    """The most threads to use on a CPU."""
    devices: tuple[str, ...] = ("cpu",)
    """The CPU, and "cuda" where there is one."""
    word2vec: Path | None = None
    """The C program."""


def interleave(runs: dict[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Run everything in turns, a b c a b c, so that what else the machine does disturbs all alike."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            results[name].append(run())
    return results


def seconds(f: Callable[[], Any], *, device: str = "cpu", least: float = 0.05) -> float:
    """Return the seconds of one call: after a call to warm up, the mean of as many as take `least` seconds.

    On a CPU a call of half a second and more warms itself up.
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
    """How much of the unit one computation does, if the unit is a speed."""


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
    """Look at the first result of every way, then time those whose result is right, in turns.

    Parameters
    ----------
    ways : dict of str to Way
    problem : function
        Given a result, returns what is wrong with it, or None.
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


def ratios(row: Row, baseline: Row) -> list[float]:
    """Return how many times as fast as `baseline` a row is, turn by turn; of memory, how many times as much."""
    pairs = list(zip(row.values, baseline.values, strict=False))
    return [b / a if row.unit == "s" else a / b for a, b in pairs]
