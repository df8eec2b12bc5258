"""A value of a wrong type for each parameter of each public function: the error names the parameter and is short."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v import nn
from fastw2v.compat import gensim, textbook
from fastw2v.explore import ExploreServer
from fastw2v.utils.quote import quote
from fastw2v.vectors import UnknownWordError
from tests.test_docs import REFERENCE

MODULES = sorted({name for page in REFERENCE for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.M)})
SENTENCES = [["the", "cat", "sat", "down"], ["the", "dog", "ran", "away"]] * 20
MATRIX = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
IDS = np.array([0, 1, 2, 3, 0, 1, 2, 4] * 4)
CONTEXTS = np.array([[0, 2], [1, 3]] * 4)
TARGET = np.array([1, 2] * 4)
LONGEST_MESSAGE = 400
LONG = "a text is not a path " * 25_000
"""A string that may be valid, but is too long for a message."""

ARRAYS = "an array of any library, in a function that training calls for every batch"
CHECKED_BEFORE = "TrainingConfig has checked the settings"
RESULT = "a result that only the library creates"
UNUSED = "accepted for compatibility, and not used"
FORWARDED = "the names and values are checked where they are used"
WITHOUT_CHECKS = {
    "Corpus.Corpus": "the class methods, which create corpora, check their arguments",
    "AnalogyResult": RESULT,
    "Connection": RESULT,
    "DistributedCorpus": RESULT,
    "Estimate": RESULT,
    "MemoryItem": RESULT,
    "NodeEstimate": RESULT,
    "ReplicaEstimate": RESULT,
    "PairsResult": RESULT,
    "Phrases": RESULT,
    "PoolSizes": RESULT,
    "ScaledRows": "check_stored_matrix checks the arrays before they are used",
    "SectionResult": RESULT,
    "StabilityResult": RESULT,
    "Suite": RESULT,
    "SuiteResult": RESULT,
    "VectorRecord.VectorRecord": "check_record checks a record before it is written",
    **dict.fromkeys(
        (
            "default_alpha",
            "default_cbow_grad",
            "default_output_weight",
            "default_pool",
            "default_sample",
            "cbow_grad_scale",
            "output_parts",
            "output_rows",
        ),
        CHECKED_BEFORE,
    ),
    "CallbackAny2Vec": "its methods are called by the library",
    "RowSparseGradient": ARRAYS,
    **dict.fromkeys(
        (
            "WeightedRows",
            "boolean_mask",
            "context_weights",
            "cross_entropy",
            "get_device",
            "get_namespace",
            "has_row_kernels",
            "is_cupy",
            "is_numpy",
            "on_device_of",
            "pool_weights",
            "products",
            "row_dots",
            "scatter_add",
            "set_rows",
            "subtract_row_sums",
            "take_rows",
            "to_host",
            "weighted_sums",
        ),
        ARRAYS,
    ),
    **dict.fromkeys(
        ("unique_inverse", "to_cpu", "to_gpu"),
        ARRAYS,
    ),
    "NGrams": "Subwords checks it",
    **dict.fromkeys(
        ("blocks", "rows_of_buckets", "rows_of_unseen", "rows_of_word", "with_buckets"),
        "a function that the library calls in queries and for files",
    ),
    "free_device_memory": "needs a GPU",
    **dict.fromkeys(
        ("push_folder", "push_to_hub"),
        "tests/hub checks the arguments, because a wrong value that is accepted would reach the Hugging Face Hub",
    ),
    "has_index_for": "any object can be asked for",
    "__contains__": "any object can be asked for",
    "forward": ARRAYS,
    "losses": ARRAYS,
    "backward": ARRAYS,
    "update": ARRAYS,
    "get_negative_sample": ARRAYS,
}
"""Classes, functions and methods whose arguments are not checked, and why."""
UNCHECKED = {
    "ignore": "None means that nothing is left out",
    "evaluate_word_pairs.delimiter": "None means the delimiter of the file",
    "get_index.default": "any value can be the default",
    "TrainingConfig.alpha": "None means the default",
    "TrainingConfig.bucket": "None means the default",
    "TrainingConfig.cbow_grad": "None means the default",
    "TrainingConfig.output_weight": "None means the default",
    "Word2Vec.negative": "None means the default",
    "TrainingConfig.negative": "None means the default",
    "Word2Vec.epochs": "None means the default",
    "FastText.negative": "None means the default",
    "FastText.epochs": "None means the default",
    "TrainingConfig.epochs": "None means the default",
    "TrainingConfig.pool_tokens": "None means the default",
    "TrainingConfig.pool_size": "None means the default",
    "array": ARRAYS,
    "values": ARRAYS,
    "y": UNUSED,
    "deep": UNUSED,
    "input_features": UNUSED,
    "fit_parameters": FORWARDED,
    "changes": FORWARDED,
    "parameters": FORWARDED,
    "settings": FORWARDED,
    **dict.fromkeys(
        (
            "hashfxn",
            "batch_words",
            "compute_loss",
            "comment",
            "progress_per",
            "keep_raw_vocab",
            "total_examples",
            "total_words",
            "word_count",
            "chunksize",
            "queue_factor",
            "report_delay",
            "mmap",
            "rethrow",
            "separately",
            "sep_limit",
            "pickle_protocol",
            "indexer",
            "force",
            "datatype",
            "fvocab",
            "allow_inference",
            "copy_vecattrs",
        ),
        UNUSED,
    ),
}
"""Parameters that are not checked, and why."""

FLAGS = {"sg", "hs", "cbow_mean", "null_word", "sorted_vocab"}
"""Parameters of gensim that are 0 or 1, for which True and False are accepted as well."""
TEXT = re.compile(r"\b(?:str|PathLike|Model|Loss|CbowGrad|EngineName|Errors|Method|Scoring|Backend|SentenceMethod)\b")
NUMBER = re.compile(r"\b(?:int|float)\b")


@functools.cache
def vectors() -> fastw2v.WordVectors:
    return model().wv


@functools.cache
def model() -> fastw2v.Word2Vec:
    return fastw2v.Word2Vec(vector_size=4, negative=2, epochs=1, engine="layers", sample=0).fit(SENTENCES)


@functools.cache
def gensim_model() -> gensim.Word2Vec:
    return gensim.Word2Vec(SENTENCES, vector_size=4, negative=2, hs=1, epochs=1, engine="layers", sample=0)


@functools.cache
def corpus() -> fastw2v.Corpus:
    return fastw2v.Corpus.from_sentences(SENTENCES, min_count=1)


def fasttext_model() -> gensim.FastText:
    return gensim.FastText(SENTENCES, vector_size=4, negative=2, epochs=1, engine="layers", sample=0, bucket=100)


def closed_server() -> ExploreServer:
    server = ExploreServer(vectors(), method="pca")
    server.close()
    return server


OBJECTS: dict[str, Callable[[], Any]] = {
    "fastw2v.Corpus": corpus,
    "fastw2v.Vocabulary": lambda: corpus().vocabulary,
    "fastw2v.Word2Vec": model,
    "fastw2v.WordVectors": vectors,
    "fastw2v.compat.gensim.Word2Vec": gensim_model,
    "fastw2v.compat.gensim.KeyedVectors": lambda: gensim_model().wv,
    "fastw2v.compat.gensim.FastText": fasttext_model,
    "fastw2v.compat.gensim.FastTextKeyedVectors": lambda: fasttext_model().wv,
    "fastw2v.estimate.Estimate": lambda: model().estimate(SENTENCES, measure=False),
    "fastw2v.estimate.ReplicaEstimate": (
        lambda: model().estimate(SENTENCES, measure=False, replicas=2, ray="in-process").replicas
    ),
    "fastw2v.explore.ExploreServer": closed_server,
    "fastw2v.formats.VectorRecord": lambda: importlib.import_module("fastw2v.formats").VectorRecord(["a"], MATRIX[:1]),
    "fastw2v.vectors.HNSWIndex": lambda: vectors().index(),
    "fastw2v.nn.Trainer": lambda: nn.Trainer(nn.CBOW(5, 4, 1, IDS), nn.SGD()),
    "fastw2v.compat.textbook.Trainer": lambda: textbook.Trainer(textbook.CBOW(5, 4, 1, IDS), textbook.SGD()),
}
"""An object of each class with methods."""
ARGUMENTS: dict[str, Any] = {
    # Corpora
    "corpus": SENTENCES,
    "corpus_iterable": SENTENCES,
    "sentences": SENTENCES,
    "source": "corpus.txt",
    "lines": ["the cat", "the dog"] * 5,
    "walks": CONTEXTS,
    "ids": IDS,
    "counts": None,
    "vocabulary": None,
    "Vocabulary.words": ["cat", "dog"],
    "Vocabulary.counts": [2, 1],
    "from_counts.counts": {"cat": 2},
    "texts": [["the", "cat"]],
    "find_phrases.corpus": corpus,
    "join_phrases.corpus": corpus,
    "join_phrases.phrases": lambda: importlib.import_module("fastw2v.corpus").find_phrases(corpus(), 1, 1.0),
    "corpus_head.corpus": corpus,
    "estimate_memory.corpus": corpus,
    "config.corpus": corpus,
    "astype.dtype": "float16",
    # Files
    "path": "vectors.txt",
    "fname": "vectors.txt",
    "fname_or_handle": "new.safetensors",
    "corpus_file": None,
    "Corpus.load.path": "corpus.w2v",
    "Vocabulary.load.path": "counts.txt",
    "Word2Vec.load.path": "model.safetensors",
    "Word2Vec.load.fname": "model.safetensors",
    "FastText.load.fname": "fasttext.safetensors",
    "model_file": "model.bin",
    "load_facebook_model.path": "model.bin",
    "load_facebook_vectors.path": "model.bin",
    "save_facebook_model.path": "new.bin",
    "save_facebook_model.model": fasttext_model,
    "resume.folder": "run",
    "checkpoint": None,
    "checkpoint_every": "10m",
    "held_out": 0.5,
    "load_textbook_pickle.path": "params.pkl",
    "load_params.path": "params.npz",
    "save.path": "new.safetensors",
    "build_vocab.corpus_iterable": SENTENCES,
    "train.corpus_iterable": SENTENCES,
    "most_similar.positive": "cat",
    "most_similar_cosmul.positive": "cat",
    "cos_similarity.y": MATRIX[0],
    "save.fname": "new.safetensors",
    "save_word2vec_format.fname": "new.txt",
    "write.path": "new.txt",
    "write_text.path": "new.txt",
    "save_params.path": "new.npz",
    "write_map.path": "new.svg",
    "write_page.path": "new.html",
    "write_loss.path": "new.svg",
    "check_picture.path": "new.png",
    "plot.path": "new.svg",
    "read_analogies.path": "analogies.txt",
    "read_pairs.path": "pairs.txt",
    "evaluate_word_analogies.analogies": "analogies.txt",
    "evaluate_word_pairs.pairs": "pairs.txt",
    "folder": ".",
    "from_pretrained.name": "pretrained",
    "find_pretrained.name": "pretrained",
    "write_folder.path": "new",
    "save_pretrained.path": "new",
    **dict.fromkeys(("write_folder.name", "save_pretrained.name", "model_card.name"), "user/vectors"),
    "license": "mit",
    **dict.fromkeys(("write_folder.corpus", "save_pretrained.corpus", "model_card.corpus"), "a text"),
    "evaluate_suite.name": "english",
    "load_suite.name": "english",
    "load_word_pairs.name": "men",
    "record": lambda: importlib.import_module("fastw2v.formats").VectorRecord(["a"], MATRIX[:1]),
    # Words
    **dict.fromkeys(
        ("word", "key", "a", "b", "w1", "w2", "key1", "wa", "word1", "keys", "query", "positive"),
        "cat",
    ),
    **dict.fromkeys(
        ("c", "other", "key2", "wb", "word2", "negative"),
        "dog",
    ),
    "keys_list": ["dog"],
    **dict.fromkeys(
        ("words", "other_words", "others", "ws1", "ws2", "keys", "context_words_list"), ("cat", "dog", "sat")
    ),
    "write_map.words": None,
    "select_method.method": "pca",
    "select_method.n": 500,
    "write_page.words": None,
    "write_page.other": None,
    "ExploreServer.other": None,
    "align.words": None,
    "align.other": vectors,
    "attr": "count",
    "word_or_vector": "cat",
    "queries": ["cat"],
    "vector": MATRIX[0],
    "vector_1": MATRIX[0],
    "vectors_all": MATRIX,
    "weights": None,
    # Vectors and models
    "vectors": vectors,
    "WordVectors.words": ["cat", "dog"],
    "KeyedVectors.words": ["cat", "dog"],
    "FastTextKeyedVectors.words": ["cat", "dog"],
    "FastTextKeyedVectors.vectors": MATRIX[:2],
    "sentence": ["the", "cat"],
    "Subwords.words": ["cat", "dog"],
    "ngrams": lambda: importlib.import_module("fastw2v.corpus").NGrams(3, 6, 1000),
    "buckets": None,
    "SubwordEmbedding.starts": np.array([0, 1, 2]),
    "SubwordEmbedding.rows": np.array([0, 1]),
    "WordVectors.vectors": MATRIX[:2],
    "KeyedVectors.vectors": MATRIX[:2],
    "VectorRecord.words": ["cat", "dog"],
    "VectorRecord.vectors": MATRIX[:2],
    "models": lambda: [vectors(), vectors()],
    "questions": {"all": [("the", "cat", "the", "dog")]},
    "word_pairs.pairs": [("cat", "dog", 1.0)],
    "history": [(1, 1.0), (2, 0.5)],
    "matrix": MATRIX,
    "points": MATRIX[:, :2],
    "sizes": MATRIX[:, :2] ** 2,
    "bounds": (0.0, 0.0, 9.0, 9.0),
    # Numbers and names without a default
    "tokens": 5,
    "vector_size": 4,
    "epochs": 1,
    "replicas": 2,
    "n": 1,
    "k": 1,
    "top_k.values": MATRIX,
    "to_device.array": MATRIX,
    "device": "cpu",
    "engine": "auto",
    "estimate_memory.engine": "layers",
    "estimate_memory.config": lambda: importlib.import_module("fastw2v.config").TrainingConfig(),
    "place": "host",
    "n_tokens": 10,
    "words_per_second.train": lambda: lambda tokens: None,
    "max_contexts": 4,
    "cbow_grad": "mean",
    "default_cbow_grad.alpha": 0.1,
    "UnigramSampler.power": 0.75,
    "UnigramSampler.sample_size": 2,
    "default_alpha.model": "cbow",
    "default_pool.model": "cbow",
    "default_output_weight.model": "cbow",
    "negative_samples": 2,
    "default_pool.negative": 5,
    "default_pool.output_weight": 0.5,
    "quality": "fast",
    "contexts": CONTEXTS,
    "target": TARGET,
    "Trainer.fit.x": CONTEXTS,
    "Trainer.fit.t": TARGET,
    "default_alpha.contexts": 5.0,
    "default_alpha.occurrences": 5.0,
    "vocabulary_size": 10,
    # The textbook
    "text": "the cat sat .",
    "vocab_size": 5,
    "hidden_size": 4,
    "window_size": 1,
    "textbook.corpus": IDS,
    "nn.corpus": IDS,
    "W": MATRIX,
    "W_in": MATRIX,
    "W_out": MATRIX,
    "C": np.ones((3, 3)),
    "x": MATRIX[0],
    "textbook.y": MATRIX[0],
    "word_to_id": {"cat": 0, "dog": 1, "sat": 2},
    "id_to_word": {0: "cat", 1: "dog", 2: "sat"},
    "word_matrix": MATRIX[:3],
    "word_vecs": MATRIX[:3],
    "textbook.c": "sat",
    "Trainer.model": lambda: nn.CBOW(5, 4, 1, IDS),
    "Trainer.optimizer": lambda: nn.SGD(),
    "from_weights.negative": 2,
}
"""Valid arguments: by parameter, by function and parameter, or by module and parameter. Functions return a value."""


def public_calls() -> Iterator[tuple[str, str, str]]:
    """Yield the module, the class or "", and the name of each public function; a constructor has the class's name."""
    seen = set()
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if name in WITHOUT_CHECKS or id(value) in seen:
                continue
            seen.add(id(value))
            if not str(getattr(value, "__module__", "")).startswith("fastw2v") or not callable(value):
                continue
            if inspect.isclass(value):
                if issubclass(value, Exception):
                    continue
                if f"{name}.{name}" not in WITHOUT_CHECKS:
                    yield module, name, name
                for method, function in inspect.getmembers(value, callable):
                    inherited = not str(getattr(function, "__module__", "")).startswith("fastw2v")
                    if (
                        method not in WITHOUT_CHECKS
                        and not inherited
                        and (not method.startswith("_") or method == "__getitem__")
                    ):
                        yield module, name, method
            else:
                yield module, "", name


