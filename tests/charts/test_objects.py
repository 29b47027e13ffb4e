"""What the tenant chart renders, for which values, and that the API server would take it."""

from __future__ import annotations

import copy
import gzip
import re
import subprocess

import kubernetes_validate
import pytest
from tests.charts.configurations import CONFIGURATIONS, EXPECTED, FULL, FULL_LOCAL, KUBERNETES, LOCAL, MINIMAL
from tests.charts.support import (
    COMPONENT_LABEL,
    NAMESPACE,
    OPERATOR_CHART,
    RELEASE,
    TENANT_CHART,
    Chart,
    Object,
    merged,
    of_kubernetes,
    parse,
    refused,
    render_chart,
    run_helm,
    template,
)

STAGES = {
    "wall": {
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "ServiceAccount",
        "Role",
        "RoleBinding",
    },
    "migrate": {"Job"},
    "monitoring": {"AlertmanagerConfig", "GrafanaDashboard", "PodMonitor", "PrometheusRule"},
}
SELECTOR = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}


def test_exactly_the_expected_objects_are_rendered(configuration: str, chart: Chart) -> None:
    jobs = chart.kind("Job")
    assert len(jobs) == 1
    assert re.fullmatch(rf"{RELEASE}-migrate-[0-9a-f]{{8}}", jobs[0]["metadata"]["name"])
    hashed = {obj["metadata"]["name"]: component for component, obj in chart.config_maps.items()}
    for name, component in hashed.items():
        assert re.fullmatch(rf"{RELEASE}-{component}-[0-9a-f]{{8}}", name)
    assert {
        (kind, f"{RELEASE}-{hashed[name]}" if name in hashed else name)
        for kind, name in chart.objects
        if kind != "Job"
    } == EXPECTED[configuration]


def test_every_object_fits_the_schemas_of_kubernetes(chart: Chart) -> None:
    for obj in filter(of_kubernetes, chart.objects.values()):
        kubernetes_validate.validate(obj, "1.34", strict=True)


def test_the_worker_pod_template_is_a_valid_pod() -> None:
    pod = render_chart(FULL).pods["worker"]
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": pod.metadata, "spec": pod.spec}
    kubernetes_validate.validate(whole, "1.34", strict=True)


def test_every_object_is_labelled_and_in_the_namespace(chart: Chart) -> None:
    for (kind, name), obj in chart.objects.items():
        labels = obj["metadata"]["labels"]
        assert obj["metadata"]["namespace"] == NAMESPACE, (kind, name)
        assert labels["app.kubernetes.io/name"] == "airflow-tenant", (kind, name)
        assert labels["app.kubernetes.io/instance"] == RELEASE, (kind, name)
        assert labels["app.kubernetes.io/part-of"] == "airflow", (kind, name)
        assert labels["helm.sh/chart"] == "airflow-tenant-0.1.0", (kind, name)
        assert {"app.kubernetes.io/component", "app.kubernetes.io/managed-by"} <= labels.keys(), (kind, name)


