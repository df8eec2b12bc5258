"""fastw2v and the baselines. Each system trains on a text file in a separate process.

A small launcher starts each process, so that the peak memory is that of the system and not that of the benchmarks.
gensim and word2vec.c use the better of the usual learning rates: 0.05 for CBOW and 0.025 for skip-gram. fastText uses
0.05. Lines must have at most 1,000 words, because word2vec.c splits longer lines and gensim drops words after the
10,000th.
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
from typing import Any, Literal, get_args

from benchmarks.harness.measure import Options
from fastw2v.backend import cuda_problem
from fastw2v.config import Loss, Quality, TrainingConfig
from fastw2v.engines.selection import select_engine

OUR_NOTE = {"fused": "training includes loading the compiled kernel", "layers": "plain array code"}
MAX_PATH = 99
"""Maximum length of a file name in word2vec.c."""

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
             seed=a["seed"], hs=a["hs"])
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
                                thread=a["workers"], minn=a["minn"], maxn=a["maxn"], verbose=2)
print("TRAINED", flush=True)
if a["maxn"]:
    m.save_model(a["output"])
    sys.exit()
rows, words = m.get_input_matrix(), m.get_words()
with open(a["output"], "wb") as f:
    f.write(f"{len(words)} {rows.shape[1]}\\n".encode())
    for word, row in zip(words, rows):
        f.write(word.encode() + b" " + row.tobytes() + b"\\n")
"""


@dataclass(frozen=True)
class Settings:
    """Settings of a training run, which are the same for all systems."""

    text: Path
    output: Path
    """File to write the vectors to, in word2vec's binary format, or with n-grams as a model of fastText."""
    model: Literal["cbow", "skipgram"]
    vector_size: int = 100
    window: int = 5
    negative: int = 5
    loss: Loss = "ns"
    subwords: tuple[int, int] | None = None
    """Shortest and longest n-grams. With n-grams, the systems write fastText's models."""
    sample: float = 1e-3
    min_count: int = 5
    epochs: int = 5
    workers: int = 1
    seed: int = 1

    @property
    def hs(self) -> int:
        """The option of gensim and word2vec.c for hierarchical softmax. Without negative samples, it is 1."""
        return int(self.loss == "hs")

    @property
    def drawn(self) -> int:
        """Number of negative samples for gensim and word2vec.c, which is 0 with hierarchical softmax alone."""
        return 0 if self.loss == "hs" else self.negative

    def as_json(self, alpha: float) -> str:
        """Return the settings as JSON, for a script."""
        paths = {"text": str(self.text), "output": str(self.output)}
        minn, maxn = self.subwords or (0, 0)
        values = asdict(self) | paths | {"alpha": alpha, "hs": self.hs, "negative": self.drawn}
        values |= {"minn": minn, "maxn": maxn}
        return json.dumps(values)


@dataclass(frozen=True)
class Trained:
    """Time and memory of a training process."""

    seconds: float
    """Time from the start of the process to its end."""
    alone: float | None
    """Time of training, excluding reading and writing, or None if the output of the system does not show it."""
    peak: int
    """Peak memory in bytes. If the process starts other processes, the peak of the largest of them."""


@dataclass(frozen=True)
class System:
    """A system under comparison."""

    train: Callable[[Settings], Trained]
    note: str
    """Note for the rows of the system."""


class FailedError(RuntimeError):
    """Error for a system that failed. The message gives the reason."""


