"""Word maps: images whose labels never overlap, and a page that works without loading other files."""

from __future__ import annotations

import html.parser
import json
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fastw2v import plot
from fastw2v.plot import projection, word_map
from fastw2v.plot.kmeans import typical_rows
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors
from tests.plot.test_labels import overlap

HOSTILE = ["</script><b>", "$x_1$", "&amp;", "a b", 'quo"te', "\\u003c", "tab\t", "{{data}}", "<!--", "été", "가"]


@pytest.fixture
def vectors() -> WordVectors:
    random = np.random.default_rng(3)
    centres = random.normal(size=(6, 20)) * 2
    rows = centres[np.arange(300) % 6] + random.normal(size=(300, 20))
    return WordVectors([f"word{i}" for i in range(300)], rows.astype(np.float32))


def test_labels_of_an_image_do_not_overlap_where_they_are_drawn(vectors):
    pytest.importorskip("matplotlib")
    points = plot.plane(vectors.vectors, "pca")
    figure, n_labels = word_map._figure(vectors.index_to_key, points, "PCA")
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [text.get_window_extent(renderer).extents for text in axes.texts]
    assert len(boxes) == n_labels > 100
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    frame = axes.get_window_extent(renderer).extents
    assert all(box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] for box in boxes)


def test_colours_and_names_of_clusters(vectors):
    pytest.importorskip("matplotlib")
    from matplotlib.colors import to_hex

    words, labels = vectors.index_to_key, plot.clusters(vectors.vectors, 6)
    assert labels.tolist() == [i % 6 for i in range(300)]  # the six topics of the words
    key = word_map.Clusters(labels, typical_rows(vectors.vectors, labels))
    figure, _ = word_map._figure(words, plot.plane(vectors.vectors, "pca"), "PCA", key)
    axes, legend = figure.axes
    dots = axes.collections[0].get_facecolors()
    assert [to_hex(colour) for colour in dots] == [word_map.COLORS[label] for label in labels]
    assert [to_hex(line.get_color()) for line in legend.lines] == list(word_map.COLORS[:6])
    for label, text in enumerate(legend.texts):
        names = text.get_text().split(" · ")
        assert len(names) == 3
        centre = vectors.unit_vectors[labels == label].mean(axis=0)
        cosines = {word: float(centre @ vectors.unit_vectors[i]) for i, word in enumerate(words) if labels[i] == label}
        assert names == sorted(cosines, key=lambda word: -cosines[word])[:3]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [text.get_window_extent(renderer).extents for text in legend.texts]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert max(box[3] for box in boxes) < axes.get_window_extent(renderer).extents[1]


def test_long_names_of_clusters_are_shortened():
    pytest.importorskip("matplotlib")
    words = [f"{letter * 80}{i}" for i in range(5) for letter in "ab"]
    labels = np.arange(10) % 5
    key = word_map.Clusters(labels, [np.flatnonzero(labels == label) for label in range(5)])
    figure, _ = word_map._figure(words, np.random.default_rng(0).normal(size=(10, 2)), "PCA", key)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [text.get_window_extent(renderer).extents for text in figure.axes[1].texts]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert all(text.get_text().endswith("…") for text in figure.axes[1].texts)


def test_colours_of_counts(tmp_path):
    pytest.importorskip("matplotlib")
    counts = np.array([1000, 100, 10, 0])
    figure, _ = word_map._figure(list("abcd"), np.eye(4)[:, :2], "PCA", counts)
    dots = figure.axes[0].collections[0]
    figure.canvas.draw()
    shades = dots.norm(dots.get_array())
    np.testing.assert_allclose(shades, [1, 2 / 3, 1 / 3, 0])
    vectors = WordVectors(list("abcd"), np.eye(4), counts=[4, 3, 2, 1])
    for color in ("cluster", "count", None):
        assert plot.write_map(vectors, tmp_path / "map.png", color=color) == 4
    assert (
        plot.write_map(WordVectors(list("abcd"), np.eye(4), counts=[1] * 4), tmp_path / "map.svg", color="count") == 4
    )
    without_counts = WordVectors(list("abcd"), np.eye(4))
    with pytest.raises(ValueError, match="no counts"):
        plot.write_map(without_counts, tmp_path / "map.png", color="count")
    with pytest.raises(ValueError, match="'topic'"):
        plot.write_map(without_counts, tmp_path / "map.png", color="topic")  # type: ignore[arg-type]


