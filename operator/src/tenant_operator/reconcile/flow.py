"""One pass over one tenant, from what is known to what its status says. Reads like a table of contents.

    parse -> namespace -> secrets -> render -> wall -> database -> migrations -> components -> record

Each step opens a gate with a condition of its own. A step that cannot go on raises a TenantError, which
says so in the tenant's words; what an earlier release serves keeps running. Nothing here waits: a pass
ends, and a watch event or the returned delay starts the next.
"""

from __future__ import annotations

import logging
import time

from tenant_operator.api.status import Release as ReleaseStatus
from tenant_operator.core import kinds, names
from tenant_operator.core.errors import (
    ConditionType,
    Forbidden,
    KubeError,
    NotFound,
    NotReady,
    Reason,
    TenantError,
    unavailable,
)
from tenant_operator.core.kinds import Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Clock, Kube, Renderer, Tokens
from tenant_operator.core.settings import Settings
from tenant_operator.plan import hibernation, monitoring, outcome, release, secrets, values
from tenant_operator.plan.outcome import Finding, Findings
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile import holds, requests
from tenant_operator.reconcile.apply import Applier, refused
from tenant_operator.reconcile.ground import Ground
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.stages import Stages
from tenant_operator.reconcile.state import Kept, TenantState

log = logging.getLogger(__name__)

#: The API server's authorizer learns of a new RoleBinding by a watch of its own, some time later (seconds).
_BINDING_SETTLES = 10.0
#: Pause between two looks for a Secret that an alert channel names (seconds).
_CHANNEL_RETRY = 30.0


