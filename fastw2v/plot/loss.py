"""The loss over the course of training, as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastw2v.plot.image import check_picture, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE_SIZE = (7.0, 4.2)
"""Width and height of a loss curve in inches."""


def draw_loss(axes: Axes, history: Sequence[tuple[float, float]], x_label: str) -> None:
    """Draw a history of the loss into axes of matplotlib.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    history : sequence of (number, float)
        Progress of the training, and the mean loss since the entry before; at least one entry.
    x_label : str
        Label of the progress axis.
    """
    from matplotlib.ticker import EngFormatter

    axes.plot(*zip(*history, strict=True), linewidth=1.2, marker="." if len(history) < 30 else "")
    axes.set_xlabel(x_label)
    axes.set_ylabel("loss per target (nats)")
    axes.set_xlim(left=0)
    if history[-1][0] >= 1000:  # below, it would label fractions of an epoch in thousandths
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def write_loss(history: Sequence[tuple[float, float]], path: str | PathLike[str], x_label: str = "words") -> None:
    """Draw a history of the loss.

    Parameters
    ----------
    history : sequence of (number, float)
        Progress of the training, and the mean loss since the entry before, as in `Word2Vec.loss_history`.
    path : path
        ``.png``, ``.svg`` or ``.pdf``.
    x_label : str
        Unit of the progress.

    Raises
    ------
    ValueError
        If the history is empty, or the suffix unknown.
    ImportError
        If matplotlib is not installed.
    """
    check_picture(path)
    if not history:
        raise ValueError("there is no loss to draw yet: train first")
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    draw_loss(figure.subplots(), history, f"{x_label} trained")
    save_figure(figure, Path(path))
