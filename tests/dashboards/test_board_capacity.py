"""The board "Capacity and pools": room, queues, and what Airflow stands on, of the recording."""

from __future__ import annotations

import pytest
from tests.dashboards.on_recording import Shown, board, metrics, panel, raw
from tests.dashboards.recording import rules
from tests.dashboards.recording.playback import Recorded, about

from tenant_dashboards.boards import capacity
from tenant_dashboards.boards.parts import Flavour

PAYMENTS = "payments"
POOL = "warehouse_writes"


def test_the_first_row_compares_now_with_four_hours_ahead(recorded: Recorded) -> None:
    now, later = board("capacity").rows[0].panels
    assert (now.title, later.title) == ("Full now", "Full in four hours")
    assert {target.legend for target in later.targets} < {target.legend for target in now.targets}
    assert all("predict_linear(" in target.expr and "14400" in target.expr for target in later.targets)
    for title in (now.title, later.title):
        assert Shown(recorded, "capacity", title).empty() == []


def test_a_volume_that_fills_is_fuller_in_four_hours(recorded: Recorded) -> None:
    claim = "namespace", "persistentvolumeclaim"
    legend = "volume {{persistentvolumeclaim}} {{namespace}}"
    now = Shown(recorded, "capacity", "Full now").answer(legend).last(*claim)
    later = Shown(recorded, "capacity", "Full in four hours").answer(legend).last(*claim)
    assert now.keys() == later.keys()
    assert any(later[key] > now[key] for key in now)
    assert all(share >= 0 for share in later.values())


@pytest.mark.covers("G-14")
def test_each_pool_has_a_row_with_its_slots_by_use_and_the_spec_as_a_line(recorded: Recorded) -> None:
    (row,) = [row for row in board("capacity").rows if row.repeat]
    assert row.repeat == "pool_name"
    (variable,) = [variable for variable in board("capacity").variables if variable.name == "pool_name"]
    assert "pool_name" in variable.query
    shown = Shown(recorded, "capacity", "Slots of pool $pool_name", tenant=PAYMENTS, pool_name=POOL)
    assert shown.panel.stacked
    assert [target.legend for target in shown.panel.targets if target.spec] == ["slots in the spec"]
    parts = {
        legend: shown.answer(legend).last()[()]
        for legend in ("running", "queued", "deferred", "open", "waiting (scheduled)", "slots in the spec")
    }
    selector = f'tenant="{PAYMENTS}",pool_name="{POOL}"'
    for legend, metric in (("running", "running"), ("queued", "queued"), ("open", "open")):
        assert parts[legend] == raw(recorded, f"airflow_pool_{metric}_slots{{{selector}}}")[()], legend
    assert parts["slots in the spec"] == raw(recorded, f"airflow_tenant_pool_slots{{{selector}}}")[()]
    assert parts["running"] + parts["queued"] + parts["open"] == parts["slots in the spec"]


@pytest.mark.covers("G-14")
def test_starving_tasks_of_a_pool_are_the_recorded_ones(recorded: Recorded) -> None:
    shown = Shown(recorded, "capacity", "Open and starving in pool $pool_name")
    assert "airflow_pool_starving_tasks" in metrics(shown.panel)
    assert shown.answer("starving").last()[()] == raw(recorded, "sum(airflow_pool_starving_tasks)")[()]


@pytest.mark.covers("G-05")
def test_depth_of_the_workers_queue_comes_from_the_executor_and_from_celerys_lists(
    recorded: Recorded,
) -> None:
    slots = Shown(recorded, "capacity", "Executor slots")
    queued = slots.answer("queued {{executor_class_name}}").last("executor_class_name")
    assert queued == raw(
        recorded, "sum by (executor_class_name) (airflow_executor_queued_tasks)", "executor_class_name"
    )
    shown = Shown(recorded, "capacity", "Queued tasks by queue")
    assert metrics(shown.panel) == {"airflow_ti_queued", "redis_key_size"}
    lists = shown.answer("{{key}} in Redis").last("key")
    assert lists == raw(recorded, "sum by (key) (redis_key_size)", "key")
    assert max(lists.values()) > 0


@pytest.mark.covers("G-06")
def test_length_of_the_task_queue_is_what_is_scheduled_and_what_pools_have_queued(recorded: Recorded) -> None:
    shown = Shown(recorded, "capacity", "Task queue length")
    scheduled = shown.answer("scheduled {{queue}}").last("queue")
    assert scheduled == raw(recorded, "sum by (queue) (airflow_ti_scheduled)", "queue")
    assert scheduled
    assert shown.answer("queued in pools").last() == raw(recorded, "sum(airflow_pool_queued_slots)")
    assert shown.empty() == []


