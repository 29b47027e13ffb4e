"""The behaviour of git-sync v4 that tenants rely on, of the stand-in or of GIT_SYNC_BINARY=/path.

Publishing, failures, endpoint and command line; passwords and hooks are in test_git_sync_contract_hooks.py.
"""

from __future__ import annotations

from pathlib import Path

from tests.git_remote import fetch, free_port, wait_for
from tests.images import git_sync_contract as contract
from tests.images.git_sync_process import Sync


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
