"""Results as JSON files: written atomically, checked when read, and compared with an earlier run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.harness.measure import Row, Skipped, Wrong
from fastw2v.utils.atomic_write import atomic_write

SCHEMA = 1
"""Version of the JSON schema, increased when the meaning of the JSON changes."""

ALONE = 0.1
"""Relative spread, in either direction, that is assumed for a row with one repetition."""


@dataclass(frozen=True)
class Results:
    """All results of a run of the benchmarks."""

    machine: dict[str, Any]
    """Hardware, versions, commit and date, from `machine.describe`."""
    run: dict[str, Any]
    """Options of the run, such as sections, corpus and repetitions."""
    rows: list[Row] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def disturbed(self) -> float:
        """Largest known share of the machine used by other programs."""
        return max((share for share in self.run["others"].values() if share is not None), default=0.0)

    def add(self, result: Row | Skipped | Wrong) -> None:
        """Add a result to the list for its type."""
        if isinstance(result, Row):
            self.rows.append(result)
        elif isinstance(result, Skipped):
            self.skipped.append(result)
        else:
            self.wrong.append(result)


def write(path: Path, results: Results) -> None:
    """Write the results atomically, so that the file is never incomplete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema": SCHEMA, **asdict(results)}, indent=1, allow_nan=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: Path) -> Results:
    """Read the results in a file written by `write`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is not JSON, has a different schema, or has missing, unknown or invalid fields.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.pop("schema", None) != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}, the only supported version; measure again")
        for name, kind in (("rows", Row), ("skipped", Skipped), ("wrong", Wrong)):
            if not isinstance(found[name], list):
                raise TypeError(f"{name} is not a list")
            found[name] = [_built(kind, entry) for entry in found[name]]
        results: Results = _built(Results, found)
        _ = results.disturbed
        return results
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} does not contain benchmark results: {error}") from error


def _built(kind: Any, entry: dict[str, Any]) -> Any:
    """Return a dataclass instance after checking the outer type of each field."""
    types = {"str": str, "list": list, "dict": dict}
    for one in fields(kind):
        expected = types[str(one.type).partition("[")[0]]
        if one.name in entry and not isinstance(entry[one.name], expected):
            raise TypeError(f"{kind.__name__}.{one.name} is {entry[one.name]!r}, not a {expected.__name__}")
    return kind(**entry)


@dataclass(frozen=True)
class Change:
    """A measurement that changed by more than the spread of both runs."""

    old: Row
    new: Row

    @property
    def ratio(self) -> float:
        """Factor of improvement. Below 1, the new run is slower or needs more memory."""
        ratio = self.new.median / self.old.median
        return ratio if self.new.larger_is_better else 1 / ratio


def key(row: Row) -> tuple[Any, ...]:
    """Return a key that identifies a measurement across runs."""
    return row.section, row.what, row.unit, tuple(sorted(row.settings.items()))


def compare(old: Results, new: Results) -> list[Change]:
    """Return the measurements whose ranges in the two runs do not overlap, with the largest slowdown first."""
    before = {key(row): row for row in old.rows}
    pairs = [Change(before[key(row)], row) for row in new.rows if key(row) in before]
    apart = [change for change in pairs if not _overlap(_range(change.old), _range(change.new))]
    return sorted(apart, key=lambda change: change.ratio)


def _range(row: Row) -> tuple[float, float]:
    margin = ALONE if len(row.values) == 1 else 0.0
    return min(row.values) * (1 - margin), max(row.values) * (1 + margin)


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]
