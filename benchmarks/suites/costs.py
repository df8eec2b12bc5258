"""A model of the cost of training, fitted to measurements and checked against a run ten times as large.

Time is modelled as a sum of terms, each the product of a count and a cost (`TIME_TERMS`). Memory is modelled in the
same way (`MEMORY_TERMS`), with counts from `fastw2v.estimate`. The fit finds the non-negative costs with the least
squared relative error. ``python -m benchmarks.suites.costs FILE.json`` fits the speeds of the fused engine in a results
file.

The section also measures the fixed cost of a process, with and without compiled kernels.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.harness import results
from benchmarks.harness.measure import Options, Result, Row, Skipped, Wrong, interleave, seconds
from benchmarks.systems import peers
from benchmarks.systems.texts import kept_share, zipf_corpus, zipf_shares
from fastw2v.config import TILE, Model, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.spill_buffer import IN_MEMORY
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines.selection import find_engine, select_engine
from fastw2v.estimate import Estimate, estimate_memory
from fastw2v.nn.initializers import uniform_weights

SECTION = "costs"
SAMPLE = 1e-3
LINE_OF_NUMBERS = 16
"""Number of values that the kernels process at once. On a CPU, rows are padded to a multiple of this number."""
LARGER = 10
"""Size of the run that checks the model, relative to the runs to which the model is fitted."""
MODELS: dict[str, Model] = {"CBOW": "cbow", "skip-gram": "skipgram"}
TIME_TERMS = {
    "target": "random numbers, windows and other work that does not depend on the size",
    "16 numbers of its rows": "reading, summing and writing the rows of a target",
    "16 products": "multiply-adds of a target's row with each row that it is scored against",
    "score": "sigmoid and logarithm",
    "64 bytes not in the second cache": "rows that are read from and written to the third-level cache or memory",
    "target and other thread": "interference between threads",
    "word of the vocabulary": "tables for subsampling and negatives, built by one thread before training",
}
VOCABULARY_BYTES = 228
"""Bytes for each word of the vocabulary. The fit scales them, because the words of a text differ in length."""
MEMORY_TERMS = {
    "runtime": "Python, the libraries, the machine code and buffers of fixed size",
    "tables": "W_in and W_out",
    "corpus": "provisional and final ids, and sentence offsets",
    "vocabulary": "words, counts and sampling tables",
}


@dataclass(frozen=True)
class Fit:
    """Fitted costs of the terms, and the errors of the fit."""

    costs: dict[str, float]
    """Cost per unit of each term: seconds, or bytes per estimated byte."""
    errors: np.ndarray
    """Relative error of the prediction for each measurement."""

    def predict(self, counts: Mapping[str, float]) -> float:
        """Return the predicted cost for the counts of the terms."""
        return sum(cost * counts[term] for term, cost in self.costs.items())


def fit(counts: Sequence[Mapping[str, float]], measured: Sequence[float]) -> Fit:
    """Fit non-negative costs with the least squared relative error.

    Parameters
    ----------
    counts : sequence of dict of str to float
        Counts of the terms in each measurement.
    measured : sequence of float
        Measured time or memory.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If there are fewer measurements than terms.
    """
    from scipy.optimize import nnls

    terms = list(counts[0]) if counts else []
    if len(measured) < max(1, len(terms)):
        raise ValueError(f"{len(measured)} measurements are too few for the costs of {len(terms)} terms")
    y = np.asarray(measured, np.float64)
    A = np.array([[count[term] for term in terms] for count in counts], np.float64) / y[:, None]
    scale = np.maximum(A.max(axis=0), 1e-300)  # the solver needs columns of similar size
    found = nnls(A / scale, np.ones(len(y)))[0] / scale
    return Fit(dict(zip(terms, found.tolist(), strict=True)), A @ found - 1)


def width_of(dim: int) -> int:
    """Return the width of a row, including its padding."""
    return -(-dim // LINE_OF_NUMBERS) * LINE_OF_NUMBERS


def bytes_per_word(dim: int, kept: float) -> float:
    """Return the bytes moved per word of the corpus if the pool of negatives stays in the cache.

    The id of each word is read. For each word that subsampling keeps, a row of `W_in` and a row of `W_out` are read and
    written once, as `benchmarks.counts` shows.
    """
    return 4 + kept * 4 * 4 * width_of(dim)


def time_counts(settings: Mapping[str, Any], cache_bytes: int) -> dict[str, float]:
    """Return the count of each term per trained target, for the settings of a row."""
    width = width_of(settings["dim"])
    model = MODELS[settings["model"]]
    defaults = TrainingConfig(model=model, negative=settings["negative"], vector_size=settings["dim"])
    pool = int(settings.get("pool", defaults.pool_size))
    # Skip-gram scores all rows within reach of the windows of a tile, in blocks of four.
    rows = pool + (1 if model == "cbow" else -(-(2 * settings["window"] + TILE - 1) // 4) * 4)
    lines = width / LINE_OF_NUMBERS
    trained = settings["words"] * settings.get("epochs", 1) * settings["kept"]
    return {
        "target": 1.0,
        "16 numbers of its rows": lines,
        "16 products": lines * rows,
        "score": float(rows),
        "64 bytes not in the second cache": 4 * lines * beyond(settings["vocabulary"], cache_bytes // (8 * width)),
        "target and other thread": settings["workers"] - 1.0,
        "word of the vocabulary": settings["workers"] * settings["vocabulary"] / trained,
    }


@cache
def beyond(vocabulary: int, rows: int) -> float:
    """Return the share of trained words that are not among the `rows` most frequent words, under Zipf's law."""
    shares = zipf_shares(int(vocabulary))
    kept = shares * np.minimum(1, np.sqrt(SAMPLE / shares) + SAMPLE / shares)
    return float(kept[rows:].sum() / kept.sum())


