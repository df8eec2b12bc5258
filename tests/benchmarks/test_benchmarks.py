"""The benchmark suite: every section runs, wrong results are rejected, and tables are generated from results."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as suite
from benchmarks.harness import machine, printing, report, results
from benchmarks.harness.measure import Options, Row, Skipped, Way, Wrong, interleave, race, ratios, seconds
from benchmarks.harness.results import Results
from benchmarks.suites import layers, operations, queries
from benchmarks.systems.texts import zipf_ids
from fastw2v.compat.textbook import create_contexts_target
from tests.plot.test_labels import overlap

MACHINE = {
    "date": "2026-01-02T03:04:05+00:00", "commit": "0123456789abcdef", "changed since": False, "processor": "A chip",
    "architecture": "x86_64", "cores": 2, "caches": {"L2 unified": "1024K"}, "memory GB": 16.0, "system": "Linux",
    "BLAS": "openblas 0.3", "Python": "3.12.1", "packages": {"numpy": "2.0.0"}, "GPU": "CuPy is not installed",
}  # fmt: skip
SETTINGS: dict[str, int | float | str] = {
    "model": "CBOW", "dim": 100, "window": 5, "negative": 5, "epochs": 5, "corpus": "wiki8", "words": 16_913_568,
    "workers": 2,
}  # fmt: skip


def row(what: str, values: list[float], analogies: float = 34.0, pairs: float = 0.5, **changes: object) -> Row:
    settings = {**SETTINGS, **changes}
    quality = {"analogy %": analogies, "pairs": pairs}
    return Row("training", what, settings, "words/s", values, quality, "" if what == "gensim" else "gensim")  # type: ignore[arg-type]


def example() -> Results:
    """Return results that look like those of a full run, with made-up numbers."""
    found = Results(MACHINE, {"sections": ["training", "pipeline", "layers", "costs"], "others": {"before": 0.02}})
    for result in [
        row("fastw2v, fused", [15e6, 14e6, 16e6], 36.1, 0.526),
        row("gensim", [1.9e6, 2e6, 1.8e6], 34.4, 0.487),
        row("fastText", [1.1e6], 34.8, 0.486),
        row("word2vec.c", [0.6e6], 33.8, 0.479),
        row("PyTorch", [0.12e6], 20.1, 0.35, epochs=1),
        row("fastw2v, fused", [14e6], 25.1, 0.4, epochs=1),
        row("fastw2v, fused", [7e6, 7.5e6, 6.5e6], 38.0, 0.536, model="skip-gram"),
        row("gensim", [0.4e6, 0.42e6, 0.39e6], 36.5, 0.511, model="skip-gram"),
        *(
            replace(row("fastw2v, fused, by setting", [speed * 1e6], 36, 0.5, **change), baseline="")
            for change, speed in [
                ({}, 15), ({"workers": 1}, 8), ({"dim": 50}, 22), ({"dim": 300}, 5.5), ({"model": "skip-gram"}, 7),
                ({"model": "skip-gram", "workers": 1}, 3.8), ({"model": "skip-gram", "dim": 300}, 2.8),
            ]
        ),
        Row("pipeline", "fastw2v, fused", SETTINGS, "s", [8.0, 9.0], {"analogy %": 36.1, "pairs": 0.526}, "gensim"),
        Row("pipeline", "gensim", SETTINGS, "s", [56.0, 54.0], {"analogy %": 34.4, "pairs": 0.487}),
        Row("pipeline", "fastw2v, fused", SETTINGS, "MB", [340.0], {"analogy %": 36.1, "pairs": 0.526}, "gensim"),
        Row("pipeline", "gensim", SETTINGS, "MB", [200.0], {"analogy %": 34.4, "pairs": 0.487}),
        *(
            Row("layers", f"layers on NumPy, {name}", {"batch": batch, "dim": 100}, "targets/s", [speed * scale])
            for name, scale in (("Adam", 0.8), ("AdaGrad", 1.0), ("SGD", 1.3))
            for batch, speed in ((30, 60e3), (100, 100e3), (1000, 125e3), (10_000, 100e3))
        ),
        Row("layers", "loop in the textbook's manner, Adam", {"batch": 100, "dim": 100}, "targets/s", [3e3]),
        Row("costs", "copying memory", {"workers": 2, "device": "cpu"}, "GB/s", [29.0]),
        *(
            Row(
                "costs", "rows of the words, each read and written once",
                {"model": model, "dim": dim, "window": 5, "pool": 24, "vocabulary": 70_000, "workers": workers,
                 "device": "cpu"},
                "GB/s", [speed],
            )
            for model, dim, workers, speed in [
                ("CBOW", 100, 1, 4.0), ("CBOW", 300, 1, 4.5), ("CBOW", 100, 2, 7.6), ("skip-gram", 100, 1, 3.0),
                ("skip-gram", 100, 2, 5.6),
            ]
        ),
        Skipped("training", "fastText on a GPU", "there is none"),
    ]:  # fmt: skip
        found.add(result)
    return found


def tiny(folder: Path) -> Options:
    return Options(folder=folder, quick=True, tiny=True, repeats=1, workers=2)


def test_imports_run_downward():
    folders = ["harness", "systems", "suites"]
    root = Path(suite.__file__).parent
    for i, folder in enumerate(folders):
        for path in (root / folder).glob("*.py"):
            for above in folders[i + 1 :]:
                assert f"benchmarks.{above}" not in re.sub(r'""".*?"""', "", path.read_text("utf-8"), flags=re.DOTALL)


# Measurements.


@pytest.mark.parametrize("values", [[], [0.0], [1.0, math.nan], [-1.0], [math.inf]])
def test_a_figure_that_is_none_is_refused(values):
    with pytest.raises(ValueError, match="positive and finite"):
        Row("operations", "x", {}, "s", values)


@pytest.mark.parametrize("section", ["training", "pipeline", "replicas"])
def test_a_speed_without_quality_is_refused(section):
    with pytest.raises(ValueError, match="must state the quality"):
        Row(section, "x", {}, "words/s", [1.0])
    with pytest.raises(ValueError, match="must be finite"):
        Row(section, "x", {}, "words/s", [1.0], {"analogy %": math.nan})


def test_runs_are_interleaved():
    order: list[str] = []
    found = interleave({name: partial(order.append, name) for name in "abc"}, 2)
    assert "".join(order) == "abcabc"
    assert {name: len(values) for name, values in found.items()} == {"a": 2, "b": 2, "c": 2}


def test_seconds_are_of_one_call():
    assert 0.009 < seconds(lambda: time.sleep(0.01), least=0.03) < 0.1


def test_a_wrong_result_has_no_speed():
    ways = {"right": Way(lambda: 1.0), "wrong": Way(lambda: 2.0)}
    found = list(race("s", ways, lambda x: None if x == 1 else f"it is {x}", {}, baseline="right", repeats=2))
    assert [type(result) for result in found] == [Wrong, Row]
    assert found[0].reason == "it is 2.0"
    assert len(found[1].values) == 2


def test_ratios_are_of_each_repetition():
    assert ratios(row("a", [10.0, 30.0]), row("gensim", [5.0, 10.0, 1.0])) == [2.0, 3.0]
    slow, fast = (Row("operations", what, {}, "s", values) for what, values in (("a", [4.0, 9.0]), ("b", [2.0, 3.0])))
    assert ratios(fast, slow) == [2.0, 3.0]
    much, little = (Row("operations", what, {}, "MB", [value]) for what, value in (("a", 300.0), ("b", 200.0)))
    assert ratios(much, little) == [1.5]


# The sections, with sizes that are too small for meaningful speeds.


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[str], Path]:
    for package in ("gensim", "numba", "scipy"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("benchmarks")
    shown: list[str] = []
    found = suite.measure(tiny(folder), ["operations", "layers", "queries"], folder / "out.json", shown.append)
    return found, shown, folder / "out.json"


def test_every_section_of_computation_runs_and_is_right(found):
    found, shown, path = found
    assert not found.wrong
    assert {row.section for row in found.rows} == {"operations", "layers", "queries"}
    whats = " ".join(row.what for row in found.rows)
    for expected in ("gather", "scatter-add, fastw2v", "SciPy", "draws, alias", "loss, shared", "copy", "touching"):
        assert expected in whats
    for expected in (
        "textbook's manner",
        "Adam",
        "AdaGrad",
        "SGD",
        "neighbours, many",
        "clients: 64, gensim",
        "read .txt, gensim",
        "analogies",
    ):
        assert expected in whats
    assert results.read(path) == found
    assert all(name in "\n".join(shown) for name in ("operations", "skipped: CuPy", "times np.add.at on rows"))


def test_every_section_of_training_runs(tmp_path):
    pytest.importorskip("gensim")
    pytest.importorskip("numba")
    found = suite.measure(tiny(tmp_path), ["training", "pipeline"], tmp_path / "out.json", lambda text: None)
    assert not found.wrong
    for section in ("training", "pipeline"):
        assert {"fastw2v, fused", "gensim"} <= {row.what for row in found.rows if row.section == section}
    assert all(row.quality for row in found.rows)
    assert len(report.comparisons(found)) == 3  # words per second, seconds, memory


class Event:
    """A substitute for CuPy's event, which stores the time at which it is recorded."""

    def record(self) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None: ...


