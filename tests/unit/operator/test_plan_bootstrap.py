from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, raw, tenant

from tenant_operator.core import names
from tenant_operator.core.errors import NamespaceError, Reason
from tenant_operator.plan import bootstrap
from tenant_operator.plan.tenant import parse_status


def live(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": NAMESPACE, **metadata}}


def test_the_namespace_is_restricted_whatever_the_spec_says() -> None:
    team = tenant(
        owner={"team": "pay", "email": "pay@example.com"},
        namespace={
            "labels": {
                "pod-security.kubernetes.io/enforce": "privileged",
                "pod-security.kubernetes.io/enforce-version": "v1.0",
                "a": "b",
            },
            "annotations": {names.ANNOTATION_TENANT: "somebody", "c": "d"},
        },
    )
    metadata = bootstrap.namespace(team)["metadata"]
    assert metadata == {
        "name": NAMESPACE,
        "labels": {
            "a": "b",
            "airflowtenants.io/tenant": "payments",
            "airflowtenants.io/team": "pay",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest",
            "pod-security.kubernetes.io/warn-version": "latest",
            "pod-security.kubernetes.io/audit-version": "latest",
        },
        "annotations": {
            "c": "d",
            "airflowtenants.io/tenant": "payments",
            "airflowtenants.io/owner-email": "pay@example.com",
        },
    }


def test_without_an_address_there_is_no_annotation() -> None:
    assert bootstrap.namespace(tenant())["metadata"]["annotations"] == {
        "airflowtenants.io/tenant": "payments"
    }


def test_the_tenant_s_own_namespace_is_taken() -> None:
    bootstrap.check_namespace(tenant(), live(annotations={names.ANNOTATION_TENANT: "payments"}))


@pytest.mark.parametrize(
    ("metadata", "message", "reason", "stalled"),
    [
        (
            {},
            "namespace airflow-payments exists and is not this tenant's: annotate it with "
            "airflowtenants.io/tenant=payments to hand it over, or choose another spec.namespace.name",
            Reason.NAMESPACE_TAKEN,
            True,
        ),
        (
            {"annotations": {names.ANNOTATION_TENANT: "other"}},
            "namespace airflow-payments belongs to tenant other: choose another spec.namespace.name",
            Reason.NAMESPACE_TAKEN,
            True,
        ),
        (
            {
                "annotations": {names.ANNOTATION_TENANT: "payments"},
                "deletionTimestamp": "2026-01-01T00:00:00Z",
            },
            "namespace airflow-payments is being deleted: waiting until it is gone",
            Reason.NAMESPACE_TERMINATING,
            False,
        ),
        (
            {"labels": {names.LABEL_TENANT: "payments"}},  # a label is not the annotation
            "namespace airflow-payments exists and is not this tenant's: annotate it with "
            "airflowtenants.io/tenant=payments to hand it over, or choose another spec.namespace.name",
            Reason.NAMESPACE_TAKEN,
            True,
        ),
    ],
)
def test_any_other_namespace_is_refused(
    metadata: dict[str, Any], message: str, reason: Reason, stalled: bool
) -> None:
    with pytest.raises(NamespaceError) as caught:
        bootstrap.check_namespace(tenant(), live(**metadata))
    assert (caught.value.message, caught.value.reason, caught.value.stalled) == (message, reason, stalled)
    assert caught.value.retry > 0


@pytest.mark.parametrize(
    ("change", "intact"),
    [
        ({}, True),
        ({"labels": {"more": "x"}}, True),
        ({"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}, False),
        ({"annotations": {names.ANNOTATION_TENANT: "x"}}, False),
    ],
)
def test_what_others_took_away_is_seen(change: dict[str, dict[str, str]], intact: bool) -> None:
    wanted = bootstrap.namespace(tenant())
    changed = {
        key: {**wanted["metadata"].get(key, {}), **change.get(key, {})} for key in ("labels", "annotations")
    }
    assert bootstrap.intact(wanted, {"metadata": changed}) == intact
    assert not bootstrap.intact(wanted, {"metadata": {}})


def test_the_operator_binds_one_role_in_one_namespace() -> None:
    binding = bootstrap.operator_binding("payments", "airflow-payments", tenant().labels, "ops", "operator")
    assert binding["metadata"]["namespace"] == NAMESPACE
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "airflow-tenant-operator-tenant",
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "operator", "namespace": "ops"}]


def test_a_status_of_another_version_counts_as_empty() -> None:
    assert parse_status({**raw(), "status": {"conditions": "what?"}}).conditions == []
    assert parse_status(raw()).observed_generation == 0
