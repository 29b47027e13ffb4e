"""What the operator says about a tenant: readiness, release, drift, quota, GitOps."""

from __future__ import annotations

from tenant_dashboards.alerts.model import KNOWN, RESTING, Alert, Link, grown, of_namespace, of_tenant

AREA = "tenants"
_NEEDS = ("operator",)
_INHIBITED = ("AirflowOperatorDown",)
_READY = 'max by (tenant, namespace) (airflow_tenant_status_condition{{type="Ready", status="{}"}}) == {}'
_UNOBSERVED = """
max by (tenant, namespace) (airflow_tenant_generation)
  != max by (tenant, namespace) (airflow_tenant_observed_generation)
"""


def _also_at_rest(awake: str, resting: str) -> str:
    return f"{of_tenant(awake, KNOWN)}\n  or\n{of_tenant(resting, RESTING)}"


ALERTS = (
    Alert(
        "AirflowTenantNotReady",
        AREA,
        "P2",
        # At rest it is True, on the way there Unknown: False is a fault then as well.
        _also_at_rest(_READY.format("True", 0), _READY.format("False", 1)),
        "15m",
        "Tenant {{ $labels.tenant }} is not Ready",
        "It has not been for 15 minutes; the conditions of the AirflowTenant say why.",
        Link("overview"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTenantNotObserved",
        AREA,
        "P2",
        _also_at_rest(_UNOBSERVED, _UNOBSERVED),
        "15m",
        "The spec of tenant {{ $labels.tenant }} is not carried out",
        "The operator has not acted on generation {{ $value }} for 15 minutes.",
        Link("overview"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTenantNotAsleep",
        AREA,
        "P2",
        'max by (tenant, namespace, team) (airflow_tenant_info{paused="false", state="Hibernating"}) == 1',
        "30m",
        "Tenant {{ $labels.tenant }} was put to rest and does not come to it",
        "Pods have been ending for 30 minutes, three times the longest grace period; they run, and cost.",
        Link("overview"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTenantHelmReleaseStuck",
        AREA,
        "P2",
        of_tenant(
            """
            max by (tenant, namespace, status) (
              airflow_tenant_helm_release_status{status=~"failed|pending-.+"}
            ) == 1
            """,
            KNOWN,
        ),
        "15m",
        "The release of tenant {{ $labels.tenant }} is {{ $labels.status }}",
        "It has been for 15 minutes; what was rendered is not completely there.",
        Link("overview"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTenantDriftLoop",
        AREA,
        "P2",
        of_tenant(
            f"{grown('airflow_operator_drift_corrected_total', '1h', 'tenant, namespace, kind')} > 6", KNOWN
        ),
        "",
        "Somebody fights the operator over a {{ $labels.kind }} of tenant {{ $labels.tenant }}",
        "{{ $value | humanize }} changes were undone within an hour.",
        Link("overview"),
        _NEEDS,
        inhibited_by=_INHIBITED,
    ),
    Alert(
        "AirflowTenantQuotaNearlyFull",
        AREA,
        "P2",
        of_namespace(
            """
            max by (namespace, resource) (kube_resourcequota{type="used"})
              / max by (namespace, resource) (kube_resourcequota{type="hard"}) > 0.9
            """
        ),
        "15m",
        "Tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its quota of "
        "{{ $labels.resource }}",
        "Above 90%: at 100% pods, and with the KubernetesExecutor tasks, are refused.",
        Link("cost"),
        ("operator", "kube-state-metrics"),
        silent_without="spec.quota.hard",
    ),
    Alert(
        "AirflowTenantOutOfSync",
        AREA,
        "P2",
        """\
max by (name, project, sync_status) (
  argocd_app_info{project=~"airflow-.+", sync_status!="Synced"}
) == 1""",
        "30m",
        "Argo CD's application {{ $labels.name }} is {{ $labels.sync_status }}",
        "Git and cluster have differed for 30 minutes (project {{ $labels.project }}).",
        Link("overview", tenant=False),
        ("Argo CD",),
        silent_without="Argo CD projects named airflow-<team>",
    ),
)
