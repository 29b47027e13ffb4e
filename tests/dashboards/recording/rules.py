"""Recording and alerting rules over a time that has passed, as Prometheus would have evaluated them.

promtool's own backfill leaves alerts out and needs one run per level of dependent rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.dashboards.recording.written import series

if TYPE_CHECKING:
    from tests.dashboards.recording.playback import Recorded

HERE = Path(__file__).resolve().parent
GENERATED = HERE.parents[2] / "dashboards" / "generated" / "rules"
DEFAULT_INTERVAL = 30  # seconds
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ALERTS = "ALERTS"


@dataclass(frozen=True)
class Rule:
    """One rule. `name` is the record or the alert; `wait` and `interval` are seconds."""

    name: str
    expr: str
    alert: bool
    interval: float
    wait: float = 0
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    file: str = ""

    def reads(self, name: str) -> bool:
        """Whether the expression uses a metric."""
        return name in _NAME.findall(self.expr)


def files() -> list[Path]:
    """The generated rule files, and the tenants' rules that the operator wrote while it was recorded."""
    return sorted(GENERATED.glob("*.yaml")) + sorted((HERE / "rules").glob("*.yaml"))


def load(paths: Iterable[Path] | None = None) -> list[Rule]:
    """All rules of some files."""
    return [
        _rule(entry, seconds(group.get("interval", f"{DEFAULT_INTERVAL}s")), path.name)
        for path in (files() if paths is None else paths)
        for group in (yaml.safe_load(path.read_text()) or {}).get("groups") or []
        for entry in group["rules"]
    ]


def _rule(entry: dict[str, Any], interval: float, file: str) -> Rule:
    return Rule(
        entry.get("record") or entry["alert"],
        str(entry["expr"]),
        "alert" in entry,
        interval,
        seconds(entry.get("for", "0s")),
        entry.get("labels", {}),
        file,
    )


def seconds(text: str) -> float:
    """A duration of Prometheus, such as 1h30m."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def levels(rules: Sequence[Rule]) -> list[list[Rule]]:
    """The rules in an order in which each level needs earlier ones only. Raises ValueError for a circle."""
    waiting, found = list(rules), []
    while waiting:
        open_names = {rule.name for rule in waiting if not rule.alert}
        pending_alerts = any(rule.alert for rule in waiting)
        level = [
            rule
            for rule in waiting
            if not any(rule.reads(name) for name in open_names - {rule.name})
            and not (pending_alerts and not rule.alert and rule.reads(_ALERTS))
        ]
        if not level:
            raise ValueError(f"rules that need each other: {sorted(rule.name for rule in waiting)}")
        found.append(level)
        waiting = [rule for rule in waiting if rule not in level]
    return found


def evaluate(rule: Rule, prometheus: Recorded) -> Iterator[str]:
    """The samples that a rule makes, as lines of the text format."""
    start = prometheus.start - prometheus.start % rule.interval
    for found in prometheus.query_range(rule.expr, start, prometheus.end, rule.interval):
        labels = {key: value for key, value in found["metric"].items() if key != "__name__"}
        # a label that is a template tells of the series; no board reads one
        labels |= {key: value for key, value in rule.labels.items() if "{{" not in value}
        samples = [(float(at), value) for at, value in found["values"]]
        if rule.alert:
            yield from _alert(rule, labels, samples)
        else:
            text = series(rule.name, labels)
            yield from (f"{text} {value} {at:.0f}" for at, value in samples)


def _alert(rule: Rule, labels: dict[str, str], samples: list[tuple[float, str]]) -> Iterator[str]:
    since = last = float("-inf")
    named = {"alertname": rule.name} | labels
    for at, _ in samples:
        since = at if at - last > rule.interval * 1.5 else since
        last = at
        state = "firing" if at - since >= rule.wait else "pending"
        yield f"{series(_ALERTS, named | {'alertstate': state})} 1 {at:.0f}"
        yield f"{series('ALERTS_FOR_STATE', named)} {since:.0f} {at:.0f}"
