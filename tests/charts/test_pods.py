"""Pod Security, identities, resources, probes and updates of every pod."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.charts.configurations import FULL, FULL_LOCAL, KUBERNETES, LOCAL
from tests.charts.support import RELEASE, Chart, Pod, merged, render_chart

from tenant_operator.plan import fetch

JOB_ALIVE = ["python", "/opt/airflow/config/job_alive.py"]


def all_pods(chart: Chart) -> list[Pod]:
    return list(chart.pods.values())


def test_every_pod_meets_the_restricted_standard(chart: Chart) -> None:
    allowed_volumes = {"configMap", "emptyDir", "secret"}
    for pod in all_pods(chart):
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.component
        assert security["runAsUser"] > 0, pod.component
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.component
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys(), pod.component
        for volume in pod.spec.get("volumes", []):
            assert volume.keys() - {"name"} <= allowed_volumes, pod.component
        for container in pod.containers:
            own = container["securityContext"]
            where = (pod.component, container["name"])
            assert own["allowPrivilegeEscalation"] is False, where
            assert own["readOnlyRootFilesystem"] is True, where
            assert own["capabilities"] == {"drop": ["ALL"]}, where
            assert own.get("runAsUser", 1) > 0, where
            assert all("hostPort" not in port for port in container.get("ports", [])), where


def test_every_container_says_what_it_needs(chart: Chart) -> None:
    for pod in all_pods(chart):
        for container in pod.containers:
            resources = container["resources"]
            where = (pod.component, container["name"])
            assert {"cpu", "memory"} <= resources["requests"].keys(), where
            assert "memory" in resources["limits"], where


def test_containers_tell_why_they_ended(chart: Chart) -> None:
    for pod in all_pods(chart):
        for container in pod.containers:
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", pod.component


@pytest.mark.parametrize(
    ("values", "with_token"),
    [(FULL_LOCAL, set()), (FULL, {"scheduler", "api-server"})],
    ids=["local", "kubernetes"],
)
def test_only_components_that_need_the_kubernetes_api_get_a_token(
    values: dict[str, Any], with_token: set[str]
) -> None:
    chart = render_chart(values)
    for component, pod in chart.pods.items():
        assert pod.spec["serviceAccountName"] == f"{RELEASE}-{component}"
        account = chart[("ServiceAccount", f"{RELEASE}-{component}")]
        expected = component in with_token
        assert pod.spec["automountServiceAccountToken"] is expected, component
        assert account["automountServiceAccountToken"] is expected, component
        assert pod.spec["enableServiceLinks"] is False


@pytest.mark.covers("S002-25")
def test_rights_in_the_kubernetes_api_are_what_the_executor_uses() -> None:
    chart = render_chart(KUBERNETES)
    for component, pod in chart.pods.items():
        assert ("ServiceAccount", f"{RELEASE}-{component}") in chart.objects
        assert pod.spec["serviceAccountName"] == f"{RELEASE}-{component}"
    assert {role["metadata"]["name"] for role in chart.kind("Role")} == {
        f"{RELEASE}-scheduler",
        f"{RELEASE}-api-server",
    }
    assert chart[("Role", f"{RELEASE}-scheduler")]["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["pods"],
            "verbs": ["create", "delete", "get", "list", "patch", "watch"],
        }
    ]
    assert chart[("Role", f"{RELEASE}-api-server")]["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    for role in ("scheduler", "api-server"):
        binding = chart[("RoleBinding", f"{RELEASE}-{role}")]
        assert binding["roleRef"]["name"] == f"{RELEASE}-{role}"
        assert [subject["name"] for subject in binding["subjects"]] == [f"{RELEASE}-{role}"]


def test_the_teams_people_never_read_secrets() -> None:
    chart = render_chart(FULL)
    rules = {
        name: chart[("Role", f"{RELEASE}-team-{name}")]["rules"] for name in ("viewer", "editor", "admin")
    }
    granted = {
        name: {(resource, verb) for rule in some for resource in rule["resources"] for verb in rule["verbs"]}
        for name, some in rules.items()
    }
    for rights in granted.values():
        assert {verb for resource, verb in rights if resource == "secrets"} <= {"create"}
        assert "*" not in {word for right in rights for word in right}
    assert granted["viewer"] < granted["editor"] < granted["admin"]
    assert {verb for _, verb in granted["viewer"]} == {"get", "list", "watch"}
    assert granted["editor"] - granted["viewer"] == {("pods", "delete"), ("pods/portforward", "create")}
    assert granted["admin"] - granted["editor"] == {("secrets", "create")}


def test_subjects_become_bindings() -> None:
    chart = render_chart(FULL)
    subjects = {
        name: chart[("RoleBinding", f"{RELEASE}-team-{name}")]["subjects"]
        for name in ("viewer", "editor", "admin")
    }
    assert subjects["viewer"] == [{"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}]
    group = {"kind": "Group", "name": "payments-devs", "apiGroup": "rbac.authorization.k8s.io"}
    assert subjects["editor"] == [group]
    assert subjects["admin"][0]["kind"] == "User"


@pytest.mark.parametrize("component", ["api-server", "scheduler", "dag-processor", "triggerer"])
def test_an_update_keeps_the_old_pod_until_the_new_one_is_ready(component: str) -> None:
    for values in (LOCAL, KUBERNETES):
        spec = render_chart(values)[("Deployment", f"{RELEASE}-{component}")]["spec"]
        assert spec["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert {rule["whenUnsatisfiable"] for rule in spread} == {"ScheduleAnyway"}
        assert [rule["labelSelector"]["matchLabels"] for rule in spread] == [
            spec["selector"]["matchLabels"]
        ] * 2


#: These run in replicas; the others (PostgreSQL, StatsD) are one pod each.
REPLICATED = {
    "api-server": "apiServer",
    "scheduler": "scheduler",
    "dag-processor": "dagProcessor",
    "triggerer": "triggerer",
}


def replicated(number: int, **more: Any) -> Chart:
    return render_chart(
        merged(KUBERNETES, {name: {"replicas": number} for name in REPLICATED.values()}, more)
    )


@pytest.mark.covers("S003-01")
def test_replicas_are_spread_over_zones_and_a_drain_takes_one_at_a_time() -> None:
    chart = replicated(3)
    workloads = [*chart.kind("Deployment"), *chart.kind("StatefulSet")]
    sizes = {
        one["metadata"]["name"].removeprefix(f"{RELEASE}-"): one["spec"]["replicas"] for one in workloads
    }
    assert sizes == dict.fromkeys(REPLICATED, 3) | {"postgresql": 1, "statsd": 1}
    for name in REPLICATED:
        spec = chart[("Deployment", f"{RELEASE}-{name}")]["spec"]
        rules = spec["template"]["spec"]["topologySpreadConstraints"]
        [zone] = [rule for rule in rules if rule["topologyKey"] == "topology.kubernetes.io/zone"]
        assert zone == {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            # a cluster of one zone starts, and a zone that is lost is replaced in the others
            "whenUnsatisfiable": "ScheduleAnyway",
            "matchLabelKeys": ["pod-template-hash"],
            "labelSelector": {"matchLabels": spec["selector"]["matchLabels"]},
        }
        budget = chart[("PodDisruptionBudget", f"{RELEASE}-{name}")]["spec"]
        assert budget == {"maxUnavailable": 1, "selector": zone["labelSelector"]}
    assert len(replicated(2).kind("PodDisruptionBudget")) == len(REPLICATED)
    assert not render_chart(KUBERNETES).kind("PodDisruptionBudget"), "it would stop every drain"


@pytest.mark.covers("S003-01")
def test_a_cluster_that_has_three_zones_may_insist_on_them() -> None:
    strict = {
        "maxSkew": 1,
        "minDomains": 3,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": RELEASE}},
    }
    chart = replicated(3, topologySpreadConstraints=[strict])
    for name in REPLICATED:
        assert chart.pods[name].spec["topologySpreadConstraints"] == [strict], name


def seconds_until_restart(probe: dict[str, Any]) -> int:
    period: int = probe["periodSeconds"]
    return period * int(probe.get("failureThreshold", 3))


def test_dead_schedulers_processors_and_triggerers_are_noticed_but_not_at_once() -> None:
    pods = render_chart(LOCAL).pods
    for component, job in {"dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}.items():
        main = pods[component].main
        assert main["livenessProbe"]["exec"]["command"] == [*JOB_ALIVE, job]
        assert main["startupProbe"]["exec"]["command"] == [*JOB_ALIVE, job]
        # 60 s without heartbeat plus this: longer than a database restart, far shorter than nobody noticing
        assert 60 <= seconds_until_restart(main["livenessProbe"]) <= 120
    scheduler = pods["scheduler"].main
    assert scheduler["livenessProbe"]["httpGet"] == {"path": "/health", "port": "health"}
    assert 60 <= seconds_until_restart(scheduler["livenessProbe"]) <= 120
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        main = pods[component].main
        assert seconds_until_restart(main["startupProbe"]) >= 300, component
        assert main["livenessProbe"]["timeoutSeconds"] >= 10, component


def test_probes_go_to_ports_that_the_container_has(chart: Chart) -> None:
    for pod in all_pods(chart):
        for container in pod.containers:
            ports = {port["name"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container.get(kind, {})
                for action in ("httpGet", "tcpSocket"):
                    if action in probe:
                        assert probe[action]["port"] in ports, (pod.component, kind)


def test_a_busy_api_server_keeps_its_endpoint_and_a_starting_one_has_none() -> None:
    chart = render_chart(LOCAL)
    main = chart.pods["api-server"].main
    assert main["startupProbe"]["httpGet"]["path"] == "/execution/health"
    assert main["readinessProbe"]["httpGet"]["path"] == "/api/v2/version"
    assert seconds_until_restart(main["readinessProbe"]) >= 60
    assert main["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    # it would send requests to the new pod of a bad change
    assert "publishNotReadyAddresses" not in chart[("Service", f"{RELEASE}-api-server")]["spec"]


def test_a_local_scheduler_is_asked_to_drain_and_serves_logs() -> None:
    local = render_chart(LOCAL).pods["scheduler"]
    assert {"name": "DUMB_INIT_SETSID", "value": "0"} in local.main["env"]
    assert 8793 in [port["containerPort"] for port in local.main["ports"]]
    kubernetes = render_chart(KUBERNETES).pods["scheduler"]
    assert "DUMB_INIT_SETSID" not in [variable["name"] for variable in kubernetes.main["env"]]
    assert 8793 not in [port["containerPort"] for port in kubernetes.main["ports"]]


def test_components_wait_for_migrations_without_starting_airflow(chart: Chart, configuration: str) -> None:
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        waiting = chart.pods[component].containers[0]
        assert waiting["name"] == "wait-for-migrations"
        assert waiting["command"][:3] == ["python", "/opt/airflow/config/wait_for_database.py", "migrated"]
        assert ("--users" in waiting["command"]) is (configuration != "minimal")
        assert [variable["name"] for variable in waiting["env"]] == ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    migrating = chart.pods["migrate-database"]
    assert migrating.containers[0]["command"][2] == "connected"
    assert migrating.main["args"] == ["python", "/opt/airflow/config/migrate_database.py"]
    assert migrating.spec["restartPolicy"] == "Never"


def test_scheduling_wishes_reach_pods_and_a_components_own_win() -> None:
    wishes = {
        "nodeSelector": {"pool": "airflow"},
        "tolerations": [{"key": "airflow", "operator": "Exists"}],
        "scheduler": {"nodeSelector": {"pool": "scheduler"}, "priorityClassName": "high"},
    }
    for component, pod in render_chart(merged(KUBERNETES, wishes)).pods.items():
        pool = "scheduler" if component == "scheduler" else "airflow"
        assert pod.spec["nodeSelector"] == {"pool": pool}
        assert pod.spec["tolerations"] == wishes["tolerations"]
        assert pod.spec.get("priorityClassName") == ("high" if component == "scheduler" else None)


def test_images_are_by_digest_or_by_tag() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    images = {
        "airflow": {"repository": "example.com/airflow", "digest": digest},
        "gitSync": {"repository": "example.com/git-sync", "tag": "v1"},
    }
    for pod in render_chart(merged(KUBERNETES, {"images": images})).pods.values():
        for container in pod.containers:
            if container["name"].startswith("git-sync"):
                assert container["image"] == "example.com/git-sync:v1"
            elif pod.component not in {"statsd", "postgresql"}:
                assert container["image"] == f"example.com/airflow@{digest}"


def test_no_image_is_latest(chart: Chart) -> None:
    for pod in all_pods(chart):
        for container in pod.containers:
            assert ":" in container["image"]
            assert not container["image"].endswith(":latest")


def test_git_follows_in_living_pods_and_is_fetched_once_for_tasks() -> None:
    chart = render_chart(FULL)
    local = render_chart(FULL_LOCAL)
    living = [chart.pods["dag-processor"], chart.pods["triggerer"], local.pods["scheduler"]]
    for pod in living:
        names = [container["name"] for container in pod.spec["initContainers"]]
        sidecars = ["git-sync-main", "git-sync-shared"]
        assert names == ["wait-for-migrations", "git-sync-init-main", "git-sync-init-shared", *sidecars]
        for index, name in enumerate(sidecars):
            sidecar = pod.container(name)
            assert sidecar["restartPolicy"] == "Always"
            assert {"--max-failures=-1", f"--http-bind=:{2020 + index}", "--http-metrics"} <= set(
                sidecar["args"]
            )
            assert "--one-time" not in sidecar["args"]
            assert sidecar["ports"][0]["containerPort"] == 2020 + index
    for pod in [*living, chart.pods["worker"]]:
        for name in ("git-sync-init-main", "git-sync-init-shared"):
            args = pod.container(name)["args"]
            assert "--one-time" in args
            assert not [arg for arg in args if arg.startswith(("--period", "--http-bind", "--max-failures"))]
    worker = [container["name"] for container in chart.pods["worker"].spec["initContainers"]]
    assert worker == ["git-sync-init-main", "git-sync-init-shared"]
    # a repository that cannot be fetched must keep the new pod template from taking over
    scheduler = [container["name"] for container in chart.pods["scheduler"].spec["initContainers"]]
    assert scheduler == ["wait-for-migrations", *worker]
    api_server = chart.pods["api-server"].spec["initContainers"]
    assert [container["name"] for container in api_server] == ["wait-for-migrations"]


def test_git_arguments_are_those_of_the_source() -> None:
    args = render_chart(LOCAL).pods["dag-processor"].container("git-sync-main")["args"]
    assert args[:5] == [
        "--repo=https://git.example.com/payments/dags.git",
        "--ref=main",
        "--depth=1",
        "--root=/git/main",
        "--link=current",
    ]
    assert "--period=10s" in args
    shared = render_chart(LOCAL).pods["dag-processor"].container("git-sync-shared")["args"]
    assert {"--ref=HEAD", "--depth=1", "--period=30s"} <= set(shared)


def test_the_operator_finds_every_git_sync_that_follows_a_branch_and_no_other() -> None:
    """The names and flags that the chart writes are those that a request to fetch looks for."""
    pods = {
        component: {
            "metadata": {"name": component},
            "spec": pod.spec,
            "status": {
                "initContainerStatuses": [
                    {"name": container["name"], "state": {"running": {}}} for container in pod.containers
                ]
            },
        }
        for component, pod in render_chart(LOCAL).pods.items()
    }
    audience = fetch.audience(pods.values(), ["main", "shared"], now=time.time())
    following = ("dag-processor", "scheduler", "triggerer")
    assert [(target.pod, target.container) for target in audience.found] == [
        (component, f"git-sync-{source}") for component in following for source in ("main", "shared")
    ]
    assert not audience.young
    assert not audience.absent


def test_airflow_reads_git_and_git_sync_writes_it() -> None:
    pod = render_chart(LOCAL).pods["dag-processor"]
    assert pod.spec["securityContext"]["fsGroup"] == 65533
    assert {"name": "git", "mountPath": "/git", "readOnly": True} in pod.main["volumeMounts"]
    sidecar = pod.container("git-sync-main")
    assert sidecar["securityContext"]["runAsUser"] == 65533
    assert {"name": "git", "mountPath": "/git"} in sidecar["volumeMounts"]
