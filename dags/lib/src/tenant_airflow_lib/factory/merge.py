"""From a file's tree to one tree for each DAG: extends, blocks, environments, for_each and `${...}`.

Later wins: the templates from the root down, the DAG itself, the environment's `overrides`, the environment's
entry for this DAG. Mappings are merged key by key and lists are replaced, except two: `tags` are joined, and
`tasks` are matched by id, so that a child changes one task of its parent and adds others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tenant_airflow_lib.factory.problems import DefinitionError, Problem, error, unfinished
from tenant_airflow_lib.factory.source import Node
from tenant_airflow_lib.factory.template import substitute


@dataclass(frozen=True)
class Source:
    """A parsed file, the environment chosen for it, and the values that `${...}` may name.

    With `problems` of the file as a whole it makes no DAG, but the DAGs' own problems can still be told.
    """

    root: Node
    environment: str
    scope: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


def expand(source: Source, on_error: Callable[[DefinitionError, Node], None]) -> Iterator[Node]:
    """The DAGs of a file as merged trees, in the file's order; a problem of one does not stop the others."""
    dags = source.root.get("dags")
    for item in dags.items if dags else []:
        try:
            merged = _merged(source, item)
            instances = _instances(source, merged)
        except DefinitionError as exc:
            on_error(_named(exc, item.text("dag_id")), item)
            continue
        for each in instances:
            try:
                scope = {**source.scope, **({"each": each.plain()} if each else {})}
                yield substitute(merged.without("for_each"), scope)
            except DefinitionError as exc:
                on_error(_named(exc, item.text("dag_id")), item)


def _named(exc: DefinitionError, dag_id: str) -> DefinitionError:
    named = (replace(problem, dag_id=problem.dag_id or dag_id) for problem in exc.problems)
    return DefinitionError(unfinished(named, dag_id))


def _merged(source: Source, dag: Node) -> Node:
    result = _with_blocks(source, dag.without("extends"))
    for layer in _ancestors(source, dag):
        result = merge(_with_blocks(source, layer.without("extends")), result)
    environments = source.root.get("environments")
    environment = environments.get(source.environment) if environments else None
    if environment:
        for override in (environment.get("overrides"), _own_override(environment, dag.text("dag_id"))):
            if override is not None and override.mapping:
                result = merge(result, _with_blocks(source, override))
    return result


def _own_override(environment: Node, dag_id: str) -> Node | None:
    dags = environment.get("dags")
    return dags.get(dag_id) if dags else None


def _ancestors(source: Source, dag: Node) -> list[Node]:
    """The templates that a DAG extends, nearest first."""
    templates = source.root.get("templates")
    found: dict[str, Node] = {}
    child: Node = dag
    while (extends := child.get("extends")) is not None:
        name = extends.value
        parent: Node | None = templates.get(name) if templates and isinstance(name, str) else None
        if parent is None:
            known = ", ".join(sorted(templates.mapping)) if templates else ""
            message = f"there is no template {name!r} (known: {known or 'none'})"
            raise error("unknown-template", message, extends.mark, "extends")
        if name in found:
            circle = " -> ".join([*found, name])
            raise error("inheritance-cycle", circle, extends.mark, "extends")
        found[name] = parent
        child = parent
    return list(found.values())


def _with_blocks(source: Source, layer: Node) -> Node:
    """The layer with the tasks of its blocks before its own."""
    wanted = layer.get("blocks")
    if wanted is None:
        return layer
    blocks = source.root.get("blocks")
    tasks: list[Node] = []
    for number, item in enumerate(wanted.items):
        block = blocks.get(item.value) if blocks and isinstance(item.value, str) else None
        if block is None:
            known = ", ".join(sorted(blocks.mapping)) if blocks else ""
            message = f"there is no block {item.value!r} (known: {known or 'none'})"
            raise error("unknown-block", message, item.mark, f"blocks[{number}]")
        tasks += block.items
    shared = Node({"tasks": Node(tasks, wanted.mark)}, layer.mark)
    return merge(shared, layer.without("blocks"))


def _instances(source: Source, dag: Node) -> list[Node | None]:
    items = dag.get("for_each")
    if items is None:
        return [None]
    resolved = substitute(items, source.scope, ("for_each",))
    if not resolved.items or not all(item.mapping for item in resolved.items):
        raise error("wrong-value", "a list of mappings, one for each DAG", items.mark, "for_each")
    return list(resolved.items)


def merge(base: Node, over: Node, key: str = "") -> Node:
    """`over` laid on `base`; places stay those of the value that won."""
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        result = base
        for name, node in over.value.items():
            below = base.value.get(name)
            merged = node if below is None else merge(below, node, name)
            result = replace(
                result,
                value={**result.value, name: merged},
                keys={**result.keys, name: over.keys.get(name, node.mark)},
            )
        return replace(result, mark=over.mark)
    if isinstance(base.value, list) and isinstance(over.value, list):
        if key == "tags":
            known = {node.value for node in base.value}
            return replace(over, value=[*base.value, *(n for n in over.value if n.value not in known)])
        if key == "tasks":
            return replace(over, value=_merge_tasks(base.value, over.value))
    return over


def _merge_tasks(base: list[Node], over: list[Node]) -> list[Node]:
    """Tasks by id. Ids that are twice in one list stay, for the check to find them."""
    places = {task.text("id"): place for place, task in enumerate(base) if task.text("id")}
    result = list(base)
    changed: set[str] = set()
    for task in over:
        name = task.text("id")
        if name in places and name not in changed:
            result[places[name]] = merge(result[places[name]], task)
            changed.add(name)
        else:
            result.append(task)
    return result
