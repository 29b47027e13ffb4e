"""YAML text to a tree in which every value knows the line and column that it came from.

Only plain data: tags such as `!!python/object` and merge keys (`<<`) are refused, a key that occurs twice is
an error, and aliases may not blow a small file up to a large tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tenant_airflow_lib.factory.problems import Mark, error

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
_PLAIN = "tag:yaml.org,2002:"
_TAGS = {_PLAIN + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")}

Scalar = str | int | float | bool | None
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Node:
    """A value, its place, and (for a mapping) the places of its keys."""

    value: Any  # dict[str, Node] | list[Node] | a scalar as YAML's safe loader makes it
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, Node]:
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; none for anything else."""
        return self.value if isinstance(self.value, list) else []

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return self.mapping.get(key)

    def text(self, key: str) -> str:
        """The value of a key when it is a string, else ''."""
        node = self.get(key)
        return node.value if node is not None and isinstance(node.value, str) else ""

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def place(self, path: Path_) -> Mark:
        """Where the value at `path` begins; of a path that is not there, where its closest parent does."""
        node, mark = self, self.mark
        for step in path:
            below = node.child(step)
            if below is None:
                break
            mark = node.keys.get(str(step), below.mark)
            node = below
        return mark

    def child(self, step: str | int) -> Node | None:
        """The entry of a mapping or the item of a list, or None."""
        if isinstance(self.value, list):
            return self.value[step] if isinstance(step, int) and step < len(self.value) else None
        return self.mapping.get(step) if isinstance(step, str) else None

    def with_key(self, key: str, node: Node) -> Node:
        """A mapping with one entry added or replaced."""
        keys = {**self.keys, key: self.keys.get(key, node.mark)}
        return replace(self, value={**self.mapping, key: node}, keys=keys)

    def without(self, *names: str) -> Node:
        """A mapping without some of its entries."""
        return replace(self, value={key: node for key, node in self.mapping.items() if key not in names})


def path_text(path: Path_) -> str:
    """A path for people: `tasks[1].operator`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def read(path: Path, name: str) -> str:
    """The text of a file; `name` is what errors call it. Raises DefinitionError `unreadable-file`."""
    start = Mark(name, 1, 1)
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise error("unreadable-file", f"more than {MAX_BYTES} bytes", start)
        return data.decode("utf-8")
    except OSError as exc:
        raise error("unreadable-file", exc.strerror or type(exc).__name__, start) from exc
    except UnicodeDecodeError as exc:
        raise error("unreadable-file", "not UTF-8 text", start) from exc


def parse(text: str, name: str, line_of: Callable[[int], int] = lambda line: line) -> Node:
    """The tree of a YAML text. `line_of` maps a line of the text to one of the template that made it.

    Raises DefinitionError `yaml-syntax` or `duplicate-key`.
    """

    def mark(at: Any) -> Mark:
        return Mark(name, line_of(at.line + 1), at.column + 1)

    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise error("yaml-syntax", "the file is empty", Mark(name, 1, 1))
        return _Tree(loader, mark).convert(root)
    except yaml.MarkedYAMLError as exc:
        at = exc.problem_mark or exc.context_mark
        place = mark(at) if at else Mark(name, 1, 1)
        raise error("yaml-syntax", " ".join(filter(None, (exc.context, exc.problem))), place) from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise error("yaml-syntax", str(exc).splitlines()[0], Mark(name, 1, 1)) from exc
    finally:
        loader.dispose()


class _Tree:
    """Converts PyYAML's nodes, which know their marks, to ours."""

    def __init__(self, loader: yaml.SafeLoader, mark: Callable[[Any], Mark]) -> None:
        self._loader = loader
        self._mark = mark
        self._seen = 0

    def convert(self, node: yaml.Node) -> Node:
        mark = self._mark(node.start_mark)
        self._seen += 1
        if self._seen > MAX_NODES:
            raise error("yaml-syntax", f"more than {MAX_NODES} values, aliases counted each time", mark)
        if node.tag not in _TAGS:
            raise error("yaml-syntax", f"the tag {node.tag.replace(_PLAIN, '!!')} is not allowed", mark)
        if isinstance(node, yaml.MappingNode):
            keys: dict[str, Mark] = {}
            entries = dict(self._entries(node, keys))
            return Node(entries, mark, keys)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.convert(item) for item in node.value], mark)
        return Node(self._scalar(node, mark), mark)

    def _entries(self, node: yaml.MappingNode, keys: dict[str, Mark]) -> Iterator[tuple[str, Node]]:
        for key_node, value_node in node.value:
            mark = self._mark(key_node.start_mark)
            if key_node.tag == _PLAIN + "merge":
                raise error("yaml-syntax", "merge keys (<<) are not supported; use `extends`", mark)
            key = key_node.value
            if not isinstance(key, str):
                raise error("yaml-syntax", "a key must be a word, not a list or mapping", mark)
            if key in keys:
                raise error("duplicate-key", f"also in line {keys[key].line}", mark, key)
            keys[key] = mark
            yield key, self.convert(value_node)

    def _scalar(self, node: yaml.Node, mark: Mark) -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as exc:  # 2024-02-30
            raise error("yaml-syntax", str(exc), mark) from exc
