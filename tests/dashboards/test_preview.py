"""What a reader sees: units, thresholds and words by Grafana's own code, and a board in a real browser."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.dashboards.grafana_node import BOARDS, GENERATED, Json, bundled_programs, load, panel, panels, run
from tests.dashboards.recording.playback import Recorded

from tenant_dashboards.preview import Picture, Source, browser, build_page, draw, pictures, team_picture

_CUSTOM_UNITS = (
    "prefix:",
    "suffix:",
    "time:",
    "si:",
    "count:",
    "currency:",
)  # they need no entry in the list


class Shown(NamedTuple):
    """A value in a panel (or a column of a table), and what stands there."""

    board: str
    panel: str
    value: float | str | None
    text: str
    color: str
    column: str | None = None


SHOWN = [
    *(
        Shown("team", part, value, text, color)
        for part in ("Scheduler", "DAG processor", "Triggerer", "API server", "Database", "DAG sync")
        for value, text, color in (
            (1, "up", "green"),
            (0, "DOWN", "red"),
            (2, "paused", "blue"),
            (3, "asleep", "blue"),
        )
    ),
    Shown("team", "Task failure ratio", 0.01, "1.0%", "green"),
    Shown("team", "Task failure ratio", 0.05, "5.0%", "orange"),
    Shown("team", "Task failure ratio", 0.25, "25.0%", "red"),
    Shown("team", "Import errors", 0, "0", "green"),
    Shown("team", "Import errors", 1, "1", "red"),
    Shown("team", "Deadlines missed", 2, "2", "red"),
    Shown("team", "Fullest quota", 0.79, "79.0%", "green"),
    Shown("team", "Fullest quota", 0.8, "80.0%", "orange"),
    Shown("team", "Fullest quota", 0.9, "90.0%", "red"),
    Shown("team", "New revision waits", 1800, "30 mins", "red"),
    Shown("overview", "Degraded", 0, "0", "green"),
    Shown("overview", "Degraded", 1, "1", "red"),
    Shown("overview", "Tenants with metrics", 1, "100%", "green"),
    Shown("overview", "Tenants with metrics", 0.8, "80%", "red"),
    Shown("overview", "State of the tenants", 2, "Ready", "green"),
    Shown("overview", "State of the tenants", 1, "Progressing", "orange"),
    Shown("overview", "State of the tenants", 0, "Degraded", "red"),
    Shown("overview", "State of the tenants", 3, "Suspended", "blue"),
    Shown("overview", "State of the tenants", 4, "Hibernated", "blue"),
    Shown("overview", "Tenants", 2, "Ready", "green", "State"),
    Shown("overview", "Tenants", 0, "Degraded", "red", "State"),
    Shown("overview", "Tenants", "OutOfSync", "OutOfSync", "orange", "Argo CD"),
    Shown("overview", "Tenants", 0.2, "20.0%", "red", "Failures"),
    Shown("overview", "Tenants", -0.1, "-10%", "red", "Budget"),
    Shown("overview", "Tenants", 0.95, "95%", "red", "Quota"),
    Shown("overview", "Component health", 0, "DOWN", "red", "Scheduler"),
    Shown("overview", "Component health", 1, "up", "green", "Scheduler"),
    Shown("overview", "Firing alerts", "critical", "critical", "red", "Severity"),
    Shown("slo", "Objectives", 0.6, "60%", "green", "Budget left"),
    Shown("slo", "Objectives", 0.1, "10%", "orange", "Budget left"),
    Shown("slo", "Objectives", -1, "≤ -100%", "red", "Budget left"),
    Shown("overview", "Tenants", -1, "≤ -100%", "red", "Budget"),
    Shown("team", "Worst budget", -1, "≤ -100%", "red"),
    Shown("team", "Worst budget", 0.4, "40%", "orange"),
    Shown("team", "Critical alerts", 1, "1", "red"),
    Shown("slo", "Objectives", -0.2, "-20%", "red", "Budget left"),
    Shown("slo", "Objectives", 14.4, "14.4", "red", "Burn rate 1 h"),
    Shown("slo", "Schedule delay", 95, "1.58 mins", "orange"),
    Shown("slo", "Schedule delay", 300, "5 mins", "red"),
    Shown("slo", "Canary, end to end", 150, "2.50 mins", "red"),
    Shown("capacity", "Full now", 0.96, "96%", "red"),
    Shown("capacity", "Database cache hits", 0.94, "94%", "orange"),
    Shown("capacity", "Volumes", 0.9, "90%", "red"),
    Shown("cost", "Volumes", 32212254720, "30 GiB", "blue"),
    Shown("cost", "Idle CPU", 0.57, "57%", "orange"),
    Shown("operator", "Leaders", 0, "0", "red"),
    Shown("operator", "Leaders", 1, "1", "green"),
    Shown("operator", "Leaders", 2, "2", "red"),
    Shown("operator", "Event loop lag", 0.004, "4 ms", "green"),
    Shown("operator", "Event loop lag", 6, "6 s", "red"),
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of dashboards/preview/tests."""
    return bundled_programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def formats(programs: Path) -> dict[str, Any]:
    """What @grafana/data writes for every case of SHOWN, its units and its colours."""
    boards = {
        board: load(GENERATED / "platform" / f"{board}.json") for board in {case.board for case in SHOWN}
    }
    cases = [_case(panel(boards[case.board], case.panel), case) for case in SHOWN]
    done = run("node", str(programs / "formats.mjs"), given=json.dumps({"cases": cases}))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _case(found: Json, case: Shown) -> Json:
    rules = found["fieldConfig"]["overrides"]
    assert case.column is None or case.column in [rule["matcher"]["options"] for rule in rules]
    config = copy.deepcopy(found["fieldConfig"])
    if found["type"] == "timeseries":
        config["defaults"]["color"] = {"mode": "thresholds"}  # which of its lines it has reached
    return {
        "type": found["type"],
        "fieldConfig": config,
        "column": case.column,
        "value": case.value,
    }


