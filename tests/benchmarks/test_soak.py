"""The program that works for a long time and samples memory, files and threads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import soak
from fastw2v.engines import cpu

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="samples are read from /proc")


def steady(n: int = 100, **growth: float) -> list[dict[str, Any]]:
    """Return samples of an hour, with a linear growth of some of the numbers."""
    constant = {"VmRSS": 2e5, "RssAnon": 1e5, "RssFile": 1e5, "files": 9, "threads": 12}
    rows = []
    for i in range(n):
        grown = {name: int(value + growth.get(name, 0) * i / n) for name, value in constant.items()}
        rows.append({"seconds": 3600 * i / n, **grown})
    return rows


def test_the_summary_states_what_grows():
    summary = soak.summarise(steady(RssAnon=7000))
    assert summary["RssAnon, MB per hour"] == pytest.approx(7, abs=0.1)
    assert summary["RssFile, MB per hour"] == 0
    assert summary["RssAnon, median of the second half minus that of the first, MB"] == pytest.approx(2.8, abs=0.1)
    summary = soak.summarise(steady(files=100))
    assert summary["files, highest in the second half"] > summary["files, highest in the first half"] + 30
    # The memory that the first trainings allocate is not growth.
    early = steady()
    early[0]["RssAnon"] = 0
    assert soak.summarise(early)["RssAnon, MB per hour"] == 0


def test_growth_is_a_problem():
    assert soak.problems_of(soak.summarise(steady()), 3600) == []
    assert soak.problems_of(soak.summarise(steady(RssAnon=90_000)), 3600) == ["memory grows by 90.0 MB per hour"]
    assert soak.problems_of(soak.summarise(steady(RssAnon=90_000)), 60) == []  # too short to judge
    (problem,) = soak.problems_of(soak.summarise(steady(threads=50)), 60)
    assert problem.startswith("the number of threads grows from ")


@needs_proc
@pytest.mark.slow
@pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
def test_a_run_of_a_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(soak, "TOKENS", 20_000)
    path = tmp_path / "soak.json"
    status = soak.main(["--minutes", "0.1", "--interval", "0.2", "--output", str(path)])
    assert status == 0, capsys.readouterr().err
    found = json.loads(path.read_text(encoding="utf-8"))
    assert min(found["done"].values()) > 0
    assert len(found["samples"]) > 5
    assert all(one["RssAnon"] > 10_000 and one["files"] > 2 and one["threads"] > 1 for one in found["samples"])
    assert path.with_suffix(".png").stat().st_size > 5000


@needs_proc
def test_an_error_of_a_thread_is_reported(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(soak, "TOKENS", 2000)
    monkeypatch.setattr(soak, "life_of_a_model", fail)
    monkeypatch.setattr(soak, "train", lambda *_: None)
    found = soak.soak(0.5, 0.05)
    assert "models: OSError: no space" in found["problems"]
