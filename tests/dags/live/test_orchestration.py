"""DAGs that wait for, start and feed each other, in a real scheduler."""

from __future__ import annotations

import datetime
import itertools

import pytest

from airflow_usecases import alignment
from airflow_usecases.dependency_graph import Edge, from_response, neighbourhood

SENSOR = "phase13_01_external_task_sensor"
LEDGER, RATES = f"{SENSOR}__child_ledger", f"{SENSOR}__child_rates"
CAMPAIGN = "phase13_02_trigger_dag_run"
EXPORT, DIGEST = f"{CAMPAIGN}__child_export", f"{CAMPAIGN}__child_digest"
FLOW = "phase13_03_dag_dependencies"
INGEST, REPORT = f"{FLOW}__child_ingest", f"{FLOW}__child_report"

_mornings = itertools.count()


def a_morning() -> datetime.datetime:
    """A logical date of the report that no other test uses."""
    first = datetime.datetime(2025, 6, 2, 6, tzinfo=datetime.UTC)  # a Monday
    return first + datetime.timedelta(weeks=next(_mornings))


def seconds_of(live, dag_id, run_id, task_id):
    """How long a task took from its start to its end, deferral included; and when it ended."""
    task = next(task for task in live.tasks(dag_id, run_id) if task["task_id"] == task_id)
    started, ended = (datetime.datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return (ended - started).total_seconds(), ended


@pytest.mark.covers("P13.1")
def test_the_report_runs_when_the_matching_upstream_runs_succeed(live):
    morning = a_morning()
    rates = live.trigger(RATES, logical_date=alignment.latest_fixing(morning).isoformat())
    assert live.wait(RATES, rates) == "success"
    report = live.trigger(SENSOR, logical_date=morning.isoformat())
    live.until(lambda: live.states(SENSOR, report).get("wait_for_ledger") == "deferred")
    # a run of another date does not count
    other = live.trigger(LEDGER, logical_date=(morning - datetime.timedelta(hours=5)).isoformat())
    assert live.wait(LEDGER, other) == "success"
    assert live.states(SENSOR, report)["wait_for_ledger"] == "deferred"
    ledger = live.trigger(LEDGER, logical_date=(morning - alignment.LEDGER_LEAD).isoformat())
    assert live.wait(LEDGER, ledger) == "success"
    assert live.wait(SENSOR, report) == "success"
    assert set(live.states(SENSOR, report).values()) == {"success"}
    _, waited = seconds_of(live, SENSOR, report, "wait_for_ledger")
    _, closed = seconds_of(live, LEDGER, ledger, "close_ledger")
    assert closed < waited


@pytest.mark.covers("P13.1")
def test_the_report_fails_at_once_when_an_upstream_run_failed(live):
    morning = a_morning()
    rates = live.trigger(RATES, logical_date=alignment.latest_fixing(morning).isoformat())
    ledger = live.trigger(
        LEDGER, conf={"fail": True}, logical_date=(morning - alignment.LEDGER_LEAD).isoformat()
    )
    assert live.wait(LEDGER, ledger) == "failed"
    assert live.wait(RATES, rates) == "success"
    report = live.trigger(SENSOR, logical_date=morning.isoformat())
    assert live.wait(SENSOR, report) == "failed"
    assert live.states(SENSOR, report) == {
        "wait_for_ledger": "failed",
        "wait_for_rates": "success",
        "build_report": "upstream_failed",
    }
    took, _ = seconds_of(live, SENSOR, report, "wait_for_ledger")
    assert took < 600  # its timeout is 3 hours


@pytest.mark.covers("P13.2")
def test_the_child_runs_with_conf_and_its_parent_waits_for_it(live):
    live.unpause(EXPORT)
    live.unpause(DIGEST)
    parent = live.trigger(CAMPAIGN, conf={"campaign": "spring", "inactive_days": 130})
    assert live.wait(CAMPAIGN, parent) == "success"
    child = next(run for run in live.runs(EXPORT) if run["dag_run_id"] == f"export__{parent}")
    assert child["state"] == "success"
    wanted = {"campaign": "spring", "inactive_days": 130, "fail": False}
    assert {name: child["conf"].get(name) for name in wanted} == wanted
    assert live.xcom(EXPORT, child["dag_run_id"], "export_customers") == {"lines": 2, "campaign": "spring"}
    assert child["logical_date"] is None
    _, waited = seconds_of(live, CAMPAIGN, parent, "trigger_export")
    assert datetime.datetime.fromisoformat(child["end_date"]) < waited


@pytest.mark.covers("P13.2")
def test_without_the_condition_the_trigger_is_skipped_and_no_run_exists(live):
    before = {run["dag_run_id"] for run in live.runs(EXPORT)}
    parent = live.trigger(CAMPAIGN, conf={"minimum": 5})
    assert live.wait(CAMPAIGN, parent) == "success"
    states = live.states(CAMPAIGN, parent)
    assert (states["trigger_export"], states["trigger_digest"]) == ("skipped", "skipped")
    assert {run["dag_run_id"] for run in live.runs(EXPORT)} == before


@pytest.mark.covers("P13.2")
def test_a_failed_child_fails_its_parent(live):
    live.unpause(EXPORT)
    live.unpause(DIGEST)
    parent = live.trigger(CAMPAIGN, conf={"fail_child": True})
    assert live.wait(CAMPAIGN, parent) == "failed"
    states = live.states(CAMPAIGN, parent)
    assert (states["trigger_export"], states["trigger_digest"]) == ("failed", "upstream_failed")
    child = next(run for run in live.runs(EXPORT) if run["dag_run_id"] == f"export__{parent}")
    assert child["state"] == "failed"


def test_the_second_campaign_of_a_day_starts_no_second_digest(live):
    live.unpause(EXPORT)
    live.unpause(DIGEST)
    days = [datetime.datetime(2025, 9, 1, hour, tzinfo=datetime.UTC) for hour in (8, 9)]
    parents = [live.trigger(CAMPAIGN, logical_date=moment.isoformat()) for moment in days]
    assert [live.wait(CAMPAIGN, parent) for parent in parents] == ["success", "success"]
    triggers = [live.states(CAMPAIGN, parent)["trigger_digest"] for parent in parents]
    assert sorted(triggers) == ["skipped", "success"]
    digests = [run["dag_run_id"] for run in live.runs(DIGEST)]
    assert digests.count("digest__2025-09-01") == 1


def run_caused_by(live, ingest):
    """The transform's run that an ingest's event started, or None."""
    for run in live.runs(FLOW):
        events = live.call("GET", f"/api/v2/dags/{FLOW}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")
        if any(event["source_run_id"] == ingest for event in events["asset_events"]):
            return run["dag_run_id"]
    return None


@pytest.mark.covers("P13.3")
def test_an_ingest_starts_the_transform_which_reads_its_xcom_and_starts_the_report(live):
    live.unpause(FLOW)
    live.unpause(REPORT)
    ingest = live.trigger(INGEST, conf={"from_start": True})
    assert live.wait(INGEST, ingest) == "success"
    transform = live.until(lambda: run_caused_by(live, ingest))
    assert live.wait(FLOW, transform) == "success"
    manifest = live.xcom(FLOW, transform, "read_manifest")
    assert (manifest["source_run_id"], manifest["last"]) == (ingest, 1006)
    assert live.xcom(REPORT, f"report__{transform}", "write_report") == "6 orders, revenue 476.00"


@pytest.mark.covers("P13.3")
def test_a_failed_ingest_starts_nothing(live):
    live.unpause(FLOW)
    live.unpause(REPORT)
    before = len(live.runs(FLOW))
    ingest = live.trigger(INGEST, conf={"fail_at": "ingest"})
    assert live.wait(INGEST, ingest) == "failed"
    # an ingest after it does start the transform: the scheduler has looked since the failure
    proof = live.trigger(INGEST)
    transform = live.until(lambda: run_caused_by(live, proof))
    live.wait(FLOW, transform)
    assert run_caused_by(live, ingest) is None
    assert len(live.runs(FLOW)) == before + 1


@pytest.mark.covers("P13.3")
@pytest.mark.parametrize(
    ("step", "states", "report"),
    [
        (
            "transform",
            {"read_manifest": "success", "compute_revenue": "failed", "trigger_report": "upstream_failed"},
            None,
        ),
        (
            "report",
            {"read_manifest": "success", "compute_revenue": "success", "trigger_report": "failed"},
            "failed",
        ),
    ],
)
def test_a_later_failure_reaches_the_transform_and_never_the_ingest(live, step, states, report):
    live.unpause(FLOW)
    live.unpause(REPORT)
    ingest = live.trigger(INGEST, conf={"fail_at": step})
    assert live.wait(INGEST, ingest) == "success"
    transform = live.until(lambda: run_caused_by(live, ingest))
    assert live.wait(FLOW, transform) == "failed"
    assert live.states(FLOW, transform) == states
    reports = {run["dag_run_id"]: run["state"] for run in live.runs(REPORT)}
    assert reports.get(f"report__{transform}") == report


@pytest.mark.covers("P13.3")
def test_the_graph_of_the_api_joins_the_three_dags(live):
    edges = neighbourhood(from_response(live.call("GET", "/ui/dependencies")), f"dag:{FLOW}")
    assert edges == [
        Edge("asset:orders_ingested", f"dag:{FLOW}"),
        Edge(f"dag:{FLOW}", f"dag:{REPORT}"),
        Edge(f"dag:{INGEST}", "asset:orders_ingested"),
    ]


def test_an_ingest_that_is_cleared_hands_on_what_it_took(live):
    live.pause(FLOW)  # its runs would come while the next test counts them
    ingest = live.trigger(INGEST, conf={"from_start": True})
    assert live.wait(INGEST, ingest) == "success"
    first = live.tasks(INGEST, ingest)[0]["start_date"]
    again = live.trigger(INGEST)
    assert live.wait(INGEST, again) == "success"
    assert live.xcom(INGEST, again, "ingest_orders")["orders"] == 0
    clear = {"dry_run": False, "dag_run_id": ingest, "only_failed": False}
    live.call("POST", f"/api/v2/dags/{INGEST}/clearTaskInstances", clear)
    live.until(lambda: (live.tasks(INGEST, ingest)[0]["start_date"] or first) > first)
    assert live.wait(INGEST, ingest) == "success"
    assert live.xcom(INGEST, ingest, "ingest_orders")["orders"] == 6
