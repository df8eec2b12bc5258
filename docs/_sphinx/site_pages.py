"""An extension of Sphinx for pages that are plain Markdown and have no directives.

- The navigation is read from the links in ``docs/README.md``, whose sections are those of the navigation, and from the
  lists of pages in some folders. A page that is in no list makes the build fail.
- A link to a file or folder that is not a page leads to the repository on GitHub.
- ``::: MODULE`` in a page of the reference becomes the docstrings of the names that the page lists. A name that is also
  in an earlier page is described there only.
- A name between backticks in a docstring becomes a link. If it looks like a name of the package and does not exist, the
  build fails.
- The line ``<!-- options -->`` becomes a list of the options of all commands.
- The search finds Korean words by their first syllables, because particles follow the stem: 임베딩 finds 임베딩을.
  Names of ``fastw2v.compat`` come after other names.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.search.en import SearchEnglish
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/fastw2v/fastw2v"
CONTENTS = "docs/README"
"""The page whose sections are those of the navigation."""
INDEXES = ("docs/reference/README", "docs/notebook/README", "docs/ko/README")
"""Pages whose links are one level deeper in the navigation."""
FENCE = r"^[ >]*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ >]*(?P=fence)[`~]*[ \t]*$|\Z)"
SPAN = r"(?<!`)(?P<span>`+)(?!`)(?:(?!\n[ >]*\n).)+?(?<!`)(?P=span)(?!`)"
FENCED = re.compile(f"({FENCE})", re.DOTALL | re.MULTILINE)
"""A block of code. `split` returns text, block, mark of the block, text and so on."""
LINK = re.compile(
    rf"{FENCE}|{SPAN}"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`]*`|[^\]`])*)\]"
    r"""\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?P<title>\s+(?:"[^"]*"|'[^']*'))?\s*\)""",
    re.DOTALL | re.MULTILINE,
)
"""A link, or code, which has no target. Code in the text of a link belongs to the link."""
OPTIONS = "<!-- options -->"
"""Line of a page that becomes the list of options."""
HANGUL = re.compile("[가-힣]{3,}")

logger = logging.getLogger(__name__)


class EnglishAndKorean(SearchEnglish):
    """The search of English pages, which also stores the beginnings of Korean words from two syllables on."""

    def split(self, input: str) -> list[str]:
        """Return the words of a text and the beginnings of the Korean ones."""
        words = super().split(input)
        beginnings = {word[:length] for word in words if HANGUL.match(word) for length in range(2, len(word))}
        return words + sorted(beginnings - set(words))


class NamesOfPython(PythonDomain):
    """The names of the reference, with a lower priority in the search for those of `fastw2v.compat`."""

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """Yield each name with its priority: 1, or 2, which is lower."""
        for name, *rest, priority in super().get_objects():
            yield name, *rest, 2 if priority == 1 and name.startswith("fastw2v.compat.") else priority


def links(page: str, text: str) -> list[tuple[str, str]]:
    """Return the text and the page of each link of a page to another page, in order and without repetitions."""
    found: dict[str, str] = {}
    for link in LINK.finditer(text):
        target = link["target"] or ""
        if target.endswith(".md") and "://" not in target:
            name = os.path.normpath(Path(page).parent / target).removesuffix(".md")
            found.setdefault(name, " ".join(link["text"].split()))
    return [(title, name) for name, title in found.items()]


def toctree(entries: list[tuple[str, str]], caption: str = "") -> str:
    """Return a table of contents, which is part of the navigation only. A file name is replaced by the page's title."""
    lines = [f":caption: {caption}"] if caption else []
    lines += [f"/{name}" if title.endswith(".md") else f"{title} </{name}>" for title, name in entries]
    return "\n".join(["", "```{toctree}", ":hidden:", *lines, "```", ""])


