"""Repositories of different contents, from which vectors are read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.formats import FormatError
from fastw2v.hub import HubError, find_pretrained
from tests.hub.hub_server import Hub, new_session

NAME = "user/cats"
VECTORS = WordVectors(["cat", "dog"], np.array([[1.0, 0.5], [-1.0, 0.25]], np.float32))
OTHER = WordVectors(["sun", "moon"], np.eye(2, dtype=np.float32))
MODULE = "sentence_transformers.models.StaticEmbedding"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def contents(vectors: WordVectors, folder: Path, *names: str) -> dict[str, bytes]:
    """Return the contents of files of vectors, by name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        vectors.save(folder / name)
    return {name: (folder / name).read_bytes() for name in names}


def static(folder: Path, place: str = "", path: str | None = None, kind: str = MODULE) -> dict[str, bytes]:
    """Return the files of a StaticEmbedding in a sub-folder of the repository."""
    VECTORS.save(folder, format="static-embedding")
    files = {f"{place}{name}": (folder / name).read_bytes() for name in ("model.safetensors", "tokenizer.json")}
    modules = [{"idx": 0, "name": "0", "path": place.rstrip("/") if path is None else path, "type": kind}]
    return files | {"modules.json": json.dumps(modules).encode()}


@pytest.mark.parametrize("name", ["wiki.safetensors", "v.bin", "v.vec.gz", "glove.txt", "v.glove", "v.npz"])
def test_the_only_file_of_vectors(hub: Hub, folder: Path, name: str):
    others = {"README.txt": b"a text", "requirements.txt": b"numpy", "sub/v.bin": b"other", "pytorch_model.bin": b"x"}
    hub.add(NAME, contents(VECTORS, folder, name) | others)
    read = WordVectors.from_pretrained(NAME)
    assert read.index_to_key == ["cat", "dog"]
    np.testing.assert_array_equal(read.vectors, VECTORS.vectors)
    downloads = [one for one in hub.requests if one.startswith("GET") and "/resolve/" in one]
    assert [one.rsplit("/", 1)[1] for one in downloads] == [name]


def test_the_file_that_push_writes_comes_first(hub: Hub, folder: Path, tmp_path: Path):
    files = static(folder) | contents(OTHER, tmp_path / "other", "vectors.safetensors", "more.bin")
    hub.add(NAME, files)
    assert WordVectors.from_pretrained(NAME).index_to_key == ["sun", "moon"]
    assert WordVectors.from_pretrained(NAME, filename="more.bin").index_to_key == ["sun", "moon"]


@pytest.mark.parametrize(
    ("place", "path", "kind"),
    [
        ("", "", MODULE),
        ("", ".", MODULE),
        ("0_StaticEmbedding/", None, MODULE),
        ("", "", "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"),
    ],
)
def test_static_embeddings(hub: Hub, folder: Path, place: str, path: str | None, kind: str):
    hub.add(NAME, static(folder, place, path, kind) | {"onnx/model.onnx": b"large", "pytorch_model.bin": b"large"})
    read = WordVectors.from_pretrained(NAME)
    assert read.index_to_key == ["cat", "dog"]
    np.testing.assert_array_equal(read.vectors, VECTORS.vectors)
    assert not [one for one in hub.requests if "onnx" in one or "pytorch_model" in one]


@pytest.mark.parametrize(
    "modules",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"[7]",
        b'[{"path": 7, "type": "x.StaticEmbedding"}]',
        b'[{"path": "", "type": "sentence_transformers.models.Transformer"}]',
        b'[{"path": "../..", "type": "x.StaticEmbedding"}]',
        b'[{"path": "/etc", "type": "x.StaticEmbedding"}]',
        b'[{"path": "nowhere", "type": "x.StaticEmbedding"}]',
        b"[" * 100_000,
    ],
)
def test_other_models_are_no_vectors(hub: Hub, folder: Path, modules: bytes):
    hub.add(NAME, static(folder) | {"modules.json": modules})
    with pytest.raises(FormatError, match=r"user/cats has no file that surely contains word vectors; its files are \["):
        WordVectors.from_pretrained(NAME)


def test_several_files_of_vectors(hub: Hub, folder: Path):
    hub.add(NAME, contents(VECTORS, folder, "a.bin", "b.txt") | {"c/d.vec": b"1 1\nsun 1\n"})
    with pytest.raises(FormatError, match=r"several files of vectors: \['a.bin', 'b.txt'\]; pass filename='a.bin'"):
        WordVectors.from_pretrained(NAME)
    assert WordVectors.from_pretrained(NAME, filename="b.txt").index_to_key == ["cat", "dog"]
    assert WordVectors.from_pretrained(NAME, filename="c/d.vec").index_to_key == ["sun"]
    for name in ("e.bin", "../a.bin", "/etc/passwd", "a.*"):
        with pytest.raises(FormatError, match=r"user/cats has no file '.*'; its files are \['"):
            WordVectors.from_pretrained(NAME, filename=name)


def test_names_with_special_characters(hub: Hub, folder: Path):
    hub.add(NAME, contents(VECTORS, folder, "a [1].bin", "a 1.bin"))
    path = find_pretrained(NAME, filename="a [1].bin")
    assert path.name == "a [1].bin"
    assert not (path.parent / "a 1.bin").exists()


