"""Measurements of fastw2v. Each module runs by itself: ``python -m benchmarks.scatter_add``."""
