"""Producers of errors in the section "Memory"."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from fastw2v.config import TrainingConfig
from fastw2v.engines import cpu, gpu
from fastw2v.engines.base import Tables
from fastw2v.kernels.word2vec_cuda import choose_kernel
from tests.cuda_emulator import fake_cupy
from tests.errors.common import SENTENCES, Producer, corpus, fastw2v, model, write


def little_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("fastw2v.estimate.free_memory", lambda threads: free)
    model(vector_size=64).fit(SENTENCES)


def plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.estimate.free_memory", lambda threads: 10)
    fastw2v("plan", write("a.txt", "the cat sat\n" * 9))


def little_memory_for_replicas(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("fastw2v.distributed.costs.free_memory", lambda *threads: free)
    model(vector_size=64).fit(SENTENCES, replicas=2, ray="in-process")


def plan_of_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.distributed.costs.free_memory", lambda *threads: 10)
    model(vector_size=64).estimate(SENTENCES, replicas=2, bandwidth="1Gbit", measure=False).replicas.check()


def full_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("Allocation failed (probably too large).")

    if problem := cpu.unavailable_reason():
        pytest.skip(problem)
    monkeypatch.setattr(cpu, "_run_in_threads", fail)
    model(engine="fused", device="cpu", workers=2).fit(SENTENCES)


def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "fastw2v-0":
            raise RuntimeError("can't start new thread")
        start(thread)

    if problem := cpu.unavailable_reason():
        pytest.skip(problem)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    model(engine="fused", device="cpu", workers=2).fit(SENTENCES)


def full_device() -> None:
    with fake_cupy.installed(lambda *_: None, free=gpu.RESERVED_BYTES):
        tables = Tables(fake_cupy.zeros((7, 8), np.float32), fake_cupy.zeros((7, 8), np.float32))
        gpu.train(tables, corpus(), TrainingConfig(vector_size=8))


PRODUCERS: dict[str, list[Producer]] = {
    "training needs … of memory on the …, but only … are free. It would fit with …": [
        lambda monkeypatch: little_memory(monkeypatch, 1000),
        lambda monkeypatch: little_memory(monkeypatch, 10),
    ],
    "out of memory: training needs … of memory on the …, but only … are free. It would fit with …": [
        plan,
    ],
    "training with … needs … of memory on … (…), but only … are free. It would fit with …": [
        lambda monkeypatch: little_memory_for_replicas(monkeypatch, 20_000),
        lambda monkeypatch: little_memory_for_replicas(monkeypatch, 10),
        plan_of_replicas,
    ],
    "the buffers of … threads do not fit in memory. Lower negative (now …), vector_size (now …) or lower workers": [
        full_buffers,
    ],
    "the system started only … of … threads; lower workers": [
        no_threads,
    ],
    "two tables of … words by … numbers and the other arrays of training need … GiB of the device's memory, but only … GiB are free: …. Or train with device='cpu'": [
        lambda: gpu.require_memory(4 << 30, 3_000_000, 300, double=False),
        lambda: gpu.require_memory(0, 3_000_000, 300, double=False),
    ],
    "training needs … bytes of device memory in addition to the two tables, but only … bytes are free: lower vector_size (now …), or raise min_count to reduce the vocabulary (now … words)": [
        full_device,
    ],
    "a block of the fused GPU engine needs … bytes of shared memory for vector_size …, window …, pool_size … and tile …, but this device has only …: lower one of these settings, or train with engine='layers'": [
        lambda: choose_kernel("cbow", False, 100_000, reach=5, tile=4, pool_size=32, hold=True, limit=99 << 10),
    ],
}
