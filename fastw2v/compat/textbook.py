"""The functions and classes of "Deep Learning from Scratch 2", chapter 4, under the book's names.

The functions of chapters 2 and 3 that prepare a corpus are included as well. The layers keep the book's contract, so
models, layers and optimisers of your own can be combined with them.

To run a script of the chapter, replace its imports::

    from fastw2v.compat.textbook import CBOW, Adam, Trainer, config, create_contexts_target, ptb, to_cpu, to_gpu

``docs/migrate/textbook.md`` shows the chapter's training script and lists the differences from the book.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from fastw2v import nn
from fastw2v.backend import get_device, get_namespace, to_device, to_host
from fastw2v.config import check_flags, check_integer, check_range
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
from fastw2v.utils.checks import check_array, check_ids, check_items, check_path, check_type
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
    "convert_one_hot",
    "cos_similarity",
    "create_co_matrix",
    "create_contexts_target",
    "load_params",
    "load_textbook_pickle",
    "most_similar",
    "ppmi",
    "preprocess",
    "ptb",
    "save_params",
    "to_cpu",
    "to_gpu",
]

# Arrays and devices


class _Config:
    """The book's switch between NumPy and CuPy. It is always off, because the arrays determine the device."""

    @property
    def GPU(self) -> bool:  # noqa: N802  the book's name
        """Always False."""
        return False

    @GPU.setter
    def GPU(self, value: bool) -> None:  # noqa: N802
        if value:
            raise AttributeError(
                "config.GPU cannot be set, because a model is created on the device of its corpus; to use a GPU, call "
                "corpus, contexts, target = to_gpu(corpus), to_gpu(contexts), to_gpu(target)"
            )


config = _Config()
"""The book's settings. ``config.GPU`` is always False; `to_gpu` moves arrays to a GPU."""


def to_cpu(array: Any) -> np.ndarray:
    """Return `array` as a NumPy array. Equivalent to `fastw2v.backend.to_host`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import to_cpu
    >>> word_vecs = np.array([[0.25, 0.5]], dtype=np.float32)  # these could also be on a GPU
    >>> print(to_cpu(word_vecs).astype(np.float16))
    [[0.25 0.5 ]]
    """
    return to_host(array)


def to_gpu(array: Any) -> Any:
    """Move `array` to the current CUDA device. Equivalent to ``fastw2v.backend.to_device(array, "cuda")``.

    Raises
    ------
    RuntimeError
        If no CUDA device can be used. The message gives the reason.

    Examples
    --------
    >>> from fastw2v.backend import cuda_problem
    >>> from fastw2v.compat.textbook import create_contexts_target, preprocess, to_cpu, to_gpu
    >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    >>> if not cuda_problem():
    ...     corpus = to_gpu(corpus)
    >>> contexts, target = create_contexts_target(corpus)  # on the same device
    >>> print(to_cpu(target))
    [1 2 3 4 1 5]
    """
    return to_device(array, "cuda")


# The corpus

ptb = SimpleNamespace(load_data=load_ptb)
"""The Penn Treebank: ``ptb.load_data("train")``, as in the book. See `fastw2v.datasets.load_ptb`."""


def preprocess(text: str) -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    """Split a short text into lower-case words and replace them with ids.

    Parameters
    ----------
    text : str
        Words separated by single spaces. A full stop is a separate word.

    Returns
    -------
    corpus : int64 array, shape (T,)
        Word ids, numbered in order of first appearance.
    word_to_id : dict of str to int
    id_to_word : dict of int to str

    Raises
    ------
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> from fastw2v.compat.textbook import preprocess
    >>> text = "You say goodbye and I say hello."
    >>> corpus, word_to_id, id_to_word = preprocess(text)
    >>> print(corpus)
    [0 1 2 3 4 1 5 6]
    >>> id_to_word[5], word_to_id["."]
    ('hello', 6)
    """
    check_type("text", text, str, "a string")
    words = text.lower().replace(".", " .").split(" ")
    word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    corpus = np.array([word_to_id[word] for word in words], dtype=np.int64)
    return corpus, dict(word_to_id), dict(enumerate(word_to_id))


