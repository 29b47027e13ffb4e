"""Waves: what a team has waits for what it needs, and for nothing else."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.gitops import argocd_plane, audit, repository
from tests.gitops.argocd import SETS
from tests.gitops.argocd_plane import CHARTS, ROOT, TEAMS, Company

from demo.kube import names
from tenant_operator.core import kinds
from tenant_operator.core.names import GROUP, PLURAL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]

DEFINITION = f"{PLURAL}.{GROUP}"
NEEDED = ("argocd-config", "infrastructure-classes", "policies")
LATE = "payments"


@dataclass
class Arrival:
    """What was there at the moments of an installation at which somebody kept the rest waiting."""

    company: Company
    #: while no pod of the operator was ready: what -> names
    without_operator: dict[str, list[str]] = field(default_factory=dict)
    #: while External Secrets' kinds were missing: what the operation said, by team
    without_kinds: dict[str, str] = field(default_factory=dict)
    #: while one team's secrets were not there: all tenants, and what the operation said
    without_secrets: tuple[list[str], str] = ([], "")


@pytest.fixture(scope="module")
def arrival(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrival]:
    """An installation from nothing to every team's Application Synced and Healthy."""
    repository.require_committed()
    with argocd_plane.running(tmp_path_factory.mktemp("waves")) as company:
        found = Arrival(company)
        company.hold_operator()
        company.install()
        _operator_is_ill(found)
        company.release_operator()
        _kinds_are_missing(found)
        company.players.secrets.add(f"airflow-{LATE}")
        company.secrets_come()
        _secrets_are_missing(found)
        company.players.secrets.clear()
        company.wait_teams()
        yield found


def _operator_is_ill(found: Arrival) -> None:
    company = found.company
    says = "waiting for healthy state of argoproj.io/Application/operator"
    company.argo.wait_until(ROOT, says, lambda app: says in app.message, seconds=240)
    company.argo.wait("operator", health="Progressing")
    company.argo.refresh(ROOT)  # one more full look, at the end of which it waits as before
    company.argo.wait_until(
        ROOT,
        f"{says}, still",
        lambda app: "argocd.argoproj.io/refresh" not in app.annotations and says in app.message,
    )
    found.without_operator = {
        "Applications": sorted(company.argo.apps()),
        "ApplicationSets": names(company.kube.items(SETS)),
        "AppProjects": company.projects(),
        "Namespaces": company.namespaces(),
        "AirflowTenants": company.tenants(),
        "definitions": names(company.api.list(kinds.DEFINITION)),
    }


def _kinds_are_missing(found: Arrival) -> None:
    for team in TEAMS:
        app = found.company.argo.wait_until(
            f"airflow-{team}", "a first attempt", lambda app: "ExternalSecret" in app.message, seconds=240
        )
        found.without_kinds[team] = app.message


def _secrets_are_missing(found: Arrival) -> None:
    company = found.company
    company.wait_teams("", *(team for team in TEAMS if team != LATE))
    says = "waiting for healthy state of external-secrets.io/ExternalSecret"
    app = company.argo.wait_until(f"airflow-{LATE}", says, lambda app: says in app.message, seconds=240)
    found.without_secrets = (company.tenants(), app.message)


def test_nothing_of_a_team_is_there_before_the_operator_is_healthy(arrival: Arrival) -> None:
    seen = arrival.without_operator
    assert seen["Applications"] == sorted((ROOT, *NEEDED, "operator"))
    assert DEFINITION in seen["definitions"]
    assert seen["AppProjects"] == ["default", "platform", "stores"]
    assert seen["ApplicationSets"] == seen["Namespaces"] == seen["AirflowTenants"] == []


def test_the_api_server_saw_each_wave_after_the_one_before(arrival: Arrival) -> None:
    company = arrival.company
    begin, now = datetime.datetime.min.replace(tzinfo=datetime.UTC), datetime.datetime.now(datetime.UTC)
    first: dict[tuple[str, str], datetime.datetime] = {}
    for write in audit.writes(company.plane.log("audit"), begin, now):
        first.setdefault((write.resource, write.name), write.at)
    waves = [
        [("applications", "argocd-config")],
        [("applications", "infrastructure-classes"), ("applications", "policies")],
        [("applications", "operator")],
        [("customresourcedefinitions", DEFINITION)],
        [("deployments", "airflow-tenant-operator")],
        [(what, f"airflow-{team}") for what in ("appprojects", "namespaces") for team in TEAMS],
        [("applicationsets", "airflow-tenants")],
        [("airflowtenants", team) for team in TEAMS],
    ]
    times = [[first[key] for key in wave] for wave in waves]
    for number in range(1, len(waves)):
        assert max(times[number - 1]) < min(times[number]), (waves[number - 1], waves[number])
    charts = [first["applications", chart] for chart in CHARTS if ("applications", chart) in first]
    assert min(charts) > first["applicationsets", "airflow-tenants"]


def test_a_tenant_whose_kinds_come_later_is_tried_until_they_are_there(arrival: Arrival) -> None:
    assert set(arrival.without_kinds) == set(TEAMS)
    for team in TEAMS:
        assert arrival.company.argo.app(f"airflow-{team}").operation == "Succeeded"


def test_a_tenant_waits_for_its_own_secrets_and_for_no_other_teams(arrival: Arrival) -> None:
    tenants, message = arrival.without_secrets
    assert tenants == sorted(set(TEAMS) - {LATE})
    assert "waiting for healthy state" in message


def test_charts_that_cannot_be_had_keep_no_commit_and_no_new_team_out(arrival: Arrival) -> None:
    company = arrival.company
    for chart in CHARTS:
        if company.argo.find(chart) is not None:
            company.argo.wait_until(chart, "an error", lambda app: bool(app.conditions))
    company.give_pods("49", LATE)
    company.new_team("shop")
    commit = company.commit("Fewer pods, and a new team")
    company.wait_teams(commit, LATE)
    assert company.pods(LATE) == "49"
    company.wait_new_team("shop", commit)


def test_an_operator_that_does_not_start_again_keeps_no_team_out(arrival: Arrival) -> None:
    """A wave waits for what changed in the root; the operator's own Application rolls out by itself."""
    company = arrival.company
    with company.taken_back():
        company.hold_operator()
        company.change_operator()
        company.give_pods("48", LATE)
        company.new_team("late")
        commit = company.commit("An operator that does not start, a team's commit and a new team")
        company.argo.wait("operator", revision=commit, health="Progressing")
        company.wait_teams(commit, LATE)
        company.wait_new_team("late", commit)
        assert company.argo.app("operator").health == "Progressing"
