"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from hooke import _plans, _steps
from hooke._calling import AsyncCaller
from hooke._channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S, Tls, new_request_id
from hooke._requests import ObjectOptions, WordOptions, turns_of
from hooke.conversations import Prompt, Turn
from hooke.errors import HookeError
from hooke.images import ImageSource, PixelSize, View
from hooke.parameters import ModelParameters, ObjectParameters, WordParameters
from hooke.streams import AsyncAnswerStream
from hooke.types import (
    AskResult,
    ClassifyResult,
    CountResult,
    Evaluation,
    EvaluationLimits,
    MaskFormat,
    ModelInfo,
    ReportFormat,
    SampleResult,
    SegmentResult,
    TaskEstimate,
)


class AsyncClient:
    """Asks one address about micrographs; method for method as `hooke.Client`, for asyncio.

    Belongs to the event loop that it is first used on, takes any number of calls at once, and reads,
    hashes and decodes off the loop. Cancelling the task that awaits an answer cancels the call.

    Args:
        address: host and port.
        tls: how to speak TLS; None: plain text.
        timeout_s: seconds until the deadline of every call that sets none.
        retries: False is for callers that pace themselves: only uploads are repeated, and a call fails at
            once where nobody listens.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        tls: Tls | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: bool = True,
    ) -> None:
        self._caller = AsyncCaller(address, tls=tls, timeout_s=timeout_s, retries=retries)
        self._known = _steps.KnownImages()

    @property
    def address(self) -> str:
        """Host and port of the server."""
        return self._caller.address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled, later ones raise HookeError."""
        await self._caller.close()

    async def segment(
        self,
        image: ImageSource,
        *,
        model: str = "",
        expected_diameter_px: float | None = None,
        expected_diameter_um: float | None = None,
        mask_format: MaskFormat | str = MaskFormat.LABEL_IMAGE,
        view: View | None = None,
        parameters: ObjectParameters | None = None,
        pixel_size: PixelSize | None = None,
        timeout_s: float | None = None,
    ) -> SegmentResult:
        """As `Client.segment`."""
        options = ObjectOptions(
            model, expected_diameter_px, expected_diameter_um, mask_format, view, parameters, pixel_size
        )
        return await self._caller.run(_plans.segment(image, options, self._known), timeout_s)

    async def count(
        self,
        image: ImageSource,
        *,
        model: str = "",
        expected_diameter_px: float | None = None,
        expected_diameter_um: float | None = None,
        mask_format: MaskFormat | str = MaskFormat.NONE,
        view: View | None = None,
        prompt: Prompt | None = None,
        examples: Iterable[tuple[ImageSource, int]] = (),
        parameters: ModelParameters | None = None,
        pixel_size: PixelSize | None = None,
        timeout_s: float | None = None,
    ) -> CountResult:
        """As `Client.count`."""
        options = ObjectOptions(
            model, expected_diameter_px, expected_diameter_um, mask_format, view, parameters, pixel_size
        )
        plan = _plans.count(image, options, examples=examples, prompt=prompt, known=self._known)
        return await self._caller.run(plan, timeout_s)

    async def classify(
        self,
        image: ImageSource,
        *,
        model: str = "",
        labels: Sequence[str] = (),
        examples: Iterable[tuple[ImageSource, str]] = (),
        view: View | None = None,
        prompt: Prompt | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> ClassifyResult:
        """As `Client.classify`."""
        plan = _plans.classify(
            image,
            model=model,
            labels=labels,
            examples=examples,
            view=view,
            prompt=prompt,
            parameters=parameters,
            known=self._known,
        )
        return await self._caller.run(plan, timeout_s)

    async def ask(
        self,
        images: ImageSource | Sequence[ImageSource],
        question: str,
        *,
        model: str = "",
        instructions: str = "",
        history: Sequence[Turn] = (),
        view: View | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> AskResult:
        """As `Client.ask`."""
        options = WordOptions(model, instructions, parameters)
        turns = turns_of(images, question, history, view)
        return await self._caller.run(_plans.ask(turns, options, self._known), timeout_s)

    def stream_ask(
        self,
        images: ImageSource | Sequence[ImageSource],
        question: str,
        *,
        model: str = "",
        instructions: str = "",
        history: Sequence[Turn] = (),
        view: View | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> AsyncAnswerStream:
        """As `Client.stream_ask`."""
        options = WordOptions(model, instructions, parameters)
        turns = turns_of(images, question, history, view)
        return AsyncAnswerStream(
            self._caller.messages(_plans.stream_ask(turns, options, self._known), timeout_s)
        )

    async def models(self, *, timeout_s: float | None = None) -> tuple[ModelInfo, ...]:
        """As `Client.models`."""
        return await self._caller.run(_plans.models(), timeout_s)

    async def model(self, name: str, *, timeout_s: float | None = None) -> ModelInfo:
        """As `Client.model`."""
        return await self._caller.run(_plans.model(name), timeout_s)

    async def serving(self, service: str = "", *, timeout_s: float | None = None) -> bool | None:
        """As `Client.serving`."""
        return await self._caller.run(_plans.serving(service), timeout_s)

    async def has_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> bool:
        """As `Client.has_image`."""
        return await self._caller.run(_plans.has_image(image, model), timeout_s)

    async def put_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> str:
        """As `Client.put_image`."""
        return await self._caller.run(_plans.put_image(image, model, self._known), timeout_s)

    async def create_evaluation(
        self,
        *,
        suite_name: str | None = None,
        suite_yaml: str | None = None,
        models: Sequence[str] = (),
        data_dir: str = "",
        sample_limit: int | None = None,
        limits: EvaluationLimits | None = None,
        reuse_answers: bool = True,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Evaluation:
        """As `Client.create_evaluation`."""
        request = _plans.evaluation_request(
            suite_name=suite_name,
            suite_yaml=suite_yaml,
            models=models,
            data_dir=data_dir,
            sample_limit=sample_limit,
            limits=limits,
            reuse_answers=reuse_answers,
            request_id=request_id,
        )
        return await self._caller.run(_plans.create_evaluation(request), timeout_s)

    async def estimate_evaluation(
        self,
        *,
        suite_name: str | None = None,
        suite_yaml: str | None = None,
        models: Sequence[str] = (),
        data_dir: str = "",
        sample_limit: int | None = None,
        limits: EvaluationLimits | None = None,
        reuse_answers: bool = True,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[TaskEstimate, ...]:
        """As `Client.estimate_evaluation`."""
        request = _plans.evaluation_request(
            suite_name=suite_name,
            suite_yaml=suite_yaml,
            models=models,
            data_dir=data_dir,
            sample_limit=sample_limit,
            limits=limits,
            reuse_answers=reuse_answers,
            request_id=request_id,
        )
        return await self._caller.run(_plans.estimate_evaluation(request), timeout_s)

    async def rescore_evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """As `Client.rescore_evaluation`."""
        return await self._caller.run(_plans.rescore_evaluation(evaluation_id), timeout_s)

    async def evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """As `Client.evaluation`."""
        return await self._caller.run(_plans.evaluation(evaluation_id), timeout_s)

    async def evaluations(self, *, timeout_s: float | None = None) -> AsyncIterator[Evaluation]:
        """As `Client.evaluations`."""
        token: str | None = ""
        while token is not None:
            page = await self._caller.run(_plans.page_of_evaluations(token), timeout_s)
            for item in page.items:
                yield item
            token = page.next_token

    async def watch_evaluation(
        self,
        evaluation_id: str,
        *,
        lost: Callable[[HookeError], None] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Evaluation]:
        """As `Client.watch_evaluation`."""
        following = _steps.Following(timeout_s, self._caller.timeout_s, lost)
        while True:
            try:
                stream = self._caller.stream(
                    _plans.watch(evaluation_id), following.next_deadline(), new_request_id()
                )
                async with aclosing(stream):
                    async for response in stream:
                        evaluation = following.heard(response)
                        yield evaluation
                        if evaluation.state.ended:
                            return
                seconds = following.seconds_after_end()
            except HookeError as error:
                seconds = following.seconds_after(error)
            await asyncio.sleep(seconds)

    async def cancel_evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """As `Client.cancel_evaluation`."""
        return await self._caller.run(_plans.cancel_evaluation(evaluation_id), timeout_s)

    async def sample_results(
        self, evaluation_id: str, *, task: str = "", model: str = "", timeout_s: float | None = None
    ) -> AsyncIterator[SampleResult]:
        """As `Client.sample_results`."""
        token: str | None = ""
        while token is not None:
            page = await self._caller.run(
                _plans.page_of_sample_results(evaluation_id, task, model, token), timeout_s
            )
            for item in page.items:
                yield item
            token = page.next_token

    async def report(
        self,
        evaluation_id: str,
        report_format: ReportFormat | str = ReportFormat.JSON,
        *,
        compared_to: str = "",
        timeout_s: float | None = None,
    ) -> bytes:
        """As `Client.report`."""
        return await self._caller.run(_plans.report(evaluation_id, report_format, compared_to), timeout_s)
