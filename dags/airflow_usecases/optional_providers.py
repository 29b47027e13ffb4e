"""A stand-in for the operator of a missing provider: the DAG loads, the task says what is missing.

    try:
        from airflow.providers.http.operators.http import HttpOperator
    except ModuleNotFoundError:
        HttpOperator = missing_provider("apache-airflow-providers-http")

Without it a DAG file whose operator is missing is an import error, and all its tasks are gone from the UI.
"""

from __future__ import annotations

import inspect
from typing import Any


def missing_provider(package: str) -> Any:
    """An operator class that takes any argument, and fails without retries naming the package to install."""
    from airflow.sdk import BaseOperator
    from airflow.sdk.exceptions import AirflowFailException

    common = frozenset(inspect.signature(BaseOperator.__init__).parameters) - {"self", "kwargs"}

    class MissingProviderOperator(BaseOperator):
        """Takes the place of an operator of a provider that is not installed."""

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**{name: value for name, value in arguments.items() if name in common})

        def execute(self, context: Any) -> None:  # noqa: ARG002 - BaseOperator's signature
            """Fail. Raises AirflowFailException."""
            raise AirflowFailException(f"{self.task_id} needs the package {package}")

    return MissingProviderOperator
