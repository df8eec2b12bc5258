"""The Python and shell blocks of README and the documentation pages run as printed, in the order of the page.

Each page runs in a folder of its own that holds small stand-ins for the files it names. A block that cannot run is
preceded by a line ``<!-- not run: REASON -->``, and one that needs optional packages by ``<!-- needs: PACKAGE, … -->``.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import pickle
import random
import re
import shlex
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fastw2v import Word2Vec, WordVectors
from fastw2v.cli.app import app
from fastw2v.datasets.catalog import WORD_PAIRS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORDS = """
the a of king queen man woman athens greece oslo norway big bigger small smaller year years month week car truck toyota
honda dog dogs cat mouse read write list tuple new york good better bad worse you we i take took go went ship harbour
sailor paris london france apple orange he she
"""
KOREAN_WORDS = "영화 배우 연기 감독 드라마 재미 남자 여자 한국 서울 일본 도쿄 고양이를 강아지를"
"""Words of the Korean pages, in corpus.txt, book.txt and the vectors. The other files can be read as CP949."""
REVIEW_WORDS = """
영화가 영화는 영화를 배우들의 배우가 연기가 연기도 재미가 재미도 정말 재미있다 재미있었어요 지루하다 지루했다 지루하고
훌륭하고 감동적이었다 중간에 마지막까지 봤다 보고 또 돈이 아깝다
"""


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code of a page that can run here."""
    pattern = rf"^(?:<!-- (not run|needs): ([^\n]*) -->\n\n?)?( *)```{language}\n(.*?)^\3```$"
    found = re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [
        textwrap.dedent(code)
        for mark, reason, _, code in found
        if not mark or (mark == "needs" and all(importlib.util.find_spec(name) for name in reason.split(", ")))
    ]


# tests/test_docs.py runs the Python of the READMEs and compares what it prints.
PYTHON_PAGES = [page for page in PAGES if page.parent != ROOT and blocks(page, "python")]
SHELL_PAGES = [page for page in PAGES if any("fastw2v " in block for block in blocks(page, "sh"))]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Return a folder with a small file for each name that the pages use."""
    folder = tmp_path_factory.mktemp("files")
    rng = random.Random(1)
    lines = [" ".join(rng.choices(WORDS.split(), k=12)) for _ in range(2000)]
    english = "\n".join(lines) + "\n"
    text = english + "\n".join(" ".join(rng.choices(KOREAN_WORDS.split(), k=12)) for _ in range(500)) + "\n"
    for name in ("corpus.txt", "book.txt", "news.txt", "today.txt", "part-1.txt", "part-2.txt", "ptb.train.txt"):
        new_words = "a comet and a cat\n" * 20 if name in ("news.txt", "today.txt") else ""
        known = text if name in ("corpus.txt", "book.txt") else english
        (folder / name).write_text(known + new_words, encoding="utf-8")
    (folder / "wiki-1.txt.xz").write_bytes(lzma.compress(english.encode()))
    model = Word2Vec(seed=1, epochs=1).fit(lines_of(text))
    names = "vectors.safetensors wikipedia.safetensors cbow_params.safetensors vectors.bin vectors-1990.bin "
    for name in (names + "vectors-2020.bin cc.en.300.bin").split():
        model.wv.save(folder / name)
    big = WordVectors(model.wv.index_to_key, np.zeros((len(model.wv), 300), np.float32) + 0.1)
    big.save(folder / "GoogleNews-vectors-negative300.bin.gz")
    big.save(folder / "glove.6B.300d.txt", format="glove")
    glove = (folder / "glove.6B.300d.txt").read_text(encoding="utf-8")
    (folder / "glove.840B.300d.txt").write_text(glove + glove.splitlines()[0] + "\n", encoding="utf-8")
    (folder / "korean.txt").write_bytes("2 2\n고양이 1 0\n강아지 0 1\n".encode("cp949"))
    questions = ": family\nking queen man woman\nman woman king queen\n"
    for name in ("questions-words.txt", "word_analogy_korean.txt", "my-questions.txt"):
        (folder / name).write_text(questions, encoding="utf-8")
    pairs = "king\tqueen\t8.5\ncar\ttruck\t7.1\ndog\tcat\t6.0\n"
    for name in ("my-pairs.tsv", *WORD_PAIRS.values()):
        (folder / name).write_text(pairs.replace("\t", "," if name.endswith(".csv") else "\t"), encoding="utf-8")
    reviews = [" ".join(rng.choices(REVIEW_WORDS.split(), k=8)) for _ in range(500)]
    (folder / "nsmc" / "raw").mkdir(parents=True)
    for number in range(10):
        rated = [{"review": one, "rating": str(rng.randint(1, 10))} for one in reviews[number::10]]
        (folder / "nsmc" / "raw" / f"{number}.json").write_text(json.dumps(rated), encoding="utf-8")
    ids = {word: i for i, word in enumerate(model.wv.index_to_key)}
    params = {"word_vecs": model.wv.vectors.astype(np.float16), "word_to_id": ids, "id_to_word": dict(enumerate(ids))}
    (folder / "cbow_params.pkl").write_bytes(pickle.dumps(params))
    if importlib.util.find_spec("gensim"):
        from gensim.models import Word2Vec as GensimWord2Vec

        GensimWord2Vec(lines_of(text), min_count=1, epochs=1).save(str(folder / "word2vec.model"))
    return folder


def lines_of(text: str) -> list[list[str]]:
    """Return the sentences of a text."""
    return [line.split() for line in text.splitlines()]


@pytest.fixture
def page_folder(files, tmp_path, monkeypatch) -> Path:
    """Return a copy of the files as the current folder, which is also the folder of the data sets."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTW2V_DATA", str(tmp_path))
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    return tmp_path


def name_of(page: Path) -> str:
    """Return the path of a page from the root of the project."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name_of)
def test_python_blocks_run(page, page_folder):
    names: dict = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, name_of(page), "exec"), names)


@pytest.mark.parametrize("page", SHELL_PAGES, ids=name_of)
def test_shell_commands_run(page, page_folder):
    """Only the commands of fastw2v run. Those of other programs, and pipes into fastw2v, are left out."""
    runner = CliRunner()
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line, comments=True) or [""]
            if program == "fastw2v":
                result = runner.invoke(app, arguments)
                assert result.exit_code == 0, f"{line}\n{result.output}"


def test_most_pages_run():
    assert len(PYTHON_PAGES) >= 12
    assert len(SHELL_PAGES) >= 10