def second_cache(device: str = "cpu") -> int:
    """Return the size in bytes of the second-level cache of a core or GPU, or a typical size if it is unknown."""
    if device != "cpu":
        import cupy

        return int(cupy.cuda.Device().attributes["L2CacheSize"])
    try:
        return os.sysconf("SC_LEVEL2_CACHE_SIZE") or 1 << 20
    except (AttributeError, ValueError, OSError):
        return 1 << 20


def fit_times(rows: Sequence[Row]) -> tuple[Fit, list[Row]]:
    """Fit the time model to the speeds of the fused engine among the rows; return the fit and the rows used."""
    needed = {"model", "dim", "window", "negative", "vocabulary", "words", "kept", "workers"}
    used = [row for row in rows if row.unit == "words/s" and needed <= set(row.settings)]
    counts = [time_counts(row.settings, second_cache(str(row.settings.get("device", "cpu")))) for row in used]
    return fit(counts, [_thread_seconds(row) for row in used]), used


def _thread_seconds(row: Row) -> float:
    """Return the thread-seconds per target in the fastest repetition, the one least affected by other load."""
    return float(row.settings["workers"]) / (max(row.values) * float(row.settings["kept"]))


def run(options: Options) -> Iterator[Result]:
    """Yield the memory bandwidth, the fitted costs of time and memory, and the checks of both models."""
    for device in options.devices:
        try:
            select_engine("fused", device)
        except RuntimeError as error:
            yield Skipped(SECTION, f"costs of the fused engine on {device}", str(error))
            continue
        for model in MODELS:
            yield from times(options, model, device)
    if options.tiny:
        yield Skipped(SECTION, "memory and starts", "they need separate processes")
    else:
        yield from memory(options)
        yield from starts(options)