@pytest.mark.covers("G-04")
def test_the_schedulers_heartbeat_is_what_was_sent_and_zero_while_it_is_stopped(recorded: Recorded) -> None:
    shown = Shown(recorded, "capacity", "Scheduler heartbeat", tenant=PAYMENTS)
    legend = "scheduler {{tenant}}"
    happened = {entry["what"]: entry["at"] for entry in about()["happened"]}
    before = shown.answer(legend, at=happened["stop scheduler"] - 10).last("tenant")[(PAYMENTS,)]
    sent = raw_at(
        recorded, f'airflow_scheduler_heartbeat{{tenant="{PAYMENTS}"}}', happened["stop scheduler"] - 10
    )
    minutes = (happened["stop scheduler"] - 10 - recorded.start) / 60
    assert before == pytest.approx(sent / minutes, rel=0.5)
    during = shown.answer(legend, at=happened["start scheduler"]).last("tenant")[(PAYMENTS,)]
    assert during == 0
    assert {target.legend.removesuffix(" {{tenant}}") for target in shown.panel.targets} == {
        "scheduler",
        "DAG processor",
        "triggerer",
    }


def raw_at(recorded: Recorded, expr: str, moment: float) -> float:
    """One recorded value at a time."""
    (one,) = recorded.query(expr, moment)
    return float(one["value"][1])


@pytest.mark.covers("G-03")
def test_schedule_delay_has_the_limits_of_its_alert() -> None:
    assert [step.value for step in panel("slo", "Schedule delay").thresholds] == [None, 60, 300]
    assert [step.value for step in panel("slo", "Scheduler loop").thresholds] == [None, 1, 5]


