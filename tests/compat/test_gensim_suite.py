"""gensim's own tests of `Word2Vec` and `KeyedVectors`, run on the classes of `fastw2v.compat.gensim`.

The tests are those of the installed version of gensim. This file lists the tests that cannot pass, with the reason for
each of them. `docs/migrate/gensim.md` describes the differences for users.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.compat.gensim import KeyedVectors, Word2Vec

PAGE = Path(__file__).parents[2] / "docs" / "migrate" / "gensim.md"

pytestmark = [
    # gensim and its tests leave files open.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

DIFFERENT = {
    "vectors are not changed after they are made": {
        "test_add_multiple",
        "test_add_single",
        "test_add_type",
        "test_no_header",
        "test_save_reload",
        "test_set_item",
    },
    "gensim makes up counts for files that have none": {
        "test_vectors_for_all_with_copy_vecattrs",
    },
    "a pickle is read only where the format is named": {
        "Gensim320Test.test",
        "test_load_old_model",
        "test_load_old_model_separates",
        "test_load_old_models_1_x",
        "test_load_old_models_2_x",
        "test_load_old_models_3_x",
        "test_persistence_backwards_compatible",
    },
    "damaged files are a FormatError, which is a ValueError, and words do not begin with line feeds": {
        "test_load_model_and_vocab_file_strict",
        "test_load_word2vec_format_space_stripping",
        "test_too_short_binary_word2vec_format",
        "test_too_short_text_word2vec_format",
    },
    "nothing is compared with no words by a ValueError": {"test_similarities"},
    "loading a file that holds vectors alone is a ValueError": {
        "test_persistence_word2vec_format_combination_with_standard_persistence"
    },
    "load may be called on an instance": {"test_load_on_class_error"},
    "words have counts, but no codes of the Huffman tree": {"test_vocab"},
    "words are frozen by freeze": {"test_locking"},
    "train needs no numbers": {"test_train_with_explicit_param"},
    "words are counted exactly": {"test_prune_vocab"},
    "there is no trim_rule": {
        "test_lambda_rule",
        "test_persistence_with_constructor_rule",
        "test_rule",
        "test_rule_with_min_count",
    },
    "steps of building a vocabulary are not public": {
        "test_build_vocab_from_freq",
        "test_max_final_vocab",
        "test_reset_from",
        "test_total_word_count",
    },
    "hierarchical softmax predicts words, too, and an integer is never a row": {"test_predict_output_word"},
}
CHANCE = {
    "test_evaluate_word_analogies",  # expects untrained vectors to give the same answers with 3CosAdd and 3CosMul
}


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """gensim's test modules, with fastw2v's classes in place of gensim's."""
    gensim = pytest.importorskip("gensim")
    if "testfixtures" not in sys.modules:  # two tests of warnings need it
        fake = types.ModuleType("testfixtures")
        fake.log_capture = lambda: unittest.skip("testfixtures is not there")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "testfixtures", fake)
    from gensim.models import keyedvectors, word2vec
    from gensim.test import test_keyedvectors, test_word2vec

    ours = types.SimpleNamespace(Word2Vec=Word2Vec, LineSentence=word2vec.LineSentence)
    monkeypatch.setattr(test_word2vec, "word2vec", ours)
    monkeypatch.setattr(test_word2vec, "keyedvectors", types.SimpleNamespace(KeyedVectors=KeyedVectors))
    monkeypatch.setattr(test_word2vec.TestWord2VecModel, "models_equal", assert_same_model)
    temporary = test_word2vec.get_tmpfile
    monkeypatch.setattr(test_word2vec, "get_tmpfile", lambda name: temporary(f"{name}.safetensors"))
    monkeypatch.setattr(test_keyedvectors, "KeyedVectors", KeyedVectors)
    for place in (gensim.models, keyedvectors):
        monkeypatch.setattr(place, "KeyedVectors", KeyedVectors)
    monkeypatch.setattr(keyedvectors, "_load_word2vec_format", load_in_chunks)
    # gensim's bounds were found by trial and error, and results of several threads sometimes exceed them.
    monkeypatch.setattr(Word2Vec, "_n_workers", lambda self: 1)
    return test_keyedvectors, test_word2vec


