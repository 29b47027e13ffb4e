"""Which alert is how urgent, by which channels it is told, and which one makes others silent.

One table for the three scales in use; every alert carries severity and priority:

    severity   priority   support   the team's channels                   the platform's channels
    critical   P0, P1     P0, P1    PagerDuty, Slack, webhook, e-mail     slack-admin: Slack, PagerDuty, SNS
    warning    P2         P2        Slack, webhook, e-mail                -
    info       P3         P3        Slack (without it: webhook, e-mail)   -
    info       P4         -         none: to be seen in Alertmanager only -

The alerts themselves are defined with the dashboards (tenant_dashboards.alerts), which the operator's image
does not hold; a test keeps both tables the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: Receivers of a team, by what they do.
PAGE, NOTIFY, INFORM, LOG_ONLY = "page", "notify", "inform", "log-only"

#: Channels of each receiver, by their names for people.
MATRIX: Mapping[str, tuple[str, ...]] = {
    PAGE: ("PagerDuty", "Slack", "webhook", "e-mail"),
    NOTIFY: ("Slack", "webhook", "e-mail"),
    INFORM: ("Slack",),
}
#: Where something goes when the team has none of a receiver's channels: the first of these that it has.
#: A pager is not among them: what is not critical wakes nobody.
_FALLBACK = ("Slack", "webhook", "e-mail")

#: Severity by priority.
SEVERITIES: Mapping[str, str] = {
    "P0": "critical",
    "P1": "critical",
    "P2": "warning",
    "P3": "info",
    "P4": "info",
}

#: What nobody needs to be told while no scheduler runs.
_WITHOUT_SCHEDULER = (
    "AirflowSchedulerLoopSlow",
    "AirflowDagRunScheduleDelayHigh",
    "AirflowFirstTaskStartDelayHigh",
    "AirflowCanaryLate",
    "AirflowCanarySilent",
    "AirflowExecutorSaturated",
    "AirflowTasksStuckQueued",
    "AirflowPoolStarving",
    "AirflowPoolExhausted",
    "AirflowPoolSizeDiffersFromSpec",
)

#: While the first fires, the others are silent for the same tenant: one cause is told once.
INHIBITIONS: Mapping[str, tuple[str, ...]] = {
    "AirflowOperatorDown": (
        "AirflowTenantNotReady",
        "AirflowTenantNotObserved",
        "AirflowTenantNotAsleep",
        "AirflowTenantHelmReleaseStuck",
        "AirflowTenantDriftLoop",
        "AirflowPoolSizeDiffersFromSpec",
    ),
    "AirflowManySchedulersMissing": (
        "AirflowSchedulerHeartbeatMissing",
        "AirflowComponentUnhealthy",
        *_WITHOUT_SCHEDULER,
    ),
    "AirflowSchedulerHeartbeatMissing": _WITHOUT_SCHEDULER,
    "AirflowDagProcessorHeartbeatMissing": (
        "AirflowDagImportErrors",
        "AirflowDagBagShrunk",
        "AirflowDagsRevisionBehind",
    ),
    "AirflowTriggererHeartbeatMissing": ("AirflowTriggererSaturated",),
    "AirflowApiServerUnavailable": (
        "AirflowHttp5xxRatioHigh",
        "AirflowResponseTimeHigh",
    ),
    "AirflowMetricsMissing": (
        "AirflowSchedulerHeartbeatMissing",
        "AirflowDagProcessorHeartbeatMissing",
        "AirflowTriggererHeartbeatMissing",
        "AirflowSchedulerLoopSlow",
        "AirflowDagRunScheduleDelayHigh",
        "AirflowFirstTaskStartDelayHigh",
        "AirflowCanaryLate",
        "AirflowCanarySilent",
        "AirflowExecutorSaturated",
        "AirflowTasksStuckQueued",
        "AirflowTasksWithoutHeartbeatKilled",
        "AirflowPodCreationFailing",
        "AirflowTaskFailureRatioElevated",
        "AirflowTaskFailureRatioHigh",
        "AirflowTriggererSaturated",
        "AirflowPoolStarving",
        "AirflowPoolExhausted",
        "AirflowPoolSizeDiffersFromSpec",
        "AirflowDagImportErrors",
        "AirflowDagBagShrunk",
        "AirflowDeadlineMissed",
        "AirflowDagRunDurationAboveLimit",
        "AirflowFeatureViewStale",
        "AirflowSLOBurnFast",
        "AirflowSLOBurnSlow",
        "AirflowSLOSeriesAbsent",
    ),
    "AirflowTaskFailureRatioHigh": (
        "AirflowTaskFailureRatioElevated",
        "AirflowDagRunFailed",
    ),
    "AirflowGitSyncFailing": ("AirflowDagsRevisionBehind",),
    "AirflowDatabaseConnectionsHigh": ("AirflowDatabaseConnectionsElevated",),
    "AirflowRedisMemoryHigh": ("AirflowRedisMemoryElevated",),
    "AirflowRedisEvictionsHigh": ("AirflowRedisEvictions",),
}
#: Sources that speak of the whole installation: they silence the alerts of every tenant.
FLEET_WIDE = frozenset({"AirflowOperatorDown", "AirflowManySchedulersMissing"})
#: Labels that say that two alerts are about the same tenant.
SAME_TENANT = ("tenant", "namespace")
#: What burns fast burns slowly as well: said of one objective, not of a tenant.
SAME_OBJECTIVE = ("AirflowSLOBurnFast", "AirflowSLOBurnSlow", ("tenant", "namespace", "slo"))


def chosen(receiver: str, there: Collection[str]) -> tuple[str, ...]:
    """The channels of a receiver, out of those that a team has; none: the platform is told instead."""
    wanted = tuple(name for name in MATRIX[receiver] if name in there)
    return wanted or tuple(name for name in _FALLBACK if name in there)[:1]
