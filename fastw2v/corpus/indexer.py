"""Indexing: the words of a text get provisional ids in one pass, and final ids in a second.

While a text is read, the frequent words are not known yet, so words get provisional ids in the order in which they
appear. These are stored, 4 bytes a token. Once the counts are known, they are replaced by final ids in place, and
words that are left out are dropped.

Where Numba is installed, a text is indexed by compiled code (`fastw2v.kernels.tokenizer`) in several threads. A short
text is indexed with a Python dictionary, which takes less time than loading the compiled code. Each thread has a table
of its own; at the end the tables are merged and the words are sorted by their first appearance, so the result does not
depend on which thread saw a word.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from fastw2v.corpus.sources import PADDING, Errors, TextBlock, decode_block, valid_utf8
from fastw2v.corpus.spill_buffer import SpillBuffer
from fastw2v.kernels import numba_is_installed

__all__ = ["IndexedText", "TextIndexer", "WordTable", "index_text"]

T = TypeVar("T")
R = TypeVar("R")
SHORT_TEXT_BYTES = 1 << 23
"""Up to this size, indexing a text with a dictionary takes less time than loading the compiled code."""
DECODE_BATCH = 1 << 16
"""Words that are decoded together."""
_NEVER = np.iinfo(np.int64).max
"""Position of the first appearance of a word that no table has seen."""


class IndexedText:
    """A text as provisional ids, and the words that they stand for.

    Attributes
    ----------
    counts : int64 array, shape (V,)
        How often each word occurs; words are in the order of their first appearance.
    """

    def __init__(self, counts: np.ndarray, words: Callable[[np.ndarray], list[str]], tokens: _Tokens) -> None:
        self.counts = counts
        self._words = words
        self._tokens = tokens

    def words(self, indices: np.ndarray) -> list[str]:
        """Return the words at these indices in the order of first appearance."""
        return self._words(indices)

    def encode(self, final: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids and the sentence offsets; call it once.

        Parameters
        ----------
        final : int32 array, shape (V,)
            The id of each word, or −1 to leave it out.
        workers : int

        Returns
        -------
        ids : int32 array
        offsets : int64 array
            Without empty sentences.
        """
        encoded = self._tokens.encode(final, int(self.counts[final >= 0].sum()), workers)
        _return_freed_memory()
        return encoded