def test_a_gpu_is_measured_by_events_beside_the_cpu(tmp_path, monkeypatch):
    cuda = SimpleNamespace(Event=Event, get_elapsed_time=lambda began, ended: 1000 * (ended.at - began.at))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    assert 0.009 < seconds(lambda: time.sleep(0.01), device="cuda", least=0.03) < 0.1
    for module in (operations, queries, layers):
        monkeypatch.setattr(module, "to_device", lambda array, device: np.asarray(array))
    options = replace(tiny(tmp_path), devices=("cpu", "cuda"))
    found = [result for section in (operations, layers, queries) for result in section.run(options)]
    assert not [result for result in found if isinstance(result, Wrong)]
    on_gpu = {result.what.split(",")[0] for result in found if isinstance(result, Row) and "CuPy" in result.what}
    assert on_gpu >= {"copy", "gather", "scatter-add", "draws", "loss", "layers on CuPy", "neighbours", "analogies"}


def test_a_section_that_fails_is_said_to_be_wrong_and_the_others_run(tmp_path, monkeypatch, capsys):
    def fail(options: Options) -> None:
        raise RuntimeError("a driver went away")

    monkeypatch.setattr(operations, "run", fail)
    monkeypatch.setattr(queries, "run", lambda options: iter([Skipped("queries", "all", "no time")]))
    found = suite.measure(tiny(tmp_path), ["operations", "queries"], tmp_path / "out.json", lambda text: None)
    assert found.wrong == [Wrong("operations", "operations", "stopped by RuntimeError: a driver went away")]
    assert found.skipped == [Skipped("queries", "all", "no time")]
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_operation_is_noticed(tmp_path, monkeypatch):
    def forgetful(W, ids, rows):
        W[ids] += rows  # applies only the last row of a repeated id

    monkeypatch.setattr(operations, "scatter_add", forgetful)
    compare = partial(race, "operations", repeats=1, least=0.0)
    found = {result.what: result for result in operations.scatters(tiny(tmp_path), compare, 500)}
    assert isinstance(found["scatter-add, fastw2v on NumPy"], Wrong)
    assert isinstance(found["scatter-add, sort and reduceat"], Row)


