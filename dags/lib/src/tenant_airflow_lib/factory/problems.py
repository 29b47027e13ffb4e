"""What can be wrong with a definition file, each with a name, a place and a key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

CODES: dict[str, str] = {
    "unreadable-file": "The file does not exist, is no UTF-8 text or is larger than 1 MB.",
    "template-syntax": "The Jinja template cannot be compiled.",
    "template-error": "The Jinja template failed, or did something that the sandbox does not allow.",
    "undefined-variable": "A template or ${...} names a variable that is not defined here.",
    "environment-variable-not-allowed": "An environment variable that is not allow-listed was to be read.",
    "missing-environment-variable": "An allow-listed environment variable is not set and has no default.",
    "yaml-syntax": "The text is no YAML, or YAML of a kind that definitions must not use (tags, merge keys).",
    "duplicate-key": "A mapping has the same key twice; YAML would silently keep the last one.",
    "unknown-key": "No such key; a spelling mistake would otherwise be ignored.",
    "missing-key": "A required key is absent.",
    "wrong-value": "The value has the wrong type or is out of range.",
    "unsupported-format": "The file is written for another version of the format.",
    "unknown-environment": "The chosen environment is not one of the file's environments.",
    "unknown-template": "`extends` names a template that the file does not have.",
    "inheritance-cycle": "Templates extend each other in a circle.",
    "unknown-block": "`blocks` names a block that the file does not have.",
    "unknown-dag": "An environment overrides a DAG that the file does not have.",
    "duplicate-dag-id": "Two definitions lead to the same dag_id.",
    "duplicate-task-id": "Two tasks of one DAG have the same id.",
    "unknown-dependency": "A task depends on, or takes input from, a task that the DAG does not have.",
    "dependency-cycle": "Tasks wait for each other in a circle.",
    "bad-schedule": "The schedule is neither a preset, a cron expression nor a list of assets.",
    "unknown-operator": "The operator is not registered, and its path is not on the allow-list.",
    "operator-not-allowed": "The operator is built in, but the Python file does not allow it.",
    "operator-not-found": "The operator's path is allowed, but there is no such class.",
    "callable-not-allowed": "The callable's module is not on the allow-list.",
    "callable-not-found": "The module is allowed, but it has no such function.",
    "wrong-arguments": "The operator or the function does not take these arguments.",
    "wrong-param": "A param's schema is no JSON schema, or its default does not satisfy it.",
    "cannot-build": "Airflow itself refused the DAG.",
}


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One problem: `code` is a key of `CODES`, `key` the path to the value, as in `tasks[1].operator`."""

    code: str
    message: str
    mark: Mark
    key: str = ""
    dag_id: str = ""

    def __str__(self) -> str:
        subject = ": ".join(part for part in (self.dag_id, self.key) if part)
        return f"{self.mark}: {self.code}: {subject + ': ' if subject else ''}{self.message}"

    def as_dict(self) -> dict[str, str | int]:
        """The problem as plain data, for JSON."""
        file, line, column = self.mark
        return {
            "file": file,
            "line": line,
            "column": column,
            "code": self.code,
            "dag_id": self.dag_id,
            "key": self.key,
            "message": self.message,
        }


class DefinitionError(Exception):
    """One or more problems of a definition file; the text has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`, `no files`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'schedule'?)`, or nothing when no known name is close."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def unfinished(problems: Iterable[Problem], subject: str) -> list[Problem]:
    """The problems; the last one says that more of `subject` could not be looked at."""
    *others, last = problems
    told = f"{last.message}; further checks of {subject or 'this DAG'} follow when this is repaired"
    return [*others, replace(last, message=told)]


def error(code: str, message: str, mark: Mark, key: str = "", dag_id: str = "") -> DefinitionError:
    """A DefinitionError of one problem."""
    return DefinitionError([Problem(code, message, mark, key, dag_id)])
