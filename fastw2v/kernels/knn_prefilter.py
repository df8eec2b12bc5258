"""Prefilter of nearest neighbours: the few rows that can be among them, by products of 16-bit integers.

A processor multiplies and adds twice as many 16-bit integers as float32 numbers in one instruction, and a score that
is compared in a register is never written to memory. So all rows are scored in integers first, and only those that
can be among the k nearest are scored in floating point, by the caller. Nothing is lost, by this bound.

Let x and y be a row and a query of lengths up to L (1, and a hair for rounding), and X, Y the integers nearest to S·x
and S·y, with S = `SCALE`. No component is off by more than 0.51 (half, and the rounding of the product by S), so
‖X − S·x‖ and ‖Y − S·y‖ are at most h = 0.51·√D. By Cauchy and Schwarz

    |X·Y − S²·x·y|  ≤  ‖X − S·x‖ ‖S·y‖ + ‖X‖ ‖Y − S·y‖  ≤  h·S·L + (S·L + h)·h  =:  E.

If T is the k-th largest of the X·Y seen so far, k rows score at least (T − E) / S², and a row with X·Y < T − 2E scores
less than that: it is none of the nearest, now or later. At D = 100, 2E is a cosine of 0.0006: of 70,000 words, few
more than k remain. The sums fit 32 bits for the same reason: no part of X·Y exceeds (S·L + h)² < 2³¹.

Where more rows remain than there is room for, as among thousands of equal rows, the query is given up and reported.
"""

# mypy: disable-error-code="untyped-decorator,misc"
from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastw2v.kernels.simd import LANES, compiled, target

__all__ = ["MAX_LENGTH", "MAX_NEIGHBORS", "candidates", "unavailable_reason"]

SCALE = 32760
"""What stands for 1 in 16 bits."""
MAX_LENGTH = 1.0001
"""Length of a row or a query up to which the bound holds."""
MAX_NEIGHBORS = 128
"""Rows that are looked for, at most: they are kept in order by insertion."""
ROOM = 64
"""Rows that a query may keep beside twice the number looked for."""

GROUPS = 4
"""A tile is so many groups of 16 rows…"""
QUERIES = 6
"""… by so many queries: 24 sums, which with what is multiplied fit the 32 registers of AVX-512."""
TILE = GROUPS * LANES
BLOCK = 42 * QUERIES
"""Queries that a thread takes at a time: with a tile of rows they stay in the second cache level."""
BATCH = 64 * BLOCK
"""Queries for which rows are kept at a time."""
SLAB = 2**24
"""Numbers of the rows that are held as integers at a time: 32 MB."""

_INT16, _INT32 = ir.IntType(16), ir.IntType(32)
_NEVER = np.int32(2**31 - 1)
_ALWAYS = np.int32(-(2**31))


def unavailable_reason() -> str | None:
    """Return why the prefilter would not be fast here, or None."""
    if "avx2" in target()[1]:
        return None
    return "the processor has no instruction known here that multiplies and adds 16-bit integers (AVX2)"


