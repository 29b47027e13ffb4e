"""The customization of AirflowTenant for Argo CD, run on what a real operator wrote, as upstream runs it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.airflow.environment import ROOT
from tests.manifests import lua
from tests.manifests.argocd_capture import CUSTOMIZATION, NO_TIME, TESTDATA

from tenant_operator.core import names
from tenant_operator.plan.intent import Known
from tenant_operator.plan.tenant import parse

FOLDER = ROOT / "manifests" / "argocd"
LUA = FOLDER / "resource_customizations"
DEFINITION = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"
ACTIONS = {path.parent.name for path in CUSTOMIZATION.glob("actions/*/action.lua")}
STATES = sorted(path.stem for path in TESTDATA.glob("*.yaml"))

HEALTH = list(lua.cases(LUA, "health_test.yaml", "tests"))
DISCOVERY = list(lua.cases(LUA, "actions/action_test.yaml", "discoveryTests"))
ACTION = list(lua.cases(LUA, "actions/action_test.yaml", "actionTests"))

Object = dict[str, Any]


def load(state: str) -> Object:
    return lua.read(TESTDATA / f"{state}.yaml")


def schema() -> Object:
    (version,) = lua.read(DEFINITION)["spec"]["versions"]
    found: Object = version["schema"]["openAPIV3Schema"]
    return found


def closed(part: Any) -> Any:
    """The schema without room for fields that it does not name."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    result = {key: closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        result.setdefault("additionalProperties", False)
    return result


@pytest.mark.parametrize("case", HEALTH, ids=[case.name for case in HEALTH])
def test_health_point_1(case: lua.Case) -> None:
    expected = case.test["healthStatus"]
    assert lua.health(case.folder, case.load("inputPath")) == (expected["status"], expected["message"])


@pytest.mark.parametrize("case", DISCOVERY, ids=[case.name for case in DISCOVERY])
def test_offered_actions_point_2(case: lua.Case) -> None:
    expected = {
        action["name"]: {key: value for key, value in action.items() if key != "name"}
        for action in case.test["result"]
    }
    assert lua.discover(case.folder, case.load("inputPath")) == expected


@pytest.mark.parametrize("case", ACTION, ids=[case.name for case in ACTION])
def test_action_point_2(case: lua.Case) -> None:
    before = case.load("inputPath")
    if "expectedErrorMessage" in case.test:
        with pytest.raises(lua.LuaFailed, match=f"^{re.escape(case.test['expectedErrorMessage'])}$"):
            lua.act(case.folder, case.test["action"], before)
        return
    after = lua.act(case.folder, case.test["action"], before)
    for name, value in after["metadata"]["annotations"].items():
        if name.endswith("-requested-at"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)
            after["metadata"]["annotations"][name] = NO_TIME
    assert after == case.load("expectedOutputPath")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_an_action_touches_annotations_only_and_they_stay_a_map(action: str, state: str) -> None:
    before = load(state)
    if action == "roll-back-dags" and not any(
        source.get("previousCommit") for source in before["status"].get("dags", [])
    ):
        with pytest.raises(lua.LuaFailed, match="previous commit"):
            lua.act(CUSTOMIZATION, action, before)
        return
    after = lua.act(CUSTOMIZATION, action, before)
    annotations = after["metadata"].pop("annotations", {})
    before["metadata"].pop("annotations", None)
    assert after == before
    assert isinstance(annotations, dict), "Kubernetes refuses annotations: []"


def test_every_action_is_offered_and_tested() -> None:
    assert set(lua.discover(CUSTOMIZATION, load("ready"))) == ACTIONS
    assert {case.test["action"] for case in ACTION} == ACTIONS
    assert len(ACTIONS) == 8


@pytest.mark.parametrize("state", STATES)
def test_what_the_menu_offers_works(state: str) -> None:
    obj = load(state)
    for action, shown in lua.discover(CUSTOMIZATION, obj).items():
        if not shown["disabled"]:
            after = lua.act(CUSTOMIZATION, action, obj)["metadata"].get("annotations", {})
            stamped = action in {"reconcile-now", "sync-dags-now"}
            assert stamped or after != obj["metadata"].get("annotations", {}), f"{action} changes nothing"


