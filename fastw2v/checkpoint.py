"""Checkpoints: files from which an interrupted run continues with the same result.

A run has a folder. The file ``run.json`` says how the run was started. Each checkpoint is a model file, like those of
`Word2Vec.save`, with the state of the run among its settings. It can also be read with `WordVectors.load`.

`Word2Vec.fit` and `Word2Vec.resume` use this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

from fastw2v import formats
from fastw2v.config import CHECKPOINT_EVERY
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.sources import STDIN, Sources
from fastw2v.corpus.spill_buffer import release_pages
from fastw2v.distributed.parts import StoredPart
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.formats.record import MATRICES, VectorRecord
from fastw2v.utils.atomic_write import atomic_folder
from fastw2v.utils.checks import check_path
from fastw2v.utils.duration import parse_duration
from fastw2v.utils.quote import quote

__all__ = ["CheckpointError", "Checkpoints", "check_fingerprint", "corpus_paths", "fingerprint"]

log = logging.getLogger("fastw2v")

RUN = "run.json"
"""Name of the file that says how a run was started."""
VERSION = 1
_FILE_NAME = re.compile(r"(checkpoint|best)-[0-9]{15,}\.safetensors", re.ASCII)
"""Names of checkpoints, and of the weights with the lowest held-out loss, with the number of words trained.

