"""Pools: full, starving, or not as the spec says."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, of_tenant

AREA = "pools"
_NEEDS = ("operator", "statsd")
_INHIBITED = ("AirflowMetricsMissing", "AirflowSchedulerHeartbeatMissing", "AirflowManySchedulersMissing")
_BY = "by (tenant, namespace, pool_name)"

ALERTS = (
    Alert(
        "AirflowPoolStarving",
        AREA,
        "P2",
        of_tenant(f"max {_BY} (airflow_pool_starving_tasks) > 0"),
        "30m",
        "Pool {{ $labels.pool_name }} of tenant {{ $labels.tenant }} starves {{ $value }} tasks",
        "For 30 minutes there have been tasks that could not get their slots in this pool.",
        Link("capacity", (("pool_name", "pool_name"),)),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowPoolExhausted",
        AREA,
        "P2",
        of_tenant(
            f"""
            max {_BY} (airflow_pool_open_slots) <= 0
              and
            max {_BY} (airflow_pool_scheduled_slots) > 0
            """
        ),
        "30m",
        "Pool {{ $labels.pool_name }} of tenant {{ $labels.tenant }} is full and tasks wait",
        "No slot has been open for 30 minutes while tasks wait for one.",
        Link("capacity", (("pool_name", "pool_name"),)),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowPoolSizeDiffersFromSpec",
        AREA,
        "P2",
        of_tenant(
            f"""
            max {_BY} (airflow_tenant_pool_slots >= 0)
              != on (tenant, namespace, pool_name)
            max {_BY} (airflow_pool_open_slots + airflow_pool_running_slots + airflow_pool_queued_slots)
              unless on (tenant, namespace, pool_name)
            max {_BY} (airflow_tenant_pool_slots)
              == on (tenant, namespace, pool_name)
            max {_BY} (
              airflow_pool_open_slots + airflow_pool_running_slots + airflow_pool_queued_slots
                + airflow_pool_deferred_slots
            )
            """
        ),
        "15m",
        "Pool {{ $labels.pool_name }} of tenant {{ $labels.tenant }} has another size than its spec",
        "The spec says {{ $value }} slots and Airflow has another number: somebody resized the pool by hand.",
        Link("capacity", (("pool_name", "pool_name"),)),
        _NEEDS,
        inhibited_by=(*_INHIBITED, "AirflowOperatorDown"),
    ),
)