class Flow:
    """Passes over tenants. Holds ports, no tenant's state."""

    def __init__(
        self,
        kube: Kube,
        renderer: Renderer,
        index: Index,
        clock: Clock,
        tokens: Tokens,
        metrics: Metrics,
        settings: Settings,
        defaults: values.Defaults,
    ) -> None:
        """Wire the ports together."""
        self._kube = kube
        self._renderer = renderer
        self._index = index
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._defaults = defaults
        self._ground = Ground(kube, index, clock, tokens, settings)
        self._applier = Applier(kube, index, clock)
        self._stages = Stages(kube, index, self._applier)

    async def run(self, state: TenantState) -> float | None:
        """One pass; returns the seconds after which to look again without an event."""
        started = time.perf_counter()
        findings, error = Findings(), None
        delay: float | None = self._settings.resync_interval
        generation = state.generation  # an edit may arrive during the pass: this one knows nothing of it
        # The delay between passes has a jitter: one that comes a little early counts as well.
        if self._clock.monotonic() - state.looked >= self._settings.resync_interval * 0.85:
            state.full = True
        requests.begin(state)
        asked = requests.asked(state)
        try:
            tenant = parse(state.raw, state.known)
            findings.intent = tenant.intent
            await self._ground.finalizer(state)
            if not tenant.spec.suspend:
                findings.held = tenant.intent.commits
                await holds.remember(self._kube, state, tenant.intent.commits, self._clock.now())
                await self._steps(tenant, state, findings)
        except (TenantError, KubeError) as failure:
            error = self._explain(failure, state)
            findings.fail(error)
            state.full = state.full or not isinstance(error, NotReady)
            delay = error.retry or self._settings.resync_interval
        if delay is not None and _lacks_channel_secret(state):
            state.full, delay = True, min(delay, _CHANNEL_RETRY)
        if requests.answers(error):
            requests.carried(state, requests.TENANT, asked)
        findings.handled_reconcile, findings.handled_dag_sync = requests.handled(state), state.fetched
        self._take_airflow(state, findings, generation)
        if findings.state and not findings.intent.hibernated_by:
            findings.gates = {**hibernation.forgotten(state.status), **findings.gates}
        await self.write_status(state, findings, error, generation=generation)
        result = "success" if error is None else error.result
        self._metrics.finished("tenant", result, time.perf_counter() - started)
        if result == "error":
            self._metrics.retries.labels("tenant").inc()
        return delay

    def _explain(self, failure: TenantError | KubeError, state: TenantState) -> TenantError:
        cause = failure if isinstance(failure, KubeError) else failure.__cause__
        if isinstance(cause, Forbidden):
            state.bootstrapped = ""  # perhaps the binding was changed: give it anew
        fresh = self._clock.monotonic() - state.bound < _BINDING_SETTLES
        # The API server's parts learn of a new namespace and a new binding a moment later than we.
        if fresh and isinstance(cause, (Forbidden, NotFound)) and "exceeded quota" not in cause.message:
            return NotReady(
                "waiting for the new namespace and the operator's rights in it to take effect",
                condition=ConditionType.NAMESPACE,
                reason=Reason.PENDING,
                retry=0.2,
            )
        return unavailable(failure) if isinstance(failure, KubeError) else failure

    async def _steps(self, tenant: Tenant, state: TenantState, findings: Findings) -> None:
        resting = bool(tenant.intent.hibernated_by)
        findings.state = hibernation.begin(state.status.state, resting=resting)
        if resting:
            # Airflow is not asked, and what it said grows old; the ledger of its objects is in the status.
            state.serving, state.airflow, state.health = False, None, None
            findings.gates.update(hibernation.gates())
        kept = state.release
        existing: dict[str, Object] | None = None
        if state.full or kept is None or not self._ground.bound(tenant):
            kept, existing = await self._look(tenant, state, findings)
        findings.gates[ConditionType.NAMESPACE] = _ours(tenant)
        findings.gates[ConditionType.SECRETS] = Finding.true("all Secrets are there")
        # What is applied from here on must be found by a later prune, even if this release never comes up.
        findings.inventory = sorted({*state.status.inventory, *(str(id_) for id_, _, _ in kept.index)})
        try:
            await self._stages.run(tenant, state, kept, findings)
        except NotReady:
            _watched(state, findings)  # what watches the tenant is applied before the first gate
            if resting:
                findings.state = hibernation.State.HIBERNATING
            raise
        _watched(state, findings)
        await self._complete(tenant, state, kept, findings, existing)
        findings.state = hibernation.State.HIBERNATED if resting else hibernation.State.RUNNING
        findings.asleep = hibernation.asleep(tenant.intent) if resting else None

    async def _look(
        self, tenant: Tenant, state: TenantState, findings: Findings
    ) -> tuple[Kept, dict[str, Object]]:
        """The whole way to a release. An event that comes meanwhile sets `full` again, and keeps it."""
        state.full = False
        try:
            await self._ground.namespace(tenant, state)
            findings.gates[ConditionType.NAMESPACE] = _ours(tenant)
            existing = await self._ground.secrets(tenant, released=state.status.release.revision > 0)
            kept = await self._render(tenant, state, existing)
        except BaseException:
            state.full = True
            raise
        state.looked = self._clock.monotonic()
        return kept, existing

    async def _render(self, tenant: Tenant, state: TenantState, existing: dict[str, Object]) -> Kept:
        resolved = secrets.resolve(tenant, existing)
        state.checksums = resolved.checksums
        served = self._index.served
        state.monitoring = monitoring.finding(tenant, self._defaults.monitoring, served, existing)
        chart_values = values.build(tenant, resolved.checksums, self._defaults, served)
        digest = release.input_digest(self._renderer.chart, chart_values)
        if state.release is not None and state.release.digest == digest:
            return state.release
        rendered = await self._renderer.render(tenant.name, tenant.namespace, chart_values)
        planned = release.build(tenant, digest, rendered.manifest, rendered.objects)
        state.release = Kept.pack(planned, chart_values)
        return state.release

    async def _complete(
        self,
        tenant: Tenant,
        state: TenantState,
        kept: Kept,
        findings: Findings,
        existing: dict[str, Object] | None,
    ) -> None:
        chart = self._renderer.chart
        service = names.api_server_service(tenant.name)
        findings.url = f"http://{service}.{tenant.namespace}.svc:8080"
        state.serving = not tenant.intent.hibernated_by
        if state.recorded == kept.digest:
            findings.inventory = sorted(str(id_) for id_, _, _ in kept.index)
            return
        unpacked, chart_values = kept.unpack()
        operation = "upgrade" if state.status.release.revision else "install"
        started = time.perf_counter()
        try:
            await self._applier.prune(tenant, state, unpacked)
            findings.inventory = unpacked.inventory
            if existing is None:
                listed = await self._kube.list(kinds.SECRET, tenant.namespace, "owner=helm")
                existing = {item["metadata"]["name"]: item for item in listed}
            revision = await self._applier.write_record(tenant, chart, unpacked, chart_values, existing)
        except KubeError as error:
            self._metrics.helm(operation, time.perf_counter() - started, ok=False)
            raise refused(unpacked.objects[0].id, error) from error
        self._metrics.helm(operation, time.perf_counter() - started, ok=True)
        findings.release = ReleaseStatus(
            name=tenant.name,
            revision=revision,
            chart_version=chart.version,
            airflow_version=tenant.spec.airflow.version,
            executor=tenant.spec.airflow.executor,
            digest=kept.digest,
        )
        state.recorded = kept.digest

    def _take_airflow(self, state: TenantState, findings: Findings, generation: int) -> None:
        if state.health is not None:
            findings.gates.setdefault(ConditionType.HEALTH, state.health.finding)
        view = state.airflow
        if view is None:
            return
        findings.dags, findings.objects, findings.owned = view.dags, view.objects, view.owned
        findings.drift = view.drift
        findings.gates.setdefault(ConditionType.DAGS, view.dags_finding)
        compared = view.edition.generation == generation
        pending = Finding.unknown("comparing pools, connections, variables and roles with the new spec")
        findings.gates.setdefault(
            ConditionType.OBJECTS,
            view.objects_finding if compared or findings.intent.suspended_by else pending,
        )

    async def write_status(
        self,
        state: TenantState,
        findings: Findings,
        error: TenantError | None,
        *,
        generation: int | None = None,
    ) -> None:
        """Patch the status if it differs, and post an Event for each condition that turned."""
        before = state.status
        namespace = str((state.raw.get("spec") or {}).get("namespace", {}).get("name") or "")
        after = outcome.status(
            findings,
            before,
            generation=state.generation if generation is None else generation,
            namespace=namespace or names.default_namespace(state.name),
            now=self._clock.now(),
            error=error,
        )
        if after == before:
            return
        body = {"status": after.model_dump(mode="json", by_alias=True)}
        try:
            await self._kube.merge(kinds.TENANT, state.name, body, subresource="status")
        except NotFound:
            return  # deleted meanwhile; the watch will say so
        state.status = after
        for event in outcome.events(before, after, findings.intent.ignored):
            await self._kube.event(state.raw, event.type, event.reason, event.message)


def _lacks_channel_secret(state: TenantState) -> bool:
    """Nobody watches Secrets: whether one that alerts are sent by has come is found out by looking."""
    return state.monitoring is not None and state.monitoring.reason is Reason.SECRET_MISSING


def _watched(state: TenantState, findings: Findings) -> None:
    """Tell what is installed, unless a refusal has been told already."""
    if state.monitoring is not None:
        findings.gates.setdefault(ConditionType.MONITORING, state.monitoring)


def _ours(tenant: Tenant) -> Finding:
    return Finding.true(f"namespace {tenant.namespace} is the tenant's")
