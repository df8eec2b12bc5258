"""`FastText` and `FastTextKeyedVectors` with the interface of gensim 4.4, and the functions for files of fastText.

``docs/migrate/gensim.md`` lists the differences from gensim.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np

from fastw2v import formats
from fastw2v.backend import get_device, get_namespace
from fastw2v.compat.fasttext import MAX_N, MIN_N
from fastw2v.compat.gensim.keyed_vectors import KeyedVectors
from fastw2v.compat.gensim.word2vec import Word2Vec
from fastw2v.config import (
    AUTO,
    BUCKET,
    EPOCHS,
    MIN_COUNT,
    NEGATIVE,
    CbowGrad,
    TrainingConfig,
    check_integer,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.engines.selection import EngineName
from fastw2v.utils.checks import check_items, check_path, check_type, explain_arguments
from fastw2v.utils.encodings import check_encoding
from fastw2v.utils.quote import quote
from fastw2v.vectors.keys import Key
from fastw2v.vectors.normalize import read_only
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["FastText", "FastTextKeyedVectors", "load_facebook_model", "load_facebook_vectors", "save_facebook_model"]

log = logging.getLogger("fastw2v")

_COMPUTED = "omit the call, because the vectors are always those of the current rows"
_LOCKED = "use the parameter freeze of fastw2v.Word2Vec.train, which keeps the vectors of words"
_INSTEAD = {
    "size": "use vector_size, its name since gensim 4",
    "iter": "use epochs, its name since gensim 4",
    "model": "use sg=1 for model='skipgram', or sg=0 for model='cbow'",
    "loss": "use hs=0 for loss='ns', hs=1 and negative=0 for loss='hs', or hs=1 for loss='hs+ns'",
    "max_vocab": "use max_final_vocab",
    "subwords": "use min_n and max_n",
    "hash_count": "use fastw2v.Word2Vec for the tables of floret",
    "units": "use fastw2v.Word2Vec for n-grams of syllables and of jamo",
    **{"minn": "use min_n", "maxn": "use max_n", "dim": "use vector_size", "ws": "use window", "lr": "use alpha"},
    **{"minCount": "use min_count", "neg": "use negative", "epoch": "use epochs", "thread": "use workers"},
    "wordNgrams": "use word_ngrams",
    "compute_loss": "omit it, because the loss is always computed",
}
"""What to use instead of the parameter names of gensim 3, of `fastw2v.Word2Vec` and of fastText."""
_ATTRIBUTES = {
    **dict.fromkeys(("min_n", "max_n", "bucket"), "the vectors have no n-grams"),
    **dict.fromkeys(("adjust_vectors", "recalc_char_ngram_buckets", "init_post_load"), _COMPUTED),
    **dict.fromkeys(("vectors_vocab_lockf", "vectors_ngrams_lockf"), _LOCKED),
    "num_ngram_vectors": "use bucket",
    "syn0_vocab": "use vectors_vocab",
    "syn0_ngrams": "use vectors_ngrams",
}


class FastTextKeyedVectors(KeyedVectors):
    """Words and their vectors, and the rows of n-grams, from which words outside the vocabulary get vectors.

    As in gensim, every string has a vector if there are n-grams. It is zero for a string without n-grams, such as the
    empty string. Set ``kv.strict = True`` to treat all words outside the vocabulary as unknown.

    Parameters
    ----------
    words, vectors, counts, context_vectors, settings, input_vectors, node_vectors, subwords
        See `WordVectors`. gensim's ``FastTextKeyedVectors(vector_size, min_n, max_n, bucket)``, which creates an empty
        object to which vectors are added, is not supported.

    Examples
    --------
    >>> from fastw2v.compat.gensim import FastText
    >>> sentences = [["singing", "ringing"], ["sing", "ring"]] * 20
    >>> kv = FastText(sentences, vector_size=4, negative=1, bucket=1000).wv
    >>> "swinging" in kv, "swinging" in kv.key_to_index
    (True, False)
    >>> kv["swinging"].shape
    (4,)
    """

    compatible_hash = True
    """gensim's name for n-grams that are hashed as in fastText. They always are."""

    def __contains__(self, word: object) -> bool:
        return super().__contains__(word) or (
            self.has_subwords and not self.strict and isinstance(word, str) and _is_text(word)
        )

    def __getattr__(self, name: str) -> Any:
        """Raise an error that names the replacement of an attribute of gensim that is missing."""
        if name in _ATTRIBUTES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}; {_ATTRIBUTES[name]}")
        return super().__getattr__(name)

    def get_vector(self, word: Key, norm: bool = False) -> Any:
        """Return the vector of a word, scaled to unit length if `norm` is true.

        Parameters
        ----------
        word : str or int
        norm : bool

        Returns
        -------
        array, shape (D,)
            Zeros for a word outside the vocabulary without n-grams, even if `norm` is true.

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary, and there are no n-grams.
        TypeError
            If `word` is not a string.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000).wv
        >>> kv.get_vector("singing").shape, kv.get_vector("").tolist()
        ((4,), [0.0, 0.0, 0.0, 0.0])
        """
        return WordVectors.get_vector(self, word, norm)  # whose parameter has the same name

    def get_sentence_vector(self, sentence: Iterable[Key]) -> Any:
        """Return the mean of the unit vectors of the words of a sentence, like ``get_mean_vector(sentence)``.

        Parameters
        ----------
        sentence : iterable of str or int

        Returns
        -------
        float array, shape (D,)

        Raises
        ------
        TypeError
            If `sentence` is not a list of words.
        ValueError
            If there are no words.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000).wv
        >>> bool((kv.get_sentence_vector(["sing", "along"]) == kv.get_mean_vector(["sing", "along"])).all())
        True
        """
        check_items("sentence", sentence, "a list of words")
        return self.get_mean_vector(sentence)

    @property
    def min_n(self) -> int:
        """The number of characters of the shortest n-grams, or 0 without n-grams.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, min_n=4, bucket=1000).wv
        >>> kv.min_n, kv.max_n, kv.bucket
        (4, 6, 1000)
        """
        return 0 if self.subwords is None else self.subwords.ngrams.min_n

    @property
    def max_n(self) -> int:
        """The number of characters of the longest n-grams, or 0 without n-grams.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, max_n=0).wv.max_n
        0
        """
        return 0 if self.subwords is None else self.subwords.ngrams.max_n

    @property
    def bucket(self) -> int:
        """The number of buckets to which n-grams are hashed, or 0 without n-grams.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, max_n=0).wv.bucket
        0
        """
        return 0 if self.subwords is None else self.subwords.ngrams.bucket

    @property
    def vectors_vocab(self) -> Any:
        """The rows of the words themselves: array, shape (V, D). A NumPy array is read-only.

        Without n-grams, they are `vectors`.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000).wv
        >>> kv.vectors_vocab.shape
        (2, 4)
        """
        rows = len(self) if self.subwords is None else self.subwords.n_own_rows
        return self.input_vectors[:rows, :]

    @property
    def vectors_ngrams(self) -> Any:
        """The rows of the buckets: array, shape (bucket, D). A NumPy array is read-only.

        A bucket that no n-gram of the vocabulary needs has no row in `input_vectors`. It is zero here, and random in
        gensim. Unless all buckets have a row, each access makes a new array, which may be large.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000).wv
        >>> kv.vectors_ngrams.shape
        (1000, 4)
        >>> sing = kv.vectors_vocab[0] + kv.vectors_ngrams[kv.buckets_word[0]].sum(axis=0)
        >>> bool(abs(kv["sing"] - sing / (1 + len(kv.buckets_word[0]))).max() < 1e-6)
        True
        """
        W_in = self.input_vectors
        if self.subwords is None:
            return W_in[:0, :]
        rows, buckets = W_in[self.subwords.n_own_rows :, :], self.subwords.buckets
        if np.array_equal(buckets, np.arange(self.bucket)):
            return rows
        xp, device = get_namespace(W_in), get_device(W_in)
        index = np.full(self.bucket, len(buckets))
        index[buckets] = np.arange(len(buckets))
        rows = xp.concat([rows, xp.zeros((1, self.vector_size), dtype=W_in.dtype, device=device)], axis=0)
        return read_only(xp.take(rows, xp.asarray(index, device=device), axis=0))

    @property
    def buckets_word(self) -> list[np.ndarray]:
        """The buckets of the n-grams of each word of the vocabulary: list of V uint32 arrays.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> kv = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, min_n=5, bucket=1000).wv
        >>> [buckets.tolist() for buckets in kv.buckets_word]  # of <sing, sing> and <sing>, and so on
        [[...], [...]]
        """
        if self.subwords is None:
            return [np.zeros(0, np.uint32)] * len(self)
        starts, rows, own = self.subwords.starts, self.subwords.rows, self.subwords.n_own_rows
        ngrams = rows >= own
        buckets = self.subwords.buckets[rows[ngrams] - own].astype(np.uint32)
        ends = np.cumsum(np.append(0, ngrams))[starts[1:-1]]
        return np.split(buckets, ends)


