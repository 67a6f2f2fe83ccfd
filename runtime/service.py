"""A model service: the composition root that every folder under `services/` shares."""

from __future__ import annotations

import argparse
import functools
from importlib.util import find_spec
from typing import TypeVar

from hooke.v1 import image_service_pb2_grpc, inference_service_pb2_grpc, model_service_pb2_grpc
from runtime import image_servicer, inference_servicer, model_servicer
from runtime.hosting import HostedModel
from runtime.image_store import ImageStore
from runtime.metrics import Metrics
from runtime.server import Server, main, run
from runtime.settings import ModelServerSettings, SettingsError
from runtime.tasks import Model
from runtime.workers import ModelFactory

SettingsT = TypeVar("SettingsT", bound=ModelServerSettings)


class ModelService:
    """One model on one server, with the services that every model service answers.

    Args:
        kind: class of the model.
        factory: builds it, unloaded.
        settings: validated settings.
    """

    def __init__(self, kind: type[Model], factory: ModelFactory, settings: ModelServerSettings) -> None:
        self.metrics = Metrics()
        self.model = HostedModel(kind, factory, settings, self.metrics)
        self.images = ImageStore(settings.image_store_bytes)
        self.server = Server(settings, kind.name, self.metrics)
        add_inference = inference_service_pb2_grpc.add_InferenceServiceServicer_to_server
        add_images = image_service_pb2_grpc.add_ImageServiceServicer_to_server
        add_models = model_service_pb2_grpc.add_ModelServiceServicer_to_server
        self._inference = inference_servicer.InferenceServicer(
            self.model, self.images, settings, self.metrics
        )
        images = image_servicer.ImageServicer(self.images, settings.max_image_bytes)
        models = model_servicer.ModelServicer(self.model)
        self.server.add(inference_servicer.NAME, functools.partial(add_inference, self._inference))
        self.server.add(image_servicer.NAME, functools.partial(add_images, images))
        self.server.add(model_servicer.NAME, functools.partial(add_models, models))

    async def run(self) -> None:
        """Serve until SIGTERM."""
        await run(self.server, self.model.load, self.close)

    async def close(self) -> None:
        """Close the model and end the threads."""
        self._inference.close()
        await self.model.close()


class NotInstalledError(SettingsError):
    """A library that a model needs is missing; says what to install.

    Args:
        kind: class of the model, whose extra has its name.
        library: the module that is not there; None: unknown.
    """

    heading = "a library is missing"

    def __init__(self, kind: type[Model], library: str | None) -> None:
        super().__init__(
            f"{kind.name} needs {library}, which is not installed; the extra '{kind.name}' brings it. In the "
            f"folder of Hooke:\n"
            f"  pip install --constraint constraints/base.txt --editable '.[{kind.name}]'"
        )


def serve_model(kind: type[Model], settings_type: type[SettingsT]) -> None:
    """Be the process of one model service, whose command line takes nothing but `--help`.

    Exits with 2 if a library of the model is not installed.

    Args:
        kind: class of the model, which is built from the settings.
        settings_type: what its settings are made of.
    """
    argparse.ArgumentParser(
        prog=f"python -m services.{kind.name}",
        description=f"Serve the model {kind.name} by gRPC until SIGTERM.",
        epilog="Settings are environment variables HOOKE_...: docs/settings.md lists them.",
    ).parse_args()

    async def serve(settings: SettingsT) -> None:
        # First of all: whoever lacks a library would fetch gigabytes of weights before hearing of it.
        for library in kind.libraries:
            if find_spec(library) is None:
                raise NotInstalledError(kind, library)
        try:
            await ModelService(kind, functools.partial(kind.from_settings, settings), settings).run()
        except ModuleNotFoundError as error:
            raise NotInstalledError(kind, error.name) from error

    main(settings_type, serve)
