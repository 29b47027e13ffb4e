"""The graph of which DAG waits for, starts or feeds which, drawn from Airflow's own dependency records.

Airflow computes the dependencies of a DAG when it serialises it and shows the union at `/ui/dependencies`
(menu Browse, DAG Dependencies). `from_response` takes that answer; `mermaid` draws it for a README.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Edge(NamedTuple):
    """`source` before `target`: `dag:<dag_id>` or `asset:<name>`."""

    source: str
    target: str


def from_response(body: Mapping[str, Any]) -> list[Edge]:
    """The edges of a `/ui/dependencies` answer between what people know: DAGs and asset names.

    A `trigger:` or `sensor:` node lies between two DAGs and is drawn through; an asset's number becomes its
    label. Raises KeyError for an answer of another form.
    """
    labels = {node["id"]: _name(node) for node in body["nodes"]}
    following: dict[str, list[str]] = {}
    for edge in body["edges"]:
        following.setdefault(edge["source_id"], []).append(edge["target_id"])
    found = {
        Edge(labels[source], labels[target])
        for source, targets in following.items()
        if not _is_between(source)
        for target in _ends(targets, following)
    }
    return sorted(found)


def neighbourhood(edges: Iterable[Edge], start: str) -> list[Edge]:
    """The edges of everything that is connected with `start`, in either direction."""
    left, reached = set(edges), {start}
    grown = True
    while grown:
        touching = {edge for edge in left if reached & set(edge)}
        grown = not touching <= {edge for edge in left if set(edge) <= reached}
        reached |= {end for edge in touching for end in edge}
    return sorted(edge for edge in left if set(edge) <= reached)


def downstream(edges: Iterable[Edge], start: str) -> list[str]:
    """Everything that a failure of `start` can reach, `start` itself left out."""
    known = list(edges)
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        ahead = {edge.target for edge in known if edge.source == here} - reached
        reached |= ahead
        waiting.extend(ahead)
    return sorted(reached - {start})


def mermaid(edges: Iterable[Edge]) -> str:
    """The graph as a Mermaid flowchart; the same edges give the same text."""
    ordered = sorted(edges)
    names = sorted({end for edge in ordered for end in edge})
    keys = {name: f"n{number}" for number, name in enumerate(names)}
    lines = ["flowchart LR"]
    for name in names:
        label = name.split(":", 1)[1]
        lines.append(
            f'  {keys[name]}[("{label}")]' if name.startswith("asset:") else f'  {keys[name]}["{label}"]'
        )
    lines += [f"  {keys[edge.source]} --> {keys[edge.target]}" for edge in ordered]
    return "\n".join(lines) + "\n"


def _name(node: Mapping[str, Any]) -> str:
    kind = str(node["id"]).split(":", 1)[0]
    return f"asset:{node['label']}" if kind == "asset" else str(node["id"])


def _is_between(node_id: str) -> bool:
    return node_id.split(":", 1)[0] in ("trigger", "sensor")


def _ends(targets: Iterable[str], following: Mapping[str, list[str]]) -> set[str]:
    ends: set[str] = set()
    for target in targets:
        ends |= set(following.get(target, [])) if _is_between(target) else {target}
    return ends
