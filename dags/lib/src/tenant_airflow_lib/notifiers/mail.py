"""A failure, told by mail."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tenant_airflow_lib.notifiers.alert import Alert
from tenant_airflow_lib.notifiers.base import SafeNotifier

if TYPE_CHECKING:
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.definitions.context import Context


def page_of(alert: Alert, title: str) -> str:
    """The facts as an HTML table; every value escaped."""
    rows = "".join(
        f"<tr><th align='left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in (alert.facts | {"Run": alert.run_id or "-"}).items()
    )
    return f"<h3>{html.escape(title)}</h3><table>{rows}</table>"


class MailFailureNotifier(SafeNotifier):
    """Mail DAG, task, date, error, log URL and run to `to`.

    `smtp_conn_id` is a connection of type `smtp`; the sender is its `from_email` unless `from_email` says
    otherwise. `headline` (template) replaces "<dag>.<task> failed"; `level` is put before it. Works as
    `on_failure_callback` (final failure), `on_retry_callback` and in a deadline's `AsyncCallback`. A mail
    server that is down is logged, nothing raised.
    """

    template_fields = ("to", "from_email", "headline", "level", "smtp_conn_id")

    def __init__(
        self,
        *,
        to: str | Sequence[str],
        from_email: str | None = None,
        headline: str | None = None,
        level: str | None = None,
        smtp_conn_id: str = "smtp_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.from_email = from_email
        self.headline = headline
        self.level = level
        self.smtp_conn_id = smtp_conn_id

    @cached_property
    def hook(self) -> SmtpHook:
        """The SMTP provider's client; tests may set it."""
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        return SmtpHook(smtp_conn_id=self.smtp_conn_id)

    def notify(self, context: Context) -> None:
        """Send; raises what the SMTP provider raises."""
        with self.hook as client:
            client.send_email_smtp(**self._message(context), from_email=self.from_email or client.from_email)

    async def async_notify(self, context: Context) -> None:
        """Send without blocking; raises what the SMTP provider raises."""
        async with self.hook as client:
            sender = self.from_email or client.from_email
            await client.asend_email_smtp(**self._message(context), from_email=sender)

    def _message(self, context: Context) -> dict[str, Any]:
        alert = Alert.of(context)
        # A line break in a subject would start a header of its own.
        title = " ".join(alert.title(self.level, self.headline).split())
        return {"to": self.to, "subject": title, "html_content": page_of(alert, title)}
