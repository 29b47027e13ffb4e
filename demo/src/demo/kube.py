"""Talk to the cluster: kubectl for what changes things, cheap reads through one `kubectl proxy`.

A kubectl process per look costs 0.1-0.3 CPU seconds, which two cores that are starting an Airflow cannot
spare. So one `kubectl proxy` listens on a Unix socket in a private folder and every read is a small HTTP
request. It takes any kubeconfig that kubectl takes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from demo import process
from demo.errors import ApiError, DemoError

Json = dict[str, Any]
TENANTS = "/apis/airflowtenants.io/v1alpha1/airflowtenants"
_CONNECT_SECONDS = 20.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Kube:
    """A cluster, by kubeconfig. A context manager: it owns a `kubectl proxy`."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self.kubectl_path = kubectl
        self.kubeconfig = kubeconfig
        self._stack = contextlib.ExitStack()
        self._socket: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the proxy; the next read starts another."""
        self._socket = None
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment for kubectl and helm."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 120.0) -> str:
        """Run kubectl and return what it printed."""
        return process.run(
            [self.kubectl_path, *arguments], stdin=stdin, timeout=timeout, environment=self.environment
        )

    def apply(self, *objects: Mapping[str, Any], manager: str = "demo") -> None:
        """Apply objects server-side; they travel on standard input, never in an argument."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl(
            "apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-",
            stdin=json.dumps(items),
        )  # fmt: skip

    def get(self, path: str, **query: str) -> Json | None:
        """Return the object (or list) at an API path, or None when it is not there."""
        target = path + (f"?{urlencode(query)}" if query else "")
        status, body = self.request("GET", target)
        if status == 404:
            return None
        if status != 200:
            raise ApiError("GET", target, status, body)
        value: Json = json.loads(body)
        return value

    def items(self, path: str, **query: str) -> list[Json]:
        """Return the items of a list; a kind that the cluster does not know has none."""
        found = self.get(path, **query)
        return list(found.get("items", [])) if found else []

    def merge_patch(self, path: str, patch: Mapping[str, Any]) -> Json:
        """Change an object by a JSON merge patch and return it."""
        status, body = self.request("PATCH", path, json.dumps(patch), "application/merge-patch+json")
        if status != 200:
            raise ApiError("PATCH", path, status, body)
        value: Json = json.loads(body)
        return value

    def delete(self, path: str, **query: str) -> None:
        """Delete an object without waiting for its end; one that is not there is fine."""
        target = path + (f"?{urlencode(query)}" if query else "")
        status, body = self.request("DELETE", target)
        if status not in (200, 202, 404):
            raise ApiError("DELETE", target, status, body)

    def request(
        self, method: str, path: str, body: str | None = None, content_type: str = "application/json"
    ) -> tuple[int, str]:
        """Send one request through the proxy and return the status and the body."""
        for attempt in (1, 2):
            connection = _UnixConnection(self._proxy(), timeout=30.0)
            try:
                connection.request(method, path, body, {"Content-Type": content_type})
                answer = connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
            except (OSError, http.client.HTTPException) as exc:
                if attempt == 2:
                    raise ApiError(method, path, 0, f"no answer from the cluster: {exc}") from exc
                self.close()
            finally:
                connection.close()
        raise AssertionError("unreachable")  # pragma: no cover

    def _proxy(self) -> Path:
        if self._socket is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="aft-")))
            path = folder / "kubectl.sock"
            command: list[str | Path] = [self.kubectl_path, "proxy", f"--unix-socket={path}"]
            child = self._stack.enter_context(process.background(command, environment=self.environment))
            self._wait_for_socket(path, child)
            self._socket = path
        return self._socket

    @staticmethod
    def _wait_for_socket(path: Path, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _CONNECT_SECONDS
        while not path.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                raise DemoError("kubectl proxy does not start: is the cluster reachable (kubectl version)?")
            time.sleep(0.05)

    @contextlib.contextmanager
    def forward(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """Forward a free port of this machine to ``target`` (``svc/x``, ``pod/y``); yield its address."""
        command: list[str | Path] = [
            self.kubectl_path,
            "-n",
            namespace,
            "port-forward",
            target,
            f":{port}",
            "--address=127.0.0.1",
        ]
        with (
            tempfile.TemporaryFile() as log,
            process.background(command, environment=self.environment, log=log) as child,
        ):

            def said() -> str:
                log.seek(0)
                return log.read().decode(errors="replace")

            def port_line() -> re.Match[str] | None:
                if child.poll() is not None:
                    raise DemoError(f"cannot forward to {target} in {namespace}: {said().strip()[-500:]}")
                return re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", said())

            found = process.wait_for(
                f"a port forward to {target}", port_line, seconds=_CONNECT_SECONDS, poll=0.1
            )
            yield f"http://127.0.0.1:{found.group(1)}"


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of an object."""
    return dict(item["metadata"].get("labels") or {})


def selector(labels: Mapping[str, str]) -> str:
    """Return a label selector as the API wants it."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def names(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sorted names of objects."""
    return sorted(item["metadata"]["name"] for item in items)
