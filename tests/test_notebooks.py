"""The notebooks in `examples/notebooks` run, and their committed outputs are complete and clean."""

from __future__ import annotations

import ast
import json
import random
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks import NOTEBOOKS, ROOT, main, read, run
from tests.test_docs import anchors

MAX_BYTES = 500_000
ADDRESS = "https://github.com/fastw2v/fastw2v/blob/main/"

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@cache
def committed(path: Path) -> dict[str, Any]:
    """Return a notebook as JSON, with each text as a single string."""

    def joined(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: joined(one) for key, one in value.items()}
        if isinstance(value, list):
            is_text = value and all(isinstance(one, str) for one in value)
            return "".join(value) if is_text else [joined(one) for one in value]
        return value

    return joined(json.loads(path.read_text(encoding="utf-8")))


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def texts(notebook: Any) -> str:
    """Return all outputs of a notebook that are not images."""
    found = []
    for output in outputs(notebook):
        found += [output.get("text", ""), *output.get("traceback", ())]
        found += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(found)


def pictures(notebook: Any) -> list[int]:
    """Return the number of pictures of each code cell."""
    return [sum("image/png" in output.get("data", {}) for output in cell["outputs"]) for cell in code_cells(notebook)]


def similar_to_ptb(words: list[str]) -> str:
    """Return lines as in ptb.train.txt: words with the frequencies of natural text, ``<unk>`` and ``N``.

    The given words are among them. A tenth of the lines repeats a pattern, so that there is something to learn.
    """
    rng = random.Random(1)
    vocabulary = [
        "the",
        "<unk>",
        "N",
        "of",
        "to",
        *words,
        *(f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(400)),
    ]
    weights = [1 / (rank + 2.7) for rank in range(len(vocabulary))]
    lines = []
    for number in range(3000):
        line = rng.choices(vocabulary, weights, k=rng.randint(5, 30))
        line[2:4] = rng.sample(words, 2) if number % 10 else ["N", "million"]
        lines.append(f" {' '.join(line)} \n")
    return "".join(lines)


@pytest.fixture
def data(tmp_path, monkeypatch) -> None:
    """Put a stand-in for the Penn Treebank into the folder of data sets, with the words that the notebooks look up."""
    code = "\n".join(cell["source"] for path in NOTEBOOKS for cell in code_cells(committed(path)))
    words = {word for text in re.findall(r'"([a-z ]+)"', code) for word in text.split()}
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "ptb.train.txt").write_text(similar_to_ptb(sorted(words)), encoding="utf-8")
    monkeypatch.setenv("FASTW2V_DATA", str(folder))


def needs(*packages: str) -> None:
    for package in packages:
        pytest.importorskip(package)


@pytest.mark.usefixtures("data")
@each_notebook
def test_notebooks_run(path, tmp_path):
    # Importing the font manager builds matplotlib's font cache, about which a kernel would log a message.
    needs("nbclient", "ipykernel", "matplotlib.font_manager", "networkx")
    notebook = read(path)
    run(notebook, tmp_path)
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]
    assert pictures(notebook) == pictures(committed(path))
    assert [bool(cell["outputs"]) for cell in code_cells(notebook)] == [
        bool(cell["outputs"]) for cell in code_cells(committed(path))
    ]
    assert notebook.metadata == committed(path)["metadata"]


