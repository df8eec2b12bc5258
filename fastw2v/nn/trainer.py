"""A plain training loop over batches of contexts and targets: forward pass, backward pass, update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from fastw2v.backend import get_device, get_namespace, on_device_of, to_host
from fastw2v.nn.sparse import RowSparseGradient, add_gradients, coalesce_in_order
from fastw2v.sampling import rng
from fastw2v.utils.loss import require_finite_loss
from fastw2v.utils.progress import Progress


class Trainer:
    """A training loop for a model and an optimiser.

    Parameters
    ----------
    model : object
        A model with the methods ``forward(contexts, target)`` and ``backward()`` and the attributes ``params`` and
        ``grads``, such as `CBOW` or `SkipGram`.
    optimizer : object
        An optimiser with the method ``update(params, grads)``, such as `SGD` or `Adam`.
    seed : int
        Seed of the random order of the examples.
    deterministic : bool
        Whether repeated runs give the same bytes on a GPU as well, which takes longer (see
        `RowSparseGradient.coalesce`). On a CPU, they always give the same bytes.

    Attributes
    ----------
    loss_history : list of (float, float)
        Each entry has the number of epochs completed, including a fraction for the current epoch, and the mean loss per
        target since the previous entry.

    Examples
    --------
    Train skip-gram on a cycle of five words. The contexts of a word are its two neighbours:

    >>> import numpy as np
    >>> from fastw2v.nn import Adam, SkipGram, Trainer
    >>> corpus = np.tile(np.arange(5), 40)
    >>> contexts, target = np.stack([corpus[:-2], corpus[2:]], axis=1), corpus[1:-1]
    >>> model = SkipGram(vocab_size=5, hidden_size=8, window_size=1, corpus=corpus)
    >>> trainer = Trainer(model, Adam(lr=0.1)).fit(contexts, target, max_epoch=5, show=False)
    >>> losses = [loss for _, loss in trainer.loss_history]
    >>> len(losses), losses[-1] < losses[0]
    (5, True)
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
        """Train for a number of epochs, each in a new random order. A second call continues the training.

        Parameters
        ----------
        contexts : int array, shape (N, C)
            Context words of each example, on the device of the model.
        target : int array, shape (N,)
            Target word of each example, on the device of the model.
        max_epoch : int
            Number of epochs.
        batch_size : int
            Examples in a batch. The last batch of an epoch may be smaller.
        max_grad : float, optional
            Maximum joint norm of all gradients. If the norm is larger, all gradients are scaled down. If None,
            gradients are not scaled.
        eval_interval : int
            Batches between entries of `loss_history`. Each epoch also adds an entry at its end.
        show : bool, optional
            Whether to show a progress bar. If None, it is shown if standard error is a terminal.

        Returns
        -------
        Trainer
            The trainer itself.

        Raises
        ------
        ValueError
            If `max_epoch`, `batch_size` or `eval_interval` is below 1, or if `contexts` and `target` are empty or
            differ in length.
        FloatingPointError
            If the loss becomes infinite or NaN.

        Examples
        --------
        The second call continues after epoch 2:

        >>> import numpy as np
        >>> from fastw2v.nn import CBOW, SGD, Trainer
        >>> contexts, target = np.array([[0, 2], [1, 3], [2, 0]]), np.array([1, 2, 3])
        >>> model = CBOW(vocab_size=4, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 3, 0]))
        >>> trainer = Trainer(model, SGD(lr=0.1)).fit(contexts, target, max_epoch=2, show=False)
        >>> _ = trainer.fit(contexts, target, max_epoch=1, show=False)
        >>> [epochs for epochs, _ in trainer.loss_history]
        [1.0, 2.0, 3.0]
        """
        for name, value in (("max_epoch", max_epoch), ("batch_size", batch_size), ("eval_interval", eval_interval)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        size = target.shape[0]
        if contexts.shape[0] != size or not size:
            raise ValueError(
                f"contexts has {contexts.shape[0]} rows and target has {size} elements; the numbers must be equal and "
                "at least 1"
            )
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
                    # The sum stays on the device, because reading the loss of each batch would wait for a GPU.
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
        """Train on one batch and return its loss."""
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
        """Add a loss to the history after checking that it is finite, and return it."""
        require_finite_loss(
            mean,
            f"epoch {self._epochs_done + 1}, batch {step}",
            f"a lower learning rate (now {getattr(self.optimizer, 'lr', 'unknown')}) or with max_grad",
        )
        self.loss_history.append((self._epochs_done + part, mean))
        return mean


def merge_shared(params: Sequence[Any], grads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return each distinct weight once, with the sum of its gradients.

    If several layers share a weight, each has only a part of the gradient. Optimisers such as Adam need the whole
    gradient, because they would treat each part as a separate step.

    Parameters
    ----------
    params : sequence of float array
        Weights. Repetitions of the same object are merged.
    grads : sequence of float array or RowSparseGradient
        The gradient of each weight.

    Returns
    -------
    params : list of float array
    grads : list of float array or RowSparseGradient

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn.trainer import merge_shared
    >>> W, b = np.zeros(2), np.zeros(2)
    >>> params, grads = merge_shared([W, b, W], [np.array([1.0, 2.0]), np.array([5.0, 5.0]), np.array([3.0, 4.0])])
    >>> len(params), grads
    (2, [array([4., 6.]), array([5., 5.])])
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
    """Return the gradients, all scaled down by the same factor if their joint norm exceeds `max_norm`.

    Parameters
    ----------
    grads : sequence of float array or RowSparseGradient
    max_norm : float
        Maximum joint norm of the gradients.

    Returns
    -------
    list of float array or RowSparseGradient

    Examples
    --------
    The joint norm of 3 and 4 is 5, so both are divided by 5:

    >>> import numpy as np
    >>> from fastw2v.nn.trainer import clip_gradients
    >>> [grad.round(3) for grad in clip_gradients([np.array([3.0]), np.array([4.0])], max_norm=1.0)]
    [array([0.6]), array([0.8])]
    """
    grads = [grad.coalesce() if isinstance(grad, RowSparseGradient) else grad for grad in grads]
    values = [grad.rows if isinstance(grad, RowSparseGradient) else grad for grad in grads]
    xp = get_namespace(*values)
    norm = xp.sqrt(sum(xp.sum(value * value) for value in values))
    rate = xp.where(norm > max_norm, max_norm / (norm + 1e-6), xp.ones_like(norm))
    return [
        RowSparseGradient(grad.ids, grad.rows * rate) if isinstance(grad, RowSparseGradient) else grad * rate
        for grad in grads
    ]
