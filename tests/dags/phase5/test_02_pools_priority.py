"""A pool, its slots and who goes first (that it is so at run time: the live tests)."""

from __future__ import annotations

import pytest
import yaml
from tests.dags.home import ROOT
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase5_02_pools_priority"


@pytest.mark.covers("P05.2")
def test_pool_slots_and_weights_of_every_task():
    assert {
        task.task_id: (task.pool, task.pool_slots, task.priority_weight) for task in bag().dags[DAG_ID].tasks
    } == {
        "refresh_orders": ("warehouse_writes", 1, 40),
        "refresh_stock": ("warehouse_writes", 1, 30),
        "refresh_customers": ("warehouse_writes", 1, 20),
        "refresh_returns": ("warehouse_writes", 1, 10),
        "rebuild_report": ("warehouse_writes", 2, 1),
    }


@pytest.mark.covers("P05.2")
def test_weights_are_absolute_so_that_what_follows_adds_nothing():
    assert {task.task_id: task.weight_rule for task in bag().dags[DAG_ID].tasks} == {
        "refresh_orders": "absolute",
        "refresh_stock": "absolute",
        "refresh_customers": "absolute",
        "refresh_returns": "absolute",
        "rebuild_report": "downstream",
    }


def test_the_pool_of_the_sample_has_the_slots_that_the_heaviest_task_needs():
    sample = yaml.safe_load((ROOT / "manifests/tenants/base/platform/tenant.yaml").read_text())
    [pool] = [pool for pool in sample["spec"]["pools"] if pool["name"] == "warehouse_writes"]
    assert pool["slots"] == max(task.pool_slots for task in bag().dags[DAG_ID].tasks) == 2


def test_the_run_succeeds():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("rebuild_report") == "report"
