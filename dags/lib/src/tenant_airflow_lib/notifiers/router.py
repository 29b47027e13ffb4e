"""Which channels an alert takes: by level and by team."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenant_airflow_lib.notifiers.alert import Alert
from tenant_airflow_lib.notifiers.base import SafeNotifier
from tenant_airflow_lib.notifiers.mail import MailFailureNotifier
from tenant_airflow_lib.notifiers.oncall import OnCallNotifier
from tenant_airflow_lib.notifiers.slack import SlackFailureNotifier

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

log = logging.getLogger(__name__)

CHANNELS: Mapping[str, tuple[str, ...]] = {
    "P1": ("oncall", "incidents", "leadership"),
    "P2": ("slack", "mail"),
    "P3": ("slack",),
    "P4": (),
}
_WHEN_UNCLEAR = "P2"  # a level that renders to nonsense must not silence the alert


@dataclass(frozen=True)
class Route:
    """How a team is reached. None or empty: the default route's channel is used instead.

    `oncall`: http connection of the pager (P1). `incidents`: slackwebhook connection of #incidents (P1).
    `leadership`: mail addresses (P1). `slack`: slackwebhook connection of the alerts channel (P2, P3).
    `mail`: mail addresses of the team (P2). `smtp`: smtp connection of both mails.
    """

    oncall: str | None = None
    incidents: str | None = None
    leadership: str | Sequence[str] = ()
    slack: str | None = None
    mail: str | Sequence[str] = ()
    smtp: str | None = None

    @classmethod
    def of(cls, value: Route | Mapping[str, Any] | None) -> Route:
        """A route as written in a DAG, or as a deadline's callback carries it (a dictionary)."""
        if isinstance(value, Route):
            return value
        return cls(**(value or {}))

    def over(self, default: Route) -> Route:
        """This route with the default's channels in its gaps."""
        own = {key: value for key, value in dataclasses.asdict(self).items() if value}
        return dataclasses.replace(default, **own)


class AlertRouter(SafeNotifier):
    """Send an alert to the channels of its level and its team.

    P1 pages on-call, posts to Slack #incidents and mails leadership; P2 posts to the team's Slack channel and
    mails the team; P3 posts to Slack; P4 is logged only. `team` (template) defaults to the DAG's tag
    `team:<name>`; a team without an entry in `routes` (name -> Route), or no team, takes `default_route`.
    `headline` (template) replaces "<dag>.<task> failed". A channel that is down is logged
    and the others still get the alert; nothing is raised into the task.

    A deadline's context has no tags, so name the team there, and routes as dictionaries:
    `AsyncCallback(AlertRouter, {"level": "P1", "team": "ml", "routes": {"ml": {"oncall": "pager"}}})`.

    ValueError at once for a level that is none of P1, P2, P3, P4 (unless it is a template; one that renders
    to something else counts as P2).
    """

    template_fields = ("level", "team", "headline")

    def __init__(
        self,
        *,
        level: str = "P2",
        routes: Mapping[str, Route | Mapping[str, Any]] | None = None,
        default_route: Route | Mapping[str, Any] | None = None,
        team: str | None = None,
        headline: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if "{{" not in level and level not in CHANNELS:
            raise ValueError(f"level {level!r} is none of {', '.join(CHANNELS)}")
        self.level = level
        self.routes = {name: Route.of(route) for name, route in (routes or {}).items()}
        self.default_route = Route.of(default_route)
        self.team = team
        self.headline = headline

    def route_of(self, alert: Alert) -> Route:
        """The channels of the alert's team."""
        team = self.team or alert.team
        return self.routes.get(team or "", self.default_route).over(self.default_route)

    def notify(self, context: Context) -> None:
        """Send through every channel in turn."""
        for name, channel in self._channels(context):
            try:
                channel.notify(context)
            except Exception:
                log.exception("alert not sent to %s", name)

    async def async_notify(self, context: Context) -> None:
        """Send through all channels at the same time."""
        channels = self._channels(context)
        sent = await asyncio.gather(
            *(channel.async_notify(context) for _, channel in channels), return_exceptions=True
        )
        for (name, _), result in zip(channels, sent, strict=True):
            if isinstance(result, BaseException):
                log.error("alert not sent to %s", name, exc_info=result)

    def _channels(self, context: Context) -> list[tuple[str, SafeNotifier]]:
        alert = Alert.of(context)
        level = self.level if self.level in CHANNELS else _WHEN_UNCLEAR
        route = self.route_of(alert)
        made = {name: self._channel(name, route, level) for name in CHANNELS[level]}
        log.warning(
            "%s alert: %s (%s) -> %s",
            level,
            alert.title(headline=self.headline),
            alert.error,
            ", ".join(name for name, channel in made.items() if channel) or "log only",
        )
        return [(name, channel) for name, channel in made.items() if channel is not None]

    def _channel(self, name: str, route: Route, level: str) -> SafeNotifier | None:
        target = getattr(route, name)
        if not target:
            log.error("%s alert: no route for %s", level, name)
            return None
        said: dict[str, Any] = {"level": level, "headline": self.headline}
        if name == "oncall":
            return OnCallNotifier(oncall_conn_id=target, **said)
        if name in {"incidents", "slack"}:
            return SlackFailureNotifier(slack_webhook_conn_id=target, **said)
        return MailFailureNotifier(to=target, smtp_conn_id=route.smtp or "smtp_default", **said)
