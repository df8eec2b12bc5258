"""Chapter 4 of "Deep Learning from Scratch 2" on real text: CBOW with negative sampling on the Penn Treebank.

    python examples/textbook_chapter.py                        # downloads the Penn Treebank once (5 MB)
    python examples/textbook_chapter.py --corpus my-text.txt
    python examples/textbook_chapter.py --device cuda          # the same code on CuPy arrays

The program and its names are those of the book. Ten epochs of the Penn Treebank take about two minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fastw2v.compat.textbook import (
    CBOW,
    Adam,
    Trainer,
    analogy,
    create_contexts_target,
    most_similar,
    preprocess,
    ptb,
    save_params,
    to_cpu,
    to_gpu,
)

WINDOW_SIZE = 5
HIDDEN_SIZE = 100
BATCH_SIZE = 100


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the textbook's CBOW on the Penn Treebank.")
    parser.add_argument("--corpus", help="a short text to use instead of the Penn Treebank")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--output", default="cbow_params.safetensors")
    options = parser.parse_args()

    if options.corpus:
        text = Path(options.corpus).read_text(encoding="utf-8")
        corpus, word_to_id, id_to_word = preprocess(" ".join(text.split()))
    else:
        corpus, word_to_id, id_to_word = ptb.load_data("train")
    contexts, target = create_contexts_target(corpus, WINDOW_SIZE)

    # The model is created on the device of its corpus. All arrays must be on the same device.
    if options.device == "cuda":
        corpus, contexts, target = to_gpu(corpus), to_gpu(contexts), to_gpu(target)

    model = CBOW(len(word_to_id), HIDDEN_SIZE, WINDOW_SIZE, corpus)
    trainer = Trainer(model, Adam())
    trainer.fit(contexts, target, options.epochs, BATCH_SIZE)
    print(f"loss: {trainer.loss_list[0]:.2f} at the start, {trainer.loss_list[-1]:.2f} at the end")

    word_vecs = to_cpu(model.word_vecs)
    for query in ("you", "year", "car", "toyota"):
        if query in word_to_id:
            most_similar(query, word_to_id, id_to_word, word_vecs, top=5)
    if all(word in word_to_id for word in ("king", "man", "queen")):
        analogy("king", "man", "queen", word_to_id, id_to_word, word_vecs)

    # The book pickles these three objects. This file contains the same values, and loading it runs no code.
    save_params(options.output, word_vecs, word_to_id, id_to_word)
    print(f"saved to {options.output}")


if __name__ == "__main__":
    main()
