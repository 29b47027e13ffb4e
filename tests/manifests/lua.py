"""Argo CD's Lua sandbox and the rules of its customization tests, in this process.

Same as util/lua/lua.go of Argo CD v3.5.7: Lua 5.1 with the base and table libraries, `require`, and `os` with
nothing but `time` and `date`; no string, math, io or debug library, not even as methods of a text. The object
is the global `obj`. Tables become JSON by the rule of gopher-json: with an element 1 it is an array, so is
an empty one.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lupa import lua51

Object = dict[str, Any]

#: Globals that neither base nor table bring.
_CLOSED = ("string", "math", "io", "debug", "coroutine")
_SANDBOX = f"""
getmetatable("").__index = nil
local safe = {{ time = os.time, date = os.date }}
package.preload.os = function() return safe end
for _, name in ipairs({{ {", ".join(f'"{name}"' for name in (*_CLOSED, "os"))} }}) do
  package.loaded[name] = nil
  _G[name] = nil
end
os = safe
"""
HEALTH = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown")


class LuaFailed(Exception):
    """The script raised an error, or returned something that Argo CD does not take."""


def execute(script: str, obj: Mapping[str, Any]) -> Any:
    """What the script returns for this object, as JSON data. Raises LuaFailed."""
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    runtime.execute(_SANDBOX)
    runtime.globals().obj = _to_lua(runtime, obj)
    runtime.globals().python = None
    try:
        returned = runtime.execute(script)
    except lua51.LuaError as error:
        raise LuaFailed(str(error)) from error
    if lua51.lua_type(returned) != "table":
        raise LuaFailed(f"expect table output from Lua script, not {lua51.lua_type(returned) or 'nil'}")
    return _from_lua(returned)


def health(folder: Path, obj: Mapping[str, Any]) -> tuple[str, str]:
    """Status and message that health.lua of a kind gives."""
    found = execute((folder / "health.lua").read_text(), obj)
    assert found["status"] in HEALTH, found
    return found["status"], found.get("message", "")


def discover(folder: Path, obj: Mapping[str, Any]) -> dict[str, Object]:
    """The actions that discovery.lua offers, by name."""
    found = execute((folder / "actions" / "discovery.lua").read_text(), obj)
    return dict(found) if found else {}


def act(folder: Path, action: str, obj: Mapping[str, Any]) -> Object:
    """The object after an action, as Argo CD cleans it before it patches."""
    changed = execute((folder / "actions" / action / "action.lua").read_text(), obj)
    cleaned: Object = _clean(changed, obj)
    return cleaned


def _to_lua(runtime: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return runtime.table_from({key: _to_lua(runtime, item) for key, item in value.items()})
    if isinstance(value, list):
        return runtime.table_from([_to_lua(runtime, item) for item in value])
    return value


def _from_lua(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    if value[1] is not None or not len(list(value.keys())):
        return [_from_lua(item) for _, item in sorted(value.items())]
    return {key: _from_lua(item) for key, item in value.items()}


def _clean(new: Any, old: Any) -> Any:
    """An empty table is an array for gopher-json; where the object had a map, Argo CD makes it one again."""
    if isinstance(new, list) and not new and isinstance(old, Mapping):
        return {}
    if isinstance(new, dict) and isinstance(old, Mapping):
        return {key: _clean(item, old[key]) if key in old else item for key, item in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [_clean(item, old[i]) if i < len(old) else item for i, item in enumerate(new)]
    return new


@functools.cache
def _parsed(file: Path) -> Object:
    parsed: Object = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    return parsed


def read(file: Path) -> Object:
    """A YAML file with one object; the caller may change what it gets."""
    return copy.deepcopy(_parsed(file))


@dataclass(frozen=True)
class Case:
    """One entry of a health_test.yaml or action_test.yaml."""

    folder: Path
    name: str
    test: Mapping[str, Any]

    def load(self, key: str) -> Object:
        """The object that a path of the entry names."""
        base = self.folder if "healthStatus" in self.test else self.folder / "actions"
        return read(base / self.test[key])


def cases(root: Path, file: str, kind: str) -> Iterator[Case]:
    """The entries below `kind` of every such file, in Argo CD's own layout."""
    for found in sorted(root.glob(f"*/*/{file}")):
        folder = found.parent.parent if found.parent.name == "actions" else found.parent
        for test in yaml.safe_load(found.read_text()).get(kind) or []:
            action = f"{test['action']}-" if "action" in test else ""
            yield Case(folder, f"{folder.name}-{action}{Path(test['inputPath']).stem}", test)
