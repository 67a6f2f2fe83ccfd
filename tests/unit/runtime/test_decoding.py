"""Presets of decoding and what a request changes of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hooke.types import UsedParameter
from hooke.v1.conversation_pb2 import Decoding as DecodingMessage
from runtime.decoding import GREEDY, Decoding, Sampling

PAPER = Sampling(temperature=0.2, top_p=0.7)


def test_fields_are_those_of_the_wire() -> None:
    """What the wire can say is what the parameters take, field for field."""
    assert set(Decoding.model_fields) == set(DecodingMessage.DESCRIPTOR.fields_by_name)


def test_without_a_word_the_likeliest_token_is_taken() -> None:
    """Greedy is the default, and the preset of that name."""
    assert Decoding().sampling(PAPER) == GREEDY
    assert Decoding(decoding_preset="greedy").sampling(PAPER) == GREEDY


def test_a_preset_is_changed_in_single_points() -> None:
    """The preset says where to begin; a field that is set, zero included, goes before."""
    assert Decoding(decoding_preset="paper").sampling(PAPER) == PAPER
    assert Decoding(decoding_preset="paper", top_p=0.5).sampling(PAPER) == Sampling(0.2, 0.5)
    assert Decoding(decoding_preset="paper", temperature=0).sampling(PAPER) == Sampling(0.0, 0.7)


def test_it_says_what_was_used_and_who_chose_it() -> None:
    """Asked for or chosen, every value stands there; what the provider decides does not."""
    decoding = Decoding(decoding_preset="paper", top_p=0.5)
    assert decoding.used(decoding.sampling(PAPER)) == (
        UsedParameter("decoding_preset", "paper"),
        UsedParameter("temperature", 0.2, chosen_by_server=True),
        UsedParameter("top_p", 0.5),
    )
    assert Decoding().used(Sampling(None, None)) == (
        UsedParameter("decoding_preset", "greedy", chosen_by_server=True),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_output_token_count": 0},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"decoding_preset": "wild"},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    """The bounds are those of the wire's comments."""
    with pytest.raises(ValidationError):
        Decoding.model_validate(wrong)
