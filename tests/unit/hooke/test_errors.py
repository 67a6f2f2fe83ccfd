"""The error table, walked both ways, and the exceptions behind it."""

import pickle
import re
from pathlib import Path

import grpc
import pytest

import hooke.errors
from hooke.errors import TABLE, ErrorRow, FieldViolation, HookeError, Reason, Retry
from hooke.status import code_of

ROOT = Path(__file__).parents[3]


def exceptions() -> list[type[HookeError]]:
    """Every exception class of the module, the root included."""
    found = [HookeError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == hooke.errors.__name__]


CONCRETE = [kind for kind in exceptions() if kind.reason is not None]
GROUPS = [kind for kind in exceptions() if kind.reason is None]

# What the wire promises, written down a second time: a change of the table is a change of the wire.
WIRE = {
    "INVALID_REQUEST": ("INVALID_ARGUMENT", Retry.NEVER),
    "IMAGE_UNREADABLE": ("INVALID_ARGUMENT", Retry.NEVER),
    "IMAGE_TOO_LARGE": ("INVALID_ARGUMENT", Retry.NEVER),
    "UNSUPPORTED_PIXEL_TYPE": ("INVALID_ARGUMENT", Retry.NEVER),
    "IMAGE_NOT_FOUND": ("NOT_FOUND", Retry.AFTER_PUT),
    "UNKNOWN_MODEL": ("NOT_FOUND", Retry.NEVER),
    "UNKNOWN_EVALUATION": ("NOT_FOUND", Retry.NEVER),
    "TASK_NOT_SUPPORTED": ("UNIMPLEMENTED", Retry.NEVER),
    "EXAMPLES_REQUIRED": ("FAILED_PRECONDITION", Retry.NEVER),
    "MODEL_LOADING": ("UNAVAILABLE", Retry.AFTER_DELAY),
    "DRAINING": ("UNAVAILABLE", Retry.AFTER_DELAY),
    "QUEUE_FULL": ("RESOURCE_EXHAUSTED", Retry.AFTER_DELAY),
    "OUT_OF_MEMORY": ("RESOURCE_EXHAUSTED", Retry.NEVER),
    "UPSTREAM_FAILED": ("UNAVAILABLE", Retry.AFTER_DELAY),
    "UPSTREAM_RATE_LIMITED": ("RESOURCE_EXHAUSTED", Retry.AFTER_DELAY),
    "UPSTREAM_QUOTA_EXHAUSTED": ("RESOURCE_EXHAUSTED", Retry.NEVER),
    "UPSTREAM_REFUSED": ("FAILED_PRECONDITION", Retry.NEVER),
    "CREDENTIALS_MISSING": ("FAILED_PRECONDITION", Retry.NEVER),
    "CREDENTIALS_REJECTED": ("FAILED_PRECONDITION", Retry.NEVER),
    "DEADLINE_EXCEEDED": ("DEADLINE_EXCEEDED", Retry.NEVER),
    "INTERNAL": ("INTERNAL", Retry.NEVER),
}


# Every reason has one row, under its own name.
@pytest.mark.parametrize("reason", Reason)
def test_reason_has_row(reason: Reason) -> None:
    assert isinstance(TABLE[reason], ErrorRow)
    assert TABLE[reason].reason is reason


# Every class with a reason stands in exactly one row, and that row is of its reason.
@pytest.mark.parametrize("kind", CONCRETE)
def test_exception_has_one_row(kind: type[HookeError]) -> None:
    assert [row.reason for row in TABLE.values() if row.exception is kind] == [kind.reason]


# No two classes share a reason, and the table has nothing beside the reasons and classes.
def test_table_has_nothing_else() -> None:
    assert len(TABLE) == len(Reason) == len(CONCRETE)
    assert {row.exception for row in TABLE.values()} == set(CONCRETE)


# Codes and retries are those that the wire promises.
@pytest.mark.parametrize("reason", Reason)
def test_wire(reason: Reason) -> None:
    code, retry = WIRE[reason]
    assert TABLE[reason].code is grpc.StatusCode[code]
    assert TABLE[reason].retry is retry
    assert code_of(TABLE[reason].exception("text")) is grpc.StatusCode[code]


# Nothing that Hooke says is sent with a code that only gRPC itself or an application's bug produces.
def test_no_vague_codes() -> None:
    vague = {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
    assert vague.isdisjoint(row.code for row in TABLE.values())


# An exception keeps all that it says on its way from a worker process.
@pytest.mark.parametrize("kind", exceptions())
def test_pickle(kind: type[HookeError]) -> None:
    error = kind(
        "message",
        metadata={"key": "value"},
        retry_after_s=1.5,
        violations=[FieldViolation("image", "missing")],
        request_id="r-1",
    )
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert vars(back) == vars(error)
    assert back.args == error.args
    assert str(back) == "message"


# What is caught as a group is what the tree of the module's docstring shows.
def test_tree() -> None:
    drawn = re.findall(r"^    ([ |`-]*)(\w+Error)(?: +([A-Z_]+))?", hooke.errors.__doc__ or "", re.MULTILINE)
    parents: dict[int, type[HookeError]] = {}
    shown = {}
    for indent, name, reason in drawn:
        depth = len(indent) // 4
        kind = getattr(hooke.errors, name)
        parents[depth] = kind
        shown[kind] = reason or None
        if depth:
            assert kind.__bases__ == (parents[depth - 1],)
    assert shown == {kind: kind.reason and kind.reason.value for kind in exceptions()}


# Every reason that an rpc or a service names exists, and every reason is named by one that fails with it.
def test_reasons_of_the_wire() -> None:
    named = set()
    for proto in sorted((ROOT / "protos" / "hooke" / "v1").glob("*_service.proto")):
        for comment in re.findall(r"((?:^ *//.*\n)+) *(?:rpc|service) ", proto.read_text(), re.MULTILINE):
            named.update(re.findall(r"\b[A-Z][A-Z_]{5,}\b", comment))
    assert named == set(Reason.__members__)


# Only the groups of the tree have no reason of their own.
def test_groups() -> None:
    assert {kind.__name__ for kind in GROUPS} == {
        "HookeError",
        "NotFoundError",
        "UnavailableError",
        "ResourceExhaustedError",
        "CredentialsError",
    }
