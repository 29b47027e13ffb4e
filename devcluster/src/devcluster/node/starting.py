"""Starts what runs inside a node, in the order in which one thing needs another."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import build, cache, components, pki, processes
from devcluster.components import Layout, Ports
from devcluster.console import Console
from devcluster.errors import StartFailedError
from devcluster.kubeapi import KubeApi
from devcluster.node import addons, kubelet, spec
from devcluster.node.loading import ImageStore
from devcluster.node.namespaces import Namespaces
from devcluster.node.programs import Programs
from devcluster.node.spec import NodeSpec
from devcluster.processes import Process

DEFAULT_PORT = 16443
_API_SECONDS = 120.0
_CONTAINERD_SECONDS = 60.0
_NODE_SECONDS = 180.0
_PORTS = Ports(api=spec.API_PORT, etcd=2379, etcd_peer=2380)


@dataclass
class Starter:
    """One start of one node."""

    node: NodeSpec
    programs: Programs
    namespaces: Namespaces
    console: Console
    processes: dict[str, Process] = field(default_factory=dict)
    began: datetime.datetime = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    )

    def run(self, preferred_port: int) -> int:
        """Start everything; return the API's port on the machine once node and DNS are ready."""
        keys = pki.ensure(self.node.pki, addresses=[spec.ADDRESS, "127.0.0.1"], node=self.node.host)
        pki.write_kubeconfigs(keys, f"https://{spec.ADDRESS}:{spec.API_PORT}")
        layout = Layout(self.node.directory, keys, _PORTS, advertise=spec.ADDRESS, bind="0.0.0.0")  # noqa: S104
        store = ImageStore(self.namespaces, self.programs.binaries["ctr"])
        with ThreadPoolExecutor(max_workers=1) as pool:
            with self.console.step("starting the control plane"):
                self._start_containerd()
                imported = pool.submit(self._import, store)
                port = self._forward(preferred_port)
                api = self._control_plane(layout, keys, port)
            self._node_daemons(layout, keys)
            addons.apply(api, self.programs.images.coredns)
            with self.console.step("waiting for the node"):
                imported.result()
                self._await(
                    "kubelet", lambda: addons.node_ready(api, self.node.host, self.began), _NODE_SECONDS
                )
        with self.console.step("waiting for cluster DNS"):
            self._await("kubelet", lambda: addons.dns_ready(api, self.began), _NODE_SECONDS)
        return port

    def _start_containerd(self) -> None:
        containerd = self.programs.containerd()
        config = containerd.write_config(self.node)
        folders = [containerd.shim.parent, containerd.runc.parent]
        self._start("containerd", containerd.command(config), path=folders)

    def _import(self, store: ImageStore) -> None:
        self._await("containerd", store.answers, _CONTAINERD_SECONDS, interval=0.2)
        store.load(self.programs.images.tars, Console(quiet=True))

    def _forward(self, preferred_port: int) -> int:
        """Make the API reachable on the machine's loopback interface; return the port."""
        file = self.node.directory / "port"
        file.unlink(missing_ok=True)
        command = [
            str(self.programs.binaries["forward"]),
            f"--listen=127.0.0.1:{preferred_port}",
            f"--to=127.0.0.1:{spec.API_PORT}",
            f"--pid={self.namespaces.init.pid}",
            f"--port-file={file}",
        ]
        self.processes["forward"] = self.namespaces.start_beside("forward", command)
        self._await("forward", file.exists, 10.0)
        return int(file.read_text())

    def _control_plane(self, layout: Layout, keys: pki.Pki, port: int) -> KubeApi:
        found = self.programs.binaries
        server = f"https://127.0.0.1:{port}"
        text = pki.kubeconfig(keys, "admin", server, context=self.node.host)
        cache.write_atomically(self.node.kubeconfig, text)
        api = KubeApi(server, authority=keys.crt("ca"), certificate=keys.crt("admin"), key=keys.key("admin"))
        self._start("etcd", components.etcd(found["etcd"], layout))
        components.write_audit_policy(layout)
        self._start("kube-apiserver", components.apiserver(found["kube-apiserver"], layout))
        self._await("kube-apiserver", api.ready, _API_SECONDS)
        return api

    def _node_daemons(self, layout: Layout, keys: pki.Pki) -> None:
        found, node = self.programs.binaries, self.node
        manager = components.controller_manager(found["kube-controller-manager"], layout)
        self._start("kube-controller-manager", manager)
        self._start("kube-scheduler", components.scheduler(found["kube-scheduler"], layout))
        config = kubelet.write_config(node, keys)
        self._start("kubelet", kubelet.kubelet(found["kubelet"], node, keys, config))
        self._start("kube-proxy", kubelet.kube_proxy(found["kube-proxy"], node, keys))
        self._start("netpol", kubelet.netpol(found["netpol"], keys))
        self._start("provisioner", kubelet.provisioner(found["provisioner"], node, keys))

    def _start(self, name: str, command: Sequence[str], *, path: Sequence[Path] = ()) -> None:
        self.processes[name] = self.namespaces.start(name, command, path=path)

    def _await(
        self, name: str, condition: Callable[[], bool], seconds: float, *, interval: float = 0.1
    ) -> None:
        """Wait for a condition; raise StartFailedError when a component dies or when it takes too long."""

        def dead() -> list[str]:
            return [known for known, process in list(self.processes.items()) if not process.alive()]

        in_time = processes.wait_until(
            lambda: bool(dead()) or condition(), seconds=seconds, interval=interval
        )
        for known in dead():
            raise StartFailedError(f"{known} ended unexpectedly.\n{build.tail(self.node.log(known))}")
        if not in_time:
            raise StartFailedError(
                f"{name} was not ready after {seconds:.0f} seconds.\n{build.tail(self.node.log(name))}"
            )
