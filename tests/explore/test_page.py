"""The data of the page, the comparison of two models, and the self-contained file."""

from __future__ import annotations

import base64
import html.parser
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import UnknownWordError, WordVectors
from fastw2v.explore import comparison, write_page
from fastw2v.explore.content import Model
from fastw2v.explore.page import page_html

HOSTILE = ["</script><b>", "$x_1$", "&amp;", "a b", 'quo"te', "\\u003c", "tab\t", "{{data}}", "<!--", "été", "가", ""]


def data_of(path: Path) -> Any:
    """Return the data in a page, as an HTML parser finds it."""

    class Parser(html.parser.HTMLParser):
        inside, text = False, ""

        def handle_starttag(self, tag: str, attributes: Any) -> None:
            self.inside = ("id", "data") in attributes

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

        def handle_data(self, data: str) -> None:
            self.text += data * self.inside

    parser = Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    return json.loads(parser.text)


def random_vectors(words: list[Any], dimensions: int = 20, seed: int = 0, **more: Any) -> WordVectors:
    return WordVectors(words, np.random.default_rng(seed).normal(size=(len(words), dimensions)), **more)


def test_the_page_contains_words_counts_and_vectors(tmp_path: Path):
    vectors = random_vectors(HOSTILE, counts=np.arange(12) + 5)
    assert write_page(vectors, tmp_path / "page.html", method="pca") == 12
    (model,) = data_of(tmp_path / "page.html")["models"]
    assert model["words"] == HOSTILE
    assert model["counts"] == list(range(5, 17))
    values = np.frombuffer(base64.b64decode(model["values"]), np.int8).reshape(12, 20)
    scales = np.frombuffer(base64.b64decode(model["scales"]), "<f4")
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(values * scales[:, None], unit, atol=0.51 / 127)
    assert model["name"] == "vectors"


def test_selected_words_are_in_the_given_order_and_once(tmp_path: Path):
    vectors = random_vectors([f"w{i}" for i in range(50)], counts=np.arange(50))
    assert write_page(vectors, tmp_path / "page.html", words=["w9", "w3", "w9", "w40"], method="pca") == 3
    (model,) = data_of(tmp_path / "page.html")["models"]
    assert (model["words"], model["counts"], model["n_words"]) == (["w9", "w3", "w40"], [9, 3, 40], 50)
    with pytest.raises(UnknownWordError):
        write_page(vectors, tmp_path / "page.html", words=["x"])
    with pytest.raises(ValueError, match="words is empty"):
        write_page(vectors, tmp_path / "page.html", words=[])


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_words(tmp_path: Path, n: int):
    assert write_page(random_vectors([f"w{i}" for i in range(n)]), tmp_path / "page.html") == n
    (model,) = data_of(tmp_path / "page.html")["models"]
    assert np.isfinite(np.frombuffer(base64.b64decode(model["points"]), "<f4")).all()
    assert max(base64.b64decode(model["clusters"])) < len(model["cluster_words"])


def test_vectors_without_a_direction(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(20, 8))
    rows[3], rows[4, 2], rows[5, 1] = 0, np.nan, np.inf
    write_page(WordVectors([f"w{i}" for i in range(20)], rows), tmp_path / "page.html", method="pca")
    (model,) = data_of(tmp_path / "page.html")["models"]
    values = np.frombuffer(base64.b64decode(model["values"]), np.int8).reshape(20, 8)
    assert not values[[3, 4, 5]].any()
    assert np.isfinite(np.frombuffer(base64.b64decode(model["points"]), "<f4")).all()


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_compact_vectors(dtype: str):
    vectors = random_vectors([f"w{i}" for i in range(40)])
    compact = Model(vectors.astype(dtype), "compact", top=30)
    np.testing.assert_allclose(compact.unit, Model(vectors, "whole", top=30).unit, atol=0.01)