def grid(options: Options, model: str, device: str) -> list[dict[str, Any]]:
    """Return the settings to measure for the fit: the default settings with up to two values changed."""
    base = {"model": model, "dim": 100, "window": 5, "pool": 24, "vocabulary": 70_000, "workers": 1, "device": device}
    if options.tiny:
        base["vocabulary"] = 5000
    changes: list[dict[str, Any]] = [
        {}, {"dim": 48}, {"dim": 200}, {"dim": 300}, {"window": 2}, {"window": 10}, {"pool": 8}, {"pool": 48},
        {"dim": 300, "pool": 8}, {"dim": 48, "pool": 48}, {"vocabulary": 5000}, {"vocabulary": 300_000},
        {"vocabulary": 300_000, "dim": 300},
    ]  # fmt: skip
    if options.tiny:
        changes = changes[:10]
    if device == "cpu":
        threads = sorted({1 << n for n in range(1, options.workers.bit_length())} | {options.workers} - {1})
        changes += [{"workers": n, "dim": dim} for n in threads for dim in (100, 300)]
    return [base | change for change in changes]


def times(options: Options, model: str, device: str) -> Iterator[Result]:
    """Yield the measured speeds, the costs fitted to them, and the check."""
    words = 20_000 if options.tiny else 500_000 if options.quick else 1_000_000
    words *= 1 if device == "cpu" else 20  # a GPU runs hundreds of blocks, each with thousands of words
    what = "fastw2v, fused, random words" + ("" if device == "cpu" else ", GPU")
    found = [(settings, _corpus(words, settings["vocabulary"])) for settings in grid(options, model, device)]
    for settings, _ in found if device != "cpu" else found[:1]:  # compile first; a GPU compiles for each setting
        _train(_corpus(10_000, settings["vocabulary"]), settings)
    runs: dict[str, Callable[[], float]] = {
        str(settings): partial(_train, corpus, settings) for settings, corpus in found
    }
    taken = interleave(runs, 1 if options.tiny else max(2, options.repeats))
    rows = []
    for settings, corpus in found:
        kept = round(kept_share(corpus.vocabulary.counts, SAMPLE), 4)
        stated: dict[str, Any] = settings | {"negative": 5, "words": words, "kept": kept}
        rows.append(Row(SECTION, what, stated, "words/s", [words / one for one in taken[str(settings)]]))
    yield from rows
    workers = options.workers if device == "cpu" else 1
    copied = bandwidth(workers, device, 1 << 20 if options.tiny else 1 << 28)
    yield Row(SECTION, "copying memory", {"workers": workers, "device": device}, "GB/s", [copied])
    usual = {key: found[0][0][key] for key in ("window", "pool", "vocabulary")}
    yield from shares([row for row in rows if row.settings.items() >= usual.items()], copied)
    fitted, _ = fit_times(rows)
    yield from cost_rows(fitted, TIME_TERMS, {"model": model, "device": device}, "ns", 1e9)
    larger: dict[str, Any] = {
        "model": model, "dim": 150, "window": 7, "negative": 5, "pool": 32, "workers": workers, "device": device,
        "vocabulary": 20_000 if options.tiny else 200_000, "words": LARGER * words,
    }  # fmt: skip
    corpus = _corpus(LARGER * words, larger["vocabulary"])
    larger["kept"] = round(kept_share(corpus.vocabulary.counts, SAMPLE), 4)
    predicted = fitted.predict(time_counts(larger, second_cache(device)))
    predicted *= larger["kept"] * LARGER * words / workers
    measured = [_train(corpus, larger) for _ in range(1 if options.tiny else options.repeats)]
    yield from check("time", larger, "s", measured, predicted)


def shares(rows: Sequence[Row], copied: float) -> Iterator[Row]:
    """Yield the rate at which the rows of words are read and written, with its share of the rate of copying memory."""
    for row in rows:
        moved = bytes_per_word(int(row.settings["dim"]), float(row.settings["kept"])) / 1e9
        rates = [moved * value for value in row.values]
        note = f"{np.median(rates) / copied:.0%} of the rate of copying"
        yield Row(SECTION, "rows of the words, each read and written once", row.settings, "GB/s", rates, note=note)