def test_a_broken_textbook_loop_is_noticed(monkeypatch):
    ids = zipf_ids(2000, 50).astype(np.int64)
    contexts = ids[:500].reshape(50, 10)
    target = ids[500:550]
    assert layers.textbook_problem(ids, contexts, target) is None
    gradients = layers.TextbookLoop.gradients
    monkeypatch.setattr(layers.TextbookLoop, "gradients", lambda self, *given: 1.001 * gradients(self, *given))
    assert "its loss is" in str(layers.textbook_problem(ids, contexts, target))


def test_held_out_loss_at_the_start_is_chance():
    W = np.zeros((20, 4), np.float32)
    contexts, target = np.arange(20).reshape(5, 4), np.arange(5)
    assert layers.held_out_loss(W, W, contexts, target, np.arange(1, 21)) == pytest.approx(6 * math.log(2))


def test_repetitions_of_the_layers_start_afresh(tmp_path):
    ids = zipf_ids(3000, 50)
    contexts, target = create_contexts_target(ids, 5)
    make = layers.OPTIMISERS["AdaGrad"]
    first, again = (layers.fit(make, ids, contexts, target, 100, "cpu")[2] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_settings_are_printed_where_they_change():
    a, b, c = ({"rows": 1, "dim": 2}, {"rows": 3, "dim": 2}, {"dim": 2})
    rows = [Row("operations", "x", settings, "s", [0.5]) for settings in (a, b, c)]
    headings = [printing.lines([one], before)[0].strip() for one, before in zip(rows, ({}, a, b), strict=True)]
    assert headings == ["rows 1, dim 2:", "rows 3:", "dim 2:"]


# JSON files and changes between runs.


def test_json_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "new folder" / "a.json"
    results.write(path, example())
    assert results.read(path) == example()
    assert json.loads(path.read_text())["schema"] == results.SCHEMA
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(schema=99), "schema"),
        (lambda found: found.pop("machine"), "machine"),
        (lambda found: found["run"].pop("others"), "others"),
        (lambda found: found["rows"][0].pop("unit"), "unit"),
        (lambda found: found["rows"][0].update(speed=1), "speed"),
        (lambda found: found["rows"][0].update(values="fast"), "Row.values"),
        (lambda found: found["rows"][0].update(values=["fast"]), "positive and finite"),
        (lambda found: found["rows"][0].update(values=[-1.0]), "positive and finite"),
        (lambda found: found["rows"][0].update(quality={}), "must state the quality"),
        (lambda found: found.update(rows={}), "rows"),
    ],
)
def test_json_that_is_no_result_is_refused(tmp_path, change, message):
    path = tmp_path / "a.json"
    results.write(path, example())
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=f"does not contain benchmark results.*{message}"):
        results.read(path)


