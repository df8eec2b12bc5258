"""Check the pages of the built site: ``python docs/_sphinx/check_site.py build/docs``.

Each link leads to a page and an anchor that exist, and no page, style sheet or script loads a script, style, font,
picture or anything else from another host. In scripts, the addresses of imports and of ``fetch`` are checked. Links
that a reader follows to other hosts are not checked.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"src", "data", "poster", "background"}
"""Attributes with the address of something that a browser loads."""
LOADED_SETS = {"srcset", "imagesrcset"}
"""Attributes with several addresses, each of which may be followed by a size."""
IN_SET = re.compile(r"(\S*[^\s,])(?:\s+[^,]+)?\s*(?:,|$)")
LOADED_LINKS = {
    "apple-touch-icon", "dns-prefetch", "icon", "manifest", "mask-icon", "modulepreload", "preconnect", "prefetch",
    "preload", "shortcut", "stylesheet",
}  # fmt: skip
"""Kinds of ``<link>`` elements that a browser loads."""
LOADED_REFERENCES = {"use", "image", "feimage"}
"""Elements of SVG whose ``href`` a browser loads."""
LOADED_IN_SCRIPTS = re.compile(r"""\b(?:from|import|fetch|importScripts)\b\s*\(?\s*["'`]((?:https?:)?//[^"'`]+)""")
LOADED_IN_CSS = re.compile(r"""url\(\s*["']?((?:https?:)?//[^"')]+)|@import\s+["']((?:https?:)?//[^"']+)""")


class Page(HTMLParser):
    """The anchors of a page, the links of the reader, and the addresses of what a browser loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.in_script = False
        self.feed(text)
        self.close()
        self.loaded += [a or b for a, b in LOADED_IN_CSS.findall(text)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchors and addresses of an element."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        self.in_script = tag == "script"
        self.loaded += [values[name] for name in LOADED & set(values)]
        self.loaded += [address for name in LOADED_SETS & set(values) for address in IN_SET.findall(values[name])]
        if tag == "link" and LOADED_LINKS & set(values.get("rel", "").lower().split()):
            self.loaded.append(values.get("href", ""))
        elif tag in LOADED_REFERENCES:
            self.loaded += [values[name] for name in ("href", "xlink:href") if name in values]
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a script."""
        self.in_script = False

    def handle_data(self, data: str) -> None:
        """Note the addresses in a script."""
        if self.in_script:
            self.loaded += LOADED_IN_SCRIPTS.findall(data)


@cache
def parsed(path: Path) -> Page:
    """Return the parsed page at a path."""
    return Page(path.read_text(encoding="utf-8"))


def is_elsewhere(address: str) -> bool:
    """Return whether an address names a host."""
    return bool(urlsplit(address).netloc)


def problems_of_page(path: Path) -> list[str]:
    """Return what is wrong with a page."""
    page = parsed(path)
    found = [f"loads {address}" for address in page.loaded if is_elsewhere(address)]
    for address in [*page.links, *page.loaded]:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        if target.is_dir():
            target = target / "index.html"
        if not target.is_file():
            found.append(f"links to {address}, which does not exist")
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in parsed(target).anchors:
            found.append(f"links to {address}, but the page has no such anchor")
    return found


def problems(site: Path) -> list[str]:
    """Return what is wrong with a site, one line for each problem."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        return [f"{site} has no pages; build them with `make docs`"]
    found = [f"{path.relative_to(site)}: {problem}" for path in pages for problem in problems_of_page(path)]
    for path in sorted(site.rglob("*.css")):
        addresses = LOADED_IN_CSS.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: loads {a or b}" for a, b in addresses]
    for path in sorted(site.rglob("*.js")):
        addresses = LOADED_IN_SCRIPTS.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: loads {address}" for address in addresses]
    return found


def main(site: Path) -> int:
    """Print the problems of a site. Return 1 if there are any."""
    found = problems(site)
    print("\n".join(found) if found else f"{len(list(site.rglob('*.html')))} pages without problems")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
