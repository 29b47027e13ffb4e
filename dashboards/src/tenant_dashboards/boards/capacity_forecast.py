"""What is full now, and what is full in four hours if the last six go on in a straight line."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import quota_share
from tenant_dashboards.expr import NAMESPACE, TENANT, summed
from tenant_dashboards.panels.model import Kind, Panel, Row, Target, above

_HISTORY = "6h"
_AHEAD = 4 * 3600  # seconds

_CONNECTIONS = f"(max by (tenant) ({s.PG_MAX_CONNECTIONS(TENANT)}) > 0)"
_USED_QUOTA = s.KUBE_QUOTA(NAMESPACE, 'type="used"')
_HARD = s.KUBE_QUOTA(NAMESPACE, 'type="hard"')
_HARD_QUOTA = f"(max by (namespace, resource) ({_HARD}) > 0)"
_CAPACITY = f"({s.VOLUME_CAPACITY(NAMESPACE)} > 0)"


def forecast() -> Row:
    """Both panels have the same bars as far as a line can be drawn into the future."""
    now = Panel(
        "Full now",
        Kind.BAR_GAUGE,
        "How full each limited thing is: pools, executor, triggerer, quota, database connections, volumes. "
        "Red: it is the bottleneck, whatever else you see.",
        (
            Target(
                f"max by (tenant, pool_name) (1 - {s.POOL_OPEN(TENANT)} / {_slots()})",
                "{{tenant}} pool {{pool_name}}",
                True,
            ),
            Target(_taken(s.EXECUTOR_RUNNING, s.EXECUTOR_OPEN), "{{tenant}} executor", True),
            Target(_taken(s.TRIGGERS_RUNNING, s.TRIGGERER_CAPACITY_LEFT), "{{tenant}} triggerer", True),
            Target(quota_share(), "{{namespace}} quota {{resource}}", True),
            Target(
                f"{summed(s.PG_CONNECTIONS, TENANT, group='tenant')} / {_CONNECTIONS}",
                "{{tenant}} database",
                True,
            ),
            Target(_volume(s.VOLUME_USED(NAMESPACE)), "{{namespace}} volume {{persistentvolumeclaim}}", True),
        ),
        thresholds=above(0.8, 0.95),
        unit="percentunit",
        max=1,
        no_data="nothing is measured",
        width=12,
        height=14,
    )
    pool = f"1 - clamp_max({_soon(s.POOL_OPEN(TENANT))} / {_slots()}, 1)"
    resource = "namespace, resource"
    quota = f"max by ({resource}) ({_soon(_USED_QUOTA)} / on ({resource}) group_left () {_HARD_QUOTA})"
    database = f"sum by (tenant) ({_soon(s.PG_CONNECTIONS(TENANT))}) / {_CONNECTIONS}"
    volume = _volume(_soon(s.VOLUME_USED(NAMESPACE)))
    later = Panel(
        "Full in four hours",
        Kind.BAR_GAUGE,
        "The same if the last six hours go on in a straight line. At 100 % the thing is full before four "
        "hours are over: act while there is room. A straight line knows no time of day, and through less "
        "than an hour of history it says little.",
        (
            Target(f"max by (tenant, pool_name) ({pool})", "{{tenant}} pool {{pool_name}}", True),
            Target(_full(quota), "{{namespace}} quota {{resource}}", True),
            Target(_full(database), "{{tenant}} database", True),
            Target(_full(volume), "{{namespace}} volume {{persistentvolumeclaim}}", True),
        ),
        thresholds=above(0.8, 1),
        unit="percentunit",
        max=1,
        no_data="nothing is measured",
        width=12,
        height=14,
    )
    return Row("Saturation", (now, later))


def _soon(selector: str) -> str:
    """The value in four hours, not below zero."""
    return f"clamp_min(predict_linear({selector}[{_HISTORY}], {_AHEAD}), 0)"


def _full(share: str) -> str:
    """Not more than full: a line through a short history ends anywhere."""
    return f"clamp_max({share}, 1)"


def _slots() -> str:
    return f"({s.POOL_OPEN(TENANT)} + {s.POOL_RUNNING(TENANT)} + {s.POOL_QUEUED(TENANT)} > 0)"


def _taken(used: s.Metric, free: s.Metric) -> str:
    """Used over used and free; the two series differ in a label (executors have ``status``)."""
    taken = summed(used, TENANT, group="tenant")
    return f"{taken} / ({taken} + {summed(free, TENANT, group='tenant')} > 0)"


def _volume(used: str) -> str:
    return f"max by (namespace, persistentvolumeclaim) ({used} / {_CAPACITY})"
