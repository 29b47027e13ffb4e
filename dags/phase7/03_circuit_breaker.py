"""
# Circuit breaker

Delivery addresses get a position from a geocoding service. When it is down it is left alone, across runs.

**What it shows**

- A breaker between the task and the service: CLOSED lets calls out; after `threshold` failures in a row it is
  OPEN and no call goes out; `reset_seconds` later it is HALF_OPEN and one probe decides.
- Its state outlives the run: it is kept in the state of the asset `geocoder_circuit` (`asset_state_store`).
  The next run starts where this one ended, so a service that is down is not asked again every ten minutes.
- The fallback for what was not located: the middle of the postcode's area, marked `approximate`. It is
  skipped when nothing is missing.
- Where people live is in files of the run, below `target_path`; XComs have the paths, customers' numbers and
  counts. XComs are kept for long, and everybody who may read the DAG reads them.
- `max_active_runs=1`: two runs would overwrite each other's count.

**When to use it**

Many calls to one service, a useful fallback, and outages that last: each call to a dead service costs its
whole timeout, and a service that is starting again is knocked over by the waiting crowd.

**When not**

- One call per run: retries with backoff are enough.
- There is no fallback: let the task fail, so that somebody sees it.
- The service refuses the request (4xx): that is no outage. It fails the task and is not counted here.

**What to change**

The connection `geocoder_api` and `ask_geocoder`; threshold, rest and the folder of the
files (one that all workers see) are Params. The breaker itself is
`airflow_usecases/circuit_breaker.py`, without any Airflow in it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Asset, Param, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_usecases import circuit_breaker, geocoding
from airflow_usecases.circuit_breaker import Breaker
from airflow_usecases.remote_errors import PermanentError, TransientError, error_of

if TYPE_CHECKING:
    from airflow_usecases.geocoding import Address, Position

log = logging.getLogger(__name__)

CIRCUIT = Asset(name="geocoder_circuit")
CONNECTION = "geocoder_api"
HTTP_TIMEOUT = 5  # seconds


def ask_geocoder(address: Address) -> Position:
    """One call to the service. Raises TransientError when it is down, PermanentError when it refuses."""
    import requests
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="GET", http_conn_id=CONNECTION)
    query = {"street": address["street"], "postcode": address["postcode"]}
    options = {"timeout": HTTP_TIMEOUT, "check_response": False}
    try:
        response = hook.run("v1/search", query, extra_options=options)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise TransientError("the geocoder gave no answer") from error
    refused = error_of(response.status_code, "the geocoder")
    if refused is not None:
        raise refused
    found = response.json()
    return {"latitude": found["latitude"], "longitude": found["longitude"], "approximate": False}


def file_of_run(name: str) -> Path:
    """A file of this run in the folder of the Param."""
    context = get_current_context()
    run = "".join(letter if letter.isalnum() else "-" for letter in context["run_id"])
    return Path(context["params"]["target_path"]) / run / f"{name}.json"


@task(inlets=[CIRCUIT], multiple_outputs=False)
def find_positions() -> dict[str, Any]:
    """Locate what the breaker allows; path of the positions, customers that are missing, calls, circuit."""
    context = get_current_context()
    kept = context["asset_state_store"][CIRCUIT]
    params = context["params"]
    breaker = Breaker.from_state(
        kept.get("breaker"),
        threshold=params["threshold"],
        reset_after=timedelta(seconds=params["reset_seconds"]),
        clock=circuit_breaker.utc_now,
    )
    before = breaker.circuit
    try:
        located = geocoding.locate(geocoding.ADDRESSES, ask_geocoder, breaker)
    except PermanentError as error:
        raise AirflowFailException(f"{error}: check the connection {CONNECTION}") from error
    finally:
        kept.set("breaker", breaker.to_state())
    log.info("circuit %s -> %s after %d calls", before, breaker.circuit, located.calls)
    return {
        "path": geocoding.save(file_of_run("located"), located.positions),
        "located": len(located.positions),
        "missing": located.missing,
        "calls": located.calls,
        "circuit": breaker.circuit.value,
    }


@task
def estimate_positions(geocoded: dict[str, Any]) -> str:
    """The fallback: a position by postcode for every customer who was not located; the file's path."""
    if not geocoded["missing"]:
        raise AirflowSkipException("every address was located")
    return geocoding.save(
        file_of_run("estimated"), geocoding.estimate(geocoding.ADDRESSES, geocoded["missing"])
    )


@task(trigger_rule=TriggerRule.NONE_FAILED, multiple_outputs=False)
def store_positions(geocoded: dict[str, Any], estimated: str | None) -> dict[str, Any]:
    """Every customer with a position in one file, exact ones and approximate ones; path and counts."""
    exact = geocoding.load(geocoded["path"])
    approximate = geocoding.load(estimated) if estimated else {}
    path = geocoding.save(file_of_run("positions"), exact | approximate)
    return {"path": path, "exact": len(exact), "approximate": len(approximate)}


@dag(
    dag_id="phase7_03_circuit_breaker",
    description="A service that is down is left alone, and asked once when it may be back",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "threshold": Param(3, type="integer", minimum=1, description="Failures in a row that open it"),
        "target_path": Param("/data/positions", type="string", description="Folder of the files"),
        "reset_seconds": Param(300, type="integer", minimum=1, description="How long it then stays open"),
    },
    tags=["phase7", "circuit-breaker"],
)
def locate_customers() -> None:
    """Wire the tasks; runs at parse time."""
    geocoded = find_positions()
    store_positions(geocoded, estimate_positions(geocoded))


locate_customers()
