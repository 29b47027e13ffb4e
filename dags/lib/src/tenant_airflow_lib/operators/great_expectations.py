"""An operator that runs a suite of a Great Expectations (GX) >= 1 project."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

LARGEST_XCOM = 48 * 1024  # bytes of JSON; more belongs into a file
_BATCH_KEYS = frozenset({"batch_definition", "batch_parameters"})
# Counts, never the unexpected values themselves: they may be personal data and XComs are not the place.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0, "include_unexpected_rows": False}


class GreatExpectationsOperator(BaseOperator):
    """Validate one batch of a data asset by an expectation suite, both named in a GX file context.

    `datasource_name`, `data_asset_name` and `expectation_suite_name` (template) are the names there.
    `context_root_dir` is the project's `gx` folder. `batch_request`: {"batch_definition": name,
    "batch_parameters": {...}}; without it the asset's only batch definition is taken. XCom: GX's result as
    JSON, or with `return_json_dict=False` whether it succeeded. A result of more than 48 KB is cut to
    {success, suite, statistics, violated, truncated}.

    A violated suite raises AirflowFailException, or with `fail_task_on_validation_failure=False` leaves the
    task green and the answer to the XCom. An unknown datasource, asset, batch or suite, and an environment
    without the extra `great-expectations`, fail at once. `gx_context` replaces the context, for tests.
    """

    template_fields: Sequence[str] = ("batch_request", "expectation_suite_name")
    template_fields_renderers = {"batch_request": "json"}  # noqa: RUF012 - read by Airflow as it is
    ui_color = "#fdebd0"

    def __init__(
        self,
        *,
        datasource_name: str,
        data_asset_name: str,
        expectation_suite_name: str,
        context_root_dir: str | None = None,
        batch_request: Mapping[str, Any] | None = None,
        fail_task_on_validation_failure: bool = True,
        return_json_dict: bool = True,
        gx_context: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if context_root_dir is None and gx_context is None:
            raise ValueError("give context_root_dir")
        wrong = sorted(set(batch_request or {}) - _BATCH_KEYS)
        if wrong:
            raise ValueError(
                f"batch_request: unknown {', '.join(wrong)}; known: batch_definition, batch_parameters"
            )
        self.context_root_dir = context_root_dir
        self.datasource_name = datasource_name
        self.data_asset_name = data_asset_name
        self.expectation_suite_name = expectation_suite_name
        self.batch_request = batch_request
        self.fail_task_on_validation_failure = fail_task_on_validation_failure
        self.return_json_dict = return_json_dict
        self._gx_context = gx_context

    def execute(self, context: Context) -> dict[str, Any] | bool:  # noqa: ARG002 - Airflow's signature
        """Returns GX's result, or whether it succeeded."""
        result = self._validated()
        success = bool(result["success"])
        violated = violated_of(result)
        self.log.info("suite %s: %s", self.expectation_suite_name, violated or "all expectations met")
        if not success and self.fail_task_on_validation_failure:
            raise AirflowFailException(f"{self.expectation_suite_name}: {'; '.join(violated)}")
        return fitting(result, self.expectation_suite_name) if self.return_json_dict else success

    def _validated(self) -> dict[str, Any]:
        gx = _load()
        from great_expectations.exceptions.exceptions import DataContextError

        request = self.batch_request or {}
        try:
            project = self._gx_context or gx.get_context(mode="file", context_root_dir=self.context_root_dir)
            suite = project.suites.get(self.expectation_suite_name)
            asset = project.data_sources.get(self.datasource_name).get_asset(self.data_asset_name)
            batch = self._batch_definition(asset, request.get("batch_definition"))
        except (DataContextError, LookupError, ValueError) as error:
            raise AirflowFailException(f"Great Expectations: {error}") from None
        # Not by a ValidationDefinition: running one writes it into the project, and a rerun would collide.
        found = batch.get_batch(request.get("batch_parameters")).validate(
            suite, result_format=dict(_RESULT_FORMAT)
        )
        result: dict[str, Any] = found.to_json_dict()
        return result

    def _batch_definition(self, asset: Any, name: str | None) -> Any:
        if name is not None:
            return asset.get_batch_definition(name)
        known = [definition.name for definition in asset.batch_definitions]
        if len(known) != 1:
            raise ValueError(f"{asset.name} has the batch definitions {known}: name one in batch_request")
        return asset.get_batch_definition(known[0])


def violated_of(result: Mapping[str, Any]) -> list[str]:
    """The expectations that were not met, as `type(column)`."""
    return [
        f"{item['expectation_config']['type']}({item['expectation_config']['kwargs'].get('column', '')})"
        for item in result["results"]
        if not item["success"]
    ]


def fitting(result: dict[str, Any], suite: str) -> dict[str, Any]:
    """The result, or when its JSON is larger than 48 KB a summary which is not."""
    if len(json.dumps(result).encode()) <= LARGEST_XCOM:
        return result
    violated = violated_of(result)
    shown: list[str] = []
    room = LARGEST_XCOM // 2
    for name in violated:
        room -= len(json.dumps(name)) + 2
        if room < 0:
            break
        shown.append(name)
    return {
        "success": result["success"],
        "suite": suite,
        "statistics": result.get("statistics", {}),
        "violated": shown,
        "truncated": True,
    }


def _load() -> Any:
    # Read when it is imported: a task does not report home.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        import great_expectations as gx
    except ModuleNotFoundError:
        raise AirflowFailException(
            "Great Expectations is not installed: add tenant-airflow-lib[great-expectations]"
        ) from None
    return gx
