"""DAG files and DAG runs: imports, Git, failures, deadlines, durations."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, grown, of_tenant

AREA = "dags"
_NEEDS = ("operator", "statsd")
_INHIBITED = ("AirflowMetricsMissing",)
_DAG = "tenant, namespace, dag_id"
_GIT = "tenant, namespace, pod, container"


def _slower_than_limit(outcome: str) -> str:
    seconds, runs = (
        grown(f"airflow_dagrun_duration_{outcome}_{part}", "30m", _DAG) for part in ("sum", "count")
    )
    return f"""{seconds}
              /
            {runs}
              > on ({_DAG})
            max by ({_DAG}) (airflow_tenant_dag_duration_limit_seconds)"""


ALERTS = (
    Alert(
        "AirflowDagImportErrors",
        AREA,
        "P2",
        of_tenant("max by (tenant, namespace) (airflow_dag_processing_import_errors) > 0"),
        "10m",
        "{{ $value }} DAG files of tenant {{ $labels.tenant }} cannot be imported",
        "Their DAGs keep running as they were parsed last; what was changed is not live.",
        Link("team"),
        _NEEDS,
        inhibited_by=(*_INHIBITED, "AirflowDagProcessorHeartbeatMissing"),
    ),
    Alert(
        "AirflowDagBagShrunk",
        AREA,
        "P1",
        of_tenant(
            """
            max by (tenant, namespace) (airflow_dagbag_size)
              < 0.8 * max by (tenant, namespace) (max_over_time(airflow_dagbag_size[6h]))
            """
        ),
        "15m",
        "More than a fifth of the DAGs of tenant {{ $labels.tenant }} are gone",
        "{{ $value }} DAGs are left; within the last 6 hours there were at least a quarter more.",
        Link("team"),
        _NEEDS,
        inhibited_by=(*_INHIBITED, "AirflowDagProcessorHeartbeatMissing"),
    ),
    Alert(
        "AirflowGitSyncFailing",
        AREA,
        "P2",
        of_tenant(
            f"""
            {grown('git_sync_count_total{status="error"}', "15m", _GIT)} > 0
              unless on ({_GIT})
            {grown('git_sync_count_total{status=~"success|noop"}', "15m", _GIT)} > 0
            """
        ),
        "10m",
        "git-sync of tenant {{ $labels.tenant }} only fails",
        "{{ $labels.container }} in {{ $labels.pod }} has not fetched its repository for 15 minutes; the "
        "last good "
        "DAGs keep running.",
        Link("team"),
        ("operator", "git-sync"),
        silent_without="a Git source",
    ),
    Alert(
        "AirflowDagsRevisionBehind",
        AREA,
        "P2",
        of_tenant(
            """
            time() - max by (tenant, namespace) (
              airflow_tenant_dags_revision_pending_since_timestamp_seconds > 0
            ) > 1800
            """
        ),
        "5m",
        "A pushed DAG revision of tenant {{ $labels.tenant }} is not live",
        "Git has had a newer commit than Airflow for {{ $value | humanizeDuration }}.",
        Link("team"),
        ("operator",),
        silent_without="a Git source",
        inhibited_by=("AirflowGitSyncFailing", "AirflowDagProcessorHeartbeatMissing"),
    ),
    Alert(
        "AirflowDagRunFailed",
        AREA,
        "P3",
        of_tenant(f"{grown('airflow_dagrun_duration_failed_count', '30m', _DAG)} > 0"),
        "",
        "{{ $labels.dag_id }} of tenant {{ $labels.tenant }} failed",
        "{{ $value | humanize }} runs failed in the last 30 minutes.",
        Link("slo", (("dag_id", "dag_id"),)),
        _NEEDS,
        inhibited_by=("AirflowTaskFailureRatioHigh",),
    ),
    Alert(
        "AirflowDeadlineMissed",
        AREA,
        "P2",
        of_tenant(f"{grown('airflow_deadline_alerts_deadline_missed', '15m', _DAG)} > 0"),
        "",
        "{{ $labels.dag_id }} of tenant {{ $labels.tenant }} missed a deadline",
        "{{ $value | humanize }} deadlines were missed in the last 15 minutes.",
        Link("slo", (("dag_id", "dag_id"),)),
        _NEEDS,
        silent_without="a DeadlineAlert in the DAG",
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowDagRunDurationAboveLimit",
        AREA,
        "P2",
        of_tenant(
            f"""
            {_slower_than_limit("success")}
              or
            {_slower_than_limit("failed")}
            """
        ),
        "",
        "{{ $labels.dag_id }} of tenant {{ $labels.tenant }} takes {{ $value | humanizeDuration }}",
        "The average of the runs that ended in the last 30 minutes is above the limit in the tenant's spec.",
        Link("slo", (("dag_id", "dag_id"),)),
        _NEEDS,
        silent_without="spec.monitoring.dagDurations",
        inhibited_by=_INHIBITED,
    ),
)
