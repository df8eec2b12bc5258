"""Tasks on a Ray cluster: on several machines, or in several processes of this one.

Ray runs a task again if its worker or its node has died, or if its result was on a node that has died, unless the task
was submitted with ``retry=False``. The results are the same, because tasks are pure functions.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.distributed.cluster import Task, TaskLostError
from fastw2v.utils.quote import counted, quote, shorten
from fastw2v.utils.system import format_bytes

__all__ = ["Node", "RayCluster", "connect", "unavailable_reason"]

LOWEST_VERSION = (2, 48)
"""In older versions of Ray, tasks on a node that dies may end with an error instead of running again."""
RETRIES = 20
"""How often a task is run again after its worker or its node has died. A task that always crashes ends so."""
MEMORY_RETRIES = 5
"""How often Ray runs a task with `retry` again after it has stopped it because its node ran out of memory."""
CONNECT_SECONDS = 4.0
"""Time limit for the first answer of an address."""
JOIN_SECONDS = 10.0
"""Time limit for joining a cluster whose address has answered."""
IMPORT_SECONDS = 60.0
"""Time limit for importing Ray, which may be on a network disk."""
CHECK_SECONDS = 60.0
"""Time limit for the check of the versions on a node, which starts a worker there."""
STUCK_SECONDS = 60.0
"""How long tasks may wait without a node that could run them."""
BANDWIDTH_BYTES = 1 << 26
"""Bytes that are sent to another node to measure the bandwidth."""
BANDWIDTH_SECONDS = 10.0
"""Time limit for this measurement."""
LOST_SECONDS = 30.0
"""How long the cluster may be out of reach. After 60 s, Ray ends the process."""
LOOK_SECONDS = 2.0
"""Interval of looking at the cluster during a wait."""
SHARED_MEMORY = Path("/dev/shm")
"""Where Ray keeps values on Linux."""
LOG_LEVEL_VARIABLE = "RAY_BACKEND_LOG_LEVEL"
"""Environment variable for the lowest level of messages."""
MEMORY_RETRIES_VARIABLE = "RAY_task_oom_retries"
"""Environment variable for `MEMORY_RETRIES`, of which Ray has no option. By default, it tries for ever."""
NICENESS_VARIABLE = "RAY_worker_niceness"
"""Environment variable for the priority of the workers on this machine. By default, all other programs come first."""
JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Environment variable of the programs that `ray job submit` starts."""

_logger = logging.getLogger("fastw2v")


class Node(NamedTuple):
    """A machine of a cluster.

    Attributes
    ----------
    name : str
        Its address, with the name of the host if it has one.
    identity : str
        Its number in Ray.
    processors, gpus : int
        What tasks can occupy.
    memory, object_store_memory : int
        Bytes for tasks, and bytes for values in shared memory.
    """

    name: str
    identity: str
    processors: int
    gpus: int
    memory: int
    object_store_memory: int


class _NodeOutOfMemoryError(TaskLostError, MemoryError):
    """Ray has stopped a task, because its node ran out of memory."""


