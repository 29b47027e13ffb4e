"""The smallest complete DAG."""

from __future__ import annotations

import re

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase1_01_hello_airflow"


@pytest.mark.covers("P01.1")
def test_the_tasks_form_the_line_that_its_documentation_shows():
    dag = bag().dags[DAG_ID]
    [line] = re.findall(r"^`(\w+(?: >> \w+)+)`$", dag.doc_md, re.MULTILINE)
    chain = line.split(" >> ")
    assert len(chain) == 4
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        name: set(chain[place + 1 : place + 2]) for place, name in enumerate(chain)
    }


@pytest.mark.covers("P01.1")
def test_the_run_succeeds_with_every_task():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.states == dict.fromkeys(["open_day", "extract_orders", "load_orders", "close_day"], "success")


def test_every_task_is_a_placeholder_that_has_the_default_arguments():
    dag = bag().dags[DAG_ID]
    assert {task.task_type for task in dag.tasks} == {"EmptyOperator"}
    assert {(task.owner, task.retries) for task in dag.tasks} == {("platform", 1)}
