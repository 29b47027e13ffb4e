"""Certain repairs, made in the concrete syntax tree: formatting and comments stay as they are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import CodePosition, MetadataWrapper, PositionProvider

from dag_lint.findings import Finding, Fix

KINDS = (
    "rename_kwarg", "remove_kwarg", "remove_dict_item", "add_kwarg", "replace_string", "replace_attr",
    "move_import", "template_name", "call_notify",
)  # fmt: skip
_MAX_PASSES = 6


def fix_text(text: str, findings: Callable[[str], list[Finding]]) -> tuple[str, int]:
    """Repair a text until nothing certain is left. `findings` lints it. Returns the text and the repairs.

    A pass whose result does not parse is dropped, so the result is always valid Python.
    """
    made = 0
    for _ in range(_MAX_PASSES):
        fixes = _distinct(findings(text))
        if not fixes:
            break
        new, count = apply(text, fixes)
        if new == text or not count:
            break
        try:
            compile(new, "<fixed>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            break
        text, made = new, made + count
    return text, made


def _distinct(findings: list[Finding]) -> list[Fix]:
    fixes: dict[tuple[str, int, int, tuple[str, ...]], Fix] = {}
    for finding in findings:
        if finding.fix is not None:
            fix = finding.fix
            fixes.setdefault((fix.kind, fix.line, fix.col, fix.data), fix)
    return list(fixes.values())


def apply(text: str, fixes: Sequence[Fix]) -> tuple[str, int]:
    """Apply repairs to a text; what does not find its node any more is left out."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(text))
    except (cst.ParserSyntaxError, RecursionError):
        return text, 0
    transformer = _Transformer(fixes)
    return wrapper.visit(transformer).code, transformer.done