@pytest.mark.parametrize(
    "number", range(len(SHOWN)), ids=[f"{c.panel} {c.column or ''} {c.value}" for c in SHOWN]
)
def test_a_value_has_the_words_and_the_colour_of_its_threshold(number: int, formats: dict[str, Any]) -> None:
    case, shown = SHOWN[number], formats["shown"][number]
    assert (shown["text"], shown["color"]) == (case.text, formats["palette"][case.color])


def _units(board: Json) -> set[str]:
    found: set[str] = set()
    for one in panels(board):
        config = one.get("fieldConfig") or {"defaults": {}, "overrides": []}
        found.add(config["defaults"].get("unit"))
        found |= {
            prop["value"]
            for rule in config["overrides"]
            for prop in rule["properties"]
            if prop["id"] == "unit"
        }
    return {unit for unit in found if unit}


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_unit_is_one_of_grafanas(file: Path, formats: dict[str, Any]) -> None:
    units = {unit for unit in _units(load(file)) if not unit.startswith(_CUSTOM_UNITS)}
    assert units
    assert units <= set(formats["units"])


def test_grafana_does_not_know_every_unit(formats: dict[str, Any]) -> None:
    assert "secs" not in formats["units"]
    assert len(formats["units"]) > 200


def test_the_page_compiles_strictly() -> None:
    done = run("node_modules/.bin/tsc", "--noEmit", "--pretty", "false")
    assert done.stdout == ""
    assert done.returncode == 0


def test_the_page_substitutes_variables_and_draws_rows_as_grafana_does(programs: Path) -> None:
    files = sorted(str(path) for path in programs.glob("*.test.mjs"))
    done = run("node", "--test", "--test-reporter=tap", *files)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= 20


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((Path(BOARDS[0]).parents[2] / "preview" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("resolved" not in package and package["integrity"] for package in packages.values())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled page."""
    return build_page(tmp_path_factory.mktemp("page") / "page")


def _source(recorded: Recorded) -> Source:
    return Source(recorded.url, recorded.start, recorded.end, recorded.step)


@pytest.mark.covers("G-12")
def test_a_teams_board_is_drawn_from_the_recording_in_a_browser(
    page: Path, recorded: Recorded, tmp_path: Path
) -> None:
    assert Path(browser()).exists()
    (drawn,) = draw(page, _source(recorded), [team_picture(tmp_path, tmp_path)])
    assert drawn["problems"] == []
    assert (tmp_path / "team-payments.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert drawn["width"] == 1600
    assert drawn["height"] > 1000


def test_what_the_page_cannot_draw_is_said_and_fails(page: Path, recorded: Recorded, tmp_path: Path) -> None:
    board = load(GENERATED / "platform" / "operator.json")
    one, other, third, *_ = panels(board)
    one["type"] = "geomap"
    other["targets"][0]["expr"] = "sum("
    third["options"]["sparkle"] = True
    board["panels"] = [one, other, third]
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(board))
    (drawn,) = draw(page, _source(recorded), [Picture("broken", file, tmp_path / "broken.png", "x", {})])
    said = "\n".join(drawn["problems"])
    assert f'{one["title"]}: Panel type "geomap" is not supported' in said
    assert f"{other['title']}: Error: " in said
    assert f'{third["title"]}: "sparkle" is not supported' in said


def test_an_unknown_board_is_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no board nothing; there are capacity"):
        pictures(tmp_path, tmp_path, ["nothing"])
