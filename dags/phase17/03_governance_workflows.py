"""
# Three workflows of data governance

Trigger with the process that is due: `retention`, `schema_change` or `access_review`.

**What it shows**

| process | tasks | result |
|---|---|---|
| retention | `classify_columns` -> `enforce_retention` | expired rows are gone, rows under legal hold stay |
| schema_change | `detect_changes` -> `send_notice` -> `accept_change` | what breaks readers is refused |
| access_review | `list_grants` -> `approve_grants` -> `record_review` | a person looked, or the run fails |

- Classes: PII, Confidential, Public; declared by the owner, else suggested by the column's name. The
  strictest column of a table decides how long its rows are kept (`governance.RETENTION`).
- Retention in one transaction: `DELETE` of what has expired and is not under `legal_hold`. A second run
  deletes nothing; a table that does not exist fails the run, because it would look like one without personal
  data.
- Contracts: old and new are compared; a removed field, another type, a value that may now be absent **break**
  readers. Impact analysis follows Airflow's assets from DAG to DAG, so that the refusal lists who would
  break.
- The agreement between teams: `max_age_hours` of the contract against the asset's last event.
- A notice has the run as idempotency key: a retry after a lost answer tells nobody twice.
- A person decides in the UI (*Required Actions*): `ApprovalOperator`. Nobody answers for a week: the run
  fails.

**When to use it**

As soon as data has an owner and readers in different teams.

**When not**

- Deletion on a person's request: that needs the person's id in every system, not an age.
- Column-level access: that is the database's work.

**What to change**

Params (tables, contract), the classes in `governance`, connections `governed_db` (PostgreSQL), `airflow_api`,
`governance_webhook` (where notices go).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Connection, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import access, governance
from airflow_usecases.airflow_rest import TIMEOUT, AirflowRest, base_url
from airflow_usecases.data_contract import breaking_changes, parse_contract
from airflow_usecases.run_dates import run_moment

log = logging.getLogger(__name__)
FIRST_TASK = {
    "retention": "classify_columns",
    "schema_change": "detect_changes",
    "access_review": "list_grants",
}
CONTRACT: dict[str, Any] = {
    "asset": "orders_clean",
    "owner": "data_engineering",
    "version": 1,
    "consumers": ["analytics", "ml"],
    "max_age_hours": 26,
    "fields": [{"name": "order_id", "type": "integer"}, {"name": "amount", "type": "number"}],
}


def _airflow(session: Any) -> AirflowRest:
    connection = Connection.get("airflow_api")
    return AirflowRest.login(base_url(connection), session, connection.login or "", connection.password or "")


@task.branch
def choose_process() -> str:
    """The first task of the process that was asked for."""
    return FIRST_TASK[get_current_context()["params"]["process"]]


@task(multiple_outputs=False)
def classify_columns() -> dict[str, dict[str, str]]:
    """Table -> column -> class. A table that is not there fails the run before a row of any is removed."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    params = get_current_context()["params"]
    hook = PostgresHook("governed_db")
    columns = {
        table: [row[0] for row in hook.get_records(governance.COLUMNS_SQL, parameters=(table,))]
        for table in params["tables"]
    }
    missing = sorted(table for table, names in columns.items() if not names)
    if missing:
        raise AirflowFailException(f"no such table, nothing was removed: {', '.join(missing)}")
    return {table: governance.classify(names, params["declared"]) for table, names in columns.items()}


