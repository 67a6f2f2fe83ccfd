"""The stack runner with real processes: order, failures, signals, nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.health import serves
from deploy.supervisor import COMPOSE_FILE, Stack, StackError
from tests.identities import identity

from .conftest import Site, after, fake, wait_until

pytestmark = pytest.mark.slow  # starts processes, and waits for them
REPOSITORY = COMPOSE_FILE.parent
MakeSite = Callable[..., Site]


def runner(site: Site, command: str, *arguments: str) -> list[str]:
    """The command line of the stack runner for a site."""
    options = ["--home", str(site.home)]
    if command != "down":
        options += ["--file", str(site.compose_file)]
    return [sys.executable, "-m", "deploy.stack", command, *options, *arguments]


@contextmanager
def running(site: Site, command: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The stack runner in the background; ended if the test does not."""
    process = subprocess.Popen(
        runner(site, command, *arguments),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def call(site: Site, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the stack runner to its end."""
    return subprocess.run(
        runner(site, command, *arguments),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Services start after what they depend on is healthy, and stop in reverse order.
def test_order(site: MakeSite) -> None:
    # Written in the wrong order on purpose.
    place = site(evaluator=fake("evaluator", depends_on=after("gateway")), gateway=fake("gateway"))
    with Stack(home=place.home, compose_file=place.compose_file) as stack:
        assert all(serves(service.address) for service in stack.services.values())
        assert [(event.service, event.event) for event in place.events()] == [
            ("gateway", "began"),
            ("evaluator", "began"),
        ]
    assert [(event.service, event.event) for event in place.events()[2:]] == [
        ("evaluator", "ended"),
        ("gateway", "ended"),
    ]
    assert place.left_running() == []


# A service is set up by the compose file alone: settings of the caller's shell do not reach it.
def test_environment(site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKE_LEAK", "1")
    place = site(gateway=fake("gateway"))
    with Stack(home=place.home, compose_file=place.compose_file) as stack:
        log = stack.log_path("gateway").read_text()
    assert "'HOOKE_PORT'" in log
    assert "HOOKE_LEAK" not in log


# The stack runner sees the health of a service that speaks TLS, by the files that the service has.
def test_tls(site: MakeSite, tmp_path: Path) -> None:
    own = identity(tmp_path, "own", host="gateway")
    service = fake("gateway")
    files = {"HOOKE_TLS_CERTIFICATE_FILE": str(own.certificate), "HOOKE_TLS_KEY_FILE": str(own.key)}
    service["environment"] = {**service["environment"], **files}  # type: ignore[dict-item]
    place = site(gateway=service)
    with Stack(home=place.home, compose_file=place.compose_file) as stack:
        assert not serves(stack.address)
    assert place.left_running() == []


# A service with profiles runs only where one of them is asked for.
def test_profiles(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"), sam=fake("sam", profiles=["gpu", "sam"]))
    script = "import sys; sys.exit(0)"
    for arguments, names in (((), {"gateway"}), (("--profile", "sam"), {"gateway", "sam"})):
        (place.folder / "events").unlink(missing_ok=True)
        done = call(place, "run", *arguments, "--", sys.executable, "-c", script)
        assert done.returncode == 0, done.stderr
        assert {event.service for event in place.events()} == names
    wrong = call(place, "up", "--profile", "gpus")
    assert wrong.returncode == 1
    assert "there is no profile gpus; there are gpu, sam" in wrong.stderr
    assert place.left_running() == []


# A service that dies at its start fails the stack with the end of its log, and the others are stopped.
def test_death_at_start(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"), classical=fake("classical", "dies", depends_on=after("gateway")))
    with (
        pytest.raises(StackError, match=r"classical ended with exit code 3(?s:.)*made of cheese"),
        Stack(home=place.home, compose_file=place.compose_file),
    ):
        pass
    assert [event.event for event in place.events()] == ["began", "began", "ended"]
    assert place.left_running() == []


# A service that never becomes healthy fails the stack when its time is over.
def test_never_healthy(site: MakeSite) -> None:
    service = fake("gateway", "sick")
    service["healthcheck"] = {**service["healthcheck"], "start_period": "1s"}  # type: ignore[dict-item]
    place = site(gateway=service)
    with (
        pytest.raises(StackError, match="gateway was not healthy within 2 s"),
        Stack(home=place.home, compose_file=place.compose_file),
    ):
        pass
    assert place.left_running() == []


# A service that ignores SIGTERM is killed after its grace period, with all that it started.
def test_grace_period(site: MakeSite) -> None:
    place = site(gateway=fake("gateway", "stubborn", stop_grace_period="1s"))
    with Stack(home=place.home, compose_file=place.compose_file) as stack:
        process = stack.processes["gateway"]
        assert {event.event for event in place.left_running()} == {"began", "child"}
    assert process.exit_code == -signal.SIGKILL
    assert place.left_running() == []


# A killed service can be started again at the same address.
def test_restart(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"))
    with Stack(home=place.home, compose_file=place.compose_file) as stack:
        stack.processes["gateway"].kill()
        with pytest.raises(StackError, match=r"exit code -9"):
            stack.check()
        stack.start("gateway")
        stack.wait_healthy("gateway")
        assert serves(stack.address)
    assert place.left_running() == []


# `run` gives the command the gateway's address, and its exit code is the command's.
def test_run(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"))
    script = (
        "import os; from deploy.health import serves; exit(7 if serves(os.environ['HOOKE_ADDRESS']) else 1)"
    )
    assert call(place, "run", "--", sys.executable, "-c", script).returncode == 7
    assert place.left_running() == []


# When a service dies during `run`, the command is stopped and the end of the log is shown.
def test_run_with_death(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"))
    with running(place, "run", "--", "sleep", "60") as process:
        wait_until(lambda: place.events() != [])
        os.kill(place.events()[0].pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "gateway ended with exit code -9" in output
    assert place.left_running() == []


# Stopping the runner by a signal, at any moment, stops the command and every service first.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("when", ["starting", "running"])
def test_run_interrupted(site: MakeSite, number: signal.Signals, when: str) -> None:
    place = site(gateway=fake("gateway", "sick" if when == "starting" else ""))
    command = f"echo $$ > {place.folder}/command; exec sleep 60"
    with running(place, "run", "--", "sh", "-c", command) as process:
        mark = place.folder / ("events" if when == "starting" else "command")
        wait_until(lambda: mark.exists() and mark.read_text() != "")
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert place.left_running() == []


# Even a runner that is killed outright leaves no service behind.
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_runner_killed(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"))
    with running(place, "run", "--", "sh", "-c", f"touch {place.folder}/command; exec sleep 60") as process:
        wait_until((place.folder / "command").exists)
        process.kill()
    wait_until(lambda: place.left_running() == [])
    assert place.events()[-1].event == "ended"


# A folder that a variable names has to be there: a slip would be an empty folder else. The usual one is made.
def test_folder_that_is_not_there(site: MakeSite, tmp_path: Path) -> None:
    place = site(gateway=fake("gateway", volumes=["${HOOKE_DATA_DIR:-./data}:/data:ro"]))
    place_of_data = tmp_path / "elsewhere"
    variables = {"HOOKE_DATA_DIR": str(place_of_data)}
    with pytest.raises(StackError, match=f"no folder {place_of_data}. HOOKE_DATA_DIR names it"):
        Stack(home=place.home, compose_file=place.compose_file, variables=variables)
    assert not place_of_data.exists()
    place_of_data.mkdir()
    Stack(home=place.home, compose_file=place.compose_file, variables=variables)
    with Stack(home=place.home, compose_file=place.compose_file):
        assert (place.folder / "data").is_dir()


# `up` returns when everything is healthy, a second `up` is refused, and `down` stops it all.
def test_up_and_down(site: MakeSite) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = site(gateway=fake("gateway", ports=[f"127.0.0.1:{port}:50051"]))
    try:
        up = call(place, "up")
        assert up.returncode == 0, up.stderr
        assert f"127.0.0.1:{port}" in up.stdout
        assert serves(f"127.0.0.1:{port}")
        second = call(place, "up", "--profile=more")
        assert second.returncode == 1
        assert "already, with gateway." in second.stderr
        assert 'make down && make up PROFILES="more"' in second.stderr
    finally:
        down = call(place, "down")
    assert down.returncode == 0
    assert "Stopped" in down.stdout
    assert place.left_running() == []
    assert "Nothing runs" in call(place, "down").stdout


# A port that another server holds is an error: its answers must not pass for those of the service.
def test_port_in_use(site: MakeSite) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        place = site(gateway=fake("gateway", ports=[f"127.0.0.1:{port}:50051"]))
        up = call(place, "up")
    assert up.returncode == 1
    assert f"port {port} (HOOKE_PORT) is in use" in up.stderr
    assert place.events() == []


# In the foreground the logs are shown under the names of their services, and SIGTERM is a good end.
def test_up_in_foreground(site: MakeSite) -> None:
    place = site(gateway=fake("gateway"))
    with running(place, "up", "--foreground") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("gateway    | environment of gateway") for line in lines)
        process.terminate()
        assert process.wait(60) == 0
    assert place.left_running() == []
