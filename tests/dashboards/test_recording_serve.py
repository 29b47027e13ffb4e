"""What `python -m tests.dashboards.recording.serve` says."""

from __future__ import annotations

from tests.dashboards.recording.serve import told


def test_address_and_times_can_be_used_as_they_are() -> None:
    assert told("http://127.0.0.1:9090", 1795276080, 1795276850, 10).splitlines() == [
        "Prometheus:    http://127.0.0.1:9090",
        "Grafana's URL: ?from=1795276080000&to=1795276850000",
        "Time range:    2026-11-21 15:48:00 to 2026-11-21 16:00:50 UTC, a sample every 10 s",
        "Ctrl-C ends it.",
    ]
