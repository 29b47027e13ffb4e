"""The state of the evaluation and the helpers that every layer above needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from dag_lint.values import (
    UNKNOWN,
    AltV,
    Arg,
    CallV,
    Dag,
    DagV,
    DictV,
    FuncV,
    Group,
    GroupV,
    ListV,
    Node,
    PartialV,
    PendingV,
    Task,
    TaskFnV,
    TaskV,
    Value,
)

MAX_STEPS = 60_000
MAX_DEPTH = 5
MAX_UNROLL = 40


class BudgetError(Exception):
    """The file makes more than the evaluation is willing to follow."""


@dataclass(eq=False)
class Scope:
    """Names of a module or of one call of a function."""

    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returns: list[Value] | None = None
    done: bool = False

    def get(self, name: str) -> Value | None:
        """The value of a name here or in the scopes around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


@dataclass
class Model:
    """What a file makes. `exhausted`: evaluation gave up, so nothing is known to be absent."""

    dags: list[Dag] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    module: Scope = field(default_factory=Scope)
    list_edges: list[ast.AST] = field(default_factory=list)
    notes: dict[ast.AST, Value] = field(default_factory=dict)
    default_args: list[DictV] = field(default_factory=list)
    called: set[ast.AST] = field(default_factory=set)
    guessed: set[ast.AST] = field(default_factory=set)
    task_functions: dict[ast.AST, Task | None] = field(default_factory=dict)
    exhausted: bool = False


class Machine:
    """State and the three operations that all layers may call: `eval`, `exec_block`, `call_function`."""

    def __init__(self, *, star: bool) -> None:
        self.model = Model()
        self.star = star
        self.dags: list[Dag] = []
        self.groups: list[Group] = []
        self.steps = 0
        self.depth = 0
        self.conditional = 0
        self.unknown_loops = 0
        self.loops = 0
        self.unordered = 0
        self.functions: list[FuncV] = []

    def tick(self) -> None:
        """Count a step; raise when there were too many."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise BudgetError

    def eval(self, node: ast.expr | None, scope: Scope) -> Value:
        """The value of an expression."""
        raise NotImplementedError

    def exec_block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        """Run statements."""
        raise NotImplementedError

    def call_function(
        self, fn: FuncV, args: list[Value], kwargs: dict[str, Arg], *, open_args: bool
    ) -> Value:
        """The result of a call of a function of this file."""
        raise NotImplementedError

    @property
    def dag(self) -> Dag | None:
        """The DAG of the innermost `with` or `@dag`."""
        return self.dags[-1] if self.dags else None

    @property
    def group(self) -> Group | None:
        """The innermost group."""
        return self.groups[-1] if self.groups else None


def nodes_of(value: Value, depth: int = 0) -> tuple[list[Node], bool]:
    """The tasks and groups in a value, and whether there may be others in it that nobody can tell."""
    if depth > 6:
        return [], True
    if isinstance(value, TaskV):
        return [value.task], False
    if isinstance(value, GroupV):
        return [value.group], False
    inside = _parts(value)
    if inside is not None:
        return _several(inside, depth, opened=isinstance(value, ListV | DictV) and value.open)
    return [], value.__class__ is Value


def _parts(value: Value) -> list[Value] | None:
    """The values that a value holds; None for one that holds none."""
    if isinstance(value, ListV):
        return value.items
    if isinstance(value, AltV):
        return value.values
    if isinstance(value, DictV):
        return [arg.value for arg in value.items.values()] + list(value.raw.values())
    if isinstance(value, CallV):
        base = [value.base] if value.base is not None else []
        return [*value.args, *(arg.value for arg in value.kwargs.values()), *base]
    if isinstance(value, TaskFnV | PartialV):
        return value.feeds
    return [value.left] if isinstance(value, PendingV) else None


def _several(values: Iterable[Value], depth: int, *, opened: bool) -> tuple[list[Node], bool]:
    found: list[Node] = []
    for value in values:
        nodes, more = nodes_of(value, depth + 1)
        found.extend(nodes)
        opened = opened or more
    return found, opened


def dags_of(value: Value) -> list[Dag]:
    """The DAGs that a value is or holds."""
    if isinstance(value, DagV):
        return [value.dag]
    if isinstance(value, ListV):
        return [dag for item in value.items for dag in dags_of(item)]
    if isinstance(value, AltV):
        return [dag for item in value.values for dag in dags_of(item)]
    if isinstance(value, DictV):
        return [dag for arg in value.items.values() for dag in dags_of(arg.value)]
    return []


def merge(left: Value | None, right: Value | None) -> Value:
    """What a name may be after two branches."""
    if left is right and left is not None:
        return left
    options: list[Value] = []
    for value in (left, right):
        if isinstance(value, AltV):
            options.extend(value.values)
        elif value is not None:
            options.append(value)
    if left is None or right is None or len(options) > 8:
        options.append(UNKNOWN)
    return AltV(options)
