"""The names of "Deep Learning from Scratch 2", chapter 4, in one module.

To run a script of the chapter, replace its imports::

    from fastw2v.compat.textbook import CBOW, Adam, Trainer, config, create_contexts_target, ptb, to_cpu, to_gpu

`docs/textbook.md` shows the chapter's training script and lists the differences from the book.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastw2v import nn
from fastw2v.backend import get_device, get_namespace, to_device, to_host
from fastw2v.datasets.catalog import load_ptb
from fastw2v.formats.fileio import FormatError, cast
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.restricted_pickle import PickledArray, unpickled
from fastw2v.formats.safetensors import read_safetensors, write_safetensors
from fastw2v.nn.layers import Embedding, EmbeddingDot, NegativeSamplingLoss, SigmoidWithLoss
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, AdaGrad, Adam
from fastw2v.plot.loss import FIGURE_SIZE, draw_loss
from fastw2v.sampling.negatives import UnigramSampler
from fastw2v.vectors.neighbors import ranked
from fastw2v.vectors.normalize import at_least_single, unit_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = [
    "CBOW",
    "SGD",
    "AdaGrad",
    "Adam",
    "Embedding",
    "EmbeddingDot",
    "NegativeSamplingLoss",
    "SigmoidWithLoss",
    "SkipGram",
    "Trainer",
    "UnigramSampler",
    "analogy",
    "config",
    "cos_similarity",
    "create_contexts_target",
    "load_params",
    "load_textbook_pickle",
    "most_similar",
    "preprocess",
    "ptb",
    "save_params",
    "to_cpu",
    "to_gpu",
]

# Arrays and devices


class _Config:
    """The book's switch between NumPy and CuPy, which here is off for good: arrays decide."""

    @property
    def GPU(self) -> bool:  # noqa: N802  the book's name
        """Always False."""
        return False

    @GPU.setter
    def GPU(self, value: bool) -> None:  # noqa: N802
        if value:
            raise AttributeError(
                "there is no global switch: a model lives where its corpus does. For a GPU write "
                "corpus, contexts, target = to_gpu(corpus), to_gpu(contexts), to_gpu(target)"
            )


config = _Config()


def to_cpu(array: Any) -> np.ndarray:
    """Return `array` as a NumPy array: `to_host` under the textbook's name."""
    return to_host(array)


def to_gpu(array: Any) -> Any:
    """Return `array` on the current CUDA device: ``to_device(array, "cuda")`` under the textbook's name."""
    return to_device(array, "cuda")


# The corpus

ptb = SimpleNamespace(load_data=load_ptb)


def preprocess(text: str) -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    """Split a short text into lower-case words and index them: the textbook's function.

    Parameters
    ----------
    text : str
        Words between single spaces; a full stop becomes a word of its own.

    Returns
    -------
    corpus : int64 array, shape (T,)
        Ids by first appearance.
    word_to_id : dict of str to int
    id_to_word : dict of int to str
    """
    if not isinstance(text, str):
        raise TypeError(f"text is of type {type(text).__name__}; it must be a string")
    words = text.lower().replace(".", " .").split(" ")
    word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    corpus = np.array([word_to_id[word] for word in words], dtype=np.int64)
    return corpus, dict(word_to_id), dict(enumerate(word_to_id))


def create_contexts_target(corpus: Any, window_size: int = 1) -> tuple[Any, Any]:
    """Return every word that has a whole window around it, and that window: the textbook's function.

    Parameters
    ----------
    corpus : integer array, shape (T,)
        Of any array library.
    window_size : int
        Words on each side.

    Returns
    -------
    contexts : integer array, shape (N, 2 * window_size)
        From left to right, without the target. ``N = T - 2 * window_size``, or 0 for a corpus shorter than a window.
    target : integer array, shape (N,)

    Raises
    ------
    ValueError
        If `window_size` is below 1.
    """
    if window_size < 1:
        raise ValueError(f"window_size is {window_size}; it must be at least 1")
    xp = get_namespace(corpus)
    n = max(0, corpus.shape[0] - 2 * window_size)
    if n == 0:
        device = get_device(corpus)
        contexts = xp.zeros((0, 2 * window_size), dtype=corpus.dtype, device=device)
        return contexts, xp.zeros((0,), dtype=corpus.dtype, device=device)
    offsets = [i for i in range(2 * window_size + 1) if i != window_size]
    contexts = xp.stack([corpus[i : i + n] for i in offsets], axis=1)
    return contexts, xp.asarray(corpus[window_size : window_size + n], copy=True)


