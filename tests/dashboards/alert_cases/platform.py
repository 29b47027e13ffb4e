"""Operator and tenants."""

from __future__ import annotations

from tests.dashboards.alert_cases.case import (
    ACTIVE,
    ASLEEP,
    DEAD,
    FALLING_ASLEEP,
    INVALID,
    OPERATOR,
    PAUSED,
    PAUSED_ASLEEP,
    PAUSED_FALLING_ASLEEP,
    REFUSED,
    SECOND,
    WOKEN,
    Case,
    Fires,
    Silent,
    appears,
    info,
    steady,
    told,
)

_LEADER = "airflow_operator_leader"
_READY = 'airflow_tenant_status_condition{T,type="Ready",status="True"}'
_FALSE = 'airflow_tenant_status_condition{T,type="Ready",status="False"}'
_BEHIND = {"airflow_tenant_generation{T}": steady(3), "airflow_tenant_observed_generation{T}": steady(2)}
_STATUS = "airflow_tenant_helm_release_status{T,status="
_DRIFT = 'airflow_operator_drift_corrected_total{T,kind="Deployment"}'
_USED, _HARD = (f'kube_resourcequota{{N,resource="pods",type="{kind}"}}' for kind in ("used", "hard"))
_APP = 'argocd_app_info{name="airflow-payments",project="airflow-payments",sync_status='

