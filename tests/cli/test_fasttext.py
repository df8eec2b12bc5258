"""fastw2v fasttext: the commands and options of fastText."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.compat.fasttext import OPTIONS, parse
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec


def test_the_defaults_are_those_of_fasttext():
    given = vars(parse(["cbow", "-input", "text", "-output", "model"]))
    assert given == {
        "command": "cbow",
        "input": "text",
        "output": "model",
        "lr": None,
        "dim": 100,
        "ws": 5,
        "epoch": 5,
        "minCount": 5,
        "neg": 5,
        "loss": "ns",
        "bucket": 2_000_000,
        "minn": 3,
        "maxn": 6,
        "thread": None,
        "t": 1e-4,
        "seed": 0,
        "pretrainedVectors": None,
        "verbose": 2,
        "saveOutput": False,
        "lrUpdateRate": 100,
        "wordNgrams": 1,
    }
    assert set(OPTIONS) < set(Word2Vec().get_params())


@pytest.mark.parametrize(("model", "loss"), [("cbow", "ns"), ("skipgram", "ns"), ("cbow", "hs")])
def test_fasttext_reads_the_model(model, loss, run, corpus, tmp_path):
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed (make integrations)")
    options = "-dim 8 -epoch 1 -minCount 1 -minn 2 -maxn 4 -bucket 1000 -thread 1 -verbose 0 -t 0"
    given = [*options.split(), *(["-saveOutput"] if loss == "ns" else [])]
    assert run("fasttext", model, "-input", corpus, "-output", tmp_path / "model", "-loss", loss, *given) == (0, "", "")
    theirs = fasttext.load_model(str(tmp_path / "model.bin"))
    vec = WordVectors.load(tmp_path / "model.vec")
    assert vec.index_to_key == theirs.words
    for word in vec.index_to_key:
        np.testing.assert_allclose(vec[word], theirs.get_word_vector(word), atol=1e-5)
    arguments = theirs.f.getArgs()
    assert (arguments.dim, arguments.minn, arguments.maxn, arguments.bucket) == (8, 2, 4, 1000)
    assert (arguments.model.name, arguments.loss.name) == ({"cbow": "cbow", "skipgram": "skipgram"}[model], loss)
    assert (tmp_path / "model.output").exists() == (loss == "ns")
    if loss == "ns":
        output = WordVectors.load(tmp_path / "model.output", format="txt")
        np.testing.assert_allclose(output.vectors, theirs.get_output_matrix(), atol=1e-5)


def test_the_model_is_that_of_the_estimator(run, corpus, tmp_path):
    options = "-dim 8 -epoch 2 -minCount 1 -lr 0.05 -thread 1 -seed 3"
    status, _, err = run("fasttext", "cbow", "-input", corpus, "-output", tmp_path / "model", *options.split())
    assert status == 0, err
    settings = {
        "vector_size": 8,
        "epochs": 2,
        "min_count": 1,
        "alpha": 0.05,
        "min_alpha": 5e-6,
        "workers": 1,
        "seed": 3,
    }
    wv = Word2Vec(**settings, sample=1e-4, subwords=(3, 6)).fit(corpus).wv
    written = WordVectors.load(tmp_path / "model.bin")
    np.testing.assert_allclose(written.vectors, wv.vectors, atol=1e-7)
    np.testing.assert_allclose(written["sunbread"], wv["sunbread"], atol=1e-7)


def test_training_without_ngrams_and_from_vectors(run, corpus, tmp_path):
    options = ("-input", corpus, "-dim", 8, "-epoch", 1, "-minCount", 1, "-maxn", 0, "-verbose", 0, "-t", 0)
    assert run("fasttext", "skipgram", *options, "-output", tmp_path / "first") == (0, "", "")
    assert not WordVectors.load(tmp_path / "first.bin").has_subwords
    start = ("-pretrainedVectors", tmp_path / "first.vec", "-lr", 1e-9)
    assert run("fasttext", "skipgram", *options, *start, "-output", tmp_path / "second") == (0, "", "")
    first, second = (WordVectors.load(tmp_path / f"{name}.vec") for name in ("first", "second"))
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("supervised -input a -output b", "the command 'supervised' of fastText is not supported"),
        ("cbow -output b", "-input FILE is missing"),
        ("cbow -input a", "-output PREFIX is missing"),
        ("cbow -input a -output b -loss softmax", "-loss is 'softmax'"),
        ("cbow -input a -output b -wordNgrams 2", "-wordNgrams is 2"),
        ("cbow -input a -output b -minn 5 -maxn 4", "-minn is 5 and -maxn is 4"),
        ("cbow -input a -output b -dim x", "-dim"),
        ("cbow -input a -output b -label __label__", "unrecognized arguments"),
    ],
)
def test_wrong_options(arguments, message, run):
    status, _, err = run("fasttext", *arguments.split())
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-dim 0", "-dim is 0"),
        ("-bucket 0", "-bucket is 0"),
        ("-neg 0", "-neg is 0"),
        ("-t 2", "-t is 2.0"),
        ("-lr -1", "-lr is -1.0"),
    ],
)
def test_values_outside_their_range(options, message, run, corpus, tmp_path):
    status, _, err = run("fasttext", "cbow", "-input", corpus, "-output", tmp_path / "model", *options.split())
    assert status == 2
    assert f"error: {message}" in err
    assert not list(tmp_path.glob("model*"))
