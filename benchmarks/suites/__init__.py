"""The sections of ``python -m benchmarks``, one module each."""
