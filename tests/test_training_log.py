"""Logs of training as JSON lines."""

from __future__ import annotations

import copy
import json
import logging
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fastw2v import Word2Vec
from fastw2v.training_log import TrainingLog
from fastw2v.validation import Validation
from tests.test_checkpoint import SETTINGS, EachStep, Interrupt, assert_same, text

KEYS = ["time", "words", "loss", "validation_loss", "learning_rate", "words_per_second"]


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def losses(path: Path) -> list[tuple[int, float]]:
    return [(entry["words"], entry["loss"]) for entry in entries(path) if entry["loss"] is not None]


def measurements(path: Path) -> list[tuple[int, float]]:
    return [(entry["words"], entry["validation_loss"]) for entry in entries(path) if entry["loss"] is None]


def test_a_log_has_the_losses_of_the_model(tmp_path: Path) -> None:
    path, rates = tmp_path / "run.jsonl", []
    before = datetime.now(UTC)
    model = Word2Vec(**SETTINGS).fit(
        text(), validation=0.1, log=path, progress=lambda words, loss, alpha: rates.append((words, alpha))
    )
    found = entries(path)
    assert all(list(entry) == KEYS for entry in found)
    assert losses(path) == model.loss_history
    assert measurements(path) == model.validation_history
    assert [(entry["words"], entry["learning_rate"]) for entry in found if entry["loss"] is not None] == rates
    times = [datetime.fromisoformat(entry["time"]) for entry in found]
    assert times == sorted(times)
    assert before - timedelta(milliseconds=1) <= times[0] <= times[-1] <= datetime.now(UTC)
    assert all(entry["words_per_second"] > 0 for entry in found if entry["loss"] is not None)
    plain = Word2Vec(**SETTINGS).fit(text(), validation=0.1)
    assert_same(model, plain)  # a log changes no byte


