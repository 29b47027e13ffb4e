"""The kopf handlers. They hand events to the controller and do nothing else.

Only the low-level `on.event` is used: kopf's create/update/delete handlers are edge-triggered, keep
progress in annotations and add patches of their own, none of which a level-triggered loop needs.
"""

from __future__ import annotations

from typing import Any

import kopf

from tenant_operator.core import names
from tenant_operator.reconcile.controller import Controller


def register(registry: kopf.OperatorRegistry, controller: Controller) -> None:
    """Attach the operator to a kopf registry."""

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        # kopf removes its own finalizer where it has no delete handler: it must never be taken for ours.
        settings.persistence.finalizer = f"kopf.{names.GROUP}/unused"
        settings.posting.enabled = False
        settings.posting.loggers = False
        settings.peering.standalone = True
        settings.networking.request_timeout = 30
        settings.networking.connect_timeout = 5
        settings.watching.server_timeout = 300
        settings.watching.chunk_size = 200

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def tenant_event(event: kopf.RawEvent, body: kopf.Body, name: str | None, **_: Any) -> None:
        if event["type"] == "DELETED":
            controller.tenant_gone(str(name), str(body["metadata"].get("uid", "")))
        else:
            controller.tenant_changed(dict(body))

    del configure, login, tenant_event
