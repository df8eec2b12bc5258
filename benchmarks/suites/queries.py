"""Nearest neighbours, queries of many clients, reading and writing files, and analogies, on a CPU and a GPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.measure import Options, Result, Skipped, Way, differs, race
from fastw2v.backend import cuda_problem, to_device
from fastw2v.evaluate.analogies import analogies
from fastw2v.evaluate.readers import read_analogies
from fastw2v.vectors.word_vectors import WordVectors

D = 100
TOPN = 10
CLIENT_VOCABULARIES = (1_000, 10_000, 70_000)
LIBRARY = {"cpu": "NumPy", "cuda": "CuPy"}


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of this section."""
    V = 400 if options.tiny else 20_000 if options.quick else 70_000
    words, rows = [f"word{i}" for i in range(V)], directions(V)
    other = None
    if importlib.util.find_spec("gensim") is None:
        yield Skipped("queries", "gensim", "gensim is not installed: pip install 'fastw2v[bench]'")
    else:
        other = gensim_vectors(words, rows)
        for count, word in enumerate(reversed(words), start=1):  # gensim warns when it writes vectors without counts
            other.set_vecattr(word, "count", count)
    if "cuda" not in options.devices:
        yield Skipped("queries", "CuPy", cuda_problem() or "not requested")
    compare = partial(race, "queries", repeats=options.repeats, least=0.0)
    yield from neighbours(options, compare, words, rows, other)
    yield from clients(options, compare, other is not None)
    yield from files(options, compare, words, rows, other)
    yield from questions(options, compare, words, rows, other)


def gensim_vectors(words: list[str], rows: np.ndarray) -> Any:
    """Return gensim's object with words and their vectors."""
    from gensim.models import KeyedVectors

    other = KeyedVectors(rows.shape[1])
    other.add_vectors(words, rows)
    return other


