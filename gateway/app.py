"""The gateway: every part of it is made and joined here."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import grpc

from gateway import model_servicer
from gateway.fleet import Fleet
from gateway.forwarding import ForwardCall, handlers
from gateway.images import PushMissingImages
from gateway.metrics import GatewayMetrics
from gateway.model_servicer import ModelServicer
from gateway.policies import EndWatches, Limit, LimitCalls, MeasureCalls, RouteCalls
from gateway.policy import Policy, chain
from gateway.routes import Routes, read_routes
from gateway.settings import GatewaySettings
from gateway.upstream import Health, Method, Upstream
from hooke.v1 import (
    evaluation_service_pb2,
    image_service_pb2_grpc,
    inference_service_pb2,
    model_service_pb2_grpc,
)
from runtime import image_servicer
from runtime.image_store import ImageStore
from runtime.metrics import Metrics
from runtime.server import Server, run


class Gateway:
    """One address for everything behind it. Belongs to the running event loop.

    It says SERVING while at least one upstream does.

    Args:
        settings: validated settings.
        routes: what is served where.
    """

    def __init__(self, settings: GatewaySettings, routes: Routes) -> None:
        self.metrics = Metrics()
        self._gateway_metrics = GatewayMetrics(self.metrics.registry)
        self.images = ImageStore(settings.image_store_bytes)
        self.fleet = Fleet(routes, functools.partial(Upstream, settings=settings), self._upstream_changed)
        self._pushes = PushMissingImages(
            self.images,
            settings.gateway_max_image_pushes,
            settings.default_deadline_s,
            self._gateway_metrics,
        )
        self.server = Server(settings, "gateway", self.metrics)
        policies: list[Policy] = [
            MeasureCalls(self._gateway_metrics),
            EndWatches(self.server.draining),
            RouteCalls(self.fleet),
            LimitCalls(
                Limit(settings.gateway_max_calls, settings.gateway_max_bytes),
                Limit(settings.gateway_max_calls_per_upstream, settings.gateway_max_bytes_per_upstream),
                self._gateway_metrics,
            ),
            self._pushes,
        ]
        self._enter = chain(policies, ForwardCall(self._gateway_metrics))
        self._upstream_serves = asyncio.Event()
        self._loaded = False
        self._announcing: asyncio.Task[None] | None = None
        self._add_services(settings)
        self._count_replicas()

    async def run(self) -> None:
        """Serve until SIGTERM."""
        await run(self.server, self.load, self.close)

    async def load(self) -> None:
        """Follow the upstreams; return when the first one serves."""
        self.fleet.start()
        await self._upstream_serves.wait()
        self._loaded = True

    async def close(self) -> None:
        """Let go of the upstreams."""
        if self._announcing:
            self._announcing.cancel()
        await self._pushes.close()
        await self.fleet.close()

    def _add_services(self, settings: GatewaySettings) -> None:
        images = image_servicer.ImageServicer(self.images, settings.max_image_bytes)
        add_images = image_service_pb2_grpc.add_ImageServiceServicer_to_server
        add_models = model_service_pb2_grpc.add_ModelServiceServicer_to_server
        self._forward(inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"])
        if self.fleet.evaluator:
            self._forward(evaluation_service_pb2.DESCRIPTOR.services_by_name["EvaluationService"])
        self.server.add(image_servicer.NAME, functools.partial(add_images, images))
        self.server.add(model_servicer.NAME, functools.partial(add_models, ModelServicer(self.fleet)))

    def _forward(self, service: Any) -> None:
        """Serve every method of a service, known by its descriptor, by forwarding it."""
        methods = [Method.of(descriptor) for descriptor in service.methods]
        handler = grpc.method_handlers_generic_handler(service.full_name, handlers(methods, self._enter))
        self.server.add(service.full_name, lambda server: server.add_generic_rpc_handlers((handler,)))

    def _upstream_changed(self, upstream: Upstream) -> None:
        serves = upstream.health is Health.SERVING
        if upstream.retired:
            self._gateway_metrics.forget(upstream.address)
        else:
            self._gateway_metrics.upstream_serving.labels(upstream.address).set(serves)
        self._count_replicas()
        if serves:
            self._upstream_serves.set()
        if self._loaded and self._announcing is None:
            self._announcing = asyncio.create_task(self._announce())

    def _count_replicas(self) -> None:
        for replicas in self.fleet.replicas:
            self._gateway_metrics.serving_replicas.labels(replicas.name).set(replicas.serving_count)

    async def _announce(self) -> None:
        """Tell load balancers whether the gateway serves; a drain has the last word."""
        said: bool | None = None
        while said is not self.fleet.serving and not self.server.draining.is_set():
            said = self.fleet.serving
            await self.server.set_serving(said)
        if self.server.draining.is_set():
            await self.server.set_serving(False)
        self._announcing = None


async def serve(settings: GatewaySettings) -> None:
    """Be the gateway.

    Raises:
        SettingsError: the routes are wrong, or the port cannot be had.
    """
    routes = read_routes(settings.gateway_routes).replaced(settings.gateway_addresses)
    await Gateway(settings, routes).run()
