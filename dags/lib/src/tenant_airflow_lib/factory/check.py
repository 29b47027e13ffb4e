"""What a schema cannot say: ids that exist, no circles, schedules, params, callables and operators."""

from __future__ import annotations

import graphlib
import re
import zoneinfo
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
from croniter import croniter  # type: ignore[import-untyped,unused-ignore]

from tenant_airflow_lib.factory import model
from tenant_airflow_lib.factory.make import refusal
from tenant_airflow_lib.factory.operators import Policy, Resolved, resolve
from tenant_airflow_lib.factory.problems import DefinitionError, Problem, unfinished
from tenant_airflow_lib.factory.source import Node, Path_, path_text
from tenant_airflow_lib.factory.validate import validate

_PRESETS = frozenset(
    ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", "@annually")
)
# Without these, what follows would be about the gap and not about the file.
_NEEDED = frozenset(("dag_id", "module", "tasks"))
_WHAT_RUNS = frozenset(("operator", "callable", "arguments", "inputs", "expand"))


@dataclass(frozen=True)
class Definition:
    """A DAG's definition that passed every check: its tree, its model, and what its tasks run."""

    node: Node
    dag: model.Dag
    tasks: tuple[Resolved, ...]

    @property
    def dag_id(self) -> str:
        """The id of the DAG."""
        return self.dag.dag_id


def check(node: Node, policy: Policy) -> Definition:
    """Check one merged definition. Raises DefinitionError with every problem that it has."""
    dag_id = node.text("dag_id")
    dag, problems = validate(model.Dag, node, dag_id)
    unclear: set[int] = set()
    if dag is None:  # one bad value should not hide what else is wrong
        unclear = _unclear(problems)
        dag, _ = validate(model.Dag, _repaired(node, problems), dag_id)
    if dag is None:
        raise DefinitionError(unfinished(problems, dag_id))
    for number in unclear:
        problems = _told(problems, number)

    def found(code: str, message: str, *path: str | int) -> None:
        problems.append(Problem(code, message, node.place(path), path_text(path), dag_id))

    _check_schedule(dag, found)
    _check_params(dag, found)
    _check_tasks(dag, found)
    tasks = [
        resolved
        for number in range(len(dag.tasks))
        if number not in unclear and (resolved := _resolved(dag, number, policy, found))
    ]
    if problems:
        raise DefinitionError(problems)
    return Definition(node, dag, tuple(tasks))


_Found = Callable[..., None]


def _resolved(dag: model.Dag, number: int, policy: Policy, found: _Found) -> Resolved | None:
    """What a task runs, asked whether it takes its arguments; None with a problem found."""
    task = dag.tasks[number]
    try:
        resolved = resolve(task, dag.module, policy)
    except LookupError as exc:
        code, key, message = exc.args
        if code.startswith(("operator-", "callable-", "unknown-operator")):
            message += "; the arguments are checked when this is repaired"
        found(code, message, "tasks", number, key)
        return None
    refused = refusal(resolved, dag)
    if refused:
        found("wrong-arguments", f"task {task.id!r}: {refused}", "tasks", number)
    return resolved


def _steps(problem: Problem) -> list[str]:
    """The way to a problem's value: `tasks[1].operator` -> tasks, 1, operator."""
    return re.findall(r"[^.\[\]]+", problem.key)


def _unclear(problems: list[Problem]) -> set[int]:
    """The tasks whose problems leave open what they run and with which arguments."""
    return {
        int(steps[1])
        for problem in problems
        if (steps := _steps(problem))[:1] == ["tasks"]
        and len(steps) > 2
        and steps[1].isdecimal()
        and (problem.code == "unknown-key" or steps[2] in _WHAT_RUNS)
    }


def _told(problems: list[Problem], number: int) -> list[Problem]:
    """The problems; the last one of the task says that its other checks wait."""
    own = [problem for problem in problems if _steps(problem)[:2] == ["tasks", str(number)]]
    places = {problem: told for problem, told in zip(own, unfinished(own, f"tasks[{number}]"), strict=True)}
    return [places.get(problem, problem) for problem in problems]


