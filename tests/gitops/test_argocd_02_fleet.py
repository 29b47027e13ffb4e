"""All teams' Applications: who joins, who leaves, when nothing may move, and who is changed first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.gitops import argocd_plane, repository
from tests.gitops.argocd import SETS
from tests.gitops.argocd_plane import (
    PRODUCTION,
    ROOT,
    TEAMS,
    TENANTS_FOLDER,
    WINDOWS,
    Company,
    set_window,
    window,
)

from demo.process import wait_for
from tenant_operator.core import kinds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]

TEAM = "payments"
APP = f"airflow-{TEAM}"
CANARIES = ("analytics", "platform")
OTHERS = tuple(team for team in TEAMS if team not in CANARIES)
SET = "manifests/argocd/applications/tenants.yaml"


@pytest.fixture(scope="module")
def company_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Production, installed as the page says."""
    repository.require_committed()
    with argocd_plane.running(tmp_path_factory.mktemp("fleet")) as found:
        found.secrets_come()
        found.install()
        yield found


@pytest.fixture
def company(company_: Company) -> Iterator[Company]:
    """The same, root, ApplicationSet and all teams at rest; what a test commits is taken back."""
    head = company_.repo.head()
    company_.argo.wait_until(ROOT, f"at {head[:7]}", lambda app: app.revision == head, seconds=240)
    company_.off_board()
    company_.argo.wait_until(
        ROOT, f"Synced {head[:7]}", lambda app: (app.sync, app.revision) == ("Synced", head), seconds=240
    )
    wait_for(
        "an ApplicationSet without an error",
        lambda: company_.set_condition("ErrorOccurred")[0] == "False",
        seconds=240,
        seen=lambda: company_.set_condition("ErrorOccurred"),
    )
    company_.wait_teams(head)
    with company_.taken_back():
        yield company_


def test_one_commit_makes_a_new_teams_project_application_and_tenant(company: Company) -> None:
    company.new_team("shop")
    commit = company.commit("A team")
    app = company.wait_new_team("shop", commit)
    assert set(app.resources) >= {("AirflowTenant", "shop")}
    assert app.raw["spec"]["project"] == "airflow-shop"
    assert "shop" in company.tenants()


def uids(company: Company) -> dict[str, str]:
    """The teams' tenants: a tenant that is deleted and made again has another."""
    return {team: company.tenant(team)["metadata"]["uid"] for team in TEAMS}


def test_directories_that_make_no_application_take_no_other_down(company: Company) -> None:
    before = uids(company)
    for name in ("Not_A_Name", "nobody"):
        company.repo.write_yaml(f"{TENANTS_FOLDER}/{name}/kustomization.yaml", {"resources": []})
    company.give_pods("47", TEAM)
    commit = company.commit("Directories of nobody")
    company.wait_teams(commit)
    assert company.pods(TEAM) == "47"
    wait_for(
        "the reason",
        lambda: "which does not exist" in company.set_condition("ErrorOccurred")[1],
        seconds=120,
        seen=lambda: company.set_condition("ErrorOccurred"),
    )
    assert set(company.argo.apps()) >= {f"airflow-{team}" for team in TEAMS}
    assert not {"airflow-nobody", "airflow-Not_A_Name"} & set(company.argo.apps())
    assert uids(company) == before


def test_a_template_with_a_missing_key_changes_no_application(company: Company) -> None:
    before = uids(company)
    line = '      name: "airflow-{{ .path.basename }}"\n'
    company.repo.replace(SET, line, line.replace("basename", "nothing"))
    company.commit("A typing error")
    wait_for(
        "the reason",
        lambda: 'no entry for key "nothing"' in company.set_condition("ErrorOccurred")[1],
        seconds=120,
        seen=lambda: company.set_condition("ErrorOccurred"),
    )
    company.give_pods("46", TEAM)
    company.wait_teams(company.commit("A team's commit meanwhile"))
    assert company.pods(TEAM) == "46"
    assert uids(company) == before


def test_an_application_set_that_somebody_deletes_comes_back_and_no_tenant_was_touched(
    company: Company,
) -> None:
    before = uids(company)
    old = {name: app.raw["metadata"]["uid"] for name, app in company.argo.apps().items()}
    company.kube.delete(f"{SETS}/airflow-tenants")

    def again() -> bool:
        apps = company.argo.apps()
        return all(
            (app := apps.get(f"airflow-{team}")) is not None
            and app.raw["metadata"]["uid"] != old[f"airflow-{team}"]
            for team in TEAMS
        )

    company.argo.refresh(ROOT)
    wait_for("new Applications", again, seconds=240, seen=lambda: sorted(company.argo.apps()))
    company.wait_teams(company.repo.head())
    assert uids(company) == before
    assert not [team for team in TEAMS if "deletionTimestamp" in company.tenant(team)["metadata"]]


def windows(company: Company) -> dict[str, Any]:
    """What Argo CD says of the windows of a team's Application."""
    found: dict[str, Any] = company.argo.request("GET", f"/api/v1/applications/{APP}/syncwindows")
    return found


def sync(company: Company) -> None:
    """`argocd app sync`, by a person."""
    company.argo.request("POST", f"/api/v1/applications/{APP}/sync", {"name": APP})


def close(company: Company, **changes: Any) -> None:
    """A commit that closes production now; returns when Argo CD knows."""
    set_window(company.repo, window(closed=True, **changes))
    company.commit("Closed")
    by_hand = changes.get("manualSync", True)

    def known() -> bool:
        found = windows(company)
        return bool(found.get("activeWindows")) and bool(found.get("canSync")) == by_hand

    wait_for("the window", known, seconds=120, seen=lambda: windows(company))


