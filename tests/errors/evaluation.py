"""Producers of errors in the section "Evaluation"."""

from __future__ import annotations

from fastw2v.evaluate import neighbour_stability, read_analogies, read_pairs
from tests.errors.common import Producer, fastw2v, vectors, write


def evaluate(*options: str) -> None:
    vectors().save("a.bin")
    fastw2v("evaluate", "a.bin", *options)


PRODUCERS: dict[str, list[Producer]] = {
    "…, line …: … is neither four words nor ': section'": [
        lambda: read_analogies(write("a.txt", "man king woman\n")),
    ],
    "…: the file has no questions, that is, lines of four words under a line ': section'": [
        lambda: read_analogies(write("a.txt", ": family\n")),
    ],
    "…, line …: … is not two words and a number": [
        lambda: read_pairs(write("a.txt", "king queen\n")),
        lambda: read_pairs(write("a.txt", "king queen nan\n")),
    ],
    "…: the file has no pairs, that is, lines of two words and a number": [
        lambda: read_pairs(write("a.txt", "# nothing\n")),
    ],
    "models has length …; give at least two models": [
        lambda: neighbour_stability([vectors()]),
    ],
    "the models have … words in common; topn=… needs at least …": [
        lambda: neighbour_stability([vectors(), vectors()], topn=9),
    ],
    "--suite cannot be combined with --analogies or --pairs; omit one of them": [
        lambda: evaluate("--suite", "english", "--analogies", "a.txt"),
    ],
    "--data is the folder of a suite; it cannot be combined with --analogies or --pairs": [
        lambda: evaluate("--data", ".", "--analogies", write("a.txt", "")),
    ],
    "--data …: there is no such folder; pass the folder that contains the files of the suite": [
        lambda: evaluate("--data", "missing"),
    ],
    "--restrict-vocab has no effect on --pairs, only on analogies; omit it": [
        lambda: evaluate("--pairs", write("a.txt", "the cat 3\n"), "--restrict-vocab", "3"),
    ],
}
