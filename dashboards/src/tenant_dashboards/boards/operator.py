"""The operator: is it alive, does it keep up, what does it change, and what does its own monitoring cost."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.parts import Flavour, alert_annotation, make_board, tile
from tenant_dashboards.expr import OPERATOR
from tenant_dashboards.panels.model import (
    GREEN,
    ORANGE,
    RED,
    Annotation,
    Board,
    Column,
    Kind,
    Panel,
    Row,
    Step,
    Target,
    above,
)

_HOUR = "1h"
_SUMMARY = 'type=~"Ready|Reconciling|Stalled"'
_TRUE = 'status="True"'
_STATSD = 'component="statsd"'
_FAILED = 'result=~"error|permanent_error"'


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The board of the operator; there is one operator, so it is the platform's only."""
    return make_board(
        "operator",
        flavour,
        "The tenant operator: liveness, work done, errors, the Kubernetes and Airflow API, its own process.",
        (_health(), _work(), _tenants(), _calls(), _changes(), _process(), _scrape()),
        tenant=False,
        annotations=_annotations(),
    )


def _annotations() -> tuple[Annotation, ...]:
    start = expr.started(("version",), s.OPERATOR_BUILD_INFO, OPERATOR)
    released = Annotation(
        "Operator releases",
        start,
        "Operator {{version}}",
        "new version",
        "blue",
        may_be_empty="one version only",
    )
    return (released, alert_annotation('tenant=""'))


def _health() -> Row:
    return Row(
        "Health",
        (
            tile(
                "Operators up",
                Target(f"sum({s.UP(OPERATOR)})", "up"),
                "Operators that Prometheus can scrape. Below 1 no tenant is changed any more; running "
                "tenants go on. "
                "Look at the pod and its last log lines.",
                thresholds=(Step(None, RED), Step(1, GREEN)),
                no_data="not scraped",
            ),
            tile(
                "Leaders",
                Target(f"sum({s.OPERATOR_LEADER(OPERATOR)})", "leaders"),
                "Operators that believe to be the leader. Must be 1: with 0 nothing happens, with 2 they "
                "fight. "
                "Look at the Lease in the operator's namespace.",
                thresholds=(Step(None, RED), Step(1, GREEN), Step(2, RED)),
                no_data="no leader known",
            ),
            tile(
                "Version",
                Target(
                    f"group by (version) ({s.OPERATOR_BUILD_INFO(OPERATOR)})", "{{version}}", instant=True
                ),
                "The version of the operator. Two versions for long mean a rollout that hangs.",
                text_mode="name",
                sparkline=False,
                no_data="not scraped",
            ),
            tile(
                "Tenants",
                Target(f"max({s.OPERATOR_TENANTS(OPERATOR)})", "tenants"),
                "Tenants that the operator knows. A sudden drop means deleted tenants: look at who deleted "
                "them.",
                no_data="no tenants",
            ),
            tile(
                "Failed passes, 1 h",
                Target(
                    f"sum({s.grown(s.RECONCILE_TOTAL(OPERATOR, _FAILED), _HOUR)}) or vector(0)",
                    "failed",
                ),
                "Passes that ended with an error in the last hour. The log has one line for each, with the "
                "tenant; "
                "the tenant's condition Stalled says what to change.",
                thresholds=above(1, 20),
                decimals=0,
                no_data="no pass yet",
            ),
            tile(
                "Up since",
                Target(f"max(time() - {s.PROCESS_START(OPERATOR)})", "age"),
                "Age of the operator's process. Short ages again and again mean crashes: see the pod's "
                "last state.",
                unit="s",
                sparkline=False,
                thresholds=(Step(None, ORANGE), Step(600, GREEN)),
                no_data="not scraped",
            ),
        ),
    )


