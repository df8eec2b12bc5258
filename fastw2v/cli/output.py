"""Output of the commands: tables, lists of names and values, JSON, and errors on one line."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.text import Text

__all__ = [
    "discard_unprinted",
    "format_duration",
    "format_number",
    "format_percent",
    "nan_to_none",
    "note",
    "one_line",
    "open_closed_streams",
    "print_facts",
    "print_json",
    "print_table",
    "say",
]


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
    with _standard_output():
        Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_facts(facts: dict[str, str]) -> None:
    """Print a name and its value on each line, with aligned values."""
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:<{width}}  {value}")


def print_json(content: Any) -> None:
    """Print data as indented JSON."""
    say(json.dumps(content, indent=2))


def say(text: str | bytes = "") -> None:
    """Print a line to standard output. Bytes are written as they are."""
    with _standard_output():
        typer.echo(text)


def note(text: str = "") -> None:
    """Print a line to standard error. A line that cannot be written is lost, but the command continues."""
    with contextlib.suppress(OSError):
        typer.echo(text, err=True)


def open_closed_streams() -> None:
    """Open the standard streams that the shell has closed.

    Otherwise, the next file that is opened would get the number of the closed stream, and everything that compiled code
    prints would be written to that file. Standard output is opened so that writing fails.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if opened != number:  # on Windows, a stream can be missing although its number is in use
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def discard_unprinted() -> None:
    """Discard output that cannot be written, because Python would try again at its exit and print a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


@contextlib.contextmanager
def _standard_output() -> Iterator[None]:
    """Context manager for printing. Errors name standard output, as errors of files name the file."""
    try:
        yield
    except OSError as error:
        error.filename = "standard output"
        raise


def _literal(content: object) -> Text:
    """Return text that rich prints unchanged, even if it looks like markup."""
    from rich.text import Text

    return Text(str(content))
