"""The behaviour of git-sync v4 that tenants rely on, of the stand-in or of GIT_SYNC_BINARY=/path."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.images import git_sync_contract as contract
from tests.images.git_remote import Remote, daemon, fetch, free_port, http_backend, serving, wait_for


@dataclass
class Sync:
    """git-sync on one remote with one root."""

    binary: Path
    repo: str
    remote: Remote
    home: Path
    root: Path
    remote_base: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.home / "log"

    def words(self, *arguments: str) -> list[str]:
        return [str(self.binary), f"--repo={self.repo}", f"--root={self.root}", *arguments]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.env}

    def once(self, *arguments: str, words: list[str] | None = None) -> tuple[int, str]:
        """Run to the end; returns the code and everything it said."""
        done = subprocess.run(
            self.words(*arguments) if words is None else words,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            cwd=self.home,
        )
        return done.returncode, done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run in the background with a short period; ended afterwards."""
        with self.log.open("wb") as out:
            process = subprocess.Popen(
                self.words("--period=100ms", *arguments),
                env=self.environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.home,
            )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def said(self) -> str:
        return self.log.read_text()

    def published(self, link: str = "current") -> str:
        return (self.root / link).readlink().name


@pytest.fixture
def sync(tmp_path: Path, git_sync: Path) -> Iterator[Sync]:
    remote = Remote.make(tmp_path)
    home, root = tmp_path / "home", tmp_path / "root"
    home.mkdir()
    with daemon(remote.base, free_port()) as address:
        yield Sync(git_sync, f"{address}/r.git", remote, home, root, remote.base)


def script(folder: Path, text: str) -> Path:
    path = folder / "hook.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_one_time_publishes_the_head_and_ends_with_0(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    code, said = sync.once("--one-time", "--link=current", "--ref=main")
    assert code == 0, said
    contract.assert_layout(sync.root, "current", commit)
    contract.assert_updated(said, "main", commit)
    assert (sync.root / "current" / "dag.py").read_text() == "v1"


