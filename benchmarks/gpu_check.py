"""Tests and measurements for a machine with a GPU, in one command and under eight minutes: ``make gpu-check``.

Needs CuPy and the library's own dependencies, installed; no network. Writes ``gpu-check.json`` and ``gpu-check.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v
from fastw2v import Corpus, Word2Vec, evaluate
from fastw2v.backend import cuda_problem
from fastw2v.kernels import cpu, gpu
from fastw2v.kernels.schedule import POOL_TOKENS, TILE, pool_size_for
from fastw2v.sampling import keep_threshold, noise_weights

SECONDS = 450.0
"""Of the whole; what no longer fits is left out, and said to be."""
TEST_SECONDS = 200.0
WORDS, TYPES = 100_000_000, 500_000
"""Of the generated corpus: word ids by Zipf's law."""
DIM, WINDOW, NEGATIVE, SAMPLE = 128, 5, 5, 1e-3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="path of the reports, without suffix")
    parser.add_argument("--words", type=int, default=WORDS, help="size of the generated corpus")
    arguments = parser.parse_args()
    if problem := cuda_problem():
        print(f"There is nothing to check: {problem}", file=sys.stderr)
        return 1
    deadline = time.monotonic() + SECONDS
    report: dict[str, Any] = {"machine": machine(), "stages": {}}
    stages: dict[str, Callable[[], Any]] = {
        "tests": tests,
        "bandwidth": bandwidth,
        "speed": lambda: speed(arguments.words, deadline),
        "quality": quality,
    }
    for name, stage in stages.items():
        print(f"{name} ...", flush=True)
        if time.monotonic() > deadline:
            report["stages"][name] = {"left out": "no time was left"}
            continue
        try:
            report["stages"][name] = stage()
        except Exception as error:  # the other stages still tell something
            report["stages"][name] = {"failed": f"{type(error).__name__}: {error}"}
        write(arguments.output, report)
    print(arguments.output.with_suffix(".md").read_text(encoding="utf-8"))
    stages_failed = any("failed" in result for result in report["stages"].values())
    return int(stages_failed or report["stages"]["tests"].get("exit status") != 0)


def machine() -> dict[str, Any]:
    """Return what the figures belong to."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
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
        "cupy": cupy.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }


def tests() -> dict[str, Any]:
    """Run the tests marked gpu, in a process of their own: a fault of a kernel ends the process."""
    if importlib.util.find_spec("pytest") is None:
        return {"failed": "pytest is not installed"}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"the tests took more than {TEST_SECONDS:.0f} s"}
    return {"exit status": done.returncode, "output": done.stdout[-4000:] + done.stderr[-1000:]}


def bandwidth() -> dict[str, float]:
    """Return the bytes per second, in units of 10**9, of copying, gathering rows, and adding to rows at random."""
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

    W = cupy.zeros((TYPES, DIM), np.float32)
    copy = cupy.empty_like(W)
    ids = zipf(2_000_000)
    rows = cupy.empty((len(ids), DIM), np.float32)
    return {
        "copy": rate(lambda: cupy.copyto(copy, W), 2 * W.nbytes),
        "gather rows by Zipf's law": rate(lambda: cupy.take(W, ids, axis=0, out=rows), 2 * rows.nbytes),
        "add to rows by Zipf's law": rate(lambda: cupyx.scatter_add(W, ids, rows), 2 * rows.nbytes),
    }


def zipf(n: int) -> Any:
    """Return `n` word ids by Zipf's law, as Mandelbrot has it, on the device."""
    import cupy

    share = cupy.cumsum(1 / (cupy.arange(TYPES) + 2.7))
    return cupy.searchsorted(share / share[-1], cupy.random.random(n, dtype=np.float64)).astype(np.int32)


