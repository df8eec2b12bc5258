"""Steps of the GPU check (``benchmarks/gpu_check.py``), each of which runs in a process of its own.

A step is a generator of results, each of which replaces the one before. With ``device="cpu"``, the steps are rehearsed
without a GPU: what needs one is left out.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import numpy as np

from benchmarks.harness import measure
from benchmarks.systems import peers, quality, texts
from fastw2v.backend import to_host
from fastw2v.config import TILE, Loss, Model, TrainingConfig, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import cpu, eager, gpu, reference, staleness
from fastw2v.engines.base import Engine, Tables
from fastw2v.kernels import word2vec_cuda
from fastw2v.nn.initializers import uniform_weights
from fastw2v.nn.subwords import word_means
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.utils.system import available_processors
from fastw2v.vectors.word_vectors import WordVectors

ROOT = Path(__file__).parents[1]
MODELS: tuple[Model, ...] = get_args(Model)
TYPES = 500_000
"""Distinct words in the generated corpus, whose words follow Zipf's law."""
DIM = 128
"""Dimensions of vectors in measurements of speed. Quality is measured with the default dimensions."""
WIKI8_EPOCHS = 5
SEEDS = (1, 2, 3)
"""Seeds over which quality is averaged."""
STALENESS = (1.0, 4.0)
"""Values of `staleness.MAX_STALENESS` to try, in addition to the default."""
GROUPS = (eager.GPU_GROUPS, 1024, 512, 64)
"""Numbers of pools in a batch to try, whatever the size of the corpus."""
THREADS = (1, 2, 4, 8, 16)
"""Numbers of threads of the CPU engine to try."""
SUBWORDS = (3, 6)
"""Numbers of characters of the shortest and the longest n-grams."""
TREE_WARPS = (word2vec_cuda.TREE_WARPS, 1, 4)
"""Warps of a block to try for hierarchical softmax."""
REPEATS = 10
"""How often the text is repeated for the whole process, which makes 1 GB of wiki8."""
NCU_OPTIONS = (
    "--clock-control", "none", "--cache-control", "none", "--replay-mode", "kernel",
    "-k", "regex:^(cbow|skipgram)_ns", "--launch-count", "2",
)  # fmt: skip
NCU_METRICS = (
    "gpc__cycles_elapsed.avg.per_second", "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "smsp__inst_executed.sum", "sm__warps_active.avg.pct_of_peak_sustained_active",
    "l1tex__data_pipe_lsu_wavefronts.avg.pct_of_peak_sustained_elapsed",
    "l1tex__data_bank_conflicts_pipe_lsu.sum", "lts__t_sectors_op_read.sum", "lts__t_sectors_op_red.sum",
    "lts__t_sector_hit_rate.pct", "lts__t_sectors.avg.pct_of_peak_sustained_elapsed",
    "lts__d_atomic_input_cycles_active.avg.pct_of_peak_sustained_elapsed",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed",
)  # fmt: skip
NCU_SECTIONS = (
    "LaunchStats", "Occupancy", "SpeedOfLight", "SchedulerStats", "WarpStateStats", "MemoryWorkloadAnalysis_Tables",
    "SourceCounters",
)  # fmt: skip

Result = dict[str, Any]
Row = tuple[Result, Callable[[], Result]]


@dataclass(frozen=True)
class Setting:
    """Settings of the kernels to try."""

    tile: int | None = None
    """T, or None for the sizes of tiles and pools that the engine chooses."""
    warps: int = word2vec_cuda.WARPS
    pool_sync_interval: int = gpu.POOL_SYNC_INTERVAL
    resident_warps: int | None = None
    """Warps for which the compiler leaves registers on a multiprocessor, if not `word2vec_cuda.resident_warps`."""

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Return the setting written as ``TILE,WARPS,POOL_SYNC_INTERVAL`` or with a fourth number, `resident_warps`.

        ``default`` is the engine's choice.
        """
        if text == "default":
            return cls()
        numbers = [int(part) for part in text.split(",")]
        if len(numbers) not in (3, 4):
            raise ValueError(f"{text} has {len(numbers)} numbers; a setting has three or four")
        return cls(*numbers)

    def __str__(self) -> str:
        if self.tile is None:
            return "default"
        numbers = (self.tile, self.warps, self.pool_sync_interval, self.resident_warps)
        return ",".join(str(number) for number in numbers if number is not None)

    def row(self, model: Model) -> Result:
        """Return the columns that name a measurement with this setting."""
        return {
            "model": model,
            "tile": "default" if self.tile is None else self.tile,
            "warps": self.warps,
            "pool sync interval": self.pool_sync_interval,
            "resident warps": self.resident_warps or "",
        }

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let the engine use this setting. The tile is a setting of `TrainingConfig` instead."""
        with (
            contextlib.nullcontext() if self.tile is None else as_they_are(),
            patch.object(word2vec_cuda, "WARPS", self.warps),
            patch.object(word2vec_cuda, "TREE_WARPS", self.warps),
            patch.object(gpu, "POOL_SYNC_INTERVAL", self.pool_sync_interval),
            patch.object(word2vec_cuda, "resident_warps", self._resident_warps or word2vec_cuda.resident_warps),
        ):
            yield

    @property
    def of_config(self) -> dict[str, Any]:
        """The settings of `TrainingConfig`."""
        return {} if self.tile is None else {"tile": self.tile}

    @property
    def _resident_warps(self) -> Callable[[word2vec_cuda.Kernel], int] | None:
        warps = self.resident_warps
        return None if warps is None else lambda kernel: warps


