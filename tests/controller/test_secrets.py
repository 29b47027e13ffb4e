"""Secrets: awaited by name, taken up when they come, rolled to exactly their readers when they change."""

from __future__ import annotations

from tests.controller.stack import Stack

from tenant_operator.core import kinds, names

_ENV = {"name": "TOKEN", "secretKeyRef": {"name": "token", "key": "value"}}


def test_a_missing_secret_is_named_and_awaited(stack: Stack) -> None:
    tenant = stack.create("missing", airflow={"env": [_ENV]})
    found = tenant.wait("SecretsResolved", "False", "SecretMissing")
    assert found["message"] == (
        f"Secret token is not in namespace {tenant.namespace} (spec.airflow.env[TOKEN].secretKeyRef): "
        "create it with key value"
    )
    assert "Stalled" not in tenant.conditions()

    stack.api.secret("token", tenant.namespace, other="x")
    found = tenant.wait("SecretsResolved", "False", "SecretMissing", says="has no key")
    assert found["message"] == (
        f"Secret token in namespace {tenant.namespace} has no key value "
        "(spec.airflow.env[TOKEN].secretKeyRef): add it"
    )

    stack.api.secret("token", tenant.namespace, value="x")
    tenant.wait("SecretsResolved", seconds=60)  # long before the next look at a tenant that waits for nothing
    tenant.wait_released()


def test_a_secret_may_come_before_its_tenant(stack: Stack) -> None:
    tenant = stack.tenant("early")
    tenant.prepare_namespace()
    stack.api.secret("token", tenant.namespace, value="x")
    tenant.create(airflow={"env": [_ENV]})
    tenant.wait_released()


def test_a_secret_that_is_not_text_is_refused_in_words(stack: Stack) -> None:
    tenant = stack.tenant("binary")
    tenant.prepare_namespace()
    stack.api.create(
        kinds.SECRET,
        {"metadata": {"name": "token", "namespace": tenant.namespace}, "data": {"value": "//8="}},
    )
    tenant.create(airflow={"env": [_ENV]})
    found = tenant.wait("SecretsResolved", "False", "SecretInvalid")
    assert found["message"] == "Secret token holds a value that is not text: store it as UTF-8"


def test_a_rotated_secret_rolls_the_pods_that_read_it_and_no_others(stack: Stack) -> None:
    tenant = stack.tenant("rotate")
    tenant.prepare_namespace()
    stack.api.secret("git", tenant.namespace, username="u", password="1")
    source = {"name": "main", "gitSync": {"repo": "https://git.example.com/x.git",
                                          "credentialsSecretRef": {"name": "git"}}}  # fmt: skip
    tenant.create(dags={"sources": [source]}, sync={"interval": "1s"})
    tenant.wait_released()
    before, jobs = tenant.generations(), set(tenant.objects(kinds.JOB))

    stack.api.secret("git", tenant.namespace, username="u", password="2")
    tenant.until(lambda: tenant.status["release"]["revision"] == 2)

    rolled = {name for name, generation in tenant.generations().items() if generation != before[name]}
    readers = {"scheduler", "dag-processor", "triggerer"}
    assert rolled == {f"{tenant.name}-{component}" for component in readers}
    assert set(tenant.objects(kinds.JOB)) == jobs


def test_generated_secrets_outlive_passes_restarts_and_the_tenant(stack: Stack) -> None:
    tenant = stack.create("stable")
    tenant.wait_released()
    made = tenant.secrets()
    assert len(made) == 6

    tenant.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    tenant.wait_released()
    assert tenant.secrets() == made

    stack.operator.terminate()
    stack.operator.start()
    tenant.edit(airflow={"config": None})
    tenant.wait_released()
    assert tenant.secrets() == made

    tenant.delete()
    tenant.wait_gone()
    assert tenant.secrets() == made
    tenant.create()
    tenant.wait_released()
    assert tenant.secrets() == made


def test_a_generated_secret_that_a_person_restores_is_left_as_it_is(stack: Stack) -> None:
    tenant = stack.tenant("restored")
    tenant.prepare_namespace()
    stack.api.secret(names.fernet_secret(tenant.name), tenant.namespace, fernet_key="from-a-backup")
    tenant.create()
    tenant.wait_released()
    data = stack.api.get(kinds.SECRET, names.fernet_secret(tenant.name), tenant.namespace)["data"]
    assert data == {"fernet-key": "ZnJvbS1hLWJhY2t1cA=="}


def test_no_secret_value_reaches_the_log_the_status_or_the_release(stack: Stack) -> None:
    tenant = stack.tenant("quiet")
    tenant.prepare_namespace()
    value = "s3cr3t-of-the-team"
    stack.api.secret("token", tenant.namespace, value=value)
    tenant.create(airflow={"env": [_ENV]}, variables=[{"key": "k", "valueSecretRef": _ENV["secretKeyRef"]}])
    tenant.wait_released()
    manifest = stack.helm("get", "all", tenant.name, "-n", tenant.namespace)
    for place in (stack.operator.tail(100000), str(tenant.object), manifest, str(tenant.events())):
        assert value not in place


def test_a_deleted_fernet_key_is_asked_back_and_never_replaced(stack: Stack) -> None:
    """With a new key every stored password would be lost, and with the roll the old key's last copy."""
    tenant = stack.create("lost")
    tenant.wait_released()
    name = names.fernet_secret(tenant.name)
    old = stack.api.get(kinds.SECRET, name, tenant.namespace)["data"]["fernet-key"]
    before = tenant.generations()
    stack.api.delete(kinds.SECRET, name, tenant.namespace)
    tenant.edit(airflow={"env": [{"name": "A", "value": "b"}]})

    found = tenant.wait("SecretsResolved", "False", "SecretMissing")
    assert f"Secret {name} of namespace {tenant.namespace} was deleted" in found["message"]
    assert "restore it from a backup" in found["message"]
    assert stack.api.find(kinds.SECRET, name, tenant.namespace) is None
    assert tenant.generations() == before, "nothing is rolled"

    restored = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": tenant.namespace},
        "data": {"fernet-key": old},
    }
    stack.api.create(kinds.SECRET, restored)
    tenant.wait("SecretsResolved")
    tenant.wait_released()
