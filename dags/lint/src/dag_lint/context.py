"""What a rule gets to see of one file, and the helpers that most rules need."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from dag_lint.config import Config
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.interp.machine import Model
from dag_lint.names import is_airflow, last
from dag_lint.source import Source
from dag_lint.tenant import Tenant
from dag_lint.values import UNKNOWN, AltV, Arg, Const, Dag, DictV, FuncV, ListV, NameV, Task, Value, text_of

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Known(Enum):
    """Whether a setting is given, surely missing, or impossible to tell."""

    GIVEN = 1
    ABSENT = 2
    UNKNOWN = 3


@dataclass
class Setting:
    """The effective value of an argument of a task or DAG and where it was given."""

    known: Known
    value: Value = UNKNOWN
    node: ast.AST | None = None

    @property
    def absent(self) -> bool:
        """Surely not given; an explicit None counts as not given."""
        return self.known is Known.ABSENT or (isinstance(self.value, Const) and self.value.value is None)

    @property
    def given(self) -> bool:
        """Surely given."""
        return self.known is Known.GIVEN and not self.absent


class Context:
    """One file with its model, the configuration and the tenants."""

    def __init__(self, source: Source, model: Model, config: Config, tenants: list[Tenant]) -> None:
        self.source = source
        self.model = model
        self.config = config
        self.tenants = tenants
        self.severity = Severity.WARNING

    @cached_property
    def is_dag_file(self) -> bool:
        """Whether the file makes a DAG or tasks of one."""
        return bool(self.model.dags or self.model.tasks or self.model.task_functions)

    def finding(
        self,
        node: ast.AST,
        message: str,
        *,
        fix: Fix | None = None,
        severity: Severity | None = None,
        also: str = "",
    ) -> Finding:
        """A finding at a node; the engine fills in rule and severity."""
        line = getattr(node, "lineno", 1)
        col = self.source.column(line, getattr(node, "col_offset", 0))
        end = getattr(node, "end_lineno", line) or line
        if isinstance(node, FunctionNode | ast.ClassDef):
            end = max(line, node.body[0].lineno - 1)
        path = self.source.path
        return Finding(
            path, line, col + 1, end, "", severity or self.severity, message, fix, also, self._anchors(node)
        )

    def _anchors(self, node: ast.AST) -> tuple[int, ...]:
        """First and last line of the statement around, or of its head when it has a body."""
        if "dag-lint:" not in self.source.text:
            return ()
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.stmt):
            current = self.source.parents.get(current)
        if current is None or not hasattr(current, "end_lineno"):
            return ()
        decorators = getattr(current, "decorator_list", [])
        first = min([current.lineno, *(item.lineno for item in decorators)])
        body = getattr(current, "body", None)
        last = body[0].lineno - 1 if body else current.end_lineno or first
        ends = [item.end_lineno or first for item in decorators]
        return (first, last, *ends)

    def fix(self, kind: str, node: ast.AST, *data: str) -> Fix:
        """A repair of the node."""
        line = getattr(node, "lineno", 1)
        return Fix(kind, line, self.source.column(line, getattr(node, "col_offset", 0)), data)

    @cached_property
    def helpers(self) -> dict[str, FunctionNode]:
        """The plain functions of the module: those that are no task."""
        body = self.source.tree.body if self.source.tree is not None else []
        return {
            node.name: node
            for node in body
            if isinstance(node, FunctionNode) and not node.decorator_list and node not in self.task_functions
        }

    @cached_property
    def places(self) -> list[Task]:
        """One task for each place that makes tasks: a loop makes several at one."""
        return list({task.node: task for task in reversed(self.model.tasks)}.values())[::-1]

    def real_dags(self) -> list[Dag]:
        """DAGs whose arguments speak for themselves: not made by somebody's wrapper."""
        return [dag for dag in self.model.dags if not dag.foreign]

    def task_setting(self, task: Task, key: str) -> Setting:
        """The effective value: the task's own, its groups' default_args, the DAG's default_args."""
        if key in task.kwargs:
            return _given(task.kwargs[key])
        if task.open:
            return Setting(Known.UNKNOWN)
        group = task.group
        while group is not None:
            if group.default_args is not None:
                found = _lookup(group.default_args, key)
                if found is not None:
                    return found
            group = group.group
        if task.dag is None or task.dag.foreign:
            return Setting(Known.UNKNOWN)
        defaults = task.dag.default_args
        found = _lookup(defaults, key) if defaults is not None else None
        return found or Setting(Known.ABSENT)

    def dag_setting(self, dag: Dag, key: str) -> Setting:
        """The value of an argument of the DAG itself."""
        if key in dag.kwargs:
            return _given(dag.kwargs[key])
        return Setting(Known.UNKNOWN if dag.open_kwargs or dag.foreign else Known.ABSENT)

    def tags(self, dag: Dag) -> tuple[set[str], bool]:
        """The tags that are known, and whether these are all."""
        setting = self.dag_setting(dag, "tags")
        if setting.absent:
            return set(), setting.known is not Known.UNKNOWN
        if not isinstance(setting.value, ListV):
            return set(), False
        texts = [text_of(item) for item in setting.value.items]
        return {text for text in texts if text is not None}, not setting.value.open and None not in texts

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local names of the module's imports with what they stand for, functions' own imports too."""
        table: dict[str, str] = {}
        for node in self.source.of_type(ast.Import, ast.ImportFrom):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    table[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    table[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        return table

    def qualified(self, node: ast.AST) -> str:
        """The dotted name of `a.b.c` with imports resolved; empty for what is no plain name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.imports.get(node.id, node.id))
        return ".".join(reversed(parts))

    def calls(self) -> list[ast.Call]:
        """Every call of the file."""
        return [node for node in self.source.of_type(ast.Call) if isinstance(node, ast.Call)]

    def function_around(self, node: ast.AST) -> FunctionNode | ast.Lambda | None:
        """The function or lambda that a node is in."""
        current = self.source.parents.get(node)
        while current is not None and not isinstance(current, FunctionNode | ast.Lambda):
            current = self.source.parents.get(current)
        return current

    @cached_property
    def task_functions(self) -> dict[ast.AST, Task | None]:
        """Functions that run as a task, with the task where one is made of them in this file."""
        return self.model.task_functions

    @cached_property
    def callback_functions(self) -> dict[ast.AST, str]:
        """Functions of this file that are given as a callback, with the name of the argument."""
        found: dict[ast.AST, str] = {}
        for key, value, _ in self.callbacks():
            if isinstance(value, FuncV):
                found.setdefault(value.node, key)
        return found

    def callbacks(self) -> Iterator[tuple[str, Value, ast.AST]]:
        """Every callback of a DAG, task or default_args: argument, value, place; lists are flattened."""
        sources: list[dict[str, Arg]] = [task.kwargs for task in self.model.tasks]
        sources += [dag.kwargs for dag in self.model.dags]
        sources += [args.items for args in self.model.default_args]
        sources += [
            group.default_args.items for dag in self.model.dags for group in dag.groups if group.default_args
        ]
        for items in sources:
            for key, arg in items.items():
                if (key.startswith("on_") and key.endswith("_callback")) or key == "sla_miss_callback":
                    for value in flatten(arg.value):
                        yield key, value, arg.node

    def main_block(self, node: ast.AST) -> bool:
        """Whether the node is under `if __name__ == "__main__"`."""
        current: ast.AST | None = node
        while current is not None:
            if isinstance(current, ast.If) and "__name__" in ast.dump(current.test):
                return True
            current = self.source.parents.get(current)
        return False


