"""Where a rule does not hold, and why. An exception that is not needed any more fails the test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """Problems of a rule on a board that begin with `of` are meant so."""

    rule: str
    board: str
    of: str
    reason: str


_ONE_OPERATOR = "the board is about the one operator: there is nothing to choose"
_LIGHT = "the light says what is now: it looks at two minutes, whatever the time range of the board"
_OWN_MARKS = "its marks are the operator's own releases; a tenant's release says nothing about the operator"
_WHOLE_LIFE = (
    "a worker pod lives for one task: the highest value of its counter is all that it used; increase() would "
    "miss what was before the first scrape"
)
_WHOLE_NUMBERS = (
    "bars count events: differences are whole numbers that add up; increase() loses what happens between two "
    "bars and stretches the rest"
)

EXEMPTIONS = (
    Exemption("template-job-rule", "operator", "tenant: no such variable", _ONE_OPERATOR),
    Exemption("template-instance-rule", "operator", "namespace: no such variable", _ONE_OPERATOR),
    Exemption("annotations-rule", "operator", "no marks: ", _OWN_MARKS),
    *(
        Exemption("target-rate-interval-rule", "team", f"{light}: rate(airflow_", _LIGHT)
        for light in ("Scheduler", "DAG processor", "Triggerer")
    ),
    *(
        Exemption("target-counter-agg-rule", board, f"{panel}: the counter airflow_", _WHOLE_NUMBERS)
        for board, panel in (
            ("team", "DAG runs by outcome"),
            ("team", "Deadlines created, met and missed"),
            ("team", "Task outcomes"),
            ("team", "Lineage events"),
            ("capacity", "Task pods refused"),
        )
    ),
    *(
        Exemption("target-counter-agg-rule", "cost", f"{panel}: the counter container_cpu_usage", _WHOLE_LIFE)
        for panel in ("Dearest DAGs in the time range", "Cost by DAG in the time range")
    ),
)


def without(problems: list[str], rule: str, board: str) -> list[str]:
    """The problems that nobody excused."""
    excused = tuple(e.of for e in EXEMPTIONS if (e.rule, e.board) == (rule, board))
    return [problem for problem in problems if not problem.startswith(excused)] if excused else problems
