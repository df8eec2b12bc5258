"""Errors in the terms of the shell: a wrong value for every option, long values, and names that look like options."""

from __future__ import annotations

import inspect
import itertools
import logging
import re
import warnings
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from fastw2v.cli.app import app
from fastw2v.cli.errors import messages_as_notes, option_names, options_for_parameters
from fastw2v.word2vec import Word2Vec
from tests.cli.helpers import Run, failed

COMMANDS = typer.main.get_command(app).commands
ARGUMENTS = {
    "train": ("CORPUS", "-o", "new.bin"),
    "resume": ("run",),
    "plan": ("CORPUS",),
    "encode": ("CORPUS", "-o", "new.w2v"),
    "phrases": ("CORPUS", "-o", "new.txt"),
    "most-similar": ("FILE", "sun"),
    "analogy": ("FILE", "sun", "moon", "soup"),
    "evaluate": ("FILE",),
    "plot": ("FILE", "-o", "new.html"),
    "explore": ("FILE", "-o", "new.html"),
    "info": ("FILE",),
    "convert": ("FILE", "new.bin"),
    "align": ("FILE", "FILE", "-o", "new.bin"),
    "push": ("user/vectors", "FILE", "--license", "mit", "--output", "new"),
    "word2vec": ("-train", "CORPUS", "-output", "new.bin"),
}
"""Valid arguments of each command."""
WRONG = {
    "--subwords": ["3", "3-x", "6-3", "0-3"],
    "--output": ["no-such-folder/new.bin"],
    "--min-count": ["-1", "x"],
    "--freeze": ["init", "no-such-file", "."],
    "--seed": ["x", "1.5"],
    "--passes": ["0", "x"],
    "--device": ["gpu", "cuda:x", "cuda:99"],
    "--delimiter": ["", " "],
    "--encoding": ["no-such", "base64", ""],
    "--words": ["unheard-of"],
    "--init": ["no-such-file", "ftp://example.org/vectors.bin", "https://"],
    "--alpha": ["0", "nan", "x"],
    "--threshold": ["nan", "x"],
    "--vocabulary": ["no-such-folder/words.txt"],
    "--data": ["no-such-folder"],
    "--license": ["apache2", "MIT", ""],
    "--language": ["english", "EN", ""],
    "--corpus": ["", " "],
    "--scores": ["no-such-file", "corpus.txt"],
    "--message": ["", "a text"],
    "--validation": ["0", "1.5", "nan", "no-such-file", ""],
    "--patience": ["0", "x", "3"],
    "--log": [".", "no-such-folder/run.jsonl", "corpus.txt"],
    "--checkpoint": [".", "no-such-folder/run"],
    "--checkpoint-every": ["0s", "5d", "x", ""],
    "--max-time": ["0s", "5d", "x", ""],
    "--replicas": ["0", "x", "1.5"],
    "--port": ["-1", "65536", "x"],
    "--rounds": ["0", "x", "10"],
    "--ray": ["", "local", "10.0.0.5:6379"],
    "--bandwidth": ["0Gbit", "10", "1GB", "x", "", "1Gbit"],
}
"""Wrong values of options. The type of an option determines those of all others."""
KIND = "int|float|Path|Literal"
C_OPTIONS = {
    "-train": [],  # the message names the file, as it does for the argument of the command train
    "-output": ["no-such-folder/new.bin"],
    "-save-vocab": ["no-such-folder/words.txt"],
    "-read-vocab": ["no-such-file"],
    "-size": ["0", "x"],
    "-window": ["0", "x"],
    "-sample": ["2", "x"],
    "-hs": ["x", "1.5"],
    "-negative": ["0", "-1", "x"],
    "-threads": ["0", "x"],
    "-iter": ["0", "x"],
    "-min-count": ["-1", "x"],
    "-alpha": ["0", "x"],
    "-classes": ["500", "x"],
    "-debug": ["x"],
    "-binary": ["x"],
    "-cbow": ["x"],
}
"""Wrong values of the options of word2vec.c."""


def cases() -> list[tuple[str, str, str]]:
    """Return the command, an option of it and a wrong value, for every option that takes a value."""
    found = [("word2vec", option, value) for option, values in C_OPTIONS.items() for value in values]
    for name, command in COMMANDS.items():
        kinds = inspect.get_annotations(command.callback, eval_str=True)
        for parameter, option in option_names(command).items():
            kind = str(get_args(kinds.get(parameter))[:1])
            if parameter in ("help", "format") or "bool" in kind:
                continue
            if (name, option) == ("resume", "--ray"):  # whether it is wrong depends on the run
                continue
            by_type = {
                "int": ["0", "-5", "x", "1.5"],
                "float": ["-5", "nan", "inf", "x"],
                "Path": ["no-such-file"],
                "Literal": ["nothing"],
            }
            found += [(name, option, value) for value in WRONG.get(option) or by_type[re.search(KIND, kind)[0]]]
    return found


