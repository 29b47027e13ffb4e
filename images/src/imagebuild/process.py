"""Run a program with its output in a log file; a failure shows the end of that log."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from imagebuild.errors import BuildError, StepError, tail_of

#: no single step of a build may take longer (seconds); a cold `go build` of helm is the longest
STEP_DEADLINE = 3600.0


def run(
    argv: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    deadline: float = STEP_DEADLINE,
) -> None:
    """Run to the end; both outputs are appended to `log`.

    Raises StepError on a non-zero code or the deadline.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as handle:
        handle.write(f"$ {' '.join(str(part) for part in argv)}\n".encode())
        handle.flush()
        try:
            code = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                timeout=deadline,
            ).returncode
        except FileNotFoundError as error:
            raise BuildError(f"program not found: {error.filename}") from error
        except subprocess.TimeoutExpired as error:
            raise StepError(f"{argv[0]} did not end within {deadline:.0f} s", log, tail_of(log)) from error
    if code:
        raise StepError(f"{argv[0]} ended with code {code}", log, tail_of(log))


def output(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    deadline: float = 120.0,
) -> str:
    """Standard output of a short program. Raises BuildError with its standard error."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, env=env, timeout=deadline
        )
    except FileNotFoundError as error:
        raise BuildError(f"program not found: {error.filename}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{argv[0]} did not end within {deadline:.0f} s") from error
    if done.returncode:
        raise BuildError(
            f"{' '.join(str(part) for part in argv)}: code {done.returncode}\n{done.stderr[-2000:]}"
        )
    return done.stdout


def environment(**changes: str) -> dict[str, str]:
    """The caller's environment with changes."""
    return {**os.environ, **changes}
