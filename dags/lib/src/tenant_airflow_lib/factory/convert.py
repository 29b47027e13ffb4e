"""Rewrite a file of the public `dag-factory` library (1.x) as a definition file of this factory.

That format has one top-level key for each DAG, `default` for what they share, and operators by full path
with their arguments beside the task's settings. Only what has a counterpart is converted; the rest is a
problem, never lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tenant_airflow_lib.factory import model
from tenant_airflow_lib.factory.operators import ALIASES, OPERATORS, own_settings
from tenant_airflow_lib.factory.problems import DefinitionError, Problem, error
from tenant_airflow_lib.factory.source import Node, path_text

_SHARED = ("schedule", "description", "catchup", "max_active_runs", "tags")
_SECONDS = {"retry_delay_sec": "retry_delay", "execution_timeout_sec": "execution_timeout"}
_NAMES = {path: name for name, path in OPERATORS.items()}


def convert(root: Node) -> str:
    """The definition file, as YAML, for the tree of a dag-factory file.

    Raises DefinitionError with each key that has no counterpart.
    """
    problems: list[Problem] = []
    if not root.mapping:
        raise error("wrong-value", "a mapping of DAGs is needed", root.mark)
    if "format" in root.mapping or (root.get("dags") or root).items:
        raise error("wrong-value", "this is a definition file already; `validate` checks it", root.mark)
    dags = []
    default = root.get("default")
    for dag_id, node in root.mapping.items():
        if dag_id != "default":
            shared = _dag(default, ("default",), problems) if default else {}
            own = _dag(node, (dag_id,), problems)
            settings = {**shared.pop("task_defaults", {}), **own.pop("task_defaults", {})}
            extra = {"task_defaults": settings} if settings else {}
            dags.append({"dag_id": dag_id, **shared, **extra, **own})
    if problems:
        raise DefinitionError(dict.fromkeys(problems))
    return yaml.safe_dump({"format": model.FORMAT, "dags": dags}, sort_keys=False, width=100)


def _dag(node: Node, path: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in node.mapping.items():
        if key in _SHARED:
            result[key] = value.plain()
        elif key == "schedule_interval":  # before 1.0
            result["schedule"] = value.plain()
        elif key == "doc_md":
            result["doc"] = value.plain()
        elif key == "default_args":
            result.update(_default_args(value, (*path, key), problems))
        elif key == "tasks":
            result["tasks"] = [_task(task, at, problems) for at, task in _tasks(value, (*path, key))]
        else:
            problems.append(_unknown(node, key, path))
    return result


def _unknown(node: Node, key: str, path: tuple[str | int, ...]) -> Problem:
    return Problem("unknown-key", "has no counterpart", node.place((key,)), path_text((*path, key)))


def _default_args(node: Node, path: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for key, value in node.mapping.items():
        if key == "owner":
            result["owner"] = value.plain()
        elif key == "start_date":
            result["start_date"] = str(value.plain())[:10]
        elif not _setting(key, value.plain(), settings):
            problems.append(_unknown(node, key, path))
    return {**result, **({"task_defaults": settings} if settings else {})}


def _setting(key: str, value: Any, settings: dict[str, Any]) -> bool:
    """Take a task setting over; False when it is none."""
    if key in _SECONDS:
        settings[_SECONDS[key]] = f"{value}s"
    elif key in model.TaskSettings.model_fields and not isinstance(value, Mapping):
        settings[key] = value
    else:
        return False
    return True


def _tasks(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Tasks are a list (1.x), or a mapping by id (before)."""
    for number, task in enumerate(node.items):
        yield (*path, number), task
    for task_id, task in node.mapping.items():
        yield (*path, task_id), task.with_key("task_id", Node(task_id, task.mark))


def _task(node: Node, path: tuple[str | int, ...], problems: list[Problem]) -> dict[str, Any]:
    given = node.plain()
    operator = given.pop("operator", "")
    short = _NAMES.get(operator) or ALIASES.get(operator.rpartition(".")[2]) or operator
    task: dict[str, Any] = {"id": given.pop("task_id", ""), "operator": short}
    if "python_callable" in given:
        task["callable"] = given.pop("python_callable")
    arguments = given.pop("op_kwargs", {})
    task["dependencies"] = given.pop("dependencies", [])
    for key in ("python_callable_name", "python_callable_file", "op_args", "task_group_name"):
        if key in given:
            given.pop(key)
            problems.append(_unknown(node, key, path))
    for key, value in given.items():
        if _setting(key, value, task):
            continue
        if key in own_settings():
            problems.append(_unknown(node, key, path))
        arguments[key] = value
    return {**task, **({"arguments": arguments} if arguments else {})}
