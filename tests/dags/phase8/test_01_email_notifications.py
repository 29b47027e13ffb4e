"""What arrives at the mail server."""

from __future__ import annotations

import datetime
import smtplib

import pytest
import yaml
from airflow.sdk.log import mask_secret
from tests.dags.home import ROOT
from tests.dags.runner import run

DAG_ID = "phase8_01_email_notifications"
MARCH_2 = datetime.datetime(2026, 3, 2, 4, tzinfo=datetime.UTC)


def body(message):
    return message.get_body(("html",)).get_content()


@pytest.mark.covers("P08.1")
def test_a_run_whose_load_fails_sends_the_report_and_the_alert(smtp):
    done = run(DAG_ID, conf={"fail_load": True}, logical_date=MARCH_2)
    assert done.state == "failed"
    assert done.of("success") == {"summarise_sales", "send_report"}
    assert done.tries("load_warehouse") == 2
    assert len(smtp.messages) == 2
    by_reader = {message["To"]: message for message in smtp.messages}
    assert set(by_reader) == {"sales@example.com", "data-oncall@example.com"}

    report = by_reader["sales@example.com"]
    assert report["Subject"] == f"{DAG_ID} / send_report: 2026-03-02"
    assert report["From"] == "airflow@example.com"
    assert "<h3>Sales of 2026-03-02</h3>" in body(report)
    assert "<td>476.00</td>" in body(report)
    assert "<td>6</td>" in body(report)

    alert = by_reader["data-oncall@example.com"]
    assert alert["Subject"] == f"[Airflow] {DAG_ID}.load_warehouse failed"
    assert f"<td>{done.run_id}</td>" in body(alert)
    assert "<td>2 of 2</td>" in body(alert)
    assert "warehouse &lt;dwh&gt; is not reachable" in body(alert)
    assert f"/dags/{DAG_ID}/runs/" in body(alert)
    assert "{{" not in body(report) + body(alert)


@pytest.mark.covers("P08.1")
def test_a_run_that_succeeds_sends_the_report_only(smtp):
    done = run(DAG_ID, conf={"report_to": "board@example.com"}, logical_date=MARCH_2)
    assert done.of("success") == {"summarise_sales", "send_report", "load_warehouse"}
    assert [message["To"] for message in smtp.messages] == ["board@example.com"]


@pytest.mark.covers("P08.1")
def test_a_mail_server_that_is_down_fails_the_report_but_adds_nothing_to_a_failed_load(connect):
    connect("smtp_default", "smtp", host="127.0.0.1", port=9, extra={"disable_tls": True, "retry_limit": 1})
    done = run(DAG_ID, conf={"fail_load": True}, logical_date=MARCH_2)
    assert done.of("failed") == {"send_report", "load_warehouse"}
    assert done.tries("send_report") == 4
    assert done.tries("load_warehouse") == 2


@pytest.mark.covers("P08.1")
def test_the_alert_shows_no_secret_that_airflow_masks(smtp):
    mask_secret("warehouse <dwh>")
    run(DAG_ID, conf={"fail_load": True}, logical_date=MARCH_2)
    (alert,) = [message for message in smtp.messages if message["To"] == "data-oncall@example.com"]
    assert "*** is not reachable" in body(alert)
    assert "dwh" not in body(alert)


@pytest.fixture
def sample():
    """The platform team's connection to its mail server."""
    tenant = yaml.safe_load(
        (ROOT / "manifests" / "tenants" / "base" / "platform" / "tenant.yaml").read_text()
    )
    [found] = [one for one in tenant["spec"]["connections"] if one["id"] == "smtp_default"]
    return found


@pytest.mark.covers("S002-20")
def test_the_sample_s_connection_sends_over_starttls_with_the_secret_s_password(
    smtp_starttls, connect, sample
):
    assert (sample["host"], sample["port"]) == ("smtp.gmail.com", 587)
    assert sample["passwordSecretRef"] == {"name": "smtp", "key": "password"}
    assert "password" not in sample
    place = {"host": "localhost", "port": smtp_starttls.port}
    with smtplib.SMTP(**place) as without:
        without.ehlo()
        assert not without.has_extn("auth")
        assert without.mail("airflow@example.com")[0] == 530, "this server wants STARTTLS"
    secret = {"login": sample["login"], "password": "of-the-secret"}
    connect("smtp_default", "smtp", **place, **secret, extra=sample["extra"])
    done = run(DAG_ID, logical_date=MARCH_2)
    assert done.states["send_report"] == "success"
    [message] = smtp_starttls.messages
    assert message["From"] == "airflow@example.com"
    assert smtp_starttls.logins == [(sample["login"], "of-the-secret", True)]
