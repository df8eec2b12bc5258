"""Print a random sample of docstrings and documentation paragraphs, for a reviewer of the prose.

    python -m tests.prose_sample --seed 1

The reviewer marks every sample that had to be read twice. The same seed draws the same sample from the same sources.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every docstring of the package and of the benchmarks."""
    for folder in ("fastw2v", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    continue
                text = ast.get_docstring(node)
                if text:
                    yield f"{path.relative_to(ROOT)}, {getattr(node, 'name', 'module')}", text


def paragraphs() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every paragraph, list item and table row of the pages, without code."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    for page in [*pages, *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for block in re.split(r"\n\s*\n|\n(?= *(?:[-*|]|\d+\.) ?)", text):
            if len(re.findall(r"[A-Za-z]{2,}", block)) >= 8 and not block.startswith(("#", "<!--", ":::")):
                yield str(page.relative_to(ROOT)), block.strip("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--docstrings", type=int, default=30)
    parser.add_argument("--paragraphs", type=int, default=100)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for kind, found, size in (
        ("docstring", list(docstrings()), options.docstrings),
        ("paragraph", list(paragraphs()), options.paragraphs),
    ):
        for number, (place, text) in enumerate(rng.sample(found, min(size, len(found))), 1):
            print(f"=== {kind} {number}: {place}\n{text}\n")


if __name__ == "__main__":
    main()