def sections() -> dict[str, list[tuple[str, str]]]:
    """Return the links in each section of the page of contents. A repeated link counts in its first section."""
    parts = re.split(r"^## (.*)$", (ROOT / f"{CONTENTS}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: dict[str, list[tuple[str, str]]] = {}
    for section, text in zip(parts[1::2], parts[2::2], strict=True):
        earlier = {name for entries in found.values() for _, name in entries}
        found[section] = [(title, name) for title, name in links(CONTENTS, text) if name not in earlier]
    return found


def navigation(page: str, text: str) -> str:
    """Return the tables of contents that belong to a page."""
    if page == "README":
        contents = {title: entries for title, entries in sections().items() if entries}
        listed = {name for entries in contents.values() for _, name in entries}
        # The README in another language is above the sections.
        others = [(title, name) for title, name in links(page, text) if "/" not in name and name not in listed]
        return "".join(toctree(entries, title) for title, entries in [("", others), *contents.items()] if entries)
    if page in INDEXES:
        first_level = {name for entries in sections().values() for _, name in entries}
        return toctree([(title, name) for title, name in links(page, text) if name not in first_level | {CONTENTS}])
    return ""


def link_to_repository(app: Sphinx, page: str, link: re.Match[str]) -> str:
    """Return a link, which leads to GitHub if its target exists and is neither a page nor a picture; or code."""
    if link["target"] is None:
        return link[0]
    image, target, rest = link["image"], link["target"], (link["anchor"] or "") + (link["title"] or "")
    path = os.path.normpath(Path(page).parent / target)
    if image or "://" in target or not (ROOT / path).exists() or path.removesuffix(".md") in app.project.docnames:
        return link[0]
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"[{link['text']}]({REPOSITORY}/{kind}/main/{path}{rest})"


def module_of(page: str, text: str) -> str | None:
    """Return the module in the line ``::: MODULE`` of a page, or None if there is no such line outside code.

    Raises
    ------
    ExtensionError
        If a line that begins with ``:::`` does not name a module with public names, or is the second of its page.
    """
    found: str | None = None
    plain = FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)
    for number, line in enumerate(plain.split("\n"), 1):
        if not line.startswith(":::"):
            continue
        match = re.fullmatch(r"::: (fastw2v(?:\.\w+)*)", line)
        if not match or not has_public_names(match[1]):
            raise ExtensionError(
                f"{page}.md:{number}: {line!r} does not name a module with public names; write '::: fastw2v.MODULE'"
            )
        if found:
            raise ExtensionError(f"{page}.md:{number}: {line!r} is the second module; a page describes one")
        found = match[1]
    return found


def has_public_names(module: str) -> bool:
    """Return whether a module exists and has `__all__`."""
    try:
        return hasattr(importlib.import_module(module), "__all__")
    except ImportError:
        return False


@cache
def owners() -> dict[str, str]:
    """Return the module under whose name each public object is described, by the name of the object."""
    found: dict[str, str] = {}
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    modules = [module_of(f"docs/reference/{path.stem}", path.read_text(encoding="utf-8")) for path in pages]
    for module in sorted(filter(None, modules), key=lambda name: (name.startswith("fastw2v.compat"), name)):
        for name in importlib.import_module(module).__all__:
            found.setdefault(true_name(module, name), module)
    return found


def true_name(module: str, name: str) -> str:
    """Return the name under which a public object was defined."""
    obj = getattr(importlib.import_module(module), name)
    return f"{obj.__module__}.{name}" if inspect.isclass(obj) or inspect.isfunction(obj) else f"{module}.{name}"


def described(module: str, name: str) -> str:
    """Return the directive that inserts the docstrings of a public object."""
    obj = getattr(importlib.import_module(module), name)
    kind, options = "function" if inspect.isfunction(obj) else "data", []
    if inspect.isclass(obj):
        kind = "exception" if issubclass(obj, Exception) else "class"
        public = [base for base in obj.__mro__[1:] if not base.__name__.startswith("_")]
        # Methods of private base classes are described with the class.
        options = [":members:", f":inherited-members: {', '.join(base.__name__ for base in public)}"]
        options += [":show-inheritance:"] if any(base.__module__.startswith("fastw2v") for base in public) else []
    return "\n".join([f".. auto{kind}:: {module}.{name}", *(f"   {option}" for option in options), ""])


def reference(module: str, text: str) -> str:
    """Return a page of the reference with the docstrings of the names that it lists, after a table of these names."""
    parts = FENCED.split(text)
    names = [name for part in parts[::3] for name in re.findall(r"^- `(\w+)`", part, re.MULTILINE)]
    home = {name: owners()[true_name(module, name)] for name in names}
    table = "\n".join([".. autosummary::", "   :nosignatures:", "", *(f"   ~{home[name]}.{name}" for name in names)])
    docstrings = "\n".join(described(module, name) for name in names if home[name] == module)
    lists = re.compile(r"(^- `\w+`\n)+", re.MULTILINE)
    first = next((number for number in range(0, len(parts), 3) if lists.search(parts[number])), 0)
    parts[first] = lists.sub(lambda _: f"```{{eval-rst}}\n{table}\n```\n", parts[first], count=1)
    directive = f"```{{eval-rst}}\n{docstrings}\n```"
    for number in range(0, len(parts), 3):
        parts[number] = re.sub(r"^::: \S+$", lambda _: directive, parts[number], flags=re.MULTILINE)
    del parts[2::3]
    return "".join(parts)


def options_of_commands() -> str:
    """Return the options of all commands as Markdown: for each command, its groups of options as in its help text."""
    commands = typer.main.get_command(importlib.import_module("fastw2v.cli.app").app).commands
    lines = []
    for name, command in commands.items():
        if not command.params:  # word2vec, fasttext and demo
            continue
        lines += [f"### {name}", "", command.get_short_help_str(1000), ""]
        groups: dict[str, list[str]] = {}
        with command.make_context(name, [], resilient_parsing=True) as context:
            for parameter in command.params:
                if (record := parameter.get_help_record(context)) is None:  # hidden
                    continue
                written, meaning = record
                group = "Arguments" if parameter.param_type_name == "argument" else parameter.rich_help_panel
                groups.setdefault(group or "Options", []).append(f"- `{written}`: {_meaning(meaning)}")
        for group, of_group in groups.items():
            lines += [f"**{group}**", "", *of_group, ""]
    return "\n".join(lines)


def _meaning(text: str) -> str:
    """Return a help text as Markdown. Options are code, and what Typer appends in brackets becomes sentences."""
    text, _, appended = text.partition("  [")
    appended = appended.removesuffix("]")
    if appended.startswith("default: ("):  # a description, which may contain semicolons
        default, _, limits = appended.removeprefix("default: (").rpartition(")")
        text += f" Default: {default}."
    elif appended.startswith("default: "):
        default, _, limits = appended.removeprefix("default: ").partition("; ")
        text += f" Default: {default}."
    else:
        limits = appended
    if limits := limits.removeprefix("; "):
        text += " Required." if limits == "required" else f" Range: {limits}."
    text = re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)
    return re.sub(r"(?<!\S)(--?[a-z][\w-]*)", r"`\1`", text)


