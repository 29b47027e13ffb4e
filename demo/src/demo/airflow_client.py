"""A small client of Airflow's REST API v2: log in, look at DAGs, start runs, read and change objects."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from demo.errors import ApiError, DemoError, WaitTimeoutError

Json = dict[str, Any]
PAGE = 100  # Airflow cuts larger pages silently
FINISHED = frozenset({"success", "failed"})


class AirflowClient:
    """One Airflow at ``base`` (``http://127.0.0.1:12345``), as one user."""

    def __init__(self, base: str, username: str, password: str, *, timeout: float = 30.0) -> None:
        self._base = base.rstrip("/")
        self._credentials = {"username": username, "password": password}
        self._timeout = timeout
        self._token = ""

    def request(self, method: str, path: str, body: object = None, *, login: bool = True) -> Any:
        """Send a request and return the decoded answer (None when empty); log in when needed."""
        if login and not self._token:
            self._log_in()
        try:
            return self._send(method, path, body, self._token if login else "")
        except ApiError as exc:
            expired = exc.status == 401 or (exc.status == 403 and "Invalid JWT" in exc.body)
            if not (login and expired):
                raise
        self._log_in()
        return self._send(method, path, body, self._token)

    def _log_in(self) -> None:
        self._token = str(self._send("POST", "/auth/token", self._credentials, "")["access_token"])

    def _send(self, method: str, path: str, body: object, token: str) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, headers, method=method)  # noqa: S310 - our own URL
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                text = answer.read().decode()
        except urllib.error.HTTPError as exc:
            with exc:
                raise ApiError(method, path, exc.code, exc.read().decode(errors="replace")) from exc
        except (OSError, ValueError) as exc:
            raise ApiError(method, path, 0, f"no answer: {exc}") from exc
        return json.loads(text) if text else None

    def health(self) -> Json:
        """Return the health of the components (the HTTP status is always 200: read the body)."""
        value: Json = self.request("GET", "/api/v2/monitor/health", login=False)
        return value

    def all(self, kind: str) -> list[Json]:
        """Return all pools, connections, variables or dags, page by page."""
        found: list[Json] = []
        while True:
            page = self.request("GET", f"/api/v2/{kind}?limit={PAGE}&offset={len(found)}")
            items = page[kind]
            found.extend(items)
            if not items or len(found) >= page["total_entries"]:
                return found

    def find(self, path: str) -> Json | None:
        """Return one object, or None when it is not there."""
        try:
            value: Json = self.request("GET", path)
        except ApiError as exc:
            if exc.status == 404:
                return None
            raise
        return value

    def pool(self, name: str) -> Json | None:
        """Return a pool."""
        return self.find(f"/api/v2/pools/{urllib.parse.quote(name, safe='')}")

    def set_pool_slots(self, name: str, slots: int) -> None:
        """Resize a pool by hand, as a person would."""
        body = {"name": name, "slots": slots, "include_deferred": False}
        self.request("PATCH", f"/api/v2/pools/{urllib.parse.quote(name, safe='')}?update_mask=slots", body)

    def roles(self) -> dict[str, set[tuple[str, str]]]:
        """Return the roles of FAB: name to pairs of action and resource."""
        answer = self.request("GET", f"/auth/fab/v1/roles?limit={PAGE}")
        return {
            role["name"]: {(item["action"]["name"], item["resource"]["name"]) for item in role["actions"]}
            for role in answer["roles"]
        }

    def dag(self, dag_id: str) -> Json | None:
        """Return a DAG."""
        return self.find(f"/api/v2/dags/{urllib.parse.quote(dag_id, safe='')}")

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self.request("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run and return its id."""
        run = self.request(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})}
        )
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
        return str(self.request("GET", path)["state"])

    def task_states(self, dag_id: str, run_id: str) -> list[tuple[str, int, str]]:
        """Return (task, map index, state) of a run."""
        run = urllib.parse.quote(run_id, safe="")
        answer = self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances?limit={PAGE}")
        return sorted((t["task_id"], t["map_index"], t["state"]) for t in answer["task_instances"])

    def wait_for_run(self, dag_id: str, run_id: str, *, seconds: float, poll: float = 1.0) -> float:
        """Wait until a run has succeeded; return the seconds. DemoError: it failed or took longer."""
        started = time.monotonic()
        state = "unknown"
        while time.monotonic() - started < seconds:
            try:
                state = self.run_state(dag_id, run_id)
            except ApiError as exc:
                if exc.status not in (0, 500, 502, 503, 504):
                    raise
            if state in FINISHED:
                break
            time.sleep(poll)
        if state == "success":
            return time.monotonic() - started
        tasks = "; ".join(
            f"{task}[{index}] {state}" for task, index, state in self.task_states(dag_id, run_id)
        )
        if state == "failed":
            raise DemoError(f"run {run_id} of {dag_id} failed: {tasks}")
        raise WaitTimeoutError(f"run {run_id} of {dag_id}", seconds, f"{state}: {tasks}")
