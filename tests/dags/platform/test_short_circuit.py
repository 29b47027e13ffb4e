"""Without the file the strict circuit skips everything, the soft one only what is next."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "platform_short_circuit_file"
STRICT = {"check_file_exists", "process_file", "report_delivery"}
SOFT = {"check_file_softly", "process_file_softly", "report_delivery_softly"}


@pytest.mark.covers("D000-3")
def test_the_file_is_the_one_of_the_partner():
    assert bag().dags[DAG_ID].params["input_path"] == "/data/input.csv"


@pytest.mark.covers("D000-3")
def test_with_the_file_everything_runs(tmp_path: Path):
    file = tmp_path / "input.csv"
    file.write_text("id,amount\n1,10\n2,20\n")
    done = run(DAG_ID, conf={"input_path": str(file)})
    assert done.of("success") == STRICT | SOFT
    assert done.xcom("process_file") == done.xcom("process_file_softly") == 2
    assert done.xcom("report_delivery") == "delivered"


@pytest.mark.covers("D000-3")
def test_without_the_file_the_strict_circuit_skips_all_and_the_soft_one_respects_trigger_rules(tmp_path):
    done = run(DAG_ID, conf={"input_path": str(tmp_path / "input.csv")})
    assert done.state == "success"
    assert done.of("skipped") == {"process_file", "report_delivery", "process_file_softly"}
    assert done.of("success") == {"check_file_exists", "check_file_softly", "report_delivery_softly"}
    assert done.xcom("report_delivery_softly") == "no delivery"
