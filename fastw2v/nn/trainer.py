"""A plain training loop over batches of contexts and targets: forward pass, backward pass, update."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from typing import Any, Self

from fastw2v.backend import get_device, get_namespace, is_cupy, is_numpy, on_device_of, to_host
from fastw2v.config import check_flags, check_integer, check_range
from fastw2v.nn.sparse import RowSparseGradient, add_gradients, coalesce_in_order
from fastw2v.sampling import rng
from fastw2v.utils.checks import check_array, check_callable
from fastw2v.utils.loss import require_finite_loss, require_finite_weights
from fastw2v.utils.progress import Progress


class Trainer:
    """A training loop for a model and an optimiser.

    Parameters
    ----------
    model : object
        A model such as `CBOW` or `SkipGram`, or one of your own. ``forward(contexts, target)`` returns the mean loss,
        ``backward()`` sets the gradients, and the lists ``params`` and ``grads`` contain the weights and their
        gradients in the same order (see `fastw2v.nn.layers`). A weight that several layers share is listed once for
        each layer.
    optimizer : object
        An optimiser such as `SGD` or `Adam`, or one of your own. ``update(params, grads)`` changes the weights in
        place. It gets each shared weight once, with the sum of its gradients.
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
        for name in ("forward", "backward"):
            check_callable(f"model.{name}", getattr(model, name, None), "a model such as CBOW, or one of your own")
        check_callable("optimizer.update", getattr(optimizer, "update", None), "an optimiser such as SGD")
        check_integer("seed", seed)
        check_flags(deterministic=deterministic)
        self.model = model
        self.optimizer = optimizer
        self.seed = seed
        self.deterministic = deterministic
        self.loss_history: list[tuple[float, float]] = []
        self._epochs_done = 0
        self._zero_so_far: set[int] | None = None  # the gradients that were zero in every batch
        self._is_first_step = True  # of a call of `fit`, because the model may be pickled between two calls

    def fit(
        self,
        contexts: Any,
        target: Any,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
        show: bool | None = None,
    ) -> Self:
        """Train for a number of epochs, each in a new random order. A second call continues the training.

        Parameters
        ----------
        contexts : int array, shape (N, C)
            Context words of each example, on the device of the model. Models of your own can use any shape (N, …).
        target : int array, shape (N,)
            Target word of each example, on the device of the model. Models of your own can use any shape (N, …).
        max_epoch : int
            Number of epochs.
        batch_size : int
            Examples in a batch. The last batch of an epoch may be smaller.
        max_grad : float, optional
            Maximum joint norm of all gradients. If the norm is larger, all gradients are scaled down. If None,
            gradients are not scaled.
        eval_interval : int, optional
            Batches between entries of `loss_history`. Each epoch also adds an entry at its end. If None, only these
            entries are added.
        show : bool, optional
            Whether to show a progress bar. If None, it is shown on a terminal and in a Jupyter notebook. Otherwise, the
            logger ``fastw2v`` gets a message of level INFO every ten seconds.

        Returns
        -------
        Trainer
            The trainer itself.

        Raises
        ------
        ValueError
            If `max_epoch`, `batch_size` or `eval_interval` is below 1, if `max_grad` is not positive, if `contexts` and
            `target` are empty or differ in length, if the model has more or fewer gradients than weights, or if the
            shapes of a gradient and its weight differ.
        TypeError
            If an argument has the wrong type, a weight or a gradient of the model is not an array of floats, or
            `forward` does not return a number.
        FloatingPointError
            If the loss or a trained weight becomes infinite or NaN.

        Warns
        -----
        UserWarning
            If a gradient is zero in all batches of the first epoch, so that its weight is not trained, or if a weight
            equals the transpose of another but does not share its memory. Neither is checked on a GPU.

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
            if value is not None or name != "eval_interval":
                check_integer(name, value, minimum=1)
        if max_grad is not None:
            check_range("max_grad", max_grad, low=0.0)
            if not max_grad:
                raise ValueError("max_grad is 0, which would make all gradients zero; it must be positive, or None")
        if show is not None:
            check_flags(show=show)
        check_array("contexts", contexts)
        check_array("target", target)
        size = target.shape[0]
        if contexts.shape[0] != size or not size:
            raise ValueError(
                f"contexts has {contexts.shape[0]} rows and target has {size} elements; the numbers must be equal and "
                "at least 1"
            )
        self._is_first_step = True
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
                    loss = self._step(xp.take(contexts, chosen, axis=0), xp.take(target, chosen, axis=0), max_grad)
                    # The sum stays on the device, because reading the loss of each batch would wait for a GPU.
                    total = total + xp.asarray(loss, dtype=xp.float64) * chosen.shape[0]
                    since += chosen.shape[0]
                    done += chosen.shape[0]
                    if (eval_interval and step % eval_interval == 0) or first + batch_size >= size:
                        mean = self._record(float(to_host(total)) / since, (first + chosen.shape[0]) / size, step)
                        progress.update(done, mean)
                        total, since = total * 0, 0
                self._epochs_done += 1
                if self._zero_so_far:
                    self._warn_of_zero_gradients()
        if self.model.params:
            require_finite_weights(self.model.params, self._remedy())
        return self

    def _step(self, contexts: Any, target: Any, max_grad: float | None) -> Any:
        """Train on one batch and return its loss."""
        loss = self.model.forward(contexts, target)
        if not isinstance(loss, (int, float)) and getattr(loss, "shape", None) != ():
            what = f"an array of shape {loss.shape}" if hasattr(loss, "shape") else type(loss).__name__
            raise TypeError(
                f"{type(self.model).__name__}.forward() returned {what}; it must return the mean loss of the batch, as "
                "a number or an array of shape ()"
            )
        self.model.backward()
        params, grads = self.model.params, self.model.grads
        check_gradients(params, grads)
        if self._zero_so_far is None:
            self._zero_so_far = set(range(len(grads)))
        if self._is_first_step:
            self._is_first_step = False
            _warn_of_copied_transposes(params)
        if self._zero_so_far:
            self._zero_so_far = {i for i in self._zero_so_far if not _has_nonzero(grads[i])}
        params, grads = merge_shared(params, grads)
        if self.deterministic:
            grads = coalesce_in_order(grads)
        if max_grad is not None:
            grads = clip_gradients(grads, max_grad)
        self.optimizer.update(params, grads)
        return loss

    def _warn_of_zero_gradients(self) -> None:
        """Warn of the weights that have not been trained, once."""
        names = ", ".join(f"model.grads[{i}]" for i in sorted(self._zero_so_far or ())[:5])
        self._zero_so_far = set()
        warnings.warn(
            f"{names} stayed zero in the whole epoch, so the weights of the same index in model.params are not "
            "trained. If the backward() of a layer replaces its array in grads, the model's list still contains the "
            "old one; write the gradient into the array instead: self.grads[0][...] = dW",
            stacklevel=_caller_level(),
        )

    def _record(self, mean: float, part: float, step: int) -> float:
        """Add a loss to the history after checking that it is finite, and return it."""
        require_finite_loss(mean, f"epoch {self._epochs_done + 1}, batch {step}", self._remedy())
        self.loss_history.append((self._epochs_done + part, mean))
        return mean

    def _remedy(self) -> str:
        """Return what to try if training diverges."""
        return f"a lower learning rate (now {getattr(self.optimizer, 'lr', 'unknown')}) or with max_grad"


def check_gradients(params: Any, grads: Any) -> None:
    """Raise an error unless a model has one gradient for each weight, with the same shape.

    Parameters
    ----------
    params, grads : sequence
        The lists of a model after its backward pass.

    Raises
    ------
    TypeError
        If one of the lists is None, a weight is not an array of floats, or a gradient is not an array.
    ValueError
        If the lengths of the lists differ, or the shapes of a gradient and its weight differ.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn.trainer import check_gradients
    >>> check_gradients([np.zeros((3, 2))], [np.zeros((3, 2))])
    >>> check_gradients([np.zeros((3, 2))], [np.zeros((2, 3))])
    Traceback (most recent call last):
        ...
    ValueError: model.grads[0] has shape (2, 3), but its weight model.params[0] has shape (3, 2)
    """
    if params is None or grads is None:
        name = "params" if params is None else "grads"
        raise TypeError(f"model.{name} is None; it must be a list, collected from the layers of the model")
    if len(params) != len(grads):
        raise ValueError(
            f"model.params contains {len(params)} weights, but model.grads contains {len(grads)} gradients; add both "
            "lists of each layer, in the same order: self.params += layer.params and self.grads += layer.grads"
        )
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        if not hasattr(param, "dtype") or getattr(param.dtype, "kind", "f") not in "fc":
            what = f"an array of {param.dtype}" if hasattr(param, "dtype") else f"of type {type(param).__name__}"
            raise TypeError(f"model.params[{i}] is {what}; a weight must be an array of floats")
        if not hasattr(grad, "dtype"):
            what = "None" if grad is None else f"of type {type(grad).__name__}"
            raise TypeError(
                f"model.grads[{i}], the gradient of model.params[{i}] with shape {tuple(param.shape)}, is {what} after "
                "backward(); a layer must create its gradient in its constructor, for example with "
                "self.grads = [np.zeros_like(W)], and fill it in backward() with self.grads[0][...] = dW"
            )
        shape = grad.shape
        if shape is None:  # a row-sparse gradient without a shape
            shape = (param.shape[0], *grad.rows.shape[1:])
        if tuple(shape) != tuple(param.shape):
            raise ValueError(
                f"model.grads[{i}] has shape {tuple(shape)}, but its weight model.params[{i}] has shape "
                f"{tuple(param.shape)}"
            )


def merge_shared(params: Sequence[Any], grads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return each distinct weight once, with the sum of its gradients.

    If several layers share a weight, each has only a part of the gradient. Optimisers such as Adam need the whole
    gradient, because they would treat each part as a separate step.

    Parameters
    ----------
    params : sequence of float array
        Weights. Arrays that share memory are merged, even if one is the transpose of the other. Equal arrays that do
        not share memory are different weights.
    grads : sequence of float array or RowSparseGradient
        The gradient of each weight. A gradient that is listed twice for the same weight is counted once.

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
    position: dict[Any, int] = {}
    distinct: list[Any] = []
    sums: list[Any] = []
    counted: set[tuple[int, int]] = set()
    for param, grad in zip(params, grads, strict=True):
        memory, transposed = _memory(param), _memory(param.T if param.ndim == 2 else param)
        if memory not in position and transposed in position:
            memory, grad = transposed, grad.T
        elif (position.get(memory, -1), id(grad)) in counted:
            continue
        if memory in position:
            at = position[memory]
            sums[at] = add_gradients(sums[at], grad)
        else:
            position[memory] = len(distinct)
            distinct.append(param)
            sums.append(grad)
        counted.add((position[memory], id(grad)))
    return distinct, sums


def _memory(array: Any) -> Any:
    """Return a key that is equal for arrays with the same elements in the same memory."""
    if is_numpy(array):
        return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
    if is_cupy(array):
        return array.data.ptr, array.shape, array.strides, array.dtype
    return id(array)


def _warn_of_copied_transposes(params: Sequence[Any]) -> None:
    """Warn if two weights equal each other's transpose but do not share memory, as after pickling tied weights."""
    for j, second in enumerate(params):
        for i, first in enumerate(params[:j]):
            if (
                first.ndim == second.ndim == 2
                and first.shape == second.shape[::-1]
                and _memory(first) not in (_memory(second), _memory(second.T))
                and _has_nonzero(first)
                and not _has_nonzero(first - second.T)
            ):
                warnings.warn(
                    f"model.params[{j}] equals the transpose of model.params[{i}], but does not share its memory, so "
                    "they are trained as two weights. If they are meant to be one, pass W and W.T of the same array "
                    "to the layers. Pickling and copying a model make separate arrays of them",
                    stacklevel=_caller_level(),
                )