def as_they_are() -> Any:
    """Keep the engine from choosing other sizes of tiles and pools. Older versions of the engine do not."""
    return patch.object(gpu, "with_larger_tiles", lambda config, *_: config, create=True)


SETTINGS = tuple(
    map(Setting.parse, ("default", "4,4,1", "8,4,1", "16,4,1", "4,4,4", "4,4,1,24", "4,8,1", "8,8,1", "16,4,4"))
)


@dataclass(frozen=True)
class Options:
    """Options of a run."""

    output: Path
    """Folder for reports and logs."""
    work: Path
    """Folder for prepared corpora, which later runs on the same machine use again."""
    device: str = "cuda"
    words: int = 100_000_000
    """Words in the generated corpus."""
    settings: tuple[Setting, ...] = SETTINGS
    tree: Path | None = None
    """Folder with another version of the package `fastw2v`, to compare with."""
    done: int = 0
    """Rows that an earlier process of the same step has measured."""

    @property
    def engine(self) -> Engine:
        """The fused engine of the device."""
        return cpu if self.device == "cpu" else gpu


# ---- corpora and tables ----


def data(name: str) -> Path | None:
    """Return the path of a file in the folder named by FASTW2V_DATA, or None if there is no such file."""
    folder = os.environ.get("FASTW2V_DATA")
    return next(iter(sorted(Path(folder).glob(f"**/{name}"))), None) if folder else None


def wiki8_text(options: Options) -> Path | None:
    """Return the path of wiki8 in lines of 1,000 words, as gensim needs it, or None without wiki8."""
    source, target = data("wiki8.txt*"), options.work / "wiki8.txt"
    if source is not None and not target.exists():
        with lzma.open(source, "rt", encoding="utf-8") if source.suffix == ".xz" else source.open() as file:
            words = file.read().split()
        draft = target.with_suffix(".part")
        with draft.open("w", encoding="utf-8") as lines:
            for start in range(0, len(words), texts.LINE):
                lines.write(" ".join(words[start : start + texts.LINE]) + "\n")
        draft.replace(target)
    return target if target.exists() else None


def wiki8(options: Options) -> Corpus | None:
    """Return wiki8 as a memory-mapped corpus, or None without wiki8."""
    target = options.work / "wiki8.w2v"
    if not target.exists() and (text := wiki8_text(options)):
        Corpus.from_text(text, 5).save(target)
    return Corpus.load(target) if target.exists() else None


def generated(options: Options) -> Corpus:
    """Return a memory-mapped corpus of words that follow Zipf's law, in sentences of 1,000 words."""
    target = options.work / f"zipf-{options.words}.w2v"
    if not target.exists():
        part = 1 << 22
        sizes = [min(part, options.words - start) for start in range(0, options.words, part)]
        with ThreadPoolExecutor(available_processors()) as pool:
            ids = np.concatenate(list(pool.map(texts.zipf_ids, sizes, itertools.repeat(TYPES), range(len(sizes)))))
        vocabulary = Vocabulary([f"word{i}" for i in range(TYPES)], np.bincount(ids, minlength=TYPES))
        Corpus(ids, np.append(np.arange(0, len(ids), texts.LINE), len(ids)), vocabulary).save(target)
    return Corpus.load(target)


def beginning(corpus: Corpus, tokens: int) -> Corpus:
    """Return the first tokens of a corpus, with the vocabulary and counts of the whole corpus."""
    tokens = min(tokens, len(corpus))
    return Corpus(corpus.ids[:tokens], np.append(corpus.offsets[corpus.offsets < tokens], tokens), corpus.vocabulary)


@functools.cache
def initial_weights(V: int, D: int) -> np.ndarray:
    """Return the usual initial weights of W_in."""
    W = np.zeros((V, D), np.float32)
    uniform_weights(W, seed=1)
    return W


def start(
    engine: Engine, corpus: Corpus, D: int, device: str, loss: Loss = "ns", input_rows: int | None = None
) -> Tables:
    """Return tables with the usual initial weights, computed on the host, so that no kernel is compiled for them."""
    V = len(corpus.vocabulary)
    W = initial_weights(input_rows or V, D)
    tables = engine.allocate((V, D), device, loss, *([] if input_rows is None else [input_rows]))
    if device == "cpu":
        tables.W_in[...] = W
    else:
        import cupy

        tables.W_in[...] = cupy.asarray(W)
    return tables


# ---- measuring ----


def rows(options: Options, deadline: float, given: Iterable[Row], **facts: Any) -> Iterator[Result]:
    """Measure one row after another until the deadline.

    The row that is being measured is named in the result, so that another process can go on after it if it crashes this
    one or hangs. Errors of CUDA end the process, because the device cannot be used after them.
    """
    results: list[Result] = []
    waiting = list(given)[options.done :]
    for i, (label, measured) in enumerate(waiting):
        if time.monotonic() > deadline:
            yield facts | {"left out": f"{len(waiting) - i} measurements, for lack of time", "results": results}
            return
        yield facts | {"results": results, "attempt": label}
        began = time.perf_counter()
        try:
            found = measured()
        except Exception as error:
            if "CUDA" in type(error).__name__:
                raise
            found = {"failed": f"{type(error).__name__}: {error}"[:500]}
        results.append(label | found | {"took": round(time.perf_counter() - began, 1)})
        yield facts | {"results": results}


