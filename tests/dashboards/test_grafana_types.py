"""Every generated dashboard is what Grafana's own types say: `tsc --strict` against @grafana/schema."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.dashboards.grafana_node import BOARDS, PREVIEW, Json, load, panels, run

_OPTIONS = {
    "strict": True,
    "noEmit": True,
    "module": "ESNext",
    "target": "ES2022",
    "moduleResolution": "Bundler",
    "types": [],
    "skipLibCheck": True,
}


def _first(board: Json, kind: str) -> Json:
    return next(panel for panel in panels(board) if panel["type"] == kind)


def _variable_key(board: Json) -> None:
    board["templating"]["list"][0]["auto"] = False


def _board_key(board: Json) -> None:
    board["refesh"] = "1m"


def _legend_mode(board: Json) -> None:
    _first(board, "timeseries")["options"]["legend"]["displayMode"] = "tabel"


def _option(board: Json) -> None:
    _first(board, "stat")["options"]["sparkline"] = True


def _line_width(board: Json) -> None:
    _first(board, "timeseries")["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "2"


def _other_panels_option(board: Json) -> None:
    _first(board, "table")["fieldConfig"]["defaults"]["custom"]["fillOpacity"] = 8


def _override(board: Json) -> None:
    properties = [{"id": "custom.cellOption", "value": {"type": "auto"}}]
    rule = {"matcher": {"id": "byName", "options": "Tenant"}, "properties": properties}
    _first(board, "table")["fieldConfig"]["overrides"].append(rule)


def _unit(board: Json) -> None:
    _first(board, "stat")["fieldConfig"]["defaults"]["unit"] = 1


def _threshold(board: Json) -> None:
    _first(board, "stat")["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["colour"] = "red"


def _query_format(board: Json) -> None:
    _first(board, "table")["targets"][0]["format"] = "tables"


def _panel_type(board: Json) -> None:
    _first(board, "timeseries")["type"] = "graph"


# Each name is what is wrong; the second is what the compiler must name.
WRONG: dict[str, tuple[Callable[[Json], None], str]] = {
    "a variable has a key that Grafana does not have": (_variable_key, "auto"),
    "the board has a key that Grafana does not have": (_board_key, "refesh"),
    "a legend has a mode that does not exist": (_legend_mode, "displayMode"),
    "a panel has an option that its type does not have": (_option, "sparkline"),
    "a number is a string": (_line_width, "lineWidth"),
    "a field option belongs to another panel type": (_other_panels_option, "fillOpacity"),
    "an override sets a property that does not exist": (_override, "custom.cellOption"),
    "a unit is no string": (_unit, "unit"),
    "a threshold has a misspelt key": (_threshold, "colour"),
    "a query has an unknown format": (_query_format, "tables"),
    "a panel type is retired": (_panel_type, "graph"),
}


def _name(board: Path) -> str:
    return f"{board.parent.name}-{board.stem}"


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """tsc's complaints by board, for all boards and all wrong copies in one run."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "node_modules").symlink_to(PREVIEW / "node_modules")
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": _OPTIONS, "include": ["*.ts"]}))
    cases = {_name(board): load(board) for board in BOARDS}
    sound = next(board for name, board in cases.items() if name == "platform-overview")
    for number, (change, _) in enumerate(WRONG.values()):
        cases[f"wrong-{number}"] = copy.deepcopy(sound)
        change(cases[f"wrong-{number}"])
    for name, board in cases.items():
        source = f"import type {{ Board }} from '{PREVIEW}/types/board';\nexport const board: Board = "
        (folder / f"{name}.ts").write_text(source + json.dumps(board, indent=1) + ";\n")
    done = run("node_modules/.bin/tsc", "-p", str(folder), "--pretty", "false")
    found: dict[str, list[str]] = {name: [] for name in cases}
    for error in re.split(r"\n(?=\S)", done.stdout.strip()) if done.stdout.strip() else []:
        file, line = re.match(r"(.+?)\((\d+),", error).groups()  # type: ignore[union-attr]
        source = (PREVIEW / file).read_text().splitlines()[int(line) - 1]
        found[Path(file).stem].append(f"{source.strip()}: {error}")
    return found


def test_the_platform_and_the_teams_have_their_boards() -> None:
    names = {_name(board) for board in BOARDS}
    platform = {"overview", "team", "slo", "capacity", "cost", "operator"}
    assert names == {f"platform-{board}" for board in platform} | {
        f"team-{board}" for board in platform - {"overview", "operator"}
    }


@pytest.mark.covers("G-12")
@pytest.mark.parametrize("board", BOARDS, ids=_name)
def test_a_board_is_what_grafana_takes(board: Path, errors: dict[str, list[str]]) -> None:
    assert errors[_name(board)] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=list(WRONG))
def test_a_wrong_board_is_refused(number: int, errors: dict[str, list[str]]) -> None:
    named = list(WRONG.values())[number][1]
    found = errors[f"wrong-{number}"]
    assert any(named in error for error in found), found