@pytest.mark.covers("G-07")
def test_the_database_shows_cpu_memory_and_connections_against_their_limits(recorded: Recorded) -> None:
    load = Shown(recorded, "capacity", "Database CPU and memory")
    assert {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"} <= metrics(load.panel)
    assert load.empty() == []
    assert [step.value for step in load.panel.thresholds][-1] == 0.8
    memory = load.answer("memory {{pod}}").last("pod")
    used = raw(recorded, 'container_memory_working_set_bytes{container="postgresql"}', "pod")
    limit = raw(
        recorded, 'kube_pod_container_resource_limits{container="postgresql",resource="memory"}', "pod"
    )
    assert memory == {pod: pytest.approx(used[pod] / limit[pod]) for pod in used}
    connections = Shown(recorded, "capacity", "Database connections")
    assert connections.empty() == []
    assert sum(connections.answer("{{state}}").last("state").values()) == sum(
        raw(recorded, "sum(pg_stat_activity_count)").values()
    )
    assert connections.panel.targets[1].spec
    assert connections.answer(1).last("tenant") == raw(recorded, "pg_settings_max_connections", "tenant")


@pytest.mark.covers("G-07")
def test_pgbouncers_waiting_clients_are_shown_in_both_dialects_of_its_exporters(recorded: Recorded) -> None:
    shown = Shown(recorded, "capacity", "PgBouncer clients")
    assert shown.empty() == []
    assert shown.answer("waiting {{tenant}}").last("tenant") == raw(
        recorded, "sum by (tenant) (pgbouncer_pools_client_waiting_connections)", "tenant"
    )
    assert "pgbouncer_exporter_pools_waiting_clients" in metrics(shown.panel)


@pytest.mark.covers("G-07")
@pytest.mark.parametrize("title", ["Database latency", "Database cache hits", "Database size"])
def test_the_database_shows_latency_cache_and_size(recorded: Recorded, title: str) -> None:
    assert Shown(recorded, "capacity", title).empty() == []


@pytest.mark.covers("G-08")
def test_redis_shows_cpu_memory_and_cache_hits(recorded: Recorded) -> None:
    load = Shown(recorded, "capacity", "Redis CPU and memory")
    assert load.empty() == []
    memory = load.answer("memory {{tenant}}").last("tenant")
    assert memory == {
        tenant: pytest.approx(share)
        for tenant, share in raw(
            recorded, "redis_memory_used_bytes / redis_memory_max_bytes", "tenant"
        ).items()
    }
    (cpu,) = load.answer("CPU {{tenant}}").last("tenant").values()
    assert 0 < cpu < 1
    hits, misses = (f"rate(redis_keyspace_{kind}_total[1m])" for kind in ("hits", "misses"))
    cache = Shown(recorded, "capacity", "Redis cache hits")
    expected = f"{hits} / ({hits} + {misses})"
    moments = range(recorded.start + 120, recorded.end, 60)
    shares = [cache.answer(0, at=at).last()[()] for at in moments]
    assert shares == [float(recorded.query(expected, at)[0]["value"][1]) for at in moments]
    assert len({*shares}) > 1


@pytest.mark.covers("G-08")
def test_evictions_of_redis_have_the_limits_of_their_alerts(recorded: Recorded) -> None:
    shown = Shown(recorded, "capacity", "Redis evictions")
    assert [step.value for step in shown.panel.thresholds] == [None, 1, 1000]
    assert shown.empty() == []


@pytest.mark.covers("G-10")
def test_the_edge_shows_requests_errors_and_latency_of_each_tenant(recorded: Recorded) -> None:
    """One tenant of the recording is behind Traefik, the other behind Envoy Gateway."""
    requests = Shown(recorded, "capacity", "Requests").answer(0).last("namespace", "code")
    window = f"[5m] @ {recorded.end - recorded.end % rules.DEFAULT_INTERVAL}"  # of the last evaluation
    traefik = 'traefik_service_requests_total{exported_service=~"airflow-payments-.+"}'
    envoy = 'envoy_cluster_upstream_rq{envoy_cluster_name=~"httproute/airflow-.+"}'
    counted = {
        "airflow-payments": raw(recorded, f"sum by (code) (rate({traefik}{window}))", "code"),
        "airflow-analytics": raw(
            recorded, f"sum by (envoy_response_code) (rate({envoy}{window}))", "envoy_response_code"
        ),
    }
    assert requests == {
        (namespace, code): pytest.approx(rate)
        for namespace, rates in counted.items()
        for (code,), rate in rates.items()
    }
    errors = Shown(recorded, "capacity", "Share of 5xx")
    assert [step.value for step in errors.panel.thresholds][-1] == 0.01
    every = {namespace: sum(rates.values()) for namespace, rates in counted.items()}
    assert errors.answer(0).last("namespace") == {
        (namespace,): pytest.approx(
            sum(rate for (code,), rate in rates.items() if code[0] == "5") / every[namespace]
        )
        for namespace, rates in counted.items()
    }
    assert errors.empty() == []
    latency = Shown(recorded, "capacity", "Response time")
    p50, p95 = (latency.answer(number).last("namespace") for number in (0, 1))
    assert [step.value for step in latency.panel.thresholds][-1] == 2
    assert p95.keys() == p50.keys() == {("airflow-payments",), ("airflow-analytics",)}
    for namespace, median in p50.items():
        assert 0.01 < median < p95[namespace] < 1, "seconds, of both"


@pytest.mark.covers("G-11")
def test_volumes_show_how_full_they_are_their_throughput_and_operations(recorded: Recorded) -> None:
    full = Shown(recorded, "capacity", "Volumes").answer(0).last("namespace", "persistentvolumeclaim")
    assert full == {
        key: pytest.approx(share)
        for key, share in raw(
            recorded,
            "kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes",
            "namespace",
            "persistentvolumeclaim",
        ).items()
    }
    for title, unit in (("Disk throughput", "Bps"), ("Disk operations", "iops")):
        shown = Shown(recorded, "capacity", title)
        assert shown.panel.unit == unit
        assert shown.empty() == []
        read, written = (shown.answer(number).last("pod") for number in (0, 1))
        assert read
        assert written
        assert max(written.values()) > 0


@pytest.mark.parametrize(
    "title",
    [
        "Triggerer capacity",
        "DAG parsing",
        "DAG files waiting",
        "Slowest DAG files",
        "Age of DAG files' last parse",
        "Pods by phase",
        "Evicted, out of memory, restarted",
        "Task pods refused",
    ],
)
def test_triggers_parsing_and_pods_have_data(recorded: Recorded, title: str) -> None:
    shown = Shown(recorded, "capacity", title)
    assert shown.panel.targets
    assert shown.empty() == []


def test_a_teams_own_board_does_not_repeat_its_name() -> None:
    made = capacity.build(Flavour.TEAM)
    legends = [target.legend for shown in made.panels for target in shown.targets]
    assert legends
    assert not [legend for legend in legends if legend.endswith((" {{tenant}}", " {{namespace}}"))]
