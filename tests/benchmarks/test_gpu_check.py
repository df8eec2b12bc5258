"""The GPU check: its steps on a CPU and on the fake CuPy, its processes and its reports."""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_steps
from benchmarks.gpu_steps import Options, Setting
from benchmarks.harness import gpu_report, report, results
from benchmarks.systems import quality, texts
from fastw2v.backend import cuda_problem
from fastw2v.config import TILE
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.datasets.demo import demo_corpus
from fastw2v.engines import cpu, gpu
from fastw2v.kernels import word2vec_cuda
from tests.cuda_emulator import nvrtc
from tests.engines.test_gpu import device, needs_compiler

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason="the CPU engine needs Numba")


@functools.cache
def demo_text() -> str:
    return "\n".join(" ".join(sentence) for sentence in demo_corpus())[:200_000]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Return options for tiny measurements on a CPU, with the demo corpus in place of wiki8."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wiki8.txt").write_text(demo_text(), encoding="utf-8")
    monkeypatch.setenv("FASTW2V_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(gpu_steps, "TYPES", 300)
    monkeypatch.setattr(gpu_steps, "DIM", 16)
    monkeypatch.setattr(gpu_steps, "WIKI8_EPOCHS", 1)
    monkeypatch.setattr(gpu_steps, "REPEATS", 2)
    monkeypatch.setattr(quality, "of_vectors", lambda *_: {"analogy %": 1.0, "pairs": 0.5})
    for name in ("output", "work"):
        (tmp_path / name).mkdir()
    settings = (Setting(), Setting(tile=8))
    return Options(tmp_path / "output", tmp_path / "work", device="cpu", words=6000, settings=settings)


def last(step: Any, options: Options, seconds: float = 100) -> dict[str, Any]:
    """Return the last result of a step, which must be JSON."""
    *_, found = step(options, time.monotonic() + seconds)
    return json.loads(json.dumps(found))


def test_corpora_are_prepared_once(options):
    found = last(gpu_steps.prepare, options)["results"]
    assert not [row for row in found if "failed" in row]
    assert [(row["what"], row["words"]) for row in found] == [
        ("wiki8", len(gpu_steps.wiki8(options))), ("generated", 6000),
    ]  # fmt: skip
    text = (options.work / "wiki8.txt").read_text(encoding="utf-8")
    assert max(len(line.split()) for line in text.splitlines()) == texts.LINE
    before = {path: path.stat().st_mtime_ns for path in options.work.iterdir()}
    last(gpu_steps.prepare, options)
    assert {path: path.stat().st_mtime_ns for path in options.work.iterdir()} == before
    assert np.bincount(gpu_steps.generated(options).ids).argmax() == 0


@needs_numba
def test_steps_on_a_cpu(options):
    smoke = last(gpu_steps.smoke, options)
    assert [row["ok"] for row in smoke["results"][:4]] == [True] * 4
    for row in smoke["results"][4:]:
        row["ok"] = True  # 6,000 words are too few to learn from
    assert gpu_steps.problem_of_smoke(smoke) is None
    default, refused = last(gpu_steps.speed, options)["results"][::2]
    # A prediction by hand: 4 rows of a word and 2 · 16 / 4 rows of the pool, of 16 numbers of 4 bytes.
    kept = texts.kept_share(gpu_steps.generated(options).vocabulary.counts, 1e-3)
    assert default["bytes per word, by count"] == pytest.approx(kept * 12 * 64 + 4, abs=1)
    assert "tile is 8" in refused["failed"]
    assert len(last(gpu_steps.long, options)["results"]) == 4
    learned = last(gpu_steps.quality_on_wiki8, options)["results"]
    assert {row["staleness"] for row in learned} == {1.0, 2.0, 4.0}
    assert learned[0]["analogy %"] == 1.0
    assert {row["tokens in a batch"] for row in last(gpu_steps.layers, options)["results"]} == {
        64 * groups for groups in gpu_steps.GROUPS
    }


@pytest.mark.slow
@needs_numba
def test_threads_and_whole_processes(options, monkeypatch):
    monkeypatch.setattr(gpu_steps, "THREADS", (1, 2))
    found = last(gpu_steps.threads, options)["results"]
    assert not [row for row in found if "failed" in row]
    assert {"compile", "text to ids", "train", "train 1 epochs"} <= {row["what"] for row in found}
    monkeypatch.setattr(gpu_steps, "MODELS", ("cbow",))
    monkeypatch.setenv("PYTHONPATH", str(gpu_steps.ROOT))
    for row in last(gpu_steps.whole, options)["results"]:
        assert row["words/s"] > 0, row
    assert (options.work / "large.txt").stat().st_size == 2 * (options.work / "wiki8.txt").stat().st_size


def test_steps_that_lack_something_are_left_out(options, monkeypatch):
    monkeypatch.delenv("FASTW2V_DATA")
    for step in (gpu_steps.threads, gpu_steps.whole):
        assert "FASTW2V_DATA" in last(step, options)["left out"]
    monkeypatch.setattr(gpu_steps.shutil, "which", lambda name: None)
    for step in (gpu_steps.ncu, gpu_steps.sanitize, gpu_steps.touch, gpu_steps.compare):
        assert "left out" in last(step, options)
    monkeypatch.setattr(gpu_steps.importlib.util, "find_spec", lambda name: None)
    assert "pytest and xdist" in last(gpu_steps.tests, options)["failed"]


def test_measurements_stop_at_the_deadline_and_go_on_after_a_failure(options):
    def diverge() -> Any:
        raise FloatingPointError("the loss is nan")

    given = [({"n": 1}, lambda: {"x": 1}), ({"n": 2}, diverge), ({"n": 3}, lambda: {"x": 3})]
    everything = list(gpu_steps.rows(options, time.monotonic() + 9, given, fact=5))
    assert [row.get("x", row.get("failed")) for row in everything[-1]["results"]] == [
        1, "FloatingPointError: the loss is nan", 3,
    ]  # fmt: skip
    assert everything[2] == {"fact": 5, "results": everything[1]["results"], "attempt": {"n": 2}}
    (late,) = gpu_steps.rows(options, time.monotonic() - 1, given)
    assert late == {"left out": "3 measurements, for lack of time", "results": []}

    class CUDARuntimeError(RuntimeError): ...

    def fault() -> Any:
        raise CUDARuntimeError("an illegal memory access")

    with pytest.raises(CUDARuntimeError):
        list(gpu_steps.rows(options, time.monotonic() + 9, [({}, fault)]))


def test_a_measurement_that_ends_its_process_costs_only_its_own_row(options, monkeypatch):
    outcomes = [
        ({"results": [{"n": 1}], "attempt": {"n": 2}}, "exit status 1: an illegal memory access"),
        ({"results": [{"n": 3}], "attempt": {"n": 4}}, "stopped after 60 s without a result"),
        ({"results": [{"n": 5}]}, None),
    ]
    done = []

    def process(name: str, deadline: float, given: Options) -> Any:
        done.append(given.done)
        return outcomes.pop(0)

    monkeypatch.setattr(gpu_check, "_run_process", process)
    found = gpu_check.run_step("speed", 100, options)
    assert done == [0, 2, 4]
    assert [row["n"] for row in found["results"]] == [1, 2, 3, 4, 5]
    assert ["failed" in row for row in found["results"]] == [False, True, False, True, False]
    assert "failed" not in found


@pytest.mark.parametrize(
    ("smoke", "problem"),
    [
        ({"results": [{"tile": TILE, "ok": True}, {"tile": 16, "ok": False}]}, None),
        ({"results": [{"tile": TILE, "ok": True}, {"tile": TILE, "failed": "hung"}]}, "1 of 2 checks are wrong"),
        ({"failed": "exit status 1"}, "exit status 1"),
        ({"left out": "there was not enough time"}, "there was not enough time"),
        ({"results": []}, "nothing was checked"),
    ],
)
def test_a_smoke_test_that_fails_is_diagnosed_and_ends_the_check(smoke, problem, options, monkeypatch):
    monkeypatch.setattr(gpu_check, "run_step", lambda name, *_: dict(smoke) if name == "smoke" else {})
    found = gpu_check.check(options, ("prepare", "smoke", "tests"), 100, {"device": "one"})["steps"]
    assert list(found) == ["prepare", "smoke", *(["tests"] if problem is None else ["variants", "sanitize"])]
    if problem is not None:
        assert found["smoke"]["failed"] == f"{problem}. The other steps would not make sense: tests"


@pytest.mark.skipif(cuda_problem() is None, reason="there is a GPU")
def test_a_process_that_fails_says_why_and_one_that_hangs_is_ended(options, monkeypatch):
    from dataclasses import replace

    on_gpu = replace(options, device="cuda")
    assert "No module named 'cupy'" in gpu_check.run_step("touch", 60, on_gpu)["failed"]
    monkeypatch.setattr(gpu_check, "STALLED_SECONDS", 0.1)
    assert gpu_check.run_step("touch", 60, on_gpu)["failed"] == "stopped after 0 s without a result"
    assert sorted(path.name for path in options.output.iterdir()) == ["gpu-check.log"]


def test_without_a_gpu_the_command_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu_check, "cuda_problem", lambda: "CuPy is on holiday")
    assert gpu_check.main(["--output", str(tmp_path / "out"), "--work", str(tmp_path)]) == 1
    assert "CuPy is on holiday" in capsys.readouterr().err


