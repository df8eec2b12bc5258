"""`KeyedVectors`, compared with gensim's."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.vectors.word_vectors import WordVectors
from tests.evaluate.common import keyed_vectors, parallelograms, random_vectors, write_questions
from tests.vectors.common import MATRIX, WORDS, assert_same_ranking, unit

VECTOR = (2 * MATRIX[8] + 1).astype(np.float32)


@pytest.fixture
def kv(xp: Any) -> KeyedVectors:
    return KeyedVectors(WORDS, xp.asarray(MATRIX), counts=range(60, 30, -1))


@pytest.fixture(scope="module")
def peer() -> Any:
    from gensim.models import KeyedVectors as Peer

    vectors = Peer(6)
    vectors.add_vectors(WORDS, MATRIX)
    vectors.allocate_vecattrs(["count"], [np.int64])
    for count, word in zip(range(60, 30, -1), WORDS, strict=True):
        vectors.set_vecattr(word, "count", count)
    return vectors


def as_keyed_vectors(vectors: WordVectors) -> KeyedVectors:
    return KeyedVectors(vectors.index_to_key, vectors.vectors)


def test_the_class_is_one_of_word_vectors(kv: KeyedVectors) -> None:
    assert issubclass(KeyedVectors, WordVectors)
    assert type(kv[:3]) is type(kv & WORDS[:3]) is type(kv - WORDS[:3]) is KeyedVectors
    assert type(kv.vectors_for_all(WORDS[:3])) is KeyedVectors


@pytest.mark.parametrize("vector", [np.ones(2), VECTOR[None, :], b"w1", [1.0, 2.0], None])
def test_what_is_no_vector_is_refused_by_its_name(kv: KeyedVectors, vector: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^vector"):
        kv.similar_by_vector(vector)


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # warnings of gensim itself
@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("similar_by_word", ("w1",), {"topn": 4, "restrict_vocab": 20}),
        ("similar_by_key", ("w1", 3), {}),
        ("similar_by_vector", (VECTOR,), {"topn": 5}),
    ],
)
def test_rankings_as_gensim(kv: KeyedVectors, peer: Any, name: str, arguments: Any, options: Any) -> None:
    assert_same_ranking(getattr(kv, name)(*arguments, **options), getattr(peer, name)(*arguments, **options))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_normed_vectors", ()),
        ("relative_cosine_similarity", ("w1", "w2")),
        ("relative_cosine_similarity", ("w1", "w2", 3)),
    ],
)
def test_numbers_as_gensim(kv: KeyedVectors, peer: Any, name: str, arguments: Any) -> None:
    ours, theirs = getattr(kv, name)(*arguments), np.asarray(getattr(peer, name)(*arguments))
    assert np.shape(to_host(ours) if hasattr(ours, "dtype") else ours) == theirs.shape
    np.testing.assert_allclose(to_host(ours) if hasattr(ours, "dtype") else ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("most_similar_to_given", ("w1", ["w2", "w3", "w4"])),
        ("has_index_for", ("w4",)),
        ("has_index_for", ("nobody",)),
    ],
)
def test_answers_as_gensim(kv: KeyedVectors, peer: Any, name: str, arguments: Any) -> None:
    ours, theirs = getattr(kv, name)(*arguments), getattr(peer, name)(*arguments)
    assert ours == theirs
    assert type(ours) is type(theirs) or isinstance(theirs, np.integer)


def plain(answer: Any) -> Any:
    """Convert an answer to an array, or to lists of words and numbers."""
    if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
        return [plain(list(column)) for column in zip(*answer, strict=True)]
    if isinstance(answer, list):
        return answer if isinstance(answer[0], str) else np.array(answer)
    if isinstance(answer, str) or answer is None:
        return answer
    return to_host(answer) if hasattr(answer, "dtype") else np.array(answer)


def assert_same_answer(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, list) and isinstance(theirs[0], list | np.ndarray):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_same_answer(our, their)
    elif isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=1e-6)
    else:
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:Call to deprecated `(init_sims|words_closer_than)`")  # warnings of gensim
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("most_similar", {"positive": ["w1", "w2"], "negative": ["w3"], "topn": 4, "clip_start": 2, "clip_end": 20}),
        (
            "most_similar",
            {
                "positive": "w1",
                "negative": None,
                "topn": 3,
                "clip_start": 0,
                "clip_end": None,
                "restrict_vocab": 9,
                "indexer": None,
            },
        ),
        ("most_similar_cosmul", {"positive": ["w1"], "negative": ["w3"], "topn": 4, "restrict_vocab": None}),
        ("similar_by_word", {"word": "w1", "topn": 3, "restrict_vocab": 9}),
        ("similar_by_key", {"key": "w1", "topn": 3, "restrict_vocab": 9}),
        ("similar_by_vector", {"vector": VECTOR, "topn": 3, "restrict_vocab": 9}),
        ("similarity", {"w1": "w1", "w2": "w2"}),
        ("distance", {"w1": "w1", "w2": "w2"}),
        ("distances", {"word_or_vector": "w1", "other_words": ["w3", "w4"]}),
        ("n_similarity", {"ws1": ["w1", "w2"], "ws2": ["w3"]}),
        ("relative_cosine_similarity", {"wa": "w1", "wb": "w2", "topn": 4}),
        ("closer_than", {"key1": "w3", "key2": "w9"}),
        ("words_closer_than", {"word1": "w3", "word2": "w9"}),
        ("rank", {"key1": "w3", "key2": "w9"}),
        ("most_similar_to_given", {"key1": "w1", "keys_list": ["w2", "w3"]}),
        ("doesnt_match", {"words": ["w1", "w2", "w3"]}),
        ("rank_by_centrality", {"words": ["w1", "w2", "w3"], "use_norm": False}),
        ("get_vector", {"key": "w1", "norm": True}),
        ("get_index", {"key": "w1", "default": None}),
        ("get_index", {"key": "nobody", "default": 3}),
        ("get_vecattr", {"key": "w1", "attr": "count"}),
        ("has_index_for", {"key": "w1"}),
        (
            "get_mean_vector",
            {
                "keys": ["w1", "w2"],
                "weights": [1.0, 0.5],
                "pre_normalize": False,
                "post_normalize": True,
                "ignore_missing": False,
            },
        ),
        ("fill_norms", {"force": True}),
    ],
)
def test_gensims_keywords(kv: KeyedVectors, peer: Any, name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(kv, name), getattr(peer, name)
    assert_same_answer(plain(ours(**options)), plain(theirs(**options)))
    if name != "fill_norms":
        assert_same_answer(plain(ours(*options.values())), plain(theirs(*options.values())))


def test_vectors_for_all(kv: KeyedVectors, peer: Any) -> None:
    for options in ({}, {"allow_inference": False, "copy_vecattrs": True}):
        ours, theirs = (vectors.vectors_for_all(keys=["w9", "no", "w1", "w9"], **options) for vectors in (kv, peer))
        assert ours.index_to_key == theirs.index_to_key == ["w9", "w1"]
        assert to_host(ours.vectors).tolist() == theirs.vectors.tolist()
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in ours]
    assert kv.vectors_for_all(["w1"]).counts is None
    assert len(kv.counts) == 30


def test_rest_of_gensims_names(kv: KeyedVectors, peer: Any) -> None:
    assert kv.words_closer_than("w3", "w9") == kv.closer_than("w3", "w9")
    assert kv.get_vecattr("w3", "count") == 57
    cosines = kv.cosine_similarities(vector_1=kv["w3"], vectors_all=kv[["w1", "w2"]])
    np.testing.assert_allclose(to_host(cosines), peer.cosine_similarities(MATRIX[3], MATRIX[1:3]), atol=1e-6)
    kv.unit_normalize_all()
    np.testing.assert_allclose(to_host(kv["w3"]), unit("w3"), atol=1e-6)
    before = kv.unit_vectors
    kv.fill_norms(force=True)
    assert kv.unit_vectors is not before


def test_nothing_is_a_share_of_nothing() -> None:
    orthogonal = KeyedVectors(["a", "b", "c"], np.eye(3))
    assert orthogonal.relative_cosine_similarity(wa="a", wb="b", topn=1) == 0.0


def test_malformed_queries(kv: KeyedVectors) -> None:
    for error, message, query in [
        (ValueError, "topn is 0; it must be at least 1", lambda: kv.relative_cosine_similarity("w1", "w2", 0)),
        (TypeError, "ws2 is 'w1' of type str; pass a list", lambda: kv.n_similarity(["w1"], "w1")),
        (
            ValueError,
            "ws1 is .'no'.; none of these words is in the vocabulary",
            lambda: kv.n_similarity(["no"], ["w1"]),
        ),
        (ValueError, "keys_list is empty", lambda: kv.most_similar_to_given("w1", [])),
        (KeyError, "colour.* only", lambda: kv.get_vecattr("w1", "colour")),
        (ValueError, "indexer is 'annoy'.*index", lambda: kv.most_similar("w1", indexer="annoy")),
        (ValueError, "total_vec is 31, but all 30", lambda: kv.save_word2vec_format("a.txt", total_vec=31)),
        (ValueError, "append is True", lambda: kv.save_word2vec_format("a.txt", append=True)),
        (ValueError, "no counts.*sort_attr is 'year'", lambda: kv.save_word2vec_format("a", "b", sort_attr="year")),
        (ValueError, "encoding is 'utf-16'", lambda: KeyedVectors.load_word2vec_format("a.txt", encoding="utf-16")),
        (ValueError, "encoding is 'cp949'", lambda: kv.evaluate_word_pairs("a.txt", encoding="cp949")),
        (ValueError, "encoding is 'no-such'", lambda: KeyedVectors.load_word2vec_format("a.txt", encoding="no-such")),
    ]:
        with pytest.raises(error, match=message):
            query()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves files open
@pytest.mark.parametrize(("binary", "header"), [(True, True), (False, True), (False, False)])
def test_word2vec_files_by_gensims_names(tmp_path: Path, binary: bool, header: bool) -> None:
    from gensim.models import KeyedVectors as Peer

    kv = KeyedVectors(WORDS, MATRIX, counts=range(60, 30, -1))
    path, fvocab = str(tmp_path / "any.name"), str(tmp_path / "vocab")
    kv.save_word2vec_format(path, fvocab=fvocab, binary=binary, write_header=header)
    theirs = Peer.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    ours = KeyedVectors.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    assert type(ours) is KeyedVectors
    assert ours.index_to_key == theirs.index_to_key == WORDS
    assert ours.vectors.tobytes() == theirs.vectors.tobytes() == MATRIX.tobytes()
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in WORDS] == list(range(60, 30, -1))
    uncounted = [
        Class.load_word2vec_format(path, binary=binary, no_header=not header) for Class in (KeyedVectors, Peer)
    ]
    ours_counted, theirs_counted = ([one.get_vecattr(word, "count") for word in WORDS] for one in uncounted)
    assert ours_counted == theirs_counted
    few = KeyedVectors.load_word2vec_format(path, binary=binary, no_header=not header, limit=3, datatype=np.float16)
    assert few.index_to_key == WORDS[:3]
    assert few.vectors.dtype == np.float16
    Path(fvocab).write_text("w0 3\n")
    with pytest.raises(ValueError, match="no count for 29 of the words, such as 'w1'"):
        KeyedVectors.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    with pytest.raises(ValueError, match="no counts"):
        few.save_word2vec_format(path, fvocab=fvocab)
    with pytest.raises(ValueError, match="needs its header"):
        kv.save_word2vec_format(path, binary=True, write_header=False)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves files open
@pytest.mark.parametrize("binary", [False, True])
def test_files_are_sorted_and_prefixed_as_gensims(tmp_path: Path, binary: bool) -> None:
    from gensim.models import KeyedVectors as Peer

    words, counts = ["rare", "often", "never", "common"], [2, 30, 0, 30]
    ours = KeyedVectors(words, np.eye(4, dtype=np.float32), counts)
    theirs = Peer(4)
    theirs.add_vectors(words, ours.vectors)
    theirs.allocate_vecattrs(["count"], [np.int64])
    for word, count in zip(words, counts, strict=True):
        theirs.set_vecattr(word, "count", count)
    read = []
    for name, vectors in (("ours", ours), ("theirs", theirs)):
        path, fvocab = str(tmp_path / name), tmp_path / f"{name}.vocab"
        options = {"binary": binary, "total_vec": 4, "write_header": True, "prefix": "en:", "append": False}
        vectors.save_word2vec_format(fname=path, fvocab=str(fvocab), sort_attr="count", **options)
        assert fvocab.read_text() == "en:often 30\nen:common 30\nen:rare 2\nen:never 0\n"
        loaded = KeyedVectors.load_word2vec_format(
            fname=path, fvocab=str(fvocab), binary=binary, encoding="utf8", unicode_errors="strict", limit=3
        )
        assert loaded.index_to_key == ["en:often", "en:common", "en:rare"]
        assert loaded.counts.tolist() == [30, 30, 2]
        read.append(loaded.vectors.tolist())
    assert read[0] == read[1] == np.eye(4)[[1, 3, 0]].tolist()
    ours.save_word2vec_format(tmp_path / "as-it-is.txt", sort_attr="no such attribute")
    assert KeyedVectors.load_word2vec_format(tmp_path / "as-it-is.txt").index_to_key == words
    assert ours.index_to_key == words


@pytest.mark.parametrize("name", ["vectors.kv", "word2vec.wordvectors", "vectors"])
def test_files_by_gensims_names(tmp_path: Path, name: str) -> None:
    KeyedVectors(WORDS, MATRIX).save(str(tmp_path / name))
    back = KeyedVectors.load(str(tmp_path / name), mmap="r")
    assert type(back) is KeyedVectors
    assert back.index_to_key == WORDS
    assert back.vectors.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("dummy4unknown", [False, True])
@pytest.mark.parametrize("case_insensitive", [False, True])
def test_analogies_reported_as_gensim_does(tmp_path: Path, dummy4unknown: bool, case_insensitive: bool) -> None:
    vectors, questions = parallelograms(20, noise=0.4, cased=True)
    path = write_questions(tmp_path / "questions.txt", questions)
    options = {
        "restrict_vocab": len(vectors),
        "dummy4unknown": dummy4unknown,
        "case_insensitive": case_insensitive,
    }
    ours, theirs = (
        kind.evaluate_word_analogies(str(path), **options)
        for kind in (as_keyed_vectors(vectors), keyed_vectors(vectors))
    )
    assert ours == theirs
    everything = as_keyed_vectors(vectors).evaluate_word_analogies(path, **options | {"restrict_vocab": None})
    assert everything == ours
    with pytest.raises(ValueError, match="similarity_function is 'x'"):
        as_keyed_vectors(vectors).evaluate_word_analogies(path, similarity_function="x")


@pytest.mark.parametrize("dummy4unknown", [False, True])
def test_pairs_reported_as_gensim_does(tmp_path: Path, dummy4unknown: bool) -> None:
    rng = np.random.default_rng(4)
    vectors = random_vectors([f"w{i}" for i in range(40)])
    lines = [f"w{a}\tW{b}\t{s}\n" for a, b, s in zip(*rng.integers(0, 50, (2, 60)), rng.random(60), strict=True)]
    (tmp_path / "pairs.tsv").write_text("".join(line for line in lines if line.split()[0] != line.split()[1].lower()))
    for restrict_vocab in (25, 300_000, None):
        options = {"encoding": "utf8", "restrict_vocab": restrict_vocab, "dummy4unknown": dummy4unknown}
        pearson, spearman, oov = as_keyed_vectors(vectors).evaluate_word_pairs(tmp_path / "pairs.tsv", **options)
        peers = keyed_vectors(vectors).evaluate_word_pairs(str(tmp_path / "pairs.tsv"), **options)
        assert tuple(pearson) == pytest.approx(tuple(peers[0]), abs=1e-6)
        assert tuple(spearman) == pytest.approx(tuple(peers[1]), abs=1e-6)
        assert oov == pytest.approx(peers[2])
    with pytest.raises(ValueError, match="covers 0 of"):
        as_keyed_vectors(random_vectors(["a"])).evaluate_word_pairs(tmp_path / "pairs.tsv")


def test_the_guide_names_every_public_name_of_gensims() -> None:
    from gensim.models import KeyedVectors as Peer
    from gensim.models import Word2Vec

    guide = (Path(__file__).parents[2] / "docs" / "migrate" / "gensim.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", guide))
    public = {name for kind in (Peer, Word2Vec) for name in dir(kind) if not name.startswith("_")}
    public |= set(inspect.signature(Word2Vec).parameters)
    assert public <= named, public - named
    ours = {name for name in dir(Peer) if not name.startswith("_") and hasattr(KeyedVectors, name)}
    unmentioned = [name for name in ours if f"`{name}" not in guide and f" {name}" not in guide]
    assert not unmentioned
