"""Each check of `make validate` catches what it is for; the repository itself is clean."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.manifests import (
    conform,
    overlay_rules,
    overlays,
    rules,
    schemas,
    scope,
    secret_rules,
    validate,
)
from tools.manifests.findings import TENANT, Finding, Source

ROOT = Path(__file__).resolve().parents[2]
TENANTS = ROOT / "manifests" / "tenants"
BASE, PRODUCTION = Path("base/payments"), Path("production/payments")

Edit = Callable[[Path], None]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's own repository: its tenant, and the overlay for production."""
    root = tmp_path / "own"
    for folder in (BASE, PRODUCTION):
        shutil.copytree(TENANTS / folder, root / folder)
    monkeypatch.chdir(root)
    return root


def edit(file: Path, old: str, new: str) -> Edit:
    """Replace a text that must be there."""

    def apply(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text, f"{file} lacks {old!r}"
        (root / file).write_text(text.replace(old, new, 1))

    return apply


def add(file: Path, text: str) -> Edit:
    """Append to a file, or make it."""

    def apply(root: Path) -> None:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)

    return apply


def both(*edits: Edit) -> Edit:
    """One after the other."""

    def apply(root: Path) -> None:
        for one in edits:
            one(root)

    return apply


def in_base(old: str, new: str) -> Edit:
    return edit(BASE / "tenant.yaml", old, new)


def in_production(old: str, new: str) -> Edit:
    return edit(PRODUCTION / "tenant.yaml", old, new)


def another_object(text: str) -> Edit:
    """One more object in base."""
    name = "more.yaml"
    resources = edit(BASE / "kustomization.yaml", "  - tenant.yaml\n", f"  - tenant.yaml\n  - {name}\n")
    return both(add(BASE / name, text), resources)


def of_the_platform(text: str) -> Edit:
    """An object that no team has."""
    made = add(Path("platform/kustomization.yaml"), "resources: [more.yaml]\n")
    return both(made, add(Path("platform/more.yaml"), text))


def in_release(operation: str) -> Edit:
    """One more operation of a promotion."""
    return add(PRODUCTION / "release.yaml", operation)


def workload(image: str) -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: extra, namespace: airflow-tenants-system}}
spec:
  selector: {{matchLabels: {{a: b}}}}
  template:
    metadata: {{labels: {{a: b}}}}
    spec:
      containers: [{{name: c, image: "{image}"}}]
"""


SECRET = """apiVersion: v1
kind: Secret
metadata: {name: acquirer, namespace: airflow-payments}
stringData: {password: hunter2}
"""
SECOND = """apiVersion: airflowtenants.io/v1alpha1
kind: AirflowTenant
metadata:
  name: second
spec: {owner: {team: payments}, namespace: {name: airflow-payments}}
"""
CLUSTER_STORE = "  secretStoreRef:\n    kind: ClusterSecretStore\n    name: company\n"
OWN_STORE = (
    "  secretStoreRef: {name: own}\n  dataFrom: [{extract: {key: x}}]\n  target:\n    name: acquirer-api"
)
EXTRACT = "  dataFrom: [{extract: {key: airflow/payments/acquirer-api}}]\n  data:\n    - secretKey: other\n"


def in_secret(*pairs: str) -> Edit:
    """Replace texts of the first ExternalSecret, acquirer-api."""
    file = BASE / "external-secrets.yaml"
    return both(*(edit(file, old, new) for old, new in zip(pairs[::2], pairs[1::2], strict=True)))


def remove(file: Path) -> Edit:
    return lambda root: (root / file).unlink()


def rename(file: Path, name: str) -> Edit:
    def apply(root: Path) -> None:
        (root / file).rename((root / file).with_name(name))

    return apply


def listed(version: str, kind: str, data: str) -> str:
    """A List of one object, as `kubectl get -o yaml` writes it."""
    field = "data" if kind == "ConfigMap" else "stringData"
    item = (
        f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: x, namespace: there}}, {field}: {data}}}"
    )
    return f"apiVersion: v1\nkind: List\nitems:\n  - {item}\n"


def json_patch(*operations: str) -> Edit:
    """Operations in a file of production that is no release.yaml."""
    file = PRODUCTION / "more.yaml"
    patch = "  - path: more.yaml\n    target: {kind: AirflowTenant}\n"
    return both(add(file, "".join(operations)), add(PRODUCTION / "kustomization.yaml", patch))


DEFAULTS = """apiVersion: v1
kind: ConfigMap
metadata: {name: airflow-tenant-operator-defaults-abc, namespace: airflow-tenants-system}
data:
  defaults.yaml: |
