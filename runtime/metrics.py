"""Prometheus metrics of a server process."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_METHOD = ("grpc_type", "grpc_service", "grpc_method")


class Metrics:
    """Every metric of a process, on a registry of its own so that several servers fit one test.

    The `grpc_server_*` names and labels are those of the go-grpc-prometheus convention, which existing
    dashboards understand.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

        def gauge(name: str, text: str, labels: tuple[str, ...]) -> Gauge:
            return Gauge(name, text, labels, registry=self.registry)

        self.rpc_started = counter("grpc_server_started_total", "Calls begun.", _METHOD)
        self.rpc_handled = counter("grpc_server_handled_total", "Calls ended.", (*_METHOD, "grpc_code"))
        self.rpc_seconds = histogram("grpc_server_handling_seconds", "Time of a call.", _METHOD, _SECONDS)

        prefix, by_task = "hooke_inference_", ("model", "task")
        self.requests = counter(prefix + "requests_total", "Requests ended.", (*by_task, "code"))
        self.rejected = counter(prefix + "rejected_total", "Requests refused.", (*by_task, "reason"))
        self.request_seconds = histogram(
            prefix + "request_duration_seconds", "Arrival to answer.", by_task, _SECONDS
        )
        self.queue_seconds = histogram(
            prefix + "queue_duration_seconds", "Waiting in the queue.", by_task, _SECONDS
        )
        self.compute_seconds = histogram(
            prefix + "compute_duration_seconds", "Computing a batch.", by_task, _SECONDS
        )
        self.batch_size = histogram(prefix + "batch_size", "Requests computed together.", by_task, _SIZES)
        self.queue_depth = gauge(prefix + "queue_depth", "Requests that wait.", ("model",))
        self.in_flight = gauge(prefix + "in_flight", "Requests being computed.", ("model",))

    def serve(self, host: str, port: int) -> MetricsPage:
        """Start the page `/metrics` on a thread of its own."""
        return MetricsPage(*start_http_server(port, addr=host, registry=self.registry))


class MetricsPage:
    """The running page `/metrics`."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        self.port = int(server.server_port)

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
