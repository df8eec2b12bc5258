"""Measurements of fastw2v: ``python -m benchmarks`` (docs/benchmarks.md)."""
