"""Probes of a tenant's components, with an Airflow that lives in memory."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from tests.unit.operator.support import raw

from tenant_operator.adapters.airflow_sessions import PROBE_TIMEOUT, AirflowSessions
from tenant_operator.api.rules import seconds
from tenant_operator.api.status import Condition, TenantStatus
from tenant_operator.core.airflow_errors import AirflowUnavailable
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile.health import DOUBT_PERIOD, PERIOD, HealthFlow
from tenant_operator.reconcile.state import TenantState

ROOT = Path(__file__).resolve().parents[3]
AIRFLOW = ROOT / ".venv-airflow"

WELL = Health("healthy", "healthy", "healthy", "healthy")
ILL = Health("healthy", "unhealthy", "healthy", "healthy")
#: As Airflow 3.3 answers.
BODY: dict[str, Any] = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2026-11-21T15:00:00.250000+00:00"},
    "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": "2026-11-21T16:00:00+01:00"},
}


class FakeAirflow:
    """Answers one after the other; None is no answer."""

    def __init__(self, *answers: Health | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str]] = []
        self.meanwhile: Any = lambda: None

    def prober(self, tenant: str, namespace: str, service: str) -> FakeAirflow:
        self.asked.append((tenant, namespace, service))
        return self

    async def health(self) -> Health:
        self.meanwhile()
        answer = self.answers.pop(0)
        if answer is None:
            raise AirflowUnavailable("no answer in 5 s")
        return answer


def tenant(**spec: Any) -> TenantState:
    """One whose components are up."""
    conditions = [Condition(type="ReleaseReady", status="True", reason="Succeeded")]
    status = TenantStatus(namespace="airflow-payments", conditions=conditions)
    return TenantState(raw=raw(**spec), status=status, serving=True)


def probe(airflow: FakeAirflow, state: TenantState, metrics: Metrics | None = None) -> float | None:
    flow = HealthFlow(airflow, metrics or Metrics())  # type: ignore[arg-type]
    return asyncio.run(flow.run(state))


@pytest.mark.covers("G-16")
def test_a_quiet_tenant_is_asked_once_a_minute_and_one_in_doubt_more_often() -> None:
    airflow, state = FakeAirflow(WELL, ILL, ILL, WELL), tenant()
    told = []
    for _ in range(4):
        delay = probe(airflow, state)
        assert state.health is not None
        told.append((delay, state.health.finding.status))
    assert told == [(PERIOD, "True"), (DOUBT_PERIOD, "True"), (DOUBT_PERIOD, "False"), (PERIOD, "True")]
    assert set(airflow.asked) == {("payments", "airflow-payments", "payments-api-server")}


@pytest.mark.covers("G-16")
def test_a_dead_scheduler_is_told_before_its_alert_fires() -> None:
    """As the shipped rule looks back and waits, and as Airflow decides: the chart sets no threshold."""
    groups = yaml.safe_load((ROOT / "dashboards/generated/rules/availability.yaml").read_text())["groups"]
    (rule,) = (
        rule
        for group in groups
        for rule in group["rules"]
        if rule.get("alert") == "AirflowSchedulerHeartbeatMissing"
    )
    (window,) = re.findall(r"airflow_scheduler_heartbeat\[([^]]+)\]", rule["expr"])
    (defaults,) = AIRFLOW.glob("lib/*/site-packages/airflow/config_templates/config.yml")
    options = yaml.safe_load(defaults.read_text())
    name = "scheduler_health_check_threshold"
    assert name not in (ROOT / "charts/airflow-tenant/values.yaml").read_text()
    threshold = int(options["scheduler"]["options"][name]["default"])
    told = threshold + PERIOD + DOUBT_PERIOD + 2 * PROBE_TIMEOUT
    assert 2 * told < seconds(window) + seconds(rule["for"]), "and as long again is left to look"


@pytest.mark.parametrize("case", ["suspended", "asleep", "deleted", "not up yet"])
def test_who_must_not_be_asked_is_not_and_what_was_known_is_forgotten(case: str) -> None:
    airflow, state = FakeAirflow(WELL), tenant()
    probe(airflow, state)
    assert len(airflow.asked) == 1
    if case == "suspended":
        state.raw["spec"]["suspend"] = True
    elif case == "asleep":
        state.raw["metadata"]["annotations"] = {"airflowtenants.io/state": "Hibernated"}
    elif case == "deleted":
        state.raw["metadata"]["deletionTimestamp"] = "2026-11-21T15:00:00Z"
    else:
        state.serving = False
    assert (probe(airflow, state), state.health) == (None, None)
    assert len(airflow.asked) == 1


def test_an_answer_that_comes_after_the_suspension_is_not_kept() -> None:
    airflow, state = FakeAirflow(WELL), tenant()
    airflow.meanwhile = lambda: state.raw["spec"].update(suspend=True)
    assert (probe(airflow, state), state.health) == (None, None)


def test_the_probes_are_counted_by_their_result() -> None:
    airflow, state, metrics = FakeAirflow(WELL, ILL, None), tenant(), Metrics()
    for _ in range(3):
        probe(airflow, state, metrics)
    counted = {
        result: metrics.registry.get_sample_value(
            "airflow_operator_reconcile_total", {"controller": "health", "result": result}
        )
        for result in ("success", "requeue", "error")
    }
    assert counted == {"success": 1, "requeue": 1, "error": 1}
    retries = metrics.registry.get_sample_value(
        "airflow_operator_handler_retries_total", {"handler": "health"}
    )
    assert retries == 1, "only no answer at all is a failure"


async def asked(body: Any, status: int = 200) -> tuple[Health, Metrics]:
    """The answer of an Airflow that says `body`, and what was counted of the request."""

    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/api/v2/monitor/health"
        assert "Authorization" not in request.headers
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    metrics = Metrics()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sessions = AirflowSessions(f"http://127.0.0.1:{runner.addresses[0][1]}", metrics)
        try:
            return await sessions.prober("payments", "ns", "service").health(), metrics
        finally:
            await sessions.close()
    finally:
        await runner.cleanup()


@pytest.mark.covers("G-16")
async def test_the_body_is_read_with_statuses_and_heartbeats() -> None:
    health, metrics = await asked(BODY)
    assert health.by_component() == {
        "metadatabase": "healthy",
        "scheduler": "unhealthy",
        "dag-processor": "healthy",
        "triggerer": "",
    }
    assert health.heartbeats == {"scheduler": 1795273200.25, "dag-processor": 1795273200.0}
    assert health.unhealthy == ("scheduler", "triggerer")
    labels = {"method": "GET", "code": "200"}
    value = metrics.registry.get_sample_value
    assert value("airflow_operator_airflow_api_requests_total", labels) == 1
    assert value("airflow_operator_airflow_api_request_duration_seconds_count", {"method": "GET"}) == 1


@pytest.mark.covers("G-16")
async def test_a_dead_database_is_read_from_a_good_answer() -> None:
    health, _ = await asked(BODY | {"metadatabase": {"status": "unhealthy"}}, status=200)
    assert "metadatabase" in health.unhealthy


STRANGE: list[Any] = [
    {},
    {"metadatabase": "healthy"},
    {"metadatabase": {"status": ""}},
    [1],
]


@pytest.mark.parametrize("body", STRANGE, ids=str)
async def test_what_is_no_health_answer_is_no_answer(body: Any) -> None:
    with pytest.raises(AirflowUnavailable):
        await asked(body)


@pytest.mark.parametrize("stamp", ["soon", "2026-11-21T15:00:00", 7, None, "9999-99-99T00:00:00Z"])
async def test_a_heartbeat_that_is_no_time_is_left_out(stamp: Any) -> None:
    body = BODY | {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": stamp}}
    health, _ = await asked(body)
    assert (health.scheduler, "scheduler" in health.heartbeats) == ("healthy", False)
