"""A real Loki for tests, and what the collector's configuration makes of a line before it gets there."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from tests.airflow.environment import ROOT
from tests.airflow.server import free_port, wait_until

from devcluster.tools import tool

OVERLAY = ROOT / "manifests" / "logging" / "loki"
_DEADLINE = 60.0


@dataclass
class Loki:
    """One process with everything in it, its data in a folder."""

    url: str
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, folder: Path) -> Loki:
        """Start and wait until it is ready; the limits are those of the overlay."""
        port, grpc = free_port(), free_port()
        limits = yaml.safe_load((OVERLAY / "limits.yaml").read_text())["loki"]
        schema = limits["schemaConfig"]
        for config in schema["configs"]:
            config |= {"object_store": "filesystem", "from": "2020-01-01"}
        settings = {
            "auth_enabled": False,
            "analytics": {"reporting_enabled": False},
            "server": {
                "http_listen_address": "127.0.0.1",
                "http_listen_port": port,
                "grpc_listen_address": "127.0.0.1",
                "grpc_listen_port": grpc,
                "log_level": "warn",
            },
            "common": {
                "instance_addr": "127.0.0.1",
                "path_prefix": str(folder),
                "replication_factor": 1,
                "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
                "storage": {
                    "filesystem": {
                        "chunks_directory": str(folder / "chunks"),
                        "rules_directory": str(folder / "rules"),
                    }
                },
            },
            "limits_config": limits["limits_config"],
            "compactor": limits["compactor"]
            | {"working_directory": str(folder), "delete_request_store": "filesystem"},
            "schema_config": schema,
        }
        file = folder / "loki.yaml"
        file.write_text(yaml.safe_dump(settings))
        with (folder / "loki.log").open("wb") as log:
            process = subprocess.Popen(
                [str(tool("loki")), f"-config.file={file}", "-target=all"], stdout=log, stderr=log, cwd=folder
            )
        loki = cls(f"http://127.0.0.1:{port}", process)
        try:
            wait_until(loki._ready, _DEADLINE, lambda: (folder / "loki.log").read_text()[-2000:])
        except BaseException:
            loki.stop()
            raise
        return loki

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def push(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Send records as the collector's output would."""
        streams: dict[str, dict[str, Any]] = {}
        for record in records:
            labels = select(record, "labels")
            stream = streams.setdefault(json.dumps(labels, sort_keys=True), {"stream": labels, "values": []})
            line = {key: value for key, value in record.items() if key not in removed()}
            said = datetime.fromisoformat(record["timestamp"] if "timestamp" in record else record["ts"])
            stream["values"].append(
                [str(int(said.timestamp() * 1e9)), json.dumps(line), select(record, "structured_metadata")]
            )
        for stream in streams.values():
            stream["values"].sort(key=lambda value: int(value[0]))
        self._call("/loki/api/v1/push", {"streams": list(streams.values())})

    def query(self, logql: str) -> list[dict[str, Any]]:
        """Streams of a log query, series of a metric query; raises HTTPError with Loki's words."""
        now = time.time()
        wanted = {"query": logql, "start": int((now - 3600) * 1e9), "end": int((now + 60) * 1e9)}
        path = "/loki/api/v1/query_range"
        if not logql.startswith("{"):
            wanted, path = {"query": logql, "time": int(now * 1e9)}, "/loki/api/v1/query"
        answer = self._call(f"{path}?{urllib.parse.urlencode({**wanted, 'limit': 1000})}")
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
            text = answer.read()
        return json.loads(text) if text else None


def _output() -> dict[str, Any]:
    [output] = yaml.safe_load((OVERLAY / "output.yaml").read_text())["pipeline"]["outputs"]
    found: dict[str, Any] = output
    return found


def removed() -> set[str]:
    """Fields that the collector leaves out of the line."""
    return set(re.split(r",\s*", _output()["remove_keys"]))


def select(record: Mapping[str, Any], setting: str) -> dict[str, str]:
    """The setting's `name=$accessor` pairs on a record; what the record lacks is left out.

    https://docs.fluentbit.io/manual/administration/configuring-fluent-bit/classic-mode/record-accessor
    """
    found = {}
    for pair in re.split(r",\s*", _output()[setting]):
        name, _, accessor = pair.partition("=")
        first, *rest = [accessor.removeprefix("$").split("[")[0], *re.findall(r"\['([^']+)'\]", accessor)]
        value: Any = record.get(first)
        for key in rest:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            found[name] = str(value)
    return found