def create_contexts_target(corpus: Any, window_size: int = 1) -> tuple[Any, Any]:
    """Return the contexts and the targets of a corpus.

    The targets are all words that have `window_size` neighbours on each side.

    Parameters
    ----------
    corpus : integer array or list, shape (T,)
        Word ids. An array can belong to any array library.
    window_size : int
        Number of context words on each side.

    Returns
    -------
    contexts : integer array, shape (N, 2 * window_size)
        Ids of the context words of each target, from left to right. N is T − 2 · window_size, or 0 if the corpus is
        shorter than a window.
    target : integer array, shape (N,)
        Ids of the targets.

    Raises
    ------
    ValueError
        If `window_size` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import create_contexts_target
    >>> corpus = np.array([0, 1, 2, 3, 4, 1, 5, 6])
    >>> contexts, target = create_contexts_target(corpus, window_size=1)
    >>> print(contexts)
    [[0 2]
     [1 3]
     [2 4]
     [3 1]
     [4 5]
     [1 6]]
    >>> print(target)
    [1 2 3 4 1 5]
    """
    corpus = check_ids("corpus", corpus)
    check_integer("window_size", window_size, minimum=1)
    xp = get_namespace(corpus)
    n = max(0, corpus.shape[0] - 2 * window_size)
    if n == 0:
        device = get_device(corpus)
        contexts = xp.zeros((0, 2 * window_size), dtype=corpus.dtype, device=device)
        return contexts, xp.zeros((0,), dtype=corpus.dtype, device=device)
    offsets = [i for i in range(2 * window_size + 1) if i != window_size]
    contexts = xp.stack([corpus[i : i + n] for i in offsets], axis=1)
    return contexts, xp.asarray(corpus[window_size : window_size + n], copy=True)


def convert_one_hot(corpus: Any, vocab_size: int) -> Any:
    """Return one-hot vectors of word ids, as the models of chapter 3 need them.

    Parameters
    ----------
    corpus : integer array, any shape
        Word ids.
    vocab_size : int
        Number of words, V.

    Returns
    -------
    int32 array, shape corpus.shape + (V,)

    Raises
    ------
    ValueError
        If an id does not lie in 0..V − 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import convert_one_hot
    >>> print(convert_one_hot(np.array([2, 0]), vocab_size=3))
    [[0 0 1]
     [1 0 0]]
    """
    corpus = check_ids("corpus", corpus)
    _require_ids(corpus, vocab_size)
    xp = get_namespace(corpus)
    return xp.astype(corpus[..., None] == xp.arange(vocab_size, device=get_device(corpus)), xp.int32)


def create_co_matrix(corpus: Any, vocab_size: int, window_size: int = 1) -> np.ndarray:
    """Return the co-occurrence matrix of a corpus, as in chapter 2.

    Parameters
    ----------
    corpus : integer array, shape (T,)
        Word ids.
    vocab_size : int
        Number of words, V.
    window_size : int
        Number of context words on each side.

    Returns
    -------
    int32 array, shape (V, V)
        Element (i, j) is the number of times that word j occurs in the context of word i.

    Raises
    ------
    ValueError
        If an id does not lie in 0..V − 1, or `window_size` is below 1.

    Examples
    --------
    >>> from fastw2v.compat.textbook import create_co_matrix, preprocess
    >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    >>> print(create_co_matrix(corpus, len(word_to_id)))
    [[0 1 0 0 0 0 0]
     [1 0 1 0 1 1 0]
     [0 1 0 1 0 0 0]
     [0 0 1 0 1 0 0]
     [0 1 0 1 0 0 0]
     [0 1 0 0 0 0 1]
     [0 0 0 0 0 1 0]]
    """
    check_integer("window_size", window_size, minimum=1)
    corpus = check_ids("corpus", corpus)
    _require_ids(corpus, vocab_size)
    ids = to_host(corpus)
    counts = np.zeros((vocab_size, vocab_size), np.int32)
    for distance in range(1, min(window_size, len(ids) - 1) + 1):
        left, right = ids[:-distance], ids[distance:]
        np.add.at(counts, (left, right), 1)
        np.add.at(counts, (right, left), 1)
    return counts


