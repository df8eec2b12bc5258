"""The application: its list of commands, and how errors end."""

from __future__ import annotations

import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import fastw2v
from fastw2v.cli.corpus import encode, phrases
from fastw2v.cli.doctor import doctor
from fastw2v.cli.evaluate import evaluate
from fastw2v.cli.files import align, convert, info
from fastw2v.cli.output import one_line
from fastw2v.cli.query import analogy, most_similar, plot
from fastw2v.cli.train import demo, plan, train, word2vec

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """The commands, with errors as one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):  # they are RuntimeErrors, but not errors
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except (
            ValueError, TypeError, OSError, KeyError, RuntimeError, ArithmeticError, MemoryError, ImportError,
        ) as error:  # fmt: skip
            if isinstance(error, OSError) and error.errno == errno.EPIPE:  # the reader, such as `head`, has enough
                raise
            typer.echo(f"error: {one_line(error)}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Commands,
    name="fastw2v",
    help="Train word2vec vectors on a text, and ask them questions.",
    epilog="Begin with: fastw2v demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order of --help, by panel.
app.command(rich_help_panel="Train")(train)
app.command(
    rich_help_panel="Train",
    add_help_option=False,  # word2vec.c's own options follow, which compat.word2vec_c parses
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)(word2vec)
app.command(rich_help_panel="Train")(plan)
app.command(rich_help_panel="Train")(demo)

app.command(rich_help_panel="Files")(encode)
app.command(rich_help_panel="Files")(phrases)
app.command(rich_help_panel="Files")(info)
app.command(rich_help_panel="Files")(convert)
app.command(rich_help_panel="Files")(align)
app.command(rich_help_panel="Files")(doctor)

app.command(rich_help_panel="Ask")(most_similar)
app.command(rich_help_panel="Ask")(analogy)
app.command(rich_help_panel="Ask")(evaluate)
app.command(rich_help_panel="Ask")(plot)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastw2v {fastw2v.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
