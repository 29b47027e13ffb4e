"""What the tenants' specs ask for, as a dashed line over what is there."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import sized
from tenant_dashboards.expr import NAMESPACE, TENANT
from tenant_dashboards.panels.model import ORANGE, Kind, Panel, Row, Target
from tenant_dashboards.signals import Metric

_COMPONENTS = ".+-(api-server|scheduler|dag-processor|triggerer)"
_DESIRED, _SYNCED, _FAILED = 'state="desired"', 'state="in_sync"', 'state="failed"'


def spec_row() -> Row:
    """Objects inside Airflow: two lines that belong on each other."""
    return Row(
        "Spec against reality",
        sized(
            6,
            _objects("Pools", s.TENANT_POOLS, "spec.pools"),
            _objects("Connections", s.TENANT_CONNECTIONS, "spec.connections"),
            _objects("Roles", s.TENANT_RBAC_ROLES, "spec.roles"),
            _objects("Variables", s.TENANT_VARIABLES, "spec.variables"),
        ),
    )


def _objects(title: str, metric: Metric, field: str) -> Panel:
    return Panel(
        f"{title}: as the spec says",
        Kind.TIMESERIES,
        f"{title} in the Airflows that are as {field} says, under the number that the specs ask for "
        "(dashed). A gap: Airflow refused one (failed), cannot be reached, or somebody changed it. The "
        "condition ObjectsSynced names it.",
        (
            Target(f"sum({metric(TENANT, _SYNCED)})", "as the spec says"),
            Target(f"sum({metric(TENANT, _DESIRED)})", "in the specs", spec=True),
            Target(f"sum({metric(TENANT, _FAILED)})", "refused", color=ORANGE),
        ),
        decimals=0,
        no_data="no tenant asks for one",
    )


def replicas() -> Panel:
    """Pods of Airflow's own components."""
    wanted = f"sum({s.TENANT_REPLICAS_DESIRED(TENANT)})"
    deployments = s.KUBE_DEPLOYMENT_AVAILABLE(NAMESPACE, f'deployment=~"{_COMPONENTS}"')
    sets = s.KUBE_STATEFULSET_READY(NAMESPACE, f'statefulset=~"{_COMPONENTS}"')
    return Panel(
        "Replicas: as the spec says",
        Kind.TIMESERIES,
        "Pods of api-server, scheduler, DAG processor and triggerer that are available, under what the specs "
        "ask for (dashed). A gap: a pod that cannot be scheduled, crashes or is not ready; the table above "
        "shows whose.",
        (
            Target(f"sum({deployments} or {sets})", "available"),
            Target(wanted, "in the specs", spec=True),
        ),
        decimals=0,
        no_data="no kube-state-metrics",
    )
