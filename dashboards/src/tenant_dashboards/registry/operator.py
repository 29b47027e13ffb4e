"""The operator's metrics, from its own registry and its own collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenant_dashboards.registry.model import Metric

# What prometheus_client's ProcessCollector adds: https://github.com/prometheus/client_python
_PROCESS = {
    "process_cpu_seconds_total": ("counter", "seconds", "CPU time that the process has used"),
    "process_resident_memory_bytes": ("gauge", "bytes", "Resident memory of the process"),
    "process_virtual_memory_bytes": ("gauge", "bytes", "Virtual memory of the process"),
    "process_open_fds": ("gauge", "", "Open file descriptors"),
    "process_max_fds": ("gauge", "", "The most file descriptors that it may open"),
    "process_start_time_seconds": ("gauge", "seconds", "When the process began, in seconds since 1970"),
}


def metrics(since: Mapping[str, str], version: str) -> Iterator[Metric]:
    """All of the operator's metrics; needs the package tenant_operator."""
    for name, kind, help_, labels in sorted({*_own(), *_of_tenants()}):
        unit = next((word for word in ("seconds", "ratio", "bytes") if f"_{word}" in name), "")
        yield Metric(name, kind, "operator", help_, labels, unit, since=since.get(name, version))
    for name, (kind, unit, help_) in _PROCESS.items():
        yield Metric(name, kind, "operator", help_, (), unit, since=since.get(name, version))


Row = tuple[str, str, str, tuple[str, ...]]


def _own() -> Iterator[Row]:
    from prometheus_client.metrics import MetricWrapperBase  # noqa: PLC0415 - only who renews the registry needs it

    from tenant_operator.core.metrics import Metrics  # noqa: PLC0415 - as above

    operator = Metrics()
    # the library's collectors know their labels, and tell nobody
    for collector in list(operator.registry._collector_to_names):
        if not isinstance(collector, MetricWrapperBase):
            continue
        for family in collector.describe():
            suffix = "_total" if family.type == "counter" else ""
            yield family.name + suffix, family.type, family.documentation, tuple(collector._labelnames)


def _of_tenants() -> Iterator[Row]:
    from tenant_operator.reconcile.collector import TENANTS  # noqa: PLC0415 - as above
    from tenant_operator.reconcile.families import FAMILIES  # noqa: PLC0415 - as above

    yield TENANTS, "gauge", "Tenants known", ()
    for family in FAMILIES:
        name = f"{family.name}_total" if family.counter else family.name
        yield (
            name,
            "counter" if family.counter else "gauge",
            family.help,
            ("tenant", "namespace", *family.labels),
        )
