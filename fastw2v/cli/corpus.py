"""Commands that write a new corpus from a text: encode (word ids) and phrases (joined words)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import ENCODED_SUFFIX, read_corpus, read_words
from fastw2v.cli.output import print_facts
from fastw2v.cli.paths import check_not_input, check_output
from fastw2v.config import MIN_COUNT
from fastw2v.corpus import phrases as phrase_scores
from fastw2v.corpus.sources import expand_source
from fastw2v.utils.quote import counted

__all__ = ["encode", "phrases"]

DEFAULT_THRESHOLDS: dict[str, float] = {"default": 10.0, "npmi": 0.5}
"""Default of ``--threshold``, by ``--scoring``."""


def encode(
    corpus: options.CorpusFiles,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Encoded corpus to write (.w2v). The command train accepts it in place of the text.",
        ),
    ],
    min_count: options.MinCount = MIN_COUNT,
    max_vocab: options.MaxVocab = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    counts: options.Counts = None,
    lower: options.Lower = False,
    normalize: options.Normalize = None,
    encoding: options.Encoding = "utf-8",
    errors: options.DecodingErrors = "strict",
    vocabulary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the words and their counts to this file, one word per line."),
    ] = None,
    workers: options.Workers = None,
) -> None:
    """Convert a text to word ids once, for use in several training runs."""
    if output.suffix != ENCODED_SUFFIX:
        raise ValueError(f"{output}: the name of an encoded corpus must end in {ENCODED_SUFFIX}")
    check_output(output)
    if vocabulary is not None:
        check_output(vocabulary)
    sources = expand_source(corpus)
    check_not_input([output, vocabulary], [*sources, include, exclude, counts])
    start = time.perf_counter()
    text = read_corpus(
        sources,
        min_count=min_count,
        max_vocab=max_vocab,
        include=include,
        exclude=exclude,
        counts=counts,
        lower=lower,
        normalize=normalize,
        encoding=encoding,
        errors=errors,
        workers=workers,
    )
    text.save(output)
    if vocabulary is not None:
        text.vocabulary.save(vocabulary)
    seconds = time.perf_counter() - start
    print_facts(
        {
            "words": f"{len(text):,} in {counted(text.n_sentences, 'sentence')}",
            "vocabulary": counted(len(text.vocabulary), "word"),
            "time": f"{seconds:.1f} s, {len(text) / seconds:,.0f} words/s",
            "file": f"{output}, {counted(output.stat().st_size, 'byte')}",
        }
    )


def phrases(
    corpus: options.CorpusFiles,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write: an encoded corpus if the name ends in .w2v, otherwise text.",
        ),
    ],
    min_count: Annotated[
        int, typer.Option(help="Do not join pairs that occur fewer times than this number.")
    ] = MIN_COUNT,
    threshold: Annotated[
        float | None,
        typer.Option(help="Join pairs whose score is above this value.", show_default="10, or 0.5 with npmi"),
    ] = None,
    scoring: Annotated[
        phrase_scores.Scoring,
        typer.Option(help="Score of Mikolov et al. (default), or normalised pointwise mutual information (npmi)."),
    ] = "default",
    passes: Annotated[
        int, typer.Option(min=1, help="Number of passes. Two passes give phrases of up to four words.")
    ] = 1,
    delimiter: Annotated[str, typer.Option(help="Text between the words of a phrase.")] = "_",
    connector_words: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of words that may occur inside a phrase but not at its start or end."),
    ] = None,
    lower: options.Lower = False,
    normalize: options.Normalize = None,
    encoding: options.Encoding = "utf-8",
    errors: options.DecodingErrors = "strict",
    workers: options.Workers = None,
) -> None:
    """Join words that often occur next to each other, such as new_york."""
    check_output(output)
    sources = expand_source(corpus)
    check_not_input([output], [*sources, connector_words])
    threshold = DEFAULT_THRESHOLDS[scoring] if threshold is None else threshold
    text = read_corpus(
        sources, min_count=1, lower=lower, normalize=normalize, encoding=encoding, errors=errors, workers=workers
    )
    connectors = read_words(connector_words)
    start = time.perf_counter()
    scores: dict[str, float] = {}
    for _ in range(passes):
        found = phrase_scores.find_phrases(
            text, min_count, threshold, scoring=scoring, connector_words=connectors, delimiter=delimiter
        )
        text = phrase_scores.join_phrases(text, found)
        scores |= {delimiter.join(words): score for words, score in found.scores.items()}
    if output.suffix == ENCODED_SUFFIX:
        text.save(output)
    else:
        text.write_text(output)
    print_facts(
        {
            "phrases": f"{len(scores):,}",
            "highest": " ".join(sorted(scores, key=lambda phrase: -scores[phrase])[:10]),
            "words": f"{len(text):,} in {counted(text.n_sentences, 'sentence')}, {len(text.vocabulary):,} distinct",
            "time": f"{time.perf_counter() - start:.1f} s",
            "file": f"{output}, {counted(output.stat().st_size, 'byte')}",
        }
    )