def valid_argument(module: str, owner: str, function: str, parameter: inspect.Parameter) -> Any:
    """Return a valid argument, or the default of the parameter."""
    room = module.rpartition(".")[2]
    names = [f"{owner}.{function}", function, room]
    for name in [*(f"{one}.{parameter.name}" for one in names), parameter.name]:
        if name in ARGUMENTS and (name != parameter.name or parameter.default is parameter.empty):
            value = ARGUMENTS[name]
            return value() if callable(value) else value
    if parameter.default is parameter.empty:
        raise LookupError(f"ARGUMENTS needs a valid {parameter.name} for {module}, {owner}, {function}")
    return parameter.default


def wrong_values(parameter: inspect.Parameter) -> list[Any]:
    """Return values that the annotation of a parameter excludes."""
    kind = str(parameter.annotation)
    text, number = TEXT.search(kind), NUMBER.search(kind)
    values: list[Any] = [object()]
    if "bool" in kind or parameter.name in FLAGS:
        values += ["no", 2]
    elif text and not number and "Iterable" not in kind and "Sequence" not in kind:
        values += [7, b"cat"]
    elif number and not text and "[" not in kind:
        values += ["3", True, float("nan") if "float" in kind else 2.5]
    if "None" not in kind and "Any" not in kind:
        values.append(None)
    if text or "Key" in kind or "Any" in kind:
        values.append(LONG)
    return values