def test_compare_tells_what_left_the_spread():
    old, new = example(), example()
    new.rows[0] = replace(old.rows[0], values=[7e6, 7.5e6, 8e6])  # was 14 to 16 M
    new.rows[1] = replace(old.rows[1], values=[1.7e6, 1.8e6, 1.9e6])  # was 1.8 to 2.0 M, so the ranges overlap
    new.rows[2] = replace(old.rows[2], values=[2.2e6])  # was 1.1 M
    new.rows[3] = replace(old.rows[3], values=[0.55e6])  # was 0.6 M in one repetition, so the spread is unknown
    memory = next(i for i, found in enumerate(old.rows) if found.unit == "MB")
    new.rows[memory] = replace(old.rows[memory], values=[170.0])  # was 340
    new.rows.append(row("another", [1.0]))
    changes = results.compare(old, new)
    assert [(change.new.what, round(change.ratio, 2)) for change in changes] == [
        ("fastw2v, fused", 0.5), ("fastText", 2.0), ("fastw2v, fused", 2.0),
    ]  # fmt: skip
    told = printing.changes(old, new)
    assert "2.00 times slower: fastw2v, fused" in told
    assert "2.00 times faster: fastText" in told
    assert "2.00 times less: fastw2v, fused" in told
    assert "nothing changed" in printing.changes(old, old)
    assert "other programs" not in told
    old.run["others"]["training"] = 0.4
    assert "other programs used up to 40% of the machine then" in printing.changes(old, new)


