"""The customers of a campaign."""

from __future__ import annotations

import pytest

from airflow_usecases import campaign


@pytest.mark.parametrize(("days", "expected"), [(90, [502, 504, 506]), (130, [504, 506]), (401, [])])
def test_inactive_customers_who_may_be_written_to(days, expected):
    assert campaign.select_inactive(campaign.CUSTOMERS, days) == expected


def test_an_export_is_one_line_per_customer_and_needs_a_campaign():
    assert campaign.export_lines([1, 2], "spring") == ["1;spring", "2;spring"]
    with pytest.raises(ValueError, match="campaign"):
        campaign.export_lines([1], "")
