"""The loss on held-out text, early stopping, and the weights with the lowest loss."""

from __future__ import annotations

import gc
import json
import math
import random
import signal
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.checkpoint import CheckpointError, Checkpoints
from fastw2v.config import CHUNK_TOKENS, TrainingConfig
from fastw2v.engines import cpu, eager
from fastw2v.engines.base import Tables
from fastw2v.run import Training
from fastw2v.sampling import rng
from fastw2v.validation import MAX_MEASUREMENTS, Validation, ValidationRecord, held_out_loss
from tests.engines.cases import copies, random_tables, zipf_corpus
from tests.test_checkpoint import SETTINGS, EachStep, Interrupt, assert_same

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]


def sentences(n: int, seed: int, noise: float = 1.0) -> list[list[str]]:
    """Return sentences of twenty words. A share of the words is drawn at random, the others follow each other."""
    draw = random.Random(seed)
    made = []
    for _ in range(n):
        first = draw.randrange(100)
        line = [f"w{(first + i) % 100}" for i in range(20)]
        made.append([f"w{draw.randrange(100)}" if draw.random() < noise else word for word in line])
    return made


def overfitting() -> dict[str, Any]:
    """Return a model and held-out text whose loss rises, because there is nothing to learn but noise."""
    settings = SETTINGS | {"epochs": 30, "alpha": 0.5, "cbow_grad": "balanced", "sample": 0, "vector_size": 32}
    return {"settings": settings, "corpus": sentences(60, 1), "validation": sentences(300, 2)}


@pytest.mark.parametrize("engine", [pytest.param(cpu, marks=needs_numba, id="cpu"), pytest.param(eager, id="eager")])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_the_loss_is_that_of_the_formula(engine: Any, model: str) -> None:
    """The loss of all targets, with the expected value over the negatives computed by brute force."""
    V, D, negative = 12, 6, 3
    tables, corpus = random_tables(V, D, np.float64, scale=0.8), zipf_corpus(V, 30_000, 7)
    settings: dict[str, Any] = {"window": 1, "negative": negative, "sample": 0, "vector_size": D, "model": model}
    drawn = np.asarray(corpus.vocabulary.counts, float) ** 0.75
    drawn /= drawn.sum()
    lines = [corpus.ids[start:end] for start, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]
    total, predictions = 0.0, 0
    for line in lines:
        for i, target in enumerate(line):
            contexts = [int(line[j]) for j in (i - 1, i + 1) if 0 <= j < len(line)]
            if not contexts:
                continue
            # CBOW predicts the target from the mean of its contexts, skip-gram each context from the target.
            h = tables.W_in[contexts].mean(axis=0) if model == "cbow" else tables.W_in[target]
            positives = [int(target)] if model == "cbow" else contexts
            others = ~np.isin(np.arange(V), positives)  # a negative that is also a positive is masked
            of_negatives = negative * float(drawn[others] @ np.logaddexp(0, tables.W_out @ h)[others])
            for word in positives:
                total += np.logaddexp(0, -tables.W_out[word] @ h) + of_negatives
                predictions += 1
    before = copies(tables)
    loss = held_out_loss(engine, tables, corpus, TrainingConfig(**settings), seed=1, workers=1)
    assert loss == pytest.approx(total / predictions, rel=0.01)
    for W, B in zip(tables, before, strict=True):
        assert W.tobytes() == B.tobytes()


