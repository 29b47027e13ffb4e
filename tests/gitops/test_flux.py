"""Real Flux on this project's manifests: what arrives, in which order, what is told, what no commit does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from tests.controller.kubelet import failing_git_sync
from tests.controller.process import eventually
from tests.gitops import audit, flux_fleet, repository
from tests.gitops.flux import GIT, KUSTOMIZATION, NAMESPACE, WAIT
from tests.gitops.flux_fleet import LISTING, ROOT, TEAMS, Fleet
from tests.gitops.flux_neighbours import HELM_RELEASE

from tenant_operator.core import kinds, names

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]

BASE = "manifests/tenants/base"
STAGING = "manifests/tenants/staging"
REST_SECONDS = 300
_FATAL = "fatal: couldn't find remote ref no-such-branch"
#: What git-sync's container says when the ref is not there.
_NO_REF = {
    "initContainerStatuses": [
        failing_git_sync(f'Run(git fetch): exit status 128: {{ stdout: "", stderr: "{_FATAL}" }}')
    ]
}


@pytest.fixture(scope="module")
def flux_fleet_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A cluster that Flux brought up from this project's manifests/flux."""
    repository.require_committed()
    with flux_fleet.running(tmp_path_factory.mktemp("flux")) as found:
        yield found


@pytest.fixture
def fleet(flux_fleet_: Fleet) -> Iterator[Fleet]:
    """The same, at rest: everything is Ready at the newest commit, what a test pushed is taken back."""
    head = flux_fleet_.repo.head()
    for name in sorted(flux_fleet_.flux.names()):
        flux_fleet_.flux.wait_ready(name, head)
    yield flux_fleet_
    if flux_fleet_.repo.restore(head):
        flux_fleet_.flux.fetch(flux_fleet_.repo.head())


def test_the_install_page_ends_with_every_tenant_ready(fleet: Fleet) -> None:
    fleet.page("Check")
    for team in TEAMS:
        ready = fleet.tenant(team).conditions()["Ready"]
        assert ready["status"] == "True", ready


def test_what_needs_the_charts_waits_for_them_and_the_operator_does_not(fleet: Fleet) -> None:
    early = fleet.without_charts
    assert early["infrastructure-controllers"]["status"] == "Unknown", "its HelmReleases are not ready"
    assert f"'{NAMESPACE}/infrastructure-controllers'" in early["infrastructure-configs"]["message"]
    assert early["operator"]["status"] == "True"
    assert "airflowtenants.airflowtenants.io" in fleet.kinds_without_charts
    for team in TEAMS:
        assert 'no matches for kind "ExternalSecret"' in early[f"tenant-{team}"]["message"]


def test_a_chart_that_is_ill_keeps_no_teams_commit_from_the_cluster(fleet: Fleet) -> None:
    stack = "kube-prometheus-stack"
    healthy = fleet.api.get(HELM_RELEASE, stack, NAMESPACE)["status"]
    ill = [{**condition, "status": "False", "reason": "UpgradeFailed"} for condition in healthy["conditions"]]
    fleet.api.merge(HELM_RELEASE, stack, {"status": {"conditions": ill}}, NAMESPACE, "status")
    fleet.repo.replace(f"{BASE}/payments/tenant.yaml", "slots: 2", "slots: 6")
    commit = fleet.push("More slots, while Prometheus is ill")
    fleet.flux.wait_ready("tenant-payments", commit)
    assert fleet.airflow.call("GET", f"/api/v2/pools/{quote('settlement_api')}")["slots"] == 6
    assert not fleet.flux.is_ready("infrastructure-controllers", commit)

    fleet.api.merge(HELM_RELEASE, stack, {"status": healthy}, NAMESPACE, "status")
    fleet.flux.wait_ready("tenant-payments", fleet.revert(commit))


def test_a_tenant_that_nobody_works_on_is_not_called_ready(fleet: Fleet) -> None:
    assert fleet.without_operator["operator"]["status"] == "True", "its Deployment is up"
    for team in TEAMS:
        assert fleet.without_operator[f"tenant-{team}"]["status"] == "Unknown", "CRD: status has a default"


def test_a_pushed_change_is_in_airflow_when_flux_says_ready(fleet: Fleet) -> None:
    fleet.repo.replace(f"{BASE}/payments/tenant.yaml", "slots: 2", "slots: 5")
    commit = fleet.push("More slots")
    fleet.flux.wait_ready("tenant-payments", commit)
    assert fleet.airflow.call("GET", f"/api/v2/pools/{quote('settlement_api')}")["slots"] == 5
    fleet.flux.wait_ready("tenant-payments", fleet.revert(commit))


