"""Init container: wait until the database answers, or until it is migrated to what this image expects.

    wait_for_database.py connected [--timeout SECONDS]
    wait_for_database.py migrated  [--timeout SECONDS] [--users]

Exit code 0 when the state is reached, 1 when the deadline (default 300 s) passes first; the last reason is
printed and reaches the pod's status through ``terminationMessagePolicy: FallbackToLogsOnError``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType

import database_state

Check = Callable[[], str | None]
Heads = Mapping[str, frozenset[str]]


def _connected() -> str | None:
    database_state.connect().close()
    return None


def difference(expected: Heads, actual: Heads) -> str | None:
    """None when the database is where the image wants it, else one line that says what is missing."""
    for table, wanted in expected.items():
        found = actual.get(table, frozenset())
        if found != wanted:
            needs = ", ".join(sorted(wanted))
            has = ", ".join(sorted(found)) or "nothing"
            return f"waiting for migrations: {table} has {has}, this image expects {needs}"
    return None


def _migrated(need_users: bool) -> Check:
    expected = database_state.expected_heads()

    def check() -> str | None:
        connection = database_state.connect()
        try:
            reason = difference(expected, database_state.actual_heads(connection))
            if reason is None and need_users and not database_state.has_users(connection):
                # The migration Job writes FAB's roles and users last. Starting an api-server meanwhile would
                # let two processes insert the same permissions.
                reason = "waiting for the first user"
            return reason
        finally:
            connection.close()

    return check


def wait(check: Check, timeout_seconds: float, pause_seconds: float = 2.0) -> bool:
    """Run ``check`` until it returns None (True) or the deadline passes (False); print each new reason."""
    deadline = time.monotonic() + timeout_seconds
    last = ""
    while True:
        try:
            reason = check()
        except Exception as error:  # noqa: BLE001  (psycopg2 is imported late; any failure means: not yet)
            reason = f"database not ready: {type(error).__name__}: {str(error).strip()}"
        if reason is None:
            return True
        if reason != last:
            print(reason, flush=True)  # noqa: T201
            last = reason
        if time.monotonic() + pause_seconds > deadline:
            print(f"gave up after {timeout_seconds:.0f} s: {reason}", flush=True)  # noqa: T201
            return False
        time.sleep(pause_seconds)


def _exit(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)


def main(arguments: list[str]) -> int:
    """Parse the command line, wait, and return the exit code."""
    parser = argparse.ArgumentParser(description="Wait until the database is ready.")
    parser.add_argument("state", choices=["connected", "migrated"])
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--users", action="store_true", help="also wait for the first user")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _exit)  # as process 1 there is no default action
    check = _connected if options.state == "connected" else _migrated(options.users)
    return 0 if wait(check, options.timeout) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