def problem(call: Callable[..., Any], arguments: dict[str, Any], name: str, value: Any) -> str | None:
    """Return what is wrong with the answer to a wrong value, or None."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    try:
        result = call(**arguments | {name: value})
        if inspect.isgenerator(result):
            list(result)
    except (TypeError, ValueError, UnknownWordError) as error:
        message = str(error)
        if message.startswith(quote(value)):  # a word is named by itself
            message = name
    except Exception as error:
        if value is LONG:
            return f"{name}: a message of {len(str(error))} characters" if len(str(error)) > LONGEST_MESSAGE else None
        return f"{name}={value!r}: {type(error).__name__}: {error}"
    else:
        return None if value is LONG else f"{name}={value!r} is accepted"
    if value is not LONG and not re.search(rf"\b{name}\b", message):
        return f"{name}={value!r}: the message does not name it: {message}"
    if len(message) > LONGEST_MESSAGE:
        return f"{name}: a message of {len(message)} characters"
    if {path: path.stat().st_mtime_ns for path in Path().rglob("*")} != before:
        return f"{name}={value!r}: a file was written"
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file of each kind. The tests check that no file is written."""
    folder = tmp_path_factory.mktemp("files")
    with contextlib.chdir(folder):
        write_files()
    return folder


def write_files() -> None:
    """Write a file of each kind to the current folder."""
    Path("corpus.txt").write_text("\n".join(map(" ".join, SENTENCES)))
    Path("analogies.txt").write_text(": all\nthe cat the dog\n")
    Path("pairs.txt").write_text("cat\tdog\t1\nthe\tsat\t2\ncat\tsat\t3\n")
    corpus().save("corpus.w2v")
    corpus().vocabulary.save("counts.txt")
    vectors().save("vectors.txt")
    vectors().save_pretrained("pretrained", "user/vectors", license="mit")
    model().save("model.safetensors")
    fastw2v.Word2Vec(vector_size=4, epochs=1, engine="layers").fit(SENTENCES, checkpoint="run")
    fasttext_model().save("fasttext.safetensors")
    gensim.save_facebook_model(fasttext_model(), "model.bin")
    textbook.save_params("params.npz", MATRIX[:2], {"cat": 0, "dog": 1}, {0: "cat", 1: "dog"})
    Path("params.pkl").write_bytes(b"")


