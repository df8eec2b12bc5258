"""Benchmarks of fastw2v: ``python -m benchmarks`` (docs/benchmarks.md).

`harness` measures and reports, `systems` runs fastw2v and the baselines, and `suites` has the sections. Each imports
only those before it.
"""
