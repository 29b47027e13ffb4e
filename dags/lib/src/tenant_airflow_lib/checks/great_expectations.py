"""The same suite judged by Great Expectations (GX) >= 1.5; needs the extra `great-expectations`.

Take it when a suite outgrows the four kinds of `suite`, or when its results go into GX's Data Docs. It loads
the whole file with pandas and costs seconds for the import alone.
"""

from __future__ import annotations

import os
from os import PathLike
from typing import Any

from tenant_airflow_lib.checks.result import EXAMPLES, Report, Result
from tenant_airflow_lib.checks.suite import Suite


def validate_csv(path: str | PathLike[str], suite: Suite) -> Report:
    """Judge a CSV file; a report of the same form as the own engine's, in the suite's order.

    Differences to `engine.validate`: the file is in memory, and a column with a single text among numbers
    violates `Between` as a whole, `mostly` or not. Raises ModuleNotFoundError without GX, OSError for the
    file and pandas' ParserError (ValueError) for a file that is no table.
    """
    gx = _load()
    import pandas as pd  # type: ignore[import-untyped]
    from great_expectations.expectations.registry import get_expectation_impl

    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])  # as checks.tables: only empty is null
    rules = [
        get_expectation_impl(rule.type)(**rule.to_dict()["kwargs"], meta={"position": position})
        for position, rule in enumerate(suite.expectations)
    ]
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(suite.name).add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    found = batch.validate(
        gx.ExpectationSuite(name=suite.name, expectations=rules),
        result_format={"result_format": "COMPLETE", "include_unexpected_rows": False},
    )
    # GX returns results in an order of its own
    by_position = {outcome.expectation_config.meta["position"]: outcome for outcome in found.results}
    return Report(
        suite.name,
        [_result(str(rule), by_position[position]) for position, rule in enumerate(suite.expectations)],
    )


def _load() -> Any:
    # GX reads it when it is imported; a task does not report home
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    return gx


def _result(rule: str, outcome: Any) -> Result:
    success, found = bool(outcome.success), outcome.result
    unexpected = found.get("unexpected_count", 0 if success else 1)
    rows = [position + 1 for position in found.get("unexpected_index_list") or []]
    if "unexpected_count" in found:
        detail = f"{unexpected} of {found['element_count'] - found.get('missing_count', 0)} values"
    elif "observed_value" in found:
        detail = f"{found['observed_value']} rows"
    else:
        detail = _message(outcome) or ("there" if success else "not there")
    return Result(rule, success, detail, unexpected, tuple(rows[:EXAMPLES]))


def _message(outcome: Any) -> str:
    # of one failed computation, or of several: {id of the metric: {exception_message: ...}}
    info = outcome.exception_info or {}
    many = [item for item in info.values() if isinstance(item, dict)]
    return str((many[0] if many else info).get("exception_message") or "")
