"""Statements, and the run over a whole module."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dag_lint.interp.functions import Functions
from dag_lint.interp.machine import BudgetError, Model, Scope, merge, nodes_of
from dag_lint.source import Source
from dag_lint.values import (
    UNKNOWN,
    AltV,
    Const,
    DagV,
    GroupV,
    ListV,
    NameV,
    Value,
)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Interpreter(Functions):
    """Runs statements by the name of their node."""

    def exec_block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        """Run statements in order, up to a `return` or `raise`."""
        for statement in body:
            if scope.done:
                return
            self.tick()
            method = getattr(self, "_do_" + type(statement).__name__.lower(), None)
            if method is not None:
                method(statement, scope)

    def _do_import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            if alias.asname:
                scope.names[alias.asname] = NameV(alias.name)
            else:
                top = alias.name.partition(".")[0]
                scope.names[top] = NameV(top)

    def _do_importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.star = True
            else:
                scope.names[alias.asname or alias.name] = NameV(f"{module}.{alias.name}".lstrip("."))

    def _do_assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.eval(node.value, scope)
        for target in node.targets:
            self.bind(target, value, scope)

    def _do_annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.bind(node.target, self.eval(node.value, scope), scope)

    def _do_augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        load = ast.copy_location(ast.BinOp(left=_as_load(node.target), op=node.op, right=node.value), node)
        old = self.eval(load.left, scope)
        if isinstance(old, ListV) and isinstance(node.op, ast.Add):
            value = self.eval(node.value, scope)
            old.items.extend(value.items if isinstance(value, ListV) else [value])
            old.open = old.open or not isinstance(value, ListV) or value.open
            return
        self.bind(node.target, self.eval(load, scope), scope)

    def _do_expr(self, node: ast.Expr, scope: Scope) -> None:
        self.eval(node.value, scope)

    def _do_return(self, node: ast.Return, scope: Scope) -> None:
        value = self.eval(node.value, scope) if node.value else Const(None)
        frame: Scope | None = scope
        while frame is not None and frame.returns is None:
            frame = frame.parent
        if frame is not None and frame.returns is not None:
            frame.returns.append(value)
        scope.done = True

    def _do_raise(self, _node: ast.Raise, scope: Scope) -> None:
        scope.done = True

    def _do_if(self, node: ast.If, scope: Scope) -> None:
        if _is_main(node.test):
            return
        test = self.eval(node.test, scope)
        if isinstance(test, NameV) and test.name.endswith("TYPE_CHECKING"):
            self.exec_block(node.body, scope)
            return
        self._branches([node.body, node.orelse], scope)

    def _branches(self, bodies: list[list[ast.stmt]], scope: Scope) -> None:
        before, done = dict(scope.names), []
        results: list[dict[str, Value]] = []
        self.conditional += 1
        for body in bodies:
            scope.names = dict(before)
            scope.done = False
            self.exec_block(body, scope)
            done.append(scope.done)
            if not scope.done:
                results.append(scope.names)
        self.conditional -= 1
        scope.done = all(done)
        if not results:
            scope.names = before
            return
        merged = dict(results[0])
        for names in results[1:]:
            for key in merged.keys() | names.keys():
                merged[key] = merge(merged.get(key), names.get(key))
        scope.names = merged

    def _do_match(self, node: ast.Match, scope: Scope) -> None:
        self.eval(node.subject, scope)
        self._branches([case.body for case in node.cases] + [[]], scope)

    def _do_for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        found = self.eval(node.iter, scope)
        rows = self.iterate(found)
        if rows is not None:
            self.loops += 1
            for row in rows:
                self.bind(node.target, row, scope)
                self.exec_block(node.body, scope)
                scope.done = False
            self.loops -= 1
        else:
            row = AltV([*found.items, UNKNOWN]) if isinstance(found, ListV) and found.items else UNKNOWN
            self.bind(node.target, row, scope)
            self._once(node.body, scope)
        self.exec_block(node.orelse, scope)

    _do_asyncfor = _do_for

    def _do_while(self, node: ast.While, scope: Scope) -> None:
        self.eval(node.test, scope)
        self._once(node.body, scope)

    def _once(self, body: list[ast.stmt], scope: Scope) -> None:
        """A loop whose rounds cannot be told: its body is run once, lists that it fills stay open."""
        before = dict(scope.names)
        lists = {
            id(value): (value, len(value.items)) for value in before.values() if isinstance(value, ListV)
        }
        self.unknown_loops += 1
        self.exec_block(body, scope)
        self.unknown_loops -= 1
        scope.done = False
        for filled, size in lists.values():
            filled.open = filled.open or len(filled.items) > size
        for key, value in before.items():
            if scope.names.get(key) is not value:
                scope.names[key] = merge(value, scope.names.get(key))

    def _do_with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        dags, groups, loose = 0, 0, 0
        for item in node.items:
            value = self.eval(item.context_expr, scope)
            if isinstance(value, AltV):
                value = next((v for v in value.values if isinstance(v, DagV | GroupV)), value)
            if isinstance(value, DagV):
                self.dags.append(value.dag)
                dags += 1
            elif isinstance(value, GroupV):
                self.groups.append(value.group)
                groups += 1
            elif nodes_of(value)[0]:
                self.touch(value)
                loose += 1
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, scope)
        outer = self.groups
        if dags and not groups:
            self.groups = []
        self.unordered += loose
        self.exec_block(node.body, scope)
        self.unordered -= loose
        self.groups = outer
        for _ in range(dags):
            self.dags.pop()
        for _ in range(groups):
            self.groups.pop()

    _do_asyncwith = _do_with

    def _do_try(self, node: ast.Try, scope: Scope) -> None:
        self.exec_block(node.body, scope)
        done = scope.done
        names = dict(scope.names)
        for handler in node.handlers:
            scope.done = False
            self.conditional += 1
            self.exec_block(handler.body, scope)
            self.conditional -= 1
        for key, value in names.items():
            # What the tried code gave is what usually holds; handlers only add names.
            scope.names[key] = value
        scope.done = done
        self.exec_block(node.orelse, scope)
        self.exec_block(node.finalbody, scope)

    _do_trystar = _do_try


def _as_load(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Name):
        return ast.copy_location(ast.Name(id=node.id, ctx=ast.Load()), node)
    return node


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def evaluate(source: Source) -> Model:
    """What the file makes. Functions that nothing here calls are run once with unknown arguments."""
    machine = Interpreter(star=False)
    if source.tree is None or not ("airflow" in source.text or "DAG(" in source.text):
        return machine.model
    scope = machine.model.module
    try:
        machine.exec_block(source.tree.body, scope)
        _run_uncalled(machine)
    except (BudgetError, RecursionError):
        machine.model.exhausted = True
        for dag in machine.model.dags:
            dag.open = True
        for task in machine.model.tasks:
            task.open_up = task.open_down = True
    return machine.model


def _run_uncalled(machine: Interpreter) -> None:
    for fn in list(machine.functions):
        known = fn.node in machine.model.called or fn.node in machine.model.task_functions
        if known or fn.wrapped or isinstance(fn.node, ast.Lambda):
            continue
        before = len(machine.model.tasks)
        machine.model.guessed.add(fn.node)
        machine.unordered += 1
        machine.conditional += 1
        machine.call_function(fn, [], {}, open_args=True)
        machine.unordered -= 1
        machine.conditional -= 1
        for task in machine.model.tasks[before:]:
            task.open_up = task.open_down = True
