"""Which connections, variables and pools a DAG file names; for the index and the tests of the library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_CONNECTION_ARGUMENT = re.compile(r"(^|_)(conn|connection|config)_id$|^(connection|conn)$")
_TEMPLATE = re.compile(r"\{\{\s*(conn|var\.value|var\.json)\.(?:get\(\s*['\"])?(\w+)")


def constants(path: Path) -> dict[str, str]:
    """NAME = "text" at the top of a file: DAG files name their connections so."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        pairs = zip(target.elts, value.elts, strict=False) if several else [(target, value)]  # type: ignore[union-attr]
        for name, text in pairs:
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[name.id] = text.value
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


def used_by_tasks(tasks: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) out of parsed tasks: what defaults and helpers filled in is seen as well."""
    for task in tasks:
        settings: dict[str, Any] = getattr(task, "partial_kwargs", None) or vars(task)
        for key, value in settings.items():
            if _CONNECTION_ARGUMENT.search(key) and isinstance(value, str) and "{{" not in value:
                yield "connections", value
        yield "pools", task.pool
