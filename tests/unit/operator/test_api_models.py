from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.operator.support import raw

from tenant_operator.api.airflow import RESERVED_CONFIG
from tenant_operator.api.objects import BUILTIN_ROLES
from tenant_operator.api.tenant import TenantSpec
from tenant_operator.core.errors import InvalidSpec
from tenant_operator.plan.tenant import parse


def refusal(**spec: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        parse(raw(**spec))
    assert caught.value.stalled
    assert caught.value.retry == 0
    return caught.value.message


def source(**git: Any) -> dict[str, Any]:
    return {"sources": [{"name": "main", "gitSync": {"repo": "https://git.example.com/x.git", **git}}]}


GIT_CREDENTIALS = "must not hold credentials: put them into a Secret and name it in credentialsSecretRef"
GIT_URL = "must be a Git URL: https://, http://, ssh://, git:// or user@host:path"
GIT_PATH = "must be a relative path inside the repository"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"owner": {}}, "spec.owner.team: Field required"),
    ({"owner": {"team": ""}}, "spec.owner.team: Value should have at least 1 item after validation, not 0"),
    ({"owner": {"team": "a b"}}, "spec.owner.team: must be a label value"),
    ({"nonsense": 1}, "spec.nonsense: unknown field"),
    ({"airflow": {"scheduler": {"replica": 1}}}, "spec.airflow.scheduler.replica: unknown field"),
    (
        {"namespace": {"name": "kube-system"}},
        "spec.namespace.name: must not be a namespace of Kubernetes itself",
    ),
    ({"namespace": {"name": "default"}}, "spec.namespace.name: must not be a namespace of Kubernetes itself"),
    ({"namespace": {"name": "A"}}, "spec.namespace.name: must be a namespace name"),
    (
        {"airflow": {"version": "2.10.0"}},
        "spec.airflow.version: must be an Airflow 3.3 version, for example 3.3.2",
    ),
    (
        {"airflow": {"config": {"Core": {}}}},
        "spec.airflow.config.Core.[key]: must be lower case letters, digits and '_', as in airflow.cfg",
    ),
    (
        {"airflow": {"config": {"core": {"fernet_key": "x"}}}},
        "spec.airflow: config.core.fernet_key is set by the operator: remove it from airflow.config",
    ),
    (
        {"airflow": {"env": [{"name": "AIRFLOW__CORE__X", "value": "1"}]}},
        "spec.airflow.env[0].name: use airflow.config for Airflow's settings",
    ),
    (
        {"airflow": {"env": [{"name": "1A", "value": "1"}]}},
        "spec.airflow.env[0].name: must be an environment variable's name",
    ),
    ({"airflow": {"env": [{"name": "A"}]}}, "spec.airflow.env[0]: set exactly one of value and secretKeyRef"),
    ({"dags": {"sources": [{"name": "main"}]}}, "spec.dags.sources[0]: set exactly one of gitSync and image"),
    (
        {"dags": {"sources": [source()["sources"][0] | {"image": {"path": "/dags"}}]}},
        "spec.dags.sources[0]: set exactly one of gitSync and image",
    ),
    (
        {"dags": {"sources": [{"name": "main", "image": {"path": "dags"}}]}},
        "spec.dags.sources[0].image.path: must be an absolute path without a '/' at its end",
    ),
    (
        {"dags": {"sources": [{"name": "main", "image": {"path": "/opt/../etc"}}]}},
        "spec.dags.sources[0].image.path: must not hold '..'",
    ),
    (
        {"dags": source(repo="https://u:p@git.example.com/x")},
        f"spec.dags.sources[0].gitSync.repo: {GIT_CREDENTIALS}",
    ),
    (
        {"dags": source(repo="ssh://u:p@git.example.com/x")},
        f"spec.dags.sources[0].gitSync.repo: {GIT_CREDENTIALS}",
    ),
    ({"dags": source(repo="file:///etc")}, f"spec.dags.sources[0].gitSync.repo: {GIT_URL}"),
    ({"dags": source(repo="ext::sh -c x")}, f"spec.dags.sources[0].gitSync.repo: {GIT_URL}"),
    ({"dags": source(repo="--upload-pack=x")}, f"spec.dags.sources[0].gitSync.repo: {GIT_URL}"),
    ({"dags": source(repo="https://git.example.com/x\n")}, f"spec.dags.sources[0].gitSync.repo: {GIT_URL}"),
    (
        {"dags": source(ref="-x")},
        "spec.dags.sources[0].gitSync.ref: must be a branch, a tag or a full commit hash",
    ),
    ({"dags": source(ref="a..b")}, "spec.dags.sources[0].gitSync.ref: must not hold '..'"),
    ({"dags": source(subPath="/etc")}, f"spec.dags.sources[0].gitSync.subPath: {GIT_PATH}"),
    (
        {"dags": source(subPath="../x")},
        "spec.dags.sources[0].gitSync.subPath: must not climb out of the repository with '..'",
    ),
    (
        {"dags": {"sources": [*source()["sources"], *source()["sources"]]}},
        "spec: dags.sources: main is listed twice",
    ),
    ({"pools": [{"name": "a", "slots": 1}] * 2}, "spec: pools: a is listed twice"),
    (
        {"pools": [{"name": "a", "slots": -2}]},
        "spec.pools[0].slots: Input should be greater than or equal to -1",
    ),
    ({"connections": [{"id": "a", "type": "http"}] * 2}, "spec: connections: a is listed twice"),
    (
        {"connections": [{"id": "a b", "type": "http"}]},
        "spec.connections[0].id: must be letters, digits, '_', '.' and '-'",
    ),
    (
        {
            "connections": [
                {
                    "id": "a",
                    "type": "http",
                    "passwordSecretRef": {"name": "s", "key": "k", "namespace": "other"},
                }
            ]
        },
        "spec.connections[0].passwordSecretRef.namespace: unknown field",
    ),
    ({"variables": [{"key": "a"}]}, "spec.variables[0]: set exactly one of value and valueSecretRef"),
    (
        {"variables": [{"key": "a", "value": "1", "valueSecretRef": {"name": "s", "key": "k"}}]},
        "spec.variables[0]: set exactly one of value and valueSecretRef",
    ),
    ({"variables": [{"key": "a", "value": "1"}] * 2}, "spec: variables: a is listed twice"),
    ({"roles": [{"name": "a"}] * 2}, "spec: roles: a is listed twice"),
    (
        {"quota": {"hard": {"pods": "many"}}},
        "spec.quota.hard.pods: must be a Kubernetes quantity, for example 500m, 2 or 1Gi",
    ),
    (
        {"network": {"egress": [{"ports": [1]}]}},
        "spec.network.egress[0]: set exactly one of cidr and namespace",
    ),
    (
        {"network": {"egress": [{"cidr": "10.0.0.0/8", "namespace": "a", "ports": [1]}]}},
        "spec.network.egress[0]: set exactly one of cidr and namespace",
    ),
    (
        {"network": {"egress": [{"cidr": "10.0.0.0/8", "podLabels": {"a": "b"}, "ports": [1]}]}},
        "spec.network.egress[0]: podLabels goes with namespace",
    ),
    (
        {"network": {"egress": [{"namespace": "a", "except": ["10.0.0.0/8"], "ports": [1]}]}},
        "spec.network.egress[0]: except goes with cidr",
    ),
    (
        {"network": {"egress": [{"cidr": "10.0.0.0/99", "ports": [1]}]}},
        "spec.network.egress[0].cidr: must be a CIDR, for example 10.0.0.0/8",
    ),
    (
        {"network": {"egress": [{"cidr": "0.0.0.0/0", "except": ["999.0.0.0/8"], "ports": [1]}]}},
        "spec.network.egress[0].except[0]: must be a CIDR, for example 10.0.0.0/8",
    ),
    (
        {"network": {"egress": [{"cidr": "10.0.0.0", "ports": [1]}]}},
        "spec.network.egress[0].cidr: must be a CIDR, for example 10.0.0.0/8",
    ),
    (
        {"access": {"kubernetes": {"admins": [{"kind": "Group", "name": "a", "namespace": "b"}]}}},
        "spec.access.kubernetes.admins[0]: namespace goes with kind ServiceAccount, and only with it",
    ),
    (
        {"access": {"kubernetes": {"admins": [{"kind": "ServiceAccount", "name": "a"}]}}},
        "spec.access.kubernetes.admins[0]: namespace goes with kind ServiceAccount, and only with it",
    ),
    (
        {"access": {"kubernetes": {"viewers": [{"kind": "User", "name": "system:anonymous"}]}}},
        "spec.access.kubernetes.viewers[0]: users and groups of Kubernetes' own (system:...) are nobody's "
        "team; name people or their groups",
    ),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_bad_spec_is_refused_with_field_and_reason(spec: dict[str, Any], message: str) -> None:
    assert refusal(**spec) == message


