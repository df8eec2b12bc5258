"""The numbers of the fused tier's schedule, which are part of its meaning, and the defaults that were measured."""

from __future__ import annotations

STRETCH = 8192
"""Tokens that a worker trains at a time. A longer sentence is split."""
SECTION = 1 << 24
"""Tokens among which the order of stretches is random."""
LONGEST_STEP = 1.6
"""Longest change of a streamed row, or of a target's own row, at once; a longer one is shortened to it.

Rows are read up to twice the window before they are written, and the steps of a word that comes again and again
meanwhile add up without knowing of each other. On running text that is harmless and a step this long is rare; on
walks over a small graph, with a wide window, it doubles its error at every turn unless it is bounded.
"""
TILE = 4
"""T: targets trained at a time."""
POOL_TOKENS = 256
"""L: tokens of the corpus that share a pool of negatives."""
POOL_SIZE = {"cbow": 24, "skipgram": 32}
"""P: negatives in a pool, at least. A skip-gram target's pool stands for negatives of each of its contexts."""


def pool_size_for(model: str, negative: int, vector_size: int) -> int:
    """Return P where none is given: a pool that stands for many negatives, or pushes long vectors, must hold more.

    Long vectors have room to fit the few negatives that a pool holds: see the table in `docs/kernels.md`.
    """
    # A model that is not known is refused by those who ask.
    return max(POOL_SIZE.get(model, 1), 3 * negative, 4 * -(-vector_size // 40))
