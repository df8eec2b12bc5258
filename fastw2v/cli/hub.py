"""The command push, which uploads vectors to the Hugging Face Hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import load_vectors
from fastw2v.cli.output import say
from fastw2v.cli.paths import check_output
from fastw2v.utils.quote import counted

__all__ = ["push"]


def push(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Repository to write, such as user/wiki-vectors.", show_default=False),
    ],
    file: options.VectorFile,
    license: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Licence of the vectors, as the Hub names it: apache-2.0, mit, cc-by-sa-4.0 and others.",
            show_default="asked for on a terminal",
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Language of the words, such as en or ko. May be repeated."),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Description of the text that the vectors were trained on."),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(metavar="SCORES", help="File with the output of fastw2v evaluate --json."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", metavar="", help="Make a new repository private.")] = False,
    message: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Message of the commit.", show_default="names the version of fastw2v"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write the files to this new folder, and upload nothing. The repository need not exist.",
        ),
    ] = None,
) -> None:
    """Upload vectors with a model card to the Hugging Face Hub.

    The repository is created if necessary. It gets the vectors with all data,
    a StaticEmbedding for sentence-transformers, and a model card, in one
    commit. Log in with hf auth login, or set HF_TOKEN.
    """
    from fastw2v.hub.access import check_name
    from fastw2v.hub.card import check_language, check_license, score_section
    from fastw2v.hub.upload import check_token

    check_name(name)
    for option, value in (("--corpus", corpus), ("--message", message)):
        if value is not None and not value.strip():
            raise ValueError(f"{option} is empty; give a text, or omit it")
    if output is None:
        check_token()
    else:
        if private or message:
            raise ValueError(f"{'--private' if private else '--message'} has no effect with --output; omit one of them")
        if output.exists():
            raise FileExistsError(f"{output} already exists; choose the name of a new folder")
        check_output(output)
    check_language(language)
    score_section(scores)
    if license is None:
        if not sys.stdin.isatty():
            raise ValueError(
                "a repository needs a licence; add --license ID, such as --license cc-by-sa-4.0. The vectors may be "
                "subject to the licence of the corpus"
            )
        license = str(typer.prompt("Licence of the vectors, such as apache-2.0 or cc-by-sa-4.0", err=True)).strip()
    check_license(license)
    vectors = load_vectors(file)
    size = f"{counted(len(vectors), 'word')}, {counted(vectors.vector_size, 'dimension')}"
    if output is not None:
        vectors.save_pretrained(output, name, license=license, language=language, corpus=corpus, scores=scores)
        say(f"{output}: {size}")
        return
    url = vectors.push_to_hub(
        name,
        license=license,
        language=language,
        corpus=corpus,
        scores=scores,
        private=private or None,
        commit_message=message,
    )
    say(f"{name}: {size}")
    say(url)
