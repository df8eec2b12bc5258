"""The choice of an engine and a device, and the reasons that are given."""

from __future__ import annotations

import pytest

from fastw2v.engines import cpu, eager, gpu
from fastw2v.engines.selection import find_engine, select_engine
from fastw2v.word2vec import Word2Vec

SENTENCES = [list("abcdefgh")] * 50
needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))


class TestDeterminism:
    def test_several_workers_are_refused(self):
        with pytest.raises(ValueError, match=r"deterministic is True, but workers is 3; .* set it to 1"):
            Word2Vec(deterministic=True, workers=3)

    @needs_numba
    def test_on_a_cpu_it_is_one_worker(self, monkeypatch):
        seen, train = [], cpu.train

        def note(*given, workers, **more):
            seen.append(workers)
            return train(*given, workers=workers, **more)

        monkeypatch.setattr(cpu, "train", note)
        Word2Vec(deterministic=True, engine="fused", device="cpu").fit(SENTENCES)
        assert seen == [1]

    def test_on_a_gpu_it_is_the_layers(self, monkeypatch):
        monkeypatch.setattr("fastw2v.engines.selection.array_module", lambda device: None)
        monkeypatch.setattr(gpu, "unavailable_reason", lambda device: None)
        assert select_engine("auto", "cuda").name == "fused"
        assert select_engine("auto", "cuda:1", deterministic=True)[:2] == ("cuda:1", "layers")
        with pytest.raises(RuntimeError, match=r"'fused' cannot be used on cuda: deterministic.*Use engine='layers'"):
            select_engine("fused", "cuda", deterministic=True)


class TestChoice:
    def test_auto_without_numba_is_layers_and_says_so(self, monkeypatch):
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: "Numba is on holiday")
        monkeypatch.setattr("fastw2v.engines.selection.cuda_problem", lambda: "no CUDA today")
        reason = "no GPU is used: no CUDA today; engine 'fused' cannot be used: Numba is on holiday"
        assert select_engine() == ("cpu", "layers", reason)

    def test_fused_without_numba_is_an_error_with_the_reason(self, monkeypatch):
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: "Numba is on holiday")
        with pytest.raises(RuntimeError, match=r"cannot be used on cpu: Numba is on holiday. Use engine='layers'"):
            Word2Vec(engine="fused", device="cpu").fit(SENTENCES)

    @needs_numba
    def test_auto_on_a_cpu_is_fused(self):
        assert select_engine("auto", "cpu") == ("cpu", "fused", "device 'cpu' was requested")

    def test_a_missing_gpu_is_an_error(self, monkeypatch):
        monkeypatch.setattr("fastw2v.backend.cuda_problem", lambda: "no CUDA today")
        with pytest.raises(RuntimeError, match=r"device 'cuda' cannot be used. no CUDA today"):
            select_engine("auto", "cuda")

    def test_a_gpu_without_a_fused_engine_does_not_slow_down_a_cpu_that_has_one(self, monkeypatch):
        monkeypatch.setattr("fastw2v.engines.selection.cuda_problem", lambda: None)
        monkeypatch.setattr(gpu, "unavailable_reason", lambda device: "no kernel today")
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: None)
        assert select_engine() == (
            "cpu",
            "fused",
            "no GPU is used: engine 'fused' cannot be used on it: no kernel today",
        )
        assert select_engine("layers")[:2] == ("cuda", "layers")
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: "Numba is on holiday")
        assert select_engine()[:2] == ("cuda", "layers")

    def test_auto_is_a_gpu_unless_the_results_must_be_repeatable(self, monkeypatch):
        monkeypatch.setattr("fastw2v.engines.selection.cuda_problem", lambda: None)
        monkeypatch.setattr(gpu, "unavailable_reason", lambda device: None)
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: None)
        assert select_engine() == ("cuda", "fused", "a CUDA device was found")
        reason = "no GPU is used: with deterministic=True, engine 'fused' can only be used on a CPU"
        assert select_engine(deterministic=True) == ("cpu", "fused", reason)
        assert select_engine("layers", deterministic=True)[:2] == ("cuda", "layers")
        reason = "no GPU is used: with workers=1, a GPU would train with a single block"
        assert select_engine(workers=1) == ("cpu", "fused", reason)
        assert select_engine(workers=2) == select_engine()
        assert select_engine("layers", workers=1)[:2] == ("cuda", "layers")
        monkeypatch.setattr(cpu, "unavailable_reason", lambda device: "Numba is on holiday")
        assert select_engine(deterministic=True)[:2] == ("cuda", "layers")

    def test_engines_by_name(self):
        assert find_engine("layers", "cuda") is find_engine("layers", "cpu") is eager
        assert find_engine("fused", "cpu") is cpu
        assert find_engine("fused", "cuda:1") is gpu

    def test_an_unknown_engine_is_refused(self):
        with pytest.raises(ValueError, match="engine is 'numba'; it must be 'auto', 'fused' or 'layers'"):
            select_engine("numba")

    def test_the_choice_is_logged(self, caplog):
        with caplog.at_level("INFO", logger="fastw2v"):
            Word2Vec(vector_size=2, epochs=1, engine="layers", device="cpu").fit(SENTENCES)
        assert "training on cpu with the layers engine: device 'cpu' was requested" in caplog.text
