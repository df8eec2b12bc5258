"""`Word2Vec` with the constructor, methods and callbacks of gensim 4.4.

``docs/migrate/gensim.md`` lists the differences from gensim.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np

from fastw2v.backend import to_host
from fastw2v.compat.gensim.keyed_vectors import KeyedVectors
from fastw2v.compat.word2vec_c import selected_loss
from fastw2v.config import (
    AUTO,
    EPOCHS,
    MIN_COUNT,
    MIN_RATE,
    NEGATIVE,
    CbowGrad,
    Loss,
    Model,
    TrainingConfig,
    check_choice,
    check_flags,
    check_integer,
    check_range,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.engines.base import ProgressFunction
from fastw2v.engines.selection import EngineName
from fastw2v.nn.layers import HierarchicalSoftmaxLoss
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.utils.checks import check_items, check_path, check_type, explain_arguments
from fastw2v.utils.quote import quote
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import DEFAULT_EVENTS
from fastw2v.word2vec import Word2Vec as Estimator

__all__ = ["CallbackAny2Vec", "Word2Vec"]

log = logging.getLogger("fastw2v")

_TRIM_RULE = (
    "trim rules are not supported; use Corpus.from_sentences, which has the parameters include, exclude and counts"
)

SCORED_WORDS = 128
"""Number of words that `Word2Vec.score` predicts at a time. Arrays of more words do not fit in the cache."""
GENSIM_ALPHA = 0.025
"""gensim's default learning rate, the value of `Word2Vec.alpha` if no rate was set."""
_INSTEAD = {
    "size": "use vector_size, its name since gensim 4",
    "iter": "use epochs, its name since gensim 4",
    "model": "use sg=1 for model='skipgram', or sg=0 for model='cbow'",
    "loss": "use hs=0 for loss='ns', hs=1 and negative=0 for loss='hs', or hs=1 for loss='hs+ns'",
    "max_vocab": "use max_final_vocab",
    **dict.fromkeys(("subwords", "bucket", "min_n", "max_n"), "use FastText, which has min_n, max_n and bucket"),
}
"""What to use instead of the parameter names of gensim 3 and of `fastw2v.Word2Vec`."""
_MOVED = (
    *("most_similar", "most_similar_cosmul", "similar_by_word", "similar_by_vector", "similarity", "n_similarity"),
    *("doesnt_match", "init_sims", "evaluate_word_pairs", "save_word2vec_format", "load_word2vec_format"),
)
"""Attributes that gensim's `Word2Vec` had before gensim 4 and that now belong to ``model.wv``."""
_ATTRIBUTES = {
    **{name: f"use model.wv.{name}" for name in _MOVED},
    "index2word": "use model.wv.index_to_key",
    "vocab": "use model.wv.key_to_index",
    "accuracy": "use model.wv.evaluate_word_analogies",
    "syn0": "use model.wv.vectors",
    **dict.fromkeys(("size", "layer1_size"), "use vector_size"),
    "iter": "use epochs",
    "running_training_loss": "use get_latest_training_loss()",
    "train_count": "use trained_epochs",
    "estimate_memory": "use estimate(corpus)",
    "build_vocab_from_freq": "use fit(Corpus.from_sentences(sentences, counts=counts))",
    "delete_temporary_training_data": "omit the call; to keep only the vectors, use model.wv",
    "reset_from": "use fit(corpus, init=other.wv)",
}
"""What to use instead of attributes of gensim that `Word2Vec` does not have."""


_TABLES = {
    "syn1": "it needs hierarchical softmax (hs=1); negative sampling trains syn1neg",
    "syn1neg": "it needs negative sampling (negative=5); hierarchical softmax trains syn1",
}
"""Why a model does not have an output matrix."""


