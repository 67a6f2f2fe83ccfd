"""Models that start only where they are asked for, as real processes behind the gateway."""

from collections.abc import Iterator

import numpy as np
import pytest

import hooke
from deploy.supervisor import Stack
from hooke.types import ModelState
from tests.fakes.openai import KEY, TEXT, FakeOpenai
from tests.tiny.sam import write_checkpoint

pytestmark = [pytest.mark.e2e, pytest.mark.torch, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hooke.Client]:
    """A client of a stack with SAM, of tiny weights, and with both providers, one of which is a fake."""
    home = tmp_path_factory.mktemp("stack")
    write_checkpoint(home)
    key = home / "key"
    key.write_text(KEY)
    with FakeOpenai() as provider:
        variables = {
            "HOOKE_DATA_DIR": str(home),
            "HOOKE_WEIGHTS_DIR": str(home),
            "HOOKE_SAM_CHECKPOINT": "tiny.pth",
            "HOOKE_DEVICE": "cpu",
            "HOOKE_THREADS": "1",
            "HOOKE_OPENAI_API_KEY_FILE": str(key),
            "HOOKE_OPENAI_BASE_URL": f"{provider.address}/v1",
            "HOOKE_GEMINI_API_KEY_FILE": str(key),
        }
        with (
            Stack(home=home, profiles=["sam", "cloud"], variables=variables) as stack,
            hooke.Client(stack.address, timeout_s=60) as client,
        ):
            yield client


def picture() -> np.ndarray:
    """A bright disc on a dark ground."""
    rows, columns = np.mgrid[:96, :96]
    return np.where((rows - 48) ** 2 + (columns - 48) ** 2 < 400, 200, 20).astype(np.uint8)


# Every model is listed: those that run as ready, those that were not asked for with where they are missing.
def test_models(client: hooke.Client) -> None:
    models = {model.name: model for model in client.models()}
    ready = {name for name, model in models.items() if model.state is ModelState.READY}
    assert ready == {"classical", "sam", "openai", "gemini"}
    for name in ("cellpose", "llava"):
        assert models[name].state is ModelState.UNAVAILABLE
        assert "is its service started?" in models[name].state_message


# Each of them answers at the one address: masks from a model on PyTorch, words from a provider.
def test_answers(client: hooke.Client) -> None:
    image = picture()
    assert client.segment(image, model="sam").provenance.weights_digest
    assert client.ask(image, "What is this?", model="openai").text == TEXT
    with client.stream_ask(image, "What is this?", model="openai") as pieces:
        assert "".join(pieces) == TEXT
    assert client.count(image, model="classical").count == 1


# A model that does not run is an error that says so, soon.
def test_a_model_that_does_not_run(client: hooke.Client) -> None:
    with pytest.raises(hooke.errors.UpstreamFailedError, match="llava cannot be reached"):
        client.ask(picture(), "What is this?", model="llava", timeout_s=20)
