"""Text to vectors: interleaved runs of all systems as whole processes, including start-up and file access.

The processes also report how long training alone takes, for `benchmarks.suites.training`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

import numpy as np

from benchmarks.harness.measure import Options, Result, Row, Skipped, Wrong
from benchmarks.systems import quality
from benchmarks.systems.peers import FailedError, Settings, System, Trained, find
from benchmarks.systems.texts import corpus_of, head_of, text_of
from fastw2v.config import Loss, Model, Quality, TrainingConfig

SECTION = "pipeline"
MODELS: dict[Model, str] = {"cbow": "CBOW", "skipgram": "skip-gram"}
OURS = "fastw2v, fused"
OTHER_QUALITIES = tuple(f"{OURS}, {name}" for name in get_args(Quality) if name != TrainingConfig.quality)
"""Systems that train with ``--quality fast`` and ``--quality best``. The first comparisons include them."""
BASELINE = "gensim"
N_GRAM_EPOCHS: dict[Model, int] = {"cbow": 5, "skipgram": 2}
"""Number of epochs with n-grams. They are few for skip-gram, because an epoch of fastText takes minutes."""
LONG = 5_000_000
"""Number of words above which a text is long. The slowest systems train on only a tenth of a long text."""


@dataclass(frozen=True)
class Comparison:
    """A training run that several systems repeat in turn, and the number of repetitions of each system."""

    model: Model
    epochs: int
    repetitions: dict[str, int]
    vector_size: int = 100
    window: int = 5
    loss: Loss = "ns"
    subwords: tuple[int, int] | None = None
    """Shortest and longest n-grams."""
    tenths: int = 10
    """Number of tenths of the text to train on."""

    @property
    def name(self) -> str:
        """The model, and the loss or the n-grams if they are unusual."""
        loss = ["hierarchical softmax"] if self.loss == "hs" else []
        return ", ".join([MODELS[self.model], *loss, *(["n-grams"] if self.subwords else [])])

    def baseline_of(self, system: str) -> str:
        """Return the system with which another one is compared, or "" for the baseline itself."""
        baseline = "fastText" if self.subwords else BASELINE
        return "" if system == baseline else baseline


@dataclass(frozen=True)
class Finished:
    """Results of a system in a comparison."""

    system: System
    repetitions: list[Trained]
    quality: dict[str, float]
    """Means over the repetitions."""
    reason: str = ""
    """Reason why there is no result, or empty if there is a result."""


def comparisons(options: Options) -> list[Comparison]:
    """Return the comparisons. Slow systems run once, and the slowest systems run on a tenth of a long text."""
    repeats = options.repeats
    if options.tiny:
        return [Comparison("cbow", 3, {OURS: 1, BASELINE: 1}, vector_size=32)]
    if options.quick:
        usual = {OURS: repeats, BASELINE: min(2, repeats), "fastText": 1, "word2vec.c": 1}
        few = {OURS: repeats, "fastw2v, layers": 1, "PyTorch": 1} | _on_gpu(repeats)
        usual |= dict.fromkeys(OTHER_QUALITIES, 1)
        whole = [Comparison(model, 5, usual | _on_gpu(repeats)) for model in MODELS]
        return [*whole, *(Comparison(model, 2, few) for model in MODELS), *_variants(repeats)]
    tenths, epochs = (1, 2) if text_of(options).words > LONG else (10, 5)
    slow = {"fastw2v, layers": 1, "PyTorch": 1, "fastw2v, layers, GPU": 1}
    twice = min(2, repeats)
    return [
        Comparison(
            "cbow",
            5,
            {OURS: repeats, BASELINE: repeats, "fastText": 1, "word2vec.c": 1}
            | dict.fromkeys(OTHER_QUALITIES, twice)
            | _on_gpu(repeats),
        ),
        Comparison(
            "skipgram", 5, {OURS: twice, BASELINE: twice} | dict.fromkeys(OTHER_QUALITIES, 1) | _on_gpu(repeats)
        ),
        Comparison("cbow", 5, {OURS: 1, BASELINE: 1} | _on_gpu(1), vector_size=300, window=10),
        Comparison("cbow", epochs, {OURS: 1, BASELINE: 1} | slow | _on_gpu(1), tenths=tenths),
        Comparison(
            "skipgram",
            epochs,
            {OURS: 1, BASELINE: 1, "fastText": 1, "word2vec.c": 1} | slow | _on_gpu(1),
            tenths=tenths,
        ),
        *_variants(repeats),
    ]


def _variants(repeats: int) -> list[Comparison]:
    """Return the comparisons with hierarchical softmax and with n-grams, each with one other system."""
    ours = {OURS: repeats, "fastw2v, fused, GPU": repeats}
    hierarchical = ours | {BASELINE: min(2, repeats)}
    return [
        *(Comparison(model, 5, hierarchical, loss="hs") for model in MODELS),
        *(
            Comparison(model, epochs, ours | {"fastText": 1}, subwords=(3, 6))
            for model, epochs in N_GRAM_EPOCHS.items()
        ),
    ]


def _on_gpu(repetitions: int) -> dict[str, int]:
    return {"fastw2v, fused, GPU": repetitions, "PyTorch, GPU": 1}


@cache
def run_comparison(options: Options, index: int) -> dict[str, Finished]:
    """Run the systems of a comparison in the order a b c, a b c; return the results of each available system."""
    comparison = comparisons(options)[index]
    available = {name: system for name, system in find(options)[0].items() if name in comparison.repetitions}
    output = options.folder / "vectors.bin"
    text = head_of(options, comparison.tenths).path
    settings = Settings(
        text, output, comparison.model, vector_size=comparison.vector_size, window=comparison.window,
        epochs=comparison.epochs, workers=options.workers, loss=comparison.loss, subwords=comparison.subwords,
    )  # fmt: skip
    for name in available:
        if name.startswith(OURS):  # compile and cache the kernels, because the other systems are already compiled
            with contextlib.suppress(FailedError, OSError):  # a failure recurs below, where it is reported
                available[name].train(replace(settings, text=head_of(options, 1).path, epochs=1))
    finished = {name: Finished(system, [], {}) for name, system in available.items()}
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in available}
    for repetition in range(max(comparison.repetitions.values())):
        for name, system in available.items():
            if repetition >= comparison.repetitions[name] or finished[name].reason:
                continue
            output.unlink(missing_ok=True)
            try:
                finished[name].repetitions.append(system.train(replace(settings, seed=repetition + 1)))
                scores[name].append(quality.of_file(output, options, "fasttext" if comparison.subwords else "bin"))
            except (FailedError, quality.NothingLearntError, OSError) as error:
                finished[name] = replace(finished[name], reason=str(error))
    output.unlink(missing_ok=True)
    return {
        name: replace(done, quality={key: float(np.mean([score[key] for score in scores[name]])) for key in first})
        for name, done in finished.items()
        for first in (scores[name][0] if scores[name] else {},)
    }


def conditions(options: Options, comparison: Comparison) -> dict[str, int | float | str]:
    """Return the settings of a comparison for its rows."""
    text = head_of(options, comparison.tenths)
    loss = {"negative": 5} if comparison.loss == "ns" else {"loss": comparison.loss}
    ngrams = {"n-grams": "{} to {}".format(*comparison.subwords)} if comparison.subwords else {}
    return {
        "model": MODELS[comparison.model], "dim": comparison.vector_size, "window": comparison.window, **loss, **ngrams,
        "epochs": comparison.epochs, "corpus": text.name, "words": text.words, "workers": options.workers,
        "vocabulary": len(corpus_of(options, tenths=comparison.tenths).vocabulary),
    }  # fmt: skip


def note(done: Finished, comparison: Comparison) -> str:
    """Return the note for the rows of a system."""
    parts = [done.system.note]
    most = max(comparison.repetitions.values())
    if len(done.repetitions) < most:
        parts.append(f"{len(done.repetitions)} of {most} repetitions")
    return "; ".join(parts)


def run(options: Options) -> Iterator[Result]:
    """Yield the time and the peak memory of each system, with the quality of its vectors."""
    yield from (Skipped(SECTION, name, reason) for name, reason in find(options)[1].items())
    for index, comparison in enumerate(comparisons(options)):
        for name, done in run_comparison(options, index).items():
            if done.reason:
                yield Wrong(SECTION, f"{name}, {comparison.name}", done.reason)
                continue
            settings, baseline = conditions(options, comparison), comparison.baseline_of(name)
            whole = [trained.seconds for trained in done.repetitions]
            peaks = [trained.peak / 1e6 for trained in done.repetitions]
            yield Row(SECTION, name, settings, "s", whole, done.quality, baseline, note(done, comparison))
            yield Row(SECTION, name, settings, "MB", peaks, done.quality, baseline, note(done, comparison))
