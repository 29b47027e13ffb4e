from __future__ import annotations

import pytest

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, ObjectId


@pytest.mark.parametrize("kind", kinds.MANAGED, ids=lambda kind: kind.kind)
def test_an_id_can_be_written_and_read(kind: Kind) -> None:
    id_ = ObjectId(kind.kind, "airflow-x", "x-scheduler", kind.group)
    assert ObjectId.parse(str(id_)) == id_
    obj = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "x-scheduler", "namespace": "airflow-x"},
    }
    assert ObjectId.of(obj) == id_
    assert kinds.find(kind.api_version, kind.kind) is kind


def test_ids_look_like_other_tools_inventories() -> None:
    assert str(ObjectId("Deployment", "ns", "a", "apps")) == "ns_a_apps_Deployment"
    assert str(ObjectId("Service", "ns", "a")) == "ns_a__Service"
    assert ObjectId("Service", "ns", "a").label == "Service/a"


def test_something_else_is_no_id() -> None:
    with pytest.raises(ValueError, match="unpack"):
        ObjectId.parse("a_b")


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        (kinds.SECRET, ("ns", "a"), "/api/v1/namespaces/ns/secrets/a"),
        (kinds.SECRET, ("ns",), "/api/v1/namespaces/ns/secrets"),
        (kinds.POD, (), "/api/v1/pods"),
        (kinds.DEPLOYMENT, ("ns", "a"), "/apis/apps/v1/namespaces/ns/deployments/a"),
        (kinds.NAMESPACE, ("", "a"), "/api/v1/namespaces/a"),
        (kinds.NAMESPACE, ("ignored", "a"), "/api/v1/namespaces/a"),
        (kinds.TENANT, ("", "t", "status"), "/apis/airflowtenants.io/v1alpha1/airflowtenants/t/status"),
    ],
)
def test_rest_paths(kind: Kind, arguments: tuple[str, ...], path: str) -> None:
    assert kind.path(*arguments) == path


def test_strangers_are_not_found() -> None:
    assert kinds.find("example.com/v1", "Deployment") is None
    assert kinds.find("v1", "Node") is None


def test_derived_names_fit_into_labels() -> None:
    longest = "x" * names.MAX_TENANT_NAME
    for name in (
        names.fernet_secret(longest),
        names.api_secret(longest),
        names.metadata_secret(longest),
        names.api_server_service(longest),
        names.default_namespace(longest),
        f"{longest}-postgresql" + "-" + "h" * 10,
        f"{longest}-migrate-" + "h" * 8,
    ):
        assert len(name) <= 63, name
