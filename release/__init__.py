"""Scripts and the conda recipe for a release. CONTRIBUTING.md, "Make a release", says when to use each."""
