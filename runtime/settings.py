"""Settings of a server process: read from `HOOKE_*` once, validated before any port opens.

This is the only place of the runtime that reads the environment.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024**2
PREFIX = "HOOKE_"

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it and says what is expected."""

    heading: ClassVar[str] = "wrong settings"
    """What a process that cannot start for this says first."""


class ServerSettings(BaseSettings):
    """What every server process needs to know."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on. Loopback, so that a workstation shows nothing to its network; a container
    sets 0.0.0.0."""
    port: Port = 50051
    """gRPC port; 0 takes a free one. 50051 is where gRPC servers are looked for first."""
    metrics_port: Port | None = None
    """Port of the Prometheus page `/metrics`; 0 takes a free one. Off by default."""
    health_port: Port | None = None
    """gRPC port that answers health alone, and never with TLS: the probes of Kubernetes have no certificate
    to show. 0 takes a free one. Off by default: the port of everything else answers health too."""
    max_message_bytes: Annotated[int, Field(ge=MIB)] = 256 * MIB
    """Largest message taken or sent, in bytes. Larger images are put in chunks."""
    default_deadline_s: Annotated[float, Field(gt=0)] = 120.0
    """Deadline of a call that has none, in seconds: nobody may hold a place for ever."""
    drain_delay_s: Seconds = 0.0
    """Seconds for which calls are still taken after SIGTERM, while load balancers see NOT_SERVING. 0 fits
    one machine; on Kubernetes it is the time that endpoints need to spread, 5 s or more."""
    grace_s: Seconds = 30.0
    """Most seconds to finish what is in flight after the drain delay; then it is cancelled. Kubernetes and
    compose must wait longer than both together before they kill."""
    max_connection_age_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a connection is asked to reconnect, so that clients find new replicas. Off by
    default: one machine has none."""
    tls_certificate_file: Path | None = None
    """PEM certificate chain of the server. Absent: no TLS."""
    tls_key_file: Path | None = None
    """PEM private key of the certificate."""
    tls_client_ca_file: Path | None = None
    """PEM certificates of the authorities that clients must be signed by (mTLS). Absent: any client."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object a line for collectors, or coloured text for a terminal."""
    otlp_endpoint: str | None = None
    """OpenTelemetry collector (OTLP over HTTP), for example `http://collector:4318`. Absent: no traces."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError(
                f"{PREFIX}TLS_CERTIFICATE_FILE and {PREFIX}TLS_KEY_FILE belong together: set both"
            )
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError(f"{PREFIX}TLS_CLIENT_CA_FILE needs {PREFIX}TLS_CERTIFICATE_FILE")
        for path in (self.tls_certificate_file, self.tls_key_file, self.tls_client_ca_file):
            if path is not None and not path.is_file():
                raise ValueError(f"{path} is not a file")
        return self


class ModelServerSettings(ServerSettings):
    """What a server of one model needs to know beside that."""

    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Worker processes, each with its own copy of the model; 0 runs the model on a thread of the server.
    CPU-bound models want one for each core, models on a GPU want 0."""
    max_queue: Annotated[int, Field(ge=1)] = 64
    """Most requests that wait; one more is QUEUE_FULL. Enough to keep the workers busy, short enough that
    the last in line is served within its deadline."""
    max_pending_bytes: Annotated[int, Field(ge=MIB)] = 2048 * MIB
    """Most bytes of decoded pixels held by all requests together; one image alone is always taken."""
    max_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Most requests computed together. Absent: what the model says fits it."""
    max_batch_pixels: Annotated[int, Field(ge=1)] = 64 * MIB
    """Most pixels computed together; memory grows with pixels, not with requests."""
    image_store_bytes: Annotated[int, Field(ge=MIB)] = 1024 * MIB
    """Bytes of put images that are kept, least recently used dropped first."""
    max_image_bytes: Annotated[int, Field(ge=1)] = 512 * MIB
    """Largest image file, in bytes."""


_CGROUP = Path("/sys/fs/cgroup")
_QUOTA_FILES = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Where a container sees its limit, by cgroups of version 2 or 1: microseconds of CPU, and in how many."""


