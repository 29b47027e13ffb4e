"""Whoever looks for waiting tasks in a broker asks for the queue that Airflow is configured with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.mark.covers("X-25")
def test_the_length_of_the_queue_is_asked_by_the_name_that_airflow_gives_it() -> None:
    """`celery` is Celery's own default; Airflow's is `default`."""
    [options] = (ROOT / ".venv-airflow").glob(
        "lib/python3*/site-packages/airflow/config_templates/config.yml"
    )
    queue = yaml.safe_load(options.read_text())["operators"]["options"]["default_queue"]["default"]
    pages = {page.name: page.read_text() for page in (ROOT / "docs").rglob("*.md")}
    asked = {name for text in pages.values() for name in re.findall(r"\bllen (\w+)", text, re.IGNORECASE)}
    assert asked == {queue}
    board = json.loads((ROOT / "dashboards/generated/platform/capacity.json").read_text())
    text = json.dumps(board)
    sizes = re.findall(r"redis_key_size\{([^}]*)\}", text)
    assert sizes
    assert all("key=~" in labels and "$queue" in labels for labels in sizes)
    [variable] = [one for one in board["templating"]["list"] if one["name"] == "queue"]
    assert variable["definition"].startswith("label_values(airflow_ti_")
    assert variable["definition"].endswith(", queue)")
