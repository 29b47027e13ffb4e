"""Bad input, who refuses it, and in which words: the data of the tests and of docs/bad-input.md.

`python -m tests.controller.bad_input > docs/bad-input.md` writes the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bad-input.md"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """`kubectl apply` fails: nothing is stored. `message` is the end of what the API server says."""

    title: str
    spec: Spec
    message: str
    name: str = ""
    #: the spec before, for edits
    before: Spec | None = None


@dataclass(frozen=True)
class Told:
    """Stored, but not carried out: a condition says why. {tenant} and {namespace} stand for the names.

    `aside`: Airflow works all the same, so Ready does not repeat it.
    """

    title: str
    spec: Spec
    condition: str
    reason: str
    message: str
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    aside: bool = False


def source(**git: Any) -> Spec:
    """A spec with one DAG source."""
    repo = {"repo": "https://git.example.com/dags.git", **git}
    return {"dags": {"sources": [{"name": "main", "gitSync": repo}]}}


def connection(**fields: Any) -> Spec:
    """A spec with one connection."""
    return {"connections": [{"id": "db", "type": "postgres", **fields}]}


def slo(**fields: Any) -> Spec:
    """A spec with one service level objective."""
    return {"monitoring": {"slo": [{"name": "runs", "metric": "dagRunSuccess", "objective": "99", **fields}]}}


def env(**fields: Any) -> Spec:
    """A spec with one environment variable."""
    return {"airflow": {"env": [{"name": "TOKEN", **fields}]}}


_REPO = 'spec.dags.sources[0].gitSync.repo: Invalid value: "string": '
_GIT_URL = _REPO + "must be a Git URL: https://, http://, ssh://, git:// or user@host:path"
_CREDENTIALS = _REPO + "must not hold credentials: put them into a Secret and name it in credentialsSecretRef"
_DASH = _REPO + "must not hold a user or host that begins with '-'"
_NAME = "metadata.name must start with a letter and hold only lower case letters, digits and '-'"
_KEY_OF = {"name": "token", "key": "value"}
_OBJECTIVE = (
    'spec.monitoring.slo[0].objective: Invalid value: "string": '
    'must be a percentage above 0 and below 100, for example "99.5"'
)
_THRESHOLD = (
    'spec.monitoring.slo[0]: Invalid value: "object": '
    "threshold goes with metric dagRunDuration and scheduleDelay, and only with them"
)

REFUSED: tuple[Refused, ...] = (
    Refused(
        "a name of more than 40 characters",
        {},
        "metadata.name must be at most 40 characters: it becomes part of every name",
        name="x" * 41,
    ),
    Refused("a dot in the name", {}, _NAME, name="team.payments"),
    Refused("a name that begins with a digit", {}, _NAME, name="1st-team"),
    Refused("an unknown field", {"nonsense": 1}, 'unknown field "spec.nonsense"'),
    Refused(
        "a misspelt field deep inside",
        {"airflow": {"scheduler": {"replica": 2}}},
        'unknown field "spec.airflow.scheduler.replica"',
    ),
    Refused(
        "no team",
        {"owner": {"team": ""}},
        'spec.owner.team: Invalid value: "": spec.owner.team in body should be at least 1 chars long',
    ),
    Refused(
        "a team that is no label value",
        {"owner": {"team": "data team"}},
        'spec.owner.team: Invalid value: "string": must be a label value',
    ),
    Refused(
        "an address that is none",
        {"owner": {"team": "t", "email": "nobody"}},
        'spec.owner.email: Invalid value: "string": must be an e-mail address',
    ),
    Refused(
        "an address that Alertmanager would take for a template",
        {"owner": {"team": "t", "email": '"{{x}}"@example.com'}},
        'spec.owner.email: Invalid value: "string": must be an e-mail address',
    ),
    Refused(
        "a namespace of Kubernetes",
        {"namespace": {"name": "kube-system"}},
        'spec.namespace.name: Invalid value: "string": must not be a namespace of Kubernetes itself',
    ),
    Refused(
        "a namespace name with capitals",
        {"namespace": {"name": "Payments"}},
        'spec.namespace.name: Invalid value: "string": must be a namespace name',
    ),
    Refused(
        "another namespace later",
        {"namespace": {"name": "other"}},
        "namespace.name cannot be changed: the old namespace would keep the data; make a new tenant instead",
        before={},
    ),
    Refused(
        "another storage class later",
        {"database": {"embedded": {"storageClassName": "fast"}}},
        "database.embedded.storageClassName cannot be changed: "
        "the volume of the database cannot be exchanged in place",
        before={},
    ),
    Refused(
        "another storage size later",
        {"database": {"embedded": {"storage": "9Gi"}}},
        "database.embedded.storage cannot be changed: the volume of the database cannot be resized in place",
        before={},
    ),
    Refused(
        "an old Airflow",
        {"airflow": {"version": "2.10.0"}},
        'spec.airflow.version: Invalid value: "string": must be an Airflow 3.3 version, for example 3.3.2',
    ),
    Refused(
        "an unknown executor",
        {"airflow": {"executor": "SequentialExecutor"}},
        'spec.airflow.executor: Unsupported value: "SequentialExecutor": '
        'supported values: "LocalExecutor", "KubernetesExecutor"',
    ),
    Refused(
        "no replica",
        {"airflow": {"scheduler": {"replicas": 0}}},
        "spec.airflow.scheduler.replicas in body should be greater than or equal to 1",
    ),
    Refused(
        "an image tag with a space",
        {"airflow": {"image": {"tag": "3 3"}}},
        'spec.airflow.image.tag: Invalid value: "string": must be an image tag',
    ),
    Refused(
        "a number in config",
        {"airflow": {"config": {"core": {"parallelism": 8}}}},
        'spec.airflow.config.core.parallelism in body must be of type string: "integer"',
    ),
    Refused(
        "an Airflow setting as env",
        env(name="AIRFLOW__CORE__PARALLELISM", value="8"),
        'spec.airflow.env[0].name: Invalid value: "string": use airflow.config for Airflow\'s settings',
    ),
    Refused(
        "env with value and secretKeyRef",
        env(value="1", secretKeyRef=_KEY_OF),
        'spec.airflow.env[0]: Invalid value: "object": set exactly one of value and secretKeyRef',
    ),
    Refused(
        "a quantity that is none (quota)",
        {"quota": {"hard": {"pods": "many"}}},
        "spec.quota.hard.pods in body should match "
        r"'^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$'",
    ),
    Refused(
        "a quantity that is none (storage)",
        {"database": {"embedded": {"storage": "5 GB"}}},
        'spec.database.embedded.storage: Invalid value: "string": '
        "must be a Kubernetes quantity, for example 500m, 2 or 1Gi",
    ),
    Refused(
        "a DAG source of no kind",
        {"dags": {"sources": [{"name": "main"}]}},
        'spec.dags.sources[0]: Invalid value: "object": set exactly one of gitSync and image',
    ),
    Refused("a Git URL with a password", source(repo="https://me:token@git.example.com/x.git"), _CREDENTIALS),
    Refused("a Git URL with a user", source(repo="https://token@git.example.com/x.git"), _CREDENTIALS),
    Refused("an SSH URL with a password", source(repo="ssh://git:pw@git.example.com/x.git"), _CREDENTIALS),
    Refused("a Git option", source(repo="--upload-pack=touch /tmp/x"), _GIT_URL),
    Refused("an SSH option as user", source(repo="-oProxyCommand@host:x"), _DASH),
    Refused("an SSH option as host", source(repo="ssh://-oProxyCommand=x/y"), _DASH),
    Refused("a local repository", source(repo="file:///etc"), _GIT_URL),
    Refused("a Git helper", source(repo="ext::sh -c id"), _GIT_URL),
    Refused(
        "a ref that is an option",
        source(ref="-b"),
        'spec.dags.sources[0].gitSync.ref: Invalid value: "string": '
        "must be a branch, a tag or a full commit hash",
    ),
    Refused(
        "a ref with '..'",
        source(ref="main..other"),
        "spec.dags.sources[0].gitSync.ref: Invalid value: \"string\": must not hold '..'",
    ),
    Refused(
        "a sub path that climbs",
        source(subPath="../../etc"),
        'spec.dags.sources[0].gitSync.subPath: Invalid value: "string": '
        "must not climb out of the repository with '..'",
    ),
    Refused(
        "an absolute sub path",
        source(subPath="/etc"),
        'spec.dags.sources[0].gitSync.subPath: Invalid value: "string": '
        "must be a relative path inside the repository",
    ),
    Refused(
        "a period without a unit",
        source(period="30"),
        'spec.dags.sources[0].gitSync.period: Invalid value: "string": '
        "must be a duration, for example 30s, 5m or 1h30m",
    ),
    Refused(
        "a period of nothing",
        source(period="0s"),
        'spec.dags.sources[0].gitSync.period: Invalid value: "string": must be longer than zero',
    ),
    Refused(
        "a pool twice",
        {"pools": [{"name": "a", "slots": 1}, {"name": "a", "slots": 2}]},
        'spec.pools[1]: Duplicate value: {"name":"a"}',
    ),
    Refused(
        "a pool with negative slots",
        {"pools": [{"name": "a", "slots": -2}]},
        "spec.pools[0].slots in body should be greater than or equal to -1",
    ),
    Refused(
        "a connection twice",
        {"connections": [{"id": "a", "type": "http"}] * 2},
        'spec.connections[1]: Duplicate value: {"id":"a"}',
    ),
    Refused(
        "a connection id with a space",
        connection(id="my db"),
        "spec.connections[0].id: Invalid value: \"string\": must be letters, digits, '_', '.' and '-'",
    ),
    Refused(
        "a password in the spec",
        connection(password="hunter2"),
        'unknown field "spec.connections[0].password"',
    ),
    Refused(
        "a Secret of another namespace",
        connection(passwordSecretRef={**_KEY_OF, "namespace": "other"}),
        'unknown field "spec.connections[0].passwordSecretRef.namespace"',
    ),
    Refused(
        "a port beyond 65535",
        connection(port=70000),
        "spec.connections[0].port in body should be less than or equal to 65535",
    ),
    Refused(
        "a variable with value and valueSecretRef",
        {"variables": [{"key": "a", "value": "1", "valueSecretRef": _KEY_OF}]},
        'spec.variables[0]: Invalid value: "object": set exactly one of value and valueSecretRef',
    ),
    Refused(
        "a variable without a value",
        {"variables": [{"key": "a"}]},
        'spec.variables[0]: Invalid value: "object": set exactly one of value and valueSecretRef',
    ),
    Refused(
        "a built-in role",
        {"roles": [{"name": "Admin"}]},
        'spec.roles[0].name: Invalid value: "string": must not be a built-in role '
        "(Admin, Op, User, Viewer, Public): Airflow resets those",
    ),
    Refused(
        "an unknown action",
        {"roles": [{"name": "x", "permissions": [{"resource": "DAGs", "actions": ["delete"]}]}]},
        'spec.roles[0].permissions[0].actions[0]: Unsupported value: "delete"',
    ),
    Refused(
        "a Secret's name with capitals",
        env(secretKeyRef={"name": "Token", "key": "value"}),
        'spec.airflow.env[0].secretKeyRef.name: Invalid value: "string": must be a Kubernetes object name',
    ),
    Refused(
        "an address without a prefix length",
        {"network": {"egress": [{"cidr": "10.0.0.1", "ports": [1]}]}},
        'spec.network.egress[0].cidr: Invalid value: "string": must be a CIDR, for example 10.0.0.0/8',
    ),
    Refused(
        "a peer of two kinds",
        {"network": {"egress": [{"cidr": "10.0.0.0/8", "namespace": "a", "ports": [1]}]}},
        'spec.network.egress[0]: Invalid value: "object": set exactly one of cidr and namespace',
    ),
    Refused(
        "an exception from a range that is not there",
        {"network": {"egress": [{"namespace": "a", "except": ["10.0.0.0/8"], "ports": [1]}]}},
        'spec.network.egress[0]: Invalid value: "object": except goes with cidr',
    ),
    Refused(
        "a service account without namespace",
        {"access": {"kubernetes": {"viewers": [{"kind": "ServiceAccount", "name": "ci"}]}}},
        'spec.access.kubernetes.viewers[0]: Invalid value: "object": '
        "namespace goes with kind ServiceAccount, and only with it",
    ),
    Refused(
        "everybody who has logged in",
        {"access": {"kubernetes": {"viewers": [{"kind": "Group", "name": "system:authenticated"}]}}},
        'spec.access.kubernetes.viewers[0]: Invalid value: "object": '
        "users and groups of Kubernetes' own (system:...) are nobody's team; name people or their groups",
    ),
    Refused(
        "a Slack channel without its '#'",
        {"owner": {"team": "t", "slack": "payments"}},
        'spec.owner.slack: Invalid value: "string": must be a Slack channel, for example #payments',
    ),
    Refused(
        "alerts to Slack, but to no channel",
        {"monitoring": {"alerts": {"slack": {"apiUrlSecretRef": _KEY_OF}}}},
        'spec: Invalid value: "object": '
        "monitoring.alerts.slack needs owner.slack: the channel that alerts go to",
    ),
    Refused(
        "a Slack URL in the spec",
        {"monitoring": {"alerts": {"slack": {"apiUrl": "https://hooks.slack.com/x"}}}},
        'unknown field "spec.monitoring.alerts.slack.apiUrl"',
    ),
    Refused(
        "an unknown SLO metric",
        slo(metric="latency"),
        'spec.monitoring.slo[0].metric: Unsupported value: "latency": supported values: "dagRunSuccess", '
        '"taskSuccess", "dagRunDuration", "scheduleDelay", "deadlines"',
    ),
    Refused("an objective of 100 %", slo(objective="100"), _OBJECTIVE),
    Refused("an objective of 0 %", slo(objective="0.0"), _OBJECTIVE),
    Refused("an objective with a leading zero", slo(objective="00.5"), _OBJECTIVE),
    Refused("an objective with a percent sign", slo(objective="99%"), _OBJECTIVE),
    Refused(
        "an objective that is a number",
        slo(objective=99.5),
        'spec.monitoring.slo[0].objective in body must be of type string: "number"',
    ),
    Refused("a duration SLO without a threshold", slo(metric="dagRunDuration"), _THRESHOLD),
    Refused("a threshold for a share of runs", slo(threshold="10m"), _THRESHOLD),
    Refused(
        "a threshold between two buckets",
        slo(metric="dagRunDuration", threshold="15m"),
        'spec.monitoring.slo[0].threshold: Invalid value: "string": must be a bound of the duration '
        "histograms: 1s, 5s, 15s, 30s, 1m, 2m, 5m, 10m, 30m, 1h, 2h, 4h",
    ),
    Refused(
        "a limit longer than anybody's life",
        {"monitoring": {"dagDurations": [{"dag": "a", "limit": "99999999999h"}]}},
        'spec.monitoring.dagDurations[0].limit: Invalid value: "string": '
        "must be a duration, for example 30s, 5m or 1h30m",
    ),
    Refused(
        "a threshold longer than anybody's life",
        slo(metric="dagRunDuration", threshold="100000000000h"),
        'spec.monitoring.slo[0].threshold: Invalid value: "string": '
        "must be a duration, for example 30s, 5m or 1h30m",
    ),
    Refused(
        "encryption of logs that are not in S3",
        {"logging": {"remote": {"folder": "gs://logs", "encrypt": True}}},
        'spec.logging.remote: Invalid value: "object": encrypt goes with an s3:// folder',
    ),
    Refused(
        "a log store's connection that nobody declares",
        {"logging": {"remote": {"folder": "s3://logs", "connectionId": "nobody"}}},
        'spec: Invalid value: "object": logging.remote.connectionId: nobody is not in spec.connections: '
        "declare it there, or leave it out to use the pods' cloud identity",
    ),
    Refused(
        "an SLO window that nobody offers",
        slo(window="90d"),
        'spec.monitoring.slo[0].window: Unsupported value: "90d": supported values: "30d", "28d", "7d"',
    ),
    Refused(
        "an SLO of a DAG id with a quote",
        slo(dag='x"} or up{job="y'),
        'spec.monitoring.slo[0].dag: Invalid value: "string": '
        "must be a DAG id: letters, digits, '_', '.' and '-'",
    ),
    Refused(
        "an SLO twice",
        {"monitoring": {"slo": slo()["monitoring"]["slo"] * 2}},
        'spec.monitoring.slo[1]: Duplicate value: {"name":"runs"}',
    ),
    Refused(
        "two limits for one DAG",
        {"monitoring": {"dagDurations": [{"dag": "a", "limit": "1h"}, {"dag": "a", "limit": "2h"}]}},
        'spec.monitoring.dagDurations[1]: Duplicate value: {"dag":"a"}',
    ),
)

TOLD: tuple[Told, ...] = (
    Told(
        "a setting that the operator makes itself",
        {"airflow": {"config": {"core": {"fernet_key": "x"}}}},
        "Ready",
        "InvalidSpec",
        "spec.airflow: config.core.fernet_key is set by the operator: remove it from airflow.config",
    ),
    Told(
        "a config section with capitals",
        {"airflow": {"config": {"Core": {"parallelism": "1"}}}},
        "Ready",
        "InvalidSpec",
        "spec.airflow.config.Core.[key]: must be lower case letters, digits and '_', as in airflow.cfg",
    ),
    Told(
        "a namespace label that is none",
        {"namespace": {"labels": {"cost center": "42"}}},
        "NamespaceReady",
        "ApplyRejected",
        "check spec.namespace.labels and spec.namespace.annotations",
    ),
    Told(
        "a namespace annotation that is none",
        {"namespace": {"annotations": {"a b": "c"}}},
        "NamespaceReady",
        "ApplyRejected",
        "check spec.namespace.labels and spec.namespace.annotations",
    ),
    Told(
        "a Secret that is not there",
        env(secretKeyRef=_KEY_OF),
        "SecretsResolved",
        "SecretMissing",
        "Secret token is not in namespace {namespace} (spec.airflow.env[TOKEN].secretKeyRef): "
        "create it with key value",
    ),
    Told(
        "a Secret without the key",
        env(secretKeyRef=_KEY_OF),
        "SecretsResolved",
        "SecretMissing",
        "Secret token in namespace {namespace} has no key value "
        "(spec.airflow.env[TOKEN].secretKeyRef): add it",
        secrets={"token": {"other": "x"}},
    ),
    Told(
        "an extra that is not JSON",
        connection(extraSecretRef=_KEY_OF),
        "ObjectsSynced",
        "SecretInvalid",
        "key value of Secret token is not a JSON object (spec.connections[db].extraSecretRef): "
        'store one, for example {{"aws_secret_access_key": "..."}}',
        secrets={"token": {"value": "not json"}},
    ),
    Told(
        "an extra that is JSON but no object",
        connection(extraSecretRef=_KEY_OF),
        "ObjectsSynced",
        "SecretInvalid",
        "key value of Secret token is not a JSON object",
        secrets={"token": {"value": "[1]"}},
    ),
    Told(
        "a quota of an unknown resource",
        {"quota": {"hard": {"cpuu": "1"}}},
        "ReleaseReady",
        "ApplyRejected",
        "ResourceQuota/{tenant}-quota was refused by the Kubernetes API",
    ),
    Told(
        "a request above its limit",
        {"airflow": {"scheduler": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}}},
        "ReleaseReady",
        "ApplyRejected",
        "Deployment/{tenant}-scheduler was refused by the Kubernetes API: Deployment.apps "
        '"{tenant}-scheduler" is invalid: spec.template.spec.containers[0].resources.requests: '
        'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    Told(
        "addresses that are none",
        {"network": {"egress": [{"cidr": "999.0.0.0/8", "ports": [1]}]}},
        "Ready",
        "InvalidSpec",
        "spec.network.egress[0].cidr: must be a CIDR, for example 10.0.0.0/8",
    ),
    Told(
        "a storage class that is no name",
        {"database": {"embedded": {"storageClassName": "Bad_Class"}}},
        "ReleaseReady",
        "ApplyRejected",
        'spec.volumeClaimTemplates[0].spec.storageClassName: Invalid value: "Bad_Class"',
    ),
    Told(
        "a service account that is no name",
        {
            "access": {
                "kubernetes": {"viewers": [{"kind": "ServiceAccount", "name": "Bad Name", "namespace": "ci"}]}
            }
        },
        "ReleaseReady",
        "ApplyRejected",
        'subjects[0].name: Invalid value: "Bad Name"',
    ),
    Told(
        "a team without a channel",
        {"owner": {"team": "team"}},
        "MonitoringReady",
        "NoAlertChannel",
        "nobody is told of this tenant's alerts: set spec.owner.email, or set spec.monitoring.alerts.slack, "
        ".pagerduty or .webhook, or spec.monitoring.alerts.enabled: false if nobody wants to be told",
        aside=True,
    ),
    Told(
        "a channel whose Secret is not there",
        {"monitoring": {"alerts": {"webhook": {"urlSecretRef": _KEY_OF}}}},
        "MonitoringReady",
        "SecretMissing",
        "Secret token is not in namespace {namespace} (spec.monitoring.alerts.webhook.urlSecretRef): "
        "create it with key value",
        aside=True,
    ),
)

#: Values that YAML, Helm or a shell could misread: they arrive exactly as they are.
AWKWARD: dict[str, str] = {
    "line breaks": "one\ntwo\n",
    "quotes": 'it\'s "quoted" `so`',
    "a template": "{{ .Values.fernetKeySecretName }}",
    "half a template": "{{",
    "YAML": "a: [b, {c: d}] # e",
    "a document's end": "---\n...\n",
    "true": "true",
    "on": "on",
    "null": "null",
    "a number": "0123",
    "a float": "1e3",
    "a date": "2026-01-01",
    "nothing": "",
    "spaces": "  both sides  ",
    "a backslash": "C:\\new\\table",
    "percent": "%(asctime)s 100%",
    "a dollar": "$(HOME) ${HOME} $HOME",
    "unicode": "grüße ☃ 日本語 \U0001f600",
    "an option": "--help",
}


def page() -> str:
    """docs/bad-input.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Bad input"
    yield ""
    yield "What happens to input that cannot work, tested line by line; this page is generated from the data"
    yield "of `tests/controller/test_bad_input.py`. What `kubectl apply` refuses changes nothing. What is"
    yield "found later stops at the step that finds it: earlier steps are done by then (a refused Deployment"
    yield "comes after namespace, database and migration), and what an earlier spec made keeps running."
    yield ""
    yield "## Refused by `kubectl apply`"
    yield ""
    yield "The API server refuses these before they are stored. The table shows the part of its message that"
    yield 'names the field; `AirflowTenant.airflowtenants.io "..." is invalid:` goes before it.'
    yield ""
    yield "| input | message |"
    yield "|---|---|"
    for case in REFUSED:
        yield f"| {_cell(case.title)}{_sample(case.name, case.spec)} | `{_cell(case.message)}` |"
    yield ""
    yield "Unknown fields are refused because kubectl asks for strict validation (`--validate=true`, its"
    yield "default). A client that does not ask for it gets them dropped, as with every Kubernetes resource."
    yield ""
    yield "## Told by the operator"
    yield ""
    yield "These are stored, and a condition says why they are not carried out; `Ready` repeats it, but for"
    yield "`MonitoringReady`: Airflow works whether it is watched or not."
    yield ""
    yield "| input | condition | reason | message |"
    yield "|---|---|---|---|"
    for told in TOLD:
        message = told.message.format(tenant="NAME", namespace="NAMESPACE")
        sample = _sample("", told.spec)
        yield f"| {_cell(told.title)}{sample} | {told.condition} | {told.reason} | `{_cell(message)}` |"
    yield ""
    yield "## Taken exactly as written"
    yield ""
    yield "Values of `airflow.config`, `airflow.env`, pools, connections and variables are data: they are"
    yield "never read as YAML, as a template or by a shell. Tested with:"
    yield ""
    for title, value in AWKWARD.items():
        yield f"- {title}: `` {json.dumps(value, ensure_ascii=False)} ``"


def _sample(name: str, spec: Spec) -> str:
    if name:
        return f"<br>`metadata.name: {name}`"
    text = json.dumps(spec, ensure_ascii=False).removeprefix("{").removesuffix("}").replace('"', "")
    return f"<br>`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(page())
