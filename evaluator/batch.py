"""`python -m evaluator run`: one evaluation, carried out by a process that leaves when it has ended."""

from __future__ import annotations

import asyncio
import enum
import functools
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import fsspec
import typer

from evaluator.app import limits_of, opened_store, tls_of
from evaluator.journal import shallow
from evaluator.preparing import data_dir_of, suite_of
from evaluator.runner import Limits, Runner
from evaluator.runs import RunSpec
from evaluator.settings import EvaluatorSettings
from evaluator.store import RunStore
from evaluator.supervisor import Supervisor
from hooke import AsyncClient
from hooke.cli import limits
from hooke.cli.order import order_of
from hooke.errors import HookeError
from hooke.types import Evaluation, EvaluationState
from runtime import logs
from runtime.memory import return_large_memory
from runtime.settings import SettingsError, load_settings

_PROGRESS_S = 5.0
"""Between two lines about progress."""
_NOT_ALL = 1
_WRONG = 2


Making = Callable[[RunStore, AsyncClient, Path | None, Limits, Executor], Runner]
"""Makes what carries runs out; see `Runner`."""


class Engine(enum.StrEnum):
    """Where samples are read, asked and scored."""

    ASYNCIO = "asyncio"
    RAY = "ray"


def run(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A suite file (YAML), or the name of a suite.")
    ],
    data: Annotated[
        str,
        typer.Option(metavar="DIR", help="Folder of the dataset under HOOKE_EVALUATOR_DATA_ROOT."),
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="NAME", help="May be repeated. Default: all."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Most samples of each task.")] = None,
    out: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Copy answers, masks and report there: a folder, s3://..., gs://..."
        ),
    ] = "",
    in_flight: limits.InFlight = None,
    per_minute: limits.PerMinute = None,
    max_cost_usd: limits.MaxCost = None,
    max_failed: limits.MaxFailed = None,
    max_minutes: limits.MaxMinutes = None,
    engine: Annotated[
        Engine, typer.Option(help="asyncio: this process. ray: the cores of a Ray cluster that runs.")
    ] = Engine.ASYNCIO,
    ray_address: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Of the cluster. auto: the one that this machine is in.")
    ] = "auto",
) -> None:
    """Carry one evaluation out, and leave: what a Kubernetes Job, a KubeRay RayJob or a batch queue starts.

    Settings are those of the evaluator: HOOKE_EVALUATOR_GATEWAY, HOOKE_EVALUATOR_RUNS_DIR, HOOKE_DATABASE_URL
    and so on. What is finished is in the folder of the runs and in the database at once, and the same command
    again goes on from there, however it ended. So that folder must outlive the job.

    With --engine ray, every machine of the cluster has the same version of Hooke, the data at the same path
    and the gateway at the same address; the folder of the runs is needed here alone. Models and their GPUs
    are not Ray's: they stay behind the gateway. Answers of other evaluations are not used again, and there is
    neither --max-cost-usd nor --per-minute.

    Exits with 0 if everything succeeded, 1 if not, 2 if the order or the settings are wrong.

    \b
    Examples:
      python -m evaluator run demo
      python -m evaluator run suite.yaml --data dsb2018 --model classical --out s3://lab/results/dsb2018
      python -m evaluator run suite.yaml --data dsb2018 --engine ray
      python -m evaluator run suite.yaml --data dsb2018 --engine ray --ray-address ray-head:6379
    """
    order = order_of(suite, None, model or (), limit)
    may_take = limits.limits_of(in_flight, per_minute, max_cost_usd, max_failed, max_minutes)
    spec = RunSpec(
        request_id=replace(order, data_dir=data).request_id(),
        suite_name=order.suite_name or "",
        suite_yaml=order.suite_yaml or "",
        models=order.models,
        data_dir=data,
        sample_limit=limit,
        reuse_answers=engine is Engine.ASYNCIO,
        **({} if may_take is None else shallow(may_take)),
    )
    try:
        settings = load_settings(EvaluatorSettings)
        logs.configure(settings)
        return_large_memory()
        with _engine(engine, ray_address, settings, spec) as make:
            evaluation = asyncio.run(carry_out(settings, spec, out, make))
    except (SettingsError, HookeError) as error:
        typer.echo(f"hooke: {error}", err=True)
        raise typer.Exit(_WRONG) from error
    raise typer.Exit(0 if evaluation.state is EvaluationState.SUCCEEDED else _NOT_ALL)


async def carry_out(
    settings: EvaluatorSettings, spec: RunSpec, out: str = "", make: Making = Runner
) -> Evaluation:
    """Do what is left of an evaluation; SIGTERM and SIGINT interrupt it.

    Args:
        settings: of the evaluator.
        spec: what is asked for.
        out: URL of a folder that everything is copied to when it has ended; empty: nothing is.
        make: makes what carries it out.

    Raises:
        SettingsError: the folder of the runs or the database cannot be used.
        InvalidRequestError: the order is wrong.
        DrainingError: it was interrupted.
    """
    root = settings.evaluator_data_root
    suite = suite_of(spec)
    data_dir_of(spec, suite, root)
    store = opened_store(settings)
    client = AsyncClient(settings.evaluator_gateway, tls=tls_of(settings), retries=False)
    try:
        with ThreadPoolExecutor(settings.evaluator_threads, thread_name_prefix="hooke-evaluator") as threads:
            runner = make(store, client, root, limits_of(settings), threads)
            supervisor = Supervisor(store, runner, threads, most_runs=1)
            stopping: list[asyncio.Task[None]] = []
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(
                    number, lambda: stopping.append(asyncio.create_task(supervisor.stop(settings.grace_s)))
                )
            try:
                begun = await supervisor.create(spec, suite.name)
                told = time.monotonic()
                async for evaluation in supervisor.watch(begun.evaluation_id):
                    if evaluation.state.ended or time.monotonic() - told > _PROGRESS_S:
                        told = time.monotonic()
                        typer.echo(_progress(evaluation))
            finally:
                await supervisor.stop(settings.grace_s)
            if out:
                await asyncio.to_thread(publish, store.folder(begun.evaluation_id), out)
            return evaluation
    finally:
        await client.close()
        await asyncio.to_thread(store.close)


def publish(folder: Path, url: str) -> None:
    """Copy what is in a folder to a folder that fsspec reaches; what is there under the same names goes."""
    there, root = fsspec.core.url_to_fs(url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = f"{root.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            there.makedirs(name.rpartition("/")[0], exist_ok=True)
            there.put_file(str(path), name)


@contextmanager
def _engine(engine: Engine, ray_address: str, settings: EvaluatorSettings, spec: RunSpec) -> Iterator[Making]:
    """Makes what carries runs out, for as long as the block lasts."""
    if engine is Engine.ASYNCIO:
        yield Runner
        return
    try:
        from evaluator.on_ray import RayRunner, check, connected  # noqa: PLC0415  (an extra of its own)
    except ModuleNotFoundError as error:
        text = "--engine ray needs the extra `ray`: pip install --editable '.[ray]' in the folder of Hooke"
        raise SettingsError(text) from error
    check(spec)
    with connected(ray_address):
        yield functools.partial(RayRunner, tls=tls_of(settings))


def _progress(evaluation: Evaluation) -> str:
    done = sum(task.done_count for task in evaluation.task_progress)
    count = sum(task.sample_count or 0 for task in evaluation.task_progress)
    failed = sum(task.failed_count for task in evaluation.task_progress)
    told = f"{evaluation.evaluation_id} {evaluation.state}: {done} of {count} samples, {failed} failed"
    return f"{told}. {evaluation.state_message}".rstrip(". ") + "."