def ppmi(C: Any, verbose: bool = False, eps: float = 1e-8) -> np.ndarray:
    """Return the positive pointwise mutual information of a co-occurrence matrix, as in chapter 2.

    Element (i, j) is ``max(0, log2(C[i, j] · N / (S[i] · S[j]) + eps))``. S contains the sums of the columns of C, and
    N is the sum of S.

    Parameters
    ----------
    C : array, shape (V, V)
        Co-occurrence matrix.
    verbose : bool
        Not used. The book prints the progress.
    eps : float
        Small number that avoids the logarithm of zero.

    Returns
    -------
    float32 array, shape (V, V)
        The rows and columns of words that do not occur are zero.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import create_co_matrix, ppmi, preprocess
    >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    >>> W = ppmi(create_co_matrix(corpus, len(word_to_id)))
    >>> print(W[0].round(3))
    [0.    1.807 0.    0.    0.    0.    0.   ]
    """
    check_array("C", C)
    check_flags(verbose=verbose)
    check_range("eps", eps)
    counts = to_host(C)
    S = counts.sum(axis=0, dtype=np.float64)
    expected = np.where(S > 0, S, np.inf)  # so that words that do not occur give 0 rather than 0 / 0
    M = np.zeros(counts.shape, np.float32)
    for i in range(len(counts)):  # one row at a time, because a matrix of float64 would take several times the memory
        M[i] = np.maximum(0, np.log2(counts[i] * S.sum() / (expected[i] * expected) + eps))
    return M


def _require_ids(corpus: Any, vocab_size: int) -> None:
    """Raise ValueError unless all ids lie in 0..V − 1."""
    check_array("corpus", corpus)
    check_integer("vocab_size", vocab_size, minimum=1)
    xp = get_namespace(corpus)
    low, high = (int(xp.min(corpus)), int(xp.max(corpus))) if 0 not in corpus.shape else (0, -1)
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"corpus has word ids from {low} to {high}; with vocab_size={vocab_size} they must lie in "
            f"0..{vocab_size - 1}"
        )


# Training


