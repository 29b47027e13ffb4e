"""Spans and the lines around them."""

from __future__ import annotations

import pytest
import structlog

from airflow_usecases import tracing


@pytest.fixture
def lines():
    """What is logged, with the fields that are bound."""
    found = []

    def keep(logger, method, event):
        found.append(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    yield found
    structlog.configure(**before)


def test_a_span_knows_the_one_above_and_its_trace(lines):
    with tracing.traced("order", "c-1") as above, tracing.traced("item", "c-1", above, sku="A"):
        pass
    item, order = lines
    assert (order["name"], order["parent_id"]) == ("order", None)
    assert (item["name"], item["parent_id"]) == ("item", order["span_id"])
    assert item["trace_id"] == order["trace_id"]
    assert above.rpartition("-")[0] == f"00-{order['trace_id']}-{order['span_id']}"
    assert item["attributes"] == {"sku": "A"}
    assert item["milliseconds"] > 0


def test_the_id_is_bound_inside_and_gone_outside(lines):
    log = structlog.get_logger("test")
    with tracing.traced("order", "c-2"):
        log.info("inside")
    log.info("outside")
    inside, _, outside = lines
    assert inside["correlation_id"] == "c-2"
    assert len(inside["trace_id"]) == 32
    assert outside == {"event": "outside"}


@pytest.mark.parametrize("parent", [None, "", "00-zz-1-01", "nonsense"])
def test_without_a_parent_that_can_be_read_a_new_trace_begins(lines, parent):
    with tracing.traced("order", "c-3", parent):
        pass
    assert lines[0]["parent_id"] is None
    assert int(lines[0]["trace_id"], 16) > 0


def test_an_error_is_recorded_and_raised(lines):
    with pytest.raises(ZeroDivisionError), tracing.traced("order", "c-4"):
        raise ZeroDivisionError("no orders")
    assert lines[0]["status"] == "ERROR"


def test_with_a_collector_spans_are_sent_there_too(lines, httpserver, monkeypatch):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    httpserver.expect_request("/v1/traces", method="POST").respond_with_data("")
    monkeypatch.setenv(tracing.OTLP_ENDPOINT, httpserver.url_for("").rstrip("/"))
    tracing.tracer.cache_clear()
    try:
        with tracing.traced("order", "c-5"):
            pass
    finally:
        tracing.tracer.cache_clear()
    ((request, _),) = httpserver.log
    sent = ExportTraceServiceRequest.FromString(request.get_data())
    (span,) = sent.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.span_id.hex()) == ("order", lines[0]["span_id"])
