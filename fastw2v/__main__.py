"""Entry point of ``python -m fastw2v``, the command-line interface."""

from __future__ import annotations

from fastw2v.cli import main

if __name__ == "__main__":
    main()