def test_an_invalid_tenant_fails_its_own_kustomization_and_says_what_to_change(fleet: Fleet) -> None:
    line = '        parallelism: "8"\n'
    fleet.repo.replace(f"{BASE}/payments/tenant.yaml", line, f'{line}        fernet_key: "x"\n')
    commit = fleet.push("A setting that the operator makes")
    found = fleet.flux.wait_failed("tenant-payments", "AirflowTenant/payments")
    assert found["reason"] == "HealthCheckFailed"
    told = fleet.kubectl("get", "airflowtenant", "payments")
    assert "config.core.fernet_key is set by the operator: remove it from airflow.config" in told
    fleet.flux.wait_ready("tenant-analytics", commit)
    fleet.flux.wait_ready("tenant-payments", fleet.revert(commit))


def test_a_new_team_with_a_bad_ref_is_told_and_leaves_with_its_data_kept(fleet: Fleet) -> None:
    team = fleet.tenant("ml")
    fleet.repo.replace(LISTING, "  - payments.yaml\n", "  - payments.yaml\n  - ml.yaml\n")
    fleet.repo.replace(f"{BASE}/ml/tenant.yaml", "          ref: main", "          ref: no-such-branch")
    fleet.stack.kubelet.break_component(team.namespace, "scheduler", _NO_REF)
    fleet.push("A team")
    eventually(lambda: "tenant-ml" in fleet.flux.names(), WAIT, fleet.flux.explain)
    fleet.flux.wait_failed("tenant-ml", "AirflowTenant/ml")
    team.wait("Ready", "False", "GitSyncFailed", says=_FATAL)
    assert fleet.flux.ready("tenant-ml")["status"] != "True"
    volumes = {claim["metadata"]["uid"] for claim in fleet.api.list(kinds.PVC, team.namespace)}
    secrets = set(team.secrets())
    assert volumes
    assert secrets

    fleet.repo.replace(LISTING, "  - ml.yaml\n", "")
    fleet.repo.remove(f"{STAGING}/ml")
    fleet.repo.remove("manifests/flux/tenants/ml.yaml")
    fleet.flux.wait_ready(ROOT, fleet.push("The team's directory goes"))
    eventually(lambda: "tenant-ml" not in fleet.flux.names(), WAIT, fleet.flux.explain)
    assert "deletionTimestamp" not in team.object["metadata"]
    assert "deletionTimestamp" not in fleet.api.get(kinds.NAMESPACE, team.namespace)["metadata"]
    assert {claim["metadata"]["uid"] for claim in fleet.api.list(kinds.PVC, team.namespace)} == volumes
    assert set(team.secrets()) == secrets

    # Offboarding is a person's act.
    fleet.api.merge(kinds.TENANT, "ml", {"spec": {"deletionPolicy": "Delete"}})
    fleet.kubectl("delete", "airflowtenant", "ml", "--wait=false")
    team.wait_gone(WAIT)


def test_not_even_without_the_annotation_a_commit_deletes_a_tenant(fleet: Fleet) -> None:
    uid = fleet.tenant("analytics").object["metadata"]["uid"]
    base = f"{BASE}/analytics/tenant.yaml"
    annotation = next(line for line in fleet.repo.read(base).splitlines() if "fluxcd.io/prune" in line)
    fleet.repo.replace(base, f"{annotation}\n", "")
    first = fleet.push("Pruning allowed")
    fleet.flux.wait_ready("tenant-analytics", first)
    fleet.repo.replace(f"{BASE}/analytics/kustomization.yaml", "  - tenant.yaml\n", "")
    fleet.repo.remove(f"{STAGING}/analytics/tenant.yaml")
    listing = fleet.repo.read(f"{STAGING}/analytics/kustomization.yaml")
    fleet.repo.write(f"{STAGING}/analytics/kustomization.yaml", listing.partition("patches:")[0])
    second = fleet.push("The tenant goes")
    fleet.flux.wait_failed("tenant-analytics", 'cannot delete resource "airflowtenants"')
    assert fleet.tenant("analytics").object["metadata"]["uid"] == uid
    fleet.repo.revert(second)
    fleet.flux.wait_ready("tenant-analytics", fleet.revert(first))
    assert fleet.tenant("analytics").object["metadata"]["uid"] == uid
    assert "deletionTimestamp" not in fleet.tenant("analytics").object["metadata"]


