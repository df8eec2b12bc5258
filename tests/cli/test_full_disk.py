"""Every writer on a full disk: the error names the target and the reason, and nothing is left or lost."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Vocabulary, Word2Vec, WordVectors
from fastw2v.cli import train as cli_train
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.explore import write_page
from fastw2v.formats import FormatError
from fastw2v.plot import write_loss, write_map
from tests.cli.helpers import failed

WORDS = [f"word{i}" for i in range(2000)]
MATRIX = np.random.default_rng(0).standard_normal((2000, 20)).astype(np.float32)
VECTORS = WordVectors(WORDS, MATRIX, counts=range(2000, 0, -1))
TEXT = [[f"word{i % 2000}" for i in range(j, j + 20)] for j in range(0, 40_000, 20)]


def save_index(path: Path) -> None:
    VECTORS.index().save(path)


WRITERS: dict[str, Callable[[Path], Any]] = {
    **dict.fromkeys(["a.safetensors", "a.npz", "a.bin", "a.txt", "a.glove", "a.tsv", "a.vec.gz"], VECTORS.save),
    **dict.fromkeys(["a.bin.bz2", "a.txt.xz"], VECTORS.save),
    "static": lambda path: VECTORS.save(path, format="static-embedding"),
    "a.kv": KeyedVectors(WORDS, MATRIX).save,
    "word2vec.txt": KeyedVectors(WORDS, MATRIX).save_word2vec_format,
    "a.w2v": lambda path: Corpus.from_sentences(TEXT, min_count=1).save(path),
    "vocabulary.txt": Vocabulary(WORDS, range(2000, 0, -1)).save,
    "map.html": lambda path: write_page(VECTORS, path, words=WORDS[:300], method="pca"),
    "map.png": lambda path: write_map(VECTORS, path, words=WORDS[:30], method="pca"),
    "loss.pdf": lambda path: write_loss([(i, 1 / (i + 1)) for i in range(1000)], path),
    "a.index": save_index,
}


@contextlib.contextmanager
def small_files(size: int) -> Iterator[None]:
    """Make the operating system refuse to write more than `size` bytes to a file, as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows has no limit of file sizes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 5000])
@pytest.mark.parametrize("name", WRITERS)
def test_the_target_and_the_reason_are_named(tmp_path: Path, name: str, size: int) -> None:
    if name == "a.index" and not importlib.util.find_spec("usearch"):
        pytest.skip("usearch is not installed")
    target = tmp_path / name
    is_folder = name == "static"
    if not is_folder:
        target.write_text("old")
    with small_files(size), pytest.raises(OSError, match="File too large") as error:
        WRITERS[name](target)
    named = [str(target), str(tmp_path / "a.metadata.tsv")] if name == "a.tsv" else [str(target)]
    assert error.value.filename in named
    assert str(error.value) == f"[Errno {error.value.errno}] File too large: '{error.value.filename}'"
    assert [path.name for path in tmp_path.iterdir()] == ([] if is_folder else [name])
    if not is_folder:
        assert target.read_text() == "old"


