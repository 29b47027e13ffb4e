"""The operator's series on a real API server, with a real Airflow's health and a real Prometheus' eyes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.airflow.server import JOBS, AirflowServer
from tests.controller.process import eventually
from tests.controller.stack import Stack, TenantUnderTest, free_port, running

from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.errors import ConditionType

#: One probe after another is 20 s away once there is a doubt.
_TURNS = 70.0


@pytest.fixture(scope="module")
def metrics_stack(airflow: AirflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An operator that takes this Airflow for every tenant's, and states prices."""
    prices = {"COST_CURRENCY": "EUR", "COST_CPU_CORE_HOUR": "0.04", "COST_STORAGE_GIB_MONTH": "0"}
    with running(tmp_path_factory.mktemp("stack"), airflow_url=airflow.url, **prices) as stack:
        yield stack


@pytest.fixture
def stack(metrics_stack: Stack, airflow: AirflowServer) -> Iterator[Stack]:
    """Tenants of a test go with it, and the components are well again."""
    yield metrics_stack
    airflow.heartbeat(*JOBS)
    metrics_stack.clean()


def create(stack: Stack, airflow: AirflowServer, prefix: str, **spec: Any) -> TenantUnderTest:
    """A tenant whose operator user is the server's own."""
    tenant = stack.tenant(prefix)
    tenant.prepare_namespace()
    user = {"username": airflow.username, "password": airflow.password, "hmac_key": "key"}
    stack.api.secret(f"{tenant.name}-operator", tenant.namespace, **user)
    tenant.create(**spec)
    return tenant