def _work() -> Row:
    return Row(
        "Work",
        (
            Panel(
                "Passes over tenants, by result",
                Kind.TIMESERIES,
                "Passes a second. error: tried again soon; requeue: waits for something; permanent_error: "
                "waits for a "
                "change of the spec. A rising error line: open the log with the tenant's name.",
                (Target(expr.rate(s.RECONCILE_TOTAL, OPERATOR, group="result"), "{{result}}"),),
                unit="ops",
                stacked=True,
                no_data="no pass yet",
                colors=(
                    ("success", GREEN),
                    ("requeue", "blue"),
                    ("error", ORANGE),
                    ("permanent_error", RED),
                ),
            ),
            Panel(
                "Duration of a pass",
                Kind.TIMESERIES,
                "How long a pass takes. Seconds are normal for a new tenant (render, migration), "
                "milliseconds for one "
                "that needs nothing. A rising p95 with a rising queue: give the operator more CPU or "
                "concurrency.",
                tuple(
                    Target(expr.quantile(q, s.RECONCILE_DURATION, OPERATOR), f"p{q * 100:.0f}")
                    for q in (0.5, 0.95, 0.99)
                ),
                unit="s",
                thresholds=above(60, 300),
                no_data="no pass yet",
            ),
            Panel(
                "Queue and passes under way",
                Kind.TIMESERIES,
                "Tenants that wait and tenants in hand. A queue that never empties: raise concurrency, or "
                "look for a "
                "pass that hangs.",
                (
                    Target(f"sum({s.OPERATOR_QUEUE(OPERATOR)})", "waiting", color=ORANGE),
                    Target(f"sum({s.ACTIVE_RECONCILES(OPERATOR)})", "under way", color="blue"),
                ),
                no_data="not scraped",
            ),
            Panel(
                "Durations over time",
                Kind.HEATMAP,
                "The same passes as a heat map: two bands are two kinds of work; a band that climbs is a "
                "slow "
                "dependency (API server, database, Git).",
                (
                    Target(
                        f"sum by (le) (increase({s.RECONCILE_DURATION.bucket(OPERATOR)}[{expr.RATE}]))",
                        "{{le}}",
                    ),
                ),
                unit="s",
                no_data="no pass yet",
            ),
            Panel(
                "Retries by handler",
                Kind.TIMESERIES,
                "How often a handler had to try again, per interval. One handler only: its dependency is "
                "away. All: "
                "the Kubernetes API is.",
                (
                    Target(
                        expr.events(s.HANDLER_RETRIES, OPERATOR, group="handler", window=expr.RATE),
                        "{{handler}}",
                        may_be_empty="no handler had to retry",
                    ),
                ),
                bars=True,
                stacked=True,
                decimals=0,
                no_data="no retries",
            ),
            Panel(
                "Event loop lag",
                Kind.TIMESERIES,
                "How late the event loop ran its last heartbeat. Above 5 s something blocks it (a "
                "synchronous call, no "
                "CPU): the liveness probe will kill the pod. Look at CPU throttling first.",
                (Target(f"max by (pod) ({s.EVENT_LOOP_LAG(OPERATOR)})", "{{pod}}"),),
                unit="s",
                thresholds=above(1, 5),
                no_data="not scraped",
            ),
        ),
    )


def _tenants() -> Row:
    not_ready = s.TENANT_CONDITION('type="Ready"', 'status!="True"')
    since = s.TENANT_CONDITION_SINCE('type="Ready"')
    return Row(
        "Tenants",
        (
            Panel(
                "Tenants by condition",
                Kind.TIMESERIES,
                "How many tenants have each condition True. Ready should be all of them; Stalled ones wait "
                "for a "
                "change of their spec.",
                (
                    Target(
                        f"sum by (type) ({s.TENANT_CONDITION(_SUMMARY, _TRUE)})",
                        "{{type}}",
                    ),
                ),
                no_data="no tenants",
                colors=(("Ready", GREEN), ("Reconciling", "blue"), ("Stalled", RED)),
            ),
            Panel(
                "Tenants that are not ready",
                Kind.TABLE,
                "Tenants whose Ready is not True, and since when. `kubectl describe airflowtenant <name>` "
                "has the "
                "reason; the link opens the tenant in the overview.",
                (
                    Target(
                        f"max by (tenant, namespace, status) ({not_ready} == 1)",
                        may_be_empty="every tenant is ready",
                    ),
                    Target(
                        f"max by (tenant) (time() - {since}) and on (tenant) ({not_ready} == 1)",
                        may_be_empty="every tenant is ready",
                    ),
                ),
                key="tenant",
                columns=(
                    Column("tenant", "Tenant"),
                    Column("namespace", "Namespace"),
                    Column("status", "Ready"),
                    Column("Value #B", "For", unit="s"),
                ),
                sort="For",
                no_data="every tenant is ready",
            ),
            Panel(
                "Specs not seen yet",
                Kind.TIMESERIES,
                "Tenants whose spec is newer than what the operator has worked on. For minutes: normal. "
                "For longer: a "
                "watch that hangs or a pass that never ends.",
                (
                    Target(
                        f"count({s.TENANT_GENERATION} != {s.TENANT_OBSERVED_GENERATION}) or vector(0)",
                        "tenants",
                    ),
                ),
                thresholds=above(1),
                decimals=0,
                no_data="no tenants",
            ),
        ),
    )


