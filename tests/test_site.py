"""The documentation site: its navigation has every page, and faults in pages and docstrings are found.

`make docs` builds the site and checks it. These tests check that faults are found.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
INDEXES = [ROOT / "README.md", ROOT / "docs" / "README.md", *(ROOT / "docs").glob("*/README.md")]
"""The pages whose links are the navigation of the site."""


def load(name: str):
    """Return a module of docs/_sphinx, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_sphinx" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_site = load("check_site")


def test_the_navigation_has_every_page():
    listed = {ROOT / "README.md"}
    for page in INDEXES:
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8")):
            listed.add((page.parent / target).resolve())
    pages = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "results" / "REPORT.md"}
    assert pages == listed


def page(body: str, head: str = "") -> str:
    return f'<html><head>{head}</head><body><h1 id="top">Title</h1>{body}</body></html>'


@pytest.fixture
def site(tmp_path) -> Path:
    """Return a folder with two pages and a style sheet, which have no faults."""
    links = (
        '<a href="#top">1</a> <a href="guide/b.html#top">2</a> <a href="guide/">3</a> <a href="%ED%95%9C.html">4</a>'
    )
    links += '<img srcset="a.html, guide/b.html 2x, data:image/png;base64,AA== 3x"><svg><use href="#top"/></svg>'
    links += '<script>const home = "https://example.org/";</script><p>import "https://example.org/a.js"</p>'
    elsewhere = '<a href="https://example.org/x.html#y">5</a> <a href="mailto:a@example.org">6</a>'
    head = '<link rel="stylesheet" href="site.css"><link rel="canonical" href="https://example.org/a.html">'
    (tmp_path / "a.html").write_text(page(links + elsewhere + '<img src="data:image/png;base64,AA==">', head))
    (tmp_path / "한.html").write_text(page(""), encoding="utf-8")
    (tmp_path / "guide").mkdir()
    for name in ("index.html", "b.html"):
        (tmp_path / "guide" / name).write_text(page('<a href="../a.html">back</a>'))
    (tmp_path / "site.css").write_text("p { background: url(data:image/png;base64,AA==) }")
    return tmp_path


def test_a_site_without_faults_passes(site, capsys):
    assert check_site.main(site) == 0
    assert capsys.readouterr().out == "4 pages without problems\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="guide/c.html">c</a>', "links to guide/c.html, which does not exist"),
        ('<a href="guide/b.html#end">b</a>', "links to guide/b.html#end, but the page has no such anchor"),
        ('<a href="#end">b</a>', "links to #end, but the page has no such anchor"),
        ('<img src="picture.png">', "links to picture.png, which does not exist"),
        ('<img src="https://example.org/a.png">', "loads https://example.org/a.png"),
        ('<script src="//example.org/a.js"></script>', "loads //example.org/a.js"),
        ('<iframe src="http://example.org/"></iframe>', "loads http://example.org/"),
        ('<link rel="stylesheet" href="https://example.org/a.css">', "loads https://example.org/a.css"),
        ('<link rel="preconnect" href="https://example.org">', "loads https://example.org"),
        ('<img srcset="guide/b.html 1x, b.png 2x">', "links to b.png, which does not exist"),
        ('<img srcset="a.html 1x,https://example.org/a.png 2x">', "loads https://example.org/a.png"),
        ('<link rel="manifest" href="https://example.org/a.json">', "loads https://example.org/a.json"),
        ('<link rel="Icon" href="https://example.org/a.ico">', "loads https://example.org/a.ico"),
        ('<svg><use href="https://example.org/a.svg#b"></use></svg>', "loads https://example.org/a.svg#b"),
        ('<svg><use xlink:href="https://example.org/a.svg"/></svg>', "loads https://example.org/a.svg"),
        ('<svg><image href="//example.org/a.png"/></svg>', "loads //example.org/a.png"),
        ('<svg><use href="#b"></use></svg>', "links to #b, but the page has no such anchor"),
        ('<script type="module">import a from "https://example.org/a.js";</script>', "loads https://example.org/a.js"),
        ("<script>import('https://example.org/a.js')</script>", "loads https://example.org/a.js"),
        ('<script type="module">import "//example.org/a.js"</script>', "loads //example.org/a.js"),
        ('<script>fetch("https://example.org/a.json")</script>', "loads https://example.org/a.json"),
        ('<style>@import "https://example.org/b.css";</style>', "loads https://example.org/b.css"),
        ('<p style="background: url(https://example.org/b.png)">', "loads https://example.org/b.png"),
    ],
)
def test_faults_of_a_built_page_are_found(site, capsys, body, problem):
    (site / "guide" / "index.html").write_text(page('<a href="../a.html">back</a>'))
    (site / "a.html").write_text(page(body))
    assert check_site.main(site) == 1
    assert capsys.readouterr().out == f"a.html: {problem}\n"


