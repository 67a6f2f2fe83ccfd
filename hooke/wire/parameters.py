"""Values of the SDK that have the fields of a message, on their way to the wire."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from hooke.errors import InvalidRequestError
from hooke.v1 import mask_pb2
from hooke.wire.arrays import arrays_to_proto


def fill(message: Message, value: Any, path: str) -> None:
    """Fill a message from a dataclass whose fields are named as its own; it is then present in its parent.

    None and empty sequences are left out; enum values are texts in lower case without their prefix. A field
    with the metadata `{"within": "prompts"}` stands in the message's field `prompts`.

    Args:
        message: is filled.
        value: an instance of the dataclass.
        path: of the message in the request, for violations.

    Raises:
        InvalidRequestError: a value does not fit its field; the violation names it.
    """
    message.SetInParent()
    for each in dataclasses.fields(value):
        given = getattr(value, each.name)
        if given is None or (isinstance(given, list | tuple) and not given):
            continue
        within = each.metadata.get("within")
        target = message if within is None else getattr(message, within)
        field_path = f"{path}.{each.name}"
        try:
            _set(target, each.name, given, field_path)
        except (TypeError, ValueError) as error:
            raise InvalidRequestError.of_field(field_path, f"{given!r} does not fit: {error}") from error


def _set(target: Any, name: str, given: Any, path: str) -> None:
    field: FieldDescriptor = target.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:  # always of messages
        for index, item in enumerate(given):
            _fill_checked(getattr(target, name).add(), item, f"{path}[{index}]")
    elif field.enum_type is not None:
        setattr(target, name, _enum_number(field.enum_type, given, path))
    elif field.message_type is None:
        setattr(target, name, given)
    elif field.message_type is mask_pb2.Array.DESCRIPTOR:
        (array,) = arrays_to_proto({name: np.asarray(given, np.float32)})
        getattr(target, name).CopyFrom(array)
    else:
        _fill_checked(getattr(target, name), given, path)


def _fill_checked(message: Message, value: Any, path: str) -> None:
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"{type(value).__name__} is no {message.DESCRIPTOR.name}")
    fill(message, value, path)


def _enum_number(enum: EnumDescriptor, text: Any, path: str) -> int:
    # Every zero value is named PREFIX_UNSPECIFIED, so it tells the prefix.
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    numbers = {value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number}
    if text not in numbers:
        raise InvalidRequestError.of_field(path, f"{text!r} is unknown; known are {', '.join(numbers)}")
    return numbers[text]
