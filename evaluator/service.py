"""EvaluationService: convert, call, convert."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import grpc

from evaluator.estimating import Estimator
from evaluator.preparing import data_dir_of, suite_of
from evaluator.reporting import read_report, write_contrast, zip_report
from evaluator.requests import spec_of
from evaluator.runs import Place, PlacedScore, RunRecord, RunSpec
from evaluator.store import RunStore
from evaluator.suites import Suite
from evaluator.supervisor import Supervisor, evaluation_id_of
from evaluator.threads import on
from hooke import wire
from hooke.errors import InvalidRequestError, UnknownEvaluationError
from hooke.types import ReportFormat, SampleResult
from hooke.v1 import evaluation_service_pb2 as pb
from hooke.v1 import evaluation_service_pb2_grpc as pb_grpc
from runtime.paging import offset_of, page_size_of, token_for

NAME = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]

_CHUNK_BYTES = 256 * 1024
_LARGEST = 2**62
"""Numbers from here on are no places: the database could not even look for them."""


class EvaluationServicer(pb_grpc.EvaluationServiceServicer):
    """Adapts the wire to the supervisor and the store.

    Args:
        supervisor: carries out runs.
        estimator: says what they would take, and whether their models exist.
        store: has them.
        data_root: where datasets lie; None: nowhere.
        threads: for what reads files.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        estimator: Estimator,
        store: RunStore,
        data_root: Path | None,
        threads: Executor,
    ) -> None:
        self._supervisor = supervisor
        self._estimator = estimator
        self._store = store
        self._data_root = data_root
        self._threads = threads

    async def CreateEvaluation(  # noqa: N802
        self, request: pb.CreateEvaluationRequest, context: Context
    ) -> pb.CreateEvaluationResponse:
        """Start an evaluation, or take it up again."""
        del context
        spec = spec_of(request)
        suite = await on(self._threads, self._check, spec)
        await self._estimator.check_models(evaluation_id_of(spec.request_id), spec, suite)
        evaluation = await self._supervisor.create(spec, suite.name)
        return pb.CreateEvaluationResponse(evaluation=wire.evaluation_to_proto(evaluation))

    async def EstimateEvaluation(  # noqa: N802
        self, request: pb.EstimateEvaluationRequest, context: Context
    ) -> pb.EstimateEvaluationResponse:
        """Say what an evaluation would take."""
        del context
        spec = spec_of(request.evaluation_request)
        await on(self._threads, self._check, spec)
        estimates = await self._estimator.estimate(evaluation_id_of(spec.request_id), spec)
        return pb.EstimateEvaluationResponse(
            task_estimates=[wire.task_estimate_to_proto(estimate) for estimate in estimates]
        )

    async def RescoreEvaluation(  # noqa: N802
        self, request: pb.RescoreEvaluationRequest, context: Context
    ) -> pb.RescoreEvaluationResponse:
        """Compute the metrics of an evaluation again."""
        del context
        evaluation = await self._supervisor.rescore(_required(request.evaluation_id))
        return pb.RescoreEvaluationResponse(evaluation=wire.evaluation_to_proto(evaluation))

    async def GetEvaluation(  # noqa: N802
        self, request: pb.GetEvaluationRequest, context: Context
    ) -> pb.GetEvaluationResponse:
        """Describe one evaluation."""
        del context
        evaluation = await self._supervisor.get(_required(request.evaluation_id))
        return pb.GetEvaluationResponse(evaluation=wire.evaluation_to_proto(evaluation))

    async def ListEvaluations(  # noqa: N802
        self, request: pb.ListEvaluationsRequest, context: Context
    ) -> pb.ListEvaluationsResponse:
        """List evaluations, the newest first."""
        del context
        size = page_size_of(request.page_size if request.HasField("page_size") else None)
        before = _number_of(request.page_token)
        runs = await on(self._threads, self._store.newest, size + 1, before)
        page = runs[:size]
        evaluations = [await on(self._threads, self._store.evaluation, run) for run in page]
        return pb.ListEvaluationsResponse(
            evaluations=[wire.evaluation_to_proto(evaluation) for evaluation in evaluations],
            next_page_token=token_for(page[-1].number) if len(runs) > size else "",
        )

    async def WatchEvaluation(  # noqa: N802
        self, request: pb.WatchEvaluationRequest, context: Context
    ) -> AsyncIterator[pb.WatchEvaluationResponse]:
        """Follow one evaluation."""
        del context
        async for evaluation in self._supervisor.watch(_required(request.evaluation_id)):
            yield pb.WatchEvaluationResponse(evaluation=wire.evaluation_to_proto(evaluation))

    async def CancelEvaluation(  # noqa: N802
        self, request: pb.CancelEvaluationRequest, context: Context
    ) -> pb.CancelEvaluationResponse:
        """Ask an evaluation to stop."""
        del context
        evaluation = await self._supervisor.cancel(_required(request.evaluation_id))
        return pb.CancelEvaluationResponse(evaluation=wire.evaluation_to_proto(evaluation))

    async def ListSampleResults(  # noqa: N802
        self, request: pb.ListSampleResultsRequest, context: Context
    ) -> pb.ListSampleResultsResponse:
        """List results of single samples in the order of suite, dataset, models' names and repeats."""
        del context
        size = page_size_of(request.page_size if request.HasField("page_size") else None)
        run = await self._run(request.evaluation_id)
        listed = _query_digest(run.evaluation_id, request.task, request.model)
        after = _place_of(request.page_token, listed) if request.page_token else None
        found = await on(self._threads, self._results, run, request, after, size + 1)
        page = found[:size]
        return pb.ListSampleResultsResponse(
            sample_results=[wire.sample_result_to_proto(_sample_result(placed)) for placed in page],
            next_page_token=_place_token(page[-1].place, listed) if len(found) > size else "",
        )

    async def GetReport(  # noqa: N802
        self, request: pb.GetReportRequest, context: Context
    ) -> AsyncIterator[pb.GetReportResponse]:
        """Return a report in chunks.

        JSON and Markdown of an evaluation that has not ended show what there is so far; the HTML report is
        written at the end, so before that it is INVALID_REQUEST.
        """
        del context
        run = await self._run(request.evaluation_id)
        before = request.compared_to_evaluation_id
        other = await self._run(before) if before else None
        with tempfile.TemporaryFile() as file:
            await on(self._threads, self._write_report, run, other, _format_of(request), file)
            file.seek(0)
            while chunk := await on(self._threads, file.read, _CHUNK_BYTES):
                yield pb.GetReportResponse(chunk=chunk)

    def _check(self, spec: RunSpec) -> Suite:
        """Check what needs reading; return the suite."""
        suite = suite_of(spec)
        data_dir_of(spec, suite, self._data_root)
        return suite

    async def _run(self, evaluation_id: str) -> RunRecord:
        run = await on(self._threads, self._store.get, _required(evaluation_id))
        if run is None:
            raise UnknownEvaluationError(
                f"there is no evaluation {evaluation_id!r}", metadata={"evaluationId": evaluation_id}
            )
        return run

    def _results(
        self, run: RunRecord, request: pb.ListSampleResultsRequest, after: Place | None, limit: int
    ) -> list[PlacedScore]:
        found: list[PlacedScore] = []
        for task in self._store.tasks(run.evaluation_id):
            if request.task in ("", task.name) and len(found) < limit:
                left = limit - len(found)
                found += self._store.placed_scores(task, request.model, after, left)
        return found

    def _write_report(
        self, run: RunRecord, before: RunRecord | None, report_format: ReportFormat, file: Any
    ) -> None:
        if before is not None:
            write_contrast(self._store, before, run, report_format, file)
        elif report_format is ReportFormat.HTML_ZIP:
            zip_report(self._store, run, file)
        else:
            file.write(read_report(self._store, run, report_format))


