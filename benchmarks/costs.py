"""A model of what training costs, fitted to measurements and held to a run ten times as large.

Time is a sum of a few terms with a meaning, each a count times what one of it takes: `TIME_TERMS`. So is memory:
`MEMORY_TERMS`, whose counts are those that `fastw2v.plan` makes before a training. All costs are positive, and the
relative error is least. ``python -m benchmarks.costs FILE.json`` fits the speeds of the fused engine in other results.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, results
from benchmarks.measure import Options, Result, Row, Skipped, Wrong, interleave, seconds
from benchmarks.texts import zipf_corpus, zipf_shares
from fastw2v import Corpus, Vocabulary
from fastw2v.engine import choose_engine, tables, trainer
from fastw2v.kernels.schedule import TILE, pool_size_for
from fastw2v.models import uniform_weights
from fastw2v.plan import Plan, plan
from fastw2v.sampling import keep_threshold
from fastw2v.store import IN_MEMORY

SECTION = "costs"
SAMPLE = 1e-3
LINE_OF_NUMBERS = 16
"""Rows are padded to a multiple of this many numbers on a CPU, and handled so many at once."""
LARGER = 10
TIME_TERMS = {
    "target": "draws, windows and what else a target takes whatever its size",
    "16 numbers of its rows": "reading, summing and writing the rows of a target",
    "16 products": "multiply-adds: each number of a target with each row that it is scored against",
    "score": "sigmoid and logarithm",
    "64 bytes not in the second cache": "rows that come from farther away, and go there",
    "target and other thread": "what threads cost each other",
    "word of the vocabulary": "tables for subsampling and negatives, made by one thread before training",
}
MEMORY_TERMS = {
    "runtime": "Python, the libraries, the machine code, and buffers of fixed size",
    "tables": "W_in and W_out",
    "corpus": "ids, provisional and final, and sentence offsets",
    "vocabulary": "words, counts and sampling tables",
}


@dataclass(frozen=True)
class Fit:
    """Costs of terms, and how well they explain what was measured."""

    costs: dict[str, float]
    """Of one of each: seconds, or bytes for a byte that is planned."""
    errors: np.ndarray
    """Relative, for each measurement."""

    def predict(self, counts: Mapping[str, float]) -> float:
        """Return the cost of something that has so many of each."""
        return sum(cost * counts[term] for term, cost in self.costs.items())


def fit(counts: Sequence[Mapping[str, float]], measured: Sequence[float]) -> Fit:
    """Return the costs, none below 0, that explain measurements with the least squared relative error.

    Parameters
    ----------
    counts : sequence of dict of str to float
        How many of each term each measurement has.
    measured : sequence of float

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
    scale = np.maximum(A.max(axis=0), 1e-300)  # so that the solver sees numbers of one size
    found = nnls(A / scale, np.ones(len(y)))[0] / scale
    return Fit(dict(zip(terms, found.tolist(), strict=True)), A @ found - 1)


