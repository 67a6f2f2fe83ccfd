"""Checks of a request: every violation is named, and a caller learns of all faults at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hooke.errors import FieldViolation, InvalidRequestError

T = TypeVar("T")


@dataclass(slots=True)
class Checks:
    """Collects violations, so that a caller learns of all faults at once."""

    violations: list[FieldViolation] = field(default_factory=list)

    def add(self, name: str, description: str) -> None:
        """Note that a field is wrong."""
        self.violations.append(FieldViolation(name, description))

    def attempt(self, convert: Callable[[], T], otherwise: T) -> T:
        """Convert a field, noting what the conversion objects to."""
        try:
            return convert()
        except InvalidRequestError as error:
            self.violations.extend(error.violations)
            return otherwise

    def finish(self) -> None:
        """Raise InvalidRequestError if anything was noted."""
        if self.violations:
            text = "; ".join(f"{found.field}: {found.description}" for found in self.violations)
            raise InvalidRequestError(text, violations=self.violations)
