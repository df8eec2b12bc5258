"""floret's hashes and tables, compared with a plain MurmurHash3, with floret and with spaCy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus.subwords import HASH_SEED, NGrams, Subwords, ngram_buckets
from fastw2v.formats import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.ngrams import UNSEEN, WORDS, ngrams_of

LONG = ["x" * 14, "x" * 15, "y" * 30, "가나다라마바사아자차카타파하" * 2, "a" * 200]
MASK = 2**64 - 1


def rotated(number: int, bits: int) -> int:
    return (number << bits | number >> 64 - bits) & MASK


def mixed(number: int) -> int:
    number = (number ^ number >> 33) * 0xFF51AFD7ED558CCD & MASK
    number = (number ^ number >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return number ^ number >> 33


def murmur3(data: bytes) -> list[int]:
    """Return the four 32-bit numbers of MurmurHash3_x64_128, as in its reference implementation."""
    h1 = h2 = HASH_SEED
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        k1, k2 = (int.from_bytes(data[at + i : at + i + 8], "little") for i in (0, 8))
        h1 ^= rotated(k1 * c1 & MASK, 31) * c2 & MASK
        h1 = ((rotated(h1, 27) + h2) * 5 + 0x52DCE729) & MASK
        h2 ^= rotated(k2 * c2 & MASK, 33) * c1 & MASK
        h2 = ((rotated(h2, 31) + h1) * 5 + 0x38495AB5) & MASK
    tail = data[whole:]
    h2 ^= rotated(int.from_bytes(tail[8:], "little") * c2 & MASK, 33) * c1 & MASK
    h1 ^= rotated(int.from_bytes(tail[:8], "little") * c1 & MASK, 31) * c2 & MASK
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & MASK
    h2 = (h1 + h2) & MASK
    h1, h2 = mixed(h1), mixed(h2)
    h1 = (h1 + h2) & MASK
    h2 = (h1 + h2) & MASK
    return [h1 & 0xFFFFFFFF, h1 >> 32, h2 & 0xFFFFFFFF, h2 >> 32]


def test_the_hash_is_murmur3() -> None:
    for hash_count in (1, 2, 3, 4):
        ngrams = NGrams(2, 5, 50_000, hash_count)
        words = [*WORDS, *UNSEEN, *LONG, "</s>", ""]
        starts, buckets = ngram_buckets(words, ngrams)
        for i, word in enumerate(words):
            expected = [
                number % 50_000
                for ngram in [f"<{word}>", *ngrams_of(word, ngrams)]
                for number in murmur3(ngram.encode())[:hash_count]
            ]
            assert buckets[starts[i] : starts[i + 1]].tolist() == expected


def test_buckets_of_floret() -> None:
    """Numbers that ``get_subwords`` of floret 0.10.5 returns."""
    one = [40534, 44261, 22888, 43510, 14912, 20471, 44973, 22842, 45590, 44261]  # <apple>, <ap, <app, app, appl, ...
    four = [33337, 18514, 20851, 6375, 37817, 1365, 24225, 7444, 33337, 18514, 20851, 6375, 21931, 44490, 8884, 8596]
    assert ngram_buckets(["apple"], NGrams(3, 4, 50_000, 1))[1].tolist() == one
    assert ngram_buckets(["한국"], NGrams(3, 4, 50_000, 4))[1].tolist() == four  # <한국>, <한국, <한국>, 한국>


def some_floret(hash_count: int = 2, bucket: int = 300, words: list[str] = WORDS) -> WordVectors:
    subwords = Subwords(words, NGrams(2, 5, bucket, hash_count))
    W_in = np.random.default_rng(0).normal(size=(bucket, 6)).astype(np.float32)
    return WordVectors(words, None, input_vectors=W_in, subwords=subwords)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_all_rows_are_shared(tmp_path: Path) -> None:
    wv = some_floret()
    assert wv.subwords is not None
    assert wv.subwords.n_rows == 300
    assert wv.subwords.n_own_rows == 0
    for word in WORDS + UNSEEN:
        rows = [
            number % 300
            for ngram in [f"<{word}>", *ngrams_of(word, wv.subwords.ngrams)]
            for number in murmur3(ngram.encode())[:2]
        ]
        close(wv[word], wv.input_vectors[rows].mean(axis=0))
    assert "" in wv
    for name in ("x.safetensors", "x.npz"):
        wv.save(tmp_path / name)
        back = WordVectors.load(tmp_path / name)
        assert back.subwords is not None
        assert back.subwords.ngrams == wv.subwords.ngrams
        close(back[UNSEEN], wv[UNSEEN])
        close(WordVectors.load(tmp_path / name, limit=2)[UNSEEN], wv[UNSEEN])
    for part in (wv[2:4], wv & WORDS[:3], wv.vectors_for_all(["cat", "the"])):
        assert part.input_vectors.shape == (300, 6)
        close(part[UNSEEN], wv[UNSEEN])
    with pytest.raises(FormatError, match="hashed as in floret"):
        wv.save(tmp_path / "x.bin", format="fasttext")
    wv.save(tmp_path / "x.bin")
    assert not WordVectors.load(tmp_path / "x.bin").has_subwords  # word2vec's format


def test_the_table(tmp_path: Path) -> None:
    wv = some_floret()
    wv.save(tmp_path / "x.floret")
    header, *rows = (tmp_path / "x.floret").read_text().splitlines()
    assert header == "300 6 2 5 2 2166136261 < >"
    assert [row.split(" ")[0] for row in rows] == [str(i) for i in range(300)]
    table = np.array([row.split(" ")[1:] for row in rows], np.float32)
    assert table.tobytes() == wv.input_vectors.tobytes()
    wv.save(tmp_path / "x.floret.gz")
    wv.save(tmp_path / "x.txt", format="floret")
    assert (tmp_path / "x.txt").read_bytes() == (tmp_path / "x.floret").read_bytes()
    with pytest.raises(FormatError, match="a floret table contains no words"):
        WordVectors.load(tmp_path / "x.floret")


@pytest.mark.parametrize("hash_count", [1, 2, 4])
def test_spacy_reads_ours(tmp_path: Path, hash_count: int) -> None:
    pytest.importorskip("spacy")
    from spacy import blank
    from spacy.training.initialize import convert_vectors

    wv = some_floret(hash_count)
    wv.save(tmp_path / "x.floret")
    nlp = blank("en")
    convert_vectors(nlp, tmp_path / "x.floret", truncate=-1, prune=-1, mode="floret")
    theirs = nlp.vocab.vectors
    assert theirs.data.tobytes() == wv.input_vectors.tobytes()
    words = [*WORDS, *UNSEEN, *LONG[:-1]]  # in the last, thousands of rows are added, with other rounding
    close(wv[words], theirs.get_batch(words))
    for word in words:
        close(wv[word], theirs[word])


@pytest.mark.parametrize("hash_count", [1, 2, 4])
def test_we_compute_the_vectors_of_floret(tmp_path: Path, hash_count: int) -> None:
    floret = pytest.importorskip("floret")
    rng = np.random.default_rng(0)
    lines = (" ".join(rng.choice(WORDS, 12)) for _ in range(400))
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    theirs = floret.train_unsupervised(
        str(tmp_path / "corpus.txt"),
        mode="floret",
        hashCount=hash_count,
        bucket=300,
        minn=2,
        maxn=5,
        dim=6,
        minCount=1,
        epoch=1,
        t=1.0,
        verbose=0,
        thread=12,
    )
    theirs.save_floret_vectors(str(tmp_path / "theirs.floret"))
    lines = (tmp_path / "theirs.floret").read_text().splitlines()
    table = np.array([line.split()[1:] for line in lines[1:]], np.float32)
    subwords = Subwords(WORDS, NGrams(2, 5, 300, hash_count))
    wv = WordVectors(WORDS, None, input_vectors=table, subwords=subwords)
    own = theirs.words[0]  # floret adds a row of its own to the mean of this word, which the table does not contain
    for word in [*WORDS, *UNSEEN, *LONG]:
        if word != own:
            np.testing.assert_allclose(wv[word], theirs.get_word_vector(word), rtol=5e-5, atol=2e-5)  # to five digits
    wv.save(tmp_path / "ours.floret")
    assert (tmp_path / "ours.floret").read_text().splitlines()[0] == lines[0]
