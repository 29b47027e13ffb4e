"""The operator as a real process, as its image runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
#: Modules that the environment of the tests has and the operator's image has not.
_ABSENT = Path(__file__).with_name("absent")
_START_SECONDS = 90.0
_INHERITED = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "VIRTUAL_ENV", "PYTHONPATH")

T = TypeVar("T")


def eventually(
    look: Callable[[], T], seconds: float, explain: Callable[[], Any] = str, pause: float = 0.05
) -> T:
    """The first true value of `look`; AssertionError with `explain()` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if value := look():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not reached in {seconds:g} s:\n{explain()}")
        time.sleep(pause)


@dataclass
class Operator:
    """One installation of the operator; its process may end and be started again."""

    kubeconfig: Path
    log: Path
    port: int
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        """Start and wait until it says that it is ready."""
        assert self.process is None, "it runs already"
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_ABSENT), inherited.get("PYTHONPATH")])),
            "KUBECONFIG": str(self.kubeconfig),
            "METRICS_PORT": str(self.port),
            "METRICS_HOST": "127.0.0.1",
            "LOG_FORMAT": "text",
            **self.environment,
            **more,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tenant_operator"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._up, _START_SECONDS, self.tail)

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the operator ended:\n{self.tail()}"
        return self.http("/readyz")[0] == 200

    def http(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """All samples by name and sorted labels."""
        _, text = self.http("/metrics")
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of a name with these labels."""
        return sum(
            value
            for (sample, its), value in self.metrics().items()
            if sample == name and labels.items() <= dict(its).items()
        )

    def terminate(self, seconds: float = 60.0) -> int:
        """SIGTERM; the exit code. Fails when it takes longer than `seconds`."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """SIGKILL, as a node that loses power does it."""
        self._end(signal.SIGKILL, 60.0)

    def _end(self, number: int, seconds: float) -> int:
        process, self.process = self.process, None
        assert process is not None, "it does not run"
        process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(f"the operator did not end within {seconds:g} s:\n{self.tail()}") from None

    def tail(self, lines: int = 60) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