CASES: tuple[Case, ...] = (
    Fires(
        "AirflowOperatorDown",
        "its scrape fails",
        11,
        {'up{job="airflow-operator"}': "1x10 0x99"},
        base={},
        about_tenant=False,
    ),
    Fires("AirflowOperatorDown", "it was never there", 0, {}, base={}, about_tenant=False),
    Silent("AirflowOperatorDown", "it is scraped", {}),
    Silent("AirflowOperatorDown", "it restarts", {'up{job="airflow-operator"}': "1x10 0x4 1x99"}, base={}),
    Fires(
        "AirflowOperatorLeaderCountWrong",
        "two lead",
        0,
        {_LEADER + '{pod="a"}': steady(1), _LEADER + '{pod="b"}': steady(1)},
        shown="2",
        about_tenant=False,
    ),
    Fires(
        "AirflowOperatorLeaderCountWrong",
        "nobody leads",
        0,
        {_LEADER + '{pod="a"}': steady(0)},
        shown="0",
        about_tenant=False,
    ),
    Silent(
        "AirflowOperatorLeaderCountWrong",
        "one of two leads",
        {_LEADER + '{pod="a"}': steady(1), _LEADER + '{pod="b"}': steady(0)},
    ),
    Fires(
        "AirflowOperatorEventLoopBlocked",
        "5.5 seconds late",
        0,
        {"airflow_operator_event_loop_lag_seconds": steady(5.5)},
        shown="5.5s",
        about_tenant=False,
    ),
    Silent(
        "AirflowOperatorEventLoopBlocked",
        "5 seconds late",
        {"airflow_operator_event_loop_lag_seconds": steady(5)},
    ),
    Fires("AirflowTenantNotReady", "Ready is not True", 0, {_READY: steady(0)}),
    Fires(
        "AirflowTenantNotReady",
        "the operator is away: what was known last counts",
        0,
        {_READY: steady(0)},
        base=DEAD,
    ),
    Fires("AirflowTenantNotReady", "its spec is refused", 0, {_READY: steady(0)}, base=INVALID),
    Fires("AirflowTenantNotReady", "its namespace is another tenant's", 0, {_READY: steady(0)}, base=REFUSED),
    Silent("AirflowTenantNotReady", "Ready is True", {_READY: steady(1)}),
    Silent("AirflowTenantNotReady", "it is suspended", {_READY: steady(0)}, base=PAUSED),
    Silent("AirflowTenantNotReady", "it is at rest", {_READY: steady(0)}, base=ASLEEP),
    Silent("AirflowTenantNotReady", "it goes to sleep", {_READY: steady(0)}, base=FALLING_ASLEEP),
    *(
        Fires("AirflowTenantNotReady", title, 0, {_READY: steady(0), _FALSE: steady(1)}, base=base)
        for title, base in (("it rests, and has a fault", ASLEEP), ("it cannot rest", FALLING_ASLEEP))
    ),
    Silent(
        "AirflowTenantNotReady",
        "it is suspended at rest, with a fault",
        {_READY: steady(0), _FALSE: steady(1)},
        base=PAUSED_ASLEEP,
    ),
    Silent("AirflowTenantNotReady", "it rests well", {_READY: steady(1), _FALSE: steady(0)}, base=ASLEEP),
    Fires("AirflowTenantNotAsleep", "some pod does not end", 0, {}, base=FALLING_ASLEEP),
    Fires(
        "AirflowTenantNotAsleep",
        "it was asked to rest later",
        20,
        {},
        base={**OPERATOR, **info("1x19 stale"), **info(f"_x20 {steady(1)}", state="Hibernating")},
    ),
    Silent("AirflowTenantNotAsleep", "it rests", {}, base=ASLEEP),
    Silent("AirflowTenantNotAsleep", "it is suspended on the way", {}, base=PAUSED_FALLING_ASLEEP),
    Silent(
        "AirflowTenantNotAsleep",
        "it took 29 minutes",
        {},
        base={
            **OPERATOR,
            **info("1x28 stale", state="Hibernating"),
            **info(f"_x29 {steady(1)}", state="Hibernated"),
        },
    ),
    Fires("AirflowTenantNotReady", "it does not wake", 6, {_READY: steady(0)}, base=WOKEN),
    Silent(
        "AirflowTenantNotReady",
        "the tenant is deleted, the operator is there",
        {_READY: steady(0)},
        at=40,
        base={**told("1x5 stale"), **OPERATOR},
    ),
    Silent(
        "AirflowTenantNotReady",
        "it was suspended before the operator died",
        {_READY: steady(0)},
        at=60,
        base={**DEAD, **info("1x2 stale"), **info("_x3 1x2 stale", paused=True)},
    ),
    Silent(
        "AirflowTenantNotReady",
        "it was deleted before the operator died",
        {_READY: steady(0)},
        at=60,
        base={**DEAD, **told("1x2 stale")},
    ),
    Fires(
        "AirflowTenantNotObserved",
        "one generation behind",
        0,
        _BEHIND,
        shown="3",
    ),
    Fires("AirflowTenantNotObserved", "one generation behind, at rest", 0, _BEHIND, shown="3", base=ASLEEP),
    Silent("AirflowTenantNotObserved", "it is suspended", _BEHIND, base=PAUSED),
    Silent("AirflowTenantNotObserved", "it is suspended at rest", _BEHIND, base=PAUSED_ASLEEP),
    Silent(
        "AirflowTenantNotObserved",
        "the same generation",
        {"airflow_tenant_generation{T}": steady(3), "airflow_tenant_observed_generation{T}": steady(3)},
    ),
    *(
        Fires(
            "AirflowTenantHelmReleaseStuck",
            status,
            0,
            {f'{_STATUS}"{status}"}}': steady(1)},
            labels={"status": status},
        )
        for status in ("failed", "pending-upgrade")
    ),
    Silent(
        "AirflowTenantHelmReleaseStuck",
        "deployed",
        {_STATUS + '"failed"}': steady(0), _STATUS + '"deployed"}': steady(1)},
    ),
    Fires(
        "AirflowTenantDriftLoop",
        "7 changes undone at once",
        70,
        {_DRIFT: appears(70, 7)},
        shown="7",
        labels={"kind": "Deployment"},
    ),
    Silent("AirflowTenantDriftLoop", "6 changes undone", {_DRIFT: appears(70, 6)}, at=75),
    Silent("AirflowTenantDriftLoop", "many, long ago", {_DRIFT: steady(90)}, at=70),
    Silent(
        "AirflowTenantDriftLoop",
        "many, long ago, and scraping was away for 10 minutes",
        {_DRIFT: "90x60 _x10 90x300"},
        at=126,
    ),
    Silent(
        "AirflowTenantDriftLoop",
        "one in 12 minutes",
        {_DRIFT: "0x11 1x11 2x11 3x11 4x11 5x11 6x11 7x11 8x99"},
        at=90,
    ),
    Fires(
        "AirflowTenantQuotaNearlyFull",
        "91 of 100 pods",
        0,
        {_USED: steady(91), _HARD: steady(100)},
        shown="91%",
        labels={"resource": "pods"},
    ),
    Fires(
        "AirflowTenantQuotaNearlyFull",
        "another tenant asks for the same namespace",
        0,
        {_USED: steady(91), _HARD: steady(100)},
        shown="91%",
        labels={"resource": "pods"},
        base={**ACTIVE, **SECOND},
    ),
    Silent("AirflowTenantQuotaNearlyFull", "90 of 100 pods", {_USED: steady(90), _HARD: steady(100)}),
    Fires(
        "AirflowTenantOutOfSync",
        "OutOfSync",
        0,
        {_APP + '"OutOfSync"}': steady(1)},
        labels={"name": "airflow-payments", "project": "airflow-payments", "sync_status": "OutOfSync"},
        about_tenant=False,
    ),
    Silent(
        "AirflowTenantOutOfSync",
        "Synced; another project may differ",
        {
            _APP + '"Synced"}': steady(1),
            _APP + '"Unknown"}': steady(0),
            'argocd_app_info{name="shop",project="shop",sync_status="OutOfSync"}': steady(1),
        },
    ),
)
