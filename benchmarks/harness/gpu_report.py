"""The report of the GPU check: its summary, its Markdown, and the merging of several runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCHEMA = "gpu check"
"""Value of "schema" in a report, by which it is told from the results of the benchmarks."""
OMITTED = ("results", "output", "failed tests")
"""Parts of a step that are not shown as a list."""

Result = dict[str, Any]


def is_report(path: Path) -> bool:
    """Return whether a JSON file is a report of the GPU check."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("schema") == SCHEMA


def merged(reports: Sequence[Result]) -> Result:
    """Return one report with the steps of several. A later report replaces steps of an earlier one.

    Raises
    ------
    ValueError
        If the reports are of different devices or of different sources of the kernels.
    """
    for name in ("device", "source_sha256"):
        different = {str(report["machine"].get(name)) for report in reports}
        if len(different) > 1:
            raise ValueError(f"the reports differ in {name}: {', '.join(sorted(different))}")
    steps = {name: step for report in reports for name, step in report["steps"].items()}
    return summarized({"schema": SCHEMA, "machine": reports[-1]["machine"], "steps": steps})


def summarized(report: Result) -> Result:
    """Return a report with its summary, which is computed from the machine and the steps."""
    machine, steps = report["machine"], report["steps"]
    summary: Result = {"schema": SCHEMA}
    summary |= {name: machine.get(name) for name in ("date", "device", "driver", "cupy", "commit", "source_sha256")}
    if "tests" in steps:
        tests = steps["tests"]
        summary["gpu_tests"] = {name: tests.get(f"tests {name}", 0) for name in ("passed", "failed")}
    summary["words_per_second"] = _speeds(steps)
    summary["quality"] = _qualities(steps)
    copying = _first(_rows(steps, "touch"), what="copy")
    both = _first(_rows(steps, "touch"), what="read and add four", rows="500,000 rows by Zipf's law")
    if copying:
        summary["copy, 10**9 bytes/s"] = copying.get("10**9 bytes/s")
    for model in ("cbow", "skipgram"):
        row = _first([*_rows(steps, "long"), *_rows(steps, "speed")], model=model)
        if row and both and row.get("10**9 bytes/s") and both.get("10**9 bytes/s"):
            share = row["10**9 bytes/s"] / both["10**9 bytes/s"]
            summary[f"share of the rate of reading and adding to rows, {model}"] = round(share, 3)
    return summary | {"machine": machine, "steps": steps}


def _rows(steps: Result, name: str) -> list[Result]:
    rows: list[Result] = steps.get(name, {}).get("results", [])
    return rows


def _first(rows: Sequence[Result], /, **wanted: Any) -> Result | None:
    """Return the first row with these values."""
    return next((row for row in rows if all(row.get(name) == value for name, value in wanted.items())), None)


def _speeds(steps: Result) -> Result:
    """Return the speed of each part, with the first setting that was measured, which is the default unless changed."""
    found: Result = {}
    for model in ("cbow", "skipgram"):
        for step in ("long", "speed"):
            row = _first(_rows(steps, step), model=model)
            if row and row.get("words/s"):
                found.setdefault(model, row["words/s"])
        row = _first(_rows(steps, "tree"), model=model, what="speed")
        if row and row.get("words/s"):
            found[f"hs_{model}"] = row["words/s"]
    batched = [row for row in _rows(steps, "layers") if not row.get("compiling") and not row.get("deterministic")]
    if row := _first(batched, model="cbow"):
        found["layers_cbow"] = row.get("words/s")
    trained = [row for row in _rows(steps, "threads") if row.get("what") == "train" and row.get("words/s")]
    for model, name in (("cbow", "cpu"), ("skipgram", "cpu_skipgram")):
        if ours := [row for row in trained if row["model"] == model]:
            row = max(ours, key=lambda row: row["threads"])
            found[f"{name}_{row['threads']}"] = row["words/s"]
    for row in _rows(steps, "threads"):
        if row.get("what") == "gensim":
            found[f"gensim_{row['model']}_{row['threads']}"] = row.get("words/s")
    for row in _rows(steps, "whole"):
        if row.get("words/s"):
            found[f"whole process, {row['model']}"] = max(
                row["words/s"], found.get(f"whole process, {row['model']}", 0)
            )
    return found


def _qualities(steps: Result) -> Result:
    """Return the scores of the first setting of each model on wiki8, and of the CPU."""
    found = {}
    for model in ("cbow", "skipgram"):
        gpu = _first(_rows(steps, "quality"), model=model)
        cpu = [row for row in _rows(steps, "threads") if row.get("model") == model and "pairs" in row]
        for device, row in (("cuda", gpu), ("cpu", cpu[0] if cpu else None)):
            if row and "pairs" in row:
                found[f"{device}_{model}"] = {name: row[name] for name in ("analogy %", "pairs") if name in row}
    return found


def markdown(report: Result) -> str:
    """Return the summary, the machine and all rows of a report as Markdown, without a title."""
    lines = []
    for name, value in report.items():
        if name not in ("schema", "machine", "steps"):
            lines.append(f"- {name}: {value}")
    lines += ["", *(f"- {name}: {value}" for name, value in report["machine"].items() if name not in report)]
    for name, step in report["steps"].items():
        lines += ["", f"### {name.capitalize()}", ""]
        lines += [f"- {key}: {_line(value)}" for key, value in step.items() if key not in OMITTED]
        lines += [f"- failed test: {test}" for test in step.get("failed tests", [])]
        if rows := step.get("results"):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines += ["", "| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
            lines += ["| " + " | ".join(_line(row.get(column, "")) for column in columns) + " |" for row in rows]
        if step.get("output"):
            lines += ["", "```text", step["output"].strip(), "```"]
    return "\n".join(lines) + "\n"


def _line(value: Any) -> str:
    """Return a value on one line of a table."""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return " ".join(text.split()).replace("|", "\\|")