@pytest.mark.parametrize(("section", "key"), sorted(RESERVED_CONFIG))
def test_what_the_operator_sets_is_not_for_the_team(section: str, key: str) -> None:
    assert f"config.{section}.{key} is set by the operator" in refusal(
        airflow={"config": {section: {key: "x"}}}
    )


@pytest.mark.parametrize("name", BUILTIN_ROLES)
def test_built_in_roles_are_not_for_the_team(name: str) -> None:
    assert refusal(roles=[{"name": name}]) == (
        "spec.roles[0].name: must not be a built-in role (Admin, Op, User, Viewer, Public): "
        "Airflow resets those"
    )


@pytest.mark.parametrize(
    "repo",
    [
        "https://git.example.com/x.git",
        "http://git:8080/cgi-bin/git/x.git",
        "ssh://git@git.example.com:2222/x.git",
        "git@github.com:team/dags.git",
        "git://git.example.com/x",
    ],
)
def test_git_urls_of_all_protocols_are_taken(repo: str) -> None:
    parse(raw(dags=source(repo=repo)))


def test_only_so_many_problems_are_told_at_once() -> None:
    message = refusal(**{f"field{number}": 1 for number in range(5)})
    assert message.count("unknown field") == 3
    assert message.endswith("; and 2 more")


def test_a_long_name_is_refused() -> None:
    parse(raw("x" * 40))
    with pytest.raises(InvalidSpec, match=r"metadata\.name must be at most 40 characters"):
        parse(raw("x" * 41))


def test_the_smallest_spec_gives_safe_defaults() -> None:
    spec = TenantSpec.model_validate({"owner": {"team": "pay"}})
    assert spec.deletion_policy == "Retain"
    assert not spec.suspend
    assert (spec.sync.mode, spec.sync.prune, spec.sync.interval) == ("Enforce", True, "5m")
    assert spec.airflow.executor == "LocalExecutor"
    assert spec.namespace_for("payments") == "airflow-payments"


def test_models_cannot_be_changed_and_do_not_share_their_defaults() -> None:
    one, two = (TenantSpec.model_validate({"owner": {"team": "pay"}}) for _ in range(2))
    with pytest.raises(ValidationError, match="frozen"):
        one.suspend = True  # type: ignore[misc]
    assert one.pools is not two.pools


def test_an_integer_is_as_good_as_a_quantity() -> None:
    spec = TenantSpec.model_validate({"owner": {"team": "pay"}, "quota": {"hard": {"pods": 40}}})
    assert spec.quota.hard == {"pods": "40"}
