"""Numbers as text, compared with NumPy's formatting of single numbers and with Python's float."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.formats.float_text import format_floats
from fastw2v.formats.word2vec_text import format_rows, parse_rows


def words_of(values: np.ndarray) -> list[str]:
    text, lengths = format_floats(values)
    ends = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    assert ends[-1] == len(text)
    pieces = [text[begin:end].decode() for begin, end in pairwise(ends)]
    assert all(piece[0] == " " for piece in pieces)
    return [piece[1:] for piece in pieces]


def check(values: np.ndarray) -> None:
    for value, word in zip(values, words_of(values), strict=True):
        back = np.array(float(word)).astype(np.float32)
        assert back.tobytes() == value.tobytes() or (np.isnan(back) and np.isnan(value))
        assert word == str(value) or (len(str(value)) > 15 and len(word) <= 15)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 2**32 - 1), st.integers(0x38000000, 0x41400000)), min_size=1, max_size=50))
def test_every_float32_is_spelled_as_numpy_spells_it(bits: list[int]) -> None:
    check(np.array(bits, dtype=np.uint32).view(np.float32))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.decimals(-12, 12, places=6), min_size=1, max_size=50))
def test_short_decimals_stay_short(numbers: list[object]) -> None:
    check(np.array([float(str(number)) for number in numbers], dtype=np.float32))


def test_numbers_at_the_edges() -> None:
    edges = np.array([0, 1e-4, 1e-3, 0.01, 0.1, 1, 9.9, 10, 1e12, 1e15, 1e16, 2**-3, 2**-13, 1e38, 1e-45], np.float32)
    near = [np.nextafter(edges, edges * 0), edges, np.nextafter(edges, edges * 0 + np.float32(np.inf))]
    values = np.concatenate([*near, [np.inf, np.nan]]).astype(np.float32)
    check(np.concatenate([values, -values]))
    check((2.0 ** np.arange(-149, 128)).astype(np.float32))


@pytest.mark.slow
def test_millions_of_numbers_are_spelled_as_numpy_spells_them() -> None:
    rng = np.random.default_rng(1)
    for scale in (1e-3, 0.1, 3):
        values = (rng.normal(size=1_000_000) * scale).astype(np.float32)
        assert words_of(values) == list(map(str, values))


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (1000, 70), (5, 30_000)])
def test_rows_come_in_order_whatever_the_blocks(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    rows = list(format_rows(matrix))
    assert rows == [(" " + " ".join(map(str, row))).encode() for row in matrix]
    words, back = parse_rows(b"".join(b"w" + row + b"\n" for row in rows), shape[1])
    assert words == [b"w"] * len(rows)
    assert back.tobytes() == matrix.tobytes()
