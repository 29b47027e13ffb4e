"""No DAG of the library names a connection, a variable or a pool that no sample tenant declares."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.dags.home import LIBRARY, ROOT
from tests.dags.library import bag
from tests.dags.test_library import DAG_FILES

SAMPLES = ROOT / "manifests" / "tenants" / "library"
TENANT_OF = {"team_ml": "ml", "team_data_engineering": "data-engineering", "team_analytics": "analytics"}
CODE = [*DAG_FILES, *sorted((LIBRARY / "airflow_usecases").glob("*.py"))]
_CONNECTION_ARGUMENT = re.compile(r"(^|_)(conn|connection)_id$|^(connection|conn)$")
_TEMPLATE = re.compile(r"\{\{\s*(conn|var\.value|var\.json)\.(\w+)")


def tenant_of(path: Path) -> str:
    """The sample tenant whose Airflow runs the file."""
    return TENANT_OF.get(path.relative_to(LIBRARY).parts[0], "platform")


def declared(tenant: str, kind: str) -> set[str]:
    """The names that a sample declares."""
    spec = yaml.safe_load((SAMPLES / f"{tenant}.yaml").read_text())["spec"]
    key = {"connections": "id", "variables": "key", "pools": "name"}[kind]
    return {item[key] for item in spec.get(kind, [])}


def constants(path: Path) -> dict[str, str]:
    """NAME = "text" at the top of a file: DAG files name their connections so."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[target.id] = value.value
    return found


def used_in_code(path: Path) -> Iterator[tuple[str, str]]:
    """(kind, name) of every connection, variable and pool that the file's code names."""
    named = constants(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for kind, name in _TEMPLATE.findall(node.value):
                yield ("connections" if kind == "conn" else "variables"), name
        elif isinstance(node, ast.Call):
            yield from _of_keywords(node, named)
            yield from _of_function(node, named)


def _of_keywords(call: ast.Call, named: dict[str, str]) -> Iterator[tuple[str, str]]:
    for keyword in call.keywords:
        name = _text(keyword.value, named)
        if name and keyword.arg and _CONNECTION_ARGUMENT.search(keyword.arg):
            yield "connections", name
        elif name and keyword.arg == "pool":
            yield "pools", name


def _of_function(call: ast.Call, named: dict[str, str]) -> Iterator[tuple[str, str]]:
    called, name = ast.unparse(call.func), _text(call.args[0], named) if call.args else None
    if name and called.endswith(("Variable.get", "Variable.set")):
        yield "variables", name
    elif name and called.endswith(("get_connection", "Connection.get", "Hook")):
        yield "connections", name


def _text(node: ast.AST, named: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return named.get(node.id) if isinstance(node, ast.Name) else None


def used_by_tasks(path: Path) -> Iterator[tuple[str, str]]:
    """(kind, name) out of the parsed tasks: what defaults and helpers filled in is seen as well."""
    for dag in bag().dags.values():
        if dag.fileloc != str(path):
            continue
        for task in dag.tasks:
            settings: dict[str, Any] = getattr(task, "partial_kwargs", None) or vars(task)
            for key, value in settings.items():
                if _CONNECTION_ARGUMENT.search(key) and isinstance(value, str) and "{{" not in value:
                    yield "connections", value
            yield "pools", task.pool


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_names_nothing_that_its_tenant_does_not_declare(path: Path) -> None:
    kinds = ("connections", "variables", "pools")
    tenant = tenant_of(path)
    used = {*used_in_code(path), *used_by_tasks(path)} - {("pools", "default_pool")}
    shared = path.parent.name == "airflow_usecases"
    tenants = [*TENANT_OF.values(), "platform"] if shared else [tenant]
    known = {kind: {name for one in tenants for name in declared(one, kind)} for kind in kinds}
    missing = sorted(f"{kind}: {name}" for kind, name in used if name and name not in known[kind])
    assert missing == [], f"declare them in manifests/tenants/library/{tenant}.yaml"


def test_the_search_finds_what_a_file_names(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        'LAKE = "aws_lake"\n'
        'S3Hook(aws_conn_id=LAKE)\nBaseHook.get_connection("a")\nPostgresHook("b")\n'
        'Variable.get("c", default=1)\n'
        'Op(http_conn_id="d", pool="e", text="{{ conn.f.host }} {{ var.value.g }} {{ var.json.h.x }}")\n'
    )
    assert set(used_in_code(file)) == {
        *(("connections", name) for name in ("aws_lake", "a", "b", "d", "f")),
        *(("variables", name) for name in ("c", "g", "h")),
        ("pools", "e"),
    }
