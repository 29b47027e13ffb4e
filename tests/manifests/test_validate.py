"""Each check of `make validate` catches what it is for; the repository itself is clean."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tools.manifests import rules, schemas, secret_rules, validate
from tools.manifests.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
TENANTS = ROOT / "manifests" / "tenants"
BASE, PRODUCTION = Path("base/payments"), Path("production/payments")

Edit = Callable[[Path], None]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's own repository: its tenant, and the overlay for production."""
    for folder in (BASE, PRODUCTION):
        shutil.copytree(TENANTS / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        another_object("apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n"),
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
    "latest": (another_object(workload("registry.example.com/a:latest")), "fixed-image", "changes by itself"),
    "no tag": (another_object(workload("registry.example.com:443/a")), "fixed-image", "changes by itself"),
    "latest of a tenant": (
        in_base("    executor:", "    image: {tag: latest}\n    executor:"),
        *("fixed-image", "spec.airflow.image.tag"),
    ),
    "a foreign image": (another_object(workload("docker.io/a:1")), "registry", "docker.io/a:1 is not from"),
    "a tenant's foreign image": (
        in_base("    executor:", "    image: {repository: docker.io/a}\n    executor:"),
        *("registry", "spec.airflow.image.repository: docker.io/a is not from"),
    ),
    "every address": (
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0"),
        *("open-egress", "0.0.0.0/0 reaches 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"),
    ),
    "every address but one range": (
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0\n        except: [10.0.0.0/8, 172.0.0.0/8]"),
        *("open-egress", "0.0.0.0/0 reaches 192.168.0.0/16"),
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
    "a patch of the namespace": (
        in_production("spec:\n", "spec:\n  namespace: {name: airflow-ml}\n"),
        *("identity", "spec.namespace: an overlay must not change whose tenant it is"),
    ),
}


def findings(root: Path, **options: bool) -> list[Finding]:
    _, found = validate.check([Path()], **options)
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
    sources = "".join(Path(str(module.__file__)).read_text() for module in (rules, secret_rules))
    named = set(re.findall(r'(?:Finding\(|\*\()\s*"([a-z-]+)", subject', sources))
    assert len(named) > 10
    assert named <= tried
    assert {"build", "yaml", "schema", "tenant", "patch-only", "identity"} <= tried


#: what looks like one of the above, and is fine
GOOD: dict[str, Edit] = {
    "every address outside": in_base(
        "cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0\n        except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]"
    ),
    "every address with a reason": both(
        in_base("cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0"),
        in_base("  annotations:\n", f"  annotations:\n    {rules.OPEN_EGRESS}: a crawler\n"),
    ),
    "a commit in production": edit(PRODUCTION / "release.yaml", "v2.4.1", COMMIT),
    "a release without patch": edit(PRODUCTION / "release.yaml", "v2.4.1", "'2026.11'"),
    "a digest": another_object(workload("registry.example.com/a@sha256:" + "0" * 64)),
    "a registry with a port": another_object(workload("registry.example.com/a:1.2")),
    "the path of a key": in_base(CONNECTION, CONNECTION + "        key_file: /secrets/key\n"),
    "a word that only holds one": in_base(
        "    - key: settlement_currency", "    - key: settlement_tokenizer"
    ),
    "an encrypted Secret in a loose file": add(
        Path("secret.yaml"),
        SECRET.replace("hunter2", "'ENC[AES256_GCM,data:abc=,iv:a,tag:b,type:str]'") + "sops: {}\n",
    ),
    "a Secret of another way": edit(BASE / "kustomization.yaml", "  - external-secrets.yaml\n", ""),
    "a merged ConfigMap": both(
        add(
            BASE / "kustomization.yaml",
            "configMapGenerator: [{name: x, namespace: there, literals: [a=b]}]\n",
        ),
        add(
            PRODUCTION / "kustomization.yaml",
            "configMapGenerator: [{name: x, namespace: there, behavior: merge, literals: [a=c]}]\n",
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
    another_object(workload("images.company.example/a:1"))(repository)
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
