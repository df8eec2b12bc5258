"""Sampling: frequent-word subsampling, context windows, negative samples and the order of the corpus.

All random choices use integers only: random integers from `fastw2v.sampling.rng` and tables of integer thresholds. All
devices and engines therefore make the same choices.

References
----------
Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013
(2.2 negative sampling, 2.3 subsampling); Walker, "An efficient method for generating discrete random variables
with general distributions", ACM TOMS 3(3), 1977 (alias tables).
"""
