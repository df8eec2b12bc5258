"""Intrinsic evaluation: analogies, word similarity, and the stability of neighbours across models.

Questions and pairs that contain unknown words are skipped. Each result gives the coverage, that is, the share that was
not skipped. Always interpret a score together with its coverage.
"""

from fastw2v.evaluate.analogies import AnalogyResult, SectionResult, analogies
from fastw2v.evaluate.readers import read_analogies, read_pairs
from fastw2v.evaluate.stability import StabilityResult, neighbour_stability
from fastw2v.evaluate.suites import SuiteResult, evaluate_suite
from fastw2v.evaluate.word_pairs import PairsResult, word_pairs

__all__ = [
    "AnalogyResult",
    "PairsResult",
    "SectionResult",
    "StabilityResult",
    "SuiteResult",
    "analogies",
    "evaluate_suite",
    "neighbour_stability",
    "read_analogies",
    "read_pairs",
    "word_pairs",
]
