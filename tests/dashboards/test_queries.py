"""Every query of every board, variable, annotation and rule is executed on the recording, as Grafana does it.

A query that finds nothing is an error, unless `expected_empty.py` says why; a reason for a query that does
find something is an error too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.dashboards import expected_empty
from tests.dashboards.grafana import INTERVAL, Board, Choices, Query, Selection, boards, has_data, substitute
from tests.dashboards.recording import rules, written
from tests.dashboards.recording.playback import Recorded, Refused

BOARDS = {board.name: board for board in boards()}
#: Board -> its copies: the platform's one, or that of each team.
COPIES = {
    name: [BOARDS[copy] for copy in sorted(BOARDS) if copy.partition(" of ")[0] == name]
    for name in sorted({copy.partition(" of ")[0] for copy in BOARDS})
}


@pytest.fixture(params=COPIES)
def copies(request: pytest.FixtureRequest) -> list[Board]:
    """A generated board, or the same of two teams."""
    return COPIES[request.param]


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    """A generated board."""
    return BOARDS[request.param]


def results(query: Query, choices: Choices, recorded: Recorded) -> Iterator[tuple[Selection, bool]]:
    """For each selection whether the query finds something."""
    for selection in choices.selections():
        if query.repeated_by:
            tried = choices.of_repeat(selection, query.repeated_by)
            yield selection, any(_finds(query, one, choices.span, recorded) for one in tried)
        else:
            yield selection, _finds(query, selection, choices.span, recorded)


def _finds(query: Query, selection: Selection, span: float, recorded: Recorded) -> bool:
    expr = selection.put_into(query.expr, span)
    try:
        found = recorded.query(expr) if query.instant else recorded.query_range(expr, step=INTERVAL)
    except Refused as error:
        pytest.fail(f"{query.where} ({selection.label}): {error}\n{expr}")
    return has_data(found)


def finds(copies: list[Board], number: int, recorded: Recorded) -> tuple[bool, str]:
    """Whether a query finds something: at "All", with one of the tenants chosen, and in one team's copy.

    The text says which selection finds nothing. What one tenant has not (a KubernetesExecutor, a Redis) is no
    mistake of the query.
    """
    wrong = ""
    for copy in copies:
        choices = Choices(copy, recorded)
        found = {choice.label: data for choice, data in results(copy.queries[number], choices, recorded)}
        everything, single = found.pop("All"), found
        if everything and (not single or any(single.values())):
            return True, ""
        wrong = "All" if not everything else f"each of {', '.join(single)} alone"
    return False, wrong


@pytest.mark.covers("G-12")
def test_every_query_of_a_board_finds_data(copies: list[Board], recorded: Recorded) -> None:
    wrong = []
    for number, query in enumerate(copies[0].queries):
        found, label = finds(copies, number, recorded)
        reason = expected_empty.of_query(query)
        if not found and not reason:
            wrong.append(f"{query.where}: nothing for {label}\n    {query.expr}")
        if found and reason:
            wrong.append(f"{query.where}: finds data, although it is said that {reason!r}")
    assert not wrong, f"{len(wrong)} of {len(copies[0].queries)} queries:\n" + "\n".join(wrong)


def test_every_variable_of_a_board_offers_a_value(board: Board, recorded: Recorded) -> None:
    choices = Choices(board, recorded)
    for selection in choices.selections():
        for variable in board.variables:
            if variable.kind == "query":
                assert choices.options(variable, selection), (
                    f"{board.name}: ${variable.name} offers nothing ({selection.label})"
                )


RULES = rules.load()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_series_that_a_rule_reads_is_there(rule: rules.Rule, recorded: Recorded) -> None:
    found: dict[str, list[str]] = {}
    for name, selector in recorded.selectors(rule.expr):
        found.setdefault(name, []).extend([] if recorded.series(selector) else [selector])
    for name, missing in found.items():
        reason = expected_empty.of_selector(rule.name, name, rule.labels.get("sloth_slo", ""))
        assert not missing or reason, f"{rule.name} reads what the recording does not hold: {missing}"
        assert missing or not reason, f"{rule.name}: {name} is there, although it is said that {reason!r}"


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.alert], ids=lambda rule: rule.name)
def test_every_recording_rule_makes_a_series(rule: rules.Rule, recorded: Recorded) -> None:
    made = has_data(recorded.query_range(rule.name))
    reason = expected_empty.of_record(rule.name)
    assert made or reason, f"{rule.name} makes nothing of\n{rule.expr}"
    assert not (made and reason), f"{rule.name} makes a series, although it is said that {reason!r}"


def test_every_alert_can_be_evaluated(recorded: Recorded) -> None:
    for rule in RULES:
        recorded.query(rule.expr)


# What a platform team must be able to see, as (board, title of the panel).
ROWS: dict[str, list[tuple[str, str]]] = {
    "G-01": [("team", "DAG run duration, p95"), ("slo", "DAGs: success and duration")],
    "G-02": [("team", "Task outcomes"), ("team", "Task failure ratio, 1 h")],
    "G-03": [("slo", "Schedule delay"), ("slo", "Scheduler loop"), ("slo", "First task start delay, p95")],
    "G-04": [("capacity", "Scheduler heartbeat"), ("team", "Scheduler")],
    "G-05": [("capacity", "Executor slots"), ("capacity", "Queued tasks by queue")],
    "G-06": [("capacity", "Task queue length"), ("capacity", "Tasks by state")],
    "G-07": [
        ("capacity", "Database CPU and memory"),
        ("capacity", "Database connections"),
        ("capacity", "PgBouncer clients"),
    ],
    "G-08": [("capacity", "Redis CPU and memory"), ("capacity", "Redis cache hits")],
    "G-09": [
        ("cost", "CPU by component"),
        ("cost", "Memory by component"),
        ("cost", "CPU of the limit"),
        ("cost", "Memory of the limit"),
    ],
    "G-10": [("capacity", "Requests"), ("capacity", "Response time"), ("capacity", "Share of 5xx")],
    "G-11": [("capacity", "Disk throughput"), ("capacity", "Disk operations"), ("capacity", "Volumes")],
    "G-13": [
        ("slo", "Slowest tasks and outliers"),
        ("slo", "Task duration p95, 1 d"),
        ("slo", "Time in state scheduled p95, 1 d"),
    ],
    "G-14": [
        ("capacity", "Slots of pool $pool_name"),
        ("capacity", "Open and starving in pool $pool_name"),
        ("team", "Pools"),
    ],
    "G-15": [
        ("cost", "Cost a day"),
        ("cost", "Cost a day by tenant"),
        ("cost", "Cost a day by kind"),
        ("cost", "Tenants"),
        ("cost", "Dearest DAGs in the time range"),
        ("cost", "Cost by DAG in the time range"),
        ("cost", "Prices"),
        ("cost", "CPU: used, requested, quota"),
        ("cost", "CPU: idle share"),
    ],
    "G-16": [
        ("overview", "Component health"),
        ("overview", "Unhealthy components"),
        ("overview", "Oldest heartbeat"),
    ],
    "G-17": [
        ("team", "Age of features"),
        ("team", "Drift of columns"),
        ("team", "Accuracy of models"),
        ("team", "Bias of new models"),
        ("team", "Lineage events"),
    ],
    "M-07": [
        ("operator", "Passes over tenants, by result"),
        ("operator", "Drift seen and put right, by kind"),
        ("operator", "Tenants by condition"),
    ],
}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        pytest.param(board, title, marks=pytest.mark.covers(row), id=f"{board}: {title}")
        for row, panels in ROWS.items()
        for board, title in panels
    ],
)
def test_a_wanted_panel_shows_data(name: str, title: str, recorded: Recorded) -> None:
    copies = COPIES[f"platform/{name}"]
    wanted = [n for n, query in enumerate(copies[0].queries) if query.panel == title]
    assert wanted, f"{name} has no panel {title!r}"
    empty = [number for number in wanted if not finds(copies, number, recorded)[0]]
    unexplained = [n for n in empty if not expected_empty.of_query(copies[0].queries[n])]
    assert len(empty) < len(wanted), f"{name} / {title} is empty"
    assert not unexplained, [copies[0].queries[n].where for n in unexplained]


def test_variables_are_put_in_as_grafana_does_it() -> None:
    text = 'x{a=~"$a",b=~"${b:regex}",c="${c:raw}",d=~"$d"}[$__rate_interval] offset $__range'
    values = {"a": ["one.two", "three"], "b": ["four.five"], "c": "six", "d": "unused"}
    assert substitute(text, values, 840, {"d": ".+"}) == (
        'x{a=~"(one\\\\.two|three)",b=~"four\\.five",c="six",d=~".+"}[60s] offset 840s'
    )
    with pytest.raises(KeyError):
        substitute("$unknown", {}, 840)


def test_written_series_name_only_what_was_not_recorded(recorded: Recorded) -> None:
    told = written.names()
    assert told
    for name in told:
        assert recorded.series(f'{{__name__=~"{name}(_bucket|_sum|_count)?"}}'), (
            f"{name} is written, but not there"
        )
