"""Checkpoints, and runs that continue from them."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Vocabulary, Word2Vec, WordVectors, formats
from fastw2v.checkpoint import CheckpointError, Checkpoints, check_fingerprint, fingerprint
from fastw2v.compat import gensim
from fastw2v.config import CHUNK_TOKENS
from fastw2v.engines import cpu

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
SETTINGS: dict[str, Any] = {"vector_size": 8, "epochs": 3, "workers": 1, "min_count": 1, "negative": 3}
WORDS_PER_LINE = 20


def text(n_lines: int = 2500) -> list[list[str]]:
    """Return sentences of six chunks in total, whose words follow a steep distribution."""
    draw = random.Random(1)
    return [[f"w{int(draw.paretovariate(0.8)) % 200}" for _ in range(WORDS_PER_LINE)] for _ in range(n_lines)]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made = Corpus.from_sentences(text(), min_count=1)
    assert len(made) > 5 * CHUNK_TOKENS
    return made


class Interrupt:
    """A progress function that interrupts the training after some words."""

    def __init__(self, words: int) -> None:
        self.words = words

    def __call__(self, words: int, loss: float, alpha: float) -> None:
        if words >= self.words:
            raise KeyboardInterrupt


class EachStep(Checkpoints):
    """A checkpoint after each step, even if the previous one takes longer to write than a step."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, every=1e-6)

    def save(self, make_record: Any, best: Any = None) -> None:
        super().save(make_record, best)
        self.wait()


def interrupted(model: Word2Vec, corpus: Any, folder: Path, words: int) -> None:
    """Start a run that is interrupted, with a checkpoint after each step."""
    with pytest.raises(KeyboardInterrupt):
        model.fit(corpus, checkpoint=EachStep(folder), progress=Interrupt(words))


def assert_same(one: Word2Vec, other: Word2Vec) -> None:
    for W, of_other in zip(one.wv._tables(), other.wv._tables(), strict=True):
        assert W.tobytes() == of_other.tobytes()
    assert one.wv.vectors.tobytes() == other.wv.vectors.tobytes()
    assert one.epoch_losses == other.epoch_losses
    assert one.wv.settings == other.wv.settings


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("words", [1, 60_000, 140_000])
def test_a_continued_run_ends_with_the_bytes_of_an_unbroken_one(
    engine: Any, model: Any, words: int, corpus: Corpus, tmp_path: Path
) -> None:
    settings = SETTINGS | {"model": model, "engine": engine}
    unbroken = Word2Vec(**settings).fit(corpus)
    interrupted(Word2Vec(**settings), corpus, tmp_path / "run", words)
    files = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert files[-1] == "run.json"
    assert 1 <= len(files) - 1 <= 2
    continued = Word2Vec.resume(tmp_path / "run", corpus)
    assert_same(continued, unbroken)
    assert continued.trained_epochs == 3
    assert continued.loss_history[-1][0] == unbroken.loss_history[-1][0] == 3 * len(corpus)
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)  # a complete run returns its result


@pytest.mark.parametrize("engine", ENGINES)
def test_checkpoints_and_callbacks_change_no_byte(engine: Any, corpus: Corpus, tmp_path: Path) -> None:
    settings = SETTINGS | {"engine": engine}
    plain = Word2Vec(**settings).fit(corpus)
    seen = []
    callbacks = [lambda event, model: seen.append((event, model.wv.vectors.copy()))]
    called = Word2Vec(**settings, callbacks=callbacks).fit(corpus)
    saved = Word2Vec(**settings).fit(corpus, checkpoint=EachStep(tmp_path / "run"))
    both = Word2Vec(**settings, callbacks=callbacks).fit(corpus, checkpoint=EachStep(tmp_path / "both"))
    for other in (called, saved, both):
        assert_same(other, plain)
    ends = [vectors for event, vectors in seen if event == "epoch_end"]
    assert len(ends) == 6
    assert not np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[2], plain.wv.vectors)


