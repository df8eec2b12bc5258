"""The systems that are compared, ours and the peers: each trains on a text file in a process of its own.

A process is started by a small launcher, so that its peak memory is its own and not that of the benchmarks. gensim
and word2vec.c get the learning rates that serve them better (.05 for CBOW, .025 for skip-gram), fastText .05. Lines
must have at most 1,000 words, where word2vec.c cuts them; gensim would drop words after 10,000.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.measure import Options
from fastw2v.backend import cuda_problem
from fastw2v.engine import choose_engine

OUR_NOTE = {"fused": "training includes loading the compiled kernel", "layers": "plain array code"}
MAX_PATH = 99
"""Characters that word2vec.c takes of a file's name."""

LAUNCHER = """
import json, os, subprocess, sys, time
command, folder, began, ended = json.loads(sys.argv[1])
start = time.perf_counter()
child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
text, marks = b"", {}
while piece := os.read(child.stdout.fileno(), 65536):
    text += piece
    for mark in (began, ended):
        if mark and mark not in marks and mark.encode() in text:
            marks[mark] = time.perf_counter() - start
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - start
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"seconds": seconds, "peak": peak, "code": os.waitstatus_to_exitcode(status),
                  "began": marks.get(began), "ended": marks.get(ended), "output": text.decode(errors="replace")}))
"""

GENSIM = """
import json, sys
from gensim.models import Word2Vec
a = json.loads(sys.argv[1])
m = Word2Vec(vector_size=a["vector_size"], window=a["window"], negative=a["negative"], sg=int(a["model"] == "skipgram"),
             sample=a["sample"], min_count=a["min_count"], epochs=a["epochs"], alpha=a["alpha"], workers=a["workers"],
             seed=a["seed"])
m.build_vocab(corpus_file=a["text"])
print("TRAINING", flush=True)
m.train(corpus_file=a["text"], total_words=m.corpus_total_words, total_examples=m.corpus_count, epochs=m.epochs)
print("TRAINED", flush=True)
m.wv.save_word2vec_format(a["output"], binary=True)
"""

FASTTEXT = """
import json, sys
import fasttext
a = json.loads(sys.argv[1])
m = fasttext.train_unsupervised(a["text"], model=a["model"], dim=a["vector_size"], ws=a["window"], neg=a["negative"],
                                t=a["sample"], minCount=a["min_count"], epoch=a["epochs"], lr=a["alpha"],
                                thread=a["workers"], minn=0, maxn=0, verbose=2)
print("TRAINED", flush=True)
rows, words = m.get_input_matrix(), m.get_words()
with open(a["output"], "wb") as f:
    f.write(f"{len(words)} {rows.shape[1]}\\n".encode())
    for word, row in zip(words, rows):
        f.write(word.encode() + b" " + row.tobytes() + b"\\n")
"""


@dataclass(frozen=True)
class Settings:
    """What is trained, for all systems alike."""

    text: Path
    output: Path
    """Where the vectors go, as word2vec's binary file."""
    model: Literal["cbow", "skipgram"]
    vector_size: int = 100
    window: int = 5
    negative: int = 5
    sample: float = 1e-3
    min_count: int = 5
    epochs: int = 5
    workers: int = 1
    seed: int = 1

    def as_json(self, alpha: float) -> str:
        """Return them for a script."""
        values = asdict(self) | {"text": str(self.text), "output": str(self.output), "alpha": alpha}
        return json.dumps(values)


@dataclass(frozen=True)
class Trained:
    """What a process did."""

    seconds: float
    """From its start to its end."""
    alone: float | None
    """Training without reading and writing, where the system lets the two be told apart."""
    peak: int
    """Bytes of memory at most; of the largest process, if it started others."""


@dataclass(frozen=True)
class System:
    """One of the compared."""

    train: Callable[[Settings], Trained]
    note: str
    """What to know beside its figures."""


class FailedError(RuntimeError):
    """A system ended with an error, which is the message."""


def find(options: Options) -> tuple[dict[str, System], dict[str, str]]:
    """Return the systems that are there, and why the others are not."""
    there: dict[str, System] = {}
    missing: dict[str, str] = {}
    engines: tuple[Literal["fused", "layers"], ...] = ("fused", "layers")
    if "cuda" not in options.devices:
        missing["fastw2v on a GPU"] = cuda_problem() or "it was not asked for"
    for device in options.devices:
        place = "" if device == "cpu" else ", GPU"
        for engine in engines:
            try:
                choose_engine(engine, device)
                train = partial(fastw2v, engine=engine, device=device)
                there[f"fastw2v, {engine}{place}"] = System(train, "alpha of its defaults; " + OUR_NOTE[engine])
            except RuntimeError as error:
                missing[f"fastw2v, {engine}{place}"] = str(error)
    peers = (
        ("gensim", "gensim", System(gensim, "alpha .05 for CBOW, .025 for skip-gram")),
        ("fastText", "fasttext", System(fasttext, "alpha .05, no subwords")),
        ("PyTorch", "torch", System(pytorch, "EmbeddingBag, batches of 1,024, alpha .2 for CBOW, .025 for skip-gram")),
    )
    for name, module, system in peers:
        if importlib.util.find_spec(module) is None:
            missing[name] = f"{module} is not installed"
        else:
            there[name] = system
            if name == "PyTorch" and "cuda" in options.devices:
                there["PyTorch, GPU"] = replace(system, train=partial(pytorch, device="cuda"))
    program = options.word2vec or shutil.which("word2vec")
    if program is None:
        missing["word2vec.c"] = "there is no word2vec on the path; --word2vec names one, built by cc -O3 -march=native"
    elif not shutil.which(program):
        missing["word2vec.c"] = f"{program} is not a program that can be run"
    else:
        note = "alpha .05 for CBOW, .025 for skip-gram; training includes writing"
        there["word2vec.c"] = System(partial(word2vec_c, program=Path(program).resolve()), note)
    return there, missing


