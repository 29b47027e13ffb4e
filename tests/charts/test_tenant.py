"""From a tenant's spec to what Kubernetes gets: the operator's values, rendered by the chart."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import yaml
from tests.charts.configurations import EXPECTED, KUBERNETES, LOCAL
from tests.charts.support import RELEASE, ROOT, Chart, refused, render_chart
from tests.dag_lint.helpers import lint
from tests.kustomization import build
from tests.unit.operator.support import Counter, tenant

from tenant_operator.adapters.system import SystemTokens
from tenant_operator.plan import monitoring, secrets, values

#: Containers of these run Airflow.
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
EXECUTORS = {
    "LocalExecutor": {"api-server", "scheduler", "dag-processor", "triggerer"},
    "KubernetesExecutor": {"api-server", "scheduler", "dag-processor", "triggerer", "worker"},
}

CONFIGURATIONS = {
    "LocalExecutor": (LOCAL, EXPECTED["local"]),
    "KubernetesExecutor": (KUBERNETES, EXPECTED["kubernetes"]),
}


def rendered(*served: str, executor: str = "KubernetesExecutor", **spec: Any) -> Chart:
    """The chart of a tenant, on a cluster that serves these optional kinds."""
    airflow = {"executor": executor, **spec.pop("airflow", {})}
    return render_chart(values.build(tenant(airflow=airflow, **spec), {}, values.Defaults(), served))


@pytest.mark.covers("S002-02")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_tenant_has_airflow_s_components_and_its_database_and_nothing_that_stands_beside_it(
    executor: str,
) -> None:
    values_, expected = CONFIGURATIONS[executor]
    chart = render_chart(values_)
    made = {(kind, re.sub(r"-[0-9a-f]{8}$", "", name)) for kind, name in chart.objects}
    assert made == expected | {("Job", f"{RELEASE}-migrate")}
    assert set(chart.pods) & set(AIRFLOW) == EXECUTORS[executor]
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = (ROOT / "docs" / "images" / "wall.svg").read_text()
    for shown in ("API server", "scheduler", "DAG processor", "triggerer", "PostgreSQL"):
        assert shown in picture, shown
    beside = page.partition("Beside a tenant, and not part of it")[2].partition("\n\n")[0]
    for name in ("Redis", "MinIO", "MLflow", "Kubeflow", "Feast"):
        assert name in beside
        assert name.lower() not in str([*made]).lower()


@pytest.mark.covers("S002-12")
def test_task_logs_go_to_the_store_that_the_tenant_names_from_every_component() -> None:
    store = {"id": "logs_s3", "type": "aws"}
    remote = {"folder": "s3://airflow-logs/payments", "connectionId": "logs_s3"}
    chart = rendered(connections=[store], logging={"remote": remote})
    assert chart.config["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
    assert chart.config["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == remote["folder"]
    assert chart.config["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"] == "logs_s3"
    name = chart.config_maps["config"]["metadata"]["name"]
    for component in AIRFLOW:
        assert {"configMapRef": {"name": name}} in chart.pods[component].main["envFrom"], component


@pytest.mark.covers("S000-29")
@pytest.mark.parametrize(
    "folder",
    [
        "cloudwatch://arn:aws:logs:eu-west-1:111122223333:log-group:payments",
        "stackdriver://payments",
        "wasb://logs/payments",
        "s3://airflow-logs/payments",
    ],
)
def test_logs_go_to_the_store_of_each_cloud(folder: str) -> None:
    config = rendered(logging={"remote": {"folder": folder}}).config
    assert config["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
    assert config["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == folder
    # the cloud's own identity, no keys
    assert config["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"] == ""


@pytest.mark.covers("S002-23")
def test_addresses_of_services_reach_every_airflow_container() -> None:
    addresses = {
        "MLFLOW_TRACKING_URI": "http://mlflow.mlflow.svc.cluster.local:5000",
        "KUBEFLOW_HOST": "http://ml-pipeline.kubeflow.svc.cluster.local:8888",
    }
    env = [{"name": name, "value": value} for name, value in addresses.items()]
    chart = rendered(airflow={"env": env})
    for component in AIRFLOW:
        found = {one["name"]: one.get("value") for one in chart.pods[component].main["env"]}
        assert {name: found[name] for name in addresses} == addresses, component


@pytest.mark.covers("S002-27")
def test_metrics_are_on_by_themselves_and_prometheus_finds_them_where_it_has_its_operator() -> None:
    chart = rendered(monitoring.POD_MONITOR)
    assert chart.config["AIRFLOW__METRICS__STATSD_ON"] == "True"
    exporter = chart.pods["statsd"]
    [port] = [port for port in exporter.main["ports"] if port["name"].endswith("metrics")]
    monitor = chart[("PodMonitor", RELEASE)]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= exporter.metadata["labels"].items()
    [endpoint] = monitor["podMetricsEndpoints"]
    [kept] = [rule["regex"] for rule in endpoint["relabelings"] if rule.get("action") == "keep"]
    assert re.fullmatch(kept, port["name"])
    assert not rendered().kind("PodMonitor"), "a cluster without the kind refuses it"


#: What a values file of a chart with Celery has beside its executor.
CELERY: list[tuple[dict[str, Any], str]] = [
    ({"workers": {"replicas": 3}}, "additional properties 'replicas' not allowed"),
    ({"redis": {"enabled": True}}, "at '/redis': value must be 'absent: no Celery in this chart"),
    ({"flower": {"enabled": True}}, "at '/flower': value must be 'absent: no Celery in this chart"),
    ({"executor": "CeleryExecutor"}, "at '/executor'"),
]


@pytest.mark.covers("X-03")
@pytest.mark.parametrize(("part", "message"), CELERY)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_part_of_another_executor_is_refused_and_not_left_unused(
    executor: str, part: dict[str, Any], message: str
) -> None:
    assert message in refused({**CONFIGURATIONS[executor][0], **part})


@pytest.mark.covers("X-03")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_nothing_of_another_executor_is_rendered(executor: str) -> None:
    chart = rendered(executor=executor)
    sections = {name.split("__")[1] for name in chart.config if name.startswith("AIRFLOW__")}
    assert "CORE" in sections
    assert not [section for section in sections if "CELERY" in section]
    kubernetes = executor == "KubernetesExecutor"
    assert ("worker" in chart.pods) is kubernetes
    assert ("pod-template" in chart.config_maps) is kubernetes
    assert any("KUBERNETES_EXECUTOR" in name for name in chart.config) is kubernetes
    assert bool(chart.kind("Role")) is kubernetes
    assert not [name for _, name in chart.objects if name == f"{RELEASE}-worker" and not kubernetes]


@pytest.mark.covers("X-04")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_dags_are_in_a_scratch_folder_that_git_sync_fills_and_on_no_shared_volume(executor: str) -> None:
    git = {"repo": "https://github.com/your-org/airflow-dags.git", "ref": "main", "subPath": "dags"}
    source = {"name": "main", "gitSync": {**git, "period": "60s"}}
    chart = rendered(executor=executor, dags={"sources": [source]})
    assert not chart.kind("PersistentVolumeClaim")
    with_git = [pod for pod in chart.pods.values() if any(v["name"] == "git" for v in pod.spec["volumes"])]
    assert len(with_git) == len(EXECUTORS[executor]) - 1
    for pod in with_git:
        [volume] = [volume for volume in pod.spec["volumes"] if volume["name"] == "git"]
        assert "emptyDir" in volume, pod.component
    arguments = chart.pods["dag-processor"].container("git-sync-main")["args"]
    assert "--period=60s" in arguments
    assert not [argument for argument in arguments if argument.startswith("--wait")]
    bundles = chart.config["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]
    assert "tenant_bundles.GitSyncDagBundle" in bundles


@pytest.mark.covers("X-01")
def test_the_components_are_those_of_airflow_3_and_workers_talk_to_the_execution_api_only() -> None:
    built = values.build(tenant(airflow={"executor": "KubernetesExecutor"}), {}, values.Defaults(), served=())
    assert {"apiServer", "dagProcessor"} <= built.keys()
    assert "webserver" not in built
    chart = render_chart(built)
    assert {("Deployment", f"{RELEASE}-{name}") for name in ("api-server", "dag-processor")} <= set(
        chart.objects
    )
    # signing keys are Secrets of the operator's making: named, and no value of them in the chart's
    assert built["jwtSecretName"] == f"{RELEASE}-jwt-secret"
    assert built["apiSecretKeySecretName"] == f"{RELEASE}-api-secret-key"
    assert {"jwtSecret", "apiSecretKey"}.isdisjoint(built)
    made = {one["metadata"]["name"] for one in secrets.missing(tenant(), {}, Counter())}
    assert {built["jwtSecretName"], built["apiSecretKeySecretName"]} <= made
    worker = chart.pods["worker"].main
    assert not [one for one in worker["env"] if "valueFrom" in one], "neither database nor keys"
    url = chart.config["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert url == f"http://{RELEASE}-api-server:8080/execution/"
    peers = chart[("NetworkPolicy", f"{RELEASE}-worker")]["spec"]["egress"]
    reached = {
        component
        for rule in peers
        for peer in rule.get("to", [])
        for match in peer.get("podSelector", {}).get("matchExpressions", [])
        for component in match["values"]
    }
    assert reached == {"api-server", "statsd"}


@pytest.mark.covers("S000-16")
def test_only_addresses_of_the_allow_list_are_reached_and_private_ways_are_told() -> None:
    private = {"cidr": "10.20.0.0/16", "ports": [5432]}
    chart = rendered(network={"egress": [private]})
    wanted = {
        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
        "ports": [{"protocol": "TCP", "port": 5432}],
    }
    for component in AIRFLOW:
        assert wanted in chart[("NetworkPolicy", f"{RELEASE}-{component}")]["spec"]["egress"], component
    text = str(rendered().objects)
    assert "10.20.0.0/16" not in text
    deny = chart[("NetworkPolicy", f"{RELEASE}-default-deny")]["spec"]
    assert (deny["podSelector"], deny["policyTypes"], deny.get("egress")) == ({}, ["Ingress", "Egress"], None)
    section = (ROOT / "docs" / "choices.md").read_text().partition("## Secure transfer")[2]
    for way in ("`spec.network.egress`", "peering", "private subnets", "PrivateLink"):
        assert way in section.partition("\n## ")[0], way


#: Passwords that guides for this kind of platform write down, and people then leave as they are.
KNOWN = ("admin123", "airflow123", "minio123", "mlflow123", "flower123")


@pytest.mark.covers("X-06")
def test_passwords_are_made_at_random_or_named_and_never_have_a_default() -> None:
    # the chart alone has none: it refuses to guess one
    error = refused({})
    for field in ("fernetKey", "apiSecretKey", "jwtSecret", "postgresql.auth.password"):
        assert field in error
    # the operator makes them, each another one for each tenant, and the chart gets names only
    teams = [tenant("one"), tenant("two")]
    made = [secret for team in teams for secret in secrets.missing(team, {}, SystemTokens())]
    passwords = [
        base64.b64decode(text).decode()
        for secret in made
        for key, text in secret["data"].items()
        if key != "username"
    ]
    assert len(set(passwords)) == len(passwords) >= 14
    assert min(map(len, passwords)) >= 20
    built = str(values.build(teams[0], {}, values.Defaults()))
    assert not [word for word in passwords if word in built]
    # what a team writes is found before it is merged, and nothing here writes it
    for word in KNOWN:
        assert lint(f'connect(host="db", password="{word}")\n', "L-04"), word
    webhook = "https://hooks.slack.com/" + "services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
    assert lint(f'URL = "{webhook}"\n', "L-04")
    files = [
        path
        for folder in ("charts", "manifests", "demo", "dags")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yaml", ".yml", ".py", ".tpl") and "lint" not in path.parts
    ]
    assert len(files) > 200
    assert [path for path in files if any(word in path.read_text() for word in KNOWN)] == []


def by_the_monitor(chart: Chart, labels: dict[str, str]) -> dict[str, str]:
    """What Prometheus calls a pod with these labels."""
    seen = {
        f"__meta_kubernetes_pod_label_{re.sub(r'[^A-Za-z0-9_]', '_', key)}": labels[key] for key in labels
    }
    [endpoint] = chart[("PodMonitor", RELEASE)]["spec"]["podMetricsEndpoints"]
    return {
        rule["targetLabel"]: seen["".join(rule["sourceLabels"])]
        for rule in endpoint["relabelings"]
        if "targetLabel" in rule and "sourceLabels" in rule
    }


def by_the_collector(labels: dict[str, str]) -> dict[str, str]:
    """What Elasticsearch gets as fields of a line that a pod with these labels wrote."""
    objects = build(ROOT / "manifests" / "logging" / "elasticsearch")
    maps = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    [output] = [data["output.yaml"] for data in maps if "output.yaml" in data]
    pipeline = yaml.safe_load(output)["pipeline"]
    [target] = pipeline["outputs"]
    assert (target["name"], target["index"]) == ("es", "logs-airflow-default")
    lifted = [step.get("nested_under") for step in pipeline["filters"]].index("kubernetes_labels")
    renames = [line.split() for step in pipeline["filters"][lifted:] for line in step.get("hard_rename", [])]
    return {field: labels[key] for key, field in renames if key in labels}


@pytest.mark.covers("S000-12")
def test_metrics_go_to_prometheus_and_grafana_and_lines_to_elasticsearch_under_the_same_names() -> None:
    chart = rendered(monitoring.POD_MONITOR)
    boards = chart[("ConfigMap", f"{RELEASE}-dashboards")]
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len(boards["data"]) == len(monitoring.BOARDS)
    for component, pod in chart.pods.items():
        labels = pod.metadata["labels"]
        names = by_the_collector(labels)
        assert names == by_the_monitor(chart, labels), component
        assert names == {"tenant": RELEASE, "team": "pay", "component": component}
