"""Indexing: assign ids to the words of a text, which is read only once.

The counts of words are unknown until the whole text has been read. Each word therefore gets a provisional id, in order
of first appearance, and the provisional ids of the text are stored with 4 bytes per token. After the words have been
counted, the provisional ids are replaced with final ids in place, and dropped words are removed.

If Numba is installed, long texts are indexed by compiled code (`fastw2v.kernels.tokenizer`) in several threads, each of
which has its own hash table. The tables are merged at the end, and the words are sorted by first appearance, so the
result does not depend on the number of threads. Short texts are indexed with a Python dictionary, because loading the
compiled code would take longer.
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
from fastw2v.kernels import numba_unavailable_reason

__all__ = ["IndexedText", "TextIndexer", "WordTable", "index_text"]

T = TypeVar("T")
R = TypeVar("R")
SHORT_TEXT_BYTES = 1 << 23
"""Maximum size in bytes of a text that is indexed with a dictionary; loading the compiled code would take longer."""
DECODE_BATCH = 1 << 16
"""Number of words that are decoded together."""
_NEVER = np.iinfo(np.int64).max
"""Initial value for the position at which a word first appears, larger than any actual position."""


class IndexedText:
    r"""A text encoded as provisional ids, with its distinct words and their counts.

    Create an indexed text with `TextIndexer` or `index_text`.

    Attributes
    ----------
    counts : int64 array, shape (V,)
        Count of each word, in order of first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import TextIndexer
    >>> indexer = TextIndexer()
    >>> indexer.add_text("the cat\nthe dog\n")
    >>> text = indexer.indexed()
    >>> text.words(np.arange(3)), text.counts.tolist()
    (['the', 'cat', 'dog'], [2, 1, 1])
    """

    def __init__(self, counts: np.ndarray, words: Callable[[np.ndarray], list[str]], tokens: _Tokens) -> None:
        self.counts = counts
        self._words = words
        self._tokens = tokens

    def words(self, indices: np.ndarray) -> list[str]:
        r"""Return the words with the given indices; words are numbered in order of first appearance.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat\nthe dog\n")
        >>> indexer.indexed().words(np.array([2, 0]))
        ['dog', 'the']
        """
        return self._words(indices)

    def encode(self, final: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the final ids and the sentence offsets of the text.

        This method overwrites the provisional ids, so it can be called only once.

        Parameters
        ----------
        final : int32 array, shape (V,)
            The final id of each word, or −1 to drop the word.
        workers : int
            Number of threads.

        Returns
        -------
        ids : int32 array, shape (T,)
        offsets : int64 array, shape (n_sentences + 1,)
            Start of each non-empty sentence, followed by T.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat\nthe dog\n")
        >>> final = np.array([1, -1, 0], dtype=np.int32)  # the: 1, cat: dropped, dog: 0
        >>> ids, offsets = indexer.indexed().encode(final, workers=1)
        >>> ids.tolist(), offsets.tolist()
        ([1, 1, 0], [0, 1, 3])
        """
        encoded = self._tokens.encode(final, int(self.counts[final >= 0].sum()), workers)
        _return_freed_memory()
        return encoded