Other files in the folder are never removed.
"""
HASH_BLOCK = 1 << 22
"""Number of elements of an array that are hashed at a time."""


class CheckpointError(ValueError):
    """Error for a folder without usable checkpoints, or for a corpus that does not belong to a checkpoint."""


class Checkpoints:
    """The checkpoints of a run, in a folder of its own.

    Parameters
    ----------
    folder : str or path
        Folder to create. It must not exist yet.
    every : str or float
        Time between two checkpoints: a number of seconds, or a duration such as "30s", "10m" or "2h".
    corpus, validation : list of str, optional
        The results of `corpus_paths`, from which `Word2Vec.resume` reads the corpus and the held-out corpus.
    task : dict, optional
        What the program that starts the run needs to continue it. Any data that JSON can represent is allowed.

    Raises
    ------
    TypeError, ValueError
        If `folder` is not a path, or `every` is not a duration.

    Notes
    -----
    A checkpoint is written under a temporary name, flushed to the disk and renamed, so it is complete or absent. It
    contains a checksum. The last two checkpoints are kept, so that there is another one if the last is damaged.

    Training stops only until the tables are copied. A thread writes the copies.

    The weights with the lowest held-out loss are in a file of their own, which is written before the checkpoint that
    needs it. A checkpoint whose file is missing or damaged is not used.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.checkpoint import Checkpoints
    >>> from fastw2v.formats import VectorRecord
    >>> def record(words):
    ...     return VectorRecord(["cat", "dog"], np.eye(2) * words, settings={"checkpoint": {"words": words}})
    >>> checkpoints = Checkpoints("run", every="10m")
    >>> checkpoints.create(record(words=0))
    >>> checkpoints.due()
    False
    >>> checkpoints.save(lambda: record(words=500))
    >>> checkpoints.wait()
    >>> Checkpoints.open("run").latest().name
    'checkpoint-000000000000500.safetensors'
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: str | float = CHECKPOINT_EVERY,
        corpus: list[str] | None = None,
        task: Any = None,
        validation: list[str] | None = None,
    ) -> None:
        self.folder = check_path("checkpoint", folder)
        self._place = self.folder.absolute()  # the program may change the current folder during a run
        self.every = parse_duration("checkpoint_every", every)
        self.corpus = corpus
        self.validation = validation
        self.task = task
        self._saved = time.monotonic()
        self._writer: threading.Thread | None = None
        # The checkpoint that was written last, or from which the run continues, and the best weights that it needs.
        self._last: Path | None = None
        self._last_best: Path | None = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Return the checkpoints of a run that was started before.

        Raises
        ------
        CheckpointError
            If the folder does not contain a run, or the run was started by a newer version of fastw2v.
        OSError
            If the folder cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.checkpoint import Checkpoints
        >>> from fastw2v.formats import VectorRecord
        >>> record = VectorRecord(["cat", "dog"], np.eye(2), settings={"checkpoint": {"words": 0}})
        >>> Checkpoints("run", every="2h").create(record)
        >>> Checkpoints.open("run").every
        7200.0
        """
        path = check_path("folder", folder) / RUN
        try:
            run = json.loads(path.read_bytes())
            version = run["version"]
            if type(version) is not int or version < 1:
                raise ValueError("the version must be a positive integer")
            if version == VERSION:
                every, corpus, task = run["every"], run["corpus"], run["task"]
                validation = run["validation"]
                _check_run(every, corpus, task, validation)
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(
                f"{folder} is not the folder of a run with checkpoints, because it contains no {RUN}"
            ) from None
        except (ValueError, TypeError, KeyError, RecursionError, IsADirectoryError) as error:
            raise CheckpointError(f"{path} is damaged: it does not describe a run") from error
        if version != VERSION:
            raise CheckpointError(
                f"{path} has version {quote(version)}, but the installed fastw2v reads version {VERSION}; upgrade "
                "fastw2v"
            )
        return cls(folder, every, corpus, task, validation)

    def check_new(self) -> None:
        """Raise an error if the folder exists, or cannot be created because its parent does not exist.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> Checkpoints("new").check_new()
        >>> Checkpoints(".").check_new()
        Traceback (most recent call last):
            ...
        FileExistsError: ... already exists; choose the name of a new folder for the checkpoints
        """
        if self.folder.exists():
            raise FileExistsError(
                f"{self.folder} already exists; choose the name of a new folder for the checkpoints"
                + (", or continue the run in this folder with resume" if (self.folder / RUN).is_file() else "")
            )
        if not self.folder.parent.is_dir():
            raise FileNotFoundError(f"{self.folder}: the folder {self.folder.parent} does not exist; create it first")

    def create(self, record: VectorRecord) -> None:
        """Create the folder with the checkpoint of the start, all at once.

        Parameters
        ----------
        record : VectorRecord
            The model, with the state of the run in ``settings["checkpoint"]``.

        Raises
        ------
        OSError
            If the folder exists or cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.checkpoint import Checkpoints
        >>> from fastw2v.formats import VectorRecord
        >>> record = VectorRecord(["cat", "dog"], np.eye(2), settings={"checkpoint": {"words": 0}})
        >>> checkpoints = Checkpoints("run")
        >>> checkpoints.create(record)
        >>> sorted(path.name for path in checkpoints.folder.iterdir())
        ['checkpoint-000000000000000.safetensors', 'run.json']
        """
        self.check_new()
        with atomic_folder(self._place) as folder:
            run = {"format": "fastw2v run", "version": VERSION, "every": self.every, "corpus": self.corpus}
            run |= {"validation": self.validation, "task": self.task}
            (folder / RUN).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
            self._last = self._place / _write(record, folder).name
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Context manager in which no other process can continue the run. The lock ends with the process.

        On Windows, and on file systems without locks, it does nothing.

        Raises
        ------
        CheckpointError
            If another process holds the lock.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.checkpoint import Checkpoints
        >>> from fastw2v.formats import VectorRecord
        >>> checkpoints = Checkpoints("run")
        >>> checkpoints.create(VectorRecord(["cat", "dog"], np.eye(2), settings={"checkpoint": {"words": 0}}))
        >>> with checkpoints.lock():
        ...     print("training")
        training
        """
        with contextlib.ExitStack() as held:
            if fcntl is not None:
                with contextlib.suppress(OSError):
                    file = held.enter_context((self._place / RUN).open("rb+"))
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        raise CheckpointError(
                            f"another process is training the run in {self.folder}; wait until it ends, or stop it"
                        ) from None
            yield

    def due(self) -> bool:
        """Return whether a checkpoint is due, because of the time, and the previous one has been written.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> Checkpoints("run", every="10m").due()
        False
        """
        return time.monotonic() - self._saved >= self.every and not self._writing()

    def save(self, make_record: Callable[[], VectorRecord], best: VectorRecord | None = None) -> None:
        """Write a checkpoint in a thread. If this fails, a warning is logged, and the last checkpoint is kept.

        Parameters
        ----------
        make_record : callable
            Returns the model, with the state of the run in ``settings["checkpoint"]``. It is called in the thread.
        best : VectorRecord, optional
            The weights with the lowest held-out loss, with their number of words in ``settings["checkpoint"]``. They
            are not needed if `has_best` returns True for this number of words.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.checkpoint import Checkpoints
        >>> from fastw2v.formats import VectorRecord
        >>> record = VectorRecord(["cat", "dog"], np.eye(2), settings={"checkpoint": {"words": 0}})
        >>> checkpoints = Checkpoints("run")
        >>> checkpoints.create(record)
        >>> checkpoints.save(lambda: record)
        >>> checkpoints.wait()
        """
        self.wait()
        self._saved = time.monotonic()
        self._writer = threading.Thread(target=self._save, args=(make_record, best), name="fastw2v-checkpoint")
        try:
            self._writer.start()
        except RuntimeError as error:  # the system has no more threads
            self.warn(error)

    def warn(self, error: Exception) -> None:
        """Log that a checkpoint was not written.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> Checkpoints("run").warn(OSError("the disk is full"))
        """
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else error
        log.warning("%s. The checkpoint was not written. The last one is %s", reason, self._last)

    def wait(self) -> None:
        """Wait until the checkpoint that is being written is complete.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> Checkpoints("run").wait()  # nothing is being written
        """
        if self._writer is not None:
            with contextlib.suppress(RuntimeError):  # it was not started
                self._writer.join()
            self._writer = None

    def latest(self) -> Path:
        """Return the file of the last checkpoint that is not damaged.

        Raises
        ------
        CheckpointError
            If there is none.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.checkpoint import Checkpoints
        >>> from fastw2v.formats import VectorRecord
        >>> record = VectorRecord(["cat", "dog"], np.eye(2), settings={"checkpoint": {"words": 0}})
        >>> checkpoints = Checkpoints("run")
        >>> checkpoints.create(record)
        >>> checkpoints.latest().name
        'checkpoint-000000000000000.safetensors'
        """
        problems = []
        for path in self._files("checkpoint"):
            try:
                words = _verify(formats.read(path, "safetensors"), path).get("best")
                best = None if words is None else self._best_file(words)
                if best is not None:
                    _verify(formats.read(best, "safetensors"), best)
            except (formats.FormatError, OSError) as error:
                log.warning("%s. This checkpoint is not used", error)
                problems.append(str(error))
                continue
            self._last, self._last_best = path, best
            return path
        reason = f": {problems[0]}" if problems else ""
        raise CheckpointError(f"{self.folder} contains no usable checkpoint{reason}")

    def best(self) -> Path | None:
        """Return the file with the best weights that belongs to the checkpoint of `latest`, or None.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> print(Checkpoints("run").best())
        None
        """
        return self._last_best

    def has_best(self, words: int) -> bool:
        """Return whether the weights after `words` words, with the lowest held-out loss, have been written.

        Examples
        --------
        >>> from fastw2v.checkpoint import Checkpoints
        >>> Checkpoints("run").has_best(500)
        False
        """
        return self._last_best == self._best_file(words)

    def _best_file(self, words: int) -> Path:
        return self._place / _name("best", words)

    def _writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def _save(self, make_record: Callable[[], VectorRecord], best: VectorRecord | None) -> None:
        try:
            if best is not None:
                _write(best, self._place, "best")
            record = make_record()
            written = _write(record, self._place)
        except (OSError, ValueError, MemoryError, FloatingPointError) as error:
            self.warn(error)
            return
        words = record.settings["checkpoint"].get("best")
        needed = None if words is None else self._best_file(words)
        kept = {written, self._last, needed, self._last_best}
        self._last, self._last_best = written, needed
        for path in self._files("checkpoint", "best"):
            if path not in kept:
                with contextlib.suppress(OSError):  # another program may have opened or removed it
                    path.unlink()

    def _files(self, *kinds: str) -> list[Path]:
        """Return the files of some kinds, from the last to the first."""
        found = [
            path for path in self._place.iterdir() if (match := _FILE_NAME.fullmatch(path.name)) and match[1] in kinds
        ]
        return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]), reverse=True)


