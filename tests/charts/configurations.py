"""Values that the tests render, and what must come out of them."""

from __future__ import annotations

from typing import Any

from tests.charts.support import NAMESPACE, RELEASE, TENANT_CHART, merged

Values = dict[str, Any]

#: What the operator passes for every tenant.
SECRETS: Values = {
    "fernetKeySecretName": f"{RELEASE}-fernet-key",
    "apiSecretKeySecretName": f"{RELEASE}-api-secret-key",
    "jwtSecretName": f"{RELEASE}-jwt-secret",
    "data": {"metadataSecretName": f"{RELEASE}-metadata"},
    "postgresql": {"auth": {"existingSecret": f"{RELEASE}-metadata"}},
}
USERS: Values = {
    "createUserJob": {
        "users": [
            {
                "username": "admin",
                "email": "admin@example.com",
                "firstName": "Team",
                "lastName": "Admin",
                "role": "Admin",
                "passwordSecretName": f"{RELEASE}-admin",
                "passwordSecretKey": "password",
            }
        ]
    }
}
SOURCES: Values = {
    "dags": {
        "sources": [
            {
                "name": "main",
                "subPath": "dags",
                "gitSync": {
                    "repo": "https://git.example.com/payments/dags.git",
                    "ref": "main",
                    "period": "10s",
                    "depth": 1,
                    "credentialsSecretName": "git-http",
                },
            },
            {
                "name": "shared",
                "gitSync": {
                    "repo": "git@git.example.com:platform/shared.git",
                    "credentialsSecretName": "git-ssh",
                },
            },
        ]
    }
}
LOCAL = merged(SECRETS, USERS, SOURCES)
KUBERNETES = merged(LOCAL, {"executor": "KubernetesExecutor"})
#: As little as a plain `helm install` can do: keys inline, no users, no DAG source, no extras.
MINIMAL: Values = {
    "fernetKey": "inline-fernet-value",
    "apiSecretKey": "inline-api-value",
    "jwtSecret": "inline-jwt-value",
    "data": {
        "metadataConnection": {
            "user": "af",
            "pass": "inline-database-value",
            "host": "db.example.com",
            "db": "af",
        }
    },
    "postgresql": {"enabled": False},
    "statsd": {"enabled": False},
    "networkPolicies": {"enabled": False},
}
GROUP = [{"kind": "Group", "name": "payments-devs"}]
FULL = merged(
    KUBERNETES,
    {
        "labels": {
            "airflowtenants.io/tenant": RELEASE,
            "app.kubernetes.io/managed-by": "airflow-tenant-operator",
        },
        "airflowPodAnnotations": {"example.com/pod": "yes"},
        "imagePullSecrets": [{"name": "pull"}],
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team-token", "key": "token"}}},
        ],
        "apiServer": {"replicas": 2},
        "scheduler": {"replicas": 2},
        "dagProcessor": {"podDisruptionBudget": {"enabled": True}},
        "triggerer": {"replicas": 2},
        "networkPolicies": {
            "operatorNamespace": "airflow-tenants-system",
            "operatorPodLabels": {"app.kubernetes.io/name": "airflow-tenant-operator"},
            "monitoring": {"namespace": "monitoring"},
            "kubernetesApi": {"cidrs": ["10.0.0.1/32"], "ports": [6443]},
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 5432}]}],
            "extraIngress": [
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
                    ],
                    "ports": [{"port": 8080}],
                }
            ],
        },
        "quota": {"hard": {"requests.cpu": "4", "pods": 30}},
        "limitRange": {"default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}, "max": {"memory": "4Gi"}},
        "teamAccess": {
            "admins": [{"kind": "User", "name": "ada@example.com"}],
            "editors": GROUP,
            "viewers": [{"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}],
        },
        "secretChecksums": {
            name: f"sum-of-{name}"
            for name in (
                *(
                    f"{RELEASE}-{key}"
                    for key in ("fernet-key", "api-secret-key", "jwt-secret", "metadata", "admin")
                ),
                *("git-http", "git-ssh", "team-token", "unrelated"),
            )
        },
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"a": "b"}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-templated'\n",
        ],
    },
)
RULES: Values = {
    "groups": [
        {
            "name": "payments-slo",
            "interval": "30s",
            "rules": [
                {
                    "record": "slo:objective:ratio",
                    "expr": "vector(0.995)",
                    "labels": {"sloth_id": "payments-settlement", "tenant": RELEASE},
                },
                {
                    "alert": "AirflowSLOBurnFast",
                    "expr": 'slo:current_burn_rate:ratio{tenant="payments"} > 14.4',
                    "for": "2m",
                    "labels": {"severity": "critical", "tenant": RELEASE, "namespace": NAMESPACE},
                    "annotations": {"summary": "{{ $labels.sloth_slo }} burns {{ $value | humanize }}"},
                },
            ],
        }
    ]
}
#: What the operator passes where the cluster has every kind, with the ConfigMap for one that has none.
MONITORED = merged(
    LOCAL,
    {
        "labels": {"airflowtenants.io/tenant": RELEASE, "airflowtenants.io/team": "payments-team"},
        "monitoring": {
            "podMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
            "dashboards": {
                "enabled": True,
                "grafanaDashboard": {
                    "enabled": True,
                    "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
                },
            },
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "rulesConfigMap": {"enabled": True, "labels": {"prometheus_rule": "1"}},
            "rules": RULES,
            "alertmanagerConfig": {
                "enabled": True,
                "labels": {"alertmanager": "main"},
                "spec": {
                    "route": {"receiver": "team", "groupBy": ["alertname"]},
                    "receivers": [
                        {
                            "name": "team",
                            "webhookConfigs": [{"urlSecret": {"name": "payments-alerts", "key": "url"}}],
                        }
                    ],
                },
            },
        },
    },
)
FULL_LOCAL = merged(FULL, {"executor": "LocalExecutor"})

