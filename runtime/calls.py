"""What the interceptors know of the call being served."""

from __future__ import annotations

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

import grpc

REQUEST_ID_KEY = "hooke-request-id"
MODEL_KEY = "hooke-model"

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(slots=True)
class Call:
    """One call, from its first interceptor to its last."""

    service: str
    """Full name of the service, for example `hooke.v1.InferenceService`."""
    method: str
    shape: str
    """`unary`, `client_stream`, `server_stream` or `bidi_stream`."""
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    reason: str = ""
    """Reason of the error that ended the call; empty while there is none."""
    code: grpc.StatusCode | None = None
    """Status that the call ended with, once the errors interceptor knows it."""


current: ContextVar[Call] = ContextVar("call")
"""The call that the present task serves."""


def request_id_of(metadata: object) -> str:
    """The caller's request id if it has a sound one, else a new one."""
    if isinstance(metadata, tuple):
        for key, value in metadata:
            if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
                return value
    return uuid.uuid4().hex
