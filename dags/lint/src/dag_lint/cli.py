"""The command `dag-lint`."""

from __future__ import annotations

import argparse
import io
import sys
import tokenize
from dataclasses import replace
from pathlib import Path

from dag_lint import __version__, console, discover, engine, reporters, tenant
from dag_lint.config import Config, ConfigError, load
from dag_lint.config import discover as find_config
from dag_lint.findings import Finding, Severity
from dag_lint.registry import RULES
from dag_lint.ruff_air import RuffError
from dag_lint.selection import normal_id, selected

CLEAN, FOUND, FAILED = 0, 1, 2
_EPILOG = """\
examples:
  dag-lint dags/                          every rule that is on by default
  dag-lint dags/ --select ALL             the conventions as well
  dag-lint dags/ --fix                    repair what is certain (--diff shows it first)
  dag-lint dags/ --tenant team.yaml       check pools, owner and prefix against an AirflowTenant
  dag-lint dags/ --changed-since main     only files that differ from main
  dag-lint --explain L-07                 what a rule means, with examples

suppress a finding on its line:  # dag-lint: ignore[L-04] reason: value of the local test database
exit codes: 0 nothing found, 1 findings, 2 wrong usage or a failure of the linter
"""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="dag-lint",
        description="Finds mistakes in Airflow DAG files without running them: what breaks on Airflow 3, "
        "credentials, missing limits and retries, wrong dependencies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or folders; - reads standard input (default: .)"
    )
    which = made.add_argument_group("rules")
    which.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="IDS",
        help="only these rules: L-01,L-04, conventions, default, ALL",
    )
    which.add_argument("--ignore", action="append", default=[], metavar="IDS", help="not these rules")
    which.add_argument(
        "--severity", choices=["error", "warning"], default="warning", help="report this and worse"
    )
    which.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (default: the nearest dag-lint.toml or pyproject.toml above)",
    )
    which.add_argument("--isolated", action="store_true", help="read no settings at all")
    which.add_argument(
        "--tenant",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="an AirflowTenant file or folder; may be repeated",
    )
    files = made.add_argument_group("files")
    files.add_argument(
        "--changed-since", metavar="REF", help="only files that differ from this commit of git"
    )
    files.add_argument("--stdin-filename", metavar="NAME", help="lint standard input as if it were this file")
    files.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes (default: one for each core)"
    )
    output = made.add_argument_group("output")
    output.add_argument("--format", choices=reporters.FORMATS, default="text", help="default: text")
    output.add_argument("--output", type=Path, metavar="FILE", help="write the report to a file")
    output.add_argument("--statistics", action="store_true", help="count findings by rule")
    output.add_argument("--fix", action="store_true", help="repair what is certain, then report the rest")
    output.add_argument("--diff", action="store_true", help="show what --fix would change and change nothing")
    info = made.add_argument_group("information")
    info.add_argument("--explain", metavar="ID", help="explain a rule")
    info.add_argument("--list-rules", action="store_true", help="list all rules")
    info.add_argument("--version", action="version", version=f"dag-lint {__version__}")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 or 2."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as done:
        return int(done.code or 0) if isinstance(done.code, int | None) else FAILED
    try:
        return _run(args)
    except (ConfigError, tenant.TenantError, discover.DiscoverError, RuffError, OSError) as error:
        console.err(f"dag-lint: {error}")
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def _run(args: argparse.Namespace) -> int:
    if args.explain:
        console.out(reporters.explain(RULES[normal_id(args.explain)]))
        return CLEAN
    if args.list_rules:
        for key in sorted(RULES):
            rule = RULES[key]
            marks = (" (convention)" if rule.convention else "") + (" (--fix)" if rule.fixable else "")
            console.out(f"{rule.id} {rule.severity:7} {rule.name}: {rule.summary}{marks}\n")
        return CLEAN
    stdin = args.stdin_filename is not None or args.paths == ["-"]
    paths = [Path(path) for path in args.paths if path != "-"] or [Path()]
    if stdin and args.changed_since:
        raise ConfigError("--changed-since needs files, not standard input")
    options = _options(args, Path(args.stdin_filename or "stdin.py") if stdin else paths[0])
    if stdin:
        return _stdin(args, options)
    files = discover.find(paths, options.config.exclude)
    if args.changed_since:
        changed = discover.changed_since(
            args.changed_since, paths[0] if paths[0].is_dir() else paths[0].parent
        )
        files = [file for file in files if file.resolve() in changed]
    if args.fix or args.diff:
        code = _fix(files, options, write=not args.diff)
        if args.diff:
            return code
    return _report(args, engine.lint(files, options))


