"""Results as JSON: written whole, checked when read, and compared with those of another day."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, Skipped, Wrong

SCHEMA = 1
"""Raised when the meaning of the JSON changes."""

ALONE = 0.1
"""The spread to either side that is taken for a figure measured once."""


@dataclass(frozen=True)
class Results:
    """Everything that one run of the suite found."""

    machine: dict[str, Any]
    """As `machine.describe` tells it: hardware, versions, commit, date."""
    run: dict[str, Any]
    """What was asked for: sections, quick or not, corpus, repeats."""
    rows: list[Row] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def disturbed(self) -> float:
        """The largest share of the machine that others used, as far as is known."""
        return max((share for share in self.run["others"].values() if share is not None), default=0.0)

    def add(self, result: Row | Skipped | Wrong) -> None:
        """Put one more result in its place."""
        if isinstance(result, Row):
            self.rows.append(result)
        elif isinstance(result, Skipped):
            self.skipped.append(result)
        else:
            self.wrong.append(result)


def write(path: Path, results: Results) -> None:
    """Write the results under a temporary name and rename them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps({"schema": SCHEMA, **asdict(results)}, indent=1, allow_nan=False) + "\n", "utf-8")
    draft.replace(path)


def read(path: Path) -> Results:
    """Return the results that `write` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not JSON, of another schema, or has missing, unknown or senseless fields.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.pop("schema", None) != SCHEMA:
            raise ValueError(f"it is not of schema {SCHEMA}, which this version reads: measure again")
        for name, kind in (("rows", Row), ("skipped", Skipped), ("wrong", Wrong)):
            if not isinstance(found[name], list):
                raise TypeError(f"{name} is no list")
            found[name] = [_built(kind, entry) for entry in found[name]]
        results: Results = _built(Results, found)
        _ = results.disturbed
        return results
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} does not hold results of the benchmarks: {error}") from error


def _built(kind: Any, entry: dict[str, Any]) -> Any:
    """Return the dataclass, with the outermost type of each field checked."""
    types = {"str": str, "list": list, "dict": dict}
    for one in fields(kind):
        expected = types[str(one.type).partition("[")[0]]
        if one.name in entry and not isinstance(entry[one.name], expected):
            raise TypeError(f"{kind.__name__}.{one.name} is {entry[one.name]!r}, not a {expected.__name__}")
    return kind(**entry)


@dataclass(frozen=True)
class Change:
    """A row whose figures moved further than both runs scatter."""

    old: Row
    new: Row

    @property
    def ratio(self) -> float:
        """How many times faster it is now: below 1 is slower."""
        ratio = self.new.median / self.old.median
        return ratio if self.new.larger_is_better else 1 / ratio


def key(row: Row) -> tuple[Any, ...]:
    """Return what makes two rows the same measurement."""
    return row.section, row.what, row.unit, tuple(sorted(row.settings.items()))


def compare(old: Results, new: Results) -> list[Change]:
    """Return the measurements in both whose ranges do not meet, most slowed first."""
    before = {key(row): row for row in old.rows}
    pairs = [Change(before[key(row)], row) for row in new.rows if key(row) in before]
    apart = [change for change in pairs if not _meet(_range(change.old), _range(change.new))]
    return sorted(apart, key=lambda change: change.ratio)


def _range(row: Row) -> tuple[float, float]:
    margin = ALONE if len(row.values) == 1 else 0.0
    return min(row.values) * (1 - margin), max(row.values) * (1 + margin)


def _meet(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]
