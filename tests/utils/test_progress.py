"""The progress display suits its place: a terminal, a notebook, or neither."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from fastw2v.utils import progress as module
from fastw2v.utils.progress import Progress, _clock, _short, time_waited, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pretend_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # This is not a fixture, because pytest restores its own stream between setup and call of a test.
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    return terminal


def test_a_terminal_gets_percent_speed_and_loss(monkeypatch: pytest.MonkeyPatch):
    terminal = pretend_terminal(monkeypatch)
    with Progress("training", 2000) as progress:
        progress.update(500, loss=2.5)
        progress.update(1000)
    shown = terminal.getvalue()
    for part in ("training", "50%", "words/s", "loss 2.500"):
        assert part in shown


@pytest.mark.parametrize("total", [0, None])
def test_an_unknown_total(monkeypatch: pytest.MonkeyPatch, total: int | None):
    terminal = pretend_terminal(monkeypatch)
    with Progress("reading", total, unit="lines") as progress:
        progress.update(7)
    assert "lines/s" in terminal.getvalue()


def test_show_false_writes_nothing_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    terminal = pretend_terminal(monkeypatch)
    with Progress("training", 10, show=False) as progress:
        progress.update(5, loss=1.0)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("silent", [False, None])
def test_elsewhere_nothing_is_written(capsys: pytest.CaptureFixture[str], silent: bool | None):
    with Progress("training", 10, show=silent) as progress:
        progress.update(5, loss=1.0)
    assert capsys.readouterr() == ("", "")


class Clock:
    """A clock that a test sets."""

    time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "_now", clock)
    return clock


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture, clock: Clock) -> Any:
    """Return the log messages since the last call, each with the time since the start of the test in seconds."""
    caplog.set_level(logging.INFO, logger="fastw2v")

    def since_last() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "fastw2v"]
        caplog.clear()
        return found

    return since_last


def test_without_a_terminal_progress_is_logged_every_ten_seconds_and_at_the_end(clock: Clock, messages: Any):
    with Progress("training", 400_000) as progress:
        said = {}
        for second in range(1, 40):
            clock.time = 100 + second
            progress.update(10_000 * second, loss=5 - second / 10)
            if new := messages():
                said[second] = new
        clock.time = 140
        progress.update(400_000)
    assert said == {
        10: ["training: 25%, 10.0k words/s, loss 4.000, 0:00:30 left"],
        20: ["training: 50%, 10.0k words/s, loss 3.000, 0:00:20 left"],
        30: ["training: 75%, 10.0k words/s, loss 2.000, 0:00:10 left"],
    }
    assert messages() == [
        "training: 100%, 10.0k words/s, loss 1.100, 0:00:00 left",
        "training: 100%, 400,000 words in 40.0 s, 10.0k words/s, loss 1.100",
    ]


def test_an_unknown_total_is_logged_as_an_amount(clock: Clock, messages: Any):
    with Progress("reading", None, unit="lines") as progress:
        clock.time += 20
        progress.update(5000)
        assert messages() == ["reading: 5,000 lines, 250 lines/s"]
    assert messages() == ["reading: 5,000 lines in 20.0 s, 250 lines/s"]


def test_an_interrupted_task_logs_how_far_it_came(clock: Clock, messages: Any):
    def interrupted() -> None:
        with Progress("training", 100) as progress:
            clock.time += 5
            progress.update(30, loss=1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert messages() == ["training: 30%, 30 words in 5.0 s, 6.00 words/s, loss 1.000"]


def test_a_delayed_display_ignores_short_tasks(clock: Clock, messages: Any):
    for seconds, n_messages in ((0.5, 0), (2, 1)):
        with Progress("reading", 100, unit="bytes", delay=1) as progress:
            clock.time += seconds
            progress.update(100)
        assert len(messages()) == n_messages


def test_show_false_logs_nothing(clock: Clock, messages: Any):
    with Progress("training", 100, show=False) as progress:
        clock.time += 100
        progress.update(50)
    assert messages() == []


def test_a_bar_is_not_logged(monkeypatch: pytest.MonkeyPatch, clock: Clock, messages: Any):
    terminal = pretend_terminal(monkeypatch)
    with Progress("training", 100) as progress:
        clock.time += 100
        progress.update(50)
    assert "50%" in terminal.getvalue()
    assert messages() == []


def test_the_time_of_waiting_counts_neither_in_the_speed_nor_in_the_time_left(clock: Clock, messages: Any):
    with Progress("training", 400) as progress:
        with waiting("compiling the kernel"):
            assert messages() == ["training: compiling the kernel"]
            clock.time += 7
        clock.time += 10
        progress.update(100)
        assert messages() == ["training: 25%, 10.0 words/s, 0:00:30 left"]
    assert messages() == ["training: 25%, 100 words in 10.0 s, 10.0 words/s"]


def test_the_bar_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, clock: Clock, messages: Any):
    terminal = pretend_terminal(monkeypatch)
    with Progress("training", 400) as progress:
        with waiting("compiling the kernel"):
            clock.time += 7
            progress._display._bar.refresh()
            assert "compiling the kernel" in terminal.getvalue()
        terminal.truncate(0)
        clock.time += 10
        progress.update(100)
    assert "compiling" not in terminal.getvalue()
    assert "10.0 words/s" in terminal.getvalue()
    assert messages() == []


def test_the_time_waited_is_the_sum_of_all_waits(clock: Clock):
    def interrupted() -> None:
        with waiting("compiling the kernel"):
            clock.time += 3
            raise KeyboardInterrupt

    before = time_waited()
    with waiting("compiling the kernel"):
        clock.time += 7
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time_waited() - before == pytest.approx(10)


@pytest.mark.parametrize("running", [False, True])
def test_waiting_is_shown_or_logged_without_a_display(
    monkeypatch: pytest.MonkeyPatch, messages: Any, clock: Clock, running: bool
):
    def wait() -> None:
        with waiting("compiling the kernel"):
            clock.time += 7

    if running:
        with Progress("training", 10, show=False):
            wait()
    else:
        wait()
    assert messages() == ["compiling the kernel"]
    if not running:
        terminal = pretend_terminal(monkeypatch)
        wait()
        assert "compiling the kernel" in terminal.getvalue()
        assert "0:00:07" in terminal.getvalue()
        assert messages() == []


class FakeNotebook:
    """A Jupyter kernel's IPython, which records the last content of each display."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shell: type) -> None:
        self.displays: list[dict[str, str]] = []
        ipython = SimpleNamespace(get_ipython=shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=self.display))

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> FakeNotebook:
        assert raw
        assert display_id
        self.displays.append(data)
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.displays[-1] = data

    @property
    def texts(self) -> list[str]:
        return [data["text/plain"] for data in self.displays]


