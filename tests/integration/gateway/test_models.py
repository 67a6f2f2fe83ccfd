"""ModelService of the gateway: every model behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from gateway.upstream import Health
from hooke import errors
from hooke.status import error_from
from hooke.v1 import model_service_pb2 as pb
from hooke.v1 import model_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeModel, serving
from runtime.service import ModelService
from tests.integration.gateway.stage import Stage, gateway


class OtherModel(FakeModel):
    """A second model."""

    name = "other"


@asynccontextmanager
async def three_models() -> AsyncIterator[tuple[Stage, ModelService, AsyncExitStack]]:
    """Two models that serve, the first of which may be stopped, and one that was never there."""
    async with AsyncExitStack() as stopping, serving(OtherModel) as staying:
        leaving = await stopping.enter_async_context(serving(FakeModel))
        models = {
            "fake": f"127.0.0.1:{leaving.server.port}",
            "other": f"127.0.0.1:{staying.server.port}",
            "absent": "127.0.0.1:1",
        }
        async with gateway(models, wait=False) as stage:
            await stage.until(models["fake"], Health.SERVING)
            await stage.until(models["other"], Health.SERVING)
            await stage.until(models["absent"], Health.UNREACHABLE)
            yield stage, leaving, stopping


async def _listed(stage: Stage, **fields: object) -> pb.ListModelsResponse:
    answer: pb.ListModelsResponse = await pb_grpc.ModelServiceStub(stage.channel).ListModels(
        pb.ListModelsRequest(**fields),  # type: ignore[arg-type]
        timeout=20,
    )
    return answer


async def test_models_are_merged_by_name() -> None:
    """Each model as its own service describes it; one that was never seen only by its name."""
    async with three_models() as (stage, leaving, _):
        models = (await _listed(stage)).models
        assert [model.name for model in models] == ["absent", "fake", "other"]
        assert [model.state for model in models] == [
            pb.MODEL_STATE_UNAVAILABLE,
            pb.MODEL_STATE_READY,
            pb.MODEL_STATE_READY,
        ]
        assert not models[0].tasks
        assert models[0].state_message == "cannot be reached at 127.0.0.1:1; is its service started?"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{leaving.server.port}") as channel:
            own = await pb_grpc.ModelServiceStub(channel).GetModel(
                pb.GetModelRequest(model="fake"), timeout=20
            )
        assert models[1] == own.model
        got = await pb_grpc.ModelServiceStub(stage.channel).GetModel(
            pb.GetModelRequest(model="fake"), timeout=20
        )
        assert got.model == own.model


async def test_a_dead_service_keeps_its_description() -> None:
    """A lab still sees what the model was, and that it is away."""
    async with three_models() as (stage, leaving, stopping):
        address = f"127.0.0.1:{leaving.server.port}"
        await stopping.aclose()
        await stage.until(address, Health.UNREACHABLE)
        model = {model.name: model for model in (await _listed(stage)).models}["fake"]
        assert model.state == pb.MODEL_STATE_UNAVAILABLE
        assert model.description == "A fake for tests."
        assert model.state_message == f"cannot be reached at {address}; is its service started?"


async def test_how_an_absent_service_is_started() -> None:
    """Where a profile starts the service of a model, its absence says how; else nobody is sent astray."""
    async with gateway({"sam": "127.0.0.1:1", "own": "127.0.0.1:1"}, wait=False) as stage:
        await stage.until("127.0.0.1:1", Health.UNREACHABLE)
        own, sam = (await _listed(stage)).models
        assert own.state_message == "cannot be reached at 127.0.0.1:1; is its service started?"
        assert sam.state_message == f"{own.state_message} For example: `make up PROFILES=sam`"


async def test_a_loading_service_is_loading() -> None:
    """A service that is there but has not loaded is told apart from one that is away."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(serving(FakeModel))
        await service.server.set_serving(False)
        address = f"127.0.0.1:{service.server.port}"
        async with gateway({"fake": address}, wait=False) as stage:
            await stage.until(address, Health.NOT_SERVING)
            (model,) = (await _listed(stage)).models
            assert model.state == pb.MODEL_STATE_LOADING
            assert "loading" in model.state_message
            await service.server.set_serving(True)
            await stage.until(address, Health.SERVING)
            assert (await _listed(stage)).models[0].state == pb.MODEL_STATE_READY


async def test_a_service_of_another_model() -> None:
    """A route that leads to a service without that model is seen in the list, not only when it is used."""
    async with serving(OtherModel) as service, gateway({"fake": f"127.0.0.1:{service.server.port}"}) as stage:
        (model,) = (await _listed(stage)).models
        assert model.state == pb.MODEL_STATE_UNAVAILABLE
        assert "says nothing of this model" in model.state_message


async def test_lists_are_paged() -> None:
    """Page by page, every model comes once."""
    async with three_models() as (stage, _leaving, _):
        names, token = [], ""
        for _ in range(3):
            page = await _listed(stage, page_size=1, page_token=token)
            names += [model.name for model in page.models]
            token = page.next_page_token
        assert names == ["absent", "fake", "other"]
        assert token == ""


@pytest.mark.parametrize(
    ("name", "error"), [("", errors.InvalidRequestError), ("no", errors.UnknownModelError)]
)
async def test_a_model_that_is_not_there(name: str, error: type[errors.HookeError]) -> None:
    """No name is a fault of the request, a wrong one is an unknown model."""
    async with three_models() as (stage, _leaving, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.ModelServiceStub(stage.channel).GetModel(pb.GetModelRequest(model=name), timeout=20)
        assert type(error_from(failed.value)) is error
