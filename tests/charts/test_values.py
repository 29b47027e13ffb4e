"""The schemas refuse what the charts don't know, and every value is documented in one place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.charts.configurations import CONFIGURATIONS, LOCAL
from tests.charts.support import OPERATOR_CHART, ROOT, TENANT_CHART, merged, refused, render_chart

CHARTS = [TENANT_CHART, OPERATOR_CHART]
ENV = {"name": "A", "value": "1"}


def user(**changes: Any) -> dict[str, Any]:
    whole = {
        "username": "u",
        "email": "u@example.com",
        "firstName": "U",
        "lastName": "U",
        "role": "Admin",
        "passwordSecretName": "s",
    }
    return {"createUserJob": {"users": [whole | changes]}}


def source(name: str = "main", **git: Any) -> dict[str, Any]:
    return {"dags": {"sources": [{"name": name, "gitSync": {"repo": "https://example.com/a.git"} | git}]}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"unknown": 1}, "additional properties 'unknown' not allowed"),
    ({"apiServer": {"replica": 2}}, "additional properties 'replica' not allowed"),
    ({"scheduler": {"replicas": -1}}, "at '/scheduler/replicas': minimum: got -1, want 0"),
    ({"scheduler": {"replicas": "2"}}, "at '/scheduler/replicas': got string, want integer"),
    ({"executor": "SequentialExecutor"}, "at '/executor': value must be one of"),
    ({"executor": "CeleryExecutor"}, "'LocalExecutor', 'KubernetesExecutor'"),
    ({"airflowVersion": "2.10.0"}, "at '/airflowVersion'"),
    ({"images": {"airflow": {"pullPolicy": "Sometimes"}}}, "at '/images/airflow/pullPolicy'"),
    ({"images": {"airflow": {"digest": "abc"}}}, "at '/images/airflow/digest'"),
    ({"env": [{"name": "A"}]}, "at '/env/0'"),
    ({"env": [{"name": "A", "value": 1}]}, "at '/env/0/value': got number, want string"),
    ({"env": [{"name": "A B", "value": "1"}]}, "at '/env/0/name'"),
    ({"env": [{"name": "AIRFLOW__CORE__FERNET_KEY", "value": "x"}]}, "at '/env/0/name'"),
    ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}, "missing property 'key'"),
    ({"env": [ENV, ENV]}, "env: A is there twice"),
    ({"scheduler": {"env": [ENV, ENV]}}, "env: A is there twice"),
    ({"config": {"core": {"fernet_key": "x"}}}, "absent: use fernetKeySecretName"),
    ({"config": {"core": {"executor": "x"}}}, "absent: use executor"),
    ({"config": {"database": {"sql_alchemy_conn": "x"}}}, "absent: use data.metadataSecretName"),
    ({"config": {"api": {"secret_key": "x"}}}, "absent: use apiSecretKeySecretName"),
    ({"config": {"api_auth": {"jwt_secret": "x"}}}, "absent: use jwtSecretName"),
    ({"config": {"core": {"nested": {"a": "b"}}}}, "at '/config/core/nested'"),
    ({"config": {"dag_processor": {"dag_bundle_config_list": "[]"}}}, "exclude each other"),
    ({"labels": {"app.kubernetes.io/component": "x"}}, "invalid propertyName 'app.kubernetes.io/component'"),
    ({"labels": {"team": "has space"}}, "at '/labels/team'"),
    ({"apiServer": {"resources": {"requests": {"cpu": "a lot"}}}}, "at '/apiServer/resources/requests/cpu'"),
    ({"apiServer": {"resources": {"request": {}}}}, "additional properties 'request' not allowed"),
    ({"apiServer": {"tolerations": [{"kye": "a"}]}}, "additional properties 'kye' not allowed"),
    ({"apiServer": {"affinity": {"nodeAffinty": {}}}}, "additional properties 'nodeAffinty' not allowed"),
    (source(name="Main"), "at '/dags/sources/0/name'"),
    (source(repo="ftp://example.com/a"), "at '/dags/sources/0/gitSync/repo'"),
    (source(ref="--upload-pack=x"), "at '/dags/sources/0/gitSync/ref'"),
    *(
        (source(period=period), "at '/dags/sources/0/gitSync/period'")
        for period in ("often", "30", "", "0s", "1s", "4s", "04s", "0h0m4s", "500ms", "-10s", "1m 30s")
    ),
    (source(depth=-1), "at '/dags/sources/0/gitSync/depth'"),
    (source(branch="main"), "additional properties 'branch' not allowed"),
    ({"dags": {"sources": [*source()["dags"]["sources"]] * 2}}, 'the name "main" is used twice'),
    (
        {"dags": {"sources": [{"name": "a"}]}},
        'dags.sources: "a" needs exactly one of gitSync and image',
    ),
    (
        {"dags": {"sources": [{"name": "a", "subPath": "b", "image": {"path": "/c"}}]}},
        'dags.sources: subPath of "a" is for gitSync',
    ),
    ({"dags": {"sources": [{"name": "a", "image": {"path": "c"}}]}}, "at '/dags/sources/0/image/path'"),
    (
        {"dags": {"sources": [{"name": "a", "subPath": "../b", "gitSync": {"repo": "https://e/a"}}]}},
        "/subPath",
    ),
    (user(email="nobody"), "at '/createUserJob/users/0/email'"),
    (user(password="x"), "additional properties 'password' not allowed"),
    (
        {"createUserJob": {"users": user()["createUserJob"]["users"] * 2}},
        "createUserJob.users: u is there twice",
    ),
    ({"networkPolicies": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "x"}}]}]}}, "/ipBlock/cidr"),
    ({"networkPolicies": {"gitPorts": [70000]}}, "at '/networkPolicies/gitPorts/0'"),
    ({"teamAccess": {"viewers": [{"kind": "Robot", "name": "r"}]}}, "at '/teamAccess/viewers/0/kind'"),
    ({"teamAccess": {"owners": []}}, "additional properties 'owners' not allowed"),
    ({"quota": {"hard": {"pods": "many"}}}, "at '/quota/hard/pods'"),
    ({"postgresql": {"persistence": {"size": "big"}}}, "at '/postgresql/persistence/size'"),
    ({"uid": 0}, "at '/uid': minimum: got 0, want 1"),
    ({"fernetKeySecretName": "Not A Name"}, "at '/fernetKeySecretName'"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=range(len(REFUSED)))
def test_wrong_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    assert message in refused(merged(LOCAL, values))


@pytest.mark.parametrize("period", ["5s", "30s", "120s", "1m", "1m5s", "1h30m", "2h", "0h1m0s"])
def test_every_period_of_five_seconds_or_more_is_taken(period: str) -> None:
    pods = render_chart(merged(LOCAL, source(period=period))).pods
    assert f"--period={period}" in pods["dag-processor"].container("git-sync-main")["args"]


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"redis": {"enabled": True}}, "no Celery in this chart"),
        ({"webserverSecretKey": "x"}, "use apiSecretKey"),
        ({"extraEnv": "- a"}, "use env"),
        ({"logs": {"persistence": {"enabled": True}}}, "remote_base_log_folder"),
        ({"limits": []}, "limitRange"),
        ({"quotas": {}}, "quota.hard"),
        ({"ingress": {"enabled": True}}, "extraObjects"),
    ],
)
def test_keys_of_the_official_chart_are_refused_with_a_hint(values: dict[str, Any], hint: str) -> None:
    message = refused(merged(LOCAL, values))
    assert f"at '/{next(iter(values))}': value must be 'absent: " in message
    assert hint in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unknown": 1}, "additional properties 'unknown' not allowed"),
        ({"logLevel": "LOUD"}, "at '/logLevel'"),
        ({"concurrency": 0}, "at '/concurrency'"),
        ({"resyncInterval": "5m"}, "at '/resyncInterval'"),
        ({"tenantDefaults": {"images": {"redis": {}}}}, "additional properties 'redis' not allowed"),
        ({"labels": {"app.kubernetes.io/name": "x"}}, "invalid propertyName"),
    ],
)
def test_the_operators_chart_refuses_wrong_values(values: dict[str, Any], message: str) -> None:
    assert message in refused(values, OPERATOR_CHART)


def schema_of(chart: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((chart / "values.schema.json").read_text())
    return schema


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for key, child in node.items():
            yield from nodes(child, f"{path}/{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from nodes(child, f"{path}/{index}")


#: Objects that take any key by their nature: read as they are by Kubernetes or by Helm.
FREE = {
    "/properties/extraObjects/items",
    "/properties/global",
    # what Alertmanager's own objects may hold is checked by their CustomResourceDefinition
    *(
        f"/properties/monitoring/properties/alertmanagerConfig/properties/spec/properties/{path}"
        for path in ("route", "receivers/items", "inhibitRules/items", "muteTimeIntervals/items")
    ),
}


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_no_object_of_a_schema_takes_unknown_keys(chart: Path) -> None:
    schema = schema_of(chart)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path, node in nodes(schema):
        kinds = node.get("type")
        if kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
            closed = node.get("additionalProperties") is False
            typed_map = isinstance(node.get("additionalProperties"), dict)
            composed = "allOf" in node
            assert closed or typed_map or composed or path in FREE, path


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_schema_and_values_know_the_same_keys(chart: Path) -> None:
    schema, values = schema_of(chart), yaml.safe_load((chart / "values.yaml").read_text())

    def compare(node: dict[str, Any], value: Any, path: str) -> None:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        known = {key for key, child in node.get("properties", {}).items() if "const" not in child}
        if not known or not isinstance(value, dict) or node.get("additionalProperties") is not False:
            return
        if not value:  # an empty object such as affinity: its fields are Kubernetes' own
            return
        optional = {"global", "rollingUpdate", "minAvailable", "maxUnavailable", "requests", "limits"}
        assert known - optional == value.keys() - optional, path
        for key, child in value.items():
            compare(node["properties"][key], child, f"{path}.{key}")

    compare(schema, values, chart.name)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_value_is_documented(chart: Path) -> None:
    """Each key of values.yaml has a `# --` line, or one of its parents or all of its children have."""
    lines = (chart / "values.yaml").read_text().splitlines()
    documented: set[int] = set()
    for number, line in enumerate(lines):
        match = re.match(r"^( *)[\w.-]+:(.*)$", line)
        if match is None:
            continue
        indent = len(match[1])
        above = lines[number - 1].strip() if number else ""
        parents = [
            n
            for n in range(number)
            if re.match(r"^ *[\w.-]+:", lines[n]) and len(lines[n]) - len(lines[n].lstrip()) < indent
        ]
        parent = parents[-1] if parents else None
        inherits = parent is not None and parent in documented
        group = match[2].strip() == "" and re.match(rf"^ {{{indent + 2}}}(# -- |\w)", lines[number + 1])
        if above.startswith("# -- ") or inherits:
            documented.add(number)
        else:
            assert group, f"{chart.name}/values.yaml:{number + 1} has no `# --` line: {line}"


@pytest.mark.parametrize("path", ["createUserJob/properties/users", "dags/properties/sources"])
def test_fields_of_our_own_lists_are_described_in_the_schema(path: str) -> None:
    node = schema_of(TENANT_CHART)["properties"]
    for step in path.split("/"):
        node = node[step]
    fields = node["items"]["properties"]
    nested = fields.get("gitSync", {}).get("properties", {})
    leaves = {**fields, **nested}
    leaves.pop("gitSync", None)
    leaves.pop("image", None)
    assert len(leaves) >= 7
    assert [name for name, field in leaves.items() if not field.get("description")] == []


def test_readme_and_descriptions_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "charts" / "generate_readme.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_lists_values_with_their_defaults() -> None:
    text = (TENANT_CHART / "README.md").read_text()
    assert "| `scheduler.replicas` | integer | `1` |" in text
    assert "| `dags.sources[].gitSync.repo` | string |" in text
    assert "| `createUserJob.users[].passwordSecretName` | string |" in text


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_an_independent_validator_accepts_the_tested_values(name: str) -> None:
    values = merged(yaml.safe_load((TENANT_CHART / "values.yaml").read_text()), CONFIGURATIONS[name])
    jsonschema.Draft202012Validator(schema_of(TENANT_CHART)).validate(values)
