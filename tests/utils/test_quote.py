"""Short representations of values: what is shown, and how much of it."""

import itertools
import tracemalloc
from array import array
from collections import Counter, deque

import numpy as np
import pytest

from fastw2v.utils.quote import quote, shorten


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no representation")


class Long:
    def __repr__(self) -> str:
        return "<" + "x" * 1000 + ">"


def recursive_list() -> list:
    items: list = [1]
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cat", "'cat'"),
        ("it's a  cat\n", '"it\'s a  cat\\n"'),
        ("\udcff", "'\\udcff'"),
        (b"cat", "b'cat'"),
        (None, "None"),
        (True, "True"),
        (0.05, "0.05"),
        (float("nan"), "nan"),
        (np.float64(0.05), "0.05"),
        (np.int32(3), "3"),
        (np.str_("cat"), "'cat'"),
        ([], "[]"),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, 2), "(1, 2)"),
        ({}, "{}"),
        ({"cat": 1}, "{'cat': 1}"),
        (set(), "set()"),
        ({1}, "{1}"),
        (range(10), "range(0, 10)"),
        (Counter("a"), "Counter('a': 1)"),
        (dict.fromkeys("abcdef").keys(), "dict_keys('a', 'b', 'c', 'd', ...)"),
        ([[1, [2, [3, [4]]]]], "[[1, [2, ...]]]"),
        (recursive_list(), "[1, [1, [1, ...]]]"),
        (np.zeros((2, 2)), "array([[0., 0.], [0., 0.]])"),
        (Broken(), "<Broken>"),
        ([Broken()], "<list>"),
        (10**5000, "<int>"),
        (int, "<class 'int'>"),
    ],
    ids=itertools.count(),
)
def test_values(value, expected):
    assert quote(value) == expected


@pytest.mark.parametrize("limit", [10, 20, 80, 81])
@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        "\U000e0001" * 10_000_000,  # ten characters each in the representation
        b"\xff" * 10_000_000,
        bytearray(10_000_000),
        ["x" * 1_000_000] * 10_000,
        dict.fromkeys(range(1_000_000), "x" * 1000),
        dict.fromkeys(range(1_000_000)).values(),
        set(range(1_000_000)),
        deque(range(1_000_000)),
        array("d", range(1_000_000)),
        np.zeros((1000, 1000)),
        Long(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_large_values_are_not_represented_in_full(value, limit):
    tracemalloc.start()
    text = quote(value, limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) <= limit
    assert "..." in text
    assert peak < 100_000


def test_start_and_end_of_a_string_are_kept():
    assert quote("/home/" + "x" * 500_000 + "/corpus.txt", limit=40) == "'/home/xxxxxxxxxxxx...xxxxxx/corpus.txt'"
    assert quote("x" * 78) == repr("x" * 78)
    assert quote("x" * 79) == f"'{'x' * 38}...{'x' * 37}'"


@pytest.mark.parametrize("length", range(10))
@pytest.mark.parametrize("limit", [4, 5, 6, 7])
def test_shorten(length, limit):
    text = "0123456789"[:length]
    short = shorten(text, limit)
    if length <= limit:
        assert short == text
    else:
        start, end = short.split("...")
        assert len(short) == limit
        assert text.startswith(start)
        assert text.endswith(end)
