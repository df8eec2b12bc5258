"""Print the section of CHANGELOG.md about this version, as the notes of a GitHub release.

    python -m release.notes [TAG]

Exits with an error unless the tag, the version of the package, the version of CITATION.cff and the newest dated section
of CHANGELOG.md agree, and "Unreleased" is empty. Needs the standard library only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the notes, or exit with the reason why this tree is not ready for a release."""
    try:
        print(notes(ROOT, *sys.argv[1:2]))
    except ValueError as error:
        sys.exit(f"not ready for a release: {error}")


def notes(root: Path, tag: str | None = None) -> str:
    """Return the notes of the version of a source tree, with links that work outside it.

    Raises
    ------
    ValueError
        If the tag is not that of a release, if versions differ, if the changelog has no dated section for the version,
        or if changes are listed as unreleased.
    """
    version = _only(r'^__version__ = "(.*)"$', root / "fastw2v" / "__init__.py")
    cited, cited_on = (_only(rf"^{key}: (.*)$", root / "CITATION.cff") for key in ("version", "date-released"))
    if tag is not None and not re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+", tag):
        raise ValueError(f"the tag is {tag}; the tag of a release must be vMAJOR.MINOR.PATCH, such as v0.2.0")
    if tag not in (None, f"v{version}"):
        raise ValueError(f"the tag is {tag}, and the version of the package is {version}; the tag must be v{version}")
    if cited != version:
        raise ValueError(f"the version is {cited} in CITATION.cff and {version} in fastw2v/__init__.py")
    # The text between the headings, and the definitions of links at the end of the page.
    page = re.sub(r"^\[[^\]]*\]: .*\n?", "", (root / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    _, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    texts = dict(section.split("\n", 1) for section in sections)
    heading = f"[{version}] - {cited_on}"
    if [*texts][:2] != ["[Unreleased]", heading]:
        raise ValueError(f"the first headings of CHANGELOG.md are {[*texts][:2]}, not ['[Unreleased]', '{heading}']")
    if texts["[Unreleased]"].strip():
        raise ValueError(f"CHANGELOG.md lists unreleased changes; move them to {heading}")
    text = texts[heading].strip()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    # The links of the notes change like those of the README on PyPI.
    for rule in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"].replace("$HFPR_VERSION", version), text)
    return text


def _only(pattern: str, path: Path) -> str:
    """Return what a pattern finds in a file."""
    found: list[str] = re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"{path.name} has {len(found)} lines that match {pattern}")
    return found[0]


if __name__ == "__main__":
    main()