def test_the_notebook_for_your_own_text_runs_on_any_text(tmp_path):
    """No word of the notebook is in the text, and no word is longer than two letters."""
    needs("nbclient", "ipykernel", "matplotlib.font_manager")
    rng = random.Random(1)
    vocabulary = [first + second for first in "abcdefghijklmnopqrstuvwxyz" for second in "zyxwvutsrq"]
    weights = [1 / (rank + 2.7) for rank in range(len(vocabulary))]
    lines = [" ".join(rng.choices(vocabulary, weights, k=rng.randint(5, 30))) for _ in range(3000)]
    (tmp_path / "my_text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = ROOT / "examples" / "notebooks" / "your_own_text.ipynb"
    notebook = read(path)
    (cell,) = (cell for cell in code_cells(notebook) if cell["source"].startswith("TEXT = "))
    cell["source"] = cell["source"].replace('"demo_corpus.txt"', '"my_text.txt"')
    run(notebook, tmp_path)
    assert "not in the vocabulary: encode, true, first, tuple, thread, socket" in texts(notebook)
    assert pictures(notebook) == pictures(committed(path))


def test_walks_end_at_nodes_without_successors():
    networkx = pytest.importorskip("networkx")
    cells = code_cells(committed(ROOT / "examples" / "notebooks" / "graph_walks.ipynb"))
    (cell,) = (cell for cell in cells if "def random_walks" in cell["source"])
    names: dict[str, Any] = {}
    exec(cell["source"].partition("\n\n\nwalks = ")[0], names)
    graph = networkx.DiGraph([("a", "b"), ("b", "c"), ("d", "d")])
    graph.add_node("alone")
    walks = names["random_walks"](graph, n_walks=2, length=4, seed=1)
    assert sorted(map("".join, walks)) == sorted(["abc", "bc", "c", "dddd", "alone"] * 2)


def test_progress_leaves_one_output_for_each_task(tmp_path):
    needs("nbclient", "ipykernel")
    from nbformat.v4 import new_code_cell, new_notebook

    code = (
        "import time\n"
        "from fastw2v.utils.progress import Progress\n"
        "for name in ('reading', 'training'):\n"
        "    with Progress(name, 50) as progress:\n"
        "        for done in range(1, 51):\n"
        "            progress.update(done, loss=2.5)\n"
        "            time.sleep(0.01)\n"
    )
    notebook = new_notebook(cells=[new_code_cell(code)])
    run(notebook, tmp_path)
    shown = outputs(notebook)
    assert [output["output_type"] for output in shown] == ["display_data"] * 2
    for output, name in zip(shown, ("reading", "training"), strict=True):
        values = r"  100%  [\d.]+ words/s  loss 2.500  0:00:\d\d"
        bar = '<progress max="1" value="1.000"></progress>'
        assert re.fullmatch(f"<div [^>]*>{name}  {bar}{values}</div>", output["data"]["text/html"])
        assert re.fullmatch(f"{name}  █{{30}}{values}", output["data"]["text/plain"])


def test_updating_the_outputs_twice_gives_the_same_bytes(tmp_path, monkeypatch, capsys):
    needs("nbclient", "ipykernel")
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    code = "import os\nopen('new.txt', 'w').close()\nprint(os.listdir())"
    cell = new_code_cell(code, id="files", metadata={"execution": {"iopub.execute_input": "2020-01-01T00:00:00"}})
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.1"}}), path)
    monkeypatch.setattr("tests.notebooks.NOTEBOOKS", [path])
    monkeypatch.setattr("sys.argv", ["notebooks", "small.ipynb"])
    main()
    renewed = path.read_bytes()
    main()
    assert path.read_bytes() == renewed
    assert texts(committed(path)).strip() == "['new.txt']"
    assert b"execute_input" not in renewed
    assert b"version" not in renewed
    assert [one.name for one in tmp_path.iterdir()] == ["small.ipynb"]
    assert re.fullmatch(r"(small.ipynb: \d+ s, 1 kB\n){2}", capsys.readouterr().out)


def test_an_unknown_notebook_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["notebooks", "other.ipynb"])
    with pytest.raises(SystemExit):
        main()
    assert "no such notebook: other.ipynb; choose from graph_walks.ipynb, " in capsys.readouterr().err


def test_an_error_in_a_cell_is_raised(tmp_path):
    needs("nbclient", "ipykernel")
    from nbclient.exceptions import CellExecutionError
    from nbformat.v4 import new_code_cell, new_notebook

    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(new_notebook(cells=[new_code_cell("1 / 0")]), tmp_path)


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} == {"graph_walks", "textbook_chapter", "your_own_text"}


@each_notebook
def test_the_format_is_valid(path):
    needs("nbformat")
    import nbformat

    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))


@each_notebook
def test_outputs_are_committed(path):
    notebook = committed(path)
    assert [cell["execution_count"] for cell in code_cells(notebook)] == [*range(1, len(code_cells(notebook)) + 1)]
    assert {output["output_type"] for output in outputs(notebook)} <= {"stream", "display_data", "execute_result"}
    assert {output["name"] for output in outputs(notebook) if output["output_type"] == "stream"} == {"stdout"}
    assert sum(pictures(notebook)) >= 2
    assert '<progress max="1" value="1.000">' in texts(notebook)


@each_notebook
def test_files_contain_nothing_of_the_machine(path):
    assert path.stat().st_size < MAX_BYTES
    notebook = committed(path)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert not any(cell["metadata"] for cell in notebook["cells"])
    assert not re.findall(r"/(?:home|root|tmp|Users|usr)/|[A-Z]:\\|0x[0-9a-f]{6}|Warning", texts(notebook))


@each_notebook
def test_the_first_code_cell_installs_only_what_is_missing(path):
    first, *others = code_cells(committed(path))
    checked = re.search(
        r"^if any\(importlib\.util\.find_spec\(name\) is None for name in (.*)\):$", first["source"], re.M
    )
    imports = re.findall(r"^(?:import|from) (\w+)", "\n".join(cell["source"] for cell in others), re.MULTILINE)
    # fastw2v.plot imports matplotlib. IPython runs the notebook, and NumPy is installed with fastw2v.
    present = {*sys.stdlib_module_names, "IPython", "numpy"}
    assert set(ast.literal_eval(checked[1])) == {*imports, "matplotlib"} - present
    assert re.search(r'^    %pip install --quiet "fastw2v\[plot\]"', first["source"], re.MULTILINE)
    assert not first["outputs"]


@each_notebook
def test_links_lead_somewhere(path):
    prose = "\n".join(cell["source"] for cell in committed(path)["cells"] if cell["cell_type"] == "markdown")
    targets = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", prose)
    assert targets
    for target, anchor in targets:
        # Relative links do not work on Colab.
        assert target.startswith("https://")
        if target.startswith("https://github.com/fastw2v/"):
            to = ROOT / target.removeprefix(ADDRESS)
            assert to.exists(), target
            assert not anchor or anchor in anchors(to), f"{target}#{anchor}"
