"""Engines: which one trains, where its tables lie, and the one that is made of layers.

Three functions train two tables on a corpus, with the same arguments: `train_layers` here, on any device;
`kernels.cpu.train` and `kernels.gpu.train`, compiled. `choose_engine` says which, `tables` and `trainer` give what
it needs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fastw2v.backend import (
    array_module,
    cuda_problem,
    get_device,
    get_namespace,
    is_numpy,
    on_device_of,
    to_device,
    to_host,
)
from fastw2v.gradient import CbowGrad, in_fixed_order
from fastw2v.kernels import cpu, gpu
from fastw2v.models import CBOW, SkipGram
from fastw2v.optim import SGD, linear_rate
from fastw2v.sampling import AliasTable, alias_table, batches, keep_threshold, noise_weights

__all__ = ["Engine", "ProgressFunction", "choose_engine", "tables", "train_layers", "trainer"]

Engine = Literal["auto", "fused", "layers"]
ProgressFunction = Callable[[int, float, float], None]
"""Called with the words done, the mean loss per target since the last call, and the learning rate."""

# The layers engine's schedule; the fused one's is in kernels/schedule.py. Batches of 256 tokens and more to a matrix
# product would let OpenBLAS start threads for products too small to gain from them.
POOL_TOKENS = 64
"""L: tokens of the corpus that share a pool of negatives."""
POOL_SIZE = 16
"""P: negatives in a pool, at least; three times `negative` if that is more."""
GROUPS = 16
"""Pools in one batch: larger batches are hardly faster on NumPy, and staler."""
GPU_GROUPS = 256
"""Pools in one batch on a GPU, where a batch costs more than a hundred launches of kernels, however small it is."""
MAX_ROW_STEP = 1.6
"""Longest first step of one row in one batch of the layers engine (see `SGD`); half and twice as much do less well."""
UNTRIED = "there is one, but the CUDA engine has not yet been run on a GPU; device='cuda' tries it"
"""Why "auto" prefers a processor with a fused engine to a GPU, until somebody has run the GPU's."""
INTERVAL = 0.2
"""Seconds between two calls of the progress function."""
REPORTS = 20
"""Calls of the progress function in a run that is over sooner: a curve needs points."""


def choose_engine(engine: Engine = "auto", device: str = "auto", deterministic: bool = False) -> tuple[str, str, str]:
    """Return the device and engine that a run would use, and why.

    Parameters
    ----------
    engine : {"auto", "fused", "layers"}
    device : {"auto", "cpu", "cuda", "cuda:N"}
    deterministic : bool
        Whether the same run must give the same bytes.

    Returns
    -------
    device : str
        "cpu", "cuda" or "cuda:N".
    engine : str
        "fused" or "layers".
    reason : str

    Raises
    ------
    ValueError
        If a name is unknown.
    RuntimeError
        If the device or engine asked for cannot be used, with the reason.
    """
    if device == "auto":
        problem = cuda_problem() or (UNTRIED if cpu.problem() is None else None)
        device, reason = ("cpu", f"no GPU is used: {problem}") if problem else ("cuda", "a CUDA device was found")
    else:
        array_module(device)  # raises, with the reason, if there is no such device
        reason = f"device {device!r} was asked for"
    problem = _fused_problem(device, deterministic)
    if engine == "fused" and problem:
        raise RuntimeError(f"engine 'fused' cannot be used on {device}: {problem}. engine='layers' can")
    if engine == "auto":
        return (device, "layers", f"{reason}; no fused engine: {problem}") if problem else (device, "fused", reason)
    return device, engine, f"{reason}; engine {engine!r} was asked for"


def _fused_problem(device: str, deterministic: bool) -> str | None:
    """Return why the fused engine cannot be used on a device, or None if it can."""
    if device == "cpu":
        return cpu.problem()
    if deterministic:
        return "deterministic=True was asked for, and the order of its additions is not fixed"
    return gpu.problem(device)


def tables(shape: tuple[int, int], device: str, engine: str) -> tuple[Any, Any]:
    """Return W_in and W_out of zeros, float32, laid out as the engine likes them."""
    if engine == "fused":
        return (cpu.aligned_zeros(shape), cpu.aligned_zeros(shape)) if device == "cpu" else gpu.tables(shape, device)
    W_in = to_device(np.zeros(shape, np.float32), device)
    with on_device_of(W_in):
        return W_in, get_namespace(W_in).zeros_like(W_in)


def trainer(device: str, engine: str) -> Callable[..., np.ndarray]:
    """Return the function that trains with an engine on a device; `train_layers` says what it takes."""
    if engine == "layers":
        return train_layers
    return cpu.train if device == "cpu" else gpu.train