def test_fonts_of_other_hosts_are_found(site):
    (site / "site.css").write_text("@font-face { src: url('https://example.org/a.woff2') }")
    assert check_site.problems(site) == ["site.css: loads https://example.org/a.woff2"]


def test_requests_of_scripts_are_found(site):
    (site / "site.js").write_text('const a = await import("https://example.org/a.js"); // from https://example.org')
    assert check_site.problems(site) == ["site.js: loads https://example.org/a.js"]


def test_a_folder_without_pages_is_a_fault(tmp_path):
    (problem,) = check_site.problems(tmp_path)
    assert problem.endswith("has no pages; build them with `make docs`")


@pytest.fixture
def site_pages():
    for package in ("sphinx", "docutils"):
        pytest.importorskip(package, reason=f"{package} is not installed (make docs)")
    return load("site_pages")


def prepared(site_pages, text: str) -> str:
    """Return a page of the guide as the site has it."""
    content = [text]
    app = SimpleNamespace(project=SimpleNamespace(docnames={"README", "docs/guide/training"}))
    site_pages.prepare_page(app, "docs/guide/page", content)
    return content[0]


MODULE = "../../fastw2v/run.py"
ON_GITHUB = "https://github.com/fastw2v/fastw2v/blob/main/fastw2v/run.py"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"[a]({MODULE})", f"[a]({ON_GITHUB})"),
        (f"[a]({MODULE}#L1)", f"[a]({ON_GITHUB}#L1)"),
        (f'[a]({MODULE} "a title")', f'[a]({ON_GITHUB} "a title")'),
        (f"[`run.py`]({MODULE})", f"[`run.py`]({ON_GITHUB})"),
        (f"[two\nlines]({MODULE})", f"[two\nlines]({ON_GITHUB})"),
        (f"`x` [a]({MODULE}) `y`", f"`x` [a]({ON_GITHUB}) `y`"),
        (f"```md\n[a]({MODULE})\n```\n[a]({MODULE})", f"```md\n[a]({MODULE})\n```\n[a]({ON_GITHUB})"),
    ],
)
def test_links_to_files_lead_to_the_repository(site_pages, text, expected):
    assert prepared(site_pages, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[a](training.md) [b](https://example.org/) ![c](../../fastw2v/run.py) [d](nowhere.py)",
        f"```md\n[a]({MODULE})\n```",
        f"~~~~\n```\n[a]({MODULE})\n~~~\n[a]({MODULE})\n~~~~",
        f"- item\n\n  ```md\n  [a]({MODULE})\n  ```",
        f"> ```md\n> [a]({MODULE})\n> ```",
        f"```md\n[a]({MODULE})",
        f"`[a]({MODULE})`",
        f"``a ` [a]({MODULE})``",
        f"`two\nlines [a]({MODULE})`",
        "```md\n::: fastw2v.nn\n```\n",
        "````md\n```\n::: wrong line\n```\n````\n",
        "`::: fastw2v`\n",
    ],
)
def test_pages_and_code_are_unchanged(site_pages, text):
    assert prepared(site_pages, text) == text


def test_docstrings_replace_the_line_outside_code(site_pages):
    example = "```md\n- `Adam`\n\n::: fastw2v.nn\n```\n"
    text = prepared(site_pages, f"# Title\n\n{example}\n- `SGD`\n\n::: fastw2v.nn\n")
    assert example in text
    assert text.count(".. autosummary::") == text.count(".. autoclass::") == 1
    assert ".. autoclass:: fastw2v.nn.SGD" in text
    assert text.count("::: ") == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (":::", "does not name a module"),
        ("::: fastw2v.nn SGD", "does not name a module"),
        ("::: fastw2v.nowhere", "does not name a module"),
        (":::fastw2v.nn", "does not name a module"),
        ("::: os", "does not name a module"),
        ("::: fastw2v.nn\n::: fastw2v.corpus", "'::: fastw2v.corpus' is the second module"),
    ],
)
def test_a_wrong_line_is_named(site_pages, line, problem):
    from sphinx.errors import ExtensionError

    number = 6 + line.count("\n")
    with pytest.raises(ExtensionError, match=rf"^docs/guide/page\.md:{number}: .*{re.escape(problem)}"):
        prepared(site_pages, f"# Title\n\n```md\n:::\n```\n{line}\n")


