"""Splitting text at white space and numbering its words in one pass over the bytes, compiled by Numba.

A word is looked up by its bytes in a hash table with open addressing. Each slot is two numbers: the word's first
eight bytes, and a tag (28 bits of the hash and the length) beside the id, so that words of up to eight bytes, most of
a text, are told apart exactly without leaving the slot; longer ones with equal slots are compared byte by byte.
The words themselves lie one after the other with a line feed behind each: a table's words are again a text, and
scanning it by another table merges the two.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fastw2v.kernels.simd import compiled, prefetch

POSITION, WORDS, BYTES, TOKENS, BREAKS = range(5)
"""Places in the `state` of a scan."""

_WORD, _SPACE, _LINE_FEED, _LEAD = range(4)
_KIND = np.zeros(256, np.uint8)
_KIND[[*range(9, 14), *range(28, 33)]] = _SPACE
_KIND[10] = _LINE_FEED
_KIND[[0xC2, 0xE1, 0xE2, 0xE3]] = _LEAD  # the first bytes of white space beyond ASCII, and of much else

BATCH = 64
"""Words that are found before any of them is looked up, while their slots are fetched from memory."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
_EACH = np.uint64(0x0101010101010101)
_HIGHEST = np.uint64(0x8080808080808080)
_LONG = 9
"""Length in a tag for words that do not fit eight bytes."""


