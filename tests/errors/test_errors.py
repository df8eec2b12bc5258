"""Every error of fastw2v is in ``docs/reference/errors.md``, and every row of that page is an error that occurs.

Each section of the page has a module in this folder. Its ``PRODUCERS`` map the message of each row, as it is written in
the page, to functions that cause the error. A function runs in an empty folder of its own, may take `monkeypatch`, and
calls `pytest.skip` on a system that cannot cause the error. The tests compare the whole message and the class of the
error with the row, where ``…`` stands for any text. They also note which ``raise`` statements of the package the
functions execute: each statement must be executed, or be in `OUT_OF_REACH` with the reason.

To add an error, add a row to the page and a function to the module of its section. If an existing row describes the
error, add a function to the list of that row. A message that is built elsewhere and passed to an existing ``raise``
statement is not noticed here; add its row all the same.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import fastw2v
from tests.errors.common import Producer

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
PACKAGE = Path(fastw2v.__file__).parent
SECTIONS = {
    "Reading texts": "texts",
    "Corpora": "corpora",
    "Vocabularies": "vocabularies",
    "Settings of training": "settings",
    "Memory": "memory",
    "Devices and engines": "devices",
    "Ray clusters": "ray_clusters",
    "Training": "training",
    "Validation and logs": "validation",
    "Checkpoints and resume": "checkpoints",
    "Pretrained and frozen vectors": "pretrained",
    "Reading files of vectors": "vector_files",
    "Files of word2vec, GloVe and fastText": "word2vec_files",
    "Files of fastw2v, gensim, projector and StaticEmbedding": "other_files",
    "Vectors from the web and the Hub": "web",
    "Writing files": "writing",
    "Word vectors and queries": "word_vectors",
    "Evaluation": "evaluation",
    "Pictures": "pictures",
    "The explore page": "explore",
    "Data sets": "data_sets",
    "Layers of fastw2v.nn": "layers",
    "Interfaces of gensim, word2vec.c, fastText and the textbook": "interfaces",
    "The command line": "command_line",
    "Internal errors": "internal",
}
"""The sections of the page, and the modules of their producers."""
OUT_OF_REACH: list[tuple[str, str, str]] = [
    (
        "formats/restricted_pickle.py",
        "raise ValueError",
        "a part of the message '…: not a pickle of gensim's word vectors: …' of a damaged pickle",
    ),
    (
        "formats/duplicates.py",
        "raise ValueError('the words are distinct')",
        "the caller has found a repetition",
    ),
    (
        "distributed/cluster.py",
        "raise RuntimeError('the task was stopped",
        "it stops a task for whose result nobody waits",
    ),
    ("kernels/compilation.py", "raise OSError", "it is logged as a warning, and the kernel is compiled"),
    ("backend.py", "raise ValueError(f'a gradient of {N:,} rows", "it needs a GPU and a gradient of two billion rows"),
    ("nn/sparse.py", "raise AttributeError('this gradient is not on", "Python shows the error of __getattr__"),
]
"""Statements that no row describes: the module, the beginning of the statement, and the reason."""
LONGEST_MESSAGE = 450
"""Maximum number of characters of a message, in which the names of files are short."""


class Row(NamedTuple):
    """A row of the page: the class and the message of the error, why it is raised, and what to do."""

    kind: str
    message: str
    why: str
    what_to_do: str


class Outcome(NamedTuple):
    """What a producer raised, and the lines of the package on which it and the errors before it were raised."""

    error: BaseException
    lines: frozenset[tuple[str, int]]


def sections() -> dict[str, list[Row]]:
    """Return the rows of each section of the page."""
    found: dict[str, list[Row]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        lines = [line for line in text.splitlines() if line.startswith("| ")]
        found[title] = [parse(line) for line in lines if not line.startswith(("| Message", "| ---"))]
    return found


def parse(line: str) -> Row:
    """Return a row of a table."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert len(cells) == 3, f"a row has three cells without |: {line}"
    code = re.fullmatch(r"(?:`(\w+)`: )?(?P<marks>`+)(?P<message>.+)(?P=marks)", cells[0])
    assert code, f"the first cell is a message in backticks, with the class of the error before it: {cells[0]}"
    return Row(code[1] or "ValueError", code["message"].strip(), *cells[1:])


