"""The MLflow sensors and their triggers against a real tracking server; a stub only for its failures."""

from __future__ import annotations

import asyncio
import uuid
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
from pytest_httpserver import HTTPServer
from tests.dags.lib.playing import context, play, rendered, round_trip
from tests.dags.services.mlflow import MLflow

from tenant_airflow_lib.hooks import mlflow as api
from tenant_airflow_lib.hooks.mlflow import MLflowHook
from tenant_airflow_lib.hooks.rest import ServiceUnavailable
from tenant_airflow_lib.sensors.mlflow import (
    MLflowModelStageSensor,
    MLflowRunCompleteSensor,
    ModelPerformanceSensor,
)
from tenant_airflow_lib.triggers.mlflow import (
    MLflowModelStageTrigger,
    MLflowRunTrigger,
    ModelPerformanceTrigger,
)


@pytest.fixture
def name() -> str:
    return f"sensor-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def hook(mlflow: MLflow) -> MLflowHook:
    mlflow.connection()
    return MLflowHook()


def versions(hook: MLflowHook, name: str, count: int) -> None:
    hook.run(api.ensure_registered_model(name))
    for number in range(count):
        hook.run(api.create_model_version(name, f"s3://models/{name}/{number}"))


def finished(hook: MLflowHook, experiment: str, **metrics: float) -> str:
    run = hook.run(api.create_run(hook.run(api.ensure_experiment(experiment))))
    hook.run(api.log_batch(run, metrics=metrics))
    hook.run(api.end_run(run))
    return run


def stage(name: str, **arguments: Any) -> MLflowModelStageSensor:
    values = {"task_id": "wait", "model_name": name, "target_stage": "Production"} | arguments
    return MLflowModelStageSensor(**values)


def run_end(run_id: str, **arguments: Any) -> MLflowRunCompleteSensor:
    return MLflowRunCompleteSensor(task_id="wait", run_id=run_id, **arguments)


def performance(experiment: str, **arguments: Any) -> ModelPerformanceSensor:
    values = {"task_id": "wait", "experiment_name": experiment, "metric_name": "auc", "threshold": 0.8}
    return ModelPerformanceSensor(**(values | arguments))


def poke(sensor: Any) -> Any:
    """(done, XCom)."""
    found = sensor.poke(context())
    return found.is_done, found.xcom_value


