"""Compiled code and a dictionary give the same ids, for any numbers of threads and any sizes of blocks and tables."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import lzma
import os
import re
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastw2v.config import UNICODE_FORMS, UnicodeForm
from fastw2v.corpus import conversion, indexer, spill_buffer
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.indexer import IndexedText, index_text
from fastw2v.corpus.sources import PADDING, TextBlock

compiled = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="Numba is not installed")

# All white space of str.split, its neighbours in UTF-8, word characters of one to four bytes, and difficult cases.
SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
LETTERS = "ab\x00\x08\x0e\x1b!\x7f\x84\x86\u009f\u00a1é"
LETTERS += "Σ\u03c3\u03c2\u1681\u167f\u200b\u1fff\u202a\u2030\u2060\u3001\u2fff한İ😀"


# Syllables, conjoining and other jamo, combining marks of several classes, characters with several forms, characters
# that contain a space in NFKC, and letters that exist in one case or are several characters in the other.
FORMS_DIFFER = "가각힣\u1100\u1112\u1161\u1175\u11a8\u11c2\u1160\u115fㄱㅏ\uffa1\uffc2㈀"
FORMS_DIFFER += "aAeEjJ\u0300\u0301\u0307\u030c\u0316\u031b\u0327\u0338\u0345\u034f\u0344\u0f71\u0f72\u0f73\u0f81"
FORMS_DIFFER += "é\u212b\u1e9b\u2126ﬁĳ①\uff21\ufeff\u200d\u09c7\u09be\ufb2c\U0001d15e\U0001d400"
FORMS_DIFFER += "\u00a8\u00b4\u2017\u037a\ufdfa\ufdfb™İΣςß"


def cut(data: bytes, at: int) -> Iterator[TextBlock]:
    """Cut a text after single-byte white space, into blocks of about `at` bytes."""
    start = 0
    while start < len(data):
        found = re.compile(rb"[ \t\n]").search(data, min(start + at, len(data)))
        end = found.end() if found else len(data)
        yield TextBlock(data[start:end] + PADDING, "text", start)
        start = end


def converted(text: str, lower: bool, normalize: UnicodeForm | None) -> str:
    """Convert a whole text."""
    if normalize:
        text = unicodedata.normalize(normalize, text)
    if lower:
        text = text.lower()
    return unicodedata.normalize(normalize, text) if normalize else text


def expected(text: str, min_count: int) -> tuple[list[str], list[int], list[list[str]]]:
    """Return, with eight lines of Python, words by decreasing count and first appearance, counts, and sentences."""
    counts = Counter(text.split())
    ranked = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: -counts[word])
    kept = set(ranked)
    sentences = [[word for word in line.split() if word in kept] for line in text.split("\n")]
    return ranked, [counts[word] for word in ranked], [sentence for sentence in sentences if sentence]


def found(indexed: IndexedText, min_count: int) -> tuple[list[str], list[int], list[list[str]]]:
    order = np.argsort(-indexed.counts, kind="stable")
    order = order[indexed.counts[order] >= min_count]
    final = np.full(len(indexed.counts), -1, np.int32)
    final[order] = np.arange(len(order), dtype=np.int32)
    words = indexed.words(order)
    ids, offsets = indexed.encode(final)
    assert ids.dtype == np.int32
    assert offsets.dtype == np.int64
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    sentences = [[words[i] for i in ids[a:b]] for a, b in itertools.pairwise(offsets)]
    return words, indexed.counts[order].tolist(), sentences


def check(
    text: str,
    block: int,
    *,
    lower: bool = False,
    normalize: UnicodeForm | None = None,
    min_count: int = 1,
    workers: int = 2,
    memory: int = 1 << 27,
) -> None:
    """Compare both ways of indexing, in memory and on disk, with `expected`."""
    options: dict[str, Any] = {"lower": lower, "normalize": normalize, "errors": "strict", "workers": workers}
    result = converted(text, lower, normalize)
    lines = [line.split() for line in result.split("\n")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill_buffer, "IN_MEMORY", memory)
        ways = [1 << 60, -1] if importlib.util.find_spec("numba") else [1 << 60]
        for short in ways:
            patch.setattr(indexer, "SHORT_TEXT_BYTES", short)
            indexed = index_text(cut(text.encode(), block), **options)
            assert found(indexed, min_count) == expected(result, min_count)
            indexed = index_text(cut(text.encode(), block), **options)
            words = indexed.words(np.arange(len(indexed.counts)))
            ids, breaks = indexed.provisional_ids()
            assert (ids.dtype, breaks.dtype) == (np.int32, np.int64)
            assert [words[i] for i in ids] == list(itertools.chain(*lines))
            assert breaks.tolist() == sorted({*itertools.accumulate(map(len, lines[:-1]))})


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(st.sampled_from(SPACES + LETTERS + "    \n"), max_size=200),
    block=st.integers(1, 40),
    lower=st.booleans(),
    min_count=st.integers(1, 3),
    workers=st.integers(1, 3),
    memory=st.sampled_from([0, 40, 1 << 27]),
)
@example(text="\n\na \n\n b\n \n", block=2, lower=False, min_count=1, workers=2, memory=40)
def test_hostile_text(text: str, block: int, lower: bool, min_count: int, workers: int, memory: int):
    check(text, block, lower=lower, min_count=min_count, workers=workers, memory=memory)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(st.sampled_from(SPACES + FORMS_DIFFER + "    \n"), max_size=200) | st.text(max_size=50),
    block=st.integers(1, 40),
    lower=st.booleans(),
    normalize=st.sampled_from(UNICODE_FORMS),
    min_count=st.integers(1, 3),
    workers=st.integers(1, 3),
    memory=st.sampled_from([0, 40, 1 << 27]),
    batch=st.sampled_from([1, 2, 1 << 10]),
)
def test_words_are_normalised_like_the_text(
    text: str,
    block: int,
    lower: bool,
    normalize: UnicodeForm,
    min_count: int,
    workers: int,
    memory: int,
    batch: int,
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer, "CONVERTED_BATCH", batch)
        patch.setattr(conversion, "RUN", 2 * batch)
        check(text, block, lower=lower, normalize=normalize, min_count=min_count, workers=workers, memory=memory)


@pytest.mark.parametrize("normalize", UNICODE_FORMS)
def test_every_character_is_normalised_as_in_the_text(normalize: UnicodeForm):
    """Each character that a form changes, as a word, after and before a letter, and after and before white space."""
    everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    changed = [c for c in everything if unicodedata.combining(c) or unicodedata.normalize("NFKD", c) != c]
    text = "\n".join([f"{c} a{c}\u3000{c}{c} {c}b" for c in changed] + ["\ufdfa" * n for n in range(1, 9)])
    check(text, 1 << 16, normalize=normalize)
    check(text, 1 << 18, lower=True, normalize=normalize)


@settings(max_examples=50, deadline=None)
@given(words=st.lists(st.text("ab\x00", min_size=1, max_size=40), max_size=200), workers=st.integers(1, 3))
def test_words_that_differ_by_little(words: list[str], workers: int):
    check(" ".join(words), 30, workers=workers)


def test_threads_that_overtake_each_other_change_nothing():
    """A table that receives a later block before an earlier one must store the first position of a word."""
    before = sys.getswitchinterval()
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in random.zipf(1.3, 5000) % 3000]
    text = "\n".join(" ".join(words[i : i + 7]) for i in range(0, len(words), 7))
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            check(text, 300, workers=3)
    finally:
        sys.setswitchinterval(before)


def test_more_words_than_the_first_tables_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(indexer.WordTable.__init__, "__defaults__", (8, 8))
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in random.zipf(1.3, 5000) % 3000] + ["x" * 1000, "y" * 9, "x" * 999 + "y"]
    check("\n".join(" ".join(words[i : i + 7]) for i in range(0, len(words), 7)), 500, min_count=2, workers=3)


@compiled
@pytest.mark.parametrize("lower", [False, True])
def test_parts_of_any_size_are_merged(monkeypatch: pytest.MonkeyPatch, lower: bool):
    """Tables of different sizes, parts of few words, words longer than a slot, and texts that outgrow their room."""
    monkeypatch.setattr(indexer.WordTable.__init__, "__defaults__", (8, 8))
    random = np.random.default_rng(1)
    words = [f"{'Wx'[i % 2]}{i}" + "é" * (i % 23) for i in random.zipf(1.2, 6000) % 2500]
    text = "\n".join(" ".join(words[i : i + 7]) for i in range(0, len(words), 7))
    for size in (1, 100, 1 << 14):
        monkeypatch.setattr(indexer, "PART_WORDS", size)
        for workers in (2, 3, 5):
            check(text, 700, lower=lower, workers=workers)


@compiled
def test_each_part_of_a_table_is_a_range_of_slots_that_may_wrap_around():
    """Every word is in exactly one part, the same in a larger table, also where runs cross the ends of parts."""
    from fastw2v.kernels import tokenizer

    def parts(table: indexer.WordTable, n_parts: int) -> list[set[int]]:
        entries = table.slots[tokenizer.SLOT * np.arange(len(table.slots) // tokenizer.SLOT) + 2]
        found = [tokenizer.slots_of_part(table.slots, part, n_parts) for part in range(n_parts)]
        assert sum(map(len, found)) == len(table)
        return [set((entries[slots] & np.uint64(0xFFFFFFFF)).tolist()) for slots in found]

    for n_words in (1, 7, 100, 160):
        table, larger = indexer.WordTable(256), indexer.WordTable(2048)
        for each in (table, larger):
            each.add(" ".join(f"word{i}" for i in range(n_words)).encode() + PADDING, 0)
        for n_parts in (1, 2, 16, 256):
            found = parts(table, n_parts)
            assert set().union(*found) == set(range(1, n_words + 1))
            assert found == parts(larger, n_parts)


def test_a_slow_thread_does_not_hold_up_the_others():
    done = threading.Event()
    threads: dict[int, int] = {}

    def process(i: int) -> int:
        threads[i] = threading.get_ident()
        if i == 0:
            assert done.wait(10)  # until the other thread has processed all items that may be pending
        if i == 4:
            done.set()
        return 10 * i

    assert list(indexer._in_order(process, range(9), 2)) == [10 * i for i in range(9)]
    assert len({threads[i] for i in range(1, 5)}) == 1
    assert threads[0] != threads[1]


def test_items_can_be_assigned_to_threads():
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    threads: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}

    def process(i: int) -> int:
        seen[i % 3].append(i)
        threads[i % 3].add(threading.get_ident())
        return i

    assert list(indexer._in_order(process, range(20), 3, thread_of=lambda i: i % 3)) == list(range(20))
    assert seen == {k: list(range(k, 20, 3)) for k in range(3)}
    assert [len(each) for each in threads.values()] == [1, 1, 1]
    assert len(set().union(*threads.values())) == 3


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 100),
    kept=st.sampled_from([0.0, 0.5, 0.97, 1.0]),
    lines=st.lists(st.integers(0, 100), max_size=30),
    seed=st.integers(0, 1000),
)
@compiled
def test_compiled_code_replaces_ids_like_numpy(n: int, kept: float, lines: list[int], seed: int):
    from fastw2v.kernels import tokenizer

    random = np.random.default_rng(seed)
    final = np.where(random.random(50) < kept, random.permutation(50), -1).astype(np.int32)
    ids = random.integers(0, 50, n).astype(np.int32)
    breaks = np.array(sorted(min(line, n) for line in lines), np.int64)
    expected = indexer.final_ids(ids, breaks, final)
    n_ids, n_breaks = tokenizer.replace_ids(ids, breaks, final)
    np.testing.assert_array_equal(ids[:n_ids], expected[0])
    np.testing.assert_array_equal(breaks[:n_breaks], expected[1])


@compiled
def test_utf8_is_checked_as_in_python():
    from fastw2v.kernels import tokenizer

    @functools.cache
    def is_valid(data: bytes) -> bool:
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    continuations = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for lead in range(256):
        for rest in itertools.product(continuations, repeat=3):
            data = bytes((lead, *rest))
            padded = np.frombuffer(b"\x80" + data + b"\x80\x80\x80", np.uint8)
            for n in range(1, 5):
                assert tokenizer.is_utf8(padded, 1, 1 + n) == is_valid(data[:n]), data[:n]


def test_words_of_a_million_bytes():
    long = "x" * 1_000_000
    check(f"{long} {long}y {'한' * 400_000}\n{long} z", 10, workers=2)


def test_every_white_space_character_and_no_other():
    assert {chr(c) for c in range(0x110000) if chr(c).isspace()} == set(SPACES)
    everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    check("a".join(everything), 1 << 20)


@compiled
def test_words_with_equal_slots_and_tags_are_told_apart():
    # Invert the hash of `fastw2v.kernels.tokenizer` in NumPy, to choose the last eight bytes of words of 24 bytes.
    def mix(z: np.ndarray) -> np.ndarray:
        z = (z ^ (z >> np.uint64(32))) * golden
        return z ^ (z >> np.uint64(29))

    golden = np.uint64(0x9E3779B97F4A7C15)
    firsts = [f"samehead{i:08d}".encode() for i in range(2000)]
    eights = np.frombuffer(b"".join(firsts), "<u8").reshape(-1, 2)
    before_last = mix(mix(eights[:, 0]) ^ eights[:, 1]) + np.array(24, np.uint64) * golden
    lasts = before_last ^ before_last[:1] ^ np.frombuffer(b"the_last", "<u8")
    letters = lasts.view(np.uint8).reshape(-1, 8)
    fit = np.flatnonzero(((letters > 32) & (letters < 0xC2)).all(axis=1))[-1]
    one, other = firsts[0] + b"the_last", firsts[fit] + lasts[fit].tobytes()

    table = indexer.WordTable(8)
    ids, _ = table.add(b" ".join([one, other, one, other]) + PADDING, 0)
    assert ids.tolist() == [0, 1, 0, 1]
    assert table.counts().tolist() == [2, 2]
    slots = table.slots.reshape(-1, 4)
    used = slots[slots[:, 2] > 0]
    assert len(used) == 2
    np.testing.assert_array_equal(used[0, :2], used[1, :2])
    assert used[0, 2] >> np.uint64(32) == used[1, 2] >> np.uint64(32)


@compiled
@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"a\xc3", b"\x80", b"\xed\xa0\x80", b"\xf0\xe3\x80\x80x", b"\xe2\x80\x80\x80", b"\xc0\xaf", b"\xf5\x80"],
)
def test_bytes_that_are_not_utf8_are_named_by_the_first_position_that_has_them(
    monkeypatch: pytest.MonkeyPatch, bad: bytes
):
    monkeypatch.setattr(indexer, "SHORT_TEXT_BYTES", -1)
    text = b"one two " * 40 + b"three " + bad + b" four " + b"one two " * 40 + bad + b" " + bad + b"\n"
    with pytest.raises(UnicodeDecodeError) as python:
        text.decode()
    for workers in (1, 3):
        for block in (20, 400, 5000):
            with pytest.raises(ValueError, match=f"text is not UTF-8: byte {python.value.start} is"):
                index_text(cut(text, block), lower=False, errors="strict", workers=workers)


@pytest.mark.slow
@pytest.mark.skipif("FASTW2V_DATA" not in os.environ, reason="FASTW2V_DATA names no folder with corpora")
@pytest.mark.parametrize("name", ["wiki8.txt.xz", "kowiki-head.txt.xz"])
def test_a_large_corpus_equals_a_counter(name: str):
    path = Path(os.environ["FASTW2V_DATA"]) / "corpora" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        text = file.read()
    counts = Counter(text.split())
    ranked = sorted((word for word in counts if counts[word] >= 5), key=lambda word: -counts[word])
    for workers in (1, 3):
        corpus = Corpus.from_text(path, workers=workers)
        assert corpus.vocabulary.words == ranked
        assert corpus.vocabulary.counts.tolist() == [counts[word] for word in ranked]
        np.testing.assert_array_equal(np.bincount(corpus.ids), corpus.vocabulary.counts)
        ids = corpus.vocabulary.word_to_id
        np.testing.assert_array_equal(corpus.ids, [ids[word] for word in text.split() if word in ids])
