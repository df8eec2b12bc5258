"""Training alone, in words a second before subsampling, with quality: against the peers, and by size and setting."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import pipeline, quality
from benchmarks.measure import Options, Result, Row, Skipped, Wrong, interleave
from benchmarks.peers import find
from benchmarks.texts import corpus_of, text_of
from fastw2v import Corpus, Word2Vec
from fastw2v.engine import choose_engine
from fastw2v.plan import sample_of
from fastw2v.sampling import keep_threshold

SECTION = "training"
SAMPLE = 1e-3
WORDS = 5_000_000
"""A shorter corpus is trained on more than once, up to five times, where no number of epochs is called for."""


@dataclass(frozen=True)
class Trial:
    """One training of ours: a setting of the sweeps."""

    model: str
    dim: int = 100
    window: int = 5
    negative: int = 5
    workers: int = 1
    min_count: int = 5
    tenths: int = 10
    """Of the corpus that are trained on."""
    epochs: int = 1
    device: str = "cpu"


def trials(options: Options, model: str, device: str) -> list[Trial]:
    """Return a setting in the middle, and those that differ from it in one thing."""
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
    """Yield speeds against the peers, then those of the fused engine by setting."""
    yield from (Skipped(SECTION, name, reason) for name, reason in find(options)[1].items())
    yield from against_peers(options)
    yield from by_setting(options)


def against_peers(options: Options) -> Iterator[Result]:
    """Yield the speed of training alone of the processes of `benchmarks.pipeline`."""
    for place, contest in enumerate(pipeline.contests(options)):
        settings = pipeline.conditions(options, contest)
        for name, done in pipeline.held(options, place).items():
            seconds = [turn.alone for turn in done.turns if turn.alone is not None]
            if done.reason or not seconds:
                reason = done.reason or "it does not tell training from reading"
                yield Wrong(SECTION, f"{name}, {settings['model']}", reason)
                continue
            trained = len(corpus_of(options, tenths=contest.tenths)) * contest.epochs
            speeds = [trained / one for one in seconds]
            baseline = "" if name == pipeline.BASELINE else pipeline.BASELINE
            yield Row(SECTION, name, settings, "words/s", speeds, done.quality, baseline, pipeline.note(done, contest))


def by_setting(options: Options) -> Iterator[Result]:
    """Yield the speed of the fused engine, in this process, by what it depends on."""
    for device in options.devices:
        what = pipeline.OURS if device == "cpu" else f"{pipeline.OURS}, GPU"
        try:
            choose_engine("fused", device)
        except RuntimeError as error:
            yield Skipped(SECTION, f"{what}, by setting", str(error))
            continue
        for model in pipeline.MODELS:
            found = trials(options, model, device)
            for trial in found if device != "cpu" else found[:1]:  # compiles: on a GPU for each setting anew
                _trained(sample_of(corpus_of(options), 10_000), replace(trial, epochs=1), 1)
            turns = [0]
            runs = {str(trial): _run_of(options, trial, turns) for trial in found}
            results = interleave(runs, 1 if options.tiny else min(2, options.repeats))
            for trial in found:
                outcomes = results[str(trial)]
                settings = conditions(options, trial)
                if reason := next((outcome for outcome in outcomes if isinstance(outcome, str)), None):
                    yield Wrong(SECTION, f"{what}, {settings}", reason)
                    continue
                told = [outcome for outcome in outcomes if not isinstance(outcome, str)]
                scores = {key: statistics.fmean(score[key] for _, score in told) for key in told[0][1]}
                yield Row(SECTION, f"{what}, by setting", settings, "words/s", [speed for speed, _ in told], scores)


def conditions(options: Options, trial: Trial) -> dict[str, int | float | str]:
    """Return the settings of a trial, for a row, with what its cost depends on beside them."""
    corpus = _corpus_of(options, trial)
    return {
        "model": pipeline.MODELS[trial.model], "dim": trial.dim, "window": trial.window, "negative": trial.negative,
        "workers": trial.workers, "corpus": text_of(options).name, "words": len(corpus), "epochs": trial.epochs,
        "min count": trial.min_count, "vocabulary": len(corpus.vocabulary),
        "kept": round(kept(np.asarray(corpus.vocabulary.counts)), 4),
    }  # fmt: skip


def kept(counts: np.ndarray) -> float:
    """Return the share of a corpus that subsampling keeps, by expectation."""
    return float((counts * (keep_threshold(counts, SAMPLE) / 2.0**32)).sum() / counts.sum())


def _run_of(options: Options, trial: Trial, turns: list[int]) -> Callable[[], tuple[float, dict[str, float]] | str]:
    """Return a function that trains once, and returns speed and quality or why there is none."""

    def once() -> tuple[float, dict[str, float]] | str:
        turns[0] += 1
        corpus = _corpus_of(options, trial)
        try:
            seconds, model = _trained(corpus, trial, turns[0])
            return len(corpus) * trial.epochs / seconds, quality.of_vectors(model.wv, options)
        except (FloatingPointError, MemoryError, ValueError) as error:
            return str(error)

    return once


def _corpus_of(options: Options, trial: Trial) -> Corpus:
    corpus = corpus_of(options, trial.min_count)
    return corpus if trial.tenths == 10 else sample_of(corpus, len(corpus) * trial.tenths // 10)


def _trained(corpus: Corpus, trial: Trial, seed: int) -> tuple[float, Word2Vec]:
    """Return the seconds of training, and the model; on a GPU the end is waited for, as the loss is read from it."""
    model = Word2Vec(
        vector_size=trial.dim, window=trial.window, negative=trial.negative, sample=SAMPLE,
        workers=trial.workers if trial.device == "cpu" else None,
        sg=int(trial.model == "skipgram"), epochs=trial.epochs, seed=seed, device=trial.device, engine="fused",
    )  # fmt: skip
    start = time.perf_counter()
    model.fit(corpus, progress=lambda words, loss, alpha: None)
    return time.perf_counter() - start, model
