"""The command line: ``fastw2v train corpus.txt --output vectors.safetensors``, and questions about the result.

Errors that a user can cause are one line on standard error and exit status 2; results go to standard output.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import fastw2v
from fastw2v import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastw2v.corpus import Corpus
    from fastw2v.evaluate import SectionResult
    from fastw2v.vectors import WordVectors
    from fastw2v.word2vec import Engine, Word2Vec

__all__ = ["app", "main"]

MIN_COUNT = 5
DEMO_NEIGHBOURS = ("list", "read", "encode", "min", "first", "true", "start", "float")
DEMO_ANALOGY = ("read", "reader", "write")


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
            typer.echo(f"error: {terminal.one_line(error)}", err=True)
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

VECTOR_FILES = ".safetensors, .npz, .bin, .txt, .vec or .glove (also .gz of the last four), or .tsv"
VectorFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=f"Word vectors: {VECTOR_FILES}; a StaticEmbedding folder, or gensim's .kv.",
        show_default=False,
    ),
]
FormatName = Literal["safetensors", "bin", "txt", "glove", "npz", "projector", "static-embedding", "gensim"]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
CorpusFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="CORPUS",
        help="UTF-8 text, a sentence a line, words between spaces: files, folders or patterns; also .gz, .bz2, .xz, "
        ".zst, and - for standard input. Or one encoded corpus, .w2v.",
        show_default=False,
    ),
]
MinCount = Annotated[int, typer.Option(help="Leave out words that occur less often.")]
MaxVocab = Annotated[int | None, typer.Option(help="Take only this many words, the most frequent.")]
Include = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Take the words in this file, however rare they are.")
]
Exclude = Annotated[Path | None, typer.Option(metavar="FILE", help="Leave out the words in this file.")]
Counts = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take words and counts from this file, a word and its count a line."),
]
Lower = Annotated[bool, typer.Option("--lower", help="Take words in lower case.")]
DecodingErrors = Annotated[
    Literal["strict", "replace", "ignore"],
    typer.Option(help="What to do with bytes that are not UTF-8: refuse, take U+FFFD for them, or drop them."),
]
Workers = Annotated[int | None, typer.Option(help="Threads.", show_default="all cores")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|cuda:N", help="Where to train; cuda:1 is the second GPU.")]
TopN = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many words to list.")]


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


@app.command(rich_help_panel="Train")
def train(
    corpus: CorpusFiles,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Where to write: {VECTOR_FILES}. .safetensors and .npz keep everything.",
        ),
    ],
    model: Annotated[
        Literal["cbow", "skipgram"],
        typer.Option(help="Predict a word from its neighbours (cbow), or each neighbour from the word."),
    ] = "cbow",
    vector_size: Annotated[
        int | None, typer.Option(help="Dimensions of a vector.", show_default="100, or those of --init")
    ] = None,
    window: Annotated[int, typer.Option(help="Neighbours on each side, at most.")] = 5,
    negative: Annotated[int, typer.Option(help="Negative samples for each word.")] = 5,
    sample: Annotated[float, typer.Option(help="Thin out words more frequent than this share; 0 keeps all.")] = 1e-3,
    min_count: MinCount = MIN_COUNT,
    max_vocab: MaxVocab = None,
    include: Include = None,
    exclude: Exclude = None,
    counts: Counts = None,
    lower: Lower = False,
    errors: DecodingErrors = "strict",
    init: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Begin with these vectors for the words they have, not with random ones."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Learning rate at the start; one that served gensim or word2vec.c serves here.",
            show_default="fitting the model",
        ),
    ] = None,
    min_alpha: Annotated[float, typer.Option(help="Learning rate at the end.")] = 1e-4,
    workers: Workers = None,
    device: Device = "auto",
    engine: Annotated[
        Literal["auto", "fused", "layers"],
        typer.Option(help="Fused kernels (fast), or layers (plain array code, everywhere)."),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="The same seed draws the same random numbers on every machine.")] = 1,
    ns_exponent: Annotated[float, typer.Option(help="Negatives are drawn by counts to this power.")] = 0.75,
    cbow_grad: Annotated[
        Literal["mean", "balanced", "sum"] | None,
        typer.Option(
            help="cbow: divide the gradient by the number of neighbours (mean), by less, or not (sum, as gensim).",
            show_default="balanced, or sum with --alpha",
        ),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Give the same bytes each time, on one thread or in a fixed order.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the curve of the loss: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Train word vectors on a text, or on an encoded corpus."""
    from fastw2v.plot import check_picture, write_loss
    from fastw2v.word2vec import Word2Vec, check_init, choose_engine

    _check_output(output)
    if plot is not None:
        check_picture(plot)
        _check_folder(plot)
    _check_apart([output, plot], [*corpus, include, exclude, counts, init])
    choose_engine(engine, device, deterministic)  # a missing GPU is better known before the text is read
    known = None if init is None else _read(init)
    if vector_size is None:
        vector_size = 100 if known is None else known.vector_size
    elif known is not None:
        check_init(known, vector_size)
    word2vec = Word2Vec(
        vector_size=vector_size,
        window=window,
        min_count=min_count,
        negative=negative,
        ns_exponent=ns_exponent,
        sample=sample,
        alpha=alpha,
        min_alpha=min_alpha,
        epochs=epochs,
        sg=int(model == "skipgram"),
        workers=workers,
        seed=seed,
        cbow_grad=cbow_grad,
        device=device,
        engine=engine,
        deterministic=deterministic,
    )
    text = _read_corpus(corpus, min_count, max_vocab, include, exclude, counts, lower, errors, workers)
    typer.echo(f"training on {len(text):,} words, {len(text.vocabulary):,} of them distinct", err=True)
    seconds = _fit(word2vec, text, known)
    _save(word2vec.wv, output)
    if plot is not None:
        write_loss(word2vec.loss_history, plot)
    terminal.print_facts(
        {
            "words": f"{len(text):,} in {text.n_sentences:,} sentences, {epochs} times",
            "vocabulary": f"{len(text.vocabulary):,} words",
            **({} if init is None else {"beginning": f"{word2vec.known_words_:,} words as in {init}"}),
            "time": f"{seconds:.1f} s, {len(text) * epochs / seconds:,.0f} words/s",
            "loss": _last_loss(word2vec),
            "engine": f"{word2vec.engine_} on {word2vec.device_}: {word2vec.report_}",
            "file": f"{output}, {output.stat().st_size:,} bytes",
        }
    )


