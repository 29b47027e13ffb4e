"""Dependencies: `>>`, `<<`, set_upstream, chain, cross_downstream, labels, data passed between tasks."""

from __future__ import annotations

import ast

from dag_lint.interp.machine import Machine, nodes_of
from dag_lint.names import LABELS, last
from dag_lint.values import UNKNOWN, AltV, CallV, GroupV, ListV, Node, PendingV, TaskV, Value


class Edges(Machine):
    """Adds edges to the DAGs of the model."""

    def connect(self, up: Value, down: Value, where: ast.AST) -> None:
        """Every task of `up` runs before every task of `down`; a side that cannot be told opens the other."""
        ups, more_ups = nodes_of(up)
        downs, more_downs = nodes_of(down)
        for node in ups:
            node.open_down = node.open_down or more_downs
        for node in downs:
            node.open_up = node.open_up or more_ups
        for left in ups:
            for right in downs:
                self.tick()
                self.edge(left, right, where)

    def edge(self, up: Node, down: Node, where: ast.AST) -> None:
        """One edge; a node without a DAG takes that of the other."""
        dag = up.dag or down.dag
        for node in (up, down):
            if node.dag is None and dag is not None:
                node.dag = dag
                (dag.tasks if hasattr(node, "task_id") else dag.groups).append(node)  # type: ignore[arg-type]
        if dag is not None:
            dag.edges.append((up, down, where))

    def touch(self, value: Value) -> None:
        """Code that cannot be followed got the value: its tasks may have any edge."""
        for node in nodes_of(value)[0]:
            node.open_up = node.open_down = True

    def shift(self, left: Value, right: Value, node: ast.AST, *, forward: bool) -> Value:
        """`left >> right` (or `<<`); the result is the right side, as in Python."""
        if isinstance(right, CallV) and last(right.name) in LABELS:
            return PendingV(left, forward)
        if isinstance(left, PendingV):
            left = left.left
        if _is_task_list(left) and _is_task_list(right):
            self.model.list_edges.append(node)
        if forward:
            self.connect(left, right, node)
        else:
            self.connect(right, left, node)
        return right

    def edge_method(self, value: Value, attr: str, args: list[Value], where: ast.AST) -> Value:
        """`set_upstream`, `set_downstream`, `as_setup`, `as_teardown`."""
        if attr == "set_downstream":
            for other in args:
                self.connect(value, other, where)
            return UNKNOWN
        if attr == "set_upstream":
            for other in args:
                self.connect(other, value, where)
            return UNKNOWN
        for node in nodes_of(value)[0]:
            if hasattr(node, "teardown"):
                setattr(node, "teardown" if attr == "as_teardown" else "setup", True)
        for other in args:
            self.connect(other, value, where)
        return value

    def chain(self, name: str, args: list[Value], where: ast.AST) -> None:
        """`chain`, `chain_linear`, `cross_downstream`."""
        if name == "cross_downstream" and len(args) == 2:
            self.connect(args[0], args[1], where)
            return
        previous: Value | None = None
        for value in args:
            current = value.left if isinstance(value, PendingV) else value
            if isinstance(current, CallV) and last(current.name) in LABELS:
                continue
            if previous is not None:
                self._link(name, previous, current, where)
            previous = current

    def _link(self, name: str, up: Value, down: Value, where: ast.AST) -> None:
        pairs = (
            name == "chain"
            and isinstance(up, ListV)
            and isinstance(down, ListV)
            and not (up.open or down.open)
            and len(up.items) == len(down.items)
        )
        if pairs and isinstance(up, ListV) and isinstance(down, ListV):
            for left, right in zip(up.items, down.items, strict=True):
                self.connect(left, right, where)
        else:
            self.connect(up, down, where)


def _is_task_list(value: Value) -> bool:
    """Whether it is surely a plain list of tasks (for which Python knows no `>>`)."""
    if isinstance(value, AltV):
        return bool(value.values) and all(_is_task_list(item) for item in value.values)
    return (
        isinstance(value, ListV)
        and value.literal
        and any(isinstance(item, TaskV | GroupV) for item in value.items)
    )
