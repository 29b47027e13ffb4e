"""Stage 1 by itself, stage 2 by itself; both together run in the live Airflow."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases.file_stages import checksums

FILES = ["A.TXT", "B.TXT"]


def without_stage2(dag):
    """`dag.test()` has no scheduler that would run the triggered DAG."""
    trigger = dag.get_task("trigger_etl_stage2")
    trigger.wait_for_completion = trigger.deferrable = trigger.fail_when_dag_is_paused = False


@pytest.mark.covers("D000-10")
def test_stage_1_maps_over_the_files_and_makes_their_names_upper_case():
    done = run("etl_stage1", change=without_stage2)
    assert done.state == "success"
    assert done.mapped("process_file") == 2
    assert [done.xcom("process_file", map_index=index) for index in range(2)] == FILES
    assert [done.tasks[f"process_file[{index}]"].rendered_map_index for index in range(2)] == [
        "A.txt",
        "B.txt",
    ]
    assert done.xcom("checksum_chunks") == checksums(FILES, 1)


@pytest.mark.covers("D000-10")
def test_the_hand_over_waits_without_a_worker_slot_and_follows_the_state_of_stage_2():
    trigger = bag().dags["etl_stage1"].get_task("trigger_etl_stage2")
    assert trigger.trigger_dag_id == "etl_stage2"
    assert trigger.downstream_task_ids == set()
    assert trigger.wait_for_completion
    assert trigger.deferrable
    assert trigger.failed_states == ["failed"]
    assert trigger.trigger_run_id == "stage1__{{ run_id }}"
    assert trigger.reset_dag_run
    assert trigger.fail_when_dag_is_paused


@pytest.mark.covers("D000-10")
def test_stage_2_publishes_what_was_handed_over():
    done = run("etl_stage2", conf={"files": FILES, "checksums": checksums(FILES, 1)})
    assert done.state == "success"
    assert done.xcom("publish_files") == 2


def test_stage_2_fails_at_once_when_a_checksum_is_wrong():
    done = run("etl_stage2", conf={"files": FILES, "checksums": {"A.TXT": "0"}})
    assert done.states == {"verify_checksums": "failed", "publish_files": "upstream_failed"}
    assert done.tries("verify_checksums") == 1


def test_stage_2_refuses_a_wrong_hand_over_when_the_run_is_created():
    with pytest.raises(ValueError, match=r"files|type"):
        run("etl_stage2", conf={"files": "A.TXT"})