# The report.


def test_report_and_readme_come_from_the_json(tmp_path):
    pytest.importorskip("matplotlib")
    results.write(tmp_path / "box.json", example())
    readme, translation = tmp_path / "README.md", tmp_path / "README.ko.md"
    for path in (readme, translation):
        marks = [report.BEGIN_PICTURE, "old", report.END_PICTURE, report.BEGIN, "old", report.END]
        path.write_text("\n".join(["before", *marks, "after\n"]))
    guide = tmp_path / "guide.md"
    guide.write_text(f"before\n{report.BEGIN_REPLICAS}\nold\n{report.END_REPLICAS}\nafter\n")
    written = report.write_all(tmp_path, (readme, translation), guide)
    assert {path.name for path in written} >= {
        "box-speed-quality.png", "box-scaling.png", "box-memory-limit.png", "REPORT.md", "README.md", "README.ko.md",
        "guide.md",
    }  # fmt: skip
    assert guide.read_text("utf-8") == (
        f"before\n{report.BEGIN_REPLICAS}\n\nThere are no results yet.\n\n{report.END_REPLICAS}\nafter\n"
    )
    text = readme.read_text(encoding="utf-8")
    korean = translation.read_text(encoding="utf-8")
    for one, words in (
        (text, "fastw2v is 6.5 times as fast as gensim and reaches 36.1 (gensim: 34.4)"),
        (korean, "gensim의 6.5배 속도"),
    ):
        images = [line for line in one.splitlines() if line.startswith("![")]
        assert len(images) == 1
        assert words in images[0]
        assert images[0].endswith("](benchmarks/results/box-overview.png)")
    assert korean.partition(report.END_PICTURE)[2] == text.partition(report.END_PICTURE)[2]
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| CBOW | 6.5× (7, 6) | 8.5 s | 55 s | 36.1 (34.4) | 0.526 (0.487) | 340 MB (200 MB) |" in text
    assert text.count("\n| ") == 3  # skip-gram was not measured in the pipeline section
    words = " ".join(text.split())
    assert "A chip, 2 cores; 2026-01-02, commit 0123456789ab; other programs used up to 2% of the machine." in words
    page = (tmp_path / "REPORT.md").read_text(encoding="utf-8")
    comparison = page[page.index("### Comparison") : page.index("### Training")]
    assert (
        "| CBOW, training alone | 15 (14..16) M words/s | 7.89 times (7.89, 7, 8.89) | 36.1 (34.4) | 0.526 (0.487) |"
        in comparison
    )
    assert "| skip-gram, training alone | 7 (6.5..7.5) M words/s | 17.5 times" in comparison
    assert "| CBOW, text to vectors | 8.5 (8..9) s | 6.5 times (7, 6) |" in comparison
    assert "| CBOW, peak memory | 340 MB | 1.7 times |" in comparison
    assert "| word2vec.c | 600 k words/s | 33.8 |" in comparison
    assert "PyTorch" not in comparison  # because it ran one epoch and the others five
    assert "![box-scaling](box-scaling.png)" in page
    assert "Skipped: fastText on a GPU (training): there is none" in page
    assert all(row.what in page for row in example().rows)
    assert report.with_table(text, report.read_all(tmp_path)) == text
    older = {
        "an older box": replace(example(), rows=example().rows[:2]),
        "without baselines": replace(example(), rows=[]),
    }
    assert report.with_table(text, older | report.read_all(tmp_path)) == text  # the README shows one run
    assert report.summary(older["an older box"]) == ""  # no whole processes were measured
    assert "The table shows medians." in words
    once = replace(example(), rows=[replace(row, values=row.values[:1]) for row in example().rows])
    assert "Every system ran once. Machine:" in " ".join(report.summary(once).split())
    assert "Wrong" not in text
    wrong = replace(example(), wrong=[Wrong("training", "PyTorch, skip-gram", "its vectors are not finite")])
    assert "Wrong results, omitted: PyTorch, skip-gram." in report.summary(wrong)