def producers(title: str) -> dict[str, list[Producer]]:
    """Return the producers of a section, by the message of the row."""
    return importlib.import_module(f"tests.errors.{SECTIONS[title]}").PRODUCERS


@functools.cache
def outcome(produce: Producer) -> Outcome:
    """Run a producer in an empty folder, and return what it raised."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, pytest.MonkeyPatch.context() as monkeypatch:
        os.chdir(folder)
        try:
            produce(monkeypatch) if inspect.signature(produce).parameters else produce()
        except BaseException as error:
            return Outcome(error, frozenset(lines(error)))
        finally:
            os.chdir(before)
    raise AssertionError(f"no error was raised by {inspect.getsource(produce)}")


def lines(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """Yield the module and the line of each frame of an error, and of the errors that led to it."""
    if error is None:
        return
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            yield path.relative_to(PACKAGE).as_posix(), trace.tb_lineno
        trace = trace.tb_next
    yield from lines(error.__cause__)
    if error.__context__ is not error.__cause__:
        yield from lines(error.__context__)


def statements() -> Iterator[tuple[str, ast.Raise]]:
    """Yield the module and the node of each ``raise`` statement that creates an error, and thus a message."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield path.relative_to(PACKAGE).as_posix(), node


def pattern(message: str) -> str:
    """Return the regular expression of a message of the page."""
    return ".+".join(map(re.escape, message.split("…")))


def text_of(error: BaseException) -> str:
    """Return the message of an error, which the str of a KeyError would quote."""
    return str(error.args[0]) if type(error) is KeyError else str(error)


ROWS = sections()
CASES = [
    (title, row, i)
    for title in SECTIONS
    for row in ROWS.get(title, [])
    for i in range(len(producers(title).get(row.message, [])))
]


def test_the_page_has_the_sections():
    assert list(ROWS) == list(SECTIONS)


@pytest.mark.parametrize("title", SECTIONS)
def test_each_row_has_producers(title: str):
    messages = [row.message for row in ROWS[title]]
    assert len(set(messages)) == len(messages)
    assert set(messages) == set(producers(title))
    assert all(producers(title).values())


@pytest.mark.parametrize(("title", "row", "i"), CASES, ids=[f"{title}: {row.message}" for title, row, _ in CASES])
def test_the_error_is_the_one_of_the_row(title: str, row: Row, i: int):
    error = outcome(producers(title)[row.message][i]).error
    if isinstance(error, pytest.skip.Exception):
        raise error
    assert re.fullmatch(pattern(row.message), text_of(error), re.DOTALL), f"{text_of(error)!r}"
    assert row.kind in [kind.__name__ for kind in getattr(error, "kind", type(error)).__mro__]
    assert len(text_of(error)) <= LONGEST_MESSAGE


@pytest.mark.parametrize("title", SECTIONS)
def test_rows_say_why_and_what_to_do(title: str):
    for row in ROWS[title]:
        for cell in (row.why, row.what_to_do):
            assert re.fullmatch(r"(?:[A-Z`]|gensim).*[.:]", cell), f"a cell is a sentence: {cell}"


def test_every_raise_statement_has_a_row():
    """See the docstring of this module for how to add an error."""
    outcomes = [outcome(one) for title in SECTIONS for many in producers(title).values() for one in many]
    if any(isinstance(one.error, pytest.skip.Exception) for one in outcomes):
        pytest.skip("some errors cannot be caused on this system")
    executed = frozenset().union(*(one.lines for one in outcomes))
    missing, excused = [], set()
    for module, node in statements():
        if any((module, line) in executed for line in range(node.lineno, (node.end_lineno or 0) + 1)):
            continue
        source = ast.unparse(node)
        entries = [entry for entry in OUT_OF_REACH if entry[0] == module and source.startswith(entry[1])]
        excused.update(entries)
        if not entries:
            missing.append(f"{module}:{node.lineno}: {source}")
    assert not missing, "\n".join(["no producer in tests/errors executes these statements:", *missing])
    assert excused == set(OUT_OF_REACH), "these statements are executed, or no longer exist"
