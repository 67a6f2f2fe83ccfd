"""Exceptions <-> gRPC statuses, both ways from the one table in `hooke.errors`.

A server calls `status_of` and `trailing_metadata_of` and aborts with both; a client calls `error_from` and
raises what it returns. A status that did not come from Hooke (a dead server, a proxy, a message above a
limit) becomes the nearest class by its code, with a message that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from hooke import errors
from hooke.errors import TABLE, FieldViolation, HookeError, Reason, Retry

M = TypeVar("M", bound=Message)

DETAILS_KEY: Final = "grpc-status-details-bin"
"""Trailer that carries the `google.rpc.Status`."""
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
"""Trailer that gRPC's built-in retries obey: milliseconds to wait; negative: do not retry."""
ADVICE: Final = "`hooke doctor` checks the address."
"""End of what is said where nobody answers."""

# Receivers refuse more than about 8 KiB of trailers, and the message travels twice, once percent-encoded.
_MAX_MESSAGE_BYTES = 1024
_MAX_METADATA_BYTES = 512
_MAX_VIOLATIONS = 8
_MAX_VIOLATION_BYTES = 192
_MAX_DELAY_S = 86_400.0
"""A provider that says more means something else by its number, and messages do not hold every number."""

_BY_CODE: Mapping[grpc.StatusCode, type[HookeError]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
        grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
        grpc.StatusCode.UNIMPLEMENTED: errors.TaskNotSupportedError,
        grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhaustedError,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceededError,
        grpc.StatusCode.INTERNAL: errors.InternalError,
        grpc.StatusCode.UNKNOWN: errors.InternalError,
        grpc.StatusCode.DATA_LOSS: errors.InternalError,
    }
)
"""The nearest class for a status whose reason is missing or unknown; HookeError for all other codes."""


def code_of(error: HookeError) -> grpc.StatusCode:
    """Return the canonical code of an error; INTERNAL for a class that stands for no code."""
    if error.reason is not None:
        return TABLE[error.reason].code
    codes = (code for code, exception in _BY_CODE.items() if type(error) is exception)
    return next(codes, grpc.StatusCode.INTERNAL)


def status_of(error: HookeError) -> status_pb2.Status:
    """Return the status that carries an error to the caller.

    Its details are ErrorInfo, then BadRequest, RetryInfo and RequestInfo where the error has something to
    put into them. Very long messages are cut, so that the status fits into the trailers of a call.
    """
    message = _cut(error.message, _MAX_MESSAGE_BYTES)
    status = status_pb2.Status(code=code_of(error).value[0], message=message)
    for detail in _details_of(error):
        status.details.add().Pack(detail)
    return status


def trailing_metadata_of(error: HookeError) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailers of a failed call: the status in binary, and the push-back for built-in retries."""
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status_of(error).SerializeToString())]
    if error.reason is not None and TABLE[error.reason].retry is not Retry.AFTER_DELAY:
        trailers.append((PUSHBACK_KEY, "-1"))
    elif error.retry_after_s is not None:
        trailers.append((PUSHBACK_KEY, str(round(min(error.retry_after_s, _MAX_DELAY_S) * 1000))))
    return tuple(trailers)


def error_from(rpc_error: grpc.RpcError, *, address: str = "", request_id: str | None = None) -> HookeError:
    """Return the exception that a failed call stands for.

    A reason that this version does not know gives the nearest class by code and is kept as
    `metadata["reason"]`.

    Args:
        rpc_error: what grpc or grpc.aio raised.
        address: where the call went, for the message.
        request_id: id that the call was sent with, used where the server says none.
    """
    call: Any = rpc_error  # grpc raises objects that are both an RpcError and a Call
    code: grpc.StatusCode = call.code() or grpc.StatusCode.UNKNOWN
    status = _status_in(call.trailing_metadata() or ())
    info = _detail(status, error_details_pb2.ErrorInfo())
    if info is None or info.domain != errors.DOMAIN:
        return _foreign(code, call.details() or "", address, request_id)
    metadata = dict(info.metadata)
    if info.reason in Reason.__members__:
        exception = TABLE[Reason(info.reason)].exception
    else:
        exception = _BY_CODE.get(code, HookeError)
        metadata["reason"] = info.reason
    retry = _detail(status, error_details_pb2.RetryInfo())
    bad = _detail(status, error_details_pb2.BadRequest()) or error_details_pb2.BadRequest()
    request = _detail(status, error_details_pb2.RequestInfo())
    return exception(
        status.message,
        metadata=metadata,
        retry_after_s=None if retry is None else retry.retry_delay.ToTimedelta().total_seconds(),
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations],
        request_id=request.request_id if request is not None else request_id,
    )


def _details_of(error: HookeError) -> list[Message]:
    details: list[Message] = []
    metadata = {key: _cut(value, _MAX_METADATA_BYTES) for key, value in error.metadata.items()}
    reason = metadata.pop("reason", None) or error.reason
    if reason is not None:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain=errors.DOMAIN, metadata=metadata))
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations[:_MAX_VIOLATIONS]:
            bad.field_violations.add(
                field=_cut(violation.field, _MAX_VIOLATION_BYTES),
                description=_cut(violation.description, _MAX_VIOLATION_BYTES),
            )
        details.append(bad)
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(min(error.retry_after_s, _MAX_DELAY_S) * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.request_id is not None:
        details.append(error_details_pb2.RequestInfo(request_id=error.request_id))
    return details


def _cut(text: str, max_bytes: int) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= max_bytes:
        return raw.decode("utf-8")
    return raw[: max_bytes - 4].decode("utf-8", "ignore") + " ..."


def _status_in(trailers: Any) -> status_pb2.Status:
    for key, value in trailers:
        if key == DETAILS_KEY:
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:  # mangled on the way; the code still says something
                break
    return status_pb2.Status()


def _detail(status: status_pb2.Status, kind: M) -> M | None:
    return next((kind for detail in status.details if detail.Unpack(kind)), None)


def _foreign(code: grpc.StatusCode, details: str, address: str, request_id: str | None) -> HookeError:
    """Make sense of a status that no server of Hooke wrote."""
    where = address or "the server"
    said = f" ({details})" if details else ""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            message = (
                f"No answer from {where}{said}. Is a Hooke server running there? "
                f"`make up` in a checkout starts one, {ADVICE}"
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            message = f"{where} did not answer before the deadline{said}. A longer `timeout_s` may help."
        case grpc.StatusCode.UNIMPLEMENTED:
            message = f"{where} does not offer this call{said}: not Hooke, or another version of it."
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            message = f"A limit was reached between here and {where}{said}."
        case grpc.StatusCode.CANCELLED:
            message = f"The call to {where} was cancelled{said}."
        case _:
            message = f"The call to {where} failed with {code.name}{said}."
    exception = _BY_CODE.get(code, HookeError)
    return exception(message, metadata={"code": code.name}, request_id=request_id)
