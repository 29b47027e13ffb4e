"""What calls make: DAGs, groups, tasks of operators, tasks of decorated functions."""

from __future__ import annotations

import ast

from dag_lint.interp.edges import Edges
from dag_lint.interp.machine import nodes_of
from dag_lint.names import DAG_CLASSES, is_dag_class, last
from dag_lint.values import (
    UNKNOWN,
    AltV,
    Arg,
    Const,
    Dag,
    DagV,
    DictV,
    FuncV,
    Group,
    GroupFnV,
    GroupV,
    ListV,
    PartialV,
    Task,
    TaskFnV,
    TaskV,
    Value,
    constant,
    text_of,
)

Kwargs = dict[str, Arg]


class Builders(Edges):
    """Adds DAGs, groups and tasks to the model."""

    def make_dag(self, name: str, args: list[Value], kwargs: Kwargs, node: ast.AST, *, opened: bool) -> Dag:
        """A DAG of `DAG(...)` or `@dag(...)`."""
        kwargs = dict(kwargs)
        if args and "dag_id" not in kwargs:
            kwargs["dag_id"] = Arg(args[0], _first_arg(node))
        dag = Dag(
            node=node,
            kwargs=kwargs,
            dag_id=text_of(kwargs["dag_id"].value) if "dag_id" in kwargs else None,
            open_kwargs=opened,
            foreign=is_dag_class(name) and name not in DAG_CLASSES,
            conditional=self.conditional > 0,
        )
        dag.default_args = self._default_args(kwargs, opened=opened or dag.foreign)
        self.model.dags.append(dag)
        return dag

    def _default_args(self, kwargs: Kwargs, *, opened: bool) -> DictV:
        given = kwargs.get("default_args")
        if given is None or (constant(given.value) is None and isinstance(given.value, Const)):
            return DictV(open=opened)
        if isinstance(given.value, DictV):
            self.model.default_args.append(given.value)
            return given.value
        if isinstance(given.value, AltV):
            for value in given.value.values:
                if isinstance(value, DictV):
                    self.model.default_args.append(value)
        return DictV(open=True)

    def make_group(self, name: str, args: list[Value], kwargs: Kwargs, node: ast.AST) -> Group:
        """A group of `TaskGroup(...)`, or of a class with such a name, whose content is not known then."""
        given = kwargs.get("group_id")
        value = given.value if given else (args[0] if args else UNKNOWN)
        parent = kwargs.get("parent_group")
        around = self.group
        if parent is not None:
            around = parent.value.group if isinstance(parent.value, GroupV) else None
        group = Group(
            dag=self._dag_of(kwargs) or (around.dag if around else None) or self.dag,
            group=around,
            node=node,
            group_id=text_of(value),
            prefix="prefix_group_id" not in kwargs or constant(kwargs["prefix_group_id"].value) is not False,
            open=last(name) != "TaskGroup",
        )
        if "default_args" in kwargs:
            group.default_args = self._default_args(kwargs, opened=False)
        if group.dag is not None:
            group.dag.groups.append(group)
            group.dag.open = group.dag.open or group.open
        if self.unordered:
            group.open_up = group.open_down = True
        return group

    def _dag_of(self, kwargs: Kwargs) -> Dag | None:
        given = kwargs.get("dag")
        return given.value.dag if given is not None and isinstance(given.value, DagV) else None

    def make_task(self, task: Task, kwargs: Kwargs, feeds: list[Value]) -> Task:
        """Put a task in its DAG and group, with the edges of the data that it gets."""
        if task.dag is None and (dag := self._dag_of(kwargs)) is not None:
            task.dag = dag
        given_group = kwargs.get("task_group")
        if given_group is not None:
            task.group = given_group.value.group if isinstance(given_group.value, GroupV) else task.group
            if not isinstance(given_group.value, GroupV):
                task.task_id = None
        elif task.group is None:
            task.group = self.group
        if task.dag is None:
            task.dag = (
                task.group.dag if task.group and task.group.dag else (None if "dag" in kwargs else self.dag)
            )
        task.conditional = self.conditional > 0
        task.many = self.unknown_loops > 0 or self.loops > 0
        if self.unknown_loops or self.unordered:
            task.open_up = task.open_down = True
        self.model.tasks.append(task)
        if task.dag is not None:
            task.dag.tasks.append(task)
        for value in feeds:
            for up in nodes_of(value)[0]:
                self.edge(up, task, task.node)
        return task

    def operator(
        self, name: str, kwargs: Kwargs, node: ast.AST, *, opened: bool, mapped: bool = False
    ) -> TaskV:
        """A task of a call of an operator's class."""
        given = kwargs.get("task_id")
        task = Task(
            dag=None, group=None, node=node, cls=name, kwargs=dict(kwargs), open=opened, mapped=mapped,
            task_id=text_of(given.value) if given else None,
        )  # fmt: skip
        fn = kwargs.get("python_callable")
        if fn is not None and isinstance(fn.value, FuncV):
            task.fn = fn.value
            self.model.task_functions.setdefault(fn.value.node, task)
            task.bound = _bound(kwargs)
            given_args = kwargs.get("op_args")
            if given_args is not None:
                inside = given_args.value
                known = isinstance(inside, ListV) and not inside.open
                task.bound_args = len(inside.items) if known and isinstance(inside, ListV) else 99
        feeds = [arg.value for key, arg in kwargs.items() if key not in {"dag", "task_group"}]
        self.make_task(task, kwargs, feeds)
        return TaskV(task)

    def task_call(self, fn: TaskFnV, args: list[Value], kwargs: Kwargs, *, mapped: bool) -> Value:
        """A task of a call of a function under `@task`."""
        given = fn.kwargs.get("task_id")
        name = fn.fn.node.name if fn.fn and not isinstance(fn.fn.node, ast.Lambda) else None
        task = Task(
            dag=None, group=None, node=fn.node, cls=fn.kind, kwargs=dict(fn.kwargs), open=fn.open,
            mapped=mapped, task_id=text_of(given.value) if given else name, fn=fn.fn, setup=fn.setup,
            teardown=fn.teardown,
            bound=fn.bound | set(kwargs), bound_args=len(args),
        )  # fmt: skip
        feeds = [*fn.feeds, *args, *(arg.value for arg in kwargs.values())]
        self.make_task(task, {**fn.kwargs}, feeds)
        task.task_id = self._unique(task)
        if fn.fn is not None:
            self.model.task_functions[fn.fn.node] = task
        return TaskV(task)

    def _unique(self, task: Task) -> str | None:
        """Calls of one decorated function get the ids `f`, `f__1`, `f__2`."""
        if task.dag is None or task.task_id is None:
            return task.task_id
        taken = {other.full_id for other in task.dag.tasks if other is not task}
        base, number = task.task_id, 0
        while task.full_id in taken:
            number += 1
            task.task_id = f"{base}__{number}"
        return task.task_id

    def group_call(self, fn: GroupFnV, args: list[Value], kwargs: Kwargs, node: ast.AST) -> Value:
        """A group of a call of a function under `@task_group`, with the tasks that its body makes."""
        settings = dict(fn.kwargs)
        if "group_id" not in settings and not isinstance(fn.fn.node, ast.Lambda):
            settings["group_id"] = Arg(Const(fn.fn.node.name), fn.fn.node)
        group = self.make_group("TaskGroup", [], settings, node)
        for value in fn.feeds:
            self.connect(value, GroupV(group), node)
        self.groups.append(group)
        result = self.call_function(fn.fn, args, kwargs, open_args=False)
        self.groups.pop()
        return GroupV(group) if isinstance(result, Const) or result is UNKNOWN else result

    def expand(self, fn: Value, args: list[Value], kwargs: Kwargs, node: ast.AST, *, opened: bool) -> Value:
        """`.expand(...)` and `.expand_kwargs(...)` of an operator, a task or a group."""
        feeds = [*args, *(arg.value for arg in kwargs.values())]
        if isinstance(fn, TaskFnV):
            result = self.task_call(fn, args, kwargs, mapped=True)
            if isinstance(result, TaskV):
                result.task.open = result.task.open or opened
                result.task.bound_args = 99 if args or opened else 0
            return result
        if isinstance(fn, GroupFnV):
            fn = GroupFnV(fn.fn, fn.kwargs, [*fn.feeds, *feeds])
            return self.group_call(fn, [], {key: Arg(UNKNOWN, arg.node) for key, arg in kwargs.items()}, node)
        if isinstance(fn, PartialV):
            merged = {**fn.kwargs, **{key: Arg(UNKNOWN, arg.node) for key, arg in kwargs.items()}}
            made = self.operator(fn.name, merged, node, opened=fn.open or opened or bool(args), mapped=True)
            for value in [*fn.feeds, *feeds]:
                self.connect(value, made, node)
            return made
        return UNKNOWN


def _first_arg(node: ast.AST) -> ast.AST:
    return node.args[0] if isinstance(node, ast.Call) and node.args else node


def _bound(kwargs: Kwargs) -> set[str]:
    names: set[str] = set()
    for key in ("op_kwargs", "templates_dict"):
        given = kwargs.get(key)
        if given is not None:
            inside = given.value
            names |= set(inside.items) if isinstance(inside, DictV) else {"*"}
            if isinstance(inside, DictV) and inside.open:
                names.add("*")
    return names
