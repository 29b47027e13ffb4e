"""Calls: which of the things that may be called is meant, and what comes out."""

from __future__ import annotations

import ast
from itertools import islice

from dag_lint.interp.builders import Builders, Kwargs
from dag_lint.interp.machine import MAX_DEPTH, MAX_UNROLL, Scope, dags_of
from dag_lint.interp.methods import bind_arguments, dict_method, list_method, make_dict, text_method
from dag_lint.names import (
    CHAINS,
    TASK_DECORATORS,
    is_airflow,
    is_dag_class,
    is_group_class,
    is_operator_class,
    last,
    may_be_operator,
)
from dag_lint.values import (
    UNKNOWN,
    AltV,
    Arg,
    CallV,
    ClassV,
    Const,
    DagFnV,
    DagV,
    DictV,
    FuncV,
    GroupFnV,
    GroupV,
    ListV,
    MethodV,
    NameV,
    PartialV,
    TaskFnV,
    TaskV,
    Value,
    constant,
)

HARMLESS = {
    "print",
    "len",
    "str",
    "repr",
    "bool",
    "int",
    "float",
    "isinstance",
    "id",
    "type",
    "hasattr",
    "getattr",
}


class Calls(Builders):
    """Evaluates calls."""

    def call(self, node: ast.Call, scope: Scope) -> Value:
        """The value of a call expression."""
        self.tick()
        target = self.eval(node.func, scope)
        args, kwargs, opened = self.arguments(node, scope)
        return self.invoke(target, args, kwargs, node, opened=opened)

    def arguments(self, node: ast.Call, scope: Scope) -> tuple[list[Value], Kwargs, bool]:
        """Positional and keyword arguments, and whether there may be more than are known."""
        args: list[Value] = []
        kwargs: Kwargs = {}
        opened = False
        for item in node.args:
            if isinstance(item, ast.Starred):
                value = self.eval(item.value, scope)
                if isinstance(value, ListV):
                    args.extend(value.items)
                    opened = opened or value.open
                else:
                    args.append(value)
                    opened = True
            else:
                args.append(self.eval(item, scope))
        for keyword in node.keywords:
            value = self.eval(keyword.value, scope)
            if keyword.arg is not None:
                kwargs[keyword.arg] = Arg(value, keyword)
            elif isinstance(value, DictV):
                kwargs.update(value.items)
                opened = opened or value.open
            else:
                opened = True
        return args, kwargs, opened

    def invoke(
        self, target: Value, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        """The result of calling a value."""
        if isinstance(target, NameV):
            return self._invoke_name(target.name, args, kwargs, node, opened=opened)
        if isinstance(target, MethodV):
            return self._invoke_method(target.base, target.attr, args, kwargs, node, opened=opened)
        if isinstance(target, FuncV):
            return self.call_function(target, args, kwargs, open_args=opened)
        if isinstance(target, TaskFnV):
            if target.fn is None and target.kind.startswith("@task") and len(args) == 1:
                return self.decorate_task(target, args[0], node)
            return self.task_call(target, args, kwargs, mapped=False)
        if isinstance(target, GroupFnV):
            return self.group_call(target, args, kwargs, node)
        if isinstance(target, DagFnV):
            return DagV(target.dag)
        if isinstance(target, ClassV):
            return self._invoke_class(target, args, kwargs, node, opened=opened)
        return self._unknown_call(args, kwargs)

    def _invoke_name(
        self, name: str, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        if is_dag_class(name):
            return DagV(self.make_dag(name, args, kwargs, node, opened=opened))
        if is_group_class(name):
            return GroupV(self.make_group(name, args, kwargs, node))
        if is_operator_class(name) or may_be_operator(name, has_task_id="task_id" in kwargs):
            return self.operator(name, kwargs, node, opened=opened)
        if last(name) in CHAINS and (is_airflow(name) or name in CHAINS):
            self.chain(last(name), args, node)
            return UNKNOWN
        if name in TASK_DECORATORS or any(name.startswith(prefix + ".") for prefix in TASK_DECORATORS):
            return self._task_decorator(name, args, kwargs, node, opened=opened)
        builtin = self._builtin(name, args, kwargs, opened=opened)
        if builtin is not None:
            return builtin
        if not is_airflow(name) and name not in HARMLESS:
            self._hand_over(args, kwargs)
        return CallV(name, args, kwargs, node, open=opened)

    def _task_decorator(
        self, name: str, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        kind = (
            "@"
            + "task"
            + next(name[len(p) :] for p in TASK_DECORATORS if name == p or name.startswith(p + "."))
        )
        made = TaskFnV(None, kind, kwargs, opened, node)
        return self.decorate_task(made, args[0], node) if args else made

    def decorate_task(self, deco: TaskFnV, fn: Value, node: ast.AST) -> Value:
        """`task(fn)` or `task(...)(fn)` written as a call."""
        inner = fn if isinstance(fn, FuncV) else None
        if inner is not None:
            self.model.task_functions.setdefault(inner.node, None)
        kwargs = deco.kwargs
        if inner is None and "task_id" not in kwargs:
            kwargs = {**kwargs, "task_id": Arg(UNKNOWN, node)}
        return TaskFnV(inner, deco.kind, kwargs, deco.open, node)

    def _invoke_class(
        self, cls: ClassV, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        name = cls.node.name
        if (
            "task_id" in kwargs
            or is_operator_class(name)
            or any(is_operator_class(base) for base in cls.bases)
        ):
            return self.operator(name, kwargs, node, opened=opened)
        if any(is_dag_class(base) for base in cls.bases):
            dag = self.make_dag("custom.DAG", args, kwargs, node, opened=True)
            return DagV(dag)
        self._hand_over(args, kwargs)
        return UNKNOWN

    def _unknown_call(self, args: list[Value], kwargs: Kwargs) -> Value:
        self._hand_over(args, kwargs)
        if "task_id" in kwargs and self.dag is not None:
            self.dag.open = True
        return UNKNOWN

    def _hand_over(self, args: list[Value], kwargs: Kwargs) -> None:
        """Code that is not known gets these values: it may add tasks to DAGs and edges to tasks."""
        for value in [*args, *(arg.value for arg in kwargs.values())]:
            self.touch(value)
            for dag in dags_of(value):
                dag.open = True

    def _invoke_method(
        self, base: Value, attr: str, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        if isinstance(base, TaskV | GroupV) or (isinstance(base, ListV) and attr.startswith("set_")):
            return self._node_method(base, attr, args, kwargs, node)
        if isinstance(base, TaskFnV | GroupFnV | PartialV):
            return self._template_method(base, attr, args, kwargs, node, opened=opened)
        if isinstance(base, ListV):
            return list_method(base, attr, args)
        if isinstance(base, DictV):
            return dict_method(base, attr, args)
        if isinstance(base, Const) and isinstance(base.value, str):
            return text_method(base.value, attr, args, kwargs)
        if isinstance(base, CallV):
            self._hand_over(args, kwargs)
            return CallV(f"{base.name}().{attr}", args, kwargs, node, open=opened, base=base)
        if isinstance(base, NameV) and attr == "partial":
            return PartialV(base.name, kwargs, opened, [arg.value for arg in kwargs.values()])
        if isinstance(base, DagV) and attr in {"add_task", "add_tasks"}:
            base.dag.open = True
        return self._unknown_call(args, kwargs)

    def _node_method(
        self, base: Value, attr: str, args: list[Value], kwargs: Kwargs, node: ast.Call
    ) -> Value:
        if attr in {"set_upstream", "set_downstream", "as_setup", "as_teardown"}:
            extra = [kwargs[key].value for key in ("setups", "task_or_task_list") if key in kwargs]
            return self.edge_method(base, attr, [*args, *extra], node)
        if attr in {"map", "zip", "concat"}:
            return ListV([base, *args])
        self._hand_over(args, kwargs)
        return UNKNOWN

    def _template_method(
        self, base: Value, attr: str, args: list[Value], kwargs: Kwargs, node: ast.Call, *, opened: bool
    ) -> Value:
        if attr in {"expand", "expand_kwargs"}:
            return self.expand(base, args, kwargs, node, opened=opened or attr == "expand_kwargs")
        if isinstance(base, TaskFnV):
            if attr == "override":
                merged = {**base.kwargs, **kwargs}
                return TaskFnV(
                    base.fn, base.kind, merged, base.open or opened, base.node, base.feeds, base.bound,
                    base.setup, base.teardown,
                )  # fmt: skip
            if attr == "partial":
                feeds = [*base.feeds, *(arg.value for arg in kwargs.values())]
                return TaskFnV(
                    base.fn, base.kind, base.kwargs, base.open, base.node, feeds, base.bound | set(kwargs),
                    base.setup, base.teardown,
                )  # fmt: skip
        if isinstance(base, GroupFnV) and attr in {"override", "partial"}:
            extra = kwargs if attr == "override" else {}
            feeds = [*base.feeds, *(arg.value for arg in kwargs.values())]
            return GroupFnV(base.fn, {**base.kwargs, **extra}, feeds)
        return UNKNOWN

    def call_function(self, fn: FuncV, args: list[Value], kwargs: Kwargs, *, open_args: bool) -> Value:
        """The result of a call of a function of this file: its body is run, to some depth."""
        self.model.called.add(fn.node)
        if self.depth >= MAX_DEPTH or fn.wrapped:
            self._hand_over(args, kwargs)
            return UNKNOWN
        scope = Scope(parent=fn.scope, returns=[])
        scope.names.update(bind_arguments(fn.node, args, kwargs, open_args=open_args))
        if isinstance(fn.node, ast.Lambda):
            return self.eval(fn.node.body, scope)
        self._bind_defaults(fn, scope)
        self.depth += 1
        self.exec_block(fn.node.body, scope)
        self.depth -= 1
        results = scope.returns or []
        if not results:
            return Const(None)
        return results[0] if len(results) == 1 else AltV(results)

    def _bind_defaults(self, fn: FuncV, scope: Scope) -> None:
        args = fn.node.args
        names = [*args.posonlyargs, *args.args]
        pairs = list(zip(names[len(names) - len(args.defaults) :], args.defaults, strict=True))
        pairs += [
            (name, value) for name, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value
        ]
        for name, value in pairs:
            if name.arg not in scope.names:
                scope.names[name.arg] = self.eval(value, fn.scope)
        for other in [*names, *args.kwonlyargs, args.vararg, args.kwarg]:
            if other is not None:
                scope.names.setdefault(other.arg, UNKNOWN)

    def _builtin(self, name: str, args: list[Value], kwargs: Kwargs, *, opened: bool) -> Value | None:
        if name == "dict":
            return make_dict(args, kwargs, opened=opened)
        if name in {"list", "tuple", "sorted", "set", "reversed"} and len(args) <= 1:
            if args and isinstance(args[0], ListV):
                return ListV(list(args[0].items), args[0].open, literal=name != "set")
            return ListV([], bool(args), literal=True)
        if name == "range" and args and all(isinstance(constant(arg), int) for arg in args):
            numbers = range(*[constant(arg) for arg in args[:3]])
            return ListV([Const(i) for i in islice(numbers, MAX_UNROLL)], len(numbers) > MAX_UNROLL)
        if name == "enumerate" and args and isinstance(args[0], ListV):
            items: list[Value] = [ListV([Const(i), item]) for i, item in enumerate(args[0].items)]
            return ListV(items, args[0].open)
        if name == "zip" and args and all(isinstance(arg, ListV) for arg in args):
            lists = [arg.items for arg in args if isinstance(arg, ListV)]
            rows = [ListV(list(row)) for row in zip(*lists, strict=False)]
            return ListV([*rows], any(isinstance(arg, ListV) and arg.open for arg in args))
        if name == "str" and args and isinstance(args[0], Const):
            return Const(str(args[0].value))
        return None
