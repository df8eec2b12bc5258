"""Word2Vec: what it learns, with each engine; what it refuses; what it promises about seeds and choices."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fastw2v import CBOW, Corpus, SkipGram, Word2Vec, sampling
from fastw2v.kernels import cpu
from fastw2v.word2vec import choose_engine

needs_numba = pytest.mark.skipif(cpu.problem() is not None, reason=str(cpu.problem()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]


def themes(n_sentences=600, seed=0):
    """Return sentences that each keep to one of four themes of eight words, and share some common words."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(n_sentences):
        theme = rng.integers(4)
        words = [f"t{theme}w{i}" for i in rng.integers(0, 8, 9)] + [f"common{i}" for i in rng.integers(0, 3, 3)]
        sentences.append([words[i] for i in rng.permutation(len(words))])
    return sentences


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sg", [0, 1])
def test_neighbours_share_a_theme(engine, sg):
    model = Word2Vec(vector_size=16, sg=sg, engine=engine, sample=0, epochs=15, workers=1, window=8).fit(themes())
    assert model.engine_ == engine
    for theme in range(4):
        near = [word for word, _ in model.wv.most_similar(f"t{theme}w0", topn=5)]
        assert all(word.startswith(f"t{theme}") for word in near), near
    first, last = model.loss_history[0][1], model.loss_history[-1][1]
    assert last < first or len(model.loss_history) == 1


def loss_of(wv, corpus, sg):
    """Return the mean loss per target of trained vectors over a corpus, from draws that no training used."""
    model = (SkipGram if sg else CBOW).from_weights(np.ascontiguousarray(wv.vectors), np.array(wv.context_vectors))
    counts = corpus.vocabulary.counts
    pieces = sampling.batches(
        corpus.ids, corpus.offsets, sampling.keep_threshold(counts, 1e-3),
        sampling.alias_table(sampling.noise_weights(counts)),
        window=5, pool_tokens=64, pool_size=16, groups=50, seed=99, epoch=0,
    )  # fmt: skip
    losses = [(float(model.forward(b.contexts, b.target, b.pool)), b.targets) for b in pieces]
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)


@needs_numba
@pytest.mark.parametrize("sg", [0, 1])
def test_the_engines_reach_the_same_loss(sg):
    corpus = Corpus.from_sentences(themes(3000))
    layers, fused = (
        loss_of(Word2Vec(vector_size=16, sg=sg, engine=engine, epochs=10, workers=1).fit(corpus).wv, corpus, sg)
        for engine in ("layers", "fused")
    )
    assert layers == pytest.approx(fused, rel=0.05)


@pytest.mark.parametrize("engine", ENGINES)
def test_same_seed_same_bytes(engine):
    sentences = themes(100)
    a, b, c = (
        Word2Vec(vector_size=12, engine=engine, epochs=2, workers=1, seed=seed).fit(sentences).wv for seed in (7, 7, 8)
    )
    assert np.asarray(a.vectors).tobytes() == np.asarray(b.vectors).tobytes()
    assert a.index_to_key == b.index_to_key
    assert not np.array_equal(a.vectors, c.vectors)


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_starts_anew(engine):
    model = Word2Vec(vector_size=8, engine=engine, epochs=1, workers=1)
    once = np.array(model.fit(themes(50)).wv.vectors)
    assert np.array_equal(model.fit(themes(50)).wv.vectors, once)


def test_every_kind_of_corpus(tmp_path):
    sentences = themes(60)
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(" ".join(s) for s in sentences), encoding="utf-8")
    settings = {"vector_size": 8, "epochs": 1, "workers": 1, "engine": "layers"}
    corpus = Corpus.from_sentences(sentences)
    models = [Word2Vec(**settings).fit(kind) for kind in (sentences, iter(sentences), path, str(path), corpus)]
    for model in models[1:]:
        assert model.wv.index_to_key == models[0].wv.index_to_key
        assert np.array_equal(model.wv.vectors, models[0].wv.vectors)
    ids = Word2Vec(**settings).fit(Corpus.from_ids(corpus.ids, corpus.offsets)).wv
    assert np.array_equal(ids.vectors, models[0].wv.vectors)
    assert ids.index_to_key[:2] == ["0", "1"]


