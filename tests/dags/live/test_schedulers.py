"""Two schedulers on one database share the work."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.airflow.server import AirflowServer
from tests.dags.home import ROOT
from tests.dags.live.airflow import LiveAirflow
from tests.dags.services.postgres import PostgresServer

#: DAG -> how many of its task instances are run by an executor.
WORK = {"dynamic_parallel_tasks": 8, "phase1_02_parallel_tasks": 3}
#: Rounds of that work until each scheduler must have had some of it.
ROUNDS = 8


@pytest.fixture
def second(live: LiveAirflow, tmp_path: Path) -> Iterator[AirflowServer]:
    """One more scheduler of the same Airflow."""
    other = AirflowServer(tmp_path, live.server.url, live.server.environment)
    other.run("scheduler", "--skip-serve-logs")
    yield other
    other.stop()


def alive(live: LiveAirflow) -> set[int]:
    found = live.call("GET", "/api/v2/jobs?job_type=SchedulerJob&job_state=running&is_alive=true")["jobs"]
    return {job["id"] for job in found}


def queued_by(live: LiveAirflow, postgres_server: PostgresServer, dag_id: str, run_id: str) -> set[int]:
    """The schedulers that gave this run's tasks to their executor: the API does not tell it."""
    database = live.server.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].rpartition("/")[2]
    found = postgres_server.execute(
        database,
        "SELECT DISTINCT queued_by_job_id FROM task_instance WHERE dag_id = %s AND run_id = %s",
        dag_id,
        run_id,
    )
    return {job for (job,) in found if job is not None}


def starts(live: LiveAirflow, dag_id: str, run_id: str) -> Counter[Any]:
    """How often each task instance of a run was started."""
    query = f"dag_id={dag_id}&run_id={quote(run_id, safe='')}&event=running&limit=100"
    events = live.call("GET", f"/api/v2/eventLogs?{query}")["event_logs"]
    return Counter((event["task_id"], event["map_index"]) for event in events)


@pytest.mark.covers("S003-03")
def test_two_schedulers_share_the_work_and_start_no_task_twice(
    live: LiveAirflow, second: AirflowServer, postgres_server: PostgresServer
) -> None:
    both = live.until(lambda: len(jobs := alive(live)) == 2 and jobs, 120, lambda: second.log("scheduler"))
    worked = set[int]()
    for _ in range(ROUNDS):
        runs = {dag_id: live.trigger(dag_id) for dag_id in WORK}
        for dag_id, run_id in runs.items():
            assert live.wait(dag_id, run_id, 240) == "success"
            counted = starts(live, dag_id, run_id)
            assert len(counted) == WORK[dag_id], counted
            assert set(counted.values()) == {1}
            assert {task["try_number"] for task in live.tasks(dag_id, run_id)} <= {0, 1}
            same = [run["dag_run_id"] for run in live.runs(dag_id) if run["dag_run_id"] == run_id]
            assert same == [run_id]
            worked |= queued_by(live, postgres_server, dag_id, run_id)
        if worked == both:
            break
    assert worked == both, "one of them did nothing"
    running = [server.processes["scheduler"].poll() for server in (live.server, second)]
    assert running == [None, None], "neither gave up"
    assert replicas_of_a_tenant_with_two() == 2


def replicas_of_a_tenant_with_two() -> int:
    """What the operator and the chart make of `scheduler.replicas: 2`; Helm is in the other environment."""
    code = (
        "from tests.charts.support import RELEASE, render_chart\n"
        "from tests.unit.operator.support import tenant\n"
        "from tenant_operator.plan import values\n"
        "spec = tenant(airflow={'scheduler': {'replicas': 2}})\n"
        "chart = render_chart(values.build(spec, {}, values.Defaults()))\n"
        "print(chart[('Deployment', f'{RELEASE}-scheduler')]['spec']['replicas'])\n"
    )
    python = ROOT / ".venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return int(done.stdout)
