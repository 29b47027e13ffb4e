"""Redis as a broker or a cache of a tenant, by redis_exporter; its target carries tenant and namespace."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link, of_tenant
from tenant_dashboards.alerts.priorities import Name

AREA = "redis"
_NEEDS = ("operator", "redis_exporter")
_NAMED = "the labels tenant and namespace on the exporter's target"
_MEMORY = """
            max by (tenant, namespace, instance) (redis_memory_used_bytes)
              / (max by (tenant, namespace, instance) (redis_memory_max_bytes) > 0)"""
_EVICTED = "sum by (tenant, namespace, instance) (increase(redis_evicted_keys_total[5m]))"


def _alert(
    name: str,
    priority: Name,
    expr: str,
    hold: str,
    summary: str,
    description: str,
    *more: str,
    without: str = "",
) -> Alert:
    return Alert(
        name,
        AREA,
        priority,
        of_tenant(expr),
        hold,
        summary,
        description,
        Link("capacity"),
        _NEEDS,
        silent_without=f"{_NAMED}{without}",
        inhibited_by=more,
    )


ALERTS = (
    _alert(
        "AirflowRedisCpuHigh",
        "P2",
        """
            sum by (tenant, namespace, instance) (
              rate(redis_cpu_sys_seconds_total[5m]) + rate(redis_cpu_user_seconds_total[5m])
            ) > 0.75
            """,
        "10m",
        "Redis of tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of a CPU",
        "Redis works in one thread: at 100% every client waits.",
    ),
    _alert(
        "AirflowRedisMemoryElevated",
        "P2",
        f"{_MEMORY} > 0.7",
        "10m",
        "Redis of tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its memory",
        "Above 70% it is time for more memory, before keys are evicted.",
        "AirflowRedisMemoryHigh",
        without=" and a maxmemory",
    ),
    _alert(
        "AirflowRedisMemoryHigh",
        "P1",
        f"{_MEMORY} > 0.8",
        "5m",
        "Redis of tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its memory",
        "Above 80%: at 100% it refuses writes or evicts keys, and a broker then loses tasks.",
        without=" and a maxmemory",
    ),
    _alert(
        "AirflowRedisEvictions",
        "P2",
        f"{_EVICTED} > 0",
        "",
        "Redis of tenant {{ $labels.tenant }} evicts keys",
        "{{ $value | humanize }} keys in 5 minutes. In a broker every one of them may be a task that "
        "never runs.",
        "AirflowRedisEvictionsHigh",
    ),
    _alert(
        "AirflowRedisEvictionsHigh",
        "P1",
        f"{_EVICTED} > 1000",
        "",
        "Redis of tenant {{ $labels.tenant }} evicts {{ $value | humanize }} keys in 5 minutes",
        "More than 1000 keys in 5 minutes: its memory does not hold what is asked of it.",
    ),
)
