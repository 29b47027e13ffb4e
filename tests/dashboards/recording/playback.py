"""A real Prometheus that holds the recording, the written series, and what the rules make of both.

What the rules make is computed here and not recorded: a rule that changes needs no new recording. Building
takes some seconds; the result is kept in the project's cache under a key of everything that goes into it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.airflow.environment import cache_folder, exclusive
from tests.airflow.server import free_port, wait_until
from tests.dashboards.recording import rules, written

from devcluster.tools import tool

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
_START_SECONDS = 60.0
_TOOL_SECONDS = 120.0
_KEPT = 4  # builds in the cache
#: Imported samples carry no mark of staleness: with Prometheus' five minutes an old pod or DAG revision would
#: overlap the new one. Not less than two minutes, the longest interval of the rules.
_LOOKBACK = "130s"


class Refused(Exception):
    """Prometheus does not understand a query."""


@dataclass(frozen=True)
class Recorded:
    """Ask it. `start` and `end` are seconds since 1970, the times of the first and the last scrape."""

    url: str
    start: int
    end: int
    step: int

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query, by default at the end. Raises Refused."""
        return self._ask("query", {"query": expr, "time": self.end if at is None else at})

    def query_range(
        self, expr: str, start: float | None = None, end: float | None = None, step: float | None = None
    ) -> list[dict[str, Any]]:
        """The result of a range query, by default over everything. Raises Refused."""
        span = {"start": start or self.start, "end": end or self.end, "step": step or self.step}
        return self._ask("query_range", {"query": expr} | span)

    def label_values(self, label: str, match: str = "") -> list[str]:
        """Values of a label, as Grafana's label_values() asks for them."""
        span: dict[str, Any] = {"start": self.start, "end": self.end} | ({"match[]": match} if match else {})
        found: list[str] = self._get(f"label/{label}/values?{urllib.parse.urlencode(span)}")
        return found

    def series(self, match: str) -> list[dict[str, str]]:
        """The labels of all series that match."""
        span = {"start": self.start, "end": self.end, "match[]": match}
        found: list[dict[str, str]] = self._get(f"series?{urllib.parse.urlencode(span)}")
        return found

    def selectors(self, expr: str) -> list[tuple[str, str]]:
        """(metric name, selector) of each vector that an expression reads. Raises Refused for a wrong one."""
        tree = self._get(f"parse_query?{urllib.parse.urlencode({'query': expr})}")
        return [(node["name"], _selector(node)) for node in _nodes(tree) if "matchers" in node]

    def _ask(self, page: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        data = self._get(page, urllib.parse.urlencode(arguments).encode())
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        found: list[dict[str, Any]] = data["result"]
        return found

    def _get(self, page: str, body: bytes | None = None) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{page}", body, timeout=60) as answer:  # noqa: S310
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(json.loads(error.read())["error"]) from None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "type" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _selector(node: Mapping[str, Any]) -> str:
    matchers = ",".join(f"{m['name']}{m['type']}{json.dumps(m['value'])}" for m in node["matchers"])
    return f"{{{matchers}}}"


def about() -> dict[str, Any]:
    """recording.json."""
    found: dict[str, Any] = json.loads((HERE / "recording.json").read_text())
    return found


@contextlib.contextmanager
def play() -> Iterator[Recorded]:
    """The running Prometheus; it ends with the context."""
    with tempfile.TemporaryDirectory(prefix="recorded-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        shutil.copytree(blocks(), data)
        with serve(data) as recorded:
            yield recorded


def blocks() -> Path:
    """The folder of blocks, made when it is missing."""
    made_of = ("series.om.gz", "recording.json", "written/*.yaml", "written.py", "rules.py", "playback.py")
    files = sorted([path for pattern in made_of for path in HERE.glob(pattern)] + rules.files())
    key = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:16]
    folder = cache_folder() / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / key
    with exclusive(folder / "lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=folder, prefix=".") as partial:
                _build(Path(partial) / "data")
                (Path(partial) / "data").rename(made)
            for old in sorted(folder.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
                if old.is_dir():
                    shutil.rmtree(old, ignore_errors=True)
        os.utime(made)
    return made


def _build(data: Path) -> None:
    told = about()
    span = written.Range(told["start"], told["end"], told["step"])
    recorded = gzip.decompress((HERE / "series.om.gz").read_bytes()).decode().removesuffix("# EOF\n")
    _import([*recorded.splitlines(), *written.lines(span)], data)
    for level in rules.levels(rules.load()):
        with serve(data) as prometheus:
            made = [line for rule in level for line in rules.evaluate(rule, prometheus)]
        if made:
            _import(made, data)


def _import(lines: list[str], data: Path) -> None:
    data.mkdir(exist_ok=True)
    text = data.with_suffix(".om")
    text.write_text("\n".join([*lines, "# EOF\n"]))
    done = subprocess.run(
        [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, data],
        capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False,
    )  # fmt: skip
    text.unlink()
    if done.returncode:
        raise RuntimeError(f"promtool refuses the series:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")


@contextlib.contextmanager
def serve(data: Path, lookback: str = _LOOKBACK) -> Iterator[Recorded]:
    """A Prometheus that scrapes nothing, on blocks. A series ends `lookback` after its last sample."""
    config = data.with_name("prometheus.yml")
    config.write_text("global: {}\n")
    url = f"http://127.0.0.1:{free_port()}"
    log = data.with_name("prometheus.log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={data}",
             "--storage.tsdb.retention.time=100y", f"--query.lookback-delta={lookback}",
             f"--web.listen-address={url.removeprefix('http://')}",
             "--web.cors.origin=.*", "--log.level=warn"],
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    told = about()
    try:
        wait_until(lambda: _ready(url), _START_SECONDS, lambda: log.read_text()[-2000:], pause=0.05)
        yield Recorded(url, told["start"], told["end"], told["step"])
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False
