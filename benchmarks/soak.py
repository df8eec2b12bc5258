"""Train, save, load and query for a long time, and measure whether memory, files and threads stay constant.

The result in `benchmarks/results/soak` was made by this program::

    python -m benchmarks.soak --minutes 30 --output soak.json

Three groups of threads work at the same time until the end:

- one thread repeats the life of a model: train with checkpoints, resume, save and load every format, build an index,
  and query what was loaded;
- one thread trains one model after another, and checkpoints are written every second;
- eight threads query the same `WordVectors`.

Every second, the memory of the process, its open files and its threads are sampled from `/proc`. The program writes
them to a JSON file and draws them in a picture beside it. It fails if a number grows after the first part of the run.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import machine
from benchmarks.systems.texts import zipf_corpus
from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.formats import FORMATS
from fastw2v.utils.atomic_write import atomic_write

QUERY_THREADS = 8
WARM_UP = 0.2
"""Share of the run whose samples are not judged, because caches and the memory of the allocator fill up."""
MAX_SLOPE = 20.0
"""Growth of the memory in MB per hour above which the program fails. Runs of a few minutes vary more than that."""
MIN_JUDGED_MINUTES = 20.0
"""Length of a run from which the growth of memory is judged."""
VOCABULARY, TOKENS = 5000, 100_000
NAMES = {"RssAnon": "private memory (MB)", "RssFile": "mapped files (MB)", "files": "open files", "threads": "threads"}
"""What is sampled, with the labels of the picture."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two samples")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; the picture is written beside it")
    given = parser.parse_args(arguments)
    found = soak(60 * given.minutes, given.interval)
    with atomic_write(given.output) as path:
        path.write_text(json.dumps(found) + "\n", encoding="utf-8")
    draw(found, given.output.with_suffix(".png"))
    for name, value in found["summary"].items():
        print(f"{name}: {value}")
    for problem in found["problems"]:
        print(problem, file=sys.stderr)
    return 1 if found["problems"] else 0


def soak(seconds: float, interval: float = 1.0) -> dict[str, Any]:
    """Work for some seconds, and return the samples, what was done, and what grew."""
    done = dict.fromkeys(("models", "trainings", "queries"), 0)
    lock = threading.Lock()
    problems: list[str] = []
    end = time.monotonic() + seconds
    corpus = zipf_corpus(TOKENS, VOCABULARY)
    with tempfile.TemporaryDirectory(prefix="fastw2v-soak-") as name:
        folder = Path(name)
        corpus.save(folder / "corpus.w2v")
        Word2Vec(vector_size=32, epochs=1).fit(corpus).wv.save(folder / "vectors.safetensors")
        shared = WordVectors.load(folder / "vectors.safetensors")

        def repeat(what: str, work: Callable[[int], None]) -> None:
            try:
                for number in itertools.count():
                    if time.monotonic() >= end or problems:
                        break
                    work(number)
                    with lock:
                        done[what] += 1
            except BaseException as error:
                problems.append(f"{what}: {type(error).__name__}: {error}")

        jobs = [("models", lambda i: life_of_a_model(folder / f"model-{i}", i))]
        jobs += [("trainings", lambda i: train(corpus, folder / f"training-{i}"))]
        jobs += [("queries", lambda i: query(shared, i))] * QUERY_THREADS
        threads = [threading.Thread(target=repeat, args=job, daemon=True) for job in jobs]
        start = time.monotonic()
        samples: list[dict[str, Any]] = []
        for thread in threads:
            thread.start()
        while not samples or any(thread.is_alive() for thread in threads):
            if not samples or time.monotonic() < end:
                samples.append({"seconds": round(time.monotonic() - start, 2), **sample()})
            time.sleep(interval)
        left = sorted(path.name for path in folder.iterdir() if path.name not in ("corpus.w2v", "vectors.safetensors"))
        if left:
            problems.append(f"files were left behind: {', '.join(left[:5])}")
    summary = summarise(samples)
    problems += problems_of(summary, seconds)
    return {
        "format": "fastw2v soak", "machine": machine.describe(), "seconds": seconds, "done": done, "summary": summary,
        "problems": problems, "samples": samples,
    }  # fmt: skip


def problems_of(summary: dict[str, float], seconds: float) -> list[str]:
    """Return what grew in a run of some seconds."""
    problems = []
    if seconds >= 60 * MIN_JUDGED_MINUTES and (slope := summary["RssAnon, MB per hour"]) > MAX_SLOPE:
        problems.append(f"memory grows by {slope:.1f} MB per hour")
    for name in ("files", "threads"):
        first, last = summary[f"{name}, highest in the first half"], summary[f"{name}, highest in the second half"]
        if last > first + 4:  # a checkpoint or a file that is just being written
            problems.append(f"the number of {name} grows from {first} to {last}")
    return problems


