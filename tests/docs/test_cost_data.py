"""docs/data/cost.yaml: the known estimate, and what its own basis comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

DATA = Path(__file__).parents[2] / "docs" / "data" / "cost.yaml"


@pytest.mark.covers("X-28")
def test_estimates_that_do_not_follow_from_their_basis_are_recomputed_beside_them() -> None:
    table = yaml.safe_load(DATA.read_text())
    items = {item["item"]: item for item in table["items"]}
    prices = table["prices"]
    hour = 2 * prices["vcpu_hour"] + 4 * prices["gb_hour"]
    for name, containers in (("Web server x2", 2), ("Scheduler x2", 2), ("Workers avg 5", 5)):
        assert items[name]["basis"] == "2 vCPU 4 GB"
        wanted = containers * hour * prices["hours_a_month"]
        assert items[name]["recomputed"] == pytest.approx(wanted, abs=0.01)
        assert items[name]["recomputed"] > 2 * items[name]["cost"]
    redshift = items["Redshift Serverless"]
    assert (redshift["basis"], redshift["cost"]) == ("128 RPU 8 h/day", 384.00)
    day = 128 * 8 * prices["rpu_hour"]
    assert day == redshift["cost"], "the estimate is that of one day"
    assert redshift["recomputed"] == day * prices["days_a_month"]
    assert table["total"] == 1861.58, "the estimate itself stays"
