"""Commands that query word vectors: most-similar, analogy and plot."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import to_keys
from fastw2v.cli.output import one_line, print_json, print_table
from fastw2v.cli.paths import check_output
from fastw2v.vectors import WordVectors

__all__ = ["analogy", "most_similar", "plot"]

TOPN = 10
"""Default of ``--topn``."""
MAP_WORDS = 500
"""Words that plot draws when none are chosen."""


def most_similar(
    file: options.VectorFile,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="One column for each.", show_default=False)],
    topn: options.TopN = TOPN,
    as_json: options.AsJson = False,
) -> None:
    """List the nearest neighbours of words."""
    vectors = WordVectors.load(file)
    columns = [vectors.most_similar(word, topn=topn) for word in to_keys(vectors, words)]
    if as_json:
        print_json({word: _scored(column) for word, column in zip(words, columns, strict=True)})
        return
    rows = ([f"{word} {cosine:.3f}" for word, cosine in row] for row in zip(*columns, strict=True))
    print_table(words, rows, text_columns=len(words))


def analogy(
    file: options.VectorFile,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B C",
            help="A is to B as C is to ...: man king woman. Without them you are asked.",
            show_default=False,
        ),
    ] = None,
    topn: options.TopN = TOPN,
    as_json: options.AsJson = False,
) -> None:
    """Complete "A is to B as C is to ...": the words nearest to B - A + C.

    Without words, questions are read one a line until an empty line or the end of input.
    """
    vectors = WordVectors.load(file)
    if words:
        _answer(vectors, words, topn, as_json)
        return
    from_terminal = sys.stdin.isatty()
    if from_terminal:
        typer.echo("Three words, such as: man king woman. An empty line ends.", err=True)
    for question in _questions("analogy> " if from_terminal else ""):
        try:
            _answer(vectors, question, topn, as_json)
        except (KeyError, ValueError) as error:
            if not from_terminal:
                raise
            typer.echo(f"error: {one_line(error)}", err=True)


def plot(
    file: options.VectorFile,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="A picture, .png, .svg or .pdf, or an .html page to explore."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Option("--words", "-w", metavar="WORDS", help="Words to draw, between spaces; may be repeated."),
    ] = None,
    top: Annotated[int | None, typer.Option(min=3, help="Draw this many words, the most frequent.")] = None,
    method: Annotated[
        Literal["pca", "umap", "tsne"],
        typer.Option(help="pca needs nothing; umap needs umap-learn, and tsne scikit-learn."),
    ] = "pca",
) -> None:
    """Draw a map of words: those that are near each other in it have similar vectors."""
    from fastw2v.plot import check_picture, write_map

    if words and top:
        raise ValueError("--words and --top were both given; give one of them")
    check_picture(output, page=True)
    check_output(output)
    vectors = WordVectors.load(file)
    selected = to_keys(vectors, " ".join(words).split()) if words else vectors.index_to_key[: top or MAP_WORDS]
    n_labels = write_map(vectors, output, selected, method)
    drawn = len(set(selected))
    room = "" if n_labels == drawn else f", {drawn - n_labels:,} without a label for want of room"
    typer.echo(f"{output}: {drawn:,} words{room}")


def _questions(prompt: str) -> Iterator[list[str]]:
    """Yield the words of each line that is typed or piped in, up to an empty one."""
    with contextlib.suppress(ImportError):  # Windows has none
        import readline  # noqa: F401  # input() gains a history
    try:
        while line := input(prompt).split():
            yield line
    except EOFError:
        if prompt:  # the shell's own prompt should not stand behind ours
            typer.echo(err=True)


def _answer(vectors: WordVectors, words: list[str], topn: int, as_json: bool) -> None:
    if len(words) != 3:
        raise ValueError(f"an analogy takes three words, such as man king woman; given were {len(words)}")
    a, b, c = to_keys(vectors, words)
    answers = vectors.analogy(a, b, c, topn=topn)
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, "c": c, "answers": _scored(answers)}))
        return
    typer.echo(f"{a} is to {b} as {c} is to")
    print_table(["word", "cosine"], ([word, f"{cosine:.3f}"] for word, cosine in answers))


def _scored(answers: list[tuple[Any, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "cosine": cosine} for word, cosine in answers]