class Trainer(nn.Trainer):
    """A training loop for a model and an optimiser, with the book's `loss_list` and `plot`.

    Parameters
    ----------
    model, optimizer, seed, deterministic
        See `fastw2v.nn.Trainer`.

    Examples
    --------
    >>> from fastw2v.compat.textbook import CBOW, Adam, Trainer, create_contexts_target, preprocess
    >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    >>> contexts, target = create_contexts_target(corpus, window_size=1)
    >>> model = CBOW(len(word_to_id), 5, 1, corpus)
    >>> trainer = Trainer(model, Adam())
    >>> _ = trainer.fit(contexts, target, max_epoch=100, batch_size=3)
    >>> print(model.word_vecs.shape)
    (7, 5)
    """

    def fit(  # the book's names of the first two parameters
        self,
        x: Any,
        t: Any,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
        show: bool | None = None,
    ) -> Self:
        """Train for a number of epochs. See `fastw2v.nn.Trainer.fit`, which calls `x` contexts and `t` target.

        Examples
        --------
        >>> from fastw2v.compat.textbook import CBOW, Adam, Trainer, create_contexts_target, preprocess
        >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
        >>> contexts, target = create_contexts_target(corpus, window_size=1)
        >>> trainer = Trainer(CBOW(len(word_to_id), 5, 1, corpus), Adam())
        >>> len(trainer.fit(x=contexts, t=target, max_epoch=10, batch_size=3).loss_list)
        10
        """
        check_array("x", x)
        check_array("t", t)
        return super().fit(x, t, max_epoch, batch_size, max_grad, eval_interval, show)

    @property
    def loss_list(self) -> list[float]:
        """The losses in `loss_history`, without the epochs.

        Examples
        --------
        >>> from fastw2v.compat.textbook import CBOW, Adam, Trainer, create_contexts_target, preprocess
        >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
        >>> contexts, target = create_contexts_target(corpus, window_size=1)
        >>> trainer = Trainer(CBOW(len(word_to_id), 5, 1, corpus), Adam())
        >>> _ = trainer.fit(contexts, target, max_epoch=100, batch_size=3)
        >>> len(trainer.loss_list), trainer.loss_list[-1] < trainer.loss_list[0]
        (100, True)
        """
        return [loss for _, loss in self.loss_history]

    def plot(self, path: str | PathLike[str] | None = None, ylim: tuple[float, float] | None = None) -> None:
        """Plot the loss history.

        Parameters
        ----------
        path : str or path, optional
            Image file to write. The suffix determines the image format. If None, the figure is shown.
        ylim : (float, float), optional
            Limits of the loss axis.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing has been trained yet.

        Examples
        --------
        >>> from pathlib import Path
        >>> import matplotlib
        >>> from fastw2v.compat.textbook import CBOW, Adam, Trainer, create_contexts_target, preprocess
        >>> matplotlib.use("agg")  # write files without opening windows
        >>> corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
        >>> contexts, target = create_contexts_target(corpus, window_size=1)
        >>> trainer = Trainer(CBOW(len(word_to_id), 5, 1, corpus), Adam())
        >>> _ = trainer.fit(contexts, target, max_epoch=100, batch_size=3)
        >>> trainer.plot("loss.svg", ylim=(0, 5))
        >>> "</svg>" in Path("loss.svg").read_text(encoding="utf-8")
        True
        """
        if path is not None:
            check_path("path", path)
        if ylim is not None:
            check_items("ylim", ylim, "two numbers")
        if not self.loss_history:
            raise ValueError("there is no loss to plot yet; call fit() first")
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError("plots need matplotlib. Install it with pip install 'fastw2v[plot]'") from None
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
    """Return the cosine similarity of two vectors.

    Parameters
    ----------
    x, y : float array, shape (D,)
    eps : float
        Number added to the norms, so that the cosine with a zero vector is 0 rather than NaN.

    Returns
    -------
    float array, shape ()

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import cos_similarity
    >>> print(cos_similarity(np.array([0.0, 1.0]), np.array([1.0, 1.0])))
    0.7071...
    >>> print(cos_similarity(np.array([0.0, 0.0]), np.array([1.0, 1.0])))
    0.0
    """
    check_array("x", x)
    check_array("y", y)
    check_range("eps", eps)
    xp = get_namespace(x, y)
    nx = x / (xp.sqrt(xp.sum(x * x)) + eps)
    ny = y / (xp.sqrt(xp.sum(y * y)) + eps)
    return xp.sum(nx * ny)


