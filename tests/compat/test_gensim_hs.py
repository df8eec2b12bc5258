"""Hierarchical softmax in `fastw2v.compat.gensim.Word2Vec`, compared with gensim and with formulas written out."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.compat.gensim import Word2Vec
from fastw2v.sampling.huffman import HuffmanTree
from tests.test_word2vec import themes

SETTINGS: dict[str, Any] = {"vector_size": 12, "workers": 1, "epochs": 3, "engine": "layers", "min_count": 1}
LOSSES = {"ns": {"hs": 0}, "hs": {"hs": 1, "negative": 0}, "hs+ns": {"hs": 1}}
"""What selects each loss. gensim's default of `negative` is 5, so hs=1 alone trains with both."""
WINDOW = 3


@pytest.fixture(scope="module", params=[0, 1], ids=["cbow", "skipgram"])
def model(request: pytest.FixtureRequest) -> Word2Vec:
    """Return a model with large scores, which a test must not change."""
    settings = SETTINGS | {"epochs": 20, "sample": 0, "window": WINDOW}
    return Word2Vec(themes(200), sg=request.param, **LOSSES["hs"], **settings)


def tables_of(model: Any) -> list[bytes]:
    wv = model.wv
    return [W.tobytes() for W in (wv.input_vectors, wv.context_vectors, wv.node_vectors) if W is not None]


# Training and files


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_hs_and_negative_select_the_loss(loss: Any, sg: int) -> None:
    ours = Word2Vec(themes(100), sg=sg, **LOSSES[loss], **SETTINGS)
    theirs = fastw2v.Word2Vec(
        model="skipgram" if sg else "cbow", loss=loss, negative=ours.negative, output_weight=0, **SETTINGS
    ).fit(themes(100))
    assert ours.loss == loss
    assert tables_of(ours) == tables_of(theirs)
    assert hasattr(ours, "syn1") == ("hs" in loss)
    assert hasattr(ours, "syn1neg") == ("ns" in loss)
    if "hs" in loss:
        assert np.array_equal(ours.syn1, theirs.wv.node_vectors)
    if "ns" in loss:
        assert np.array_equal(ours.syn1neg, theirs.wv.context_vectors)


def test_missing_matrices_are_explained() -> None:
    untrained, ns, hs = Word2Vec(), *(Word2Vec(themes(20), **LOSSES[loss], **SETTINGS) for loss in ("ns", "hs"))
    for name in ("syn1", "syn1neg"):
        with pytest.raises(AttributeError, match="the model has no vocabulary yet, so it has no attribute 'syn1"):
            getattr(untrained, name)
    with pytest.raises(AttributeError, match="no attribute 'syn1'; it needs hierarchical softmax"):
        _ = ns.syn1
    with pytest.raises(AttributeError, match="no attribute 'syn1neg'; it needs negative sampling"):
        _ = hs.syn1neg


@pytest.mark.parametrize("loss", list(LOSSES))
def test_files_keep_the_loss(loss: Any, tmp_path: Path) -> None:
    for kind, other in ((Word2Vec, fastw2v.Word2Vec), (fastw2v.Word2Vec, Word2Vec)):
        given = {"loss": loss, "output_weight": 0} if kind is fastw2v.Word2Vec else LOSSES[loss]
        saved = kind(**given, **SETTINGS).fit(themes(50))
        saved.save(tmp_path / "model")
        loaded, there = kind.load(tmp_path / "model"), other.load(tmp_path / "model")
        assert loaded.loss == there.loss == loss
        before = {name: value for name, value in saved.get_params().items() if name != "engine"}
        assert {name: value for name, value in loaded.get_params().items() if name != "engine"} == before
        for one in (saved, loaded, there):
            one.engine = "layers"
            one.train(themes(50), epochs=2)
        assert tables_of(loaded) == tables_of(saved)
        if kind is fastw2v.Word2Vec:  # which keeps the CBOW gradient; see `_gradient_to_keep`
            there.cbow_grad = None
        assert len(tables_of(there)) == len(tables_of(saved))


def test_a_copy_without_negatives_ignores_their_number(tmp_path: Path) -> None:
    fastw2v.Word2Vec(loss="hs", negative=7, **SETTINGS).fit(themes(50)).save(tmp_path / "model")
    loaded = Word2Vec.load(tmp_path / "model")
    assert (loaded.hs, loaded.negative) == (1, 0)
    fastw2v.Word2Vec(loss="hs+ns", negative=7, **SETTINGS).fit(themes(50)).save(tmp_path / "model")
    loaded = Word2Vec.load(tmp_path / "model")
    assert (loaded.hs, loaded.negative) == (1, 7)