def test_repositories_without_vectors(hub: Hub):
    hub.add(NAME, {})
    with pytest.raises(FormatError, match=r"its files are \['.gitattributes'\]. If one of them contains word vectors"):
        WordVectors.from_pretrained(NAME)


def test_pickles_are_read_only_if_the_format_is_named(hub: Hub, folder: Path):
    gensim = pytest.importorskip("gensim.models")
    folder.mkdir()
    kv = gensim.KeyedVectors(vector_size=2)
    kv.add_vectors(["cat", "dog"], VECTORS.vectors)
    for name in ("v.kv", "v.model"):
        kv.save(str(folder / name), sep_limit=0)
    hub.add(NAME, {path.name: path.read_bytes() for path in folder.iterdir()})
    with pytest.raises(FormatError, match="To read a pickle of gensim whose author you trust, pass its name"):
        WordVectors.from_pretrained(NAME)
    hub.requests.clear()
    with pytest.raises(FormatError, match=r"user/cats: v\.kv: this is the name of a pickle of gensim; if you"):
        WordVectors.from_pretrained(NAME, filename="v.kv")
    assert not hub.requests
    with pytest.raises(FormatError, match=r"this is .*pickle"):
        WordVectors.from_pretrained(NAME, filename="v.model")
    for name in ("v.kv", "v.model"):
        assert f"{name}.vectors.npy" in hub.repositories[NAME].files
        read = WordVectors.from_pretrained(NAME, filename=name, format="gensim")
        np.testing.assert_array_equal(read.vectors, VECTORS.vectors)


def test_parameters_of_load(hub: Hub, folder: Path):
    hub.add(NAME, {"v.txt": "3 1\nké 1\nké 2\nsun 3\n".encode("latin-1")})
    read = WordVectors.from_pretrained(NAME, encoding="latin-1", duplicates="first", limit=2, format="txt")
    assert read.index_to_key == ["ké"]
    with pytest.raises(FormatError, match="not UTF-8"):
        WordVectors.from_pretrained(NAME)


def test_messages_name_the_repository_and_the_file(hub: Hub, folder: Path):
    hub.add(NAME, {"v.vec": b"\x80\x04\x95not a file of vectors"})
    with pytest.raises(FormatError, match=r"^user/cats: v\.vec: ") as caught:
        WordVectors.from_pretrained(NAME)
    assert "snapshots" not in str(caught.value)
    hub.add("user/dogs", static(folder) | {"tokenizer.json": b"{"})
    with pytest.raises(FormatError, match=r"^user/dogs: not a complete StaticEmbedding folder"):
        WordVectors.from_pretrained("user/dogs")


def test_a_repository_that_changes_while_it_is_read(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    repository = hub.add(NAME, contents(VECTORS, folder, "v.bin"))
    snapshot_download = huggingface_hub.snapshot_download

    def after_a_push(*args: object, **named: object) -> str:
        repository.commit("rename", {"w.bin": repository.files["v.bin"]})
        return snapshot_download(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "snapshot_download", after_a_push)
        with pytest.raises(HubError, match=r"^user/cats was changed while it was read; try again$"):
            WordVectors.from_pretrained(NAME)
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]


def test_revisions(hub: Hub, folder: Path, tmp_path: Path):
    repository = hub.add(NAME, contents(VECTORS, folder, "v.bin"))
    old = repository.commits[-1].sha
    repository.tags["v1"] = old
    repository.commit("new", contents(OTHER, tmp_path / "other", "v.bin"))
    assert WordVectors.from_pretrained(NAME).index_to_key == ["sun", "moon"]
    assert WordVectors.from_pretrained(NAME, revision="v1").index_to_key == ["cat", "dog"]
    assert WordVectors.from_pretrained(NAME, revision=old).index_to_key == ["cat", "dog"]
    with pytest.raises(HubError, match=r"^user/cats has no revision 'v2'; pass a branch, a tag or a commit$"):
        WordVectors.from_pretrained(NAME, revision="v2")


def test_a_changed_repository_is_read_again(hub: Hub, folder: Path, tmp_path: Path):
    repository = hub.add(NAME, contents(VECTORS, folder, "v.bin"))
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    hub.requests.clear()
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    assert not [one for one in hub.requests if one.startswith("GET") and "/resolve/" in one]
    repository.commit("new", contents(OTHER, tmp_path / "other", "v.bin"))
    assert WordVectors.from_pretrained(NAME).index_to_key == ["sun", "moon"]


@contextlib.contextmanager
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        new_session()
        yield
    new_session()


