"""A real PostgreSQL for tests: that of Debian or of the wheel `pgserver`, started for a session."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

USER = "hooke"
PASSWORD = "s3cret/of:tests"
QUOTED = "s3cret%2Fof%3Atests"


@dataclass(frozen=True)
class Postgres:
    """A server on loopback; `port` is where it listens, and `folder` holds its socket."""

    port: int
    folder: Path

    def url(self, database: str, password: str = QUOTED) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """For who has the same file system and another network."""
        return f"postgresql://{USER}:{QUOTED}@/{database}?host={self.folder}&port={self.port}"

    def new_database(self) -> str:
        """The name of a database that nobody else has."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute("postgres", f'CREATE DATABASE "{name}"')
        return name

    def execute(self, database: str, *statements: str) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None: there is no PostgreSQL here."""
    wheel = importlib.util.find_spec("pgserver")
    folders = [
        *([Path(found).resolve().parent] if (found := shutil.which("pg_ctl")) else []),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *([Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []),
    ]
    return next((path for path in folders if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


@contextmanager
def serving(bin_dir: Path) -> Iterator[Postgres]:
    """Run a server with a cluster of its own."""
    # Not under pytest's folder, which nobody else may enter: the server does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="hooke-postgres-"))
    folder.chmod(0o711)  # to the socket
    as_user = []
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = ["runuser", "-u", "postgres", "--"]
        password_file = folder / "password"
        password_file.write_text(PASSWORD)
        password_file.chmod(0o644)
        cluster = folder / "cluster"

        def run(program: str, *arguments: str) -> None:
            log = folder / "out"
            with log.open("ab") as out:  # a pipe would stay open as long as the server
                command = [*as_user, str(bin_dir / program), "-D", str(cluster), *arguments]
                done = subprocess.run(command, stdout=out, stderr=out, cwd="/", check=False)
            assert done.returncode == 0, log.read_text()

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        run("initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={password_file}", "-N", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield Postgres(port, folder)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
