"""The two tables of the overview: a line for each tenant, joined from many queries by the tenant's name."""

from __future__ import annotations

from tenant_dashboards import expr, usage
from tenant_dashboards import signals as s
from tenant_dashboards.boards import states
from tenant_dashboards.boards.parts import board_url
from tenant_dashboards.boards.pieces import BUDGET_GONE, budget_left
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    GREEN,
    ORANGE,
    RED,
    UP_DOWN,
    Column,
    Kind,
    Link,
    Panel,
    Step,
    Target,
    Text,
    above,
    below,
)

_DAY = "24h"
# Explore with a query of Loki; the data source is the one with the uid `loki` (docs/logs.md).
_LOGS = (
    "/explore?schemaVersion=1&orgId=1&panes=%7B%22a%22:%7B%22datasource%22:%22loki%22,"
    "%22queries%22:%5B%7B%22refId%22:%22A%22,%22expr%22:%22%7Bnamespace%3D%5C%22${__data.fields.Namespace}%5C%22%7D%22%7D%5D,"
    "%22range%22:%7B%22from%22:%22${__from}%22,%22to%22:%22${__to}%22%7D%7D%7D"
)


def _to(slug: str, title: str) -> Link:
    return Link(title, f"{board_url(slug)}?var-tenant=${{__data.fields.Tenant}}&${{__url_time_range}}")


def tenant_table() -> Panel:
    """Who, how, which version, what is wrong, what is left, what it costs; each cell leads further."""
    return Panel(
        "Tenants",
        Kind.TABLE,
        "One line a tenant. Red state: kubectl describe. Failures: share of the task tries of a day that "
        "failed. Budget: what is left of the tightest SLO, -100 % when it was spent twice or more. Quota: "
        "the resource nearest to its end. The links lead to the board that explains the cell.",
        _tenant_queries(),
        key="tenant",
        width=24,
        height=9,
        no_data="no tenants",
        columns=_tenant_columns(),
    )


def _tenant_queries() -> tuple[Target, ...]:
    who = "tenant, namespace, team, airflow_version, chart_version, executor"
    commit = f'label_replace({s.TENANT_DAGS_REVISION(TENANT)}, "commit", "$1", "revision", "(.{{1,8}}).*")'
    alerts = s.ALERTS(TENANT, 'alertstate="firing"')
    none = f"0 * max by (tenant) ({s.TENANT_INFO(TENANT)})"
    app = f'label_replace({s.ARGOCD_APP_INFO(_APPS)}, "tenant", "$1", "name", "airflow-(.+)")'
    return (
        Target(f"group by ({who}) ({s.TENANT_INFO(TENANT)})"),
        Target(states.state()),
        Target(f"topk by (tenant) (1, group by (tenant, commit) ({commit}))"),
        Target(f"count by (tenant) ({alerts}) or {none}"),
        Target(expr.failure_ratio(TENANT, group="tenant", window=_DAY)),
        Target(budget_left(f"min by (tenant) ({s.SLO_BUDGET_LEFT(TENANT)})")),
        Target(f"max by (tenant) ({expr.of_tenant(usage.quota_share(), TENANT)})"),
        Target(usage.by_tenant(usage.cost_reserved())),
        Target(f"topk by (tenant) (1, max by (tenant, sync_status) ({app}))"),
    )


_APPS = 'name=~"airflow-.+"'