def cost_rows(
    fitted: Fit, terms: Mapping[str, str], settings: Mapping[str, Any], unit: str, factor: float
) -> Iterator[Row]:
    """Yield a row for each cost above zero, and a row with the mean error and the largest error."""
    for term, cost in fitted.costs.items():
        if cost > 0:
            yield Row(SECTION, f"cost of a {term}", {**settings}, unit, [cost * factor], note=terms[term])
    errors = 100 * np.abs(fitted.errors) + 1e-9
    note = f"largest error {errors.max():.0f} %, {len(errors)} measurements"
    yield Row(SECTION, "error of the model, mean", {**settings, "of": unit}, "%", [float(errors.mean())], note=note)


def check(
    what: str, settings: Mapping[str, Any], unit: str, measured: list[float], predicted: float
) -> Iterator[Result]:
    """Yield the measured cost of a run ten times as large, and the prediction of the model."""
    if not predicted > 0:
        yield Wrong(SECTION, f"{what} of ten times as much", f"the model predicts {predicted} {unit}")
        return
    off = predicted / min(measured) - 1
    yield Row(SECTION, f"{what} of ten times as much, measured", {**settings}, unit, measured)
    by_model = f"{what} of ten times as much, by the model"
    yield Row(SECTION, by_model, {**settings}, unit, [predicted], note=f"{off:+.0%} relative to the fastest repetition")


