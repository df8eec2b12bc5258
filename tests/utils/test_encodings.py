"""The encoding of real sentences is recognised, and is not proposed for text that is mostly UTF-8."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import pytest

from fastw2v.utils.encodings import check_encoding, encoding_of_mark, guess_encoding, read_text

TEXTS = {
    "Korean": "나는 오늘 아침에 학교에 가서 친구들을 만났다. 우리는 함께 점심을 먹고 도서관에서 책을 읽었다.\n",
    "Japanese": "私は今日、学校へ行って友達に会いました。みんなで昼ご飯を食べて、図書館で本を読みました。\nカタカナ\n",
    "Chinese": "我今天早上去学校见了朋友。我们一起吃了午饭,然后在图书馆看书。中华人民共和国的首都是北京。\n",
    "Taiwanese": "我今天早上去學校見了朋友。我們一起吃了午飯,然後在圖書館看書。這是一個繁體中文的例子。\n",
    "Russian": "Сегодня утром я пошёл в школу и встретил друзей. Мы вместе пообедали и читали книги.\n",
    "French": "Ce matin, je suis allé à l’école où j’ai rencontré des élèves français. C’était très tôt.\n",  # noqa: RUF001
    "German": "Heute früh ging ich zur Schule und traf größere Schüler. Wir aßen Äpfel mit Öl.\n",
    "Polish": "Dzisiaj rano poszedłem do szkoły i spotkałem się z przyjaciółmi. Zażółć gęślą jaźń.\n",
    "Greek": "Σήμερα το πρωί πήγα στο σχολείο και συνάντησα τους φίλους μου.\n",
    "Hebrew": "היום בבוקר הלכתי לבית הספר ופגשתי את חבריי.\n",
    "Arabic": "ذهبت هذا الصباح إلى المدرسة وقابلت أصدقائي.\n",
    "Thai": "วันนี้ ตอนเช้า ฉันไปโรงเรียน และพบเพื่อน\n",
}


@pytest.mark.parametrize("repeats", [1, 1000])
@pytest.mark.parametrize(
    ("language", "written", "proposed"),
    [
        ("Korean", "cp949", "cp949"),
        ("Korean", "euc_kr", "cp949"),
        ("Korean", "utf-16-le", "utf-16-le"),
        ("Japanese", "shift_jis", "cp932"),
        ("Japanese", "euc_jp", "euc_jp"),
        ("Chinese", "gb2312", "gb18030"),
        ("Chinese", "gb18030", "gb18030"),
        ("Taiwanese", "big5", "big5"),
        ("Russian", "cp1251", "cp1251"),
        ("Russian", "koi8-r", "koi8-r"),
        ("Russian", "cp866", "cp866"),
        ("Russian", "utf-16-be", "utf-16-be"),
        ("French", "cp1252", "cp1252"),
        ("French", "utf-16-le", "utf-16-le"),
        ("German", "latin-1", "cp1252"),
        ("Polish", "cp1250", "cp1250"),
        ("Greek", "cp1253", "cp1253"),
        ("Hebrew", "cp1255", "cp1255"),
        ("Arabic", "cp1256", "cp1256"),
        ("Thai", "cp874", "cp874"),
    ],
)
def test_sentences_of_many_languages(language: str, written: str, proposed: str, repeats: int):
    assert guess_encoding((TEXTS[language] * repeats).encode(written)) == proposed


def test_words_with_many_accents_are_not_hebrew():
    assert guess_encoding("café crème été\n".encode("latin-1")) == "cp1252"


@pytest.mark.parametrize("language", TEXTS)
def test_damaged_utf8_is_no_other_encoding(language: str):
    data = TEXTS[language].encode()
    assert guess_encoding(data) is None
    assert guess_encoding(data + b"\xb3 \xe9") is None
    assert guess_encoding(data[:-3] + b"\xff\n" + data) is None


@pytest.mark.parametrize(
    "data", [b"", b"the cat sat\n" * 10, b"\xff\xfe\xfd\x80\x81" * 9, b"\x00" * 99, bytes(range(256))]
)
def test_ascii_and_binary_data_have_no_proposal(data: bytes):
    assert guess_encoding(data) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str):
    assert encoding_of_mark("cat".encode(encoding)) == encoding
    for order in () if encoding == "utf-8-sig" else ("-le", "-be"):
        assert encoding_of_mark("\ufeffcat".encode(encoding + order)) == encoding


@pytest.mark.parametrize(
    ("encoding", "error"),
    [("utf-9", ValueError), ("base64", ValueError), ("", ValueError), (None, TypeError), ("x" * 9999, ValueError)],
)
def test_encodings_that_do_not_exist(encoding: Any, error: type[Exception]):
    with pytest.raises(error, match="encoding is") as caught:
        check_encoding(encoding)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_small_files_are_decompressed(tmp_path: Path, compress: Any):
    path = tmp_path / "words"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(compress("고양이 cat\n".encode(encoding)))
        assert read_text(path) == "고양이 cat\n"
    path.write_bytes(compress(b"cat" * 100)[:-9])
    with pytest.raises(ValueError, match="words is cut short"):
        read_text(path)


def test_small_files(tmp_path: Path):
    path = tmp_path / "words.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path.write_text("고양이 cat", encoding=encoding)
        assert read_text(path) == "고양이 cat"
    for encoding, language, proposed in (
        ("euc-kr", "Korean", "cp949"),
        ("cp1252", "French", "cp1252"),
        ("utf-16-le", "German", "utf-16-le"),
    ):
        path.write_text(TEXTS[language], encoding=encoding)
        with pytest.raises(ValueError, match=rf"words\.txt is not UTF-8: .* iconv -f {proposed} -t UTF-8"):
            read_text(path)
    path.write_bytes(b"\xff\xfea")
    with pytest.raises(ValueError, match=r"words\.txt is not UTF-16: .* iconv -f ENCODING -t UTF-8"):
        read_text(path)
