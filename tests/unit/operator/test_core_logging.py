from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from tenant_operator.core.logging import JsonFormatter, about
from tenant_operator.reconcile.queue import WorkQueue


@pytest.fixture
def lines() -> Iterator[list[dict[str, str]]]:
    """What a logger below the operator's root writes, parsed."""
    found: list[dict[str, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(JsonFormatter().format(record)))

    logger, handler = logging.getLogger("tenant_operator"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_line_about_no_tenant_has_no_tenant_field(lines: list[dict[str, str]]) -> None:
    logging.getLogger("tenant_operator.test").info("started: %s", "x")
    assert set(lines[0]) == {"ts", "level", "logger", "msg"}


def test_lines_of_libraries_and_of_begun_tasks_carry_the_tenant_and_later_lines_do_not(
    lines: list[dict[str, str]],
) -> None:
    log = logging.getLogger("tenant_operator.library")

    async def below() -> None:
        log.warning("from a task")

    async def main() -> None:
        with about("payments"):
            log.warning("from a call")
            await asyncio.create_task(below())
        log.warning("after")

    asyncio.run(main())
    assert [(line["msg"], line.get("tenant")) for line in lines] == [
        ("from a call", "payments"),
        ("from a task", "payments"),
        ("after", None),
    ]


@pytest.mark.covers("LG-04")
async def test_two_tenants_passed_over_at_once_have_each_line_under_their_own_name(
    lines: list[dict[str, str]],
) -> None:
    log, both = logging.getLogger("tenant_operator.test"), asyncio.Barrier(2)

    async def handler(name: str) -> float | None:
        async with asyncio.timeout(10):
            await both.wait()
        log.info("pass over %s", name)
        if name == "broken":
            raise RuntimeError("unforeseen")
        return None

    queue = WorkQueue(handler, workers=2)
    running = asyncio.create_task(queue.run())
    queue.add("payments")
    queue.add("broken")
    async with asyncio.timeout(10):
        while len(lines) < 3:  # noqa: ASYNC110 - a logging handler has nothing to await
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    assert {(line["tenant"], line["msg"]) for line in lines} == {
        ("payments", "pass over payments"),
        ("broken", "pass over broken"),
        ("broken", "pass over broken failed, again in 1 s"),
    }
    assert "unforeseen" in next(line["error"] for line in lines if "error" in line)
