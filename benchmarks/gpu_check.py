"""Tests and measurements for a machine with a GPU, in one command and under eight minutes: ``make gpu-check``.

Needs CuPy and the library's own dependencies, installed; no network. Writes ``gpu-check.json`` and ``gpu-check.md``
anew after each stage. A stage is a process of its own, with a time limit: a kernel that faults or never ends takes
its stage with it, and the others still tell something.
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
from fastw2v import Corpus, Word2Vec, WordVectors, draws, engine, evaluate
from fastw2v.backend import array_module, cuda_problem, to_host
from fastw2v.kernels import cpu, crowd, gpu
from fastw2v.kernels.schedule import TILE, pool_size_for
from fastw2v.models import uniform_weights
from fastw2v.sampling import keep_threshold

SECONDS = 465.0
"""Of the whole; what no longer fits is left out, and said to be."""
WORDS, TYPES = 100_000_000, 500_000
"""Of the generated corpus: word ids by Zipf's law."""
DIM, WINDOW, NEGATIVE, SAMPLE = 128, 5, 5, 1e-3
RATES: dict[gpu.Model, float] = {"cbow": 0.2, "skipgram": 0.04}
WARPS = (4, 8, 2, 16)
"""Of a block, to be tried: fewer blocks, each quicker, may do as much and learn more alike."""
REFRESH = (1, 4, 16)
"""Tiles after which a pool is written back, to be tried: fewer bytes, and more steps that must make way."""
STALE = (2.0, 4.0, 1.0)
"""Updates in flight times the rate up to which steps are whole, to be tried."""
GROUPS = (256, 512, 64, 16)
"""Pools in a batch of the layers, to be tried."""

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="path of the reports, without suffix")
    parser.add_argument("--words", type=int, default=WORDS, help="size of the generated corpus")
    parser.add_argument("--commit", default=None, help="to be named in the report, where git cannot tell")
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES), help="stages to run")
    parser.add_argument("--stage", nargs=2, metavar=("NAME", "SECONDS"), help="run one stage here; for its own use")
    arguments = parser.parse_args()
    if arguments.stage:
        name, seconds = arguments.stage
        for result in STAGES[name][0](arguments.words, time.monotonic() + float(seconds)):
            save(arguments.output, json.dumps(result))
        return 0
    if problem := cuda_problem():
        print(f"There is nothing to check: {problem}", file=sys.stderr)
        return 1
    deadline = time.monotonic() + SECONDS
    report: Result = {"machine": machine(arguments.commit), "stages": {}}
    for name in arguments.only:
        print(f"{name} ...", flush=True)
        seconds = min(STAGES[name][1], deadline - time.monotonic())
        report["stages"][name] = (
            in_a_process(name, arguments.words, seconds) if seconds > 5 else {"left out": "no time"}
        )
        write(arguments.output, report)
    print(arguments.output.with_suffix(".md").read_text(encoding="utf-8"))
    return int(any("failed" in result for result in report["stages"].values()))