def test_a_new_run_replaces_a_log_and_further_training_continues_it(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    Word2Vec(**SETTINGS).fit(text(300), log=path)
    model = Word2Vec(**SETTINGS).fit(text(200), log=path)
    assert losses(path) == model.loss_history
    model.train(text(100), epochs=2, log=path)
    assert losses(path) == model.loss_history
    assert model.loss_history[-1][0] == 3 * 4000 + 2 * 2000


def test_a_continued_run_continues_its_log(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(text(), log=path, checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(60_000))
    with path.open("a", encoding="utf-8") as file:  # lines after the last checkpoint, the last of them incomplete
        file.write(json.dumps(dict.fromkeys(KEYS) | {"words": 10**9}) + '\n{"time": "2026')
    model = Word2Vec.resume(tmp_path / "run", text(), log=path)
    words = [entry["words"] for entry in entries(path)]
    assert words == sorted(words)
    assert words[-1] == 3 * 50_000
    assert losses(path) == model.loss_history


def test_a_measurement_that_is_repeated_twice_has_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is interrupted in a measurement, and then stopped after this measurement, before the next checkpoint."""
    path, due, interrupted = tmp_path / "run.jsonl", Validation.due, []

    def signalled(self: Validation, words: int) -> bool:
        found = due(self, words)
        if found and len(self.record.losses) == 2 and not interrupted:
            interrupted.append(words)
            signal.raise_signal(signal.SIGINT)  # deferred until the measurement begins
        return found

    def stop(event: str, model: Word2Vec) -> None:
        raise RuntimeError("stopped")

    stop.events = ["validation"]  # type: ignore[attr-defined]
    monkeypatch.setattr(Validation, "due", signalled)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(text(), validation=0.1, log=path, checkpoint=tmp_path / "run")
    with pytest.raises(RuntimeError, match="stopped"):
        Word2Vec.resume(tmp_path / "run", text(), log=path, callbacks=[stop])
    assert measurements(path)[-1][0] == interrupted[0]
    model = Word2Vec.resume(tmp_path / "run", text(), log=path)
    assert measurements(path) == model.validation_history
    assert losses(path) == model.loss_history


@pytest.mark.parametrize("content", [b"", b'{"time": "2026-01-0'])
def test_an_empty_or_incomplete_log_is_a_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.jsonl").write_bytes(content)
    with TrainingLog(tmp_path / "run.jsonl", words=100) as log:
        log.write(200, loss=1.5)
    assert [entry["words"] for entry in entries(tmp_path / "run.jsonl")] == [200]


@pytest.mark.parametrize(
    "content",
    [
        b"the cat sat\n",
        b"[1, 2]\n",
        b"{}\n",
        b'{"words": "a", "validation_loss": 1}\n',
        b'{"words": Infinity, "validation_loss": 1}\n',
        b"\x93NUMPY" * 5000,
        b'{"time": "2026-01-01", "text": "' + b"a" * 20_000 + b'"}\n',  # logs of other programs
        b'{"time": "2026-01-01", "text": "a"}',
    ],
)
def test_another_file_is_not_changed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes.txt exists, but is not a training log"):
        Word2Vec(**SETTINGS).fit(text(300), log=path)
    assert path.read_bytes() == content


def test_a_full_disk_ends_the_log_and_not_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full, which is always full")
    log = TrainingLog(tmp_path / "run.jsonl", words=0)
    with log, Path("/dev/full").open("wb") as full:
        log._file, opened = full, log._file
        for words in (100, 200):
            log.write(words, loss=1.0)
        assert log._file is None
        assert opened is not None
        opened.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'run.jsonl'}: No space left on device. Training continues, but this log gets no more lines"
    ]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing does not exist; create it first"):
        Word2Vec(**SETTINGS).fit(text(300), log=tmp_path / "missing" / "run.jsonl")
    with pytest.raises(IsADirectoryError):
        Word2Vec(**SETTINGS).fit(text(300), log=tmp_path)


def test_a_device() -> None:
    if not Path("/dev/null").exists():
        pytest.skip("there is no /dev/null")
    with pytest.raises(OSError, match="/dev/null is a pipe or a device; pass the path of a file"):
        Word2Vec(**SETTINGS).fit(text(300), log="/dev/null")


def test_callbacks_are_notified_of_the_events_that_they_name(caplog: pytest.LogCaptureFixture) -> None:
    """A callback without `events` gets the beginnings and the ends. At a step, the tables do not change."""
    caplog.set_level(logging.WARNING)

    class Watch:
        def __init__(self, *events: str) -> None:
            self.events = events
            self.seen: list[tuple[str, int]] = []

        def __call__(self, event: str, model: Word2Vec) -> None:
            self.seen.append((event, model.trained_words))

    plain: list[str] = []
    watches = [Watch("step"), Watch("report", "validation"), Watch("epoch_end", "train_end"), Watch()]
    settings = SETTINGS | {"engine": "layers"}
    model = Word2Vec(**settings, callbacks=[lambda event, model: plain.append(event), *watches])
    model.fit(text(500), validation=text(100))
    N = 500 * 20
    assert plain == ["train_begin", *["epoch_begin", "epoch_end"] * 3, "train_end"]
    steps = [words for _, words in watches[0].seen]
    assert len(steps) > 3 * N / 2048
    assert steps == sorted(set(steps))
    assert steps[-1] < 3 * N
    reports = [words for event, words in watches[1].seen if event == "report"]
    assert reports == [words for words, _ in model.loss_history]
    assert [words for event, words in watches[1].seen if event == "validation"] == [
        words for words, _ in model.validation_history
    ]
    assert watches[2].seen == [*[("epoch_end", N * i) for i in (1, 2, 3)], ("train_end", 3 * N)]
    assert watches[3].seen == []
    unwatched = Word2Vec(**settings).fit(text(500), validation=text(100))
    assert_same(model, unwatched)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_step_of_the_fused_engine_is_a_chunk(workers: int) -> None:
    pytest.importorskip("numba")
    seen: list[int] = []

    def look(event: str, model: Word2Vec) -> None:
        before = model.W_in.copy()
        seen.append(model.trained_words)
        assert (model.W_in == before).all()

    look.events = {"step"}  # type: ignore[attr-defined]
    settings = SETTINGS | {"workers": workers}
    model = Word2Vec(**settings, callbacks=[look]).fit(text())
    assert len(seen) == 3 * 7 - 1  # seven chunks an epoch, and no step follows the last one
    if workers == 1:
        assert_same(model, Word2Vec(**settings).fit(text()))


@pytest.mark.parametrize("events", ["step", 5, ["step", "batch"], [["step"]]])
def test_events_that_do_not_exist(events: Any) -> None:
    def callback(event: str, model: Word2Vec) -> None:
        pass

    callback.events = events  # type: ignore[attr-defined]
    with pytest.raises(
        ValueError, match=r"whose events are .*; they must be a list of 'train_begin', .* or 'train_end'"
    ):
        Word2Vec(callbacks=[callback])


def test_a_callback_can_train_a_copy_of_the_model() -> None:
    trained = []

    def train_further(event: str, model: Word2Vec) -> None:
        if event == "epoch_end":
            other = copy.deepcopy(model)
            other.callbacks = ()
            trained.append(other.train(text(100), epochs=1).trained_epochs)

    model = Word2Vec(**SETTINGS, callbacks=[train_further]).fit(text(300))
    assert_same(model, Word2Vec(**SETTINGS).fit(text(300)))
    assert trained == [2, 3, 4]
