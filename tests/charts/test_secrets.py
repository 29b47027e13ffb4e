"""Who gets which secret, and that no secret value lies anywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.charts.configurations import CONFIGURATIONS, FULL, FULL_LOCAL, KUBERNETES, LOCAL, MINIMAL
from tests.charts.support import RELEASE, Chart, Pod, merged, refused, render_chart

URL = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"{RELEASE}-metadata", "connection")
FERNET = ("AIRFLOW__CORE__FERNET_KEY", f"{RELEASE}-fernet-key", "fernet-key")
JWT = ("AIRFLOW__API_AUTH__JWT_SECRET", f"{RELEASE}-jwt-secret", "jwt-secret")
API = ("AIRFLOW__API__SECRET_KEY", f"{RELEASE}-api-secret-key", "api-secret-key")
ADMIN = ("TENANT_USER_0_PASSWORD", f"{RELEASE}-admin", "password")
POSTGRES = ("POSTGRES_PASSWORD", f"{RELEASE}-metadata", "postgres-password")

COMMON = {
    "api-server": {URL, FERNET, JWT, API},
    "dag-processor": {URL, FERNET},
    "triggerer": {URL, FERNET, JWT, API},
    "migrate-database": {URL, FERNET, ADMIN},
    "postgresql": {POSTGRES},
    "statsd": set(),
}
TABLE: dict[str, dict[str, set[tuple[str, str, str]]]] = {
    "LocalExecutor": {**COMMON, "scheduler": {URL, FERNET, JWT, API}},
    "KubernetesExecutor": {**COMMON, "scheduler": {URL, FERNET, JWT}, "worker": set()},
}


def references(container: dict[str, Any]) -> set[tuple[str, str, str]]:
    """(variable, Secret, key) of each secret that a container reads."""
    return {
        (variable["name"], reference["name"], reference["key"])
        for variable in container.get("env", [])
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
    }


def git_secrets(pod: Pod) -> set[str]:
    """Secrets of the git-sync containers, as variables or as volumes."""
    names = {
        secret
        for container in pod.containers
        if container["name"].startswith("git-sync")
        for _, secret, _ in references(container)
    }
    return names | {
        volume["secret"]["secretName"] for volume in pod.spec.get("volumes", []) if "secret" in volume
    }


@pytest.mark.parametrize("values", [LOCAL, KUBERNETES], ids=["local", "kubernetes"])
def test_each_component_reads_exactly_its_secrets(values: dict[str, Any]) -> None:
    executor = values.get("executor", "LocalExecutor")
    pods = render_chart(values).pods
    assert {component: references(pod.main) for component, pod in pods.items()} == TABLE[executor]


def test_no_pod_takes_a_whole_secret(chart: Chart) -> None:
    for pod in chart.pods.values():
        for container in pod.containers:
            assert all("secretRef" not in source for source in container.get("envFrom", []))


def test_tasks_of_the_kubernetes_executor_see_the_teams_own_secrets_only() -> None:
    worker = render_chart(FULL).pods["worker"]
    assert references(worker.main) == {("TOKEN", "team-token", "token")}
    assert git_secrets(worker) == {"git-http", "git-ssh"}


def test_git_credentials_reach_git_sync_only() -> None:
    pods = render_chart(LOCAL).pods
    for component in ("dag-processor", "triggerer", "scheduler"):
        pod = pods[component]
        assert git_secrets(pod) == {"git-http", "git-ssh"}
        http = pod.container("git-sync-main")
        assert references(http) == {
            ("GITSYNC_USERNAME", "git-http", "username"),
            ("GITSYNC_PASSWORD", "git-http", "password"),
        }
        ssh = pod.container("git-sync-shared")
        assert references(ssh) == set()
        environment = {variable["name"]: variable["value"] for variable in ssh["env"]}
        assert environment["GITSYNC_SSH_KEY_FILE"] == "/etc/git-secret/ssh"
        mounted = {mount["name"] for mount in ssh["volumeMounts"]}
        assert "git-secret-shared" in mounted
        assert "git-secret-shared" not in {mount["name"] for mount in pod.main["volumeMounts"]}
    assert git_secrets(pods["api-server"]) == set()


INLINE = ("inline-fernet-value", "inline-api-value", "inline-jwt-value", "inline-database-value")


def test_inline_secrets_are_in_secrets_and_nowhere_else() -> None:
    chart = render_chart(MINIMAL)
    for value in INLINE:
        holders = {key for key, obj in chart.objects.items() if value in str(obj)}
        assert len(holders) == 1, value
        assert {kind for kind, _ in holders} == {"Secret"}
    for name, key in {
        "fernet-key": "fernet-key",
        "api-secret-key": "api-secret-key",
        "jwt-secret": "jwt-secret",
    }.items():
        assert chart[("Secret", f"{RELEASE}-{name}")]["stringData"].keys() == {key}


def test_no_secret_is_rendered_when_names_are_given() -> None:
    for name in ("local", "kubernetes", "full"):
        assert render_chart(CONFIGURATIONS[name]).kind("Secret") == []


def test_a_password_with_special_characters_gives_a_right_url() -> None:
    password = "p@ss w/o:rd?#%+é\"'"
    values = merged(MINIMAL, {"postgresql": {"enabled": True, "auth": {"password": password}}})
    values["data"] = {}
    chart = render_chart(values)
    from urllib.parse import unquote, urlsplit

    url = urlsplit(chart[("Secret", f"{RELEASE}-metadata")]["stringData"]["connection"])
    assert (url.scheme, url.hostname, url.port, url.path) == (
        "postgresql+psycopg2",
        f"{RELEASE}-postgresql",
        5432,
        "/airflow",
    )
    assert unquote(url.password or "") == password
    assert chart[("Secret", f"{RELEASE}-postgresql")]["stringData"] == {"postgres-password": password}


def test_sslmode_is_spelt_for_both_drivers() -> None:
    chart = render_chart(merged(MINIMAL, {"data": {"metadataConnection": {"sslmode": "require"}}}))
    data = chart[("Secret", f"{RELEASE}-metadata")]["stringData"]
    assert data["connection"].endswith("?sslmode=require")
    assert data["connection-async"].startswith("postgresql+asyncpg://")
    assert data["connection-async"].endswith("?ssl=require")
    wanted = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", f"{RELEASE}-metadata", "connection-async")
    assert wanted in references(chart.pods["api-server"].main)
    assert "connection-async" not in render_chart(MINIMAL)[("Secret", f"{RELEASE}-metadata")]["stringData"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "set fernetKeySecretName"),
        ({}, "set jwtSecretName"),
        ({}, "set apiSecretKeySecretName"),
        ({}, "set postgresql.auth.existingSecret"),
        ({"postgresql": {"enabled": False}}, "set data.metadataSecretName"),
        (merged(LOCAL, {"data": {"metadataSecretName": ""}}), "needs data.metadataSecretName too"),
        (merged(LOCAL, {"data": {"metadataConnection": {"host": "db"}}}), "is for an external database"),
    ],
)
def test_missing_secrets_are_named(values: dict[str, Any], message: str) -> None:
    assert message in refused(values)


def checksums(pod: Pod) -> set[str]:
    return {
        key.removeprefix("checksum/secret.")
        for key in pod.metadata.get("annotations", {})
        if key.startswith("checksum/secret.")
    }


def test_a_pod_restarts_for_exactly_the_secrets_that_it_reads() -> None:
    fernet, jwt, api, metadata, admin = (
        f"{RELEASE}-{name}" for name in ("fernet-key", "jwt-secret", "api-secret-key", "metadata", "admin")
    )
    team = {"team-token"}
    git = {"git-http", "git-ssh"}
    pods = render_chart(FULL_LOCAL).pods
    assert {component: checksums(pod) for component, pod in pods.items()} == {
        "api-server": {metadata, fernet, jwt, api} | team,
        "scheduler": {metadata, fernet, jwt, api} | team | git,
        "dag-processor": {metadata, fernet} | team | git,
        "triggerer": {metadata, fernet, jwt, api} | team | git,
        "migrate-database": {metadata, fernet, admin} | team,
        # reads its password once, for a new volume: a restart would change nothing
        "postgresql": set(),
        "statsd": set(),
    }
    kubernetes = render_chart(FULL).pods
    assert checksums(kubernetes["scheduler"]) == {metadata, fernet, jwt} | team | git
    # a worker pod is new for each task
    assert checksums(kubernetes["worker"]) == set()


def test_a_new_checksum_changes_the_pod_and_the_jobs_name() -> None:
    before = render_chart(FULL)
    after = render_chart(merged(FULL, {"secretChecksums": {f"{RELEASE}-admin": "new"}}))
    assert before.kind("Job")[0]["metadata"]["name"] != after.kind("Job")[0]["metadata"]["name"]
    assert before[("Deployment", f"{RELEASE}-scheduler")] == after[("Deployment", f"{RELEASE}-scheduler")]


def test_inline_secrets_restart_their_pods_without_telling_the_value() -> None:
    def annotation(values: dict[str, Any], component: str) -> str | None:
        found: str | None = (
            render_chart(values).pods[component].metadata["annotations"].get("checksum/inline-secrets")
        )
        return found

    before, after = (
        annotation(MINIMAL, "triggerer"),
        annotation(merged(MINIMAL, {"jwtSecret": "other"}), "triggerer"),
    )
    assert before is not None
    assert len(before) == 8
    assert before != after


def test_long_secret_names_fit_an_annotation() -> None:
    name = "a" * 120
    values = merged(
        LOCAL,
        {
            "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}],
            "secretChecksums": {name: "1"},
        },
    )
    (key,) = checksums(render_chart(values).pods["api-server"])
    assert len(f"secret.{key}") <= 63
