"""Checks trees against the models: pydantic's errors become problems with file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from tenant_airflow_lib.factory import model
from tenant_airflow_lib.factory.problems import Problem
from tenant_airflow_lib.factory.source import Node, Path_, path_text

_Model = TypeVar("_Model", bound=BaseModel)
_NAMES = sorted(
    {
        field.alias or name
        for kind in (model.DefinitionFile, model.Dag, model.Task, model.Environment, model.Assets)
        for name, field in kind.model_fields.items()
    }
)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Environment(_Shape):
    vars: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    dags: dict[str, dict[str, Any]] = {}


class _File(_Shape):
    """The outline of a file. What a DAG holds is checked for each DAG, after merging."""

    format: Any
    version: StrictStr | None = None
    default_environment: StrictStr | None = None
    vars: dict[str, Any] = {}
    environments: dict[str, _Environment] = {}
    templates: dict[str, dict[str, Any]] = {}
    blocks: dict[str, list[dict[str, Any]]] = {}
    dags: list[dict[str, Any]] = Field(min_length=1)


def check_outline(root: Node) -> list[Problem]:
    """The problems that concern a file as a whole; with one of these no DAG of it is built."""
    if not isinstance(root.value, dict):
        return [Problem("wrong-value", "a definition file is a mapping with `format` and `dags`", root.mark)]
    _, problems = validate(_File, root)
    problems = [
        replace(problem, message=f"required; write `format: {model.FORMAT}`")
        if (problem.code, problem.key) == ("missing-key", "format")
        else problem
        for problem in problems
    ]
    given = root.get("format")
    if given is not None and given.value != model.FORMAT:
        message = f"{given.value!r}; this factory reads format {model.FORMAT}"
        problems.append(Problem("unsupported-format", message, root.place(("format",)), "format"))
    problems += _unknown_keys(root, "templates", model.Template)
    return [*problems, *_unknown_dags(root)]


def _unknown_keys(root: Node, section: str, kind: type[BaseModel]) -> Iterator[Problem]:
    """Keys of parts that perhaps no DAG uses, so that nothing else would look at them."""
    parts = root.get(section)
    for name, part in parts.mapping.items() if parts else ():
        for key in part.mapping:
            if key not in kind.model_fields:
                path = (section, name, key)
                yield Problem("unknown-key", _unknown(key), root.place(path), path_text(path))


def _unknown_dags(root: Node) -> Iterator[Problem]:
    dags, environments = root.get("dags"), root.get("environments")
    known = {dag.text("dag_id") for dag in (dags.items if dags else [])}
    for name, environment in environments.mapping.items() if environments else ():
        overrides = environment.get("dags")
        for dag_id in overrides.mapping if overrides else ():
            if dag_id not in known:
                path = ("environments", name, "dags", dag_id)
                yield Problem("unknown-dag", f"no DAG {dag_id!r} here", root.place(path), path_text(path))


def validate(kind: type[_Model], node: Node, dag_id: str = "") -> tuple[_Model | None, list[Problem]]:
    """The model of a tree, or None and its problems, one for each place."""
    try:
        return kind.model_validate(node.plain()), []
    except ValidationError as exc:
        found: dict[Path_, Problem] = {}
        for item in exc.errors(include_url=False):
            path, code, message = _explain(node, item)
            if path in found:
                before = found[path]
                message = before.message if message in before.message else f"{before.message}; or: {message}"
                code = before.code
            found[path] = Problem(code, message, node.place(path), path_text(path), dag_id)
        return None, list(found.values())


def _explain(node: Node, item: Any) -> tuple[Path_, str, str]:
    path = _path_in(node, item["loc"])
    kind = item["type"]
    if kind == "extra_forbidden":
        return path, "unknown-key", _unknown(str(path[-1]))
    if kind == "missing":
        return (*path, item["loc"][-1]), "missing-key", "required"
    message = item["msg"].removeprefix("Value error, ")
    return path, "wrong-value", f"{message} (here: {_short(item['input'])})"


def _path_in(node: Node, loc: tuple[str | int, ...]) -> Path_:
    """pydantic's path without the steps that are its own, such as the name of a union's member."""
    path: list[str | int] = []
    for step in loc:
        below = node.child(step)
        if below is not None:
            node = below
            path.append(step)
    return tuple(path)


def _unknown(key: str) -> str:
    if key in _NAMES:
        return "no such key here; it belongs elsewhere"
    close = difflib.get_close_matches(key, _NAMES, 1)
    return f"no such key; did you mean {close[0]!r}?" if close else "no such key"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