def _options(args: argparse.Namespace, first: Path) -> engine.Options:
    config = Config()
    if args.config is not None:
        config = load(args.config)
    elif not args.isolated:
        config = load(find_config(first if first.exists() else Path()))
    try:
        tenants = tenant.load(config.tenant_paths)
    except tenant.TenantError as error:
        raise ConfigError(f"{config.file}: key 'tenants': {error}") from error
    tenants += tenant.load(args.tenant)
    rules = selected(config, _words(args.select), _words(args.ignore))
    # Paths in reports are relative to the working directory; CI files to the repository.
    root = config.root if config.file is not None else Path.cwd()
    return engine.Options(
        rules, config, tenants, Path.cwd(), _repository(root), args.jobs, Severity(args.severity)
    )


def _repository(start: Path) -> Path:
    for folder in [start.resolve(), *start.resolve().parents]:
        if (folder / ".git").exists():
            return folder
    return start


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _report(args: argparse.Namespace, report: engine.Report) -> int:
    text = reporters.render(
        report, args.format, color=args.output is None and console.color(), statistics=args.statistics
    )
    if args.output is not None:
        args.output.write_text(text, encoding="utf-8")
    else:
        console.out(text)
    for failure in report.failures:
        console.err(f"dag-lint: {failure}")
    if report.failures:
        return FAILED
    return FOUND if report.findings else CLEAN


def _stdin(args: argparse.Namespace, options: engine.Options) -> int:
    from dag_lint.analysis import decode

    name = args.stdin_filename or "stdin.py"
    text = decode(sys.stdin.buffer.read())
    if args.fix or args.diff:
        from dag_lint import fixes

        new, _ = fixes.fix_text(text, lambda current: _fixable(name, current, options))
        console.out(fixes.diff(Path(name), text, new) if args.diff else new)
        return FOUND if args.diff and new != text else CLEAN
    return _report(args, engine.lint_text(engine.shown(Path(name), options.base), text, options))


def _fixable(name: str, text: str, options: engine.Options) -> list[Finding]:
    quiet = replace(options, rules=options.rules - {"L-00"})
    own = engine.lint_own(name, text, quiet)
    return [finding for finding in own.findings if finding.fix is not None]


def _fix(files: list[Path], options: engine.Options, *, write: bool) -> int:
    from dag_lint import fixes

    repaired = changed = 0
    for file in files:
        data = file.read_bytes()
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
        except (SyntaxError, UnicodeDecodeError, LookupError):
            continue
        windows = "\r\n" in text
        plain = text.replace("\r\n", "\n")
        name = engine.shown(file, options.base)
        new, count = fixes.fix_text(plain, lambda current, name=name: _fixable(name, current, options))  # type: ignore[misc]
        if new == plain:
            continue
        repaired, changed = repaired + count, changed + 1
        if write:
            file.write_bytes((new.replace("\n", "\r\n") if windows else new).encode(encoding))
        else:
            console.out(fixes.diff(file, plain, new))
    if write and changed:
        console.err(f"dag-lint: {_count(repaired, 'repair')} in {_count(changed, 'file')}")
    return FOUND if changed else CLEAN
