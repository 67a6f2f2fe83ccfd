"""Real servers around a real gateway, all in the event loop of the test."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from gateway.app import Gateway
from gateway.routes import Routes
from gateway.settings import GatewaySettings
from gateway.upstream import Health
from hooke.v1 import inference_service_pb2
from runtime.metrics import Metrics
from runtime.server import Server
from runtime.settings import ServerSettings

INFERENCE = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"]
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

Answer = Callable[[bytes, Any], Awaitable[bytes]]


@dataclass
class Stage:
    """A gateway with a channel to it."""

    gateway: Gateway
    channel: grpc.aio.Channel

    def call(self, method: str, service: str = "hooke.v1.InferenceService") -> Any:
        """A method that takes and gives bytes."""
        return self.channel.unary_unary(f"/{service}/{method}")

    def sample(self, name: str, **labels: str) -> float:
        """Value of a metric."""
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0

    async def until(self, address: str, *health: Health) -> None:
        """Wait until the gateway knows this of an upstream."""
        await eventually(lambda: self.gateway.fleet.upstreams[address].health in health)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail after many looks."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


@asynccontextmanager
async def gateway(
    models: Mapping[str, str | tuple[str, ...]],
    *,
    evaluator: str | None = None,
    wait: bool = True,
    **settings: object,
) -> AsyncIterator[Stage]:
    """A gateway before these addresses; the first model is the default one.

    Args:
        wait: until everything behind it is seen serving.
    """
    routes = Routes.model_validate(
        {"default_model": next(iter(models)), "models": models, "evaluator": evaluator}
    )
    values = GatewaySettings.model_validate({"host": "127.0.0.1", "port": 0, **settings})
    made = Gateway(values, routes)
    await made.server.start()
    loading = asyncio.create_task(made.load())
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{made.server.port}", OPTIONS) as channel:
            stage = Stage(made, channel)
            if wait:
                for address in made.fleet.upstreams:
                    await stage.until(address, Health.SERVING)
                await loading
                await made.server.set_serving(True)
            yield stage
    finally:
        loading.cancel()
        await made.server.stop(0)
        await made.close()


@asynccontextmanager
async def server(
    register: Mapping[str, Callable[[grpc.aio.Server], None]], **settings: object
) -> AsyncIterator[Server]:
    """A server of the runtime with these services, by name."""
    made = Server(
        ServerSettings.model_validate({"host": "127.0.0.1", "port": 0, **settings}), "probe", Metrics()
    )
    for name, add in register.items():
        made.add(name, add)
    await made.start()
    await made.set_serving(True)
    try:
        yield made
    finally:
        await made.stop(0)


@dataclass
class Probe:
    """What an upstream saw of the calls that reached it."""

    address: str = ""
    requests: list[bytes] = field(default_factory=list)
    metadata: list[tuple[tuple[str, Any], ...]] = field(default_factory=list)
    time_left_s: list[float | None] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    server: Server | None = None

    async def serve(self, serving: bool) -> None:
        """Say whether it serves."""
        assert self.server is not None
        await self.server.set_serving(serving)


async def echo(request: bytes, context: Any) -> bytes:
    """Answer with the request."""
    del context
    return request


@asynccontextmanager
async def probe(answer: Answer = echo, **settings: object) -> AsyncIterator[Probe]:
    """An InferenceService that takes and gives bytes, and remembers what it saw."""
    seen = Probe()

    async def handle(request: bytes, context: Any) -> bytes:
        seen.requests.append(request)
        seen.metadata.append(tuple(context.invocation_metadata()))
        seen.time_left_s.append(context.time_remaining())
        seen.begun.set()
        try:
            return await answer(request, context)
        except asyncio.CancelledError:
            seen.cancelled.set()
            raise

    handlers = {method.name: grpc.unary_unary_rpc_method_handler(handle) for method in INFERENCE.methods}
    generic = grpc.method_handlers_generic_handler(INFERENCE.full_name, handlers)
    add = functools.partial(_add_generic, generic)
    async with server({INFERENCE.full_name: add}, **settings) as running:
        seen.server = running
        seen.address = f"127.0.0.1:{running.port}"
        yield seen


def _add_generic(handler: grpc.GenericRpcHandler, grpc_server: grpc.aio.Server) -> None:
    grpc_server.add_generic_rpc_handlers((handler,))
