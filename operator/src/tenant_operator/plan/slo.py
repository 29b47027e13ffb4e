"""From `spec.monitoring.slo` to Prometheus rules: records of the error budget, alerts on how fast it burns.

Names and labels of the records are those of Sloth (https://sloth.dev), so that its dashboards work. The
arithmetic is that of Google's SRE workbook, chapter 5 (https://sre.google/workbook/alerting-on-slos/):

    budget     = 1 - objective
    burn rate  = share of bad events in a window / budget; at 1 the budget is used up when the period ends
    fast       = burn rate > 14.4 over 1 h and 5 min (2 % of a 30-day budget in an hour)
                 or > 6 over 6 h and 30 min (5 % in six hours)
    slow       = burn rate > 3 over 1 d and 2 h (10 % in a day) or > 1 over 3 d and 6 h (10 % in three days)

The factors are the same for periods of 28 and 7 days: they say how fast, not how much. A pair whose factor
cannot be reached (objective 80 %: all events bad burn at 5) is left out.

DAG runs are sparse, and StatsD counters begin with their first event; four things differ from Sloth's rules:

* Events are counted in steps of five minutes, once a minute (plan.slo_events); longer windows add these up.
  So a series that is new, comes back after it had expired, or moves to another pod loses no event, and the
  period's ratio is weighted by events (Sloth averages the five-minute ratios, in which an hour without a
  run would weigh as much as one with a hundred).
* The short window of a pair is read as it was last known within the long one. Between two runs it holds no
  event at all, and an alert that ended there would ring again at every run.
* A tenant at rest has no events, not zero of them, and no alert rings for it; what it did before counts on
  when it is awake again.
* Both alerts want a number of bad events: 3 (fast) or 2 (slow) in the long window. One failed run of a DAG
  that runs three times a day is more than a month's budget at 99.5 %, but nobody should be woken by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tenant_operator.api.monitoring import Metric, Slo
from tenant_operator.core import names
from tenant_operator.plan import slo_events
from tenant_operator.plan.tenant import Tenant

Rule = dict[str, Any]

ERRORS = "slo:sli_errors:increase5m"
EVENTS = "slo:sli_events:increase5m"
#: Evaluations, and so records, that see the same five minutes of events.
_OVERLAP = 5
_INTERVAL = "1m"
_PERIOD_INTERVAL = "2m"
#: Without any event for so long, the objective cannot be judged.
_SILENT_DAYS = 7

_SUBJECTS: dict[Metric, str] = {
    "dagRunSuccess": "DAG runs failed",
    "taskSuccess": "tries of tasks failed",
    "dagRunDuration": "successful DAG runs took longer than {threshold}",
    "scheduleDelay": "scheduled DAG runs began more than {threshold} late",
    "deadlines": "deadlines were missed",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows of one burn rate: the long one says that it matters, the short one that it still lasts."""

    factor: Decimal
    short: str
    long: str


FAST = (Pair(Decimal("14.4"), "5m", "1h"), Pair(Decimal(6), "30m", "6h"))
SLOW = (Pair(Decimal(3), "2h", "1d"), Pair(Decimal(1), "6h", "3d"))
#: Bad events in the long window below which nobody is told: half a one less, as counts are not whole.
FAST_EVENTS, SLOW_EVENTS = Decimal("2.5"), Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Links:
    """What the alerts link to; an empty address leaves the annotation out."""

    runbook_url: str = ""
    #: address of the SLO dashboard, to which `var-slo=<name>` is added
    dashboard_url: str = ""

    def annotations(self, alert: str, slo: str) -> dict[str, str]:
        """The links of one alert; the runbook's anchors are the alerts' names in lower case."""
        found = {}
        if self.runbook_url:
            found["runbook_url"] = f"{self.runbook_url}#{alert.lower()}"
        if self.dashboard_url:
            separator = "&" if "?" in self.dashboard_url else "?"
            found["dashboard_url"] = f"{self.dashboard_url}{separator}var-slo={slo}"
        return found


def rule_groups(tenant: Tenant, links: Links) -> list[Rule]:
    """Prometheus rule groups of all objectives, two each, as in a rule file; none when there are none."""
    found = []
    for slo in tenant.spec.monitoring.slo:
        found += _Objective(tenant, slo, links).groups()
    return found