def bandwidth(workers: int, device: str, size: int) -> float:
    """Return the data rate of copying memory with several threads, in 10**9 bytes read and written per second."""
    if device != "cpu":
        import cupy

        source = cupy.ones(size // 4, np.float32)
        target = cupy.empty_like(source)
        return 2 * source.nbytes / seconds(lambda: cupy.copyto(target, source), device=device) / 1e9
    ones = partial(np.ones, size // 4 // workers, np.float32)
    parts = [(ones(), ones()) for _ in range(workers)]

    def copy() -> None:
        threads = [threading.Thread(target=np.copyto, args=part) for part in parts]  # NumPy releases the GIL
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return 2 * sum(part[0].nbytes for part in parts) / seconds(copy, least=0.3) / 1e9


@cache
def _corpus(words: int, vocabulary: int) -> Corpus:
    return zipf_corpus(words, vocabulary)


def _train(corpus: Corpus, settings: Mapping[str, Any]) -> float:
    """Train one epoch and return the seconds."""
    device, model = settings["device"], MODELS[settings["model"]]
    engine = find_engine("fused", device)
    config = TrainingConfig(
        model=model, vector_size=settings["dim"], epochs=1, alpha=0.05 if model == "cbow" else 0.02,
        cbow_grad="balanced", window=settings["window"], sample=SAMPLE, pool_size=settings["pool"],
    )  # fmt: skip
    tables = engine.allocate((len(corpus.vocabulary), config.vector_size), device)
    uniform_weights(tables.W_in, 1)
    tables.W_out[...] = 0  # makes the operating system allocate the memory before the measurement
    began = time.perf_counter()
    loss = engine.train(tables, corpus, config, workers=settings["workers"] if device == "cpu" else None)
    passed = time.perf_counter() - began
    if not np.isfinite(loss).all():
        raise FloatingPointError(f"the loss is {loss} with {dict(settings)}")
    return passed


def memory(options: Options) -> Iterator[Result]:
    """Yield the peak memory of whole training processes on generated text, the costs fitted to it, and the check."""
    sizes = [
        (1_000_000, 10_000, 50), (1_000_000, 10_000, 300), (1_000_000, 100_000, 50), (1_000_000, 300_000, 100),
        (2_000_000, 10_000, 50), (2_000_000, 100_000, 100),
    ]  # fmt: skip
    found = []
    for N, V, D in sizes:
        counts, peak = _peak(options, N, V, D)
        found.append((counts, peak))
        settings: dict[str, Any] = {"words": N, "vocabulary": V, "dim": D, "workers": options.workers}
        yield Row(SECTION, "fastw2v train, generated text", settings, "MB", [peak / 1e6])
    fitted = fit([counts for counts, _ in found], [peak for _, peak in found])
    yield from cost_rows(fitted, MEMORY_TERMS, {}, "bytes", 1.0)
    N, V, D = LARGER * 2_000_000, 500_000, 100
    counts, peak = _peak(options, N, V, D)
    settings = {"words": N, "vocabulary": V, "dim": D, "workers": options.workers}
    yield from check("memory", settings, "MB", [peak / 1e6], fitted.predict(counts) / 1e6)


def _peak(options: Options, words: int, vocabulary: int, dim: int) -> tuple[dict[str, float], int]:
    """Train on generated text; return the estimated bytes of each term, and the measured peak memory."""
    corpus = _corpus(words, vocabulary)
    text = options.folder / "generated.txt"
    corpus.write_text(text)
    settings = peers.Settings(
        text, options.folder / "generated.bin", "cbow", vector_size=dim, epochs=1, min_count=1, workers=options.workers
    )
    peak = peers.fastw2v(settings).peak
    names, counts = np.array(corpus.vocabulary.words), corpus.vocabulary.counts
    occurring = Vocabulary(names[counts > 0].tolist(), counts[counts > 0])
    estimate = estimate_memory(
        replace(corpus, vocabulary=occurring), TrainingConfig(vector_size=dim, epochs=1), device="cpu", engine="fused"
    )
    for path in (text, settings.output):
        path.unlink()
    return memory_counts(estimate), peak


def starts(options: Options) -> Iterator[Row]:
    """Yield the times of processes that train on a few words: the first run compiles the kernel, the next loads it."""
    text, kernels = options.folder / "few_words.txt", options.folder / "kernels"
    _corpus(20_000, 1000).write_text(text)
    command = [sys.executable, "-m", "fastw2v", "train", str(text), "--output", str(options.folder / "few_words.bin")]

    def train(model: Model, first: bool) -> float:
        if first:
            shutil.rmtree(kernels, ignore_errors=True)
        with mock.patch.dict(os.environ, {"NUMBA_CACHE_DIR": str(kernels)}):
            return peers.run([*command, "--model", model, "--epochs", "1"], options.folder)[0].seconds

    later, first = "fastw2v train, 20,000 words", "fastw2v train, 20,000 words, first run"
    for name, model in MODELS.items():
        runs: dict[str, Callable[[], float]] = {
            first: partial(train, model, True),
            later: partial(train, model, False),
        }
        taken = interleave(runs, options.repeats)
        settings: dict[str, Any] = {"model": name}
        yield Row(SECTION, later, settings, "s", taken[later])
        yield Row(SECTION, first, settings, "s", taken[first], baseline=later, note="without compiled kernels")


def memory_counts(estimate: Estimate) -> dict[str, float]:
    """Return the estimated bytes of each term. Ids are counted twice if provisional ids are in memory as well."""
    of = {item.name: float(item.bytes) for item in estimate.items}
    return {
        "runtime": 1.0,
        "tables": of["W_in"] + of["W_out"] + of.get("vectors", 0.0),
        "corpus": of["ids"] * (2 if of["ids"] <= IN_MEMORY else 1) + of["sentence offsets"],
        "vocabulary": VOCABULARY_BYTES * float(estimate.vocabulary),
    }


def main() -> None:
    """Fit the speeds in a results file, and print the costs and the errors."""
    if len(sys.argv) != 2:
        raise SystemExit("give one results file: python -m benchmarks.suites.costs benchmarks/results/NAME.json")
    rows = results.read(Path(sys.argv[1])).rows
    for model in MODELS:
        fitted, used = fit_times([row for row in rows if row.settings.get("model") == model and "GPU" not in row.what])
        print(f"{model}: {len(used)} measurements, mean error {100 * np.abs(fitted.errors).mean():.1f} %")
        for term, cost in fitted.costs.items():
            print(f"  {1e9 * cost:8.2f} ns per {term}")


if __name__ == "__main__":
    main()
