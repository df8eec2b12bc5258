"""Compiled tokenizer: split text at white space and assign ids to words in one pass over the bytes.

White space is detected in blocks of 64 bytes, as a mask with one bit per byte. Words begin and end where adjacent bits
differ. Words are looked up in a hash table with open addressing. Each slot consists of four 64-bit integers and fills
half a cache line:

- the first eight bytes of the word,
- the next eight bytes,
- the id and a tag, which consists of 27 bits of the hash and the length,
- the count.

Nearly all words of a text have at most 16 bytes, so they are compared and counted without reading memory outside the
slot. For longer words, the hash replaces the second eight bytes, and words with equal slots are compared byte by byte.

The words of a table are stored consecutively, each followed by a line feed, so together they form a text.

The highest bits of the hash give the slot. The words whose hashes begin with the same bits therefore occupy a range of
slots. The tables of several threads are merged range by range, so that several threads can merge at the same time.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastw2v.kernels.compilation import compiled, inlined
from fastw2v.kernels.simd import prefetch

POSITION, WORDS, BYTES, TOKENS, BREAKS = range(5)
"""Indices into the `state` array of `tokenize`."""
SLOT = 4
"""Number of 64-bit integers in a slot."""
_HEAD, _SECOND, _ENTRY, _COUNT = range(SLOT)
BATCH = 64
"""Approximate number of words that are found before any of them is looked up, so that slots can be prefetched."""
AHEAD = 1024
"""Distance in bytes at which the text is prefetched."""
EDGES = 8
"""Number of edges of words that are written at a time; the end of a loop over each of them could not be predicted."""
GROUP = 16
"""Number of ids that are replaced together; if all of their words are kept, they can be moved together."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
_IN_SLOT = 16
"""Number of bytes of a word that fit in a slot."""
_FIRST_BYTES = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(_IN_SLOT + 1)], np.uint64)
_NEXT_BYTES = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(_IN_SLOT + 1)], np.uint64)
"""Masks of the first and second eight bytes of a word, by the length of the word."""


def _bytes_in_range(low: int, high: int) -> Any:
    @intrinsic
    def found(typing: Any, data: Any, i: Any) -> Any:
        """Return a bit mask of the bytes in the range among the 64 bytes from `i` on; bounds are not checked."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(ir.IntType(8), 64)
            pointer = builder.gep(context.make_array(data)(context, builder, args[0]).data, [args[1]])
            block = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)
            above = builder.sub(block, ir.Constant(vector, [low] * 64))
            inside = builder.icmp_unsigned("<=", above, ir.Constant(vector, [high - low] * 64))
            return builder.bitcast(inside, ir.IntType(64))

        return types.uint64(data, types.intp), generate

    return found


_line_feeds = _bytes_in_range(10, 10)
_tabs_and_breaks = _bytes_in_range(9, 13)
_separators_and_spaces = _bytes_in_range(28, 32)
# The first bytes of non-ASCII white space. Many other characters have the same first bytes.
_leads_of_two = _bytes_in_range(0xC2, 0xC2)
_leads_of_three = _bytes_in_range(0xE1, 0xE3)


@intrinsic
def _load_eight_bytes(typing: Any, data: Any, i: Any) -> Any:
    """Return the eight bytes of `data` from `i` on as a little-endian integer; bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.gep(context.make_array(data)(context, builder, args[0]).data, [args[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.intp), generate


@intrinsic
def _store_eight_bytes(typing: Any, data: Any, i: Any, value: Any) -> Any:
    """Store a little-endian integer in the eight bytes of `data` from `i` on; bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.gep(context.make_array(data)(context, builder, args[0]).data, [args[1]])
        builder.store(args[2], builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.intp, types.uint64), generate


@intrinsic
def _count_trailing_zeros(typing: Any, x: Any) -> Any:
    """Return the index of the lowest set bit, or 64 if there is none."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def _popcount(typing: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@inlined
def _wide_space_length(data: Any, i: Any) -> Any:
    """Return the number of bytes of the non-ASCII white space character at `i`, or 0 if there is none."""
    if data[i] == 0xC2:
        return 2 if data[i + 1] == 0x85 or data[i + 1] == 0xA0 else 0
    b, c = data[i + 1], data[i + 2]
    if data[i] == 0xE1:
        space = b == 0x9A and c == 0x80
    elif data[i] == 0xE3:
        space = b == 0x80 and c == 0x80
    elif b == 0x80:
        space = c <= 0x8A or c == 0xA8 or c == 0xA9 or c == 0xAF
    else:
        space = b == 0x81 and c == 0x9F
    return 3 if space else 0


@inlined
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(32))) * _MIX
    return z ^ (z >> np.uint64(29))


