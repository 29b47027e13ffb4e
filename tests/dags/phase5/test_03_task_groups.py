"""Groups that repeat, and a group inside a group."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase5_03_task_groups"
IN_A_GROUP = ("extract_rows", "validate.check_columns", "validate.check_count", "store_rows")
GROUPED = {f"{group}.{task}" for group in ("load_orders", "load_customers") for task in IN_A_GROUP}


@pytest.mark.covers("P05.3")
def test_task_ids_carry_the_prefix_of_both_levels():
    assert set(bag().dags[DAG_ID].task_ids) == GROUPED | {"open_day", "close_day"}


@pytest.mark.covers("P05.3")
def test_the_groups_form_a_tree_of_two_levels():
    root = bag().dags[DAG_ID].task_group
    groups = root.get_task_group_dict()
    assert set(groups) == {
        None,
        "load_orders",
        "load_orders.validate",
        "load_customers",
        "load_customers.validate",
    }
    assert groups["load_orders.validate"].parent_group.group_id == "load_orders"
    assert groups["load_orders"].parent_group.group_id is None


@pytest.mark.covers("P05.3")
def test_dependencies_between_groups_reach_their_first_and_last_tasks():
    dag = bag().dags[DAG_ID]
    assert dag.get_task("load_orders.extract_rows").upstream_task_ids == {"open_day"}
    assert dag.get_task("load_orders.store_rows").upstream_task_ids == {
        "load_orders.validate.check_columns",
        "load_orders.validate.check_count",
    }
    assert dag.get_task("close_day").upstream_task_ids == {
        "load_orders.store_rows",
        "load_customers.store_rows",
    }


@pytest.mark.covers("P05.3")
def test_the_run_succeeds_and_each_group_works_on_its_own_source():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("success") == GROUPED | {"open_day", "close_day"}
    assert done.xcom("load_orders.store_rows") == "orders: 6"
    assert done.xcom("load_customers.store_rows") == "customers: 4"


def test_default_arguments_of_the_group_come_before_the_dags():
    dag = bag().dags[DAG_ID]
    assert {dag.get_task(task_id).retries for task_id in GROUPED} == {3}
    assert dag.get_task("open_day").retries == 1


def test_an_empty_source_stops_its_own_group_only(monkeypatch):
    from airflow_usecases import tables

    monkeypatch.setattr(tables, "ORDERS", ())

    def impatient(dag):
        for task in dag.tasks:
            task.retries = 0

    done = run(DAG_ID, change=impatient)
    assert done.state == "failed"
    assert done.of("failed") == {"load_orders.validate.check_count"}
    assert done.of("upstream_failed") == {"load_orders.store_rows", "close_day"}
    assert done.states["load_customers.store_rows"] == "success"