def test_the_users_labels_win_on_objects_and_pods() -> None:
    chart = render_chart(FULL)
    for obj in chart.objects.values():
        assert obj["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "airflow-tenant-operator"
        assert obj["metadata"]["labels"]["airflowtenants.io/tenant"] == RELEASE
    for pod in chart.pods.values():
        assert pod.metadata["labels"]["airflowtenants.io/tenant"] == RELEASE


@pytest.mark.parametrize(
    ("labels", "tenant", "team"),
    [
        ({}, RELEASE, RELEASE),
        ({"airflowtenants.io/team": "bank"}, RELEASE, "bank"),
        # the operator gives both: the defaults change nothing of what it renders
        ({"airflowtenants.io/tenant": "a", "airflowtenants.io/team": "b"}, "a", "b"),
    ],
)
def test_every_object_and_pod_says_whose_it_is(labels: dict[str, str], tenant: str, team: str) -> None:
    chart = render_chart({**FULL, "labels": labels})
    found = [obj["metadata"]["labels"] for obj in chart.objects.values()]
    found += [pod.metadata["labels"] for pod in chart.pods.values()]
    assert {(one["airflowtenants.io/tenant"], one["airflowtenants.io/team"]) for one in found} == {
        (tenant, team)
    }


def test_every_object_names_the_stage_that_applies_it(chart: Chart) -> None:
    for (kind, name), obj in chart.objects.items():
        stage = obj["metadata"]["annotations"]["airflowtenants.io/stage"]
        component = obj["metadata"]["labels"][COMPONENT_LABEL] if kind == "ConfigMap" else ""
        component = component or name.removeprefix(f"{RELEASE}-")
        if kind in STAGES["wall"]:
            assert stage == "wall", (kind, name)
        elif kind in STAGES["migrate"] or component in {
            "config",
            "modules",
            "fernet-key",
            "api-secret-key",
            "jwt-secret",
        }:
            assert stage == "migrate", (kind, name)
        elif component in {"postgresql", "metadata"}:
            assert stage == "database", (kind, name)
        elif kind in STAGES["monitoring"] or component in {"dashboards", "rules"}:
            assert stage == "monitoring", (kind, name)
        else:
            assert stage == "components", (kind, name)


def test_selectors_are_minimal_and_match_exactly_their_own_pods(chart: Chart) -> None:
    pods = chart.pods
    for kind in ("Deployment", "StatefulSet"):
        for obj in chart.kind(kind):
            assert obj["spec"]["selector"]["matchLabels"].keys() == SELECTOR
    for obj in [
        *chart.kind("Deployment"),
        *chart.kind("StatefulSet"),
        *chart.kind("Service"),
        *chart.kind("PodDisruptionBudget"),
    ]:
        selector = obj["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        matching = {name for name, pod in pods.items() if selector.items() <= pod.metadata["labels"].items()}
        assert matching == {obj["metadata"]["name"].removeprefix(f"{RELEASE}-")}


def test_a_release_stays_far_below_the_limits(chart: Chart) -> None:
    """Of etcd (1.5 MiB an object) and of a Secret (1 MiB, which holds the whole release compressed)."""
    boards = chart.objects.get(("ConfigMap", f"{RELEASE}-dashboards"), {"data": {}})["data"].values()
    size = sum(len(board.encode()) for board in boards)
    whole = len(chart.text.encode())
    assert whole < 320 * 1024
    assert whole - size < 200 * 1024
    assert len(gzip.compress(chart.text.encode())) < 100 * 1024


def test_there_are_no_hooks(chart: Chart) -> None:
    assert "helm.sh/hook" not in chart.text


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_the_same_values_give_the_same_bytes(name: str) -> None:
    # two more processes beside the cached render of this session
    renders = {template(TENANT_CHART, CONFIGURATIONS[name]).stdout for _ in range(2)}
    assert renders == {render_chart(CONFIGURATIONS[name]).text}


def functions_in(template_text: str) -> set[str]:
    """The bare words of a template's actions: functions and keywords, no strings, fields or variables."""
    actions = " ".join(re.findall(r"\{\{-?(.*?)-?\}\}", template_text, flags=re.DOTALL))
    actions = re.sub(r"/\*.*?\*/", "", actions, flags=re.DOTALL)
    return set(re.findall(r"(?<![.$\w-])[A-Za-z]\w*", re.sub(r'"[^"]*"', '""', actions)))


def test_templates_use_no_function_that_depends_on_time_chance_or_the_cluster() -> None:
    assert {"now", "date", "lookup"} <= functions_in('{{ now | date "x" }} {{- if (lookup "v1") }}')
    forbidden = re.compile(
        r"rand.*|shuffle|uuidv4|now|date.*|htmlDate.*|ago|gen[A-Z].*|bcrypt|htpasswd|encryptAES|lookup|getHostByName"
    )
    templates = [*TENANT_CHART.rglob("templates/**/*"), *OPERATOR_CHART.rglob("templates/**/*")]
    assert len(templates) > 20
    for path in templates:
        if path.is_file():
            used = {word for word in functions_in(path.read_text()) if forbidden.fullmatch(word)}
            assert not used, path


@pytest.mark.parametrize(
    "values", [LOCAL, KUBERNETES, MINIMAL, FULL], ids=["local", "kubernetes", "minimal", "full"]
)
def test_helm_lint_finds_nothing(values: dict[str, object]) -> None:
    done = run_helm("lint", "--strict", str(TENANT_CHART), values=values)
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout


def test_the_chart_works_as_a_part_of_another(tmp_path_factory: pytest.TempPathFactory) -> None:
    parent = tmp_path_factory.mktemp("parent")
    (parent / "charts").mkdir()
    (parent / "charts" / "airflow-tenant").symlink_to(TENANT_CHART)
    (parent / "Chart.yaml").write_text("apiVersion: v2\nname: parent\nversion: 0.1.0\n")
    done: subprocess.CompletedProcess[str] = template(parent, {"airflow-tenant": LOCAL})
    assert done.returncode == 0, done.stderr
    assert parse(done.stdout).objects.keys() == render_chart(LOCAL).objects.keys()


def test_notes_tell_how_to_open_airflow_and_where_the_password_is() -> None:
    done = run_helm("install", RELEASE, str(TENANT_CHART), "-n", NAMESPACE, "--dry-run=client", values=LOCAL)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("NOTES:")[1]
    assert f"port-forward service/{RELEASE}-api-server 8080:8080" in notes
    assert (
        f"get secret {RELEASE}-admin -o go-template='{{{{index .data \"password\" | base64decode}}}}'"
        in notes
    )


def test_budgets_come_with_two_replicas_or_on_demand() -> None:
    def budgets(settings: dict[str, object]) -> int:
        return len(render_chart(merged(LOCAL, {"scheduler": settings})).kind("PodDisruptionBudget"))

    assert budgets({"replicas": 1}) == 0
    assert budgets({"replicas": 2}) == 1
    assert budgets({"replicas": 1, "podDisruptionBudget": {"enabled": True}}) == 1
    assert budgets({"replicas": 2, "podDisruptionBudget": {"enabled": False}}) == 0


def _without_hibernation(obj: Object) -> Object:
    """An object without the two fields by which a release falls asleep."""
    bare = copy.deepcopy(obj)
    for field in ("replicas", "suspend"):
        bare.get("spec", {}).pop(field, None)
    return bare


@pytest.mark.parametrize("values", [FULL, FULL_LOCAL], ids=["kubernetes", "local"])
def test_hibernated_no_pod_runs_and_everything_else_stays(values: dict[str, object]) -> None:
    awake, asleep = render_chart(values), render_chart(merged(values, {"hibernated": True}))
    for kind in ("Deployment", "StatefulSet"):
        assert asleep.kind(kind)
        assert {obj["spec"]["replicas"] for obj in asleep.kind(kind)} == {0}
        assert min(obj["spec"]["replicas"] for obj in awake.kind(kind)) > 0
    assert [job["spec"]["suspend"] for job in asleep.kind("Job")] == [True]
    assert [job["spec"]["suspend"] for job in awake.kind("Job")] == [False]
    # the same names and templates: the same volumes, and after waking the same pods and no migration again
    budgets = {key for key in awake.objects if key[0] == "PodDisruptionBudget"}
    assert budgets
    assert asleep.objects.keys() == awake.objects.keys() - budgets
    for key, obj in asleep.objects.items():
        assert _without_hibernation(obj) == _without_hibernation(awake[key]), key


def test_a_budget_on_demand_does_not_outlive_the_pods() -> None:
    budget = {"apiServer": {"podDisruptionBudget": {"enabled": True}}}
    assert not render_chart(merged(LOCAL, budget, {"hibernated": True})).kind("PodDisruptionBudget")


def test_notes_tell_that_a_release_hibernates_and_how_to_wake_it() -> None:
    notes = run_helm(
        "install", RELEASE, str(TENANT_CHART), "--dry-run=client", values=merged(LOCAL, {"hibernated": True})
    ).stdout
    assert "no pod runs" in notes
    assert "hibernated=false" in notes
    assert "port-forward" not in notes


def test_a_long_release_name_is_refused() -> None:
    done = template(TENANT_CHART, LOCAL, release="a" * 41)
    assert done.returncode != 0
    assert "longer than 40 characters" in done.stderr


def test_the_longest_release_name_leaves_room_for_every_name() -> None:
    chart = render_chart(FULL, release="a" * 40)
    for obj in filter(of_kubernetes, chart.objects.values()):
        kubernetes_validate.validate(obj, "1.34", strict=True)
    assert {len(name) for _, name in chart.objects} <= set(range(64))
    assert f"{'a' * 40}-pod-template-" in chart.config_maps["pod-template"]["metadata"]["name"]


def test_extra_objects_must_be_yaml() -> None:
    assert "extraObjects[0]" in refused(merged(LOCAL, {"extraObjects": ["a: [b"]}))
