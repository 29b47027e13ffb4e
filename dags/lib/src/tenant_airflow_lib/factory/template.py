"""Two kinds of substitution, both when the file is parsed, both closed to everything that is not handed in.

- A file named `*.j2` is a Jinja template of YAML. It is rendered in Jinja's immutable sandbox: no imports and
  includes, no attributes that begin with an underscore, an undefined name is an error, and nothing in it
  differs between two renderings (no `random`, no clock). It sees `environment`, `vars`, `env` (allow-listed
  variables) and `runtime("ds")`, which leaves `{{ ds }}` in the text for Airflow to render at run time.
- In any definition `${vars.bucket}` within a value is replaced after the YAML is parsed, so that a value can
  never change the structure. `$${` is a literal `${`.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tenant_airflow_lib.factory.problems import DefinitionError, Mark, error
from tenant_airflow_lib.factory.source import MAX_BYTES, Node, Path_, path_text

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
_MAX_BITS = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")


class AllowedEnvironment:
    """Environment variables by name, those of the allow-list only."""

    def __init__(self, allowed: Collection[str], values: Mapping[str, str] | None = None) -> None:
        self._allowed = frozenset(allowed)
        self._values = os.environ if values is None else values

    def __getattr__(self, name: str) -> str:
        return self[name]

    def __getitem__(self, name: str) -> str:
        if name not in self._allowed:
            raise _NotAllowed(name)
        if name not in self._values:
            raise _NotSet(name)
        return self._values[name]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The variable, or `default` when it is not set; one that is not allow-listed is still an error."""
        try:
            return self[name]
        except _NotSet:
            return default


class _NotAllowed(Exception):
    pass


class _NotSet(Exception):
    pass


_CODES: dict[type[Exception], tuple[str, str]] = {
    _NotAllowed: (
        "environment-variable-not-allowed",
        "{0} is not on the allow-list; allow it by `dag-factory ... --allow-env {0}` and "
        '`Policy(environment_variables=("{0}",))` in Python',
    ),
    _NotSet: ("missing-environment-variable", "{} is not set"),
    UndefinedError: ("undefined-variable", "{}"),
    SecurityError: ("template-error", "{}"),
}


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses products and powers that are too large, before memory is taken for them."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, int) and isinstance(right, int):
            bits = abs(left).bit_length()
            if (bits * max(right, 0) if operator == "**" else bits + abs(right).bit_length()) > _MAX_BITS:
                raise SecurityError(f"{operator} with a result of more than {_MAX_BITS} bits")
        elif operator == "*":
            items, times = (left, right) if isinstance(right, int) else (right, left)
            if isinstance(times, int) and _length(items) * times > MAX_BYTES:
                raise SecurityError(f"* with a result of more than {MAX_BYTES} characters or items")
        return super().call_binop(context, operator, left, right)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple) else 0


