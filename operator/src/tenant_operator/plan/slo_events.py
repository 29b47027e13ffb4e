"""What an objective counts: expressions over Airflow's series for all events and for the bad ones.

Each is the number of events within the last five minutes. How rules are made of them: plan.slo.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenant_operator.api.monitoring import Metric, Slo
from tenant_operator.api.rules import seconds

#: A series that was not seen for so long counts as new; shorter gaps are those of scraping.
_GAP = "1h"
_RUNS = "airflow_dagrun_duration"
#: The counters whose sum is all events of a metric.
_TOTALS: dict[Metric, tuple[str, ...]] = {
    "dagRunSuccess": (f"{_RUNS}_failed_count", f"{_RUNS}_success_count"),
    "taskSuccess": ("airflow_ti_failures", "airflow_ti_successes"),
    "dagRunDuration": (f"{_RUNS}_success_count",),
    "scheduleDelay": ("airflow_dagrun_schedule_delay_count",),
    "deadlines": ("airflow_deadline_alerts_deadline_missed", "airflow_deadline_alerts_deadline_not_missed"),
}
#: The counter of bad events, for metrics that have one.
_BAD: dict[Metric, str] = {
    "dagRunSuccess": f"{_RUNS}_failed_count",
    "taskSuccess": "airflow_ti_failures",
    "deadlines": "airflow_deadline_alerts_deadline_missed",
}


def events(slo: Slo, place: Mapping[str, str]) -> str:
    """All events of the objective's metric; `place` are the labels of the tenant's series."""
    return " + ".join(_grown(_series(name, slo, place)) for name in _TOTALS[slo.metric])


def errors(slo: Slo, place: Mapping[str, str]) -> str:
    """Those of them that use up the budget."""
    bad = _BAD.get(slo.metric)
    if bad is not None:
        return _grown(_series(bad, slo, place))
    if slo.threshold is None:
        raise AssertionError("the model lets no timed objective pass without a threshold")
    total = _TOTALS[slo.metric][0]
    # Prometheus 3 writes the bound as 600.0, Prometheus 2 as 600.
    within = rf'le=~"{seconds(slo.threshold)}(\\.0)?"'
    good = _grown(_series(total.removesuffix("_count") + "_bucket", slo, place, within))
    return f"clamp_min({_grown(_series(total, slo, place))} - ({good}), 0)"


def _series(metric: str, slo: Slo, place: Mapping[str, str], *more: str) -> str:
    wanted = [f'{label}="{value}"' for label, value in place.items()]
    if slo.dag:
        wanted.append(f'dag_id="{slo.dag}"')
    return f"{metric}{{{','.join((*wanted, *more))}}}"


def _grown(series: str) -> str:
    """By how much counters have grown within five minutes, those included that begin with their first event.

    `increase` knows nothing of what a series had when it was first seen; that is added for those that
    nobody saw before. 0 when there is no series. A Prometheus that is new itself counts once all that the
    counters hold: bad and good alike, so that the ratio is that of the exporter's lifetime.
    """
    new = f"min_over_time({series}[5m]) unless max_over_time({series}[{_GAP}] offset 5m)"
    return f"(sum(increase({series}[5m])) or vector(0)) + (sum({new}) or vector(0))"
