"""OpenTelemetry traces: one server span for each call, joined to the caller's by `traceparent`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.calls import Call
from runtime.interceptors import Around, Context, code_of, is_infrastructure


class TraceCalls(Around):
    """A span for each call, with the attributes of OpenTelemetry's RPC conventions.

    Args:
        service_name: name of this process in traces.
        exporter: where finished spans go.
    """

    def __init__(self, service_name: str, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service_name}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("hooke")
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to_collector(cls, service_name: str, endpoint: str) -> TraceCalls:
        """Send spans to a collector over OTLP/HTTP, for example `http://collector:4318`."""
        return cls(service_name, OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces"))

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """Open the span and close it with the status of the call."""
        if is_infrastructure(call.service):
            yield
            return
        carrier = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        span = self._tracer.start_span(
            f"{call.service}/{call.method}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": call.service,
                "rpc.method": call.method,
                "hooke.request_id": call.request_id,
            },
        )
        code = grpc.StatusCode.OK
        try:
            yield
        except BaseException as error:
            code = code_of(call, context, error)
            span.set_status(Status(StatusCode.ERROR, code.name))
            raise
        finally:
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if call.reason:
                span.set_attribute("hooke.reason", call.reason)
            span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