def render(text: str, name: str, scope: Mapping[str, Any]) -> tuple[str, Callable[[int], int]]:
    """Render a Jinja template of YAML; also a function from a line of the result to a line of the template.

    Raises DefinitionError.
    """
    jinja = _Sandbox(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    del jinja.filters["random"]
    jinja.globals.clear()
    jinja.globals.update(range=_short_range, dict=dict, runtime=_runtime)
    try:
        template = jinja.from_string(text)
    except TemplateSyntaxError as exc:
        raise error("template-syntax", exc.message or "", Mark(name, exc.lineno, 1)) from exc
    lines = _Lines(template, text)
    try:
        return lines.render(scope)
    except DefinitionError:
        raise
    except Exception as exc:  # a template may raise anything, such as TypeError or ZeroDivisionError
        for kind, (code, message) in _CODES.items():
            if isinstance(exc, kind):
                raise error(code, message.format(exc), Mark(name, lines.current, 1)) from exc
        said = exc.message if isinstance(exc, TemplateError) else f"{type(exc).__name__}: {exc}"
        raise error("template-error", said or "", Mark(name, lines.current, 1)) from exc


def _runtime(expression: str) -> str:
    return "{{ " + expression + " }}"


def _short_range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > 1000:
        raise SecurityError("range() of more than 1000 numbers")
    return numbers


class _Lines:
    """Renders chunk by chunk and notes which line of the template wrote each line of the result."""

    def __init__(self, template: Template, source: str) -> None:
        self._template = template
        self._source = source.splitlines()
        self.current = 1

    def render(self, scope: Mapping[str, Any]) -> tuple[str, Callable[[int], int]]:
        context = self._template.new_context(dict(scope))
        chunks = self._template.root_render_func(context)
        done: list[str] = []
        starts, origins = [1], [1]  # a line of the result -> a line of the template
        line, size = 1, 0
        try:
            for chunk in chunks:
                self._at(chunks)
                size += len(chunk)
                if size > MAX_BYTES:
                    raise SecurityError(f"the template writes more than {MAX_BYTES} characters")
                origin = self._line_of(chunk)
                verbatim = origin is not None
                for offset, part in enumerate(chunk.split("\n")):
                    if part.strip() and (offset or starts[-1] != line):
                        starts.append(line + offset)
                        origins.append((origin or self.current) + (offset if verbatim else 0))
                line += chunk.count("\n")
                done.append(chunk)
        except BaseException as exc:
            self._failed(exc)
            raise

        def line_of(rendered: int) -> int:
            return origins[bisect_right(starts, rendered) - 1]

        return "".join(done), line_of

    def _at(self, chunks: Any) -> None:
        frame = chunks.gi_frame
        if frame is not None:
            self.current = self._template.get_corresponding_lineno(frame.f_lineno)

    def _failed(self, exc: BaseException) -> None:
        """The line of the innermost frame of the template, where Jinja names the template's own lines."""
        step = exc.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == "<template>":
                self.current = self._template.get_corresponding_lineno(step.tb_lineno)
            step = step.tb_next

    def _line_of(self, chunk: str) -> int | None:
        """The template's line in which a verbatim chunk begins: at the current one or shortly after it."""
        first = chunk.split("\n", 1)[0]
        for number in range(self.current, min(self.current + 20, len(self._source) + 1)):
            if first in self._source[number - 1]:
                return number
        return None


def substitute(node: Node, scope: Mapping[str, Any], path: Path_ = ()) -> Node:
    """Replace each `${name}` in the values below `node`; a value that is only `${name}` keeps its type.

    Raises DefinitionError with all names that could not be resolved.
    """
    problems: list[DefinitionError] = []
    result = _substitute(node, scope, path, problems)
    if problems:
        raise DefinitionError([problem for exc in problems for problem in exc.problems])
    return result


def _substitute(node: Node, scope: Mapping[str, Any], path: Path_, problems: list[DefinitionError]) -> Node:
    if isinstance(node.value, dict):
        entries = {
            key: _substitute(value, scope, (*path, key), problems) for key, value in node.value.items()
        }
        return replace(node, value=entries)
    if isinstance(node.value, list):
        items = [_substitute(item, scope, (*path, n), problems) for n, item in enumerate(node.value)]
        return replace(node, value=items)
    if not isinstance(node.value, str) or "${" not in node.value:
        return node

    def look_up(match: re.Match[str]) -> Any:
        if match[1]:
            return match[1]
        try:
            return _resolve(match[2], scope, node.mark, path_text(path))
        except DefinitionError as exc:
            problems.append(exc)
            return ""

    whole = _REFERENCE.fullmatch(node.value)
    if whole:
        return _as_node(look_up(whole), node.mark)
    return replace(node, value=_REFERENCE.sub(lambda match: str(look_up(match)), node.value))


def _as_node(value: Any, mark: Mark) -> Node:
    if isinstance(value, Mapping):
        return Node({key: _as_node(item, mark) for key, item in value.items()}, mark)
    if isinstance(value, list):
        return Node([_as_node(item, mark) for item in value], mark)
    return Node(value, mark)


def _resolve(reference: str, scope: Mapping[str, Any], mark: Mark, key: str) -> Any:
    name, has_default, default = reference.partition(":-")
    if not _NAME.fullmatch(name):
        raise error("undefined-variable", f"${{{reference}}} is no name; write a literal as $${{", mark, key)
    value: Any = scope
    for step in name.split("."):
        try:
            value = value[step]
        except (_NotAllowed, _NotSet) as exc:
            if has_default and isinstance(exc, _NotSet):
                return default
            code, message = _CODES[type(exc)]
            raise error(code, message.format(exc), mark, key) from exc
        except (KeyError, TypeError, IndexError) as exc:
            if has_default:
                return default
            known = ", ".join(sorted(value)) if isinstance(value, Mapping) else "nothing below it"
            message = f"${{{name}}}: there is no {step!r} (known: {known or 'nothing'})"
            raise error("undefined-variable", message, mark, key) from exc
    if isinstance(value, AllowedEnvironment):
        raise error("undefined-variable", "${env} needs a name: ${env.NAME}", mark, key)
    return value
