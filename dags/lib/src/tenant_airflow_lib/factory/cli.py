"""`dag-factory`: check definition files, see what they make, and print their schema.

Exit codes: 0 all is well, 1 there are problems in the files, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from tenant_airflow_lib.factory import schema
from tenant_airflow_lib.factory.convert import convert
from tenant_airflow_lib.factory.load import Loaded, read_definitions, render_template
from tenant_airflow_lib.factory.operators import HARMLESS, OPERATORS, Policy
from tenant_airflow_lib.factory.problems import CODES, DefinitionError, Problem, counted
from tenant_airflow_lib.factory.source import parse, read

_EPILOG = """\
examples:
  dag-factory validate dags/team/*.yaml --callables my_team.jobs --path dags --builtin bash
  dag-factory validate exports.yaml.j2 --variables environments.yaml --format json
  dag-factory render exports.yaml.j2 --variables environments.yaml --environment prod
  dag-factory schema > dag-definitions.schema.json

What tasks may reach is what the options allow: give those that match the Policy of the Python file.

exit codes: 0 no problem, 1 problems in the files, 2 wrong command line
"""


def main(argv: Sequence[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Run a command line (without the program's name) and return the exit code.

    `render` and `convert` write problems to `err`, so that a redirected `out` never has them for YAML.
    """
    options = _parser().parse_args(argv)
    out = out or sys.stdout
    if getattr(options, "path", None):
        sys.path.insert(0, str(options.path))
    try:
        code: int = options.run(options, out)
    except DefinitionError as exc:
        _write_problems(exc.problems, options, err or sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dag-factory",
        description="Check DAG definitions (YAML, or Jinja templates of it) and show what they make.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    validate = commands.add_parser("validate", help="report every problem with file, line and key")
    validate.set_defaults(run=_validate)
    listing = commands.add_parser("list", help="list the DAGs that files define")
    listing.set_defaults(run=_list)
    for command in (validate, listing):
        command.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="definitions, *.yaml or *.j2"
        )
        command.add_argument("--format", choices=("text", "json"), default="text", help="of the output")
    render = commands.add_parser("render", help="print the YAML that a Jinja template makes")
    render.set_defaults(run=_render, format="text")
    render.add_argument("file", type=Path, metavar="FILE", help="a template, *.j2")
    converted = commands.add_parser("convert", help="rewrite a file of the public dag-factory library")
    converted.set_defaults(run=_convert, format="text")
    converted.add_argument("file", type=Path, metavar="FILE", help="a file of that library, 1.x")
    for command in (validate, listing, render):
        _add_policy(command)
    printed = commands.add_parser("schema", help="print the JSON schema of definition files")
    printed.set_defaults(run=_schema)
    codes = commands.add_parser("codes", help="list the names of problems and what they mean")
    codes.set_defaults(run=_codes)
    return parser


def _add_policy(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--environment",
        metavar="NAME",
        help="this environment only; otherwise every one that the file has",
    )
    command.add_argument("--variables", type=Path, metavar="FILE", help="values for Jinja templates")
    command.add_argument(
        "--callables",
        action="append",
        default=[],
        metavar="MODULE",
        help="module or package whose functions tasks may run; may be repeated, as those below",
    )
    command.add_argument(
        "--operator-path",
        action="append",
        default=[],
        metavar="MODULE",
        help="module or package whose operators may be named by their full path",
    )
    command.add_argument(
        "--builtin",
        action="append",
        default=[],
        choices=sorted(OPERATORS.keys() - HARMLESS),
        metavar="NAME",
        help="built-in operator that may be used: " + ", ".join(sorted(OPERATORS.keys() - HARMLESS)),
    )
    command.add_argument(
        "--operator",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=PATH",
        help="further name for an operator class",
    )
    command.add_argument(
        "--allow-env",
        action="append",
        default=[],
        metavar="NAME",
        help="environment variable that may be read",
    )
    command.add_argument(
        "--path",
        type=Path,
        metavar="FOLDER",
        help="folder that modules are imported from (the bundle's root)",
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH, such as spark=my_team.ops.Spark")
    return name, path


def _policy(options: argparse.Namespace) -> Policy:
    return Policy(
        callables=tuple(options.callables),
        operators=dict(options.operator),
        operator_paths=tuple(options.operator_path),
        environment_variables=tuple(options.allow_env),
        builtins=tuple(options.builtin),
    )


def _loaded(options: argparse.Namespace) -> Iterator[tuple[Path, Loaded]]:
    """Each file in each environment to look at."""
    policy = _policy(options)
    for file in options.files:
        for environment in _environments(options, file):
            yield (
                file,
                read_definitions(
                    file, policy, environment=environment, variables=options.variables, name=str(file)
                ),
            )


def _environments(options: argparse.Namespace, file: Path) -> Sequence[str | None]:
    if options.environment:
        return [options.environment]
    holders = [file] if file.suffix != ".j2" else []
    holders += [options.variables] if options.variables else []
    for holder in holders:
        found = _declared(holder)
        if found:
            return found
    return [None]


def _declared(file: Path) -> list[str]:
    """The environments that a file has; none when it cannot be read, which is reported elsewhere."""
    try:
        environments = parse(read(file, file.name), file.name).get("environments")
    except DefinitionError:
        return []
    return list(environments.mapping) if environments else []


def _validate(options: argparse.Namespace, out: TextIO) -> int:
    problems: list[Problem] = []
    dags: set[tuple[str, str, str]] = set()
    for file, loaded in _loaded(options):
        problems += loaded.problems
        dags |= {(str(file), loaded.environment, definition.dag_id) for definition in loaded.definitions}
        problems += _build(loaded)
    unique = list(dict.fromkeys(problems))
    summary = f"{counted(len(options.files), 'file')}, {counted(len(dags), 'DAG')}, "
    _write_problems(unique, options, out, summary)
    return 1 if unique else 0


def _build(loaded: Loaded) -> Iterator[Problem]:
    """The problems that only Airflow itself finds."""
    from tenant_airflow_lib.factory.build import build

    for definition in loaded.definitions:
        try:
            build(definition, version=loaded.version)
        except DefinitionError as exc:
            yield from exc.problems


def _write_problems(
    problems: Iterable[Problem], options: argparse.Namespace, out: TextIO, summary: str = ""
) -> None:
    found = list(problems)
    if options.format == "json":
        json.dump({"problems": [problem.as_dict() for problem in found]}, out, indent=2)
        out.write("\n")
        return
    for problem in found:
        out.write(f"{problem}\n")
    out.write(f"{summary}{counted(len(found), 'problem')}\n")


def _list(options: argparse.Namespace, out: TextIO) -> int:
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for file, loaded in _loaded(options):
        problems += loaded.problems
        for definition in loaded.definitions:
            dag = definition.dag
            rows.append(
                {
                    "dag_id": dag.dag_id,
                    "schedule": dag.schedule if isinstance(dag.schedule, str | None) else "assets",
                    "tasks": len(dag.tasks),
                    "environment": loaded.environment,
                    "version": loaded.version,
                    "file": str(file),
                    "line": definition.node.place(("dag_id",)).line,
                }
            )
    problems = list(dict.fromkeys(problems))
    if options.format == "json":
        json.dump({"dags": rows, "problems": [problem.as_dict() for problem in problems]}, out, indent=2)
        out.write("\n")
    else:
        for row in rows:
            where = f"{row['file']}:{row['line']}"
            environment = row["environment"] or "-"
            schedule, tasks = row["schedule"] or "by hand", counted(row["tasks"], "task")
            out.write(f"{row['dag_id']}\t{schedule}\t{tasks}\t{environment}\t{where}\n")
        if problems:
            _write_problems(problems, options, out)
    return 1 if problems else 0


def _render(options: argparse.Namespace, out: TextIO) -> int:
    out.write(
        render_template(
            options.file,
            _policy(options),
            environment=options.environment,
            variables=options.variables,
            name=str(options.file),
        )
    )
    return 0


def _convert(options: argparse.Namespace, out: TextIO) -> int:
    name = str(options.file)
    out.write(convert(parse(read(options.file, name), name)))
    return 0


def _schema(_: argparse.Namespace, out: TextIO) -> int:
    out.write(schema.text())
    return 0


def _codes(_: argparse.Namespace, out: TextIO) -> int:
    for code, meaning in CODES.items():
        out.write(f"{code}\n    {meaning}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
