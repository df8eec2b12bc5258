"""The checks that a loss and trained weights are finite."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.utils.loss import require_finite_loss, require_finite_weights


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf"), np.float32("nan")])
def test_a_loss_that_is_not_finite(loss):
    with pytest.raises(FloatingPointError, match=r"^the loss is -?(nan|inf) in epoch 2; .* with a lower alpha$"):
        require_finite_loss(loss, "epoch 2", "a lower alpha")


@pytest.mark.parametrize("loss", [0.0, -1.0, 1e300, np.float32(2)])
def test_a_finite_loss(loss):
    require_finite_loss(loss, "epoch 2", "a lower alpha")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("at", [0, 511, 1023])  # vector instructions treat the ends of an array differently
def test_weights_that_are_not_finite(xp, value, dtype, at):
    weights = np.linspace(-1, 1, 1024).astype(dtype)
    sound = xp.asarray(weights.copy().reshape(64, 16))
    weights[at] = value
    broken = xp.asarray(weights.reshape(64, 16))
    require_finite_weights([sound, sound], "a lower alpha")
    for arrays in ([sound, broken], [broken, sound], [broken]):
        with pytest.raises(FloatingPointError, match=r"^the trained weights contain .* with a lower alpha$"):
            require_finite_weights(arrays, "a lower alpha")


def test_the_largest_weights_are_finite():
    require_finite_weights([np.array([np.finfo(np.float32).max, -3e38], np.float32)], "a lower alpha")