def assert_same_model(case: unittest.TestCase, one: Any, other: Any) -> None:
    """Compare two models like gensim's helper, which reads the counts from a private attribute."""
    assert one.wv.index_to_key == other.wv.index_to_key
    assert np.allclose(one.wv.vectors, other.wv.vectors)
    for name in ("syn1", "syn1neg"):
        assert hasattr(one, name) == hasattr(other, name)
        assert not hasattr(one, name) or np.allclose(getattr(one, name), getattr(other, name))
    assert one.wv.counts.tolist() == other.wv.counts.tolist()


def load_in_chunks(cls: Any, fname: str, binary: bool, limit: int | None, binary_chunk_size: int) -> Any:
    """Read a file like gensim's private function, but not in chunks."""
    return cls.load_word2vec_format(fname, binary=binary, limit=limit)


@pytest.mark.slow
def test_those_of_gensim_s_own_tests_pass_that_should(modules: Any) -> None:
    suite = unittest.TestSuite()
    for module, classes in zip(
        modules, (["TestKeyedVectors", "LoadWord2VecFormatTest", "Gensim320Test"], ["TestWord2VecModel"]), strict=True
    ):
        for name in classes:
            for case in unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, name)):
                if case._testMethodName not in CHANCE:
                    suite.addTest(case)
    result = unittest.TestResult()
    suite.run(result)
    failed = {}
    for case, traceback in result.failures + result.errors:
        name = case.id().rsplit(".", 1)[1]
        failed["Gensim320Test.test" if name == "test" else name] = traceback
    expected = set().union(*DIFFERENT.values())
    unexpected = {name: traceback for name, traceback in failed.items() if name not in expected}
    assert not unexpected, "\n".join(unexpected.values())
    assert expected - set(failed) == set(), "these pass by now"
    assert result.testsRun - len(result.skipped) - len(failed) > 35


def tables_of_the_page() -> dict[str, list[tuple[set[str], str]]]:
    """Return the names and the verdict of each row, for each of gensim's classes."""
    text = PAGE.read_text(encoding="utf-8")
    tables: dict[str, list[tuple[set[str], str]]] = {}
    for heading, body in re.findall(
        r"^## (KeyedVectors|Word2Vec)[^\n]*\n(.*?)(?=^### Added by fastw2v)", text, re.M | re.S
    ):
        rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in body.splitlines() if line.startswith("| ")]
        tables[heading] = [
            (set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", names)))), verdict.strip())
            for names, verdict in rows
        ]
    return tables


def test_the_page_names_every_public_name_and_says_truly_which_are_ours() -> None:
    gensim = pytest.importorskip("gensim.models")
    settings: dict[str, Any] = {"sentences": [list("abcdefg")] * 10, "vector_size": 4, "min_count": 1, "epochs": 1}
    compared = []
    for loss in ({}, {"hs": 1, "negative": 0}):
        theirs, ours = gensim.Word2Vec(**settings, **loss), Word2Vec(**settings, **loss)
        compared += [("Word2Vec", theirs, ours), ("KeyedVectors", theirs.wv, ours.wv)]
    for heading, their, our in compared:
        public = {name for name in dir(their) if not name.startswith("_")}
        verdicts = {name: verdict for names, verdict in tables_of_the_page()[heading] for name in names}
        assert public <= set(verdicts), public - set(verdicts)
        for name in public:
            assert verdicts[name].startswith("same" if hasattr(our, name) else "no"), name
    parameters = set(inspect.signature(gensim.Word2Vec.__init__).parameters) - {"self"}
    assert parameters <= {name for names, _ in tables_of_the_page()["Word2Vec"] for name in names}
