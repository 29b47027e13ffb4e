"""The MLflow operators against a real tracking server; a stub only for its failures."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.sdk.exceptions import AirflowFailException
from pytest_httpserver import HTTPServer
from tests.dags.lib.conftest import Models
from tests.dags.lib.playing import context, play, rendered, round_trip
from tests.dags.services.mlflow import MLflow

from tenant_airflow_lib.hooks import mlflow as api
from tenant_airflow_lib.hooks.mlflow import MLflowHook
from tenant_airflow_lib.hooks.rest import DEFAULT_TIMEOUT, RequestRefused, ServiceUnavailable
from tenant_airflow_lib.operators.mlflow import (
    TASK_TAG,
    MLflowLoadModelOperator,
    MLflowLogMetricsOperator,
    MLflowModelTransitionOperator,
)


@pytest.fixture
def name() -> str:
    return f"exp-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def hook(mlflow: MLflow) -> MLflowHook:
    mlflow.connection()
    return MLflowHook()


class Silent(MLflowHook):
    """A server that must not be asked."""

    def run(self, call: Any) -> Any:
        raise AssertionError("the server was asked")


def runs_of(hook: MLflowHook, experiment: str) -> list[dict[str, Any]]:
    def all_runs() -> Any:
        found = yield from api.find_experiment(experiment)
        body = yield api._post("runs/search", experiment_ids=[found], max_results=100)
        return body.get("runs") or []

    return hook.run(all_runs())


def values(run: dict[str, Any], kind: str) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in run["data"].get(kind) or []}


# --- OP-1 ---------------------------------------------------------------------------------------------


def log(**arguments: Any) -> MLflowLogMetricsOperator:
    return MLflowLogMetricsOperator(**({"task_id": "log", "experiment_name": "unused"} | arguments))


@pytest.mark.covers("OP-1")
def test_metrics_go_to_a_new_run_that_is_named_tagged_and_finished(hook: MLflowHook, name: str) -> None:
    operator = log(experiment_name=name, metrics={"auc": 0.91}, run_name="nightly", tags={"team": "ml"})
    run_id = operator.execute(context())
    (run,) = runs_of(hook, name)
    assert run["info"]["run_id"] == run_id
    assert run["info"]["run_name"] == "nightly"
    assert run["info"]["status"] == "FINISHED"
    assert values(run, "metrics") == {"auc": 0.91}
    assert (
        values(run, "tags").items() >= {"team": "ml", "airflow.dag_id": "d", "airflow.task_id": "t"}.items()
    )


@pytest.mark.covers("OP-1")
def test_metrics_go_to_the_given_run_and_its_id_is_returned(hook: MLflowHook, name: str) -> None:
    run_id = hook.run(api.create_run(hook.run(api.ensure_experiment(name))))
    assert log(run_id=run_id, metrics={"auc": "0.5"}, tags={"by": "me"}).execute(context()) == run_id
    (run,) = runs_of(hook, name)
    assert values(run, "metrics") == {"auc": 0.5}
    assert values(run, "tags")["by"] == "me"
    assert run["info"]["status"] == "RUNNING"


@pytest.mark.covers("OP-1")
@pytest.mark.parametrize("value", ["high", None, True, float("nan"), float("inf"), [1]])
def test_a_metric_that_is_no_number_fails_at_once_and_names_itself(value: Any) -> None:
    operator = log(metrics={"good": 1, "auc": value}, hook=Silent())
    with pytest.raises(AirflowFailException, match="not a finite number: auc="):
        operator.execute(context())


@pytest.mark.covers("OP-1")
def test_metrics_that_rendered_to_no_mapping_fail_at_once() -> None:
    with pytest.raises(AirflowFailException, match="mapping"):
        log(metrics="{'auc': 1}", hook=Silent()).execute(context())


@pytest.mark.covers("OP-1")
@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_error_may_be_retried(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/api/2.0/mlflow/runs/log-batch").respond_with_data("busy", status)
    operator = log(run_id="r", metrics={"a": 1}, tracking_uri=httpserver.url_for(""))
    with pytest.raises(ServiceUnavailable, match=f"HTTP {status}: busy") as raised:
        operator.execute(context())
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.covers("OP-1")
def test_no_server_may_be_retried_and_a_refusal_may_not(httpserver: HTTPServer) -> None:
    with pytest.raises(ServiceUnavailable, match="no answer"):
        log(run_id="r", metrics={"a": 1}, tracking_uri="http://127.0.0.1:9").execute(context())
    httpserver.expect_request("/api/2.0/mlflow/runs/log-batch").respond_with_json(
        {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}, 400
    )
    with pytest.raises(AirflowFailException, match="INVALID_PARAMETER_VALUE"):
        log(run_id="r", metrics={"a": 1}, tracking_uri=httpserver.url_for("")).execute(context())


@pytest.mark.covers("OP-1")
def test_the_connections_login_token_and_headers_are_used(httpserver: HTTPServer, connect: Any) -> None:
    httpserver.expect_request("/api/2.0/mlflow/runs/log-batch").respond_with_json({})
    place = {"host": httpserver.host, "port": httpserver.port}
    connect("with_login", "http", login="ann", password="pw", **place)
    connect("with_token", "http", password="tok", extra={"X-Team": "ml", "timeout": 5}, **place)
    for conn_id in ("with_login", "with_token"):
        log(run_id="r", metrics={"a": 1}, mlflow_conn_id=conn_id).execute(context())
    first, second = (request.headers for request, _ in httpserver.log)
    assert first["Authorization"] == "Basic YW5uOnB3"
    assert second["Authorization"] == "Bearer tok"
    assert second["X-Team"] == "ml"
    assert "timeout" not in second


@pytest.mark.covers("OP-1")
def test_a_server_that_hangs_is_given_up_after_the_timeout(connect: Any) -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        connect("deaf", "http", host="127.0.0.1", port=deaf.getsockname()[1], extra={"timeout": 0.2})
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="no answer"):
            log(run_id="r", metrics={"a": 1}, mlflow_conn_id="deaf").execute(context())
    assert time.monotonic() - began < DEFAULT_TIMEOUT


@pytest.mark.covers("OP-1")
def test_a_kill_marks_the_run_that_the_task_started(hook: MLflowHook, name: str, monkeypatch: Any) -> None:
    operator = log(experiment_name=name, metrics={"auc": 1})

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(api, "log_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(context())
    operator.on_kill()
    assert [run["info"]["status"] for run in runs_of(hook, name)] == ["KILLED"]


@pytest.mark.covers("OP-1")
def test_a_retry_goes_on_with_the_run_of_the_first_try(
    hook: MLflowHook, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = api.log_batch, []

    def flaky(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise ServiceUnavailable("away")
        return real(*args, **kwargs)

    monkeypatch.setattr(api, "log_batch", flaky)
    done = play(
        "op1_retry",
        f"""
        from tenant_airflow_lib.operators.mlflow import MLflowLogMetricsOperator
        MLflowLogMetricsOperator(task_id="log", experiment_name="{name}", retries=2,
            metrics={{"auc": "{{{{ dag_run.conf.auc }}}}"}})
        """,
        {"auc": 0.75},
    )
    assert done.states == {"log": "success"}
    assert done.tries("log") == 2
    (run,) = runs_of(hook, name)
    assert run["info"]["run_id"] == done.xcom("log")
    assert run["info"]["status"] == "FINISHED"
    assert values(run, "metrics") == {"auc": 0.75}
    assert values(run, "tags")[TASK_TAG]


@pytest.mark.covers("OP-1")
def test_a_deleted_experiment_is_refused_with_advice(hook: MLflowHook, name: str) -> None:
    def delete() -> Any:
        experiment = yield from api.ensure_experiment(name)
        yield api._post("experiments/delete", experiment_id=experiment)

    hook.run(delete())
    with pytest.raises(AirflowFailException, match="is deleted: restore it"):
        log(experiment_name=name, metrics={"a": 1}).execute(context())


# --- OP-2 ---------------------------------------------------------------------------------------------


@pytest.fixture
def model(hook: MLflowHook, name: str) -> str:
    """A registered model with versions 1 and 2."""

    def make() -> Any:
        yield from api.ensure_registered_model(name)
        for number in "12":
            assert (yield from api.create_model_version(name, f"s3://models/{name}/{number}")) == number

    hook.run(make())
    return name


def move(**arguments: Any) -> MLflowModelTransitionOperator:
    return MLflowModelTransitionOperator(**({"task_id": "move", "version": "1"} | arguments))


@pytest.mark.covers("OP-2")
def test_an_alias_is_set_by_default_and_moves_from_version_to_version(hook: MLflowHook, model: str) -> None:
    first = move(model_name=model, version=1, stage="Production").execute(context())
    assert first == {
        "model_name": model,
        "version": "1",
        "stage": "production",
        "previous_version": None,
        "changed": True,
    }
    second = move(model_name=model, version="2", stage="Production").execute(context())
    assert (second["previous_version"], second["changed"]) == ("1", True)
    assert hook.run(api.aliases_of(model)) == {"production": "2"}
    assert hook.run(api.get_model_version(model, "2"))["current_stage"] == "None"


@pytest.mark.covers("X-21")
def test_a_version_gets_an_alias_and_no_stage_unless_the_legacy_mode_is_asked_for(
    hook: MLflowHook, model: str
) -> None:
    move(model_name=model, version="1", stage="Production").execute(context())
    move(model_name=model, version="2", stage="Production", mode="stage").execute(context())
    stages = [hook.run(api.get_model_version(model, version))["current_stage"] for version in "12"]
    assert stages == ["None", "Production"]
    assert hook.run(api.aliases_of(model)) == {"production": "1"}


@pytest.mark.covers("OP-2")
@pytest.mark.parametrize("mode", ["alias", "stage"])
def test_a_rerun_changes_nothing_and_writes_nothing(hook: MLflowHook, model: str, mode: str) -> None:
    class Reading(MLflowHook):
        asked: ClassVar[list[str]] = []

        def run(self, call: Any) -> Any:
            def noted() -> Any:
                request = next(call)
                while True:
                    self.asked.append(request.path.rpartition("/")[2])
                    try:
                        request = call.send((yield request))
                    except StopIteration as done:
                        return done.value

            return super().run(noted())

    assert move(model_name=model, stage="Staging", mode=mode).execute(context())["changed"] is True
    again = move(model_name=model, stage="Staging", mode=mode, hook=Reading()).execute(context())
    assert again["changed"] is False
    assert set(Reading.asked) == {"get"}


@pytest.mark.covers("OP-2")
@pytest.mark.parametrize("archive", [True, False])
def test_the_legacy_mode_moves_the_stage_and_archives_if_told(
    hook: MLflowHook, model: str, archive: bool
) -> None:
    for version in "12":
        move(
            model_name=model, version=version, stage="Production", mode="stage", archive_existing=archive
        ).execute(context())
    stages = [hook.run(api.get_model_version(model, version))["current_stage"] for version in "12"]
    assert stages == (["Archived", "Production"] if archive else ["Production", "Production"])
    assert move(model_name=model, version="2", stage="Archived", mode="stage").execute(context())["changed"]


@pytest.mark.covers("OP-2")
@pytest.mark.parametrize("mode", ["alias", "stage"])
def test_an_unknown_model_or_version_fails_at_once(hook: MLflowHook, model: str, mode: str) -> None:
    for wrong in ({"model_name": model, "version": "9"}, {"model_name": "no-such-model"}):
        with pytest.raises(AirflowFailException, match="RESOURCE_DOES_NOT_EXIST"):
            move(stage="Staging", mode=mode, **wrong).execute(context())


@pytest.mark.covers("OP-2")
@pytest.mark.parametrize(
    ("mode", "stage"),
    [("stage", "Prod"), ("stage", "production"), ("alias", ""), ("alias", "no way"), ("alias", "latest")],
)
def test_an_unknown_stage_fails_at_once_without_a_request(mode: str, stage: str) -> None:
    class OnlyDrives(MLflowHook):
        def run(self, call: Any) -> Any:
            next(call)
            raise AssertionError("the server was asked")

    with pytest.raises(AirflowFailException, match=r"stage|alias"):
        move(model_name="m", stage=stage, mode=mode, hook=OnlyDrives()).execute(context())
    with pytest.raises(ValueError, match="mode 'both'"):
        move(model_name="m", stage="x", mode="both")


@pytest.mark.covers("OP-2")
def test_a_server_error_on_a_move_may_be_retried(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/2.0/mlflow/model-versions/get").respond_with_data("", 503)
    with pytest.raises(ServiceUnavailable):
        move(model_name="m", stage="x", tracking_uri=httpserver.url_for("")).execute(context())


# --- OP-3 ---------------------------------------------------------------------------------------------


def load(uri: str, **arguments: Any) -> MLflowLoadModelOperator:
    return MLflowLoadModelOperator(task_id="load", model_uri=uri, **arguments)


@pytest.mark.covers("OP-3")
@pytest.mark.parametrize("form", ["version", "alias", "stage", "logged", "run"])
def test_every_form_of_a_model_uri_tells_the_truth_about_the_signature(
    hook: MLflowHook, models: Models, form: str
) -> None:
    for kind, logged in (("signed", models.signed), ("unsigned", models.unsigned)):
        registered = f"{models.name}-{kind}"
        hook.run(api.set_alias(registered, "champion", "1"))
        hook.run(api.move_to_stage(registered, "1", "Staging", archive_existing=False))
        uri = {
            "version": f"models:/{registered}/1",
            "alias": f"models:/{registered}@champion",
            "stage": f"models:/{registered}/Staging",
            "logged": logged,
            "run": f"runs:/{models.run_id}/{kind}",
        }[form]
        found = load(uri, validate_signature=False).execute(context())
        assert found == {"model_uri": uri, "has_signature": kind == "signed"}


@pytest.mark.covers("OP-3")
def test_a_model_without_a_signature_is_a_value_error_that_is_not_tried_again(
    hook: MLflowHook, models: Models
) -> None:
    assert load(models.signed).execute(context())["has_signature"] is True
    with pytest.raises(ValueError, match="has no signature") as raised:
        load(models.unsigned).execute(context())
    assert isinstance(raised.value, AirflowFailException)


@pytest.mark.covers("OP-3")
def test_a_folder_outside_of_mlflow_is_read_too(hook: MLflowHook, tmp_path: Any) -> None:
    (tmp_path / "MLmodel").write_text("signature:\n  inputs: '[]'\n")
    assert load(f"file://{tmp_path}").execute(context())["has_signature"] is True
    (tmp_path / "MLmodel").write_text("signature:\n")
    assert load(f"file://{tmp_path}", validate_signature=False).execute(context())["has_signature"] is False


@pytest.mark.covers("OP-3")
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/no-such-model/1", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/no-such-model@champion", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/{name}-signed@nobody", "no alias 'nobody'"),
        ("models:/{name}-signed/9", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/{name}-signed/Archived", "no version in stage"),
        ("models:/{name}-signed", "no model URI"),
        ("churn", "no model URI"),
        ("runs:/0123456789abcdef0123456789abcdef/model", "RESOURCE_DOES_NOT_EXIST"),
        ("runs:/{run}/other", "HTTP 404"),
    ],
)
def test_what_does_not_exist_fails_at_once(hook: MLflowHook, models: Models, uri: str, message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        load(uri.format(name=models.name, run=models.run_id)).execute(context())


@pytest.mark.covers("OP-2", "OP-3")
def test_a_dag_checks_a_model_and_puts_it_into_production(hook: MLflowHook, models: Models) -> None:
    done = play(
        "op2_op3",
        """
        from tenant_airflow_lib.operators.mlflow import MLflowLoadModelOperator, MLflowModelTransitionOperator
        check = MLflowLoadModelOperator(task_id="check", model_uri="models:/{{ dag_run.conf.model }}/1")
        promote = MLflowModelTransitionOperator(task_id="promote", model_name="{{ dag_run.conf.model }}",
            version="{{ dag_run.conf.version }}", stage="{{ dag_run.conf.stage }}")
        check >> promote
        """,
        {"model": f"{models.name}-signed", "version": 1, "stage": "Live"},
    )
    assert done.states == {"check": "success", "promote": "success"}
    assert done.xcom("check") == {"model_uri": f"models:/{models.name}-signed/1", "has_signature": True}
    assert done.xcom("promote")["stage"] == "live"
    assert hook.run(api.aliases_of(f"{models.name}-signed"))["live"] == "1"


@pytest.mark.covers("OP-3")
def test_a_folder_without_a_model_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"no model in .*nothing.*: it has no file MLmodel"):
        load(f"file://{tmp_path}/nothing", tracking_uri="http://127.0.0.1:9").execute(context())


# --- all ----------------------------------------------------------------------------------------------

ALL = {
    "OP-1": lambda: log(run_id="{{ x }}", metrics={"auc": "{{ x }}"}),
    "OP-2": lambda: move(model_name="{{ x }}", version="{{ x }}", stage="{{ x }}"),
    "OP-3": lambda: load("{{ x }}"),
}


@pytest.mark.covers("OP-1", "OP-2", "OP-3")
@pytest.mark.parametrize("row", ALL)
def test_template_fields_are_attributes_and_rendered(row: str) -> None:
    task = rendered(ALL[row](), x="7")
    fields = {
        "OP-1": ("run_id", "metrics"),
        "OP-2": ("model_name", "version", "stage"),
        "OP-3": ("model_uri",),
    }
    assert tuple(task.template_fields) == fields[row]
    assert all(getattr(task, field) in ("7", {"auc": "7"}) for field in task.template_fields)


@pytest.mark.covers("OP-1", "OP-2", "OP-3")
@pytest.mark.parametrize("row", ALL)
def test_the_scheduler_gets_type_and_template_fields(row: str) -> None:
    task = ALL[row]()
    stored = round_trip(task)
    assert stored.task_type == type(task).__name__
    assert tuple(stored.template_fields) == tuple(task.template_fields)
    assert [str(getattr(stored, field)) for field in stored.template_fields] == [
        str(getattr(task, field)) for field in task.template_fields
    ]


def test_a_refusal_says_status_and_code(hook: MLflowHook) -> None:
    with pytest.raises(RequestRefused) as raised:
        hook.run(api.get_run("nope"))
    assert (raised.value.status, raised.value.code) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert raised.value.not_found


@pytest.mark.covers("D002-8")
def test_a_retry_finds_the_version_of_its_run_and_another_run_gets_the_next_one(
    hook: MLflowHook, name: str
) -> None:
    experiment = hook.run(api.ensure_experiment(name))
    first, second = (hook.run(api.create_run(experiment)) for _ in range(2))
    assert hook.run(api.register_once(name, "s3://models/1", first)) == "1"
    assert hook.run(api.register_once(name, "s3://models/1", first)) == "1"
    assert hook.run(api.register_once(name, "s3://models/2", second)) == "2"
    assert hook.run(api.get_model_version(name, "2"))["run_id"] == second
    # the first run's retry comes late: another version is the newest
    assert hook.run(api.register_once(name, "s3://models/1", first)) == "1"
    assert hook.run(api.newest_model_version(name))["version"] == "2"
