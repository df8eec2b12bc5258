"""Build the source distribution and the wheel in dist/, and check them.

    python -m release.check_dist     (or: make dist)

- The wheel that is built from the source distribution has the same bytes as the wheel that is built from the tree.
- The source distribution contains the files that git tracks, so that its tests can run.
- The wheel contains the files of ``fastw2v/`` that git tracks, the metadata, and nothing else.
- The README in the metadata has no relative links, which do not work on PyPI, and PyPI can render it.

Needs the packages build and twine, git, and a package index, from which build installs the build backend.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"


def main() -> None:
    """Build and check both files, and print their checksums."""
    shutil.rmtree(DIST, ignore_errors=True)
    build(ROOT, DIST, "--sdist")
    build(ROOT, DIST, "--wheel")
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")

    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
            unpacked = {name.partition("/")[2] for name in archive.getnames()} - {""}
        (tree,) = Path(folder).iterdir()
        build(tree, Path(folder), "--wheel")
        rebuilt = Path(folder, wheel.name)
        if checksum(rebuilt) != checksum(wheel):
            sys.exit(f"the wheel from {sdist.name} differs from the wheel that is built from the tree")

    expect("the source distribution", unpacked, tracked_files() | {"PKG-INFO"})
    with zipfile.ZipFile(wheel) as wheel_file:
        packed = {name for name in wheel_file.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in wheel_file.namelist() if name.endswith(".dist-info/METADATA"))
        description = wheel_file.read(metadata).decode("utf-8").partition("\n\n")[2]
    expect("the wheel", packed, {name for name in tracked_files() if name.startswith("fastw2v/")})
    if relative := re.findall(r"\]\((?!https://)[^)]*\)", description):
        sys.exit(f"links that do not work on PyPI: {', '.join(relative)}")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel], check=True)
    for file in (sdist, wheel):
        print(checksum(file), file.relative_to(ROOT))


def build(source: Path, output: Path, kind: str) -> None:
    """Build one file of a source tree, in an isolated environment."""
    # Without this variable, the backend writes the same time for every file, so that checksums can be compared.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command: list[str | Path] = [sys.executable, "-m", "build", kind, "--outdir", output, source]
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)


def tracked_files() -> set[str]:
    """Return the paths of the files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(listed.stdout.split("\0")) - {""}


def expect(what: str, found: set[str], expected: set[str]) -> None:
    """Exit with the names of missing and unexpected files, if there are any."""
    if found != expected:
        sys.exit(f"{what} lacks {sorted(expected - found)} and should not contain {sorted(found - expected)}")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