def timed(
    engine: Engine,
    corpus: Corpus,
    config: TrainingConfig,
    device: str,
    workers: int | None = None,
    subwords: Subwords | None = None,
) -> tuple[Result, Tables]:
    """Train, and return the tables and the speed between the first and the last progress report.

    The first report comes after the first launch, so the speed excludes compiling and copying.
    """
    more: dict[str, Any] = {} if subwords is None else {"subwords": subwords}  # older versions do not have it
    input_rows = None if subwords is None else subwords.n_rows
    tables = start(engine, corpus, config.vector_size, device, config.loss, input_rows)
    seen: list[tuple[int, float, float]] = []

    def note(done: int, loss: float, rate: float) -> None:
        seen.append((done, loss, time.perf_counter()))

    began = time.perf_counter()
    engine.train(tables, corpus, config, workers=workers, on_progress=note, **more)
    found: Result = {"seconds": round(time.perf_counter() - began, 2), "words/s": between(seen)}
    return found | {"loss": round(seen[-1][1], 4)}, tables


def between(seen: Sequence[tuple[int, float, float]]) -> int | None:
    """Return words per second between the first and the last progress report, or None if there is only one report."""
    (first, _, began), (last, _, ended) = seen[0], seen[-1]
    return round((last - first) / (ended - began)) if len(seen) > 1 else None


def kernel_facts(options: Options, config: TrainingConfig, setting: Setting) -> Result:
    """Return what the compiler and the driver say of the kernel of a setting. Call it with the setting applied."""
    if options.device == "cpu":
        return {}
    config = gpu.with_larger_tiles(config, False, config.window)
    kernel, function = word2vec_cuda.compile_kernel(
        config.model, False, config.vector_size, config.window, config.tile, config.pool_size,
        setting.pool_sync_interval > 1, loss=config.loss,
    )  # fmt: skip
    return {
        "T": config.tile,
        "P": config.pool_size,
        "registers": function.num_regs,
        "local bytes": function.local_size_bytes,
        "shared bytes": kernel.shared_bytes(),
        "blocks": word2vec_cuda.resident_blocks(kernel, function),
    }


def speed_of(
    options: Options, corpus: Corpus, setting: Setting, model: Model, epochs: int, loss: Loss = "ns"
) -> Result:
    """Return the speed with a setting, and the bytes that a word moves by count."""
    config = TrainingConfig(model=model, vector_size=DIM, epochs=epochs, loss=loss, **setting.of_config)
    with setting.applied():
        facts = kernel_facts(options, config, setting)
        found, _ = timed(options.engine, corpus, config, options.device)
    if loss == "ns":
        # Rows read and written: a streaming row, the target's row and, once per interval, the rows of the pool.
        T, P = facts.get("T", config.tile), facts.get("P", config.pool_size)
        moved = 4 + 2 * P / (T * setting.pool_sync_interval)
    else:
        moved = 2 + 2 * path_length(corpus.vocabulary.counts, config.sample)  # a streaming row and the inner nodes
    kept = texts.kept_share(corpus.vocabulary.counts, config.sample)
    found["bytes per word, by count"] = round(kept * moved * 4 * DIM + 4)
    if found["words/s"]:
        found["10**9 bytes/s"] = round(found["bytes per word, by count"] * found["words/s"] / 1e9, 1)
    return found | facts


def path_length(counts: np.ndarray, sample: float) -> float:
    """Return the mean number of inner nodes on the path to a target."""
    trained = counts * (keep_threshold(counts, sample) / 2.0**32)
    return float(trained @ np.diff(HuffmanTree.from_counts(counts).starts) / trained.sum())


def learned(options: Options, engine: Engine, device: str, model: Model, workers: int | None, **more: Any) -> Result:
    """Train on wiki8 with the default dimensions and each seed; return the means of speed and quality."""
    corpus = wiki8(options)
    if corpus is None:
        return {"left out": "FASTW2V_DATA does not name a folder that contains wiki8.txt"}
    folder = Path(os.environ["FASTW2V_DATA"])
    runs: list[Result] = []
    subwords = subwords_of(corpus) if "subwords" in more else None
    for seed in SEEDS:
        config = TrainingConfig(model=model, epochs=WIKI8_EPOCHS, seed=seed, **more)
        found, tables = timed(engine, corpus, config, device, workers, subwords)
        vectors = to_host(tables.W_in)
        if subwords is not None:
            vectors = word_means(vectors, subwords.n_words, subwords.blocks())
        if config.output_weight:
            vectors = vectors + np.float32(config.output_weight) * to_host(tables.W_out)
        scores = quality.of_vectors(
            WordVectors(corpus.vocabulary.words, vectors), measure.Options(folder=options.work, data=folder)
        )
        runs.append(found | {name: scores[name] for name in ("analogy %", "pairs") if name in scores})
    of_all = {name: [run[name] for run in runs if run.get(name) is not None] for name in runs[0]}
    means = {name: round(float(np.mean(values)), 4) for name, values in of_all.items() if values}
    if "words/s" in means:
        means["words/s"] = round(means["words/s"])
    return {"seeds": len(runs)} | means


def subwords_of(corpus: Corpus) -> Subwords:
    """Return the rows of the words of a corpus, with n-grams of the usual sizes."""
    return Subwords(corpus.vocabulary.words, NGrams(*SUBWORDS, TrainingConfig().bucket))


# ---- the steps ----