def of(tenant: TenantUnderTest, name: str, **labels: str) -> float:
    """The sum of the tenant's samples of a name."""
    return tenant.stack.operator.total(name, tenant=tenant.name, namespace=tenant.namespace, **labels)


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[str]:
    """A real Prometheus that scrapes the operator every second; its URL."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "airflow-operator",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(tool("prometheus")), f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def query(url: str, expression: str) -> list[dict[str, str]]:
    """Labels of what an instant query finds; nothing while Prometheus starts."""
    try:
        where = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(where, timeout=5) as answer:  # noqa: S310 - http, see above
            return [item["metric"] for item in json.load(answer)["data"]["result"]]
    except OSError:
        return []


@pytest.mark.covers("M-07")
def test_a_tenants_series_come_with_it_and_go_with_it(
    stack: Stack, airflow: AirflowServer, tmp_path: Path
) -> None:
    tenant = create(
        stack, airflow, "series",
        pools=[{"name": "series-etl", "slots": 4}],
        monitoring={
            "slo": [{"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}],
            "dagDurations": [{"dag": "settlement", "limit": "30m"}],
        },
    )  # fmt: skip
    tenant.wait("Ready", seconds=60)
    ready = {"type": "Ready", "status": "True"}
    eventually(lambda: of(tenant, "airflow_tenant_status_condition", **ready) == 1, 10, tenant.explain)
    eventually(lambda: of(tenant, "airflow_tenant_component_healthy") == 5, 10, tenant.explain)

    assert of(tenant, "airflow_tenant_info", team="team", airflow_version="3.3.2", paused="false") == 1
    for kind in ConditionType:
        assert of(tenant, "airflow_tenant_status_condition", type=kind.value) == 1, kind
    assert of(tenant, "airflow_tenant_generation") == of(tenant, "airflow_tenant_observed_generation") == 1
    assert of(tenant, "airflow_tenant_pool_slots", pool_name="series-etl") == 4
    assert of(tenant, "airflow_tenant_pools", state="in_sync") == 1
    assert of(tenant, "airflow_tenant_slo_objective_ratio", slo="runs") == 0.995
    assert of(tenant, "airflow_tenant_dag_duration_limit_seconds", dag_id="settlement") == 1800
    assert of(tenant, "airflow_tenant_helm_release_info", revision="1") == 1
    assert of(tenant, "airflow_tenant_helm_release_status", status="deployed") == 1
    assert of(tenant, "airflow_tenant_component_replicas_desired", component="triggerer") == 1

    with prometheus(tmp_path, stack.operator.port) as url:
        its = f'{{__name__=~"airflow_.+", tenant="{tenant.name}"}}'
        found = eventually(lambda: query(url, its), 30, (tmp_path / "prometheus.log").read_text)
        assert {series["namespace"] for series in found} == {tenant.namespace}
        # a scrape that takes longer than its second tells 0 until the next
        eventually(lambda: query(url, 'up{job="airflow-operator"} == 1'), 30)
        tenant.edit(deletionPolicy="Delete")
        tenant.delete()
        tenant.wait_gone()
        eventually(lambda: tenant.name not in stack.operator.http("/metrics")[1], 10, tenant.explain)
        eventually(lambda: not query(url, its), 15, lambda: str(query(url, its)))


@pytest.mark.covers("G-16", "M-07")
def test_a_silent_scheduler_closes_ready_with_its_name_until_it_speaks_again(
    stack: Stack, airflow: AirflowServer
) -> None:
    airflow.heartbeat("SchedulerJob", at=datetime.now(UTC) - timedelta(minutes=10))
    tenant = create(stack, airflow, "silent")
    said = tenant.wait("ComponentsHealthy", "False", "ComponentUnhealthy", seconds=_TURNS)
    assert said["message"].startswith("scheduler: no heartbeat since ")
    assert said["message"].endswith(f"Z: read the log of Deployment {tenant.name}-scheduler")
    ready = tenant.wait("Ready", "False", "ComponentUnhealthy")
    assert ready["message"] == said["message"]
    assert tenant.conditions()["ReleaseReady"]["status"] == "True", "its pod is up"
    (event,) = tenant.until(lambda: tenant.events("ComponentUnhealthy"))  # posted after the status
    assert event["type"] == "Warning"
    assert of(tenant, "airflow_tenant_component_healthy", component="scheduler") == 0
    assert of(tenant, "airflow_tenant_component_healthy", component="triggerer") == 1
    beat = of(tenant, "airflow_tenant_component_last_heartbeat_timestamp_seconds", component="scheduler")
    assert 600 <= datetime.now(UTC).timestamp() - beat < 900
    assert of(tenant, "airflow_tenant_status_condition", type="ComponentsHealthy", status="False") == 1

    airflow.heartbeat("SchedulerJob")
    tenant.wait("Ready", seconds=_TURNS)
    assert of(tenant, "airflow_tenant_component_healthy", component="scheduler") == 1


@pytest.mark.covers("M-07")
def test_drift_is_counted_for_the_tenant_that_had_it(stack: Stack, airflow: AirflowServer) -> None:
    tenant, other = create(stack, airflow, "drifts"), create(stack, airflow, "keeps")
    tenant.wait_released()
    other.wait_released()
    triggerer = f"{tenant.name}-triggerer"
    stack.api.merge(kinds.DEPLOYMENT, triggerer, {"spec": {"replicas": 3}}, tenant.namespace)
    for name in ("detected", "corrected"):
        series = f"airflow_operator_drift_{name}_total"
        eventually(lambda series=series: of(tenant, series, kind="Deployment") == 1, 20, tenant.explain)  # type: ignore[misc]
        assert of(other, series) == 0


@pytest.mark.covers("M-07")
def test_the_operators_own_series_are_named_as_agreed_and_promtool_finds_no_fault(stack: Stack) -> None:
    tenant = stack.create("own")
    tenant.wait_released()
    agreed = {
        "reconcile_total", "reconcile_duration_seconds_bucket", "active_reconciles", "queue_length",
        "handler_retries_total", "event_loop_lag_seconds", "leader", "build_info", "helm_operation_total",
        "helm_operation_duration_seconds_bucket", "airflow_api_requests_total",
        "airflow_api_request_duration_seconds_bucket", "kube_api_requests_total", "tenants",
    }  # fmt: skip
    wanted = {f"airflow_operator_{name}" for name in agreed}

    def found() -> set[str]:
        return {name for name, _ in stack.operator.metrics()}

    eventually(lambda: wanted <= found(), 20, lambda: str(wanted - found()))
    names = found()
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names
    assert not [name for name in names if name.endswith("_created")]
    operator = stack.operator
    assert operator.total("airflow_operator_leader") == 1
    assert operator.total("airflow_operator_helm_operation_total", operation="install", result="success") >= 1
    assert operator.total("airflow_cost_unit_price", resource="cpu_core_hour", currency="EUR") == 0.04
    priced = {dict(its)["resource"] for name, its in operator.metrics() if name == "airflow_cost_unit_price"}
    assert priced == {"cpu_core_hour", "storage_gib_month"}, "a price of 0 is one, none is none"

    done = subprocess.run(
        [str(tool("promtool")), "check", "metrics"],
        input=stack.operator.http("/metrics")[1], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.covers("M-07")
def test_a_wrong_tenant_is_counted_as_one_that_only_an_edit_helps(stack: Stack) -> None:
    tenant = stack.tenant("wrong")

    def total() -> float:
        labels = {"controller": "tenant", "result": "permanent_error"}
        return stack.operator.total("airflow_operator_reconcile_total", **labels)

    before = total()
    tenant.create(airflow={"config": {"core": {"fernet_key": "x"}}})
    tenant.wait("Ready", "False", "InvalidSpec")
    eventually(lambda: total() > before, 10, stack.operator.tail)
    assert of(tenant, "airflow_tenant_status_condition", type="Stalled", status="True") == 1
