"""Does work start in time."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, grown, of_tenant

AREA = "scheduling"
_NEEDS = ("operator", "statsd")
_CANARY = "the DAG platform_canary"
_INHIBITED = ("AirflowMetricsMissing", "AirflowSchedulerHeartbeatMissing", "AirflowManySchedulersMissing")

ALERTS = (
    Alert(
        "AirflowSchedulerLoopSlow",
        AREA,
        "P2",
        of_tenant(
            """
            histogram_quantile(0.95,
              sum by (tenant, namespace, le) (rate(airflow_scheduler_scheduler_loop_duration_bucket[10m]))
            ) > 5
            """
        ),
        "15m",
        "The scheduler loop of tenant {{ $labels.tenant }} takes {{ $value | humanizeDuration }}",
        "p95 of one loop is above 5 seconds: everything that waits for the scheduler starts late.",
        Link("capacity"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowDagRunScheduleDelayHigh",
        AREA,
        "P2",
        of_tenant(
            """
            histogram_quantile(0.9,
              sum by (tenant, namespace, le) (rate(airflow_dagrun_schedule_delay_bucket[30m]))
            ) > 300
            """
        ),
        "15m",
        "DAG runs of tenant {{ $labels.tenant }} start {{ $value | humanizeDuration }} late",
        "p90 of the time between when a run was due and when it started is above 5 minutes.",
        Link("slo"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowFirstTaskStartDelayHigh",
        AREA,
        "P2",
        of_tenant(
            """
            histogram_quantile(0.9,
              sum by (tenant, namespace, dag_id, le) (rate(airflow_dagrun_first_task_start_delay_bucket[1h]))
            ) > 600
            """
        ),
        "15m",
        "The first task of {{ $labels.dag_id }} waits {{ $value | humanizeDuration }}",
        "p90 of the time between a run's queueing and its first task is above 10 minutes "
        "(tenant {{ $labels.tenant }}).",
        Link("slo", (("dag_id", "dag_id"),)),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowCanaryLate",
        AREA,
        "P2",
        of_tenant(
            """
            histogram_quantile(0.9,
              sum by (tenant, namespace, le) (rate(airflow_canary_latency_bucket[15m]))
            ) > 120
            """
        ),
        "10m",
        "An empty task of tenant {{ $labels.tenant }} starts {{ $value | humanizeDuration }} late",
        "p90 of the canary's delay over 15 minutes is above 2 minutes: so late are all tasks.",
        Link("slo"),
        _NEEDS,
        silent_without=_CANARY,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowCanarySilent",
        AREA,
        "P2",
        of_tenant(
            f"""
            sum by (tenant, namespace) (increase(airflow_canary_latency_count[1d])) > 0
              unless on (tenant, namespace)
            {grown("airflow_canary_latency_count", "20m", "tenant, namespace")} > 0
            """
        ),
        "",
        "The canary of tenant {{ $labels.tenant }} is silent",
        "It ran within the last day and has not for 20 minutes: some part of the way from schedule to metric "
        "is broken.",
        Link("slo"),
        _NEEDS,
        silent_without=_CANARY,
        inhibited_by=_INHIBITED,
    ),
)