async def fired(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")


# --- SE-1 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("SE-1")
def test_the_highest_version_must_have_the_alias(hook: MLflowHook, name: str) -> None:
    versions(hook, name, 10)
    hook.run(api.set_alias(name, "production", "9"))
    assert poke(stage(name)) == (False, None)
    hook.run(api.set_alias(name, "production", "10"))
    assert poke(stage(name)) == (True, "10")
    assert poke(stage(name, target_stage="production")) == (True, "10")
    assert poke(stage(name, target_stage="Staging")) == (False, None)


@pytest.mark.covers("SE-1")
def test_a_given_version_is_asked_for_and_a_legacy_stage_counts(hook: MLflowHook, name: str) -> None:
    versions(hook, name, 2)
    assert poke(stage(name, version=1)) == (False, None)
    hook.run(api.move_to_stage(name, "1", "Production", archive_existing=False))
    assert poke(stage(name, version=1)) == (True, "1")
    assert poke(stage(name)) == (False, None)


@pytest.mark.covers("SE-1")
def test_no_version_waits_and_an_unknown_model_fails(hook: MLflowHook, name: str) -> None:
    with pytest.raises(AirflowFailException, match="RESOURCE_DOES_NOT_EXIST"):
        poke(stage(name))
    versions(hook, name, 0)
    assert poke(stage(name)) == (False, None)
    assert poke(stage(name, version="3")) == (False, None)


# --- SE-2 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("SE-2")
@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_that_ended_is_done_and_its_status_is_the_xcom(
    hook: MLflowHook, name: str, status: str
) -> None:
    run = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    assert poke(run_end(run)) == (False, None)
    hook.run(api.end_run(run, status))
    assert poke(run_end(run, fail_on=())) == (True, status)
    if status == "FINISHED":
        assert poke(run_end(run)) == (True, "FINISHED")
    else:
        with pytest.raises(AirflowFailException, match=f"ended as {status}"):
            poke(run_end(run))


@pytest.mark.covers("SE-2")
def test_an_unknown_run_and_a_wrong_fail_on_fail_at_once(hook: MLflowHook) -> None:
    with pytest.raises(AirflowFailException, match="RESOURCE_DOES_NOT_EXIST"):
        poke(run_end("nope"))
    with pytest.raises(ValueError, match="fail_on: RUNNING is none of FAILED, FINISHED, KILLED"):
        run_end("nope", fail_on=("FAILED", "RUNNING"))


# --- SE-5 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("SE-5")
def test_no_experiment_no_runs_and_no_metric_wait(hook: MLflowHook, name: str) -> None:
    assert poke(performance(name)) == (False, None)
    hook.run(api.ensure_experiment(name))
    assert poke(performance(name)) == (False, None)
    finished(hook, name, loss=0.1)
    assert poke(performance(name)) == (False, None)


@pytest.mark.covers("SE-5")
@pytest.mark.parametrize(
    ("comparison", "threshold", "done"),
    [
        (">=", 0.9, True),
        (">=", 0.91, False),
        (">", 0.9, False),
        (">", 0.89, True),
        ("<=", 0.3, True),
        ("<=", 0.29, False),
        ("<", 0.3, False),
        ("<", 0.31, True),
        ("==", 0.9, True),
        ("==", 0.3, False),
    ],
)
def test_the_best_run_is_the_lowest_for_less_than_and_the_highest_otherwise(
    hook: MLflowHook, name: str, comparison: str, threshold: float, done: bool
) -> None:
    runs = {value: finished(hook, name, auc=value) for value in (0.5, 0.9, 0.3)}
    finished(hook, name, loss=0.0)  # a run without the metric is never the best
    running = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    hook.run(api.log_batch(running, metrics={"auc": 0.99}))  # not finished: does not count
    best = 0.3 if "<" in comparison else 0.9
    expected = {"run_id": runs[best], "metric": "auc", "value": best}
    sensor = performance(name, comparison=comparison, threshold=threshold)
    assert poke(sensor) == ((True, expected) if done else (False, None))


@pytest.mark.covers("SE-5")
def test_one_run_can_be_waited_for_whatever_older_ones_have_reached(hook: MLflowHook, name: str) -> None:
    finished(hook, name, auc=0.99)
    own = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    sensor = performance(name, run_id=own, threshold=0.5)
    assert poke(sensor) == (False, None)
    hook.run(api.log_batch(own, metrics={"auc": 0.7}))
    assert poke(sensor) == (False, None)  # goes on
    hook.run(api.end_run(own))
    assert poke(sensor) == (True, {"run_id": own, "metric": "auc", "value": 0.7})
    assert poke(performance(name, run_id=own, threshold=0.8)) == (False, None)
    assert poke(performance(name, run_id=own, metric_name="loss", threshold=0.1)) == (False, None)
    with pytest.raises(AirflowFailException, match="nope"):
        poke(performance(name, run_id="nope"))


@pytest.mark.covers("SE-5")
def test_a_bad_comparison_is_an_error_at_once_and_so_is_a_threshold_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="comparison '=>' is none of >=, >, <=, <, =="):
        performance("e", comparison="=>")
    with pytest.raises(AirflowFailException, match="threshold 'high' is no number"):
        poke(performance("e", threshold="high"))
    assert performance("e", threshold="0.7")._number() == 0.7


# --- all three: waiting, modes, deferral --------------------------------------------------------------