def problems(module: str, owner: str, function: str) -> list[str]:
    """Return what is wrong with the answers of a function to wrong values of its parameters."""
    call = getattr(importlib.import_module(module), owner or function)
    if owner not in ("", function):
        static = isinstance(inspect.getattr_static(call, function), (classmethod, staticmethod))
        call = getattr(call if static else OBJECTS[f"{module}.{owner}"](), function)
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = [one for one in inspect.signature(call).parameters.values() if one.kind not in variadic]
    arguments = {one.name: valid_argument(module, owner, function, one) for one in parameters}
    room = module.rpartition(".")[2]
    checked = [
        one
        for one in parameters
        if f"{function}.{one.name}" not in UNCHECKED
        and (one.name not in UNCHECKED or f"{room}.{one.name}" in ARGUMENTS)
    ]
    found = [problem(call, arguments, one.name, value) for one in checked for value in wrong_values(one)]
    return [one for one in found if one]


@pytest.mark.parametrize(("module", "owner", "function"), list(public_calls()))
def test_the_error_names_the_parameter(
    module: str, owner: str, function: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    if owner == "HNSWIndex":
        pytest.importorskip("usearch")
    monkeypatch.chdir(folder)
    assert problems(module, owner, function) == []


def test_exceptions_are_needed():
    """Every name in the tables of exceptions belongs to a public class, function, method or parameter."""
    names: set[str] = set()
    parameters: set[str] = set()
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            members = inspect.getmembers(value, callable) if inspect.isclass(value) else []
            names |= {name, f"{name}.{name}", *(method for method, _ in members)}
    for module, owner, function in public_calls():
        call = getattr(importlib.import_module(module), owner or function)
        own = set(inspect.signature(call if owner in ("", function) else getattr(call, function)).parameters)
        parameters |= own | {f"{function}.{name}" for name in own}
    assert set(WITHOUT_CHECKS) - names == set()
    assert (set(UNCHECKED) | FLAGS) - parameters == set()
