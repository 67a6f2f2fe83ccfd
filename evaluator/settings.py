"""Settings of the evaluator; the environment is read nowhere else."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from runtime.settings import PREFIX, Port, ServerSettings, secret_of, usable_cores

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class EvaluatorSettings(ServerSettings):
    """What the evaluator needs to know."""

    port: Port = 50061
    """gRPC port; 0 takes a free one. Not 50051, so that it runs beside a gateway on one machine."""
    evaluator_gateway: Annotated[str, Field(min_length=1)] = "localhost:50051"
    """Address that models are reached through: a gateway, or a single model service. The default is where
    a gateway listens on the same machine."""
    evaluator_gateway_ca_file: Path | None = None
    """PEM certificates of the authorities that the gateway's certificate must come from. Absent: no TLS."""
    evaluator_gateway_certificate_file: Path | None = None
    """PEM certificate chain of the evaluator, for a gateway that asks for one (mTLS)."""
    evaluator_gateway_key_file: Path | None = None
    """PEM private key of that certificate."""
    evaluator_runs_dir: Path = Path(".hooke/runs")
    """Folder of the runs: predictions, scores, reports. Under the working directory, so that a checkout
    keeps its own; one folder belongs to one evaluator, or to several that share a database."""
    database_url: SecretStr | None = None
    """PostgreSQL database of the runs, for example `postgresql://hooke:PASSWORD@db/hooke`. Absent: SQLite in
    the folder of the runs. Predictions and masks are in that folder in any case."""
    database_url_file: Path | None = None
    """File that the URL stands in, instead of the variable."""
    evaluator_data_root: Path | None = None
    """Folder that every dataset must lie under, after symbolic links. Absent: only suites that need no data,
    so that nobody's files can be read by naming them."""
    evaluator_max_runs: Annotated[int, Field(ge=1)] = 16
    """Evaluations carried out at the same time; the others wait. Those that ask the same model take turns
    with it, so that a short one is not held up by long ones; each has samples in memory."""
    evaluator_max_in_flight: Annotated[int, Field(ge=1)] = 32
    """Most calls in flight to one model, of all evaluations together. Pacing finds what the model takes; this
    only bounds it."""
    evaluator_call_timeout_s: Positive = 120.0
    """Deadline of one call, in seconds; a sample that takes longer has failed. Long enough for a large image
    on a slow model."""
    evaluator_patience_s: Positive = 300.0
    """Seconds without one answer after which a model that is away, full or silent is given up and its other
    samples have failed. Longer than a large model takes to load."""
    evaluator_samples_in_memory: Annotated[int, Field(ge=1)] = 64
    """Samples of one evaluation that are in memory at a time, shared by its tasks and models, each of which
    has two at least. Bounds memory, whatever the size of the dataset."""
    evaluator_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=usable_cores)
    """Threads that read, encode and score samples and write reports. One for each core by default."""

    @cached_property
    def database(self) -> SecretStr | None:
        """The URL of the database, from wherever it is set; None: SQLite.

        Raises:
            SettingsError: it is set twice, or its file cannot be read or is empty.
        """
        return secret_of("DATABASE_URL", self.database_url, self.database_url_file)

    @model_validator(mode="after")
    def _url_can_be_read(self) -> Self:
        _ = self.database  # a file that cannot be read is an error before any port opens
        return self

    @model_validator(mode="after")
    def _files_are_there(self) -> Self:
        root, name = self.evaluator_data_root, f"{PREFIX}EVALUATOR_DATA_ROOT"
        if root is not None and not root.is_dir():
            raise ValueError(f"{name}: {root} is not a folder")
        name = f"{PREFIX}EVALUATOR_GATEWAY"
        ca, certificate = self.evaluator_gateway_ca_file, self.evaluator_gateway_certificate_file
        key = self.evaluator_gateway_key_file
        if (certificate is None) != (key is None):
            raise ValueError(f"{name}_CERTIFICATE_FILE and {name}_KEY_FILE belong together: set both")
        if certificate is not None and ca is None:
            raise ValueError(f"{name}_CERTIFICATE_FILE needs {name}_CA_FILE")
        for variable, path in (("CA", ca), ("CERTIFICATE", certificate), ("KEY", key)):
            if path is not None and not path.is_file():
                raise ValueError(f"{name}_{variable}_FILE: {path} is not a file")
        return self
