"""How a tenant is watched: what is installed for it, who is told, and what its team promises (SLOs)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tenant_operator.api.rules import (
    Duration,
    DurationRule,
    Json,
    Matches,
    Model,
    SecretKeyRef,
    cel,
    keyed_by,
)

#: Upper bounds, in seconds, of the histograms that the tenant chart's files/statsd_mapping.yaml makes of
#: timers. Only at these is it known how many values were below; those under a second are left out.
BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_BUCKET_TEXTS = ("1s", "5s", "15s", "30s", "1m", "2m", "5m", "10m", "30m", "1h", "2h", "4h")
_NO_BUCKET = f"must be a bound of the duration histograms: {', '.join(_BUCKET_TEXTS)}"

_OBJECTIVE = 'must be a percentage above 0 and below 100, for example "99.5"'
_THRESHOLD = "threshold goes with metric dagRunDuration and scheduleDelay, and only with them"

Metric = Literal["dagRunSuccess", "taskSuccess", "dagRunDuration", "scheduleDelay", "deadlines"]
#: Metrics that say how long something took.
TIMED: tuple[Metric, ...] = ("dagRunDuration", "scheduleDelay")


class OfHistogram(DurationRule):
    """A duration that is the bound of a histogram's bucket."""

    @property
    def message(self) -> str:
        """See DurationRule."""
        return _NO_BUCKET

    @property
    def condition(self) -> str:
        """See DurationRule."""
        known = ", ".join(f"duration('{bound}s')" for bound in BUCKETS)
        return f"in [{known}]"

    def fits(self, length: int) -> bool:
        """See DurationRule."""
        return length in BUCKETS


DagId = Annotated[
    str,
    Field(max_length=250),
    Matches(r"^[A-Za-z0-9_.-]*$", "must be a DAG id: letters, digits, '_', '.' and '-'"),
]


class SlackChannel(Model):
    """Alerts to the Slack channel of `owner.slack`."""

    api_url_secret_ref: SecretKeyRef
    """Slack's incoming webhook URL, from a Secret in the tenant's namespace."""


class PagerDuty(Model):
    """Critical alerts to PagerDuty."""

    routing_key_secret_ref: SecretKeyRef
    """Integration key of PagerDuty's Events API v2, from a Secret in the tenant's namespace."""


class Webhook(Model):
    """Alerts to a webhook, as JSON in Alertmanager's format."""

    url_secret_ref: SecretKeyRef
    """URL, from a Secret in the tenant's namespace."""


class Alerts(Model):
    """Who is told when something is wrong. E-mail goes to `owner.email`."""

    enabled: bool = True
    """Whether alerts about this tenant are sent to its team, and burn-rate alerts are made of its SLOs."""
    slack: SlackChannel | None = None
    """Slack: critical alerts, warnings and notes go to the channel of `owner.slack`."""
    pagerduty: PagerDuty | None = None
    """PagerDuty: critical alerts page whoever is on call."""
    webhook: Webhook | None = None
    """A webhook of the team's own: critical alerts and warnings."""


class Slo(Model):
    """A service level objective: which share of events must be good within a sliding window of time."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel("(self.metric in ['dagRunDuration', 'scheduleDelay']) == has(self.threshold)", _THRESHOLD),
    )
    name: Annotated[
        str,
        Field(min_length=1, max_length=40),
        Matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must be lower case letters, digits and '-'"),
    ]
    """Name; becomes the label sloth_slo of its records."""
    metric: Metric
    """What counts. dagRunSuccess: runs of DAGs that succeed. taskSuccess: tries of tasks that succeed, so
    a try that is retried counts as bad. dagRunDuration: successful runs that take no longer than
    `threshold`. scheduleDelay: scheduled runs that start no later than `threshold`. deadlines: deadlines
    of Airflow's DeadlineAlerts that are met."""
    objective: Annotated[
        str,
        Field(max_length=8),
        Matches(r"^(0|[1-9][0-9]?)(\.[0-9]{1,3})?$", _OBJECTIVE),
        Matches(r"[1-9]", _OBJECTIVE),
    ]
    """Percentage of good events, above 0 and below 100, as text."""
    dag: DagId = ""
    """Id of the DAG. Empty: all DAGs of the tenant together."""
    threshold: Annotated[Duration, OfHistogram()] | None = None
    """Longest good duration, for dagRunDuration and scheduleDelay."""
    window: Literal["30d", "28d", "7d"] = "30d"
    """Sliding window over which the objective holds."""

    @model_validator(mode="after")
    def _threshold_of_times(self) -> Slo:
        if (self.metric in TIMED) != (self.threshold is not None):
            raise ValueError(_THRESHOLD)
        return self


class DagDuration(Model):
    """How long the runs of one DAG may take."""

    dag: Annotated[DagId, Field(min_length=1)]
    """Id of the DAG."""
    limit: Duration
    """A run that takes longer raises an alert."""


class Monitoring(Model):
    """How the tenant is watched."""

    enabled: bool = True
    """Whether the tenant is scraped and gets dashboards, rules and alert routing."""
    dashboards: bool = True
    """Whether the team gets Grafana dashboards of its own."""
    alerts: Alerts = Alerts()
    """Who is told when something is wrong."""
    slo: Annotated[list[Slo], Field(max_length=20), keyed_by("name")] = []
    """Service level objectives."""
    dag_durations: Annotated[list[DagDuration], Field(max_length=200), keyed_by("dag")] = []
    """Longest durations of DAGs' runs."""
