"""gensim's `Word2Vec`: the estimator with the constructor, methods and callbacks of gensim 4.4.

``docs/from_gensim.md`` lists what differs from gensim.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

import numpy as np

from fastw2v.backend import to_host
from fastw2v.compat.gensim.keyed_vectors import KeyedVectors
from fastw2v.config import MIN_COUNT, CbowGrad, Model, TrainingConfig, check_choice, check_integer
from fastw2v.engines.base import ProgressFunction
from fastw2v.engines.selection import EngineName
from fastw2v.word2vec import Word2Vec as Estimator

__all__ = ["CallbackAny2Vec", "Word2Vec"]

log = logging.getLogger("fastw2v")

_TRIM_RULE = "Corpus.from_sentences takes include, exclude and counts"


class CallbackAny2Vec:
    """Base class of callbacks, which `Word2Vec` calls while it trains: override the methods that you need.

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
        """Run before the first epoch."""

    def on_train_end(self, model: Word2Vec) -> None:
        """Run after the last epoch."""

    def on_epoch_begin(self, model: Word2Vec) -> None:
        """Run before each epoch."""

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Run after each epoch, with `model.wv` and `model.get_latest_training_loss()` up to date."""


class Word2Vec(Estimator):
    """Train word vectors by CBOW or skip-gram with negative sampling, by gensim's names.

    Parameters have gensim's names, order and meaning. Those that would change the result and are not offered raise a
    ValueError.

    Parameters
    ----------
    sentences : optional
        A corpus, as for `fit`. When given, training takes place at once.
    corpus_file : path, optional
        The same for a text file with a sentence a line.
    sg : {0, 1}
        0 is CBOW, 1 is skip-gram.
    max_final_vocab : int, optional
        Largest size of the vocabulary: the most frequent words are kept.
    alpha : float, optional
        Initial learning rate. When absent, it is not gensim's 0.025 but the default of `fastw2v.Word2Vec`, and so is
        the gradient; a rate that is given comes with gensim's gradient: see `cbow_grad` there.
    vector_size, window, min_count, sample, seed, workers, min_alpha, negative, ns_exponent, epochs, shrink_windows
        As for `fastw2v.Word2Vec`.
    callbacks : sequence of CallbackAny2Vec
        gensim's own, or any objects with the same four methods, work too.
    hs, null_word : {0}
        Hierarchical softmax and a null word are not offered.
    cbow_mean, sorted_vocab : {1}
        Contexts are averaged, not added up; words are sorted by falling count.
    max_vocab_size, trim_rule
        Must be None: counting is exact. `max_final_vocab` limits the result.
    hashfxn, batch_words, compute_loss, comment
        No effect. The loss is always computed.
    cbow_grad, device, engine, deterministic
        As for `fastw2v.Word2Vec`.

    Attributes
    ----------
    wv : KeyedVectors
        The vectors, after training, or untrained after `build_vocab`.
    syn1neg : array, shape (V, D)
        The output side of the model.
    loss_history, trained_epochs, corpus_count, corpus_total_words, known_words_, device_, engine_, report_, seed_
        As for `fastw2v.Word2Vec`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is outside its range, or asks for what is not offered; the message names it.

    Examples
    --------
    >>> from fastw2v.compat.gensim import Word2Vec
    >>> model = Word2Vec([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, vector_size=8, negative=2, sg=1)
    >>> round(model.wv.similarity(w1="cat", w2="cat"), 3)
    1.0
    """

    wv: KeyedVectors

    _vectors_class = KeyedVectors

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        vector_size: int = TrainingConfig.vector_size,
        alpha: float | None = TrainingConfig.alpha,
        window: int = TrainingConfig.window,
        min_count: int = MIN_COUNT,
        max_vocab_size: int | None = None,
        sample: float = TrainingConfig.sample,
        seed: int | None = TrainingConfig.seed,
        workers: int | None = None,
        min_alpha: float = TrainingConfig.min_alpha,
        sg: int = 0,
        hs: int = 0,
        negative: int = TrainingConfig.negative,
        ns_exponent: float = TrainingConfig.ns_exponent,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = TrainingConfig.epochs,
        null_word: int = 0,
        trim_rule: Any = None,
        sorted_vocab: int = 1,
        batch_words: int = 10_000,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
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
        super().__init__(
            model=self.model,
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
            seed=seed,
            workers=workers,
            device=device,
            engine=engine,
            deterministic=deterministic,
            callbacks=callbacks,
        )
        if sentences is not None and corpus_file is not None:
            raise TypeError("sentences and corpus_file were both given; give one of them")
        if sentences is not None or corpus_file is not None:
            self.fit(sentences if corpus_file is None else corpus_file)

    # What the estimator calls by other names. Its constructor sets both.

    @property
    def model(self) -> Model:
        """`sg` as the estimator has it: "cbow" or "skipgram"."""
        return "skipgram" if self.sg else "cbow"

    @model.setter
    def model(self, model: Model) -> None:
        if model != self.model:
            self.sg = int(model == "skipgram")

    @property
    def max_vocab(self) -> int | None:
        """`max_final_vocab`, by the estimator's name."""
        return self.max_final_vocab

    @max_vocab.setter
    def max_vocab(self, max_vocab: int | None) -> None:
        self.max_final_vocab = max_vocab

    def _check(self) -> None:
        check_choice("sg", self.sg, (0, 1))
        for name, is_offered, instead in (
            ("hs", not self.hs, "hierarchical softmax is not offered; negative sampling (hs=0) is"),
            ("cbow_mean", self.cbow_mean, "the sum of contexts is not offered; their mean (cbow_mean=1) is"),
            (
                "max_vocab_size",
                self.max_vocab_size is None,
                "counting is exact here; max_final_vocab limits the result",
            ),
            ("trim_rule", self.trim_rule is None, _TRIM_RULE),
            ("null_word", not self.null_word, "there is no null word"),
            ("sorted_vocab", self.sorted_vocab, "words are always sorted by falling count"),
        ):
            if not is_offered:
                raise ValueError(f"{name} is {getattr(self, name)!r}: {instead}")
        if self.max_final_vocab is not None:
            check_integer("max_final_vocab", self.max_final_vocab, minimum=1)
        super()._check()

    def _notify(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, f"on_{event}")(self)

    def _check_callbacks(self) -> None:
        events = ("train_begin", "epoch_begin", "epoch_end", "train_end")
        for callback in self.callbacks:
            if not all(callable(getattr(callback, f"on_{event}", None)) for event in events):
                raise TypeError(f"callbacks has {callback!r}, which is no CallbackAny2Vec; derive one from it")

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in super()._parameter_names() if name not in ("sentences", "corpus_file")]

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return super()._from_settings(settings | {"sg": int(settings["model"] == "skipgram")})

    def build_vocab(  # type: ignore[override]  # gensim's parameters; it returns None
        self,
        corpus_iterable: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: Any = None,
    ) -> None:
        """Take the vocabulary of a corpus and initialise the weights, for `train`; `fit` does both.

        Parameters
        ----------
        corpus_iterable, corpus_file
            One of them. `corpus_iterable` takes all that `fit` takes.
        update : bool
            Add the words of the corpus to those that are there, as in `fastw2v.Word2Vec.build_vocab`.
        trim_rule
            Must be None.
        progress_per, keep_raw_vocab
            No effect.

        Raises
        ------
        TypeError
            If there is no corpus, or two of them.
        ValueError
            If a `trim_rule` is given.
        RuntimeError
            If there is no vocabulary to add to.
        """
        if trim_rule is not None:
            raise ValueError(f"trim_rule is {trim_rule!r}: {_TRIM_RULE}")
        super().build_vocab(_one_of(corpus_iterable, corpus_file), update=update)

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
        callbacks: Sequence[Any] = (),
        *,
        progress: ProgressFunction | None = None,
    ) -> tuple[int, int]:
        """Continue training from the present weights, with the vocabulary that is there and new random numbers.

        Parameters
        ----------
        corpus_iterable, corpus_file
            The corpus, as one of them; words that are not in the vocabulary are left out.
        epochs : int, optional
        start_alpha, end_alpha : float, optional
            The model's own when absent.
        callbacks : sequence of CallbackAny2Vec
            The model's own when there is none.
        total_examples, total_words, word_count, queue_factor, report_delay, compute_loss
            No effect: the corpus is counted while it is read, and the loss is always computed.
        progress : callable, optional
            As for `fit`.

        Returns
        -------
        trained, seen : int
            Words of the vocabulary, over all epochs, twice: there is no other count.

        Raises
        ------
        TypeError
            If there is no corpus, or two of them.
        RuntimeError
            If there is no vocabulary yet.
        """
        start = self.config().alpha if start_alpha is None else start_alpha
        end = self.min_alpha if end_alpha is None else end_alpha
        if start < end:
            raise ValueError(f"start_alpha is {start} and end_alpha {end}; start_alpha must not be below end_alpha")
        corpus = self._encode(_one_of(corpus_iterable, corpus_file))
        epochs = self.epochs if epochs is None else epochs
        self.callbacks = callbacks or self.callbacks
        super().train(corpus, epochs=epochs, alpha=start_alpha, min_alpha=end_alpha, progress=progress)
        return epochs * len(corpus), epochs * len(corpus)

    @property
    def syn1neg(self) -> Any:
        """The output side of the model: ``wv.context_vectors``, array, shape (V, D)."""
        return self.wv.context_vectors

    def predict_output_word(self, context_words_list: Iterable[str], topn: int = 10) -> list[tuple[Any, float]] | None:
        """Return the words that are most probable in the middle of a context.

        Parameters
        ----------
        context_words_list : iterable of str
            Unknown words are left out.
        topn : int
            How many words to return.

        Returns
        -------
        list of (str, float), or None
            Words and probabilities, the most probable first: the softmax over the vocabulary that negative sampling
            stands for. None if no word of the context is known.

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
        """Return the mean loss per target since the report before; gensim's is a running sum.

        Raises
        ------
        RuntimeError
            If nothing has been trained yet.
        """
        if not self.loss_history:
            raise RuntimeError("nothing has been trained yet")
        return self.loss_history[-1][1]

    def save(
        self,
        fname_or_handle: str | os.PathLike[str],
        separately: Sequence[str] | None = None,
        sep_limit: int | None = None,
        ignore: Collection[str] = (),
        pickle_protocol: int | None = None,
    ) -> None:
        """Write both matrices, words, counts and settings to a safetensors file, whatever its suffix.

        Parameters
        ----------
        fname_or_handle : str or path
            Open files are not offered.
        separately, sep_limit, pickle_protocol
            No effect, as for `KeyedVectors.save`.
        ignore
            Must be empty.

        Raises
        ------
        ValueError
            If `ignore` is not empty.
        OSError
            If the file cannot be written.
        """
        self.wv.save(fname_or_handle, "safetensors", ignore=ignore)

    @classmethod
    def load(cls, fname: str | os.PathLike[str], mmap: str | None = None, *, rethrow: bool = False) -> Self:
        """Read a model that `save` wrote; `train` continues from its weights.

        Parameters
        ----------
        fname : str or path
        mmap, rethrow
            No effect: the weights of a model can be changed, so they are copied into memory.

        Raises
        ------
        ValueError
            If the file holds vectors alone.
        FormatError
            If the file is not one that `save` wrote. `KeyedVectors.load` reads the vectors of gensim's own models.
        """
        return super().load(fname)


def _one_of(corpus_iterable: Any, corpus_file: str | os.PathLike[str] | None) -> Any:
    if (corpus_iterable is None) == (corpus_file is None):
        raise TypeError("give either corpus_iterable or corpus_file")
    return corpus_iterable if corpus_file is None else corpus_file
