"""The layers tier's targets per second by batch size: ``python -m benchmarks.textbook``.

The textbook's model and optimiser (CBOW, window 5, 100 dimensions, 5 negatives, Adam) on the Penn Treebank, which
`fastw2v.datasets` fetches, or finds in the folder that FASTW2V_DATA names. The loss after the same number of targets
stands beside the speed: larger batches take fewer steps and so learn less from them.
"""

from __future__ import annotations

import argparse
import time

import fastw2v
from fastw2v.datasets import load_ptb


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--batches", type=int, nargs="+", default=[30, 100, 300, 1000, 3000, 10_000])
    parser.add_argument("--targets", type=int, default=300_000)
    arguments = parser.parse_args()
    corpus, word_to_id, _ = load_ptb("train")
    contexts, target = fastw2v.create_contexts_target(corpus, 5)
    contexts, target = contexts[: arguments.targets], target[: arguments.targets]
    corpus, contexts, target = (fastw2v.to_device(array, arguments.device) for array in (corpus, contexts, target))
    print(f"device {arguments.device}, {len(target):,} targets\n\n  batch   targets/s   loss of the last batches")
    for batch_size in arguments.batches:
        model = fastw2v.CBOW(len(word_to_id), 100, 5, corpus)
        trainer = fastw2v.Trainer(model, fastw2v.Adam())
        interval = max(1, len(target) // batch_size // 10)
        start = time.perf_counter()
        trainer.fit(contexts, target, 1, batch_size, eval_interval=interval, show=False)
        speed = len(target) / (time.perf_counter() - start)
        print(f"{batch_size:7,} {speed:11,.0f}   {trainer.loss_history[-1][1]:.3f}")


if __name__ == "__main__":
    main()