@app.command(
    rich_help_panel="Train",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def word2vec(context: typer.Context) -> None:
    """Train with the options of word2vec.c: -train corpus.txt -output vectors.txt -cbow 1 -size 100."""
    from fastw2v import ctool
    from fastw2v.corpus import Corpus
    from fastw2v.vocab import Vocabulary
    from fastw2v.word2vec import Word2Vec

    options = ctool.parse(context.args or ["--help"])
    for path in (options.output, options.save_vocab):
        if path is not None:
            _check_folder(path)
    _check_apart([options.output, options.save_vocab], [options.train, options.read_vocab])
    estimator = Word2Vec(
        vector_size=options.size,
        window=options.window,
        min_count=options.min_count,
        negative=options.negative,
        sample=options.sample,
        alpha=options.alpha,
        min_alpha=1e-4 if options.alpha is None else 1e-4 * options.alpha,  # as the C tool
        epochs=options.iter,
        sg=int(not options.cbow),
        workers=options.threads,
    )
    # In a text the C tool takes this word for the end of a line, and in a vocabulary it counts the lines.
    text = Corpus.from_text(
        options.train,
        options.min_count,
        exclude=["</s>"],
        counts=options.read_vocab,
        workers=options.threads,
    )
    words = text.vocabulary
    if options.save_vocab is not None:
        Vocabulary(["</s>", *words.words], [text.n_sentences, *words.counts.tolist()]).save(options.save_vocab)
    if options.output is None:
        return
    if options.debug:
        typer.echo(f"training on {len(text):,} words, {len(words):,} of them distinct", err=True)
    start = time.perf_counter()
    estimator.fit(text, progress=None if options.debug else _quiet)
    seconds = time.perf_counter() - start
    _save(estimator.wv, options.output, "bin" if options.binary else "txt")
    if options.debug:
        typer.echo(f"{options.output}: {len(text) * options.iter / seconds:,.0f} words/s", err=True)


@app.command(rich_help_panel="Files")
def encode(
    corpus: CorpusFiles,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The encoded corpus, .w2v: train takes it like a text."),
    ],
    min_count: MinCount = MIN_COUNT,
    max_vocab: MaxVocab = None,
    include: Include = None,
    exclude: Exclude = None,
    counts: Counts = None,
    lower: Lower = False,
    errors: DecodingErrors = "strict",
    vocabulary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the words and their counts, one a line.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Turn a text into numbered words once, for many trainings."""
    if output.suffix != ".w2v":
        raise ValueError(f"{output}: the suffix of an encoded corpus is .w2v")
    _check_folder(output)
    if vocabulary is not None:
        _check_folder(vocabulary)
    _check_apart([output, vocabulary], [*corpus, include, exclude, counts])
    start = time.perf_counter()
    text = _read_corpus(corpus, min_count, max_vocab, include, exclude, counts, lower, errors, workers)
    text.save(output)
    if vocabulary is not None:
        text.vocabulary.save(vocabulary)
    seconds = time.perf_counter() - start
    terminal.print_facts(
        {
            "words": f"{len(text):,} in {text.n_sentences:,} sentences",
            "vocabulary": f"{len(text.vocabulary):,} words",
            "time": f"{seconds:.1f} s, {len(text) / seconds:,.0f} words/s",
            "file": f"{output}, {output.stat().st_size:,} bytes",
        }
    )


@app.command(rich_help_panel="Train")
def plan(
    corpus: CorpusFiles,
    model: Annotated[Literal["cbow", "skipgram"], typer.Option(help="As for train.")] = "cbow",
    vector_size: Annotated[int, typer.Option(help="Dimensions of a vector.")] = 100,
    window: Annotated[int, typer.Option(help="Neighbours on each side, at most.")] = 5,
    negative: Annotated[int, typer.Option(help="Negative samples for each word.")] = 5,
    min_count: MinCount = MIN_COUNT,
    max_vocab: MaxVocab = None,
    lower: Lower = False,
    errors: DecodingErrors = "strict",
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    workers: Workers = None,
    device: Device = "auto",
    engine: Annotated[Literal["auto", "fused", "layers"], typer.Option(help="As for train.")] = "auto",
) -> None:
    """Say what a training would take: words, memory for each part, and time. Nothing is written."""
    from fastw2v.plan import size
    from fastw2v.word2vec import Word2Vec

    word2vec = Word2Vec(
        vector_size=vector_size,
        window=window,
        min_count=min_count,
        negative=negative,
        epochs=epochs,
        sg=int(model == "skipgram"),
        workers=workers,
        device=device,
        engine=engine,
    )
    start = time.perf_counter()
    text = _read_corpus(corpus, min_count, max_vocab, None, None, None, lower, errors, workers)
    reading = time.perf_counter() - start
    planned = word2vec.plan(text)
    facts = {
        "words": f"{planned.tokens:,} in {planned.sentences:,} sentences, {planned.epochs} times",
        "vocabulary": f"{planned.vocabulary:,} words",
        "engine": f"{planned.engine} on {planned.device}",
    }
    for part in planned.parts:
        facts[f"{part.place}: {part.name}"] = size(part.bytes)
    for place, free in planned.free.items():
        facts[f"{place}, to be taken"] = f"{size(planned.needed(place))} of {size(free)} that are free"
    facts["reading"] = f"{reading:.1f} s"
    if planned.seconds is not None:
        facts["training"] = f"about {terminal.duration(planned.seconds)}, at {planned.words_per_second:,.0f} words/s"
    terminal.print_facts(facts)
    if problem := planned.problem():
        raise MemoryError(problem)


@app.command(rich_help_panel="Files")
def phrases(
    corpus: CorpusFiles,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write: a text, or an encoded corpus if .w2v."),
    ],
    min_count: Annotated[int, typer.Option(help="Leave apart pairs that occur less often.")] = MIN_COUNT,
    threshold: Annotated[
        float | None, typer.Option(help="Join pairs that score above this.", show_default="10, or 0.5 for npmi")
    ] = None,
    scoring: Annotated[
        Literal["default", "npmi"], typer.Option(help="Mikolov's score, or normalised mutual information.")
    ] = "default",
    passes: Annotated[int, typer.Option(min=1, help="Two make phrases of up to four words, and so on.")] = 1,
    delimiter: Annotated[str, typer.Option(help="Stands between the words of a phrase.")] = "_",
    connector_words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Words that may stand inside a phrase, but not at its ends.")
    ] = None,
    lower: Lower = False,
    errors: DecodingErrors = "strict",
    workers: Workers = None,
) -> None:
    """Join words that often stand side by side, such as new_york."""
    from fastw2v.phrases import find_phrases, join_phrases

    _check_folder(output)
    _check_apart([output], [*corpus, connector_words])
    threshold = {"default": 10.0, "npmi": 0.5}[scoring] if threshold is None else threshold
    text = _read_corpus(corpus, 1, None, None, None, None, lower, errors, workers)
    connectors = _words_in(connector_words)
    start = time.perf_counter()
    best: dict[str, float] = {}
    for _ in range(passes):
        found = find_phrases(
            text, min_count, threshold, scoring=scoring, connector_words=connectors, delimiter=delimiter
        )
        text = join_phrases(text, found)
        best |= {delimiter.join(words): score for words, score in found.scores.items()}
    if output.suffix == ".w2v":
        text.save(output)
    else:
        text.write_text(output)
    terminal.print_facts(
        {
            "phrases": f"{len(best):,}",
            "highest": " ".join(sorted(best, key=lambda phrase: -best[phrase])[:10]),
            "words": f"{len(text):,} in {text.n_sentences:,} sentences, {len(text.vocabulary):,} of them distinct",
            "time": f"{time.perf_counter() - start:.1f} s",
            "file": f"{output}, {output.stat().st_size:,} bytes",
        }
    )


@app.command(rich_help_panel="Ask")
def most_similar(
    file: VectorFile,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="One column for each.", show_default=False)],
    topn: TopN = 10,
    as_json: AsJson = False,
) -> None:
    """List the nearest neighbours of words."""
    vectors = _read(file)
    columns = [vectors.most_similar(word, topn=topn) for word in _keys(vectors, words)]
    if as_json:
        terminal.print_json({word: _scored(column) for word, column in zip(words, columns, strict=True)})
        return
    table = terminal.table(*words, left=len(words))
    for row in zip(*columns, strict=True):
        table.add_row(*(terminal.text(f"{word} {cosine:.3f}") for word, cosine in row))
    terminal.print_table(table)


@app.command(rich_help_panel="Ask")
def analogy(
    file: VectorFile,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B C",
            help="A is to B as C is to ...: man king woman. Without them you are asked.",
            show_default=False,
        ),
    ] = None,
    topn: TopN = 10,
    as_json: AsJson = False,
) -> None:
    """Complete "A is to B as C is to ...": the words nearest to B - A + C.

    Without words, questions are read one a line until an empty line or the end of input.
    """
    vectors = _read(file)
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
            typer.echo(f"error: {terminal.one_line(error)}", err=True)


@app.command(rich_help_panel="Ask")
def evaluate(
    file: VectorFile,
    suite: Annotated[
        Literal["english", "korean"] | None,
        typer.Option(
            help="The public sets of a language, downloaded once.", show_default="english, without other files"
        ),
    ] = None,
    analogies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Analogies in the form of questions-words.txt.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Word pairs with a human score, between spaces, or .csv; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Take the suite's files from here.", show_default="the folder in FASTW2V_DATA"
        ),
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option(min=1, help="Analogies: use only this many most frequent words.")
    ] = 30_000,
    as_json: AsJson = False,
) -> None:
    """Score vectors by analogies and by word pairs: on public sets, or on files of your own.

    english: Mikolov's questions-words; MC-30, MEN, MTurk-287, RG-65, SimLex-999 and WordSim-353.

    korean: the analogies and the WordSim-353 of Park et al. (2018).
    """
    from fastw2v.datasets import load_suite
    from fastw2v.evaluate import analogies as answer
    from fastw2v.evaluate import read_analogies, read_pairs, word_pairs

    if suite is not None and (analogies is not None or pairs):
        raise ValueError("--suite and files of your own were both given; give one of them")
    if data is not None and (analogies is not None or pairs):
        raise ValueError("--data holds the files of a suite; --analogies and --pairs name files themselves")
    vectors = _read(file)
    sets = {str(path): path for path in pairs or ()}
    if analogies is None and not pairs:
        public = load_suite(suite or "english", data)
        suite, analogies, sets = suite or "english", public.analogies, public.pairs
    answered = answer(vectors, read_analogies(analogies), restrict_vocab) if analogies is not None else None
    correlated = {name: word_pairs(vectors, read_pairs(path)) for name, path in sets.items()}
    if as_json:
        terminal.print_json(
            {
                "file": str(file),
                "suite": suite,
                "analogies": [_section(section) for section in (*answered.sections, answered.overall)]
                if answered
                else [],
                "pairs": [
                    {
                        "name": name,
                        "file": str(sets[name]),
                        "spearman": terminal.finite(result.spearman),
                        "pearson": terminal.finite(result.pearson),
                        "interval": [terminal.finite(bound) for bound in result.interval],
                        "covered": result.covered,
                        "total": result.total,
                        "coverage": result.coverage,
                    }
                    for name, result in correlated.items()
                ],
            }
        )
        return
    if answered:
        typer.echo(f"Analogies among the {restrict_vocab:,} most frequent words:")
        table = terminal.table("section", "correct", "covered", "%")
        for section in (*answered.sections, answered.overall):
            if section is answered.overall:
                table.add_section()
            covered = f"{section.covered:,} of {section.total:,}"
            table.add_row(
                terminal.text(section.name), f"{section.correct:,}", covered, terminal.percent(section.accuracy)
            )
        terminal.print_table(table)
    if correlated:
        typer.echo("Correlation with people's judgements of word pairs:")
        table = terminal.table("pairs", "Spearman", "95 %", "Pearson", "covered")
        for name, result in correlated.items():
            covered = f"{result.covered:,} of {result.total:,}"
            table.add_row(
                terminal.text(name if suite else sets[name].name),
                terminal.decimals(result.spearman),
                " to ".join(map(terminal.decimals, result.interval)),
                terminal.decimals(result.pearson),
                covered,
            )
        terminal.print_table(table)


@app.command(rich_help_panel="Ask")
def plot(
    file: VectorFile,
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
    _check_folder(output)
    vectors = _read(file)
    chosen = _keys(vectors, " ".join(words).split()) if words else vectors.index_to_key[: top or 500]
    n_labels = write_map(vectors, output, chosen, method)
    drawn = len(set(chosen))
    room = "" if n_labels == drawn else f", {drawn - n_labels:,} without a label for want of room"
    typer.echo(f"{output}: {drawn:,} words{room}")


@app.command(rich_help_panel="Files")
def info(file: VectorFile, as_json: AsJson = False) -> None:
    """Say what a vector file holds."""
    vectors = _read(file)
    if as_json:
        terminal.print_json(
            _described(file, vectors)
            | {
                "dtype": str(vectors.vectors.dtype),
                "first_words": vectors.index_to_key[:10],
                "total_count": None if vectors.counts is None else int(vectors.counts.sum()),
                "context_vectors": vectors.context_vectors is not None,
                "settings": vectors.settings,
            }
        )
        return
    facts = {
        "file": f"{file}, {_bytes_in(file):,} bytes",
        "words": f"{len(vectors):,}",
        "dimensions": f"{vectors.vector_size}, {vectors.vectors.dtype}",
        "first words": " ".join(map(str, vectors.index_to_key[:10])),
        "counts": "no" if vectors.counts is None else f"yes, {int(vectors.counts.sum()):,} in all",
        "context vectors": "no" if vectors.context_vectors is None else "yes",
    }
    for name, value in (vectors.settings or {}).items():
        facts[name] = str(value)
    terminal.print_facts(facts)


@app.command(rich_help_panel="Files")
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="The file to read, as for the other commands.", show_default=False)
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help=f"The file to write: {VECTOR_FILES}.", show_default=False),
    ],
    source_format: Annotated[
        FormatName | None, typer.Option("--from", help="The format of IN.", show_default="by its suffix")
    ] = None,
    target_format: Annotated[
        FormatName | None, typer.Option("--to", help="The format of OUT.", show_default="by its suffix")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a vector file in another format."""
    from fastw2v import formats

    _check_output(target, target_format)
    vectors = formats.read(source, format=source_format)
    formats.write(vectors, target, format=target_format)
    _print_written(target, vectors, as_json)


@app.command(rich_help_panel="Files")
def align(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The vectors to turn.", show_default=False)],
    onto: Annotated[Path, typer.Argument(metavar="ONTO", help="The vectors that stay.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Where to write the turned vectors, by suffix.")
    ],
    words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The words that should meet.", show_default="all common words")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn vectors onto those of another training, so that words can be compared between the two."""
    import numpy as np

    _check_output(output)
    vectors, other = _read(file), _read(onto)
    aligned = vectors.align(other, None if words is None else _keys(vectors, _words_in(words)))
    aligned.save(output)
    common = [word for word in aligned if word in other]
    here, there = aligned.vectors_for_all(common).unit_vectors, other.vectors_for_all(common).unit_vectors
    cosines = np.sum(here * there, axis=1)
    _print_written(output, aligned, as_json, {"common_words": len(common), "mean_cosine": float(np.mean(cosines))})


@app.command(rich_help_panel="Train")
def demo() -> None:
    """Train on text that every Python carries, and show what comes out. No download; about a minute."""
    from fastw2v.corpus import Corpus
    from fastw2v.datasets import demo_corpus
    from fastw2v.word2vec import Word2Vec

    typer.echo(
        "Learning word vectors from the text that every Python carries: the documentation and the sources of its\n"
        "standard library. Words that occur among similar neighbours get similar vectors.\n"
    )
    corpus = Corpus.from_sentences(demo_corpus(), min_count=20)
    word2vec = Word2Vec(vector_size=64, epochs=10)
    typer.echo(f"{len(corpus):,} words, {len(corpus.vocabulary):,} of them distinct, {word2vec.epochs} times:")
    seconds = _fit(word2vec, corpus)
    speed = len(corpus) * word2vec.epochs / seconds
    typer.echo(f"{seconds:.0f} s, {speed:,.0f} words/s, loss {_last_loss(word2vec)}")
    typer.echo(f"{word2vec.engine_} on {word2vec.device_}: {word2vec.report_}\n")

    table = terminal.table("word", "nearest neighbours", left=2)
    for word in DEMO_NEIGHBOURS:
        if word in word2vec.wv:
            table.add_row(word, ", ".join(neighbour for neighbour, _ in word2vec.wv.most_similar(word, topn=5)))
    terminal.print_table(table)
    if all(word in word2vec.wv for word in DEMO_ANALOGY):
        a, b, c = DEMO_ANALOGY
        answers = ", ".join(word for word, _ in word2vec.wv.analogy(a, b, c, topn=3))
        typer.echo(f"{a} is to {b} as {c} is to: {answers}\n")
    typer.echo(
        "Next, train on a text of your own (UTF-8, a sentence a line) and ask for neighbours:\n"
        "  fastw2v train corpus.txt --output vectors.safetensors\n"
        "  fastw2v most-similar vectors.safetensors WORD\n"
        "The same in Python:\n"
        "  from fastw2v import Word2Vec\n"
        '  Word2Vec().fit("corpus.txt").wv.most_similar("WORD")'
    )


@app.command(rich_help_panel="Files")
def doctor() -> None:
    """Say what is installed, what training would run on and why, and whether each engine computes correctly."""
    from fastw2v.backend import cuda_problem
    from fastw2v.doctor import installed, tiny_training
    from fastw2v.word2vec import choose_engine

    facts = installed()
    problem = cuda_problem()
    facts["CUDA"] = problem or "a device is ready"
    device, engine, reason = choose_engine("auto", "auto")
    facts["training would use"] = f"{engine} on {device}: {reason}"
    terminal.print_facts(facts)

    typer.echo("\nA tiny training with each engine and device:")
    table = terminal.table("device", "engine", "result", left=3)
    failed = False
    tried: list[tuple[str, Engine]] = [("cpu", "layers"), ("cpu", "fused"), ("cuda", "layers"), ("cuda", "fused")]
    for on, by in tried:
        try:
            choose_engine(by, on)
        except (ValueError, RuntimeError) as error:
            table.add_row(on, by, terminal.text(f"not available: {terminal.one_line(error)}"))
            continue
        complaint = tiny_training(on, by)
        failed = failed or complaint is not None
        table.add_row(on, by, terminal.text(complaint or "correct"))
    terminal.print_table(table)
    if failed:
        typer.echo("error: an engine computes wrongly; please report the output above", err=True)
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    app()


def _quiet(words: int, loss: float, rate: float) -> None:
    pass


def _fit(word2vec: Word2Vec, corpus: Any, init: WordVectors | None = None) -> float:
    """Train, and return how many seconds it took."""
    start = time.perf_counter()
    word2vec.fit(corpus, init=init)
    return time.perf_counter() - start


def _read_corpus(
    paths: list[Path],
    min_count: int,
    max_vocab: int | None,
    include: Path | None,
    exclude: Path | None,
    counts: Path | None,
    lower: bool,
    errors: Literal["strict", "replace", "ignore"],
    workers: int | None,
) -> Corpus:
    """Read a text, or open an encoded corpus."""
    from fastw2v.corpus import Corpus

    typer.echo(f"reading {' '.join(map(str, paths[:3]))}{' ...' if len(paths) > 3 else ''}", err=True)
    if any(path.suffix == ".w2v" for path in paths):
        if len(paths) > 1:
            raise ValueError("an encoded corpus is read alone; encode all the texts together instead")
        chosen = (max_vocab, include, exclude, counts, lower, errors) != (None, None, None, None, False, "strict")
        if chosen or min_count not in (MIN_COUNT, 1):
            raise ValueError(f"the words of {paths[0]} are chosen already; give such options to fastw2v encode")
        return Corpus.load(paths[0])
    return Corpus.from_text(
        paths,
        min_count,
        max_vocab=max_vocab,
        include=_words_in(include),
        exclude=_words_in(exclude),
        counts=counts,
        lower=lower,
        errors=errors,
        workers=workers,
    )


def _words_in(path: Path | None) -> list[str]:
    return [] if path is None else path.read_text(encoding="utf-8").split()


def _last_loss(word2vec: Word2Vec) -> str:
    return f"{word2vec.loss_history[-1][1]:.3f}" if word2vec.loss_history else "none"


def _check_output(path: Path, format: str | None = None) -> None:
    """Raise now what would otherwise be raised after hours of training."""
    from fastw2v import formats

    kind = formats.format_of(path, format)
    if kind == "gensim":
        raise formats.FormatError(f"{path}: gensim's own format is read only; gensim reads .bin and .txt")
    if kind == "static-embedding" and path.exists():
        raise FileExistsError(f"{path} exists; give the name of a new folder")
    _check_folder(path)


def _check_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} for the output does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} for the output cannot be written to")


