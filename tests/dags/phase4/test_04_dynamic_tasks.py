"""As many tasks as there is work."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases import shop_files

DAG_ID = "phase4_04_dynamic_tasks"
FILES = [f"orders_2026-03-0{day}.csv" for day in range(1, 6)]
MAPPED = ("check_file", "load_file", "archive_file.parse_file", "archive_file.store_file")


@pytest.mark.covers("P04.4")
@pytest.mark.parametrize("count", [1, 3, 5])
def test_there_are_as_many_instances_as_files(count):
    done = run(DAG_ID, conf={"files": FILES[:count]})
    assert done.state == "success"
    assert {task_id: done.mapped(task_id) for task_id in MAPPED} == dict.fromkeys(MAPPED, count)
    assert set(done.states.values()) == {"success"}


@pytest.mark.covers("P04.4")
def test_an_empty_list_skips_the_mapped_tasks_and_what_follows():
    done = run(DAG_ID, conf={"files": []})
    assert done.state == "success"
    assert done.of("success") == {"list_files"}
    assert done.of("skipped") == {*MAPPED, "plan_loads", "sum_rows"}


@pytest.mark.covers("P04.4")
def test_each_instance_gets_its_own_arguments_and_the_sum_sees_all():
    done = run(DAG_ID, conf={"files": FILES[:3]})
    rows = [shop_files.rows_of(**shop_files.plan(file)) for file in FILES[:3]]
    assert [done.xcom("load_file", map_index=place) for place in range(3)] == rows
    assert done.xcom("sum_rows") == sum(rows)
    assert [done.xcom("archive_file.store_file", map_index=place) for place in range(3)] == [
        "archive/orders"
    ] * 3


@pytest.mark.covers("P04.4")
def test_the_ui_names_an_instance_by_its_file():
    done = run(DAG_ID, conf={"files": FILES[:2]})
    assert [done.tasks[f"check_file[{place}]"].rendered_map_index for place in range(2)] == FILES[:2]


def test_one_bad_file_fails_alone_and_the_load_does_not_start():
    done = run(DAG_ID, conf={"files": [FILES[0], "readme.txt"]})
    assert done.state == "failed"
    assert done.of("failed") == {"check_file[1]"}
    assert done.states["check_file[0]"] == "success"
    assert done.states["plan_loads"] == "upstream_failed"


def test_at_most_four_loads_of_a_run_work_at_once():
    assert bag().dags[DAG_ID].get_task("load_file").max_active_tis_per_dagrun == 4