@needs_numba
def test_every_measurement_draws_the_same_numbers() -> None:
    """The loss is equal for equal weights, for any number of workers, epoch and training seed, but not for any seed."""
    tables, corpus = random_tables(50, 8, np.float32), zipf_corpus(50, 3 * CHUNK_TOKENS, 20)

    def loss(seed: int = 1, workers: int = 1, **settings: Any) -> float:
        config = TrainingConfig(vector_size=8, sample=1e-2, **settings)
        return held_out_loss(cpu, tables, corpus, config, seed=seed, workers=workers)

    assert loss() == loss() == loss(epochs=50, alpha=1e-3)
    assert loss() == pytest.approx(loss(workers=3), rel=1e-12)
    assert loss() != loss(seed=2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_weights_are_those_with_the_lowest_loss(engine: Any) -> None:
    """The loss of noise rises, so the weights are those of an early epoch, which the callback has seen."""
    case = overfitting()
    seen: dict[int, Any] = {}

    def look(event: str, model: Any) -> None:
        assert event == "validation"
        seen[model.trained_words] = (model.validation_history[-1], model.W_in.copy(), model.W_out.copy())

    look.events = ["validation"]  # type: ignore[attr-defined]
    model = Word2Vec(**case["settings"] | {"engine": engine}, callbacks=[look])
    model.fit(case["corpus"], validation=case["validation"])
    losses = [loss for _, loss in model.validation_history]
    N = 60 * 20
    assert [words for words, _ in model.validation_history] == [N * epoch for epoch in range(1, 31)] == list(seen)
    best = int(np.argmin(losses))
    assert best < 10
    assert losses[-1] > losses[best] + 0.05
    (words, loss), W_in, W_out = seen[N * (best + 1)]
    assert model.W_in.tobytes() == W_in.tobytes()
    assert model.W_out.tobytes() == W_out.tobytes()
    np.testing.assert_allclose(model.wv.vectors, W_in + 0.4 * W_out, rtol=1e-6)
    settings = model.wv.settings or {}
    assert (settings["validation_words"], settings["validation_loss"]) == (words, loss)
    assert (model.trained_epochs, model.trained_words) == (30, 30 * N)


@pytest.mark.parametrize("engine", ENGINES)
def test_training_ends_after_some_measurements_without_a_lower_loss(engine: Any) -> None:
    case = overfitting()
    settings = case["settings"] | {"engine": engine}
    whole = Word2Vec(**settings).fit(case["corpus"], validation=case["validation"])
    events: list[str] = []
    model = Word2Vec(**settings, callbacks=[lambda event, model: events.append(event)])
    model.fit(case["corpus"], validation=case["validation"], patience=4)
    n = len(model.validation_history)
    losses = [loss for _, loss in whole.validation_history]
    assert model.validation_history == whole.validation_history[:n]
    assert int(np.argmin(losses[:n])) == n - 5
    assert n < 30
    assert (model.trained_epochs, model.trained_words) == (n, n * 1200)
    assert events == ["train_begin", *["epoch_begin", "epoch_end"] * n, "epoch_begin", "train_end"]
    assert model.W_in.tobytes() == whole.W_in.tobytes()
    before = model.W_in.copy()
    model.train(case["corpus"], epochs=1)  # the early end does not matter for further training
    assert model.trained_epochs == n + 1
    assert not np.array_equal(model.W_in, before)


def test_when_the_loss_is_measured() -> None:
    def points(epoch_words: int, epochs: int) -> list[int]:
        record = ValidationRecord({}, None, None)
        validation = Validation(Corpus.from_ids([0, 1]), record, epoch_words, epochs, Tables(*np.zeros((2, 1, 1))))
        while not record.losses or record.losses[-1][0] < epoch_words * epochs:
            words = validation.next_words()
            assert not validation.due(words - 1)
            assert validation.due(words)
            validation.add(words, 1.0, Tables(*np.zeros((2, 1, 1))))
        return [words for words, _ in record.losses]

    assert points(1000, 5) == list(range(250, 5001, 250))
    assert points(1000, 40) == list(range(1000, 40_001, 1000))
    assert points(7, 3) == list(range(1, 22))
    assert points(1003, 1) == [*range(50, 1001, 50), 1003]
    assert len(points(10, 50_000)) == MAX_MEASUREMENTS


@pytest.mark.parametrize("engine", ENGINES)
def test_a_share_of_the_sentences_is_held_out(engine: Any) -> None:
    """The result is that of training on the other sentences, with the vocabulary of the whole corpus."""
    corpus = Corpus.from_sentences(sentences(400, 3, 0.2), min_count=1)
    training, held_out = corpus.split(0.2, seed=7)
    settings = SETTINGS | {"engine": engine, "seed": 7}
    model = Word2Vec(**settings).fit(corpus, validation=0.2)
    parts = Word2Vec(**settings).fit(training, validation=held_out)
    assert model.validation_history == parts.validation_history
    assert model.W_in.tobytes() == parts.W_in.tobytes()
    assert model.trained_words == 3 * len(training)
    assert model.corpus_total_words == len(corpus)
    model.train(corpus, validation=0.2, epochs=1)
    assert model.validation_history[-1][0] == 4 * len(training)
    assert model.trained_words == 4 * len(training)


@pytest.mark.parametrize("engine", ENGINES)
def test_validation_changes_no_byte(engine: Any) -> None:
    """While the loss falls, the weights are those of a run without validation."""
    corpus, held_out = (sentences(300, seed, 0.1) for seed in (1, 2))
    settings = SETTINGS | {"engine": engine}
    plain = Word2Vec(**settings).fit(corpus)
    model = Word2Vec(**settings).fit(corpus, validation=held_out)
    assert model.validation_history[-1][1] == min(loss for _, loss in model.validation_history)
    assert model.wv.vectors.tobytes() == plain.wv.vectors.tobytes()
    assert model.epoch_losses == plain.epoch_losses


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("words", "patience"), [(1, None), (15_000, None), (9_000, 4), (30_000, 4)])
def test_a_continued_run_ends_with_the_bytes_of_an_unbroken_one(
    engine: Any, words: int, patience: int | None, tmp_path: Path
) -> None:
    case = overfitting()
    settings, corpus, held_out = case["settings"] | {"engine": engine}, case["corpus"], case["validation"]
    unbroken = Word2Vec(**settings).fit(corpus, validation=held_out, patience=patience)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**settings).fit(
            corpus,
            validation=held_out,
            patience=patience,
            checkpoint=EachStep(tmp_path / "run"),
            progress=Interrupt(min(words, unbroken.trained_words)),
        )
    continued = Word2Vec.resume(tmp_path / "run", corpus, validation=held_out)
    assert_same(continued, unbroken)
    assert continued.validation_history == unbroken.validation_history
    again = Word2Vec.resume(tmp_path / "run")  # a complete run needs no corpus
    assert_same(again, unbroken)
    assert Word2Vec.resume(tmp_path / "run", corpus, validation=held_out).trained_words == unbroken.trained_words
    kinds = [path.name.split("-")[0] for path in sorted((tmp_path / "run").iterdir())]
    assert kinds in (["best", "checkpoint", "checkpoint", "run.json"], ["checkpoint", "checkpoint", "run.json"])


