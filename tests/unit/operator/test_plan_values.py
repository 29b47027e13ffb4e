from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.operator.support import Counter, secret, tenant

from tenant_operator.plan import secrets, values
from tenant_operator.plan.monitoring import MonitoringDefaults
from tenant_operator.plan.values import Defaults, build, git_port

_USERS = [
    {
        "username": "admin",
        "email": "admin@example.com",
        "firstName": "Team",
        "lastName": "Admin",
        "role": "Admin",
        "passwordSecretName": "payments-admin",
        "passwordSecretKey": "password",
    },
    {
        "username": "airflow-tenant-operator",
        "email": "operator@airflowtenants.io",
        "firstName": "Tenant",
        "lastName": "Operator",
        "role": "Admin",
        "passwordSecretName": "payments-operator",
        "passwordSecretKey": "password",
    },
]
LOGGING = {"json_logs": "True", "logging_level": "INFO", "colored_console_log": "False"}
MINIMAL: dict[str, Any] = {
    "labels": {"airflowtenants.io/tenant": "payments", "airflowtenants.io/team": "pay"},
    "executor": "LocalExecutor",
    "airflowVersion": "3.3.2",
    "images": {"airflow": {}},
    "config": {"logging": LOGGING},
    "env": [],
    "apiServer": {"replicas": 1},
    "scheduler": {"replicas": 1},
    "dagProcessor": {"replicas": 1},
    "triggerer": {"replicas": 1},
    "fernetKeySecretName": "payments-fernet-key",
    "apiSecretKeySecretName": "payments-api-secret-key",
    "jwtSecretName": "payments-jwt-secret",
    "data": {"metadataSecretName": "payments-metadata"},
    "postgresql": {
        "enabled": True,
        "auth": {"existingSecret": "payments-metadata"},
        "persistence": {"size": "5Gi"},
    },
    "secretChecksums": {},
    "createUserJob": {"users": _USERS},
    "dags": {"sources": []},
    "monitoring": {
        "podMonitor": {"enabled": False, "labels": {}},
        "dashboards": {
            "enabled": True,
            "labels": {"grafana_dashboard": "1"},
            "folderAnnotation": "grafana_folder",
            "folder": "pay",
            "grafanaDashboard": {"enabled": False, "instanceSelector": {}},
        },
        "prometheusRule": {"enabled": False, "labels": {}},
        "rulesConfigMap": {"enabled": False, "labels": {}},
        "rules": {"groups": []},
        "alertmanagerConfig": {"enabled": False, "labels": {}, "spec": {}},
    },
    "networkPolicies": {
        "enabled": True,
        "operatorNamespace": "airflow-tenants-system",
        "operatorPodLabels": {"app.kubernetes.io/name": "airflow-tenant-operator"},
        "kubernetesApi": {"ports": [443, 6443]},
        "gitPorts": [],
        "extraEgress": [],
        "extraIngress": [],
    },
    "teamAccess": {"admins": [], "editors": [], "viewers": []},
}
FULL_SPEC: dict[str, Any] = {
    "owner": {"team": "pay", "email": "pay@example.com"},
    "airflow": {
        "version": "3.3.1",
        "image": {
            "repository": "registry.example.com/airflow",
            "tag": "7",
            "pullPolicy": "Always",
            "pullSecrets": [{"name": "registry"}],
        },
        "executor": "KubernetesExecutor",
        "scheduler": {"replicas": 2, "resources": {"requests": {"cpu": 1, "memory": "1Gi"}}},
        "triggerer": {"resources": {"limits": {"memory": "2Gi"}}},
        "workers": {"resources": {"requests": {"cpu": "100m"}}},
        "config": {"core": {"parallelism": "8"}},
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "secretKeyRef": {"name": "s", "key": "k"}},
        ],
    },
    "database": {
        "embedded": {
            "storage": "9Gi",
            "storageClassName": "fast",
            "resources": {"requests": {"cpu": "50m"}},
        }
    },
    "dags": {
        "sources": [
            {
                "name": "main",
                "gitSync": {
                    "repo": "https://git.example.com/x.git",
                    "ref": "release",
                    "subPath": "dags",
                    "period": "10s",
                    "depth": 0,
                    "credentialsSecretRef": {"name": "git"},
                },
            },
            {"name": "other", "gitSync": {"repo": "git@git.example.com:y.git"}},
            {"name": "library", "image": {"path": "/opt/airflow/library"}},
        ]
    },
    "access": {
        "kubernetes": {
            "admins": [{"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}],
            "viewers": [{"kind": "Group", "name": "all"}],
        }
    },
    "quota": {"hard": {"pods": 40}},
    "limits": {"default": {"memory": "1Gi"}, "min": {"cpu": "10m"}},
    "network": {
        "egress": [
            {"cidr": "10.0.0.0/8", "ports": [5432, 5433]},
            {"namespace": "kafka", "podLabels": {"app": "kafka"}, "ports": [9092]},
        ],
        "ingress": [{"namespace": "ingress", "ports": [8080]}],
    },
}
DEFAULTS = Defaults(
    images={"airflow": {"repository": "local/airflow", "tag": "t", "digest": "sha256:1"},
            "statsd": {"repository": "local/statsd"}},
    operator_namespace="ops",
    api_server_addresses=("10.96.0.1", "192.0.2.1"),
    api_server_ports=(443,),
)  # fmt: skip


def test_the_smallest_spec_gives_exactly_these_values() -> None:
    assert build(tenant(), {}, Defaults()) == MINIMAL


def test_a_full_spec_gives_exactly_these_values() -> None:
    checksums = {"z": "2", "a": "1"}
    found = build(tenant(**FULL_SPEC), checksums, DEFAULTS)
    assert found == MINIMAL | {
        "executor": "KubernetesExecutor",
        "airflowVersion": "3.3.1",
        "images": {
            "airflow": {"repository": "registry.example.com/airflow", "tag": "7", "pullPolicy": "Always"},
            "statsd": {"repository": "local/statsd"},
        },
        "imagePullSecrets": [{"name": "registry"}],
        "config": {"core": {"parallelism": "8"}, "logging": LOGGING},
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "scheduler": {"replicas": 2, "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
        "triggerer": {"replicas": 1, "resources": {"limits": {"memory": "2Gi"}}},
        "workers": {"resources": {"requests": {"cpu": "100m"}}},
        "postgresql": {
            "enabled": True,
            "auth": {"existingSecret": "payments-metadata"},
            "persistence": {"size": "9Gi", "storageClassName": "fast"},
            "resources": {"requests": {"cpu": "50m"}},
        },
        "secretChecksums": {"a": "1", "z": "2"},
        "createUserJob": {"users": [_USERS[0] | {"email": "pay@example.com"}, _USERS[1]]},
        "dags": {
            "sources": [
                {
                    "name": "main",
                    "subPath": "dags",
                    "gitSync": {
                        "repo": "https://git.example.com/x.git",
                        "ref": "release",
                        "period": "10s",
                        "depth": 0,
                        "credentialsSecretName": "git",
                    },
                },
                {
                    "name": "other",
                    "subPath": "",
                    "gitSync": {
                        "repo": "git@git.example.com:y.git",
                        "ref": "main",
                        "period": "30s",
                        "depth": 1,
                    },
                },
                {"name": "library", "image": {"path": "/opt/airflow/library"}},
            ]
        },
        "networkPolicies": {
            "enabled": True,
            "operatorNamespace": "ops",
            "operatorPodLabels": {"app.kubernetes.io/name": "airflow-tenant-operator"},
            "kubernetesApi": {"ports": [443], "cidrs": ["10.96.0.1/32", "192.0.2.1/32"]},
            "gitPorts": [22, 443],
            "extraEgress": [
                {
                    "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                    "ports": [{"protocol": "TCP", "port": 5432}, {"protocol": "TCP", "port": 5433}],
                },
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kafka"}},
                            "podSelector": {"matchLabels": {"app": "kafka"}},
                        }
                    ],
                    "ports": [{"protocol": "TCP", "port": 9092}],
                },
            ],
            "extraIngress": [
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
                    ],
                    "ports": [{"protocol": "TCP", "port": 8080}],
                }
            ],
        },
        "teamAccess": {
            "admins": [{"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}],
            "editors": [],
            "viewers": [{"kind": "Group", "name": "all", "apiGroup": "rbac.authorization.k8s.io"}],
        },
        "quota": {"hard": {"pods": "40"}},
        "limitRange": {"default": {"memory": "1Gi"}, "min": {"cpu": "10m"}},
    }
    assert list(found["secretChecksums"]) == ["a", "z"], "sorted: equal values must be equal bytes"


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ({}, {"repository": "local/airflow", "tag": "t", "digest": "sha256:1"}),
        (
            {"repository": "own"},
            {"repository": "own", "tag": "3.3.2"},
        ),
        (
            {"tag": "x"},
            {"repository": "local/airflow", "tag": "x"},
        ),
    ],
)
def test_the_team_s_image_goes_over_the_installation_s(image: dict[str, str], wanted: dict[str, str]) -> None:
    found = build(tenant(airflow={"image": image}), {}, DEFAULTS)
    assert found["images"]["airflow"] == wanted
    assert DEFAULTS.images["airflow"]["tag"] == "t", "the defaults are everybody's"


