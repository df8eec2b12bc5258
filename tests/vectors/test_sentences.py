"""Vectors of texts, compared with an independent implementation that follows the papers word by word."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import is_cupy, is_numpy, to_host
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.vectors import sentences
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec
from tests.vectors.common import MATRIX, WORDS

COUNTS = np.arange(60, 30, -1) ** 2
TEXTS = ["w1 w2 w2", "w29", ["w4", "nobody", "w5"], "  w7\tw8 \n w9 ", ("w0", "w3"), np.array(["w1", "w11"])]


def words_of(text: Any) -> list[str]:
    return [word for word in (text.split() if isinstance(text, str) else list(text)) if word in WORDS]


def expected_mean(text: Any) -> np.ndarray:
    return np.mean([MATRIX[WORDS.index(word)].astype(float) for word in words_of(text)], axis=0)


def expected_fasttext(text: Any) -> np.ndarray:
    """getSentenceVector of fastText, one word at a time."""
    total, count = np.zeros(MATRIX.shape[1]), 0
    for word in words_of(text):
        vector = MATRIX[WORDS.index(word)].astype(float)
        norm = np.sqrt((vector * vector).sum())
        if norm > 0:
            total += vector / norm
            count += 1
    return total / count if count else total


def expected_sif(texts: list[Any]) -> np.ndarray:
    """Algorithm 1 of Arora, Liang and Ma (2017), one word at a time."""
    share = {word: count / COUNTS.sum() for word, count in zip(WORDS, COUNTS.tolist(), strict=True)}
    rows = []
    for text in texts:
        total = np.zeros(MATRIX.shape[1])
        for word in words_of(text):
            total += 1e-3 / (1e-3 + share[word]) * MATRIX[WORDS.index(word)]
        rows.append(total / max(1, len(words_of(text))))
    u = np.linalg.svd(np.array(rows))[2][0]
    return np.array([row - np.outer(u, u) @ row for row in rows])


@pytest.fixture
def wv(xp: Any) -> WordVectors:
    return WordVectors(WORDS, xp.asarray(MATRIX), counts=COUNTS)


@pytest.mark.parametrize("tokens", [2**16, 4])
def test_means(wv: WordVectors, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", tokens)
    for texts in (TEXTS, iter(TEXTS), TEXTS * 3):
        found = wv.sentence_vectors(texts)
        assert type(found) is type(wv.vectors)
        np.testing.assert_allclose(to_host(found)[:6], [expected_mean(text) for text in TEXTS], atol=1e-6)
    assert found.shape == (18, 6)
    first, *repeated = np.split(to_host(found), 3)
    for again in repeated:
        # The sums of a GPU are rounded differently at different places of an array.
        np.testing.assert_allclose(again, first, rtol=0, atol=2e-7 if is_cupy(found) else 0)


@pytest.mark.parametrize("tokens", [2**16, 4])
def test_means_of_unit_vectors(wv: WordVectors, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", tokens)
    found = wv.sentence_vectors(TEXTS, method="fasttext")
    assert type(found) is type(wv.vectors)
    np.testing.assert_allclose(to_host(found), [expected_fasttext(text) for text in TEXTS], atol=1e-6)
    assert wv._unit_vectors is None  # texts need the unit vectors of their own words alone
    _ = wv.unit_vectors
    assert to_host(wv.sentence_vectors(TEXTS, method="fasttext")).tolist() == to_host(found).tolist()
    for text, vector in zip(TEXTS, to_host(found), strict=True):
        np.testing.assert_allclose(to_host(wv.sentence_vectors([text], "fasttext"))[0], vector, atol=1e-7)


def test_words_without_a_direction_do_not_count(xp: Any) -> None:
    matrix = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    wv = WordVectors(["a", "zero", "b"], xp.asarray(matrix), counts=[3, 2, 1])
    texts = ["a zero", "zero b zero a", "zero", "zero unknown"]
    found = to_host(wv.sentence_vectors(texts, "fasttext"))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.3, -0.1], [0, 0], [0, 0]], atol=1e-12)
    found = to_host(wv.sentence_vectors(texts, "mean"))
    np.testing.assert_allclose(found, [[1.5, 2.0], [0.75, 0.5], [0, 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("method", ["mean", "fasttext", "sif"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_words_that_are_not_finite_are_ignored(xp: Any, method: Any, bad: float, caplog: Any) -> None:
    matrix = MATRIX.copy()
    matrix[0, 2] = bad  # the row that other libraries read for padding
    wv = WordVectors(WORDS, xp.asarray(matrix), counts=COUNTS)
    texts = ["w1 w0 w2", "w0", "w3 w3 w7", "w0 w0"]
    found = to_host(wv.sentence_vectors(texts, method))
    assert "contain NaN or infinity are ignored, such as 'w0'" in caplog.text
    without = to_host(wv.sentence_vectors(["w1 w2", "", "w3 w3 w7", ""], method))
    np.testing.assert_allclose(found, without, atol=1e-6)
    assert not found[[1, 3]].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_and_small_numbers(xp: Any, dtype: Any) -> None:
    """Sums that are too large raise an error, and no square is too large or too small."""
    largest, smallest = float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)
    matrix = np.array([[3, -4], [4, 3], [1, 0]]) * np.array([[largest / 5], [smallest], [largest]])
    wv = WordVectors(["large", "small", "largest"], xp.asarray(matrix.astype(dtype)), counts=[2, 1, 1])
    found = to_host(wv.sentence_vectors(["large small", "small", "largest largest"], "fasttext"))
    np.testing.assert_allclose(found, [[0.7, -0.1], [0.8, 0.6], [1, 0]], atol=1e-6)
    for method in ("mean", "sif"):
        assert np.isfinite(to_host(wv.sentence_vectors(["large", "small", "large small"], method))).all()
    if is_numpy(wv.vectors):  # other libraries divide before they add
        with pytest.raises(ValueError, match=rf"texts\[2\] is too large for {np.dtype(dtype)}"):
            wv.sentence_vectors(["large", "small", "largest largest"])


def test_unseen_words_of_unit_length(xp: Any) -> None:
    subwords = Subwords(WORDS, NGrams(min_n=2, max_n=4, bucket=2_000_000))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    wv = WordVectors(WORDS, None, input_vectors=xp.asarray(W_in), subwords=subwords, counts=COUNTS)
    texts = ["w1 w1w2 w3w4", "w1w2 ~~~~ w1w2", "~~~~", ["w5", "w1w2", ""], "w7"]
    expected = []
    for text in texts:
        vectors = [
            to_host(wv[word]).astype(float) for word in (text.split() if isinstance(text, str) else text) if word
        ]
        directed = [vector / np.linalg.norm(vector) for vector in vectors if vector.any()]
        expected.append(np.mean(directed, axis=0) if directed else np.zeros(6))
    assert "~~~~" in wv
    assert not to_host(wv["~~~~"]).any()  # its n-grams have no row
    np.testing.assert_allclose(to_host(wv.sentence_vectors(texts, "fasttext")), expected, atol=1e-6)
    wv.strict = True
    only = to_host(wv.sentence_vectors(["w1 w1w2", "w1w2"], "fasttext"))
    np.testing.assert_allclose(only, to_host(wv.sentence_vectors(["w1", ""], "fasttext")), atol=1e-7)


@pytest.mark.parametrize("longest", [4, 0])
def test_fasttext_returns_the_same_vectors(longest: int, tmp_path: Any) -> None:
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed (make integrations)")
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdé한글"), size=rng.integers(1, 7))) for _ in range(300)]
    corpus = [[words[i] for i in rng.integers(0, 300, size=8)] for _ in range(400)]
    (tmp_path / "corpus.txt").write_text("".join(" ".join(line) + "\n" for line in corpus), encoding="utf-8")
    # With fewer than 10 threads, fastText leaves a part of W_in uninitialised.
    settings = {"dim": 12, "minn": 2, "maxn": longest, "bucket": 500, "minCount": 1, "epoch": 2, "t": 1, "thread": 12}
    theirs = fasttext.train_unsupervised(str(tmp_path / "corpus.txt"), verbose=0, **settings)
    matrix = theirs.get_input_matrix()
    zeros = [theirs.get_subwords(word)[1] for word in theirs.words[3:9]]
    matrix[np.concatenate(zeros).astype(int)] = 0  # words of the vocabulary, and n-grams of other words
    theirs.set_matrices(matrix, theirs.get_output_matrix())
    theirs.save_model(str(tmp_path / "model.bin"))
    theirs = fasttext.load_model(str(tmp_path / "model.bin"))
    wv = WordVectors.load(tmp_path / "model.bin")
    assert not wv.vectors[3:9].any()
    texts = [" ".join(line) for line in corpus[:100]]
    texts += [f"{a}{b} {b} {a}x" for a, b in zip(words[:60], words[60:120], strict=True)]
    texts += ["", " ", "z", "zzz z", theirs.words[4], f"{theirs.words[4]} {theirs.words[20]}", "\t a  b\x0bc\fd\r"]
    expected = [theirs.get_sentence_vector(text) for text in texts]
    np.testing.assert_allclose(wv.sentence_vectors(texts, "fasttext"), expected, atol=1e-6)


@pytest.mark.parametrize("longest", [5, 0])
def test_gensim_returns_the_same_vectors(longest: int, tmp_path: Any) -> None:
    facebook = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed (make integrations)")
    corpus = [["sing", "ring", "singing", "the"], ["the", "ringing", "bell", "rings"]] * 20
    settings: dict[str, Any] = {"subwords": (3, longest), "bucket": 300} if longest else {}
    wv = Word2Vec(vector_size=12, min_count=1, negative=2, epochs=1, sample=1.0, **settings).fit(corpus).wv
    wv.save(tmp_path / "model.bin", format="fasttext")
    theirs = facebook.load_facebook_vectors(str(tmp_path / "model.bin"))
    texts = [["sing", "the", "bell"], ["ring", "ring"], ["the"]]
    if longest:
        texts += [["sings", "swinging", "bell"], ["sings"]]
    expected = [theirs.get_sentence_vector(text) for text in texts]
    np.testing.assert_allclose(wv.sentence_vectors(texts, "fasttext"), expected, atol=1e-6)


def test_blocks_of_whole_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", 4)
    texts = ["w1 w2", "w3 w4", "w5", [], "w1 w2 w3 w4 w5 w6", ["w7"], ""]
    blocks = [(words, lengths.tolist()) for words, lengths in sentences.blocks_of_texts(iter(texts), WORDS)]
    assert blocks == [
        (["w1", "w2", "w3", "w4"], [2, 2]),
        (["w5"], [1, 0]),
        (["w1", "w2", "w3", "w4", "w5", "w6"], [6]),
        (["w7"], [1, 0]),
    ]


@pytest.mark.parametrize("tokens", [2**16, 4])
def test_smooth_inverse_frequency(wv: WordVectors, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", tokens)
    found = to_host(wv.sentence_vectors(TEXTS, method="sif"))
    np.testing.assert_allclose(found, expected_sif(TEXTS), atol=1e-6)
    with_unknown = to_host(wv.sentence_vectors([*TEXTS, "nobody knows"], method="sif"))
    np.testing.assert_allclose(with_unknown, expected_sif([*TEXTS, "nobody knows"]), atol=1e-6)
    assert not with_unknown[-1].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_precision(dtype: Any) -> None:
    wv = WordVectors(WORDS, MATRIX.astype(dtype), counts=COUNTS)
    for method in ("mean", "fasttext", "sif"):
        found = wv.sentence_vectors(TEXTS, method=method)
        assert found.dtype == max(np.dtype(np.float32), np.dtype(dtype))
        assert found.shape == (6, 6)


def test_texts_without_known_words_are_zeros(wv: WordVectors, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = to_host(wv.sentence_vectors(["nobody", "w1", [], ""]))
    assert found[[0, 2, 3]].tolist() == [[0.0] * 6] * 3
    np.testing.assert_allclose(found[1], MATRIX[1])
    assert "3 of 4 texts have no known word" in caplog.text
    caplog.clear()
    wv.sentence_vectors(["w1"])
    assert not caplog.text
    assert to_host(wv.sentence_vectors([])).shape == (0, 6)


def test_integers_as_words(xp: Any) -> None:
    wv = WordVectors([7, 3, 12], xp.asarray(MATRIX[:3]))
    found = to_host(wv.sentence_vectors([[7, 12, 99], np.array([3]), (np.int32(3),)]))
    np.testing.assert_allclose(found, [MATRIX[[0, 2]].mean(axis=0), MATRIX[1], MATRIX[1]], atol=1e-6)
    for wrong in ("7 12", [True], [7.0]):
        with pytest.raises(TypeError, match=r"texts\[1\] contains .*words of these vectors are integers"):
            wv.sentence_vectors([[7], wrong])


def test_malformed_texts(wv: WordVectors) -> None:
    for error, message, query in [
        (TypeError, "texts is 'w1 w2'; give a list of texts", lambda: wv.sentence_vectors("w1 w2")),
        (TypeError, "texts is 3; give a list", lambda: wv.sentence_vectors(3)),
        (TypeError, r"texts\[1\] is nan; a text must be", lambda: wv.sentence_vectors(["w1", float("nan")])),
        (TypeError, r"texts\[0\] is None; a text must be", lambda: wv.sentence_vectors([None])),
        (TypeError, r"texts\[0\] contains 3; the words of these vectors are str", lambda: wv.sentence_vectors([[3]])),
        (
            ValueError,
            "it must be 'mean', 'fasttext' or 'sif'",
            lambda: wv.sentence_vectors([], "median"),
        ),
        (ValueError, "number of texts with a known word is 1", lambda: wv.sentence_vectors(["w1", "no"], "sif")),
        (ValueError, "no counts", lambda: WordVectors(WORDS, wv.vectors).sentence_vectors(TEXTS, "sif")),
    ]:
        with pytest.raises(error, match=message):
            query()
