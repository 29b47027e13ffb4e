"""What is known of a metric, and all metrics together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Where a metric comes from.
SOURCES = (
    "airflow",
    "library",
    "operator",
    "git-sync",
    "postgres-exporter",
    "redis-exporter",
    "pgbouncer-exporter",
    "kube-state-metrics",
    "cadvisor",
    "kubelet",
    "traefik",
    "envoy-gateway",
    "argocd",
    "cloudwatch-exporter",
    "statsd-exporter",
    "prometheus",
    "rules",
)
TYPES = ("counter", "gauge", "histogram", "summary", "info")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


@dataclass(frozen=True)
class Metric:
    """One metric family as Prometheus stores it.

    `name` is Prometheus' name without the suffixes of a histogram; `airflow` is Airflow's own name. `labels`
    are all that a series may have beside those of its target. `since` is the version of the source from which
    on the registry knows it.
    """

    name: str
    type: str
    source: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    airflow: str = ""
    since: str = ""
    documentation: str = ""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: no type {self.type!r}")
        if self.source not in SOURCES:
            raise ValueError(f"{self.name}: no source {self.source!r}")

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series."""
        return tuple(self.name + suffix for suffix in _SUFFIXES.get(self.type, ("",))) + (
            (self.name,) if self.type == "summary" else ()
        )

    def as_json(self) -> dict[str, Any]:
        """Its fields that say something, as the registry's file has them."""
        return {key: value for key, value in asdict(self).items() if value not in ("", ())}


class Registry:
    """All metrics. Raises ValueError for a name that is there twice."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics: dict[str, Metric] = {}
        for metric in metrics:
            if metric.name in self._metrics:
                raise ValueError(f"{metric.name} is in the registry twice")
            self._metrics[metric.name] = metric
        self._by_series = {series: metric for metric in self for series in metric.series}

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._metrics.values())

    def __len__(self) -> int:
        return len(self._metrics)

    def find(self, series: str) -> Metric | None:
        """The metric that a series' name belongs to, or None."""
        return self._by_series.get(series)

    def of(self, *sources: str) -> list[Metric]:
        """The metrics of some sources."""
        return [metric for metric in self if metric.source in sources]

    def write(self, file: Path, versions: Mapping[str, str]) -> None:
        """Write the registry's file, sorted by name; `versions` says which version of a source was read."""
        metrics = [metric.as_json() for metric in sorted(self, key=lambda metric: metric.name)]
        text = json.dumps({"versions": dict(versions), "metrics": metrics}, indent=1, ensure_ascii=False)
        file.write_text(text + "\n")

    @classmethod
    def read(cls, file: Path) -> Registry:
        """Read what `write` has written."""
        return cls(
            Metric(**entry | {"labels": tuple(entry.get("labels", ()))})
            for entry in json.loads(file.read_text())["metrics"]
        )
