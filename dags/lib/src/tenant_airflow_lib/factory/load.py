"""The one call of a DAG file: `load_dags(Path(__file__).with_name("dags.yaml"), globals(), policy=...)`."""

from __future__ import annotations

import logging
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenant_airflow_lib.factory import merge
from tenant_airflow_lib.factory.check import Definition, check
from tenant_airflow_lib.factory.operators import Policy
from tenant_airflow_lib.factory.problems import DefinitionError, Mark, Problem, error
from tenant_airflow_lib.factory.source import Node, parse, read
from tenant_airflow_lib.factory.template import AllowedEnvironment, render, substitute
from tenant_airflow_lib.factory.validate import check_outline

if TYPE_CHECKING:
    from airflow.sdk import DAG

ENVIRONMENT_VARIABLE = "DAG_FACTORY_ENVIRONMENT"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """What a file defines, and everything that is wrong with it."""

    definitions: tuple[Definition, ...]
    problems: tuple[Problem, ...]
    environment: str = ""
    version: str | None = None
    environments: tuple[str, ...] = ()


def read_definitions(
    path: Path,
    policy: Policy,
    *,
    environment: str | None = None,
    variables: Path | None = None,
    name: str | None = None,
) -> Loaded:
    """Read and check a definition file. Raises nothing for a bad file: see `problems`.

    `environment`: else the variable DAG_FACTORY_ENVIRONMENT, else the file's `default_environment`.
    `variables`: a YAML file with the values for a Jinja template (see `read_variables`).
    `name`: what problems call the file; its folder and name unless given.
    """
    problems: list[Problem] = []
    definitions: dict[str, Definition] = {}
    try:
        source = _source(path, policy, environment, variables, name or short_name(path))
    except DefinitionError as exc:
        return Loaded((), exc.problems)

    ids: dict[str, Mark] = {}

    def first(dag_id: str, mark: Mark) -> bool:
        before = ids.setdefault(dag_id, mark)
        if before is not mark:
            message = f"already defined in line {before.line}"
            problems.append(Problem("duplicate-dag-id", message, mark, "dag_id", dag_id))
        return before is mark

    def failed(exc: DefinitionError, item: Node) -> None:
        problems.extend(exc.problems)
        dag_id = item.text("dag_id")
        if dag_id and "${" not in dag_id and ids.get(dag_id) != item.mark:
            first(dag_id, item.mark)

    problems += source.problems
    for node in merge.expand(source, failed):
        dag_id = node.text("dag_id")
        unique = not dag_id or first(dag_id, Mark(*node.mark))
        try:
            definition = check(node, policy)
        except DefinitionError as exc:
            problems += exc.problems
            continue
        if unique:
            definitions[dag_id] = definition
    environments = source.root.get("environments")
    return Loaded(
        () if source.problems else tuple(definitions.values()),
        tuple(sorted(dict.fromkeys(problems), key=lambda problem: problem.mark)),
        environment=source.environment,
        version=source.root.text("version") or None,
        environments=tuple(environments.mapping) if environments else (),
    )


def short_name(path: Path) -> str:
    """A file's folder and name: enough to find it, and the same on every machine."""
    return "/".join(path.parts[-2:])


def render_template(
    path: Path,
    policy: Policy,
    *,
    environment: str | None = None,
    variables: Path | None = None,
    name: str | None = None,
) -> str:
    """The YAML that a Jinja template makes. Raises DefinitionError."""
    text, _, _ = _rendered(path, policy, environment, variables, name or short_name(path))
    return text


def _rendered(
    path: Path, policy: Policy, environment: str | None, variables: Path | None, name: str
) -> tuple[str, Any, str | None]:
    text = read(path, name)
    if path.suffix != ".j2":
        return text, (lambda line: line), environment or os.environ.get(ENVIRONMENT_VARIABLE)
    values, chosen = read_variables(variables, environment)
    scope = {"environment": chosen, "vars": values, "env": _environment(policy)}
    rendered, line_of = render(text, name, scope)
    return rendered, line_of, chosen


def _environment(policy: Policy) -> AllowedEnvironment:
    return AllowedEnvironment(policy.environment_variables)


