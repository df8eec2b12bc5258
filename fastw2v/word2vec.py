"""Word2Vec: the estimator, which trains vectors on a corpus.

To follow the main path, read `Word2Vec.fit`, `Corpus`, an engine, `WordVectors`.
"""

from __future__ import annotations

import inspect
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from fastw2v.backend import check_device, on_device_of, to_device
from fastw2v.config import MIN_COUNT, MIN_RATE, CbowGrad, Model, TrainingConfig, check_choice, check_integer
from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines.base import ProgressFunction, Tables
from fastw2v.engines.selection import EngineName, find_engine, select_engine
from fastw2v.estimate import Estimate, corpus_head, estimate_memory, words_per_second
from fastw2v.nn.initializers import copy_known_rows, uniform_weights
from fastw2v.sampling import rng
from fastw2v.utils.progress import Progress
from fastw2v.utils.system import available_processors
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["Callback", "Word2Vec", "check_init"]

log = logging.getLogger("fastw2v")

Callback = Callable[[str, Any], None]
"""Called as ``callback(event, model)`` with "train_begin", "epoch_begin", "epoch_end" or "train_end"."""


class Word2Vec:
    """Train word vectors by CBOW or skip-gram with negative sampling.

    An estimator in scikit-learn's manner: parameters are keywords, `fit` trains. Programs written for gensim use
    `fastw2v.compat.gensim.Word2Vec`.

    Parameters
    ----------
    model : {"cbow", "skipgram"}
        Predict a word from the mean of its contexts, or each context from the word.
    vector_size : int
        D, dimensions of a vector.
    window : int
        Largest distance of a context from its target, on either side.
    min_count : int
        Words that occur less often are left out of a corpus that is read from text or token lists.
    max_vocab : int, optional
        Largest size of the vocabulary: the most frequent words are kept.
    negative : int
        Negative samples for each positive; below the size of the vocabulary.
    ns_exponent : float
        Exponent of the counts in the noise distribution, −1 to 1.
    sample : float
        Subsampling threshold: occurrences of words with a larger share of the corpus are randomly dropped. 0 keeps all.
    alpha : float, optional
        Initial learning rate. By default 0.2 for CBOW (0.05 with ``cbow_grad="sum"``) and min(0.06, 0.2 / window) for
        skip-gram. A rate that is given to CBOW selects ``cbow_grad="sum"``, so that it means the same as in gensim.
    min_alpha : float
        Final learning rate; the rate falls linearly over all words of all epochs.
    epochs : int
        Passes over the corpus.
    shrink_windows : bool
        Draw each window's width from 1 to `window`; otherwise all are `window` wide.
    cbow_grad : {"mean", "balanced", "sum"}, optional
        Divisor of CBOW's input gradient for C contexts. "mean" divides by C, which is the exact gradient; "balanced"
        by C to the power 3/4, which gives the best vectors; "sum" does not divide, as word2vec.c, gensim and fastText.
        By default "balanced", or "sum" where `alpha` is given.
    seed : int or None
        Seed of every random choice. With one worker, the same seed gives the same bytes on the same device (on a GPU
        with `deterministic`). None chooses a random seed, which is recorded in ``wv.settings``.
    workers : int, optional
        Threads; by default as many as the processors that the process may use. The layers engine leaves them to NumPy.
        On a GPU only 1 has an effect: it runs a single block, whose result is reproducible up to rounding.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to train. "auto" takes a GPU only if the CPU has no fused engine, because the GPU's has not been run on
        hardware yet.
    engine : {"auto", "fused", "layers"}
        "layers" trains with the layers of this library on any device. "fused" trains with compiled kernels.
        "auto" takes "fused" where it is available on the device, and logs which and why.
    deterministic : bool
        Whether the same run on the same machine must give the same bytes: on a CPU with one worker, on a GPU with the
        layers engine, which then adds in a fixed order.
    callbacks : sequence of callable
        Called as ``callback(event, model)`` before and after each epoch and the whole training; events are
        "train_begin", "epoch_begin", "epoch_end" and "train_end". With callbacks each epoch is a separate run with its
        own random numbers, so the vectors differ from those without callbacks but are as good.

    Attributes
    ----------
    wv : WordVectors
        The vectors, after `fit`, or untrained after `build_vocab`.
    loss_history : list of (int, float)
        Words trained so far, and the mean loss per target since the previous entry.
    trained_epochs : int
        Epochs that the weights have been trained for.
    corpus_count, corpus_total_words : int
        Sentences and words of the corpus that the vocabulary was built from.
    known_words_ : int
        Words that started from a pretrained vector, and not from a random one.
    device_, engine_, report_ : str
        The device and the engine used, and why they were chosen.
    seed_ : int
        The seed that was used.

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
    corpus_count: int
    corpus_total_words: int
    known_words_: int
    device_: str
    engine_: str
    report_: str
    seed_: int

    _vectors_class: type[WordVectors] = WordVectors

    def __init__(
        self,
        *,
        model: Model = TrainingConfig.model,
        vector_size: int = TrainingConfig.vector_size,
        window: int = TrainingConfig.window,
        min_count: int = MIN_COUNT,
        max_vocab: int | None = None,
        negative: int = TrainingConfig.negative,
        ns_exponent: float = TrainingConfig.ns_exponent,
        sample: float = TrainingConfig.sample,
        alpha: float | None = TrainingConfig.alpha,
        min_alpha: float = TrainingConfig.min_alpha,
        epochs: int = TrainingConfig.epochs,
        shrink_windows: bool = TrainingConfig.shrink_windows,
        cbow_grad: CbowGrad | None = TrainingConfig.cbow_grad,
        seed: int | None = TrainingConfig.seed,
        workers: int | None = None,
        device: str = "auto",
        engine: EngineName = "auto",
        deterministic: bool = TrainingConfig.deterministic,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.model = model
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.alpha = alpha
        self.min_alpha = min_alpha
        self.epochs = epochs
        self.shrink_windows = shrink_windows
        self.cbow_grad = cbow_grad
        self.seed = seed
        self.workers = workers
        self.device = device
        self.engine = engine
        self.deterministic = deterministic
        self.callbacks = callbacks
        self.loss_history: list[tuple[int, float]] = []
        self.trained_epochs = 0
        self._check()

    def _check(self) -> None:
        """Refuse parameters that are out of range."""
        self.config()
        check_integer("min_count", self.min_count, minimum=0)
        for name in ("workers", "max_vocab"):
            if (value := getattr(self, name)) is not None:
                check_integer(name, value, minimum=1)
        check_choice("engine", self.engine, get_args(EngineName))
        if self.device != "auto":
            check_device(self.device)
        self._check_callbacks()
        if self.deterministic and (self.workers or 1) > 1:
            raise ValueError(
                f"deterministic is True and workers is {self.workers}: several workers update shared rows without "
                "locks. Leave workers out, or set it to 1"
            )

    def _check_callbacks(self) -> None:
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(
                    f"callbacks has {callback!r}, which cannot be called; give functions of an event and the model. "
                    "fastw2v.compat.gensim.Word2Vec takes gensim's callbacks"
                )

    def config(self, **changes: Any) -> TrainingConfig:
        """Return the settings of training, checked and completed by the defaults that depend on others.

        Parameters
        ----------
        **changes
            Settings to use in place of the estimator's own.

        Raises
        ------
        TypeError, ValueError
            If a setting is outside its range.

        Examples
        --------
        >>> Word2Vec(model="skipgram").config().alpha
        0.04
        """
        settings = {
            field.name: getattr(self, field.name) for field in fields(TrainingConfig) if hasattr(self, field.name)
        }
        if settings["seed"] is None:
            settings["seed"] = getattr(self, "seed_", TrainingConfig.seed)
        return TrainingConfig(**settings | changes)

    def fit(
        self, corpus: Any, y: Any = None, *, init: WordVectors | None = None, progress: ProgressFunction | None = None
    ) -> Self:
        """Train on a corpus, from random weights or pretrained vectors.

        Parameters
        ----------
        corpus : Corpus, path, array, column or iterable of token lists
            A path is a text with a sentence a line (a file, folder or pattern) or an encoded corpus (``.w2v``). See
            `fastw2v.corpus.as_corpus` for all that it can be.
        y
            Not used; scikit-learn's pipelines pass it.
        init : WordVectors, optional
            Pretrained vectors. Words that it contains start from its vectors, and on the output side from its
            ``context_vectors`` if it has those; all others from random vectors. The vocabulary is that of the corpus.
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
            If the corpus is of an unsupported type, no word reaches `min_count`, or `negative` is not below the size
            of the vocabulary; if `init` is not WordVectors, or has vectors of another size, none of the words, or
            numbers that are not finite.
        RuntimeError
            If the device or engine asked for cannot be used, with the reason.
        FloatingPointError
            If the loss stops being finite.
        MemoryError
            If the run does not fit in memory; raised before training starts, with settings that would fit.

        Examples
        --------
        >>> Word2Vec(vector_size=4, negative=1, epochs=1).fit([["a", "b"]] * 20).wv.index_to_key
        ['a', 'b']
        """
        corpus = self._prepare(corpus, init)
        self._train(corpus, self.config(), progress)
        return self

    def build_vocab(self, corpus: Any, *, update: bool = False) -> Self:
        """Build the vocabulary of a corpus and initialise the weights, ready for `train`; `fit` builds and trains.

        Parameters
        ----------
        corpus
            As for `fit`.
        update : bool
            Add the words of the corpus to those that are there, which keep their vectors; counts are added up. Words
            are sorted by falling count again, so `wv` is a new object. New words start from random vectors.

        Returns
        -------
        Word2Vec
            Itself.

        Raises
        ------
        RuntimeError
            If there is no vocabulary to add to.

        Examples
        --------
        >>> model = Word2Vec(vector_size=4, negative=1, min_count=1).build_vocab([["a", "b", "a"]])
        >>> model.build_vocab([["b", "b", "c"]], update=True).wv.index_to_key
        ['b', 'a', 'c']
        """
        if update:
            self._extend_vocabulary(corpus)
        else:
            self._prepare(corpus)
        return self

    def train(
        self,
        corpus: Any,
        *,
        epochs: int | None = None,
        alpha: float | None = None,
        min_alpha: float | None = None,
        progress: ProgressFunction | None = None,
    ) -> Self:
        """Continue training from the present weights, with the vocabulary that is there and new random numbers.

        Parameters
        ----------
        corpus
            As for `fit`; words that are not in the vocabulary are left out.
        epochs : int, optional
        alpha, min_alpha : float, optional
            The model's own when absent.
        progress : callable, optional
            As for `fit`.

        Returns
        -------
        Word2Vec
            Itself.

        Raises
        ------
        RuntimeError
            If there is no vocabulary yet.
        ValueError
            If a corpus that is encoded already has another vocabulary.

        Examples
        --------
        >>> model = Word2Vec(vector_size=4, negative=1, epochs=1).fit([["a", "b"]] * 20)
        >>> model.train([["b", "a"]] * 20, epochs=2).trained_epochs
        3
        """
        corpus = self._encode(corpus)
        given = {"epochs": epochs, "alpha": alpha, "min_alpha": min_alpha}
        config = self.config(**{name: value for name, value in given.items() if value is not None})
        self._train(corpus, config, progress)
        return self

    def _prepare(self, corpus: Any, init: WordVectors | None = None) -> Corpus:
        """Choose the engine, read the corpus, and initialise weights for its vocabulary."""
        self._check()
        if init is not None:
            check_init(init, self.vector_size)
        self._select_engine()
        log.info("training on %s with the %s engine: %s", self.device_, self.engine_, self.report_)
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_vocab)
        size = len(corpus.vocabulary)
        if self.negative >= size:
            raise ValueError(
                f"negative is {self.negative}, but the vocabulary has only {size} word{'s' * (size != 1)}: it must be "
                "smaller than the vocabulary. Lower negative, lower min_count, or give more text"
            )
        self.seed_ = secrets.randbits(32) if self.seed is None else int(self.seed)
        self.trained_epochs = 0
        self.loss_history = []
        self._initialize(corpus, init)
        return corpus

    def _extend_vocabulary(self, corpus: Any) -> None:
        """Add a corpus' words and counts to the vocabulary, and rows for them to the weights."""
        before = self._vocabulary()
        corpus = as_corpus(corpus, min_count=1)
        counts = dict(zip(before.words, before.counts.tolist(), strict=True))
        for word, count in zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True):
            if word in counts or count >= self.min_count:
                counts[word] = counts.get(word, 0) + count
        grown = Vocabulary.from_counts(counts, 0, self.max_vocab)
        self._initialize(Corpus(corpus.ids, corpus.offsets, grown), self.wv)  # `train` will read it with those words

    def _vocabulary(self) -> Vocabulary:
        """Return the vocabulary of the weights, which are there to be trained on."""
        if not hasattr(self, "wv"):
            raise RuntimeError("there is no vocabulary yet: call fit(), or build_vocab() first")
        if self.wv.context_vectors is None or self.wv.counts is None:
            raise ValueError(
                "training cannot continue: vectors cannot be trained on without context vectors and word counts"
            )
        return Vocabulary(self.wv.index_to_key, np.asarray(self.wv.counts))

    def _encode(self, source: Any) -> Corpus:
        """Return a corpus in the vocabulary of the weights."""
        vocabulary = self._vocabulary()
        corpus = source if isinstance(source, Corpus) else as_corpus(source, 0, counts=vocabulary)
        if corpus.vocabulary.words != vocabulary.words:
            raise ValueError(
                "the corpus has another vocabulary than the model: give the sentences themselves, or encode them with "
                "counts=Vocabulary(model.wv.index_to_key, model.wv.counts)"
            )
        return corpus

    def _select_engine(self) -> None:
        self.device_, self.engine_, self.report_ = select_engine(self.engine, self.device, self.deterministic)

    def _initialize(self, corpus: Corpus, init: WordVectors | None) -> None:
        """Make weights for the vocabulary of a corpus; words that `init` contains start from its rows."""
        if problem := self._estimate(corpus).problem():
            raise MemoryError(problem)
        words = corpus.vocabulary.words
        W_in, W_out = find_engine(self.engine_, self.device_).allocate((len(words), self.vector_size), self.device_)
        uniform_weights(W_in, self.seed_)
        self.known_words_ = 0 if init is None else copy_known_rows(W_in, W_out, words, init, self.device_)
        self.corpus_count = corpus.n_sentences
        self.corpus_total_words = len(corpus)
        self.wv = self._vectors_class(
            words, W_in, corpus.vocabulary.counts, context_vectors=W_out, settings=self._settings()
        )

    def _train(self, corpus: Corpus, config: TrainingConfig, progress: ProgressFunction | None) -> None:
        """Train the weights in place, and let the vectors know that they have changed."""
        engine = find_engine(self.engine_, self.device_)
        tables = Tables(self.wv.vectors, self.wv.context_vectors)
        trained = self.loss_history[-1][0] if self.loss_history else 0
        self._notify("train_begin")
        with Progress("training", config.epochs * len(corpus), show=None if progress is None else False) as bar:
            done = 0

            def report(words: int, loss: float, alpha: float) -> None:
                self.loss_history.append((trained + done + words, loss))
                bar.update(done + words, loss)
                if progress is not None:
                    progress(done + words, loss, alpha)

            for run in self._split_runs(config):
                self._notify("epoch_begin")
                run = replace(run, seed=self._run_seed())
                engine.train(tables, corpus, run, workers=self._n_workers(), on_progress=report)
                done += run.epochs * len(corpus)
                self.trained_epochs += run.epochs
                self.wv.forget_unit_vectors()
                self._notify("epoch_end")
        self.wv.settings = self._settings()
        self._notify("train_end")

    def _split_runs(self, config: TrainingConfig) -> list[TrainingConfig]:
        """Return the settings of each uninterrupted run: one of all epochs, or, for callbacks, one of each epoch."""
        n = config.epochs if self.callbacks else 1
        fall = (config.alpha - config.min_alpha) / n
        ends = [max(config.alpha - fall * i, MIN_RATE) for i in range(n)] + [config.min_alpha]
        return [replace(config, epochs=config.epochs // n, alpha=ends[i], min_alpha=ends[i + 1]) for i in range(n)]

    def _n_workers(self) -> int | None:
        """Return the number of threads; on a GPU, whose blocks are not threads, only "one" means the same."""
        threads = self.workers or (1 if self.deterministic else available_processors())
        return threads if self.device_ == "cpu" or self.workers == 1 else None

    def _run_seed(self) -> int:
        """Return the seed of the next run: training that continues must not repeat the random numbers of its start."""
        return rng.stream_key(self.seed_, rng.CONTINUED, self.trained_epochs) if self.trained_epochs else self.seed_

    def _notify(self, event: str) -> None:
        for callback in self.callbacks:
            callback(event, self)

    def estimate(self, corpus: Any, *, measure: bool = True) -> Estimate:
        """Estimate what training on a corpus takes: memory for each part, and time by a short measurement.

        Parameters
        ----------
        corpus
            As for `fit`; text is read and counted.
        measure : bool
            Whether to train for a second or two, on the beginning of the corpus, to estimate the time.

        Returns
        -------
        Estimate

        Examples
        --------
        >>> Word2Vec(vector_size=16).estimate([["a", "b"]] * 20, measure=False).vocabulary
        2
        """
        self._select_engine()
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_vocab)
        estimate = self._estimate(corpus)
        if not measure or estimate.problem():
            return estimate
        changes: dict[str, Any] = {"epochs": 1, "alpha": 1e-4, "min_alpha": 1e-4, "callbacks": ()}
        trial = type(self)(**self.get_params() | changes)

        def train(tokens: int) -> None:
            trial.fit(corpus_head(corpus, tokens), progress=lambda words, loss, alpha: None)

        return replace(estimate, words_per_second=words_per_second(train, len(corpus)))

    def _estimate(self, corpus: Corpus) -> Estimate:
        return estimate_memory(
            corpus, vector_size=self.vector_size, epochs=self.epochs, device=self.device_, engine=self.engine_
        )

    def _settings(self) -> dict[str, Any]:
        """Return what a reader of the vectors' file needs to repeat the run."""
        settings = asdict(self.config(seed=self.seed_))
        if self.engine_ == "layers":  # whose pools and tiles are its own
            for name in ("pool_tokens", "pool_size", "tile"):
                del settings[name]
        return settings | {
            "min_count": self.min_count,
            "device": self.device_,
            "engine": self.engine_,
            "trained_epochs": self.trained_epochs,
            "corpus_count": self.corpus_count,
            "corpus_total_words": self.corpus_total_words,
            "known_words": self.known_words_,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write both matrices, words, counts and settings to a safetensors file, whatever its suffix.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        self.wv.save(path, format="safetensors")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that `save` wrote; `train` continues from its weights.

        Raises
        ------
        ValueError
            If the file holds vectors alone.
        """
        from fastw2v.formats import FormatError

        try:
            vectors = cls._vectors_class.load(path, format="safetensors")
        except FormatError as error:
            if Path(path).read_bytes()[:1] != b"\x80":
                raise
            raise FormatError(
                f"{path} is a pickle, as gensim writes: WordVectors.load(path, format='gensim') reads its vectors"
            ) from error
        settings = vectors.settings or {}
        if vectors.context_vectors is None or vectors.counts is None or "model" not in settings:
            raise ValueError(f"{path} holds vectors, not a model: read it with WordVectors.load")
        model = cls._from_settings(settings)
        for name in ("trained_epochs", "corpus_count", "corpus_total_words"):
            setattr(model, name, settings.get(name, 0))
        model.known_words_ = settings.get("known_words", 0)
        model.seed_ = settings["seed"]
        model._select_engine()
        W_in, W_out = find_engine(model.engine_, model.device_).allocate(vectors.vectors.shape, model.device_)
        with on_device_of(W_in):
            W_in[...] = to_device(vectors.vectors, model.device_)
            W_out[...] = to_device(vectors.context_vectors, model.device_)
        model.wv = cls._vectors_class(
            vectors.index_to_key, W_in, vectors.counts, context_vectors=W_out, settings=model._settings()
        )
        return model

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return an untrained model with the settings of a file; where to train is for this machine to say."""
        names = set(cls._parameter_names()) - {"device", "engine"}
        return cls(**{name: value for name, value in settings.items() if name in names})

    @classmethod
    def _parameter_names(cls) -> list[str]:
        """Return the names of the constructor's parameters."""
        return list(inspect.signature(cls).parameters)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        chosen = {name: value for name, value in self.get_params().items() if value != defaults[name].default}
        return f"Word2Vec({', '.join(f'{name}={value!r}' for name, value in chosen.items())})"

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn, which alone calls this, wants to know of an estimator."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), requires_fit=True)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, as scikit-learn's estimators do.

        Examples
        --------
        >>> Word2Vec(window=3).get_params()["window"]
        3
        """
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters, as scikit-learn's estimators do.

        Raises
        ------
        ValueError
            If one is unknown or out of range.

        Examples
        --------
        >>> Word2Vec().set_params(window=3, model="skipgram")
        Word2Vec(model='skipgram', window=3)
        """
        known = self._parameter_names()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"{name!r} is no parameter; valid parameters are {', '.join(known)}")
            setattr(self, name, value)
        self._check()
        return self


def check_init(init: WordVectors, vector_size: int) -> None:
    """Refuse pretrained vectors that no training with `vector_size` can start from."""
    if not isinstance(init, WordVectors):
        raise TypeError(f"init is {init!r}; give WordVectors, such as WordVectors.load(path) returns")
    if init.vector_size != vector_size:
        raise ValueError(
            f"init has vectors of {init.vector_size} dimensions, and vector_size is {vector_size}: make that "
            f"{init.vector_size}"
        )