class CallbackAny2Vec:
    """Base class for callbacks. `Word2Vec` calls their methods during training.

    Override the methods that you need.

    Examples
    --------
    >>> from fastw2v.compat.gensim import CallbackAny2Vec, Word2Vec
    >>> class Counter(CallbackAny2Vec):
    ...     def on_epoch_end(self, model):
    ...         print("epochs:", model.trained_epochs)
    >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, epochs=2, callbacks=[Counter()])
    epochs: 1
    epochs: 2
    """

    def on_train_begin(self, model: Word2Vec) -> None:
        """Run before the first epoch.

        Examples
        --------
        >>> from fastw2v.compat.gensim import CallbackAny2Vec, Word2Vec
        >>> class VocabularyPrinter(CallbackAny2Vec):
        ...     def on_train_begin(self, model):
        ...         print("vocabulary:", len(model.wv))
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, callbacks=[VocabularyPrinter()])
        vocabulary: 2
        """

    def on_train_end(self, model: Word2Vec) -> None:
        """Run after the last epoch.

        Examples
        --------
        >>> from fastw2v.compat.gensim import CallbackAny2Vec, KeyedVectors, Word2Vec
        >>> class Saver(CallbackAny2Vec):
        ...     def on_train_end(self, model):
        ...         model.wv.save("vectors.kv")
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, callbacks=[Saver()])
        >>> KeyedVectors.load("vectors.kv").index_to_key
        ['a', 'b']
        """

    def on_epoch_begin(self, model: Word2Vec) -> None:
        """Run before each epoch.

        Examples
        --------
        >>> from fastw2v.compat.gensim import CallbackAny2Vec, Word2Vec
        >>> class EpochPrinter(CallbackAny2Vec):
        ...     def on_epoch_begin(self, model):
        ...         print("epoch", model.trained_epochs + 1)
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, epochs=2, callbacks=[EpochPrinter()])
        epoch 1
        epoch 2
        """

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Run after each epoch.

        At this point, ``model.wv`` and ``model.get_latest_training_loss()`` include the epoch that has just ended.

        Examples
        --------
        >>> from fastw2v.compat.gensim import CallbackAny2Vec, Word2Vec
        >>> class LossRecorder(CallbackAny2Vec):
        ...     def __init__(self):
        ...         self.losses = []
        ...     def on_epoch_end(self, model):
        ...         self.losses.append(model.get_latest_training_loss())
        >>> recorder = LossRecorder()
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, sample=0, epochs=3, callbacks=[recorder])
        >>> len(recorder.losses)
        3
        """


class Word2Vec(Estimator):
    """Word2vec estimator with gensim's constructor.

    Parameters have the same names, order and meaning as in gensim. Values that would change the result but are not
    supported raise ValueError.

    Parameters
    ----------
    sentences : optional
        Any corpus that `fit` accepts. If a corpus is given, the constructor trains on it.
    corpus_file : path, optional
        Text file to train on instead of `sentences`, with one sentence per line.
    sg : {0, 1}
        0 selects CBOW, and 1 selects skip-gram.
    max_final_vocab : int, optional
        Maximum size of the vocabulary. The most frequent words are kept.
    alpha : float, optional
        Initial learning rate. By default, the learning rate and the CBOW gradient are those of `fastw2v.Word2Vec`, and
        gensim's rate of 0.025 is not used, although the attribute `alpha` then has that value. If `alpha` is set, CBOW
        uses gensim's gradient, unless `cbow_grad` is set as well.
    vector_size, window, min_count, sample, seed, workers, min_alpha, negative, ns_exponent, epochs, shrink_windows
        See `fastw2v.Word2Vec`.
    callbacks : sequence of CallbackAny2Vec
        Objects with the same four methods, such as gensim's callbacks, are accepted as well.
    hs : {0, 1}
        0 selects negative sampling, and 1 selects hierarchical softmax. As in gensim, ``hs=1`` trains with both unless
        ``negative=0``.
    null_word : {0}
        Null words are not supported.
    cbow_mean, sorted_vocab : {1}
        The contexts are always averaged, and the words are always sorted by descending count.
    max_vocab_size, trim_rule
        Must be None, because words are counted exactly. To limit the vocabulary, use `max_final_vocab`.
    hashfxn, batch_words, compute_loss, comment
        Ignored. The loss is always computed.
    cbow_grad, device, engine, deterministic
        See `fastw2v.Word2Vec`.

    Attributes
    ----------
    wv : KeyedVectors
        The word vectors. They are random after `build_vocab`, and trained after `fit` or `train`.
    syn1, syn1neg : array, shape (V, D)
        Output vectors: of the inner nodes of the Huffman tree, which hierarchical softmax trains, and of the words,
        which negative sampling trains.
    loss_history, epoch_losses, trained_epochs : list of (int, float), list of float, int
        See `fastw2v.Word2Vec`.
    corpus_count, corpus_total_words, known_words_, device_, engine_, report_, seed_
        See `fastw2v.Word2Vec`.

    Raises
    ------
    TypeError
        If a parameter has the wrong type, or both `sentences` and `corpus_file` are given.
    ValueError
        If a parameter is outside its range or not supported.

    Examples
    --------
    >>> from fastw2v.compat.gensim import Word2Vec
    >>> sentences = [["the", "cat", "sat", "down"], ["the", "dog", "sat", "down"]] * 100
    >>> model = Word2Vec(sentences, vector_size=50, window=5, min_count=1, negative=3, sg=1, sample=0)
    >>> model.wv["cat"].shape
    (50,)
    >>> model.wv.most_similar("cat", topn=1)
    [('dog', ...)]
    """

    wv: KeyedVectors
    subwords: tuple[int, int] | None = TrainingConfig.subwords
    bucket: int | None = TrainingConfig.bucket

    _vectors_class = KeyedVectors
    _instead = _INSTEAD

    @explain_arguments("Word2Vec", _INSTEAD)
    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        vector_size: int = TrainingConfig.vector_size,
        alpha: float | None = TrainingConfig.alpha,
        window: int = TrainingConfig.window,
        min_count: int = MIN_COUNT,
        max_vocab_size: int | None = None,
        sample: float | Literal["auto"] = AUTO,
        seed: int | None = TrainingConfig.seed,
        workers: int | None = None,
        min_alpha: float = TrainingConfig.min_alpha,
        sg: int = 0,
        hs: int = 0,
        negative: int = NEGATIVE[TrainingConfig.quality],
        ns_exponent: float = TrainingConfig.ns_exponent,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = EPOCHS[TrainingConfig.quality],
        null_word: int = 0,
        trim_rule: Any = None,
        sorted_vocab: int = 1,
        batch_words: int = 10_000,
        compute_loss: bool = False,
        callbacks: Sequence[Any] | None = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = TrainingConfig.shrink_windows,
        *,
        cbow_grad: CbowGrad | None = TrainingConfig.cbow_grad,
        device: str = "auto",
        engine: EngineName = "auto",
        deterministic: bool = TrainingConfig.deterministic,
    ) -> None:
        self.sg = sg
        self.hs = hs
        self.cbow_mean = cbow_mean
        self.hashfxn = hashfxn
        self.null_word = null_word
        self.trim_rule = trim_rule
        self.sorted_vocab = sorted_vocab
        self.batch_words = batch_words
        self.compute_loss = compute_loss
        self.comment = comment
        self.max_vocab_size = max_vocab_size
        self.max_final_vocab = max_final_vocab
        self.negative = negative
        super().__init__(
            model=self.model,
            loss=self.loss,
            vector_size=vector_size,
            window=window,
            min_count=min_count,
            max_vocab=max_final_vocab,
            negative=negative,
            ns_exponent=ns_exponent,
            sample=sample,
            alpha=alpha,
            min_alpha=min_alpha,
            epochs=epochs,
            shrink_windows=shrink_windows,
            cbow_grad=cbow_grad,
            output_weight=0.0,
            subwords=self.subwords,  # `FastText` has set its n-grams
            bucket=self.bucket,
            seed=seed,
            workers=workers,
            device=device,
            engine=engine,
            deterministic=deterministic,
            callbacks=callbacks,
        )
        if sentences is not None or corpus_file is not None:
            self.fit(_one_of("sentences", sentences, corpus_file))

    @property
    def alpha(self) -> float:
        """The initial learning rate: the one that was set, or 0.025, gensim's default.

        If no rate is set, training uses the default rate of `fastw2v.Word2Vec`, which suits its own default gradient.
        Assigning a rate also selects gensim's gradient, so a program that lowers `alpha` between calls of `train` uses
        the same rates as with gensim.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec(vector_size=4, negative=1)
        >>> model.build_vocab([["a", "b"]] * 20)
        >>> for epoch in range(3):
        ...     _ = model.train([["a", "b"]] * 20, total_examples=model.corpus_count, epochs=1)
        ...     model.alpha -= 0.002
        >>> round(model.alpha, 3)
        0.019
        """
        return GENSIM_ALPHA if self._alpha is None else self._alpha

    @alpha.setter
    def alpha(self, alpha: float | None) -> None:
        self._alpha = alpha

    def config(self, corpus: Corpus | DistributedCorpus | None = None, **changes: Any) -> TrainingConfig:
        """Return the checked training settings, as `fastw2v.Word2Vec.config` does.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> Word2Vec().config().alpha, Word2Vec(alpha=0.03).config().alpha
        (0.2, 0.03)
        """
        return super().config(corpus, **{"alpha": self._alpha} | changes)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters as a dictionary; `alpha` is None if it was not set.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> print(Word2Vec().get_params()["alpha"])
        None
        """
        return super().get_params(deep) | {"alpha": self._alpha}

    def __getattr__(self, name: str) -> Any:
        """Raise an error that names the replacement of an attribute of gensim that is missing."""
        if reason := (_ATTRIBUTES | _TABLES if "wv" in vars(self) else _ATTRIBUTES).get(name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}; {reason}")
        return super().__getattr__(name)

    # The constructor of the base class sets `model`, `loss` and `max_vocab`, its own names for `sg`, `hs` and
    # `max_final_vocab`.

    @property
    def model(self) -> Model:
        """The model that `sg` selects: "cbow" or "skipgram".

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> Word2Vec(sg=1).model
        'skipgram'
        """
        return "skipgram" if self.sg else "cbow"

    @model.setter
    def model(self, model: Model) -> None:
        if model != self.model:
            self.sg = int(model == "skipgram")

    @property
    def loss(self) -> Loss:
        """The loss that `hs` and `negative` select: "ns", "hs" or "hs+ns".

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> Word2Vec().loss, Word2Vec(hs=1, negative=0).loss, Word2Vec(hs=1).loss
        ('ns', 'hs', 'hs+ns')
        """
        return selected_loss(self.hs, self.negative)

    @loss.setter
    def loss(self, loss: Loss) -> None:
        if loss != self.loss:
            self.hs = int(loss != "ns")
            self.negative = 0 if loss == "hs" else self.negative or NEGATIVE[TrainingConfig.quality]

    @property
    def max_vocab(self) -> int | None:
        """The value of `max_final_vocab`, under the name that `fastw2v.Word2Vec` uses.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> Word2Vec(max_final_vocab=10_000).max_vocab
        10000
        """
        return self.max_final_vocab

    @max_vocab.setter
    def max_vocab(self, max_vocab: int | None) -> None:
        self.max_final_vocab = max_vocab

    def _check(self) -> None:
        check_flags(hs=self.hs, cbow_mean=self.cbow_mean, null_word=self.null_word, sorted_vocab=self.sorted_vocab)
        check_choice("sg", self.sg, (0, 1))
        for name, is_offered, instead in (
            ("cbow_mean", self.cbow_mean, "the sum of contexts is not supported; use their mean (cbow_mean=1)"),
            (
                "max_vocab_size",
                self.max_vocab_size is None,
                "words are counted exactly; limit the vocabulary with max_final_vocab",
            ),
            ("trim_rule", self.trim_rule is None, _TRIM_RULE),
            ("null_word", not self.null_word, "null words are not supported; use null_word=0"),
            ("sorted_vocab", self.sorted_vocab, "words are always sorted by descending count; use sorted_vocab=1"),
        ):
            if not is_offered:
                raise ValueError(f"{name} is {quote(getattr(self, name))}, but {instead}")
        if not self.hs and self.negative == 0:
            raise ValueError(
                "hs is 0 and negative is 0, so nothing would be trained; use negative=5, or hs=1 for hierarchical "
                "softmax"
            )
        if self.max_final_vocab is not None:
            check_integer("max_final_vocab", self.max_final_vocab, minimum=1)
        super()._check()

    def _notify(self, event: str) -> None:
        if event in DEFAULT_EVENTS:
            for callback in self.callbacks or ():
                getattr(callback, f"on_{event}")(self)

    def _events(self, callback: Any) -> Iterable[str]:
        return DEFAULT_EVENTS

    def _check_callbacks(self, callbacks: Any) -> None:
        check_items("callbacks", callbacks, "a list of CallbackAny2Vec objects")
        for callback in callbacks:
            if not all(callable(getattr(callback, f"on_{event}", None)) for event in DEFAULT_EVENTS):
                raise TypeError(
                    f"callbacks contains {quote(callback)}, which lacks methods of CallbackAny2Vec; make it a subclass"
                )

    @classmethod
    @functools.cache
    def _parameter_names(cls) -> tuple[str, ...]:
        return tuple(name for name in super()._parameter_names() if name not in ("sentences", "corpus_file"))

    @classmethod
    def _check_supported(cls, vectors: WordVectors, path: str | os.PathLike[str]) -> None:
        if vectors.subwords is not None:
            reader = "FastText" if vectors.subwords.ngrams.of_fasttext else "fastw2v.Word2Vec"
            raise ValueError(
                f"the model in {path} has subwords that {cls.__name__} does not have; use the same method of {reader}"
            )

    @classmethod
    def _from_settings(cls, parameters: dict[str, Any], settings: dict[str, Any]) -> Self:
        loss = parameters.get("loss", TrainingConfig.loss)
        own: dict[str, Any] = {"sg": int(parameters["model"] == "skipgram"), "hs": int(loss != "ns")}
        own |= {"max_final_vocab": parameters.get("max_vocab")}
        if loss == "hs":
            parameters = parameters | {"negative": 0}
        own |= {name: settings[name] for name in ("epochs", "negative") if parameters.get(name) is None}
        return super()._from_settings(parameters | own, settings)

    def build_vocab(  # type: ignore[override]  # gensim's parameters; it returns None
        self,
        corpus_iterable: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: Any = None,
    ) -> None:
        """Build the vocabulary of a corpus and initialise the weights, without training.

        Call `train` afterwards.

        Parameters
        ----------
        corpus_iterable : optional
            Any corpus that `fit` accepts.
        corpus_file : path, optional
            Text file to use instead of `corpus_iterable`, with one sentence per line.
        update : bool
            If True, add the words of the corpus to the existing vocabulary, as in `fastw2v.Word2Vec.build_vocab`.
        trim_rule
            Must be None.
        progress_per, keep_raw_vocab
            Ignored.

        Raises
        ------
        TypeError
            If neither or both of `corpus_iterable` and `corpus_file` are given.
        ValueError
            If `trim_rule` is given.
        RuntimeError
            If `update` is True and the model has no vocabulary.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> sentences = [["a", "b", "a"]] * 20
        >>> model = Word2Vec(vector_size=4, negative=1)
        >>> model.build_vocab(sentences)
        >>> model.wv.index_to_key, model.corpus_count
        (['a', 'b'], 20)
        >>> _ = model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
        """
        if trim_rule is not None:
            raise ValueError(f"trim_rule is {quote(trim_rule)}, but {_TRIM_RULE}")
        super().build_vocab(_one_of("corpus_iterable", corpus_iterable, corpus_file), update=update)

    def train(  # type: ignore[override]  # gensim's parameters and result
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
        callbacks: Sequence[Any] | None = (),
        *,
        progress: ProgressFunction | None = None,
    ) -> tuple[int, int]:
        """Train from the current weights.

        The vocabulary does not change. The random numbers differ from those of earlier epochs.

        Parameters
        ----------
        corpus_iterable : optional
            Any corpus that `fit` accepts. Words outside the vocabulary are ignored.
        corpus_file : path, optional
            Text file to use instead of `corpus_iterable`, with one sentence per line.
        epochs : int, optional
            Number of passes over the corpus. By default, the number in the model.
        start_alpha, end_alpha : float, optional
            Initial and final learning rate. By default, the rates in the model. If `start_alpha` is set, CBOW uses
            gensim's gradient, unless the model has a `cbow_grad`.
        callbacks : sequence of CallbackAny2Vec
            If not empty, they are called instead of the callbacks of the model.
        total_examples, total_words, word_count, queue_factor, report_delay, compute_loss
            Ignored. Sentences and words are counted when the corpus is read, and the loss is always computed.
        progress : callable, optional
            See `fit`.

        Returns
        -------
        trained_word_count, raw_word_count : int
            Number of words in the corpus that belong to the vocabulary, times the number of epochs. Unlike in gensim,
            the two numbers are always equal.

        Raises
        ------
        TypeError
            If neither or both of `corpus_iterable` and `corpus_file` are given.
        ValueError
            If `start_alpha` is below `end_alpha`, or a rate is outside its range.
        RuntimeError
            If the model has no vocabulary yet.

        Examples
        --------
        Continue training with sentences that contain a new word, "c". It is ignored, so 2 × 20 words are trained:

        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, epochs=5)
        >>> model.train([["a", "b", "c"]] * 10, total_examples=10, epochs=2)
        (40, 40)
        >>> model.trained_epochs
        7
        """
        self._check_rates(start_alpha, end_alpha)
        corpus = self._encode(_one_of("corpus_iterable", corpus_iterable, corpus_file))
        epochs = self.config().epochs if epochs is None else epochs
        own = self.callbacks
        if callbacks:
            self._check_callbacks(callbacks)
            self.callbacks = callbacks
        try:
            super().train(corpus, epochs=epochs, alpha=start_alpha, min_alpha=end_alpha, progress=progress)
        finally:
            self.callbacks = own
        return epochs * len(corpus), epochs * len(corpus)

    def _loss_parameters(self, loss: Loss) -> str:
        return {"ns": "hs=0", "hs": "hs=1, negative=0", "hs+ns": "hs=1, negative=5"}[loss]

    def _check_rates(self, start_alpha: float | None, end_alpha: float | None) -> None:
        """Raise an error for rates of `train` that cannot be used. It names only rates that the caller has set."""
        for name, rate in (("start_alpha", start_alpha), ("end_alpha", end_alpha)):
            if rate is not None:
                check_range(name, rate, MIN_RATE if name == "start_alpha" else 0.0, 100.0)
        if end_alpha is None and self.min_alpha == TrainingConfig.min_alpha:
            return  # with a lower initial rate, the rate is constant
        start_name, start = ("start_alpha", start_alpha) if start_alpha is not None else ("alpha", self._alpha)
        if start is None:
            start_name, start = "the default initial rate", self.config(min_alpha=0.0).alpha
        end_name, end = ("min_alpha", self.min_alpha) if end_alpha is None else ("end_alpha", end_alpha)
        if start < end:
            raise ValueError(
                f"{start_name} is {start} and {end_name} is {end}; {start_name} must not be below {end_name}"
            )

    def _gradient_to_keep(self) -> None:
        """Return None, because every rate that a program for gensim sets is meant for gensim's gradient."""

    @property
    def syn1(self) -> Any:
        """The vectors of the inner nodes, which are also ``wv.node_vectors``: array, shape (V, D).

        Hierarchical softmax trains them. V words have V − 1 inner nodes, so the last row is not used. A NumPy array is
        read-only.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, hs=1, negative=0)
        >>> model.syn1.shape, hasattr(model, "syn1neg")
        ((2, 4), False)
        """
        if self.wv.node_vectors is None:
            raise AttributeError  # `__getattr__` raises the error with a message
        return self.wv.node_vectors

    @property
    def syn1neg(self) -> Any:
        """The output vectors of the words, which are also ``wv.context_vectors``: array, shape (V, D).

        Negative sampling trains them. A NumPy array is read-only.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1)
        >>> model.syn1neg.shape
        (2, 4)
        """
        if self.wv.context_vectors is None:
            raise AttributeError  # `__getattr__` raises the error with a message
        return self.wv.context_vectors

    def predict_output_word(self, context_words_list: Iterable[str], topn: int = 10) -> list[tuple[Any, float]] | None:
        """Return the words that are most likely to occur in the middle of a context.

        The probabilities are the softmax of the scores of all words in the vocabulary. Without negative sampling, they
        are those of hierarchical softmax, which gensim does not support.

        Parameters
        ----------
        context_words_list : iterable of str
            Words of the context. Unknown words are ignored.
        topn : int
            Maximum number of words to return.

        Returns
        -------
        list of (str, float), or None
            Words and probabilities, most probable first. None if no word of the context is in the vocabulary.

        Raises
        ------
        RuntimeError
            If the model has not been trained, or has no output matrix.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> sentences = [["the", "cat", "sat", "down"], ["a", "dog", "ran", "away"]] * 200
        >>> model = Word2Vec(sentences, vector_size=8, negative=2, sample=0)
        >>> predicted = model.predict_output_word(["the", "sat", "down"], topn=1)
        >>> [word for word, probability in predicted]
        ['cat']
        """
        check_items("context_words_list", context_words_list, "a list of words")
        check_integer("topn", topn, minimum=0)
        wv = self.wv
        if wv.context_vectors is None and (wv.node_vectors is None or wv.counts is None):
            raise RuntimeError("the model has no output matrix to predict words from; call fit() first")
        known = [word for word in context_words_list if word in wv.key_to_index]
        if not known:
            log.warning("no word of the context is in the vocabulary")
            return None
        hidden = wv.vectors if wv.has_subwords else wv.input_vectors
        h = to_host(hidden)[[wv.key_to_index[word] for word in known]].mean(axis=0)
        if wv.context_vectors is None:
            tree = HuffmanTree.from_counts(np.asarray(wv.counts))
            score = tree.log_probabilities(to_host(wv.node_vectors) @ h)
        else:
            score = to_host(wv.context_vectors) @ h
        score = np.exp(score - score.max())
        probability = score / score.sum()
        best = np.argsort(-probability, kind="stable")[:topn]
        return [(wv.index_to_key[row], float(probability[row])) for row in best]

    def score(
        self,
        sentences: Iterable[Iterable[str]],
        total_sentences: int = 1_000_000,
        chunksize: int = 100,
        queue_factor: int = 2,
        report_delay: float = 1,
    ) -> np.ndarray:
        """Return the logarithm of the probability of each sentence. It needs hierarchical softmax.

        It is the sum over the words of the log probability of predicting the word from the words in its window (CBOW),
        or over all pairs of a word and a context (skip-gram). All windows have their full width, and no word is
        dropped at random. Unknown words are left out.

        Parameters
        ----------
        sentences : iterable of lists of str
        total_sentences : int
            Maximum number of sentences. Others are left out, and a warning is logged.
        chunksize, queue_factor, report_delay
            Ignored.

        Returns
        -------
        float64 array, shape (n_sentences,)
            0 for a sentence without known words.

        Raises
        ------
        RuntimeError
            If the model was not trained with hierarchical softmax.
        TypeError
            If a sentence is not a list of words.

        Notes
        -----
        gensim computes log σ(x) with a table, and leaves out terms whose x is at most −6 or at least 6.

        References
        ----------
        Taddy, "Document classification by inversion of distributed language representations", ACL 2015.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> sentences = [["the", "cat", "sat", "down"], ["a", "dog", "ran", "away"]] * 200
        >>> model = Word2Vec(sentences, vector_size=8, hs=1, negative=0, sample=0)
        >>> likely, unlikely = model.score([["the", "cat", "sat", "down"], ["the", "dog", "sat", "away"]])
        >>> bool(likely > unlikely)
        True
        """
        check_items("sentences", sentences, "a list of token lists")
        check_integer("total_sentences", total_sentences, minimum=1)
        wv = self.wv
        if wv.node_vectors is None or wv.counts is None:
            raise RuntimeError("score needs a model that was trained with hierarchical softmax; use hs=1")
        W_in = to_host(wv.vectors if wv.has_subwords else wv.input_vectors)
        nodes, tree = to_host(wv.node_vectors), HuffmanTree.from_counts(wv.counts)
        network = (SkipGram if self.sg else CBOW).from_weights(W_in, nodes, counts=tree)
        scores: list[float] = []
        pending: list[np.ndarray] = []
        for number, sentence in enumerate(sentences):
            if number == total_sentences:
                log.warning("score: only the first %d sentences are scored; raise total_sentences", total_sentences)
                break
            check_items(f"sentence {number}", sentence, "a list of words")
            pending.append(np.array([wv.key_to_index[word] for word in sentence if word in wv.key_to_index], np.int64))
            if sum(map(len, pending)) >= SCORED_WORDS or len(pending) >= SCORED_WORDS:
                scores += _log_probabilities(network, pending, int(self.window))
                pending = []
        scores += _log_probabilities(network, pending, int(self.window))
        return np.array(scores, np.float64)

    def get_latest_training_loss(self) -> float:
        """Return the mean loss per prediction of the last epoch, which is ``epoch_losses[-1]``.

        A prediction is one target of CBOW, or one pair of a target and a context of skip-gram. By contrast, gensim
        returns a running sum over all targets and epochs. The loss is NaN if subsampling left nothing to predict.

        Raises
        ------
        RuntimeError
            If no epoch has been completed yet.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, sample=0, compute_loss=True)
        >>> len(model.epoch_losses)
        5
        >>> model.get_latest_training_loss() == model.epoch_losses[-1]
        True
        """
        if not self.epoch_losses:
            raise RuntimeError("there is no training loss yet; call fit() or train() first")
        return self.epoch_losses[-1]

    def save(
        self,
        fname_or_handle: str | os.PathLike[str],
        separately: Sequence[str] | None = None,
        sep_limit: int | None = None,
        ignore: Collection[str] = (),
        pickle_protocol: int | None = None,
    ) -> None:
        """Write the model to a safetensors file: both matrices, words, counts and settings.

        Parameters
        ----------
        fname_or_handle : str or path
            File to write. The format is safetensors, whatever the suffix. Open file objects are not supported.
        separately, sep_limit, pickle_protocol
            Ignored. The model is written to a single file, which is not a pickle.
        ignore
            Must be empty.

        Raises
        ------
        ValueError
            If `ignore` is not empty.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1)
        >>> model.save("word2vec.model")
        >>> Word2Vec.load("word2vec.model").wv.index_to_key
        ['a', 'b']
        """
        check_path("fname_or_handle", fname_or_handle)
        if ignore:
            raise ValueError(f"ignore is {quote(ignore)}, but all attributes are stored; leave ignore empty")
        super().save(fname_or_handle)

    @classmethod
    def load(cls, fname: str | os.PathLike[str], mmap: str | None = None, *, rethrow: bool = False) -> Self:
        """Read a model written by `save`.

        To continue training from the weights, call `train`. Models written by gensim cannot be read, but
        `KeyedVectors.load` reads their vectors.

        Parameters
        ----------
        fname : str or path
        mmap, rethrow
            Ignored. The weights are always copied into memory, because training changes them.

        Raises
        ------
        ValueError
            If the file contains vectors but not a complete model, or the model has subwords.
        FormatError
            If the file is damaged, or was not written by `save`.

        Examples
        --------
        >>> from fastw2v.compat.gensim import Word2Vec
        >>> Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, epochs=2).save("word2vec.model")
        >>> model = Word2Vec.load("word2vec.model")
        >>> _ = model.train([["b", "a"]] * 20, total_examples=20, epochs=1)
        >>> model.trained_epochs
        3
        """
        check_path("fname", fname)
        return super().load(fname)


