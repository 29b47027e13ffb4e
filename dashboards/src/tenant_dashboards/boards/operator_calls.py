"""The second half of the operator's board: calls, changes, the process, and the cost of its metrics."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import BAR, BAR_STEP, sized
from tenant_dashboards.expr import OPERATOR
from tenant_dashboards.panels.model import Kind, Panel, Row, Target, above

_STATSD = 'component="statsd"'
_ALL = f"group by (tenant) ({s.TENANT_INFO})"
_REACHED = f"max by (tenant) ({s.UP(_STATSD)})"


def calls() -> Row:
    """To whom the operator talks, and what they answer."""
    return Row(
        "Calls",
        (
            Panel(
                "Kubernetes API requests, by code",
                Kind.TIMESERIES,
                "Requests a second. 409 is normal in small numbers, 403 is a missing right, 429 is "
                "throttling: spread the resync.",
                (
                    Target(
                        expr.rate(s.KUBE_API_REQUESTS, OPERATOR, group=("method", "code")),
                        "{{method}} {{code}}",
                    ),
                ),
                unit="reqps",
                stacked=True,
                no_data="no request yet",
            ),
            Panel(
                "Airflow API requests, by code",
                Kind.TIMESERIES,
                "Requests a second to the tenants' api-servers. 401 or 403: the operator's token; 5xx: the "
                "api-server; error: no connection (NetworkPolicy, pod down).",
                (
                    Target(
                        expr.rate(s.AIRFLOW_API_REQUESTS, OPERATOR, group=("method", "code")),
                        "{{method}} {{code}}",
                    ),
                ),
                unit="reqps",
                stacked=True,
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


def changes() -> Row:
    """What the operator changes, and why it had to."""
    return Row(
        "Changes",
        sized(
            6,
            Panel(
                "Helm operations, by result",
                Kind.TIMESERIES,
                "Renders and releases per interval. A failed one leaves the tenant as it was; the condition "
                "ReleaseReady has Helm's message.",
                (
                    Target(
                        expr.events(s.HELM_OPERATION, OPERATOR, group=("operation", "result"), window=BAR),
                        "{{operation}} {{result}}",
                        step=BAR_STEP,
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
                "Objects that somebody else changed (lines), and that the operator set back (bars), per "
                "interval. The same "
                "kind again and again: another controller or a person fights the operator.",
                (
                    Target(
                        expr.events(s.DRIFT_CORRECTED, OPERATOR, group="kind", window=BAR),
                        "{{kind}} put right",
                        step=BAR_STEP,
                    ),
                    Target(
                        expr.events(s.DRIFT_DETECTED, OPERATOR, group="kind", window=BAR),
                        "{{kind}} seen",
                        step=BAR_STEP,
                        line=True,
                    ),
                ),
                bars=True,
                stacked=True,
                decimals=0,
                no_data="no drift",
            ),
            Panel(
                "Watch restarts, by resource",
                Kind.TIMESERIES,
                "Watches begun anew after an error, per interval. A few an hour are normal (the API server "
                "closes them); many: network or API server trouble.",
                (
                    Target(
                        expr.events(s.WATCH_RESTARTS, OPERATOR, group="resource", window=BAR),
                        "{{resource}}",
                        step=BAR_STEP,
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


def process() -> Row:
    """The operator as a process."""
    return Row(
        "Process",
        (
            Panel(
                "CPU",
                Kind.TIMESERIES,
                "Cores in use. One core all the time is the end of what one Python process can do: lower "
                "the resync.",
                (Target(f"sum by (pod) (rate({s.PROCESS_CPU(OPERATOR)}[{expr.RATE}]))", "{{pod}}"),),
                unit="suffix:cores",
                thresholds=above(0.8, 0.95),
                no_data="not scraped",
            ),
            Panel(
                "Memory",
                Kind.TIMESERIES,
                "Resident memory of the operator; Helm's renders come on top, about 60 MiB each. Near the "
                "limit the pod is killed: raise resources.limits.memory.",
                (Target(f"sum by (pod) ({s.PROCESS_MEMORY(OPERATOR)})", "{{pod}}"),),
                unit="bytes",
                no_data="not scraped",
            ),
            Panel(
                "Open files",
                Kind.TIMESERIES,
                "Open file descriptors and the most there may be. A line that only climbs is a leak: restart "
                "the pod and report it.",
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


def scrape() -> Row:
    """What its metrics cost Prometheus."""
    return Row(
        "Cost of its monitoring",
        sized(
            6,
            Panel(
                "Samples per scrape",
                Kind.TIMESERIES,
                "Series that the operator shows. It grows with the number of tenants, about 100 each; "
                "anything faster is a label that should not be one.",
                (Target(f"sum by (instance) ({s.SCRAPE_SAMPLES(OPERATOR)})", "{{instance}}"),),
                no_data="not scraped",
            ),
            Panel(
                "Scrape duration",
                Kind.TIMESERIES,
                "How long Prometheus waits for the operator's metrics. Above 5 s the event loop is busy; "
                "above 10 s the scrape fails.",
                (Target(f"max by (instance) ({s.SCRAPE_DURATION(OPERATOR)})", "{{instance}}"),),
                unit="s",
                thresholds=above(5, 10),
                no_data="not scraped",
            ),
            Panel(
                "New series per scrape",
                Kind.TIMESERIES,
                "Series that Prometheus sees for the first time. Peaks belong to new tenants and new "
                "versions; a steady stream is churn and fills Prometheus' memory.",
                (Target(f"sum by (instance) ({s.SCRAPE_SERIES_ADDED(OPERATOR)})", "{{instance}}"),),
                thresholds=above(500),
                no_data="not scraped",
            ),
            Panel(
                "Tenants that are not scraped",
                Kind.TIMESERIES,
                "missing: tenants whose exporter Prometheus does not reach, so that their alerts are blind "
                "(see the runbook of AirflowMetricsMissing). left over: names of deleted tenants that still "
                "have series; they end five minutes after the tenant.",
                (
                    Target(
                        f"count({_ALL} unless on (tenant) ({_REACHED} == 1)) or 0 * count({_ALL})", "missing"
                    ),
                    Target(f"count({_REACHED} unless on (tenant) {_ALL}) or 0 * count({_ALL})", "left over"),
                ),
                thresholds=above(1),
                decimals=0,
                no_data="no tenants",
            ),
        ),
    )
