"""Training alone: words per second (before subsampling) and quality, compared with the baselines and by setting."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.harness.measure import Options, Result, Row, Skipped, Wrong, interleave
from benchmarks.suites import pipeline
from benchmarks.systems import quality
from benchmarks.systems.peers import find
from benchmarks.systems.texts import corpus_of, kept_share, text_of
from fastw2v.config import Model
from fastw2v.corpus.corpus import Corpus
from fastw2v.engines.selection import select_engine
from fastw2v.estimate import corpus_head
from fastw2v.word2vec import Word2Vec

SECTION = "training"
SAMPLE = 1e-3
WORDS = 5_000_000
"""A corpus with fewer words is trained for more than one epoch, but not for more than five."""


@dataclass(frozen=True)
class Trial:
    """A training run of fastw2v in the sweeps over settings."""

    model: Model
    dim: int = 100
    window: int = 5
    negative: int = 5
    workers: int = 1
    min_count: int = 5
    tenths: int = 10
    """Number of tenths of the corpus to train on."""
    epochs: int = 1
    device: str = "cpu"


def trials(options: Options, model: Model, device: str) -> list[Trial]:
    """Return a trial with the default settings, and trials with one setting changed."""
    epochs = min(5, 1 + WORDS // len(corpus_of(options)))
    base: dict[str, Any] = {"model": model, "workers": options.workers, "device": device, "epochs": epochs}
    if options.tiny:
        return [Trial(**base, dim=dim) for dim in (16, 32)]
    changes: list[dict[str, Any]] = [{}, {"dim": 50}, {"dim": 300}, {"window": 2}, {"window": 10}, {"min_count": 50}]
    if not options.quick:
        changes += [{"negative": 15}, {"tenths": 1, "epochs": 10 * epochs}, {"tenths": 3, "epochs": 3 * epochs}]
    found = [Trial(**base | change) for change in changes]
    if device == "cpu":
        counts = {1 << n for n in range(options.workers.bit_length())} - {options.workers}
        found += [Trial(**base | {"workers": count}) for count in sorted(counts)]
    return found


def run(options: Options) -> Iterator[Result]:
    """Yield the speeds of all systems, then the speeds of the fused engine by setting."""
    yield from (Skipped(SECTION, name, reason) for name, reason in find(options)[1].items())
    yield from against_baselines(options)
    yield from by_setting(options)


def against_baselines(options: Options) -> Iterator[Result]:
    """Yield the speeds of training alone, as measured in the processes of `benchmarks.suites.pipeline`."""
    for index, comparison in enumerate(pipeline.comparisons(options)):
        settings = pipeline.conditions(options, comparison)
        for name, done in pipeline.run_comparison(options, index).items():
            if name in pipeline.OTHER_QUALITIES:  # they may choose other numbers of epochs, so only times compare
                continue
            seconds = [trained.alone for trained in done.repetitions if trained.alone is not None]
            if done.reason or not seconds:
                reason = done.reason or "its output does not separate training from reading"
                yield Wrong(SECTION, f"{name}, {comparison.name}", reason)
                continue
            words = len(corpus_of(options, tenths=comparison.tenths)) * comparison.epochs
            speeds = [words / one for one in seconds]
            baseline, note = comparison.baseline_of(name), pipeline.note(done, comparison)
            yield Row(SECTION, name, settings, "words/s", speeds, done.quality, baseline, note)


def by_setting(options: Options) -> Iterator[Result]:
    """Yield the speeds of the fused engine, in this process, with different settings."""
    for device in options.devices:
        what = pipeline.OURS if device == "cpu" else f"{pipeline.OURS}, GPU"
        try:
            select_engine("fused", device)
        except RuntimeError as error:
            yield Skipped(SECTION, f"{what}, by setting", str(error))
            continue
        for model in pipeline.MODELS:
            found = trials(options, model, device)
            for trial in found if device != "cpu" else found[:1]:  # compile first; a GPU compiles for each setting
                _trained(corpus_head(corpus_of(options), 10_000), replace(trial, epochs=1), 1)
            seeds = itertools.count(1)
            runs = {str(trial): _run_of(options, trial, seeds) for trial in found}
            results = interleave(runs, 1 if options.tiny else min(2, options.repeats))
            for trial in found:
                outcomes = results[str(trial)]
                settings = conditions(options, trial)
                if reason := next((outcome for outcome in outcomes if isinstance(outcome, str)), None):
                    yield Wrong(SECTION, f"{what}, {settings}", reason)
                    continue
                pairs = [outcome for outcome in outcomes if not isinstance(outcome, str)]
                scores = {key: statistics.fmean(score[key] for _, score in pairs) for key in pairs[0][1]}
                yield Row(SECTION, f"{what}, by setting", settings, "words/s", [speed for speed, _ in pairs], scores)


def conditions(options: Options, trial: Trial) -> dict[str, int | float | str]:
    """Return the settings of a trial for its row, including the sizes that determine the cost."""
    corpus = _corpus_of(options, trial)
    return {
        "model": pipeline.MODELS[trial.model], "dim": trial.dim, "window": trial.window, "negative": trial.negative,
        "workers": trial.workers, "corpus": text_of(options).name, "words": len(corpus), "epochs": trial.epochs,
        "min count": trial.min_count, "vocabulary": len(corpus.vocabulary),
        "kept": round(kept_share(corpus.vocabulary.counts, SAMPLE), 4),
    }  # fmt: skip


def _run_of(options: Options, trial: Trial, seeds: Iterator[int]) -> Callable[[], tuple[float, dict[str, float]] | str]:
    """Return a function that trains once and returns speed and quality, or the reason why there is no result."""

    def once() -> tuple[float, dict[str, float]] | str:
        corpus = _corpus_of(options, trial)
        try:
            seconds, model = _trained(corpus, trial, next(seeds))
            return len(corpus) * trial.epochs / seconds, quality.of_vectors(model.wv, options)
        except (FloatingPointError, MemoryError, ValueError) as error:
            return str(error)

    return once


def _corpus_of(options: Options, trial: Trial) -> Corpus:
    corpus = corpus_of(options, trial.min_count)
    return corpus if trial.tenths == 10 else corpus_head(corpus, len(corpus) * trial.tenths // 10)


def _trained(corpus: Corpus, trial: Trial, seed: int) -> tuple[float, Word2Vec]:
    """Train; return the seconds and the model. Training ends with reading the loss, which synchronises with a GPU."""
    model = Word2Vec(
        vector_size=trial.dim, window=trial.window, negative=trial.negative, sample=SAMPLE,
        workers=trial.workers if trial.device == "cpu" else None,
        model=trial.model, epochs=trial.epochs, seed=seed, device=trial.device, engine="fused",
    )  # fmt: skip
    start = time.perf_counter()
    model.fit(corpus, progress=lambda words, loss, alpha: None)
    return time.perf_counter() - start, model