@needs_numba
def test_threads_pause_for_checkpoints_and_callbacks(corpus: Corpus, tmp_path: Path) -> None:
    """All threads must have stopped: the tables do not change while a callback reads them."""
    trained = []

    def look(event: str, model: Any) -> None:
        if event == "epoch_end":
            before = model.W_in.copy(), model.W_out.copy()
            time.sleep(0.02)
            assert np.array_equal(before[0], model.W_in)
            assert np.array_equal(before[1], model.W_out)
            trained.append((model.trained_epochs, model.loss_history[-1][0]))

    model = Word2Vec(**SETTINGS | {"workers": 4}, callbacks=[look])
    model.fit(corpus, checkpoint=EachStep(tmp_path / "run"))
    assert trained == [(1, len(corpus)), (2, 2 * len(corpus)), (3, 3 * len(corpus))]
    loaded = Word2Vec.resume(tmp_path / "run", corpus)
    assert loaded.wv.vectors.tobytes() == model.wv.vectors.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("when", "epochs"), [("train_begin", 0), ("epoch_begin", 0), ("epoch_end", 2)])
def test_training_goes_on_from_what_a_callback_assigns(engine: Any, when: str, epochs: int) -> None:
    def assign(event: str, model: Any) -> None:
        if event == when and model.trained_epochs == epochs:
            model.wv.vectors = np.ones_like(model.wv.vectors)

    settings = SETTINGS | {"engine": engine, "alpha": 1e-6, "min_alpha": 0.0}
    model = Word2Vec(**settings, callbacks=[assign]).fit(text(100))
    np.testing.assert_allclose(model.W_in, 1, atol=1e-2)
    np.testing.assert_allclose(model.wv.vectors, model.W_in + 0.4 * model.W_out, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("when", ["train_begin", "epoch_end"])
def test_vectors_of_other_words_cannot_be_assigned(engine: Any, when: str) -> None:
    def assign(event: str, model: Any) -> None:
        if event == when:
            model.wv = WordVectors(
                ["a", "b"], np.ones((2, 8), np.float32), counts=[1, 1], context_vectors=np.ones((2, 8))
            )

    model = Word2Vec(**SETTINGS | {"engine": engine}, callbacks=[assign])
    with pytest.raises(ValueError, match="a callback has replaced a matrix of shape"):
        model.fit(text(100))


@pytest.mark.parametrize("kind", [Word2Vec, gensim.Word2Vec])
def test_a_run_of_train_continues(kind: Any, corpus: Corpus, tmp_path: Path) -> None:
    sentences = text(600)
    if kind is Word2Vec:
        start, more = Word2Vec(**SETTINGS | {"epochs": 1}).fit(sentences), {}
    else:
        start, more = gensim.Word2Vec(sentences, **SETTINGS | {"epochs": 1}), {"total_examples": 600}
    start.save(tmp_path / "start.model")
    unbroken = kind.load(tmp_path / "start.model")
    Word2Vec.train(unbroken, sentences, epochs=2)
    broken = kind.load(tmp_path / "start.model")
    with pytest.raises(KeyboardInterrupt):
        Word2Vec.train(broken, sentences, epochs=2, checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(13_000))
    continued = kind.resume(tmp_path / "run", sentences)
    assert type(continued) is kind
    assert_same(continued, unbroken)
    assert continued.trained_epochs == 3
    assert len(continued.epoch_losses) == 3
    assert more is not None


@pytest.mark.parametrize("encoded", [False, True])
def test_the_path_of_the_corpus_is_stored(encoded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(map(" ".join, text(600))), encoding="utf-8")
    if encoded:
        Corpus.from_text(path, 1).save(tmp_path / "corpus.w2v")
        path = tmp_path / "corpus.w2v"
    monkeypatch.chdir(tmp_path)
    settings = SETTINGS | {"min_count": 3}
    unbroken = Word2Vec(**settings).fit(path.name)
    interrupted(Word2Vec(**settings), path.name, Path("run"), 13_000)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert_same(Word2Vec.resume(tmp_path / "run"), unbroken)


def test_a_corpus_in_memory_must_be_passed_again(tmp_path: Path) -> None:
    interrupted(Word2Vec(**SETTINGS), text(300), tmp_path / "run", 1)
    with pytest.raises(CheckpointError, match="was not started with the path of a corpus; pass its corpus to resume"):
        Word2Vec.resume(tmp_path / "run")


def test_another_corpus_is_refused_with_the_difference(tmp_path: Path) -> None:
    sentences = text(300)
    interrupted(Word2Vec(**SETTINGS), sentences, tmp_path / "run", 1)
    longer = "the corpus has 6,020 words in 301 sentences, but the run was started with 6,000 words in 300 sentences"
    with pytest.raises(CheckpointError, match=longer):
        Word2Vec.resume(tmp_path / "run", [*sentences, sentences[0]])
    with pytest.raises(CheckpointError, match="but not the same words in the same order"):
        Word2Vec.resume(tmp_path / "run", sentences[::-1])
    with pytest.raises(ValueError, match="the vocabulary of the corpus differs"):
        Word2Vec.resume(tmp_path / "run", Corpus.from_sentences(sentences, min_count=2))


def test_a_fingerprint_covers_words_and_sentences() -> None:
    vocabulary = Corpus.from_ids(np.arange(6)).vocabulary
    base = Corpus(np.arange(6), np.array([0, 3, 6]), vocabulary)
    check_fingerprint(base, json.loads(json.dumps(fingerprint(base))))
    for ids, offsets in ((np.array([0, 1, 2, 3, 5, 4]), [0, 3, 6]), (np.arange(6), [0, 2, 6])):
        with pytest.raises(CheckpointError, match="not the same words in the same order"):
            check_fingerprint(Corpus(ids, np.array(offsets), vocabulary), fingerprint(base))


def test_a_damaged_checkpoint_is_replaced_by_the_one_before(
    corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken = Word2Vec(**SETTINGS).fit(corpus)
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 100_000)
    _, last = sorted((tmp_path / "run").glob("checkpoint-*"))
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of a matrix
    last.write_bytes(content)
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)
    assert f"{last} is damaged: its checksum is wrong. This checkpoint is not used" in caplog.text
    for path in (tmp_path / "run").glob("checkpoint-*"):
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"contains no usable checkpoint: .*not a complete safetensors file"):
        Word2Vec.resume(tmp_path / "run", corpus)


