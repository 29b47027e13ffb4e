from __future__ import annotations

from collections import Counter

from tests.controller.stack import OPERATOR_NAMESPACE, OPERATOR_RELEASE, Stack

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind

_ROLES = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
_POLICIES = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
_QUOTAS = Kind("v1", "ResourceQuota", "resourcequotas")
_LIMITS = Kind("v1", "LimitRange", "limitranges")
_COMPONENTS = ("api-server", "dag-processor", "scheduler", "statsd", "triggerer")


def test_a_new_tenant_gets_exactly_its_inventory(stack: Stack) -> None:
    tenant = stack.create("create")
    tenant.wait_released()

    inventory = tenant.inventory()
    assert Counter(id_.kind for id_ in inventory) == {
        "ServiceAccount": 7,
        "NetworkPolicy": 9,
        "Service": 3,
        "StatefulSet": 1,
        "ConfigMap": 4,
        "Job": 1,
        "Deployment": 5,
    }
    assert {id_.name for id_ in inventory if id_.kind == "Deployment"} == {
        f"{tenant.name}-{component}" for component in _COMPONENTS
    }
    live = {
        (kind.kind, name)
        for kind in kinds.RENDERED
        for name, obj in tenant.objects(kind).items()
        if name != names.OPERATOR_BINDING
    }
    assert live == {(id_.kind, id_.name) for id_ in inventory}


def test_every_rendered_object_belongs_to_its_tenant(stack: Stack) -> None:
    tenant = stack.create("owner")
    tenant.wait_released()
    uid = tenant.object["metadata"]["uid"]

    for id_ in tenant.inventory():
        live = stack.api.read(id_)
        assert live is not None, id_
        (reference,) = live["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"]) == ("AirflowTenant", uid), id_
        assert live["metadata"]["labels"][names.LABEL_TEAM] == "team"
    for name, secret in tenant.objects(kinds.SECRET).items():
        owned = "ownerReferences" in secret["metadata"]
        assert owned == (secret["type"] == "helm.sh/release.v1"), f"{name}: keys must outlive the tenant"


def test_the_namespace_is_restricted_and_names_its_owner(stack: Stack) -> None:
    tenant = stack.create(
        "ns",
        owner={"team": "team", "email": "team@example.com"},
        namespace={"labels": {"cost": "42"}, "annotations": {"a": "b"}},
    )
    tenant.wait("NamespaceReady")
    metadata = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]
    assert (
        metadata["labels"].items()
        >= {
            "cost": "42",
            names.LABEL_TENANT: tenant.name,
            "pod-security.kubernetes.io/enforce": "restricted",
        }.items()
    )
    assert (
        metadata["annotations"].items()
        >= {
            "a": "b",
            names.ANNOTATION_TENANT: tenant.name,
            names.ANNOTATION_OWNER_EMAIL: "team@example.com",
        }.items()
    )
    binding = stack.api.get(kinds.ROLE_BINDING, names.OPERATOR_BINDING, tenant.namespace)
    assert binding["roleRef"]["name"] == names.TENANT_CLUSTER_ROLE
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": OPERATOR_RELEASE, "namespace": OPERATOR_NAMESPACE}
    ]


def test_generated_secrets_hold_their_keys_and_no_two_values_are_alike(stack: Stack) -> None:
    tenant = stack.create("keys")
    tenant.wait("SecretsResolved")
    made = tenant.secrets()
    assert {name.removeprefix(tenant.name): sorted(data) for name, data in made.items()} == {
        "-fernet-key": ["fernet-key"],
        "-api-secret-key": ["api-secret-key"],
        "-jwt-secret": ["jwt-secret"],
        "-metadata": ["connection", "postgres-password"],
        "-admin": ["password", "username"],
        "-operator": ["hmac-key", "password", "username"],
    }
    values = [value for data in made.values() for value in data.values()]
    assert len(set(values)) == len(values)


def test_stages_come_one_after_another(stack: Stack) -> None:
    tenant = stack.tenant("stages")
    broken = {"containerStatuses": []}
    stack.kubelet.break_component(tenant.namespace, "postgresql", broken)
    stack.kubelet.break_component(tenant.namespace, "migrate-database", broken)
    tenant.create()

    tenant.wait("DatabaseReady", "False", "DatabaseStarting")
    assert tenant.objects(_POLICIES), "the wall stands before anything runs"
    assert not tenant.objects(kinds.JOB)
    ready = tenant.conditions()["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "DatabaseStarting")
    assert tenant.conditions()["Reconciling"]["status"] == "True"
    assert "Stalled" not in tenant.conditions()

    stack.kubelet.mend_component(tenant.namespace, "postgresql")
    tenant.wait("MigrationsApplied", "False", "MigrationRunning")
    assert tenant.objects(kinds.JOB)
    assert not tenant.objects(kinds.DEPLOYMENT)

    stack.kubelet.mend_component(tenant.namespace, "migrate-database")
    tenant.wait_released()


def test_the_longest_name_works(stack: Stack) -> None:
    tenant = stack.tenant("longest")
    tenant.name = tenant.name + "-" + "x" * (39 - len(tenant.name))
    assert len(tenant.name) == 40
    tenant.create(airflow={"executor": "KubernetesExecutor"})
    tenant.wait_released()


def test_the_team_gets_roles_that_read_no_secret(stack: Stack) -> None:
    people = {"kind": "Group", "name": "devs"}
    tenant = stack.create(
        "people", access={"kubernetes": {"admins": [people], "editors": [people], "viewers": [people]}}
    )
    tenant.wait_released()
    roles = tenant.objects(_ROLES)
    assert len(roles) == 3
    for name, role in roles.items():
        verbs = {v for rule in role["rules"] if "secrets" in rule["resources"] for v in rule["verbs"]}
        assert verbs <= {"create"}, name
    bound = [binding for binding in tenant.objects(kinds.ROLE_BINDING).values() if binding["subjects"][0] == {
        **people, "apiGroup": "rbac.authorization.k8s.io"}]  # fmt: skip
    assert len(bound) == 3


def test_quota_and_limits_arrive(stack: Stack) -> None:
    tenant = stack.create(
        "share",
        quota={"hard": {"requests.cpu": "8", "requests.memory": "32Gi", "pods": 40}},
        limits={"default": {"memory": "1Gi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}},
    )
    tenant.wait_released()
    (quota,) = tenant.objects(_QUOTAS).values()
    assert quota["spec"]["hard"] == {"requests.cpu": "8", "requests.memory": "32Gi", "pods": "40"}
    (limits,) = tenant.objects(_LIMITS).values()
    (limit,) = limits["spec"]["limits"]
    assert (limit["default"], limit["defaultRequest"]) == (
        {"memory": "1Gi"},
        {"cpu": "50m", "memory": "64Mi"},
    )


def test_many_tenants_at_once_all_come_up(stack: Stack) -> None:
    tenants = [stack.create("many") for _ in range(6)]
    for tenant in tenants:
        tenant.wait_released(seconds=60)
        names_ = {id_.name for id_ in tenant.inventory()}
        assert all(name.startswith(tenant.name) for name in names_)
    assert "lacks a permission" not in stack.operator.tail(5000)
