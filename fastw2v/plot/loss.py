"""Plots of the loss during training."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastw2v.plot.image import check_picture, save_figure
from fastw2v.utils.checks import check_items, check_type
from fastw2v.utils.quote import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE_SIZE = (7.0, 4.2)
"""Width and height of a loss curve in inches."""


def draw_loss(axes: Axes, history: Sequence[tuple[float, float]], x_label: str) -> None:
    """Draw a loss curve on matplotlib axes.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    history : sequence of (number, float)
        Pairs of the training progress, such as the number of words, and the mean loss since the previous pair. There
        must be at least one pair.
    x_label : str
        Label of the progress axis.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fastw2v.plot.loss import draw_loss
    >>> axes = Figure().subplots()
    >>> draw_loss(axes, [(1_000, 4.2), (2_000, 3.1), (3_000, 2.8)], "words trained")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('words trained', 'mean loss (nats)')
    """
    from matplotlib.ticker import EngFormatter

    axes.plot(*zip(*history, strict=True), linewidth=1.2, marker="." if len(history) < 30 else "")
    axes.set_xlabel(x_label)
    axes.set_ylabel("mean loss (nats)")
    axes.set_xlim(left=0)
    if history[-1][0] >= 1000:  # for smaller values, EngFormatter would label fractions of an epoch as "500m"
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def write_loss(history: Sequence[tuple[float, float]], path: str | PathLike[str], x_label: str = "words") -> None:
    """Write a loss curve to an image file.

    Parameters
    ----------
    history : sequence of (number, float)
        Pairs of the training progress, such as the number of words, and the mean loss since the previous pair, as in
        `Word2Vec.loss_history`.
    path : str or path
        File to write. The suffix must be ``.png``, ``.svg`` or ``.pdf``.
    x_label : str
        Unit of the progress. The label of the axis is this unit followed by "trained".

    Raises
    ------
    ValueError
        If the history is empty, or the suffix is not supported.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.plot import write_loss
    >>> write_loss([(10_000, 3.1), (20_000, 2.6), (30_000, 2.4)], "loss.svg")
    >>> "</svg>" in Path("loss.svg").read_text(encoding="utf-8")
    True
    """
    check_items("history", history, "a list of pairs, such as Word2Vec.loss_history")
    check_type("x_label", x_label, str, "a string")
    check_picture(path)
    if not history:
        raise ValueError("history is empty, so there is no loss to draw; train first")
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    draw_loss(figure.subplots(), history, f"{shorten(x_label)} trained")
    save_figure(figure, Path(path))
