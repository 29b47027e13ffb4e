"""Which series an objective counts; what the expressions compute is in test_plan_slo_promtool.py."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.unit.operator.support import tenant
from tests.unit.operator.test_plan_slo import EVERY_METRIC, PLACE

from tenant_operator.api.monitoring import Slo
from tenant_operator.plan import slo_events

SERIES = re.compile(r"(airflow_\w+)\{([^}]*)\}")


def objective(slo: dict[str, Any]) -> Slo:
    (found,) = tenant(monitoring={"slo": [slo]}).spec.monitoring.slo
    return found


@pytest.mark.parametrize("slo", EVERY_METRIC, ids=lambda slo: str(slo["metric"]))
def test_only_the_tenants_own_series_are_counted_and_of_one_dag_if_it_is_named(slo: dict[str, Any]) -> None:
    for dag in ("", "settlement"):
        found = objective({**slo, "dag": dag} if dag else {k: v for k, v in slo.items() if k != "dag"})
        read = SERIES.findall(slo_events.events(found, PLACE) + slo_events.errors(found, PLACE))
        assert read
        for _, labels in read:
            assert labels.startswith('tenant="payments",namespace="airflow-payments"')
            assert ('dag_id="settlement"' in labels) is bool(dag)
            assert labels.count("dag_id=") == bool(dag)


@pytest.mark.parametrize("slo", EVERY_METRIC, ids=lambda slo: str(slo["metric"]))
def test_what_is_bad_is_one_of_all_events(slo: dict[str, Any]) -> None:
    found = objective(slo)
    events = {name for name, _ in SERIES.findall(slo_events.events(found, PLACE))}
    bad = {name for name, _ in SERIES.findall(slo_events.errors(found, PLACE))}
    assert {name.removesuffix("_bucket") for name in bad} <= events | {
        name.removesuffix("_count") for name in events
    }


def test_a_threshold_is_a_bucket_as_either_prometheus_writes_it() -> None:
    errors = slo_events.errors(objective(EVERY_METRIC[2]), PLACE)
    (bound,) = set(re.findall(r'le=~"([^"]*)"', errors))
    pattern = bound.replace("\\\\", "\\")
    assert all(re.fullmatch(pattern, written) for written in ("600", "600.0"))
    assert not re.fullmatch(pattern, "6000")
