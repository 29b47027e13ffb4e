"""Add a line to a kustomization's list of resources without touching anything else of the file."""

from __future__ import annotations

import yaml


class ListingError(Exception):
    """A kustomization whose list cannot be extended; the message says what to do."""


def add_resource(text: str, entry: str) -> str:
    """Return the kustomization with `entry` among its resources; unchanged when it is there already.

    A sorted list stays sorted, else the entry comes last. Comments and order stay: the place is found in the
    syntax tree, the line is put into the text.
    Raises ListingError when `resources` is missing, empty or written in one line.
    """
    listed = _resources(text)
    entries = [node.value for node in listed.value]
    if entry in entries:
        return text
    # a first entry that is out of order is there on purpose: what all the others need
    first = 0 if entries == sorted(entries) else 1
    in_order = entries[first:] == sorted(entries[first:])
    before = [i for i, known in enumerate(entries) if i >= first and known > entry] if in_order else []
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    if not lines[-1].endswith("\n"):
        lines[-1] += end
    place = listed.value[before[0]].start_mark.line if before else listed.value[-1].end_mark.line + 1
    lines.insert(place, f"{' ' * listed.start_mark.column}- {entry}{end}")
    return "".join(lines)


def _resources(text: str) -> yaml.SequenceNode:
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ListingError(f"it is no YAML ({error}): repair it first") from error
    fields = document.value if isinstance(document, yaml.MappingNode) else []
    for key, value in fields:
        if key.value == "resources" and isinstance(value, yaml.SequenceNode) and value.value:
            if not value.flow_style:
                return value
            break
    raise ListingError("it has no list `resources:` with one entry a line: write it so first")
