"""Kinds of other projects: used where the cluster has them, whenever they come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.controller import definitions
from tests.controller.api import Refused
from tests.controller.stack import WAIT, Stack, TenantUnderTest, quick_chart, running

from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

KINDS = {kind.kind: kind for kind in kinds.OPTIONAL}
#: the operator sees a definition come within seconds, and believes an absence after 30 s
NOTICED, MISSED = 15.0, 60.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A cluster of its own: definitions are for all tenants of one."""
    directory = tmp_path_factory.mktemp("optional")
    chart = quick_chart(tmp_path_factory.mktemp("chart"))
    boards = chart / "files" / "dashboards"
    boards.mkdir(exist_ok=True)
    if not list(boards.glob("*.json")):
        (boards / "team.json").write_text(json.dumps({"uid": "__UID_TEAM__", "panels": []}))
    with running(directory, CHART_PATH=str(chart)) as made:
        yield made


def watched_tenant(stack: Stack, prefix: str) -> TenantUnderTest:
    """A tenant that needs every optional kind."""
    tenant = stack.tenant(prefix)
    reference = {"urlSecretRef": {"name": "alerts", "key": "url"}}
    tenant.prepare_namespace()
    secret = {
        "metadata": {"name": "alerts", "namespace": tenant.namespace},
        "stringData": {"url": "http://x/"},
    }
    stack.api.create(kinds.SECRET, secret)
    tenant.create(
        monitoring={
            "alerts": {"webhook": reference},
            "slo": [{"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}],
        }
    )
    return tenant


def templates(tenant: TenantUnderTest) -> dict[str, Object]:
    """The pod templates by workload."""
    workloads = {**tenant.objects(kinds.DEPLOYMENT), **tenant.objects(kinds.STATEFUL_SET)}
    return {name: workload["spec"]["template"] for name, workload in workloads.items()}


def present(tenant: TenantUnderTest) -> set[str]:
    """The optional kinds of which the tenant has an object."""
    return {name for name, kind in KINDS.items() if tenant.objects(kind)}


def files_of_rules(tenant: TenantUnderTest) -> list[str]:
    return [name for name in tenant.objects(_CONFIG_MAP) if name == f"{tenant.name}-rules"]


_CONFIG_MAP = next(kind for kind in kinds.RENDERED if kind.kind == "ConfigMap")


def complaints(stack: Stack) -> list[str]:
    """Lines of the operator's log about a kind that is not there."""
    return [
        line
        for line in stack.operator.log.read_text().splitlines()
        if any(kind.plural in line or kind.kind in line for kind in kinds.OPTIONAL)
        and ("WARNING" in line or "ERROR" in line)
    ]


@pytest.mark.covers("M-02")
def test_kinds_are_used_as_soon_as_the_cluster_has_them_and_no_longer_than_it_has_them(stack: Stack) -> None:
    tenant = watched_tenant(stack, "optional")
    tenant.wait_released()
    process = stack.operator.process

    # a cluster without them: a ConfigMap does
    pods = templates(tenant)
    assert files_of_rules(tenant)
    assert not {id_.kind for id_ in tenant.inventory()} & KINDS.keys()
    assert not complaints(stack)

    # they come
    definitions.install(stack.api, definitions.optional())
    tenant.until(lambda: present(tenant) == KINDS.keys(), NOTICED)
    tenant.until(lambda: not files_of_rules(tenant), WAIT)
    tenant.wait_released()
    tenant.until(lambda: {id_.kind for id_ in tenant.inventory()} >= KINDS.keys(), WAIT)
    assert templates(tenant) == pods, "no pod restarts because a kind came or went"
    assert stack.operator.process is process, "without a restart"
    (monitor,) = tenant.objects(KINDS["PodMonitor"]).values()
    assert monitor["metadata"]["ownerReferences"][0]["name"] == tenant.name

    # and go
    for definition in definitions.optional():
        stack.api.delete(definitions.DEFINITION, definition["metadata"]["name"])
    tenant.until(lambda: files_of_rules(tenant), MISSED)
    tenant.until(lambda: not {id_.kind for id_ in tenant.inventory()} & KINDS.keys(), WAIT)
    tenant.wait_released()
    assert templates(tenant) == pods, "no pod restarts because a kind came or went"
    assert not complaints(stack)
    assert stack.operator.process is process


EDITS = {
    "PodMonitor": {"spec": {"sampleLimit": 1}},
    "PrometheusRule": {"spec": {"groups": []}},
    "AlertmanagerConfig": {"spec": {"receivers": [{"name": "nobody"}]}},
    "GrafanaDashboard": {"spec": {"folder": "elsewhere"}},
}


def test_an_edit_or_a_deletion_is_put_back_and_all_goes_with_the_tenant(stack: Stack) -> None:
    definitions.install(stack.api, definitions.optional())
    tenant = watched_tenant(stack, "repair")
    tenant.wait_released()
    tenant.until(lambda: present(tenant) == KINDS.keys(), NOTICED)
    tenant.wait_released()
    assert EDITS.keys() == KINDS.keys()
    for name, patch in EDITS.items():
        kind = KINDS[name]
        before = next(iter(tenant.objects(kind).values()))
        object_name = before["metadata"]["name"]
        edited = stack.api.merge(kind, object_name, patch, tenant.namespace)
        assert edited["spec"] != before["spec"], "the edit must change something"
        tenant.until(lambda kind=kind, wanted=before: spec_of(tenant, kind, wanted) == wanted["spec"], WAIT)
        stack.api.delete(kind, object_name, tenant.namespace)
        tenant.until(lambda kind=kind, old=before: came_back(tenant, kind, old), WAIT)

    tenant.edit(deletionPolicy="Retain")
    tenant.delete()
    tenant.wait_gone(90)
    assert not present(tenant)


def spec_of(tenant: TenantUnderTest, kind: Kind, obj: Object) -> Object | None:
    found = tenant.objects(kind).get(obj["metadata"]["name"])
    return found["spec"] if found else None


def came_back(tenant: TenantUnderTest, kind: Kind, old: Object) -> bool:
    found = tenant.objects(kind).get(old["metadata"]["name"])
    return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]


def test_a_refused_object_is_told_and_keeps_no_tenant_from_being_ready(stack: Stack) -> None:
    """As a webhook of the Prometheus operator would refuse it."""
    definitions.install(stack.api, definitions.optional())
    group = "admissionregistration.k8s.io/v1"
    name = "ValidatingAdmissionPolicy"
    policy = Kind(group, name, f"{name.lower()[:-1]}ies", namespaced=False)
    binding = Kind(group, f"{name}Binding", f"{name.lower()}bindings", namespaced=False)
    tenant = stack.tenant("refused")
    rule = {
        "apiGroups": ["monitoring.coreos.com"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["prometheusrules"],
    }
    only = {"expression": f"request.namespace == '{tenant.namespace}'", "name": "ours"}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [only],
        "validations": [{"expression": "false", "message": "no rules on a Friday"}],
    }
    stack.api.create(policy, {"metadata": {"name": "no-rules"}, "spec": spec})
    stack.api.create(
        binding,
        {"metadata": {"name": "no-rules"}, "spec": {"policyName": "no-rules", "validationActions": ["Deny"]}},
    )
    probe = {"metadata": {"name": "probe", "namespace": tenant.namespace}, "spec": {}}
    tenant.prepare_namespace()
    tenant.until(lambda: refuses(stack, probe), WAIT)
    tenant.create(
        owner={"team": "team", "email": "a@example.com"},
        monitoring={"slo": [{"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}]},
    )
    tenant.wait_released()
    found = tenant.wait("MonitoringReady", "False", "ApplyRejected", says="no rules on a Friday")
    assert "PrometheusRule" in found["message"]
    tenant.until(lambda: tenant.objects(KINDS["PodMonitor"]), WAIT)


def refuses(stack: Stack, probe: Object) -> bool:
    try:
        stack.api.create(KINDS["PrometheusRule"], probe)
    except Refused as error:
        return "no rules on a Friday" in error.message
    stack.api.delete(KINDS["PrometheusRule"], "probe", probe["metadata"]["namespace"])
    return False