class RayCluster:
    """A Ray cluster to which this process is connected. See `fastw2v.distributed.cluster.Cluster` for the methods.

    Parameters
    ----------
    owned : bool
        Whether `close` disconnects from Ray, and stops it if it was started on this machine.
    """

    def __init__(self, owned: bool) -> None:
        import ray

        self._owned = owned
        self._closed = False
        self._run = ray.remote(max_retries=RETRIES)(_checked(_versions()))
        self._head = ray.get_runtime_context().gcs_address
        self._home = ray.get_runtime_context().get_node_id()
        self._needs: set[tuple[int, int]] = set()
        self._running: list[Any] = []
        self._known: dict[str, Node] = {}
        self._checks: dict[Any, tuple[Node, float]] = {}
        self._looked = self._reached = self._able = time.monotonic()

    def put(self, value: Any) -> Any:
        """See `Cluster.put`."""
        import ray

        with self._described():
            return ray.put(value)

    def submit(
        self, task: Task, *arguments: Any, returns: int = 1, processors: int = 1, gpus: int = 0, retry: bool = True
    ) -> list[Any]:
        """See `Cluster.submit`."""
        self._needs.add((processors, gpus))
        self._able = time.monotonic()
        references = self._submit(
            task,
            *arguments,
            name=getattr(task, "__name__", "task"),
            num_returns=returns,
            num_cpus=processors,
            num_gpus=gpus,
            max_retries=RETRIES if retry else 0,
        )
        self._running.append(references[0])
        return references

    def wait(self, references: Sequence[Any], timeout: float) -> bool:
        """See `Cluster.wait`. The values are copied to this machine, so that the loss of another one spares them."""
        import ray

        end = time.monotonic() + timeout
        waiting = list(dict.fromkeys(references))
        while waiting:
            seconds = min(max(end - time.monotonic(), 0), LOOK_SECONDS)
            with self._described():
                done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=seconds)
            if done:
                self._able = time.monotonic()
            if waiting and time.monotonic() >= end:
                return False
            self._look()
        if self._running:
            _, self._running = ray.wait(self._running, num_returns=len(self._running), timeout=0, fetch_local=False)
        return True

    def get(self, references: Sequence[Any]) -> list[Any]:
        """See `Cluster.get`."""
        import ray

        self.wait(references, float("inf"))
        with self._described():
            return ray.get(list(references))

    def close(self) -> None:
        """See `Cluster.close`."""
        import ray

        if ray.is_initialized():
            for reference in self._running:
                ray.cancel(reference, force=True)
        self._running.clear()
        self._closed = True
        if self._owned:
            self._owned = False
            _leave()

    def closed(self) -> bool:
        """See `Cluster.closed`."""
        return self._closed

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive."""
        return _nodes()

    def processors(self) -> list[int]:
        """See `Cluster.processors`."""
        return [node.processors for node in self.nodes()]

    def own_node(self) -> str:
        """Return the identity of the node on which this program runs."""
        return self._home

    def bandwidth(self) -> float | None:
        """Measure how fast values get from this node to another one, in bytes per second.

        Returns
        -------
        float or None
            None if there is no other node, or if it has not got the values within `BANDWIDTH_SECONDS`.
        """
        import numpy as np
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        other = next((node for node in self.nodes() if node.identity != self._home), None)
        if other is None:
            return None
        affinity = NodeAffinitySchedulingStrategy(other.identity, soft=False)
        end, times = time.monotonic() + BANDWIDTH_SECONDS, []
        for size in (1, 1, BANDWIDTH_BYTES):  # the first task may start a worker
            value = self.put(np.zeros(size, np.uint8))
            start = time.monotonic()
            task = self._submit(_nothing, value, name="bandwidth", num_cpus=0, scheduling_strategy=affinity)
            try:
                ray.get(task, timeout=max(end - start, 0))
            except ray.exceptions.RayError:  # it took too long, or the node has died
                return None
            times.append(time.monotonic() - start)
        return BANDWIDTH_BYTES / max(times[2] - times[1], 1e-6)

    def check_nodes(self, seconds: float = CHECK_SECONDS) -> None:
        """Raise RuntimeError if a node does not have the versions of this process, or cannot run tasks.

        Parameters
        ----------
        seconds : float
            How long to wait for the answers of nodes that have joined since the last call. An answer that comes later
            counts in the next call.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = self.nodes()
        for node in nodes:
            if node.identity not in self._known:
                self._known[node.identity] = node
                affinity = NodeAffinitySchedulingStrategy(node.identity, soft=False)
                [check] = self._submit(_nothing, name="check", num_cpus=0, scheduling_strategy=affinity)
                self._checks[check] = node, time.monotonic()
        if not self._checks:
            return
        done, _ = ray.wait(list(self._checks), num_returns=len(self._checks), timeout=seconds)
        alive = {node.identity for node in self.nodes()}  # a node that has died meanwhile does not matter
        for check in done:
            node, _ = self._checks.pop(check)
            try:
                ray.get(check)
            except ray.exceptions.RayTaskError as error:
                description = _description(error)
                raise description from error
            except ray.exceptions.RayError as error:
                if node.identity in alive:
                    raise RuntimeError(f"the node {node.name} cannot run tasks: {_one_line(error)}") from error
        for node, since in self._checks.values():
            if node.identity in alive and time.monotonic() - since >= CHECK_SECONDS:
                raise RuntimeError(
                    f"the node {node.name} has not started a worker for {CHECK_SECONDS:.0f} s. Look at its memory and "
                    "at its logs in /tmp/ray/session_latest/logs, or remove it with ray stop"
                )

    def _submit(self, task: Task, *arguments: Any, **options: Any) -> list[Any]:
        from ray import cloudpickle

        with self._described():
            results = self._run.options(**options).remote(cloudpickle.dumps(task), *arguments)
        return results if isinstance(results, list) else [results]

    def _look(self) -> None:
        """Raise RuntimeError if the cluster is out of reach, or if tasks wait for a node that no longer exists."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if not _answers(self._head):
            if now - self._reached > LOST_SECONDS:
                raise RuntimeError(
                    f"the Ray cluster at {self._head} has not answered for {LOST_SECONDS:.0f} s. Check its head node, "
                    "and continue from the last checkpoint"
                )
            return
        self._reached = now
        nodes = self.nodes()
        if self._home not in {node.identity for node in nodes}:
            raise RuntimeError(
                "Ray has stopped on the node of this program, perhaps for lack of memory. Start it again with "
                "ray start, and continue from the last checkpoint"
            )
        for identity in self._known.keys() - {node.identity for node in nodes}:
            _logger.warning("the node %s was lost; its tasks run again", self._known.pop(identity).name)
        self.check_nodes(seconds=0)
        problem = next(filter(None, (_too_small(nodes, *need) for need in sorted(self._needs))), None)
        if not problem:
            self._able = now
        elif now - self._able > STUCK_SECONDS:
            raise RuntimeError(f"tasks have waited for {STUCK_SECONDS:.0f} s, and {problem}")

    @contextmanager
    def _described(self) -> Iterator[None]:
        """Context manager that replaces the errors of Ray."""
        from ray import exceptions

        try:
            yield
        except exceptions.RayError as error:
            description = _description(error)
            if isinstance(error, exceptions.RaySystemError):  # perhaps a new node without a package
                self.check_nodes()
            raise description from error


def connect(address: str, *, processors: int, gpus: int = 0, local_processors: int) -> RayCluster:
    """Connect to a Ray cluster, or start Ray on this machine.

    If Ray is initialised in this process already, it is used, and `RayCluster.close` leaves it running.

    Parameters
    ----------
    address : str
        "local" to start Ray on this machine, "auto" for the cluster that runs on this machine, or the address of a
        cluster, such as "10.0.0.5:6379".
    processors, gpus : int
        What each task needs. The cluster must have a node that is large enough.
    local_processors : int
        Number of processors that Ray may use on this machine if it is started here.

    Returns
    -------
    RayCluster

    Raises
    ------
    ValueError
        If the address is not one, or no node is large enough.
    ImportError
        If Ray is not installed, or too old.
    ConnectionError
        If the address does not answer, or is not the address of a Ray cluster.
    RuntimeError
        If Ray cannot be started, or a node has other versions of fastw2v, NumPy, Numba or Python.

    Examples
    --------
    >>> from fastw2v.distributed.ray_cluster import connect
    >>> def add(get, x, y):
    ...     return x + y
    >>> cluster = connect("local", processors=1, local_processors=2)
    >>> cluster.processors()
    [2]
    >>> [three] = cluster.submit(add, 1, 2)
    >>> [six] = cluster.submit(add, three, three)
    >>> cluster.wait([six], timeout=60), cluster.get([three, six])
    (True, [3, 6])
    >>> cluster.close()
    """
    _require_address(address)
    if reason := unavailable_reason():
        raise ImportError(f"{reason}, or pass ray='in-process' to use this process alone")
    import ray

    global _connections
    with _connecting:
        owned = _connections > 0 or not ray.is_initialized()
        if ray.is_initialized():
            _require_same(address)
        else:
            if JOB_VARIABLE in os.environ and address == "local":
                address = "auto"  # `ray job submit` runs this program on the cluster that it is meant for
            _start(local_processors) if address == "local" else _join(address)
        _connections += owned
    try:
        nodes = _nodes()
        if problem := _too_small(nodes, processors, gpus):
            raise ValueError(problem)
        cluster = RayCluster(owned)
        cluster.check_nodes()
    except BaseException:
        if owned:
            _leave()
        raise
    return cluster


_connecting = threading.Lock()
_connections = 0
"""Number of connections that use the Ray which this module has initialised. The last one ends it."""


def _leave() -> None:
    """End a connection."""
    global _connections
    with _connecting:
        _connections -= 1
        if not _connections:
            _disconnect()


def unavailable_reason() -> str | None:
    """Return why Ray cannot be used and how to install it, or None if it can.

    Examples
    --------
    >>> from fastw2v.distributed.ray_cluster import unavailable_reason
    >>> unavailable_reason() is None
    True
    """
    try:
        import ray
    except ImportError as error:
        problem = str(error)
    else:
        if tuple(map(int, re.findall(r"\d+", ray.__version__)[:2])) >= LOWEST_VERSION:
            return None
        problem = f"its version is {ray.__version__}, and {'.'.join(map(str, LOWEST_VERSION))} is needed"
    return f"the package ray cannot be used ({problem}). Install it with pip install -U 'fastw2v[ray]'"


def _require_address(address: str) -> None:
    if address.startswith("ray://"):
        raise ValueError(
            f"ray is {quote(address)}, an address of Ray Client, which cannot pass arrays without copies. "
            "Run this program on a node of the cluster with ray='auto', or with ray job submit"
        )
    if address not in ("local", "auto") and _host_and_port(address) is None:
        raise ValueError(
            f"ray is {quote(address)}; it must be 'in-process', 'local', 'auto' or an address such as '10.0.0.5:6379'"
        )


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]  # an IPv6 address
    elif ":" in host or "/" in host:
        return None
    valid = colon and host and not set(host) & set(" \t\n@?#") and port.isascii() and port.isdigit()
    return (host, int(port)) if valid and 0 < int(port) < 65536 else None


def _require_same(address: str) -> None:
    """Raise ValueError if Ray is initialised in this process with another cluster, or through Ray Client."""
    import ray
    from ray.util.client import ray as client

    if client.is_connected():
        raise ValueError(
            "this process is connected to Ray through Ray Client, which cannot pass arrays without copies. Run this "
            "program on a node of the cluster with ray='auto', or with ray job submit"
        )
    current = ray.get_runtime_context().gcs_address
    if address in ("local", "auto") or address == current:
        return
    given, there = _host_and_port(address), _host_and_port(current)
    if given and there and given[1] == there[1]:  # the host has several names
        return
    raise ValueError(
        f"ray is {quote(address)}, but this process is connected to the Ray cluster at {current}. "
        "Pass ray='auto' to use it, or call ray.shutdown() first"
    )


def _start(processors: int) -> None:
    """Start Ray on this machine."""
    shared = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None
    with _variable(NICENESS_VARIABLE, "0"):
        _initialise(
            "Ray could not be started on this machine", address="local", num_cpus=processors, include_dashboard=False
        )
    for node in _nodes():
        if shared is not None and node.object_store_memory > shared:
            _logger.warning(
                "%s has only %s, so Ray keeps the tables in files of /tmp, which is slower. Make it larger; in "
                "Docker, start the container with --shm-size=%s",
                SHARED_MEMORY,
                format_bytes(shared),
                f"{max(node.object_store_memory >> 30, 1)}g",
            )


def _join(address: str) -> None:
    """Connect to a cluster that runs."""
    name = os.environ.get("RAY_ADDRESS") or address if address == "auto" else address
    if name != address:
        _require_address(name)
    if name != "auto":
        if not _answers(name):
            raise ConnectionError(
                f"{name} does not answer. Check the address, and that the cluster runs: ray start --head prints it"
            )
        if not _speaks_grpc(name):
            raise ConnectionError(
                f"{name} answers, but is not the address of a Ray cluster, which ray start --head prints. Its port is "
                "usually 6379"
            )
    if problem := _trial(name):
        raise ConnectionError(problem)
    _initialise(f"the Ray cluster at {name} did not accept this program", address=name)


def _initialise(problem: str, **options: Any) -> None:
    """Call ``ray.init`` silently, and leave the handlers of signals as they are."""
    import ray

    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if main else None
    _silence()
    try:
        with (
            _variable(MEMORY_RETRIES_VARIABLE, str(MEMORY_RETRIES)),
            nullcontext() if options["address"] == "local" else _quiet_library(),
        ):
            ray.init(**options, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        _disconnect()
        kind = RuntimeError if options["address"] == "local" else ConnectionError
        raise kind(f"{problem}: {_one_line(error)}") from error
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Context manager in which Ray sets the level of its messages, so that it does not print later what it recovers.

    Ray reads the level from a variable of the environment, and prints that it did.
    """
    sys.stderr.flush()
    standard_error = os.dup(2)
    try:
        with _variable(LOG_LEVEL_VARIABLE, "fatal"), open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Context manager in which a variable of the environment has a value, unless the user has set another."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _disconnect() -> None:
    import ray

    ray.shutdown()
    _silence(False)


