"""fastw2v word2vec: the options of word2vec.c."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.cli import app
from fastw2v.compat import word2vec_c
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fastw2v", "word2vec", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            app.main()
        return (int(stop.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    words = [f"word{i}" for i in range(30)]
    path = tmp_path / "corpus.txt"
    path.write_text("".join(" ".join(random.choice(words, size=12)) + "\n" for _ in range(300)))
    return path


def test_the_defaults_are_those_of_the_c_tool():
    assert vars(word2vec_c.parse(["-train", "text", "-output", "vectors"])) == {
        "train": "text",
        "output": Path("vectors"),
        "size": 100,
        "window": 5,
        "sample": 1e-3,
        "hs": 0,
        "negative": 5,
        "threads": None,
        "iter": 5,
        "min_count": 5,
        "alpha": None,
        "classes": 0,
        "debug": 2,
        "binary": 0,
        "save_vocab": None,
        "read_vocab": None,
        "cbow": 1,
    }


@pytest.mark.parametrize("cbow", [0, 1])
@pytest.mark.parametrize("binary", [0, 1])
def test_every_option_verbatim(run: Any, corpus: Path, tmp_path: Path, cbow: int, binary: int):
    from gensim.models import KeyedVectors

    output = tmp_path / "vectors"  # the format is given by -binary, not by the name
    line = f"-train {corpus} -output {output} -cbow {cbow} -size 12 -window 3 -negative 4 -hs 0 -sample 1e-2 -threads 1"
    line += f" -binary {binary} -iter 2 -min-count 2 -alpha 0.05 -classes 0 -debug 2 -save-vocab {tmp_path / 'words'}"
    status, out, err = run(*line.split())
    assert (status, out) == (0, ""), err
    theirs = KeyedVectors.load_word2vec_format(str(output), binary=bool(binary))
    ours = Word2Vec(
        vector_size=12, window=3, negative=4, sample=1e-2, workers=1, epochs=2, min_count=2, alpha=0.05,
        model="cbow" if cbow else "skipgram",
        min_alpha=5e-6, cbow_grad="sum", output_weight=0,
    ).fit(corpus)  # fmt: skip
    assert theirs.index_to_key == ours.wv.index_to_key
    np.testing.assert_array_equal(theirs.vectors, ours.wv.vectors)


@pytest.mark.parametrize(
    ("options", "loss"),
    [("-hs 0 -negative 2", "ns"), ("-hs 1 -negative 0", "hs"), ("-hs 1 -negative 2", "hs+ns"), ("-hs 1", "hs+ns")],
)
@pytest.mark.parametrize("cbow", [0, 1])
def test_the_loss_is_that_of_the_c_tool(run: Any, corpus: Path, tmp_path: Path, options: str, loss: Any, cbow: int):
    output = tmp_path / "vectors.bin"
    common = f"-size 8 -threads 1 -iter 2 -binary 1 -cbow {cbow} {options}"
    status, _, err = run("-train", corpus, "-output", output, *common.split())
    assert (status, [line for line in err.splitlines() if line.startswith("warning")]) == (0, []), err
    settings = {"vector_size": 8, "workers": 1, "epochs": 2, "output_weight": 0, "sample": 1e-3}
    negative = 5 if "-negative" not in options else int(options[-1])
    ours = Word2Vec(model="cbow" if cbow else "skipgram", loss=loss, negative=negative, **settings).fit(corpus)
    np.testing.assert_array_equal(WordVectors.load(output).vectors, ours.wv.vectors)


def test_vocabularies_are_the_c_tools(run: Any, corpus: Path, tmp_path: Path):
    words, output = tmp_path / "words", tmp_path / "vectors.txt"
    assert run("-train", corpus, "-save-vocab", words)[0] == 0
    lines = words.read_text().splitlines()
    assert lines[0] == "</s> 300"  # the C tool treats the first word, whatever it is, as the end of a line
    text = corpus.read_text().split()
    assert {line.split()[0]: int(line.split()[1]) for line in lines[1:]} == {word: text.count(word) for word in text}
    words.write_text("</s> 300\nword1 9\nword2 8\nword3 7\nrare 1\n")
    status, _, err = run("-train", corpus, "-output", output, "-read-vocab", words, "-negative", 2, "-debug", 0)
    assert status == 0
    assert "the given vocabulary of 3 words contains only 336 of 3,600 tokens" in err
    assert all(line.startswith("warning: ") for line in err.splitlines())
    assert WordVectors.load(output).index_to_key == ["word1", "word2", "word3"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-classes", "500"], "word classes"),
        (["-siez", "100"], "-siez"),
        (["-size", "many"], "-size"),
        (["-negative", "0"], "-hs is 0 and -negative is 0, so nothing would be trained"),
        (["-hs", "0", "-negative", "0"], "-hs is 0 and -negative is 0, so nothing would be trained"),
        (["-hs", "1", "-negative", "-1"], "-negative is -1; it must be at least 1"),
        (["-train"], "-train"),
        (["-output", "nowhere/vectors"], "nowhere"),
    ],
)
def test_what_is_not_offered_is_one_line(run: Any, corpus: Path, tmp_path: Path, options: list[str], said: str):
    status, _, err = run("-train", corpus, "-output", tmp_path / "vectors", *options)
    assert status == 2
    assert err.splitlines()[-1].startswith("error: ")
    assert said in err.splitlines()[-1]
    assert not (tmp_path / "vectors").exists()


def test_without_files_there_is_nothing_to_do(run: Any, corpus: Path):
    assert "-train FILE is missing" in run("-output", "vectors")[2]
    assert "give at least one of them" in run("-train", corpus)[2]
    status, out, _ = run()
    assert status == 0
    assert "-min-count" in out


def test_a_word_that_the_format_cannot_hold_does_not_cost_the_training(run: Any, tmp_path: Path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("one two three fo\x7fur \n" * 20)
    status, _, err = run("-train", corpus, "-output", tmp_path / "vectors", "-negative", 2)
    assert status == 2
    assert "vectors.safetensors" in err
    assert len(WordVectors.load(tmp_path / "vectors.safetensors")) == 4
