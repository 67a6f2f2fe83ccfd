"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from hooke import _plans, _steps
from hooke._channel import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT_S,
    METHODS,
    Deadline,
    Tls,
    call_metadata,
    callables,
    channel_options,
    checked_address,
    checked_timeout,
    new_request_id,
)
from hooke._requests import ObjectOptions, WordOptions, turns_of
from hooke.conversations import Prompt, Turn
from hooke.errors import HookeError
from hooke.images import ImageSource, PixelSize, View
from hooke.parameters import ModelParameters, ObjectParameters, WordParameters
from hooke.status import error_from
from hooke.streams import AsyncAnswerStream
from hooke.types import (
    AskResult,
    ClassifyResult,
    CountResult,
    Evaluation,
    MaskFormat,
    ModelInfo,
    ReportFormat,
    SampleResult,
    SegmentResult,
)

R = TypeVar("R")


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
        self.address = checked_address(address)
        self._timeout_s = checked_timeout(timeout_s)
        self._retries = retries
        self._credentials = None if tls is None else tls.credentials()
        self._known = _steps.KnownImages()
        self._connected = False

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        """The channel; made on the first call, since it belongs to the running loop."""
        options = channel_options(self.address, retries=self._retries)
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.address, options)
        return grpc.aio.secure_channel(self.address, self._credentials, options)

    @cached_property
    def _callables(self) -> Mapping[str, Any]:
        return callables(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

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
        return await self._run(_plans.segment(image, options, self._known), timeout_s)

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
        return await self._run(plan, timeout_s)

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
        return await self._run(plan, timeout_s)

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
        return await self._run(_plans.ask(turns, options, self._known), timeout_s)

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
        return AsyncAnswerStream(self._messages(_plans.stream_ask(turns, options, self._known), timeout_s))

    async def models(self, *, timeout_s: float | None = None) -> tuple[ModelInfo, ...]:
        """As `Client.models`."""
        return await self._run(_plans.models(), timeout_s)

    async def model(self, name: str, *, timeout_s: float | None = None) -> ModelInfo:
        """As `Client.model`."""
        return await self._run(_plans.model(name), timeout_s)

    async def serving(self, service: str = "", *, timeout_s: float | None = None) -> bool | None:
        """As `Client.serving`."""
        return await self._run(_plans.serving(service), timeout_s)

    async def has_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> bool:
        """As `Client.has_image`."""
        return await self._run(_plans.has_image(image, model), timeout_s)

    async def put_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> str:
        """As `Client.put_image`."""
        return await self._run(_plans.put_image(image, model, self._known), timeout_s)

    async def create_evaluation(
        self,
        *,
        suite_name: str | None = None,
        suite_yaml: str | None = None,
        models: Sequence[str] = (),
        data_dir: str = "",
        sample_limit: int | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Evaluation:
        """As `Client.create_evaluation`."""
        return await self._run(
            _plans.create_evaluation(
                suite_name=suite_name,
                suite_yaml=suite_yaml,
                models=models,
                data_dir=data_dir,
                sample_limit=sample_limit,
                request_id=request_id,
            ),
            timeout_s,
        )

    async def evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """As `Client.evaluation`."""
        return await self._run(_plans.evaluation(evaluation_id), timeout_s)

    async def evaluations(self, *, timeout_s: float | None = None) -> AsyncIterator[Evaluation]:
        """As `Client.evaluations`."""
        token: str | None = ""
        while token is not None:
            page = await self._run(_plans.page_of_evaluations(token), timeout_s)
            for item in page.items:
                yield item
            token = page.next_token

    async def watch_evaluation(
        self, evaluation_id: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[Evaluation]:
        """As `Client.watch_evaluation`."""
        following = _steps.Following(timeout_s, self._timeout_s)
        while True:
            try:
                stream = self._stream(
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
        return await self._run(_plans.cancel_evaluation(evaluation_id), timeout_s)

    async def sample_results(
        self, evaluation_id: str, *, task: str = "", model: str = "", timeout_s: float | None = None
    ) -> AsyncIterator[SampleResult]:
        """As `Client.sample_results`."""
        token: str | None = ""
        while token is not None:
            page = await self._run(
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
        timeout_s: float | None = None,
    ) -> bytes:
        """As `Client.report`."""
        return await self._run(_plans.report(evaluation_id, report_format), timeout_s)

    async def _run(self, plan: _steps.Plan[R], timeout_s: float | None) -> R:
        """Carry out a plan, step by step."""
        deadline = Deadline(self._timeout_s if timeout_s is None else timeout_s)
        request_id = new_request_id()
        plan = _plans.explained(plan)
        advance, value = plan.send, None
        try:
            while True:
                step = advance(value)
                try:
                    value, advance = await self._do(step, deadline, request_id), plan.send
                except HookeError as error:
                    value, advance = error, plan.throw
        except StopIteration as end:
            result: R = end.value
            return result

    async def _do(self, step: _steps.Step, deadline: Deadline, request_id: str) -> Any:
        match step:
            case _steps.Open(call):
                stream = self._stream(call, deadline, request_id)
                return _steps.Opened(await anext(stream, None), stream)
            case _steps.Work(function):
                return await asyncio.to_thread(function)
            case _steps.Pause(seconds):
                return await asyncio.sleep(min(seconds, deadline.left_s()))
            case _steps.Call(method, request, model, probe):
                try:
                    if not probe:
                        await self._connect(deadline)
                    call = self._callables[method](
                        request,
                        timeout=_steps.PROBE_S if probe else deadline.left_s(),
                        metadata=call_metadata(request_id, model),
                        wait_for_ready=self._retries and not probe,
                    )
                    if METHODS[method].server_streaming:
                        return [response async for response in call]
                    return await call
                except grpc.RpcError as error:
                    raise error_from(error, address=self.address, request_id=request_id) from error

    async def _connect(self, deadline: Deadline) -> None:
        """Wait some seconds for the first connection. Raises NeverReached where there is none."""
        if self._connected or not self._retries:
            return
        # The first call waits; where that was in vain, the second says whether, and why, nobody is there.
        for timeout_s, waits in ((min(_steps.CONNECT_S, deadline.left_s()), True), (_steps.PROBE_S, False)):
            try:
                await self._callables["Check"](_steps.PING, timeout=timeout_s, wait_for_ready=waits)
                break
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    found = error_from(error, address=self.address)
                    raise _steps.NeverReached(found.message, metadata=found.metadata) from error
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    break
        self._connected = True

    async def _messages(self, plan: _steps.Plan[Any], timeout_s: float | None) -> AsyncGenerator[Any, None]:
        """Carry out a plan that opens a stream, then yield what arrives."""
        opened = await self._run(plan, timeout_s)
        async with aclosing(opened.rest):
            if opened.first is not None:
                yield opened.first
            async for response in opened.rest:
                yield response

    async def _stream(
        self, step: _steps.Call, deadline: Deadline, request_id: str
    ) -> AsyncGenerator[Any, None]:
        """Yield the answers of a method that streams them; closing it cancels the call."""
        try:
            await self._connect(deadline)
            call = self._callables[step.method](
                step.request,
                timeout=deadline.left_s(),
                metadata=call_metadata(request_id, step.model),
                wait_for_ready=self._retries,
            )
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()
        except grpc.RpcError as error:
            raise error_from(error, address=self.address, request_id=request_id) from error