def test_the_share_and_the_paths_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("corpus.txt", 1), ("unseen.txt", 2)):
        Path(name).write_text("\n".join(map(" ".join, sentences(300, seed, 0.3))), encoding="utf-8")
    for validation in (0.2, "unseen.txt"):
        folder = tmp_path / f"run-{validation}"
        unbroken = Word2Vec(**SETTINGS).fit("corpus.txt", validation=validation)
        with pytest.raises(KeyboardInterrupt):
            Word2Vec(**SETTINGS).fit(
                "corpus.txt", validation=validation, checkpoint=EachStep(folder), progress=Interrupt(8_000)
            )
        assert_same(Word2Vec.resume(folder), unbroken)


def test_held_out_text_of_the_run_is_needed_to_continue(tmp_path: Path) -> None:
    corpus, held_out = sentences(300, 1, 0.3), sentences(100, 2, 0.3)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(corpus, validation=held_out, checkpoint=tmp_path / "run", progress=Interrupt(1))
    with pytest.raises(CheckpointError, match="pass its held-out corpus to resume as validation"):
        Word2Vec.resume(tmp_path / "run", corpus)
    with pytest.raises(CheckpointError, match="the held-out corpus has 1,980 words in 99 sentences, but the run was"):
        Word2Vec.resume(tmp_path / "run", corpus, validation=held_out[1:])


def test_another_kind_of_held_out_text_is_refused(tmp_path: Path) -> None:
    """It would be ignored, or the message would blame the corpus."""
    corpus, held_out = sentences(300, 1, 0.3), sentences(100, 2, 0.3)
    unbroken = Word2Vec(**SETTINGS).fit(corpus, validation=0.2)
    for name, validation in (("share", 0.2), ("corpus", held_out)):
        with pytest.raises(KeyboardInterrupt):
            Word2Vec(**SETTINGS).fit(corpus, validation=validation, checkpoint=tmp_path / name, progress=Interrupt(1))
    with pytest.raises(ValueError, match=r"but the run was started with validation=0.2; pass the same value, or omit"):
        Word2Vec.resume(tmp_path / "share", corpus, validation=held_out)
    with pytest.raises(ValueError, match=r"validation is 0.3, but the run was started with validation=0.2"):
        Word2Vec.resume(tmp_path / "share", corpus, validation=0.3)
    with pytest.raises(ValueError, match=r"validation is 0.2, but the run was started with a held-out corpus"):
        Word2Vec.resume(tmp_path / "corpus", corpus, validation=0.2)
    assert_same(Word2Vec.resume(tmp_path / "share", corpus, validation=0.2), unbroken)


