"""Checks of the services that pipelines need. A check never raises: its result says what is wrong.

Each check gets what it asks as a callable, so that it is tested without a network; `probes` supplies the real
ones from Airflow's connections.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

HTTP_TIMEOUT = 5  # seconds
_LONGEST_DETAIL = 200  # characters
# without these two nothing runs; the others report null where an installation has none
_REQUIRED = ("metadatabase", "scheduler")

Probe = Callable[[], str]


class Health(TypedDict):
    """What a check found; `detail` is for a person."""

    component: str
    healthy: bool
    detail: str


class UnhealthyError(Exception):
    """A service answered, and said that it is not well."""


def check(component: str, probe: Probe) -> Health:
    """Run one probe; whatever it raises makes the component unhealthy."""
    try:
        detail, healthy = probe(), True
    except Exception as error:  # noqa: BLE001 - whatever a client raises means: not healthy
        detail, healthy = f"{type(error).__name__}: {error}", False
    return {"component": component, "healthy": healthy, "detail": detail[:_LONGEST_DETAIL]}


def check_until_healthy(
    component: str,
    probe: Probe,
    *,
    attempts: int,
    pause: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Health:
    """Check up to `attempts` times, `pause` seconds apart; the first healthy result or the last one."""
    health = check(component, probe)
    for _ in range(attempts - 1):
        if health["healthy"]:
            break
        sleep(pause)
        health = check(component, probe)
    return health


def judge_airflow(body: Mapping[str, Any]) -> str:
    """Read the body of Airflow's `GET /api/v2/monitor/health`; the HTTP status is 200 in any case.

    Raises UnhealthyError that names every component which is down. A status of null means that there is no
    such component: fine for triggerer and dag_processor, not for the metadata database and the scheduler.
    """
    down = [
        name
        for name in sorted({*body, *_REQUIRED})
        if (status := (body.get(name) or {}).get("status")) != "healthy"
        and (status is not None or name in _REQUIRED)
    ]
    if down:
        raise UnhealthyError(f"down: {', '.join(down)}")
    return f"{len(body)} components are healthy"


def judge_queue(body: Mapping[str, Any]) -> str:
    """Read RabbitMQ's `GET /api/health/checks/alarms`: `status` is `ok`, or `failed` with a reason."""
    if body.get("status") != "ok":
        raise UnhealthyError(str(body.get("reason") or "alarms are in effect"))
    return "no alarms"


def unhealthy(results: Sequence[Health]) -> list[str]:
    """The components that are not well, in the order of the results."""
    return [result["component"] for result in results if not result["healthy"]]


def probes(connections: Mapping[str, str], bucket: str) -> dict[str, Probe]:
    """The five probes by component; `connections` says by which connection each is reached."""

    def get(component: str, endpoint: str) -> Any:
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method="GET", http_conn_id=connections[component])
        # RabbitMQ says "failed" with 503: the body is what counts
        options = {"timeout": HTTP_TIMEOUT, "check_response": component != "queue"}
        return hook.run(endpoint, extra_options=options).json()

    def database() -> str:
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        row = PostgresHook(connections["database"], options="-c statement_timeout=5000").get_first("SELECT 1")
        return f"answered {row[0]}"

    def storage() -> str:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        S3Hook(connections["storage"]).get_conn().head_bucket(Bucket=bucket)
        return f"bucket {bucket} can be reached"

    return {
        "database": database,
        "api": lambda: f"status {get('api', 'health')['status']}",
        "storage": storage,
        "queue": lambda: judge_queue(get("queue", "api/health/checks/alarms")),
        "airflow": lambda: judge_airflow(get("airflow", "api/v2/monitor/health")),
    }
