"""Command-line options of word2vec.c, such as ``-train FILE -output FILE -cbow 1 -size 100``.

`parse` reads the options for the command ``fastw2v word2vec``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fastw2v.config import Loss
from fastw2v.utils.quote import shorten

__all__ = ["OPTIONS", "parse", "selected_loss"]

OPTIONS = {
    "model": "-cbow",
    "vector_size": "-size",
    "window": "-window",
    "sample": "-sample",
    "negative": "-negative",
    "workers": "-threads",
    "epochs": "-iter",
    "min_count": "-min-count",
    "alpha": "-alpha",
    "counts": "-read-vocab",
}
"""The option that sets each parameter of `fastw2v.Word2Vec` or `fastw2v.Corpus`."""

# Option, type, default and help. The defaults are those of word2vec.c, except for -alpha and -threads.
_OPTIONS: list[tuple[str, type, object, str]] = [
    ("-train", str, None, "text to train on"),
    ("-output", Path, None, "file to write the vectors to"),
    ("-size", int, 100, "number of dimensions"),
    ("-window", int, 5, "maximum distance between a word and a context, on either side"),
    ("-sample", float, 1e-3, "randomly drop words whose share of the text is above this threshold"),
    ("-hs", int, 0, "1 trains with hierarchical softmax, in addition to negative sampling unless -negative is 0"),
    ("-negative", int, 5, "negative samples for each positive example; 0 trains without negative sampling"),
    ("-threads", int, None, "threads (default: all cores)"),
    ("-iter", int, 5, "passes over the text"),
    ("-min-count", int, 5, "minimum count of a word"),
    ("-alpha", float, None, "initial learning rate (default: that of fastw2v train)"),
    ("-classes", int, 0, "number of word classes; only 0 is supported"),
    ("-debug", int, 2, "0 prints nothing"),
    ("-binary", int, 0, "1 writes the binary format, 0 writes text"),
    ("-save-vocab", Path, None, "write the words and their counts to this file"),
    ("-read-vocab", Path, None, "read the words and their counts from this file"),
    ("-cbow", int, 1, "1 is CBOW, 0 is skip-gram"),
]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{shorten(message, 300)}; see fastw2v word2vec --help")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command-line options of word2vec.c.

    Parameters
    ----------
    arguments : sequence of str
        Options and their values, as on the command line of word2vec.c.

    Returns
    -------
    argparse.Namespace
        The value of each option. Hyphens in names are replaced with underscores.

    Raises
    ------
    ValueError
        If an option is unknown or not supported, a required option is missing, or a value has the wrong type.
    SystemExit
        If `arguments` contains ``--help``. The help is printed first.

    Examples
    --------
    >>> from fastw2v.compat.word2vec_c import parse
    >>> options = parse("-train corpus.txt -output vectors.bin -cbow 0 -size 200 -min-count 10".split())
    >>> options.cbow, options.size, options.min_count
    (0, 200, 10)
    >>> options.window, options.sample  # defaults
    (5, 0.001)
    """
    parser = _Parser(
        prog="fastw2v word2vec",
        description="Train with the options of word2vec.c.",
        epilog="If -alpha is given, CBOW uses the gradient of word2vec.c, so that -alpha means the same in both.",
        allow_abbrev=False,
    )
    for option, kind, default, text in _OPTIONS:
        metavar = "FILE" if kind is Path else "N"
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=text + shown)
    options = parser.parse_args(arguments)
    if options.train is None:
        parser.error("-train FILE is missing")
    if options.output is None and options.save_vocab is None:
        parser.error("neither -output FILE nor -save-vocab FILE is given; give at least one of them")
    if not options.hs and not options.negative:
        raise ValueError(
            "-hs is 0 and -negative is 0, so nothing would be trained; use -negative 5, or -hs 1 for hierarchical "
            "softmax"
        )
    if options.classes:
        raise ValueError(
            f"-classes {options.classes} selects word classes, which are not supported; omit -classes and cluster the "
            "vectors afterwards, for example with sklearn.cluster.KMeans"
        )
    return options


def selected_loss(hs: int, negative: int | None) -> Loss:
    """Return the loss that ``-hs`` and ``-negative`` select, or gensim's parameters of these names.

    If `negative` is None, it has its default, which is not 0.

    Examples
    --------
    >>> from fastw2v.compat.word2vec_c import selected_loss
    >>> selected_loss(hs=0, negative=5), selected_loss(hs=1, negative=0), selected_loss(hs=1, negative=5)
    ('ns', 'hs', 'hs+ns')
    """
    if not hs:
        return "ns"
    return "hs" if negative == 0 else "hs+ns"
