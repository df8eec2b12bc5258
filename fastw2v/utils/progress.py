"""Progress of long tasks: a bar on a terminal and in a notebook, and log messages anywhere else."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from html import escape
from types import TracebackType
from typing import NamedTuple, Protocol, Self

__all__ = ["Progress", "time_waited", "waiting"]

log = logging.getLogger("fastw2v")

_INTERVAL = 0.1
"""Minimum number of seconds between two updates of a bar."""
_LOG_INTERVAL = 10.0
"""Minimum number of seconds between two log messages."""
_TEXT_WIDTH = 30
"""Number of characters of the bar in a notebook that does not show HTML."""
_now = time.monotonic
_running: list[Progress] = []
"""The progress of the tasks that are running, innermost last."""
_waits: list[float] = []
"""The durations of all `waiting` blocks of this process."""


class _State(NamedTuple):
    """The values that a display shows. Texts are empty if a value is not known."""

    description: str
    done: int
    total: int | None
    unit: str
    percent: str
    speed: str
    loss: str
    elapsed: float
    """Seconds since the start of the task, without the time that it waited."""
    time: str
    """The remaining time or, at the end, the elapsed time."""
    note: str
    """Why the task waits."""

    def values(self) -> list[str]:
        """Return the texts that are not empty. A note replaces the speed and the loss."""
        middle = [self.note] if self.note else [self.speed, self.loss]
        return [text for text in (self.percent, *middle, self.time) if text]


class _Display(Protocol):
    """Shows the progress of a task."""

    interval: float
    """Minimum number of seconds between two calls of `draw`."""

    def draw(self, state: _State) -> None: ...

    def finish(self, state: _State) -> None: ...


class Progress:
    """Context manager that shows the progress of a task: percentage, speed, loss and remaining time.

    On a terminal, a progress bar is shown on standard error, and in a Jupyter notebook, in the output of the cell.
    Otherwise, the logger ``fastw2v`` gets a message of level INFO every ten seconds and at the end.

    Parameters
    ----------
    description : str
        Name of the task, such as "training".
    total : int or None
        Total amount of work, or None if it is unknown.
    unit : str
        Unit of work. For "words", the speed is shown in "words/s".
    show : bool, optional
        If True, show the progress bar even if standard error is not a terminal. If False, show and log nothing.
    delay : float
        Number of seconds after which the display starts. Nothing is shown or logged for a shorter task.

    Examples
    --------
    >>> from fastw2v.utils.progress import Progress
    >>> with Progress("training", 3, show=False) as progress:
    ...     for done in range(1, 4):
    ...         progress.update(done, loss=0.5)
    """

    def __init__(
        self, description: str, total: int | None, unit: str = "words", show: bool | None = None, delay: float = 0.0
    ) -> None:
        self.description = description
        self.total = total
        self.unit = unit
        self.show = show
        self.delay = delay
        self._display: _Display | None = None
        self._started = self._shown = 0.0
        self._done = 0
        self._loss: float | None = None
        self._validation_loss: float | None = None
        self._note = ""

    def __enter__(self) -> Self:
        self._started = self._shown = _now()
        if not self.delay:
            self._start()
        _running.append(self)
        return self

    def update(self, done: int, loss: float | None = None, validation_loss: float | None = None) -> None:
        """Record progress, and refresh the display if it is due.

        Parameters
        ----------
        done : int
            Total amount of work done so far, not since the last call.
        loss : float, optional
            Recent loss. If None, the previous loss is shown.
        validation_loss : float, optional
            Recent loss on held-out text. If None, the previous one is shown.

        Examples
        --------
        >>> from fastw2v.utils.progress import Progress
        >>> with Progress("reading", None, unit="lines", show=False) as progress:
        ...     for number, line in enumerate(["the cat", "the dog"], 1):
        ...         progress.update(number)
        """
        if self.show is False:
            return
        self._done = done
        self._loss = self._loss if loss is None else loss
        self._validation_loss = self._validation_loss if validation_loss is None else validation_loss
        self._note = ""
        now = _now()
        if self._display is None:
            if now - self._started < self.delay:
                return
            self._start()
        if self._display is not None and now - self._shown >= self._display.interval:
            self._shown = now
            self._display.draw(self._state(now))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _running.remove(self)
        if self._display is not None:
            display, self._display = self._display, None
            state = self._state(_now())
            display.finish(state._replace(time=_clock(state.elapsed)))

    def _start(self) -> None:
        if self.show is not False:
            self._display = _choose_display(self.show, self._state(_now()))

    def _state(self, now: float) -> _State:
        elapsed = now - self._started
        known = self._done > 0 and elapsed > 0
        left = max(0.0, elapsed * (self.total / self._done - 1)) if known and self.total else None
        return _State(
            self.description,
            self._done,
            self.total,
            self.unit,
            percent=f"{min(100, 100 * self._done // self.total)}%" if self.total else "",
            speed=f"{_short(self._done / elapsed)} {self.unit}/s" if known else "",
            loss=", ".join(
                f"{name} {loss:.3f}"
                for name, loss in (("loss", self._loss), ("validation", self._validation_loss))
                if loss is not None
            ),
            elapsed=elapsed,
            time="" if left is None else f"{_clock(left)} left",
            note=self._note,
        )

    def _wait(self, reason: str) -> None:
        """Show why the task waits, or log the reason if this task shows nothing."""
        self._note = reason
        if self._display is None:
            self._start()
        if self._display is None:
            log.info("%s", reason)
        else:
            self._display.draw(self._state(_now()))

    def _resume(self, waited: float) -> None:
        """Exclude the time that the task waited from its speed and its remaining time."""
        self._started += waited
        self._shown += waited


@contextlib.contextmanager
def waiting(reason: str) -> Iterator[None]:
    """Show why the running tasks wait, and exclude the time from their speeds and remaining times.

    The reason is shown by the innermost `Progress`, or by a new one if none is running.

    Parameters
    ----------
    reason : str
        What the tasks wait for, such as "compiling the kernel".

    Examples
    --------
    >>> import time
    >>> from fastw2v.utils.progress import Progress, waiting
    >>> with Progress("training", 100, show=False) as progress:
    ...     with waiting("compiling the kernel"):
    ...         time.sleep(0.01)
    ...     progress.update(50)
    """
    tasks, start = _running.copy(), _now()
    with Progress("", None) if not tasks else contextlib.nullcontext(tasks[-1]) as innermost:
        innermost._wait(reason)
        try:
            yield
        finally:
            _waits.append(_now() - start)
            for task in tasks:
                task._resume(_waits[-1])


def time_waited() -> float:
    """Return the number of seconds that this process has spent in `waiting`, for example to compile kernels.

    Examples
    --------
    >>> import time
    >>> from fastw2v.utils.progress import time_waited, waiting
    >>> before = time_waited()
    >>> with waiting("compiling the kernel"):
    ...     time.sleep(0.01)
    >>> time_waited() > before
    True
    """
    return sum(_waits)


def _choose_display(show: bool | None, state: _State) -> _Display:
    if _in_notebook():
        return _NotebookBar(state)
    if show or (sys.stderr is not None and sys.stderr.isatty()):
        return _Bar(state)
    return _LogMessages()


def _in_notebook() -> bool:
    """Return whether this process is the kernel of a Jupyter notebook, in which case IPython is imported already."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get_shell is None else get_shell()
    # The shell of Google Colab, for example, is a subclass.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


