"""The documented table of trigger rules is what Airflow does."""

from __future__ import annotations

import functools
import re

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase4_03_trigger_rules"
STATES = {"S": "success", "F": "failed", "K": "skipped", "U": "upstream_failed"}
COLUMNS = ("S S", "S F", "F F", "S K", "K K", "F K", "S U", "K U", "F U")


def table() -> dict[str, dict[str, str]]:
    """Column -> rule -> state, from the DAG's documentation."""
    rows = re.findall(r"^\| ([a-z_]+) \| (.+) \|$", bag().dags[DAG_ID].doc_md, re.MULTILINE)
    header, *rules = rows
    columns = header[1].split(" | ")
    return {
        column: {rule: STATES[cells.split(" | ")[place]] for rule, cells in rules}
        for place, column in enumerate(columns)
    }


@functools.cache
def ended(column: str):
    """The run in which the loads end as the column says."""
    orders, stock = (STATES[letter] for letter in column.split())
    return run(DAG_ID, conf={"orders": orders, "stock": stock})


@pytest.mark.covers("P04.3")
def test_the_table_and_the_dag_have_all_thirteen_rules_of_airflow():
    from airflow.sdk import TriggerRule

    every = {rule.value for rule in TriggerRule}
    assert len(every) == 13
    documented = table()
    assert tuple(documented) == COLUMNS
    for rules in documented.values():
        assert set(rules) | {"all_done_setup_success"} == every
    dag = bag().dags[DAG_ID]
    for rule in every - {"all_done_setup_success"}:
        follower = dag.get_task(f"run_if_{rule}")
        assert follower.trigger_rule == rule
        assert follower.upstream_task_ids == {"load_orders", "load_stock"}
    assert dag.get_task("close_staging").trigger_rule == "all_done_setup_success"


@pytest.mark.covers("P04.3")
@pytest.mark.parametrize("column", COLUMNS)
def test_every_rule_does_what_the_table_says(column):
    orders, stock = (STATES[letter] for letter in column.split())
    done = ended(column)
    assert (done.states["load_orders"], done.states["load_stock"]) == (orders, stock)
    assert {rule: done.states[f"run_if_{rule}"] for rule in table()[column]} == table()[column]


@pytest.mark.covers("P04.3")
@pytest.mark.parametrize("column", COLUMNS)
def test_the_run_fails_exactly_if_a_load_did(column):
    done = ended(column)
    failed = "F" in column or "U" in column
    assert done.state == ("failed" if failed else "success")
    assert done.states["watch_failures"] == ("failed" if failed else "skipped")


@pytest.mark.covers("P04.3")
@pytest.mark.parametrize(
    ("staging", "orders", "loads", "teardown"),
    [
        ("success", "success", "success", "success"),
        ("success", "failed", "failed", "success"),
        ("success", "skipped", "skipped", "success"),
        ("skipped", "success", "skipped", "skipped"),
        ("failed", "success", "upstream_failed", "upstream_failed"),
    ],
)
def test_the_teardown_runs_however_the_loads_ended_if_its_setup_succeeded(staging, orders, loads, teardown):
    done = run(DAG_ID, conf={"staging": staging, "orders": orders})
    assert done.states["open_staging"] == staging
    assert done.states["load_orders"] == loads
    assert done.states["close_staging"] == teardown


def test_the_watcher_is_the_only_last_task_besides_the_teardown():
    dag = bag().dags[DAG_ID]
    assert {task.task_id for task in dag.tasks if not task.downstream_task_ids} == {
        "watch_failures",
        "close_staging",
    }
