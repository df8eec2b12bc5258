"""gensim's `KeyedVectors`: `WordVectors` with the method and parameter names of gensim 4.4.

``docs/from_gensim.md`` lists what differs from gensim.
"""

from __future__ import annotations

import codecs
import itertools
import operator
from collections.abc import Collection, Iterable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from fastw2v import formats
from fastw2v.backend import to_host
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.evaluate.analogies import Method, answer_questions
from fastw2v.evaluate.readers import read_analogies, read_pairs
from fastw2v.evaluate.word_pairs import pair_cosines
from fastw2v.vectors.keys import Key
from fastw2v.vectors.normalize import take_rows, unit_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["KeyedVectors"]

_METHODS: dict[str, Method] = {"most_similar": "3cosadd", "most_similar_cosmul": "3cosmul"}


class KeyedVectors(WordVectors):
    """Words and their vectors, by gensim's names.

    Parameters
    ----------
    words, vectors, counts, context_vectors, settings
        As for `WordVectors`. gensim's ``KeyedVectors(vector_size)``, which is empty and filled later, is not offered.

    Notes
    -----
    All methods of `WordVectors` are here too. Those that gensim has as well take gensim's parameters, by position and
    by name. Parameters that would change the result and are not offered raise a ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.gensim import KeyedVectors
    >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), counts=[5, 4, 1])
    >>> round(kv.similarity(w1="cat", w2="dog"), 3)
    0.8
    >>> kv.most_similar_to_given(key1="cat", keys_list=["dog", "car"])
    'dog'
    >>> kv.get_vecattr("dog", "count")
    4
    """

    # Words and their vectors

    def get_vector(self, key: Key, norm: bool = False) -> Any:
        """Return the vector of a word, at unit length with `norm`: see `WordVectors.get_vector`."""
        return super().get_vector(key, norm)

    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a word, or `default`: see `WordVectors.get_index`."""
        return super().get_index(key, default)

    def has_index_for(self, key: Key) -> bool:
        """Return whether there is such a word, as ``key in vectors`` does."""
        return key in self

    def get_vecattr(self, key: Key, attr: str) -> int:
        """Return an attribute of a word. The only one is ``"count"``.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        KeyError
            If `attr` is something else, or there are no counts.
        """
        row = self.get_index(key)
        if attr != "count" or self.counts is None:
            has = "no counts" if self.counts is None else 'only "count"'
            raise KeyError(f"there is no {attr!r} of each word: these vectors have {has}")
        return int(self.counts[row])

    def get_normed_vectors(self) -> Any:
        """Return the vectors at unit length: `unit_vectors`, array, shape (V, D)."""
        return self.unit_vectors

    def fill_norms(self, force: bool = False) -> None:
        """Compute `unit_vectors` now; with `force`, compute them again, as after changing `vectors` in place."""
        if force:
            self.forget_unit_vectors()
        _ = self.unit_vectors

    def init_sims(self, replace: bool = False) -> None:
        """Compute `unit_vectors` now; with `replace`, keep only these."""
        self.fill_norms()
        if replace:
            self.vectors = self.unit_vectors

    def unit_normalize_all(self) -> None:
        """Replace the vectors by those at unit length."""
        self.init_sims(replace=True)

    def vectors_for_all(self, keys: Iterable[Key], allow_inference: bool = True, copy_vecattrs: bool = False) -> Self:
        """Return the vectors of the known words among `keys`, in that order, each once.

        Parameters
        ----------
        keys : iterable of str or int
        allow_inference : bool
            No effect: vectors of unknown words are never inferred.
        copy_vecattrs : bool
            Whether the result has the counts of its words.

        Raises
        ------
        ValueError
            If no word is known.
        """
        selected = super().vectors_for_all(keys)
        if not copy_vecattrs:
            selected.counts = None
        return selected

    # Neighbours

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """Return the words nearest to a sum of words and vectors: see `WordVectors.most_similar`.

        Parameters
        ----------
        positive, negative, topn, clip_start, clip_end, restrict_vocab
            As for `WordVectors.most_similar`.
        indexer
            Must be None. `index` returns an index with a `most_similar` of its own.

        Raises
        ------
        ValueError
            If an `indexer` is given, or as `WordVectors.most_similar` does.
        """
        if indexer is not None:
            raise ValueError(f"indexer is {indexer!r}: it is not offered; use the most_similar of vectors.index()")
        return super().most_similar(positive, negative, topn, clip_start, clip_end, restrict_vocab)

    def most_similar_cosmul(
        self, positive: Any = None, negative: Any = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words with the highest 3CosMul score: see `WordVectors.most_similar_cosmul`."""
        return super().most_similar_cosmul(positive, negative, topn, restrict_vocab)

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(self, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a vector, shape (D,): `most_similar`."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def closer_than(self, key1: Key, key2: Key) -> list[Any]:
        """Return the words that are closer to `key1` than `key2` is: see `WordVectors.closer_than`."""
        return super().closer_than(key1, key2)

    def words_closer_than(self, word1: Key, word2: Key) -> list[Any]:
        """Return the words that are closer to `word1` than `word2` is: `closer_than`."""
        return self.closer_than(word1, word2)

    def rank(self, key1: Key, key2: Key) -> int:
        """Return the rank of `key2` among the neighbours of `key1`, 1 for the nearest: see `WordVectors.rank`."""
        return super().rank(key1, key2)

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Any:
        """Return the word in `keys_list` that is nearest to `key1`.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If `keys_list` is empty.
        """
        if not keys_list:
            raise ValueError("most_similar_to_given: there are no other words to choose from")
        return keys_list[int(np.argmin(to_host(self.distances(key1, keys_list))))]

    # Similarities

    def similarity(self, w1: Key, w2: Key) -> float:
        """Return the cosine of two words' vectors: see `WordVectors.similarity`."""
        return super().similarity(w1, w2)

    def distance(self, w1: Key, w2: Key) -> float:
        """Return 1 − `similarity` of two words."""
        return super().distance(w1, w2)

    def n_similarity(self, ws1: Iterable[Key], ws2: Iterable[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words: see `WordVectors.n_similarity`."""
        return super().n_similarity(ws1, ws2)

    @staticmethod
    def cosine_similarities(vector_1: Any, vectors_all: Any) -> Any:
        """Return the cosines of a vector, shape (D,), and the rows of a matrix, shape (n, D): array, shape (n,)."""
        return unit_rows(vectors_all) @ unit_rows(vector_1[None, :])[0, :]

    def relative_cosine_similarity(self, wa: Key, wb: Key, topn: int = 10) -> float:
        """Return the cosine of two words, divided by the sum of the cosines of `wa` and its `topn` nearest words.

        With `topn` 10, a word above 0.10 is nearer than an arbitrary related word (Leeuwenberg et al., 2016). The
        result is 0.0 where the sum is 0.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If `topn` is below 1.
        """
        if operator.index(topn) < 1:
            raise ValueError(f"topn is {topn}; it must be at least 1")
        total = sum(cosine for _, cosine in self.most_similar(wa, topn=topn))
        return self.similarity(wa, wb) / total if total else 0.0

    # Files

    def save(
        self,
        fname_or_handle: str | PathLike[str],
        format: str | None = None,
        *,
        separately: Sequence[str] | None = None,
        sep_limit: int | None = None,
        ignore: Collection[str] = (),
        pickle_protocol: int | None = None,
    ) -> None:
        """Write the vectors to a file: see `WordVectors.save`.

        Parameters
        ----------
        fname_or_handle : str or path
            Open files are not offered.
        format : str, optional
            One of `fastw2v.formats.FORMATS`; by default the suffix decides, and a suffix that names no format, or
            ``.kv``, means safetensors.
        separately, sep_limit, pickle_protocol
            No effect: the file is not a pickle, and large arrays need no files of their own.
        ignore
            Must be empty.

        Raises
        ------
        FormatError
            If `format` is unknown, or the format cannot hold a word or a value.
        ValueError
            If `ignore` is not empty.
        OSError
            If the file cannot be written.
        """
        if ignore:
            raise ValueError(f"ignore is {ignore!r}: all attributes are stored; leave it empty")
        super().save(fname_or_handle, format)

    @classmethod
    def load(  # type: ignore[override]  # gensim's second parameter is mmap
        cls,
        fname: str | PathLike[str],
        mmap: str | None = None,
        *,
        format: str | None = None,
        errors: str = "strict",
        limit: int | None = None,
    ) -> Self:
        """Read vectors from a file: see `WordVectors.load`.

        Parameters
        ----------
        fname : str or path
        mmap
            No effect: the vectors of a safetensors file are always mapped, and not writable.
        format, errors, limit
            As for `WordVectors.load`. Files that gensim wrote need ``format="gensim"``, unless their suffix is ``.kv``.

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, or the file is cut short, damaged, or of another format.
        OSError
            If the file cannot be opened.
        """
        return super().load(fname, format, errors=errors, limit=limit)

    def save_word2vec_format(
        self,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write words and vectors in word2vec's text or binary format, whatever the suffix.

        Parameters
        ----------
        fname : str or path
            A file whose name ends in ``.gz`` is compressed.
        fvocab : str or path, optional
            Write the words with their counts to this file.
        binary : bool
            Write the binary format.
        total_vec : int, optional
            Must be the number of words.
        write_header : bool
            Write the numbers of words and dimensions in the first line of a text file.
        prefix : str
            Written before each word.
        append : bool
            Must be false: files are written whole.
        sort_attr : str
            With ``"count"``, the most frequent words are written first if there are counts.

        Raises
        ------
        FormatError
            If the format cannot hold a word or a value.
        ValueError
            If there are no counts for `fvocab`, a binary file would have no header, or `append` or another
            `total_vec` is asked for.
        OSError
            If a file cannot be written.
        """
        if append:
            raise ValueError("append is True: files are written whole, under their final name once complete")
        if total_vec not in (None, len(self)):
            raise ValueError(f"total_vec is {total_vec}: the file holds {len(self)} vectors, and its header says so")
        if binary and not write_header:
            raise ValueError("a binary file needs its header; write_header=False goes with binary=False")
        words, vectors, counts = self.index_to_key, self.vectors, self.counts if sort_attr == "count" else None
        if fvocab is not None and counts is None:
            raise ValueError(f"there are no counts to write to fvocab (sort_attr is {sort_attr!r})")
        if prefix:
            words = [f"{prefix}{word}" for word in words]
        if counts is not None and (np.diff(counts) > 0).any():
            order = np.argsort(-counts, kind="stable").tolist()
            words, vectors, counts = [words[row] for row in order], take_rows(vectors, order), counts[order]
        if fvocab is not None and counts is not None:
            Vocabulary([str(word) for word in words], counts).save(fvocab)
        kind = "bin" if binary else "txt" if write_header else "glove"
        formats.write(formats.VectorRecord(words, vectors), fname, kind)

    @classmethod
    def load_word2vec_format(
        cls,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> Self:
        """Read a file in word2vec's text or binary format, whatever its suffix.

        Parameters
        ----------
        fname : str or path
        fvocab : str or path, optional
            Take the counts from this file of lines ``word count``.
        binary : bool
            The file is in the binary format.
        encoding : str
            Must be UTF-8.
        unicode_errors : {"strict", "surrogateescape", "replace", "ignore"}
            What to do with words that are not UTF-8.
        limit : int, optional
            Read this many words at most.
        datatype : dtype
            Of the vectors.
        no_header : bool
            The first line of a text file holds a word, as in GloVe's files.

        Raises
        ------
        FormatError
            If the file is cut short, damaged, of another format, or names a word twice.
        ValueError
            If a word is not in `fvocab`, or another `encoding` is asked for.
        OSError
            If a file cannot be opened.
        """
        _check_encoding(encoding)
        kind = "bin" if binary else "glove" if no_header else "txt"
        loaded = cls.load(fname, format=kind, errors=unicode_errors, limit=limit)
        loaded.vectors = loaded.vectors.astype(datatype, copy=False)
        if fvocab is not None:
            vocabulary = Vocabulary.load(fvocab, unicode_errors)
            if unknown := [word for word in loaded if word not in vocabulary.word_to_id]:
                raise ValueError(f"{fvocab} has no count of {len(unknown)} of the words, such as {unknown[0]!r}")
            loaded.counts = vocabulary.counts[[vocabulary.word_to_id[word] for word in loaded]]
        return loaded

    # Evaluation

    def evaluate_word_analogies(
        self,
        analogies: str | PathLike[str],
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Answer the analogies of a file: `fastw2v.evaluate.analogies`, with gensim's result.

        Parameters
        ----------
        analogies : str or path
            In the form of ``questions-words.txt``.
        restrict_vocab : int
            Use only this many words, from the first, in questions and answers.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Count questions with unknown words as answered wrongly, instead of leaving them out.
        similarity_function : {"most_similar", "most_similar_cosmul"}
            3CosAdd or 3CosMul.

        Returns
        -------
        score : float
            Correct answers as a share of the questions.
        sections : list of dict
            ``section``, and the questions ``correct`` and ``incorrect``, for each section and in total.

        Raises
        ------
        ValueError
            If a line is not a question, or `similarity_function` is another.
        OSError
            If the file cannot be opened.
        """
        if similarity_function not in _METHODS:
            raise ValueError(f"similarity_function is {similarity_function!r}; it must be one of {list(_METHODS)}")
        questions = read_analogies(analogies)
        answers = answer_questions(self, questions, restrict_vocab, case_insensitive, _METHODS[similarity_function])
        sections: list[dict[str, Any]] = []
        for name, asked in questions.items():
            spelled = [tuple(word.upper() if case_insensitive else word for word in question) for question in asked]
            wrong = (False, None) if dummy4unknown else (False,)
            answered = list(zip(spelled, answers[name], strict=True))
            sections.append(
                {
                    "section": name,
                    "correct": [question for question, answer in answered if answer],
                    "incorrect": [question for question, answer in answered if answer in wrong],
                }
            )
        total: dict[str, Any] = {
            side: list(itertools.chain.from_iterable(section[side] for section in sections))
            for side in ("correct", "incorrect")
        }
        sections.append({"section": "Total accuracy", **total})
        counted = len(total["correct"]) + len(total["incorrect"])
        return (len(total["correct"]) / counted if counted else 0.0), sections

    def evaluate_word_pairs(
        self,
        pairs: str | PathLike[str],
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        """Correlate similarities with the judgments in a file: `fastw2v.evaluate.word_pairs`, with gensim's result.

        Parameters
        ----------
        pairs : str or path
            Lines of two words and a number; lines that start with ``#`` are comments.
        delimiter : str
            What separates them.
        encoding : str
            Must be UTF-8.
        restrict_vocab : int
            Pairs with a word beyond this many, from the first, are unknown.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Give pairs with unknown words the similarity 0, instead of leaving them out.

        Returns
        -------
        pearson, spearman
            Each with ``statistic`` and ``pvalue``, as SciPy, which this method needs, returns them.
        oov_ratio : float
            Pairs with unknown words, in per cent.

        Raises
        ------
        ImportError
            If SciPy is not installed.
        ValueError
            If a line is not a pair, fewer than two pairs are known, or another `encoding` is asked for.
        OSError
            If the file cannot be opened.
        """
        from scipy import stats

        _check_encoding(encoding)
        judgments = read_pairs(pairs, delimiter)
        cosines = pair_cosines(self, judgments, restrict_vocab, case_insensitive)
        judged = np.array([score for *_, score in judgments])
        unknown = np.isnan(cosines)
        if dummy4unknown:
            cosines = np.where(unknown, 0.0, cosines)
        else:
            cosines, judged = cosines[~unknown], judged[~unknown]
        if len(judged) < 2:
            raise ValueError(
                f"{pairs}: the vocabulary covers {len(judged)} of {len(judgments)} pairs; a correlation needs two"
            )
        return stats.pearsonr(judged, cosines), stats.spearmanr(judged, cosines), 100 * float(np.mean(unknown))


def _check_encoding(encoding: str) -> None:
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        raise ValueError(f"encoding is {encoding!r}: words are read as UTF-8; convert the file first, as iconv does")