def test_settings_in_a_checkpoint_are_checked_too(tmp_path: Path) -> None:
    interrupted(Word2Vec(**SETTINGS), text(300), tmp_path / "run", 1)
    for path in (tmp_path / "run").glob("checkpoint-*"):
        content = path.read_bytes()
        assert b'\\"window\\": 5' in content
        path.write_bytes(content.replace(b'\\"window\\": 5', b'\\"window\\": 6'))
    with pytest.raises(CheckpointError, match="its checksum is wrong"):
        Word2Vec.resume(tmp_path / "run", text(300))


def test_what_is_not_a_run_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError, match=r"is not the folder of a run .* contains no run\.json"):
            Word2Vec.resume(folder)
    for content, message in (("[1]", "is damaged"), ("{", "is damaged"), ('{"version": 1}', "is damaged")):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(CheckpointError, match=message):
            Word2Vec.resume(tmp_path)
    for version in ("0", "null", "true", '"2"'):  # no version of fastw2v writes these
        (tmp_path / "run.json").write_text(f'{{"version": {version}, "every": 1, "corpus": null, "task": null}}')
        with pytest.raises(CheckpointError, match="is damaged"):
            Word2Vec.resume(tmp_path)
    for content in ('{"version": 2, "every": 1, "corpus": null, "task": null}', '{"version": 2}'):
        (tmp_path / "run.json").write_text(content)  # a later version may describe a run in another way
        with pytest.raises(CheckpointError, match="has version 2, but the installed fastw2v reads version 1; upgrade"):
            Word2Vec.resume(tmp_path)


def test_a_folder_that_exists_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match=r"already exists; choose the name of a new folder for the checkpoints$"):
        Word2Vec(**SETTINGS).fit(text(100), checkpoint=tmp_path)
    Word2Vec(**SETTINGS).fit(text(100), checkpoint=tmp_path / "run")
    with pytest.raises(FileExistsError, match="or continue the run in this folder with resume"):
        Word2Vec(**SETTINGS).fit(text(100), checkpoint=tmp_path / "run")