_OUTSIDE = {
    "another team's namespace": (
        "v1", "ConfigMap", {"name": "x", "namespace": "airflow-payments"},
        'cannot patch resource "configmaps" in API group "" in the namespace "airflow-payments"',
    ),
    "a Secret of its own": (
        "v1", "Secret", {"name": "x", "namespace": "airflow-analytics"},
        'cannot patch resource "secrets" in API group "" in the namespace "airflow-analytics"',
    ),
    "a second tenant": (
        names.API_VERSION, names.KIND, {"name": "analytics-two"},
        'cannot patch resource "airflowtenants" in API group "airflowtenants.io" at the cluster scope',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", _OUTSIDE)
def test_a_teams_directory_that_reaches_outside_is_refused(fleet: Fleet, what: str) -> None:
    version, kind, metadata, words = _OUTSIDE[what]
    spec = "\nspec: {owner: {team: analytics}}" if kind == names.KIND else ""
    folder = f"{STAGING}/analytics"
    fields = ", ".join(f"{key}: {value}" for key, value in metadata.items())
    fleet.repo.write(
        f"{folder}/extra.yaml", f"apiVersion: {version}\nkind: {kind}\nmetadata: {{{fields}}}{spec}\n"
    )
    fleet.repo.replace(f"{folder}/kustomization.yaml", "resources:\n", "resources:\n  - extra.yaml\n")
    commit = fleet.push("Reaching out")
    found = fleet.flux.wait_failed("tenant-analytics", words)
    assert f'User "system:serviceaccount:{NAMESPACE}:tenant-analytics"' in found["message"]
    fleet.flux.wait_ready("tenant-payments", commit)
    fleet.flux.wait_ready("tenant-analytics", fleet.revert(commit))


def test_drift_of_the_spec_is_put_back_by_flux_and_of_children_by_the_operator(fleet: Fleet) -> None:
    tenant = fleet.tenant("analytics")
    wanted = tenant.object["spec"]["quota"]["hard"]["pods"]
    tenant.edit(quota={"hard": {"pods": "99"}})
    fleet.flux.pass_over("tenant-analytics")
    assert tenant.object["spec"]["quota"]["hard"]["pods"] == wanted

    uid = fleet.api.get(kinds.DEPLOYMENT, "analytics-statsd", tenant.namespace)["metadata"]["uid"]
    fleet.api.delete(kinds.DEPLOYMENT, "analytics-statsd", tenant.namespace)

    def back() -> bool:
        found = fleet.api.find(kinds.DEPLOYMENT, "analytics-statsd", tenant.namespace)
        return found is not None and found["metadata"]["uid"] != uid

    tenant.until(back, WAIT)


def test_a_request_by_annotation_is_carried_out_and_only_a_persons_own_manager_keeps_it(fleet: Fleet) -> None:
    tenant = fleet.tenant("analytics")
    key, value = "airflowtenants.io/reconcile-requested-at", datetime.now(UTC).isoformat()
    fleet.kubectl("annotate", "--field-manager=oncall", "airflowtenant", "analytics", f"{key}={value}")
    tenant.until(lambda: tenant.status.get("lastHandledReconcileAt") == value)
    fleet.kubectl("annotate", "airflowtenant", "analytics", "example.com/by-kubectl=1")
    fleet.flux.pass_over("tenant-analytics")
    annotations = tenant.object["metadata"]["annotations"]
    assert annotations[key] == value
    assert "example.com/by-kubectl" not in annotations, "README's trap holds no more"
    fleet.api.merge(kinds.TENANT, "analytics", {"metadata": {"annotations": {key: None}}})


@pytest.mark.timeout(REST_SECONDS + 300, func_only=True)
def test_at_rest_flux_and_operator_write_nothing_but_flux_own_state(fleet: Fleet) -> None:
    for team in TEAMS:
        fleet.tenant(team).wait("Ready")
    begin = datetime.now(UTC)
    passes = 0
    while (datetime.now(UTC) - begin).total_seconds() < REST_SECONDS:
        for name in sorted(fleet.flux.names()):
            fleet.flux.pass_over(name)  # its interval is longer than a test can wait
        passes += 1
        time.sleep(10)  # rest is what is measured here
    until = datetime.now(UTC)
    assert passes >= 3, "too few to show anything"
    found = [write for write in audit.writes(fleet.plane.log("audit"), begin, until) if not _expected(write)]
    assert not found, audit.table(Counter(map(str, found)))


def _expected(write: audit.Write) -> bool:
    """What any cluster at rest writes, and the passes that the test asks for with what Flux says of them."""
    if write.resource in ("leases", "endpointslices", "events"):
        return True
    own = write.resource.split("/")[0] in (KUSTOMIZATION.plural, GIT.plural)
    return own and write.namespace == NAMESPACE