def speed(words: int, deadline: float) -> dict[str, Any]:
    """Time the fused engine on generated words, as planned and around the plan, and what else there is."""
    import cupy

    ids = np.minimum(cupy.asnumpy(zipf(words)), TYPES - 1)
    offsets = np.append(np.arange(0, words, 1000), words)
    counts = np.bincount(ids, minlength=TYPES)
    keep, weights = keep_threshold(counts, SAMPLE), noise_weights(counts)
    kept = float((counts * (keep / 2.0**32)).sum() / words)
    results: list[dict[str, Any]] = []
    rates: dict[gpu.Model, float] = {"cbow": 0.2, "skipgram": 0.04}
    for model, alpha in rates.items():
        plan = gpu.crowd(
            counts, keep, weights, model=model, window=WINDOW, shrink_windows=True, negative=NEGATIVE, alpha=alpha,
            tile=TILE, pool_tokens=POOL_TOKENS,
        )  # fmt: skip
        for factor, refresh, warps in ((1, 1, 1), (0.5, 1, 1), (2, 1, 1), (4, 1, 1), (1, 4, 1), (1, 1, 2)):
            if time.monotonic() > deadline:
                break
            crowd = gpu.Crowd(max(1, int(factor * plan.blocks)), refresh * plan.refresh)
            with replaced(gpu, crowd=lambda *_, crowd=crowd, **__: crowd, WARPS=warps * gpu.WARPS):
                found = timed(gpu.train, gpu.tables((TYPES, DIM), "cuda"), ids, offsets, counts, model, alpha)
            # Read and written: a row that streams and the target's; and the rows of the pool, each `refresh` tiles.
            rows = 4 + 2 * pool_size_for(NEGATIVE) / (TILE * crowd.refresh)
            moved = kept * rows * 4 * DIM + 4
            found |= {"blocks": crowd.blocks, "refresh": crowd.refresh, "warps": warps * gpu.WARPS}
            found |= {
                "bytes per word, by count": round(moved),
                "10**9 bytes/s": moved * found["words/s"] / 1e9,
            }
            results.append(
                {"engine": "cuda fused", "model": model, "as planned": factor == refresh == warps == 1} | found
            )
        if time.monotonic() < deadline and cpu.problem() is None:
            few = max(1, words // 10)
            here = [cpu.aligned_zeros((TYPES, DIM)) for _ in "io"]
            workers = os.cpu_count() or 1
            found = timed(
                cpu.train, here, ids[:few], np.append(offsets[offsets < few], few), counts, model, alpha, workers
            )
            results.append({"engine": f"cpu fused, {workers} workers", "model": model} | found)
    return {"words": words, "kept": round(kept, 4), "results": results}


@contextlib.contextmanager
def replaced(module: Any, **values: Any) -> Iterator[None]:
    """Set names of a module for a while."""
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def timed(
    train: Callable[..., Any],
    tables: Any,
    ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    model: str,
    alpha: float,
    workers: int | None = None,
) -> dict[str, Any]:
    """Return the speed between the first report of progress and the last, which leaves out compiling and copying."""
    seen: list[tuple[int, float, float]] = []
    tables[0][...] = (np.random.default_rng(0).random(DIM, np.float32) - 0.5) / DIM
    try:
        train(
            *tables, ids, offsets, counts, model=model, window=WINDOW, negative=NEGATIVE, sample=SAMPLE, alpha=alpha,
            epochs=1, workers=workers, on_progress=lambda done, loss, _: seen.append((done, loss, time.perf_counter())),
        )  # fmt: skip
    except FloatingPointError as error:
        return {"words/s": math.nan, "loss": str(error)}
    (first, _, began), (last, loss, ended) = seen[0], seen[-1]
    if len(seen) < 2:  # too few words to tell
        return {"words/s": math.nan, "loss": round(loss, 4)}
    return {"words/s": round((last - first) / (ended - began)), "loss": round(loss, 4)}


def quality() -> dict[str, Any]:
    """Train on wiki8 with the fused engines of both devices; score analogies and word pairs."""
    folder = Path(os.environ.get("FASTW2V_DATA", ""))
    texts = sorted(folder.glob("**/wiki8.txt*"))
    if "FASTW2V_DATA" not in os.environ or not texts:
        return {"left out": "FASTW2V_DATA names no folder with wiki8.txt"}
    corpus = Corpus.from_text(texts[0], 5)
    results = []
    for sg in (0, 1):
        for device in ("cuda", "cpu"):
            began = time.perf_counter()
            wv = Word2Vec(sg=sg, device=device, engine="fused").fit(corpus).wv
            seconds = time.perf_counter() - began
            result: dict[str, Any] = {"model": "skipgram" if sg else "cbow", "device": device}
            result |= {"seconds": round(seconds, 2), "words/s": round(5 * len(corpus) / seconds)}
            for path in folder.glob("**/questions-words.txt"):
                scores = evaluate.analogies(wv, evaluate.read_analogies(path))
                result["analogies %"] = round(100 * scores.overall.accuracy, 1)
            for path in folder.glob("**/wordsim353.tsv"):
                result["wordsim353"] = round(evaluate.word_pairs(wv, evaluate.read_pairs(path)).spearman, 3)
            results.append(result)
    return {"results": results}


def write(output: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON and as Markdown."""
    lines = ["# fastw2v on a GPU", ""]
    lines += [f"- {name}: {value}" for name, value in report["machine"].items()]
    for name, stage in report["stages"].items():
        lines += ["", f"## {name.capitalize()}", ""]
        lines += [f"- {key}: {value}" for key, value in stage.items() if key not in ("output", "results")]
        if "output" in stage:
            lines += ["", "```", stage["output"].strip(), "```"]
        if rows := stage.get("results"):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines += ["", "| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
            lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    for suffix, text in ((".json", json.dumps(report, indent=2)), (".md", "\n".join(lines) + "\n")):
        path = output.with_suffix(suffix)
        draft = path.with_suffix(suffix + ".part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
