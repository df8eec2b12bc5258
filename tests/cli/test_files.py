"""fastw2v info, convert and align."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec
from fastw2v.config import Units
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.vectors import WordVectors
from tests.cli.helpers import failed


def test_info(run: Any, file: Path):
    result = run("info", file)
    assert result.status == 0
    for part in (str(file), "3, float32", "sun moon soup bread", "yes, 21 in total"):
        assert part in result.out


@pytest.mark.parametrize("command", [["info"], ["most-similar", "x"], ["evaluate"], ["convert", "out.bin"]])
def test_vector_files_that_are_missing_or_broken(run: Any, tmp_path: Path, command: list[str]):
    name, *rest = command
    rest = [str(tmp_path / word) if "." in word else word for word in rest]
    failed(run(name, tmp_path / "nowhere.bin", *rest), "nowhere.bin")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"3 2\nsun ")
    failed(run(name, broken, *rest), "broken.bin")
    failed(run(name, tmp_path / "vectors.xyz", *rest), "vectors.xyz")
    assert not (tmp_path / "out.bin").exists()


def test_convert(run: Any, file: Path, tmp_path: Path):
    target = tmp_path / "vectors.txt"
    result = run("convert", file, target)
    assert result.status == 0
    assert "6 words, 3 dimensions" in result.out
    np.testing.assert_array_equal(WordVectors.load(target).vectors, WordVectors.load(file).vectors)
    failed(run("convert", file, tmp_path / "vectors.xyz"), "vectors.xyz")
    failed(run("convert", file, tmp_path / "vectors.kv"), "vectors.kv", "can only be read")
    folder = tmp_path / "static"
    assert run("convert", file, folder, "--to", "static-embedding").status == 0
    assert "6 words, 3 dimensions" in run("convert", folder, tmp_path / "again.npz").out
    failed(run("convert", file, folder, "--to", "static-embedding"), "exists")


def test_convert_to_a_smaller_type(run: Any, file: Path, tmp_path: Path):
    for dtype in ("float16", "int8"):
        target = tmp_path / f"{dtype}.safetensors"
        assert run("convert", file, target, "--dtype", dtype).status == 0
        assert f", {dtype}" in run("info", target).out
        assert json.loads(run("info", target, "--json").out)["dtype"] == dtype
        expected, found = WordVectors.load(file), WordVectors.load(target)
        np.testing.assert_allclose(found.vectors, expected.vectors, atol=np.abs(expected.vectors).max() / 200)
        word = found.index_to_key[0]
        assert run("most-similar", target, word).out.split()[1] == run("most-similar", file, word).out.split()[1]
    back = run("convert", target, tmp_path / "back.safetensors", "--dtype", "float32")
    assert (back.status, back.err) == (0, "")
    assert WordVectors.load(tmp_path / "back.safetensors").vectors.dtype == np.float32
    failed(run("convert", file, tmp_path / "x.bin", "--dtype", "float16"), "bin files store float32", "omit the dtype")


def test_convert_says_what_it_leaves_out(run: Any, tmp_path: Path):
    model = Word2Vec(vector_size=4, min_count=1, epochs=1).fit([["a", "b", "c"]] * 20)
    model.save(tmp_path / "model.safetensors")
    result = run("convert", tmp_path / "model.safetensors", tmp_path / "x.safetensors", "--dtype", "int8")
    assert result.err.strip() == "left out context_vectors and input_vectors, which only training needs"
    result = run("convert", tmp_path / "model.safetensors", tmp_path / "y.safetensors", "--dtype", "float16")
    assert result.err == ""


def test_convert_reads_duplicates_and_other_encodings(run: Any, tmp_path: Path):
    source, target = tmp_path / "in.txt", tmp_path / "out.safetensors"
    source.write_bytes("3 1\n고양이 1\n강아지 2\n고양이 3\n".encode("cp949"))
    failed(run("convert", source, target), "in.txt", "is not UTF-8", "--encoding cp949", "--errors surrogateescape")
    failed(run("convert", source, target, "--encoding", "cp949"), "occurs twice", "--duplicates first")
    failed(run("convert", source, target, "--encoding", "nothing"), "nothing", "cp949")
    result = run("convert", source, target, "--encoding", "cp949", "--duplicates", "first")
    assert result.status == 0, result.err
    assert "left out 1 of 3 rows" in result.err
    vectors = WordVectors.load(target)
    assert (vectors.index_to_key, vectors.vectors.tolist()) == (["고양이", "강아지"], [[1.0], [2.0]])
    result = run("convert", source, target, "--errors", "surrogateescape", "--duplicates", "first")
    assert result.status == 0, result.err
    assert len(WordVectors.load(target)) == 2


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_convert_compresses_by_suffix(run: Any, file: Path, tmp_path: Path, suffix: str):
    target = tmp_path / f"vectors.vec{suffix}"
    assert run("convert", file, target).status == 0
    assert WordVectors.load(target).index_to_key == WordVectors.load(file).index_to_key
    failed(run("convert", file, tmp_path / f"vectors.npz{suffix}"), "npz files cannot be compressed")
    failed(run("convert", file, tmp_path / f"vectors{suffix}"), "unknown suffix")


def test_messages_name_the_options_of_the_shell(run: Any, file: Path, tmp_path: Path):
    written = (["convert", file], "--to"), (["align", file, file, "-o"], "fastw2v convert --to")
    for command, option in written:
        for suffix in (".csv", ""):
            failed(run(*command, tmp_path / f"x{suffix}"), "unknown suffix", f"use {option} NAME")
        failed(run(*command, tmp_path / "x.tar.gz"), ".tar files are not written", "such as x.txt.gz")
    odd = tmp_path / "odd.csv"
    odd.write_bytes(b"1 2 3 4\n" * 9)
    failed(run("info", odd), "unknown suffix", "use fastw2v convert --from NAME")
    failed(run("info", tmp_path), "is a folder, but not a StaticEmbedding; pass the path of a file")
    assert run("convert", file, tmp_path / "x.bin").status == 0
    converted = run("convert", tmp_path / "x.bin", tmp_path / "x.txt", "--from", "txt")
    assert converted.err.rstrip().endswith("is read as such; use --from bin")
    failed(run("train", tmp_path / "x.txt", "-o", tmp_path / "y.bin"), "not text", "set --init to them")


def with_subwords(path: Path, units: Units = "characters") -> WordVectors:
    words = ["cat", "cats", "dog"]
    subwords = Subwords(words, NGrams(3, 6, 1000, units=units))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    vectors = WordVectors(words, None, [3, 2, 1], input_vectors=W_in, subwords=subwords)
    vectors.save(path)
    return vectors


def test_subwords_are_kept_and_shown(run: Any, tmp_path: Path):
    vectors = with_subwords(tmp_path / "x.safetensors")
    result = run("convert", tmp_path / "x.safetensors", tmp_path / "x.bin")
    said = "is a fastText model, because the vectors have subwords; convert --to bin writes word2vec's format"
    assert said in result.err
    assert (tmp_path / "x.bin").read_bytes()[:4] == (793712314).to_bytes(4, "little")
    result = run("convert", tmp_path / "x.bin", tmp_path / "y.bin", "--to", "bin")
    assert "fastText" not in result.err
    assert (tmp_path / "y.bin").read_bytes().startswith(b"3 6\n")
    assert run("convert", tmp_path / "x.bin", tmp_path / "y.model", "--to", "fasttext").status == 0
    assert (tmp_path / "y.model").read_bytes() == (tmp_path / "x.bin").read_bytes()
    back = WordVectors.load(tmp_path / "y.model", format="fasttext")
    np.testing.assert_allclose(back["catss"], vectors["catss"], atol=1e-6)
    for name, rows in (("x.safetensors", vectors.subwords.n_rows), ("x.bin", 1003)):  # type: ignore[union-attr]
        shown = run("info", tmp_path / name).out
        assert f"3 to 6 characters, {rows:,} rows, 1,000 buckets of fastText's hash" in shown
    assert "minCount         5" in shown
    found = json.loads(run("info", tmp_path / "x.bin", "--json").out)["subwords"]
    assert found == {"min_n": 3, "max_n": 6, "bucket": 1000, "hash_count": None, "units": "characters"}


def test_ngrams_of_jamo(run: Any, tmp_path: Path):
    vectors = with_subwords(tmp_path / "x.safetensors", "jamo")
    assert "3 to 6 jamo, " in run("info", tmp_path / "x.safetensors").out
    assert json.loads(run("info", tmp_path / "x.safetensors", "--json").out)["subwords"]["units"] == "jamo"
    cannot = "models of fastText and tables of floret cannot store n-grams of jamo; write .safetensors"
    for name, more in (("y.bin", ()), ("y.bin.gz", ()), ("y.floret", ()), ("y", ("--to", "fasttext"))):
        failed(run("convert", tmp_path / "x.safetensors", tmp_path / name, *more), cannot)
        assert not (tmp_path / name).exists()
    for name, more in (("y.bin", ("--to", "bin")), ("y.txt", ()), ("y.npz", ())):
        assert run("convert", tmp_path / "x.safetensors", tmp_path / name, *more).status == 0
        np.testing.assert_allclose(WordVectors.load(tmp_path / name).vectors, vectors.vectors, atol=1e-6)


def test_words_outside_the_vocabulary_are_noted(run: Any, tmp_path: Path):
    with_subwords(tmp_path / "x.bin")
    result = run("most-similar", tmp_path / "x.bin", "cat", "catty")
    assert result.status == 0
    assert "not in the vocabulary, so compared by their n-grams: 'catty'" in result.err
    assert "n-grams" not in run("most-similar", tmp_path / "x.bin", "cat").err
    result = run("analogy", tmp_path / "x.bin", "cat", "catty", "dogs")
    assert result.err.count("'catty', 'dogs'") == 1
    failed(run("most-similar", tmp_path / "x.bin", ""), "'' is not in the vocabulary")


def test_inputs_that_are_no_vectors_are_named(run: Any, tmp_path: Path):
    text = tmp_path / "corpus.txt"
    text.write_text("the cat sat on the mat\n" * 3)
    for command in (["info", text], ["most-similar", text, "cat"], ["convert", text, tmp_path / "x.bin"]):
        failed(run(*command), "corpus.txt: this is text without vectors", "fastw2v train")
    (tmp_path / "twice.txt").write_text("2 1\ncat 1\ncat 2\n")
    failed(run("info", tmp_path / "twice.txt"), "'cat' occurs twice", "fastw2v convert --duplicates first")


def test_convert_takes_a_format_by_name(run: Any, file: Path, tmp_path: Path):
    from gensim.models import KeyedVectors

    vectors = WordVectors.load(file)
    theirs = KeyedVectors(3)
    theirs.add_vectors(list(vectors), vectors.vectors)
    theirs.save(str(tmp_path / "theirs.model"))
    result = run("convert", tmp_path / "theirs.model", tmp_path / "ours", "--from", "gensim", "--to", "bin")
    assert result.status == 0, result.err
    np.testing.assert_array_equal(WordVectors.load(tmp_path / "ours", format="bin").vectors, vectors.vectors)


def test_align_turns_one_training_onto_another(run: Any, tmp_path: Path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 3)).astype(np.float32)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0].astype(np.float32)
    words = ["sun", "moon", "soup", "bread", "oil", "salt"]
    WordVectors(words, rows).save(tmp_path / "new.bin")
    WordVectors(words[:5], rows[:5] @ rotation).save(tmp_path / "old.bin")
    target = tmp_path / "turned.bin"
    shown = json.loads(run("align", tmp_path / "old.bin", tmp_path / "new.bin", "-o", target, "--json").out)
    assert shown["common_words"] == 5
    assert shown["mean_cosine"] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(WordVectors.load(target).vectors, rows[:5], atol=1e-5)
    (tmp_path / "anchors").write_text("sun moon soap")
    command = ["align", tmp_path / "old.bin", tmp_path / "new.bin", "-o", target]
    failed(run(*command, "--words", tmp_path / "anchors"), "'soap'")
    assert "mean cosine: 1.000" in run(*command).out
    WordVectors(words, rows[:, :2]).save(tmp_path / "flat.bin")
    failed(run("align", tmp_path / "old.bin", tmp_path / "flat.bin", "-o", target), "3 dimensions", "2")


@pytest.mark.parametrize("name", ["vectors.safetensors", "other.txt", "words.txt"])
def test_align_does_not_overwrite_what_it_reads(run: Any, file: Path, tmp_path: Path, name: str):
    other, words = tmp_path / "other.txt", tmp_path / "words.txt"
    vectors = WordVectors.load(file)
    vectors.save(other)
    words.write_text(" ".join(vectors))
    before = {path: path.read_bytes() for path in (file, other, words)}
    result = run("align", file, other, "--words", words, "--output", tmp_path / name)
    failed(result, f"{tmp_path / name} is an input and would be overwritten; choose another name")
    assert {path: path.read_bytes() for path in before} == before


def test_convert_does_not_overwrite_what_it_reads(run: Any, file: Path):
    before = file.read_bytes()
    failed(run("convert", file, file), f"{file} is an input and would be overwritten; choose another name")
    assert file.read_bytes() == before
