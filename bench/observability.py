"""What watching costs; `python -m bench.observability [TENANTS]` prints the tables.

First one tenant: the same small Airflow (four DAGs, two minutes) as it sends metrics by default and as a
tenant sends them, each through the real statsd_exporter. Then a fleet: as many such tenants and an operator
that knows them all, scraped by a real Prometheus that evaluates the fleet's rules and two objectives of each
tenant; five tenants have thirty days behind them, which is what an objective's rules read.

The captures in data/ are raw StatsD lines of Airflow 3.3.2: `plain` with its default settings (every metric
under a legacy name, too), `tagged` with Influx tags and without legacy names.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from bench.operator_metrics import state
from devcluster.tools import tool
from tenant_operator.plan import slo
from tenant_operator.plan.tenant import parse
from tenant_operator.reconcile.collector import TenantCollector, exposition

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_name("data")
MAPPING = ROOT / "charts" / "airflow-tenant" / "files" / "statsd_mapping.yaml"
RULES = ROOT / "dashboards" / "generated" / "rules"
#: ids of the captured DAGs, files, pools, operators, executor and host: none may be part of a metric's name
_IDS = re.compile(r"team_a|_t1$|broken|_etl$|_tiny$|default_pool|Operator$|Sensor$|LocalExecutor$|_vm$")
_MINUTES = 4.0  # the slowest groups are evaluated every two
_WARM_UP = 60.0  # seconds
_OBJECTIVES = [
    {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5", "window": "30d"},
    {"name": "quick", "metric": "dagRunDuration", "threshold": "10m", "objective": "95", "window": "30d"},
]
_WITH_HISTORY = 5
_DAYS = 30


@dataclass(frozen=True)
class Scrape:
    """One answer of an exporter."""

    text: str

    @property
    def names(self) -> set[str]:
        """Metric families."""
        return set(re.findall(r"^# TYPE (\S+)", self.text, re.MULTILINE)) - {""}

    @property
    def samples(self) -> int:
        """Series."""
        return sum(bool(line) and not line.startswith("#") for line in self.text.splitlines())


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket(type=kind) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def get(url: str) -> str:
    """The body of an answer of ours."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())


def until(url: str, seconds: float = 30.0) -> None:
    """Wait until an address answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            get(url)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the background, ended with the context."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def replay(capture: str, mapping: Path | None) -> Scrape:
    """Send a capture to a real statsd_exporter and scrape it; only Airflow's families count."""
    web, ingest = free_port(), free_port(socket.SOCK_DGRAM)
    command = [
        str(tool("statsd_exporter")), f"--web.listen-address=127.0.0.1:{web}",
        f"--statsd.listen-udp=127.0.0.1:{ingest}", "--statsd.listen-tcp=",
    ]  # fmt: skip
    with running(*command, *([f"--statsd.mapping-config={mapping}"] if mapping else [])):
        until(f"http://127.0.0.1:{web}/-/ready")
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        lines = gzip.decompress((DATA / capture).read_bytes()).decode().splitlines()
        for number, line in enumerate(lines):
            sender.sendto(line.removeprefix("S ").encode(), ("127.0.0.1", ingest))
            if number % 50 == 0:
                time.sleep(0.01)  # a burst would overrun the socket's buffer
        sender.close()
        time.sleep(1)
        text = get(f"http://127.0.0.1:{web}/metrics")
    ours = [line for line in text.splitlines() if re.match(r"(# \w+ )?airflow_", line)]
    return Scrape("\n".join(ours) + "\n")


def one_tenant() -> Scrape:
    """Print the first table; returns what a tenant answers."""
    print("one tenant | metric names | with an id in them | samples | KB a scrape | KB gzipped")
    found = {}
    for title, capture, mapping in (
        ("Airflow's default", "statsd-plain.txt.gz", None),
        ("a tenant", "statsd-tagged.txt.gz", MAPPING),
    ):
        scrape = found[title] = replay(capture, mapping)
        size = len(scrape.text.encode())
        packed = len(gzip.compress(scrape.text.encode()))
        ids = sum(bool(_IDS.search(name)) for name in scrape.names)
        print(
            title,
            len(scrape.names),
            ids,
            scrape.samples,
            f"{size / 1000:.0f}",
            f"{packed / 1000:.1f}",
            sep=" | ",
        )
    return found["a tenant"]


@contextmanager
def served(pages: Mapping[str, bytes]) -> Iterator[int]:
    """Serve pages by path; the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class' name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def objectives(names: list[str]) -> str:
    """A rule file with what the operator writes for each tenant's objectives."""
    groups = []
    for name in names:
        raw = {
            "metadata": {"name": name, "uid": name},
            "spec": {"owner": {"team": "bench"}, "monitoring": {"slo": _OBJECTIVES}},
        }
        groups += slo.rule_groups(parse(raw), slo.Links())
    return yaml.safe_dump({"groups": groups})


