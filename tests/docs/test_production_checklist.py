"""The production checklist: all of its lines are there, and a ticked one has a test that proves it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "production-checklist.md"

#: The lines in their order: the row, a word of the line, and the requirements whose tests are its evidence.
LINES = (
    ("S004-C01", "retried", "L-07"),
    ("S004-C02", "down", "P07.3"),
    ("S004-C03", "failure", "L-22"),
    ("S004-C04", "how bad", "P08.3"),
    ("S004-C05", "connections", "L-04"),
    ("S004-C06", "before it is loaded", "P10.1"),
    ("S004-C07", "versions", "P10.2"),
    ("S004-C08", "unit tests", "P11.1"),
    ("S004-C09", "CI", "S000-24"),
    ("S004-C10", "Metrics", "M-01"),
    ("S004-C11", "JSON", "LG-04"),
    ("S004-C12", "depends on", "P12.3"),
    ("S004-C13", "deadline", "L-22", "A-20"),
    ("S004-C14", "waits for which", "P13.3"),
    ("S004-C15", "Sensors", "L-31"),
    ("S004-C16", "asset", "P14.2"),
    ("S004-C17", "factory", "P15.1"),
    ("S004-C18", "Teams cannot reach", "P15.3"),
    ("S004-C19", "secrets backend", "S000-15"),
    ("S004-C20", "No credentials", "L-04"),
    ("S004-C21", "roles", "S000-21"),
    ("S004-C22", "audit log", "S000-20"),
    ("S004-C23", "Lineage", "P17.1"),
    ("S004-C24", "classified", "L-38"),
    ("S004-C25", "removed", "P17.3"),
    ("S004-C26", "Features", "P18.1"),
    ("S004-C27", "drift", "P18.3"),
    ("S004-C28", "beat", "P18.3"),
    ("S004-C29", "A/B", "P18.2"),
    ("S004-C30", "Retraining", "P18.3"),
    ("S004-C31", "way back", "P18.3"),
)


@dataclass(frozen=True)
class Line:
    """A row of the checklist."""

    ticked: bool
    text: str
    how: str
    evidence: str


def lines() -> list[Line]:
    text = PAGE.read_text()
    found = re.findall(r"^\| \[(x| )\] \| (.*?) \| (.*) \| (.*?)\|$", text, re.MULTILINE)
    return [Line(tick == "x", words, how, evidence.strip()) for tick, words, how, evidence in found]


ROW = re.compile(r"[A-Z][A-Z0-9]*[-.]?[A-Z]?\d+(?:[-.]\d+)?")


def proven_by(file: Path) -> set[str]:
    """The requirements that a file says it proves, in marks or in a table beside them; no comment counts.

    A file without a test, or one whose marks are gone, proves nothing.
    """
    nodes = list(ast.walk(ast.parse(file.read_text())))
    tests = [
        node
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    marks = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "covers"]
    if not tests or not marks:
        return set()
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if ROW.fullmatch(text)}


def test_a_requirement_in_a_comment_or_without_a_test_is_not_proven(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    marked = '@pytest.mark.covers("P07.3")\ndef test_x(): ...\n'
    for text, proven in (
        (marked, {"P07.3"}),
        ("".join(f"# {line}\n" for line in marked.splitlines()), set()),
        (marked.replace("test_x", "helper"), set()),
        ('def test_x(): print("P07.3")\n', set()),
    ):
        file.write_text(text)
        assert proven_by(file) == proven, text


def numbered() -> list[object]:
    return [
        pytest.param(number, id=f"{number + 1:02}", marks=pytest.mark.covers(LINES[number][0]))
        if line.ticked
        else pytest.param(number, id=f"{number + 1:02}")
        for number, line in enumerate(lines())
    ]


def test_the_checklist_has_its_lines_in_order() -> None:
    found = lines()
    assert len(found) == len(LINES)
    assert [
        line.text for line, (_, word, *_) in zip(found, LINES, strict=True) if word not in line.text
    ] == []


@pytest.mark.parametrize("number", numbered())
def test_a_ticked_line_names_a_test_of_just_that_and_an_open_one_says_what_to_do(number: int) -> None:
    line, wanted = lines()[number], LINES[number][2:]
    linked = re.findall(r"\]\(\.\./(tests/[^)#]+)\)", line.evidence)
    if not line.ticked:
        assert linked == [], "what has a test is ticked"
        assert len(line.how.split()) > 20, "an open line says what to do until then"
        return
    proofs = set().union(*(proven_by(ROOT / file) for file in linked))
    assert [row for row in wanted if row not in proofs] == []


@pytest.mark.covers("S001-07")
def test_what_a_tenant_chooses_for_production_is_listed() -> None:
    table = PAGE.read_text().partition("## The tenant itself")[2]
    firsts = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]
    assert firsts == ["executor", "secrets", "DAG versions", "alerts on lateness", "timeouts"]


def standards() -> dict[str, dict[str, tuple[str, str]]]:
    """Law or standard -> what it asks for -> what is from here, and what is the reader's."""
    table = PAGE.read_text().partition("## Laws and standards")[2].partition("\nHardening")[0]
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for rule, asks, here, yours in re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]*?) ?\| ([^|]*?) ?\|$", table, re.MULTILINE
    ):
        found.setdefault(rule, {})[asks] = (here.strip(), yours.strip())
    return found


