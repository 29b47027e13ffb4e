"""The rules, one module per family; importing this package fills the registry."""

from dag_lint.rules import (
    callbacks,
    conventions,
    dag_args,
    data,
    graph,
    http,
    layout,
    limits,
    logs,
    names,
    outcome,
    parse_time,
    removed,
    repository,
    resources,
    secrets,
    style,
    suppression,
    template_names,
    xcom,
)

FAMILIES = (
    callbacks, conventions, dag_args, data, graph, http, layout, limits, logs, names, outcome, parse_time,
    removed, repository, resources, secrets, style, suppression, template_names, xcom,
)  # fmt: skip
LOADED = bool(FAMILIES)
