"""Packaging: the README on PyPI, the notes of a release, clean installs, and the conda recipe."""

from __future__ import annotations

import datetime
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import fastw2v
from release import clean_install
from release.notes import notes

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
METADATA = PROJECT["project"]
EXTRAS = METADATA["optional-dependencies"]
RECIPE = (ROOT / "release" / "recipe.yaml").read_text(encoding="utf-8")


def test_links_of_the_readme_work_on_pypi():
    """The substitutions of pyproject.toml are applied as hatch-fancy-pypi-readme applies them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https:)([^)]+)\)", readme)
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        readme = re.sub(rule["pattern"], rule["replacement"], readme)
    readme = readme.replace("$HFPR_VERSION", fastw2v.__version__)
    assert not re.findall(r"\]\((?!https:)([^)]+)\)", readme)
    tag = f"v{fastw2v.__version__}"
    for path in linked:
        picture = path.endswith(".png")
        host = (
            "https://raw.githubusercontent.com/fastw2v/fastw2v" if picture else f"{METADATA['urls']['Homepage']}/blob"
        )
        assert f"]({host}/{tag}/{path})" in readme
        assert (ROOT / path.partition("#")[0]).exists()
    assert any(path.endswith(".png") for path in linked)


def test_the_classifiers_list_the_lowest_python():
    pythons = [one.rpartition(" ")[2] for one in METADATA["classifiers"] if " :: Python :: 3." in one]
    assert f">={pythons[0]}" == METADATA["requires-python"]
    assert pythons == sorted(pythons, key=lambda version: int(version.partition(".")[2]))


def test_lowest_versions_of_a_clean_install(monkeypatch):
    metadata = Message()
    for requirement in ("numpy>=1.26", "numba>=0.61; python_version < '3.15'", "matplotlib>=3.8; extra == 'plot'"):
        metadata["Requires-Dist"] = requirement
    monkeypatch.setattr("sys.version_info", (3, 12, 0))
    assert clean_install.lowest_versions(metadata) == "numpy==1.26\nnumba==0.61\nmatplotlib==3.8\n"
    monkeypatch.setattr("sys.version_info", (3, 13, 0))
    lowest = clean_install.lowest_versions(metadata).splitlines()
    assert lowest == ["numpy==2.1.0", "numba==0.61", "matplotlib==3.8", "safetensors==0.4.4"]


def test_clean_installs_cover_every_extra_for_users():
    assert set(EXTRAS) > clean_install.FOR_DEVELOPERS


def test_a_clean_install_compares_what_the_readme_prints(monkeypatch, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = []

    def run(command, folder):
        commands.append([part.name if isinstance(part, Path) else part for part in command])
        return "\n".join(printed) if command[1:] == ["readme.py"] else "text\n"

    monkeypatch.setattr(clean_install, "run", run)
    printed = re.findall(r"^print\(.*\) +# (.*)$", readme, re.MULTILINE)
    clean_install.check_readme(readme, tmp_path, tmp_path)
    assert [command[0] for command in commands] == ["python", "python", "fastw2v", "fastw2v", "fastw2v"]
    assert commands[3] == ["fastw2v", "most-similar", "vectors.safetensors", "cat", "--topn", "1"]
    assert (tmp_path / "corpus.txt").read_text(encoding="utf-8") == "text\n"
    printed = ["something else", *printed[1:]]
    with pytest.raises(SystemExit, match=r"printed .*something else"):
        clean_install.check_readme(readme, tmp_path, tmp_path)


def test_the_metadata_of_both_distributions_is_read(tmp_path):
    content = "Metadata-Version: 2.4\nName: fastw2v\nRequires-Dist: numpy>=1.26\n\n# 한국어\n".encode()
    wheel, source = tmp_path / "fastw2v-1.2.0-py3-none-any.whl", tmp_path / "fastw2v-1.2.0.tar.gz"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("fastw2v/__init__.py", "")
        file.writestr("fastw2v-1.2.0.dist-info/METADATA", content)
    with tarfile.open(source, "w:gz") as archive:
        # Only the file at the top describes the distribution.
        for name, text in (("fastw2v-1.2.0/tests/PKG-INFO", b"other"), ("fastw2v-1.2.0/PKG-INFO", content)):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    for path in (wheel, source):
        metadata = clean_install.read_metadata(path)
        assert metadata["Requires-Dist"] == "numpy>=1.26"
        assert metadata.get_payload() == "# 한국어\n"


def test_a_clean_install_prints_in_utf8_on_every_system(tmp_path):
    """The output of the commands contains characters that cp1252, which Windows uses for pipes, lacks."""
    code = (
        "import sys; from pathlib import Path; from release import clean_install\n"
        "command = [sys.executable, '-c', 'print(chr(0xD55C))']\n"
        "clean_install.read_metadata = lambda file: sys.exit(len(clean_install.run(command, Path())) != 2)\n"
        "clean_install.main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "fastw2v.whl"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode("utf-8").splitlines()[-1] == "한"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with the files that the notes come from."""
    (tmp_path / "fastw2v").mkdir()
    (tmp_path / "fastw2v" / "__init__.py").write_text('__version__ = "1.2.0"\n', encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "CITATION.cff").write_text("version: 1.2.0\ndate-released: 2027-01-31\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2027-01-31\n\n### Added\n\n- [A page](docs/a.md), "
        "[elsewhere](https://example.org)\n\n## [1.1.0] - 2027-01-01\n\n- Old\n\n[Unreleased]: https://example.org/u\n",
        encoding="utf-8",
    )
    return tmp_path


