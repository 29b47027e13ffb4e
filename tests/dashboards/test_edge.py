"""Requests at the edge are recorded by the tenant's namespace, whichever program counts them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.dashboards.alert_cases import promtool
from tests.dashboards.alert_cases.case import ACTIVE, rising, series, steady

from devcluster.tools import tool
from tenant_dashboards import signals as s
from tenant_dashboards.alerts import edge, registry

ROOT = Path(__file__).parents[2]
GROUP = promtool.GROUPS["edge"]
PAYMENTS = "airflow-payments-payments-api-server"

Samples = dict[str, float]  # a series as PromQL writes it -> its value


def tenant(name: str, namespace: str) -> dict[str, str]:
    """What the operator says of one more tenant."""
    return {f'airflow_tenant_info{{tenant="{name}",namespace="{namespace}",team="red"}}': steady(1)}


def traefik(backend: str, code: str = "200", more: str = "") -> str:
    """The series of Traefik's requests to a backend."""
    return f'traefik_service_requests_total{{service="{backend}",code="{code}"{more}}}'


def envoy(route: str, code: str = "200", more: str = "") -> str:
    """The series of Envoy Gateway's answers by a rule of a route."""
    labels = f'envoy_cluster_name="{route}",envoy_response_code="{code}"{more}'
    return f"envoy_cluster_upstream_rq{{{labels}}}"


def requests(of: str, namespace: str, code: str = "200") -> str:
    return f'{s.EDGE_REQUESTS}{{edge="{of}",namespace="{namespace}",code="{code}"}}'


def seconds(of: str, quantile: str, namespace: str = "airflow-payments") -> str:
    return f'{s.EDGE_DURATION}{{edge="{of}",namespace="{namespace}",quantile="{quantile}"}}'