def read_variables(path: Path | None, environment: str | None = None) -> tuple[dict[str, Any], str | None]:
    """The values for a template in one environment, and the environment.

    The file has `vars`, `environments` (name -> values over `vars`) and perhaps `default_environment`. Raises
    DefinitionError.
    """
    chosen = environment or os.environ.get(ENVIRONMENT_VARIABLE)
    if path is None:
        return {}, chosen
    name = short_name(path)
    root = parse(read(path, name), name)
    for key in root.mapping:
        if key not in {"vars", "environments", "default_environment"}:
            raise error("unknown-key", "no such key in a file of variables", root.place((key,)), key)
    chosen = chosen or root.text("default_environment") or None
    own = _chosen(root, chosen)
    shared = root.get("vars")
    return {**(shared.plain() if shared else {}), **(own.plain() if own else {})}, chosen


def _chosen(root: Node, environment: str | None) -> Node | None:
    """The entry of the environment; None when the file has no environments."""
    environments = root.get("environments")
    if environments is None or not environments.mapping:
        return None
    known = ", ".join(environments.mapping)
    if environment is None:
        message = f"none chosen: give one, set {ENVIRONMENT_VARIABLE}, or write default_environment"
        raise error("unknown-environment", f"{message} (known: {known})", environments.mark, "environments")
    found = environments.get(environment)
    if found is None:
        message = f"{environment!r} (known: {known})"
        raise error("unknown-environment", message, root.place(("environments",)), "environments")
    return found


def _source(
    path: Path, policy: Policy, environment: str | None, variables: Path | None, name: str
) -> merge.Source:
    text, line_of, chosen = _rendered(path, policy, environment, variables, name)
    root = parse(text, name, line_of)
    problems = check_outline(root)
    if any(problem.key != "format" or problem.code != "missing-key" for problem in problems):
        raise DefinitionError(problems)  # without `format` the rest can still be looked at
    chosen = chosen or root.text("default_environment") or None
    own = _chosen(root, chosen)
    scope: dict[str, Any] = {
        "environment": chosen or "",
        "version": root.text("version"),
        "env": _environment(policy),
        "vars": {},
    }
    layers = [node for node in (root.get("vars"), own.get("vars") if own else None) if node is not None]
    merged = Node({}, Mark(name, 1, 1))
    for layer in layers:
        merged = merge.merge(merged, layer)
    scope["vars"] = substitute(merged, scope, ("vars",)).plain()
    return merge.Source(root, chosen or "", scope, tuple(problems))


def load_dags(
    path: Path,
    namespace: MutableMapping[str, Any],
    *,
    policy: Policy,
    environment: str | None = None,
    variables: Path | None = None,
    doc: str | None = None,
) -> dict[str, DAG]:
    """Build the DAGs of a definition file and put them into a DAG file's `globals()`, for Airflow to find.

    A broken definition does not stop the others: they are built, and the problems become an import error (see
    `broken`). `doc` is the documentation of DAGs that have none of their own. Returns the DAGs by id.
    """
    from tenant_airflow_lib.factory.broken import BrokenDefinitions
    from tenant_airflow_lib.factory.build import build

    loaded = read_definitions(path, policy, environment=environment, variables=variables)
    problems = list(loaded.problems)
    dags: dict[str, DAG] = {}
    for definition in loaded.definitions:
        try:
            dags[definition.dag_id] = build(
                definition, version=loaded.version, origin=_origin(path, loaded), doc=doc
            )
        except DefinitionError as exc:
            problems += exc.problems
    if problems:
        broken = DefinitionError(problems)
        _log.error("%s", broken)
        dag_id = next((problem.dag_id for problem in problems if problem.dag_id), path.name.partition(".")[0])
        namespace[f"definition_errors_{path.name}"] = BrokenDefinitions(dag_id, path, broken)
    namespace.update({f"dag_{dag_id}": dag for dag_id, dag in dags.items()})
    return dags


def _origin(path: Path, loaded: Loaded) -> str:
    facts = [f"version {loaded.version}"] if loaded.version else []
    facts += [f"environment {loaded.environment}"] if loaded.environment else []
    return f"`{short_name(path)}`" + (f" ({', '.join(facts)})" if facts else "")
