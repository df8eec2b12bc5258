"""Deferred signals, and calls for which Ctrl-C does not wait."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastw2v.utils.interrupts import DeferredInterrupts, call_in_thread, calls_in_threads

pytestmark = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="SIGINT is ignored, as in background jobs"
)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Check that the handlers are those of before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_signal_acts_at_once_unless_it_is_deferred() -> None:
    with pytest.raises(KeyboardInterrupt), DeferredInterrupts():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise AssertionError


def test_a_deferred_signal_acts_when_it_is_asked_for_or_at_the_end() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), DeferredInterrupts() as interrupts:  # noqa: PT012
        interrupts.deferring = True
        assert not interrupts.received
        signal.raise_signal(signal.SIGINT)
        assert interrupts.received
        steps.append(1)
        interrupts.raise_received()
        steps.append(2)
    with pytest.raises(KeyboardInterrupt), DeferredInterrupts(lambda: steps.append(3)) as interrupts:  # noqa: PT012
        interrupts.deferring = True
        signal.raise_signal(signal.SIGINT)
        steps.append(4)
    assert steps == [1, 3, 4]


def test_a_second_signal_is_not_deferred() -> None:
    with pytest.raises(KeyboardInterrupt), DeferredInterrupts() as interrupts:  # noqa: PT012
        interrupts.deferring = True
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError


def test_another_error_is_not_replaced_by_the_signal() -> None:
    with pytest.raises(ValueError, match="the step failed"), DeferredInterrupts() as interrupts:  # noqa: PT012
        interrupts.deferring = True
        signal.raise_signal(signal.SIGINT)
        raise ValueError("the step failed")


def test_handlers_of_the_system_and_of_the_program_are_kept() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with DeferredInterrupts():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
        with DeferredInterrupts() as interrupts:
            interrupts.deferring = True
            signal.raise_signal(signal.SIGTERM)
            assert seen == []
            interrupts.raise_received()
            assert seen == [signal.SIGTERM]
        with DeferredInterrupts():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # in a callback, for example
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_changes_no_handler() -> None:
    def enter() -> Any:
        with DeferredInterrupts() as interrupts:
            interrupts.deferring = True
            return signal.getsignal(signal.SIGINT)

    assert call_in_thread(enter) is signal.getsignal(signal.SIGINT)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a single process")
def test_ctrl_c_does_not_wait_for_the_call() -> None:
    called, go_on = threading.Event(), threading.Event()

    def call() -> None:
        called.set()
        assert go_on.wait(60)

    def interrupt() -> None:
        assert called.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        thread.start()
        call_in_thread(call)
    assert calls_in_threads()
    go_on.set()
    for other in threading.enumerate():
        if other is not threading.current_thread() and other.name.startswith("fastw2v"):
            other.join(60)
    assert not calls_in_threads()


def test_the_error_of_the_call_reaches_the_caller() -> None:
    with pytest.raises(TimeoutError, match="of the call"):
        call_in_thread(_fail)
    assert call_in_thread(divmod, 7, 2) == (3, 1)


def _fail() -> None:
    raise TimeoutError("of the call")
