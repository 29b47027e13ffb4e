"""What all notifiers share: a channel that is down never fails the task."""

from __future__ import annotations

import copy
import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from tenant_airflow_lib.notifiers.alert import Alert

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context


log = logging.getLogger(__name__)


def _said(context: dict[str, Any]) -> str:
    """The alert in one line: what nobody received must at least be in the log."""
    alert = Alert.of(context)
    return f"{alert.title()} ({alert.error})"


class SafeNotifier(BaseNotifier):
    """Send without ever raising, and leave the notifier and the context as they were.

    A notifier object hangs on many tasks; rendering its templates in place would make the second alert
    repeat the first one's text.
    """

    def __call__(self, *args: Any) -> None:
        """Send from a callback of a task or a DAG. A failure is logged."""
        context = dict(args[0]) if args else {}
        try:
            ready = self._ready(context)
            ready.notify(context)  # type: ignore[arg-type]
        except Exception:
            log.exception("%s: alert not sent: %s", type(self).__name__, _said(context))

    def __await__(self) -> Generator[Any, Any, None]:
        """Send from a deadline's `AsyncCallback`. A failure is logged."""
        return self._send_async().__await__()

    async def _send_async(self) -> None:
        context: dict[str, Any] = dict(self.context)
        try:
            ready = self._ready(context)
            await ready.async_notify(context)  # type: ignore[arg-type]
        except Exception:
            log.exception("%s: alert not sent: %s", type(self).__name__, _said(context))

    def _ready(self, context: dict[str, Any]) -> SafeNotifier:
        ready = copy.copy(self)
        typed: Context = context  # type: ignore[assignment]
        ready._update_context(typed)
        ready.render_template_fields(typed)
        return ready
