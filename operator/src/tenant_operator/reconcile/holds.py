"""What becomes of a decision to hold DAG sources, or to let them go."""

from __future__ import annotations

from collections.abc import Mapping

from tenant_operator.core import kinds
from tenant_operator.core.ports import Kube
from tenant_operator.plan import outcome
from tenant_operator.reconcile.state import TenantState

#: How long pods may take to roll and Airflow to parse (seconds).
_ROLL = 180.0


async def remember(kube: Kube, state: TenantState, commits: Mapping[str, str], now: float) -> None:
    """Write into the status which commits are held, if that is news, before anything is rendered with them.

    An operator that ends while pods roll must find its decision again: asked anew, Airflow may have a push by
    then that an old pod parsed on its way out. `now` is in seconds since the epoch. Raises KubeError.
    """
    known = state.airflow.dags if state.airflow is not None else state.status.dags
    dags = outcome.held_at(known, commits)
    # A source that no look has found yet has no place in the status; it asks nobody, or is undecided.
    if {source.name: source.held_commit for source in dags if source.held} == state.held:
        return
    body = {"status": {"dags": [source.model_dump(mode="json", by_alias=True) for source in dags]}}
    await kube.merge(kinds.TENANT, state.name, body, subresource="status")
    state.status = state.status.model_copy(update={"dags": dags})
    state.full = True  # perhaps a look into Airflow has decided it: no event tells of that
    state.expecting = now + _ROLL
