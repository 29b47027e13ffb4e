"""The command `alertmanager-config`, as a person runs it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tenant_operator.__main__ import main
from tenant_operator.core import names
from tenant_operator.core.kinds import Object

#: Options and tenants in; exit code, output and complaints out.
Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[3]
NAME = "alertmanager-config"
OWNER = {"team": "pay", "email": "pay@example.com"}
MAIL = ("--smtp-smarthost", "relay:25", "--smtp-from", "a@example.com")
HOOK = {"urlSecretRef": {"name": "hook", "key": "url"}}


def tenant(name: str = "payments", owner: Object = OWNER, **monitoring: object) -> Object:
    spec = {"owner": owner, "monitoring": monitoring}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with tenants as a List on its standard input; exit code, output and complaints."""

    def call(*options: str, tenants: tuple[Object, ...]) -> tuple[int, str, str]:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(tenants)}
        monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(listed)))
        code = main([NAME, "-", *options])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_the_command_of_the_page_works(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    folder = "manifests/tenants/base"
    assert f"{NAME} {folder}" in page
    assert main([NAME, str(ROOT / folder), *MAIL]) == 0
    out, err = capsys.readouterr()
    assert yaml.safe_load(out)["route"]["receiver"] == "platform"
    assert err == ""


@pytest.mark.parametrize(
    ("owner", "options", "needs"),
    [
        (OWNER, (), "spec.owner.email needs --smtp-smarthost and --smtp-from"),
        (
            {"team": "pay", "slack": "#pay"},
            ("--slack-channel", ""),
            "spec.owner.slack needs --slack-channel",
        ),
        ({"team": "pay"}, MAIL, "set spec.owner.email (with --smtp-smarthost and --smtp-from), spec.owner"),
    ],
)
def test_a_team_that_cannot_be_told_is_named(
    run: Run, owner: Object, options: tuple[str, ...], needs: str
) -> None:
    told = tenant("told", alerts={"webhook": HOOK})
    code, out, err = run(*options, tenants=(tenant(owner=owner), told))
    assert code == 0
    assert len(err.splitlines()) == 1
    assert err.startswith(f"{NAME}: tenant payments: its team is told of no alert: {needs}")
    receivers = {receiver["name"] for receiver in yaml.safe_load(out)["receivers"]}
    assert "told/page" in receivers
    assert "payments/page" not in receivers


@pytest.mark.parametrize("monitoring", [{"enabled": False}, {"alerts": {"enabled": False}}])
def test_a_team_that_wants_no_alerts_is_not(run: Run, monitoring: Object) -> None:
    code, _, err = run(tenants=(tenant(**monitoring),))
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("options", "made", "words"),
    [
        (("--secrets-directory", ""), tenant(), "--secrets-directory must be an absolute path"),
        (("--smtp-smarthost", "relay:25"), tenant(), "go together"),
        (
            (),
            tenant(
                "platform",
                alerts={"webhook": {"urlSecretRef": {"name": "slack-api-url", "key": "url"}}},
            ),
            "tenant platform: its Secret slack-api-url",
        ),
        ((), {"kind": "ConfigMap"}, "no AirflowTenant in -"),
        ((), {"kind": names.KIND, "apiVersion": names.API_VERSION, "metadata": "x"}, "without metadata.name"),
    ],
)
def test_wrong_input_is_a_sentence_and_exit_code_1(
    run: Run, options: tuple[str, ...], made: Object, words: str
) -> None:
    code, out, err = run(*options, tenants=(made,))
    assert (code, out) == (1, "")
    assert err.startswith(f"{NAME}: ")
    assert words in err


def test_the_help_says_what_exit_codes_mean_and_where_secrets_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([NAME, "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Exit code 0: printed" in text
    assert "(default: /etc/alertmanager/secrets)" in text