class _Bar:
    """A progress bar on standard error."""

    interval = _INTERVAL

    def __init__(self, state: _State) -> None:
        # rich is imported only here, because most programs never show a progress bar.
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[values]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(state.description, total=state.total, values=state.note)
        self._bar.start()

    def draw(self, state: _State) -> None:
        values = "  ".join(state.values())
        self._bar.update(
            self._task, description=state.description, total=state.total, completed=state.done, values=values
        )

    def finish(self, state: _State) -> None:
        try:
            self.draw(state)
        finally:  # restore the cursor even if Ctrl-C is pressed a second time
            self._bar.stop()


class _NotebookBar:
    """A progress bar in the output of a notebook cell. Unlike the widgets of rich, it needs no other package.

    Each update replaces the previous one, so a saved notebook contains only the last state.
    """

    interval = _INTERVAL

    def __init__(self, state: _State) -> None:
        from IPython.display import display

        self._handle = display(self._content(state), raw=True, display_id=True)

    def draw(self, state: _State) -> None:
        self._handle.update(self._content(state), raw=True)

    def finish(self, state: _State) -> None:
        self.draw(state)

    def _content(self, state: _State) -> dict[str, str]:
        """Return the bar as HTML, and as text for programs that do not show HTML."""
        done = min(1.0, state.done / state.total) if state.total else 0.0
        text_bar = ("█" * int(_TEXT_WIDTH * done)).ljust(_TEXT_WIDTH, "░") if state.total else ""
        html_bar = f'<progress max="1" value="{done:.3f}"></progress>' if state.total else ""
        before, after = escape(state.description), map(escape, state.values())
        line = "  ".join(part for part in (before, html_bar, *after) if part)
        return {
            "text/html": f'<div style="font-family: monospace; white-space: pre-wrap">{line}</div>',
            "text/plain": "  ".join(part for part in (state.description, text_bar, *state.values()) if part),
        }


class _LogMessages:
    """Messages of the logger ``fastw2v``."""

    interval = _LOG_INTERVAL

    def draw(self, state: _State) -> None:
        amount = [] if state.total else [f"{state.done:,} {state.unit}"]
        self._log(state, state.note or ", ".join(amount + state.values()))

    def finish(self, state: _State) -> None:
        if state.done:
            amount = f"{state.done:,} {state.unit} in {state.elapsed:.1f} s"
            self._log(state, ", ".join(filter(None, [state.percent, amount, state.speed, state.loss])))

    def _log(self, state: _State, text: str) -> None:
        log.info("%s", f"{state.description}: {text}" if state.description else text)


def _clock(seconds: float) -> str:
    """Return a duration in hours, minutes and seconds, such as "0:01:23"."""
    return str(timedelta(seconds=round(seconds)))


def _short(number: float) -> str:
    """Return a number with three significant digits and a suffix, such as "1.23M" for 1234567."""
    for letter in ("", "k", "M", "G"):
        if number < 999.5 or letter == "G":
            break
        number /= 1000
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{letter}"
