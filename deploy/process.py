"""One service as a process of this machine: it logs to a file, and it never outlives the stack runner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from deploy.local import LocalService

# Linux sends SIGTERM to the service when its parent dies, even by SIGKILL. Asked for by a small program
# that then becomes the service, because code between fork and exec is not safe beside gRPC's threads.
_TETHER = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit(143)
os.execve(sys.argv[2], sys.argv[2:], os.environ)
"""


def tethered(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs `arguments` for as long as this process lives.

    The program is `arguments[0]`, a path. Start it from the main thread: Linux ties it to the thread.
    """
    if sys.platform != "linux":
        return arguments
    return (sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *arguments)


class ServiceProcess:
    """A running service; made by starting it.

    Args:
        service: what to run.
        root: working folder.
        environment: the caller's environment; that of the service is laid over it.
        log_path: file that its output is appended to.
    """

    def __init__(
        self, service: LocalService, *, root: Path, environment: Mapping[str, str], log_path: Path
    ) -> None:
        self.service = service
        self.log_path = log_path
        self.start_time = time.monotonic()
        for folder in (*service.folders, log_path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(service.arguments),
                cwd=root,
                env={**environment, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the runner, which stops services in their order
            )

    @property
    def pid(self) -> int:
        """Process id of the service, which is also that of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, or minus the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.start_time

    def terminate(self) -> None:
        """Ask the service to end, by SIGTERM."""
        if self.exit_code is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the service and everything that it started, by SIGKILL."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._wait_for_group()

    def stop(self) -> bool:
        """Ask the service to end, wait for its grace period, then kill what is left.

        Returns:
            True if it ended by itself.
        """
        self.terminate()
        try:
            self._process.wait(self.service.stop_grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._wait_for_group()  # what the service started may take a moment longer ...
        self._signal_group(signal.SIGKILL)  # ... and no more
        return True

    def _wait_for_group(self) -> None:
        deadline = time.monotonic() + 1.0
        while self._signal_group(0) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _signal_group(self, number: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)
            return True
        return False

    def log_tail(self, line_count: int = 20) -> str:
        """Return the last lines of its log."""
        with self.log_path.open(encoding="utf-8", errors="replace") as log:
            return "".join(deque(log, line_count)).rstrip()
