"""Where Airflow's metrics arrive: a UDP socket in the place of the StatsD exporter."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def datagrams(monkeypatch):
    """Airflow's StatsD client as a tenant sets it up (Influx tags); `datagrams()` is what arrived so far."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    sink.setblocking(False)
    for key, value in {"ON": "True", "HOST": "127.0.0.1", "PORT": str(sink.getsockname()[1])}.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{key}", value)
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    client = stats_utils.get_stats_factory()()
    stats.initialize(factory=lambda: client, export_legacy_names=False)

    def arrived():
        found = []
        while True:
            try:
                found.append(sink.recv(2048).decode())
            except BlockingIOError:
                return found

    yield arrived
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    client.statsd.close()
    sink.close()
