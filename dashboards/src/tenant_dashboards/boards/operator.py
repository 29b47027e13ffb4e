"""The operator: is it alive, does it keep up, what does it change, and what does its own monitoring cost."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.operator_calls import calls, changes, process, scrape
from tenant_dashboards.boards.parts import Flavour, alert_annotation, make_board, tile
from tenant_dashboards.boards.pieces import BAR, BAR_STEP
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
_FAILED = 'result=~"error|permanent_error"'


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The board of the operator; there is one operator, so it is the platform's only."""
    return make_board(
        "operator",
        flavour,
        "The tenant operator: liveness, work done, errors, the Kubernetes and Airflow API, its own process.",
        (_health(), _work(), _tenants(), calls(), changes(), process(), scrape()),
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
    )
    return (released, alert_annotation('tenant=""', may_be_empty="no alert of the platform fires"))


def _health() -> Row:
    return Row(
        "Health",
        (
            tile(
                "Operators up",
                Target(f"sum({s.UP(OPERATOR)})", "up"),
                "Operators that Prometheus can scrape. Below 1 no tenant is changed any more; running "
                "tenants go on. Look at the pod and its last log lines.",
                thresholds=(Step(None, RED), Step(1, GREEN)),
                no_data="not scraped",
            ),
            tile(
                "Leaders",
                Target(f"sum({s.OPERATOR_LEADER(OPERATOR)})", "leaders"),
                "Operators that reconcile: their watches have seen the whole cluster. Must be 1: with 0 "
                "nothing is changed, with 2 they fight. There is no election: look at the pods in the "
                "operator's namespace and at their /readyz.",
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
                "tenant; the tenant's condition Stalled says what to change.",
                thresholds=above(1, 20),
                decimals=0,
                no_data="no pass yet",
            ),
            tile(
                "Up for",
                Target(f"max(time() - {s.PROCESS_START(OPERATOR)})", "age"),
                "Age of the operator's process. Short ages again and again mean crashes: see the pod's "
                "last state.",
                unit="s",
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
                "waits for a change of the spec. A rising error line: open the log with the tenant's name.",
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
                "How long a pass takes, by loop (tenant: objects in Kubernetes; airflow: objects inside "
                "Airflow; health: the look at the components). Seconds are normal for a new tenant, "
                "milliseconds for one that needs nothing. A rising p95 with a rising queue: give the "
                "operator more CPU or concurrency.",
                tuple(
                    Target(
                        expr.quantile(q, s.RECONCILE_DURATION, OPERATOR, group=("controller",)),
                        f"{{{{controller}}}} p{q * 100:.0f}",
                    )
                    for q in (0.5, 0.95)
                ),
                unit="s",
                thresholds=above(60, 300),
                no_data="no pass yet",
            ),
            Panel(
                "Queue and passes under way",
                Kind.TIMESERIES,
                "Tenants that wait and tenants in hand. A queue that never empties: raise concurrency, or "
                "look for a pass that hangs.",
                (
                    Target(f"sum({s.OPERATOR_QUEUE(OPERATOR)})", "waiting", color=ORANGE),
                    Target(f"sum({s.ACTIVE_RECONCILES(OPERATOR)})", "under way", color="blue"),
                ),
                decimals=0,
                no_data="not scraped",
            ),
            Panel(
                "Durations over time",
                Kind.HEATMAP,
                "The same passes as a heat map: two bands are two kinds of work; a band that climbs is a "
                "slow dependency (API server, database, Git).",
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
                "away. All: the Kubernetes API is.",
                (
                    Target(
                        expr.events(s.HANDLER_RETRIES, OPERATOR, group="handler", window=BAR),
                        "{{handler}}",
                        step=BAR_STEP,
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
                "synchronous call, no CPU): the liveness probe will kill the pod. Look at CPU throttling "
                "first.",
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
                "for a change of their spec.",
                (
                    Target(
                        f"sum by (type) ({s.TENANT_CONDITION(_SUMMARY, _TRUE)})",
                        "{{type}}",
                    ),
                ),
                decimals=0,
                no_data="no tenants",
                colors=(("Ready", GREEN), ("Reconciling", "blue"), ("Stalled", RED)),
            ),
            Panel(
                "Releases by status",
                Kind.TIMESERIES,
                "How many tenants' releases are in each of Helm's states. deployed should be all; pending-* "
                "for long is an operator that was killed in between, failed is a render or an apply that was "
                "refused: see the condition ReleaseReady.",
                (Target(f"sum by (status) ({s.TENANT_HELM_STATUS}) > 0", "{{status}}"),),
                decimals=0,
                no_data="no releases",
                colors=(("deployed", GREEN), ("failed", RED)),
            ),
            Panel(
                "Specs not seen yet",
                Kind.TIMESERIES,
                "Tenants whose spec is newer than what the operator has worked on. For minutes: normal. For "
                "longer: a watch that hangs or a pass that never ends.",
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
            Panel(
                "Tenants that are not ready",
                Kind.TABLE,
                "Tenants whose Ready is not True, and since when. `kubectl describe airflowtenant <name>` "
                "has the reason; the link opens the tenant in the overview.",
                (
                    Target(
                        f"max by (tenant, namespace, status) ({not_ready} == 1)",
                    ),
                    Target(
                        f"max by (tenant) (time() - {since}) and on (tenant) ({not_ready} == 1)",
                    ),
                ),
                key="tenant",
                columns=(
                    Column("tenant", "Tenant"),
                    Column("namespace", "Namespace"),
                    Column("status", "Ready", width=90),
                    Column("Value #B", "For", unit="s", decimals=0, width=110),
                ),
                sort="For",
                no_data="every tenant is ready",
                width=24,
                height=5,
            ),
        ),
    )