def _check_apart(outputs: list[Path | None], sources: list[Path | None]) -> None:
    """Refuse to write over what is to be read."""
    from fastw2v.text import files

    for output in outputs:
        if output is None or not output.exists():
            continue
        for source in filter(None, sources):
            try:
                found = files(source)
            except FileNotFoundError:  # which who reads it will say, by its name
                continue
            if any(file.exists() and output.samefile(file) for file in found):
                raise FileExistsError(f"{output} is to be read, and would be overwritten; give the output another name")


def _save(vectors: WordVectors, path: Path, format: str | None = None) -> None:
    """Write trained vectors, if need be in the one format that holds any word, rather than lose them."""
    from fastw2v import formats

    try:
        formats.write(vectors, path, format)
    except formats.FormatError as error:
        instead = path.with_name(f"{path.name}.safetensors")
        formats.write(vectors, instead)
        raise formats.FormatError(f"{error}. The vectors are in {instead} for now") from error


def _read(path: Path) -> WordVectors:
    from fastw2v import formats

    return formats.read(path)


def _keys(vectors: WordVectors, words: list[str]) -> list[Any]:
    """Return words as the vectors know them: the shell has no integers."""
    if not isinstance(vectors.index_to_key[0], int):
        return list(words)
    return [int(word) if word.lstrip("-").isdecimal() else word for word in words]


