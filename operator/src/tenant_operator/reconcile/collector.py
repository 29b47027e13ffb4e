"""The tenants' series, made from the controller's states at each scrape and kept nowhere.

A tenant that is gone has no state, and so no series. The text is written here instead of by the library's
encoder, which takes about 1 s for 1,000 tenants (bench/README.md); a test holds the two to the same series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tenant_operator.reconcile.families import FAMILIES, Family
from tenant_operator.reconcile.series import Snapshot, rows
from tenant_operator.reconcile.state import TenantState

TENANTS = "airflow_operator_tenants"
_TENANTS_HELP = "Tenants known"


class TenantCollector(Collector):
    """All series that carry a tenant's name, and the number of tenants."""

    def __init__(self, states: Callable[[], Iterable[TenantState]]) -> None:
        """`states` gives the tenants of the moment."""
        self._states = states

    def snapshot(self) -> tuple[Snapshot, ...]:
        """The tenants as they are now. To be called on the event loop; what it returns may leave it."""
        return tuple(Snapshot.of(state) for state in self._states())

    def collect(self) -> Iterable[Metric]:
        """For the library: to be called on the event loop."""
        tenants = self.snapshot()
        yield GaugeMetricFamily(TENANTS, _TENANTS_HELP, value=len(tenants))
        metrics = {family: _metric(family) for family in FAMILIES}
        for tenant in tenants:
            whose = [tenant.name, tenant.namespace]
            for family, labels, value in rows(tenant):
                metrics[family].add_metric([*whose, *labels], value)
        yield from metrics.values()


def exposition(tenants: Sequence[Snapshot], *, openmetrics: bool) -> str:
    """The same series as text, for Prometheus' own format or for OpenMetrics (without its end mark)."""
    lines: dict[Family, list[str]] = {family: [] for family in FAMILIES}
    openings = {family: [f'",{label}="' for label in family.labels] for family in FAMILIES}
    for tenant in tenants:
        whose = f'{{tenant="{_escape(tenant.name)}",namespace="{_escape(tenant.namespace)}'
        for family, labels, value in rows(tenant):
            pairs = "".join(
                [opening + _escape(label) for opening, label in zip(openings[family], labels, strict=True)]
            )
            lines[family].append(f'{whose}{pairs}"}} {_value(value)}\n')
    parts = [f"# HELP {TENANTS} {_TENANTS_HELP}\n# TYPE {TENANTS} gauge\n{TENANTS} {_value(len(tenants))}\n"]
    for family in FAMILIES:
        parts.append(_head(family, openmetrics=openmetrics))
        name = _sample(family)
        parts.extend(name + line for line in lines[family])
    return "".join(parts)


def _metric(family: Family) -> GaugeMetricFamily | CounterMetricFamily:
    made = CounterMetricFamily if family.counter else GaugeMetricFamily
    return made(family.name, family.help, labels=["tenant", "namespace", *family.labels])


def _sample(family: Family) -> str:
    return f"{family.name}_total" if family.counter else family.name


def _head(family: Family, *, openmetrics: bool) -> str:
    # OpenMetrics names the family, the older format the sample.
    name = family.name if openmetrics else _sample(family)
    return f"# HELP {name} {family.help}\n# TYPE {name} {'counter' if family.counter else 'gauge'}\n"


def _value(value: float) -> str:
    return repr(float(value)) if value != float("inf") else "+Inf"


def _escape(text: str) -> str:
    """https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information"""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text
