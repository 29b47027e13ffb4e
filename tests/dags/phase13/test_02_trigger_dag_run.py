"""A DAG that starts another one."""

from __future__ import annotations

from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase13_02_trigger_dag_run"
EXPORT = f"{DAG_ID}__child_export"


def test_too_few_customers_start_nothing():
    done = run(DAG_ID, conf={"minimum": 4})
    assert done.state == "success"
    assert done.states == {
        "select_customers": "success",
        "check_reach": "success",
        "plan_export": "skipped",
        "trigger_export": "skipped",
        "trigger_digest": "skipped",
    }


def test_the_trigger_waits_without_a_worker_and_survives_its_own_retry():
    trigger = bag().dags[DAG_ID].get_task("trigger_export")
    assert (trigger.trigger_dag_id, trigger.wait_for_completion, trigger.deferrable) == (EXPORT, True, True)
    assert trigger.reset_dag_run
    assert trigger.trigger_run_id == "export__{{ run_id }}"
    assert trigger.fail_when_dag_is_paused


def test_the_child_takes_its_selection_from_conf():
    done = run(EXPORT, conf={"campaign": "spring", "inactive_days": 130}, logical_date=None)
    assert done.state == "success"
    assert done.xcom("export_customers") == {"lines": 2, "campaign": "spring"}


def test_the_child_can_fail_for_the_demonstration():
    assert run(EXPORT, conf={"fail": True}).states == {"export_customers": "failed"}