class TextIndexer:
    """Assigns ids to words with a dictionary, in the order in which they are added."""

    def __init__(self) -> None:
        self._word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._counts = np.zeros(0, dtype=np.int64)
        self._tokens = _Tokens()

    def add(self, words: list[str], breaks: list[int]) -> None:
        """Append words; `breaks` are the indices among them before which a new sentence starts."""
        ids = np.fromiter(map(self._word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
        counts = np.bincount(ids, minlength=len(self._word_to_id))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._tokens.append(ids, np.array(breaks, dtype=np.int64), table=0)

    def add_text(self, text: str) -> None:
        """Append the words of a text that begins and ends between two words."""
        first, *others = text.split("\n")
        words = first.split()
        breaks = []
        for line in others:
            breaks.append(len(words))
            words += line.split()
        self.add(words, breaks)

    def indexed(self) -> IndexedText:
        """Return the text that was added; call it once, at the end."""
        words = np.array(list(self._word_to_id), dtype=object)
        self._word_to_id.clear()
        self._tokens.tables = [np.arange(len(words), dtype=np.int32)]
        return IndexedText(self._counts, lambda indices: words[indices].tolist(), self._tokens)


class WordTable:
    """Hash table of compiled code that assigns ids to words in the order in which it sees them.

    Parameters
    ----------
    capacity : int
        Words that it has room for before it grows; a power of two.
    text_bytes : int
        Bytes of words that it has room for before it grows.
    """

    def __init__(self, capacity: int = 1 << 16, text_bytes: int = 1 << 20) -> None:
        self.slots = _empty_slots(2 * capacity)
        self.text = np.empty(text_bytes, np.uint8)
        self.starts = np.zeros(capacity + 1, np.int64)
        self.first = np.zeros(capacity, np.int64)
        self.tokens = np.empty(0, np.int32)
        self.breaks = np.empty(0, np.int64)
        self.state = np.zeros(5, np.int64)
        self.checked = 0

    def __len__(self) -> int:
        return int(self.state[1])

    def add(self, data: bytes, base: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of the words of a padded text, and the indices of the tokens before which lines begin."""
        from fastw2v.kernels import tokenizer

        end = len(data) - len(PADDING)
        if len(self.tokens) < end // 2 + 1:
            self.tokens = np.empty(end // 2 + 1, np.int32)
            self.breaks = np.empty(end // 2 + 2, np.int64)
        self.state[[tokenizer.POSITION, tokenizer.TOKENS, tokenizer.BREAKS]] = 0
        characters = np.frombuffer(data, np.uint8)
        while not tokenizer.tokenize(
            characters,
            end,
            base,
            self.slots,
            self.text,
            self.starts,
            self.first,
            self.tokens,
            self.breaks,
            self.state,
        ):
            if len(self) == len(self.first):
                self._add_room_for_words()
            else:
                self.text = _enlarged(self.text, 2 * len(self.text))
        return self.tokens[: self.state[tokenizer.TOKENS]].copy(), self.breaks[: self.state[tokenizer.BREAKS]].copy()

    def is_utf8(self) -> bool:
        """Return whether the words added since the last call are UTF-8; after a failure it always returns False."""
        try:
            self.text[self.checked : self.starts[len(self)]].tobytes().decode()
        except UnicodeDecodeError:
            return False
        self.checked = int(self.starts[len(self)])
        return True

    def as_text(self) -> bytes:
        """Return the words in the order of their ids, one on each line, with padding."""
        return self.text[: self.starts[len(self)]].tobytes() + PADDING

    def counts(self) -> np.ndarray:
        """Return how often each word was seen."""
        from fastw2v.kernels import tokenizer

        counts = np.empty(len(self), np.int64)
        tokenizer.counts_of(self.slots, counts)
        return counts

    def _add_room_for_words(self) -> None:
        from fastw2v.kernels import tokenizer

        capacity = 2 * len(self.first)
        larger = _empty_slots(2 * capacity)
        tokenizer.copy_slots(self.slots, larger)
        self.slots = larger
        self.starts = _enlarged(self.starts, capacity + 1)
        self.first = _enlarged(self.first, capacity)


def index_text(blocks: Iterator[TextBlock], *, lower: bool, errors: Errors, workers: int) -> IndexedText:
    """Assign provisional ids to the words of a text.

    Parameters
    ----------
    blocks : iterator of TextBlock
        From `fastw2v.corpus.sources.read_blocks`.
    lower : bool
        Whether to take words in lower case.
    errors : {"strict", "replace", "ignore"}
        What to do with bytes that are not UTF-8.
    workers : int
        Threads. The result does not depend on them.

    Raises
    ------
    ValueError
        If the text is not UTF-8 and `errors` is "strict".
    """
    first: list[TextBlock] = []
    while sum(len(block.data) for block in first) <= SHORT_TEXT_BYTES and (block := next(blocks, None)):
        first.append(block)
    all_blocks = itertools.chain(first, blocks)
    short = sum(len(block.data) for block in first) <= SHORT_TEXT_BYTES
    if short or not numba_is_installed():
        indexer = TextIndexer()
        for block in all_blocks:
            text = decode_block(block, errors)
            indexer.add_text(text.lower() if lower else text)
        return indexer.indexed()
    return _index_compiled(all_blocks, lower, errors, workers)


def _return_freed_memory() -> None:
    """Return freed memory of the threads' blocks to the system; glibc would keep 80 MB after 17 million words."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


class _Tokens:
    """Provisional ids of a text, block by block; the ids of each block are those of one of several tables."""

    def __init__(self) -> None:
        self.ids = SpillBuffer(np.int32)
        self.breaks = SpillBuffer(np.int64)
        self.breaks.append(np.zeros(1, np.int64))  # room for the start of the first sentence
        self.blocks: list[tuple[int, int, int]] = []
        self.tables: list[np.ndarray] = []
        """For each table, the ranks of its words in the order of first appearance."""

    def append(self, ids: np.ndarray, breaks: np.ndarray, table: int) -> None:
        self.ids.append(ids)
        self.breaks.append(breaks)
        self.blocks.append((len(ids), len(breaks), table))

    def encode(self, final: np.ndarray, kept: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
        finals = [final[table] for table in self.tables]
        self.ids.rewind(kept)
        self.breaks.rewind(2 + sum(m for _, m, _ in self.blocks))
        self.breaks.take(1)
        self.breaks.append(np.zeros(1, np.int64))
        written = last = 0

        def blocks() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for n, m, table in self.blocks:
                yield self.ids.take(n), self.breaks.take(m), finals[table]

        # Reading runs ahead of writing, and the blocks written are never larger than the blocks read.
        for ids, breaks in _in_order(_final_ids, blocks(), workers):
            self.ids.append(ids)
            breaks = written + breaks
            breaks = breaks[np.diff(breaks, prepend=last) > 0]
            if len(breaks):
                self.breaks.append(breaks)
                last = int(breaks[-1])
            written += len(ids)
        if written > last:
            self.breaks.append(np.array([written]))
        return self.ids.array(), self.breaks.array()


def _final_ids(block: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Replace provisional ids by final ones and drop the tokens whose final id is −1."""
    ids, breaks, final = block
    ids = final[ids]
    kept = ids >= 0
    dropped = np.flatnonzero(~kept)
    return ids[kept], breaks - np.searchsorted(dropped, breaks)


def _empty_slots(n: int) -> np.ndarray:
    """Return slots aligned so that none lies across two cache lines."""
    from fastw2v.kernels import tokenizer

    numbers = np.zeros(tokenizer.SLOT * (n + 1), np.uint64)
    skipped = -numbers.ctypes.data // numbers.itemsize % tokenizer.SLOT
    return numbers[skipped : skipped + tokenizer.SLOT * n]


def _enlarged(array: np.ndarray, n: int) -> np.ndarray:
    enlarged = np.empty(n, array.dtype)
    enlarged[: len(array)] = array
    return enlarged


def _index_compiled(blocks: Iterator[TextBlock], lower: bool, errors: Errors, workers: int) -> IndexedText:
    tables = [WordTable() for _ in range(workers)]
    tables[0].add(PADDING, 0)  # compiles, or loads the machine code, before the threads start

    def index_block(item: tuple[int, TextBlock]) -> tuple[np.ndarray, np.ndarray, int]:
        i, block = item
        data = block.data if errors == "strict" else valid_utf8(block, errors)
        # Each thread has a table, which therefore sees its blocks in order, and notes where a word first appears once,
        # when the word is new. Any base that rises from block to block will do: a block is shorter than 2**32 bytes.
        table = i % workers
        ids, breaks = tables[table].add(data, i << 32)
        # A text is UTF-8 if its words are, and most of them were checked before.
        if not tables[table].is_utf8():
            valid_utf8(block, errors)
        return ids, breaks, table

    tokens = _Tokens()
    for ids, breaks, table in _in_order(index_block, enumerate(blocks), workers):
        tokens.append(ids, breaks, table)
    return _merge(tables, lower, tokens)


def _merge(tables: list[WordTable], lower: bool, tokens: _Tokens) -> IndexedText:
    """Merge several tables into one, with its words in the order of their first appearance."""
    counts = [table.counts() for table in tables]
    firsts = [table.first[: len(table)].copy() for table in tables]
    if lower:
        # Lower case does not depend on neighbouring words, so each word is converted once.
        texts = [table.as_text().decode().lower().encode() for table in tables]
        whole = WordTable()
        ids = [whole.add(text, 0)[0] for text in texts]
    else:
        whole = max(tables, key=len)
        ids = [
            np.arange(len(count), dtype=np.int32) if table is whole else whole.add(table.as_text(), 0)[0]
            for table, count in zip(tables, counts, strict=True)
        ]
    total = np.zeros(len(whole), np.int64)
    first = np.full(len(whole), _NEVER)
    for table_ids, table_counts, table_firsts in zip(ids, counts, firsts, strict=True):
        np.add.at(total, table_ids, table_counts)
        np.minimum.at(first, table_ids, table_firsts)

    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    tokens.tables = [rank[table_ids] for table_ids in ids]
    starts = whole.starts[: len(whole) + 1].copy()
    text = whole.text[: starts[-1]].copy()

    def words(indices: np.ndarray) -> list[str]:
        found: list[str] = []
        for i in range(0, len(indices), DECODE_BATCH):
            some = order[indices[i : i + DECODE_BATCH]]
            lengths = starts[some + 1] - starts[some]  # each with its line feed
            ends = np.cumsum(lengths)
            at = np.repeat(starts[some] - ends + lengths, lengths) + np.arange(ends[-1])
            found += text[at].tobytes().decode().split("\n")[:-1]
        return found

    return IndexedText(total[order], words, tokens)


def _in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Call a function in threads and yield its results in the order of the items; few results are held at a time.

    Thread ``i % workers`` processes item i, and each thread processes its items in order.
    """
    pending: deque[Future[R]] = deque()
    with contextlib.ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1, f"fastw2v-{i}")) for i in range(workers)]
        try:
            for item, thread in zip(items, itertools.cycle(threads), strict=False):
                pending.append(thread.submit(function, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
