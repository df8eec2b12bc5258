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
def _count_trailing_zeros(typing: Any, x: Any) -> Any:
    """Return the index of the lowest set bit."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

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
    slots : uint64 array, shape (SLOT * 2 * capacity,)
        The hash table. The capacity is a power of two.
    text : uint8 array
        The words of the table, each followed by a line feed.
    starts : int64 array, shape (capacity + 1,)
        Word ``w`` is ``text[starts[w] : starts[w + 1] - 1]``.
    first : int64 array, shape (capacity,)
        Position at which each word first appears.
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
    mask = len(slots) // SLOT - 1
    shift = _slot_shift(slots)
    bounds = np.empty(2 * BATCH + 64, np.int64)  # beginnings and ends of words, alternating
    heads = np.empty(BATCH + 32, np.uint64)
    seconds = np.empty(BATCH + 32, np.uint64)
    hashes = np.empty(BATCH + 32, np.uint64)
    m = 0
    before = _ONE  # 1 if the previous byte was white space
    overlap = np.uint64(0)  # mask of white space that continues in the next 64 bytes
    while True:
        while m < 2 * BATCH and position <= end:
            white = _tabs_and_breaks(data, position) | _separators_and_spaces(data, position) | overlap
            overlap = np.uint64(0)
            leads = _leads_of_two(data, position) | _leads_of_three(data, position)
            while leads != 0:
                at = _count_trailing_zeros(leads)
                width = _wide_space_length(data, position + at)
                space = (_ONE << np.uint64(width)) - _ONE
                white |= space << np.uint64(at)
                if at + width > 64:
                    overlap = space >> np.uint64(64 - at)
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
            while edges != 0:
                bounds[m] = position + _count_trailing_zeros(edges)
                m += 1
                edges &= edges - _ONE
            position += 64
        n = m // 2
        if n == 0:
            break

        for k in range(n):
            begin = bounds[2 * k]
            length = bounds[2 * k + 1] - begin
            heads[k] = _load_eight_bytes(data, begin) & _FIRST_BYTES[min(length, _IN_SLOT)]
            seconds[k] = _load_eight_bytes(data, begin + 8) & _NEXT_BYTES[min(length, _IN_SLOT)]
            hashes[k] = _hash(heads[k], seconds[k], length)
            if length > _IN_SLOT:
                seconds[k] = hashes[k] = _hash_of_long(hashes[k], data, begin, length)
            prefetch(slots, SLOT * np.int64(hashes[k] >> shift))

        for k in range(n):
            begin = bounds[2 * k]
            length = bounds[2 * k + 1] - begin
            tag = (hashes[k] & np.uint64(0x7FFFFFF)) << np.uint64(5) | np.uint64(min(length, _IN_SLOT + 1))
            at = np.int64(hashes[k] >> shift)
            while True:
                entry = slots[SLOT * at + _ENTRY]
                word = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
                if (
                    entry >> np.uint64(32) == tag
                    and slots[SLOT * at + _HEAD] == heads[k]
                    and slots[SLOT * at + _SECOND] == seconds[k]
                    and (length <= _IN_SLOT or _equal(text, starts[word], starts[word + 1] - 1, data, begin, length))
                ):
                    break
                if word < 0:
                    break
                at = (at + 1) & mask
            if word < 0:
                if words == len(first) or used + length + 1 > len(text):
                    while b > 0 and breaks[b - 1] > t:
                        b -= 1
                    _write_state(state, begin, words, used, t, b)
                    return False
                word = words
                slots[SLOT * at + _HEAD] = heads[k]
                slots[SLOT * at + _SECOND] = seconds[k]
                slots[SLOT * at + _ENTRY] = tag << np.uint64(32) | np.uint64(word + 1)
                for j in range(length):
                    text[used + j] = data[begin + j]
                text[used + length] = 10
                used += length + 1
                words += 1
                starts[words] = used
                first[word] = base + begin
            slots[SLOT * at + _COUNT] += _ONE
            tokens[t] = word
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
def count_part(slots: Any, part: Any, n_parts: Any) -> Any:
    """Return an upper bound of the number of words in a part of a table.

    Parameters
    ----------
    slots : uint64 array
        See `tokenize`.
    part, n_parts : int
        The part, and the number of parts, a power of two that is not greater than the number of slots. A part has the
        words whose slots would be in one range of equal length if no two words had the same slot.

    Examples
    --------
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import count_part
    >>> table = WordTable()
    >>> _ = table.add(b"the cat and the dog" + PADDING, base=0)
    >>> count_part(table.slots, 0, 1)
    4
    """
    size = len(slots) // SLOT
    stop = (part + 1) * (size // n_parts)
    at = stop - size // n_parts
    n = 0
    while at < stop or slots[SLOT * (at & (size - 1)) + _ENTRY] != 0:
        n += slots[SLOT * (at & (size - 1)) + _ENTRY] != 0
        at += 1
        if at == stop - size // n_parts + size:
            break
    return n


@compiled
def merge_part(
    slots: Any,
    text: Any,
    starts: Any,
    first: Any,
    part: Any,
    n_parts: Any,
    merged_slots: Any,
    merged_text: Any,
    merged_starts: Any,
    merged_first: Any,
    ids: Any,
    state: Any,
) -> Any:
    """Add the words in a part of a table to another table, with their counts and the positions of their first use.

    If the text of the other table becomes full, the function stops. Enlarge it and call the function again with the
    same state to continue.

    Parameters
    ----------
    slots, text, starts, first : array
        The table, see `tokenize`.
    part, n_parts : int
        See `count_part`.
    merged_slots, merged_text, merged_starts, merged_first : array
        The other table. It must have room for all words of the part. The bits of the hash that the words of a part have
        in common do not count for the slot.
    ids : int32 array, shape (n_words,)
        Receives the id in the other table of each word in the part.
    state : int64 array, shape (5,)
        Number of slots of the part that are done, and the state of the other table, see `tokenize`. Updated in place.

    Returns
    -------
    bool
        True if all words have been added, False if the text is full.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import POSITION, merge_part
    >>> merged = WordTable()
    >>> for data in (b"the cat", b"a cat"):
    ...     table, ids = WordTable(), np.zeros(2, np.int32)
    ...     _ = table.add(data + PADDING, base=0)
    ...     merged.state[POSITION] = 0
    ...     _ = merge_part(
    ...         table.slots, table.text, table.starts, table.first, 0, 1,
    ...         merged.slots, merged.text, merged.starts, merged.first, ids, merged.state,
    ...     )
    >>> words = merged.as_text().split()
    >>> [words[i] for i in ids], merged.counts()[ids].tolist()  # a, cat
    ([b'a', b'cat'], [1, 2])
    """
    size = len(slots) // SLOT
    begin = part * (size // n_parts)
    end = begin + size // n_parts
    shift = _slot_shift(slots)
    common = np.uint64(_count_trailing_zeros(np.uint64(n_parts)))
    merged_shift = _slot_shift(merged_slots)
    merged_mask = len(merged_slots) // SLOT - 1
    words, used = state[WORDS], state[BYTES]
    for i in range(state[POSITION], size):
        # Slots are read in order, but the ids of words in a part are random.
        soon = slots[SLOT * ((begin + i + 2 * BATCH) & (size - 1)) + _ENTRY] & np.uint64(0xFFFFFFFF)
        if soon != 0:
            prefetch(starts, np.int64(soon) - 1)
            prefetch(first, np.int64(soon) - 1)
            prefetch(ids, np.int64(soon) - 1)
        next_word = slots[SLOT * ((begin + i + BATCH) & (size - 1)) + _ENTRY] & np.uint64(0xFFFFFFFF)
        if next_word != 0:
            prefetch(text, starts[np.int64(next_word) - 1])
        at = (begin + i) & (size - 1)
        entry = slots[SLOT * at + _ENTRY]
        if entry == 0:
            if begin + i >= end:
                break
            continue
        hashed = _hash_of_slot(slots, at)
        home = np.int64(hashed >> shift)
        if home < begin or home >= end:
            continue
        word = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
        tag = entry >> np.uint64(32)
        length = starts[word + 1] - 1 - starts[word]
        to = np.int64(hashed << common >> merged_shift)
        while True:
            other = merged_slots[SLOT * to + _ENTRY]
            own = np.int64(other & np.uint64(0xFFFFFFFF)) - 1
            if own < 0 or (
                other >> np.uint64(32) == tag
                and merged_slots[SLOT * to + _HEAD] == slots[SLOT * at + _HEAD]
                and merged_slots[SLOT * to + _SECOND] == slots[SLOT * at + _SECOND]
                and (
                    length <= _IN_SLOT
                    or _equal(merged_text, merged_starts[own], merged_starts[own + 1] - 1, text, starts[word], length)
                )
            ):
                break
            to = (to + 1) & merged_mask
        if own < 0:
            if used + length + 1 > len(merged_text):
                state[POSITION], state[WORDS], state[BYTES] = i, words, used
                return False
            own = words
            merged_slots[SLOT * to + _HEAD] = slots[SLOT * at + _HEAD]
            merged_slots[SLOT * to + _SECOND] = slots[SLOT * at + _SECOND]
            merged_slots[SLOT * to + _ENTRY] = tag << np.uint64(32) | np.uint64(own + 1)
            for j in range(length + 1):
                merged_text[used + j] = text[starts[word] + j]
            used += length + 1
            words += 1
            merged_starts[words] = used
            merged_first[own] = first[word]
        merged_slots[SLOT * to + _COUNT] += slots[SLOT * at + _COUNT]
        merged_first[own] = min(merged_first[own], first[word])
        ids[word] = own
    state[WORDS], state[BYTES] = words, used
    return True


@compiled
def add_part_starts(slots: Any, ids: Any, part_starts: Any) -> None:
    """Add the number of words in all earlier parts to each id that `merge_part` returned.

    Parameters
    ----------
    slots : uint64 array
        The table, see `tokenize`.
    ids : int32 array, shape (n_words,)
        Id of each word in its part. Updated in place.
    part_starts : int64 array, shape (n_parts,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.indexer import WordTable
    >>> from fastw2v.corpus.sources import PADDING
    >>> from fastw2v.kernels.tokenizer import add_part_starts
    >>> table, ids = WordTable(), np.array([0, 0], np.int32)
    >>> _ = table.add(b"the cat" + PADDING, base=0)
    >>> add_part_starts(table.slots, ids, np.array([10, 20]))
    >>> sorted(ids.tolist())
    [10, 20]
    """
    size = len(slots) // SLOT
    shift = _slot_shift(slots)
    slots_of_part = size // len(part_starts)
    for at in range(size):
        entry = slots[SLOT * at + _ENTRY]
        if entry != 0:
            part = np.int64(_hash_of_slot(slots, at) >> shift) // slots_of_part
            ids[np.int64(entry & np.uint64(0xFFFFFFFF)) - 1] += part_starts[part]


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
        for t in range(begin, end):
            word = final[ids[t]]
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
