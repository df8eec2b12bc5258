"""Tests of tasks that threads share: each part is computed once, and errors reach the caller."""

from __future__ import annotations

import threading
import time

import pytest

from fastw2v.utils import threads
from fastw2v.utils.threads import share_blocks


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_processors", lambda: 4)
    threads._helpers.cache_clear()


@pytest.mark.parametrize(("n_blocks", "step"), [(0, 1), (1, 1), (7, 1), (10, 3), (12, 4), (5, 100)])
def test_each_block_is_computed_once(n_blocks: int, step: int) -> None:
    parts: list[tuple[int, int]] = []
    share_blocks(lambda start, stop: parts.append((start, stop)), n_blocks, step)
    assert sorted(i for start, stop in parts for i in range(start, stop)) == list(range(n_blocks))
    assert all(stop - start <= step for start, stop in parts)


def test_several_threads_take_part() -> None:
    names = set()

    def compute(start: int, stop: int) -> None:
        names.add(threading.current_thread().name)
        time.sleep(0.01)  # without the interpreter's lock

    share_blocks(compute, 40)
    assert len(names) > 1


@pytest.mark.parametrize("number", [1, 20])
def test_an_error_reaches_the_caller_and_stops_the_others(number: int) -> None:
    """`number` is that of the call that fails, in the caller or in a helper."""
    computed = []

    def compute(start: int, stop: int) -> None:
        time.sleep(0.001)
        computed.append(start)
        if len(computed) >= number:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        share_blocks(compute, 1000)
    assert number <= len(computed) < 500


def test_an_error_of_a_helper_reaches_the_caller() -> None:
    caller, failed = threading.current_thread(), threading.Event()

    def compute(start: int, stop: int) -> None:
        if threading.current_thread() is caller:
            failed.wait(60)  # so that a helper takes a part
        else:
            failed.set()
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        share_blocks(compute, 10)
    assert failed.is_set()


def test_the_caller_waits_for_the_parts_of_helpers() -> None:
    caller, started, computed = threading.current_thread(), threading.Event(), []

    def compute(start: int, stop: int) -> None:
        if threading.current_thread() is caller:
            started.wait(60)
        else:
            started.set()
            time.sleep(0.3)
        computed.append(start)

    share_blocks(compute, 5)
    assert sorted(computed) == list(range(5))


def test_a_part_may_share_its_own_parts() -> None:
    """The helpers may all be busy, so that the inner task has none."""
    computed = []

    def compute(start: int, stop: int) -> None:
        share_blocks(lambda inner, _: computed.append((start, inner)), 5)

    share_blocks(compute, 8)
    assert sorted(computed) == [(i, j) for i in range(8) for j in range(5)]
