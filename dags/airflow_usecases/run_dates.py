"""The date that a run is about, also when the run has no logical date.

A run triggered with `logical_date: null`, or by an asset, has neither `logical_date` nor `ds`; `run_after`,
the moment from which it may run, always exists.
"""

from __future__ import annotations

import datetime
from typing import Protocol


class RunDates(Protocol):
    """What is needed of Airflow's `dag_run`."""

    @property
    def logical_date(self) -> datetime.datetime | None:
        """The moment the schedule stands for; empty for some manual and all asset-triggered runs."""

    @property
    def run_after(self) -> datetime.datetime:
        """The earliest moment at which the run may start."""


def run_moment(dag_run: RunDates) -> datetime.datetime:
    """The logical date of a run, else the moment from which it may run."""
    return dag_run.logical_date or dag_run.run_after


def run_day(dag_run: RunDates) -> str:
    """The day of `run_moment`, as ISO date."""
    return run_moment(dag_run).strftime("%Y-%m-%d")
