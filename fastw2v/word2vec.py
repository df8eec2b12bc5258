"""Word2Vec: the practitioner's estimator, from a corpus to vectors, on the device and engine that suit.

The main path is one read: `Word2Vec.fit` → `Corpus` → `_train_layers` or a fused kernel → `WordVectors`.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from fastw2v.backend import array_module, cuda_problem, to_device
from fastw2v.corpus import Corpus, as_corpus
from fastw2v.kernels import cpu, gpu
from fastw2v.layers import CbowGrad
from fastw2v.models import CBOW, SkipGram, uniform_weights
from fastw2v.numbering import available_processors
from fastw2v.optim import SGD, linear_rate
from fastw2v.plan import Plan, plan, sample_of
from fastw2v.progress import Progress
from fastw2v.sampling import AliasTable, alias_table, batches, keep_threshold, noise_weights
from fastw2v.vectors import WordVectors

__all__ = ["Engine", "Word2Vec", "choose_engine"]

log = logging.getLogger("fastw2v")

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
MAX_ROW_STEP = 1.6
"""Longest first step of one row in one batch of the layers engine (see `SGD`); half and twice as much do less well."""
PLAN_SECONDS = 2.0
"""Longest training to estimate the time by, more or less."""
REPORT_SECONDS = 0.2
"""Seconds between two calls of the progress function."""


class Word2Vec:
    """Train word vectors by CBOW or skip-gram with negative sampling. Parameters keep gensim's names and meaning.

    Parameters
    ----------
    vector_size : int
        D, numbers in a vector.
    window : int
        Words on either side of the target that can be its contexts.
    min_count : int
        Words that occur less often are left out of a corpus that is read from text or token lists.
    negative : int
        Negatives for each positive; below the size of the vocabulary.
    ns_exponent : float
        Power of the counts in the noise distribution, −1 to 1.
    sample : float
        Threshold of subsampling; words with a larger share of the corpus are randomly dropped. 0 keeps all.
    alpha : float, optional
        Learning rate at the start; when absent, 0.2 for CBOW with its true gradient, 0.05 with the classic one,
        0.2 / window and at most 0.06 for skip-gram.
    min_alpha : float
        Learning rate at the end; it falls linearly over all words of all epochs.
    epochs : int
        Passes over the corpus.
    sg : {0, 1}
        0 is CBOW, 1 is skip-gram.
    workers : int, optional
        Threads; the processors that the process may use when absent. On a GPU, blocks; as many as learning stands
        when absent. The layers engine leaves both to its array library.
    seed : int
        Of every random choice. Same seed, same device, one worker: same bytes.
    shrink_windows : bool
        Draw each window's width from 1 to `window`; otherwise all are `window` wide.
    cbow_grad : {"mean", "sum"}
        Whether CBOW's input gradient is divided by the number of contexts, as calculus has it, or not, as in
        word2vec.c, gensim and fastText.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to train.
    engine : {"auto", "fused", "layers"}
        "layers" trains with the layers of this library on any device. "fused" trains with compiled kernels.
        "auto" takes the fastest that the machine offers, and logs which and why.

    Attributes
    ----------
    wv : WordVectors
        The trained vectors, after `fit`.
    loss_history : list of (int, float)
        Words trained, and the mean loss per target since the entry before.
    device_, engine_, report_ : str
        What was used, and why.

    Raises
    ------
    TypeError, ValueError
        If a parameter is outside its range; the message names it.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013.

    Examples
    --------
    >>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
    >>> model = Word2Vec(vector_size=8, negative=2, epochs=2).fit(sentences)
    >>> model.wv["cat"].shape
    (8,)
    """

    wv: WordVectors
    device_: str
    engine_: str
    report_: str

    def __init__(
        self,
        *,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        negative: int = 5,
        ns_exponent: float = 0.75,
        sample: float = 1e-3,
        alpha: float | None = None,
        min_alpha: float = 1e-4,
        epochs: int = 5,
        sg: int = 0,
        workers: int | None = None,
        seed: int = 1,
        shrink_windows: bool = True,
        cbow_grad: CbowGrad = "mean",
        device: str = "auto",
        engine: Engine = "auto",
    ) -> None:
        for name, whole, least in (
            ("vector_size", vector_size, 1),
            ("window", window, 1),
            ("min_count", min_count, 1),
            ("negative", negative, 1),
            ("epochs", epochs, 1),
            ("workers", 1 if workers is None else workers, 1),
        ):
            _check_whole(name, whole)
            if whole < least:
                raise ValueError(f"{name} is {whole}; it must be at least {least}")
        _check_whole("seed", seed)
        for name, number, low, high in (
            ("ns_exponent", ns_exponent, -1.0, 1.0),
            ("sample", sample, 0.0, 1.0),
            ("min_alpha", min_alpha, 0.0, 100.0),
            ("alpha", _start_alpha(alpha, sg, cbow_grad, window), max(min_alpha, 1e-9), 100.0),
        ):
            if not low <= number <= high:
                raise ValueError(f"{name} is {number}; it must lie between {low} and {high}")
        if sg not in (0, 1):
            raise ValueError(f"sg is {sg!r}; it must be 0 for CBOW or 1 for skip-gram")
        if cbow_grad not in ("mean", "sum"):
            raise ValueError(f"cbow_grad is {cbow_grad!r}; it must be 'mean' or 'sum'")
        if engine not in ("auto", "fused", "layers"):
            raise ValueError(f"engine is {engine!r}; it must be 'auto', 'fused' or 'layers'")
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.alpha = alpha
        self.min_alpha = min_alpha
        self.epochs = epochs
        self.sg = sg
        self.workers = workers
        self.seed = seed
        self.shrink_windows = shrink_windows
        self.cbow_grad = cbow_grad
        self.device = device
        self.engine = engine
        self.loss_history: list[tuple[int, float]] = []

    def fit(
        self,
        corpus: Any,
        progress: ProgressFunction | None = None,
    ) -> Word2Vec:
        """Train from new weights on a corpus.

        Parameters
        ----------
        corpus : Corpus, path, array, column or iterable of token lists
            A path is a text with a sentence a line (a file, folder or pattern) or an encoded corpus (``.w2v``). See
            `fastw2v.corpus.as_corpus` for all that it can be.
        progress : callable, optional
            Called a few times a second as ``progress(words_done, loss, alpha)``; when absent, a bar is shown if
            standard error is a terminal.

        Returns
        -------
        Word2Vec
            Itself, with `wv`.

        Raises
        ------
        OSError
            If there is no such file.
        TypeError, ValueError
            If the corpus is not one, nothing of it is left after `min_count`, or `negative` is not below the size
            of the vocabulary.
        RuntimeError
            If the device or engine asked for cannot be used, with the reason.
        FloatingPointError
            If the loss stops being finite.
        MemoryError
            If it does not fit, before it begins; the message says which setting would.
        """
        self.device_, self.engine_, self.report_ = choose_engine(self.engine, self.device)
        log.info("training on %s with the %s engine: %s", self.device_, self.engine_, self.report_)
        corpus = as_corpus(corpus, self.min_count)
        size = len(corpus.vocabulary)
        if self.negative >= size:
            raise ValueError(
                f"negative is {self.negative}, but the vocabulary has only {size} word{'s' * (size != 1)}: it must be "
                "smaller than the vocabulary. Lower negative, lower min_count, or give more text"
            )
        if problem := self._plan(corpus).problem():
            raise MemoryError(problem)
        shape = (size, self.vector_size)
        if self.engine_ == "fused" and self.device_ == "cpu":
            W_in, W_out = cpu.aligned_zeros(shape), cpu.aligned_zeros(shape)
        elif self.engine_ == "fused":
            W_in, W_out = gpu.tables(shape, self.device_)
        else:
            W_in, W_out = (
                array_module(self.device_).zeros(shape, dtype=array_module(self.device_).float32) for _ in "io"
            )
        uniform_weights(W_in, self.seed)
        self.loss_history = []
        with Progress("training", self.epochs * len(corpus), show=None if progress is None else False) as bar:

            def report(words: int, loss: float, alpha: float) -> None:
                self.loss_history.append((words, loss))
                bar.update(words, loss)
                if progress is not None:
                    progress(words, loss, alpha)

            if self.engine_ == "fused":
                self._train_fused(W_in, W_out, corpus, report)
            else:
                self._train_layers(W_in, W_out, corpus, report)
        self.wv = WordVectors(
            corpus.vocabulary.words, W_in, corpus.vocabulary.counts, context_vectors=W_out, settings=self._settings()
        )
        return self

    def plan(self, corpus: Any, *, measure: bool = True) -> Plan:
        """Say what training on a corpus takes: memory for each part, and time by a short measurement.

        Parameters
        ----------
        corpus
            As for `fit`; text is read and counted.
        measure : bool
            Whether to train for a second or two, on the beginning of the corpus, to estimate the time.

        Returns
        -------
        Plan
        """
        self.device_, self.engine_, self.report_ = choose_engine(self.engine, self.device)
        corpus = as_corpus(corpus, self.min_count)
        planned = self._plan(corpus)
        if not measure or planned.problem():
            return planned
        trial = Word2Vec(**{name: getattr(self, name) for name in inspect.signature(Word2Vec).parameters})
        trial.epochs, trial.alpha, trial.min_alpha = 1, 1e-4, 1e-4
        trial.fit(sample_of(corpus, 10_000), progress=lambda words, loss, alpha: None)  # compiles
        tokens = min(10_000, len(corpus))
        while True:
            before = time.perf_counter()
            trial.fit(sample_of(corpus, tokens), progress=lambda words, loss, alpha: None)
            seconds = time.perf_counter() - before
            if seconds > PLAN_SECONDS / 4 or tokens == len(corpus):
                break
            tokens = min(4 * tokens, len(corpus))
        return replace(planned, words_per_second=tokens / seconds)

    def _plan(self, corpus: Corpus) -> Plan:
        return plan(corpus, vector_size=self.vector_size, epochs=self.epochs, device=self.device_, engine=self.engine_)

    def _train_layers(self, W_in: Any, W_out: Any, corpus: Corpus, report: ProgressFunction) -> None:
        """Train by batches of the layers' forward and backward, on the device of the weights."""
        counts = corpus.vocabulary.counts
        ids = to_device(corpus.ids, self.device_)
        offsets = to_device(corpus.offsets, self.device_)
        keep = to_device(keep_threshold(counts, self.sample), self.device_)
        table = alias_table(noise_weights(counts, self.ns_exponent))
        noise = AliasTable(*(to_device(part, self.device_) for part in table))
        model = (
            SkipGram.from_weights(W_in, W_out, self.negative)
            if self.sg
            else CBOW.from_weights(W_in, W_out, self.negative, cbow_grad=self.cbow_grad)
        )
        alpha = _start_alpha(self.alpha, self.sg, self.cbow_grad, self.window)
        optimizer = SGD(alpha, max_row_norm=MAX_ROW_STEP / alpha)
        words, total = 0, self.epochs * len(corpus)
        loss_sum, targets = 0.0, 0
        reported = time.monotonic()
        for epoch in range(self.epochs):
            for batch in batches(
                ids,
                offsets,
                keep,
                noise,
                window=self.window,
                pool_tokens=POOL_TOKENS,
                pool_size=max(POOL_SIZE, 3 * self.negative),
                groups=GROUPS,
                seed=self.seed,
                epoch=epoch,
                shrink_windows=self.shrink_windows,
            ):
                optimizer.lr = linear_rate(alpha, self.min_alpha, words / total)
                loss = float(model.forward(batch.contexts, batch.target, batch.pool))
                # The mean's gradient times the number of targets: each target has a full step, as in word2vec.c.
                model.backward(batch.targets)
                optimizer.update(model.params, model.grads)
                words = epoch * len(corpus) + batch.stop
                loss_sum, targets = loss_sum + loss * batch.targets, targets + batch.targets
                if loss - loss != 0:
                    raise FloatingPointError(
                        f"the loss is {loss} in epoch {epoch + 1} of {self.epochs}, after {words} words: the vectors "
                        f"have left the finite numbers. Train again with a lower alpha (now {alpha})"
                    )
                if time.monotonic() - reported > REPORT_SECONDS:
                    report(words, loss_sum / targets, optimizer.lr)
                    loss_sum, targets, reported = 0.0, 0, time.monotonic()
        if targets:
            report(total, loss_sum / targets, optimizer.lr)

    def _train_fused(self, W_in: Any, W_out: Any, corpus: Corpus, report: ProgressFunction) -> None:
        """Train by the compiled kernels of the processor or the GPU."""
        on_cpu = self.device_ == "cpu"
        train: Callable[..., Any] = cpu.train if on_cpu else gpu.train
        train(
            W_in,
            W_out,
            corpus.ids,
            corpus.offsets,
            corpus.vocabulary.counts,
            model="skipgram" if self.sg else "cbow",
            window=self.window,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            sample=self.sample,
            alpha=_start_alpha(self.alpha, self.sg, self.cbow_grad, self.window),
            min_alpha=self.min_alpha,
            epochs=self.epochs,
            seed=self.seed,
            shrink_windows=self.shrink_windows,
            cbow_grad=self.cbow_grad,
            workers=self.workers or (available_processors() if on_cpu else None),
            on_progress=report,
        )

    def _settings(self) -> dict[str, Any]:
        """Return what a reader of the vectors' file needs to repeat the run."""
        return {
            "model": "skipgram" if self.sg else "cbow",
            "vector_size": self.vector_size,
            "window": self.window,
            "min_count": self.min_count,
            "negative": self.negative,
            "ns_exponent": self.ns_exponent,
            "sample": self.sample,
            "alpha": _start_alpha(self.alpha, self.sg, self.cbow_grad, self.window),
            "min_alpha": self.min_alpha,
            "epochs": self.epochs,
            "seed": self.seed,
            "shrink_windows": self.shrink_windows,
            "cbow_grad": self.cbow_grad,
            "device": self.device_,
            "engine": self.engine_,
        }


