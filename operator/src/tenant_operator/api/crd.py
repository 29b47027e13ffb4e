"""The CustomResourceDefinition, made from the models: `python -m tenant_operator.api.crd > FILE`.

Pydantic's JSON schema becomes a structural schema: references are inlined, titles dropped, `null`
alternatives removed, and only constants stay as defaults (a default for a list or an object would be
written into every stored tenant).
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import yaml

from tenant_operator.api import tenant
from tenant_operator.api.rules import Json, Model, cel
from tenant_operator.api.status import TenantStatus
from tenant_operator.core import names

_DROPPED = {"title", "additionalProperties", "$defs", "default"}
_OLD = "oldSelf"

_NAME_RULES = [
    cel(
        f"size(self.metadata.name) <= {names.MAX_TENANT_NAME}",
        f"metadata.name must be at most {names.MAX_TENANT_NAME} characters: it becomes part of every name",
    ),
    cel(
        f"self.metadata.name.matches('^{names.NAME_PATTERN}$')",
        f"metadata.name {names.NAME_RULE}",
    ),
]


def _unchanged(path: str, default: str, reason: str) -> Json:
    """A transition rule: the value at `path` stays what it was (absent counts as `default`)."""
    parts = path.split(".")

    def value(root: str) -> str:
        tests = [f"has({'.'.join([root, *parts[: i + 1]])})" for i in range(len(parts))]
        return f"({' && '.join(tests)} ? {'.'.join([root, *parts])} : {default})"

    same = f"{value('self')} == {value(_OLD)}"
    return cel(same.replace(".namespace", ".__namespace__"), f"{path} cannot be changed: {reason}")


def _log_store_can_be_opened() -> Json:
    """The id of the log store's connection is that of a connection, or of one in the environment."""
    wanted = "self.logging.remote.connectionId"
    tests = ("self.logging", "self.logging.remote", wanted)
    absent = " || ".join(f"!has({path})" for path in tests)
    declared = f"self.connections.exists(c, c.id == {wanted} || c.id == {wanted}.lowerAscii())"
    variable = f"'airflow_conn_' + {wanted}.lowerAscii()"
    in_env = (
        f"self.airflow.env.exists(e, e.name.startsWith('AIRFLOW_CONN_') && e.name.lowerAscii() == {variable})"
    )
    return cel(
        f"{absent} || {wanted} == '' || (has(self.connections) && {declared})"
        f" || (has(self.airflow) && has(self.airflow.env) && {in_env})",
        f"logging.remote.connectionId {tenant.NO_SUCH_CONNECTION}",
        messageExpression=f"'logging.remote.connectionId: ' + {wanted} + "
        f"' {tenant.NO_SUCH_CONNECTION}'".replace("pods' ", "pods\\' "),
    )


_SPEC_RULES = [
    _unchanged("database.embedded.storage", "'5Gi'", "the volume of the database cannot be resized in place"),
    _unchanged("namespace.name", "''", "the old namespace would keep the data; make a new tenant instead"),
    _unchanged(
        "database.embedded.storageClassName", "''", "the volume of the database cannot be exchanged in place"
    ),
    cel(
        "!has(self.monitoring) || !has(self.monitoring.alerts) || !has(self.monitoring.alerts.slack)"
        " || (has(self.owner.slack) && self.owner.slack != '')",
        tenant.SLACK_NEEDS_A_CHANNEL,
    ),
    _log_store_can_be_opened(),
]


def _rules() -> dict[str, list[Json]]:
    """CEL rules of whole objects, by the model's name."""
    return {model.__name__: list(model.cel) for model in _models(Model) if model.cel}


def _models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