@intrinsic
def _eight(typing: Any, data: Any, i: Any) -> Any:
    """Return the eight bytes of `data` from `i` on as a number, the first byte lowest; nothing is checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.gep(context.make_array(data)(context, builder, args[0]).data, [args[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.intp), generate


@intrinsic
def _trailing_zeros(typing: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@njit
def _below(key: Any, n: Any) -> Any:
    """Return the highest bit of each byte of `key` that is less than `n` (Hacker's Delight, 6-1).

    Borrows can add bytes behind the first, and never hide one.
    """
    return (key - _EACH * n) & ~key & _HIGHEST


@njit
def _wide_space(data: Any, i: Any) -> Any:
    """Return the bytes of the white space character beyond ASCII that starts at `i`, or 0."""
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


@njit
def _is_space(data: Any, i: Any) -> Any:
    kind = _KIND[data[i]]
    return kind != _WORD and (kind != _LEAD or _wide_space(data, i) > 0)


@njit
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(32))) * _MIX
    return z ^ (z >> np.uint64(29))


@njit
def _same(text: Any, start: Any, stop: Any, data: Any, begin: Any, length: Any) -> Any:
    """Whether a word of the table equals one of the text; their first eight bytes are known to be equal."""
    if stop - start != length:
        return False
    for j in range(8, length):  # noqa: SIM110  # Numba compiles no all()
        if text[start + j] != data[begin + j]:
            return False
    return True


@compiled
def scan(
    data: Any,
    end: Any,
    base: Any,
    slots: Any,
    text: Any,
    starts: Any,
    counts: Any,
    first: Any,
    tokens: Any,
    breaks: Any,
    state: Any,
) -> Any:
    """Find the words of a piece of text from ``state[POSITION]`` on, and give them ids.

    Parameters
    ----------
    data : uint8 array
        UTF-8, with eight more bytes of white space behind it: eight are read at a time.
    end : int
        Bytes in `data` without the padding.
    base : int
        Added to a word's position in `data` for `first`.
    slots : uint64 array, shape (2 * capacity,)
        The capacity is a power of two.
    text : uint8 array
        The words so far, each with a line feed behind it.
    starts : int64 array, shape (capacity / 2 + 1,)
        Word ``w`` is ``text[starts[w] : starts[w + 1] - 1]``.
    counts, first : int64 array, shape (capacity / 2,)
        How often and where first each word was seen.
    tokens : int32 array
        The ids are written there; holds half of `end`, rounded up.
    breaks : int64 array
        Numbers of tokens before which a line begins, without repeats; one longer than `tokens`.
    state : int64 array, shape (5,)
        Read and advanced.

    Returns
    -------
    bool
        Whether the piece is done; otherwise the table is full: enlarge it and call again.
    """
    i, words, used, t, b = state[POSITION], state[WORDS], state[BYTES], state[TOKENS], state[BREAKS]
    mask = len(slots) // 2 - 1
    begins = np.empty(BATCH, np.int64)
    lengths = np.empty(BATCH, np.int64)
    heads = np.empty(BATCH, np.uint64)
    hashes = np.empty(BATCH, np.uint64)
    while i < end:
        n = 0
        while n < BATCH:
            while i < end:
                byte = data[i]
                if byte > 32 and byte < 0xC2:  # no white space begins with it
                    break
                kind = _KIND[byte]
                if kind == _WORD:
                    break
                if kind == _LEAD:
                    width = _wide_space(data, i)
                    if width == 0:
                        break
                    i += width
                    continue
                if kind == _LINE_FEED and (b == 0 or breaks[b - 1] != t + n):
                    breaks[b] = t + n
                    b += 1
                i += 1
            if i >= end:
                break

            begin = i
            head = np.uint64(0)
            mixed = np.uint64(0)
            while True:
                key = _eight(data, i)
                # The highest bit of each byte that can begin white space; of some others too, behind the first.
                stops = _below(key, np.uint64(33))
                if key & _HIGHEST:
                    stops |= _below(key ^ _EACH * np.uint64(0xC2), np.uint64(1))
                    stops |= _below((key ^ _EACH * np.uint64(0xE0)) & _EACH * np.uint64(0xFC), np.uint64(1))
                width = 8
                while stops != 0:
                    place = _trailing_zeros(stops) & np.uint64(56)
                    byte = (key >> place) & np.uint64(255)
                    if byte == 32 or _is_space(data, i + np.int64(place >> np.uint64(3))):
                        width = np.int64(place >> np.uint64(3))
                        break
                    stops &= stops - np.uint64(1)
                if width < 8:
                    key &= (np.uint64(1) << np.uint64(8 * width)) - np.uint64(1)
                if i == begin:
                    head = key
                i += width
                mixed = _mix(mixed ^ key)
                if width < 8:
                    break
            mixed += np.uint64(i - begin) * _MIX
            begins[n] = begin
            lengths[n] = i - begin
            heads[n] = head
            hashes[n] = mixed
            prefetch(slots, 2 * (np.int64(mixed) & mask))
            n += 1
            if data[i] == 32:  # or a space in the padding
                i += 1

        for k in range(n):
            length = lengths[k]
            head = heads[k]
            tag = (hashes[k] >> np.uint64(36) << np.uint64(4)) | np.uint64(min(length, _LONG))
            at = np.int64(hashes[k]) & mask
            word = np.int64(-1)
            while True:
                entry = slots[2 * at + 1]
                if entry == 0:
                    break
                if entry >> np.uint64(32) == tag and slots[2 * at] == head:
                    word = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
                    if length <= 8 or _same(text, starts[word], starts[word + 1] - 1, data, begins[k], length):
                        break
                    word = np.int64(-1)
                at = (at + 1) & mask
            if word < 0:
                if words == len(counts) or used + length + 1 > len(text):
                    while b > 0 and breaks[b - 1] > t:
                        b -= 1
                    state[POSITION], state[WORDS], state[BYTES], state[TOKENS], state[BREAKS] = (
                        begins[k],
                        words,
                        used,
                        t,
                        b,
                    )
                    return False
                word = words
                slots[2 * at] = head
                slots[2 * at + 1] = (tag << np.uint64(32)) | np.uint64(word + 1)
                for j in range(length):
                    text[used + j] = data[begins[k] + j]
                text[used + length] = 10
                used += length + 1
                words += 1
                starts[words] = used
                counts[word] = 0
                first[word] = base + begins[k]
            counts[word] += 1
            tokens[t] = word
            t += 1
    state[POSITION], state[WORDS], state[BYTES], state[TOKENS], state[BREAKS] = i, words, used, t, b
    return True