def _silence(silent: bool = True) -> None:
    """Turn the messages of Ray off, or on again.

    Ray prints the death of workers and nodes on the standard output, even without ``log_to_driver``.
    """
    from ray._private import worker

    logging.getLogger("ray").setLevel(logging.CRITICAL if silent else logging.NOTSET)
    if hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = not silent


def _answers(address: str) -> bool:
    try:
        with socket.create_connection(_host_and_port(address), CONNECT_SECONDS):  # type: ignore[arg-type]
            return True
    except OSError:
        return False


def _speaks_grpc(address: str) -> bool:
    """Return whether the first frame of a server is that of HTTP/2, on which gRPC is built."""
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return True
    try:
        with socket.create_connection(_host_and_port(address), CONNECT_SECONDS) as connection:  # type: ignore[arg-type]
            connection.settimeout(CONNECT_SECONDS)
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            frame = b""
            while len(frame) < 4 and (received := connection.recv(4 - len(frame))):
                frame += received
            return frame[3:] == b"\x04"  # the type of the frame: settings
    except OSError:
        return False


TRIAL = """
import os, sys, threading
import ray
def stop():
    print("\\nfastw2v: no answer", flush=True)
    os._exit(1)
timer = threading.Timer(float(sys.argv[2]), stop)
timer.daemon = True
timer.start()
try:
    ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)
except BaseException as error:
    while error.__cause__ is not None:
        error = error.__cause__
    print("\\nfastw2v:", type(error).__name__, " ".join(str(error).split()), flush=True)
    os._exit(1)
print("\\nfastw2v: joined", flush=True)
ray.shutdown()
"""
"""A program that joins a cluster. In this process, Ray would try for minutes, and print messages."""


