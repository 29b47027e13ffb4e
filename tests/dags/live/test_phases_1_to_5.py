"""What only a real scheduler shows: overlap, pools and priorities, masked logs, callbacks, deadlines."""

from __future__ import annotations

import datetime
import itertools
import json
import urllib.error
from collections import Counter
from urllib.parse import quote

import pytest

PASSWORD = "correct-horse-battery"
BRANCHES = {"count_sales_north", "count_sales_south", "count_sales_west"}
BY_WEIGHT = ["refresh_orders", "refresh_stock", "refresh_customers", "refresh_returns"]


def spans(live, dag_id, run_id):
    """Task -> (start, end)."""
    parse = datetime.datetime.fromisoformat
    return {
        task["task_id"]: (parse(task["start_date"]), parse(task["end_date"]))
        for task in live.tasks(dag_id, run_id)
        if task["start_date"] and task["end_date"]
    }


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


def put(live, kind, key, body):
    """Create a connection or Variable, or replace it."""
    try:
        live.call("DELETE", f"/api/v2/{kind}/{key}")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    live.call("POST", f"/api/v2/{kind}", body)


def missed_deadlines(live, dag_id, run_id):
    """(when, what) of every deadline callback of a run, from the executor's log files."""
    start = "missed deadline: "
    folder = live.directory.parent / "logs" / "executor_callbacks" / dag_id / run_id
    lines = [json.loads(line) for file in folder.glob("*") for line in file.read_text().splitlines()]
    return [
        (datetime.datetime.fromisoformat(line["timestamp"]), json.loads(line["event"].removeprefix(start)))
        for line in lines
        if line["event"].startswith(start)
    ]


@pytest.fixture
def records(live):
    """Read the records that callbacks of a run wrote."""
    folder = live.directory / "callbacks"
    key = "platform_callbacks_folder"
    put(live, "variables", key, {"key": key, "value": str(folder)})

    def read(run_id):
        file = folder / "callbacks.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [record for record in map(json.loads, lines) if record["run_id"] == run_id]

    return read


@pytest.mark.covers("P01.2")
def test_branches_run_at_the_same_time(live):
    dag_id = "phase1_02_parallel_tasks"
    run_id = live.trigger(dag_id, {"work_seconds": 8})  # their processes do not start at the same moment
    assert live.wait(dag_id, run_id) == "success"
    at = spans(live, dag_id, run_id)
    together = [
        pair for pair in itertools.combinations(sorted(BRANCHES), 2) if overlap(at[pair[0]], at[pair[1]])
    ]
    assert together


@pytest.mark.covers("P05.2")
def test_in_a_pool_of_one_slot_tasks_run_one_by_one_in_the_order_of_their_weights(live):
    dag_id = "phase5_02_pools_priority"
    live.pool("warehouse_writes", 1)
    try:
        run_id = live.trigger(dag_id, {"work_seconds": 0.5})
        live.until(lambda: all(live.states(dag_id, run_id).get(task) == "success" for task in BY_WEIGHT), 180)
        at = spans(live, dag_id, run_id)
        assert sorted(BY_WEIGHT, key=lambda task: at[task][0]) == BY_WEIGHT
        assert not any(overlap(at[one], at[other]) for one, other in itertools.combinations(BY_WEIGHT, 2))
        assert live.states(dag_id, run_id)["rebuild_report"] in (None, "scheduled")  # it needs two slots
    finally:
        live.pool("warehouse_writes", 2)
    assert live.wait(dag_id, run_id) == "success"


@pytest.mark.covers("P05.1")
def test_the_log_shows_stars_instead_of_the_password(live):
    dag_id = "phase5_01_connections_variables"
    connection = {
        "connection_id": "postgres_conn",
        "conn_type": "postgres",
        "host": "db.example.com",
        "schema": "shop",
        "login": "report",
        "password": PASSWORD,
    }
    put(live, "connections", "postgres_conn", connection)
    run_id = live.trigger(dag_id)
    assert live.wait(dag_id, run_id) == "success"
    path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
    lines = live.call("GET", f"{path}/check_login/logs/1?full_content=true")["content"]
    events = [line["event"] if isinstance(line, dict) else line for line in lines]
    assert "connected: postgresql://report:***@db.example.com" in events
    assert PASSWORD not in json.dumps(lines)
    rendered = live.call("GET", f"{path}/check_login")["rendered_fields"]
    assert rendered["env"] == {"PGHOST": "db.example.com", "PGUSER": "report", "PGPASSWORD": "***"}


@pytest.mark.covers("P05.4")
def test_a_missed_deadline_calls_back_once_after_its_interval_and_the_run_goes_on(live):
    dag_id = "phase5_04_callbacks"
    run_id = live.trigger(dag_id, {"work_seconds": 13, "failing_tries": 0})
    live.until(lambda: missed_deadlines(live, dag_id, run_id))
    run = live.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
    assert live.wait(dag_id, run_id) == "success"
    [(logged, record)] = missed_deadlines(live, dag_id, run_id)
    queued = datetime.datetime.fromisoformat(run["queued_at"])
    deadline = datetime.datetime.fromisoformat(record["deadline"])
    assert deadline - queued == datetime.timedelta(seconds=10)
    assert deadline < logged
    assert (record["dag_id"], record["run_id"]) == (dag_id, run_id)


@pytest.mark.covers("P05.4")
@pytest.mark.parametrize(
    ("refused", "state", "event"), [(False, "success", "run_success"), (True, "failed", "run_failure")]
)
def test_the_end_of_a_run_is_recorded_once(live, records, refused, state, event):
    dag_id = "phase5_04_callbacks"
    run_id = live.trigger(dag_id, {"failing_tries": 0, "tills_refuse": refused})
    assert live.wait(dag_id, run_id) == state
    live.until(lambda: [record for record in records(run_id) if "task_id" not in record])
    found = Counter(record["event"] for record in records(run_id) if "task_id" not in record)
    assert found == {event: 1}
