"""The audit line of an operator's transfer."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

from airflow_usecases.audit import audit_transfer


def test_the_line_names_places_and_run_and_nothing_of_the_connections(caplog):
    task = SimpleNamespace(
        s3_bucket="b", s3_key="k", table="t", schema=None, redshift_conn_id="r", password="s3cr3t"
    )
    ti = SimpleNamespace(dag_id="d", task_id="x", run_id="r1", try_number=2)
    with caplog.at_level(logging.INFO, logger="audit.transfer"):
        audit_transfer({"task": task, "ti": ti})
    (line,) = caplog.messages
    assert json.loads(line.removeprefix("transfer ")) == {
        "s3_bucket": "b",
        "s3_key": "k",
        "table": "t",
        "dag_id": "d",
        "task_id": "x",
        "run_id": "r1",
        "try_number": 2,
    }
