"""Where the tasks of replicas run: threads of this process, or the processes of a Ray cluster.

`Cluster` is the interface. A task is a pure function of its arguments, so it may run again after a machine has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, Protocol

from fastw2v.utils.system import available_processors

__all__ = ["Cluster", "InProcess", "Task", "TaskLostError"]

Task = Callable[..., Any]
"""A function ``task(get, *arguments)`` of a module. ``get(references)`` returns the values of nested references.

These values should exist before the task starts, because a task that waits for another one may occupy the processors
that the other one needs. A long task calls ``get(())`` now and then, which raises an error if the cluster was closed.
"""


class TaskLostError(RuntimeError):
    """The process or the machine of a task has died, or the machine that stored its result."""


class Cluster(Protocol):
    """The interface of a cluster. A reference stands for a value that is on a machine of the cluster, or will be."""

    def processors(self) -> list[int]:
        """Return the number of processors of each machine."""

    def put(self, value: Any) -> Any:
        """Store a value, which must not change any more, and return a reference to it."""

    def submit(
        self, task: Task, *arguments: Any, returns: int = 1, processors: int = 1, gpus: int = 0, retry: bool = True
    ) -> list[Any]:
        """Run a task as soon as its arguments are there, and return references to its results.

        Parameters
        ----------
        task : Task
        *arguments
            References are replaced with their values. References within lists are passed as they are, and the task
            gets their values only if it asks for them. Arrays in values must not be changed.
        returns : int
            Number of values that the task returns, as a tuple if there are several.
        processors, gpus : int
            What the task occupies while it runs.
        retry : bool
            Whether the task runs again if it or its result is lost. Otherwise `get` raises TaskLostError.

        Returns
        -------
        list of references
            As many as `returns`.
        """

    def wait(self, references: Sequence[Any], timeout: float) -> bool:
        """Wait for values. Return False if they are not there after `timeout` seconds."""

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Return values. If a task failed, raise its error. Arrays may be read-only."""

    def close(self) -> None:
        """Stop the tasks that run, and release the memory of the values."""

    def closed(self) -> bool:
        """Return whether `close` was called."""


class InProcess:
    """A cluster of threads of this process.

    Parameters
    ----------
    threads : int
        Maximum number of tasks that run at the same time.

    Examples
    --------
    >>> from fastw2v.distributed.cluster import InProcess
    >>> def add(get, x, y):
    ...     return x + y
    >>> cluster = InProcess(threads=2)
    >>> [three] = cluster.submit(add, 1, 2)
    >>> [six] = cluster.submit(add, three, three)
    >>> cluster.get([three, six])
    [3, 6]
    >>> cluster.close()
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "fastw2v-task")
        self._closed = False

    def processors(self) -> list[int]:
        """See `Cluster.processors`."""
        return [available_processors()]

    def put(self, value: Any) -> Any:
        """See `Cluster.put`."""
        return _Reference(_done(value))

    def submit(
        self, task: Task, *arguments: Any, returns: int = 1, processors: int = 1, gpus: int = 0, retry: bool = True
    ) -> list[Any]:
        """See `Cluster.submit`."""
        # A task waits only for tasks that were submitted, and so started, before it.
        result = self._threads.submit(_run, task, self._get_in_task, arguments)
        return [_Reference(result, None if returns == 1 else i) for i in range(returns)]

    def wait(self, references: Sequence[Any], timeout: float) -> bool:
        """See `Cluster.wait`."""
        return not wait({reference.result for reference in references}, timeout).not_done

    def get(self, references: Sequence[Any]) -> list[Any]:
        """See `Cluster.get`."""
        return _values(references)

    def close(self) -> None:
        """See `Cluster.close`."""
        self._closed = True
        self._threads.shutdown(cancel_futures=True)

    def closed(self) -> bool:
        """See `Cluster.closed`."""
        return self._closed

    def _get_in_task(self, references: Sequence[Any]) -> list[Any]:
        """Return values to a task, or stop it."""
        if self._closed:
            raise RuntimeError("the task was stopped, because its cluster was closed")
        return _values(references)


class _Reference(NamedTuple):
    """A value of a task: its result, or one of several results."""

    result: Future[Any]
    part: int | None = None

    def value(self) -> Any:
        result = self.result.result()
        return result if self.part is None else result[self.part]


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _run(task: Task, get: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return task(get, *(one.value() if isinstance(one, _Reference) else one for one in arguments))


def _values(references: Sequence[Any]) -> list[Any]:
    return [reference.value() for reference in references]
