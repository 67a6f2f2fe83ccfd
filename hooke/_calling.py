"""How the two clients carry out plans: side by side, since they differ only in how they wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from functools import cached_property
from typing import Any, TypeVar

import grpc

from hooke import _plans, _steps
from hooke._channel import (
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
from hooke.errors import HookeError, UnavailableError
from hooke.status import error_from

R = TypeVar("R")


class Caller:
    """Carries out plans, blocking; safe to share between threads.

    Args:
        address: host and port.
        tls: how to speak TLS; None: plain text.
        timeout_s: seconds until the deadline of every plan that sets none.
        retries: as for the clients.
    """

    def __init__(self, address: str, *, tls: Tls | None, timeout_s: float, retries: bool) -> None:
        self.address = checked_address(address)
        self.timeout_s = checked_timeout(timeout_s)
        self._retries = retries
        options = channel_options(self.address, retries=retries)
        self._channel = (
            grpc.insecure_channel(address, options)
            if tls is None
            else grpc.secure_channel(address, tls.credentials(), options)
        )
        self._callables = callables(self._channel)
        self._connected = False
        self._closed = False

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed = True
        self._channel.close()

    def run(self, plan: _steps.Plan[R], timeout_s: float | None) -> R:
        """Carry out a plan, step by step."""
        deadline = Deadline(self.timeout_s if timeout_s is None else timeout_s)
        request_id = new_request_id()
        plan = _plans.explained(plan)
        advance, value = plan.send, None
        try:
            while True:
                step = advance(value)
                try:
                    value, advance = self._do(step, deadline, request_id), plan.send
                except HookeError as error:
                    value, advance = error, plan.throw
        except StopIteration as end:
            result: R = end.value
            return result

    def messages(self, plan: _steps.Plan[Any], timeout_s: float | None) -> Generator[Any, None, None]:
        """Carry out a plan that opens a stream, then yield what arrives."""
        opened = self.run(plan, timeout_s)
        with closing(opened.rest):
            if opened.first is not None:
                yield opened.first
            yield from opened.rest

    def stream(self, step: _steps.Call, deadline: Deadline, request_id: str) -> Generator[Any, None, None]:
        """Yield the answers of a method that streams them; closing it cancels the call."""
        try:
            self._connect(deadline)
            call = self._callable(step.method)(
                step.request,
                timeout=deadline.left_s(),
                metadata=call_metadata(request_id, step.model),
                wait_for_ready=self._retries,
            )
            try:
                yield from call
            finally:
                call.cancel()
        except grpc.RpcError as error:
            raise error_from(error, address=self.address, request_id=request_id) from error

    def _do(self, step: _steps.Step, deadline: Deadline, request_id: str) -> Any:
        match step:
            case _steps.Open(call):
                stream = self.stream(call, deadline, request_id)
                return _steps.Opened(next(stream, None), stream)
            case _steps.Work(function):
                return function()
            case _steps.Pause(seconds):
                return time.sleep(min(seconds, deadline.left_s()))
            case _steps.Call(method, request, model, probe):
                try:
                    if not probe:
                        self._connect(deadline)
                    response = self._callable(method)(
                        request,
                        timeout=_steps.PROBE_S if probe else deadline.left_s(),
                        metadata=call_metadata(request_id, model),
                        wait_for_ready=self._retries and not probe,
                    )
                    return list(response) if METHODS[method].server_streaming else response
                except grpc.RpcError as error:
                    raise error_from(error, address=self.address, request_id=request_id) from error

    def _callable(self, method: str) -> Any:
        """What calls a method. Raises HookeError once the client is closed."""
        if self._closed:
            raise HookeError(_steps.CLOSED)
        return self._callables[method]

    def _connect(self, deadline: Deadline) -> None:
        """Wait some seconds for the first connection. Raises NeverReached where there is none."""
        if self._connected or not self._retries:
            return
        # The first call waits; where that was in vain, the second says whether, and why, nobody is there.
        for timeout_s, waits in ((min(_steps.CONNECT_S, deadline.left_s()), True), (_steps.PROBE_S, False)):
            try:
                self._callable("Check")(_steps.PING, timeout=timeout_s, wait_for_ready=waits)
                break
            except grpc.RpcError as error:
                if waits and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    continue
                found = error_from(error, address=self.address)
                if not waits and type(found) is UnavailableError:
                    raise _steps.NeverReached(found.message, metadata=found.metadata) from error
                break  # whatever it says, somebody is there
        self._connected = True


class AsyncCaller:
    """Carries out plans on the event loop that it is first used on.

    Args:
        address: host and port.
        tls: how to speak TLS; None: plain text.
        timeout_s: seconds until the deadline of every plan that sets none.
        retries: as for the clients.
    """

    def __init__(self, address: str, *, tls: Tls | None, timeout_s: float, retries: bool) -> None:
        self.address = checked_address(address)
        self.timeout_s = checked_timeout(timeout_s)
        self._retries = retries
        self._credentials = None if tls is None else tls.credentials()
        self._connected = False
        self._closed = False

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

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed = True
        await self._channel.close()

    async def run(self, plan: _steps.Plan[R], timeout_s: float | None) -> R:
        """Carry out a plan, step by step."""
        deadline = Deadline(self.timeout_s if timeout_s is None else timeout_s)
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

    async def messages(self, plan: _steps.Plan[Any], timeout_s: float | None) -> AsyncGenerator[Any, None]:
        """Carry out a plan that opens a stream, then yield what arrives."""
        opened = await self.run(plan, timeout_s)
        async with aclosing(opened.rest):
            if opened.first is not None:
                yield opened.first
            async for response in opened.rest:
                yield response

    async def stream(
        self, step: _steps.Call, deadline: Deadline, request_id: str
    ) -> AsyncGenerator[Any, None]:
        """Yield the answers of a method that streams them; closing it cancels the call."""
        try:
            await self._connect(deadline)
            call = self._callable(step.method)(
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

    async def _do(self, step: _steps.Step, deadline: Deadline, request_id: str) -> Any:
        match step:
            case _steps.Open(call):
                stream = self.stream(call, deadline, request_id)
                return _steps.Opened(await anext(stream, None), stream)
            case _steps.Work(function):
                return await asyncio.to_thread(function)
            case _steps.Pause(seconds):
                return await asyncio.sleep(min(seconds, deadline.left_s()))
            case _steps.Call(method, request, model, probe):
                try:
                    if not probe:
                        await self._connect(deadline)
                    call = self._callable(method)(
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

    def _callable(self, method: str) -> Any:
        """What calls a method. Raises HookeError once the client is closed."""
        if self._closed:
            raise HookeError(_steps.CLOSED)
        return self._callables[method]

    async def _connect(self, deadline: Deadline) -> None:
        """Wait some seconds for the first connection. Raises NeverReached where there is none."""
        if self._connected or not self._retries:
            return
        # The first call waits; where that was in vain, the second says whether, and why, nobody is there.
        for timeout_s, waits in ((min(_steps.CONNECT_S, deadline.left_s()), True), (_steps.PROBE_S, False)):
            try:
                await self._callable("Check")(_steps.PING, timeout=timeout_s, wait_for_ready=waits)
                break
            except grpc.RpcError as error:
                if waits and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    continue
                found = error_from(error, address=self.address)
                if not waits and type(found) is UnavailableError:
                    raise _steps.NeverReached(found.message, metadata=found.metadata) from error
                break  # whatever it says, somebody is there
        self._connected = True