class ZMQInteractiveShell:
    pass


class ColabShell(ZMQInteractiveShell):
    pass


class TerminalInteractiveShell:
    pass


@pytest.mark.parametrize("shell", [ZMQInteractiveShell, ColabShell])
def test_a_notebook_gets_a_bar_that_is_updated(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, messages: Any, capsys: pytest.CaptureFixture[str], shell: type
):
    notebook = FakeNotebook(monkeypatch, shell)
    with Progress("training", 400) as progress:
        with waiting("compiling the kernel"):
            assert "compiling the kernel" in notebook.texts[0]
            clock.time += 7
        clock.time += 10
        progress.update(100, loss=2.5)
        assert notebook.texts == ["training  " + "█" * 7 + "░" * 23 + "  25%  10.0 words/s  loss 2.500  0:00:30 left"]
        assert '<progress max="1" value="0.250"></progress>  25%  10.0 words/s' in notebook.displays[0]["text/html"]
        clock.time += 30
        progress.update(400)
    assert notebook.texts == ["training  " + "█" * 30 + "  100%  10.0 words/s  loss 2.500  0:00:40"]
    assert messages() == []
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_an_unknown_total_has_no_bar_and_text_is_escaped(monkeypatch: pytest.MonkeyPatch, clock: Clock):
    notebook = FakeNotebook(monkeypatch, ZMQInteractiveShell)
    with Progress("<b>", None, unit="a&b") as progress:
        clock.time += 10
        progress.update(100)
    (shown,) = notebook.displays
    assert shown["text/plain"] == "<b>  10.0 a&b/s  0:00:10"
    assert re.fullmatch(r"<div [^>]*>&lt;b&gt;  10.0 a&amp;b/s  0:00:10</div>", shown["text/html"])


def test_ipython_on_a_terminal_is_not_a_notebook(monkeypatch: pytest.MonkeyPatch):
    FakeNotebook(monkeypatch, TerminalInteractiveShell)
    terminal = pretend_terminal(monkeypatch)
    with Progress("training", 10) as progress:
        progress.update(5)
    assert "50%" in terminal.getvalue()


def test_an_interruption_passes_through_and_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch):
    terminal = pretend_terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt), Progress("training", 10):
        raise KeyboardInterrupt
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert terminal.getvalue().rindex(show) > terminal.getvalue().rindex(hide)


def test_update_is_cheap(monkeypatch: pytest.MonkeyPatch):
    pretend_terminal(monkeypatch)
    with Progress("training", 100_000) as progress:
        start = time.perf_counter()
        for done in range(100_000):
            progress.update(done, loss=1.0)
        seconds = time.perf_counter() - start
    assert seconds < 2  # 20 microseconds per call, even on a busy machine


def test_without_a_terminal_rich_is_not_imported():
    code = (
        "import sys; from fastw2v.utils.progress import Progress\n"
        "with Progress('training', 1) as p: p.update(1)\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.PIPE)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00:00"), (83, "0:01:23"), (7384, "2:03:04")])
def test_times(seconds: float, text: str):
    assert _clock(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.50"), (9.996, "10.0"), (123.4, "123"), (999.9, "1.00k"), (1234567, "1.23M"), (45e9, "45.0G")],
)
def test_short_numbers(number: float, text: str):
    assert _short(number) == text
