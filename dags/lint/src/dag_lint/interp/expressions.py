"""Expressions other than calls."""

from __future__ import annotations

import ast
import builtins
import operator
from typing import Any

from dag_lint.interp.loops import Loops
from dag_lint.interp.machine import Scope, merge
from dag_lint.values import (
    UNKNOWN,
    AltV,
    Arg,
    CallV,
    Const,
    DagV,
    DictV,
    FuncV,
    GroupV,
    ListV,
    MethodV,
    NameV,
    TaskV,
    Value,
    constant,
)

_BUILTINS = frozenset(dir(builtins))
_ARITHMETIC: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}


class Expressions(Loops):
    """Evaluates expressions by the name of their node."""

    def eval(self, node: ast.expr | None, scope: Scope) -> Value:
        """The value of an expression; UNKNOWN for what is not understood, with its parts evaluated."""
        if node is None:
            return UNKNOWN
        self.tick()
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        value: Value = method(node, scope) if method is not None else self._other(node, scope)
        return value

    def _other(self, node: ast.expr, scope: Scope) -> Value:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.touch(self.eval(child, scope))
        return UNKNOWN

    def _constant(self, node: ast.Constant, _scope: Scope) -> Value:
        return Const(node.value)

    def _name(self, node: ast.Name, scope: Scope) -> Value:
        value = scope.get(node.id)
        if value is not None:
            return value
        if node.id in _BUILTINS:
            return NameV(node.id)
        return NameV(node.id) if (self.star and node.id[:1].isupper()) or node.id == "DAG" else UNKNOWN

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        base = self.eval(node.value, scope)
        if isinstance(base, NameV):
            if (
                node.attr in {"partial", "expand"}
                and base.name[:1] != base.name.rpartition(".")[2][:1].lower()
            ):
                return MethodV(base, node.attr)
            return NameV(f"{base.name}.{node.attr}")
        known = _node_attribute(base, node.attr)
        if known is not None:
            return known
        if isinstance(base, AltV):
            for option in base.values:
                if isinstance(option, NameV):
                    return NameV(f"{option.name}.{node.attr}")
            return AltV([MethodV(option, node.attr) for option in base.values])
        if base.__class__ is Value:
            return UNKNOWN
        return MethodV(base, node.attr)

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        value = self.call(node, scope)
        if isinstance(value, CallV):
            self.model.notes[node] = value
        return value

    def _await(self, node: ast.Await, scope: Scope) -> Value:
        return self.eval(node.value, scope)

    def _starred(self, node: ast.Starred, scope: Scope) -> Value:
        return self.eval(node.value, scope)

    def _list(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
        made = ListV([], literal=not isinstance(node, ast.Set))
        for item in node.elts:
            value = self.eval(item, scope)
            if isinstance(item, ast.Starred):
                known = isinstance(value, ListV)
                made.items.extend(value.items if isinstance(value, ListV) else [value])
                made.open = made.open or not known or (isinstance(value, ListV) and value.open)
            else:
                made.items.append(value)
        return made

    _tuple = _list
    _set = _list

    def _dict(self, node: ast.Dict, scope: Scope) -> Value:
        made = DictV()
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.eval(item, scope)
            if key is None:
                if isinstance(value, DictV):
                    made.items.update(value.items)
                    made.keys.update(value.keys)
                    made.open = made.open or value.open
                else:
                    made.open = True
                continue
            name = self.eval(key, scope)
            if isinstance(name, Const) and isinstance(name.value, str):
                made.items[name.value] = Arg(value, item)
                made.keys[name.value] = key
            elif isinstance(name, Const):
                made.raw[name.value] = value
            else:
                made.raw[key] = value
                made.open = True
        return made

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Value:
        return FuncV(node, scope)

    def _joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts: list[str] = []
        for item in node.values:
            value = self.eval(item.value if isinstance(item, ast.FormattedValue) else item, scope)
            plain = not isinstance(item, ast.FormattedValue) or (
                item.conversion == -1 and item.format_spec is None
            )
            if not isinstance(value, Const) or not plain:
                return UNKNOWN
            parts.append(str(value.value))
        return Const("".join(parts))

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        self.eval(node.test, scope)
        self.conditional += 1
        left, right = self.eval(node.body, scope), self.eval(node.orelse, scope)
        self.conditional -= 1
        return merge(left, right)

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        values = [self.eval(item, scope) for item in node.values]
        return AltV(values)

    def _namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.eval(node.value, scope)
        scope.names[node.target.id] = value
        return value

    def _binop(self, node: ast.BinOp, scope: Scope) -> Value:
        left, right = self.eval(node.left, scope), self.eval(node.right, scope)
        if isinstance(node.op, ast.RShift | ast.LShift):
            return self.shift(left, right, node, forward=isinstance(node.op, ast.RShift))
        if isinstance(node.op, ast.Add) and isinstance(left, ListV) and isinstance(right, ListV):
            return ListV([*left.items, *right.items], left.open or right.open, left.literal and right.literal)
        if isinstance(node.op, ast.BitOr) and isinstance(left, DictV):
            if not isinstance(right, DictV):
                return DictV(left.items, True, left.keys)
            items, keys = {**left.items, **right.items}, {**left.keys, **right.keys}
            return DictV(items, left.open or right.open, keys)
        if isinstance(left, Const) and isinstance(right, Const):
            return _compute(node.op, left.value, right.value)
        if isinstance(left, CallV):
            return CallV(left.name, left.args, left.kwargs, left.node, open=True, base=left)
        self.touch(left)
        self.touch(right)
        return UNKNOWN

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.eval(node.operand, scope)
        if isinstance(node.op, ast.USub) and isinstance(constant(value), int | float):
            return Const(-constant(value))
        return UNKNOWN

    def _compare(self, node: ast.Compare, scope: Scope) -> Value:
        for item in (node.left, *node.comparators):
            self.eval(item, scope)
        return UNKNOWN

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        base = self.eval(node.value, scope)
        key = self.eval(node.slice, scope)
        if isinstance(base, TaskV):
            return base
        if isinstance(base, DictV):
            name = constant(key)
            if isinstance(name, str) and name in base.items:
                return base.items[name].value
            if isinstance(key, Const) and name in base.raw:
                return base.raw[name]
            inside = [arg.value for arg in base.items.values()] + list(base.raw.values())
            return AltV([*inside, UNKNOWN]) if inside else UNKNOWN
        if isinstance(base, ListV):
            return self._list_item(base, key, node)
        if isinstance(base, CallV):
            return CallV(f"{base.name}()[]", [base], {}, node, open=True, base=base)
        return UNKNOWN

    def _list_item(self, base: ListV, key: Value, node: ast.Subscript) -> Value:
        index = constant(key)
        if isinstance(index, int) and not base.open and -len(base.items) <= index < len(base.items):
            return base.items[index]
        if isinstance(node.slice, ast.Slice):
            return ListV(list(base.items), base.open, base.literal)
        return AltV([*base.items, UNKNOWN])


def _node_attribute(base: Value, attr: str) -> Value | None:
    """Attributes of tasks, groups and DAGs that are known."""
    if isinstance(base, TaskV) and attr == "output":
        return base
    if isinstance(base, TaskV) and attr in {"task_id", "operator"}:
        return Const(base.task.full_id) if base.task.full_id and attr == "task_id" else UNKNOWN
    if isinstance(base, GroupV) and attr == "group_id":
        return Const(base.group.full_id) if base.group.full_id else UNKNOWN
    if isinstance(base, DagV) and attr in {"task", "task_group"}:
        return NameV(f"airflow.sdk.{attr}")
    return None


def _compute(op: ast.operator, left: Any, right: Any) -> Value:
    function = _ARITHMETIC.get(type(op))
    small = not isinstance(left, str | bytes) or not isinstance(right, int)
    if function is None or not small or (isinstance(left, int) and isinstance(right, str)):
        return UNKNOWN
    try:
        return Const(function(left, right))
    except (TypeError, ValueError, ArithmeticError, KeyError, MemoryError):
        return UNKNOWN
