"""The demonstration corpus: text from the Python installation, which needs no download."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

__all__ = ["DEMO_TOKENS", "demo_corpus"]

DEMO_TOKENS = 1_000_000
"""The demonstration corpus ends with the paragraph that reaches this number of tokens."""
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Drawing code, tests and encoding tables do not resemble ordinary text. Some installations lack the other modules.
_NOT_FOR_DEMO = (
    {"tkinter", "turtle", "turtledemo", "test", "tests"}
    | {"encodings", "pydoc_data"}
    | {"distutils", "ensurepip", "idlelib", "lib2to3"}
)


def demo_corpus() -> list[list[str]]:
    """Return the documentation and source code of the Python standard library as sentences of tokens.

    Names are split at underscores and capital letters, and words are converted to lower case. Each paragraph (the lines
    between two blank lines) becomes one sentence. The corpus has up to about a million words and takes about two
    seconds to read. For a given Python installation, the corpus is always the same.

    Returns
    -------
    list of list of str

    Raises
    ------
    OSError
        If the Python installation does not include the source code of the standard library.

    Examples
    --------
    >>> from fastw2v.datasets import demo_corpus
    >>> sentences = demo_corpus()
    >>> sentences[0]
    ['the', 'assert', 'statement']
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
            f"{sysconfig.get_path('stdlib')} contains only {n_tokens} words of Python source code, too few for a "
            "demonstration; use your own text with `fastw2v train`"
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