def test_suspend_and_resume_and_hibernate_and_wake_undo_each_other() -> None:
    ready = load("ready")
    for there, back in (("suspend", "resume"), ("hibernate", "wake"), ("roll-back-dags", "follow-dags")):
        gone = lua.act(CUSTOMIZATION, there, ready)
        again = lua.act(CUSTOMIZATION, back, gone)
        assert again["metadata"].pop("annotations") == {}, there
        assert again == ready


def test_a_roll_back_names_git_sources_of_the_spec_only() -> None:
    obj = load("ready")
    (source,) = obj["status"]["dags"]
    obj["spec"]["dags"]["sources"] += [
        {"name": "second", "gitSync": {"repo": "https://git.example.com/x.git"}},
        {"name": "library", "image": {"path": "/opt"}},
    ]
    obj["status"]["dags"] += [
        {**source, "name": "second", "previousCommit": "b" * 40, "commit": ""},
        {**source, "name": "library", "previousCommit": "c" * 40},
        {**source, "name": "gone", "previousCommit": "d" * 40},
    ]
    after = lua.act(CUSTOMIZATION, "roll-back-dags", obj)
    value = f"main={source['previousCommit']}@{source['commit']},second={'b' * 40}"
    assert after["metadata"]["annotations"] == {names.ANNOTATION_DAG_REVISIONS: value}


def test_the_operator_takes_a_roll_back_only_while_airflow_has_the_commit_of_the_menu() -> None:
    obj = lua.act(CUSTOMIZATION, "roll-back-dags", load("ready"))
    obj["metadata"]["uid"] = "u"
    (source,) = obj["status"]["dags"]
    for has, held in ((source["commit"], {"main": source["previousCommit"]}), ("f" * 40, {})):
        assert parse(obj, Known({"main": has})).intent.commits == held


def test_an_object_that_no_operator_has_seen_is_progressing() -> None:
    assert lua.health(CUSTOMIZATION, {"metadata": {"generation": 1}, "spec": {}})[0] == "Progressing"
    assert lua.health(CUSTOMIZATION, {"metadata": {}, "status": {}})[0] == "Progressing"


def test_what_is_asleep_and_wrong_is_degraded() -> None:
    """Suspended would hide that somebody must act."""
    obj = load("hibernated")
    stalled = load("stalled")["status"]["conditions"]
    obj["status"]["conditions"] = stalled
    assert lua.health(CUSTOMIZATION, obj)[0] == "Degraded"


@pytest.mark.parametrize(
    ("state", "action", "waits_for"),
    [
        ("hibernated", "wake", "wake it"),
        ("hibernated_by_annotation", "wake", "wake it"),
        ("suspended", "resume", "resume it"),
        ("suspended_by_annotation", "resume", "resume it"),
        ("ready", "hibernate", "put it to sleep"),
        ("held", "hibernate", "put it to sleep"),
    ],
)
def test_right_after_an_action_nobody_takes_the_old_state_for_the_new(
    state: str, action: str, waits_for: str
) -> None:
    """An annotation raises no generation, and `argocd app wait --health` would return at once."""
    after = lua.act(CUSTOMIZATION, action, load(state))
    assert lua.health(CUSTOMIZATION, after) == ("Progressing", f"Waiting for the operator to {waits_for}")


def test_right_after_suspend_it_is_suspended() -> None:
    status, message = lua.health(CUSTOMIZATION, lua.act(CUSTOMIZATION, "suspend", load("ready")))
    assert (status, message.split(":")[0]) == ("Suspended", "Suspended")


def test_stalled_wins_over_reconciling_and_ready() -> None:
    obj = load("stalled")
    by_type = {condition["type"]: condition for condition in obj["status"]["conditions"]}
    by_type["Ready"]["status"] = "Unknown"
    obj["status"]["conditions"] += [{**by_type["Stalled"], "type": "Reconciling"}]
    assert lua.health(CUSTOMIZATION, obj)[0] == "Degraded"


def test_a_mistake_is_told_of_a_tenant_that_is_to_sleep() -> None:
    obj = lua.act(CUSTOMIZATION, "hibernate", load("ready"))
    obj["status"]["conditions"] = load("stalled")["status"]["conditions"]
    assert lua.health(CUSTOMIZATION, obj)[0] == "Degraded"