def test_what_comes_out():
    calls = []
    model = Word2Vec(vector_size=8, epochs=2, workers=1, engine="layers", negative=3)
    returned = model.fit(themes(50), progress=lambda *call: calls.append(call))
    assert returned is model
    assert model.wv.vectors.shape == (len(model.wv), 8)
    assert model.wv.context_vectors.shape == (len(model.wv), 8)
    assert model.wv.settings["negative"] == 3
    assert model.wv.settings["engine"] == "layers"
    words, loss, alpha = calls[-1]
    assert words == 2 * sum(model.wv.counts)
    assert 0 < loss < 10
    assert 0 < alpha < 0.2
    assert [(w, value) for w, value, _ in calls] == model.loss_history


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"vector_size": 0}, ValueError, "vector_size is 0; it must be at least 1"),
    ({"window": 0}, ValueError, "window is 0; it must be at least 1"),
    ({"min_count": 0}, ValueError, "min_count is 0"),
    ({"negative": 0}, ValueError, "negative is 0; it must be at least 1"),
    ({"epochs": 0}, ValueError, "epochs is 0"),
    ({"workers": 0}, ValueError, "workers is 0"),
    ({"window": 2.5}, TypeError, "window is 2.5 of type float; it must be a whole number"),
    ({"vector_size": "100"}, TypeError, "vector_size is '100' of type str"),
    ({"negative": True}, TypeError, "negative is True of type bool"),
    ({"seed": None}, TypeError, "seed is None"),
    ({"ns_exponent": 1.5}, ValueError, "ns_exponent is 1.5; it must lie between -1.0 and 1.0"),
    ({"sample": -1e-3}, ValueError, "sample is -0.001"),
    ({"sample": float("nan")}, ValueError, "sample is nan"),
    ({"alpha": 1e-5}, ValueError, "alpha is 1e-05; it must lie between 0.0001 and"),
    ({"alpha": 0, "min_alpha": 0}, ValueError, "alpha is 0; it must lie between 1e-09"),
    ({"min_alpha": 0.3}, ValueError, "alpha is 0.2; it must lie between 0.3 and"),
    ({"min_alpha": -1}, ValueError, "min_alpha is -1"),
    ({"alpha": float("inf")}, ValueError, "alpha is inf"),
    ({"sg": 2}, ValueError, "sg is 2; it must be 0 for CBOW or 1 for skip-gram"),
    ({"cbow_grad": "classic"}, ValueError, "must be 'mean' or 'sum'"),
    ({"engine": "numba"}, ValueError, "must be 'auto', 'fused' or 'layers'"),
])  # fmt: skip
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(**settings)


@pytest.mark.parametrize(("corpus", "error", "message"), [
    ([], ValueError, "there are no words"),
    ([["a", "b"]], ValueError, "5"),
    ("no-such-file.txt", OSError, "no-such-file.txt"),
    (["a string", "is no list"], TypeError, "split"),
    ([[1, 2]], TypeError, "from_ids"),
    ([["a", "b", "c"] * 5], ValueError, "negative is 5, but the vocabulary has only 3 words"),
    (5, TypeError, "is no corpus"),
])  # fmt: skip
def test_corpora_that_cannot_be_trained_on(corpus, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(engine="layers").fit(corpus)


class TestChoice:
    def test_auto_without_numba_is_layers_and_says_so(self, monkeypatch):
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        monkeypatch.setattr("fastw2v.word2vec.cuda_problem", lambda: "no CUDA today")
        assert choose_engine() == (
            "cpu",
            "layers",
            "no GPU is used: no CUDA today; no fused engine: Numba is on holiday",
        )

    def test_fused_without_numba_is_an_error_with_the_reason(self, monkeypatch):
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        with pytest.raises(RuntimeError, match=r"cannot be used on cpu: Numba is on holiday. engine='layers' can"):
            Word2Vec(engine="fused", device="cpu").fit(themes(10))

    @needs_numba
    def test_auto_on_a_cpu_is_fused(self):
        assert choose_engine("auto", "cpu") == ("cpu", "fused", "device 'cpu' was asked for")

    def test_a_missing_gpu_is_an_error(self, monkeypatch):
        monkeypatch.setattr("fastw2v.backend.cuda_problem", lambda: "no CUDA today")
        with pytest.raises(RuntimeError, match=r"device 'cuda' cannot be used. no CUDA today"):
            choose_engine("auto", "cuda")

    def test_a_gpu_without_a_fused_engine_does_not_slow_down_a_cpu_that_has_one(self, monkeypatch):
        monkeypatch.setattr("fastw2v.word2vec.cuda_problem", lambda: None)
        monkeypatch.setattr(cpu, "problem", lambda: None)
        assert choose_engine()[:2] == ("cpu", "fused")
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        assert choose_engine()[:2] == ("cuda", "layers")

    def test_the_choice_is_logged(self, caplog):
        with caplog.at_level("INFO", logger="fastw2v"):
            Word2Vec(vector_size=2, epochs=1, engine="layers", device="cpu").fit(themes(20))
        assert "training on cpu with the layers engine: device 'cpu' was asked for" in caplog.text


def test_without_numba_and_cupy_everything_still_works():
    # In a process of its own, in which both cannot be imported: this is the whole library on NumPy alone.
    script = """
import sys
sys.modules["numba"] = sys.modules["cupy"] = None
import fastw2v
sentences = [["a", "b", "c", "d", "of"], ["e", "f", "g", "h", "of"], ["i", "j", "k", "l", "of"]] * 400
model = fastw2v.Word2Vec(vector_size=8, negative=5, epochs=30).fit(sentences)
assert model.engine_ == "layers", model.engine_
assert "Numba is not installed" in model.report_, model.report_
print([word for word, _ in model.wv.most_similar("a", topn=3)])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(eval(done.stdout)) == ["b", "c", "d"]
    assert done.stderr == ""


@pytest.mark.gpu
def test_on_a_gpu_the_layers_learn_the_same():
    from fastw2v.backend import cuda_problem, to_host

    if problem := cuda_problem():
        pytest.skip(problem)
    settings = {"vector_size": 16, "epochs": 3, "engine": "layers"}
    host, device = (Word2Vec(device=device, **settings).fit(themes()) for device in ("cpu", "cuda"))
    assert device.loss_history[-1][1] == pytest.approx(host.loss_history[-1][1], rel=0.02)
    np.testing.assert_allclose(to_host(device.wv.vectors), host.wv.vectors, atol=0.05)
