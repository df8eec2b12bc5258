"""Producers of errors in the section "Ray clusters". They do not start Ray, but stand in for what it returns."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fastw2v.distributed import ray_cluster
from fastw2v.distributed.ray_cluster import RayCluster, connect
from tests.errors.common import Producer

NODE = "a" * 56


def connect_to(address: Any) -> None:
    pytest.importorskip("ray")
    connect(address, processors=1, local_processors=1)


def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    connect("local", processors=1, local_processors=1)


def too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest.importorskip("ray"), "__version__", "2.47.1")
    connect("local", processors=1, local_processors=1)


def address_of_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "here")
    connect_to("auto")


def through_client(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    monkeypatch.setattr("ray.util.client.ray.is_connected", lambda: True)
    connect_to("auto")


def another_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    connect_to("10.0.0.6:7000")


@contextlib.contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Context manager with the address of a server that answers every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    connect_to(address)


def silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connect_to(f"127.0.0.1:{listening.getsockname()[1]}")


def web_server() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        connect_to(address)


def trial(output: str | None, address: str | None = None) -> Callable[[pytest.MonkeyPatch], None]:
    """Return a producer with what the program that tries to join a cluster prints, or None if it does not end."""

    def produce(monkeypatch: pytest.MonkeyPatch) -> None:
        def run(*arguments: Any, **options: Any) -> Any:
            if output is None:
                raise subprocess.TimeoutExpired("python", 1)
            return SimpleNamespace(stdout=f"a warning\n\nfastw2v: {output}\n")

        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setattr(subprocess, "run", run)
        if address is not None:
            connect_to(address)
        with server(b"\0\0\0\4") as grpc:
            connect_to(grpc)

    return produce


def cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def fail(**options: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    connect_to("local")


def stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def fail(**options: Any) -> None:
        raise ConnectionError("Failed to connect to Ray cluster")

    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    trial("joined")(monkeypatch)


def ray_that_runs(monkeypatch: pytest.MonkeyPatch, home: str = NODE) -> Any:
    """Replace Ray by one that runs on a node, which has a processor and never finishes a task."""
    ray = pytest.importorskip("ray")
    node = {
        "Alive": True,
        "NodeID": NODE,
        "NodeManagerAddress": "10.0.0.5",
        "NodeManagerHostname": "host",
        "Resources": {"CPU": 1.0, "memory": 1e9, "object_store_memory": 1e9},
    }
    context = SimpleNamespace(gcs_address="127.0.0.1:1", get_node_id=lambda: home)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    monkeypatch.setattr(ray, "wait", lambda references, **options: ([], references))
    monkeypatch.setattr(RayCluster, "_submit", lambda *arguments, **options: ["reference"])
    monkeypatch.setattr(ray_cluster, "LOOK_SECONDS", 0.0)
    return ray


def too_few_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    connect("auto", processors=4, gpus=1, local_processors=1)


def another_version() -> None:
    pytest.importorskip("ray")
    run = ray_cluster._worker_functions()[1]({**ray_cluster._versions(), "NumPy": "0.1"})
    run(b"")


def broken_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = ray_that_runs(monkeypatch)

    def fail(reference: Any) -> None:
        raise ray.exceptions.WorkerCrashedError

    monkeypatch.setattr(ray, "wait", lambda references, **options: (references, []))
    monkeypatch.setattr(ray, "get", fail)
    connect_to("auto")


def slow_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    monkeypatch.setattr(ray_cluster, "CHECK_SECONDS", 0.0)
    connect_to("auto")


def lost_head(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    monkeypatch.setattr(ray_cluster, "LOST_SECONDS", 0.0)
    RayCluster(owned=False).get(["reference"])


def lost_home(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch, home="b" * 56)
    monkeypatch.setattr(ray_cluster, "_answers", lambda address: True)
    RayCluster(owned=False).get(["reference"])


def lost_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that_runs(monkeypatch)
    monkeypatch.setattr(ray_cluster, "_answers", lambda address: True)
    monkeypatch.setattr(ray_cluster, "STUCK_SECONDS", 0.0)
    cluster = RayCluster(owned=False)
    cluster.submit(len, processors=4)
    cluster.get(["reference"])


def failed(make: Callable[[Any], BaseException]) -> Callable[[pytest.MonkeyPatch], None]:
    """Return a producer for an error of Ray."""

    def produce(monkeypatch: pytest.MonkeyPatch) -> None:
        ray = ray_that_runs(monkeypatch)

        def fail(references: Any) -> None:
            raise make(ray.exceptions)

        monkeypatch.setattr(ray, "wait", lambda references, **options: (references, []))
        monkeypatch.setattr(ray, "get", fail)
        RayCluster(owned=False).get(["reference"])

    return produce


OUT_OF_MEMORY = "Memory on the node (IP: 10.0.0.5, ID: 1a2b) where the task was running was 7.7GB / 8.0GB"
PRODUCERS: dict[str, list[Producer]] = {
    "the package ray cannot be used (…). Install it with pip install -U 'fastw2v[ray]', or pass ray='in-process' to use this process alone": [
        missing,
        too_old,
    ],
    "ray is …; it must be 'in-process', 'local', 'auto' or an address such as '10.0.0.5:6379'": [
        lambda: connect_to("http://10.0.0.5:8265"),
        lambda: connect_to("10.0.0.5"),
        lambda: connect_to(":6379"),
        lambda: connect_to("10.0.0.5:99999"),
        address_of_environment,
    ],
    "ray is …, an address of Ray Client, which cannot pass arrays without copies. Run this program on a node of the cluster with ray='auto', or with ray job submit": [
        lambda: connect_to("ray://10.0.0.5:10001"),
    ],
    "this process is connected to Ray through Ray Client, which cannot pass arrays without copies. Run this program on a node of the cluster with ray='auto', or with ray job submit": [
        through_client,
    ],
    "ray is …, but this process is connected to the Ray cluster at …. Pass ray='auto' to use it, or call ray.shutdown() first": [
        another_cluster,
    ],
    "… does not answer. Check the address, and that the cluster runs: ray start --head prints it": [closed_port],
    "… answers, but is not the address of a Ray cluster, which ray start --head prints. Its port is usually 6379": [
        silent_server,
        web_server,
    ],
    "ray is 'auto', but no Ray cluster runs on this machine. Start one with ray start --head": [
        trial("ConnectionError Could not find any running Ray instance.", "auto"),
        trial("no answer", "auto"),
    ],
    "the Ray cluster at … did not let this program join within … s. Run it on a node of the cluster; ray start --address=… makes this machine one": [
        trial("no answer"),
        trial(None),
    ],
    "the Ray cluster at … did not accept this program: …": [
        trial("RuntimeError Version mismatch: The cluster was started with: Ray: 2.40.0"),
        stopped_at_once,
    ],
    "Ray could not be started on this machine: …": [cannot_start],
    "each task needs …, but of the … of the Ray cluster none has them (…). Lower workers, or add a larger node": [
        too_few_processors,
    ],
    "the node … has …, but this program has …. Install the same versions on every node": [another_version],
    "the node … cannot run tasks: …": [broken_node],
    "the node … has not started a worker for … s. Look at its memory and at its logs in /tmp/ray/session_latest/logs, or remove it with ray stop": [
        slow_node,
    ],
    "the Ray cluster at … has not answered for … s. Check its head node, and continue from the last checkpoint": [
        lost_head,
    ],
    "Ray has stopped on the node of this program, perhaps for lack of memory. Start it again with ray start, and continue from the last checkpoint": [
        lost_home,
    ],
    "tasks have waited for … s, and each task needs …, but of the … of the Ray cluster none has them (…). Lower workers, or add a larger node": [
        lost_nodes,
    ],
    "the node … ran out of memory, so Ray stopped the task. Lower the number of replicas, or use nodes with more memory": [
        failed(lambda exceptions: exceptions.OutOfMemoryError(OUT_OF_MEMORY)),
    ],
    "the shared memory of a node is full. Start Ray with more, ray start --object-store-memory=BYTES, or use more nodes": [
        failed(lambda exceptions: exceptions.ObjectStoreFullError()),
    ],
    "the shared memory of a node is full, and so is the disk that Ray uses instead. Free space in /tmp/ray on each node, or use more nodes": [
        failed(lambda exceptions: exceptions.OutOfDiskError()),
    ],
    "the process or the node of a task has died. The logs in /tmp/ray/session_latest/logs on the node say why": [
        failed(lambda exceptions: exceptions.WorkerCrashedError()),
        failed(lambda exceptions: exceptions.NodeDiedError("the node died")),
    ],
    "a result was lost with its node (…). Start again, from the last checkpoint if there is one": [
        failed(lambda exceptions: exceptions.ObjectLostError("1a", None, "")),
        failed(lambda exceptions: exceptions.OwnerDiedError("1a", None, "")),
    ],
    "a task was cancelled by another program, or its process was interrupted": [
        failed(lambda exceptions: exceptions.TaskCancelledError()),
    ],
    "Ray has failed: …": [failed(lambda exceptions: exceptions.RuntimeEnvSetupError("no space"))],
}
