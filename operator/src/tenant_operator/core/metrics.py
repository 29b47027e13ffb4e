"""What the operator counts and measures of itself, as Prometheus metrics on a registry of its own.

Nothing here carries a tenant's name, so nothing here has to be forgotten: what is known of each tenant
is read from the tenants' states at every scrape (reconcile.collector). Every label has a small, fixed set
of values.
"""

from __future__ import annotations

from collections import deque

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
#: heartbeats of the event loop that the reported lag looks back on; one a second
_LAG_WINDOW = 60

#: Results of a pass, all shown from the start, so that the first failure is an increase.
RESULTS = ("success", "requeue", "error", "permanent_error")
#: The loops: Kubernetes, the objects inside the tenants' Airflows, the health of their components, fetches of
#: DAGs that somebody asked for.
CONTROLLERS = ("tenant", "airflow", "health", "fetch")
#: What is tried again after a failure.
HANDLERS = ("tenant", "deletion", "status", "airflow", "health", "fetch")


class Metrics:
    """The operator's own series. `registry` holds all of them; the attributes are what the code counts on."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register everything on `registry`, or on a new one."""
        self.registry = registry or CollectorRegistry()
        self._lags: deque[float] = deque(maxlen=_LAG_WINDOW)
        self._passes()
        self._calls()
        self._process()

    def _passes(self) -> None:
        self.reconciles = Counter(
            "airflow_operator_reconcile",
            "Passes over a tenant by result: success, requeue (a gate is not open yet), error (tried again "
            "soon), permanent_error (only an edit or a person helps)",
            ["controller", "result"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "airflow_operator_reconcile_duration_seconds",
            "Duration of a pass over a tenant",
            ["controller"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.active = Gauge(
            "airflow_operator_active_reconciles", "Passes under way", ["controller"], registry=self.registry
        )
        self.queue = Gauge(
            "airflow_operator_queue_length", "Tenants waiting for a pass", ["controller"],
            registry=self.registry,
        )  # fmt: skip
        self.retries = Counter(
            "airflow_operator_handler_retries",
            "Failures after which the same work is tried again: a tenant's pass, its deletion, the write of "
            "its status, the look into its Airflow, a probe of its components, a fetch of its DAGs",
            ["handler"],
            registry=self.registry,
        )
        for controller in CONTROLLERS:
            self.reconcile_seconds.labels(controller)
            self.active.labels(controller)
            self.queue.labels(controller)
            for result in RESULTS:
                self.reconciles.labels(controller, result)
        for handler in HANDLERS:
            self.retries.labels(handler)

    def _calls(self) -> None:
        self.api_requests = Counter(
            "airflow_operator_kube_api_requests",
            "Requests to the Kubernetes API (watches apart); code `error` is no answer",
            ["method", "code"],
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            "airflow_operator_watch_restarts",
            "Watches begun anew after an error",
            ["resource"],
            registry=self.registry,
        )
        self.helm_operations = Counter(
            "airflow_operator_helm_operation",
            "Helm's work: template (a chart is rendered), install and upgrade (a revision is recorded)",
            ["operation", "result"],
            registry=self.registry,
        )
        self.helm_seconds = Histogram(
            "airflow_operator_helm_operation_duration_seconds",
            "Duration of Helm's work",
            ["operation"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        for operation in ("template", "install", "upgrade"):
            for result in ("success", "error"):
                self.helm_operations.labels(operation, result)
        self.airflow_requests = Counter(
            "airflow_operator_airflow_api_requests",
            "Requests to the tenants' Airflow APIs; code `error` is no answer",
            ["method", "code"],
            registry=self.registry,
        )
        self.airflow_seconds = Histogram(
            "airflow_operator_airflow_api_request_duration_seconds",
            "Duration of requests to the tenants' Airflow APIs",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unit_price = Gauge(
            "airflow_cost_unit_price",
            "Price of a unit, as the installation states it: cpu_core_hour, memory_gib_hour, "
            "storage_gib_month",
            ["resource", "currency"],
            registry=self.registry,
        )

    def _process(self) -> None:
        lag = Gauge(
            "airflow_operator_event_loop_lag_seconds",
            "The latest that the event loop was with its heartbeat in the last minute",
            registry=self.registry,
        )
        lag.set_function(lambda: max(self._lags, default=0.0))
        # One replica with strategy Recreate: there is no election to lose. An operator that ran twice
        # would show in the sum over all targets, which is what the alert looks at.
        #: 0 until whoever knows sets its function
        self.leader = Gauge(
            "airflow_operator_leader",
            "1: this process has seen the whole cluster and reconciles. The operator runs as one replica and "
            "elects nobody",
            registry=self.registry,
        )
        self.build = Gauge(
            "airflow_operator_build_info",
            "Version of the operator and of the tenant chart that it renders",
            ["version", "chart"],
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def beat(self, lag: float) -> None:
        """Note how late, in seconds, the event loop ran the heartbeat of this second."""
        self._lags.append(lag)

    def finished(self, controller: str, result: str, seconds: float) -> None:
        """Note the end of a pass."""
        self.reconciles.labels(controller, result).inc()
        self.reconcile_seconds.labels(controller).observe(seconds)

    def helm(self, operation: str, seconds: float, *, ok: bool) -> None:
        """Note a piece of Helm's work."""
        self.helm_operations.labels(operation, "success" if ok else "error").inc()
        self.helm_seconds.labels(operation).observe(seconds)

    def airflow_request(self, method: str, code: str, seconds: float) -> None:
        """Note a request to a tenant's Airflow."""
        self.airflow_requests.labels(method, code).inc()
        self.airflow_seconds.labels(method).observe(seconds)

    def price(self, resource: str, currency: str, price: float) -> None:
        """Show what a unit costs."""
        self.unit_price.labels(resource, currency).set(price)
