"""Fan-out, list to list and fan-in."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases.sales import ORDERS

DAG_ID = "phase1_02_parallel_tasks"
REGIONS = {"count_sales_north", "count_sales_south", "count_sales_west"}
REPORTS = {"build_sales_report", "build_stock_report"}


@pytest.mark.covers("P01.2")
def test_three_branches_start_from_one_task_and_each_report_waits_for_all_three():
    dag = bag().dags[DAG_ID]
    assert dag.get_task("open_day").downstream_task_ids == REGIONS
    for region in REGIONS:
        assert dag.get_task(region).upstream_task_ids == {"open_day"}
    for report in REPORTS:
        assert dag.get_task(report).upstream_task_ids == REGIONS


@pytest.mark.covers("P01.2")
def test_the_join_has_every_report_upstream():
    assert bag().dags[DAG_ID].get_task("publish_reports").upstream_task_ids == REPORTS


@pytest.mark.covers("P01.2")
def test_the_run_succeeds_and_each_region_counts_its_own_sales():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("success") == REGIONS | REPORTS | {"open_day", "publish_reports"}
    counts = {name: done.xcom(name) for name in REGIONS}
    assert counts == {"count_sales_north": 3, "count_sales_south": 2, "count_sales_west": 1}
    assert sum(counts.values()) == len(ORDERS)
