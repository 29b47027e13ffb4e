"""The team's sample DAGs: a report by mail, the reading of an experiment."""

from __future__ import annotations

import csv
import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

REPORT, AB_TEST = "analytics_report_daily_sales", "analytics_experiment_ab_test"
DAY = datetime.datetime(2026, 3, 6, 7, tzinfo=datetime.UTC)


@pytest.mark.covers("D000-9")
def test_the_report_of_yesterday_is_a_file_and_a_mail(postgres, smtp, variable, tmp_path):
    postgres.connection("warehouse")
    variable("analytics_report_receiver", "sales@example.com")
    postgres.execute("CREATE TABLE sales (region TEXT, amount NUMERIC(10, 2), sold_at TIMESTAMP)")
    postgres.execute(
        "INSERT INTO sales VALUES ('north', 10.10, '2026-03-05 00:00'), ('north', 5, '2026-03-05 23:59:59'),"
        " ('south', 1.05, '2026-03-05 12:00'), ('south', 99, '2026-03-06 00:00'), ('west', 99, '2026-03-04')"
    )
    done = run(REPORT, conf={"report_folder": str(tmp_path)}, logical_date=DAY)
    assert done.states == {"build_report": "success", "send_report": "success"}
    path = tmp_path / "sales_2026-03-05.csv"
    assert done.xcom("build_report") == {
        "day": "2026-03-05",
        "regions": 2,
        "sales": 3,
        "revenue": "16.15",
        "path": str(path),
    }
    assert list(csv.reader(path.read_text().splitlines())) == [
        ["region", "sales", "revenue"],
        ["north", "2", "15.10"],
        ["south", "1", "1.05"],
    ]
    (mail,) = smtp.messages
    assert mail["To"] == "sales@example.com"
    assert mail["Subject"] == "Sales of 2026-03-05"
    assert "3 sales, 16.15 in 2 regions." in mail.get_body(("html",)).get_content()


def experiment(postgres, control: tuple[int, int], treatment: tuple[int, int]) -> None:
    """(users, conversions) of both variants."""
    postgres.connection("warehouse")
    postgres.execute(
        "CREATE TABLE experiment_users (experiment TEXT, user_id INT, variant TEXT, converted BOOLEAN)"
    )
    for variant, (users, conversions) in {"control": control, "treatment": treatment}.items():
        postgres.execute(
            "INSERT INTO experiment_users SELECT 'new_checkout', i, %s, i <= %s"
            " FROM generate_series(1, %s) AS i",
            *(variant, conversions, users),
        )
    postgres.execute("INSERT INTO experiment_users VALUES ('another', 1, 'control', true)")


@pytest.mark.covers("D000-9")
@pytest.mark.parametrize(
    ("control", "treatment", "verdict"),
    [
        ((2000, 200), (2000, 280), "treatment"),
        ((2000, 280), (2000, 200), "control"),
        ((2000, 200), (2000, 206), "undecided"),
        ((200, 20), (200, 60), "undecided"),  # a clear difference, too few users
    ],
)
def test_a_winner_is_announced_only_beyond_chance(postgres, control, treatment, verdict):
    experiment(postgres, control, treatment)
    done = run(AB_TEST)
    assert done.state == "success"
    chosen, other = (
        ("continue_test", "announce_winner")
        if verdict == "undecided"
        else ("announce_winner", "continue_test")
    )
    assert done.of("success") == {"count_variants", "compare_variants", "choose_next_step", chosen}
    assert done.of("skipped") == {other}
    assert done.xcom("count_variants")["control"] == {"units": control[0], "conversions": control[1]}
    assert done.xcom("compare_variants")["verdict"] == verdict


@pytest.mark.covers("D000-9")
def test_a_variant_without_users_is_an_error(postgres):
    experiment(postgres, (10, 1), (0, 0))
    assert run(AB_TEST).states["compare_variants"] == "failed"


@pytest.mark.covers("D000-9")
@pytest.mark.parametrize(("dag_id", "purpose"), [(REPORT, "reporting"), (AB_TEST, "experiments")])
def test_folder_tag_and_owner_agree(dag_id, purpose):
    dag = bag().dags[dag_id]
    assert f"team_analytics/{purpose}/" in dag.fileloc
    assert {"analytics", purpose} <= dag.tags
    assert {task.owner for task in dag.tasks} == {"analytics"}
