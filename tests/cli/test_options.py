"""Options: help, and choices and defaults that equal those of the library."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

import pytest

from fastw2v import formats
from fastw2v.cli.app import app
from fastw2v.cli.corpus import encode, phrases
from fastw2v.cli.evaluate import RESTRICT_VOCAB
from fastw2v.cli.explore import explore
from fastw2v.cli.options import FormatName
from fastw2v.cli.query import analogy, most_similar, plot
from fastw2v.cli.train import fasttext, plan, train, word2vec
from fastw2v.config import AUTO, TrainingConfig
from fastw2v.corpus import Corpus, find_phrases
from fastw2v.evaluate import analogies
from fastw2v.explore import ExploreServer, write_page
from fastw2v.plot import projection, word_map, write_map
from fastw2v.vectors import WordVectors
from fastw2v.word2vec import Word2Vec

CORPUS_OPTIONS = {"min_count", "max_vocab", "include", "exclude", "counts", "encoding", "errors", "workers"}
CORPUS_OPTIONS |= {"lower", "normalize"}


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def annotations(command: Callable[..., Any]) -> dict[str, Any]:
    return inspect.get_annotations(command, eval_str=True)


@pytest.mark.parametrize("command", [train, plan])
def test_training_options_have_the_defaults_of_the_estimator(command: Callable[..., Any]):
    ours, theirs = parameters(command), parameters(Word2Vec)
    own = {"corpus", "output", "plot", "init", "freeze", "checkpoint", "checkpoint_every", "max_time"}
    own |= {"vector_size", "sample", "validation", "patience", "log", "replicas", "rounds", "ray"}
    own = own if command is train else {"corpus", "replicas", "rounds", "ray", "bandwidth"}
    for name in set(ours) - own - (CORPUS_OPTIONS - {"min_count", "workers", "max_vocab"}):
        assert ours[name].default == theirs[name].default, name
    for name in set(ours) & set(parameters(TrainingConfig)) - own:
        assert ours[name].default == getattr(TrainingConfig, name), name
    if command is train:
        assert (ours["sample"].default, theirs["sample"].default) == (None, AUTO)  # an option is a number or missing


@pytest.mark.parametrize(("command", "method"), [(train, Word2Vec.fit), (plan, Word2Vec.estimate)])
def test_options_of_replicas_have_the_defaults_of_the_methods(command: Callable[..., Any], method: Any):
    ours, theirs = parameters(command), parameters(method)
    for name in {"replicas", "rounds", "ray", "bandwidth"} & set(theirs):
        assert ours[name].default == theirs[name].default is None, name


def test_train_has_an_option_for_each_parameter_of_the_estimator():
    assert set(parameters(Word2Vec)) - set(parameters(train)) == {"shrink_windows", "callbacks"}
    assert parameters(train)["vector_size"].default is None  # from TrainingConfig or --init; see test_train


@pytest.mark.parametrize("command", [train, plan, encode])
def test_corpus_options_have_the_defaults_of_the_library(command: Callable[..., Any]):
    ours, theirs = parameters(command), parameters(Corpus.from_text)
    for name in set(ours) & CORPUS_OPTIONS:
        assert (ours[name].default or None) == (theirs[name].default or None), name
    assert set(ours) >= CORPUS_OPTIONS or command is plan


@pytest.mark.parametrize(
    ("command", "function", "names"),
    [
        (phrases, find_phrases, ("min_count", "scoring", "delimiter")),
        (most_similar, WordVectors.most_similar, ("topn",)),
        (analogy, WordVectors.analogy, ("topn",)),
        (plot, write_map, ("method", "color")),
        (explore, write_page, ("method", "top")),
        (explore, ExploreServer, ("method", "top", "port")),
    ],
)
def test_other_defaults_are_those_of_the_library(command: Any, function: Any, names: tuple[str, ...]):
    for name in names:
        assert parameters(command)[name].default == parameters(function)[name].default, name
    assert parameters(analogies)["restrict_vocab"].default == RESTRICT_VOCAB


def test_choices_are_those_of_the_library():
    assert get_args(FormatName) == formats.FORMATS
    for command in (plot, explore):
        assert get_args(get_args(annotations(command)["method"])[0]) == get_args(projection.Method)
    assert get_args(get_args(annotations(plot)["color"])[0]) == (*get_args(word_map.Color), "none")


def test_every_option_has_help():
    for command in app.registered_commands:
        assert command.callback is not None
        if command.callback not in (word2vec, fasttext):
            for name in parameters(command.callback):
                assert annotations(command.callback)[name].__metadata__[0].help, name
