"""Engines: each trains two tables on a corpus. `selection` picks one; `reference` specifies what the fused ones do."""