def usable_cores() -> int:
    """Cores that this process may use: of the machine, or of its container where that is limited to fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    for names in _QUOTA_FILES:
        try:
            quota, period = " ".join((_CGROUP / name).read_text(encoding="ascii") for name in names).split()
        except OSError:  # the other version, no container, or no Linux
            continue
        return cores if quota in {"max", "-1"} else min(cores, math.ceil(int(quota) / int(period)))
    return cores


class TorchServerSettings(ModelServerSettings):
    """What a server of one model that runs on PyTorch needs to know beside that."""

    workers: Literal[0] = 0
    """Always 0: one model fills its device, so it runs on a thread of the server. For a second GPU start a
    second server, and name both to the gateway."""
    weights_dir: Path = Path("weights")
    """Folder of the weights, for all models. `python -m services.NAME fetch` puts them there."""
    weights_download: bool = False
    """Whether weights that are missing are downloaded at the start. Off by default: gigabytes are fetched
    when somebody says so."""
    device: str = "auto"
    """Where the model runs: `cuda:0`, `cpu`, or `auto` for the first GPU if there is one."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Numbers that the heavy part computes with. float32 gives the published results; bfloat16 is faster on a
    GPU and differs in the last digits."""
    threads: Annotated[int, Field(ge=1, le=1024)] = Field(default_factory=usable_cores)
    """Threads that PyTorch computes with on the CPU. One for each core by default; fewer where other services
    share the machine, since threads that wait for each other are slower than one alone."""


class RemoteServerSettings(ModelServerSettings):
    """What a proxy for the models of a provider needs to know beside that."""

    workers: Literal[0] = 0
    """Always 0: a proxy waits for the network, and computes nothing."""
    max_queue: Annotated[int, Field(ge=1)] = 512
    """Most requests that wait; one more is QUEUE_FULL. More than for a model, since waiting costs little."""
    max_concurrency: Annotated[int, Field(ge=1)] = 64
    """Most calls under way at the provider; how many there really are adapts to its rate limits."""
    silence_s: Annotated[float, Field(gt=0)] = 300.0
    """Seconds without a byte from the provider after which a call counts as failed. Models that think before
    they write are silent for minutes; the deadline of a request ends its call earlier."""
    jpeg_quality: Annotated[int, Field(ge=1, le=95)] = 92
    """Quality of the JPEG that an image becomes where a PNG would be too large for the provider."""
    prices_file: Path | None = None
    """YAML file of prices that is used instead of the one that comes with Hooke; see runtime/prices.yaml."""


def secret_of(name: str, value: SecretStr | None, file: Path | None) -> SecretStr | None:
    """A key that comes either from a variable or from a file named by another; None where there is none.

    An empty file is no key, as for a server that wants none.

    Args:
        name: of the variable without its prefix; the other one ends in `_FILE`.
        value: of the variable. Blank space around a key does not count, here and in the file.
        file: named by the other one.

    Raises:
        SettingsError: both are set, the file cannot be read, or this is no key.
    """
    variable = f"{PREFIX}{name}"
    if file is None:
        return None if value is None else _key(value.get_secret_value(), variable)
    if value is not None:
        raise SettingsError(f"{variable}_FILE: {variable} is set too; set one of them")
    variable += "_FILE"
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {file} cannot be read: {type(error).__name__}") from None
    return _key(content, variable) if content.strip() else None


def _key(text: str, variable: str) -> SecretStr:
    """A key as it stands in a header, which takes neither spaces nor anything beyond ASCII."""
    key = text.strip()
    if re.fullmatch(r"[!-~]+", key) is None:
        raise SettingsError(f"{variable}: this is no key; a key is one word of ASCII characters")
    return SecretStr(key)


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """Read settings from the environment.

    Raises:
        SettingsError: a variable is missing or wrong, named with what it should be.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_input=False):
            field, *inside = (str(part) for part in problem["loc"] or ("",))
            name = f"{PREFIX}{field.upper()}: " if field else ""
            place = f"{'.'.join(inside)}: " if inside else ""
            lines.append(name + place + problem["msg"])
        raise SettingsError("\n".join(lines)) from None
