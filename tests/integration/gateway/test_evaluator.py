"""EvaluationService goes through the gateway to the evaluator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from hooke import errors
from hooke.status import error_from
from hooke.v1 import evaluation_service_pb2 as pb
from hooke.v1 import evaluation_service_pb2_grpc as pb_grpc
from tests.integration.gateway.stage import Stage, gateway, probe, server

NAME = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name


@dataclass
class SmallEvaluator(pb_grpc.EvaluationServiceServicer):
    """Knows one evaluation, "e1", which never ends."""

    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetEvaluation(  # noqa: N802
        self, request: pb.GetEvaluationRequest, context: Any
    ) -> pb.GetEvaluationResponse:
        if request.evaluation_id != "e1":
            raise errors.UnknownEvaluationError(f"there is no evaluation {request.evaluation_id!r}")
        return pb.GetEvaluationResponse(evaluation=pb.Evaluation(evaluation_id="e1"))

    async def WatchEvaluation(  # noqa: N802
        self, request: pb.WatchEvaluationRequest, context: Any
    ) -> AsyncIterator[pb.WatchEvaluationResponse]:
        try:
            yield pb.WatchEvaluationResponse(evaluation=pb.Evaluation(evaluation_id=request.evaluation_id))
            await asyncio.Event().wait()
        finally:
            self.left.set()

    async def GetReport(  # noqa: N802
        self, request: pb.GetReportRequest, context: Any
    ) -> AsyncIterator[pb.GetReportResponse]:
        for number in range(100):
            yield pb.GetReportResponse(chunk=b"%03d" % number)
        if request.evaluation_id == "broken":
            raise errors.InternalError("halfway")


@asynccontextmanager
async def evaluating() -> AsyncIterator[tuple[Stage, SmallEvaluator]]:
    evaluator = SmallEvaluator()
    register = pb_grpc.add_EvaluationServiceServicer_to_server
    async with (
        probe() as model,
        server({NAME: lambda made: register(evaluator, made)}) as running,
        gateway({"any": model.address}, evaluator=f"127.0.0.1:{running.port}") as stage,
    ):
        yield stage, evaluator


async def test_single_answers_and_errors_pass() -> None:
    """A caller of the gateway talks to the evaluator as if it were there."""
    async with evaluating() as (stage, _):
        stub = pb_grpc.EvaluationServiceStub(stage.channel)
        answer = await stub.GetEvaluation(pb.GetEvaluationRequest(evaluation_id="e1"), timeout=20)
        assert answer.evaluation.evaluation_id == "e1"
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.GetEvaluation(pb.GetEvaluationRequest(evaluation_id="e2"), timeout=20)
        assert isinstance(error_from(failed.value), errors.UnknownEvaluationError)


async def test_streams_pass_whole_and_in_order() -> None:
    """Every chunk of a report arrives, in order."""
    async with evaluating() as (stage, _):
        stub = pb_grpc.EvaluationServiceStub(stage.channel)
        chunks = [answer.chunk async for answer in stub.GetReport(pb.GetReportRequest(), timeout=20)]
        assert chunks == [b"%03d" % number for number in range(100)]


async def test_an_error_in_the_middle_of_a_stream_passes() -> None:
    """What came before the error arrives, then the error itself."""
    async with evaluating() as (stage, _):
        stub = pb_grpc.EvaluationServiceStub(stage.channel)
        call = stub.GetReport(pb.GetReportRequest(evaluation_id="broken"), timeout=20)
        for number in range(100):
            assert (await call.read()).chunk == b"%03d" % number
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert error_from(failed.value).message == "halfway"


async def test_a_watch_delivers_at_once_and_ends_with_its_caller() -> None:
    """Messages are not held back until the stream ends; who stops watching frees the evaluator."""
    async with evaluating() as (stage, evaluator):
        call = pb_grpc.EvaluationServiceStub(stage.channel).WatchEvaluation(
            pb.WatchEvaluationRequest(evaluation_id="e1"), timeout=60
        )
        assert (await call.read()).evaluation.evaluation_id == "e1"
        assert not evaluator.left.is_set()
        call.cancel()
        await asyncio.wait_for(evaluator.left.wait(), 20)


async def test_a_drain_ends_watches() -> None:
    """A gateway that shuts down does not wait for an evaluation to end; who watches is told to come back."""
    async with evaluating() as (stage, evaluator):
        call = pb_grpc.EvaluationServiceStub(stage.channel).WatchEvaluation(
            pb.WatchEvaluationRequest(evaluation_id="e1"), timeout=60
        )
        await call.read()
        draining = asyncio.create_task(stage.gateway.server.drain())
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert isinstance(error_from(failed.value), errors.DrainingError)
        await asyncio.wait_for(evaluator.left.wait(), 20)
        await asyncio.wait_for(draining, 20)
