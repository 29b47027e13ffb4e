"""The roadmap names everything that was once promised, and says where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "roadmap.md"

#: Subject of the earlier plans -> the state that it has here.
SUBJECTS = {
    "DAGs from Git": "done",
    "Great Expectations": "done",
    "Datadog": "done",
    "blue/green deployments": "planned",
    "multi-region DR": "planned",
    "Iceberg": "not planned",
    "OpenLineage": "done",
    "dbt": "not planned",
    "EKS": "done",
    "Karpenter": "planned",
    "Flink": "not planned",
    "spot nodes": "planned",
    "PrivateLink": "not ours",
    "SageMaker": "done",
    "Lake Formation": "not planned",
    "self-service": "done",
    "DAGs out of metadata": "done",
}


@pytest.mark.covers("S003-51")
def test_every_subject_has_its_state_and_what_is_done_leads_to_it() -> None:
    lines = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)[1:]
    for subject, state in SUBJECTS.items():
        [found] = [text for name, text in lines if subject in name]
        assert found.startswith(state), subject
    for name, text in lines:
        links = re.findall(r"\]\(([^)#]+)\)", text)
        if text.startswith("done") and "that is what this is" not in text and "pull request" not in text:
            assert links, name
        assert [link for link in links if not (PAGE.parent / link).exists()] == [], name