def flatten(value: Value) -> list[Value]:
    """The value, or the items of lists and alternatives."""
    if isinstance(value, ListV):
        return [inner for item in value.items for inner in flatten(item)]
    if isinstance(value, AltV):
        return [inner for item in value.values for inner in flatten(item)]
    return [value]


def _given(arg: Arg) -> Setting:
    unknown = arg.value.__class__ is Value
    return Setting(Known.UNKNOWN if unknown else Known.GIVEN, arg.value, arg.node)


def _lookup(defaults: DictV, key: str) -> Setting | None:
    if key in defaults.items:
        return _given(defaults.items[key])
    return Setting(Known.UNKNOWN) if defaults.open else None


def keyword_node(node: ast.AST) -> ast.AST:
    """The node to report for an argument."""
    return node


def keyword(call: ast.Call, name: str) -> ast.keyword | None:
    """A keyword argument of a call."""
    return next((item for item in call.keywords if item.arg == name), None)


def is_external(task: Task) -> bool:
    """Whether the operator talks to something outside: one of a provider other than `standard`."""
    name = task.cls
    if not is_airflow(name) or task.is_sensor:
        return False
    parts = name.split(".")
    if parts[1:2] == ["providers"]:
        return parts[2:3] not in (["standard"], ["fab"]) and not last(name).startswith("Empty")
    return parts[1:2] == ["contrib"] or last(name) in {
        "SimpleHttpOperator",
        "PostgresOperator",
        "MySqlOperator",
    }


def spread(
    ctx: Context, dag: Dag, tasks: list[tuple[Task, str]], everywhere: str, *, at_dag: bool = False
) -> Iterable[Finding]:
    """One finding at each task, or one at the DAG when several tasks lack the same thing."""
    if len(tasks) <= 2 and not at_dag:
        for task, message in tasks:
            yield ctx.finding(task.node, message)
        return
    names = [task.name for task, _ in tasks]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    yield ctx.finding(dag.node, f"{everywhere}: {shown}")


def name_of(value: Value) -> str:
    """The dotted name of something imported or of what a call made."""
    if isinstance(value, NameV):
        return value.name
    return str(getattr(value, "name", ""))
