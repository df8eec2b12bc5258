"""The settings of training: defaults, derived defaults, checks, and that each default is defined only once."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import fastw2v
from fastw2v.config import (
    MIN_COUNT,
    Loss,
    Quality,
    TrainingConfig,
    default_alpha,
    default_pool,
    default_sample,
    output_parts,
    output_rows,
)
from fastw2v.word2vec import Word2Vec

PACKAGE = Path(fastw2v.__file__).parent


@pytest.mark.parametrize(
    ("settings", "completed"),
    [
        ({}, {"alpha": 0.2, "cbow_grad": "balanced", "pool_size": 16, "epochs": 5}),
        ({"alpha": 0.05}, {"alpha": 0.05, "cbow_grad": "sum"}),
        ({"cbow_grad": "sum"}, {"alpha": 0.05}),
        ({"cbow_grad": "mean"}, {"alpha": 0.2}),
        ({"alpha": 0.3, "cbow_grad": "mean"}, {"alpha": 0.3, "cbow_grad": "mean"}),
        ({"model": "skipgram"}, {"alpha": 0.04, "pool_tokens": 64, "pool_size": 24}),
        ({"model": "skipgram", "window": 2}, {"alpha": 0.06}),
        ({"model": "skipgram", "window": 10}, {"alpha": 0.02}),
        ({"negative": 15}, {"pool_size": 30}),
        ({"negative": 15, "output_weight": 0}, {"pool_size": 45}),
        ({"vector_size": 300}, {"pool_size": 24}),
        ({"vector_size": 300, "output_weight": 0}, {"pool_tokens": 256, "pool_size": 32}),
        ({"quality": "fast"}, {"pool_size": 12, "epochs": 5}),
        ({"quality": "best"}, {"pool_size": 48, "epochs": 15, "negative": 15}),
        ({"pool_size": 7}, {"pool_size": 7}),
        ({"loss": "hs"}, {"loss": "hs", "output_weight": 0.0, "alpha": 0.1, "negative": 5}),
        ({"loss": "hs", "negative": 0}, {"negative": 0}),
        ({"loss": "hs+ns"}, {"output_weight": 0.0}),
        ({"loss": "hs+ns", "output_weight": 0.4}, {"output_weight": 0.4}),
        ({"loss": "hs", "model": "skipgram", "output_weight": 0}, {"output_weight": 0, "alpha": 0.04}),
    ],
)
def test_derived_defaults(settings, completed):
    config = TrainingConfig(**settings)
    assert {name: getattr(config, name) for name in completed} == completed


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"vector_size": 0}, ValueError, "vector_size is 0; it must be at least 1"),
    ({"window": 0}, ValueError, "window is 0; it must be at least 1"),
    ({"negative": 0}, ValueError, "negative is 0; it must be at least 1"),
    ({"negative": 0, "loss": "hs+ns"}, ValueError, "negative is 0; it must be at least 1"),
    ({"negative": -1, "loss": "hs"}, ValueError, "negative is -1; it must be at least 0"),
    ({"negative": 2**31, "loss": "hs"}, ValueError, "negative is 2147483648; it must lie between 0 and 2147483647"),
    ({"loss": "softmax"}, ValueError, "loss is 'softmax'; it must be 'ns', 'hs' or 'hs\\+ns'"),
    ({"loss": None}, ValueError, "loss is None; it must be"),
    ({"loss": "hs", "output_weight": 0.4}, ValueError, "with loss='hs' the words have no output vectors"),
    ({"epochs": 0}, ValueError, "epochs is 0"),
    ({"pool_size": 0}, ValueError, "pool_size is 0"),
    ({"pool_tokens": 0}, ValueError, "pool_tokens is 0"),
    ({"tile": 0}, ValueError, "tile is 0"),
    ({"window": 2**31}, ValueError, "window is 2147483648; it must lie between 1 and 2147483647"),
    ({"window": 2.5}, TypeError, "window is 2.5 of type float; it must be a whole number"),
    ({"vector_size": "100"}, TypeError, "vector_size is '100' of type str"),
    ({"negative": True}, TypeError, "negative is True of type bool"),
    ({"seed": "1"}, TypeError, "seed is '1' of type str; it must be a whole number"),
    ({"window": np.True_}, TypeError, "window is True of type bool"),
    ({"window": np.array([1, 2])}, TypeError, "window is array\\(\\[1, 2\\]\\) of type ndarray; it must be a whole"),
    ({"vector_size": None}, TypeError, "vector_size is None of type NoneType; it must be a whole number"),
    ({"sample": None}, TypeError, "sample is None of type NoneType; it must be a number"),
    ({"sample": True}, TypeError, "sample is True of type bool; it must be a number"),
    ({"min_alpha": None}, TypeError, "min_alpha is None of type NoneType; it must be a number"),
    ({"alpha": "0.05"}, TypeError, "alpha is '0.05' of type str; it must be a number"),
    ({"alpha": 1j}, TypeError, "alpha is 1j of type complex; it must be a number"),
    ({"alpha": np.float32("nan")}, ValueError, "alpha is nan"),
    ({"alpha": 10**400}, ValueError, "alpha is 1000.*; it must lie between"),
    ({"ns_exponent": "x" * 1_000_000}, TypeError, "^ns_exponent is 'x{38}...x{37}' of type str; it must be a number$"),
    ({"shrink_windows": None}, TypeError, "shrink_windows is None of type NoneType; it must be True or False"),
    ({"deterministic": "no"}, TypeError, "deterministic is 'no' of type str; it must be True or False"),
    ({"model": np.array(["cbow", "cbow"])}, ValueError, "model is array.*; it must be 'cbow' or 'skipgram'"),
    ({"ns_exponent": 1.5}, ValueError, "ns_exponent is 1.5; it must lie between -1.0 and 1.0"),
    ({"sample": -1e-3}, ValueError, "sample is -0.001"),
    ({"sample": float("nan")}, ValueError, "sample is nan"),
    ({"alpha": 1e-5, "min_alpha": 2e-5}, ValueError, "alpha is 1e-05 and min_alpha is 2e-05; alpha must not be below"),
    ({"alpha": 0, "min_alpha": 0}, ValueError, "alpha is 0; it must lie between 1e-09"),
    ({"min_alpha": 0.3}, ValueError, "min_alpha is 0.3, but the default initial learning rate is 0.2; lower min_alpha"),
    ({"min_alpha": -1}, ValueError, "min_alpha is -1"),
    ({"alpha": float("inf")}, ValueError, "alpha is inf"),
    ({"alpha": float("nan")}, ValueError, "alpha is nan"),
    ({"model": "glove"}, ValueError, "model is 'glove'; it must be 'cbow' or 'skipgram'"),
    ({"cbow_grad": "classic"}, ValueError, "cbow_grad is 'classic'; it must be 'mean', 'balanced' or 'sum'"),
])  # fmt: skip
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        TrainingConfig(**settings)


@pytest.mark.parametrize("loss", get_args(Loss))
def test_the_parts_of_the_output_matrix(loss):
    W_out = np.arange(output_rows(loss, 5) * 2.0).reshape(-1, 2)
    parts = dict(zip(("ns", "hs"), output_parts(W_out, loss), strict=True))
    assert {name for name, part in parts.items() if part is not None} == set(loss.split("+"))
    views = [parts[name] for name in ("ns", "hs") if parts[name] is not None]  # the rows of the words come first
    assert [view.shape for view in views] == [(5, 2)] * len(views)
    np.testing.assert_array_equal(np.concatenate(views), W_out)
    for view in views:
        view[:] = -1.0
    assert (W_out == -1).all()


def test_a_rate_below_the_default_final_rate_is_constant():
    config = TrainingConfig(alpha=1e-5)
    assert (config.alpha, config.min_alpha) == (1e-5, 1e-5)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_default_rates_stay_above_the_final_rate_for_any_window(model):
    for window in (1, 2001, 1_000_000_000):
        config = TrainingConfig(model=model, window=window)
        assert config.alpha > config.min_alpha == 1e-4


def test_the_default_rate_falls_with_contexts_and_epochs():
    assert default_alpha("skipgram", "balanced", 1) == default_alpha("skipgram", "balanced", 3.3) == 0.06
    assert default_alpha("skipgram", "balanced", 20) == pytest.approx(0.01)
    assert default_alpha("skipgram", "balanced", 50) == default_alpha("skipgram", "balanced", 8000) == 0.004
    assert default_alpha("cbow", "balanced", 50) == default_alpha("cbow", "balanced", 5, 10, 16) == 0.2
    assert default_alpha("cbow", "balanced", 5, 20, 16) == default_alpha("cbow", "balanced", 5, 5, 256) == 0.1
    assert default_alpha("cbow", "balanced", 200) == 0.1
    assert default_alpha("cbow", "sum", 5, 40, 16) == pytest.approx(0.0125)
    assert default_alpha("skipgram", "balanced", 5, 20, 16) == 0.04
    assert default_alpha("skipgram", "balanced", 5, 40, 16) == pytest.approx(0.02)


def test_the_default_threshold_is_the_mean_share_in_small_vocabularies():
    assert [default_sample(words) for words in (1, 4, 100, 1000, 1_000_000)] == [1, 0.25, 0.01, 0.001, 0.001]


def test_a_changed_copy_keeps_what_was_completed():
    config = dataclasses.replace(TrainingConfig(model="skipgram"), window=2, epochs=1)
    assert (config.alpha, config.pool_size, config.epochs) == (0.04, 24, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.window = 3


def test_the_pool_grows_with_negatives_and_dimensions():
    assert default_pool("cbow", 5, 1, 0.5) == default_pool("cbow", 5, 200, 0.5) == (64, 16)
    assert default_pool("cbow", 10, 1, 0.5) == (64, 20)
    assert default_pool("cbow", 5, 1000, 0.5) == (64, 80)
    assert default_pool("skipgram", 5, 1000, 0) == (64, 100)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_better_quality_needs_larger_pools(model, weight):
    for negative, dimensions in ((5, 100), (5, 300), (20, 100)):
        pools = [default_pool(model, negative, dimensions, weight, quality) for quality in get_args(Quality)]
        assert sorted(P for L, P in pools) == [P for L, P in pools]
        assert all(negative <= P for L, P in pools)


def test_what_is_given_wins_over_the_quality():
    given = {"epochs": 2, "pool_tokens": 100, "pool_size": 10, "alpha": 0.1, "negative": 7, "output_weight": 0.25}
    for quality in get_args(Quality):
        config = TrainingConfig(quality=quality, **given)
        assert {name: getattr(config, name) for name in given} == given
    with pytest.raises(ValueError, match="quality is 'good'; it must be 'fast', 'balanced' or 'best'"):
        TrainingConfig(quality="good")


def test_the_estimator_has_the_defaults_of_the_settings():
    parameters = inspect.signature(Word2Vec).parameters
    for field in dataclasses.fields(TrainingConfig):
        if field.name in parameters and field.name != "sample":  # depends on the vocabulary
            assert parameters[field.name].default == field.default, field.name
    assert Word2Vec().config().sample == TrainingConfig.sample
    assert parameters["min_count"].default == MIN_COUNT
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())


def test_no_default_of_a_setting_is_written_twice():
    """Only config.py defines the defaults of training. Layers and compat have different defaults."""
    names = {field.name for field in dataclasses.fields(TrainingConfig)} | {"min_count"}
    paths = [PACKAGE / "word2vec.py", PACKAGE / "estimate.py", PACKAGE / "corpus" / "corpus.py"]
    for room in ("engines", "kernels", "cli"):
        paths += sorted((PACKAGE / room).glob("*.py"))
    found = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            arguments = node.args.posonlyargs + node.args.args
            pairs = list(zip(reversed(arguments), reversed(node.args.defaults), strict=False))
            pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
            for argument, default in pairs:
                if argument.arg in names and isinstance(default, ast.Constant) and default.value is not None:
                    found.append(f"{path.relative_to(PACKAGE)}: {node.name}({argument.arg}={ast.unparse(default)})")
    assert found == []
