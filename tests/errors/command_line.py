"""Producers of errors in the section "The command line"."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from tests.errors.common import Producer, corpus, fastw2v, write


def encoded(*arguments: str) -> None:
    corpus().save("a.w2v")
    fastw2v("train", "a.w2v", *arguments, "-o", "a.bin")


def train(*options: str) -> None:
    fastw2v("train", write("a.txt", "the cat sat down\n" * 20), "-o", "a.bin", "--engine", "layers", *options)


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any, path: Path, **__: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("fastw2v.plot.write_loss", fail)
    train("--plot", "a.png")


def terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.cli.train.Word2Vec.fit", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    train()


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: Any, **__: Any) -> None:
        while True:
            time.sleep(0.01)  # on Windows, only the time between two calls can be interrupted

    monkeypatch.setattr("fastw2v.cli.train.Word2Vec.fit", wait)
    train("--max-time", "0.1s")


def faulty_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.cli.doctor.tiny_training", lambda *_: "wrong")
    fastw2v("doctor")


def saved(*words: Any) -> str:
    WordVectors(list(words), np.eye(len(words), dtype=np.float32)).save("a.safetensors")
    return "a.safetensors"


PRODUCERS: dict[str, list[Producer]] = {
    "… would be a table of floret, which needs --hash-count; add --hash-count 2": [
        lambda: fastw2v("train", "a.txt", "-o", "a.floret", "--subwords", "4-5"),
    ],
    "… is …; give the lengths of the shortest and the longest n-grams, such as 3-6": [
        lambda: train("--subwords", "3"),
    ],
    "an encoded corpus cannot be combined with other files; encode all texts together": [
        lambda: encoded(write("a.txt", "the cat\n")),
    ],
    "… is already encoded, so … would have no effect; encode the text again with fastw2v encode": [
        lambda: encoded("--lower"),
    ],
    "… is not an integer, but the words of … are integers": [
        lambda: fastw2v("most-similar", saved(1, 2, 3), "cat"),
    ],
    "an analogy needs three words, not …; for example: man king woman": [
        lambda: fastw2v("analogy", saved("sun", "moon", "sky"), "sun", "moon"),
    ],
    "…. The vectors were saved as …": [
        full_disk,
    ],
    "interrupted by …": [
        terminated,
    ],
    "the time limit of … was reached": [
        slow,
    ],
    "an engine gave wrong results; please report the output above": [
        faulty_engine,
    ],
}
