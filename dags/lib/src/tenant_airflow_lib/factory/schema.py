"""The JSON schema of definition files, made from the models; `schema.json` is the committed copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tenant_airflow_lib.factory.model import FORMAT, DefinitionFile

FILE = Path(__file__).with_name("schema.json")
_REFERENCE = {
    "type": "string",
    "pattern": r"^\$\{[^{}]+\}$",
    "description": "A value from elsewhere, ${vars.name}",
}


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). A value that is no string may also be written as `${vars.name}`."""
    schema = DefinitionFile.model_json_schema(by_alias=True)
    for model in schema["$defs"].values():
        _allow_references(model)
    schema["$defs"]["Reference"] = _REFERENCE
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://airflowtenants.io/dag-factory/v{FORMAT}.json",
        **schema,
    }


def text() -> str:
    """The schema as it stands in `schema.json`."""
    return json.dumps(json_schema(), indent=2, sort_keys=False) + "\n"


def _allow_references(model: dict[str, Any]) -> None:
    for name, field in model.get("properties", {}).items():
        if name in {"dag_id", "id"}:
            field.pop("pattern", None)  # an id may contain ${...}; the result is checked
            continue
        kept = {key: field.pop(key) for key in list(field) if key in {"title", "default", "description"}}
        alternatives = field.pop("anyOf", None) or [dict(field)]
        field.clear()
        field.update(kept, anyOf=[*alternatives, {"$ref": "#/$defs/Reference"}])
