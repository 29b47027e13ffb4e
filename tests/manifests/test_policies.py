"""The policies of manifests/policies on a real API server: what they refuse, and what they let be."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.controller.api import Api, Refused
from tests.controller.process import ROOT, eventually
from tools.manifests import rules
from tools.manifests.findings import Source

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

DEFINITION = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"
GROUP = "admissionregistration.k8s.io/v1"
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
_SECONDS = 60.0
IMAGE = rules.REGISTRY + "airflow-tenants/airflow:3.3.2"


@functools.cache
def built(folder: str) -> tuple[Object, ...]:
    """The objects of a kustomization below manifests/."""
    command = [str(tool("kustomize")), "build", str(ROOT / "manifests" / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return tuple(yaml.safe_load_all(done.stdout))


@dataclass
class Cluster:
    """An API server with the policies of one environment."""

    plane: ControlPlane
    api: Api

    def kubectl(self, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
        """Kubectl as the administrator, or as whom `--as` says."""
        return subprocess.run(
            [str(tool("kubectl")), "--kubeconfig", str(self.plane.kubeconfig), *arguments],
            input=json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def create(self, obj: Object, kind: Kind = kinds.TENANT, *, dry: bool = True) -> str:
        """Nothing when it is admitted, else the API server's words."""
        try:
            self.api.create(kind, obj, dry=dry)
        except Refused as error:
            return error.message
        return ""

    def update(self, obj: Object, user: str = "") -> str:
        """Replace the whole object, as somebody; nothing when it is admitted."""
        options = [f"--as={user}"] if user else []
        done = self.kubectl("replace", "-f", "-", *options, stdin=obj)
        return "" if done.returncode == 0 else done.stderr

    def enforce(self, environment: str) -> None:
        """Install the policies; the server looks for new ones about once a second."""
        for obj in built(f"policies/{environment}"):
            plural = {
                "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
                "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
            }[obj["kind"]]
            self.api.apply(f"/apis/{GROUP}/{plural}/{obj['metadata']['name']}", obj)


def tenant(name: str = "ml", **changes: Any) -> Object:
    """The sample's production tenant, with top-level fields of its spec replaced; None removes one."""
    [found] = [o for o in built(f"tenants/production/{name}") if o["kind"] == "AirflowTenant"]
    found = copy.deepcopy(found)
    for field, value in changes.items():
        found["spec"].pop(field, None)
        if value is not None:
            found["spec"][field] = value
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ControlPlane.start(tmp_path_factory.mktemp("policies")) as plane, Api(plane) as api:
        made = Cluster(plane, api)
        definition = yaml.safe_load(DEFINITION.read_text())
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/airflowtenants.airflowtenants.io"
        api.apply(path, definition)

        def established() -> bool:
            conditions = api.call("GET", path).get("status", {}).get("conditions") or []
            return ("Established", "True") in {(c["type"], c["status"]) for c in conditions}

        eventually(established, _SECONDS)
        eventually(lambda: not made.create(tenant()), _SECONDS, lambda: made.create(tenant()))
        # one that was there before the policies: its missing quota is forbidden now
        old = tenant("payments", quota={})
        old["metadata"]["name"] = old["spec"]["namespace"]["name"] = "from-before"
        assert made.create(old, dry=False) == ""
        for user, verbs in (("editor", []), ("mover", ["transfer"]), ("purger", ["purge"])):
            rule = {
                "apiGroups": ["*"],
                "resources": ["*"],
                "verbs": ["get", "list", "update", "patch", "delete"],
            }
            special = {"apiGroups": ["airflowtenants.io"], "resources": ["airflowtenants"], "verbs": verbs}
            role = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": user},
            }
            role["rules"] = [rule, special] if verbs else [rule]
            assert made.kubectl("create", "-f", "-", stdin=role).returncode == 0
            bound = made.kubectl(
                "create", "clusterrolebinding", user, f"--clusterrole={user}", f"--user={user}"
            )
            assert bound.returncode == 0, bound.stderr
        namespace = {"metadata": {"name": "airflow-ml", "labels": {"airflowtenants.io/tenant": "ml"}}}
        assert made.create(namespace, kinds.NAMESPACE, dry=False) == ""
        made.enforce("production")
        for probe, kind in (
            (tenant(quota={}), kinds.TENANT),
            (tenant(deletionPolicy="Delete"), kinds.TENANT),
            (pod("docker.io/x:1"), kinds.POD),
        ):
            eventually(lambda p=probe, k=kind: "ValidatingAdmissionPolicy" in made.create(p, k), _SECONDS)
        eventually(lambda: "purge" in purge(made, "editor", "namespace/airflow-ml"), _SECONDS)
        yield made


