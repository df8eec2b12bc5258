"""Benchmark fastw2v on this machine, and compare it with other systems and with earlier results."""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import machine, printing, report, results
from benchmarks.harness.measure import Options, Result, Row, Wrong
from benchmarks.harness.results import Results
from fastw2v.backend import cuda_problem
from fastw2v.utils.system import available_processors

SECTIONS = ("operations", "layers", "queries", "training", "pipeline", "costs", "replicas")
"""Sections in the order in which they run. Each section is a module of `benchmarks.suites`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    The status is 0 on success, 1 if a result is wrong, 2 after an error, and 130 after Ctrl-C.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if given.report:
            for path in report.write_all():
                print(path)
            return 0
        old = [results.read(path) for path in given.compare or []]
        if len(old) > 2:
            parser.error("--compare accepts one file, or two files to compare with each other")
        if len(old) == 2:
            print(printing.changes(*old))
            return 0
        with tempfile.TemporaryDirectory(prefix="fastw2v-benchmarks-") as folder:
            options = _options(given, Path(folder))
            found = measure(options, given.only or SECTIONS, given.json)
    except (ImportError, OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. The results so far are in {given.json}.", file=sys.stderr)
        return 130
    print(f"\nThe results are in {given.json}.")
    if old:
        print(printing.changes(old[0], found))
    return int(bool(found.wrong))


def measure(options: Options, sections: Sequence[str], path: Path, show: Callable[[str], Any] = print) -> Results:
    """Run sections, show each group of rows once it is measured, and save all results so far to a file."""
    given = {name: value.name if isinstance(value, Path) else value for name, value in vars(options).items()}
    del given["folder"]
    more = {"devices": list(options.devices), "sections": list(sections), "others": {}}
    found = Results(machine.describe(), given | more)
    show(printing.machine(found.machine))
    before = machine.others_now(0.0 if options.tiny else 1.0)
    _warn(show, "before the benchmarks started", before)
    found.run["others"]["before"] = before
    for section in sections:
        show(printing.heading(section))
        begin = machine.usage()
        shown: dict[str, int | float | str] = {}
        for group in _groups(_results_of(section, options)):
            for result in group:
                found.add(result)
            results.write(path, found)
            if rows := [result for result in group if isinstance(result, Row)]:
                show("\n".join(printing.lines(rows, shown)))
                shown = rows[0].settings
            for result in group:
                if not isinstance(result, Row):
                    show(printing.left_out(result))
        share = found.run["others"][section] = machine.others_share(begin, machine.usage())
        _warn(show, f"during {section}", share)
        results.write(path, found)
    return found


def _groups(found: Iterator[Result]) -> Iterator[list[Result]]:
    """Group consecutive results with the same settings, so that rows are shown together with their baselines."""
    for _, group in itertools.groupby(found, key=lambda result: result.settings if isinstance(result, Row) else None):
        yield list(group)


def _results_of(section: str, options: Options) -> Iterator[Result]:
    """Yield the results of a section, and a `Wrong` result if the section fails, so that other sections still run."""
    try:
        yield from importlib.import_module(f"benchmarks.suites.{section}").run(options)
    except Exception as error:  # any failure counts as a wrong result
        traceback.print_exc()
        yield Wrong(section, section, f"stopped by {type(error).__name__}: {error}")


def _warn(show: Callable[[str], Any], when: str, share: float | None) -> None:
    """Show a warning if other programs used much of the machine."""
    if share is not None and share > machine.BUSY:
        show(f"! Other programs used {share:.0%} of this machine {when}, so the results are unreliable.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="use smaller sizes, for about seven minutes in total")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, metavar="SECTION",
        help=f"sections to run: {', '.join(SECTIONS)} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--corpus", type=Path, metavar="FILE", help="text to train on, plain or compressed (default: the demo corpus)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER",
        help="folder with questions-words.txt and word pairs (EN-*.txt) at any depth (default: $FASTW2V_DATA)",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=Path("benchmarks.json"),
        help="file to write the results to (default: benchmarks.json)",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, metavar="N", help="number of repetitions (default: 3; with --quick: 2)")
    parser.add_argument("--workers", type=int, metavar="N", help="maximum number of threads (default: all processors)")
    parser.add_argument("--word2vec", type=Path, metavar="PATH", help="word2vec.c program (default: word2vec on PATH)")
    parser.add_argument(
        "--compare", type=Path, nargs="+", metavar="FILE",
        help="show the changes since the results in this file; with two files, compare them without measuring",
    )  # fmt: skip
    parser.add_argument(
        "--report", action="store_true",
        help="do not measure; update the report in benchmarks/results, the README and the guide from the JSON files",
    )  # fmt: skip
    return parser


def _options(given: argparse.Namespace, folder: Path) -> Options:
    if given.data is not None and given.corpus is None:
        raise ValueError("--data was given without --corpus; set --corpus to the text to train on")
    if given.corpus is not None and given.data is None and "FASTW2V_DATA" in os.environ:
        given.data = Path(os.environ["FASTW2V_DATA"])
    for name, wanted in (("corpus", Path.is_file), ("data", Path.is_dir), ("word2vec", Path.is_file)):
        path = getattr(given, name)
        if path is not None and not wanted(path):
            raise FileNotFoundError(f"--{name} {path}: there is no such {'folder' if name == 'data' else 'file'}")
    for name in ("repeats", "workers"):
        number = getattr(given, name)
        if number is not None and number < 1:
            raise ValueError(f"--{name} is {number}; it must be at least 1")
    given.json.parent.mkdir(parents=True, exist_ok=True)  # raises an error before the measurements and not after them
    on_path = shutil.which("word2vec")
    program = given.word2vec or (Path(on_path) if on_path else None)
    return Options(
        folder=folder,
        quick=given.quick,
        corpus=given.corpus,
        data=given.data,
        repeats=given.repeats or (2 if given.quick else 3),
        workers=given.workers or available_processors(),
        devices=("cpu",) if cuda_problem() else ("cpu", "cuda"),
        word2vec=program.absolute() if program else None,
    )


if __name__ == "__main__":
    sys.exit(main())
