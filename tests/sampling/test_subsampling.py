"""Subsampling thresholds follow the formula."""

from __future__ import annotations

import numpy as np

from fastw2v.sampling.subsampling import keep_threshold


def test_keep_threshold_is_the_formula():
    counts = np.array([900_000, 50_000, 1000, 1])
    f = counts / counts.sum()
    want = np.minimum(1, np.sqrt(1e-3 / f) + 1e-3 / f)
    np.testing.assert_allclose(keep_threshold(counts, 1e-3) / 2**32, want, atol=1e-9)
    assert (keep_threshold(counts, 0) == 2**32).all()
    assert keep_threshold(np.array([5, 0]), 1e-3)[1] == 2**32  # a word that never occurs causes no division by zero
