"""The command line: ``fastw2v train corpus.txt --output vectors.safetensors``, and queries on the result.

Errors that a user can cause are one line on standard error and exit status 2; results go to standard output.
"""

from fastw2v.cli.app import main

__all__ = ["main"]