def test_comparisons_with_other_baselines_name_them():
    quality = {"analogy %": 50.0, "pairs": 0.6}
    hierarchical = {name: value for name, value in SETTINGS.items() if name != "negative"} | {"loss": "hs"}
    ngrams = SETTINGS | {"n-grams": "3 to 6"}
    found = example()
    for settings, other, time_taken in [(hierarchical, "gensim", 40.0), (ngrams, "fastText", 100.0)]:
        for unit, ours, theirs in [("s", 20.0, time_taken), ("MB", 500.0, 1000.0)]:
            found.add(Row("pipeline", "fastw2v, fused", settings, unit, [ours], quality, other))
            found.add(Row("pipeline", other, settings, unit, [theirs], quality))
    lines = report.summary(found).splitlines()
    assert lines[0].startswith("| Text to vectors | speed-up | fastw2v | baseline | analogy % (baseline) |")
    expected = [
        "| CBOW | 6.5× (7, 6) | 8.5 s | 55 s | 36.1 (34.4) | 0.526 (0.487) | 340 MB (200 MB) |",
        "| CBOW, hierarchical softmax | 2× | 20 s | 40 s | 50.0 (50.0) | 0.600 (0.600) | 500 MB (1,000 MB) |",
        "| CBOW, n-grams of 3 to 6 characters, against fastText | 5× | 20 s | 100 s | 50.0 (50.0) | 0.600 (0.600) | "
        "500 MB (1,000 MB) |",
    ]
    assert lines[2:5] == expected
    assert "The baseline is gensim, unless a row names another one." in " ".join(lines[-3:])
    tables = report.comparison_tables(found)
    assert "| | fastw2v | as a ratio to baseline |" in tables
    assert "| CBOW, n-grams of 3 to 6 characters, text to vectors, against fastText | 20 s | 5 times |" in tables