def _repaired(node: Node, problems: list[Problem]) -> Node:
    """The tree without what the problems are about, for the checks that do not need it."""
    paths = [_steps(problem) for problem in problems]
    tasks = node.get("tasks")
    if tasks is not None and tasks.items:
        bad = {
            n: [path[2] for path in paths if path[:2] == ["tasks", str(n)] and len(path) > 2]
            for n in range(len(tasks.items))
        }
        kept = [item.without(*bad[n]) if item.mapping else item for n, item in enumerate(tasks.items)]
        node = node.with_key("tasks", replace(tasks, value=kept))
    return node.without(*(path[0] for path in paths if path and path[0] not in _NEEDED))


def _check_schedule(dag: model.Dag, found: _Found) -> None:
    if dag.timezone not in zoneinfo.available_timezones():
        found("wrong-value", f"no timezone is called {dag.timezone!r}", "timezone")
    if isinstance(dag.schedule, str) and not _is_cron(dag.schedule):
        message = f"{dag.schedule!r} is neither a preset nor a cron expression of five fields"
        found("bad-schedule", message, "schedule")
    if isinstance(dag.schedule, model.Assets) and (dag.schedule.any_of is None) == (
        dag.schedule.all_of is None
    ):
        found("bad-schedule", "either `any` or `all`", "schedule")


def _is_cron(text: str) -> bool:
    return text in _PRESETS or (len(text.split()) == 5 and croniter.is_valid(text))


def _check_params(dag: model.Dag, found: _Found) -> None:
    for name, param in dag.params.items():
        schema = param_schema(param)
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            if "default" in param.model_fields_set:
                jsonschema.Draft202012Validator(schema).validate(param.default)
            elif dag.schedule is not None:
                found("wrong-param", "a scheduled DAG needs a default", "params", name)
        except jsonschema.SchemaError as exc:
            found("wrong-param", f"no JSON schema: {exc.message}", "params", name)
        except jsonschema.ValidationError as exc:
            found("wrong-param", f"the default: {exc.message}", "params", name, "default")


def param_schema(param: model.Param) -> dict[str, Any]:
    """The JSON schema of a param, without what is no part of a schema."""
    return {"type": param.type, **(param.model_extra or {})}


def _check_tasks(dag: model.Dag, found: _Found) -> None:
    if not dag.tasks:
        found("missing-key", "a DAG needs at least one task", "tasks")
    ids = [task.id for task in dag.tasks]
    graph: dict[str, set[str]] = {}
    known = True
    for number, task in enumerate(dag.tasks):
        if task.id in ids[:number]:
            found("duplicate-task-id", repr(task.id), "tasks", number, "id")
        if task.trigger_rule is not None and task.trigger_rule not in model.TRIGGER_RULES:
            found("wrong-value", f"one of {', '.join(model.TRIGGER_RULES)}", "tasks", number, "trigger_rule")
        for path, name in _references(task):
            if name not in ids:
                known = False
                message = f"there is no task {name!r} (known: {', '.join(ids)})"
                found("unknown-dependency", message, "tasks", number, *path)
        graph.setdefault(task.id, set()).update(upstream(task))
    if known:
        _check_circle(graph, ids, found)


def _check_circle(graph: dict[str, set[str]], ids: Collection[str], found: _Found) -> None:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        circle = list(exc.args[1])
        number = list(ids).index(circle[-1])
        found("dependency-cycle", " -> ".join(circle), "tasks", number, "dependencies")


def _references(task: model.Task) -> Iterator[tuple[Path_, str]]:
    """Each mention of another task, and where it is."""
    for number, name in enumerate(task.dependencies):
        yield ("dependencies", number), name
    for argument, name in task.inputs.items():
        yield ("inputs", argument), name
    for argument, value in task.expand.items():
        if isinstance(value, str):
            yield ("expand", argument), value


def upstream(task: model.Task) -> list[str]:
    """The ids that a task waits for, each once, in the order of the definition."""
    return list(dict.fromkeys(name for _, name in _references(task)))
