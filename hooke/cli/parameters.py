"""The parameters of models, `--set MODEL.NAME=VALUE`, and what a model had no use for.

The names are those of the classes in `hooke.parameters`, so a new parameter needs nothing here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from hooke import (
    CellposeParameters,
    ClassicalParameters,
    GeminiParameters,
    LlavaParameters,
    OpenaiParameters,
    SamParameters,
)
from hooke.cli.session import Session
from hooke.parameters import ModelParameters
from hooke.types import Provenance

ParametersT = TypeVar("ParametersT", bound=ModelParameters)

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="MODEL.NAME=VALUE",
        help="A parameter of a model, for example cellpose.flow_threshold=0.6; may be repeated.",
    ),
]

OF_OBJECTS: Mapping[str, type[ClassicalParameters | SamParameters | CellposeParameters]] = {
    "classical": ClassicalParameters,
    "sam": SamParameters,
    "cellpose": CellposeParameters,
}
OF_WORDS: Mapping[str, type[LlavaParameters | OpenaiParameters | GeminiParameters]] = {
    "llava": LlavaParameters,
    "openai": OpenaiParameters,
    "gemini": GeminiParameters,
}
OF_ALL: Mapping[str, type[ModelParameters]] = {**OF_OBJECTS, **OF_WORDS}

_OPTION = "--set"
_OPTION_OF = {
    "expected_diameter_px": "--diameter-px",
    "expected_diameter_um": "--diameter-um",
    "prompt.version": "--prompt-version",
    "prompt.modality": "--modality",
    "prompt.object_name": "--objects",
    "prompt.context": "--context",
}
"""Field of a request -> what sets it."""


def with_settings(
    parameters: ParametersT | None,
    settings: Iterable[str] | None,
    model: str,
    kinds: Mapping[str, type[ParametersT]],
) -> ParametersT | None:
    """Return the parameters with what `--set` says.

    Args:
        parameters: what other options say; None: nothing.
        settings: each of the form MODEL.NAME=VALUE.
        model: that is asked; empty: the one that the settings are for.
        kinds: the parameters that may be set, by their model.

    Raises:
        typer.BadParameter: a setting is not of that form, of another model, unknown, or there twice.
    """
    for setting in settings or ():
        path, equals, text = setting.partition("=")
        owner, dot, name = path.partition(".")
        if not (equals and dot):
            raise typer.BadParameter(f"{setting!r} is not of the form MODEL.NAME=VALUE.", param_hint=_OPTION)
        if owner not in kinds:
            raise typer.BadParameter(
                f"{owner!r} is no model with parameters for this; there are {', '.join(kinds)}.",
                param_hint=_OPTION,
            )
        if parameters is None:
            parameters = kinds[owner]()
        asked = model or name_of(parameters)
        if owner != asked or not isinstance(parameters, kinds[owner]):
            raise typer.BadParameter(f"{path} is not for {asked}, which is asked.", param_hint=_OPTION)
        readers = _readers(kinds[owner])
        if name not in readers:
            raise typer.BadParameter(
                f"{owner} has no parameter {name!r}; it has {', '.join(readers)}.", param_hint=_OPTION
            )
        try:
            value = readers[name](text)
        except ValueError as error:
            raise typer.BadParameter(f"{setting!r}: {text!r} is {error}.", param_hint=_OPTION) from error
        parameters = _replaced(parameters, name.split("."), value)
    return parameters


def name_of(parameters: ModelParameters | None) -> str:
    """Return the model whose parameters these are; empty: the server's choice."""
    return next((name for name, kind in OF_ALL.items() if isinstance(parameters, kind)), "")


def say_unused(session: Session, provenances: Sequence[Provenance]) -> None:
    """Say what was asked for that a model has no use for, one line for each model."""
    for model, unused in dict.fromkeys((each.model, each.unused_fields) for each in provenances):
        if unused:
            options = ", ".join(_OPTION_OF.get(path, path) for path in unused)
            session.say(f"{model} has no use for {options}, which changed nothing.", "yellow")


def _readers(kind: type[Any]) -> dict[str, Callable[[str], object]]:
    """Name -> what reads its value, of everything that is a number, a text or a switch."""
    readers: dict[str, Callable[[str], object]] = {}
    for name, hint in get_type_hints(kind).items():
        (core, *_others) = [each for each in get_args(hint) or (hint,) if each is not NoneType]
        if core in _READERS:
            readers[name] = _READERS[core]
        elif dataclasses.is_dataclass(core) and isinstance(core, type):
            readers |= {f"{name}.{inner}": reader for inner, reader in _readers(core).items()}
    return readers


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text == "true"


def _number(kind: type[int | float], words: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"no {words}") from None

    return read


_READERS: Mapping[Any, Callable[[str], object]] = {
    bool: _switch,
    int: _number(int, "whole number"),
    float: _number(float, "number"),
    str: str,
}


def _replaced(parameters: Any, path: Sequence[str], value: object) -> Any:
    """The same parameters with one more value, which may stand in a message of theirs."""
    name, *rest = path
    present = getattr(parameters, name)
    if rest:
        (kind,) = [each for each in get_args(get_type_hints(type(parameters))[name]) if each is not NoneType]
        return dataclasses.replace(parameters, **{name: _replaced(present or kind(), rest, value)})
    if present not in (None, ""):
        raise typer.BadParameter(f"{name} is set twice.", param_hint=_OPTION)
    return dataclasses.replace(parameters, **{name: value})
