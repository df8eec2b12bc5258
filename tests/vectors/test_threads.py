"""Queries of many threads at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fastw2v.vectors import neighbors
from fastw2v.vectors.word_vectors import WordVectors

WORDS = [f"w{i}" for i in range(3000)]


@pytest.fixture
def wv() -> WordVectors:
    vectors = WordVectors(WORDS, np.random.default_rng(0).normal(size=(3000, 50)).astype(np.float32))
    assert vectors.unit_vectors.shape == (3000, 50)  # computed before the threads ask
    return vectors


def ask(wv: WordVectors, i: int) -> list[tuple[str, float]]:
    """Ask one of several kinds of query."""
    if i % 3 == 0:
        return wv.most_similar(WORDS[i], topn=1 + i % 20)
    if i % 3 == 1:
        return wv.most_similar(positive=[WORDS[i], WORDS[i + 1]], negative=[WORDS[i + 2]], topn=10)
    return wv.most_similar(WORDS[i], restrict_vocab=500 + i % 2)


def brute_force(wv: WordVectors, i: int) -> list[tuple[str, float]]:
    unit = wv.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    terms = {i: 1.0, i + 1: 1.0, i + 2: -1.0} if i % 3 == 1 else {i: 1.0}
    query = sum(weight * unit[row] for row, weight in terms.items())
    cosines = unit[: 3000 if i % 3 < 2 else 500 + i % 2] @ (query / np.linalg.norm(query))
    order = [row for row in np.argsort(-cosines).tolist() if row not in terms]
    return [(WORDS[row], cosines[row]) for row in order[: 1 + i % 20 if i % 3 == 0 else 10]]


def check(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([cosine for _, cosine in found], [cosine for _, cosine in expected], atol=1e-6)


def wait_for(count: int) -> None:
    end = time.monotonic() + 30
    while len(neighbors._waiting) < count:
        assert time.monotonic() < end, "the threads did not ask"
        time.sleep(0.001)


def sizes_of_products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Score waiting queries together. Return a list that receives the number of queries of each product."""
    monkeypatch.setattr(neighbors, "TOGETHER_MIN_SIZE", 0)
    multiply, sizes = neighbors.products, []

    def counted(unit: Any, queries: Any) -> Any:
        sizes.append(len(queries))
        return multiply(unit, queries)

    monkeypatch.setattr(neighbors, "products", counted)
    return sizes


@pytest.mark.parametrize("together", [True, False])
def test_threads_get_the_results_of_brute_force(
    wv: WordVectors, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    monkeypatch.setattr(neighbors, "TOGETHER_MIN_SIZE", 0 if together else 2**30)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: ask(wv, i), range(300)))
    for i in range(300):
        check(found[i], brute_force(wv, i))
    assert not neighbors._waiting


def test_waiting_queries_are_scored_together(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries on the same rows, with different numbers of results and of terms, take one product."""
    sizes = sizes_of_products(monkeypatch)
    asked = [i for i in range(20) if i % 3 < 2]
    other = WordVectors(["a", "b"], np.eye(2))
    assert other.most_similar("a") == [("b", 0.0)]
    sizes.clear()
    with ThreadPoolExecutor(20) as pool:
        with neighbors.turn:
            running = [pool.submit(ask, wv, i) for i in asked]
            alone = pool.submit(other.most_similar, "a")
            wait_for(len(asked) + 1)
        for i, one in zip(asked, running, strict=True):
            check(one.result(30), brute_force(wv, i))
        assert alone.result(30) == [("b", 0.0)]
    assert sorted(sizes) == [1, len(asked)]


def test_scores_of_waiting_queries_are_bounded(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sizes_of_products(monkeypatch)
    monkeypatch.setattr(neighbors, "_SCORES_TOGETHER", 4 * 3000)
    with ThreadPoolExecutor(12) as pool:
        with neighbors.turn:
            running = [pool.submit(wv.most_similar, word) for word in WORDS[:12]]
            wait_for(12)
        for one in running:
            assert len(one.result(30)) == 10
    assert max(sizes) <= 5
    assert sum(sizes) == 12


def test_an_error_in_one_thread_does_not_affect_the_others(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "TOGETHER_MIN_SIZE", 0)
    multiply, failures = neighbors.products, iter([True])

    def failing(unit: Any, queries: Any) -> Any:
        if next(failures, False):
            raise MemoryError
        return multiply(unit, queries)

    monkeypatch.setattr(neighbors, "products", failing)
    with ThreadPoolExecutor(6) as pool:
        with neighbors.turn:
            running = [pool.submit(ask, wv, 3 * i) for i in range(6)]
            wait_for(6)
        errors = [one.exception(30) for one in running]
    assert sorted(error is None for error in errors) == [False] + [True] * 5
    for i, one in enumerate(running):
        if errors[i] is None:
            check(one.result(), brute_force(wv, 3 * i))
    assert not neighbors._waiting


def test_a_signal_handler_may_ask(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler runs in the thread that scores."""
    multiply, found = neighbors.products, []

    def interrupted(unit: Any, queries: Any) -> Any:
        monkeypatch.setattr(neighbors, "products", multiply)
        found.append(ask(wv, 6))
        return multiply(unit, queries)

    monkeypatch.setattr(neighbors, "products", interrupted)
    check(ask(wv, 3), brute_force(wv, 3))
    check(found[0], brute_force(wv, 6))


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="processes are not forked here")
def test_a_forked_process_can_ask() -> None:
    """Other threads of the parent score, and helpers exist, when the process is forked."""
    program = """
import os, threading, warnings
import numpy as np
from fastw2v import WordVectors
from fastw2v.vectors import products
warnings.simplefilter("ignore")
products.available_processors = lambda: 4
wv = WordVectors(range(50_000), np.random.default_rng(0).normal(size=(50_000, 100)).astype("f4"))
expected = wv.most_similar(3)
done = threading.Event()
def ask():
    while not done.is_set():
        wv.most_similar(3)
threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads:
    thread.start()
status = 0
for _ in range(10):
    child = os.fork()
    if not child:
        found = wv.most_similar(3)
        os._exit([word for word, _ in found] != [word for word, _ in expected])
    status |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
for thread in threads:
    thread.join()
raise SystemExit(status)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_threads_that_ask_first_share_the_unit_vectors() -> None:
    wv = WordVectors(range(20_000), np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32))
    start = threading.Barrier(8)

    def first(_: int) -> int:
        start.wait(30)
        return id(wv.unit_vectors)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first, range(8)))) == 1
