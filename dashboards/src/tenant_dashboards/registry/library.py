"""Metrics that DAGs of the library send through `airflow.sdk.observability.stats`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenant_dashboards.registry.airflow import prometheus_name
from tenant_dashboards.registry.model import Metric

# name, type, labels, unit, help
_ALL: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    ("canary.latency", "histogram", (), "seconds", "From the moment a canary's run was due to its task"),
    (
        "features.watermark_timestamp_seconds",
        "gauge",
        ("view",),
        "seconds",
        "Time of the newest event in a feature view",
    ),
    ("features.ttl_seconds", "gauge", ("view",), "seconds", "The age up to which a feature view is fresh"),
    ("drift.psi", "gauge", ("dataset", "column"), "", "Population stability index of a column"),
    ("drift.ks", "gauge", ("dataset", "column"), "", "Kolmogorov-Smirnov distance of a column"),
    ("drift.psi_limit", "gauge", ("dataset",), "", "The index above which a column has drifted"),
    ("model.accuracy", "gauge", ("model",), "ratio", "Accuracy of the model in use on recent data"),
    ("model.accuracy_baseline", "gauge", ("model",), "ratio", "Accuracy of the model when it was released"),
    ("model.drift_psi", "gauge", ("model",), "", "Highest stability index of the model's inputs"),
    ("model.bias", "gauge", ("model",), "ratio", "Difference of a model's outcomes between groups"),
    ("model.bias_limit", "gauge", ("model",), "ratio", "The largest difference that is accepted"),
    ("orders.imported", "counter", ("region",), "", "Orders that an import has stored"),
    ("orders.rejected", "counter", (), "", "Orders that an import has refused"),
    ("orders.import", "histogram", (), "seconds", "Time of one order's import"),
    ("orders.backlog", "gauge", (), "", "Orders that an import has still to do"),
    ("orders.sla_used_ratio", "gauge", (), "ratio", "Share of the agreed time that an import has used"),
)


def metrics(since: Mapping[str, str], version: str) -> Iterator[Metric]:
    """The library's metrics as Prometheus names them."""
    for name, kind, labels, unit, help_ in _ALL:
        known = prometheus_name(name)
        yield Metric(known, kind, "library", help_, labels, unit, name, since.get(known, version))
