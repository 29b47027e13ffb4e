"""From the names in a definition to code: a registry of operators, and allow-lists of modules."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tenant_airflow_lib.factory.model import Task
from tenant_airflow_lib.factory.problems import did_you_mean

# Names whose task runs a callable -> attribute of airflow.sdk.task
DECORATORS = {"python": "python", "branch": "branch", "short_circuit": "short_circuit", "sensor": "sensor"}
OPERATORS = {
    "bash": "airflow.providers.standard.operators.bash.BashOperator",
    "empty": "airflow.providers.standard.operators.empty.EmptyOperator",
    "trigger_dag": "airflow.providers.standard.operators.trigger_dagrun.TriggerDagRunOperator",
    "latest_only": "airflow.providers.standard.operators.latest_only.LatestOnlyOperator",
    "file_sensor": "airflow.providers.standard.sensors.filesystem.FileSensor",
    "email": "airflow.providers.smtp.operators.smtp.EmailOperator",
    "http": "airflow.providers.http.operators.http.HttpOperator",
}
# Built-in operators that reach nothing outside of their DAG; the others need a word from the Python file.
HARMLESS = frozenset({"empty", "latest_only"})
ALIASES = {
    "PythonOperator": "python",
    "BranchPythonOperator": "branch",
    "ShortCircuitOperator": "short_circuit",
    "PythonSensor": "sensor",
    "BashOperator": "bash",
    "EmptyOperator": "empty",
    "TriggerDagRunOperator": "trigger_dag",
}


@dataclass(frozen=True)
class Policy:
    """What definitions may reach. Nothing outside it is imported, whatever a file says.

    `builtins`: names of `OPERATORS` beyond `HARMLESS`, such as bash and http; they run commands and use any
    connection. Raises ValueError for a name that is none.
    `callables`: modules, or packages with all below them, whose functions tasks may run.
    `operators`: further names -> path of an operator class. `operator_paths`: modules or packages whose
    operators may be named by path. `environment_variables`: names that templates and `${env.NAME}` may read.
    """

    callables: tuple[str, ...] = ()
    operators: Mapping[str, str] = field(default_factory=dict)
    operator_paths: tuple[str, ...] = ()
    environment_variables: tuple[str, ...] = ()
    builtins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted({*self.builtins} - OPERATORS.keys())
        if unknown:
            raise ValueError(f"no built-in operators: {', '.join(unknown)} (known: {', '.join(OPERATORS)})")


@dataclass(frozen=True)
class Resolved:
    """A task with what it runs: a function under a decorator, or an operator class."""

    task: Task
    function: Callable[..., Any] | None = None
    decorator: str = ""
    operator: type[Any] | None = None


def resolve(task: Task, module: str | None, policy: Policy) -> Resolved:
    """Find what a task runs. Raises LookupError(code, key, message)."""
    if task.operator is None and task.callable is None:
        raise LookupError("missing-key", "id", "a task needs an `operator` or a `callable`")
    name = ALIASES.get(task.operator or "python", task.operator or "python")
    if name in DECORATORS:
        function = _function(task, module, policy)
        _check_signature(task, function)
        return Resolved(task, function=function, decorator=DECORATORS[name])
    if task.callable is not None:
        raise LookupError("wrong-value", "callable", f"the operator {task.operator!r} runs no callable")
    operator = _operator(name, policy)
    _check_settings(task)
    return Resolved(task, operator=operator)


def _allowed(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(prefix + ".") for prefix in prefixes)


def _function(task: Task, module: str | None, policy: Policy) -> Callable[..., Any]:
    if task.callable is None:
        raise LookupError("missing-key", "operator", f"the operator {task.operator!r} needs a `callable`")
    path = task.callable if "." in task.callable else f"{module}.{task.callable}" if module else ""
    if not path:
        message = f"{task.callable!r} has no module, and the DAG has no `module`"
        raise LookupError("callable-not-found", "callable", message)
    home, _, name = path.rpartition(".")
    if not _allowed(home, policy.callables):
        allowed = ", ".join(policy.callables) or "none"
        message = f"module {home!r}; allowed: {allowed}; {_remedy('callables', '--callables', home)}"
        raise LookupError("callable-not-allowed", "callable", message)
    function = _attribute(home, name, "callable-not-found", "callable")
    if not inspect.isfunction(function):
        raise LookupError("callable-not-found", "callable", f"{path} is no function")
    if not _allowed(function.__module__, policy.callables):  # one that the module itself only imported
        remedy = _remedy("callables", "--callables", function.__module__)
        message = f"{path} comes from {function.__module__!r}, which is not allowed; {remedy}"
        raise LookupError("callable-not-allowed", "callable", message)
    return function


def _remedy(field: str, option: str, value: str) -> str:
    """How to allow something, where definitions are checked and where they are loaded."""
    return f'allow it by `dag-factory ... {option} {value}` and `Policy({field}=("{value}",))` in Python'


def _operator_path(name: str, policy: Policy) -> str:
    if name in policy.operators:
        return policy.operators[name]
    if name in OPERATORS:
        if name not in HARMLESS and name not in policy.builtins:
            message = f"{name!r} is built in, but not allowed; {_remedy('builtins', '--builtin', name)}"
            raise LookupError("operator-not-allowed", "operator", message)
        return OPERATORS[name]
    module = name.rpartition(".")[0]
    if not _allowed(module, policy.operator_paths):
        known = ", ".join(sorted({*DECORATORS, *OPERATORS, *policy.operators}))
        remedy = (
            f"register it by `dag-factory ... --operator {name}=PATH` and `Policy(operators=...)` in Python"
        )
        if module:
            remedy = _remedy("operator_paths", "--operator-path", module)
        message = f"{name!r} is not registered and its path is not allowed (registered: {known}); {remedy}"
        raise LookupError("unknown-operator", "operator", message)
    return name


def _operator(name: str, policy: Policy) -> type[Any]:
    path = _operator_path(name, policy)
    home, _, attribute = path.rpartition(".")
    kind = _attribute(home, attribute, "operator-not-found", "operator")
    from airflow.sdk import BaseOperator

    if not (inspect.isclass(kind) and issubclass(kind, BaseOperator)):
        raise LookupError("operator-not-found", "operator", f"{path} is no operator")
    return kind


def _attribute(module: str, name: str, code: str, key: str) -> Any:
    try:
        loaded = importlib.import_module(module)
        known = not name.startswith("_") and hasattr(loaded, name)
    except (Exception, SystemExit) as exc:  # a module may raise anything; the other DAGs must go on
        raise LookupError(code, key, f"cannot import {module}: {type(exc).__name__}: {exc}") from exc
    if not known:
        raise LookupError(code, key, f"{module} has no {name!r}")
    return getattr(loaded, name)


@cache
def own_settings() -> frozenset[str]:
    """The parameters of every operator, `pool` and `queue` among them: the definition's keys, or nobody's."""
    from airflow.sdk import BaseOperator

    return frozenset(inspect.signature(BaseOperator.__init__).parameters) - {"self", "kwargs"}


def _check_settings(task: Task) -> None:
    """No argument of an operator may replace what templates and the platform set for each task."""
    for place in ("arguments", "inputs", "expand"):
        for name in sorted(getattr(task, place).keys() & own_settings()):
            hint = "it is a key of the task" if name in Task.model_fields else "definitions cannot set it"
            raise LookupError("wrong-arguments", place, f"{name!r} is no argument of the operator; {hint}")


def _check_signature(task: Task, function: Callable[..., Any]) -> None:
    """The arguments must be those of the function; Airflow adds its context's names by itself."""
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

    given = [*task.arguments, *task.inputs, *task.expand]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise LookupError("wrong-arguments", "id", f"given twice: {', '.join(twice)}")
    parameters = inspect.signature(function).parameters
    open_ended = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    unknown = [name for name in given if name not in parameters and not open_ended]
    if unknown:
        takes = ", ".join(parameters) or "nothing"
        wrong = ", ".join(name + did_you_mean(name, parameters) for name in unknown)
        raise LookupError("wrong-arguments", "callable", f"{function.__name__} takes {takes}; not {wrong}")
    needed = [
        name
        for name, item in parameters.items()
        if item.default is item.empty and item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)
    ]
    absent = [name for name in needed if name not in given and name not in KNOWN_CONTEXT_KEYS]
    if absent:
        raise LookupError("wrong-arguments", "callable", f"{function.__name__} needs {', '.join(absent)}")
