"""Producers of errors in the section "Data sets"."""

from __future__ import annotations

import pytest

from fastw2v import datasets
from fastw2v.datasets import demo
from tests.errors.common import Producer, write


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the network is unreachable")

    monkeypatch.delenv("FASTW2V_DATA", raising=False)
    monkeypatch.setattr("pooch.retrieve", fail)


def offline_text(monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    datasets.load_text8()


def offline_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    datasets.load_suite("english")


def ptb(monkeypatch: pytest.MonkeyPatch, train: str, test: str = "", split: str = "train") -> None:
    monkeypatch.setenv("FASTW2V_DATA", ".")
    write("ptb.train.txt", train)
    write("ptb.test.txt", test)
    datasets.load_ptb(split)


def missing_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTW2V_DATA", "missing")
    datasets.load_text8()


def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_language_topics", list)
    monkeypatch.setattr(demo, "_library_files", list)
    datasets.demo_corpus()


PRODUCERS: dict[str, list[Producer]] = {
    "… was not found, and downloading it from … failed: …. Put it into a folder, and set the environment variable FASTW2V_DATA to the path of the folder": [
        offline_text,
    ],
    "… was not found, and downloading it from … failed: …. Put it into a folder, and set the environment variable FASTW2V_DATA to the path of the folder. The suite … also needs …": [
        offline_suite,
    ],
    "the data folder …, set in the environment variable FASTW2V_DATA, does not exist or is not a folder; correct the path": [
        missing_folder,
    ],
    "the data folder … does not exist or is not a folder; correct the path": [
        lambda: datasets.load_suite("english", "missing"),
    ],
    "there is no suite with the name …; the suites are …": [
        lambda: datasets.load_suite("french"),
    ],
    "there is no set of word pairs with the name …; the sets are …": [
        lambda: datasets.load_word_pairs("SimLex-999"),
    ],
    "split is …; it must be 'train', 'valid' or 'test'": [
        lambda: datasets.load_ptb("dev"),
    ],
    "ptb.….txt contains words that are not in ptb.train.txt, such as …; fetch both again": [
        lambda monkeypatch: ptb(monkeypatch, " the cat \n", " a bird \n", "test"),
    ],
    "… is empty": [
        lambda monkeypatch: ptb(monkeypatch, ""),
    ],
    "… contains only … words of Python source code, too few for a demonstration; use your own text with `fastw2v train`": [
        no_library,
    ],
}
