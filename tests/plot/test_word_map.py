"""Word maps: images whose labels never overlap, and a page that works without loading other files."""

from __future__ import annotations

import sys
from itertools import combinations

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


def test_the_title_says_which_projection_was_used(vectors, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(projection, "find_spec", lambda name: object() if name == "sklearn" else None)
    titles = []
    monkeypatch.setattr(word_map, "_figure", lambda words, points, title, key: (titles.append(title), 0))
    monkeypatch.setattr(word_map, "save_figure", lambda figure, path: None)
    plot.write_map(vectors, tmp_path / "map.png", vectors.index_to_key[:20])
    plot.write_map(vectors, tmp_path / "map.png", vectors.index_to_key[:20], method="pca")
    assert titles == ["t-SNE (scikit-learn)", "PCA"]


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
        plot.write_map(vectors, tmp_path / "map.svg", ["word1", "word2", "nowhere"])
    with pytest.raises(ValueError, match=r"'\.gif'.*\.png.*\.pdf$"):
        plot.write_map(vectors, tmp_path / "map.gif")
    with pytest.raises(ValueError, match=r"'\.html'.* write a page with fastw2v\.explore\.write_page"):
        plot.write_map(vectors, tmp_path / "map.html")
    with pytest.raises(ValueError, match="at least three"):
        plot.write_map(vectors, tmp_path / "map.svg", ["word1", "word1", "word2"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"fastw2v\[plot\]"):
        plot.write_map(vectors, tmp_path / "map.png")
    assert list(tmp_path.iterdir()) == []