@pytest.mark.parametrize("every", ["", "10", "5d", "-1s", "1e3s", "m", 0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(every: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoint_every is .*; it must be a number of seconds, or a duration"):
        Checkpoints(tmp_path / "run", every)
    for wrong in (None, True, [1]):
        with pytest.raises(TypeError, match="checkpoint_every is"):
            Checkpoints(tmp_path / "run", wrong)  # type: ignore[arg-type]


def test_a_checkpoint_is_a_model_and_vectors(corpus: Corpus, tmp_path: Path) -> None:
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 100_000)
    last = sorted((tmp_path / "run").glob("checkpoint-*"))[-1]
    vectors, model = WordVectors.load(last), Word2Vec.load(last)
    W_in, W_out = vectors.input_vectors, vectors.context_vectors
    np.testing.assert_allclose(vectors.vectors, W_in + 0.4 * W_out, rtol=1e-6, atol=1e-7)
    assert np.array_equal(model.W_in, W_in)
    assert model.trained_epochs == 1
    assert "checkpoint" not in (model.wv.settings or {})
    model.train(corpus, epochs=1)


def test_a_full_disk_does_not_end_the_training(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken = Word2Vec(**SETTINGS).fit(corpus)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if threading.current_thread().name == "fastw2v-checkpoint":
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    model = Word2Vec(**SETTINGS).fit(corpus, checkpoint=EachStep(tmp_path / "run"))
    assert_same(model, unbroken)
    start = tmp_path / "run" / "checkpoint-000000000000000.safetensors"
    assert [path.name for path in sorted((tmp_path / "run").iterdir())] == [start.name, "run.json"]
    message = next(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert message.endswith(
        f".safetensors: No space left on device. The checkpoint was not written. The last one is {start}"
    )
    monkeypatch.undo()
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)


def test_what_cannot_be_read_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a run with checkpoints cannot read standard input"):
        Word2Vec(**SETTINGS).fit("-", checkpoint=tmp_path / "run")


def test_files_of_others_in_the_folder_are_left_alone(corpus: Corpus, tmp_path: Path) -> None:
    unbroken = Word2Vec(**SETTINGS).fit(corpus)
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 60_000)
    last = sorted((tmp_path / "run").glob("checkpoint-*"))[-1]
    for name in ("checkpoint-best.safetensors", "checkpoint-a-copy.safetensors", "notes.txt"):
        (tmp_path / "run" / name).write_bytes(last.read_bytes())
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)
    assert len(list((tmp_path / "run").iterdir())) == 3 + 1 + 2


def test_damaged_checkpoints_take_no_place(corpus: Corpus, tmp_path: Path) -> None:
    """The checkpoint from which a run continues is kept until the second new one has been written."""
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 60_000)
    good, last = sorted((tmp_path / "run").glob("checkpoint-*"))
    last.write_bytes(b"")
    checkpoints = Checkpoints.open(tmp_path / "run")
    assert checkpoints.latest() == good
    record = formats.read(good, "safetensors")
    state = record.settings["checkpoint"] | {"words": 77_777}
    del state["checksum"]
    checkpoints.save(lambda: replace(record, settings=record.settings | {"checkpoint": state}))
    checkpoints.wait()
    left = sorted(path.name for path in (tmp_path / "run").glob("checkpoint-*"))
    assert left == [good.name, "checkpoint-000000000077777.safetensors"]


def test_other_counts_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 60_000)
    counts = corpus.vocabulary.counts.copy()
    counts[0] += 1
    other = Corpus(corpus.ids, corpus.offsets, Vocabulary(corpus.vocabulary.words, counts))
    with pytest.raises(CheckpointError, match="has the text of the run, but its vocabulary has other counts"):
        Word2Vec.resume(tmp_path / "run", other)


@pytest.mark.parametrize("ids", [np.arange(600) % 7, (np.arange(600) % 7).reshape(60, 10)])
def test_integer_arrays(ids: np.ndarray, tmp_path: Path) -> None:
    settings = SETTINGS | {"engine": "layers"}
    unbroken = Word2Vec(**settings).fit(ids)
    interrupted(Word2Vec(**settings), ids, tmp_path / "run", 1)
    assert_same(Word2Vec.resume(tmp_path / "run", ids), unbroken)


@pytest.mark.parametrize("engine", ENGINES)
def test_float64_matrices(engine: Any, tmp_path: Path) -> None:
    def start() -> Word2Vec:
        model = Word2Vec(**SETTINGS | {"engine": engine}).build_vocab(text(300))
        wv = model.wv
        matrices = [np.asarray(W, np.float64) for W in (wv.vectors, wv.context_vectors)]
        model.wv = WordVectors(wv.index_to_key, matrices[0], wv.counts, matrices[1], wv.settings)
        return model

    unbroken = start().train(text(300))
    with pytest.raises(KeyboardInterrupt):
        start().train(text(300), checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(1))
    continued = Word2Vec.resume(tmp_path / "run", text(300))
    assert continued.W_in.dtype == unbroken.W_in.dtype == np.float64
    assert continued.W_in.tobytes() == unbroken.W_in.tobytes()


