"""Definitions of functions and classes, and what decorators make of them."""

from __future__ import annotations

import ast

from dag_lint.interp.expressions import Expressions
from dag_lint.interp.machine import Scope
from dag_lint.names import (
    DAG_DECORATORS,
    GROUP_DECORATORS,
    SETUP_DECORATORS,
    TASK_DECORATORS,
    TEARDOWN_DECORATORS,
)
from dag_lint.values import Arg, ClassV, DagFnV, FuncV, GroupFnV, NameV, TaskFnV, Value

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Functions(Expressions):
    """Runs definitions."""

    def _do_classdef(self, node: ast.ClassDef, scope: Scope) -> None:
        bases = []
        for base in node.bases:
            value = self.eval(base, scope)
            if isinstance(value, NameV):
                bases.append(value.name)
            elif isinstance(value, ClassV):
                bases.extend([value.node.name, *value.bases])
        scope.names[node.name] = ClassV(node, bases)

    def _do_functiondef(self, node: FunctionNode, scope: Scope) -> None:
        fn = FuncV(node, scope)
        value: Value = fn
        self.functions.append(fn)
        setup = teardown = False
        for decorator in reversed(node.decorator_list):
            found = self.eval(decorator, scope)
            name = found.name if hasattr(found, "name") else ""
            if name in SETUP_DECORATORS or name in TEARDOWN_DECORATORS:
                setup, teardown = setup or name in SETUP_DECORATORS, teardown or name in TEARDOWN_DECORATORS
                if isinstance(value, FuncV):
                    value = self._task_function("@task", {}, fn, opened=False)
            else:
                value = self._decorate(found, name, value, fn, decorator)
        if isinstance(value, TaskFnV):
            value.setup, value.teardown = setup, teardown
        scope.names[node.name] = value

    _do_asyncfunctiondef = _do_functiondef

    def _decorate(self, found: Value, name: str, value: Value, fn: FuncV, decorator: ast.expr) -> Value:
        if isinstance(found, TaskFnV) and found.fn is None:
            return self._task_function(found.kind, found.kwargs, fn, opened=found.open)
        for prefix in TASK_DECORATORS:
            if name == prefix or name.startswith(prefix + "."):
                return self._task_function("@task" + name[len(prefix) :], {}, fn, opened=False)
        kwargs = found.kwargs if hasattr(found, "kwargs") and isinstance(found.kwargs, dict) else {}
        if name in GROUP_DECORATORS:
            return GroupFnV(fn, kwargs)
        if name in DAG_DECORATORS:
            return self._dag_function(found, kwargs, fn, decorator)
        fn.wrapped = name not in {"staticmethod", "functools.wraps", "functools.lru_cache", "functools.cache"}
        return value

    def _task_function(self, kind: str, kwargs: dict[str, Arg], fn: FuncV, *, opened: bool) -> TaskFnV:
        self.model.task_functions.setdefault(fn.node, None)
        return TaskFnV(fn, kind, kwargs, opened, fn.node)

    def _dag_function(self, found: Value, kwargs: dict[str, Arg], fn: FuncV, decorator: ast.expr) -> Value:
        args: list[Value] = getattr(found, "args", [])
        dag = self.make_dag("airflow.sdk.DAG", args, kwargs, decorator, opened=getattr(found, "open", False))
        if "dag_id" not in dag.kwargs and not dag.open_kwargs and isinstance(fn.node, FunctionNode):
            dag.dag_id = fn.node.name
        if isinstance(fn.node, FunctionNode):
            dag.decorated = fn.node
        self.dags.append(dag)
        outer, self.groups = self.groups, []
        self.call_function(fn, [], {}, open_args=True)
        self.groups = outer
        self.dags.pop()
        return DagFnV(fn, dag)