@inlined
def _hash(head: Any, second: Any, length: Any) -> Any:
    return _mix(_mix(head) ^ second) + np.uint64(length) * _MIX


@inlined
def _hash_of_long(hashed: Any, data: Any, begin: Any, length: Any) -> Any:
    for j in range(_IN_SLOT, length, 8):
        hashed = _mix(hashed ^ _load_eight_bytes(data, begin + min(j, length - 8)))
    return hashed


@inlined
def _slot_shift(slots: Any) -> Any:
    """Return the right shift that turns a hash into a slot.

    The slot is given by the highest bits of the hash, so a larger table has its words in the same order.
    """
    return np.uint64(64 - _count_trailing_zeros(np.uint64(len(slots) // SLOT)))


@inlined
def _equal(text: Any, start: Any, stop: Any, data: Any, begin: Any, length: Any) -> Any:
    """Return whether a word of the table equals a word of the text with the same first eight bytes."""
    if stop - start != length:
        return False
    for j in range(8, length):  # noqa: SIM110  # Numba does not support all()
        if text[start + j] != data[begin + j]:
            return False
    return True


@inlined
def _write_state(state: Any, position: Any, words: Any, used: Any, tokens: Any, breaks: Any) -> None:
    # Assigning a tuple to the array would compile a check of its shape, which takes as long as the rest of the kernel.
    state[POSITION], state[WORDS], state[BYTES], state[TOKENS], state[BREAKS] = position, words, used, tokens, breaks


@compiled
def tokenize(
    data: Any,
    end: Any,
    base: Any,
    slots: Any,
    text: Any,
    starts: Any,
    first: Any,
    tokens: Any,
    breaks: Any,
    state: Any,
) -> Any:
    r"""Assign ids to the words of a block of text from ``state[POSITION]`` on.

    If the table becomes full, the function stops. Enlarge the table and call the function again with the same state to
    continue. `fastw2v.corpus.indexer.WordTable` manages the arrays.

    Parameters
    ----------
    data : uint8 array
        UTF-8 text, followed by 64 bytes of white space, because 64 bytes are read at a time.
    end : int
        Number of bytes in `data` without the padding.
    base : int
        Offset added to the positions in `first`.
    slots : uint64 array, shape (SLOT * n_slots,)
        The hash table. The number of slots is a power of two.
    text : uint8 array
        The words of the table, each followed by a line feed. A word of n bytes needs room for n + 8.
    starts : int64 array, shape (capacity + 1,)
        Word ``w`` is ``text[starts[w] : starts[w + 1] - 1]``.
    first : int64 array, shape (capacity,)
        Position at which each word first appears. The capacity must be smaller than the number of slots.
    tokens : int32 array
        Receives the ids of the words. Its size must be at least half of `end`, rounded up.
    breaks : int64 array
        Receives the indices of the tokens that start a new line, without repeats. Must have one more element than
        `tokens`.
    state : int64 array, shape (5,)
        Position in the block, followed by the numbers of words in the table, bytes in `text`, tokens and breaks.
        Updated in place.

    Returns
    -------
    bool
        True if the block is finished, False if the table is full.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.tokenizer import SLOT, TOKENS, tokenize
    >>> data = np.frombuffer(b"the cat\nthe dog" + b" " * 64, np.uint8)
    >>> slots, text = np.zeros(SLOT * 2 * 4, np.uint64), np.zeros(100, np.uint8)
    >>> starts, first = np.zeros(5, np.int64), np.zeros(4, np.int64)
    >>> tokens, breaks, state = np.zeros(8, np.int32), np.zeros(9, np.int64), np.zeros(5, np.int64)
    >>> tokenize(data, 15, 0, slots, text, starts, first, tokens, breaks, state)
    True
    >>> tokens[: state[TOKENS]].tolist()
    [0, 1, 0, 2]
    """
    position, words, used, t, b = state[POSITION], state[WORDS], state[BYTES], state[TOKENS], state[BREAKS]
    # Indices are unsigned in the inner loops, because Numba adds the length of the array to negative ones.
    size, two = np.uint64(SLOT), np.uint64(2)
    mask = np.uint64(len(slots) // SLOT - 1)
    shift = _slot_shift(slots)
    bounds = np.empty(2 * BATCH + 64 + EDGES, np.int64)  # beginnings and ends of words, alternating
    heads = np.empty(BATCH + 32, np.uint64)
    seconds = np.empty(BATCH + 32, np.uint64)
    hashes = np.empty(BATCH + 32, np.uint64)
    m = 0
    before = _ONE  # 1 if the previous byte was white space
    overlap = np.uint64(0)  # mask of white space that continues in the next 64 bytes
    while True:
        while m < 2 * BATCH and position <= end:
            prefetch(data, position + AHEAD)
            white = _tabs_and_breaks(data, position) | _separators_and_spaces(data, position) | overlap
            overlap = np.uint64(0)
            leads = _leads_of_two(data, position) | _leads_of_three(data, position)
            while leads != 0:
                lead = _count_trailing_zeros(leads)
                width = _wide_space_length(data, position + lead)
                space = (_ONE << np.uint64(width)) - _ONE
                white |= space << np.uint64(lead)
                if lead + width > 64:
                    overlap = space >> np.uint64(64 - lead)
                leads &= leads - _ONE
            edges = white ^ (white << _ONE | before)
            before = white >> np.uint64(63)
            lines = _line_feeds(data, position)
            while lines != 0:
                tokens_before = t + (m + _popcount(edges & (lines ^ (lines - _ONE)))) // 2
                if b == 0 or breaks[b - 1] != tokens_before:
                    breaks[b] = tokens_before
                    b += 1
                lines &= lines - _ONE
            at = np.uint64(m)
            m += _popcount(edges)
            while at < np.uint64(m):
                for j in range(EDGES):  # those after the last edge will be overwritten
                    bounds[at + np.uint64(j)] = position + _count_trailing_zeros(edges)
                    edges &= edges - _ONE
                at += np.uint64(EDGES)
            position += 64
        n = m // 2
        if n == 0:
            break

        for k in range(np.uint64(n)):
            begin = bounds[two * k]
            length = bounds[two * k + _ONE] - begin
            in_slot = np.uint64(min(length, _IN_SLOT))
            head = _load_eight_bytes(data, begin) & _FIRST_BYTES[in_slot]
            second = _load_eight_bytes(data, begin + 8) & _NEXT_BYTES[in_slot]
            hashed = _hash(head, second, length)
            if length > _IN_SLOT:
                second = hashed = _hash_of_long(hashed, data, begin, length)
            heads[k], seconds[k], hashes[k] = head, second, hashed
            prefetch(slots, np.int64(size * (hashed >> shift)))

        for k in range(np.uint64(n)):
            begin = bounds[two * k]
            length = bounds[two * k + _ONE] - begin
            head, second, hashed = heads[k], seconds[k], hashes[k]
            tag = (hashed & np.uint64(0x7FFFFFF)) << np.uint64(5) | np.uint64(min(length, _IN_SLOT + 1))
            at = hashed >> shift
            while True:
                slot = size * at
                entry = slots[slot + np.uint64(_ENTRY)]
                word = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
                if (
                    entry >> np.uint64(32) == tag
                    and slots[slot + np.uint64(_HEAD)] == head
                    and slots[slot + np.uint64(_SECOND)] == second
                    and (length <= _IN_SLOT or _equal(text, starts[word], starts[word + 1] - 1, data, begin, length))
                ):
                    break
                if word < 0:
                    break
                at = (at + _ONE) & mask
            if word < 0:
                if words == len(first) or used + length + 8 > len(text):
                    while b > 0 and breaks[b - 1] > t:
                        b -= 1
                    _write_state(state, begin, words, used, t, b)
                    return False
                word = words
                slots[slot + np.uint64(_HEAD)] = head
                slots[slot + np.uint64(_SECOND)] = second
                slots[slot + np.uint64(_ENTRY)] = tag << np.uint64(32) | np.uint64(word + 1)
                for j in range(0, length, 8):  # the bytes after the word belong to the next one, or to the padding
                    _store_eight_bytes(text, used + j, _load_eight_bytes(data, begin + j))
                text[used + length] = 10
                used += length + 1
                words += 1
                starts[words] = used
                first[word] = base + begin
            slots[slot + np.uint64(_COUNT)] += _ONE
            tokens[np.uint64(t)] = word
            t += 1
        if m % 2:
            bounds[0] = bounds[m - 1]
        m %= 2
    _write_state(state, position, words, used, t, b)
    return True


@inlined
def _hash_of_slot(slots: Any, at: Any) -> Any:
    length = slots[SLOT * at + _ENTRY] >> np.uint64(32) & np.uint64(31)
    if length <= _IN_SLOT:
        return _hash(slots[SLOT * at + _HEAD], slots[SLOT * at + _SECOND], length)
    return slots[SLOT * at + _SECOND]


@compiled
def copy_slots(slots: Any, larger: Any) -> None:
    """Copy the slots of a table to a larger table.

    Words have the same order in both tables, so both tables are traversed from front to back.

    Parameters
    ----------
    slots, larger : uint64 array
        See `tokenize`. `larger` must be filled with zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import copy_slots, counts_of
    >>> table = WordTable()
    >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
    >>> larger, counts = np.zeros(2 * len(table.slots), np.uint64), np.zeros(len(table), np.int64)
    >>> copy_slots(table.slots, larger)
    >>> counts_of(larger, counts)
    >>> counts.tolist()  # the, cat, and, dog
    [2, 1, 1, 1]
    """
    mask = len(larger) // SLOT - 1
    shift = _slot_shift(larger)
    for old in range(len(slots) // SLOT):
        if slots[SLOT * old + _ENTRY] == 0:
            continue
        at = np.int64(_hash_of_slot(slots, old) >> shift)
        while larger[SLOT * at + _ENTRY] != 0:
            at = (at + 1) & mask
        for j in range(SLOT):
            larger[SLOT * at + j] = slots[SLOT * old + j]


@compiled
def counts_of(slots: Any, counts: Any) -> None:
    """Write the count of each word to ``counts[id]``.

    Parameters
    ----------
    slots : uint64 array
        See `tokenize`.
    counts : int64 array, shape (n_words,)
        Receives the counts.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import counts_of
    >>> table = WordTable()
    >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
    >>> counts = np.zeros(len(table), np.int64)
    >>> counts_of(table.slots, counts)
    >>> counts.tolist()  # the, cat, and, dog
    [2, 1, 1, 1]
    """
    for at in range(0, len(slots), SLOT):
        entry = slots[at + _ENTRY]
        if entry != 0:
            counts[np.int64(entry & np.uint64(0xFFFFFFFF)) - 1] = slots[at + _COUNT]


@compiled
def set_counts(slots: Any, counts: Any) -> None:
    """Set the count of each word to ``counts[id]``.

    Parameters
    ----------
    slots : uint64 array
        See `tokenize`.
    counts : int64 array, shape (n_words,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import set_counts
    >>> table = WordTable()
    >>> _ = table.add(b"the cat" + PADDING, base=0)
    >>> set_counts(table.slots, np.array([20, 10]))
    >>> table.counts().tolist()
    [20, 10]
    """
    for at in range(0, len(slots), SLOT):
        entry = slots[at + _ENTRY]
        if entry != 0:
            slots[at + _COUNT] = counts[np.int64(entry & np.uint64(0xFFFFFFFF)) - 1]


@compiled
def slots_of_part(slots: Any, part: Any, n_parts: Any) -> Any:
    """Return the slots of the words in a part of a table.

    Parameters
    ----------
    slots : uint64 array
        See `tokenize`.
    part, n_parts : int
        The part, and the number of parts, a power of two that is not greater than the number of slots. A part has the
        words whose slots would be in one range of equal length if no two words had the same slot.

    Returns
    -------
    int64 array
        Numbers of the slots, in order; those of the last part may continue from the first slot of the table.

    Examples
    --------
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import slots_of_part
    >>> table = WordTable()
    >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
    >>> len(slots_of_part(table.slots, 0, 1))
    4
    """
    size = len(slots) // SLOT
    mask = size - 1
    length = size // n_parts
    begin = part * length
    shift = _slot_shift(slots)
    # Words follow each other without empty slots from the slot that their hash gives to the one where they are.
    run = 0
    while length + run < size and slots[SLOT * ((begin + length + run) & mask) + _ENTRY] != 0:
        run += 1
    found = np.empty(length + run, np.int64)
    n = 0
    for i in range(length + run):
        at = (begin + i) & mask
        found[n] = at
        n += slots[SLOT * at + _ENTRY] != 0
    m = 0
    for k in range(n):
        home = np.int64(_hash_of_slot(slots, found[k]) >> shift)
        found[m] = found[k]
        m += begin <= home and home < begin + length
    return found[:m]


@compiled
def merge_words(
    slots: Any,
    found: Any,
    n_parts: Any,
    offset: Any,
    text: Any,
    starts: Any,
    merged_slots: Any,
    merged_words: Any,
    n: Any,
    base: Any,
    numbers: Any,
) -> Any:
    r"""Add words of a table, with their counts, to a table of the words of several tables.

    Parameters
    ----------
    slots : uint64 array
        The table, see `tokenize`.
    found : int64 array
        Slots of the words that are added, see `slots_of_part`.
    n_parts : int
        Number of parts into which tables are divided. The bits of the hash that the words of a part have in common do
        not count for the slot in the other table.
    offset : int
        Number of words in earlier tables: word ``w`` of this table is word ``offset + w`` of all tables.
    text, starts : array
        The words of all tables, see `tokenize`.
    merged_slots : uint64 array
        The other table. It must have room for all words that are added.
    merged_words : int64 array
        Receives, for each word of the other table, its number among the words of all tables. If several tables have the
        word, the number in the first of them.
    n : int
        Number of words in the other table.
    base : int
        Number added to the ids of words in the other table.
    numbers : int32 array
        Receives, for word ``offset + w``, its id in the other table plus `base`.

    Returns
    -------
    int
        The number of words in the other table.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import SLOT, merge_words, slots_of_part
    >>> tables = [WordTable(), WordTable()]
    >>> for table, data in zip(tables, (b"the cat", b"a cat")):
    ...     _ = table.add(data + PADDING, base=0)
    >>> text = np.frombuffer(b"the\ncat\na\ncat\n", np.uint8)
    >>> starts, n = np.array([0, 4, 8, 10, 14]), 0
    >>> slots, words, numbers = np.zeros(SLOT * 16, np.uint64), np.zeros(4, np.int64), np.zeros(4, np.int32)
    >>> for table, offset in zip(tables, (0, 2)):
    ...     found = slots_of_part(table.slots, 0, 1)
    ...     n = merge_words(table.slots, found, 1, offset, text, starts, slots, words, n, 0, numbers)
    >>> n, (numbers[1] == numbers[3]).item()  # the word "cat" has the numbers 1 and 3 among those of all tables
    (3, True)
    """
    common = np.uint64(_count_trailing_zeros(np.uint64(n_parts)))
    shift = _slot_shift(merged_slots)
    mask = len(merged_slots) // SLOT - 1
    last = len(found) - 1
    for k in range(len(found)):
        soon = slots[SLOT * found[min(k + BATCH, last)] + _ENTRY] & np.uint64(0xFFFFFFFF)
        prefetch(numbers, offset + np.int64(soon) - 1)  # slots are read in order, but the ids of their words are random
        at = found[k]
        entry, head, second = slots[SLOT * at + _ENTRY], slots[SLOT * at + _HEAD], slots[SLOT * at + _SECOND]
        word = offset + np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
        tag = entry >> np.uint64(32)
        is_long = tag & np.uint64(31) > np.uint64(_IN_SLOT)
        to = np.int64(_hash_of_slot(slots, at) << common >> shift)
        while True:
            other = merged_slots[SLOT * to + _ENTRY]
            own = np.int64(other & np.uint64(0xFFFFFFFF)) - 1
            if own < 0:
                break
            if (
                other >> np.uint64(32) == tag
                and merged_slots[SLOT * to + _HEAD] == head
                and merged_slots[SLOT * to + _SECOND] == second
            ):
                if not is_long:
                    break
                begin, same = starts[word], merged_words[own]
                if _equal(text, starts[same], starts[same + 1] - 1, text, begin, starts[word + 1] - 1 - begin):
                    break
            to = (to + 1) & mask
        if own < 0:
            own = n
            merged_slots[SLOT * to + _HEAD] = head
            merged_slots[SLOT * to + _SECOND] = second
            merged_slots[SLOT * to + _ENTRY] = tag << np.uint64(32) | np.uint64(own + 1)
            merged_words[own] = word
            n += 1
        merged_slots[SLOT * to + _COUNT] += slots[SLOT * at + _COUNT]
        numbers[word] = base + own
    return n


@compiled
def rank_words(order: Any, numbers: Any, ranks: Any, words: Any) -> Any:
    """Rank distinct words by their first appearance.

    Parameters
    ----------
    order : int64 array
        Words in order of appearance; several of them may be the same distinct word.
    numbers : int32 array
        Number of the distinct word of each word.
    ranks : int32 array
        Receives the rank of each distinct word. It must be filled with −1.
    words : int64 array
        Receives the first word of each distinct word, by rank.

    Returns
    -------
    int
        The number of distinct words.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.tokenizer import rank_words
    >>> ranks, words = np.full(4, -1, np.int32), np.zeros(4, np.int64)
    >>> n = rank_words(np.array([2, 0, 1, 3]), np.array([3, 1, 3, 0], np.int32), ranks, words)
    >>> ranks.tolist(), words[:n].tolist()
    ([2, 1, -1, 0], [2, 1, 3])
    """
    n = 0
    for k in range(len(order)):
        word = order[k]
        number = numbers[word]
        rank = ranks[number]
        words[n] = word
        ranks[number] = n if rank < 0 else rank
        n += rank < 0
    return n


@compiled
def gather_words(text: Any, starts: Any, words: Any) -> Any:
    r"""Return the text of some words, each followed by a line feed.

    Parameters
    ----------
    text : uint8 array
    starts : int64 array, shape (n_words + 1,)
        Word ``w`` and its line feed are ``text[starts[w] : starts[w + 1]]``.
    words : int64 array
        The numbers of the words to gather.

    Returns
    -------
    uint8 array

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.tokenizer import gather_words
    >>> text = np.frombuffer(b"the\ncat\nand\n", np.uint8)
    >>> gather_words(text, np.array([0, 4, 8, 12]), np.array([1, 0])).tobytes()
    b'cat\nthe\n'
    """
    n = 0
    for word in words:
        n += starts[word + 1] - starts[word]
    gathered = np.empty(n, np.uint8)
    at = 0
    for word in words:
        for i in range(starts[word], starts[word + 1]):
            gathered[at] = text[i]
            at += 1
    return gathered


@compiled
def replace_ids(ids: Any, breaks: Any, final: Any) -> Any:
    """Replace provisional ids with final ids, drop words, and drop breaks between which no words are left.

    Parameters
    ----------
    ids : int32 array
        Replaced in place.
    breaks : int64 array
        Increasing indices in `ids` at which a line starts. Replaced in place.
    final : int32 array
        The final id of each provisional id, or −1 to drop the word.

    Returns
    -------
    n_ids, n_breaks : int
        Numbers of ids and breaks that are left, at the beginning of the arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.tokenizer import replace_ids
    >>> ids, breaks = np.array([0, 1, 2, 0], np.int32), np.array([1, 2, 3])
    >>> n, m = replace_ids(ids, breaks, np.array([1, -1, 0], np.int32))
    >>> ids[:n].tolist(), breaks[:m].tolist()
    ([1, 0, 1], [1, 2])
    """
    n = m = begin = 0
    for b in range(len(breaks) + 1):
        end = breaks[b] if b < len(breaks) else len(ids)
        while begin + GROUP <= end:
            signs = np.int32(0)
            for j in range(GROUP):
                word = final[np.uint32(ids[begin + j])]
                ids[begin + j] = word
                signs |= word
            if signs >= 0:  # all are kept
                for j in range(GROUP):
                    ids[n + j] = ids[begin + j]
                n += GROUP
            else:
                for j in range(GROUP):
                    word = ids[begin + j]
                    ids[n] = word
                    n += word >= 0
            begin += GROUP
        for t in range(begin, end):
            word = final[np.uint32(ids[t])]
            ids[n] = word
            n += word >= 0
        if b < len(breaks) and (m == 0 or breaks[m - 1] != n):
            breaks[m] = n
            m += 1
        begin = end
    return n, m


@compiled
def is_utf8(data: Any, start: Any, stop: Any) -> Any:
    r"""Return whether a part of an array is valid UTF-8.

    Parameters
    ----------
    data : uint8 array
    start, stop : int

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.tokenizer import is_utf8
    >>> is_utf8(np.frombuffer(b"caf\xc3\xa9", np.uint8), 0, 5), is_utf8(np.frombuffer(b"caf\xe9", np.uint8), 0, 4)
    (True, False)
    """
    i = start
    while i < stop:
        lead = data[i]
        i += 1
        if lead < 0x80:
            continue
        # Most characters of Chinese, Japanese and Korean. Their second byte can have any value.
        if 0xE1 <= lead <= 0xEC and i + 2 <= stop and data[i] & 0xC0 == 0x80 and data[i + 1] & 0xC0 == 0x80:
            i += 2
            continue
        n = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        if lead < 0xC2 or lead > 0xF4 or i + n > stop:
            return False
        # The second byte excludes overlong forms, surrogates and numbers above U+10FFFF.
        lowest = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
        highest = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
        if data[i] < lowest or data[i] > highest:
            return False
        for j in range(i + 1, i + n):
            if data[j] & 0xC0 != 0x80:
                return False
        i += n
    return True
