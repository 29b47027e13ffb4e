"""The canary tells how late it was."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
import time_machine
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "platform_canary"


def test_the_latency_leaves_as_a_timer(datagrams):
    done = run(DAG_ID)
    assert done.state == "success"
    [line] = [line for line in datagrams() if line.startswith("airflow.canary.latency")]
    name, _, value = line.partition(":")
    milliseconds, _, kind = value.partition("|")
    assert (name, kind) == ("airflow.canary.latency", "ms")
    assert float(milliseconds) == pytest.approx(done.xcom("measure_latency") * 1000, abs=1)


@pytest.mark.parametrize(("late", "latency"), [(90, 90), (-5, 0)], ids=["late", "clocks-differ"])
def test_the_latency_counts_from_when_the_run_was_due(monkeypatch, late, latency):
    function = bag().dags[DAG_ID].get_task("measure_latency").python_callable
    now = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
    due = now - datetime.timedelta(seconds=late)
    context = {"dag_run": SimpleNamespace(run_after=due)}
    monkeypatch.setitem(function.__globals__, "get_current_context", lambda: context)
    with time_machine.travel(now, tick=False):
        assert function() == latency


def test_it_is_scheduled_often_and_one_late_run_does_not_pile_up_others():
    dag = bag().dags[DAG_ID]
    assert dag.schedule == "*/5 * * * *"
    assert dag.max_active_runs == 1
    assert dag.catchup is False
