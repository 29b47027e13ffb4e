"""Do tasks run, and do they succeed: executor, triggerer, worker pods."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, grown, of_namespace, of_tenant

AREA = "execution"
_NEEDS = ("operator", "statsd")
_INHIBITED = ("AirflowMetricsMissing",)
_QUEUE_INHIBITED = (*_INHIBITED, "AirflowSchedulerHeartbeatMissing", "AirflowManySchedulersMissing")
_FAILED = grown("airflow_ti_failures", "30m", "tenant, namespace")
_SUCCEEDED = grown("airflow_ti_successes", "30m", "tenant, namespace")


def _failure_ratio(limit: float) -> str:
    """Failures over all that ended in 30 minutes, when it was more than 20; without any success it is 1."""
    ended = f"""(
            {_FAILED}
              + (
            {_SUCCEEDED}
              or 0 *
            {_FAILED}
            ))"""
    return of_tenant(
        f"""
            {_FAILED}
              /
            {ended} > {limit}
              and
            {ended} > 20
        """
    )


def cpu_of(container: str) -> str:
    """CPU of a container over its limit, or without one over its request, by namespace and pod."""
    matchers = f'{{container="{container}", resource="cpu"}}'
    return f"""
        max by (namespace, pod) (rate(container_cpu_usage_seconds_total{{container="{container}"}}[5m]))
          / on (namespace, pod)
        (
          max by (namespace, pod) (kube_pod_container_resource_limits{matchers})
            or
          max by (namespace, pod) (kube_pod_container_resource_requests{matchers})
        )"""


def _cpu_alert(name: str, container: str, who: str) -> Alert:
    return Alert(
        name,
        AREA,
        "P2",
        of_namespace(f"{cpu_of(container)} > 0.8"),
        "10m",
        "{{ $labels.pod }} of tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its CPU",
        f"Above 80% of its limit, or without a limit of its request, for 10 minutes: {who} needs more CPU or "
        "more replicas.",
        Link("capacity"),
        ("operator", "cAdvisor", "kube-state-metrics"),
        silent_without="a CPU limit or request of the container",
    )


ALERTS = (
    Alert(
        "AirflowExecutorSaturated",
        AREA,
        "P2",
        of_tenant(
            """
            max by (tenant, namespace, executor_class_name) (
              max_over_time(airflow_executor_open_slots[15m])
            ) == 0
              and
            max by (tenant, namespace, executor_class_name) (
              min_over_time(airflow_executor_queued_tasks[15m])
            ) > 0
            """
        ),
        "15m",
        "{{ $labels.executor_class_name }} of tenant {{ $labels.tenant }} has had no open slot for 30 "
        "minutes",
        "All slots of the executor are taken and tasks wait in its queue.",
        Link("capacity"),
        _NEEDS,
        inhibited_by=_QUEUE_INHIBITED,
    ),
    Alert(
        "AirflowTasksStuckQueued",
        AREA,
        "P1",
        of_tenant(
            f"""
            sum by (tenant, namespace, queue) (airflow_ti_queued) > 0
              unless on (tenant, namespace)
            {grown("airflow_ti_start", "5m", "tenant, namespace")} > 0
            """
        ),
        "30m",
        "{{ $value }} tasks of tenant {{ $labels.tenant }} are queued in {{ $labels.queue }} and none starts",
        "No task has started for 30 minutes although there were always some in the queue.",
        Link("capacity"),
        _NEEDS,
        inhibited_by=_QUEUE_INHIBITED,
    ),
    Alert(
        "AirflowTasksWithoutHeartbeatKilled",
        AREA,
        "P2",
        of_tenant(
            f"{grown('airflow_task_instances_without_heartbeats_killed', '30m', 'tenant, namespace')} > 2"
        ),
        "",
        "{{ $value | humanize }} tasks of tenant {{ $labels.tenant }} were killed for missing heartbeats",
        "Their processes had died or could not reach the API server (in older words: zombies), within 30 "
        "minutes.",
        Link("team"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowPodCreationFailing",
        AREA,
        "P2",
        of_tenant(
            grown(
                'airflow_kubernetes_executor_pod_creation_status{status!="200"}',
                "15m",
                "tenant, namespace, status",
            )
            + " > 3"
        ),
        "",
        "KubernetesExecutor of tenant {{ $labels.tenant }} cannot create worker pods: {{ $labels.status }}",
        "{{ $value | humanize }} refusals in 15 minutes. 403 is the quota, 422 the pod template, 429 a "
        "busy API server.",
        Link("capacity"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTaskFailureRatioElevated",
        AREA,
        "P2",
        _failure_ratio(0.05),
        "15m",
        "{{ $value | humanizePercentage }} of the tasks of tenant {{ $labels.tenant }} fail",
        "More than 5% of the tasks that ended in the last 30 minutes failed.",
        Link("team"),
        _NEEDS,
        inhibited_by=(*_INHIBITED, "AirflowTaskFailureRatioHigh"),
    ),
    Alert(
        "AirflowTaskFailureRatioHigh",
        AREA,
        "P2",
        _failure_ratio(0.2),
        "15m",
        "{{ $value | humanizePercentage }} of the tasks of tenant {{ $labels.tenant }} fail",
        "More than 20% of the tasks that ended in the last 30 minutes failed: something that they share "
        "is down.",
        Link("team"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTriggererSaturated",
        AREA,
        "P2",
        of_tenant("max by (tenant, namespace) (airflow_triggerer_capacity_left) <= 0"),
        "15m",
        "The triggerers of tenant {{ $labels.tenant }} are full",
        "No triggerer has capacity left: further deferred tasks wait.",
        Link("capacity"),
        _NEEDS,
        inhibited_by=(*_INHIBITED, "AirflowTriggererHeartbeatMissing"),
    ),
    _cpu_alert("AirflowSchedulerCpuHigh", "scheduler", "a scheduler"),
    _cpu_alert("AirflowWorkerCpuHigh", "base", "a worker pod of the KubernetesExecutor"),
)
