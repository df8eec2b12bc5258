"""Text to vectors: whole processes, start-up and files included, of all systems in turns.

The same processes tell how long training alone took, which `benchmarks.training` reports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from benchmarks import quality
from benchmarks.measure import Options, Result, Row, Skipped, Wrong
from benchmarks.peers import FailedError, Settings, System, Trained, find
from benchmarks.texts import corpus_of, head_of, text_of

SECTION = "pipeline"
MODELS: dict[str, str] = {"cbow": "CBOW", "skipgram": "skip-gram"}
OURS = "fastw2v, fused"
BASELINE = "gensim"
LONG = 5_000_000
"""Words; of a longer text the slowest systems get a tenth."""


@dataclass(frozen=True)
class Contest:
    """What the systems do in turns, and how many turns each has."""

    model: Literal["cbow", "skipgram"]
    epochs: int
    turns: dict[str, int]
    vector_size: int = 100
    window: int = 5
    tenths: int = 10
    """Of the text."""


@dataclass(frozen=True)
class Finished:
    """What a system did in its turns."""

    system: System
    turns: list[Trained]
    quality: dict[str, float]
    """Means over the turns."""
    reason: str = ""
    """Why the result is none."""


def contests(options: Options) -> list[Contest]:
    """Return what is compared: slow systems once, and the slowest, when not quick, on a tenth of the text."""
    repeats = options.repeats
    both: tuple[Literal["cbow", "skipgram"], ...] = ("cbow", "skipgram")
    if options.tiny:
        return [Contest("cbow", 3, {OURS: 1, BASELINE: 1}, vector_size=32)]
    if options.quick:
        turns = {OURS: repeats, BASELINE: min(2, repeats), "fastText": 1, "word2vec.c": 1}
        few = {OURS: repeats, "fastw2v, layers": 1, "PyTorch": 1} | _on_gpu(repeats)
        whole = [Contest(model, 5, turns | _on_gpu(repeats)) for model in both]
        return [*whole, *(Contest(model, 2, few) for model in both)]
    tenths, epochs = (1, 2) if text_of(options).words > LONG else (10, 5)
    slow = {"fastw2v, layers": 1, "PyTorch": 1, "fastw2v, layers, GPU": 1}
    return [
        Contest("cbow", 5, {OURS: repeats, BASELINE: repeats, "fastText": 1, "word2vec.c": 1} | _on_gpu(repeats)),
        Contest("skipgram", 5, {OURS: min(2, repeats), BASELINE: min(2, repeats)} | _on_gpu(repeats)),
        Contest("cbow", 5, {OURS: 1, BASELINE: 1} | _on_gpu(1), vector_size=300, window=10),
        Contest("cbow", epochs, {OURS: 1, BASELINE: 1} | slow | _on_gpu(1), tenths=tenths),
        Contest(
            "skipgram",
            epochs,
            {OURS: 1, BASELINE: 1, "fastText": 1, "word2vec.c": 1} | slow | _on_gpu(1),
            tenths=tenths,
        ),
    ]


def _on_gpu(turns: int) -> dict[str, int]:
    return {"fastw2v, fused, GPU": turns, "PyTorch, GPU": 1}


@cache
def held(options: Options, place: int) -> dict[str, Finished]:
    """Hold one of the contests, a b c a b c; return what each system that is there did."""
    contest = contests(options)[place]
    there = {name: system for name, system in find(options)[0].items() if name in contest.turns}
    output = options.folder / "vectors.bin"
    text = head_of(options, contest.tenths).path
    settings = Settings(
        text, output, contest.model, vector_size=contest.vector_size, window=contest.window,
        epochs=contest.epochs, workers=options.workers,
    )  # fmt: skip
    for name in there:
        if name.startswith(OURS):  # compiles, once on a machine; the others came compiled
            with contextlib.suppress(FailedError, OSError):  # what fails does so again, and is told, in its turn
                there[name].train(replace(settings, text=head_of(options, 1).path, epochs=1))
    finished = {name: Finished(system, [], {}) for name, system in there.items()}
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in there}
    for turn in range(max(contest.turns.values())):
        for name, system in there.items():
            if turn >= contest.turns[name] or finished[name].reason:
                continue
            output.unlink(missing_ok=True)
            try:
                finished[name].turns.append(system.train(replace(settings, seed=turn + 1)))
                scores[name].append(quality.of_file(output, options))
            except (FailedError, quality.NothingLearntError, OSError) as error:
                finished[name] = replace(finished[name], reason=str(error))
    output.unlink(missing_ok=True)
    return {
        name: replace(done, quality={key: float(np.mean([score[key] for score in scores[name]])) for key in first})
        for name, done in finished.items()
        for first in (scores[name][0] if scores[name] else {},)
    }


def conditions(options: Options, contest: Contest) -> dict[str, int | float | str]:
    """Return the settings of a contest, for a row."""
    text = head_of(options, contest.tenths)
    return {
        "model": MODELS[contest.model], "dim": contest.vector_size, "window": contest.window, "negative": 5,
        "epochs": contest.epochs, "corpus": text.name, "words": text.words, "workers": options.workers,
        "vocabulary": len(corpus_of(options, tenths=contest.tenths).vocabulary),
    }  # fmt: skip


def note(done: Finished, contest: Contest) -> str:
    """Return what to know beside a figure."""
    parts = [done.system.note]
    if len(done.turns) < max(contest.turns.values()):
        parts.append(f"{len(done.turns)} of {max(contest.turns.values())} turns, as it is slow")
    return "; ".join(parts)


def run(options: Options) -> Iterator[Result]:
    """Yield the seconds and the peak memory of each system, with the quality of its vectors."""
    yield from (Skipped(SECTION, name, reason) for name, reason in find(options)[1].items())
    for place, contest in enumerate(contests(options)):
        for name, done in held(options, place).items():
            if done.reason:
                yield Wrong(SECTION, f"{name}, {MODELS[contest.model]}", done.reason)
                continue
            settings, baseline = conditions(options, contest), "" if name == BASELINE else BASELINE
            whole = [turn.seconds for turn in done.turns]
            peaks = [turn.peak / 1e6 for turn in done.turns]
            yield Row(SECTION, name, settings, "s", whole, done.quality, baseline, note(done, contest))
            yield Row(SECTION, name, settings, "MB", peaks, done.quality, baseline, note(done, contest))
