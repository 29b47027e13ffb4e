"""A file as the rules see it: text, syntax tree, comments for the linter."""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from functools import cached_property

_SUPPRESS = re.compile(r"#\s*dag-lint:\s*ignore\s*(?:\[([^\]]*)\])?\s*(?:reason:\s*(.*))?", re.IGNORECASE)
_MARKER = re.compile(r"#\s*dag-lint:\s*idempotent\b\s*(?:reason:\s*(.*))?", re.IGNORECASE)
# A comment that is meant for the linter, also when its name, the colon or the word is misspelt.
_ANY = re.compile(r"#\s*dag[-_ ]?lint\b", re.IGNORECASE)
_MEANT = re.compile(r"#\s*(dag[-_ ]?lint)\s*(:?)\s*([a-z_-]+)\s*(\[?)", re.IGNORECASE)
_ALIKE = ("ignore", "idempotent", "disable", "noqa", "skip", "suppress")


@dataclass
class Suppression:
    """A comment `# dag-lint: ignore[L-04] reason: ...`. `line` is the line of code that it speaks of."""

    line: int
    comment_line: int
    rules: tuple[str, ...]
    reason: str
    used: set[str] = field(default_factory=set)
    misspelt: bool = False


@dataclass
class SyntaxProblem:
    """Why a file could not be read as Python 3."""

    line: int
    col: int
    message: str


def _misspelt(comment: str) -> bool:
    """Whether a comment is meant to suppress or to mark something and does neither."""
    meant = _MEANT.search(comment)
    if meant is None or _MARKER.search(comment):
        return False
    alike = difflib.get_close_matches(meant[3].lower(), _ALIKE, n=1, cutoff=0.75)
    return bool(alike) and bool(meant[2] or meant[4])


class Source:
    """One Python file. `tree` is None when it is not valid Python 3; then `problem` says why."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree: ast.Module | None = None
        self.problem: SyntaxProblem | None = None
        self._parse()

    def _parse(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.tree = ast.parse(self.text, filename=self.path)
        except SyntaxError as error:
            self.problem = SyntaxProblem(error.lineno or 1, max(error.offset or 1, 1), error.msg or "invalid")
        except (ValueError, RecursionError, MemoryError) as error:
            self.problem = SyntaxProblem(1, 1, str(error) or type(error).__name__)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file as the parser counts them, without line ends."""
        return [line.rstrip("\r\n") for line in io.StringIO(self.text, newline=None)]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that each node lies in."""
        if self.tree is None:
            return {}
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, outer ones first."""
        return list(ast.walk(self.tree)) if self.tree is not None else []

    def of_type(self, *types: type[ast.AST]) -> list[ast.AST]:
        """Every node of one of these exact types."""
        found: list[ast.AST] = []
        for kind in types:
            found.extend(self._by_type.get(kind, ()))
        return found

    @cached_property
    def _by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        table: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self.nodes:
            table.setdefault(type(node), []).append(node)
        return table

    @cached_property
    def docstrings(self) -> set[ast.AST]:
        """String constants that stand alone as statements: documentation, not data."""
        return {
            node.value
            for node in self.nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }

    def column(self, line: int, byte_col: int) -> int:
        """The character column of a byte column of the parser."""
        if not 1 <= line <= len(self.lines):
            return byte_col
        text = self.lines[line - 1]
        return byte_col if text.isascii() else len(text.encode()[:byte_col].decode(errors="ignore"))

    @cached_property
    def comments(self) -> list[tuple[int, bool, str]]:
        """Comments that speak to the linter: line, whether the line holds nothing else, text."""
        if not _ANY.search(self.text):
            return []
        found: list[tuple[int, bool, str]] = []
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
                if token.type == tokenize.COMMENT and _ANY.search(token.string):
                    alone = not token.line[: token.start[1]].strip()
                    found.append((token.start[0], alone, token.string))
        except (tokenize.TokenError, SyntaxError):
            pass
        return found

    @cached_property
    def suppressions(self) -> list[Suppression]:
        """The `ignore` comments. One on a line of its own speaks of the next line of code."""
        found = []
        for line, alone, text in self.comments:
            match = _SUPPRESS.search(text)
            if match is None:
                if _misspelt(text):
                    found.append(Suppression(line, line, (), "", misspelt=True))
                continue
            rules = tuple(part.strip().upper() for part in (match[1] or "").split(",") if part.strip())
            found.append(Suppression(self._code_line(line, alone), line, rules, (match[2] or "").strip()))
        return found

    @cached_property
    def idempotent_lines(self) -> list[int]:
        """Lines of code that a `# dag-lint: idempotent reason: ...` comment speaks of."""
        return [
            self._code_line(line, alone)
            for line, alone, text in self.comments
            if (match := _MARKER.search(text)) and (match[1] or "").strip()
        ]

    def _code_line(self, line: int, alone: bool) -> int:
        if not alone:
            return line
        for number in range(line, len(self.lines)):
            text = self.lines[number].strip()
            if text and not text.startswith("#"):
                return number + 1
        return line
