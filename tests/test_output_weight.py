"""The vectors W_in + c · W_out: how they are computed, and that training and files keep both matrices."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors
from fastw2v.backend import to_host
from fastw2v.compat import gensim
from fastw2v.engines import cpu
from fastw2v.nn.initializers import copy_known_rows

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
SETTINGS: dict[str, Any] = {"vector_size": 8, "window": 2, "negative": 2, "min_count": 1, "workers": 1, "sample": 0}
CORPUS = [[f"a{i % 7}", f"b{i % 5}", f"c{i % 3}", f"a{(i + 1) % 7}"] for i in range(300)]


def expected(model: Word2Vec, c: float) -> np.ndarray:
    return np.add(model.W_in, np.float32(c) * model.W_out)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("algorithm", ["cbow", "skipgram"])
def test_the_vectors_are_the_weighted_sum_of_both_matrices(algorithm: Any, engine: Any) -> None:
    models = {
        c: Word2Vec(model=algorithm, output_weight=c, engine=engine, **SETTINGS).fit(CORPUS) for c in (0, 0.25, 1)
    }
    for c, model in models.items():
        assert np.array_equal(model.wv.vectors, expected(model, c))
        if c:  # W_in alone is trained with larger pools
            assert np.array_equal(model.W_in, models[1].W_in)
            assert np.array_equal(model.W_out, models[1].W_out)
        assert model.wv.settings is not None
        assert model.wv.settings["output_weight"] == c
        assert model.W_in is not model.wv.vectors
        assert not model.wv.vectors.flags.writeable
        assert not model.W_in.flags.writeable
    assert np.shares_memory(models[0].wv.vectors, models[0].W_in)
    assert np.abs(models[0].W_out).max() > 0.01


def test_only_cbow_combines_by_default() -> None:
    cbow, skipgram = (Word2Vec(model=model, **SETTINGS).fit(CORPUS) for model in ("cbow", "skipgram"))
    c = cbow.config().output_weight
    assert c > 0
    assert np.array_equal(cbow.wv.vectors, expected(cbow, c))
    assert np.array_equal(skipgram.wv.vectors, skipgram.W_in)
    theirs = gensim.Word2Vec(CORPUS, vector_size=8, min_count=1, workers=1)
    assert np.array_equal(theirs.wv.vectors, theirs.W_in)
    assert np.array_equal(theirs.syn1neg, theirs.W_out)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_files_that_store_everything_keep_all_matrices(tmp_path: Path, suffix: str) -> None:
    wv = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS).wv
    wv.save(tmp_path / f"all.{suffix}")
    again = WordVectors.load(tmp_path / f"all.{suffix}")
    first = WordVectors.load(tmp_path / f"all.{suffix}", limit=3)
    for name in ("vectors", "context_vectors", "input_vectors"):
        assert np.array_equal(getattr(again, name), getattr(wv, name)), name
        assert np.array_equal(getattr(first, name), getattr(wv, name)[:3]), name


@pytest.mark.parametrize("suffix", ["bin", "txt", "vec", "glove", "tsv"])
def test_other_files_get_the_combined_vectors(tmp_path: Path, suffix: str) -> None:
    wv = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS).wv
    wv.save(tmp_path / f"vectors.{suffix}")
    again = WordVectors.load(tmp_path / f"vectors.{suffix}")
    assert np.array_equal(again.vectors, wv.vectors)
    assert np.array_equal(again.input_vectors, wv.vectors)  # nothing else is known


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loaded_model_continues_from_the_input_vectors(tmp_path: Path, engine: Any) -> None:
    model = Word2Vec(output_weight=0.5, engine=engine, **SETTINGS).fit(CORPUS)
    model.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors").set_params(engine=engine)
    assert loaded.output_weight == 0.5
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    for one in (model, loaded):
        one.train(CORPUS, epochs=2)
        assert np.array_equal(one.wv.vectors, expected(one, 0.5))
    assert np.array_equal(loaded.W_in, model.W_in)
    assert np.array_equal(loaded.W_out, model.W_out)


def test_a_loaded_model_has_the_vectors_that_were_saved(tmp_path: Path) -> None:
    """They may have been assigned, so they are not computed again from the matrices."""
    path = tmp_path / "model.safetensors"
    model = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS)
    assert model.wv.context_vectors is not None
    before = model.wv.vectors.copy()
    model.wv.context_vectors = model.wv.context_vectors * 2
    model.save(path)
    assert np.array_equal(Word2Vec.load(path).wv.vectors, before)
    model.wv.vectors = np.ones_like(before)
    model.save(path)
    loaded = Word2Vec.load(path)
    assert np.array_equal(loaded.wv.vectors, np.ones_like(before))
    loaded.train(CORPUS, epochs=1)
    assert np.array_equal(loaded.wv.vectors, expected(loaded, 0.5))


def test_the_gensim_class_keeps_the_weight_and_the_numbers_of_a_model(tmp_path: Path) -> None:
    model = Word2Vec(quality="best", output_weight=0.5, **SETTINGS).fit(CORPUS)
    model.save(tmp_path / "model.safetensors")
    loaded = gensim.Word2Vec.load(tmp_path / "model.safetensors")
    assert loaded.epochs == 15
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    loaded.train(CORPUS, epochs=1)
    assert np.array_equal(loaded.wv.vectors, expected(loaded, 0.5))


def test_a_copy_has_one_matrix_if_the_vectors_are_the_input_vectors() -> None:
    wv = Word2Vec(output_weight=0, **SETTINGS).fit(CORPUS).wv
    again = pickle.loads(pickle.dumps(wv))
    assert np.shares_memory(again.vectors, again.input_vectors)
    assert np.array_equal(again.vectors, wv.vectors)
    assert sum(isinstance(value, np.ndarray) and value.ndim == 2 for value in wv.__getstate__().values()) == 2


def test_training_in_steps_is_independent_of_the_weight() -> None:
    """If training continued from the combination, the second step would start elsewhere."""
    plain, combined = (Word2Vec(output_weight=c, epochs=2, **SETTINGS).fit(CORPUS) for c in (0.25, 1))
    for model in (plain, combined):
        assert model.wv.most_similar("a0")
        model.train(CORPUS)
        model.build_vocab([["new", "a0"]] * 3, update=True)
        model.train([*CORPUS, ["new", "a0"]])
    assert np.array_equal(plain.W_in, combined.W_in)
    assert np.array_equal(plain.wv.vectors, expected(plain, 0.25))
    assert np.array_equal(combined.wv.vectors, expected(combined, 1))


def test_pretrained_vectors_start_from_their_input_vectors() -> None:
    wv = Word2Vec(output_weight=1, **SETTINGS).fit(CORPUS).wv
    W_in, W_out = np.zeros((2, 8), np.float32), np.zeros((2, 8), np.float32)
    copy_known_rows(W_in, W_out, ["b1", "a0"], wv, "cpu")
    rows = [wv.key_to_index["b1"], wv.key_to_index["a0"]]
    assert np.array_equal(W_in, wv.input_vectors[rows])
    assert np.array_equal(W_out, wv.context_vectors[rows])
    assert not np.allclose(W_in, wv.vectors[rows])
    still = Word2Vec(output_weight=1, alpha=1e-9, min_alpha=1e-9, **SETTINGS).fit(CORPUS, init=wv)
    np.testing.assert_allclose(still.W_in, wv.input_vectors, atol=1e-6)


def _unit(vector: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vector / np.linalg.norm(vector)
    return unit


def test_callbacks_see_the_vectors_of_their_epoch() -> None:
    seen = []

    def look(event: str, model: Word2Vec) -> None:
        if event == "epoch_end":
            assert np.array_equal(model.wv.vectors, expected(model, 0.5))
            np.testing.assert_allclose(model.wv.get_vector("a0", norm=True), _unit(model.wv["a0"]), rtol=1e-6)
            seen.append(model.wv.vectors.copy())

    Word2Vec(output_weight=0.5, epochs=3, callbacks=[look], **SETTINGS).fit(CORPUS)
    assert len(seen) == 3
    assert not np.array_equal(seen[0], seen[2])


def test_assigned_vectors_are_those_from_which_training_continues() -> None:
    model = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS)
    matrix = np.ones_like(model.wv.vectors)
    model.wv.vectors = matrix
    assert np.array_equal(model.wv.vectors, matrix)
    assert np.array_equal(model.W_in, matrix)
    model.train(CORPUS, epochs=1, alpha=1e-9, min_alpha=0)
    np.testing.assert_allclose(model.W_in, matrix, atol=1e-6)
    assert np.array_equal(model.wv.vectors, expected(model, 0.5))


def test_assigned_context_vectors_do_not_change_the_vectors() -> None:
    wv = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS).wv
    before = wv.input_vectors + np.float32(0.5) * wv.context_vectors
    wv.context_vectors = None
    assert np.array_equal(wv.vectors, before)


def test_parts_of_vectors_keep_their_input_vectors() -> None:
    wv = Word2Vec(output_weight=0.5, **SETTINGS).fit(CORPUS).wv
    parts = {"slice": wv[:4], "step": wv[0:8:2], "words": wv.vectors_for_all(["a3", "b2"]), "less": wv - {"a0"}}
    for name, part in {**parts, "pickle": pickle.loads(pickle.dumps(wv))}.items():
        rows = [wv.key_to_index[word] for word in part]
        assert np.array_equal(part.input_vectors, wv.input_vectors[rows]), name
        assert np.array_equal(part.vectors, wv.vectors[rows]), name
    both = parts["words"] | WordVectors(["z"], np.ones((1, 8), np.float32))
    assert np.array_equal(both.input_vectors, [*parts["words"].input_vectors, np.ones(8)])
    turned = wv.align(Word2Vec(output_weight=0.5, seed=2, **SETTINGS).fit(CORPUS).wv)
    rotation = np.linalg.lstsq(wv.vectors, turned.vectors, rcond=None)[0]
    np.testing.assert_allclose(turned.input_vectors, wv.input_vectors @ rotation, atol=1e-4)


def test_gensims_prediction_uses_the_input_vectors(tmp_path: Path) -> None:
    """A model trained elsewhere may have combined its matrices, but the probabilities are those of the model."""
    Word2Vec(output_weight=1, **SETTINGS).fit(CORPUS).save(tmp_path / "model.safetensors")
    model = gensim.Word2Vec.load(tmp_path / "model.safetensors")
    predicted = model.predict_output_word(["a1", "b1"], topn=3)
    rows = [model.wv.key_to_index[word] for word in ("a1", "b1")]
    score = to_host(model.W_out) @ to_host(model.W_in)[rows].mean(axis=0)
    probability = np.exp(score) / np.exp(score).sum()
    assert predicted is not None
    assert [word for word, _ in predicted] == [model.wv.index_to_key[row] for row in np.argsort(-probability)[:3]]
    np.testing.assert_allclose([p for _, p in predicted], np.sort(probability)[::-1][:3], rtol=1e-5)


def test_matrices_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"input_vectors has shape \(2, 3\); .* same shape as vectors, \(2, 2\)"):
        WordVectors(["a", "b"], np.eye(2), input_vectors=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"output_weight is 1\.5"):
        Word2Vec(output_weight=1.5)


def test_the_estimate_counts_the_combined_vectors() -> None:
    names = {
        c: [item.name for item in Word2Vec(output_weight=c, **SETTINGS).estimate(CORPUS, measure=False).items]
        for c in (0, 0.5)
    }
    assert "vectors" in names[0.5]
    assert "vectors" not in names[0]