def test_another_version_is_another_tag() -> None:
    """The installation's tag and digest are those of its default version."""
    found = build(tenant(airflow={"version": "3.3.9"}), {}, DEFAULTS)
    assert found["images"]["airflow"] == {"repository": "local/airflow", "tag": "3.3.9"}


def test_the_addresses_of_the_kubernetes_api_are_single_ones() -> None:
    defaults = Defaults(api_server_addresses=("10.0.0.1", "fd00::1"))
    found = build(tenant(), {}, defaults)
    assert found["networkPolicies"]["kubernetesApi"]["cidrs"] == ["10.0.0.1/32", "fd00::1/128"]


@pytest.mark.parametrize(
    ("repo", "port"),
    [
        ("https://git.example.com/x.git", 443),
        ("http://git.example.com/x.git", 80),
        ("http://git.example.com:3000/x.git", 3000),
        ("https://git.example.com:8443/x.git", 8443),
        ("ssh://git@git.example.com/x.git", 22),
        ("ssh://git@git.example.com:2222/x.git", 2222),
        ("git@git.example.com:team/x.git", 22),
        ("git://git.example.com/x", 9418),
        ("https://[2001:db8::1]:8443/x", 8443),
        ("https://[2001:db8::1/x", 443),
        ("https://git.example.com:port/x", 443),
        ("https://git.example.com:99999/x", 443),
    ],
)
def test_the_port_of_a_git_url(repo: str, port: int) -> None:
    assert git_port(repo) == port