def test_options_reach_the_process_of_a_step(options):
    given = Options(**vars(options) | {"tree": Path("/other"), "done": 3})
    parsed = gpu_check._parser().parse_args(["--step", "speed", "9", *gpu_steps.as_arguments(given)])
    for name, value in vars(given).items():
        found = getattr(parsed, name)
        assert (tuple(found) if name == "settings" else found) == value


# ---- on the fake CuPy ----


def in_this_process(name: str, deadline: float, options: Options) -> Any:
    step = gpu_steps.INNER_STEPS.get(name) or gpu_steps.STEPS[name][0]
    return last(step, options), None


class Touch:
    """The kernel in touch.cu, in NumPy."""

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int) -> None:
        W, ids, n, mode, amount, sink = args
        assert (block, shared_mem, len(ids), sink.shape) == ((128,), 2048, n, (1,))
        assert [x.dtype.name for x in (n, mode, amount)] == ["int32", "int32", "float32"]
        assert 0 <= ids.min() <= ids.max() < len(W)
        if mode:
            np.add.at(W.view(np.ndarray), ids.view(np.ndarray), amount)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu_check")


@needs_compiler
def test_rows_are_touched_and_counted(options, emulator, monkeypatch):
    monkeypatch.setattr(gpu_steps, "DIM", 128)
    given = Options(**vars(options) | {"device": "cuda"})
    with device(emulator):
        module = SimpleNamespace(get_function=lambda name: Touch())
        monkeypatch.setattr(sys.modules["cupy"], "RawModule", lambda **_: module)
        found = last(gpu_steps.touch, given)["results"]
    assert len(found) == 1 + 3 * 5
    assert not [row for row in found if "failed" in row]
    assert [row["ok"] for row in found if "ok" in row] == [True] * 4


