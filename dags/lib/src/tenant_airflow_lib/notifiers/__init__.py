"""Notifiers: objects for `on_failure_callback=[...]` and for deadlines."""

from __future__ import annotations

from tenant_airflow_lib.notifiers.alert import masked
from tenant_airflow_lib.notifiers.mail import MailFailureNotifier
from tenant_airflow_lib.notifiers.oncall import OnCallNotifier
from tenant_airflow_lib.notifiers.router import AlertRouter, Route
from tenant_airflow_lib.notifiers.slack import SlackFailureNotifier, SlackMessageNotifier

__all__ = [
    "AlertRouter",
    "MailFailureNotifier",
    "OnCallNotifier",
    "Route",
    "SlackFailureNotifier",
    "SlackMessageNotifier",
    "masked",
]
