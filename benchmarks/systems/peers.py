"""fastw2v and the baselines: each trains on a text file in a process of its own.

A small launcher starts each process, so that peak memory is that of the process and not of the benchmarks. gensim and
word2vec.c use the better of their usual learning rates (.05 for CBOW, .025 for skip-gram), fastText .05. Lines must
have at most 1,000 words: word2vec.c splits longer ones, and gensim drops words after the 10,000th.
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

from benchmarks.harness.measure import Options
from fastw2v.backend import cuda_problem
from fastw2v.engines.selection import select_engine

OUR_NOTE = {"fused": "training includes loading the compiled kernel", "layers": "plain array code"}
MAX_PATH = 99
"""Most characters of a file name that word2vec.c accepts."""

LAUNCHER = """
import json, os, subprocess, sys, time
command, folder, began, ended = json.loads(sys.argv[1])
start = time.perf_counter()
child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
text, marks = b"", {}
while block := os.read(child.stdout.fileno(), 65536):
    text += block
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
    """Settings of a training run, the same for all systems."""

    text: Path
    output: Path
    """The file of vectors to write, in word2vec's binary format."""
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
        """Return the settings for a script."""
        values = asdict(self) | {"text": str(self.text), "output": str(self.output), "alpha": alpha}
        return json.dumps(values)


@dataclass(frozen=True)
class Trained:
    """Time and memory of a process that trained."""

    seconds: float
    """From the start of the process to its end."""
    alone: float | None
    """Training without reading and writing, where the output of the system tells them apart."""
    peak: int
    """Peak memory in bytes; of the largest process, if it started others."""


@dataclass(frozen=True)
class System:
    """A system that is compared."""

    train: Callable[[Settings], Trained]
    note: str
    """A note for its rows."""


class FailedError(RuntimeError):
    """A system ended with an error; the message says which."""


def find(options: Options) -> tuple[dict[str, System], dict[str, str]]:
    """Return the available systems, and the reason for each that is missing."""
    available: dict[str, System] = {}
    missing: dict[str, str] = {}
    engines: tuple[Literal["fused", "layers"], ...] = ("fused", "layers")
    if "cuda" not in options.devices:
        missing["fastw2v on a GPU"] = cuda_problem() or "it was not asked for"
    for device in options.devices:
        suffix = "" if device == "cpu" else ", GPU"
        for engine in engines:
            try:
                select_engine(engine, device)
                train = partial(fastw2v, engine=engine, device=device)
                available[f"fastw2v, {engine}{suffix}"] = System(train, "alpha of its defaults; " + OUR_NOTE[engine])
            except RuntimeError as error:
                missing[f"fastw2v, {engine}{suffix}"] = str(error)
    baselines = (
        ("gensim", "gensim", System(gensim, "alpha .05 for CBOW, .025 for skip-gram")),
        ("fastText", "fasttext", System(fasttext, "alpha .05, no subwords")),
        ("PyTorch", "torch", System(pytorch, "EmbeddingBag, batches of 1,024, alpha .2 for CBOW, .025 for skip-gram")),
    )
    for name, module, system in baselines:
        if importlib.util.find_spec(module) is None:
            missing[name] = f"{module} is not installed"
        else:
            available[name] = system
            if name == "PyTorch" and "cuda" in options.devices:
                available["PyTorch, GPU"] = replace(system, train=partial(pytorch, device="cuda"))
    program = options.word2vec or shutil.which("word2vec")
    if program is None:
        missing["word2vec.c"] = "there is no word2vec on the path; --word2vec names one, built by cc -O3 -march=native"
    elif not shutil.which(program):
        missing["word2vec.c"] = f"{program} is not a program that can be run"
    else:
        note = "alpha .05 for CBOW, .025 for skip-gram; training includes writing"
        available["word2vec.c"] = System(partial(word2vec_c, program=Path(program).resolve()), note)
    return available, missing


def run(command: list[str], folder: Path, began: str = "", ended: str = "") -> tuple[Trained, str]:
    """Run a command; training lasts from the first `began` in its output to the first `ended`, or to the end.

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
    """Train with ``fastw2v train``."""
    command = [sys.executable, "-m", "fastw2v", "train", str(settings.text), "--output", str(settings.output)]
    options = ["model", "vector_size", "window", "negative", "sample", "min_count", "epochs", "seed"]
    if device == "cpu":  # on a GPU a worker is a block, and the engine chooses their number
        options.append("workers")
    for option in options:
        command += [f"--{option.replace('_', '-')}", str(getattr(settings, option))]
    trained, output = run([*command, "--engine", engine, "--device", device], settings.text.parent)
    speed = re.search(r"time\s+([\d.]+) s, ([\d,]+) words/s", output)
    words = re.search(r"training on ([\d,]+) words", output)
    if speed is None or words is None:
        raise FailedError(f"fastw2v train reports its speed in an unknown form: {output[-300:]}")
    alone = _number(words[1]) * settings.epochs / _number(speed[2])
    return Trained(trained.seconds, alone, trained.peak)


def gensim(settings: Settings) -> Trained:
    """Train with gensim's ``Word2Vec(corpus_file=...)``."""
    command = [sys.executable, "-c", GENSIM, settings.as_json(_classic_alpha(settings))]
    return run(command, settings.text.parent, "TRAINING", "TRAINED")[0]


def fasttext(settings: Settings) -> Trained:
    """Train with fastText, without subwords; training starts when it reports the size of its vocabulary."""
    command = [sys.executable, "-c", FASTTEXT, settings.as_json(0.05)]
    return run(command, settings.text.parent, "Number of words:", "TRAINED")[0]


def word2vec_c(settings: Settings, program: Path) -> Trained:
    """Train with word2vec.c; training starts at its first report of progress, after 10,000 words."""
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
    """Train with the model in ``pytorch.py``."""
    script = Path(__file__).with_name("pytorch.py")
    command = [sys.executable, "-P", str(script), settings.as_json(0), device]
    return run(command, settings.text.parent, "TRAINING", "TRAINED")[0]


def _classic_alpha(settings: Settings) -> float:
    """Return the rate that gives gensim and word2vec.c the best vectors; gensim's default is .025 for both models."""
    return 0.05 if settings.model == "cbow" else 0.025


def _number(text: str) -> int:
    return int(text.replace(",", ""))