def find(options: Options) -> tuple[dict[str, System], dict[str, str]]:
    """Return the available systems, and the reasons why the other systems are missing."""
    available: dict[str, System] = {}
    missing: dict[str, str] = {}
    engines: tuple[Literal["fused", "layers"], ...] = ("fused", "layers")
    if "cuda" not in options.devices:
        missing["fastw2v on a GPU"] = cuda_problem() or "not requested"
    for device in options.devices:
        suffix = "" if device == "cpu" else ", GPU"
        for engine in engines:
            try:
                select_engine(engine, device)
                train = partial(fastw2v, engine=engine, device=device)
                available[f"fastw2v, {engine}{suffix}"] = System(train, "default alpha; " + OUR_NOTE[engine])
            except RuntimeError as error:
                missing[f"fastw2v, {engine}{suffix}"] = str(error)
    if "fastw2v, fused" in available:
        for quality in get_args(Quality):
            available[f"fastw2v, fused, {quality}"] = System(partial(fastw2v, quality=quality), f"--quality {quality}")
    baselines = (
        ("gensim", "gensim", System(gensim, "alpha 0.05 for CBOW with negative sampling, 0.025 otherwise")),
        ("fastText", "fasttext", System(fasttext, "alpha 0.05; no n-grams unless the settings name them")),
        ("PyTorch", "torch", System(pytorch, "EmbeddingBag, batches of 1,024, alpha 0.2 (CBOW), 0.025 (skip-gram)")),
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
        missing["word2vec.c"] = "word2vec is not on PATH; build it with cc -O3 -march=native and use --word2vec"
    elif not shutil.which(program):
        missing["word2vec.c"] = f"{program} is not an executable program"
    else:
        note = "alpha 0.05 for CBOW with negative sampling, 0.025 otherwise; training includes writing"
        available["word2vec.c"] = System(partial(word2vec_c, program=Path(program).resolve()), note)
    return available, missing


def run(command: list[str], folder: Path, began: str = "", ended: str = "") -> tuple[Trained, str]:
    """Run a command; return its time and memory, and its output.

    Training starts when `began` first appears in the output. It ends when `ended` first appears, or when the process
    ends.

    Raises
    ------
    FailedError
        If the command cannot be started or ends with an error.
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


def fastw2v(
    settings: Settings, engine: str = "fused", device: str = "cpu", quality: Quality = TrainingConfig.quality
) -> Trained:
    """Train with ``fastw2v train``. The quality "best" chooses its own numbers of epochs and negatives."""
    command = [sys.executable, "-m", "fastw2v", "train", str(settings.text), "--output", str(settings.output)]
    options = ["model", "loss", "vector_size", "window", "sample", "min_count", "seed"]
    if quality != "best":
        options += ["epochs"] if settings.loss == "hs" else ["epochs", "negative"]
    if device == "cpu":  # on a GPU, a worker is a block, and the engine chooses the number of blocks
        options.append("workers")
    for option in options:
        command += [f"--{option.replace('_', '-')}", str(getattr(settings, option))]
    if settings.subwords:
        command += ["--subwords", "{}-{}".format(*settings.subwords)]
    command += ["--quality", quality, "--engine", engine, "--device", device]
    trained, output = run(command, settings.text.parent)
    speed = re.search(r"time\s+([\d.]+) s(?: \(.*\))?, ([\d,]+) words/s", output)
    words = re.search(r"training on ([\d,]+) words", output)
    epochs = re.search(r"epochs\s+(\d+)", output)
    if speed is None or words is None or epochs is None:
        raise FailedError(f"the output of fastw2v train does not show the speed as expected: {output[-300:]}")
    alone = _number(words[1]) * int(epochs[1]) / _number(speed[2])
    return Trained(trained.seconds, alone, trained.peak)


def gensim(settings: Settings) -> Trained:
    """Train with gensim's ``Word2Vec(corpus_file=...)``."""
    command = [sys.executable, "-c", GENSIM, settings.as_json(_classic_alpha(settings))]
    return run(command, settings.text.parent, "TRAINING", "TRAINED")[0]


def fasttext(settings: Settings) -> Trained:
    """Train with fastText. Training starts when fastText reports the size of its vocabulary."""
    command = [sys.executable, "-c", FASTTEXT, settings.as_json(0.05)]
    return run(command, settings.text.parent, "Number of words:", "TRAINED")[0]


def word2vec_c(settings: Settings, program: Path) -> Trained:
    """Train with word2vec.c. Training starts at the first progress report, after 10,000 words."""
    text, output = (str(path.relative_to(settings.text.parent)) for path in (settings.text, settings.output))
    if max(len(text), len(output)) > MAX_PATH:
        raise FailedError(f"word2vec.c supports file names of at most {MAX_PATH} characters, not {text} and {output}")
    options = {
        "train": text, "output": output, "cbow": int(settings.model == "cbow"), "size": settings.vector_size,
        "window": settings.window, "negative": settings.drawn, "hs": settings.hs, "sample": settings.sample,
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
    """Return the better learning rate for gensim and word2vec.c. gensim's default is 0.025 for both models."""
    return 0.05 if settings.model == "cbow" and settings.loss == "ns" else 0.025


def _number(text: str) -> int:
    return int(text.replace(",", ""))
