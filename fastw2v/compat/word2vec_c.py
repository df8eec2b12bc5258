"""The options of word2vec.c: ``-train FILE -output FILE -cbow 1 -size 100 ...``.

`parse` accepts them as the C tool does, and ``fastw2v word2vec`` trains with them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

__all__ = ["parse"]

# Option, type, default, help. The defaults are those of word2vec.c, except for -alpha and -threads.
_OPTIONS: list[tuple[str, type, object, str]] = [
    ("-train", Path, None, "text to train on"),
    ("-output", Path, None, "file to write the vectors to"),
    ("-size", int, 100, "dimensions of a vector"),
    ("-window", int, 5, "words on either side"),
    ("-sample", float, 1e-3, "subsample words whose relative frequency is above this"),
    ("-hs", int, 0, "hierarchical softmax; only 0 is supported"),
    ("-negative", int, 5, "negative samples for each word"),
    ("-threads", int, None, "threads; all cores when absent"),
    ("-iter", int, 5, "passes over the text"),
    ("-min-count", int, 5, "leave out words that occur less often"),
    ("-alpha", float, None, "learning rate; the default of fastw2v train when absent"),
    ("-classes", int, 0, "word classes in place of vectors; only 0 is supported"),
    ("-debug", int, 2, "0 prints nothing"),
    ("-binary", int, 0, "1 writes the vectors in binary, 0 as text"),
    ("-save-vocab", Path, None, "write the words and their counts to this file"),
    ("-read-vocab", Path, None, "read the words and their counts from this file"),
    ("-cbow", int, 1, "1 is CBOW, 0 is skip-gram"),
]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see fastw2v word2vec --help")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the values of word2vec.c's options, by name, with underscores in place of hyphens.

    Parameters
    ----------
    arguments : sequence of str
        As on the command line of the C tool.

    Raises
    ------
    ValueError
        If an option is unknown, its value has the wrong type, or it asks for something unsupported.
    SystemExit
        After printing the help, if that is asked for.
    """
    parser = _Parser(
        prog="fastw2v word2vec",
        description="Train with the options of word2vec.c.",
        epilog="With -alpha, CBOW uses the gradient of word2vec.c, so that the rate means the same.",
        allow_abbrev=False,
    )
    for option, kind, default, text in _OPTIONS:
        metavar = "FILE" if kind is Path else "N"
        shown = "" if default is None else f" ({default})"
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=text + shown)
    options = parser.parse_args(arguments)
    if options.train is None:
        parser.error("-train FILE is missing")
    if options.output is None and options.save_vocab is None:
        parser.error("neither -output FILE nor -save-vocab FILE is given, so nothing would be kept")
    if options.hs:
        raise ValueError("-hs 1 asks for hierarchical softmax, which is not supported: use -hs 0 -negative 5")
    if options.classes:
        raise ValueError(
            f"-classes {options.classes} asks for word classes, which are not supported: leave it out, and cluster the "
            "written vectors, for example with sklearn.cluster.KMeans"
        )
    return options
