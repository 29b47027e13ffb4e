"""Build a small Go program of this project, cached by its content."""

from __future__ import annotations

from pathlib import Path

from imagebuild import process
from imagebuild.console import Console
from imagebuild.errors import BuildError
from imagebuild.hashing import digest, tree_key
from imagebuild.settings import Settings, cache_home

FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")


def build(settings: Settings, console: Console, folder: Path, name: str) -> Path:
    """The static binary `name` of the Go module in `folder`.

    Raises BuildError when there is no Go on PATH.
    """
    try:
        version = process.output(
            ["go", "env", "GOVERSION"], env=process.environment(GOTOOLCHAIN="local")
        ).strip()
    except BuildError as error:
        raise BuildError(f"{folder.name} needs Go on PATH: {error}") from error
    key = digest(version, FLAGS, tree_key(folder))[:12]
    binary = cache_home() / "bin" / f"{name}-{key}" / name
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        partial = binary.with_suffix(".partial")
        env = process.environment(
            CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="", GOOS="linux", GOARCH="amd64"
        )
        with console.step(f"  {name}: go build"):
            process.run(
                ["go", "build", *FLAGS, "-o", partial, "."],
                settings.folder("logs") / f"go-{name}.log",
                cwd=folder,
                env=env,
            )
        partial.replace(binary)
    return binary