@pytest.mark.slow
@needs_compiler
def test_hierarchical_softmax_on_the_emulator(options, emulator, monkeypatch):
    monkeypatch.setattr(texts, "zipf_corpus", lambda words, types: zipf(200, types))
    monkeypatch.setattr(gpu_steps, "TREE_WARPS", (2,))
    monkeypatch.setattr(gpu_steps, "to_host", np.array)  # the fake's arrays are a class of NumPy's
    (options.output.parent / "data" / "wiki8.txt").write_text(demo_text()[:4000], encoding="utf-8")
    given = Options(**vars(options) | {"device": "cuda", "words": 400})
    with device(emulator):
        found = last(gpu_steps.tree, given)["results"]
    assert not [row for row in found if "failed" in row]
    assert [row["ok"] for row in found[:8]] == [True] * 8
    counts = gpu_steps.generated(given).vocabulary.counts
    moved = texts.kept_share(counts, 1e-3) * (2 + 2 * gpu_steps.path_length(counts, 1e-3)) * 4 * gpu_steps.DIM + 4
    assert {row["bytes per word, by count"] for row in found if row["what"] == "speed"} == {round(moved)}
    assert [row["analogy %"] for row in found[-2:]] == [1.0, 1.0]


@pytest.mark.slow
@needs_compiler
def test_subwords_on_the_emulator(options, emulator, monkeypatch):
    monkeypatch.setattr(texts, "zipf_corpus", lambda words, types: zipf(200, types))
    monkeypatch.setattr(gpu_steps, "STALENESS", (1.0,))
    monkeypatch.setattr(gpu_steps, "to_host", np.array)  # the fake's arrays are a class of NumPy's
    (options.output.parent / "data" / "wiki8.txt").write_text(demo_text()[:4000], encoding="utf-8")
    given = Options(**vars(options) | {"device": "cuda", "words": 400})
    with device(emulator):
        found = last(gpu_steps.subwords, given)["results"]
    assert not [row for row in found if "failed" in row]
    assert [row["ok"] for row in found[:8]] == [True] * 8
    assert [row["pairs"] for row in found[8:]] == [0.5] * 6


