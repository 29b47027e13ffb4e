"""Which team a DAG belongs to, and what that team may do with it: a cluster policy for FAB roles.

FAB scopes rights by DAG id only, without prefixes or folders, and by default a DAG's author may hand out
rights on it. This policy sets `access_control` itself, from where the file lies, at every parse: what an
author wrote and what somebody granted by hand is replaced. Install it in `airflow_local_settings.py` of
every component:

    from tenant_airflow_lib.policy import dag_policy

and tell it the teams by the variable `TENANT_DAG_TEAMS` (JSON; the first rule that matches wins):

    [{"team": "ml", "path": "team_ml/"},
     {"team": "payments", "path": "/bundles/payments", "prefix": "pay_", "readers": ["audit"]},
     {"team": "platform", "path": ""}]

An absolute path is a bundle's folder; a relative one is a folder anywhere below a bundle; an empty one is
every file. `prefix` is demanded of each dag_id. Without the variable the policy does nothing.

Each team and reader must exist as a FAB role before its DAGs are parsed, else they are import errors.

A cluster policy is no boundary against the DAG files: they run in the same process before it and can change
what it sees (`fileloc`, `DAG.validate`, the policy itself). It keeps honest teams apart; teams that must not
trust each other need an Airflow, or at least a DAG processor with one bundle, of their own.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowClusterPolicyViolation

if TYPE_CHECKING:
    from airflow.sdk import DAG

log = logging.getLogger(__name__)

RULES_VARIABLE = "TENANT_DAG_TEAMS"
Access = dict[str, dict[str, set[str]]]
_KEYS = {"team", "path", "prefix", "readers"}


@dataclass(frozen=True)
class TeamRule:
    """DAG files below `path` belong to `team`; `readers` are other roles that may look."""

    team: str
    path: str = ""
    prefix: str = ""
    readers: tuple[str, ...] = ()

    def covers(self, file: str) -> bool:
        """Whether a DAG file lies below this rule's folder."""
        folder = self.path.strip("/")
        if self.path.startswith("/"):
            return file.startswith(f"/{folder}/")
        return not folder or f"/{folder}/" in f"/{file}"

    def access(self) -> Access:
        """FAB role -> resource -> actions, as `DAG.access_control` takes it."""
        granted: Access = {
            reader: {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}} for reader in self.readers
        }
        granted[self.team] = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
        return granted


def parse_rules(text: str) -> tuple[TeamRule, ...]:
    """Rules from JSON; an empty text is none. Raises ValueError that names the faulty rule."""
    if not text.strip():
        return ()
    body = json.loads(text)
    if not isinstance(body, list):
        raise ValueError(f"{RULES_VARIABLE} must be a list of rules")
    return tuple(_rule(number, entry) for number, entry in enumerate(body))


def rule_for(file: str, rules: Sequence[TeamRule]) -> TeamRule | None:
    """The first rule that covers a DAG file."""
    return next((rule for rule in rules if rule.covers(file)), None)


def dag_policy(dag: DAG) -> None:
    """Give a DAG to its team. Raises AirflowClusterPolicyViolation when it has none or breaks its prefix."""
    rules = _rules(os.environ.get(RULES_VARIABLE, ""))
    if not rules or _is_an_error(dag):
        return
    rule = rule_for(dag.fileloc, rules)
    if rule is None:
        raise AirflowClusterPolicyViolation(f"{dag.dag_id}: its file belongs to no team")
    if not dag.dag_id.startswith(rule.prefix):
        raise AirflowClusterPolicyViolation(f"{dag.dag_id}: DAGs of {rule.team} start with {rule.prefix!r}")
    access: Any = rule.access()
    if dag.access_control and dag.access_control != access:
        log.warning(
            "%s: access_control of the DAG file is replaced by that of team %s", dag.dag_id, rule.team
        )
    dag.access_control = access
    dag.tags.add(f"team:{rule.team}")


def _is_an_error(dag: DAG) -> bool:
    """Whether a DAG only carries the problems of definitions and is refused by itself, never stored.

    To refuse it here would hide the problems, and the error would take the good DAGs beside it away.
    """
    broken = sys.modules.get("tenant_airflow_lib.factory.broken")
    return broken is not None and type(dag) is broken.BrokenDefinitions


@functools.cache
def _rules(text: str) -> tuple[TeamRule, ...]:
    return parse_rules(text)


def _rule(number: int, entry: Any) -> TeamRule:
    if not isinstance(entry, Mapping) or not entry.get("team"):
        raise ValueError(f"rule {number} of {RULES_VARIABLE} names no team")
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise ValueError(f"rule {number} of {RULES_VARIABLE} has unknown keys: {', '.join(unknown)}")
    return TeamRule(
        team=str(entry["team"]),
        path=str(entry.get("path", "")),
        prefix=str(entry.get("prefix", "")),
        readers=tuple(entry.get("readers", ())),
    )
