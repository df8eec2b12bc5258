"""Prefilter for nearest neighbours: use 16-bit integer products to find the few rows that can be among the k nearest.

One instruction can multiply and add twice as many 16-bit integers as float32 numbers. Also, scores need not be written
to memory if they are compared in registers. All rows are therefore scored in integers first. The caller then scores
only the remaining candidates in floating point. The following bound guarantees that no nearest neighbour is lost.

Let x be a row and y a query, both of length at most L (1 plus a margin for rounding). Let X and Y be the integer
vectors nearest to S·x and S·y, with S = `SCALE`. Each component is rounded by at most 0.51 (0.5 plus the rounding error
of the product with S), so ‖X − S·x‖ and ‖Y − S·y‖ are at most h = 0.51·√D. By the Cauchy–Schwarz inequality,

    |X·Y − S²·x·y|  ≤  ‖X − S·x‖ ‖S·y‖ + ‖X‖ ‖Y − S·y‖  ≤  h·S·L + (S·L + h)·h  =:  E.

If T is the k-th largest X·Y so far, at least k rows have a score x·y of at least (T − E) / S². A row with X·Y < T − 2E
has a lower score, so the row is not among the k nearest. At D = 100, 2E corresponds to a cosine of 0.0006, so only
slightly more than k of 70,000 words remain. The integer sums fit in 32 bits, because no partial sum of X·Y exceeds
(S·L + h)² < 2³¹.

If more candidates remain than there is room for, for example among thousands of equal rows, the query is abandoned and
reported to the caller.
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

from fastw2v.kernels.compilation import compiled
from fastw2v.kernels.simd import LANES, target
from fastw2v.utils.scaled_rows import decoded_rows

__all__ = ["MAX_LENGTH", "MAX_NEIGHBORS", "candidates", "unavailable_reason"]

SCALE = 32760
"""The 16-bit integer that represents 1.0."""
MAX_LENGTH = 1.0001
"""Maximum length of rows and queries for which the bound is valid."""
MAX_NEIGHBORS = 128
"""Maximum number of nearest neighbours. Candidates are sorted by insertion, which would be slow for more."""
ROOM = 64
"""Maximum number of candidates of a query in addition to 2 k."""

GROUPS = 4
"""Number of groups in a tile. A group has 16 rows."""
QUERIES = 6
"""Number of queries in a tile. The 24 sums of a tile and their factors fit in the 32 registers of AVX-512."""
TILE = GROUPS * LANES
BLOCK = 42 * QUERIES
"""Number of queries that a thread processes at a time. They and a tile of rows fit in the second-level cache."""
BATCH = 64 * BLOCK
"""Number of queries whose candidates are stored at a time."""
SLAB = 2**24
"""Number of row components that are converted to integers at a time (32 MB)."""

_INT16, _INT32 = ir.IntType(16), ir.IntType(32)
_NEVER = np.int32(2**31 - 1)
_ALWAYS = np.int32(-(2**31))


def unavailable_reason() -> str | None:
    """Return why the prefilter cannot be used on this processor, or None if it can.

    Examples
    --------
    >>> from fastw2v.kernels.knn_prefilter import unavailable_reason
    >>> reason = unavailable_reason()
    >>> reason is None or "AVX2" in reason
    True
    """
    if "avx2" in target()[1]:
        return None
    return "the prefilter needs AVX2, which this processor does not support"


def candidates(unit: Any, queries: np.ndarray, k: int, workers: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the rows that can be among the k nearest of each query, in chunks of queries.

    This function needs AVX2; see `unavailable_reason`.

    Parameters
    ----------
    unit : float array or ScaledRows, shape (V, D)
        Rows of length at most `MAX_LENGTH`.
    queries : float array, shape (B, D)
        Queries of length at most `MAX_LENGTH`.
    k : int
        Number of nearest neighbours, from 1 to the smaller of `MAX_NEIGHBORS` and V.
    workers : int
        Number of threads.

    Yields
    ------
    start : int
        Index of the first query of the chunk.
    rows : int32 array, shape (b, 2 * k + ROOM)
        Candidates of the b queries from `start` on. Only the first `found` candidates of a query are valid.
    found : int64 array, shape (b,)
        Number of candidates of each query, which is at least k, or −1 if the query has too many candidates.
    """
    V, D = unit.shape
    slack = _slack(D)
    slab = max(TILE, SLAB // (D + D % 2) // TILE * TILE)
    held = -1  # first row of the slab in `tiles`, which is often the only slab
    with ThreadPoolExecutor(workers, "fastw2v") as pool:
        # The first chunk is short, so that the caller can stop early if all of its queries are abandoned.
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
                    tiles, held = _tiles(decoded_rows(unit, first, first + slab)), first
                keep = partial(_keep_candidates, k, slack, tiles, first, min(slab, V - first))
                running = [pool.submit(keep, asked[q], rows[q], scores[q], found[q], least[q]) for q in blocks]
                for one in running:
                    one.result()
            yield start, rows[:b], found[:b]


def _slack(D: int) -> int:
    """Return 2E, the maximum difference between the k-th largest product and the product of a candidate."""
    h, length = 0.51 * D**0.5, SCALE * MAX_LENGTH
    return 2 * math.ceil(h * length + (length + h) * h)


def _integers(matrix: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the rows as integers, padded with zeros to `n_rows` rows and an even number of columns."""
    B, D = matrix.shape
    integers = np.zeros((n_rows, D + D % 2), np.int16)
    integers[:B, :D] = np.rint(matrix * matrix.dtype.type(SCALE))
    return integers


def _tiles(matrix: np.ndarray) -> np.ndarray:
    """Return rows as integers in the order of multiplication: for each tile, two columns of all rows at a time."""
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
    """Score rows against queries, and keep the rows that can be among the k nearest.

    `tiles` contains the rows from index `first` on. `rows` and `scores` contain the candidates of each query and their
    scores, best first. `found` is the number of candidates, and `least` is the minimum score of a new candidate.
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
    """Multiply a tile of rows by `QUERIES` queries, and return a bit mask of the queries with candidates.

    `tile` and `query` are the offsets of the first elements. A row is a candidate if its product with a query is at
    least the query's value in `least`.
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

        # The sums of all groups fill the 32 registers of AVX-512. AVX2 has half as many registers of half the size.
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
    """Multiply 16 pairs of 16-bit integers, each stored in 32 bits, and return the sum of the products of each pair.

    LLVM does not generate the instruction ``pmaddwd`` from a multiplication of extended integers, so its intrinsic is
    called explicitly. LLVM combines the instruction with the following addition if the processor supports VNNI.
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
