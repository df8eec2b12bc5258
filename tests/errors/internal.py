"""Producers of errors in the section "Internal errors"."""

from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus
from fastw2v.config import TrainingConfig
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.engines import cpu, gpu
from fastw2v.engines.base import Tables
from fastw2v.engines.checks import check_arrays, check_frozen
from fastw2v.sampling.alias import alias_table
from tests.cuda_emulator import fake_cupy
from tests.errors.common import Producer, corpus

CONFIG = TrainingConfig(vector_size=8)


def table(V: int = 7, D: int = 8, dtype: Any = np.float32) -> np.ndarray:
    return np.zeros((V, D), dtype)


def check(W_in: np.ndarray | None = None, ids: Any = (0, 1), offsets: Any = (0, 2)) -> None:
    tables = Tables(*(table() if W_in is None else W_in.copy() for _ in range(2)))
    arrays = Corpus(np.array(ids), np.array(offsets), corpus().vocabulary)
    check_arrays(tables, arrays, CONFIG, share_memory=False)


def train_on_cpu(**settings: Any) -> None:
    if problem := cpu.unavailable_reason():
        pytest.skip(problem)
    tile = settings.pop("tile", CONFIG.tile)
    cpu.train(Tables(table(), table()), corpus(), replace(CONFIG, tile=tile), **settings)


def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "unavailable_reason", lambda *_: "Numba is not installed")
    cpu.train(Tables(table(), table()), corpus(), CONFIG)


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "unavailable_reason", lambda *_: "CuPy is not installed")
    gpu.train(Tables(table(), table()), corpus(), CONFIG)


class OnSecondDevice(fake_cupy.Array):
    """An array of device 1."""

    device = types.SimpleNamespace(id=1)


def train_on_gpu(
    monkeypatch: pytest.MonkeyPatch, other: type[np.ndarray] = fake_cupy.Array, workers: int | None = None
) -> None:
    monkeypatch.setattr(gpu, "unavailable_reason", lambda *_: None)
    with fake_cupy.installed(lambda *_: None):
        gpu.train(Tables(table().view(fake_cupy.Array), table().view(other)), corpus(), CONFIG, workers=workers)


def call(name: str) -> None:
    if problem := cpu.unavailable_reason():
        pytest.skip(problem)
    from fastw2v.kernels import simd

    getattr(simd, name)(1.0)


def check_subwords() -> None:
    """Check tables that have no rows for n-grams."""
    words = corpus().vocabulary.words
    tables = Tables(table(), table())
    check_arrays(tables, corpus(), CONFIG, share_memory=False, subwords=Subwords(words, NGrams(3, 6, 1000)))


PRODUCERS: dict[str, list[Producer]] = {
    "W_in has … rows, but the words and their n-grams have …": [check_subwords],
    "the fused … engine cannot be used: …": [
        without_numba,
        without_gpu,
    ],
    "workers is …; it must be at least 1": [
        lambda: train_on_cpu(workers=0),
        lambda monkeypatch: train_on_gpu(monkeypatch, workers=0),
    ],
    "tile is …; it must be from 1 to …": [
        lambda: train_on_cpu(tile=4096),
    ],
    "W_in is … of shape … and W_out is … of shape …; they must be two separate arrays with the same dtype and the same shape (V, D)": [
        lambda: check(table()[0]),
    ],
    "W_in and W_out are …; they must be float32 or float64": [
        lambda: check(table(dtype=np.float16)),
    ],
    "vector_size is …, but the tables have … columns": [
        lambda: check(table(D=4)),
    ],
    "the vocabulary has … words, but the tables have … rows": [
        lambda: check(table(V=4)),
    ],
    "corpus.ids is … of shape …; it must be a one-dimensional array of integer word ids": [
        lambda: check(ids=[0.5, 1]),
    ],
    "the corpus is empty": [
        lambda: check(ids=np.zeros(0, int)),
    ],
    "the corpus has ids from … to …; they must lie in 0..…": [
        lambda: check(ids=[0, 7]),
    ],
    "corpus.offsets must not decrease, and must go from 0 to the number of tokens, …": [
        lambda: check(offsets=[0, 5]),
    ],
    "frozen is … of shape …; it must be bool of shape (…,)": [
        lambda: check_frozen(np.array([0, 1]), 2),
    ],
    "W_in is a … and W_out is a …; they must be CuPy arrays on the same device. Copy them with fastw2v.backend.to_device": [
        lambda monkeypatch: train_on_gpu(monkeypatch, np.ndarray),
    ],
    "W_in is on device … and W_out on …; copy them to one device": [
        lambda monkeypatch: train_on_gpu(monkeypatch, OnSecondDevice),
    ],
    "weights must be a one-dimensional array of finite, non-negative numbers with a positive sum": [
        lambda: alias_table([1.0, -1.0]),
    ],
    "… can be called only from compiled functions": [
        lambda: call("exp_minus"),
        lambda: call("log"),
    ],
}