def in_a_process(name: str, words: int, seconds: float) -> Result:
    """Run a stage in a process of its own; return what it had to say until it ended, or was ended."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        command = [sys.executable, "-m", "benchmarks.gpu_check", "--stage", name, str(seconds)]
        problem = None
        try:
            # What has begun when the time is up may end.
            done = subprocess.run(
                [*command, "--output", output, "--words", str(words)], capture_output=True, text=True,
                timeout=seconds + 20, check=False,
            )  # fmt: skip
            if done.returncode:
                problem = f"exit status {done.returncode}: {done.stderr.strip()[-3000:]}"
        except subprocess.TimeoutExpired:
            problem = f"ended after {seconds + 20:.0f} s"
        result: Result = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    return result if problem is None else {"failed": problem} | result


def machine(commit: str | None) -> Result:
    """Return what the figures belong to."""
    import cupy

    if commit is None:
        with contextlib.suppress(OSError):  # git may not be there
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
    """Run the tests marked gpu, each file in a process of its own, all at once: most of their time is compiling."""
    if importlib.util.find_spec("pytest") is None:
        yield {"failed": "pytest is not installed"}
        return
    root = Path(__file__).parents[1]
    # Warnings are errors in this project's own tests; CuPy's and NumPy's are their own business here.
    command = [sys.executable, "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider"]
    command += ["-m", "gpu and not slow", "--durations=3"]
    running = []
    for path in sorted(root.glob("tests/test_*.py")):
        if re.search(r"\bxp\b|\bgpu\b", path.read_text(encoding="utf-8")):
            output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            process = subprocess.Popen([*command, path], cwd=root, stdout=output, stderr=subprocess.STDOUT)
            running.append((path.name, process, output))
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
        if status != 5:  # none is marked gpu
            rows.append({"file": name, "exit status": status, "summary": text.splitlines()[-1] if text else ""})
        if status not in (0, 5):
            faults.append(f"==== {name}\n{text[-4000:]}")
        yield {"results": rows, "output": "\n".join(faults)}
    if faults:
        yield {"failed": "see the output", "results": rows, "output": "\n".join(faults)}


def bandwidth(words: int, deadline: float) -> Iterator[Result]:
    """Measure copying, gathering rows, and adding to rows at random, in units of 10**9 bytes a second."""
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
    W = cupy.zeros((8 * TYPES, DIM), np.float32)  # 2 GB: no cache holds it
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
    """Return `n` word ids by Zipf's law, as Mandelbrot has it, drawn on the device."""
    xp = array_module("cuda")
    share = xp.cumulative_sum(1 / (xp.arange(TYPES, dtype=xp.float64) + 2.7))
    parts = []
    for first in range(0, n, 1 << 23):
        random = draws.bits(draws.key(1, draws.SHUFFLE, 0), xp.arange(first, min(first + (1 << 23), n)))
        number = xp.astype(random >> 11, xp.float64) * 2.0**-53
        parts.append(to_host(xp.astype(xp.searchsorted(share / share[-1], number), xp.int32)))
    return np.minimum(np.concatenate(parts), TYPES - 1)


