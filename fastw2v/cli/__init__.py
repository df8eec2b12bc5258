"""The command line, for example ``fastw2v train corpus.txt --output vectors.safetensors``.

Commands print results to standard output. A user error prints one line to standard error and exits with status 2.
"""

from fastw2v.cli.app import main

__all__ = ["main"]