def test_the_ref_defaults_to_the_remotes_head(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    code, said = sync.once("--one-time", "--link=current")
    assert code == 0
    contract.assert_updated(said, "HEAD", commit)


def test_the_link_defaults_to_the_last_part_of_the_address(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    assert sync.once("--one-time")[0] == 0
    contract.assert_layout(sync.root, "r.git", commit)


def test_one_commit_is_fetched_by_default_and_all_with_depth_0(sync: Sync) -> None:
    sync.remote.push("v1")
    sync.remote.push("v2")
    assert sync.once("--one-time", "--link=current")[0] == 0
    assert len(sync.remote.run("log", "--format=%H", cwd=sync.root / "current").splitlines()) == 1
    assert sync.once("--one-time", "--link=current", "--depth=0")[0] == 0
    assert len(sync.remote.run("log", "--format=%H", cwd=sync.root / "current").splitlines()) == 2


def test_a_push_flips_the_link_at_once_and_the_earlier_tree_goes(sync: Sync) -> None:
    first = sync.remote.push("v1")
    with sync.running("--link=current", "--ref=main"):
        wait_for(lambda: sync.published() == first)
        second = sync.remote.push("v2")
        seen = set()
        end = False
        while not end:  # at any moment a reader finds one whole tree
            seen.add((sync.root / "current" / "dag.py").read_text())
            end = sync.published() == second
        wait_for(lambda: [item.name for item in (sync.root / ".worktrees").iterdir()] == [second])
    assert seen <= {"v1", "v2"}
    contract.assert_layout(sync.root, "current", second)


def test_an_earlier_tree_stays_for_the_stale_timeout(sync: Sync) -> None:
    first = sync.remote.push("v1")
    port = free_port()

    http = (f"--http-bind=127.0.0.1:{port}", "--http-metrics")
    with sync.running("--link=current", "--stale-worktree-timeout=1h", *http):
        wait_for(lambda: sync.published() == first)
        second = sync.remote.push("v2")
        wait_for(lambda: sync.published() == second)
        before = contract.sync_counts(fetch(port, "/metrics")[1]).get("noop", 0)
        wait_for(
            lambda: contract.sync_counts(fetch(port, "/metrics")[1]).get("noop", 0) > before + 2
        )  # cleaning up had its chances
    assert (sync.root / ".worktrees" / first / "dag.py").read_text() == "v1"


def test_a_volume_may_be_mounted_elsewhere(sync: Sync, tmp_path: Path) -> None:
    sync.remote.push("v1")
    assert sync.once("--one-time", "--link=current")[0] == 0
    sync.root.rename(tmp_path / "elsewhere")
    assert sync.remote.run("status", "--porcelain", cwd=tmp_path / "elsewhere" / "current") == ""


def test_a_restart_on_the_same_volume_keeps_the_published_tree(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    for _ in range(2):
        code, said = sync.once("--one-time", "--link=current")
        assert code == 0, said
        contract.assert_layout(sync.root, "current", commit)


def test_the_touch_file_counts_from_the_root(sync: Sync) -> None:
    sync.remote.push("v1")
    assert sync.once("--one-time", "--touch-file=synced")[0] == 0
    assert (sync.root / "synced").is_file()


def test_the_endpoint_is_503_until_the_first_sync_and_200_after(sync: Sync) -> None:
    port = free_port()
    with sync.running("--link=current", f"--http-bind=127.0.0.1:{port}", "--max-failures=-1"):
        wait_for(lambda: fetch(port)[0] == 503)
        sync.remote.push("v1")
        wait_for(lambda: fetch(port)[0] == 200)


def test_metrics_count_success_noop_and_error_with_durations(sync: Sync) -> None:
    sync.remote.push("v1")
    port = free_port()

    arguments = ("--link=current", f"--http-bind=127.0.0.1:{port}", "--http-metrics", "--max-failures=-1")
    with sync.running(*arguments):
        wait_for(lambda: {"success", "noop"} <= set(contract.sync_counts(fetch(port, "/metrics")[1])))
        contract.assert_metrics(fetch(port, "/metrics")[1], "success", "noop")
        sync.remote_base.joinpath("r.git").rename(sync.remote_base / "gone")
        wait_for(lambda: "error" in contract.sync_counts(fetch(port, "/metrics")[1]))
        contract.assert_metrics(fetch(port, "/metrics")[1], "error")


def test_without_http_metrics_there_are_none(sync: Sync) -> None:
    sync.remote.push("v1")
    port = free_port()
    with sync.running("--link=current", f"--http-bind=127.0.0.1:{port}"):
        wait_for(lambda: fetch(port)[0] == 200)
        assert "git_sync_count_total" not in fetch(port, "/metrics")[1]


def test_max_failures_0_ends_at_the_first_failure(sync: Sync) -> None:
    sync.remote.push("v1")
    with sync.running("--link=current", "--max-failures=0") as process:
        wait_for((sync.root / "current").exists)
        sync.remote_base.joinpath("r.git").rename(sync.remote_base / "gone")
        code = process.wait(20)
    contract.assert_aborted(code, sync.said(), says="")
    assert (sync.root / "current" / "dag.py").exists()


def test_max_failures_minus_1_keeps_the_last_good_tree_and_recovers(sync: Sync) -> None:
    sync.remote.push("v1")
    with sync.running("--link=current", "--max-failures=-1") as process:
        wait_for((sync.root / "current").exists)
        sync.remote_base.joinpath("r.git").rename(sync.remote_base / "gone")
        wait_for(lambda: contract.message(sync.said(), "error syncing repo, will retry"))
        assert process.poll() is None
        assert (sync.root / "current" / "dag.py").read_text() == "v1"
        sync.remote_base.joinpath("gone").rename(sync.remote_base / "r.git")
        second = sync.remote.push("v2")
        wait_for(lambda: sync.published() == second)


def test_a_ref_that_does_not_exist_ends_with_1_and_gits_words(sync: Sync) -> None:
    sync.remote.push("v1")
    code, said = sync.once("--one-time", "--ref=nope")
    contract.assert_aborted(code, said, says="nope")
    assert "couldn't find remote ref" in said


def test_a_repository_that_does_not_exist_ends_with_1(sync: Sync) -> None:
    sync.repo += "-not"
    code, said = sync.once("--one-time")
    contract.assert_aborted(code, said, says="r.git-not")


def test_no_repository_named_is_wrong_use(sync: Sync) -> None:
    code, said = sync.once(words=[str(sync.binary), f"--root={sync.root}"])
    contract.assert_usage(code, said, expected=1, says="required flag: --repo must be specified")


def test_an_unknown_flag_is_wrong_use_with_code_2(sync: Sync) -> None:
    code, said = sync.once("--no-such-flag")
    contract.assert_usage(code, said, expected=2, says="unknown flag: --no-such-flag")


def test_a_full_hash_pins_and_an_abbreviated_one_fails(sync: Sync) -> None:
    first = sync.remote.push("v1")
    sync.remote.push("v2")
    code, said = sync.once("--one-time", "--link=current", f"--ref={first}")
    assert code == 0, said
    contract.assert_layout(sync.root, "current", first)
    contract.assert_aborted(*sync.once("--one-time", "--link=current", f"--ref={first[:8]}"), says=first[:8])
    contract.assert_layout(sync.root, "current", first)


def test_an_annotated_tag_is_the_commit_that_it_names(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    sync.remote.run("tag", "-a", "v1.0", "-m", "first")
    sync.remote.run("push", "-q", "origin", "v1.0")
    assert sync.once("--one-time", "--link=current", "--ref=v1.0")[0] == 0
    contract.assert_layout(sync.root, "current", commit)


def test_every_setting_is_a_variable_too(sync: Sync) -> None:
    commit = sync.remote.push("v1")
    sync.env = {
        "GITSYNC_REPO": sync.repo,
        "GITSYNC_ROOT": str(sync.root),
        "GITSYNC_ONE_TIME": "true",
        "GITSYNC_LINK": "from-variable",
        "GITSYNC_TOUCH_FILE": "touched",
    }
    code, said = sync.once(words=[str(sync.binary)])
    assert code == 0, said
    contract.assert_layout(sync.root, "from-variable", commit)
    assert (sync.root / "touched").exists()


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
