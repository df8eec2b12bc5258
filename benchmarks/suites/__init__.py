"""The sections of `python -m benchmarks`, a module each."""
