"""
# Health checks, self-healing, escalation

Every ten minutes five services are checked. What is down is restarted; what stays down becomes a page.

**What it shows**

- A check is a task that does not fail: it reports. Mapped, so that one slow service delays no other check.
- Five kinds: a query, an HTTP endpoint, a bucket, a message queue (RabbitMQ's alarms), and Airflow itself.
  `GET /api/v2/monitor/health` answers 200 even when the scheduler is dead: only the body tells.
- Self-healing: `restart_component` asks the operations service, one mapped task per broken component. The
  idempotency key is the run and the component, so a retry does not restart twice.
- `recheck_component` runs even if the restart could not be asked for: what counts is whether it is well now.
- Escalation: still broken means that a person is needed. `escalate_incident` pages, and fails if the page
  does not get out. Runs do not overlap, so one outage is not restarted by two runs.

**When to use it**

Dependencies that Kubernetes does not watch: databases, vendors' services, buckets, other teams' APIs.

**When not**

- Your own pods: liveness and readiness probes restart them, faster and without Airflow.
- As the only watch over Airflow: a scheduler that is dead runs no DAG. Watch it from outside as well.
- A restart can lose data (a database): take it out of `RESTARTABLE`; it is then escalated at once.

**What to change**

`CONNECTIONS`, `RESTARTABLE`, the Params, and the probes in `airflow_usecases/health.py`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.sdk import Param, TriggerRule, dag, get_current_context, task

from airflow_usecases import health
from airflow_usecases.health import Health

log = logging.getLogger(__name__)

CONNECTIONS = {
    "database": "postgres_conn",
    "api": "orders_api",
    "storage": "aws_default",
    "queue": "rabbitmq_management",
    "airflow": "airflow_api",
}
RESTARTABLE = frozenset({"api", "queue", "airflow"})
HTTP_TIMEOUT = 10  # seconds


def probe_of(component: str) -> health.Probe:
    """The probe of one component, with the run's Params."""
    bucket = get_current_context()["params"]["bucket"]
    return health.probes(CONNECTIONS, bucket)[component]


@task(map_index_template="{{ component }}", multiple_outputs=False)
def check_component(component: str) -> Health:
    """Check one component; succeeds whatever it finds."""
    return health.check(component, probe_of(component))


@task.branch
def choose_action(results: list[Health]) -> str:
    """Nothing to do, or something to repair."""
    return "list_broken" if health.unhealthy(list(results)) else "report_health"


@task
def report_health(results: list[Health]) -> int:
    """Log what was found when all is well; returns the number of components."""
    for result in results:
        log.info("%s: %s", result["component"], result["detail"])
    return len(results)


@task
def list_broken(results: list[Health]) -> list[str]:
    """The components to repair."""
    return health.unhealthy(list(results))


@task(
    map_index_template="{{ component }}",
    retries=2,
    retry_delay=timedelta(seconds=10),
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=1),
)
def restart_component(component: str) -> bool:
    """Ask the operations service for a restart; False for what must not be restarted by a machine."""
    from airflow.providers.http.hooks.http import HttpHook

    if component not in RESTARTABLE:
        log.warning("%s is not restarted automatically", component)
        return False
    key = f"{get_current_context()['run_id']}/{component}"
    HttpHook(method="POST", http_conn_id="operations_api").run(
        f"v1/components/{component}/restart",
        headers={"Idempotency-Key": key},
        extra_options={"timeout": HTTP_TIMEOUT},
    )
    return True


@task(map_index_template="{{ component }}", trigger_rule=TriggerRule.NONE_SKIPPED, multiple_outputs=False)
def recheck_component(component: str) -> Health:
    """Check a component until it is well or the attempts are used up."""
    params = get_current_context()["params"]
    return health.check_until_healthy(
        component,
        probe_of(component),
        attempts=params["recheck_attempts"],
        pause=params["recheck_pause_seconds"],
    )


@task.branch
def choose_outcome(results: list[Health]) -> str:
    """Repaired, or a case for a person."""
    return "escalate_incident" if health.unhealthy(list(results)) else "confirm_recovery"


@task
def confirm_recovery(results: list[Health]) -> list[str]:
    """The components that are well again."""
    recovered = [result["component"] for result in results]
    log.info("recovered: %s", ", ".join(recovered))
    return recovered


@task(
    retries=5,
    retry_delay=timedelta(seconds=30),
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=5),
)
def escalate_incident(results: list[Health]) -> list[str]:
    """Page on-call with what is still broken; fails, and is retried, until the pager took it."""
    from tenant_airflow_lib.notifiers import OnCallNotifier

    broken = health.unhealthy(list(results))
    pager = OnCallNotifier(oncall_conn_id="oncall", headline=f"still down after restart: {', '.join(broken)}")
    pager.notify(get_current_context())
    return broken


@dag(
    dag_id="phase12_03_health_checks",
    description="Checks of five services, restarts of what is down, a page for what stays down",
    doc_md=__doc__,
    schedule="*/10 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=2),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "bucket": Param("platform-lake", type="string", description="The bucket that must be reachable"),
        "recheck_attempts": Param(6, type="integer", minimum=1, maximum=20, description="Checks after it"),
        "recheck_pause_seconds": Param(20, type="number", minimum=0, maximum=60, description="Between them"),
    },
    tags=["phase12", "health"],
)
def watch_services() -> None:
    """Wire the tasks; runs at parse time."""
    results = check_component.expand(component=list(CONNECTIONS))
    broken = list_broken(results)
    choose_action(results) >> [report_health(results), broken]
    restarted = restart_component.expand(component=broken)
    rechecked = recheck_component.expand(component=broken)
    restarted >> rechecked
    choose_outcome(rechecked) >> [confirm_recovery(rechecked), escalate_incident(rechecked)]


watch_services()
