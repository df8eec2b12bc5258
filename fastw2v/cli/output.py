"""Output of the commands: tables, lists of names and values, JSON, and errors on one line."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.text import Text

__all__ = [
    "format_duration",
    "format_number",
    "format_percent",
    "log_to_stderr",
    "nan_to_none",
    "one_line",
    "print_facts",
    "print_json",
    "print_table",
]


class _StderrHandler(logging.Handler):
    """Prints messages on the current standard error, which a progress bar replaces to print above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(self.format(record), err=True)


@contextlib.contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print the log messages of fastw2v on standard error.

    On a terminal, where progress bars show the progress, only warnings are printed.
    """
    log, handler = logging.getLogger("fastw2v"), _StderrHandler()
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text_columns: int = 1,
    total: Sequence[object] | None = None,
) -> None:
    """Print a table.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Each row has one value per column.
    text_columns : int
        Number of columns, from the left, that contain text. These columns are left-aligned, and the others are
        right-aligned.
    total : sequence, optional
        Last row, which is separated from the other rows by a blank line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        table.add_column(_literal(column), justify="left" if i < text_columns else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_literal, row))
    if total is not None:
        table.add_section()
        table.add_row(*map(_literal, total))
    # A pipe has no width, and rich's default of 80 columns would break words.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_facts(facts: dict[str, str]) -> None:
    """Print a name and its value on each line, with aligned values."""
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value}")


def print_json(content: Any) -> None:
    """Print data as indented JSON."""
    typer.echo(json.dumps(content, indent=2))


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}"
    return " ".join(str(error).split()) or type(error).__name__


def format_percent(share: float) -> str:
    """Return a fraction as a percentage with one decimal, or a dash for NaN."""
    return f"{100 * share:.1f}" if share == share else "-"


def format_number(number: float) -> str:
    """Return a number with three decimals, or a dash for NaN."""
    return f"{number:.3f}" if number == number else "-"


def format_duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours with one decimal."""
    for unit, factor in (("hours", 3600), ("minutes", 60)):
        if seconds > 2 * factor:
            return f"{seconds / factor:.1f} {unit}"
    return f"{seconds:.1f} s"


def nan_to_none(number: float) -> float | None:
    """Return a number unchanged, or None for NaN, which JSON cannot represent."""
    return number if number == number else None


def _literal(content: object) -> Text:
    """Return text that rich prints unchanged, even if it looks like markup."""
    from rich.text import Text

    return Text(str(content))
