"""A server process from its start to SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hooke import errors, status
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from tests.raw_images import raw_image

SCRIPT = Path(__file__).with_name("process_fake.py")
ROOT = Path(__file__).parents[3]
STATES = health_pb2.HealthCheckResponse


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(
    compute_s: float = 0.0, load_s: float = 0.0, **environment: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, grpc.aio.Channel]]:
    """The fake service as a process, and a channel to it; killed at the end if it still runs."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        str(compute_s),
        str(load_s),
        cwd=ROOT,
        env={**os.environ, "HOOKE_PORT": str(port), "PYTHONPATH": str(ROOT), **environment},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    # Failed connection attempts must not be followed by gRPC's long back-off.
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            yield child, channel
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def until(channel: grpc.aio.Channel, wanted: Sequence[object]) -> None:
    """Wait until health is one of the wanted states."""
    stub = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(60):
        watch = stub.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        async for answer in watch:
            if answer.status in wanted:
                watch.cancel()
                return


async def test_sigterm_while_loading_ends_the_process() -> None:
    """A model that takes minutes to load cannot hold up the end; the port says NOT_SERVING meanwhile."""
    async with process(load_s=300) as (child, channel):
        await until(channel, [STATES.NOT_SERVING])
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()))
        assert isinstance(status.error_from(failed.value), errors.ModelLoadingError)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 30) == 0


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_sigterm_loses_no_request(workers: str) -> None:
    """What was accepted is answered, what comes later is refused by type, and the exit code is 0."""
    async with process(
        compute_s=0.1, HOOKE_DRAIN_DELAY_S="0.5", HOOKE_MAX_BATCH_SIZE="1", HOOKE_WORKERS=workers
    ) as (child, channel):
        await until(channel, [STATES.SERVING])
        stub = pb_grpc.InferenceServiceStub(channel)
        calls = [stub.Segment(pb.SegmentRequest(image=raw_image(8 + n)), timeout=60) for n in range(12)]
        await calls[0]
        child.send_signal(signal.SIGTERM)
        await until(channel, [STATES.NOT_SERVING])
        # Still taken: load balancers need the drain delay to notice.
        calls.append(stub.Segment(pb.SegmentRequest(image=raw_image(30)), timeout=60))
        answers = await asyncio.gather(*calls)
        assert [len(answer.instances) for answer in answers] == [1] * 13
        assert await asyncio.wait_for(child.wait(), 30) == 0


async def test_sigterm_to_the_whole_group_loses_no_request() -> None:
    """Service managers signal worker processes too; these go on until the server is done with them."""
    async with process(compute_s=0.5, HOOKE_WORKERS="2") as (child, channel):
        await until(channel, [STATES.SERVING])
        stub = pb_grpc.InferenceServiceStub(channel)
        calls = [stub.Segment(pb.SegmentRequest(image=raw_image(8 + n)), timeout=60) for n in range(4)]
        await calls[0]
        os.killpg(child.pid, signal.SIGTERM)
        answers = await asyncio.gather(*calls)
        assert [len(answer.instances) for answer in answers] == [1] * 4
        assert await asyncio.wait_for(child.wait(), 30) == 0


async def test_new_work_is_refused_while_the_rest_is_finished() -> None:
    """After the drain delay a new call gets DRAINING with a delay, one in flight gets its answer."""
    async with process(compute_s=2.0) as (child, channel):
        await until(channel, [STATES.SERVING])
        stub = pb_grpc.InferenceServiceStub(channel)
        accepted = asyncio.ensure_future(stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=60))
        await asyncio.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        await until(channel, [STATES.NOT_SERVING])
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Segment(pb.SegmentRequest(image=raw_image(9)), timeout=60)
        error = status.error_from(failed.value)
        assert isinstance(error, errors.DrainingError)
        assert error.retry_after_s
        assert (await accepted).instances
        assert await asyncio.wait_for(child.wait(), 30) == 0


async def test_the_grace_period_is_bounded() -> None:
    """A request that takes longer is cancelled, and the process still ends well."""
    async with process(compute_s=60, HOOKE_GRACE_S="0.5") as (child, channel):
        await until(channel, [STATES.SERVING])
        call = pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()), timeout=60)
        await asyncio.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        assert await asyncio.wait_for(child.wait(), 30) == 0


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HOOKE_PORT", "99999", "less than or equal to 65535"),
        ("HOOKE_GRACE_S", "soon", "valid number"),
        ("HOOKE_TLS_KEY_FILE", "/nowhere", "HOOKE_TLS_CERTIFICATE_FILE"),
        ("HOOKE_HOST", "256.1.1.1", "cannot listen"),
    ],
)
async def test_a_wrong_setting_is_named(variable: str, value: str, words: str) -> None:
    """The process ends before it serves, with one line that names the variable."""
    async with process(**{variable: value}) as (child, _channel):
        _, complaint = await asyncio.wait_for(child.communicate(), 60)
        assert child.returncode == 2
        assert variable in complaint.decode()
        assert words in complaint.decode()
        assert "Traceback" not in complaint.decode()
