"""
# Schema versions and their evolution

Orders arrive as JSON documents in two versions of a schema. Before a new version is accepted, its change is
compared with the newest one; then each document is validated against the version that it names.

**What it shows**

- `check_evolution` compares schemas, not data: a removed required field is found before the first consumer
  breaks, and the failure names its path.
- The words of schema registries. *Backward*: new readers read old documents (new fields are optional).
  *Forward*: old readers read new documents (no required field goes away). *Full*: both; the default here.
- `validate_documents` with `jsonschema`, all errors at once, each with the document and the path in it.
- Both leave what they found as an XCom (`breaks`, `invalid`; rules and paths, no values) and fail without
  retries: the same schema and the same documents would fail again.

**When to use it**

Where producers and consumers deploy at different times: events, files between teams, stored JSON.

**When not**

A schema registry checks already (Avro, Protobuf): rely on it. Rules between fields or rows ("end after
start") belong in a suite of expectations or in SQL.

**What to change**

The versions in `airflow_usecases/order_schemas.py`. Trigger with another `candidate` in the params to see
which changes pass, and read `documents` from your source.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import order_schemas, schema_evolution

log = logging.getLogger(__name__)

MAX_TOLD = 100  # errors in an XCom, which has to stay small


@task(multiple_outputs=False)
def check_evolution() -> dict[str, Any]:
    """Compare the candidate with the newest version. Fails; XCom `breaks` has the path of each break."""
    context = get_current_context()
    params = context["params"]
    newest = order_schemas.VERSIONS[params["compare_with"]]
    found = schema_evolution.breaks(newest, params["candidate"], params["compatibility"])
    context["ti"].xcom_push("breaks", found)
    if found:
        paths = ", ".join(sorted({item["path"] for item in found}))
        raise AirflowFailException(f"not {params['compatibility']} compatible: {paths}")
    return {"from": newest["version"], "to": params["candidate"].get("version")}


@task(multiple_outputs=False)
def validate_documents() -> dict[str, int]:
    """Count the documents of each version. Fails when some are invalid; XCom `invalid` has the errors."""
    context = get_current_context()
    documents = context["params"]["documents"]
    found = order_schemas.invalid(documents)
    context["ti"].xcom_push("invalid", found[:MAX_TOLD])
    if found:
        wrong = sorted({item["document"] for item in found})
        raise AirflowFailException(f"{len(found)} errors in documents {', '.join(map(str, wrong))}")
    versions = [str(document["schema_version"]) for document in documents]
    return {version: versions.count(version) for version in sorted(set(versions))}


@task
def accept_documents(versions: dict[str, int]) -> int:
    """Take the documents over; their number."""
    for version, number in versions.items():
        log.info("%d documents of version %s", number, version)
    return sum(versions.values())


with DAG(
    dag_id="phase10_02_schema_validation",
    description="Schemas may only change in ways that break nobody; documents must match their version",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "compare_with": Param("1", type="string", enum=list(order_schemas.VERSIONS)),
        "candidate": Param(order_schemas.V2, type="object", description="The schema that shall come next"),
        "compatibility": Param("full", type="string", enum=[mode.value for mode in schema_evolution.Mode]),
        "documents": Param(list(order_schemas.DOCUMENTS), type="array", items={"type": "object"}),
    },
    tags=["phase10", "schema"],
):
    versions = validate_documents()
    check_evolution() >> versions
    accept_documents(versions)