def test_ctrl_c_at_the_end_waits_for_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model does not get one matrix of the best weights and one of the last. The last checkpoint is written."""
    case = overfitting()
    unbroken = Word2Vec(**case["settings"]).fit(case["corpus"], validation=case["validation"])
    original, signals = Training._write_tables, []

    def write(self: Training, given: Tables) -> None:
        if given is self._validation.best:  # type: ignore[union-attr]
            signals.append(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        original(self, given)

    monkeypatch.setattr(Training, "_write_tables", write)
    model = Word2Vec(**case["settings"])
    with pytest.raises(KeyboardInterrupt):
        model.fit(case["corpus"], validation=case["validation"], checkpoint=tmp_path / "run")
    assert len(signals) == 1
    assert_same(model, unbroken)
    assert_same(Word2Vec.resume(tmp_path / "run"), unbroken)


def test_a_checkpoint_without_its_best_weights_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    case = overfitting()
    unbroken = Word2Vec(**case["settings"]).fit(case["corpus"], validation=case["validation"])
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**case["settings"]).fit(
            case["corpus"],
            validation=case["validation"],
            checkpoint=EachStep(tmp_path / "run"),
            progress=Interrupt(20_000),
        )
    (best,) = (tmp_path / "run").glob("best-*")
    last = Checkpoints.open(tmp_path / "run").latest()
    assert json.loads(json.dumps((WordVectors.load(last).settings or {})["checkpoint"]))["best"] == int(best.stem[5:])
    damaged = bytearray(best.read_bytes())
    damaged[-3] ^= 1
    best.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="contains no usable checkpoint"):  # both need the same weights
        Word2Vec.resume(tmp_path / "run", case["corpus"], validation=case["validation"])
    assert "best-" in caplog.text
    damaged[-3] ^= 1
    best.write_bytes(damaged)
    assert_same(Word2Vec.resume(tmp_path / "run", case["corpus"], validation=case["validation"]), unbroken)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_measurement_is_repeated(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal ends a measurement. The checkpoint is written, and the continued run measures at the same word."""
    corpus, held_out = sentences(700, 1, 0.3), sentences(700, 2, 0.3)
    settings = SETTINGS | {"engine": engine}
    unbroken = Word2Vec(**settings).fit(corpus, validation=held_out)
    due, measured = Validation.due, []

    def signalled(self: Validation, words: int) -> bool:
        found = due(self, words)
        if found and len(self.record.losses) == 5 and not measured:
            measured.append(words)
            signal.raise_signal(signal.SIGINT)  # deferred until the measurement begins
        return found

    monkeypatch.setattr(Validation, "due", signalled)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**settings).fit(corpus, validation=held_out, checkpoint=tmp_path / "run")
    monkeypatch.setattr(Validation, "due", due)
    assert measured
    continued = Word2Vec.resume(tmp_path / "run", corpus, validation=held_out)
    assert continued.validation_history == unbroken.validation_history
    assert_same(continued, unbroken)


def test_words_that_are_only_held_out_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    corpus = [["a", "b", "c"]] * 50 + [[f"x{i}", f"y{i}"] for i in range(50)]
    model = Word2Vec(**SETTINGS).fit(corpus, validation=0.5)
    training, _ = Corpus.from_sentences(corpus, 1).split(0.5, 1)
    lost = 103 - len(set(training.ids.tolist()))
    assert f"{lost} words occur only in sentences that are held out, so they are not trained" in caplog.text
    assert len(model.wv) == 103


def test_the_history_is_saved(tmp_path: Path) -> None:
    model = Word2Vec(**SETTINGS).fit(sentences(200, 1, 0.3), validation=0.1)
    model.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors")
    assert loaded.validation_history == model.validation_history
    assert loaded.trained_words == model.trained_words
    model.wv.save(tmp_path / "vectors.npz")
    settings = WordVectors.load(tmp_path / "vectors.npz").settings or {}
    assert settings["validation_history"] == [list(entry) for entry in model.validation_history]
    assert "validation_loss" not in (Word2Vec(**SETTINGS).fit(sentences(200, 1)).wv.settings or {})


