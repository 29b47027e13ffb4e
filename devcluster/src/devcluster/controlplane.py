"""A control plane without a node: etcd, kube-apiserver and kube-controller-manager on the loopback interface.

It starts in seconds, needs no root, and several run side by side. RBAC is enforced and every controller
works but for the pod garbage collector, which would end pods that no node has; and there is no kubelet:
pods stay Pending.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from devcluster import build, cache, components, pki, processes
from devcluster.components import Layout, Ports
from devcluster.console import Console
from devcluster.errors import DevclusterError, PortTakenError, StartFailedError
from devcluster.kubeapi import KubeApi
from devcluster.processes import Process
from devcluster.tools import tool
from devcluster.watchdog import Watchdog

_ADDRESS = "127.0.0.1"
_ATTEMPTS = 5
_READY_SECONDS = 120.0
_STATE = "control-plane.json"


@dataclass
class ControlPlane:
    """A running control plane; use it as a context manager or call ``stop``.

    ``kubeconfig`` is a file for the administrator, ``server`` the URL of the API, ``directory`` holds
    everything.
    """

    directory: Path
    server: str
    kubeconfig: Path
    processes: dict[str, Process]
    _watchdog: Watchdog | None = None

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        scheduler: bool = False,
        outlive: bool = False,
        console: Console | None = None,
    ) -> ControlPlane:
        """Start a control plane whose data and logs are below ``directory``; return when it is usable.

        Usable means that the API is ready and the default ServiceAccount exists. What an earlier
        control plane of the same directory left running is stopped first; its data is kept. Unless
        ``outlive`` is set, the processes end with the calling process, however that ends. Raises
        StartFailedError when a program does not come up.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        names = [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            *(["kube-scheduler"] if scheduler else []),
        ]
        binaries = {name: tool(name, console) for name in names}
        earlier = cls.attach(directory)
        if earlier:
            earlier.stop()
        for attempt in range(1, _ATTEMPTS + 1):
            plane = cls._at_ports(directory, _ports(directory, fresh=attempt > 1), outlive=outlive)
            try:
                plane._run(binaries)
            except PortTakenError:
                plane.stop()
                if attempt == _ATTEMPTS:
                    raise
                continue
            except BaseException:
                plane.stop()
                raise
            break
        if outlive and plane._watchdog:
            plane._watchdog.dismiss()
            plane._watchdog = None
        return plane

    @classmethod
    def attach(cls, directory: Path) -> ControlPlane | None:
        """Return the control plane of this directory, running or not; None when there never was one."""
        state = _read_state(directory.resolve())
        if not state:
            return None
        found = {name: Process(**fields) for name, fields in state.get("processes", {}).items()}
        return cls(directory.resolve(), state["server"], directory.resolve() / "kubeconfig", found)

    @classmethod
    def _at_ports(cls, directory: Path, ports: Ports, *, outlive: bool) -> ControlPlane:
        plane = cls(directory, f"https://{_ADDRESS}:{ports.api}", directory / "kubeconfig", {}, Watchdog())
        plane._save(ports, outlive=outlive)
        return plane

    @property
    def running(self) -> bool:
        """Say whether every process is alive."""
        return bool(self.processes) and all(process.alive() for process in self.processes.values())

    def api(self) -> KubeApi:
        """Return a client of the API with the administrator's certificate."""
        keys = pki.Pki(self.directory / "pki")
        return KubeApi(
            self.server, authority=keys.crt("ca"), certificate=keys.crt("admin"), key=keys.key("admin")
        )

    def stop(self) -> None:
        """Stop every process; raise DevclusterError when one survives. Data and logs stay.

        Only etcd is asked politely: the others keep nothing, and the API server would wait for its
        watchers.
        """
        others = [process for name, process in self.processes.items() if name != "etcd"]
        gone = processes.stop(others, grace=0.0)
        etcd = self.processes.get("etcd")
        gone = processes.stop([etcd] if etcd else [], grace=2.0) and gone
        if self._watchdog:
            self._watchdog.dismiss()
            self._watchdog = None
        if not gone:
            raise DevclusterError(f"A process of the control plane in {self.directory} does not end.")
        self.processes = {}
        state = _read_state(self.directory)
        if state:
            cache.write_atomically(self.directory / _STATE, json.dumps({**state, "processes": {}}))

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, binaries: dict[str, Path]) -> None:
        ports = Ports(**_read_state(self.directory)["ports"])
        keys = pki.ensure(self.directory / "pki", addresses=[_ADDRESS], node="none")
        pki.write_kubeconfigs(keys, self.server)
        cache.write_atomically(self.kubeconfig, pki.kubeconfig(keys, "admin", self.server))
        layout = Layout(self.directory, keys, ports, advertise=_ADDRESS, bind=_ADDRESS)
        components.write_audit_policy(layout)
        api = self.api()
        self._launch("etcd", components.etcd(binaries["etcd"], layout))
        self._launch("kube-apiserver", components.apiserver(binaries["kube-apiserver"], layout))
        self._await("kube-apiserver", api.ready)
        # Not earlier: it gives up when the API is not healthy within ten seconds.
        command = components.controller_manager(binaries["kube-controller-manager"], layout, nodes=False)
        self._launch("kube-controller-manager", command)
        if "kube-scheduler" in binaries:
            self._launch("kube-scheduler", components.scheduler(binaries["kube-scheduler"], layout))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._await("kube-controller-manager", lambda: api.exists(account))

    def _launch(self, name: str, command: list[str]) -> None:
        log = self.log(name)
        log.unlink(missing_ok=True)
        process = processes.start(command, log)
        if self._watchdog:
            self._watchdog.watch(process)
        self.processes[name] = process
        state = _read_state(self.directory)
        state["processes"][name] = dataclasses.asdict(process)
        cache.write_atomically(self.directory / _STATE, json.dumps(state))

    def _await(self, waiting_for: str, condition: Any) -> None:
        def settled() -> bool:
            return not self.running or bool(condition())

        in_time = processes.wait_until(settled, seconds=_READY_SECONDS)
        dead = [name for name, process in self.processes.items() if not process.alive()]
        for name in dead:
            text = self.log(name).read_text(errors="replace")
            kind = PortTakenError if "address already in use" in text else StartFailedError
            raise kind(f"{name} ended at once.\n{build.tail(self.log(name))}")
        if not in_time:
            late = f"{waiting_for} was not ready after {_READY_SECONDS:.0f} seconds."
            raise StartFailedError(f"{late}\n{build.tail(self.log(waiting_for))}")

    def log(self, name: str) -> Path:
        """Return the log of a component."""
        return self.directory / "log" / f"{name}.log"

    def _save(self, ports: Ports, *, outlive: bool) -> None:
        state = {
            "server": self.server,
            "ports": dataclasses.asdict(ports),
            "outlive": outlive,
            "processes": {},
        }
        cache.write_atomically(self.directory / _STATE, json.dumps(state))


def _read_state(directory: Path) -> dict[str, Any]:
    try:
        state = json.loads((directory / _STATE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return dict(state)


def _ports(directory: Path, *, fresh: bool) -> Ports:
    """Choose three free ports, those of the last time if possible (then an exported kubeconfig stays valid).

    A port can be lost to somebody else before it is bound: the caller tries again.
    """
    earlier = _read_state(directory).get("ports")
    if earlier and not fresh and all(_is_free(port) for port in earlier.values()):
        return Ports(**earlier)
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(3)]
        for holder in holders:
            holder.bind((_ADDRESS, 0))
        numbers = [int(holder.getsockname()[1]) for holder in holders]
    return Ports(*numbers)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError:
            return False
    return True