def corpus_paths(sources: Sources | tuple[str, ...]) -> list[str]:
    """Return the absolute paths of the files of a corpus, and URLs as they are.

    Parameters
    ----------
    sources : Sources or tuple of str
        See `fastw2v.distributed.files.expand_files`.

    Raises
    ------
    ValueError
        If a source is standard input or a pipe, which cannot be read a second time.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.checkpoint import corpus_paths
    >>> from fastw2v.corpus.sources import expand_source
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> corpus_paths(expand_source("corpus.txt")) == [str(Path("corpus.txt").absolute())]
    True
    """
    if not isinstance(sources, Sources):
        return list(sources)
    for path in sources:
        if path == STDIN or not path.is_file():
            name = "standard input" if path == STDIN else str(path)
            raise ValueError(
                f"a run with checkpoints cannot read {name}, because it could not be read again; pass the path of a "
                "file"
            )
    return [str(path.absolute()) for path in sources]


def fingerprint(corpus: Corpus | DistributedCorpus, parts: Sequence[StoredPart] | None = None) -> dict[str, Any]:
    """Return what identifies a corpus: its size, and hashes of its word ids and sentences, and of its counts.

    Parameters
    ----------
    corpus : Corpus or DistributedCorpus
    parts : sequence of StoredPart, optional
        The parts of the corpus in a run with replicas. Their hashes are then used, because the corpus may be on a
        cluster.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.checkpoint import fingerprint
    >>> fingerprint(Corpus.from_sentences([["a", "b"]] * 3, min_count=1))["words"]
    6
    """
    digest = hashlib.blake2b(digest_size=16)
    if parts is not None:
        digest.update(" ".join(part.hash for part in parts).encode())
    elif isinstance(corpus, Corpus):
        _hash_array(digest, corpus.ids, np.int32)
        _hash_array(digest, corpus.offsets, np.int64)
    counts = hashlib.blake2b(np.ascontiguousarray(corpus.vocabulary.counts, np.int64).data, digest_size=16)
    sizes = {"words": len(corpus), "sentences": corpus.n_sentences}
    return {**sizes, "hash": digest.hexdigest(), "counts": counts.hexdigest()}