class FastText(Word2Vec):
    """Word2vec estimator with subwords and gensim's constructor of `FastText`.

    The vector of a word is the mean of its own row and of the rows of its character n-grams, as in fastText. Parameters
    have the same names, order and meaning as in gensim. Values that would change the result but are not supported raise
    ValueError.

    Parameters
    ----------
    sentences, corpus_file, sg, hs, vector_size, alpha, window, min_count, max_vocab_size
        See `Word2Vec`.
    word_ngrams : {1}
        Only words themselves are trained.
    sample : float or "auto"
        See `fastw2v.Word2Vec`. The default is 0.0001, as in fastText, for vocabularies of more than 10,000 words.
    seed, workers, min_alpha, negative, ns_exponent, cbow_mean, hashfxn, epochs, null_word
        See `Word2Vec`.
    min_n, max_n : int
        Numbers of characters of the shortest and the longest n-grams. If `max_n` is 0 or less than `min_n`, there are
        no n-grams.
    sorted_vocab : {1}
        The words are always sorted by descending count.
    bucket : int
        Number of buckets to which the n-grams are hashed. Only buckets with an n-gram of the vocabulary need memory. If
        it is 0, there are no n-grams.
    trim_rule, batch_words, callbacks, max_final_vocab, shrink_windows, cbow_grad, device, engine, deterministic
        See `Word2Vec`.

    Attributes
    ----------
    wv : FastTextKeyedVectors
        The word vectors. They are random after `build_vocab`, and trained after `fit` or `train`.
    syn1, syn1neg : array, shape (V, D)
        See `Word2Vec`.
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

    References
    ----------
    Bojanowski et al., "Enriching word vectors with subword information", TACL 5, 2017.

    Examples
    --------
    >>> from fastw2v.compat.gensim import FastText
    >>> sentences = [["she", "was", "singing"], ["he", "was", "ringing"]] * 50
    >>> model = FastText(sentences, vector_size=8, negative=2, min_n=3, max_n=5, bucket=5000)
    >>> model.wv["singing"].shape, model.wv["singer"].shape
    ((8,), (8,))
    """

    wv: FastTextKeyedVectors

    _vectors_class = FastTextKeyedVectors
    _instead = _INSTEAD

    @explain_arguments("FastText", _INSTEAD)
    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | os.PathLike[str] | None = None,
        sg: int = 0,
        hs: int = 0,
        vector_size: int = TrainingConfig.vector_size,
        alpha: float | None = TrainingConfig.alpha,
        window: int = TrainingConfig.window,
        min_count: int = MIN_COUNT,
        max_vocab_size: int | None = None,
        word_ngrams: int = 1,
        sample: float | Literal["auto"] = AUTO,
        seed: int | None = TrainingConfig.seed,
        workers: int | None = None,
        min_alpha: float = TrainingConfig.min_alpha,
        negative: int = NEGATIVE[TrainingConfig.quality],
        ns_exponent: float = TrainingConfig.ns_exponent,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = EPOCHS[TrainingConfig.quality],
        null_word: int = 0,
        min_n: int = MIN_N,
        max_n: int = MAX_N,
        sorted_vocab: int = 1,
        bucket: int = BUCKET,
        trim_rule: Any = None,
        batch_words: int = 10_000,
        callbacks: Sequence[Any] | None = (),
        max_final_vocab: int | None = None,
        shrink_windows: bool = TrainingConfig.shrink_windows,
        *,
        cbow_grad: CbowGrad | None = TrainingConfig.cbow_grad,
        device: str = "auto",
        engine: EngineName = "auto",
        deterministic: bool = TrainingConfig.deterministic,
    ) -> None:
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.bucket = bucket
        self._check_ngrams()
        super().__init__(
            sentences=sentences,
            corpus_file=corpus_file,
            sg=sg,
            hs=hs,
            vector_size=vector_size,
            alpha=alpha,
            window=window,
            min_count=min_count,
            max_vocab_size=max_vocab_size,
            sample=sample,
            seed=seed,
            workers=workers,
            min_alpha=min_alpha,
            negative=negative,
            ns_exponent=ns_exponent,
            cbow_mean=cbow_mean,
            hashfxn=hashfxn,
            epochs=epochs,
            null_word=null_word,
            sorted_vocab=sorted_vocab,
            trim_rule=trim_rule,
            batch_words=batch_words,
            callbacks=callbacks,
            max_final_vocab=max_final_vocab,
            shrink_windows=shrink_windows,
            cbow_grad=cbow_grad,
            device=device,
            engine=engine,
            deterministic=deterministic,
        )

    @property
    def subwords(self) -> tuple[int, int] | None:
        """The sizes of the n-grams that are trained, as in `fastw2v.Word2Vec`, or None if there are no n-grams.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> FastText().subwords, FastText(max_n=0).subwords, FastText(bucket=0).subwords
        ((3, 6), None, None)
        """
        shortest = max(self.min_n, 1)
        return (shortest, self.max_n) if shortest <= self.max_n and self.bucket else None

    @subwords.setter
    def subwords(self, subwords: tuple[int, int] | None) -> None:
        if subwords != self.subwords:
            self.min_n, self.max_n = (self.min_n, 0) if subwords is None else subwords

    def config(self, corpus: Corpus | DistributedCorpus | None = None, **changes: Any) -> TrainingConfig:
        """Return the checked training settings, as `fastw2v.Word2Vec.config` does.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText
        >>> FastText(min_n=2).config().subwords
        (2, 6)
        """
        return super().config(corpus, **{"bucket": self.bucket or BUCKET} | changes)

    def _check_ngrams(self) -> None:
        for name in ("min_n", "max_n", "bucket"):
            check_integer(name, getattr(self, name), minimum=0)
        check_integer("word_ngrams", self.word_ngrams, minimum=1)
        if self.word_ngrams != 1:
            raise ValueError(
                f"word_ngrams is {self.word_ngrams}, but n-grams of words are not supported; use word_ngrams=1"
            )

    def _check(self) -> None:
        self._check_ngrams()
        super()._check()

    @classmethod
    def _check_supported(cls, vectors: WordVectors, path: str | os.PathLike[str]) -> None:
        if vectors.subwords is not None and not vectors.subwords.ngrams.of_fasttext:
            super()._check_supported(vectors, path)

    @classmethod
    def _from_settings(cls, parameters: dict[str, Any], settings: dict[str, Any]) -> Self:
        sizes = parameters.get("subwords")
        own = {"max_n": 0} if sizes is None else dict(zip(("min_n", "max_n"), sizes, strict=True))
        return super()._from_settings(parameters | own, settings)

    @classmethod
    def load_fasttext_format(cls, model_file: str | os.PathLike[str], encoding: str = "utf8") -> FastText:
        """Read a model of fastText. Use `load_facebook_model` in new programs.

        Examples
        --------
        >>> from fastw2v.compat.gensim import FastText, save_facebook_model
        >>> model = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000)
        >>> save_facebook_model(model, "model.bin")
        >>> FastText.load_fasttext_format("model.bin").wv.index_to_key
        ['sing', 'ring']
        """
        check_path("model_file", model_file)
        return load_facebook_model(model_file, encoding)


