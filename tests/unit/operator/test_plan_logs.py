from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import raw, tenant

from tenant_operator.core.errors import InvalidSpec
from tenant_operator.plan import logs, values
from tenant_operator.plan.tenant import parse

STORE = {"id": "logs_s3", "type": "aws"}


def remote(folder: str, **more: Any) -> dict[str, Any]:
    return {"logging": {"remote": {"folder": folder, **more}}}


@pytest.mark.covers("LG-04")
def test_every_line_is_json_unless_the_team_wants_text() -> None:
    assert logs.config(tenant())["logging"]["json_logs"] == "True"
    assert logs.config(tenant(logging={"format": "text"}))["logging"]["json_logs"] == "False"


def test_the_level_is_airflows_own() -> None:
    assert logs.config(tenant(logging={"level": "DEBUG"}))["logging"]["logging_level"] == "DEBUG"


@pytest.mark.covers("LG-01")
def test_a_log_store_becomes_airflows_remote_logging() -> None:
    wanted = remote("s3://airflow-logs/payments", connectionId="logs_s3", encrypt=True)
    assert logs.config(tenant(connections=[STORE], **wanted))["logging"] == {
        "json_logs": "True",
        "logging_level": "INFO",
        "colored_console_log": "False",
        "remote_logging": "True",
        "remote_base_log_folder": "s3://airflow-logs/payments",
        "remote_log_conn_id": "logs_s3",
        "encrypt_s3_logs": "True",
    }


@pytest.mark.parametrize(
    "folder",
    [
        "s3://logs/a",
        "gs://logs/a",
        "wasb://logs/a",
        "cloudwatch://arn:aws:logs:eu-west-1:111122223333:log-group:a",
        "stackdriver://a",
    ],
)
def test_every_store_that_airflow_knows_by_its_scheme_may_be_named(folder: str) -> None:
    assert logs.config(tenant(**remote(folder)))["logging"]["remote_base_log_folder"] == folder


def test_without_a_log_store_nothing_of_it_is_set() -> None:
    assert not {key for key in logs.config(tenant())["logging"] if "remote" in key or "s3" in key}


def test_what_the_team_sets_in_airflow_config_wins_key_by_key() -> None:
    own = {"logging": {"logging_level": "WARNING"}, "core": {"parallelism": "64"}}
    found = logs.config(tenant(airflow={"config": own}))
    assert found["logging"]["logging_level"] == "WARNING"
    assert found["logging"]["json_logs"] == "True"
    assert found["core"] == {"parallelism": "64"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            remote("file:///logs"),
            "spec.logging.remote.folder: must begin with s3://, gs://, wasb://, cloudwatch:// or stackdriver://",
        ),
        (
            remote("s3://key:secret@logs"),
            "spec.logging.remote.folder: must not hold credentials: name a connection",
        ),
        (remote("gs://logs", encrypt=True), "spec.logging.remote: encrypt goes with an s3:// folder"),
        (
            remote("s3://logs", connectionId="nobody"),
            "spec: logging.remote.connectionId: nobody is not in spec.connections: declare it there, or "
            "leave it out to use the pods' cloud identity",
        ),
        (
            {"traces": {"otlpEndpoint": "collector:4318"}},
            "spec.traces.otlpEndpoint: must be an http:// or https:// URL without credentials",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(raw(**spec))
    assert caught.value.message == message


def test_a_connection_from_the_environment_opens_the_store_as_well() -> None:
    variable = {"name": "AIRFLOW_CONN_LOGS_S3", "secretKeyRef": {"name": "logs", "key": "url"}}
    tenant(airflow={"env": [variable]}, **remote("s3://logs", connectionId="logs_s3"))


@pytest.mark.covers("LG-10")
def test_traces_go_to_the_receiver_and_say_whose_they_are() -> None:
    found = tenant(traces={"otlpEndpoint": "http://otel-collector.observability:4318"})
    assert logs.config(found)["traces"] == {
        "otel_on": "True",
        "task_runner_flush_timeout_milliseconds": "5000",
    }
    assert logs.environment(found) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector.observability:4318",
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        "OTEL_SERVICE_NAME": "airflow-payments",
        "OTEL_RESOURCE_ATTRIBUTES": "airflowtenants.io/tenant=payments,airflowtenants.io/team=pay",
    }
    assert "traces" not in logs.config(tenant())
    assert logs.environment(tenant()) == {}


def test_a_variable_that_the_team_sets_itself_is_not_set_twice() -> None:
    own = {"airflow": {"env": [{"name": "OTEL_SERVICE_NAME", "value": "mine"}]}}
    found = tenant(traces={"otlpEndpoint": "http://c:4318"}, **own)
    built = values.build(found, {}, values.Defaults())
    assert [entry for entry in built["env"] if entry["name"] == "OTEL_SERVICE_NAME"] == [
        {"name": "OTEL_SERVICE_NAME", "value": "mine"}
    ]
    assert len(built["env"]) == 4