def test_the_options_of_all_commands_are_listed(site_pages):
    import typer

    from fastw2v.cli.app import app

    text = prepared(site_pages, "# Title\n\n<!-- options -->\n")
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^### |\Z)", text, re.MULTILINE | re.DOTALL))
    commands = {name: command for name, command in typer.main.get_command(app).commands.items() if command.params}
    assert list(sections) == list(commands)
    for name, command in commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert re.search(rf"^- `[^`]*{max(parameter.opts, key=len)}(?=[ `])", sections[name], re.MULTILINE)
    assert "\n**Model**\n\n- `--model " in sections["train"]
    for command, option, meaning in [
        ("train", "--min-count", "Ignore words that occur fewer times than this number. Default: 5."),
        ("train", "--epochs", "Number of passes over the corpus. Default: 5, or 15 with `--quality` best."),
        ("train", "--max-vocab", "Maximum size of the vocabulary. The most frequent words are kept."),
        (
            "train", "--output-weight",
            r"Weight c of the output matrix in the vectors W\_in + c \* W\_out, from 0 to 1. "
            "Default: 0.4 for cbow with `--loss` ns, otherwise 0.",
        ),
        ("most-similar", "--topn", r"Number of words to list. Default: 10. Range: x\>=1."),
        ("explore", "--port", r"Port on 127.0.0.1. Default: any free port. Range: 0\<=x\<=65535."),
        ("encode", "--vocabulary", "Also write the words and their counts to this file, one word per line."),
        ("push", "NAME", "Repository to write, such as user/wiki-vectors. Required."),
    ]:  # fmt: skip
        assert re.search(rf"^- `[^`]*{option}[^`]*`: {re.escape(meaning)}$", sections[command], re.MULTILINE)


def test_links_of_the_navigation(site_pages):
    text = (
        '[one](a.md) [two\n  lines](b.md#part) [with a title](c.md "A title") [again](a.md) ![a](d.png)\n'
        "`[code](e.md)`\n\n```md\n[code](f.md)\n```\n[`name`](../g.md 'Title') [h](https://example.org/h.md)\n"
    )
    assert site_pages.links("docs/README", text) == [
        ("one", "docs/a"),
        ("two lines", "docs/b"),
        ("with a title", "docs/c"),
        ("`name`", "g"),
    ]


def test_names_of_compat_have_a_lower_priority_in_the_search(site_pages, monkeypatch):
    # In Sphinx, 0 is the highest priority, and -1 leaves a name out.
    priorities = {"fastw2v": 0, "fastw2v.Word2Vec": 1, "fastw2v.compat.gensim.Word2Vec": 1, "fastw2v.compat.x": -1}
    rows = [(name, name, "class", "page", name, priority) for name, priority in priorities.items()]
    monkeypatch.setattr(site_pages.PythonDomain, "get_objects", lambda self: iter(rows))
    found = object.__new__(site_pages.NamesOfPython).get_objects()
    assert {row[0]: row[-1] for row in found} == priorities | {"fastw2v.compat.gensim.Word2Vec": 2}


@pytest.mark.slow
def test_sphinx_finds_faults(tmp_path):
    """A link to no page, one to no heading, one to no file, a name that does not exist, and a page in no list."""
    for package in ("sphinx", "myst_parser", "furo", "numpydoc", "sphinx_copybutton"):
        pytest.importorskip(package, reason=f"{package} is not installed (make docs)")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, tmp_path, ignore=ignored, dirs_exist_ok=True)

    with (tmp_path / "docs" / "guide" / "queries.md").open("a", encoding="utf-8") as file:
        file.write("\n[a](nowhere.md) [b](training.md#nowhere) [c](../../fastw2v/nowhere.py)\n")
    (tmp_path / "docs" / "guide" / "unlisted.md").write_text("# A page\n", encoding="utf-8")
    module = tmp_path / "fastw2v" / "vectors" / "hnsw.py"
    text = module.read_text(encoding="utf-8")
    assert "call its methods" in text
    module.write_text(text.replace("call its methods", "`WordVectors.nowhere` `Nowhere` `fastw2v.nowhere`"))

    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "--conf-dir", "docs/_sphinx", ".", "out"]
    environment = {**os.environ, "PYTHONPATH": "", "NO_COLOR": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode != 0
    warnings = [line for line in result.stderr.splitlines() if "WARNING: " in line]
    faults = {
        "nowhere.md": "queries.md",
        "nowhere' [myst.xref_missing]": "queries.md",
        "fastw2v/nowhere.py": "queries.md",
        "WordVectors.nowhere [ref.obj]": "hnsw.py",
        ": Nowhere [ref.obj]": "hnsw.py",
        ": fastw2v.nowhere [ref.obj]": "hnsw.py",
        "isn't included in any toctree": "unlisted.md",
    }
    for fault, where in faults.items():
        assert any(fault in line and where in line for line in warnings), f"{fault}\n{result.stderr}"
    assert len(warnings) == len(faults), result.stderr