def candidates(
    unit: np.ndarray, queries: np.ndarray, k: int, workers: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield, for one chunk of the queries after another, the rows that can be among the nearest.

    Parameters
    ----------
    unit : float array, shape (V, D)
    queries : float array, shape (B, D)
        No longer than `MAX_LENGTH`, as the rows are.
    k : int
        From 1 to `MAX_NEIGHBORS` and V.
    workers : int
        Threads.

    Yields
    ------
    start : int
        The first query of the chunk.
    rows : int32 array, shape (b, 2 * k + ROOM)
        Of each query from `start` on: at least k rows.
    found : int64 array, shape (b,)
        How many of these count; −1 where there would be too many.
    """
    V, D = unit.shape
    slack = _slack(D)
    slab = max(TILE, SLAB // (D + D % 2) // TILE * TILE)
    held = -1  # the first row of the slab that is at hand as integers: often there is but one
    with ThreadPoolExecutor(workers, "fastw2v") as pool:
        # The first chunk is short, so that the caller can turn back when all of it is given up.
        for start, stop in itertools.pairwise([0, *range(workers * BLOCK, len(queries), BATCH), len(queries)]):
            b = stop - start
            padded = -(-b // QUERIES) * QUERIES
            asked = _integers(queries[start:stop, :], padded)
            rows = np.zeros((padded, 2 * k + ROOM), np.int32)
            scores = np.zeros_like(rows)
            found = np.zeros(padded, np.int64)
            least = np.where(np.arange(padded) < b, _ALWAYS, _NEVER)
            blocks = [slice(q, q + BLOCK) for q in range(0, padded, BLOCK)]
            for first in range(0, V, slab):
                if first != held:
                    tiles, held = _tiles(unit[first : first + slab, :]), first
                keep = partial(_keep_candidates, k, slack, tiles, first, min(slab, V - first))
                running = [pool.submit(keep, asked[q], rows[q], scores[q], found[q], least[q]) for q in blocks]
                for one in running:
                    one.result()
            yield start, rows[:b], found[:b]


def _slack(D: int) -> int:
    """Return by how much an integer product can lie below the k-th largest and still be among the k largest: 2E."""
    h, length = 0.51 * D**0.5, SCALE * MAX_LENGTH
    return 2 * math.ceil(h * length + (length + h) * h)


def _integers(matrix: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the rows as integers, with zeros below them and, to an even number of columns, beside them."""
    B, D = matrix.shape
    integers = np.zeros((n_rows, D + D % 2), np.int16)
    integers[:B, :D] = np.rint(matrix * matrix.dtype.type(SCALE))
    return integers


def _tiles(matrix: np.ndarray) -> np.ndarray:
    """Return rows as integers in the order in which they are multiplied: tile by tile, two columns of all its rows."""
    n_tiles = -(-matrix.shape[0] // TILE)
    pairs = _integers(matrix, n_tiles * TILE).view(np.int32).reshape(n_tiles, TILE, -1)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1)).reshape(-1).view(np.int16)


