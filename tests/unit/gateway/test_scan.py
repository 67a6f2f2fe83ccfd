"""Reading the model's name without decoding the request."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.scan import text_field
from hooke.v1 import image_pb2, parameters_pb2
from hooke.v1 import inference_service_pb2 as pb

texts = st.text(max_size=200)


# The name is what a full decoder reads, whatever else the request holds.
@given(model=texts, encoded=st.binary(max_size=300), labels=st.lists(texts, max_size=20))
def test_it_agrees_with_a_full_decoder(model: str, encoded: bytes, labels: list[str]) -> None:
    request = pb.ClassifyRequest(model=model, image=image_pb2.Image(encoded=encoded), labels=labels)
    assert text_field(request.SerializeToString(), 1) == model


# Every kind of field is skipped: varints, fixed ones, groups of bytes.
def test_it_skips_every_kind_of_field() -> None:
    request = pb.CountRequest(
        expected_diameter_px=3.5,
        classical=parameters_pb2.ClassicalParameters(),
    )
    fixed32 = b"\xa5\x06\x01\x02\x03\x04"
    varint = b"\xa0\x06\xff\xff\xff\xff\x0f"
    name = pb.CountRequest(model="classical").SerializeToString()
    assert text_field(fixed32 + varint + request.SerializeToString() + name, 1) == "classical"


# Protobuf lets a field stand twice and the last one count; the gateway and the service must not disagree.
def test_the_last_occurrence_counts() -> None:
    twice = pb.CountRequest(model="a").SerializeToString() + pb.CountRequest(model="b").SerializeToString()
    assert text_field(twice, 1) == pb.CountRequest.FromString(twice).model == "b"


# Any bytes give a text: what is broken is the service's to refuse.
@given(st.binary(max_size=400))
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x0a\x05abc")
@example(b"\xff" * 30)
def test_no_bytes_are_too_broken(message: bytes) -> None:
    assert isinstance(text_field(message, 1), str)


# A name is the first field of an honest request. Of a dishonest one, only so much is read.
def test_a_flood_of_fields_is_not_read_to_its_end() -> None:
    name = pb.CountRequest(model="x").SerializeToString()
    flood = b"\xa0\x06\x01"
    assert text_field(flood * 999 + name, 1) == "x"
    assert text_field(flood * 1000 + name, 1) == ""