def purge(cluster: Cluster, user: str, what: str) -> str:
    """Try to delete without doing it; the refusal."""
    done = cluster.kubectl("delete", what, "--dry-run=server", f"--as={user}")
    return "" if done.returncode == 0 else done.stderr


def pod(*images: str, **spec: Any) -> Object:
    restricted = {"name": "c", "image": "x"}
    containers = [restricted | {"name": f"c{i}", "image": image} for i, image in enumerate(images)]
    return {
        "metadata": {"name": "task", "namespace": "airflow-ml"},
        "spec": {"containers": containers, "automountServiceAccountToken": False, **spec},
    }


@pytest.mark.parametrize("name", ["analytics", "data-engineering", "ml", "payments", "platform"])
def test_the_samples_of_production_are_admitted(cluster: Cluster, name: str) -> None:
    assert cluster.create(tenant(name)) == ""


def egress(cidr: str, *out: str) -> list[Object]:
    return [{"cidr": cidr, "ports": [443], **({"except": list(out)} if out else {})}]


def git(ref: str) -> Object:
    repo = "https://git.example.com/ml/airflow-dags.git"
    return {"sources": [{"name": "main", "gitSync": {"repo": repo, "ref": ref}}]}


def alerts(**fields: Any) -> Object:
    return {"alerts": {"webhook": {"urlSecretRef": {"name": "alerts", "key": "url"}}, **fields}}


