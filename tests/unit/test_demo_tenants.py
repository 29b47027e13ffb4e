from __future__ import annotations

import io
from typing import Any, cast

import pytest

from demo import tenants
from demo.console import Console
from demo.errors import WaitTimeoutError
from demo.kube import Kube
from demo.tenants import Tenant


def item(name: str = "payments", generation: int = 2, **conditions: str) -> dict[str, Any]:
    found = [
        {"type": kind, "status": status, "reason": "Why", "message": f"about {kind}", "observedGeneration": 2}
        for kind, status in conditions.items()
    ]
    return {
        "metadata": {"name": name, "generation": generation},
        "spec": {"namespace": {}},
        "status": {"observedGeneration": 2, "conditions": found},
    }


class Cluster:
    """Answers with the next object each time it is asked."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self._items = list(items)

    def get(self, path: str) -> dict[str, Any]:
        return self._items.pop(0) if len(self._items) > 1 else self._items[0]


def test_a_tenant_is_ready_only_for_the_generation_that_was_looked_at() -> None:
    assert Tenant.of(item(Ready="True")).ready
    assert not Tenant.of(item(generation=3, Ready="True")).ready
    assert not Tenant.of(item(Ready="False")).ready
    assert not Tenant.of({"metadata": {"name": "x", "generation": 1}, "spec": {}}).ready


def test_the_namespace_is_the_given_one_or_the_default() -> None:
    assert Tenant.of(item()).namespace == "airflow-payments"
    given = item()
    given["spec"]["namespace"] = {"name": "other"}
    assert Tenant.of(given).namespace == "other"


def test_the_table_has_a_row_a_tenant_and_says_what_it_waits_for() -> None:
    first = Tenant.of(item("payments", NamespaceReady="True", SecretsResolved="False", Ready="Unknown"))
    second = Tenant.of(item("analytics", Ready="True"))
    lines = tenants.table([first, second], {"payments": 3.2, "analytics": 1.0})
    assert lines[1].split() == ["payments", "yes", "no", "-", "-", "-", "-", "-", "...", "3.2", "s"]
    assert lines[2].split() == ["analytics", *["-"] * 7, "yes", "1.0", "s"]
    assert lines[3:] == ["payments: Why: about Ready", ""]


def test_a_condition_of_an_earlier_generation_is_shown_as_pending() -> None:
    old = Tenant.of(item(generation=3, ReleaseReady="True"))
    assert tenants.table([old], {"payments": 0})[1].split()[5] == "..."


def test_long_messages_are_cut_to_one_line() -> None:
    long = item(Ready="False")
    long["status"]["conditions"][0]["message"] = "a\nb " * 100
    line = tenants.table([Tenant.of(long)], {"payments": 0})[-1]
    assert len(line) < 100
    assert line.endswith("...")


def test_news_are_the_conditions_that_changed() -> None:
    before = Tenant.of(item(NamespaceReady="True", SecretsResolved="Unknown"))
    after = Tenant.of(item(NamespaceReady="True", SecretsResolved="False"))
    assert tenants.news(before, after, 4.0) == [
        "     4.0 s  payments: SecretsResolved=False (Why) about SecretsResolved"
    ]


def test_waiting_prints_plain_lines_where_nothing_can_be_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    out = io.StringIO()
    cluster = Cluster(item(NamespaceReady="True"), item(NamespaceReady="True", Ready="True"))
    took = tenants.wait_ready(cast(Kube, cluster), ["payments"], Console(out), seconds=60)
    assert list(took) == ["payments"]
    assert [line.split(None, 2)[2] for line in out.getvalue().splitlines()] == [
        "payments: NamespaceReady=True (Why)",
        "payments: Ready=True (Why)",
    ]
    assert "\x1b" not in out.getvalue()


def test_waiting_ends_at_the_deadline_and_says_what_was_missing() -> None:
    clock = iter([0.0, 61.0])
    with pytest.raises(WaitTimeoutError, match=r"waited 60 s .* payments: Why: about Ready"):
        tenants.wait_ready(
            cast(Kube, Cluster(item(Ready="False"))),
            ["payments"],
            Console(io.StringIO()),
            seconds=60,
            clock=lambda: next(clock),
        )
