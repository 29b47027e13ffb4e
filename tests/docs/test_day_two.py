"""What docs/day-two.md promises about keys, restores and moves, on a real API server."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterator

import pytest
from tests.controller.stack import Stack, TenantUnderTest, running
from tests.docs.built import ROOT

from tenant_operator.core import kinds, names

PAGE = (ROOT / "docs" / "day-two.md").read_text()
_REQUESTS = itertools.count(1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("day-two")) as stack:
        yield stack


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> TenantUnderTest:
    """One that every test leaves running."""
    tenant = stack.create("payments")
    tenant.wait_released()
    return tenant


def note(tenant: TenantUnderTest, **annotations: str | None) -> None:
    patch = {f"airflowtenants.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    tenant.api.merge(kinds.TENANT, tenant.name, {"metadata": {"annotations": patch}})


def look(tenant: TenantUnderTest) -> None:
    """The page's function of this name; Airflow does not answer here, so the release stands for Ready."""
    note(tenant, reconcile_requested_at=f"request {next(_REQUESTS)}")


def released(tenant: TenantUnderTest, revision: int) -> None:
    tenant.until(lambda: tenant.status["release"]["revision"] == revision)
    tenant.wait_released()


def write(tenant: TenantUnderTest, name: str, **values: str) -> None:
    data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    tenant.api.merge(kinds.SECRET, name, {"data": data}, tenant.namespace)


def rolled(tenant: TenantUnderTest, before: dict[str, int]) -> set[str]:
    return {
        name.removeprefix(f"{tenant.name}-")
        for name, generation in tenant.generations().items()
        if generation != before[name]
    }


def readers_in_the_table(secret: str) -> str:
    """The cell `what happens` of a Secret in the page's table."""
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`<tenant>-{secret}`" in line)
    return row.split("|")[2].strip()


def test_two_fernet_keys_roll_what_reads_them_and_the_migration_runs_before(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    revision = tenant.status["release"]["revision"]
    before, jobs = tenant.generations(), set(tenant.objects(kinds.JOB))
    secret = names.fernet_secret(tenant.name)
    old = base64.b64decode(tenant.secrets()[secret]["fernet-key"]).decode()

    write(tenant, secret, fernet_key=f"{base64.urlsafe_b64encode(bytes(32)).decode()},{old}")
    look(tenant)

    released(tenant, revision + 1)
    assert rolled(tenant, before) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert set(tenant.objects(kinds.JOB)) != jobs
    assert readers_in_the_table("fernet-key").startswith("pods roll")


def test_a_jwt_key_that_is_deleted_is_made_anew_and_rolls_what_reads_it(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    revision = tenant.status["release"]["revision"]
    before, jobs = tenant.generations(), set(tenant.objects(kinds.JOB))
    secret = names.jwt_secret(tenant.name)
    old = tenant.secrets()[secret]

    stack.api.delete(kinds.SECRET, secret, tenant.namespace)
    look(tenant)

    released(tenant, revision + 1)
    assert tenant.secrets()[secret] != old
    assert rolled(tenant, before) == {"api-server", "scheduler", "triggerer"}
    assert set(tenant.objects(kinds.JOB)) == jobs
    assert readers_in_the_table("jwt-secret").startswith("pods that read it roll")


def test_an_administrator_s_secret_that_is_deleted_is_made_anew_by_the_migration_only(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    revision = tenant.status["release"]["revision"]
    before, jobs = tenant.generations(), set(tenant.objects(kinds.JOB))

    stack.api.delete(kinds.SECRET, names.admin_secret(tenant.name), tenant.namespace)
    look(tenant)

    released(tenant, revision + 1)
    assert rolled(tenant, before) == set()
    assert set(tenant.objects(kinds.JOB)) != jobs
    assert readers_in_the_table("admin").startswith("the migration Job runs once more")


def test_a_new_database_password_rolls_airflow_and_leaves_the_database_alone(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    revision = tenant.status["release"]["revision"]
    before = tenant.generations()
    secret = names.metadata_secret(tenant.name)
    url = base64.b64decode(tenant.secrets()[secret]["connection"]).decode()

    write(tenant, secret, postgres_password="abc", connection=re.sub(r":[^:@]+@", ":abc@", url))
    look(tenant)

    released(tenant, revision + 1)
    assert rolled(tenant, before) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert readers_in_the_table("metadata").startswith("pods roll; PostgreSQL is told by you")


def test_for_a_restore_the_annotation_holds_the_operator_and_the_migration_runs_again(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    jobs = {name: job["metadata"]["uid"] for name, job in tenant.objects(kinds.JOB).items()}

    note(tenant, suspend="true")
    tenant.wait("Ready", "", "Suspended")
    for name in tenant.objects(kinds.DEPLOYMENT):
        stack.api.merge(kinds.DEPLOYMENT, name, {"spec": {"replicas": 0}}, tenant.namespace)
    for name in jobs:
        assert (
            tenant.objects(kinds.JOB)[name]["metadata"]["labels"][names.LABEL_COMPONENT] == "migrate-database"
        )
        stack.api.delete(kinds.JOB, name, tenant.namespace)
    look(tenant)
    tenant.until(lambda: not tenant.objects(kinds.JOB))
    assert {d["spec"]["replicas"] for d in tenant.objects(kinds.DEPLOYMENT).values()} == {0}

    note(tenant, suspend=None)
    tenant.until(lambda: set(tenant.objects(kinds.JOB)) == set(jobs))
    tenant.wait_released()
    assert {job["metadata"]["uid"] for job in tenant.objects(kinds.JOB).values()}.isdisjoint(jobs.values())
    tenant.until(lambda: 0 not in {d["spec"]["replicas"] for d in tenant.objects(kinds.DEPLOYMENT).values()})


def test_a_team_that_moves_finds_the_keys_that_were_copied_before_it(
    stack: Stack, tenant: TenantUnderTest
) -> None:
    here = stack.tenant("moved")
    here.prepare_namespace()
    copied = {}
    for suffix in re.search(r"for secret in ([a-z -]+); do", PAGE)[1].split():  # type: ignore[index]
        data = tenant.secrets()[f"{tenant.name}-{suffix}"]
        copied[f"{here.name}-{suffix}"] = data
        stack.api.create(
            kinds.SECRET,
            {"metadata": {"name": f"{here.name}-{suffix}", "namespace": here.namespace}, "data": data},
        )
    assert set(copied) == {name.replace(tenant.name, here.name) for name in tenant.secrets()}

    here.create()
    here.wait_released()
    for name, data in copied.items():
        assert stack.api.get(kinds.SECRET, name, here.namespace)["data"] == data
