"""The command explore, which shows word vectors in a browser."""

from __future__ import annotations

import contextlib
import signal
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import file_names, load_vectors, local_path
from fastw2v.cli.output import note, say
from fastw2v.cli.paths import check_not_input, check_output
from fastw2v.cli.stopping import Stopped
from fastw2v.utils.quote import counted

__all__ = ["explore"]


def explore(
    file: options.VectorFile,
    other: Annotated[
        str | None,
        typer.Argument(metavar="OTHER", help="Vectors to compare with FILE.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Write a self-contained page (.html) instead of serving it."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="Number of words on the map, starting with the most frequent.")
    ] = 100_000,
    method: options.MapMethod = "auto",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1.", show_default="any free port")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar="", help="Print the address, but do not open a browser.")
    ] = False,
) -> None:
    """Search words, see their neighbours and explore a map in a browser.

    The page is served on this machine until you press Ctrl-C. The address
    contains a random token, and only requests with it are answered. With
    --output, the page is written to a file, which you can send to others.
    """
    from fastw2v.explore import ExploreServer, write_page
    from fastw2v.explore.page import check_page

    if output is not None:
        check_page(output)
        check_output(output)
        check_not_input([output], [local_path(one) for one in (file, other) if one is not None])
        chosen = [name for name, given in (("--port", port), ("--no-browser", no_browser)) if given]
        if chosen:
            raise ValueError(f"{' and '.join(chosen)} would have no effect with --output; omit one of them")
    vectors = load_vectors(file)
    compared = None if other is None else load_vectors(other)
    names = file_names([file] if other is None else [file, other])
    if output is not None:
        n_words = write_page(vectors, output, compared, top=top, method=method, names=names)
        say(f"{output}: {counted(n_words, 'word')}, {counted(output.stat().st_size, 'byte')}")
        return
    with contextlib.closing(ExploreServer(vectors, compared, top=top, method=method, port=port, names=names)) as server:
        say(server.url)
        note("Press Ctrl-C to stop.")
        if not no_browser:
            # Some browsers run in the terminal, and the call returns when they end.
            threading.Thread(target=_open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except Stopped as stop:
            if stop.status != 128 + signal.SIGINT:
                raise
            note("stopped")


def _open(url: str) -> None:
    opened = False
    with contextlib.suppress(webbrowser.Error):
        opened = webbrowser.open(url)
    if not opened:
        note("no browser was found; open the address in a browser on this machine")