@task(multiple_outputs=False)
def enforce_retention(classes: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Delete expired rows, keep those under legal hold; table -> class, deleted, held. All tables or none."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    today = run_moment(get_current_context()["dag_run"]).date()
    done: dict[str, dict[str, Any]] = {}
    with PostgresHook("governed_db").get_conn() as connection, connection.cursor() as cursor:
        for table, columns in classes.items():
            kind = governance.strictest(columns.values())
            expired = governance.keep_from(kind, today)
            done[table] = {"class": kind, "deleted": 0, "held": 0}
            if expired is None:
                continue
            count_held, delete_expired = governance.retention_sql(table)
            cursor.execute(count_held, (expired,))
            done[table]["held"] = cursor.fetchone()[0]
            cursor.execute(delete_expired, (expired,))
            done[table]["deleted"] = cursor.rowcount
    log.info("audit: retention %s", done)
    return done


@task(multiple_outputs=False)
def detect_changes() -> dict[str, Any]:
    """Compare the contracts, find whom a change reaches and whether the last delivery was in time."""
    import requests

    params = get_current_context()["params"]
    old, new = parse_contract(params["contract"]), parse_contract(params["new_contract"])
    with requests.Session() as session:
        assets = list(_airflow(session).all("/api/v2/assets", "assets"))
    broken = breaking_changes(old, new)
    dags = governance.downstream_dags(assets, old.asset)
    seen = [asset["last_asset_event"] for asset in assets if asset["name"] == old.asset]
    late = True
    if seen and seen[0] and seen[0].get("timestamp"):
        late = old.is_late(datetime.now(UTC) - datetime.fromisoformat(seen[0]["timestamp"]))
    return governance.notice(old.asset, broken, dags, old.consumers) | {"late": late, "version": new.version}


@task(multiple_outputs=False)
def send_notice(found: dict[str, Any]) -> dict[str, Any]:
    """Tell the teams; also when nothing breaks, they learn what changed."""
    import requests

    connection = Connection.get("governance_webhook")
    address = f"{base_url(connection)}/notices"
    # one key per run and not per try: a retry after a lost answer is the same notice
    headers = {"Idempotency-Key": get_current_context()["run_id"]}
    requests.post(address, json=found, headers=headers, timeout=TIMEOUT).raise_for_status()
    return found


@task
def accept_change(found: dict[str, Any]) -> int:
    """The new version, if nobody breaks. Otherwise this is the gate that stops what follows it."""
    if found["changes"]:
        raise AirflowFailException(
            f"{found['asset']}: {'; '.join(found['changes'])}. "
            f"These DAGs would break: {', '.join(found['downstream_dags']) or 'none known'}"
        )
    return int(found["version"])


@task(multiple_outputs=False)
def list_grants() -> list[str]:
    """Who may edit what, one line per role; rights on all DAGs first."""
    import requests

    with requests.Session() as session:
        roles = list(_airflow(session).all("/auth/fab/v1/roles", "roles"))
    held: dict[str, list[str]] = {}
    for dag_id, by_role in sorted(access.granted(roles).items()):
        for role, actions in by_role.items():
            if "can_edit" in actions:
                held.setdefault(role, []).append(dag_id)
    return [f"{role}: {', '.join(dag_ids)}" for role, dag_ids in sorted(held.items())]


@task
def record_review(grants: list[str]) -> int:
    """How many roles were confirmed; who did it is in the event log."""
    log.info("access review: %d roles confirmed", len(grants))
    return len(grants)


with DAG(
    dag_id="phase17_03_governance_workflows",
    description="Retention by class, gate for contract changes, access review by a person",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=3,
    dagrun_timeout=timedelta(days=8),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=15),
    },
    params={
        "process": Param("retention", type="string", enum=sorted(FIRST_TASK)),
        "tables": Param(
            ["customers", "invoices", "countries"],
            type="array",
            items={"type": "string", "pattern": "^[a-z_][a-z0-9_]*$"},
            description="Each has created_at (date) and legal_hold (boolean)",
        ),
        "declared": Param(
            {"vat_id": governance.PII},
            type="object",
            additionalProperties={"type": "string", "enum": list(governance.CLASSES)},
        ),
        "contract": Param(CONTRACT, type="object"),
        "new_contract": Param(CONTRACT | {"version": 2}, type="object"),
    },
    tags=["phase17", "governance", "pii"],
):
    classes = classify_columns()
    changes = detect_changes()
    grants = list_grants()
    approve_grants = ApprovalOperator(
        task_id="approve_grants",
        subject="Are these rights still needed?",
        body="{{ ti.xcom_pull(task_ids='list_grants') | join('\n') }}",
        fail_on_reject=True,
        response_timeout=timedelta(days=7),
        execution_timeout=None,  # dag-lint: ignore[L-06] reason: response_timeout bounds the wait
        retries=0,
    )
    choose_process() >> [classes, changes, grants]
    enforce_retention(classes)
    accept_change(send_notice(changes))
    grants >> approve_grants >> record_review(grants)
