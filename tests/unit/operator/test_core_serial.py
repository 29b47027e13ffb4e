from __future__ import annotations

import json

import pytest
import yaml

from tenant_operator.core.serial import json_as_yaml


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "q\"u'o",
        "a\nb\tc",
        "\x00\x1f\x7f",
        "\x85\u2028\u2029\ufeff",
        "é日",
        "\U0001f600",
        "\ud7ff\ue000",
    ],
)
def test_text_is_the_same_for_readers_of_json_and_of_yaml(text: str) -> None:
    written = json_as_yaml({"a": [text], text: 1})
    assert json.loads(written) == {"a": [text], text: 1}
    assert yaml.safe_load(written) == {"a": [text], text: 1}
