"""Tests and measurements on a machine with a GPU, in less than eight minutes: ``make gpu-check``.

CuPy and the dependencies of the library must be installed, but no network is needed. The reports ``gpu-check.json`` and
``gpu-check.md`` are updated after each stage. Each stage runs in a separate process with a time limit, so that a kernel
that fails or hangs ends only its own stage.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import fastw2v
from fastw2v import evaluate
from fastw2v.backend import array_module, cuda_problem, to_host
from fastw2v.config import TILE, Model, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import cpu, eager, gpu, staleness
from fastw2v.engines.base import Engine, Tables
from fastw2v.kernels import word2vec_cuda
from fastw2v.nn.initializers import uniform_weights
from fastw2v.sampling import rng
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec

SECONDS = 465.0
"""Time limit for all stages together. The report lists everything that is left out."""
WORDS, TYPES = 100_000_000, 500_000
"""Number of words and of distinct words in the generated corpus, whose words follow Zipf's law."""
DIM, WINDOW, NEGATIVE, SAMPLE = 128, 5, 5, 1e-3
RATES: dict[Model, float] = {"cbow": 0.2, "skipgram": 0.04}
WARPS = (4, 8, 2, 16)
"""Values of `word2vec_cuda.WARPS` to try. Fewer but faster blocks may reach the same speed with less staleness."""
POOL_SYNC_INTERVALS = (1, 4, 16)
"""Values of `gpu.POOL_SYNC_INTERVAL` to try."""
STALENESS = (2.0, 4.0, 1.0)
"""Values of `staleness.MAX_STALENESS` to try."""
GROUPS = (256, 512, 64, 16)
"""Values of `eager.GPU_GROUPS` to try."""

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="path of the reports, without suffix")
    parser.add_argument("--words", type=int, default=WORDS, help="number of words in the generated corpus")
    parser.add_argument("--commit", default=None, help="commit to state in the report (default: from git)")
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES), help="stages to run (default: all)")
    parser.add_argument(
        "--stage", nargs=2, metavar=("NAME", "SECONDS"), help="run one stage in this process (internal)"
    )
    arguments = parser.parse_args()
    if arguments.stage:
        name, seconds = arguments.stage
        for result in STAGES[name][0](arguments.words, time.monotonic() + float(seconds)):
            save(arguments.output, json.dumps(result))
        return 0
    if problem := cuda_problem():
        print(f"There is no GPU to check: {problem}", file=sys.stderr)
        return 1
    deadline = time.monotonic() + SECONDS
    report: Result = {"machine": machine(arguments.commit), "stages": {}}
    for name in arguments.only:
        print(f"{name} ...", flush=True)
        seconds = min(STAGES[name][1], deadline - time.monotonic())
        report["stages"][name] = (
            in_a_process(name, arguments.words, seconds) if seconds > 5 else {"left out": "there was not enough time"}
        )
        write(arguments.output, report)
    print(arguments.output.with_suffix(".md").read_text(encoding="utf-8"))
    return int(any("failed" in result for result in report["stages"].values()))


