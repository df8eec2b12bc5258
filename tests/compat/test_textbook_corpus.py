"""The textbook's corpus functions: ids of a text, contexts and targets row by row, and copies of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v import backend
from fastw2v.compat.textbook import (
    CBOW,
    EmbeddingDot,
    SkipGram,
    UnigramSampler,
    convert_one_hot,
    create_co_matrix,
    create_contexts_target,
    preprocess,
    to_cpu,
    to_gpu,
)


def test_preprocess_is_the_textbooks():
    corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    np.testing.assert_array_equal(corpus, [0, 1, 2, 3, 4, 1, 5, 6])
    assert id_to_word == {0: "you", 1: "say", 2: "goodbye", 3: "and", 4: "i", 5: "hello", 6: "."}
    assert word_to_id == {word: i for i, word in id_to_word.items()}
    with pytest.raises(KeyError):
        word_to_id["unknown"]
    with pytest.raises(TypeError, match="list"):
        preprocess(["you", "say"])  # type: ignore[arg-type]


IDS = [0, 1, 2, 3, 4, 1, 5, 6]
USES = {
    "create_contexts_target": lambda ids: create_contexts_target(ids, 1),
    "convert_one_hot": lambda ids: [convert_one_hot(ids, 7)],
    "create_co_matrix": lambda ids: [create_co_matrix(ids, 7)],
    "UnigramSampler": lambda ids: [UnigramSampler(ids, 0.75, 4).get_negative_sample(np.array([1, 2]))],
    "get_negative_sample": lambda ids: [UnigramSampler(np.array(IDS), 0.75, 4).get_negative_sample(ids)],
    "EmbeddingDot": lambda ids: [EmbeddingDot(np.eye(7)).forward(np.ones((8, 7)), ids)],
    "CBOW": lambda ids: gradients(CBOW(7, 4, 1, ids), *create_contexts_target(ids, 1)),
    "SkipGram": lambda ids: gradients(SkipGram(7, 4, 1, ids), *create_contexts_target(ids, 1)),
}


def gradients(model: Any, contexts: Any, target: Any) -> list[Any]:
    model.forward(contexts, target)
    model.backward()
    return [grad.dense() for grad in model.grads]


@pytest.mark.parametrize("convert", [list, tuple, lambda ids: np.array(ids, "u8"), lambda ids: np.array(ids, "u1")])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_word_ids_of_any_type(use: Any, convert: Any):
    for result, expected in zip(use(convert(IDS)), use(np.array(IDS)), strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("kind", ["u1", "u4", "u8"])
@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_padding_of_targets_hides_contexts_of_unsigned_types(Model: Any, kind: str):
    contexts, target = create_contexts_target(np.array(IDS), 1)
    target[::2] = -1
    found = gradients(Model(7, 4, 1, np.array(IDS)), contexts.astype(kind), target)
    for result, expected in zip(found, gradients(Model(7, 4, 1, np.array(IDS)), contexts, target), strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_word_ids_that_are_not_integers(use: Any):
    with pytest.raises(TypeError, match="is an array of float64; it must contain integer word ids"):
        use(np.array(IDS, float))


@pytest.mark.parametrize("Model", [CBOW, SkipGram])
def test_contexts_that_are_not_integers(Model: Any):
    with pytest.raises(TypeError, match="contexts is an array of float64"):
        Model(7, 4, 1, np.array(IDS)).forward(np.ones((2, 2)), np.array([1, 2]))


@pytest.mark.parametrize("window", [1, 2, 5])
def test_contexts_and_target_row_by_row(xp: Any, window: int):
    ids = [0, 1, 2, 3, 4, 1, 5, 6, 2, 2, 0, 7]
    contexts, target = create_contexts_target(xp.asarray(ids), window)
    assert contexts.shape == (len(ids) - 2 * window, 2 * window)
    for row in range(contexts.shape[0]):
        t = row + window
        assert [int(contexts[row, c]) for c in range(2 * window)] == ids[t - window : t] + ids[t + 1 : t + window + 1]
        assert int(target[row]) == ids[t]


def test_contexts_of_a_corpus_shorter_than_a_window(xp: Any):
    contexts, target = create_contexts_target(xp.asarray([0, 1, 2]), window_size=2)
    assert contexts.shape == (0, 4)
    assert target.shape == (0,)
    with pytest.raises(ValueError, match="window_size is 0"):
        create_contexts_target(xp.asarray([0, 1, 2]), window_size=0)


def test_host_arrays_are_not_copied():
    array = np.arange(3)
    assert to_cpu(array) is array


@pytest.mark.gpu
def test_to_gpu_and_back():
    if problem := backend.cuda_problem():
        pytest.skip(problem)
    array = np.arange(6.0).reshape(2, 3)
    there = to_gpu(array)
    assert backend.is_cupy(there)
    assert backend.to_device(there, "cuda") is there
    assert np.array_equal(to_cpu(there), array)


def test_a_missing_gpu_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backend, "cuda_problem", lambda: "there is none today")
    with pytest.raises(RuntimeError, match="there is none today"):
        to_gpu(np.zeros(2))
