"""fastText's models, compared with gensim and fastText, which read ours and write theirs."""

from __future__ import annotations

import struct
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from fastw2v.corpus.subwords import NGrams, Subwords, ngram_buckets
from fastw2v.formats import FormatError, read
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import WORDS, assert_same, some_vectors
from tests.formats.test_fuzz import EDITS, check, damaged

VOCABULARY = ["the", "naïve", "한국어", "😀", "x", "été", "日本語の", "don't", "naïveté", "a1"]
ENGLISH = "one and of learning language model vector word subword character window training corpus random"
STEMS = ENGLISH.split()
SUFFIXES = ("s", "ing", "한", "é", "ed", "😀x", "日本", "ly")
SEEN = [*VOCABULARY, *STEMS, *(stem + suffix for stem in STEMS[:10] for suffix in SUFFIXES)]
OTHERS = ("ness", "한국", "🙂", "s'", "일본어", "ize", "éé", "qqq", "o", "0")
UNSEEN = [stem + suffix for stem in STEMS[:10] for suffix in OTHERS]
# With fewer than 10 threads, fastText leaves a part of W_in uninitialised.
THREADS = {"thread": 12}
LARGE = NGrams(3, 6, 3000)


def ours(ngrams: NGrams | None = LARGE, n_dims: int = 6, **rest: Any) -> WordVectors:
    """Return vectors with subwords, or without."""
    rng = np.random.default_rng(0)
    counts = np.arange(len(SEEN), 0, -1) + 3
    if ngrams is None:
        return WordVectors(SEEN, rng.normal(size=(len(SEEN), n_dims)).astype(np.float32), counts, **rest)
    subwords = Subwords(SEEN, ngrams)
    W_in = rng.normal(size=(subwords.n_rows, n_dims)).astype(np.float32)
    return WordVectors(SEEN, None, counts, input_vectors=W_in, subwords=subwords, **rest)


def trained(folder: Path, groups: int = 1, **options: Any) -> Any:
    """Return a model that fastText trained. All words of a line are of the same group."""
    fasttext = pytest.importorskip("fasttext")
    rng = np.random.default_rng(1)
    lines = (" ".join(rng.choice(SEEN[i % groups :: groups], 12)) for i in range(400))
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"dim": 6, "minCount": 1, "bucket": 3000, "epoch": 2, "verbose": 0, "t": 1.0} | THREADS | options
    return fasttext.train_unsupervised(str(folder / "corpus.txt"), **options)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shortest", "longest", "bucket"), [(3, 6, 500), (1, 2, 7), (2, 9, 1000), (0, 0, 1)])
