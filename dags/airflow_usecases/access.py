"""Who may do what with which DAG, as granted in FAB, compared with what the teams' rules say.

Rights reach a role in two ways: on one DAG (`DAG:<dag_id>`, `DAG Run:<dag_id>`) or on all of them (`DAGs`,
`DAG Runs`); the second kind makes every rule about teams void for this role.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

Granted = dict[str, dict[str, set[str]]]  # dag_id -> role -> actions
EVERY_DAG = "*"


class Deviation(NamedTuple):
    """A right that no rule gives (`unexpected`) or that a rule gives and nobody has (`missing`)."""

    kind: str
    dag_id: str
    role: str
    action: str


def granted(roles: Iterable[Mapping[str, Any]], trusted: Collection[str] = ()) -> Granted:
    """The DAG rights of roles as `/auth/fab/v1/roles` lists them, without `trusted` ones; `*` is all DAGs."""
    found: Granted = {}
    for role in roles:
        if role["name"] in trusted:
            continue
        for pair in role["actions"]:
            dag_id = _dag_of(pair["resource"]["name"])
            if dag_id is not None:
                of_dag = found.setdefault(dag_id, {}).setdefault(role["name"], set())
                of_dag.add(pair["action"]["name"])
    return found


def expected(files: Mapping[str, str], owner: Callable[[str], Mapping[str, Any] | None]) -> Granted:
    """The DAG rights that the rules give; `files` is dag_id -> file, `owner` the rule's access for a file."""
    found: Granted = {}
    for dag_id, file in files.items():
        for role, resources in (owner(file) or {}).items():
            found.setdefault(dag_id, {})[role] = set(resources["DAGs"])
    return found


def deviations(should: Granted, has: Granted) -> list[Deviation]:
    """Where the rights differ, sorted. Only reading and editing DAGs count, and what reaches all DAGs."""
    found: set[Deviation] = set()
    for dag_id in should.keys() | has.keys():
        for role in should.get(dag_id, {}).keys() | has.get(dag_id, {}).keys():
            wanted = should.get(dag_id, {}).get(role, set())
            present = has.get(dag_id, {}).get(role, set())
            found |= {Deviation("missing", dag_id, role, action) for action in wanted - present}
            found |= {Deviation("unexpected", dag_id, role, action) for action in present - wanted}
    return sorted(found)


def _dag_of(resource: str) -> str | None:
    if resource == "DAGs":
        return EVERY_DAG
    return resource.removeprefix("DAG:") if resource.startswith("DAG:") else None