"""
CONNECTION = "      extra:\n        sslmode: verify-full\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"

#: what is done to the good repository; the rule that finds it; words of the message
BAD: dict[str, tuple[Edit, str, str]] = {
    "no YAML": (add(BASE / "more.yaml", "a: [\n"), "yaml", "more.yaml: "),
    "a missing file": (
        edit(BASE / "kustomization.yaml", "tenant.yaml", "tenants.yaml"),
        "build",
        "tenants.yaml",
    ),
    "a patch of nobody": (in_production("name: payments", "name: payment"), "build", "no matches for Id"),
    "another source comes first": (
        in_base("- name: main\n        gitSync", "- name: other\n        gitSync"),
        *("build", "testing value /spec/dags/sources/0/name failed"),
    ),
    "an unknown field of another project's kind": (
        edit(BASE / "external-secrets.yaml", "refreshInterval", "refreshIntervall"),
        *("schema", "additional properties 'refreshIntervall' not allowed"),
    ),
    "an unknown field of Kubernetes": (
        edit(BASE / "namespace.yaml", "metadata:\n", "spec: {quota: 1}\nmetadata:\n"),
        *("schema", "additional properties 'quota' not allowed"),
    ),
    "a kind without schema": (
        of_the_platform("apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n"),
        *("schema", "no schema of example.com/v1 Thing: vendor its"),
    ),
    "a field that a tenant has not": (
        in_production("spec:\n", "spec:\n  replicas: 2\n"),
        *("tenant", "spec.replicas: unknown field (production/payments/tenant.yaml)"),
    ),
    "what only the operator's model knows": (
        in_base("      core:\n", "      core:\n        fernet_key: x\n"),
        *("tenant", "config.core.fernet_key is set by the operator"),
    ),
    "a name that cannot be": (in_base("name: payments", "name: Payments"), "tenant", "metadata.name: "),
    "latest": (
        of_the_platform(workload("registry.example.com/a:latest")),
        "fixed-image",
        "changes by itself",
    ),
    "no tag": (of_the_platform(workload("registry.example.com:443/a")), "fixed-image", "changes by itself"),
    "a default without tag": (
        of_the_platform(DEFAULTS + "    images: {airflow: {repository: registry.example.com/a}}\n"),
        *("fixed-image", "data[defaults.yaml].images.airflow: registry.example.com/a changes by itself"),
    ),
    "a foreign default": (
        of_the_platform(DEFAULTS + "    images: {airflow: {repository: docker.io/a, tag: '1'}}\n"),
        *("registry", "data[defaults.yaml].images.airflow: docker.io/a:1 is not from"),
    ),
    "latest of a tenant": (
        in_base("    executor:", "    image: {tag: latest}\n    executor:"),
        *("fixed-image", "spec.airflow.image.tag"),
    ),
    "a foreign image": (of_the_platform(workload("docker.io/a:1")), "registry", "docker.io/a:1 is not from"),
    "a tenant's foreign image": (
        in_base("    executor:", "    image: {repository: docker.io/a}\n    executor:"),
        *("registry", "spec.airflow.image.repository: docker.io/a is not from"),
    ),
    "every address": (
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0"),
        *("open-egress", "0.0.0.0/0 reaches 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16"),
    ),
    "every address but one range": (
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0\n        except: [10.0.0.0/8, 172.0.0.0/8]"),
        *("open-egress", "0.0.0.0/0 reaches 100.64.0.0/10, 192.168.0.0/16"),
    ),
    "every address by halves": (
        in_base("cidr: 203.0.113.0/24", "cidr: 128.0.0.0/1"),
        *("open-egress", "128.0.0.0/1 reaches 172.16.0.0/12, 192.168.0.0/16"),
    ),
    "the cloud's metadata": (
        in_base("cidr: 203.0.113.0/24", "cidr: 169.254.169.254/32"),
        *("open-egress", "169.254.169.254/32 reaches 169.254.0.0/16"),
    ),
    "every address of IPv6": (in_base("cidr: 203.0.113.0/24", "cidr: ::/0"), "open-egress", "fc00::/7"),
    "a quota without pods": (in_base('      pods: "30"\n', ""), "quota", "set pods"),
    "suspend left out": (in_base("  suspend: false", "  #"), "written-out", "spec.suspend: write it out"),
    "deletionPolicy left out": (
        in_base("  deletionPolicy: Retain", "  #"),
        "written-out",
        "spec.deletionPolicy",
    ),
    "state left out": (in_base("  state: Running", "  #"), "written-out", "spec.state"),
    "data goes with the tenant": (
        in_production("spec:\n", "spec:\n  deletionPolicy: Delete\n"),
        *("retain", "must be Retain in production (production/payments/tenant.yaml)"),
    ),
    "a branch in production": (
        edit(PRODUCTION / "release.yaml", "v2.4.1", "main"),
        *("fixed-dags", "spec.dags.sources[main].gitSync.ref: main is a branch"),
    ),
    "nobody is told": (
        both(in_production("      slack:", "      enabled: false\n      slack:")),
        *("alert-channel", "nobody is told"),
    ),
    "a tenant that Argo CD may prune": (in_base("Prune=confirm,", ""), "kept", "add Prune=confirm"),
    "a tenant that Argo CD may delete": (in_base("Delete=confirm,", ""), "kept", "add Delete=confirm"),
    "a tenant that Flux may prune": (
        in_base("    kustomize.toolkit.fluxcd.io/prune: disabled\n", ""),
        *("kept", "kustomize.toolkit.fluxcd.io/prune"),
    ),
    "a namespace that Argo CD may prune": (
        edit(BASE / "namespace.yaml", "Prune=false,", ""),
        *("kept", "Namespace airflow-payments"),
    ),
    "a namespace of somebody else": (
        edit(BASE / "namespace.yaml", "airflowtenants.io/tenant: payments", "airflowtenants.io/tenant: ml"),
        *("namespace", "set it to payments"),
    ),
    "two tenants in one namespace": (
        another_object(SECOND),
        "namespace",
        "is the namespace of tenant payments",
    ),
    "a Secret": (
        another_object(SECRET),
        "plain-secret",
        "Secret airflow-payments/acquirer: stringData.password",
    ),
    "a Secret in a loose file": (add(Path("secret.yaml"), SECRET), "plain-secret", "use an ExternalSecret"),
    "a generated Secret": (
        add(PRODUCTION / "kustomization.yaml", "secretGenerator: [{name: x, literals: [a=b]}]\n"),
        *("plain-secret", "secretGenerator"),
    ),
    "a password of a connection": (
        in_base(CONNECTION, CONNECTION + "        client_secret: hunter2\n"),
        *("literal", "spec.connections[ledger].extra.client_secret: looks like a secret"),
    ),
    "a password deep in a connection": (
        in_base(CONNECTION, CONNECTION + "        options: {accessKey: hunter2}\n"),
        *("literal", "extra.options.accessKey"),
    ),
    "a password as a variable": (
        in_base("    - key: settlement_currency", "    - key: settlement_api_token"),
        *("literal", "spec.variables[settlement_api_token].value"),
    ),
    "a password in the environment": (
        in_base("- name: PAYMENTS_REGION", "- name: PAYMENTS_PASSWORD"),
        *("literal", "spec.airflow.env[PAYMENTS_PASSWORD].value"),
    ),
    "a private key": (in_base("value: eu", f"value: {KEY}"), "secret-value", "holds a private key"),
    "a password in an address": (
        in_base("host: ledger.payments.example.com", "host: postgres://airflow:hunter2@ledger.example.com"),
        *("secret-value", "holds a password in a URL"),
    ),
    "a Secret that nobody brings": (
        in_base("name: ledger-database", "name: ledger-db"),
        *("delivered", "no ExternalSecret brings Secret ledger-db"),
    ),
    "a key that nobody brings": (
        edit(BASE / "external-secrets.yaml", "secretKey: slack-api-url", "secretKey: slack-url"),
        *("delivered", "no ExternalSecret brings key slack-api-url of Secret alerts"),
    ),
    "an object that only production has": (
        both(
            add(PRODUCTION / "more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
            edit(PRODUCTION / "kustomization.yaml", "resources:\n", "resources:\n  - more.yaml\n"),
        ),
        *("patch-only", "resources[more.yaml]: an overlay only patches"),
    ),
    "another name in production": (
        add(PRODUCTION / "kustomization.yaml", "nameSuffix: -prod\n"),
        *("patch-only", "nameSuffix: names are the same in every cluster"),
    ),
    "a ConfigMap that only production has": (
        add(PRODUCTION / "kustomization.yaml", "configMapGenerator: [{name: x, literals: [a=b]}]\n"),
        *("patch-only", "set behavior to merge or replace"),
    ),
    "a patch of the owner": (
        in_production("spec:\n", "spec:\n  owner: {team: ml}\n"),
        *("identity", "spec.owner.team: an overlay must not change whose tenant it is"),
    ),
    "an owner by a JSON patch": (
        json_patch("- {op: replace, path: /spec/owner/team, value: ml}\n"),
        *("identity", "spec.owner.team: an overlay must not change whose tenant it is"),
    ),
    "an owner by a component": (
        both(
            add(PRODUCTION / "kustomization.yaml", "components: [../../part]\n"),
            add(
                Path("part/kustomization.yaml"),
                "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\npatches:\n"
                "  - target: {kind: AirflowTenant}\n"
                "    patch: |\n      - {op: replace, path: /spec/owner/team, value: ml}\n",
            ),
        ),
        *("identity", "spec.owner.team"),
    ),
    "a namespace annotated for another by an overlay": (
        add(
            PRODUCTION / "kustomization.yaml",
            "commonAnnotations: {airflowtenants.io/tenant: ml}\n",
        ),
        *("identity", "Namespace airflow-payments: metadata.annotations[airflowtenants.io/tenant]"),
    ),
    "an object by a folder": (
        both(
            edit(PRODUCTION / "kustomization.yaml", "resources:\n", "resources:\n  - ../../other\n"),
            add(Path("other/kustomization.yaml"), "resources: [more.yaml]\n"),
            add(
                Path("other/more.yaml"),
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: airflow-payments}\n",
            ),
        ),
        *("patch-only", "ConfigMap airflow-payments/x: only this overlay has it"),
    ),
    "an object that production lacks": (
        add(
            PRODUCTION / "kustomization.yaml",
            "  - patch: '{$patch: delete, apiVersion: v1, kind: Namespace, "
            "metadata: {name: airflow-payments}}'\n",
        ),
        *("patch-only", "Namespace airflow-payments: base has it"),
    ),
    "a release that writes more": (
        in_release("- {op: replace, path: /spec/quota/hard/pods, value: '5000'}\n"),
        *("release", "[2] replace /spec/quota/hard/pods: a promotion replaces"),
    ),
    "a release that adds": (
        in_release("- {op: add, path: /spec/dags/sources/0/gitSync/ref, value: v2.0.0}\n"),
        *("release", "[2] add /spec/dags/sources/0/gitSync/ref"),
    ),
    "a release that is no list": (
        both(
            remove(PRODUCTION / "release.yaml"),
            add(PRODUCTION / "release.yaml", SECOND.replace("second", "payments")),
        ),
        *("release", "write it as a list"),
    ),
    "a folder without kustomization": (
        both(
            add(Path("production/evil/tenant.yaml"), SECOND), add(Path("production/evil/secret.yaml"), SECRET)
        ),
        *("unlisted", "production/evil: there is no kustomization.yaml"),
    ),
    "a Secret in a folder without kustomization": (
        add(Path("production/evil/secret.yaml"), SECRET),
        *("plain-secret", "stringData.password"),
    ),
    "an overlay without base": (
        both(
            add(Path("production/evil/kustomization.yaml"), "resources: [../../base/payments]\n"),
        ),
        *("patch-only", "production/evil: there is no base/evil"),
    ),
    "a team that the list has not": (
        add(Path("production/kustomization.yaml"), "resources: [other]\n"),
        *("unlisted", "production/payments: list it in the kustomization of production"),
    ),
    "a team without a project": (
        lambda root: (root / "../argocd/projects/teams").mkdir(parents=True, exist_ok=True),
        *("team-scope", "base/payments: there is no AppProject of it"),
    ),
    "a name that Argo CD takes for another's": (
        add(Path("base/Pay.ments/kustomization.yaml"), "resources: [../payments]\n"),
        *("name", "base/Pay.ments: Pay.ments must"),
    ),
    "a name of the tree": (
        add(Path("base/staging/kustomization.yaml"), "resources: [../payments]\n"),
        *("name", "base/staging: is a word of this tree"),
    ),
    "a file that nobody lists": (
        add(BASE / "notlisted.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        *("unlisted", "base/payments/notlisted.yaml: no kustomization names it"),
    ),
    "a Secret that nobody lists": (
        add(BASE / "notlisted.yaml", SECRET),
        "plain-secret",
        "stringData.password",
    ),
    "a file that only Argo CD reads": (
        add(BASE / ".argocd-source.yaml", "kustomize: {images: [a=b]}\n"),
        *("unlisted", "base/payments/.argocd-source.yaml"),
    ),
    "a file that nobody lists, of the platform": (
        both(of_the_platform(SECRET), add(Path("platform/two.yaml"), SECOND)),
        *("unlisted", "two.yaml: no kustomization names it"),
    ),
    "a Secret in a List": (
        add(Path("list.yaml"), listed("v1", "Secret", "{password: hunter2}")),
        *("plain-secret", "Secret there/x: stringData.password"),
    ),
    "a Secret in a built List": (
        of_the_platform(listed("v1", "Secret", "{password: hunter2}")),
        *("plain-secret", "Secret there/x: stringData.password"),
    ),
    "a Secret as JSON": (
        add(
            Path("a.json"), '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"data":{"a":"YQ=="}}'
        ),
        *("plain-secret", "Secret x: data.a"),
    ),
    "a Secret in a folder named templates": (
        add(Path("templates/secret.yaml"), SECRET),
        *("plain-secret", "stringData.password"),
    ),
    "a Secret that only looks encrypted": (
        add(
            Path("secret.yaml"),
            SECRET.replace("hunter2", "'ENC[AES256_GCM,data:hunter2,type:str]'") + "sops: {mac: a}\n",
        ),
        *("plain-secret", "stringData.password"),
    ),
    "a Secret without the record of SOPS": (
        add(Path("secret.yaml"), SECRET.replace("hunter2", "'ENC[AES256_GCM,data:a,iv:a,tag:b,type:str]'")),
        *("plain-secret", "stringData.password"),
    ),
    "a key in a values file": (
        add(Path("values.yaml"), f"a: '{KEY}'\n"),
        *("secret-value", "holds a private key"),
    ),
    "a password in airflow.cfg": (
        in_base("      core:\n", "      smtp: {smtp_password: hunter2horse}\n      core:\n"),
        *("literal", "spec.airflow.config.smtp.smtp_password: looks like a secret"),
    ),
    "a password in a ConfigMap": (
        another_object(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: airflow-payments}\n"
            "data: {smtp_password: hunter2}\n"
        ),
        *("literal", "ConfigMap airflow-payments/x: data.smtp_password"),
    ),
    "another team's path in the store": (
        in_secret("key: airflow/payments/acquirer-api", "key: airflow/ml/git-credentials"),
        *("secret-path", "airflow/ml/git-credentials is not of tenant payments"),
    ),
    "another team's path by steps": (
        in_secret("key: airflow/payments/acquirer-api", "key: airflow/payments/../ml/a"),
        *("secret-path", "is not of tenant payments"),
    ),
    "a search in the store": (
        in_secret("  data:\n", "  dataFrom: [{find: {name: {regexp: .*}}}]\n  data:\n"),
        *("secret-path", "spec.dataFrom[0].find: asks for whatever is there"),
    ),
    "another store for one key": (
        in_secret(
            "  secretStoreRef:\n    kind: ClusterSecretStore\n",
            "  secretStoreRef:\n    kind: SecretStore\n",
            "    - secretKey: password\n      remoteRef: { key: airflow/payments/acquirer-api",
            "    - secretKey: password\n      sourceRef: {storeRef: {kind: ClusterSecretStore, name: a}}\n"
            "      remoteRef: { key: airflow/ml/x",
        ),
        *("secret-path", "spec.data[0].remoteRef.key: airflow/ml/x"),
    ),
    "what a team may not hold": (
        another_object(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
        ),
        *("team-scope", "ClusterRoleBinding x: is nothing that the directory of team payments may hold"),
    ),
    "a pod in another team's namespace": (
        another_object(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: airflow-ml}\n"
            "spec: {containers: [{name: a, image: docker.io/a}]}\n"
        ),
        *("team-scope", "Pod airflow-ml/x"),
    ),
    "another team's tenant": (another_object(SECOND), "team-scope", "AirflowTenant second"),
    "a label of the namespace": (
        edit(
            BASE / "namespace.yaml",
            "  annotations:\n",
            "  labels: {pod-security.kubernetes.io/enforce: privileged}\n  annotations:\n",
        ),
        *(
            "team-scope",
            "metadata.labels[pod-security.kubernetes.io/enforce]: labels of a tenant's namespace",
        ),
    ),
    "an annotation of the namespace": (
        edit(BASE / "namespace.yaml", "  annotations:\n", "  annotations:\n    scheduler.alpha/x: y\n"),
        *("team-scope", "metadata.annotations[scheduler.alpha/x]"),
    ),
    "a namespace that is written anew": (
        edit(BASE / "namespace.yaml", "Delete=false", "Delete=false,Replace=true"),
        *("team-scope", "without the operator's labels"),
    ),
    "what is fetched": (
        edit(BASE / "kustomization.yaml", "resources:\n", "resources:\n  - https://127.0.0.1:1/x/y.yaml\n"),
        *("remote", "resources[https://127.0.0.1:1/x/y.yaml]: is fetched"),
    ),
    "what is fetched from a host": (
        edit(BASE / "kustomization.yaml", "resources:\n", "resources:\n  - git.example.com/a/b?ref=main\n"),
        *("remote", "git.example.com/a/b?ref=main"),
    ),
    "what an overlay's base fetches": (
        edit(BASE / "kustomization.yaml", "resources:\n", "resources:\n  - https://127.0.0.1:1/x/y.yaml\n"),
        *("build", "not built: it would fetch from elsewhere"),
    ),
    "an image as a volume": (
        of_the_platform(
            workload("registry.example.com/a:1")
            + "      volumes: [{name: v, image: {reference: 'docker.io/evil/x:latest'}}]\n"
        ),
        *("fixed-image", "spec.template.spec.volumes[v].image.reference: docker.io/evil/x:latest"),
    ),
    "a patch of the namespace": (
        in_production("spec:\n", "spec:\n  namespace: {name: airflow-ml}\n"),
        *("identity", "spec.namespace: an overlay must not change whose tenant it is"),
    ),
}


def findings(root: Path, *, unknown_kinds: bool = False) -> list[Finding]:
    _, found = validate.check([Path()], unknown_kinds=unknown_kinds)
    return [finding for listed in found.values() for finding in listed]


def test_a_good_repository_of_a_team_passes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate.main(["."]) == validate.OK
    out = capsys.readouterr().out
    assert out.endswith("2 checked, 14 objects, 2 of them tenants: 0 wrong\n")


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_found_with_its_place_and_remedy(repository: Path, case: str) -> None:
    change, rule, says = BAD[case]
    change(repository)
    found = findings(repository)
    mine = [str(finding) for finding in found if finding.rule == rule]
    assert any(says in text for text in mine), [str(finding) for finding in found]


def test_every_rule_has_a_case() -> None:
    tried = {rule for _, rule, _ in BAD.values()}
    modules = (rules, secret_rules, scope, overlay_rules, validate, conform)
    sources = "".join(Path(str(module.__file__)).read_text() for module in modules)
    named = set(re.findall(r'(?:Finding\(|\*\()\s*"([a-z-]+)", ', sources))
    assert len(named) > 20
    assert named <= tried


#: what looks like one of the above, and is fine
GOOD: dict[str, Edit] = {
    "every address outside": in_base(
        "cidr: 203.0.113.0/24",
        "cidr: 0.0.0.0/0\n        except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10]",
    ),
    "every address with a reason": both(
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0"),
        in_base("  annotations:\n", f"  annotations:\n    {rules.OPEN_EGRESS}: a crawler\n"),
    ),
    "a commit in production": edit(PRODUCTION / "release.yaml", "v2.4.1", COMMIT),
    "a release without patch": edit(PRODUCTION / "release.yaml", "v2.4.1", "'2026.11'"),
    "a digest": of_the_platform(workload("registry.example.com/a@sha256:" + "0" * 64)),
    "a registry with a port": of_the_platform(workload("registry.example.com/a:1.2")),
    "the path of a key": in_base(CONNECTION, CONNECTION + "        key_file: /secrets/key\n"),
    "a word that only holds one": in_base(
        "    - key: settlement_currency", "    - key: settlement_tokenizer"
    ),
    "an encrypted Secret in a loose file": add(
        Path("secret.yaml"),
        SECRET.replace("hunter2", "'ENC[AES256_GCM,data:abc=,iv:a,tag:b,type:str]'")
        + "sops: {mac: 'ENC[AES256_GCM,data:abc=,iv:a,tag:b,type:str]'}\n",
    ),
    "a Secret of another way": both(
        edit(BASE / "kustomization.yaml", "  - external-secrets.yaml\n", ""),
        remove(BASE / "external-secrets.yaml"),
    ),
    "all keys that the store has": in_secret("  data:\n    - secretKey: password\n", EXTRACT),
    "keys that a template makes": in_secret(
        "  data:\n",
        "  dataFrom: [{extract: {key: airflow/payments/acquirer-api}}]\n  data:\n",
        "    deletionPolicy: Retain",
        '    template: {data: {password: "{{ .a }}"}}\n    deletionPolicy: Retain',
    ),
    "a README of a team": add(BASE / "README.md", "# Payments\n"),
    "another name of the kustomization": rename(PRODUCTION / "kustomization.yaml", "kustomization.yml"),
    "a List": add(Path("list.yaml"), listed("v1", "ConfigMap", "{a: b}")),
    "a team's own store": edit(
        BASE / "external-secrets.yaml", CLUSTER_STORE + "  target:\n    name: acquirer-api", OWN_STORE
    ),
    "a test of another place": in_release("- op: test\n  path: /metadata/name\n  value: payments\n"),
    "a merged ConfigMap": both(
        add(
            BASE / "kustomization.yaml",
            "configMapGenerator: [{name: x, namespace: airflow-payments, literals: [a=b]}]\n",
        ),
        add(
            PRODUCTION / "kustomization.yaml",
            "configMapGenerator: [{name: x, namespace: airflow-payments, behavior: merge, "
            "literals: [a=c]}]\n",
        ),
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_only_looks_wrong_passes(repository: Path, case: str) -> None:
    GOOD[case](repository)
    assert [str(finding) for finding in findings(repository)] == []


def test_kinds_without_schema_pass_when_asked(repository: Path) -> None:
    BAD["a kind without schema"][0](repository)
    assert findings(repository, unknown_kinds=True) == []


def test_another_company_has_another_registry(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of_the_platform(workload("images.company.example/a:1"))(repository)
    assert validate.main(["."]) == validate.WRONG
    assert "images.company.example/a:1 is not from registry.example.com/" in capsys.readouterr().out
    assert validate.main([".", "--registry", "images.company.example/"]) == validate.OK


def test_a_fault_of_base_is_said_once_and_the_report_is_the_same_every_time(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BAD["suspend left out"][0](repository)
    BAD["every address"][0](repository)
    reports = []
    for _ in range(2):
        assert validate.main(["."]) == validate.WRONG
        reports.append(capsys.readouterr().out)
    assert reports[0] == reports[1]
    assert reports[0].count("[written-out]") == 1
    assert "2 wrong, 2 of it said above" in reports[0]
    assert reports[0].endswith("2 wrong\n")


def test_a_folder_of_tenants_without_kustomize_is_held_to_all_rules(tmp_path: Path) -> None:
    tenant = yaml.safe_load((TENANTS / BASE / "tenant.yaml").read_text())
    del tenant["spec"]["quota"]
    (tmp_path / "tenant.yaml").write_text(yaml.safe_dump(tenant))
    _, found = validate.check([tmp_path])
    assert {finding.rule for listed in found.values() for finding in listed} == {"quota"}


def test_nothing_to_check_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "values.yaml").write_text("a: b\n")
    for path in (tmp_path, tmp_path / "values.yaml"):
        assert validate.main([str(path)]) == validate.USAGE
        assert "nothing to check" in capsys.readouterr().err


@pytest.mark.parametrize("above", ["templates", "testdata", "node_modules", "staging", "production"])
def test_where_a_clone_lies_says_nothing(tmp_path: Path, above: str) -> None:
    for folder in (BASE, PRODUCTION):
        shutil.copytree(TENANTS / folder, tmp_path / above / "clone" / "own" / folder)
    for root in (tmp_path / above / "clone" / "own", tmp_path / above / "clone" / "own" / BASE):
        sources, found = validate.check([root])
        assert [str(finding) for listed in found.values() for finding in listed] == []
        assert sum(len(source.objects) for source in sources) in (7, 14)
    production = tmp_path / above / "clone" / "own" / PRODUCTION
    (production / "release.yaml").write_text(
        (production / "release.yaml").read_text().replace("v2.4.1", "main")
    )
    _, found = validate.check([production])
    assert [finding.rule for listed in found.values() for finding in listed] == ["fixed-dags"]


WRONG_TYPES = ["text", 3, None, ["text"], {"a": 1}, [{"a": [1]}]]


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


def _with(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    if not path:
        return new
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _with(value[path[0]], path[1:], new)
    return copied


@pytest.mark.parametrize("file", ["tenant.yaml", "namespace.yaml", "external-secrets.yaml"])
def test_no_wrong_type_anywhere_breaks_a_rule(file: str) -> None:
    """A field of a wrong type is the schema's to find, and every rule goes on."""
    team = scope.Team(TENANTS, "base", "payments")
    whole = list(yaml.safe_load_all((TENANTS / BASE / file).read_text()))
    patch = yaml.safe_load((TENANTS / PRODUCTION / "tenant.yaml").read_text())
    found = whole[0] or whole[1]
    found = found if found["kind"] != TENANT else {**found, "spec": {**found["spec"], **patch["spec"]}}
    for path in _places(found):
        for wrong in WRONG_TYPES:
            changed = _with(found, path, wrong)
            if not isinstance(changed, dict):
                continue
            source = Source(Path("production/payments"), (changed, *whole[1:]))
            for rule in (*rules.RULES, *secret_rules.SECRET_RULES):
                list(rule(source, rules.REGISTRY))
            list(scope.scope_findings(team, source))
            list(overlay_rules.compared(team.folder, tuple(whole), source.objects))
            if len(path) < 4:  # deeper it is the model's own work
                list(conform.tenant_findings(source))


