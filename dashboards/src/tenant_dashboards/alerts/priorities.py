"""How urgent an alert is: one table for the three scales that people use.

* ``priority`` P0 to P4 is what an alert carries. P0 to P3 are the classes of the support clock; P1 to P4 are
  the levels of the library's ``AlertRouter``. The same name means the same on both scales: P0 goes where P1
  goes, and P4 has no clock.
* ``severity`` is Prometheus' habit: critical is P0 and P1, warning is P2, info is P3 and P4.

The table is rendered into ``docs/runbook.md`` and ``docs/data/alert-priorities.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]
Name = Literal["P0", "P1", "P2", "P3", "P4"]


@dataclass(frozen=True)
class Priority:
    """One row of the table; ``respond`` and ``resolve`` are the support clock, in words.

    ``team`` and ``platform`` are the channels by which Alertmanager tells an alert (alert_policy of the
    operator), ``channels`` those of the DAG library's notifiers.
    """

    name: Name
    severity: Severity
    meaning: str
    respond: str
    resolve: str
    team: tuple[str, ...]
    platform: tuple[str, ...]
    channels: tuple[str, ...]


_TEAM = ("PagerDuty", "Slack", "webhook", "e-mail")
_PLATFORM = ("Slack", "PagerDuty", "SNS")

PRIORITIES: dict[Name, Priority] = {
    row.name: row
    for row in (
        Priority(
            "P0",
            "critical",
            "many tenants are down at once",
            "15 minutes",
            "2 hours",
            _TEAM,
            _PLATFORM,
            ("on-call page", "Slack #incidents", "mail to leadership"),
        ),
        Priority(
            "P1",
            "critical",
            "a tenant is down, or will be within hours",
            "1 hour",
            "4 hours",
            _TEAM,
            _PLATFORM,
            ("on-call page", "Slack #incidents", "mail to leadership"),
        ),
        Priority(
            "P2",
            "warning",
            "a tenant works worse than it should",
            "4 hours",
            "24 hours",
            _TEAM[1:],
            (),
            ("Slack of the team", "mail to the team"),
        ),
        Priority(
            "P3",
            "info",
            "a DAG needs its owner",
            "1 business day",
            "as agreed",
            ("Slack",),
            (),
            ("Slack of the team",),
        ),
        Priority("P4", "info", "worth a line in the log", "none", "none", (), (), ("log",)),
    )
}
