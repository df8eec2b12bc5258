"""Producers of errors in the section "Devices and engines"."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from fastw2v import Word2Vec, backend
from fastw2v.engines import cpu
from tests.errors.common import SENTENCES, Producer, model


def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "cuda_problem", lambda: "CuPy is not installed")
    model(device="cuda").fit(SENTENCES)


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    runtime = types.SimpleNamespace(getDeviceCount=lambda: count)
    namespace = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", namespace)
    monkeypatch.setattr(backend, "cuda_problem", lambda: None)
    model(device="cuda:5").fit(SENTENCES)


def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "unavailable_reason", lambda *_: "Numba is not installed")
    model(engine="fused", device="cpu").fit(SENTENCES)


PRODUCERS: dict[str, list[Producer]] = {
    "device is …; it must be 'cpu', 'cuda' or 'cuda:N' with a device number N": [
        lambda: Word2Vec(device="gpu"),
    ],
    "device … cannot be used: there is one CUDA device, 'cuda:0'": [
        lambda monkeypatch: gpus(monkeypatch, 1),
    ],
    "device … cannot be used: there are … CUDA devices, 'cuda:0' to …": [
        lambda monkeypatch: gpus(monkeypatch, 2),
    ],
    "device … cannot be used: …": [
        no_gpu,
    ],
    "engine 'fused' cannot be used on …: …. Use engine='layers' instead": [
        without_numba,
    ],
    "top_k: k is … of type …; it must be a whole number": [
        lambda: backend.top_k(np.zeros(3), 1.5),
    ],
    "top_k: k is …, but the last axis has … elements": [
        lambda: backend.top_k(np.zeros(3), 4),
    ],
}
