"""Every way in which Hooke can fail: one table, one exception tree.

    HookeError
    |-- InvalidRequestError              INVALID_REQUEST
    |   |-- ImageUnreadableError         IMAGE_UNREADABLE
    |   |-- ImageTooLargeError           IMAGE_TOO_LARGE
    |   `-- UnsupportedPixelTypeError    UNSUPPORTED_PIXEL_TYPE
    |-- NotFoundError
    |   |-- ImageNotFoundError           IMAGE_NOT_FOUND
    |   |-- UnknownModelError            UNKNOWN_MODEL
    |   `-- UnknownEvaluationError       UNKNOWN_EVALUATION
    |-- TaskNotSupportedError            TASK_NOT_SUPPORTED
    |-- ExamplesRequiredError            EXAMPLES_REQUIRED
    |-- UnavailableError                 (no answer from the server itself)
    |   |-- ModelLoadingError            MODEL_LOADING
    |   |-- DrainingError                DRAINING
    |   `-- UpstreamFailedError          UPSTREAM_FAILED
    |-- ResourceExhaustedError
    |   |-- QueueFullError               QUEUE_FULL
    |   |-- OutOfMemoryError             OUT_OF_MEMORY
    |   |-- UpstreamRateLimitedError     UPSTREAM_RATE_LIMITED
    |   `-- UpstreamQuotaExhaustedError  UPSTREAM_QUOTA_EXHAUSTED
    |-- UpstreamRefusedError             UPSTREAM_REFUSED
    |-- CredentialsError
    |   |-- CredentialsMissingError      CREDENTIALS_MISSING
    |   `-- CredentialsRejectedError     CREDENTIALS_REJECTED
    |-- DeadlineExceededError            DEADLINE_EXCEEDED
    `-- InternalError                    INTERNAL

Servers raise these exceptions and the errors interceptor turns them into a gRPC status; the SDK turns
the status back into the same exception. `docs/errors.md` is generated from `TABLE`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import grpc

DOMAIN = "hooke"
"""`google.rpc.ErrorInfo.domain` of every error of Hooke."""


class Reason(enum.StrEnum):
    """`google.rpc.ErrorInfo.reason`: what went wrong, for programs."""

    INVALID_REQUEST = "INVALID_REQUEST"
    IMAGE_UNREADABLE = "IMAGE_UNREADABLE"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    UNSUPPORTED_PIXEL_TYPE = "UNSUPPORTED_PIXEL_TYPE"
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    UNKNOWN_EVALUATION = "UNKNOWN_EVALUATION"
    TASK_NOT_SUPPORTED = "TASK_NOT_SUPPORTED"
    EXAMPLES_REQUIRED = "EXAMPLES_REQUIRED"
    MODEL_LOADING = "MODEL_LOADING"
    DRAINING = "DRAINING"
    QUEUE_FULL = "QUEUE_FULL"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    UPSTREAM_QUOTA_EXHAUSTED = "UPSTREAM_QUOTA_EXHAUSTED"
    UPSTREAM_REFUSED = "UPSTREAM_REFUSED"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_REJECTED = "CREDENTIALS_REJECTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"


class Retry(enum.Enum):
    """Whether sending the same request again can help."""

    NEVER = "no"
    AFTER_PUT = "after putting the image"
    AFTER_DELAY = "yes, after the stated delay"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of a request."""

    field: str
    """Path of the field in the request, for example `image.pixels.shape`."""
    description: str
    """What is wrong and how to mend it."""


class HookeError(Exception):
    """The root of every error of Hooke.

    Args:
        message: what happened and how to mend it, for a person. It travels to the caller.
        metadata: machine-readable details, sent as `ErrorInfo.metadata`.
        retry_after_s: seconds to wait before trying again, where that can help.
        violations: the faulty fields of the request.
        request_id: id of the request in the server's log, where known.
    """

    reason: Reason | None = None
    """Reason on the wire; None for the classes that only group others."""

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        violations: Sequence[FieldViolation] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        self.retry_after_s = retry_after_s
        self.violations = tuple(violations)
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with all details: errors cross from worker processes."""
        return (
            _restore,
            (
                type(self),
                self.message,
                dict(self.metadata),
                self.retry_after_s,
                self.violations,
                self.request_id,
            ),
        )


def _restore(
    cls: type[HookeError],
    message: str,
    metadata: Mapping[str, str],
    retry_after_s: float | None,
    violations: Sequence[FieldViolation],
    request_id: str | None,
) -> HookeError:
    return cls(
        message,
        metadata=metadata,
        retry_after_s=retry_after_s,
        violations=violations,
        request_id=request_id,
    )


class InvalidRequestError(HookeError):
    """The request breaks a rule of the wire; `violations` names the fields."""

    reason = Reason.INVALID_REQUEST

    @classmethod
    def of_field(cls, field: str, description: str) -> Self:
        """The error of one faulty field; see `FieldViolation`."""
        return cls(f"{field}: {description}", violations=[FieldViolation(field, description)])


class ImageUnreadableError(InvalidRequestError):
    """The image is not a whole, honest file of a supported format."""

    reason = Reason.IMAGE_UNREADABLE


class ImageTooLargeError(InvalidRequestError):
    """The image has more bytes or pixels than the server takes."""

    reason = Reason.IMAGE_TOO_LARGE


class UnsupportedPixelTypeError(InvalidRequestError):
    """The samples are of a type that Hooke does not read."""

    reason = Reason.UNSUPPORTED_PIXEL_TYPE


class NotFoundError(HookeError):
    """What the request names does not exist."""


class ImageNotFoundError(NotFoundError):
    """The server does not hold the image of this hash; `metadata["sha256"]` says which."""

    reason = Reason.IMAGE_NOT_FOUND


class UnknownModelError(NotFoundError):
    """No model has this name."""

    reason = Reason.UNKNOWN_MODEL


class UnknownEvaluationError(NotFoundError):
    """No evaluation has this id."""

    reason = Reason.UNKNOWN_EVALUATION


class TaskNotSupportedError(HookeError):
    """The model cannot do what was asked."""

    reason = Reason.TASK_NOT_SUPPORTED


class ExamplesRequiredError(HookeError):
    """The model learns classes from examples and the request has none."""

    reason = Reason.EXAMPLES_REQUIRED


class UnavailableError(HookeError):
    """Nobody answered: the server cannot be reached, or is not ready."""


class ModelLoadingError(UnavailableError):
    """The model is still loading."""

    reason = Reason.MODEL_LOADING


class DrainingError(UnavailableError):
    """The server is shutting down and takes no new work."""

    reason = Reason.DRAINING


class UpstreamFailedError(UnavailableError):
    """The service behind the gateway, or the provider behind a proxy, failed."""

    reason = Reason.UPSTREAM_FAILED


class ResourceExhaustedError(HookeError):
    """A limit was reached."""


class QueueFullError(ResourceExhaustedError):
    """Too many requests wait already."""

    reason = Reason.QUEUE_FULL


class OutOfMemoryError(ResourceExhaustedError):
    """The image does not fit into memory; `metadata["suggestedMaxPixels"]` says what would."""

    reason = Reason.OUT_OF_MEMORY


class UpstreamRateLimitedError(ResourceExhaustedError):
    """The provider takes no more for now; `retry_after_s` is when it said to come back."""

    reason = Reason.UPSTREAM_RATE_LIMITED


class UpstreamQuotaExhaustedError(ResourceExhaustedError):
    """The provider's credit or its quota for the day is used up: waiting a little does not help."""

    reason = Reason.UPSTREAM_QUOTA_EXHAUSTED


