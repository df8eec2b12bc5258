"""`Word2Vec` and the command line with replicas on Ray: the results are those of replicas in one process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.distributed.connection import Connection
from fastw2v.engines import cpu
from tests.cli.helpers import Run
from tests.distributed.test_training import Interrupt

ray = pytest.importorskip("ray", reason="ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves files open
needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
SETTINGS: dict[str, Any] = {"vector_size": 8, "epochs": 2, "workers": 1, "min_count": 1, "sample": 0.01}
REPLICAS: dict[str, Any] = {"replicas": 3, "rounds": 8}


@pytest.fixture(scope="module")
def model() -> Word2Vec:
    return Word2Vec(**SETTINGS)


@pytest.fixture(scope="module")
def connection(model: Word2Vec) -> Iterator[Connection]:
    with model.connect(**REPLICAS, ray="local") as connection:
        yield connection


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = random.Random(1)
    lines = [" ".join(f"W{int(draw.paretovariate(0.8)) % 200}" for _ in range(20)) for _ in range(2500)]
    path = tmp_path_factory.mktemp("texts") / "corpus.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected(path: Path) -> Word2Vec:
    """Return a model that is trained in this process, on a corpus that this process has read."""
    return Word2Vec(**SETTINGS).fit(Corpus.from_text(path, 1), **REPLICAS, ray="in-process")


def same(found: Word2Vec, expected: Word2Vec) -> bool:
    assert found.wv.index_to_key == expected.wv.index_to_key
    assert found.epoch_losses == expected.epoch_losses
    return found.W_in.tobytes() == expected.W_in.tobytes()


def test_replicas_on_ray_read_and_train(connection: Connection, path: Path, expected: Word2Vec):
    found = Word2Vec(**SETTINGS).fit(path, ray=connection)
    assert same(found, expected)
    assert found.report_ == "3 replicas with 1 thread each in processes that Ray started on this machine"
    assert (found.corpus_count, found.corpus_total_words) == (expected.corpus_count, expected.corpus_total_words)


def test_a_connection_trains_several_models(connection: Connection, path: Path, expected: Word2Vec):
    text = connection.read_text(path, 1)
    models = [Word2Vec(**SETTINGS, model=model) for model in ("cbow", "skipgram")]
    for model in models:
        model.fit(text, ray=connection)
    assert same(models[0], expected)
    more = models[0].train(path, epochs=1, ray=connection)
    expected_more = Word2Vec(**SETTINGS).fit(Corpus.from_text(path, 1), **REPLICAS, ray="in-process")
    expected_more.train(Corpus.from_text(path, 1), epochs=1, **REPLICAS, ray="in-process")
    assert same(more, expected_more)


@pytest.mark.parametrize("settings", [{"engine": "layers"}, {"loss": "hs+ns", "subwords": (3, 4), "bucket": 500}])
def test_other_models_on_ray(connection: Connection, path: Path, settings: dict[str, Any]):
    found = Word2Vec(**SETTINGS, **settings).fit(path, ray=connection)
    assert same(found, Word2Vec(**SETTINGS, **settings).fit(path, **REPLICAS, ray="in-process"))


def test_a_run_continues_elsewhere(connection: Connection, path: Path, expected: Word2Vec, tmp_path: Path):
    """A run that was started on Ray, with text that the tasks have read, continues in this process and back."""
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(path, ray=connection, checkpoint=run, progress=Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        Word2Vec.resume(run, ray="in-process", progress=Interrupt(2))
    assert same(Word2Vec.resume(run, ray=connection), expected)


def test_another_text_is_not_that_of_the_run(connection: Connection, path: Path, tmp_path: Path):
    text = tmp_path / "corpus.txt"
    text.write_bytes(path.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(text, ray=connection, checkpoint=tmp_path / "run", progress=Interrupt(3))
    lines = path.read_text(encoding="utf-8").split("\n")
    text.write_text("\n".join(lines[::-1]), encoding="utf-8")
    for ray in (connection, "in-process"):
        with pytest.raises(ValueError, match="like that of the run, but not the same words in the same order"):
            Word2Vec.resume(tmp_path / "run", ray=ray)


@needs_numba
def test_a_run_on_ray_that_diverges(connection: Connection, path: Path, expected: Word2Vec):
    words = expected.wv.index_to_key
    huge = WordVectors(words, np.full((len(words), 8), 1e38, np.float32))
    with pytest.raises(FloatingPointError, match=r"^.{0,200}training has diverged\. Train again with a lower alpha$"):
        Word2Vec(**SETTINGS).fit(path, ray=connection, init=huge)


def test_a_connection_for_another_number_of_replicas(connection: Connection, path: Path):
    with pytest.raises(ValueError, match="replicas is 2, but ray is a connection for 3 replicas; omit replicas"):
        Word2Vec(**SETTINGS).fit(path, ray=connection, replicas=2)
    assert Word2Vec(**SETTINGS).fit(path, ray=connection, rounds=2).trained_epochs == 2


def test_the_command_line(connection: Connection, path: Path, tmp_path: Path, run: Any):
    """The commands use the Ray that this process has started."""
    options = ["--vector-size", 8, "--epochs", 2, "--min-count", 1, "--lower", "--replicas", 3, "--rounds", 8]
    files = [tmp_path / "ray.safetensors", tmp_path / "process.safetensors"]
    for file, where in zip(files, ("auto", "in-process"), strict=True):
        result: Run = run("train", path, "--output", file, *options, "--workers", 1, "--ray", where)
        assert result.status == 0, result
        assert "3 replicas with 1 thread each" in result.out
    vectors = [WordVectors.load(file) for file in files]
    assert vectors[0].index_to_key == vectors[1].index_to_key
    assert "w1" in vectors[0]
    assert vectors[0].vectors.tobytes() == vectors[1].vectors.tobytes()


def test_a_file_at_an_address(connection: Connection, path: Path, tmp_path: Path, run: Any):
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    file = tmp_path / "vectors.safetensors"
    options = ["--vector-size", 8, "--epochs", 2, "--replicas", 3, "--rounds", 8, "--checkpoint", tmp_path / "run"]
    result: Run = run("train", f"file://{path}", "--output", file, *options, "--ray", "auto")
    assert result.status == 0, result
    assert f"reading file://{path}" in result.err
    file.unlink()
    assert run("resume", tmp_path / "run").status == 0
    assert file.is_file()
