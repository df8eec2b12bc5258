"""The check that a loss is finite."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.utils.loss import require_finite_loss


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf"), np.float32("nan")])
def test_a_loss_that_is_not_finite(loss):
    with pytest.raises(FloatingPointError, match=r"^the loss is -?(nan|inf) in epoch 2; .* with a lower alpha$"):
        require_finite_loss(loss, "epoch 2", "a lower alpha")


@pytest.mark.parametrize("loss", [0.0, -1.0, 1e300, np.float32(2)])
def test_a_finite_loss(loss):
    require_finite_loss(loss, "epoch 2", "a lower alpha")
