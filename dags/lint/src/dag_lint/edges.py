"""The task graph of a DAG, with edges of groups resolved to tasks."""

from __future__ import annotations

from collections.abc import Iterator

from dag_lint.values import Dag, Group, Node, Task


class Graph:
    """Tasks and their direct up- and downstream tasks."""

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self.up: dict[Task, set[Task]] = {task: set() for task in dag.tasks}
        self.down: dict[Task, set[Task]] = {task: set() for task in dag.tasks}
        plain = [(a, b) for a, b, _ in dag.edges if isinstance(a, Task) and isinstance(b, Task)]
        for one, other in plain:
            self._add(one, other)
        for left, right, _ in dag.edges:
            if isinstance(left, Group) or isinstance(right, Group):
                for one in self._ends(left, last=True):
                    for other in self._ends(right, last=False):
                        self._add(one, other)

    def _add(self, left: Task, right: Task) -> None:
        self.down.setdefault(left, set()).add(right)
        self.down.setdefault(right, set())
        self.up.setdefault(right, set()).add(left)

    def _ends(self, node: Node, *, last: bool) -> list[Task]:
        if isinstance(node, Task):
            return [node]
        members = self.members(node)
        inside = [task for task in self.dag.tasks if task in members]
        table = self.down if last else self.up
        ends = [task for task in inside if not table.get(task, set()) & members]
        return [task for task in ends if not (last and task.teardown)] or ends

    def members(self, group: Node) -> set[Task]:
        """The tasks in a group and the groups inside it."""
        found: set[Task] = set()
        for task in self.dag.tasks:
            around = task.group
            while around is not None:
                if around is group:
                    found.add(task)
                    break
                around = around.group
        return found

    def open_around(self, task: Task) -> bool:
        """Whether the task, or a group around it, may have edges that are not known."""
        if task.open_up or task.open_down:
            return True
        group = task.group
        while group is not None:
            if group.open_up or group.open_down:
                return True
            group = group.group
        return False

    def cycle(self) -> list[Task]:
        """The tasks of a cycle, or an empty list; the same one in every run, told from its first task on."""
        order = {task: number for number, task in enumerate(self.down)}
        state: dict[Task, int] = {}
        for start in order:
            found = self._walk(start, state, order)
            if found:
                first = found.index(min(found, key=order.__getitem__))
                return found[first:] + found[:first]
        return []

    def _walk(self, start: Task, state: dict[Task, int], order: dict[Task, int]) -> list[Task]:
        def following_of(task: Task) -> Iterator[Task]:
            # Sets of objects have another order in each process.
            return iter(sorted(self.down[task], key=order.__getitem__))

        stack: list[tuple[Task, Iterator[Task]]] = [(start, following_of(start))]
        if state.get(start):
            return []
        state[start] = 1
        while stack:
            task, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[task] = 2
                stack.pop()
            elif state.get(following) == 1:
                path = [item for item, _ in stack]
                return path[path.index(following) :]
            elif not state.get(following):
                state[following] = 1
                stack.append((following, following_of(following)))
        return []

    def ancestors(self, task: Task) -> set[Task]:
        """Every task upstream."""
        return _closure(task, self.up)

    def leaves(self) -> list[Task]:
        """Tasks without a downstream task."""
        return [task for task in self.dag.tasks if not self.down.get(task)]


def _closure(task: Task, table: dict[Task, set[Task]]) -> set[Task]:
    found: set[Task] = set()
    stack = [task]
    while stack:
        for other in table.get(stack.pop(), ()):
            if other not in found:
                found.add(other)
                stack.append(other)
    return found
