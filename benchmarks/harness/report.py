"""The report, its plots and README's table, generated from the JSON in benchmarks/results."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import printing, results
from benchmarks.harness.machine import ROOT
from benchmarks.harness.measure import Row
from benchmarks.harness.results import Results
from fastw2v.utils.atomic_write import atomic_write

FOLDER = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
OUR_NAME = "fastw2v"
BY_SETTING = ", by setting"
"""Suffix of the rows of a sweep over settings."""
ROWS_MOVED, COPYING = "rows of the words", "copying memory"
"""Rows of the cost model."""
WHAT_IS_TIMED = {
    ("training", "words/s"): "training alone",
    ("pipeline", "s"): "text to vectors",
    ("pipeline", "MB"): "peak memory",
}
QUALITY_NAMES = {
    "analogy %": "analogies answered correctly (%)",
    "pairs": "rank correlation with human similarities",
    "neighbours %": "held-out words identified by their neighbours (%)",
}
"""Axis label of each measure of quality."""
OUR_COLOUR, BASELINE_COLOUR = "tab:blue", "0.45"


def write_all(folder: Path = FOLDER, readme: Path = ROOT / "README.md") -> list[Path]:
    """Write REPORT.md and its plots beside the results, and README's table; return the paths of the files.

    Raises
    ------
    FileNotFoundError
        If the folder holds no results.
    ValueError
        If a file does not hold results, or README has no markers for the table.
    ImportError
        If matplotlib is not installed.
    """
    every = read_all(folder)
    drawn = {name: plots(found, folder / name) for name, found in every.items()}
    intro = "# Measurements\n\nMade by `python -m benchmarks --report` from the JSON files beside it.\n"
    _write(folder / "REPORT.md", "\n".join([intro, *(page(name, every[name], drawn[name]) for name in every)]))
    _write(readme, with_table(readme.read_text(encoding="utf-8"), every))
    return [*(image for images in drawn.values() for image in images), folder / "REPORT.md", readme]


def read_all(folder: Path = FOLDER) -> dict[str, Results]:
    """Return the results in each JSON file, by the file's name without suffix."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no results: measure with --json {folder / 'NAME.json'} first")
    return {path.stem: results.read(path) for path in paths}


