"""The recording, played by a real Prometheus, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.dashboards.recording.playback import Recorded, play


@pytest.fixture(scope="session")
def recorded() -> Iterator[Recorded]:
    """A Prometheus with the recorded and written series, and with what the rules make of them."""
    with play() as prometheus:
        yield prometheus