def test_further_training_keeps_the_history(tmp_path: Path) -> None:
    """Neither a run without held-out text nor a checkpoint before the first measurement loses earlier measurements."""
    corpus = sentences(200, 1, 0.3)

    def fitted() -> Word2Vec:
        return Word2Vec(**SETTINGS).fit(corpus, validation=0.1)

    for name, validation in (("without", None), ("with", 0.1)):
        unbroken, model = fitted().train(corpus, validation=validation), fitted()
        with pytest.raises(KeyboardInterrupt):
            model.train(corpus, validation=validation, checkpoint=EachStep(tmp_path / name), progress=Interrupt(1))
        continued = Word2Vec.resume(tmp_path / name, corpus)
        assert continued.validation_history[: len(fitted().validation_history)] == fitted().validation_history
        assert continued.validation_history == unbroken.validation_history
        assert_same(continued, unbroken)
        unbroken.save(tmp_path / "model.safetensors")
        assert Word2Vec.load(tmp_path / "model.safetensors").validation_history == unbroken.validation_history


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_is_freed_when_it_ends(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of the best weights is not part of a cycle of references, which would keep it in memory."""
    made: list[weakref.ref[Any]] = []

    def init(self: Validation, *args: Any, **settings: Any) -> None:
        original(self, *args, **settings)
        made.extend(weakref.ref(W) for W in self.best)

    original = Validation.__init__
    monkeypatch.setattr(Validation, "__init__", init)
    gc.collect()
    gc.disable()
    try:
        Word2Vec(**SETTINGS | {"engine": engine}).fit(sentences(200, 1), validation=0.1)
        assert [W() for W in made] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"validation": 1},
            TypeError,
            "validation is 1; it must be a share of the sentences such as 0.01, or",
        ),
        ({"validation": True}, TypeError, "validation is True; it must be a share"),
        ({"validation": 1.0}, ValueError, "validation is 1.0; a share of the sentences must lie between 0 and 1"),
        ({"validation": math.nan}, ValueError, "validation is nan; a share of the sentences must lie between"),
        (
            {"validation": 1e-9},
            ValueError,
            "with a share of 1e-09, no sentence of the corpus is held out",
        ),
        ({"validation": [["a"]]}, ValueError, "validation cannot be used: nothing can be trained, because no word has"),
        ({"validation": [["q", "q"]]}, ValueError, "validation cannot be used: no word of the corpus is in the voc"),
        (
            {"validation": Corpus.from_ids([0, 1])},
            ValueError,
            "validation cannot be used: its vocabulary differs",
        ),
        ({"validation": "missing.txt"}, OSError, "there is no corpus file missing.txt"),
        ({"patience": 3}, ValueError, "patience is 3, but it has no effect without validation; set validation as well"),
        ({"validation": 0.5, "patience": 0}, ValueError, "patience is 0; it must be at least 1"),
        ({"validation": 0.5, "patience": 1.5}, TypeError, "patience is 1.5 of type float; it must be a whole number"),
    ],
)
def test_values_that_cannot_be_used(arguments: Any, error: type[Exception], message: str) -> None:
    corpus = [["a", "b", "c"]] * 50
    with pytest.raises(error, match=message):
        Word2Vec(**SETTINGS).fit(corpus, **arguments)
    model = Word2Vec(**SETTINGS).fit(corpus)
    with pytest.raises(error, match=message):
        model.train(corpus, **arguments)


def test_held_out_text_that_subsampling_drops() -> None:
    corpus = [["a", "b", "c"]] * 500
    with pytest.raises(ValueError, match="cannot be measured, because subsampling with sample=1e-09 drops nearly all"):
        Word2Vec(**SETTINGS | {"sample": 1e-9}).fit(corpus, validation=0.01)


@pytest.mark.parametrize("engine", [pytest.param(cpu, marks=needs_numba, id="cpu"), pytest.param(eager, id="eager")])
def test_a_loss_that_is_not_finite(engine: Any) -> None:
    tables, corpus = random_tables(5, 4, np.float32), zipf_corpus(5, 100, 5)
    tables.W_in[...] = np.nan
    with pytest.raises(FloatingPointError, match="on the held-out corpus, the loss is nan in epoch 1"):
        held_out_loss(engine, tables, corpus, TrainingConfig(vector_size=4, sample=0), seed=1, workers=1)


def test_the_stream_of_the_measurements_is_its_own() -> None:
    assert len({rng.stream_key(1, stream, 0) for stream in range(9)}) == 9
    assert (rng.HELD_OUT, rng.VALIDATION) == (7, 8)
