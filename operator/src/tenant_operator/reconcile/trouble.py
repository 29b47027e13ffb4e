"""What a failed look into a tenant's Airflow means, in words for the tenant's status."""

from __future__ import annotations

from tenant_operator.core import names
from tenant_operator.core.airflow_errors import (
    AirflowError,
    AirflowLoginFailed,
    AirflowUnavailable,
    InvalidObject,
)
from tenant_operator.core.errors import Forbidden, KubeError, Reason, TenantError, unavailable
from tenant_operator.plan.outcome import Finding
from tenant_operator.reconcile.state import AirflowView, TenantState

_PATIENCE = 2  # failures in a row, about nine seconds


def patient(before: AirflowView, generation: int, error: Exception, failures: int) -> Finding | None:
    """A new API server takes a moment to be found, and one that restarts is soon back: don't cry at once."""
    passing = isinstance(error, (AirflowUnavailable, KubeError)) and not isinstance(error, Forbidden)
    if failures > _PATIENCE or not passing:
        return None
    if before.edition.generation == generation and before.objects_finding.status == "True":
        return before.objects_finding
    whose = "the Kubernetes API" if isinstance(error, KubeError) else "Airflow's API"
    return Finding.unknown(f"waiting for {whose} to answer")


def explain(state: TenantState, error: Exception) -> Finding:
    """What to tell of an error that a look into a tenant's Airflow ended with."""
    if isinstance(error, AirflowLoginFailed):
        return Finding.false(
            Reason.AIRFLOW_LOGIN_FAILED,
            f"Airflow refuses the operator's user: {error}. Delete Secret "
            f"{names.operator_secret(state.name)} in {state.status.namespace} to have it made anew",
        )
    if isinstance(error, AirflowUnavailable):
        return Finding.false(Reason.AIRFLOW_UNAVAILABLE, f"Airflow's API does not answer: {error}")
    if isinstance(error, KubeError):
        told = unavailable(error)
        return Finding.false(told.reason, told.message)
    if isinstance(error, TenantError):
        return Finding.false(error.reason, error.message)
    if isinstance(error, (InvalidObject, AirflowError)):
        return Finding.false(Reason.INVALID_SPEC, str(error))
    return Finding.false(
        Reason.INTERNAL_ERROR, f"a mistake of the operator ({type(error).__name__}): its log has the trace"
    )
