"""The command line: what each command prints, and that user errors are one line and status 2."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastw2v
from fastw2v import cli, datasets, doctor, formats, terminal
from fastw2v.vectors import WordVectors
from fastw2v.word2vec import Word2Vec


class Run(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command line as the shell does."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*args: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["fastw2v", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return Run(int(stop.value.code or 0), *capsys.readouterr())

    return call


def failed(result: Run, *parts: str) -> None:
    """Check for one clean line of error."""
    assert result.status == 2
    assert result.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err.splitlines()[-1]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text of two topics that never meet."""
    topics = [["sun", "moon", "star", "sky"], ["salt", "soup", "bread", "oil"]]
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(topics[i % 2], size=12)) for i in range(400)]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three directions, two words each; the third pair looks like markup."""
    rows = np.array([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0.1, 0.9, 0], [0, 0, 1], [0, 0.1, 0.9]], dtype=np.float32)
    vectors = WordVectors(["sun", "moon", "soup", "bread", "[red]", ":smile:"], rows, counts=[6, 5, 4, 3, 2, 1])
    path = tmp_path / "vectors.safetensors"
    formats.write(vectors, path)
    return path


def test_version_and_help(run: Any):
    assert run("--version") == (0, f"fastw2v {fastw2v.__version__}\n", "")
    shown = run("--help").out
    for command in [
        "train",
        "encode",
        "phrases",
        "most-similar",
        "analogy",
        "evaluate",
        "info",
        "convert",
        "align",
        "plot",
        "demo",
        "doctor",
    ]:
        assert command in shown
        assert run(command, "--help").status == 0


def test_train_has_help_and_the_defaults_of_word2vec():
    ours = inspect.signature(cli.train, eval_str=True).parameters
    theirs = inspect.signature(Word2Vec).parameters
    of_the_corpus = {"corpus", "max_vocab", "include", "exclude", "counts", "lower", "errors"}
    for name in set(ours) - of_the_corpus - {"output", "model", "plot", "init", "vector_size"}:
        assert ours[name].default == theirs[name].default, name
    of_gensim = {"sentences", "corpus_file", "max_vocab_size", "max_final_vocab", "hs", "cbow_mean", "hashfxn"}
    of_gensim |= {"null_word", "trim_rule", "sorted_vocab", "batch_words", "compute_loss", "callbacks", "comment"}
    assert set(theirs) - set(ours) - of_gensim == {"sg", "shrink_windows"}
    for parameter in ours.values():
        assert parameter.annotation.__metadata__[0].help, parameter


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
    for part in ("4,800 in 400 sentences, 3 times", "8 words", "words/s", "loss", str(output)):
        assert part in result.out
    vectors = formats.read(output)
    assert sorted(vectors) == sorted(["sun", "moon", "star", "sky", "salt", "soup", "bread", "oil"])
    assert vectors.vector_size == 8


def test_train_begins_with_vectors(run: Any, corpus: Path, tmp_path: Path):
    first, second = tmp_path / "first.bin", tmp_path / "second.safetensors"
    options = ["--negative", "2", "--window", "3", "--sample", "0", "--workers", "1"]
    assert run("train", corpus, "-o", first, "--vector-size", "8", *options).status == 0
    result = run("train", corpus, "-o", second, "--init", first, "--alpha", "1e-6", "--min-alpha", "1e-6", *options)
    assert result.status == 0, result.err
    assert "8 words as in" in result.out
    ours, theirs = formats.read(second), formats.read(first)
    assert ours.index_to_key == theirs.index_to_key
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-3)
    wrong = run("train", corpus, "-o", second, "--init", first, "--vector-size", "9", *options)
    assert wrong.status == 2
    assert "init has vectors of 8 numbers, and vector_size is 9" in wrong.err
    wrong = run("train", corpus, "-o", first, "--init", first, *options)
    assert wrong.status == 2
    wrong = run("train", corpus, "-o", second, "--init", tmp_path / "none.bin", *options)
    assert (wrong.status, wrong.err) == (2, f"error: {tmp_path / 'none.bin'}: No such file or directory\n")
    assert "vector_size is 0" in run("train", corpus, "-o", second, "--vector-size", "0").err
    assert run("train", corpus, "-o", second, *options).status == 0
    assert formats.read(second).vector_size == inspect.signature(Word2Vec).parameters["vector_size"].default


def test_train_learns_and_gensim_reads_the_file(run: Any, corpus: Path, tmp_path: Path):
    from gensim.models import KeyedVectors

    output = tmp_path / "vectors.bin"
    options = ["--vector-size", "16", "--negative", "2", "--window", "3", "--epochs", "20", "--sample", "0"]
    assert run("train", corpus, "--output", output, *options).status == 0
    theirs = KeyedVectors.load_word2vec_format(str(output), binary=True)
    ours = formats.read(output)
    assert theirs.index_to_key == ours.index_to_key
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)
    assert {word for word, _ in theirs.most_similar("sun", topn=3)} == {"moon", "star", "sky"}


def test_train_fails_before_training_when_the_output_cannot_be_written(run: Any, tmp_path: Path):
    corpus = tmp_path / "never-read.txt"
    failed(run("train", corpus, "-o", tmp_path / "vectors.xyz"), "vectors.xyz", ".safetensors")
    failed(run("train", corpus, "-o", tmp_path / "nowhere" / "vectors.bin"), "nowhere", "does not exist")
    (tmp_path / "folder.bin").mkdir()
    failed(run("train", corpus, "-o", tmp_path / "folder.bin"), "is a folder")


def test_what_is_read_is_not_written_over(run: Any, corpus: Path, tmp_path: Path):
    before = corpus.read_bytes()
    (tmp_path / "texts").mkdir()
    inside = tmp_path / "texts" / "more.txt"
    inside.write_bytes(before)
    (tmp_path / "link.txt").symlink_to(corpus)
    for command in (
        ["train", corpus, "-o", corpus],
        ["train", corpus, "-o", tmp_path / "link.txt"],
        ["train", tmp_path / "texts", "-o", inside],
        ["train", tmp_path / "texts" / "*.txt", "-o", inside],
        ["train", inside, "--exclude", corpus, "-o", corpus],
        ["word2vec", "-train", corpus, "-output", corpus],
        ["word2vec", "-train", corpus, "-save-vocab", corpus],
        ["encode", corpus, "-o", tmp_path / "c.w2v", "--vocabulary", corpus],
        ["phrases", corpus, "-o", corpus],
    ):
        failed(run(*command), "is to be read", "another name")
    assert corpus.read_bytes() == before == inside.read_bytes()
    assert not (tmp_path / "c.w2v").exists()
    options = ["--vector-size", "4", "--negative", "2", "--epochs", "1"]
    assert [run("train", corpus, "-o", tmp_path / "v.txt", *options).status for _ in range(2)] == [0, 0]


def test_train_names_what_is_wrong_with_the_corpus(run: Any, tmp_path: Path):
    output = tmp_path / "vectors.bin"
    failed(run("train", tmp_path / "nowhere.txt", "-o", output), "no corpus file", "nowhere.txt")
    failed(run("train", tmp_path, "-o", output), "no files in the folder")
    text = tmp_path / "text.txt"
    text.write_text("")
    failed(run("train", text, "-o", output), "is empty")
    text.write_text("each word once")
    failed(run("train", text, "-o", output), "min_count=5", "occurs 1 times")
    text.write_bytes(b"caf\xe9")
    failed(run("train", text, "-o", output), "not UTF-8", "byte 3")
    assert not output.exists()


@pytest.mark.parametrize(
    "option",
    ["--window=0", "--negative=0", "--negative=8", "--vector-size=0", "--epochs=0", "--alpha=-1", "--min-count=-1"],
)
def test_train_refuses_bad_numbers(run: Any, corpus: Path, tmp_path: Path, option: str):
    output = tmp_path / "vectors.bin"
    failed(run("train", corpus, "-o", output, option), option.split("=")[0].removeprefix("--").replace("-", "_"))
    assert not output.exists()


def test_unknown_choices_are_usage_errors(run: Any, corpus: Path, tmp_path: Path):
    result = run("train", corpus, "-o", tmp_path / "vectors.bin", "--model", "glove")
    assert result.status == 2
    assert "skipgram" in result.err


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
    failed(run("train", corpus, "-o", output, *options), "fo\\x7fur", "vectors.bin.safetensors")
    assert not output.exists()
    assert len(formats.read(tmp_path / "vectors.bin.safetensors")) == 4


def test_most_similar(run: Any, file: Path):
    result = run("most-similar", file, "sun", "soup", "--topn", 2)
    assert result.status == 0
    header, _, first, _second = [line.split() for line in result.out.splitlines() if line.strip()]
    assert header == ["sun", "soup"]
    assert first == ["moon", "0.994", "bread", "0.994"]
    assert run("most-similar", file, "[red]").out.split()[0] == "[red]"
    assert ":smile:" in run("most-similar", file, "[red]").out


def test_unknown_words_come_with_near_spellings(run: Any, file: Path):
    failed(run("most-similar", file, "soap"), "'soap'", "'soup'")
    failed(run("analogy", file, "sun", "moon", "soap"), "'soap'")


def test_analogy(run: Any, file: Path):
    result = run("analogy", file, "sun", "moon", "soup", "-n", 1)
    assert result.status == 0
    assert "sun is to moon as soup is to" in result.out
    assert result.out.split()[-2] == "bread"


def test_analogies_are_asked_for_when_there_are_no_words(run: Any, file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon soup\nsoup bread sun\n\nnever read\n"))
    result = run("analogy", file, "-n", 1)
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines() if "0." in line] == ["bread", "moon"]
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon soup\n"))
    (line,) = run("analogy", file, "--json").out.splitlines()
    assert json.loads(line)["answers"][0]["word"] == "bread"
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon\n"))
    failed(run("analogy", file), "three words", "given were 2")
    failed(run("analogy", file, "sun", "moon"), "three words", "given were 2")


def test_a_wrong_question_at_the_terminal_is_not_the_last(tmp_path: Path, file: Path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "analogy", str(file), "-n", "1"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"sun moon soap\nsun moon soup\n\x04")
        out, err = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "error: 'soap'" in err
    assert "Traceback" not in err
    assert "bread" in out


def test_the_arrow_key_brings_back_the_last_question(file: Path):
    pty = pytest.importorskip("pty")
    pytest.importorskip("readline")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "analogy", str(file), "-n", "1"]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        shown = b""
        for keys, then in ((b"sun moon soup\n", b"bread"), (b"\x1b[A\n", b"bread"), (b"\n", b"")):
            while b"analogy> " not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, keys)
            shown = b""
            while then not in shown:
                shown += os.read(ours, 1000)
        assert process.wait(timeout=30) == 0
    os.close(ours)
    os.close(theirs)


def test_json_of_questions_and_files(run: Any, file: Path, tmp_path: Path):
    shown = json.loads(run("most-similar", file, "sun", "soup", "-n", 2, "--json").out)
    theirs = formats.read(file).most_similar("soup", topn=2)
    assert list(shown) == ["sun", "soup"]
    assert [(answer["word"], answer["cosine"]) for answer in shown["soup"]] == theirs
    shown = json.loads(run("info", file, "--json").out)
    assert (shown["words"], shown["dimensions"], shown["dtype"], shown["total_count"]) == (6, 3, "float32", 21)
    assert shown["bytes"] == file.stat().st_size
    target = tmp_path / "out.txt.gz"
    shown = json.loads(run("convert", file, target, "--json").out)
    assert shown == {"file": str(target), "bytes": target.stat().st_size, "words": 6, "dimensions": 3}


def test_integer_words_are_asked_for_by_their_digits(run: Any, tmp_path: Path):
    path = tmp_path / "nodes.safetensors"
    formats.write(WordVectors([7, -3, 0], np.eye(3, dtype=np.float32) + 1), path)
    assert {line.split()[0] for line in run("most-similar", path, 7).out.splitlines()[3:] if line.strip()} == {
        "-3",
        "0",
    }
    assert "7 -3 0" in run("info", path).out
    failed(run("most-similar", path, "x"), "'x'")


def test_align_turns_one_training_onto_another(run: Any, tmp_path: Path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 3)).astype(np.float32)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0].astype(np.float32)
    words = ["sun", "moon", "soup", "bread", "oil", "salt"]
    formats.write(WordVectors(words, rows), tmp_path / "new.bin")
    formats.write(WordVectors(words[:5], rows[:5] @ rotation), tmp_path / "old.bin")
    target = tmp_path / "turned.bin"
    shown = json.loads(run("align", tmp_path / "old.bin", tmp_path / "new.bin", "-o", target, "--json").out)
    assert shown["common_words"] == 5
    assert shown["mean_cosine"] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(formats.read(target).vectors, rows[:5], atol=1e-5)
    (tmp_path / "anchors").write_text("sun moon soap")
    command = ["align", tmp_path / "old.bin", tmp_path / "new.bin", "-o", target]
    failed(run(*command, "--words", tmp_path / "anchors"), "'soap'")
    assert "mean cosine: 1.000" in run(*command).out
    formats.write(WordVectors(words, rows[:, :2]), tmp_path / "flat.bin")
    failed(run("align", tmp_path / "old.bin", tmp_path / "flat.bin", "-o", target), "3 dimensions", "2")


def test_plot(run: Any, file: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    result = run("plot", file, "-o", tmp_path / "map.png", "--words", "sun moon soup", "--words", "[red]")
    assert (result.status, result.out) == (0, f"{tmp_path / 'map.png'}: 4 words\n")
    assert run("plot", file, "-o", tmp_path / "map.html", "--top", 5).out.endswith("5 words\n")
    failed(run("plot", file, "-o", tmp_path / "x.html", "--words", "sun moon soap"), "'soap'", "'soup'")
    failed(run("plot", file, "-o", tmp_path / "x.html", "--words", "sun", "--top", 5), "give one")
    failed(run("plot", file, "-o", tmp_path / "x.gif"), ".gif", ".png", ".html")
    failed(run("plot", file, "-o", tmp_path / "nowhere" / "x.html"), "does not exist")
    assert not (tmp_path / "x.html").exists()


def test_a_picture_without_matplotlib_is_an_error_that_says_what_to_install(
    run: Any, file: Path, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    failed(run("plot", file, "-o", tmp_path / "map.png"), "pip install 'fastw2v[plot]'", "write an .html page")


def test_train_draws_the_loss(run: Any, corpus: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "2"]
    assert run("train", corpus, "-o", tmp_path / "v.bin", "--plot", tmp_path / "loss.png", *options).status == 0
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    failed(run("train", tmp_path / "never-read", "-o", tmp_path / "v.bin", "--plot", tmp_path / "x.gif"), ".gif")


def test_info(run: Any, file: Path):
    result = run("info", file)
    assert result.status == 0
    for part in (str(file), "3, float32", "sun moon soup bread", "yes, 21 in all"):
        assert part in result.out


@pytest.mark.parametrize("command", [["info"], ["most-similar", "x"], ["evaluate"], ["convert", "out.bin"]])
def test_vector_files_that_are_missing_or_broken(run: Any, tmp_path: Path, command: list[str]):
    name, *rest = command
    rest = [str(tmp_path / word) if "." in word else word for word in rest]
    failed(run(name, tmp_path / "nowhere.bin", *rest), "nowhere.bin")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"3 2\nsun ")
    failed(run(name, broken, *rest), "broken.bin")
    failed(run(name, tmp_path / "vectors.xyz", *rest), "vectors.xyz")
    assert not (tmp_path / "out.bin").exists()


def test_convert(run: Any, file: Path, tmp_path: Path):
    target = tmp_path / "vectors.txt"
    result = run("convert", file, target)
    assert result.status == 0
    assert "6 words, 3 dimensions" in result.out
    np.testing.assert_array_equal(formats.read(target).vectors, formats.read(file).vectors)
    failed(run("convert", file, tmp_path / "vectors.xyz"), "vectors.xyz")
    failed(run("convert", file, tmp_path / "vectors.kv"), "vectors.kv", "read only")
    folder = tmp_path / "static"
    assert run("convert", file, folder, "--to", "static-embedding").status == 0
    assert "6 words, 3 dimensions" in run("convert", folder, tmp_path / "again.npz").out
    failed(run("convert", file, folder, "--to", "static-embedding"), "exists")


def test_convert_takes_a_format_by_name(run: Any, file: Path, tmp_path: Path):
    from gensim.models import KeyedVectors

    vectors = formats.read(file)
    theirs = KeyedVectors(3)
    theirs.add_vectors(list(vectors), vectors.vectors)
    theirs.save(str(tmp_path / "theirs.model"))
    result = run("convert", tmp_path / "theirs.model", tmp_path / "ours", "--from", "gensim", "--to", "bin")
    assert result.status == 0, result.err
    np.testing.assert_array_equal(formats.read(tmp_path / "ours", format="bin").vectors, vectors.vectors)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.txt"
    path.write_text(": light\nsun moon soup bread\nsun moon soup sky\n: food\nsoup bread sun [red]\n")
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text("sun moon 9\nsun soup 1\nsun bread 2\nsun sky 8\n")
    return path


def test_evaluate_tables(run: Any, file: Path, questions: Path, pairs: Path):
    again = pairs.with_suffix(".csv")
    again.write_text(pairs.read_text().replace(" ", ","))
    result = run("evaluate", file, "--analogies", questions, "--pairs", pairs, "--pairs", again)
    assert result.status == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert ["light", "1", "1", "of", "2", "100.0"] in rows
    assert ["food", "0", "1", "of", "1", "0.0"] in rows
    assert ["overall", "1", "2", "of", "3", "50.0"] in rows
    assert all(any(row[:2] == [name, "1.000"] for row in rows) for name in ("pairs.txt", "pairs.csv"))


def test_evaluate_json(run: Any, file: Path, questions: Path, pairs: Path):
    result = run("evaluate", file, "--analogies", questions, "--json")
    assert json.loads(result.out) == {
        "file": str(file),
        "suite": None,
        "analogies": [
            {"section": "light", "correct": 1, "covered": 1, "total": 2, "accuracy": 1.0, "coverage": 0.5},
            {"section": "food", "correct": 0, "covered": 1, "total": 1, "accuracy": 0.0, "coverage": 1.0},
            {"section": "overall", "correct": 1, "covered": 2, "total": 3, "accuracy": 0.5, "coverage": 2 / 3},
        ],
        "pairs": [],
    }
    pairs.write_text("sun moon 9\nsky sky 1\n")
    (score,) = json.loads(run("evaluate", file, "--pairs", pairs, "--json").out)["pairs"]
    assert score["interval"] == [None, None]
    del score["interval"]
    expected = {"spearman": None, "pearson": None, "covered": 1, "total": 2, "coverage": 0.5}
    assert score == {"name": str(pairs), "file": str(pairs)} | expected


@pytest.fixture
def korean(tmp_path: Path, questions: Path, pairs: Path) -> Path:
    """A folder with the files of the Korean suite."""
    folder = tmp_path / "eval" / "ko"
    folder.mkdir(parents=True)
    questions.rename(folder / "word_analogy_korean.txt")
    lines = pairs.read_text().replace(" ", ",")
    (folder / "WS353_korean.csv").write_text(f"word 1,word 2,kor_score\n{lines}")
    return tmp_path


def test_evaluate_takes_a_suite_from_a_folder(run: Any, file: Path, korean: Path, tmp_path: Path):
    result = run("evaluate", file, "--suite", "korean", "--data", korean)
    assert result.status == 0, result.err
    rows = [line.split() for line in result.out.splitlines()]
    assert ["overall", "1", "2", "of", "3", "50.0"] in rows
    assert any(row[:2] == ["wordsim353-korean", "1.000"] for row in rows)
    shown = json.loads(run("evaluate", file, "--suite", "korean", "--data", korean, "--json").out)
    assert (shown["suite"], shown["pairs"][0]["name"]) == ("korean", "wordsim353-korean")
    failed(run("evaluate", file, "--suite", "korean", "--pairs", korean / "x"), "--suite", "give one")
    failed(run("evaluate", file, "--data", korean, "--pairs", korean / "x"), "--data")
    failed(run("evaluate", file, "--data", tmp_path / "nowhere"), "nowhere", "no folder")
    assert "korean" in run("evaluate", file, "--suite", "french").err


def test_evaluate_without_files_takes_the_english_suite(
    run: Any, file: Path, questions: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FASTW2V_DATA", str(tmp_path))
    questions.rename(tmp_path / "questions-words.txt")
    for name in datasets.SUITES["english"][1]:
        (tmp_path / datasets.WORD_PAIRS[name]).write_bytes(pairs.read_bytes())
    result = run("evaluate", file)
    assert result.status == 0
    assert "overall" in result.out
    assert "simlex999" in result.out


def test_evaluate_names_a_bad_line(run: Any, file: Path, questions: Path):
    questions.write_text(": light\nsun moon soup\n")
    failed(run("evaluate", file, "--analogies", questions), "questions.txt", "line 2")


def test_doctor(run: Any):
    result = run("doctor")
    assert result.status == 0, result.out
    for part in (f"fastw2v {fastw2v.__version__}", "numpy", np.__version__, "training would use"):
        assert part.split()[0] in result.out
        assert part.split()[-1] in result.out
    assert ["cpu", "layers", "correct"] in [line.split() for line in result.out.splitlines()]


def test_doctor_reports_an_engine_that_computes_wrongly(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "tiny_training", lambda device, engine: "wrong: the loss did not fall")
    result = run("doctor")
    assert result.status == 1
    assert "the loss did not fall" in result.out


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
    assert time.perf_counter() - start < 120  # twice what is promised, for a busy machine
    rows = [line.replace(",", "").split() for line in result.out.splitlines()]
    neighbours = {row[0]: row[1:] for row in rows if row and row[0] in cli.DEMO_NEIGHBOURS}
    assert "decode" in neighbours["encode"]
    assert "max" in neighbours["min"]
    assert "false" in neighbours["true"]
    assert "last" in neighbours["first"]
    assert {"tuple", "tuples", "dict", "lists"} & set(neighbours["list"])
    assert "read is to reader as write is to: writer" in result.out


def test_interruption_ends_with_130_and_leaves_nothing(tmp_path: Path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join("one two three four five six seven eight nine ten" for _ in range(20_000)))
    output = tmp_path / "vectors.bin"
    command = [sys.executable, "-m", "fastw2v", "train", corpus, "-o", output, "--epochs", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "training on" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        shown = process.stderr.read()
    assert shown.splitlines()[-1] == "interrupted"
    assert "Traceback" not in shown
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]


def test_other_errors_are_one_line_too():
    assert terminal.one_line(MemoryError("1 TiB")) == "out of memory: 1 TiB"
    assert terminal.one_line(ValueError("two\n  lines")) == "two lines"
    assert terminal.one_line(ValueError()) == "ValueError"
    assert terminal.one_line(PermissionError(13, os.strerror(13), "f.bin")) == f"f.bin: {os.strerror(13)}"


def test_encode_once_and_train_from_the_encoded_corpus(run: Any, corpus: Path, tmp_path: Path):
    encoded = tmp_path / "corpus.w2v"
    (tmp_path / "not.txt").write_text("oil\nsalt soup")
    result = run("encode", corpus, "-o", encoded, "--exclude", tmp_path / "not.txt", "--vocabulary", tmp_path / "words")
    assert result.status == 0, result.err
    assert "5 words" in result.out
    assert sorted(line.split()[0] for line in (tmp_path / "words").read_text().splitlines()) == [
        *("bread", "moon", "sky", "star", "sun")
    ]
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "2", "--workers", "1"]
    for name, source in (("one.bin", encoded), ("other.bin", corpus)):
        extra = ["--exclude", tmp_path / "not.txt"] if source == corpus else []
        assert run("train", source, "-o", tmp_path / name, *options, *extra).status == 0
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "other.bin").read_bytes()
    failed(run("train", encoded, "-o", tmp_path / "x.bin", "--lower"), "chosen already", "fastw2v encode")
    failed(run("train", encoded, corpus, "-o", tmp_path / "x.bin"), "read alone")
    failed(run("encode", corpus, "-o", tmp_path / "corpus.txt"), "suffix of an encoded corpus is .w2v")
    failed(run("encode", corpus, "-o", tmp_path / "nowhere" / "c.w2v"), "does not exist")
    encoded.write_bytes(encoded.read_bytes()[:-1])
    failed(run("train", encoded, "-o", tmp_path / "x.bin"), "cut short")


def test_train_reads_standard_input(corpus: Path, tmp_path: Path):
    command = [sys.executable, "-m", "fastw2v", "train", "-", "-o", str(tmp_path / "v.bin")]
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "1", "--lower", "--max-vocab", "4"]
    done = subprocess.run([*command, *options], input=corpus.read_bytes().upper(), capture_output=True)
    assert done.returncode == 0, done.stderr
    vectors = formats.read(tmp_path / "v.bin")
    assert len(vectors) == 4
    assert all(word.islower() for word in vectors)


def test_phrases_are_joined_and_written(run: Any, tmp_path: Path):
    (tmp_path / "corpus.txt").write_text(
        "New York is big\nYork is new york\n" * 20 + "a b c d e f g h i j k l m n\n" * 9
    )
    joined = tmp_path / "joined.txt"
    result = run("phrases", tmp_path / "corpus.txt", "-o", joined, "--lower", "--threshold", "0.15", "--passes", "1")
    assert result.status == 0, result.err
    assert joined.read_text().splitlines()[0].split()[0] == "new_york"
    assert "phrases" in result.out
    assert run("phrases", joined, "-o", tmp_path / "joined.w2v", "--scoring", "npmi").status == 0
    assert run("phrases", tmp_path / "joined.w2v", "-o", tmp_path / "again.txt").status == 0
    failed(run("phrases", joined, "-o", tmp_path / "x.txt", "--threshold", "0"), "threshold is 0")


def test_plan_says_what_a_training_takes(run: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch):
    options = ["--vector-size", "16", "--negative", "2", "--engine", "layers"]
    result = run("plan", corpus, *options)
    assert result.status == 0, result.err
    for part in ("4,800 in 400 sentences, 5 times", "8 words", "host: W_in", "512 bytes", "training", "layers on cpu"):
        assert part in result.out
    monkeypatch.setattr("fastw2v.plan.free_memory", lambda: 100)
    failed(run("plan", corpus, *options), "1.4 kB of memory on the host, and 100 bytes are free")
