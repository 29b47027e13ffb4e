"""Tasks that end as somebody wishes: for DAGs that show what follows a failure or a skip."""

from __future__ import annotations


def end_as(wish: str) -> str:
    """Return "success", or raise what makes the task "failed" (without a retry) or "skipped".

    Raises ValueError for another wish.
    """
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    if wish == "failed":
        raise AirflowFailException("this load was asked to fail")
    if wish == "skipped":
        raise AirflowSkipException("this load was asked to be skipped")
    if wish != "success":
        raise ValueError(f"unknown outcome {wish!r}")
    return wish
