"""Numbers with units: the right number with the wrong unit is told apart, a factor of 1000 is named."""

from __future__ import annotations

import functools
import math
import re

import pint
from pint.facets.plain import PlainUnit

from evaluator.metrics.answers import EXACT, STOP, AnswerScore, Tolerance, unanswered
from evaluator.metrics.reading import NumberReading, read_quantity
from hooke.types import FinishReason, SampleOutcome
from runtime.prompting.reading import Reading

UNIT_MISSING = "unit missing"
WRONG_UNIT = "wrong unit"
WRONG_NUMBER = "wrong number"
RIGHT = "right"
MOST_DECADES = 12
"""A number that is off by more is no slip of a prefix."""

_POWER = r"(?:(?:\^|\*\*)?(?P<power>-?[1-4])|(?P<raised>⁻?[¹²³⁴]))?"
_FACTOR = re.compile(
    rf"(?P<operator> ?[·*/] ?| per | )?(?P<before>square |sq\.? |cubic )?"
    rf"(?P<unit>°[CF]?|%|[A-Za-z\u00b5\u03bc\u00c5\u03a9]+){_POWER}(?P<behind> squared| cubed)?"
)
_IN_WORDS = {"square": 2, "sq": 2, "sq.": 2, "squared": 2, "cubic": 3, "cubed": 3}
_RAISED = str.maketrans("⁻¹²³⁴", "-1234")


def score_quantity(
    truth: float,
    unit: str,
    text: str,
    tolerance: Tolerance = EXACT,
    *,
    name: str = "",
    objects: str = "",
    finish: FinishReason = STOP,
) -> AnswerScore:
    """Score a number with a unit; any unit of the same dimension will do.

    The note of an answer is "right", or says what is wrong: "unit missing" or "wrong unit" where the number
    is that of the truth, "off by 10^3" (or another power of 1000) where the value would be right but for
    that, else "wrong number". What cannot be compared, for its unit is missing or of another dimension, is as
    far off as the answer 0: a `relative_error` of 1.

    Args:
        truth: the right number.
        unit: its unit.
        text: all that the model wrote.
        tolerance: how far off is still right.
        name: what was to be told, for example "diameter"; an answer may call it so.
        objects: what has it, in the plural; an answer may name them.
        finish: why the text ends there.

    Raises:
        ValueError: `unit` is none.
    """
    wanted = parse_unit(unit)
    if wanted is None:
        raise ValueError(f"{unit!r} is no unit")
    reading = read_quantity(text, finish, name=name, objects=objects)
    if not isinstance(reading, NumberReading):
        return unanswered(reading)
    given = parse_unit(reading.unit) if reading.unit else None
    if reading.unit and given is None:
        return unanswered(Reading.unparsed(f"{reading.unit!r} behind the number is no unit"))
    value = None if given is None else _converted(reading.value, given, wanted)
    fault = _fault(reading, value, truth, tolerance)
    metrics = {
        "correct": float(fault == RIGHT),
        "within_tolerance": float(fault == RIGHT),
        "unit_error": float(fault not in {RIGHT, WRONG_NUMBER}),
    }
    if truth:
        metrics["relative_error"] = 1.0 if value is None else abs(value - truth) / abs(truth)
    answer = f"{reading.value:g} {reading.unit}".rstrip()
    return AnswerScore(SampleOutcome.SCORED, metrics, answer=answer, note=fault)


def parse_unit(text: str) -> PlainUnit | None:
    """The unit that a text names, as "µm", "um^2", "square micrometres", "m/s" or "°C"; None: none.

    Only what looks like a product of at most four units reaches the parser of the library.
    """
    product: list[PlainUnit] = []
    place = 0
    while place < len(text):
        factor = _FACTOR.match(text, place)
        if factor is None or bool(factor["operator"]) == (place == 0) or len(product) == 4:
            return None
        place = factor.end()
        single = _single(factor["unit"])
        if single is None:
            return None
        power = int(factor["power"] or (factor["raised"] or "1").translate(_RAISED))
        power *= _IN_WORDS.get((factor["before"] or factor["behind"] or "").strip(), 1)
        divided = (factor["operator"] or "").strip() in {"/", "per"}
        product.append(single ** (-power if divided else power))
    return functools.reduce(lambda all_of, one: all_of * one, product) if product else None


def _single(name: str) -> PlainUnit | None:
    """One unit by its name; long names also in upper case."""
    for spelt in (name, name.lower()) if len(name) > 3 else (name,):
        try:
            return _registry().Unit(spelt)
        except (pint.UndefinedUnitError, ValueError):
            continue  # a ValueError is for what the library takes for a number, such as "nan"
    return None


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    # In the library "px" is a length, 1/96 of an inch: an answer in pixels would turn into micrometres.
    registry.define("@alias pixel = px")
    return registry


def _converted(value: float, given: PlainUnit, wanted: PlainUnit) -> float | None:
    """A value in another unit; None where the dimensions differ."""
    try:
        return float(_registry().Quantity(value, given).to(wanted).magnitude)
    except (pint.DimensionalityError, pint.OffsetUnitCalculusError):
        return None


def _fault(reading: NumberReading, value: float | None, truth: float, tolerance: Tolerance) -> str:
    """What is wrong with an answer; `value` is it in the unit of the truth."""
    if value is not None and tolerance.allows(value, truth):
        return RIGHT
    if value is not None and value * truth > 0:
        decades = 3 * round(math.log10(value / truth) / 3)
        if 0 < abs(decades) <= MOST_DECADES and tolerance.allows(value / 10.0**decades, truth):
            return f"off by 10^{decades}"
    if tolerance.allows(reading.value, truth):
        return WRONG_UNIT if reading.unit else UNIT_MISSING
    return WRONG_NUMBER
