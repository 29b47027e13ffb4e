"""Comprehensions, what loops go over, and assignment to targets."""

from __future__ import annotations

import ast

from dag_lint.interp.calls import Calls
from dag_lint.interp.machine import MAX_UNROLL, Scope
from dag_lint.values import (
    UNKNOWN,
    AltV,
    Arg,
    CallV,
    Const,
    DictV,
    GroupFnV,
    ListV,
    PartialV,
    TaskFnV,
    TaskV,
    Value,
    text_of,
)


class Loops(Calls):
    """Evaluates comprehensions and binds names."""

    def _listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
        if len(node.generators) != 1:
            return self._comprehension_once(node.elt, node.generators, scope)
        generator = node.generators[0]
        rows = self.iterate(self.eval(generator.iter, scope))
        if rows is None or generator.ifs:
            return self._comprehension_once(node.elt, node.generators, scope)
        made: list[Value] = []
        self.loops += 1
        for row in rows:
            inner = Scope(parent=scope)
            self.bind(generator.target, row, inner)
            made.append(self.eval(node.elt, inner))
        self.loops -= 1
        return ListV(made, literal=isinstance(node, ast.ListComp))

    _setcomp = _listcomp
    _generatorexp = _listcomp

    def _comprehension_once(self, elt: ast.expr, generators: list[ast.comprehension], scope: Scope) -> Value:
        inner = Scope(parent=scope)
        self.unknown_loops += 1
        for generator in generators:
            found = self.eval(generator.iter, inner)
            row = AltV([*found.items, UNKNOWN]) if isinstance(found, ListV) and found.items else UNKNOWN
            self.bind(generator.target, row, inner)
            for test in generator.ifs:
                self.eval(test, inner)
        value = self.eval(elt, inner)
        self.unknown_loops -= 1
        return ListV([value], open=True, literal=True)

    def _dictcomp(self, node: ast.DictComp, scope: Scope) -> Value:
        generator = node.generators[0]
        rows = self.iterate(self.eval(generator.iter, scope)) if len(node.generators) == 1 else None
        made = DictV(open=rows is None or bool(generator.ifs))
        if rows is None:
            value = self._comprehension_once(node.value, node.generators, scope)
            made.raw[node] = value
            return made
        self.loops += 1
        for row in rows:
            inner = Scope(parent=scope)
            self.bind(generator.target, row, inner)
            key, value = text_of(self.eval(node.key, inner)), self.eval(node.value, inner)
            if key is None:
                made.open = True
                made.raw[id(row)] = value
            else:
                made.items[key] = Arg(value, node.value)
        self.loops -= 1
        return made

    def iterate(self, value: Value) -> list[Value] | None:
        """The items that a loop sees, or None when they cannot be told."""
        if isinstance(value, ListV) and not value.open and len(value.items) <= MAX_UNROLL:
            return list(value.items)
        if isinstance(value, DictV) and not value.open and len(value.items) + len(value.raw) <= MAX_UNROLL:
            return [Const(key) for key in [*value.items, *value.raw]]
        return None

    def bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Assign to a name or to a tuple of names."""
        if isinstance(target, ast.Name):
            scope.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            known = isinstance(value, ListV) and not value.open and len(value.items) == len(target.elts)
            for index, item in enumerate(target.elts):
                part: Value = UNKNOWN
                if known and isinstance(value, ListV):
                    part = value.items[index]
                elif isinstance(value, TaskV | CallV):
                    part = value
                self.bind(item, part, scope)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, ListV([value], True), scope)
        elif isinstance(target, ast.Subscript | ast.Attribute):
            self._assign_part(target, value, scope)

    def _assign_part(self, target: ast.Subscript | ast.Attribute, value: Value, scope: Scope) -> None:
        base = self.eval(target.value, scope)
        if isinstance(target, ast.Attribute):
            self._assign_attribute(base, target, value)
            return
        key = text_of(self.eval(target.slice, scope))
        if isinstance(base, DictV):
            if key is None:
                base.open = True
                base.raw[target] = value
            else:
                base.items[key] = Arg(value, target)
                base.keys[key] = target.slice
        elif isinstance(base, ListV):
            base.items.append(value)
            base.open = True

    def _assign_attribute(self, base: Value, target: ast.Attribute, value: Value) -> None:
        from_ = Arg(value, target)
        if isinstance(base, TaskV):
            base.task.kwargs[target.attr] = from_
        elif hasattr(base, "dag") and hasattr(base.dag, "kwargs"):
            base.dag.kwargs[target.attr] = from_
        elif isinstance(base, TaskFnV | GroupFnV | PartialV):
            base.kwargs[target.attr] = from_
