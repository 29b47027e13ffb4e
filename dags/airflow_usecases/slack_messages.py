"""Messages for Slack as callback objects that cost nothing until they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

HTTP_TIMEOUT = 10  # seconds


class SlackMessage(BaseNotifier):
    """The Slack provider's `SlackWebhookNotifier`, imported when it sends instead of when the DAG is parsed.

    `text` and `blocks` (Block Kit) are templates; `slack_webhook_conn_id` is a connection of type
    `slackwebhook`. Raises what the provider raises; as a callback, that is logged by Airflow.
    """

    template_fields: Sequence[str] = ("slack_webhook_conn_id", "text", "blocks")

    def __init__(
        self,
        *,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        slack_webhook_conn_id: str = "slack_webhook",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.text = text
        self.blocks = blocks
        self.slack_webhook_conn_id = slack_webhook_conn_id

    def notify(self, context: Context) -> None:
        """Send what is rendered already."""
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        notifier: Any = SlackWebhookNotifier(
            slack_webhook_conn_id=self.slack_webhook_conn_id,
            text=self.text,
            blocks=self.blocks,
            timeout=HTTP_TIMEOUT,
        )
        notifier.notify(context)
