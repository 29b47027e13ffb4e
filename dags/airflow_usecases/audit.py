"""The audit line of a transfer that an operator makes."""

from __future__ import annotations

import json
import logging
from typing import Any

audit = logging.getLogger("audit.transfer")

#: What of an operator goes into the line: names of places, nothing of a connection.
_PLACES = ("sftp_path", "s3_bucket", "s3_key", "schema", "table")


def audit_transfer(context: Any) -> None:
    """`on_success_callback` of a transfer: one JSON line to the logger `audit.transfer`."""
    task, ti = context["task"], context["ti"]
    places = {name: getattr(task, name) for name in _PLACES if getattr(task, name, None)}
    run = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "try_number": ti.try_number}
    audit.info("transfer %s", json.dumps({**places, **run}, sort_keys=True))
