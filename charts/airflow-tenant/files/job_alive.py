"""Probe: exit 0 when this pod's newest running job has a fresh heartbeat.

    job_alive.py JOB_TYPE [SECONDS]        JOB_TYPE: TriggererJob | DagProcessorJob; SECONDS default 60

``airflow jobs check`` finds the same row for 6.7 CPU seconds; this costs 0.1, because it imports psycopg2 and
never Airflow. A triggerer's log port answers even when its main process hangs, so only the heartbeat will do.
"""

from __future__ import annotations

import contextlib
import socket
import sys

import database_state

QUERY = """
    SELECT extract(epoch FROM now() - latest_heartbeat)
    FROM job
    WHERE job_type = %s AND hostname = ANY(%s) AND state = 'running'
    ORDER BY latest_heartbeat DESC
    LIMIT 1
"""


def own_names() -> list[str]:
    """Every name under which Airflow may have recorded this pod, whatever ``[core] hostname_callable`` is."""
    name = socket.gethostname()
    names = {name, socket.getfqdn()}
    with contextlib.suppress(OSError):  # an IPv6-only pod: the names above remain
        names.add(socket.gethostbyname(name))
    return sorted(names)


def heartbeat_age(job_type: str) -> float | None:
    """Seconds since the newest heartbeat of this pod's running job of that type; None without one."""
    connection = database_state.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY, (job_type, own_names()))
            row = cursor.fetchone()
            return None if row is None else float(row[0])
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Print what was found (the kubelet shows it when the probe fails) and return the exit code."""
    job_type = arguments[0]
    limit = float(arguments[1]) if len(arguments) > 1 else 60.0
    age = heartbeat_age(job_type)
    if age is None:
        print(f"no running {job_type} of {', '.join(own_names())}")  # noqa: T201
        return 1
    print(f"{job_type}: last heartbeat {age:.0f} s ago, limit {limit:.0f} s")  # noqa: T201
    return 0 if age < limit else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