def generated(words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a corpus of words by Zipf's law in sentences of 1,000, and their counts."""
    ids = zipf(words)
    return ids, np.append(np.arange(0, words, 1000), words), np.bincount(ids, minlength=TYPES)


def sweep(words: int, deadline: float) -> Iterator[Result]:
    """Try warps in a block, tiles a pool is held and updates in flight, each with the quality it reaches on wiki8.

    Without wiki8 the words are generated, and the loss alone tells of learning.
    """
    text = data("wiki8.txt*")
    corpus = Corpus.from_text(text, 5) if text else Corpus.from_ids(*generated(words // 5)[:2])
    results: list[Result] = []
    settings = [(warps, REFRESH[0], STALE[0]) for warps in WARPS]
    settings += [(warps, refresh, STALE[0]) for warps in WARPS[:2] for refresh in REFRESH[1:]]
    settings += [(WARPS[0], REFRESH[0], stale) for stale in STALE[1:]]
    for warps, refresh, stale in settings:
        for model in RATES:
            if time.monotonic() > deadline:
                yield {"left out": "the settings after these: no time", "results": results}
                return
            with patch.multiple(gpu, WARPS=warps, REFRESH=refresh), patch.object(crowd, "STALE", stale):
                result: Result = {"model": model, "warps": warps, "refresh": refresh, "stale": stale}
                try:
                    results.append(result | trained(corpus, model, "cuda"))
                except (FloatingPointError, ValueError) as error:
                    results.append(result | {"refused": str(error)})
            yield {"corpus": str(text or "generated"), "results": results}


def trained(corpus: Corpus, model: str, device: str) -> Result:
    """Train with the fused engine; return the speed, without compiling and copying, and the quality."""
    seen: list[tuple[int, float, float]] = []

    def note(done: int, loss: float, rate: float) -> None:
        seen.append((done, loss, time.perf_counter()))

    began = time.perf_counter()
    estimator = Word2Vec(sg=int(model == "skipgram"), device=device, engine="fused").fit(corpus, progress=note)
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
    """Return words per second between the first report of progress and the last, or None for too few words."""
    (first, _, began), (last, _, ended) = seen[0], seen[-1]
    return round((last - first) / (ended - began)) if len(seen) > 1 else None


def data(name: str) -> Path | None:
    """Return the file of that name in the folder that FASTW2V_DATA names, if there is one."""
    folder = os.environ.get("FASTW2V_DATA")
    return next(iter(sorted(Path(folder).glob(f"**/{name}"))), None) if folder else None


def quality(words: int, deadline: float) -> Iterator[Result]:
    """Train on wiki8 with the fused engines of both devices; score analogies and word pairs."""
    text = data("wiki8.txt*")
    if text is None:
        yield {"left out": "FASTW2V_DATA names no folder with wiki8.txt"}
        return
    corpus = Corpus.from_text(text, 5)
    results: list[Result] = []
    for model in RATES:
        for device in ("cuda", "cpu"):
            if device == "cuda" or cpu.problem() is None:
                results.append({"model": model, "device": device} | trained(corpus, model, device))
                yield {"results": results}


def speed(words: int, deadline: float) -> Iterator[Result]:
    """Time the fused engines on generated words, the GPU's with the bytes that it moves."""
    ids, offsets, counts = generated(words)
    keep = keep_threshold(counts, SAMPLE)
    kept = float((counts * (keep / 2.0**32)).sum() / words)
    results: list[Result] = []
    for model, alpha in RATES.items():
        for refresh in REFRESH:
            if time.monotonic() > deadline:
                break
            with patch.multiple(gpu, REFRESH=refresh):
                found = timed(gpu.train, gpu.tables((TYPES, DIM), "cuda"), ids, offsets, counts, model, alpha)
            # Read and written: a row that streams and the target's; and the rows of the pool, each `refresh` tiles.
            rows = 4 + 2 * pool_size_for(model, NEGATIVE, DIM) / (TILE * refresh)
            moved = kept * rows * 4 * DIM + 4
            found |= {"refresh": refresh, "bytes per word, by count": round(moved)}
            if found["words/s"]:
                found["10**9 bytes/s"] = round(moved * found["words/s"] / 1e9, 1)
            results.append({"engine": "cuda fused", "model": model} | found)
            yield {"words": words, "kept": round(kept, 4), "results": results}
        if time.monotonic() < deadline and cpu.problem() is None:
            few, workers = max(1, words // 10), os.cpu_count() or 1
            here = [cpu.aligned_zeros((TYPES, DIM)) for _ in "io"]
            part = np.append(offsets[offsets < few], few)
            found = timed(cpu.train, here, ids[:few], part, counts, model, alpha, workers=workers)
            results.append({"engine": f"cpu fused, {workers} workers", "model": model} | found)
            yield {"words": words, "kept": round(kept, 4), "results": results}


def layers(words: int, deadline: float) -> Iterator[Result]:
    """Time the layers on the GPU by the size of a batch, and with additions in a fixed order."""
    ids, offsets, counts = generated(max(1000, words // 10))
    results: list[Result] = []
    for deterministic in (False, True):
        for model, alpha in RATES.items():  # compiles
            few = slice(0, 1000)
            W = engine.tables((TYPES, DIM), "cuda", "layers")
            timed(engine.train_layers, W, ids[few], offsets[:2], counts, model, alpha, deterministic=deterministic)
        for groups in GROUPS:
            for model, alpha in RATES.items():
                if time.monotonic() > deadline:
                    yield {"left out": "the settings after these: no time", "results": results}
                    return
                with patch.multiple(engine, GPU_GROUPS=groups):
                    W = engine.tables((TYPES, DIM), "cuda", "layers")
                    found = timed(
                        engine.train_layers, W, ids, offsets, counts, model, alpha, deterministic=deterministic
                    )
                tokens = groups * engine.POOL_TOKENS
                results.append({"model": model, "tokens in a batch": tokens, "deterministic": deterministic} | found)
                yield {"results": results}


def timed(
    train: Callable[..., Any],
    tables: Any,
    ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    model: str,
    alpha: float,
    **settings: Any,
) -> Result:
    """Return the speed of an epoch between the first report of progress and the last, and the loss at the end."""
    seen: list[tuple[int, float, float]] = []
    uniform_weights(tables[0], seed=1)
    began = time.perf_counter()
    try:
        train(
            *tables, ids, offsets, counts, model=model, window=WINDOW, negative=NEGATIVE, sample=SAMPLE, alpha=alpha,
            epochs=1, on_progress=lambda done, loss, _: seen.append((done, loss, time.perf_counter())), **settings,
        )  # fmt: skip
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
"""With the seconds after which a stage begins nothing new."""


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
    """Write a file at once or not at all."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
