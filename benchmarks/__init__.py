"""Benchmarks of fastw2v, run with ``python -m benchmarks``. See docs/guide/benchmarks.md.

`harness` measures and reports, `systems` runs fastw2v and the baselines, and `suites` contains the sections. Each of
these packages imports only packages listed before it.
"""
