"""The layers of `fastw2v.nn`: targets per second by batch size and optimiser, compared with the loop of a textbook.

The model is CBOW with window 5, 100 dimensions and 5 negatives. It is trained on the demo corpus, which needs no
download. Each row states the loss on held-out text, because with larger batches there are fewer steps, so less is
learnt from the same targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness.measure import Options, Result, Row, Skipped, Wrong, interleave
from benchmarks.systems.texts import zipf_ids
from fastw2v.backend import cuda_problem, to_device, to_host
from fastw2v.compat.textbook import create_contexts_target
from fastw2v.corpus.corpus import Corpus
from fastw2v.datasets.demo import demo_corpus
from fastw2v.nn import CBOW, SGD, AdaGrad, Adam, Trainer
from fastw2v.sampling.negatives import UnigramSampler

D, WINDOW, NEGATIVE = 100, 5, 5
LIBRARY = {"cpu": "NumPy", "cuda": "CuPy"}
HELD_OUT = 1000
"""Number of held-out targets."""
ADAM_RATE = 0.01
OPTIMISERS: dict[str, Callable[[int], Any]] = {
    "Adam": lambda batch: Adam(ADAM_RATE),
    "AdaGrad": lambda batch: AdaGrad(0.2),
    "SGD": lambda batch: SGD(0.2 * batch, max_row_norm=8 / batch),
}
"""Functions that create an optimiser for a batch size, with the best of a few learning rates on this text.

