"""Pods: what does not start, what is killed, what the Kubernetes API refuses."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import BAR, BAR_STEP, counted, sized
from tenant_dashboards.expr import NAMESPACE, TENANT
from tenant_dashboards.panels.model import BLUE, GREEN, ORANGE, RED, Kind, Panel, Row, Target, above


def pods() -> Row:
    """Pods by phase, killed and restarted containers, pods that the executor could not create."""
    phases = Panel(
        "Pods by phase",
        Kind.TIMESERIES,
        "Pods of the namespace by phase. Pending for long: no node has room, an image cannot be pulled, a "
        "volume is missing (kubectl describe pod says which).",
        (Target(f"sum by (phase) ({s.KUBE_POD_PHASE(NAMESPACE)}) > 0", "{{phase}}"),),
        stacked=True,
        decimals=0,
        colors=(("Running", GREEN), ("Pending", ORANGE), ("Failed", RED), ("Succeeded", BLUE)),
        no_data="kube-state-metrics is not scraped",
    )
    gone = s.KUBE_POD_REASON(NAMESPACE, 'reason=~"Evicted|NodeLost"')
    oom = s.KUBE_TERMINATED_REASON(NAMESPACE, 'reason="OOMKilled"')
    restarts = s.KUBE_RESTARTS(NAMESPACE)
    killed = Panel(
        "Evicted, out of memory, restarted",
        Kind.TIMESERIES,
        "Pods that a node evicted, containers whose last end was OOMKilled, and restarts per interval. "
        "OOMKilled: raise the memory limit of the component, or of the task's pod.",
        (
            Target(f"sum by (reason) ({gone})", "{{reason}}"),
            Target(f"sum by (container) ({oom}) > 0", "{{container}} out of memory"),
            Target(
                f"sum by (container) ({s.grown(restarts, BAR)}) > 0.5",
                "{{container}} restarts",
                step=BAR_STEP,
            ),
        ),
        decimals=0,
        thresholds=above(1),
        no_data="nothing was killed",
    )
    created = Panel(
        "Task pods refused",
        Kind.TIMESERIES,
        "Calls of the KubernetesExecutor that create a pod, by answer. 200 is well; 403 is the quota, 422 a "
        "bad pod template, 429 a throttled API, error no answer at all.",
        (
            Target(
                f"sum by (status) ({counted(s.POD_CREATION_STATUS(TENANT))})",
                "{{status}}",
                step=BAR_STEP,
            ),
        ),
        bars=True,
        stacked=True,
        decimals=0,
        colors=(("200", GREEN), ("403", RED), ("422", RED), ("429", ORANGE)),
        no_data="tasks run in no pods of their own",
    )
    return Row("Pods", sized(8, phases, killed, created))
