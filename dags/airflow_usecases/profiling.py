"""Measure where a task spends its time: a cProfile file, SQL statements with times, a report of slow ones."""

from __future__ import annotations

import cProfile
import logging
import pstats
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

T = TypeVar("T")
_TOP = 5


class Profile(TypedDict):
    """Where the profile is, how long the call took in seconds, and the functions that took most of it."""

    path: str
    seconds: float
    top: list[str]


class Statement(TypedDict):
    """One executed statement, without its parameters, and its time in seconds."""

    sql: str
    seconds: float


def profile_call(path: Path, function: Callable[[], T]) -> tuple[T, Profile]:
    """Run `function` under cProfile and write the statistics to `path` (readable by pstats and snakeviz).

    The file is written also when `function` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    profiler = cProfile.Profile()
    started = time.perf_counter()
    try:
        result = profiler.runcall(function)
    finally:
        profiler.dump_stats(path)
    seconds = time.perf_counter() - started
    return result, {"path": str(path), "seconds": seconds, "top": top_functions(path)}


def top_functions(path: Path, count: int = _TOP) -> list[str]:
    """The names of the functions with the largest own time, largest first. `path` is a cProfile file."""
    statistics: Any = pstats.Stats(str(path))
    by_time = sorted(statistics.stats.items(), key=_own_time, reverse=True)
    return [function for (_, _, function), _ in by_time[:count]]


def _own_time(entry: tuple[Any, tuple[Any, ...]]) -> float:
    return float(entry[1][2])


@contextmanager
def sql_echo(engine: Engine, log: logging.Logger) -> Iterator[list[Statement]]:
    """Log each statement that `engine` executes with its time, and collect them; parameters are left out.

    `create_engine(echo=True)` would log the parameters too, and with them personal data.
    """
    from sqlalchemy import event

    seen: list[Statement] = []

    def before(connection: Any, *_: Any) -> None:
        connection.info["started"] = time.perf_counter()

    def after(connection: Any, *arguments: Any) -> None:
        statement: str = arguments[1]  # after the cursor
        seconds = time.perf_counter() - connection.info.pop("started")
        log.info("sql %.4f s: %s", seconds, statement)
        seen.append({"sql": statement, "seconds": seconds})

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def slow_ones(seconds: Mapping[str, float], limit: float) -> list[str]:
    """The names that took `limit` seconds or longer, the slowest first, as lines of a report."""
    slow = sorted(((took, name) for name, took in seconds.items() if took >= limit), reverse=True)
    return [f"{name}: {took:.3f} s (limit {limit:g} s)" for took, name in slow]


def running_totals(values: Iterable[int], window: int) -> list[int]:
    """Sums over the last `window` values, computed the slow way: the function that the sample profiles."""
    numbers = list(values)
    return [sum(numbers[max(0, index - window + 1) : index + 1]) for index in range(len(numbers))]
