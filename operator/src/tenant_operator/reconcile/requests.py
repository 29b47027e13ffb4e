"""A request for everything now (airflowtenants.io/reconcile-requested-at), and when it counts as handled.

Three loops have a part in it: `tenant` looks at Kubernetes as if the operator had just started, `airflow`
compares the objects inside, `health` asks for the components. Each notes the request's value when it has
done its part after the request came; when all that apply have, the pass writes `lastHandledReconcileAt`.
As in Flux, handled means looked at, not repaired: what was found is in the conditions. A pass that ends on
the way (pods start, a migration runs, the tenant wakes) has not looked at everything and answers nothing.
While a tenant is suspended its request waits, and is carried out when it is resumed.
https://fluxcd.io/flux/components/kustomize/kustomizations/#triggering-a-reconcile
"""

from __future__ import annotations

from tenant_operator.core import names
from tenant_operator.core.errors import Reason, TenantError
from tenant_operator.plan import intent
from tenant_operator.plan.outcome import PROGRESS
from tenant_operator.reconcile.health import probed
from tenant_operator.reconcile.state import TenantState

#: Not a loop: the request whose first pass has begun.
_BEGUN = "begun"
TENANT = "tenant"
AIRFLOW = "airflow"
HEALTH = "health"
#: How a pass ends that has to come again before anybody knows.
_NO_ANSWER = PROGRESS | {Reason.API_SERVER_UNAVAILABLE, Reason.INTERNAL_ERROR}


def asked(state: TenantState) -> str:
    """The value of a request that is to be carried out now; empty when there is none."""
    value = intent.requested(state.raw, names.ANNOTATION_RECONCILE)
    handled = value == state.status.last_handled_reconcile_at
    return "" if handled or intent.suspended(state.raw) else value


def begin(state: TenantState) -> None:
    """Before a pass: if it is the first of a request, forget what would spare it work."""
    value = asked(state)
    if not value or value in (state.carried.get(_BEGUN), state.carried.get(TENANT)):
        return
    state.carried[_BEGUN] = value
    state.full = True
    state.release = None
    state.bootstrapped = ""
    # Not forgotten: what differs from our last apply is drift, and counted as such.
    state.applied = {id_: (digest, "") for id_, (digest, _) in state.applied.items()}


def carried(state: TenantState, loop: str, value: str) -> None:
    """Note that a loop has done its part of the request that was there when it began."""
    if value:
        state.carried[loop] = value


def answers(error: TenantError | None) -> bool:
    """Whether a pass that ended so has an answer: it came to its end, or something is wrong that it tells."""
    return error is None or error.reason not in _NO_ANSWER


def outstanding(state: TenantState, loop: str) -> bool:
    """Whether a loop still has to do its part."""
    value = asked(state)
    return value != "" and state.carried.get(loop) != value


def handled(state: TenantState) -> str | None:
    """The value to write into the status; None while a part is missing or nothing was asked."""
    value = asked(state)
    if not value:
        return None
    parts = [TENANT]
    if state.serving and not intent.hibernated(state.raw):
        parts.append(AIRFLOW)
    if probed(state):
        parts.append(HEALTH)
    return value if all(state.carried.get(part) == value for part in parts) else None