def prepare(options: Options, deadline: float) -> Iterator[Result]:
    """Write the corpora and compile the kernels that the other steps use, so that this is not part of their limits."""

    def words(build: Callable[[Options], Corpus | None]) -> Result:
        corpus = build(options)
        return {"words": None if corpus is None else len(corpus)}

    given: list[Row] = [({"what": build.__name__}, partial(words, build)) for build in (wiki8, generated)]
    if options.device != "cpu":
        processes = [start_compiling(options, setting) for setting in options.settings]
        given.append(({"what": "kernels"}, lambda: {"exit statuses": str([process.wait() for process in processes])}))
    return rows(options, deadline, given)


def start_compiling(options: Options, setting: Setting) -> subprocess.Popen[bytes]:
    """Start a process that compiles the kernels of a setting. CuPy stores them on disk."""
    arguments = as_arguments(replace(options, settings=(setting,)))
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--step", "compiled", "60", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def compiled(options: Options, deadline: float) -> Iterator[Result]:
    """Compile the kernels of the first setting. The step `prepare` runs this for each setting at the same time."""
    setting = options.settings[0]
    for D in (DIM, TrainingConfig().vector_size):
        for model in MODELS:
            config = TrainingConfig(model=model, vector_size=D, **setting.of_config)
            with setting.applied():
                kernel_facts(options, config, setting)
    yield from ()


def smoke(options: Options, deadline: float) -> Iterator[Result]:
    """Compare one block with the reference implementation, and train on all blocks.

    The other steps make sense only if the rows with the default tile are all right (`problem_of_smoke`).
    """
    cases: list[tuple[int, str, int | None]] = [(TILE, "float64", None), (TILE, "float32", None)]
    if options.device != "cpu":  # None: a pool is held for all of its tokens, 1: it is not held
        cases += [(TILE, "float64", 1), (TILE, "float32", 1)]
        cases += [
            (tile, "float32", 1) for tile in sorted({setting.tile or TILE for setting in options.settings} - {TILE})
        ]
    given: list[Row] = []
    for tile, dtype, interval in cases:
        for model in MODELS:
            label = {"model": model, "dtype": dtype, "tile": tile, "interval": interval}
            given.append((label, partial(one_block, options, model, dtype, tile, interval)))
    given += [
        ({"model": model, "tile": TILE, "all blocks": True}, partial(all_blocks, options, model)) for model in MODELS
    ]
    return rows(options, deadline, given)


def problem_of_smoke(result: Result) -> str | None:
    """Return what is wrong with the default kernels, or None."""
    found = result.get("results", [])
    wrong = [row for row in found if row["tile"] == TILE and not row.get("ok")]
    if wrong:
        return f"{len(wrong)} of {len(found)} checks are wrong"
    return result.get("failed") or result.get("left out") or (None if found else "nothing was checked")


def variants(options: Options, deadline: float) -> Iterator[Result]:
    """Compare kernels without vector atomics and without asynchronous copies with the reference implementation.

    This step runs only if the smoke test fails. If one of these kernels is right, the cause is known.
    """
    given: list[Row] = []
    for off in ((), ("VECTOR_ATOMICS",), ("ASYNC_COPY",), ("VECTOR_ATOMICS", "ASYNC_COPY")):
        for dtype in ("float64", "float32"):
            for model in MODELS:
                label = {"model": model, "dtype": dtype, "tile": TILE, "without": " ".join(off)}
                given.append((label, partial(one_block, options, model, dtype, TILE, 1, off)))
    return rows(options, deadline, given)