def train_layers(
    W_in: Any,
    W_out: Any,
    corpus_ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    *,
    model: Literal["cbow", "skipgram"] = "cbow",
    window: int = 5,
    negative: int = 5,
    ns_exponent: float = 0.75,
    sample: float = 1e-3,
    alpha: float = 0.2,
    min_alpha: float = 1e-4,
    epochs: int = 5,
    seed: int = 1,
    shrink_windows: bool = True,
    cbow_grad: CbowGrad = "balanced",
    workers: int | None = None,
    on_progress: ProgressFunction | None = None,
    deterministic: bool = False,
) -> np.ndarray:
    """Train both tables in place by batches of the layers' forward and backward, on the device where they are.

    The host does not wait for the device but where it reads the loss, about every 0.2 s, and the sizes of the batches
    of a stretch of 2**20 tokens.

    Parameters
    ----------
    W_in, W_out : float array, shape (V, D)
        Of any array library.
    corpus_ids, offsets, counts : integer array
        Of NumPy: the tokens, (T,); where sentences start, with T at the end; how often each word occurs, (V,).
    workers : int, optional
        Not used: the threads are the array library's.
    on_progress : callable, optional
        Called about every 0.2 s, of a short run about twenty times, and in the end, as `ProgressFunction` says.
    deterministic : bool
        Whether a repeated run gives the same bytes on a GPU too (see `RowGradient.summed`).

    The other parameters are those of `fastw2v.Word2Vec`.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.

    Raises
    ------
    FloatingPointError
        If the loss becomes infinite or NaN.
    """
    xp = get_namespace(W_in, W_out)
    device = get_device(W_in)
    network = (
        CBOW.from_weights(W_in, W_out, negative, cbow_grad=cbow_grad)
        if model == "cbow"
        else SkipGram.from_weights(W_in, W_out, negative)
    )
    optimizer = SGD(alpha, max_row_norm=MAX_ROW_STEP / alpha)
    N = len(corpus_ids)
    losses, targets = np.zeros(epochs), np.zeros(epochs, np.int64)
    seen, reported, due = (0.0, 0), time.monotonic(), epochs * N / REPORTS

    def report(epoch: int, total: Any, words: int) -> None:
        """Read the loss of an epoch so far, which waits for the device, and pass it on."""
        nonlocal seen, reported, due
        losses[epoch] = float(to_host(total))
        if not math.isfinite(losses[epoch]):
            raise FloatingPointError(
                f"the loss is {losses[epoch]} in epoch {epoch + 1} of {epochs}, after {words} words: the vectors have "
                f"left the finite numbers. Train again with a lower alpha (now {alpha})"
            )
        now = float(losses.sum()), int(targets.sum())
        if on_progress is not None and now[1] > seen[1]:
            on_progress(epoch * N + words, (now[0] - seen[0]) / (now[1] - seen[1]), optimizer.lr)
        seen, reported, due = now, time.monotonic(), epoch * N + words + epochs * N / REPORTS

    with on_device_of(W_in):
        keep = xp.asarray(keep_threshold(counts, sample), device=device)
        noise = AliasTable(
            *(xp.asarray(part, device=device) for part in alias_table(noise_weights(counts, ns_exponent)))
        )
        ids, starts = xp.asarray(corpus_ids, device=device), xp.asarray(offsets, device=device)
        for epoch in range(epochs):
            total = xp.zeros((), dtype=xp.float64, device=device)
            words = 0
            for batch in batches(
                ids,
                starts,
                keep,
                noise,
                window=window,
                pool_tokens=POOL_TOKENS,
                pool_size=max(POOL_SIZE, 3 * negative),
                groups=GROUPS if is_numpy(W_in) else GPU_GROUPS,
                seed=seed,
                epoch=epoch,
                shrink_windows=shrink_windows,
            ):
                optimizer.lr = linear_rate(alpha, min_alpha, (epoch * N + words) / (epochs * N))
                loss = network.forward(batch.contexts, batch.target, batch.pool)
                # The mean's gradient times the number of targets: each target has a full step, as in word2vec.c.
                network.backward(batch.targets)
                optimizer.update(network.params, in_fixed_order(network.grads) if deterministic else network.grads)
                words = batch.done
                total = total + xp.astype(loss, xp.float64) * batch.targets
                targets[epoch] += batch.targets
                if time.monotonic() - reported > INTERVAL or (on_progress is not None and epoch * N + words >= due):
                    report(epoch, total, words)
            report(epoch, total, N)
    return losses / np.maximum(targets, 1)
