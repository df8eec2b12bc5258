# mypy: disable-error-code="untyped-decorator"
"""Single operations on NumPy and CuPy, compared with the alternatives that were considered.

Word ids follow Zipf's law, as in natural text.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness.measure import Options, Result, Skipped, Way, differs, race
from benchmarks.systems.texts import zipf_corpus, zipf_ids, zipf_shares
from fastw2v.backend import cuda_problem, get_namespace, scatter_add, to_device, to_host
from fastw2v.config import CHUNK_TOKENS, Model, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.engines import cpu
from fastw2v.engines.base import Tables
from fastw2v.nn.layers import NegativeSamplingLoss
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_draw, alias_table, noise_weights
from fastw2v.sampling.chunks import chunk_bounds
from fastw2v.sampling.negatives import UnigramSampler
from fastw2v.sampling.subsampling import keep_threshold, keep_tokens

V, D = 10_000, 100
LIBRARY = {"cpu": "NumPy", "cuda": "CuPy"}


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of this section."""
    if "cuda" not in options.devices:
        yield Skipped("operations", "CuPy", cuda_problem() or "not requested")
    sizes = (100,) if options.tiny else (100, 6000) if options.quick else (100, 1000, 6000, 20_000)
    compare = partial(race, "operations", repeats=options.repeats, least=0.0 if options.tiny else 0.05)
    yield from copies(options, compare)
    for n in sizes:
        yield from gathers(options, compare, n)
    for n in sizes:
        yield from scatters(options, compare, n)
    yield from noise_draws(options, compare)
    for batch in (64,) if options.tiny else (1000,) if options.quick else (100, 1000, 10_000):
        yield from losses(options, compare, batch)
    yield from readings(options, compare)
    yield from passes(options, compare)
    yield from touches(options, compare)


