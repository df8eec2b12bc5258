"""Commands for training: train, resume, word2vec and fasttext (with the options of these tools), plan and demo."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from fastw2v.checkpoint import CheckpointError, Checkpoints, corpus_paths
from fastw2v.cli import options
from fastw2v.cli.files import note_fasttext_model
from fastw2v.cli.inputs import is_encoded, load_vectors, local_path, read_corpus, read_lines, read_words
from fastw2v.cli.output import format_duration, note, one_line, print_facts, print_table, say
from fastw2v.cli.paths import check_not_input, check_output, check_vector_output
from fastw2v.config import AUTO, CHECKPOINT_EVERY, MIN_COUNT, TrainingConfig
from fastw2v.corpus import Corpus, Vocabulary
from fastw2v.corpus.sources import Sources, expand_source, name_of_files
from fastw2v.distributed.connection import Connection, check_replication, reconnected
from fastw2v.distributed.costs import check_bandwidth
from fastw2v.distributed.files import expand_files
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.engines.selection import select_engine
from fastw2v.estimate import NodeEstimate, ReplicaEstimate
from fastw2v.formats.fileio import check_units
from fastw2v.formats.registry import format_of
from fastw2v.run import Run
from fastw2v.training_log import TrainingLog
from fastw2v.utils.bandwidth import format_bandwidth
from fastw2v.utils.interrupts import DeferredInterrupts
from fastw2v.utils.output_file import without_compression
from fastw2v.utils.progress import time_waited
from fastw2v.utils.quote import counted, quote
from fastw2v.utils.system import format_bytes
from fastw2v.validation import check_validation, naming_validation
from fastw2v.vectors import WordVectors
from fastw2v.vectors.keys import as_keys
from fastw2v.word2vec import FREEZE_INIT, Word2Vec, check_freeze, check_init

__all__ = ["demo", "fasttext", "plan", "resume", "train", "word2vec"]

DEMO_NEIGHBOURS = ("list", "read", "encode", "min", "first", "true", "start", "float")
"""Words whose neighbours the command demo lists."""
DEMO_ANALOGY = ("read", "reader", "write")
"""Analogy that the command demo completes."""


def train(
    corpus: options.CorpusFiles,
    output: options.VectorOutput,
    model: options.Model = TrainingConfig.model,
    loss: options.Loss = TrainingConfig.loss,
    quality: options.Quality = TrainingConfig.quality,
    vector_size: options.VectorSizeOrInit = None,
    window: options.Window = TrainingConfig.window,
    negative: options.Negative = TrainingConfig.negative,
    sample: options.Sample = None,
    min_count: options.MinCount = MIN_COUNT,
    max_vocab: options.MaxVocab = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    counts: options.Counts = None,
    lower: options.Lower = False,
    normalize: options.Normalize = None,
    encoding: options.Encoding = "utf-8",
    errors: options.DecodingErrors = "strict",
    init: options.Init = None,
    freeze: options.Freeze = None,
    epochs: options.Epochs = TrainingConfig.epochs,
    alpha: options.Alpha = TrainingConfig.alpha,
    min_alpha: options.MinAlpha = TrainingConfig.min_alpha,
    workers: options.Workers = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    seed: options.Seed = TrainingConfig.seed,
    ns_exponent: options.NsExponent = TrainingConfig.ns_exponent,
    cbow_grad: options.CbowGrad = TrainingConfig.cbow_grad,
    output_weight: options.OutputWeight = TrainingConfig.output_weight,
    subwords: options.Subwords = None,
    bucket: options.Bucket = TrainingConfig.bucket,
    hash_count: options.HashCount = TrainingConfig.hash_count,
    units: options.Units = TrainingConfig.units,
    deterministic: options.Deterministic = TrainingConfig.deterministic,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also plot the training loss to this .png, .svg or .pdf file.",
            rich_help_panel=options.RECORDS,
        ),
    ] = None,
    validation: options.Validation = None,
    patience: options.Patience = None,
    log: options.Log = None,
    checkpoint: options.Checkpoint = None,
    checkpoint_every: options.CheckpointEvery = CHECKPOINT_EVERY,
    replicas: options.Replicas = None,
    rounds: options.Rounds = None,
    ray: options.Ray = None,
    max_time: options.MaxTime = None,  # `_Command` reads it
) -> None:
    """Train word vectors on a text or an encoded corpus."""
    _check_outputs(output, plot, log)
    if without_compression(output).suffix == ".floret" and hash_count is None:
        raise ValueError(f"{output} would be a table of floret, which needs --hash-count; add --hash-count 2")
    kind = format_of(output)
    if subwords is not None and (kind in ("fasttext", "floret") or (kind == "bin" and hash_count is None)):
        check_units(units, output)
    replication = check_replication(replicas, rounds, ray)
    sources = expand_source(corpus) if replication is None else expand_files(corpus)
    share = _as_share(validation)
    check_validation(validation if share is None else share, patience)
    with naming_validation():
        held_out = None if validation is None or share is not None else expand_source(validation)
    reading: dict[str, Any] = {"lower": lower, "normalize": normalize, "encoding": encoding, "errors": errors}
    checkpoints = None
    if checkpoint is not None:
        outputs = {"output": output, "plot": plot, "log": log}
        task = {name: None if path is None else str(path.absolute()) for name, path in outputs.items()} | reading
        held_out_paths = None if held_out is None else corpus_paths(held_out)
        checkpoints = Checkpoints(checkpoint, checkpoint_every, corpus_paths(sources), task, held_out_paths)
        checkpoints.check_new()
    elif checkpoint_every != CHECKPOINT_EVERY:
        raise ValueError("checkpoint_every has no effect without --checkpoint; add --checkpoint DIR")
    frozen_file = None if freeze is None or freeze == FREEZE_INIT else Path(freeze)
    files = sources if isinstance(sources, Sources) else ()
    initial_file = None if init is None else local_path(init)
    inputs = [*files, *(held_out or ()), include, exclude, counts, initial_file, frozen_file]
    check_not_input([output, plot, log, checkpoint], inputs)
    if log is not None:
        TrainingLog(log, words=0)  # check that the file is a log, if it exists
    if replication is None:
        select_engine(engine, device, deterministic, workers)  # report a missing GPU before reading the text
    initial = None if init is None else load_vectors(init)
    if vector_size is None:
        vector_size = TrainingConfig.vector_size if initial is None else initial.vector_size
    elif initial is not None:
        check_init(initial, vector_size)
    frozen = check_freeze(freeze if frozen_file is None else read_words(frozen_file), initial)
    word2vec = Word2Vec(
        model=model,
        loss=loss,
        quality=quality,
        vector_size=vector_size,
        window=window,
        min_count=min_count,
        max_vocab=max_vocab,
        negative=negative,
        ns_exponent=ns_exponent,
        sample=AUTO if sample is None else sample,
        alpha=alpha,
        min_alpha=min_alpha,
        epochs=epochs,
        workers=workers,
        seed=seed,
        cbow_grad=cbow_grad,
        output_weight=output_weight,
        subwords=_as_sizes(subwords),
        bucket=bucket,
        hash_count=hash_count,
        units=units,
        device=device,
        engine=engine,
        deterministic=deterministic,
    )
    with contextlib.ExitStack() as stack:
        connection = None
        if replicas is not None:
            connection = stack.enter_context(word2vec.connect(replicas, rounds=rounds, ray=ray))
        selection: dict[str, Any] = {"min_count": min_count, "max_vocab": max_vocab, "counts": counts}
        text: Corpus | DistributedCorpus
        if connection is not None and connection.reads(sources, share):
            words = {"include": read_words(include), "exclude": read_words(exclude)}
            text = _read_on_cluster(connection, sources, **selection, **words, **reading)
        else:
            assert isinstance(sources, Sources)  # only the tasks of a cluster read URLs
            text = read_corpus(sources, include=include, exclude=exclude, workers=workers, **selection, **reading)
        with naming_validation():
            unseen = share if held_out is None else _read_with(held_out, text.vocabulary, **reading)
        note(f"training on {counted(len(text), 'word')} ({len(text.vocabulary):,} distinct)")
        if isinstance(frozen, list):
            frozen = as_keys(text.vocabulary.words, frozen, "the corpus")
        with _keeping_what_was_trained(output, checkpoint, lambda: word2vec.wv if word2vec.loss_history else None):
            _, seconds, compiling = _timed(
                word2vec.fit,
                text,
                init=initial,
                freeze=frozen,
                validation=unseen,
                patience=patience,
                log=log,
                checkpoint=checkpoints,
                ray=connection,
            )
        del text, unseen  # the memory is needed for the combined vectors
    facts = {} if init is None else {"init": f"{counted(word2vec.known_words_, 'word')} from {init}"}
    if freeze is not None:
        facts["frozen"] = counted((word2vec.wv.settings or {})["frozen"], "word")
    time_taken = _time_and_speed(word2vec.trained_words, seconds, compiling)
    _finish(word2vec, output, plot, facts, time_taken)


def resume(folder: options.RunFolder, ray: options.Ray = None, max_time: options.MaxTime = None) -> None:
    """Continue a training with checkpoints that was interrupted, and write its vectors."""
    check_replication(1, None, ray)  # before files are read
    checkpoints = Checkpoints.open(folder)
    task = checkpoints.task
    if task is None or checkpoints.corpus is None:
        raise CheckpointError(f"the run in {folder} was started in Python; continue it with Word2Vec.resume")
    if not {"output", "plot", "log", "lower", "normalize", "encoding", "errors"} <= task.keys():
        raise CheckpointError(f"the run.json in {folder} is damaged: it does not describe a run")
    output, plot, log = (None if task[name] is None else Path(task[name]) for name in ("output", "plot", "log"))
    assert output is not None
    _check_outputs(output, plot, log)
    with checkpoints.lock():
        pass  # raises an error before anything is read
    vectors = WordVectors.load(checkpoints.latest())
    run, counts = Run.from_json((vectors.settings or {})["checkpoint"]), np.asarray(vectors.counts)
    done, total = run.state.words, run.config.epochs * run.corpus["words"]
    text = held_out = connection = None
    with contextlib.ExitStack() as stack:
        if run.replicas is not None and not run.complete:
            parameters = (vectors.settings or {})["parameters"]
            connection = stack.enter_context(reconnected(run.replicas, parameters["workers"], ray))
        if not run.complete:
            vocabulary = Vocabulary(vectors.index_to_key, counts)
            reading = {name: task[name] for name in ("lower", "normalize", "encoding", "errors")}
            sources = expand_files([*map(str, checkpoints.corpus)])
            share = None if run.validation is None else run.validation.share
            text = _read_with(sources, vocabulary, connection, share, **reading)
            if checkpoints.validation is not None:
                with naming_validation():
                    held_out = _read_with(expand_source(checkpoints.validation), vocabulary, **reading)
        note("the training is complete" if run.complete else f"continuing after {done:,} of {total:,} words")
        del vectors, counts

        def trained() -> WordVectors | None:
            last = WordVectors.load(checkpoints.latest())
            return last if (last.settings or {})["checkpoint"]["words"] else None

        with _keeping_what_was_trained(output, folder, trained):
            word2vec, seconds, compiling = _timed(
                Word2Vec.resume, folder, text, validation=held_out, log=log, ray=connection or ray
            )
        del text, held_out
    trained_now = word2vec.trained_words - run.earlier_words - done
    time_taken = "none, it was complete" if run.complete else _time_and_speed(trained_now, seconds, compiling)
    _finish(word2vec, output, plot, {}, time_taken)


def word2vec(context: typer.Context) -> None:
    """Train with the options of word2vec.c, the original C tool."""
    from fastw2v.compat import word2vec_c

    given = _parsed(word2vec_c.parse, context)
    if not given.debug:
        logging.getLogger("fastw2v").setLevel(logging.WARNING)
    for path in (given.output, given.save_vocab):
        if path is not None:
            check_output(path)
    sources = expand_source(given.train)
    check_not_input([given.output, given.save_vocab], [*sources, given.read_vocab])
    estimator = Word2Vec(
        model="cbow" if given.cbow else "skipgram",
        loss=word2vec_c.selected_loss(given.hs, given.negative),
        vector_size=given.size,
        window=given.window,
        min_count=given.min_count,
        negative=given.negative,
        sample=given.sample,
        alpha=given.alpha,
        min_alpha=_final_rate(given.alpha),
        epochs=given.iter,
        output_weight=0.0,  # the C tool writes W_in
        workers=given.threads,
    )
    # The C tool interprets </s> as the end of a line, so the count of </s> in a vocabulary file is the number of lines.
    text = Corpus.from_text(sources, given.min_count, exclude=["</s>"], counts=given.read_vocab, workers=given.threads)
    words = text.vocabulary
    if given.save_vocab is not None:
        Vocabulary(["</s>", *words.words], [text.n_sentences, *words.counts.tolist()]).save(given.save_vocab)
    if given.output is None:
        return
    if given.debug:
        note(f"training on {counted(len(text), 'word')} ({len(words):,} distinct)")
    kind = "bin" if given.binary else "txt"
    with _keeping_what_was_trained(given.output, None, lambda: estimator.wv if estimator.loss_history else None, kind):
        _, seconds, compiling = _timed(estimator.fit, text, progress=None if given.debug else _no_progress)
    _write_completely((estimator.wv, given.output, kind))
    if given.debug:
        note(f"{given.output}: {_time_and_speed(len(text) * given.iter, seconds, compiling)}")


def fasttext(context: typer.Context) -> None:
    """Train with the commands and options of fastText, or print the vectors of words or lines."""
    from fastw2v.compat import fasttext as options_of_fasttext

    given = _parsed(options_of_fasttext.parse, context)
    if given.command in options_of_fasttext.PRINTING:
        vectors = load_vectors(Path(given.vectors))
        logging.getLogger("fastw2v").setLevel(logging.ERROR)  # fastText prints zeros without a warning
        for printed in options_of_fasttext.print_vectors(given.command, vectors, read_lines(sys.stdin.buffer)):
            say(printed)
        return
    if not given.verbose:
        logging.getLogger("fastw2v").setLevel(logging.WARNING)
    model, vec, output_vectors = (Path(given.output + suffix) for suffix in (".bin", ".vec", ".output"))
    outputs = [model, vec, *([output_vectors] if given.saveOutput else [])]
    for path in outputs:
        check_output(path)
    sources = expand_source(given.input)
    initial = None if given.pretrainedVectors is None else Path(given.pretrainedVectors)
    check_not_input(outputs, [*sources, initial])
    estimator = Word2Vec(
        model=given.command,
        loss=given.loss,
        vector_size=given.dim,
        window=given.ws,
        min_count=given.minCount,
        negative=None if given.loss == "hs" else given.neg,
        sample=given.t,
        alpha=given.lr,
        min_alpha=_final_rate(given.lr),
        epochs=given.epoch,
        output_weight=0.0,
        subwords=(max(given.minn, 1), given.maxn) if given.maxn else None,
        bucket=given.bucket,
        seed=given.seed,
        workers=given.thread,
    )
    init = None if initial is None else load_vectors(initial)
    # fastText adds </s> at the end of each line.
    text = Corpus.from_text(sources, given.minCount, exclude=["</s>"], workers=given.thread)
    if given.verbose:
        note(f"training on {counted(len(text), 'word')} ({len(text.vocabulary):,} distinct)")
    with _keeping_what_was_trained(model, None, lambda: estimator.wv if estimator.loss_history else None, "fasttext"):
        _, seconds, compiling = _timed(estimator.fit, text, init=init, progress=None if given.verbose else _no_progress)
    files = [(estimator.wv, model, "fasttext"), (estimator.wv, vec, "txt")]
    if given.saveOutput:
        words, counts = estimator.wv.index_to_key, estimator.wv.counts
        files.append((WordVectors(words, estimator.W_out, counts), output_vectors, "txt"))
    _write_completely(*files)
    if given.verbose:
        note(f"{model}, {vec}: {_time_and_speed(len(text) * given.epoch, seconds, compiling)}")


def plan(
    corpus: options.CorpusFiles,
    model: options.Model = TrainingConfig.model,
    loss: options.Loss = TrainingConfig.loss,
    quality: options.Quality = TrainingConfig.quality,
    vector_size: options.VectorSize = TrainingConfig.vector_size,
    window: options.Window = TrainingConfig.window,
    negative: options.Negative = TrainingConfig.negative,
    min_count: options.MinCount = MIN_COUNT,
    max_vocab: options.MaxVocab = None,
    lower: options.Lower = False,
    normalize: options.Normalize = None,
    encoding: options.Encoding = "utf-8",
    errors: options.DecodingErrors = "strict",
    epochs: options.Epochs = TrainingConfig.epochs,
    output_weight: options.OutputWeight = TrainingConfig.output_weight,
    subwords: options.Subwords = None,
    bucket: options.Bucket = TrainingConfig.bucket,
    hash_count: options.HashCount = TrainingConfig.hash_count,
    units: options.Units = TrainingConfig.units,
    workers: options.Workers = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    replicas: options.Replicas = None,
    rounds: options.Rounds = None,
    ray: options.Ray = None,
    bandwidth: options.Bandwidth = None,
) -> None:
    """Estimate the memory and time that training needs, without writing any file."""
    word2vec = Word2Vec(
        model=model,
        loss=loss,
        quality=quality,
        vector_size=vector_size,
        window=window,
        min_count=min_count,
        negative=negative,
        epochs=epochs,
        output_weight=output_weight,
        subwords=_as_sizes(subwords),
        bucket=bucket,
        hash_count=hash_count,
        units=units,
        workers=workers,
        device=device,
        engine=engine,
    )
    check_bandwidth(bandwidth, check_replication(replicas, rounds, ray), ray)  # before the corpus is read
    start = time.perf_counter()
    text = read_corpus(
        expand_source(corpus),
        min_count=min_count,
        max_vocab=max_vocab,
        lower=lower,
        normalize=normalize,
        encoding=encoding,
        errors=errors,
        workers=workers,
    )
    reading = time.perf_counter() - start
    estimate = word2vec.estimate(text, replicas=replicas, rounds=rounds, ray=ray, bandwidth=bandwidth)
    facts = {
        "words": f"{estimate.tokens:,} in {counted(estimate.sentences, 'sentence')}",
        "vocabulary": counted(estimate.vocabulary, "word"),
        "epochs": str(estimate.epochs),
        "engine": f"{estimate.engine} on {estimate.device}",
    }
    for item in estimate.items:
        facts[f"{item.place}: {item.name}"] = format_bytes(item.bytes)
    for place, free in estimate.free.items():
        facts[f"{place}: to allocate"] = f"{format_bytes(estimate.needed(place))} of {format_bytes(free)} free"
    facts["reading"] = f"{reading:.1f} s"
    if estimate.seconds is not None:
        facts["training"] = f"about {format_duration(estimate.seconds)} at {estimate.words_per_second:,.0f} words/s"
    if estimate.replicas is not None:
        facts |= _facts_of_replicas(estimate.replicas)
    print_facts(facts)
    if estimate.replicas is not None:
        estimate.replicas.check()
    else:
        estimate.check()


def demo() -> None:
    """Train on text that comes with Python and show the results, without a download."""
    from fastw2v.datasets import demo_corpus

    say(
        "Training word vectors on text that comes with Python: the source code and documentation of its standard\n"
        "library. Words that occur in similar contexts get similar vectors.\n"
    )
    corpus = Corpus.from_sentences(demo_corpus(), min_count=20)
    epochs = 10
    word2vec = Word2Vec(vector_size=64, epochs=epochs)
    say(f"{len(corpus):,} words ({len(corpus.vocabulary):,} distinct), {epochs} epochs:")
    _, seconds, compiling = _timed(word2vec.fit, corpus)
    say(f"{_time_and_speed(len(corpus) * epochs, seconds, compiling)}, loss {_last_loss(word2vec)}")
    say(f"{word2vec.engine_} on {word2vec.device_}: {word2vec.report_}\n")

    neighbours = [
        (word, ", ".join(neighbour for neighbour, _ in word2vec.wv.most_similar(word, topn=5)))
        for word in DEMO_NEIGHBOURS
        if word in word2vec.wv
    ]
    print_table(["word", "nearest neighbours"], neighbours, text_columns=2)
    if all(word in word2vec.wv for word in DEMO_ANALOGY):
        a, b, c = DEMO_ANALOGY
        answers = ", ".join(word for word, _ in word2vec.wv.analogy(a, b, c, topn=3))
        say(f"{a} is to {b} as {c} is to: {answers}\n")
    say(
        "Next, train on your own text (UTF-8, one sentence per line) and list the neighbours of a word:\n"
        "  fastw2v train corpus.txt --output vectors.safetensors\n"
        "  fastw2v most-similar vectors.safetensors WORD\n"
        "The same in Python:\n"
        "  from fastw2v import Word2Vec\n"
        '  Word2Vec().fit("corpus.txt").wv.most_similar("WORD")'
    )


def _facts_of_replicas(estimate: ReplicaEstimate) -> dict[str, str]:
    """Return what `plan` prints about replicas."""
    of_W_in, of_W_out = estimate.rows
    machines = [node for node in estimate.nodes if node.replicas]
    facts = {
        "replicas": f"{estimate.replicas} with {counted(estimate.workers, 'thread')} each on "
        f"{counted(len(machines), 'machine')}, {counted(estimate.rounds, 'round')}",
        "replicas: rows changed": f"{of_W_in:,} of W_in and {of_W_out:,} of W_out by each replica in a round",
        "replicas: exchanged": f"{estimate.bytes_per_word:.1f} bytes per word",
    }
    kinds: dict[tuple[object, ...], list[NodeEstimate]] = {}
    for node in estimate.nodes:
        if node.needed:
            kinds.setdefault((node.processes, node.program, node.process, node.values, node.store), []).append(node)
    for nodes in kinds.values():  # machines with equal needs are listed once
        node = min(nodes, key=lambda node: node.free)
        name = node.name if len(nodes) == 1 else f"{len(nodes)} machines"
        facts[f"replicas: {name}"] = f"{format_bytes(node.needed)} of {format_bytes(node.free)} free ({node.purposes})"
        if node.store is not None:
            spilled = "" if node.values <= node.store else "; Ray writes the rest to the disk"
            facts[f"replicas: object store of {name}"] = (
                f"{format_bytes(node.values)} of {format_bytes(node.store)}{spilled}"
            )
    if estimate.bandwidth is not None and estimate.bandwidth_source is not None:
        speed = (
            f"{format_bytes(int(estimate.bandwidth))}/s, the speed of a copy in memory"
            if estimate.bandwidth_source == "memory"
            else f"{format_bandwidth(estimate.bandwidth)} ({estimate.bandwidth_source})"
        )
        facts["replicas: bandwidth"] = speed
    training, combining, total = estimate.training_seconds, estimate.combining_seconds, estimate.seconds
    if training is not None and combining is not None and total is not None:
        if estimate.one_machine_seconds is not None:
            facts["replicas: one machine"] = f"about {format_duration(estimate.one_machine_seconds)}"
        facts[f"replicas: {counted(estimate.replicas, 'replica')}"] = (
            f"about {format_duration(total)} (training {format_duration(training)}, combining "
            f"{format_duration(combining)})"
        )
    if estimate.advice is not None:
        facts["replicas: advice"] = estimate.advice
    return facts


def _parsed(parse: Callable[[list[str]], argparse.Namespace], context: typer.Context) -> argparse.Namespace:
    """Return the options of another tool, as its parser reads them. Without options, print the help."""
    try:
        return parse(context.args or ["--help"])
    except SystemExit:  # raised after the help is printed
        say(context.command.epilog or "")
        raise


def _final_rate(alpha: float | None) -> float:
    """Return the final learning rate of word2vec.c and fastText, which is nearly 0, or the default without a rate."""
    return TrainingConfig.min_alpha if alpha is None else 1e-4 * max(alpha, 0.0)


def _as_share(validation: str | None) -> float | None:
    """Return the value of --validation if it is a number, otherwise None."""
    try:
        return None if validation is None else float(validation)
    except ValueError:
        return None


def _as_sizes(subwords: str | None) -> tuple[int, int] | None:
    """Return the value of --subwords, the sizes of the shortest and the longest n-grams."""
    if subwords is None:
        return None
    shortest, _, longest = subwords.partition("-")
    try:
        return int(shortest), int(longest)
    except ValueError:
        raise ValueError(
            f"subwords is {quote(subwords)}; give the lengths of the shortest and the longest n-grams, such as 3-6"
        ) from None


def _read_with(
    sources: Sources | tuple[str, ...],
    vocabulary: Vocabulary,
    connection: Connection | None = None,
    share: float | None = None,
    **reading: Any,
) -> Corpus | DistributedCorpus:
    """Read a corpus with a vocabulary. An encoded corpus must have been encoded with it."""
    if connection is not None and connection.reads(sources, share):
        return _read_on_cluster(connection, sources, min_count=0, counts=vocabulary, **reading)
    assert isinstance(sources, Sources)  # only the tasks of a cluster read URLs
    if is_encoded(sources):
        return read_corpus(sources)
    note(f"reading {sources.name}")
    return Corpus.from_text(sources, 0, counts=vocabulary, **reading)


def _read_on_cluster(connection: Connection, sources: Sources | tuple[str, ...], **options: Any) -> DistributedCorpus:
    """Read a text with the tasks of a cluster."""
    note(f"reading {name_of_files(list(map(str, sources)))}")
    return connection.read_text(sources, **options)


def _check_outputs(output: Path, plot: Path | None, log: Path | None) -> None:
    """Check that the vectors, the plot of the loss and the log can be written, before anything is read."""
    from fastw2v.plot import check_picture

    check_vector_output(output)
    if plot is not None:
        check_picture(plot)
        check_output(plot)
    if log is not None:
        check_output(log)


def _timed(train: Callable[..., Word2Vec], *args: Any, **settings: Any) -> tuple[Word2Vec, float, float]:
    """Train. Return the model, the seconds of training, and those for compiling the kernel, which come on top."""
    start, waited = time.perf_counter(), time_waited()
    model = train(*args, **settings)
    compiling = time_waited() - waited
    return model, time.perf_counter() - start - compiling, compiling


@contextlib.contextmanager
def _keeping_what_was_trained(
    output: Path, folder: Path | None, trained: Callable[[], WordVectors | None], format: str | None = None
) -> Iterator[None]:
    """Context manager for training. If it is stopped, write the vectors so far to a file with another name.

    Parameters
    ----------
    output : Path
        The file that complete training would write.
    folder : Path, optional
        Folder of the checkpoints. The command that continues the run is printed.
    trained : callable
        Returns the vectors so far, or None if there are none.
    format : str, optional
        By default, the suffix of `output` determines the format.
    """
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None and folder.is_dir():
            note(f"continue with: fastw2v resume {shlex.quote(str(folder))}")
        if (vectors := trained()) is None:
            note("no vectors were saved, because training had not begun")
        else:
            partial = _partial(output)
            _save_vectors(vectors, partial, format)
            note(f"the vectors trained so far were saved as {partial}")
        raise


def _partial(path: Path) -> Path:
    """Return the name of the file for incomplete vectors, such as ``vectors.partial.txt.gz`` for ``vectors.txt.gz``."""
    stem = without_compression(path).stem
    return path.with_name(f"{stem}.partial{path.name[len(stem) :]}")


def _write_completely(*files: tuple[WordVectors, Path, str | None]) -> None:
    """Write trained vectors to files. A signal to stop waits until the files are complete.

    Parameters
    ----------
    files : (WordVectors, Path, str or None)
        The vectors, the path and the format of each file. If the format is None, the suffix determines it. The first
        file holds everything that was trained, so only this file is written elsewhere if it cannot be written. The
        others are written at the same time as the first.
    """
    names = f"{' and '.join(str(path) for _, path, _ in files)} {'is' if len(files) == 1 else 'are'}"
    finishing = f"{names} finished before the command stops. A second signal stops it at once"
    first, *others = files
    errors: list[Exception] = []

    def save_others() -> None:
        for vectors, path, format in others:
            try:
                vectors.save(path, format)
            except Exception as error:
                errors.append(error)

    with DeferredInterrupts(lambda: note(finishing)) as interrupts:
        interrupts.deferring = True
        writer = threading.Thread(target=save_others, name="fastw2v-save")
        try:
            writer.start()
        except RuntimeError:  # no thread can be started
            save_others()
        try:
            _save_vectors(*first)
        finally:
            while writer.is_alive():
                writer.join(0.2)  # without a timeout, Windows would not notice Ctrl-C
        if errors:
            raise errors[0]


def _finish(
    word2vec: Word2Vec,
    output: Path,
    plot: Path | None,
    facts: dict[str, str],
    time_taken: str,
) -> None:
    """Write the vectors and the plot of the loss, and print what was trained."""
    from fastw2v.plot import write_loss

    _write_completely((word2vec.wv, output, None))
    note_fasttext_model(output, word2vec.wv)
    if plot is not None:
        try:
            write_loss(word2vec.loss_history, plot, validation=word2vec.validation_history)
        except OSError as error:
            raise OSError(f"{one_line(error)}. The vectors were saved as {output}") from error
    print_facts(
        {
            "words": f"{word2vec.corpus_total_words:,} in {counted(word2vec.corpus_count, 'sentence')}",
            "vocabulary": counted(len(word2vec.wv), "word"),
            "epochs": str(word2vec.trained_epochs),
            **facts,
            "time": time_taken,
            "loss": _last_loss(word2vec),
            **_validation_facts(word2vec),
            "engine": f"{word2vec.engine_} on {word2vec.device_}: {word2vec.report_}",
            "file": f"{output}, {counted(output.stat().st_size, 'byte')}",
        }
    )


def _time_and_speed(n_words: int, seconds: float, compiling: float) -> str:
    once = f" (and {compiling:.1f} s to compile the kernel)" if compiling >= 0.05 else ""
    return f"{seconds:.1f} s{once}, {n_words / seconds:,.0f} words/s"


def _no_progress(words: int, loss: float, alpha: float) -> None:
    pass


def _validation_facts(word2vec: Word2Vec) -> dict[str, str]:
    settings = word2vec.wv.settings or {}
    if "validation_loss" not in settings:
        return {}
    loss, words = settings["validation_loss"], settings["validation_words"]
    return {"held-out loss": f"{loss:.3f}, the lowest, after {words:,} of {word2vec.trained_words:,} words"}


def _last_loss(word2vec: Word2Vec) -> str:
    return f"{word2vec.loss_history[-1][1]:.3f}" if word2vec.loss_history else "not measured"


def _save_vectors(vectors: WordVectors, path: Path, format: str | None = None) -> None:
    """Write trained vectors. If `path` cannot be written, write a safetensors file elsewhere, and raise the error.

    The file is written to the folder of `path`, the current folder or the folder for temporary files, whichever is
    writable first. Its name is printed on a line of its own, because the message of an error can be shortened.
    """
    from fastw2v.formats import FormatError

    failures = (FormatError, OSError, RuntimeError, MemoryError)
    try:
        vectors.save(path, format)
    except failures:
        # The name may be as long as the file system allows, 255 bytes, and the suffix is added.
        name = os.fsencode(path.name.removesuffix(".safetensors"))[:200].decode("utf-8", "ignore")
        for folder in (path.parent, Path(), Path(tempfile.gettempdir())):
            rescued = _unused(folder / f"{name}.safetensors")
            with contextlib.suppress(*failures):
                vectors.save(rescued)
                note(f"the vectors were saved as {rescued}")
                break
        else:
            note("the vectors could not be saved elsewhere either")
        raise


def _unused(path: Path) -> Path:
    """Return `path` or, if this file exists, the same name with the first number that no file has."""
    numbered = (path.with_name(f"{path.stem}-{i}{path.suffix}") for i in itertools.count(1))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))
