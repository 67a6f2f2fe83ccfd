"""Prometheus metrics of a server process."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from hooke.types import TokenUsage

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
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
        self.requests = counter(
            prefix + "requests_total",
            "Requests ended; `reason` as in errors.md, empty where there is none.",
            (*by_task, "code", "reason"),
        )
        self.rejected = counter(prefix + "rejected_total", "Requests refused.", (*by_task, "reason"))
        self.request_seconds = histogram(
            prefix + "request_duration_seconds", "Arrival to answer.", by_task, _SECONDS
        )
        self.deadline_used = histogram(
            prefix + "deadline_used_ratio",
            "Share of the time that its caller gave it that a request took.",
            by_task,
            _SHARES,
        )
        self.queue_seconds = histogram(
            prefix + "queue_duration_seconds", "Waiting in the queue.", by_task, _SECONDS
        )
        self.compute_seconds = histogram(
            prefix + "compute_duration_seconds", "Computing a batch.", by_task, _SECONDS
        )
        self.batch_size = histogram(prefix + "batch_size", "Requests computed together.", by_task, _SIZES)
        self.queue_depth = gauge(prefix + "queue_depth", "Requests that wait.", ("model",))
        self.queue_limit = gauge(prefix + "queue_limit", "Most requests that may wait.", ("model",))
        self.in_flight = gauge(prefix + "in_flight", "Requests being computed.", ("model",))
        self.reuse = counter(
            prefix + "reuse_total",
            "Images that a model could have known from an earlier request; `outcome` is hit or miss.",
            ("model", "outcome"),
        )
        self.ready = gauge(
            prefix + "ready", "1 while the model can answer; 0 while it loads or lacks its key.", ("model",)
        )

        by_provider = ("model", "provider_model")
        self.provider_calls = counter(
            prefix + "provider_calls_total",
            "Calls at a provider; `outcome` is OK, CANCELLED or the reason of the error.",
            (*by_provider, "outcome"),
        )
        self.tokens = counter(
            prefix + "tokens_total",
            "Tokens of answers; `kind` is input, cached_input (counted in input, too) or output.",
            (*by_provider, "kind"),
        )
        self.cost_micro_usd = counter(
            prefix + "cost_micro_usd_total", "Price of answers, in millionths of a US dollar.", by_provider
        )
        self.unpriced = counter(
            prefix + "unpriced_answers_total",
            "Answers that are charged for, of a model that the price list lacks.",
            by_provider,
        )

    def count_usage(self, model: str, provider_model: str, usage: TokenUsage) -> None:
        """Count the tokens of one answer and their price.

        Args:
            model: name of the model.
            provider_model: the provider's name for it, of those that the settings allow; empty for a model
                that is computed here.
            usage: of the answer.
        """
        for kind, count in (
            ("input", usage.input_token_count),
            ("cached_input", usage.cached_input_token_count),
            ("output", usage.output_token_count),
        ):
            self.tokens.labels(model, provider_model, kind).inc(count)
        if usage.cost_micro_usd is not None:
            self.cost_micro_usd.labels(model, provider_model).inc(usage.cost_micro_usd)
        if usage.price_missing:
            self.unpriced.labels(model, provider_model).inc()

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