# Training


class Trainer(nn.Trainer):
    """Train a model with an optimiser on contexts and targets, with the textbook's names for the losses and a plot.

    Parameters
    ----------
    model, optimizer, seed, deterministic
        As in `fastw2v.nn.Trainer`.
    """

    @property
    def loss_list(self) -> list[float]:
        """The losses of `loss_history`, under the textbook's name."""
        return [loss for _, loss in self.loss_history]

    def plot(self, path: str | PathLike[str] | None = None, ylim: tuple[float, float] | None = None) -> None:
        """Draw the loss history.

        Parameters
        ----------
        path : path, optional
            Image file to write, its kind by suffix; when absent, the figure is shown.
        ylim : (float, float), optional
            Ends of the loss axis.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing has been trained yet.
        """
        if not self.loss_history:
            raise ValueError("there is no loss to plot yet: call fit() first")
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError("plots need matplotlib: pip install 'fastw2v[plot]'") from None
        figure, axes = plt.subplots(figsize=FIGURE_SIZE, layout="constrained")
        draw_loss(axes, self.loss_history, "epochs")
        axes.set_title(f"{type(self.model).__name__} with {type(self.optimizer).__name__}")
        if ylim is not None:
            axes.set_ylim(*ylim)
        if path is None:
            plt.show()
        else:
            figure.savefig(path, dpi=150)
        plt.close(figure)


# Queries


def cos_similarity(x: Any, y: Any, eps: float = 1e-8) -> Any:
    """Return the cosine of two vectors.

    Parameters
    ----------
    x, y : float array, shape (D,)
    eps : float
        Added to the lengths, so that a vector of zeros gives 0 and not NaN.

    Returns
    -------
    float array, shape ()
    """
    xp = get_namespace(x, y)
    nx = x / (xp.sqrt(xp.sum(x * x)) + eps)
    ny = y / (xp.sqrt(xp.sum(y * y)) + eps)
    return xp.sum(nx * ny)


def most_similar(
    query: str, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str], word_matrix: Any, top: int = 5
) -> list[tuple[str, float]]:
    """Print the words nearest to a word, as the textbook does, and return them.

    Parameters
    ----------
    query : str
        An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.

    Returns
    -------
    list of (str, float)
        Words and cosines, nearest first.
    """
    if query not in word_to_id:
        print(f"{query} is not found")
        return []
    print(f"\n[query] {query}")
    matrix = at_least_single(word_matrix)
    xp = get_namespace(matrix)
    lengths = xp.sqrt(xp.sum(matrix * matrix, axis=1, keepdims=True))
    unit = matrix / (lengths + 1e-8)
    query_id = word_to_id[query]
    pairs = ranked(unit @ unit[query_id, :], id_to_word, {query_id}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs


def analogy(
    a: str,
    b: str,
    c: str,
    word_to_id: Mapping[str, int],
    id_to_word: Mapping[int, str],
    word_matrix: Any,
    top: int = 5,
    answer: str | None = None,
) -> list[tuple[str, float]]:
    """Print the words that are to `c` as `b` is to `a`, as the textbook does, and return them.

    Parameters
    ----------
    a, b, c : str
        They are left out of the result. An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.
    answer : str, optional
        A word whose score is printed first.

    Returns
    -------
    list of (str, float)
        Words and scores, highest first. The score is the textbook's: the product of the word's vector, at
        its own length, with b − a + c at unit length. `WordVectors.analogy` brings every vector to unit length.
    """
    for word in (a, b, c) if answer is None else (a, b, c, answer):
        if word not in word_to_id:
            print(f"{word} is not found")
            return []
    print(f"\n[analogy] {a}:{b} = {c}:?")
    matrix = at_least_single(word_matrix)
    query = matrix[word_to_id[b], :] - matrix[word_to_id[a], :] + matrix[word_to_id[c], :]
    scores = matrix @ unit_rows(query[None, :])[0, :]
    if answer is not None:
        print(f"==>{answer}:{float(scores[word_to_id[answer]])}")
    pairs = ranked(scores, id_to_word, {word_to_id[word] for word in (a, b, c)}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs


# Parameter files


def save_params(
    path: str | PathLike[str], word_vecs: Any, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str]
) -> None:
    """Save the textbook's parameters: word vectors as float16, and both dictionaries.

    The file has the safetensors format whatever its name; `WordVectors.load` reads it too.

    Parameters
    ----------
    path : str or path
    word_vecs : float array, shape (V, D)
    word_to_id, id_to_word : dict
        Inverse to each other, with ids 0 to V − 1.

    Raises
    ------
    ValueError
        If the dictionaries do not fit each other or the vectors.
    FormatError
        If a value is beyond float16's ±65,504.
    """
    words = _words_by_id(word_to_id, id_to_word, word_vecs.shape[0])
    half = cast(to_host(word_vecs), np.dtype(np.float16), Path(path))
    vectors = WordVectors(words, half)  # checks the shape
    write_safetensors(VectorRecord(vectors.index_to_key, vectors.vectors), Path(path))


def load_params(path: str | PathLike[str]) -> dict[str, Any]:
    """Load what `save_params` saved.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        ``word_vecs`` (float16 array, shape (V, D)), ``word_to_id`` and ``id_to_word``.

    Raises
    ------
    FormatError
        If the file is something else. The textbook's own pickle is read by `load_textbook_pickle`.
    """
    with Path(path).open("rb") as file:
        if file.read(1) == b"\x80":
            raise FormatError(f"{path}: this looks like a pickle; load_textbook_pickle reads the textbook's own")
    record = read_safetensors(Path(path))
    try:
        vectors = WordVectors(record.words, record.vectors, record.counts, record.context_vectors)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path}: {error}") from error
    return {
        "word_vecs": vectors.vectors,
        "word_to_id": vectors.key_to_index,
        "id_to_word": dict(enumerate(vectors.index_to_key)),
    }


