"""Stage 1 of the split pipeline starts stage 2 and waits for it."""

from __future__ import annotations

import pytest


@pytest.mark.covers("D000-10")
def test_stage_1_starts_one_run_of_stage_2_with_its_results_and_ends_after_it(live):
    live.unpause("etl_stage2")
    before = {run["dag_run_id"] for run in live.runs("etl_stage2")}
    run_id = live.trigger("etl_stage1")
    assert live.wait("etl_stage1", run_id, 60) == "success"

    (stage2,) = [run for run in live.runs("etl_stage2") if run["dag_run_id"] not in before]
    assert stage2["dag_run_id"] == f"stage1__{run_id}"
    assert stage2["state"] == "success"
    assert stage2["conf"]["files"] == ["A.TXT", "B.TXT"]
    assert stage2["conf"]["checksums"] == live.xcom("etl_stage1", run_id, "checksum_chunks")
    assert live.xcom("etl_stage2", stage2["dag_run_id"], "publish_files") == 2
