"""Scheduling, execution, pools."""

from __future__ import annotations

from tests.dashboards.alert_cases.case import Case, Fires, Silent, appears, rising, steady

_OPEN = 'airflow_executor_open_slots{T,executor_class_name="LocalExecutor",status="open"}'
_WAITING = 'airflow_executor_queued_tasks{T,executor_class_name="LocalExecutor",status="queued"}'
_QUEUED = 'airflow_ti_queued{T,queue="default",dag_id="settle",task_id="load"}'
_STARTED = 'airflow_ti_start{T,dag_id="settle",task_id="load"}'
_KILLED = 'airflow_task_instances_without_heartbeats_killed{T,dag_id="settle",task_id="load"}'
_PODS = "airflow_kubernetes_executor_pod_creation_status{T,status="
_FAILURES, _SUCCESSES = (
    f'airflow_ti_{kind}{{T,dag_id="settle",task_id="load"}}' for kind in ("failures", "successes")
)
_LEFT = "airflow_triggerer_capacity_left{T,hostname="


def _buckets(metric: str, **counts: int) -> dict[str, str]:
    """Buckets that grow by `counts` a minute; `b5` is le="5", `inf` is +Inf."""
    labels = {"inf": "+Inf"}
    return {
        f'{metric}_bucket{{T,dag_id="settle",le="{labels.get(name, name[1:])}"}}': rising(count)
        for name, count in counts.items()
    }


def _loop(**counts: int) -> dict[str, str]:
    return _buckets("airflow_scheduler_scheduler_loop_duration", **counts)


def _delay(**counts: int) -> dict[str, str]:
    return _buckets("airflow_dagrun_schedule_delay", **counts)


def _first_task(**counts: int) -> dict[str, str]:
    return _buckets("airflow_dagrun_first_task_start_delay", **counts)


def _ended(failed: int, succeeded: int) -> dict[str, str]:
    return {_FAILURES: appears(40, failed), _SUCCESSES: appears(40, succeeded)}


def _cpu(pod: str, container: str, percent: int) -> dict[str, str]:
    used = f'container_cpu_usage_seconds_total{{N,pod="{pod}",container="{container}"}}'
    limit = f'kube_pod_container_resource_limits{{N,pod="{pod}",container="{container}",resource="cpu"}}'
    return {used: rising(percent * 2 * 60 / 100), limit: steady(2)}


def _pool(open_: int, running: int, queued: int, deferred: int, spec: int) -> dict[str, str]:
    slots = {"open": open_, "running": running, "queued": queued, "deferred": deferred}
    made = {f'airflow_pool_{name}_slots{{T,pool_name="etl"}}': steady(count) for name, count in slots.items()}
    return {**made, 'airflow_tenant_pool_slots{T,pool_name="etl"}': steady(spec)}


def _canary(**counts: int) -> dict[str, str]:
    return _buckets("airflow_canary_latency", **counts)


_CANARY = "airflow_canary_latency_count{T}"

