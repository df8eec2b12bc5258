"""Columns of pandas, polars, Arrow and Hugging Face datasets, and arrays of a substitute for CuPy."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.word2vec import Word2Vec

LINES = ["one two", None, "two\nthree  one", "", "two 한국어"]
OF_LINES = [["one", "two"], ["two", "three", "one"], ["two", "한국어"]]
TOKENS = [["one", "two"], None, ["two", "new york"], [], ["two", "한국어"]]
OF_TOKENS = [["one", "two"], ["two", "new york"], ["two", "한국어"]]


def pandas_columns(pandas: Any, values: list[Any]) -> list[Any]:
    columns = [pandas.Series(values, dtype=object), pandas.Series(values), pandas.Series(values, index=range(5, 10))]
    if isinstance(values[0], str):
        columns += [pandas.Series(values, dtype="string"), pandas.Series(values, dtype="category")]
        columns += [columns[0].to_numpy(), columns[0].array, columns[0].iloc[::1]]
    return columns


def polars_columns(polars: Any, values: list[Any]) -> list[Any]:
    columns = [polars.Series(values)]
    if isinstance(values[0], str):
        columns += [polars.Series(values, dtype=polars.Categorical)]
    return columns


def pyarrow_columns(pyarrow: Any, values: list[Any]) -> list[Any]:
    kinds = [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()]
    if not isinstance(values[0], str):
        element = pyarrow.string() if isinstance(values[0][0], str) else pyarrow.int64()
        kinds = [pyarrow.list_(element), pyarrow.large_list(element)]
    columns = [pyarrow.array(values, kind) for kind in kinds]
    columns += [pyarrow.chunked_array([values[:2], values[2:]], kinds[0]), pyarrow.array([values[0], *values])[1:]]
    if isinstance(values[0], str):
        columns += [columns[0].dictionary_encode()]
    return columns


def datasets_columns(datasets: Any, values: list[Any]) -> list[Any]:
    dataset = datasets.Dataset.from_dict({"text": values, "label": range(5)})
    columns = [dataset["text"], dataset.select_columns("text"), dataset.select_columns("text").to_iterable_dataset()]
    columns += [dataset.with_format("arrow")["text"], dataset.with_format("numpy")["text"]]
    return columns


MAKERS: dict[str, Callable[[Any, list[Any]], list[Any]]] = {
    "pandas": pandas_columns,
    "polars": polars_columns,
    "pyarrow": pyarrow_columns,
    "datasets": datasets_columns,
}


def words_of(corpus: Corpus) -> list[list[str]]:
    ends = zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)
    return [[corpus.vocabulary.words[i] for i in corpus.ids[start:end]] for start, end in ends]


def tables(name: str, library: Any, values: list[Any]) -> tuple[Any, Any]:
    """Return a table with one column, and a table with two."""
    make = {
        "pandas": lambda columns: library.DataFrame(columns),
        "polars": lambda columns: library.DataFrame(columns),
        "pyarrow": lambda columns: library.table(columns),
        "datasets": lambda columns: library.Dataset.from_dict(columns),
    }[name]
    return make({"text": values}), make({"id": range(len(values)), "text": values})


@pytest.mark.parametrize("name", MAKERS)
def test_columns_of_lines(name: str):
    library = pytest.importorskip(name)
    for column in MAKERS[name](library, LINES):
        assert words_of(as_corpus(column, 1)) == OF_LINES
    one, two = tables(name, library, LINES)
    assert words_of(as_corpus(one, 1)) == OF_LINES
    assert words_of(Corpus.from_lines(two["text"], 1)) == OF_LINES
    assert as_corpus(two["text"], 1, max_vocab=1).vocabulary.words == ["two"]
    with pytest.raises(TypeError, match="the table has 2 columns; choose one"):
        as_corpus(two)


@pytest.mark.parametrize("name", MAKERS)
def test_columns_of_token_lists(name: str):
    library = pytest.importorskip(name)
    for column in MAKERS[name](library, TOKENS):
        assert words_of(as_corpus(column, 1)) == OF_TOKENS
        assert as_corpus(column, 1, max_vocab=1).vocabulary.words == ["two"]
        assert words_of(as_corpus(column, 1, counts={"two": 3, "한국어": 1})) == [["two"], ["two"], ["two", "한국어"]]


@pytest.mark.parametrize("name", MAKERS)
def test_columns_of_lists_of_integers(name: str):
    library = pytest.importorskip(name)
    for column in MAKERS[name](library, [[880012, 17], None, [17, 5], [], [17]]):
        corpus = as_corpus(column, 1)
        assert words_of(corpus) == [[880012, 17], [17, 5], [17]]
        assert corpus.vocabulary.words == [17, 880012, 5]
        assert set(map(type, corpus.vocabulary.words)) == {int}


@pytest.mark.parametrize("name", MAKERS)
def test_columns_of_integers(name: str):
    library = pytest.importorskip(name)
    one, _ = tables(name, library, [2, 0, 1, 2])
    for corpus in (as_corpus(one), as_corpus(one["text"]), Corpus.from_ids(one["text"])):
        assert words_of(corpus) == [[2, 0, 1, 2]]


def test_rows_of_a_table_are_no_sentences():
    with pytest.raises(TypeError, match="sentence 0 is a row of a table with the columns 'text', 'label'"):
        Corpus.from_sentences([{"text": "a b", "label": 1}], 1)
    with pytest.raises(TypeError, match="from dict; pass the value of one of its keys: 'train', 'test'"):
        as_corpus({"train": [["a", "b"]], "test": [["a"]]}, 1)


def test_splits_of_datasets_are_chosen_among():
    datasets = pytest.importorskip("datasets")
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": LINES})})
    with pytest.raises(TypeError, match="from DatasetDict; pass the value of one of its keys: 'train'"):
        as_corpus(splits)
    assert words_of(as_corpus(splits["train"], 1)) == OF_LINES


def test_a_model_is_fitted_on_a_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["the cat sat on the mat", None, "the dog sat on the rug"] * 20})
    model = Word2Vec(vector_size=8, min_count=1, negative=2, epochs=1, engine="layers").fit(frame["text"])
    assert set(model.wv.index_to_key) == {"the", "cat", "sat", "on", "mat", "dog", "rug"}


class CuPyArray:
    """Like an array of CuPy: `get` copies it to the host, and implicit conversion is an error."""

    __module__ = "cupy"

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.dtype, self.shape, self.ndim = array.dtype, array.shape, array.ndim

    def get(self) -> np.ndarray:
        return self._array

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        raise AssertionError("each step would wait for the GPU")


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = types.ModuleType("cupy")
    module.ndarray = CuPyArray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_arrays_of_cupy_are_fetched_once_as_a_whole(cupy: Any):
    walks = CuPyArray(np.array([[0, 1, 2], [2, -1, -1], [3, 1, -1]], np.int64))
    for corpus in (as_corpus(walks), Corpus.from_walks(walks)):
        assert words_of(corpus) == [[0, 1, 2], [2], [3, 1]]
    ids, offsets = CuPyArray(np.array([0, 1, 1], np.int32)), CuPyArray(np.array([0, 1, 3]))
    assert words_of(Corpus.from_ids(ids, offsets)) == [[0], [1, 1]]
    assert words_of(as_corpus(ids)) == [[0, 1, 1]]
    with pytest.raises(TypeError, match="float32; they must be integers"):
        Corpus.from_walks(CuPyArray(np.zeros((2, 2), np.float32)))