@compiled
def _keep_candidates(
    k: Any,
    slack: Any,
    tiles: Any,
    first: Any,
    n_rows: Any,
    queries: Any,
    rows: Any,
    scores: Any,
    found: Any,
    least: Any,
) -> None:
    """Score rows against queries, and keep those rows that can be among the k nearest.

    `tiles` holds the rows from index `first` on, `rows` and `scores` what each query keeps, the best first, `found`
    how many they are, and `least` the lowest score that can still count.
    """
    room, columns = rows.shape[1], queries.shape[1]
    products = np.empty(QUERIES * TILE, np.int32)
    for tile in range(-(-n_rows // TILE)):
        here = min(TILE, n_rows - tile * TILE)
        for q0 in range(0, found.shape[0], QUERIES):
            hits = _multiply(tiles, tile * TILE * columns, queries, q0 * columns, columns, least, q0, products)
            q = q0
            while hits:
                if hits & 1:
                    n, limit = found[q], least[q]
                    for i in range(here):
                        score = products[(q - q0) * TILE + i]
                        if score < limit:
                            continue
                        if n == room:
                            n, limit = -1, _NEVER
                            break
                        place = n
                        while place > 0 and scores[q, place - 1] < score:
                            scores[q, place], rows[q, place] = scores[q, place - 1], rows[q, place - 1]
                            place -= 1
                        scores[q, place], rows[q, place] = score, first + tile * TILE + i
                        n += 1
                        if n >= k:
                            limit = scores[q, k - 1] - slack
                            while scores[q, n - 1] < limit:
                                n -= 1
                    found[q], least[q] = n, limit
                hits >>= 1
                q += 1


@intrinsic
def _multiply(
    typing: Any, tiles: Any, tile: Any, queries: Any, query: Any, columns: Any, least: Any, q: Any, products: Any
) -> Any:
    """Write the products of a tile of rows with a few queries, and return in bits which of these have a hit.

    `tile` and `query` are offsets of their first numbers; a hit is a product that reaches the query's `least`.
    """
    lanes = ir.VectorType(_INT32, LANES)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        intp = args[4].type
        wide = "avx512bw" in target()[1]

        def data(argument: int, offset: Any, kind: Any) -> Any:
            array = context.make_array(signature.args[argument])(context, builder, args[argument])
            return builder.bitcast(builder.gep(array.data, [offset]), kind.as_pointer())

        def plus(a: Any, b: int) -> Any:
            return builder.add(a, ir.Constant(intp, b))

        # Sums of all groups at once fill AVX-512's 32 registers; AVX2 has half as many of half the length.
        together = GROUPS if wide else 1
        pairs = builder.lshr(args[4], ir.Constant(intp, 1))
        limits = [
            _broadcast(builder, builder.load(data(5, plus(args[6], j), _INT32), align=4), lanes) for j in range(QUERIES)
        ]
        reached = [ir.Constant(ir.VectorType(ir.IntType(1), LANES), [0] * LANES)] * QUERIES
        for group in range(0, GROUPS, together):
            sums = [[cgutils.alloca_once(builder, lanes) for _ in range(together)] for _ in range(QUERIES)]
            for cell in itertools.chain(*sums):
                builder.store(ir.Constant(lanes, [0] * LANES), cell)
            with cgutils.for_range(builder, pairs) as loop:
                column = builder.mul(loop.index, ir.Constant(intp, 2))
                offset = builder.add(args[1], builder.mul(column, ir.Constant(intp, TILE)))
                held = [
                    builder.load(data(0, plus(offset, 2 * LANES * (group + g)), lanes), align=2)
                    for g in range(together)
                ]
                for j in range(QUERIES):
                    own = builder.add(args[3], builder.mul(args[4], ir.Constant(intp, j)))
                    pair = _broadcast(builder, builder.load(data(2, builder.add(own, column), _INT32), align=2), lanes)
                    for cell, rows in zip(sums[j], held, strict=True):
                        product = _multiplied_pairs(builder, rows, pair, wide)
                        builder.store(builder.add(builder.load(cell), product), cell)
            for j in range(QUERIES):
                for g, cell in enumerate(sums[j]):
                    total = builder.load(cell)
                    place = ir.Constant(intp, j * TILE + (group + g) * LANES)
                    builder.store(total, data(7, place, lanes), align=4)
                    reached[j] = builder.or_(reached[j], builder.icmp_signed(">=", total, limits[j]))
        hits = ir.Constant(intp, 0)
        for j in range(QUERIES):
            hit = builder.icmp_unsigned("!=", builder.bitcast(reached[j], _INT16), ir.Constant(_INT16, 0))
            hits = builder.or_(hits, builder.shl(builder.zext(hit, intp), ir.Constant(intp, j)))
        return hits

    return types.intp(tiles, types.intp, queries, types.intp, types.intp, least, types.intp, products), generate


def _broadcast(builder: Any, value: Any, lanes: Any) -> Any:
    single = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(single, single, ir.Constant(lanes, [0] * LANES))


def _multiplied_pairs(builder: Any, a: Any, b: Any, wide: bool) -> Any:
    """Return the sums of the products of 16 pairs of 16-bit integers, each pair held in 32 bits.

    LLVM does not find this instruction by itself in a multiplication of extended numbers; it does find the one
    that also adds (VNNI) where there is one.
    """
    parts = [list(range(LANES))] if wide else [list(range(8)), list(range(8, LANES))]
    name = "llvm.x86.avx512.pmaddw.d.512" if wide else "llvm.x86.avx2.pmadd.wd"
    width = len(parts[0])
    short, long = ir.VectorType(_INT16, 2 * width), ir.VectorType(_INT32, width)
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(long, [short, short]), name)
    found = []
    for places in parts:
        mask = ir.Constant(ir.VectorType(_INT32, width), places)
        halves = [builder.bitcast(builder.shuffle_vector(x, x, mask), short) for x in (a, b)]
        found.append(builder.call(function, halves))
    if wide:
        return found[0]
    return builder.shuffle_vector(*found, ir.Constant(ir.VectorType(_INT32, LANES), list(range(LANES))))