def test_what_a_callback_changes(corpus: Corpus, tmp_path: Path) -> None:
    """Assigned vectors are kept, even by a callback that ends the training, and parameters have no effect."""

    def change(event: str, model: Any) -> None:
        if event == "epoch_end":
            model.wv.vectors = model.wv.vectors * 0.5
            model.workers, model.alpha, model.min_alpha = 2, 0.01, 0.02
            if model.trained_epochs == stop_after:
                raise StopIteration

    stop_after = 0
    model = Word2Vec(**SETTINGS, callbacks=[change]).fit(corpus, checkpoint=EachStep(tmp_path / "run"))
    resumed = Word2Vec.resume(tmp_path / "run", corpus)
    assert resumed.workers == 1
    assert resumed.wv.vectors.tobytes() == model.wv.vectors.tobytes()
    stop_after = 3
    stopped = Word2Vec(**SETTINGS, callbacks=[change])
    with pytest.raises(StopIteration):
        stopped.fit(corpus, checkpoint=EachStep(tmp_path / "stopped"))
    assert stopped.wv.vectors.tobytes() == model.wv.vectors.tobytes()
    assert Word2Vec.resume(tmp_path / "stopped").wv.vectors.tobytes() == model.wv.vectors.tobytes()


def test_a_copy_that_does_not_fit_in_memory_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def copy(W: Any) -> Any:
        raise MemoryError("no room for a copy")

    monkeypatch.setattr("fastw2v.run._host_copy", copy)
    model = Word2Vec(**SETTINGS).fit(text(100), checkpoint=tmp_path / "run")
    assert model.trained_epochs == 3
    assert "no room for a copy. The checkpoint was not written" in caplog.text


def test_training_from_a_checkpoint_draws_other_numbers(corpus: Corpus, tmp_path: Path) -> None:
    interrupted(Word2Vec(**SETTINGS), corpus, tmp_path / "run", 1)
    loaded = Word2Vec.load(sorted((tmp_path / "run").glob("checkpoint-*"))[-1])
    assert loaded._run_seed() != loaded.seed_


@pytest.mark.parametrize("changes", [
    {"corpus": 5}, {"corpus": "c.txt"}, {"corpus": [3]}, {"corpus": []}, {"every": "x"}, {"every": None}, {"task": []},
])  # fmt: skip
def test_a_description_with_wrong_types_is_damaged(changes: dict[str, Any], tmp_path: Path) -> None:
    run = {"version": 1, "every": 1, "corpus": None, "task": None} | changes
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(CheckpointError, match=r"run\.json is damaged"):
        Word2Vec.resume(tmp_path)