def _calls() -> Row:
    return Row(
        "Calls",
        (
            Panel(
                "Kubernetes API requests, by code",
                Kind.TIMESERIES,
                "Requests a second. 409 is normal in small numbers, 403 is a missing right, 429 is "
                "throttling: "
                "spread the resync.",
                (
                    Target(
                        expr.rate(s.KUBE_API_REQUESTS, OPERATOR, group=("method", "code")),
                        "{{method}} {{code}}",
                    ),
                ),
                unit="reqps",
                stacked=True,
                legend_table=True,
                no_data="no request yet",
            ),
            Panel(
                "Airflow API requests, by code",
                Kind.TIMESERIES,
                "Requests a second to the tenants' api-servers. 401 or 403: the operator's token; 5xx: the "
                "api-server; "
                "error: no connection (NetworkPolicy, pod down).",
                (
                    Target(
                        expr.rate(s.AIRFLOW_API_REQUESTS, OPERATOR, group=("method", "code")),
                        "{{method}} {{code}}",
                    ),
                ),
                unit="reqps",
                stacked=True,
                legend_table=True,
                no_data="no request yet",
            ),
            Panel(
                "Airflow API latency",
                Kind.TIMESERIES,
                "How long the tenants' api-servers take. Above a second passes get slow: see the "
                "api-servers' CPU.",
                tuple(
                    Target(expr.quantile(q, s.AIRFLOW_API_DURATION, OPERATOR), f"p{q * 100:.0f}")
                    for q in (0.5, 0.95)
                ),
                unit="s",
                thresholds=above(1, 5),
                no_data="no request yet",
            ),
        ),
    )


def _changes() -> Row:
    return Row(
        "Changes",
        (
            Panel(
                "Helm operations, by result",
                Kind.TIMESERIES,
                "Renders and releases per interval. A failed one leaves the tenant as it was; the condition "
                "ReleaseReady has Helm's message.",
                (
                    Target(
                        expr.events(
                            s.HELM_OPERATION, OPERATOR, group=("operation", "result"), window=expr.RATE
                        ),
                        "{{operation}} {{result}}",
                    ),
                ),
                bars=True,
                stacked=True,
                decimals=0,
                no_data="no render yet",
            ),
            Panel(
                "Duration of a Helm operation",
                Kind.TIMESERIES,
                "How long Helm takes. A render needs a core for about a second: rising times are CPU "
                "throttling.",
                tuple(
                    Target(expr.quantile(q, s.HELM_OPERATION_DURATION, OPERATOR), f"p{q * 100:.0f}")
                    for q in (0.5, 0.95)
                ),
                unit="s",
                thresholds=above(5, 30),
                no_data="no render yet",
            ),
            Panel(
                "Drift seen and put right, by kind",
                Kind.TIMESERIES,
                "Objects that somebody else changed, and that the operator set back, per interval. The "
                "same kind "
                "again and again: another controller or a person fights the operator.",
                (
                    Target(
                        expr.events(s.DRIFT_CORRECTED, OPERATOR, group="kind", window=expr.RATE),
                        "{{kind}} put right",
                        may_be_empty="nobody changed anything",
                    ),
                    Target(
                        expr.events(s.DRIFT_DETECTED, OPERATOR, group="kind", window=expr.RATE),
                        "{{kind}} seen",
                        may_be_empty="nobody changed anything",
                    ),
                ),
                bars=True,
                decimals=0,
                no_data="no drift",
            ),
            Panel(
                "Watch restarts, by resource",
                Kind.TIMESERIES,
                "Watches begun anew after an error, per interval. A few an hour are normal (the API server "
                "closes "
                "them); many: network or API server trouble.",
                (
                    Target(
                        expr.events(s.WATCH_RESTARTS, OPERATOR, group="resource", window=expr.RATE),
                        "{{resource}}",
                        may_be_empty="no watch broke",
                    ),
                ),
                bars=True,
                stacked=True,
                decimals=0,
                thresholds=above(10),
                no_data="no restarts",
            ),
        ),
    )