def _tenant_columns() -> tuple[Column, ...]:
    sync = (
        Text("Synced", "Synced", GREEN),
        Text("OutOfSync", "OutOfSync", ORANGE),
        Text("Unknown", "Unknown"),
    )
    return (
        Column("tenant", "Tenant", links=(_to("team", "Board of the tenant"),)),
        Column("team", "Team"),
        Column("namespace", "Namespace", links=(Link("Logs of the namespace", _LOGS),)),
        Column(
            "Value #B",
            "State",
            texts=states.TEXTS,
            thresholds=states.STEPS,
            cell="color-background",
            width=100,
        ),
        Column("airflow_version", "Airflow", width=75),
        Column("chart_version", "Chart", width=70),
        Column("executor", "Executor", width=160),
        Column("commit", "DAGs", width=95),
        Column("sync_status", "Argo CD", texts=sync, cell="color-text", width=90),
        Column("Value #D", "Alerts", decimals=0, thresholds=above(1, 5), cell="color-text", width=65),
        Column(
            "Value #E",
            "Failures",
            unit="percentunit",
            decimals=1,
            thresholds=above(0.05, 0.2),
            cell="color-text",
            links=(_to("slo", "Failures of the tenant"),),
            width=85,
        ),
        Column(
            "Value #F",
            "Budget",
            unit="percentunit",
            decimals=0,
            thresholds=below(0.5, 0.0),
            texts=BUDGET_GONE,
            cell="color-text",
            links=(_to("slo", "Objectives of the tenant"),),
            width=80,
        ),
        Column(
            "Value #G",
            "Quota",
            unit="percentunit",
            decimals=0,
            thresholds=above(0.8, 0.9),
            cell="gauge",
            max=1,
            links=(_to("capacity", "Capacity of the tenant"),),
            width=110,
        ),
        Column(
            "Value #H",
            "Cost a day",
            unit="none",
            decimals=2,
            links=(_to("cost", "Cost of the tenant"),),
            width=95,
        ),
    )


def component_table() -> Panel:
    """Database, API, storage, queue and Airflow's components, one line a tenant."""
    lights = tuple(
        Column(
            f"Value #{ref}",
            title,
            texts=UP_DOWN,
            thresholds=(Step(None, RED), Step(1, GREEN)),
            cell="color-background",
            width=110,
        )
        for ref, title in zip(
            "ABCDEF",
            ("API server", "Database", "Scheduler", "DAG processor", "Triggerer", "Broker"),
            strict=True,
        )
    )
    return Panel(
        "Component health",
        Kind.TABLE,
        "What the operator hears from each tenant's own health answer (api-server, database, scheduler, DAG "
        "processor, triggerer), the broker of Celery tenants, the fullest volume, and tasks that wait for a "
        "worker. DOWN: the tenant's board, first line. An empty cell: the tenant has no such component, or "
        "is suspended or at rest.",
        _component_queries(),
        key="tenant",
        width=24,
        height=8,
        no_data="no health answer yet",
        columns=(
            Column("tenant", "Tenant", links=(_to("team", "Board of the tenant"),)),
            *lights,
            Column(
                "Value #G",
                "Fullest volume",
                unit="percentunit",
                decimals=0,
                thresholds=above(0.8, 0.9),
                cell="gauge",
                max=1,
                links=(_to("capacity", "Volumes"),),
                width=130,
            ),
            Column(
                "Value #H",
                "Tasks queued",
                decimals=0,
                thresholds=above(50, 500),
                cell="color-text",
                links=(_to("capacity", "Queues"),),
                width=110,
            ),
        ),
    )


def _component_queries() -> tuple[Target, ...]:
    components = ("api-server", "metadatabase", "scheduler", "dag_processor", "triggerer")
    healthy = tuple(
        Target(f"min by (tenant) ({s.TENANT_COMPONENT_HEALTHY(TENANT, _component(name))})")
        for name in components
    )
    fill = f"max by (namespace) ({s.VOLUME_USED(expr.NAMESPACE)} / {s.VOLUME_CAPACITY(expr.NAMESPACE)})"
    return (
        *healthy,
        Target(f"min by (tenant) ({s.REDIS_UP(TENANT)})"),
        Target(f"max by (tenant) ({expr.of_tenant(fill, TENANT)})"),
        Target(f"sum by (tenant) ({s.EXECUTOR_QUEUED(TENANT)})"),
    )


def _component(name: str) -> str:
    """Airflow writes dag_processor, Kubernetes dag-processor: both are known."""
    return f'component=~"{name.replace("_", ".").replace("-", ".")}"'
