"""Checkpoints, interruptions and files of models: they say how far training is, and training goes on from there."""

from __future__ import annotations

import _thread
import copy
import json
import logging
import math
import pickle
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors
from fastw2v.compat import gensim
from fastw2v.engines import cpu
from fastw2v.word2vec import NotFittedError
from tests.test_word2vec import themes

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
SETTINGS: dict[str, Any] = {"vector_size": 8, "negative": 3, "workers": 1}


class Saver(gensim.CallbackAny2Vec):
    """gensim's usual callback that saves the model after each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_epoch_end(self, model: Any) -> None:
        model.save(str(self.folder / f"{model.trained_epochs}.model"))
        model.wv.save(str(self.folder / f"{model.trained_epochs}.safetensors"))


def same_weights(one: Any, other: Any) -> bool:
    return np.array_equal(one.wv.vectors, other.wv.vectors) and np.array_equal(
        one.wv.context_vectors, other.wv.context_vectors
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["fastw2v", "gensim"])
def test_the_file_of_an_epoch_says_so_and_training_goes_on_from_it(engine: Any, kind: str, tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    if kind == "gensim":
        whole: Any = gensim.Word2Vec(themes(60), epochs=3, engine=engine, callbacks=[saver], **SETTINGS)
    else:

        def save(event: str, model: Any) -> None:
            if event == "epoch_end":
                saver.on_epoch_end(model)

        whole = Word2Vec(epochs=3, engine=engine, callbacks=[save], **SETTINGS).fit(themes(60))
    seeds = set()
    for epoch in (1, 2, 3):
        loaded = type(whole).load(tmp_path / f"{epoch}.model")
        assert loaded.trained_epochs == loaded.wv.settings["trained_epochs"] == epoch
        assert WordVectors.load(tmp_path / f"{epoch}.safetensors").settings["trained_epochs"] == epoch
        assert loaded.loss_history[-1][0] == epoch * loaded.corpus_total_words
        seeds.add(loaded._run_seed())
    assert len(seeds) == 3
    assert whole.seed_ not in seeds
    # The third epoch starts from the second file, with its rates but other random numbers.
    two = type(whole).load(tmp_path / "2.model")
    config = whole.config()
    rate = config.alpha - (config.alpha - config.min_alpha) * 2 / 3
    two.set_params(engine=engine, cbow_grad=config.cbow_grad)
    Word2Vec.train(two, themes(60), epochs=1, alpha=rate)
    assert two.trained_epochs == len(two.epoch_losses) == len(whole.epoch_losses) == 3
    assert two.epoch_losses[:2] == whole.epoch_losses[:2]
    assert two.epoch_losses[2] == pytest.approx(whole.epoch_losses[2], rel=0.1)
    assert not same_weights(two, whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_epoch_is_not_counted_and_its_draws_are_not_repeated(engine: Any, tmp_path: Path) -> None:
    corpus = themes(400 if engine == "layers" else 6000)  # several chunks in each epoch
    n_words = sum(map(len, corpus))

    def stop_after(words: int, how: Any) -> Any:
        def progress(done: int, loss: float, alpha: float) -> None:
            if done >= words:
                how()

        return progress

    def fail() -> None:
        raise OSError("the disk is full")

    for how, error in ((fail, OSError), (_thread.interrupt_main, KeyboardInterrupt)):
        model = Word2Vec(epochs=4, engine=engine, sample=0, **SETTINGS)
        model.build_vocab(corpus)
        first_seed, before = model._run_seed(), model.wv.vectors.copy()
        model.wv.most_similar("common0")
        with pytest.raises(error):
            model.train(corpus, progress=stop_after(int(0.3 * n_words), how))
        first = model.trained_epochs  # 0, unless the thread trained on for long while it was being stopped
        assert first == model.wv.settings["trained_epochs"] <= 1
        assert not np.array_equal(model.wv.vectors, before)
        assert model.wv.most_similar("common0") == WordVectors(list(model.wv), model.wv.vectors).most_similar("common0")
        seeds = {first_seed, model._run_seed()}
        with pytest.raises(error):
            model.train(corpus, progress=stop_after(int(2.3 * n_words), how))
        done = model.trained_epochs
        assert first + 2 <= done == model.wv.settings["trained_epochs"] <= first + 3
        seeds.add(model._run_seed())
        model.save(tmp_path / "interrupted.model")
        loaded = Word2Vec.load(tmp_path / "interrupted.model")
        assert (loaded.trained_epochs, loaded._run_seed()) == (done, model._run_seed())
        assert len(seeds) == 3
        loaded.set_params(engine=engine)  # a file does not contain the engine
        for one in (model, loaded):
            one.train(corpus, epochs=1)
        assert same_weights(model, loaded)
        assert loaded.trained_epochs == done + 1
        assert model.fit(corpus).trained_epochs == 4
        assert same_weights(model, Word2Vec(epochs=4, engine=engine, sample=0, **SETTINGS).fit(corpus))


def test_an_interruption_takes_no_complete_epoch_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last report of an epoch may come before its end, because the last words may have no neighbours."""
    model = Word2Vec(epochs=3, **SETTINGS).build_vocab(themes(60))

    def train(tables: Any, corpus: Any, run: Any, on_progress: Any, state: Any, **_: Any) -> np.ndarray:
        on_progress(len(corpus) // 2, 1.0, 0.1)
        state.words = len(corpus)
        raise OSError("before the first report of the second epoch")

    monkeypatch.setattr("fastw2v.run.find_engine", lambda engine, device: types.SimpleNamespace(train=train))
    with pytest.raises(OSError, match="before the first report"):
        model.train(themes(60))
    assert model.trained_epochs == model.wv.settings["trained_epochs"] == 1


def test_the_loss_of_an_empty_epoch_is_saved(tmp_path: Path) -> None:
    model = Word2Vec(**SETTINGS).fit(themes(60))
    model.epoch_losses = [1.5, math.nan]
    model.save(tmp_path / "a.model")
    assert b"NaN" not in (tmp_path / "a.model").read_bytes()  # JSON has no NaN
    np.testing.assert_array_equal(Word2Vec.load(tmp_path / "a.model").epoch_losses, [1.5, math.nan])


@pytest.mark.parametrize("event", ["train_begin", "epoch_begin", "epoch_end", "train_end"])
def test_an_interrupt_in_a_callback_leaves_what_was_trained(event: str, tmp_path: Path) -> None:
    def stop(name: str, model: Any) -> None:
        if name == event and (name.startswith("train") or model.trained_epochs == 2):
            raise KeyboardInterrupt

    model = Word2Vec(epochs=3, callbacks=[stop], **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        model.fit(themes(60))
    expected = {"train_begin": 0, "epoch_begin": 2, "epoch_end": 2, "train_end": 3}[event]
    model.save(tmp_path / "a.model")
    loaded = Word2Vec.load(tmp_path / "a.model")
    assert (model.trained_epochs, loaded.trained_epochs) == (expected, expected)
    assert loaded._run_seed() == model._run_seed()
    assert loaded.loss_history == model.loss_history
    assert loaded.epoch_losses == model.epoch_losses
    assert len(model.epoch_losses) == expected


@pytest.mark.parametrize("kind", [Word2Vec, gensim.Word2Vec])
def test_a_file_keeps_the_parameters_and_the_loss(kind: Any, tmp_path: Path) -> None:
    own = {"sg": 1, "max_final_vocab": 20} if kind is gensim.Word2Vec else {"model": "skipgram", "max_vocab": 20}
    given = {**SETTINGS, "window": np.int64(3), "seed": None, "sample": np.float32(0.01), "epochs": 2, "workers": 2}
    model = kind(**given, **own).fit(themes(60))
    model.train(themes(60), epochs=1)
    model.save(tmp_path / "a.model")
    loaded = kind.load(tmp_path / "a.model")
    assert loaded.get_params() == model.get_params()
    assert loaded.loss_history == model.loss_history
    assert all(type(pair) is tuple for pair in loaded.loss_history)
    assert (loaded.seed_, loaded.trained_epochs, loaded.max_vocab, loaded.workers) == (model.seed_, 3, 20, 2)
    assert loaded.wv.settings == model.wv.settings | {"parameters": loaded.wv.settings["parameters"]}
    loaded.save(tmp_path / "b.model")
    assert (tmp_path / "a.model").stat().st_size == (tmp_path / "b.model").stat().st_size
    model.set_params(window=7).save(tmp_path / "c.model")
    later = kind.load(tmp_path / "c.model")
    assert later.window == 7  # for the next call of fit
    assert later.wv.settings["window"] == 3  # what was trained


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    model = Word2Vec(epochs=2, window=3, **SETTINGS).fit(themes(60))
    new = {"parameters", "interruptions", "loss_history"}
    settings = {name: value for name, value in model.wv.settings.items() if name not in new}
    old = WordVectors(list(model.wv), model.wv.vectors, model.wv.counts, model.wv.context_vectors, settings)
    old.save(tmp_path / "old.model", format="safetensors")
    for kind in (Word2Vec, gensim.Word2Vec):
        loaded = kind.load(tmp_path / "old.model")
        assert (loaded.window, loaded.trained_epochs, loaded.loss_history) == (3, 2, [])
        assert loaded._run_seed() == model._run_seed()


@pytest.mark.parametrize("changes", [{"alpha": 0.05}, {}, {"alpha": 0.03, "min_alpha": 0.01, "epochs": 2}])
@pytest.mark.parametrize("state", ["trained", "loaded", "untrained", "gensim"])
def test_the_settings_say_what_was_trained(state: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """A trained model keeps its gradient. Otherwise, and in gensim's interface, a rate selects gensim's gradient."""
    kind: Any = gensim.Word2Vec if state == "gensim" else Word2Vec
    model = kind(epochs=1, engine="layers", **SETTINGS)
    model.build_vocab(themes(60))
    if state != "untrained":
        Word2Vec.train(model, themes(60))
        assert model.wv.settings["cbow_grad"] == "balanced"
    if state == "loaded":
        model.save(tmp_path / "a.model")
        model = Word2Vec.load(tmp_path / "a.model").set_params(engine="layers")
    explicit = copy.deepcopy(model)
    Word2Vec.train(model, themes(60), **changes)
    assert model.get_params() == explicit.get_params()
    expected = "sum" if "alpha" in changes and state in ("untrained", "gensim") else "balanced"
    assert model.wv.settings["cbow_grad"] == expected
    rates = {"alpha": 0.2, "min_alpha": 1e-4, "epochs": 1} | changes
    assert {name: model.wv.settings[name] for name in rates} == rates
    Word2Vec.train(explicit.set_params(cbow_grad=expected), themes(60), **rates)
    assert same_weights(explicit, model)


@needs_numba
def test_training_goes_on_with_the_engine_that_is_set(tmp_path: Path) -> None:
    model = Word2Vec(epochs=1, **SETTINGS).fit(themes(60))
    model.save(tmp_path / "a.model")
    layers = Word2Vec.load(tmp_path / "a.model").set_params(engine="layers")
    layers.train(themes(60))
    assert (layers.engine_, layers.wv.settings["engine"], layers.device_) == ("layers", "layers", "cpu")
    model.train(themes(60))
    assert model.engine_ == "fused"
    assert not np.array_equal(layers.wv.vectors, model.wv.vectors)


@pytest.mark.gpu
def test_training_goes_on_with_the_device_that_is_set(cupy: Any) -> None:
    model = Word2Vec(epochs=1, device="cpu", **SETTINGS).fit(themes(60))
    before = model.wv.vectors.copy()
    model.set_params(device="cuda", alpha=1e-9, min_alpha=1e-9).train(themes(60))
    assert isinstance(model.wv.vectors, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(model.wv.vectors), before, atol=1e-5)
    model.set_params(device="cpu").train(themes(60))
    np.testing.assert_allclose(model.wv.vectors, before, atol=1e-5)


@pytest.mark.parametrize("kind", [Word2Vec, gensim.Word2Vec])
def test_words_that_are_added_never_push_out_trained_ones(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    limit = {"max_final_vocab" if kind is gensim.Word2Vec else "max_vocab": 10}
    model = kind(epochs=1, min_count=2, **limit, **SETTINGS).fit(themes(60))
    before = model.wv
    assert len(before) == 10
    more = [["new", "newer", "newest"]] * 500 + [["new", "newer"]] * 3 + [["new"]]
    model.build_vocab(more, update=True)
    assert sorted(model.wv) == sorted(before)
    assert "max_vocab is 10, so 3 new words are left out" in caplog.text
    caplog.clear()
    model.set_params(**dict.fromkeys(limit, 12)).build_vocab([*more, ["once"]], update=True)
    assert set(model.wv) == {*before, "new", "newer"}
    assert "so 1 new words are left out" in caplog.text
    assert all(np.array_equal(model.wv[word], before[word]) for word in before)
    assert model.corpus_count == len(more) + 1  # of the corpus that was added, as in gensim


def test_callbacks_of_one_call_are_not_kept() -> None:
    first, second = (gensim.CallbackAny2Vec() for _ in range(2))
    model = gensim.Word2Vec(themes(60), epochs=1, callbacks=[first], **SETTINGS)
    model.train(themes(60), total_examples=60, epochs=1, callbacks=[second])
    assert model.callbacks == [first]
    for refused, error in (({"epochs": 0}, ValueError), ({"callbacks": [print]}, TypeError)):
        with pytest.raises(error):
            model.train(themes(60), **{"callbacks": [second], "epochs": 1} | refused)
        assert model.callbacks == [first]


ATTRIBUTES = ["wv", "corpus_count", "corpus_total_words", "known_words_", "device_", "engine_", "report_", "seed_"]


@pytest.mark.parametrize("kind", [Word2Vec, gensim.Word2Vec])
def test_before_training_the_error_says_what_to_do(kind: Any, tmp_path: Path) -> None:
    model = kind()
    calls = {
        "save": lambda: model.save(tmp_path / "a.model"),
        "transform": lambda: model.transform([["a"]]),
        "train": lambda: model.train(themes(5)),
        "update": lambda: model.build_vocab(themes(5), update=True),
        "names": model.get_feature_names_out,
    }
    names = ATTRIBUTES
    if kind is gensim.Word2Vec:
        names = [*ATTRIBUTES, "syn1neg"]
        calls["predict"] = lambda: model.predict_output_word(["a"])
    for name in names:
        assert not hasattr(model, name)
        with pytest.raises(NotFittedError, match=rf"no vocabulary yet, so .*'{name}'\. Call fit\(\) or build_vocab"):
            getattr(model, name)
    for call in calls.values():
        with pytest.raises(NotFittedError, match="no vocabulary yet"):
            call()
    assert not list(tmp_path.iterdir())
    with pytest.raises(AttributeError, match="'Word2Vec' object has no attribute 'vw'") as caught:
        model.vw  # noqa: B018
    assert not isinstance(caught.value, NotFittedError)
    with pytest.raises(NotFittedError) as caught:
        model.wv  # noqa: B018
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, (AttributeError, RuntimeError))
    assert "no vocabulary yet" in str(error)
    assert copy.deepcopy(model).get_params() == pickle.loads(pickle.dumps(model)).get_params() == model.get_params()


def test_parameters_that_are_refused_are_not_kept() -> None:
    for model in (Word2Vec(window=3), gensim.Word2Vec(window=3)):
        before = model.get_params()
        for refused in ({"window": 0}, {"epochs": 7, "window": 0}, {"workers": 0}, {"negative": 3, "windw": 1}):
            with pytest.raises(ValueError):
                model.set_params(**refused)
            assert model.get_params() == before
        with pytest.raises(TypeError):
            model.set_params(epochs=2, callbacks=[3])
        assert model.get_params() == before
        model.set_params(alpha=1e-5, min_alpha=1e-6)  # valid together, although not one after the other
    with pytest.raises(ValueError, match="sg"):
        model.set_params(sg=7)
    assert model.sg == 0


def test_a_model_and_its_history_are_stored_as_json(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        model = Word2Vec(epochs=2, **SETTINGS).fit(themes(60))
    model.save(tmp_path / "a.model")
    settings = WordVectors.load(tmp_path / "a.model", format="safetensors").settings
    assert settings == json.loads(json.dumps(settings))
    assert settings["parameters"]["alpha"] is None
    assert [tuple(pair) for pair in settings["loss_history"]] == model.loss_history
    assert "loss_history" not in model.wv.settings
