"""What a tenant stands on: its finalizer, its namespace with the operator's rights there, its Secrets."""

from __future__ import annotations

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import (
    ConditionType,
    Conflict,
    Forbidden,
    InvalidSpec,
    KubeError,
    NamespaceError,
    NotFound,
    NotReady,
    Reason,
)
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.core.ports import Clock, Kube, Tokens
from tenant_operator.core.settings import Settings
from tenant_operator.plan import bootstrap, release, secrets
from tenant_operator.plan.tenant import Tenant
from tenant_operator.reconcile import retention
from tenant_operator.reconcile.apply import namespace_refused
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState

#: The API server's policies read namespaces from a cache: an annotation gets there a moment later (seconds).
_ANNOTATION_SETTLES = 10.0


class Ground:
    """The first steps of a pass. Holds ports, no tenant's state."""

    def __init__(self, kube: Kube, index: Index, clock: Clock, tokens: Tokens, settings: Settings) -> None:
        """Wire the ports together."""
        self._kube = kube
        self._index = index
        self._clock = clock
        self._tokens = tokens
        self._settings = settings

    async def finalizer(self, state: TenantState) -> None:
        """Put the finalizer on the tenant, before anything is made that it would have to remove."""
        metadata = state.raw["metadata"]
        finalizers = metadata.get("finalizers") or []
        if names.FINALIZER in finalizers:
            return
        patch = {
            "metadata": {
                "finalizers": [*finalizers, names.FINALIZER],
                "resourceVersion": metadata["resourceVersion"],
            }
        }
        try:
            merged = await self._kube.merge(kinds.TENANT, state.name, patch)
        except Conflict as error:
            raise NotReady("the tenant changed meanwhile", retry=0.5) from error
        if int(merged["metadata"]["resourceVersion"]) > int(state.raw["metadata"]["resourceVersion"]):
            state.raw = merged  # unless the watch has brought something newer during the call

    def bound(self, tenant: Tenant) -> bool:
        """Whether the watches see the operator's own binding in the tenant's namespace."""
        binding = ObjectId(
            kinds.ROLE_BINDING.kind, tenant.namespace, names.OPERATOR_BINDING, kinds.ROLE_BINDING.group
        )
        return not self._settings.service_account or (binding in self._index.children(tenant.name).objects)

    async def namespace(self, tenant: Tenant, state: TenantState) -> None:
        """Make the namespace, or see that it is the tenant's, and bind the operator's role in it.

        Raises NamespaceError when it is somebody else's, NotReady when it changed under the look or a policy
        does not see yet that it is the tenant's.
        """
        if tenant.namespace == self._settings.operator_namespace:
            raise InvalidSpec("spec.namespace.name: must not be the operator's own namespace")
        wanted = bootstrap.namespace(tenant)
        binding = bootstrap.operator_binding(
            tenant.name,
            tenant.namespace,
            tenant.labels,
            self._settings.operator_namespace,
            self._settings.service_account,
        )
        digest = release.digest([wanted, binding])
        live = await self._found(tenant, state, wanted)
        state.ours = self._clock.monotonic() if state.ours is None else state.ours
        if state.bootstrapped == digest and bootstrap.intact(wanted, live) and self.bound(tenant):
            return
        try:
            await self._kube.apply(kinds.NAMESPACE, wanted)
        except KubeError as error:
            raise namespace_refused(tenant.namespace, error) from error
        if self._settings.service_account:
            before = self._index.children(tenant.name).objects.get(ObjectId.of(binding))
            bound = await self._enter(binding, state.ours)
            self._index.put(kinds.ROLE_BINDING, bound)
            if before is None or before.resource_version != int(bound["metadata"]["resourceVersion"]):
                # Only a write gives the API server something to settle; a lasting 403 must not look new.
                state.bound = self._clock.monotonic()
        if retention.is_marked(live):
            await retention.mark(self._kube, tenant.name, tenant.namespace, retained=False)
        state.bootstrapped = digest

    async def _found(self, tenant: Tenant, state: TenantState, wanted: Object) -> Object:
        """The namespace as it is, made if it is missing."""
        try:
            live = await self._kube.get(kinds.NAMESPACE, tenant.namespace)
            bootstrap.check_namespace(tenant, live)
            return live
        except NamespaceError:
            state.ours = None
            raise
        except NotFound:
            state.bootstrapped, state.ours = "", None
        try:
            # `create`, not apply: of two tenants that want the same name, one must lose.
            return await self._kube.create(kinds.NAMESPACE, wanted)
        except Conflict as error:
            raise NotReady("the namespace appeared meanwhile", retry=0.5) from error
        except KubeError as error:
            raise namespace_refused(tenant.namespace, error) from error

    async def _enter(self, binding: Object, since: float) -> Object:
        """Bind the operator's role in a namespace that has been the tenant's since then."""
        try:
            return await self._kube.apply(kinds.ROLE_BINDING, binding)
        except Forbidden as error:
            if not error.by_policy or self._clock.monotonic() - since >= _ANNOTATION_SETTLES:
                raise
            raise NotReady(
                "waiting for the API server to see that the namespace is the tenant's",
                condition=ConditionType.NAMESPACE,
                reason=Reason.PENDING,
                retry=0.5,
            ) from error

    async def secrets(self, tenant: Tenant, *, released: bool) -> dict[str, Object]:
        """All Secrets of the namespace by name, the generated ones made where they are missing.

        `released`: the tenant has data that some of them belong to; if one of these is gone, SecretError.
        """
        listed = await self._kube.list(kinds.SECRET, tenant.namespace)
        existing = {item["metadata"]["name"]: item for item in listed}
        absent = secrets.irreplaceable(tenant, existing)
        if absent and (released or await self._kube.list(kinds.PVC, tenant.namespace)):
            raise secrets.lost(tenant, absent)
        for secret in secrets.missing(tenant, existing, self._tokens):
            try:
                made = await self._kube.create(kinds.SECRET, secret)
            except Conflict as error:
                raise NotReady(
                    f"Secret {secret['metadata']['name']} appeared meanwhile",
                    condition=ConditionType.SECRETS,
                    retry=0.5,
                ) from error
            existing[made["metadata"]["name"]] = made
        return existing
