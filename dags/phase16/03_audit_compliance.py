"""
# Audit report

Every night: all events of the last day out of Airflow's event log, people as pseudonyms, in a file whose
lines are chained; the figures an auditor asks for; the DAGs that process personal data.

**What it shows**

- `GET /api/v2/eventLogs`, page by page: task runs, changes of connections and variables, logins, clicks. It
  is part of every Airflow. A task cannot read Airflow's tables.
- Personal fields (owner, mail, names; in the event's details too) become HMAC pseudonyms. The key is a
  connection, `audit_pseudonyms`: whoever has it can find a person again, the report alone cannot.
- A write to a connection, variable or pool by anybody but the configured writers is flagged and fails the
  run: these are changes past GitOps.
- SOC 2: events per area with the criterion they are evidence for. GDPR article 30: DAGs tagged `pii`, who
  owns them, which assets they read and write.
- Chained lines: `audit_report.verify` names the first line that was changed or removed.

Encryption: the event log lies in Airflow's database (encrypt its disk and backups; only connections and
variables are encrypted by Airflow itself, with the Fernet key). Write the report to a bucket with KMS and
object lock.

**When to use it**

When somebody outside the team must be able to check who did what.

**When not**

As an alarm: it looks back a day. Security alerts belong on the live stream of the API server's log.

**What to change**

Params `writers` and `days`, Variable `platform_audit_folder` (such as `s3://conn_id@bucket/audit`; without it
the run fails: a trail on a worker's disk is soon lost), connections `airflow_api` (a user who may read the
event log, DAGs and assets) and `audit_pseudonyms` (password: 16 bytes or more).
"""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Connection, ObjectStoragePath, Param, Variable, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import audit_report
from airflow_usecases.airflow_rest import AirflowRest, base_url
from airflow_usecases.run_dates import run_moment

log = logging.getLogger(__name__)


@task(multiple_outputs=False)
def write_report() -> dict[str, Any]:
    """Write the day's report and the record of processing; returns paths and figures, no person's name."""
    import requests

    target = Variable.get("platform_audit_folder", default=None)
    if not target:
        raise AirflowFailException(
            "set the Variable platform_audit_folder: there is no default for an audit trail"
        )
    context = get_current_context()
    until = run_moment(context["dag_run"])
    since = until - timedelta(days=context["params"]["days"])
    connection = Connection.get("airflow_api")
    key = (Connection.get("audit_pseudonyms").password or "").encode()
    with requests.Session() as session:
        api = AirflowRest.login(
            base_url(connection), session, connection.login or "", connection.password or ""
        )
        window = {"after": since.isoformat(), "before": until.isoformat(), "order_by": "event_log_id"}
        lines = audit_report.report_lines(
            api.all("/api/v2/eventLogs", "event_logs", **window), context["params"]["writers"], key
        )
        record = audit_report.processing_record(
            api.all("/api/v2/dags", "dags"), api.all("/api/v2/assets", "assets")
        )
    content = "".join(f"{line}\n" for line in lines)
    folder = ObjectStoragePath(target)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"audit-{until:%Y-%m-%d}.jsonl"
    path.write_text(content)
    (folder / f"processing-{until:%Y-%m-%d}.json").write_text(json.dumps(record, indent=2))
    log.info("audit: %d events and %d DAGs with personal data in %s", len(lines), len(record), folder)
    facts = {"path": str(path), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    return facts | audit_report.summary(lines) | {"pii_dags": len(record)}


@task
def verify_report(report: dict[str, Any]) -> int:
    """Read the file back and check the chain; returns its number of lines."""
    return audit_report.verify(ObjectStoragePath(report["path"]).read_text().splitlines())


@task
def refuse_foreign_writes(report: dict[str, Any]) -> None:
    """Fail when somebody changed connections, variables or pools past the writers."""
    if report["foreign_writes"]:
        raise AirflowFailException(
            f"{report['foreign_writes']} changes past the writers, events {report['foreign_ids']}"
        )


with DAG(
    dag_id="phase16_03_audit_compliance",
    description="A day of Airflow's event log as a chained, pseudonymous report",
    doc_md=__doc__,
    schedule="15 0 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=20),
    },
    params={
        "writers": Param(["airflow-operator"], type="array", items={"type": "string"}),
        "days": Param(1, type="integer", minimum=1, maximum=31),
    },
    tags=["phase16", "audit", "pii"],
):
    written = write_report()
    verify_report(written) >> refuse_foreign_writes(written)
