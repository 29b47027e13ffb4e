"""What happens while the recording runs: a list of moments, each in seconds after the first scrape."""

from __future__ import annotations

import random
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.controller.stack import Stack, TenantUnderTest
from tests.dashboards.recording.airflows import TenantAirflow
from tests.dashboards.recording.programs import GitRepository, Postgres

SCHEDULED = {
    "payments": (
        "settlement", "card_authorisations", "ledger_export", "fraud_scores", "exchange_rates", "revaluation",
        "feature_store", "platform_canary",
    ),
    "analytics": ("daily_sales", "experiment_scores", "customer_segments", "platform_canary"),
}  # fmt: skip
BROKEN = "from airflow.sdk import DAG\nfrom chargebacks_client import Client  # not in the image\n"


@dataclass
class Story:
    """The actors, and what they do when."""

    airflows: dict[str, TenantAirflow]
    repositories: dict[str, GitRepository]
    tenants: dict[str, TenantUnderTest]
    stack: Stack
    redis: int
    postgres: Postgres
    happened: list[dict[str, object]] = field(default_factory=list)

    def script(self) -> list[tuple[float, Callable[[], object]]]:
        """(second, action), in order."""
        payments = self.airflows["payments"]
        library = [
            (20, "phase1_01_hello_airflow", {}),
            (45, "phase4_04_dynamic_tasks", {}),
            (75, "phase5_04_callbacks", {"work_seconds": 20, "failing_tries": 1}),
            (100, "phase5_02_pools_priority", {"work_seconds": 25}),
            (160, "phase12_01_metrics_monitoring", {}),
            (190, "phase5_03_task_groups", {}),
            (330, "phase5_04_callbacks", {"work_seconds": 0, "failing_tries": 5}),
            (400, "phase12_01_metrics_monitoring", {}),
            (640, "phase5_04_callbacks", {"work_seconds": 1, "failing_tries": 0}),
            (660, "phase5_02_pools_priority", {"work_seconds": 12}),
        ]
        script: list[tuple[float, Callable[[], object]]] = [
            (at, lambda dag=dag, conf=conf: payments.trigger(dag, **conf)) for at, dag, conf in library
        ]
        script += [
            (5, self.unpause),
            (120, self.fill_the_executor),
            (200, self.push_broken_file),
            (290, self.mend_file),
            (310, self.hide_repository),
            (350, self.show_repository),
            (370, self.resize_pool),
            (420, self.change_release),
            (450, self.push_revision),
            (474, self.fill_the_executor),
            (480, self.stop_scheduler),
            (500, self.push_to_analytics),
            (545, self.restart_api_server),
            (600, self.start_scheduler),
            (700, self.fill_the_executor),
            (740, self.push_revision),
        ]
        return sorted(script, key=lambda entry: entry[0])

    def run(self, seconds: float) -> None:
        """Play the script with steady load beside it until the time is over."""
        started = time.monotonic()
        over = threading.Event()
        load = threading.Thread(target=self._load, args=(over,), daemon=True)
        load.start()
        try:
            for at, action in self.script():
                if at > seconds:
                    break
                time.sleep(max(0.0, started + at - time.monotonic()))
                self._do(action)
            time.sleep(max(0.0, started + seconds - time.monotonic()))
        finally:
            over.set()
            load.join(30)

    def _do(self, action: Callable[[], object]) -> None:
        name = getattr(action, "__name__", "")
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)  # noqa: T201
        if name != "<lambda>":
            self.happened.append({"at": round(time.time()), "what": name.replace("_", " ")})
        try:
            action()
        except Exception:  # noqa: BLE001 - one action that fails must not end a recording of a quarter of an hour
            traceback.print_exc()

    def fill_the_executor(self) -> None:
        """More tasks than slots."""
        self.airflows["payments"].trigger("backfill_accounts")

    def unpause(self) -> None:
        """Scheduled DAGs begin."""
        for tenant, dags in SCHEDULED.items():
            self.airflows[tenant].unpause(*dags)

    def push_broken_file(self) -> None:
        """A commit with a file that cannot be imported."""
        (self.repositories["payments"].work / "chargebacks.py").write_text(BROKEN)
        self.repositories["payments"].push("Chargebacks")

    def mend_file(self) -> None:
        """The commit is taken back."""
        (self.repositories["payments"].work / "chargebacks.py").unlink()
        self.repositories["payments"].push("Revert chargebacks")

    def hide_repository(self) -> None:
        """The Git server is gone for a while."""
        self.repositories["payments"].work.rename(self.repositories["payments"].hidden)

    def show_repository(self) -> None:
        """It is back."""
        self.repositories["payments"].hidden.rename(self.repositories["payments"].work)

    def push_revision(self) -> None:
        """A DAG changes."""
        file = self.repositories["payments"].work / "canary.py"
        file.write_text(file.read_text() + f"\n# revision of {time.time():.0f}\n")
        self.repositories["payments"].push("Canary")

    def push_to_analytics(self) -> None:
        """The other team changes a DAG, too."""
        file = self.repositories["analytics"].work / "reports.py"
        file.write_text(file.read_text() + "\n# a comment\n")
        self.repositories["analytics"].push("Reports")

    def restart_api_server(self) -> None:
        """Kubernetes' API server restarts: the operator begins its watches anew."""
        self.stack.restart_api_server()

    def resize_pool(self) -> None:
        """A person makes a pool larger in the UI; the operator puts it back."""
        self.airflows["payments"].pool("warehouse_writes", 6)

    def change_release(self) -> None:
        """A change of the spec that makes a new Helm revision."""
        self.tenants["payments"].edit(airflow={"scheduler": {"replicas": 2}})

    def stop_scheduler(self) -> None:
        """The scheduler's pod is deleted and does not come back."""
        self.airflows["payments"].kill_scheduler()

    def start_scheduler(self) -> None:
        """It comes back."""
        self.airflows["payments"].server.run("scheduler")

    def _load(self, over: threading.Event) -> None:
        waiting = 0
        while not over.wait(3):
            wave = random.randrange(6)  # noqa: S311
            try:
                queue = ["reports", "default"][random.randrange(2)]  # noqa: S311
                self._redis("LPUSH", queue, *(f"task-{waiting}-{n}" for n in range(wave)), "end")
                self._redis("RPOP", queue, str(wave))
                self._redis("GET", f"result-{random.randrange(4)}")  # noqa: S311
                self._redis("SET", f"result-{random.randrange(3)}", "x" * 2000, "EX", "60")  # noqa: S311
                sql = f"SELECT count(*) FROM dag_run WHERE id % {wave + 1} = 0"  # noqa: S608 - a number
                self.postgres.execute(sql, "airflow")
            except (OSError, subprocess.SubprocessError):
                traceback.print_exc()
            waiting += 1

    def _redis(self, *arguments: str) -> None:
        subprocess.run(
            ["redis-cli", "-p", str(self.redis), *arguments], capture_output=True, timeout=10, check=False
        )


def generated_rules(root: Path) -> list[Path]:
    """The committed rule files, if there are any."""
    return sorted((root / "dashboards" / "generated" / "rules").glob("*.yaml"))
