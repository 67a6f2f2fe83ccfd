"""The health check of containers, by its command and with the settings of the server that it asks."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.health import OwnTls
from deploy.supervisor import COMPOSE_FILE
from runtime.fakes import serving
from runtime.settings import ServerSettings
from tests.identities import Identity, identity


async def exit_code(port: int, **environment: Path) -> int:
    """Of the command that a container's health check runs."""
    names = {f"HOOKE_{name.upper()}": str(value) for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.health", f"127.0.0.1:{port}"),
        cwd=COMPOSE_FILE.parent,
        env={**os.environ, **names},
    )
    return await process.wait()


@pytest.fixture
def own(tmp_path: Path) -> Identity:
    """A certificate for the name of a service, which is none of the address that is asked."""
    return identity(tmp_path, "own", host="classical")


# Without TLS the settings say nothing of it, and nothing is needed.
async def test_plain() -> None:
    async with serving() as service:
        assert await exit_code(service.server.port) == 0
        await service.server.set_serving(False)
        assert await exit_code(service.server.port) == 1


# With TLS, and where clients must show a certificate, the settings of the server itself are enough.
@pytest.mark.parametrize("mutual", [False, True])
async def test_tls(own: Identity, tmp_path: Path, mutual: bool) -> None:
    files = {"tls_certificate_file": own.certificate, "tls_key_file": own.key}
    authorities = {"tls_client_ca_file": own.certificate} if mutual else {}
    stranger = identity(tmp_path, "stranger", host="classical")
    async with serving(**files, **authorities) as service:
        port = service.server.port
        assert await exit_code(port, **files, **authorities) == 0
        assert await exit_code(port) == 1
        assert (
            await exit_code(port, tls_certificate_file=stranger.certificate, tls_key_file=stranger.key) == 1
        )
        await service.server.set_serving(False)
        assert await exit_code(port, **files, **authorities) == 1


# Where nothing listens, or no certificate can be read, the answer is no, and no traceback.
async def test_nobody(own: Identity, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert await exit_code(1) == 1
    assert await exit_code(1, tls_certificate_file=own.certificate, tls_key_file=own.key) == 1
    assert await exit_code(1, tls_certificate_file=tmp_path / "none", tls_key_file=own.key) == 1
    assert capfd.readouterr().err == ""


# It reads the variables that servers read.
def test_variables() -> None:
    variables = {f"HOOKE_{name.upper()}": "file" for name in ServerSettings.model_fields}
    assert OwnTls.of(variables) == OwnTls(Path("file"), Path("file"))
    assert OwnTls.of({}) is None