def test_clusters_are_named_by_words_near_their_centre():
    random = np.random.default_rng(3)
    centres = np.eye(8) * 4
    rows = centres[np.arange(400) % 8] + random.normal(size=(400, 8)) * 0.3
    model = Model(WordVectors([f"{i % 8}-{i}" for i in range(400)], rows), "groups")
    described = model.described(model.places("pca"), "pca", rows=False)
    numbers = base64.b64decode(described["clusters"])
    for names, number in zip(described["cluster_words"], sorted(set(numbers)), strict=True):
        members = {word for word, cluster in zip(described["words"], numbers, strict=True) if cluster == number}
        assert names
        assert set(names) <= members
    assert numbers[0] == 0


def test_markers_in_words_are_not_replaced():
    assert page_html({"models": [], "moved": "{{script}}"}).count("{{script}}") == 1


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    vectors = random_vectors(["a", "b", "c"])
    for name in ("page.png", "page"):
        with pytest.raises(ValueError, match=r"is not supported for pages; use \.html"):
            write_page(vectors, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        write_page(vectors, tmp_path / "missing" / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_moved_words_after_a_rotation():
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in range(200)]
    rows = random.normal(size=(200, 10))
    rotation = np.linalg.qr(random.normal(size=(10, 10)))[0]
    changed = rows.copy()
    changed[17], changed[60] = -rows[17], random.normal(size=10)
    second = WordVectors([*words, "new"], np.vstack([changed @ rotation, np.ones(10)]))
    moved = comparison.moved_words(WordVectors(["old", *words], np.vstack([np.ones(10), rows])), second)
    assert moved is not None
    assert moved["compared"] == 200
    assert {moved["words"][0][0], moved["words"][1][0]} == {"w17", "w60"}
    assert moved["words"][0][1] < -0.9
    assert min(cosine for _, cosine, _ in moved["words"][2:]) > 0.95
    shares = {word: share for word, _, share in moved["words"]}
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    other = changed / np.linalg.norm(changed, axis=1, keepdims=True)
    for i in (0, 17, 60):
        nearest = [set(np.argsort(-(m @ m[i]))[:11].tolist()) - {i} for m in (unit, other)]
        assert shares[f"w{i}"] == pytest.approx(len(nearest[0] & nearest[1]) / 10)


def test_moved_words_without_a_rotation():
    words = [f"w{i}" for i in range(30)]
    first, second = random_vectors(words, 10), random_vectors(words, 6, seed=1)
    moved = comparison.moved_words(first, second)
    assert moved is not None
    assert {cosine for _, cosine, _ in moved["words"]} == {None}
    shares = [share for *_, share in moved["words"]]
    assert shares == sorted(shares)
    few = comparison.moved_words(first, random_vectors(words[:8], 10, seed=1))  # fewer words than dimensions
    assert few is not None
    assert few["words"][0][1] is None
    assert comparison.moved_words(first, random_vectors(["w1", "x"], 10)) is None


def test_words_without_a_direction_have_not_moved():
    words = [f"w{i}" for i in range(30)]
    rows = np.random.default_rng(0).normal(size=(30, 4))
    rows[0], rows[1, 2] = 0, np.nan
    moved = comparison.moved_words(WordVectors(words, rows), random_vectors(words, 4, seed=1))
    assert moved is not None
    assert moved["compared"] == 28
    assert not {"w0", "w1"} & {word for word, *_ in moved["words"]}


def test_names_and_two_models(tmp_path: Path):
    words = [f"w{i}" for i in range(30)]
    first, second = random_vectors(words, 10), random_vectors(words[5:], 10, seed=1)
    write_page(first, tmp_path / "page.html", second, method="pca", names=["one", "two"], top=20)
    data = data_of(tmp_path / "page.html")
    assert [(model["name"], len(model["words"])) for model in data["models"]] == [("one", 20), ("two", 20)]
    assert data["moved"]["compared"] == 25
    with pytest.raises(ValueError, match="names has length 1; give 2 names, one for each model"):
        write_page(first, tmp_path / "page.html", second, names=["one"])