CHILD = """
import sys
from fastw2v.cli import main
sys.argv = ["fastw2v", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("how", "rounds", "more"),
    [("SIGKILL", 100, []), ("SIGTERM", 20, []), ("SIGKILL", 50, ["--validation", "0.05", "--log", "run.jsonl"])],
    ids=["SIGKILL", "SIGTERM", "SIGKILL-validation"],
)
def test_runs_that_are_killed_again_and_again_end_with_the_bytes_of_an_unbroken_one(
    how: str, rounds: int, more: list[str], tmp_path: Path
) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(map(" ".join, text(3000))), encoding="utf-8")
    options = ["train", "corpus.txt", "--workers", "1", "--vector-size", "16", "--epochs", "150", *more]

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log.txt").open("ab") as log:
            command = [sys.executable, "-c", CHILD, *arguments]
            return subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)

    began = time.monotonic()
    assert start(*options, "-o", "unbroken.safetensors").wait(300) == 0
    seconds = time.monotonic() - began
    draw = random.Random(1)
    kills = runs = resumed = 0
    while kills < rounds:
        runs += 1
        folder, output = tmp_path / f"run-{runs}", tmp_path / f"{runs}.safetensors"
        child = start(*options, "-o", output.name, "--checkpoint", folder.name, "--checkpoint-every", "0.02s")
        while True:
            try:
                status = child.wait(draw.uniform(0.2, 1) * seconds)
            except subprocess.TimeoutExpired:
                child.send_signal(getattr(signal, how))
                status = child.wait()
                kills += 1
            assert status <= 0 or (status == 143 and how == "SIGTERM"), (tmp_path / "log.txt").read_text()
            if not status or not folder.exists():  # it is complete, or was killed before its first checkpoint
                break
            child = start("resume", folder.name)
            resumed += 1
        if not status:
            assert output.read_bytes() == (tmp_path / "unbroken.safetensors").read_bytes()
        if not status and more:
            words = [json.loads(line)["words"] for line in (tmp_path / "run.jsonl").read_text().splitlines()]
            assert words == sorted(words)
    assert resumed > rounds / 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(
    engine: Any, corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(event: str, model: Any) -> None:
        if event == "epoch_end":
            W_in = np.array(model.W_in)
            W_in[-1] = np.inf  # the rarest word, so that several steps do not notice it
            model.wv = WordVectors(model.wv.index_to_key, W_in, model.wv.counts, np.array(model.W_out))

    settings = SETTINGS | {"engine": engine}
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="training has diverged"):
        Word2Vec(**settings, callbacks=[spoil]).fit(corpus, checkpoint=EachStep(tmp_path / "run"))
    assert "training has diverged. Train again with a lower alpha (now 0.2). The checkpoint was not writ" in caplog.text
    last = WordVectors.load(Checkpoints.open(tmp_path / "run").latest())
    assert np.isfinite(last.input_vectors).all()
    assert 0 < (last.settings or {})["checkpoint"]["words"] <= len(corpus)
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), Word2Vec(**settings).fit(corpus))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    sentences, refused = text(300), []

    def second(event: str, model: Any) -> None:
        if event == "epoch_begin" and not refused:
            with pytest.raises(CheckpointError, match="another process is training the run in") as error:
                Word2Vec.resume(tmp_path / "run", sentences)
            refused.append(error)

    model = Word2Vec(**SETTINGS, callbacks=[second]).fit(sentences, checkpoint=tmp_path / "run")
    assert refused
    assert_same(Word2Vec.resume(tmp_path / "run", sentences), model)  # the lock ended with the training


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="SIGINT is ignored, as in background jobs"
)
@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_ctrl_c_writes_a_checkpoint_between_two_steps(engine: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"vector_size": 8, "epochs": 40, "workers": 1, "engine": engine}
    sentences = text(400)
    whole = Word2Vec(**settings).fit(sentences)
    sent: list[int] = []

    def interrupt(words: int, loss: float, alpha: float) -> None:
        if words > 100_000 and not sent:
            sent.append(words)
            signal.raise_signal(signal.SIGINT)

    model = Word2Vec(**settings)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.fit(sentences, progress=interrupt, checkpoint=tmp_path / "run", checkpoint_every="10h")
    assert signal.getsignal(signal.SIGINT) is handler
    checkpoint = WordVectors.load(Checkpoints.open(tmp_path / "run").latest())
    assert (checkpoint.settings or {})["checkpoint"]["words"] >= sent[0]
    assert checkpoint.vectors.tobytes() == np.array(model.wv.vectors).tobytes()
    resumed = Word2Vec.resume(tmp_path / "run", sentences)
    assert np.array(resumed.wv.vectors).tobytes() == np.array(whole.wv.vectors).tobytes()


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="SIGINT is ignored, as in background jobs"
)
def test_ctrl_c_in_a_callback_acts_at_once() -> None:
    def interrupt(event: str, model: Any) -> None:
        if event == "epoch_end":
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("Ctrl-C was deferred")

    with pytest.raises(KeyboardInterrupt) as caught:
        Word2Vec(vector_size=8, epochs=3, callbacks=[interrupt]).fit(text(200))
    assert any(entry.name == "interrupt" for entry in caught.traceback)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_of_the_user_keep_their_traceback_and_end_all_threads(workers: int) -> None:
    def fail_in_the_callback(event: str, model: Any) -> None:
        if event == "epoch_end":
            raise LookupError("of the callback")

    def fail_in_the_progress(words: int, loss: float, alpha: float) -> None:
        raise LookupError("of the progress function")

    def fail_in_the_iterator() -> Any:
        yield from text(200)
        raise LookupError("of the iterator")

    before = set(threading.enumerate())
    for callbacks, progress, corpus, name in (
        ([fail_in_the_callback], None, text(200), "fail_in_the_callback"),
        ([], fail_in_the_progress, text(200), "fail_in_the_progress"),
        ([], None, fail_in_the_iterator(), "fail_in_the_iterator"),
    ):
        with pytest.raises(LookupError, match="of the") as caught:
            Word2Vec(vector_size=8, workers=workers, callbacks=callbacks).fit(corpus, progress=progress)
        assert caught.traceback[-1].name == name
        del caught
    assert set(threading.enumerate()) <= before