@pytest.mark.parametrize("kind", ["one file", "static embedding"])
def test_the_cache_is_used_without_a_connection(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
):
    hub.add(NAME, contents(VECTORS, folder, "v.bin") if kind == "one file" else static(folder))
    unreachable = "user/cats is not in the cache, and the Hub is out of reach or HF_HUB_OFFLINE is set"
    with offline(monkeypatch), pytest.raises(HubError, match=unreachable):
        WordVectors.from_pretrained(NAME)
    WordVectors.from_pretrained(NAME)
    with offline(monkeypatch):
        assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    assert not caplog.messages
    hub.failures["/api/models"] = 503
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    assert "user/cats: the Hub answers 503: something is wrong. The files in the cache are used" in caplog.text
    caplog.clear()
    hub.failures["/api/models"] = None  # the message ends in a full stop
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    assert ". The files in the cache are used" in caplog.text
    assert ".. The files" not in caplog.text


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ("/api/models/user/cats", 401, "the Hub does not accept the token; log in"),
        ("/api/models/user/cats", 403, "the token has no permission for this"),
        ("/api/models/user/cats", 500, "the Hub answers 500: something is wrong"),
        ("/api/models/user/cats", None, "disconnected|aborted|without response"),
        ("HEAD /user/cats/resolve", 401, "user/cats"),
        ("HEAD /user/cats/resolve", 403, "user/cats"),
        ("GET /user/cats/resolve", 404, "the Hub answers 404"),
        ("HEAD /user/cats/resolve", 500, "the Hub answers 500"),
    ],
)
def test_failures_while_reading(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, request_: str, status: int | None, message: str
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # huggingface_hub waits before it tries again
    hub.add(NAME, contents(VECTORS, folder, "v.bin"))
    hub.failures[request_] = status
    with pytest.raises(HubError, match=message) as caught:
        WordVectors.from_pretrained(NAME)
    assert "\n" not in str(caught.value)
    assert "user/cats" in str(caught.value)


def test_the_error_that_the_caller_handles_is_not_the_reason(hub: Hub):
    hub.add(NAME, {})
    hub.failures["/api/models"] = None
    try:
        Path("missing.txt").read_bytes()
    except FileNotFoundError:
        with pytest.raises(HubError) as caught:
            WordVectors.from_pretrained(NAME)
    assert "missing.txt" not in str(caught.value)


def test_tokens_that_cannot_be_sent(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_é")
    for call in (lambda: WordVectors.from_pretrained(NAME), lambda: VECTORS.push_to_hub(NAME, license="mit")):
        with pytest.raises(HubError, match=r"^user/cats: the token contains characters that no token has; log in with"):
            call()


@pytest.mark.parametrize("revision", ["", " "])
def test_empty_revisions(hub: Hub, revision: str):
    with pytest.raises(ValueError, match="revision is empty; give a branch, a tag or a commit, or omit it"):
        WordVectors.from_pretrained(NAME, revision=revision)
    assert not hub.requests


def test_missing_and_gated_repositories(hub: Hub):
    with pytest.raises(HubError, match=r"^the Hub has no repository user/dogs, or it is private; check the name, or"):
        WordVectors.from_pretrained("user/dogs")
    hub.add(NAME, {}).gated = True
    with pytest.raises(HubError, match=r"^user/cats is gated; accept its conditions on its page on the Hub, and"):
        WordVectors.from_pretrained(NAME)


def test_paths_of_a_hostile_repository_stay_in_the_cache(hub: Hub, folder: Path, tmp_path: Path):
    content = contents(VECTORS, folder, "v.bin")["v.bin"]
    names = ["../../../../evil.bin", "/evil.bin", "sub/../../../evil.bin"]
    hub.add(NAME, dict.fromkeys([*names, "v.bin"], content))
    assert WordVectors.from_pretrained(NAME).index_to_key == ["cat", "dog"]
    for name in names:
        with pytest.raises(FormatError, match="has no file"):
            WordVectors.from_pretrained(NAME, filename=name)
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/evil.bin").exists()


def test_local_folders(folder: Path, tmp_path: Path):
    VECTORS.save_pretrained(tmp_path / "cats", NAME, license="mit")
    assert WordVectors.from_pretrained(str(tmp_path / "cats")).index_to_key == ["cat", "dog"]
    (tmp_path / "cats" / "vectors.safetensors").unlink()
    assert find_pretrained(str(tmp_path / "cats")) == tmp_path / "cats" / "0_StaticEmbedding"
    assert WordVectors.from_pretrained(str(tmp_path / "cats")).index_to_key == ["cat", "dog"]
    with pytest.raises(ValueError, match="is a folder, which has no revisions; omit the revision"):
        WordVectors.from_pretrained(str(tmp_path / "cats"), revision="main")
    with pytest.raises(FormatError, match=r"has no file 'x\.bin'"):
        WordVectors.from_pretrained(str(tmp_path / "cats"), filename="x.bin")
    contents(VECTORS, folder, "v.vec")
    assert find_pretrained(folder) == folder / "v.vec"


@pytest.mark.parametrize(
    "name",
    ["cats", "a/b/c", "", "x" * 1000, f"user/{'x' * 92}", "user/cats\0", "https://huggingface.co/user/cats", 7, None],
)
def test_wrong_names(name: str):
    with pytest.raises(ValueError, match="is not the name of a repository"):
        WordVectors.from_pretrained(name)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    for call in (
        lambda: WordVectors.from_pretrained(NAME),
        lambda: VECTORS.push_to_hub(NAME, license="mit"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'fastw2v\[hub\]'"):
            call()