def _process() -> Row:
    return Row(
        "Process",
        (
            Panel(
                "CPU",
                Kind.TIMESERIES,
                "Cores in use. One core all the time is the end of what one Python process can do: lower "
                "the resync.",
                (Target(f"sum by (pod) (rate({s.PROCESS_CPU(OPERATOR)}[{expr.RATE}]))", "{{pod}}"),),
                unit="cores",
                thresholds=above(0.8, 0.95),
                no_data="not scraped",
            ),
            Panel(
                "Memory",
                Kind.TIMESERIES,
                "Resident memory of the operator; Helm's renders come on top, about 60 MiB each. Near the "
                "limit "
                "the pod is killed: raise resources.limits.memory.",
                (Target(f"sum by (pod) ({s.PROCESS_MEMORY(OPERATOR)})", "{{pod}}"),),
                unit="bytes",
                no_data="not scraped",
            ),
            Panel(
                "Open files",
                Kind.TIMESERIES,
                "Open file descriptors and the most there may be. A line that only climbs is a leak: "
                "restart the pod "
                "and report it.",
                (
                    Target(f"sum by (pod) ({s.PROCESS_OPEN_FDS(OPERATOR)})", "{{pod}} open"),
                    Target(f"max by (pod) ({s.PROCESS_MAX_FDS(OPERATOR)})", "{{pod}} limit", spec=True),
                ),
                log_scale=True,
                min=None,
                no_data="not scraped",
            ),
        ),
    )


def _scrape() -> Row:
    return Row(
        "Cost of its monitoring",
        (
            Panel(
                "Samples per scrape",
                Kind.TIMESERIES,
                "Series that the operator shows. It grows with the number of tenants, about 100 each; "
                "anything faster "
                "is a label that should not be one.",
                (Target(f"sum by (instance) ({s.SCRAPE_SAMPLES(OPERATOR)})", "{{instance}}"),),
                no_data="not scraped",
            ),
            Panel(
                "Scrape duration",
                Kind.TIMESERIES,
                "How long Prometheus waits for the operator's metrics. Above 5 s the event loop is busy; "
                "above 10 s "
                "the scrape fails.",
                (Target(f"max by (instance) ({s.SCRAPE_DURATION(OPERATOR)})", "{{instance}}"),),
                unit="s",
                thresholds=above(5, 10),
                no_data="not scraped",
            ),
            Panel(
                "New series per scrape",
                Kind.TIMESERIES,
                "Series that Prometheus sees for the first time. Peaks belong to new tenants and new "
                "versions; a "
                "steady stream is churn and fills Prometheus' memory.",
                (Target(f"sum by (instance) ({s.SCRAPE_SERIES_ADDED(OPERATOR)})", "{{instance}}"),),
                thresholds=above(500),
                no_data="not scraped",
            ),
            Panel(
                "Metrics of tenants, reached",
                Kind.STAT,
                "Tenants whose exporter Prometheus reaches, of all tenants that run. Below 100 % the "
                "alerts of the "
                "missing ones are blind: see the alert AirflowMetricsMissing.",
                (
                    Target(
                        f"count(max by (tenant) ({s.UP(_STATSD)}) == 1) "
                        f"/ count(group by (tenant) ({s.TENANT_INFO}))",
                        "reached",
                    ),
                ),
                unit="percentunit",
                max=1,
                thresholds=(Step(None, RED), Step(0.9, ORANGE), Step(1, GREEN)),
                no_data="no tenant is scraped",
            ),
        ),
    )