ALL = {
    "SE-1": lambda **more: stage("m", **more),
    "SE-2": lambda **more: run_end("r", **more),
    "SE-5": lambda **more: performance("e", run_id="r", **more),
}
SERVER = {"mlflow_conn_id": "mlflow_default", "tracking_uri": None, "poll_interval": 60.0}
TRIGGERS = {
    "SE-1": (
        MLflowModelStageTrigger,
        {"model_name": "m", "target_stage": "Production", "version": None, **SERVER},
    ),
    "SE-2": (MLflowRunTrigger, {"run_id": "r", "fail_on": ["FAILED", "KILLED"], **SERVER}),
    "SE-5": (
        ModelPerformanceTrigger,
        {"experiment_name": "e", "metric_name": "auc", "threshold": 0.8, "comparison": ">=", "run_id": "r"}
        | SERVER,
    ),
}


class Answers(MLflowHook):
    """Answers every question with one value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def run(self, call: Any) -> Any:
        return self.value


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_poke_waits_until_the_timeout(row: str) -> None:
    make = ALL[row]
    with pytest.raises(AirflowSensorTimeout):
        make(hook=Answers(None), poke_interval=0.01, timeout=0.03).execute(context())
    with pytest.raises(AirflowSkipException):
        make(hook=Answers(None), poke_interval=0.01, timeout=0.03, soft_fail=True).execute(context())
    assert make(hook=Answers("x")).execute(context()) == "x"
    assert make().timeout == 24 * 60 * 60


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_reschedule_frees_the_worker(row: str) -> None:
    class Instance:
        def get_first_reschedule_date(self, _: Any) -> None:
            return None

    with pytest.raises(AirflowRescheduleException):
        ALL[row](hook=Answers(None), mode="reschedule").execute(context(ti=Instance()))


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_deferrable_hands_its_question_to_a_trigger_of_its_own(row: str) -> None:
    make = ALL[row]
    with pytest.raises(TaskDeferred) as deferred:
        make(hook=Answers(None), deferrable=True, timeout=120).execute(context())
    kind, arguments = TRIGGERS[row]
    trigger = deferred.value.trigger
    assert trigger.serialize() == (f"{kind.__module__}.{kind.__name__}", arguments)
    assert kind(**arguments).serialize() == trigger.serialize()
    assert deferred.value.timeout.total_seconds() == 120
    assert deferred.value.method_name == "execute_complete"
    assert make(hook=Answers("x"), deferrable=True).execute(context()) == "x"


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_the_triggers_event_becomes_the_xcom_or_the_right_error(row: str) -> None:
    sensor = ALL[row]()
    assert sensor.execute_complete(context(), {"status": "done", "value": "3"}) == "3"
    with pytest.raises(AirflowFailException, match="no"):
        sensor.execute_complete(context(), {"status": "refused", "message": "no"})
    with pytest.raises(AirflowException, match="away") as raised:
        sensor.execute_complete(context(), {"status": "unavailable", "message": "away"})
    assert not isinstance(raised.value, AirflowFailException)
    with pytest.raises(AirflowSensorTimeout):
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, context())


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
async def test_the_trigger_waits_without_blocking_and_fires(hook: MLflowHook, name: str, row: str) -> None:
    def blocking(call: Any) -> Any:
        return asyncio.to_thread(hook.run, call)

    experiment = await blocking(api.ensure_experiment(name))
    run = await blocking(api.create_run(experiment))
    await asyncio.to_thread(versions, hook, name, 1)
    kind, arguments = TRIGGERS[row]
    own = {"model_name": name, "run_id": run, "experiment_name": name}
    arguments = {key: own.get(key, value) for key, value in arguments.items()} | {"poll_interval": 0.05}
    waiting = asyncio.create_task(fired(kind(**arguments)))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await blocking(api.log_batch(run, metrics={"auc": 0.85}))
    await blocking(api.end_run(run))
    await blocking(api.set_alias(name, "production", "1"))
    expected = {
        "SE-1": "1",
        "SE-2": "FINISHED",
        "SE-5": {"run_id": run, "metric": "auc", "value": 0.85},
    }[row]
    assert await asyncio.wait_for(waiting, 60) == {"status": "done", "value": expected}


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
async def test_a_server_that_is_away_for_a_moment_does_not_end_the_wait(
    httpserver: HTTPServer, row: str
) -> None:
    kind, arguments = TRIGGERS[row]
    arguments = arguments | {"tracking_uri": httpserver.url_for("").rstrip("/"), "poll_interval": 0.01}
    httpserver.expect_request("/").respond_with_data("")
    httpserver.no_handler_status_code = 503
    event = await fired(kind(**arguments))
    assert event["status"] == "unavailable"
    assert len(httpserver.log) == 5
    httpserver.no_handler_status_code = 400
    event = await fired(kind(**arguments))
    assert event["status"] == "refused"
    assert "HTTP 400" in event["message"]
    assert len(httpserver.log) == 6
    httpserver.clear()


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_a_server_error_in_a_worker_may_be_retried(httpserver: HTTPServer, row: str) -> None:
    httpserver.expect_request("/").respond_with_data("")
    httpserver.no_handler_status_code = 502
    with pytest.raises(ServiceUnavailable):
        ALL[row](tracking_uri=httpserver.url_for("").rstrip("/")).execute(context())
    httpserver.clear()


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("row", ALL)
def test_template_fields_are_attributes_rendered_and_stored(row: str) -> None:
    fields = {
        "SE-1": ("model_name", "target_stage"),
        "SE-2": ("run_id",),
        "SE-5": ("metric_name", "threshold", "run_id"),
    }[row]
    sensor = ALL[row](deferrable=True, mode="reschedule")
    assert tuple(sensor.template_fields) == fields
    for field in fields:
        setattr(sensor, field, "{{ x }}")
    stored = round_trip(sensor)
    assert stored.task_type == type(sensor).__name__
    assert tuple(stored.template_fields) == fields
    assert stored.reschedule is True
    rendered(sensor, x="7")
    assert [getattr(sensor, field) for field in fields] == ["7"] * len(fields)


@pytest.mark.covers("SE-1", "SE-2", "SE-5")
@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_dag_waits_with_all_three(hook: MLflowHook, name: str, deferrable: bool) -> None:
    run = finished(hook, name, auc=0.9)
    versions(hook, name, 1)
    hook.run(api.set_alias(name, "champion", "1"))
    waiting = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    done = play(
        f"mlflow_sensors_{deferrable}",
        f"""
        from tenant_airflow_lib.sensors.mlflow import *
        from tenant_airflow_lib.hooks.mlflow import MLflowHook, end_run
        how = {{"deferrable": {deferrable}, "timeout": 60}}
        a = MLflowModelStageSensor(task_id="stage", model_name="{{{{ dag_run.conf.name }}}}",
            target_stage="champion", **how)
        b = ModelPerformanceSensor(task_id="good", experiment_name="{name}", metric_name="auc",
            threshold="{{{{ dag_run.conf.least }}}}", **how)
        @task
        def finish():
            import threading
            threading.Timer(0.5, MLflowHook().run, [end_run("{waiting}")]).start()
        c = MLflowRunCompleteSensor(task_id="ended", run_id="{waiting}", poke_interval=0.2, **how)
        a >> b >> finish() >> c
        """,
        {"name": name, "least": 0.85},
    )
    assert set(done.states.values()) == {"success"}
    assert done.xcom("stage") == "1"
    assert done.xcom("good") == {"run_id": run, "metric": "auc", "value": 0.9}
    assert done.xcom("ended") == "FINISHED"


@pytest.mark.covers("SE-2")
def test_a_deferred_wait_for_a_run_that_fails_fails_the_task_without_a_retry(
    hook: MLflowHook, name: str
) -> None:
    waiting = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    done = play(
        "mlflow_run_fails",
        f"""
        from tenant_airflow_lib.sensors.mlflow import MLflowRunCompleteSensor
        from tenant_airflow_lib.hooks.mlflow import MLflowHook, end_run
        @task
        def kill():
            import threading
            threading.Timer(0.5, MLflowHook().run, [end_run("{waiting}", "KILLED")]).start()
        kill() >> MLflowRunCompleteSensor(task_id="ended", run_id="{waiting}", poke_interval=0.2,
            deferrable=True, timeout=60, retries=3)
        """,
    )
    assert done.states == {"kill": "success", "ended": "failed"}
    assert done.tries("ended") == 1
