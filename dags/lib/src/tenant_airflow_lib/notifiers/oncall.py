"""A failure that wakes somebody: PagerDuty's Events API v2."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tenant_airflow_lib.hooks.rest import Call, Request, RestHook
from tenant_airflow_lib.notifiers.alert import Alert
from tenant_airflow_lib.notifiers.base import SafeNotifier

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from airflow.sdk.definitions.context import Context

HTTP_TIMEOUT = 10.0  # seconds
_LONGEST_SUMMARY = 1024  # characters, PagerDuty's limit


def event_of(alert: Alert, title: str, routing_key: str) -> dict[str, Any]:
    """The `trigger` event. All alerts of one task in one run share a dedup key, so retries page once.

    Reference: https://developer.pagerduty.com/docs/send-alert-event
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": f"airflow/{alert.dag_id}/{alert.run_id}/{alert.task_id or ''}"[:255],
        "client": "Airflow",
        "payload": {
            "summary": title[:_LONGEST_SUMMARY],
            "source": alert.name,
            "severity": "critical",
            "component": alert.dag_id,
            "custom_details": alert.facts,
        },
    }
    if alert.log_url:
        event["links"] = [{"href": alert.log_url, "text": "Task log"}]
    return event


class _EventsHook(RestHook):
    bearer = False  # the routing key belongs in the event, not in a header


class OnCallNotifier(SafeNotifier):
    """Page whoever is on call by a POST of a PagerDuty Events v2 event.

    `oncall_conn_id` is a connection of type `http`: host `https://events.pagerduty.com`, the integration's
    routing key as password. `headline` (template) replaces "<dag>.<task> failed"; `level` is put before it
    (the event's severity is always critical). A pager that is down is logged, nothing raised.
    """

    template_fields = ("oncall_conn_id", "headline", "level")

    def __init__(
        self,
        *,
        oncall_conn_id: str = "oncall",
        headline: str | None = None,
        level: str | None = "P1",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.oncall_conn_id = oncall_conn_id
        self.headline = headline
        self.level = level

    @cached_property
    def hook(self) -> RestHook:
        """The HTTP client; tests may set it."""
        return _EventsHook(self.oncall_conn_id, timeout=HTTP_TIMEOUT)

    def notify(self, context: Context) -> None:
        """Send. Raises ServiceUnavailable, RequestRefused."""
        connection = self.hook.get_connection(self.oncall_conn_id)
        self.hook.run(self._event(context, connection))

    async def async_notify(self, context: Context) -> None:
        """Send without blocking. Raises ServiceUnavailable, RequestRefused."""
        connection = await self.hook.aget_connection(self.oncall_conn_id)
        await self.hook.arun(self._event(context, connection))

    def _event(self, context: Context, connection: Connection) -> Call[None]:
        alert = Alert.of(context)
        event = event_of(alert, alert.title(self.level, self.headline), connection.password or "")
        yield Request("POST", "/v2/enqueue", json=event)
