"""Reads `routes.yaml`: which models there are, where each is served, and which one is the default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from runtime.settings import PREFIX, SettingsError

EVALUATOR = "evaluator"
"""Name under which the evaluator's addresses can be replaced; no model may have it."""

DNS = "dns:///"
"""Before the host: every address that this name has is a replica."""

_ADDRESS = re.compile(rf"(\[[0-9A-Fa-f:.]+\]|({DNS})?[A-Za-z0-9._-]+):[0-9]{{1,5}}")


def _checked(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is neither host:port nor {DNS}host:port")
    return address


Address = Annotated[str, AfterValidator(_checked)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _not_none(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("at least one address is needed")
    return addresses


Addresses = Annotated[tuple[Address, ...], BeforeValidator(_several), AfterValidator(_not_none)]
"""One or several replicas, each as host:port; dns:///host:port stands for as many as the name has."""


class Routes(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_model: ModelName
    """The model of requests that name none; one of `models`."""
    models: Annotated[Mapping[ModelName, Addresses], Field(min_length=1)]
    """Name of a model -> its replicas."""
    evaluator: Addresses | None = None
    """Where EvaluationService is served; None: nowhere."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if EVALUATOR in self.models:
            raise ValueError(f"models: {EVALUATOR!r} is the evaluator's name; no model may have it")
        if self.default_model not in self.models:
            raise ValueError(f"default_model: {self.default_model!r} is none of the models")
        return self

    def replaced(self, addresses: Mapping[str, Addresses]) -> Routes:
        """The same routes with other addresses.

        Raises:
            SettingsError: a name is neither a model nor `evaluator`.
        """
        unknown = sorted(addresses.keys() - self.models.keys() - {EVALUATOR})
        if unknown:
            raise SettingsError(f"{PREFIX}GATEWAY_ADDRESSES: there is no route for {', '.join(unknown)}")
        models = {name: addresses.get(name, own) for name, own in self.models.items()}
        evaluator = addresses.get(EVALUATOR, self.evaluator)
        return Routes(default_model=self.default_model, models=models, evaluator=evaluator)


def read_routes(path: Path) -> Routes:
    """Read a routes file.

    Raises:
        SettingsError: it cannot be read, or is wrong; one line for each fault, with line and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_keys(root)
        return Routes.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise SettingsError(f"{PREFIX}GATEWAY_ROUTES: {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False):
            where, text = fault["loc"], fault["msg"].removeprefix("Value error, ")
            faults.append(f"{path}:{_line_of(root, where)}: {_field(where)}{text}")
        raise SettingsError("\n".join(faults)) from None


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that stands twice, of which YAML would quietly take the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                problem=f"{key.value!r} stands here twice", problem_mark=key.start_mark
            )
        seen.add(key.value)
        _check_keys(value)


def _line_of(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """Line, from 1, of the deepest node on the way to a location."""
    line = node.start_mark.line if node is not None else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1


def _field(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location if part != "[key]") + ": " if location else ""