@needs_numba
def test_subwords_on_a_cpu(options):
    found = last(gpu_steps.subwords, options)["results"]
    assert not [row for row in found if "failed" in row]
    assert [row["ok"] for row in found if row["what"] == "one block" and row["trained with"] == "ns"] == [True] * 4


def test_the_length_of_paths_is_that_of_the_words_that_are_kept():
    counts = np.array([4, 2, 1, 1])  # paths of 1, 2, 3 and 3 nodes
    assert gpu_steps.path_length(counts, 0) == pytest.approx((4 * 1 + 2 * 2 + 1 * 3 + 1 * 3) / 8)
    assert gpu_steps.path_length(counts, 0.01) > gpu_steps.path_length(counts, 0)


@pytest.mark.slow
@needs_compiler
def test_the_first_call_on_the_emulator(options, emulator, monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "_run_process", in_this_process)
    monkeypatch.setattr(gpu_check, "cuda_problem", lambda: None)
    monkeypatch.setattr(gpu_steps, "start_compiling", lambda *_: SimpleNamespace(wait=lambda: 0))
    monkeypatch.setattr(gpu_steps, "run", lambda *_: (0, "[gw0] [100%] PASSED tests/test_a.py::test_b\n"))
    monkeypatch.setattr(texts, "zipf_corpus", lambda words, types: zipf(words // 8, types))
    monkeypatch.setattr(gpu_steps, "touch", lambda *_: iter([{"left out": "tested above"}]))
    monkeypatch.setitem(gpu_steps.STEPS, "touch", (gpu_steps.touch, 9))
    places = ["--output", str(options.output), "--work", str(options.work), "--words", "6000"]
    with device(emulator):
        for more in (["--call", "1"], ["--only", "quality", "long"]):
            gpu_check.main([*more, *places, "--settings", "4,4,1", "8,2,4"])
    found = json.loads((options.output / "gpu-check.json").read_text(encoding="utf-8"))
    assert found["device"] == "emulator"
    assert {"cuda_cbow", "cuda_skipgram"} == set(found["quality"])
    assert not [row for name in ("quality", "long") for row in found["steps"][name]["results"] if "failed" in row]
    printed = capsys.readouterr().out
    assert "smoke: " in printed


def zipf(words: int, types: int) -> Corpus:
    ids = texts.zipf_ids(words, types)
    vocabulary = Vocabulary([str(i) for i in range(types)], np.bincount(ids, minlength=types))
    return Corpus(ids, np.array([0, words]), vocabulary)


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("architecture", [75, 80, 90, 120])
def test_touch_compiles(architecture):
    _, assembly = nvrtc.compile_source(Path(gpu_steps.__file__).with_name("touch.cu"), f"compute_{architecture}", [])
    assert ("cp.reduce.async.bulk" in assembly) == (architecture >= 90)
    assert "ld.global.cg" in assembly


# ---- what other programs print ----


def test_results_of_pytest_even_if_it_was_stopped():
    output = """
[gw1] [  1%] PASSED tests/a.py::test_b[cupy]
[gw0] [ 50%] FAILED tests/a.py::test_c[cupy]
[gw2] [ 50%] SKIPPED tests/a.py::test_d
=================================== FAILURES ===================================
E   AssertionError: passed
=========================== short test summary info ============================
FAILED tests/a.py::test_c[cupy] - AssertionError: passed
"""
    found = gpu_steps.test_results(1, output)
    assert (found["tests passed"], found["tests failed"], found["failed"]) == (1, 1, "1 tests")
    assert found["failed tests"] == ["tests/a.py::test_c[cupy]"]
    assert "AssertionError" in found["output"]
    assert "time limit" in gpu_steps.test_results(None, output)["left out"]
    assert gpu_steps.test_results(4, "error: no such option")["output"] == "error: no such option"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ncu is a script")
def test_a_profile_is_tried_again_without_metrics(options, tmp_path, monkeypatch):
    script = """#!/bin/sh
case "$*" in
  *--import*raw*) echo '"ID","Kernel Name","smsp__inst_executed.sum"'; echo '"","",""'; echo '"0","cbow_ns","7"';;
  *--import*) echo details;;
  *--metrics*) echo unknown metric; exit 1;;
  *) test "$1$2" = --clock-controlnone || exit 2; touch "OUTPUT/ncu.ncu-rep";;
esac
"""
    program = tmp_path / "ncu"
    program.write_text(script.replace("OUTPUT", str(options.output)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(gpu_steps.shutil, "which", lambda name: str(program))
    found = last(gpu_steps.ncu, Options(**vars(options) | {"device": "cuda"}))
    assert found == {"setting": "default", "results": [{"kernel": "cbow_ns", "smsp__inst_executed.sum": "7"}]}
    assert (options.output / "ncu.txt").read_text(encoding="utf-8") == "details\n"


def test_metrics_of_ncu():
    table = """==PROF== Connected to process 1
"ID","Kernel Name","smsp__inst_executed.sum","dram__throughput.avg.pct_of_peak_sustained_elapsed","other"
"","","inst","%",""
"0","cbow_ns(Arguments)","1,234","12.5","x"
"1","skipgram_ns(Arguments)","2,345","11.5","y"
"""
    assert gpu_steps.ncu_rows(table) == [
        {
            "kernel": f"{model}_ns(Arguments)",
            "smsp__inst_executed.sum": count,
            "dram__throughput.avg.pct_of_peak_sustained_elapsed": share,
        }
        for model, count, share in (("cbow", "1,234", "12.5"), ("skipgram", "2,345", "11.5"))
    ]
    assert gpu_steps.ncu_rows("==ERROR== no permission") == []


# ---- reports ----


def example() -> dict[str, Any]:
    speed = [
        {"model": "cbow", "tile": 4, "words/s": 7_000_000, "10**9 bytes/s": 30.0},
        {"model": "skipgram", "loss": 2.5},
    ]
    touched = [{"what": "copy", "10**9 bytes/s": 90.0}]
    touched += [{"what": "read and add four", "rows": "500,000 rows by Zipf's law", "10**9 bytes/s": 60.0}]
    threads = [{"what": "train", "model": "cbow", "threads": n, "words/s": 2 * n} for n in (16, 1)]
    threads += [{"what": "train 5 epochs", "model": "cbow", "threads": 16, "analogy %": 40.0, "pairs": 0.5}]
    steps = {
        "touch": {"results": touched},
        "tests": {"tests passed": 5, "tests failed": 2, "failed": "2 tests", "output": "boom", "failed tests": ["a|b"]},
        "speed": {"results": speed},
        "threads": {"results": threads},
    }
    return {"machine": {"device": "one", "commit": "abc", "source_sha256": "f"}, "steps": steps}


def test_the_summary_and_the_page_of_a_report(tmp_path):
    found = gpu_report.summarized(example())
    assert (found["device"], found["commit"], found["gpu_tests"]) == ("one", "abc", {"passed": 5, "failed": 2})
    assert found["words_per_second"] == {"cbow": 7_000_000, "cpu_16": 32}
    assert found["quality"] == {"cpu_cbow": {"analogy %": 40.0, "pairs": 0.5}}
    assert found["share of the rate of reading and adding to rows, cbow"] == 0.5
    assert gpu_report.summarized(found) == found
    gpu_check.write(tmp_path, found)
    assert json.loads((tmp_path / "gpu-check.json").read_text(encoding="utf-8")) == found
    lines = (tmp_path / "gpu-check.md").read_text(encoding="utf-8").splitlines()
    for line in ("- device: one", "| skipgram |  |  |  | 2.5 |", "- failed test: a|b", "boom"):
        assert line in lines
    assert "| cbow | 4 | 7,000,000 | 30.0 |  |" in lines


def test_reports_of_several_calls_are_merged(tmp_path):
    first, second = example(), example()
    second["steps"] = {"tests": {"tests passed": 7, "tests failed": 0}}
    for name, content in (("a.json", first), ("b.json", second)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    target = tmp_path / "merged.json"
    assert gpu_check.main(["--merge", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--output", str(target)]) == 0
    found = json.loads(target.read_text(encoding="utf-8"))
    assert found["gpu_tests"] == {"passed": 7, "failed": 0}
    assert found["words_per_second"]["cbow"] == 7_000_000
    second["machine"]["device"] = "another"
    with pytest.raises(ValueError, match="differ in device: another, one"):
        gpu_report.merged([first, second])


def test_the_report_of_the_benchmarks_shows_a_gpu_check_and_does_not_compare_it(tmp_path):
    found = gpu_report.summarized(example())
    gpu_check.write(tmp_path, found)
    assert gpu_report.is_report(tmp_path / "gpu-check.json")
    results.write(tmp_path / "box.json", results.Results({"processor": "one"}, {"others": {}, "sections": []}))
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    assert not gpu_report.is_report(tmp_path / "broken.json")
    (tmp_path / "broken.json").unlink()
    assert not gpu_report.is_report(tmp_path / "box.json")
    assert list(report.read_all(tmp_path)) == ["box"]
    page = report.gpu_page(tmp_path / "gpu-check.json")
    assert page.startswith("## gpu-check\n\n- date: ")
    assert "| cbow | 4 | 7,000,000 | 30.0 |  |" in page


def test_compiled_kernels_are_packed_without_the_largest(tmp_path, monkeypatch):
    import tarfile

    cache = tmp_path / "cache"
    cache.mkdir()
    for name, size in (("a.cubin", 10), ("b.cubin", 20), ("c.cubin", 100), ("d.txt", 1)):
        (cache / name).write_bytes(bytes(size))
    monkeypatch.setattr(gpu_check, "MAX_CACHE_BYTES", 20)
    gpu_check.pack_cache(cache, tmp_path / "cache.tgz")
    with tarfile.open(tmp_path / "cache.tgz") as packed:
        assert packed.getnames() == ["a.cubin", "b.cubin"]
    gpu_check.pack_cache(tmp_path / "none", tmp_path / "none.tgz")
    assert not (tmp_path / "none.tgz").exists()


def test_the_beginning_of_a_corpus_ends_amid_a_sentence():
    corpus = Corpus(np.arange(6), np.array([0, 3, 6]), Vocabulary(list("abcdef"), np.ones(6, int)))
    part = gpu_steps.beginning(corpus, 4)
    assert part.ids.tolist() == [0, 1, 2, 3]
    assert part.offsets.tolist() == [0, 3, 4]
    assert len(part.vocabulary) == 6
    assert gpu_steps.between([(5, 1.0, 2.0)]) is None


def test_a_setting_may_name_the_resident_warps():
    assert Setting.parse(str(Setting())) == Setting()
    more = Setting.parse("4,4,1,24")
    assert (more.resident_warps, str(more), str(Setting.parse("4,8,1"))) == (24, "4,4,1,24", "4,8,1")
    blocks = []
    for setting in (Setting(), more):
        with setting.applied():
            kernel = word2vec_cuda.choose_kernel("cbow", False, 128, 5, TILE, 16, False, 232_448)
            blocks.append(kernel.min_blocks)
    assert blocks == [5, 6]
    with pytest.raises(ValueError, match="4,4 has 2 numbers"):
        Setting.parse("4,4")


@pytest.mark.parametrize("setting", gpu_steps.SETTINGS, ids=str)
def test_every_setting_to_be_tried_fits_a_device(setting):
    assert gpu_steps.SETTINGS[:2] == (Setting(), Setting(TILE, word2vec_cuda.WARPS, gpu.POOL_SYNC_INTERVAL))
    with setting.applied():
        for model, pool in (("cbow", 16), ("skipgram", 24)):
            held = setting.pool_sync_interval > 1
            kernel = word2vec_cuda.choose_kernel(model, False, 128, 5, setting.tile or TILE, pool, held, 232_448)
            assert (kernel.warps, kernel.held) == (setting.warps, held)


def test_the_table_in_the_readme_is_that_of_the_reports():
    root = Path(__file__).parents[2]
    first, second = (
        json.loads((root / f"benchmarks/results/{name}.json").read_text(encoding="utf-8"))["steps"]
        for name in ("2026-11-27-h200-first-version", "2026-11-27b-h200")
    )

    def measured(steps, step, **wanted):
        """Return the means of the speed and the quality of the rows with these values."""
        rows = [row for row in steps[step]["results"] if wanted.items() <= row.items()]
        speed = np.mean([row["words/s"] for row in rows]) / 1e6
        return [speed, *(np.mean([row.get(name, np.nan) for row in rows]) for name in ("analogy %", "pairs"))]

    hs, layers = {"what": "quality", "trained with": "hs"}, {"what": "layers"}
    table = {
        "CBOW": [*measured(second, "other settings", what="T = 16, P = 32"),
                 *measured(first, "threads", what="train 5 epochs", model="cbow"),
                 measured(first, "threads", what="gensim", model="cbow")[0]],
        "CBOW, fast": measured(second, "quality", model="cbow", tile=16),
        "skip-gram": [*measured(second, "quality", model="skipgram", tile=4, staleness=2.0),
                      *measured(first, "threads", what="train 5 epochs", model="skipgram"),
                      measured(first, "threads", what="gensim", model="skipgram")[0]],
        "skip-gram, fast": measured(second, "quality", model="skipgram", tile=16),
        "CBOW, hierarchical softmax": measured(second, "tree", model="cbow", **hs),
        "CBOW, plain array code": measured(second, "other settings", model="cbow", **layers),
    }  # fmt: skip
    section = (root / "README.md").read_text(encoding="utf-8").partition("\n## GPU\n")[2].partition("\n## ")[0]
    shown = {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in section.splitlines() if line)}
    for name, expected in table.items():
        cells = [cell.strip() for cell in shown[name] if cell.strip(" |")]
        for cell, value in zip(cells, expected, strict=True):
            digits = len(cell.partition(".")[2])
            assert abs(float(cell.replace(",", "")) - value) <= 0.5001 * 10**-digits, (name, cell, value)
