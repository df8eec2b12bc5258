"""fastw2v fasttext: the commands and options of fastText."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastw2v.cli.inputs import read_lines
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


def test_training_with_ngrams_starts_from_vectors_of_words(run, corpus, tmp_path):
    options = ("-input", corpus, "-dim", 8, "-epoch", 1, "-minCount", 1, "-verbose", 0, "-t", 0)
    assert run("fasttext", "cbow", *options, "-maxn", 0, "-output", tmp_path / "first") == (0, "", "")
    start = ("-pretrainedVectors", tmp_path / "first.vec", "-lr", 1e-9)
    assert run("fasttext", "cbow", *options, *start, "-output", tmp_path / "second") == (0, "", "")
    first, second = WordVectors.load(tmp_path / "first.vec"), WordVectors.load(tmp_path / "second.bin")
    assert second.has_subwords
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-5)


@pytest.fixture
def type_in(monkeypatch):
    """Set standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def numbers(line):
    """Return the numbers of a line, each of which is followed by a space."""
    *printed, last = line.split(" ")
    assert last == ""
    assert all(number == f"{float(number):.5g}" for number in printed)
    return [float(number) for number in printed]


@pytest.mark.parametrize("longest", [4, 0])
def test_printed_vectors_are_those_of_fasttext(longest, run, corpus, tmp_path, type_in):
    fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed (make integrations)")
    options = f"-dim 8 -epoch 1 -minCount 1 -minn 2 -maxn {longest} -bucket 1000 -verbose 0 -t 0"
    run("fasttext", "cbow", "-input", corpus, "-output", tmp_path / "model", *options.split())
    model = tmp_path / "model.bin"
    theirs = fasttext.load_model(str(model))
    lines = ["sun moon  soup", "", "sunbread z", "\tsky\r", "달", "oil\u00a0star", "bread"]
    type_in("\n".join(lines).encode())
    status, out, err = run("fasttext", "print-sentence-vectors", model)
    assert (status, err) == (0, "")
    expected = [theirs.get_sentence_vector(line) for line in lines]
    np.testing.assert_allclose([numbers(line) for line in out.splitlines()], expected, rtol=2e-4, atol=1e-6)
    type_in("\n".join(lines).encode())
    status, out, err = run("fasttext", "print-word-vectors", model)
    assert (status, err) == (0, "")
    words = " ".join(lines).replace("\t", " ").replace("\r", " ").split(" ")
    words = [word for word in words if word]
    printed = [line.split(" ", 1) for line in out.removesuffix("\n").split("\n")]
    assert [word for word, _ in printed] == words
    expected = [theirs.get_word_vector(word) for word in words]
    np.testing.assert_allclose([numbers(line) for _, line in printed], expected, rtol=2e-4, atol=1e-6)


def test_printed_vectors_of_nothing_and_of_bytes(run, file, type_in):
    for command in ("print-word-vectors", "print-sentence-vectors"):
        type_in(b"")
        assert run("fasttext", command, file) == (0, "", "")
    type_in(b"sun \xff\n\n")
    assert run("fasttext", "print-sentence-vectors", file) == (0, "1 0 0 \n0 0 0 \n", "")


def test_vectors_of_integers_are_refused(run, tmp_path, type_in):
    WordVectors([1, 2], np.eye(2)).save(tmp_path / "integers.safetensors")
    type_in(b"1 2\n")
    status, _, err = run("fasttext", "print-sentence-vectors", tmp_path / "integers.safetensors")
    assert status == 2
    assert "the words of these vectors are integers" in err


def test_lines_of_a_stream_are_read_as_they_come():
    parts = [b"a b", b" c\nd\n\n", b"e", b"", b"never read"]  # an empty part is the end
    blocks = read_lines(SimpleNamespace(read1=lambda _: parts.pop(0)))
    assert next(blocks) == [b"a b c", b"d", b""]
    assert list(blocks) == [[b"e"]]
    assert list(read_lines(io.BytesIO(b""))) == []
    assert list(read_lines(io.BytesIO(b"a\n"))) == [[b"a"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("print-word-vectors", "arguments are required: MODEL"),
        ("print-sentence-vectors model.bin 3", "unrecognized arguments: 3"),
        ("print-ngrams model.bin the", "unrecognized arguments"),
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
