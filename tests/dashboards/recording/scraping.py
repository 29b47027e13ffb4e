"""The Prometheus of a recording: targets with the labels of the scrape configuration, and its dump."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.airflow.server import free_port
from tests.dashboards.recording.programs import Programs, answers, get

from devcluster.tools import tool

#: Seconds between two scrapes. All samples of a scrape are moved to its point of the grid.
STEP = 10
#: Families of the exporters themselves, which no board reads; they are most of what an exporter serves.
UNUSED = (
    "go_.*|promhttp_.*|net_conntrack_.*|python_.*|pg_settings_([^m]|m[^a]|ma[^x]|max_[^c]).*|redis_commands_.*|redis_config_.*|statsd_exporter_.*"
    "|pg_exporter_.*|postgres_exporter_.*|redis_exporter_.*|redis_latency_percentiles.*|prometheus_.*"
)
_OWN_PROCESS = "process_.*"


@dataclass(frozen=True)
class Target:
    """One scraped page. `labels` are those of relabelling; tenant is empty for the operator."""

    address: str
    tenant: str = ""
    component: str = ""
    container: str = ""
    pod: str = ""
    instance: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Labels of every series of this page."""
        if not self.tenant:
            return {"instance": self.instance, "pod": self.pod, "namespace": "airflow-tenants-system"}
        return {
            "tenant": self.tenant,
            "team": self.tenant,
            "namespace": f"airflow-{self.tenant}",
            "pod": self.pod,
            "container": self.container,
            "component": self.component,
            "instance": self.instance,
        }


def configuration(targets: Iterable[Target], rules: Iterable[Path]) -> dict[str, Any]:
    """Prometheus' configuration file."""
    drop = {"source_labels": ["__name__"], "regex": UNUSED, "action": "drop"}
    own = {"source_labels": ["__name__"], "regex": _OWN_PROCESS, "action": "drop"}
    groups: dict[str, list[dict[str, Any]]] = {"airflow-tenant": [], "airflow-operator": []}
    for target in targets:
        job = "airflow-tenant" if target.tenant else "airflow-operator"
        groups[job].append({"targets": [target.address], "labels": target.labels})
    jobs = [
        {
            "job_name": job,
            "honor_labels": job == "airflow-operator",
            "metric_relabel_configs": [drop, own] if job == "airflow-tenant" else [drop],
            "static_configs": entries,
        }
        for job, entries in groups.items()
        if entries
    ]
    return {
        "global": {
            "scrape_interval": f"{STEP}s",
            "scrape_timeout": f"{STEP}s",
            "evaluation_interval": f"{STEP}s",
        },
        "rule_files": [str(path) for path in rules],
        "scrape_configs": jobs,
    }


class Scraper:
    """A real Prometheus that scrapes targets into a folder."""

    def __init__(self, programs: Programs, targets: Iterable[Target], rules: Iterable[Path] = ()) -> None:
        self._programs = programs
        self._data = programs.folder / "prometheus"
        config = programs.folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(configuration(targets, rules)))
        self.url = f"http://127.0.0.1:{free_port()}"
        programs.start(
            "prometheus",
            [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self._data}",
             f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"],
        )  # fmt: skip
        answers(f"{self.url}/-/ready", programs, "prometheus")

    def metadata(self) -> dict[str, dict[str, str]]:
        """Type and help of every family that a target serves, by name."""
        found: dict[str, list[dict[str, str]]] = json.loads(get(f"{self.url}/api/v1/metadata"))["data"]
        unused = re.compile(f"^(?:{UNUSED})$")
        return {
            name: {"type": entries[0]["type"], "help": entries[0]["help"]}
            for name, entries in sorted(found.items())
            if not unused.match(name)
        }

    def dump(self, file: Path) -> tuple[int, int, int, int]:
        """End it and write what it holds; (first second, last second, series, samples)."""
        self._programs.end("prometheus")
        raw = self._programs.folder / "dump.om"
        with raw.open("wb") as out:
            subprocess.run(
                [tool("promtool"), "tsdb", "dump-openmetrics", self._data],
                stdout=out,
                check=True,
                timeout=300,
            )
        return write(raw.read_text().splitlines(), file)


def write(lines: Iterable[str], file: Path) -> tuple[int, int, int, int]:
    """Samples as OpenMetrics text, compressed: series sorted by name and labels, timestamps on the grid.

    A counter in a file of the text format needs no type here: promtool stores what it reads, by name.
    """
    series: dict[str, dict[int, str]] = {}
    for line in lines:
        if not line or line.startswith(("#", "ALERTS")) or ":" in line.partition("{")[0]:
            continue  # what rules make is computed when the recording is played
        name, value, moment = line.rsplit(" ", 2)
        # the last scrape within a step counts
        series.setdefault(name, {})[round(float(moment) / STEP) * STEP] = value
    moments = sorted({moment for samples in series.values() for moment in samples})
    with file.open("wb") as target, gzip.GzipFile("", "wb", 9, target, mtime=0) as out:
        for name in sorted(series):
            for moment, value in sorted(series[name].items()):
                out.write(f"{name} {value} {moment}\n".encode())
        out.write(b"# EOF\n")
    return moments[0], moments[-1], len(series), sum(map(len, series.values()))
