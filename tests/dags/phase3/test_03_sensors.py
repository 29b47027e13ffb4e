"""Sensors: what they wait for, how, and how they give up."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase3_03_sensors"
SENSORS = {
    "wait_for_price_list",
    "wait_for_rows",
    "wait_for_opening",
    "wait_for_stock_list",
    "wait_for_promotions",
}
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def folder(tmp_path, connect):
    """A complete delivery: all three files and the announced number of rows."""
    connect("shop_files", "fs", extra={"path": str(tmp_path)})
    (tmp_path / "prices.csv").write_text("article,price\nA,1.00\nB,2.00\n")
    (tmp_path / "prices.csv.rows").write_text("2")
    (tmp_path / "stock.csv").write_text("article,pieces\nA,3\n")
    (tmp_path / "promotions.csv").write_text("article\nA\n")
    return tmp_path


def open_shop(dag):
    """The tests do not wait for six o'clock."""
    dag.get_task("wait_for_opening").target_datetime = LONG_AGO


def impatient(*task_ids, notes=None):
    """These sensors give up after a moment; `notes` collects the exceptions of failed ones."""

    def change(dag):
        open_shop(dag)
        for task_id in task_ids:
            task = dag.get_task(task_id)
            task.timeout = 0.15
            if notes is not None:
                task.on_failure_callback = [lambda context: notes.append(context["exception"])]

    return change


@pytest.mark.covers("P03.3")
def test_with_all_files_present_every_sensor_succeeds(folder):
    done = run(DAG_ID, change=open_shop)
    assert done.state == "success"
    assert done.of("success") == SENSORS | {"load_prices"}
    assert done.xcom("load_prices") == 2


@pytest.mark.covers("P03.3")
def test_an_absent_file_fails_the_sensor_by_its_timeout_and_the_soft_twin_is_skipped(folder):
    from airflow.sdk.exceptions import AirflowSensorTimeout

    (folder / "prices.csv").unlink()
    (folder / "promotions.csv").unlink()
    notes = []
    done = run(DAG_ID, change=impatient("wait_for_price_list", "wait_for_promotions", notes=notes))
    assert done.state == "failed"
    assert done.of("failed") == {"wait_for_price_list"}
    assert done.of("skipped") == {"wait_for_promotions"}
    assert done.of("upstream_failed") == {"wait_for_rows", "load_prices"}
    assert [type(error) for error in notes] == [AirflowSensorTimeout]


@pytest.mark.covers("P03.3")
def test_missing_promotions_alone_do_not_stop_the_load(folder):
    (folder / "promotions.csv").unlink()
    done = run(DAG_ID, change=impatient("wait_for_promotions"))
    assert done.state == "success"
    assert done.of("skipped") == {"wait_for_promotions"}
    assert done.states["load_prices"] == "success"


@pytest.mark.covers("P03.3")
def test_the_deferred_sensor_is_resumed_when_its_file_arrives(folder, monkeypatch):
    from airflow.providers.standard.sensors.filesystem import FileSensor

    stock = folder / "stock.csv"
    stock.unlink()
    seen = []
    look, defer, resume = FileSensor.poke, FileSensor.defer, FileSensor.execute_complete

    def poke(self, context):
        found = look(self, context)
        if self.task_id == "wait_for_stock_list":
            stock.write_text("article,pieces\nA,3\n")  # too late for this look
        return found

    def watched_defer(self, **kwargs):
        seen.append((self.task_id, type(kwargs["trigger"]).__name__, kwargs["trigger"].filepath))
        defer(self, **kwargs)

    def watched_resume(self, context, event=None):
        seen.append((self.task_id, "resumed", event))
        return resume(self, context, event)

    monkeypatch.setattr(FileSensor, "poke", poke)
    monkeypatch.setattr(FileSensor, "defer", watched_defer)
    monkeypatch.setattr(FileSensor, "execute_complete", watched_resume)
    done = run(DAG_ID, change=open_shop)
    assert done.state == "success"
    assert seen == [
        ("wait_for_stock_list", "FileTrigger", str(stock)),
        ("wait_for_stock_list", "resumed", True),
    ]


@pytest.mark.covers("P03.3")
def test_a_rescheduled_sensor_gives_its_process_back_and_looks_again(folder, monkeypatch):
    from airflow_usecases import prices

    looks = []
    complete = prices.is_complete

    def at_the_third_look(folder, name):
        looks.append(name)
        return complete(folder, name) and len(looks) == 3

    def change(dag):
        open_shop(dag)
        dag.get_task("wait_for_rows").python_callable = at_the_third_look

    done = run(DAG_ID, change=change)
    assert done.state == "success"
    assert looks == ["prices.csv"] * 3
    assert done.tries("wait_for_rows") == 1


def test_before_six_the_time_sensor_says_no_and_after_six_yes():
    import time_machine

    sensor = bag().dags[DAG_ID].get_task("wait_for_opening")
    assert sensor.target_datetime.timetz() == datetime.time(6, tzinfo=datetime.UTC)
    for minutes, past in ((-1, False), (1, True)):
        moment = sensor.target_datetime + datetime.timedelta(minutes=minutes)
        with time_machine.travel(moment, tick=False):
            assert sensor.poke({}) is past


@pytest.mark.covers("P03.3")
@pytest.mark.parametrize(
    ("task_id", "sensor", "mode", "interval", "timeout"),
    [
        ("wait_for_price_list", "FileSensor", "poke", 10, 300),
        ("wait_for_rows", "PythonSensor", "reschedule", 60, 3600),
        ("wait_for_opening", "TimeSensor", "reschedule", 300, 25200),
        ("wait_for_stock_list", "FileSensor", "deferrable", 60, 3600),
        ("wait_for_promotions", "FileSensor", "reschedule", 60, 600),
    ],
)
def test_mode_interval_and_timeout_of_each_sensor(task_id, sensor, mode, interval, timeout):
    task = bag().dags[DAG_ID].get_task(task_id)
    assert task.task_type == sensor
    assert ("deferrable" if getattr(task, "deferrable", False) else task.mode) == mode
    assert (task.poke_interval, task.timeout) == (interval, timeout)
    assert task.soft_fail is (task_id == "wait_for_promotions")
