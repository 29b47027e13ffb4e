"""Cases of alerts, compact: which series, and since when the alert's condition holds.

In names of series, `{T` stands for `{tenant="payments",namespace="airflow-payments"`, `{N` for the namespace
alone. A sample a minute; `steady(5)` is 5 all the time, `rising(2)` grows by 2 a minute from 0,
`appears(40, 3)` is a counter that is not there for 40 minutes and then is 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONG = 400
TENANT = {"tenant": "payments", "namespace": "airflow-payments", "team": "red"}


def steady(value: float) -> str:
    return f"{value}x{LONG}"


def rising(step: float) -> str:
    return f"0+{step}x{LONG}"


def appears(minute: int, value: float) -> str:
    return f"_x{minute} {value}x{LONG}"


def series(name: str) -> str:
    bare = name.replace("{T", '{tenant="payments",namespace="airflow-payments"')
    return bare.replace("{N", '{namespace="airflow-payments"')


ACTIVE = {
    'airflow_tenant_info{T,team="red",paused="false"}': steady(1),
    'up{job="airflow-operator"}': steady(1),
}


@dataclass(frozen=True)
class Fires:
    """The condition holds from minute `since` on: the alert fires when `for` is over, no minute earlier.

    `shown` is what the value looks like in the annotations.
    """

    alert: str
    title: str
    since: int
    series: dict[str, str]
    shown: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=lambda: ACTIVE)
    about_tenant: bool = True

    @property
    def all_labels(self) -> dict[str, str]:
        return {**(TENANT if self.about_tenant else {}), **self.labels}


@dataclass(frozen=True)
class Silent:
    """The alert does not fire at minute `at`, with series that are just not enough."""

    alert: str
    title: str
    series: dict[str, str]
    at: int = 50
    base: dict[str, str] = field(default_factory=lambda: ACTIVE)


Case = Fires | Silent
PAUSED = {**ACTIVE, 'airflow_tenant_info{T,team="red",paused="true"}': steady(1)}
del PAUSED['airflow_tenant_info{T,team="red",paused="false"}']