def load_facebook_model(path: str | os.PathLike[str], encoding: str = "utf-8") -> FastText:
    """Read a model of fastText (``.bin``), whose training can be continued.

    Parameters
    ----------
    path : str or path
        A file that is compressed with gzip, bzip2, xz or zstd is decompressed.
    encoding : str
        Encoding of the words. The n-grams of fastText are those of the bytes in the file, so with an encoding other
        than UTF-8, the model has the vectors of the words, but no n-grams, and a warning is logged.

    Returns
    -------
    FastText
        Both matrices are in memory. Words that are not in `encoding` contain surrogate escapes (see PEP 383).

    Raises
    ------
    FormatError
        If the file is damaged, or not a model of fastText that is supported.
    ValueError
        If the training cannot be continued, because it was supervised or used the softmax loss.
    OSError
        If the file cannot be opened.

    See Also
    --------
    load_facebook_vectors : Read the vectors alone, which are mapped into memory.

    Examples
    --------
    >>> from fastw2v.compat.gensim import FastText, load_facebook_model, save_facebook_model
    >>> sentences = [["sing", "ring"]] * 20
    >>> save_facebook_model(FastText(sentences, vector_size=4, negative=1, bucket=1000), "model.bin")
    >>> model = load_facebook_model("model.bin")
    >>> model.build_vocab([["ring", "bring"]] * 20, update=True)
    >>> _ = model.train([["ring", "bring"]] * 20, total_examples=20, epochs=2)
    >>> model.wv.index_to_key
    ['ring', 'sing', 'bring']
    """
    vectors = load_facebook_vectors(path, encoding)
    settings = vectors.settings or {}
    arguments = settings["fasttext"]
    if vectors._loss is None:
        how = "for classification" if arguments["model"] == "supervised" else f"with the loss {arguments['loss']}"
        raise ValueError(
            f"{path}: the model was trained {how}, which is not supported, so training cannot be continued; use "
            "load_facebook_vectors"
        )
    ngrams = None if vectors.subwords is None else vectors.subwords.ngrams
    parameters = {
        "model": arguments["model"],
        "loss": vectors._loss,
        "vector_size": vectors.vector_size,
        "window": arguments["ws"],
        "min_count": arguments["minCount"],
        "negative": arguments["neg"],
        "sample": arguments["t"],
        "epochs": arguments["epoch"],
        "subwords": None if ngrams is None else (ngrams.min_n, ngrams.max_n),
    } | ({} if ngrams is None else {"bucket": ngrams.bucket})
    total = 0 if vectors.counts is None else int(vectors.counts.sum())
    vectors.settings = settings | {
        "seed": TrainingConfig.seed,
        "parameters": parameters,
        "trained_epochs": arguments["epoch"],
        "trained_words": arguments["epoch"] * total,
        "corpus_total_words": total,
    }
    try:
        model = FastText._restore(vectors)
    except ValueError as error:
        raise formats.FormatError(f"{path}: cannot read this fastText model: {error}") from error
    model._copy_to_host()
    return model


