"""Answers in words that arrive while the model writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Self

from hooke import wire
from hooke.errors import UnavailableError
from hooke.types import AskResult
from hooke.v1.inference_service_pb2 import StreamAskResponse


class AnswerStream(Iterator[str]):
    """The pieces of an answer in words, as they are written; then `result()`.

        with client.stream_ask("cells.png", "What is shown?") as pieces:
            for piece in pieces:
                print(piece, end="", flush=True)
            print(pieces.result().cost)

    The question is sent when the first piece is asked for. Leaving the `with` block, or `close`, before the
    end cancels the call at the server. Errors come from whichever piece is asked for, also after others came;
    the call is repeated only until the first one has arrived.
    """

    def __init__(self, messages: Generator[StreamAskResponse, None, None]) -> None:
        self._messages = messages
        self._answer = _Answer()

    def __next__(self) -> str:
        for message in self._messages:
            if piece := self._answer.take(message):
                return piece
        self._answer.result()
        raise StopIteration

    def result(self) -> AskResult:
        """The whole answer; reads the rest of it first."""
        for _piece in self:
            pass
        return self._answer.result()

    def close(self) -> None:
        """End the call, if it still goes on."""
        self._messages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncAnswerStream(AsyncIterator[str]):
    """As AnswerStream, for asyncio.

    async with client.stream_ask("cells.png", "What is shown?") as pieces:
        async for piece in pieces:
            print(piece, end="", flush=True)
        print((await pieces.result()).cost)
    """

    def __init__(self, messages: AsyncGenerator[StreamAskResponse, None]) -> None:
        self._messages = messages
        self._answer = _Answer()

    async def __anext__(self) -> str:
        async for message in self._messages:
            if piece := self._answer.take(message):
                return piece
        self._answer.result()
        raise StopAsyncIteration

    async def result(self) -> AskResult:
        """As `AnswerStream.result`."""
        async for _piece in self:
            pass
        return self._answer.result()

    async def close(self) -> None:
        """As `AnswerStream.close`."""
        await self._messages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Answer:
    """Puts an answer together from the messages of its stream."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._result: AskResult | None = None

    def take(self, message: StreamAskResponse) -> str:
        """Return the piece in a message; empty where it has none."""
        if message.WhichOneof("part") == "end":
            self._result = wire.ask_result_from_end("".join(self._pieces), message.end)
        self._pieces.append(message.text_delta)
        return message.text_delta

    def result(self) -> AskResult:
        """Return the answer. Raises UnavailableError where the stream ended without an end."""
        if self._result is None:
            raise UnavailableError("the stream ended before the answer was whole")
        return self._result
