"""Every configuration once per session."""

from __future__ import annotations

import pytest
from tests.charts.configurations import CONFIGURATIONS
from tests.charts.support import Chart, render_chart


@pytest.fixture(params=sorted(CONFIGURATIONS))
def configuration(request: pytest.FixtureRequest) -> str:
    """The name of a configuration."""
    name: str = request.param
    return name


@pytest.fixture
def chart(configuration: str) -> Chart:
    """Its render."""
    return render_chart(CONFIGURATIONS[configuration])
