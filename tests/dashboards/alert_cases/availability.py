"""Heartbeats, replicas, web address, metrics."""

from __future__ import annotations

from tests.dashboards.alert_cases.case import (
    ACTIVE,
    ASLEEP,
    DEAD,
    DELETING,
    FALLING_ASLEEP,
    INSTALLING,
    INVALID,
    OPERATOR,
    PAUSED,
    REFUSED,
    RESTARTED,
    SECOND,
    UNMONITORED,
    WOKEN,
    Case,
    Fires,
    Silent,
    info,
    rising,
    steady,
    told,
)

_SCHEDULER = 'airflow_scheduler_heartbeat{T,instance="x"}'
_PROCESSOR = 'airflow_dag_processor_heartbeat{T,instance="x"}'
_TRIGGERER = 'airflow_triggerer_heartbeat{T,instance="x"}'
_STOPS = "0+12x10 120x99"  # the last beat is in minute 10, so from minute 14 on 5 minutes show none
_TRIGGERERS = 'airflow_tenant_component_replicas_desired{T,component="triggerer"}'
_SERVERS = 'airflow_tenant_component_replicas_desired{T,component="api-server"}'
_AVAILABLE = 'kube_deployment_status_replicas_available{N,deployment="payments-api-server"}'
_STATSD = 'up{T,job="airflow-tenant",component="statsd",instance="x"}'
_WANTED = 'kube_deployment_spec_replicas{N,deployment="payments-api-server"}'
_ADDRESS = 'kube_endpoint_address{N,endpoint="payments-api-server",ip="10.0.0.1",ready='
_SLICE = 'kube_endpointslice_endpoints{N,endpointslice="payments-api-server-x7k2p",ready='
_HEALTHY = "airflow_tenant_component_healthy{T,component="
_BACKEND = 'service="airflow-payments-payments-api-server-8080@kubernetes"'
_REQUESTS = f"traefik_service_requests_total{{{_BACKEND},code="
_BUCKET = f"traefik_service_request_duration_seconds_bucket{{{_BACKEND},le="
_ROUTE = 'envoy_cluster_name="httproute/airflow-payments/payments/rule/0"'
_ANSWERS = f"envoy_cluster_upstream_rq{{{_ROUTE},envoy_response_code="
_MILLISECONDS = f"envoy_cluster_upstream_rq_time_bucket{{{_ROUTE},le="


def _tenants(missing: int, alive: int) -> dict[str, str]:
    made = dict(OPERATOR)
    for number in range(missing + alive):
        labels = f'{{tenant="t{number}",namespace="n{number}"'
        made |= {name.replace("{T", labels): values for name, values in told().items()}
        beats = "12+12x400" if number < alive else "12x400"
        made[f'airflow_scheduler_heartbeat{{tenant="t{number}",namespace="n{number}"}}'] = beats
    return made


def _p95(up_to_1: int, **others: int) -> dict[str, str]:
    counts = {
        "1": up_to_1,
        **{name[1:].replace("_", "."): count for name, count in others.items()},
        "+Inf": 400,
    }
    return {f'{_BUCKET}"{le}"}}': rising(count) for le, count in counts.items()}