def prepare_page(app: Sphinx, page: str, content: list[str]) -> None:
    """Change the Markdown of a page before it is read."""
    text = content[0] + navigation(page, content[0])
    text = LINK.sub(lambda link: link_to_repository(app, page, link), text)
    if OPTIONS in text:
        text = text.replace(OPTIONS, options_of_commands())
    module = module_of(page, text)
    content[0] = reference(module, text) if module else text


@cache
def package_names() -> dict[str, Any]:
    """Return the global names of all modules of the package, and Python's built-in names."""
    found = vars(builtins).copy()
    package = importlib.import_module("fastw2v")
    for module in pkgutil.walk_packages(package.__path__, "fastw2v."):
        if not module.name.endswith("__main__"):
            found |= vars(importlib.import_module(module.name))
    return found


def exists(name: str) -> bool:
    """Return False if a name looks like one of the package, but does not exist.

    A name looks like one of the package if it begins with ``fastw2v.``, or with a capital letter and is not a constant.
    """
    first, *rest = name.split(".")
    if first == "fastw2v":
        try:
            return bool(pkgutil.resolve_name(name))
        except (ImportError, AttributeError):
            return False
    if not re.fullmatch(r"[A-Z]\w*[a-z]\w*", first):
        return True
    if first not in package_names():
        return False
    obj = package_names()[first]
    # Attributes of instances are in the docstring of the class.
    return not rest or hasattr(obj, rest[0]) or bool(re.search(rf"\b{rest[0]}\b", inspect.getdoc(obj) or ""))


def find_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Return a link for a name such as ``WordVectors.nearest`` that is written without its module."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not re.match(r"[A-Z]|\w+$", target):
        return None
    objects = env.domains.python_domain.objects
    found = [name for name in objects if name.endswith(f".{target}") and (target[0].isupper() or name.count(".") < 3)]
    if not found:
        return None
    within = node.get("py:module") or ""
    name = min(found, key=lambda name: (not name.startswith(f"{within}."), name.count("."), name))
    return make_refnode(app.builder, node["refdoc"], objects[name].docname, objects[name].node_id, content, name)


def check_name(app: Sphinx, domain: Any, node: pending_xref) -> bool | None:
    """Return True, which means no warning, for words between backticks that are not names of the package."""
    is_name = node.get("reftype") == "obj" and exists(node["reftarget"])
    return True if is_name else None


def set_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Mark the Korean pages as Korean."""
    if page.startswith("docs/ko/") or page.endswith(".ko"):
        context["language"] = "ko"


def skip_member(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, which the docstring of the class describes."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def copy_home_page(app: Sphinx, exception: Exception | None) -> None:
    """Copy the README to the home page of the site."""
    if exception is None and app.builder.format == "html":
        page = Path(app.outdir) / "README.html"
        page.with_name("index.html").write_bytes(page.read_bytes())


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions of this module to Sphinx."""
    app.add_search_language(EnglishAndKorean)
    app.add_domain(NamesOfPython, override=True)
    app.connect("source-read", prepare_page)
    app.connect("missing-reference", find_name)
    app.connect("warn-missing-reference", check_name)
    app.connect("html-page-context", set_language)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("build-finished", copy_home_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
