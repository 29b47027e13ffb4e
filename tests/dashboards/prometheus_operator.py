"""The real Prometheus operator as a process of this machine, beside any cluster.

It needs no pods: what it makes of PodMonitors, PrometheusRules and AlertmanagerConfigs is read from the
Secrets and ConfigMaps that it writes for its Prometheus and its Alertmanager.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from tests.airflow.server import free_port

from devcluster.tools import tool

Object = dict[str, Any]
T = TypeVar("T")
_WAIT = 60.0
_GROUP = "monitoring.coreos.com"


@dataclass
class PrometheusOperator:
    """A running Prometheus operator; a context manager, or call ``stop``.

    Its definitions (tests.controller.definitions) must be in the cluster before it starts.
    """

    kubeconfig: Path
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, kubeconfig: Path, directory: Path) -> PrometheusOperator:
        """Start it with the rights of a kubeconfig; its log goes into ``directory``."""
        log = directory / "prometheus-operator.log"
        command = [str(tool("prometheus-operator")), f"--web.listen-address=127.0.0.1:{free_port()}"]
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return cls(kubeconfig, log, process)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self) -> PrometheusOperator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def make_prometheus(self, namespace: str, name: str = "main", **spec: Any) -> None:
        """A Prometheus without pods that takes every PodMonitor and PrometheusRule of the cluster."""
        everything: Mapping[str, Object] = {
            f"{kind}{end}": {} for kind in ("podMonitor", "rule") for end in ("Selector", "NamespaceSelector")
        }
        self._apply("Prometheus", namespace, name, {"replicas": 0, "version": "v3.5.0", **everything, **spec})

    def make_alertmanager(self, namespace: str, name: str = "main", **spec: Any) -> None:
        """An Alertmanager without pods that takes every AlertmanagerConfig of the cluster."""
        everything: Mapping[str, Object] = {
            f"alertmanagerConfig{end}": {} for end in ("Selector", "NamespaceSelector")
        }
        self._apply(
            "Alertmanager", namespace, name, {"replicas": 0, "version": "v0.28.1", **everything, **spec}
        )

    def config(self, namespace: str, name: str = "main") -> str:
        """prometheus.yaml; waits for it. The number of the shard is in, as the config-reloader puts it."""
        text = self._wait(lambda: self._secret(namespace, f"prometheus-{name}", "prometheus.yaml.gz"))
        return text.replace("$(SHARD)", "0")

    def rule_files(self, namespace: str, name: str = "main") -> dict[str, str]:
        """The rule files that Prometheus would mount, by file name."""
        return {
            file: text
            for item in self._get("configmaps", namespace).get("items") or []
            if item["metadata"]["name"].startswith(f"prometheus-{name}-rulefiles-")
            for file, text in (item.get("data") or {}).items()
        }

    def routing(self, namespace: str, name: str = "main") -> str:
        """alertmanager.yaml; waits for it."""
        secret = f"alertmanager-{name}-generated"
        return self._wait(lambda: self._secret(namespace, secret, "alertmanager.yaml.gz"))

    def complaints(self) -> list[str]:
        """What it has against objects of ours: warnings and errors of its log, and its Events."""
        words = ("podmonitor", "prometheusrule", "alertmanagerconfig", "skipping", "reject", "invalid")
        lines = [
            line
            for line in self.log.read_text(errors="replace").splitlines()
            if ("level=warn" in line.lower() or "level=error" in line.lower())
            and any(word in line.lower() for word in words)
        ]
        kinds = {"PodMonitor", "PrometheusRule", "AlertmanagerConfig"}
        events = self._get("events", "").get("items") or []
        return lines + [event["message"] for event in events if event["involvedObject"]["kind"] in kinds]

    def _secret(self, namespace: str, name: str, key: str) -> str:
        found = self._get("secrets", namespace, name)
        data = found.get("data") or {}
        return gzip.decompress(base64.b64decode(data[key])).decode() if key in data else ""

    def _get(self, kind: str, namespace: str, name: str = "") -> Object:
        where = ["-n", namespace] if namespace else ["--all-namespaces"]
        text = self._kubectl(
            "get", kind, *([name] if name else []), *where, "-o", "json", "--ignore-not-found"
        )
        return dict(json.loads(text)) if text.strip() else {}

    def _apply(self, kind: str, namespace: str, name: str, spec: Object) -> None:
        obj = {
            "apiVersion": f"{_GROUP}/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        self._kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(obj))

    def _kubectl(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [str(tool("kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _wait(self, look: Callable[[], T]) -> T:
        deadline = time.monotonic() + _WAIT
        while not (found := look()):
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text(errors='replace')[-3000:]}"
            assert time.monotonic() < deadline, f"no answer:\n{self.log.read_text(errors='replace')[-3000:]}"
            time.sleep(0.3)
        return found


@contextlib.contextmanager
def prometheus(config: Object, kubeconfig: Path, directory: Path) -> Iterator[str]:
    """A real Prometheus with such a configuration, which looks at the cluster from outside; its URL."""
    outside = [
        {
            **job,
            "kubernetes_sd_configs": [
                {**discovery, "kubeconfig_file": str(kubeconfig)}
                for discovery in job.get("kubernetes_sd_configs", [])
            ],
        }
        for job in config["scrape_configs"]
    ]
    file = directory / "prometheus.yaml"
    file.write_text(yaml.safe_dump({**config, "scrape_configs": outside}))
    port = free_port()
    command = [
        str(tool("prometheus")),
        f"--config.file={file}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
    ]
    with (directory / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