def choose_engine(engine: Engine = "auto", device: str = "auto") -> tuple[str, str, str]:
    """Return the device and engine that a run would use, and why.

    Parameters
    ----------
    engine : {"auto", "fused", "layers"}
    device : {"auto", "cpu", "cuda", "cuda:N"}

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
        problem = cuda_problem() or (_fused_problem("cuda") if cpu.problem() is None else None)
        device, reason = ("cpu", f"no GPU is used: {problem}") if problem else ("cuda", "a CUDA device was found")
    else:
        array_module(device)  # raises, with the reason, if there is no such device
        reason = f"device {device!r} was asked for"
    problem = _fused_problem(device)
    if engine == "fused" and problem:
        raise RuntimeError(f"engine 'fused' cannot be used on {device}: {problem}. engine='layers' can")
    if engine == "auto":
        return (device, "layers", f"{reason}; no fused engine: {problem}") if problem else (device, "fused", reason)
    return device, engine, f"{reason}; engine {engine!r} was asked for"


def _fused_problem(device: str) -> str | None:
    """Return why the fused engine cannot be used on a device, or None if it can."""
    return cpu.problem() if device == "cpu" else gpu.problem(device)


def _start_alpha(alpha: float | None, sg: int, cbow_grad: str, window: int) -> float:
    """Return the learning rate at the start, or its default (measured: docs/kernels.md)."""
    if alpha is not None:
        return alpha
    if sg:
        return min(0.06, 0.2 / window)  # a target's gradient is a sum over its window
    return 0.2 if cbow_grad == "mean" else 0.05


def _check_whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be a whole number")
