"""Starts what is measured, each in a process of its own on loopback, and stops it again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

START_S = 60.0
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

# One worker, as the gateway has one process. Every buffer holds a whole request of the sizes at which the two
# are compared, so that nginx never touches the disk for them; connections to the service stay open.
_NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1;
pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_max_body_size 0; client_body_buffer_size 2m;
  http2_recv_buffer_size 1m; http2_body_preread_size 1m;
  keepalive_requests 10000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream service {{ server {address}; keepalive 32; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} http2;
    location / {{ grpc_pass grpc://service; grpc_buffer_size 64k; grpc_read_timeout 300s; }}
  }}
}}
"""


class BrokenError(Exception):
    """Something that is measured did not start or did not answer."""


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def module(name: str, **environment: str) -> Iterator[str]:
    """Run `python -m name` until the end of the block; the value is its address, which serves by then."""
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "HOOKE_PORT": address.partition(":")[2],
        "HOOKE_MAX_MESSAGE_BYTES": str(512 * 1024**2),
        "OMP_NUM_THREADS": "1",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", name],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **settings, **environment},
            stderr=log,
        )
        try:
            _await_serving(name, process, address)
            yield address
        except BrokenError:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-2000:])
            raise
        finally:
            _stop(process)


@contextmanager
def gateway(address: str) -> Iterator[str]:
    """Run the gateway with one model, `fake`, at an address; the value is its own address."""
    with tempfile.TemporaryDirectory(prefix="hooke-gateway-") as folder:
        routes = Path(folder, "routes.yaml")
        routes.write_text(f"default_model: fake\nmodels:\n  fake: {address}\n")
        with module("gateway", HOOKE_GATEWAY_ROUTES=str(routes)) as own:
            yield own


@contextmanager
def nginx(address: str) -> Iterator[str]:
    """Run nginx with `grpc_pass` to an address until the end of the block; the value is its own address."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="hooke-nginx-") as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(_NGINX_CONFIG.format(folder=folder, address=address, port=port))
        process = subprocess.Popen([NGINX, "-p", folder, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            _await_serving("nginx", process, f"127.0.0.1:{port}")
            yield f"127.0.0.1:{port}"
        finally:
            _stop(process)


def cpu_s() -> float:
    """Processor time that the running children of this process have taken so far, in seconds."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = process.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        fields = stat.rpartition(")")[2].split()  # the name before may hold anything
        if int(fields[1]) == os.getpid():
            ticks += sum(map(int, fields[11:15]))  # user and system, its own and of its children
    return ticks / os.sysconf("SC_CLK_TCK")


def _await_serving(name: str, process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_S
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        while time.monotonic() < deadline and process.poll() is None:
            try:
                answer = check(health_pb2.HealthCheckRequest(), timeout=1)
            except grpc.RpcError:
                answer = None
            if answer is not None and answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.1)
    raise BrokenError(f"{name} does not serve")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
