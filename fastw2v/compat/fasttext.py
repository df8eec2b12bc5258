"""Commands and options of fastText, such as ``skipgram -input FILE -output PREFIX -minn 3 -maxn 6``.

`parse` reads the options for the command ``fastw2v fasttext``. `print_vectors` formats vectors as the commands
``print-word-vectors`` and ``print-sentence-vectors`` do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import BUCKET, Model
from fastw2v.utils.quote import quote, shorten
from fastw2v.vectors.sentences import vectors_of_words
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["MAX_N", "MIN_N", "OPTIONS", "PRINTING", "parse", "print_vectors"]

MIN_N, MAX_N = 3, 6
"""gensim's and fastText's default sizes of n-grams."""
PRINTING = ("print-word-vectors", "print-sentence-vectors")
"""Commands that print the vectors of the words or lines of standard input."""
OPTIONS = {
    "vector_size": "-dim",
    "window": "-ws",
    "sample": "-t",
    "negative": "-neg",
    "workers": "-thread",
    "epochs": "-epoch",
    "min_count": "-minCount",
    "alpha": "-lr",
    "subwords": "-minn",
    "bucket": "-bucket",
    "seed": "-seed",
}
"""The option that sets each parameter of `fastw2v.Word2Vec`."""

# Option, type, default and help. The defaults are those of fastText, except for -lr and -thread.
_OPTIONS: list[tuple[str, type, object, str]] = [
    ("-input", str, None, "text to train on"),
    ("-output", str, None, "prefix of the files to write, PREFIX.bin and PREFIX.vec"),
    ("-lr", float, None, "initial learning rate (default: that of fastw2v train)"),
    ("-dim", int, 100, "number of dimensions"),
    ("-ws", int, 5, "maximum distance between a word and a context, on either side"),
    ("-epoch", int, 5, "passes over the text"),
    ("-minCount", int, 5, "minimum count of a word"),
    ("-neg", int, 5, "negative samples for each positive example"),
    ("-loss", str, "ns", "ns (negative sampling) or hs (hierarchical softmax)"),
    ("-bucket", int, BUCKET, "number of buckets for the character n-grams"),
    ("-minn", int, MIN_N, "length of the shortest character n-grams"),
    ("-maxn", int, MAX_N, "length of the longest character n-grams; 0 trains without n-grams"),
    ("-thread", int, None, "threads (default: all cores)"),
    ("-t", float, 1e-4, "randomly drop words whose share of the text is above this threshold"),
    ("-seed", int, 0, "random seed"),
    ("-pretrainedVectors", str, None, "vectors to start from"),
    ("-verbose", int, 2, "0 prints nothing"),
    ("-saveOutput", bool, False, "also write the output vectors of the words, to PREFIX.output"),
    ("-lrUpdateRate", int, 100, "no effect: the learning rate falls with every word"),
    ("-wordNgrams", int, 1, "only 1 is supported, because n-grams of words belong to classifiers"),
]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{shorten(message, 300)}; see fastw2v fasttext --help")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command and the options of fastText.

    Parameters
    ----------
    arguments : sequence of str
        The command, "cbow" or "skipgram", and options with their values, as on the command line of fastText. Or one of
        `PRINTING`, and a file of vectors.

    Returns
    -------
    argparse.Namespace
        `command`, and the value of each option. For a command of `PRINTING`, `command` and `vectors`, a path.

    Raises
    ------
    ValueError
        If the command is another one, an option is unknown or not supported, a required option is missing, or a value
        has the wrong type.
    SystemExit
        If `arguments` contains ``--help``. The help is printed first.

    Examples
    --------
    >>> from fastw2v.compat.fasttext import parse
    >>> options = parse("skipgram -input corpus.txt -output model -minCount 1 -maxn 4".split())
    >>> options.command, options.minCount, options.minn, options.maxn
    ('skipgram', 1, 3, 4)
    >>> options.dim, options.t  # defaults
    (100, 0.0001)
    >>> parse(["print-sentence-vectors", "model.bin"]).vectors
    'model.bin'
    """
    if arguments and arguments[0] in PRINTING:
        what = "word" if arguments[0] == PRINTING[0] else "line"
        parser = _Parser(
            prog="fastw2v fasttext",
            description=f"Print the vector of each {what} of standard input, in the format of fastText.",
            allow_abbrev=False,
        )
        parser.add_argument("command", metavar=arguments[0], help="command of fastText")
        parser.add_argument("vectors", metavar="MODEL", help="model of fastText, or another file of vectors")
        return parser.parse_args(arguments)
    parser = _Parser(
        prog="fastw2v fasttext",
        description="Train with the commands and options of fastText.",
        epilog="If -lr is given, CBOW uses the gradient of fastText, so that -lr means the same in both. "
        f"{' MODEL and '.join(PRINTING)} MODEL print the vectors of the words or lines of standard input.",
        allow_abbrev=False,
    )
    parser.add_argument("command", metavar="cbow|skipgram", help="model to train")
    for option, kind, default, text in _OPTIONS:
        if kind is bool:
            parser.add_argument(option, action="store_true", help=text)
            continue
        metavar = "FILE" if option in ("-input", "-pretrainedVectors") else "PREFIX" if option == "-output" else "N"
        metavar = "ns|hs" if option == "-loss" else metavar
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=text + shown)
    options = parser.parse_args(arguments)
    if options.command not in get_args(Model):
        raise ValueError(
            f"the command {quote(options.command)} of fastText is not supported; use cbow, skipgram, "
            "print-word-vectors or print-sentence-vectors. To query vectors, use the commands of fastw2v, such as "
            "most-similar"
        )
    for option, given in (("-input FILE", options.input), ("-output PREFIX", options.output)):
        if not given:
            parser.error(f"{option} is missing")
    if options.loss not in ("ns", "hs"):
        raise ValueError(f"-loss is {quote(options.loss)}, which is not supported; use ns or hs")
    if options.saveOutput and options.loss == "hs":
        raise ValueError("-saveOutput needs -loss ns, because with hs the words have no output vectors; omit it")
    if options.wordNgrams != 1:
        raise ValueError(f"-wordNgrams is {options.wordNgrams}, which is only for classifiers; omit it")
    if options.maxn and options.minn > options.maxn:
        raise ValueError(
            f"-minn is {options.minn} and -maxn is {options.maxn}; -minn must be at most -maxn. -maxn 0 trains without "
            "n-grams"
        )
    return options


