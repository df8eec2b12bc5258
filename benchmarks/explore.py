"""Measure the explore page in a headless browser: opening, searches, and frames while the map pans and zooms.

The figures in docs/notebook/explore.md were measured with this program, which needs the package playwright and
Chromium::

    python -m benchmarks.explore

The vectors are 100,000 words of 100 dimensions in clusters. The browser renders in software. The page is opened as a
self-contained file and from the server.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v import WordVectors
from fastw2v.explore import ExploreServer, write_page

SECONDS = 4.0
"""Time for which the map pans, and then zooms."""
SEARCHES = 30
COUNT_FRAMES = """
window.counting = true; window.frames_ = [];
requestAnimationFrame(function count(now) { frames_.push(now); if (counting) requestAnimationFrame(count); });
"""
SEARCH = """
word => new Promise(done => {
  const start = performance.now();
  new MutationObserver((_, observer) => { observer.disconnect(); done(performance.now() - start); })
    .observe(document.getElementById("lists"), { childList: true });
  document.getElementById("word").value = word;
  document.getElementById("search").requestSubmit();
})
"""
"""The time from Enter to the list in milliseconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explore", description=str(__doc__).splitlines()[0])
    parser.add_argument("--words", type=int, default=100_000)
    given = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        parser.error("Chromium was not found; install it, for example with apt-get install chromium")
    random = np.random.default_rng(0)
    rows = random.normal(size=(10, 100))[np.arange(given.words) % 10] + random.normal(size=(given.words, 100)) * 0.7
    words = [f"word{i}" for i in range(given.words)]
    vectors = WordVectors(words, rows.astype(np.float32), counts=np.arange(given.words, 0, -1))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        write_page(vectors, page, method="pca", top=given.words)
        print(f"self-contained file: {page.stat().st_size / 1e6:.1f} MB")
        with ExploreServer(vectors, method="pca", top=given.words) as server:
            for name, url in (("file", page.as_uri()), ("server", server.url)):
                started = playwright.chromium.launch(executable_path=browser, args=["--disable-gpu"])
                for line in measure(started, url, words):
                    print(f"{name}: {line}", flush=True)
                started.close()
    return 0


def measure(browser: Any, url: str, words: list[str]) -> list[str]:
    """Return lines with the measured values."""
    opening = []
    for _ in range(3):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        start = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector("html[data-ready]")
        page.evaluate(SEARCH, words[0])
        opening.append(time.perf_counter() - start)
        if len(opening) < 3:
            page.close()
    searches = [page.evaluate(SEARCH, words[(7919 * i + 1) % len(words)]) for i in range(SEARCHES)]
    page.keyboard.press("Escape")
    page.click("#all")
    page.wait_for_timeout(1000)

    def pan(i: int) -> None:
        page.mouse.move(800 + 150 * np.sin(i / 15), 350 + 100 * np.cos(i / 15))

    def zoom(i: int) -> None:
        page.mouse.wheel(0, -40 if (i // 60) % 2 == 0 else 40)

    page.mouse.move(800, 350)
    page.mouse.down()
    panning = frames(page, pan)
    page.mouse.up()
    zooming = frames(page, zoom)
    return [
        f"from opening to the list of a search: {statistics.median(opening):.2f} s",
        f"search: median {statistics.median(searches):.0f} ms, maximum {max(searches):.0f} ms",
        f"panning: {panning}",
        f"zooming: {zooming}",
    ]


def frames(page: Any, act: Callable[[int], None]) -> str:
    """Return the rate of frames while `act` moves the mouse, and the time that 95% of the frames stay below."""
    page.evaluate(COUNT_FRAMES)
    start, i = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        act(i)
        page.wait_for_timeout(6)
        i += 1
    times = np.diff(page.evaluate("(counting = false, frames_)"))
    return f"{1000 / times.mean():.0f} frames/s, 95% of the frames take at most {np.percentile(times, 95):.0f} ms"


if __name__ == "__main__":
    raise SystemExit(main())
