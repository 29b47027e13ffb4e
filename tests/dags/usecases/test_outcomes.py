"""Tasks that end as wished."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_usecases.outcomes import end_as


def test_success_is_returned():
    assert end_as("success") == "success"


@pytest.mark.parametrize(
    ("wish", "error"),
    [("failed", AirflowFailException), ("skipped", AirflowSkipException), ("maybe", ValueError)],
)
def test_every_other_wish_is_an_exception(wish, error):
    with pytest.raises(error):
        end_as(wish)
