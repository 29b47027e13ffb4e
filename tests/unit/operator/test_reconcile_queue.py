from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile import queue as module
from tenant_operator.reconcile.queue import WorkQueue

Handler = Callable[[str], Awaitable[float | None]]
_LIMIT = 20.0


@asynccontextmanager
async def working(
    handler: Handler, workers: int = 2, metrics: Metrics | None = None
) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(handler, workers=workers, metrics=metrics)
    task = asyncio.create_task(queue.run())
    try:
        async with asyncio.timeout(_LIMIT):
            yield queue
    finally:
        task.cancel()
        await asyncio.wait([task])


class Recorder:
    """A handler that notes its calls and holds each until it is let go."""

    def __init__(self, *answers: float | Exception | None, hold: bool = False) -> None:
        self.calls: list[str] = []
        self.times: list[float] = []
        self.most: dict[str, int] = {}
        self.at_once = 0
        self._running: dict[str, int] = {}
        self._answers = list(answers)
        self.gate = asyncio.Event()
        if not hold:
            self.gate.set()

    async def __call__(self, key: str) -> float | None:
        self.calls.append(key)
        self.times.append(asyncio.get_running_loop().time())
        self._running[key] = self._running.get(key, 0) + 1
        self.most[key] = max(self.most.get(key, 0), self._running[key])
        self.at_once = max(self.at_once, sum(self._running.values()))
        await self.gate.wait()
        self._running[key] -= 1
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until(self, count: int) -> None:
        while len(self.calls) < count:  # noqa: ASYNC110 - the limit is that of `working`
            await asyncio.sleep(0.001)


async def test_a_key_that_waits_already_is_not_added_twice() -> None:
    seen = Recorder()
    queue = WorkQueue(seen, workers=1)
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    task = asyncio.create_task(queue.run())
    await seen.until(2)
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    assert seen.calls == ["a", "b"]


async def test_added_during_its_work_a_key_runs_once_more_and_never_twice_at_once() -> None:
    seen = Recorder(hold=True)
    async with working(seen, workers=4) as queue:
        queue.add("a")
        await seen.until(1)
        assert queue.busy("a")
        for _ in range(3):
            queue.add("a")
        await asyncio.sleep(0.02)
        assert seen.calls == ["a"]
        seen.gate.set()
        await seen.until(2)
        await asyncio.sleep(0.02)
        assert seen.calls == ["a", "a"]
        assert seen.most == {"a": 1}
        assert not queue.busy("a")


async def test_different_keys_run_side_by_side_up_to_the_limit() -> None:
    seen = Recorder(hold=True)
    async with working(seen, workers=2) as queue:
        for key in "abcd":
            queue.add(key)
        await seen.until(2)
        await asyncio.sleep(0.02)
        assert seen.calls == ["a", "b"]
        seen.gate.set()
        await seen.until(4)
        assert seen.at_once == 2


async def test_a_returned_delay_brings_the_key_back() -> None:
    seen = Recorder(0.05)
    async with working(seen) as queue:
        queue.add("a")
        await seen.until(2)
        assert 0.04 < seen.times[1] - seen.times[0] < 5
        await asyncio.sleep(0.08)
        assert len(seen.calls) == 2, "no delay: not before an event"


async def test_the_earliest_of_several_times_wins() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        start = asyncio.get_running_loop().time()
        queue.add_after("a", 10)
        queue.add_after("a", 0.05)
        queue.add_after("a", 20)
        await seen.until(1)
        assert 0.04 < seen.times[0] - start < 5
        await asyncio.sleep(0.05)
        assert len(seen.calls) == 1


async def test_an_event_comes_before_a_timer_and_clears_it() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        queue.add_after("a", 0.05)
        queue.add("a")
        await seen.until(1)
        await asyncio.sleep(0.1)
        assert len(seen.calls) == 1


async def test_a_failing_key_comes_back_later_and_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 0.02)
    monkeypatch.setattr(module, "_LAST_BACKOFF", 0.06)
    boom = [RuntimeError("boom")] * 4
    seen = Recorder(*boom)
    with caplog.at_level(logging.ERROR):
        async with working(seen) as queue:
            queue.add("a")
            await seen.until(5)
    gaps = [b - a for a, b in zip(seen.times, seen.times[1:], strict=False)]
    assert gaps[0] >= 0.015
    assert gaps[1] >= 0.035
    assert gaps[2] >= 0.055
    assert gaps[3] < 1, "there is a longest delay"
    assert "boom" in caplog.text


async def test_success_forgets_earlier_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 0.1)
    seen = Recorder(RuntimeError("1"), RuntimeError("2"), None, RuntimeError("3"))
    async with working(seen) as queue:
        queue.add("a")
        await seen.until(3)
        queue.add("a")
        await seen.until(5)
    assert seen.times[4] - seen.times[3] < 0.35, "the first delay again, not the third"


async def test_one_failing_key_does_not_hold_up_another() -> None:
    seen = Recorder(RuntimeError("boom"))
    async with working(seen, workers=1) as queue:
        queue.add("a")
        queue.add("b")
        await seen.until(2)
        assert seen.calls == ["a", "b"]


async def test_a_forgotten_key_does_not_come_back() -> None:
    seen = Recorder(hold=True)
    async with working(seen) as queue:
        queue.add_after("later", 0.03)
        queue.add("now")
        await seen.until(1)
        queue.add("now")
        queue.forget("later")
        queue.forget("now")
        seen.gate.set()
        await asyncio.sleep(0.08)
        assert seen.calls == ["now"]


async def test_the_metrics_show_what_waits_and_what_runs() -> None:
    metrics = Metrics()
    seen = Recorder(hold=True)
    async with working(seen, workers=1, metrics=metrics) as queue:
        for key in "abc":
            queue.add(key)
        await seen.until(1)

        def value(name: str) -> float | None:
            return metrics.registry.get_sample_value(f"airflow_operator_{name}", {"controller": "tenant"})

        assert value("active_reconciles") == 1
        assert value("queue_length") == 2
        seen.gate.set()
        await seen.until(3)
        await asyncio.sleep(0.02)
        assert value("active_reconciles") == 0
        assert value("queue_length") == 0