def copies(options: Options, compare: Callable[..., Iterator[Result]]) -> Iterator[Result]:
    """Copy an array far larger than any cache, to measure the memory bandwidth."""
    numbers = (1 << 16) if options.tiny else (1 << 26)
    source = np.arange(numbers, dtype=np.float32)
    expected = source[:: numbers // 64].copy()

    def copy(source: Any, target: Any, threads: int) -> Any:
        if threads == 1:
            target[...] = source
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda part: np.copyto(target[part], source[part]), parts(threads)))
        return target[:: numbers // 64]

    gigabytes = 2 * source.nbytes / 1e9

    def parts(threads: int) -> list[slice]:
        edges = np.linspace(0, numbers, threads + 1).astype(int)
        return [slice(a, b) for a, b in pairwise(edges.tolist())]

    target = np.zeros_like(source)
    ways = {"copy, 1 thread": Way(partial(copy, source, target, 1), work=gigabytes)}
    if options.workers > 1:
        ways[f"copy, {options.workers} threads"] = Way(partial(copy, source, target, options.workers), work=gigabytes)
    if "cuda" in options.devices:
        there = to_device(source, "cuda")
        other = get_namespace(there).zeros_like(there)
        ways["copy, CuPy"] = Way(partial(copy, there, other, 1), "cuda", gigabytes)
    yield from compare(
        ways, partial(differs, expected, tolerance=0.0), {"MB": round(source.nbytes / 1e6, 1)},
        baseline="copy, 1 thread", unit="GB/s", note="bytes read and written",
    )  # fmt: skip


def gathers(options: Options, compare: Callable[..., Iterator[Result]], n: int) -> Iterator[Result]:
    """Gather `n` rows of a table."""
    W = np.random.default_rng(1).normal(size=(V, D)).astype(np.float32)
    ids = zipf_ids(n, V)
    ways = {"gather, NumPy take": Way(lambda: np.take(W, ids, axis=0)), "gather, NumPy W[ids]": Way(lambda: W[ids])}
    if "cuda" in options.devices:
        there, where = to_device(W, "cuda"), to_device(ids, "cuda")
        ways["gather, CuPy take"] = Way(lambda: there.take(where, axis=0), "cuda")
    expected = np.stack([W[i] for i in ids.tolist()])
    yield from compare(
        ways, partial(differs, expected, tolerance=0.0), {"rows": n, "dim": D, "vocabulary": V},
        baseline="gather, NumPy take",
    )  # fmt: skip


def add_at_rows(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Add whole rows with `np.add.at`."""
    np.add.at(W, ids, rows)


def sort_and_reduceat(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Sort the rows by id, and add one sum per id to the table."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    W[ids[starts]] += np.add.reduceat(rows[order], starts, axis=0)


def sparse_product(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Sum the rows of each id by multiplication with a sparse matrix of ones."""
    from scipy.sparse import csr_matrix

    unique, inverse = np.unique(ids, return_inverse=True)
    ones = csr_matrix((np.ones(len(ids), W.dtype), inverse, np.arange(len(ids) + 1)), (len(ids), len(unique)))
    W[unique] += ones.T @ rows


def loop(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Add the rows one by one in Python."""
    for i, row in zip(ids.tolist(), rows, strict=True):
        W[i] += row


def scatters(options: Options, compare: Callable[..., Iterator[Result]], n: int) -> Iterator[Result]:
    """Add `n` rows to a table, ``W[ids[i]] += rows[i]``, with repeated ids."""
    ids = zipf_ids(n, V)
    rows = np.random.default_rng(2).normal(size=(n, D)).astype(np.float32)
    expected = np.zeros((V, D))
    for i, row in zip(ids.tolist(), rows, strict=True):
        expected[i] += row

    def way(add: Callable[[Any, Any, Any], None], device: str = "cpu") -> Way:
        W, on_ids, on_rows = (to_device(array, device) for array in (np.zeros((V, D), np.float32), ids, rows))

        def compute() -> Any:
            add(W, on_ids, on_rows)
            return W

        return Way(compute, device)

    ways = {
        "scatter-add, np.add.at on rows": way(add_at_rows),
        "scatter-add, fastw2v on NumPy": way(scatter_add),
        "scatter-add, sort and reduceat": way(sort_and_reduceat),
        "scatter-add, loop in Python": way(loop),
    }
    if importlib.util.find_spec("scipy"):
        ways["scatter-add, SciPy sparse product"] = way(sparse_product)
    else:
        yield Skipped("operations", "scatter-add, SciPy sparse product", "SciPy is not installed")
    if "cuda" in options.devices:
        ways["scatter-add, fastw2v on CuPy"] = way(scatter_add, "cuda")
    yield from compare(
        ways, partial(differs, expected), {"rows": n, "dim": D, "vocabulary": V},
        baseline="scatter-add, np.add.at on rows",
    )  # fmt: skip


def noise_draws(options: Options, compare: Callable[..., Iterator[Result]]) -> Iterator[Result]:
    """Draw words from the noise distribution."""
    n = 10_000 if options.tiny else 300_000
    weights = zipf_shares(V) ** 0.75
    p = weights / weights.sum()
    cumulative = np.cumsum(p)
    generator = np.random.default_rng(3)

    def by_alias_table(device: str) -> Way:
        table = AliasTable(*(to_device(part, device) for part in alias_table(weights)))
        positions = to_device(np.arange(n), device)
        return Way(lambda: alias_draw(table, rng.bits(rng.stream_key(1, rng.NEGATIVES, 0), positions)), device, n)

    def problem(drawn: Any) -> str | None:
        counts = np.bincount(to_host(drawn), minlength=V)
        frequent = n * p > 25  # the counts of these words are nearly normally distributed
        deviation = np.abs((counts - n * p) / np.sqrt(n * p * (1 - p)))[frequent].max()
        if len(counts) != V or counts.sum() != n:
            return "the number of draws is wrong, or ids are out of range"
        return None if deviation < 6 else f"the frequency of a word is off by {deviation:.1f} standard deviations"

    def by_search() -> Any:
        return np.searchsorted(cumulative, generator.random(n) * cumulative[-1])

    ways = {
        "draws, search in the running sum": Way(by_search, work=n),
        "draws, NumPy's choice": Way(lambda: generator.choice(V, n, p=p), work=n),
        "draws, alias table on NumPy": by_alias_table("cpu"),
    }
    if "cuda" in options.devices:
        ways["draws, alias table on CuPy"] = by_alias_table("cuda")
    yield from compare(
        ways, problem, {"draws": n, "vocabulary": V}, baseline="draws, search in the running sum",
        unit="draws/s",
    )  # fmt: skip


K = 5
"""Negatives per target."""
L, P = 64, 16
"""Number of targets that share a pool of negatives, and size of the pool."""


def losses(options: Options, compare: Callable[..., Iterator[Result]], batch: int) -> Iterator[Result]:
    """Compute `NegativeSamplingLoss`, forward and backward."""
    generator = np.random.default_rng(4)
    W = generator.normal(size=(V, D)).astype(np.float32) * 0.1
    h = generator.normal(size=(batch, D)).astype(np.float32) * 0.1
    target, corpus = zipf_ids(batch, V, 5), np.arange(V)
    L_here = min(L, batch)
    groups = batch // L_here
    in_groups = slice(0, groups * L_here)
    pools = zipf_ids(groups * P, V, 6).reshape(groups, P)

    def sampled(device: str) -> Way:
        there = [to_device(array, device) for array in (W, h, target, corpus)]
        loss = NegativeSamplingLoss(there[0], there[3], sample_size=K)

        def compute() -> Any:
            value = loss.forward(there[1], there[2])
            return value, loss.backward()

        return Way(compute, device, batch)

    def pooled(device: str) -> Way:
        there = [to_device(array, device) for array in (W, h[in_groups], target[in_groups], pools)]
        loss = NegativeSamplingLoss(there[0], sample_size=K)
        rows, words = there[1].reshape(groups, L_here, D), there[2].reshape(groups, L_here, 1)

        def compute() -> Any:
            value = loss.forward(rows, words, there[3])
            return value, loss.backward().reshape(-1, D)

        return Way(compute, device, groups * L_here)

    # The expected results are computed in float64 from the equation, target by target.
    negative = UnigramSampler(corpus, 0.75, K, 1).get_negative_sample(target)
    on_pool = np.repeat(pools, L_here, axis=0)
    share = np.where(on_pool == target[in_groups, None], 0.0, K / P)
    cases = {
        "loss, fresh draws": (sampled, _by_equation(W, h, target, negative, np.ones(negative.shape))),
        "loss, shared pools": (pooled, _by_equation(W, h[in_groups], target[in_groups], on_pool, share)),
    }
    for what, (way, expected) in cases.items():

        def problem(found: tuple[Any, Any], expected: tuple[Any, Any] = expected) -> str | None:
            value, dh = found
            return differs(np.asarray([expected[0]]), np.asarray([float(value)])) or differs(expected[1], dh)

        ways = {f"{what}, {LIBRARY[device]}": way(device) for device in options.devices}
        yield from compare(
            ways, problem, {"targets": batch, "dim": D, "negative": K}, baseline=f"{what}, NumPy",
            unit="targets/s",
        )  # fmt: skip


def _by_equation(W: Any, h: Any, target: Any, negative: Any, weight: Any) -> tuple[float, np.ndarray]:
    """Return the mean loss per target and the gradient of h, computed from the equation."""
    W, h = W.astype(np.float64), h.astype(np.float64)
    loss, dh = 0.0, np.zeros_like(h)
    for b in range(len(h)):
        own, noise = W[target[b]], W[negative[b]]
        loss += np.logaddexp(0, -h[b] @ own) + weight[b] @ np.logaddexp(0, noise @ h[b])
        dh[b] = -own / (1 + np.exp(h[b] @ own)) + (weight[b] / (1 + np.exp(-noise @ h[b]))) @ noise
    return loss / len(h), dh / len(h)


def readings(options: Options, compare: Callable[..., Iterator[Result]]) -> Iterator[Result]:
    """Read a text and assign ids to its words, by threads, number of words and number of different words."""
    sizes = [(10_000, 1000)] if options.tiny else [(2_000_000, 50_000), (2_000_000, 1_000_000)]
    if not (options.tiny or options.quick):
        sizes += [(50_000_000, 200_000), (50_000_000, 5_000_000)]
    path = options.folder / "words.txt"
    for words, V in sizes:
        ids = zipf_ids(words, V)
        with path.open("w", encoding="utf-8") as file:
            for line in np.split(ids, range(1000, words, 1000)):
                file.write(" ".join(map("word{}".format, line.tolist())) + "\n")
        counts = np.bincount(ids)
        counts = np.sort(counts[counts > 0])[::-1]

        def problem(corpus: Corpus, ids: np.ndarray = ids, counts: np.ndarray = counts) -> str | None:
            if not np.array_equal(corpus.vocabulary.counts, counts) or len(corpus) != len(ids):
                return "the counts of the words are wrong"
            found = [corpus.vocabulary.words[i] for i in corpus.ids[-1000:].tolist()]
            return None if found == [f"word{i}" for i in ids[-1000:].tolist()] else "the last words are wrong"

        ways = {
            f"text to ids, {n} thread{'s' * (n > 1)}": Way(partial(Corpus.from_text, path, 1, workers=n), work=words)
            for n in sorted({1, 2, options.workers})
        }
        yield from compare(
            ways, problem, {"words": words, "vocabulary": len(counts)}, baseline="text to ids, 1 thread",
            unit="words/s", note="words by Zipf's law, 1,000 to a line",
        )  # fmt: skip
    path.unlink()


def passes(options: Options, compare: Callable[..., Iterator[Result]]) -> Iterator[Result]:
    """Train an epoch of the fused engine on random words, with several sizes of the pool and the tile.

    These rows have no quality, because there is nothing to learn from random words. The default sizes were chosen by
    quality as well as speed; see docs/concepts/kernels.md.
    """
    if problem := cpu.unavailable_reason():
        yield Skipped("operations", "a fused pass, by pool and tile", problem)
        return
    words, V = (10_000, 1000) if options.tiny else (600_000, 68_000)
    corpus = zipf_corpus(words, V)
    changes: list[dict[str, int]] = [{}, {"L": 64}, {"L": 1, "P": K}]
    if not options.quick:
        changes += [{"P": 16}, {"P": 32}, {"P": 64}, {"T": 1}, {"T": 2}]
    rates: dict[Model, float] = {"cbow": 0.1, "skipgram": 0.025}

    def one_pass(config: TrainingConfig, tables: Tables) -> float:
        return float(cpu.train(tables, corpus, config)[-1])

    def problem_of(loss: float) -> str | None:
        chance = (1 + K) * np.log(2)  # in the first epoch, rows overshoot, and the loss rises above chance
        return None if 0 < loss < 2 * chance else f"the loss is {loss:.4g}, by chance {chance:.4g}"

    for model in rates:
        defaults = TrainingConfig(model=model, negative=K, vector_size=D)
        usual = {"L": defaults.pool_tokens, "P": defaults.pool_size, "T": defaults.tile}
        tables = cpu.allocate((V, D))
        tables.W_in[...] = (np.random.default_rng(7).random((V, D), np.float32) - 0.5) / D
        ways = {}
        for L, P, T in ((usual | change).values() for change in changes):
            config = TrainingConfig(
                model=model, vector_size=D, alpha=rates[model], cbow_grad="balanced", epochs=1, negative=K,
                pool_tokens=L, pool_size=P, tile=T,
            )  # fmt: skip
            ways[f"a fused pass, {model}, L = {L}, P = {P}, T = {T}"] = Way(
                partial(one_pass, config, tables), work=words
            )
        yield from compare(
            ways, problem_of, {"dim": D, "window": 5, "negative": K, "vocabulary": V}, baseline=next(iter(ways)),
            unit="words/s", note="one thread, random words",
        )  # fmt: skip


def touches(options: Options, compare: Callable[..., Iterator[Result]]) -> Iterator[Result]:
    """Read and write both rows of each kept word: the memory traffic of a fused pass without its arithmetic."""
    if problem := cpu.unavailable_reason():
        yield Skipped("operations", "touching both rows of each word", problem)
        return
    touch = _touch()
    words = 10_000 if options.tiny else 600_000
    for V in (1000,) if options.tiny else (68_000, 1_000_000):
        corpus = zipf_corpus(words, V)
        ids, counts = corpus.ids, corpus.vocabulary.counts
        keep = keep_threshold(counts, 1e-3)
        bounds = np.array(list(chunk_bounds(corpus.offsets, CHUNK_TOKENS)))
        tables = cpu.allocate((V, -(-D // cpu.ROW) * cpu.ROW))  # with the padding of the rows
        tables.W_out[...] = 1
        kept = ids[keep_tokens(ids, np.arange(words), keep, 1, 0)]
        odd = np.bincount(kept, minlength=V) % 2 == 1
        arguments = (ids, corpus.offsets, bounds, _sampling(keep, counts), *tables)

        def compute(arguments: tuple[Any, ...] = arguments) -> Any:
            touch(*arguments)
            return arguments[-2][:, 0]

        # Each touch swaps the two rows of a word. After one pass, the rows of words with an odd count are swapped.
        yield from compare(
            {"touching both rows of each kept word": Way(compute, work=words)},
            partial(differs, odd.astype(float), tolerance=0.0),
            {"dim": D, "vocabulary": V}, baseline="", unit="words/s",
            note="one thread, with prefetching, without arithmetic",
        )  # fmt: skip


def _sampling(keep: np.ndarray, counts: np.ndarray) -> Any:
    from fastw2v.kernels.word2vec_numba import Sampling

    noise = alias_table(noise_weights(counts))
    keys = np.array([rng.stream_key(1, stream, 0) for stream in (rng.KEEP, rng.WINDOW, rng.NEGATIVES)], np.uint64)
    return Sampling(keep, noise.threshold, noise.alias.astype(np.int32), keys, window=5, reach=5, shrink_windows=True)


@cache
def _touch() -> Any:
    from numba import njit

    from fastw2v.kernels import simd, word2vec_numba
    from fastw2v.kernels.rows_numba import PREFETCH_DISTANCE

    @njit(nogil=True)
    def touch(ids: Any, offsets: Any, bounds: Any, sampling: Any, W_in: Any, W_out: Any) -> Any:
        width = W_in.shape[1]
        for k in range(len(bounds)):
            word = word2vec_numba.subsample_chunk(ids, offsets, bounds[k, 0], bounds[k, 1], sampling)[0]
            for t in range(len(word)):
                at = np.int64(word[t]) * width
                soon = np.int64(word[min(t + PREFETCH_DISTANCE, len(word) - 1)]) * width
                for j in range(0, width, simd.LANES):
                    simd.prefetch(W_in, soon + j)
                    simd.prefetch(W_out, soon + j)
                    x, y = simd.load(W_in, at + j), simd.load(W_out, at + j)
                    simd.store(W_in, at + j, y)
                    simd.store(W_out, at + j, x)

    return touch
