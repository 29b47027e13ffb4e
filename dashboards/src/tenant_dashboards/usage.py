"""PromQL for what tenants use, reserve and cost.

Prices are the operator's settings (``airflow_cost_unit_price``), in one currency. A cost a day is the present
use, times the price of an hour, times 24. "Used" is what containers take, "reserved" what they request: nodes
are paid for what is reserved, so the idle share is what a tenant could give back.
"""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.expr import NAMESPACE, RATE, TENANT, of_tenant

GIB = "1024^3"
HOURS_A_DAY = 24
DAYS_A_MONTH = 365 / 12
_REAL = 'container!=""'  # cAdvisor also has the sum of the pod (container="") and the pause container
_NOT_PAUSE = 'container!="POD"'
_WORKER = 'label_dag_id!=""'  # the KubernetesExecutor labels each worker pod with its DAG and task


def price(resource: str) -> str:
    """The price of one unit, without labels; nothing where the operator has no price."""
    matcher = f'resource="{resource}"'
    return f"on () group_left () max ({s.COST_UNIT_PRICE(matcher)})"


def cpu_used(group: str = "namespace") -> str:
    """Cores in use."""
    return f"sum by ({group}) (rate({s.CONTAINER_CPU(NAMESPACE, _REAL, _NOT_PAUSE)}[{RATE}]))"


def memory_used(group: str = "namespace") -> str:
    """Bytes in use (the working set: what counts for the limit)."""
    return f"sum by ({group}) ({s.CONTAINER_MEMORY(NAMESPACE, _REAL, _NOT_PAUSE)})"


def requested(resource: str, group: str = "namespace") -> str:
    """Cores or bytes requested by pods that run or wait; ended pods reserve nothing."""
    alive = f"max by (namespace, pod) ({s.KUBE_POD_PHASE(NAMESPACE, _PHASES)} == 1)"
    matcher = f'resource="{resource}"'
    asked = s.KUBE_REQUESTS(NAMESPACE, matcher)
    return f"sum by ({group}) ({asked} * on (namespace, pod) group_left () {alive})"


_PHASES = 'phase=~"Pending|Running"'


def storage_requested() -> str:
    """Bytes of the tenants' volume claims."""
    return f"sum by (namespace) ({s.KUBE_PVC_REQUEST(NAMESPACE)})"


def cpu_cost(cores: str) -> str:
    """Cores as money a day."""
    return f"{HOURS_A_DAY} * ({cores}) * {price('cpu_core_hour')}"


def memory_cost(amount: str) -> str:
    """Bytes of memory as money a day."""
    return f"{HOURS_A_DAY} / {GIB} * ({amount}) * {price('memory_gib_hour')}"


def storage_cost() -> str:
    """The volumes as money a day."""
    return f"({storage_requested()}) / {GIB} / {DAYS_A_MONTH:.4f} * {price('storage_gib_month')}"


def cost_used() -> str:
    """Money a day by namespace: CPU and memory in use, and the volumes, which nobody else can use."""
    return _sum_of(cpu_cost(cpu_used()), memory_cost(memory_used()), storage_cost())


def cost_reserved() -> str:
    """Money a day by namespace: CPU and memory requested, and the volumes."""
    return _sum_of(cpu_cost(requested("cpu")), memory_cost(requested("memory")), storage_cost())


def _sum_of(*terms: str) -> str:
    """The sum by namespace; a namespace without one of the terms counts with the others."""
    marked = (f'label_replace({term}, "part", "{i}", "", "")' for i, term in enumerate(terms))
    return f"sum by (namespace) ({' or '.join(marked)})"


def by_tenant(expression: str) -> str:
    """The same by tenant."""
    return f"sum by (tenant) ({of_tenant(expression, TENANT)})"


def idle_share(resource: str) -> str:
    """The share of what is requested that nobody uses, 0 to 1, by namespace; never below 0."""
    used = cpu_used() if resource == "cpu" else memory_used()
    return f"clamp_min(1 - ({used}) / ({requested(resource)}), 0)"


def quota_share(group: str = "namespace") -> str:
    """The share of the quota that is used, 0 to 1: of the resource that is nearest to its end."""
    used = f"max by (namespace, resource) ({s.KUBE_QUOTA(NAMESPACE, _QUOTA_USED)})"
    hard = f"max by (namespace, resource) ({s.KUBE_QUOTA(NAMESPACE, _QUOTA_HARD)} > 0)"
    return f"max by ({group}) ({used} / {hard})"


_QUOTA_USED, _QUOTA_HARD = 'type="used"', 'type="hard"'


def dag_cpu_cost(window: str = "$__range") -> str:
    """Money for the CPU of each DAG's worker pods in the window.

    A worker pod lives for one task, so the highest value of its CPU counter is all it used; ``increase()``
    would miss what happened before the first scrape.
    """
    most = f"max_over_time({s.CONTAINER_CPU(NAMESPACE, _REAL, _NOT_PAUSE)}[{window}])"
    seconds = f"max by (namespace, pod, container) ({most})"
    total = f"sum by (namespace, label_dag_id) ({seconds} * {_dag_of_pod(window)})"
    return f"{total} / 3600 * {price('cpu_core_hour')}"


def dag_memory_cost(window: str = "$__range") -> str:
    """Money for the memory of each DAG's worker pods in the window, seen once a minute."""
    now = f"sum by (namespace, pod) ({s.CONTAINER_MEMORY(NAMESPACE, _REAL, _NOT_PAUSE)})"
    gib_hours = f"sum_over_time({now}[{window}:1m]) / 60 / {GIB}"
    total = f"sum by (namespace, label_dag_id) ({gib_hours} * {_dag_of_pod(window)})"
    return f"{total} * {price('memory_gib_hour')}"


def _dag_of_pod(window: str) -> str:
    labels = f"max_over_time({s.KUBE_POD_LABELS(NAMESPACE, _WORKER)}[{window}])"
    return f"on (namespace, pod) group_left (label_dag_id) max by (namespace, pod, label_dag_id) ({labels})"
