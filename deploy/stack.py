"""The stack runner: the services of the compose file as local processes, where there is no Docker.

`python -m deploy.stack --help` says what it can do; `make up`, `make down` and `make demo` use it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Annotated, Any

import typer
from rich.console import Console

from deploy.compose import ComposeError, read_topology
from deploy.process import tethered
from deploy.supervisor import COMPOSE_FILE, STOP_SIGNALS, Stack, StackError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console()

Home = Annotated[Path, typer.Option(help="Folder for logs, volumes and the state of a running stack.")]
File = Annotated[Path, typer.Option(help="The compose file.")]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile", help="Start services of this profile too, for example sam, gpu, cloud. Repeatable."
    ),
]
DEFAULT_HOME = COMPOSE_FILE.parent / ".hooke"


class _Stopped(BaseException):
    """A signal asked the runner to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@app.command()
def check(file: File = COMPOSE_FILE) -> None:
    """Say which services the compose file has, with their profiles, or what in it is not supported."""
    services = read_topology(file, {}).services.items()
    named = (
        name + (f" ({', '.join(service.profiles)})" if service.profiles else "") for name, service in services
    )
    console.print(f"{file.name}: {', '.join(named)}", soft_wrap=True)


@app.command()
def up(
    home: Home = DEFAULT_HOME,
    file: File = COMPOSE_FILE,
    profile: Profiles = None,
    foreground: Annotated[bool, typer.Option(help="Stay, show the logs, stop on Ctrl-C.")] = False,
) -> None:
    """Start the services on the ports that the compose file publishes, and leave them running."""
    if foreground:
        _serve(home, file, profile or [], follow=True)
    else:
        _serve_in_background(home, file, profile or [])


@app.command(hidden=True)
def serve(home: Home = DEFAULT_HOME, file: File = COMPOSE_FILE, profile: Profiles = None) -> None:
    """Do what `up --foreground` does, without the logs."""
    _serve(home, file, profile or [], follow=False)


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """Stop what `up` started."""
    state = _state(home)
    if state is None:
        console.print("Nothing runs.")
        return
    os.kill(state["pid"], signal.SIGTERM)
    with console.status("stopping"):
        while _state(home) is not None:
            time.sleep(0.1)
    console.print("Stopped.")


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    command: list[str], home: Home = DEFAULT_HOME, file: File = COMPOSE_FILE, profile: Profiles = None
) -> None:
    """Start the services on free ports, run a command with HOOKE_ADDRESS set, stop the services."""

    def work(stack: Stack) -> int:
        environment = {
            **os.environ,
            "HOOKE_ADDRESS": stack.address,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        child = subprocess.Popen(tethered(("/usr/bin/env", *command)), env=environment)
        try:
            while child.poll() is None:
                stack.check()
                time.sleep(0.05)
        finally:
            if child.poll() is None:
                child.terminate()
            code = child.wait()
        return code if code >= 0 else 128 - code

    with _claimed(home):
        stack = Stack(home=home, compose_file=file, profiles=profile or [], console=console)
        raise typer.Exit(_with_stack(stack, work))


def _serve(home: Path, file: Path, profiles: list[str], *, follow: bool) -> None:
    def work(stack: Stack) -> int:
        state.write(address=stack.address, services=list(stack.services), profiles=profiles)
        logs = [_LogFollower(name, stack.log_path(name)) for name in stack.services] if follow else []
        try:
            while True:
                stack.check()
                for log in logs:
                    log.show()
                time.sleep(0.1)
        except _Stopped:
            return 0  # the way in which it is meant to end

    with _claimed(home) as state:
        stack = Stack(home=home, compose_file=file, profiles=profiles, published_ports=True, console=console)
        raise typer.Exit(_with_stack(stack, work))


def _serve_in_background(home: Path, file: Path, profiles: list[str]) -> None:
    if (running := _state(home)) is not None:
        raise StackError(_already(home, running, profiles))
    log_path = home / "logs" / "stack.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "deploy.stack", "serve", "--home", home, "--file", file)
    with log_path.open("wb") as log:
        runner = subprocess.Popen(
            (*command, *(f"--profile={profile}" for profile in profiles)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while (state := _state(home)) is None or state.get("pid") != runner.pid or "address" not in state:
            if runner.poll() is not None:
                sys.stderr.write(log_path.read_text(encoding="utf-8"))
                raise typer.Exit(1)
            time.sleep(0.1)
    except BaseException:
        runner.terminate()
        raise
    sys.stdout.write(log_path.read_text(encoding="utf-8"))
    console.print(
        f"Hooke answers at {state['address']}. Logs: {log_path.parent}. Stop it: make down", soft_wrap=True
    )


def _with_stack(stack: Stack, work: Callable[[Stack], int]) -> int:
    """Return what `work` returns, or the exit code for why it could not."""
    try:
        with _signals_raise(), stack:
            return work(stack)
    except _Stopped as stopped:
        return stopped.exit_code


@contextmanager
def _signals_raise() -> Iterator[None]:
    def stop(number: int, _frame: FrameType | None) -> None:
        raise _Stopped(number)

    earlier = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


class _StateFile:
    """What others need to know of a running stack.

    `pid`, and once every service is healthy `address`, the names of its `services` and its `profiles`.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, **values: str | list[str]) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps({"pid": os.getpid(), **values}))
        self._file.flush()


@contextmanager
def _claimed(home: Path) -> Iterator[_StateFile]:
    """Hold `home` for this process. The lock ends with the process, however it ends."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stack.json").open("a+") as file:
        for attempt in range(20):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 19:
                    raise StackError(_already(home, _state(home) or {}, [])) from None
                time.sleep(0.05)  # a glance of `_state` holds the lock for a moment
        state = _StateFile(file)
        state.write()
        yield state


def _already(home: Path, running: Mapping[str, Any], profiles: list[str]) -> str:
    """Say that a stack runs, and how to have it with these profiles as well as its own."""
    services = f", with {', '.join(running['services'])}" if "services" in running else ""
    wanted = " ".join(dict.fromkeys([*running.get("profiles", ()), *profiles]))
    again = f'make up PROFILES="{wanted}"' if wanted else "make up"
    return (
        f"A stack runs in {home} already{services}. It takes in no others while it runs. To start it anew, "
        f"which loses nothing that evaluations have done:\n  make down && {again}"
    )


def _state(home: Path) -> dict[str, Any] | None:
    """Return what a running stack says of itself, or None if none runs in `home`."""
    try:
        file = (home / "stack.json").open()
    except FileNotFoundError:
        return None
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                if text := file.read():
                    return dict(json.loads(text))
                time.sleep(0.01)
            else:
                return None


class _LogFollower:
    """Shows what is new in a log, each line with the name of its service."""

    def __init__(self, name: str, path: Path) -> None:
        self._prefix = f"{name:<10} | "
        self._file = path.open(encoding="utf-8", errors="replace")
        self._partial = ""

    def show(self) -> None:
        *lines, self._partial = (self._partial + self._file.read()).split("\n")
        for line in lines:
            sys.stdout.write(f"{self._prefix}{line}\n")
        sys.stdout.flush()


def main() -> None:
    """Run the command line; what the user can mend is a message, not a traceback."""
    try:
        app()
    except (ComposeError, StackError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
