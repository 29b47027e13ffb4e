from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, tenant

from tenant_operator.core.kinds import Object
from tenant_operator.core.ports import ChartInfo
from tenant_operator.plan import record

CHART = ChartInfo("airflow-tenant", "1.2.3", "3.3.2", "d", {"name": "airflow-tenant", "version": "1.2.3"})
VALUES = {"a": {"b": [1, "x"]}, "umlaut": "ä"}


def made(revision: int = 1, **more: Any) -> Object:
    values = {"revision": revision, "values": VALUES, "manifest": "---\nkind: X\n",
              "first_deployed": "1970-01-01T00:00:00Z", "now": 1_700_000_000.9} | more  # fmt: skip
    return record.secret(tenant(), CHART, **values)


def test_helm_finds_the_record_by_name_type_and_labels() -> None:
    found = made(7)
    assert found["type"] == "helm.sh/release.v1"
    assert found["metadata"]["name"] == "sh.helm.release.v1.payments.v7"
    assert found["metadata"]["namespace"] == NAMESPACE
    assert (
        found["metadata"]["labels"].items()
        >= {
            "owner": "helm",
            "name": "payments",
            "status": "deployed",
            "version": "7",
            "modifiedAt": "1700000000",
            "airflowtenants.io/tenant": "payments",
        }.items()
    )
    assert found["metadata"]["ownerReferences"] == [tenant().owner_reference]


def test_the_record_can_be_read_back() -> None:
    release = record.unpack(made())
    assert (release["name"], release["namespace"], release["version"]) == ("payments", NAMESPACE, 1)
    assert release["config"] == VALUES
    assert release["manifest"] == "---\nkind: X\n"
    assert release["chart"]["metadata"] == CHART.metadata
    assert release["chart"]["templates"] == []
    assert release["info"]["status"] == "deployed"
    assert release["info"]["first_deployed"] == "1970-01-01T00:00:00Z"
    assert release["info"]["last_deployed"] == "2023-11-14T22:13:20Z"


def test_the_same_release_gives_the_same_bytes() -> None:
    """gzip would write the present time into its header."""
    one, two = made(), made()
    assert one == two
    packed = base64.b64decode(base64.b64decode(one["data"]["release"]))
    assert packed[:2] == b"\x1f\x8b"
    assert packed[4:8] == b"\0\0\0\0"


def test_a_superseded_record_keeps_all_but_its_status() -> None:
    old = made(3)
    patch = record.superseded(old)
    assert patch["metadata"] == {"labels": {"status": "superseded"}}
    before, after = record.unpack(old), record.unpack(patch)
    assert after["info"].pop("status") == "superseded"
    before["info"].pop("status")
    assert after == before


def test_records_come_oldest_first_by_number_and_only_the_tenant_s() -> None:
    secrets = {obj["metadata"]["name"]: obj for obj in (made(10), made(9), made(2))}
    other = made(1)
    other["metadata"]["labels"]["name"] = "somebody"
    secrets["other"] = other
    secrets["plain"] = {"metadata": {"name": "plain"}, "type": "Opaque"}
    assert [record.revision_of(obj) for obj in record.records(secrets, "payments")] == [2, 9, 10]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("not base64!", id="not base64"),
        pytest.param(base64.b64encode(base64.b64encode(b"not gzip")).decode(), id="not gzip"),
        pytest.param(
            base64.b64encode(base64.b64encode(gzip.compress(b" " * (64 << 20)))).decode(), id="a bomb"
        ),
        pytest.param(base64.b64encode(base64.b64encode(gzip.compress(b"[]"))).decode(), id="not a release"),
    ],
)
def test_a_record_that_somebody_forged_is_empty(content: str) -> None:
    """People with the right to create Secrets may put anything into the namespace."""
    assert record.unpack({"data": {"release": content}}) == {}


def test_a_record_without_a_number_is_none() -> None:
    labels = {"name": "payments", "owner": "helm", "version": "x"}
    forged = {"metadata": {"name": "sh.helm.release.v1.payments.vx", "labels": labels}, "type": record.TYPE}
    assert record.records({"x": forged}, "payments") == []
