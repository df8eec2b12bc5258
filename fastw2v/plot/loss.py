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


def draw_loss(
    axes: Axes,
    history: Sequence[tuple[float, float]],
    x_label: str,
    validation: Sequence[tuple[float, float]] = (),
) -> None:
    """Draw a loss curve on matplotlib axes, and the curve of the loss on held-out text if there is one.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    history : sequence of (number, float)
        Pairs of the training progress, such as the number of words, and the mean loss since the previous pair. There
        must be at least one pair.
    x_label : str
        Label of the progress axis.
    validation : sequence of (number, float)
        Pairs of the training progress and the loss on held-out text.

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

    for curve, label in ((history, "training"), (validation, "held-out")):
        if curve:
            marker = "." if len(curve) < 30 else ""
            axes.plot(*zip(*curve, strict=True), linewidth=1.2, marker=marker, label=label)
    if validation:
        words, loss = min(validation, key=lambda pair: pair[1])
        axes.plot([words], [loss], "o", markersize=7, fillstyle="none", color="C1", label="lowest")
        axes.legend(frameon=False)
    axes.set_xlabel(x_label)
    axes.set_ylabel("mean loss (nats)")
    axes.set_xlim(left=0)
    if history[-1][0] >= 1000:  # for smaller values, EngFormatter would label fractions of an epoch as "500m"
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def write_loss(
    history: Sequence[tuple[float, float]],
    path: str | PathLike[str],
    x_label: str = "words",
    *,
    validation: Sequence[tuple[float, float]] = (),
) -> None:
    """Write a loss curve to an image file, and the curve of the loss on held-out text if there is one.

    Parameters
    ----------
    history : sequence of (number, float)
        Pairs of the training progress, such as the number of words, and the mean loss since the previous pair, as in
        `Word2Vec.loss_history`.
    path : str or path
        File to write. The suffix must be ``.png``, ``.svg`` or ``.pdf``.
    x_label : str
        Unit of the progress. The label of the axis is this unit followed by "trained".
    validation : sequence of (number, float)
        Pairs of the training progress and the loss on held-out text, as in `Word2Vec.validation_history`. The lowest
        loss is marked with a circle.

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
    check_items("validation", validation, "a list of pairs, such as Word2Vec.validation_history")
    check_type("x_label", x_label, str, "a string")
    check_picture(path)
    if not history:
        raise ValueError("history is empty, so there is no loss to draw; train first")
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    draw_loss(figure.subplots(), history, f"{shorten(x_label)} trained", validation)
    save_figure(figure, Path(path))