def diff(path: Path, old: str, new: str) -> str:
    """The change as a unified diff."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{path.as_posix()}",
        f"b/{path.as_posix()}",
    )
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    )


class _Transformer(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, fixes: Sequence[Fix]) -> None:
        super().__init__()
        self.done = 0
        self.by_place: dict[tuple[int, int], list[Fix]] = {}
        for fix in fixes:
            self.by_place.setdefault((fix.line, fix.col), []).append(fix)

    def _fixes(self, node: cst.CSTNode, *kinds: str) -> list[Fix]:
        place: CodePosition = self.get_metadata(PositionProvider, node).start
        return [fix for fix in self.by_place.get((place.line, place.column), []) if fix.kind in kinds]

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:  # noqa: N802
        for fix in self._fixes(original_node, "rename_kwarg", "remove_kwarg"):
            if updated_node.keyword is None or updated_node.keyword.value != fix.data[0]:
                continue
            self.done += 1
            if fix.kind == "remove_kwarg":
                return cst.RemoveFromParent()
            updated_node = updated_node.with_changes(keyword=cst.Name(fix.data[1]))
        return updated_node

    def leave_DictElement(self, original_node: cst.DictElement, updated_node: cst.DictElement) -> Any:  # noqa: N802
        for fix in self._fixes(original_node.key, "remove_dict_item"):
            key = original_node.key
            if isinstance(key, cst.SimpleString) and key.evaluated_value == fix.data[0]:
                self.done += 1
                return cst.RemoveFromParent()
        return updated_node

    def leave_Dict(self, original_node: cst.Dict, updated_node: cst.Dict) -> cst.BaseExpression:  # noqa: N802
        old, new = original_node.elements, list(updated_node.elements)
        if new and len(new) < len(old):
            new[-1] = new[-1].with_changes(comma=old[-1].comma)
        return updated_node.with_changes(elements=new)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:  # noqa: N802
        old, new = original_node.args, list(updated_node.args)
        if new and len(new) < len(old):
            end = old[-1].whitespace_after_arg
            new[-1] = new[-1].with_changes(comma=old[-1].comma, whitespace_after_arg=end)
            updated_node = updated_node.with_changes(args=new)
        for fix in self._fixes(original_node, "add_kwarg", "call_notify"):
            if fix.kind == "call_notify":
                if _notifies(updated_node):
                    continue
                self.done += 1
                context = cst.Arg(cst.Name("context"))
                return cst.Call(cst.Attribute(updated_node, cst.Name("notify")), [context])
            name, value = fix.data
            if any(arg.keyword is not None and arg.keyword.value == name for arg in updated_node.args):
                continue
            self.done += 1
            updated_node = _with_argument(updated_node, name, value)
        return updated_node

    def leave_SimpleString(  # noqa: N802
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.BaseExpression:
        text = updated_node.value
        for fix in self._fixes(original_node, "replace_string", "template_name"):
            if fix.kind == "template_name":
                new = _in_template(text, fix.data[0], fix.data[1])
            else:
                new = (
                    text.replace(fix.data[0], fix.data[1])
                    if original_node.evaluated_value == fix.data[0]
                    else text
                )
            self.done += new != text
            text = new
        return updated_node.with_changes(value=text)

    def leave_Attribute(  # noqa: N802
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        for fix in self._fixes(original_node, "replace_attr"):
            if updated_node.attr.value == fix.data[0]:
                self.done += 1
                updated_node = updated_node.with_changes(attr=cst.Name(fix.data[1]))
        return updated_node

    def leave_SimpleStatementLine(  # noqa: N802
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Any:
        if len(updated_node.body) != 1 or not isinstance(updated_node.body[0], cst.ImportFrom):
            return updated_node
        for fix in self._fixes(original_node.body[0], "move_import"):
            lines = _moved(updated_node, updated_node.body[0], fix.data)
            if lines:
                self.done += 1
                return cst.FlattenSentinel(lines)
        return updated_node


def _notifies(node: cst.Call) -> bool:
    return isinstance(node.func, cst.Attribute) and node.func.attr.value == "notify"


def _with_argument(call: cst.Call, name: str, value: str) -> cst.Call:
    """The call with one more keyword, laid out like its other arguments."""
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(cst.parse_expression(value), keyword=cst.Name(name), equal=equal)
    args = list(call.args)
    spread = next((i for i, arg in enumerate(args) if arg.star == "**"), len(args))
    if not args:
        return call.with_changes(args=[new])
    comma = args[0].comma if len(args) > 1 else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    last = args[-1]
    if spread < len(args):
        args.insert(spread, new.with_changes(comma=comma))
    elif isinstance(last.comma, cst.Comma):
        # A trailing comma: the new argument takes it over, with the white space before the bracket.
        separator = comma
        if len(args) == 1 and isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
            separator = cst.Comma(whitespace_after=call.whitespace_before_args)
        args[-1] = last.with_changes(comma=separator)
        args.append(new.with_changes(comma=last.comma))
    else:
        ending = last.whitespace_after_arg
        args[-1] = last.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))
        args.append(new.with_changes(whitespace_after_arg=ending))
    return call.with_changes(args=args)


def _in_template(text: str, old: str, new: str) -> str:
    """Rename in the Jinja blocks of a string literal only, outside quotes inside of them."""
    pattern = re.compile(rf"(?<![\w.'\"]){re.escape(old)}(?![\w'\"=])")

    def block(match: re.Match[str]) -> str:
        parts = re.split(r"('[^']*'|\"[^\"]*\")", match[0])
        return "".join(part if part[:1] in "'\"" and part else pattern.sub(new, part) for part in parts)

    return re.sub(r"\{\{.*?\}\}|\{%.*?%\}", block, text, flags=re.DOTALL)


def _moved(
    line: cst.SimpleStatementLine, node: cst.ImportFrom, data: tuple[str, ...]
) -> list[cst.SimpleStatementLine] | None:
    """The import split by new module; names that did not move stay."""
    if isinstance(node.names, cst.ImportStar):
        return None
    table = {data[i]: (data[i + 1], data[i + 2]) for i in range(0, len(data), 3)}
    groups: dict[str, list[cst.ImportAlias]] = {}
    kept: list[cst.ImportAlias] = []
    for alias in node.names:
        name = alias.evaluated_name
        if name not in table:
            kept.append(alias)
            continue
        module, new = table[name]
        local = alias.evaluated_alias or name
        spaced = (
            cst.AsName(cst.Name(local), cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))
            if local != new
            else None
        )
        groups.setdefault(module, []).append(cst.ImportAlias(cst.Name(new), spaced))
    if not groups:
        return None
    statements: list[cst.ImportFrom] = []
    if kept:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        statements.append(node.with_changes(names=kept))
    single = not kept and len(groups) == 1
    for module, aliases in groups.items():
        names = [a.with_changes(comma=cst.MaybeSentinel.DEFAULT) for a in aliases]
        if single and all(
            alias.evaluated_name == a.evaluated_name for alias, a in zip(node.names, aliases, strict=True)
        ):
            statements.append(node.with_changes(module=_dotted(module)))
        elif single:
            statements.append(node.with_changes(module=_dotted(module), names=names))
        else:
            statements.append(cst.ImportFrom(module=_dotted(module), names=names))
    lines = [cst.SimpleStatementLine([statement]) for statement in statements]
    lines[0] = lines[0].with_changes(leading_lines=line.leading_lines)
    lines[-1] = lines[-1].with_changes(trailing_whitespace=line.trailing_whitespace)
    return lines


def _dotted(module: str) -> cst.Attribute | cst.Name:
    made = cst.parse_expression(module)
    if not isinstance(made, cst.Attribute | cst.Name):
        raise TypeError(module)
    return made
