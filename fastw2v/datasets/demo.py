"""The demonstration corpus: text that comes with every Python installation, so that nothing is downloaded."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

__all__ = ["DEMO_TOKENS", "demo_corpus"]

DEMO_TOKENS = 1_000_000
"""The demonstration corpus ends at the first paragraph that reaches this many tokens."""
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Code for drawing and tests says little about Python, encodings are tables, and the rest is not installed everywhere.
_NOT_FOR_DEMO = (
    {"tkinter", "turtle", "turtledemo", "test", "tests"}
    | {"encodings", "pydoc_data"}
    | {"distutils", "ensurepip", "idlelib", "lib2to3"}
)


def demo_corpus() -> list[list[str]]:
    """Return the documentation and sources of Python's own standard library as sentences of tokens.

    Names are split at underscores and capitals, words are put in lower case, and a paragraph (lines between blank
    lines) is a sentence. Only the module with the documentation's text is imported, and the order is fixed, so the same
    Python always gives the same corpus: somewhat less than a million words, in about two seconds.

    Returns
    -------
    list of list of str

    Raises
    ------
    OSError
        If this Python installation lacks the sources of its library.
    """
    texts = [*_language_topics(), *map(_source, _library_files())]
    paragraphs = (paragraph for text in texts for paragraph in re.split(r"\n\s*\n", text))
    sentences: list[list[str]] = []
    n_tokens = 0
    for paragraph in paragraphs:
        words = [word.lower() for word in _NAME_PART.findall(paragraph)]
        if words:
            sentences.append(words)
            n_tokens += len(words)
        if n_tokens >= DEMO_TOKENS:
            break
    if n_tokens < DEMO_TOKENS // 10:
        raise FileNotFoundError(
            f"{sysconfig.get_path('stdlib')} holds only {n_tokens} words of Python sources, too few for a "
            "demonstration; give a text of your own to `fastw2v train`"
        )
    return sentences


def _language_topics() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    return [topics[name] for name in sorted(topics)]


def _library_files() -> list[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    files = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] in sys.stdlib_module_names and not _NOT_FOR_DEMO.intersection(parts):
            files.append(path)
    return files


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