def most_similar(
    query: str, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str], word_matrix: Any, top: int = 5
) -> list[tuple[str, float]]:
    """Print the words nearest to a word, as the book does, and return them.

    Parameters
    ----------
    query : str
        Word to look up. If it is unknown, a message is printed and the result is empty.
    word_to_id : mapping of str to int
    id_to_word : mapping of int to str
    word_matrix : float array, shape (V, D)
    top : int
        Maximum number of words to print.

    Returns
    -------
    list of (str, float)
        Words and cosines, nearest first.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import most_similar
    >>> word_to_id, id_to_word = {"you": 0, "i": 1, "hello": 2}, {0: "you", 1: "i", 2: "hello"}
    >>> word_matrix = np.array([[1.0, 0], [1, 1], [0, 1]])
    >>> _ = most_similar("you", word_to_id, id_to_word, word_matrix, top=2)
    <BLANKLINE>
    [query] you
     i: 0.7071...
     hello: 0.0
    """
    check_type("query", query, str, "a word")
    check_type("word_to_id", word_to_id, Mapping, "a dictionary")
    check_type("id_to_word", id_to_word, Mapping, "a dictionary")
    check_array("word_matrix", word_matrix)
    check_integer("top", top, minimum=0)
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
    """Print the answers to the analogy "`a` is to `b` as `c` is to …", as the book does, and return them.

    Parameters
    ----------
    a, b, c : str
        Words of the analogy, for example "man", "king" and "woman". They are excluded from the answers. If a word is
        unknown, a message is printed and the result is empty.
    word_to_id : mapping of str to int
    id_to_word : mapping of int to str
    word_matrix : float array, shape (V, D)
    top : int
        Maximum number of answers to print.
    answer : str, optional
        Expected answer, whose score is printed first.

    Returns
    -------
    list of (str, float)
        Answers and scores, highest score first.

    Notes
    -----
    As in the book, only the sum b − a + c is scaled to unit length. The score of a word is the dot product of this sum
    and the unscaled vector of the word. By contrast, `WordVectors.analogy` scales all vectors to unit length.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import analogy
    >>> words = ["man", "woman", "king", "queen", "child"]
    >>> word_to_id, id_to_word = {word: i for i, word in enumerate(words)}, dict(enumerate(words))
    >>> word_matrix = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 2], [0, 1, 2], [1, 1, 0]])
    >>> _ = analogy("man", "king", "woman", word_to_id, id_to_word, word_matrix, top=2, answer="queen")
    <BLANKLINE>
    [analogy] man:king = woman:?
    ==>queen:2.236...
     queen: 2.236...
     child: 0.447...
    """
    for name, word in (("a", a), ("b", b), ("c", c), ("answer", answer)):
        if word is not None or name != "answer":
            check_type(name, word, str, "a word")
    check_type("word_to_id", word_to_id, Mapping, "a dictionary")
    check_type("id_to_word", id_to_word, Mapping, "a dictionary")
    check_array("word_matrix", word_matrix)
    check_integer("top", top, minimum=0)
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
    """Write word vectors and both dictionaries to a safetensors file.

    The book writes a pickle instead. To read the file, use `load_params` or `WordVectors.load`.

    Parameters
    ----------
    path : str or path
        The format is safetensors, whatever the suffix.
    word_vecs : float array, shape (V, D)
        Word vectors, stored as float16.
    word_to_id : mapping of str to int
    id_to_word : mapping of int to str
        The inverse of `word_to_id`. The ids are 0 to V − 1.

    Raises
    ------
    ValueError
        If the dictionaries are not inverses of each other, or the number of rows of `word_vecs` differs from the number
        of words.
    FormatError
        If the absolute value of a number exceeds 65,504, the maximum of float16.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.compat.textbook import save_params
    >>> word_vecs = np.array([[0.25, 0.5], [-1.0, 2.0]])
    >>> save_params("cbow_params.safetensors", word_vecs, {"you": 0, "say": 1}, {0: "you", 1: "say"})
    >>> WordVectors.load("cbow_params.safetensors")
    WordVectors(2 words, 2 dimensions, float16)
    """
    check_path("path", path)
    check_array("word_vecs", word_vecs)
    check_type("word_to_id", word_to_id, Mapping, "a dictionary")
    check_type("id_to_word", id_to_word, Mapping, "a dictionary")
    words = _words_by_id(word_to_id, id_to_word, word_vecs.shape[0])
    half = cast(to_host(word_vecs), np.dtype(np.float16), Path(path))
    vectors = WordVectors(words, half)  # checks the shape
    write_safetensors(VectorRecord(vectors.index_to_key, vectors.vectors), Path(path))