def life_of_a_model(folder: Path, number: int) -> None:
    """Train, interrupt and resume a model, save and load it in every format, query it, and remove all files."""
    folder.mkdir()
    model_name = ("cbow", "skipgram")[number % 2]
    corpus = Corpus.load(folder.parent / "corpus.w2v")

    def interrupt(event: str, model: Word2Vec) -> None:
        if event == "epoch_end" and model.trained_epochs == 1:
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"model": model_name, "vector_size": 32, "epochs": 2, "workers": 2, "seed": number}
    with contextlib.suppress(KeyboardInterrupt):
        Word2Vec(**settings, callbacks=[interrupt]).fit(corpus, checkpoint=folder / "run", checkpoint_every=0.05)
    model = Word2Vec.resume(folder / "run", corpus)
    model.save(folder / "model.safetensors")
    model = Word2Vec.load(folder / "model.safetensors")
    for format in FORMATS:
        if format == "gensim":  # written by gensim alone
            continue
        path = folder / f"vectors-{format}"
        model.wv.save(path, format)
        loaded = WordVectors.load(path, format)
        query(loaded, number)
        first = loaded[loaded.index_to_key[0]]
        if not np.isfinite(first).all():
            raise AssertionError(f"{format}: a vector that was read is not finite")
    model.wv.save(folder / "vectors.txt.gz")
    query(WordVectors.load(folder / "vectors.txt.gz", limit=100), number)
    text = folder / "corpus.txt"
    corpus.write_text(text)
    if len(Corpus.from_text(text)) == 0:
        raise AssertionError("the text was not read")
    del model, loaded, corpus
    shutil.rmtree(folder)


def train(corpus: Corpus, folder: Path) -> None:
    """Train a model with checkpoints."""
    Word2Vec(vector_size=64, epochs=20, workers=1).fit(corpus, checkpoint=folder, checkpoint_every=1)
    shutil.rmtree(folder)


def query(vectors: WordVectors, number: int) -> None:
    """Ask one question of each kind."""
    words = vectors.index_to_key
    a, b, c = (words[(7 * number + i) % len(words)] for i in (0, 11, 23))
    vectors.most_similar(a, topn=5)
    vectors.most_similar(positive=[a, b], negative=[c], topn=5)
    vectors.similarity(a, b)
    vectors.sentence_vectors([[a, b], [c]])
    vectors.doesnt_match([a, b, c])


def sample() -> dict[str, int]:
    """Return the memory of this process in kB, and its numbers of open files and threads."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    memory = {name: int(lines[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile")}
    return memory | {"files": len(list(Path("/proc/self/fd").iterdir())), "threads": int(lines["Threads"])}


def summarise(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Return the slopes of memory after the warm-up, and the highest numbers of files and threads in both halves."""
    judged = [one for one in samples if one["seconds"] >= WARM_UP * samples[-1]["seconds"]]
    hours = np.array([one["seconds"] for one in judged]) / 3600
    summary: dict[str, float] = {}
    for name in ("VmRSS", "RssAnon", "RssFile"):
        values = np.array([one[name] for one in judged]) / 1000
        slope = np.polyfit(hours, values, 1)[0] if len(judged) > 1 else 0.0
        summary |= {f"{name}, MB": round(float(np.median(values)), 1), f"{name}, MB per hour": round(float(slope), 2)}
        half = len(values) // 2
        summary[f"{name}, median of the second half minus that of the first, MB"] = round(
            float(np.median(values[half:]) - np.median(values[:half])) if half else 0.0, 2
        )
    half = len(judged) // 2
    for name in ("files", "threads"):
        for part, where in ((judged[:half] or judged, "first"), (judged[half:], "second")):
            summary[f"{name}, highest in the {where} half"] = max(one[name] for one in part)
    return summary


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the samples over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    axes = figure.subplots(len(NAMES), 1, sharex=True)
    minutes = [one["seconds"] / 60 for one in found["samples"]]
    for one, (name, label) in zip(axes, NAMES.items(), strict=True):
        scale = 1000 if name.startswith("Rss") else 1
        one.plot(minutes, [sample[name] / scale for sample in found["samples"]], linewidth=0.6)
        one.set_title(label, loc="left", fontsize=10)
        one.set_ylim(bottom=0)
        one.set_xlim(0, minutes[-1])
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25, linewidth=0.6)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    raise SystemExit(main())
