"""A sensor that waits for a CSV file and judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from tenant_airflow_lib.sensors.base import PollSensor
from tenant_airflow_lib.sensors.csv_quality import inspect
from tenant_airflow_lib.triggers.base import Outcome, result_of
from tenant_airflow_lib.triggers.data_quality import DataQualityTrigger

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context


class DataQualitySensor(PollSensor):
    """Wait until the CSV file `data_path` is there, then let it pass or fail.

    It passes with at least `min_rows` rows (without header), at most `max_null_percentage` missing values
    (a share of all values: 0.1 = 10 %) and all `required_columns`. Only a file that is not there is waited
    for: write under another name and rename, so that half a file is never seen. A file that breaks a rule
    or cannot be parsed fails the task at once, with every reason. `deferrable=True` waits in the triggerer
    and reads the file on a worker.

    Missing is an empty value and what `checks.NULL_SPELLINGS` lists (NULL, None, NA, n/a, NaN, \\N).

    `data_path` is local or a URL that ObjectStoragePath knows (s3://conn_id@bucket/key). XCom: {columns,
    rows, nulls, null_share}. ValueError at once for a share outside of 0..1 or a negative number of rows.
    """

    template_fields: Sequence[str] = ("data_path",)
    ui_color = "#d5f5e3"

    def __init__(
        self,
        *,
        data_path: str,
        min_rows: int = 100,
        max_null_percentage: float = 0.1,
        required_columns: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= max_null_percentage <= 1:
            raise ValueError(f"max_null_percentage is a share, 0 to 1, not {max_null_percentage}")
        if min_rows < 0:
            raise ValueError(f"min_rows must not be negative: {min_rows}")
        self.data_path = data_path
        self.min_rows = min_rows
        self.max_null_percentage = max_null_percentage
        self.required_columns = list(required_columns)

    def ask(self) -> Outcome:
        """Look once."""
        found = inspect(
            self.data_path,
            min_rows=self.min_rows,
            max_null_percentage=self.max_null_percentage,
            required_columns=self.required_columns,
        )
        return Outcome(found is not None, found and found.as_xcom())

    def trigger(self) -> DataQualityTrigger:
        """What waits for the file in the triggerer."""
        return DataQualityTrigger(data_path=self.data_path, poll_interval=self.poke_interval)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Called when the file is there. Returns its measures; AirflowException if it is gone again."""
        result_of(event)
        found = self.poke(context)
        if not found.is_done:
            raise AirflowException(f"{self.data_path}: came, and was gone before it could be read")
        return found.xcom_value
