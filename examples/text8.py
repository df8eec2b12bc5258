"""Train word vectors on text8, save them, print nearest neighbours, and score the vectors on analogies.

    python examples/text8.py                      # downloads text8 once (31 MB), then trains for about half a minute
    python examples/text8.py --corpus my-text.txt

text8 is the first 100 MB of English Wikipedia, lower-cased, without punctuation: 17 million words.
"""

from __future__ import annotations

import argparse

from fastw2v import Corpus, Word2Vec
from fastw2v.datasets import load_questions_words, load_text8
from fastw2v.evaluate import analogies, read_analogies


def main() -> None:
    parser = argparse.ArgumentParser(description="Train word vectors on text8.")
    parser.add_argument("--corpus", help="a text file to use instead of text8")
    parser.add_argument(
        "--analogies", help="a file of analogy questions to use instead of Google's public set, which is downloaded"
    )
    parser.add_argument("--output", default="text8.safetensors")
    options = parser.parse_args()

    # The text is read once. Its words are counted, and the corpus is stored as integer ids.
    corpus = Corpus.from_text(options.corpus or load_text8(), min_count=5)
    print(corpus)

    model = Word2Vec(vector_size=100, window=5, epochs=5, seed=1)
    model.fit(corpus)
    vectors = model.wv
    vectors.save(options.output)
    print(f"saved {len(vectors):,} vectors to {options.output}")

    for word in ("king", "computer", "river", "seven"):
        if word in vectors:
            neighbours = ", ".join(f"{other} {cosine:.2f}" for other, cosine in vectors.most_similar(word, topn=5))
            print(f"{word:>10}: {neighbours}")

    # A question is, for example, "Athens is to Greece as Oslo is to ...". Questions with unknown words are skipped, so
    # accuracy must be read together with coverage.
    questions = read_analogies(options.analogies or load_questions_words())
    overall = analogies(vectors, questions).overall
    print(f"analogies: {overall.accuracy:.1%} correct, {overall.coverage:.1%} covered")


if __name__ == "__main__":
    main()
