"""Files of questions and word pairs, both as published and malformed."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastw2v.evaluate.readers import read_analogies, read_pairs


def test_read_analogies(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(
        "\ufeffe f g h\r\n: capitals \r\nAthens Greece  Paris\tFrance\r\n\r\n: \n: capitals\na b c é\n".encode()
    )
    assert read_analogies(path) == {
        "": [("e", "f", "g", "h")],
        "capitals": [("Athens", "Greece", "Paris", "France"), ("a", "b", "c", "é")],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\na b c d\na b c\n", "line 3: 'a b c' is neither"),
        (": s\na b c d e\n", "line 2"),
        (":s\na b c d\n", "line 1"),
        (": s\n\n", "no questions"),
        ("", "no questions"),
        (b"caf\xe9", "not UTF-8"),
    ],
)
def test_malformed_analogies_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_analogies(path)


def test_read_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"# Word 1\tWord 2\tHuman (mean)\r\ntiger\tcat\t7.35\r\n\r\nlove sex  6\n")
    assert read_pairs(path) == [("tiger", "cat", 7.35), ("love", "sex", 6.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t1\na\tb\n", "line 2: .* is not two words and a number"),
        ("word1\tword2\tscore\n", "line 1"),
        ("a b nan\n", "line 1"),
        ("a,b,1.0\n", "line 1"),
        ("# nothing\n", "no pairs"),
    ],
)
def test_malformed_pairs_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)


def test_pairs_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes("\ufeffword 1,word 2,kor_score\n사랑,연애 ,6.42\n회사,주식,4.00 \n".encode())
    assert read_pairs(path) == [("사랑", "연애", 6.42), ("회사", "주식", 4.0)]
    path.write_text("sun,moon,9\nsun,soup,one\n")
    with pytest.raises(ValueError, match="line 2: 'sun,soup,one' is not two words and a number"):
        read_pairs(path)
    path.write_text("sun,moon,9\n")
    assert read_pairs(path) == [("sun", "moon", 9.0)]
    (tmp_path / "pairs.csv.gz").write_bytes(gzip.compress(b"word 1,word 2,score\nsun,moon,9\n"))
    assert read_pairs(tmp_path / "pairs.csv.gz") == [("sun", "moon", 9.0)]
    (tmp_path / "pairs.txt").write_text("word1 word2 score\nsun moon 9\n")
    with pytest.raises(ValueError, match="line 1"):
        read_pairs(tmp_path / "pairs.txt")


@pytest.fixture
def eval_folder() -> Iterator[Path]:
    folder = Path(os.environ.get("FASTW2V_DATA", "")) / "eval"
    if "FASTW2V_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("FASTW2V_DATA names no folder with evaluation sets in eval/")
    return folder


def test_public_evaluation_sets(eval_folder: Path) -> None:
    questions = read_analogies(eval_folder / "questions-words.txt")
    assert (len(questions), sum(map(len, questions.values()))) == (14, 19_544)
    assert len(read_pairs(eval_folder / "wordsim353.tsv")) == 353
    assert len(read_pairs(eval_folder / "simlex999.txt")) == 999
    sizes = {path.name: len(read_pairs(path)) for path in (eval_folder / "word-sim").glob("EN-*.txt")}
    assert sizes["EN-MEN-TR-3k.txt"] == 3000
    assert sizes["EN-WS-353-ALL.txt"] == 353
    assert sizes["EN-VERB-143.txt"] == 144