def test_the_notes_are_the_section_of_the_version(tree):
    link = "https://github.com/fastw2v/fastw2v/blob/v1.2.0/docs/a.md"
    expected = f"### Added\n\n- [A page]({link}), [elsewhere](https://example.org)"
    assert notes(tree, "v1.2.0") == notes(tree) == expected


def test_links_in_the_notes_work_outside_the_repository(tree):
    """A reference to a heading of the notes stays, and pictures come from the host of the contents of files."""
    page = "https://github.com/fastw2v/fastw2v/blob/v1.2.0"
    contents = "https://raw.githubusercontent.com/fastw2v/fastw2v/v1.2.0"
    links = {
        "[x](#added)": "[x](#added)",
        "[x](docs/a.md#y)": f"[x]({page}/docs/a.md#y)",
        "[x](http://example.org)": "[x](http://example.org)",
        "![p](docs/a.png)": f"![p]({contents}/docs/a.png)",
        "![p](https://example.org/a.png)": "![p](https://example.org/a.png)",
        "[![p](a.png)](docs/a.md)": f"[![p]({contents}/a.png)]({page}/docs/a.md)",
    }
    path = tree / "CHANGELOG.md"
    text = path.read_text(encoding="utf-8")
    for given, expected in links.items():
        path.write_text(text.replace("[A page](docs/a.md)", given), encoding="utf-8")
        assert f"- {expected}, [elsewhere](https://example.org)" in notes(tree, "v1.2.0")


@pytest.mark.parametrize("version", ["1.2.0.dev0", "1.2.0rc1", "1.2.0-rc.1", "1.2", "1.2.0.1", "1.2.x", "\u0661.2.0"])
def test_only_a_release_has_a_tag(tree, version):
    for path in (tree / "fastw2v" / "__init__.py", tree / "CITATION.cff", tree / "CHANGELOG.md"):
        path.write_text(path.read_text(encoding="utf-8").replace("1.2.0", version), encoding="utf-8")
    message = f"the tag is v{version}; the tag of a release must be vMAJOR.MINOR.PATCH, such as v0.2.0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        notes(tree, f"v{version}")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("CITATION.cff", "1.2.0", "1.1.0", "the version is 1.1.0 in CITATION.cff and 1.2.0 in fastw2v/__init__.py"),
        ("CITATION.cff", "date-released", "date", "CITATION.cff has 0 lines that match"),
        ("CITATION.cff", "01-31", "01-30", "not .*'\\[1.2.0\\] - 2027-01-30'"),
        ("CHANGELOG.md", " - 2027-01-31", "", "the first headings of CHANGELOG.md"),
        ("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- New\n", "move them to \\[1.2.0\\]"),
        ("fastw2v/__init__.py", "1.2.0", "1.3.0", "the tag is v1.2.0, and the version of the package is 1.3.0"),
    ],
)
def test_trees_that_are_not_ready_have_no_notes(tree, file, old, new, message):
    path = tree / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        notes(tree, "v1.2.0")


def test_every_version_has_a_date_a_link_sample_files_and_a_row_in_the_upgrade_guide():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    assert first == "[Unreleased]"
    assert headings
    guide = (ROOT / "docs" / "release" / "upgrading.md").read_text(encoding="utf-8")
    for heading in headings:
        version, date = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading).groups()
        assert datetime.date.fromisoformat(date)
        assert f"\n[{version}]: {METADATA['urls']['Homepage']}/releases/tag/v{version}\n" in changelog
        assert f"\n| {version} |" in guide
        assert (ROOT / "tests" / "release_files" / version).is_dir()
    newest = headings[0].partition("]")[0][1:]
    assert f"\n[Unreleased]: {METADATA['urls']['Homepage']}/compare/v{newest}...HEAD\n" in changelog
    # Between two releases, the version is that of the next one with .dev0.
    assert fastw2v.__version__ == newest or fastw2v.__version__.endswith(".dev0")