def width_of(dim: int) -> int:
    """Return the numbers in a row with its padding."""
    return -(-dim // LINE_OF_NUMBERS) * LINE_OF_NUMBERS


def bytes_per_word(dim: int, kept: float) -> float:
    """Return the bytes that must move for a word of the corpus if the pool of negatives stays in the cache.

    Its id is read; a word that subsampling keeps has a row of `W_in` and one of `W_out`, each read and written once
    (`benchmarks.counts` counts them).
    """
    return 4 + kept * 4 * 4 * width_of(dim)


def time_counts(settings: Mapping[str, Any], cache_bytes: int) -> dict[str, float]:
    """Return how many of each term a trained target has, for a row's settings."""
    width = width_of(settings["dim"])
    model = "cbow" if settings["model"] == "CBOW" else "skipgram"
    pool = int(settings.get("pool", pool_size_for(model, settings["negative"], settings["dim"])))
    # Skip-gram scores the rows that the windows of a tile reach, by fours.
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
    """Return the share of trained words that are not among the `rows` most frequent, by Zipf's law."""
    shares = zipf_shares(int(vocabulary))
    kept = shares * np.minimum(1, np.sqrt(SAMPLE / shares) + SAMPLE / shares)
    return float(kept[rows:].sum() / kept.sum())


def second_cache(device: str = "cpu") -> int:
    """Return the bytes of the second-level cache, a core's or the GPU's; a usual size if the system does not tell."""
    if device != "cpu":
        import cupy

        return int(cupy.cuda.Device().attributes["L2CacheSize"])
    try:
        return os.sysconf("SC_LEVEL2_CACHE_SIZE") or 1 << 20
    except (AttributeError, ValueError, OSError):
        return 1 << 20


def fit_times(rows: Sequence[Row]) -> tuple[Fit, list[Row]]:
    """Return the fit to the speeds of the fused engine among some rows, and the rows that were used."""
    needed = {"model", "dim", "window", "negative", "vocabulary", "words", "kept", "workers"}
    used = [row for row in rows if row.unit == "words/s" and needed <= set(row.settings)]
    counts = [time_counts(row.settings, second_cache(str(row.settings.get("device", "cpu")))) for row in used]
    return fit(counts, [_thread_seconds(row) for row in used]), used


def _thread_seconds(row: Row) -> float:
    """Return the seconds that a target takes of one thread, in the turn that other work disturbed least."""
    return float(row.settings["workers"]) / (max(row.values) * float(row.settings["kept"]))


def run(options: Options) -> Iterator[Result]:
    """Yield the bandwidth of memory, the model of time and its check, and the model of memory and its check."""
    for device in options.devices:
        try:
            choose_engine("fused", device)
        except RuntimeError as error:
            yield Skipped(SECTION, f"costs of the fused engine on {device}", str(error))
            continue
        for model in ("CBOW", "skip-gram"):
            yield from times(options, model, device)
    if options.tiny:
        yield Skipped(SECTION, "memory", "it takes processes of its own")
    else:
        yield from memory(options)


def grid(options: Options, model: str, device: str) -> list[dict[str, Any]]:
    """Return what is measured for the fit: one setting in the middle, and one or two things changed."""
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
    """Yield the speeds that are fitted, the costs, and the check."""
    words = 20_000 if options.tiny else 500_000 if options.quick else 1_000_000
    words *= 1 if device == "cpu" else 20  # hundreds of blocks, each with thousands of words
    what = "fastw2v, fused, random words" + ("" if device == "cpu" else ", GPU")
    found = [(settings, _corpus(words, settings["vocabulary"])) for settings in grid(options, model, device)]
    for settings, _ in found if device != "cpu" else found[:1]:  # compiles: on a GPU for each setting anew
        _train(_corpus(10_000, settings["vocabulary"]), settings)
    runs: dict[str, Callable[[], float]] = {
        str(settings): partial(_train, corpus, settings) for settings, corpus in found
    }
    taken = interleave(runs, 1 if options.tiny else max(2, options.repeats))
    rows = []
    for settings, corpus in found:
        told: dict[str, Any] = settings | {"negative": 5, "words": words, "kept": round(_kept(corpus[2]), 4)}
        rows.append(Row(SECTION, what, told, "words/s", [words / one for one in taken[str(settings)]]))
    yield from rows
    workers = options.workers if device == "cpu" else 1
    copied = bandwidth(workers, device, 1 << 20 if options.tiny else 1 << 28)
    yield Row(SECTION, "copying memory", {"workers": workers, "device": device}, "GB/s", [copied])
    usual = {key: found[0][0][key] for key in ("window", "pool", "vocabulary")}
    yield from shares([row for row in rows if row.settings.items() >= usual.items()], copied)
    fitted, _ = fit_times(rows)
    yield from tell(fitted, TIME_TERMS, {"model": model, "device": device}, "ns", 1e9)
    larger: dict[str, Any] = {
        "model": model, "dim": 150, "window": 7, "negative": 5, "pool": 32, "workers": workers, "device": device,
        "vocabulary": 20_000 if options.tiny else 200_000, "words": LARGER * words,
    }  # fmt: skip
    corpus = _corpus(LARGER * words, larger["vocabulary"])
    larger["kept"] = round(_kept(corpus[2]), 4)
    predicted = fitted.predict(time_counts(larger, second_cache(device)))
    predicted *= larger["kept"] * LARGER * words / workers
    measured = [_train(corpus, larger) for _ in range(1 if options.tiny else options.repeats)]
    yield from check("time", larger, "s", measured, predicted)


def shares(rows: Sequence[Row], copied: float) -> Iterator[Row]:
    """Yield how many bytes a second the rows of the words make, and what share that is of copying."""
    for row in rows:
        moved = bytes_per_word(int(row.settings["dim"]), float(row.settings["kept"])) / 1e9
        figures = [moved * value for value in row.values]
        note = f"{np.median(figures) / copied:.0%} of copying"
        yield Row(SECTION, "rows of the words, each read and written once", row.settings, "GB/s", figures, note=note)


def tell(fitted: Fit, terms: Mapping[str, str], settings: Mapping[str, Any], unit: str, factor: float) -> Iterator[Row]:
    """Yield the costs that are not nothing, and the mean and the largest error."""
    for term, cost in fitted.costs.items():
        if cost > 0:
            yield Row(SECTION, f"cost of a {term}", {**settings}, unit, [cost * factor], note=terms[term])
    errors = 100 * np.abs(fitted.errors) + 1e-9
    note = f"largest {errors.max():.0f} %, of {len(errors)} measurements"
    yield Row(SECTION, "error of the model, mean", {**settings, "of": unit}, "%", [float(errors.mean())], note=note)


def check(
    what: str, settings: Mapping[str, Any], unit: str, measured: list[float], predicted: float
) -> Iterator[Result]:
    """Yield what a run ten times as large took beside what the model says."""
    if not predicted > 0:
        yield Wrong(SECTION, f"{what} of ten times as much", f"the model says {predicted} {unit}")
        return
    off = predicted / min(measured) - 1
    yield Row(SECTION, f"{what} of ten times as much, measured", {**settings}, unit, measured)
    said = f"{what} of ten times as much, by the model"
    yield Row(SECTION, said, {**settings}, unit, [predicted], note=f"{off:+.0%}, against the least disturbed")


def bandwidth(workers: int, device: str, size: int) -> float:
    """Return the bytes per second, in units of 10**9, that copying reads and writes with so many threads."""
    if device != "cpu":
        import cupy

        source = cupy.ones(size // 4, np.float32)
        target = cupy.empty_like(source)
        return 2 * source.nbytes / seconds(lambda: cupy.copyto(target, source), device=device) / 1e9
    ones = partial(np.ones, size // 4 // workers, np.float32)
    parts = [(ones(), ones()) for _ in range(workers)]

    def copy() -> None:
        threads = [threading.Thread(target=np.copyto, args=part) for part in parts]  # NumPy lets others run
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return 2 * sum(part[0].nbytes for part in parts) / seconds(copy, least=0.3) / 1e9


@cache
def _corpus(words: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return zipf_corpus(words, vocabulary)


def _kept(counts: np.ndarray) -> float:
    """Return the share of the words that subsampling keeps, by expectation."""
    return float((counts * (keep_threshold(counts, SAMPLE) / 2.0**32)).sum() / counts.sum())


def _train(corpus: tuple[np.ndarray, np.ndarray, np.ndarray], settings: Mapping[str, Any]) -> float:
    """Return the seconds of one epoch."""
    device = settings["device"]
    W_in, W_out = tables((len(corpus[2]), settings["dim"]), device, "fused")
    uniform_weights(W_in, 1)
    W_out[...] = 0  # so that the system has handed out its memory before the time is taken
    began = time.perf_counter()
    loss = trainer(device, "fused")(
        W_in, W_out, *corpus, model="cbow" if settings["model"] == "CBOW" else "skipgram", epochs=1,
        alpha=0.05 if settings["model"] == "CBOW" else 0.02, window=settings["window"], sample=SAMPLE,
        pool_size=settings["pool"], workers=settings["workers"] if device == "cpu" else None,
    )  # fmt: skip
    passed = time.perf_counter() - began
    if not np.isfinite(loss).all():
        raise FloatingPointError(f"the loss is {loss} with {dict(settings)}")
    return passed


def memory(options: Options) -> Iterator[Result]:
    """Yield the peaks of whole processes on generated text, the costs of what is planned, and the check."""
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
    yield from tell(fitted, MEMORY_TERMS, {}, "bytes", 1.0)
    N, V, D = LARGER * 2_000_000, 500_000, 100
    counts, peak = _peak(options, N, V, D)
    settings = {"words": N, "vocabulary": V, "dim": D, "workers": options.workers}
    yield from check("memory", settings, "MB", [peak / 1e6], fitted.predict(counts) / 1e6)


def _peak(options: Options, words: int, vocabulary: int, dim: int) -> tuple[dict[str, float], int]:
    """Return what `fastw2v.plan` counts for generated text, by term, and the peak memory of training on it."""
    ids, offsets, _ = _corpus(words, vocabulary)
    text = options.folder / "generated.txt"
    names = np.array([f"word{i}" for i in range(vocabulary)])
    with text.open("w", encoding="utf-8") as file:
        for start, stop in itertools.pairwise(offsets):
            file.write(" ".join(names[ids[start:stop]]) + "\n")
    settings = peers.Settings(
        text, options.folder / "generated.bin", "cbow", vector_size=dim, epochs=1, min_count=1, workers=options.workers
    )
    peak = peers.fastw2v(settings).peak
    occurrences = np.bincount(ids, minlength=vocabulary)
    words_there = Vocabulary(names[occurrences > 0].tolist(), occurrences[occurrences > 0])
    planned = plan(Corpus(ids, offsets, words_there), vector_size=dim, epochs=1, device="cpu", engine="fused")
    for path in (text, settings.output):
        path.unlink()
    return memory_counts(planned), peak


def memory_counts(planned: Plan) -> dict[str, float]:
    """Return the bytes of each term: what is planned, and ids a second time while provisional ones are in memory."""
    of = {part.name: float(part.bytes) for part in planned.parts}
    return {
        "runtime": 1.0,
        "tables": of["W_in"] + of["W_out"],
        "corpus": of["ids"] * (2 if of["ids"] <= IN_MEMORY else 1) + of["sentence offsets"],
        "vocabulary": of["words"] + of["sampling tables"],
    }


def main() -> None:
    """Fit the speeds in results that are there, and tell the costs and the errors."""
    if len(sys.argv) != 2:
        raise SystemExit("give one file of results: python -m benchmarks.costs benchmarks/results/NAME.json")
    rows = results.read(Path(sys.argv[1])).rows
    for model in ("CBOW", "skip-gram"):
        fitted, used = fit_times([row for row in rows if row.settings.get("model") == model and "GPU" not in row.what])
        print(f"{model}: {len(used)} measurements, mean error {100 * np.abs(fitted.errors).mean():.1f} %")
        for term, cost in fitted.costs.items():
            print(f"  {1e9 * cost:8.2f} ns a {term}")


if __name__ == "__main__":
    main()