def test_a_report_without_matplotlib_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    results.write(tmp_path / "box.json", example())
    monkeypatch.setattr(report.write_all, "__defaults__", (tmp_path, [tmp_path / "README.md"], tmp_path / "guide.md"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert suite.main(["--report"]) == 2
    assert "pip install 'fastw2v[bench]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["box.json"]


def test_readme_without_marks_is_left_alone(tmp_path):
    with pytest.raises(ValueError, match=r"README\.ko\.md must contain .*once each"):
        report.with_table("no marks", {}, "README.ko.md")
    with pytest.raises(ValueError, match="once each"):
        report.with_replicas("no marks", {})
    with pytest.raises(FileNotFoundError, match="contains no results"):
        report.write_all(tmp_path, [tmp_path / "README.md"])


@pytest.mark.parametrize("draw", [report.overview, report.frontier, report.speed_and_quality])
def test_labels_of_the_pictures_cover_nothing(draw):
    pytest.importorskip("matplotlib")
    for found in report.read_all().values():
        figure = draw(found)
        if figure is None:
            continue
        renderer = report._drawn(figure).get_renderer()
        for axes in figure.axes:
            boxes = [text.get_window_extent(renderer).extents for text in axes.texts]
            assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
            points = np.concatenate([axes.transData.transform(line.get_xydata()) for line in axes.lines])
            assert not any((box[:2] < point).all() and (point < box[2:]).all() for box in boxes for point in points)
            frame = axes.get_window_extent(renderer).extents
            assert all((box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all() for box in boxes)
            assert len(boxes) > 1


def test_the_picture_of_the_readme_has_the_numbers_of_its_table():
    pytest.importorskip("matplotlib")
    readme = report.READMES[0].read_text(encoding="utf-8")
    image = re.search(r"\(benchmarks/results/(.*)-overview\.png\)", readme)
    assert image is not None
    assert (report.FOLDER / f"{image[1]}-overview.png").exists()
    figure = report.overview(report.read_all()[image[1]])
    drawn = {(label.get_text(), *label.xy) for label in figure.axes[0].texts}
    table = {
        (quality or "balanced", float(speed), float(accuracy))
        for quality, speed, accuracy in re.findall(
            r"^\| (?:CBOW|skip-gram)(?:, (fast|best))? \| ([\d.]+)× .*? \| ([\d.]+) \([\d.]+\) \|", readme, re.MULTILINE
        )
    }
    assert len(table) == 6
    ours = {
        (name, float(f"{x:.3g}"), float(f"{y:.1f}")) for name, x, y in drawn if name in ("fast", "balanced", "best")
    }
    assert ours == table
    others = {(name, float(f"{y:.1f}")) for name, x, y in drawn if name == "gensim" and x == 1}
    assert others == {("gensim", float(y)) for y in re.findall(r" \(([\d.]+)\) \| 0\.", readme)[:4:3]}
    assert {name for name, _, _ in drawn} == {"fast", "balanced", "best", "gensim", "fastText", "word2vec.c"}


def test_documents_are_what_the_committed_results_generate():
    if not any(report.FOLDER.glob("*.json")):
        pytest.skip("no results are committed yet")
    for path in report.READMES:
        readme = path.read_text(encoding="utf-8")
        assert report.with_table(readme, report.read_all(), path.name) == readme
    guide = report.GUIDE.read_text(encoding="utf-8")
    assert report.with_replicas(guide, report.read_all()) == guide


# The machine and the command line.


def test_the_machine_is_described():
    found = machine.describe()
    assert set(found) == set(MACHINE)
    assert found["cores"] >= 1
    assert found["packages"]["numpy"] == np.__version__
    json.dumps(found, allow_nan=False)
    assert found["date"] in printing.machine(found)


def test_others_are_what_is_not_ours():
    before, after = machine.Usage(100.0, 50.0, 10.0), machine.Usage(110.0, 58.0, 12.0)
    assert machine.others_share(before, after) == pytest.approx(0.6)
    assert machine.others_share(None, after) is None
    assert machine.others_share(before, before) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "nowhere.txt"], "there is no such file"),
        (["--corpus", __file__, "--data", "nowhere"], "there is no such folder"),
        (["--data", "nowhere"], "set --corpus to the text"),
        (["--word2vec", "nowhere"], "there is no such file"),
        (["--compare", "nowhere.json"], "nowhere.json"),
        (["--repeats", "0"], "at least 1"),
        (["--workers", "-1"], "at least 1"),
        (["--json", f"{__file__}/out/out.json"], "test_benchmarks.py"),
    ],
)
def test_bad_arguments_are_said(arguments, message, capsys):
    assert suite.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_what_was_measured_before_ctrl_c_is_kept(tmp_path, monkeypatch, capsys):
    def interrupted(options: Options):
        yield Row("operations", "x", {}, "s", [1.0])
        yield Skipped("operations", "y", "no time")
        raise KeyboardInterrupt

    monkeypatch.setattr(operations, "run", interrupted)
    path = tmp_path / "out.json"
    assert suite.main(["--only", "operations", "--json", str(path)]) == 130
    assert f"are in {path}" in capsys.readouterr().err
    assert [row.what for row in results.read(path).rows] == ["x"]


def test_unknown_sections_are_said(capsys):
    with pytest.raises(SystemExit):
        suite.main(["--only", "cooking"])
    assert "operations" in capsys.readouterr().err


def test_two_files_are_compared_without_measuring(tmp_path, capsys):
    for name in ("a.json", "b.json"):
        results.write(tmp_path / name, example())
    assert suite.main(["--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert "nothing changed" in capsys.readouterr().out
