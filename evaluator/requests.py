"""What callers ask for, checked field by field."""

from __future__ import annotations

import re

from evaluator.journal import shallow
from evaluator.runs import RunSpec
from hooke import wire
from hooke.errors import FieldViolation, InvalidRequestError
from hooke.v1 import evaluation_service_pb2 as pb

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def spec_of(request: pb.CreateEvaluationRequest) -> RunSpec:
    """What a request asks for; its suite is not read yet.

    Raises:
        InvalidRequestError: names every faulty field.
    """
    violations = []
    if not _REQUEST_ID.fullmatch(request.request_id):
        text = "is required: 1 to 128 characters of letters, digits, '-' and '_'"
        violations.append(FieldViolation("request_id", text))
    suite = request.WhichOneof("suite")
    if suite is None:
        violations.append(FieldViolation("suite", "is required: set suite_name or suite_yaml"))
    elif not getattr(request, suite):
        violations.append(FieldViolation(suite, "must not be empty"))
    for index, model in enumerate(request.models):
        if not model:
            violations.append(FieldViolation(f"models[{index}]", "must not be empty"))
        elif model in request.models[:index]:
            violations.append(FieldViolation(f"models[{index}]", f"{model!r} stands twice"))
    if request.HasField("sample_limit") and request.sample_limit < 1:
        violations.append(FieldViolation("sample_limit", "must be greater than 0"))
    violations += _limit_violations(request.limits)
    if violations:
        told = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise InvalidRequestError(told, violations=violations)
    return RunSpec(
        request_id=request.request_id,
        suite_name=request.suite_name,
        suite_yaml=request.suite_yaml,
        models=tuple(request.models),
        data_dir=request.data_dir,
        sample_limit=request.sample_limit if request.HasField("sample_limit") else None,
        reuse_answers=request.reuse_answers if request.HasField("reuse_answers") else True,
        **shallow(wire.evaluation_limits_from_proto(request.limits)),
    )


def _limit_violations(limits: pb.EvaluationLimits) -> list[FieldViolation]:
    """What is wrong with limits; comparisons are the ones that NaN fails."""
    names = [limit.model for limit in limits.model_limits]
    found = []
    for index, limit in enumerate(limits.model_limits):
        field = f"limits.model_limits[{index}]"
        if not limit.model:
            found.append(FieldViolation(f"{field}.model", "is required"))
        elif limit.model in names[:index]:
            found.append(FieldViolation(f"{field}.model", f"{limit.model!r} stands twice"))
        found += [
            FieldViolation(f"{field}.{name}", "must be greater than 0")
            for name in ("max_in_flight", "requests_per_minute")
            if limit.HasField(name) and getattr(limit, name) < 1
        ]
    found += [
        FieldViolation(f"limits.{name}", "must not be negative")
        for name in ("max_cost_micro_usd", "max_failed_count")
        if limits.HasField(name) and getattr(limits, name) < 0
    ]
    if limits.HasField("max_failed_fraction") and not 0 <= limits.max_failed_fraction <= 1:
        found.append(FieldViolation("limits.max_failed_fraction", "must be from 0 to 1"))
    if limits.HasField("max_sending_duration") and not limits.max_sending_duration.ToNanoseconds() > 0:
        found.append(FieldViolation("limits.max_sending_duration", "must be above 0"))
    return found