def in_a_process(name: str, words: int, seconds: float) -> Result:
    """Run a stage in a separate process; return its last result and, after a failure, the reason."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        command = [sys.executable, "-m", "benchmarks.gpu_check", "--stage", name, str(seconds)]
        problem = None
        try:
            # A measurement that is still running at the time limit may finish.
            done = subprocess.run(
                [*command, "--output", output, "--words", str(words)], capture_output=True, text=True,
                timeout=seconds + 20, check=False,
            )  # fmt: skip
            if done.returncode:
                problem = f"exit status {done.returncode}: {done.stderr.strip()[-3000:]}"
        except subprocess.TimeoutExpired:
            problem = f"stopped after {seconds + 20:.0f} s"
        result: Result = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    return result if problem is None else {"failed": problem} | result


def machine(commit: str | None) -> Result:
    """Return the versions and the device for the report."""
    import cupy

    if commit is None:
        with contextlib.suppress(OSError):  # git may not be installed
            asked = ["git", "rev-parse", "HEAD"]
            commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "fastw2v": fastw2v.__version__,
        "device": properties["name"].decode(),
        "compute capability": cupy.cuda.Device().compute_capability,
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "NVRTC": ".".join(map(str, cupy.cuda.nvrtc.getVersion())),
        "cupy": cupy.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }


def tests(words: int, deadline: float) -> Iterator[Result]:
    """Run the tests marked gpu, with all files in parallel, because the tests spend most of their time compiling."""
    if importlib.util.find_spec("pytest") is None:
        yield {"failed": "pytest is not installed"}
        return
    root = Path(__file__).parents[1]
    # Warnings of CuPy and NumPy are not errors here.
    command = [sys.executable, "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider"]
    command += ["-m", "gpu and not slow", "--durations=3"]
    running = []
    for path in sorted(root.glob("tests/**/test_*.py")):
        if re.search(r"\bxp\b|\bgpu\b", path.read_text(encoding="utf-8")):
            output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            process = subprocess.Popen([*command, path], cwd=root, stdout=output, stderr=subprocess.STDOUT)
            running.append((str(path.relative_to(root)), process, output))
    rows, faults = [], []
    for name, process, output in running:
        try:
            status = process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        output.seek(0)
        text = output.read().strip()
        output.close()
        if status != 5:  # 5: the file has no tests marked gpu
            rows.append({"file": name, "exit status": status, "summary": text.splitlines()[-1] if text else ""})
        if status not in (0, 5):
            faults.append(f"==== {name}\n{text[-4000:]}")
        yield {"results": rows, "output": "\n".join(faults)}
    if faults:
        yield {"failed": "see the output", "results": rows, "output": "\n".join(faults)}


def bandwidth(words: int, deadline: float) -> Iterator[Result]:
    """Measure copying, gathering rows, and adding to random rows, in 10**9 bytes per second."""
    import cupy
    import cupyx

    def rate(step: Callable[[], Any], moved: float) -> float:
        step()
        cupy.cuda.Device().synchronize()
        began, ended = cupy.cuda.Event(), cupy.cuda.Event()
        began.record()
        for _ in range(5):
            step()
        ended.record()
        ended.synchronize()
        return round(5 * moved / cupy.cuda.get_elapsed_time(began, ended) * 1e3 / 1e9, 1)

    result: Result = {}
    W = cupy.zeros((8 * TYPES, DIM), np.float32)  # 2 GB, larger than any cache
    copy = cupy.empty_like(W)
    result["copy"] = rate(lambda: cupy.copyto(copy, W), 2 * W.nbytes)
    yield result
    ids = cupy.asarray(zipf(2_000_000))
    rows = cupy.empty((len(ids), DIM), np.float32)
    result["gather rows by Zipf's law"] = rate(lambda: cupy.take(W, ids, axis=0, out=rows), 2 * rows.nbytes)
    yield result
    result["add to rows by Zipf's law"] = rate(lambda: cupyx.scatter_add(W, ids, rows), 2 * rows.nbytes)
    yield result


def zipf(n: int) -> np.ndarray:
    """Return `n` word ids that follow the Zipf-Mandelbrot law, drawn on the device."""
    xp = array_module("cuda")
    share = xp.cumulative_sum(1 / (xp.arange(TYPES, dtype=xp.float64) + 2.7))
    parts = []
    for first in range(0, n, 1 << 23):
        random = rng.bits(rng.stream_key(1, rng.SHUFFLE, 0), xp.arange(first, min(first + (1 << 23), n)))
        number = xp.astype(random >> 11, xp.float64) * 2.0**-53
        parts.append(to_host(xp.astype(xp.searchsorted(share / share[-1], number), xp.int32)))
    return np.minimum(np.concatenate(parts), TYPES - 1)


def generated(words: int) -> Corpus:
    """Return a corpus of words that follow Zipf's law, in sentences of 1,000 words."""
    ids = zipf(words)
    vocabulary = Vocabulary([str(i) for i in range(TYPES)], np.bincount(ids, minlength=TYPES))
    return Corpus(ids, np.append(np.arange(0, words, 1000), words), vocabulary)


