"""One task per city, by a loop and by a mapping."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "dynamic_parallel_tasks"
LOOP = {f"city_processing.process_{city}" for city in ("NYC", "LA", "SF")}
MAPPED = {f"process_city[{index}]" for index in range(3)}
AROUND = {"start", "choose_cities", "list_cities", "end"}


@pytest.mark.covers("D000-1")
def test_the_loop_makes_one_task_with_an_id_of_its_own_for_each_city_inside_the_group():
    dag = bag().dags[DAG_ID]
    assert set(dag.task_ids) == LOOP | AROUND | {"report_no_orders", "process_city"}
    group = dag.task_group.children["city_processing"]
    assert set(group.children) == LOOP
    assert dag.get_task("choose_cities").downstream_task_ids == LOOP | {"report_no_orders"}
    assert dag.get_task("end").upstream_task_ids == LOOP | {"report_no_orders", "process_city"}


@pytest.mark.covers("D000-1")
def test_all_cities_are_processed_by_the_loop_and_by_three_mapped_tasks():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("success") == LOOP | MAPPED | AROUND
    assert done.of("skipped") == {"report_no_orders"}
    assert done.mapped("process_city") == 3
    assert done.xcom("city_processing.process_NYC") == {"city": "NYC", "orders": 120, "vans": 5}
    assert [done.xcom("process_city", map_index=index)["city"] for index in range(3)] == ["NYC", "LA", "SF"]
    assert done.tasks["process_city[1]"].rendered_map_index == "LA"


@pytest.mark.covers("D000-1")
def test_the_branch_skips_the_cities_below_the_minimum_and_the_mapping_does_not_care():
    done = run(DAG_ID, conf={"orders": {"NYC": 10, "LA": 80}, "minimum_orders": 50})
    assert done.state == "success"
    assert done.of("skipped") == {
        "city_processing.process_NYC",
        "city_processing.process_SF",
        "report_no_orders",
    }
    assert done.of("success") == {"city_processing.process_LA"} | MAPPED | AROUND


def test_without_enough_orders_anywhere_the_run_says_so():
    done = run(DAG_ID, conf={"orders": {}, "minimum_orders": 1})
    assert done.state == "success"
    assert done.of("skipped") == LOOP
    assert done.states["report_no_orders"] == "success"
