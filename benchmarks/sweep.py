"""Train with many combinations of settings, and write speed and quality of each run to a JSON file.

The tables of `docs/notebook/defaults.md` that state a file in `benchmarks/results/sweeps` were made by this program::

    python -m benchmarks.sweep text.w2v --analogies questions-words.txt --pairs word-sim/EN-*.txt
        --pool-tokens 64 256 --pool-size 12 24 --output-weight 0 0.3 --seed 1 2 --json sweep.json

Options accept several values, and every combination is trained. One training run is evaluated with every output weight.
Runs that the JSON file already contains are skipped, so an interrupted sweep can be continued.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import machine
from benchmarks.systems.quality import FEWEST_PAIRS, RESTRICT
from fastw2v import evaluate
from fastw2v.config import TrainingConfig
from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.engines import cpu
from fastw2v.nn.initializers import uniform_weights
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.vectors.word_vectors import WordVectors

SETTINGS = {
    "model": str, "vector_size": int, "window": int, "negative": int, "sample": float, "alpha": float,
    "epochs": int, "cbow_grad": str, "pool_tokens": int, "pool_size": int, "tile": int, "seed": int,
}  # fmt: skip
"""Settings of `TrainingConfig` that are options of this program, with their types."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    corpus = as_corpus(given.corpus, min_count=5)
    questions = evaluate.read_analogies(given.analogies) if given.analogies else {}
    pairs = {path.stem: evaluate.read_pairs(path) for path in given.pairs}
    found = json.loads(given.json.read_text()) if given.json.exists() else header(given.corpus, corpus)
    done = {_key(run["settings"], run["workers"]) for run in found["runs"]}
    for settings in combinations(given, SETTINGS):
        config = TrainingConfig(**settings)
        if _key(asdict(config), given.workers) in done:
            continue
        seconds, losses, W_in, W_out = train(corpus, config, given.workers)
        run = {"settings": asdict(config), "workers": given.workers, "seconds": round(seconds, 3)}
        run["words_per_second"] = round(len(corpus) * config.epochs / seconds)
        run["losses"] = [round(float(loss), 5) for loss in losses]
        run["quality"] = {}
        for weight in given.output_weight:
            vectors = WordVectors(corpus.vocabulary.words, W_in + np.float32(weight) * W_out)
            run["quality"][f"{weight:g}"] = quality(vectors, questions, pairs)
        found["runs"].append(run)
        write(found, given.json)
        print(line(settings, run), flush=True)
    return 0


def train(corpus: Corpus, config: TrainingConfig, workers: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Train once; return the seconds, the loss of each epoch and both matrices."""
    tables = cpu.allocate((len(corpus.vocabulary), config.vector_size))
    uniform_weights(tables.W_in, config.seed)
    start = time.perf_counter()
    losses = cpu.train(tables, corpus, config, workers=workers)
    return time.perf_counter() - start, losses, *tables


def quality(vectors: WordVectors, questions: dict[str, Any], pairs: dict[str, Any]) -> dict[str, float]:
    """Return the percentage of correct analogies by kind, and the rank correlation of each set of word pairs."""
    found: dict[str, float] = {}
    if questions:
        kinds = {"analogies": r"", "semantic": r"(?!gram|syn)", "syntactic": r"gram|syn"}
        sections = evaluate.analogies(vectors, questions, RESTRICT).sections
        for kind, pattern in kinds.items():
            chosen = [section for section in sections if re.match(pattern, section.name)]
            correct, covered = sum(one.correct for one in chosen), sum(one.covered for one in chosen)
            found[kind] = round(100 * correct / max(covered, 1), 2)
    rhos = {}
    for name, rows in pairs.items():
        result = evaluate.word_pairs(vectors, rows)
        if result.covered > FEWEST_PAIRS:
            rhos[name] = round(float(result.spearman), 4)
    if rhos:
        found["pairs"] = round(float(np.mean(list(rhos.values()))), 4)
    return found | rhos


def line(settings: dict[str, Any], run: dict[str, Any]) -> str:
    """Return a run as a line of text: its settings, speed, and analogies and pairs by output weight."""
    scores = ", ".join(
        f"c = {weight}: {one.get('analogies', 0):.1f} / {one.get('pairs', 0):.3f}"
        for weight, one in run["quality"].items()
    )
    given = " ".join(f"{name}={value}" for name, value in settings.items())
    return f"{given}: {run['words_per_second'] / 1e6:.2f} M words/s; {scores}"


def write(found: dict[str, Any], path: Path) -> None:
    """Write the results of a sweep as JSON, with one line for each run."""
    header = json.dumps({name: value for name, value in found.items() if name != "runs"})
    runs = ",\n".join(json.dumps(run) for run in found["runs"])
    with atomic_write(path) as temporary:
        temporary.write_text(f'{header[:-1]}, "runs": [\n{runs}\n]}}\n')


def combinations(given: argparse.Namespace, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the values of these options, without those that are not given."""
    options = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    for values in itertools.product(*options.values()):
        yield dict(zip(options, values, strict=True))


def _key(settings: dict[str, Any], workers: int) -> str:
    return json.dumps([settings, workers], sort_keys=True)


def header(path: Path, corpus: Corpus) -> dict[str, Any]:
    """Return the results of a sweep without runs: the machine and the corpus."""
    size = {"words": len(corpus), "vocabulary": len(corpus.vocabulary)}
    return {"machine": machine.describe(), "corpus": {"name": path.name.split(".")[0]} | size, "runs": []}


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__.split("\n\n")[0])
    parser.add_argument("corpus", type=Path, help="text, plain or compressed, or an encoded corpus (.w2v)")
    parser.add_argument("--analogies", type=Path, metavar="FILE", help="questions in the format of questions-words.txt")
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], metavar="FILE", help="word pairs with judgements")
    for name, kind in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, nargs="+", help="values to try")
    parser.add_argument("--output-weight", type=float, nargs="+", default=[0.0], help="values of c in W_in + c · W_out")
    parser.add_argument("--workers", type=int, default=1, help="number of threads (default: 1)")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write the results to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
