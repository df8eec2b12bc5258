"""Word2Vec: the practitioner's estimator, from a corpus to vectors, on the device and engine that suit.

The main path is one read: `Word2Vec.fit` → `Corpus` → an engine → `WordVectors`.
"""

from __future__ import annotations

import inspect
import logging
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from fastw2v import draws
from fastw2v.backend import on_device_of, set_rows, to_device, to_host
from fastw2v.corpus import Corpus, as_corpus
from fastw2v.engine import Engine, ProgressFunction, choose_engine, tables, trainer
from fastw2v.gradient import CbowGrad
from fastw2v.models import uniform_weights
from fastw2v.numbering import available_processors
from fastw2v.plan import Plan, plan, sample_of
from fastw2v.progress import Progress
from fastw2v.vectors import WordVectors
from fastw2v.vocab import Vocabulary

__all__ = ["CallbackAny2Vec", "Engine", "Word2Vec", "choose_engine"]

log = logging.getLogger("fastw2v")

TRIM_RULE = "Corpus.from_sentences takes include, exclude and counts"
PLAN_SECONDS = 2.0
"""Longest training to estimate the time by, more or less."""


class CallbackAny2Vec:
    """What `Word2Vec` calls while it trains, under gensim's names: derive from it, and define those that you need."""

    def on_train_begin(self, model: Word2Vec) -> None:
        """Do something before the first epoch."""

    def on_train_end(self, model: Word2Vec) -> None:
        """Do something after the last epoch."""

    def on_epoch_begin(self, model: Word2Vec) -> None:
        """Do something before each epoch."""

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Do something after each epoch: `model.wv` is at rest, and `model.get_latest_training_loss()` is known."""


class Word2Vec:
    """Train word vectors by CBOW or skip-gram with negative sampling.

    Parameters and methods keep gensim's names, order and meaning, so that a program changes its import;
    `docs/from_gensim.md` lists what differs.

    Parameters
    ----------
    sentences : optional
        A corpus, as for `fit`. When given, training takes place at once.
    corpus_file : path, optional
        The same for a text file with a sentence a line.
    vector_size : int
        D, numbers in a vector.
    alpha : float, optional
        Learning rate at the start; when absent, 0.2 for CBOW, 0.05 with the classic gradient,
        0.2 / window and at most 0.06 for skip-gram. One that is given means what it means in gensim: see `cbow_grad`.
    window : int
        Words on either side of the target that can be its contexts.
    min_count : int
        Words that occur less often are left out of a corpus that is read from text or token lists.
    sample : float
        Threshold of subsampling; words with a larger share of the corpus are randomly dropped. 0 keeps all.
    seed : int or None
        Of every random choice. Same seed, same device, one worker: same bytes (on a GPU with `deterministic`). None
        takes another each time; the one taken is in ``wv.settings``.
    workers : int, optional
        Threads; the processors that the process may use when absent. The layers engine leaves them to NumPy. On a GPU
        only 1 has a meaning: one block, whose result repeats to rounding.
    min_alpha : float
        Learning rate at the end; it falls linearly over all words of all epochs.
    sg : {0, 1}
        0 is CBOW, 1 is skip-gram.
    negative : int
        Negatives for each positive; below the size of the vocabulary.
    ns_exponent : float
        Power of the counts in the noise distribution, −1 to 1.
    epochs : int
        Passes over the corpus.
    max_final_vocab : int, optional
        Most words in the vocabulary: the most frequent are kept.
    shrink_windows : bool
        Draw each window's width from 1 to `window`; otherwise all are `window` wide.
    cbow_grad : {"mean", "balanced", "sum"}, optional
        Whether CBOW's input gradient is divided by the number of contexts C, as calculus has it, or not, as in
        word2vec.c, gensim and fastText, or by C to the power 3/4, which learns best. When absent, that is taken, but
        the classic "sum" where a learning rate is given: such rates were chosen for it, and are far too low for the
        others.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to train.
    engine : {"auto", "fused", "layers"}
        "layers" trains with the layers of this library on any device. "fused" trains with compiled kernels.
        "auto" takes the fastest that the machine offers, and logs which and why.
    deterministic : bool
        Whether the same run on the same machine must give the same bytes: on a CPU with one worker, on a GPU with the
        layers engine, which then adds in a fixed order.
    callbacks : sequence of CallbackAny2Vec
        Called before and after each epoch and the whole training. Each epoch then is a training of its own, with
        draws of its own: the vectors are as good as without, and not the same.
    max_vocab_size, hs, cbow_mean, hashfxn, null_word, trim_rule, sorted_vocab, batch_words, compute_loss, comment
        gensim's. Those that change nothing here are taken as they come (the loss is always computed, hashes and
        batches of words do not occur); what would change the result and is not offered is refused.

    Attributes
    ----------
    wv : WordVectors
        The vectors, after `fit`, or untrained after `build_vocab`.
    loss_history : list of (int, float)
        Words trained, and the mean loss per target since the entry before.
    corpus_count, corpus_total_words : int
        Sentences and words of the corpus that the vocabulary is of.
    known_words_ : int
        Words that began with a vector that was given, and not with a random one.
    device_, engine_, report_ : str
        What was used, and why.
    seed_ : int
        The seed that was used.

    Raises
    ------
    TypeError, ValueError
        If a parameter is outside its range, or asks for what is not offered; the message names it.

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
    corpus_count: int
    corpus_total_words: int
    known_words_: int
    device_: str
    engine_: str
    report_: str
    seed_: int

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        vector_size: int = 100,
        alpha: float | None = None,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int | None = 1,
        workers: int | None = None,
        min_alpha: float = 1e-4,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: Any = None,
        sorted_vocab: int = 1,
        batch_words: int = 10_000,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        *,
        cbow_grad: CbowGrad | None = None,
        device: str = "auto",
        engine: Engine = "auto",
        deterministic: bool = False,
    ) -> None:
        self.vector_size = vector_size
        self.alpha = alpha
        self.window = window
        self.min_count = min_count
        self.max_vocab_size = max_vocab_size
        self.sample = sample
        self.seed = seed
        self.workers = workers
        self.min_alpha = min_alpha
        self.sg = sg
        self.hs = hs
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.cbow_mean = cbow_mean
        self.hashfxn = hashfxn
        self.epochs = epochs
        self.null_word = null_word
        self.trim_rule = trim_rule
        self.sorted_vocab = sorted_vocab
        self.batch_words = batch_words
        self.compute_loss = compute_loss
        self.callbacks = callbacks
        self.comment = comment
        self.max_final_vocab = max_final_vocab
        self.shrink_windows = shrink_windows
        self.cbow_grad = cbow_grad
        self.device = device
        self.engine = engine
        self.deterministic = deterministic
        self.loss_history: list[tuple[int, float]] = []
        self.trained_epochs = 0
        self._check()
        if sentences is not None and corpus_file is not None:
            raise TypeError("sentences and corpus_file were both given; give one of them")
        if sentences is not None or corpus_file is not None:
            self.fit(sentences if corpus_file is None else corpus_file)

    def _check(self) -> None:
        """Refuse parameters that are out of range, or ask for what is not offered."""
        for name in ("vector_size", "window", "min_count", "negative", "epochs", "workers", "max_final_vocab"):
            value = getattr(self, name)
            if value is None and name in ("workers", "max_final_vocab"):
                continue
            _check_whole(name, value)
            least = 0 if name == "min_count" else 1
            if value < least:
                hint = " (hierarchical softmax, hs, is not offered)" if name == "negative" and self.hs else ""
                raise ValueError(f"{name} is {value}; it must be at least {least}{hint}")
        if self.seed is not None:
            _check_whole("seed", self.seed)
        for name, number, low, high in (
            ("ns_exponent", self.ns_exponent, -1.0, 1.0),
            ("sample", self.sample, 0.0, 1.0),
            ("min_alpha", self.min_alpha, 0.0, 100.0),
            ("alpha", self._alpha(), max(self.min_alpha, 1e-9), 100.0),
        ):
            if not low <= number <= high:
                raise ValueError(f"{name} is {number}; it must lie between {low} and {high}")
        for name, among in (
            ("sg", (0, 1)),
            ("cbow_grad", (None, *get_args(CbowGrad))),
            ("engine", ("auto", "fused", "layers")),
        ):
            if getattr(self, name) not in among:
                offered = " or ".join(repr(one) for one in among if one is not None)
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {offered}")
        for name, is_offered, instead in (
            ("hs", not self.hs, "hierarchical softmax is not offered; negative sampling (hs=0) is"),
            ("cbow_mean", self.cbow_mean, "the sum of contexts is not offered; their mean (cbow_mean=1) is"),
            (
                "max_vocab_size",
                self.max_vocab_size is None,
                "counting is exact here; max_final_vocab limits the result",
            ),
            ("trim_rule", self.trim_rule is None, TRIM_RULE),
            ("null_word", not self.null_word, "there is no null word"),
            ("sorted_vocab", self.sorted_vocab, "words are always in order of falling count"),
        ):
            if not is_offered:
                raise ValueError(f"{name} is {getattr(self, name)!r}: {instead}")
        if self.deterministic and (self.workers or 1) > 1:
            raise ValueError(
                f"deterministic is True and workers is {self.workers}: several workers race for the rows they share. "
                "Leave workers out, or set it to 1"
            )

    def fit(
        self, corpus: Any, y: Any = None, *, init: WordVectors | None = None, progress: ProgressFunction | None = None
    ) -> Word2Vec:
        """Train from new weights on a corpus, or from those of vectors that are there.

        Parameters
        ----------
        corpus : Corpus, path, array, column or iterable of token lists
            A path is a text with a sentence a line (a file, folder or pattern) or an encoded corpus (``.w2v``). See
            `fastw2v.corpus.as_corpus` for all that it can be.
        y
            Not used; scikit-learn's pipelines hand it over.
        init : WordVectors, optional
            Words that it has begin with its vectors, and on the output side with its ``context_vectors`` if it has
            those; all others with random vectors. The vocabulary is that of the corpus.
        progress : callable, optional
            Called a few times a second, and at least twenty times if there are as many steps, as
            ``progress(words_done, loss, alpha)``; when absent, a bar is shown if standard error is a terminal.

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
            of the vocabulary; if `init` is not WordVectors, or has vectors of another size, none of the words, or
            numbers that are not finite.
        RuntimeError
            If the device or engine asked for cannot be used, with the reason.
        FloatingPointError
            If the loss stops being finite.
        MemoryError
            If it does not fit, before it begins; the message says which setting would.
        """
        corpus = self._start(corpus, init)
        self._train(corpus, self.epochs, self._alpha(), self.min_alpha, self._cbow_grad(), progress)
        return self

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: Any = None,
    ) -> None:
        """Take the vocabulary of a corpus and make new weights, for `train`; `fit` does both.

        Parameters
        ----------
        corpus_iterable, corpus_file
            As in gensim; the first takes all that `fit` takes.
        update : bool
            Add the words of the corpus to those that are there, which keep their vectors; counts are added up. Words
            are put in order of falling count again, so `wv` is a new object. Those that are new begin with random
            vectors.
        trim_rule
            A rule is not offered.
        progress_per, keep_raw_vocab
            gensim's, without effect.

        Raises
        ------
        RuntimeError
            If there is no vocabulary to add to.
        """
        if trim_rule is not None:
            raise ValueError(f"trim_rule is {trim_rule!r}: {TRIM_RULE}")
        source = _one_of(corpus_iterable, corpus_file)
        if update:
            self._grow(source)
        else:
            self._start(source)

    def train(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
        *,
        progress: ProgressFunction | None = None,
    ) -> tuple[int, int]:
        """Train on from the present weights, with the vocabulary that is there, and new draws.

        Parameters
        ----------
        corpus_iterable, corpus_file
            The corpus; words that are not in the vocabulary are left out.
        total_examples, total_words : int, optional
            As in gensim, but not needed: the corpus is counted while it is read.
        epochs : int, optional
        start_alpha, end_alpha : float, optional
            The model's own when absent.
        word_count, queue_factor, report_delay, compute_loss
            gensim's, without effect: there is no queue, and the loss is always computed.
        callbacks : sequence of CallbackAny2Vec
            The model's own when there is none.
        progress : callable, optional
            As for `fit`.

        Returns
        -------
        trained, seen : int
            Words of the vocabulary trained, over all epochs, twice: there is no other count.

        Raises
        ------
        RuntimeError
            If there is no vocabulary yet.
        """
        vocabulary = self._vocabulary()
        source = _one_of(corpus_iterable, corpus_file)
        corpus = source if isinstance(source, Corpus) else as_corpus(source, 0, counts=vocabulary)
        if corpus.vocabulary.words != vocabulary.words:
            raise ValueError("the corpus has another vocabulary than the model: encode it with counts=model.wv's")
        epochs = self.epochs if epochs is None else epochs
        self.callbacks = callbacks or self.callbacks
        self._train(
            corpus,
            epochs,
            self._alpha() if start_alpha is None else start_alpha,
            self.min_alpha if end_alpha is None else end_alpha,
            self._cbow_grad(start_alpha),
            progress,
        )
        return epochs * len(corpus), epochs * len(corpus)

    def _start(self, corpus: Any, init: WordVectors | None = None) -> Corpus:
        """Choose the engine, read the corpus, and make new weights for its vocabulary."""
        self._check()
        if init is not None:
            check_init(init, self.vector_size)
        self.device_, self.engine_, self.report_ = choose_engine(self.engine, self.device, self.deterministic)
        log.info("training on %s with the %s engine: %s", self.device_, self.engine_, self.report_)
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_final_vocab)
        size = len(corpus.vocabulary)
        if self.negative >= size:
            raise ValueError(
                f"negative is {self.negative}, but the vocabulary has only {size} word{'s' * (size != 1)}: it must be "
                "smaller than the vocabulary. Lower negative, lower min_count, or give more text"
            )
        self.seed_ = secrets.randbits(32) if self.seed is None else int(self.seed)
        self.trained_epochs = 0
        self.loss_history = []
        self._make_weights(corpus, init)
        return corpus

    def _grow(self, corpus: Any) -> None:
        """Add a corpus' words and counts to the vocabulary, and rows for them to the weights."""
        before = self._vocabulary()
        corpus = as_corpus(corpus, min_count=1)
        counts = dict(zip(before.words, before.counts.tolist(), strict=True))
        for word, count in zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True):
            if word in counts or count >= self.min_count:
                counts[word] = counts.get(word, 0) + count
        grown = Vocabulary.from_counts(counts, 0, self.max_final_vocab)
        self._make_weights(Corpus(corpus.ids, corpus.offsets, grown), self.wv)  # `train` will read it with those words

    def _vocabulary(self) -> Vocabulary:
        """Return the vocabulary of the weights, which are there to be trained on."""
        if not hasattr(self, "wv"):
            raise RuntimeError("there is no vocabulary yet: call fit(), or build_vocab() first")
        if self.wv.context_vectors is None or self.wv.counts is None:
            raise ValueError("these vectors cannot be trained on: they came without their output side and counts")
        return Vocabulary(self.wv.index_to_key, np.asarray(self.wv.counts))

    def _make_weights(self, corpus: Corpus, init: WordVectors | None) -> None:
        """Make new weights for the vocabulary of a corpus; words that `init` has begin with its rows."""
        if problem := self._plan(corpus).problem():
            raise MemoryError(problem)
        words = corpus.vocabulary.words
        W_in, W_out = tables((len(words), self.vector_size), self.device_, self.engine_)
        uniform_weights(W_in, self.seed_)
        self.known_words_ = 0 if init is None else _copy_known(W_in, W_out, words, init, self.device_)
        self.corpus_count = corpus.n_sentences
        self.corpus_total_words = len(corpus)
        self.wv = WordVectors(words, W_in, corpus.vocabulary.counts, context_vectors=W_out, settings=self._settings())

    def _train(
        self,
        corpus: Corpus,
        epochs: int,
        alpha: float,
        min_alpha: float,
        cbow_grad: CbowGrad,
        progress: ProgressFunction | None,
    ) -> None:
        """Train the weights in place, and let the vectors know that they have changed."""
        _check_whole("epochs", epochs)
        W_in, W_out = self.wv.vectors, self.wv.context_vectors
        trained = self.loss_history[-1][0] if self.loss_history else 0
        # A GPU's blocks are not threads: only "one" means the same there.
        threads = self.workers or (1 if self.deterministic else available_processors())
        workers = threads if self.device_ == "cpu" or self.workers == 1 else None
        # Callbacks need a pause after each epoch; without them there is none.
        runs = epochs if self.callbacks else 1
        fall = (alpha - min_alpha) / runs
        self._tell("on_train_begin")
        with Progress("training", epochs * len(corpus), show=None if progress is None else False) as bar:
            done = 0

            def report(words: int, loss: float, alpha: float) -> None:
                self.loss_history.append((trained + done + words, loss))
                bar.update(done + words, loss)
                if progress is not None:
                    progress(done + words, loss, alpha)

            for run in range(runs):
                self._tell("on_epoch_begin")
                trainer(self.device_, self.engine_)(
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
                    alpha=alpha - fall * run,
                    min_alpha=alpha - fall * (run + 1) if run < runs - 1 else min_alpha,
                    epochs=epochs // runs,
                    seed=self._seed(),
                    shrink_windows=self.shrink_windows,
                    cbow_grad=cbow_grad,
                    workers=workers,
                    on_progress=report,
                    **({"deterministic": self.deterministic} if self.engine_ == "layers" else {}),
                )
                done += epochs // runs * len(corpus)
                self.trained_epochs += epochs // runs
                self.wv.forget_norms()
                self._tell("on_epoch_end")
        self.wv.settings = self._settings()
        self._tell("on_train_end")

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _seed(self) -> int:
        """Return the seed of the draws to come: training that goes on is not to repeat those of its beginning."""
        return draws.key(self.seed_, draws.CONTINUED, self.trained_epochs) if self.trained_epochs else self.seed_

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
        self.device_, self.engine_, self.report_ = choose_engine(self.engine, self.device, self.deterministic)
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_final_vocab)
        planned = self._plan(corpus)
        if not measure or planned.problem():
            return planned
        trial = Word2Vec(**self.get_params())
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
            "alpha": self._alpha(),
            "min_alpha": self.min_alpha,
            "epochs": self.epochs,
            "seed": self.seed_,
            "shrink_windows": self.shrink_windows,
            "cbow_grad": self._cbow_grad(),
            "deterministic": self.deterministic,
            "device": self.device_,
            "engine": self.engine_,
            "trained_epochs": self.trained_epochs,
            "corpus_count": self.corpus_count,
            "corpus_total_words": self.corpus_total_words,
            "known_words": self.known_words_,
        }

    def _alpha(self) -> float:
        """Return the learning rate at the start: the one given, or the default (measured: docs/kernels.md)."""
        if self.alpha is not None:
            return self.alpha
        if self.sg:
            return min(0.06, 0.2 / self.window)  # a target's gradient is a sum over its window
        return 0.05 if self._cbow_grad() == "sum" else 0.2

    def _cbow_grad(self, start_alpha: float | None = None) -> CbowGrad:
        """Return CBOW's gradient: the one asked for, or else the balanced one, unless a rate is given."""
        if self.cbow_grad is not None:
            return self.cbow_grad
        return "balanced" if self.alpha is None and start_alpha is None else "sum"

    @property
    def syn1neg(self) -> Any:
        """The output side of the model under gensim's name: ``wv.context_vectors``, array, shape (V, D)."""
        return self.wv.context_vectors

    def predict_output_word(self, context_words_list: Iterable[str], topn: int = 10) -> list[tuple[Any, float]] | None:
        """Return the words that are most probable in the middle of some context.

        Parameters
        ----------
        context_words_list : iterable of str
            Words that are unknown are left out.
        topn : int
            How many words to return.

        Returns
        -------
        list of (str, float), or None
            Words and probabilities, the most probable first: the softmax over the vocabulary that negative sampling
            stands for. None if no word of the context is known, as in gensim.

        Raises
        ------
        RuntimeError
            If nothing has been trained, or the vectors came without their output side.
        """
        if not hasattr(self, "wv") or self.syn1neg is None:
            raise RuntimeError("there is no output side to predict from: call fit() first")
        known = [word for word in context_words_list if word in self.wv]
        if not known:
            log.warning("none of the context's words is in the vocabulary")
            return None
        h = to_host(self.wv[known]).mean(axis=0)
        score = to_host(self.syn1neg) @ h
        score = np.exp(score - score.max())
        probability = score / score.sum()
        best = np.argsort(-probability, kind="stable")[:topn]
        return [(self.wv.index_to_key[row], float(probability[row])) for row in best]

    def get_latest_training_loss(self) -> float:
        """Return the mean loss per target of the last reporting interval; gensim's is a sum that depends on threads."""
        if not self.loss_history:
            raise RuntimeError("nothing has been trained yet")
        return self.loss_history[-1][1]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write both matrices, words, counts and settings to a safetensors file, whatever its suffix."""
        from fastw2v import formats

        formats.write(self.wv, path, format="safetensors")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Word2Vec:
        """Read a model that `save` wrote; `train` goes on from its weights.

        Raises
        ------
        ValueError
            If the file holds vectors alone.
        """
        from fastw2v import formats

        try:
            vectors = formats.read(path, format="safetensors")
        except formats.FormatError as error:
            if Path(path).read_bytes()[:1] != b"\x80":
                raise
            raise formats.FormatError(
                f"{path} is a pickle, as gensim writes: fastw2v.formats.read(path, format='gensim') reads its vectors"
            ) from error
        settings = vectors.settings or {}
        if vectors.context_vectors is None or vectors.counts is None or "model" not in settings:
            raise ValueError(f"{path} holds vectors, not a model: read it with WordVectors.load")
        # Where to go on is for this machine to say.
        names = set(inspect.signature(cls).parameters) - {"device", "engine"}
        model = cls(
            sg=int(settings["model"] == "skipgram"),
            **{name: value for name, value in settings.items() if name in names},
        )
        for name in ("trained_epochs", "corpus_count", "corpus_total_words"):
            setattr(model, name, settings.get(name, 0))
        model.known_words_ = settings.get("known_words", 0)
        model.seed_ = settings["seed"]
        model.device_, model.engine_, model.report_ = choose_engine("auto", "auto", model.deterministic)
        W_in, W_out = tables(vectors.vectors.shape, model.device_, model.engine_)
        with on_device_of(W_in):
            W_in[...] = to_device(vectors.vectors, model.device_)
            W_out[...] = to_device(vectors.context_vectors, model.device_)
        model.wv = WordVectors(
            vectors.index_to_key, W_in, vectors.counts, context_vectors=W_out, settings=model._settings()
        )
        return model

    def __repr__(self) -> str:
        defaults = inspect.signature(Word2Vec).parameters
        chosen = {name: value for name, value in self.get_params().items() if value != defaults[name].default}
        return f"Word2Vec({', '.join(f'{name}={value!r}' for name, value in chosen.items())})"

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn, which alone calls this, wants to know of an estimator."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), requires_fit=True)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, as scikit-learn's estimators do."""
        names = inspect.signature(Word2Vec).parameters
        return {name: getattr(self, name) for name in names if name not in ("sentences", "corpus_file")}

    def set_params(self, **parameters: Any) -> Word2Vec:
        """Set parameters, as scikit-learn's estimators do.

        Raises
        ------
        ValueError
            If one is unknown or out of range.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"{name!r} is no parameter; there are {', '.join(known)}")
            setattr(self, name, value)
        self._check()
        return self


def _one_of(corpus_iterable: Iterable[Any] | None, corpus_file: str | os.PathLike[str] | None) -> Any:
    if (corpus_iterable is None) == (corpus_file is None):
        raise TypeError("give either corpus_iterable or corpus_file")
    return corpus_iterable if corpus_file is None else corpus_file


def check_init(init: WordVectors, vector_size: int) -> None:
    """Refuse vectors that no training with `vector_size` can begin with."""
    if not isinstance(init, WordVectors):
        raise TypeError(f"init is {init!r}; give WordVectors, such as WordVectors.load(path) returns")
    if init.vector_size != vector_size:
        raise ValueError(
            f"init has vectors of {init.vector_size} numbers, and vector_size is {vector_size}: make that "
            f"{init.vector_size}"
        )


def _copy_known(W_in: Any, W_out: Any, words: list[str], init: WordVectors, device: str) -> int:
    """Copy the rows of those words that `init` has, on the output side too if it has one; return how many there are."""
    ours = np.array([i for i, word in enumerate(words) if word in init.key_to_index], dtype=np.int64)
    if not len(ours):
        raise ValueError(
            f"init has none of the vocabulary's {len(words):,} words, of which {words[0]!r} is the most frequent; "
            f"its own first is {init.index_to_key[0]!r}"
        )
    theirs = np.array([init.key_to_index[words[i]] for i in ours.tolist()])
    for W, given in ((W_in, init.vectors), (W_out, init.context_vectors)):
        if given is None:
            continue
        rows = to_host(given)[theirs]
        if not np.isfinite(rows).all():
            word = words[ours[np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]]]
            raise ValueError(f"init's vector of {word!r} has numbers that are not finite")
        with on_device_of(W):
            set_rows(W, to_device(ours, device), to_device(rows.astype(np.float32, copy=False), device))
    log.info("%s of %s words begin with vectors that were given", f"{len(ours):,}", f"{len(words):,}")
    return len(ours)


def _check_whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be a whole number")
