"""The behaviour of git-sync v4 that tenants rely on: passwords, hooks, signals, files and submodules."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.git_remote import Remote, http_backend, serving, wait_for
from tests.images import git_sync_contract as contract
from tests.images.git_sync_process import Sync, script

from tenant_operator.plan import fetch


@pytest.mark.parametrize("way", ["file", "variable", "credential", "credential with a file", "askpass"])
def test_a_private_repository_opens_with_each_kind_of_password(sync: Sync, way: str) -> None:
    sync.remote.push("v1")
    password = sync.home / "password"
    password.write_text("p:1 x")

    class Askpass(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"username=team\npassword=p:1 x\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    with http_backend(sync.remote_base, "team:p:1 x") as address, serving(Askpass) as askpass:
        sync.repo = f"{address}/r.git"
        arguments = {
            "file": ["--username=team", f"--password-file={password}"],
            "variable": ["--username=team"],
            "credential": [
                "--credential=" + json.dumps({"url": address, "username": "team", "password": "p:1 x"})
            ],
            "credential with a file": [
                "--credential="
                + json.dumps([{"url": address, "username": "team", "password-file": str(password)}])
            ],
            "askpass": [f"--askpass-url={askpass}"],
        }[way]
        contract.assert_aborted(*sync.once("--one-time"), says="")
        if way == "variable":
            sync.env["GITSYNC_PASSWORD"] = "p:1 x"
        code, said = sync.once("--one-time", "--link=current", *arguments)
    assert code == 0, said
    assert (sync.root / "current" / "dag.py").read_text() == "v1"
    assert "p:1 x" not in said


def test_a_renewed_password_file_is_used_at_the_next_sync(sync: Sync) -> None:
    sync.remote.push("v1")
    password = sync.home / "password"
    password.write_text("old")
    with http_backend(sync.remote_base, "team:new") as address:
        sync.repo = f"{address}/r.git"
        arguments = ("--link=current", "--username=team", f"--password-file={password}", "--max-failures=-1")
        with sync.running(*arguments):
            wait_for(lambda: contract.message(sync.said(), "error syncing repo, will retry"))
            password.write_text("new")
            wait_for(lambda: (sync.root / "current" / "dag.py").read_text() == "v1")


def test_a_password_is_no_flag(sync: Sync) -> None:
    code, _ = sync.once("--one-time", "--username=team", "--password=secret")
    assert code != 0


def test_the_exechook_runs_in_the_new_tree_with_its_hash(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    hook = script(sync.home, f'echo "$GITSYNC_HASH $(cat dag.py) $#" > {sync.home}/seen')
    code, said = sync.once("--one-time", "--link=current", f"--exechook-command={hook}")
    assert code == 0, said
    assert (sync.home / "seen").read_text() == f"{commit} v1 0\n"


def test_a_failing_exechook_fails_one_time_and_is_tried_again_otherwise(sync: Sync) -> None:
    sync.remote.push("v1")
    hook = script(sync.home, f"echo x >> {sync.home}/runs; [ $(wc -l < {sync.home}/runs) -ge 3 ]")
    assert sync.once("--one-time", f"--exechook-command={hook}")[0] == 1
    with sync.running(f"--exechook-command={hook}", "--exechook-backoff=50ms") as process:
        wait_for(lambda: len((sync.home / "runs").read_text().splitlines()) == 3)
        assert process.poll() is None


def test_an_exechook_that_hangs_is_ended(sync: Sync) -> None:
    sync.remote.push("v1")
    hook = script(sync.home, "exec sleep 50")
    assert sync.once("--one-time", f"--exechook-command={hook}", "--exechook-timeout=200ms")[0] == 1


def test_the_webhook_is_posted_until_it_succeeds(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    calls: list[tuple[str, str | None]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append((self.command, self.headers.get("Gitsync-Hash")))
            self.send_response(200 if len(calls) > 1 else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    with serving(Hook) as address, sync.running(f"--webhook-url={address}", "--webhook-backoff=50ms"):
        wait_for(lambda: len(calls) == 2)
    assert calls == [("POST", commit)] * 2


def test_a_signal_starts_a_sync_now(sync: Sync) -> None:
    first = sync.remote.push("v1")
    with sync.running("--link=current", "--period=1h", "--sync-on-signal=SIGHUP") as process:
        wait_for(lambda: sync.published() == first)
        second = sync.remote.push("v2")

        def flipped() -> bool:
            process.send_signal(signal.SIGHUP)
            return sync.published() == second

        wait_for(flipped)
        assert process.poll() is None


def test_as_process_one_it_syncs_on_the_command_that_the_operator_runs_in_its_container(sync: Sync) -> None:
    """In a container git-sync is process 1, to which the kernel delivers only signals that it listens for."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the program runs in a process namespace of its own")
    first = sync.remote.push("v1")
    flags = ("--link=current", "--period=1h", fetch.FLAG)
    with sync.running(*flags, within=("unshare", "--pid", "--fork", "--kill-child")) as outside:
        wait_for(lambda: sync.published() == first)
        (inside,) = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
        second = sync.remote.push("v2")

        def flipped() -> bool:
            enter = ["nsenter", "--target", inside, "--pid", "--", *fetch.COMMAND]
            subprocess.run(enter, check=True, timeout=10)
            return sync.published() == second

        wait_for(flipped)
        assert outside.poll() is None, "it goes on"


def test_the_error_file_holds_the_last_error_until_a_sync_succeeds(sync: Sync) -> None:
    with sync.running("--link=current", "--error-file=error.json", "--max-failures=-1"):
        error = sync.root / "error.json"
        wait_for(lambda: "error syncing repo" in json.dumps(json.loads(error.read_text())))
        sync.remote.push("v1")
        wait_for(lambda: not error.exists())


def test_group_write_lets_the_group_write(sync: Sync) -> None:
    sync.remote.push("v1")
    assert sync.once("--one-time", "--link=current", "--group-write")[0] == 0
    assert (sync.root / "current" / "dag.py").stat().st_mode & stat.S_IWGRP


@pytest.mark.parametrize(("mode", "there"), [("recursive", True), ("off", False)])
def test_submodules_are_there_unless_off(sync: Sync, tmp_path: Path, mode: str, there: bool) -> None:
    inner = Remote.make(tmp_path, "inner.git")
    inner.push("inside", "lib.py")
    address = sync.repo.rsplit("/", 1)[0]
    sync.remote.run("submodule", "add", "-q", f"{address}/inner.git", "inner")
    sync.remote.push("v1")
    code, said = sync.once("--one-time", "--link=current", f"--submodules={mode}")
    assert code == 0, said
    assert (sync.root / "current" / "inner" / "lib.py").exists() == there


def test_the_pre_publish_hook_is_a_gate_that_knows_the_earlier_hash(sync: Sync) -> None:
    if "pre-publish-exechook-command" not in sync.once("--help")[1]:
        pytest.skip("this git-sync is older than 4.5")
    first = sync.remote.push("v1")
    hook = script(sync.home, f'echo "$GITSYNC_HASH $(cat dag.py)" >> {sync.home}/seen; ! grep -q bad dag.py')
    arguments = ("--one-time", "--link=current", f"--pre-publish-exechook-command={hook}")
    assert sync.once(*arguments)[0] == 0
    sync.remote.push("bad")
    assert sync.once(*arguments)[0] != 0
    contract.assert_layout(sync.root, "current", first)
    assert (sync.home / "seen").read_text().splitlines()[:2] == [" v1", f"{first} bad"]