def directions(V: int) -> np.ndarray:
    """Return vectors in which every four consecutive words form an analogy: a, b, c, and approximately b − a + c."""
    rows = np.random.default_rng(0).normal(size=(V, D)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = 0.4 * np.random.default_rng(1).normal(size=rows[3::4].shape).astype(np.float32)
    rows[3::4] = rows[1::4] - rows[0::4] + rows[2::4] + noise
    return rows


def neighbours(
    options: Options, compare: Callable[..., Iterator[Result]], words: list[str], rows: np.ndarray, other: Any
) -> Iterator[Result]:
    """Find the ten nearest words of many words at once, and of fewer words one at a time, which is slower."""
    many = min(len(words), 10_000)
    some = words[: 20 if options.tiny else 100]
    few = slice(0, 20)
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    cosines = unit[few] @ unit.T
    cosines[np.arange(20), np.arange(20)] = -2
    expected = -np.sort(-cosines, axis=1)[:, :TOPN]

    def problem(found: list[list[tuple[str, float]]]) -> str | None:
        if [len(one) for one in found[few]] != [TOPN] * 20:
            return f"some words do not have {TOPN} neighbours"
        named = np.array([[cosines[i, int(word[4:])] for word, _ in one] for i, one in enumerate(found[few])])
        stated = np.array([[cosine for _, cosine in one] for one in found[few]])
        return differs(expected, named) or differs(expected, stated)

    vectors = {device: WordVectors(words, to_device(rows, device)) for device in options.devices}
    one_by_one = {"fastw2v": vectors["cpu"]} | ({"gensim": other} if other is not None else {})

    def asked_one_by_one(wv: Any) -> list[list[tuple[str, float]]]:
        return [wv.most_similar(word, topn=TOPN) for word in some]

    ways = {
        f"neighbours, one by one, {system}": Way(partial(asked_one_by_one, wv), work=len(some))
        for system, wv in one_by_one.items()
    }
    for device, wv in vectors.items():
        ways[f"neighbours, many at once, fastw2v on {LIBRARY[device]}"] = Way(
            partial(wv.nearest, words[:many], TOPN), device, many
        )
    yield from compare(
        ways, problem, {"vocabulary": len(words), "dim": D, "topn": TOPN}, unit="words/s",
        baseline=f"neighbours, one by one, {'fastw2v' if other is None else 'gensim'}",
        note=f"{len(some)} words one by one, {many:,} at once",
    )  # fmt: skip


def clients(options: Options, compare: Callable[..., Iterator[Result]], with_gensim: bool) -> Iterator[Result]:
    """Answer queries of several clients. Each client is a thread that waits for an answer before it asks again."""
    for V in [400] if options.tiny else CLIENT_VOCABULARIES[: 1 if options.quick else None]:
        words, rows = [f"word{i}" for i in range(V)], directions(V)
        systems: dict[str, Any] = {"fastw2v": WordVectors(words, rows)}
        if with_gensim:
            systems["gensim"] = gensim_vectors(words, rows)
        asked = 20 if options.tiny else max(128, 1_000_000 // V - 2)  # few, because gensim takes long for 64 clients
        for kind, signs in (("one word", [1]), ("two words minus one", [1, 1, -1])):
            expected = best_cosines(rows, signs, min(asked, 20))

            def problem(found: list[float], expected: np.ndarray = expected) -> str | None:
                return differs(expected, np.array(found[: len(expected)]))

            for n_clients in (1, 8, 64):
                yield from compare(
                    {
                        f"{kind}, clients: {n_clients}, {system}": Way(
                            partial(best_answers, wv, words, signs, asked, n_clients), work=asked
                        )
                        for system, wv in systems.items()
                    },
                    problem, {"vocabulary": V, "dim": D, "topn": TOPN}, unit="queries/s",
                    baseline=f"{kind}, clients: {n_clients}, gensim" if with_gensim else "",
                )  # fmt: skip


def best_cosines(rows: np.ndarray, signs: list[int], asked: int) -> np.ndarray:
    """Return the highest cosine of each query, computed in double precision. Query i has the words from i on."""
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    found = []
    for i in range(asked):
        terms = slice(i, i + len(signs))
        query = np.array(signs) @ unit[terms]
        cosines = unit @ query / np.linalg.norm(query)
        cosines[terms] = -2
        found.append(cosines.max())
    return np.array(found)


def best_answers(wv: Any, words: list[str], signs: list[int], asked: int, n_clients: int) -> list[float]:
    """Return the highest cosine of each query, as found by `most_similar`."""

    def ask(i: int) -> float:
        terms = list(zip(words[i : i + len(signs)], signs, strict=True))
        positive, negative = ([word for word, sign in terms if sign == one] for one in (1, -1))
        return float(wv.most_similar(positive=positive, negative=negative, topn=TOPN)[0][1])

    if n_clients == 1:
        return [ask(i) for i in range(asked)]
    with ThreadPoolExecutor(n_clients) as pool:
        return list(pool.map(ask, range(asked)))


def files(
    options: Options, compare: Callable[..., Iterator[Result]], words: list[str], rows: np.ndarray, other: Any
) -> Iterator[Result]:
    """Read and write files. The system caches files in memory, so the time is that of the program, not of the disk."""
    ours, folder = WordVectors(words, rows), options.folder
    settings: dict[str, int | float | str] = {"vocabulary": len(words), "dim": D}

    def read_problem(found: Any) -> str | None:
        if list(found.index_to_key) != words:
            return "the words differ from those that were written"
        return differs(rows, found.vectors, 1e-6)

    def write_problem(path: Path) -> str | None:
        return read_problem(WordVectors.load(path))

    def reading(load: Callable[[], Any]) -> Way:
        """Load a file and access all of its content, because memory-mapped files are read when they are accessed."""

        def compute() -> Any:
            found = load()
            found.key_to_index[words[-1]]
            np.asarray(found.vectors).sum()
            return found

        return Way(compute)

    def by(write: Callable[[Any], None], path: Path) -> Way:
        def compute() -> Path:
            write(path)
            return path

        return Way(compute)

    for suffix in ("bin", "txt", "safetensors"):
        path = folder / f"ours.{suffix}"
        write = {f"write .{suffix}, fastw2v": by(ours.save, path)}
        read = {f"read .{suffix}, fastw2v": reading(partial(WordVectors.load, path))}
        if other is not None and suffix != "safetensors":
            binary, theirs = suffix == "bin", folder / f"gensim.{suffix}"
            write[f"write .{suffix}, gensim"] = by(partial(other.save_word2vec_format, binary=binary), theirs)
            read[f"read .{suffix}, gensim"] = reading(
                partial(type(other).load_word2vec_format, str(theirs), binary=binary)
            )
        elif other is not None:
            theirs = folder / "gensim.kv"
            other.save(str(theirs))
            read["read its own format, gensim"] = reading(partial(type(other).load, str(theirs)))
        for ways, problem in ((write, write_problem), (read, read_problem)):
            gensim = next((what for what in ways if what.endswith("gensim")), "")
            yield from compare(ways, problem, settings | {"file": suffix}, baseline=gensim)


def questions(
    options: Options, compare: Callable[..., Iterator[Result]], words: list[str], rows: np.ndarray, other: Any
) -> Iterator[Result]:
    """Answer analogy questions with generated vectors that give the correct answer to about half of them."""
    restrict = min(len(words), 30_000) // 4 * 4
    asked = np.random.default_rng(2).permutation(restrict // 4)[: 50 if options.tiny else 400]
    path = options.folder / "questions.txt"
    lines = [" ".join(words[4 * quad : 4 * quad + 4]) for quad in asked.tolist()]
    path.write_text("\n".join([": made", *lines]) + "\n", encoding="utf-8")
    unit = rows[:restrict].astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    right = 0
    for quad in asked.tolist():
        score = unit @ (unit[4 * quad + 1] - unit[4 * quad] + unit[4 * quad + 2])
        score[4 * quad : 4 * quad + 3] = -9
        right += int(score.argmax() == 4 * quad + 3)
    expected = right / len(asked)

    def ours(vectors: WordVectors) -> float:
        return analogies(vectors, read_analogies(path), restrict).overall.accuracy

    def problem(accuracy: float) -> str | None:
        if abs(accuracy - expected) > 1.5 / len(asked):  # allows for ties
            return f"the accuracy is {accuracy:.4f}, but {expected:.4f} by brute force"
        return None

    ways = {
        f"analogies, fastw2v on {LIBRARY[device]}": Way(
            partial(ours, WordVectors(words, to_device(rows, device))), device, len(asked)
        )
        for device in options.devices
    }
    if other is not None:
        ways["analogies, gensim"] = Way(
            lambda: other.evaluate_word_analogies(str(path), restrict_vocab=restrict)[0], work=len(asked)
        )
    yield from compare(
        ways, problem, {"words": restrict, "dim": D}, baseline="analogies, gensim",
        unit="questions/s", note=f"{len(asked):,} questions, {expected:.0%} answered correctly",
    )  # fmt: skip
