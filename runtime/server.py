"""A gRPC server with everything that is always on, and its life from start to SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from runtime import logs
from runtime.interceptors import (
    Around,
    CountCalls,
    ImposeDeadline,
    Interceptors,
    LogCalls,
    RefuseWhileDraining,
    TranslateErrors,
)
from runtime.memory import keep_freed_memory
from runtime.metrics import Metrics, MetricsPage
from runtime.settings import PREFIX, ServerSettings, SettingsError, load_settings

log = structlog.get_logger("hooke.server")

_FLUSH_S = 1.0
"""Seconds for the last answers to leave after the last handler returned."""


class Server:
    """A grpc.aio server with health, reflection, metrics, logs, deadlines and drain.

    Build it, `add` what it serves, then hand it to `run`, or `start` and `stop` it by hand.

    Args:
        settings: validated settings.
        name: of the process, in logs and traces.
        metrics: its metrics; `/metrics` serves them where a port is set.
    """

    def __init__(self, settings: ServerSettings, name: str, metrics: Metrics) -> None:
        self._settings = settings
        self.name = name
        self._metrics = metrics
        self._page: MetricsPage | None = None
        self._calls = RefuseWhileDraining()
        self._links: list[Around] = [
            *_tracing(settings, name),
            CountCalls(metrics),
            LogCalls(),
            TranslateErrors(),
            self._calls,
            ImposeDeadline(settings.default_deadline_s),
        ]
        options: list[tuple[str, int]] = [
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            # Two processes on one port would share its calls at random.
            ("grpc.so_reuseport", 0),
            # The SDK pings idle connections every 30 s; a server's default would answer with GOAWAY.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
        if settings.max_connection_age_s is not None:
            options.append(("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)))
        self._grpc = grpc.aio.server(interceptors=[Interceptors(self._links)], options=options)
        self._health = health.aio.HealthServicer()
        self._probed = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        for server in (self._grpc, self._probed):
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._names = [reflection.SERVICE_NAME]
        self.port = 0
        self.metrics_port: int | None = None
        self.health_port: int | None = None
        self.draining = asyncio.Event()
        """Set when a drain begins: calls that last as long as something else, as a watch does, end then."""

    def add(self, service_name: str, register: Callable[[grpc.aio.Server], None]) -> None:
        """Serve one more service: its full name, and what adds its servicer to the gRPC server."""
        register(self._grpc)
        self._names.append(service_name)

    async def start(self) -> None:
        """Open the ports, NOT_SERVING. Raises SettingsError where one cannot be had.

        The health service itself is SERVING from here to the end: whoever asks for it by name learns that the
        process lives, whatever its model does.
        """
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._health.set(health.SERVICE_NAME, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection([health.SERVICE_NAME, *self._names], self._grpc)
        self.port = self._listen(self._grpc, "PORT", self._settings.port, _server_credentials(self._settings))
        if self._settings.health_port is not None:
            self.health_port = self._listen(self._probed, "HEALTH_PORT", self._settings.health_port, None)
        if self._settings.metrics_port is not None:
            try:
                self._page = self._metrics.serve(self._settings.host, self._settings.metrics_port)
            except OSError as error:
                raise SettingsError(f"{PREFIX}METRICS_PORT: {error}") from error
            self.metrics_port = self._page.port
        await self._grpc.start()
        await self._probed.start()
        log.info("listening", server=self.name, port=self.port, metrics_port=self.metrics_port)

    async def set_serving(self, serving: bool) -> None:
        """Tell load balancers, for every service of this server."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._names):
            await self._health.set(name, status)
        log.info("serving" if serving else "not serving", server=self.name)

    async def drain(self) -> None:
        """Say NOT_SERVING, answer for the drain delay, refuse new calls, finish what is in flight."""
        self.draining.set()
        await self.set_serving(False)
        await asyncio.sleep(self._settings.drain_delay_s)
        self._calls.refuse()
        try:
            await asyncio.wait_for(self._calls.idle(), self._settings.grace_s)
        except TimeoutError:
            log.warning("grace period is over", server=self.name, cancelled_calls=self._calls.in_flight)
        await self.stop(_FLUSH_S)

    async def stop(self, grace_s: float | None = None) -> None:
        """Close the port; calls still in flight after `grace_s` are cancelled."""
        await self._grpc.stop(grace_s)
        await self._probed.stop(None)
        if self._page:
            self._page.close()
        for link in self._links:
            await asyncio.to_thread(link.close)

    def _listen(
        self, server: grpc.aio.Server, setting: str, port: int, credentials: grpc.ServerCredentials | None
    ) -> int:
        """Open one port and return its number."""
        address = f"{self._settings.host}:{port}"
        try:
            if credentials:
                return int(server.add_secure_port(address, credentials))
            return int(server.add_insecure_port(address))
        except RuntimeError as error:
            raise SettingsError(f"{PREFIX}HOST, {PREFIX}{setting}: cannot listen on {address}") from error


async def run(
    server: Server, load: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]
) -> None:
    """Live from the open port to the end of the drain that SIGTERM or SIGINT asks for.

    Args:
        server: not yet started.
        load: brings up what the calls need; the server says SERVING once it returns. A signal cancels it.
        close: lets go of it; called once, last, also where `load` did not finish.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    loading = asyncio.ensure_future(load())
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({loading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            await loading
            await server.set_serving(True)
            await waiting
    finally:
        for task in (loading, waiting):
            task.cancel()
        await asyncio.gather(loading, waiting, return_exceptions=True)
        log.info("stopping", server=server.name)
        await server.drain()
        await close()
        log.info("stopped", server=server.name)


SettingsT = TypeVar("SettingsT", bound=ServerSettings)


def main(
    kind: type[SettingsT],
    serve: Callable[[SettingsT], Awaitable[None]],
    *,
    memory: Callable[[], bool] = keep_freed_memory,
) -> None:
    """Be a server process: settings, logs, memory (of `runtime.memory`), then `serve` until it returns.

    Exits with 2 where the settings are wrong, with one line for each faulty variable, or where something else
    that it cannot start without is missing.
    """
    try:
        settings = load_settings(kind)
        logs.configure(settings)
        memory()
        asyncio.run(_await(serve(settings)))
    except SettingsError as error:
        sys.stderr.write(f"hooke: {error.heading}\n{error}\n")
        sys.exit(2)


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


def _tracing(settings: ServerSettings, name: str) -> list[Around]:
    if settings.otlp_endpoint is None:
        return []
    try:
        from runtime.tracing import TraceCalls  # noqa: PLC0415  (an extra of its own)
    except ImportError as error:
        raise SettingsError(f"{PREFIX}OTLP_ENDPOINT needs the extra `tracing` to be installed") from error
    return [TraceCalls.to_collector(name, settings.otlp_endpoint)]


def _server_credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    authorities = settings.tls_client_ca_file.read_bytes() if settings.tls_client_ca_file else None
    return grpc.ssl_server_credentials(
        [(settings.tls_key_file.read_bytes(), settings.tls_certificate_file.read_bytes())],
        root_certificates=authorities,
        require_client_auth=authorities is not None,
    )