class _Objective:
    """The rules of one objective."""

    def __init__(self, tenant: Tenant, slo: Slo, links: Links) -> None:
        self._tenant = tenant
        self._slo = slo
        self._links = links
        self._budget = 1 - Decimal(slo.objective) / 100
        self._ids = {
            "sloth_id": f"{tenant.name}-{slo.name}",
            "sloth_service": tenant.name,
            "sloth_slo": slo.name,
        }
        self._place = {"tenant": tenant.name, "namespace": tenant.namespace}
        # sloth_id alone would be the same for tenant a-b with SLO c and tenant a with SLO b-c.
        self._resting = f'airflow_tenant_info{{tenant="{tenant.name}",state=~"Hibernat.+"}}'
        self._own = f'{{sloth_service="{tenant.name}",sloth_slo="{slo.name}"}}'

    def groups(self) -> list[Rule]:
        """Short windows every minute, long ones every other."""
        name = f"{self._tenant.name}-slo-{self._slo.name}"
        period = self._slo.window
        now = [
            self._record(ERRORS, slo_events.errors(self._slo, self._place)),
            self._record(EVENTS, f"{slo_events.events(self._slo, self._place)} unless on () {self._resting}"),
            *(self._ratio(window) for window in ("5m", "30m", "1h", "2h", "6h")),
            *self._facts(),
            self._record(
                "slo:current_burn_rate:ratio",
                f"max without (sloth_window) (slo:sli_error:ratio_rate5m{self._own}) / {self._budget}",
            ),
        ]
        long = [
            *(self._ratio(window) for window in dict.fromkeys(("1d", "3d", period))),
            self._record(
                "slo:period_burn_rate:ratio",
                f"max without (sloth_window) (slo:sli_error:ratio_rate{period}{self._own}) / {self._budget}",
            ),
            self._record(
                "slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{self._own}"
            ),
        ]
        if self._tenant.spec.monitoring.alerts.enabled:
            now += self._burns("AirflowSLOBurnFast", FAST, FAST_EVENTS)
            long += self._burns("AirflowSLOBurnSlow", SLOW, SLOW_EVENTS)
            long.append(self._absent())
        return [
            {"name": name, "interval": _INTERVAL, "rules": now},
            {"name": f"{name}-period", "interval": _PERIOD_INTERVAL, "rules": long},
        ]

    def _record(self, name: str, expression: str, **labels: str) -> Rule:
        return {"record": name, "expr": expression, "labels": {**self._ids, **self._place, **labels}}

    def _ratio(self, window: str) -> Rule:
        """Share of bad events; without any event there is none, and not 0."""
        if window == "5m":
            expression = f"{ERRORS}{self._own} / ({EVENTS}{self._own} > 0)"
        else:
            expression = (
                f"sum_over_time({ERRORS}{self._own}[{window}])"
                f" / (sum_over_time({EVENTS}{self._own}[{window}]) > 0)"
            )
        return self._record(f"slo:sli_error:ratio_rate{window}", expression, sloth_window=window)

    def _facts(self) -> list[Rule]:
        days = self._slo.window.removesuffix("d")
        info = {
            "sloth_mode": names.FIELD_MANAGER,
            "sloth_spec": names.API_VERSION,
            "sloth_objective": self._slo.objective,
        }
        return [
            self._record("slo:objective:ratio", f"vector({1 - self._budget})"),
            self._record("slo:error_budget:ratio", f"vector({self._budget})"),
            self._record("slo:time_period:days", f"vector({days})"),
            self._record("sloth_slo_info", "vector(1)", **info),
        ]

    def _burns(self, alert: str, pairs: Sequence[Pair], bad_events: Decimal) -> list[Rule]:
        reachable = [pair for pair in pairs if pair.factor * self._budget < 1]
        if not reachable:
            return []
        fast = alert == "AirflowSLOBurnFast"
        either = " or ".join(self._burning(pair, bad_events) for pair in reachable)
        factors = " or ".join(f"{pair.factor} ({pair.long})" for pair in reachable)
        return [
            {
                "alert": alert,
                "expr": f"max without (sloth_window) ({either})"
                f" unless on (tenant, namespace) {self._resting}",
                "for": "2m" if fast else "15m",
                "labels": self._alert_labels(*(("critical", "P1") if fast else ("warning", "P2"))),
                "annotations": {
                    "summary": f"SLO {self._slo.name} of tenant {self._tenant.name} burns its error budget "
                    + ("fast" if fast else "slowly"),
                    "description": f"{{{{ $value | humanizePercentage }}}} of the {self._subject()}: "
                    f"more than {factors} times what the objective of {self._slo.objective} % over "
                    f"{self._slo.window} leaves room for.",
                    **self._links.annotations(alert, self._slo.name),
                },
            }
        ]

    def _burning(self, pair: Pair, bad_events: Decimal) -> str:
        limit = pair.factor * self._budget
        long = f"slo:sli_error:ratio_rate{pair.long}{self._own}"
        short = f"last_over_time(slo:sli_error:ratio_rate{pair.short}{self._own}[{pair.long}])"
        count = f"sum_over_time({ERRORS}{self._own}[{pair.long}]) / {_OVERLAP}"
        both = " and ignoring (sloth_window) "
        return f"({long} > {limit}{both}{short} > {limit}{both}{count} > {bad_events})"

    def _absent(self) -> Rule:
        days = _SILENT_DAYS
        events = f"{EVENTS}{self._own}"
        paused = f'airflow_tenant_info{{tenant="{self._tenant.name}",paused="true"}} == 1'
        alert = "AirflowSLOSeriesAbsent"
        return {
            "alert": alert,
            # it must have been watched for most of the time: a new objective is not silent
            "expr": f"(sum_over_time({events}[{days}d]) == 0 and {events} offset {days - 1}d)"
            f" unless on (tenant, namespace) ({paused} or {self._resting})",
            "labels": self._alert_labels("warning", "P2"),
            "annotations": {
                "summary": f"SLO {self._slo.name} of tenant {self._tenant.name} has nothing to measure",
                "description": f"No event of metric {self._slo.metric}"
                + (f" for DAG {self._slo.dag}" if self._slo.dag else "")
                + f" was seen for {days} days, so nobody knows whether the objective is met. "
                "Is the DAG paused, or its id in spec.monitoring.slo misspelt?",
                **self._links.annotations(alert, self._slo.name),
            },
        }

    def _alert_labels(self, severity: str, priority: str) -> dict[str, str]:
        labels = {
            "severity": severity,
            "priority": priority,
            **self._place,
            "team": self._tenant.spec.owner.team,
            "slo": self._slo.name,
        }
        return {**labels, "dag_id": self._slo.dag} if self._slo.dag else labels

    def _subject(self) -> str:
        text = _SUBJECTS[self._slo.metric].format(threshold=self._slo.threshold)
        return f"{text} (DAG {self._slo.dag})" if self._slo.dag else text