def load_textbook_pickle(path: str | PathLike[str]) -> dict[str, Any]:
    """Load the textbook's own ``cbow_params.pkl`` without running anything that it holds.

    A pickle is a program. This reader knows the few instructions that describe dictionaries, strings, integers
    and arrays of floats, builds those itself, and refuses the file at anything else.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        ``word_vecs`` (float array, shape (V, D), float16 in the textbook), ``word_to_id`` and ``id_to_word``.

    Raises
    ------
    FormatError
        If the file is not such a pickle.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        params = unpickled(data)
        if type(params) is not dict or params.keys() != {"word_vecs", "word_to_id", "id_to_word"}:
            raise ValueError("it is not a dictionary of word_vecs, word_to_id and id_to_word")
        array, word_to_id, id_to_word = params["word_vecs"], params["word_to_id"], params["id_to_word"]
        if type(array) is not PickledArray or array.value is None or array.value.ndim != 2:
            raise ValueError("word_vecs is not an array with one row for each word")
        if array.value.dtype.kind != "f":
            raise ValueError(f"word_vecs is an array of {array.value.dtype}, not of floats")
        if type(word_to_id) is not dict or type(id_to_word) is not dict:
            raise ValueError("word_to_id or id_to_word is not a dictionary")
        _words_by_id(word_to_id, id_to_word, array.value.shape[0])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise FormatError(f"{path}: refused, as it is not a pickle of the textbook's parameters: {error}") from error
    return {"word_vecs": array.value, "word_to_id": word_to_id, "id_to_word": id_to_word}


def _words_by_id(word_to_id: Mapping[Any, Any], id_to_word: Mapping[Any, Any], n_rows: int) -> list[str]:
    """Return the words in the order of their ids, having checked that the dictionaries say the same."""
    if not len(word_to_id) == len(id_to_word) == n_rows:
        raise ValueError(
            f"word_to_id has {len(word_to_id)} words, id_to_word {len(id_to_word)} and word_vecs {n_rows} rows; "
            "there must be as many of each"
        )
    words = []
    for i in range(n_rows):
        word = id_to_word.get(i)
        if not isinstance(word, str) or word_to_id.get(word) != i:
            raise ValueError(f"word_to_id and id_to_word disagree on id {i}; they must map each other's words and ids")
        words.append(word)
    return words