def print_vectors(command: str, vectors: WordVectors, lines: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    r"""Yield what fastText prints for blocks of lines: numbers with five significant digits, each followed by a space.

    Parameters
    ----------
    command : {"print-word-vectors", "print-sentence-vectors"}
        "print-word-vectors" prints each word and its vector. "print-sentence-vectors" prints only the vector of each
        line, as `sentence_vectors` computes it with ``method="fasttext"``.
    vectors : WordVectors
        An unknown word has a vector of zeros.
    lines : iterable of sequences of bytes
        Lines in UTF-8. As in fastText, white space is that of ASCII.

    Yields
    ------
    bytes
        The lines for a block, without the last line break. Nothing is yielded for a block without words to print.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.compat.fasttext import print_vectors
    >>> wv = WordVectors(["cat", "dog"], np.array([[3.0, 4.0], [1 / 3, 0.0]]))
    >>> list(print_vectors("print-word-vectors", wv, [[b"dog cat"]]))
    [b'dog 0.33333 0 \ncat 3 4 ']
    >>> list(print_vectors("print-sentence-vectors", wv, [[b"dog cat", b""]]))
    [b'0.8 0.4 \n0 0 ']
    """
    form = "%.5g " * vectors.vector_size
    for block in lines:
        texts = [line.split() for line in block]
        if command == "print-sentence-vectors":
            found = to_host(vectors.sentence_vectors([_decoded(words) for words in texts], "fasttext"))
            printed = [(form % tuple(row)).encode() for row in found.tolist()]
        else:
            words = [word for text in texts for word in text]
            distinct, _, places = vectors_of_words(vectors, _decoded(words))
            found = np.append(to_host(distinct), np.zeros((1, vectors.vector_size), np.float32), axis=0)[places]
            printed = [
                word + b" " + (form % tuple(row)).encode() for word, row in zip(words, found.tolist(), strict=True)
            ]
        if printed:
            yield b"\n".join(printed)


def _decoded(words: list[bytes]) -> list[Any]:
    return [word.decode("utf-8", "surrogateescape") for word in words]