def test_the_title_says_how_to_get_a_better_map(vectors, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    titles = []
    monkeypatch.setattr(word_map, "_figure", lambda words, points, title, key: (titles.append(title), 0))
    monkeypatch.setattr(word_map, "save_figure", lambda figure, path: None)
    plot.write_map(vectors, tmp_path / "map.png", vectors.index_to_key[:20])
    plot.write_map(vectors, tmp_path / "map.png", vectors.index_to_key[:20], method="pca")
    assert titles == ["PCA. For a better map: pip install 'fastw2v[maps]'", "PCA"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_images_are_whole_files_of_their_kind(vectors, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"map{suffix}"
    n_labels = plot.write_map(vectors, path, vectors.index_to_key[:40], method="pca")
    assert 30 < n_labels <= 40
    start = {".png": b"\x89PNG\r\n", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_words_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    pytest.importorskip("matplotlib")
    words = ["$x_1$", "$", "a\nb", "tab\t", "under_score", "\\alpha", "é"]
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(7, 4)))
    assert plot.write_map(vectors, tmp_path / "map.png") == 7


def test_characters_that_no_font_has_are_replaced_with_one_warning(tmp_path, caplog):
    pytest.importorskip("matplotlib")
    vectors = WordVectors(["one", "two", "\U0001fb93\U0001d2e0"], np.random.default_rng(0).normal(size=(3, 4)))
    assert plot.write_map(vectors, tmp_path / "map.png") == 3
    assert len(caplog.messages) == 1
    assert plot.write_map(vectors, tmp_path / "map.html") == 3
    assert len(caplog.messages) == 1


class Page(html.parser.HTMLParser):
    """The elements of a page, and the content of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


def test_the_page_holds_every_word_and_asks_nobody(tmp_path):
    rows = np.random.default_rng(1).normal(size=(len(HOSTILE), 5))
    vectors = WordVectors(HOSTILE, rows)
    path = tmp_path / "map.html"
    assert plot.write_map(vectors, path, method="pca") == len(HOSTILE)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    data = json.loads(page.scripts[0])
    assert data["words"] == HOSTILE
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "b" not in [tag for tag, _ in page.tags]
    assert not {name for _, attributes in page.tags for name in attributes} & {"src", "href"}
    assert "http" not in text
    assert "url(" not in text
    expected = plot.plane(rows, "pca") / np.abs(plot.plane(rows, "pca")).max()
    np.testing.assert_allclose(data["places"], expected, atol=1e-5)
    for word, near in zip(HOSTILE, data["nearest"], strict=True):
        assert [HOSTILE[i] for i in near] == [
            other for other, _ in vectors.most_similar(word, topn=word_map.NEIGHBOURS)
        ]


def test_neighbours_in_blocks_are_those_of_the_whole():
    matrix = np.random.default_rng(0).normal(size=(2100, 4))
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_array_equal(word_map._neighbours(matrix), np.argsort(-cosines, axis=1)[:, : word_map.NEIGHBOURS])


def test_the_page_works(vectors, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run the page's script")
    path = tmp_path / "map.html"
    plot.write_map(vectors, path, method="pca")
    command = [node, str(Path(__file__).with_name("page_stub.js")), str(path), "WORD17"]
    shots = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    for name in ("start", "found", "zoomed"):
        boxes = [label["box"] for label in shots[name]["labels"]]
        assert not any(overlap(a, b) for a, b in combinations(boxes, 2)), name
        dots = [(x - 2, y - 2, x + 2, y + 2) for x, y, radius in shots[name]["dots"] if radius >= 2.5]
        assert not any(overlap(box, dot) for box in boxes for dot in dots), name
    assert len(shots["start"]["dots"]) == 300
    assert f"300 words, PCA, {len(shots['start']['labels'])} labelled" in shots["note"]
    assert shots["title"] == "300 words, PCA"
    nearest = [word for word, _ in vectors.most_similar("word17", topn=word_map.NEIGHBOURS)]
    assert shots["panel"] == ["word17", *nearest]
    assert {label["text"] for label in shots["found"]["labels"] if label["colour"] == "--mark"} >= {"word17"}
    assert shots["missing"] == "this word is not on the map"
    hovered, *near = shots["hovered"]
    assert near == [word for word, _ in vectors.most_similar(hovered, topn=word_map.NEIGHBOURS)]
    assert len(shots["zoomed"]["dots"]) < 300


def test_the_page_labels_every_word_where_there_is_room(tmp_path):
    """Seven words are so close together that labels must also be above and below them, and no label covers a point."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run the page's script")
    places = np.array([(-1, -1), (1, 1), (0, 0), (0.04, 0.01), (-0.04, 0.02), (0.5, 0.5), (0.53, 0.5)])
    words = [f"word{i}" for i in range(len(places))]
    path = tmp_path / "map.html"
    path.write_text(word_map._page(words, places, np.zeros((7, 1), np.int64), "seven words"), encoding="utf-8")
    command = [node, str(Path(__file__).with_name("page_stub.js")), str(path), "word2"]
    shots = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    labels = {label["text"]: label["box"] for label in shots["start"]["labels"]}
    assert labels.keys() == set(words)
    dots = [(x - 2, y - 2, x + 2, y + 2) for x, y, _ in shots["start"]["dots"]]
    assert not any(overlap(box, dot) for box in labels.values() for dot in dots)
    assert shots["note"] == "seven words"


def test_distances_of_an_image_are_the_same_in_both_directions(vectors):
    pytest.importorskip("matplotlib")
    figure, _ = word_map._figure(
        vectors.index_to_key[:50], plot.plane(vectors.vectors[:50], "pca"), "principal components"
    )
    (axes,) = figure.axes
    across, up = axes.transData.transform([(1, 0), (0, 1)]) - axes.transData.transform((0, 0))
    assert across[0] == pytest.approx(up[1])


def test_what_cannot_be_drawn(vectors, tmp_path, monkeypatch):
    with pytest.raises(UnknownWordError):
        plot.write_map(vectors, tmp_path / "map.html", ["word1", "word2", "nowhere"])
    with pytest.raises(ValueError, match=r"'\.gif'.*\.png.*\.html"):
        plot.write_map(vectors, tmp_path / "map.gif")
    with pytest.raises(ValueError, match="at least three"):
        plot.write_map(vectors, tmp_path / "map.html", ["word1", "word1", "word2"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"fastw2v\[plot\].*html"):
        plot.write_map(vectors, tmp_path / "map.png")
    assert list(tmp_path.iterdir()) == []
