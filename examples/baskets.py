"""Train item vectors on shopping baskets, list items that are bought together, and complete a basket.

    python examples/baskets.py                        # generated baskets
    python examples/baskets.py --orders orders.csv    # a CSV file with the columns order_id and item

Each basket is treated as a sentence and each item as a word ("item2vec"). The items of a basket have no order, so the
window covers the whole basket.

Reference: Barkan and Koenigstein, "Item2Vec: neural item embedding for collaborative filtering", 2016.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from pathlib import Path

from fastw2v import Corpus, Word2Vec

MEALS = {
    "pasta": ["spaghetti", "penne", "tomatoes", "basil", "parmesan", "olive oil", "garlic"],
    "breakfast": ["milk", "oat milk", "cereal", "muesli", "bananas", "yoghurt", "honey"],
    "curry": ["rice", "coconut milk", "chickpeas", "ginger", "curry paste", "coriander", "lime"],
    "baking": ["flour", "sugar", "butter", "eggs", "yeast", "vanilla", "chocolate"],
    "cleaning": ["soap", "sponges", "bleach", "bin bags", "paper towels", "detergent", "gloves"],
}


def generated_baskets(n: int, rng: random.Random) -> list[list[str]]:
    """Return `n` random baskets. Most items of a basket belong to one meal, and up to two are chosen from all items."""
    everything = [item for items in MEALS.values() for item in items]
    baskets = []
    for _ in range(n):
        meal = rng.choice(list(MEALS.values()))
        baskets.append(rng.sample(meal, rng.randint(3, 6)) + rng.sample(everything, rng.randint(0, 2)))
    return baskets


def read_baskets(path: str) -> list[list[str]]:
    """Return the baskets of a CSV file with the columns ``order_id`` and ``item``."""
    baskets: dict[str, list[str]] = defaultdict(list)
    with Path(path).open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a byte order mark
        rows = csv.DictReader(file)
        if not {"order_id", "item"} <= set(rows.fieldnames or ()):
            raise SystemExit(f"{path} has the columns {rows.fieldnames}; the columns order_id and item are needed")
        for row in rows:
            baskets[row["order_id"]].append(row["item"])
    return list(baskets.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Train item vectors on shopping baskets.")
    parser.add_argument("--orders", help="a CSV file with the columns order_id and item")
    options = parser.parse_args()
    baskets = read_baskets(options.orders) if options.orders else generated_baskets(20_000, random.Random(1))

    # Items may contain spaces, because lists of strings are not split into words.
    corpus = Corpus.from_sentences(baskets, min_count=5)
    longest = max(map(len, baskets))
    model = Word2Vec(
        model="skipgram",
        vector_size=16,
        window=longest,
        shrink_windows=False,
        sample=0,
        epochs=10,
        seed=1,
    )
    vectors = model.fit(corpus).wv

    print("bought in the same baskets:")
    for item in vectors.index_to_key[:5]:
        print(f"  {item}: " + ", ".join(other for other, _ in vectors.most_similar(item, topn=4)))

    # The vector of a basket is the mean of the vectors of its items. The nearest other items are suggested.
    basket = baskets[0][:3]
    mean = vectors.get_mean_vector(basket)
    suggestions = [item for item, _ in vectors.most_similar(mean, topn=8) if item not in basket][:4]
    print(f"with {', '.join(basket)}, suggest: {', '.join(suggestions)}")


if __name__ == "__main__":
    main()