def _write(path: Path, content: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


# Tables.


def with_table(readme: str, every: dict[str, Results]) -> str:
    """Return README's text with a new summary between its markers, of the last run (by name) that has baselines."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"README.md must hold {BEGIN} and, after it, {END}, once each")
    found = next((text for name in sorted(every, reverse=True) if (text := summary(name, every[name]))), "")
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{found}\n{END}", readme, flags=re.DOTALL)


def summary(name: str, found: Results) -> str:
    """Return README's summary of a run, or "" if the run has no baselines.

    The summary is the plot of speed and quality, and a table that compares whole processes, from text to vectors,
    on the whole text. The report has all other results.
    """
    beside = _with_baselines(found)
    if not beside:
        return ""
    usual = beside[0][0].settings
    whole = [rows for rows in beside if rows[0].settings["words"] == usual["words"]]
    timed = [rows for rows in whole if rows[0].unit == "s"]
    memory = {tuple(rows[0].settings.items()): rows for rows in whole if rows[0].unit == "MB"}
    baseline = next(row.baseline for row in beside[0] if row.baseline)
    measures = [measure for measure in QUALITY_NAMES if measure in beside[0][0].quality]
    lines = []
    if _first_in_training(found):
        image = f"benchmarks/results/{name}-speed-quality.png"
        lines += [f"![Speed and quality of fastw2v and other libraries: further right and up is better]({image})", ""]
    columns = ["speed-up", "fastw2v", baseline, *(f"{measure} ({baseline})" for measure in measures)]
    columns.append(f"memory ({baseline})")
    lines += ["| Text to vectors | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for rows in timed:
        row = next(row for row in rows if row.what.startswith(OUR_NAME))
        other = printing.baseline_of(row, rows)
        if other is None:
            continue
        speed_up = printing.times(row, [other]).replace(f" times {baseline}", "×")
        cells = [_model(row, usual), speed_up, _median(row), _median(other)]
        cells += [f"{_score(row.quality[measure])} ({_score(other.quality[measure])})" for measure in measures]
        cells.append(" ".join(_memory(memory.get(tuple(row.settings.items()), []))))
        lines.append("| " + " | ".join(cells) + " |")
    if found.wrong:
        lines += ["", f"Wrong results, omitted: {'; '.join(dict.fromkeys(wrong.what for wrong in found.wrong))}."]
    text = f"Text: {usual['corpus']}, {usual['words']:,} words. Medians; speed-ups in brackets are of each repetition. "
    text += f"Machine: {machine_line(found)}"
    return "\n".join([*lines, "", textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)])


def comparison_tables(found: Results) -> str:
    """Return two tables: fastw2v beside the baseline in every comparison, and all systems in training."""
    beside = _with_baselines(found)
    if not beside:
        return ""
    usual = beside[0][0].settings
    measures = [measure for measure in QUALITY_NAMES if measure in beside[0][0].quality]
    whole = [rows for rows in beside if rows[0].settings["words"] == usual["words"]]
    lines = [*_ours_beside_baseline(whole, measures, usual), ""]
    # A comparison of two systems is already in the table above.
    several = [rows for rows in beside if rows[0].section == "training" and len(rows) > 2]
    for rows in several[:1]:
        lines += [*_every_system(rows, measures), ""]
    return "\n".join(lines)


def _with_baselines(found: Results) -> list[list[Row]]:
    """Return the comparisons that include a baseline."""
    return [rows for rows in comparisons(found) if any(printing.baseline_of(row, rows) for row in rows)]


def _model(row: Row, usual: dict[str, Any]) -> str:
    """Return the model of a row, with the dimensions and the window if they are not the usual ones."""
    unusual = [f"{name} {row.settings[name]}" for name in ("dim", "window") if row.settings[name] != usual[name]]
    return ", ".join([str(row.settings["model"]), *unusual])


def _median(row: Row) -> str:
    """Return the median with its unit."""
    return printing.format_result(replace(row, values=[row.median]))


def _score(value: float) -> str:
    """Return a percentage with one decimal, or a correlation with three."""
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _memory(rows: Sequence[Row]) -> list[str]:
    """Return the peak memory of fastw2v, and in brackets that of the baseline."""
    for row in rows:
        other = printing.baseline_of(row, rows)
        if other is not None and row.what.startswith(OUR_NAME):
            return [_median(row), f"({_median(other)})"]
    return []


def _ours_beside_baseline(groups: list[list[Row]], measures: list[str], usual: dict[str, Any]) -> list[str]:
    """Return a table with a line for each row of fastw2v in each group."""
    baseline = next(row.baseline for row in groups[0] if row.baseline)
    lines = [
        f"| | fastw2v | as a ratio to {baseline} |" + "".join(f" {name} ({baseline}) |" for name in measures),
        "| --- " * (3 + len(measures)) + "|",
    ]
    for rows in groups:
        for row in rows:
            other = printing.baseline_of(row, rows)
            if other is None or not row.what.startswith(OUR_NAME):
                continue
            what = [_model(row, usual), WHAT_IS_TIMED[row.section, row.unit]]
            name = row.what.removeprefix("fastw2v, fused").strip(", ")
            what += [name] if name else []
            times = printing.times(row, rows).replace(f" {baseline}", "")
            cells = [", ".join(what), printing.format_result(row), times]
            cells += [f"{row.quality[name]:.4g} ({other.quality[name]:.4g})" for name in measures]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _every_system(rows: list[Row], measures: list[str]) -> list[str]:
    """Return a table with a line for each system, fastest first."""
    settings = {name: number for name, number in rows[0].settings.items() if name not in ("corpus", "words")}
    what = WHAT_IS_TIMED[rows[0].section, rows[0].unit].capitalize()
    lines = [
        f"| {what}: {printing.settings(settings)} | speed |"
        + "".join(f" {name} |" for name in measures) + " |",
        "| --- " * (3 + len(measures)) + "|",
    ]  # fmt: skip
    for row in sorted(rows, key=lambda row: -row.median):
        cells = [row.what, printing.format_result(row), *(f"{row.quality[name]:.4g}" for name in measures), row.note]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def machine_line(found: Results) -> str:
    """Return the machine, the date, the commit and the load by other programs as a sentence."""
    machine = found.machine
    gpu = "" if isinstance(machine["GPU"], str) else f", {machine['GPU']['name']}"
    busy = f"; other programs used up to {found.disturbed:.0%} of the machine" if found.disturbed else ""
    commit = machine["commit"][:12] + (" and changes" if machine["changed since"] else "")
    return f"{machine['processor']}, {machine['cores']} cores{gpu}; {machine['date'][:10]}, commit {commit}{busy}."


def comparisons(found: Results) -> list[list[Row]]:
    """Return the rows of training and pipeline grouped by settings and unit, for at least two systems."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in found.rows:
        if (row.section, row.unit) in WHAT_IS_TIMED and not row.what.endswith(BY_SETTING):
            groups[row.section, row.unit, tuple(row.settings.items())].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def page(name: str, found: Results, images: Sequence[Path]) -> str:
    """Return the report of a run: the machine, the plots, all rows, and what was skipped."""
    lines = [f"## {name}", "", "```text", printing.machine(found.machine), "```", ""]
    lines += [f"Medians, with the range over all repetitions; ratios are of each repetition. {machine_line(found)}", ""]
    lines += [f"![{image.stem}]({image.name})\n" for image in images]
    if tables := comparison_tables(found):
        lines += ["### Comparison", "", tables]
    for section in found.run["sections"]:
        rows = [row for row in found.rows if row.section == section]
        if rows:
            lines += [f"### {section.capitalize()}", "", "| | settings | median (range) | ratio | quality | note |"]
            lines.append("| --- " * 6 + "|")
        for row in rows:
            cells = [
                row.what, printing.settings(row.settings), printing.format_result(row), printing.times(row, rows),
                printing.qualities(row.quality), row.note,
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines += [f"- Skipped: {skipped.what} ({skipped.section}): {skipped.reason}" for skipped in found.skipped]
    lines += [f"- **Wrong**: {wrong.what} ({wrong.section}): {wrong.reason}" for wrong in found.wrong]
    return "\n".join([*lines, ""])


# Plots.


def plots(found: Results, stem: Path) -> list[Path]:
    """Draw the plots for which there are results; return the images."""
    drawn = []
    kinds = {"speed-quality": speed_and_quality, "scaling": scaling, "memory-limit": memory_limit}
    for name, draw in kinds.items():
        figure = draw(found)
        if figure is not None:
            path = stem.with_name(f"{stem.name}-{name}.png")
            figure.savefig(path, dpi=120)
            drawn.append(path)
    return drawn


def _axes(columns: int = 1, width: float | None = None) -> tuple[Any, Any]:
    """Return a figure and its axes side by side; `width` is in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("the report's plots need matplotlib: pip install 'fastw2v[bench]'") from None
    figure = Figure(figsize=(width or 4.0 + 3.2 * columns, 4.4), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25, linewidth=0.6)
    return figure, axes


def _label(
    axes: Any, points: Sequence[tuple[float, float, str, str]], right: bool = False, above: bool = False
) -> None:
    """Write a label beside each point (x, y, text, colour), moved up where it would cover the one below.

    Labels of points in the right half are placed to the left of the point, inside the axes, unless `right` is set.
    `above` keeps them clear of lines through the points.
    """
    height = 15.0  # of a label, in pixels
    taken: dict[bool, float] = {}
    middle = axes.transAxes.transform((0.5, 0.5))[0]
    for x, y, text, colour in sorted(points, key=lambda point: point[1]):
        pixel_x, pixel_y = axes.transData.transform((x, y))
        at = pixel_y + 10 * above
        left = bool(pixel_x > middle) and not right
        at = max(at, taken.get(left, -1e9) + height)
        taken[left] = at
        axes.annotate(
            text, (x, y), xytext=(-8 if left else 8, at - pixel_y), textcoords="offset pixels", color=colour,
            fontsize=9, ha="right" if left else "left", va="center",
        )  # fmt: skip


def speed_and_quality(found: Results) -> Any:
    """Return a plot of the systems in the first comparison in training, for both models, or None."""
    rows = _first_in_training(found)
    if not rows:
        return None
    first = _without(rows[0].settings, "model")
    measure = next(iter(rows[0].quality))
    figure, (axes,) = _axes(width=6.0)  # narrow, because README shows it on phones, too
    points = []
    for row in rows:
        colour = OUR_COLOUR if row.what.startswith(OUR_NAME) else BASELINE_COLOUR
        x, y = row.median, row.quality[measure]
        axes.errorbar(
            x, y, xerr=[[x - min(row.values)], [max(row.values) - x]], color=colour, linewidth=1, markersize=6,
            fmt="o" if row.settings["model"] == "CBOW" else "s",
        )  # fmt: skip
        points.append((x, y, f"{row.what}, {row.settings['model']}", colour))
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.12)
    _plain_ticks(axes.xaxis)
    axes.set_xlabel("training speed (words/s before subsampling, log scale)")
    axes.set_ylabel(QUALITY_NAMES.get(measure, measure))
    subtitle = textwrap.fill(printing.settings(dict(first)), 70)
    axes.set_title(f"Further right and up is better\n{subtitle}", fontsize=9, loc="left")
    _label(axes, points, above=True)
    return figure


def _first_in_training(found: Results) -> list[Row]:
    """Return the rows of the first comparison in training, for both models."""
    groups = [rows for rows in comparisons(found) if rows[0].section == "training"]
    if not groups:
        return []
    first = _without(groups[0][0].settings, "model")
    return [row for group in groups if _without(group[0].settings, "model") == first for row in group]


def _without(settings: dict[str, int | float | str], *names: str) -> tuple[tuple[str, int | float | str], ...]:
    return tuple((name, value) for name, value in settings.items() if name not in names)


def scaling(found: Results) -> Any:
    """Return a plot of speed by threads, dimensions and batch size, or None if there are no such rows."""
    training = [row for row in found.rows if row.section == "training" and row.what.endswith(BY_SETTING)]
    layers = [row for row in found.rows if row.section == "layers"]
    wanted = [
        ("workers", "threads", training),
        ("dim", "dimensions", training),
        ("batch", "targets in a batch", layers),
    ]
    panels = [(setting, label, series) for setting, label, rows in wanted if (series := _series(rows, setting))]
    if not panels:
        return None
    figure, every = _axes(len(panels))
    for axes, (setting, label, series) in zip(every, panels, strict=True):
        points = []
        for what, line in series.items():
            x = [float(row.settings[setting]) for row in line]
            y = [row.median for row in line]
            colour = BASELINE_COLOUR if "textbook" in what else OUR_COLOUR
            what = what.replace("loop in the textbook's manner", "the textbook's loop")
            axes.plot(x, y, "o-", color=colour, markersize=4, linewidth=1.2)
            points.append((x[-1], y[-1], what, colour))
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = sorted({float(row.settings[setting]) for line in series.values() for row in line})
        axes.set_xticks(ticks, [f"{tick:g}" if tick < 1000 else f"{tick / 1000:g} k" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(f"{label} (log scale)")
        axes.set_ylabel(f"{next(iter(series.values()))[0].unit} (log scale)")
        axes.set_xlim(ticks[0] * 0.8, ticks[-1] * (ticks[-1] / ticks[0]) ** 0.6 * 1.25)  # room for the labels
        speeds = [row.median for line in series.values() for row in line]
        wide = max(1.3, (10 * min(speeds) / max(speeds)) ** 0.5)  # a factor of ten at least, not to magnify noise
        axes.set_ylim(min(speeds) / wide, max(speeds) * wide)
        longest = max(series.values(), key=len)[0].settings
        others = {"dim", "window", "workers"} - {setting}
        usual = {name: value for name, value in longest.items() if name in others}
        axes.set_title(printing.settings(usual), fontsize=9, loc="left")
        _plain_ticks(axes.yaxis)
        _label(axes, points, right=True)
    return figure


def memory_limit(found: Results) -> Any:
    """Return a bar chart of the bytes per second that training must move, with the speed of copying, or None."""
    rows = [row for row in found.rows if row.section == "costs" and row.what.startswith(ROWS_MOVED)]
    limits = [row for row in found.rows if row.section == "costs" and row.what == COPYING]
    if not rows or not limits:
        return None
    threads = max(row.settings["workers"] for row in rows)
    usual = {name: rows[0].settings[name] for name in ("window", "pool", "vocabulary", "device")}
    bars = {
        f"{row.settings['model']}, dim {row.settings['dim']}, {_threads(row.settings['workers'])}": row.median
        for row in rows
        if row.settings.items() >= usual.items() and row.settings["workers"] in (1, threads)
    }
    limit = limits[0]
    figure, (axes,) = _axes()
    axes.barh(list(bars), list(bars.values()), color=OUR_COLOUR, height=0.6)
    for position, speed in enumerate(bars.values()):
        share = f"{speed:.3g} GB/s, {speed / limit.median:.0%} of copying"
        axes.annotate(share, (speed, position), xytext=(5, 0), textcoords="offset points", fontsize=9, va="center")
    axes.axvline(limit.median, color=BASELINE_COLOUR, linestyle="--")
    label = f"copying memory, {_threads(limit.settings['workers'])}: {limit.median:.3g} GB/s "
    axes.annotate(
        label, (limit.median, 1), ha="right", color=BASELINE_COLOUR, fontsize=9,
        xycoords=("data", "axes fraction"), xytext=(0, 4), textcoords="offset points",
    )  # fmt: skip
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(limit.median, *bars.values()) * 1.1)
    axes.set_xlabel("bytes of the words' rows, each read and written once (GB/s)")
    return figure


def _threads(workers: Any) -> str:
    return "1 thread" if workers == 1 else f"{workers} threads"


def _plain_ticks(axis: Any) -> None:
    """Label a logarithmic axis with numbers such as 200 k and 3 M, also between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda number, _: printing.short(number)))
    axis.set_minor_locator(LogLocator(subs=()))


def _series(rows: Sequence[Row], setting: str) -> dict[str, list[Row]]:
    """Return, for each system and model, the longest series of rows that differ in one setting only."""
    found: dict[str, dict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if setting in row.settings:
            rest = _without(row.settings, setting)
            what = row.what.removesuffix(BY_SETTING).removeprefix("layers on ")
            what = str(row.settings["model"]) + what.removeprefix("fastw2v, fused") if "model" in row.settings else what
            found[what][rest].append(row)
    longest = {what: max(groups.values(), key=len) for what, groups in found.items()}
    if all(len(line) == 1 for line in longest.values()):
        return {}
    return {what: sorted(line, key=lambda row: row.settings[setting]) for what, line in longest.items()}