@pytest.mark.parametrize("name", ["a.safetensors", "a.txt", "static"])
def test_a_full_disk(tmp_path: Path, name: str) -> None:
    """The same with a real file system."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs root on Linux")
    try:
        with pytest.raises(OSError, match="No space left on device") as error:
            WRITERS[name](tmp_path / name)
        assert error.value.filename == str(tmp_path / name)
        assert not list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


OPTIONS = ["--vector-size", "4", "--negative", "2", "--epochs", "1", "--min-count", "1"]


def small_text(folder: Path) -> Path:
    path = folder / "text.txt"
    path.write_text("the cat sat on the mat while the dog ran home\n" * 200)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".txt", ".bin.gz"])
@pytest.mark.parametrize("command", ["train", "word2vec"])
def test_the_vectors_of_a_training_are_kept_elsewhere(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, command: str
) -> None:
    text = small_text(tmp_path)
    current, output = tmp_path / "current", tmp_path / "gone" / f"v{suffix}"
    current.mkdir()
    output.parent.mkdir()
    (current / "v.safetensors").write_text("mine")
    monkeypatch.chdir(current)
    save = cli_train._save_vectors

    def vanish(*arguments: Any) -> None:
        output.parent.rmdir()
        save(*arguments)

    monkeypatch.setattr(cli_train, "_save_vectors", vanish)
    if command == "train":
        result = run("train", text, "-o", output, *OPTIONS)
    else:
        result = run("word2vec", "-train", text, "-output", output, "-size", "4", "-min-count", "1", "-iter", "1")
    kept = Path("v-1.safetensors" if suffix == ".safetensors" else f"v{suffix}.safetensors")
    failed(result, f"{output}: ", "(there is no folder ")
    assert result.err.splitlines()[-2] == f"the vectors were saved as {kept}"
    assert len(WordVectors.load(current / kept)) == 9
    assert (current / "v.safetensors").read_text() == "mine"


@pytest.mark.parametrize(("command", "suffix"), [
    *(("train", suffix) for suffix in (".safetensors", ".npz", ".bin", ".txt", ".glove", ".tsv", ".vec.xz")),
    *(("word2vec", suffix) for suffix in (".bin", ".txt")),
])  # fmt: skip
def test_the_output_becomes_a_folder_during_the_training(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, suffix: str
) -> None:
    text, output = small_text(tmp_path), tmp_path / f"v{suffix}"
    save = cli_train._save_vectors

    def appear(*arguments: Any) -> None:
        output.mkdir()
        save(*arguments)

    monkeypatch.setattr(cli_train, "_save_vectors", appear)
    if command == "train":
        result = run("train", text, "-o", output, *OPTIONS)
    else:
        result = run("word2vec", "-train", text, "-output", output, "-size", "4", "-min-count", "1", "-iter", "1")
    kept = tmp_path / ("v-1.safetensors" if suffix == ".safetensors" else f"v{suffix}.safetensors")
    failed(result, f"{output} is a folder; pass the path of a file")
    assert result.err.splitlines()[-2] == f"the vectors were saved as {kept}"
    assert WordVectors.load(kept).context_vectors.shape == WordVectors.load(kept).vectors.shape
    assert not list(output.iterdir())


def test_a_model_can_be_saved_again_after_an_error(tmp_path: Path) -> None:
    model = Word2Vec(vector_size=20, epochs=1, min_count=1, workers=1).fit(TEXT)
    path = tmp_path / "model.safetensors"
    with small_files(1000), pytest.raises(OSError, match="File too large") as error:
        model.save(path)
    assert error.value.filename == str(path)
    assert not list(tmp_path.iterdir())
    model.save(path)
    again = Word2Vec.load(path)
    assert again.W_in.tobytes() == model.W_in.tobytes()
    assert again.W_out.tobytes() == model.W_out.tobytes()


def test_the_vectors_are_kept_in_the_folder_for_temporary_files(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, output = small_text(tmp_path), tmp_path / "v.txt"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    save = WordVectors.save

    def full(self: WordVectors, path: Any, format: str | None = None) -> None:
        if Path(path).parent != temporary:
            raise OSError(28, "No space left on device", str(path))
        save(self, path, format)

    monkeypatch.setattr(WordVectors, "save", full)
    kept = temporary / "v.txt.safetensors"
    result = run("train", text, "-o", output, *OPTIONS)
    failed(result, f"{output}: No space left on device")
    assert result.err.splitlines()[-2] == f"the vectors were saved as {kept}"
    assert "the" in WordVectors.load(kept)
    temporary = tmp_path / "nowhere"
    result = run("train", text, "-o", output, *OPTIONS)
    failed(result, f"{output}: No space left on device")
    assert result.err.splitlines()[-2] == "the vectors could not be saved elsewhere either"


@pytest.mark.parametrize("failing", [[".bin"], [".vec"], [".bin", ".vec"]])
def test_files_of_fasttext_that_cannot_be_written(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: list[str]
) -> None:
    """A file that can be written is complete. The vectors are kept elsewhere if the model is not written."""
    text, output = small_text(tmp_path), tmp_path / "v"
    save = WordVectors.save

    def full(self: WordVectors, path: Path, format: str | None = None) -> None:
        if path.suffix in failing:
            raise OSError(28, "No space left on device", str(path))
        save(self, path, format)

    monkeypatch.setattr(WordVectors, "save", full)
    result = run("fasttext", "cbow", "-input", text, "-output", output, "-dim", 8, "-minCount", 1, "-bucket", 100)
    failed(result, f"{output}{failing[0]}: No space left on device")
    names = {"v.bin", "v.vec"} - {f"v{suffix}" for suffix in failing}
    if ".bin" in failing:
        assert result.err.splitlines()[-2] == f"the vectors were saved as {tmp_path / 'v.bin.safetensors'}"
        names |= {"v.bin.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names | {text.name}
    for name in names:
        assert len(WordVectors.load(tmp_path / name)) == 9


def test_a_picture_that_cannot_be_written_does_not_hide_the_vectors(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any, path: Path, **options: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("fastw2v.plot.write_loss", full)
    output, plot = tmp_path / "v.bin", tmp_path / "loss.png"
    result = run("train", small_text(tmp_path), "-o", output, "--plot", plot, *OPTIONS)
    failed(result, f"{plot}: No space left on device. The vectors were saved as {output}")
    assert output.exists()


@pytest.mark.parametrize("target", ["out.safetensors", "out.txt", "static"])
def test_convert_on_a_full_disk(run: Any, tmp_path: Path, target: str) -> None:
    VECTORS.save(tmp_path / "in.safetensors")
    to = ["--to", "static-embedding"] if target == "static" else []
    with small_files(1000):
        result = run("convert", tmp_path / "in.safetensors", tmp_path / target, *to)
    failed(result, f"{tmp_path / target}: File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


@pytest.mark.parametrize("error", [MemoryError("no"), FormatError("no"), RuntimeError("no"), PermissionError(13, "no")])
def test_the_vectors_are_kept_after_any_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """Also if the next folder fails in the same way."""
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    save = WordVectors.save

    def fail(self: WordVectors, path: Path, format: str | None = None) -> None:
        if path.parent == tmp_path:
            raise error
        save(self, path, format)

    monkeypatch.setattr(WordVectors, "save", fail)
    context = np.full_like(MATRIX, 2)
    with pytest.raises(type(error)) as raised:
        cli_train._save_vectors(WordVectors(WORDS, MATRIX, context_vectors=context), tmp_path / "v.txt")
    assert raised.value is error
    assert capsys.readouterr().err == "the vectors were saved as v.txt.safetensors\n"
    np.testing.assert_array_equal(WordVectors.load("v.txt.safetensors").context_vectors, context)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits the length of paths")
def test_long_names_of_kept_vectors_are_printed_in_full(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may have 255 bytes. Messages of errors shorten long arguments."""
    output = tmp_path / ("folder" * 40) / f"{'벡' * 83}.bin"
    output.parent.mkdir()
    save = WordVectors.save

    def full(self: WordVectors, path: Any, format: str | None = None) -> None:
        if Path(path) == output:
            raise OSError(28, "No space left on device", str(path))
        save(self, path, format)

    monkeypatch.setattr(WordVectors, "save", full)
    result = run("train", small_text(tmp_path), "-o", output, *OPTIONS)
    failed(result, "...", "No space left on device")
    (kept,) = output.parent.iterdir()
    assert result.err.splitlines()[-2] == f"the vectors were saved as {kept}"
    assert len(WordVectors.load(kept)) == 9


def test_a_format_that_cannot_hold_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FormatError, match="cannot be written"):
        cli_train._save_vectors(WordVectors(["a\x85b", ""], MATRIX[:2]), tmp_path / "v.bin")
    kept = tmp_path / "v.bin.safetensors"
    assert capsys.readouterr().err == f"the vectors were saved as {kept}\n"
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    assert WordVectors.load(kept).index_to_key == ["a\x85b", ""]
