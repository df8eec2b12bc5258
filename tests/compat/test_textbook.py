"""The classes and functions of the book's chapter, called as in the book's scripts."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from fastw2v.compat.textbook import (
    CBOW,
    Adam,
    SkipGram,
    Trainer,
    analogy,
    config,
    create_contexts_target,
    load_params,
    load_textbook_pickle,
    most_similar,
    preprocess,
    ptb,
    save_params,
    to_cpu,
    to_gpu,
)

TEXT = "You say goodbye and I say hello ."


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_the_chapter_from_text_to_neighbours(Model, tmp_path, capsys):
    corpus, word_to_id, id_to_word = preprocess(TEXT)
    contexts, target = create_contexts_target(corpus, window_size=1)
    if config.GPU:
        contexts, target = to_gpu(contexts), to_gpu(target)
    model = Model(len(word_to_id), 5, 1, corpus)
    trainer = Trainer(model, Adam())
    trainer.fit(contexts, target, 200, 3)
    assert trainer.loss_list[-1] < trainer.loss_list[0]

    params = {
        "word_vecs": to_cpu(model.word_vecs).astype(np.float16),
        "word_to_id": word_to_id,
        "id_to_word": id_to_word,
    }
    with (tmp_path / "cbow_params.pkl").open("wb") as file:
        pickle.dump(params, file, -1)
    save_params(tmp_path / "cbow_params.safetensors", **params)
    for loaded in (
        load_textbook_pickle(tmp_path / "cbow_params.pkl"),
        load_params(tmp_path / "cbow_params.safetensors"),
    ):
        assert loaded["word_to_id"] == word_to_id
        assert loaded["id_to_word"] == id_to_word
        assert loaded["word_vecs"].dtype == np.float16
        assert np.array_equal(loaded["word_vecs"], params["word_vecs"])

    ranked = most_similar("you", word_to_id, id_to_word, params["word_vecs"], top=3)
    assert len(ranked) == 3
    analogy("you", "i", "goodbye", word_to_id, id_to_word, params["word_vecs"])
    assert "[query] you" in capsys.readouterr().out


def test_there_is_no_global_gpu_switch():
    assert config.GPU is False
    config.GPU = False
    with pytest.raises(AttributeError, match="a model is created on the device of its corpus"):
        config.GPU = True


def test_plot_is_written_with_labels(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    figures = []
    subplots = pyplot.subplots
    monkeypatch.setattr(pyplot, "subplots", lambda **kwargs: figures.append(subplots(**kwargs)) or figures[-1])
    corpus, word_to_id, _ = preprocess(" ".join([TEXT] * 20))
    contexts, target = create_contexts_target(corpus, window_size=2)
    trainer = Trainer(CBOW(len(word_to_id), 6, 2, corpus), Adam())
    with pytest.raises(ValueError, match="call fit"):
        trainer.plot(tmp_path / "loss.png")
    trainer.fit(contexts, target, max_epoch=2).plot(tmp_path / "loss.png", ylim=(0, 5))
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    axes = figures[0][1]
    assert axes.get_title() == "CBOW with Adam"
    assert axes.get_xlabel() == "epochs"
    assert "loss" in axes.get_ylabel()
    assert axes.get_ylim() == (0, 5)
    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.get_fignums()))
    trainer.plot()
    assert len(shown[0]) == 1
    assert pyplot.get_fignums() == []


@pytest.mark.slow
def test_the_penn_treebank_in_one_epoch():
    # With the book's settings, the loss falls from 6 log 2 = 4.16 to below 2.45 in the first epoch, as in the book.
    if not os.environ.get("FASTW2V_DATA"):
        pytest.skip("FASTW2V_DATA names no folder with the Penn Treebank")
    corpus, word_to_id, id_to_word = ptb.load_data("train")
    contexts, target = create_contexts_target(corpus, window_size=5)
    model = CBOW(len(word_to_id), 100, 5, corpus)
    trainer = Trainer(model, Adam()).fit(contexts, target, 1, 100)
    assert np.mean(trainer.loss_list[-50:]) < 2.45
    near = [word for word, _ in most_similar("year", word_to_id, id_to_word, model.word_vecs)]
    assert {"month", "week"} & set(near)
