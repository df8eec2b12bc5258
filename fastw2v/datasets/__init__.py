"""Data sets: the Penn Treebank, text8, evaluation sets, and a demonstration corpus that needs no download.

A file is searched for in the folder that the environment variable ``FASTW2V_DATA`` names, directly or in sub-folders of
the usual names, such as ``eval/word-sim``, plain or as ``NAME.xz``; it is used as it is. Otherwise it is downloaded
once, to a cache folder, and checked against its SHA-256. Each set has its own licence, which its source states.
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
