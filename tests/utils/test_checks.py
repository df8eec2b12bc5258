"""Checks of arguments: types, and parameters that do not exist."""

import inspect
from pathlib import Path

import pytest

from fastw2v.utils.checks import (
    check_items,
    check_keys,
    check_path,
    check_type,
    explain_arguments,
    index_keys,
    unknown_parameter,
)


class Keywords:
    @explain_arguments("Keywords", {"size": "use vector_size", "sentences": "pass them to fit"})
    def __init__(self, *, vector_size=100, window=5):
        """Keep the values."""
        self.values = vector_size, window


class Positions:
    @explain_arguments("Positions", {})
    def __init__(self, sentences=None, window=5):
        self.values = sentences, window


def test_arguments_are_passed_on():
    assert Keywords(window=3).values == (100, 3)
    assert Positions("text", window=3).values == ("text", 3)
    assert list(inspect.signature(Keywords).parameters) == ["vector_size", "window"]
    assert Keywords.__init__.__doc__ == "Keep the values."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Keywords(size=3), "size is not a parameter of Keywords; use vector_size"),
        (lambda: Keywords(windw=3), "windw is not a parameter of Keywords; use window"),
        (lambda: Keywords(colour=3), r"colour is not a parameter of Keywords; see help\(Keywords\)"),
        (lambda: Keywords([["a"]]), r"keyword arguments only, but \[\['a'\]\] has no name; pass them to fit"),
        (lambda: Positions(windw=3), "windw is not a parameter of Positions; use window"),
    ],
)
def test_parameters_that_do_not_exist(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_messages_are_short_for_any_value():
    word = "x" * 1_000_000
    with pytest.raises(TypeError) as wrong_type:
        check_type("path", [word] * 3, str, "a path")
    with pytest.raises(TypeError) as string:
        check_items("words", word, "a list of words")
    with pytest.raises(ValueError, match="occurs twice") as twice:
        index_keys([word, word])
    with pytest.raises(TypeError, match=r"words contains b'xxx.*of type bytes") as mixed:
        check_keys([word, word.encode()], 2)
    with pytest.raises(TypeError, match="keyword arguments only") as position:
        Keywords(word)
    messages = [str(error.value) for error in (wrong_type, string, twice, mixed, position)]
    messages.append(unknown_parameter(word, ["window"], "Word2Vec", {}))
    assert max(map(len, messages)) < 300


@pytest.mark.parametrize("path", ["", "a/b.txt", "a" * 255, "a/" * 2000, Path("a.txt"), "ä\n"])
def test_paths(path):
    assert check_path("path", path) == Path(path)


@pytest.mark.parametrize("path", [None, 7, b"a.txt", ["a.txt"], object()])
def test_what_is_no_path(path):
    with pytest.raises(TypeError, match=r"^fname is .*; pass a string or a pathlib.Path$"):
        check_path("fname", path)


@pytest.mark.parametrize("path", ["a" * 256, "a/" * 3000, "a\0b", Path("a" * 1_000_000)])
def test_a_text_is_no_path(path):
    with pytest.raises(ValueError, match=r"^fname is '.*', which cannot be a path; pass the name of a file$") as caught:
        check_path("fname", path)
    assert len(str(caught.value)) < 200
