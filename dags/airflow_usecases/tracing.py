"""Log lines that belong together, and the spans of a trace, over the tasks of a run.

A trace crosses tasks as a W3C `traceparent` (https://www.w3.org/TR/trace-context/), a short text that fits
into an XCom. Every finished span becomes one log line `span`; with OTEL_EXPORTER_OTLP_ENDPOINT in the
environment it is sent to that collector too (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SERVICE = "order-pipeline"
_PROPAGATOR = TraceContextTextMapPropagator()
log = structlog.get_logger(__name__)


class LogExporter(SpanExporter):
    """Write each finished span as a structured log line."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """One line per span: name, ids of trace, span and parent (None for the root), milliseconds."""
        for span in spans:
            context = span.context
            took = (span.end_time or 0) - (span.start_time or 0)
            log.info(
                "span",
                name=span.name,
                trace_id=format(context.trace_id, "032x"),
                span_id=format(context.span_id, "016x"),
                parent_id=format(span.parent.span_id, "016x") if span.parent else None,
                milliseconds=took / 1e6,
                status=span.status.status_code.name,
                attributes=dict(span.attributes or {}),
            )
        return SpanExportResult.SUCCESS


@functools.cache
def tracer() -> Tracer:
    """The tracer of this process. Spans leave when they end: a task's process has no time for batches."""
    provider = TracerProvider(resource=Resource.create({"service.name": _SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(LogExporter()))
    if os.environ.get(OTLP_ENDPOINT):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(timeout=5)))
    return provider.get_tracer(__name__)


@contextmanager
def traced(
    name: str, correlation_id: str, parent: str | None = None, **attributes: str | int | float
) -> Iterator[str]:
    """Do something as one span; the value is its traceparent, for the spans below it in this task or another.

    Every line logged meanwhile, by whatever logger, carries `correlation_id` and `trace_id`. `parent` is the
    traceparent of the span above; None, or one that is malformed, begins a new trace. An error inside is
    recorded in the span and raised.
    """
    above = _PROPAGATOR.extract({"traceparent": parent}, Context()) if parent else Context()
    with (
        bound_contextvars(correlation_id=correlation_id),
        tracer().start_as_current_span(name, context=above, attributes=attributes) as span,
        bound_contextvars(trace_id=format(span.get_span_context().trace_id, "032x")),
    ):
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        yield carrier["traceparent"]