REFUSED = {
    "latest": (
        {"airflow": {"image": {"repository": "registry.example.com/a", "tag": "latest"}}},
        "image.tag",
    ),
    "another registry": ({"airflow": {"image": {"repository": "docker.io/a"}}}, "docker.io/a is not from"),
    "no quota": ({"quota": {}}, "spec.quota.hard"),
    "a quota without pods": (
        {"quota": {"hard": {"requests.cpu": "1", "requests.memory": "1Gi"}}},
        "quota.hard",
    ),
    "every address": ({"network": {"egress": egress("0.0.0.0/0")}}, "spec.network.egress"),
    "every address but some": (
        {"network": {"egress": egress("0.0.0.0/0", PRIVATE[0])}},
        "spec.network.egress",
    ),
    "every address of IPv6": ({"network": {"egress": egress("::/0")}}, "spec.network.egress"),
    "data goes with the tenant": ({"deletionPolicy": "Delete"}, "must be Retain in production"),
    "a branch": ({"dags": git("main")}, "sources[main].gitSync.ref: main is a branch"),
    "a branch that begins like a release": ({"dags": git("v1.2-work/x")}, "is a branch"),
    "nobody is told": ({"monitoring": {}}, "spec.monitoring.alerts"),
    "alerts are off": ({"monitoring": alerts(enabled=False)}, "spec.monitoring.alerts"),
}
ADMITTED = {
    "the company's image": {
        "airflow": {"image": {"repository": "registry.example.com/team/airflow", "tag": "1"}}
    },
    "every address outside": {"network": {"egress": egress("0.0.0.0/0", *PRIVATE)}},
    "every address outside, IPv6": {"network": {"egress": egress("::/0", "fc00::/7")}},
    "a larger exception": {"network": {"egress": egress("0.0.0.0/0", "172.0.0.0/8", *PRIVATE[::2])}},
    "one network": {"network": {"egress": egress("10.1.0.0/16")}},
    "a commit": {"dags": git("0123456789abcdef0123456789abcdef01234567")},
    "a release": {"dags": git("v1.2.3")},
    "a release without v": {"dags": git("2026.11.0-rc.1")},
    "no source": {"dags": {}},
    "a webhook": {"monitoring": alerts()},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_tenant_is_refused_with_field_and_remedy(cluster: Cluster, case: str) -> None:
    changes, says = REFUSED[case]
    assert says in cluster.create(tenant(**changes))


@pytest.mark.parametrize("case", ADMITTED)
def test_a_tenant_is_admitted(cluster: Cluster, case: str) -> None:
    assert cluster.create(tenant(**ADMITTED[case])) == ""


#: the rules of the check that the policies are, too
POLICY_RULES = (
    *(rules.fixed_images, rules.own_registry, rules.closed_egress, rules.quota),
    *(rules.retained, rules.fixed_dags, rules.alert_channel),
)


def found_in_git(changes: Object) -> list[str]:
    """What `make validate` says of the same tenant."""
    source = Source(Path("tenants/production/ml"), (tenant(**changes),))
    return [str(finding) for rule in POLICY_RULES for finding in rule(source, rules.REGISTRY)]


@pytest.mark.parametrize("case", REFUSED)
def test_the_check_of_a_pull_request_finds_what_the_cluster_would_refuse(case: str) -> None:
    assert len({text.partition("]")[0] for text in found_in_git(REFUSED[case][0])}) == 1


@pytest.mark.parametrize("case", ADMITTED)
def test_the_check_of_a_pull_request_takes_what_the_cluster_would_admit(case: str) -> None:
    assert found_in_git(ADMITTED[case]) == []


def test_registry_and_ranges_are_the_checks() -> None:
    variables = {
        (policy["metadata"]["name"], entry["name"]): entry["expression"]
        for policy in built("policies/production")
        if policy["kind"] == "ValidatingAdmissionPolicy"
        for entry in policy["spec"].get("variables", [])
    }
    for policy in ("airflow-tenants", "airflow-tenants-pods"):
        assert variables[policy, "registry"] == repr(rules.REGISTRY)
    assert variables["airflow-tenants", "inside"] == str([str(network) for network in rules.PRIVATE])


def test_a_reason_opens_every_address(cluster: Cluster) -> None:
    reasoned = tenant(network={"egress": egress("0.0.0.0/0")})
    reasoned["metadata"]["annotations"][rules.OPEN_EGRESS] = "a crawler"
    assert cluster.create(reasoned) == ""
    reasoned["metadata"]["annotations"][rules.OPEN_EGRESS] = ""
    assert "say why" in cluster.create(reasoned)


def test_what_was_there_before_is_refused_only_when_its_spec_changes(cluster: Cluster) -> None:
    api = cluster.api
    api.merge(kinds.TENANT, "from-before", {"metadata": {"annotations": {"a": "b"}, "finalizers": ["x/y"]}})
    api.merge(kinds.TENANT, "from-before", {"status": {"observedGeneration": 1}}, subresource="status")
    with pytest.raises(Refused, match=r"spec\.quota\.hard"):
        api.merge(kinds.TENANT, "from-before", {"spec": {"sync": {"interval": "1m"}}})
    api.delete(kinds.TENANT, "from-before")
    api.merge(kinds.TENANT, "from-before", {"metadata": {"finalizers": None}})
    assert api.find(kinds.TENANT, "from-before") is None


def test_a_tenant_stays_its_teams(cluster: Cluster) -> None:
    name = "owned"
    mine = tenant()
    mine["metadata"]["name"] = mine["spec"]["namespace"]["name"] = name
    assert cluster.create(mine, dry=False) == ""
    moved = copy.deepcopy(mine)
    moved["spec"]["owner"]["team"] = "another"
    refused = cluster.update(moved, "editor")
    assert "spec.owner.team: a tenant stays its team's" in refused
    renamed = copy.deepcopy(mine)
    renamed["spec"]["namespace"]["name"] = "elsewhere"
    assert "namespace" in cluster.update(renamed, "mover")
    mine["spec"]["owner"]["email"] = "new@example.com"
    assert cluster.update(mine, "editor") == ""
    assert cluster.update(moved, "mover") == ""


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (["docker.io/library/busybox:1"], "docker.io/library/busybox:1 is not from registry.example.com/"),
        ([IMAGE, "quay.io/x:1"], "quay.io/x:1 is not from"),
        ([rules.REGISTRY + "a:latest"], "changes by itself"),
        ([rules.REGISTRY + "a"], "changes by itself"),
        ([rules.REGISTRY[:-1] + ".evil.com/a:1"], "is not from"),
    ],
)
def test_a_pod_of_a_tenant_runs_fixed_images_of_the_company(
    cluster: Cluster, images: list[str], says: str
) -> None:
    assert says in cluster.create(pod(*images), kinds.POD)


