"""What commands show on the terminal, or to another program: tables, facts, JSON, and errors of one line."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "decimals",
    "duration",
    "finite",
    "one_line",
    "percent",
    "print_facts",
    "print_json",
    "print_table",
    "table",
    "text",
]


def table(*columns: str, left: int = 1) -> Table:
    """Return a table whose first `left` columns hold text and the others numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        made.add_column(text(column), justify="left" if i < left else "right", overflow="fold")
    return made


def text(content: Any) -> Any:
    """Return text that rich takes as it is: a word may look like its markup, or be an integer."""
    from rich.text import Text

    return Text(str(content))


def print_table(rows: Table) -> None:
    """Print a table."""
    from rich.console import Console

    # A pipe has no width; 80 columns would fold the words.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(rows)


def print_facts(facts: dict[str, str]) -> None:
    """Print a name and a value a line, the values below each other."""
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value}")


def print_json(content: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(content, indent=2))


def one_line(error: BaseException) -> str:
    """Return what an error says, without line breaks."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}"
    return " ".join(str(error).split()) or type(error).__name__


def percent(share: float) -> str:
    """Return a share in percent, or a dash for none."""
    return f"{100 * share:.1f}" if share == share else "-"


def decimals(number: float) -> str:
    """Return a number to three places, or a dash for none."""
    return f"{number:.3f}" if number == number else "-"


def duration(seconds: float) -> str:
    """Return a time in a unit that suits it."""
    for unit, factor in (("hours", 3600), ("minutes", 60)):
        if seconds > 2 * factor:
            return f"{seconds / factor:.1f} {unit}"
    return f"{seconds:.1f} s"


def finite(number: float) -> float | None:
    """Return a number, or None for NaN, which JSON has not."""
    return number if number == number else None
