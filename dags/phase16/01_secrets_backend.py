"""
# Secrets from a store

A task calls a partner's API with a key that lives in Vault, in AWS Secrets Manager, in Google Secret Manager
or in Azure Key Vault. The DAG does not know which: it names a connection.

**What it shows**

- Order of lookup in a task: the secret store of `[workers] secrets_backend`, then `AIRFLOW_CONN_*` and
  `AIRFLOW_VAR_*`, then Airflow's own database.
- **Rotation**: the store is asked by each task when it runs. A new key counts from the next task on; no DAG,
  worker or scheduler is restarted. (A read at the top of a DAG file would ask the store at every parse:
  never do that.)
- **Masking**: passwords of connections are `***` in logs, also when a refusal echoes them. What you *derive*
  from a secret is not: `mask_secret` before the first log line. It is a net, not a licence: of a good answer
  only status and size are logged, of a refusal the first 200 characters.
- **Injection**: into a subprocess by its environment. A secret in `bash_command` is readable for every
  process of the machine; in `env` the rendered template shows `***`.

| store | class | set with `secret_stores.worker_settings` |
|---|---|---|
| Vault | `VaultBackend` | `("vault", url="https://...", kubernetes_role="airflow")` |
| AWS | `SecretsManagerBackend` | `("aws", region_name="eu-central-1")` |
| Google | `CloudSecretManagerBackend` | `("gcp", project_id="...")` |
| Azure | `AzureKeyVaultBackend` | `("azure", vault_url="https://...")` |

**When to use it**

Keys that rotate, that an auditor wants to see the use of, or that several Airflows share.

**When not**

- Hundreds of lookups a minute: each is a request to the store (and costs money in the clouds).
- Values that are no secret: Variables or Params, which people may see and change.

**What to change**

Nothing here to change stores. In the store: `airflow/connections/partner_api` as
`{"conn_type": "http", "host": "...", "login": "...", "password": "..."}`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Variable, task
from airflow.sdk.exceptions import AirflowFailException

log = logging.getLogger(__name__)
CONNECTION = "partner_api"
TIMEOUT = 10  # seconds
EXCERPT = 200  # characters of a refusal that are logged


@task
def name_store() -> str:
    """Which store the workers use: vault, aws, gcp, azure, other or none."""
    from airflow.sdk.configuration import conf

    from airflow_usecases.secret_stores import store_of

    return store_of(conf.get("workers", "secrets_backend", fallback="") or "")


@task(multiple_outputs=False)
def call_partner() -> dict[str, Any]:
    """Ask the partner for the day's quota. The key is read now, used, and forgotten."""
    import base64

    import requests
    from airflow.sdk import Connection
    from airflow.sdk.log import mask_secret

    from airflow_usecases.airflow_rest import base_url

    connection = Connection.get(CONNECTION)
    token = base64.b64encode(f"{connection.login}:{connection.password}".encode()).decode()
    mask_secret(token)  # Airflow masks the password, but not what it is turned into
    headers = {"Authorization": f"Basic {token}"}
    log.info("asking %s as %s", base_url(connection), connection.login)
    region = Variable.get("platform_partner_region", default="eu")
    answer = requests.get(
        f"{base_url(connection)}/v1/quota", params={"region": region}, headers=headers, timeout=TIMEOUT
    )
    # of a good answer its size: it may be long, and hold what nobody wants in a log
    log.info("answer %s, %d bytes", answer.status_code, len(answer.content))
    if not answer.ok:
        log.warning("the partner says: %s", answer.text[:EXCERPT])
    if answer.status_code in (401, 403):
        raise AirflowFailException("the partner refused the key: has it been rotated on one side only?")
    answer.raise_for_status()
    return {"region": region, "quota": int(answer.json()["quota"])}


with DAG(
    dag_id="phase16_01_secrets_backend",
    description="Use a key from a secret store, without knowing the store or showing the key",
    doc_md=__doc__,
    schedule=None,
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
    tags=["phase16", "secrets"],
):
    # `printenv` alone would print the key; here only its length reaches the log.
    check_key = BashOperator(
        task_id="check_key",
        bash_command='test -n "$PARTNER_KEY" && printf %s "$PARTNER_KEY" | wc -c',
        env={"PARTNER_KEY": "{{ conn.partner_api.password }}"},
        append_env=True,
        do_xcom_push=False,  # nobody needs the length; XComs are not masked
    )
    name_store() >> check_key >> call_partner()
