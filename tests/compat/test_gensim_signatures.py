"""Every public method that gensim also has takes gensim's parameters: the same names, order and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from fastw2v.compat import gensim as ours

NAMES = ("KeyedVectors", "Word2Vec", "CallbackAny2Vec", "FastText", "FastTextKeyedVectors")
FUNCTIONS = ("load_facebook_model", "load_facebook_vectors", "save_facebook_model")
OTHER_PARAMETERS = {
    ("KeyedVectors", "__init__"): "gensim's makes an empty object, to which vectors are added",
    ("KeyedVectors", "save"): "the second parameter is the format; gensim's pickle options are keywords",
    ("FastTextKeyedVectors", "__init__"): "gensim's makes an empty object, to which vectors are added",
    ("FastTextKeyedVectors", "load"): "those of KeyedVectors, to which gensim's method passes its arguments",
    ("FastTextKeyedVectors", "save"): "the second parameter is the format; gensim's pickle options are keywords",
}
"""Methods with other parameters, and why."""
OTHER_DEFAULTS = {
    ("Word2Vec", "__init__", "alpha"): "the default rate depends on the model",
    ("Word2Vec", "__init__", "sample"): "the default threshold depends on the size of the vocabulary",
    ("Word2Vec", "__init__", "workers"): "all processors are used",
    ("Word2Vec", "__init__", "hashfxn"): "it has no effect, because random numbers do not depend on hashes",
    ("Word2Vec", "save", "sep_limit"): "it has no effect, because the model is one file",
    ("Word2Vec", "save", "ignore"): "an equal value of another type: nothing is ignored",
    ("Word2Vec", "save", "pickle_protocol"): "it has no effect, because the file is not a pickle",
}
OTHER_DEFAULTS |= {("FastText", *place): reason for (_, *place), reason in OTHER_DEFAULTS.items()}
"""Parameters with other defaults, and why."""


def their_classes() -> dict[str, Any]:
    models = pytest.importorskip("gensim.models")
    from gensim.models.callbacks import CallbackAny2Vec
    from gensim.models.fasttext import FastTextKeyedVectors

    return {
        "KeyedVectors": models.KeyedVectors,
        "Word2Vec": models.Word2Vec,
        "CallbackAny2Vec": CallbackAny2Vec,
        "FastText": models.FastText,
        "FastTextKeyedVectors": FastTextKeyedVectors,
    }


def positional(function: Any) -> dict[str, Any]:
    """Return the defaults of the parameters that can be passed by position, in order."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind in kinds}


def their_parameters(their: Any, name: str) -> dict[str, Any]:
    """Return the parameters of gensim's method, also where it passes all of its arguments to a method of its base."""
    from gensim.utils import SaveLoad

    if "args" not in inspect.signature(getattr(their, name)).parameters:
        return positional(getattr(their, name))
    return positional(getattr(SaveLoad, name))


def methods_of_both() -> list[tuple[str, str]]:
    their = their_classes()
    return [
        (kind, name)
        for kind in NAMES
        for name in sorted(dir(their[kind]))
        if (name == "__init__" or not name.startswith("_"))
        and callable(getattr(their[kind], name))
        and callable(getattr(getattr(ours, kind), name, None))
    ]


def test_the_parameters_are_gensims() -> None:
    methods = methods_of_both()
    assert len(methods) > 90
    for kind, name in methods:
        if (kind, name) in OTHER_PARAMETERS:
            continue
        theirs, our = their_parameters(their_classes()[kind], name), positional(getattr(getattr(ours, kind), name))
        assert list(our) == list(theirs), (kind, name)
        for parameter, default in theirs.items():
            if (kind, name, parameter) not in OTHER_DEFAULTS:
                same = our[parameter] is default or our[parameter] == default
                assert same, (kind, name, parameter, our[parameter], default)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_parameters_of_functions_are_gensims(name: str) -> None:
    theirs = pytest.importorskip("gensim.models.fasttext")
    assert positional(getattr(ours, name)) == positional(getattr(theirs, name))


def test_every_exception_is_one() -> None:
    """The lists of exceptions name only methods and parameters that differ."""
    methods = methods_of_both()
    for kind, name in OTHER_PARAMETERS:
        assert (kind, name) in methods
        assert list(positional(getattr(getattr(ours, kind), name))) != list(
            their_parameters(their_classes()[kind], name)
        )
    for kind, name, parameter in OTHER_DEFAULTS:
        default = their_parameters(their_classes()[kind], name)[parameter]
        our = positional(getattr(getattr(ours, kind), name))[parameter]
        assert type(our) is not type(default) or our != default


def test_gensims_options_of_save_are_keywords() -> None:
    from gensim.utils import SaveLoad

    assert set(positional(SaveLoad.save)) <= set(inspect.signature(ours.KeyedVectors.save).parameters)
