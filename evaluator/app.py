"""The evaluator's process: every object is made here."""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

from evaluator.database import DatabaseError
from evaluator.estimating import Estimator
from evaluator.folder import RunsFolderError
from evaluator.pacing import Pace
from evaluator.runner import Limits, Runner
from evaluator.service import NAME, EvaluationServicer
from evaluator.settings import EvaluatorSettings
from evaluator.store import RunStore
from evaluator.supervisor import Supervisor
from evaluator.telemetry import EvaluatorMetrics
from hooke import AsyncClient, Tls
from hooke.v1 import evaluation_service_pb2_grpc
from runtime.metrics import Metrics
from runtime.server import Server, run
from runtime.settings import PREFIX, SettingsError


class EvaluatorApp:
    """The evaluator, with the server that it is reached through.

    Args:
        settings: validated settings.

    Raises:
        SettingsError: the folder of the runs, or the database, cannot be used.
    """

    def __init__(self, settings: EvaluatorSettings) -> None:
        self._store = opened_store(settings)
        self._grace_s = settings.grace_s
        self._threads = ThreadPoolExecutor(settings.evaluator_threads, thread_name_prefix="hooke-evaluator")
        self._client = AsyncClient(settings.evaluator_gateway, tls=tls_of(settings), retries=False)
        root = settings.evaluator_data_root
        metrics = Metrics()
        runner = Runner(
            self._store,
            self._client,
            root,
            limits_of(settings),
            self._threads,
            EvaluatorMetrics(metrics.registry),
        )
        self._supervisor = Supervisor(self._store, runner, self._threads, settings.evaluator_max_runs)
        self.server = Server(settings, "evaluator", metrics)
        most_in_flight = settings.evaluator_max_in_flight
        estimator = Estimator(self._store, self._client, root, most_in_flight, self._threads)
        servicer = EvaluationServicer(self._supervisor, estimator, self._store, root, self._threads)
        add = evaluation_service_pb2_grpc.add_EvaluationServiceServicer_to_server
        self.server.add(NAME, functools.partial(add, servicer))

    async def run(self) -> None:
        """Serve until SIGTERM; unfinished runs are taken up when the evaluator is back."""
        stopping = asyncio.create_task(self._stop_runs())
        try:
            await run(self.server, self.load, self.close)
        finally:
            stopping.cancel()

    async def load(self) -> None:
        """Take up the runs that an earlier process left unfinished."""
        await self._supervisor.start()

    async def close(self) -> None:
        """Stop every run, if that has not happened yet, and let go of everything."""
        await self._supervisor.stop(self._grace_s)
        await self._client.close()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._store.close)

    async def _stop_runs(self) -> None:
        """Stop the runs as soon as the server drains: who watches them is in flight until then."""
        await self.server.draining.wait()
        await self._supervisor.stop(self._grace_s)


def opened_store(settings: EvaluatorSettings) -> RunStore:
    """Open the store of the runs. Raises SettingsError where its folder or its database cannot be used."""
    try:
        return RunStore(settings.evaluator_runs_dir, settings.database)
    except RunsFolderError as error:
        raise SettingsError(f"{PREFIX}EVALUATOR_RUNS_DIR: {error}") from error
    except DatabaseError as error:
        raise SettingsError(f"{PREFIX}DATABASE_URL: {error}") from error


def limits_of(settings: EvaluatorSettings) -> Limits:
    """What each run may take."""
    return Limits(
        pace=Pace(most=settings.evaluator_max_in_flight, patience_s=settings.evaluator_patience_s),
        call_timeout_s=settings.evaluator_call_timeout_s,
        samples_in_memory=settings.evaluator_samples_in_memory,
    )


def tls_of(settings: EvaluatorSettings) -> Tls | None:
    """How models are reached; None: without TLS."""
    if settings.evaluator_gateway_ca_file is None:
        return None
    return Tls(
        settings.evaluator_gateway_ca_file,
        settings.evaluator_gateway_certificate_file,
        settings.evaluator_gateway_key_file,
    )