def one_block(
    options: Options,
    model: Model,
    dtype: str,
    tile: int,
    interval: int | None,
    off: tuple[str, ...] = (),
    loss: Loss = "ns",
    with_subwords: bool = False,
) -> Result:
    """Train with one block and with the reference implementation; return the largest difference of the weights."""
    corpus = texts.zipf_corpus(2000, 120)
    given: dict[str, Any] = {"alpha": 0.05}
    if with_subwords:  # all words share n-grams, so that large steps amplify rounding errors
        given = {"alpha": 0.005, "subwords": SUBWORDS}
    config = TrainingConfig(
        model=model, vector_size=100, epochs=2, cbow_grad="balanced", sample=0.01, seed=7, tile=tile,
        loss=loss, **given,
    )  # fmt: skip
    subwords = subwords_of(corpus) if with_subwords else None
    more: dict[str, Any] = {} if subwords is None else {"subwords": subwords}
    random = np.random.default_rng(0)
    shapes = [(120 if subwords is None else subwords.n_rows, 100), (output_rows(loss, 120), 100)]
    expected = Tables(*((0.5 * random.standard_normal(shape)).astype(dtype) for shape in shapes))
    ours = Tables(*(W.copy() for W in expected))
    if options.device != "cpu":
        import cupy

        ours = Tables(*map(cupy.asarray, ours))
    tiles = interval or -(-config.pool_tokens // tile)
    macros = word2vec_cuda.Kernel.macros
    with (
        patch.object(gpu, "pool_sync_interval", lambda *_, **__: tiles),
        patch.object(
            word2vec_cuda.Kernel, "macros", lambda kernel: (*macros(kernel), *(f"-D{name}=0" for name in off))
        ),
    ):
        found = options.engine.train(ours, corpus, config, workers=1, **more)
    held = word2vec_cuda.TREE_NODES[0][1], word2vec_cuda.HELD_TOKENS
    expected_loss = reference.train(expected, corpus, config, pool_sync_interval=interval, held=held, **more)
    tolerance = 1e-10 if dtype == "float64" else 32 * float(np.finfo(np.float32).eps) * len(corpus) ** 0.5
    if dtype == "float32" and tile == word2vec_cuda.TENSOR_CORE_TILE:
        tolerance = 2e-3  # tensor cores round to tf32
    difference = max(float(np.abs(to_host(W) - E).max()) for W, E in zip(ours, expected, strict=True))
    relative = float(np.abs(found / expected_loss - 1).max())
    ok = bool(difference <= tolerance and relative <= tolerance)
    return {
        "ok": ok,
        "difference": f"{difference:.1e}",
        "of the loss": f"{relative:.1e}",
        "tolerance": f"{tolerance:.1e}",
    }


def all_blocks(options: Options, model: Model) -> Result:
    """Train on generated words with all blocks; return the speed and whether the loss falls."""
    corpus = beginning(generated(options), 20_000_000)
    config = TrainingConfig(model=model, vector_size=DIM, epochs=2)
    found, tables = timed(options.engine, corpus, config, options.device)
    untrained = np.log(2) * (1 + config.negative)
    moved = float(np.abs(to_host(tables.W_out[:1000])).max())
    return {"ok": bool(0 < found["loss"] < 0.9 * untrained and moved > 0)} | found


def sanitize(options: Options, deadline: float) -> Iterator[Result]:
    """Run the tests of one block under compute-sanitizer. This step runs only if the smoke test fails."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        yield {"left out": "compute-sanitizer is not installed"}
        return
    tests = ["-m", "pytest", "-q", "-x", "-W", "default", "-m", "gpu", "-k", "one_block and defaults"]
    command = [sys.executable, *tests, "tests/engines/test_gpu.py"]
    given: list[Row] = []
    for tool in ("memcheck", "racecheck"):
        log = options.output / f"{tool}.log"
        checked = [program, "--tool", tool, "--log-file", str(log), *command]
        given.append(({"tool": tool}, partial(_checked, checked, log, deadline)))
    yield from rows(options, deadline, given)


def _checked(command: list[str], log: Path, deadline: float) -> Result:
    status, output = run(command, max(5.0, deadline - time.monotonic()))
    report = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return {"exit status": status, "report": report[:1500], "output": output[-500:]}


def run(command: Sequence[str | Path], seconds: float) -> tuple[int | None, str]:
    """Run a command for at most `seconds`; return its exit status, or None if it was killed, and its output."""
    # The output goes to a file, because what the command has started may keep a pipe open after the command is killed.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        status: int | None = None
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.seek(0)
        return status, output.read()


def touch(options: Options, deadline: float) -> Iterator[Result]:
    """Measure copying, and reading and adding to rows in several ways, in 10**9 bytes per second.

    The additions are also compared with counts on the host.
    """
    if options.device == "cpu":
        yield {"left out": "there is no GPU"}
        return
    import cupy

    device = cupy.cuda.Device()
    vector = int(device.compute_capability) >= 90
    source = Path(__file__).with_name("touch.cu").read_text(encoding="utf-8")
    function = cupy.RawModule(code=source, options=("-std=c++17",)).get_function("touch")
    blocks = 5 * device.attributes["MultiProcessorCount"]
    many = min(2_000_000, max(40_000, options.words // 50))
    W, copy = (cupy.zeros((many, DIM), np.float32) for _ in range(2))
    sink = cupy.zeros(1, np.float32)
    random = np.random.default_rng(0)
    n = min(1 << 22, options.words // 4 * 4)
    ids = {
        "20,000 rows": random.integers(0, 20_000, n, dtype=np.int32),
        f"{TYPES:,} rows by Zipf's law": np.minimum(texts.zipf_ids(n, TYPES), many - 1),
        f"{many:,} rows": random.integers(0, many, n, dtype=np.int32),
    }
    modes = {0: "read", 1: "add four floats", 2: "add one float", 3: "read and add four", 4: "add by the bulk engine"}

    def rate(step: Callable[[], Any], moved: float) -> float:
        step()
        device.synchronize()
        began, ended = cupy.cuda.Event(), cupy.cuda.Event()
        began.record()
        for _ in range(5):
            step()
        ended.record()
        ended.synchronize()
        return round(5 * moved / cupy.cuda.get_elapsed_time(began, ended) * 1e3 / 1e9, 1)

    def launch(place: Any, mode: int, amount: float) -> None:
        arguments = (W, place, np.int32(n), np.int32(mode), np.float32(amount), sink)
        function((blocks,), (128,), arguments, shared_mem=2048)

    def touched(name: str, mode: int) -> Result:
        place = cupy.asarray(ids[name])
        speed = rate(partial(launch, place, mode, 0.0), n * DIM * 4 * (2 if mode == 3 else 1))
        found: Result = {"10**9 bytes/s": speed}
        if mode and name == "20,000 rows":
            W[:20_000].data.memset(0, 20_000 * DIM * 4)
            launch(place, mode, 1.0)
            expected = np.bincount(ids[name], minlength=20_000)[:, None]
            found["ok"] = bool((W[:20_000].get() == expected).all())
        return found

    given: list[Row] = [
        ({"what": "copy", "rows": ""}, lambda: {"10**9 bytes/s": rate(lambda: cupy.copyto(copy, W), 2 * W.nbytes)})
    ]
    for name in ids:
        for mode, what in modes.items():
            if vector or mode in (0, 2):
                given.append(({"what": what, "rows": name}, partial(touched, name, mode)))
    yield from rows(options, deadline, given)


def tests(options: Options, deadline: float) -> Iterator[Result]:
    """Run the tests marked gpu in parallel, because they spend most of their time compiling."""
    missing = [name for name in ("pytest", "xdist") if importlib.util.find_spec(name) is None]
    if missing:
        yield {"failed": f"{' and '.join(missing)} must be installed to run the tests"}
        return
    # Warnings of CuPy and NumPy are not errors here. The verbose output shows what passed even if pytest is killed.
    command: list[str] = [sys.executable, "-m", "pytest", "-v", "-W", "default", "-p", "no:cacheprovider"]
    command += ["-n", str(min(12, available_processors())), "-m", "gpu and not slow", "--durations=5", "--tb=short"]
    if importlib.util.find_spec("pytest_timeout") is not None:
        command.append("--timeout=60")
    # Collecting the tests of all files takes several times as long.
    files = [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"\b(xp|gpu)\b", path.read_text(encoding="utf-8"))
    ]
    status, output = run([*command, *files], max(5.0, deadline - time.monotonic()))
    print(output)  # for the log of the check
    yield test_results(status, output)


def test_results(status: int | None, output: str) -> Result:
    """Return the number of tests that passed and failed, and what failed, from pytest's verbose output."""
    passed, failed, errors = (
        len(re.findall(rf"^\[gw\d+\] \[ *\d+%\] {name} ", output, re.MULTILINE))
        for name in ("PASSED", "FAILED", "ERROR")
    )
    found: Result = {"exit status": status, "tests passed": passed, "tests failed": failed + errors}
    if failed or errors:
        _, _, failures = output.partition("= FAILURES =")
        found["failed"] = f"{failed + errors} tests"
        found["failed tests"] = sorted(set(re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)))
        found["output"] = (failures or output)[:6000]
    if status is None:
        found["left out"] = "the tests that had not finished at the time limit"
    elif status not in (0, 1, 5):  # 5: no tests were selected
        found |= {"failed": f"exit status {status}", "output": output[-3000:]}
    return found


