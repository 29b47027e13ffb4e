"""Five services, each of which may be down; the database and the bucket are real.

Stubs: Airflow's `GET /api/v2/monitor/health` (200 in every case), RabbitMQ's `GET /api/health/checks/alarms`
(200 `ok` or 503 `failed`; rabbitmq.com/docs/management, "HTTP API"), PagerDuty's Events API v2
(developer.pagerduty.com/docs/send-alert-event).
"""

from __future__ import annotations

import pytest
from tests.dags.runner import run as run_dag
from werkzeug import Response

DAG_ID = "phase12_03_health_checks"
CHECKS = {f"check_component[{index}]" for index in range(5)}
HEALTHY = ["metadatabase", "scheduler", "triggerer", "dag_processor"]
AFTER = {"list_broken", "restart_component", "recheck_component", "choose_outcome"}


class World:
    """The five services: `broken` are down, a restart heals those of `heals`."""

    def __init__(self, httpserver):
        self.server = httpserver
        self.broken: set[str] = set()
        self.heals: set[str] = set()
        self.restarts: list[tuple[str, str]] = []
        self.operations_status = 202
        self.pages: list[dict] = []
        for path, handler in {
            "/health": self.api,
            "/api/health/checks/alarms": self.queue,
            "/api/v2/monitor/health": self.airflow,
            "/v2/enqueue": self.pager,
        }.items():
            httpserver.expect_request(path).respond_with_handler(handler)
        for component in ("api", "queue", "airflow"):
            httpserver.expect_request(
                f"/v1/components/{component}/restart", method="POST"
            ).respond_with_handler(self.restart)

    def api(self, request):
        return json_of({"status": "up"}, 500 if "api" in self.broken else 200)

    def queue(self, request):
        if "queue" in self.broken:
            return json_of({"status": "failed", "reason": "memory alarm"}, 503)
        return json_of({"status": "ok"}, 200)

    def airflow(self, request):
        down = {"scheduler"} if "airflow" in self.broken else set()
        return json_of(
            {name: {"status": "unhealthy" if name in down else "healthy"} for name in HEALTHY}, 200
        )

    def restart(self, request):
        component = request.path.split("/")[3]
        self.restarts.append((component, request.headers["Idempotency-Key"]))
        if self.operations_status == 202 and component in self.heals:
            self.broken.discard(component)
        return Response(status=self.operations_status)

    def pager(self, request):
        event = request.get_json()
        assert event["event_action"] == "trigger"
        assert event["payload"]["severity"] == "critical"
        assert event["payload"].keys() >= {"summary", "source", "severity"}
        self.pages.append(event)
        return json_of({"status": "success", "message": "Event processed", "dedup_key": "x"}, 202)


def json_of(body, status):
    import json

    return Response(json.dumps(body), status=status, content_type="application/json")


@pytest.fixture
def world(httpserver, http_connection, postgres, aws):
    for conn_id in ("orders_api", "rabbitmq_management", "airflow_api", "operations_api"):
        http_connection(conn_id)
    http_connection("oncall", password="routing-key")
    postgres.connection("postgres_conn")
    aws.connection("aws_default", region_name="us-east-1")
    aws.client("s3").create_bucket(Bucket="platform-lake")
    return World(httpserver)


def run(**conf):
    return run_dag(DAG_ID, conf={"recheck_pause_seconds": 0, "recheck_attempts": 2} | conf)


@pytest.mark.covers("P12.3")
def test_when_all_is_well_nothing_is_touched(world):
    done = run()
    assert done.state == "success"
    assert done.of("success") == CHECKS | {"choose_action", "report_health"}
    assert done.of("skipped") == AFTER | {"confirm_recovery", "escalate_incident"}
    assert done.xcom("report_health") == 5
    assert (world.restarts, world.pages) == ([], [])


@pytest.mark.covers("P12.3")
@pytest.mark.parametrize("component", ["api", "queue", "airflow"])
def test_what_is_down_is_restarted_and_found_well(world, component):
    world.broken, world.heals = {component}, {component}
    done = run()
    assert done.state == "success"
    assert done.of("success") == CHECKS | {
        "choose_action",
        "list_broken",
        "restart_component[0]",
        "recheck_component[0]",
        "choose_outcome",
        "confirm_recovery",
    }
    assert done.of("skipped") == {"report_health", "escalate_incident"}
    assert world.restarts == [(component, f"{done.run_id}/{component}")]
    assert done.xcom("confirm_recovery") == [component]
    assert world.pages == []


@pytest.mark.covers("P12.3")
def test_what_stays_down_is_escalated(world):
    world.broken, world.heals = {"api", "queue"}, {"queue"}
    done = run()
    assert done.states["escalate_incident"] == "success"
    assert done.states["confirm_recovery"] == "skipped"
    assert sorted(component for component, _ in world.restarts) == ["api", "queue"]
    assert done.xcom("escalate_incident") == ["api"]
    (page,) = world.pages
    assert page["routing_key"] == "routing-key"
    assert page["payload"]["summary"] == "[P1] still down after restart: api"


@pytest.mark.covers("P12.3")
@pytest.mark.parametrize("component", ["database", "storage"])
def test_what_must_not_be_restarted_is_escalated_without_it(world, component, connect, aws):
    if component == "database":
        connect("postgres_conn", "postgres", host="127.0.0.1", port=9, login="x", schema="x")
    else:
        aws.client("s3").delete_bucket(Bucket="platform-lake")
    done = run()
    assert world.restarts == []
    assert done.states["escalate_incident"] == "success"
    assert done.xcom("escalate_incident") == [component]


@pytest.mark.covers("P12.3")
def test_a_restart_that_cannot_be_asked_for_is_escalated_too(world):
    world.broken, world.operations_status = {"api"}, 500
    done = run()
    assert done.states["restart_component[0]"] == "failed"
    assert done.tries("restart_component[0]") == 3
    assert len({key for _, key in world.restarts}) == 1
    assert done.states["escalate_incident"] == "success"
    assert done.xcom("escalate_incident") == ["api"]
