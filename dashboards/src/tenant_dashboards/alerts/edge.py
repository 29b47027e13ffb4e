"""What people meet at a tenant's web address, under one pair of names, whatever stands at the edge.

Boards and alerts read only :data:`~tenant_dashboards.signals.EDGE_REQUESTS` (requests per second) and
:data:`~tenant_dashboards.signals.EDGE_DURATION` (seconds). A definition is silent where its program is not
scraped, and the label ``edge`` keeps two of them apart. For another program a platform adds rules of its own
that record the same two names with the same labels (docs/observability.md).

Traefik: https://doc.traefik.io/traefik/observability/metrics/overview/. Its series know a backend and no
namespace: ``<namespace>-<Service>-<port>@kubernetes``, joined by dashes, so that only who knows the tenants
can take it apart. An IngressRoute's own name stands where the Service's does, and a ServiceMonitor without
honorLabels makes ``exported_service`` of ``service``.
https://github.com/traefik/traefik/blob/v3.6/pkg/provider/kubernetes/ingress/kubernetes.go
https://github.com/traefik/traefik/blob/v3.6/pkg/provider/kubernetes/gateway/httproute.go
https://github.com/traefik/traefik/blob/v3.6/pkg/provider/kubernetes/crd/kubernetes_http.go

Envoy Gateway: https://gateway.envoyproxy.io/docs/tasks/observability/proxy-metric/. A cluster of its Envoys
is a rule of a route, ``httproute/<namespace>/<name>/rule/<number>``, and times are milliseconds.
https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import indent

from tenant_dashboards import signals as s
from tenant_dashboards.alerts.model import promql

#: Known within the hour, so that a restart of the operator tears no hole.
_TENANTS = "last_over_time(airflow_tenant_info[1h])"
#: What Traefik calls the tenants' API servers. ``x`` in the namespace ``a-b`` and ``b-x`` in ``a`` are the
#: same to it: neither is here.
BACKENDS = "backend:airflow_tenant_info:unique"
_BACKEND = "(.+)-api-server-.+@kubernetes.*"
_QUANTILES = ("0.5", "0.95")


@dataclass(frozen=True)
class Record:
    """One recording rule; several may share a name when their labels differ."""

    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict, hash=False)

    def rule(self) -> dict[str, object]:
        """The rule as Prometheus reads it."""
        return {"record": self.name, "expr": self.expr, **({"labels": self.labels} if self.labels else {})}


def _backends() -> str:
    named = f"""label_join(
  group by (tenant, namespace) ({_TENANTS}),
  "backend", "-", "namespace", "tenant"
)"""
    return f"{named}\n  unless on (backend)\ncount by (backend) (\n{indent(named, '  ')}\n) > 1"


def _traefik(counter: s.Metric, label: str) -> str:
    """Per second by namespace and this label, of the API servers of all tenants."""
    return promql(
        f"""
        sum by (namespace, {label}) (
          label_replace(
            label_replace(
              sum by (service, exported_service, {label}) (rate({counter}[5m])),
              "backend", "$1", "service", "{_BACKEND}"
            ),
            "backend", "$1", "exported_service", "{_BACKEND}"
          )
            * on (backend) group_left (namespace)
          {BACKENDS}
        )
        """
    )


def _envoy(counter: s.Metric, label: str, renamed: str) -> str:
    """Per second by namespace and this label, of the HTTPRoutes in all tenants' namespaces."""
    return promql(
        f"""
        sum by (namespace, {renamed}) (
          label_replace(
            label_replace(
              sum by (envoy_cluster_name, {label}) (rate({counter}[5m])),
              "namespace", "$1", "envoy_cluster_name", "httproute/([^/]+)/.+"
            ),
            "{renamed}", "$1", "{label}", "(.+)"
          )
            * on (namespace) group_left ()
          group by (namespace) ({_TENANTS})
        )
        """
    )


def _records(edge: str, requests: str, buckets: str, unit: str) -> tuple[Record, ...]:
    return (
        Record(s.EDGE_REQUESTS.name, requests, {"edge": edge}),
        *(
            Record(
                s.EDGE_DURATION.name,
                f"histogram_quantile({quantile},\n{indent(buckets, '  ')}\n){unit}",
                {"edge": edge, "quantile": quantile},
            )
            for quantile in _QUANTILES
        ),
    )


#: In the order in which they read each other.
RECORDS: tuple[Record, ...] = (
    Record(BACKENDS, _backends()),
    *_records(
        "traefik",
        _traefik(s.TRAEFIK_REQUESTS, "code"),
        _traefik(s.TRAEFIK_DURATION.bucket, "le"),
        "",
    ),
    *_records(
        "envoy-gateway",
        _envoy(s.ENVOY_REQUESTS, "envoy_response_code", "code"),
        _envoy(s.ENVOY_DURATION.bucket, "le", "le"),
        " / 1000",
    ),
)
