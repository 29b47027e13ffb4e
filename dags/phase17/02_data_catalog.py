"""
# Assets in a data catalogue

Every night the assets that Airflow knows, with owner, tags, producers and consumers, go to the company's
catalogue: DataHub, Amundsen or Unity Catalog. Nobody types the same facts twice.

**What it shows**

- Source of truth: `GET /api/v2/assets` and `GET /api/v2/dags`. Tags, owners and the description of an asset
  are those of the DAGs that produce it.
- A port with three adapters (`catalog.DataHub`, `Amundsen`, `UnityCatalog`): the DAG is the same for each.
- Upsert by fingerprint: an entry is written once and then only when something about it changed. The second
  run writes nothing.
- Discovery by tag: which assets carry `pii`? The answer is an XCom, and a search in the catalogue.

| catalogue | an asset is | connection |
|---|---|---|
| DataHub | dataset `urn:li:dataset:(urn:li:dataPlatform:<scheme>,<name>,PROD)` | `catalog_datahub` |
| Amundsen | table `<scheme>://airflow.assets/<name>` (its databuilder makes it) | `catalog_amundsen` |
| Unity Catalog | external table `airflow.assets.<name>` | `catalog_unity` |

Unity Catalog's API changes no table: an update replaces it (and brings the old one back when the new one is
refused). Grants on a table are lost with it, so grant on the schema `airflow.assets`.

**When to use it**

People who do not open Airflow look for data and for whom to ask.

**When not**

Column lineage and run history: that is what OpenLineage sends by itself (`phase17_01_openlineage`); DataHub
receives both.

**What to change**

Param `catalogue`, the connection (host; password is the token), and `catalog.entries` for more facts.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Connection, Param, get_current_context, task

from airflow_usecases import catalog
from airflow_usecases.airflow_rest import AirflowRest, base_url

log = logging.getLogger(__name__)


@task(multiple_outputs=False)
def publish_assets() -> dict[str, Any]:
    """Publish every asset that is not in the catalogue as it is now; returns what was done."""
    import requests

    params = get_current_context()["params"]
    airflow, target = Connection.get("airflow_api"), Connection.get(f"catalog_{params['catalogue']}")
    with requests.Session() as session:
        api = AirflowRest.login(base_url(airflow), session, airflow.login or "", airflow.password or "")
        found = catalog.entries(api.all("/api/v2/assets", "assets"), api.all("/api/v2/dags", "dags"))
        adapter = catalog.ADAPTERS[params["catalogue"]](base_url(target), session, target.password or "")
        done = catalog.publish(adapter, found)
    log.info("%s: %s", params["catalogue"], done)
    return done | {"assets": len(found), "tagged": catalog.tagged(found, params["tag"])}


with DAG(
    dag_id="phase17_02_data_catalog",
    description="Airflow's assets, with owners, tags and lineage, in the company's catalogue",
    doc_md=__doc__,
    schedule="45 4 * * *",
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
        "execution_timeout": timedelta(minutes=15),
    },
    params={
        "catalogue": Param("datahub", type="string", enum=sorted(catalog.ADAPTERS)),
        "tag": Param("pii", type="string", minLength=1, description="Which tag the result lists"),
    },
    tags=["phase17", "catalog"],
):
    publish_assets()