CASES: tuple[Case, ...] = (
    Fires(
        "AirflowManySchedulersMissing",
        "2 of 3",
        0,
        {},
        shown="66.67%",
        base=_tenants(2, 1),
        about_tenant=False,
    ),
    Fires(
        "AirflowManySchedulersMissing",
        "both of 2",
        0,
        {},
        shown="100%",
        base=_tenants(2, 0),
        about_tenant=False,
    ),
    Fires(
        "AirflowManySchedulersMissing",
        "4 of 7",
        0,
        {},
        shown="57.14%",
        base=_tenants(4, 3),
        about_tenant=False,
    ),
    Silent("AirflowManySchedulersMissing", "2 of 4", {}, base=_tenants(2, 2)),
    Silent("AirflowManySchedulersMissing", "the only one", {}, base=_tenants(1, 0)),
    Fires("AirflowSchedulerHeartbeatMissing", "it stops", 14, {_SCHEDULER: _STOPS}),
    Fires("AirflowSchedulerHeartbeatMissing", "it never was", 0, {}),
    Silent("AirflowSchedulerHeartbeatMissing", "it beats", {_SCHEDULER: rising(12)}),
    Silent("AirflowSchedulerHeartbeatMissing", "a restart", {_SCHEDULER: "0+12x10 120x4 0+12x99"}, at=25),
    *(
        Silent(f"Airflow{name}", title, {}, base=base)
        for name in (
            "SchedulerHeartbeatMissing",
            "DagProcessorHeartbeatMissing",
            "MetricsMissing",
        )
        for title, base in (
            ("it is suspended", PAUSED),
            ("it is at rest", ASLEEP),
            ("it goes to sleep", FALLING_ASLEEP),
            ("it is not scraped", UNMONITORED),
            ("it is being installed", INSTALLING),
            ("its spec is refused", INVALID),
            ("its namespace is another tenant's", REFUSED),
            ("it is being deleted", DELETING),
        )
    ),
    *(
        Silent(f"Airflow{name}", "it was woken less than half an hour ago", {}, base=WOKEN, at=38)
        for name in ("SchedulerHeartbeatMissing", "DagProcessorHeartbeatMissing", "MetricsMissing")
    ),
    Fires("AirflowSchedulerHeartbeatMissing", "it was woken half an hour ago", 39, {}, base=WOKEN),
    Fires(
        "AirflowSchedulerHeartbeatMissing",
        "three hours after the operator died",
        180,
        {_SCHEDULER: "0+12x176 2112x400"},
        base=DEAD,
    ),
    Fires(
        "AirflowSchedulerHeartbeatMissing",
        "the operator restarts meanwhile",
        17,
        {_SCHEDULER: "0+12x13 156x99"},
        base=RESTARTED,
    ),
    Silent(
        "AirflowManySchedulersMissing",
        "all three are being installed",
        {},
        base={name: v for name, v in _tenants(3, 0).items() if "release_info" not in name},
    ),
    Fires("AirflowDagProcessorHeartbeatMissing", "it stops", 14, {_PROCESSOR: _STOPS}),
    Silent("AirflowDagProcessorHeartbeatMissing", "it beats", {_PROCESSOR: rising(12)}),
    Fires(
        "AirflowTriggererHeartbeatMissing",
        "it stops",
        14,
        {_TRIGGERERS: steady(1), _TRIGGERER: _STOPS},
        shown="1",
    ),
    Silent("AirflowTriggererHeartbeatMissing", "it beats", {_TRIGGERERS: steady(1), _TRIGGERER: rising(12)}),
    Silent("AirflowTriggererHeartbeatMissing", "none is wanted", {_TRIGGERERS: steady(0)}),
    Fires(
        "AirflowApiServerUnavailable",
        "no replica of 2",
        0,
        {_SERVERS: steady(2), _AVAILABLE: steady(0)},
        shown="2",
    ),
    Fires(
        "AirflowApiServerUnavailable",
        "it does not answer",
        0,
        {_SERVERS: steady(1), f'{_HEALTHY}"api-server"}}': steady(0)},
        shown="1",
    ),
    Silent("AirflowApiServerUnavailable", "1 replica of 2", {_SERVERS: steady(2), _AVAILABLE: steady(1)}),
    Silent("AirflowApiServerUnavailable", "none is wanted", {_SERVERS: steady(0), _AVAILABLE: steady(0)}),
    Silent(
        "AirflowApiServerUnavailable",
        "it answers, and kube-state-metrics is not there",
        {_SERVERS: steady(1), f'{_HEALTHY}"api-server"}}': steady(1)},
    ),
    *(
        Fires(
            "AirflowComponentUnhealthy",
            f"{component}, without any metrics of the tenant",
            0,
            {f'{_HEALTHY}"{component}"}}': steady(0)},
            labels={"component": component},
        )
        for component in ("scheduler", "dag-processor", "metadatabase")
    ),
    Silent(
        "AirflowComponentUnhealthy",
        "the triggerer; the others are healthy",
        {
            f'{_HEALTHY}"{component}"}}': steady(int(component != "triggerer"))
            for component in ("scheduler", "dag-processor", "metadatabase", "triggerer")
        },
    ),
    Silent(
        "AirflowComponentUnhealthy",
        "it is being installed",
        {f'{_HEALTHY}"scheduler"}}': steady(0)},
        base=INSTALLING,
    ),
    Fires("AirflowMetricsMissing", "the scrape fails", 11, {_STATSD: "1x10 0x99"}),
    Fires("AirflowMetricsMissing", "no such target", 0, {}),
    Silent("AirflowMetricsMissing", "it is scraped", {_STATSD: steady(1)}),
    Fires(
        "AirflowReplicasBelowDesired",
        "1 of 2 of a Deployment",
        0,
        {_AVAILABLE: steady(1), _WANTED: steady(2)},
        shown="1",
        labels={"workload": "payments-api-server"},
    ),
    Fires(
        "AirflowReplicasBelowDesired",
        "0 of 1 of a StatefulSet",
        0,
        {
            'kube_statefulset_status_replicas_ready{N,statefulset="payments-postgresql"}': steady(0),
            'kube_statefulset_replicas{N,statefulset="payments-postgresql"}': steady(1),
        },
        shown="0",
        labels={"workload": "payments-postgresql"},
    ),
    Silent(
        "AirflowReplicasBelowDesired",
        "as many as wanted",
        {
            _AVAILABLE: steady(2),
            _WANTED: steady(2),
            'kube_statefulset_status_replicas_ready{N,statefulset="payments-postgresql"}': steady(1),
            'kube_statefulset_replicas{N,statefulset="payments-postgresql"}': steady(1),
        },
    ),
    Fires(
        "AirflowEndpointsNotReady",
        "one address",
        0,
        {_ADDRESS + '"false"}': steady(1)},
        shown="1",
        labels={"endpoint": "payments-api-server"},
    ),
    Fires(
        "AirflowEndpointsNotReady",
        "another tenant asks for the same namespace",
        0,
        {_ADDRESS + '"false"}': steady(1)},
        shown="1",
        labels={"endpoint": "payments-api-server"},
        base={**ACTIVE, **SECOND},
    ),
    Fires(
        "AirflowEndpointsNotReady",
        "its team has changed, then the operator died",
        6,
        {_ADDRESS + '"false"}': f"_x6 {steady(1)}"},
        shown="1",
        labels={"endpoint": "payments-api-server"},
        base={**DEAD, **info("1x3 stale", team="blue"), **info("_x4 1x1 stale")},
    ),
    Fires(
        "AirflowEndpointsNotReady",
        "two addresses of an EndpointSlice",
        0,
        {_SLICE + f'"false",address="10.0.0.{number}"}}': steady(1) for number in (1, 2)},
        shown="2",
        labels={"endpoint": "payments-api-server"},
    ),
    Silent(
        "AirflowEndpointsNotReady",
        "all of a slice are ready",
        {_SLICE + '"true",address="10.0.0.1"}': steady(1)},
    ),
    Silent(
        "AirflowEndpointsNotReady",
        "all are ready",
        {_ADDRESS + '"true"}': steady(1), _ADDRESS + '"false"}': steady(0)},
    ),
    Fires(
        "AirflowHttp5xxRatioHigh",
        "1.2%",
        1,
        {_REQUESTS + '"503"}': rising(12), _REQUESTS + '"200"}': rising(988)},
        shown="1.2%",
    ),
    Fires(
        "AirflowHttp5xxRatioHigh",
        "1.2% behind Envoy Gateway",
        1,
        {_ANSWERS + '"503"}': rising(12), _ANSWERS + '"200"}': rising(988)},
        shown="1.2%",
    ),
    Fires(
        "AirflowHttp5xxRatioHigh",
        "1.2% of one of two edges in a row",
        1,
        {
            _REQUESTS + '"503"}': rising(12),
            _REQUESTS + '"200"}': rising(988),
            _ANSWERS + '"200"}': rising(988),
        },
        shown="1.2%",
    ),
    Fires(
        "AirflowHttp5xxRatioHigh",
        "20 requests in 5 minutes",
        5,
        {_REQUESTS + '"500"}': rising(1), _REQUESTS + '"200"}': rising(3)},
        shown="25%",
    ),
    Silent(
        "AirflowHttp5xxRatioHigh",
        "0.9%",
        {_REQUESTS + '"503"}': rising(9), _REQUESTS + '"200"}': rising(991)},
    ),
    Silent(
        "AirflowHttp5xxRatioHigh",
        "15 requests in 5 minutes",
        {_REQUESTS + '"503"}': rising(1), _REQUESTS + '"200"}': rising(2)},
    ),
    Silent(
        "AirflowHttp5xxRatioHigh",
        "15 requests in 5 minutes, which two edges in a row count",
        {
            _REQUESTS + '"503"}': rising(1),
            _REQUESTS + '"200"}': rising(2),
            _ANSWERS + '"503"}': rising(1),
            _ANSWERS + '"200"}': rising(2),
        },
    ),
    Fires("AirflowResponseTimeHigh", "2.2 s", 1, _p95(320, b2_5=395), shown="2.2s"),
    Fires(
        "AirflowResponseTimeHigh",
        "2.2 s behind Envoy Gateway",
        1,
        {
            f'{_MILLISECONDS}"{le}"}}': rising(count)
            for le, count in {"1000": 320, "2500": 395, "+Inf": 400}.items()
        },
        shown="2.2s",
    ),
    Silent("AirflowResponseTimeHigh", "2 s", _p95(100, b2=380)),
    Silent("AirflowResponseTimeHigh", "1.9 s", _p95(358, b2_5=395)),
)
