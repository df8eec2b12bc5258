"""Sampling: frequent-word subsampling, context windows, negative samples and the order of the corpus.

All choices are integers drawn by `fastw2v.sampling.rng`, and the tables built here hold integer thresholds, so that
every device and every engine makes the same choices from the same tables.

References
----------
Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013
(2.2 negative sampling, 2.3 subsampling); Walker, "An efficient method for generating discrete random variables
with general distributions", ACM TOMS 3(3), 1977 (alias tables).
"""
