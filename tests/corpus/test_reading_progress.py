"""Reading a long corpus shows how far it is."""

from __future__ import annotations

import gzip
import itertools
import logging
import re
from typing import Any

import pytest

from fastw2v import Corpus
from fastw2v.corpus import corpus as corpus_module
from fastw2v.corpus import sources
from fastw2v.utils import progress

LINES = ["the cat sat on the mat"] * 100
SIZE = sum(len(line) + 1 for line in LINES)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """Return the messages so far. Blocks are small, and twelve seconds pass whenever the clock is read."""
    monkeypatch.setattr(progress, "_now", itertools.count(0, 12).__next__)
    monkeypatch.setattr(sources, "BLOCK_BYTES", SIZE // 4)
    monkeypatch.setattr(corpus_module, "BLOCK_TOKENS", 150)
    caplog.set_level(logging.INFO, logger="fastw2v")
    return lambda: [message for message in caplog.messages if message.startswith("reading")]


def test_a_text_file(tmp_path, messages):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="\n")
    Corpus.from_text(path)
    *under_way, end = messages()
    percentages = [int(re.match(r"reading: (\d+)%, [\d.]+ bytes/s, \d:\d\d:\d\d left$", line)[1]) for line in under_way]
    assert len(percentages) >= 3
    assert percentages == sorted(percentages)
    assert re.match(rf"reading: 100%, {SIZE:,} bytes in [\d.]+ s, [\d.]+ bytes/s$", end)


def test_a_compressed_file_whose_size_is_unknown(tmp_path, messages):
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress("\n".join(LINES).encode()))
    Corpus.from_text(path)
    *under_way, end = messages()
    assert len(under_way) >= 3
    assert all(re.match(r"reading: [\d,]+ bytes, [\d.]+ bytes/s$", line) for line in under_way)
    assert re.match(r"reading: [\d,]+ bytes in [\d.]+ s, [\d.]+ bytes/s$", end)


@pytest.mark.parametrize("sized", [True, False])
def test_token_lists(messages, sized):
    sentences = [line.split() for line in LINES]
    Corpus.from_sentences(sentences if sized else iter(sentences))
    *under_way, end = messages()
    assert len(under_way) >= 3
    for line in under_way:
        assert re.match(r"reading: \d+%, .* left$" if sized else r"reading: \d+ sentences, .* sentences/s$", line)
    assert re.match(r"reading: (100%, )?100 sentences in", end)


def test_a_short_text_is_not_mentioned(tmp_path, messages, monkeypatch):
    monkeypatch.setattr(progress, "_now", lambda: 0.0)
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    Corpus.from_text(path)
    Corpus.from_sentences([line.split() for line in LINES])
    assert messages() == []