def history(names: list[str], folder: Path) -> None:
    """Thirty days of what an objective's rules record every minute, as blocks of a TSDB."""
    now = int(time.time()) // 60 * 60
    file = folder / "history.om"
    with file.open("w") as out:
        for metric, value in ((slo.ERRORS, 0), (slo.EVENTS, 3)):
            out.write(f"# TYPE {metric} gauge\n")
            for name in names:
                for objective in _OBJECTIVES:
                    labels = (
                        f'sloth_id="{name}-{objective["name"]}",sloth_service="{name}",'
                        f'sloth_slo="{objective["name"]}",tenant="{name}",namespace="airflow-{name}"'
                    )
                    for stamp in range(now - _DAYS * 86400, now, 60):
                        out.write(f"{metric}{{{labels}}} {value} {stamp}\n")
        out.write("# EOF\n")
    command = [str(tool("promtool")), "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    subprocess.run(
        [*command, "--max-block-duration=24h", str(file), str(folder / "data")], check=True, timeout=600
    )
    file.unlink()


def fleet(tenant: Scrape, size: int) -> None:
    """Print the second table: a Prometheus over `size` tenants, some minutes of it."""
    states = [state(number) for number in range(size)]
    names = [item.name for item in states]
    pages = {f"/{name}": tenant.text.encode() for name in names}
    pages["/operator"] = exposition(TenantCollector(lambda: states).snapshot(), openmetrics=False).encode()
    with tempfile.TemporaryDirectory() as folder, served(pages) as port:
        targets = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"tenant": name, "namespace": f"airflow-{name}",
             "component": "statsd", "__metrics_path__": f"/{name}"}}
            for name in names
        ]  # fmt: skip
        operator = {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": "/operator"}}
        config = {
            "global": {"scrape_interval": "30s", "evaluation_interval": "30s"},
            "rule_files": [str(RULES / "*.yaml"), f"{folder}/objectives.yaml"],
            "scrape_configs": [
                {"job_name": "airflow-tenant", "static_configs": targets},
                {"job_name": "airflow-operator", "honor_labels": True, "static_configs": [operator]},
            ],
        }
        file = Path(folder) / "prometheus.yaml"
        file.write_text(yaml.safe_dump(config))
        (Path(folder) / "objectives.yaml").write_text(objectives(names))
        history(names[:_WITH_HISTORY], Path(folder))
        web = free_port()
        command = (
            str(tool("prometheus")), f"--config.file={file}", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{web}", "--storage.tsdb.retention.time=40d",
        )  # fmt: skip
        with running(*command) as process:
            until(f"http://127.0.0.1:{web}/-/ready")
            time.sleep(_WARM_UP)
            before = _cpu(process.pid)
            time.sleep(_MINUTES * 60)
            share = (_cpu(process.pid) - before) / (_MINUTES * 60)
            _report(f"http://127.0.0.1:{web}", size, process.pid, share)


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(url: str, size: int, pid: int, share: float) -> None:
    groups = json.loads(get(f"{url}/api/v1/rules"))["data"]["groups"]
    head = json.loads(get(f"{url}/api/v1/status/tsdb"))["data"]["headStats"]["numSeries"]
    objectives = [group for group in groups if group["file"].endswith("objectives.yaml")]
    fleets = [group for group in groups if group not in objectives]
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(str(re.search(r"VmRSS:\s+(\d+)", status).group(1))) / 1024  # type: ignore[union-attr]
    print()
    print("tenants | with 30 days | series | rules: fleet's, of objectives | of a core | MiB")
    counts = [sum(len(group["rules"]) for group in part) for part in (fleets, objectives)]
    print(
        size, min(size, _WITH_HISTORY), head, f"{counts[0]}, {counts[1]}", f"{share:.1%}", f"{resident:.0f}",
        sep=" | ",
    )  # fmt: skip
    slowest = sorted(fleets, key=lambda group: -group["evaluationTime"])[:3]
    print("slowest groups:", ", ".join(f"{g['name']} {g['evaluationTime'] * 1000:.0f} ms" for g in slowest))
    broken = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    if broken:
        raise SystemExit(f"rules that cannot be evaluated: {', '.join(broken)}")


def main() -> None:
    """Both tables."""
    tenant = one_tenant()
    fleet(tenant, int(sys.argv[1]) if len(sys.argv) > 1 else 100)


if __name__ == "__main__":
    main()
