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


#: The operator's scrape, from minute 0 on and long since it began.
OPERATOR = {
    'up{job="airflow-operator"}': steady(1),
    'process_start_time_seconds{job="airflow-operator"}': steady(-600),
}
_NAMESPACE = 'airflow_tenant_status_condition{T,type="NamespaceReady",status="True"}'
_RELEASE = 'airflow_tenant_helm_release_info{T,release="payments"}'
_LEAVING = 'airflow_tenant_helm_release_status{T,status="uninstalling"}'


def info(
    values: str,
    *,
    team: str = "red",
    paused: bool = False,
    monitored: bool = True,
    state: str = "Running",
) -> dict[str, str]:
    flags = f'paused="{str(paused).lower()}",monitored="{str(monitored).lower()}",state="{state}"'
    return {f'airflow_tenant_info{{T,team="{team}",{flags}}}': values}


def told(
    values: str = steady(1), *, paused: bool = False, monitored: bool = True, state: str = "Running"
) -> dict[str, str]:
    """What the operator says of a tenant that is installed."""
    return {
        **info(values, paused=paused, monitored=monitored, state=state),
        _NAMESPACE: values,
        _RELEASE: values,
        _LEAVING: values.replace("1x", "0x"),
    }


ACTIVE = {**told(), **OPERATOR}


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
PAUSED = {**told(paused=True), **OPERATOR}
ASLEEP = {**told(state="Hibernated"), **OPERATOR}
FALLING_ASLEEP = {**told(state="Hibernating"), **OPERATOR}
PAUSED_ASLEEP = {**told(paused=True, state="Hibernated"), **OPERATOR}
PAUSED_FALLING_ASLEEP = {**told(paused=True, state="Hibernating"), **OPERATOR}
#: It rested until minute 5 and was awake again in minute 10.
WOKEN = {
    **told(),
    **info("1x5 stale", state="Hibernated"),
    **info("_x6 1x3 stale", state="Waking"),
    **info(f"_x10 {steady(1)}"),
    **OPERATOR,
}
UNMONITORED = {**told(monitored=False), **OPERATOR}
#: Its objects come up; nothing was recorded as a release.
INSTALLING = {name: values for name, values in ACTIVE.items() if name != _RELEASE}
#: The operator refuses its spec, and has not come to its namespace.
INVALID = {name: values for name, values in INSTALLING.items() if name != _NAMESPACE}
#: Its namespace is another tenant's.
REFUSED = {**INSTALLING, _NAMESPACE: steady(0)}
DELETING = {**ACTIVE, _LEAVING: steady(1)}
#: The other one that asks for the same namespace.
SECOND = {
    name.replace("{T", '{tenant="intruder",namespace="airflow-payments"'): values
    for name, values in REFUSED.items()
}
#: Every scrape of the operator fails from minute 6 on.
_GONE = "1x5 stale"
DEAD = {
    **told(_GONE),
    'up{job="airflow-operator"}': f"1x5 {steady(0)}",
    'process_start_time_seconds{job="airflow-operator"}': "-600x5 stale",
}
#: It comes back in minute 20, and is scraped once before it has listed its tenants.
RESTARTED = {
    **told(f"{_GONE} _x14 {steady(1)}"),
    'up{job="airflow-operator"}': f"1x5 0x13 {steady(1)}",
    'process_start_time_seconds{job="airflow-operator"}': f"-600x5 stale _x13 {steady(1195)}",
}
