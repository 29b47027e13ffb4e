"""How the operator reads what Helm writes."""

from __future__ import annotations

import pytest
import yaml

from tenant_operator.adapters.helm import _Yaml12Loader


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("y", "y"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("true", True),
        ("false", False),
        ("12", 12),
        ("'12'", "12"),
        ("null", None),
    ],
)
def test_a_plain_word_is_what_it_is_in_yaml_1_2(text: str, value: object) -> None:
    assert yaml.load(f"key: {text}", Loader=_Yaml12Loader) == {"key": value}  # noqa: S506 - made of the safe one
