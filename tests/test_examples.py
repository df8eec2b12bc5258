"""The example scripts run on small inputs and print the expected results."""

from __future__ import annotations

import random
import re
import runpy
import sys
from pathlib import Path

import pytest

from fastw2v import Word2Vec, WordVectors

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs an example in an empty folder and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run_example(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run_example


@pytest.fixture
def animals(tmp_path):
    """Return a text in which cats and dogs do the same things, and cars and trucks do different things."""
    rng = random.Random(1)
    kinds = [(["cat", "dog"], ["sleeps", "eats", "purrs"]), (["car", "truck"], ["drives", "brakes", "turns"])]
    lines = []
    for _ in range(2000):
        nouns, verbs = rng.choice(kinds)
        lines.append(f"the {rng.choice(nouns)} {rng.choice(verbs)} and {rng.choice(verbs)}")
    path = tmp_path / "animals.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_every_example_is_tested():
    tested = set(re.findall(r'run\(\s*"(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}


def test_text8(run, animals, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text(": pairs\ncat dog car truck\ncat dog unicorn dragon\n", encoding="utf-8")
    printed = run("text8.py", "--corpus", animals, "--analogies", str(questions))
    assert "50.0% covered" in printed
    assert len(WordVectors.load("text8.safetensors")) == 12


def test_graph_walks(run):
    printed = run("graph_walks.py", "--nodes", "200", "--communities", "4")
    share = float(re.search(r"([\d.]+)% of the ten nearest", printed)[1])
    assert share > 60
    assert "(chance: 25.0%)" in printed


def test_baskets_that_are_generated(run):
    printed = run("baskets.py")
    suggestions = re.search(r"with cereal, .* suggest: (.*)", printed)[1].split(", ")
    assert set(suggestions) <= {"milk", "oat milk", "cereal", "muesli", "bananas", "yoghurt", "honey"}


def test_baskets_of_a_file(run, tmp_path):
    rng = random.Random(1)
    kinds = ["red wine", "tea", "nails, long", "soap", "bread", "fruit", "soup", "paint", "wool", "seeds"]
    rows = ["order_id,item"]
    for order in range(6000):
        kind = kinds[order % len(kinds)]
        rows += [f'{order},"{kind} {number}"' for number in rng.sample(range(10), 6)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")  # as spreadsheets write it
    printed = run("baskets.py", "--orders", str(path))
    lines = re.findall(r"^  (.*) \d: (.*)$", printed, re.MULTILINE)
    assert len(lines) == 5
    same = [other == kind for kind, others in lines for other in re.findall("|".join(kinds), others)]
    assert len(same) == 20
    assert sum(same) >= 14  # of 20; by chance 2


def test_baskets_without_the_columns(run, tmp_path):
    (tmp_path / "orders.csv").write_text("order,product\n1,tea\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"\['order', 'product'\]; the columns order_id and item are needed"):
        run("baskets.py", "--orders", "orders.csv")


@pytest.mark.parametrize("sizes", [("0", "1"), ("20", "0"), ("19", "1"), ("20", "6")])
def test_graphs_that_are_too_small(run, capsys, sizes):
    with pytest.raises(SystemExit) as stopped:
        run("graph_walks.py", "--nodes", sizes[0], "--communities", sizes[1])
    assert stopped.value.code == 2
    assert "four times as large" in capsys.readouterr().err


def test_continued_training(run, animals, tmp_path):
    text = Path(animals).read_text(encoding="utf-8")
    newer = tmp_path / "newer.txt"
    newer.write_text(text.replace("cat", "kitten"), encoding="utf-8")
    printed = run("continued_training.py", "--first", animals, "--second", str(newer), "--words", "dog", "kitten")
    before, after = printed.split("after the second text")
    assert "kitten: not in the vocabulary" in before
    assert re.search(r"kitten: .*\b(dog|cat)\b", after)
    assert "kitten" in Word2Vec.load("model.safetensors").wv


def test_continued_training_needs_both_texts(run, animals, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("continued_training.py", "--first", animals)
    assert stopped.value.code == 2
    assert "give both --first and --second, or neither" in capsys.readouterr().err


def test_textbook_chapter(run, animals):
    printed = run("textbook_chapter.py", "--corpus", animals, "--epochs", "1")
    first, last = map(float, re.search(r"loss: ([\d.]+) at the start, ([\d.]+) at the end", printed).groups())
    assert last < first
    assert "cat" in WordVectors.load("cbow_params.safetensors")


@pytest.mark.gpu
def test_textbook_chapter_on_a_gpu(run, animals, cupy):
    assert "at the end" in run("textbook_chapter.py", "--corpus", animals, "--epochs", "1", "--device", "cuda")
