"""Numbering: the words of a text get ids in one pass, and the ids their final values in a second.

While a text is read nobody knows yet which words are frequent, so words get provisional ids. Those are stored, 4 bytes
a token, and when the counts are known they are replaced, rare words dropped, in place.

Text is numbered by compiled code (`fastw2v.scan`) in several threads where Numba is installed, and a short text by a
Python dictionary, sooner than compiled code is loaded. Every thread has a table of its own; in the end the tables are
merged and words put in the order of their first appearance, so that it makes no difference who saw them.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import itertools
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from fastw2v.store import Store
from fastw2v.text import PADDING, Errors, Piece, decoded, valid

__all__ = ["Numbered", "Numbering", "available_processors", "number_text"]

T = TypeVar("T")
R = TypeVar("R")

SHORT = 1 << 23
"""Bytes of text up to which loading the compiled code takes longer than doing without."""

WORDS_AT_ONCE = 1 << 16
"""Words that are decoded together."""

_NEVER = np.iinfo(np.int64).max


class Numbered:
    """A text as provisional ids, and the words that they stand for.

    Attributes
    ----------
    counts : int64 array, shape (V,)
        How often each word occurs; words in the order of their first appearance.
    """

    def __init__(self, counts: np.ndarray, words: Callable[[np.ndarray], list[str]], tokens: _Tokens) -> None:
        self.counts = counts
        self._words = words
        self._tokens = tokens

    def words(self, places: np.ndarray) -> list[str]:
        """Return the words at places in the order of first appearance."""
        return self._words(places)

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
        encoded = self._tokens.encoded(final, int(self.counts[final >= 0].sum()), workers)
        _return_freed_memory()
        return encoded


class Numbering:
    """Numbers words by a dictionary as they come."""

    def __init__(self) -> None:
        self._word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._counts = np.zeros(0, dtype=np.int64)
        self._tokens = _Tokens()

    def add(self, words: list[str], breaks: list[int]) -> None:
        """Append words; a new sentence starts before each of the places `breaks` among them."""
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

    def numbered(self) -> Numbered:
        """Return what was added; call it once, in the end."""
        words = np.array(list(self._word_to_id), dtype=object)
        self._word_to_id.clear()
        self._tokens.tables = [np.arange(len(words), dtype=np.int32)]
        return Numbered(self._counts, lambda places: words[places].tolist(), self._tokens)


def number_text(pieces: Iterator[Piece], *, lower: bool, errors: Errors, workers: int) -> Numbered:
    """Give the words of a text provisional ids.

    Parameters
    ----------
    pieces : iterator of Piece
        From `fastw2v.text.pieces`.
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
    first: list[Piece] = []
    while sum(len(piece.data) for piece in first) <= SHORT and (piece := next(pieces, None)):
        first.append(piece)
    everything = itertools.chain(first, pieces)
    short = sum(len(piece.data) for piece in first) <= SHORT
    if short or importlib.util.find_spec("numba") is None:
        numbering = Numbering()
        for piece in everything:
            text = decoded(piece, errors)
            numbering.add_text(text.lower() if lower else text)
        return numbering.numbered()
    return _number_compiled(everything, lower, errors, workers)


def available_processors() -> int:
    """Return how many processors this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _return_freed_memory() -> None:
    """Give the system back what the threads' blocks took; glibc would keep it: 80 MB after 17 million words."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


