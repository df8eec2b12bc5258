"""The loss curve."""

from __future__ import annotations

import sys

import pytest

from fastw2v.plot.loss import draw_loss, write_loss


def test_the_curve_of_the_loss(tmp_path):
    pytest.importorskip("matplotlib")
    history = [(1000 * i, 4.0 / i) for i in range(1, 60)]
    write_loss(history, tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").stat().st_size > 5000
    with pytest.raises(ValueError, match=r"\.html"):
        write_loss(history, tmp_path / "loss.html")


def test_no_loss_to_draw(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="history is empty"):
        write_loss([], tmp_path / "loss.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"fastw2v\[plot\]"):
        write_loss([(1, 4.0)], tmp_path / "loss.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("history", "tick"), [([(2000, 4.0), (5000, 3.0)], (3000, "3k")), ([(0.5, 4.0), (1.0, 3.0)], (0.5, "0.5"))]
)
def test_labels(history, tick):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    draw_loss(axes, history, "epochs")
    figure.draw_without_rendering()
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [list(entry) for entry in history]
    assert axes.get_xlabel() == "epochs"
    assert "loss" in axes.get_ylabel()
    assert axes.get_xlim()[0] == 0
    value, text = tick
    assert axes.xaxis.get_major_formatter()(value) == text


def test_the_curve_of_held_out_text(tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    validation = [(2000, 4.5), (3000, 4.1), (4000, 4.2)]
    draw_loss(axes, [(1000, 5.0), (4000, 3.0)], "words trained", validation)
    training, held_out, lowest = axes.lines
    assert training.get_xydata().tolist() == [[1000, 5.0], [4000, 3.0]]
    assert held_out.get_xydata().tolist() == [list(entry) for entry in validation]
    assert lowest.get_xydata().tolist() == [[3000, 4.1]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "held-out", "lowest"]
    write_loss([(1000, 5.0)], tmp_path / "loss.svg", validation=validation)
    assert (tmp_path / "loss.svg").stat().st_size > 5000
    with pytest.raises(TypeError, match="validation is 3"):
        write_loss([(1000, 5.0)], tmp_path / "loss.svg", validation=3)
