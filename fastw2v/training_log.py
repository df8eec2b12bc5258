"""A log of a run: a file of JSON lines with the loss, the learning rate and the speed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Self

from fastw2v.utils.atomic_write import check_replaceable
from fastw2v.utils.checks import check_path
from fastw2v.utils.quote import quote

__all__ = ["TrainingLog"]

log = logging.getLogger("fastw2v")

MAX_LINE = 10_000
"""Maximum number of bytes that are read of a line. The lines of a log are much shorter."""


class TrainingLog:
    """Context manager that writes a log of a run. If the path cannot be used, it raises an error and changes no file.

    Each line is a JSON object with these keys:

    - ``time``: the date and time in UTC, in ISO 8601 format.
    - ``words``: the number of words trained so far, as in `Word2Vec.loss_history`.
    - ``loss``: the mean loss per prediction since the previous line, or null.
    - ``validation_loss``: the loss on held-out text, or null.
    - ``learning_rate``: the learning rate, or null.
    - ``words_per_second``: the speed since the previous line with a loss, or null.

    A line has either a loss or a validation loss. It is passed to the operating system at once, so that other programs
    can read it during training.

    Parameters
    ----------
    path : str or path
        File to write. If it is a log already, its lines up to `words` are kept, and new lines are added to them.
    words : int
        Words trained before the run. With 0, an existing log is replaced.
    measured : int, optional
        Words trained before the last known measurement of the held-out loss. Lines with later measurements are not
        kept, because a run that was interrupted before it saved a measurement repeats it. By default, `words`.

    Raises
    ------
    OSError
        If the file cannot be written, or is a folder, a pipe or a device.
    ValueError
        If the file exists, but is not a log.

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> from fastw2v.training_log import TrainingLog
    >>> with TrainingLog("run.jsonl", words=0) as log:
    ...     log.write(words=1000, loss=3.2, learning_rate=0.19)
    ...     log.write(words=2000, loss=2.9, learning_rate=0.18)
    >>> [json.loads(line)["loss"] for line in Path("run.jsonl").read_text().splitlines()]
    [3.2, 2.9]

    Continue after 1,000 words:

    >>> with TrainingLog("run.jsonl", words=1000) as log:
    ...     log.write(words=1500, validation_loss=3.0)
    >>> [json.loads(line)["words"] for line in Path("run.jsonl").read_text().splitlines()]
    [1000, 1500]
    """

    def __init__(self, path: str | os.PathLike[str], words: int, measured: int | None = None) -> None:
        self.path = check_path("log", path)
        self._place = self.path.absolute()  # the program may change the current folder before the log is opened
        self._words = words
        self._measured = words if measured is None else measured
        self._file: IO[bytes] | None = None
        check_replaceable(self.path)
        if self.path.exists():
            with self.path.open("rb+") as file:
                self._kept_bytes(file)
        elif not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path}: the folder {self.path.parent} does not exist; create it first")

    def __enter__(self) -> Self:
        self._reported, self._time = self._words, time.monotonic()
        self._file = self._place.open("ab+")
        self._file.truncate(self._kept_bytes(self._file))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(
        self,
        words: int,
        *,
        loss: float | None = None,
        validation_loss: float | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Write a line. If this fails, for example because the disk is full, log a warning and write no more lines.

        Examples
        --------
        >>> from fastw2v.training_log import TrainingLog
        >>> with TrainingLog("run.jsonl", words=0) as log:
        ...     log.write(words=1000, loss=3.2, learning_rate=0.19)
        """
        if self._file is None:
            return
        speed = None
        if loss is not None:
            now = time.monotonic()
            speed = round((words - self._reported) / max(now - self._time, 1e-9))
            self._reported, self._time = words, now
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "words": words,
            "loss": loss,
            "validation_loss": validation_loss,
            "learning_rate": learning_rate,
            "words_per_second": speed,
        }
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            log.warning("%s: %s. Training continues, but this log gets no more lines", self.path, error.strerror)
            with contextlib.suppress(OSError):
                self._file.close()  # writes the rest of the line if it can
            self._file = None

    def _kept_bytes(self, file: IO[bytes]) -> int:
        """Return the length of the part of an earlier log that belongs to the words trained before the run."""
        file.seek(0)
        kept = 0
        while line := file.readline(MAX_LINE):
            incomplete = not line.endswith(b"\n") and len(line) < MAX_LINE
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                if incomplete and line.startswith(b'{"time"'):
                    break  # the program was killed while it wrote the line
                entry = None
            try:
                words, validation_loss = int(entry["words"]), entry["validation_loss"]
            except (ValueError, TypeError, KeyError, OverflowError):
                raise ValueError(
                    f"{self.path} exists, but is not a training log, because it contains {quote(line)}; choose another "
                    "name"
                ) from None
            if incomplete or words > (self._words if validation_loss is None else self._measured):
                break
            kept += len(line)
        return kept
