"""A terminal progress bar with percentage, speed, loss and remaining time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]

_INTERVAL = 0.1
"""Minimum number of seconds between two updates of the display."""


class Progress:
    """Context manager that shows a progress bar on standard error.

    Parameters
    ----------
    description : str
        Name of the task, such as "training".
    total : int or None
        Total amount of work, or None if it is unknown.
    unit : str
        Unit of work. For "words", the speed is shown in "words/s".
    show : bool, optional
        Whether to show the progress bar. By default, it is shown if standard error is a terminal.

    Examples
    --------
    >>> from fastw2v.utils.progress import Progress
    >>> with Progress("training", 3, show=False) as progress:
    ...     for done in range(1, 4):
    ...         progress.update(done, loss=0.5)
    """

    def __init__(self, description: str, total: int | None, unit: str = "words", show: bool | None = None) -> None:
        self.description = description
        self.total = total
        self.unit = unit
        self.show = sys.stderr is not None and sys.stderr.isatty() if show is None else show
        self._display: Any = None
        self._task: Any = None
        self._started = self._shown = 0.0
        self._done = 0
        self._loss: float | None = None

    def __enter__(self) -> Self:
        if self.show:
            # rich is imported only here, because most programs never show a progress bar.
            from rich import progress
            from rich.console import Console

            self._display = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.TaskProgressColumn(),
                progress.TextColumn("{task.fields[speed]}"),
                progress.TextColumn("{task.fields[loss]}"),
                progress.TimeRemainingColumn(elapsed_when_finished=True),
                console=Console(stderr=True),
            )
            self._task = self._display.add_task(self.description, total=self.total, speed="", loss="")
            self._display.start()
            self._started = self._shown = time.monotonic()
        return self

    def update(self, done: int, loss: float | None = None) -> None:
        """Update the progress bar. The display is refreshed at most ten times a second.

        Parameters
        ----------
        done : int
            Total amount of work done so far, not since the last call.
        loss : float, optional
            Recent loss. If None, the previous loss is shown.

        Examples
        --------
        >>> from fastw2v.utils.progress import Progress
        >>> with Progress("reading", None, unit="lines", show=False) as progress:
        ...     for number, line in enumerate(["the cat", "the dog"], 1):
        ...         progress.update(number)
        """
        if self._display is None:
            return
        self._done = done
        self._loss = self._loss if loss is None else loss
        now = time.monotonic()
        if now - self._shown >= _INTERVAL:
            self._shown = now
            self._draw(now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._display is None:
            return
        try:
            self._draw(time.monotonic())
        finally:  # restore the cursor even if Ctrl-C is pressed a second time
            self._display.stop()
            self._display = None

    def _draw(self, now: float) -> None:
        elapsed = now - self._started
        speed = f"{_short(self._done / elapsed)} {self.unit}/s" if self._done and elapsed > 0 else ""
        loss = "" if self._loss is None else f"loss {self._loss:.3f}"
        self._display.update(self._task, completed=self._done, speed=speed, loss=loss)


def _short(number: float) -> str:
    """Return a number with three significant digits and a suffix, such as "1.23M" for 1234567."""
    for letter in ("", "k", "M", "G"):
        if number < 999.5 or letter == "G":
            break
        number /= 1000
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{letter}"
