"""The largest tenant that the API allows for, and what it costs. Times are printed, requests asserted."""

from __future__ import annotations

import time

import pytest
from tests.airflow.conftest import Calls

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.core.airflow_types import (
    Connection,
    DesiredObjects,
    ObjectKind,
    OwnedNames,
    Pool,
    SyncResult,
    Variable,
)
from tenant_operator.reconcile.objects import sync_objects


async def test_thousands_of_objects(
    api: AirflowApi, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    desired = DesiredObjects(
        pools=[Pool(f"pool-{n}", n) for n in range(1000)],
        variables=[Variable(f"variable-{n}", f"value {n}") for n in range(1000)],
        connections=[Connection(f"connection-{n}", "http", password=f"pa55word-{n}") for n in range(300)],
    )
    lines: list[str] = []

    async def timed(what: str, owned: OwnedNames) -> SyncResult:
        calls.clear()
        start = time.perf_counter()
        result = await sync_objects(api, desired, owned, hmac_key=b"k" * 32, tenant="big")
        lines.append(
            f"{what}: {time.perf_counter() - start:.2f} s, "
            f"{len(calls.reads)} reads, {len(calls.writes)} writes"
        )
        return result

    first = await timed("first sync", OwnedNames())
    assert first.errors == ()
    assert len(first.changes) == 2300
    assert (len(calls.reads), len(calls.writes)) == (3, 5)

    quiet = await timed("no change", first.owned)
    assert quiet.changes == ()
    assert (len(calls.reads), len(calls.writes)) == (11 + 10 + 3, 0)

    desired = DesiredObjects()
    gone = await timed("all removed", first.owned)
    assert gone.owned == OwnedNames()
    assert len(calls.writes) == 5
    assert not (await api.observe([ObjectKind.CONNECTIONS])).connections
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201 - the numbers are this test's report