def speed(options: Options, deadline: float) -> Iterator[Result]:
    """Time the settings on generated words, with 128 dimensions."""
    corpus = generated(options)
    given: list[Row] = [
        (setting.row(model), partial(speed_of, options, corpus, setting, model, 2))
        for setting in options.settings
        for model in MODELS
    ]
    return rows(options, deadline, given)


def long(options: Options, deadline: float) -> Iterator[Result]:
    """Time the first setting and the default twice, on four times as many words."""
    corpus = generated(options)
    given: list[Row] = [
        (setting.row(model) | {"round": i + 1}, partial(speed_of, options, corpus, setting, model, 4))
        for i in range(2)
        for setting in dict.fromkeys((Setting(), options.settings[0]))
        for model in MODELS
    ]
    return rows(options, deadline, given)


def quality_on_wiki8(options: Options, deadline: float) -> Iterator[Result]:
    """Train on wiki8 with the default setting, the settings to try and other staleness bounds; score the vectors."""
    given: list[Row] = []

    def learned_with(setting: Setting, bound: float, model: Model) -> Result:
        with setting.applied(), patch.object(staleness, "MAX_STALENESS", bound):
            return learned(options, options.engine, options.device, model, None, **setting.of_config)

    default = staleness.MAX_STALENESS
    bounded = [(setting, default) for setting in dict.fromkeys((Setting(), *options.settings))]
    bounded += [(options.settings[0], bound) for bound in STALENESS]
    for setting, bound in bounded:
        for model in MODELS:
            label = setting.row(model) | {"staleness": bound}
            given.append((label, partial(learned_with, setting, bound, model)))
    return rows(options, deadline, given)


def tree(options: Options, deadline: float) -> Iterator[Result]:
    """Check hierarchical softmax: one block against the reference implementation, speed by warps, and quality."""
    given: list[Row] = []
    losses: tuple[Loss, ...] = ("hs", "hs+ns")
    for loss, dtype in itertools.product(losses, ("float64", "float32")):
        for model in MODELS:
            label: Result = {"what": "one block", "trained with": loss, "model": model, "dtype": dtype}
            given.append((label, partial(one_block, options, model, dtype, TILE, 1, loss=loss)))
    corpus = generated(options)
    for warps in TREE_WARPS:
        for model in MODELS:
            label = {"what": "speed", "trained with": "hs", "model": model, "warps": warps}
            given.append((label, partial(speed_of, options, corpus, Setting(warps=warps), model, 1, "hs")))
    for model in MODELS:
        label = {"what": "quality", "trained with": "hs", "model": model}
        given.append((label, partial(learned, options, options.engine, options.device, model, None, loss="hs")))
    return rows(options, deadline, given)


def subwords(options: Options, deadline: float) -> Iterator[Result]:
    """Check subwords: one block against the reference implementation, and speed and quality by bound on staleness."""
    given: list[Row] = []
    losses: tuple[Loss, ...] = ("ns", "hs")
    for loss, dtype in itertools.product(losses, ("float64", "float32")):
        for model in MODELS:
            label: Result = {"what": "one block", "trained with": loss, "model": model, "dtype": dtype}
            measured = partial(one_block, options, model, dtype, TILE, 1, loss=loss, with_subwords=True)
            given.append((label, measured))

    def learned_with(bound: float, model: Model, loss: Loss) -> Result:
        with patch.object(staleness, "MAX_STALENESS", bound):
            return learned(options, options.engine, options.device, model, None, loss=loss, subwords=SUBWORDS)

    default = staleness.MAX_STALENESS
    bounded: list[tuple[Loss, float]] = [("ns", default), *(("ns", bound) for bound in STALENESS), ("hs", default)]
    for loss, bound in bounded:
        for model in MODELS:
            label = {"what": "quality", "trained with": loss, "model": model, "staleness": bound}
            given.append((label, partial(learned_with, bound, model, loss)))
    return rows(options, deadline, given)


