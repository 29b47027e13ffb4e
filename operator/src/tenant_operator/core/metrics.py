"""The operator's Prometheus metrics, as one object on a registry of its own (no module state)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """Counters of what the operator does. Labels are bounded: kinds, results, conditions; plus tenants
    in the two series that vanish with their tenant."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register everything on `registry`, or on a new one."""
        self.registry = registry or CollectorRegistry()
        self.reconciles = Counter(
            "airflow_operator_reconcile", "Passes over a tenant", ["result"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "airflow_operator_reconcile_duration_seconds",
            "Duration of a pass over a tenant",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.active = Gauge("airflow_operator_active_reconciles", "Passes under way", registry=self.registry)
        self.queue = Gauge(
            "airflow_operator_queue_length", "Tenants waiting for a pass", registry=self.registry
        )
        self.api_requests = Counter(
            "airflow_operator_kube_api_requests",
            "Requests to the Kubernetes API (watches apart)",
            ["method", "code"],
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            "airflow_operator_watch_restarts",
            "Watches begun anew after an error",
            ["resource"],
            registry=self.registry,
        )
        self.renders = Counter(
            "airflow_operator_helm_operation",
            "Chart renders",
            ["operation", "result"],
            registry=self.registry,
        )
        self.render_seconds = Histogram(
            "airflow_operator_helm_operation_duration_seconds",
            "Duration of a chart render",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.drift = Counter(
            "airflow_operator_drift_corrected",
            "Kubernetes objects and Airflow objects put back after a change by somebody else",
            ["kind"],
            registry=self.registry,
        )
        self.loop_lag = Gauge(
            "airflow_operator_event_loop_lag_seconds",
            "How late the event loop ran its last heartbeat",
            registry=self.registry,
        )
        self.build = Gauge(
            "airflow_operator_build_info",
            "Version of the operator",
            ["version", "chart"],
            registry=self.registry,
        )
        self.condition = Gauge(
            "airflow_tenant_condition",
            "1 for the present status of each condition of a tenant",
            ["tenant", "namespace", "type", "status"],
            registry=self.registry,
        )
        self.tenants = Gauge("airflow_operator_tenants", "Tenants known", registry=self.registry)

    def show_conditions(self, tenant: str, namespace: str, statuses: dict[str, str]) -> None:
        """Set the condition series of a tenant; those that are gone disappear."""
        for kind in ("Ready", "Reconciling", "Stalled", "NamespaceReady", "SecretsResolved", "DatabaseReady",
                     "MigrationsApplied", "ReleaseReady", "DagsSynced", "ObjectsSynced"):  # fmt: skip
            for status in ("True", "False", "Unknown"):
                if statuses.get(kind) == status:
                    self.condition.labels(tenant, namespace, kind, status).set(1)
                else:
                    self._drop(tenant, namespace, kind, status)

    def forget(self, tenant: str, namespace: str) -> None:
        """Remove a deleted tenant's series."""
        self.show_conditions(tenant, namespace, {})

    def _drop(self, *labels: str) -> None:
        try:
            self.condition.remove(*labels)
        except KeyError:
            return
