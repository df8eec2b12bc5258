"""A typical word2vec in PyTorch with batches, EmbeddingBag and sparse gradients, run by `benchmarks.systems.peers`.

fastw2v reads the text. PyTorch draws the random numbers for subsampling, windows and negatives on the device, for a
million tokens at a time. Each target has its own negatives.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from fastw2v.corpus.corpus import Corpus
from fastw2v.sampling.alias import noise_weights
from fastw2v.vectors.word_vectors import WordVectors

BATCH = 1024
"""Targets per step. Larger batches are no faster on a CPU, and batches of 4,096 diverge at these learning rates."""
RATE = {"cbow": 0.2, "skipgram": 0.025}
"""Initial learning rate for the summed loss. The rate decreases linearly."""
CHUNK_TOKENS = 1 << 20
"""Number of tokens whose windows are created at a time."""


def main() -> None:
    settings, device = json.loads(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(settings["workers"])
    torch.manual_seed(settings["seed"])
    corpus = Corpus.from_text(settings["text"], settings["min_count"])
    print("TRAINING", flush=True)
    W_in = train(corpus, settings, device)
    print("TRAINED", flush=True)
    WordVectors(corpus.vocabulary.words, W_in).save(Path(settings["output"]), format="bin")


def train(corpus: Corpus, settings: dict[str, Any], device: str) -> np.ndarray:
    """Return the trained input vectors."""
    counts = np.asarray(corpus.vocabulary.counts)
    V, D, K = len(counts), settings["vector_size"], settings["negative"]
    cbow = settings["model"] == "cbow"
    # Row V is the padding of windows.
    inputs = torch.nn.EmbeddingBag(V + 1, D, mode="mean", sparse=True, padding_idx=V, device=device)
    outputs = torch.nn.Embedding(V + 1, D, sparse=True, padding_idx=V, device=device)
    torch.nn.init.uniform_(inputs.weight, -0.5 / D, 0.5 / D)
    torch.nn.init.zeros_(outputs.weight)
    share = counts / counts.sum()
    threshold = settings["sample"] / share
    keep = torch.tensor(np.minimum(1, np.sqrt(threshold) + threshold), dtype=torch.float32, device=device)
    weights = noise_weights(counts)
    # Drawing from a table is faster than torch.multinomial over a large vocabulary.
    table = np.repeat(np.arange(V), np.maximum(1, np.round(weights / weights.sum() * 10_000_000)).astype(int))
    noise = torch.tensor(table, device=device)
    # On a CPU, a step of SparseAdam takes ten times as long, mostly to sort the rows.
    optimizer = torch.optim.SGD([*inputs.parameters(), *outputs.parameters()], lr=RATE[settings["model"]])
    total, done = len(corpus) * settings["epochs"], 0
    for _ in range(settings["epochs"]):
        for target, contexts, tokens in batches(corpus, keep, settings["window"], BATCH, V, device):
            optimizer.param_groups[0]["lr"] = RATE[settings["model"]] * max(1e-3, 1 - done / total)
            negative = noise[torch.randint(len(noise), (len(target), K), device=device)]
            present = contexts != V
            if cbow:
                h = inputs(contexts)[:, :, None]
                positives, weight = target[:, None], torch.ones_like(target[:, None], dtype=torch.float32)
            else:
                h = inputs(target[:, None])[:, :, None]
                positives, weight = contexts, present.float()
            # All positives of a target share its K negatives, so the negatives are weighted by the number of positives.
            score = (outputs(torch.cat([positives, negative], 1)) @ h)[:, :, 0]
            label = torch.zeros_like(score)
            label[:, : positives.shape[1]] = 1
            own = (negative[:, :, None] == positives[:, None, :]).any(2)
            weight = torch.cat([weight, ~own * weight.sum(1, keepdim=True)], 1)
            loss = functional.binary_cross_entropy_with_logits(score, label, weight, reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += tokens
    if device == "cuda":
        torch.cuda.synchronize()
    return inputs.weight.detach()[:V].cpu().numpy()


def batches(
    corpus: Corpus, keep: torch.Tensor, window: int, size: int, padding: int, device: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
    """Yield targets (B,), their contexts (B, 2 · window) and the number of corpus tokens that they represent."""
    offsets = torch.tensor(np.asarray(corpus.offsets), device=device)
    reach = torch.tensor([*range(-window, 0), *range(1, window + 1)], device=device)
    for start in range(0, len(corpus), CHUNK_TOKENS):
        stop = min(start + CHUNK_TOKENS, len(corpus))
        ids = torch.tensor(np.asarray(corpus.ids[start:stop]), dtype=torch.int64, device=device)
        position = torch.arange(start, stop, device=device)
        kept = torch.rand(len(ids), device=device) < keep[ids]
        word, sentence = ids[kept], torch.searchsorted(offsets, position[kept], right=True)
        at = torch.arange(len(word), device=device)[:, None] + reach
        inside = (at >= 0) & (at < len(word))
        at = torch.where(inside, at, 0)
        width = torch.randint(1, window + 1, (len(word), 1), device=device)
        inside &= (sentence[at] == sentence[:, None]) & (reach.abs() <= width)
        contexts = torch.where(inside, word[at], padding)
        with_contexts = torch.nonzero(inside.any(1))[:, 0]
        order = with_contexts[torch.randperm(len(with_contexts), device=device)]
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            yield word[chosen], contexts[chosen], (stop - start) * len(chosen) // len(order)


if __name__ == "__main__":
    main()