def test_init_containers_count(cluster: Cluster) -> None:
    foreign = pod(IMAGE, initContainers=[{"name": "i", "image": "docker.io/x:1"}])
    assert "docker.io/x:1 is not from" in cluster.create(foreign, kinds.POD)


@pytest.mark.parametrize("image", [IMAGE, rules.REGISTRY + "a@sha256:" + "0" * 64])
def test_a_pod_with_fixed_images_of_the_company_is_admitted(cluster: Cluster, image: str) -> None:
    # its service account comes from a controller, a moment after the namespace
    eventually(
        lambda: cluster.create(pod(image), kinds.POD) == "",
        _SECONDS,
        lambda: cluster.create(pod(image), kinds.POD),
    )


def test_pods_of_other_namespaces_are_not_looked_at(cluster: Cluster) -> None:
    foreign = pod("docker.io/x:1")
    foreign["metadata"]["namespace"] = "default"
    eventually(
        lambda: cluster.create(foreign, kinds.POD) == "", _SECONDS, lambda: cluster.create(foreign, kinds.POD)
    )


@pytest.mark.parametrize("what", ["namespace/airflow-ml", "crd/airflowtenants.airflowtenants.io"])
def test_what_holds_data_is_deleted_only_by_whoever_may_purge(cluster: Cluster, what: str) -> None:
    assert "holds the data of tenants" in purge(cluster, "editor", what)
    assert purge(cluster, "purger", what) == ""
    operator = "system:serviceaccount:airflow-tenants-system:airflow-tenant-operator"
    assert "holds the data of tenants" not in purge(cluster, operator, what)


def test_other_namespaces_are_deleted_as_ever(cluster: Cluster) -> None:
    assert cluster.create({"metadata": {"name": "free"}}, kinds.NAMESPACE, dry=False) == ""
    assert purge(cluster, "editor", "namespace/free") == ""


def test_the_server_finds_no_fault_in_the_policies(cluster: Cluster) -> None:
    def checked() -> list[Object]:
        listed: list[Object] = cluster.api.call("GET", f"/apis/{GROUP}/validatingadmissionpolicies")["items"]
        return listed if all("typeChecking" in policy.get("status", {}) for policy in listed) else []

    warnings = {
        policy["metadata"]["name"]: policy["status"]["typeChecking"].get("expressionWarnings", [])
        for policy in eventually(checked, _SECONDS)
    }
    assert {name: found for name, found in warnings.items() if found} == {}
    assert len(warnings) == 4


def test_staging_warns_where_production_refuses() -> None:
    actions: dict[str, dict[str, list[str]]] = {
        environment: {
            o["spec"]["policyName"]: o["spec"]["validationActions"]
            for o in built(f"policies/{environment}")
            if o["kind"] == "ValidatingAdmissionPolicyBinding"
        }
        for environment in ("staging", "production")
    }
    assert all(found == ["Deny", "Audit"] for found in actions["production"].values())
    assert actions["staging"] == actions["production"] | {"airflow-tenants-production": ["Warn", "Audit"]}
