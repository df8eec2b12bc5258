"""Commands that query word vectors: most-similar, analogy and plot."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import file_names, load_vectors, to_keys
from fastw2v.cli.output import note, one_line, print_json, print_table, say
from fastw2v.cli.paths import check_output
from fastw2v.utils.quote import counted, quote
from fastw2v.vectors import WordVectors

__all__ = ["analogy", "most_similar", "plot"]

TOPN = 10
"""Default of ``--topn``."""
MAP_WORDS = 500
"""Number of words that the command plot draws by default."""


def most_similar(
    file: options.VectorFile,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORD", help="Words to look up. Each word has its own column in the result.", show_default=False
        ),
    ],
    topn: options.TopN = TOPN,
    as_json: options.AsJson = False,
) -> None:
    """List the nearest neighbours of words."""
    vectors = load_vectors(file)
    keys = to_keys(vectors, words)
    columns = [vectors.most_similar(word, topn=topn) for word in keys]
    _note_unseen(vectors, keys)
    if as_json:
        print_json({word: _scored(column) for word, column in zip(words, columns, strict=True)})
        return
    # Words of the vocabulary, which are not among their own neighbours, can have one neighbour less than others.
    texts = [[f"{word} {cosine:.3f}" for word, cosine in column] for column in columns]
    rows = map(list, itertools.zip_longest(*texts, fillvalue=""))
    print_table(words, rows, text_columns=len(words))


def analogy(
    file: options.VectorFile,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B C",
            help="Three words, for example: man king woman. By default, words are read from standard input.",
            show_default=False,
        ),
    ] = None,
    topn: options.TopN = TOPN,
    as_json: options.AsJson = False,
) -> None:
    """Complete the analogy "A is to B as C is to ...".

    The answers are the words nearest to B - A + C. If no words are given,
    analogies are read from standard input, one per line, until an empty line
    or the end of the input.
    """
    vectors = load_vectors(file)
    if words:
        _answer(vectors, words, topn, as_json)
        return
    from_terminal = sys.stdin.isatty()
    if from_terminal:
        note("Enter three words, for example: man king woman. An empty line quits.")
    for question in _questions("analogy> " if from_terminal else ""):
        try:
            _answer(vectors, question, topn, as_json)
        except (KeyError, ValueError) as error:
            if not from_terminal:
                raise
            note(f"error: {one_line(error)}")


def plot(
    file: options.VectorFile,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Image (.png, .svg or .pdf) or interactive page (.html) to write."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Option("--words", "-w", metavar="WORDS", help="Words to draw, separated by spaces. May be repeated."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=3,
            help="Number of words to draw, starting with the most frequent.",
            show_default=f"{MAP_WORDS}, unless --words is given",
        ),
    ] = None,
    method: options.MapMethod = "auto",
    color: Annotated[
        Literal["cluster", "count", "none"],
        typer.Option(help="What the colours of an image show: clusters of similar words, or the counts of the words."),
    ] = "cluster",
) -> None:
    """Draw a map of words in which words with similar vectors are close together.

    An interactive page (.html) is that of fastw2v explore.
    """
    from fastw2v.explore import write_page
    from fastw2v.plot import METHOD_NAMES, check_picture, select_method, write_map
    from fastw2v.plot.projection import better_method

    if words and top:
        raise ValueError("--words and --top cannot be combined; omit one of them")
    check_picture(output, page=True)
    check_output(output)
    vectors = load_vectors(file)
    selected = to_keys(vectors, " ".join(words).split()) if words else vectors.index_to_key[: top or MAP_WORDS]
    drawn = len(set(selected))
    if output.suffix.lower() == ".html":
        if color != "cluster":
            note("warning: --color has no effect on a page, on which the reader selects the colours")
        n_labels = write_page(vectors, output, words=selected, method=method, names=file_names([file]))
    else:
        n_labels = write_map(vectors, output, selected, method, color=None if color == "none" else color)
    unlabelled = "" if n_labels == drawn else f", {drawn - n_labels:,} without a label for lack of space"
    say(f"{output}: {counted(drawn, 'word')}, {METHOD_NAMES[select_method(method, drawn)]}{unlabelled}")
    if hint := better_method(method, drawn):
        note(hint)


def _questions(prompt: str) -> Iterator[list[str]]:
    """Yield the words of each line of standard input, up to an empty line."""
    with contextlib.suppress(ImportError):  # Windows has no readline
        import readline  # noqa: F401  # gives input() a history
    try:
        while line := input(prompt).split():
            yield line
    except EOFError:
        if prompt:  # the prompt of the shell belongs on a new line
            note()


def _answer(vectors: WordVectors, words: list[str], topn: int, as_json: bool) -> None:
    if len(words) != 3:
        raise ValueError(f"an analogy needs three words, not {len(words)}; for example: man king woman")
    a, b, c = to_keys(vectors, words)
    answers = vectors.analogy(a, b, c, topn=topn)
    _note_unseen(vectors, [a, b, c])
    if as_json:
        say(json.dumps({"a": a, "b": b, "c": c, "answers": _scored(answers)}))
        return
    say(f"{a} is to {b} as {c} is to")
    print_table(["word", "cosine"], ([word, f"{cosine:.3f}"] for word, cosine in answers))


def _note_unseen(vectors: WordVectors, words: list[Any]) -> None:
    """Say which words have vectors only because of their n-grams, because they may be misspelt."""
    unseen = [word for word in dict.fromkeys(words) if vectors.get_index(word, -1) < 0]
    if unseen:
        note(f"not in the vocabulary, so compared by their n-grams: {', '.join(map(quote, unseen))}")


def _scored(answers: list[tuple[Any, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "cosine": cosine} for word, cosine in answers]
