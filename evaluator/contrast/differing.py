"""What two runs did not have in common: code, models, data, questions and server, by their provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluator.contrast.reading import RunReport
from evaluator.contrast.records import ProvenanceDifference

_TOPICS = (
    ("code", ("code",)),
    ("models", ("models",)),
    ("data", ("datasets", "seeds")),
    ("questions", ("suite", "tasks")),
    ("server", ("gateway",)),
)
"""Topic -> keys of a run's provenance; what tells one run from another whatever it does is left out."""
ABSENT = "\N{EN DASH}"


def differences(
    first: RunReport, second: RunReport, both: Sequence[tuple[str, str]]
) -> tuple[ProvenanceDifference, ...]:
    """List what is not the same.

    Args:
        first: a run.
        second: another one.
        both: tasks and models that both have, whose prompts are compared.
    """
    found = []
    for topic, keys in _TOPICS:
        sides = [
            dict(leaf for key in keys for leaf in _leaves(key, report.summary.provenance.get(key)))
            for report in (first, second)
        ]
        for what in dict.fromkeys([*sides[0], *sides[1]]):
            values = [side.get(what, ABSENT) for side in sides]
            if values[0] != values[1]:
                found.append(ProvenanceDifference(topic, what, *values))
    for task, model in both:
        asked = [", ".join(report.prompts(task, model)) or ABSENT for report in (first, second)]
        if asked[0] != asked[1]:
            found.append(ProvenanceDifference("questions", f"prompt of {task}, {model}", *asked))
    return tuple(found)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every value below a name with the path that leads there."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif value is not None:
        yield name, str(value)
