# mypy: disable-error-code="untyped-decorator"
"""Speed of the fused CPU kernels, and what bounds it: ``python -m benchmarks.kernel_speed [part...]``.

Parts: vector_size, window, vocabulary, pool, tile, workers, limit; all of them when none is named. The corpus is
random words by Zipf's law in lines of 1,000, so nothing is downloaded; speeds are in words before subsampling, the
best of many short rounds, so that other work on the machine disturbs some of them and not the result.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from fastw2v.kernels import cpu
from fastw2v.sampling import stretches

ROUNDS = 8
ALPHA = {"cbow": 0.1, "skipgram": 0.025}


def zipf_corpus(words: int = 600_000, V: int = 68_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids, offsets and counts of a random text with the word frequencies of a natural one."""
    weight = 1 / (np.arange(V) + 2.7)
    edges = np.cumsum(weight / weight.sum())
    ids = np.searchsorted(edges, np.random.default_rng(0).random(words)).clip(0, V - 1).astype(np.int32)
    return ids, np.append(np.arange(0, words, 1000), words), np.bincount(ids, minlength=V)


def words_per_second(
    corpus: tuple[np.ndarray, np.ndarray, np.ndarray], D: int = 100, workers: int = 1, **settings: Any
) -> float:
    """Return the speed of the best round of training the corpus four times over."""
    ids, offsets, counts = corpus
    W_in, W_out = cpu.aligned_zeros((len(counts), D)), cpu.aligned_zeros((len(counts), D))
    W_in[...] = (np.random.default_rng(1).random(W_in.shape, np.float32) - 0.5) / D
    settings["alpha"] = ALPHA[settings.setdefault("model", "cbow")]
    best = np.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        cpu.train(W_in, W_out, ids, offsets, counts, epochs=4, workers=workers, **settings)
        best = min(best, time.perf_counter() - start)
    return 4 * len(ids) / best


def row(name: str, corpus: tuple[np.ndarray, np.ndarray, np.ndarray], **settings: Any) -> None:
    speeds = [words_per_second(corpus, model=model, **settings) / 1e6 for model in ("cbow", "skipgram")]
    print(f"{name:24s} cbow {speeds[0]:6.2f}   skip-gram {speeds[1]:6.2f}   M words/s", flush=True)


def vector_size() -> None:
    corpus = zipf_corpus()
    for D in (50, 100, 128, 200, 300, 600):
        row(f"vector_size {D}", corpus, D=D)


def window() -> None:
    corpus = zipf_corpus()
    for width in (2, 5, 10, 15):
        row(f"window {width}", corpus, window=width)


def vocabulary() -> None:
    for V in (10_000, 68_000, 300_000, 1_000_000):
        row(f"vocabulary {V:,}", zipf_corpus(V=V))


def pool() -> None:
    corpus = zipf_corpus()
    for L, P in ((64, 16), (256, 16), (256, 24), (256, 32), (256, 64), (1, 5)):
        row(f"L = {L}, P = {P}", corpus, pool_tokens=L, pool_size=P)


def tile() -> None:
    corpus = zipf_corpus()
    for T in (1, 2, 3, 4):
        row(f"T = {T}", corpus, tile=T)


def workers() -> None:
    corpus = zipf_corpus()
    for count in (1, 2, 4, 8):
        row(f"workers {count}", corpus, workers=count)


def limit() -> None:
    """Time only reading and writing both rows of every kept word, prefetched, with everything else left out."""
    from numba import njit

    from fastw2v import draws, sampling
    from fastw2v.kernels import simd, stretch

    @njit(nogil=True)
    def touch(ids: Any, offsets: Any, cuts: Any, keep: Any, keys: Any, W_in: Any, W_out: Any) -> Any:
        width = W_in.shape[1]
        for k in range(len(cuts)):
            word = stretch._kept(ids, offsets, cuts[k, 0], cuts[k, 1], keep, keys, 5, True)[0]
            for t in range(len(word)):
                at = np.int64(word[t]) * width
                soon = np.int64(word[min(t + stretch.AHEAD, len(word) - 1)]) * width
                for j in range(0, width, simd.LANES):
                    simd.prefetch(W_in, soon + j)
                    simd.prefetch(W_out, soon + j)
                    x, y = simd.load(W_in, at + j), simd.load(W_out, at + j)
                    simd.store(W_in, at + j, x + y)
                    simd.store(W_out, at + j, x - y)

    for V in (68_000, 1_000_000):
        ids, offsets, counts = zipf_corpus(V=V)
        keep = sampling.keep_threshold(counts, 1e-3)
        keys = np.array([draws.key(1, stream, 0) for stream in (draws.KEEP, draws.WINDOW, draws.NEGATIVES)], np.uint64)
        cuts = np.array(list(stretches(offsets, 8192)))
        tables = [cpu._padded(cpu.aligned_zeros((V, 100))) for _ in range(2)]
        best = np.inf
        for _ in range(ROUNDS):
            start = time.perf_counter()
            touch(ids, offsets, cuts, keep, keys, *tables)
            best = min(best, time.perf_counter() - start)
        print(f"touching two rows, V = {V:,}: {len(ids) / best / 1e6:.1f} M words/s on one thread", flush=True)


PARTS = {part.__name__: part for part in (vector_size, window, vocabulary, pool, tile, workers, limit)}


def main() -> None:
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in names:
        PARTS[name]()


if __name__ == "__main__":
    main()