def failures(folder: Path, groups: list[dict[str, Any]], given: dict[str, str], wanted: Samples) -> str:
    """What promtool finds wrong with both records after twenty minutes; empty when they are as wanted."""
    names = (s.EDGE_REQUESTS.name, s.EDGE_DURATION.name)
    test = {
        "interval": "1m",
        "input_series": [
            {"series": series(name), "values": values} for name, values in {**ACTIVE, **given}.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"round({name}, 0.0001)",
                "eval_time": "20m",
                "exp_samples": [
                    {"labels": labels.removeprefix(name), "value": value}
                    for labels, value in wanted.items()
                    if labels.startswith(name)
                ],
            }
            for name in names
        ],
    }
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    content = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [test],
    }
    (folder / "tests.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [str(tool("promtool")), "test", "rules", str(folder / "tests.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


ROUTE = "httproute/airflow-payments/a/rule/0"
BACKENDS = {
    "an Ingress that names the port": f"{PAYMENTS}-http@kubernetes",
    "an Ingress that gives the port's number": f"{PAYMENTS}-8080@kubernetes",
    "an HTTPRoute": f"{PAYMENTS}-http-8080@kubernetesgateway",
    "an IngressRoute of the Service's name": f"{PAYMENTS}-2a6c1f0b9d3e4f5a6b7c@kubernetescrd",
}
#: Title -> series that grow by so much a minute, and what is recorded of them.
CASES: dict[str, tuple[dict[str, float], Samples]] = {
    **{
        f"Traefik: {title}": ({traefik(backend): 60}, {requests("traefik", "airflow-payments"): 1})
        for title, backend in BACKENDS.items()
    },
    "Traefik: by a ServiceMonitor without honorLabels": (
        {traefik("traefik", more=f',exported_service="{PAYMENTS}-http@kubernetes",namespace="traefik"'): 60},
        {requests("traefik", "airflow-payments"): 1},
    ),
    "Traefik: methods and pods are added up, answers are kept apart": (
        {
            traefik(f"{PAYMENTS}-http@kubernetes", more=',method="GET",pod="a"'): 60,
            traefik(f"{PAYMENTS}-http@kubernetes", more=',method="POST",pod="a"'): 30,
            traefik(f"{PAYMENTS}-http@kubernetes", more=',method="GET",pod="b"'): 30,
            traefik(f"{PAYMENTS}-http@kubernetes", "502", more=',method="GET",pod="b"'): 6,
        },
        {requests("traefik", "airflow-payments"): 2, requests("traefik", "airflow-payments", "502"): 0.1},
    ),
    "Traefik: what is no tenant's API server is left out": (
        {
            traefik("shop-web-80@kubernetes"): 60,
            traefik("shop-shop-api-server-80@kubernetes"): 60,
            traefik("airflow-payments-grafana-80@kubernetes"): 60,
            traefik(f"{PAYMENTS}-http@docker"): 60,
        },
        {},
    ),
    "Traefik: times are seconds": (
        {
            "traefik_service_request_duration_seconds_bucket"
            f'{{service="{PAYMENTS}-http@kubernetes",code="200",le="{le}"}}': count
            for le, count in {"0.1": 50, "0.3": 90, "1.2": 100, "+Inf": 100}.items()
        },
        {seconds("traefik", "0.5"): 0.1, seconds("traefik", "0.95"): 0.75},
    ),
    "Envoy Gateway: rules and pods are added up, answers are kept apart": (
        {
            envoy(ROUTE, more=',pod="a"'): 60,
            envoy(ROUTE, more=',pod="b",namespace="envoy-gateway-system"'): 30,
            envoy("httproute/airflow-payments/b/rule/1", more=',pod="b"'): 30,
            envoy(ROUTE, "503", more=',pod="b"'): 6,
        },
        {
            requests("envoy-gateway", "airflow-payments"): 2,
            requests("envoy-gateway", "airflow-payments", "503"): 0.1,
        },
    ),
    "Envoy Gateway: what is in no tenant's namespace is left out": (
        {envoy("httproute/shop/web/rule/0"): 60, envoy("xds_cluster"): 60},
        {},
    ),
    "Envoy Gateway: milliseconds become seconds": (
        {
            f'envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name="{ROUTE}",le="{le}"}}': count
            for le, count in {"100": 50, "500": 90, "1000": 100, "+Inf": 100}.items()
        },
        {seconds("envoy-gateway", "0.5"): 0.1, seconds("envoy-gateway", "0.95"): 0.75},
    ),
    "both edges are kept apart": (
        {traefik(f"{PAYMENTS}-http@kubernetes"): 60, envoy(ROUTE): 30},
        {
            requests("traefik", "airflow-payments"): 1,
            requests("envoy-gateway", "airflow-payments"): 0.5,
        },
    ),
}


@pytest.mark.covers("G-10")
@pytest.mark.parametrize("title", CASES)
def test_requests_are_recorded_by_the_tenants_namespace(title: str, tmp_path: Path) -> None:
    growing, wanted = CASES[title]
    given = {name: rising(step) for name, step in growing.items()}
    assert failures(tmp_path, [GROUP], given, wanted) == ""


def test_dashes_in_names_of_tenants_lead_to_the_right_namespace(tmp_path: Path) -> None:
    given = {
        **tenant("b-api-server", "team-a"),
        traefik("team-a-b-api-server-api-server-http@kubernetes"): rising(60),
        traefik(f"{PAYMENTS}-http@kubernetes"): rising(180),
    }
    wanted = {requests("traefik", "team-a"): 1.0, requests("traefik", "airflow-payments"): 3.0}
    assert failures(tmp_path, [GROUP], given, wanted) == ""


def test_two_tenants_of_one_backend_break_no_rule_and_neither_gets_the_others_requests(
    tmp_path: Path,
) -> None:
    """Traefik calls ``y-x`` in ``same`` what it calls ``x`` in ``same-y``."""
    given = {
        **tenant("x", "same-y"),
        **tenant("y-x", "same"),
        traefik("same-y-x-api-server-http@kubernetes"): rising(120),
        traefik(f"{PAYMENTS}-http@kubernetes"): rising(180),
    }
    assert failures(tmp_path, [GROUP], given, {requests("traefik", "airflow-payments"): 3}) == ""


def test_a_restart_of_the_operator_tears_no_hole(tmp_path: Path) -> None:
    given = {name: "1x10 stale" for name in ACTIVE if name.startswith("airflow_tenant_info")}
    given[traefik(f"{PAYMENTS}-http@kubernetes")] = rising(60)
    assert failures(tmp_path, [GROUP], given, {requests("traefik", "airflow-payments"): 1}) == ""


def test_boards_and_alerts_read_what_is_recorded_and_no_program_s_own_names() -> None:
    recorded = {record.name for record in edge.RECORDS}
    assert recorded == {edge.BACKENDS, s.EDGE_REQUESTS.name, s.EDGE_DURATION.name}
    own = re.compile("traefik_|envoy_|istio_|nginx_")
    assert [alert.name for alert in registry.ALL if own.search(alert.expr)] == []
    boards = sorted((ROOT / "dashboards/generated").glob("*/*.json"))
    assert len(boards) == 10
    assert [path.name for path in boards if own.search(path.read_text(encoding="utf-8"))] == []


def test_the_rules_for_another_edge_in_the_documentation_record_the_same(tmp_path: Path) -> None:
    text = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
    (block,) = (found for found in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "istio_" in found)
    groups = yaml.safe_load(block)["groups"]
    gateway = 'reporter="source",source_workload="istio-ingressgateway",namespace="istio-ingress"'
    labels = f'{gateway},destination_service_namespace="airflow-payments"'
    given = {
        f'istio_requests_total{{{labels},response_code="200",pod="a"}}': rising(60),
        f'istio_requests_total{{{labels},response_code="503",pod="a"}}': rising(6),
        **{
            f'istio_request_duration_milliseconds_bucket{{{labels},le="{le}"}}': rising(count)
            for le, count in {"100": 50, "500": 90, "1000": 100, "+Inf": 100}.items()
        },
    }
    wanted = {
        requests("istio", "airflow-payments"): 1,
        requests("istio", "airflow-payments", "503"): 0.1,
        seconds("istio", "0.95"): 0.75,
    }
    assert failures(tmp_path, [*groups, GROUP], given, wanted) == ""
