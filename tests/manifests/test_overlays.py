"""The overlays of manifests/: what differs between teams, what production adds, what one line promotes."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kustomization import build
from tools.manifests import operator, rules, validate

from devcluster.tools import tool
from tenant_operator.api.tenant import TenantSpec

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"
TEAMS = ["analytics", "data-engineering", "ml", "payments", "platform"]
ENVIRONMENTS = ["staging", "production"]
GIT_TEAMS = [team for team in TEAMS if team != "platform"]  # the platform's DAGs are the image's

Json = dict[str, Any]


@functools.cache
def built(folder: str) -> tuple[Json, ...]:
    """What kustomize makes of a folder of manifests/."""
    return tuple(build(MANIFESTS / folder))


def one(folder: str, kind: str, name: str | None = None) -> Json:
    found = [o for o in built(folder) if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(found) == 1, [(o["kind"], o["metadata"]["name"]) for o in built(folder)]
    return found[0]


def tenant(environment: str, team: str) -> Json:
    return one(f"tenants/{environment}/{team}", "AirflowTenant")


@pytest.mark.parametrize(
    "folder", ["tenants/demo", "operator/staging", "operator/production", "policies/staging"]
)
def test_kubectl_builds_the_same_as_kustomize(folder: str) -> None:
    command = [str(tool("kubectl")), "kustomize", str(MANIFESTS / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert tuple(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)) == built(folder)


@pytest.mark.parametrize("environment", ["base", *ENVIRONMENTS])
def test_the_list_of_teams_is_complete(environment: str) -> None:
    folder = MANIFESTS / "tenants" / environment
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert listed == sorted(path.name for path in folder.iterdir() if path.is_dir()) == TEAMS


class TestTeams:
    def test_their_needs_differ(self) -> None:
        specs = {team: tenant("base", team)["spec"] for team in TEAMS}
        assert {spec["airflow"]["executor"] for spec in specs.values()} == {
            "LocalExecutor",
            "KubernetesExecutor",
        }
        assert len({str(spec["airflow"]["scheduler"]["resources"]) for spec in specs.values()}) > 2
        assert len({str(spec["quota"]["hard"]) for spec in specs.values()}) == len(TEAMS)
        assert len({str(spec["network"]["egress"]) for spec in specs.values()}) == len(TEAMS)
        assert len({str(spec["monitoring"]["slo"]) for spec in specs.values()}) == len(TEAMS)

    @pytest.mark.parametrize("environment", ["base", *ENVIRONMENTS])
    @pytest.mark.parametrize("team", TEAMS)
    def test_what_the_team_declared_is_the_same_everywhere(self, environment: str, team: str) -> None:
        mine, base = tenant(environment, team)["spec"], tenant("base", team)["spec"]
        for field in (
            "owner",
            "namespace",
            "pools",
            "connections",
            "variables",
            "roles",
            "access",
            "network",
        ):
            assert mine.get(field) == base.get(field), field

    def test_the_ml_team_may_have_as_many_gpus_as_its_pool_has_slots(self) -> None:
        spec = tenant("production", "ml")["spec"]
        [pool] = [pool for pool in spec["pools"] if pool["name"] == "gpu_pool"]
        assert spec["quota"]["hard"]["requests.nvidia.com/gpu"] == str(pool["slots"])

    @pytest.mark.parametrize("team", TEAMS)
    def test_no_team_reaches_the_clusters_own_addresses_by_a_rule_for_all(self, team: str) -> None:
        for peer in tenant("production", team)["spec"]["network"]["egress"]:
            if peer.get("cidr") == "0.0.0.0/0":
                assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(peer["except"])

    def test_the_librarys_overlay_changes_only_the_source_of_the_dags(self) -> None:
        for team in ("analytics", "data-engineering", "ml", "platform"):
            mine = one("tenants/library", "AirflowTenant", team)
            base = tenant("base", team)
            sources = mine["spec"]["dags"]["sources"]
            assert all(source["image"]["path"].startswith("/opt/airflow/library") for source in sources)
            assert {**mine["spec"], "dags": None} == {**base["spec"], "dags": None}


class TestProduction:
    @pytest.mark.parametrize("team", TEAMS)
    def test_a_volume_is_kept_and_encrypted(self, team: str) -> None:
        name = tenant("production", team)["spec"]["database"]["embedded"]["storageClassName"]
        volumes = one("infrastructure/classes", "StorageClass")
        assert volumes["metadata"]["name"] == name
        assert volumes["reclaimPolicy"] == "Retain"
        assert volumes["parameters"]["encrypted"] == "true"

    @pytest.mark.parametrize("team", TEAMS)
    def test_logs_outlive_their_pods(self, team: str) -> None:
        assert (
            tenant("production", team)["spec"]["logging"]["remote"]["folder"] == f"s3://airflow-logs/{team}"
        )

    @pytest.mark.parametrize("team", TEAMS)
    def test_it_is_at_least_as_large_as_staging(self, team: str) -> None:
        def size(environment: str) -> int:
            return int(tenant(environment, team)["spec"]["quota"]["hard"]["requests.cpu"])

        assert size("production") > size("staging")


class TestPromotion:
    @pytest.mark.parametrize("team", GIT_TEAMS)
    def test_staging_follows_the_branch_and_production_a_release(self, team: str) -> None:
        def ref(environment: str) -> str:
            text: str = tenant(environment, team)["spec"]["dags"]["sources"][0]["gitSync"]["ref"]
            return text

        assert ref("staging") == "main"
        assert rules.FIXED_REF.fullmatch(ref("production"))

    @pytest.mark.parametrize("team", GIT_TEAMS)
    def test_the_release_stands_in_one_line(self, team: str) -> None:
        ref = tenant("production", team)["spec"]["dags"]["sources"][0]["gitSync"]["ref"]
        files = (MANIFESTS / "tenants" / "production" / team).glob("*.yaml")
        lines = [line for file in files for line in file.read_text().splitlines() if ref in line]
        assert lines == [f"  value: {ref}"]

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_the_operators_version_stands_in_one_line(self, environment: str) -> None:
        text = (MANIFESTS / "operator" / environment / "kustomization.yaml").read_text()
        [tag] = re.findall(r"newTag: (\S+)", text)
        deployment = one(f"operator/{environment}", "Deployment")
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"registry.example.com/airflow-tenants/operator:{tag}"


class TestOperator:
    def test_the_committed_render_is_the_charts(self) -> None:
        stale = [path.name for path, text in operator.outputs().items() if path.read_text() != text]
        assert stale == [], "run make generate"

    def test_a_stale_render_is_named_and_then_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "base" / "operator.yaml"
        monkeypatch.setattr(operator, "ROOT", tmp_path)
        monkeypatch.setattr(operator, "outputs", lambda: {file: "new"})
        assert operator.main(["--check"]) == 1
        assert capsys.readouterr().err == "base/operator.yaml is out of date: run make generate\n"
        assert not file.exists()
        assert operator.main([]) == 0
        assert file.read_text() == "new"
        assert operator.main(["--check"]) == 0

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_the_definition_comes_first_and_stays(self, environment: str) -> None:
        definition = one(f"operator/{environment}", "CustomResourceDefinition")
        notes = definition["metadata"]["annotations"]
        assert notes["argocd.argoproj.io/sync-wave"] == "-3"
        assert {"Prune=false", "Delete=false", "ServerSideApply=true"} == set(
            notes["argocd.argoproj.io/sync-options"].split(",")
        )
        assert notes["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        waves = {
            o["kind"]: int(o["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
            for o in built(f"operator/{environment}")
        }
        assert waves["Namespace"] == -3
        assert {kind for kind, wave in waves.items() if wave < -2} == {
            "CustomResourceDefinition",
            "Namespace",
        }

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_helm_left_no_trace(self, environment: str) -> None:
        text = yaml.safe_dump([o["metadata"] for o in built(f"operator/{environment}")])
        assert "helm.sh/" not in text
        assert "managed-by" not in text

    def test_other_defaults_restart_the_operator(self) -> None:
        def volume(environment: str) -> str:
            pod = one(f"operator/{environment}", "Deployment")["spec"]["template"]["spec"]
            [name] = [v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v]
            one(f"operator/{environment}", "ConfigMap", name)
            return str(name)

        assert volume("staging") != volume("production")

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_tenants_images_come_from_the_companys_registry(self, environment: str) -> None:
        for found in built(f"operator/{environment}"):
            if found["metadata"]["name"].startswith("airflow-tenant-operator-defaults-"):
                images = yaml.safe_load(found["data"]["defaults.yaml"])["images"]
                assert set(images) == {"airflow", "statsd", "gitSync", "postgresql", "postgresExporter"}
                assert all(image["repository"].startswith(rules.REGISTRY) for image in images.values())
                return
        pytest.fail("no defaults")

    def test_productions_pod_is_scraped_once(self) -> None:
        pod = one("operator/production", "Deployment")["spec"]["template"]["metadata"]
        assert "prometheus.io/scrape" not in (pod.get("annotations") or {})
        one("operator/monitoring", "PodMonitor")
        staging = one("operator/staging", "Deployment")["spec"]["template"]["metadata"]["annotations"]
        assert staging["prometheus.io/scrape"] == "true"

    def test_the_priority_class_exists(self) -> None:
        pod = one("operator/production", "Deployment")["spec"]["template"]["spec"]
        one("infrastructure/classes", "PriorityClass", pod["priorityClassName"])


class TestInfrastructure:
    def test_every_chart_has_an_exact_version_and_its_repository(self) -> None:
        objects = built("infrastructure/controllers")
        repositories = {o["metadata"]["name"] for o in objects if o["kind"] == "HelmRepository"}
        releases = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "HelmRelease"}
        assert set(releases) == {
            *("cert-manager", "external-secrets", "kube-prometheus-stack"),
            *("cloudnative-pg", "keda", "metrics-server"),
        }
        for name, spec in releases.items():
            chart = spec["chart"]["spec"]
            assert re.fullmatch(r"v?\d+\.\d+\.\d+", chart["version"]), name
            assert chart["sourceRef"]["name"] in repositories
            assert {entry["name"] for entry in spec.get("dependsOn", [])} <= set(releases)

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    @pytest.mark.parametrize("team", TEAMS)
    def test_external_secrets_name_the_store_that_there_is(self, environment: str, team: str) -> None:
        store = one(f"infrastructure/configs/{environment}", "ClusterSecretStore")["metadata"]["name"]
        found = [o for o in built(f"tenants/{environment}/{team}") if o["kind"] == "ExternalSecret"]
        assert found
        wanted = {"kind": "ClusterSecretStore", "name": store}
        assert all(o["spec"]["secretStoreRef"] == wanted for o in found)
        assert {o["metadata"]["namespace"] for o in found} == {f"airflow-{team}"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("team", TEAMS)
def test_a_tenant_comes_behind_its_namespace_and_secrets(environment: str, team: str) -> None:
    def wave(found: Json) -> int:
        return int(found["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])

    waves = {found["kind"]: wave(found) for found in built(f"tenants/{environment}/{team}")}
    assert waves == {"Namespace": 0, "ExternalSecret": 0, "AirflowTenant": 1}
    spec = tenant(environment, team)["spec"]
    assert TenantSpec.model_validate(spec).namespace_for(team) == f"airflow-{team}"


def test_the_readme_names_all_that_a_sample_team_is_made_of(tmp_path: Path) -> None:
    """Without those files and lines nothing of it is left, and every other folder builds as before."""
    left = Path(shutil.copytree(MANIFESTS, tmp_path / "manifests"))
    text = (left / "tenants" / "README.md").read_text().partition("## Take a sample team out")[2]
    for name in ("base/ml", "staging/ml", "production/ml", "../argocd/projects/teams/ml.yaml"):
        assert f"`{name}`" in text
    for folder in ("base", "staging", "production", "library", "demo"):
        gone = left / "tenants" / folder
        shutil.rmtree(gone if folder in ("library", "demo") else gone / "ml")
    for folder, entry in (("argocd/projects/teams", "ml.yaml"), ("flux/tenants", "ml.yaml")):
        (left / folder / entry).unlink()
    for listing in [*left.glob("tenants/*/kustomization.yaml"), *left.glob("*/**/kustomization.yaml")]:
        if listing.parent.name in ("base", "staging", "production", "teams", "tenants"):
            listing.write_text(re.sub(r"(?m)^  - ml(\.yaml)?\n", "", listing.read_text()))
    _, found = validate.check([left])
    assert [str(one) for some in found.values() for one in some] == []
    assert not [path for path in left.rglob("*.yaml") if re.search(r"\bairflow-ml\b", path.read_text())]
