"""Bad input is refused clearly, awkward input works; docs/bad-input.md says the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.controller import api as calls
from tests.controller.bad_input import AWKWARD, PAGE, REFUSED, TOLD, Refused, Told, page
from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds, names

CONFIG_MAP = kinds.find("v1", "ConfigMap") or kinds.SECRET


def test_the_page_is_made_from_the_cases_below() -> None:
    assert PAGE.read_text() == page(), (
        "run `python -m tests.controller.bad_input > docs/bad-input.md` at the root"
    )


@pytest.mark.parametrize("case", REFUSED, ids=[case.title for case in REFUSED])
def test_the_api_server_refuses(shared_stack: Stack, case: Refused) -> None:
    owner = {"owner": {"team": "team"}}
    obj = {"metadata": {"name": case.name or "refused"}, "spec": {**owner, **(case.before or case.spec)}}
    api = shared_stack.api
    if case.before is None:
        with pytest.raises(calls.Refused) as caught:
            api.create(kinds.TENANT, obj, dry=True)
    else:
        kept = shared_stack.tenant("immutable")
        kept.create(suspend=True, **case.before)
        with pytest.raises(calls.Refused) as caught:
            kept.edit(**case.spec)
        kept.delete()
    assert caught.value.status in {400, 422}
    assert case.message in caught.value.message


@pytest.mark.parametrize(
    "declared",
    [
        {"connections": [{"id": "logs_s3", "type": "aws"}]},
        {"airflow": {"env": [{"name": "AIRFLOW_CONN_LOGS_S3", "value": "aws://"}]}},
    ],
)
def test_the_api_server_takes_a_log_store_whose_connection_is_declared(
    shared_stack: Stack, declared: dict[str, object]
) -> None:
    remote = {"folder": "s3://logs", "connectionId": "logs_s3", "encrypt": True}
    spec = {"owner": {"team": "team"}, "logging": {"remote": remote}, **declared}
    shared_stack.api.create(kinds.TENANT, {"metadata": {"name": "taken"}, "spec": spec}, dry=True)


@pytest.fixture(scope="module")
def told(shared_stack: Stack) -> Iterator[dict[str, TenantUnderTest]]:
    """All of them at once: most wait for the operator."""
    made = {}
    for case in TOLD:
        tenant = made[case.title] = shared_stack.tenant("told")
        if case.secrets:
            tenant.prepare_namespace()
        for name, values in case.secrets.items():
            shared_stack.api.secret(name, tenant.namespace, **values)
        tenant.create(**case.spec)
    yield made
    shared_stack.clean()


@pytest.mark.parametrize("case", TOLD, ids=[case.title for case in TOLD])
def test_the_operator_tells(told: dict[str, TenantUnderTest], case: Told) -> None:
    tenant = told[case.title]
    message = case.message.format(tenant=tenant.name, namespace=tenant.namespace)
    found = tenant.wait(case.condition, "False", case.reason, says=message, seconds=90)
    ready = tenant.conditions()["Ready"]
    if case.aside:
        assert ready["reason"] != case.reason
        return
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", case.reason, found["message"])


@pytest.fixture(scope="module")
def awkward(shared_stack: Stack) -> Iterator[TenantUnderTest]:
    """One tenant with all the values that could be misread."""
    tenant = shared_stack.tenant("awkward")
    values = list(AWKWARD.values())
    tenant.create(
        namespace={"annotations": {f"example.com/v{i}": value for i, value in enumerate(values)}},
        airflow={
            "config": {"custom": {f"v{i}": value for i, value in enumerate(values)}},
            "env": [{"name": f"V{i}", "value": value} for i, value in enumerate(values)],
        },
        access={"kubernetes": {"viewers": [{"kind": "Group", "name": value} for value in values if value]}},
    )
    tenant.wait_released()
    yield tenant
    shared_stack.clean()


@pytest.mark.parametrize("title", AWKWARD)
def test_an_awkward_value_arrives_as_it_is(awkward: TenantUnderTest, title: str) -> None:
    index, value = list(AWKWARD).index(title), AWKWARD[title]
    api, space = awkward.api, awkward.namespace
    (config,) = (
        obj["data"]
        for name, obj in awkward.objects(CONFIG_MAP).items()
        if name.startswith(f"{awkward.name}-config")
    )
    assert config[f"AIRFLOW__CUSTOM__V{index}"] == value
    pod = api.get(kinds.DEPLOYMENT, f"{awkward.name}-scheduler", space)["spec"]["template"]["spec"]
    env = {item["name"]: item.get("value", "") for item in pod["containers"][0]["env"]}
    assert env[f"V{index}"] == value
    annotations = api.get(kinds.NAMESPACE, space)["metadata"]["annotations"]
    assert annotations[f"example.com/v{index}"] == value
    groups = {
        subject["name"]
        for name, binding in awkward.objects(kinds.ROLE_BINDING).items()
        if name != names.OPERATOR_BINDING
        for subject in binding["subjects"]
    }
    assert not value or value in groups


def test_what_helm_shows_of_awkward_values_is_what_was_given(awkward: TenantUnderTest) -> None:
    values = awkward.stack.helm("get", "values", awkward.name, "-n", awkward.namespace, "-o", "json")
    assert list(values["config"]["custom"].values()) == [
        awkward.object["spec"]["airflow"]["config"]["custom"][key] for key in values["config"]["custom"]
    ]
    assert json.dumps(values).count("fernetKeySecretName") >= 2


def test_an_unknown_field_is_dropped_where_the_client_does_not_ask_for_strictness(stack: Stack) -> None:
    made = stack.api.call(
        "POST",
        kinds.TENANT.path(),
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": "lenient"},
            "spec": {"owner": {"team": "t"}, "nonsense": 1},
        },
        query="dryRun=All",
    )
    assert "nonsense" not in made["spec"]