def _log_probabilities(network: CBOW | SkipGram, sentences: list[np.ndarray], window: int) -> list[float]:
    """Return the logarithm of the probability of each sentence, which is an array of word ids."""
    if not sentences:
        return []
    ids = np.concatenate(sentences)
    number = np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences])
    offset = np.concatenate([np.arange(-window, 0), np.arange(1, window + 1)])
    total = np.zeros(len(sentences))
    layer = network.loss_layer
    assert isinstance(layer, HierarchicalSoftmaxLoss)
    for start in range(0, len(ids), SCORED_WORDS):
        target = np.arange(start, min(start + SCORED_WORDS, len(ids)))
        at = np.clip(target[:, None] + offset, 0, len(ids) - 1)
        present = (at == target[:, None] + offset) & (number[at] == number[target][:, None])
        h = network.in_layer._forward(ids[at])
        if isinstance(network, CBOW):  # like gensim, predict a word that is alone from a vector of zeros
            losses = layer.losses(network.mean.forward(h, present), ids[target])
        else:
            losses = layer.losses(h, ids[target], present)
        total -= np.bincount(number[target], losses, len(sentences))
    return total.tolist()


def _one_of(name: str, corpus: Any, corpus_file: str | os.PathLike[str] | None) -> Any:
    """Return whichever corpus is given; raise TypeError unless exactly one of the two is given.

    `name` is the name of the parameter `corpus`.
    """
    if (corpus is None) == (corpus_file is None):
        raise TypeError(f"give either {name} or corpus_file, but not both")
    if corpus_file is not None:
        return check_path("corpus_file", corpus_file)
    check_type(name, corpus, (str, os.PathLike, Iterable, Corpus), "token lists, a path or a Corpus")
    return corpus