The rate of SGD is proportional to the batch size, because the loss is a mean over the batch. No row moves by more than
1.6 in a step.
"""


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of this section."""
    targets, batches = (2000, [100]) if options.tiny else (40_000, [30, 100, 1000])
    if not options.quick:
        targets, batches = 200_000, [30, 100, 300, 1000, 3000, 10_000]
    ids = zipf_ids(5000, 200) if options.tiny else Corpus.from_sentences(demo_corpus(), min_count=5).ids
    contexts, target = create_contexts_target(ids, WINDOW)
    order = np.random.default_rng(0).permutation(len(target))[: targets + HELD_OUT]
    contexts, target = contexts[order], target[order]
    held_out, examples = (contexts[:HELD_OUT], target[:HELD_OUT]), (contexts[HELD_OUT:], target[HELD_OUT:])
    counts = np.bincount(ids)

    if "cuda" not in options.devices:
        yield Skipped("layers", "CuPy", cuda_problem() or "not requested")
    if wrong := textbook_problem(ids, contexts[:50], target[:50]):
        yield Wrong("layers", "loop in the textbook's manner", wrong)
        return
    for device in options.devices:
        for batch in batches:
            runs: dict[str, Callable[[], Any]] = {
                f"layers on {LIBRARY[device]}, {name}": partial(fit, make, ids, *examples, batch, device)
                for name, make in OPTIMISERS.items()
            }
            baseline = ""
            if device == "cpu" and batch == 100:
                baseline = "loop in the textbook's manner, Adam"
                few = max(2000, targets // 20)  # because it is slow
                runs[baseline] = partial(fit_textbook, ids, examples[0][:few], examples[1][:few], batch)
            yield from rows(runs, options.repeats, batch, len(counts), baseline, held_out, counts)


def rows(
    runs: dict[str, Callable[[], Any]],
    repeats: int,
    batch: int,
    V: int,
    baseline: str,
    held_out: tuple[Any, Any],
    counts: np.ndarray,
) -> Iterator[Row | Wrong]:
    """Interleave the runs; for each run, yield a row with the held-out loss, or the reason why the result is wrong."""
    chance = (1 + NEGATIVE) * np.log(2)
    results = interleave(runs, repeats)
    for what in sorted(results, key=lambda what: what != baseline):
        speeds, trained, weights = zip(*results[what], strict=True)
        W_in, W_out = weights[-1]
        loss = held_out_loss(W_in, W_out, *held_out, counts)
        if not loss < 0.995 * chance:
            yield Wrong("layers", f"{what}, batch {batch}", f"the held-out loss is {loss:.4g}, by chance {chance:.4g}")
            continue
        settings: dict[str, int | float | str] = {"batch": batch, "dim": D, "window": WINDOW, "vocabulary": V}
        yield Row(
            "layers", what, settings, "targets/s", list(speeds), {"held-out loss": round(loss, 4)},
            baseline if what != baseline else "", f"after {trained[0]:,} targets",
        )  # fmt: skip


def fit(
    make: Callable[[int], Any], ids: Any, contexts: Any, target: Any, batch: int, device: str
) -> tuple[float, int, tuple[Any, Any]]:
    """Train one epoch with `Trainer`; return targets per second, the number of targets, and the weights on the host."""
    ids, contexts, target = (to_device(array, device) for array in (ids, contexts, target))
    model = CBOW(int(ids.max()) + 1, D, WINDOW, ids, sample_size=NEGATIVE)
    trainer = Trainer(model, make(batch))
    start = time.perf_counter()
    trainer.fit(contexts, target, 1, batch, eval_interval=max(1, len(target) // batch), show=False)
    passed = time.perf_counter() - start  # a GPU has finished by now, because the last loss has been read
    W_in, W_out = (to_host(W) for W in model.params)
    return len(target) / passed, len(target), (W_in, W_out)


def held_out_loss(W_in: Any, W_out: Any, contexts: Any, target: Any, counts: np.ndarray) -> float:
    """Return the mean loss per target in float64, with the expectation over all noise words instead of samples."""
    p = counts**0.75
    p = p / p.sum()
    h = W_in.astype(np.float64)[contexts].mean(axis=1)
    score = h @ W_out.astype(np.float64).T
    softplus = np.logaddexp(0, score)
    own = np.arange(len(target)), target
    noise = (softplus @ p - softplus[own] * p[target]) / (1 - p[target])
    return float((softplus[own] - score[own] + NEGATIVE * noise).mean())


class TextbookLoop:
    """Baseline: CBOW with dense gradients and dense Adam, as in "Deep Learning from Scratch 2", chapter 4.

    The model has one embedding layer for each position of the window and for each negative. Gradients are as large as
    their tables, and negatives are drawn for one target at a time.

    Parameters
    ----------
    W_in, W_out : float array, shape (V, D)
        Trained in place.
    p : float array, shape (V,)
        The noise distribution.
    """

    def __init__(self, W_in: np.ndarray, W_out: np.ndarray, p: np.ndarray) -> None:
        self.W_in, self.W_out, self.p = W_in, W_out, p
        self.in_grads = [np.zeros_like(W_in) for _ in range(2 * WINDOW)]
        self.out_grads = [np.zeros_like(W_out) for _ in range(1 + NEGATIVE)]
        self.moments = [(np.zeros_like(W), np.zeros_like(W)) for W in (W_in, W_out)]
        self.steps = 0

    def negatives(self, target: np.ndarray) -> np.ndarray:
        """Return the negatives of each target, drawn without replacement from the other words."""
        chosen = np.zeros((len(target), NEGATIVE), np.int32)
        for b, word in enumerate(target):
            p = self.p.copy()
            p[word] = 0
            p /= p.sum()
            chosen[b] = np.random.choice(len(p), size=NEGATIVE, replace=False, p=p)  # noqa: NPY002  as in the book
        return chosen

    def gradients(self, contexts: np.ndarray, target: np.ndarray, negative: np.ndarray) -> float:
        """Compute the gradient of each layer, and return the mean loss."""
        h = np.zeros((len(target), self.W_in.shape[1]), np.float32)
        for position in range(contexts.shape[1]):
            h += self.W_in[contexts[:, position]]
        h *= 1 / contexts.shape[1]
        dh, total = np.zeros_like(h), 0.0
        for k, dW in enumerate(self.out_grads):
            words = target if k == 0 else negative[:, k - 1]
            rows = self.W_out[words]
            sigmoid = 1 / (1 + np.exp(-np.sum(rows * h, axis=1)))
            right = sigmoid if k == 0 else 1 - sigmoid
            total -= float(np.log(right + 1e-7).mean())
            dscore = ((sigmoid - (k == 0)) / len(target)).astype(np.float32)[:, None]
            dW[...] = 0
            np.add.at(dW, words, dscore * h)
            dh += dscore * rows
        dh *= 1 / contexts.shape[1]
        for position, dW in enumerate(self.in_grads):
            dW[...] = 0
            np.add.at(dW, contexts[:, position], dh)
        return total

    def update(self, rate: float = ADAM_RATE, beta1: float = 0.9, beta2: float = 0.999) -> None:
        """Sum the gradients of all layers of each table, and take one step of Adam."""
        self.steps += 1
        step = rate * np.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        tables = ((self.W_in, self.in_grads), (self.W_out, self.out_grads))
        for (W, grads), (m, v) in zip(tables, self.moments, strict=True):
            for other in grads[1:]:
                grads[0] += other
            m += (1 - beta1) * (grads[0] - m)
            v += (1 - beta2) * (grads[0] ** 2 - v)
            W -= step * m / (np.sqrt(v) + 1e-7)


def fit_textbook(
    ids: np.ndarray, contexts: np.ndarray, target: np.ndarray, batch: int
) -> tuple[float, int, tuple[Any, Any]]:
    """Train one epoch with the loop; return targets per second, the number of targets, and the weights."""
    model = _textbook_loop(ids)
    start = time.perf_counter()
    order = np.random.default_rng(1).permutation(len(target))
    for first in range(0, len(target), batch):
        chosen = order[first : first + batch]
        model.gradients(contexts[chosen], target[chosen], model.negatives(target[chosen]))
        model.update()
    return len(target) / (time.perf_counter() - start), len(target), (model.W_in, model.W_out)


def _textbook_loop(ids: np.ndarray) -> TextbookLoop:
    p = np.bincount(ids) ** 0.75
    generator = np.random.default_rng(0)
    W_in, W_out = ((0.01 * generator.normal(size=(len(p), D))).astype(np.float32) for _ in range(2))
    return TextbookLoop(W_in, W_out, p / p.sum())


def textbook_problem(ids: np.ndarray, contexts: np.ndarray, target: np.ndarray) -> str | None:
    """Return how the loop and the layers differ in the loss or gradients of a batch, or None if they agree."""
    loop = _textbook_loop(ids)
    model = CBOW(len(loop.p), D, WINDOW, ids, sample_size=NEGATIVE)
    for W, other in zip(model.params, (loop.W_in, loop.W_out), strict=True):
        W[...] = other
    loss = float(model.forward(contexts, target))
    model.backward()
    negative = UnigramSampler(ids, 0.75, NEGATIVE).get_negative_sample(target)  # the same samples as the model's
    other_loss = loop.gradients(contexts, target, negative)
    if abs(loss - other_loss) > 1e-5 * loss:
        return f"its loss is {other_loss}, but the loss of the layers is {loss}"
    for W, grad, grads in zip(model.params, model.grads, (loop.in_grads, loop.out_grads), strict=True):
        dense, other = grad.dense(W), np.sum(grads, axis=0)
        if np.abs(dense - other).max() > 1e-4 * np.abs(other).max():
            return "its gradients differ from those of the layers"
    return None
