"""A service for tests of the stack runner: healthy, unless FAKE_MODE says how it misbehaves.

Appends what happens to it to the file `events` of its working folder.
"""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

NAME = os.environ["FAKE_NAME"]
MODE = os.environ.get("FAKE_MODE", "")


def note(event: str, pid: int) -> None:
    with Path("events").open("a") as events:
        events.write(f"{NAME} {event} {pid}\n")


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "stubborn" else lambda *_: stop.set())
    sys.stdout.write(f"environment of {NAME}: {dict(os.environ)}\n")
    note("began", os.getpid())
    if MODE == "dies":
        sys.stdout.write("the disk is made of cheese\n")
        sys.exit(3)
    if MODE == "stubborn":
        # A child that ignores SIGTERM, too.
        child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
        note("child", subprocess.Popen([sys.executable, "-c", child]).pid)
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    servicer.set("", getattr(health_pb2.HealthCheckResponse, "NOT_SERVING" if MODE == "sick" else "SERVING"))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"{os.environ['HOOKE_HOST']}:{os.environ['HOOKE_PORT']}"
    if certificate := os.environ.get("HOOKE_TLS_CERTIFICATE_FILE"):
        pair = Path(os.environ["HOOKE_TLS_KEY_FILE"]).read_bytes(), Path(certificate).read_bytes()
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(address)
    server.start()
    stop.wait()
    server.stop(None).wait()
    note("ended", os.getpid())


if __name__ == "__main__":
    main()
