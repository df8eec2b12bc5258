"""Texts, vectors and files for the producers of errors. Files are in the current folder, which is empty at first."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import typer

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.cli.app import app

Producer = Callable[..., Any]
SENTENCES = [["the", "cat", "sat", "down"], ["the", "dog", "ran", "away"]] * 20


def write(name: str, content: str | bytes) -> str:
    """Write a file, and return its name."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def corpus() -> Corpus:
    """Return a small corpus of strings."""
    return Corpus.from_sentences(SENTENCES, min_count=1)


def numbers() -> Corpus:
    """Return a small corpus of integers."""
    return Corpus.from_sentences([[1, 2, 3], [1, 4, 5]], min_count=1)


def vectors(n_dims: int = 3, **matrices: Any) -> WordVectors:
    """Return vectors of four words, with counts."""
    matrix = np.random.default_rng(0).normal(size=(4, n_dims)).astype(np.float32)
    return WordVectors(["the", "cat", "sat", "down"], matrix, counts=[4, 3, 2, 1], **matrices)


@functools.cache
def trained() -> Word2Vec:
    """Return a small trained model, which must not be changed."""
    return model().fit(SENTENCES)


def model(**settings: Any) -> Word2Vec:
    """Return a small model that is not trained."""
    return Word2Vec(**{"vector_size": 4, "negative": 2, "epochs": 1, "engine": "layers", "min_count": 1} | settings)


class CommandError(ValueError):
    """The message that a command printed after ``error:``, and the class of the library's error."""

    def __init__(self, message: str, kind: type[BaseException]) -> None:
        super().__init__(message)
        self.kind = kind


def fastw2v(*arguments: object) -> None:
    """Run a command of the command line, and raise its error."""
    strings = list(map(str, arguments))
    command, printed = typer.main.get_command(app), io.StringIO()
    with mock.patch.object(sys, "argv", ["fastw2v", *strings]), contextlib.redirect_stderr(printed):
        try:
            with command.make_context("fastw2v", strings) as context:
                command.invoke(context)
        except typer.Exit as end:
            message = printed.getvalue().splitlines()[-1].removeprefix("error: ")
            raise CommandError(message, type(end.__cause__ or end.__context__ or end)) from end