def test_fasttext_models_as_gensim_reads_them(tmp_path: Path, shortest: int, longest: int, bucket: int) -> None:
    from gensim.models.fasttext import FastText, load_facebook_vectors, save_facebook_model

    texts = [["the", "naïve", "日本語", "the", "x", "été", "naïveté"]] * 20
    model = FastText(
        texts, vector_size=6, min_count=1, min_n=shortest, max_n=longest, bucket=bucket, epochs=1, workers=1
    )
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    theirs, ours = load_facebook_vectors(str(path)), WordVectors.load(path)
    assert ours.index_to_key == theirs.index_to_key
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-5, atol=1e-7)
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in ours]
    assert ours.has_subwords == (longest > 0)
    np.testing.assert_array_equal(ours.context_vectors, model.syn1neg)
    if longest:
        for word in ("naïv", "日本", "unseen"):
            close(ours[word], theirs[word])
    first = WordVectors.load(path, limit=2)
    assert_same(first, ours.index_to_key[:2], ours.vectors[:2])
    whole = path.read_bytes()
    for length in (*range(4, 400), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(
            FormatError, match=r"cannot read this fastText model: .*(truncated|does not match)"
        ) as error:
            WordVectors.load(path)
        assert "unpack" not in str(error.value)
    path.write_bytes(whole[:4] + b"\x63" + whole[5:])
    with pytest.raises(FormatError, match="version 99"):
        WordVectors.load(path)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_models_of_fasttext(tmp_path: Path, model: str, loss: str) -> None:
    theirs = trained(tmp_path, model=model, loss=loss, ws=3, minn=2, maxn=4, t=0.5)
    path = tmp_path / "model.bin"
    theirs.save_model(str(path))
    record = read(path)
    assert record.vectors is None
    assert record.subwords is not None
    assert record.subwords.ngrams == NGrams(2, 4, 3000)
    assert record.settings["fasttext"] == {
        **{"dim": 6, "ws": 3, "epoch": 2, "minCount": 1, "neg": 5, "wordNgrams": 1, "loss": loss, "model": model},
        **{"bucket": 3000, "minn": 2, "maxn": 4, "lrUpdateRate": 100, "t": 0.5},
    }
    found = WordVectors.load(path)
    words, counts = theirs.get_words(include_freq=True)
    assert found.index_to_key == words
    assert found.counts.tolist() == counts.tolist()
    np.testing.assert_array_equal(found.input_vectors, theirs.get_input_matrix())
    for word in [*words, *UNSEEN]:
        close(found[word], theirs.get_word_vector(word))
        assert (
            theirs.get_subwords(word)[1].tolist()
            == (
                found.subwords.rows_of_word(words.index(word))
                if word in words
                else found.subwords.rows_of_unseen([word])[1]
            ).tolist()
        )
    close(found.vectors, [theirs.get_word_vector(word) for word in words])
    W_out = theirs.get_output_matrix()
    if loss == "ns":
        np.testing.assert_array_equal(found.context_vectors, W_out)
    else:
        assert found.context_vectors is None
    if loss == "hs":
        np.testing.assert_array_equal(found.node_vectors, -W_out)
    else:
        assert found.node_vectors is None


def test_the_tree_of_fasttext(tmp_path: Path) -> None:
    """The paths and codes are those of fastText's algorithm, and its vectors of inner nodes predict the words."""
    theirs = trained(tmp_path, model="skipgram", loss="hs", groups=10, epoch=60, lr=0.2, maxn=0)
    theirs.save_model(str(tmp_path / "model.bin"))
    wv = WordVectors.load(tmp_path / "model.bin")
    counts, V = wv.counts, len(wv)
    tree = HuffmanTree.from_counts(counts)
    parent, code, size = [-1] * (2 * V - 1), [0] * (2 * V - 1), [*counts.tolist(), *[10**15] * (V - 1)]
    leaf, node = V - 1, V
    for i in range(V, 2 * V - 1):  # as in fastText's loss.cc
        smallest = []
        for _ in range(2):
            if leaf >= 0 and size[leaf] < size[node]:
                smallest.append(leaf)
                leaf -= 1
            else:
                smallest.append(node)
                node += 1
        size[i] = size[smallest[0]] + size[smallest[1]]
        parent[smallest[0]] = parent[smallest[1]] = i
        code[smallest[1]] = 1
    for word in range(V):
        points, codes, at = [], [], word
        while parent[at] != -1:
            points.append(parent[at] - V)
            codes.append(code[at])
            at = parent[at]
        assert tree.path(word)[0].tolist() == points[::-1]
        assert tree.path(word)[1].tolist() == codes[::-1]
    group = np.array([SEEN.index(word) % 10 if word in SEEN else -1 for word in wv])
    losses = []
    for nodes in (wv.node_vectors, -wv.node_vectors):
        log_p = np.array([tree.log_probabilities(nodes @ wv.vectors[word]) for word in range(V)])
        losses.append(-log_p[(group[:, None] == group) & (group >= 0)].mean())
    assert losses[0] < 1.3 * np.log(10)  # a group has about 10 words
    assert losses[1] > np.log(100)


def test_no_subwords_and_supervised_models(tmp_path: Path) -> None:
    theirs = trained(tmp_path, maxn=0, bucket=0)
    theirs.save_model(str(tmp_path / "model.bin"))
    found = WordVectors.load(tmp_path / "model.bin")
    assert not found.has_subwords
    assert found.vectors.tobytes() == theirs.get_input_matrix().tobytes()
    fasttext = pytest.importorskip("fasttext")
    lines = (f"__label__{i % 3} " + " ".join(SEEN[i : i + 9]) for i in range(60))
    (tmp_path / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for maxn in (0, 4):
        theirs = fasttext.train_supervised(
            str(tmp_path / "labels.txt"), dim=6, minn=2, maxn=maxn, wordNgrams=2, bucket=500, verbose=0, **THREADS
        )
        theirs.save_model(str(tmp_path / "model.bin"))
        found = WordVectors.load(tmp_path / "model.bin")
        assert found.index_to_key == theirs.words
        assert found.context_vectors is None
        assert found.settings["fasttext"]["model"] == "supervised"
        assert found.has_subwords == (maxn > 0)
        for word in found:
            close(found[word], theirs.get_word_vector(word))


def test_quantised_models_are_refused(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    lines = (f"__label__{i % 3} " + " ".join(SEEN[i % 90 :][:9]) for i in range(900))
    (tmp_path / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"dim": 8, "minn": 2, "maxn": 3, "bucket": 1000, "verbose": 0} | THREADS
    theirs = fasttext.train_supervised(str(tmp_path / "labels.txt"), **options)
    theirs.quantize(dsub=2)
    theirs.save_model(str(tmp_path / "model.ftz"))
    with pytest.raises(FormatError, match="quantised and pruned models are not supported"):
        WordVectors.load(tmp_path / "model.ftz")


@pytest.mark.parametrize("ngrams", [LARGE, None])
def test_vectors_of_a_classifier_are_written_as_a_skip_gram_model(tmp_path: Path, ngrams: NGrams | None) -> None:
    """Their labels are not in the file, so fastText could not open it as a classifier."""
    vectors = ours(ngrams, settings={"fasttext": {"model": "supervised", "loss": "softmax", "ws": 7, "wordNgrams": 2}})
    vectors.save(tmp_path / "ours.bin", format="fasttext")
    found = WordVectors.load(tmp_path / "ours.bin")
    assert found.settings["fasttext"]["model"] == "skipgram"
    assert found.settings["fasttext"]["loss"] == "ns"
    assert found.settings["fasttext"]["ws"] == 7
    close(found.vectors, vectors.vectors)
    peer = pytest.importorskip("fasttext")
    theirs = peer.load_model(str(tmp_path / "ours.bin"))
    assert str(theirs.f.getArgs().model).endswith("skipgram")
    close(theirs.get_word_vector(SEEN[0]), vectors[SEEN[0]])


def test_memory_does_not_grow_with_the_number_of_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.formats.fasttext.BLOCK_BYTES", 1 << 16)
    vectors = ours(NGrams(3, 6, 4_000_000), n_dims=1)
    vectors.save(tmp_path / "warm.bin", format="fasttext")
    tracemalloc.start()
    vectors.save(tmp_path / "ours.bin", format="fasttext")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # one number for each bucket is at least 16 MB
    close(WordVectors.load(tmp_path / "ours.bin").vectors, vectors.vectors)


NGRAM_SETTINGS = [LARGE, NGrams(1, 3, 11), NGrams(2, 12, 50_000), None]


@pytest.mark.parametrize("ngrams", NGRAM_SETTINGS)
@pytest.mark.parametrize("loss", ["ns", "hs", None])
def test_fasttext_opens_ours(tmp_path: Path, ngrams: NGrams | None, loss: str | None) -> None:
    peer = pytest.importorskip("fasttext")
    W_out = np.random.default_rng(2).normal(size=(len(SEEN), 6)).astype(np.float32)
    outputs = {} if loss is None else {"context_vectors" if loss == "ns" else "node_vectors": W_out}
    trained_with = {
        "window": 7,
        "epochs": 3,
        "min_count": 2,
        "negative": 9,
        "sample": 0.5,
        "model": "cbow",
        "loss": "ns",
    }
    vectors = ours(ngrams, settings=trained_with, **outputs)
    path = tmp_path / "ours.bin"
    vectors.save(path, format="fasttext")
    theirs = peer.load_model(str(path))
    words, counts = theirs.get_words(include_freq=True)
    assert words == SEEN
    assert counts.tolist() == vectors.counts.tolist()
    assert len(SEEN) >= 90
    assert len(UNSEEN) == 100
    assert theirs.get_dimension() == 6
    for word in SEEN:
        close(theirs.get_word_vector(word), vectors[word])
    for word in UNSEEN if ngrams else ():
        close(theirs.get_word_vector(word), vectors[word])
        _, rows = theirs.get_subwords(word)
        assert (rows - len(SEEN)).tolist() == ngram_buckets([word], ngrams)[1].tolist()
    given = theirs.f.getArgs()
    assert (given.ws, given.epoch, given.minCount, given.neg, given.dim) == (7, 3, 2, 9, 6)
    assert (given.minn, given.maxn, given.bucket) == ((0, 0, 0) if ngrams is None else ngrams[:3])
    assert given.t == 0.5
    assert str(given.model).endswith("cbow")
    assert str(given.loss).endswith(loss or "ns")
    expected = np.zeros_like(W_out) if loss is None else W_out if loss == "ns" else -W_out
    np.testing.assert_array_equal(theirs.get_output_matrix(), expected)
    again = WordVectors.load(path)
    assert again.index_to_key == SEEN
    close(again.vectors, vectors.vectors)
    assert again.settings["fasttext"]["ws"] == 7
    if loss is not None:
        same = again.context_vectors if loss == "ns" else again.node_vectors
        np.testing.assert_array_equal(same, W_out)
    again.save(tmp_path / "again.bin", format="fasttext")
    assert ngrams is None or (tmp_path / "again.bin").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("ngrams", NGRAM_SETTINGS)
@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_gensim_opens_ours(tmp_path: Path, ngrams: NGrams | None, loss: str) -> None:
    from gensim.models.fasttext import load_facebook_model

    W_out = np.random.default_rng(2).normal(size=(len(SEEN), 6)).astype(np.float32)
    vectors = ours(ngrams, **{"context_vectors" if loss == "ns" else "node_vectors": W_out})
    vectors.save(tmp_path / "ours.bin", format="fasttext")
    theirs = load_facebook_model(str(tmp_path / "ours.bin"))
    assert theirs.wv.index_to_key == SEEN
    assert [theirs.wv.get_vecattr(word, "count") for word in SEEN] == vectors.counts.tolist()
    for word in [*SEEN, *(UNSEEN if ngrams else ())]:
        close(theirs.wv[word], vectors[word])
    if loss == "ns":
        np.testing.assert_array_equal(theirs.syn1neg, W_out)
    if ngrams is not None:
        assert (theirs.wv.min_n, theirs.wv.max_n, theirs.wv.bucket) == ngrams[:3]
        theirs.train([SEEN[:10]] * 5, total_examples=5, epochs=1)


def test_the_suffix_and_the_format(tmp_path: Path) -> None:
    vectors, path = ours(), tmp_path / "x.bin"
    vectors.save(path)
    assert path.read_bytes()[:4] == struct.pack("<i", 793712314)
    vectors.save(path, format="bin")
    assert path.read_bytes().startswith(b"%d 6\n" % len(SEEN))
    assert not WordVectors.load(path).has_subwords
    ours(None).save(path)
    assert path.read_bytes().startswith(b"%d 6\n" % len(SEEN))
    for name in ("x.bin.gz", "x.model.xz"):
        vectors.save(tmp_path / name, format="fasttext")
        back = WordVectors.load(tmp_path / name)
        close(back["unseenword"], vectors["unseenword"])
        back = WordVectors.load(tmp_path / name, format="fasttext", limit=20)
        close(back["unseenword"], vectors["unseenword"])


@pytest.mark.parametrize("name", ["x.bin", "x.safetensors", "x.npz"])
def test_limits_keep_the_ngrams(tmp_path: Path, name: str) -> None:
    vectors = ours(context_vectors=np.ones((len(SEEN), 6), np.float32))
    vectors.save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for limit in (1, 7, len(SEEN) - 1, len(SEEN), 1000):
        back = WordVectors.load(tmp_path / name, limit=limit)
        assert back.index_to_key == SEEN[:limit]
        assert back.subwords is not None
        assert back.input_vectors.shape == (back.subwords.n_rows, 6)
        assert back.context_vectors.shape == back.vectors.shape == (min(limit, len(SEEN)), 6)
        assert not back.input_vectors.flags.writeable
        close(back.vectors, vectors.vectors[:limit])
        close(back[UNSEEN], vectors[UNSEEN])
        dropped = SEEN[limit : limit + 1]
        for word in dropped:
            rows = vectors.subwords.rows_of_word(limit)[1:]  # type: ignore[union-attr]
            close(back[word], vectors.input_vectors[rows].mean(axis=0))
    assert (tmp_path / name).read_bytes() == whole


def test_words_that_are_not_utf8(tmp_path: Path) -> None:
    words = ["naïve", "日本", "caf\udce9"]
    subwords = Subwords(words, NGrams(2, 4, 300))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    vectors = WordVectors(words, None, input_vectors=W_in, subwords=subwords)
    vectors.save(tmp_path / "x.bin")
    with pytest.raises(FormatError, match="the word in row 3"):
        WordVectors.load(tmp_path / "x.bin")
    kept = WordVectors.load(tmp_path / "x.bin", errors="surrogateescape")
    assert kept.has_subwords
    assert kept.index_to_key == words
    close(kept.vectors, vectors.vectors)
    for options in ({"errors": "replace"}, {"encoding": "latin-1"}):
        other = WordVectors.load(tmp_path / "x.bin", **options)  # type: ignore[arg-type]
        assert not other.has_subwords  # the n-grams of the words as they are spelled now are others
        close(other.vectors, vectors.vectors)


def test_other_formats_get_the_vectors(tmp_path: Path) -> None:
    ours().save(tmp_path / "x.bin")
    vectors = WordVectors.load(tmp_path / "x.bin")
    for name in ("y.txt", "y.glove", "y.tsv", "y.npz", "y.safetensors"):
        vectors.save(tmp_path / name)
        back = WordVectors.load(tmp_path / name)
        assert back.vectors.tobytes() == vectors.vectors.tobytes()
        assert back.has_subwords == name.endswith(("npz", "safetensors"))
    from fastw2v.formats import write

    write(read(tmp_path / "x.bin"), tmp_path / "z.txt")
    assert (tmp_path / "z.txt").read_bytes() == (tmp_path / "y.txt").read_bytes()


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
        **THREADS,
        "t": 1,
        "verbose": 0,
    }
    model = peer.train_unsupervised(
        str(tmp_path / "corpus.txt"), lr=0.0, pretrainedVectors=str(tmp_path / "x.vec"), **options
    )
    for word in words:
        assert model.get_word_vector(word).tobytes() == some_vectors()[word].tobytes()
    model.save_model(str(tmp_path / "model.bin"))
    again = WordVectors.load(tmp_path / "model.bin")
    assert again.index_to_key == model.words
    assert all(again[word].tobytes() == model.get_word_vector(word).tobytes() for word in words)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "x.bin"
    subwords = Subwords(WORDS, NGrams(2, 4, 60))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    context = np.ones((len(WORDS), 6), np.float32)
    WordVectors(WORDS, None, range(9, 2, -1), context, input_vectors=W_in, subwords=subwords).save(path)
    return path.read_bytes()


def read_and_use(path: Path) -> WordVectors:
    vectors = WordVectors.load(path)
    assert vectors.input_vectors.shape[1] == vectors.vector_size
    if vectors.has_subwords:
        for word in ("unseen", "日本語"):
            assert word not in vectors or vectors[word].shape == (vectors.vector_size,)
    for part in (vectors.context_vectors, vectors.node_vectors):
        assert part is None or part.shape == vectors.vectors.shape
    return vectors


def damage(sound: bytes, edits: list[tuple[str, Any, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(damaged(sound, edits))
        check(lambda: read_and_use(path), hold_rows=False)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_damaged_models(sound: bytes, edits: list[tuple[str, Any, Any]]) -> None:
    damage(sound, edits)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_damaged_models_at_length(sound: bytes, edits: list[tuple[str, Any, Any]]) -> None:
    damage(sound, edits)


@pytest.mark.parametrize("field", range(18))
@pytest.mark.parametrize("value", [-(2**31), -1, 0, 1, 7, 2**31 - 1])
def test_every_number_of_the_header_can_lie(sound: bytes, tmp_path: Path, field: int, value: int) -> None:
    offset = 4 * field if field < 14 else 64 + 4 * (field - 14)
    (tmp_path / "x.bin").write_bytes(sound[:offset] + struct.pack("<i", value) + sound[offset + 4 :])
    if offset:  # otherwise, it is not a model
        check(lambda: read_and_use(tmp_path / "x.bin"), hold_rows=False)