class _Tokens:
    """Provisional ids of a text, block by block, each numbered by one of several tables."""

    def __init__(self) -> None:
        self.ids = Store(np.int32)
        self.breaks = Store(np.int64)
        self.breaks.append(np.zeros(1, np.int64))  # room for the start of the first sentence
        self.blocks: list[tuple[int, int, int]] = []
        self.tables: list[np.ndarray] = []
        """For each table, the place of its words in the order of first appearance."""

    def append(self, ids: np.ndarray, breaks: np.ndarray, table: int) -> None:
        self.ids.append(ids)
        self.breaks.append(breaks)
        self.blocks.append((len(ids), len(breaks), table))

    def encoded(self, final: np.ndarray, kept: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
        finals = [final[table] for table in self.tables]
        self.ids.rewind(kept)
        self.breaks.rewind(2 + sum(m for _, m, _ in self.blocks))
        self.breaks.take(1)
        self.breaks.append(np.zeros(1, np.int64))
        written = last = 0

        def blocks() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for n, m, table in self.blocks:
                yield self.ids.take(n), self.breaks.take(m), finals[table]

        # Reading runs ahead of writing, and what is written never takes more room than what was read.
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
    """Replace provisional ids by final ones and leave out the words whose final id is −1."""
    ids, breaks, final = block
    ids = final[ids]
    kept = ids >= 0
    dropped = np.flatnonzero(~kept)
    return ids[kept], breaks - np.searchsorted(dropped, breaks)


class _Table:
    """Words numbered by compiled code in the order in which this table sees them."""

    def __init__(self, capacity: int = 1 << 16, text: int = 1 << 20) -> None:
        self.slots = _empty_slots(2 * capacity)
        self.text = np.empty(text, np.uint8)
        self.starts = np.zeros(capacity + 1, np.int64)
        self.first = np.zeros(capacity, np.int64)
        self.tokens = np.empty(0, np.int32)
        self.breaks = np.empty(0, np.int64)
        self.state = np.zeros(5, np.int64)
        self.checked = 0

    def __len__(self) -> int:
        return int(self.state[1])

    def add(self, data: bytes, base: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of the words of a text with padding, and the places where lines begin among them."""
        from fastw2v import scan

        end = len(data) - len(PADDING)
        if len(self.tokens) < end // 2 + 1:
            self.tokens = np.empty(end // 2 + 1, np.int32)
            self.breaks = np.empty(end // 2 + 2, np.int64)
        self.state[[scan.POSITION, scan.TOKENS, scan.BREAKS]] = 0
        characters = np.frombuffer(data, np.uint8)
        while not scan.scan(
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
                self.text = _longer(self.text, 2 * len(self.text))
        return self.tokens[: self.state[scan.TOKENS]].copy(), self.breaks[: self.state[scan.BREAKS]].copy()

    def is_utf8(self) -> bool:
        """Whether the words that are new since the last call are UTF-8; once some are not, never again."""
        try:
            self.text[self.checked : self.starts[len(self)]].tobytes().decode()
        except UnicodeDecodeError:
            return False
        self.checked = int(self.starts[len(self)])
        return True

    def as_text(self) -> bytes:
        """Return the words, in the order of their ids, each on a line."""
        return self.text[: self.starts[len(self)]].tobytes() + PADDING

    def counts(self) -> np.ndarray:
        """Return how often each word was seen."""
        from fastw2v import scan

        counts = np.empty(len(self), np.int64)
        scan.counts_of(self.slots, counts)
        return counts

    def _add_room_for_words(self) -> None:
        from fastw2v import scan

        capacity = 2 * len(self.first)
        larger = _empty_slots(2 * capacity)
        scan.copy_slots(self.slots, larger)
        self.slots = larger
        self.starts = _longer(self.starts, capacity + 1)
        self.first = _longer(self.first, capacity)


def _empty_slots(n: int) -> np.ndarray:
    """Return slots of which none lies across two lines of the processor's cache."""
    from fastw2v import scan

    numbers = np.zeros(scan.SLOT * (n + 1), np.uint64)
    skipped = -numbers.ctypes.data // numbers.itemsize % scan.SLOT
    return numbers[skipped : skipped + scan.SLOT * n]


def _longer(array: np.ndarray, n: int) -> np.ndarray:
    longer = np.empty(n, array.dtype)
    longer[: len(array)] = array
    return longer


def _number_compiled(pieces: Iterator[Piece], lower: bool, errors: Errors, workers: int) -> Numbered:
    tables = [_Table() for _ in range(workers)]
    tables[0].add(PADDING, 0)  # compiles, or loads the machine code, before the threads start

    def number(numbered_piece: tuple[int, Piece]) -> tuple[np.ndarray, np.ndarray, int]:
        i, piece = numbered_piece
        data = piece.data if errors == "strict" else valid(piece, errors)
        # Each thread has a table, which so sees its pieces in their order: it notes where a word was first once, when
        # the word is new. Any number that rises from piece to piece will do: a piece is shorter than 2**32 bytes.
        table = i % workers
        ids, breaks = tables[table].add(data, i << 32)
        # A text is UTF-8 if its words are, and most of them were looked at before.
        if not tables[table].is_utf8():
            valid(piece, errors)
        return ids, breaks, table

    tokens = _Tokens()
    for ids, breaks, table in _in_order(number, enumerate(pieces), workers):
        tokens.append(ids, breaks, table)
    return _merged(tables, lower, tokens)


def _merged(tables: list[_Table], lower: bool, tokens: _Tokens) -> Numbered:
    """Make one table of several, with its words in the order of their first appearance."""
    counts = [table.counts() for table in tables]
    firsts = [table.first[: len(table)].copy() for table in tables]
    if lower:
        # Words are put in lower case one by one: a word's neighbours make no difference to it.
        texts = [table.as_text().decode().lower().encode() for table in tables]
        whole = _Table()
        places = [whole.add(text, 0)[0] for text in texts]
    else:
        whole = max(tables, key=len)
        places = [
            np.arange(len(count), dtype=np.int32) if table is whole else whole.add(table.as_text(), 0)[0]
            for table, count in zip(tables, counts, strict=True)
        ]
    total = np.zeros(len(whole), np.int64)
    first = np.full(len(whole), _NEVER)
    for place, some_counts, some_firsts in zip(places, counts, firsts, strict=True):
        np.add.at(total, place, some_counts)
        np.minimum.at(first, place, some_firsts)

    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    tokens.tables = [rank[place] for place in places]
    starts = whole.starts[: len(whole) + 1].copy()
    text = whole.text[: starts[-1]].copy()

    def words(chosen: np.ndarray) -> list[str]:
        found: list[str] = []
        for i in range(0, len(chosen), WORDS_AT_ONCE):
            places = order[chosen[i : i + WORDS_AT_ONCE]]
            lengths = starts[places + 1] - starts[places]  # each with its line feed
            ends = np.cumsum(lengths)
            at = np.repeat(starts[places] - ends + lengths, lengths) + np.arange(ends[-1])
            found += text[at].tobytes().decode().split("\n")[:-1]
        return found

    return Numbered(total[order], words, tokens)


def _in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Call a function in threads, and yield its results in the order of the items; few are held at a time.

    Item i is for thread i modulo `workers`, which takes its items in their order.
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
