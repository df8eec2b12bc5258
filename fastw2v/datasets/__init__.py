"""Data sets: the Penn Treebank, text8, evaluation sets and a demonstration corpus that needs no download.

To use your own copies of the files, set the environment variable ``FASTW2V_DATA`` to their folder. The loaders search
this folder and common sub-folders, such as ``eval/word-sim``, for each file or its compressed copy ``NAME.xz``. The
content of your own files is not verified. A file that is not found is downloaded once to a cache folder, and its
SHA-256 checksum is verified. Each data set has its own licence, which is stated at its source.
"""

from fastw2v.datasets.catalog import (
    SUITES,
    Suite,
    load_ptb,
    load_questions_words,
    load_suite,
    load_text8,
    load_word_pairs,
)
from fastw2v.datasets.demo import demo_corpus

__all__ = [
    "SUITES",
    "Suite",
    "demo_corpus",
    "load_ptb",
    "load_questions_words",
    "load_suite",
    "load_text8",
    "load_word_pairs",
]
