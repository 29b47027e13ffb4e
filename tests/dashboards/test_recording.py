"""The recording shows what a platform meets, and is played as a Prometheus with these rules has it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from tests.dashboards.recording import rules, scraping, written
from tests.dashboards.recording.playback import HERE, Recorded, about

#: What happened, and a query that finds something if it did. W is the whole recording, P payments.
HAPPENED = {
    "DAG runs succeed": "sum(airflow_dagrun_duration_success_count) > 50",
    "DAG runs fail": "sum(airflow_dagrun_duration_failed_count) > 3",
    "both tenants' runs fail": "count(count by (tenant) (airflow_dagrun_duration_failed_count)) == 2",
    "tasks are tried again": 'sum(airflow_ti_finish{state="up_for_retry"}) > 3',
    "callbacks fail": "sum(airflow_dag_callback_exceptions) > 0",
    "tasks are deferred": "max_over_time(max(airflow_ti_deferred)[W:]) > 0",
    "tasks wait in the queue": "max_over_time(max(airflow_ti_queued)[W:]) > 0",
    "tasks starve": "max_over_time(max(airflow_pool_starving_tasks)[W:]) > 0",
    "a pool is full": 'min_over_time(min(airflow_pool_open_slots{pool_name="warehouse_writes"})[W:]) == 0',
    "tasks wait for the executor": 'max_over_time(max(airflow_executor_queued_tasks{tenant="P"})[W:]) > 3',
    "deadlines are kept": "sum(airflow_deadline_alerts_deadline_not_missed) > 0",
    "deadlines are missed": "sum(airflow_deadline_alerts_deadline_missed) > 0",
    "tasks are lost with their scheduler": 'max(airflow_scheduler_orphaned_tasks_cleared{tenant="P"}) > 3',
    "a file cannot be imported": "max_over_time(max(airflow_dag_processing_import_errors)[W:]) > 0",
    "and is mended": 'max(airflow_dag_processing_import_errors{tenant="P"}) == 0',
    "assets are updated": "sum(airflow_asset_updates) > 0",
    "assets start runs": "sum(airflow_asset_triggered_dagruns) > 0",
    "git-sync fails": 'sum(git_sync_count_total{status="error"}) > 0',
    "and works again": 'sum(increase(git_sync_count_total{status="noop",tenant="P"}[2m])) > 0',
    "a scheduler stops": 'min_over_time(sum(rate(airflow_scheduler_heartbeat{tenant="P"}[1m]))[W:]) == 0',
    "and begins again": 'sum(rate(airflow_scheduler_heartbeat{tenant="P"}[1m])) > 0',
    "a pool is put back": 'sum(airflow_operator_drift_corrected_total{kind="pool"}) > 0',
    "a Helm revision follows another": (
        'count(count by (revision) (last_over_time(airflow_tenant_helm_release_info{tenant="P"}[W]))) > 1'
    ),
    "a DAG revision follows another": (
        'count(count by (revision) (last_over_time(airflow_tenant_dags_revision_info{tenant="P"}[W]))) > 1'
    ),
    "a tenant is ready": 'max(airflow_tenant_status_condition{type="Ready",status="True",tenant="P"}) == 1',
    "another is not": 'max(airflow_tenant_status_condition{type="Ready",status="True",tenant="ml"}) == 0',
    "the operator knows prices": "count(airflow_cost_unit_price) == 3",
    "DAGs send metrics of their own": 'count(airflow_drift_psi{dataset="payments"}) > 1',
    "lineage leaves": "sum(airflow_ol_emit_attempts_count) > 0",
    "SLOs are recorded": "count(count by (sloth_slo) (slo:sli_error:ratio_rate5m)) >= 5",
    "an objective is met": 'max(slo:period_error_budget_remaining:ratio{tenant="P"}) > 0.95',
    "another has used some of its budget": (
        'count(slo:period_error_budget_remaining:ratio{tenant="P"} > 0.05 < 0.95) > 0'
    ),
    "another is missed": 'min(slo:period_error_budget_remaining:ratio{tenant="P"}) < 0',
    "one team has a broker": 'max_over_time(sum(redis_key_size{tenant="P"})[W:]) > 0',
    "parsing takes longer than imports could": (  # Airflow sends seconds as milliseconds, the mapping scales
        "sum(airflow_dag_processing_last_duration_sum) / sum(airflow_dag_processing_last_duration_count)"
        " > 0.01"
    ),
    "watches begin anew": "sum(airflow_operator_watch_restarts_total) > 0",
    "alerts fire": 'count(last_over_time(ALERTS{alertstate="firing"}[W])) > 3',
}


@pytest.mark.parametrize("what", HAPPENED)
def test_the_recording_shows_that(what: str, recorded: Recorded) -> None:
    whole = f"{recorded.end - recorded.start}s"
    text = HAPPENED[what].replace('"P"', '"payments"')
    expr = text.replace("[W:]", f"[{whole}:{recorded.step}s]").replace("[W]", f"[{whole}]")
    assert recorded.query(expr), expr


def test_the_recording_is_small_and_long_enough(recorded: Recorded) -> None:
    file = HERE / "series.om.gz"
    assert file.stat().st_size < 3_000_000
    assert recorded.end - recorded.start >= 12 * 60
    text = gzip.decompress(file.read_bytes()).decode()
    assert text.endswith("# EOF\n")
    lines = text.splitlines()[:-1]
    series = [line.rsplit(" ", 2)[0] for line in lines]
    assert series == sorted(series), "in a fixed order, so that a renewed recording can be compared"
    assert len(lines) == about()["samples"]
    names = {name.partition("{")[0] for name in series}
    assert not {name for name in names if name.startswith("ALERTS") or ":" in name}


def test_what_is_recorded_is_not_written() -> None:
    text = gzip.decompress((HERE / "series.om.gz").read_bytes()).decode()
    recorded = {line.partition("{")[0] for line in text.splitlines()}
    both = {name for name in written.names() if {name, f"{name}_count"} & recorded}
    assert not both


def test_written_replicas_are_those_of_the_recorded_specs(recorded: Recorded) -> None:
    """They differ for the moments between a change of the spec and its release."""
    labels = "namespace, component"
    asked = f"sum by ({labels}) (airflow_tenant_component_replicas_desired)"
    parts = "api-server|scheduler|dag-processor|triggerer"
    written_ones = f'kube_deployment_spec_replicas{{deployment=~".+-({parts})"}}'
    named = f'label_replace({written_ones}, "component", "$1", "deployment", "[^-]+-(.+)")'
    there = f"sum by ({labels}) ({named})"
    pairs = [_by_moment(recorded, expr) for expr in (asked, there)]
    last = [{key: curve[recorded.end] for key, curve in found.items()} for found in pairs]
    assert last[0] == last[1]
    assert last[1]["airflow-payments", "scheduler"] == 2
    for key, curve in pairs[0].items():
        differs = [at for at, value in curve.items() if pairs[1][key][at] != value]
        assert len(differs) <= 3, (key, differs)


def test_what_has_ended_is_gone_when_its_successor_is_there(recorded: Recorded) -> None:
    """Imported series have no mark of their end, so that Prometheus would find them for five minutes."""
    pushed = next(one["at"] for one in about()["happened"] if one["what"] == "push revision")
    revisions = 'count(airflow_tenant_dags_revision_info{tenant="payments"})'
    assert [found["value"][1] for found in recorded.query(revisions, pushed + 220)] == ["1"]


def _by_moment(recorded: Recorded, expr: str) -> dict[tuple[str, str], dict[int, float]]:
    return {
        (found["metric"]["namespace"], found["metric"]["component"]): {
            int(at): float(value) for at, value in found["values"]
        }
        for found in recorded.query_range(expr)
    }


def test_scrapes_are_moved_to_the_grid(tmp_path: Path) -> None:
    lines = [
        "# what promtool writes",
        'b{x="1"} 2 1000.004',
        'b{x="1"} 3 1009.9',
        'ALERTS{alertname="A"} 1 1000',
        "slo:x 1 1000",
        'a{x="a b"} 1 1004',
    ]
    told = scraping.write(lines, tmp_path / "out.gz")
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()).decode() == (
        'a{x="a b"} 1 1000\nb{x="1"} 2 1000\nb{x="1"} 3 1010\n# EOF\n'
    )
    assert told == (1000, 1010, 2, 3)


class Played:
    """Answers one range query with given points of one series."""

    start, end = 0, 600

    def __init__(self, *moments: int) -> None:
        self._moments = moments

    def query_range(self, *_: Any) -> list[dict[str, Any]]:
        return [{"metric": {"tenant": "t"}, "values": [[at, "1"] for at in self._moments]}]


def test_an_alert_is_pending_before_it_fires_and_starts_anew_after_a_gap() -> None:
    rule = rules.Rule("Late", "x > 0", True, 30, 60, {"severity": "warning", "by": "{{ $labels.x }}"})
    made = list(rules.evaluate(rule, Played(0, 30, 60, 90, 300, 330)))  # type: ignore[arg-type]
    states = [line for line in made if line.startswith("ALERTS{")]
    assert ["firing" in line for line in states] == [False, False, True, True, False, False]
    assert states[2] == ('ALERTS{alertname="Late",alertstate="firing",severity="warning",tenant="t"} 1 60')
    assert [line.split()[-2] for line in made if line.startswith("ALERTS_FOR")] == ["0"] * 4 + ["300"] * 2


def test_rules_are_evaluated_after_those_that_they_read() -> None:
    first, second = rules.Rule("a:b", "up", False, 30), rules.Rule("c:d", "a:b + 1", False, 30)
    alert = rules.Rule("Wrong", "c:d > 1", True, 30)
    assert rules.levels([alert, second, first]) == [[first], [second], [alert]]
    with pytest.raises(ValueError, match="need each other"):
        rules.levels([rules.Rule("a:b", "c:d", False, 30), second])


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert rules.seconds(text) == expected


def test_a_written_series_with_a_lead_begins_before_the_recording() -> None:
    """Else the first five minutes of a rate over five minutes would climb from nothing."""
    span = written.Range(1000, 1300, 10)
    first: dict[str, int] = {}
    for line in written.lines(span):
        name, _, at = line.rpartition(" ")
        first.setdefault(name.partition("{")[0], int(at))
    assert first["traefik_service_requests_total"] == first["envoy_cluster_upstream_rq"] == 700
    assert first["kube_pod_status_phase"] == 1000


def test_written_curves_are_the_same_every_time_and_counters_grow() -> None:
    span = written.Range(1000, 1300, 10)
    made = list(written.lines(span))
    assert made == list(written.lines(span))
    values: dict[str, list[float]] = {}
    for line in made:
        series, value, moment = line.rsplit(" ", 2)
        assert (int(moment) - 1000) % 10 == 0
        values.setdefault(series, []).append(float(value))
    counters = {name: curve for name, curve in values.items() if "_total{" in name}
    assert len(counters) > 50
    shrinking = [name for name, curve in counters.items() if curve != sorted(curve)]
    assert not shrinking
    bounds = [
        curve[-1] for name, curve in sorted(values.items()) if "seconds_bucket" in name and "payments" in name
    ]
    assert len(bounds) > 5
