from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import raw, tenant

from tenant_operator.api.monitoring import BUCKETS, TIMED
from tenant_operator.api.rules import seconds
from tenant_operator.core.errors import InvalidSpec
from tenant_operator.plan.tenant import parse

MAPPING = Path(__file__).resolve().parents[3] / "charts/airflow-tenant/files/statsd_mapping.yaml"
SLO = {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}


def refusal(**spec: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        parse(raw(**spec))
    return caught.value.message


def slo(**fields: Any) -> dict[str, Any]:
    return {"monitoring": {"slo": [{**SLO, **fields}]}}


def test_thresholds_are_the_bounds_of_the_exporter_s_histograms() -> None:
    mappings = yaml.safe_load(MAPPING.read_text())["mappings"]
    found = [m["histogram_options"]["buckets"] for m in mappings if "histogram_options" in m]
    assert found
    for bounds in found:
        assert list(BUCKETS) == [bound for bound in bounds if bound >= 1]


@pytest.mark.parametrize("threshold", ["1s", "60s", "1m", "10m", "30m", "1h", "4h"])
def test_a_threshold_may_be_written_in_any_way(threshold: str) -> None:
    (found,) = tenant(**slo(metric="scheduleDelay", threshold=threshold)).spec.monitoring.slo
    assert found.threshold is not None
    assert seconds(found.threshold) in BUCKETS


@pytest.mark.parametrize("objective", ["99", "99.5", "99.999", "0.1", "50", "9"])
def test_a_percentage_between_the_ends_is_an_objective(objective: str) -> None:
    (found,) = tenant(**slo(objective=objective)).spec.monitoring.slo
    assert found.objective == objective


def test_everything_is_watched_by_default() -> None:
    found = tenant().spec.monitoring
    assert (found.enabled, found.dashboards, found.alerts.enabled) == (True, True, True)
    assert (found.slo, found.dag_durations) == ([], [])


OBJECTIVE = 'must be a percentage above 0 and below 100, for example "99.5"'
THRESHOLD = "threshold goes with metric dagRunDuration and scheduleDelay, and only with them"
REFUSED: list[tuple[dict[str, Any], str]] = [
    *((slo(objective=value), f"spec.monitoring.slo[0].objective: {OBJECTIVE}")
      for value in ("100", "0", "0.000", "-1", "99,5", "99.", "1e1", "99.9999", "99\n")),
    *((slo(metric=metric), f"spec.monitoring.slo[0]: {THRESHOLD}") for metric in TIMED),
    (slo(threshold="10m"), f"spec.monitoring.slo[0]: {THRESHOLD}"),
    (
        slo(metric="scheduleDelay", threshold="15m"),
        "spec.monitoring.slo[0].threshold: must be a bound of the duration histograms: "
        "1s, 5s, 15s, 30s, 1m, 2m, 5m, 10m, 30m, 1h, 2h, 4h",
    ),
    (slo(metric="latency"), "spec.monitoring.slo[0].metric: Input should be 'dagRunSuccess', "),
    (slo(name="Runs"), "spec.monitoring.slo[0].name: must be lower case letters, digits and '-'"),
    (slo(dag='a"b'), "spec.monitoring.slo[0].dag: must be a DAG id: letters, digits, '_', '.' and '-'"),
    (slo(window="1d"), "spec.monitoring.slo[0].window: Input should be '30d', '28d' or '7d'"),
    ({"monitoring": {"slo": [SLO, SLO]}}, "spec: monitoring.slo: runs is listed twice"),
    (
        {"monitoring": {"dagDurations": [{"dag": "a", "limit": "1h"}] * 2}},
        "spec: monitoring.dagDurations: a is listed twice",
    ),
    (
        {"monitoring": {"dagDurations": [{"dag": "a", "limit": "0s"}]}},
        "spec.monitoring.dagDurations[0].limit: must be longer than zero",
    ),
    (
        {"owner": {"team": "pay", "slack": "payments"}},
        "spec.owner.slack: must be a Slack channel, for example #payments",
    ),
    (
        {"monitoring": {"alerts": {"slack": {"apiUrlSecretRef": {"name": "a", "key": "b"}}}}},
        "spec: monitoring.alerts.slack needs owner.slack: the channel that alerts go to",
    ),
    (
        {"monitoring": {"alerts": {"webhook": {"url": "https://example.com"}}}},
        "spec.monitoring.alerts.webhook.urlSecretRef: Field required",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_a_wrong_wish_is_refused_by_its_field(spec: dict[str, Any], message: str) -> None:
    assert message in refusal(**spec)
