"""Compare units of Korean text: space-separated words, words with subwords, and the morphemes of kiwipiepy.

These commands made the tables about morphemes in `docs/notebook/korean.md`::

    python -m benchmarks.morphemes --reviews nsmc-reviews.tsv.xz --seed 1 2 3 --json korean-morphemes.json
    python -m benchmarks.morphemes --text kowiki-200k.txt --pairs WS353_korean.csv
        --analogies word_analogy_korean.txt --seed 1 2 3 --workers 2 --json korean-morphemes.json
    python -m benchmarks.morphemes --reviews nsmc-reviews.tsv.xz --speed --json speed.json

Two tasks score the vectors. The first trains on `--text` and answers the analogies and the word pairs. "known" is the
score that `fastw2v evaluate` prints. "common" is the score on the pairs whose words are in the vocabularies of both
words and morphemes, and on the analogies whose words are among the first 30,000 of both. The second task trains on
reviews, and predicts their polarity from the means of unit vectors (`benchmarks/sentences.py`).

The morphemes are written to the folder `--tokens` and read from it in the next run. The names of these files contain
the beginning of the SHA-256 of their source. Runs that the JSON file already contains are skipped. The file lists the
arguments of each call, and the SHA-256 of its inputs.

With ``--speed``, all installed analysers read the same reviews in turn, several times.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import machine
from benchmarks.korean import Pairs, Questions, read_lines, scores, write_hangul
from benchmarks.sentences import LABELLED, balanced, logistic_regression, read_reviews, split
from benchmarks.sweep import write
from benchmarks.systems.quality import RESTRICT
from fastw2v import Word2Vec, WordVectors, evaluate
from fastw2v.config import MIN_COUNT
from fastw2v.corpus.corpus import as_corpus
from fastw2v.utils.atomic_write import atomic_write

UNITS: dict[str, tuple[str, dict[str, Any]]] = {
    "words": ("words", {}),
    "words, 1-2 syllables": ("words", {"subwords": (1, 2), "units": "syllables"}),
    "words, 3-5 jamo": ("words", {"subwords": (3, 5), "units": "jamo"}),
    "morphemes": ("morphemes", {}),
    "content morphemes": ("content", {}),
    "morphemes, 1-2 syllables": ("morphemes", {"subwords": (1, 2), "units": "syllables"}),
}
"""The tokens of each kind of unit, and the arguments of `Word2Vec`."""
INPUTS = ("text", "pairs", "analogies", "reviews")
"""Options whose values are files to read."""
SYMBOLS = ("S", "W", "UN")
"""Beginnings of the tags of punctuation, digits, other scripts, addresses and unknown tokens."""
CONTENT = ("NN", "NP", "NR", "VV", "VA", "VX", "VCN", "MM", "MA", "IC", "XR")
"""Beginnings of the tags of nouns, verbs, adjectives, determiners, adverbs, interjections and roots."""
SPEED_REVIEWS, ROUNDS = 1000, 7
"""Number of reviews that each analyser reads in each round with ``--speed``, and number of rounds."""

Sentences = list[list[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    found: dict[str, Any] = json.loads(given.json.read_text()) if given.json.exists() else _header()
    found.setdefault("calls", []).append(call(given))
    if given.speed:
        found["speed"] = speeds([text for _, text in read_reviews(given.reviews)])
        write(found, given.json)
        return 0
    done = {(run["task"], run["units"], run["seed"]) for run in found["runs"]}
    tasks: list[Callable[[Any, Any], Iterator[dict[str, Any]]]] = [similarity] if given.text else []
    tasks += [polarity] if given.reviews else []
    for task in tasks:
        for run in task(given, done):
            found["runs"].append(run)
            write(found, given.json)
            print(run, flush=True)
    return 0


def call(given: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a call, with the names of files without their folders, and the SHA-256 of each input."""
    files = {name: value for name, value in vars(given).items() if isinstance(value, Path)}
    inputs = {name: files[name] for name in INPUTS if name in files}
    return {
        "commit": machine.describe()["commit"],
        "arguments": vars(given) | {name: path.name for name, path in files.items()},
        "sha256": {name: sha256(path) for name, path in inputs.items()},
    }


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def similarity(given: Any, done: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """Yield the scores of analogies and pairs for each kind of units and each seed."""
    wanted = [(units, seed) for seed in given.seed for units in given.units if ("similarity", units, seed) not in done]
    if not wanted:
        return
    questions, pairs = evaluate.read_analogies(given.analogies), evaluate.read_pairs(given.pairs)
    given.tokens.mkdir(parents=True, exist_ok=True)
    stem = f"{given.text.name}.{sha256(given.text)[:12]}"
    files = {name: given.tokens / f"{stem}.{name}.txt" for name in ("words", "morphemes", "content")}
    if not files["words"].exists():
        write_hangul(given.text, files["words"])
    if not (files["morphemes"].exists() and files["content"].exists()):
        every = morphemes(list(read_lines(given.text)), given.tokens / f"{stem}.tokens")
        for name, tags in (("morphemes", ()), ("content", CONTENT)):
            with atomic_write(files[name]) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(" ".join(forms(one, tags)) + "\n" for one in every)
    corpora = {name: as_corpus(path, min_count=MIN_COUNT) for name, path in files.items()}
    known = [list(corpora[name].vocabulary.words) for name in ("words", "morphemes")]
    frequent, both = set(known[0][:RESTRICT]) & set(known[1][:RESTRICT]), set(known[0]) & set(known[1])
    common_questions: Questions = {
        section: [one for one in asked if frequent.issuperset(one)] for section, asked in questions.items()
    }
    common_pairs: Pairs = [one for one in pairs if both.issuperset(one[:2])]
    for units, seed in wanted:
        name, arguments = UNITS[units]
        wv = Word2Vec(seed=seed, workers=given.workers, device="cpu", **arguments).fit(corpora[name]).wv
        wv.strict = True  # the words of the vocabulary alone, as without subwords
        yield {
            "task": "similarity",
            "units": units,
            "seed": seed,
            "tokens": len(corpora[name]),
            "vocabulary": len(wv),
            "known": scores(wv, questions, pairs, RESTRICT),
            "common": scores(wv, common_questions, common_pairs, RESTRICT),
        }


def polarity(given: Any, done: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """Yield the percentage of held-out reviews whose polarity is predicted, for each kind of units and each seed."""
    reviews, digest = read_reviews(given.reviews), sha256(given.reviews)[:12]
    for seed in given.seed:
        wanted = [units for units in given.units if ("polarity", units, seed) not in done]
        if not wanted:
            continue
        training, test = split(reviews, seed)
        texts = [text for _, text in training + test]
        every = morphemes(texts, given.tokens / f"reviews-{digest}-{seed}.tokens")
        tokens = {
            "words": [text.split() for text in texts],
            "morphemes": [forms(one) for one in every],
            "content": [forms(one, CONTENT) for one in every],
        }
        labelled, held_out = balanced(training)[:LABELLED], balanced(test)
        row = {text: i for i, text in enumerate(texts)}
        rows = [row[text] for _, text in labelled + held_out]
        positive = np.array([rating >= 9 for rating, _ in labelled + held_out])
        n = len(labelled)
        for units in wanted:
            name, arguments = UNITS[units]
            sentences = tokens[name]
            wv = (
                Word2Vec(seed=seed, workers=given.workers, device="cpu", **arguments).fit(sentences[: len(training)]).wv
            )
            X = wv.sentence_vectors([sentences[i] for i in rows], method="fasttext").astype(float)
            correct = logistic_regression(X[:n], positive[:n], X[n:]) == positive[n:]
            yield {
                "task": "polarity",
                "units": units,
                "seed": seed,
                "tokens": sum(map(len, sentences[: len(training)])),
                "vocabulary": len(wv),
                "unknown": round(100 * unknown(wv, sentences[len(training) :]), 2),
                "polarity": round(100 * float(correct.mean()), 2),
                "reviews": [n, len(held_out)],
            }


def unknown(wv: WordVectors, sentences: Sentences) -> float:
    """Return the share of the tokens that are not in the vocabulary."""
    known = set(wv.index_to_key)
    flags = [token not in known for sentence in sentences for token in sentence]
    return float(np.mean(flags))


def morphemes(texts: Sequence[str], path: Path) -> list[str]:
    """Return the morphemes of each text, such as "영화/NNG 보다/VV 었/EP 다/EF"; read them from a file if it exists.

    Raises
    ------
    ValueError
        If the file has not one line for each text.
    """
    if not path.exists():
        from kiwipiepy import Kiwi

        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            for tokens in Kiwi().tokenize(texts, compatible_jamo=True):
                file.write(" ".join(f"{token.lemma.replace(' ', '_')}/{token.tag}" for token in tokens) + "\n")
    found = path.read_text(encoding="utf-8").split("\n")[:-1]
    if len(found) != len(texts):
        raise ValueError(f"{path} has {len(found)} lines, but there are {len(texts)} texts; delete the file")
    return found


def forms(tagged: str, tags: tuple[str, ...] = ()) -> list[str]:
    """Return the morphemes of a text whose tags begin with one of `tags`, or, without `tags`, all but symbols."""
    pairs = [token.rpartition("/")[::2] for token in tagged.split(" ") if token]
    return [form for form, tag in pairs if (tag.startswith(tags) if tags else not tag.startswith(SYMBOLS))]


def analysers() -> dict[str, Callable[[list[str]], list[int]]]:
    """Return a function for each installed analyser, which returns the number of morphemes of each text."""
    found: dict[str, Callable[[list[str]], list[int]]] = {}
    if importlib.util.find_spec("kiwipiepy"):
        from kiwipiepy import Kiwi

        kiwi = Kiwi(num_workers=1)
        found["kiwipiepy"] = lambda texts: [len(tokens) for tokens in kiwi.tokenize(texts)]
    if importlib.util.find_spec("mecab"):
        from mecab import MeCab

        mecab = MeCab()
        found["python-mecab-ko"] = lambda texts: [len(mecab.morphs(text)) for text in texts]
    if importlib.util.find_spec("konlpy"):
        from konlpy.tag import Komoran, Okt

        for name, analyser in (("KoNLPy, Okt", Okt()), ("KoNLPy, Komoran", Komoran())):
            found[name] = lambda texts, one=analyser: [len(one.morphs(text)) for text in texts]  # type: ignore[misc]
    return found


def speeds(reviews: list[str]) -> dict[str, Any]:
    """Return the characters per second of each analyser with one thread in each of several rounds, in turn."""
    functions = analysers()
    texts = reviews[: SPEED_REVIEWS * (ROUNDS + 1)]
    found: dict[str, Any] = {name: {"characters per second": [], "morphemes per character": 0} for name in functions}
    for number in range(ROUNDS + 1):
        block = texts[number * SPEED_REVIEWS : (number + 1) * SPEED_REVIEWS]
        characters = sum(map(len, block))
        for name, function in functions.items():
            start = time.process_time()
            morphs = sum(function(block))
            seconds = time.process_time() - start
            if number:  # the first round loads dictionaries and warms up the JVM
                found[name]["characters per second"].append(round(characters / seconds))
                found[name]["morphemes per character"] = round(morphs / characters, 3)
    for name, row in found.items():
        print(name, row, flush=True)
    return found


def _header() -> dict[str, Any]:
    return {"machine": machine.describe(), "runs": []}


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.morphemes", description=__doc__.split("\n\n")[0])
    parser.add_argument("--text", type=Path, metavar="FILE", help="text for the similarity task, plain or compressed")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="word pairs with judgements")
    parser.add_argument("--analogies", type=Path, metavar="FILE", help="analogy questions")
    parser.add_argument("--reviews", type=Path, metavar="FILE", help="lines of a rating, a tab and a review")
    parser.add_argument("--units", nargs="+", default=list(UNITS), choices=list(UNITS), help="kinds of units to train")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3], help="seeds (default: 1 2 3)")
    parser.add_argument("--workers", type=int, default=1, help="number of threads (default: 1)")
    parser.add_argument("--tokens", type=Path, default=Path("tokens"), metavar="FOLDER", help="folder of the morphemes")
    parser.add_argument("--speed", action="store_true", help="measure the speed of analysers instead")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write the results to")
    return parser


if __name__ == "__main__":
    logging.getLogger("fastw2v").setLevel(logging.ERROR)  # reviews without a known word are expected
    sys.exit(main())