def layers(options: Options, deadline: float) -> Iterator[Result]:
    """Time the layers by batch size, after a run that compiles their kernels, and with a fixed order of additions."""
    whole = generated(options)

    def timed_with(groups: int, model: Model, words: int, deterministic: bool) -> Result:
        config = TrainingConfig(model=model, vector_size=DIM, epochs=1, deterministic=deterministic)
        with patch.multiple(eager, GPU_GROUPS=groups, MAX_GPU_GROUPS=groups):
            return timed(eager, beginning(whole, words), config, options.device)[0]

    few = min(100_000, options.words // 10)
    given: list[Row] = []
    for model in MODELS:
        label = {"model": model, "tokens in a batch": GROUPS[0] * eager.BATCH_POOL_TOKENS, "deterministic": False}
        given.append((label | {"compiling": True}, partial(timed_with, GROUPS[0], model, few, False)))
    for deterministic, groups in [*((False, groups) for groups in GROUPS), (True, GROUPS[0])]:
        for model in MODELS:
            label = {
                "model": model,
                "tokens in a batch": groups * eager.BATCH_POOL_TOKENS,
                "deterministic": deterministic,
            }
            words = options.words // (10 if model == "cbow" else 30)
            given.append((label, partial(timed_with, groups, model, words, deterministic)))
    return rows(options, deadline, given)


def threads(options: Options, deadline: float) -> Iterator[Result]:
    """Time reading and training on the CPU by number of threads, score the vectors of all threads, and time gensim."""
    text, corpus = wiki8_text(options), wiki8(options)
    if text is None or corpus is None:
        yield {"left out": "FASTW2V_DATA does not name a folder that contains wiki8.txt"}
        return
    if reason := cpu.unavailable_reason():
        yield {"left out": reason}
        return
    processors = available_processors()
    numbers = [n for n in THREADS if n <= processors] or [1]

    def read(n: int) -> Result:
        began = time.perf_counter()
        words = len(Corpus.from_text(text, 5, workers=n))
        seconds = time.perf_counter() - began
        return {"seconds": round(seconds, 2), "words/s": round(words / seconds)}

    def train(n: int, model: Model) -> Result:
        config = TrainingConfig(model=model, vector_size=DIM, epochs=1)
        words = min(len(corpus), (2_000_000 if model == "cbow" else 1_000_000) * n)
        return timed(cpu, beginning(corpus, words), config, "cpu", workers=n)[0]

    def gensim(model: Model) -> Result:
        settings = peers.Settings(
            text, options.work / "gensim.bin", model, vector_size=DIM, epochs=1, workers=processors
        )
        trained = peers.gensim(settings)
        found: Result = {"seconds": round(trained.seconds, 2)}
        return found | ({"words/s": round(len(corpus) / trained.alone)} if trained.alone else {})

    given: list[Row] = [({"what": "compile", "threads": 1, "model": "both"}, lambda: train(1, "skipgram"))]
    given += [({"what": "text to ids", "threads": n, "model": ""}, partial(read, n)) for n in numbers]
    for n in reversed(numbers):
        for model in MODELS:
            given.append(({"what": "train", "threads": n, "model": model}, partial(train, n, model)))
    for model in MODELS:
        label = {"what": f"train {WIKI8_EPOCHS} epochs", "threads": numbers[-1], "model": model}
        given.append((label, partial(learned, options, cpu, "cpu", model, numbers[-1])))
    if importlib.util.find_spec("gensim") is not None:
        given += [({"what": "gensim", "threads": processors, "model": m}, partial(gensim, m)) for m in MODELS]
    yield from rows(options, deadline, given)


def whole(options: Options, deadline: float) -> Iterator[Result]:
    """Time ``fastw2v train`` from text to vectors on wiki8, repeated to 1 GB, with the default settings."""
    text = wiki8_text(options)
    if text is None:
        yield {"left out": "FASTW2V_DATA does not name a folder that contains wiki8.txt"}
        return
    large = options.work / "large.txt"
    if not large.exists():
        draft = large.with_suffix(".part")
        with draft.open("wb") as file:
            for _ in range(REPEATS):
                file.write(text.read_bytes())
        draft.replace(large)

    def process(model: Model) -> Result:
        # With min_count multiplied alike, the vocabulary is that of the text itself.
        settings = peers.Settings(
            large, options.work / "vectors.bin", model, min_count=5 * REPEATS, workers=available_processors()
        )
        trained = peers.fastw2v(settings, device=options.device)
        words = REPEATS * len(wiki8(options) or ()) * settings.epochs
        found = {"seconds": round(trained.seconds, 2), "words/s": round(words / trained.seconds)}
        if trained.alone:
            found["words/s, training alone"] = round(words / trained.alone)
        return found | {"peak MB": round(trained.peak / 1e6)}

    given: list[Row] = [({"model": model, "run": i + 1}, partial(process, model)) for i in range(2) for model in MODELS]
    yield from rows(options, deadline, given)


def profiled(options: Options, deadline: float) -> Iterator[Result]:
    """Train each model for a single launch with the first setting. The step `ncu` profiles this."""
    corpus = beginning(generated(options), 40_000_000)
    (setting,) = options.settings[:1]
    for model in MODELS:
        config = TrainingConfig(model=model, vector_size=DIM, epochs=1, **setting.of_config)
        with setting.applied(), patch.object(gpu, "FIRST_LAUNCH_ITEMS", 1 << 20):
            timed(options.engine, corpus, config, options.device)
    yield {}


def ncu(options: Options, deadline: float) -> Iterator[Result]:
    """Profile a launch of each model with Nsight Compute."""
    program = shutil.which("ncu")
    if program is None or options.device == "cpu":
        yield {"left out": "there is no GPU" if program else "ncu is not installed"}
        return
    report = options.output / "ncu"
    profile = [program, *NCU_OPTIONS, "-f", "-o", str(report)]
    profile += [part for name in NCU_SECTIONS for part in ("--section", name)]
    script = [sys.executable, "-m", "benchmarks.gpu_check", "--step", "profiled", "60", *as_arguments(options)]
    # A metric may have another name in another version, so the second attempt does without them.
    for more in (["--metrics", ",".join(NCU_METRICS)], []):
        status, output = run([*profile, *more, *script], max(5.0, deadline - time.monotonic()))
        (options.output / "profiled.json").unlink(missing_ok=True)
        if status == 0 and Path(f"{report}.ncu-rep").exists():
            break
        yield {"failed": f"exit status {status}", "output": output[-3000:]}
    else:
        return
    pages = {"ncu.txt": ["details"], "ncu.csv": ["raw", "--csv"], "ncu-source.csv": ["source", "--csv"]}
    for name, page in pages.items():
        _, shown = run([program, "--import", f"{report}.ncu-rep", "--page", *page], 30)
        save(options.output / name, shown)
    yield {"setting": str(options.settings[0]), "results": ncu_rows((options.output / "ncu.csv").read_text("utf-8"))}


def ncu_rows(table: str) -> list[Result]:
    """Return the metrics in `NCU_METRICS` for each profiled kernel, from ncu's raw page in CSV."""
    lines = [line for line in table.splitlines() if line.startswith('"')]
    if len(lines) < 3:
        return []
    names, _, *kernels = (re.findall(r'"([^"]*)"', line) for line in lines)  # the second line has the units
    found = []
    for values in kernels:
        row = dict(zip(names, values, strict=False))
        found.append({"kernel": row.get("Kernel Name", "")} | {name: row[name] for name in NCU_METRICS if name in row})
    return found


def compare(options: Options, deadline: float) -> Iterator[Result]:
    """Time the first setting with this version of fastw2v and with the one in another folder, in turns."""
    if options.tree is None:
        yield {"left out": "no folder with another version was given (--tree)"}
        return

    def once(tree: Path, model: Model) -> Result:
        path = os.pathsep.join(map(str, [tree.absolute(), ROOT, os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-P", "-m", "benchmarks.gpu_check", "--step", f"once-{model}", "60"]
        with patch.dict(os.environ, {"PYTHONPATH": path}):
            status, output = run([*command, *as_arguments(options)], max(5.0, deadline - time.monotonic()))
        result = options.output / f"once-{model}.json"
        if status != 0 or not result.exists():
            return {"failed": f"exit status {status}: {output[-500:]}"}
        found: Result = load(result)["results"][0]
        result.unlink()
        return found

    given: list[Row] = [
        ({"version": name, "model": model, "round": i + 1}, partial(once, tree, model))
        for i in range(3)
        for model in MODELS
        for name, tree in (("this", ROOT), ("other", options.tree))
    ]
    yield from rows(options, deadline, given)


def once(model: Model, options: Options, deadline: float) -> Iterator[Result]:
    """Time the first setting once. The step `compare` runs this with each version."""
    found = speed_of(options, generated(options), options.settings[0], model, 2)
    yield {"results": [found | {"package": str(Path(word2vec_cuda.__file__).parents[1])}]}


Step = Callable[[Options, float], Iterator[Result]]
STEPS: dict[str, tuple[Step, float]] = {
    "prepare": (prepare, 30),
    "smoke": (smoke, 45),
    "touch": (touch, 20),
    "tests": (tests, 90),
    "speed": (speed, 75),
    "ncu": (ncu, 60),
    "quality": (quality_on_wiki8, 60),
    "tree": (tree, 60),
    "subwords": (subwords, 90),
    "long": (long, 20),
    "layers": (layers, 30),
    "threads": (threads, 60),
    "whole": (whole, 60),
    "compare": (compare, 75),
}
"""Steps, each with the number of seconds after which it starts no new measurement."""
INNER_STEPS: dict[str, Step] = {
    "compiled": compiled,
    "profiled": profiled,
    "variants": variants,
    "sanitize": sanitize,
    **{f"once-{model}": partial(once, model) for model in MODELS},
}
"""Steps that other steps or a failed smoke test run."""


def as_arguments(options: Options) -> list[str]:
    """Return the options of the command line that give `options`."""
    given = ["--output", str(options.output), "--work", str(options.work), "--device", options.device]
    given += ["--words", str(options.words), "--settings", *map(str, options.settings)]
    return [*given, *(["--tree", str(options.tree)] if options.tree else []), "--done", str(options.done)]


def save(path: Path, text: str) -> None:
    """Write a file atomically."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8", errors="replace")
    draft.replace(path)


def load(path: Path) -> Result:
    """Return the contents of a JSON file."""
    found: Result = json.loads(path.read_text(encoding="utf-8"))
    return found
