"""Waits for a CSV file."""

from __future__ import annotations

import asyncio
from typing import Any

from tenant_airflow_lib.sensors.csv_quality import inspect
from tenant_airflow_lib.triggers.base import Outcome, PollTrigger


class DataQualityTrigger(PollTrigger):
    """Fires with the measurements of the file once it is there and good. The triggerer must see the path."""

    def __init__(
        self,
        *,
        data_path: str,
        min_rows: int,
        max_null_percentage: float,
        required_columns: list[str],
        **kwargs: Any,
    ) -> None:
        self.rules: dict[str, Any] = {
            "min_rows": min_rows,
            "max_null_percentage": max_null_percentage,
            "required_columns": required_columns,
        }
        super().__init__(data_path=data_path, **self.rules, **kwargs)
        self.data_path = data_path

    async def check(self) -> Outcome:
        """Read the file in a thread: files have no async reads."""
        found = await asyncio.to_thread(inspect, self.data_path, **self.rules)
        return Outcome(found is not None, found and found.as_xcom())
