"""Shell commands: the last line, templates, exit codes, environment."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase3_01_bash_operator"
MARCH_2 = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)


@pytest.fixture
def exports(tmp_path):
    """A folder with a space in its name and one day's export."""
    folder = tmp_path / "shop exports"
    folder.mkdir()
    export = folder / "orders_2026-03-02.csv"
    export.write_text("order_id,amount\n1,9.90\n2,3.50\n3,1.00\n")
    checksum = hashlib.sha256(export.read_bytes()).hexdigest()
    (folder / f"{export.name}.sha256").write_text(f"{checksum}  {export.name}\n")
    return folder


@pytest.mark.covers("P03.1")
def test_the_xcom_is_the_last_line_with_the_rendered_date(exports):
    done = run(DAG_ID, conf={"export_folder": str(exports)}, logical_date=MARCH_2)
    assert done.states == dict.fromkeys(["find_export", "verify_checksum", "count_orders"], "success")
    assert done.xcom("find_export") == f"{exports}/orders_2026-03-02.csv"
    assert done.xcom("count_orders") == "2026-03-02 3 orders"


@pytest.mark.covers("P03.1")
def test_a_run_without_logical_date_renders_the_day_at_which_it_was_due(exports):
    done = run(DAG_ID, conf={"export_folder": str(exports)}, logical_date=None, run_after=MARCH_2)
    assert done.logical_date is None
    assert done.xcom("count_orders") == "2026-03-02 3 orders"


@pytest.mark.covers("P03.1")
def test_exit_code_99_skips_the_task_and_what_follows(exports):
    next_day = MARCH_2 + datetime.timedelta(days=1)
    done = run(DAG_ID, conf={"export_folder": str(exports)}, logical_date=next_day)
    assert done.states == dict.fromkeys(["find_export", "verify_checksum", "count_orders"], "skipped")
    assert done.state == "success"
    assert done.tries("find_export") == 1


@pytest.mark.covers("P03.1")
def test_exit_code_1_fails_the_task_after_its_retry(exports):
    (exports / "orders_2026-03-02.csv").write_text("order_id,amount\n1,9.90\n")
    done = run(DAG_ID, conf={"export_folder": str(exports)}, logical_date=MARCH_2)
    assert done.state == "failed"
    assert done.states == {
        "find_export": "success",
        "verify_checksum": "failed",
        "count_orders": "upstream_failed",
    }
    assert done.tries("verify_checksum") == 2


def test_a_folder_name_with_shell_code_in_it_is_a_name(tmp_path):
    trap = tmp_path / "trap"
    folder = f'{tmp_path}/"; touch {trap}; echo "'
    done = run(DAG_ID, conf={"export_folder": folder}, logical_date=MARCH_2)
    assert done.states["find_export"] == "skipped"
    assert not trap.exists()


@pytest.mark.covers("P03.1")
@pytest.mark.parametrize(
    ("task_id", "seen"), [("find_export", "nothing from outside"), ("count_orders", "inherited")]
)
def test_env_replaces_the_environment_unless_append_env_adds_to_it(exports, monkeypatch, task_id, seen):
    monkeypatch.setenv("FROM_THE_WORKER", "inherited")

    def show_variable(dag):
        dag.get_task(task_id).bash_command = 'echo "${FROM_THE_WORKER-nothing from outside}"'

    done = run(DAG_ID, conf={"export_folder": str(exports)}, logical_date=MARCH_2, change=show_variable)
    assert done.xcom(task_id) == seen
    assert bag().dags[DAG_ID].get_task(task_id).append_env is (seen == "inherited")
