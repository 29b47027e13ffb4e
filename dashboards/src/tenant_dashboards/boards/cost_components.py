"""Cost by DAG, and CPU and memory by component."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards import usage
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.boards.pieces import only_row, row_key
from tenant_dashboards.expr import NAMESPACE, RATE
from tenant_dashboards.panels.model import Column, Kind, Panel, Row, Target, above

_DAG = ("namespace", "label_dag_id")
_NO_WORKERS = "no worker pods with the label dag_id (KubernetesExecutor only)"
_CONTAINERS = ('container!=""', 'container!="POD"')
# the chart names pods <release>-<component>-<suffix>; a worker pod is named after its DAG
_NAMES = "api-server|scheduler|dag-processor|triggerer|worker|statsd|postgresql|pgbouncer|redis"


def dags() -> Row:
    """What each DAG cost in the time range."""
    total = f"({usage.dag_cpu_cost()} + {usage.dag_memory_cost()})"
    pods = s.KUBE_POD_LABELS(NAMESPACE, 'label_dag_id!=""')
    seen = f"max by (namespace, pod, label_dag_id) (max_over_time({pods}[$__range]))"
    ran = f"count by (namespace, label_dag_id) ({seen})"
    return Row(
        "DAGs",
        (
            Panel(
                "Dearest DAGs in the time range",
                Kind.BAR_GAUGE,
                "CPU and memory of each DAG's worker pods, as money over the whole time range. The first few "
                "are where a smaller pod template or a faster query pays.",
                (Target(f"topk(10, {total})", "{{label_dag_id}}", instant=True),),
                unit="none",
                decimals=4,
                width=10,
                height=9,
                no_data=f"no prices, or {_NO_WORKERS}",
            ),
            Panel(
                "Cost by DAG in the time range",
                Kind.TABLE,
                "The same with its parts and the number of worker pods. Cheap pods in great number: the DAG "
                "has many small tasks, which cost more to start than to run. Without prices (values "
                "`costs.*`) there are the pods only.",
                (
                    Target(row_key(ran, _DAG)),  # the names, which must be there without prices, too
                    Target(only_row(total, _DAG)),
                    Target(only_row(usage.dag_cpu_cost(), _DAG)),
                    Target(only_row(usage.dag_memory_cost(), _DAG)),
                ),
                key="row",
                width=14,
                height=9,
                no_data=_NO_WORKERS,
                columns=(
                    Column("namespace", "Namespace"),
                    Column("label_dag_id", "DAG"),
                    Column("Value #B", "Cost", unit="none", decimals=4, width=90),
                    Column("Value #C", "CPU", unit="none", decimals=4, width=90),
                    Column("Value #D", "Memory", unit="none", decimals=4, width=90),
                    Column("Value #A", "Worker pods", decimals=0, width=100),
                ),
                sort="Cost",
            ),
        ),
    )


def components(flavour: Flavour) -> Row:
    """CPU and memory of Airflow's components: in use, and against their limits."""
    one = flavour is Flavour.TEAM
    legend = "{{component}}" if one else "{{namespace}} {{component}}"
    return Row("Components", (*_pair("CPU", legend), *_pair("Memory", legend)))


def _pair(title: str, legend: str) -> tuple[Panel, Panel]:
    cpu = title == "CPU"
    rate = f"rate({s.CONTAINER_CPU(NAMESPACE, *_CONTAINERS)}[{RATE}])"
    used = rate if cpu else s.CONTAINER_MEMORY(NAMESPACE, *_CONTAINERS)
    limit = s.KUBE_LIMITS(NAMESPACE, f'resource="{title.lower()}"')
    by = "namespace, component"
    return (
        Panel(
            f"{title} by component",
            Kind.TIMESERIES,
            f"{title} in use by each of Airflow's components (tasks: worker pods of the KubernetesExecutor). "
            "A component that grows without more DAGs: compare with the marks of releases.",
            (Target(f"sum by ({by}) ({_component(used)})", legend),),
            unit="suffix:cores" if cpu else "bytes",
            width=12,
            stacked=True,
            legend_table=True,
            height=9,
            no_data="no cAdvisor metrics",
        ),
        Panel(
            f"{title} of the limit",
            Kind.TIMESERIES,
            "The busiest pod of each component against its own limit. "
            + (
                "Above 80 % for long it is throttled and heartbeats come late: raise "
                "spec.components.<name>.resources."
                if cpu
                else "At 100 % the kernel kills it (OOMKilled): raise spec.components.<name>.resources."
            ),
            (Target(_of_limit(used, limit, by), legend),),
            unit="percentunit",
            width=12,
            legend_table=True,
            height=9,
            thresholds=above(0.8, 0.95),
            no_data="no limits set, or no kube-state-metrics",
        ),
    )


def _of_limit(used: str, limit: str, by: str) -> str:
    pod = "namespace, pod, container"
    share = f"sum by ({pod}) ({used}) / max by ({pod}) ({limit})"
    return f"max by ({by}) ({_component(share)})"


def _component(series: str) -> str:
    """Add the component that the pod's name tells; `tasks` for pods of no component."""
    every = f'label_replace({series}, "component", "tasks", "", "")'
    return f'label_replace({every}, "component", "$1", "pod", ".+-({_NAMES})-.+")'
