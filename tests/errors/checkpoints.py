"""Producers of errors in the section "Checkpoints and resume"."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from fastw2v import Corpus, Vocabulary, Word2Vec, checkpoint, formats
from tests.errors.common import SENTENCES, Producer, corpus, fastw2v, model, write

RUN = {"version": 1, "every": 1, "corpus": None, "task": None, "validation": None}


def interrupted(corpus: Any = SENTENCES, **settings: Any) -> str:
    """Start a run, interrupt it, and return its folder."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        model().fit(corpus, checkpoint="run", progress=interrupt, **settings)
    return "run"


def described(**changes: Any) -> str:
    """Return a folder with the description of a run."""
    Path("run").mkdir()
    write("run/run.json", json.dumps(RUN | changes))
    return "run"


def changed_checkpoints(old: bytes, new: bytes) -> str:
    """Replace bytes of all checkpoints of a run, and return its folder."""
    folder = interrupted()
    for path in Path(folder).glob("checkpoint-*"):
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new))
    return folder


def verify(folder: str) -> None:
    """Check the first checkpoint of a run, as `resume` does."""
    path = min(Path(folder).glob("checkpoint-*"))
    checkpoint._verify(formats.read(path), path)


def other_counts() -> None:
    one = corpus()
    interrupted(one)
    Word2Vec.resume("run", Corpus(one.ids, one.offsets, Vocabulary(one.vocabulary.words, one.vocabulary.counts + 1)))


def trained_twice() -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such locks")
    with checkpoint.Checkpoints.open(interrupted()).lock():
        Word2Vec.resume("run", SENTENCES)


def trained_by_command() -> str:
    """Return the folder of a run of the command line whose description lacks the options."""
    path = str(Path(write("a.txt", "the cat sat\n" * 20)).absolute())
    return described(corpus=[path], task={"output": "a.bin"})


PRODUCERS: dict[str, list[Producer]] = {
    "ray is …, but the run has no replicas; omit it": [
        lambda: Word2Vec.resume(interrupted(), SENTENCES, ray="in-process"),
    ],
    "… already exists; choose the name of a new folder for the checkpoints": [
        lambda: model().fit(SENTENCES, checkpoint="."),
    ],
    "… already exists; choose the name of a new folder for the checkpoints, or continue the run in this folder with resume": [
        lambda: model().fit(SENTENCES, checkpoint=interrupted()),
    ],
    "…: the folder … does not exist; create it first": [
        lambda: model().fit(SENTENCES, checkpoint="missing/run"),
        lambda: model().fit(SENTENCES, log="missing/run.jsonl"),
        lambda: fastw2v("train", write("a.txt", "the cat\n" * 9), "-o", "missing/a.bin"),
    ],
    "a run with checkpoints cannot read …, because it could not be read again; pass the path of a file": [
        lambda: fastw2v("train", "-", "-o", "a.bin", "--checkpoint", "run"),
    ],
    "--checkpoint-every has no effect without --checkpoint; add --checkpoint DIR": [
        lambda: fastw2v("train", write("a.txt", "the cat\n" * 9), "-o", "a.bin", "--checkpoint-every", "5m"),
    ],
    "… is not the folder of a run with checkpoints, because it contains no run.json": [
        lambda: Word2Vec.resume("."),
    ],
    "another process is training the run in …; wait until it ends, or stop it": [trained_twice],
    "… is damaged: it does not describe a run": [
        lambda: Word2Vec.resume(described(version=0)),
        lambda: Word2Vec.resume(described(every="x")),
        lambda: Word2Vec.resume(described(task=[])),
        lambda: Word2Vec.resume(described(validation=[3])),
    ],
    "the run.json in … is damaged: it does not describe a run": [
        lambda: fastw2v("resume", trained_by_command()),
    ],
    "… has version …, but the installed fastw2v reads version …; upgrade fastw2v": [
        lambda: Word2Vec.resume(described(version=2)),
    ],
    "… contains no usable checkpoint": [
        lambda: Word2Vec.resume(described()),
    ],
    "… contains no usable checkpoint: …": [
        lambda: Word2Vec.resume(changed_checkpoints(b'\\"window\\": 5', b'\\"window\\": 6')),
        lambda: Word2Vec.resume(changed_checkpoints(b'\\"checkpoint\\"', b'\\"checkpoimt\\"')),
    ],
    "… is damaged: its checksum is wrong": [
        lambda: verify(changed_checkpoints(b'\\"window\\": 5', b'\\"window\\": 6')),
    ],
    "… is not a checkpoint": [
        lambda: verify(changed_checkpoints(b'\\"checkpoint\\"', b'\\"checkpoimt\\"')),
    ],
    "the run in … was not started with the path of a corpus; pass its corpus to resume": [
        lambda: Word2Vec.resume(interrupted()),
    ],
    "the run in … was not started with the path of a held-out corpus; pass its held-out corpus to resume as validation": [
        lambda: Word2Vec.resume(interrupted(validation=SENTENCES[:9]), SENTENCES),
    ],
    "the run in … was started in Python; continue it with Word2Vec.resume": [
        lambda: fastw2v("resume", interrupted()),
    ],
    "the corpus has … words in … sentences, but the run was started with … words in … sentences. Pass the corpus of the run, or start a new run": [
        lambda: Word2Vec.resume(interrupted(), SENTENCES * 2),
    ],
    "the held-out corpus has … words in … sentences, but the run was started with … words in … sentences. Pass the held-out corpus of the run, or start a new run": [
        lambda: Word2Vec.resume(interrupted(validation=SENTENCES[:9]), SENTENCES, validation=SENTENCES[:8]),
    ],
    "the corpus has …, like that of the run, but not the same words in the same order. Pass the corpus of the run, or start a new run": [
        lambda: Word2Vec.resume(interrupted(), SENTENCES[::-1]),
    ],
    "the corpus has the text of the run, but its vocabulary has other counts. Pass the corpus of the run, or start a new run": [
        other_counts,
    ],
}
