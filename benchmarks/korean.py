"""Train Korean vectors with many kinds of subwords, and write the quality of each run to a JSON file.

The tables of `docs/notebook/korean.md` were made by this program::

    python -m benchmarks.korean kowiki.txt.xz --pairs WS353_korean.csv --analogies word_analogy_korean.txt
        --model cbow skipgram --subwords none characters:3-6 jamo:3-6 --seed 1 2 3 --json korean-subwords.json

The corpus consists of the runs of Hangul syllables in the text. Options accept several values, and every combination is
trained. Runs that the JSON file already contains are skipped, so an interrupted program can be continued.

fastText has no jamo. It is trained on a text of decomposed words, and asked for the vectors of decomposed words.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import re
import statistics
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sweep import combinations, header, write
from benchmarks.systems.quality import RESTRICT
from fastw2v import Word2Vec, evaluate
from fastw2v.config import MIN_COUNT
from fastw2v.corpus import to_jamo
from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.evaluate.readers import Question
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.vectors.word_vectors import WordVectors

SETTINGS = {"system": str, "model": str, "subwords": str, "alpha": float, "pool_size": int, "seed": int}
"""Settings that are options of this program, with their types."""
EPOCHS, VECTOR_SIZE, WINDOW = 5, 100, 5
FREQUENT = 50
"""Lowest count of a frequent word."""
HANGUL = re.compile("[가-힣]+")
KINDS = ("semantic", "syntactic")
"""Kinds of analogies. The names of their sections begin with the first three letters."""

Pairs = Sequence[tuple[str, str, float]]
Questions = Mapping[str, Sequence[Question]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    questions, pairs = evaluate.read_analogies(given.analogies), evaluate.read_pairs(given.pairs)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "hangul.txt")
        write_hangul(given.text, text)
        corpus = as_corpus(text, min_count=MIN_COUNT)
        counts = dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True))
        found = json.loads(given.json.read_text()) if given.json.exists() else header(given.text, corpus)
        done = [run["settings"] for run in found["runs"]]
        for settings in combinations(given, SETTINGS):
            if settings in done:
                continue
            if settings["system"] == "fastText":
                vectors, spelled = train_fasttext(text, settings, given.workers)
            else:
                vectors, spelled = train(corpus, settings, given.workers), str
            found["runs"].append({"settings": settings, "quality": quality(vectors, questions, pairs, counts, spelled)})
            write(found, given.json)
            print(line(found["runs"][-1]), flush=True)
    print(table(found["runs"]))
    return 0


def write_hangul(source: Path, path: Path) -> None:
    """Write the runs of Hangul syllables of each line of a text to another file, in composed form (NFC)."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for one in read_lines(source):
            file.write(" ".join(HANGUL.findall(unicodedata.normalize("NFC", one))) + "\n")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text, plain or compressed with xz."""
    opened: Callable[..., Any] = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for one in lines:
            yield one.rstrip("\n")


def train(corpus: Corpus, settings: dict[str, Any], workers: int) -> WordVectors:
    """Train with fastw2v and return the vectors."""
    more: dict[str, Any] = {name: settings[name] for name in ("alpha", "pool_size") if name in settings}
    if "alpha" in more:
        more["cbow_grad"] = "balanced"  # the gradient of the default rate
    if settings["subwords"] != "none":
        units, sizes = parse_subwords(settings["subwords"])
        more |= {"units": units, "subwords": sizes}
    word2vec = Word2Vec(
        model=settings["model"], vector_size=VECTOR_SIZE, window=WINDOW, epochs=EPOCHS, seed=settings["seed"],
        workers=workers, device="cpu", **more,
    )  # fmt: skip
    return word2vec.fit(corpus).wv


def train_fasttext(text: Path, settings: dict[str, Any], workers: int) -> tuple[WordVectors, Callable[[str], str]]:
    """Train with fastText, and return the vectors and the function that spells a word in the units of the text."""
    import fasttext

    units, sizes = parse_subwords(settings["subwords"]) if settings["subwords"] != "none" else ("characters", (0, 0))
    spelled = to_jamo if units == "jamo" else str
    written = text.with_name("units.txt")
    written.write_text(spelled(text.read_text(encoding="utf-8")), encoding="utf-8")
    rate = {"lr": settings["alpha"]} if "alpha" in settings else {}
    model = fasttext.train_unsupervised(
        str(written), model=settings["model"], dim=VECTOR_SIZE, ws=WINDOW, epoch=EPOCHS, minCount=MIN_COUNT,
        minn=sizes[0], maxn=sizes[1], thread=workers, verbose=0, **rate,
    )  # fmt: skip
    file = text.with_name("model.bin")
    model.save_model(str(file))
    del model
    vectors = WordVectors.load(file)
    return vectors, spelled


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table of the mean scores over the seeds."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        rest = {name: value for name, value in run["settings"].items() if name != "seed"}
        groups.setdefault(" ".join(map(str, rest.values())), []).append(run)
    names = ("frequent", "rare", "unseen")
    rows = [f"| system, model, n-grams | seeds | {' | '.join(names)} |", "| --- " * (2 + len(names)) + "|"]
    for group, ran in groups.items():
        means = [mean_scores([run["quality"].get(name) for run in ran]) for name in names]
        rows.append(f"| {group} | {len(ran)} | {' | '.join(means)} |")
    return "\n".join(rows)


def mean_scores(found: Sequence[dict[str, Any] | None]) -> str:
    """Return the means of scores, such as "16.1 / 30.4 / .569", or "" if there are none."""
    given = [one for one in found if one]
    if not given:
        return ""
    means = {name: statistics.fmean(one[name][0] for one in given) for name in given[0]}
    shown = [f"{means[kind]:.1f}" for kind in KINDS if kind in means]
    shown += [f"{means['pairs']:.3f}".removeprefix("0")] if "pairs" in means else []
    return " / ".join(shown)


def parse_subwords(text: str) -> tuple[str, tuple[int, int]]:
    """Return the units and the numbers of units of the shortest and the longest n-grams, such as in "jamo:3-6"."""
    units, sizes = text.split(":")
    shortest, longest = map(int, sizes.split("-"))
    return units, (shortest, longest)


def quality(
    vectors: WordVectors,
    questions: Questions,
    pairs: Pairs,
    counts: Mapping[str, int],
    spelled: Callable[[str], str] = str,
) -> dict[str, dict[str, tuple[float, int]]]:
    """Return the percentages of correct analogies and the rank correlation of word pairs, by the counts of the words.

    Parameters
    ----------
    vectors : WordVectors
    questions : dict of str to list of (str, str, str, str)
    pairs : list of (str, str, float)
    counts : dict of str to int
        The count of each word of the vocabulary.
    spelled : callable
        Spells a word as `vectors` spell it.

    Returns
    -------
    dict of str to dict of str to (float, int)
        Scores, and the number of questions or pairs behind each of them. The outer keys are:

        - "known": questions and pairs of words of the vocabulary. Questions use its first 30,000 words only.
        - "frequent", "rare", "unseen": those whose rarest word has a count of at least 50, of 5 to 49, and below 5.
          Questions use the whole vocabulary.
    """
    limits = {"known": (MIN_COUNT, math.inf), "frequent": (FREQUENT, math.inf), "rare": (MIN_COUNT, FREQUENT)}
    if vectors.has_subwords:
        limits["unseen"] = (0, MIN_COUNT)
    found = {}
    for name, (low, high) in limits.items():
        chosen_questions = {
            section: [
                (spelled(a), spelled(b), spelled(c), spelled(d))
                for a, b, c, d in asked
                if low <= _lowest((a, b, c, d), counts) < high
            ]
            for section, asked in questions.items()
        }
        chosen_pairs = [
            (spelled(first), spelled(second), score)
            for first, second, score in pairs
            if low <= _lowest((first, second), counts) < high
        ]
        restrict_vocab = RESTRICT if name == "known" else len(vectors)
        found[name] = scores(vectors, chosen_questions, chosen_pairs, restrict_vocab)
    return found


def scores(
    vectors: WordVectors, questions: Questions, pairs: Pairs, restrict_vocab: int
) -> dict[str, tuple[float, int]]:
    """Return the percentage of correct analogies of each kind, the rank correlation of the pairs, and their numbers."""
    found: dict[str, tuple[float, int]] = {}
    sections = evaluate.analogies(vectors, questions, restrict_vocab).sections
    for kind in KINDS:
        of_kind = [section for section in sections if section.name.startswith(kind[:3])]
        answered = sum(section.covered + section.unseen for section in of_kind)
        if answered:
            found[kind] = (round(100 * sum(section.correct for section in of_kind) / answered, 2), answered)
    result = evaluate.word_pairs(vectors, pairs)
    if result.covered + result.unseen > 1:
        found["pairs"] = (round(result.spearman, 4), result.covered + result.unseen)
    return found


def line(run: dict[str, Any]) -> str:
    """Return a run as a line of text: its settings, and its scores by the counts of the words."""
    given = " ".join(f"{name}={value}" for name, value in run["settings"].items())
    shown = (
        f"{name} " + " / ".join(f"{one[kind][0]:g}" for kind in (*KINDS, "pairs") if kind in one)
        for name, one in run["quality"].items()
    )
    return f"{given}: {', '.join(shown)}"


def _lowest(words: Sequence[str], counts: Mapping[str, int]) -> int:
    return min(counts.get(word, 0) for word in words)


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.korean", description=__doc__.split("\n\n")[0])
    parser.add_argument("text", type=Path, help="text, plain or compressed with xz")
    parser.add_argument("--pairs", type=Path, required=True, metavar="FILE", help="word pairs with judgements")
    parser.add_argument("--analogies", type=Path, required=True, metavar="FILE", help="analogy questions")
    parser.add_argument("--system", nargs="+", default=["fastw2v"], choices=["fastw2v", "fastText"])
    parser.add_argument("--model", nargs="+", default=["cbow"], choices=["cbow", "skipgram"])
    parser.add_argument("--subwords", nargs="+", default=["none"], help="none, or units and lengths, such as jamo:3-6")
    parser.add_argument("--alpha", type=float, nargs="+", help="learning rates (default: that of the system)")
    parser.add_argument("--pool-size", type=int, nargs="+", help="numbers of shared negatives, for fastw2v alone")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds (default: 1)")
    parser.add_argument("--workers", type=int, default=1, help="number of threads (default: 1)")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write the results to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
