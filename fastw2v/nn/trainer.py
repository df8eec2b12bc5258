"""The readable training loop: batches of contexts and targets, forward, backward, update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from fastw2v.backend import get_device, get_namespace, on_device_of, to_host
from fastw2v.nn.sparse import RowSparseGradient, add_gradients, coalesce_in_order
from fastw2v.sampling import rng
from fastw2v.utils.loss import require_finite_loss
from fastw2v.utils.progress import Progress


class Trainer:
    """Train a model with an optimiser on contexts and targets.

    Parameters
    ----------
    model : object
        With ``forward(contexts, target)``, ``backward()``, ``params`` and ``grads``.
    optimizer : object
        With ``update(params, grads)``.
    seed : int
        Of the order in which the examples are visited.
    deterministic : bool
        Whether a repeated run gives the same bytes on a GPU too, where that takes longer (see
        `RowSparseGradient.coalesce`). On a CPU it always does.

    Attributes
    ----------
    loss_history : list of (float, float)
        Epochs done, and the mean loss per target since the entry before.
    """

    def __init__(self, model: Any, optimizer: Any, seed: int = 1, deterministic: bool = False) -> None:
        self.model = model
        self.optimizer = optimizer
        self.seed = seed
        self.deterministic = deterministic
        self.loss_history: list[tuple[float, float]] = []
        self._epochs_done = 0

    def fit(
        self,
        contexts: Any,
        target: Any,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int = 20,
        show: bool | None = None,
    ) -> Self:
        """Train for `max_epoch` passes, each in a new order, and go on from there when called again.

        Parameters
        ----------
        contexts : int array, shape (N, C)
        target : int array, shape (N,)
            On the model's device. The last, smaller batch of an epoch is trained like the others.
        max_epoch : int
        batch_size : int
        max_grad : float, optional
            Longest norm of all gradients together; longer ones are scaled down to it.
        eval_interval : int
            Batches between entries of `loss_history`; each epoch's end makes one too.
        show : bool, optional
            Whether to show a progress bar; when absent, if standard error is a terminal.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        ValueError
            If a size is below 1, or contexts and target differ in length or are empty.
        FloatingPointError
            If the loss stops being finite.
        """
        for name, value in (("max_epoch", max_epoch), ("batch_size", batch_size), ("eval_interval", eval_interval)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        size = target.shape[0]
        if contexts.shape[0] != size or not size:
            raise ValueError(f"contexts has {contexts.shape[0]} rows and target {size}: they must be equal and above 0")
        xp = get_namespace(contexts, target)
        device = get_device(target)
        with on_device_of(target), Progress("training", size * max_epoch, unit="targets", show=show) as progress:
            done = 0
            for _ in range(max_epoch):
                order = xp.argsort(
                    rng.bits(rng.stream_key(self.seed, rng.SHUFFLE, self._epochs_done), xp.arange(size, device=device))
                )
                total, since = xp.zeros((), dtype=xp.float64, device=device), 0
                for step, first in enumerate(range(0, size, batch_size), start=1):
                    chosen = order[first : min(first + batch_size, size)]
                    loss = self._step(xp.take(contexts, chosen, axis=0), xp.take(target, chosen), max_grad)
                    # Summed on the device: reading every batch's loss would make a GPU wait each time.
                    total = total + xp.astype(loss, xp.float64) * chosen.shape[0]
                    since += chosen.shape[0]
                    done += chosen.shape[0]
                    if step % eval_interval == 0 or first + batch_size >= size:
                        mean = self._record(float(to_host(total)) / since, (first + chosen.shape[0]) / size, step)
                        progress.update(done, mean)
                        total, since = total * 0, 0
                self._epochs_done += 1
        return self

    def _step(self, contexts: Any, target: Any, max_grad: float | None) -> Any:
        loss = self.model.forward(contexts, target)
        self.model.backward()
        params, grads = merge_shared(self.model.params, self.model.grads)
        if self.deterministic:
            grads = coalesce_in_order(grads)
        if max_grad is not None:
            grads = clip_gradients(grads, max_grad)
        self.optimizer.update(params, grads)
        return loss

    def _record(self, mean: float, part: float, step: int) -> float:
        require_finite_loss(
            mean,
            f"epoch {self._epochs_done + 1}, batch {step}",
            f"a lower learning rate (now {getattr(self.optimizer, 'lr', 'unknown')}) or with max_grad",
        )
        self.loss_history.append((self._epochs_done + part, mean))
        return mean


def merge_shared(params: Sequence[Any], grads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return each distinct weight once, with the sum of its gradients.

    A weight that several layers share would otherwise be updated several times in a step, and an optimiser with
    memory would take each part for a whole gradient.
    """
    position: dict[int, int] = {}
    distinct: list[Any] = []
    sums: list[Any] = []
    for param, grad in zip(params, grads, strict=True):
        if id(param) in position:
            at = position[id(param)]
            sums[at] = add_gradients(sums[at], grad)
        else:
            position[id(param)] = len(distinct)
            distinct.append(param)
            sums.append(grad)
    return distinct, sums


def clip_gradients(grads: Sequence[Any], max_norm: float) -> list[Any]:
    """Return the gradients, scaled down together if their joint norm is above `max_norm`."""
    grads = [grad.coalesce() if isinstance(grad, RowSparseGradient) else grad for grad in grads]
    values = [grad.rows if isinstance(grad, RowSparseGradient) else grad for grad in grads]
    xp = get_namespace(*values)
    norm = xp.sqrt(sum(xp.sum(value * value) for value in values))
    rate = xp.where(norm > max_norm, max_norm / (norm + 1e-6), xp.ones_like(norm))
    return [
        RowSparseGradient(grad.ids, grad.rows * rate) if isinstance(grad, RowSparseGradient) else grad * rate
        for grad in grads
    ]