def _trial(address: str) -> str | None:
    """Join a cluster in another process. Return why it failed, or None."""
    try:
        output = subprocess.run(
            [sys.executable, "-c", TRIAL, address, str(JOIN_SECONDS)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_SECONDS + 2 * JOIN_SECONDS,
        ).stdout
    except subprocess.TimeoutExpired:
        output = ""
    answer = output.rpartition("\nfastw2v: ")[2].strip()
    if answer == "joined":
        return None
    if address == "auto" and (answer in ("", "no answer") or answer.startswith("ConnectionError")):
        return "ray is 'auto', but no Ray cluster runs on this machine. Start one with ray start --head"
    if answer in ("", "no answer"):
        return (
            f"the Ray cluster at {address} did not let this program join within {JOIN_SECONDS:.0f} s. Run it on a node "
            f"of the cluster; ray start --address={address} makes this machine one"
        )
    return f"the Ray cluster at {address} did not accept this program: {shorten(answer, 300)}"


def _nodes() -> list[Node]:
    import ray

    found = []
    for node in ray.nodes():
        if node["Alive"]:
            address, host, resources = node["NodeManagerAddress"], node["NodeManagerHostname"], node["Resources"]
            found.append(
                Node(
                    address if host in ("", address) else f"{address} ({host})",
                    node["NodeID"],
                    int(resources.get("CPU", 0)),
                    int(resources.get("GPU", 0)),
                    int(resources.get("memory", 0)),
                    int(resources.get("object_store_memory", 0)),
                )
            )
    return found


def _too_small(nodes: Sequence[Node], processors: int, gpus: int) -> str | None:
    """Return why no node can run a task, or None if one can."""
    if any(node.processors >= processors and node.gpus >= gpus for node in nodes):
        return None
    need = counted(processors, "processor") + (f" and {counted(gpus, 'GPU')}" if gpus else "")
    there = ", ".join(
        f"{node.name} has {node.processors:,}" + (f" and {counted(node.gpus, 'GPU')}" if gpus else "")
        for node in sorted(nodes, key=lambda node: (-node.processors, -node.gpus))[:3]
    )
    return (
        f"each task needs {need}, but of the {counted(len(nodes), 'node')} of the Ray cluster none has them "
        f"({there or 'none is alive'}). Lower workers, or add a larger node"
    )


def _nothing(get: Callable[..., Any], *values: Any) -> None:
    """Do nothing: the task of the check of the versions, and of the measurement of the bandwidth."""


def _versions() -> dict[str, str]:
    return _worker_functions()[0]()


def _checked(expected: dict[str, str]) -> Callable[..., Any]:
    return _worker_functions()[1](expected)


def _worker_functions() -> tuple[Callable[[], dict[str, str]], Callable[..., Callable[..., Any]]]:
    """Return functions that run in workers, even where fastw2v is missing: the versions, and the runner of tasks.

    Functions within functions are pickled with their code, and so must not use names of this module.
    """
    known: dict[str, str] = {}

    def versions() -> dict[str, str]:
        if not known:
            import platform
            from importlib import import_module, metadata

            for name, module in {"fastw2v": "fastw2v", "NumPy": "numpy"}.items():
                try:
                    known[name] = import_module(module).__version__
                except ImportError:
                    known[name] = ""
            try:
                known["Numba"] = metadata.version("numba")
            except metadata.PackageNotFoundError:
                known["Numba"] = ""
            known["Python"] = platform.python_version()
        return known

    def checked(expected: dict[str, str]) -> Callable[..., Any]:
        def run(pickled: bytes, *arguments: Any) -> Any:
            import builtins
            import socket

            import ray
            from ray import cloudpickle

            found = versions()
            if found != expected:
                names = [name for name in expected if found[name] != expected[name]]
                here = ", ".join(f"{name} {found[name]}" if found[name] else f"no {name}" for name in names)
                there = ", ".join(f"{name} {expected[name]}" if expected[name] else f"no {name}" for name in names)
                raise RuntimeError(
                    f"the node {ray.util.get_node_ip_address()} ({socket.gethostname()}) has {here}, but this program "
                    f"has {there}. Install the same versions on every node"
                )

            def get(references: Sequence[Any]) -> list[Any]:
                return ray.get(list(references)) if references else []

            try:
                return cloudpickle.loads(pickled)(get, *arguments)
            except Exception as error:
                try:
                    cloudpickle.loads(cloudpickle.dumps(error))
                except Exception:  # its class has a constructor that pickle cannot call
                    kind = next(one for one in type(error).__mro__ if getattr(builtins, one.__name__, None) is one)
                    plain = kind(str(error))
                    raise plain from error
                raise

        return run

    return versions, checked


def _description(error: Exception) -> Exception:
    """Return the error of a task or, if Ray has failed, an error that says what to do."""
    from ray import exceptions

    while isinstance(error, exceptions.RayTaskError):
        error = error.cause
    if not isinstance(error, exceptions.RayError):
        return error
    if isinstance(error, exceptions.OutOfMemoryError):
        node = re.search(r"IP: ([^,)]+)", str(error))
        return _NodeOutOfMemoryError(
            f"the node {node[1] if node else 'of a task'} ran out of memory, so Ray stopped the task. Lower the number "
            "of replicas, or use nodes with more memory"
        )
    if isinstance(error, exceptions.ObjectStoreFullError):
        return MemoryError(
            "the shared memory of a node is full. Start Ray with more, ray start --object-store-memory=BYTES, or use "
            "more nodes"
        )
    if isinstance(error, exceptions.OutOfDiskError):
        return OSError(
            "the shared memory of a node is full, and so is the disk that Ray uses instead. Free space in /tmp/ray on "
            "each node, or use more nodes"
        )
    if isinstance(error, exceptions.WorkerCrashedError | exceptions.LocalRayletDiedError | exceptions.NodeDiedError):
        return TaskLostError(
            "the process or the node of a task has died. The logs in /tmp/ray/session_latest/logs on the node say why"
        )
    if isinstance(error, exceptions.ObjectLostError):
        return TaskLostError(
            f"a result was lost with its node ({type(error).__name__}). Start again, from the last checkpoint if there "
            "is one"
        )
    if isinstance(error, exceptions.TaskCancelledError):
        return RuntimeError("a task was cancelled by another program, or its process was interrupted")
    return RuntimeError(f"Ray has failed: {type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return shorten(" ".join(str(error).split()), 240)