def test_parameters_can_be_set_and_cloned() -> None:
    model = Word2Vec().set_params(hs=1, negative=0)
    assert model.loss == "hs"
    assert Word2Vec(**model.get_params()).loss == "hs"
    assert model.set_params(negative=3).loss == "hs+ns"
    assert Word2Vec(hs=True, negative=None).loss == "hs+ns"
    with pytest.raises(ValueError, match="nothing would be trained"):
        model.set_params(hs=0, negative=0)
    assert (model.hs, model.negative) == (1, 3)
    with pytest.raises(TypeError, match="loss is not a parameter of Word2Vec; use hs=0 for loss='ns'"):
        Word2Vec(loss="hs")  # type: ignore[call-arg]


def test_another_loss_cannot_continue_and_is_named_by_its_parameters() -> None:
    model = Word2Vec(themes(50), **LOSSES["hs"], **SETTINGS)
    model.negative = 5
    message = "is that of hs=1, negative=0, but now hs=1, negative=5 is set. Set hs=1, negative=0 to continue training"
    with pytest.raises(ValueError, match=message):
        model.train(themes(50), total_examples=50, epochs=1)


def test_words_are_added(caplog: pytest.LogCaptureFixture) -> None:
    for loss in ("hs", "hs+ns"):
        model = Word2Vec(themes(50), **LOSSES[loss], **SETTINGS)
        old = model.wv
        model.build_vocab([["new", "t0w0", "t0w1"]] * 50, update=True)
        assert np.array_equal(model.wv[old.index_to_key], old.vectors)
        assert not model.syn1.any()
        model.train([["new", "t0w0", "t0w1"]] * 50, total_examples=50, epochs=2)
        assert model.syn1.any()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_program_for_walks_on_graphs() -> None:
    """karateclub calls gensim like this."""
    draw = np.random.default_rng(0)
    walks = [[str(20 * (i % 4) + node) for node in draw.integers(0, 20, 40)] for i in range(200)]
    model = Word2Vec(
        walks, hs=1, alpha=0.05, epochs=3, vector_size=16, window=5, min_count=1, workers=1, seed=42, engine="layers"
    )
    assert model.loss == "hs+ns"
    for community in range(4):
        near = [int(word) for word, _ in model.wv.most_similar(str(20 * community), topn=10)]
        assert [word // 20 for word in near] == [community] * 10


# Probabilities


def log_sigmoid(x: Any) -> Any:
    return -np.logaddexp(0, -x)


def table_of_gensim(x: float) -> float:
    """Return log σ(x) from a table like gensim's, which has 1,000 numbers and an index with an integer factor."""
    if abs(x) >= 6:
        return 0.0
    return float(log_sigmoid((int((x + 6) * (1000 // 6 // 2)) / 1000 * 2 - 1) * 6))


def log_probability(model: Word2Vec, h: np.ndarray, word: int, log_sigmoid: Any = log_sigmoid) -> float:
    """Return log P(word | h), by walking down the tree."""
    points, codes = HuffmanTree.from_counts(model.wv.counts).path(word)
    nodes = model.syn1.astype(np.float64)
    return sum(float(log_sigmoid((1 - 2 * int(d)) * (nodes[n] @ h))) for n, d in zip(points, codes, strict=True))


def expected_score(model: Word2Vec, sentence: list[str], log_sigmoid: Any = log_sigmoid) -> float:
    ids = [model.wv.key_to_index[word] for word in sentence if word in model.wv]
    vectors = model.wv.vectors.astype(np.float64)
    total = 0.0
    for i, word in enumerate(ids):
        contexts = [ids[j] for j in range(max(0, i - WINDOW), min(len(ids), i + WINDOW + 1)) if j != i]
        if model.sg:
            total += sum(log_probability(model, vectors[context], word, log_sigmoid) for context in contexts)
        else:
            h = vectors[contexts].mean(axis=0) if contexts else np.zeros(vectors.shape[1])
            total += log_probability(model, h, word, log_sigmoid)
    return total


def test_the_score_of_sentences(model: Word2Vec) -> None:
    sentences = [*themes(10, seed=5), ["t0w0", "unheard-of", "t1w1"], ["t0w0"], ["unheard-of"], []]
    scores = model.score(sentences)
    assert scores.dtype == np.float64
    assert scores == pytest.approx([expected_score(model, sentence) for sentence in sentences], rel=1e-5)
    assert list(scores[-2:]) == [0, 0]
    assert scores[:10].max() < -1
    one_by_one = [float(model.score([sentence])[0]) for sentence in sentences]
    assert scores == pytest.approx(one_by_one, rel=1e-6)


def test_the_score_of_a_long_sentence(model: Word2Vec, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = [word for sentence in themes(40) for word in sentence]
    (whole,) = model.score([sentence])
    many = model.score(themes(40))
    monkeypatch.setattr("fastw2v.compat.gensim.word2vec.SCORED_WORDS", 7)
    assert model.score([sentence]) == pytest.approx([whole], rel=1e-6)
    assert model.score(themes(40)) == pytest.approx(many, rel=1e-6)
    assert model.score([[]] * 20).tolist() == [0.0] * 20


def test_the_scores_are_gensim_s(model: Word2Vec) -> None:
    models = pytest.importorskip("gensim.models")
    theirs = models.Word2Vec(
        themes(200), vector_size=12, workers=1, epochs=1, sg=model.sg, hs=1, negative=0, window=WINDOW, min_count=1
    )
    tree = HuffmanTree.from_counts(model.wv.counts)
    rows = [model.wv.key_to_index[word] for word in theirs.wv.index_to_key]
    theirs.wv.vectors[:] = model.wv.vectors[rows]
    theirs.syn1[:] = model.syn1
    for name, part in (("point", 0), ("code", 1)):
        for row, word in enumerate(rows):
            path = tree.path(word)[part]
            theirs.wv.expandos[name][row] = path.astype(np.uint32 if name == "point" else np.uint8)
    sentences = [*themes(30, seed=5), ["t0w0", "unheard-of", "t1w1"], ["unheard-of"]]
    ours, expected = model.score(sentences), theirs.score(sentences, len(sentences))
    assert ours.shape == expected.shape
    # With gensim's table, the formula of the other tests gives gensim's scores. A few numbers lie on the boundary of
    # two entries of the table, which differ by 0.012.
    with_table = [expected_score(model, sentence, table_of_gensim) for sentence in sentences]
    assert np.allclose(with_table, expected, rtol=1e-5, atol=0.03)
    assert np.corrcoef(ours[:30], expected[:30])[0, 1] > 0.999


def test_the_number_of_scored_sentences(model: Word2Vec, caplog: pytest.LogCaptureFixture) -> None:
    sentences = themes(5)
    with caplog.at_level(logging.WARNING, "fastw2v"):
        some = model.score(iter(sentences), total_sentences=3, chunksize=2, queue_factor=1, report_delay=0)
    assert some.tolist() == model.score(sentences)[:3].tolist()
    assert [record.getMessage() for record in caplog.records] == [
        "score: only the first 3 sentences are scored; raise total_sentences"
    ]
    caplog.clear()
    assert len(model.score(sentences, total_sentences=5)) == 5
    assert model.score([]).shape == (0,)
    assert not caplog.records


def test_what_cannot_be_scored(model: Word2Vec) -> None:
    with pytest.raises(RuntimeError, match="score needs a model that was trained with hierarchical softmax; use hs=1"):
        Word2Vec(themes(20), **SETTINGS).score(themes(2))
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        Word2Vec(hs=1).score(themes(2))
    with pytest.raises(TypeError, match="sentences is 'the cat' of type str; pass a list of token lists"):
        model.score("the cat")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sentence 1 is 'the cat' of type str; pass a list of words"):
        model.score([["the", "cat"], "the cat"])
    with pytest.raises(ValueError, match="total_sentences is 0; it must be at least 1"):
        model.score(themes(2), total_sentences=0)
    both = Word2Vec(themes(50), **LOSSES["hs+ns"], **SETTINGS)
    assert both.score([["t0w0", "t0w1"]])[0] < 0


def test_the_word_in_the_middle(model: Word2Vec) -> None:
    context = ["t1w1", "unheard-of", "t1w2", "t1w3"]
    predicted = model.predict_output_word(context, topn=1000)
    assert predicted is not None
    assert len(predicted) == len(model.wv)
    assert sum(p for _, p in predicted) == pytest.approx(1, abs=1e-5)
    h = model.wv[["t1w1", "t1w2", "t1w3"]].astype(np.float64).mean(axis=0)
    for word, p in predicted:
        assert p == pytest.approx(np.exp(log_probability(model, h, model.wv.key_to_index[word])), rel=1e-3)
    assert [p for _, p in predicted] == sorted([p for _, p in predicted], reverse=True)
    assert all(word.startswith(("t1", "common")) for word, _ in predicted[:8])
    assert model.predict_output_word(context, topn=2) == predicted[:2]
    assert model.predict_output_word(["unheard-of"]) is None


def test_with_both_losses_the_word_in_the_middle_is_that_of_negative_sampling() -> None:
    model = Word2Vec(themes(50), **LOSSES["hs+ns"], **SETTINGS)
    expected = copy.deepcopy(model)
    expected.wv.node_vectors = None
    assert model.predict_output_word(["t0w0"]) == expected.predict_output_word(["t0w0"])
    model.wv.context_vectors = None
    assert model.predict_output_word(["t0w0"]) != expected.predict_output_word(["t0w0"])
