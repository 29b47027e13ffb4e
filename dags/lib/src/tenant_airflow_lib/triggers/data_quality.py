"""Waits for a CSV file."""

from __future__ import annotations

import asyncio
from typing import Any

from tenant_airflow_lib.sensors.csv_quality import exists
from tenant_airflow_lib.triggers.base import Outcome, PollTrigger


class DataQualityTrigger(PollTrigger):
    """Fires once the file is there; the sensor then reads it on a worker. The triggerer must see the path.

    Reading happens there because one large file here would slow the triggers of all other tasks.
    """

    def __init__(self, *, data_path: str, **kwargs: Any) -> None:
        super().__init__(data_path=data_path, **kwargs)
        self.data_path = data_path

    async def check(self) -> Outcome:
        """Look in a thread: files have no async calls."""
        return Outcome(await asyncio.to_thread(exists, self.data_path))
