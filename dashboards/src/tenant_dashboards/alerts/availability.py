"""Is an Airflow there: heartbeats, replicas, its web address, its metrics."""

from __future__ import annotations

from tenant_dashboards.alerts.model import INSTALLED, Alert, Link, missing, of_namespace, of_tenant, promql

AREA = "availability"
_SCHEDULER_ALIVE = "sum by (tenant, namespace) (rate(airflow_scheduler_heartbeat[5m])) > 0"
_SILENT = missing(_SCHEDULER_ALIVE)
_EDGE = "series of Traefik, Envoy Gateway, or a rule of yours for another edge"

ALERTS = (
    Alert(
        "AirflowManySchedulersMissing",
        AREA,
        "P0",
        promql(
            f"""
            count(
              {INSTALLED}
                unless on (tenant, namespace)
              ({_SCHEDULER_ALIVE})
            ) / count({INSTALLED}) > 0.5
              and
            count({INSTALLED}) >= 2
            """
        ),
        "5m",
        "{{ $value | humanizePercentage }} of the tenants have no running scheduler",
        "More than half of the tenants send no scheduler heartbeat: look for one cause (nodes, network, "
        "registry, "
        "storage, a release of the operator), not at the tenants one by one.",
        Link("overview", tenant=False),
        ("operator", "statsd"),
    ),
    Alert(
        "AirflowSchedulerHeartbeatMissing",
        AREA,
        "P1",
        _SILENT,
        "5m",
        "The scheduler of tenant {{ $labels.tenant }} sends no heartbeat",
        "No heartbeat of a scheduler in namespace {{ $labels.namespace }} for 10 minutes: no task is "
        "scheduled.",
        Link("team"),
        ("operator", "statsd"),
        inhibited_by=("AirflowMetricsMissing", "AirflowManySchedulersMissing"),
    ),
    Alert(
        "AirflowDagProcessorHeartbeatMissing",
        AREA,
        "P1",
        missing("sum by (tenant, namespace) (rate(airflow_dag_processor_heartbeat[5m])) > 0"),
        "10m",
        "The DAG processor of tenant {{ $labels.tenant }} sends no heartbeat",
        "DAGs keep running as they were parsed last, but new and changed ones in namespace "
        "{{ $labels.namespace }} "
        "are not seen.",
        Link("team"),
        ("operator", "statsd"),
        inhibited_by=("AirflowMetricsMissing",),
    ),
    Alert(
        "AirflowTriggererHeartbeatMissing",
        AREA,
        "P2",
        of_tenant(
            """
            max by (tenant, namespace) (airflow_tenant_component_replicas_desired{component="triggerer"}) > 0
              unless on (tenant, namespace)
            sum by (tenant, namespace) (rate(airflow_triggerer_heartbeat[5m])) > 0
            """,
            INSTALLED,
        ),
        "10m",
        "The triggerer of tenant {{ $labels.tenant }} sends no heartbeat",
        "{{ $value }} triggerers are wanted and none is alive: deferred tasks hang.",
        Link("team"),
        ("operator", "statsd"),
        inhibited_by=("AirflowMetricsMissing",),
    ),
    Alert(
        "AirflowApiServerUnavailable",
        AREA,
        "P1",
        of_tenant(
            """
            max by (tenant, namespace) (airflow_tenant_component_replicas_desired{component="api-server"}) > 0
              and on (namespace)
            (
              max by (namespace) (
                last_over_time(airflow_tenant_component_healthy{component="api-server"}[5m])
              ) == 0
                or
              sum by (namespace) (kube_deployment_status_replicas_available{deployment=~".+-api-server"}) == 0
            )
            """,
            INSTALLED,
        ),
        "5m",
        "The API server of tenant {{ $labels.tenant }} is not available",
        "It does not answer the operator, or no replica is available ({{ $value }} wanted). Running tasks "
        "report through it and will fail.",
        Link("team"),
        ("operator",),
    ),
    Alert(
        "AirflowComponentUnhealthy",
        AREA,
        "P1",
        of_tenant(
            """
            max by (tenant, namespace, component) (
              last_over_time(
                airflow_tenant_component_healthy{component=~"scheduler|dag-processor|metadatabase"}[5m]
              )
            ) == 0
            """,
            INSTALLED,
        ),
        "5m",
        "Airflow of tenant {{ $labels.tenant }} calls its {{ $labels.component }} unhealthy",
        "Its health page in namespace {{ $labels.namespace }} says so. The operator asks it, whether the "
        "tenant's own metrics come or not.",
        Link("team"),
        ("operator",),
        inhibited_by=("AirflowManySchedulersMissing",),
    ),
    Alert(
        "AirflowMetricsMissing",
        AREA,
        "P2",
        missing('max by (tenant, namespace) (up{job="airflow-tenant", component="statsd"}) == 1'),
        "5m",  # no longer than the heartbeats' alerts take: it is there before them, to inhibit them
        "No metrics of tenant {{ $labels.tenant }}",
        "Prometheus gets nothing from the StatsD exporter in namespace {{ $labels.namespace }}: every "
        "alert about "
        "this Airflow's inside is blind.",
        Link("overview"),
        ("operator", "statsd"),
    ),
    Alert(
        "AirflowReplicasBelowDesired",
        AREA,
        "P2",
        of_namespace(
            """
            max by (namespace, workload) (
              label_replace(kube_deployment_status_replicas_available < kube_deployment_spec_replicas,
                "workload", "$1", "deployment", "(.+)")
                or
              label_replace(kube_statefulset_status_replicas_ready < kube_statefulset_replicas,
                "workload", "$1", "statefulset", "(.+)")
            )
            """
        ),
        "15m",
        "{{ $labels.workload }} of tenant {{ $labels.tenant }} has fewer replicas than wanted",
        "Only {{ $value }} replicas of {{ $labels.workload }} are available.",
        Link("team"),
        ("operator", "kube-state-metrics"),
    ),
    Alert(
        "AirflowEndpointsNotReady",
        AREA,
        "P2",
        # kube-state-metrics collects Endpoints no longer by default since 2.18, and EndpointSlices instead
        of_namespace(
            """
            (
              count by (namespace, endpoint) (kube_endpoint_address{ready="false"} == 1)
                or
              count by (namespace, endpoint) (
                label_replace(kube_endpointslice_endpoints{ready="false"} == 1,
                  "endpoint", "$1", "endpointslice", "(.+)-[^-]+")
              )
            )
            """
        ),
        "10m",
        "{{ $value }} addresses behind {{ $labels.endpoint }} of tenant {{ $labels.tenant }} are not ready",
        "The Service {{ $labels.endpoint }} in namespace {{ $labels.namespace }} sends them no requests.",
        Link("team"),
        ("operator", "kube-state-metrics"),
    ),
    Alert(
        "AirflowHttp5xxRatioHigh",
        AREA,
        "P2",
        of_namespace(
            """
            max by (namespace) (
              sum by (namespace, edge) (namespace_code:airflow_edge_requests:rate5m{code=~"5.."})
                / sum by (namespace, edge) (namespace_code:airflow_edge_requests:rate5m) > 0.01
                and
              sum by (namespace, edge) (namespace_code:airflow_edge_requests:rate5m) * 300 >= 20
            )
            """
        ),
        "5m",
        "{{ $value | humanizePercentage }} of the requests to tenant {{ $labels.tenant }} fail with 5xx",
        "More than 1% of the requests to the Airflow in namespace {{ $labels.namespace }} get a "
        "server's error.",
        Link("capacity"),
        ("operator", "edge"),
        silent_without=_EDGE,
        inhibited_by=("AirflowApiServerUnavailable",),
    ),
    Alert(
        "AirflowResponseTimeHigh",
        AREA,
        "P2",
        of_namespace(
            """
            max by (namespace) (
              namespace_quantile:airflow_edge_request_duration_seconds:histogram_quantile{quantile="0.95"}
            ) > 2
            """
        ),
        "10m",
        "p95 of the requests to tenant {{ $labels.tenant }} is {{ $value | humanizeDuration }}",
        "One request in twenty to the Airflow in namespace {{ $labels.namespace }} takes longer than "
        "2 seconds.",
        Link("capacity"),
        ("operator", "edge"),
        silent_without=_EDGE,
        inhibited_by=("AirflowApiServerUnavailable",),
    ),
)
