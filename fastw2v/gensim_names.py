"""What gensim's `KeyedVectors` calls by other names, or has beside: methods of `WordVectors`, by way of its others.

Programs that were written for gensim run by these. ``docs/from_gensim.md`` says what differs.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from fastw2v.backend import to_host
from fastw2v.keys import Key
from fastw2v.search import unit_rows

__all__ = ["GensimNames"]


class GensimNames:
    """Methods that `WordVectors` inherit, which are the only `self` there is."""

    def has_index_for(self: Any, word: Key) -> bool:
        """Return whether there is such a word, as ``word in vectors`` does."""
        return word in self

    def get_vecattr(self: Any, word: Key, attr: str) -> int:
        """Return what is known of a word beside its vector: its ``"count"``.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        KeyError
            If `attr` is something else, or there are no counts.
        """
        row = self._row(word)
        if attr != "count" or self.counts is None:
            has = "no counts" if self.counts is None else 'only "count"'
            raise KeyError(f"there is no {attr!r} of each word: these vectors have {has}")
        return int(self.counts[row])

    def get_normed_vectors(self: Any) -> Any:
        """Return the vectors at unit length: `unit_vectors`, array, shape (V, D)."""
        return self.unit_vectors

    def fill_norms(self: Any, force: bool = False) -> None:
        """Compute `unit_vectors` now, and with `force` anew, as after a change of `vectors`."""
        if force:
            self._unit_vectors = None
        _ = self.unit_vectors

    def forget_norms(self: Any) -> None:
        """Drop `unit_vectors`, to be computed anew when needed: call it after a change of `vectors` in place."""
        self._unit_vectors = None

    def init_sims(self: Any, replace: bool = False) -> None:
        """Compute `unit_vectors` now, and with `replace` keep nothing else."""
        self.fill_norms()
        if replace:
            self.vectors = self.unit_vectors

    def unit_normalize_all(self: Any) -> None:
        """Keep the vectors at unit length only."""
        self.init_sims(replace=True)

    def similar_by_word(self: Any, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_key(self: Any, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(self: Any, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a vector, shape (D,): `most_similar`."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def words_closer_than(self: Any, word: Key, other: Key) -> list[Any]:
        """Return the words that are closer to `word` than `other` is: `closer_than`."""
        return self.closer_than(word, other)

    def most_similar_to_given(self: Any, word: Key, others: Sequence[Key]) -> Any:
        """Return that of the other words which is nearest to `word`.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If there are no others.
        """
        if not others:
            raise ValueError("most_similar_to_given: there are no other words to choose from")
        return others[int(np.argmin(to_host(self.distances(word, others))))]

    def relative_cosine_similarity(self: Any, a: Key, b: Key, topn: int = 10) -> float:
        """Return the cosine of two words as a share of the sum of those of `a` and its `topn` nearest words.

        Leeuwenberg and others (2016): with 10 of them, a word above 0.10 is nearer than an arbitrary related word.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If `topn` is below 1.
        """
        if operator.index(topn) < 1:
            raise ValueError(f"topn is {topn}; it must be at least 1")
        return self.similarity(a, b) / sum(cosine for _, cosine in self.most_similar(a, topn=topn))

    @staticmethod
    def cosine_similarities(vector: Any, vectors: Any) -> Any:
        """Return the cosines of a vector, shape (D,), and the rows of a matrix, shape (n, D): array, shape (n,)."""
        return unit_rows(vectors) @ unit_rows(vector[None, :])[0, :]

    def save_word2vec_format(
        self: Any,
        path: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        write_header: bool = True,
    ) -> None:
        """Write words and vectors in word2vec's text or binary format, whatever the suffix: see `formats.write`.

        Parameters
        ----------
        path : str or path
            ``.gz`` at its end packs the file.
        fvocab : str or path, optional
            Write the words with their counts there.
        binary : bool
            The binary format.
        write_header : bool
            Let a text file begin with the numbers of words and dimensions.

        Raises
        ------
        FormatError
            If the format cannot hold a word or a value.
        ValueError
            If there are no counts for `fvocab`, or a binary file is to have no header.
        OSError
            If a file cannot be written.
        """
        from fastw2v import formats
        from fastw2v.vocab import Vocabulary

        if binary and not write_header:
            raise ValueError("a binary file needs its header; write_header=False goes with binary=False")
        if fvocab is not None:
            if self.counts is None:
                raise ValueError("there are no counts to write to fvocab")
            Vocabulary([str(word) for word in self], self.counts).save(fvocab)
        formats.write(self, path, format="bin" if binary else "txt" if write_header else "glove")

    @classmethod
    def load_word2vec_format(
        cls,
        path: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> Self:
        """Read a file in word2vec's text or binary format, whatever its suffix: see `formats.read`.

        Parameters
        ----------
        path : str or path
        fvocab : str or path, optional
            Take the counts from this file of lines ``word count``.
        binary : bool
            The binary format.
        unicode_errors : {"strict", "surrogateescape", "replace", "ignore"}
            What to do with words that are not UTF-8.
        limit : int, optional
            Read the first so many words only.
        datatype : dtype
            Of the vectors.
        no_header : bool
            A text file begins with its first word, as GloVe's do.

        Raises
        ------
        FormatError
            If the file is cut short, damaged, of another format, or names a word twice.
        ValueError
            If a word is not in `fvocab`.
        OSError
            If a file cannot be opened.
        """
        from fastw2v import formats
        from fastw2v.vocab import Vocabulary

        kind = "bin" if binary else "glove" if no_header else "txt"
        vectors = formats.read(path, kind, unicode_errors, limit)
        counts = vectors.counts
        if fvocab is not None:
            vocabulary = Vocabulary.load(fvocab, unicode_errors)
            if unknown := [word for word in vectors if word not in vocabulary.word_to_id]:
                raise ValueError(f"{fvocab} has no count of {len(unknown)} of the words, such as {unknown[0]!r}")
            counts = vocabulary.counts[[vocabulary.word_to_id[word] for word in vectors]]
        make: Any = cls
        made: Self = make(vectors.index_to_key, vectors.vectors.astype(datatype, copy=False), counts)
        return made

    def evaluate_word_analogies(
        self: Any,
        analogies: str | PathLike[str],
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Answer the analogies of a file, and report as gensim does: see `evaluate.analogies`.

        Parameters
        ----------
        analogies : str or path
            In the form of ``questions-words.txt``.
        restrict_vocab : int
            Only the first so many words ask and answer.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Count questions with unknown words as answered wrongly, rather than leave them out.
        similarity_function : {"most_similar", "most_similar_cosmul"}
            3CosAdd or 3CosMul.

        Returns
        -------
        score : float
            Correct answers as a share of the questions.
        sections : list of dict
            ``section``, and the questions ``correct`` and ``incorrect``, for each section and in total.
        """
        from fastw2v import evaluate

        return evaluate.gensim_analogies(
            self, analogies, restrict_vocab, case_insensitive, dummy4unknown, similarity_function
        )

    def evaluate_word_pairs(
        self: Any,
        pairs: str | PathLike[str],
        delimiter: str = "\t",
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        """Correlate similarities with the judgments in a file, and report as gensim does: see `evaluate.word_pairs`.

        Parameters
        ----------
        pairs : str or path
            UTF-8: lines of two words and a number; lines that start with ``#`` are comments.
        delimiter : str
            What stands between them.
        restrict_vocab : int
            Pairs with a word beyond the first so many are unknown.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Give pairs with unknown words the similarity 0, rather than leave them out.

        Returns
        -------
        pearson, spearman
            Each with ``statistic`` and ``pvalue``, as SciPy, which this needs, returns them.
        oov_ratio : float
            Pairs with unknown words, in per cent.
        """
        from fastw2v import evaluate

        return evaluate.gensim_word_pairs(self, pairs, delimiter, restrict_vocab, case_insensitive, dummy4unknown)
