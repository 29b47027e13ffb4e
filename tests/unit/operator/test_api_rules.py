from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tenant_operator.api.rules import (
    Duration,
    Matches,
    ObjectName,
    Quantity,
    SecretKey,
    cel,
    keyed_by,
    seconds,
)

GOOD: dict[str, tuple[Any, list[Any]]] = {
    "quantity": (Quantity, ["1", "500m", "0.5", "2Gi", "5Ei", "100k", 2, 0]),
    "duration": (Duration, ["30s", "5m", "1h", "1h30m", "1h0m5s"]),
    "object name": (ObjectName, ["a", "a.b", "a-1", "0", "x" * 253]),
    "secret key": (SecretKey, ["key", "a.b", "A_B-c", ".dockerconfigjson"]),
}
BAD: dict[str, tuple[Any, list[Any], str]] = {
    "quantity": (
        Quantity,
        ["", "1 Gi", "Gi", "-1", "1GB", "1e3", "1Gi\n", "٣"],
        "must be a Kubernetes quantity, for example 500m, 2 or 1Gi",
    ),
    "duration": (
        Duration,
        ["5", "1d", "s", "1m1h", "5m ", "5m\n"],
        "must be a duration, for example 30s, 5m or 1h30m",
    ),
    "no time": (Duration, ["", "0s", "0h0m"], "must be longer than zero"),
    "object name": (ObjectName, ["A", "a_b", "-a", "a-", "a/b", "a\n"], "must be a Kubernetes object name"),
    "secret key": (
        SecretKey,
        ["a b", "a/b", "ä", "a\n"],
        "must be a key of a Secret: letters, digits, '-', '_' and '.'",
    ),
}


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, (_, values) in GOOD.items() for v in values])
def test_a_good_value_is_taken(kind: str, value: Any) -> None:
    assert TypeAdapter(GOOD[kind][0]).validate_python(value) == str(value)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, (_, values, _) in BAD.items() for v in values])
def test_a_bad_value_is_refused_in_words(kind: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(BAD[kind][0]).validate_python(value)
    assert caught.value.errors()[0]["msg"] == f"Value error, {BAD[kind][2]}"


def test_a_boolean_is_no_quantity() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(True)


@pytest.mark.parametrize(
    ("text", "wanted"), [("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m5s", 5405), ("0h0m1s", 1)]
)
def test_seconds(text: str, wanted: int) -> None:
    assert seconds(text) == wanted


def test_a_rule_becomes_cel_with_the_same_sentence() -> None:
    rule = Matches(r"^[a-z'\d]+$", "must be x")
    schema = TypeAdapter(Annotated[str, rule]).json_schema()
    assert schema["x-kubernetes-validations"] == [
        {"rule": r"self.matches('^[a-z\'\\d]+$')", "message": "must be x"}
    ]


def test_a_forbidding_rule_is_negated_and_rules_keep_their_order() -> None:
    both = Annotated[str, Matches("^a", "must start with a"), Matches("b", "must hold no b", forbid=True)]
    adapter = TypeAdapter(both)
    assert [rule["message"] for rule in adapter.json_schema()["x-kubernetes-validations"]] == [
        "must hold no b",
        "must start with a",
    ]
    assert adapter.json_schema()["x-kubernetes-validations"][0]["rule"] == "!self.matches('b')"
    with pytest.raises(ValidationError, match="must hold no b"):
        adapter.validate_python("ab")
    with pytest.raises(ValidationError, match="must start with a"):
        adapter.validate_python("c")
    assert adapter.validate_python("ac") == "ac"


def test_a_last_line_break_does_not_slip_through() -> None:
    """RE2's `$`, which the API server uses, means the very end; so must Python's."""
    with pytest.raises(ValidationError):
        TypeAdapter(Annotated[str, Matches("^a$", "no")]).validate_python("a\n")


def test_helpers_make_kubernetes_keywords() -> None:
    assert cel("x", "y", reason="z") == {"rule": "x", "message": "y", "reason": "z"}
    schema = TypeAdapter(Annotated[list[str], keyed_by("a", "b")]).json_schema()
    assert schema["x-kubernetes-list-type"] == "map"
    assert schema["x-kubernetes-list-map-keys"] == ["a", "b"]
