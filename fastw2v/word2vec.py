"""The `Word2Vec` estimator, which trains word vectors on a corpus.

To follow the main path through the code, read `Word2Vec.fit`, `Corpus`, an engine and `WordVectors`, in that order.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import math
import os
import secrets
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

import numpy as np

from fastw2v.backend import check_device, is_numpy, on_device_of, to_device, to_host
from fastw2v.config import (
    AUTO,
    CHECKPOINT_EVERY,
    MAX_SIZE,
    MIN_COUNT,
    CbowGrad,
    Loss,
    Model,
    Quality,
    TrainingConfig,
    Units,
    check_choice,
    check_flags,
    check_integer,
    default_alpha,
    default_sample,
    output_parts,
)
from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.corpus.sources import Sources
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.corpus.vocabulary import NoKnownWordsError, Vocabulary
from fastw2v.distributed.connection import (
    IN_PROCESS,
    LOCAL,
    Connection,
    Replication,
    check_replication,
    connected,
    reconnected,
)
from fastw2v.distributed.costs import (
    check_bandwidth,
    machines_like_this,
    measured_bandwidth,
    places,
    threads_of_a_replica,
)
from fastw2v.distributed.files import expand_files, has_url
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.distributed.training import ReplicaState
from fastw2v.engines.base import ProgressFunction, Tables, TrainingState
from fastw2v.engines.selection import EngineName, find_engine, select_engine
from fastw2v.estimate import Estimate, corpus_head, estimate_memory, estimate_replicas, words_per_second
from fastw2v.nn.initializers import copy_known_rows, copy_rows, fit_ngram_rows, uniform_weights
from fastw2v.run import Run, Training, checkpoint_record, is_training, plain_value
from fastw2v.sampling import rng
from fastw2v.sampling.chunks import contexts_of_lengths
from fastw2v.sampling.subsampling import kept_share
from fastw2v.training_log import TrainingLog
from fastw2v.utils.checks import (
    check_callable,
    check_items,
    check_path,
    check_type,
    explain_arguments,
    unknown_parameter,
)
from fastw2v.utils.duration import parse_duration
from fastw2v.utils.quote import counted, quote
from fastw2v.utils.scaled_rows import decoded_rows, storage
from fastw2v.utils.system import available_processors
from fastw2v.validation import ValidationRecord, check_validation, naming_validation
from fastw2v.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from fastw2v.checkpoint import Checkpoints

__all__ = ["Callback", "NotFittedError", "Word2Vec", "check_freeze", "check_init"]

logger = logging.getLogger("fastw2v")

INSTEAD = {
    **dict.fromkeys(
        ("sentences", "corpus", "corpus_file", "corpus_iterable"), "pass the corpus to fit: Word2Vec(...).fit(corpus)"
    ),
    **dict.fromkeys(("size", "dim", "embedding_size", "n_components"), "use vector_size"),
    **dict.fromkeys(("iter", "n_epochs", "n_iter", "max_iter"), "use epochs"),
    **dict.fromkeys(("lr", "learning_rate", "start_alpha"), "use alpha"),
    **dict.fromkeys(("max_final_vocab", "max_vocab_size"), "use max_vocab"),
    **dict.fromkeys(("threads", "n_jobs", "num_workers"), "use workers"),
    **dict.fromkeys(
        ("validation", "validation_fraction", "validation_split", "early_stopping", "n_iter_no_change", "patience"),
        "pass validation and patience to fit: Word2Vec(...).fit(corpus, validation=0.01, patience=3)",
    ),
    "end_alpha": "use min_alpha",
    "random_state": "use seed",
    "sg": "use model='skipgram' for sg=1, or model='cbow' for sg=0",
    **dict.fromkeys(("min_n", "max_n", "minn", "maxn", "min_ngram", "max_ngram"), "use subwords=(min_n, max_n)"),
    "hs": "use loss='hs' or 'hs+ns' for hs=1, or loss='ns' for hs=0",
    "cbow_mean": "omit it, because the contexts are always averaged; cbow_grad selects the scale of the gradient",
    "compute_loss": "omit it, because the loss is always computed; read loss_history after training",
    **dict.fromkeys(("total_examples", "total_words"), "omit it, because the corpus is counted when it is read"),
    "trim_rule": "use Corpus.from_sentences, which has the parameters include and exclude",
    **dict.fromkeys(
        ("hashfxn", "null_word", "sorted_vocab", "batch_words", "comment"),
        "omit it, or use fastw2v.compat.gensim.Word2Vec, which accepts gensim's parameters",
    ),
}
"""What to use instead of the parameter names of gensim and of other libraries."""
FREEZE_INIT: Literal["init"] = "init"
"""Value of `freeze` for all words that start from a pretrained vector."""
SMALL_SHARE = 0.2
"""If subsampling keeps a smaller share of the words, a warning is logged."""
Callback = Callable[[str, Any], None]
"""Function called as ``callback(event, model)``, where event is one of `EVENTS`."""
EVENTS = ("train_begin", "epoch_begin", "step", "report", "validation", "epoch_end", "train_end")
"""Events of which a callback can be notified."""
DEFAULT_EVENTS = ("train_begin", "epoch_begin", "epoch_end", "train_end")
"""Events of which a callback without an attribute `events` is notified."""

_FITTED = ("wv", "corpus_count", "corpus_total_words", "known_words_", "device_", "engine_", "report_", "seed_")
"""Attributes that `Word2Vec` does not have before `Word2Vec.fit` or `Word2Vec.build_vocab`."""
_MACHINE = ("device", "engine", "callbacks")
"""Parameters that `Word2Vec.save` does not write, because they belong to the machine or the program."""


class NotFittedError(AttributeError, RuntimeError):
    """Error for an attribute or a method of `Word2Vec` that needs `Word2Vec.fit` or `Word2Vec.build_vocab` first.

    It is an AttributeError, so ``hasattr(model, "wv")`` is false before training, and a RuntimeError.

    Examples
    --------
    >>> from fastw2v import Word2Vec
    >>> from fastw2v.word2vec import NotFittedError
    >>> try:
    ...     Word2Vec().wv
    ... except NotFittedError as error:
    ...     print(error)
    the model has no vocabulary yet, so it has no attribute 'wv'. Call fit() or build_vocab() first
    """


class Word2Vec:
    """Word2vec estimator that trains CBOW or skip-gram models with negative sampling or hierarchical softmax.

    The interface follows scikit-learn. All parameters are keyword-only, and `fit` trains the model. Programs written
    for gensim can use `fastw2v.compat.gensim.Word2Vec` instead.

    Parameters
    ----------
    model : {"cbow", "skipgram"}
        "cbow" predicts a word from the mean of its contexts. "skipgram" predicts each context from the word.
    loss : {"ns", "hs", "hs+ns"}
        "ns" is negative sampling, and "hs" is hierarchical softmax, which predicts a word by the decisions on its path
        through a Huffman tree. "hs+ns" trains with both losses, which share W_in. It is gensim's ``hs=1`` with a
        positive `negative`.
    quality : {"fast", "balanced", "best"}
        Trade-off between the training time and the quality of the vectors. "fast" gives vectors that are at least as
        good as those of other tools. "best" takes four to six times as long as "balanced". `quality` determines the
        defaults of `epochs` and `negative`, and how many words share their negative samples.
    vector_size : int
        D, the number of dimensions of a vector.
    window : int
        Maximum distance between a target and a context, on either side.
    min_count : int
        Minimum count of a word. Rarer words are left out when text or token lists are read.
    max_vocab : int, optional
        Maximum size of the vocabulary. The most frequent words are kept.
    negative : int, optional
        Number of negative samples per positive example. By default, 5, or 15 with ``quality="best"``. It has no effect
        on the loss "hs", and may be 0 there.
    ns_exponent : float
        Exponent of the counts in the noise distribution, from −1 to 1.
    sample : float or "auto"
        Subsampling threshold, from 0 to 1. If a word's share of the corpus exceeds the threshold, some of its
        occurrences are dropped at random. 0 keeps every occurrence. "auto" is 0.001, or 0.0001 with `subwords`, but at
        least 1 / V for a vocabulary of V words.
    alpha : float, optional
        Initial learning rate. By default, 0.2 for CBOW (0.05 with ``cbow_grad="sum"``, 0.15 with `subwords`, 0.1 with
        hierarchical softmax), and 0.2 / window for skip-gram, but at least 0.004 and at most 0.06. For a window of more
        than 50, CBOW's rate is multiplied by √(50 / window). If a word has fewer contexts on average than `window`,
        because the sentences are short, this average replaces the window. Above 40 / √m epochs (skip-gram: 80 / √m),
        where m is the median count of the words, the rate is inversely proportional to the number of epochs, but at
        least 0.001. ``wv.settings`` contains the rate that was used. With CBOW, setting `alpha` changes the default of
        `cbow_grad` to "sum", so that the rate has the same effect as in gensim.
    min_alpha : float
        Final learning rate. The rate decreases linearly over all words of all epochs. If it is left at its default and
        `alpha` is lower, the rate is constant.
    epochs : int, optional
        Number of passes over the corpus. By default, 5, or 15 with ``quality="best"``.
    shrink_windows : bool
        If True, draw the width of each window uniformly from 1 to `window`. Otherwise, the width is always `window`.
    cbow_grad : {"mean", "balanced", "sum"}, optional
        Divisor of CBOW's input gradient. "mean" divides by C, the number of contexts, which gives the exact gradient.
        "balanced" divides by C to the power 3/4, which gives the best vectors. "sum" does not divide, like word2vec.c,
        gensim and fastText. By default, "sum" if `alpha` is set and otherwise "balanced".
    output_weight : float, optional
        c, from 0 to 1. The vectors are W_in + c · W_out, where W_in and W_out are the input and output vectors of the
        words. 0 gives W_in, like word2vec.c, gensim and fastText. By default, 0.4 for CBOW with negative sampling,
        where the combination gives better vectors, and 0 otherwise. With the loss "hs", words have no output vectors,
        so it must be 0. Training always continues from W_in.
    subwords : (int, int), optional
        Numbers of characters, or of other `units`, of the shortest and the longest n-grams of a word, such as (3, 6).
        The vector of a word is then the mean of its own row of W_in and the rows of its n-grams, as in fastText. Words
        outside the vocabulary have vectors as well, and rare words have better ones. By default, there are no n-grams.
    bucket : int, optional
        Number of buckets to which the n-grams are hashed, by default 2,000,000. Only buckets with an n-gram of the
        vocabulary need memory.
    hash_count : int, optional
        Number of rows of each n-gram in floret's tables, from 1 to 4. Words have no rows of their own then, and
        `bucket` is the size of the table, by default 50,000. By default, the n-grams are those of fastText.
    units : {"characters", "syllables", "jamo"}
        Units of the n-grams. "characters" are Unicode code points, as in fastText. "syllables" and "jamo" are for
        Korean: characters of the Unicode form NFC, or three letters for each Hangul syllable, as `to_jamo` returns
        them. With "syllables" and "jamo", a word has the same n-grams in NFC and in NFD, and `subwords` must be set.
    seed : int or None
        Seed of the random numbers. With one worker, runs with the same seed on the same device give identical bytes. On
        a GPU, this also requires `deterministic`. If None, a random seed is chosen and recorded in ``wv.settings``.
    workers : int, optional
        Number of threads. By default, the number of processors available to the process. The layers engine ignores
        `workers`, because NumPy manages its own threads. On a GPU, ``workers=1`` runs a single thread block, so the
        result is reproducible up to rounding. Other values have no effect on a GPU.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Device to train on. "auto" uses a GPU if there is one and CuPy is installed. With `deterministic` or
        ``workers=1``, it uses the CPU, where the fused engine then gives the same bytes in every run. After training,
        the vectors are NumPy arrays. With "cuda", they stay on the device as CuPy arrays.
    engine : {"auto", "fused", "layers"}
        "fused" trains with compiled kernels. "layers" trains with the layers of `fastw2v.nn` on any device. "auto"
        uses "fused" if it is available on the device, and logs the choice and its reason.
    deterministic : bool
        Whether repeated runs on the same machine must give identical bytes. If True, training on a CPU uses one worker,
        and training on a GPU uses the layers engine and performs additions in a fixed order.
    callbacks : sequence of callable
        Functions called as ``callback(event, model)`` at the beginning and the end of training and of each epoch. The
        events are "train_begin", "epoch_begin", "epoch_end" and "train_end". A function with an attribute `events`, a
        list of names, is called at these events only. It can also name "step" (between two steps, such as chunks of
        8,192 words), "report" (whenever `loss_history` gets an entry) and "validation" (whenever `validation_history`
        gets an entry). Callbacks do not change the vectors. At all events except "report", several workers wait for
        each other.

    Attributes
    ----------
    wv : WordVectors
        The vectors. They are random after `build_vocab` and trained after `fit` or `train`.
    loss_history : list of (int, float)
        Pairs of the number of words trained so far and the mean loss per prediction since the previous pair. A
        prediction is one target of CBOW, or one pair of a target and a context of skip-gram. With "hs+ns", it is the
        sum of the means of both losses.
    epoch_losses : list of float
        Mean loss per prediction of each complete epoch. It fluctuates less than the entries of `loss_history`. If
        subsampling left nothing to predict in an epoch, its loss is NaN.
    validation_history : list of (int, float)
        Pairs of the number of words trained so far and the mean loss per prediction on the held-out corpus.
    trained_words : int
        Number of words trained so far, counted over all epochs.
    trained_epochs : int
        Number of complete epochs for which the weights have been trained. An epoch that is interrupted by an exception
        or Ctrl-C is not counted, although it has changed the weights.
    corpus_count, corpus_total_words : int
        Numbers of sentences and words in the corpus from which the vocabulary was built. After
        ``build_vocab(update=True)``, those of the corpus that was added.
    known_words_ : int
        Number of words initialised from a pretrained vector.
    device_, engine_, report_ : str
        The device, the engine, and the reason for their choice.
    seed_ : int
        The seed that was used.

    Before `fit` or `build_vocab`, attributes other than the histories, the losses and the numbers of trained words and
    epochs raise `NotFittedError`, which is an AttributeError.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a parameter is outside its range.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013; Morin and
    Bengio, "Hierarchical probabilistic neural network language model", AISTATS 2005.

    Examples
    --------
    >>> from fastw2v import Word2Vec
    >>> sentences = ["the cat sat on the mat".split(), "the dog sat on the rug".split()] * 200
    >>> model = Word2Vec(vector_size=50).fit(sentences)
    >>> model.wv["cat"].shape
    (50,)
    >>> [word for word, cosine in model.wv.most_similar("cat", topn=1)]
    ['dog']
    """

    wv: WordVectors
    alpha: float | None
    corpus_count: int
    corpus_total_words: int
    known_words_: int
    device_: str
    engine_: str
    report_: str
    seed_: int

    _vectors_class: type[WordVectors] = WordVectors
    _instead: Mapping[str, str] = INSTEAD

    @explain_arguments("Word2Vec", INSTEAD)
    def __init__(
        self,
        *,
        model: Model = TrainingConfig.model,
        loss: Loss = TrainingConfig.loss,
        quality: Quality = TrainingConfig.quality,
        vector_size: int = TrainingConfig.vector_size,
        window: int = TrainingConfig.window,
        min_count: int = MIN_COUNT,
        max_vocab: int | None = None,
        negative: int | None = TrainingConfig.negative,
        ns_exponent: float = TrainingConfig.ns_exponent,
        sample: float | Literal["auto"] = AUTO,
        alpha: float | None = TrainingConfig.alpha,
        min_alpha: float = TrainingConfig.min_alpha,
        epochs: int | None = TrainingConfig.epochs,
        shrink_windows: bool = TrainingConfig.shrink_windows,
        cbow_grad: CbowGrad | None = TrainingConfig.cbow_grad,
        output_weight: float | None = TrainingConfig.output_weight,
        subwords: tuple[int, int] | None = TrainingConfig.subwords,
        bucket: int | None = TrainingConfig.bucket,
        hash_count: int | None = TrainingConfig.hash_count,
        units: Units = TrainingConfig.units,
        seed: int | None = TrainingConfig.seed,
        workers: int | None = None,
        device: str = "auto",
        engine: EngineName = "auto",
        deterministic: bool = TrainingConfig.deterministic,
        callbacks: Sequence[Callback] | None = (),
    ) -> None:
        self.model = model
        self.loss = loss
        self.quality = quality
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
        self.output_weight = output_weight
        self.subwords = subwords
        self.bucket = bucket
        self.hash_count = hash_count
        self.units = units
        self.seed = seed
        self.workers = workers
        self.device = device
        self.engine = engine
        self.deterministic = deterministic
        self.callbacks = callbacks
        self.loss_history: list[tuple[int, float]] = []
        self.epoch_losses: list[float] = []
        self.validation_history: list[tuple[int, float]] = []
        self.trained_words = 0
        self.trained_epochs = 0
        self._interruptions = 0
        self._check()

    def __getattr__(self, name: str) -> Any:
        """Raise an error that says why an attribute is missing. Python calls this method only if it is missing."""
        derived = isinstance(getattr(type(self), name, None), property) and "wv" not in vars(self)
        if name in _FITTED or derived:  # a property of a subclass may need one of them
            raise NotFittedError(
                f"the model has no vocabulary yet, so it has no attribute {name!r}. Call fit() or build_vocab() first"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _check(self) -> None:
        """Raise an error if a parameter is outside its range."""
        self.config()
        check_integer("min_count", self.min_count, minimum=0)
        for name in ("workers", "max_vocab"):
            if (value := getattr(self, name)) is not None:
                check_integer(name, value, minimum=1)
        check_choice("engine", self.engine, get_args(EngineName))
        if self.device != "auto":
            check_device(self.device)
        if self.callbacks is not None:
            self._check_callbacks(self.callbacks)
        if self.deterministic and (self.workers or 1) > 1:
            raise ValueError(
                f"deterministic is True, but workers is {self.workers}; several workers update shared rows without "
                "locks. Omit workers or set it to 1"
            )

    def _check_callbacks(self, callbacks: Any) -> None:
        check_items("callbacks", callbacks, "a list of functions that accept an event and a model")
        for callback in callbacks:
            if not callable(callback):
                raise TypeError(
                    f"callbacks contains {quote(callback)}, which is not callable; pass functions that accept an event "
                    "and a model. fastw2v.compat.gensim.Word2Vec accepts gensim's callbacks"
                )
            events = getattr(callback, "events", ())
            if not isinstance(events, (list, tuple, set, frozenset)) or any(event not in EVENTS for event in events):
                raise ValueError(
                    f"callbacks contains {quote(callback)}, whose events are {quote(events)}; they must be a list of "
                    f"{', '.join(map(repr, EVENTS[:-1]))} or {EVENTS[-1]!r}"
                )

    def config(self, corpus: Corpus | DistributedCorpus | None = None, **changes: Any) -> TrainingConfig:
        """Return the checked training settings, with defaults filled in.

        Parameters
        ----------
        corpus : Corpus, optional
            The corpus to train on. The defaults of `alpha` and `sample` depend on its sentences and its vocabulary. If
            None, the defaults are those of a large text with long sentences.
        **changes
            Settings that override those of the estimator.

        Returns
        -------
        TrainingConfig

        Raises
        ------
        TypeError
            If a setting has the wrong type.
        ValueError
            If a setting is outside its range.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(model="skipgram").config().alpha
        0.04
        >>> Word2Vec(model="skipgram").config(window=10).alpha
        0.02

        In a basket of three items, each item has at most two contexts. The rate is lower for many epochs:

        >>> from fastw2v import Corpus
        >>> baskets = Corpus.from_sentences([["beer", "nuts", "chips"]] * 16, min_count=1)
        >>> [Word2Vec(model="skipgram", window=100, epochs=epochs).config(baskets).alpha for epochs in (5, 100)]
        [0.06, 0.012]
        """
        if corpus is not None:
            check_type("corpus", corpus, (Corpus, DistributedCorpus), "a Corpus, or None")
        settings = {
            field.name: getattr(self, field.name) for field in fields(TrainingConfig) if hasattr(self, field.name)
        }
        if settings["seed"] is None:
            settings["seed"] = getattr(self, "seed_", TrainingConfig.seed)
        settings |= changes
        sample_is_default = isinstance(settings["sample"], str) and settings["sample"] == AUTO
        alpha_is_default = settings["alpha"] is None
        if sample_is_default:
            settings["sample"] = default_sample(MAX_SIZE, settings["subwords"] is not None)
        elif isinstance(settings["sample"], str):
            raise TypeError(f"sample is {quote(settings['sample'])}; it must be a number from 0 to 1, or {AUTO!r}")
        config = TrainingConfig(**settings)
        if corpus is not None and sample_is_default:
            config = replace(config, sample=default_sample(len(corpus.vocabulary), config.subwords is not None))
        if corpus is not None and alpha_is_default:
            contexts = max(1.0, contexts_of_lengths(config.window, corpus.lengths, config.shrink_windows))
            median = float(np.median(corpus.vocabulary.counts))
            alpha = default_alpha(
                config.model,
                config.cbow_grad,
                min(config.window, contexts),
                config.epochs,
                median,
                config.loss,
                subwords=config.subwords is not None,
            )
            config = replace(config, alpha=max(alpha, config.min_alpha))
        return config

    def fit(
        self,
        corpus: Any,
        y: Any = None,
        *,
        init: WordVectors | None = None,
        freeze: Iterable[Any] | Literal["init"] | None = None,
        validation: Any = None,
        patience: int | None = None,
        progress: ProgressFunction | None = None,
        log: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoints | None = None,
        checkpoint_every: str | float = CHECKPOINT_EVERY,
        replicas: int | None = None,
        rounds: int | None = None,
        ray: str | Connection | None = None,
    ) -> Self:
        """Train on a corpus, from random weights or pretrained vectors.

        Parameters
        ----------
        corpus : Corpus, path, array, column or iterable of token lists
            Tokens are strings or integers. A path can name a text file with one sentence per line, a folder of text
            files, a glob pattern that matches text files, or an encoded corpus (``.w2v``). `fastw2v.corpus.as_corpus`
            lists all supported types. Text in an encoding other than UTF-8 is read with `Corpus.from_text`.
        y
            Ignored. Present for compatibility with scikit-learn pipelines.
        init : WordVectors, optional
            Pretrained vectors. Words in `init` start from its vectors, and other words from random vectors. If `init`
            has ``context_vectors``, the output vectors of the words are initialised from them. If `init` has
            ``node_vectors``, and its words and counts are those of the corpus, the inner nodes start from them.
            Otherwise, the Huffman trees differ, and the inner nodes start from zero. `init` does not add words to the
            vocabulary. With `subwords`, `init` has the same n-grams, whose rows are kept, or words alone. The rows of
            n-grams are then fitted to the vectors of the words. Other words start from these rows and a random row of
            their own. In this case, ``context_vectors`` are used only with `freeze`.
        freeze : "init" or sequence of words, optional
            Words that are not trained: their rows of W_in and W_out, and so their vectors, keep their bytes, while
            other words are trained with them. "init" freezes all words that start from a vector in `init`. If `init`
            has no ``context_vectors``, negative sampling logs a warning, because other words learn nothing from a
            frozen word whose row of W_out is zero. The inner nodes of hierarchical softmax are always trained.
        validation : float, Corpus, path, array, column or iterable of token lists, optional
            Held-out text, on which the loss is measured 20 times or at the end of each epoch, whichever is more often,
            but at most 1,000 times. `validation_history` gets the losses, and the weights at the end are those with the
            lowest loss. A number between 0 and 1 holds out this share of the sentences of `corpus`, which are then not
            trained on. Otherwise, the types are those of `corpus`, and words outside the vocabulary are left out.
        patience : int, optional
            Number of measurements in a row without a new lowest loss after which training ends early. By default, it
            never ends early.
        progress : callable, optional
            Function called as ``progress(words_done, loss, alpha)`` several times a second, with the loss as in
            `loss_history`. It is called at least twenty times if training has at least twenty steps. By default, a
            progress bar is shown on a terminal and in a Jupyter notebook. Otherwise, the logger ``fastw2v`` gets a
            message of level INFO every ten seconds.
        log : path, optional
            File to which the losses, the learning rate and the speed are written as JSON lines. An earlier log of this
            name is replaced. `fastw2v.training_log.TrainingLog` describes the lines.
        checkpoint : path, optional
            New folder for checkpoints, from which `resume` continues an interrupted run. Checkpoints do not change the
            vectors.
        checkpoint_every : str or float
            Time between two checkpoints: a number of seconds, or a duration such as "30s", "10m" or "2h".
        replicas : int, optional
            Number of replicas of the model, for training on several machines or GPUs. Each replica trains its part of
            the corpus, and their changes are combined after each round. `workers` is the number of threads of a
            replica; by default, the processors are divided among the replicas. With ``device="cuda"``, each replica has
            a GPU (not tried on a GPU yet), and the vectors are NumPy arrays. With one thread for each
            replica, the result depends only on the corpus, the settings, `replicas` and `rounds`. docs/guide/cluster.md
            has more.
        rounds : int, optional
            Number of rounds over the whole training. More rounds give better vectors. By default, 30 for each pair of
            replicas, and at most 256, rounded up to a multiple of the number of epochs. Callbacks, validation and
            checkpoints wait for the end of a round.
        ray : str, optional
            Where the replicas run: "in-process" (in threads of this process), "local" (in processes that Ray starts on
            this machine; the default), or the address of a Ray cluster, such as "10.0.0.5:6379", or "auto" on one of
            its machines. On Ray, text that is given by its path is read by the tasks of the cluster. A `connect`
            connection is used and stays open.

        Returns
        -------
        Word2Vec
            The estimator itself.

        Raises
        ------
        OSError
            If a file does not exist or cannot be read, or the folder for checkpoints exists or cannot be created.
        TypeError
            If the type of the corpus is not supported, `init` is not WordVectors, or `freeze` is not a list of words.
        ValueError
            If no word reaches `min_count` or has a neighbour to train on, if the vocabulary has fewer than two words,
            or if the vectors in `init` have a different number of dimensions, include none of the words or are not
            finite. Also if `freeze` is empty, contains an unknown word or all words, or is "init" without `init`; if
            `validation` leaves nothing to train on or to measure; or if `log` is a file that is not a log.
        RuntimeError
            If the requested device or engine cannot be used. The message gives the reason.
        FloatingPointError
            If the loss or a trained weight becomes infinite or NaN.
        MemoryError
            If the run does not fit in memory. The error is raised before training starts, and its message names
            settings that would fit.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Word2Vec
        >>> _ = Path("corpus.txt").write_text("a b c b c c " * 10, encoding="utf-8")
        >>> model = Word2Vec(vector_size=4, negative=2).fit("corpus.txt")
        >>> model.wv.index_to_key, model.wv.vectors.shape
        (['c', 'b', 'a'], (3, 4))

        Train on a different corpus, starting from these vectors:

        >>> Word2Vec(vector_size=4, negative=2).fit([["b", "c", "d"]] * 10, init=model.wv).known_words_
        2

        Train only the new word, "d":

        >>> new = Word2Vec(vector_size=4, negative=2).fit([["b", "c", "d"]] * 10, init=model.wv, freeze="init")
        >>> bool((new.wv["b"] == model.wv["b"]).all())
        True

        Hold out a tenth of the sentences, and stop when their loss has not fallen three times in a row:

        >>> stopped = Word2Vec(vector_size=4, epochs=50).fit([["a", "b", "c"]] * 200, validation=0.1, patience=3)
        >>> words, loss = stopped.validation_history[-1]
        """
        _check_progress(progress)
        check_validation(validation, patience)
        freeze = check_freeze(freeze, init)
        lines = None if log is None else TrainingLog(log, words=0)
        checkpoints = _as_checkpoints(checkpoint, checkpoint_every, corpus, validation)
        replication = check_replication(replicas, rounds, ray)
        self._check_idle()
        self._check()
        with self._connected(replication) as connection:
            corpus = self._read(corpus, connection, _share(validation))
            corpus, frozen = self._prepare(
                corpus, init, freeze, checkpoints is not None, validation is not None, connection
            )
            if problem := _nothing_to_train(corpus):
                raise ValueError(problem)
            corpus, held_out = self._hold_out(corpus, validation)
            record = None if held_out is None else ValidationRecord({}, _share(validation), patience)
            config = self.config(corpus)
            self._train(corpus, config, progress, checkpoints, frozen, held_out, record, lines, connection)
        return self

    def transform(self, texts: Any) -> np.ndarray:
        """Return the mean of the word vectors of each text, for scikit-learn's pipelines.

        Parameters
        ----------
        texts : iterable of n strings, or of n lists of words
            A string is split at white space. Unknown words are ignored.

        Returns
        -------
        float array, shape (n, D)
            A NumPy array. The vector of a text without known words is zeros.

        Raises
        ------
        NotFittedError
            If the model has no vocabulary yet.
        TypeError
            If `texts` is a single string, such as a path, or a text is neither a string nor a list of words.

        See Also
        --------
        WordVectors.sentence_vectors : The same vectors on any device, and smooth inverse frequency.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, negative=1).fit([["a", "b"]] * 20)
        >>> model.transform([["a", "b", "a"], ["b"]]).shape
        (2, 4)
        """
        return to_host(self.wv.sentence_vectors(texts))

    def fit_transform(self, corpus: Any, y: Any = None, **fit_parameters: Any) -> np.ndarray:
        """Train on a corpus of token lists, and return the mean of the word vectors of each sentence.

        Parameters
        ----------
        corpus : iterable of n lists of words
        y
            Ignored. Present for compatibility with scikit-learn pipelines.
        **fit_parameters
            Passed to `fit`.

        Returns
        -------
        float array, shape (n, D)

        Raises
        ------
        TypeError
            If `corpus` is a path or another object that is not an iterable of texts.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(vector_size=4, negative=1).fit_transform([["a", "b"]] * 20).shape
        (20, 4)
        """
        check_items("corpus", corpus, "a list of token lists")
        if isinstance(corpus, Iterator):  # it can be read only once
            corpus = list(corpus)
        return self.fit(corpus, y, **fit_parameters).transform(corpus)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of `transform`, as in scikit-learn: object array, shape (D,).

        Parameters
        ----------
        input_features
            Ignored. Present for compatibility with scikit-learn.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=2, negative=1).fit([["a", "b"]] * 20)
        >>> model.get_feature_names_out().tolist()
        ['word2vec0', 'word2vec1']
        """
        name = type(self).__name__.lower()
        return np.array([f"{name}{i}" for i in range(self.wv.vector_size)], dtype=object)

    def connect(
        self, replicas: int, *, rounds: int | None = None, ray: str | None = None
    ) -> contextlib.AbstractContextManager[Connection]:
        r"""Return a context manager that connects to a cluster, for several calls or for options of the reading.

        Parameters
        ----------
        replicas, rounds, ray
            As for `fit`.

        Returns
        -------
        context manager of `fastw2v.distributed.connection.Connection`
            Pass the connection to `fit` or `train` as `ray`. Its method `read_text` reads text on the cluster, with the
            parameters of `Corpus.from_text`.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Word2Vec
        >>> _ = Path("corpus.txt").write_text("The cat\nThe dog\n" * 80, encoding="utf-8")
        >>> model = Word2Vec(vector_size=8)
        >>> with model.connect(replicas=2, ray="in-process") as connection:
        ...     text = connection.read_text("corpus.txt", lower=True)
        ...     model.fit(text, ray=connection).train(text, epochs=1, ray=connection).trained_epochs
        6
        """
        check_integer("replicas", replicas, minimum=1)
        self._check()
        replication = check_replication(replicas, rounds, ray)
        connection = self._connected(replication)
        return cast(contextlib.AbstractContextManager[Connection], connection)

    def build_vocab(self, corpus: Any, *, update: bool = False) -> Self:
        """Build the vocabulary of a corpus and initialise the weights, without training.

        Call `train` afterwards. `fit` performs both steps.

        Parameters
        ----------
        corpus
            As for `fit`.
        update : bool
            If True, add the words of the corpus to the existing vocabulary. Existing words keep their vectors, new
            words start from random vectors, and counts are summed. No word is removed: if `max_vocab` is set, only the
            most frequent new words that still fit are added, and the number of words left out is logged as a warning.
            The words are sorted by descending count again, so `wv` is replaced by a new object. The new counts give
            another Huffman tree, so the inner nodes of hierarchical softmax start again from zero.

        Returns
        -------
        Word2Vec
            The estimator itself.

        Raises
        ------
        TypeError, ValueError, RuntimeError, MemoryError
            As for `fit`. `NotFittedError` is raised if `update` is True and the model has no vocabulary yet.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, negative=1, min_count=1).build_vocab([["a", "b", "a"]])
        >>> model.wv.index_to_key
        ['a', 'b']
        >>> model.build_vocab([["b", "b", "c"]], update=True).wv.index_to_key
        ['b', 'a', 'c']
        """
        check_flags(update=update)
        self._check_idle()
        if update:
            self._extend_vocabulary(corpus)
        else:
            self._check()
            self._prepare(corpus)
        return self

    @explain_arguments("Word2Vec.train", INSTEAD)
    def train(
        self,
        corpus: Any,
        *,
        epochs: int | None = None,
        alpha: float | None = None,
        min_alpha: float | None = None,
        freeze: Iterable[Any] | None = None,
        validation: Any = None,
        patience: int | None = None,
        progress: ProgressFunction | None = None,
        log: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoints | None = None,
        checkpoint_every: str | float = CHECKPOINT_EVERY,
        replicas: int | None = None,
        rounds: int | None = None,
        ray: str | Connection | None = None,
    ) -> Self:
        """Continue training from the current weights.

        The vocabulary, its counts and the Huffman tree do not change. The random numbers differ from those of earlier
        epochs.

        Parameters
        ----------
        corpus
            As for `fit`. Words outside the vocabulary are left out. If no word has a neighbour then, a warning is
            logged, and the weights do not change.
        epochs : int, optional
            By default, the estimator's `epochs`.
        alpha, min_alpha : float, optional
            By default, the values that `fit` uses. A trained model keeps its CBOW gradient, whatever `alpha` is, unless
            `cbow_grad` is set. For a model that has not been trained yet, `alpha` changes the default of `cbow_grad` as
            in the constructor.
        freeze : sequence of words, optional
            Words that are not trained in this run: their rows of W_in and W_out, and so their vectors, keep their
            bytes, while other words are trained with them.
        validation, patience
            As for `fit`. A share holds out the sentences that `fit` holds out of the same corpus.
        log : path, optional
            As for `fit`. New lines are added to an earlier log of this model.
        progress, checkpoint, checkpoint_every, replicas, rounds, ray
            As for `fit`.

        Returns
        -------
        Word2Vec
            The estimator itself.

        Raises
        ------
        NotFittedError
            If the model has no vocabulary yet.
        ValueError
            If `corpus` is a Corpus with a different vocabulary, the model has no output matrix or no word counts,
            `vector_size` or `loss` was changed after the weights were initialised, or `freeze` is empty or contains an
            unknown word or all words.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, negative=1, epochs=1).fit([["a", "b"]] * 20)
        >>> model.train([["b", "a"]] * 20, epochs=2).trained_epochs
        3

        Add a word without changing the vectors of the others:

        >>> old = model.wv
        >>> model.build_vocab([["a", "b", "c"]] * 20, update=True).wv.index_to_key
        ['a', 'b', 'c']
        >>> _ = model.train([["a", "b", "c"]] * 20, freeze=old.index_to_key)
        >>> bool((model.wv["a"] == old["a"]).all())
        True
        """
        self._check_idle()
        _check_progress(progress)
        check_validation(validation, patience)
        if isinstance(freeze, str) and freeze == FREEZE_INIT:
            raise ValueError(f"freeze is {freeze!r}, which only fit supports; pass a list of words")
        given: dict[str, Any] = {"epochs": epochs, "alpha": alpha, "min_alpha": min_alpha}
        given["cbow_grad"] = self._gradient_to_keep()
        given = {name: value for name, value in given.items() if value is not None}
        self.config(**given)  # raises an error before the corpus is read
        frozen = _frozen_ids(check_freeze(freeze), self.wv.index_to_key)
        lines = self._continued_log(log, self.trained_words)
        checkpoints = _as_checkpoints(checkpoint, checkpoint_every, corpus, validation)
        replication = check_replication(replicas, rounds, ray)
        with self._connected(replication) as connection:
            corpus = self._encode(corpus, connection, _share(validation))
            if problem := _nothing_to_train(corpus):
                logger.warning("%s. The weights have not changed", problem)
                return self
            corpus, held_out = self._hold_out(corpus, validation)
            device = self.device_
            self._select_engine(connection)  # `engine` and `device` may have been set since the last run
            config = self.config(corpus, **given)
            wv = self.wv
            dtypes = {part.dtype for part in (wv.stored_input, wv.context_vectors, wv.node_vectors) if part is not None}
            elsewhere = is_numpy(storage(wv.stored_input)) is not (self.device_ == "cpu")
            if self.device_ != device or elsewhere or len(dtypes) > 1:  # the matrices can be assigned to
                wv._set_tables(*self._placed(wv), config.output_weight, config.loss)
            self._check_memory(
                corpus,
                config,
                wv.subwords,
                connection,
                checkpoints=checkpoints is not None,
                validation=held_out is not None,
                allocated=True,
            )
            record = None if held_out is None else ValidationRecord({}, _share(validation), patience)
            self._train(corpus, config, progress, checkpoints, frozen, held_out, record, lines, connection)
        return self

    @classmethod
    def resume(
        cls,
        folder: str | os.PathLike[str],
        corpus: Any = None,
        *,
        validation: Any = None,
        callbacks: Sequence[Callback] | None = (),
        progress: ProgressFunction | None = None,
        log: str | os.PathLike[str] | None = None,
        ray: str | Connection | None = None,
    ) -> Self:
        """Continue a run that was interrupted, from its last checkpoint, and return the trained model.

        With one worker, the result is the same, byte for byte, as that of a run without an interruption. The run goes
        on writing checkpoints to the folder. If the run is complete, its result is returned.

        Parameters
        ----------
        folder : str or path
            The folder that was passed to `fit` or `train` as `checkpoint`.
        corpus
            The corpus of the run. It can be omitted if the run was started with the path of a text or an encoded
            corpus, or is complete.
        validation
            The held-out corpus of the run. It can be omitted if the run was started with its path or with a share of
            the sentences.
        callbacks, progress, log
            As for the constructor and for `fit`. They are not stored in checkpoints. A log that was written after the
            last checkpoint is overwritten from there.
        ray : str, optional
            As for `fit`, for a run with replicas. By default, where it was started. The numbers of replicas and of
            rounds are those of the run. The number of threads is as well if it was 1.

        Returns
        -------
        Word2Vec

        Raises
        ------
        CheckpointError
            If the folder contains no usable checkpoint, or the corpus differs from that of the run.
        OSError
            If a file cannot be read.
        RuntimeError
            If the device or the engine of the run cannot be used on this machine.
        ValueError
            If `validation` is not what the run was started with, or `log` is a file that is not a log.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> def interrupt(event, model):
        ...     if event == "epoch_end" and model.trained_epochs == 2:
        ...         raise KeyboardInterrupt
        >>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 100
        >>> model = Word2Vec(vector_size=8, epochs=3, workers=1, callbacks=[interrupt])
        >>> try:
        ...     model.fit(sentences, checkpoint="run")
        ... except KeyboardInterrupt:
        ...     print("interrupted")
        interrupted
        >>> Word2Vec.resume("run", sentences).trained_epochs
        3
        """
        from fastw2v.checkpoint import CheckpointError, Checkpoints, check_fingerprint

        _check_progress(progress)
        if not isinstance(ray, Connection):
            check_replication(1, None, ray)
        checkpoints = Checkpoints.open(folder)
        with checkpoints.lock():
            pass  # raises an error before anything is read
        vectors = cls._vectors_class.load(checkpoints.latest(), format="safetensors")
        cls._check_supported(vectors, folder)
        settings = vectors.settings or {}
        run = Run.from_json(settings["checkpoint"])
        if run.validation is None and validation is not None:
            raise ValueError(f"validation is {quote(validation)}, but the run has no held-out text; omit it")
        if run.validation is not None and validation is not None and _share(validation) != run.validation.share:
            raise ValueError(
                f"validation is {quote(validation)}, but the run was started with "
                + ("a held-out corpus" if run.validation.share is None else f"validation={run.validation.share:g}")
                + "; pass the same value, or omit it"
            )
        if run.replicas is None and ray is not None:
            raise ValueError(f"ray is {quote(ray)}, but the run has no replicas; omit it")
        device, engine, _ = select_engine(
            settings["engine"], settings["device"], run.config.deterministic, settings.get("workers")
        )
        vocabulary = Vocabulary(vectors.index_to_key, np.asarray(vectors.counts))
        empty = Corpus(np.zeros(0, np.int32), np.zeros(1, np.int64), vocabulary)  # the corpus is read later
        estimate_memory(empty, run.config, device=device, engine=engine, subwords=vectors.subwords).check(fixed=True)
        model = cls._restore(vectors, settings["engine"], settings["device"])
        lines = model._continued_log(log, run.earlier_words + run.state.words)
        model.callbacks = callbacks
        model._check()
        if corpus is None and run.complete:
            model.wv.settings = model._settings(run.config, run)
            model._copy_to_host()
            return model
        W_in, W_out = model.wv._writable_tables()
        if vectors.input_vectors.dtype != W_in.dtype:  # float64 matrices are trained as they are
            W_in, W_out = (to_device(np.array(W), model.device_) for W in vectors._tables())
        best = checkpoints.best()
        best_vectors = None if best is None else cls._vectors_class.load(best, format="safetensors")
        del vectors  # and the combined vectors, which are not needed for training
        model.wv._set_tables(W_in, W_out, run.config.output_weight, run.config.loss)
        if corpus is None and checkpoints.corpus is not None:
            corpus = _source_of(checkpoints.corpus)
        if corpus is None:
            raise CheckpointError(
                f"the run in {folder} was not started with the path of a corpus; pass its corpus to resume"
            )
        with contextlib.ExitStack() as stack:
            connection = placed = None
            if (state := run.replicas) is not None:
                connection = stack.enter_context(reconnected(state, model.workers, IN_PROCESS if run.complete else ray))
                model._select_engine(connection)
            share = None if run.validation is None else run.validation.share
            corpus = model._encode(corpus, connection, share)
            held_out = None
            if run.validation is not None:
                if run.validation.share is not None:
                    validation = run.validation.share
                elif validation is None and checkpoints.validation is not None:
                    validation = _source_of(checkpoints.validation)
                elif validation is None:
                    raise CheckpointError(
                        f"the run in {folder} was not started with the path of a held-out corpus; pass its held-out "
                        "corpus to resume as validation"
                    )
                corpus, held_out = model._hold_out(corpus, validation)
            if connection is not None and state is not None:
                placed = connection.place(corpus, state)
            check_fingerprint(corpus, run.corpus, parts=None if placed is None else placed.parts)
            if held_out is not None and run.validation is not None:
                check_fingerprint(held_out, run.validation.corpus, "the held-out corpus")
            if run.complete:
                model.wv.settings = model._settings(run.config, run)
            else:
                validating = held_out is not None
                subwords = model.wv.subwords
                flags = {"checkpoints": True, "validation": validating, "allocated": True}
                model._check_memory(corpus, run.config, subwords, connection, **flags)
                Training(
                    model,
                    corpus,
                    run,
                    progress=progress,
                    checkpoints=checkpoints,
                    held_out=held_out,
                    best=best_vectors,
                    log=lines,
                    replicas=placed,
                ).train()
        model._copy_to_host()
        return model

    def _continued_log(self, log: str | os.PathLike[str] | None, words: int) -> TrainingLog | None:
        """Return the log to which the lines of a run are added that starts after `words` words."""
        measured = self.validation_history[-1][0] if self.validation_history else 0
        return None if log is None else TrainingLog(log, words, measured)

    def _gradient_to_keep(self) -> CbowGrad | None:
        """Return the CBOW gradient that the model was trained with, or None if it is not trained or another is set."""
        if self.cbow_grad is not None or self.wv.settings is None:
            return None
        return self.wv.settings.get("cbow_grad") if self.trained_epochs or self._interruptions else None

    def _check_idle(self) -> None:
        """Raise an error if a callback tries to train the model or to change its vocabulary."""
        if is_training(self):
            raise RuntimeError(
                "the model is being trained, so a callback or another thread cannot train it or change its vocabulary. "
                "Use another model, or wait until the training ends"
            )

    def _prepare(
        self,
        corpus: Any,
        init: WordVectors | None = None,
        freeze: list[Any] | Literal["init"] | None = None,
        checkpoints: bool = False,
        validation: bool = False,
        connection: Connection | None = None,
    ) -> tuple[Corpus | DistributedCorpus, list[int]]:
        """Choose the engine, read the corpus and initialise the weights. Return the corpus and the frozen words."""
        if init is not None:
            check_init(init, self.vector_size)
        self._select_engine(connection)
        logger.info("training on %s with the %s engine: %s", self.device_, self.engine_, self.report_)
        corpus = self._read(corpus, connection)
        self._warn_of_no_effect(corpus)
        size = len(corpus.vocabulary)
        if size < 2:
            remedy = "Use"
            if self.max_vocab == 1:
                remedy = "Raise max_vocab (now 1) or use"
            elif self.min_count > 1:
                remedy = f"Lower min_count (now {self.min_count}) or use"
            raise ValueError(
                f"the vocabulary has only one word, {quote(corpus.vocabulary.words[0])}, and training needs at least "
                f"two. {remedy} a larger corpus"
            )
        frozen = _frozen_ids(freeze, corpus.vocabulary.words, init)
        self.seed_ = secrets.randbits(32) if self.seed is None else int(self.seed)
        self.trained_epochs = 0
        self._interruptions = 0
        self.trained_words = 0
        self.loss_history = []
        self.epoch_losses = []
        self.validation_history = []
        self._initialize(corpus, init, checkpoints, validation, connection, bool(frozen))
        return corpus, frozen

    def _read(
        self, corpus: Any, connection: Connection | None, share: float | None = None
    ) -> Corpus | DistributedCorpus:
        """Return the corpus for the parameter `corpus` of `fit`, of which a share may be held out."""
        if isinstance(corpus, DistributedCorpus):
            if connection is None:
                raise TypeError(
                    "the corpus is on a cluster, so only replicas can train on it; pass the connection that has read "
                    "it as ray"
                )
            return corpus
        if connection is not None and connection.reads(corpus, share):
            return connection.read_text(corpus, self.min_count, max_vocab=self.max_vocab)
        return as_corpus(corpus, self.min_count, max_vocab=self.max_vocab)

    def _hold_out(
        self, corpus: Corpus | DistributedCorpus, validation: Any
    ) -> tuple[Corpus | DistributedCorpus, Corpus | None]:
        """Return the corpus to train on, and the held-out corpus for the parameter `validation` of `fit`."""
        if validation is None:
            return corpus, None
        with naming_validation():
            if (share := _share(validation)) is not None:
                if isinstance(corpus, DistributedCorpus):
                    raise ValueError(
                        "no sentences can be held out of a text that a cluster reads; pass the path of another text"
                    )
                counts = corpus.word_counts()
                corpus, held_out = corpus.split(share, self.seed_)
                lost = int(np.count_nonzero((counts > 0) & (corpus.word_counts() == 0)))
                if lost:
                    occurs, are = ("1 word occurs", "it is") if lost == 1 else (f"{lost:,} words occur", "they are")
                    logger.warning("%s only in sentences that are held out, so %s not trained", occurs, are)
            elif isinstance(validation, Corpus) and validation.vocabulary.words != corpus.vocabulary.words:
                raise ValueError(
                    "its vocabulary differs from that of the corpus. Pass its path or its sentences, or encode it with "
                    "counts=corpus.vocabulary and min_count=0"
                )
            else:
                held_out = self._encode(validation)
            for part in (corpus, held_out):
                if problem := _nothing_to_train(part):
                    raise ValueError(problem)
        return corpus, held_out

    def _warn_of_no_effect(self, corpus: Corpus | DistributedCorpus) -> None:
        """Log a warning for each parameter that was set but does not change the result."""
        if self.loss == "hs":
            only = "it has no effect on hierarchical softmax, only on negative sampling"
            if self.negative:
                logger.warning("negative is %s, but %s", self.negative, only)
            if self.ns_exponent != TrainingConfig.ns_exponent:
                logger.warning("ns_exponent is %s, but %s", self.ns_exponent, only)
        if self.model == "skipgram" and self.cbow_grad is not None:
            logger.warning("cbow_grad is %r, but it has no effect on skip-gram, only on CBOW", self.cbow_grad)
        if (self.workers or 1) > 1 and self.engine_ == "layers":
            logger.warning(
                "workers is %d, but it has no effect on the layers engine, whose arrays are computed with the threads "
                "of the array library",
                self.workers,
            )
        elif (self.workers or 1) > 1 and self.device_ != "cpu":
            logger.warning("workers is %d, but it has no effect on a GPU, unless it is 1", self.workers)
        counts = corpus.vocabulary.counts
        fixed = "because the corpus is already encoded, so its vocabulary is fixed. Set it when the corpus is encoded"
        if self.max_vocab is not None and len(counts) > self.max_vocab:
            logger.warning("max_vocab is %d, but it has no effect, %s", self.max_vocab, fixed)
        if self.min_count != MIN_COUNT and ((counts > 0) & (counts < self.min_count)).any():
            logger.warning("min_count is %d, but it has no effect, %s", self.min_count, fixed)

    def _warn_of_late_changes(self, parameters: dict[str, Any]) -> None:
        """Log a warning for each parameter that a callback has changed, and remove it from `parameters`."""
        for name, value in self.get_params().items():
            if name != "callbacks" and parameters.get(name, value) != value:
                logger.warning(
                    "a callback has set %s to %s, which has no effect until training is started again",
                    name,
                    quote(value),
                )
                del parameters[name]

    def _extend_vocabulary(self, corpus: Any) -> None:
        """Add the words and counts of a corpus to the vocabulary, and rows for new words to the weights."""
        self._check_idle()
        before = self._vocabulary()
        corpus = as_corpus(corpus, min_count=1)
        counts = dict(zip(before.words, before.counts.tolist(), strict=True))
        left_out = 0
        for word, count in zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True):
            if word in counts:
                counts[word] += count
            elif count >= self.min_count:  # in order of decreasing count
                if self.max_vocab is None or len(counts) < self.max_vocab:
                    counts[word] = count
                else:
                    left_out += 1
        if left_out:
            logger.warning("max_vocab is %d, so %d new words are left out; raise max_vocab", self.max_vocab, left_out)
        grown = Vocabulary.from_counts(counts, 0)
        self._initialize(Corpus(corpus.ids, corpus.offsets, grown), self.wv)  # `train` encodes the corpus again

    def _vocabulary(self) -> Vocabulary:
        """Return the vocabulary; raise an error if training cannot continue from the weights."""
        trained = self.wv._loss
        if trained is None or self.wv.counts is None:
            raise ValueError(
                "training cannot continue, because the vectors have no output matrix or no word counts. Load a model "
                "written by Word2Vec.save, or call fit()"
            )
        if self.loss != trained:
            needed = self._loss_parameters(trained)
            raise ValueError(
                f"the output matrix of the model is that of {needed}, but now {self._loss_parameters(self.loss)} is "
                f"set. Set {needed} to continue training, or call fit()"
            )
        if self.vector_size != (n := self.wv.vector_size):
            raise ValueError(
                f"vector_size is {self.vector_size}, but the model has vectors of {counted(n, 'dimension')}. Set "
                f"vector_size={n} to continue training, or call fit()"
            )
        ngrams = None if self.wv.subwords is None else self.wv.subwords.ngrams
        if ngrams != self._ngrams():
            raise ValueError(
                f"the model has {_described(ngrams)}, but {_described(self._ngrams())} are set. Set those of the model "
                "to continue training, or call fit()"
            )
        return Vocabulary(self.wv.index_to_key, np.asarray(self.wv.counts))

    def _loss_parameters(self, loss: Loss) -> str:
        """Return the parameters of the constructor that select a loss, for messages."""
        return f"loss={loss!r}"

    def _encode(self, source: Any, connection: Connection | None = None, share: float | None = None) -> Any:
        """Return a corpus, or a corpus on a cluster, encoded with the vocabulary of the weights.

        If the loss has a Huffman tree, the corpus has the counts of the weights as well, because they define the tree.
        """
        vocabulary = self._vocabulary()
        if connection is not None and connection.reads(source, share):
            source = connection.read_text(source, 0, counts=vocabulary)
        if isinstance(source, DistributedCorpus):
            source = self._read(source, connection)
            self._check_words(source, vocabulary)
            return replace(source, vocabulary=vocabulary) if self.loss != "ns" else source
        corpus = self._encode_words(source, vocabulary)
        if self.loss != "ns" and not np.array_equal(corpus.vocabulary.counts, vocabulary.counts):
            return Corpus(corpus.ids, corpus.offsets, vocabulary)
        return corpus

    def _encode_words(self, source: Any, vocabulary: Vocabulary) -> Corpus:
        """Return a corpus with the words of a vocabulary. If it is encoded already, its counts may be others."""
        if getattr(getattr(source, "dtype", None), "kind", "") in "iu" and hasattr(source, "ndim"):
            corpus = as_corpus(source)
            if corpus.vocabulary.words == vocabulary.words:  # the ids are already those of the rows
                return corpus
        try:
            corpus = source if isinstance(source, Corpus) else as_corpus(source, 0, counts=vocabulary)
        except NoKnownWordsError:
            return Corpus(np.zeros(0, np.int32), np.zeros(1, np.int64), vocabulary)
        self._check_words(corpus, vocabulary)
        return corpus

    def _check_words(self, corpus: Corpus | DistributedCorpus, vocabulary: Vocabulary) -> None:
        """Raise an error unless a corpus has the words of the model."""
        if corpus.vocabulary.words != vocabulary.words:
            raise ValueError(
                "the vocabulary of the corpus differs from that of the model. Pass the sentences themselves, or encode "
                "them with counts=Vocabulary(model.wv.index_to_key, model.wv.counts)"
            )

    def _select_engine(self, connection: Connection | None = None) -> None:
        # The tables of a run with replicas are NumPy arrays here, whatever the device of the replicas is.
        device = self.device if connection is None else "cpu"
        chosen = select_engine(self.engine, device, self.deterministic, self.workers)
        self.device_, self.engine_, self.report_ = chosen
        if connection is not None:
            self.report_ = connection.description

    def _replica_engine(self, ray: str) -> tuple[str, str]:
        """Return the engine and the device of a replica. A GPU must be asked for, because machines may differ."""
        if not self.device.startswith("cuda"):
            return select_engine(self.engine, "cpu", self.deterministic, self.workers).name, "cpu"
        if ray != IN_PROCESS and self.device != "cuda":
            raise ValueError(f"device is {self.device!r}, but each replica has a GPU of its own; set device='cuda'")
        return "layers" if self.engine == "layers" or self.deterministic else "fused", self.device

    def _replica_state(self, connection: Connection, epochs: int) -> ReplicaState:
        """Return the state of a run before its first round."""
        state = connection.state(epochs, *self._replica_engine(connection.replication.ray))
        if state.rounds < epochs:
            logger.warning(
                "rounds is %d, which is less than the %d epochs, so callbacks and validation wait for several epochs. "
                "Raise rounds",
                state.rounds,
                epochs,
            )
        return state

    def _connected(
        self, replication: Replication | Connection | None
    ) -> contextlib.AbstractContextManager[Connection | None]:
        """Return a context manager that connects to the cluster of a run, if it has replicas."""
        if replication is None:
            return contextlib.nullcontext()
        if isinstance(replication, Connection):
            if self.deterministic and replication.workers > 1:
                raise ValueError(
                    f"deterministic is True, but the replicas of the connection have {replication.workers} threads; "
                    "set workers=1 in the model that connects"
                )
            return contextlib.nullcontext(replication)
        engine, device = self._replica_engine(replication.ray)
        return connected(replication, 1 if self.deterministic else self.workers, engine, device)

    def _copy_to_host(self) -> None:
        """Copy the matrices to the host, unless the user has chosen a device.

        With ``device="auto"``, the type of the vectors does not depend on the machine.
        """
        if self.device == "auto" and self.device_ != "cpu":
            self.wv._copy_to_host()

    def _placed(self, vectors: WordVectors) -> tuple[Any, Any]:
        """Return copies of both matrices that the engine can train on its device."""
        loss, W_in = vectors._loss, vectors.input_vectors
        assert loss is not None
        shape = (len(vectors), vectors.vector_size)
        W_in, W_out = find_engine(self.engine_, self.device_).allocate(shape, self.device_, loss, W_in.shape[0])
        given = (vectors.input_vectors, vectors.context_vectors, vectors.node_vectors)
        with on_device_of(W_in):
            for W, values in zip((W_in, *output_parts(W_out, loss)), given, strict=True):
                if W is not None:
                    W[...] = to_device(values, self.device_)
        return W_in, W_out

    def _initialize(
        self,
        corpus: Corpus,
        init: WordVectors | None,
        checkpoints: bool = False,
        validation: bool = False,
        connection: Connection | None = None,
        frozen: bool = False,
    ) -> None:
        """Allocate weights for the vocabulary of a corpus, and initialise them from `init` or at random."""
        words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
        subwords = self._subwords_of(words, init)
        fitting = subwords is not None and init is not None and not init.has_subwords
        if init is not None and init.has_subwords != (subwords is not None):
            # Only its vectors can be used. With subwords, they do not contain W_out, and starting from W_out makes them
            # worse. But without it, other words would learn nothing from frozen words.
            outputs = (init.context_vectors, init.node_vectors) if frozen or not fitting else (None, None)
            init = WordVectors(init.index_to_key, init.vectors, init.counts, outputs[0], node_vectors=outputs[1])
        flags = {"checkpoints": checkpoints, "validation": validation, "fitting": fitting}
        self._check_memory(corpus, self.config(), subwords, connection, **flags)
        shape = (len(words), int(self.vector_size))
        rows = len(words) if subwords is None else subwords.n_rows
        W_in, W_out = find_engine(self.engine_, self.device_).allocate(shape, self.device_, self.loss, rows)
        context, nodes = output_parts(W_out, self.loss)
        uniform_weights(W_in, self.seed_)
        self.known_words_ = 0
        if init is not None:
            own = W_in if subwords is None or subwords.n_own_rows else None
            known = copy_known_rows(own, context, words, init, self.device_)
            self.known_words_ = len(known)
            if subwords is not None and fitting:
                logger.info("fitting the rows of n-grams to the vectors of %s", counted(self.known_words_, "word"))
                fit_ngram_rows(W_in, subwords.starts, subwords.rows, known, self.device_)
            elif subwords is not None and init.subwords is not None:
                first = init.subwords.n_own_rows
                W = init.stored_input
                copy_rows(W_in, subwords.n_own_rows, decoded_rows(W, first, len(W)), self.device_)
        if nodes is not None and init is not None and init.node_vectors is not None and _same_tree(init, words, counts):
            with on_device_of(nodes):
                nodes[...] = to_device(init.node_vectors, self.device_)
        self.corpus_count = corpus.n_sentences
        self.corpus_total_words = len(corpus)
        config = self.config(corpus)
        settings = self._settings(config)
        vectors = W_in if subwords is None else None
        self.wv = self._vectors_class(words, vectors, counts, settings=settings, input_vectors=W_in, subwords=subwords)
        self.wv._set_tables(W_in, W_out, config.output_weight, config.loss)

    def _ngrams(self) -> NGrams | None:
        """Return the n-grams that are set, or None without subwords."""
        config = self.config()
        if config.subwords is None:
            return None
        return NGrams(*config.subwords, config.bucket, config.hash_count, config.units)

    def _subwords_of(self, words: Sequence[Any], init: WordVectors | None) -> Subwords | None:
        """Return the rows of W_in for a vocabulary, or None without subwords. All rows of `init` are kept."""
        ngrams = self._ngrams()
        if ngrams is None:
            return None
        if init is None:
            return Subwords(words, ngrams)
        if init.subwords is None:
            if ngrams.hash_count is not None:
                raise ValueError(
                    "init has vectors of words alone, and with hash_count, words have no rows of their own. Omit "
                    "hash_count, or use an init with the same subwords"
                )
            return Subwords(words, ngrams)
        if init.subwords.ngrams != ngrams:
            raise ValueError(
                f"init has {_described(init.subwords.ngrams)}, but {_described(ngrams)} are set. Set those of init"
            )
        return Subwords(words, ngrams, buckets=init.subwords.buckets)

    def _train(
        self,
        corpus: Corpus | DistributedCorpus,
        config: TrainingConfig,
        progress: ProgressFunction | None,
        checkpoints: Checkpoints | None = None,
        frozen: Sequence[int] = (),
        held_out: Corpus | None = None,
        validation: ValidationRecord | None = None,
        log: TrainingLog | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Train the weights in place, except for the rows of the frozen words."""
        kept = kept_share(corpus.vocabulary.counts, config.sample)
        if kept < SMALL_SHARE:
            logger.warning(
                "subsampling with sample=%g drops about %.0f%% of the %d words in every epoch. Raise sample, or "
                "set sample=0, which keeps all words",
                config.sample,
                100 * (1 - kept),
                len(corpus),
            )
        rows = np.ones((1, 1))
        if frozen and config.loss == "ns":  # with hierarchical softmax, words learn from the inner nodes
            rows = to_host(self.wv.context_vectors)[np.asarray(frozen)]
        if zeros := np.count_nonzero(~rows.any(axis=1)):
            logger.warning(
                "the context vectors of %s are zero, so other words learn nothing from these words. Use an init that "
                "has context vectors, such as a model written by Word2Vec.save",
                counted(int(zeros), "frozen word"),
            )
        run = Run(
            config=replace(config, seed=self._run_seed()),
            state=TrainingState.at_start(config.epochs),
            earlier_words=self.trained_words,
            earlier_epochs=self.trained_epochs,
            earlier_losses=len(self.epoch_losses),
            corpus={},
            parameters=self._state()["parameters"],
            frozen=frozen,
            validation=validation,
            replicas=None if connection is None else self._replica_state(connection, config.epochs),
        )
        placed = None
        if connection is not None and run.replicas is not None:
            placed = connection.place(corpus, run.replicas)
        if checkpoints is not None:
            from fastw2v.checkpoint import fingerprint

            run = run._replace(corpus=fingerprint(corpus, None if placed is None else placed.parts))
            if held_out is not None and validation is not None:
                validation.corpus = fingerprint(held_out)
            tables = Tables(*map(to_host, self.wv._tables()))
            checkpoints.create(checkpoint_record(self, run, tables)())
        try:
            Training(
                self,
                corpus,
                run,
                progress=progress,
                checkpoints=checkpoints,
                held_out=held_out,
                log=log,
                replicas=placed,
            ).train()
        finally:
            self._copy_to_host()
        if not run.state.predictions.any():
            logger.warning(
                "nothing was trained, because subsampling with sample=%g dropped nearly all of the %d words, and no "
                "word had a neighbour left. Set sample=0, which keeps all words",
                config.sample,
                len(corpus),
            )

    def _n_workers(self) -> int | None:
        """Return the number of threads. On a GPU, return 1 if `workers` is 1, otherwise None."""
        threads = int(self.workers or 0) or (1 if self.deterministic else available_processors())
        return threads if self.device_ == "cpu" or self.workers == 1 else None

    def _run_seed(self) -> int:
        """Return the seed of the next run.

        It changes with `trained_epochs` and after each interruption, so that random numbers do not repeat.
        """
        if not self.trained_epochs and not self._interruptions:
            return self.seed_
        seed = rng.stream_key(self.seed_, rng.CONTINUED, self.trained_epochs)
        return rng.stream_key(seed, rng.CONTINUED, self._interruptions) if self._interruptions else seed

    def _notify(self, event: str) -> None:
        for callback in self.callbacks or ():
            if event in self._events(callback):
                callback(event, self)

    def _events(self, callback: Any) -> Iterable[str]:
        """Return the events of which a callback is notified."""
        return getattr(callback, "events", DEFAULT_EVENTS)

    def estimate(
        self,
        corpus: Any,
        *,
        measure: bool = True,
        replicas: int | None = None,
        rounds: int | None = None,
        ray: str | None = None,
        bandwidth: str | None = None,
    ) -> Estimate:
        """Estimate the memory and time that training on a corpus needs.

        Parameters
        ----------
        corpus
            As for `fit`. Text is read and counted.
        measure : bool
            Whether to measure the speed by training on the beginning of the corpus for one or two seconds. If False,
            the training time is not estimated.
        replicas, rounds, ray : optional
            As for `fit`. The attribute `replicas` of the result is the estimate for these replicas. With ``"local"``,
            Ray is not started.
        bandwidth : str, optional
            Bandwidth between two machines, such as "10Gbit". By default, it is measured between two nodes of the
            cluster, or 10 Gbit/s are assumed. Without `ray`, the replicas are planned for machines like this one, one
            for each replica.

        Returns
        -------
        Estimate

        Raises
        ------
        ValueError
            If `bandwidth` has no effect, or is not a bandwidth, or as for `fit`.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(vector_size=16).estimate([["a", "b"]] * 20, measure=False)
        >>> estimate.tokens, estimate.vocabulary
        (40, 2)
        >>> {item.name: item.bytes for item in estimate.items if item.name in ("W_in", "W_out")}
        {'W_in': 128, 'W_out': 128}
        """
        check_flags(measure=measure)
        replication = check_replication(replicas, rounds, ray)
        network = check_bandwidth(bandwidth, replication, ray)
        if replication is not None:
            return self._estimate_replicas(
                corpus, measure, replication, network, apart=network is not None and ray is None
            )
        self._select_engine()
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_vocab)
        subwords = self._subwords_of(corpus.vocabulary.words, None)
        estimate = self._estimate(corpus, self.config(), subwords)
        if not measure or estimate.problem():
            return estimate
        return replace(estimate, words_per_second=self._measure_speed(corpus))

    def _measure_speed(self, corpus: Corpus) -> float:
        """Train on the beginning of a corpus, and return the words per second."""
        if problem := _nothing_to_train(corpus):
            raise ValueError(problem)
        trial = type(self)(**self.get_params() | {"callbacks": ()})
        trial._prepare(corpus)  # once, so that the time to initialise the weights is not measured
        # A tiny learning rate cannot overflow. The gradient is kept, because its default depends on `alpha`.
        config = trial.config(corpus, epochs=1, alpha=1e-4, min_alpha=1e-4, cbow_grad=trial.config().cbow_grad)

        def train(tokens: int) -> None:
            trial._train(corpus_head(corpus, tokens), config, progress=lambda words, loss, alpha: None)

        return words_per_second(train, len(corpus))

    def _estimate_replicas(
        self, corpus: Any, measure: bool, given: Replication | Connection, network: float | None, apart: bool
    ) -> Estimate:
        """Return the estimate for one machine with all its processors, with that for replicas."""
        replication = given if isinstance(given, Replication) else given.replication
        engine, device = self._replica_engine(replication.ray)
        threads = 1 if self.deterministic else self.workers
        alone = type(self)(**self.get_params() | {"callbacks": (), "workers": 1 if self.deterministic else None})
        try:
            alone._select_engine()
        except RuntimeError:  # only the nodes have GPUs
            if device == "cpu":
                raise
            alone.set_params(device="cpu")
            alone._select_engine()
        corpus = as_corpus(corpus, self.min_count, max_vocab=self.max_vocab)
        subwords = self._subwords_of(corpus.vocabulary.words, None)
        single = alone._estimate(corpus, alone.config(), subwords)
        gpus = int(device != "cpu")
        bandwidth = None if network is None else (network, "given")
        with contextlib.ExitStack() as stack:
            if apart:
                workers, machines = threads or available_processors(), machines_like_this(replication)
            elif isinstance(given, Replication) and replication.ray in (IN_PROCESS, LOCAL):
                workers = threads_of_a_replica(replication, threads)
                machines = places(replication, workers, gpus)
            else:
                connection = given if isinstance(given, Connection) else stack.enter_context(self._connected(given))
                assert connection is not None
                workers = connection.workers
                machines = places(replication, workers, gpus, connection.cluster)
                bandwidth = bandwidth or measured_bandwidth(connection.cluster)
        estimate = functools.partial(
            estimate_replicas,
            corpus,
            replication=replication,
            places=machines,
            workers=workers,
            device=device,
            engine=engine,
            subwords=subwords,
            bandwidth=bandwidth,
        )
        found = estimate(single)
        if measure and not single.problem():
            speed = alone._measure_speed(corpus)
            single = replace(single, words_per_second=speed)
            on_gpus = device != "cpu"
            if on_gpus and alone.device_ == "cpu":
                return replace(single, replicas=found)  # the speed of a GPU cannot be measured here
            there = alone.device if on_gpus or alone.device_ == "cpu" else "cpu"
            one = type(self)(**self.get_params() | {"callbacks": (), "workers": workers, "device": there})
            one._select_engine()
            same = on_gpus or (one.device_ == alone.device_ and one._n_workers() == alone._n_workers())
            found = estimate(single, speeds=(speed if same else one._measure_speed(corpus), speed))
        return replace(single, replicas=found)

    def _estimate(
        self, corpus: Corpus | DistributedCorpus, config: TrainingConfig, subwords: Subwords | None, **what: bool
    ) -> Estimate:
        workers = self._n_workers() or 1
        if isinstance(corpus, DistributedCorpus):  # its text is not in the memory of this process
            corpus = Corpus(np.zeros(0, np.int32), np.zeros(1, np.int64), corpus.vocabulary)
        device, engine = self.device_, self.engine_
        return estimate_memory(corpus, config, device=device, engine=engine, workers=workers, subwords=subwords, **what)

    def _check_memory(
        self,
        corpus: Corpus | DistributedCorpus,
        config: TrainingConfig,
        subwords: Subwords | None,
        connection: Connection | None = None,
        **what: bool,
    ) -> None:
        """Raise MemoryError if a run does not fit. `what` are the flags of `estimate_memory`."""
        estimate = self._estimate(corpus, config, subwords, **what)
        if connection is None:
            estimate.check()
            return
        engine, device = self._replica_engine(connection.replication.ray)
        machines = places(connection.replication, connection.workers, int(device != "cpu"), connection.cluster)
        estimate_replicas(
            corpus,
            estimate,
            connection.replication,
            machines,
            workers=connection.workers,
            device=device,
            engine=engine,
            subwords=subwords,
        ).check()

    def _settings(self, config: TrainingConfig, run: Run | None = None) -> dict[str, Any]:
        """Return the settings that are stored with vectors trained as `config` says, so the run can be repeated."""
        settings = asdict(replace(config, seed=self.seed_))
        no_effect = set()
        if self.engine_ == "layers" or config.loss == "hs":
            no_effect |= {"pool_tokens", "pool_size", "tile"}
        if config.loss == "hs":
            no_effect |= {"negative", "ns_exponent"}
        if config.subwords is None:
            no_effect |= {"subwords", "bucket", "hash_count", "units"}
        settings = {name: value for name, value in settings.items() if name not in no_effect}
        if run is not None and run.frozen:
            settings["frozen"] = len(run.frozen)
        if run is not None and run.validation is not None and run.validation.losses:
            words, settings["validation_loss"] = run.validation.lowest
            settings["validation_words"] = run.earlier_words + words
        if self.validation_history:  # of this run and of earlier ones
            settings["validation_history"] = [[int(words), float(loss)] for words, loss in self.validation_history]
        return {name: plain_value(value) for name, value in settings.items()} | self._state()

    def _state(self) -> dict[str, Any]:
        """Return what a file stores about the estimator: its parameters and the progress of training."""
        given = {name: getattr(self, name) for name in Word2Vec._parameter_names()} | self.get_params()
        parameters = {name: given[name] for name in Word2Vec._parameter_names() if name not in _MACHINE}
        return {
            "min_count": int(self.min_count),
            "device": self.device_,
            "engine": self.engine_,
            "trained_epochs": self.trained_epochs,
            "trained_words": self.trained_words,
            "interruptions": self._interruptions,
            "corpus_count": self.corpus_count,
            "corpus_total_words": self.corpus_total_words,
            "known_words": self.known_words_,
            "parameters": {name: plain_value(value) for name, value in parameters.items()},
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file: both matrices, words, counts, settings and the loss history.

        `save` can also be called by a callback, or after training was interrupted.

        Parameters
        ----------
        path : str or path
            The format is safetensors, regardless of the suffix.

        Raises
        ------
        NotFittedError
            If the model has no vocabulary yet.
        OSError
            If the file cannot be written.

        See Also
        --------
        WordVectors.save : Write the vectors in other formats.

        Examples
        --------
        >>> from fastw2v import Word2Vec, WordVectors
        >>> model = Word2Vec(vector_size=4, negative=1).fit([["a", "b"]] * 20)
        >>> model.save("model.safetensors")
        >>> WordVectors.load("model.safetensors").index_to_key
        ['a', 'b']
        """
        from fastw2v import formats

        check_path("path", path)
        formats.write(replace(self.wv._record(), settings=self._saved_settings(self.config())), path, "safetensors")

    def _saved_settings(self, config: TrainingConfig) -> dict[str, Any]:
        """Return the settings that a model file stores."""
        # What was trained, then what has changed since, such as parameters that were set after training.
        settings = self._settings(config) | (self.wv.settings or {}) | self._state()
        settings["loss_history"] = [[int(words), float(loss)] for words, loss in self.loss_history]
        # JSON has no NaN, the loss of an epoch in which nothing was predicted.
        settings["epoch_losses"] = [None if math.isnan(loss) else loss for loss in self.epoch_losses]
        return settings

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model written by `save`.

        `train` continues from its weights. The device and the engine are chosen for the current machine. Callbacks are
        not stored.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If the file contains vectors but no model, or is damaged.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(vector_size=4, negative=1, epochs=2).fit([["a", "b"]] * 20).save("model.safetensors")
        >>> model = Word2Vec.load("model.safetensors")
        >>> model.train([["b", "a"]] * 20, epochs=1).trained_epochs
        3
        """
        from fastw2v.formats import FormatError
        from fastw2v.formats.content import recognise_content
        from fastw2v.formats.fileio import open_for_reading

        path = check_path("path", path)
        no_model = f"{path} contains vectors, not a model. Read it with WordVectors.load"
        if path.is_file():
            with open_for_reading(path) as (file, size):
                if recognise_content(file, size) not in ("safetensors", None):
                    raise ValueError(no_model)
        try:
            vectors = cls._vectors_class.load(path, format="safetensors")
        except FormatError as error:
            if Path(path).read_bytes()[:1] != b"\x80":
                raise
            raise FormatError(
                f"{path} is a pickle, probably written by gensim. "
                "Read its vectors with WordVectors.load(path, format='gensim')"
            ) from error
        if vectors._loss is None or vectors.counts is None or "model" not in (vectors.settings or {}):
            raise ValueError(no_model)
        cls._check_supported(vectors, path)
        try:
            model = cls._restore(vectors)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{path} is damaged: its settings are not those of a model; save it again") from error
        model._copy_to_host()
        model._interruptions += "checkpoint" in (vectors.settings or {})  # the run may have continued since
        return model

    @classmethod
    def _check_supported(cls, vectors: WordVectors, path: str | os.PathLike[str]) -> None:
        """Raise an error if this class cannot train the model in a file. This class can train all models."""

    @classmethod
    def _restore(cls, vectors: WordVectors, engine: EngineName = "auto", device: str = "auto") -> Self:
        """Return the model whose matrices and settings a file contains."""
        settings = {"output_weight": 0.0} | (vectors.settings or {})
        settings.pop("checkpoint", None)
        parameters = {"output_weight": 0.0} | settings.get("parameters", settings)
        model = cls._from_settings(parameters, settings)
        model.output_weight = parameters["output_weight"]
        for name in ("trained_epochs", "corpus_count", "corpus_total_words"):
            setattr(model, name, settings.get(name, 0))
        model.known_words_ = settings.get("known_words", 0)
        model.seed_ = settings["seed"]
        model.loss_history = [(words, loss) for words, loss in settings.pop("loss_history", [])]
        model.epoch_losses = [math.nan if loss is None else loss for loss in settings.pop("epoch_losses", [])]
        model.validation_history = [(words, loss) for words, loss in settings.get("validation_history", [])]
        model.trained_words = settings.get("trained_words", 0)
        model._interruptions = settings.get("interruptions", 0)
        model.engine, model.device = engine, device
        model._select_engine()
        W_in, W_out = model._placed(vectors)
        combined: Any = W_in
        if vectors.has_subwords:
            combined = None  # computed from W_in when it is needed
        elif vectors._has_input_vectors:
            combined = to_device(np.array(vectors.vectors), model.device_)
        words, counts, settings = vectors.index_to_key, vectors.counts, settings | model._state()
        model.wv = cls._vectors_class(
            words, combined, counts, settings=settings, input_vectors=W_in, subwords=vectors.subwords
        )
        assert vectors._loss is not None
        model.wv._set_output(W_out, vectors._loss)
        return model

    @classmethod
    def _from_settings(cls, parameters: dict[str, Any], settings: dict[str, Any]) -> Self:
        """Return an untrained model with the parameters in a file, except device and engine.

        `settings` are the completed settings of the last training.
        """
        names = set(cls._parameter_names()) - set(_MACHINE)
        if isinstance(parameters.get("subwords"), list):  # JSON has no tuples
            parameters = parameters | {"subwords": tuple(parameters["subwords"])}
        if parameters["model"] == "skipgram":  # the completed settings contain cbow_grad for every model
            names.discard("cbow_grad")
        if parameters.get("subwords") is None:  # without n-grams, `FastText` can have no buckets
            names.discard("bucket")
        return cls(**{name: value for name, value in parameters.items() if name in names})

    @classmethod
    @functools.cache
    def _parameter_names(cls) -> tuple[str, ...]:
        """Return the names of the constructor's parameters."""
        return tuple(inspect.signature(cls).parameters)

    @property
    def W_in(self) -> Any:  # noqa: N802
        """The input matrix, from which training continues: array, shape (V, D). A NumPy array is read-only.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, negative=1, output_weight=0).fit([["a", "b"]] * 20)
        >>> bool((model.W_in == model.wv.vectors).all())
        True
        """
        return self.wv.input_vectors

    @property
    def W_out(self) -> Any:  # noqa: N802
        """The output vectors of the words, ``wv.context_vectors``: array, shape (V, D). A NumPy array is read-only.

        It is None for the loss "hs". ``wv.node_vectors`` are the vectors that hierarchical softmax trains instead.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(vector_size=4, negative=1).fit([["a", "b"]] * 20).W_out.shape
        (2, 4)
        """
        return self.wv.context_vectors

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        chosen = {name: value for name, value in self.get_params().items() if value != defaults[name].default}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in chosen.items())})"

    def __sklearn_tags__(self) -> Any:
        """Return the estimator tags that scikit-learn needs. Only scikit-learn calls this method."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=False, string=True),
            requires_fit=True,
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters as a dictionary, as in scikit-learn.

        Parameters
        ----------
        deep : bool
            Ignored. Present for compatibility with scikit-learn.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec(window=3).get_params()["window"]
        3
        """
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters and return the estimator, as in scikit-learn. If one is refused, none is changed.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter does not exist or is outside its range.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> Word2Vec().set_params(window=3, model="skipgram")
        Word2Vec(model='skipgram', window=3)
        """
        known = self._parameter_names()
        for name in parameters:
            if name not in known:
                raise ValueError(unknown_parameter(name, known, type(self).__name__, self._instead))
        type(self)(**self.get_params() | parameters)  # raises an error before anything is changed
        for name, value in parameters.items():
            setattr(self, name, value)
        return self


def _described(ngrams: NGrams | None) -> str:
    """Return a description of n-grams for messages."""
    if ngrams is None:
        return "no n-grams"
    floret = "" if ngrams.hash_count is None else f" with hash_count={ngrams.hash_count}"
    return f"n-grams of {ngrams.min_n} to {ngrams.max_n} {ngrams.units} in {ngrams.bucket:,} buckets{floret}"


def _same_tree(vectors: WordVectors, words: Sequence[Any], counts: np.ndarray) -> bool:
    """Return whether vectors have the words and the counts of a vocabulary, and so the same Huffman tree."""
    return vectors.counts is not None and vectors.index_to_key == words and np.array_equal(vectors.counts, counts)


def _share(validation: Any) -> float | None:
    """Return the parameter `validation` of `fit` if it is a share of the sentences, otherwise None."""
    return float(validation) if isinstance(validation, (float, np.floating)) else None


def _as_checkpoints(checkpoint: Any, every: Any, corpus: Any, validation: Any) -> Checkpoints | None:
    """Return the checkpoints for the parameters of `fit`, with the paths of the corpora that have some.

    The command line passes `Checkpoints`, which also store where to write the vectors.
    """
    parse_duration("checkpoint_every", every)
    if checkpoint is None:
        return None
    from fastw2v.checkpoint import Checkpoints

    checkpoints = checkpoint if isinstance(checkpoint, Checkpoints) else Checkpoints(checkpoint, every)
    checkpoints.check_new()
    checkpoints.corpus = checkpoints.corpus or _paths_of(corpus)
    checkpoints.validation = checkpoints.validation or _paths_of(validation)
    return checkpoints


def _paths_of(corpus: Any) -> list[str] | None:
    """Return the paths and URLs of a corpus, or None if it is not given by them."""
    from fastw2v.checkpoint import corpus_paths

    one = isinstance(corpus, (str, os.PathLike, Sources))
    several = (
        isinstance(corpus, (list, tuple)) and bool(corpus) and all(isinstance(path, os.PathLike) for path in corpus)
    )
    return corpus_paths(expand_files(corpus)) if one or several or has_url(corpus) else None


def _source_of(paths: Sequence[str]) -> Any:
    """Return the source of a corpus: the path of an encoded corpus, or the paths and URLs of texts."""
    if has_url(paths):
        return list(paths)
    found = [Path(path) for path in paths]
    return found[0] if len(found) == 1 else found


def _nothing_to_train(corpus: Corpus | DistributedCorpus) -> str | None:
    """Return why no word of a corpus can be trained, or None if there are two words in a sentence."""
    if not len(corpus):
        return (
            f"no word of the corpus is in the vocabulary of {len(corpus.vocabulary)} words, whose first word is "
            f"{quote(corpus.vocabulary.words[0])}, so nothing can be trained"
        )
    if len(corpus) > corpus.n_sentences or corpus.lengths[2:].any():
        return None
    return (
        f"nothing can be trained, because no word has a neighbour: each of the {len(corpus)} sentences has one word. "
        "Put the words of a sentence in one list, or on one line of a text. Words rarer than min_count, or not "
        "in the vocabulary, do not count"
    )


def _check_progress(progress: Any) -> None:
    if progress is not None:
        check_callable("progress", progress, "a function of the number of words, the loss and alpha")


def check_init(init: WordVectors, vector_size: int) -> None:
    """Raise an error unless `init` is WordVectors with `vector_size` dimensions.

    Raises
    ------
    TypeError
        If `init` is not WordVectors.
    ValueError
        If the number of dimensions of `init` differs from `vector_size`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.word2vec import check_init
    >>> check_init(WordVectors(["cat"], np.ones((1, 300))), vector_size=100)
    Traceback (most recent call last):
        ...
    ValueError: init has vectors of 300 dimensions, but vector_size is 100; set vector_size=300
    """
    if not isinstance(init, WordVectors):
        raise TypeError(f"init is {quote(init)}; pass WordVectors, for example from WordVectors.load(path)")
    if init.vector_size != vector_size:
        raise ValueError(
            f"init has vectors of {counted(init.vector_size, 'dimension')}, but vector_size is {vector_size}; "
            f"set vector_size={init.vector_size}"
        )


def check_freeze(freeze: Any, init: WordVectors | None = None) -> list[Any] | Literal["init"] | None:
    """Return the parameter `freeze` of `Word2Vec.fit`, with its words as a list.

    Raises
    ------
    TypeError
        If `freeze` is neither a string nor an iterable of words.
    ValueError
        If `freeze` is empty, a string other than "init", or "init" without `init`.

    Examples
    --------
    >>> from fastw2v.word2vec import check_freeze
    >>> check_freeze(("cat", "dog"))
    ['cat', 'dog']
    >>> check_freeze("init")
    Traceback (most recent call last):
        ...
    ValueError: freeze is 'init', but there are no initial vectors; set init, or freeze a list of words
    """
    if freeze is None:
        return None
    if isinstance(freeze, str):
        if freeze != FREEZE_INIT:
            raise ValueError(f"freeze is {quote(freeze)}; it must be a list of words, or {FREEZE_INIT!r}")
        if init is None:
            raise ValueError(
                f"freeze is {freeze!r}, but there are no initial vectors; set init, or freeze a list of words"
            )
        return FREEZE_INIT
    check_items("freeze", freeze, f"a list of words, or {FREEZE_INIT!r}")
    words = list(freeze)
    if not words:
        raise ValueError("freeze contains no word; omit it to train all words")
    return words


def _frozen_ids(
    freeze: list[Any] | Literal["init"] | None, words: Sequence[Any], init: WordVectors | None = None
) -> list[int]:
    """Return the ids of the words that `check_freeze` returned, in ascending order."""
    if freeze is None:
        return []
    if freeze == FREEZE_INIT:
        assert init is not None
        frozen = [i for i, word in enumerate(words) if word in init.key_to_index]
    else:
        ids = {word: i for i, word in enumerate(words)}
        unknown = [word for word in freeze if not isinstance(word, Hashable) or word not in ids]
        if unknown:
            raise ValueError(
                f"freeze contains {counted(len(unknown), 'word')} that the vocabulary of {len(words):,} words does not "
                f"have: {quote(unknown)}. Remove them from the list. Words rarer than min_count are not in the "
                "vocabulary"
            )
        frozen = sorted({ids[word] for word in freeze})
    if len(frozen) == len(words):
        reason = "freeze is 'init', and init" if freeze == FREEZE_INIT else "freeze"
        raise ValueError(
            f"{reason} contains all {len(words):,} words of the vocabulary, so nothing can be trained; freeze fewer "
            "words"
        )
    return frozen
