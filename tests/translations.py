"""Record the English text that a translated page was last compared with.

    python -m tests.translations                        # lists pages whose sources have changed
    python -m tests.translations docs/ko/tutorial.md    # records the current sources of a page

A translated page begins with one comment for each source, such as ``<!-- source: README.md 0123456789ab -->``. A source
is a page, or a section of a page (``docs/guide/training.md#korean``). The digits are the beginning of the SHA-256 of
its text. Line breaks, generated blocks such as ``<!-- benchmarks -->`` to ``<!-- /benchmarks -->``, and the map of the
code in the README do not count.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fastw2v.utils.atomic_write import atomic_write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.ko.md", *sorted((ROOT / "docs" / "ko").glob("*.md"))]
"""The translated pages, and pages in Korean without a source."""
SOURCE = re.compile(r"^<!-- source: (\S+) ([0-9a-f]{12}) -->$", re.MULTILINE)
GENERATED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)
MAP = re.compile(r"^```text\n.*?^```$", re.DOTALL | re.MULTILINE)
"""The map of the code, which is the only block of plain text in the README."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the sources of the pages, or list the pages whose sources have changed; return the exit status."""
    assert __doc__ is not None
    names = [page.relative_to(ROOT).as_posix() for page in PAGES if SOURCE.search(page.read_text(encoding="utf-8"))]
    parser = argparse.ArgumentParser(
        prog="python -m tests.translations",
        description=__doc__.split("\n")[0] + " Without pages, list the pages whose sources have changed.",
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"the pages to record: {', '.join(names)}")
    pages = parser.parse_args(arguments).pages
    for name in pages:
        if name not in names:
            parser.error(f"no such translated page: {name}; choose from {', '.join(names)}")
    for name in pages:
        text = recorded((ROOT / name).read_text(encoding="utf-8"))
        with atomic_write(ROOT / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    found = [] if pages else [change for page in PAGES for change in changes(page)]
    print(*found, sep="\n\n", end="\n" if found else "")
    return bool(found)


def changes(page: Path) -> list[str]:
    """Return a message for each source of a page that has changed since it was recorded."""
    name = page.relative_to(ROOT).as_posix()
    return [
        f"{source} has changed since {name} was compared with it. To see the changes:\n"
        f"  git diff $(git log -1 --format=%H -S '{source} {digest}' -- {name}) -- {source.partition('#')[0]}\n"
        f"Change {name} if it is no longer right. Then record the new text:\n"
        f"  python -m tests.translations {name}"
        for source, digest in SOURCE.findall(page.read_text(encoding="utf-8"))
        if digest != digest_of(source)
    ]


def recorded(text: str) -> str:
    """Return the text of a page with the current digests of its sources."""
    return SOURCE.sub(lambda match: f"<!-- source: {match[1]} {digest_of(match[1])} -->", text)


def digest_of(source: str) -> str:
    """Return the digest of a page, or of a section of a page."""
    path, _, anchor = source.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")
    if path == "README.md":
        text = MAP.sub("", text)
    return digest(section(text, anchor) if anchor else text)


def digest(text: str) -> str:
    """Return the digest of a text without its line breaks and generated blocks."""
    return hashlib.sha256(" ".join(GENERATED.sub("", text).split()).encode()).hexdigest()[:12]


def section(text: str, anchor: str) -> str:
    """Return the section of a page with an anchor, with its subsections. Raise KeyError if there is none."""
    headings = list(re.finditer(r"^(#+) (.*)$", re.sub(r"(?s)^```.*?^```$", _blank, text, flags=re.M), re.M))
    for number, heading in enumerate(headings):
        if anchor_of(heading[2]) == anchor:
            after = (one.start() for one in headings[number + 1 :] if len(one[1]) <= len(heading[1]))
            return text[heading.start() : next(after, len(text))]
    raise KeyError(f"there is no section {anchor}")


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _blank(match: re.Match[str]) -> str:
    """Return spaces in place of a block of code, whose comments are no headings."""
    return " " * len(match[0])


if __name__ == "__main__":
    sys.exit(main())
