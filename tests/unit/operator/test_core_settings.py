from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tenant_operator.core import settings


def test_without_variables_the_defaults_are_those_of_the_image() -> None:
    found = settings.from_environment({})
    assert found.chart_path == Path("/opt/charts/airflow-tenant")
    assert (found.operator_namespace, found.metrics_port) == ("airflow-tenants-system", 8080)
    assert (found.log_level, found.log_format) == ("INFO", "json")
    assert found.service_account == ""
    assert found.tenant_defaults_file is None


def test_every_field_has_a_variable() -> None:
    assert len(settings.VARIABLES) == len(settings.Settings.model_fields)


def test_variables_are_taken_and_unknown_ones_ignored() -> None:
    found = settings.from_environment(
        {"CONCURRENCY": "3", "RESYNC_INTERVAL": "1.5", "LOG_FORMAT": "text", "SHELL": "/bin/sh"}
    )
    assert (found.concurrency, found.resync_interval, found.log_format) == (3, 1.5, "text")


def test_an_empty_variable_is_an_absent_one() -> None:
    assert settings.from_environment({"CONCURRENCY": ""}).concurrency == 8


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "many"),
        ("RESYNC_INTERVAL", "0"),
        ("METRICS_PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("COST_CURRENCY", "euro"),
        ("COST_CPU_CORE_HOUR", "-1"),
        ("COST_MEMORY_GIB_HOUR", "nan"),
        ("COST_STORAGE_GIB_MONTH", "cheap"),
    ],
)
def test_a_wrong_value_ends_the_start_and_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SystemExit, match=rf"{variable}: .*\(got '{value}'\)"):
        settings.from_environment({variable: value})


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(SystemExit) as caught:
        settings.from_environment({"CONCURRENCY": "0", "LOG_LEVEL": "LOUD"})
    assert len(str(caught.value).splitlines()) == 3


def test_only_stated_prices_are_prices_and_nothing_is_one() -> None:
    assert settings.from_environment({}).prices == {}
    found = settings.from_environment({"COST_CURRENCY": "EUR", "COST_MEMORY_GIB_HOUR": "0"})
    assert (found.cost_currency, found.prices) == ("EUR", {"memory_gib_hour": 0.0})


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        settings.from_environment({}).concurrency = 2  # type: ignore[misc]