@pytest.mark.parametrize(
    "text",
    [
        "resources: 5\n",
        "resources: {a: b}\n",
        "resources: [[1], {a: b}, 3]\n",
        "patches: 3\n",
        "- a\n",
        "a: [\n",
    ],
)
@pytest.mark.parametrize("folder", [BASE, PRODUCTION])
def test_a_wrong_kustomization_is_a_finding(repository: Path, folder: Path, text: str) -> None:
    (repository / folder / "kustomization.yaml").write_text(text)
    assert {"build"} & {finding.rule for finding in findings(repository)}


def test_a_kustomization_that_is_no_text_is_a_finding(repository: Path) -> None:
    (repository / PRODUCTION / "kustomization.yaml").write_bytes(b"resources: [\xff\xfe]\n")
    assert "build" in {finding.rule for finding in findings(repository)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a [*a]\n", "an alias holds itself"),
        ("kind: &k {a: *k}\n", "alias"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
            ),
            "too large",
        ),
        ("data: 1\ndata: 2\n", "the key data is there twice"),
        ("? [a]\n: b\n", "unhashable"),
    ],
)
def test_yaml_that_would_break_a_reader_is_a_finding(repository: Path, text: str, says: str) -> None:
    (repository / "loose.yaml").write_text(text)
    [finding] = findings(repository)
    assert finding.rule == "yaml"
    assert says in finding.message


def test_nothing_is_fetched(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    BAD["what is fetched"][0](repository)
    asked: list[Path] = []

    def built(_program: Path, folder: Path) -> tuple[()]:
        asked.append(folder)
        return ()

    monkeypatch.setattr(overlays, "build_folder", built)
    findings(repository)
    assert asked == []


def test_a_path_that_is_not_there_is_a_wrong_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate.main(["nowhere"]) == validate.USAGE
    assert capsys.readouterr().err == "nowhere: there is no such file or folder\n"


def test_help_names_options_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        validate.main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("--registry", "--unknown-kinds", "Exit code 0"))


def test_the_repository_is_clean(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code = validate.main([])
    assert code == validate.OK, capsys.readouterr().out


def test_shared_parts_of_a_schema_say_the_same() -> None:
    part = {
        "type": "object",
        "properties": {f"f{i}": {"type": "string", "minLength": i} for i in range(9)},
    }
    schema = {"type": "object", "properties": {"a": part, "b": {"type": "array", "items": part}}}
    small = schemas.shared(schema)
    [name] = small["$defs"]
    assert small["$defs"][name] == part
    reference = {"$ref": f"#/$defs/{name}"}
    assert small["properties"] == {"a": reference, "b": {"type": "array", "items": reference}}