def load_params(path: str | PathLike[str]) -> dict[str, Any]:
    """Read parameters written by `save_params`.

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
        If the file was not written by `save_params`.

    See Also
    --------
    load_textbook_pickle : Read the pickle that the book's scripts write.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import load_params, save_params
    >>> word_vecs = np.array([[0.25, 0.5], [-1.0, 2.0]])
    >>> save_params("cbow_params.safetensors", word_vecs, {"you": 0, "say": 1}, {0: "you", 1: "say"})
    >>> params = load_params("cbow_params.safetensors")
    >>> print(params["word_vecs"][params["word_to_id"]["say"]])
    [-1.  2.]
    """
    check_path("path", path)
    with Path(path).open("rb") as file:
        if file.read(1) == b"\x80":
            raise FormatError(f"{path}: this looks like a pickle; read the book's pickle with load_textbook_pickle")
    record = read_safetensors(Path(path))
    try:
        vectors = WordVectors(record.index_to_key, record.vectors, record.counts, record.context_vectors)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path}: {error}") from error
    return {
        "word_vecs": vectors.vectors,
        "word_to_id": vectors.key_to_index,
        "id_to_word": dict(enumerate(vectors.index_to_key)),
    }


def load_textbook_pickle(path: str | PathLike[str]) -> dict[str, Any]:
    """Read ``cbow_params.pkl``, the pickle that the book's scripts write, without running code from it.

    Loading a pickle can run arbitrary code. This reader supports only the instructions that describe dictionaries,
    strings, integers and float arrays, and raises FormatError for any other instruction.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        ``word_vecs`` (float array, shape (V, D), float16 in the book), ``word_to_id`` and ``id_to_word``.

    Raises
    ------
    FormatError
        If the file is not a pickle of the book's parameters.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> from fastw2v.compat.textbook import load_textbook_pickle
    >>> params = {"word_vecs": np.eye(2, dtype=np.float16)}
    >>> params["word_to_id"], params["id_to_word"] = {"you": 0, "say": 1}, {0: "you", 1: "say"}
    >>> with open("cbow_params.pkl", "wb") as f:
    ...     pickle.dump(params, f, -1)
    >>> load_textbook_pickle("cbow_params.pkl")["id_to_word"]
    {0: 'you', 1: 'say'}
    """
    check_path("path", path)
    path = Path(path)
    data = path.read_bytes()
    try:
        params = unpickled(data)
        if type(params) is not dict or params.keys() != {"word_vecs", "word_to_id", "id_to_word"}:
            raise ValueError("it is not a dictionary of word_vecs, word_to_id and id_to_word")
        array, word_to_id, id_to_word = params["word_vecs"], params["word_to_id"], params["id_to_word"]
        if type(array) is not PickledArray or array.value is None or array.value.ndim != 2:
            raise ValueError("word_vecs is not a two-dimensional array")
        if array.value.dtype.kind != "f":
            raise ValueError(f"word_vecs is an array of {array.value.dtype}, not of floats")
        if type(word_to_id) is not dict or type(id_to_word) is not dict:
            raise ValueError("word_to_id or id_to_word is not a dictionary")
        _words_by_id(word_to_id, id_to_word, array.value.shape[0])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise FormatError(f"{path}: refused, because it is not a pickle of the book's parameters: {error}") from error
    return {"word_vecs": array.value, "word_to_id": word_to_id, "id_to_word": id_to_word}


def _words_by_id(word_to_id: Mapping[Any, Any], id_to_word: Mapping[Any, Any], n_rows: int) -> list[str]:
    """Return the words in the order of their ids after checking that the dictionaries are inverses of each other."""
    if not len(word_to_id) == len(id_to_word) == n_rows:
        raise ValueError(
            f"word_to_id has {len(word_to_id)} entries, id_to_word has {len(id_to_word)} entries and word_vecs has "
            f"{n_rows} rows; the numbers must be equal"
        )
    words = []
    for i in range(n_rows):
        word = id_to_word.get(i)
        if not isinstance(word, str) or word_to_id.get(word) != i:
            raise ValueError(f"word_to_id and id_to_word disagree on id {i}; each must be the inverse of the other")
        words.append(word)
    return words
