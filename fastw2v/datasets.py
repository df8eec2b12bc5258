"""Data sets: the Penn Treebank, text8, evaluation sets, and a demonstration corpus that needs no download.

A file is looked for in the folder that the environment variable ``FASTW2V_DATA`` names, directly or in sub-folders of
the usual names, such as ``eval/word-sim``, plain or as ``NAME.xz``; it is taken as it is. Otherwise it is downloaded
once, into a cache folder, and held against its SHA-256. Each set has its own licence, which its source states.
"""

from __future__ import annotations

import lzma
import os
import re
import secrets
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "SUITES",
    "Suite",
    "demo_corpus",
    "load_ptb",
    "load_questions_words",
    "load_suite",
    "load_text8",
    "load_word_pairs",
]

FOLDER_VARIABLE = "FASTW2V_DATA"
SUB_FOLDERS = ("", "ptb", "corpora", "eval", "eval/word-sim", "eval/ko", "word-sim", "ko")

_PTB = "https://raw.githubusercontent.com/tomsercu/lstm/master/data/"
_WORD2VEC = "https://raw.githubusercontent.com/tmikolov/word2vec/master/"
_WORD_SIM = "https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/master/data/word-sim/"
_KOREAN = "https://raw.githubusercontent.com/SungjoonPark/KoreanWordVectors/e34ba28e275bfd4a5d185e7718b147bc3177d8f7/"

SOURCES = {
    _PTB + "ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    _PTB + "ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    _PTB + "ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    "https://mattmahoney.net/dc/text8.zip": "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    _WORD2VEC + "questions-words.txt": "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
    _WORD_SIM + "EN-MC-30.txt": "33ee05911496ff83d95cac351d0746c6f63b9181b605cb7d307f4daa8864511b",
    _WORD_SIM + "EN-MEN-TR-3k.txt": "888b13580faa362c7b11da0a670258cf1b1eb4bf0ecbcd418918729a3bd3f43a",
    _WORD_SIM + "EN-MTurk-287.txt": "a9ae3a9decb75a9700fe0cf18b048c1344774d9f40e0196baf8e34d4cd9d1ce5",
    _WORD_SIM + "EN-RG-65.txt": "c243f3a91c3f5d8cf67f21a67f6fb80bde8b6bb060851a6a48e6f2d68ec98c9f",
    _WORD_SIM + "EN-SIMLEX-999.txt": "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
    _WORD_SIM + "EN-WS-353-ALL.txt": "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
    _WORD_SIM + "EN-WS-353-REL.txt": "66a7c88100624d0a391605ff61ce84e11d11ee620d51ec0298da49592838f8fa",
    _WORD_SIM + "EN-WS-353-SIM.txt": "f1da938998863c94e53f72f984a5c6e215f0b46c323aae8f0f4930703a339107",
    _KOREAN + "word_analogy_korean.txt": "b6dea84dda708883948de3b5922604acbe8fe71ed137c005c5b58b2cccbe4e96",
    _KOREAN + "WS353_korean.csv": "1a2d9048dfde1a63e864c59f292db42ebe62b63469900d08bb87b074cc96306e",
}
"""Where each file comes from, and its SHA-256: for text8 the one that others publish, else taken from a copy."""

WORD_PAIRS = {
    "mc30": "EN-MC-30.txt",
    "men": "EN-MEN-TR-3k.txt",
    "mturk287": "EN-MTurk-287.txt",
    "rg65": "EN-RG-65.txt",
    "simlex999": "EN-SIMLEX-999.txt",
    "wordsim353": "EN-WS-353-ALL.txt",
    "wordsim353-relatedness": "EN-WS-353-REL.txt",
    "wordsim353-similarity": "EN-WS-353-SIM.txt",
    "wordsim353-korean": "WS353_korean.csv",
}
"""The names that `load_word_pairs` knows."""

SUITES = {
    "english": ("questions-words.txt", tuple(name for name in WORD_PAIRS if name != "wordsim353-korean")),
    "korean": ("word_analogy_korean.txt", ("wordsim353-korean",)),
}
"""The names that `load_suite` knows: a file of analogies, and sets of word pairs."""

DEMO_TOKENS = 1_000_000
"""Where the demonstration corpus ends at the latest."""

