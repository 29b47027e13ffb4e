"""DataQualitySensor on real files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from tests.dags.lib.playing import context, play, rendered, round_trip

from tenant_airflow_lib import checks
from tenant_airflow_lib.hooks.rest import ServiceUnavailable
from tenant_airflow_lib.sensors.csv_quality import UnreadableFile
from tenant_airflow_lib.sensors.data_quality import DataQualitySensor
from tenant_airflow_lib.triggers.data_quality import DataQualityTrigger

pytestmark = pytest.mark.covers("SE-4")


def sensor(path: Any, **arguments: Any) -> DataQualitySensor:
    return DataQualitySensor(**({"task_id": "wait", "data_path": str(path), "min_rows": 2} | arguments))


def csv(folder: Path, text: str) -> Path:
    file = folder / "latest.csv"
    file.write_text(text)
    return file


def test_a_good_file_passes_and_its_measures_are_the_xcom(tmp_path: Path) -> None:
    file = csv(tmp_path, 'id,note\n1,"a, b"\n\n2,\n')
    found = sensor(file, max_null_percentage=0.25, required_columns=["id", "note"]).poke(context())
    assert found.is_done
    assert found.xcom_value == {
        "columns": ["id", "note"],
        "rows": 2,
        "nulls": {"id": 0, "note": 1},
        "null_share": 0.25,
    }


def test_only_a_file_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    assert not sensor(tmp_path / "none.csv").poke(context())
    assert not sensor(tmp_path / "no_folder" / "none.csv").poke(context())
    with pytest.raises(AirflowSensorTimeout):
        sensor(tmp_path / "none.csv", poke_interval=0.01, timeout=0.02).execute(context())


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"min_rows": 3}, "2 rows, at least 3 expected"),
        (
            {"max_null_percentage": 0.2},
            r"25.00% of the values are missing, at most 20.00% allowed .*'note': 1",
        ),
        ({"required_columns": ["id", "tenure", "churn"]}, "missing columns: tenure, churn"),
        ({"min_rows": 3, "required_columns": ["x"]}, "missing columns: x; 2 rows"),
    ],
)
def test_a_file_that_breaks_a_rule_fails_at_once_with_every_reason(
    tmp_path: Path, rules: dict[str, Any], message: str
) -> None:
    file = csv(tmp_path, "id,note\n1,a\n2,\n")
    with pytest.raises(AirflowFailException, match=message):
        sensor(file, **({"max_null_percentage": 0.3} | rules)).poke(context())


def test_rows_and_share_exactly_at_the_limit_pass(tmp_path: Path) -> None:
    file = csv(tmp_path, "id,note\n1,a\n2,\n")
    assert sensor(file, min_rows=2, max_null_percentage=0.25).poke(context())


@pytest.mark.parametrize("null", ["", " ", "NULL", "null", "None", "NaN", "n/a", "NA", "\\N"])
def test_every_spelling_of_missing_counts(tmp_path: Path, null: str) -> None:
    file = csv(tmp_path, f"id,note\n1,{null}\n0,nanny\n")
    assert sensor(file, max_null_percentage=1).poke(context()).xcom_value["nulls"] == {"id": 0, "note": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header"),
        (b"a,b\n1,2\n3\n", "row 2: 1 fields, the header has 2"),
        (b"a,b\n1,2,3\n", "row 1: 3 fields, the header has 2"),
        (b'a,b\n1,"2\n', "row 1: unexpected end of data"),
        (b"a,b,a\n1,2,3\n", "columns twice: a"),
        (b"a,b\n1,\xff\xfe\n", "utf-8"),
    ],
    ids=["empty", "short", "long", "quote", "twice", "binary"],
)
def test_a_file_that_is_no_csv_fails_and_is_not_waited_for(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "latest.csv"
    file.write_bytes(content)
    with pytest.raises(UnreadableFile, match=message) as raised:
        sensor(file).poke(context())
    assert isinstance(raised.value, AirflowFailException)


def test_a_path_that_cannot_be_read_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        sensor(tmp_path).poke(context())


def test_a_large_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    import tracemalloc

    file = tmp_path / "latest.csv"
    file.write_text("id,note\n" + "1,abcdefghij\n" * 400_000)
    watched = sensor(file)
    watched.poke(context())  # imports
    tracemalloc.start()
    assert watched.poke(context()).xcom_value["rows"] == 400_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000 < file.stat().st_size


def test_a_file_in_s3_is_read_too(aws: Any) -> None:
    aws.connection("aws_default", region_name="us-east-1")
    client = aws.client("s3")
    client.create_bucket(Bucket="quality")
    place = "s3://aws_default@quality/latest.csv"
    assert not sensor(place).poke(context())
    client.put_object(Bucket="quality", Key="latest.csv", Body=b"id,note\n1,a\n2,b\n")
    assert sensor(place).poke(context()).xcom_value["rows"] == 2


@pytest.mark.parametrize(
    "wrong", [{"max_null_percentage": 5}, {"max_null_percentage": -0.1}, {"min_rows": -1}]
)
def test_a_limit_that_makes_no_sense_is_an_error_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"share|negative"):
        sensor("x.csv", **wrong)


def test_the_defaults_are_100_rows_and_a_tenth(tmp_path: Path) -> None:
    made = DataQualitySensor(task_id="wait", data_path="x.csv")
    assert (made.min_rows, made.max_null_percentage, made.required_columns) == (100, 0.1, [])


def test_it_reschedules_and_defers_with_a_trigger_of_its_own(tmp_path: Path) -> None:
    class Instance:
        def get_first_reschedule_date(self, _: Any) -> None:
            return None

    file = tmp_path / "latest.csv"
    with pytest.raises(AirflowRescheduleException):
        sensor(file, mode="reschedule").execute(context(ti=Instance()))
    with pytest.raises(TaskDeferred) as deferred:
        sensor(file, deferrable=True, required_columns=("id",), timeout=5).execute(context())
    path, arguments = deferred.value.trigger.serialize()
    assert path == "tenant_airflow_lib.triggers.data_quality.DataQualityTrigger"
    assert arguments == {"data_path": str(file), "poll_interval": 60.0}
    assert DataQualityTrigger(**arguments).serialize() == (path, arguments)


async def test_the_trigger_fires_when_the_file_comes(tmp_path: Path) -> None:
    async def fired(file: Path) -> dict[str, Any]:
        async for event in DataQualityTrigger(data_path=str(file), poll_interval=0.02).run():
            return event.payload
        raise AssertionError("no event")

    file = tmp_path / "latest.csv"
    waiting = asyncio.create_task(fired(file))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    written = tmp_path / "part"
    written.write_text("id,note\n1,a\n2,b\n")
    os.rename(written, file)
    event = await asyncio.wait_for(waiting, 60)
    assert event == {"status": "done", "value": None}  # the file is measured on a worker
    assert sensor(file).execute_complete(context(), event)["rows"] == 2
    file.write_text("id,note\n1,a\n")
    assert (await fired(file))["status"] == "done"
    with pytest.raises(AirflowFailException, match="1 rows, at least 2 expected"):
        sensor(file).execute_complete(context(), event)
    file.unlink()
    with pytest.raises(AirflowException, match="gone before it could be read") as raised:
        sensor(file).execute_complete(context(), event)
    assert not isinstance(raised.value, AirflowFailException)  # the task's retries apply


@pytest.mark.parametrize("failures", [4, 5])
async def test_four_errors_of_any_kind_do_not_end_the_wait_five_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    errors = [OSError("storage hiccup")] * failures

    def shaky(path: str) -> bool:
        if errors:
            raise errors.pop()
        return True

    monkeypatch.setattr("tenant_airflow_lib.triggers.data_quality.exists", shaky)
    event = await DataQualityTrigger(data_path="x.csv", poll_interval=0.001).event()
    assert event["status"] == {4: "done", 5: "unavailable"}[failures]
    if failures == 5:
        with pytest.raises(AirflowException, match="OSError: storage hiccup") as raised:
            sensor("x.csv").execute_complete(context(), event)
        assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_what_may_fail_softly_does_so_in_every_mode(tmp_path: Path, deferrable: bool) -> None:
    bad = csv(tmp_path, "id,note\n1,a\n")
    for how in ("soft_fail", "never_fail"):
        with pytest.raises(AirflowSkipException):
            sensor(bad, deferrable=deferrable, **{how: True}).execute(context())
    with pytest.raises(AirflowSkipException):
        sensor(tmp_path, deferrable=deferrable, never_fail=True).execute(context())
    for how in ({}, {"soft_fail": True}):
        with pytest.raises(IsADirectoryError):
            sensor(tmp_path, deferrable=deferrable, **how).execute(context())
    with pytest.raises(AirflowFailException):
        sensor(bad, deferrable=deferrable).execute(context())


def test_a_service_that_is_away_for_the_first_question_is_asked_again_in_the_triggerer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ServiceUnavailable("storage: 503")

    monkeypatch.setattr("tenant_airflow_lib.sensors.data_quality.inspect", away)
    with pytest.raises(TaskDeferred):
        sensor("x.csv", deferrable=True).execute(context())
    with pytest.raises(ServiceUnavailable):
        sensor("x.csv").execute(context())


def test_the_sensor_and_the_checks_judge_one_file_alike(tmp_path: Path) -> None:
    """Same reader, same columns (a byte order mark is none), same null count when both know the spellings."""
    file = tmp_path / "latest.csv"
    file.write_bytes(b"\xef\xbb\xbfid,note\n1, NA \n2,x\n")
    found = sensor(file, required_columns=["id"], max_null_percentage=0.5).poke(context()).xcom_value
    with checks.read_csv(file, nulls=checks.NULL_SPELLINGS) as table:
        counted = checks.count_nulls(table)
    assert (found["rows"], found["nulls"]) == (counted.rows, dict(counted.nulls)) == (2, {"id": 0, "note": 1})
    with checks.read_csv(file) as table:
        assert checks.count_nulls(table).nulls["note"] == 0


def test_the_template_field_is_an_attribute_rendered_and_stored() -> None:
    made = sensor("/data/{{ x }}.csv", mode="reschedule")
    assert tuple(made.template_fields) == ("data_path",)
    stored = round_trip(made)
    assert stored.task_type == "DataQualitySensor"
    assert stored.data_path == "/data/{{ x }}.csv"
    assert rendered(made, x="7").data_path == "/data/7.csv"


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_dag_waits_for_the_file_and_hands_on_its_measures(tmp_path: Path, deferrable: bool) -> None:
    done = play(
        f"se4_{deferrable}",
        f"""
        from tenant_airflow_lib.sensors.data_quality import DataQualitySensor
        @task
        def write(dag_run=None):
            import threading, pathlib
            file = pathlib.Path(dag_run.conf["path"])
            part = file.with_suffix(".part")  # or the sensor might read half a file
            part.write_text("id,note\\n1,a\\n2,b\\n")
            threading.Timer(0.3, part.rename, [file]).start()
        wait = DataQualitySensor(task_id="wait", data_path="{{{{ dag_run.conf.path }}}}", min_rows=2,
            poke_interval=0.05, timeout=60, deferrable={deferrable})
        write() >> wait
        """,
        {"path": str(tmp_path / "latest.csv")},
    )
    assert done.states == {"write": "success", "wait": "success"}
    assert done.xcom("wait")["rows"] == 2
