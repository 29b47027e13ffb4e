"""A failure, told in a Slack channel."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tenant_airflow_lib.notifiers.alert import Alert, masked
from tenant_airflow_lib.notifiers.base import SafeNotifier

if TYPE_CHECKING:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
    from airflow.sdk.definitions.context import Context

HTTP_TIMEOUT = 10  # seconds
_LONGEST_TEXT = 2000  # characters in a section's field, Slack's limit


def blocks_of(alert: Alert, title: str) -> list[dict[str, Any]]:
    """Block Kit: header, one section with the facts as fields, context with the run.

    Reference: https://docs.slack.dev/reference/block-kit/blocks
    """
    fields = [
        {"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"[:_LONGEST_TEXT]}
        for name, value in alert.facts.items()
    ]
    tried = f" · try {alert.try_number}" if alert.try_number else ""
    return [
        {"type": "header", "text": {"type": "plain_text", "text": title}},
        {"type": "section", "fields": fields},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": f"run {_escaped(alert.run_id or '-')}{tried}"}],
        },
    ]


def _escaped(text: str) -> str:
    """Slack's control characters as entities: an error text cannot mention @channel or fake a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _SlackNotifier(SafeNotifier):
    """What both share: the connection and the client."""

    def __init__(self, *, slack_webhook_conn_id: str, timeout: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slack_webhook_conn_id = slack_webhook_conn_id
        self.timeout = timeout

    @cached_property
    def hook(self) -> SlackWebhookHook:
        """The Slack provider's client; tests may set it."""
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

        return SlackWebhookHook(slack_webhook_conn_id=self.slack_webhook_conn_id, timeout=self.timeout)

    def notify(self, context: Context) -> None:
        """Send; raises what the Slack provider raises."""
        self.hook.send(**self.message(context))

    async def async_notify(self, context: Context) -> None:
        """Send without blocking; raises what the Slack provider raises."""
        await self.hook.async_send(**self.message(context))

    def message(self, context: Context) -> dict[str, Any]:
        """What is posted."""
        raise NotImplementedError


class SlackFailureNotifier(_SlackNotifier):
    """Post DAG, task, date, error and log URL to a Slack incoming webhook.

    `slack_webhook_conn_id` is a connection of type `slackwebhook`; the channel is the one the webhook was
    made for; `timeout` is in seconds, of one request. `headline` (template) replaces "<dag>.<task> failed";
    `level` is put before it. Works as `on_failure_callback` and in a deadline's `AsyncCallback`. A Slack
    that is down is logged, nothing raised.
    """

    template_fields = ("slack_webhook_conn_id", "headline", "level")

    def __init__(
        self,
        *,
        slack_webhook_conn_id: str = "slack_webhook",
        headline: str | None = None,
        level: str | None = None,
        timeout: int = HTTP_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(slack_webhook_conn_id=slack_webhook_conn_id, timeout=timeout, **kwargs)
        self.headline = headline
        self.level = level

    def message(self, context: Context) -> dict[str, Any]:
        """The facts as blocks, and one line for clients which show none."""
        alert = Alert.of(context)
        title = alert.title(self.level, self.headline)
        return {"text": _escaped(title), "blocks": blocks_of(alert, title)}


class SlackMessageNotifier(_SlackNotifier):
    """Post a text, and blocks (Block Kit) if given: for success, or anything that is no failure.

    `text` and `blocks` are templates. `slack_webhook_conn_id` is a connection of type `slackwebhook`;
    `timeout` is in seconds, of one request. The Slack provider's own notifier does the same; this one never
    raises and costs a DAG file no import of the provider, which takes a third of a second.
    """

    template_fields = ("slack_webhook_conn_id", "text", "blocks")

    def __init__(
        self,
        *,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        slack_webhook_conn_id: str = "slack_webhook",
        timeout: int = HTTP_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(slack_webhook_conn_id=slack_webhook_conn_id, timeout=timeout, **kwargs)
        self.text = text
        self.blocks = blocks

    def message(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - rendered already
        """The text and the blocks, secrets masked."""
        from airflow.sdk.log import redact  # type: ignore[attr-defined]

        blocks: Any = redact(self.blocks)
        return {"text": masked(self.text)} | ({"blocks": blocks} if blocks else {})