@pytest.mark.covers("S003-44")
def test_what_the_gdpr_asks_for_has_its_place() -> None:
    wanted = {
        "an audit trail": "phase16_03_audit_compliance",
        "retention": "phase17_03_governance_workflows",
        "encryption of personal data": "platform_secure_transfer",
        "flow logs of the network": "logging.yaml",
    }
    found = standards()["GDPR"]
    assert found.keys() == wanted.keys()
    for asks, evidence in wanted.items():
        assert evidence in found[asks][0], asks
    template = (ROOT / "manifests" / "aws" / "logging.yaml").read_text()
    assert "AWS::EC2::FlowLog" in template


#: What HIPAA asks for: words of what is from here, and of what is the reader's.
HIPAA = {
    "encryption at rest": ("Fernet key", "volumes and buckets"),
    "encryption on the way": ("`sslmode`", "TLS before Airflow's pages"),
    "an access log": ("(logs.md#who-did-what), each request with its user", ""),
    "reviews of access": (
        "(../dags/phase17/03_governance_workflows.py): a person approves",
        "who that person",
    ),
}


@pytest.mark.covers("S003-46")
def test_what_hipaa_asks_for_has_its_place_and_what_is_the_reader_s_is_said() -> None:
    found = standards()["HIPAA"]
    assert list(found) == list(HIPAA)
    for asks, words in HIPAA.items():
        for word, cell in zip(words, found[asks], strict=True):
            assert word in cell, asks
    # the pages and files behind them do what the cells say, and tests say so
    log = (ROOT / "docs" / "logs.md").read_text().partition("## Who did what")[2].partition("\n## ")[0]
    assert "access log has each request" in log
    assert "LG-09" in proven_by(ROOT / "tests" / "airflow" / "test_logs.py")
    assert "P17.3" in proven_by(ROOT / "tests" / "dags" / "phase17" / "test_03_governance_workflows.py")
    assert "X-12" in proven_by(ROOT / "tests" / "dags" / "platform" / "test_secure_transfer.py")


@pytest.mark.covers("S003-47")
def test_the_hardening_list_has_ten_points_and_two_of_them_are_in_the_reference() -> None:
    text = PAGE.read_text().partition("ten points: ")[2].partition("\n\n")[0]
    points = [" ".join(point.split()) for point in text.split(";")]
    words = ["GuardDuty", "Security Hub", "Config", "flow logs of all traffic", "CloudTrail in all regions"]
    words += ["every quarter", "review of IAM", "second factor", "penetration test", "WAF"]
    assert len(points) == 10
    assert [word for word, point in zip(words, points, strict=True) if word not in point] == []
    assert "optional" in points[-1]
    template = (ROOT / "manifests" / "aws" / "logging.yaml").read_text()
    assert re.search(r"TrafficType: ALL", template)
    assert re.search(r"IsMultiRegionTrail: true", template)
