"""The quick start of the README is one command, and leads to the address and the user that it names."""

from __future__ import annotations

import base64
import re

import pytest
from tests.docs.built import ROOT
from tests.unit.operator.support import tenant

from demo.samples import PAYMENTS, SAMPLES
from tenant_operator.adapters.system import SystemTokens
from tenant_operator.plan import secrets


@pytest.mark.covers("S004-01")
def test_one_command_brings_the_pages_to_port_8080_for_a_user_with_a_password_of_its_own() -> None:
    quick = (ROOT / "README.md").read_text().partition("## Two commands")[2].partition("\n## ")[0]
    first = re.findall(r"^```console\n(.*?)^```", quick, re.MULTILINE | re.DOTALL)[0].splitlines()[0]
    assert first.partition("#")[0].strip() == "make demo"
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: .*\n\t\$\(BIN\)/demo up$", makefile, re.MULTILINE)
    assert f"http://127.0.0.1:{PAYMENTS.port} " in quick
    assert [sample.port for sample in SAMPLES] == [8080, 8081]
    text = " ".join(quick.split())
    assert f"log in as `admin` with the password that was made for the Secret `{PAYMENTS.name}-admin`" in text
    made = [
        {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        for _ in range(2)
        for one in secrets.missing(tenant(PAYMENTS.name), {}, SystemTokens())
        if one["metadata"]["name"] == f"{PAYMENTS.name}-admin"
    ]
    assert [one["username"] for one in made] == ["admin", "admin"]
    assert made[0]["password"] != made[1]["password"]