def test_an_application_that_somebody_suspended_holds_up_no_wave() -> None:
    folder = LUA / "argoproj.io" / "Application"
    assert {case.folder for case in HEALTH} == {folder, CUSTOMIZATION}
    suspended = next(case for case in HEALTH if case.name == "Application-suspended")
    assert suspended.test["healthStatus"]["status"] == "Healthy"


def test_every_captured_state_is_tested() -> None:
    tested = {Path(case.test["inputPath"]).stem for case in HEALTH if case.folder == CUSTOMIZATION}
    assert tested == set(STATES)
    used = {
        Path(case.test["expectedOutputPath"]).stem for case in ACTION if "expectedOutputPath" in case.test
    }
    assert used == {path.stem for path in (CUSTOMIZATION / "actions" / "testdata").glob("*.yaml")}


@pytest.mark.parametrize("state", STATES)
def test_a_captured_state_fits_the_definition(state: str) -> None:
    definition = closed(schema())
    # The API server's own fields: the definition leaves them open, and gives kind and version a name only.
    definition["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(load(state), definition)


def test_the_capture_knows_every_field_of_the_status() -> None:
    properties = schema()["properties"]["status"]["properties"]
    ready = load("ready")["status"]
    assert set(ready) == set(properties), "run `python -m tests.manifests.argocd_capture`"
    (source,) = ready["dags"]
    assert set(source) == set(properties["dags"]["items"]["properties"])


def test_the_lua_speaks_of_annotations_that_the_operator_reads() -> None:
    known = {
        value
        for name, value in vars(names).items()
        if name.startswith("ANNOTATION_") and isinstance(value, str)
    }
    text = "".join(path.read_text() for path in CUSTOMIZATION.rglob("*.lua"))
    spoken = set(re.findall(r"airflowtenants\.io/[a-z-]+", text))
    assert spoken <= known
    assert spoken == {
        names.ANNOTATION_SUSPEND,
        names.ANNOTATION_STATE,
        names.ANNOTATION_RECONCILE,
        names.ANNOTATION_DAG_SYNC,
        names.ANNOTATION_DAG_REVISIONS,
    }


@pytest.mark.parametrize(
    "script",
    [
        'return {a = ("x"):len()}',
        'return {a = string.len("x")}',
        'return {a = require("io")}',
        'return {a = require("string")}',
        "return {a = math.huge}",
        'return {a = io.open("x")}',
        "return {a = os.execute()}",
        'return {a = require("os").getenv("HOME")}',
        "return {a = debug.traceback()}",
        "return {a = python.eval('1')}",
        "return 'text'",
    ],
)
def test_the_sandbox_is_as_narrow_as_argo_cds(script: str) -> None:
    with pytest.raises(lua.LuaFailed):
        lua.execute(script, {})


def test_the_sandbox_has_what_argo_cd_gives() -> None:
    script = (
        'return {time = require("os").time(), year = os.date("!%Y"), list = table.concat({"a", "b"}, ",")}'
    )
    found = lua.execute(script, {})
    assert (found["list"], len(found["year"])) == ("a,b", 4)
    assert isinstance(found["time"], int)


def test_generated_files_are_up_to_date() -> None:
    generate = runpy.run_path(str(FOLDER / "generate.py"))
    for path, text in generate["rendered"]().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_config_holds_every_lua_file_word_for_word() -> None:
    (cm,) = yaml.safe_load_all((FOLDER / "config/component/generated/customizations.yaml").read_text())
    data = cm["data"]
    kind = f"{names.GROUP}_{names.KIND}"
    assert data[f"resource.customizations.health.{kind}"] == (CUSTOMIZATION / "health.lua").read_text()
    actions = yaml.safe_load(data[f"resource.customizations.actions.{kind}"])
    assert actions["discovery.lua"] == (CUSTOMIZATION / "actions" / "discovery.lua").read_text()
    assert {item["name"]: item["action.lua"] for item in actions["definitions"]} == {
        name: (CUSTOMIZATION / "actions" / name / "action.lua").read_text() for name in ACTIONS
    }
