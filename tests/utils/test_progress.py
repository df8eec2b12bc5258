"""The progress display shows what it should on a terminal, and nothing elsewhere."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from fastw2v.utils.progress import Progress, _short


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


def test_elsewhere_nothing_is_written(capsys: pytest.CaptureFixture[str]):
    with Progress("training", 10) as progress:
        progress.update(5, loss=1.0)
    assert capsys.readouterr() == ("", "")


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


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.50"), (9.996, "10.0"), (123.4, "123"), (999.9, "1.00k"), (1234567, "1.23M"), (45e9, "45.0G")],
)
def test_short_numbers(number: float, text: str):
    assert _short(number) == text
