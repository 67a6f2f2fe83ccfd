"""A model's own parameters, from their message on the wire to their twin in Python."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from pydantic import ValidationError

from hooke import wire
from hooke.errors import InvalidRequestError
from hooke.images import ImageLimits
from hooke.v1 import mask_pb2
from runtime.checks import Checks
from runtime.tasks import Model, Parameters

# Parameters are read before their request is admitted, so what they may come to is bounded for all models.
ARRAY_LIMITS = ImageLimits(max_pixels=1024**2)
"""Of an array, once it is unpacked."""
MAX_REPEATED = 4096
"""Most entries of a repeated field."""


def read_parameters(checks: Checks, request: Message, model: type[Model]) -> Parameters | None:
    """Read the parameters of a request.

    Args:
        checks: takes the violations.
        request: has a `oneof parameters`, whose fields are named after models.
        model: the class that is asked.

    Returns:
        None where there are none, or where they are wrong.
    """
    name = request.WhichOneof("parameters")
    if name is None:
        return None
    if name != model.name or model.parameters_type is None:
        checks.add(name, f"these are parameters of another model than {model.name}")
        return None
    try:
        return model.parameters_type(**_values(getattr(request, name), name))
    except InvalidRequestError as error:
        checks.violations.extend(error.violations)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
            checks.add(name + path, problem["msg"].removeprefix("Value error, "))
    return None


def _values(message: Message, path: str) -> dict[str, Any]:
    """What a message says, as the twin of its type takes it; see `runtime.tasks.Parameters`."""
    values: dict[str, Any] = {}
    for descriptor in message.DESCRIPTOR.fields:
        if descriptor.has_presence and not message.HasField(descriptor.name):
            continue
        value, inside = getattr(message, descriptor.name), f"{path}.{descriptor.name}"
        if descriptor.is_repeated:
            if len(value) > MAX_REPEATED:
                raise InvalidRequestError.of_field(
                    inside, f"{len(value):,} are too many; at most {MAX_REPEATED:,} are taken"
                )
            values[descriptor.name] = [
                _value(descriptor, item, f"{inside}[{index}]") for index, item in enumerate(value)
            ]
        elif descriptor.enum_type is None or value != 0:
            values[descriptor.name] = _value(descriptor, value, inside)
    return values


def _value(descriptor: Any, value: Any, path: str) -> Any:
    if descriptor.enum_type is not None:
        return _enum_text(descriptor.enum_type, value)
    if isinstance(value, mask_pb2.Array):
        try:
            return wire.array_from_proto(value, ARRAY_LIMITS)
        except InvalidRequestError as error:
            raise InvalidRequestError.of_field(path, error.message) from error
    if isinstance(value, Message):
        return _values(value, path)
    return value


def _enum_text(enum: EnumDescriptor, number: int) -> str:
    """The name of an enum value; an unknown number stays a number, which no parameter accepts."""
    if number not in enum.values_by_number:
        return str(number)
    # Every zero value is named PREFIX_UNSPECIFIED, so it tells the prefix.
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(enum.values_by_number[number].name).removeprefix(prefix).lower()