class UpstreamRefusedError(HookeError):
    """The provider or its model refuses to answer for reasons of content."""

    reason = Reason.UPSTREAM_REFUSED


class CredentialsError(HookeError):
    """The service's own key for a provider is of no use; the operator must mend it."""


class CredentialsMissingError(CredentialsError):
    """The service has no key for the provider; the message names the setting."""

    reason = Reason.CREDENTIALS_MISSING


class CredentialsRejectedError(CredentialsError):
    """The provider does not accept the service's key, which is never shown."""

    reason = Reason.CREDENTIALS_REJECTED


class DeadlineExceededError(HookeError):
    """The deadline passed before the answer was there."""

    reason = Reason.DEADLINE_EXCEEDED


class InternalError(HookeError):
    """A fault of the server; its log has the details under the request id."""

    reason = Reason.INTERNAL


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the error table."""

    reason: Reason
    code: grpc.StatusCode
    retry: Retry
    exception: type[HookeError]


TABLE: Mapping[Reason, ErrorRow] = MappingProxyType(
    {
        exception.reason: ErrorRow(exception.reason, code, retry, exception)
        for exception, code, retry in (
            (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT, Retry.NEVER),
            (ImageUnreadableError, grpc.StatusCode.INVALID_ARGUMENT, Retry.NEVER),
            (ImageTooLargeError, grpc.StatusCode.INVALID_ARGUMENT, Retry.NEVER),
            (UnsupportedPixelTypeError, grpc.StatusCode.INVALID_ARGUMENT, Retry.NEVER),
            (ImageNotFoundError, grpc.StatusCode.NOT_FOUND, Retry.AFTER_PUT),
            (UnknownModelError, grpc.StatusCode.NOT_FOUND, Retry.NEVER),
            (UnknownEvaluationError, grpc.StatusCode.NOT_FOUND, Retry.NEVER),
            (TaskNotSupportedError, grpc.StatusCode.UNIMPLEMENTED, Retry.NEVER),
            (ExamplesRequiredError, grpc.StatusCode.FAILED_PRECONDITION, Retry.NEVER),
            (ModelLoadingError, grpc.StatusCode.UNAVAILABLE, Retry.AFTER_DELAY),
            (DrainingError, grpc.StatusCode.UNAVAILABLE, Retry.AFTER_DELAY),
            (UpstreamFailedError, grpc.StatusCode.UNAVAILABLE, Retry.AFTER_DELAY),
            (QueueFullError, grpc.StatusCode.RESOURCE_EXHAUSTED, Retry.AFTER_DELAY),
            (OutOfMemoryError, grpc.StatusCode.RESOURCE_EXHAUSTED, Retry.NEVER),
            (UpstreamRateLimitedError, grpc.StatusCode.RESOURCE_EXHAUSTED, Retry.AFTER_DELAY),
            (UpstreamQuotaExhaustedError, grpc.StatusCode.RESOURCE_EXHAUSTED, Retry.NEVER),
            (UpstreamRefusedError, grpc.StatusCode.FAILED_PRECONDITION, Retry.NEVER),
            (CredentialsMissingError, grpc.StatusCode.FAILED_PRECONDITION, Retry.NEVER),
            (CredentialsRejectedError, grpc.StatusCode.FAILED_PRECONDITION, Retry.NEVER),
            (DeadlineExceededError, grpc.StatusCode.DEADLINE_EXCEEDED, Retry.NEVER),
            (InternalError, grpc.StatusCode.INTERNAL, Retry.NEVER),
        )
        if exception.reason is not None
    }
)
"""The error table: one row for each reason, walked both ways by a test."""
