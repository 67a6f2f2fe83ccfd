from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc

from hooke import Client
from hooke.cli import app
from hooke.v1 import evaluation_service_pb2_grpc as evaluation_grpc
from hooke.v1 import image_service_pb2_grpc as image_grpc
from hooke.v1 import inference_service_pb2_grpc as inference_grpc
from hooke.v1 import model_service_pb2_grpc as model_grpc
from tests.unit.hooke.command_line import Done, Hooke
from tests.unit.hooke.lab import BlockingAsyncClient, Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A server with every service, on a free port."""
    server = grpc.server(
        ThreadPoolExecutor(16), options=[("grpc.http2.min_ping_interval_without_data_ms", 10_000)]
    )
    servicer = Lab()
    for add in (
        inference_grpc.add_InferenceServiceServicer_to_server,
        image_grpc.add_ImageServiceServicer_to_server,
        model_grpc.add_ModelServiceServicer_to_server,
        evaluation_grpc.add_EvaluationServiceServicer_to_server,
        health_pb2_grpc.add_HealthServicer_to_server,
    ):
        add(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    servicer.hold.set()
    server.stop(0).wait()


@pytest.fixture(params=[Client, BlockingAsyncClient], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Open a client, of both kinds in turn; closed at the end."""
    opened: list[Any] = []

    def open_client(*args: Any, **kwargs: Any) -> Any:
        opened.append(request.param(*args, **kwargs))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()
        if isinstance(client, BlockingAsyncClient):
            client.end_loop()


@pytest.fixture
def client(connect: Callable[..., Any], lab: Lab) -> Any:
    """A client of the lab, of both kinds in turn."""
    return connect(lab.address)


@pytest.fixture
def hooke(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Hooke:
    """Run `hooke` against the lab, in an empty folder."""
    monkeypatch.setenv("HOOKE_ADDRESS", lab.address)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        with pytest.raises(SystemExit) as caught:
            app([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        streams = capsys.readouterr()
        assert "Traceback" not in streams.err
        return Done(caught.value.code, streams.out, streams.err)

    return run
