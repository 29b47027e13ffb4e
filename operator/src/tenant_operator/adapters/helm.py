"""Renders the tenant chart with the real `helm template`.

Values go through standard input: on a command line they would show in `ps` and break on commas and
types. The Kubernetes version is given explicitly, because without a cluster Helm guesses its own.
https://helm.sh/docs/helm/helm_template/
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tenant_operator.core.errors import RenderError
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import ChartInfo, Rendered
from tenant_operator.core.serial import json_as_yaml

_TIMEOUT = 60.0
_STRANGE = (":bool", ":timestamp", ":value")


class _Yaml12Loader(yaml.CSafeLoader):
    """YAML as Helm writes it: only true/false are booleans, dates and octals stay text or decimal.

    PyYAML follows YAML 1.1, where a key or value `on`, `y` or `2024-01-01` turns into something else, and
    where it does not know what to make of `=`, a match type of Alertmanager.
    """


_Yaml12Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if not tag.endswith(_STRANGE)]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_chart(path: Path) -> ChartInfo:
    """Read Chart.yaml and digest all files of a chart folder."""
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes() + b"\0")
    metadata = yaml.safe_load((path / "Chart.yaml").read_text())
    return ChartInfo(
        name=str(metadata["name"]),
        version=str(metadata["version"]),
        app_version=str(metadata.get("appVersion", "")),
        digest=digest.hexdigest()[:16],
        metadata=metadata,
    )


class HelmRenderer:
    """Implements core.ports.Renderer with one `helm template` process a render."""

    def __init__(self, chart_path: Path, metrics: Metrics, *, helm: str = "helm", kube_version: str) -> None:
        """`kube_version` is the cluster's, for charts that ask `.Capabilities`."""
        self._path = chart_path
        self._helm = helm
        self._kube_version = kube_version
        self._metrics = metrics
        self._chart = read_chart(chart_path)
        # Each render keeps one core busy: more at once only adds memory.
        self._slots = asyncio.Semaphore(os.cpu_count() or 1)

    @property
    def chart(self) -> ChartInfo:
        """See core.ports.Renderer."""
        return self._chart

    async def render(self, release: str, namespace: str, values: Mapping[str, Any]) -> Rendered:
        """See core.ports.Renderer."""
        argv = [
            self._helm, "template", release, str(self._path), "--namespace", namespace,
            "--kube-version", self._kube_version, "--skip-tests", "--values", "-",
        ]  # fmt: skip
        async with self._slots:
            started = time.perf_counter()
            code, out, err = await _run(argv, json_as_yaml(values).encode())
            self._metrics.helm("template", time.perf_counter() - started, ok=code == 0)
        if code != 0:
            raise RenderError(f"the chart refused the values made from spec: {_short(err)}")
        manifest = out.decode()
        objects = tuple(obj for obj in yaml.load_all(manifest, Loader=_Yaml12Loader) if obj)
        return Rendered(manifest, objects)


async def _run(argv: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            out, err = await process.communicate(stdin)
    except TimeoutError:
        raise RenderError(f"helm template did not end within {_TIMEOUT:.0f} s", retry=60.0) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, out, err


def _short(err: bytes) -> str:
    text = err.decode(errors="replace").strip()
    lines = [line for line in text.splitlines() if line and not line.startswith("Use --debug")]
    return " ".join(" ".join(lines).split())[:700]
