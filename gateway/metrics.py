"""Metrics of the gateway, beside those of every server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_PREFIX = "hooke_gateway_"


class GatewayMetrics:
    """What passes through the gateway; `model` is the name of the route, `evaluator` included."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_method = ("model", "method")
        self.calls = Counter(
            _PREFIX + "calls_total", "Forwarded calls that ended.", (*by_method, "code"), registry=registry
        )
        self.upstream_seconds = Histogram(
            _PREFIX + "upstream_duration_seconds",
            "Time that upstreams took.",
            by_method,
            buckets=_SECONDS,
            registry=registry,
        )
        self.rejected = Counter(
            _PREFIX + "rejected_total", "Calls refused by a limit.", ("model",), registry=registry
        )
        self.in_flight = Gauge(
            _PREFIX + "in_flight_calls", "Calls in flight.", ("upstream",), registry=registry
        )
        self.in_flight_bytes = Gauge(
            _PREFIX + "in_flight_bytes", "Bytes of requests in flight.", ("upstream",), registry=registry
        )
        self.image_pushes = Counter(
            _PREFIX + "image_pushes_total",
            "Images put to upstreams.",
            ("upstream", "code"),
            registry=registry,
        )
        self.serving_replicas = Gauge(
            _PREFIX + "serving_replicas", "Replicas of a model that serve.", ("model",), registry=registry
        )
        self.upstream_serving = Gauge(
            _PREFIX + "upstream_serving", "1 while an upstream serves.", ("upstream",), registry=registry
        )

    def forget(self, upstream: str) -> None:
        """Drop the series of an upstream that is there no longer."""
        for metric in (self.in_flight, self.in_flight_bytes, self.image_pushes, self.upstream_serving):
            metric.remove_by_labels({"upstream": upstream})
