"""Word2Vec as a transformer of scikit-learn: pipelines, cross-validation, grid search and pickles."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec
from fastw2v.compat import gensim
from tests.test_word2vec import themes

base = pytest.importorskip("sklearn.base")

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "ran"]] * 20
LABELS = [0, 1] * 20
SETTINGS: dict[str, Any] = {"vector_size": 8, "negative": 2, "epochs": 2, "workers": 1, "sample": 0}

each_class = pytest.mark.parametrize("kind", [Word2Vec, gensim.Word2Vec])


def test_a_vector_of_each_text() -> None:
    model = Word2Vec(**SETTINGS).fit(SENTENCES)
    texts = [["cat", "sat", "nobody"], "dog  ran", [], ["nobody"]]
    found = model.transform(texts)
    assert type(found) is np.ndarray
    expected = [model.wv[["cat", "sat"]].mean(axis=0), model.wv[["dog", "ran"]].mean(axis=0), np.zeros(8), np.zeros(8)]
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert found.tolist() == model.wv.sentence_vectors(texts).tolist()
    for corpus in (SENTENCES, iter(SENTENCES), tuple(SENTENCES), np.array(SENTENCES, dtype=object)):
        again = Word2Vec(**SETTINGS)
        assert np.array_equal(again.fit_transform(corpus, LABELS), model.transform(SENTENCES))
    with pytest.raises(TypeError, match=r"texts is 'corpus\.txt'; give a list"):
        model.transform("corpus.txt")
    with pytest.raises(TypeError, match=r"corpus is 'corpus\.txt' of type str; pass a list of token lists"):
        Word2Vec(**SETTINGS).fit_transform("corpus.txt")


@each_class
def test_in_front_of_a_classifier(kind: Any, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    steps = make_pipeline(kind(**SETTINGS), LogisticRegression(C=1e4)).fit(SENTENCES, LABELS)
    assert steps.score(SENTENCES, LABELS) == 1
    assert steps.predict([["cat"], ["dog", "ran"]]).tolist() == [0, 1]
    assert steps[:-1].get_feature_names_out().tolist() == [f"word2vec{i}" for i in range(8)]
    assert not hasattr(base.clone(steps)[0], "wv")
    joblib = pytest.importorskip("joblib")
    joblib.dump(steps, tmp_path / "steps.joblib")
    for again in (pickle.loads(pickle.dumps(steps)), joblib.load(tmp_path / "steps.joblib")):
        assert np.array_equal(again.predict_proba(SENTENCES), steps.predict_proba(SENTENCES))
        assert again[0].train(SENTENCES, epochs=1)  # a model goes on from a pickle, too
        assert again[0].trained_epochs == 3


@each_class
def test_grid_search_and_cross_validation(kind: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline

    steps = make_pipeline(kind(**SETTINGS), LogisticRegression(C=1e4))
    assert cross_val_score(steps, SENTENCES, LABELS, cv=3, error_score="raise").tolist() == [1, 1, 1]
    search = GridSearchCV(steps, {"word2vec__vector_size": [4, 6], "word2vec__window": [2]}, cv=2, error_score="raise")
    search.fit(SENTENCES, LABELS)
    assert search.best_estimator_[0].wv.vector_size == search.best_params_["word2vec__vector_size"]


def test_beside_other_features() -> None:
    from sklearn.pipeline import FeatureUnion
    from sklearn.preprocessing import FunctionTransformer

    lengths = FunctionTransformer(lambda texts: np.array([[len(text)] for text in texts]))
    both = FeatureUnion([("vectors", Word2Vec(**SETTINGS)), ("lengths", lengths)]).fit_transform(SENTENCES)
    assert both.shape == (40, 9)
    assert both[:, 8].tolist() == [3] * 40


def test_tags_and_unfitted_transformers() -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    tags = get_tags(Word2Vec())
    assert tags.transformer_tags is not None
    assert (tags.requires_fit, tags.target_tags.required, tags.input_tags.two_d_array) == (True, False, False)
    model = Word2Vec(**SETTINGS)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    check_is_fitted(model.build_vocab(themes(20)))
    assert "Word2Vec" in model.fit(themes(20)).__repr__()