def load_facebook_vectors(path: str | os.PathLike[str], encoding: str = "utf-8") -> FastTextKeyedVectors:
    """Read the vectors of a model of fastText (``.bin``).

    Parameters
    ----------
    path, encoding
        See `load_facebook_model`.

    Returns
    -------
    FastTextKeyedVectors
        The rows of words and n-grams are mapped into memory: they are read-only and are loaded from disk when they are
        used.

    Raises
    ------
    FormatError
        If the file is damaged, or not a model of fastText that is supported.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from fastw2v.compat.gensim import FastText, load_facebook_vectors, save_facebook_model
    >>> model = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000)
    >>> save_facebook_model(model, "model.bin")
    >>> kv = load_facebook_vectors("model.bin")
    >>> bool((kv["sing"] == model.wv["sing"]).all()), "singing" in kv
    (True, True)
    """
    check_path("path", path)
    kv = FastTextKeyedVectors.load(path, format="fasttext", errors="surrogateescape", encoding=encoding)
    arguments = (kv.settings or {}).get("fasttext")
    if not isinstance(arguments, dict):
        raise formats.FormatError(f"{path}: this is not a model of fastText; use KeyedVectors.load, or another file")
    if not kv.has_subwords and arguments["maxn"] >= max(arguments["minn"], 1) and check_encoding(encoding) != "utf-8":
        log.warning(
            "%s: the n-grams of fastText are those of UTF-8, but encoding is %s, so only the words of the vocabulary "
            "have vectors",
            path,
            quote(encoding),
        )
    return kv


