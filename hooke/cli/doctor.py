"""`hooke doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from hooke import AsyncClient
from hooke._channel import SERVICES
from hooke.cli import options
from hooke.cli.models import table_of
from hooke.cli.session import ExitCode, Session, describe
from hooke.errors import HookeError
from hooke.status import ADVICE
from hooke.types import ModelInfo, ModelState, Task

LIBRARIES = ("grpcio", "protobuf", "numpy", "tifffile", "imagecodecs")
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `ok` is None for a plain fact."""

    name: str
    ok: bool | None
    detail: str


def doctor(context: typer.Context, address: options.Address = None, as_json: options.AsJson = False) -> None:
    """Check the way to the server: address, health, models, and an answer to a small picture.

    Exits with 0 if everything works, else with 1.

    \b
    Examples:
      hooke doctor
      hooke --address gateway.lab:50051 doctor --json
    """
    session = options.session_of(context, address, as_json)
    checks = list(_facts(session))
    models: list[ModelInfo] = []
    with session.reporting():
        asyncio.run(_look(session, checks, models))
    healthy = all(check.ok is not False for check in checks)
    tables = [_table(checks), *([table_of(models)] if models else [])]
    session.show({"healthy": healthy, "checks": checks, "models": models}, *tables)
    raise typer.Exit(ExitCode.OK if healthy else ExitCode.FAILED)


async def _look(session: Session, checks: list[Check], models: list[ModelInfo]) -> None:
    """Add what is found to `checks` and `models`, as far as one gets."""
    try:
        async with session.client() as client:
            checks.append(await _reach(client, session))
            if checks[-1].ok:
                checks += await _health(client)
                models += await client.models(timeout_s=session.connect_s)
                ready = [model for model in models if model.state is ModelState.READY]
                checks.append(Check("models", bool(ready), f"{len(ready)} of {len(models)} ready"))
                checks += [await _ask(client, model) for model in ready]
    except HookeError as error:
        checks.append(Check("server", False, describe(error)))
    except OSError as error:
        checks.append(Check("files for TLS", False, describe(error)))


def _facts(session: Session) -> Iterator[Check]:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield Check(
        "hooke", None, f"{version('hooke')} on Python {platform.python_version()}, {platform.system()}"
    )
    yield Check("libraries", None, libraries)
    yield Check("address", None, f"{session.address} ({'TLS' if session.tls else 'plain text'})")
    for name in _PROXIES:
        if os.environ.get(name):
            # gRPC obeys these, which surprises people whose server is in their own network.
            exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "nothing"
            yield Check("proxy", None, f"{name} is set and gRPC uses it, except for {exempt} (no_proxy)")


async def _reach(client: AsyncClient, session: Session) -> Check:
    start = time.perf_counter()
    try:
        serving = await client.serving(timeout_s=session.connect_s)
    except HookeError as error:
        told = describe(error).replace(ADVICE, "--address or HOOKE_ADDRESS names another.")
        return Check("reachable", False, told)
    spent = f"answered in {1000 * (time.perf_counter() - start):.0f} ms"
    if serving is False:
        return Check("reachable", False, f"{spent} that it does not serve: it is starting or shutting down")
    return Check("reachable", True, spent)


async def _health(client: AsyncClient) -> list[Check]:
    """Look at every service; a server need not offer them all."""
    words = {True: "serving", False: "not serving", None: "not offered by this server"}
    said = {service: await client.serving(service) for service in SERVICES}
    return [Check(service, serving, words[serving]) for service, serving in said.items()]


async def _ask(client: AsyncClient, model: ModelInfo) -> Check:
    """Let a model count the discs of a small picture."""
    name = f"ask {model.name}"
    if Task.COUNT not in model.tasks:
        return Check(name, None, "does not count; not asked")
    if model.remote:
        return Check(name, None, "belongs to a provider, who may charge for it; not asked")
    start = time.perf_counter()
    try:
        answer = await client.count(_discs(), model=model.name)
    except HookeError as error:
        return Check(name, False, describe(error))
    spent_ms = 1000 * (time.perf_counter() - start)
    said = answer.outcome if answer.count is None else f"answered {answer.count}"
    return Check(
        name,
        True,
        f"{said} for 4 discs in {spent_ms:.0f} ms "
        f"(queue {1000 * answer.cost.queue_s:.0f} ms, compute {1000 * answer.cost.compute_s:.0f} ms)",
    )


def _discs() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture of 128 x 128 pixels with four bright discs of 20 pixels in diameter."""
    rows, columns = np.mgrid[:128, :128]
    image = np.full((128, 128), 20, np.uint8)
    for y, x in ((32, 32), (32, 96), (96, 32), (96, 96)):
        image[(rows - y) ** 2 + (columns - x) ** 2 <= 10**2] = 200
    return image


def _table(checks: list[Check]) -> Table:
    table = Table("", "Check", "Finding")
    marks = {True: "[green]ok[/]", False: "[bold red]FAILED[/]", None: ""}
    for check in checks:
        table.add_row(marks[check.ok], check.name, Text(check.detail))
    return table
