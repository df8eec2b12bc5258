"""Keep a model up to date: save it, load it, add words, and continue training on new text.

    python examples/continued_training.py
    python examples/continued_training.py --first 2024.txt --second 2025.txt

By default, the first text is the documentation of Python's standard library. The second text consists of the sentences
of the first that contain "queue", with "queue" replaced by the new word "squeue".
"""

from __future__ import annotations

import argparse
from typing import Any

from fastw2v import Word2Vec
from fastw2v.datasets import demo_corpus


def built_in_texts() -> tuple[Any, Any]:
    """Return the two default texts as lists of sentences."""
    sentences = demo_corpus()
    renamed = [["squeue" if word == "queue" else word for word in sentence] for sentence in sentences]
    return sentences, [sentence for sentence in renamed if "squeue" in sentence]


def show(model: Word2Vec, words: list[str]) -> None:
    """Print the nearest neighbours of each word."""
    for word in words:
        if word in model.wv:
            print(f"  {word}: " + ", ".join(other for other, _ in model.wv.most_similar(word, topn=5)))
        else:
            print(f"  {word}: not in the vocabulary")


def main() -> None:
    parser = argparse.ArgumentParser(description="Continue the training of a saved model on new text.")
    parser.add_argument("--first", help="text to train on first")
    parser.add_argument("--second", help="text to continue with")
    parser.add_argument("--words", nargs="+", default=["queue", "squeue"], help="words whose neighbours are printed")
    options = parser.parse_args()
    if (options.first is None) != (options.second is None):
        parser.error("give both --first and --second, or neither")
    first, second = (options.first, options.second) if options.first else built_in_texts()

    model = Word2Vec(vector_size=50, seed=1).fit(first)
    print(f"after the first text, {len(model.wv):,} words:")
    show(model, options.words)

    # The file contains both weight matrices, the counts and the settings, so that training can continue.
    model.save("model.safetensors")
    model = Word2Vec.load("model.safetensors")

    # update=True adds the new words, and the words of the first text keep their vectors. With a learning rate below the
    # default, known words change less. A loaded model keeps the CBOW gradient that it was trained with.
    model.build_vocab(second, update=True)
    model.train(second, epochs=5, alpha=0.05)
    print(f"after the second text, {len(model.wv):,} words:")
    show(model, options.words)
    model.save("model.safetensors")


if __name__ == "__main__":
    main()
