"""Formats of other programs and packed files, against the programs themselves where Python has them."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.formats import FormatError, binary, plain_text, read, write
from fastw2v.vectors import WordVectors

WORDS = ["</s>", "the", "naïve", "日本", "a\u00a0b", "x=1", "of"]
MATRIX = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def some_vectors(**rest: Any) -> WordVectors:
    return WordVectors(WORDS, MATRIX, **rest)


def assert_same(ours: WordVectors, words: list[Any], matrix: np.ndarray) -> None:
    assert ours.index_to_key == words
    assert ours.vectors.tobytes() == matrix.tobytes()


# Packed files


@pytest.mark.parametrize("name", ["x.bin", "x.txt", "x.vec", "x.glove"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    some_vectors().save(tmp_path / name)
    some_vectors().save(tmp_path / f"{name}.gz")
    packed = (tmp_path / f"{name}.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / name).read_bytes()
    assert_same(read(tmp_path / f"{name}.gz"), WORDS, MATRIX)
    some_vectors().save(tmp_path / f"{name}.gz")
    assert (tmp_path / f"{name}.gz").read_bytes() == packed  # equal vectors, equal bytes
    (tmp_path / name).write_bytes(packed)
    assert_same(read(tmp_path / name), WORDS, MATRIX)  # whatever the name says
    for length in range(2, len(packed)):
        (tmp_path / f"{name}.gz").write_bytes(packed[:length])
        with pytest.raises(FormatError, match="not a whole gzip file"):
            read(tmp_path / f"{name}.gz")


def test_gensim_reads_packed_files(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    for name in ("x.bin.gz", "x.txt.gz"):
        some_vectors().save(tmp_path / name)
        theirs = KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=".bin" in name)
        assert theirs.index_to_key == WORDS
        assert theirs.vectors.tobytes() == MATRIX.tobytes()


# Text, with and without a first line


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves the file open
def test_glove_files(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    lines = [f"{word} " + " ".join(f"{number:.6f}" for number in row) for word, row in zip(WORDS, MATRIX, strict=True)]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "glove.txt"), binary=False, no_header=True)
    for ours in (read(tmp_path / "glove.txt"), read(tmp_path / "glove.txt", format="glove")):
        assert_same(ours, theirs.index_to_key, theirs.vectors)
    (tmp_path / "x.glove").write_text("1 2 3\n4 5 6\n\n")
    assert_same(read(tmp_path / "x.glove"), ["1", "4"], np.array([[2, 3], [5, 6]], "f"))
    for text, message in [
        ("a 2 3\nb 5\n", r"line 2 .* 2 numbers"),
        ("a 2 3\nb 5 6", "without a newline"),
        ("a\nb\n", "not a word and numbers"),
    ]:
        (tmp_path / "x.glove").write_text(text)
        with pytest.raises(FormatError, match=message):
            read(tmp_path / "x.glove")


def test_no_first_line_is_taken_for_another(tmp_path: Path) -> None:
    """A header whose numbers are damaged must not pass for the first row of a file without one."""
    for header in (b"2 2 2", b"2.0 2", b"2 2.0 x", b"-2 2"):
        (tmp_path / "x.txt").write_bytes(header + b"\na 1.0 2.0\nb 3.0 4.0\n")
        with pytest.raises(FormatError):
            read(tmp_path / "x.txt")


@pytest.mark.parametrize("chunk", [1, 40, 200])
def test_text_does_not_depend_on_the_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    some_vectors().save(tmp_path / "x.txt")
    monkeypatch.setattr(plain_text, "_CHUNK", chunk)
    assert_same(read(tmp_path / "x.txt"), WORDS, MATRIX)
    for limit in (1, 3, 7, 9):
        assert_same(read(tmp_path / "x.txt", limit=limit), WORDS[:limit], MATRIX[:limit])
    text = (tmp_path / "x.txt").read_bytes().replace(b"\nx=1 ", b"\nx=1 z ")
    (tmp_path / "x.txt").write_bytes(text.replace(b"\n", b" \t\r\n"))
    assert_same(read(tmp_path / "x.txt"), [*WORDS[:5], "x=1 z", "of"], MATRIX)
    (tmp_path / "x.txt").write_bytes(text.replace(b"\nof ", b"\nof 1.5 "))
    with pytest.raises(FormatError, match=r"line 8 is b.of 1\.5"):
        read(tmp_path / "x.txt")
    (tmp_path / "x.txt").write_bytes(text.replace(b"\n", b" " * 30 + b"\n", 3))
    assert len(read(tmp_path / "x.txt")) == 7


@pytest.mark.parametrize("window", [1, 40, 200])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary_does_not_depend_on_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, end: bytes
) -> None:
    """Nor on how a row, or a word longer than a window, lies in it."""
    monkeypatch.setattr(binary, "_WINDOW", window)
    words = [*WORDS[:4], "x" * 500, *WORDS[5:]]
    rows = [word.encode() + b" " + row.tobytes() + end for word, row in zip(words, MATRIX, strict=True)]
    path = tmp_path / "x.bin"
    path.write_bytes(b"7 3\n" + b"".join(rows))
    assert_same(read(path), words, MATRIX)
    for limit in (1, 3, 7, 9):
        assert_same(read(path, limit=limit), words[:limit], MATRIX[:limit])
    path.write_bytes(b"7 3\n" + b"".join(rows)[:-2])
    with pytest.raises(FormatError, match=r"row 7 of 7 .* cut short"):
        read(path)
    path.write_bytes(b"7 3\n" + b"".join(rows[:3]) + b"x" * 900)
    with pytest.raises(FormatError, match=r"row 4 of 7 .* cut short"):
        read(path)
    path.write_bytes(b"1 3\n" + b"x" * 900)
    with pytest.raises(FormatError, match=r"row 1 of 1 .* cut short"):
        read(path)
    path.write_bytes(b"7 3\n" + b"".join([*rows[:3], b"z" + rows[3], b"\n" + rows[4], *rows[5:]]))
    place = 4 + sum(map(len, rows[:4])) + 1
    with pytest.raises(FormatError, match=rf"row 5 of 7, at byte {place:,}, .* no word"):
        read(path)


def test_more_dimensions_than_can_be_read(tmp_path: Path) -> None:
    with (tmp_path / "x.bin").open("wb") as file:
        file.write(b"1 600000000\na ")
        file.truncate(2_400_000_100)  # a hole, which takes no room
    with pytest.raises(FormatError, match="600000000 dimensions; at most 536,870,911"):
        read(tmp_path / "x.bin")


def test_only_the_first_words(tmp_path: Path) -> None:
    for name in ("x.bin", "x.txt.gz", "x.safetensors", "x.npz", "x.tsv"):
        some_vectors().save(tmp_path / name)
        assert_same(read(tmp_path / name, limit=2), WORDS[:2], MATRIX[:2])
        assert_same(read(tmp_path / name, limit=99), WORDS, MATRIX)
        with pytest.raises(ValueError, match="limit is 0"):
            read(tmp_path / name, limit=0)


DIGITS = st.text("0123456789", min_size=1, max_size=12)
NUMBERS = st.one_of(
    st.builds("{}{}.{}{}".format, st.sampled_from(["", "-"]), DIGITS, DIGITS, st.sampled_from(["", "e-05", "e-12"])),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), st.sampled_from("0123456789"), DIGITS),
    st.floats(width=32).map(lambda value: str(np.float32(value))),
    st.sampled_from(["1", "-0", "0.0", "-0.0", "1e3", "1E-3", ".5", "5.", "nan", "-inf", "0.00000000000001", "1e-45"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_are_what_python_makes_of_them(numbers: list[str]) -> None:
    with np.errstate(over="ignore"):
        expected = np.array([float(number) for number in numbers]).astype(np.float32)
    if np.isinf(expected[[("inf" not in number) for number in numbers]]).any():
        return
    _, matrix = plain_text.parse_rows(("w " + " ".join(numbers) + "\n").encode(), len(numbers))
    assert matrix.shape == (1, len(numbers))
    assert (matrix[0].view("u4") == expected.view("u4")).all()


@pytest.mark.parametrize(
    "number", ["", "x", "1_0", "1e", "--1", "1.2.3", "0x10", "1,5", "1e39", "1e999", "1.5\t", "e-05", "1.e-x5"]
)
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(IndexError):
        plain_text.parse_rows(f"w 0.5 {number} 0.5\n".encode(), 3)


def test_millions_of_numbers_as_python(tmp_path: Path) -> None:
    """Of every size, as different programs write them."""
    rng = np.random.default_rng(1)
    matrix = (rng.normal(size=(400, 50)) * 10.0 ** rng.uniform(-9, 3, size=(400, 50))).astype(np.float32)
    for form in ("{}", "{:.6f}", "{:.5g}", "{:.9e}", "{:.17f}"):
        rows = [[form.format(number) for number in row] for row in matrix]
        text = "".join(f"w{i} " + " ".join(row) + " \n" for i, row in enumerate(rows))
        (tmp_path / "x.vec").write_text("400 50\n" + text)
        expected = np.array([[float(number) for number in row] for row in rows]).astype(np.float32)
        assert read(tmp_path / "x.vec").vectors.tobytes() == expected.tobytes()


# fastText


@pytest.mark.parametrize(("shortest", "longest", "bucket"), [(3, 6, 500), (1, 2, 7), (2, 9, 1000), (0, 0, 1)])
def test_fasttext_models_as_gensim_reads_them(tmp_path: Path, shortest: int, longest: int, bucket: int) -> None:
    from gensim.models.fasttext import FastText, load_facebook_vectors, save_facebook_model

    texts = [["the", "naïve", "日本語", "the", "x", "été", "naïveté"]] * 20
    model = FastText(
        texts, vector_size=5, min_count=1, min_n=shortest, max_n=longest, bucket=bucket, epochs=1, workers=1
    )
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    theirs, ours = load_facebook_vectors(str(path)), read(path)
    assert ours.index_to_key == theirs.index_to_key
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-5, atol=1e-7)
    assert [ours.get_vecattr(word, "count") for word in ours] == [theirs.get_vecattr(word, "count") for word in ours]
    assert_same(read(path, limit=2), ours.index_to_key[:2], ours.vectors[:2])
    whole = path.read_bytes()
    for length in (*range(4, 400), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match="fastText model, but not one that can be read"):
            read(path)
    path.write_bytes(whole[:4] + b"\x63" + whole[5:])
    with pytest.raises(FormatError, match="version 99"):
        read(path)


# gensim's own


def keyed_vectors(words: list[Any]) -> Any:
    from gensim.models import KeyedVectors

    peer = KeyedVectors(3)
    peer.add_vectors(words, MATRIX)
    for i, word in enumerate(words):
        peer.set_vecattr(word, "count", 10 - i)
    return peer


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("sep_limit", [10 * 1024**2, 0])
def test_gensims_keyed_vectors(tmp_path: Path, sep_limit: int, protocol: int) -> None:
    path = tmp_path / "x.kv"
    keyed_vectors(WORDS).save(str(path), sep_limit=sep_limit, pickle_protocol=protocol)
    assert (tmp_path / "x.kv.vectors.npy").exists() == (sep_limit == 0)
    ours = read(path)
    assert_same(ours, WORDS, MATRIX)
    if sep_limit:  # else gensim's own way of keeping the counts varies
        assert ours.counts.tolist() == list(range(10, 3, -1))
    assert_same(WordVectors.load(path)[:2], WORDS[:2], MATRIX[:2])


def test_gensims_integer_keys(tmp_path: Path) -> None:
    keyed_vectors([5, 0, 3, 1000, 2, 1, 9]).save(str(tmp_path / "x.kv"))
    assert_same(read(tmp_path / "x.kv"), [5, 0, 3, 1000, 2, 1, 9], MATRIX)


def test_gensims_models(tmp_path: Path) -> None:
    from gensim.models import Word2Vec

    model = Word2Vec([["a", "b", "c", "b"]] * 30, vector_size=4, min_count=1, epochs=1, workers=1)
    for sep_limit in (0, 10 * 1024**2):
        model.save(str(tmp_path / "x.model"), sep_limit=sep_limit)
        ours = read(tmp_path / "x.model", format="gensim")
        assert_same(ours, model.wv.index_to_key, model.wv.vectors)


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_gensims_files_run_nothing(tmp_path: Path) -> None:
    peer, marker = keyed_vectors(WORDS), tmp_path / "marker"
    for name, evil in [
        ("vectors", Calls(os.system, f"touch {marker}")),
        ("index_to_key", Calls(eval, f"open({str(marker)!r}, 'w')")),
        ("more", Calls(np.load, str(marker))),
    ]:
        state = {**peer.__dict__, name: evil}
        clone = keyed_vectors(WORDS)
        clone.__dict__ = state
        for protocol in (0, 2, 4):
            (tmp_path / "x.kv").write_bytes(pickle.dumps(clone, protocol))
            with pytest.raises(FormatError, match="refused"):
                read(tmp_path / "x.kv")
    assert not marker.exists()
    for other in ({}, [1], WORDS, None, MATRIX):
        (tmp_path / "x.kv").write_bytes(pickle.dumps(other))
        with pytest.raises(FormatError, match="not gensim's KeyedVectors"):
            read(tmp_path / "x.kv")


def test_gensims_files_with_parts_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.kv"
    keyed_vectors(WORDS).save(str(path), sep_limit=0)
    beside = tmp_path / "x.kv.vectors.npy"
    beside.write_bytes(beside.read_bytes()[:-1])
    with pytest.raises(FormatError, match="refused"):
        read(path)
    np.save(beside, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="refused"):
        read(path)
    beside.unlink()
    with pytest.raises(FormatError, match=r"should be in .*x\.kv\.vectors\.npy, which is not there"):
        read(path)


# safetensors is mapped


def test_safetensors_is_mapped_and_its_words_wait(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    some_vectors(counts=range(7), context_vectors=MATRIX + 1).save(path)
    back = read(path)
    assert "index_to_key" not in back.__dict__
    assert not back.vectors.flags.writeable
    assert not back.vectors.flags.owndata
    assert back.most_similar("the", topn=1) == some_vectors().most_similar("the", topn=1)
    again = pickle.loads(pickle.dumps(read(path)))
    assert_same(again, WORDS, MATRIX)
    back.save(path)  # over the file that is mapped
    assert_same(back, WORDS, MATRIX)
    assert_same(read(path), WORDS, MATRIX)


@pytest.mark.parametrize("name", ["x.safetensors", "x.npz"])
def test_integer_words_stay_integers(tmp_path: Path, name: str) -> None:
    nodes = [5, 0, -3, 10**17, 2, 1, 9]
    WordVectors(nodes, MATRIX).save(tmp_path / name)
    assert_same(read(tmp_path / name), nodes, MATRIX)


def test_integer_words_become_digits_elsewhere(tmp_path: Path) -> None:
    for name in ("x.bin", "x.txt", "x.tsv"):
        WordVectors([5, 0, 3], MATRIX[:3]).save(tmp_path / name)
        assert_same(read(tmp_path / name), ["5", "0", "3"], MATRIX[:3])


# NumPy's archive


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npz_keeps_everything(tmp_path: Path, dtype: str) -> None:
    matrix = np.asfortranarray(MATRIX.astype(dtype))
    vectors = WordVectors([*WORDS[:-1], ""], matrix, range(7), matrix + 1, {"window": 5, "é": None})
    vectors.save(tmp_path / "x.npz")
    back = read(tmp_path / "x.npz")
    assert_same(back, [*WORDS[:-1], ""], matrix)
    assert back.vectors.dtype == dtype
    assert back.context_vectors.tolist() == (matrix + 1).tolist()
    assert back.counts.tolist() == list(range(7))
    assert back.settings == {"window": 5, "é": None}
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert archive["vectors"].tolist() == matrix.tolist()
    plain = WordVectors(WORDS, MATRIX)
    plain.save(tmp_path / "x.npz")
    back = read(tmp_path / "x.npz")
    assert (back.counts, back.context_vectors, back.settings) == (None, None, None)


def test_npz_of_another_kind(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=MATRIX)
    with pytest.raises(FormatError, match="has no word_offsets and no words"):
        read(tmp_path / "x.npz")
    offsets = np.arange(8)
    np.savez(tmp_path / "x.npz", vectors=MATRIX, words=np.array(WORDS), word_offsets=offsets)
    with pytest.raises(FormatError, match="not of bytes"):
        read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", vectors=np.array([None]), words=np.zeros(7, "u1"), word_offsets=offsets)
    with pytest.raises(FormatError, match="not a whole NumPy archive"):
        read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", vectors=MATRIX, words=np.full(7, 97, "u1"), word_offsets=offsets)
    with pytest.raises(FormatError, match="occurs twice"):
        read(tmp_path / "x.npz")
    # An array that claims a size which the archive cannot hold.
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 300)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("vectors", "words", "word_offsets"):
            archive.writestr(f"{name}.npy", buffer.getvalue())
    with pytest.raises(FormatError, match="claims to be"):
        read(tmp_path / "x.npz")


# TensorBoard's Projector


def test_projector_files(tmp_path: Path) -> None:
    words, matrix = ["new york", "é"], np.array([[1, -0.5], [0.1, 3e20]], dtype=np.float32)
    WordVectors(words, matrix).save(tmp_path / "x.tsv")
    assert (tmp_path / "x.tsv").read_text() == "1.0\t-0.5\n0.1\t3e+20\n"
    assert (tmp_path / "x.metadata.tsv").read_text(encoding="utf-8") == "new york\né\n"
    assert_same(read(tmp_path / "x.tsv"), words, matrix)
    WordVectors(words, matrix, [3, 2]).save(tmp_path / "x.tsv")
    assert (tmp_path / "x.metadata.tsv").read_text(encoding="utf-8") == "word\tcount\nnew york\t3\né\t2\n"
    back = read(tmp_path / "x.tsv")
    assert_same(back, words, matrix)
    assert back.counts.tolist() == [3, 2]
    for word in ("a\tb", "a\nb", "", "a\rb"):
        with pytest.raises(FormatError, match="cannot be written"):
            WordVectors([word], matrix[:1]).save(tmp_path / "y.tsv")
    assert not (tmp_path / "y.tsv").exists()
    (tmp_path / "x.metadata.tsv").write_text("a\n")
    with pytest.raises(FormatError, match="2 rows, but there are 1 words"):
        read(tmp_path / "x.tsv")
    (tmp_path / "x.metadata.tsv").unlink()
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "x.tsv")


# StaticEmbedding


def test_static_embedding_folders(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    words = ["the", "naïve", "日本"]
    folder = tmp_path / "static"
    write(WordVectors(words, MATRIX[:3]), folder, format="static-embedding")
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "config_sentence_transformers.json",
    }
    weights = load_file(folder / "model.safetensors")["embedding.weight"]
    assert weights.tolist() == [*MATRIX[:3].tolist(), [0, 0, 0]]
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    assert model == {"type": "WordLevel", "vocab": {"the": 0, "naïve": 1, "日本": 2, "[UNK]": 3}, "unk_token": "[UNK]"}
    (module,) = json.loads((folder / "modules.json").read_text())
    assert module["type"] == "sentence_transformers.models.StaticEmbedding"
    assert_same(read(folder), words, MATRIX[:3])
    with pytest.raises(FileExistsError, match="new folder"):
        write(some_vectors(), folder, format="static-embedding")
    with pytest.raises(FormatError, match="cannot be written"):
        write(some_vectors(), tmp_path / "other", format="static-embedding")  # a no-break space splits
    with pytest.raises(FormatError, match="means unknown words"):
        write(WordVectors(["[UNK]"], MATRIX[:1]), tmp_path / "other", format="static-embedding")
    assert [path.name for path in tmp_path.iterdir()] == ["static"]
    save_file({"embeddings": MATRIX[:4]}, folder / "model.safetensors")  # the other name in use
    assert_same(read(folder), [*words, "[UNK]"], MATRIX[:4])
    save_file({"weights": MATRIX[:4]}, folder / "model.safetensors")
    with pytest.raises(FormatError, match=r"has no embedding\.weight"):
        read(folder)


@pytest.mark.filterwarnings("ignore")  # of the libraries themselves
def test_sentence_transformers_opens_the_folder(tmp_path: Path) -> None:
    peer = pytest.importorskip("sentence_transformers")
    words = ["the", "naïve", "日本"]
    ours = WordVectors(words, MATRIX[:3])
    write(ours, tmp_path / "static", format="static-embedding")
    model = peer.SentenceTransformer(str(tmp_path / "static"), device="cpu")
    assert model.encode(words).tobytes() == MATRIX[:3].tobytes()
    expected = np.stack([(MATRIX[0] + MATRIX[2]) / 2, MATRIX[1] / 2])  # a word that is not there counts as zeros
    np.testing.assert_allclose(model.encode(["the 日本", "naïve nowhere"]), expected, rtol=1e-6)
    model.save(str(tmp_path / "again"))
    assert_same(read(tmp_path / "again"), words, MATRIX[:3])


def test_fasttext_starts_from_our_vectors(tmp_path: Path) -> None:
    peer = pytest.importorskip("fasttext")
    some_vectors().save(tmp_path / "x.vec")
    words = [word for word in WORDS if not word[:1].isspace() and "\u00a0" not in word and word != "</s>"]
    (tmp_path / "corpus.txt").write_text(" ".join(words * 20) + "\n", encoding="utf-8")
    options = {
        "dim": 3,
        "minCount": 1,
        "minn": 0,
        "maxn": 0,
        "bucket": 0,
        "epoch": 1,
        "thread": 1,
        "t": 1,
        "verbose": 0,
    }
    model = peer.train_unsupervised(
        str(tmp_path / "corpus.txt"), lr=0.0, pretrainedVectors=str(tmp_path / "x.vec"), **options
    )
    for word in words:
        assert model.get_word_vector(word).tobytes() == some_vectors()[word].tobytes()
    model.save_model(str(tmp_path / "model.bin"))
    again = read(tmp_path / "model.bin")
    assert again.index_to_key == model.words
    assert all(again[word].tobytes() == model.get_word_vector(word).tobytes() for word in words)
