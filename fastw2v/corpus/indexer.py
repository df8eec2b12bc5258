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
import threading
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from fastw2v.config import UnicodeForm
from fastw2v.corpus.conversion import convert
from fastw2v.corpus.sources import PADDING, Errors, FileBlock, TextBlock, decode_block, valid_utf8
from fastw2v.corpus.spill_buffer import ReversedBuffer, SpillStack
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.utils.interrupts import call_in_thread

__all__ = ["IndexedText", "TextIndexer", "WordTable", "final_ids", "index_text"]

T = TypeVar("T")
R = TypeVar("R")
SHORT_TEXT_BYTES = 1 << 23
"""Maximum size in bytes of a text that is indexed with a dictionary; loading the compiled code would take longer."""
DECODE_BATCH = 1 << 16
"""Number of words that are decoded together."""
CONVERTED_BATCH = 1 << 8
"""Number of words that are converted together; a batch of words that already have the form takes less time."""
FULL = 5 / 8
"""Share of used slots at which a hash table grows. Larger tables need fewer comparisons, but have more cache misses."""
PART_WORDS = 1 << 14
"""Number of words of a part when tables are merged, so that a part fits in the second-level cache."""
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

    def __init__(
        self,
        counts: np.ndarray,
        words: Callable[[np.ndarray], list[str]],
        stacks: list[_Tokens],
        stack_of_block: Sequence[int],
        replace: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    ) -> None:
        self.counts = counts
        self._words = words
        self._stacks = stacks
        self._stack_of_block = stack_of_block
        self._replace = replace

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

    def encode(self, final: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the final ids and the sentence offsets of the text.

        This method frees the words and the provisional ids, so it must be called last.

        Parameters
        ----------
        final : int32 array, shape (V,)
            The final id of each word, or −1 to drop the word.

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
        >>> ids, offsets = indexer.indexed().encode(final)
        >>> ids.tolist(), offsets.tolist()
        ([1, 1, 0], [0, 1, 3])
        """
        stacks = self._stacks
        finals = [final if tokens.ranks is None else final[tokens.ranks] for tokens in stacks]
        last = int(self.counts[final >= 0].sum())
        ids = ReversedBuffer(np.int32, last)
        offsets = ReversedBuffer(np.int64, 2 + sum(tokens.n_breaks for tokens in stacks))
        offsets.prepend(np.array([last]))

        def replaced(stack: int) -> tuple[np.ndarray, np.ndarray]:
            return self._replace(*stacks[stack].pop(), finals[stack])

        for block_ids, breaks in self._from_the_end(replaced, last):
            ids.prepend(block_ids)
            if len(breaks) and breaks[-1] == last:
                breaks = breaks[:-1]
            if len(breaks):
                offsets.prepend(breaks)
                last = int(breaks[0])
        if last:
            offsets.prepend(np.array([0]))
        finals.clear()
        self._free()
        return ids.array(), offsets.array()

    def provisional_ids(self) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the provisional ids of the text, and where its lines begin.

        This method frees the words and the provisional ids, so it must be called last.

        Returns
        -------
        ids : int32 array, shape (T,)
            Words are numbered in order of first appearance.
        breaks : int64 array
            Increasing indices of the tokens before which a line begins, and T if the text ends with a line feed.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat\nthe dog\n")
        >>> ids, breaks = indexer.indexed().provisional_ids()
        >>> ids.tolist(), breaks.tolist()
        ([0, 1, 0, 2], [2, 4])
        """
        stacks = self._stacks
        total = int(self.counts.sum())
        ids = ReversedBuffer(np.int32, total)
        breaks = ReversedBuffer(np.int64, sum(tokens.n_breaks for tokens in stacks))

        def numbered(stack: int) -> tuple[np.ndarray, np.ndarray]:
            ids, breaks = stacks[stack].pop()
            ranks = stacks[stack].ranks
            return ids if ranks is None else ranks[ids], breaks

        for block_ids, block_breaks in self._from_the_end(numbered, total):
            ids.prepend(block_ids)
            breaks.prepend(block_breaks)
        self._free()
        starts = breaks.array()
        return ids.array(), starts[np.diff(starts, prepend=-1) > 0]

    def _from_the_end(
        self, pop: Callable[[int], tuple[np.ndarray, np.ndarray]], n: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the ids and breaks of the blocks, of n ids in total, from the last block to the first.

        `pop` returns those of the last block of the stack with the given index.
        """
        threads = len(self._stacks)  # one thread pops all blocks of a stack, so it pops them in order
        for ids, breaks in _in_order(pop, reversed(self._stack_of_block), threads, thread_of=lambda stack: stack):
            n -= len(ids)
            yield ids, breaks + n

    def _free(self) -> None:
        del self._words
        self._stacks.clear()
        _return_freed_memory()


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
        >>> ids, offsets = indexer.indexed().encode(np.arange(3, dtype=np.int32))
        >>> ids.tolist(), offsets.tolist()
        ([0, 1, 0, 2], [0, 2, 4])
        """
        ids = np.fromiter(map(self._word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
        counts = np.bincount(ids, minlength=len(self._word_to_id))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._tokens.push(ids, np.array(breaks, dtype=np.int64))

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
        >>> ids, offsets = indexer.indexed().encode(np.arange(3, dtype=np.int32))
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
        return IndexedText(
            self._counts, lambda indices: words[indices].tolist(), [self._tokens], [0] * len(self._tokens), final_ids
        )


class WordTable:
    r"""A compiled hash table that assigns ids to words in order of first appearance.

    Parameters
    ----------
    n_slots : int
        Initial number of slots, a power of two that is at least 2. The table grows when the share `FULL` of its slots
        is used.
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

    def __init__(self, n_slots: int = 1 << 17, text_bytes: int = 1 << 20) -> None:
        capacity = int(FULL * n_slots)
        self.slots = _empty_slots(n_slots)
        self.text = np.empty(text_bytes, np.uint8)
        self.starts = np.zeros(capacity + 1, np.int64)
        self.first = np.zeros(capacity, np.int64)
        self.tokens = np.empty(0, np.int32)
        self.breaks = np.empty(0, np.int64)
        self.characters = np.empty(0, np.uint8)
        self.state = np.zeros(5, np.int64)
        self.checked = 0

    def __len__(self) -> int:
        return int(self.state[1])

    def add(self, data: bytes | np.ndarray, base: int) -> tuple[np.ndarray, np.ndarray]:
        r"""Add the words of a text to the table and return their ids, in arrays that the next call overwrites.

        Parameters
        ----------
        data : bytes or uint8 array
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
        return self.tokens[: self.state[tokenizer.TOKENS]], self.breaks[: self.state[tokenizer.BREAKS]]

    def room(self, n: int) -> np.ndarray:
        """Return an array for a text of `n` bytes, which the next call overwrites.

        Returns
        -------
        uint8 array, shape (n,)

        Examples
        --------
        >>> from fastw2v.corpus.indexer import WordTable
        >>> len(WordTable().room(100))
        100
        """
        if len(self.characters) < n:
            self.characters = np.empty(n, np.uint8)
        return self.characters[:n]

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
        from fastw2v.kernels import tokenizer

        end = int(self.starts[len(self)])
        if not tokenizer.is_utf8(self.text, self.checked, end):
            return False
        self.checked = end
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

        n_slots = 2 * len(self.slots) // tokenizer.SLOT
        capacity = int(FULL * n_slots)
        larger = _empty_slots(n_slots)
        tokenizer.copy_slots(self.slots, larger)
        self.slots = larger
        self.starts = _enlarged(self.starts, capacity + 1)
        self.first = _enlarged(self.first, capacity)


def index_text(
    blocks: Iterator[TextBlock | FileBlock],
    *,
    lower: bool = False,
    normalize: UnicodeForm | None = None,
    errors: Errors,
    workers: int,
    short_bytes: int | None = None,
) -> IndexedText:
    """Assign provisional ids to the words of a text.

    Parameters
    ----------
    blocks : iterator of TextBlock or FileBlock
        See `fastw2v.corpus.sources.read_blocks`.
    lower : bool
        Whether to convert words to lower case.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"}, optional
        Unicode form to which words are converted; see `fastw2v.corpus.conversion.convert`.
    errors : {"strict", "replace", "ignore"}
        How to handle bytes that are not valid UTF-8.
    workers : int
        Number of threads. The result does not depend on the number of threads.
    short_bytes : int, optional
        Maximum size in bytes of a text that is indexed without compiled code. By default, `SHORT_TEXT_BYTES`.

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
    short_bytes = SHORT_TEXT_BYTES if short_bytes is None else short_bytes
    first: list[TextBlock | FileBlock] = []
    size = 0
    while size <= short_bytes and (block := next(blocks, None)):
        first.append(block)
        size += block.size
    all_blocks = itertools.chain(first, blocks)
    if size <= short_bytes or numba_unavailable_reason():
        indexer = TextIndexer()
        for block in all_blocks:
            text = decode_block(block, errors)
            indexer.add_text(convert(text, lower, normalize))
        return indexer.indexed()
    return _index_compiled(all_blocks, lower, normalize, errors, workers)


def _return_freed_memory() -> None:
    """Return freed memory to the operating system; otherwise glibc would keep 80 MB after 17 million words."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other C libraries lack malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


class _Tokens:
    """The provisional ids of one table, block by block, on a stack."""

    def __init__(self, n_stacks: int = 1) -> None:
        self._ids = SpillStack(np.int32, n_stacks)
        self._breaks = SpillStack(np.int64, n_stacks)
        self.n_breaks = 0
        self.ranks: np.ndarray | None = None
        """For each provisional id, the rank of the word by first appearance in the text; None if they are equal."""
        self.starts: np.ndarray | None = None
        """If a word was converted to several words: pushed id i stands for the ids starts[i] to starts[i + 1] - 1."""

    def __len__(self) -> int:
        return len(self._ids)

    def push(self, ids: np.ndarray, breaks: np.ndarray) -> None:
        self._ids.push(ids)
        self._breaks.push(breaks)
        self.n_breaks += len(breaks)

    def pop(self) -> tuple[np.ndarray, np.ndarray]:
        ids, breaks = self._ids.pop(), self._breaks.pop()
        if self.starts is None:
            return ids, breaks
        counts = np.diff(self.starts)[ids]
        ends = np.cumsum(counts, dtype=np.int64)
        words = np.repeat(self.starts[ids] - (ends - counts), counts) + np.arange(counts.sum())
        return words.astype(np.int32), np.concatenate(([0], ends))[breaks]


def final_ids(ids: np.ndarray, breaks: np.ndarray, final: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace provisional ids with final ones, and drop words, as `fastw2v.kernels.tokenizer.replace_ids` does.

    Parameters
    ----------
    ids : int32 array, shape (T,)
        Provisional ids.
    breaks : int64 array
        Indices of the tokens that begin a line.
    final : int32 array
        For each provisional id, the final one, or −1 to drop the word.

    Returns
    -------
    ids : int32 array
    breaks : int64 array
        The breaks without repetitions, which empty lines cause.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import final_ids
    >>> ids, breaks = final_ids(np.array([0, 1, 0, 2]), np.array([2, 3, 3, 4]), np.array([-1, 1, 0]))
    >>> ids.tolist(), breaks.tolist()
    ([1, 0], [1, 2])
    """
    ids = final[ids]
    kept = ids >= 0
    dropped = np.flatnonzero(~kept)
    breaks = breaks - np.searchsorted(dropped, breaks)
    return ids[kept], breaks[np.diff(breaks, prepend=-1) > 0]


def _final_ids_compiled(ids: np.ndarray, breaks: np.ndarray, final: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from fastw2v.kernels import tokenizer

    n, m = tokenizer.replace_ids(ids, breaks, final)
    return ids[:n], breaks[:m]


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


def _index_compiled(
    blocks: Iterator[TextBlock | FileBlock],
    lower: bool,
    normalize: UnicodeForm | None,
    errors: Errors,
    workers: int,
) -> IndexedText:
    tables = [WordTable() for _ in range(workers)]
    stacks = [_Tokens(workers) for _ in range(workers)]
    call_in_thread(tables[0].add, PADDING, 0)  # compiles the code, or loads it from the cache, before threads start
    thread = threading.local()
    unused = iter(range(workers))

    def index_block(item: tuple[int, TextBlock | FileBlock]) -> int:
        i, block = item
        if not hasattr(thread, "number"):
            thread.number = next(unused)
        table, tokens = tables[thread.number], stacks[thread.number]
        if errors == "strict":
            data = block.characters(table.room)
        else:
            data = np.frombuffer(valid_utf8(block, errors), np.uint8)
        # A thread takes one block after another and fills its own table, so a word that is new to a table appears there
        # for the first time. The base only has to increase by more than the length of a block, which is below 2**32.
        ids, breaks = table.add(data, i << 32)
        # A text is valid UTF-8 if its words are, and most words have been checked already.
        if not table.is_utf8():
            valid_utf8(TextBlock(data.tobytes(), block.name, block.position), errors)
        tokens.push(ids, breaks)
        return int(thread.number)

    stack_of_block = array("i", _in_order(index_block, enumerate(blocks), workers))
    return _indexed(tables, stacks, stack_of_block, lower, normalize)


class _Words(NamedTuple):
    """The words of several tables, one table after another.

    Several words may be the same distinct word, which has a number, as in ``numbers[word]``, and a count, as in
    ``counts[number]``.
    """

    text: np.ndarray
    starts: np.ndarray
    first: np.ndarray
    """Position at which each word first appears, or `_NEVER`."""
    numbers: np.ndarray
    counts: np.ndarray


def _indexed(
    tables: list[WordTable],
    stacks: list[_Tokens],
    stack_of_block: Sequence[int],
    lower: bool,
    normalize: UnicodeForm | None,
) -> IndexedText:
    """Return the text of several tables, with the words in order of first appearance. The tables are freed."""
    from fastw2v.kernels import tokenizer

    workers = len(tables)
    converted: list[np.ndarray] = []  # for each table, the ids of converted words
    if lower or normalize is not None:
        for tokens, (ids, starts) in zip(
            stacks, _in_order(lambda table: _convert_words(table, lower, normalize), tables, workers), strict=True
        ):
            tokens.starts = starts
            converted.append(ids)
    words, edges = _merge(tables)
    tables.clear()
    # The words of a table are in order of first appearance already, and a stable sort merges ordered runs.
    order = np.argsort(words.first, kind="stable")[: np.count_nonzero(words.first < _NEVER)]
    rank, distinct = np.full(len(words.counts), -1, np.int32), np.empty(len(order), np.int64)
    distinct = distinct[: tokenizer.rank_words(order, words.numbers, rank, distinct)]
    numbers = np.split(words.numbers, edges)
    if converted:
        numbers = [own[ids] for own, ids in zip(numbers, converted, strict=True)]
    for tokens, ranks in zip(stacks, _in_order(rank.__getitem__, numbers, workers), strict=True):
        tokens.ranks = ranks

    def decoded(indices: np.ndarray) -> list[str]:
        found: list[str] = []
        for i in range(0, len(indices), DECODE_BATCH):
            text = tokenizer.gather_words(words.text, words.starts, distinct[indices[i : i + DECODE_BATCH]])
            found += text.tobytes().decode().split("\n")[:-1]
        return found

    counts = words.counts[words.numbers[distinct]]
    return IndexedText(counts, decoded, stacks, stack_of_block, _final_ids_compiled)


def _convert_words(
    table: WordTable, lower: bool, normalize: UnicodeForm | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert the words of a table, and return for each word the id of the result.

    The result of a word does not depend on its neighbours, so each distinct word is converted only once. If some words
    become several words, their ids follow each other, and the second result says where those of each word begin.
    Otherwise, it is None. Words that are no longer used stay in the table, with the count 0 and the position `_NEVER`.
    """
    from fastw2v.kernels import tokenizer

    n, counts, first = len(table), table.counts(), table.first
    is_changed = np.zeros(n, bool)
    results = []
    for i in range(0, n, CONVERTED_BATCH):
        end = min(i + CONVERTED_BATCH, n)
        batch = table.text[table.starts[i] : table.starts[end]].tobytes().decode()
        if (result := convert(batch, lower, normalize)) != batch:
            is_changed[i:end] = True
            results.append(result.encode())
    found, breaks = table.add(b"".join(results) + PADDING, 0)
    n_words = np.ones(n, np.int64)
    n_words[is_changed] = np.diff(breaks, prepend=0)
    starts = np.concatenate(([0], np.cumsum(n_words)))
    ids = np.empty(starts[-1], np.int32)
    is_found = np.repeat(is_changed, n_words)
    ids[is_found], ids[~is_found] = found, np.flatnonzero(~is_changed)
    # A word of n bytes becomes at most n + 1 words, so the positions of all words are still distinct.
    positions = np.repeat(first[:n] - starts[:-1], n_words) + np.arange(len(ids))
    table.first[: len(table)] = _NEVER
    np.minimum.at(table.first, ids, positions)
    totals = np.zeros(len(table), np.int64)
    np.add.at(totals, ids, np.repeat(counts, n_words))
    tokenizer.set_counts(table.slots, totals)
    return ids, starts if (n_words != 1).any() else None


def _merge(tables: list[WordTable]) -> tuple[_Words, np.ndarray]:
    """Return the words of all tables, numbered, and the indices at which the words of the next table begin.

    The words are divided into parts by the highest bits of their hashes, and threads merge one part of all tables after
    another. Slots are ordered by these bits, so a part is a range of slots. The numbers are in no particular order, and
    some are unused, because each part reserves as many numbers as it has words in all tables.
    """
    from fastw2v.kernels import tokenizer

    workers = len(tables)
    if workers == 1:
        (table,) = tables
        n = len(table)
        text, starts, first = table.text[: table.starts[n]], table.starts[: n + 1], table.first[:n]
        return _Words(text, starts, first, np.arange(n, dtype=np.int32), table.counts()), np.empty(0, np.int64)
    offsets = np.cumsum([0, *map(len, tables)])
    text_offsets = np.cumsum([0, *(table.starts[len(table)] for table in tables)])
    total = int(offsets[-1])
    text, starts = np.empty(text_offsets[-1], np.uint8), np.empty(total + 1, np.int64)
    starts[total] = text_offsets[-1]
    first = np.empty(total, np.int64)
    numbers, counts = np.empty(total, np.int32), np.zeros(total, np.int64)

    def append(i: int) -> None:
        words, characters = slice(offsets[i], offsets[i + 1]), slice(text_offsets[i], text_offsets[i + 1])
        n = len(tables[i])
        text[characters] = tables[i].text[: tables[i].starts[n]]
        np.add(tables[i].starts[:n], text_offsets[i], out=starts[words])
        first[words] = tables[i].first[:n]

    list(_in_order(append, range(workers), workers))
    wanted = max(4 * workers, total // PART_WORDS)
    n_parts = min(1 << wanted.bit_length(), *(len(table.slots) // tokenizer.SLOT for table in tables))
    lock = threading.Lock()
    used = 0

    def merge(part: int) -> None:
        nonlocal used
        found = [tokenizer.slots_of_part(table.slots, part, n_parts) for table in tables]
        room = sum(map(len, found))
        with lock:
            base, used = used, used + room
        slots, distinct, n = _empty_slots(1 << (3 * room // 2).bit_length()), np.empty(room, np.int64), 0
        for table, own, offset in zip(tables, found, offsets[:-1].tolist(), strict=True):
            n = tokenizer.merge_words(
                *(table.slots, own, n_parts, offset, text, starts, slots, distinct, n, base, numbers)
            )
        tokenizer.counts_of(slots, counts[base : base + n])

    list(_in_order(merge, range(n_parts), workers))
    return _Words(text, starts, first, numbers, counts), offsets[1:-1]


def _in_order(
    function: Callable[[T], R], items: Iterable[T], workers: int, thread_of: Callable[[T], int] | None = None
) -> Iterator[R]:
    """Call a function on each item in threads, and yield the results in order while keeping few of them in memory.

    A thread takes the next item when it has finished one, so fast threads process more items. If `thread_of` is given,
    it returns the number of the thread that processes an item. A thread processes its items in order in both cases.
    """
    pending: deque[Future[R]] = deque()
    with contextlib.ExitStack() as stack:
        sizes = [workers] if thread_of is None else [1] * workers
        pools = [stack.enter_context(ThreadPoolExecutor(size, "fastw2v")) for size in sizes]
        try:
            for item in items:
                pending.append(pools[thread_of(item) if thread_of else 0].submit(function, item))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
