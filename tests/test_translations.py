"""Each translated page was compared with the current text of its English sources."""

from __future__ import annotations

import pytest

from tests import translations
from tests.translations import PAGES, ROOT, SOURCE, changes, digest, digest_of, main, recorded, section

WITHOUT_SOURCE = {"docs/ko/README.md": "a list of the Korean pages, and of terms"}
TEXT = "# Title\n\nOne sentence. Another one.\n\n## Part 1\n\nText.\n\n### Detail\n\nMore.\n\n## Part 2\n\nEnd.\n"


def name_of(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_sources_have_not_changed(page):
    found = changes(page)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_translated_pages_begin_with_their_sources(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    sources = [line for line in lines if SOURCE.match(line)]
    assert bool(sources) != (name_of(page) in WITHOUT_SOURCE)
    assert sources == lines[: len(sources)]
    assert sum("<!-- source" in line for line in lines) == len(sources)  # none is misspelled


def test_what_counts_as_a_change():
    assert digest(TEXT) != digest(TEXT.replace("sentence", "statement"))
    assert digest(TEXT) == digest(TEXT.replace("sentence. Another", "sentence.\nAnother"))
    generated = "{}<!-- benchmarks -->\n{}\n<!-- /benchmarks -->\n{}"
    assert digest(generated.format(TEXT, "one table", TEXT)) == digest(generated.format(TEXT, "another", TEXT))
    assert digest(generated.format(TEXT, "table", TEXT)) != digest(generated.format(TEXT, "table", ""))
    blocks = generated.format("", "one", TEXT) + generated.format("", "two", "")
    assert digest(blocks) != digest(blocks.replace("sentence", "statement"))  # between two blocks of one name
    assert digest(TEXT + "```text\nh = W x\n```\n") != digest(TEXT + "```text\nh = W y\n```\n")
    assert digest(TEXT + "```sh\nls\n```\n") != digest(TEXT + "```sh\nmake\n```\n")


def test_the_map_of_the_readme_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    found = {}
    for block in ("text\none", "text\nanother", "sh\none"):
        for name in ("README.md", "page.md"):
            (tmp_path / name).write_text(f"{TEXT}\n```{block}\n```\n", encoding="utf-8")
            found.setdefault(name, []).append(digest_of(name))
    assert found["README.md"][0] == found["README.md"][1] != found["README.md"][2]
    assert len(set(found["page.md"])) == 3


@pytest.mark.parametrize("name", ["docs/ko/tutoriaal.md", "README.md", "docs/ko/README.md", "docs/guide/training.md"])
def test_other_pages_are_refused(name, capsys):
    before = {page: page.read_bytes() for page in PAGES}
    with pytest.raises(SystemExit) as error:
        main(["README.ko.md", name])
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert f"no such translated page: {name}; choose from README.ko.md, docs/ko/" in message
    assert before == {page: page.read_bytes() for page in PAGES}


def test_help_names_the_pages(capsys):
    with pytest.raises(SystemExit) as error:
        main(["--help"])
    assert error.value.code == 0
    assert "docs/ko/tutorial.md" in capsys.readouterr().out


def test_a_section_ends_at_the_next_heading_of_its_level():
    assert section(TEXT, "part-1") == "## Part 1\n\nText.\n\n### Detail\n\nMore.\n\n"
    assert section(TEXT, "detail") == "### Detail\n\nMore.\n\n"
    assert section(TEXT, "part-2") == "## Part 2\n\nEnd.\n"
    assert section("## 한국어 말뭉치\n```sh\n# a comment\n```\n## B\n", "한국어-말뭉치").endswith("```\n")
    with pytest.raises(KeyError, match="no section part-3"):
        section(TEXT, "part-3")


def test_a_change_is_reported_and_recorded(tmp_path, monkeypatch, capsys):
    page, source = tmp_path / "docs" / "ko" / "page.md", tmp_path / "docs" / "page.md"
    page.parent.mkdir(parents=True)
    source.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    monkeypatch.setattr(translations, "PAGES", [page])
    text = "<!-- source: docs/page.md 000000000000 -->\n<!-- source: docs/page.md#part-2 000000000000 -->\n\n# 제목\n"
    page.write_text(recorded(text), encoding="utf-8")
    assert main([]) == 0
    assert capsys.readouterr().out == ""

    before = page.read_text(encoding="utf-8")
    source.write_text(TEXT.replace("More.", "Much more."), encoding="utf-8")
    assert main([]) == 1
    message = capsys.readouterr().out
    assert message.startswith("docs/page.md has changed since docs/ko/page.md was compared with it.")
    assert "git log -1 --format=%H -S 'docs/page.md " in message
    assert "-- docs/ko/page.md) -- docs/page.md\n" in message
    assert "#part-2" not in message  # this section is the same
    assert main(["docs/ko/page.md"]) == 0
    assert main([]) == 0
    after = page.read_text(encoding="utf-8")
    assert after.splitlines()[1:] == before.splitlines()[1:]
    assert after != before