def _caller_level() -> int:
    """Return the `stacklevel` with which the function that calls this one warns at the line outside of fastw2v."""
    frame, level = inspect.currentframe(), 0
    while frame and frame.f_globals.get("__name__", "").startswith("fastw2v."):
        frame, level = frame.f_back, level + 1
    return level


def _has_nonzero(grad: Any) -> bool:
    """Return whether a gradient has an element other than zero. Return True on a GPU, where the host would wait."""
    parts = [part.rows for part in grad.parts] if isinstance(grad, RowSparseGradient) else [grad]
    return any(not is_numpy(part) or bool(part.any()) for part in parts)


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
    values = [_rows_without_padding(grad) if isinstance(grad, RowSparseGradient) else grad for grad in grads]
    xp = get_namespace(*values)
    norm = xp.sqrt(sum(xp.sum(value * value) for value in values))
    rate = xp.where(norm > max_norm, max_norm / (norm + 1e-6), xp.ones_like(norm))
    return [
        RowSparseGradient(grad.ids, grad.rows * rate, grad.shape)
        if isinstance(grad, RowSparseGradient)
        else grad * rate
        for grad in grads
    ]


def _rows_without_padding(grad: RowSparseGradient) -> Any:
    """Return the rows of a gradient, with zeros at negative ids."""
    if is_numpy(grad.ids) and not (grad.ids < 0).any():
        return grad.rows
    return get_namespace(grad.rows).where((grad.ids < 0)[:, None], 0.0, grad.rows)
