"""Compare the estimated memory of training runs with the measured peak of a process.

`docs/notebook/memory.md` shows its output::

    python -m benchmarks.memory_peaks

Each run has its own process, which first trains on a few words, so that the libraries and the compiled kernel are not
counted. The peak is that of the resident memory (`VmHWM`), which Linux can reset.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v import Corpus, Word2Vec

RESET = Path("/proc/self/clear_refs")
"""File that resets the peak of the resident memory when 5 is written to it."""


class Case(NamedTuple):
    """A corpus, and what differs from the default settings."""

    words: int
    """V."""
    tokens: int
    sentence: int
    """Tokens in a sentence."""
    checkpoints: bool
    settings: dict[str, Any]
    validation: bool = False


CASES = {
    "large matrices": Case(150_000, 200_000, 20, False, {"vector_size": 200}),
    "checkpoints": Case(150_000, 200_000, 20, True, {"vector_size": 200}),
    "validation": Case(150_000, 200_000, 20, False, {"vector_size": 200}, validation=True),
    "both": Case(150_000, 200_000, 20, True, {"vector_size": 200}, validation=True),
    "many words": Case(1_000_000, 1_100_000, 20, True, {"vector_size": 16}),
    "Huffman tree": Case(1_000_000, 1_100_000, 20, False, {"vector_size": 16, "loss": "hs"}),
    "both losses": Case(150_000, 200_000, 20, True, {"vector_size": 200, "loss": "hs+ns"}, validation=True),
    "wide window": Case(400, 400, 400, False, {"vector_size": 8000, "window": 390, "sample": 0}),
    "many negatives": Case(1000, 20_000, 20, False, {"vector_size": 100, "negative": 40_000}),
}
LAYERS_NEGATIVE = 2000
"""`negative` of the last case with the layers engine, whose batches need far more memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_peaks", description=str(__doc__).splitlines()[0])
    parser.add_argument("--run", help=argparse.SUPPRESS)  # in the process that is measured
    given = parser.parse_args(arguments)
    if given.run:
        print(*measure(*json.loads(given.run)))
        return 0
    print(f"{'case':<16} {'engine':<7} {'model':<9} {'estimate':>10} {'measured':>10} {'ratio':>6}")
    for name, engine, model in combinations():
        estimate, peak = measured(name, engine, model)
        sizes = f"{estimate / 1e6:7.0f} MB {peak / 1e6:7.0f} MB {estimate / peak:6.2f}"
        print(f"{name:<16} {engine:<7} {model:<9} {sizes}", flush=True)
    return 0


def combinations() -> Iterator[tuple[str, str, str]]:
    """Return the name of the case, the engine and the model of each run."""
    return itertools.product(CASES, ("fused", "layers"), ("cbow", "skipgram"))


def measured(name: str, engine: str, model: str) -> tuple[int, int]:
    """Return the estimated and the measured bytes of a run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory_peaks", "--run", json.dumps((name, engine, model))]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    estimate, peak = map(int, run.stdout.split())
    return estimate, peak


def measure(name: str, engine: str, model: str) -> tuple[int, int]:
    """Train in this process, with checkpoints in the current folder; return the estimated and the measured bytes."""
    case = CASES[name]
    settings: dict[str, Any] = {"engine": engine, "model": model, "epochs": 2 if case.validation else 1} | case.settings
    if engine == "fused":
        settings["workers"] = 2
    elif "negative" in settings:
        settings["negative"] = LAYERS_NEGATIVE
    small = settings | {"vector_size": 8, "window": 2, "negative": 2}
    flags = {"checkpoints": case.checkpoints, "validation": case.validation}
    held_out = 0.1 if case.validation else None
    Word2Vec(**small).fit(_corpus(500, 3000, 30), checkpoint="small" if case.checkpoints else None, validation=held_out)
    corpus, estimator = _corpus(case.words, case.tokens, case.sentence), Word2Vec(**settings)
    estimator._select_engine()
    estimate = estimator._estimate(corpus, estimator.config(corpus), None, **flags).needed("host")
    RESET.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    estimator.fit(corpus, checkpoint="run" if case.checkpoints else None, checkpoint_every=0.01, validation=held_out)
    _ = estimator.wv.vectors  # computed when they are first needed
    return estimate, _status("VmHWM") - before


def _corpus(words: int, tokens: int, sentence: int) -> Corpus:
    ids = np.random.default_rng(0).integers(0, words, tokens, dtype=np.int32)
    ids[:words] = np.arange(words)[:tokens]
    return Corpus.from_ids(ids, np.append(np.arange(0, tokens, sentence), tokens))


def _status(name: str) -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return 1024 * int(lines[name].split()[0])


if __name__ == "__main__":
    raise SystemExit(main())
