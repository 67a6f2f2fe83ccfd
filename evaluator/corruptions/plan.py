"""Which faults a task puts its images through, as suites write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from evaluator.corruptions.catalogue import FAULTS, SEVERITIES

CLEAN = "clean"
"""Stands for the fault of an image as it is; its severity is 0."""
FAULT_AXIS, SEVERITY_AXIS = "fault", "severity"
"""The axes by which the results of such a task are broken down."""


def one_or_several(value: object) -> object:
    """A list as a tuple, and what is neither as a tuple of one: what suites may write as they like."""
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def _known(kind: str) -> str:
    if kind not in FAULTS:
        raise ValueError(f"{kind!r} is not one of {', '.join(FAULTS)}")
    return kind


def _ascending(severities: tuple[int, ...]) -> tuple[int, ...]:
    if list(severities) != sorted(set(severities)):
        raise ValueError("must ascend, each once")
    return severities


class CorruptionSpec(BaseModel):
    """One fault.

    Attributes:
        kind: a name of `evaluator.corruptions.FAULTS`.
        severities: one or a list out of 1 to 5, ascending.
        seed: of everything random in it, beside the name of the image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[str, AfterValidator(_known)]
    severities: Annotated[
        tuple[Annotated[int, Field(ge=SEVERITIES[0], le=SEVERITIES[-1])], ...],
        BeforeValidator(one_or_several),
        Field(min_length=1),
        AfterValidator(_ascending),
    ] = SEVERITIES
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the ways in which every image is shown; of the clean one the severity is 0."""

    fault: str = CLEAN
    severity: int = 0
    seed: int = 0


def variants(corruption: Sequence[CorruptionSpec]) -> tuple[Variant, ...]:
    """The clean image, then every fault with its severities, in the order of the suite."""
    return (
        Variant(),
        *(Variant(spec.kind, severity, spec.seed) for spec in corruption for severity in spec.severities),
    )