class TextIndexer:
    """An indexer that assigns ids to words with a dictionary, in order of first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import TextIndexer
    >>> indexer = TextIndexer()
    >>> indexer.add_text("the cat sat")
    >>> indexer.add_text("on the mat")
    >>> text = indexer.indexed()
    >>> text.words(np.arange(5)), text.counts.tolist()
    (['the', 'cat', 'sat', 'on', 'mat'], [2, 1, 1, 1, 1])
    """

    def __init__(self) -> None:
        self._word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._counts = np.zeros(0, dtype=np.int64)
        self._tokens = _Tokens()

    def add(self, words: list[str], breaks: list[int]) -> None:
        """Append words to the text.

        Parameters
        ----------
        words : list of str
        breaks : list of int
            Indices in `words` at which a new sentence starts.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add(["the", "cat", "the", "dog"], breaks=[2])
        >>> ids, offsets = indexer.indexed().encode(np.arange(3, dtype=np.int32), workers=1)
        >>> ids.tolist(), offsets.tolist()
        ([0, 1, 0, 2], [0, 2, 4])
        """
        ids = np.fromiter(map(self._word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
        counts = np.bincount(ids, minlength=len(self._word_to_id))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._tokens.append(ids, np.array(breaks, dtype=np.int64), table=0)

    def add_text(self, text: str) -> None:
        r"""Append the words of a text, which must not begin or end within a word.

        A sentence can continue in the next call, because only a line feed starts a new sentence.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat\nthe ")
        >>> indexer.add_text("dog\n")
        >>> ids, offsets = indexer.indexed().encode(np.arange(3, dtype=np.int32), workers=1)
        >>> ids.tolist(), offsets.tolist()
        ([0, 1, 0, 2], [0, 2, 4])
        """
        first, *others = text.split("\n")
        words = first.split()
        breaks = []
        for line in others:
            breaks.append(len(words))
            words += line.split()
        self.add(words, breaks)

    def indexed(self) -> IndexedText:
        """Return the indexed text; no words can be added afterwards.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat and the dog")
        >>> indexer.indexed().counts.tolist()  # the, cat, and, dog
        [2, 1, 1, 1]
        """
        words = np.array(list(self._word_to_id), dtype=object)
        self._word_to_id.clear()
        self._tokens.tables = [np.arange(len(words), dtype=np.int32)]
        return IndexedText(self._counts, lambda indices: words[indices].tolist(), self._tokens)


class WordTable:
    r"""A compiled hash table that assigns ids to words in order of first appearance.

    Parameters
    ----------
    capacity : int
        Initial capacity in words, a power of two. The table grows as needed.
    text_bytes : int
        Initial capacity in bytes for the text of the words. It grows as needed.

    Examples
    --------
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> table = WordTable()
    >>> ids, breaks = table.add(b"the cat\nthe dog" + PADDING, base=0)
    >>> ids.tolist(), breaks.tolist()
    ([0, 1, 0, 2], [2])
    >>> len(table)
    3
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
        r"""Add the words of a text to the table and return their ids.

        Parameters
        ----------
        data : bytes
            The text, followed by `fastw2v.corpus.sources.PADDING`.
        base : int
            Position of `data` in the whole corpus. Positions are used to sort words by first appearance.

        Returns
        -------
        ids : int32 array
        breaks : int64 array
            Indices of the tokens that start a new line.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import WordTable
        >>> from fastw2v.corpus.sources import PADDING
        >>> table = WordTable()
        >>> ids, breaks = table.add(b"the cat\nthe dog" + PADDING, base=0)
        >>> ids.tolist(), breaks.tolist()
        ([0, 1, 0, 2], [2])
        """
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
        r"""Return whether the words added since the last call are valid UTF-8; once False, the result stays False.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import WordTable
        >>> from fastw2v.corpus.sources import PADDING
        >>> table = WordTable()
        >>> _ = table.add("café".encode() + PADDING, base=0)
        >>> table.is_utf8()
        True
        >>> _ = table.add("café".encode("latin-1") + PADDING, base=100)
        >>> table.is_utf8()
        False
        """
        try:
            self.text[self.checked : self.starts[len(self)]].tobytes().decode()
        except UnicodeDecodeError:
            return False
        self.checked = int(self.starts[len(self)])
        return True

    def as_text(self) -> bytes:
        r"""Return the words in order of id, one per line, followed by `PADDING`.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import WordTable
        >>> from fastw2v.corpus.sources import PADDING
        >>> table = WordTable()
        >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
        >>> table.as_text().removesuffix(PADDING)
        b'the\ncat\nand\ndog\n'
        """
        return self.text[: self.starts[len(self)]].tobytes() + PADDING

    def counts(self) -> np.ndarray:
        """Return the count of each word, in order of id.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import WordTable
        >>> from fastw2v.corpus.sources import PADDING
        >>> table = WordTable()
        >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
        >>> table.counts().tolist()
        [2, 1, 1, 1]
        """
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
        See `fastw2v.corpus.sources.read_blocks`.
    lower : bool
        Whether to convert words to lower case.
    errors : {"strict", "replace", "ignore"}
        How to handle bytes that are not valid UTF-8.
    workers : int
        Number of threads. The result does not depend on the number of threads.

    Returns
    -------
    IndexedText

    Raises
    ------
    ValueError
        If the text is not valid UTF-8 and `errors` is "strict".

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import index_text
    >>> from fastw2v.corpus.sources import blocks_of_lines
    >>> blocks = blocks_of_lines(["The cat", "the dog"], "example")
    >>> text = index_text(blocks, lower=True, errors="strict", workers=1)
    >>> text.words(np.arange(3)), text.counts.tolist()
    (['the', 'cat', 'dog'], [2, 1, 1])
    """
    first: list[TextBlock] = []
    while sum(len(block.data) for block in first) <= SHORT_TEXT_BYTES and (block := next(blocks, None)):
        first.append(block)
    all_blocks = itertools.chain(first, blocks)
    short = sum(len(block.data) for block in first) <= SHORT_TEXT_BYTES
    if short or numba_unavailable_reason():
        indexer = TextIndexer()
        for block in all_blocks:
            text = decode_block(block, errors)
            indexer.add_text(text.lower() if lower else text)
        return indexer.indexed()
    return _index_compiled(all_blocks, lower, errors, workers)


def _return_freed_memory() -> None:
    """Return freed memory to the operating system; otherwise glibc would keep 80 MB after 17 million words."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other C libraries lack malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


class _Tokens:
    """The provisional ids of a text, in blocks; each block uses the ids of one of several tables."""

    def __init__(self) -> None:
        self.ids = SpillBuffer(np.int32)
        self.breaks = SpillBuffer(np.int64)
        self.breaks.append(np.zeros(1, np.int64))  # room for the start of the first sentence
        self.blocks: list[tuple[int, int, int]] = []
        self.tables: list[np.ndarray] = []
        """For each table, the ranks of its words in order of first appearance in the text."""

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

        # Each block is read before it is overwritten, and the blocks written are never larger than the blocks read.
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
    """Replace provisional ids with final ids and drop tokens whose final id is −1."""
    ids, breaks, final = block
    ids = final[ids]
    kept = ids >= 0
    dropped = np.flatnonzero(~kept)
    return ids[kept], breaks - np.searchsorted(dropped, breaks)


def _empty_slots(n: int) -> np.ndarray:
    """Return empty slots, aligned so that no slot crosses a cache line."""
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
    # Compile the code or load it from the cache before the threads start. Ctrl-C raises an exception in the main
    # thread, where it would be lost if it occurred in a call from LLVM.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(tables[0].add, PADDING, 0).result()

    def index_block(item: tuple[int, TextBlock]) -> tuple[np.ndarray, np.ndarray, int]:
        i, block = item
        data = block.data if errors == "strict" else valid_utf8(block, errors)
        # Each thread fills its own table in the order of the blocks, so a word that is new to a table appears there for
        # the first time. The base only has to increase by more than the length of a block, which is below 2**32 bytes.
        table = i % workers
        ids, breaks = tables[table].add(data, i << 32)
        # A text is valid UTF-8 if its words are, and most words have been checked already.
        if not tables[table].is_utf8():
            valid_utf8(block, errors)
        return ids, breaks, table

    tokens = _Tokens()
    for ids, breaks, table in _in_order(index_block, enumerate(blocks), workers):
        tokens.append(ids, breaks, table)
    return _merge(tables, lower, tokens)


def _merge(tables: list[WordTable], lower: bool, tokens: _Tokens) -> IndexedText:
    """Merge several tables into one indexed text, with the words in order of first appearance."""
    counts = [table.counts() for table in tables]
    firsts = [table.first[: len(table)].copy() for table in tables]
    if lower:
        # The lower-case form of a word does not depend on its neighbours, so each distinct word is converted only once.
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
            lengths = starts[some + 1] - starts[some]  # including the line feeds
            ends = np.cumsum(lengths)
            at = np.repeat(starts[some] - ends + lengths, lengths) + np.arange(ends[-1])
            found += text[at].tobytes().decode().split("\n")[:-1]
        return found

    return IndexedText(total[order], words, tokens)


def _in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Call a function on each item in threads, and yield the results in order while keeping few of them in memory.

    Thread ``i % workers`` processes item ``i``. Each thread processes its items in order.
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