def test_no_secret_is_ever_among_the_values() -> None:
    team = tenant(
        **FULL_SPEC,
        connections=[{"id": "c", "type": "http", "passwordSecretRef": {"name": "s", "key": "k"}}],
        variables=[{"key": "v", "valueSecretRef": {"name": "s", "key": "k"}}],
    )
    existing = {name: secret(name, k="hush-1") for name in ("s",)}
    existing["git"] = secret("git", username="u", password="hush-2")
    existing["registry"] = secret("registry", **{".dockerconfigjson": "hush-3"})
    for made in secrets.missing(team, existing, Counter()):
        existing[made["metadata"]["name"]] = made
    resolved = secrets.resolve(team, existing)
    text = json.dumps(values.build(team, resolved.checksums, Defaults()))
    assert "hush" not in text
    assert "token-" not in text
    assert "fernet-1" not in text


def test_the_same_tenant_gives_the_same_bytes() -> None:
    one, two = (json.dumps(build(tenant(**FULL_SPEC), {"b": "1", "a": "2"}, DEFAULTS)) for _ in range(2))
    assert one == two


def test_the_database_s_exporter_runs_where_the_installation_wants_it_and_the_tenant_is_watched() -> None:
    def metrics(*, wanted: bool, watched: bool) -> object:
        defaults = Defaults(monitoring=MonitoringDefaults(database_metrics=wanted))
        return build(tenant(monitoring={"enabled": watched}), {}, defaults)["postgresql"].get("metrics")

    assert metrics(wanted=True, watched=True) == {"enabled": True}
    assert metrics(wanted=False, watched=True) is None
    assert metrics(wanted=True, watched=False) is None


def test_an_exception_from_the_wall_may_be_for_udp() -> None:
    peer = {"namespace": "datadog", "ports": [8125], "protocol": "UDP"}
    [rule] = build(tenant(network={"egress": [peer]}), {}, Defaults())["networkPolicies"]["extraEgress"]
    assert rule["ports"] == [{"protocol": "UDP", "port": 8125}]


def test_a_range_may_leave_out_what_must_stay_closed() -> None:
    peer = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"], "ports": [443]}
    [rule] = build(tenant(network={"egress": [peer]}), {}, Defaults())["networkPolicies"]["extraEgress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]


@pytest.mark.parametrize(
    ("cidr", "out", "closed"),
    [
        ("128.0.0.0/1", [], ["169.254.0.0/16"]),
        ("169.0.0.0/8", ["169.1.0.0/16"], ["169.1.0.0/16", "169.254.0.0/16"]),
        ("128.0.0.0/1", ["169.0.0.0/8"], ["169.0.0.0/8"]),
        ("0.0.0.0/1", [], None),
        ("169.254.170.23/32", [], None),  # who wants it reached names it
        ("169.254.0.0/16", [], None),
        ("8000::/1", [], ["fe80::/10", "fd00:ec2::254/128"]),
        ("fd00::/8", [], ["fd00:ec2::254/128"]),
        ("10.20.0.0/16", [], None),
    ],
)
def test_a_large_range_does_not_open_the_node_s_metadata(
    cidr: str, out: list[str], closed: list[str] | None
) -> None:
    peer = {"cidr": cidr, "except": out, "ports": [443]}
    [rule] = build(tenant(network={"egress": [peer]}), {}, Defaults())["networkPolicies"]["extraEgress"]
    assert rule["to"][0]["ipBlock"].get("except") == closed
