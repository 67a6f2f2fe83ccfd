"""Numbers with units."""

from __future__ import annotations

import pytest

from evaluator.metrics.answers import Tolerance
from evaluator.metrics.quantities import parse_unit, score_quantity
from hooke.types import SampleOutcome

TEN_PERCENT = Tolerance(relative=0.1)


def note(text, truth=5, unit="µm", tolerance=TEN_PERCENT):
    found = score_quantity(truth, unit, text, tolerance, name="diameter", objects="particles")
    return found.note if found.outcome is SampleOutcome.SCORED else str(found.outcome)


# Any unit of a length will do, in any spelling, in the sentences that models write.
@pytest.mark.parametrize(
    "text",
    [
        "5 µm",
        "5 μm",
        "5um",
        "5.2 microns",
        "5000 nm",
        "4,900 nanometres",
        "0.005 mm",
        "5e-6 m",
        "5 \u00d7 10⁻⁶ m",
        "5 x 10^-6 m",
        "50000 Å",
        "five micrometers",
        "about 5 µm",
        "~5 µm",
        "5 ± 1 µm",
        "5 MICROMETERS",
        "5 µm in diameter",
        "It is 5 µm wide.",
        "The diameter is about 5 µm.",
        "Diameter: 5 µm",
        "The diameter of the particle is 5 µm",
        "**Answer:** 5 µm\nThe particle is round.",
    ],
)
def test_right(text):
    assert note(text) == "right"


# What is wrong is named: the unit, its absence, a factor of 1000, or the number.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", "unit missing"),
        ("7", "wrong number"),
        ("5 kg", "wrong unit"),
        ("5 inches", "wrong unit"),
        ("5 µm²", "wrong unit"),
        ("5 px", "wrong unit"),
        ("5 pixels", "wrong unit"),
        ("5 mm", "off by 10^3"),
        ("5000 µm", "off by 10^3"),
        ("5.3 nm", "off by 10^-3"),
        ("5 m", "off by 10^6"),
        ("5 cm", "wrong unit"),
        ("50 µm", "wrong number"),
        ("7 µm", "wrong number"),
        ("7 mm", "wrong number"),
        ("-5 µm", "wrong number"),
        ("0 µm", "wrong number"),
    ],
)
def test_faults(text, expected):
    found = score_quantity(5, "µm", text, TEN_PERCENT)
    assert found.note == expected
    assert not found.correct
    assert found.metrics["unit_error"] == (expected != "wrong number")


# What is no number with a unit and nothing else is not read.
@pytest.mark.parametrize(
    "text",
    [
        "5 flurbs",
        "5-6 µm",
        "5 to 6 µm",
        "more than 5 µm",
        "5 x 3 µm",
        "5 thousand nm",
        "5,2 µm",
        "5 µm or 6 µm",
        "The scale bar is 5 µm.",
        "Scale bar: 5 µm",
        "5 of the particles",
        "5 µm and 7 µm",
        "Diameter: 5 µm\nOr 6.",
        "",
        "5 9**9**9",
        "µm",
    ],
)
def test_unparsed(text):
    assert note(text) == "unparsed"


# How far off an answer is, is told in the unit of the truth; what cannot be compared is as far off as 0.
@pytest.mark.parametrize(
    ("text", "expected"),
    [("5 µm", 0), ("6000 nm", 0.2), ("5 mm", 999), ("5", 1), ("5 kg", 1), ("-5 µm", 2), ("0 nm", 1)],
)
def test_relative_error(text, expected):
    metrics = score_quantity(5, "µm", text).metrics
    assert metrics["relative_error"] == pytest.approx(expected)


# Temperatures have a zero of their own, and are converted with it.
def test_temperatures():
    assert note("298.15 K", truth=25, unit="°C", tolerance=Tolerance()) == "right"
    assert note("25 K", truth=25, unit="°C") == "wrong unit"


# Where the truth is 0 only 0 is right, and nothing is off by a factor.
def test_truth_of_zero():
    assert [note(text, truth=0) for text in ("0 mm", "0", "3 mm")] == [
        "right",
        "unit missing",
        "wrong number",
    ]
    assert "relative_error" not in score_quantity(0, "µm", "0 µm").metrics


# Who cannot tell has abstained.
def test_abstained():
    assert note("I cannot determine the diameter.") == note("NaN") == note("Diameter: unknown") == "abstained"


# Units are read as people and models write them.
@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("um2", "µm**2"),
        ("µm²", "um^2"),
        ("square micrometres", "µm^2"),
        ("micrometers squared", "µm²"),
        ("sq. µm", "µm²"),
        ("cubic mm", "mm³"),
        ("m/s", "m per s"),
        ("m s^-1", "m·s⁻¹"),
        ("kg m/s^2", "kg*m/s²"),
        ("px", "pixels"),
        ("microns", "µm"),
        ("%", "percent"),
    ],
)
def test_units(text, same):
    first, second = parse_unit(text), parse_unit(same)
    assert first is not None
    assert (1 * first).to(second).magnitude == pytest.approx(1)


# What is no product of a few units never reaches the library's parser.
@pytest.mark.parametrize(
    "text", ["", " ", "9**9**9", "m**99", "flurb", "a b c d e", "m//s", "/s", "µm,", "(m)", "m s flurb"]
)
def test_no_units(text):
    assert parse_unit(text) is None


# A truth with something that is no unit is a mistake of who wrote it.
def test_truth_without_a_unit():
    with pytest.raises(ValueError, match="flurb"):
        score_quantity(5, "flurb", "5 µm")
