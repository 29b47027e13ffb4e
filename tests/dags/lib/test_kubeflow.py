"""The Kubeflow operators and sensor against a stub that checks each request (see kubeflow_stub)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from tests.dags.lib.kubeflow_stub import Kubeflow, Response
from tests.dags.lib.playing import Store, context, play, rendered, round_trip

from tenant_airflow_lib.hooks.kubeflow import state_named
from tenant_airflow_lib.hooks.rest import ServiceUnavailable
from tenant_airflow_lib.operators.kubeflow import (
    KubeflowExperimentOperator,
    KubeflowPipelineOperator,
    KubeflowRunFailed,
    KubeflowRunTimeout,
)
from tenant_airflow_lib.sensors.kubeflow import KubeflowPipelineRunSensor
from tenant_airflow_lib.triggers.kubeflow import KubeflowRunTrigger

ENDED = ["CANCELED", "FAILED", "SKIPPED", "SUCCEEDED"]


def pipeline(**arguments: Any) -> KubeflowPipelineOperator:
    return KubeflowPipelineOperator(
        **({"task_id": "run", "pipeline_name": "train", "poll_interval": 0.01} | arguments)
    )


def sensor(run_id: str = "r1", **arguments: Any) -> KubeflowPipelineRunSensor:
    return KubeflowPipelineRunSensor(task_id="wait", run_id=run_id, **arguments)


def started(kubeflow: Kubeflow, state: str = "RUNNING") -> str:
    kubeflow.runs.append({"run_id": "r1", "display_name": "x", "state": state})
    return "r1"


async def fired(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")


# --- OP-4 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("OP-4")
def test_a_pipeline_runs_in_its_experiment_and_is_waited_for(kubeflow: Kubeflow) -> None:
    wanted = kubeflow.pipeline("train")
    kubeflow.pipeline("other")
    kubeflow.script = ["PENDING", "RUNNING", "SUCCEEDED"]
    done = pipeline(experiment_name="churn", arguments={"depth": 3, "data": "s3://x"}).execute(context())
    (experiment,) = kubeflow.experiments
    assert (experiment["display_name"], experiment["namespace"]) == ("churn", "kubeflow")
    (run,) = kubeflow.runs
    assert done == {"run_id": run["run_id"], "status": "SUCCEEDED"}
    assert run["display_name"] == "train-20240506T023000"
    assert run["experiment_id"] == experiment["experiment_id"]
    assert run["pipeline_version_reference"] == {"pipeline_id": wanted}
    assert run["runtime_config"] == {"parameters": {"depth": 3, "data": "s3://x"}}
    assert kubeflow.script == []


@pytest.mark.covers("OP-4")
def test_an_experiment_is_created_once_and_an_id_needs_no_lookup(kubeflow: Kubeflow) -> None:
    kubeflow.script = ["SUCCEEDED"] * 4
    for _ in range(2):
        pipeline(pipeline_name=None, pipeline_id="p77", run_name="nightly").execute(context())
    assert [item["display_name"] for item in kubeflow.experiments] == ["Default"]
    assert [run["display_name"] for run in kubeflow.runs] == ["nightly", "nightly"]
    assert kubeflow.runs[0]["pipeline_version_reference"] == {"pipeline_id": "p77"}


@pytest.mark.covers("OP-4")
def test_a_pipeline_of_the_namespace_goes_before_a_shared_one(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    own = kubeflow.pipeline("train", "kubeflow")
    kubeflow.script = ["SUCCEEDED"]
    pipeline().execute(context())
    assert kubeflow.runs[0]["pipeline_version_reference"]["pipeline_id"] == own


@pytest.mark.covers("OP-4")
def test_neither_id_nor_name_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="give pipeline_name or pipeline_id"):
        pipeline(pipeline_name=None)


@pytest.mark.covers("OP-4")
def test_a_name_that_nothing_or_more_than_one_has_is_a_value_error(kubeflow: Kubeflow) -> None:
    with pytest.raises(ValueError, match="no pipeline is named 'train'") as raised:
        pipeline().execute(context())
    assert isinstance(raised.value, AirflowFailException)
    kubeflow.pipeline("train")
    kubeflow.pipeline("train")
    with pytest.raises(ValueError, match="2 pipelines are named 'train'"):
        pipeline().execute(context())
    assert kubeflow.runs == []


@pytest.mark.covers("OP-4")
@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_run_that_does_not_succeed_fails_the_task_which_may_be_retried(
    kubeflow: Kubeflow, state: str
) -> None:
    kubeflow.pipeline("train")
    kubeflow.script = ["RUNNING", state]
    with pytest.raises(KubeflowRunFailed, match=f"ended as {state}") as raised:
        pipeline().execute(context())
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.covers("OP-4")
def test_a_run_that_takes_too_long_is_a_timeout_and_goes_on(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    with pytest.raises(KubeflowRunTimeout, match=r"did not end in 0.05 s; it goes on"):
        pipeline(timeout=0.05).execute(context())
    assert kubeflow.terminated == []


@pytest.mark.covers("OP-4")
def test_without_waiting_the_started_run_is_the_result(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    assert pipeline(wait=False).execute(context()) == {"run_id": "r3", "status": "PENDING"}


@pytest.mark.covers("OP-4")
def test_killing_the_task_cancels_the_run(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    operator = pipeline(timeout=0.02)
    with pytest.raises(KubeflowRunTimeout):
        operator.execute(context())
    operator.on_kill()
    assert kubeflow.terminated == [kubeflow.runs[0]["run_id"]]
    ended = pipeline()
    kubeflow.script = ["SUCCEEDED"]
    ended.execute(context())
    ended.on_kill()
    assert len(kubeflow.terminated) == 1


@pytest.mark.covers("OP-4")
@pytest.mark.parametrize("state", ["RUNNING", "SUCCEEDED"])
def test_a_retry_goes_on_with_the_run_of_the_earlier_try(kubeflow: Kubeflow, state: str) -> None:
    kubeflow.pipeline("train")
    store = Store()
    with pytest.raises(KubeflowRunTimeout):
        pipeline(timeout=0.02).execute(context(task_state_store=store))
    kubeflow.script = [state, "SUCCEEDED", "SUCCEEDED"]
    done = pipeline().execute(context(task_state_store=store))
    assert done == {"run_id": kubeflow.runs[0]["run_id"], "status": "SUCCEEDED"}
    assert len(kubeflow.runs) == 1


@pytest.mark.covers("OP-4")
def test_a_retry_after_the_answer_of_the_start_was_lost_starts_no_second_run(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    kubeflow.lose_answer_of_create = True
    store = Store()
    with pytest.raises(ServiceUnavailable):
        pipeline().execute(context(task_state_store=store))
    kubeflow.script = ["SUCCEEDED"] * 2
    assert pipeline().execute(context(task_state_store=store))["status"] == "SUCCEEDED"
    assert len(kubeflow.runs) == 1


@pytest.mark.covers("OP-4")
def test_a_retry_after_a_failed_run_starts_another(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    kubeflow.script = ["FAILED"]
    store = Store()
    with pytest.raises(KubeflowRunFailed):
        pipeline().execute(context(task_state_store=store))
    kubeflow.script = ["FAILED", "SUCCEEDED"]
    assert pipeline().execute(context(task_state_store=store))["run_id"] == kubeflow.runs[1]["run_id"]


@pytest.mark.covers("OP-4")
@pytest.mark.parametrize("wait", [True, False])
def test_a_task_that_succeeded_and_is_cleared_starts_another_run(kubeflow: Kubeflow, wait: bool) -> None:
    kubeflow.pipeline("train")
    kubeflow.script = ["SUCCEEDED"] * 2
    store = Store()
    for _ in range(2):
        pipeline(wait=wait).execute(context(task_state_store=store))
    assert len(kubeflow.runs) == 2


@pytest.mark.covers("OP-4")
def test_another_task_with_the_same_pipeline_has_a_run_of_its_own(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    kubeflow.script = ["SUCCEEDED"] * 2
    first, second = pipeline().execute(context()), pipeline().execute(context())
    assert first["run_id"] != second["run_id"]
    assert kubeflow.runs[0]["display_name"] == kubeflow.runs[1]["display_name"]


@pytest.mark.covers("OP-4")
def test_deferrable_waits_in_the_triggerer_which_cancels_on_kill(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    with pytest.raises(TaskDeferred) as deferred:
        pipeline(deferrable=True, timeout=90).execute(context())
    run_id = kubeflow.runs[0]["run_id"]
    path, arguments = deferred.value.trigger.serialize()
    assert path == "tenant_airflow_lib.triggers.kubeflow.KubeflowRunTrigger"
    assert arguments == {
        "run_id": run_id,
        "targets": ENDED,
        "kubeflow_conn_id": "kubeflow_default",
        "host": None,
        "cancel_on_kill": True,
        "poll_interval": 0.01,
    }
    assert deferred.value.timeout.total_seconds() == 90
    trigger = KubeflowRunTrigger(**arguments)
    assert trigger.serialize() == (path, arguments)
    asyncio.run(trigger.on_kill())
    assert kubeflow.terminated == [run_id]
    asyncio.run(KubeflowRunTrigger(**arguments | {"cancel_on_kill": False}).on_kill())
    assert kubeflow.terminated == [run_id]


@pytest.mark.covers("OP-4")
def test_a_wait_in_the_triggerer_that_takes_too_long_raises_what_the_worker_does() -> None:
    with pytest.raises(KubeflowRunTimeout, match=r"did not end in 90 s; it goes on"):
        pipeline(deferrable=True, timeout=90).resume_execution(
            "__fail__", {"error": "Trigger timeout"}, context()
        )


@pytest.mark.covers("OP-4")
def test_after_the_deferral_the_state_decides() -> None:
    operator = pipeline()
    done = {"status": "done", "value": "SUCCEEDED", "run_id": "r1"}
    assert operator.execute_complete(context(), done) == {"run_id": "r1", "status": "SUCCEEDED"}
    with pytest.raises(KubeflowRunFailed, match="ended as CANCELED"):
        operator.execute_complete(context(), done | {"value": "CANCELED"})
    with pytest.raises(AirflowException, match="away"):
        operator.execute_complete(context(), done | {"status": "unavailable", "message": "away"})


@pytest.mark.covers("OP-4")
def test_a_dag_retries_defers_and_attaches_with_the_real_state_store(kubeflow: Kubeflow) -> None:
    kubeflow.pipeline("train")
    kubeflow.lose_answer_of_create = True
    kubeflow.script = ["RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"]
    done = play(
        "op4_retry",
        """
        from tenant_airflow_lib.operators.kubeflow import KubeflowPipelineOperator
        KubeflowPipelineOperator(task_id="run", pipeline_name="{{ dag_run.conf.pipeline }}", retries=2,
            arguments={"day": "{{ dag_run.conf.day }}"}, deferrable=True, poll_interval=0.05)
        """,
        {"pipeline": "train", "day": "2024-05-06"},
    )
    assert done.states == {"run": "success"}
    assert done.tries("run") == 2
    (run,) = kubeflow.runs
    assert run["runtime_config"] == {"parameters": {"day": "2024-05-06"}}
    assert done.xcom("run") == {"run_id": run["run_id"], "status": "SUCCEEDED"}
    assert kubeflow.script == []


# --- OP-5 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("OP-5")
def test_an_experiment_is_created_with_its_description_and_found_again(kubeflow: Kubeflow) -> None:
    def experiment(**more: Any) -> Any:
        return KubeflowExperimentOperator(
            task_id="have", experiment_name="churn", description="Churn of 2024", **more
        ).execute(context())

    first = experiment()
    assert first == {"experiment_id": "e1", "name": "churn"}
    assert kubeflow.experiments == [
        {
            "experiment_id": "e1",
            "display_name": "churn",
            "namespace": "kubeflow",
            "description": "Churn of 2024",
        }
    ]
    assert experiment() == first
    assert experiment(namespace="team-ml")["experiment_id"] == "e2"


@pytest.mark.covers("OP-5")
def test_an_api_error_may_be_retried_or_not(kubeflow: Kubeflow) -> None:
    operator = KubeflowExperimentOperator(task_id="have", experiment_name="churn", host=kubeflow.url)
    kubeflow.broken = Response("down", 500)
    with pytest.raises(ServiceUnavailable, match="HTTP 500: down"):
        operator.execute(context())
    kubeflow.broken = Response("forbidden", 403)
    with pytest.raises(AirflowFailException, match="HTTP 403: forbidden"):
        operator.execute(context())


@pytest.mark.covers("OP-5", "SE-3", "X-22")
@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_dag_makes_an_experiment_starts_a_run_and_waits_for_it(
    kubeflow: Kubeflow, deferrable: bool
) -> None:
    kubeflow.pipeline("train")
    kubeflow.script = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    done = play(
        f"kubeflow_{deferrable}",
        f"""
        from tenant_airflow_lib.operators.kubeflow import KubeflowExperimentOperator, KubeflowPipelineOperator
        from tenant_airflow_lib.sensors.kubeflow import KubeflowPipelineRunSensor
        have = KubeflowExperimentOperator(task_id="have", experiment_name="{{{{ dag_run.conf.name }}}}")
        run = KubeflowPipelineOperator(task_id="run", pipeline_name="train", experiment_name="churn",
            wait=False)
        wait = KubeflowPipelineRunSensor(task_id="wait", run_id="{{{{ ti.xcom_pull('run')['run_id'] }}}}",
            deferrable={deferrable}, poke_interval=0.05, timeout=60)
        have >> run >> wait
        """,
        {"name": "churn"},
    )
    assert done.states == {"have": "success", "run": "success", "wait": "success"}
    assert len(kubeflow.experiments) == 1
    assert done.xcom("wait") == "SUCCEEDED"
    assert kubeflow.script == []


# --- SE-3 ---------------------------------------------------------------------------------------------


@pytest.mark.covers("SE-3")
@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Succeeded", "SUCCEEDED"),
        ("succeeded", "SUCCEEDED"),
        ("Failed", "FAILED"),
        ("Error", "FAILED"),
        ("Skipped", "SKIPPED"),
        ("Terminated", "CANCELED"),
        ("CANCELED", "CANCELED"),
        ("Running", "RUNNING"),
    ],
)
def test_the_words_of_version_1_mean_states_of_version_2(word: str, state: str) -> None:
    assert state_named(word) == state


@pytest.mark.covers("SE-3")
def test_a_word_that_is_no_state_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="'Done' is no state of a run"):
        sensor(target_statuses=("Done",))


@pytest.mark.covers("SE-3")
@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])
def test_the_default_targets_are_met_by_the_end(kubeflow: Kubeflow, state: str) -> None:
    started(kubeflow)
    assert not sensor().poke(context())
    kubeflow.script = [state]
    assert sensor().poke(context()).xcom_value == state


@pytest.mark.covers("SE-3")
def test_an_end_that_is_no_target_and_an_unknown_run_fail_at_once(kubeflow: Kubeflow) -> None:
    started(kubeflow, "CANCELED")
    with pytest.raises(AirflowFailException, match="r1 ended as CANCELED, awaited: FAILED, SUCCEEDED"):
        sensor().poke(context())
    assert sensor(target_statuses=("Terminated",)).poke(context()).xcom_value == "CANCELED"
    with pytest.raises(AirflowFailException, match="HTTP 404"):
        sensor("r9").poke(context())


@pytest.mark.covers("SE-3")
def test_the_sensor_pokes_reschedules_and_defers(kubeflow: Kubeflow) -> None:
    class Instance:
        def get_first_reschedule_date(self, _: Any) -> None:
            return None

    started(kubeflow)
    with pytest.raises(AirflowSensorTimeout):
        sensor(poke_interval=0.01, timeout=0.02).execute(context())
    with pytest.raises(AirflowRescheduleException):
        sensor(mode="reschedule").execute(context(ti=Instance()))
    with pytest.raises(TaskDeferred) as deferred:
        sensor(deferrable=True, timeout=10).execute(context())
    path, arguments = deferred.value.trigger.serialize()
    assert path == "tenant_airflow_lib.triggers.kubeflow.KubeflowRunTrigger"
    assert arguments == {
        "run_id": "r1",
        "targets": ["FAILED", "SUCCEEDED"],
        "kubeflow_conn_id": "kubeflow_default",
        "host": None,
        "cancel_on_kill": False,
        "poll_interval": 60.0,
    }
    assert deferred.value.timeout.total_seconds() == 10


@pytest.mark.covers("SE-3", "OP-4")
async def test_the_trigger_fires_when_the_state_is_a_target(kubeflow: Kubeflow) -> None:
    started(kubeflow)
    arguments = {"run_id": "r1", "targets": ["SUCCEEDED"], "kubeflow_conn_id": "kubeflow_default"}
    kubeflow.script = ["PENDING", "RUNNING", "SUCCEEDED"]
    event = await fired(KubeflowRunTrigger(**arguments, poll_interval=0.02))
    assert event == {"status": "done", "value": "SUCCEEDED", "run_id": "r1"}
    kubeflow.script = ["FAILED"]
    refused = await fired(KubeflowRunTrigger(**arguments, poll_interval=0.02))
    assert refused["status"] == "refused"
    assert "ended as FAILED" in refused["message"]
    kubeflow.broken = Response("down", 500)
    away = await fired(KubeflowRunTrigger(**arguments, poll_interval=0.02))
    assert away["status"] == "unavailable"


# --- all ----------------------------------------------------------------------------------------------

ALL = {
    "OP-4": (
        lambda: pipeline(pipeline_name="{{ x }}", arguments={"a": ["{{ x }}"]}, experiment_name="{{ x }}"),
        {"pipeline_name": "7", "arguments": {"a": ["7"]}, "experiment_name": "7"},
    ),
    "OP-5": (
        lambda: KubeflowExperimentOperator(task_id="have", experiment_name="{{ x }}", description="{{ x }}"),
        {"experiment_name": "7", "description": "7"},
    ),
    "SE-3": (lambda: sensor("{{ x }}"), {"run_id": "7"}),
}


@pytest.mark.covers("OP-4", "OP-5", "SE-3")
@pytest.mark.parametrize("row", ALL)
def test_template_fields_are_attributes_rendered_and_stored(row: str) -> None:
    make, values = ALL[row]
    task = make()
    assert tuple(task.template_fields) == tuple(values)
    stored = round_trip(task)
    assert stored.task_type == type(task).__name__
    assert tuple(stored.template_fields) == tuple(values)
    assert {field: getattr(rendered(task, x="7"), field) for field in values} == values
