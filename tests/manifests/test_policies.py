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
from tests.kustomization import build
from tools.manifests import rules, secret_rules
from tools.manifests.findings import Finding, Source

from devcluster import components
from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

DEFINITION = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"
GROUP = "admissionregistration.k8s.io/v1"
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
_SECONDS = 60.0
IMAGE = rules.REGISTRY + "airflow-tenants/airflow:3.3.2"


@functools.cache
def built(folder: str) -> tuple[Object, ...]:
    """The objects of a kustomization below manifests/."""
    return tuple(build(ROOT / "manifests" / folder))


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
    # images as volumes are a default of Kubernetes from 1.35 on
    plain = components.apiserver
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            *(components, "apiserver"),
            lambda binary, layout: [*plain(binary, layout), "--feature-gates=ImageVolume=true"],
        )
        plane = ControlPlane.start(tmp_path_factory.mktemp("policies"))
    with plane, Api(plane) as api:
        made = Cluster(plane, api)
        definition = yaml.safe_load(DEFINITION.read_text())
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/airflowtenants.airflowtenants.io"
        api.apply(path, definition)

        def established() -> bool:
            conditions = api.call("GET", path).get("status", {}).get("conditions") or []
            return ("Established", "True") in {(c["type"], c["status"]) for c in conditions}

        eventually(established, _SECONDS)
        api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{STORED}", external_secrets())
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
        marked = {"airflowtenants.io/tenant": "ml"}
        namespace = {"metadata": {"name": "airflow-ml", "labels": marked, "annotations": marked}}
        assert made.create(namespace, kinds.NAMESPACE, dry=False) == ""
        made.enforce("production")
        for probe, kind in (
            (tenant(quota={}), kinds.TENANT),
            (tenant(deletionPolicy="Delete"), kinds.TENANT),
            (pod("docker.io/x:1"), kinds.POD),
            (external_secret(data=[asked("airflow/payments/a")]), EXTERNAL_SECRET),
        ):
            eventually(lambda p=probe, k=kind: "ValidatingAdmissionPolicy" in made.create(p, k), _SECONDS)
        eventually(lambda: "purge" in purge(made, "editor", "namespace/airflow-ml"), _SECONDS)
        born = {"metadata": {"name": "airflow-probe", "annotations": {"airflowtenants.io/tenant": "probe"}}}
        born["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "privileged"}
        eventually(lambda: "must be restricted" in made.create(born, kinds.NAMESPACE), _SECONDS)
        yield made


STORED = "externalsecrets.external-secrets.io"
EXTERNAL_SECRET = Kind("external-secrets.io/v1", "ExternalSecret", "externalsecrets")


def external_secrets() -> Object:
    """The definition; its fields are left to `make validate`."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": STORED},
        "spec": {
            "group": "external-secrets.io",
            "scope": "Namespaced",
            "names": {"kind": "ExternalSecret", "plural": "externalsecrets"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def asked(key: str, **source: str) -> Object:
    """One key of the store, or of another one."""
    made: Object = {"secretKey": "a", "remoteRef": {"key": key}}
    return made | ({"sourceRef": {"storeRef": source}} if source else {})


def external_secret(kind: str = "ClusterSecretStore", **spec: Any) -> Object:
    return {
        "metadata": {"name": "x", "namespace": "airflow-ml"},
        "spec": {"secretStoreRef": {"kind": kind, "name": "company"}, "target": {"name": "x"}, **spec},
    }


FOREIGN_PATHS = {
    "another team's": external_secret(data=[asked("airflow/ml/a"), asked("airflow/payments/a")]),
    "a tenant's whose name begins so": external_secret(data=[asked("airflow/ml-x/a")]),
    "by steps": external_secret(data=[asked("airflow/ml/../payments/a")]),
    "all keys of another team": external_secret(dataFrom=[{"extract": {"key": "airflow/payments/a"}}]),
    "a search": external_secret(dataFrom=[{"find": {"name": {"regexp": ".*"}}}]),
    "another store for one key": external_secret(
        "SecretStore", data=[asked("airflow/payments/a", kind="ClusterSecretStore", name="company")]
    ),
}
OWN_PATHS = {
    "its own": external_secret(data=[asked("airflow/ml/a")], dataFrom=[{"extract": {"key": "airflow/ml/b"}}]),
    "anything by a store of its own": external_secret("SecretStore", data=[asked("redshift")]),
    "a store of its own for one key": external_secret(data=[asked("redshift", name="own")]),
}


@pytest.mark.parametrize("case", FOREIGN_PATHS)
def test_a_team_reads_no_other_teams_path_of_the_companys_store(cluster: Cluster, case: str) -> None:
    assert "ValidatingAdmissionPolicy" in cluster.create(FOREIGN_PATHS[case], EXTERNAL_SECRET)
    assert len(found_paths(FOREIGN_PATHS[case])) == 1


@pytest.mark.parametrize("case", OWN_PATHS)
def test_a_team_reads_its_own_paths(cluster: Cluster, case: str) -> None:
    assert cluster.create(OWN_PATHS[case], EXTERNAL_SECRET) == ""
    assert found_paths(OWN_PATHS[case]) == []


def found_paths(found: Object) -> list[Finding]:
    """What `make validate` says of it."""
    source = Source(Path("base/ml"), ({"kind": "ExternalSecret", **found},))
    return list(secret_rules.secret_paths(source, rules.REGISTRY))


def test_external_secrets_of_other_namespaces_are_not_looked_at(cluster: Cluster) -> None:
    platforms = external_secret(dataFrom=[{"find": {"name": {"regexp": ".*"}}}])
    platforms["metadata"]["namespace"] = "default"
    assert cluster.create(platforms, EXTERNAL_SECRET) == ""


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
    "every address but the carriers'": (
        {"network": {"egress": egress("0.0.0.0/0", *PRIVATE[:3])}},
        "spec.network.egress",
    ),
    "every address by halves": (
        {"network": {"egress": egress("0.0.0.0/1") + egress("128.0.0.0/1")}},
        "spec.network.egress: 0.0.0.0/1 opens addresses inside the cluster",
    ),
    "the other half": ({"network": {"egress": egress("128.0.0.0/1")}}, "spec.network.egress: 128.0.0.0/1"),
    "a whole private range": ({"network": {"egress": egress("10.0.0.0/8")}}, "spec.network.egress"),
    "half of a private range": ({"network": {"egress": egress("10.128.0.0/9")}}, "spec.network.egress"),
    "pods of some clouds": ({"network": {"egress": egress("100.64.0.0/10")}}, "spec.network.egress"),
    "the cloud's metadata": (
        {"network": {"egress": egress("169.254.169.254/32")}},
        "spec.network.egress: 169.254.169.254/32",
    ),
    "the cloud's metadata by IPv6": (
        {"network": {"egress": egress("fd00:ec2::254/128")}},
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
    "a larger exception": {
        "network": {"egress": egress("0.0.0.0/0", "172.0.0.0/8", *PRIVATE[::2], PRIVATE[3])}
    },
    "every address outside, by halves": {
        "network": {
            "egress": egress("0.0.0.0/1", PRIVATE[0], PRIVATE[3]) + egress("128.0.0.0/1", *PRIVATE[1:3])
        }
    },
    "a network of the internet": {"network": {"egress": egress("203.0.113.0/24")}},
    "one network of IPv6": {"network": {"egress": egress("fd12:3456::/48")}},
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
    assert variables["airflow-tenants", "nodes"] == str([str(network) for network in rules.NODES])


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


@pytest.mark.parametrize("image", ["docker.io/evil/x:latest", rules.REGISTRY + "a:latest"])
def test_an_image_as_a_volume_counts(cluster: Cluster, image: str) -> None:
    volume = {"name": "v", "image": {"reference": image, "pullPolicy": "Always"}}
    refused = cluster.create(pod(IMAGE, volumes=[volume]), kinds.POD)
    assert f"image {image}" in refused
    assert "ValidatingAdmissionPolicy" in refused


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


TENANT_OF = "airflowtenants.io/tenant"
ENFORCE = "pod-security.kubernetes.io/enforce"
OPERATOR = "system:serviceaccount:airflow-tenants-system:airflow-tenant-operator"
#: Argo CD with its own manifests: a service account that may do everything
ARGO = ("system:serviceaccount:argocd:argocd-application-controller", "--as-group=system:masters")


def walled(cluster: Cluster, name: str) -> str:
    """A tenant's namespace as the operator leaves it; its name."""
    labels = {TENANT_OF: "ml", ENFORCE: "restricted", f"{ENFORCE}-version": "latest"}
    metadata = {"name": name, "labels": labels, "annotations": {TENANT_OF: "ml"}}
    assert cluster.create({"metadata": metadata}, kinds.NAMESPACE, dry=False) == ""
    return name


def change(cluster: Cluster, name: str, labels: Object, notes: Object | None = None, *who: str) -> str:
    """Merge labels and annotations into a namespace, as somebody; the refusal."""
    patch = json.dumps({"metadata": {"labels": labels, "annotations": notes or {}}})
    user, *more = who or ("editor",)
    done = cluster.kubectl("patch", "namespace", name, "--type=merge", "-p", patch, f"--as={user}", *more)
    return "" if done.returncode == 0 else done.stderr


def test_the_wall_of_a_namespace_is_not_taken_down_in_two_steps(cluster: Cluster) -> None:
    name = walled(cluster, "airflow-two-steps")
    assert "stays" in change(cluster, name, {TENANT_OF: None})
    assert "stays" in change(cluster, name, {}, {TENANT_OF: None})
    assert "stays" in change(cluster, name, {ENFORCE: None})
    assert "stays" in change(cluster, name, {TENANT_OF: None}, {}, "editor", "--subresource=status")
    assert "holds the data of tenants" in purge(cluster, "editor", f"namespace/{name}")
    assert change(cluster, name, {TENANT_OF: None}, {TENANT_OF: None}, "purger") == ""
    assert purge(cluster, "editor", f"namespace/{name}") == "", "nobody's any more"


def test_a_namespace_that_the_operator_has_not_labelled_yet_is_kept_too(cluster: Cluster) -> None:
    metadata = {"name": "airflow-annotated", "annotations": {TENANT_OF: "ml"}}
    assert cluster.create({"metadata": metadata}, kinds.NAMESPACE, dry=False) == ""
    assert "holds the data of tenants" in purge(cluster, "editor", "namespace/airflow-annotated")


@pytest.mark.parametrize("who", [("editor",), ("purger",), ARGO], ids=["editor", "purger", "Argo CD"])
@pytest.mark.parametrize(
    ("labels", "notes", "says"),
    [
        ({ENFORCE: "privileged"}, {}, "its label pod-security.kubernetes.io/enforce is the operator's"),
        ({ENFORCE: "baseline"}, {}, "must be restricted"),
        ({f"{ENFORCE}-version": "v1.0"}, {}, "enforce-version is the operator's"),
        ({TENANT_OF: "payments"}, {}, "is of tenant ml"),
        ({}, {TENANT_OF: "payments"}, "is of tenant ml"),
        ({TENANT_OF: "payments"}, {TENANT_OF: "payments"}, "is of tenant ml"),
    ],
)
def test_nobody_makes_the_wall_of_a_namespace_lower(
    cluster: Cluster, labels: Object, notes: Object, says: str, who: tuple[str, ...]
) -> None:
    if not cluster.api.find(kinds.NAMESPACE, "airflow-wall"):
        walled(cluster, "airflow-wall")
    assert says in change(cluster, "airflow-wall", labels, notes, *who)


def test_argo_cd_takes_no_label_off_although_it_may_do_everything(cluster: Cluster) -> None:
    name = walled(cluster, "airflow-by-argo")
    assert "stays" in change(cluster, name, {ENFORCE: None}, {}, *ARGO)
    assert change(cluster, name, {"cost-centre": "1"}, {"a": "b"}, *ARGO) == ""


def test_a_namespace_is_not_born_without_a_wall(cluster: Cluster) -> None:
    metadata = {"name": "airflow-born", "labels": {ENFORCE: "privileged"}, "annotations": {TENANT_OF: "born"}}
    assert "must be restricted" in cluster.create({"metadata": metadata}, kinds.NAMESPACE)
    metadata["labels"] = {}
    assert cluster.create({"metadata": metadata}, kinds.NAMESPACE) == ""


def test_the_operator_repairs_the_wall(cluster: Cluster) -> None:
    name = walled(cluster, "airflow-repaired")
    assert change(cluster, name, {TENANT_OF: None, ENFORCE: None}, {}, "purger") == ""
    who = (OPERATOR, "--as-group=system:masters")
    assert change(cluster, name, {TENANT_OF: "ml", ENFORCE: "restricted"}, {}, *who) == ""


def test_labels_of_other_namespaces_are_free(cluster: Cluster) -> None:
    metadata = {"name": "open", "labels": {ENFORCE: "privileged"}}
    assert cluster.create({"metadata": metadata}, kinds.NAMESPACE, dry=False) == ""
    assert change(cluster, "open", {ENFORCE: None}) == ""


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
    assert len(warnings) == 6


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