def sweep(words: int, deadline: float) -> Iterator[Result]:
    """Try several numbers of warps, pool sync intervals and staleness bounds, and report the results on wiki8.

    The results are speed and quality. Without wiki8, the words are generated, and the results are speed and loss.
    """
    text = data("wiki8.txt*")
    corpus = Corpus.from_text(text, 5) if text else generated(words // 5)
    results: list[Result] = []
    settings = [(warps, POOL_SYNC_INTERVALS[0], STALENESS[0]) for warps in WARPS]
    settings += [(warps, interval, STALENESS[0]) for warps in WARPS[:2] for interval in POOL_SYNC_INTERVALS[1:]]
    settings += [(WARPS[0], POOL_SYNC_INTERVALS[0], bound) for bound in STALENESS[1:]]
    for warps, interval, bound in settings:
        for model in RATES:
            if time.monotonic() > deadline:
                yield {"left out": "the remaining settings, for lack of time", "results": results}
                return
            result: Result = {"model": model, "warps": warps, "pool sync interval": interval, "staleness": bound}
            with (
                patch.object(word2vec_cuda, "WARPS", warps),
                patch.object(gpu, "POOL_SYNC_INTERVAL", interval),
                patch.object(staleness, "MAX_STALENESS", bound),
            ):
                try:
                    results.append(result | trained(corpus, model, "cuda"))
                except (FloatingPointError, ValueError) as error:
                    results.append(result | {"refused": str(error)})
            yield {"corpus": str(text or "generated"), "results": results}


def trained(corpus: Corpus, model: Model, device: str) -> Result:
    """Train with the fused engine; return the quality and the speed, which excludes compiling and copying."""
    seen: list[tuple[int, float, float]] = []

    def note(done: int, loss: float, rate: float) -> None:
        seen.append((done, loss, time.perf_counter()))

    began = time.perf_counter()
    estimator = Word2Vec(model=model, device=device, engine="fused").fit(corpus, progress=note)
    seconds = time.perf_counter() - began
    result = {"seconds": round(seconds, 2), "words/s": between(seen), "loss": round(seen[-1][1], 4)}
    if data("wiki8.txt*"):
        wv = WordVectors(estimator.wv.index_to_key, to_host(estimator.wv.vectors))
        if path := data("questions-words.txt"):
            result["analogies %"] = round(
                100 * evaluate.analogies(wv, evaluate.read_analogies(path)).overall.accuracy, 1
            )
        if path := data("wordsim353.tsv"):
            result["wordsim353"] = round(evaluate.word_pairs(wv, evaluate.read_pairs(path)).spearman, 3)
    return result


def between(seen: list[tuple[int, float, float]]) -> int | None:
    """Return words per second between the first and the last progress report, or None if there is only one report."""
    (first, _, began), (last, _, ended) = seen[0], seen[-1]
    return round((last - first) / (ended - began)) if len(seen) > 1 else None


def data(name: str) -> Path | None:
    """Return the path of a file in the folder named by FASTW2V_DATA, or None if there is no such file."""
    folder = os.environ.get("FASTW2V_DATA")
    return next(iter(sorted(Path(folder).glob(f"**/{name}"))), None) if folder else None


def quality(words: int, deadline: float) -> Iterator[Result]:
    """Train on wiki8 with the fused engines of both devices, and score analogies and word pairs."""
    text = data("wiki8.txt*")
    if text is None:
        yield {"left out": "FASTW2V_DATA does not name a folder that contains wiki8.txt"}
        return
    corpus = Corpus.from_text(text, 5)
    results: list[Result] = []
    for model in RATES:
        for device in ("cuda", "cpu"):
            if device == "cuda" or cpu.unavailable_reason() is None:
                results.append({"model": model, "device": device} | trained(corpus, model, device))
                yield {"results": results}


def speed(words: int, deadline: float) -> Iterator[Result]:
    """Time the fused engines on generated words, and estimate the GPU's bytes per second."""
    corpus = generated(words)
    keep = keep_threshold(corpus.vocabulary.counts, SAMPLE)
    kept = float((corpus.vocabulary.counts * (keep / 2.0**32)).sum() / words)
    results: list[Result] = []
    for model in RATES:
        for interval in POOL_SYNC_INTERVALS:
            if time.monotonic() > deadline:
                break
            with patch.object(gpu, "POOL_SYNC_INTERVAL", interval):
                found = timed(gpu, corpus, model, "cuda")
            # Rows read and written: a streaming row, the target's row and, once per interval, the rows of the pool.
            pool_size = TrainingConfig(model=model, negative=NEGATIVE, vector_size=DIM).pool_size
            rows = 4 + 2 * pool_size / (TILE * interval)
            moved = kept * rows * 4 * DIM + 4
            found |= {"pool sync interval": interval, "bytes per word, by count": round(moved)}
            if found["words/s"]:
                found["10**9 bytes/s"] = round(moved * found["words/s"] / 1e9, 1)
            results.append({"engine": "cuda fused", "model": model} | found)
            yield {"words": words, "kept": round(kept, 4), "results": results}
        if time.monotonic() < deadline and cpu.unavailable_reason() is None:
            few, workers = max(1, words // 10), os.cpu_count() or 1
            found = timed(cpu, beginning(corpus, few), model, "cpu", workers=workers)
            results.append({"engine": f"cpu fused, {workers} workers", "model": model} | found)
            yield {"words": words, "kept": round(kept, 4), "results": results}


def beginning(corpus: Corpus, tokens: int) -> Corpus:
    """Return the first tokens of a corpus, with the vocabulary and counts of the whole corpus."""
    offsets = corpus.offsets
    return Corpus(corpus.ids[:tokens], np.append(offsets[offsets < tokens], tokens), corpus.vocabulary)


def layers(words: int, deadline: float) -> Iterator[Result]:
    """Time the layers on the GPU for each batch size, with and without a fixed order of additions."""
    corpus = generated(max(1000, words // 10))
    results: list[Result] = []
    for deterministic in (False, True):
        for model in RATES:  # compile first
            timed(eager, beginning(corpus, 1000), model, "cuda", deterministic=deterministic)
        for groups in GROUPS:
            for model in RATES:
                if time.monotonic() > deadline:
                    yield {"left out": "the remaining settings, for lack of time", "results": results}
                    return
                with patch.object(eager, "GPU_GROUPS", groups):
                    found = timed(eager, corpus, model, "cuda", deterministic=deterministic)
                tokens = groups * eager.BATCH_POOL_TOKENS
                results.append({"model": model, "tokens in a batch": tokens, "deterministic": deterministic} | found)
                yield {"results": results}


def timed(
    engine: Engine,
    corpus: Corpus,
    model: Model,
    device: str,
    *,
    tables: Tables | None = None,
    workers: int | None = None,
    **settings: Any,
) -> Result:
    """Train an epoch; return the speed between the first and the last progress report, and the last loss."""
    seen: list[tuple[int, float, float]] = []
    if tables is None:
        tables = engine.allocate((len(corpus.vocabulary), DIM), device)
        uniform_weights(tables.W_in, seed=1)
    config = TrainingConfig(
        model=model, vector_size=tables.W_in.shape[1], window=WINDOW, negative=NEGATIVE, sample=SAMPLE,
        alpha=RATES[model], cbow_grad="balanced", epochs=1, **settings,
    )  # fmt: skip

    def note(done: int, loss: float, rate: float) -> None:
        seen.append((done, loss, time.perf_counter()))

    began = time.perf_counter()
    try:
        engine.train(tables, corpus, config, workers=workers, on_progress=note)
    except FloatingPointError as error:
        return {"words/s": None, "loss": str(error)}
    seconds = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, "words/s": between(seen), "loss": round(seen[-1][1], 4)}


STAGES: dict[str, tuple[Callable[[int, float], Iterator[Result]], float]] = {
    "tests": (tests, 170),
    "bandwidth": (bandwidth, 30),
    "sweep": (sweep, 110),
    "speed": (speed, 70),
    "layers": (layers, 50),
    "quality": (quality, 60),
}
"""Stages, each with the number of seconds after which it starts no new measurement."""


def write(output: Path, report: Result) -> None:
    """Write the report as JSON and as Markdown."""
    lines = ["# fastw2v on a GPU", ""]
    lines += [f"- {name}: {value}" for name, value in report["machine"].items()]
    for name, stage in report["stages"].items():
        lines += ["", f"## {name.capitalize()}", ""]
        lines += [f"- {key}: {value}" for key, value in stage.items() if key not in ("output", "results")]
        if rows := stage.get("results"):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines += ["", "| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
            lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
        if stage.get("output"):
            lines += ["", "```", stage["output"].strip(), "```"]
    save(output.with_suffix(".json"), json.dumps(report, indent=2))
    save(output.with_suffix(".md"), "\n".join(lines) + "\n")


def save(path: Path, text: str) -> None:
    """Write a file atomically."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