def _required(evaluation_id: str) -> str:
    if not evaluation_id:
        raise InvalidRequestError.of_field("evaluation_id", "is required")
    return evaluation_id


def _format_of(request: pb.GetReportRequest) -> ReportFormat:
    if request.report_format == pb.ReportFormat.REPORT_FORMAT_UNSPECIFIED:
        return ReportFormat.JSON
    if request.report_format not in pb.ReportFormat.values():
        raise InvalidRequestError.of_field("report_format", "is unknown to this server")
    return wire.REPORT_FORMATS.member(request.report_format)


def _sample_result(placed: PlacedScore) -> SampleResult:
    score = placed.score
    return SampleResult(
        sample_id=score.sample_id,
        task=score.task,
        model=score.model,
        outcome=score.outcome,
        metrics=score.metrics,
        answer=score.answer,
        truth=score.truth,
        error_reason=score.error_reason,
        repeat=score.repeat,
    )


def _query_digest(*values: str) -> str:
    """What a page token belongs to: a token of another list must not be taken for one of this."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def _place_token(place: Place, listed: str) -> str:
    content = [listed, place.ordinal, place.position, place.model, place.repeat]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _place_of(token: str, listed: str) -> Place:
    try:
        digest, ordinal, position, model, repeat = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError) as error:  # the last: brackets within brackets
        raise _bad_token() from error
    counted = (ordinal, position, repeat)
    numbers = all(isinstance(number, int) and 0 <= number < _LARGEST for number in counted)
    if digest != listed or not numbers or not isinstance(model, str):
        raise _bad_token()
    return Place(ordinal, position, model, repeat)


def _number_of(token: str) -> int | None:
    """Number of the run that a page comes after; None for the first page."""
    if not token:
        return None
    number = offset_of(token)
    if number >= _LARGEST:
        raise _bad_token()
    return number


def _bad_token() -> InvalidRequestError:
    text = "use the next_page_token of an earlier answer to the same request, unchanged, or nothing"
    return InvalidRequestError.of_field("page_token", text)
