"""Input of the commands: corpora, word lists, and conversion of words on the command line to keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fastw2v.cli.errors import parameters_as
from fastw2v.cli.output import note
from fastw2v.config import MIN_COUNT, UnicodeForm, check_integer
from fastw2v.corpus import Corpus
from fastw2v.corpus.sources import Errors, Sources
from fastw2v.utils.download import is_url, name_of_url
from fastw2v.utils.encodings import read_text
from fastw2v.vectors import WordVectors
from fastw2v.vectors.keys import as_keys

__all__ = [
    "file_names",
    "is_encoded",
    "load_vectors",
    "local_path",
    "read_corpus",
    "read_lines",
    "read_words",
    "to_keys",
]

ENCODED_SUFFIX = ".w2v"
BLOCK_BYTES = 1 << 18
"""Maximum number of bytes of standard input that are read at a time."""


def read_corpus(
    sources: Sources,
    *,
    min_count: int = MIN_COUNT,
    max_vocab: int | None = None,
    include: Path | None = None,
    exclude: Path | None = None,
    counts: Path | None = None,
    lower: bool = False,
    normalize: UnicodeForm | None = None,
    encoding: str = "utf-8",
    errors: Errors = "strict",
    workers: int | None = None,
) -> Corpus:
    """Read a text, or open an encoded corpus.

    Parameters
    ----------
    sources : Sources
        Text files, or a single ``.w2v`` file.
    min_count, max_vocab, counts, lower, normalize, encoding, errors, workers
        See `Corpus.from_text`.
    include, exclude : Path, optional
        Text files with the words to keep and to ignore.

    Returns
    -------
    Corpus

    Raises
    ------
    OSError, ValueError
        See `Corpus.from_text` and `Corpus.load`. ValueError is also raised if an encoded corpus is combined with other
        files, or with options that determine the vocabulary.
    """
    check_integer("min_count", min_count, minimum=0)
    for name, value in (("max_vocab", max_vocab), ("workers", workers)):
        if value is not None:
            check_integer(name, value, minimum=1)
    note(f"reading {sources.name}")
    if is_encoded(sources):
        if len(sources) > 1:
            raise ValueError("an encoded corpus cannot be combined with other files; encode all texts together")
        given: dict[str, Any] = {"max_vocab": max_vocab, "include": include, "exclude": exclude, "counts": counts}
        given |= {"lower": lower, "normalize": normalize}
        chosen = [name for name, value in given.items() if value] + ["errors"] * (errors != "strict")
        chosen += ["encoding"] * (encoding != "utf-8")
        chosen += ["min_count"] * (min_count not in (MIN_COUNT, 1))
        if chosen:
            names = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
            raise ValueError(
                f"{sources.name} is already encoded, so {names} would have no effect; encode the text again with "
                "fastw2v encode"
            )
        return Corpus.load(sources.paths[0])
    return Corpus.from_text(
        sources,
        min_count,
        max_vocab=max_vocab,
        include=read_words(include),
        exclude=read_words(exclude),
        counts=counts,
        lower=lower,
        normalize=normalize,
        encoding=encoding,
        errors=errors,
        workers=workers,
    )


def is_encoded(sources: Sources) -> bool:
    """Return whether one of the sources is an encoded corpus."""
    return any(path.suffix == ENCODED_SUFFIX for path in sources)


def local_path(file: str) -> Path | None:
    """Return the path of a vector file, or None if it is the URL of one."""
    return None if is_url(file) else Path(file)


def file_names(files: list[str]) -> list[str]:
    """Return the names of vector files for a page: without their folders, unless the names are then equal."""
    names = [path.name if (path := local_path(file)) else name_of_url(file) for file in files]
    return names if len(set(names)) == len(files) else files


def load_vectors(path: str | Path) -> WordVectors:
    """Read a vector file, or download it if it is a URL.

    Errors that name parameters of the reader name the options of convert instead.
    """
    options = {name: f"fastw2v convert --{name}" for name in ("errors", "encoding", "duplicates")}
    with parameters_as(options | {"format": "fastw2v convert --from"}):
        return WordVectors.load(path)


def read_lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a stream in blocks, without line breaks.

    Lines are yielded as soon as they are read, so a program can write one line to a pipe and wait for its vector.
    """
    begun: list[bytes] = []  # parts of a line whose end has not been read
    while data := stream.read1(BLOCK_BYTES):  # type: ignore[attr-defined]
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*begun, lines[0]])
            begun = []
            yield lines
        begun.append(rest)
    if last := b"".join(begun):
        yield [last]


def read_words(path: Path | None) -> list[str]:
    """Return the words of a text file, or an empty list if `path` is None."""
    return [] if path is None else read_text(path).split()


def to_keys(vectors: WordVectors, words: list[str]) -> list[Any]:
    """Convert words on the command line to keys of the vectors, that is, to integers if the keys are integers.

    Raises
    ------
    ValueError
        If the keys are integers, but a word is not.
    """
    return as_keys(vectors.index_to_key, words, "the vectors")
