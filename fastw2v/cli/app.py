"""The command-line application: the list of commands, the examples in their help, and the handling of errors."""

from __future__ import annotations

import atexit
import errno
import gc
import itertools
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import fastw2v
from fastw2v.cli.corpus import encode, phrases
from fastw2v.cli.doctor import doctor
from fastw2v.cli.errors import EXPECTED, LONGEST_MESSAGE, describe, messages_as_notes, option_names
from fastw2v.cli.evaluate import evaluate
from fastw2v.cli.explore import explore
from fastw2v.cli.files import align, convert, info
from fastw2v.cli.hub import push
from fastw2v.cli.output import discard_unprinted, note, open_closed_streams, say
from fastw2v.cli.query import analogy, most_similar, plot
from fastw2v.cli.stopping import TIME_LIMIT, Stopped, stop_after, stopping_once
from fastw2v.cli.train import demo, fasttext, plan, resume, train, word2vec
from fastw2v.compat import fasttext as compat_fasttext
from fastw2v.compat import word2vec_c
from fastw2v.utils.duration import parse_duration
from fastw2v.utils.interrupts import calls_in_threads
from fastw2v.utils.quote import shorten

__all__ = ["app", "main"]

UsageError: Any = typer.BadParameter.__base__
"""The class of errors about options. Typer does not export it, and its module depends on the version of Typer."""


class _Command(TyperCommand):
    """A command that prints errors of the library on one line, without a traceback."""

    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))

    def invoke(self, ctx: Any) -> Any:
        options = option_names(self)
        values = {options.get(one.name, str(one.metavar)): ctx.params.get(one.name) for one in self.params}
        if self.name in ("word2vec", "fasttext"):
            options = word2vec_c.OPTIONS if self.name == "word2vec" else compat_fasttext.OPTIONS
            values = {name: value for name, value in itertools.pairwise(ctx.args) if name.startswith("-")}
        limit = ctx.params.get("max_time")
        try:
            seconds = None if limit is None else parse_duration("max_time", limit)
            with messages_as_notes(options), stopping_once(), stop_after(seconds, str(limit)):
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort):  # these subclasses of RuntimeError are not errors
            raise
        except KeyboardInterrupt as stop:
            note(str(stop) or "interrupted")
            raise typer.Exit(stop.status if isinstance(stop, Stopped) else 130) from None
        except EXPECTED as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:  # a reader such as `head` closed the pipe
                raise
            note(f"error: {describe(error, options, values)}")
            raise typer.Exit(2) from error


class _Commands(TyperGroup):
    """The group of all commands. It shortens the errors about options."""

    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            message = error.message.removeprefix("Value error, ")  # Typer adds these words if Pydantic is installed
            error.message = shorten(message, LONGEST_MESSAGE)
            raise


def _without_type(help_option: Any) -> Any:
    """Hide the type of a flag, which Typer would show as ``<bool>``."""
    if help_option is not None:
        help_option.metavar = ""
    return help_option


def _examples(*lines: str) -> str:
    """Return the examples at the end of a help text, with empty lines between them for older versions of Typer."""
    return "\n\n".join(["", "Examples:", *(f"  {line}" for line in lines)])


def _add(panel: str, command: Callable[..., None], *examples: str, **settings: Any) -> None:
    """Add a command to a panel of the main help, and examples to the help of the command."""
    app.command(cls=_Command, rich_help_panel=panel, epilog=_examples(*examples), **settings)(command)


app = typer.Typer(
    cls=_Commands,
    name="fastw2v",
    help="Train word2vec embeddings on text and query the resulting word vectors.",
    epilog=_examples(
        "fastw2v demo",
        "fastw2v train corpus.txt --output vectors.safetensors",
        "fastw2v most-similar vectors.safetensors cat",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order of --help. Example lines of more than 76 characters would wrap in a terminal of 80 columns.
_add(
    "Training",
    train,
    "fastw2v train corpus.txt --output vectors.safetensors",
    "fastw2v train corpus.txt -o vectors.bin --model skipgram --vector-size 300",
    "fastw2v train corpus.w2v -o vectors.bin --plot loss.png --checkpoint run",
    "fastw2v train new.txt -o updated.safetensors --init vectors.safetensors",
)
_add("Training", resume, "fastw2v resume run")
_add(
    "Training",
    word2vec,
    "fastw2v word2vec -train corpus.txt -output vectors.bin -binary 1 -size 200",
    add_help_option=False,  # compat.word2vec_c parses all options and prints the help
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
_add(
    "Training",
    fasttext,
    "fastw2v fasttext skipgram -input corpus.txt -output model -minn 3 -maxn 6",
    add_help_option=False,  # compat.fasttext parses all options and prints the help
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
_add(
    "Training",
    plan,
    "fastw2v plan corpus.txt",
    "fastw2v plan corpus.w2v --vector-size 300 --epochs 10",
)
_add("Training", demo, "fastw2v demo")
_add("Training", doctor, "fastw2v doctor")

_add(
    "Corpora",
    encode,
    "fastw2v encode corpus.txt --output corpus.w2v",
    "fastw2v encode articles -o articles.w2v --lower --vocabulary words.txt",
)
_add(
    "Corpora",
    phrases,
    "fastw2v phrases corpus.txt --output phrases.txt",
    "fastw2v phrases corpus.txt -o phrases.w2v --scoring npmi --passes 2",
)

_add(
    "Queries and evaluation",
    most_similar,
    "fastw2v most-similar vectors.safetensors cat",
    "fastw2v most-similar vectors.safetensors cat dog --topn 5",
)
_add(
    "Queries and evaluation",
    analogy,
    "fastw2v analogy vectors.safetensors man king woman",
    "fastw2v analogy vectors.safetensors",
)
_add(
    "Queries and evaluation",
    evaluate,
    "fastw2v evaluate vectors.safetensors --suite english",
    "fastw2v evaluate vectors.bin --analogies questions.txt --pairs pairs.csv",
)
_add(
    "Queries and evaluation",
    plot,
    "fastw2v plot vectors.safetensors --output map.html",
    'fastw2v plot vectors.safetensors -o map.png --words "cat dog king queen"',
)

_add(
    "Queries and evaluation",
    explore,
    "fastw2v explore vectors.safetensors",
    "fastw2v explore texts-1900.bin texts-2000.bin",
    "fastw2v explore vectors.safetensors --output page.html",
)

_add("Vector files", info, "fastw2v info vectors.safetensors")
_add(
    "Vector files",
    convert,
    "fastw2v convert vectors.safetensors vectors.bin",
    "fastw2v convert glove.6B.300d.txt glove.safetensors",
    "fastw2v convert vectors.safetensors static --to static-embedding",
)
_add(
    "Vector files",
    align,
    "fastw2v align texts-1900.bin texts-2000.bin --output aligned.bin",
)
_add(
    "Vector files",
    push,
    "fastw2v push user/wiki vectors.bin --license cc-by-sa-4.0",
    "fastw2v push user/wiki vectors.bin --license mit --output folder",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"fastw2v {fastw2v.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command-line application."""
    # When Python exits, it searches all objects for reference cycles, which takes 0.13 s with the modules of Numba.
    atexit.register(gc.freeze)
    open_closed_streams()
    try:
        app()
    except OSError as error:  # standard output cannot be written
        note(f"error: standard output: {error.strerror}")
        sys.exit(2)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code >= TIME_LIMIT and calls_in_threads():  # a kernel is being compiled
            discard_unprinted()
            os._exit(end.code)
        raise
    finally:
        discard_unprinted()