def workflow(name: str) -> str:
    """Return the text of a workflow."""
    return (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")


def test_publishing_needs_the_tests_the_wheels_and_a_commit_on_main():
    jobs = dict(re.findall(r"^  (\w+):\n((?:(?:    .*)?\n)+)", workflow("publish.yml").partition("\njobs:\n")[2], re.M))
    publishing = [name for name, job in jobs.items() if "pypa/gh-action-pypi-publish" in job]
    assert publishing == ["testpypi", "pypi"]
    for name in publishing:
        assert "    needs: [notes, tests, wheels]\n" in jobs[name]
    for name in ("tests", "wheels"):
        assert jobs[name].strip() == f"uses: ./.github/workflows/{name}.yml"
        assert re.search(r"^  workflow_call:", workflow(f"{name}.yml"), re.MULTILINE)
    assert "fetch-depth: 0" in jobs["notes"]
    assert "git merge-base --is-ancestor HEAD origin/main" in jobs["notes"]


@pytest.mark.parametrize("file", ["*.whl", "*.tar.gz"])
def test_both_distributions_are_installed_on_each_system(file):
    text = workflow("wheels.yml")
    assert "dist/${{ matrix.file }}" in text
    (systems,) = re.findall(r"^        os: \[(.*)\]$", text, re.MULTILINE)
    if file == "*.whl":
        assert '        file: ["*.whl"]\n' in text
    else:
        found = re.findall(rf'os: ([\w-]+), python: "[\d.]+", file: "{re.escape(file)}"', text)
        assert found == systems.split(", ")


CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "matplotlib": "matplotlib-base",
    "openTSNE": "opentsne",
    "ray": "ray-core",
    "cupy-cuda12x": "cupy",
    "cupy-cuda13x": "cupy",
}
"""Names of packages on conda-forge that differ from those on PyPI."""


def lowest(requirements: list[str]) -> dict[str, str]:
    """Return the lowest version of each package, by its name on conda-forge; of two, the first."""
    found: dict[str, str] = {}
    for one in requirements:
        name, version = re.match(r"([\w-]+) *>=([\d.]+)", one).groups()
        found.setdefault(CONDA_NAMES.get(name, name), version)
    return found


def recipe_list(key: str) -> list[str]:
    """Return the items of a list in the recipe."""
    (items,) = re.findall(rf"^  {key}:\n((?:    - .*\n)+)", RECIPE, re.MULTILINE)
    return [line.removeprefix("    - ") for line in items.splitlines()]


def test_the_recipe_has_the_requirements_of_the_project():
    python, *dependencies = recipe_list("run")
    assert python == "python >=${{ python_min }}"
    assert lowest(dependencies) == lowest(METADATA["dependencies"])
    host_python, pip, *backend = recipe_list("host")
    assert (host_python, pip) == ("python ${{ python_min }}.*", "pip")
    assert lowest(backend) == lowest(PROJECT["build-system"]["requires"])
    optional = [one for name, extra in EXTRAS.items() if name not in clean_install.FOR_DEVELOPERS for one in extra]
    assert lowest(recipe_list("run_constraints")) == lowest(optional)


def test_the_recipe_has_the_metadata_of_the_project():
    lines = [line.strip() for line in RECIPE.splitlines()]
    assert f'version: "{fastw2v.__version__}"' in lines
    assert f'python_min: "{METADATA["requires-python"].removeprefix(">=")}"' in lines
    assert f'summary: "{METADATA["description"]}"' in lines
    assert f"license: {METADATA['license']}" in lines
    assert f"license_file: {METADATA['license-files'][0]}" in lines
    assert f"homepage: {METADATA['urls']['Homepage']}" in lines
    for command, function in METADATA["scripts"].items():
        assert f"- {command} = {function}" in lines


def test_rattler_build_accepts_the_recipe():
    rattler_build = pytest.importorskip("rattler_build", reason="needs py-rattler-build")
    (variant,) = rattler_build.Stage0Recipe.from_yaml(RECIPE).render(rattler_build.VariantConfig())
    assert variant.recipe.to_dict()["package"] == {"name": "fastw2v", "version": fastw2v.__version__}
