"""The pytest plugin behind ``@pytest.mark.covers("ID", ...)``: checks the ids, records what each run showed.

Loaded by ``tests/conftest.py``. Works with and without pytest-xdist: workers attach the ids to the reports,
and the one process that receives all reports (the controller, or the only process) writes
``.rows/<time>-<pid>.json`` at the end. A mark with an id that the catalogue does not hold fails the run:
before any test starts, or with xdist (whose workers cannot refuse a run) as an error of each such test.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import rows

PROPERTY = "covers"
WRONG = pytest.StashKey[dict[str, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the two settings (tests of the plugin point them elsewhere)."""
    parser.addini(
        "covers_catalogue", "file of the row ids that a test may claim", default=str(rows.CATALOGUE)
    )
    parser.addini("covers_directory", "where runs are recorded, relative to the root", default=".rows")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and the recorder in the process that sees all reports."""
    config.addinivalue_line("markers", "covers(id, ...): the catalogue rows that this test proves")
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Recorder(config), "covers-recorder")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Attach the claimed ids to every test; refuse marks that claim nothing or an unknown row."""
    known = frozenset(rows.load_catalogue(Path(config.getini("covers_catalogue"))))
    wrong: dict[str, list[str]] = {}
    for item in items:
        marks = list(item.iter_markers("covers"))
        ids = sorted({str(row) for mark in marks for row in mark.args})
        item.user_properties.append((PROPERTY, ids))
        faults = [f"{row!r} is not in the catalogue" for row in ids if row not in known]
        if any(not mark.args for mark in marks):
            faults.append("covers() needs at least one id")
        if faults:
            wrong[item.nodeid] = faults
    if wrong and not hasattr(config, "workerinput"):
        raise pytest.UsageError(*(f"{node}: {fault}" for node, faults in wrong.items() for fault in faults))
    config.stash[WRONG] = wrong


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose mark is wrong (reached in xdist workers only)."""
    faults = item.config.stash[WRONG].get(item.nodeid)
    if faults:
        pytest.fail("; ".join(faults), pytrace=False)


class Recorder:
    """Collects the reports of one run and writes them when it ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._directory = config.rootpath / str(config.getini("covers_directory"))
        # A function named with a case (`test[x]`), or filtered by -k or --lf, may have run in part only.
        self._always_partial = _selects_cases(config)
        # xdist's loadgroup appends "@group" to the ids of tests that are in a group
        self._grouped = config.getoption("dist", "no") == "loadgroup"
        self._deselected: set[str] = set()
        self._ids: dict[str, tuple[str, ...]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember functions of which a case was filtered out."""
        self._deselected.update(rows.function_of(item.nodeid) for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Fold set-up, call and tear-down into one outcome: a failure anywhere wins, then a skip."""
        node = (self._grouped and report.nodeid.rpartition("@")[0]) or report.nodeid
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list | tuple):
                self._ids[node] = tuple(str(row) for row in value)
        before = self._outcomes.get(node, "passed")
        self._outcomes[node] = (
            "failed"
            if "failed" in (before, report.outcome)
            else ("skipped" if "skipped" in (before, report.outcome) else "passed")
        )

    def pytest_sessionfinish(self) -> None:
        """Write the run. One in which no test ran leaves no file."""
        if not self._outcomes:
            return
        cases = {
            node: rows.Case(outcome=outcome, ids=self._ids.get(node, ()))
            for node, outcome in self._outcomes.items()
        }
        functions = {rows.function_of(node) for node in cases}
        partial = functions if self._always_partial else functions & self._deselected
        now = datetime.datetime.now(datetime.UTC)
        rows.write_run(
            self._directory, f"{now:%Y%m%dT%H%M%S.%f}-{os.getpid()}", rows.Run(cases, frozenset(partial))
        )
        rows.compact(self._directory)


def _selects_cases(config: pytest.Config) -> bool:
    option = config.option
    filtered = bool(option.keyword or option.markexpr or getattr(option, "lf", False))
    # With xdist the deselection happens in the workers and is not reported: every function is partial then.
    distributed = filtered and bool(getattr(option, "numprocesses", None))
    interrupted = bool(option.maxfail) or bool(getattr(option, "stepwise", False))
    return distributed or interrupted or any("[" in argument for argument in config.args)
