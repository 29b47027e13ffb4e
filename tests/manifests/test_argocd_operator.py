"""What GitOps tools rely on in the operator, on a real API server: points 1, 3, 4, 9 and 11 of the checklist.

The same run renews testdata of Argo CD's customization; here it shows that the committed files are true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.controller.stack import Stack, TenantUnderTest
from tests.manifests import lua
from tests.manifests.argocd_capture import CUSTOMIZATION, TESTDATA, captured, clean

from tenant_operator.core import kinds, names

#: The first test waits for all states; on a busy machine that is minutes.
pytestmark = pytest.mark.timeout(600)

Object = dict[str, Any]
STATES = sorted(path.stem for path in TESTDATA.glob("*.yaml"))
TRACKING = "argocd.argoproj.io/tracking-id"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, Object]]]:
    """An operator that has carried tenants through all states."""
    with captured(tmp_path_factory.mktemp("states")) as found:
        yield found


@pytest.fixture(scope="module")
def live(run: tuple[Stack, dict[str, Object]]) -> dict[str, Object]:
    """The states, as this operator writes them today."""
    return run[1]


def conditions(obj: Object) -> set[tuple[str, str, str]]:
    return {(c["type"], c["status"], c["reason"]) for c in obj["status"]["conditions"]}


def test_the_committed_states_are_those_of_this_operator(live: dict[str, Object]) -> None:
    assert sorted(live) == STATES


@pytest.mark.parametrize("state", STATES)
def test_point_1_health_of_what_the_operator_writes_today(live: dict[str, Object], state: str) -> None:
    expected = {
        case.test["inputPath"]: case.test["healthStatus"]
        for case in lua.cases(CUSTOMIZATION.parents[1], "health_test.yaml", "tests")
        if case.folder == CUSTOMIZATION
    }[f"testdata/{state}.yaml"]
    found = lua.health(CUSTOMIZATION, clean(live[state]))
    assert found == (expected["status"], expected["message"])


@pytest.mark.parametrize("state", STATES)
def test_a_committed_state_has_not_rotted(live: dict[str, Object], state: str) -> None:
    kept, now = lua.read(TESTDATA / f"{state}.yaml"), clean(live[state])
    assert conditions(now) == conditions(kept), "run `python -m tests.manifests.argocd_capture`"
    assert now["metadata"] == kept["metadata"]
    assert now["spec"] == kept["spec"]
    assert set(now["status"]) == set(kept["status"])


@pytest.mark.parametrize("state", STATES)
def test_points_3_and_4_the_operator_owns_a_finalizer_and_the_status_only(
    live: dict[str, Object], state: str
) -> None:
    """A field of spec would be taken back, and each write of an annotation would refresh the Application."""
    metadata = live[state]["metadata"]
    others = {"tester", "kubectl"}
    mine = [entry for entry in metadata["managedFields"] if entry["manager"] not in others]
    assert bool(mine) == (state != "new")
    for entry in mine:
        if entry.get("subresource") == "status":
            assert set(entry["fieldsV1"]) == {"f:status"}
        else:
            assert set(entry["fieldsV1"]) == {"f:metadata"}
            assert set(entry["fieldsV1"]["f:metadata"]) == {"f:finalizers"}
    assert "kopf" not in str(metadata)


def test_points_9_and_11_children_have_an_owner_and_nothing_of_argo_cds(
    run: tuple[Stack, dict[str, Object]],
) -> None:
    stack, _ = run
    tenant = TenantUnderTest(stack, "tracked")
    stack.tenants.append(tenant)
    stack.api.create(
        kinds.TENANT,
        {
            "metadata": {
                "name": tenant.name,
                "labels": {"app.kubernetes.io/instance": "airflow-tracked"},
                "annotations": {
                    TRACKING: f"airflow-tracked:{names.GROUP}/{names.KIND}:airflow-tracked/tracked",
                    LAST_APPLIED: "{}",
                },
            },
            "spec": {"owner": {"team": "team"}, "suspend": False, "deletionPolicy": "Delete"},
        },
    )
    tenant.wait_released(90)
    uid = tenant.object["metadata"]["uid"]
    seen = 0
    for id_ in tenant.inventory():
        child = stack.api.read(id_)
        assert child is not None
        assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == [uid], id_
        assert not {TRACKING, LAST_APPLIED} & set(child["metadata"].get("annotations") or {}), id_
        seen += 1
    assert seen > 20
    loose = [stack.api.get(kinds.NAMESPACE, tenant.namespace), *tenant.objects(kinds.SECRET).values()]
    for child in loose:
        assert TRACKING not in (child["metadata"].get("annotations") or {}), child["metadata"]["name"]
