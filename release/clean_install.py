"""Install a distribution in a fresh virtual environment, outside the checkout, and run the examples of the README.

    python release/clean_install.py dist/fastw2v-*.whl [--lowest] [--extras]
    python release/clean_install.py dist/fastw2v-*.tar.gz

The distribution is a wheel, or a source distribution, which pip builds. The Python that runs this script creates the
environment, with the newest or the lowest versions of the dependencies. The README comes from the metadata of the
distribution. The script exits with an error if a command fails, or if the Python code of the README does not print what
the README says. It needs the standard library only.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

LOWEST = {(3, 13): {"numpy": "2.1.0", "safetensors": "0.4.4"}}
"""By version of Python, the first versions with wheels for it, if they are above the lowest in the metadata."""
FOR_DEVELOPERS = {"bench", "dev", "docs", "gpu-dev", "integrations", "release"}
"""Extras for work on fastw2v itself."""


def main() -> None:
    """Parse the arguments and run every check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("distribution", type=Path, help="the wheel or the source distribution to install")
    parser.add_argument("--lowest", action="store_true", help="install the lowest versions of the dependencies")
    parser.add_argument(
        "--extras", action="store_true", help="also install each extra for users; those for CUDA are only resolved"
    )
    arguments = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):  # on Windows, a pipe has the encoding of the system, such as cp1252
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    distribution = arguments.distribution.resolve()
    metadata = read_metadata(distribution)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        venv.create(Path(folder, "venv"), with_pip=True)
        programs = Path(folder, "venv", "Scripts" if os.name == "nt" else "bin")
        work = Path(folder, "work")
        work.mkdir()
        pip: list[str | Path] = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if arguments.lowest:
            Path(folder, "constraints.txt").write_text(lowest_versions(metadata), encoding="utf-8")
            pip += ["--constraint", Path(folder, "constraints.txt")]
        run([*pip, distribution], work)
        run([programs / "python", "-m", "pip", "check"], work)
        check_readme(str(metadata.get_payload()), programs, work)
        run([programs / "fastw2v", "demo"], work)
        extras = [name for name in metadata.get_all("Provides-Extra", []) if name not in FOR_DEVELOPERS]
        for extra in extras if arguments.extras else ():
            options = ["--dry-run"] if extra.startswith("cuda") else []
            run([*pip, *options, f"{distribution}[{extra}]"], work)
        if arguments.extras:
            run([programs / "python", "-m", "pip", "check"], work)
            run([programs / "fastw2v", "doctor"], work)
    print(f"Python {sys.version.split()[0]}, {'lowest' if arguments.lowest else 'newest'} dependencies: passed")


def read_metadata(distribution: Path) -> Message:
    """Return the metadata of a wheel or of a source distribution. The payload is the README."""
    if distribution.name.endswith(".tar.gz"):
        with tarfile.open(distribution) as archive:
            (name,) = (name for name in archive.getnames() if re.fullmatch("[^/]+/PKG-INFO", name))
            member = archive.extractfile(name)
            assert member is not None
            content = member.read()
    else:
        with zipfile.ZipFile(distribution) as file:
            (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
            content = file.read(name)
    return Parser().parsestr(content.decode("utf-8"))


def lowest_versions(metadata: Message) -> str:
    """Return pip's constraints for the lowest version of each dependency, extras included."""
    found = dict(re.findall(r"^([\w-]+)>=([\w.]+)", "\n".join(metadata.get_all("Requires-Dist", [])), re.MULTILINE))
    found |= LOWEST.get(sys.version_info[:2], {})
    return "".join(f"{name}=={version}\n" for name, version in found.items())


def check_readme(readme: str, programs: Path, work: Path) -> None:
    """Run the Python block of the README and the shell block that trains, and check what the Python block prints."""
    (code,) = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    promised = re.findall(r"^print\(.*\) +# (.*)$", code, re.MULTILINE)
    Path(work, "readme.py").write_text(code, encoding="utf-8")
    printed = run([programs / "python", "readme.py"], work).splitlines()
    if printed != promised or not promised:
        sys.exit(f"the Python of the README printed {printed} instead of {promised}")
    (shell,) = (
        block for block in re.findall(r"^```sh\n(.*?)^```", readme, re.DOTALL | re.MULTILINE) if "> corpus.txt" in block
    )
    for line in shell.splitlines():
        words = shlex.split(line, comments=True)
        output = work / words.pop() if ">" in words else None
        if output:
            words.remove(">")
        shown = run([programs / words[0].replace("python3", "python"), *words[1:]], work)
        if output:
            output.write_text(shown, encoding="utf-8")


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command in a folder, show it and its output, and return its output. Exit if it fails."""
    print("$", shlex.join(Path(part).name if isinstance(part, Path) else part for part in command), flush=True)
    # Python must not find the checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONIOENCODING"] = "utf-8"
    result = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
    )
    print(result.stdout, end="", flush=True)
    if result.returncode:
        sys.exit(f"exit status {result.returncode}")
    return result.stdout


if __name__ == "__main__":
    main()