def check_fingerprint(
    corpus: Corpus | DistributedCorpus,
    expected: Mapping[str, Any],
    name: str = "the corpus",
    parts: Sequence[StoredPart] | None = None,
) -> None:
    """Raise an error unless a corpus is the one that a run was started with.

    Parameters
    ----------
    corpus : Corpus
        A corpus with the vocabulary of the run.
    expected : dict
        The result of `fingerprint` for the corpus of the run.
    name : str
        Name of the corpus in messages.
    parts : sequence of StoredPart, optional
        See `fingerprint`.

    Raises
    ------
    CheckpointError
        The message states the difference.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.checkpoint import check_fingerprint, fingerprint
    >>> corpora = [Corpus.from_sentences([["a", "b"]] * n, min_count=1) for n in (3, 4)]
    >>> check_fingerprint(corpora[1], fingerprint(corpora[0]))
    Traceback (most recent call last):
        ...
    fastw2v.checkpoint.CheckpointError: the corpus has 8 words in 4 sentences, but the run was started with 6 words
    in 3 sentences. Pass the corpus of the run, or start a new run
    """
    found = fingerprint(corpus, parts)
    if found == expected:
        return
    sizes = [f"{one['words']:,} words in {one['sentences']:,} sentences" for one in (found, expected)]
    difference = f"{name} has {sizes[0]}, but the run was started with {sizes[1]}"
    if sizes[0] == sizes[1] and found["hash"] == expected["hash"]:
        difference = f"{name} has the text of the run, but its vocabulary has other counts"
    elif sizes[0] == sizes[1]:
        difference = f"{name} has {sizes[0]}, like that of the run, but not the same words in the same order"
    raise CheckpointError(f"{difference}. Pass {name} of the run, or start a new run")


def _check_run(every: Any, corpus: Any, task: Any, validation: Any) -> None:
    """Raise TypeError or ValueError unless the values have the types that `Checkpoints` writes."""
    parse_duration("every", every)
    for paths in (corpus, validation):
        if paths is not None and not (isinstance(paths, list) and paths and all(isinstance(one, str) for one in paths)):
            raise TypeError("corpus and validation must be lists of paths")
    if not (task is None or isinstance(task, dict)):
        raise TypeError("task must be a dictionary")


def _name(kind: str, words: int) -> str:
    return f"{kind}-{words:015d}.safetensors"


def _write(record: VectorRecord, folder: Path, kind: str = "checkpoint") -> Path:
    """Write a checkpoint, and return its path."""
    state = record.settings["checkpoint"]
    state = state | {"checksum": _checksum(record)}
    path = folder / _name(kind, state["words"])
    formats.write(replace(record, settings=record.settings | {"checkpoint": state}), path, "safetensors")
    return path


def _verify(record: VectorRecord, path: Path) -> dict[str, Any]:
    """Return the state of a checkpoint; raise `FormatError` unless the record is one whose checksum is right."""
    try:
        state = dict(record.settings["checkpoint"])
        checksum = state.pop("checksum")
    except (TypeError, KeyError, ValueError):
        raise formats.FormatError(f"{path} is not a checkpoint") from None
    if checksum != _checksum(replace(record, settings=record.settings | {"checkpoint": state})):
        raise formats.FormatError(f"{path} is damaged: its checksum is wrong")
    return state


def _checksum(record: VectorRecord) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(record.settings, sort_keys=True).encode())
    digest.update("\0".join(map(str, record.index_to_key)).encode("utf-8", "surrogatepass"))
    for name in (*MATRICES, "counts"):
        if (array := getattr(record, name)) is not None:
            _hash_array(digest, array, array.dtype)
    return digest.hexdigest()


def _hash_array(digest: Any, array: Any, dtype: Any) -> None:
    rows = max(1, HASH_BLOCK // max(1, int(np.prod(array.shape[1:]))))
    for start in range(0, len(array), rows):
        block = np.ascontiguousarray(array[start : start + rows], dtype)
        digest.update(block.reshape(-1).view(np.uint8).data)
        release_pages(array[start : start + rows])