CONFIGURATIONS: dict[str, Values] = {
    "local": LOCAL,
    "kubernetes": KUBERNETES,
    "minimal": MINIMAL,
    "full": FULL,
    "full-local": FULL_LOCAL,
    "monitored": MONITORED,
}

_DEPLOYMENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


def _named(kind: str, *components: str) -> set[tuple[str, str]]:
    return {(kind, f"{RELEASE}-{component}") for component in components}


_CORE = (
    _named("ConfigMap", "config", "modules")
    | _named("ServiceAccount", *_DEPLOYMENTS, "migrate-database")
    | _named("Deployment", *_DEPLOYMENTS)
    | _named("Service", "api-server")
)
_DATABASE = (
    _named("ServiceAccount", "postgresql")
    | _named("Service", "postgresql")
    | _named("StatefulSet", "postgresql")
)
_STATSD = (
    _named("ServiceAccount", "statsd")
    | _named("Service", "statsd")
    | _named("Deployment", "statsd")
    | _named("ConfigMap", "statsd-mapping")
)
_POLICIES = _named(
    "NetworkPolicy", "default-deny", "dns", *_DEPLOYMENTS, "migrate-database", "postgresql", "statsd"
)
_WORKERS = (
    _named("ConfigMap", "pod-template")
    | _named("ServiceAccount", "worker")
    | _named("NetworkPolicy", "worker")
    | _named("Role", "scheduler", "api-server")
    | _named("RoleBinding", "scheduler", "api-server")
)
_TEAM = ("team-viewer", "team-editor", "team-admin")
_FULL_EXTRAS = (
    _named("PodDisruptionBudget", *_DEPLOYMENTS)
    | _named("ResourceQuota", "quota")
    | _named("LimitRange", "limits")
    | _named("Role", *_TEAM)
    | _named("RoleBinding", *_TEAM)
    | {("ConfigMap", "extra"), ("ConfigMap", f"{RELEASE}-templated")}
)

_BOARDS = sorted(path.stem for path in TENANT_CHART.glob("files/dashboards/*.json"))
_MONITORING = (
    {("PodMonitor", RELEASE)}
    | _named("PrometheusRule", "rules")
    | _named("ConfigMap", "rules")
    | _named("AlertmanagerConfig", "alerts")
    | (_named("ConfigMap", "dashboards") if _BOARDS else set())
    | _named("GrafanaDashboard", *_BOARDS)
)

#: Without the migration Job, and without the hash at the end of ConfigMaps' names.
EXPECTED: dict[str, set[tuple[str, str]]] = {
    "local": _CORE | _DATABASE | _STATSD | _POLICIES,
    "kubernetes": _CORE | _DATABASE | _STATSD | _POLICIES | _WORKERS,
    "minimal": _CORE | _named("Secret", "fernet-key", "api-secret-key", "jwt-secret", "metadata"),
    "full": _CORE | _DATABASE | _STATSD | _POLICIES | _WORKERS | _FULL_EXTRAS,
    "full-local": _CORE | _DATABASE | _STATSD | _POLICIES | _FULL_EXTRAS,
    "monitored": _CORE | _DATABASE | _STATSD | _POLICIES | _MONITORING,
}
