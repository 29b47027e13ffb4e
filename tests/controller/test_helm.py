"""The real helm knows a tenant's release, although it never installed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds


@pytest.fixture(scope="module")
def released(shared_stack: Stack) -> Iterator[TenantUnderTest]:
    """A tenant whose release was changed five times."""
    tenant = shared_stack.create("helm")
    tenant.wait_released()
    for replicas in (2, 3, 4, 5):
        tenant.edit(airflow={"triggerer": {"replicas": replicas}})
        tenant.until(lambda revision=replicas: tenant.status["release"]["revision"] == revision)
    yield tenant
    shared_stack.clean()


def helm(tenant: TenantUnderTest, *arguments: str) -> object:
    return tenant.stack.helm(*arguments, "-n", tenant.namespace, "-o", "json")


def test_ls(released: TenantUnderTest) -> None:
    (found,) = helm(released, "ls")  # type: ignore[misc]
    assert (found["name"], found["revision"], found["status"]) == (released.name, "5", "deployed")
    assert found["chart"].startswith("airflow-tenant-")


def test_status(released: TenantUnderTest) -> None:
    text = released.stack.helm("status", released.name, "-n", released.namespace)
    assert "STATUS: deployed" in text
    assert "change the AirflowTenant, not the release" in text


def test_values(released: TenantUnderTest) -> None:
    found = helm(released, "get", "values", released.name)
    assert found["triggerer"] == {"replicas": 5}  # type: ignore[index]
    assert found["labels"]["airflowtenants.io/tenant"] == released.name  # type: ignore[index]


def test_manifest_holds_what_is_live(released: TenantUnderTest) -> None:
    text = released.stack.helm("get", "manifest", released.name, "-n", released.namespace)
    shown = {(obj["kind"], obj["metadata"]["name"]) for obj in yaml.safe_load_all(text) if obj}
    assert shown == {(id_.kind, id_.name) for id_ in released.inventory()}


def test_history_keeps_the_last_three(released: TenantUnderTest) -> None:
    history = helm(released, "history", released.name)
    assert [(entry["revision"], entry["status"]) for entry in history] == [  # type: ignore[attr-defined]
        (3, "superseded"),
        (4, "superseded"),
        (5, "deployed"),
    ]


def test_the_status_of_the_tenant_names_the_release(released: TenantUnderTest) -> None:
    release = released.status["release"]
    assert (release["name"], release["revision"], release["airflowVersion"]) == (released.name, 5, "3.3.2")


def test_a_record_that_vanishes_is_written_again(stack: Stack) -> None:
    tenant = stack.create("record")
    tenant.wait_released()
    for name, obj in tenant.objects(kinds.SECRET).items():
        if obj["type"] == "helm.sh/release.v1":
            stack.api.delete(kinds.SECRET, name, tenant.namespace)
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.until(lambda: helm(tenant, "ls"))
