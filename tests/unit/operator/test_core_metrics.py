from __future__ import annotations

import pytest

from tenant_operator.core.errors import ApplyError, InvalidSpec, NotReady, SecretError, TenantError
from tenant_operator.core.metrics import CONTROLLERS, HANDLERS, RESULTS, Metrics

RESULTS_OF: list[tuple[TenantError, str]] = [
    (NotReady("waiting"), "requeue"),
    (NotReady("the migration failed", stalled=True), "permanent_error"),
    (InvalidSpec("wrong"), "permanent_error"),
    (SecretError("missing"), "error"),
    (ApplyError("refused"), "error"),
]


@pytest.mark.parametrize(("error", "result"), RESULTS_OF, ids=str)
def test_to_wait_is_no_failure_and_what_only_an_edit_helps_is_told_apart(
    error: TenantError, result: str
) -> None:
    assert error.result == result
    assert result in RESULTS


@pytest.mark.covers("M-07")
def test_every_result_has_a_series_from_the_start_so_that_the_first_failure_is_an_increase() -> None:
    value = Metrics().registry.get_sample_value
    for controller in CONTROLLERS:
        for result in RESULTS:
            labels = {"controller": controller, "result": result}
            assert value("airflow_operator_reconcile_total", labels) == 0
    for handler in HANDLERS:
        assert value("airflow_operator_handler_retries_total", {"handler": handler}) == 0


@pytest.mark.covers("M-07")
def test_the_lag_is_the_worst_of_the_last_minute_so_that_a_scrape_does_not_miss_it() -> None:
    metrics = Metrics()

    def lag() -> float | None:
        return metrics.registry.get_sample_value("airflow_operator_event_loop_lag_seconds")

    assert lag() == 0
    metrics.beat(6.0)
    for _ in range(59):
        metrics.beat(0.001)
    assert lag() == 6.0
    metrics.beat(0.001)
    assert lag() == 0.001


def test_no_series_of_the_operator_itself_carries_a_tenant() -> None:
    metrics = Metrics()
    metrics.airflow_request("GET", "200", 0.1)
    metrics.helm("template", 0.1, ok=False)
    labels = {
        label for family in metrics.registry.collect() for sample in family.samples for label in sample.labels
    }
    assert not labels & {"tenant", "namespace", "team"}
    failed = {"operation": "template", "result": "error"}
    assert metrics.registry.get_sample_value("airflow_operator_helm_operation_total", failed) == 1
