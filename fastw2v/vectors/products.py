"""Products of a large matrix with a few vectors, without the threads of the BLAS library.

OpenBLAS, the library in NumPy's wheels, divides a product among one thread per processor. The threads wait actively for
the last one. This fails in a server: if several threads of the program multiply at the same time, or if another program
uses a processor, a product can take a hundred times as long. Therefore the rows are split into blocks that are so small
that OpenBLAS multiplies each in the calling thread. A few threads of fastw2v share the blocks of a large product. They
do not wait for a thread that has no processor: the others compute its blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy
from fastw2v.utils.scaled_rows import ScaledRows, decode_unscaled, decoded_rows
from fastw2v.utils.threads import share_blocks

__all__ = ["all_products", "products"]

# Numbers of multiplications up to which OpenBLAS multiplies a matrix by a vector, and by a matrix, in the calling
# thread: 2304 · 4 and 65,536 · 4.
_SERIAL_VECTOR, _SERIAL_MATRIX = 9_200, 2**18
# The limit for a vector in current versions, 115,200 · 4. For smaller products, blocks would cost more than they save.
_SMALL_VECTOR = 460_000
# Number of multiplications in a part, which is the work that a thread takes at a time: about 0.1 ms for one query.
_PART = 2**20
# Number of elements that a thread decodes at a time. They fit in the second-level cache.
_DECODED = 2**16
# Number of elements that are decoded at a time for a product of the BLAS library: 16 MB.
_DECODED_TOGETHER = 2**22


def products(unit: Any, queries: Any) -> Any:
    """Return ``queries @ unit.T``.

    Parameters
    ----------
    unit : float array or ScaledRows, shape (V, D)
    queries : float array, shape (B, D)
        A few vectors. For hundreds, `all_products` is faster.

    Returns
    -------
    float array, shape (B, V)
        The values do not depend on the number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.products import products
    >>> products(np.array([[1.0, 0], [0.8, 0.6], [0, 1]]), np.array([[0.0, 1.0]]))
    array([[0. , 0.6, 1. ]])
    """
    (V, D), B = unit.shape, queries.shape[0]
    small = V * D <= _SMALL_VECTOR if B == 1 else V * D * B <= _SERIAL_MATRIX
    compact = isinstance(unit, ScaledRows)
    array = unit.values if compact else unit
    if small or not is_numpy(array) or not (compact or array.flags.c_contiguous):
        return all_products(unit, queries)
    # OpenBLAS multiplies four rows at a time. With a multiple of four, it rounds as in a single product.
    height = max(1, min(_SERIAL_VECTOR, _SERIAL_MATRIX // B) // (4 * D)) * 4
    whole = V // height * height
    scores = np.empty((B, V), dtype=queries.dtype if compact else unit.dtype)
    if whole < V:
        np.matmul(queries, decoded_rows(unit, whole, V).T, out=scores[:, whole:])
    factor = queries[0] if B == 1 else queries.T
    out = scores[:, :whole].reshape(B, -1, height)
    out = out[0] if B == 1 else out.transpose(1, 2, 0)
    if compact:

        def compute(start: int, stop: int) -> None:
            _multiply_decoded(unit, factor, out, start, stop)

    else:
        blocks = unit[:whole].reshape(-1, height, D)

        def compute(start: int, stop: int) -> None:
            np.matmul(blocks[start:stop], factor, out=out[start:stop])

    share_blocks(compute, len(out), max(1, _PART // (height * factor.size)))
    return scores


def all_products(unit: Any, queries: Any) -> Any:
    """Return ``queries @ unit.T``, computed by the BLAS library.

    Parameters
    ----------
    unit : float array or ScaledRows, shape (V, D)
    queries : float array, shape (B, D)

    Returns
    -------
    float array, shape (B, V)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows
    >>> from fastw2v.vectors.products import all_products
    >>> unit = ScaledRows(np.array([[1, 0], [0, 1]], np.int8), np.ones(2, np.float32))
    >>> all_products(unit, np.array([[0.8, 0.6]], np.float32))
    array([[0.8, 0.6]], dtype=float32)
    """
    if not isinstance(unit, ScaledRows):
        return queries @ unit.T
    (V, D), B = unit.shape, queries.shape[0]
    xp = get_namespace(queries)
    scores = xp.empty((B, V), dtype=queries.dtype, device=get_device(queries))
    for start in range(0, V, step := max(1, _DECODED_TOGETHER // D)):
        stop = min(start + step, V)
        scores[:, start:stop] = queries @ decoded_rows(unit, start, stop).T
    return scores


def _multiply_decoded(unit: ScaledRows, factor: np.ndarray, out: np.ndarray, start: int, stop: int) -> None:
    """Compute the blocks ``start:stop`` of a product. `out` has the shape (blocks, height) or (blocks, height, B)."""
    height, D = out.shape[1], unit.shape[1]
    step = max(1, _DECODED // (height * D))
    rows = np.empty((step * height, D), np.float32)
    for first in range(start, stop, step):
        part = out[first : min(first + step, stop)]
        decoded = rows[: len(part) * height]
        decode_unscaled(unit.values, first * height, decoded)
        np.matmul(decoded.reshape(-1, height, D), factor, out=part)
        scales = unit.scales[first * height : first * height + len(decoded)].reshape(-1, height)
        part *= scales if part.ndim == 2 else scales[:, :, None]
