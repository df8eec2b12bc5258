"""fastw2v train, plan and demo."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import datasets
from fastw2v.cli.train import DEMO_NEIGHBOURS, _time_and_speed, _timed
from fastw2v.corpus import Corpus
from fastw2v.utils.progress import waiting
from fastw2v.vectors import WordVectors
from fastw2v.word2vec import Word2Vec
from tests.cli.helpers import failed


def test_only_train_combines_both_matrices(run: Any, corpus: Path, tmp_path: Path) -> None:
    """The command with the options of the C tool writes W_in, as the C tool does."""
    options = f"-size 8 -window 2 -min-count 1 -threads 1 -debug 0 -binary 1 -output {tmp_path / 'c.bin'}"
    assert run("word2vec", "-train", corpus, *options.split()).status == 0
    theirs = WordVectors.load(tmp_path / "c.bin")
    for c in (0, 0.25, 0.5):
        output = tmp_path / f"{c}.safetensors"
        options = f"--vector-size 8 --window 2 --min-count 1 --workers 1 --sample 0.001 --output-weight {c}"
        assert run("train", corpus, "-o", output, *options.split()).status == 0
        ours = WordVectors.load(output)
        assert ours.index_to_key == theirs.index_to_key
        if not c:
            np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-6)
        np.testing.assert_allclose(ours.vectors, ours.input_vectors + c * ours.context_vectors, atol=1e-6)
    assert not np.allclose(ours.vectors, ours.input_vectors, atol=1e-3)
    failed(
        run("train", corpus, "-o", output, "--output-weight", 1.5),
        "--output-weight is 1.5; it must lie between 0.0 and 1.0",
    )


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".txt", ".vec"])
def test_train_writes_vectors_and_a_summary(run: Any, corpus: Path, tmp_path: Path, model: str, suffix: str):
    output = tmp_path / f"vectors{suffix}"
    options = [
        "--vector-size",
        "8",
        "--negative",
        "2",
        "--window",
        "3",
        "--epochs",
        "3",
        "--sample",
        "0",
        "--seed",
        "7",
        "--workers",
        "1",
    ]
    result = run("train", corpus, "-o", output, "--model", model, *options)
    assert result.status == 0, result.err
    for part in ("4,800 in 400 sentences", "epochs      3", "8 words", "words/s", "loss", str(output)):
        assert part in result.out
    vectors = WordVectors.load(output)
    assert sorted(vectors) == sorted(["sun", "moon", "star", "sky", "salt", "soup", "bread", "oil"])
    assert vectors.vector_size == 8


def test_train_begins_with_vectors(run: Any, corpus: Path, tmp_path: Path):
    first, second = tmp_path / "first.bin", tmp_path / "second.safetensors"
    options = ["--negative", "2", "--window", "3", "--sample", "0", "--workers", "1"]
    assert run("train", corpus, "-o", first, "--vector-size", "8", *options).status == 0
    result = run("train", corpus, "-o", second, "--init", first, "--alpha", "1e-6", "--min-alpha", "1e-6", *options)
    assert result.status == 0, result.err
    assert "8 words from" in result.out
    ours, theirs = WordVectors.load(second), WordVectors.load(first)
    assert ours.index_to_key == theirs.index_to_key
    np.testing.assert_allclose(ours.input_vectors, theirs.vectors, atol=1e-3)
    wrong = run("train", corpus, "-o", second, "--init", first, "--vector-size", "9", *options)
    assert wrong.status == 2
    assert "--init has vectors of 8 dimensions, but --vector-size is 9" in wrong.err
    wrong = run("train", corpus, "-o", first, "--init", first, *options)
    assert wrong.status == 2
    wrong = run("train", corpus, "-o", second, "--init", tmp_path / "none.bin", *options)
    assert (wrong.status, wrong.err) == (2, f"error: --init {tmp_path / 'none.bin'}: No such file or directory\n")
    assert "--vector-size is 0" in run("train", corpus, "-o", second, "--vector-size", "0").err
    assert run("train", corpus, "-o", second, *options).status == 0
    assert WordVectors.load(second).vector_size == inspect.signature(Word2Vec).parameters["vector_size"].default


def test_train_learns_and_gensim_reads_the_file(run: Any, corpus: Path, tmp_path: Path):
    from gensim.models import KeyedVectors

    output = tmp_path / "vectors.bin"
    options = ["--vector-size", "16", "--negative", "2", "--window", "3", "--epochs", "20", "--sample", "0"]
    assert run("train", corpus, "--output", output, *options).status == 0
    theirs = KeyedVectors.load_word2vec_format(str(output), binary=True)
    ours = WordVectors.load(output)
    assert theirs.index_to_key == ours.index_to_key
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)
    assert {word for word, _ in theirs.most_similar("sun", topn=3)} == {"moon", "star", "sky"}


@pytest.mark.parametrize(
    "option",
    ["--window=0", "--negative=0", "--vector-size=0", "--epochs=0", "--alpha=-1", "--min-count=-1"],
)
def test_train_refuses_bad_numbers(run: Any, corpus: Path, tmp_path: Path, option: str):
    output = tmp_path / "vectors.bin"
    failed(run("train", corpus, "-o", output, option), f"error: {option.replace('=', ' is ')}")
    assert not output.exists()


def test_an_engine_that_is_not_there_is_an_error(run: Any, corpus: Path, tmp_path: Path):
    from fastw2v.backend import cuda_problem

    if not cuda_problem():
        pytest.skip("there is a CUDA device")
    failed(run("train", corpus, "-o", tmp_path / "vectors.bin", "--device", "cuda"), "CuPy")
    failed(run("train", corpus, "-o", tmp_path / "vectors.bin", "--device", "cuda:1"), "'cuda:1'", "CuPy")


@pytest.mark.parametrize("command", ["train", "plan"])
def test_devices_that_do_not_exist_are_errors_that_name_those_that_do(
    run: Any, corpus: Path, tmp_path: Path, command: str
):
    output = ["-o", tmp_path / "vectors.bin"] if command == "train" else []
    for device in ("gpu", "cuda:first"):
        failed(run(command, corpus, *output, "--device", device), f"'{device}'", "'cpu', 'cuda' or 'cuda:N'")


def test_deterministic_training_repeats_its_bytes(run: Any, corpus: Path, tmp_path: Path):
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "3", "--deterministic"]
    for name in ("one.bin", "other.bin"):
        assert run("train", corpus, "-o", tmp_path / name, *options).status == 0
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "other.bin").read_bytes()
    failed(run("train", corpus, "-o", tmp_path / "x.bin", *options, "--workers", "2"), "deterministic", "workers is 2")


def test_words_that_the_format_cannot_hold_do_not_cost_the_training(run: Any, tmp_path: Path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("one two three fo\x7fur \n" * 20)
    output = tmp_path / "vectors.bin"
    options = ["--vector-size", "4", "--negative", "2", "--epochs", "1"]
    result = run("train", corpus, "-o", output, *options)
    failed(result, "fo\\x7fur")
    assert result.err.splitlines()[-2] == f"the vectors were saved as {output}.safetensors"
    assert not output.exists()
    assert len(WordVectors.load(tmp_path / "vectors.bin.safetensors")) == 4


def test_train_draws_the_loss(run: Any, corpus: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "2"]
    assert run("train", corpus, "-o", tmp_path / "v.bin", "--plot", tmp_path / "loss.png", *options).status == 0
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    failed(run("train", tmp_path / "never-read", "-o", tmp_path / "v.bin", "--plot", tmp_path / "x.gif"), ".gif")


def test_plan_says_what_a_training_takes(run: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch):
    options = ["--vector-size", "16", "--negative", "2", "--engine", "layers"]
    result = run("plan", corpus, *options)
    assert result.status == 0, result.err
    for part in (
        "4,800 in 400 sentences",
        "host: to allocate",
        "8 words",
        "host: W_in",
        "512 bytes",
        "training",
        "layers on cpu",
    ):
        assert part in result.out
    monkeypatch.setattr("fastw2v.estimate.free_memory", lambda threads: 100)
    failed(run("plan", corpus, *options), " of memory on the host, but only 100 bytes are free")


def test_plan_says_what_replicas_take(run: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch):
    options = ["--vector-size", "16", "--negative", "2", "--engine", "layers", "--replicas", "3", "--rounds", "6"]
    result = run("plan", corpus, *options, "--ray", "in-process", "--workers", "1")
    assert result.status == 0, result.err
    lines = dict(line.split("  ", 1) for line in result.out.splitlines() if line.startswith("replicas"))
    assert lines["replicas"].strip() == "3 with 1 thread each on 1 machine, 6 rounds"
    assert list(lines)[1:] == [
        "replicas: rows changed",
        "replicas: exchanged",
        "replicas: this machine",
        "replicas: bandwidth",
        "replicas: one machine",
        "replicas: 3 replicas",
        "replicas: advice",
    ]
    assert "for replicas" in lines["replicas: this machine"]
    assert "in memory" in lines["replicas: bandwidth"]
    result = run("plan", corpus, *options, "--bandwidth", "100Mbit")
    assert result.status == 0, result.err
    lines = dict(line.split("  ", 1) for line in result.out.splitlines() if line.startswith("replicas"))
    assert {"replicas: machine 1", "replicas: 2 machines"} < set(lines)
    assert lines["replicas: bandwidth"].strip() == "100 Mbit/s (given)"
    assert "one machine is quicker" in lines["replicas: advice"]  # the text is tiny
    monkeypatch.setattr("fastw2v.distributed.costs.free_memory", lambda *threads: 100)
    failed(
        run("plan", corpus, *options), "with 3 replicas needs ", " of memory on this machine (", "100 bytes are free"
    )


def test_without_a_terminal_progress_is_printed_as_lines(run: Any, corpus: Path, tmp_path: Path):
    options = ("-output", tmp_path / "v.bin", "-min-count", 1, "-sample", 0, "-threads", 1)
    loud = run("train", corpus, "--output", tmp_path / "v.bin", "--min-count", 1, "--negative", 2, "--workers", 1)
    (line,) = [line for line in loud.err.splitlines() if "100%" in line]
    assert line.startswith("training: 100%, 24,000 words in ")
    assert "loss" in line
    assert "100%" in run("word2vec", "-train", corpus, *options).err
    assert run("word2vec", "-train", corpus, *options, "-debug", 0) == (0, "", "")


def test_the_speed_excludes_the_time_for_compiling(monkeypatch: pytest.MonkeyPatch):
    def fit(*_: Any, **__: Any) -> None:
        with waiting("compiling the kernel"):
            time.sleep(0.2)
        time.sleep(0.1)

    monkeypatch.setattr(Word2Vec, "fit", fit)
    start = time.perf_counter()
    _, seconds, compiling = _timed(Word2Vec().fit, Corpus.from_ids(np.arange(9)))
    assert compiling >= 0.19  # the clocks of some systems are coarse
    assert 0.09 <= seconds <= time.perf_counter() - start - compiling
    assert _time_and_speed(1000, 2.0, 0.0) == "2.0 s, 500 words/s"
    assert _time_and_speed(1000, 2.0, 7.0) == "2.0 s (and 7.0 s to compile the kernel), 500 words/s"


def test_demo_shows_neighbours_and_what_to_do_next(run: Any, monkeypatch: pytest.MonkeyPatch):
    sentences = datasets.demo_corpus()[:4000]
    monkeypatch.setattr(datasets, "demo_corpus", lambda: sentences)
    result = run("demo")
    assert result.status == 0, result.err
    for part in ("words/s", "list", "first", "fastw2v train corpus.txt"):
        assert part in result.out


@pytest.mark.slow
def test_demo_learns_in_a_minute(run: Any):
    start = time.perf_counter()
    result = run("demo")
    assert time.perf_counter() - start < 120  # far more than promised, to allow for a busy machine
    rows = [line.replace(",", "").split() for line in result.out.splitlines()]
    neighbours = {row[0]: row[1:] for row in rows if row and row[0] in DEMO_NEIGHBOURS}
    assert "decode" in neighbours["encode"]
    assert "max" in neighbours["min"]
    assert "false" in neighbours["true"]
    assert "last" in neighbours["first"]
    assert {"tuple", "tuples", "dict", "lists"} & set(neighbours["list"])
    assert "read is to reader as write is to: writer" in result.out
