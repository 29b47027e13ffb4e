"""The values that the static evaluation of a DAG file knows, and the tasks, groups and DAGs that it finds."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any


class Value:
    """A value; an instance of exactly this class is one that nobody can tell without running the code."""


UNKNOWN = Value()


@dataclass(eq=False)
class Arg:
    """A value and the place that gave it: a keyword of a call, the value of a dict item, an expression."""

    value: Value
    node: ast.AST


@dataclass(eq=False)
class Const(Value):
    """A literal: text, number, bool, None, bytes."""

    value: Any


@dataclass(eq=False)
class ListV(Value):
    """A list, tuple or set. `open`: there may be more items than are known."""

    items: list[Value] = field(default_factory=list)
    open: bool = False
    literal: bool = False


@dataclass(eq=False)
class DictV(Value):
    """A dict with text keys. `open`: there may be more items than are known."""

    items: dict[str, Arg] = field(default_factory=dict)
    open: bool = False
    keys: dict[str, ast.AST] = field(default_factory=dict)
    raw: dict[Any, Value] = field(default_factory=dict)


@dataclass(eq=False)
class NameV(Value):
    """Something imported or built in, by its full dotted name."""

    name: str


@dataclass(eq=False)
class CallV(Value):
    """The result of a call of something imported: `timedelta(minutes=5)`, `SmtpNotifier(...)`."""

    name: str
    args: list[Value]
    kwargs: dict[str, Arg]
    node: ast.AST
    open: bool = False
    base: Value | None = None


@dataclass(eq=False)
class AltV(Value):
    """One of several values, depending on a condition."""

    values: list[Value]


@dataclass(eq=False)
class FuncV(Value):
    """A function or lambda of this file. `wrapped`: under decorators that are not known."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Any
    wrapped: bool = False


@dataclass(eq=False)
class ClassV(Value):
    """A class of this file, with the dotted names of its bases."""

    node: ast.ClassDef
    bases: list[str]


@dataclass(eq=False)
class MethodV(Value):
    """An attribute of a value that is not a task, not yet called."""

    base: Value
    attr: str


@dataclass(eq=False)
class PendingV(Value):
    """The left side of `a >> Label("x") >> b`: what the label hangs on."""

    left: Value
    forward: bool


@dataclass(eq=False)
class TaskFnV(Value):
    """A function under `@task`: calling it makes a task."""

    fn: FuncV | None
    kind: str
    kwargs: dict[str, Arg]
    open: bool
    node: ast.AST
    feeds: list[Value] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    setup: bool = False
    teardown: bool = False


@dataclass(eq=False)
class GroupFnV(Value):
    """A function under `@task_group`."""

    fn: FuncV
    kwargs: dict[str, Arg]
    feeds: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class DagFnV(Value):
    """A function under `@dag`."""

    fn: FuncV
    dag: Dag


@dataclass(eq=False)
class PartialV(Value):
    """`SomeOperator.partial(...)` before `.expand(...)`."""

    name: str
    kwargs: dict[str, Arg]
    open: bool
    feeds: list[Value]


@dataclass(eq=False)
class Node:
    """What edges join: a task or a group."""

    dag: Dag | None
    group: Group | None
    node: ast.AST
    open_up: bool = False
    open_down: bool = False


@dataclass(eq=False)
class Group(Node):
    """A task group. `group_id` is None when it cannot be told; then ids inside cannot be told either."""

    group_id: str | None = None
    prefix: bool = True
    default_args: DictV | None = None
    open: bool = False

    @property
    def full_id(self) -> str | None:
        """The id with the prefixes of the groups around."""
        return join_id(self.group, self.group_id)

    @property
    def child_prefix(self) -> str | None:
        """What ids of tasks inside begin with; empty for none, None when it cannot be told."""
        if self.prefix:
            return self.full_id
        return self.group.child_prefix if self.group else ""


def join_id(group: Group | None, own: str | None) -> str | None:
    """The full id of something named `own` in a group; None when a part cannot be told."""
    if own is None:
        return None
    prefix = group.child_prefix if group else ""
    if prefix is None:
        return None
    return f"{prefix}.{own}" if prefix else own


@dataclass(eq=False)
class Task(Node):
    """A task. `cls` is the dotted name of the operator, or `@task`, `@task.branch`... for TaskFlow."""

    cls: str = ""
    task_id: str | None = None
    kwargs: dict[str, Arg] = field(default_factory=dict)
    open: bool = False
    fn: FuncV | None = None
    conditional: bool = False
    many: bool = False
    mapped: bool = False
    setup: bool = False
    teardown: bool = False
    bound: set[str] = field(default_factory=set)
    bound_args: int = 0

    @property
    def full_id(self) -> str | None:
        """The id with the prefixes of the groups around."""
        return join_id(self.group, self.task_id)

    @property
    def name(self) -> str:
        """For messages: the id or, when it cannot be told, the function or the operator."""
        function = str(getattr(self.fn.node, "name", "")) if self.fn and self.cls.startswith("@") else ""
        return self.full_id or self.task_id or function or self.short_cls

    @property
    def short_cls(self) -> str:
        """The operator without its module."""
        return self.cls.rpartition(".")[2] if not self.cls.startswith("@") else self.cls

    @property
    def is_sensor(self) -> bool:
        """Whether it waits for something."""
        return self.cls == "@task.sensor" or self.short_cls.endswith(("Sensor", "SensorAsync"))

    @property
    def is_empty(self) -> bool:
        """Whether it does nothing at all and so needs no limit, no retry and no callable."""
        return self.short_cls in {
            "EmptyOperator",
            "DummyOperator",
            "LatestOnlyOperator",
            "ExternalTaskMarker",
        }


@dataclass(eq=False)
class Dag:
    """A DAG. `foreign`: made by a wrapper that is not Airflow's, so that missing arguments say nothing."""

    node: ast.AST
    kwargs: dict[str, Arg] = field(default_factory=dict)
    dag_id: str | None = None
    open_kwargs: bool = False
    foreign: bool = False
    open: bool = False
    conditional: bool = False
    decorated: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    default_args: DictV | None = None
    tasks: list[Task] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    edges: list[tuple[Node, Node, ast.AST]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For messages."""
        return self.dag_id or "<dynamic>"


@dataclass(eq=False)
class TaskV(Value):
    """A task, or what it returns (an XComArg)."""

    task: Task


@dataclass(eq=False)
class GroupV(Value):
    """A task group."""

    group: Group


@dataclass(eq=False)
class DagV(Value):
    """A DAG."""

    dag: Dag


def constant(value: Value | None) -> Any:
    """The Python value of a literal, else None."""
    return value.value if isinstance(value, Const) else None


def text_of(value: Value | None) -> str | None:
    """The text of a literal string, else None."""
    found = constant(value)
    return found if isinstance(found, str) else None
