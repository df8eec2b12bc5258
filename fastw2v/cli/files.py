"""Commands for files of word vectors: info, convert and align."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from fastw2v import formats
from fastw2v.cli import options
from fastw2v.cli.inputs import load_vectors, local_path, read_words, to_keys
from fastw2v.cli.output import format_number, note, print_facts, print_json, say
from fastw2v.cli.paths import check_not_input, check_vector_output
from fastw2v.config import StoredType
from fastw2v.formats.registry import written_format
from fastw2v.utils.download import cached_path, name_of_url
from fastw2v.utils.quote import counted
from fastw2v.vectors import WordVectors
from fastw2v.vectors.normalize import take_rows

__all__ = ["align", "convert", "info", "note_fasttext_model"]


DecodingErrors = Literal["strict", "surrogateescape", "replace", "ignore"]


def info(file: options.VectorFile, as_json: options.AsJson = False) -> None:
    """Show the contents of a vector file."""
    vectors = load_vectors(file)
    path = local_path(file) or cached_path(file)
    name = file if local_path(file) else name_of_url(file)
    if as_json:
        print_json(
            _summary(path, vectors)
            | {"file": name}
            | {
                "dtype": str(vectors.stored.dtype),
                "first_words": vectors.index_to_key[:10],
                "total_count": None if vectors.counts is None else int(vectors.counts.sum()),
                "context_vectors": vectors.context_vectors is not None,
                "node_vectors": vectors.node_vectors is not None,
                "subwords": None if vectors.subwords is None else vectors.subwords.ngrams._asdict(),
                "settings": vectors.settings,
            }
        )
        return
    facts = {
        "file": f"{name}, {counted(_total_bytes(path), 'byte')}",
        "words": f"{len(vectors):,}",
        "dimensions": f"{vectors.vector_size}, {vectors.stored.dtype}",
        "first words": " ".join(map(str, vectors.index_to_key[:10])),
        "counts": "no" if vectors.counts is None else f"yes, {int(vectors.counts.sum()):,} in total",
        "context vectors": "no" if vectors.context_vectors is None else "yes",
        "node vectors": "no" if vectors.node_vectors is None else "yes",
    }
    if vectors.subwords is not None:
        ngrams = vectors.subwords.ngrams
        hashed = "fastText's" if ngrams.hash_count is None else f"floret's {ngrams.hash_count}"
        facts["subwords"] = (
            f"{ngrams.min_n} to {ngrams.max_n} {ngrams.units}, {counted(vectors.subwords.n_rows, 'row')}, "
            f"{counted(ngrams.bucket, 'bucket')} of {hashed} {'hash' if ngrams.hash_count in (None, 1) else 'hashes'}"
        )
    settings = vectors.settings or {}
    arguments = settings.get("fasttext")
    for name, value in (settings | (arguments if isinstance(arguments, dict) else {})).items():
        if not isinstance(value, (dict, list)):  # such as the loss history; --json shows everything
            facts[name] = str(value)
    print_facts(facts)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help=f"Vector file to read: {options.VECTOR_INPUTS}", show_default=False)
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help=f"Vector file to write: {options.VECTOR_FILES}.", show_default=False),
    ],
    source_format: Annotated[
        options.FormatName | None, typer.Option("--from", help="Format of IN.", show_default="from the suffix")
    ] = None,
    target_format: Annotated[
        options.FormatName | None, typer.Option("--to", help="Format of OUT.", show_default="from the suffix")
    ] = None,
    dtype: Annotated[
        StoredType | None,
        typer.Option(
            help="Type of the numbers in a .safetensors or .npz file. float16 halves the file. int8, with one scale a "
            "row, quarters it and leaves out the matrices that only training needs.",
            show_default="as in IN",
        ),
    ] = None,
    encoding: options.WordEncoding = "utf-8",
    errors: Annotated[
        DecodingErrors,
        typer.Option(
            help="How to handle words that are not in this encoding: stop with an error, keep their bytes, replace the "
            "bytes with U+FFFD, or ignore them. Bytes that are kept cannot be written to a static-embedding folder."
        ),
    ] = "strict",
    duplicates: options.DuplicateWords = "error",
    as_json: options.AsJson = False,
) -> None:
    """Convert a vector file to another format."""
    check_vector_output(target, target_format, "--to", dtype)
    check_not_input([target], [local_path(source)])
    vectors = WordVectors.load(source, source_format, errors=errors, encoding=encoding, duplicates=duplicates)
    if dtype is not None:
        complete, vectors = vectors, vectors.astype(dtype)
        _note_left_out(complete, vectors)
    vectors.save(target, target_format)
    _print_written(target, vectors, as_json, target_format)


def _note_left_out(vectors: WordVectors, converted: WordVectors) -> None:
    """Say which matrices a conversion left out."""
    names = ("context_vectors", "node_vectors")
    left_out = [name for name in names if getattr(vectors, name) is not None and getattr(converted, name) is None]
    if vectors.stored_input is not vectors.stored and not vectors.has_subwords and converted.stored.dtype == np.int8:
        left_out.append("input_vectors")
    if left_out:
        note(f"left out {' and '.join(left_out)}, which only training needs")


def align(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Vectors to rotate.", show_default=False)],
    onto: Annotated[
        str, typer.Argument(metavar="ONTO", help="Reference vectors, which are not rotated.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="File to write the rotated vectors to.")
    ],
    words: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with the words whose vectors determine the rotation.",
            show_default="all common words",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Rotate vectors to match those of another training run, so that words can be compared across both."""
    check_vector_output(output)
    check_not_input([output], [local_path(file), local_path(onto), words])
    vectors, other = load_vectors(file), load_vectors(onto)
    aligned = vectors.align(other, None if words is None else to_keys(vectors, read_words(words)))
    aligned.save(output)
    common = [word for word in aligned if other.get_index(word, -1) >= 0]
    here, there = (take_rows(wv.stored_unit, [wv.get_index(word) for word in common]) for wv in (aligned, other))
    more = {"common_words": len(common), "mean_cosine": float(np.mean(np.sum(here * there, axis=1)))}
    _print_written(output, aligned, as_json, more=more)


def _summary(path: Path, vectors: WordVectors) -> dict[str, Any]:
    return {
        "file": str(path),
        "bytes": _total_bytes(path),
        "words": len(vectors),
        "dimensions": vectors.vector_size,
    }


def note_fasttext_model(path: Path, vectors: WordVectors, format: str | None = None) -> None:
    """Say that a file with the suffix .bin is a model of fastText, which it is only for vectors with subwords."""
    kind = formats.format_of(path, format)
    if written_format(vectors.subwords, kind, format) != kind:
        note(
            f"{path} is a fastText model, because the vectors have subwords; convert --to bin writes word2vec's format"
        )


def _total_bytes(path: Path) -> int:
    """Return the size of a file, or the total size of the files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _print_written(
    path: Path, vectors: WordVectors, as_json: bool, format: str | None = None, more: dict[str, Any] | None = None
) -> None:
    note_fasttext_model(path, vectors, format)
    summary = _summary(path, vectors) | (more or {})
    if as_json:
        print_json(summary)
        return
    sizes = [(len(vectors), "word"), (vectors.vector_size, "dimension"), (summary["bytes"], "byte")]
    say(f"{path}: {', '.join(counted(*size) for size in sizes)}")
    for name, value in (more or {}).items():
        shown = format_number(value) if isinstance(value, float) else f"{value:,}"
        say(f"{name.replace('_', ' ')}: {shown}")
