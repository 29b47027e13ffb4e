"""Configuration and environment: what the chart sets, what the user sets, and that any string survives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.charts.configurations import FULL, KUBERNETES, LOCAL, SECRETS
from tests.charts.support import NAMESPACE, RELEASE, ROOT, TENANT_CHART, Chart, Pod, merged, render_chart

NASTY = {
    "quotes": "a \"double\" and a 'single'",
    "newlines": "first\nsecond\n\n  third\n",
    "template": "{{ .Release.Name }} {% raw %} ${HOME} $(PLAIN)",
    "unicode": "Grüße 東京 🚀 \u2028 \u00a0",
    "word": "yes",
    "switch": "on",
    "nothing": "null",
    "tilde": "~",
    "number": "0123",
    "scientific": "1e3",
    "octal": "0o17",
    "sexagesimal": "12:30:45",
    "date": "2026-01-01",
    "empty": "",
    "space": "  surrounded  ",
    "colon": "a: b # c",
    "dash": "- item",
    "anchor": "&a *b !c |d >e @f `g %h",
    "backslash": "C:\\temp\\new \\u0041",
    "control": "tab\there",
    "json": '{"a": [1, null]}',
}


def test_any_string_survives_in_env_and_configuration() -> None:
    values = merged(
        LOCAL,
        {
            "env": [{"name": f"V_{name.upper()}", "value": text} for name, text in NASTY.items()],
            "config": {"custom": dict(NASTY)},
        },
    )
    chart = render_chart(values)
    assert {name: chart.config[f"AIRFLOW__CUSTOM__{name.upper()}"] for name in NASTY} == NASTY
    for component in ("api-server", "scheduler", "dag-processor", "triggerer", "migrate-database"):
        environment = {
            variable["name"]: variable.get("value") for variable in chart.pods[component].main["env"]
        }
        assert {name: environment[f"V_{name.upper()}"] for name in NASTY} == NASTY


def test_any_string_survives_in_the_worker_pod_too() -> None:
    values = merged(
        KUBERNETES, {"workers": {"env": [{"name": "V", "value": text} for text in [NASTY["newlines"]]]}}
    )
    environment = {v["name"]: v.get("value") for v in render_chart(values).pods["worker"].main["env"]}
    assert environment["V"] == NASTY["newlines"]


def test_any_string_survives_in_the_users() -> None:
    user = {
        "username": 'we"ird: {{ 1 }}',
        "email": "a'b@example.com",
        "firstName": "yes",
        "lastName": "O\nNeil <&>",
        "role": "Admin",
        "passwordSecretName": "s",
    }
    main = render_chart(merged(SECRETS, {"createUserJob": {"users": [user]}})).pods["migrate-database"].main
    environment = {variable["name"]: variable for variable in main["env"]}
    (passed,) = json.loads(environment["TENANT_USERS"]["value"])
    assert passed.pop("passwordEnv") == "TENANT_USER_0_PASSWORD"
    assert passed == {key: value for key, value in user.items() if key != "passwordSecretName"}
    reference = environment["TENANT_USER_0_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "s", "key": "password"}


@pytest.mark.parametrize(
    ("given", "text"),
    [(32, "32"), (1000000, "1000000"), (2.5, "2.5"), (True, "True"), (False, "False"), (0, "0"), ("", "")],
)
def test_numbers_and_switches_are_written_as_airflow_reads_them(given: Any, text: str) -> None:
    chart = render_chart(merged(LOCAL, {"config": {"core": {"some_key": given}}}))
    assert chart.config["AIRFLOW__CORE__SOME_KEY"] == text


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("metrics", "statsd_on", False),
        ("api", "base_url", ""),
        ("api", "base_url", "https://airflow.example.com"),
        ("core", "hostname_callable", "airflow.utils.net.getfqdn"),
        ("core", "load_examples", "True"),
        ("kubernetes_executor", "delete_worker_pods", "False"),
    ],
)
def test_the_users_configuration_wins_even_when_it_is_empty_or_false(
    section: str, key: str, value: Any
) -> None:
    chart = render_chart(merged(KUBERNETES, {"config": {section: {key: value}}}))
    expected = str(value)
    assert chart.config[f"AIRFLOW__{section.upper()}__{key.upper()}"] == expected


@pytest.mark.covers("M-01")
def test_defaults_of_the_configuration() -> None:
    config = render_chart(LOCAL).config
    expected = {
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{RELEASE}-api-server:8080/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": "True",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "airflow.utils.net.get_host_ip_address",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "5",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "16",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "30",
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_RECYCLE": "1800",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "5",
        "AIRFLOW__FAB__ENABLE_PROXY_FIX": "True",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__LOGGING__JSON_LOGS": "True",
        "AIRFLOW__METRICS__LEGACY_NAMES_ON": "False",
        "AIRFLOW__METRICS__STATSD_DISABLED_TAGS": "job_id,run_id,dagrun_id,file_path",
        "AIRFLOW__METRICS__STATSD_HOST": f"{RELEASE}-statsd",
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_PORT": "9125",
        "AIRFLOW__METRICS__STATSD_PREFIX": "airflow",
        "AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT": "False",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "True",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    }
    bundles = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    assert {key: value for key, value in config.items() if key != bundles} == expected
    # with one, the login page would redirect a browser that comes another way into nowhere
    assert "AIRFLOW__API__BASE_URL" not in config
    kubernetes = render_chart(KUBERNETES).config
    assert kubernetes["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor"
    assert {key: value for key, value in kubernetes.items() if "KUBERNETES_EXECUTOR" in key} == {
        "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE": NAMESPACE,
        "AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE": "/opt/airflow/pod-template/pod_template.yaml",
        "AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS": "True",
        "AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS_ON_FAILURE": "False",
    }
    no_statsd = render_chart(merged(LOCAL, {"statsd": {"enabled": False}})).config
    assert no_statsd["AIRFLOW__METRICS__STATSD_ON"] == "False"
    assert "AIRFLOW__METRICS__STATSD_HOST" not in no_statsd


@pytest.mark.covers("S002-18")
def test_no_run_is_made_up_for_and_folders_and_files_are_looked_at_in_their_own_time() -> None:
    config = render_chart(LOCAL).config
    assert config["AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT"] == "False"
    assert config["AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL"] == "60"
    assert config["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] == "30"
    # a push is seen long before: git-sync's folders say so themselves
    bundles = json.loads(config["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert {bundle["kwargs"]["refresh_interval"] for bundle in bundles} == {5}


@pytest.mark.covers("S000-07")
def test_a_dag_is_written_to_the_database_every_thirty_seconds_at_most() -> None:
    assert render_chart(LOCAL).config["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] == "30"


@pytest.mark.covers("S000-08")
def test_two_processes_parse_and_options_that_airflow_no_longer_has_are_not_set() -> None:
    for values in (LOCAL, KUBERNETES):
        config = render_chart(values).config
        assert config["AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES"] == "2"
        gone = ("MAX_THREADS", "SCHEDULE_AFTER_TASK_EXECUTION", "STORE_SERIALIZED_DAGS", "DAG_CONCURRENCY")
        assert [name for name in config if name.endswith(gone)] == []
        # of the scheduler it was once, and is silently ignored there
        assert "AIRFLOW__SCHEDULER__PARSING_PROCESSES" not in config


@pytest.mark.covers("S003-36")
def test_connections_to_the_database_are_few_and_the_runbook_says_what_to_do_with_too_many() -> None:
    config = render_chart(LOCAL).config
    assert {name: value for name, value in config.items() if "AIRFLOW__DATABASE__" in name} == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "5",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_RECYCLE": "1800",
    }
    raised = render_chart(merged(LOCAL, {"config": {"database": {"sql_alchemy_pool_size": 20}}})).config
    assert raised["AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE"] == "20"
    text = (ROOT / "docs" / "runbook.md").read_text()
    section = text.partition("### AirflowDatabaseConnectionsElevated")[2].partition("<a id=")[0]
    for remedy in ("`database.sql_alchemy_pool_size`", "PgBouncer", "larger\ndatabase"):
        assert remedy in section


@pytest.mark.covers("S002-16")
def test_a_worker_pod_is_the_tenant_s_image_in_its_namespace_and_stays_only_when_it_failed() -> None:
    chart = render_chart(merged(KUBERNETES, {"images": {"airflow": {"repository": "example.com/af"}}}))
    config = chart.config
    assert config["AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE"] == NAMESPACE
    assert config["AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS"] == "True"
    assert config["AIRFLOW__KUBERNETES_EXECUTOR__DELETE_WORKER_PODS_ON_FAILURE"] == "False"
    images = {name: chart.pods[name].main["image"] for name in ("worker", "scheduler", "api-server")}
    assert set(images.values()) == {"example.com/af:3.3.2"}
    assert not [name for name in config if "WORKER_CONTAINER" in name], "the pod template has the image"


def test_sources_become_bundles() -> None:
    bundles = json.loads(render_chart(LOCAL).config["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert bundles == [
        {
            "name": name,
            "classpath": "tenant_bundles.GitSyncDagBundle",
            "kwargs": {"root": f"/git/{name}", "subdir": subdir, "refresh_interval": 5},
        }
        for name, subdir in (("main", "dags"), ("shared", ""))
    ]
    assert "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST" not in render_chart(SECRETS).config


def test_a_folder_of_the_image_is_a_bundle_that_nothing_fetches() -> None:
    library = {"name": "library", "image": {"path": "/opt/airflow/library"}}
    chart = render_chart(merged(KUBERNETES, {"dags": {"sources": [library]}}))
    assert json.loads(chart.config["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]) == [
        {
            "name": "library",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": "/opt/airflow/library"},
        }
    ]
    for pod in chart.pods.values():
        assert not [container for container in pod.containers if container["name"].startswith("git-sync")]
        assert not [volume for volume in pod.spec.get("volumes", []) if volume["name"].startswith("git")]


def test_git_sync_keeps_the_port_of_its_place_beside_a_folder_of_the_image() -> None:
    library = {"name": "library", "image": {"path": "/opt/airflow/library"}}
    git = {"name": "main", "gitSync": {"repo": "https://git.example.com/a.git"}}
    chart = render_chart(merged(LOCAL, {"dags": {"sources": [library, git]}}))
    sidecar = chart.pods["dag-processor"].container("git-sync-main")
    assert sidecar["ports"] == [{"name": "git-metrics-1", "containerPort": 2021}]
    assert "--http-bind=:2021" in sidecar["args"]


def test_the_python_modules_are_mounted_everywhere() -> None:
    chart = render_chart(KUBERNETES)
    files = {path.name: path.read_text() for path in TENANT_CHART.glob("files/*.py")}
    data = chart.config_maps["modules"]["data"]
    assert {
        "database_state.py",
        "job_alive.py",
        "migrate_database.py",
        "wait_for_database.py",
    } <= files.keys()
    assert {name: text for name, text in data.items() if name.endswith(".py")} == files
    # without an airflow.cfg Airflow writes one, which a read-only root does not allow
    assert data["airflow.cfg"].startswith("#")
    for component in ("api-server", "scheduler", "dag-processor", "triggerer", "migrate-database", "worker"):
        pod = chart.pods[component]
        assert {"name": "AIRFLOW_CONFIG", "value": "/opt/airflow/config/airflow.cfg"} in pod.main["env"]
        assert {"name": "config", "mountPath": "/opt/airflow/config", "readOnly": True} in pod.main[
            "volumeMounts"
        ]
        assert pod.main["envFrom"] == [{"configMapRef": {"name": names(chart)["config"]}}]


def names(chart: Chart) -> dict[str, str]:
    """Component -> name of its ConfigMap."""
    return {component: obj["metadata"]["name"] for component, obj in chart.config_maps.items()}


def read_config_maps(pod: Pod) -> set[str]:
    """Every ConfigMap that a pod cannot start without."""
    sources = [source for container in pod.containers for source in container.get("envFrom", [])]
    return {source["configMapRef"]["name"] for source in sources} | {
        volume["configMap"]["name"] for volume in pod.spec.get("volumes", []) if "configMap" in volume
    }


def test_every_pod_reads_config_maps_of_its_own_render(chart: Chart) -> None:
    rendered = {obj["metadata"]["name"] for obj in chart.kind("ConfigMap")}
    wanted = {"config", "modules"}
    for component, pod in chart.pods.items():
        assert read_config_maps(pod) <= rendered, component
        if component not in {"statsd", "postgresql"}:
            own = wanted | ({"pod-template"} & names(chart).keys() if component == "scheduler" else set())
            assert read_config_maps(pod) == {names(chart)[name] for name in own}, component


def copied_chart(directory: Path) -> Path:
    """The tenant chart with one line more in a module, as another version of it would have."""
    copy = directory / "airflow-tenant"
    shutil.copytree(TENANT_CHART, copy)
    with (copy / "files" / "job_alive.py").open("a") as module:
        module.write("# another version\n")
    return copy


@pytest.mark.parametrize(
    ("change", "renamed"),
    [
        ({"config": {"core": {"parallelism": "8"}}}, {"config", "pod-template"}),
        ({"images": {"airflow": {"tag": "3.3.3"}}}, {"pod-template"}),
        ({"workers": {"resources": {"limits": {"memory": "3Gi"}}}}, {"pod-template"}),
        ({"apiServer": {"replicas": 3}}, set()),
        ("another chart", {"modules", "pod-template"}),
    ],
    ids=["configuration", "image", "workers", "replicas", "modules"],
)
def test_a_release_that_fails_on_its_way_changes_nothing_that_earlier_pods_read(
    change: Any, renamed: set[str], tmp_path: Path
) -> None:
    before = render_chart(KUBERNETES)
    if isinstance(change, str):
        after = render_chart(KUBERNETES, copied_chart(tmp_path))
    else:
        after = render_chart(merged(KUBERNETES, change))
    for name, obj in before.config_maps.items():
        assert (names(before)[name] != names(after)[name]) is (name in renamed), name
        assert (obj["data"] != after.config_maps[name]["data"]) is (name in renamed), name


def test_a_changed_configuration_changes_every_airflow_pod_and_the_job() -> None:
    before = render_chart(KUBERNETES)
    after = render_chart(merged(KUBERNETES, {"config": {"core": {"parallelism": "8"}}}))
    changed = {component for component, pod in before.pods.items() if pod != after.pods[component]}
    assert changed == before.pods.keys() - {"statsd", "postgresql"}
    assert before.kind("Job")[0]["metadata"]["name"] != after.kind("Job")[0]["metadata"]["name"]


@pytest.mark.parametrize(
    "change",
    [
        {"images": {"airflow": {"tag": "3.3.3"}}},
        {"migrateDatabaseJob": {"resources": {"limits": {"memory": "2Gi"}}}},
        {"config": {"core": {"parallelism": "8"}}},
        {"secretChecksums": {f"{RELEASE}-metadata": "new"}},
        {"createUserJob": {"users": []}},
    ],
)
def test_a_job_with_another_pod_has_another_name(change: dict[str, Any]) -> None:
    before, after = render_chart(LOCAL).kind("Job")[0], render_chart(merged(LOCAL, change)).kind("Job")[0]
    assert before["spec"] != after["spec"]
    assert before["metadata"]["name"] != after["metadata"]["name"]


def test_a_job_with_the_same_pod_keeps_its_name() -> None:
    before = render_chart(LOCAL).kind("Job")[0]
    after = render_chart(merged(LOCAL, {"apiServer": {"replicas": 3}})).kind("Job")[0]
    assert before == after


def test_labels_alone_of_objects_restart_nothing_when_only_the_chart_version_changes() -> None:
    for pod in render_chart(LOCAL).pods.values():
        assert "helm.sh/chart" not in pod.metadata["labels"]
        assert "app.kubernetes.io/version" not in pod.metadata["labels"]


def test_worker_settings_restart_the_scheduler_only() -> None:
    before = render_chart(KUBERNETES)
    after = render_chart(merged(KUBERNETES, {"workers": {"resources": {"limits": {"memory": "3Gi"}}}}))
    changed = {component for component, pod in before.pods.items() if pod != after.pods[component]}
    assert changed == {"scheduler", "worker"}
    assert after.pods["worker"].main["resources"]["limits"]["memory"] == "3Gi"


def test_a_components_variable_wins_and_no_name_is_there_twice() -> None:
    values = merged(
        FULL,
        {
            "env": [{"name": "A", "value": "global"}, {"name": "AIRFLOW_CONFIG", "value": "/mine"}],
            "scheduler": {"env": [{"name": "A", "value": "own"}, {"name": "B", "value": "$(A)"}]},
        },
    )
    chart = render_chart(values)
    for component, expected in {"scheduler": "own", "triggerer": "global", "worker": "global"}.items():
        names = [variable["name"] for variable in chart.pods[component].main["env"]]
        assert len(names) == len(set(names)), component
        environment = {
            variable["name"]: variable.get("value") for variable in chart.pods[component].main["env"]
        }
        assert environment["A"] == expected
        assert environment["AIRFLOW_CONFIG"] == "/mine"
    # $(A) works only behind A
    own = [variable["name"] for variable in chart.pods["scheduler"].main["env"]]
    assert own.index("A") < own.index("B")


def test_quota_and_limits_are_rendered_as_strings() -> None:
    chart = render_chart(FULL)
    quota = chart[("ResourceQuota", f"{RELEASE}-quota")]["spec"]["hard"]
    assert quota == {"requests.cpu": "4", "pods": "30"}
    (limit,) = chart[("LimitRange", f"{RELEASE}-limits")]["spec"]["limits"]
    assert limit == {
        "type": "Container",
        "default": {"cpu": "1"},
        "defaultRequest": {"cpu": "100m"},
        "max": {"memory": "4Gi"},
    }


def test_the_volume_is_as_asked() -> None:
    values = merged(LOCAL, {"postgresql": {"persistence": {"size": "20Gi", "storageClassName": "fast"}}})
    (claim,) = render_chart(values)[("StatefulSet", f"{RELEASE}-postgresql")]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    (claim,) = render_chart(LOCAL)[("StatefulSet", f"{RELEASE}-postgresql")]["spec"]["volumeClaimTemplates"]
    assert "storageClassName" not in claim["spec"]