_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Code about drawing and tests says little about Python, encodings are tables, and the rest is not everywhere.
_NOT_FOR_DEMO = (
    {"tkinter", "turtle", "turtledemo", "test", "tests"}
    | {"encodings", "pydoc_data"}
    | {"distutils", "ensurepip", "idlelib", "lib2to3"}
)


@dataclass(frozen=True)
class Suite:
    """Where the files of a suite of evaluation sets are.

    Attributes
    ----------
    name : str
    analogies : Path
    pairs : dict of str to Path
        The files of word pairs, under the names of the sets.
    """

    name: str
    analogies: Path
    pairs: dict[str, Path]


def load_ptb(split: str = "train") -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    """Return the Penn Treebank in Mikolov's preparation: news text of 10,000 words, the textbook's corpus.

    Parameters
    ----------
    split : {"train", "valid", "test"}
        "val" is taken for "valid", as the textbook does.

    Returns
    -------
    corpus : int32 array, shape (T,)
        929,589 ids for "train". ``<eos>`` ends each line.
    word_to_id : dict of str to int
        By first appearance in "train", whichever the split.
    id_to_word : dict of int to str

    Raises
    ------
    ValueError
        If `split` is none of these, or a file is not what it should be.
    OSError
        If the file is not there and cannot be downloaded.
    """
    split = "valid" if split == "val" else split
    if split not in ("train", "valid", "test"):
        raise ValueError(f"split is {split!r}; it must be 'train', 'valid' or 'test'")
    train = _ptb_words("train")
    id_to_word = dict(enumerate(dict.fromkeys(train)))
    word_to_id = {word: i for i, word in id_to_word.items()}
    words = train if split == "train" else _ptb_words(split)
    if strange := set(words) - word_to_id.keys():
        raise ValueError(f"ptb.{split}.txt has words that ptb.train.txt lacks, such as {min(strange)!r}")
    corpus = np.fromiter(map(word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
    return corpus, word_to_id, id_to_word


def load_text8() -> Path:
    """Return the path of text8: the first 100 MB of cleaned English Wikipedia of 2006, 17 million words in one line.

    Give it to ``Corpus.from_text``.

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded (31 MB).
    """
    return _path("text8")


def load_questions_words() -> Path:
    """Return the path of Mikolov's 19,544 analogy questions, for `fastw2v.evaluate`.

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded.
    """
    return _path("questions-words.txt")


def load_word_pairs(name: str = "wordsim353") -> Path:
    """Return the path of a set of word pairs with human judgements of similarity, for `fastw2v.evaluate`.

    Parameters
    ----------
    name : str
        One of "mc30", "men", "mturk287", "rg65", "simlex999", "wordsim353", "wordsim353-relatedness",
        "wordsim353-similarity" and "wordsim353-korean". Cite the authors of the set that you use.

    Raises
    ------
    ValueError
        If the name is none of these.
    OSError
        If the file is not there and cannot be downloaded.
    """
    if name not in WORD_PAIRS:
        raise ValueError(f"there are no word pairs {name!r}; the sets are {', '.join(WORD_PAIRS)}")
    return _path(WORD_PAIRS[name])


def load_suite(name: str = "english", folder: str | PathLike[str] | None = None) -> Suite:
    """Return the paths of all evaluation sets of a language, for `fastw2v.evaluate.evaluate_suite`.

    Parameters
    ----------
    name : {"english", "korean"}
        English: Mikolov's analogies and the eight English sets of `load_word_pairs`. Korean: the 10,000 analogies and
        the 353 pairs of Park et al. (2018). Cite the authors of the sets that you use.
    folder : path, optional
        Look for the files here, rather than in the folder that ``FASTW2V_DATA`` names.

    Raises
    ------
    ValueError
        If there is no such suite.
    OSError
        If a file is not there and cannot be downloaded; the message names all that the suite takes.
    """
    if name not in SUITES:
        raise ValueError(f"there is no suite {name!r}; the suites are {', '.join(SUITES)}")
    analogies, sets = SUITES[name]
    try:
        return Suite(name, _path(analogies, folder), {one: _path(WORD_PAIRS[one], folder) for one in sets})
    except NotADirectoryError:
        raise
    except OSError as error:
        files = ", ".join([analogies, *(WORD_PAIRS[one] for one in sets)])
        raise OSError(f"{error}. The suite {name!r} takes {files}") from error


def demo_corpus() -> list[list[str]]:
    """Return text that every Python carries: the documentation and sources of its own standard library.

    Names are split at underscores and capitals, all is lower-cased, and a paragraph (lines between blank lines) is a
    sentence. Nothing is imported but the documentation's text, and the order is fixed, so the same Python
    always gives the same corpus: somewhat under a million words, in about two seconds.

    Raises
    ------
    OSError
        If this Python comes without the sources of its library.
    """
    texts = [*_language_topics(), *map(_source, _library_files())]
    paragraphs = (paragraph for text in texts for paragraph in re.split(r"\n\s*\n", text))
    sentences: list[list[str]] = []
    n_tokens = 0
    for paragraph in paragraphs:
        words = [word.lower() for word in _NAME_PART.findall(paragraph)]
        if words:
            sentences.append(words)
            n_tokens += len(words)
        if n_tokens >= DEMO_TOKENS:
            break
    if n_tokens < DEMO_TOKENS // 10:
        raise FileNotFoundError(
            f"{sysconfig.get_path('stdlib')} holds only {n_tokens} words of Python sources, too few for a "
            "demonstration; give a text of your own to `fastw2v train`"
        )
    return sentences


def _language_topics() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    return [topics[name] for name in sorted(topics)]


def _library_files() -> list[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    files = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] in sys.stdlib_module_names and not _NOT_FOR_DEMO.intersection(parts):
            files.append(path)
    return files


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _ptb_words(split: str) -> list[str]:
    path = _path(f"ptb.{split}.txt")
    words: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            words += line.split()
            words.append("<eos>")
    if not words:
        raise ValueError(f"{path} is empty")
    return words


def _path(name: str, folder: str | PathLike[str] | None = None) -> Path:
    """Return the file `name` from the user's folder, or else from the cache, downloaded if need be."""
    for place in _places(folder):
        path = place / name
        if path.is_file():
            return path
        if (packed := path.with_name(f"{name}.xz")).is_file():
            return _unpacked(packed, name)
    return _downloaded(name)


def _places(folder: str | PathLike[str] | None) -> Iterator[Path]:
    """Give the folders to look into: those of the folder given, or else of the one that the environment names."""
    given = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    if not given:
        return
    if not Path(given).is_dir():
        named = "the folder of the data" if folder is not None else f"the environment variable {FOLDER_VARIABLE}"
        raise NotADirectoryError(f"{named} is {os.fspath(given)!r}, which is no folder")
    for sub_folder in SUB_FOLDERS:
        yield Path(given, sub_folder)


def _cache() -> Path:
    import pooch  # type: ignore[import-untyped]

    return Path(pooch.os_cache("fastw2v"))


def _unpacked(packed: Path, name: str) -> Path:
    # The name tells which version of the file it came from.
    stamp = packed.stat()
    target = _cache() / "unpacked" / f"{stamp.st_size:x}-{stamp.st_mtime_ns:x}" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            with lzma.open(packed) as source, partial.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            partial.replace(target)
        except (EOFError, lzma.LZMAError) as error:
            raise ValueError(f"{packed} is not a whole .xz file: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
    return target


def _downloaded(name: str) -> Path:
    import pooch

    url = next(url for url in SOURCES if url.endswith((f"/{name}", f"/{name}.zip")))
    packed = url.endswith(".zip")
    try:
        found: Any = pooch.retrieve(
            url,
            known_hash=f"sha256:{SOURCES[url]}",
            fname=url.rsplit("/", 1)[1],
            path=_cache(),
            processor=pooch.Unzip(members=[name]) if packed else None,
        )
    except (OSError, ValueError) as error:  # no network; a file that is not the one expected
        raise OSError(
            f"{name} is not on this machine, and downloading it from {url} failed: {_root_of(error)}. "
            f"Put the file {name} into a folder and name the folder in the environment variable {FOLDER_VARIABLE}"
        ) from error
    return Path(found[0] if packed else found)


def _root_of(error: BaseException) -> str:
    """Return the message of the first error: where a host is not found, three more tell it at length."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