class _Structural:
    """Turns one pydantic schema into a structural one."""

    def __init__(self, model: type[Model]) -> None:
        self._schema = model.model_json_schema(by_alias=True)
        self._definitions: dict[str, Json] = self._schema.get("$defs", {})
        self._rules = _rules()

    def convert(self) -> Json:
        """The whole model."""
        return self._convert(self._schema)

    def _convert(self, node: Json) -> Json:
        if "$ref" in node:
            return self._reference(node)
        if "anyOf" in node and "x-kubernetes-int-or-string" not in node:
            return self._optional(node)
        out = {key: value for key, value in node.items() if key not in _DROPPED}
        if "description" in out:
            out["description"] = " ".join(out["description"].split())
        if "const" in out:
            out["enum"] = [out.pop("const")]
        if "properties" in out:
            out["properties"] = {key: self._convert(value) for key, value in out["properties"].items()}
        if "items" in out:
            out["items"] = self._convert(out["items"])
        if isinstance(node.get("additionalProperties"), dict):
            out["additionalProperties"] = self._convert(node["additionalProperties"])
        out.pop("propertyNames", None)
        default = node.get("default")
        if default not in (None, "", [], {}) and not isinstance(default, (list, dict)):
            out["default"] = default
        if out.get("maxProperties") is None and "maxLength" in out and out.get("type") == "object":
            out["maxProperties"] = out.pop("maxLength")
        return out

    def _reference(self, node: Json) -> Json:
        name = node["$ref"].rpartition("/")[2]
        out = self._convert(self._definitions[name])
        if name in self._rules:
            out["x-kubernetes-validations"] = self._rules[name]
        if "description" in node:
            out["description"] = " ".join(node["description"].split())
        return out

    def _optional(self, node: Json) -> Json:
        options = [option for option in node["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise TypeError(f"a structural schema has no alternatives: {node}")
        out = self._convert(options[0])
        if "description" in node:
            out["description"] = " ".join(node["description"].split())
        return out


def _status_schema() -> Json:
    schema = _Structural(TenantStatus).convert()
    _drop_required(schema)
    conditions = schema["properties"]["conditions"]
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    conditions["items"]["required"] = ["type", "status"]
    schema["properties"]["dags"] |= {"x-kubernetes-list-type": "atomic"}
    # GitOps tools read an empty status as "ready": a new tenant must say that nobody has looked yet.
    schema["default"] = {
        "observedGeneration": 0,
        "conditions": [
            {"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the operator"}
        ],
    }
    return schema


def _drop_required(schema: Any) -> None:
    if isinstance(schema, dict):
        schema.pop("required", None)
        for value in schema.values():
            _drop_required(value)


def _column(name: str, path: str, kind: str = "string", **more: Any) -> Json:
    return {"name": name, "type": kind, "jsonPath": path, **more}


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


def crd() -> Json:
    """The CustomResourceDefinition as an object."""
    spec = _Structural(tenant.TenantSpec).convert()
    spec["x-kubernetes-validations"] = _SPEC_RULES
    spec["description"] = "What the team wants."
    root = {
        "description": "A team's Airflow: its release, DAG sources, pools, connections, variables and roles.",
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": _NAME_RULES,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _status_schema(),
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Cluster",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": ["aft"],
                "categories": ["airflow"],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        _column("Ready", _ready("status")),
                        _column("State", ".status.state"),
                        _column("Status", _ready("message")),
                        _column("Version", ".status.release.airflowVersion"),
                        _column("Executor", ".status.release.executor"),
                        _column("DAGs", ".status.dagCount", "integer"),
                        _column("Drift", ".status.drift", priority=1),
                        _column("Namespace", ".status.namespace", priority=1),
                        _column("URL", ".status.url", priority=1),
                        _column("Age", ".metadata.creationTimestamp", "date"),
                    ],
                    "schema": {"openAPIV3Schema": root},
                }
            ],
        },
    }


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def to_yaml() -> str:
    """The file as it is committed."""
    head = "# Generated from operator/src/tenant_operator/api by `make generate`; do not edit.\n"
    return head + yaml.dump(crd(), Dumper=_NoAliases, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(to_yaml())