CASES: tuple[Case, ...] = (
    Fires(
        "AirflowCanaryLate", "2 min 16 s", 1, _canary(b60=700, b120=890, b300=1000, inf=1000), shown="2m 16s"
    ),
    Silent("AirflowCanaryLate", "2 min", _canary(b60=700, b120=900, b300=1000, inf=1000)),
    Silent("AirflowCanaryLate", "1 min 57 s", _canary(b60=700, b120=910, b300=1000, inf=1000)),
    Fires("AirflowCanarySilent", "it stops", 34, {_CANARY: "0x4 1x4 2x4 3x84 3x300"}),
    Silent(
        "AirflowCanarySilent", "every five minutes", {_CANARY: "0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4"}
    ),
    Silent("AirflowCanarySilent", "there was never one", {}),
    Silent("AirflowCanarySilent", "it has not run for a day", {_CANARY: steady(5)}, at=100),
    Silent(
        "AirflowCanarySilent",
        "its exporter has restarted",
        {_CANARY: "0x4 1x4 2x4 stale", 'airflow_canary_latency_count{T,pod="b"}': f"_x40 {steady(1)}"},
    ),
    Fires("AirflowSchedulerLoopSlow", "5.9 s", 1, _loop(b1=900, b5=945, b15=1000, inf=1000), shown="5.909s"),
    Silent("AirflowSchedulerLoopSlow", "5 s", _loop(b1=900, b5=950, b15=1000, inf=1000)),
    Silent("AirflowSchedulerLoopSlow", "4.6 s", _loop(b1=900, b5=955, b15=1000, inf=1000)),
    Fires(
        "AirflowDagRunScheduleDelayHigh",
        "5 min 27 s",
        1,
        _delay(b120=800, b300=890, b600=1000, inf=1000),
        shown="5m 27s",
    ),
    Silent("AirflowDagRunScheduleDelayHigh", "4 min 44 s", _delay(b120=800, b300=910, b600=1000, inf=1000)),
    Fires(
        "AirflowFirstTaskStartDelayHigh",
        "11 min 49 s",
        1,
        _first_task(b300=800, b600=890, b1800=1000, inf=1000),
        shown="11m 49s",
        labels={"dag_id": "settle"},
    ),
    Silent(
        "AirflowFirstTaskStartDelayHigh", "9 min 33 s", _first_task(b300=800, b600=910, b1800=1000, inf=1000)
    ),
    Fires(
        "AirflowExecutorSaturated",
        "no slot, 1 task waits",
        0,
        {_OPEN: steady(0), _WAITING: steady(1)},
        shown="0",
        labels={"executor_class_name": "LocalExecutor"},
    ),
    Silent("AirflowExecutorSaturated", "one slot", {_OPEN: steady(1), _WAITING: steady(1)}),
    Silent("AirflowExecutorSaturated", "nothing waits", {_OPEN: steady(0), _WAITING: steady(0)}),
    Silent("AirflowExecutorSaturated", "a slot now and then", {_OPEN: "0x9 1x0 " * 20, _WAITING: steady(1)}),
    Fires(
        "AirflowTasksStuckQueued",
        "none has started for 30 minutes",
        5,
        {_QUEUED: steady(2), _STARTED: steady(5)},
        shown="2",
        labels={"queue": "default"},
    ),
    Silent("AirflowTasksStuckQueued", "20 minutes after an idle hour", {_QUEUED: f"_x60 {steady(3)}"}, at=80),
    Silent("AirflowTasksStuckQueued", "they start", {_QUEUED: steady(2), _STARTED: rising(1)}),
    Silent("AirflowTasksStuckQueued", "the first one starts", {_QUEUED: steady(2), _STARTED: appears(40, 1)}),
    Silent(
        "AirflowTasksStuckQueued",
        "the queue was empty",
        {_QUEUED: f"2x28 0 {steady(2)}", _STARTED: steady(5)},
    ),
    Fires("AirflowTasksWithoutHeartbeatKilled", "3 at once", 40, {_KILLED: appears(40, 3)}, shown="3"),
    Silent("AirflowTasksWithoutHeartbeatKilled", "2 at once", {_KILLED: appears(40, 2)}, at=45),
    Silent("AirflowTasksWithoutHeartbeatKilled", "many, long ago", {_KILLED: steady(50)}),
    Silent(
        "AirflowTasksWithoutHeartbeatKilled",
        "many, long ago, and scraping was away for 10 minutes",
        {_KILLED: "50x60 _x10 50x300"},
        at=98,
    ),
    Fires(
        "AirflowPodCreationFailing",
        "4 refusals",
        40,
        {_PODS + '"403"}': appears(40, 4)},
        shown="4",
        labels={"status": "403"},
    ),
    Silent("AirflowPodCreationFailing", "3 refusals", {_PODS + '"403"}': appears(40, 3)}, at=45),
    Silent("AirflowPodCreationFailing", "50 pods made", {_PODS + '"200"}': appears(40, 50)}, at=45),
    Fires("AirflowTaskFailureRatioElevated", "3 of 50", 40, _ended(3, 47), shown="6%"),
    Fires("AirflowTaskFailureRatioElevated", "2 of 21", 40, _ended(2, 19), shown="9.524%"),
    Silent("AirflowTaskFailureRatioElevated", "2 of 50", _ended(2, 48), at=60),
    Silent("AirflowTaskFailureRatioElevated", "5 of 100: exactly 5%", _ended(5, 95), at=60),
    Silent("AirflowTaskFailureRatioElevated", "10 of 20: too few", _ended(10, 10), at=60),
    Fires("AirflowTaskFailureRatioHigh", "11 of 50", 40, _ended(11, 39), shown="22%"),
    Fires("AirflowTaskFailureRatioHigh", "21 of 21", 40, {_FAILURES: appears(40, 21)}, shown="100%"),
    Silent("AirflowTaskFailureRatioHigh", "10 of 50: exactly 20%", _ended(10, 40), at=60),
    Silent("AirflowTaskFailureRatioHigh", "9 of 50", _ended(9, 41), at=60),
    Silent("AirflowTaskFailureRatioHigh", "20 of 20: too few", {_FAILURES: appears(40, 20)}, at=60),
    Fires("AirflowTriggererSaturated", "none has room", 0, {_LEFT + '"a"}': steady(0)}),
    Silent(
        "AirflowTriggererSaturated", "one has room", {_LEFT + '"a"}': steady(0), _LEFT + '"b"}': steady(1)}
    ),
    *(
        case
        for alert, pod, container in (
            ("AirflowSchedulerCpuHigh", "payments-scheduler-7d9", "scheduler"),
            ("AirflowWorkerCpuHigh", "settle-load-x1", "base"),
        )
        for case in (
            Fires(alert, "85%", 5, _cpu(pod, container, 85), shown="85%", labels={"pod": pod}),
            Fires(
                alert,
                "85% of the request, without a limit",
                5,
                {name.replace("limits", "requests"): v for name, v in _cpu(pod, container, 85).items()},
                shown="85%",
                labels={"pod": pod},
            ),
            Silent(
                alert,
                "twice the request, less than the limit",
                {
                    **_cpu(pod, container, 79),
                    **{
                        name.replace("limits", "requests"): steady(0.5)
                        for name in _cpu(pod, container, 79)
                        if "limits" in name
                    },
                },
            ),
            Silent(alert, "80%", _cpu(pod, container, 80)),
            Silent(alert, "79%", _cpu(pod, container, 79)),
            Silent(
                alert,
                "neither limit nor request",
                {name: v for name, v in _cpu(pod, container, 85).items() if "usage" in name},
            ),
        )
    ),
    Fires(
        "AirflowPoolStarving",
        "1 task",
        0,
        {'airflow_pool_starving_tasks{T,pool_name="etl pool"}': steady(1)},
        shown="1",
        labels={"pool_name": "etl pool"},
    ),
    Silent("AirflowPoolStarving", "none", {'airflow_pool_starving_tasks{T,pool_name="etl"}': steady(0)}),
    *(
        case
        for name, free in (("full", 0), ("overfull", -1))
        for case in (
            Fires(
                "AirflowPoolExhausted",
                name,
                0,
                {
                    'airflow_pool_open_slots{T,pool_name="etl"}': steady(free),
                    'airflow_pool_scheduled_slots{T,pool_name="etl"}': steady(1),
                },
                labels={"pool_name": "etl"},
            ),
            Silent(
                "AirflowPoolExhausted",
                f"{name}, nothing waits",
                {
                    'airflow_pool_open_slots{T,pool_name="etl"}': steady(free),
                    'airflow_pool_scheduled_slots{T,pool_name="etl"}': steady(0),
                },
            ),
        )
    ),
    Silent(
        "AirflowPoolExhausted",
        "one slot",
        {
            'airflow_pool_open_slots{T,pool_name="etl"}': steady(1),
            'airflow_pool_scheduled_slots{T,pool_name="etl"}': steady(1),
        },
    ),
    Fires("AirflowPoolSizeDiffersFromSpec", "8, is 4", 0, _pool(1, 2, 1, 0, 8), "8", {"pool_name": "etl"}),
    Fires("AirflowPoolSizeDiffersFromSpec", "0, is 3", 0, _pool(3, 0, 0, 0, 0), "0", {"pool_name": "etl"}),
    Silent("AirflowPoolSizeDiffersFromSpec", "4, is 4", _pool(1, 2, 1, 0, 4)),
    Silent("AirflowPoolSizeDiffersFromSpec", "6, is 6 with the deferred", _pool(1, 2, 1, 2, 6)),
    Silent("AirflowPoolSizeDiffersFromSpec", "without a limit", _pool(99, 2, 1, 0, -1)),
)
