"""Vectors that are pushed to a Hub and read from it again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.hub import HubError
from fastw2v.hub.card import MARK_END, MARK_START
from tests.hub.hub_server import READ_TOKEN, WRITE_TOKEN, Hub

# huggingface_hub itself uses a deprecated argument of its HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "user/cats"
SENTENCES = [["the", "cat", "sat"], ["the", "dog", "ran"]] * 20


@pytest.fixture
def vectors() -> WordVectors:
    matrix = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    return WordVectors(
        ["cat", "dog", "새"], matrix, counts=[3, 2, 1], context_vectors=-matrix, settings={"window": 5, "model": "cbow"}
    )


def trained(**settings: object) -> WordVectors:
    return Word2Vec(vector_size=4, negative=2, epochs=1, engine="layers", min_count=1, **settings).fit(SENTENCES).wv


def with_jamo() -> WordVectors:
    words = ["영화", "배우"]
    subwords = Subwords(words, NGrams(3, 6, 1000, units="jamo"))
    rows = np.random.default_rng(1).normal(size=(subwords.n_rows, 4)).astype(np.float32)
    return WordVectors(words, None, input_vectors=rows, subwords=subwords)


CASES = {
    "words": lambda: trained(),
    "hierarchical softmax": lambda: trained(loss="hs"),
    "subwords": lambda: trained(subwords=(3, 6), bucket=1000),
    "floret": lambda: trained(subwords=(3, 6), bucket=1000, hash_count=2),
    "jamo": with_jamo,
    "int8": lambda: trained().astype("int8"),
    "integers": lambda: WordVectors([7, 42], np.eye(2, 4)),
    "white space": lambda: WordVectors(["new york", ""], np.eye(2, 4)),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_is_read_as_it_was(hub: Hub, case: str):
    pushed = CASES[case]()
    url = pushed.push_to_hub(NAME, license="mit")
    read = WordVectors.from_pretrained(NAME)
    assert url == f"{hub.address}/{NAME}/commit/{hub.repositories[NAME].commits[-1].sha}"
    assert read.index_to_key == pushed.index_to_key
    assert read.settings == json.loads(json.dumps(pushed.settings))  # tuples become lists in files
    np.testing.assert_array_equal(read.counts, pushed.counts)
    for name in ("vectors", "context_vectors", "input_vectors", "node_vectors"):
        np.testing.assert_array_equal(getattr(read, name), getattr(pushed, name))
    assert read.stored.dtype == pushed.stored.dtype
    if pushed.subwords is not None:
        assert read.subwords.ngrams == pushed.subwords.ngrams
        np.testing.assert_array_equal(read.subwords.buckets, pushed.subwords.buckets)
        np.testing.assert_array_equal(read["catcat"], pushed["catcat"]) if case != "jamo" else None


def test_the_repository_has_all_files_in_one_commit(hub: Hub, vectors: WordVectors, tmp_path: Path):
    vectors.push_to_hub(NAME, license="mit", commit_message="My vectors")
    repository = hub.repositories[NAME]
    assert [commit.message for commit in repository.commits] == ["initial commit", "My vectors"]
    vectors.save_pretrained(tmp_path / "folder", NAME, license="mit")
    local = {
        path.relative_to(tmp_path / "folder").as_posix(): path.read_bytes()
        for path in (tmp_path / "folder").rglob("*")
        if path.is_file()
    }
    assert repository.files == local | {".gitattributes": repository.files[".gitattributes"]}
    assert set(local) == {
        "README.md",
        "vectors.safetensors",
        "modules.json",
        "config_sentence_transformers.json",
        "0_StaticEmbedding/model.safetensors",
        "0_StaticEmbedding/tokenizer.json",
    }
    read = WordVectors.load(tmp_path / "folder" / "0_StaticEmbedding")
    assert read.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(read.vectors, vectors.vectors)


@pytest.mark.parametrize(
    ("case", "reason"), [("integers", "the words are integers"), ("white space", "the word 'new york' contains a")]
)
def test_words_that_sentence_transformers_cannot_have(
    hub: Hub, caplog: pytest.LogCaptureFixture, case: str, reason: str
):
    trained().push_to_hub(NAME, license="mit")
    assert "modules.json" in hub.repositories[NAME].files
    caplog.clear()
    CASES[case]().push_to_hub(NAME, license="mit")
    (message,) = (one for one in caplog.messages if "sentence-transformers" in one)
    assert message.startswith(f"{NAME}: the files for sentence-transformers were left out, because {reason}")
    # Those of the earlier vectors are gone.
    assert set(hub.repositories[NAME].files) == {".gitattributes", "README.md", "vectors.safetensors"}
    card = hub.repositories[NAME].files["README.md"].decode()
    assert f"The vectors cannot be used in sentence-transformers: {reason}" in card
    assert "- sentence-transformers\n" not in card
    trained().push_to_hub(NAME, license="mit")
    assert "tags:\n- sentence-transformers\n- word2vec\n" in hub.repositories[NAME].files["README.md"].decode()


def test_words_in_the_reason_are_text(hub: Hub, caplog: pytest.LogCaptureFixture):
    word = "see. [here](http://evil); <img src=x>"
    WordVectors([word], np.eye(1, 4)).push_to_hub(NAME, license="mit")
    card = hub.repositories[NAME].files["README.md"].decode()
    (line,) = (line for line in card.splitlines() if "cannot be used in sentence-transformers" in line)
    assert r"the word 'see. \[here\](http\://evil); \<img src=x\>' contains a" in line
    assert "Save as" not in line + caplog.text


def test_a_second_push_keeps_what_was_written_by_hand(hub: Hub, vectors: WordVectors):
    vectors.push_to_hub(NAME, license="mit")
    repository = hub.repositories[NAME]
    card = repository.files["README.md"].decode()
    edited = (
        card.replace("# cats\n", "# Cats\n\nBy me.\n").replace("license: mit", "license: cc-by-4.0") + "\nThe end.\n"
    )
    repository.commit("edit", repository.files | {"README.md": edited.encode()})
    trained().push_to_hub(NAME, license="cc-by-4.0")
    new = repository.files["README.md"].decode()
    assert "license: cc-by-4.0\n" in new
    assert "\nBy me.\n" in new
    assert new.endswith("\nThe end.\n")
    assert "5 words, 4 dimensions" in new
    assert "3 words, 4 dimensions" not in new
    assert WordVectors.from_pretrained(NAME).index_to_key == trained().index_to_key


@pytest.mark.parametrize("line", ["license: mit", 'license: "mit"', "license:\n- mit", "license: [mit]"])
def test_another_licence_than_that_of_the_card_is_refused(hub: Hub, vectors: WordVectors, line: str):
    vectors.push_to_hub(NAME, license="mit")
    repository = hub.repositories[NAME]
    card = repository.files["README.md"].replace(b"license: mit", line.encode())
    commit = repository.commit("edit", repository.files | {"README.md": card})
    message = "user/cats has the licence mit in its model card, but license is 'cc-by-nc-4.0'; edit the card on the Hub"
    with pytest.raises(HubError, match=message):
        vectors.push_to_hub(NAME, license="cc-by-nc-4.0")
    assert repository.commits[-1] == commit
    vectors.push_to_hub(NAME, license="mit")
    assert line in repository.files["README.md"].decode()


@pytest.mark.parametrize("word", ["<!-- /fastw2v -->", "x" * 1000])
def test_no_word_ends_the_part_that_is_replaced(hub: Hub, vectors: WordVectors, word: str):
    WordVectors([word, "dog"], np.eye(2, 4)).push_to_hub(NAME, license="mit")
    repository = hub.repositories[NAME]
    assert "x" * 100 not in repository.files["README.md"].decode()
    vectors.push_to_hub(NAME, license="mit", corpus="Text <!-- /fastw2v --> of mine.")
    vectors.push_to_hub(NAME, license="mit")
    card = repository.files["README.md"].decode()
    assert (card.count("## Training"), card.count(MARK_START), card.count(MARK_END)) == (1, 1, 1)


def test_the_bytes_of_a_card_are_kept(hub: Hub, vectors: WordVectors, caplog: pytest.LogCaptureFixture):
    hub.add(NAME, {"README.md": b"# caf\xe9\r\n"})
    vectors.push_to_hub(NAME, license="mit")
    assert hub.repositories[NAME].files["README.md"] == b"# caf\xe9\r\n"
    assert f"{NAME} has a model card that fastw2v has not written, so it was kept" in caplog.text
    vectors.push_to_hub("user/dogs", license="mit")
    repository = hub.repositories["user/dogs"]
    windows = repository.files["README.md"].replace(b"\n", b"\r\n") + b"The end.\r\n"
    repository.commit("edit", repository.files | {"README.md": windows})
    vectors.push_to_hub("user/dogs", license="mit")
    assert repository.files["README.md"] == windows


def test_a_card_without_marks_is_kept(hub: Hub, vectors: WordVectors, caplog: pytest.LogCaptureFixture):
    hub.add(NAME, {"README.md": b"# My own card\n"})
    vectors.push_to_hub(NAME, license="mit")
    assert hub.repositories[NAME].files["README.md"] == b"# My own card\n"
    assert f"{NAME} has a model card that fastw2v has not written, so it was kept" in caplog.text


@pytest.mark.parametrize(
    "header", ["---\nlicense: mit\n---\n", "---\r\nlicense: mit\r\n---\r\n", "\ufeff---\nlicense: mit\n--- \n"]
)
def test_a_card_of_a_header_alone_is_replaced(hub: Hub, vectors: WordVectors, header: str):
    hub.add(NAME, {"README.md": header.encode()})  # as the Hub's own form creates it
    vectors.push_to_hub(NAME, license="apache-2.0")
    assert hub.repositories[NAME].files["README.md"].startswith(b"---\nlicense: apache-2.0\n")


def test_a_card_that_the_hub_refuses(hub: Hub, vectors: WordVectors):
    vectors.push_to_hub(NAME, license="mit")
    repository = hub.repositories[NAME]
    card = repository.files["README.md"].replace(b"feature-extraction", b"unheard-of")
    repository.commit("edit", repository.files | {"README.md": card})
    with pytest.raises(HubError, match=r'^user/cats: Invalid metadata in README\.md\. - "pipeline_tag" must be one of'):
        vectors.push_to_hub(NAME, license="mit")


def test_private_repositories(hub: Hub, vectors: WordVectors, monkeypatch: pytest.MonkeyPatch):
    vectors.push_to_hub(NAME, license="mit", private=True)
    assert hub.repositories[NAME].private
    vectors.push_to_hub(NAME, license="mit")  # it stays private
    assert hub.repositories[NAME].private
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert WordVectors.from_pretrained(NAME).index_to_key == vectors.index_to_key
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match=rf"^the Hub has no repository {NAME}, or it is private; check the name,"):
        WordVectors.from_pretrained(NAME, revision="other")
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    hub.add("user/public", {})
    with pytest.raises(HubError, match="user/public exists already and is public; make it private"):
        vectors.push_to_hub("user/public", license="mit", private=True)
    assert len(hub.repositories["user/public"].commits) == 2


@pytest.mark.parametrize("file", ["modules.json", "config.json", "model.safetensors", "pytorch_model.bin"])
def test_other_models_are_not_replaced(hub: Hub, vectors: WordVectors, file: str):
    hub.add(NAME, {file: b"[]"})
    with pytest.raises(HubError, match=rf"user/cats contains another model, with the files \['{file}'\]; choose"):
        vectors.push_to_hub(NAME, license="mit")
    assert len(hub.repositories[NAME].commits) == 2


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ("/api/repos/create", 401, "the Hub does not accept the token; log in with `hf auth login`, or set HF_TOKEN"),
        ("/api/repos/create", 403, "the token has no permission for this; log in"),
        ("/api/repos/create", 500, "the Hub answers 500: something is wrong"),
        ("/commit/main", 403, "the token has no permission for this; log in"),
        ("/commit/main", 500, "the Hub answers 500: something is wrong"),
        ("/commit/main", None, "disconnected|aborted|without response"),
        ("/api/validate-yaml", None, "disconnected|aborted|without response"),
        ("PUT /upload", 403, "the token has no permission for this"),
        ("GET /api/models", 401, "the Hub does not accept the token"),
    ],
)
def test_failures_while_pushing(hub: Hub, vectors: WordVectors, request_: str, status: int | None, message: str):
    hub.failures[request_] = status
    with pytest.raises(HubError, match=message) as caught:
        vectors.push_to_hub(NAME, license="mit")
    assert "\n" not in str(caught.value)
    assert NAME in str(caught.value)
    repository = hub.repositories.get(NAME)
    assert repository is None or set(repository.files) == {".gitattributes"}


def test_a_push_at_the_same_time_is_noticed(hub: Hub, vectors: WordVectors, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    hub.add(NAME, {})
    create_commit = huggingface_hub.HfApi.create_commit

    def after_another(self: object, *args: object, **named: object) -> object:
        hub.repositories[NAME].commit("another", {"other.txt": b""})
        return create_commit(self, *args, **named)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", after_another)
    with pytest.raises(HubError, match="the Hub answers 412: A commit has happened since"):
        vectors.push_to_hub(NAME, license="mit")
    assert set(hub.repositories[NAME].files) == {"other.txt"}


def test_tokens(hub: Hub, vectors: WordVectors, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    with pytest.raises(HubError, match=r"the token has no permission for this; .* to a token with write access"):
        vectors.push_to_hub(NAME, license="mit")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="the Hub does not accept the token"):
        vectors.push_to_hub(NAME, license="mit")
    monkeypatch.delenv("HF_TOKEN")
    hub.requests.clear()
    with pytest.raises(HubError, match="there is no token for the Hugging Face Hub; log in with `hf auth login`, or"):
        vectors.push_to_hub(NAME, license="mit")
    assert not hub.requests
    assert not hub.repositories


@pytest.mark.parametrize(
    ("name", "card", "message"),
    [
        ("cats", {"license": "mit"}, "'cats' is not the name of a repository"),
        ("https://huggingface.co/user/cats", {"license": "mit"}, "is not the name of a repository"),
        ("user/../cats", {"license": "mit"}, "is not the name of a repository"),
        ("user/a--b", {"license": "mit"}, "is not the name of a repository"),
        ("user/cats.git", {"license": "mit"}, "is not the name of a repository"),
        ("user/cats\n", {"license": "mit"}, "is not the name of a repository"),
        (7, {"license": "mit"}, "7 is not the name of a repository"),
        (NAME, {"license": "apache2"}, "license is 'apache2'; it must be an identifier of the Hub"),
        (NAME, {"license": None}, "license is None"),
        (NAME, {"license": "mit\nx: y"}, "license is 'mit"),
        (NAME, {"license": "mit", "language": "english"}, "language is 'english'; it must be a code of ISO 639"),
        (NAME, {"license": "mit", "language": ["en", 7]}, "language is 7"),
        (NAME, {"license": "mit", "scores": "scores.json"}, "scores.json does not contain scores"),
        (NAME, {"license": "mit", "corpus": " \n"}, "corpus is empty; give a text, or omit it"),
        (NAME, {"license": "mit", "corpus": "a\udc80"}, r"corpus is 'a\udc80', which is not valid Unicode"),
    ],
)
def test_wrong_arguments(
    hub: Hub, vectors: WordVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, card: dict, message: str
):
    monkeypatch.chdir(tmp_path)
    Path("scores.json").write_text('{"analogies": 7}')
    with pytest.raises(ValueError, match=re.escape(message)):
        vectors.push_to_hub(name, **card)
    with pytest.raises(ValueError, match=re.escape(message)):
        vectors.save_pretrained("folder", name, **card)
    assert not hub.requests
    assert not Path("folder").exists()
