"""What boards share: the two flavours with their uids and variables, links, annotations."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from typing import Literal

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    PURPLE,
    RED,
    Annotation,
    Board,
    BoardLink,
    Kind,
    Panel,
    Row,
    Step,
    Target,
    Text,
    Variable,
)

RUNBOOK_URL = "__RUNBOOK_URL__"  # packaging puts the address in
TEAM_SLUGS = ("team", "slo", "capacity", "cost")
_NAMES = {
    "overview": "Tenants overview",
    "team": "Team",
    "slo": "DAG and task SLO",
    "capacity": "Capacity and pools",
    "cost": "Cost and usage",
    "operator": "Operator",
}


class Flavour(StrEnum):
    """For whom a board is: the platform sees every tenant, a team its own only."""

    PLATFORM = "platform"
    TEAM = "team"


def uid(slug: str, flavour: Flavour) -> str:
    """The board's fixed uid; of a team's board the token that the tenant chart replaces."""
    return f"airflow-{slug}" if flavour is Flavour.PLATFORM else f"__UID_{slug.upper()}__"


def board_url(slug: str, flavour: Flavour = Flavour.PLATFORM) -> str:
    """The path of a board inside Grafana."""
    return f"/d/{uid(slug, flavour)}"


def make_board(
    slug: str,
    flavour: Flavour,
    description: str,
    rows: tuple[Row, ...],
    *,
    variables: tuple[Variable, ...] = (),
    tenant: bool = True,
    annotations: tuple[Annotation, ...] | None = None,
    time_from: str = "now-6h",
    refresh: str = "1m",
) -> Board:
    """A board with the house's uid, title, tags, links and annotations.

    ``tenant`` adds the variables ``tenant`` and ``namespace``: queries on the platform, hidden constants in a
    team's board. ``annotations`` None: releases, DAG revisions, Argo CD syncs and alerts of the tenants.
    """
    name = _NAMES[slug]
    title = f"Airflow: {name}" if flavour is Flavour.PLATFORM else f"Airflow __TENANT__: {name}"
    return Board(
        slug=slug,
        uid=uid(slug, flavour),
        title=title,
        description=description,
        rows=tuple(_named(row, flavour) for row in rows),
        variables=(*(tenant_variables(flavour) if tenant else ()), *variables),
        links=links(slug, flavour),
        annotations=tenant_annotations() if annotations is None else annotations,
        tags=("airflow", "airflow-tenants", slug),
        time_from=time_from,
        refresh=refresh,
    )


def _named(row: Row, flavour: Flavour) -> Row:
    return replace(row, panels=tuple(_legends(panel, flavour) for panel in row.panels))


def _legends(panel: Panel, flavour: Flavour) -> Panel:
    """A series' tenant comes last: with one tenant chosen a legend begins with what tells its series apart.

    In a team's board the name is left out.
    """
    last = r"\2" if flavour is Flavour.TEAM else r"\2 \1"
    targets = (
        replace(target, legend=re.sub(r"^(\{\{(?:tenant|namespace)\}\}) (.+)", last, target.legend))
        for target in panel.targets
    )
    return replace(panel, targets=tuple(targets))


def tile(
    title: str,
    target: Target,
    description: str,
    *,
    no_data: str,
    unit: str = "short",
    thresholds: tuple[Step, ...] = (),
    texts: tuple[Text, ...] = (),
    decimals: int | None = None,
    max: float | None = None,  # noqa: A002 - Grafana's word
    sparkline: bool = False,
    text_mode: Literal["auto", "value", "value_and_name", "name"] = "auto",
    width: int = 4,
) -> Panel:
    """One number of a strip: six of them fill a line."""
    return Panel(
        title,
        Kind.STAT,
        description,
        (target,),
        unit=unit,
        no_data=no_data,
        width=width,
        height=4,
        thresholds=thresholds,
        texts=texts,
        decimals=decimals,
        max=max,
        sparkline=sparkline,
        text_mode=text_mode,
    )


def tenant_variables(flavour: Flavour) -> tuple[Variable, ...]:
    """``tenant`` for series of Airflow and the operator, ``namespace`` for Kubernetes', which know no tenant.

    ``namespace`` has no allValue: All means the namespaces of the chosen tenants, not all of the cluster.
    """
    if flavour is Flavour.TEAM:
        return (
            Variable("tenant", "Tenant", constant="__TENANT__"),
            Variable("namespace", "Namespace", constant="__NAMESPACE__"),
        )
    names = f"label_values({s.TENANT_INFO(expr.TENANT)}, namespace)"
    return (
        Variable("tenant", "Tenant", query=f"label_values({s.TENANT_INFO}, tenant)"),
        Variable("namespace", "Namespace", query=names, all_value="", hidden=True),
    )


def links(slug: str, flavour: Flavour) -> tuple[BoardLink, ...]:
    """To every other board of the flavour, with time and variables, and to the runbook."""
    slugs = TEAM_SLUGS if flavour is Flavour.TEAM else tuple(_NAMES)
    boards = tuple(BoardLink(_NAMES[other], board_url(other, flavour)) for other in slugs if other != slug)
    runbook = BoardLink("Runbook", RUNBOOK_URL, keep=False, icon="doc", tooltip="What to do for each alert")
    return (*boards, runbook)


def tenant_annotations() -> tuple[Annotation, ...]:
    """Releases, DAG revisions, Argo CD syncs and alerts of the chosen tenants, as marks on every graph."""
    release = ("tenant", "revision", "chart_version")
    argo = ("name", "sync_status")
    return (
        Annotation(
            name="Helm releases",
            expr=expr.started(release, s.TENANT_HELM_INFO, expr.TENANT),
            title="{{tenant}}: release {{revision}}",
            text="chart {{chart_version}}",
            color=BLUE,
            tags="tenant",
        ),
        Annotation(
            name="DAG revisions",
            expr=expr.started(("tenant", "revision"), s.TENANT_DAGS_REVISION, expr.TENANT),
            title="{{tenant}}: new DAGs",
            text="revision {{revision}}",
            color=PURPLE,
            tags="tenant",
        ),
        Annotation(
            name="Argo CD syncs",
            expr=expr.started(argo, s.ARGOCD_APP_INFO, 'name=~"airflow-.+"'),
            title="Argo CD: {{name}}",
            text="{{sync_status}}",
            color=GREEN,
            tags="name",
            enabled=False,
        ),
        alert_annotation(expr.TENANT),
    )


def alert_annotation(*matchers: str, may_be_empty: str = "") -> Annotation:
    """The moments at which alerts begin to fire."""
    firing = (*matchers, 'alertstate="firing"', 'severity=~"critical|warning"', 'alertname=~"Airflow.+"')
    return Annotation(
        name="Alerts",
        expr=expr.started(("alertname", "severity", "tenant"), s.ALERTS, *firing),
        title="{{alertname}}",
        text="{{severity}} {{tenant}}",
        color=RED,
        tags="alertname",
        may_be_empty=may_be_empty,
    )
