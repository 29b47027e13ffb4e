"""
# Who may do what: teams, roles and DAGs

Every team has a FAB role and sees its own DAGs only. This DAG compares, every night, what the rules say with
what Airflow grants, and fails when somebody got rights by hand.

**What it shows**

- Rights on a DAG are FAB pairs: `can_read` or `can_edit` on `DAG:<dag_id>`; runs are a resource of their own
  (`DAG Run:<dag_id>`: `can_read`, `can_create`). There are no folders, prefixes or wildcards.
- So the platform sets `access_control` by a **cluster policy** (`tenant_airflow_lib.policy`), from where the
  file lies. What an author writes there is replaced: otherwise each author could open his DAG to anybody.
- `can_read` on `DAGs` (plural) reaches every DAG. One such right voids all team rules; the audit lists it as
  `*`.
- Everything else is not per team: pools, connections, variables, assets and audit logs are all or nothing.
  Teams get none of it; the operator writes them.

| role | own DAGs | other teams' DAGs | pools, connections, variables |
|---|---|---|---|
| a team | read, edit, trigger | 403 | 403 |
| a reader of a rule | read | 403 | 403 |
| Viewer (built in) | read | **read**: never give it to a team | read |

**When to use it**

One Airflow for several teams that trust the platform, not each other.

**When not**

Teams that must not be able to disturb each other at all: one Airflow per team. Tasks of one Airflow share
more than the UI shows.

**What to change**

`TENANT_DAG_TEAMS` (see the policy), connection `airflow_api` (a user who may read roles), Param
`trusted_roles`.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import access
from airflow_usecases.airflow_rest import AirflowRest, base_url

log = logging.getLogger(__name__)
SHOWN = 50  # deviations in the report; an XCom is no archive


@task(multiple_outputs=False)
def compare_access() -> dict[str, Any]:
    """Rules against FAB: how many DAGs and teams were compared, and what differs."""
    import requests
    from airflow.sdk import Connection

    from tenant_airflow_lib.policy import RULES_VARIABLE, parse_rules, rule_for

    rules = parse_rules(os.environ.get(RULES_VARIABLE, ""))
    if not rules:
        raise AirflowFailException(f"{RULES_VARIABLE} is not set on this worker: nothing to compare with")

    def owner(file: str) -> Any:
        rule = rule_for(file, rules)
        return rule.access() if rule else None

    connection = Connection.get("airflow_api")
    with requests.Session() as session:
        api = AirflowRest.login(
            base_url(connection), session, connection.login or "", connection.password or ""
        )
        files = {dag["dag_id"]: dag["fileloc"] for dag in api.all("/api/v2/dags", "dags")}
        roles = list(api.all("/auth/fab/v1/roles", "roles"))
    has = access.granted(roles, get_current_context()["params"]["trusted_roles"])
    found = access.deviations(access.expected(files, owner), has)
    log.info("%d DAGs, %d roles, %d deviations", len(files), len(roles), len(found))
    return {
        "dags": len(files),
        "teams": sorted({rule.team for rule in rules}),
        "deviations": len(found),
        "shown": [list(deviation) for deviation in found[:SHOWN]],
    }


@task
def refuse_deviations(report: dict[str, Any]) -> int:
    """Fail when rights differ from the rules; returns how many DAGs are as they should be."""
    if report["deviations"]:
        lines = [" ".join(deviation) for deviation in report["shown"]]
        raise AirflowFailException(f"{report['deviations']} rights differ from the rules: {'; '.join(lines)}")
    return int(report["dags"])


with DAG(
    dag_id="phase16_02_rbac_patterns",
    description="Compare the rights in FAB with the rules of the teams",
    doc_md=__doc__,
    schedule="30 4 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "trusted_roles": Param(
            ["Admin", "Op", "User", "Viewer"],
            type="array",
            items={"type": "string"},
            description="Roles of the platform; a team's people must not have them",
        )
    },
    tags=["phase16", "rbac"],
):
    refuse_deviations(compare_access())