def save_facebook_model(
    model: FastText,
    path: str | os.PathLike[str],
    encoding: str = "utf-8",
    lr_update_rate: int = 100,
    word_ngrams: int = 1,
) -> None:
    """Write a model in the format of fastText (``.bin``), which fastText and gensim read.

    Parameters
    ----------
    model : FastText
    path : str or path
        If the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``, the file is compressed.
    encoding : str
        Must be UTF-8, because fastText computes n-grams from the bytes of the words.
    lr_update_rate, word_ngrams : int
        Arguments of fastText that the file contains. They have no effect on the vectors.

    Raises
    ------
    FormatError
        If a word or a value cannot be stored.
    TypeError
        If `model` is not a `FastText`.
    ValueError
        If `encoding` is not UTF-8.
    RuntimeError
        If the model has no vocabulary yet.
    OSError
        If the file cannot be written.

    Notes
    -----
    The format has one output matrix. If the model was trained with hierarchical softmax and negative sampling, the file
    has the output vectors of the words, and a warning is logged.

    Examples
    --------
    >>> from fastw2v.compat.gensim import FastText, load_facebook_vectors, save_facebook_model
    >>> model = FastText([["sing", "ring"]] * 20, vector_size=4, negative=1, bucket=1000)
    >>> save_facebook_model(model, "model.bin")
    >>> load_facebook_vectors("model.bin").bucket
    1000
    """
    check_type("model", model, FastText, "a FastText model")
    check_path("path", path)
    check_integer("lr_update_rate", lr_update_rate, minimum=0)
    check_integer("word_ngrams", word_ngrams, minimum=1)
    if check_encoding(encoding) != "utf-8":
        raise ValueError(
            f"encoding is {quote(encoding)}, but fastText computes n-grams from words in UTF-8; omit encoding"
        )
    wv, config = model.wv, model.config()
    sample = (wv.settings or {}).get("sample", config.sample) if model.sample == AUTO else config.sample
    if wv._loss == "hs+ns":
        log.warning("%s: the format has one output matrix, so the vectors of the inner nodes are left out", path)
    arguments = {
        **{"ws": config.window, "epoch": config.epochs, "minCount": int(model.min_count), "neg": config.negative},
        **{"wordNgrams": word_ngrams, "lrUpdateRate": lr_update_rate, "t": sample, "model": config.model},
    }
    record = formats.VectorRecord(
        wv.index_to_key,
        None if wv.has_subwords else wv.vectors,
        wv.counts,
        wv.context_vectors,
        {"fasttext": arguments},
        wv.input_vectors if wv.has_subwords else None,
        wv.node_vectors,
        wv.subwords,
    )
    formats.write(record, path, "fasttext")


def _is_text(word: str) -> bool:
    """Return whether a string has bytes in UTF-8. Half of a surrogate pair has none, except for escapes of bytes."""
    try:
        word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