def run(command: list[str], folder: Path, began: str = "", ended: str = "") -> tuple[Trained, str]:
    """Run a command; training alone lasts from the first `began` in its output to the first `ended`, or the end.

    Raises
    ------
    FailedError
        If the command ends with an error.
    """
    arguments = json.dumps([command, str(folder), began, ended])
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, arguments]
    done = subprocess.run(launcher, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"{command[0]} could not be started: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    if found["code"]:
        lines = found["output"].strip().splitlines() or [""]
        raise FailedError(f"{Path(command[0]).name} ended with status {found['code']}: {lines[-1]}")
    alone = None
    if found["began"] is not None:
        alone = (found["ended"] or found["seconds"]) - found["began"]
    return Trained(found["seconds"], alone, found["peak"]), found["output"]


def fastw2v(settings: Settings, engine: str = "fused", device: str = "cpu") -> Trained:
    """Train by ``fastw2v train``."""
    command = [sys.executable, "-m", "fastw2v", "train", str(settings.text), "--output", str(settings.output)]
    options = ["model", "vector_size", "window", "negative", "sample", "min_count", "epochs", "seed"]
    if device == "cpu":  # on a GPU one worker would be one block, and its number of blocks is its own affair
        options.append("workers")
    for option in options:
        command += [f"--{option.replace('_', '-')}", str(getattr(settings, option))]
    trained, output = run([*command, "--engine", engine, "--device", device], settings.text.parent)
    told = re.search(r"time\s+([\d.]+) s, ([\d,]+) words/s", output)
    words = re.search(r"training on ([\d,]+) words", output)
    if told is None or words is None:
        raise FailedError(f"fastw2v train says its speed in another form than it used to: {output[-300:]}")
    alone = _number(words[1]) * settings.epochs / _number(told[2])
    return Trained(trained.seconds, alone, trained.peak)


def gensim(settings: Settings) -> Trained:
    """Train by gensim's ``Word2Vec(corpus_file=...)``."""
    command = [sys.executable, "-c", GENSIM, settings.as_json(_classic_alpha(settings))]
    return run(command, settings.text.parent, "TRAINING", "TRAINED")[0]


def fasttext(settings: Settings) -> Trained:
    """Train by fastText, without subwords; it trains from when it has told the size of its vocabulary."""
    command = [sys.executable, "-c", FASTTEXT, settings.as_json(0.05)]
    return run(command, settings.text.parent, "Number of words:", "TRAINED")[0]


def word2vec_c(settings: Settings, program: Path) -> Trained:
    """Train by the C program; it trains from its first report of progress, after 10,000 words."""
    text, output = (str(path.relative_to(settings.text.parent)) for path in (settings.text, settings.output))
    if max(len(text), len(output)) > MAX_PATH:
        raise FailedError(f"word2vec.c takes names of at most {MAX_PATH} characters: {text}, {output}")
    options = {
        "train": text, "output": output, "cbow": int(settings.model == "cbow"), "size": settings.vector_size,
        "window": settings.window, "negative": settings.negative, "hs": 0, "sample": settings.sample,
        "min-count": settings.min_count, "iter": settings.epochs, "threads": settings.workers, "binary": 1,
        "alpha": _classic_alpha(settings),
    }  # fmt: skip
    command = [str(program), *(part for name, value in options.items() for part in (f"-{name}", str(value)))]
    return run(command, settings.text.parent, "Alpha:")[0]


def pytorch(settings: Settings, device: str = "cpu") -> Trained:
    """Train by the model in ``pytorch.py``."""
    script = Path(__file__).with_name("pytorch.py")
    command = [sys.executable, "-P", str(script), settings.as_json(0), device]
    return run(command, settings.text.parent, "TRAINING", "TRAINED")[0]


def _classic_alpha(settings: Settings) -> float:
    """Return the rate that gensim and word2vec.c learn best with; .025 is the default of gensim for both models."""
    return 0.05 if settings.model == "cbow" else 0.025


def _number(text: str) -> int:
    return int(text.replace(",", ""))