def _questions(prompt: str) -> Iterator[list[str]]:
    """Give the words of each line that is typed or piped in, up to an empty one."""
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
    a, b, c = _keys(vectors, words)
    answers = vectors.analogy(a, b, c, topn=topn)
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, "c": c, "answers": _scored(answers)}))
        return
    typer.echo(f"{a} is to {b} as {c} is to")
    table = terminal.table("word", "cosine")
    for word, cosine in answers:
        table.add_row(terminal.text(word), f"{cosine:.3f}")
    terminal.print_table(table)


def _scored(answers: list[tuple[Any, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "cosine": cosine} for word, cosine in answers]


def _section(section: SectionResult) -> dict[str, Any]:
    return {
        "section": section.name,
        "correct": section.correct,
        "covered": section.covered,
        "total": section.total,
        "accuracy": terminal.finite(section.accuracy),
        "coverage": terminal.finite(section.coverage),
    }


def _described(path: Path, vectors: WordVectors) -> dict[str, Any]:
    return {
        "file": str(path),
        "bytes": _bytes_in(path),
        "words": len(vectors),
        "dimensions": vectors.vector_size,
    }


def _bytes_in(path: Path) -> int:
    parts = path.iterdir() if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts)


def _print_written(path: Path, vectors: WordVectors, as_json: bool, more: dict[str, Any] | None = None) -> None:
    described = _described(path, vectors) | (more or {})
    if as_json:
        terminal.print_json(described)
        return
    typer.echo(f"{path}: {len(vectors):,} words, {vectors.vector_size} dimensions, {described['bytes']:,} bytes")
    for name, value in (more or {}).items():
        shown = terminal.decimals(value) if isinstance(value, float) else f"{value:,}"
        typer.echo(f"{name.replace('_', ' ')}: {shown}")
