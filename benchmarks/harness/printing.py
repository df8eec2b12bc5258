"""Results as text: lines printed during a run, and changes since an earlier run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.harness.machine import BUSY
from benchmarks.harness.measure import Row, Skipped, Wrong, ratios
from benchmarks.harness.results import Results, compare


def heading(section: str) -> str:
    """Return the heading of a section."""
    return f"\n{section}\n{'-' * len(section)}"


def machine(found: dict[str, Any]) -> str:
    """Return a description of the machine in a few lines."""
    caches = ", ".join(f"{name} {size}" for name, size in found["caches"].items())
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    gpu = found["GPU"] if isinstance(found["GPU"], str) else ", ".join(f"{k} {v}" for k, v in found["GPU"].items())
    return "\n".join(
        [
            f"{found['date']}, commit {found['commit'][:12]}"
            f"{', with uncommitted changes' if found['changed since'] else ''}",
            f"{found['processor']}, {found['cores']} cores, {caches}; {found['memory GB']} GB; {found['system']}",
            f"Python {found['Python']}, {packages}, BLAS {found['BLAS']}",
            f"GPU: {gpu}",
        ]
    )


def lines(group: Sequence[Row], before: dict[str, int | float | str]) -> list[str]:
    """Return the lines of a group of rows with the same settings: the settings that changed, then one line per row."""
    now = group[0].settings
    changed = {name: now[name] for name in now if before.get(name) != now[name]}
    text = [f"  {settings(changed if changed and now.keys() == before.keys() else now)}:"]
    for row in group:
        parts = [times(row, group), qualities(row.quality), row.note]
        text.append(f"    {row.what:44} {format_result(row):>28}  " + "  ".join(part for part in parts if part))
    return text


def left_out(result: Skipped | Wrong) -> str:
    """Return a line that says why there is no measurement."""
    if isinstance(result, Skipped):
        return f"  skipped: {result.what}: {result.reason}"
    return f"! WRONG: {result.what}: {result.reason}"


def format_result(row: Row) -> str:
    """Return the median with its unit, and the range if there are several repetitions."""
    scale, unit = _scale(row.median, row.unit)
    low, high = (digits(bound / scale) for bound in (min(row.values), max(row.values)))
    spread = f" ({low}..{high})" if len(row.values) > 1 else ""
    return f"{digits(row.median / scale)}{spread} {unit}"


def _scale(number: float, unit: str) -> tuple[float, str]:
    """Return a divisor and the unit with the matching prefix, so that the quotient has few digits."""
    small = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")] if unit == "s" else []
    large = [(1e9, f"G {unit}"), (1e6, f"M {unit}"), (1e3, f"k {unit}")] if unit.endswith("/s") else []
    return next(((scale, name) for scale, name in small + large if number >= scale), (1.0, unit))


def short(number: float) -> str:
    """Return a number as a tick label, such as 300, 20 k or 5 M."""
    scale, unit = _scale(number, "/s")
    return f"{number / scale:g} {unit.removesuffix('/s')}".strip()


def digits(number: float) -> str:
    """Return a number as text with three significant digits, or as a whole number above 100."""
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.3g}"


def settings(found: dict[str, int | float | str]) -> str:
    """Return settings as text."""
    return ", ".join(f"{name} {number:,}" if isinstance(number, int) else f"{name} {number}"
                     for name, number in found.items())  # fmt: skip


def qualities(found: dict[str, float]) -> str:
    """Return quality measures as text."""
    return ", ".join(f"{name} {number:.4g}" for name, number in found.items())


def baseline_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """Return the baseline of a row, or None if there is no baseline."""
    wanted = (row.section, row.baseline, row.unit, row.settings)
    return next((other for other in rows if (other.section, other.what, other.unit, other.settings) == wanted), None)


def times(row: Row, rows: Sequence[Row]) -> str:
    """Return the ratio of a row to its baseline as text, or "" without a baseline.

    The ratio compares speeds, so larger ratios are better. For memory, it compares sizes, so smaller ratios are better.
    """
    other = baseline_of(row, rows)
    if other is None:
        return ""
    found = ratios(row, other)
    subject, _, short = other.what.partition(", ")  # shorten "read .bin, gensim" to "gensim" for "read .bin, fastw2v"
    name = short if short and row.what.startswith(subject) else other.what
    median = f"{digits(statistics.median(found))} times {name}"
    return median if len(found) == 1 else f"{median} ({', '.join(map(digits, found))})"


def changes(old: Results, new: Results) -> str:
    """Return a text that lists the measurements that changed by more than the spread of both runs."""
    lines = ["", f"Since {old.machine.get('date')}, commit {str(old.machine.get('commit'))[:12]}:"]
    lines += [
        f"! different {name}: {old.machine.get(name)}, now {new.machine.get(name)}"
        for name in ("processor", "cores", "GPU")
        if old.machine.get(name) != new.machine.get(name)
    ]
    lines += [
        f"! other programs used up to {run.disturbed:.0%} of the machine {when}"
        for run, when in ((old, "then"), (new, "now"))
        if run.disturbed > BUSY
    ]
    found = compare(old, new)
    for change in found:
        words = ("slower", "faster") if change.new.unit == "s" or change.new.larger_is_better else ("more", "less")
        word = words[change.ratio > 1]
        factor = max(change.ratio, 1 / change.ratio)
        lines.append(
            f"  {factor:5.2f} times {word}: {change.new.what}, {settings(change.new.settings)}: "
            f"{format_result(change.old)}, now {format_result(change.new)}"
        )
    lines += [f"! WRONG now: {wrong.what}: {wrong.reason}" for wrong in new.wrong]
    if not found:
        lines.append("  nothing changed beyond the spread of both runs")
    return "\n".join(lines)
