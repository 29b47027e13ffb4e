"""
# Connections and Variables, read where they are used

One task reads where MLflow is, and what the team configured.

**What it shows**

- A connection by its id: host and port belong to the environment, not to the code. The URI that is built has
  no credentials.
- Three Variables: a number, a word, and a JSON document (`deserialize_json=True`); each with a default, so
  that the DAG also runs where nobody set them.

**When to use it**

Whatever differs between installations: addresses, limits, names.

**When not**

- Passwords: they belong into the connection, and never into a Variable, an XCom or the log.
- What a user chooses for one run is a Param.
- At the top level of a DAG file, where every parse would ask for them.

**What to change**

The ids in `read_configuration`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Connection, Variable, task

log = logging.getLogger(__name__)

DEFAULT_CONFIG = {"default_model": "random_forest", "max_training_time": 3600}


@task(multiple_outputs=False)
def read_configuration() -> dict[str, Any]:
    """{mlflow_uri, threshold, environment, config}; no credentials."""
    mlflow = Connection.get("mlflow_default")
    host = mlflow.host if "://" in str(mlflow.host) else f"{mlflow.schema or 'http'}://{mlflow.host}"
    return {
        "mlflow_uri": f"{host}:{mlflow.port}" if mlflow.port else host,
        "threshold": float(Variable.get("ml_model_threshold", default="0.8")),
        # dag-lint: ignore[L-14] reason: one Variable for all teams of the installation
        "environment": Variable.get("environment", default="development"),
        # dag-lint: ignore[L-14] reason: known under this name before the convention
        "config": Variable.get("ml_config", default=DEFAULT_CONFIG, deserialize_json=True),
    }


@task
def report_configuration(found: dict[str, Any]) -> str:
    """One line for the log."""
    line = f"{found['environment']}: models below {found['threshold']} are not deployed"
    log.info("%s; tracking server %s", line, found["mlflow_uri"])
    return line


with DAG(
    dag_id="connection_usage_example",
    description="A connection and three Variables, read inside a task, with defaults",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "ml-team",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["ml", "examples", "connections"],
):
    report_configuration(read_configuration())