@pytest.fixture
def call(run: Any, corpus: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call a command with its valid arguments and an option."""
    monkeypatch.chdir(tmp_path)
    known = {"CORPUS": corpus.name, "FILE": file.name}

    def call(command: str, *options: str) -> Run:
        arguments = [known.get(argument, argument) for argument in ARGUMENTS.get(command, ())]
        return run(command, *arguments, *options)

    return call


@pytest.mark.parametrize(("command", "option", "value"), cases())
def test_the_message_names_the_option(call: Any, tmp_path: Path, command: str, option: str, value: str):
    before = sorted(tmp_path.rglob("*"))
    result = call(command, option, value)
    assert result.status == 2, result
    message = "\n".join(line for line in result.err.splitlines() if not line.startswith("reading"))
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", message.replace("/ -", " ")), message
    assert len(message) < 1000
    assert not re.search(r"Traceback|[a-z]_[a-z]|[a-z]=['\d\[]|None|Value error", message), message
    assert sorted(tmp_path.rglob("*")) == before


def test_every_option_of_word2vec_c_has_a_wrong_value():
    from fastw2v.compat import word2vec_c

    assert set(C_OPTIONS) == {option for option, *_ in word2vec_c._OPTIONS}
    assert set(word2vec_c.OPTIONS.values()) < set(C_OPTIONS)
    assert set(word2vec_c.OPTIONS) - {"counts"} < set(Word2Vec().get_params())


@pytest.mark.parametrize("command", sorted(ARGUMENTS))
def test_a_long_value_gives_a_short_message(call: Any, command: str):
    value = "x" * 100_000
    arguments = ["-train", value] if command == "word2vec" else [value]
    options = [] if command == "word2vec" else [max(p.opts, key=len) for p in COMMANDS[command].params if p.opts]
    results = [call(command, *arguments)]
    results += [call(command, option, value) for option in options if option.startswith("--")]
    results += [call(command, f"--{value}"), call(value)]
    for result in results:
        assert result.status in (0, 2)  # a text of any length is a valid phrase delimiter
        assert len(result.err) < 2000  # with the frame and the hint that Typer prints
        assert "Traceback" not in result.err


OPTIONS = {
    "min_count": "--min-count", "vector_size": "--vector-size", "negative": "--negative", "alpha": "--alpha",
    "min_alpha": "--min-alpha", "errors": "--errors", "deterministic": "--deterministic", "device": "--device",
    "engine": "--engine", "window": "--window",
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("window is 0; it must be at least 1", "--window is 0; it must be at least 1"),
        ("f.txt: window is 0", "f.txt: --window is 0"),
        ("the window is 0", "the window is 0"),
        (
            "alpha is 1e-05 and min_alpha is 0.1; alpha must not be below min_alpha",
            "--alpha is 1e-05 and --min-alpha is 0.1; --alpha must not be below --min-alpha",
        ),
        ("Lower negative, lower min_count or stop", "Lower --negative, lower --min-count or stop"),
        ("counts must not be negative", "counts must not be negative"),
        ("use negative sampling", "use negative sampling"),
        ("read it with errors='replace' or 'ignore'", "read it with --errors replace or 'ignore'"),
        ("it would fit with vector_size=16, or", "it would fit with --vector-size 16, or"),
        ("set vector_size=300.", "set --vector-size 300."),
        ("to start from vectors, set window to them", "to start from vectors, set --window to them"),
        ("deterministic=True needs order", "--deterministic needs order"),
        ("device 'cuda' cannot be used: no GPU", "--device 'cuda' cannot be used: no GPU"),
        ("the word 'min_count' is unknown", "the word 'min_count' is unknown"),
        ('the word "it\'s min_count=5" is unknown', 'the word "it\'s min_count=5" is unknown'),
        ("gensim's min_count isn't 5", "gensim's --min-count isn't 5"),
        ("/data/min_count/window.txt is empty", "/data/min_count/window.txt is empty"),
        ("min_count.txt: no words", "min_count.txt: no words"),
        ("min_count-5.bin: window is 0", "min_count-5.bin: --window is 0"),
        (r"C:\min_count\text: no words", r"C:\min_count\text: no words"),
    ],
)
def test_names_of_parameters(message: str, expected: str):
    assert options_for_parameters(message, OPTIONS, []) == expected
    assert options_for_parameters(message, {}, []) == message


def test_arguments_are_left_unchanged():
    arguments = ["train", "min_count", "window is 0", "errors='x'", "--vector-size", "16"]
    for argument in arguments[1:4]:
        message = f"there is no corpus file {argument}; set vector_size=300"
        expected = f"there is no corpus file {argument}; set --vector-size 300"
        assert options_for_parameters(message, OPTIONS, arguments) == expected


def test_a_missing_file_is_named_with_its_option(call: Any):
    failed(call("train", "--include", "min_count"), "error: --include min_count: No such file or directory")


def test_other_names_of_a_value_are_replaced(call: Any, run: Any, file: Path):
    long = "x" * 300
    failed(run("info", long), "error: FILE is 'xxx", "cannot be a path")
    failed(call("train", "--init", long), "error: --init ")
    failed(run("train", "x" * 100_000, "-o", "new.bin"), "error: CORPUS is a text of 100000 characters")
    failed(run("convert", file, "new.foo"), "use --to NAME, where NAME is safetensors")
    failed(run("convert", "old.foo", "new.bin"), "old.foo", "No such file")
    failed(call("train", "--output", "new.foo"), "--output new.foo: unknown", "use fastw2v convert --to NAME")
    failed(call("word2vec", "-size", "0"), "error: -size is 0")
    failed(call("evaluate", "--analogies", "corpus.txt"), "error: --analogies corpus.txt, line 1")
    failed(call("encode", "--exclude", "corpus.txt"), "corpus.txt: --exclude drops all words")


def test_every_parameter_has_an_option():
    assert option_names(COMMANDS["train"])["max_vocab"] == "--max-vocab"
    assert option_names(COMMANDS["convert"])["format"] == "--from"
    names = itertools.chain.from_iterable(option_names(command).values() for command in COMMANDS.values())
    assert all(name.startswith("--") for name in names)


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("train", ("--cbow-grad", "sum", "--model", "skipgram"), "warning: --cbow-grad is 'sum', but it has no effect"),
        ("train", ("--workers", "2", "--engine", "layers"), "warning: --workers is 2, but it has no effect"),
        ("evaluate", ("--pairs", "pairs.txt", "--restrict-vocab", "10"), "error: --restrict-vocab has no effect"),
    ],
)
def test_options_without_effect_are_reported(call: Any, command: str, options: tuple[str, ...], message: str):
    assert message in call(command, *options, *(("--negative", "2") if command == "train" else ())).err


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--lower", "--max-vocab", "3"), "--max-vocab and --lower"),
        (("--normalize", "NFC"), "--normalize"),
        (("--errors", "replace"), "--errors"),
        (("--min-count", "7"), "--min-count"),
    ],
)
def test_options_without_effect_on_an_encoded_corpus_are_errors(
    run: Any, corpus: Path, tmp_path: Path, options: tuple[str, ...], names: str
):
    encoded = tmp_path / "corpus.w2v"
    assert run("encode", corpus, "-o", encoded).status == 0
    message = f"{encoded} is already encoded, so {names} would have no effect"
    failed(run("train", encoded, "-o", tmp_path / "new.bin", *options), message)
    if "--min-count" not in options:  # of the phrases
        failed(run("phrases", encoded, "-o", tmp_path / "new.txt", "--lower"), "so --lower would have no effect")


def test_numbers_agree_with_their_nouns(run: Any, tmp_path: Path):
    corpus, encoded = tmp_path / "corpus.txt", tmp_path / "corpus.w2v"
    corpus.write_text("sun sun")
    assert "2 in 1 sentence\n" in (out := run("encode", corpus, "-o", encoded, "--min-count", "1").out)
    assert "vocabulary  1 word\n" in out
    corpus.write_text("sun sun\nmoon moon")
    assert "4 in 2 sentences\n" in (out := run("encode", corpus, "-o", encoded, "--min-count", "1").out)
    assert "vocabulary  2 words\n" in out


def test_warnings_are_printed_on_one_line(capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with messages_as_notes(OPTIONS):
            warnings.warn("min_count is\n  low", UserWarning, stacklevel=1)
            logging.getLogger("fastw2v").warning("lower %s to %d", "min_count", 3)
            logging.getLogger("fastw2v").info("reading")
    assert capsys.readouterr().err == "warning: --min-count is low\nwarning: lower --min-count to 3\nreading\n"
    assert not logging.getLogger("fastw2v").handlers