def prevented(company: Company) -> int:
    """How often the controller has written that it does not synchronize the Application by itself."""
    log = company.argo.programs.log("argocd-application-controller").read_text(errors="replace")
    said = [line for line in log.splitlines() if "Sync prevented by sync window" in line]
    return sum(f'"application":"{APP}"' in line for line in said)


def test_in_a_closed_window_git_waits_hands_stay_and_a_person_may_synchronize(company: Company) -> None:
    close(company)
    seen, before = prevented(company), company.pods(TEAM)
    company.give_pods("45", TEAM)
    commit = company.commit("Fewer pods, on a Saturday")
    company.argo.wait_until(
        APP,
        "OutOfSync, and left so",
        lambda app: (app.sync, app.revision) == ("OutOfSync", commit) and prevented(company) > seen,
    )
    assert company.pods(TEAM) == before

    sync(company)
    company.argo.wait(APP, revision=commit)
    assert company.pods(TEAM) == "45"

    seen = prevented(company)
    company.api.merge(kinds.TENANT, TEAM, {"spec": {"quota": {"hard": {"pods": "99"}}}})
    company.argo.refresh(APP)
    company.argo.wait_until(
        APP, "no self-heal", lambda app: app.sync == "OutOfSync" and prevented(company) > seen
    )
    assert company.pods(TEAM) == "99"

    set_window(company.repo, window(closed=False))
    company.commit("Monday")
    company.argo.wait(APP)
    assert company.pods(TEAM) == "45", "self-heal is back"


def test_a_window_without_manual_sync_refuses_a_person_too(company: Company) -> None:
    close(company, manualSync=False)
    with pytest.raises(AssertionError, match="blocked by sync window"):
        sync(company)


def weekend(now: datetime) -> bool:
    """What the README says: from Friday 16:00 to Monday 6:00, in Berlin."""
    there = now.astimezone(ZoneInfo("Europe/Berlin"))
    hours = there.weekday() * 24 + there.hour
    return hours >= 4 * 24 + 16 or hours < 6


def test_the_window_that_production_has_is_closed_when_the_page_says(company: Company) -> None:
    company.repo.write(WINDOWS, (repository.ROOT / WINDOWS).read_text())
    company.commit("Production's own window")

    def agree() -> bool:
        found = windows(company)
        (assigned,) = found["assignedWindows"]
        ours = (assigned["schedule"], assigned["duration"]) == ("0 16 * * 5", "62h")
        return ours and bool(found.get("activeWindows")) == weekend(datetime.now(UTC))

    wait_for("Argo CD and the page to agree", agree, seconds=120, seen=lambda: windows(company))
    sync(company)
    company.argo.wait_until(APP, "a person's sync", lambda app: app.operation == "Succeeded")


def steps(company: Company) -> dict[str, str]:
    """Where each Application stands in the rollout."""
    found = company.application_set().get("status", {}).get("applicationStatus") or []
    return {item["application"]: item["status"] for item in found}


def changed(company: Company, pods: str, teams: tuple[str, ...] = TEAMS) -> list[str]:
    """The teams whose tenants have been given this quota."""
    return [team for team in teams if company.pods(team) == pods]


@pytest.mark.timeout(1200, func_only=True)
def test_with_rolling_sync_a_change_reaches_canaries_first_and_then_the_others_one_by_one(
    company: Company,
) -> None:
    company.repo.replace(f"{PRODUCTION}/kustomization.yaml", "  # - ../rolling-sync", "  - ../rolling-sync")
    company.commit("Canaries first")
    company.argo.restart_application_sets()
    wait_for(
        "a rollout that is over",
        lambda: (
            sorted(steps(company)) == sorted(f"airflow-{team}" for team in TEAMS)
            and set(steps(company).values()) == {"Healthy"}
        ),
        seconds=300,
        seen=lambda: (steps(company), company.argo.app(ROOT).summary),
    )
    for team in TEAMS:
        assert "automated" not in company.argo.app(f"airflow-{team}").raw["spec"]["syncPolicy"]

    company.players.tenants |= set(TEAMS)
    company.give_pods("44", *TEAMS)
    commit = company.commit("Fewer pods for everybody")
    for team in CANARIES:
        company.argo.wait(f"airflow-{team}", health="Progressing", revision=commit)
    for team in OTHERS:
        company.argo.wait_until(
            f"airflow-{team}", "its turn", lambda app: (app.sync, app.revision) == ("OutOfSync", commit)
        )
    wait_for(
        "the others to wait",
        lambda: {steps(company)[f"airflow-{team}"] for team in OTHERS} == {"Waiting"},
        seconds=120,
        seen=lambda: steps(company),
    )
    assert changed(company, "44") == list(CANARIES)

    company.players.tenants -= set(CANARIES)
    done: set[str] = set()
    for number in range(1, len(OTHERS) + 1):
        wait_for(
            f"another one after {sorted(done)}",
            lambda wanted=number: len(changed(company, "44", OTHERS)) >= wanted,
            seconds=240,
            seen=lambda: steps(company),
        )
        now = set(changed(company, "44", OTHERS))
        assert len(now) == number, "a quarter of three is one at a time"
        (one,) = now - done
        company.argo.wait(f"airflow-{one}", health="Progressing", revision=commit)
        assert set(changed(company, "44", OTHERS)) == now, "while one is not Healthy no other is changed"
        company.players.tenants.discard(one)
        done = now
    company.wait_teams(commit)
